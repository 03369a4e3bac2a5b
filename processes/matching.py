"""Invoices and their match (A38): captured once, compared with order, receipt and inspection, held with an owner, made payable."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes.goods_signature import CLERKS, role_for, sign
from processes.order_progress import lock, settle_statuses, tell_flow
from records.certificate import missing_certificates
from records.invoice import (
    HoldCode,
    HoldStatus,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    MatchHold,
    MatchResult,
    MatchStatus,
    Payable,
    PayableKind,
    count_payable,
    holds_of,
    move,
    payable_of,
    results_of,
)
from records.money import line_amount
from records.purchase_order import PurchaseOrder
from records.receipt import RULED_OUT, receipts_of
from records.signature import Meaning
from rules.matching import NEVER_WAIVED, Figures, Hold, Verdict, judge_match
from rules.policy import table_called
from rules.tolerances import profile_of

NONE = Decimal(0)

TURNS = {
    HoldCode.QTY_ORD: "buyer", HoldCode.PRICE: "buyer", HoldCode.CURRENCY: "buyer", HoldCode.QTY_REC: "receiving",
    HoldCode.QTY_ACC: "quality", HoldCode.CERT: "supplier_quality",
}  # fmt: skip
"""Whose task of the flow each hold is."""


WORDS = {
    HoldCode.QTY_ORD: "More billed than ordered", HoldCode.QTY_REC: "More billed than received",
    HoldCode.QTY_ACC: "More billed than accepted", HoldCode.PRICE: "Another price", HoldCode.CERT: "Certificate missing",
    HoldCode.DUP: "Billed before", HoldCode.CURRENCY: "Another currency",
}  # fmt: skip
"""What each hold is about, as people read it."""


def words_of(code: HoldCode) -> str:
    """Return what a hold is about."""
    return WORDS[code]


def match(act: Act, invoice: Invoice) -> Invoice:
    """Compare every line of an invoice anew; what nothing holds becomes payable, the rest is held with an owner.

    A hold whose cause is gone is cleared. An invoice that is settled or rejected stays as it is.
    """
    if invoice.status not in (InvoiceStatus.CAPTURED, InvoiceStatus.HELD):
        return invoice
    for order in _orders(invoice):
        lock(act, order)
    before = open_holds(act, invoice)
    for line in invoice.lines:
        _match_line(act, line)
    held = any(hold.status is HoldStatus.OPEN for line in invoice.lines for hold in holds_of(act.session, line))
    wanted = InvoiceStatus.HELD if held else InvoiceStatus.MATCHED
    if invoice.status is not wanted:
        move(act, invoice, wanted)
    for order in _orders(invoice):
        settle_statuses(act, order)
    _tell_ended(act, before)
    return invoice


def pay_part(act: Act, invoice: Invoice, *, reason: str) -> Decimal:
    """Make payable, on request, what no hold concerns: 40 of 60 when 40 were received. Return the quantity that became payable.

    Raises: Forbidden for anybody but accounts payable; Invalid without a reason; Conflict when nothing of it may be paid.
    """
    role_for(act, CLERKS, to="pay a part of an invoice")
    if not reason.strip():
        raise Invalid("Expected a reason for paying a part, but there is none", {"reason": "is required"})
    match(act, invoice)
    paid = sum((_pay(act, line, _latest(act, line), PayableKind.PART, reason) for line in invoice.lines), NONE)
    if paid == 0:
        raise Conflict(
            f"Expected a part of {invoice.number} that may be paid, but there is none; see its holds", code="ON_HOLD",
            record=(invoice.record_type, invoice.id),
        )  # fmt: skip
    for order in _orders(invoice):
        settle_statuses(act, order)
    return paid


def release_hold(act: Act, hold: MatchHold, request: SignatureRequest, *, reason: str) -> MatchHold:
    """Release a hold with a signature (REVIEWED or APPROVED) and a reason, and match the invoice again.

    Raises: Forbidden for roles that may not; RuleViolation SOD-5 for the buyer and receivers; Invalid; Conflict when it has
    ended, and for what a 4-way match never pays.
    """
    billed = hold.invoice_line
    invoice = billed.invoice
    for order in _orders(invoice):
        lock(act, order)
    if hold.status is not HoldStatus.OPEN:
        raise Conflict(f"Expected an open hold, but {hold.number} is {hold.status}")
    if hold.code in NEVER_WAIVED | {HoldCode.DUP}:
        raise Conflict(
            f"Expected a hold that a person may release, but {hold.code} ends only when "
            + ("the goods are accepted; pay the accepted part instead" if hold.code in NEVER_WAIVED else "it is rejected"),
            code="ON_HOLD", record=(invoice.record_type, invoice.id),
        )  # fmt: skip
    if not reason.strip():
        raise Invalid("Expected a reason for the release, but there is none", {"reason": "is required"})
    role = role_for(act, releasers_of(hold.code), to=f"release {hold.code}")
    if not role:
        raise Forbidden("Expected a person to release a hold, but the system acts", code="NOT_AUTHORISED")
    signature = sign(
        act, hold, request, content_hash=hold_hash(hold), role=role, meanings=[Meaning.REVIEWED, Meaning.APPROVED],
        reason=reason,
    )  # fmt: skip
    _end(act, hold, HoldStatus.RELEASED, by=act.user_id, reason=reason, signature_id=signature.id)
    match(act, invoice)
    _tell_ended(act, [hold])
    return hold


def reject_invoice(act: Act, invoice: Invoice, *, reason: str) -> Invoice:
    """Reject an invoice that is captured or held; its supplier may send another one under the same number.

    Raises: Forbidden; Invalid without a reason; Conflict when a part of it is payable already, or it is settled.
    """
    role_for(act, CLERKS, to="reject an invoice")
    if not reason.strip():
        raise Invalid("Expected a reason for the rejection, but there is none", {"reason": "is required"})
    if any(payable_of(act.session, line) for line in invoice.lines):
        raise Conflict(f"Expected nothing of {invoice.number} to be payable, but a part is; claim it with a debit note")
    standing = open_holds(act, invoice)
    for hold in standing:
        _end(act, hold, HoldStatus.CLEARED, reason=f"Rejected: {reason}")
    move(act, invoice, InvoiceStatus.REJECTED, reason=reason)
    for order in _orders(invoice):
        settle_statuses(act, order)
    _tell_ended(act, standing)
    return invoice


def releasers_of(code: HoldCode) -> list[str]:
    """Return the roles that may release a hold."""
    return [role.strip() for role in str(_hold_row(code)["releasers"]).split(",")]


def way_out_of(code: HoldCode) -> str:
    """Return what to do about a hold, in words."""
    return str(_hold_row(code)["way_out"])


def hold_hash(hold: MatchHold) -> str:
    """Return the hash of what a release signs: this hold, with both values."""
    return content_hash(
        {
            "hold": hold.id, "invoice_line": hold.invoice_line_id, "code": hold.code.value, "expected": hold.expected,
            "found": hold.found,
        }
    )  # fmt: skip


def figures_of(act: Act, billed: InvoiceLine) -> Figures:
    """Return what the match of an invoice line looks at, as it is now."""
    line, invoice = billed.order_line, billed.invoice
    waiting = [
        (receipt.counted_quantity, missing)
        for receipt in receipts_of(act.session, line)
        if receipt.reverses_id is None and receipt.status not in RULED_OUT
        and (missing := missing_certificates(act.session, receipt))
    ]  # fmt: skip
    uncertified = sum((quantity for quantity, _ in waiting), NONE)
    released = {
        hold.code for hold in holds_of(act.session, billed) if hold.status is HoldStatus.RELEASED
    }  # fmt: skip
    return Figures(
        level=line.match_level, uom=line.uom, currency=invoice.currency, order_currency=line.order.currency,
        quantity=billed.quantity, price=billed.unit_price, order_price=line.unit_price, ordered=line.quantity,
        received=line.quantity_received, certified=max(line.quantity_received - uncertified, NONE),
        accepted=line.quantity_accepted, invoiced_before=line.quantity_invoiced - payable_of(act.session, billed),
        missing=tuple(sorted({one for _, missing in waiting for one in missing})), released=frozenset(released),
    )  # fmt: skip


def open_holds(act: Act, invoice: Invoice) -> list[MatchHold]:
    """Return the holds of an invoice that nobody ended."""
    return [hold for line in invoice.lines for hold in holds_of(act.session, line) if hold.status is HoldStatus.OPEN]


def rematch_line(act: Act, order_line_id: str) -> None:
    """Match every held invoice on an order line again: goods were accepted, a certificate came, a price was amended."""
    wanted = (
        select(Invoice)
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .where(InvoiceLine.order_line_id == order_line_id, Invoice.status == InvoiceStatus.HELD)
    )
    for invoice in act.session.scalars(wanted.distinct().order_by(Invoice.number)).all():
        match(act, invoice)


def _match_line(act: Act, billed: InvoiceLine) -> None:
    if billed.quantity < 0:
        _credit(act, billed)
        return
    figures = figures_of(act, billed)
    verdict = judge_match(figures, profile_of(billed.order_line))
    result = _keep_result(act, billed, figures, verdict)
    _set_holds(act, billed, verdict.holds)
    if verdict.is_matched:
        was_released = any(hold.status is HoldStatus.RELEASED for hold in holds_of(act.session, billed))
        _pay(act, billed, result, PayableKind.RELEASED if was_released else PayableKind.MATCHED, "")


def _credit(act: Act, billed: InvoiceLine) -> None:
    """Let a credit or debit note count at once: it only takes back."""
    if payable_of(act.session, billed):
        return
    _add_payable(act, billed, billed.quantity, PayableKind.CREDITED, "Credited")


def _pay(act: Act, billed: InvoiceLine, result: MatchResult | None, kind: PayableKind, reason: str) -> Decimal:
    if result is None:
        return NONE
    more = result.payable_quantity - payable_of(act.session, billed)
    if more <= 0:
        return NONE
    _add_payable(act, billed, more, kind, reason)
    return more


def _add_payable(act: Act, billed: InvoiceLine, quantity: Decimal, kind: PayableKind, reason: str) -> None:
    amount = line_amount(quantity, billed.unit_price, currency=billed.invoice.currency)
    act.session.add(
        Payable(
            invoice_line=billed, invoice_line_id=billed.id, order_line_id=billed.order_line_id, kind=kind, quantity=quantity,
            amount=amount, reason=reason[:4000],
        )
    )  # fmt: skip
    count_payable(act, billed.order_line)


def _keep_result(act: Act, billed: InvoiceLine, figures: Figures, verdict: Verdict) -> MatchResult:
    runs = results_of(act.session, billed)
    profile = profile_of(billed.order_line)
    values: dict[str, Any] = {
        "level": figures.level, "profile": profile.code, "quantity": figures.quantity, "ordered": figures.ordered,
        "received": figures.received, "accepted": figures.accepted, "invoiced_before": figures.invoiced_before,
        "order_price": figures.order_price, "invoice_price": figures.price, "price_excess": verdict.price_excess,
        "price_allowance": verdict.price_allowance, "payable_quantity": verdict.payable,
        "status": MatchStatus.MATCHED if verdict.is_matched else MatchStatus.HELD,
        "payable_amount": line_amount(verdict.payable, figures.price, currency=figures.currency),
        "judged_by": profile.judged_by,
    }  # fmt: skip
    if runs and all(getattr(runs[-1], name) == value for name, value in values.items()):
        return runs[-1]
    result = MatchResult(
        invoice_line=billed, invoice_line_id=billed.id, run=len(runs) + 1, matched_at=act.now, **values
    )
    act.session.add(result)
    act.session.flush()
    return result


def _set_holds(act: Act, billed: InvoiceLine, wanted: Iterable[Hold]) -> None:
    """Open what is new, clear what is gone; a hold that stands keeps its age and shows both values as they are now."""
    by_code = {hold.code: hold for hold in wanted}
    for known in holds_of(act.session, billed):
        if known.status is not HoldStatus.OPEN:
            continue
        standing = by_code.get(known.code)
        if standing is not None and (standing.expected, standing.found) == (known.expected, known.found):
            del by_code[known.code]
            continue
        _end(act, known, HoldStatus.CLEARED, reason="" if standing is None else "The figures changed")
    for hold in by_code.values():
        act.session.add(
            MatchHold(
                invoice_line=billed, invoice_line_id=billed.id, code=hold.code, expected=hold.expected, found=hold.found,
                owner=f"role:{_hold_row(hold.code)['owner']}", opened_at=act.now,
            )
        )  # fmt: skip
    act.session.flush()


def _end(
    act: Act,
    hold: MatchHold,
    status: HoldStatus,
    *,
    by: str | None = None,
    reason: str = "",
    signature_id: str | None = None,
) -> None:
    with act.session.no_autoflush:
        hold.status, hold.ended_at, hold.released_by = status, act.now, by
        hold.reason, hold.signature_id = reason[:4000], signature_id
    act.session.flush()


def _tell_ended(act: Act, holds: Iterable[MatchHold]) -> None:
    """Close the tasks of those whose hold is over, once everything is written: the flow matches again at once."""
    for hold in holds:
        if hold.status is not HoldStatus.OPEN:
            tell_flow(act, "hold.ended", f"{hold.invoice_line.invoice_id}:{TURNS.get(hold.code, '')}")


def _latest(act: Act, billed: InvoiceLine) -> MatchResult | None:
    runs = results_of(act.session, billed)
    return runs[-1] if runs else None


def _orders(invoice: Invoice) -> list[PurchaseOrder]:
    return list({line.order_line.order_id: line.order_line.order for line in invoice.lines}.values())


def _hold_row(code: HoldCode) -> dict[str, object]:
    return dict(table_called("match_holds").judge(code=code.value).row.outputs)
