"""Statuses move only along declared transitions."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeVar

from engine.act import Act
from engine.errors import Conflict
from records.follower import tell_followers

Status = TypeVar("Status", bound=StrEnum)


def move_along(
    act: Act, record: Any, to: Status, *, transitions: frozenset[tuple[Status, Status]], reason: str | None
) -> None:
    """Set the status of a document, with the reason in its chain.

    What is pending is written first, so that guard and triggers see each step by itself, and edits in the status they
    were made in.
    Raises: Conflict ILLEGAL_TRANSITION when the pair (present status, ``to``) is not declared.
    """
    present: Status = record.status
    if (present, to) not in transitions:
        raise illegal(record, to, following(present, transitions))
    act.session.flush()
    record.status = to
    if reason:
        act.note(record.record_type, record.id, "MOVED", field="status", old=present, new=to, reason=reason)
    # What the new status needs beside it is set by the caller, after this: nothing may be written before.
    with act.session.no_autoflush:
        said = f"{record.number} is {str(to).replace('_', ' ').lower()}"
        tell_followers(act, record, said, key=f"{record.id}:{to}:{act.id}", body=reason or "")


def following(present: Status, transitions: frozenset[tuple[Status, Status]]) -> list[Status]:
    """Return the statuses that may follow, in a stable order."""
    return sorted(after for before, after in transitions if before == present)


def illegal(record: Any, to: StrEnum, allowed: Iterable[StrEnum]) -> Conflict:
    """Return the refusal of a move that is not declared."""
    choices = " or ".join(status.value for status in allowed) or "nothing"
    return Conflict(
        f"Expected {record.number} to move from {record.status} to {choices}, but {to} was asked for",
        code="ILLEGAL_TRANSITION",
        record=(record.record_type, record.id),
    )


def pairs(text: str, kind: type[Status]) -> frozenset[tuple[Status, Status]]:
    """Read transitions written as ``DRAFT>SUBMITTED|CANCELLED; SUBMITTED>APPROVED``."""
    found: set[tuple[Status, Status]] = set()
    for clause in filter(None, (clause.strip() for clause in text.split(";"))):
        before, _, after = clause.partition(">")
        for source in before.split("|"):
            for target in after.split("|"):
                found.add((kind(source.strip()), kind(target.strip())))
    return frozenset(found)
