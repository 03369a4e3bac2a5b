"""Work for the system, kept until done: one table, the same on both databases."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base, Document, Id, Instant, Listing, Versioned, new_id


class JobState(StrEnum):
    """Where a job stands. FAILED waits for help (an incident, when it belongs to an instance)."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Job(Versioned, Base):
    """One promise. token_id: the service task it completes, or None for one that was deferred.

    args: encoded values. headers: what the diagram says to whoever does it, where no token is left to say it. back_off: minutes
    to wait before each further try. lock: jobs with the same one never run together. locked_until: a running job whose time is over
    is taken up again by the next worker. holder: the principal of the outside worker that took it up, None for a worker of the
    house. behind: its priority with the other sign, so that one index knows the order in which jobs are taken up.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "ix_job_due_at_waiting",
            "due_at",
            sqlite_where=text("state IN ('WAITING', 'RUNNING')"),
            postgresql_where=text("state IN ('WAITING', 'RUNNING')"),
        ),
        Index(
            "ix_job_type_behind_due_at_open",
            "type",
            "behind",
            "due_at",
            sqlite_where=text("state IN ('WAITING', 'RUNNING', 'FAILED')"),
            postgresql_where=text("state IN ('WAITING', 'RUNNING', 'FAILED')"),
        ),
        Index("ix_job_instance_id_token_id", "instance_id", "token_id"),
        Index("ix_job_lock", "lock"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    type: Mapped[str]
    instance_id: Mapped[Id | None] = mapped_column(ForeignKey("instance.id"))
    token_id: Mapped[int | None]
    element_id: Mapped[str | None]
    args: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[Document] = mapped_column(server_default="{}")
    state: Mapped[str]
    retries_left: Mapped[int]
    back_off: Mapped[Listing]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[Instant]
    behind: Mapped[int] = mapped_column(server_default="0")
    locked_until: Mapped[Instant | None]
    worker: Mapped[str | None]
    holder: Mapped[str | None]
    lock: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]

    @property
    def priority(self) -> int:
        """What its diagram says; the greater is taken up sooner."""
        return -self.behind
