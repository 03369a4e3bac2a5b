"""What follows when nothing stands between goods and their acceptance any more (A34, A36)."""

from __future__ import annotations

from engine.act import Act
from processes import goods_lots
from processes.matching import rematch_line
from records.certificate import missing_certificates
from records.inspection import InspectionResult, inspections_of
from records.receipt import Quarantine, Receipt, ReceiptStatus, keep_apart, move


def settle(act: Act, receipt: Receipt) -> Receipt:
    """Let goods go by what is known of them: accepted when inspected and certified, kept apart while a certificate is missing.

    Goods that are rejected, kept apart for another reason, or not inspected yet stay as they are.
    """
    waits_for_paper = receipt.status is ReceiptStatus.QUARANTINE and receipt.quarantine is Quarantine.CERTIFICATE
    if receipt.reverses_id is not None or (receipt.status is not ReceiptStatus.INSPECTION and not waits_for_paper):
        return receipt
    line, found = receipt.order_line, inspections_of(act.session, receipt)
    if line.is_inspection_required and not any(one.result is InspectionResult.PASS for one in found):
        return receipt
    missing = missing_certificates(act.session, receipt)
    if missing:
        if not waits_for_paper:
            words = f"Expected {' and '.join(missing)} with the goods, but no verified one is there."
            keep_apart(act, receipt, Quarantine.CERTIFICATE, reason=words)
        return receipt
    if waits_for_paper:
        move(act, receipt, ReceiptStatus.INSPECTION, reason="Every certificate is verified")
    move(act, receipt, ReceiptStatus.ACCEPTED)
    goods_lots.release(act, receipt, reason=f"{receipt.number} accepted")
    return say_settled(act, receipt)


def say_settled(act: Act, receipt: Receipt) -> Receipt:
    """Match the held invoices on the line again: what was missing may be there now."""
    rematch_line(act, receipt.order_line_id)
    return receipt
