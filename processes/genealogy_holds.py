"""Accept, reject, hold and release lots: any quality user may hold, and only a signature ends a hold."""

from __future__ import annotations

from engine.act import Act
from engine.canonical import canonical, content_hash
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from records.lot import Lot, LotStatus, move
from records.roles import grants_of
from records.signature import Meaning
from records.signing import PasswordSigner

QUALITY = ("QA_ENG", "QA_SP", "SQ", "IT_QA", "METROLOGY")
"""Roles of quality, each of which may hold a lot and release it."""

RELEASING = frozenset({Meaning.APPROVED, Meaning.RELEASED, Meaning.VERIFIED})


def accept_lot(act: Act, lot: Lot, *, reason: str | None = None) -> Lot:
    """Let a lot out of quarantine. Who may, and on what evidence, is the inspection's to ask."""
    return move(act, lot, LotStatus.AVAILABLE, reason=reason)


def reject_lot(act: Act, lot: Lot, *, reason: str) -> Lot:
    """Bar a lot in quarantine or on hold from ever being used. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("Expected a reason for the rejection, but there is none", {"reason": "is required"})
    return move(act, lot, LotStatus.REJECTED, reason=reason.strip())


def use_as_is(act: Act, lot: Lot, *, signature_id: str, reason: str) -> Lot:
    """Let a rejected lot be used after all, as a material review decided.

    signature_id: a signature on the lot or on the receipt it came from, not used for it before; the guard asks for it.
    """
    with act.session.no_autoflush:
        move(act, lot, LotStatus.AVAILABLE, reason=reason)
        lot.release_signature_id = signature_id
    act.session.flush()
    return lot


def quarantine_lot(act: Act, lot: Lot, *, reason: str) -> Lot:
    """Put an accepted lot back into quarantine until it is inspected again."""
    return move(act, lot, LotStatus.QUARANTINE, reason=reason)


def hold_lot(act: Act, lot: Lot, *, reason: str) -> Lot:
    """Stop a lot at once; what was made of it stays as it is, and the trace names it.

    Raises: Forbidden for anybody but quality; Invalid without a reason; Conflict ILLEGAL_TRANSITION unless AVAILABLE.
    """
    if act.user_id is not None:
        _quality_role(act)
    if not reason.strip():
        raise Invalid("Expected a reason for the hold, but there is none", {"reason": "is required"})
    with act.session.no_autoflush:
        move(act, lot, LotStatus.HOLD, reason=reason.strip())
        lot.hold_reason = reason.strip()
    act.session.flush()
    return lot


def release_lot(act: Act, lot: Lot, request: SignatureRequest, *, reason: str, seen_hash: str) -> Lot:
    """End a hold with quality's signature.

    seen_hash: ``lot_hash`` as the signer saw it. Raises: Forbidden; Invalid for content that changed, a missing reason or
    a meaning that does not release; Conflict ILLEGAL_TRANSITION unless on hold.
    """
    role = _quality_role(act)
    if lot.status is not LotStatus.HOLD or lot.quantity_left == 0:
        why = "nothing of it is left" if lot.status is LotStatus.HOLD else f"it is {lot.status}"
        raise Conflict(f"Expected {lot.number} to be on hold, but {why}", code="ILLEGAL_TRANSITION")
    digest = lot_hash(lot)
    if seen_hash != digest:
        raise Invalid("Expected the lot as you saw it, but it changed since; reload it", {"seen_hash": "is stale"})
    if not reason.strip():
        raise Invalid("Expected a reason for the release, but there is none", {"reason": "is required"})
    if request.meaning not in RELEASING:
        raise Invalid(f"Expected a meaning that releases, but it is {request.meaning}", {"meaning": "does not release"})
    signer = act.installation.signer
    if not isinstance(signer, PasswordSigner):
        raise TypeError("Expected a signer with passwords to be wired before anybody signs, but there is another")
    signature = signer.sign_record(act, lot, request, content_hash=digest, principal=role, reason=reason.strip())
    with act.session.no_autoflush:
        move(act, lot, LotStatus.AVAILABLE, reason=reason.strip())
        lot.release_signature_id = signature.id
    act.session.flush()
    return lot


def lot_hash(lot: Lot) -> str:
    """Return the hash of what a signature on a lot's release approves."""
    return content_hash(
        {
            "number": lot.number,
            "part_revision": lot.part_revision.number,
            "heat": lot.heat,
            "source": lot.source.value,
            "source_id": lot.source_id,
            "status": lot.status.value,
            "hold_reason": lot.hold_reason,
            "quantity_left": canonical(lot.quantity_left, scale=6),
            "uom": lot.uom,
            "expires_on": canonical(lot.expires_on),
        }
    )


def _quality_role(act: Act) -> str:
    held = {grant.role for grant in grants_of(act.session, act.user_id, at=act.now)} if act.user_id else set()
    role = next((role for role in QUALITY if role in held), None)
    if role is None:
        raise Forbidden(
            f"Expected quality ({', '.join(QUALITY[:3])}) to decide about a lot, but you are not", code="NOT_AUTHORISED"
        )
    return role
