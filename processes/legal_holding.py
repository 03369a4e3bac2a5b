"""Place a legal hold on a document and lift it: by signature of somebody the table names, with a reason; the guard does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes.evidence import document_called
from records.calendar import MAIN, site_called
from records.legal_hold import HoldStatus, LegalHold, lifting_hash, move, placing_hash, standing_on
from records.numbering import next_number
from records.roles import grants_of
from records.signature import Meaning
from records.signing import PasswordSigner, Subject
from rules.policy import table_called

LONGEST_REASON = 4000

PLACE, LIFT = "PLACE", "LIFT"


def signers_of(step: str) -> list[str]:
    """Return the roles of which any one may place a hold (PLACE) or lift it (LIFT)."""
    return [str(row.outputs["role"]) for row in table_called("legal_hold_signers").judge(move=step).rows]


def role_for(session: Session, user_id: str | None, step: str, *, at: Any) -> str | None:
    """Return the role under which somebody may place or lift holds, or None."""
    held = {one.role for one in grants_of(session, user_id, at=at)} if user_id else set()
    return next((role for role in signers_of(step) if role in held), None)


def place(act: Act, given: Mapping[str, Any], request: SignatureRequest) -> LegalHold:
    """Place a hold on a document; from now on nothing of it is deleted.

    given: record (its number or id), reason. Raises: NotFound; Invalid; Forbidden for who may not; Conflict when one stands.
    """
    record = document_called(act.session, str(given.get("record") or "").strip())
    role, reason = _role(act, PLACE), _reason(given.get("reason"))
    about, name = (record.record_type, record.id), str(getattr(record, "number", record.id))
    if standing := standing_on(act.session, *about):
        raise Conflict(f"Expected {name} without a legal hold, but {standing[0].number} stands on it already")
    number = next_number(act, "LH", site=site_called(act.session, MAIN))
    hold = LegalHold(
        number=number, about_type=about[0], about_id=about[1], record_name=name, reason=reason, placed_at=act.now,
        placed_by=act.user_id or act.actor, placed_hash=placing_hash(number, about, record_name=name, reason=reason),
    )  # fmt: skip
    _sign(act, hold, hold.placed_hash, role, reason, request)
    act.session.add(hold)
    act.session.flush()
    act.note(*about, "LEGAL_HOLD_PLACED", field="legal_hold", new=number, reason=reason)
    return hold


def lift(act: Act, hold: LegalHold, request: SignatureRequest, *, reason: str) -> LegalHold:
    """Lift a hold, once and for good. Raises: Invalid; Forbidden for who may not; Conflict when it is lifted already."""
    role, why = _role(act, LIFT), _reason(reason)
    if hold.status is not HoldStatus.STANDING:
        raise Conflict(f"Expected {hold.number} to stand, but {hold.lifted_by} lifted it", code="ILLEGAL_TRANSITION")
    signed_hash = lifting_hash(hold, reason=why)
    _sign(act, hold, signed_hash, role, why, request)
    move(act, hold, HoldStatus.LIFTED, reason=why)
    hold.lifted_at, hold.lifted_by, hold.lift_reason = act.now, act.user_id or act.actor, why
    hold.lifted_hash = signed_hash
    act.session.flush()
    act.note(hold.about_type, hold.about_id, "LEGAL_HOLD_LIFTED", field="legal_hold", old=hold.number, reason=why)
    return hold


def holds_of(session: Session) -> list[LegalHold]:
    """Return every hold, those that stand first, the newest first."""
    wanted = select(LegalHold).order_by(LegalHold.status.desc(), LegalHold.placed_at.desc(), LegalHold.number.desc())
    return list(session.scalars(wanted))


def _role(act: Act, step: str) -> str:
    role = role_for(act.session, act.user_id, step, at=act.now)
    if role is None:
        verb = "place" if step == PLACE else "lift"
        raise Forbidden(
            f"Expected {' or '.join(signers_of(step))} to {verb} a legal hold, but {act.actor.partition(':')[2]} is neither",
            code="NOT_AUTHORISED",
        )
    return role


def _sign(act: Act, hold: LegalHold, content: str, role: str, reason: str, request: SignatureRequest) -> None:
    if request.meaning != Meaning.APPROVED:
        raise Invalid(
            f"Expected the meaning {Meaning.APPROVED}, but it is {request.meaning!r:.40}",
            {"meaning": "says something else"},
        )
    signer = act.installation.signer
    if not isinstance(signer, PasswordSigner):
        raise TypeError("Expected a signer with passwords to be wired before anybody signs, but there is another")
    subject = Subject(hold.record_type, hold.id, content, principal=f"role:{role}", reason=reason)
    signer.sign_subject(act, subject, request)


def _reason(value: object) -> str:
    reason = str(value or "").strip()
    if not reason:
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    if len(reason) > LONGEST_REASON:
        raise Invalid(
            f"Expected at most {LONGEST_REASON:,} characters, but found {len(reason):,}", {"reason": "is too long"}
        )
    return reason
