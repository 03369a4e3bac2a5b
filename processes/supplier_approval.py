"""From what quality filled in to a row of the approved supplier list (A17)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.canonical import is_whole
from engine.errors import Invalid
from records.requisition import RequisitionLine
from records.supplier import ApprovalBasis, ApprovalSubject, Supplier, SupplierApproval

ONE_TIME_DAYS = 30
"""A one-time approval lasts at most this long (SUP-12)."""


def approval_from(
    given: Mapping[str, Any], supplier: Supplier, lines: Sequence[RequisitionLine], *, today: dt.date
) -> SupplierApproval:
    """Return the row, not yet added. given: the variable ``qualification``. Raises: Invalid naming the field."""
    return _one_time(given, supplier, lines, today=today) if given["one_time"] else lasting_approval(given, supplier)


def lasting_approval(given: Mapping[str, Any], supplier: Supplier) -> SupplierApproval:
    """Return a row for a time, not yet added. Raises: Invalid naming the field."""
    basis = _word(ApprovalBasis, given, "basis")
    certificate = str(given.get("certificate_no") or "") or None
    if basis in (ApprovalBasis.NADCAP, ApprovalBasis.CUSTOMER_DIRECTED) and certificate is None:
        raise Invalid(
            f"Expected a certificate or a customer reference with the basis {basis}, but there is none",
            {"certificate_no": "is required"},
        )
    begins, ends = _day(given, "valid_from"), _day(given, "valid_to")
    if ends < begins:
        raise Invalid(f"Expected an end after {begins}, but found {ends}", {"valid_to": "is too early"})
    return SupplierApproval(
        supplier=supplier, subject=_word(ApprovalSubject, given, "subject"), subject_code=_text(given, "code"),
        scope=str(given.get("scope") or ""), valid_from=begins, valid_to=ends, basis=basis,
        nadcap_certificate_no=certificate if basis is ApprovalBasis.NADCAP else None,
        customer_reference=certificate if basis is ApprovalBasis.CUSTOMER_DIRECTED else None,
    )  # fmt: skip


CYCLES = (12, 18, 24)
"""Months that a Nadcap accreditation runs for; its holder earns the longer ones by merit."""


def describe_certificate(approval: SupplierApproval, given: Mapping[str, Any]) -> None:
    """Write on a new row what its certificate covers and until when. Raises: Invalid naming the field."""
    for name in ("nadcap_commodity", "accreditation_no", "accreditation_body", "discipline", "measuring_range"):
        setattr(approval, name, str(given.get(name) or "").strip() or None)
    approval.certificate_expires_on = (
        _day(given, "certificate_expires_on") if given.get("certificate_expires_on") else None
    )
    cycle = str(given.get("cycle_months") or "").strip()
    if cycle and (not is_whole(cycle) or int(cycle) not in CYCLES):
        raise Invalid(
            f"Expected a cycle of {', '.join(map(str, CYCLES))} months, but found {cycle:.10}",
            {"cycle_months": "is no cycle"},
        )
    approval.cycle_months = int(cycle) if cycle else None
    if approval.accreditation_no and not (approval.discipline and approval.measuring_range):
        lacks = {name: "is required" for name in ("discipline", "measuring_range") if not getattr(approval, name)}
        raise Invalid(
            "Expected discipline and range of the laboratory's ISO/IEC 17025 scope, but some is missing", lacks
        )
    if approval.accreditation_no and approval.certificate_expires_on is None:
        raise Invalid(
            "Expected the last day of the laboratory's accreditation, but there is none",
            {"certificate_expires_on": "is required"},
        )


def _one_time(
    given: Mapping[str, Any], supplier: Supplier, lines: Sequence[RequisitionLine], *, today: dt.date
) -> SupplierApproval:
    ends = _day(given, "valid_to")
    if not today <= ends <= today + dt.timedelta(days=ONE_TIME_DAYS):
        raise Invalid(
            f"Expected an end within {ONE_TIME_DAYS} days, but found {ends} (SUP-12)", {"valid_to": "too late"}
        )
    subject, code = _subject(lines[0])
    return SupplierApproval(
        supplier=supplier, subject=subject, subject_code=code, scope=str(given.get("scope") or ""), valid_from=today,
        valid_to=ends, basis=ApprovalBasis.HISTORY, is_one_time=True, conditions=str(given.get("scope") or ""),
        max_quantity=_number(given, "max_quantity"), max_value=_number(given, "max_value"),
    )  # fmt: skip


def _subject(line: RequisitionLine) -> tuple[ApprovalSubject, str]:
    if line.process_code:
        return ApprovalSubject.PROCESS, line.process_code
    number = line.part_revision.part.part_no if line.part_revision is not None else line.service_code
    return ApprovalSubject.PART, number or ""


def _text(given: Mapping[str, Any], field: str) -> str:
    text = str(given.get(field) or "").strip()
    if not text:
        raise Invalid(f"Expected a {field}, but there is none", {field: "is required"})
    return text


def _word(kind: Any, given: Mapping[str, Any], field: str) -> Any:
    try:
        return kind(_text(given, field))
    except ValueError as error:
        raise Invalid(f"Expected {field} to be one of {', '.join(kind)}", {field: "is unknown"}) from error


def _number(given: Mapping[str, Any], field: str) -> Decimal:
    try:
        number = Decimal(_text(given, field))
    except InvalidOperation as error:
        raise Invalid(f"Expected {field} to be a number", {field: "is no number"}) from error
    if not number.is_finite() or number <= 0:
        raise Invalid(f"Expected {field} to be above 0, but found {number}", {field: "must be above 0"})
    return number


def _day(given: Mapping[str, Any], field: str) -> dt.date:
    value = given.get(field)
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise Invalid(f"Expected a day such as 2026-11-30, but found {value!r:.40}", {field: "is no day"}) from error
