"""From a transmitted order to its end (A31 to A39): what the flow's steps do with goods, certificates and bills."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Refused
from engine.instances import link_record
from engine.registry import Registry, Work
from processes import (
    certification,
    goods_settling,
    inspecting,
    matching,
    order_closing,
    order_messages,
    sorting,
)
from processes.approved_suppliers import open_orders
from processes.documents import existing, order_variable
from processes.goods_route import certificate_variable, goods_variable
from processes.notices import tell, tell_role
from processes.order_progress import order_key, settle_statuses
from processes.snoozes import remind, remind_role, waiting
from records.attachment import attach
from records.calendar import is_open
from records.certificate import Certificate, missing_certificates
from records.invoice import Invoice, InvoiceStatus
from records.nonconformance import Disposition
from records.part import Criticality
from records.purchase_order import FINAL, OrderStatus, PurchaseOrder
from records.receipt import OverDecision, Receipt, ReceiptStatus, ShortClose, ShortCloseStatus
from records.signature import Signature, SignatureStatus
from records.supplier import SupplierStatus, move_supplier

PROCESS = "order_to_close"

registry = Registry()


@registry.step("open_order_book")
def open_order_book(act: Act, work: Work) -> Mapping[str, Any]:
    """A31: link the order, and read how long each step may take: the most critical part on it decides."""
    order = _order(act, work)
    if work.instance is not None:
        link_record(act, work.instance.id, order.record_type, order.id)
    ranks = [line.part_revision.part.criticality for line in order.lines if line.part_revision is not None]
    worst = max(ranks, key=list(Criticality).index, default=Criticality.STD)
    return {"order": _about(order), "criticality": worst.value}


@registry.step("weigh_order")
def weigh_order(act: Act, work: Work) -> Mapping[str, Any]:
    """A37: see whether the order is at its end, and what keeps it open."""
    order = _order(act, work)
    reasons = order_closing.what_keeps_open(act.session, order)
    is_complete = order.status is OrderStatus.RECEIVED and not reasons
    return {
        "order": _about(order),
        "is_complete": is_complete,
        "was_ended_elsewhere": order.status in FINAL,
        "open_points": reasons,
    }


@registry.step("close_order")
def close_order(act: Act, work: Work) -> Mapping[str, Any]:
    """A39: received, accepted, invoiced, nothing held: the order is frozen."""
    order = order_closing.close(act, _order(act, work))
    if order.buyer_id is not None:
        record = (order.record_type, order.id)
        tell(act, [order.buyer_id], f"{order.number} is closed", key=f"{order.id}:closed", record=record)
    return {"order": _about(order)}


@registry.errand("archive_order")
def archive_order(installation: Installation, work: Work) -> Mapping[str, Any]:
    """A39: keep the package of PDF, records and hashes with the order."""
    with installation.reading() as session:
        order = existing(session, PurchaseOrder, work["order"]["id"])
        content = order_closing.archive_of(session, order)
    with installation.acting("system:archive") as act:
        order = existing(act.session, PurchaseOrder, work["order"]["id"])
        kept = attach(act, order, content, file_name=f"{order.number.replace('/', '-')}.zip")
        return {"archive": {"file": kept.file_name, "sha256": kept.sha256}}


@registry.step("look_at_goods")
def look_at_goods(act: Act, work: Work) -> Mapping[str, Any]:
    """A32 to A36: what has to happen next with goods that came in."""
    receipt = goods_settling.settle(act, _receipt(act, work))
    settle_statuses(act, receipt.order_line.order)
    return {"goods": goods_variable(act, receipt), "order": _about(receipt.order_line.order)}


@registry.step("settle_excess")
def settle_excess(act: Act, work: Work) -> Mapping[str, Any]:
    """A32: back, counted after an amendment, or accepted free."""
    wanted = OverDecision({"return": "RETURN", "amend": "AMEND", "free": "FREE"}[_verdict(work)])
    reason = _reason(work, "Agreed between buyer and receiving")
    return _tried(act, lambda: inspecting.decide_excess(act, _receipt(act, work), wanted, reason=reason).number)


@registry.step("apply_clearance")
def apply_clearance(act: Act, work: Work) -> Mapping[str, Any]:
    """A33: the doubt about the goods is gone, or they are rejected."""
    receipt = _receipt(act, work)
    if _verdict(work) == "reject":
        return _tried(
            act, lambda: inspecting.reject(act, receipt, reason=_reason(work, "Rejected in quarantine")).number
        )
    return _tried(act, lambda: inspecting.clear(act, receipt, reason=_reason(work, "Checked")).number)


@registry.step("record_inspection")
def record_inspection(act: Act, work: Work) -> Mapping[str, Any]:
    """A34: what the sample showed, under the signature of the task."""
    receipt = _receipt(act, work)
    signature = _signature(act, receipt.record_type, receipt.id)
    rejects, findings = int(work.get("rejects") or 0), str(work.get("findings") or "")
    mark = signature.id if signature else None
    serials = (
        tuple(re.split(r"[\s,;]+", str(work.get("sorted_serials") or "").strip())) if work.get("sorted_serials") else ()
    )
    if work.get("sorted_out") or serials:
        bad = Decimal(str(work.get("sorted_out") or len(serials)))
        given: dict[str, Any] = {"rejected": bad, "findings": findings, "signature": signature, "serials": serials}
        return _tried(act, lambda: sorting.record_sorting(act, receipt, **given).passed.number)
    return _tried(
        act,
        lambda: (
            inspecting.record_inspection(act, receipt, rejects=rejects, findings=findings, signature_id=mark).number
        ),
    )


@registry.step("check_certificates")
def check_certificates(act: Act, work: Work) -> Mapping[str, Any]:
    """A36: whoever says that the certificates are there has verified them; else it is asked again, naming what is missing."""
    receipt = _receipt(act, work)
    missing = missing_certificates(act.session, receipt)
    if missing and receipt.status in (ReceiptStatus.INSPECTION, ReceiptStatus.QUARANTINE):
        words = f"Expected {' and '.join(missing)} of {receipt.number} to be verified, but it is not"
        return {"refusal": f"{words}; enter and verify it on the page of the goods first."}
    return {"refusal": None}


@registry.step("remind_of_certificate")
def remind_of_certificate(act: Act, work: Work) -> None:
    """A36: the certificate has not come; buyer and supplier quality hear of it."""
    receipt = _receipt(act, work)
    order, missing = receipt.order_line.order, ", ".join(missing_certificates(act.session, receipt))
    subject = f"{order.supplier.name} owes {missing or 'a certificate'} for {receipt.number} ({order.number})"
    record = (order.record_type, order.id)
    task = waiting(act, work, "obtain_certificate", same="receipt")
    remind_role(act, task, "SQ", subject, key=f"{receipt.id}:cert:sq", record=record)
    if order.buyer_id is not None:
        remind(act, task, [order.buyer_id], subject, key=f"{receipt.id}:cert:buyer", record=record)


@registry.step("hold_supplier")
def hold_supplier(act: Act, work: Work) -> None:
    """A36: no certificate after so long: nothing new is issued to the supplier until supplier quality lifts it."""
    receipt = _receipt(act, work)
    supplier, number = receipt.order_line.order.supplier, receipt.number
    reason = (
        f"{', '.join(missing_certificates(act.session, receipt)) or 'A certificate'} of {number} did not come in time"
    )
    if supplier.status in (SupplierStatus.APPROVED, SupplierStatus.CONDITIONAL):
        move_supplier(act, supplier, SupplierStatus.SUSPENDED, reason=reason)
    record = ("purchase_order", receipt.order_line.order_id)
    orders = ", ".join(order.number for order in open_orders(act.session, supplier)) or "none"
    for role in ("SQ", "PUR_MGR", "BUYER"):
        tell_role(
            act, role, f"{supplier.name} is suspended: {reason}", key=f"{receipt.id}:hold:{role}", record=record,
            body=f"{reason}.\n\nOpen orders: {orders}.",
        )  # fmt: skip


@registry.step("chase_nonconformance")
def chase_nonconformance(act: Act, work: Work) -> None:
    """A35: nobody decided what becomes of rejected goods."""
    receipt = _receipt(act, work)
    record = ("purchase_order", receipt.order_line.order_id)
    task = waiting(act, work, "decide_nonconformance", same="receipt")
    subject = f"{receipt.number} still waits for its disposition"
    remind_role(act, task, "QA_ENG", subject, key=f"{receipt.id}:ncr", record=record)


@registry.step("dispose_of_goods")
def dispose_of_goods(act: Act, work: Work) -> Mapping[str, Any]:
    """A35: rejected goods go back, are reworked at the supplier, or are scrapped; the line is open for their replacement."""
    words = {"send_back": Disposition.RETURN, "rework": Disposition.REWORK, "scrap": Disposition.SCRAP}
    reason = _reason(work, "Decided by quality")
    return _tried(
        act, lambda: inspecting.dispose(act, _receipt(act, work), words[_verdict(work)], reason=reason).number
    )


@registry.step("use_goods")
def use_goods(act: Act, work: Work) -> Mapping[str, Any]:
    """A35: engineering signed that the goods are used as they are."""
    receipt = _receipt(act, work)
    signature = _signature(act, receipt.record_type, receipt.id)
    reason = _reason(work, "Material review")
    return _tried(act, lambda: inspecting.use_as_is(act, receipt, signature, reason=reason).number)


@registry.step("judge_certificate")
def judge_certificate(act: Act, work: Work) -> Mapping[str, Any]:
    """A34: verified against the order under the signature of the task, or rejected."""
    certificate = existing(act.session, Certificate, work["certificate"]["id"])
    if _verdict(work) == "reject":
        certification.reject_certificate(act, certificate, reason=_reason(work, "It does not fit the order"))
    else:
        signature = _signature(act, certificate.record_type, certificate.id)
        certification.verify_signed(act, certificate, signature)
    return {"certificate": certificate_variable(certificate)}


@registry.step("describe_certificate")
def describe_certificate(act: Act, work: Work) -> Mapping[str, Any]:
    """A34: what the certificate states, beside what the order asks for."""
    return {"certificate": certificate_variable(existing(act.session, Certificate, work["certificate"]["id"]))}


@registry.step("book_receipt")
def book_receipt(act: Act, work: Work) -> Mapping[str, Any]:
    """A31: a receipt from the ERP; what cannot be booked is shown to receiving, with the reason."""
    return _tried(act, lambda: order_messages.book_receipt(act, work))


@registry.step("capture_bill")
def capture_bill(act: Act, work: Work) -> Mapping[str, Any]:
    """A38: an invoice from outside; what cannot be captured is shown to accounts payable, with the reason."""
    return _tried(act, lambda: order_messages.capture_bill(act, work))


@registry.step("keep_certificate")
def keep_certificate(act: Act, work: Work) -> Mapping[str, Any]:
    """A36: a certificate from outside; what cannot be kept is shown to supplier quality, with the reason."""
    return _tried(act, lambda: order_messages.keep_certificate(act, work))


@registry.step("match_bill")
def match_bill(act: Act, work: Work) -> Mapping[str, Any]:
    """A38: compare the invoice anew; say whose turn each hold is."""
    invoice = matching.match(act, existing(act.session, Invoice, work["invoice"]["id"]))
    holds = matching.open_holds(act, invoice)
    turns = sorted({matching.TURNS[hold.code] for hold in holds if hold.code in matching.TURNS})
    return {
        "invoice": {
            "id": invoice.id, "number": invoice.number, "supplier": invoice.supplier.name, "total": invoice.total,
            "currency": invoice.currency, "due_on": invoice.due_on, "status": invoice.status.value,
            "supplier_invoice_no": invoice.supplier_invoice_no,
        },
        "turns": turns,
        "holds": [
            {
                "code": hold.code.value, "line": hold.invoice_line.order_line.number, "expected": hold.expected, "found": hold.found,
                "turn": matching.TURNS.get(hold.code), "way_out": matching.way_out_of(hold.code),
            }
            for hold in holds
        ],
        "is_held": invoice.status is InvoiceStatus.HELD,
        "escalate_at": _warning(act, invoice, int(work["deadlines"]["due_warning"])),
        "order": _about(_order(act, work)),
    }  # fmt: skip


@registry.step("escalate_bill")
def escalate_bill(act: Act, work: Work) -> None:
    """A38: the invoice will soon be due and is still held."""
    invoice = existing(act.session, Invoice, work["invoice"]["id"])
    order = _order(act, work)
    subject = f"{invoice.number} of {invoice.supplier.name} is due on {invoice.due_on} and still held"
    for role in ("AP", "PUR_LEAD"):
        tell_role(act, role, subject, key=f"{invoice.id}:due:{role}", record=(order.record_type, order.id))


@registry.step("settle_short_close")
def settle_short_close(act: Act, work: Work) -> None:
    """A37: the planner confirms that the rest does not come, or refuses."""
    proposal = existing(act.session, ShortClose, work["short_close"]["id"])
    if proposal.status is ShortCloseStatus.PROPOSED:
        confirm = _verdict(work) == "confirm"
        order_closing.decide_short_close(
            act, proposal, confirm=confirm, answer=_reason(work, "" if not confirm else "Agreed")
        )


def _warning(act: Act, invoice: Invoice, days: int) -> dt.datetime:
    """Return the instant so many business days before an invoice is due; a month from now when nobody said when it is."""
    if invoice.due_on is None:
        return act.now + dt.timedelta(days=30)
    site = invoice.lines[0].order_line.order.site
    closed, day = {holiday.on for holiday in site.holidays}, invoice.due_on
    while days > 0:
        day -= dt.timedelta(days=1)
        days -= is_open(site, closed, day)
    return dt.datetime.combine(day, dt.time(8), tzinfo=site.zone).astimezone(dt.UTC)


def _order(act: Act, work: Work) -> PurchaseOrder:
    return existing(act.session, PurchaseOrder, work["order"]["id"])


def _receipt(act: Act, work: Work) -> Receipt:
    return existing(act.session, Receipt, work["receipt"]["id"])


def _about(order: PurchaseOrder) -> dict[str, Any]:
    return {**order_variable(order), "key": order_key(order)}


def _verdict(work: Work) -> str:
    return str((work.get("decision") or {}).get("verdict") or "")


def _reason(work: Work, otherwise: str) -> str:
    return str((work.get("decision") or {}).get("reason") or work.get("note") or otherwise)


def _signature(act: Act, record_type: str, record_id: str) -> Signature | None:
    wanted = select(Signature).where(
        Signature.record_type == record_type, Signature.record_id == record_id, Signature.status == SignatureStatus.VALID,
        Signature.signer_id == act.user_id,
    )  # fmt: skip
    return act.session.scalars(wanted.order_by(Signature.signed_at.desc(), Signature.id.desc())).first()


def _tried(act: Act, work: Callable[[], str]) -> Mapping[str, Any]:
    """Do it in a savepoint: a refusal becomes the sentence a person reads, and nothing of it stays."""
    try:
        with act.attempt():
            return {"refusal": None, "kept_as": work()}
    except Refused as refusal:
        fields = getattr(refusal, "fields", {})
        more = " ".join(f"{name}: {text}." for name, text in fields.items())
        return {"refusal": f"{refusal.message} {more}".strip()[:2000], "kept_as": None}
