"""Outside processing: which operation's pieces are allocated to which order line, and every movement of them.

The balance *shipped = good + scrap + lost + recalled + at the supplier* holds at every instant: the counters of a link
are the sums of its movements, kept by the database with each movement and refused with anything else.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Quantity
from engine.errors import Conflict, Invalid, NotFound
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Codes, Day, Login, Name, Text, word
from records.part import PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.transition import following, illegal, move_along, pairs
from records.work_order import WorkOrderOperation


class LinkStatus(StrEnum):
    """The life of a link (domain.md 2.35)."""

    PROPOSED = "PROPOSED"
    PO_LINKED = "PO_LINKED"
    READY_TO_SHIP = "READY_TO_SHIP"
    AT_SUPPLIER = "AT_SUPPLIER"
    PART_RETURNED = "PART_RETURNED"
    RETURNED = "RETURNED"
    VERIFIED = "VERIFIED"
    CLOSED = "CLOSED"
    RECALLED = "RECALLED"
    CANCELLED = "CANCELLED"
    HOLD = "HOLD"


FINAL = frozenset({LinkStatus.CLOSED, LinkStatus.CANCELLED})
BEFORE_SHIPPING = frozenset({LinkStatus.PROPOSED, LinkStatus.PO_LINKED, LinkStatus.READY_TO_SHIP})
AWAY = frozenset({LinkStatus.AT_SUPPLIER, LinkStatus.PART_RETURNED})
"""Statuses in which pieces may leave for, and come back from, the supplier."""

ADVANCES = pairs(
    "PROPOSED>PO_LINKED|CANCELLED; PO_LINKED>READY_TO_SHIP|CANCELLED; READY_TO_SHIP>AT_SUPPLIER|PO_LINKED|CANCELLED;"
    " AT_SUPPLIER>PART_RETURNED|RETURNED|RECALLED|READY_TO_SHIP; PART_RETURNED>RETURNED|RECALLED|AT_SUPPLIER;"
    " RETURNED>VERIFIED|PART_RETURNED|AT_SUPPLIER; VERIFIED>CLOSED|RETURNED; RECALLED>CLOSED|AT_SUPPLIER",
    LinkStatus,
)
"""Back to READY_TO_SHIP when a shipment is undone before the carrier took it; back to the supplier for rework."""

TRANSITIONS = ADVANCES | {
    pair
    for status in LinkStatus
    if status not in FINAL and status is not LinkStatus.HOLD
    for pair in ((status, LinkStatus.HOLD), (LinkStatus.HOLD, status))
}


class LinkRole(StrEnum):
    """What an order line does for an operation. Only pieces under OSP leave the house and come back."""

    OSP = "OSP"
    MATERIAL = "MATERIAL"
    TOOL = "TOOL"
    SERVICE = "SERVICE"


class MovementKind(StrEnum):
    """What happened to pieces of a link."""

    SHIP_OUT = "SHIP_OUT"
    RETURN_GOOD = "RETURN_GOOD"
    RETURN_SCRAP = "RETURN_SCRAP"
    DECLARED_LOST = "DECLARED_LOST"
    RECALL = "RECALL"


COUNTERS = {
    MovementKind.SHIP_OUT: "shipped",
    MovementKind.RETURN_GOOD: "good",
    MovementKind.RETURN_SCRAP: "scrap",
    MovementKind.DECLARED_LOST: "lost",
    MovementKind.RECALL: "recalled",
}
"""Which counter of a link each kind of movement adds to."""


class Direction(StrEnum):
    """Which way a serial number went."""

    OUT = "OUT"
    BACK = "BACK"


class OutsideLink(Record, Base):
    """Pieces of one operation that one order line processes.

    allocated_quantity and the counters: in ``uom``, the operation's unit. conversion_factor: units of the order line for
    one of ``uom``. part_revision, spec, spec_rev, process_code: of the operation when it was linked. source_until: last
    day of the supplier's approval. held_from: the status a hold goes back to.
    """

    __tablename__ = "outside_link"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("allocated_quantity > 0", name="allocation_positive"),
        CheckConstraint("conversion_factor > 0", name="conversion_factor_positive"),
        CheckConstraint("shipped = good + scrap + lost + recalled + at_supplier", name="balance"),
        CheckConstraint("shipped >= 0", name="shipped_not_negative"),
        CheckConstraint("good >= 0", name="good_not_negative"),
        CheckConstraint("scrap >= 0", name="scrap_not_negative"),
        CheckConstraint("lost >= 0", name="lost_not_negative"),
        CheckConstraint("recalled >= 0", name="recalled_not_negative"),
        CheckConstraint("at_supplier >= 0", name="at_supplier_not_negative"),
        CheckConstraint("shipped - recalled <= allocated_quantity", name="shipped_within_allocation"),
        CheckConstraint(
            "status NOT IN ('RETURNED', 'VERIFIED', 'CLOSED', 'RECALLED') OR at_supplier = 0", name="back_is_back"
        ),
        CheckConstraint(
            "status NOT IN ('PROPOSED', 'PO_LINKED', 'READY_TO_SHIP', 'CANCELLED') OR shipped = 0",
            name="nothing_left_before_shipping",
        ),
        CheckConstraint(
            "(status = 'HOLD') = (held_from IS NOT NULL) AND (held_from IS NULL) = (hold_reason IS NULL)",
            name="hold_has_a_reason",
        ),
        Index("ix_outside_link_operation_id", "operation_id"),
        Index("ix_outside_link_order_line_id", "order_line_id"),
        Index("ix_outside_link_status", "status"),
    )

    number: Mapped[Code]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    operation_id: Mapped[Id] = mapped_column(ForeignKey("work_order_operation.id"))
    order_line_id: Mapped[Id] = mapped_column(ForeignKey("purchase_order_line.id"))
    role: Mapped[LinkRole] = word(LinkRole, "role", default=LinkRole.OSP)
    part_revision_id: Mapped[Id | None] = mapped_column(ForeignKey("part_revision.id"))
    process_code: Mapped[Code | None] = mapped_column(ForeignKey("outside_process.code"))
    spec: Mapped[Code | None]
    spec_rev: Mapped[Code | None]
    is_special: Mapped[bool] = mapped_column(default=False)
    allocated_quantity: Mapped[Quantity]
    uom: Mapped[Code] = mapped_column(default="EA")
    conversion_factor: Mapped[Quantity] = mapped_column(default=Decimal(1))
    need_by: Mapped[Day | None]
    return_by: Mapped[Day | None]
    source_until: Mapped[Day | None]
    coupon_plan: Mapped[Text] = mapped_column(default="")
    status: Mapped[LinkStatus] = word(LinkStatus, "status", default=LinkStatus.PROPOSED)
    held_from: Mapped[LinkStatus | None] = word(LinkStatus, "held_from")
    hold_rule: Mapped[Code | None]
    hold_reason: Mapped[Text | None]
    hold_owner: Mapped[Login | None]
    shipped: Mapped[Quantity] = mapped_column(default=Decimal(0))
    good: Mapped[Quantity] = mapped_column(default=Decimal(0))
    scrap: Mapped[Quantity] = mapped_column(default=Decimal(0))
    lost: Mapped[Quantity] = mapped_column(default=Decimal(0))
    recalled: Mapped[Quantity] = mapped_column(default=Decimal(0))
    at_supplier: Mapped[Quantity] = mapped_column(default=Decimal(0))

    site: Mapped[Site] = relationship()
    operation: Mapped[WorkOrderOperation] = relationship()
    order_line: Mapped[PurchaseOrderLine] = relationship()
    part_revision: Mapped[PartRevision | None] = relationship()
    movements: Mapped[list[OutsideMovement]] = relationship(
        back_populates="link", order_by="(OutsideMovement.created_at, OutsideMovement.id)"
    )

    @property
    def order(self) -> PurchaseOrder:
        """The order that the pieces are processed under."""
        return self.order_line.order

    @property
    def standing(self) -> LinkStatus:
        """How far it is, a hold apart."""
        return self.held_from or self.status

    @property
    def to_ship(self) -> Decimal:
        """What is allocated and has not left yet, or was called back, in ``uom``."""
        return self.allocated_quantity - self.shipped + self.recalled

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.status not in FINAL


class OutsideMovement(Record, Base):
    """One movement of pieces; written once, corrected by a negative row that names what it takes back.

    quantity: in ``uom`` of the link, negative exactly when ``reverses_id`` is set. event_id: the sender's; a second
    delivery moves nothing. order_revision: of the order that stood when it happened. documents: numbers of papers that
    went with it. receipt_id: what receiving booked for it.
    """

    __tablename__ = "outside_movement"
    __table_args__ = (
        UniqueConstraint("event_id"),
        CheckConstraint("quantity <> 0", name="quantity_not_zero"),
        CheckConstraint("(quantity < 0) = (reverses_id IS NOT NULL)", name="negative_takes_back"),
        CheckConstraint("kind <> 'DECLARED_LOST' OR length(statement) > 0", name="lost_with_a_statement"),
        CheckConstraint("reverses_id IS NULL OR length(reason) > 0", name="taken_back_for_a_reason"),
        Index("ix_outside_movement_link_id", "link_id", "kind"),
        Index("ix_outside_movement_packing_list_no", "packing_list_no"),
    )

    link_id: Mapped[Id] = mapped_column(ForeignKey("outside_link.id"))
    event_id: Mapped[Name]
    kind: Mapped[MovementKind] = word(MovementKind, "kind")
    quantity: Mapped[Quantity]
    moved_on: Mapped[Day]
    order_revision: Mapped[int] = mapped_column(default=0)
    packing_list_no: Mapped[Code | None]
    carrier: Mapped[Name] = mapped_column(default="")
    documents: Mapped[Codes] = mapped_column(default=())
    lots: Mapped[Codes] = mapped_column(default=())
    statement: Mapped[Text] = mapped_column(default="")
    reason: Mapped[Text] = mapped_column(default="")
    reverses_id: Mapped[Id | None] = mapped_column(ForeignKey("outside_movement.id"))
    receipt_id: Mapped[Id | None]

    link: Mapped[OutsideLink] = relationship(back_populates="movements")
    serials: Mapped[list[OutsideSerial]] = relationship(back_populates="movement", order_by="OutsideSerial.serial")

    @property
    def number(self) -> str:
        """The packing list it went with, or the event that told of it."""
        return self.packing_list_no or self.event_id

    @property
    def is_outward(self) -> bool:
        """Whether pieces went to the supplier: a shipment, or something returned that was sent again."""
        return (self.kind is MovementKind.SHIP_OUT) == (self.quantity > 0)


class OutsideSerial(Record, Base):
    """A serial number that went with a movement. Only what left may come back, and only what is here may leave."""

    __tablename__ = "outside_serial"
    __table_args__ = (
        UniqueConstraint("movement_id", "serial"),
        CheckConstraint("length(serial) > 0", name="serial_not_empty"),
        Index("ix_outside_serial_link_id", "link_id", "serial"),
    )

    movement_id: Mapped[Id] = mapped_column(ForeignKey("outside_movement.id"))
    link_id: Mapped[Id] = mapped_column(ForeignKey("outside_link.id"))
    serial: Mapped[Code]
    direction: Mapped[Direction] = word(Direction, "direction")

    movement: Mapped[OutsideMovement] = relationship(back_populates="serials")

    @property
    def number(self) -> str:
        """The serial number."""
        return self.serial


class OutsideSight(Base):
    """What was last seen of the world around an open link, so that what changed in it is told to its flow once."""

    __tablename__ = "outside_sight"

    link_id: Mapped[Id] = mapped_column(ForeignKey("outside_link.id"), primary_key=True)
    seen: Mapped[Text]


def move(act: Act, link: OutsideLink, to: LinkStatus, *, reason: str | None = None) -> OutsideLink:
    """Move a link along 2.35; on a link that is on hold, what it goes back to moves.

    Raises: Conflict ILLEGAL_TRANSITION, also for holds, which have their own verbs ``hold`` and ``lift_hold``.
    """
    if to is LinkStatus.HOLD:
        raise illegal(link, to, following(link.standing, ADVANCES))
    if link.status is not LinkStatus.HOLD:
        move_along(act, link, to, transitions=ADVANCES, reason=reason)
    elif (link.standing, to) not in ADVANCES:
        raise illegal(link, to, following(link.standing, ADVANCES))
    else:
        act.session.flush()
        link.held_from = to
    act.session.flush()
    return link


def hold(act: Act, link: OutsideLink, *, rule: str, reason: str, owner: str) -> OutsideLink:
    """Stop the next physical or financial step of a link. owner: the principal who may lift it.

    A link that is held already keeps its first reason, and hears the new one in its chain.
    """
    if not reason.strip():
        raise Invalid("Expected a reason for the hold, but there is none", {"reason": "is required"})
    if link.status is LinkStatus.HOLD:
        act.note(link.record_type, link.id, "HELD_AGAIN", field=rule, new=reason)
        return link
    before = link.status
    move_along(act, link, LinkStatus.HOLD, transitions=TRANSITIONS, reason=reason)
    link.held_from, link.hold_rule, link.hold_reason, link.hold_owner = before, rule, reason, owner
    act.session.flush()
    return link


def lift_hold(act: Act, link: OutsideLink, *, reason: str) -> OutsideLink:
    """Let a link go on from where it stands. Who may is for the caller to ask. Raises: Conflict when it is not held."""
    if link.status is not LinkStatus.HOLD or link.held_from is None:
        raise Conflict(f"Expected {link.number} to be on hold, but it is {link.status}", code="ILLEGAL_TRANSITION")
    move_along(act, link, link.held_from, transitions=TRANSITIONS, reason=reason)
    link.held_from = link.hold_rule = link.hold_reason = link.hold_owner = None
    act.session.flush()
    return link


def locked(act: Act, link: OutsideLink) -> OutsideLink:
    """Return the link with its counters as they are now; nobody else moves its pieces until this act ends."""
    act.session.flush()
    wanted = select(OutsideLink).where(OutsideLink.id == link.id).with_for_update()
    return act.session.scalars(wanted.execution_options(populate_existing=True)).one()


def movement_called(session: Session, event_id: str) -> OutsideMovement | None:
    """Return the movement that an event told of, or None when it is news."""
    return session.scalar(select(OutsideMovement).where(OutsideMovement.event_id == event_id))


def serials_away(session: Session, link: OutsideLink) -> list[str]:
    """Return the serial numbers that left under a link and did not come back, sorted."""
    rows = session.scalars(select(OutsideSerial).where(OutsideSerial.link_id == link.id))
    away: dict[str, int] = {}
    for row in rows:
        away[row.serial] = away.get(row.serial, 0) + (1 if row.direction is Direction.OUT else -1)
    return sorted(serial for serial, count in away.items() if count > 0)


def record_movement(
    act: Act,
    link: OutsideLink,
    kind: MovementKind,
    quantity: Decimal,
    *,
    event_id: str,
    moved_on: dt.date,
    serials: tuple[str, ...] = (),
    takes_back: OutsideMovement | None = None,
    packing_list_no: str | None = None,
    carrier: str = "",
    documents: tuple[str, ...] = (),
    lots: tuple[str, ...] = (),
    statement: str = "",
    reason: str = "",
) -> OutsideMovement:
    """Write one movement and the counters it changes; the link must be ``locked``.

    quantity: above 0, in the link's unit, also for what takes back: the row is negative then.
    Raises: Conflict CON-13 when more comes back than is away, or a serial number that never left.
    """
    if quantity <= 0:
        raise Invalid(f"Expected a quantity above 0, but found {quantity}", {"quantity": "must be above 0"})
    is_outward = (kind is MovementKind.SHIP_OUT) == (takes_back is None)
    _refuse_impossible(act, link, quantity, serials, is_outward=is_outward)
    movement = OutsideMovement(
        link=link, link_id=link.id, event_id=event_id, kind=kind, quantity=-quantity if takes_back else quantity,
        moved_on=moved_on, order_revision=link.order.revision, packing_list_no=packing_list_no, carrier=carrier,
        documents=documents, lots=lots, statement=statement, reason=reason,
        reverses_id=takes_back.id if takes_back is not None else None,
    )  # fmt: skip
    act.session.add(movement)
    act.session.flush()
    way = Direction.OUT if is_outward else Direction.BACK
    for serial in serials:
        movement.serials.append(OutsideSerial(link_id=link.id, serial=serial, direction=way))
    counter = COUNTERS[kind]
    setattr(link, counter, getattr(link, counter) + movement.quantity)
    link.at_supplier = link.shipped - link.good - link.scrap - link.lost - link.recalled
    act.session.flush()
    return movement


def _refuse_impossible(
    act: Act, link: OutsideLink, count: Decimal, serials: tuple[str, ...], *, is_outward: bool
) -> None:
    about = (link.record_type, link.id)
    if len(set(serials)) != len(serials):
        raise Invalid("Expected each serial number once, but one is there twice", {"serials": "one is there twice"})
    if serials and Decimal(len(serials)) != count:
        raise Invalid(
            f"Expected a serial number for each of {count.normalize():f} pieces, but there are {len(serials)}",
            {"serials": f"{len(serials)} for {count.normalize():f} pieces"},
        )
    away = set(serials_away(act.session, link))
    if is_outward:
        if twice := sorted(set(serials) & away):
            raise Conflict(
                f"Expected {', '.join(twice)} to be here, but it is at the supplier under {link.number}",
                code="CON-13", record=about,
            )  # fmt: skip
        return
    if count > link.at_supplier:
        raise Conflict(
            f"Expected at most {link.at_supplier.normalize():f} {link.uom} back under {link.number}, because "
            f"{link.shipped.normalize():f} left and the rest is accounted for, but {count.normalize():f} came",
            code="CON-13", record=about, keep=True,
        )  # fmt: skip
    if unknown := sorted(set(serials) - away):
        raise Conflict(
            f"Expected serial numbers that left under {link.number}, but {', '.join(unknown)} did not",
            code="CON-13", record=about, keep=True,
        )  # fmt: skip
    if away and not serials:
        raise Invalid(
            f"Expected the serial numbers of what comes back, because {link.number} left with serial numbers",
            {"serials": "are required"},
        )


def links_of_operation(session: Session, operation_id: str) -> list[OutsideLink]:
    """Return the links of an operation, oldest first."""
    wanted = select(OutsideLink).where(OutsideLink.operation_id == operation_id)
    return list(session.scalars(wanted.order_by(OutsideLink.created_at, OutsideLink.number)))


def links_of_line(session: Session, order_line_id: str) -> list[OutsideLink]:
    """Return the links of an order line, oldest first."""
    wanted = select(OutsideLink).where(OutsideLink.order_line_id == order_line_id)
    return list(session.scalars(wanted.order_by(OutsideLink.created_at, OutsideLink.number)))


def link_called(session: Session, number: str) -> OutsideLink:
    """Return the link with a number, or with an id. Raises NotFound."""
    found = session.scalar(select(OutsideLink).where(OutsideLink.number == number))
    if found is None:
        raise NotFound(f"Expected a link called {number:.40}, but there is none")
    return found
