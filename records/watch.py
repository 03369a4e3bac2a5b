"""Watches: runs that somebody wants to see the course of, without having anything to do in them."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, is_id, new_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from engine.stored.instance import Instance
from records.columns import Login

MOST = 500


class Watch(Base):
    """One run that one person watches. Not evidence: it only says what they want to see."""

    __tablename__ = "watch"
    __table_args__ = (UniqueConstraint("user_id", "instance_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    since: Mapped[Instant]


def watch(act: Act, instance_id: str) -> Watch:
    """Let the acting person watch a run; whether they may see it is the caller's to check. Watching twice is watching once."""
    if act.user_id is None:
        raise Forbidden(f"Expected a person to watch, but {act.actor} is none")
    if not is_id(instance_id) or act.session.get(Instance, instance_id) is None:
        raise NotFound(f"Expected a run {instance_id[:40]}, but there is none")
    known = find(act.session, act.user_id, instance_id)
    if known is not None:
        return known
    held = act.session.scalar(select(func.count()).where(Watch.user_id == act.user_id)) or 0
    if held >= MOST:
        raise Conflict(f"Expected at most {MOST} runs to watch, but you watch {held}; stop watching some first")
    made = Watch(user_id=act.user_id, instance_id=instance_id, since=act.now)
    act.session.add(made)
    return made


def stop(act: Act, instance_id: str) -> None:
    """Stop watching a run; one that is not watched stays so."""
    known = find(act.session, act.user_id or "", instance_id)
    if known is not None:
        act.session.delete(known)


def find(session: Session, user_id: str, instance_id: str) -> Watch | None:
    """Return the watch of a person on a run, None when they do not watch it."""
    if not is_id(instance_id):
        return None
    return session.scalar(select(Watch).where(Watch.user_id == user_id, Watch.instance_id == instance_id))


def watched(session: Session, user_id: str, *, after: str = "", limit: int = 50) -> list[tuple[Watch, Instance]]:
    """Return the runs that a person watches, the latest watched first; one more than the limit where there are more.

    after: the id of the last watch of the page before. Raises: Invalid when it is none.
    """
    wanted = select(Watch, Instance).join(Instance, Instance.id == Watch.instance_id).where(Watch.user_id == user_id)
    if after:
        if not is_id(after):
            raise Invalid("Expected the place where the page before ended, but it is none", {"after": "unknown"})
        wanted = wanted.where(Watch.id < after)
    return [(row[0], row[1]) for row in session.execute(wanted.order_by(Watch.id.desc()).limit(limit + 1))]


def count(session: Session, user_id: str) -> int:
    """Return how many runs a person watches."""
    return session.scalar(select(func.count()).where(Watch.user_id == user_id)) or 0
