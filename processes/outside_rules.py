"""Whether an order line and an operation agree about the pieces between them (CON-01 to CON-06, 09, 12, 14)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from records.amendment import AmendmentStatus, PurchaseOrderAmendment
from records.outside import LinkStatus, OutsideLink
from records.part import PartRevision, RevisionStatus
from records.purchase_order import OrderStatus
from records.work_order import OPEN
from rules.outside_doors import UNDER_CONTRACT
from rules.supplier_gate import Point, judge

SETTLED = frozenset(
    {AmendmentStatus.APPLIED, AmendmentStatus.REJECTED, AmendmentStatus.WITHDRAWN, AmendmentStatus.REVERTED}
)
GONE = frozenset({OrderStatus.CANCELLED, OrderStatus.CLOSED, OrderStatus.CANCEL_PENDING, OrderStatus.REJECTED})


def judge_link(session: Session, link: OutsideLink, *, at: str, now: dt.datetime) -> list[Finding]:
    """Return what the rules of consistency say about a link. at: LINK, SHIP or RETURN."""
    if at == "RETURN":
        return []
    found = [
        *_configuration(session, link),
        *_quantities(session, link),
        *_specification(link),
        *_source(session, link, now),
    ]
    found += _dates(link, now)
    if at == "SHIP":
        found += [*_contract(session, link), *_work(link)]
    return found


def _finding(
    link: OutsideLink, rule: str, effect: Effect, sentence: str, *, owner: str, way_out: str,
    field: str = "", old: object = None, new: object = None,
) -> Finding:  # fmt: skip
    return Finding(
        rule, effect, sentence, link.record_type, link.id, field=field, old=None if old is None else str(old),
        new=None if new is None else str(new), owner=owner, way_out=way_out,
    )  # fmt: skip


def _configuration(session: Session, link: OutsideLink) -> Iterator[Finding]:
    ours = link.operation.work_order.part_revision
    theirs = link.order_line.part_revision
    if theirs is None or ours is None or theirs.id == ours.id:
        return
    yield _finding(
        link, "CON-01", Effect.BLOCK,
        f"Expected {link.order_line.number} to order the revision that {link.operation.work_order.number} was released with, "
        f"{ours.number}, but it orders {theirs.number}{_standing(session, theirs)}.",
        owner="role:BUYER", way_out="Amend the order line, or change the work order under a change order.",
        field="part_revision", old=ours.rev, new=theirs.rev,
    )  # fmt: skip


def _standing(session: Session, revision: PartRevision) -> str:
    if revision.status is RevisionStatus.RELEASED:
        return ""
    change = f", {revision.change_order_id} not effective" if revision.change_order_id else ""
    return f", which is {revision.status.value.lower()}{change}"


def _quantities(session: Session, link: OutsideLink) -> Iterator[Finding]:
    line, operation = link.order_line, link.operation
    links = session.scalars(
        select(OutsideLink).where(OutsideLink.order_line_id == line.id, OutsideLink.status != LinkStatus.CANCELLED)
    ).all()
    if line.uom != link.uom and link.conversion_factor == 1:
        yield _finding(
            link, "CON-12", Effect.BLOCK,
            f"Expected a conversion from {link.uom} to {line.uom}, in which {line.number} is ordered, but there is none.",
            owner="role:PLANNER", way_out="Give the factor when you link them.", field="uom", old=link.uom, new=line.uom,
        )  # fmt: skip
        return
    total = sum((each.allocated_quantity * each.conversion_factor for each in links), Decimal(0))
    if total > line.quantity:
        yield _finding(
            link, "CON-02", Effect.HOLD,
            f"Expected the allocations of {line.number} to add up to {line.quantity.normalize():f} {line.uom}, "
            f"but they are {total.normalize():f}.",
            owner="role:PLANNER", way_out="Change the allocations, or amend the order.",
            field="allocated_quantity", old=line.quantity, new=total,
        )  # fmt: skip
    good = operation.quantity_in
    if good is not None and link.allocated_quantity > good:
        yield _finding(
            link, "CON-02", Effect.HOLD,
            f"Expected at most {good.normalize():f} pieces, which reached {operation.number}, but {link.number} allocates "
            f"{link.allocated_quantity.normalize():f}.",
            owner="role:PLANNER", way_out="Allocate what is there.", field="allocated_quantity", old=good, new=link.allocated_quantity,
        )  # fmt: skip


def _specification(link: OutsideLink) -> Iterator[Finding]:
    line, operation = link.order_line, link.operation
    ours = " rev ".join(filter(None, [operation.spec, operation.spec_rev]))
    theirs = " rev ".join(filter(None, [line.spec, line.spec_rev]))
    if ours != theirs:
        yield _finding(
            link, "CON-04", Effect.BLOCK,
            f"Expected {line.number} to ask for {ours or 'no specification'}, as {operation.number} does, but it asks for "
            f"{theirs or 'none'}.",
            owner="role:BUYER", way_out="Amend the order line.", field="spec", old=ours, new=theirs,
        )  # fmt: skip


def _source(session: Session, link: OutsideLink, now: dt.datetime) -> Iterator[Finding]:
    order, operation = link.order, link.operation
    if operation.supplier_id is None or operation.supplier_id == order.supplier_id:
        return
    approved = judge(
        session,
        order.supplier,
        [link.order_line],
        point=Point.SHIP,
        on=link.site.local_day(now),
        site=order.supplier_site,
    )
    wanted = operation.supplier.name if operation.supplier is not None else "another supplier"
    yield _finding(
        link, "CON-03", Effect.BLOCK if operation.is_special and approved.stops else Effect.WARN,
        f"Expected {operation.number} to be done by {wanted}, but {order.number} is with {order.supplier.name}.",
        owner="role:SQ", way_out="Quality approves the source, or the order goes to the planned one.",
        field="supplier", old=wanted, new=order.supplier.name,
    )  # fmt: skip


def _dates(link: OutsideLink, now: dt.datetime) -> Iterator[Finding]:
    following = [each for each in link.operation.work_order.operations if each.op_no > link.operation.op_no]
    needed = following[0].planned_start if following else link.operation.work_order.planned_finish
    promised = link.order_line.promised_on or link.order_line.need_by
    if needed is None or promised is None or promised <= needed:
        return
    late = (promised - needed).days
    yield _finding(
        link, "CON-05", Effect.WARN,
        f"Expected {link.order_line.number} back by {needed}, when the next operation starts, but it is promised for {promised}, "
        f"{late} {'day' if late == 1 else 'days'} later.",
        owner="role:PLANNER", way_out="Expedite the order or reschedule the work order.", field="promised_on", old=needed, new=promised,
    )  # fmt: skip


def _contract(session: Session, link: OutsideLink) -> Iterator[Finding]:
    order = link.order
    status = order.held_from or order.status
    if order.status in GONE:
        yield _finding(
            link, "CON-09", Effect.BLOCK,
            f"Expected an open order for {link.operation.number}, but {order.number} is {order.status.value.lower()}.",
            owner="role:BUYER", way_out="Raise another order, or call the outside operation off.", field="order.status", new=order.status,
        )  # fmt: skip
    elif status.value not in UNDER_CONTRACT or order.held_from is not None:
        yield _finding(
            link, "CON-06", Effect.BLOCK,
            f"Expected {order.number} to be with {order.supplier.name} before pieces leave, but it is "
            f"{order.status.value.lower().replace('_', ' ')}.",
            owner="role:BUYER", way_out="The order is transmitted to the supplier first.",
            field="order.status", old="TRANSMITTED", new=order.status,
        )  # fmt: skip
    wanted = select(PurchaseOrderAmendment).where(
        PurchaseOrderAmendment.order_id == order.id, PurchaseOrderAmendment.status.not_in(SETTLED)
    )
    amendment = session.scalars(wanted.limit(1)).first()
    if amendment is not None:
        yield _finding(
            link, "CON-14", Effect.HOLD,
            f"Expected no open amendment of {order.number} before pieces leave, but {amendment.number} is "
            f"{amendment.status.value.lower()}.",
            owner="role:BUYER", way_out="The amendment is applied or withdrawn first.", field="amendment", new=amendment.number,
        )  # fmt: skip


def _work(link: OutsideLink) -> Iterator[Finding]:
    order = link.operation.work_order
    if order.status not in OPEN:
        yield _finding(
            link, "CON-08", Effect.HOLD,
            f"Expected {order.number} to be released before pieces leave, but it is {order.status.value.lower().replace('_', ' ')}.",
            owner="role:PLANNER", way_out="The work order goes on, or the outside operation is called off.",
            field="work_order.status", new=order.status,
        )  # fmt: skip
