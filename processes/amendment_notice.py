"""Find the amendment that a flow is about, and tell its buyer how it goes."""

from __future__ import annotations

from engine.act import Act
from engine.registry import Work
from processes.documents import existing
from processes.notices import tell
from records.amendment import (
    PurchaseOrderAmendment,
)


def amendment_of(act: Act, work: Work) -> PurchaseOrderAmendment:
    """Return the amendment that an instance is about. Raises: NotFound."""
    return existing(act.session, PurchaseOrderAmendment, work["amendment"]["id"])


def tell_buyer(act: Act, amendment: PurchaseOrderAmendment, subject: str, *, body: str = "") -> None:
    """Tell the order's buyer and whoever proposed the amendment."""
    people = [person for person in (amendment.order.buyer_id, amendment.opened_by) if person and ":" not in person]
    tell(
        act, people, subject, key=f"{amendment.id}:{amendment.status}:{act.id}", body=body, record=record_of(amendment)
    )


def record_of(amendment: PurchaseOrderAmendment) -> tuple[str, str]:
    """Return the amendment as notices and links name a record."""
    return amendment.record_type, amendment.id
