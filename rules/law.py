"""What a law is: an id, what it is about, and a pure function from an edit to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session, object_session

from engine.errors import Effect, Finding
from engine.record import Edit, Judged, Record

Judge = Callable[[Edit], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Law:
    """One law. id: as findings carry it; on: the kind of row whose edits it judges; judge: reads the edit, writes nothing."""

    id: str
    on: type[Judged]
    judge: Judge

    def findings(self, edit: Edit) -> Iterator[Finding]:
        """Yield what the law says about an edit, if it is about that kind of row."""
        if isinstance(edit.record, self.on):
            yield from self.judge(edit)


def law(rule: str, *, on: type[Judged]) -> Callable[[Judge], Law]:
    """Make a law of a function, as a decorator."""
    return lambda judge: Law(rule, on, judge)


def block(rule: str, sentence: str, about: tuple[str, str] = ("", ""), **more: Any) -> Finding:
    """Return a finding that refuses. about: record type and id."""
    return Finding(rule, Effect.BLOCK, sentence, about[0], about[1], **more)


def subject_of(record: Record) -> tuple[str, str]:
    """Return the subject of a finding: the record's type and id."""
    return (record.record_type, record.id)


def session_of(edit: Edit) -> Session:
    """Return the session that is about to write an edit."""
    session = object_session(edit.record)
    assert session is not None
    return session


def becomes(edit: Edit, *statuses: str) -> bool:
    """Whether an edit moves the record into one of these statuses."""
    return "status" in edit.changes and edit.changes["status"][1] in statuses
