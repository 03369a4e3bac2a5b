"""What is done to carry a change out, each with its inverse; and the mark on orders that a change waits for (domain.md 2.25, C12)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant
from engine.record import Record
from records.change_order import ChangeOrder
from records.columns import Code, Day, Hash, Login, Name, Text, word
from records.transition import move_along, pairs


class TaskKind(StrEnum):
    """What is to be done. MOVE_STOCK: a lot is re-identified, segregated or scrapped."""

    UPDATE_BOM = "UPDATE_BOM"
    UPDATE_ROUTING = "UPDATE_ROUTING"
    AMEND_PO = "AMEND_PO"
    CHANGE_WO = "CHANGE_WO"
    MOVE_STOCK = "MOVE_STOCK"
    NOTIFY_SUPPLIER = "NOTIFY_SUPPLIER"
    NOTIFY_CUSTOMER = "NOTIFY_CUSTOMER"
    TRAIN = "TRAIN"
    FAI = "FAI"
    REVALIDATE = "REVALIDATE"
    LABEL = "LABEL"
    VERIFY = "VERIFY"


NAMES = {
    TaskKind.UPDATE_BOM: "release under", TaskKind.UPDATE_ROUTING: "release of routing and instructions under",
    TaskKind.AMEND_PO: "amendment of", TaskKind.CHANGE_WO: "change of", TaskKind.MOVE_STOCK: "move of",
    TaskKind.NOTIFY_SUPPLIER: "notice to the supplier of", TaskKind.NOTIFY_CUSTOMER: "notice to the customer of",
    TaskKind.TRAIN: "training for", TaskKind.FAI: "first article for", TaskKind.REVALIDATE: "validation for",
    TaskKind.LABEL: "labels for", TaskKind.VERIFY: "verification of",
}  # fmt: skip
"""What each kind is called in a sentence, before what it is about."""


TITLES = {
    TaskKind.UPDATE_BOM: "Release what follows", TaskKind.UPDATE_ROUTING: "Release routing and instructions",
    TaskKind.AMEND_PO: "Amend the order", TaskKind.CHANGE_WO: "Change the work order", TaskKind.MOVE_STOCK: "Move the stock",
    TaskKind.NOTIFY_SUPPLIER: "Tell the supplier", TaskKind.NOTIFY_CUSTOMER: "Tell the customer",
    TaskKind.TRAIN: "Train whoever works by it", TaskKind.FAI: "Prove it by a first article",
    TaskKind.REVALIDATE: "Validate the process again", TaskKind.LABEL: "Change the labels",
    TaskKind.VERIFY: "Verify first pieces, records and stock",
}  # fmt: skip
"""What a task is called that is about no document of its own."""

OF_A_DOCUMENT = frozenset({TaskKind.AMEND_PO, TaskKind.CHANGE_WO, TaskKind.MOVE_STOCK})
"""Kinds whose words say already what is done to a document."""


class TaskStatus(StrEnum):
    """The life of a task. WAITING: those before it are not done."""

    WAITING = "WAITING"
    OPEN = "OPEN"
    DONE = "DONE"
    FAILED = "FAILED"
    UNDONE = "UNDONE"
    CANCELLED = "CANCELLED"


TRANSITIONS = pairs(
    "WAITING>OPEN|CANCELLED; OPEN>DONE|FAILED|CANCELLED; FAILED>OPEN|CANCELLED; DONE>UNDONE|FAILED", TaskStatus
)
"""DONE>FAILED: what was begun with somebody else (a supplier refuses the amendment) failed later."""

STANDING = frozenset({TaskStatus.WAITING, TaskStatus.OPEN, TaskStatus.FAILED})
"""Statuses in which something is still to be done."""


class ChangeTask(Record, Base):
    """One step of implementation.

    round: of the change order's content it was planned for. is_ours: Lockstep itself carries it out; the others are people's, who
    show evidence. target_type, target_id: the document it is about. inverse_kind, inverse_words: what undoes it; inverse_kind None
    where nothing does (what was released is superseded by a new change). done_type, done_id, done_ref: what it made.
    """

    __tablename__ = "change_task"
    __table_args__ = (
        UniqueConstraint("change_order_id", "round", "position"),
        CheckConstraint("position > 0", name="position_from_one"),
        CheckConstraint("status <> 'FAILED' OR length(failure) > 0", name="failed_for_a_reason"),
        CheckConstraint("(done_type IS NULL) = (done_id IS NULL)", name="done_has_type_and_id"),
        Index("ix_change_task_target_id", "target_id"),
        Index("ix_change_task_done_id", "done_id"),
    )

    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    round: Mapped[int]
    position: Mapped[int]
    kind: Mapped[TaskKind] = word(TaskKind, "kind")
    words: Mapped[Text]
    is_ours: Mapped[bool]
    is_mandatory: Mapped[bool] = mapped_column(default=True)
    target_type: Mapped[Code]
    target_id: Mapped[Id]
    target_ref: Mapped[Name] = mapped_column(default="")
    inverse_kind: Mapped[TaskKind | None] = word(TaskKind, "inverse_kind")
    inverse_words: Mapped[Text] = mapped_column(default="")
    status: Mapped[TaskStatus] = word(TaskStatus, "status", default=TaskStatus.WAITING)
    owner: Mapped[Login]
    due_on: Mapped[Day | None]
    evidence: Mapped[Text] = mapped_column(default="")
    evidence_hash: Mapped[Hash | None]
    failure: Mapped[Text] = mapped_column(default="")
    done_at: Mapped[Instant | None]
    done_by: Mapped[Login] = mapped_column(default="")
    done_type: Mapped[Code | None]
    done_id: Mapped[Id | None]
    done_ref: Mapped[Name] = mapped_column(default="")

    change_order: Mapped[ChangeOrder] = relationship()

    @property
    def number(self) -> str:
        """What it is called in messages: its kind in words, and what it is about."""
        return f"{NAMES[self.kind]} {self.target_ref}".strip()

    @property
    def headline(self) -> str:
        """What is to be done, in one line: ``Tell the supplier: finish as old: 24 EA of PO-5012/1``."""
        title = TITLES[self.kind]
        if self.kind in OF_A_DOCUMENT or self.words.startswith(title):
            return self.words
        return f"{title}: {self.words[:1].lower()}{self.words[1:]}"

    @property
    def is_standing(self) -> bool:
        """Whether something is still to be done."""
        return self.status in STANDING


class HoldEffect(StrEnum):
    """What the mark does to a receipt, an issue or a ship-out."""

    WARN = "WARN"
    BLOCK = "BLOCK"


STANDING_ONLY = text("lifted_at IS NULL")


class ChangeHold(Record, Base):
    """CHANGE_PENDING on an order line, a work order, a lot or what is planned: a change that is approved waits to be carried out on it.

    about_type: ``purchase_order_line``, ``requisition_line``, ``work_order`` or ``lot``.
    """

    __tablename__ = "change_hold"
    __table_args__ = (
        Index(
            "uq_change_hold_standing", "change_order_id", "about_id", unique=True, sqlite_where=STANDING_ONLY,
            postgresql_where=STANDING_ONLY,
        ),
        Index("ix_change_hold_about_id", "about_id"),
        CheckConstraint("length(reason) > 0", name="has_a_reason"),
    )  # fmt: skip

    change_order_id: Mapped[Id] = mapped_column(ForeignKey("change_order.id"))
    about_type: Mapped[Code]
    about_id: Mapped[Id]
    about_ref: Mapped[Name]
    effect: Mapped[HoldEffect] = word(HoldEffect, "effect")
    reason: Mapped[Text]
    placed_at: Mapped[Instant]
    lifted_at: Mapped[Instant | None]
    lifted_reason: Mapped[Text] = mapped_column(default="")

    change_order: Mapped[ChangeOrder] = relationship()

    @property
    def number(self) -> str:
        """What it is on."""
        return self.about_ref


def move(act: Act, task: ChangeTask, to: TaskStatus, *, reason: str | None = None) -> ChangeTask:
    """Move a task along its life, with who and when. Raises: Conflict ILLEGAL_TRANSITION."""
    with act.session.no_autoflush:
        move_along(act, task, to, transitions=TRANSITIONS, reason=reason)
        if to is TaskStatus.DONE:
            task.done_at, task.done_by, task.failure = act.now, act.user_id or act.actor, ""
        elif to is TaskStatus.FAILED:
            task.failure = (reason or "It failed").strip()[:4000]
    act.session.flush()
    return task


def tasks_of(session: Session, order: ChangeOrder) -> list[ChangeTask]:
    """Return the tasks of a change order's content as it stands, in their order."""
    wanted = select(ChangeTask).where(ChangeTask.change_order_id == order.id, ChangeTask.round == order.round)
    return list(session.scalars(wanted.order_by(ChangeTask.position)))


def holds_on(session: Session, *record_ids: str) -> list[ChangeHold]:
    """Return the marks that stand on records, oldest first."""
    wanted = select(ChangeHold).where(ChangeHold.about_id.in_(record_ids), ChangeHold.lifted_at.is_(None))
    return list(session.scalars(wanted.order_by(ChangeHold.placed_at, ChangeHold.id)))
