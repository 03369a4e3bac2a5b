"""Ask for a waiver, sign it, refuse it, take it back: a dated permission that is counted and ends by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import Base, is_id
from engine.errors import Forbidden, Invalid, NotFound
from engine.ports import SignatureRequest
from engine.record import Record
from engine.signals import broadcast
from processes.notices import tell, tell_role
from processes.seats import fill_seat, open_seat_of, roles_held, seats_of, set_seats
from records.calendar import MAIN, site_called
from records.numbering import next_number
from records.signature import Meaning
from records.transition import following, illegal
from records.waiver import TRANSITIONS, Waiver, WaiverStatus, move, waiver_hash
from rules.finding import KeptFinding
from rules.waiver import terms_of, today_of

LONGEST_REASON = 4000


def propose(act: Act, given: Mapping[str, Any]) -> Waiver:
    """Ask for a waiver of one rule on one document; it permits nothing until its seats are signed.

    given: rule, record_type, record_id, expires_on, reason; starts_on (today), quantity_limit and serials where it is
    limited. Raises: Invalid naming the field; NotFound for a document that is not there; Forbidden for who only administers.
    """
    if not roles_held(act) - {"ADMIN", "INTEGRATION"}:
        raise Forbidden("Expected somebody with a part in the business to ask for a waiver, but you have none")
    rule = _text(given, "rule", 40).upper()
    terms = terms_of(rule)
    if not terms.roles:
        raise Invalid(f"Expected a rule that may be waived, but {rule} may not", {"rule": "may not be waived"})
    record = target_of(act.session, _text(given, "record_type", 40), _text(given, "record_id", 60))
    starts, ends = _days(act, given, terms.max_days)
    waiver = Waiver(
        number=next_number(act, "WVR", site=site_called(act.session, MAIN)), rule=rule, target_type=record.record_type,
        record_id=record.id, record_name=str(getattr(record, "number", record.id))[:200],
        quantity_limit=_quantity(given), serials=tuple(given.get("serials") or ()), starts_on=starts, expires_on=ends,
        reason=_text(given, "reason", LONGEST_REASON), requested_by=act.user_id, approved_hash="0" * 64,
    )  # fmt: skip
    waiver.approved_hash = waiver_hash(waiver)
    act.session.add(waiver)
    act.session.flush()
    set_seats(act, waiver, terms.roles, why=f"waiver of {rule}")
    subject = f"{waiver.number}: a waiver of {rule} on {waiver.record_name} waits for your signature"
    for role in terms.roles:
        tell_role(act, role, subject, key=f"waiver:{waiver.id}:{role}", body=waiver.reason, record=_about(waiver))
    return waiver


def sign(act: Act, waiver: Waiver, request: SignatureRequest, *, seen_hash: str, reason: str = "") -> Waiver:
    """Fill one seat of a waiver; with the last one it stands, and what waits for it is looked at again.

    Raises: Forbidden for the person who asked for it, for who holds no open seat, or signed already; Invalid; Conflict.
    """
    if act.user_id == waiver.requested_by:
        raise Forbidden(
            f"Expected somebody else to sign {waiver.number}, but you asked for it",
            code="SOD_VIOLATION", record=(waiver.record_type, waiver.id), keep=True,
        )  # fmt: skip
    _proposed(waiver)
    if fill_seat(act, waiver, request, seen_hash=seen_hash, meaning=Meaning.APPROVED, reason=reason):
        move(act, waiver, WaiverStatus.GRANTED, reason=reason or None)
        act.session.flush()
        _tell_requester(act, waiver, f"stands until {waiver.expires_on}")
        _wake(act, waiver)
    return waiver


def refuse(act: Act, waiver: Waiver, *, reason: str) -> Waiver:
    """Refuse a proposed waiver, as a holder of one of its open seats. Raises: Forbidden; Invalid without a reason; Conflict."""
    if open_seat_of(act, waiver) is None:
        raise Forbidden(f"Expected a holder of one of the seats of {waiver.number} to refuse it, but you hold none")
    move(act, waiver, WaiverStatus.REFUSED, reason=_reason(reason))
    _tell_requester(act, waiver, "was refused")
    return waiver


def withdraw(act: Act, waiver: Waiver, *, reason: str) -> Waiver:
    """Take a proposed waiver back, as the person who asked for it. Raises: Forbidden; Invalid; Conflict."""
    if act.user_id != waiver.requested_by:
        raise Forbidden(f"Expected the person who asked for {waiver.number} to withdraw it, but you are another")
    return move(act, waiver, WaiverStatus.WITHDRAWN, reason=_reason(reason))


def revoke(act: Act, waiver: Waiver, *, reason: str) -> Waiver:
    """End a waiver before its day, as a holder of one of the roles that signed it. Raises: Forbidden; Invalid; Conflict."""
    if not roles_held(act) & {seat.role for seat in seats_of(act, waiver)}:
        raise Forbidden(f"Expected a holder of a role that signed {waiver.number} to revoke it, but you hold none")
    move(act, waiver, WaiverStatus.REVOKED, reason=_reason(reason))
    _tell_requester(act, waiver, "was revoked")
    return waiver


def uses_of(session: Session, waiver: Waiver) -> int:
    """Count the findings that a waiver turned into warnings."""
    return session.scalar(select(func.count()).where(KeptFinding.waiver_id == waiver.id)) or 0


def state_of(waiver: Waiver, *, on: dt.date) -> str:
    """Return a waiver's state for people: EXPIRED and NOT_YET beside its status."""
    if waiver.status is not WaiverStatus.GRANTED:
        return waiver.status.value
    if on > waiver.expires_on:
        return "EXPIRED"
    return "NOT_YET" if on < waiver.starts_on else "STANDS"


