"""The one place where pages and the API ask whether somebody may read a document, its files, its discussion and its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import eligibility
from engine.database import is_id
from engine.errors import Forbidden, NotFound
from records.attachment import Attachment
from records.comment import Comment
from records.quotation import RequestForQuotation
from rules.readers import TASK, may_read, roles_that_read
from webapp import reviews, wording
from webapp.visit import now, reading, visitor

Path = Mapping[str, Any]
"""The values of an address, by their names. What does not exist is left to the view, which says so."""


def need(kind: str, record_id: str) -> None:
    """Refuse a visitor who may not read a document; an adapter is let in by its scopes. Raises: Forbidden SEALED; NotFound."""
    who = visitor()
    if who.is_adapter or may_read(reading(), (kind, record_id), who.user_id, at=now()):
        return
    if kind == TASK:
        raise NotFound("Expected something that is yours to see at this address, but there is nothing.")
    names = " or ".join(wording.principal_words(f"role:{role}") for role in roles_that_read(kind))
    raise Forbidden(
        f"Expected {names}, or somebody with a task about it, to read this, but you are none of them: it is sealed to others.",
        code="SEALED",
    )


def of_task(path: Path) -> None:
    """Judge an address of a task. Raises: NotFound."""
    reviews.visible(reading(), str(path["task_id"]))


def of_decision(path: Path) -> None:
    """Judge an address where a task is decided: whoever lost their role meanwhile is told so by the task, with their text kept."""
    task = reviews.known(reading(), str(path["task_id"]))
    if task is None or not eligibility.mandates_for(reading(), task, visitor().user_id, now=task.created_at):
        of_task(path)


def of_document(path: Path) -> None:
    """Judge an address of what belongs to a document: its files, discussion, redline, followers or history. Raises: as ``need``."""
    kind = next(str(path[name]) for name in ("owner_type", "record_type", "kind") if name in path)
    need(kind, str(path["record_id"]))


def of_file(path: Path) -> None:
    """Judge the address of a file. Raises: as ``need``."""
    file_id = str(path.get("attachment_id") or path.get("record_id"))
    found = reading().get(Attachment, file_id) if is_id(file_id) else None
    if found is not None:
        need(found.owner_type, found.owner_id)


def of_remark(path: Path) -> None:
    """Judge the address of a remark. Raises: as ``need``."""
    remark_id = str(path.get("comment_id") or path.get("record_id"))
    found = reading().get(Comment, remark_id) if is_id(remark_id) else None
    if found is not None:
        need(found.about_type, found.about_id)


def of_request(path: Path) -> None:
    """Judge the address of what suppliers quote. Raises: as ``need``."""
    need(RequestForQuotation.record_type, str(path["record_id"]))
