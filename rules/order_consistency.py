"""CON-01 to CON-18: do an order and the work it is for agree? The facts are gathered here and weighed by a table.

``judge_link`` asks at three points: LINK when pieces are allocated, SHIP before they leave, RETURN when they are back; the others
ask for a work order, an order, a receipt or a cost as a whole. Every finding names both values, its owner and the way out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from engine.record import Record
from records.actual import Actual, ActualKind
from records.amendment import AmendmentStatus, standing_on
from records.change_order import open_order_releasing
from records.external import Discrepancy, DiscrepancyStatus, ExternalRef
from records.lot import Lot
from records.outside import LinkRole, LinkStatus, OutsideLink, links_of_line
from records.part import PartRevision, RevisionStatus
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.supplier import Supplier
from records.work_order import OPEN, OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus
from rules import agreements as agree
from rules import change_pending
from rules.agreements import Disagreement
from rules.amendment_words import sentences_of
from rules.flow_mode import lenient
from rules.outside_doors import UNDER_CONTRACT
from rules.policy import table_called
from rules.supplier_gate import suppliers_for
from rules.waiver import soften, today_of

DELIVERS_NOTHING = (
    OrderStatus.CANCELLED, OrderStatus.CLOSED, OrderStatus.CANCEL_PENDING, OrderStatus.REJECTED,
    OrderStatus.SUPPLIER_REJECTED,
)  # fmt: skip
NEEDS_NOTHING = (WorkOrderStatus.CANCELLED, WorkOrderStatus.CLOSED)
NOT_OPEN = tuple(status for status in WorkOrderStatus if status not in OPEN)
LIVING = (LinkStatus.CANCELLED,)
FLOW = "outside_processing"


def judge_link(session: Session, link: OutsideLink, *, at: str, now: dt.datetime) -> list[Finding]:
    """Return what the rules say about a link.

    at: LINK (CON-01 to -05, -07, -12), SHIP (also -06, -08, -09, -14, -15) or RETURN, where nothing bars what comes home: how much
    may come is ``judge_return``, and for what ``judge_receipt``.
    """
    if at == "RETURN":
        return []
    found = [
        *_configuration(session, link),
        *_revision_stands(session, link, now),
        *_quantities(session, link, whole=at == "SHIP"),
        *_specification(link),
        *_source(session, link, now, at=at),
        *_dates(link),
    ]
    if at == "SHIP":
        found += [
            *_contract(session, link),
            *_work(link, over=NOT_OPEN),
            *change_pending.of_link(session, link, now=now),
        ]
    return weigh(session, link, found, now=now)


def judge_return(
    session: Session, link: OutsideLink, quantity: Decimal, *, unknown_serials: Iterable[str] = (), now: dt.datetime
) -> list[Finding]:
    """Return CON-13 on pieces that come back. quantity: in the link's unit; unknown_serials: numbers that never left."""
    found = agree.only_what_left_returns(quantity, link.at_supplier, link=link.number, unknown=unknown_serials)
    return weigh(session, link, [found], now=now)


def judge_work_order(session: Session, work_order: WorkOrder, *, now: dt.datetime) -> list[Finding]:
    """Return what holds a work order as a whole: CON-08 open lines of one that is over, CON-09 its orders, CON-10 its balance, CON-14."""
    found: list[Disagreement | None] = []
    for link in links_of_work(session, work_order):
        found += [*_work(link), *_order_goes_on(link), *_amendment(session, link)]
        if work_order.status in (WorkOrderStatus.COMPLETE, *NEEDS_NOTHING):
            found += _balance(link)
    return weigh(session, work_order, found, now=now)


def judge_completion(session: Session, work_order: WorkOrder, *, now: dt.datetime) -> list[Finding]:
    """Return CON-10 before a work order becomes COMPLETE: pieces away, certificates not verified."""
    found = [each for link in links_of_work(session, work_order) for each in _balance(link)]
    return weigh(session, work_order, found, now=now)


def judge_start(session: Session, operation: WorkOrderOperation, *, now: dt.datetime) -> list[Finding]:
    """Return CON-09, -14 and -15 before an operation starts: its order is gone, is being amended, or a change waits for it."""
    found: list[Disagreement | None] = []
    for link in _links(session, OutsideLink.operation_id == operation.id):
        found += [*_order_goes_on(link), *_amendment(session, link)]
    found += change_pending.of_operation(session, operation, now=now)
    return weigh(session, operation.work_order, found, now=now)


