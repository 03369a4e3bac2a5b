"""Drafts: what somebody typed into a task is never lost, whether it was not sent yet or came too late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.canonical import canonical
from engine.database import is_id
from engine.errors import Forbidden, Invalid, NotFound
from engine.stored.task import Task, TaskDraft

if TYPE_CHECKING:
    from engine.act import Act

MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody sent."""

    task_id: str
    verdict: str | None
    reason: str
    variables: Mapping[str, Any]


def save_draft(
    act: Act,
    task_id: str,
    *,
    verdict: str | None = None,
    reason: str = "",
    variables: Mapping[str, Any] | None = None,
) -> TaskDraft:
    """Keep what the caller has typed into a task so far; one draft a person and task. Raises: NotFound; Invalid."""
    if act.user_id is None:
        raise Forbidden(f"Expected a person to write a draft, but {act.actor} is none")
    if not is_id(task_id) or act.session.get(Task, task_id) is None:
        raise NotFound(f"Expected a task {task_id}, but there is none")
    typed = Typed(task_id, verdict, reason, variables or {})
    return _save(act, act.user_id, typed, kept_because=None)


def draft_of(session: Session, task_id: str, user_id: str) -> TaskDraft | None:
    """Return what a person typed into a task and has not sent, or sent too late."""
    query = select(TaskDraft).where(TaskDraft.task_id == task_id, TaskDraft.user_id == user_id)
    return session.scalars(query).first() if is_id(task_id) else None


def keep(act: Act, typed: Typed, because: str) -> None:
    """Have a text that came too late kept as a draft, by a second act after the refusal."""
    user_id = act.user_id
    if user_id is not None and (typed.reason.strip() or typed.variables):
        act.rescues.append(lambda second: _save(second, user_id, typed, kept_because=because))


def discard(act: Act, task_id: str, user_id: str) -> None:
    """Forget a draft that was sent or is not wanted any more."""
    found = draft_of(act.session, task_id, user_id)
    if found is not None:
        act.session.delete(found)


def _save(act: Act, user_id: str, typed: Typed, *, kept_because: str | None) -> TaskDraft:
    values = {name: _plain(value) for name, value in typed.variables.items()}
    if len(typed.reason) + len(orjson.dumps(values)) > MAX_BYTES:
        raise Invalid(f"Expected a draft of at most {MAX_BYTES:,} bytes, but it is larger")
    draft = draft_of(act.session, typed.task_id, user_id)
    if draft is None:
        draft = TaskDraft(task_id=typed.task_id, user_id=user_id)
        act.session.add(draft)
    draft.verdict, draft.reason, draft.variables = typed.verdict, typed.reason, values
    draft.saved_at, draft.kept_because = act.now, kept_because
    return draft


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else canonical(value)
