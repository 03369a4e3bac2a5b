"""Ask once what many lines ask: answers that a session was given are kept until something may have changed them.

A rule that judges one line asks for what it needs. Judging five hundred lines, it would ask the same of their supplier five
hundred times, and of each of their parts once. Here the same question is asked once, and a question about each line is asked about all
of them with the first. Nobody sees an old answer: a flush, a statement that writes, a lock and a rollback forget them all.

An answer that was read from a few classes alone, such as who holds a role, may say so: then it lasts until one of these is written.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import event, inspect
from sqlalchemy.orm import ORMExecuteState, Session

Answer = TypeVar("Answer")
Row = TypeVar("Row")

MOST = 1_000
"""Rows that one statement is asked about."""

_KEPT, _LASTING = "answers", "lasting answers"


def install(kind: type[Session]) -> None:
    """Let every session of a class keep answers."""
    event.listen(kind, "after_flush", _forget_after)
    event.listen(kind, "after_soft_rollback", lambda session, _previous: forget(session))
    event.listen(kind, "do_orm_execute", _forget_before)


def begin(session: Session) -> None:
    """Begin to keep answers in a session whose class they are installed on."""
    session.info.update({_KEPT: {}, _LASTING: {}})


def forget(session: Session) -> None:
    """Forget every answer."""
    if _KEPT in session.info:
        begin(session)


def once(session: Session, question: Hashable, ask: Callable[[], Answer]) -> Answer:
    """Return the answer to a question, asking when nobody did. question: what is asked and about what, unique in the house."""
    kept = _kept(session)
    if kept is None:
        return ask()
    if question not in kept:
        kept[question] = ask()
    return cast("Answer", kept[question])


def lasting(session: Session, question: Hashable, ask: Callable[[], Answer], *, about: frozenset[type]) -> Answer:
    """Return the answer to a question as ``once`` does, but keep it until a row of one of the classes ``about`` is written.

    about: every mapped class that the answer is read from. answer: plain values, since it may be handed to another session.
    """
    if session.autoflush and not _pending(session).isdisjoint(about):
        session.flush()
    kept: dict[Hashable, tuple[frozenset[type], Any]] | None = session.info.get(_LASTING)
    if kept is None:
        return ask()
    if question not in kept:
        kept[question] = (about, ask())
    return cast("Answer", kept[question][1])


def hand_over(session: Session, to: Session) -> None:
    """Give what lasts in a session whose act was committed to the session that shows what it did."""
    to.info[_LASTING] = dict(session.info.get(_LASTING, {}))


def of_each(
    session: Session,
    row: Row,
    question: Hashable,
    ask: Callable[[Sequence[Row]], Mapping[str, Answer]],
    *,
    otherwise: Answer,
) -> Answer:
    """Return the answer about one row, asking about every row of its class in the session with it.

    ask: returns answers by the rows' ids. otherwise: what a row that is not among them gets.
    """
    kept, state = _kept(session), inspect(row)
    identity = cast("Any", row).id
    if kept is None or not state.persistent:
        return ask([row]).get(identity, otherwise)
    known: dict[str, Answer] = kept.setdefault((question, type(row)), {})
    if identity not in known:
        rows = [row, *_others(session, row, known)][:MOST]
        found = ask(rows)
        known.update((each.id, found.get(each.id, otherwise)) for each in cast("Sequence[Any]", rows))
    return known[identity]


def _others(session: Session, row: Row, known: Mapping[str, Any]) -> list[Row]:
    kind = inspect(row).mapper
    states = (each for each in session.identity_map.all_states() if each.mapper is kind and each.identity)
    found = [each.obj() for each in states if cast("Any", each.identity)[0] not in known]
    return [each for each in found if each is not None and each is not row]


def _kept(session: Session) -> dict[Hashable, Any] | None:
    """Return the answers of a session, None when it keeps none; what waits is written first, as any question would see to."""
    if _KEPT in session.info and session.autoflush and (session.new or session.deleted or session.dirty):
        session.flush()
    return session.info.get(_KEPT)


def _pending(session: Session) -> set[type]:
    """Return the classes of rows that wait to be written."""
    return {type(row) for rows in (session.new, session.dirty, session.deleted) for row in rows}


def _forget_after(session: Session, _context: object) -> None:
    """Forget what a flush may have changed; the session says until afterwards what it wrote."""
    if _KEPT not in session.info:
        return
    written = _pending(session)
    lasting_ones = session.info[_LASTING]
    begin(session)
    session.info[_LASTING] = {
        question: (about, answer) for question, (about, answer) in lasting_ones.items() if written.isdisjoint(about)
    }


def _forget_before(asked: ORMExecuteState) -> None:
    is_lock = getattr(asked.statement, "_for_update_arg", None) is not None
    if not asked.is_select or is_lock:
        forget(asked.session)