def judge_material(
    session: Session, lot: Lot | None, work_order_id: str, operation_id: str | None, *, now: dt.datetime
) -> list[Finding]:
    """Return CON-15 and CHG-PENDING before material is issued: a change waits for the lot, or for the work that it goes into."""
    about = session.get(WorkOrder, work_order_id) or lot
    if about is None:
        return []
    ids = [work_order_id, *([lot.id] if lot is not None else []), *filter(None, [operation_id])]
    return weigh(session, about, change_pending.of_ids(session, ids, now=now), now=now)


def judge_amended(session: Session, link: OutsideLink, *, now: dt.datetime) -> tuple[list[Finding], list[Finding]]:
    """Return CON-14 of a link alone, as it is kept on the link and on its work order."""
    found = list(_amendment(session, link))
    return weigh(session, link, found, now=now), weigh(session, link.operation.work_order, found, now=now)


def judge_receipt(session: Session, line: PurchaseOrderLine, *, now: dt.datetime) -> list[Finding]:
    """Return what holds goods that arrive for a line: CON-08 of the work they are for, CON-15 and CHG-PENDING, CON-18 of its order."""
    found: list[Disagreement | None] = []
    # Where every link has ended, the line is still open for the work that they were for.
    for link in _links(session, OutsideLink.order_line_id == line.id) or links_of_line(session, line.id):
        found += _work(link)
    found += change_pending.of_line(session, line.id, now=now)
    return weigh(session, line.order, found, now=now) + judge_drift(session, line.order, now=now)


def judge_drift(session: Session, order: PurchaseOrder, *, now: dt.datetime) -> list[Finding]:
    """Return CON-18 for each open discrepancy of an order with another system."""
    wanted = select(Discrepancy).where(
        Discrepancy.document_type == order.record_type, Discrepancy.document_id == order.id,
        Discrepancy.status == DiscrepancyStatus.OPEN,
    )  # fmt: skip
    found = [
        agree.systems_agree(row.ours or "", row.theirs or "", document=order.number, field=row.field, system=row.system)
        for row in session.scalars(wanted.order_by(Discrepancy.field))
    ]
    return weigh(session, order, found, now=now)


def judge_cost(session: Session, actual: Actual, *, now: dt.datetime) -> list[Finding]:
    """Return CON-17 on an outside cost: booked at another price than its order line has at the accepted revision."""
    line = session.get(PurchaseOrderLine, actual.order_line_id) if actual.order_line_id else None
    if (
        actual.kind is not ActualKind.OUTSIDE
        or actual.reverses_id is not None
        or line is None
        or actual.unit_cost is None
    ):
        return []
    work_order = session.get_one(WorkOrder, actual.work_order_id)
    agreed = agreed_price(session, line, actual)
    if agreed is None:
        return []
    found = agree.booked_at_the_price(
        actual.unit_cost, agreed, work=work_order.number, line=line.number, revision=line.order.revision
    )
    return weigh(session, work_order, [found], now=now)


def judge_orphans(session: Session, order: PurchaseOrder, *, now: dt.datetime) -> list[Finding]:
    """Return CON-08 for an order's open lines whose work is over, and CON-09 for the work of an order that is over."""
    found: list[Disagreement | None] = []
    for line in order.lines:
        for link in _links(session, OutsideLink.order_line_id == line.id):
            found += [*_work(link), *_order_goes_on(link)]
    return weigh(session, order, found, now=now)


def weigh(session: Session, record: Record, found: Iterable[Disagreement | None], *, now: dt.datetime) -> list[Finding]:
    """Return findings on a document from disagreements, by the table; what is waived is a warning."""
    table, findings = table_called("order_consistency"), []
    for each in found:
        if each is None:
            continue
        judgement = table.judge(rule=each.rule, special=each.special, days=each.days, under=each.under)
        row = judgement.row
        findings.append(
            Finding(
                each.rule, Effect(row.outputs["effect"]), each.sentence, record.record_type, record.id, field=each.field,
                old=each.old, new=each.new, owner=str(row.outputs["owner"]), way_out=str(row.outputs["way_out"]),
                judged_by=judgement.hash, row=row.number,
            )
        )  # fmt: skip
    return lenient(session, soften(session, findings, on=today_of(session, now)), FLOW)


