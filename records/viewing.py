"""Viewings: which version of a document somebody has looked at, and which of its differences they ticked as viewed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, new_id
from records.columns import Code, Hash, Login, Name

SAME_LOOK = dt.timedelta(minutes=30)
"""Glances that follow each other within this time are one look: a page that is opened again shows the same news."""


class Viewing(Base):
    """The last version of one thing that one person saw. Not evidence: it only says what is new to them.

    viewed_at: the last glance. previous_version, previous_at: the end of the look before the present one, which
    "since I last looked" compares with.
    """

    __tablename__ = "viewing"
    __table_args__ = (UniqueConstraint("user_id", "record_type", "record_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    seen_version: Mapped[int]
    viewed_at: Mapped[Instant]
    previous_version: Mapped[int | None]
    previous_at: Mapped[Instant | None]


class ViewedMark(Base):
    """One difference that one person ticked as viewed. hash: of what it said; a difference that says another thing has no tick."""

    __tablename__ = "viewed_mark"
    __table_args__ = (UniqueConstraint("user_id", "record_type", "record_id", "path"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    path: Mapped[Name]
    hash: Mapped[Hash]
    viewed_at: Mapped[Instant]


@dataclass(frozen=True, slots=True)
class Look:
    """The look before the present one: the version seen last then, and until when it went."""

    version: int
    at: dt.datetime


def view(act: Act, record_type: str, record_id: str, *, version: int) -> None:
    """Note that the acting person saw a version; an older version than the noted one changes nothing."""
    if act.user_id is None:
        return
    known = _viewing_of(act.session, act.user_id, record_type, record_id)
    if known is None:
        known = Viewing(user_id=act.user_id, record_type=record_type, record_id=record_id, seen_version=version)
        act.session.add(known)
    elif act.now - known.viewed_at > SAME_LOOK or version > known.seen_version:
        known.previous_version, known.previous_at = known.seen_version, known.viewed_at
    known.seen_version, known.viewed_at = max(version, known.seen_version), act.now


def last_look(session: Session, user_id: str, about: tuple[str, str], *, version: int, now: dt.datetime) -> Look | None:
    """Return the look before the present one at (type, id) in a version, or None when the person never looked before.

    Whoever just noted the present look gets the one before it; whoever did not yet gets the last one noted.
    """
    known = _viewing_of(session, user_id, *about)
    if known is None:
        return None
    if now - known.viewed_at > SAME_LOOK or version > known.seen_version:
        return Look(known.seen_version, known.viewed_at)
    if known.previous_version is None or known.previous_at is None:
        return None
    return Look(known.previous_version, known.previous_at)


def tick(act: Act, record_type: str, record_id: str, path: str, *, content: str) -> None:
    """Tick a difference as viewed by the acting person. content: the hash of what it says."""
    if act.user_id is None:
        return
    known = _mark_of(act.session, act.user_id, record_type, record_id, path)
    if known is None:
        known = ViewedMark(user_id=act.user_id, record_type=record_type, record_id=record_id, path=path)
        act.session.add(known)
    known.hash, known.viewed_at = content, act.now


def untick(act: Act, record_type: str, record_id: str, path: str) -> None:
    """Take a tick back."""
    known = _mark_of(act.session, act.user_id or "", record_type, record_id, path)
    if known is not None:
        act.session.delete(known)


def ticks(session: Session, user_id: str, record_type: str, record_id: str) -> dict[str, str]:
    """Return the ticks of a person on a document: path to the hash of what it said then."""
    wanted = select(ViewedMark.path, ViewedMark.hash).where(
        ViewedMark.user_id == user_id, ViewedMark.record_type == record_type, ViewedMark.record_id == record_id
    )
    return dict(session.execute(wanted).all())


def seen_versions(session: Session, user_id: str, record_type: str, record_ids: Iterable[str]) -> dict[str, int]:
    """Return the last version a person saw of each of some records; what was never seen is missing."""
    wanted = select(Viewing.record_id, Viewing.seen_version).where(
        Viewing.user_id == user_id, Viewing.record_type == record_type, Viewing.record_id.in_(list(record_ids))
    )
    return dict(session.execute(wanted).all())


def _viewing_of(session: Session, user_id: str, record_type: str, record_id: str) -> Viewing | None:
    wanted = select(Viewing).where(
        Viewing.user_id == user_id, Viewing.record_type == record_type, Viewing.record_id == record_id
    )
    return session.scalar(wanted)


def _mark_of(session: Session, user_id: str, record_type: str, record_id: str, path: str) -> ViewedMark | None:
    wanted = select(ViewedMark).where(
        ViewedMark.user_id == user_id, ViewedMark.record_type == record_type, ViewedMark.record_id == record_id,
        ViewedMark.path == path,
    )  # fmt: skip
    return session.scalar(wanted)
