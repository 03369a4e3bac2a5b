"""Followers: who is told what happens to a document although it is not their turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, new_id
from records.columns import Code, Login
from records.notice import notify


class Follower(Base):
    """One person who wants to be told of one document. why: ``asked``, ``commented`` or ``mentioned``. Not evidence."""

    __tablename__ = "follower"
    __table_args__ = (
        UniqueConstraint("record_type", "record_id", "user_id"),
        Index("ix_follower_user_id", "user_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    why: Mapped[Code]
    since: Mapped[Instant]


def follow(act: Act, about: tuple[str, str], user_id: str, *, why: str = "asked") -> None:
    """Let somebody be told of a document from now on; who follows it already goes on. about: (type, id)."""
    if not is_following(act.session, about, user_id):
        act.session.add(Follower(record_type=about[0], record_id=about[1], user_id=user_id, why=why, since=act.now))
        act.session.flush()


def unfollow(act: Act, about: tuple[str, str], user_id: str) -> None:
    """Tell somebody nothing more of a document, unless they are asked or named again."""
    found = act.session.scalar(_wanted(about).where(Follower.user_id == user_id))
    if found is not None:
        act.session.delete(found)
        act.session.flush()


def is_following(session: Session, about: tuple[str, str], user_id: str) -> bool:
    """Whether somebody is told of a document."""
    return session.scalar(_wanted(about).where(Follower.user_id == user_id)) is not None


def followers_of(session: Session, about: tuple[str, str]) -> list[str]:
    """Return who is told of a document, the longest follower first."""
    return [row.user_id for row in session.scalars(_wanted(about).order_by(Follower.since, Follower.id))]


def followed_by(session: Session, user_id: str) -> list[tuple[str, str]]:
    """Return (type, id) of the documents that somebody follows, the newest first."""
    wanted = select(Follower).where(Follower.user_id == user_id).order_by(Follower.since.desc(), Follower.id.desc())
    return [(row.record_type, row.record_id) for row in session.scalars(wanted)]


def tell_followers(act: Act, record: Any, subject: str, *, key: str, body: str = "", but: Sequence[str] = ()) -> None:
    """Tell those who follow a document something, but not the acting person. but: user ids who are told otherwise.

    Nothing pending is written before: a status may be on its way while this is asked.
    """
    about = (record.record_type, record.id)
    with act.session.no_autoflush:
        people = [one for one in followers_of(act.session, about) if one != act.user_id and one not in but]
    for user_id in people:
        notify(act, user_id, subject, key=key, body=body, record=about)


def _wanted(about: tuple[str, str]) -> Select[Follower]:
    return select(Follower).where(Follower.record_type == about[0], Follower.record_id == about[1])