def links_of_work(session: Session, work_order: WorkOrder) -> list[OutsideLink]:
    """Return the links of a work order's operations that are not cancelled."""
    return _links(session, OutsideLink.operation_id.in_([operation.id for operation in work_order.operations]))


def _links(session: Session, condition: ColumnElement[bool]) -> list[OutsideLink]:
    wanted = select(OutsideLink).where(condition, OutsideLink.status.not_in(LIVING)).order_by(OutsideLink.number)
    return list(session.scalars(wanted))


def _configuration(session: Session, link: OutsideLink) -> Iterator[Disagreement | None]:
    ours, theirs = link.operation.work_order.part_revision, link.order_line.part_revision
    if ours is None or theirs is None:
        return
    found = agree.same_revision(
        ours.number, theirs.number, work=link.operation.work_order.number, line=link.order_line.number,
        standing=_standing(session, theirs),
    )  # fmt: skip
    is_one_part = ours.part_id == theirs.part_id
    yield replace(found, old=ours.rev, new=theirs.rev) if found is not None and is_one_part else found


def _standing(session: Session, revision: PartRevision) -> str:
    """Return why a revision may not be ordered, with the change that would release it; empty when it is released."""
    if revision.status is RevisionStatus.RELEASED:
        return ""
    wanted = select(ExternalRef).where(ExternalRef.record_id == revision.change_order_id)
    known = session.scalar(wanted.limit(1)) if revision.change_order_id else None
    change = (known.native_number or known.native_id) if known is not None else "its change order"
    order = open_order_releasing(session, revision)
    waits = f"{change if order is None else order.number} not effective" if revision.change_order_id or order else ""
    return ", ".join(filter(None, [revision.status.value.lower().replace("_", " "), waits]))


def _revision_stands(session: Session, link: OutsideLink, now: dt.datetime) -> Iterator[Disagreement | None]:
    revision = link.order_line.part_revision
    if revision is None or revision is link.operation.work_order.part_revision:
        return
    standing = _standing(session, revision)
    trouble = f"is {standing}" if standing else ""
    if not trouble and not revision.is_effective_on(link.site.local_day(now)):
        trouble = f"is effective from {revision.effective_from or 'its release'} to {revision.effective_to or 'open'}"
    yield agree.revision_stands(revision.number, trouble, document=link.order_line.number)


def _quantities(session: Session, link: OutsideLink, *, whole: bool) -> Iterator[Disagreement | None]:
    line, operation = link.order_line, link.operation
    conversion = agree.units_convert(link.uom, line.uom, link.conversion_factor, line=line.number)
    if conversion is not None:
        yield conversion
        return
    others = {each.id: each for each in (*_links(session, OutsideLink.order_line_id == line.id), link)}
    total = sum((each.allocated_quantity * each.conversion_factor for each in others.values()), Decimal(0))
    yield agree.allocations_add_up(total, line.quantity, line=line.number, uom=line.uom, whole=whole)
    if operation.quantity_in is not None and link.role is LinkRole.OSP:
        mine = [each for each in _links(session, OutsideLink.operation_id == operation.id) if each.role is LinkRole.OSP]
        allocated = sum(
            (each.allocated_quantity for each in {each.id: each for each in (*mine, link)}.values()), Decimal(0)
        )
        yield agree.allocated_pieces_exist(
            allocated, operation.quantity_in, operation=operation.number, link=link.number
        )


def _specification(link: OutsideLink) -> Iterator[Disagreement | None]:
    line, operation = link.order_line, link.operation
    yield agree.same_specification(
        _spec(operation.spec, operation.spec_rev), _spec(line.spec, line.spec_rev), operation=operation.number,
        line=line.number,
    )  # fmt: skip


def _spec(spec: str | None, revision: str | None) -> str:
    return " rev ".join(filter(None, [spec, revision]))


def _source(session: Session, link: OutsideLink, now: dt.datetime, *, at: str) -> Iterator[Disagreement | None]:
    """CON-03: against the supplier that the operation names; where it names none, at ship-out, against the approved list."""
    order, operation = link.order, link.operation
    if operation.supplier is None and not (operation.is_special and at == "SHIP"):
        return
    able = suppliers_for(session, link.order_line, on=link.site.local_day(now))
    planned = [_named(operation.supplier)] if operation.supplier is not None else []
    yield agree.approved_source(
        _named(order.supplier), planned, operation=operation.number, special=operation.is_special,
        is_approved=order.supplier in able,
    )  # fmt: skip


