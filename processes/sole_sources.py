"""Justify a single source, or too few quotes, and have it signed (A15): the buyer writes, the purchasing manager signs."""

from __future__ import annotations

from decimal import Decimal

from engine.act import Act
from engine.errors import Invalid
from records.numbering import next_number
from records.quotation import RequestForQuotation
from records.requisition import Requisition
from records.sole_source import Cause, JustificationStatus, SoleSourceJustification, justification_hash, move
from records.supplier import Supplier

SHORTEST, LONGEST = 10, 4000
"""Characters of a reason: fewer say nothing."""


def justify(
    act: Act, requisition: Requisition, supplier: Supplier, *, cause: str, reason: str, amount: Decimal, currency: str,
    quotes_needed: int, quotes_valid: int, request: RequestForQuotation | None = None, price_reasonable: str = "",
) -> SoleSourceJustification:  # fmt: skip
    """Write down why this supplier is bought from without enough quotes. Raises: Invalid naming the field."""
    words = " ".join(reason.split())
    if not SHORTEST <= len(words) <= LONGEST:
        raise Invalid(
            f"Expected a reason of {SHORTEST} to {LONGEST:,} characters, but it has {len(words)}", {"note": "Say why"}
        )
    try:
        known = Cause(cause)
    except ValueError as error:
        raise Invalid(
            f"Expected one of {', '.join(Cause)}, but found {cause!r:.40}", {"cause": "is unknown"}
        ) from error
    site = requisition.site
    justification = SoleSourceJustification(
        number=next_number(act, "SSJ", site=site), site=site, site_id=site.id, requisition=requisition,
        requisition_id=requisition.id, supplier=supplier, supplier_id=supplier.id, request_id=request.id if request else None,
        amount=amount, currency=currency, cause=known, reason=words, price_reasonable=price_reasonable.strip()[:LONGEST],
        quotes_needed=quotes_needed, quotes_valid=quotes_valid, written_by=act.user_id, content_hash="0" * 64,
    )  # fmt: skip
    justification.content_hash = justification_hash(justification)
    act.session.add(justification)
    act.session.flush()
    return justification


def sign(act: Act, justification: SoleSourceJustification, *, signature_id: str) -> None:
    """Note the manager's signature. Raises: Conflict."""
    move(act, justification, JustificationStatus.SIGNED, signature_id=signature_id)
    act.session.flush()


def refuse(act: Act, justification: SoleSourceJustification, *, reason: str) -> None:
    """Note the manager's refusal. Raises: Conflict."""
    move(act, justification, JustificationStatus.REFUSED, reason=reason)
    act.session.flush()


def refuse_unsigned(act: Act, justification_id: str, *, reason: str) -> None:
    """Take a justification off the table that nobody signed yet; one that is settled stays as it is."""
    found = act.session.get_one(SoleSourceJustification, justification_id)
    if found.status is JustificationStatus.PROPOSED:
        refuse(act, found, reason=reason)
