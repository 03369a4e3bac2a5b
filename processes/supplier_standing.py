"""Move a supplier as a whole: conditional or approved with quality's signature, suspended at once (SUP-09, SUP-10).

A suspension, of the supplier or of one scope, also keeps apart what came from it and has not been accepted yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from engine.signals import broadcast
from processes import identity
from processes.goods_signature import role_for, sign
from processes.notices import tell_role
from processes.supplier_tasks import say_reviewed
from processes.supplier_watch import look
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Quarantine, Receipt, ReceiptStatus, keep_apart
from records.signature import Meaning, Signature
from records.supplier import SUPPLIER_TRANSITIONS, Supplier, SupplierStatus, move_supplier

KEEPERS = ("SQ", "QA_ENG")
SIGNED = frozenset({SupplierStatus.CONDITIONAL, SupplierStatus.APPROVED})


def next_standings(supplier: Supplier) -> list[SupplierStatus]:
    """Return where quality may move a supplier, in a stable order."""
    able = (SupplierStatus.CONDITIONAL, SupplierStatus.APPROVED, SupplierStatus.SUSPENDED)
    return [status for status in able if (supplier.status, status) in SUPPLIER_TRANSITIONS]


def grade(
    act: Act, supplier: Supplier, to: SupplierStatus, request: SignatureRequest, *, reason: str, seen_hash: str
) -> Supplier:
    """Make a supplier conditional or approved, signed by quality; flows that wait for it go on.

    seen_hash: ``standing_hash`` as the signer saw it. Raises: Forbidden; Invalid without a reason or for content that changed;
    Conflict ILLEGAL_TRANSITION.
    """
    role = role_for(act, KEEPERS, to="grade a supplier")
    _require(reason)
    if to not in SIGNED:
        raise Invalid(f"Expected CONDITIONAL or APPROVED, but {to} was asked for", {"to": "needs no signature"})
    digest = standing_hash(supplier, to)
    if seen_hash != digest:
        raise Invalid("Expected the supplier as you saw it, but it changed since; reload it", {"seen_hash": "is stale"})
    signature = sign(act, supplier, request, content_hash=digest, role=role, meanings=[Meaning.APPROVED], reason=reason)
    return _move(act, supplier, to, signature, reason=reason)


def make_conditional(act: Act, supplier: Supplier, signature: Signature | None, *, reason: str) -> Supplier:
    """Make a supplier conditional under the signature of a task (SUP-10). Raises: Forbidden unsigned; as ``grade``."""
    role_for(act, KEEPERS, to="grade a supplier")
    _require(reason)
    if signature is None:
        raise Forbidden("Expected the signature of quality, but there is none", code="SIGNATURE_REQUIRED")
    return _move(act, supplier, SupplierStatus.CONDITIONAL, signature, reason=reason)


def _move(act: Act, supplier: Supplier, to: SupplierStatus, signature: Signature, *, reason: str) -> Supplier:
    move_supplier(act, supplier, to, signature_id=signature.id, reason=reason.strip())
    act.session.flush()
    broadcast(act, f"asl.changed.{supplier.id}", {})
    for told in ("BUYER", "PUR_MGR"):
        subject = f"{supplier.name} is {to.lower()} now"
        tell_role(act, told, subject, key=f"standing:{act.id}", body=reason.strip(), record=_record(supplier))
    say_reviewed(act, supplier.id)
    look(act, supplier)
    return supplier


def suspend_supplier(act: Act, supplier: Supplier, *, reason: str) -> list[Receipt]:
    """Suspend a supplier at once: nothing is issued, nothing leaves, and what came and was not accepted is kept apart (SUP-09).

    Returns: the receipts that were kept apart. Raises: Forbidden for anybody but quality; Invalid without a reason; Conflict.
    """
    role_for(act, KEEPERS, to="suspend a supplier")
    _require(reason)
    if SupplierStatus.SUSPENDED not in next_standings(supplier):
        raise Conflict(
            f"Expected {supplier.name} to be approved or conditional, but it is {supplier.status}",
            code="ILLEGAL_TRANSITION", record=_record(supplier),
        )  # fmt: skip
    move_supplier(act, supplier, SupplierStatus.SUSPENDED, reason=reason.strip())
    act.session.flush()
    broadcast(act, f"asl.changed.{supplier.id}", {})
    return keep_goods_apart(act, supplier)


def keep_goods_apart(act: Act, supplier: Supplier) -> list[Receipt]:
    """Put goods of a suspended supplier that wait for inspection or a certificate into quarantine; return them (SUP-09)."""
    found = []
    for receipt in waiting_goods(act, supplier):
        doubt = identity.doubt_about_supplier(act, receipt)
        if doubt is None:
            continue
        keep_apart(act, receipt, Quarantine.SUPPLIER, reason=doubt.sentence)
        found.append(receipt)
    act.session.flush()
    if found:
        numbers = ", ".join(receipt.number for receipt in found)
        subject = f"{supplier.name} is suspended: {len(found)} deliveries are kept apart"
        for role in KEEPERS:
            tell_role(act, role, subject, key=f"kept-apart:{act.id}", body=numbers, record=_record(supplier))
    return found


def waiting_goods(act: Act, supplier: Supplier) -> Sequence[Receipt]:
    """Return what came from a supplier and nobody has accepted or rejected yet."""
    wanted = (
        select(Receipt)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == Receipt.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.supplier_id == supplier.id, Receipt.reverses_id.is_(None))
        .where(
            Receipt.status.in_([ReceiptStatus.ARRIVED, ReceiptStatus.INSPECTION])
            | ((Receipt.status == ReceiptStatus.QUARANTINE) & (Receipt.quarantine == Quarantine.CERTIFICATE))
        )
    )
    return act.session.scalars(wanted.order_by(Receipt.number)).all()


def standing_hash(supplier: Supplier, to: SupplierStatus) -> str:
    """Return the hash of what a signature on a supplier's standing approves."""
    return content_hash(
        {"supplier": supplier.supplier_no, "name": supplier.name, "from": supplier.status.value, "to": to.value}
    )


def _require(reason: str) -> None:
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})


def _record(supplier: Supplier) -> tuple[str, str]:
    return supplier.record_type, supplier.id
