"""The signatures of a document for its print-outs: who, as what, what it means, when and in which zone, on which content (21 CFR 11.50)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from engine.record import Record
from records.amendment import AmendmentStatus, PurchaseOrderAmendment, amendments_of
from records.purchase_order import PurchaseOrder
from records.signature import Signature, SignatureStatus
from records.signing import signatures_on

Printed = dict[str, str]

NEVER_TOOK_EFFECT = frozenset(
    {AmendmentStatus.DRAFT, AmendmentStatus.PENDING, AmendmentStatus.REJECTED, AmendmentStatus.WITHDRAWN}
)


def signed_on(session: Session, record: Record, *contents: str | None, number: str) -> list[Printed]:
    """Return what is printed of the valid signatures on these contents of a document, oldest first; reasons stay in the house."""
    return [
        printed_signature(one, about=number)
        for one in signatures_on(session, record.record_type, record.id)
        if one.status is SignatureStatus.VALID and one.content_hash in contents
    ]


def signed_order(session: Session, order: PurchaseOrder) -> list[Printed]:
    """Return what is printed of the signatures that an order rests on: its own, and those on the amendments that took effect."""
    found = signed_on(session, order, order.approved_hash, number=f"{order.number} rev. {order.revision}")
    for amendment in amendments_of(session, order):
        if amendment.status not in NEVER_TOOK_EFFECT:
            found += signed_amendment(session, amendment)
    return found


def signed_amendment(session: Session, amendment: PurchaseOrderAmendment) -> list[Printed]:
    """Return what is printed of the signatures on an amendment."""
    return signed_on(session, amendment, amendment.content_hash, number=amendment.number)


def with_reasons(session: Session, printed: Sequence[Printed], record: Record) -> list[Printed]:
    """Return the same with the reasons that the signers of a document gave, for print-outs that stay in the house."""
    reasons = {one.id: one.reason for one in signatures_on(session, record.record_type, record.id)}
    return [one | {"reason": reasons.get(one["id"], "")} for one in printed]


def printed_signature(signature: Signature, *, about: str) -> Printed:
    """Return one signature as it is printed. about: number and revision of what was signed."""
    zone = dt.timezone(dt.timedelta(minutes=signature.local_offset))
    local, utc = signature.signed_at.astimezone(zone), signature.signed_at.astimezone(dt.UTC)
    return {
        "id": signature.id, "name": signature.printed_name, "title": signature.printed_title,
        "meaning": signature.meaning.value.capitalize(), "at": f"{local:%Y-%m-%d %H:%M:%S %z} ({utc:%H:%M:%S} UTC)",
        "for": signature.on_behalf_of.name if signature.on_behalf_of is not None else "",
        "about": about, "hash": signature.content_hash, "reason": "",
    }  # fmt: skip
