"""Change requests: somebody says what should change and why, with the edits that were refused (domain.md 2.22)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Login, Name, Note, Text, word
from records.transition import move_along, pairs


class RequestStatus(StrEnum):
    """The life of a change request."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    TRIAGED = "TRIAGED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    DUPLICATE = "DUPLICATE"
    DEFERRED = "DEFERRED"
    WITHDRAWN = "WITHDRAWN"


TRANSITIONS = pairs(
    "DRAFT>SUBMITTED|WITHDRAWN; SUBMITTED>TRIAGED|WITHDRAWN;"
    " TRIAGED>ACCEPTED|REJECTED|DUPLICATE|DEFERRED|WITHDRAWN; DEFERRED>TRIAGED|WITHDRAWN",
    RequestStatus,
)
"""DEFERRED>TRIAGED: what was put off is looked at again."""

OPEN = (RequestStatus.DRAFT, RequestStatus.SUBMITTED, RequestStatus.TRIAGED, RequestStatus.DEFERRED)
"""Statuses in which a request still waits for somebody."""


class RequestSource(StrEnum):
    """What a request comes from."""

    NCR = "NCR"
    CAPA = "CAPA"
    CUSTOMER = "CUSTOMER"
    SUPPLIER_NOTICE = "SUPPLIER_NOTICE"
    COST = "COST"
    OBSOLESCENCE = "OBSOLESCENCE"
    REGULATORY = "REGULATORY"
    DOC_ERROR = "DOC_ERROR"


class Urgency(StrEnum):
    """How soon it is needed. EMERGENCY asks for two people at once, before the board."""

    ROUTINE = "ROUTINE"
    URGENT = "URGENT"
    EMERGENCY = "EMERGENCY"


class OrderClass(StrEnum):
    """How deep a change order goes: C3 technical minor, C4 technical major, CE emergency (EIA-649)."""

    C3 = "C3"
    C4 = "C4"
    CE = "CE"


class ChangeRequest(Record, Base):
    """What somebody asks to be changed.

    source_ref: number of the document that it comes from (an NCR). proposed_class: None while nobody proposed one. originator: who
    asks, a principal. duplicate_of_id: the request that says the same. decided_by, decided_at, decision_reason: the triage.
    """

    __tablename__ = "change_request"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("(status = 'DUPLICATE') = (duplicate_of_id IS NOT NULL)", name="duplicate_names_its_twin"),
        CheckConstraint("duplicate_of_id IS NULL OR duplicate_of_id <> id", name="no_duplicate_of_itself"),
        Index("ix_change_request_status", "status"),
        Index("ix_change_request_duplicate_of_id", "duplicate_of_id"),
    )

    number: Mapped[Code]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    title: Mapped[Name]
    originator: Mapped[Login]
    source: Mapped[RequestSource] = word(RequestSource, "source", default=RequestSource.DOC_ERROR)
    source_ref: Mapped[Name] = mapped_column(default="")
    problem: Mapped[Note]
    proposal: Mapped[Note] = mapped_column(default="")
    urgency: Mapped[Urgency] = word(Urgency, "urgency", default=Urgency.ROUTINE)
    proposed_class: Mapped[OrderClass | None] = word(OrderClass, "proposed_class")
    status: Mapped[RequestStatus] = word(RequestStatus, "status", default=RequestStatus.DRAFT)
    duplicate_of_id: Mapped[Id | None] = mapped_column(ForeignKey("change_request.id"))
    submitted_at: Mapped[Instant | None]
    decided_by: Mapped[Login | None]
    decided_at: Mapped[Instant | None]
    decision_reason: Mapped[Text] = mapped_column(default="")

    site: Mapped[Site] = relationship()
    duplicate_of: Mapped[ChangeRequest | None] = relationship(remote_side="ChangeRequest.id")
    edits: Mapped[list[ChangeRequestEdit]] = relationship(
        back_populates="change_request", order_by="ChangeRequestEdit.position"
    )

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to decide about it."""
        return self.status in OPEN


class ChangeRequestEdit(Record, Base):
    """One edit that was asked for and kept word for word: nothing that somebody typed is lost.

    about: what people call the row, ``PO-5010 line 1``. old_text, new_text: canonical text, as it was when it was asked for.
    """

    __tablename__ = "change_request_edit"
    __table_args__ = (
        UniqueConstraint("change_request_id", "table_name", "row_id", "column_name"),
        UniqueConstraint("change_request_id", "position"),
        CheckConstraint("position > 0", name="position_from_one"),
        Index("ix_change_request_edit_row_id", "row_id"),
    )

    change_request_id: Mapped[Id] = mapped_column(ForeignKey("change_request.id"))
    position: Mapped[int]
    table_name: Mapped[Code]
    row_id: Mapped[Code]
    column_name: Mapped[Code]
    about: Mapped[Name] = mapped_column(default="")
    old_text: Mapped[Note | None]
    new_text: Mapped[Note | None]

    change_request: Mapped[ChangeRequest] = relationship(back_populates="edits")

    @property
    def number(self) -> str:
        """The request and the column."""
        return f"{self.change_request.number} {self.about} {self.column_name}"


def move_request(act: Act, request: ChangeRequest, to: RequestStatus, *, reason: str | None = None) -> ChangeRequest:
    """Move a request along 2.22, with who decided when. Raises: Conflict ILLEGAL_TRANSITION."""
    move_along(act, request, to, transitions=TRANSITIONS, reason=reason)
    if to is RequestStatus.SUBMITTED:
        request.submitted_at = act.now
    elif to is RequestStatus.TRIAGED:
        # What was put off is decided anew: the day of the former triage is in its history.
        request.decided_by = request.decided_at = None
    else:
        request.decided_by, request.decided_at = act.user_id or act.actor, act.now
        request.decision_reason = (reason or "")[:4000]
    act.session.flush()
    return request
