"""The buyer's desk: orders by state, and what is late or about to end, each with whose turn it is and what to do.

Everything is read with a fixed number of statements, whatever the size of the plant: a section counts in one and shows its first
rows in another. The conditions ``unanswered`` and ``late`` are those of the list of orders, too, so that counts and lists agree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.orm import Session, joinedload, selectinload

from engine.stored.task import Task, TaskState
from processes.approval_expiry import GIVEN
from processes.quoting import last_day
from records.amendment import AmendmentStatus, PurchaseOrderAmendment
from records.calendar import MAIN, Site, working_day
from records.part import PartRevision
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.quotation import Invitation, RequestForQuotation, RequestStatus
from records.sourcing import SourcingKind, SourcingRef
from records.supplier import Supplier, SupplierApproval
from rules.policy import table_called

SHOWN = 20
"""Rows that a section shows; its count says how many there are."""

ANSWER_STEPS = ("record_acknowledgement", "record_amendment_answer")
"""Steps that wait for what a supplier says to an order, or to its amendment."""

WITH_SUPPLIER = frozenset({OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED})
COMING = (LineStatus.OPEN, LineStatus.PART_RCVD)
USABLE = (OrderStatus.APPROVED, OrderStatus.APPROVED_NOT_TRANSMITTED)
"""Statuses in which an order's own approval may still run out."""


class Way(StrEnum):
    """What one presses: where a row leads to."""

    ANSWER = "ANSWER"
    ORDER = "ORDER"
    SUPPLIER = "SUPPLIER"
    REQUEST = "REQUEST"
    AGREEMENT = "AGREEMENT"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row. days: late when above 0, left when below, None where no day is set; turn: the principal who moves next; press: in words."""

    number: str
    record_id: str
    what: str
    party: str
    on: dt.date | None
    days: int | None
    turn: str
    press: str
    way: Way


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the desk. total: rows there are; rows: the first ``SHOWN``, the most urgent first."""

    name: str
    total: int
    rows: Sequence[Waiting]


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything at one instant. states: orders by status, in the order of their life; buyer: whose orders, None for all."""

    buyer: str | None
    states: Mapping[OrderStatus, int]
    sections: Sequence[Section]


@dataclass(frozen=True, slots=True)
class Today:
    """The day at the plant and how far one looks ahead. unanswered_before: sent before it, an order should have been answered."""

    now: dt.datetime
    on: dt.date
    until: dt.date
    percent_left: int
    unanswered_before: dt.datetime


def today(session: Session, now: dt.datetime) -> Today:
    """Return what the desk is judged by: the table of horizons, and the days a supplier has to answer."""
    horizons = table_called("purchasing_horizons").judge(site=MAIN).row.outputs
    patience = int(table_called("timers").judge(priority="NORMAL").row.outputs["ack_remind"])
    site = session.scalar(select(Site).where(Site.code == MAIN).options(selectinload(Site.holidays)))
    on = now.date() if site is None else site.local_day(now)
    sent = now - dt.timedelta(days=patience) if site is None else _sent_before(site, now, patience)
    return Today(
        now, on, on + dt.timedelta(days=int(horizons["days_ahead"])), int(horizons["percent_left"]), sent
    )  # fmt: skip


def _sent_before(site: Site, now: dt.datetime, patience: int) -> dt.datetime:
    """Return the instant before which an order was sent that should be answered by now: so many working days ago."""
    local = now.astimezone(site.zone)
    day = local.date()
    while working_day(site, day, later=patience) > local.date():
        day -= dt.timedelta(days=1)
    return dt.datetime.combine(day, local.time(), site.zone).astimezone(dt.UTC)


def desk_of(session: Session, buyer: str | None, *, now: dt.datetime, shown: int = SHOWN) -> Desk:
    """Return the desk of one buyer, None for everybody's."""
    at = today(session, now)
    mine = true() if buyer is None else PurchaseOrder.buyer_id == buyer
    sections = (
        _unanswered(session, mine, at, shown), _late(session, mine, at, shown), _own_approvals(session, mine, at, shown),
        _supplier_approvals(session, at, shown), _certificates(session, at, shown), _requests(session, buyer, at, shown),
        _agreements(session, at, shown),
    )  # fmt: skip
    return Desk(buyer, _states(session, mine), sections)


