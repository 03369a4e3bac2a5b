"""What is known of suppliers beyond their approvals: screenings, sub-tiers, scores, first articles, changes, re-checks, stock.

Each fact is a row of its own with its day and its source, so that a rule can say what it was judged by. Facts are written once;
a newer one stands beside the older. Only sub-tiers and re-checks have a life, and an observation of stock has a newest state.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Quantity
from engine.errors import Forbidden
from engine.record import Record
from records.columns import Code, Day, Hash, Login, Name, Text, word
from records.part import Part
from records.purchase_order import PurchaseOrderLine
from records.supplier import Supplier, SupplierApproval, SupplierSite
from records.transition import move_along, pairs
from records.work_order import WorkOrder


class ScreeningResult(StrEnum):
    """What a look into sanctions and export lists found. POSSIBLE: a name alike, which somebody must rule out."""

    CLEAR = "CLEAR"
    POSSIBLE = "POSSIBLE"
    MATCH = "MATCH"


class SupplierScreening(Record, Base):
    """One look at the sanctions and export lists for a supplier (SUP-13). Written once; the newest day counts.

    source: which lists or service were asked. reference: the service's own number. source_system, source_event_id: the same event
    never makes a second row.
    """

    __tablename__ = "supplier_screening"
    __table_args__ = (
        UniqueConstraint("source_system", "source_event_id"),
        CheckConstraint("length(source) > 0", name="names_its_source"),
        CheckConstraint("result = 'CLEAR' OR length(note) > 0", name="a_hit_is_explained"),
        Index("ix_supplier_screening_supplier_id", "supplier_id", "screened_on"),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    screened_on: Mapped[Day]
    result: Mapped[ScreeningResult] = word(ScreeningResult, "result")
    source: Mapped[Name]
    reference: Mapped[Name] = mapped_column(default="")
    note: Mapped[Text] = mapped_column(default="")
    source_system: Mapped[Code]
    source_event_id: Mapped[Name]

    supplier: Mapped[Supplier] = relationship()

    @property
    def number(self) -> str:
        """Supplier and day."""
        return f"{self.supplier.supplier_no} {self.screened_on}"


class Declarant(StrEnum):
    """Who said that a sub-tier works for a supplier."""

    SUPPLIER = "SUPPLIER"
    BUYER = "BUYER"
    QUALITY = "QUALITY"


class SubTierStatus(StrEnum):
    """Whether a sub-tier may do the process. ENDED: the supplier uses it no more."""

    DECLARED = "DECLARED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    ENDED = "ENDED"


SUB_TIER_TRANSITIONS = pairs(
    "DECLARED>APPROVED|REFUSED|ENDED; APPROVED>REFUSED|ENDED; REFUSED>APPROVED|ENDED", SubTierStatus
)


class SubTier(Record, Base):
    """Who performs a process for a supplier, for all its work or for one approval or order line (SUP-08).

    sub_tier_supplier_id: where it is a supplier of ours too. spec: None for every specification. approval_id, order_line_id: what
    it is limited to. valid_to: the last day of the approval, inclusive. Never rewritten: another certificate is another row.
    """

    __tablename__ = "sub_tier"
    __table_args__ = (
        UniqueConstraint("source_system", "source_event_id"),
        CheckConstraint("length(name) > 0", name="is_named"),
        CheckConstraint("status <> 'APPROVED' OR approved_signature_id IS NOT NULL", name="approved_is_signed"),
        CheckConstraint("sub_tier_supplier_id IS NULL OR sub_tier_supplier_id <> supplier_id", name="is_another"),
        Index("ix_sub_tier_supplier_id", "supplier_id"),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    sub_tier_supplier_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier.id"))
    name: Mapped[Name]
    address: Mapped[Text] = mapped_column(default="")
    process_code: Mapped[Code] = mapped_column(ForeignKey("outside_process.code"))
    spec: Mapped[Code | None]
    approval_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier_approval.id"))
    order_line_id: Mapped[Id | None] = mapped_column(ForeignKey("purchase_order_line.id"))
    certificate_no: Mapped[Code | None]
    valid_to: Mapped[Day | None]
    declarant: Mapped[Declarant] = word(Declarant, "declarant")
    declared_on: Mapped[Day]
    note: Mapped[Text] = mapped_column(default="")
    status: Mapped[SubTierStatus] = word(SubTierStatus, "status", default=SubTierStatus.DECLARED)
    approved_signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))
    source_system: Mapped[Code]
    source_event_id: Mapped[Name]

    supplier: Mapped[Supplier] = relationship(foreign_keys=[supplier_id])
    sub_tier_supplier: Mapped[Supplier | None] = relationship(foreign_keys=[sub_tier_supplier_id])
    approval: Mapped[SupplierApproval | None] = relationship()
    order_line: Mapped[PurchaseOrderLine | None] = relationship()

    @property
    def number(self) -> str:
        """Supplier, sub-tier and process, ``S-0007 by Acme Plating, PLATING``."""
        return f"{self.supplier.supplier_no} by {self.name}, {self.process_code}"

    def is_approved_on(self, day: dt.date) -> bool:
        """Whether it may do the process on a day."""
        return self.status is SubTierStatus.APPROVED and (self.valid_to is None or day <= self.valid_to)


class Grade(StrEnum):
    """What a score means. TOO_FEW: the window holds too little to say anything."""

    GOOD = "GOOD"
    LOW = "LOW"
    TOO_FEW = "TOO_FEW"


class SupplierScore(Record, Base):
    """How well a supplier delivered over a window of days, and the counts that it was made of (SUP-10). Written once.

    ppm: rejected pieces per million that came; on_time_percent: deliveries within the promised days; None where none came. judged_by,
    rule_row: of the table that graded it.
    """

    __tablename__ = "supplier_score"
    __table_args__ = (
        CheckConstraint("window_to >= window_from", name="window_in_order"),
        CheckConstraint("pieces_rejected BETWEEN 0 AND pieces_received", name="rejected_within_received"),
        CheckConstraint("deliveries = early + on_time + late", name="deliveries_add_up"),
        Index("ix_supplier_score_supplier_id", "supplier_id", "scored_on"),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    scored_on: Mapped[Day]
    window_from: Mapped[Day]
    window_to: Mapped[Day]
    pieces_received: Mapped[Quantity] = mapped_column(default=Decimal(0))
    pieces_rejected: Mapped[Quantity] = mapped_column(default=Decimal(0))
    ppm: Mapped[Quantity | None]
    deliveries: Mapped[int] = mapped_column(default=0)
    early: Mapped[int] = mapped_column(default=0)
    on_time: Mapped[int] = mapped_column(default=0)
    late: Mapped[int] = mapped_column(default=0)
    worst_days_late: Mapped[int] = mapped_column(default=0)
    on_time_percent: Mapped[Quantity | None]
    grade: Mapped[Grade] = word(Grade, "grade")
    judged_by: Mapped[Hash]
    rule_row: Mapped[int]

    supplier: Mapped[Supplier] = relationship()

    @property
    def number(self) -> str:
        """Supplier and day."""
        return f"{self.supplier.supplier_no} {self.scored_on}"


class ArticleCause(StrEnum):
    """Why a first article is to be decided about (SUP-11)."""

    NEW_SOURCE = "NEW_SOURCE"
    NEW_SITE = "NEW_SITE"
    GAP = "GAP"
    PROCESS_CHANGE = "PROCESS_CHANGE"


class ArticleScope(StrEnum):
    """How much of a first article inspection is asked for. NONE: decided that none is, with a reason."""

    FULL = "FULL"
    DELTA = "DELTA"
    NONE = "NONE"


class FirstArticleDecision(Record, Base):
    """What quality decided about a first article of a part or process from a supplier, at a site. Written once; the newest counts."""

    __tablename__ = "first_article_decision"
    __table_args__ = (
        CheckConstraint("(part_id IS NULL) <> (process_code IS NULL)", name="of_a_part_or_a_process"),
        CheckConstraint("length(reason) > 0", name="has_a_reason"),
        Index("ix_first_article_decision_supplier_id", "supplier_id"),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    supplier_site_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier_site.id"))
    part_id: Mapped[Id | None] = mapped_column(ForeignKey("part.id"))
    process_code: Mapped[Code | None] = mapped_column(ForeignKey("outside_process.code"))
    cause: Mapped[ArticleCause] = word(ArticleCause, "cause")
    scope: Mapped[ArticleScope] = word(ArticleScope, "scope")
    reason: Mapped[Text]
    decided_on: Mapped[Day]
    decided_by: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))

    supplier: Mapped[Supplier] = relationship()
    supplier_site: Mapped[SupplierSite | None] = relationship()
    part: Mapped[Part | None] = relationship()

    @property
    def subject(self) -> str:
        """The part or the process."""
        return self.part.part_no if self.part is not None else self.process_code or ""

    @property
    def number(self) -> str:
        """Supplier and subject."""
        return f"{self.supplier.supplier_no} {self.subject}"


class ChangeKind(StrEnum):
    """What a supplier changed."""

    PROCESS = "PROCESS"
    SITE = "SITE"
    MATERIAL = "MATERIAL"
    SUB_TIER = "SUB_TIER"


class SupplierChangeNotice(Record, Base):
    """A supplier's notice that it changed how it works (AS9100 8.4.3). Written once.

    supplier_site_id, part_id, process_code: what it is limited to, None for all. effective_on: the first day on which it may differ.
    """

    __tablename__ = "supplier_change_notice"
    __table_args__ = (
        UniqueConstraint("source_system", "source_event_id"),
        CheckConstraint("length(statement) > 0", name="says_what"),
        Index("ix_supplier_change_notice_supplier_id", "supplier_id"),
    )

    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    supplier_site_id: Mapped[Id | None] = mapped_column(ForeignKey("supplier_site.id"))
    kind: Mapped[ChangeKind] = word(ChangeKind, "kind")
    part_id: Mapped[Id | None] = mapped_column(ForeignKey("part.id"))
    process_code: Mapped[Code | None] = mapped_column(ForeignKey("outside_process.code"))
    noticed_on: Mapped[Day]
    effective_on: Mapped[Day]
    statement: Mapped[Text]
    source_system: Mapped[Code]
    source_event_id: Mapped[Name]

    supplier: Mapped[Supplier] = relationship()
    supplier_site: Mapped[SupplierSite | None] = relationship()
    part: Mapped[Part | None] = relationship()

    @property
    def number(self) -> str:
        """Supplier and day."""
        return f"{self.supplier.supplier_no} {self.noticed_on}"


class RecheckStatus(StrEnum):
    """Whether a certificate was looked up again, and what its issuer said."""

    DUE = "DUE"
    CONFIRMED = "CONFIRMED"
    REFUTED = "REFUTED"


RECHECK_TRANSITIONS = pairs("DUE>CONFIRMED|REFUTED", RecheckStatus)


class ApprovalRecheck(Record, Base):
    """The task to look a certificate up again at whoever issued it, once a year (SUP-05). What was found is written once."""

    __tablename__ = "approval_recheck"
    __table_args__ = (
        UniqueConstraint("approval_id", "due_on"),
        CheckConstraint("(status = 'DUE') = (done_by IS NULL)", name="done_by_somebody"),
        CheckConstraint("(done_by IS NULL) = (done_on IS NULL)", name="done_on_a_day"),
        CheckConstraint("status = 'DUE' OR length(note) > 0", name="says_what_was_found"),
        Index("ix_approval_recheck_status", "status"),
    )

    approval_id: Mapped[Id] = mapped_column(ForeignKey("supplier_approval.id"))
    due_on: Mapped[Day]
    status: Mapped[RecheckStatus] = word(RecheckStatus, "status", default=RecheckStatus.DUE)
    done_by: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    done_on: Mapped[Day | None]
    note: Mapped[Text] = mapped_column(default="")

    approval: Mapped[SupplierApproval] = relationship()

    @property
    def number(self) -> str:
        """The approval and the day."""
        return f"{self.approval.number} {self.due_on}"


class ObservedStock(Record, Base):
    """Pieces of a work order that another system sees at a supplier's place. The newest observation of a row counts.

    system, native_id: the row's name there. work_order_number: as that system says it; work_order_id: ours, where it is known. An
    observation writes nothing but itself.
    """

    __tablename__ = "observed_stock"
    __table_args__ = (
        UniqueConstraint("system", "native_id"),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        Index("ix_observed_stock_work_order_id", "work_order_id"),
        Index("ix_observed_stock_supplier_id", "supplier_id"),
    )

    system: Mapped[Code]
    native_id: Mapped[Name]
    supplier_id: Mapped[Id] = mapped_column(ForeignKey("supplier.id"))
    location: Mapped[Name]
    work_order_number: Mapped[Name]
    work_order_id: Mapped[Id | None] = mapped_column(ForeignKey("work_order.id"))
    item: Mapped[Name] = mapped_column(default="")
    quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    observed_at: Mapped[Instant]

    supplier: Mapped[Supplier] = relationship()
    work_order: Mapped[WorkOrder | None] = relationship()

    @property
    def number(self) -> str:
        """The row's name in its system."""
        return f"{self.system} {self.native_id}"


def move_sub_tier(
    act: Act, sub_tier: SubTier, to: SubTierStatus, *, reason: str | None = None, signature_id: str | None = None
) -> SubTier:
    """Move a sub-tier along its life.

    Raises: Forbidden SIGNATURE_REQUIRED for APPROVED without quality's signature; Conflict ILLEGAL_TRANSITION.
    """
    if to is SubTierStatus.APPROVED:
        if signature_id is None:
            raise Forbidden(
                f"Expected a signature of quality on the sub-tier {sub_tier.number}, but there is none",
                code="SIGNATURE_REQUIRED",
            )
        sub_tier.approved_signature_id = signature_id
    move_along(act, sub_tier, to, transitions=SUB_TIER_TRANSITIONS, reason=reason)
    return sub_tier


def finish_recheck(
    act: Act, recheck: ApprovalRecheck, to: RecheckStatus, *, done_on: dt.date, note: str
) -> ApprovalRecheck:
    """Write down what a re-check found and who looked. Raises: Conflict ILLEGAL_TRANSITION."""
    move_along(act, recheck, to, transitions=RECHECK_TRANSITIONS, reason=note)
    recheck.done_by, recheck.done_on, recheck.note = act.user_id, done_on, note
    return recheck
