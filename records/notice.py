"""Notices: what the house tells a person inside the application."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, new_id
from engine.errors import NotFound
from records.columns import Code, Login, Name, Text


class Notice(Base):
    """One message to one person. key: what it is about; the same key twice is one notice."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_notice_user_id_read_at", "user_id", "read_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    key: Mapped[Name]
    subject: Mapped[Name]
    body: Mapped[Text] = mapped_column(default="")
    record_type: Mapped[Code | None]
    record_id: Mapped[Login | None]
    created_at: Mapped[Instant]
    read_at: Mapped[Instant | None]


def notify(
    act: Act, user_id: str, subject: str, *, key: str, body: str = "", record: tuple[str, str] | None = None
) -> None:
    """Tell a person something, once per key. record: (type, id) the notice leads to."""
    connection = act.session.connection()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    record_type, record_id = record or (None, None)
    row = dialect.insert(Notice.__table__).values(
        id=new_id(), user_id=user_id, key=key[:200], subject=subject[:200], body=body[:4000], record_type=record_type,
        record_id=record_id, created_at=act.now,
    )  # fmt: skip
    connection.execute(row.on_conflict_do_nothing(index_elements=["user_id", "key"]))


def read(act: Act, notice_id: str) -> Notice:
    """Mark a notice of the acting person as read. Raises NotFound for somebody else's."""
    notice = act.session.get(Notice, notice_id)
    if notice is None or notice.user_id != act.user_id:
        raise NotFound("Expected a notice of yours, but there is none with this id")
    notice.read_at = notice.read_at or act.now
    return notice


def notices_of(session: Session, user_id: str, *, limit: int = 50) -> list[Notice]:
    """Return a person's notices, newest first."""
    wanted = select(Notice).where(Notice.user_id == user_id).order_by(Notice.created_at.desc(), Notice.id.desc())
    return list(session.scalars(wanted.limit(limit)))


def unread(session: Session, user_id: str) -> int:
    """Return how many notices a person has not read."""
    wanted = select(func.count()).select_from(Notice).where(Notice.user_id == user_id, Notice.read_at.is_(None))
    return session.scalar(wanted) or 0
