"""Viewings: which version of a document or of a line somebody has looked at."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, new_id
from records.columns import Code, Login


class Viewing(Base):
    """The last version of one thing that one person saw. Not evidence: it only says what is new to them."""

    __tablename__ = "viewing"
    __table_args__ = (UniqueConstraint("user_id", "record_type", "record_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    record_type: Mapped[Code]
    record_id: Mapped[Login]
    seen_version: Mapped[int]
    viewed_at: Mapped[Instant]


def view(act: Act, record_type: str, record_id: str, *, version: int) -> None:
    """Note that the acting person saw a version; an older version than the noted one changes nothing."""
    if act.user_id is None:
        return
    known = act.session.scalar(
        select(Viewing).where(
            Viewing.user_id == act.user_id, Viewing.record_type == record_type, Viewing.record_id == record_id
        )
    )
    if known is None:
        known = Viewing(user_id=act.user_id, record_type=record_type, record_id=record_id, seen_version=version)
        act.session.add(known)
    known.seen_version, known.viewed_at = max(version, known.seen_version), act.now


def forget(act: Act, record_type: str, record_id: str) -> None:
    """Take a tick back."""
    known = act.session.scalar(
        select(Viewing).where(
            Viewing.user_id == act.user_id, Viewing.record_type == record_type, Viewing.record_id == record_id
        )
    )
    if known is not None:
        act.session.delete(known)


def seen_versions(session: Session, user_id: str, record_type: str, record_ids: Iterable[str]) -> dict[str, int]:
    """Return the last version a person saw of each of some records; what was never seen is missing."""
    wanted = select(Viewing.record_id, Viewing.seen_version).where(
        Viewing.user_id == user_id, Viewing.record_type == record_type, Viewing.record_id.in_(list(record_ids))
    )
    return dict(session.execute(wanted).all())
