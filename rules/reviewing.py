"""What a review must have seen before an approval: every changed line viewed where the policy says so, no blocking comment open.

The policy is the table ``review_policy.dmn``. It judges verdicts, not people: who may not approve yet may still return or reject.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.closing import APPROVING
from engine.errors import Effect, Finding
from engine.record import Record
from engine.redline import Redline
from engine.stored.task import Task
from records.comment import Comment, blocking_on
from records.person import Role, User
from records.roles import holds
from records.viewing import ticks
from rules.policy import table_called
from rules.redlines import Item, items_to_view, mapped

BLOCKED, NOT_VIEWED = "REVIEW-1", "REVIEW-2"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the table says of one step. resolver: a role besides the author that may resolve, or empty. row: of the table."""

    must_view_all: bool
    resolver: str
    hash: str
    row: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of what is to be viewed somebody has viewed. viewed: the paths whose tick still stands."""

    items: tuple[Item, ...]
    viewed: frozenset[str]

    @property
    def words(self) -> str:
        """``6 of 9 viewed``."""
        return f"{len(self.viewed)} of {len(self.items)} viewed"

    @property
    def missing(self) -> list[Item]:
        """What is not viewed yet."""
        return [item for item in self.items if item.path not in self.viewed]


def policy_of(record_type: str, step: str, *, change_class: str = "") -> Policy:
    """Ask the table about a step of a review."""
    judgement = table_called("review_policy").judge(record_type=record_type, step=step, change_class=change_class)
    outputs = judgement.row.outputs
    return Policy(outputs["viewing"] == "all", outputs["resolver"] or "", judgement.hash, judgement.row.number)


def progress_of(session: Session, record: Any, user_id: str, *, found: Redline | None = None) -> Progress:
    """Return what a person has viewed of a document; a tick on what says another thing by now does not count.

    found: the redline since its last submission, for a caller who has it in hand.
    """
    items = tuple(items_to_view(session, record, found))
    known = ticks(session, user_id, record.record_type, record.id)
    return Progress(items, frozenset(item.path for item in items if known.get(item.path) == item.hash))


def judge_verdict(session: Session, task: Task, verdict: str, user_id: str) -> Iterator[Finding]:
    """Yield what keeps a verdict from being given now: only an approval can be kept."""
    if verdict not in APPROVING or task.record_type is None or task.record_id is None:
        return
    about = (task.record_type, task.record_id)
    record = _record(session, *about)
    policy = policy_of(task.record_type, task.element_id, change_class=str(getattr(record, "change_class", "") or ""))
    for said in blocking_on(session, *about):
        yield _blocked(session, task, said, policy)
    if policy.must_view_all and record is not None:
        missing = progress_of(session, record, user_id).missing
        if missing:
            yield _not_viewed(task, missing, policy)


def may_resolve(session: Session, said: Comment, user_id: str, *, at: dt.datetime) -> bool:
    """Tell whether somebody may resolve a blocking comment: its author, or who holds the role that the policy names."""
    if user_id == said.author_id:
        return True
    resolver = policy_of(said.about_type, "").resolver
    return bool(resolver) and holds(session, user_id, resolver, at=at)


def _record(session: Session, record_type: str, record_id: str) -> Record | None:
    kind = mapped(record_type)
    return session.get(kind, record_id) if kind is not None else None


def _blocked(session: Session, task: Task, said: Comment, policy: Policy) -> Finding:
    author = session.get(User, said.author_id)
    name = author.name if author is not None else said.author_id
    where = f" on {said.place}" if said.place else ""
    text = said.text if len(said.text) <= 120 else f"{said.text[:117]}..."
    return Finding(
        BLOCKED, Effect.BLOCK,
        f"Expected no open blocking comment, but that of {name}{where} is not resolved: “{text}”",
        record_type=task.record_type or "", record_id=task.record_id or "", owner=f"user:{said.author_id}",
        way_out=f"{name} resolves it" + (f", or {_role(session, policy.resolver)}." if policy.resolver else "."),
        judged_by=policy.hash, row=policy.row,
    )  # fmt: skip


def _role(session: Session, code: str) -> str:
    name = session.scalar(select(Role.name).where(Role.code == code))
    return f"a {name[:1].lower()}{name[1:]}" if name else code


def resolvers_of(session: Session, said: Comment) -> str:
    """Return who may resolve a comment besides its author, in words; empty when the policy names nobody."""
    resolver = policy_of(said.about_type, "").resolver
    return _role(session, resolver) if resolver else ""


def _not_viewed(task: Task, missing: list[Item], policy: Policy) -> Finding:
    named = ", ".join(item.place for item in missing[:5]) + (
        f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    )
    return Finding(
        NOT_VIEWED, Effect.BLOCK,
        f"Expected every changed line to be viewed before an approval, but {len(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} not: {named}.",
        record_type=task.record_type or "", record_id=task.record_id or "",
        way_out="Look at each under Changes and press Viewed.", judged_by=policy.hash, row=policy.row,
    )  # fmt: skip