def _states(session: Session, mine: ColumnElement[bool]) -> Mapping[OrderStatus, int]:
    wanted = select(PurchaseOrder.status, func.count()).where(mine).group_by(PurchaseOrder.status)
    counted: dict[OrderStatus, int] = dict(session.execute(wanted).all())
    return {status: counted[status] for status in OrderStatus if status in counted}


def unanswered(at: Today) -> ColumnElement[bool]:
    """Return the condition that a supplier should have answered an order, or its amendment, by now."""
    waits = (Task.state == TaskState.OPEN) & Task.element_id.in_(ANSWER_STEPS)
    of_order = (Task.record_id == cast(PurchaseOrder.id, String)) & (Task.record_type == "purchase_order")
    changing = exists().where(
        PurchaseOrderAmendment.order_id == PurchaseOrder.id, PurchaseOrderAmendment.status == AmendmentStatus.SENT,
        Task.record_id == cast(PurchaseOrderAmendment.id, String), waits, Task.due_at < at.now,
    )  # fmt: skip
    alone = and_(
        PurchaseOrder.status == OrderStatus.TRANSMITTED, PurchaseOrder.transmitted_at <= at.unanswered_before,
        ~exists().where(of_order, waits),
    )  # fmt: skip
    return or_(exists().where(of_order, waits, Task.due_at < at.now), changing, alone)


def _day_due() -> ColumnElement[Any]:
    return type_coerce(func.coalesce(PurchaseOrderLine.promised_on, PurchaseOrderLine.need_by), Date)


def late_line(at: Today) -> ColumnElement[bool]:
    """Return the condition that something on a line (of an order that the supplier has) should have come before today."""
    return and_(PurchaseOrderLine.status.in_(COMING), _day_due() < at.on, PurchaseOrder.status.in_(WITH_SUPPLIER))


def late(at: Today) -> ColumnElement[bool]:
    """Return the condition that something on an order should have come before today."""
    return exists().where(PurchaseOrderLine.order_id == PurchaseOrder.id, late_line(at))


def _count(session: Session, wanted: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(wanted.order_by(None).subquery())) or 0


def _unanswered(session: Session, mine: ColumnElement[bool], at: Today, shown: int) -> Section:
    ids = select(PurchaseOrder.id).where(mine, unanswered(at))
    wanted = select(PurchaseOrder).where(PurchaseOrder.id.in_(ids)).options(joinedload(PurchaseOrder.supplier))
    orders = list(session.scalars(wanted.order_by(PurchaseOrder.transmitted_at, PurchaseOrder.id).limit(shown)))
    tasks = _answer_tasks(session, [order.id for order in orders])
    rows = [_unanswered_row(order, tasks.get(order.id), at) for order in orders]
    rows.sort(key=lambda row: -(row.days or 0))
    return Section("unanswered", _count(session, ids), rows)


def _answer_tasks(session: Session, order_ids: Sequence[str]) -> dict[str, Task]:
    """Return the task that waits for the supplier's answer, by order."""
    about = func.coalesce(cast(PurchaseOrderAmendment.order_id, String), Task.record_id)
    wanted = (
        select(about, Task)
        .outerjoin(PurchaseOrderAmendment, cast(PurchaseOrderAmendment.id, String) == Task.record_id)
        .where(Task.state == TaskState.OPEN, Task.element_id.in_(ANSWER_STEPS), about.in_(order_ids))
    )
    return {str(order_id): task for order_id, task in session.execute(wanted.order_by(Task.due_at.desc()))}


def _unanswered_row(order: PurchaseOrder, task: Task | None, at: Today) -> Waiting:
    due = (task.due_at if task is not None else None) or order.transmitted_at or at.now
    days = max((at.on - due.astimezone(at.now.tzinfo).date()).days, 0)
    what = "the supplier should have answered" if task is None or task.record_type == "purchase_order" else (
        f"the supplier should have answered {task.record_number}"
    )  # fmt: skip
    return Waiting(
        order.number, order.id, what, order.supplier.name, due.date(), days, _turn(task, order),
        "Ask the supplier, and record what it answered", Way.ANSWER,
    )  # fmt: skip


