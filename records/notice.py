"""Notices: what the house tells a person inside the application."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, is_id, new_id
from engine.errors import NotFound
from engine.stored.task import Task, TaskState
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


class TaskAnnouncement(Base):
    """That people were told of a task. A task without a row here is new."""

    __tablename__ = "task_announcement"

    task_id: Mapped[Id] = mapped_column(ForeignKey("task.id"), primary_key=True)
    announced_at: Mapped[Instant]


LOOK_BACK_MS = 600_000
"""Milliseconds before the newest announced task from which tasks are looked through: no act stays open for so long."""


def unannounced(session: Session, *, limit: int) -> list[Task]:
    """Return open tasks that nobody was told of, oldest first."""
    newest = session.scalar(select(TaskAnnouncement.task_id).order_by(TaskAnnouncement.task_id.desc()).limit(1))
    told = select(TaskAnnouncement.task_id).where(TaskAnnouncement.task_id == Task.id)
    wanted = select(Task).where(Task.state == TaskState.OPEN, ~told.exists())
    if newest is not None:
        wanted = wanted.where(Task.id > _earlier(newest))
    return list(session.scalars(wanted.order_by(Task.id).limit(limit)))


def claim_announcements(act: Act, task_ids: Sequence[str]) -> list[str]:
    """Note that people are told of tasks, and return those that no other worker has noted already, in their order."""
    connection = act.session.connection()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [{"task_id": task_id, "announced_at": act.now} for task_id in task_ids]
    made = dialect.insert(TaskAnnouncement.__table__).values(rows).on_conflict_do_nothing(index_elements=["task_id"])
    mine = set(connection.execute(made.returning(TaskAnnouncement.task_id)).scalars())
    return [task_id for task_id in task_ids if task_id in mine]


def _earlier(task_id: str) -> str:
    """Return the smallest id that a task could have been given so long before another; ids begin with their time."""
    moment = max(int(task_id.replace("-", "")[:12], 16) - LOOK_BACK_MS, 0)
    digits = f"{moment:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"


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
    notice = act.session.get(Notice, notice_id) if is_id(notice_id) else None
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
