"""Documents whose whole worth is their signatures: seats are set when they are made and filled one by one, by different people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence, Set

from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from records.approval import ApprovalSlot, slots_of
from records.outside_loss import OutsideLoss
from records.roles import grants_of
from records.signature import Meaning
from records.signing import PasswordSigner
from records.waiver import Waiver
from rules.flow_mode import ModeSwitch

Signable = Waiver | ModeSwitch | OutsideLoss


def set_seats(act: Act, document: Signable, roles: Sequence[str], *, why: str) -> None:
    """Write down who has to sign this very content: one stage for each role, in order."""
    for stage, role in enumerate(roles, start=1):
        act.session.add(
            ApprovalSlot(
                record_type=document.record_type, record_id=document.id, record_hash=document.approved_hash,
                stage=stage, role=role, position=1, why=why,
            )
        )  # fmt: skip
    act.session.flush()


def seats_of(act: Act, document: Signable) -> list[ApprovalSlot]:
    """Return the seats of a document."""
    return slots_of(act.session, document.record_type, document.id, document.approved_hash)


def fill_seat(
    act: Act, document: Signable, request: SignatureRequest, *, seen_hash: str, meaning: Meaning, reason: str = ""
) -> bool:
    """Sign the open seat of a role that the acting person holds; say whether every seat is filled now.

    seen_hash: the content as the signer saw it. meaning: what the signature of this seat says. Raises: Invalid for content
    or a meaning other than these; Forbidden for who holds no open seat or has signed already; Conflict when none is open.
    """
    if seen_hash != document.approved_hash:
        raise Invalid(
            f"Expected {document.number} as you saw it, but it is another; reload it", {"seen_hash": "is stale"}
        )
    if request.meaning != meaning:
        raise Invalid(
            f"Expected the meaning {meaning}, but it is {request.meaning}", {"meaning": "says something else"}
        )
    seat = _open_seat(act, document)
    signer = act.installation.signer
    if not isinstance(signer, PasswordSigner):
        raise TypeError("Expected a signer with passwords to be wired before anybody signs, but there is another")
    signature = signer.sign_record(
        act, document, request, content_hash=document.approved_hash, principal=f"role:{seat.role}", reason=reason
    )
    seat.signature = signature
    act.session.flush()
    return all(each.is_signed for each in seats_of(act, document))


def seats_on(session: Session, document: Signable) -> list[ApprovalSlot]:
    """Return the seats of a document, for pages that only read."""
    return slots_of(session, document.record_type, document.id, document.approved_hash)


def seat_for(session: Session, document: Signable, user_id: str | None, roles: Set[str]) -> ApprovalSlot | None:
    """Return the seat that a person with these roles could fill, or None, also when they signed already."""
    seats = seats_on(session, document)
    if any(seat.signature is not None and seat.signature.signer_id == user_id for seat in seats):
        return None
    return next((seat for seat in seats if not seat.is_signed and seat.role in roles), None)


def open_seat_of(act: Act, document: Signable) -> ApprovalSlot | None:
    """Return the seat that the acting person could fill, or None."""
    return seat_for(act.session, document, act.user_id, roles_held(act))


def roles_held(act: Act) -> set[str]:
    """Return the roles that the acting person holds now."""
    return roles_of_user(act.session, act.user_id, at=act.now)


def roles_of_user(session: Session, user_id: str | None, *, at: dt.datetime) -> set[str]:
    """Return the roles that a person holds at an instant."""
    return {grant.role for grant in grants_of(session, user_id, at=at)} if user_id else set()


def _open_seat(act: Act, document: Signable) -> ApprovalSlot:
    seats = seats_of(act, document)
    open_roles = [seat.role for seat in seats if not seat.is_signed]
    if not open_roles:
        raise Conflict(
            f"Expected a seat to sign on {document.number}, but every one is signed", code="ILLEGAL_TRANSITION"
        )
    if any(seat.signature is not None and seat.signature.signer_id == act.user_id for seat in seats):
        raise Forbidden(
            f"Expected another person for the next signature on {document.number}, but you signed it already",
            code="SOD_VIOLATION", record=(document.record_type, document.id), keep=True,
        )  # fmt: skip
    seat = open_seat_of(act, document)
    if seat is None:
        raise Forbidden(
            f"Expected {' and '.join(open_roles)} to sign {document.number}, but you hold no such role",
            code="NOT_AUTHORISED", record=(document.record_type, document.id), keep=True,
        )  # fmt: skip
    return seat
