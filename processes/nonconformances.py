"""Raise and dispose of nonconformances, and give leave to deviate."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from engine.record import Record
from processes.notices import tell_role
from records.calendar import MAIN, Site, site_called
from records.nonconformance import (
    DeviationAuthority,
    DeviationStatus,
    Disposition,
    Nonconformance,
    NonconformanceStatus,
    move,
    move_deviation,
)
from records.numbering import next_number
from records.part import PartRevision
from records.roles import holds
from records.signing import PasswordSigner
from records.units import check_quantity

DISPOSERS = ("QA_ENG", "QA_SP", "ENG_AUTH")


def raise_nonconformance(
    act: Act,
    about: Any,
    quantity: Decimal,
    *,
    title: str,
    description: str = "",
    uom: str = "EA",
    part_revision: PartRevision | None = None,
    lot_no: str | None = None,
    serials: str = "",
    quantity_limit: Decimal | None = None,
    expires_on: dt.date | None = None,
    owner: str = "role:QA_ENG",
) -> Nonconformance:
    """Write down that pieces are not as they must be, about a document, and tell quality.

    quantity_limit: pieces that may be worked on under it, all of them unless said otherwise. Raises: Invalid naming the field.
    """
    check_quantity(quantity, uom)
    if not title.strip():
        raise Invalid("Expected a title that says what is wrong, but there is none", {"title": "is missing"})
    limit = quantity if quantity_limit is None else quantity_limit
    if not 0 < limit <= quantity:
        raise Invalid(
            f"Expected a limit above 0 and at most {quantity:f}, but found {limit:f}",
            {"quantity_limit": "does not fit"},
        )
    site = _site_of(act, about)
    raised = Nonconformance(
        number=next_number(act, "NCR", site=site), site_id=site.id, about_type=about.record_type, about_id=about.id,
        about_number=about.number, part_revision=part_revision, part_revision_id=part_revision.id if part_revision else None,
        lot_no=lot_no, serials=serials, title=title.strip(), description=description, quantity=quantity, uom=uom,
        quantity_limit=limit, expires_on=expires_on, owner=owner, raised_at=act.now,
    )  # fmt: skip
    act.session.add(raised)
    act.session.flush()
    act.note(about.record_type, about.id, "NONCONFORMANCE", field="nonconformance", new=raised.number, reason=title)
    role = owner.removeprefix("role:").partition("@")[0]
    tell_role(act, role, f"{raised.number}: {raised.title} ({about.number})", key=f"{raised.id}:raised")
    return raised


def dispose(
    act: Act,
    nonconformance: Nonconformance,
    disposition: Disposition,
    *,
    reason: str,
    quantity_limit: Decimal | None = None,
) -> Nonconformance:
    """Decide what becomes of nonconforming pieces; quality or engineering does.

    Raises: Forbidden for anybody else; Invalid without a reason; Conflict ILLEGAL_TRANSITION once it is closed.
    """
    _need_quality(act, nonconformance.number)
    if not reason.strip():
        raise Invalid("Expected the reason of the disposition, but there is none", {"reason": "is missing"})
    nonconformance.disposition, nonconformance.disposition_reason = disposition, reason.strip()
    nonconformance.disposed_by_id = act.user_id
    if quantity_limit is not None:
        nonconformance.quantity_limit = quantity_limit
    return move(act, nonconformance, NonconformanceStatus.DISPOSED, reason=reason)


def decide(
    act: Act,
    nonconformance: Nonconformance,
    disposition: Disposition,
    request: SignatureRequest,
    *,
    reason: str,
    quantity_limit: Decimal | None = None,
) -> Nonconformance:
    """Decide what becomes of nonconforming pieces, with the signature of quality on the pieces, the verdict and its reason.

    Raises: as ``dispose`` and ``PasswordSigner``; Conflict for received goods, whose page decides and books them in one.
    """
    if nonconformance.about_type == "receipt":
        raise Conflict(
            f"Expected {nonconformance.number} to be decided with its goods, on the page of {nonconformance.about_number}",
            record=("receipt", nonconformance.about_id),
        )  # fmt: skip
    role = _need_quality(act, nonconformance.number)
    if quantity_limit is not None and not 0 < quantity_limit <= nonconformance.quantity:
        raise Invalid(
            f"Expected a limit above 0 and at most {nonconformance.quantity:f}, but found {quantity_limit:f}",
            {"quantity_limit": "does not fit"},
        )
    dispose(act, nonconformance, disposition, reason=reason, quantity_limit=quantity_limit)
    limit = nonconformance.quantity_limit
    signed = [
        nonconformance.number, nonconformance.about_type, nonconformance.about_id, f"{nonconformance.quantity:.6f}",
        f"{limit:.6f}" if limit is not None else None, disposition.value, reason.strip(),
    ]  # fmt: skip
    _sign(act, nonconformance, request, signed, role=role, reason=f"{disposition}: {reason}")
    return nonconformance


def permit_deviation(
    act: Act,
    quantity: Decimal,
    expires_on: dt.date,
    *,
    title: str,
    description: str = "",
    part_revision: PartRevision | None = None,
    uom: str = "EA",
    customer_reference: str | None = None,
    request: SignatureRequest | None = None,
) -> DeviationAuthority:
    """Give leave to depart from the definition for some pieces until a day; quality or engineering does.

    request: signs what is permitted; people's doors always ask for it. Raises: Forbidden, Invalid; as ``PasswordSigner``.
    """
    role = _need_quality(act, "a deviation authority")
    check_quantity(quantity, uom)
    if not title.strip():
        raise Invalid("Expected a title that says what may differ, but there is none", {"title": "is missing"})
    site = site_called(act.session, MAIN)
    if expires_on < site.local_day(act.now):
        raise Invalid(f"Expected a day to come, but found {expires_on}", {"expires_on": "is in the past"})
    given = DeviationAuthority(
        number=next_number(act, "DEV", site=site), site_id=site.id, part_revision=part_revision,
        part_revision_id=part_revision.id if part_revision else None, title=title, description=description,
        quantity=quantity, uom=uom, expires_on=expires_on, customer_reference=customer_reference,
    )  # fmt: skip
    act.session.add(given)
    act.session.flush()
    given.approved_by_id, given.approved_at = act.user_id, act.now
    if request is not None:
        signed = [
            given.number,
            title,
            description,
            f"{quantity:.6f}",
            uom,
            expires_on.isoformat(),
            given.part_revision_id,
        ]
        _sign(act, given, request, signed, role=role, reason=title)
    return move_deviation(act, given, DeviationStatus.APPROVED, reason=title)


def _need_quality(act: Act, number: str) -> str:
    """Return the role under which the acting person decides. Raises: Forbidden."""
    for role in DISPOSERS:
        if act.user_id is not None and holds(act.session, act.user_id, role, at=act.now):
            return role
    raise Forbidden(f"Expected quality or engineering to decide on {number}, but {act.actor} is neither.")


def _sign(act: Act, record: Record, request: SignatureRequest, content: list[Any], *, role: str, reason: str) -> None:
    signer = act.installation.signer
    assert isinstance(signer, PasswordSigner)
    signer.sign_record(
        act, record, request, content_hash=content_hash(content), principal=f"role:{role}", reason=reason[:4000]
    )


def _site_of(act: Act, about: Any) -> Site:
    site = getattr(about, "site", None)
    return site if isinstance(site, Site) else site_called(act.session, MAIN)
