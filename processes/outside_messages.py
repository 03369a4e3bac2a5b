"""What is written to a supplier about pieces that it has."""

from __future__ import annotations

from engine.act import Act
from engine.jobs import defer
from processes.notices import tell
from records.outside import OutsideLink


def mail_supplier(act: Act, link: OutsideLink, subject: str, text: str) -> None:
    """Mail the supplier's site, or tell the buyer to call where there is no address."""
    order = link.order
    address = (order.supplier_site.email if order.supplier_site is not None else "") or order.supplier.email
    if address:
        defer(act, "mail", {"to": [address], "subject": subject, "text": text})
        return
    act.note(link.record_type, link.id, "NOT_MAILED", new=f"{order.supplier.name} has no address: {subject}")
    if order.buyer_id is not None:
        told = f"Call {order.supplier.name}, who has no mail address: {subject}"
        tell(
            act,
            [order.buyer_id],
            told,
            key=f"{link.id}:unmailed:{act.id}",
            body=text,
            record=(link.record_type, link.id),
        )