def _turn(task: Task | None, order: PurchaseOrder) -> str:
    if task is not None and task.assignee:
        return f"user:{task.assignee}"
    if task is not None and task.candidates:
        return str(task.candidates[0])
    return f"user:{order.buyer_id}" if order.buyer_id else "role:BUYER"


def _late(session: Session, mine: ColumnElement[bool], at: Today, shown: int) -> Section:
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(mine, late_line(at))
        .options(
            joinedload(PurchaseOrderLine.order).joinedload(PurchaseOrder.supplier),
            joinedload(PurchaseOrderLine.part_revision).joinedload(PartRevision.part),
        )
        .order_by(_day_due(), PurchaseOrderLine.id)
    )
    rows = [_late_row(line, at) for line in session.scalars(wanted.limit(shown))]
    return Section("late", _count(session, wanted.with_only_columns(PurchaseOrderLine.id)), rows)


def _late_row(line: PurchaseOrderLine, at: Today) -> Waiting:
    due = line.promised_on or line.need_by or at.on
    word = "promised" if line.promised_on else "needed"
    return Waiting(
        line.number, line.order_id, f"{_plain(line.open_quantity)} {line.uom} of {line.item}, {word}", line.order.supplier.name,
        due, (at.on - due).days, _turn(None, line.order), "Ask the supplier; amend the day if it moved", Way.ORDER,
    )  # fmt: skip


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _own_approvals(session: Session, mine: ColumnElement[bool], at: Today, shown: int) -> Section:
    """Return orders whose approval runs out before they are issued."""
    end = dt.datetime.combine(at.until, dt.time.max, at.now.tzinfo)
    wanted = (
        select(PurchaseOrder)
        .where(mine, PurchaseOrder.status.in_(USABLE), PurchaseOrder.approval_expires_at <= end)
        .options(joinedload(PurchaseOrder.supplier))
        .order_by(PurchaseOrder.approval_expires_at, PurchaseOrder.id)
    )
    rows = []
    for order in session.scalars(wanted.limit(shown)):
        day = order.approval_expires_at.date() if order.approval_expires_at else at.on
        rows.append(Waiting(
            order.number, order.id, "its approval ends", order.supplier.name, day, (at.on - day).days, _turn(None, order),
            "Issue it before, or it is approved anew", Way.ORDER,
        ))  # fmt: skip
    return Section("order_approvals", _count(session, wanted.with_only_columns(PurchaseOrder.id)), rows)


def _supplier_approvals(session: Session, at: Today, shown: int) -> Section:
    """Return rows of the approved supplier list, and their certificates, that end soon; what ended is quality's list."""
    certificate = SupplierApproval.certificate_expires_on
    ends = case((certificate < SupplierApproval.valid_to, certificate), else_=SupplierApproval.valid_to)
    wanted = (
        select(SupplierApproval, ends)
        .join(Supplier, Supplier.id == SupplierApproval.supplier_id)
        .where(SupplierApproval.status.in_(GIVEN), Supplier.is_active, ends.between(at.on, at.until))
        .options(joinedload(SupplierApproval.supplier))
        .order_by(ends, SupplierApproval.id)
    )
    rows = [
        Waiting(
            approval.subject_words[:1].upper() + approval.subject_words[1:], approval.supplier_id,
            "its certificate ends" if approval.certificate_expires_on == day and day != approval.valid_to else "its approval ends",
            approval.supplier.name, day, (at.on - day).days, "role:SQ", "Approve a new row, or buy elsewhere", Way.SUPPLIER,
        )
        for approval, day in session.execute(wanted.limit(shown))
    ]  # fmt: skip
    return Section("supplier_approvals", _count(session, wanted.with_only_columns(SupplierApproval.id)), rows)


