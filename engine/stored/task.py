"""Tasks of people.

The task itself, who may take it, what somebody typed but did not send, and the counters of inboxes.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base, Document, Id, Instant, Listing, Scaled, Versioned, new_id

NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
"""The due date of a candidate row whose task has none: it sorts last."""

NO_AMOUNT = Decimal("-999999999999.9999")
"""The amount of a candidate row whose task has none: it sorts last."""

KEY = "\x02"
"""What comes before a key among the words of a candidate row, so that the beginning of a key is found as such."""


class TaskState(StrEnum):
    """Whether a task still waits."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class Task(Versioned, Base):
    """A step that waits for a person.

    outcomes: the verdicts its diagram offers, none when it is just done. signature: the meaning that a signature must
    have, or None. flow: the process id of the root instance. candidates: every principal that may take it. former: who
    could before an escalation, with the sentence that refuses them. notes: sentences, such as who was skipped and why.
    lent_by: who gave the task to its assignee to work on, and will decide it once it is given back; None otherwise.
    closed_by: a user id. decided_by: the printed name. transition: a change that listeners hear of before it counts, empty for
    none (``engine.changing``).
    """

    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_instance_id_token_id", "instance_id", "token_id"),
        Index("ix_task_closed_by_closed_at_id", "closed_by", "closed_at", "id"),
        Index("ix_task_record_type_record_id", "record_type", "record_id"),
        Index("ix_task_record_number", "record_number", postgresql_ops={"record_number": "varchar_pattern_ops"}),
        Index(
            "uq_task_instance_id_token_id_open",
            "instance_id",
            "token_id",
            unique=True,
            sqlite_where=text("state = 'OPEN'"),
            postgresql_where=text("state = 'OPEN'"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    instance_id: Mapped[Id] = mapped_column(ForeignKey("instance.id"))
    token_id: Mapped[int]
    element_id: Mapped[str]
    process_id: Mapped[str]
    name: Mapped[str]
    title: Mapped[str]
    state: Mapped[str]
    outcomes: Mapped[Listing]
    signature: Mapped[str | None]
    form_id: Mapped[str | None]
    assignee: Mapped[str | None]
    lent_by: Mapped[str | None] = mapped_column(String(60))
    due_at: Mapped[Instant | None]
    follow_up_at: Mapped[Instant | None]
    priority: Mapped[int]
    amount: Mapped[Decimal | None] = mapped_column(Scaled(4))
    party: Mapped[str | None]
    project: Mapped[str | None]
    business_key: Mapped[str]
    flow: Mapped[str]
    record_type: Mapped[str | None]
    record_id: Mapped[str | None]
    record_number: Mapped[str | None]
    record_hash: Mapped[str | None]
    excludes: Mapped[Listing]
    candidates: Mapped[Listing]
    former: Mapped[Listing]
    notes: Mapped[Listing]
    deadline_policy: Mapped[str]
    set_id: Mapped[Id | None] = mapped_column(ForeignKey("candidate_set.id"))
    round: Mapped[int]
    slot: Mapped[int | None]
    body_scope: Mapped[int | None]
    quorum_scope: Mapped[int | None]
    role: Mapped[str | None]
    rule_row: Mapped[str | None]
    created_at: Mapped[Instant]
    closed_at: Mapped[Instant | None]
    closed_by: Mapped[str | None]
    closed_why: Mapped[str | None]
    closed_code: Mapped[str | None]
    verdict: Mapped[str | None]
    transition: Mapped[Document] = mapped_column(server_default="{}")

    @property
    def is_changing(self) -> bool:
        """Whether listeners hear of a change that does not count yet."""
        return bool(self.transition)


class TaskCandidate(Base):
    """One principal that may take one open task, with everything an inbox sorts by. Gone when the task closes.

    words: what free text finds it by, in lower case (``opening.words_of``).
    """

    __tablename__ = "task_candidate"
    __table_args__ = (
        *(
            Index(f"ix_task_candidate_principal_{column}", "principal", column, "task_id")
            for column in ("due_at", "priority", "created_at", "amount", "business_key")
        ),
        # Many tasks share one of these: within it they are read by what is due first.
        *(
            Index(f"ix_task_candidate_principal_{column}", "principal", column, "due_at", "task_id")
            for column in ("party", "project", "flow")
        ),
    )

    principal: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[Id] = mapped_column(ForeignKey("task.id"), primary_key=True, index=True)
    due_at: Mapped[Instant]
    priority: Mapped[int]
    created_at: Mapped[Instant]
    amount: Mapped[Decimal] = mapped_column(Scaled(4))
    party: Mapped[str]
    project: Mapped[str]
    flow: Mapped[str]
    business_key: Mapped[str]
    words: Mapped[str] = mapped_column(default="", server_default="")


class TaskWord(Base):
    """A word that tasks are filtered by: every party and every project that one ever had, each once."""

    __tablename__ = "task_word"

    kind: Mapped[str] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)


class CandidateSet(Base):
    """A distinct set of candidates: tasks with the same candidates share it, so that counters of sets add up."""

    __tablename__ = "candidate_set"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(unique=True)
    principals: Mapped[Listing]


class CandidateSetMember(Base):
    """One principal of a set."""

    __tablename__ = "candidate_set_member"

    principal: Mapped[str] = mapped_column(primary_key=True)
    set_id: Mapped[Id] = mapped_column(ForeignKey("candidate_set.id"), primary_key=True)


class QueueCount(Base):
    """How many open tasks of one flow a set of candidates has."""

    __tablename__ = "queue_count"

    set_id: Mapped[Id] = mapped_column(ForeignKey("candidate_set.id"), primary_key=True)
    queue: Mapped[str] = mapped_column(primary_key=True)
    tasks: Mapped[int]


class TaskDraft(Base):
    """What somebody typed into a task and has not sent. kept_because.

    Why a sent text became a draft again, or None.
    """

    __tablename__ = "task_draft"
    __table_args__ = (UniqueConstraint("task_id", "user_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    task_id: Mapped[Id] = mapped_column(ForeignKey("task.id"))
    user_id: Mapped[str]
    verdict: Mapped[str | None]
    reason: Mapped[str]
    variables: Mapped[Document] = mapped_column(JSON())
    saved_at: Mapped[Instant]
    kept_because: Mapped[str | None]