def target_of(session: Session, record_type: str, record_id: str) -> Record:
    """Return the document a waiver is about. Raises: Invalid for a type that is none; NotFound."""
    kinds = {kind.record_type: kind for kind in _kinds()}
    if record_type not in kinds:
        raise Invalid(f"Expected a kind of document, but found {record_type!r:.60}", {"record_type": "is unknown"})
    record = session.get(kinds[record_type], record_id) if is_id(record_id) else None
    if record is None:
        raise NotFound(f"Expected a {record_type.replace('_', ' ')} {record_id}, but there is none")
    return record


def _kinds() -> list[type[Record]]:
    return [
        mapper.class_
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, Record) and not issubclass(mapper.class_, Waiver)
    ]


def _wake(act: Act, waiver: Waiver) -> None:
    """Let what waits for the suppliers of the document be looked at again: holds at the gate and at issue do."""
    record = target_of(act.session, waiver.target_type, waiver.record_id)
    lines = getattr(record, "lines", ())
    found = {getattr(each, "supplier_id", None) for each in (record, *lines)}
    for supplier_id in sorted(each for each in found if each is not None):
        broadcast(act, f"asl.changed.{supplier_id}", {})


def _about(waiver: Waiver) -> tuple[str, str]:
    return (waiver.record_type, waiver.id)


def _tell_requester(act: Act, waiver: Waiver, what: str) -> None:
    subject = f"{waiver.number}: the waiver of {waiver.rule} on {waiver.record_name} {what}"
    tell(act, [waiver.requested_by], subject, key=f"waiver:{waiver.id}:{waiver.status}", record=_about(waiver))


def _proposed(waiver: Waiver) -> None:
    if waiver.status is not WaiverStatus.PROPOSED:
        raise illegal(waiver, WaiverStatus.GRANTED, following(waiver.status, TRANSITIONS))


def _days(act: Act, given: Mapping[str, Any], longest: int) -> tuple[dt.date, dt.date]:
    today = today_of(act.session, act.now)
    starts = _day(given, "starts_on") if given.get("starts_on") else today
    ends = _day(given, "expires_on")
    if starts < today:
        raise Invalid(f"Expected a waiver to start on {today} or later, but found {starts}", {"starts_on": "is past"})
    if ends < starts:
        raise Invalid(f"Expected an end on {starts} or later, but found {ends}", {"expires_on": "is before the start"})
    if (ends - starts).days > longest:
        raise Invalid(
            f"Expected a waiver of at most {longest} days, but {starts} to {ends} is {(ends - starts).days}",
            {"expires_on": f"is more than {longest} days after the start"},
        )
    return starts, ends


def _day(given: Mapping[str, Any], field: str) -> dt.date:
    value = given.get(field)
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value or ""))
    except ValueError as error:
        raise Invalid(
            f"Expected {field} as a day such as 2026-12-22, but found {value!r:.40}", {field: "is no day"}
        ) from error


def _quantity(given: Mapping[str, Any]) -> Decimal | None:
    value = given.get("quantity_limit")
    if value in (None, ""):
        return None
    try:
        quantity = Decimal(str(value))
    except InvalidOperation as error:
        raise Invalid(f"Expected a quantity, but found {value!r:.40}", {"quantity_limit": "is no number"}) from error
    if not quantity.is_finite() or quantity <= 0:
        raise Invalid(f"Expected a quantity above 0, but found {quantity}", {"quantity_limit": "is not above 0"})
    return quantity


def _text(given: Mapping[str, Any], field: str, longest: int) -> str:
    value = str(given.get(field) or "").strip()
    if not value:
        raise Invalid(f"Expected a {field.replace('_', ' ')}, but there is none", {field: "is required"})
    if len(value) > longest:
        raise Invalid(f"Expected at most {longest:,} characters, but found {len(value):,}", {field: "is too long"})
    return value


def _reason(reason: str) -> str:
    return _text({"reason": reason}, "reason", LONGEST_REASON)
