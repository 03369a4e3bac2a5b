"""Close an order (A37, A39): what keeps it open, the rest that is given up, and the package that is kept."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy import inspect as columns_of
from sqlalchemy.orm import Session

from engine.act import Act
from engine.answers import of_each
from engine.canonical import canonical
from engine.database import Scaled
from engine.errors import Conflict, Invalid, RuleViolation
from engine.record import Record
from processes.agreements import keep_delivered
from processes.documents import plain
from processes.goods_signature import BUYERS, PLANNERS, role_for
from processes.order_progress import lock, order_key, outstanding, settle_statuses, tell_flow
from processes.order_sheet import purchase_order_pdf
from records.amendment import open_amendment_of
from records.certificate import Certificate
from records.external import Discrepancy, DiscrepancyStatus
from records.inspection import Inspection
from records.invoice import (
    HoldStatus,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    MatchHold,
    MatchResult,
    Payable,
)
from records.outside import LinkStatus, links_of_line
from records.purchase_order import LINE_TRANSITIONS, LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine, move
from records.receipt import (
    SHORT_CLOSE_TRANSITIONS,
    WAITING,
    Receipt,
    ReceiptStatus,
    ShortClose,
    ShortCloseStatus,
    receipts_of,
)
from records.transition import move_along
from rules.law import block

ENDED_LINES = frozenset({LineStatus.CLOSED, LineStatus.CANCELLED})


def propose_short_close(act: Act, line: PurchaseOrderLine, *, reason: str) -> ShortClose:
    """Propose to give up what is still to come on a line; a planner confirms it.

    Raises: Forbidden for anybody but the buyer's side; Invalid without a reason; Conflict when nothing is to come, a proposal
    is open already, or the supplier does not have the order.
    """
    role_for(act, BUYERS, to="give up the rest of a line")
    order = lock(act, line.order)
    if not reason.strip():
        raise Invalid("Expected a reason for giving up the rest, but there is none", {"reason": "is required"})
    rest, obstacle = rest_of(act.session, line), why_not_short_close(act.session, line)
    if obstacle:
        raise Conflict(obstacle, record=(order.record_type, order.id))
    made = ShortClose(
        order_line=line, order_line_id=line.id, quantity=rest, reason=reason.strip(), impact=impact_of(act.session, line),
        proposed_by=act.user_id or "",
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    about = {
        "id": made.id, "line": line.number, "item": line.item, "quantity": rest, "uom": line.uom, "reason": made.reason,
        "impact": made.impact, "proposed_by": made.proposed_by,
    }  # fmt: skip
    tell_flow(act, "short_close.proposed", order_key(order), {"short_close": about, "decision": None})
    return made


def decide_short_close(act: Act, proposal: ShortClose, *, confirm: bool, answer: str = "") -> ShortClose:
    """Confirm or refuse that the rest does not come. A confirmed line is closed.

    Raises: Forbidden for anybody but planners; Conflict when it was decided, by who proposed it, or goods came since; Invalid
    for a refusal without a reason.
    """
    role_for(act, PLANNERS, to="decide about the rest of a line")
    line = proposal.order_line
    order = lock(act, line.order)
    if not confirm and not answer.strip():
        raise Invalid("Expected a reason for the refusal, but there is none", {"answer": "is required"})
    if proposal.proposed_by == act.user_id:
        raise RuleViolation(
            [
                block(
                    "SOD-9",
                    f"Expected another person to decide about {line.number}, but you proposed it.",
                    (order.record_type, order.id),
                )
            ]
        )
    if confirm and outstanding(act.session, line) != proposal.quantity:
        raise Conflict(
            f"Expected {plain(proposal.quantity)} {line.uom} to be open on {line.number} as proposed, but "
            f"{plain(outstanding(act.session, line))} are; propose it anew",
        )
    with act.session.no_autoflush:
        wanted = ShortCloseStatus.CONFIRMED if confirm else ShortCloseStatus.REFUSED
        move_along(act, proposal, wanted, transitions=SHORT_CLOSE_TRANSITIONS, reason=answer or proposal.reason)
        proposal.decided_by, proposal.answer = act.user_id, answer.strip()
    act.session.flush()
    if confirm:
        move_along(
            act, line, LineStatus.CLOSED, transitions=LINE_TRANSITIONS, reason=f"Short-closed: {proposal.reason}"
        )
    settle_statuses(act, order)
    tell_flow(act, "short_close.decided", proposal.id)
    return proposal


def rest_of(session: Session, line: PurchaseOrderLine) -> Decimal:
    """Return what is still to come on a line, in its unit, never below 0."""
    return max(outstanding(session, line), Decimal(0))


def why_not_short_close(session: Session, line: PurchaseOrderLine) -> str:
    """Return why the rest of a line cannot be given up now, or an empty text."""
    rest, status = rest_of(session, line), line.order.status
    if status not in (OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED) or rest <= 0:
        return (
            f"Expected something to be still to come on {line.number}, but the order is {status} and "
            f"{plain(rest)} {line.uom} are open"
        )
    if any(one.status is ShortCloseStatus.PROPOSED for one in short_closes_of(session, line)):
        return f"Expected no open proposal for {line.number}, but a planner has one to decide"
    return ""


def short_closes_of(session: Session, line: PurchaseOrderLine) -> list[ShortClose]:
    """Return the proposals to give up the rest of a line, oldest first."""
    return of_each(session, line, "short_closes_of", lambda lines: _short_closes_of(session, lines), otherwise=[])


def _short_closes_of(session: Session, lines: Sequence[PurchaseOrderLine]) -> dict[str, list[ShortClose]]:
    wanted = select(ShortClose).where(ShortClose.order_line_id.in_([line.id for line in lines]))
    found: dict[str, list[ShortClose]] = defaultdict(list)
    for proposal in session.scalars(wanted.order_by(ShortClose.created_at)):
        found[proposal.order_line_id].append(proposal)
    return found


def what_keeps_open(session: Session, order: PurchaseOrder) -> list[str]:
    """Return every reason why an order cannot be closed yet, as sentences without a period; empty when nothing does."""
    return [*_goods_open(session, order), *_bills_open(session, order), *_papers_open(session, order)]


def close(act: Act, order: PurchaseOrder) -> PurchaseOrder:
    """Close an order that is received, accepted and invoiced without holds; from here on it is frozen.

    Raises: RuleViolation CLOSE with every reason that keeps it open.
    """
    lock(act, order)
    found = what_keeps_open(act.session, order)
    if order.status is not OrderStatus.RECEIVED:
        found.insert(0, f"it is {order.status}")
    if found:
        about = (order.record_type, order.id)
        sentence = (
            f"Expected {order.number} to be received, accepted and invoiced without holds, but {'; '.join(found)}."
        )
        raise RuleViolation([block("CLOSE", sentence, about, owner="role:BUYER")])
    for line in order.lines:
        if line.status not in ENDED_LINES:
            move_along(act, line, LineStatus.CLOSED, transitions=LINE_TRANSITIONS, reason=None)
    act.session.flush()
    move(act, order, OrderStatus.CLOSED, reason="Received, accepted and invoiced")
    act.session.flush()
    keep_delivered(act, order)
    return order


def archive_of(session: Session, order: PurchaseOrder) -> bytes:
    """Return the package of a closed order: its PDF, every record as JSON, and a list of their SHA-256; the same bytes each time."""
    files = {"order.pdf": purchase_order_pdf(order)}
    files |= {f"{name}.json": _json(rows) for name, rows in _records(session, order)}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    files["SHA256SUMS"] = sums.encode()
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return package.getvalue()


def _goods_open(session: Session, order: PurchaseOrder) -> Iterator[str]:
    for line in order.lines:
        if line.status is LineStatus.CANCELLED:
            continue
        if line.status not in (LineStatus.RCVD, LineStatus.CLOSED):
            yield f"{plain(line.quantity - line.quantity_received)} {line.uom} of line {line.line_no} are to come"
        for receipt in sorted(receipts_of(session, line), key=lambda each: each.number):
            if receipt.status in WAITING:
                yield f"{receipt.number} is in {receipt.status.lower()}"
            elif receipt.status is ReceiptStatus.REJECTED:
                yield f"{receipt.number} is rejected and nobody decided what becomes of it"
        for proposal in short_closes_of(session, line):
            if proposal.status is ShortCloseStatus.PROPOSED:
                yield f"a planner has to decide whether line {line.line_no} is given up"


def _bills_open(session: Session, order: PurchaseOrder) -> Iterator[str]:
    waiting = _bills_waiting(session, order)
    for line in order.lines:
        due = line.quantity_accepted
        if line.status is not LineStatus.CANCELLED and line.quantity_invoiced < due:
            yield f"{plain(due - line.quantity_invoiced)} {line.uom} of line {line.line_no} are not invoiced"
        elif line.quantity_invoiced > due and line.match_level == 4:
            yield f"{plain(line.quantity_invoiced - due)} {line.uom} of line {line.line_no} are paid but not accepted"
        yield from waiting.get(line.id, ())


def _bills_waiting(session: Session, order: PurchaseOrder) -> dict[str, list[str]]:
    """Return what waits on the invoices of an order's lines, by the lines' ids: holds first, then what is not matched."""
    held = (
        select(InvoiceLine.order_line_id, MatchHold.code, Invoice.number)
        .join_from(MatchHold, InvoiceLine, InvoiceLine.id == MatchHold.invoice_line_id)
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == InvoiceLine.order_line_id)
        .where(PurchaseOrderLine.order_id == order.id, MatchHold.status == HoldStatus.OPEN)
    )
    unmatched = (
        select(InvoiceLine.order_line_id, Invoice.number)
        .join_from(InvoiceLine, Invoice, InvoiceLine.invoice_id == Invoice.id)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == InvoiceLine.order_line_id)
        .where(PurchaseOrderLine.order_id == order.id, Invoice.status == InvoiceStatus.CAPTURED)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for line_id, code, number in session.execute(held.order_by(Invoice.number, MatchHold.code)):
        found[line_id].append(f"{number} is held ({code})")
    for line_id, number in session.execute(unmatched.order_by(Invoice.number)):
        found[line_id].append(f"{number} is not matched")
    return found


def _papers_open(session: Session, order: PurchaseOrder) -> Iterator[str]:
    amendment = open_amendment_of(session, order)
    if amendment is not None:
        yield f"amendment {amendment.number} is under way"
    disagreeing = select(Discrepancy.field).where(
        Discrepancy.document_type == order.record_type, Discrepancy.document_id == order.id,
        Discrepancy.status == DiscrepancyStatus.OPEN,
    )  # fmt: skip
    yield from (f"systems disagree about {field}" for field in session.scalars(disagreeing.order_by(Discrepancy.field)))


def impact_of(session: Session, line: PurchaseOrderLine) -> str:
    """Say what giving up the rest of a line means for the work that waits for it, with quantity and day."""
    waits = [
        f"{link.number} for work order operation {link.operation.number}, {plain(link.allocated_quantity)} {link.uom}"
        + (f" needed on {link.need_by.isoformat()}" if link.need_by else "")
        for link in links_of_line(session, line.id)
        if link.status is not LinkStatus.CANCELLED
    ]
    if line.work_order_op and not waits:
        waits.append(f"work order operation {line.work_order_op}")
    if line.requisition_line is not None:
        waits.append(f"requisition {line.requisition_line.requisition.number}")
    return f"Waiting for it: {'; '.join(waits)}." if waits else "No work order is linked to this line."


def _records(session: Session, order: PurchaseOrder) -> Iterator[tuple[str, list[Record]]]:
    lines = [line.id for line in order.lines]
    yield "order", [order]
    yield "order_lines", list(order.lines)
    yield "acknowledgements", list(order.acknowledgements)
    for name, kind in (
        ("receipts", Receipt),
        ("certificates", Certificate),
        ("payables", Payable),
        ("short_closes", ShortClose),
    ):
        yield name, list(session.scalars(select(kind).where(kind.order_line_id.in_(lines)).order_by(kind.id)))
    goods = select(Receipt.id).where(Receipt.order_line_id.in_(lines))
    yield (
        "inspections",
        list(session.scalars(select(Inspection).where(Inspection.receipt_id.in_(goods)).order_by(Inspection.id))),
    )
    billed = select(InvoiceLine.id).where(InvoiceLine.order_line_id.in_(lines))
    mine = select(InvoiceLine.invoice_id).where(InvoiceLine.order_line_id.in_(lines))
    yield "invoices", _all(session, select(Invoice).where(Invoice.id.in_(mine)).order_by(Invoice.id))
    yield "invoice_lines", _all(session, select(InvoiceLine).where(InvoiceLine.id.in_(billed)).order_by(InvoiceLine.id))
    results = select(MatchResult).where(MatchResult.invoice_line_id.in_(billed)).order_by(MatchResult.id)
    yield "match_results", _all(session, results)
    holds = select(MatchHold).where(MatchHold.invoice_line_id.in_(billed)).order_by(MatchHold.id)
    yield "match_holds", _all(session, holds)


def _all(session: Session, wanted: Select[Any]) -> list[Record]:
    return list(session.scalars(wanted))


def _json(rows: Sequence[Record]) -> bytes:
    return json.dumps([_fields(row) for row in rows], ensure_ascii=False, indent=1, sort_keys=True).encode()


def _fields(row: Record) -> dict[str, Any]:
    found = {}
    for attribute in columns_of(type(row)).column_attrs:
        kind, value = attribute.columns[0].type, getattr(row, attribute.key)
        scale = kind.scale if isinstance(kind, Scaled) else None
        found[attribute.key] = canonical(value, scale=scale)
    return found