def _named(supplier: Supplier) -> str:
    return f"{supplier.name} ({supplier.supplier_no})"


def _dates(link: OutsideLink) -> Iterator[Disagreement | None]:
    operation, line = link.operation, link.order_line
    following = [each for each in operation.work_order.operations if each.op_no > operation.op_no]
    step = following[0].number if following else f"the end of {operation.work_order.number}"
    needed = following[0].planned_start if following else operation.work_order.planned_finish
    promised = _offered(line) or line.promised_on or line.need_by
    if needed is None or promised is None:
        return
    terms = link.order.incoterm.value if link.order.incoterm is not None else ""
    transit = int(table_called("transit_days").judge(incoterm=terms).row.outputs["days"])
    yield agree.back_in_time(promised, needed, transit=transit, line=line.number, next_step=step)


def _offered(line: PurchaseOrderLine) -> dt.date | None:
    """Return the day that the supplier offers instead, while nobody has accepted or refused its counter-offer."""
    if line.order.status is not OrderStatus.COUNTER_OFFER or not line.order.acknowledgements:
        return None
    newest = max(line.order.acknowledgements, key=lambda each: (each.received_at, each.id))
    return next((each.promised_on for each in newest.lines if each.line_no == line.line_no and each.promised_on), None)


def _contract(session: Session, link: OutsideLink) -> Iterator[Disagreement | None]:
    order = link.order
    if order.status in DELIVERS_NOTHING:
        yield from _order_goes_on(link)
    else:
        yield agree.under_contract(order.status.value, UNDER_CONTRACT, order=order.number, supplier=order.supplier.name)
    yield from _amendment(session, link)


def _order_goes_on(link: OutsideLink) -> Iterator[Disagreement | None]:
    order, operation = link.order, link.operation
    if operation.status in (OperationStatus.COMPLETE, OperationStatus.SKIPPED_BY_DEVIATION):
        return
    yield agree.order_goes_on(
        order.status.value,
        [status.value for status in DELIVERS_NOTHING],
        order=order.number,
        operation=operation.number,
    )


def _amendment(session: Session, link: OutsideLink) -> Iterator[Disagreement | None]:
    amendment = standing_on(session, link.order_line)
    if amendment is not None:
        refused = amendment.status is AmendmentStatus.SUPPLIER_REFUSED
        yield agree.no_amendment_is_open(
            amendment.number, order=link.order.number, changes="; ".join(sentences_of(amendment)),
            status="refused by the supplier and not undone yet" if refused else "under way",
        )  # fmt: skip


def _work(link: OutsideLink, *, over: Iterable[WorkOrderStatus] = NEEDS_NOTHING) -> Iterator[Disagreement | None]:
    line, work_order = link.order_line, link.operation.work_order
    if line.status in (LineStatus.CANCELLED, LineStatus.CLOSED) or link.order.status in DELIVERS_NOTHING:
        return
    yield agree.work_goes_on(
        work_order.status.value, [status.value for status in over], work=work_order.number, line=line.number
    )


def _balance(link: OutsideLink) -> Iterator[Disagreement | None]:
    unverified = link.operation.is_certificate_required and link.standing in (
        LinkStatus.AT_SUPPLIER, LinkStatus.PART_RETURNED, LinkStatus.RETURNED,
    )  # fmt: skip
    yield agree.nothing_is_away(
        link.at_supplier, int(unverified), link=link.number, work=link.operation.work_order.number
    )


def agreed_price(session: Session, line: PurchaseOrderLine, actual: Actual) -> Decimal | None:
    """Return the price in the unit of the actual and the site's currency, or None where nothing compares.

    The link between operation and line says how many of the line's units a piece is.
    """
    price = line.company_price
    if price is None or actual.currency not in (None, line.order.site.currency):
        return None
    wanted = select(OutsideLink.conversion_factor).where(
        OutsideLink.order_line_id == line.id, OutsideLink.operation_id == actual.operation_id, OutsideLink.uom == actual.uom
    )  # fmt: skip
    factor = session.scalar(wanted.limit(1)) if actual.operation_id is not None else None
    if factor is not None:
        return (price * factor).quantize(Decimal("0.0001"))
    return price.quantize(Decimal("0.0001")) if actual.uom in (None, line.uom) else None