def _certificates(session: Session, at: Today, shown: int) -> Section:
    """Return suppliers whose quality certificate ends soon."""
    wanted = (
        select(Supplier)
        .where(Supplier.is_active, Supplier.qms_expires_on.between(at.on, at.until))
        .order_by(Supplier.qms_expires_on, Supplier.supplier_no)
    )
    rows = [
        Waiting(
            supplier.number, supplier.id, f"its certificate {supplier.qms_certificate or ''} ends".replace("  ", " "), supplier.name,
            day, (at.on - day).days, "role:SQ", "Ask the supplier for the next one", Way.SUPPLIER,
        )
        for supplier in session.scalars(wanted.limit(shown))
        for day in [supplier.qms_expires_on or at.on]
    ]  # fmt: skip
    return Section("certificates", _count(session, wanted.with_only_columns(Supplier.id)), rows)


def _requests(session: Session, buyer: str | None, at: Today, shown: int) -> Section:
    """Return requests for quotation that wait for answers or for the comparison, the one that is due first before the others."""
    mine = true() if buyer is None else RequestForQuotation.buyer_id == buyer
    wanted = (
        select(RequestForQuotation)
        .where(mine, RequestForQuotation.status.in_((RequestStatus.OPEN, RequestStatus.COMPARING)))
        .options(selectinload(RequestForQuotation.invitations).selectinload(Invitation.quotations))
        .order_by(RequestForQuotation.due_at, RequestForQuotation.id)
    )
    rows = [_request_row(one, at) for one in session.scalars(wanted.limit(shown))]
    return Section("requests", _count(session, wanted.with_only_columns(RequestForQuotation.id)), rows)


def _request_row(request: RequestForQuotation, at: Today) -> Waiting:
    day = last_day(request)
    answered = sum(invitation.is_answered for invitation in request.invitations)
    waits = request.takes_quotes(at.now) and answered < len(request.invitations)
    buyer = f"user:{request.buyer_id}" if request.buyer_id else "role:BUYER"
    return Waiting(
        request.number, request.id, f"{answered} of {len(request.invitations)} suppliers answered", "", day,
        (at.on - day).days if day else None, buyer, "Remind who has not answered" if waits else "Compare the quotes", Way.REQUEST,
    )  # fmt: skip


def _agreements(session: Session, at: Today, shown: int) -> Section:
    """Return contracts and blanket orders that end soon, or of which little is left."""
    wanted = (
        select(SourcingRef)
        .where(
            SourcingRef.kind.in_((SourcingKind.CONTRACT, SourcingKind.BLANKET)),
            or_(SourcingRef.valid_to.is_(None), SourcingRef.valid_to >= at.on),
            or_(
                SourcingRef.valid_to <= at.until,
                _little(SourcingRef.remaining_value, SourcingRef.agreed_value, at),
                _little(SourcingRef.remaining_quantity, SourcingRef.agreed_quantity, at),
            ),
        )
        .options(joinedload(SourcingRef.supplier))
        .order_by(SourcingRef.valid_to.is_(None), SourcingRef.valid_to, SourcingRef.id)
    )
    rows = [_agreement_row(one, at) for one in session.scalars(wanted.limit(shown))]
    return Section("agreements", _count(session, wanted.with_only_columns(SourcingRef.id)), rows)


def _little(left: Any, agreed: Any, at: Today) -> ColumnElement[bool]:
    """Return the condition that little is left; both are of one scale, so that their stored numbers are compared."""
    return type_coerce(left, Integer) * 100 <= type_coerce(agreed, Integer) * at.percent_left


def _agreement_row(one: SourcingRef, at: Today) -> Waiting:
    parts = [
        f"{_plain(left / agreed * 100 // 1)} % of {words} left"
        for left, agreed, words in (
            (one.remaining_value, one.agreed_value, "the value"), (one.remaining_quantity, one.agreed_quantity, "the quantity"),
        )
        if left is not None and agreed
    ]  # fmt: skip
    days = (at.on - one.valid_to).days if one.valid_to else None
    return Waiting(
        one.number, one.id, ", ".join(parts) or "it ends", one.supplier.name if one.supplier else "", one.valid_to, days,
        "role:PUR_LEAD", "Agree on the next one", Way.AGREEMENT,
    )  # fmt: skip
