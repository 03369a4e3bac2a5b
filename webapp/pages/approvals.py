"""The approved supplier list on the supplier's page: add a scope, approve it with a signature, suspend it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound, Refused
from processes import approved_suppliers
from records.roles import meanings_of
from records.signature import Meaning
from records.supplier import ApprovalBasis, ApprovalSubject, Supplier, SupplierApproval
from webapp import formats, typed
from webapp.pages import orders, suppliers
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.typed import Unreadable
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("approvals", __name__)

Page = str | tuple[str, int] | Answer
LONGEST = {
    "code": 40, "scope": 4000, "conditions": 4000, "certificate_no": 40, "nadcap_commodity": 200, "accreditation_no": 40,
    "accreditation_body": 200, "discipline": 200, "measuring_range": 200,
}  # fmt: skip


@pages.route("/suppliers/<record_id>/approvals/new", methods=["GET", "POST"])
def add(record_id: str) -> Page:
    """Show the form of a scope; on POST keep it, permitting nothing until it is signed."""
    orders.need(*approved_suppliers.KEEPERS)
    supplier = suppliers.find(reading(), record_id)
    if request.method == "GET":
        return _show_form(supplier)
    try:
        given = _read()
        with acting() as act:
            approval = approved_suppliers.propose(act, suppliers.find(act.session, record_id), given)
    except Refused as refusal:
        return _show_form(suppliers.find(read_anew(), record_id), refusal), status_of(refusal)
    return redirect(url_for("approvals.approve", record_id=record_id, approval_id=approval.id), 303)


@pages.route("/suppliers/<record_id>/approvals/<approval_id>/approve", methods=["GET", "POST"])
def approve(record_id: str, approval_id: str) -> Page:
    """Show what is signed; on POST approve it. Flows that wait for the supplier go on."""
    orders.need(*approved_suppliers.KEEPERS)
    approval = find(reading(), record_id, approval_id)
    if request.method == "GET":
        _refuse_state(approval, approved_suppliers.APPROVABLE, "to be approved")
        return _show_signing(approval)
    try:
        with acting() as act:
            stored = find(act.session, record_id, approval_id)
            reason, seen = read_reason(), request.form.get("seen_hash", "")
            approved_suppliers.approve(act, stored, read_signature(), reason=reason, seen_hash=seen)
    except Refused as refusal:
        return _show_signing(find(read_anew(), record_id, approval_id), refusal), status_of(refusal)
    flash(f"{approval.subject_words} is approved and signed. What waited for it goes on.", "good")
    return redirect(url_for("suppliers.show", record_id=record_id), 303)


@pages.route("/suppliers/<record_id>/approvals/<approval_id>/suspend", methods=["GET", "POST"])
def suspend(record_id: str, approval_id: str) -> Page:
    """Ask for the reason; on POST suspend the scope at once."""
    orders.need(*approved_suppliers.KEEPERS)
    approval = find(reading(), record_id, approval_id)
    if request.method == "GET":
        _refuse_state(approval, approved_suppliers.SUSPENDABLE, "to be in force")
        return _show_suspension(approval)
    try:
        with acting() as act:
            approved_suppliers.suspend(act, find(act.session, record_id, approval_id), reason=read_reason())
    except Refused as refusal:
        return _show_suspension(find(read_anew(), record_id, approval_id), refusal), status_of(refusal)
    flash(f"{approval.subject_words} is suspended. Nothing more is issued on it.", "good")
    return redirect(url_for("suppliers.show", record_id=record_id), 303)


def find(session: Session, record_id: str, approval_id: str) -> SupplierApproval:
    """Return a row of a supplier's list. Raises: NotFound."""
    found = session.get(SupplierApproval, approval_id) if is_id(approval_id) else None
    if found is None or found.supplier_id != record_id:
        raise NotFound("Expected an approval of this supplier at this address, but there is none.")
    return found


def _refuse_state(approval: SupplierApproval, allowed: frozenset[Any], wanted: str) -> None:
    if approval.status not in allowed:
        raise Conflict(
            f"Expected {approval.subject_words} {wanted}, but it is {formats.words(approval.status).lower()}.",
            code="ILLEGAL_TRANSITION",
        )


def _read() -> dict[str, Any]:
    """Return what was typed. Raises: Invalid with a sentence by field."""
    errors: dict[str, str] = {}
    given: dict[str, Any] = {
        name: request.form.get(name, "") for name in ("subject", "basis", "site_id", "cycle_months")
    }
    for name, longest in LONGEST.items():
        try:
            given[name] = typed.words(request.form.get(name, ""), longest=longest)
        except Unreadable as error:
            errors[name] = str(error)
    for name in ("valid_from", "valid_to"):
        try:
            given[name] = typed.day(request.form.get(name, ""))
        except Unreadable as error:
            errors[name] = str(error)
    if request.form.get("certificate_expires_on", "").strip():
        try:
            given["certificate_expires_on"] = typed.day(request.form["certificate_expires_on"])
        except Unreadable as error:
            errors["certificate_expires_on"] = str(error)
    given["specs"] = [spec.strip()[:40] for spec in request.form.get("specs", "").split(",") if spec.strip()]
    errors |= {name: "Expected a choice, but nothing is chosen" for name in ("subject", "basis") if not given[name]} | (
        {}
        if given.get("code") or "code" in errors
        else {"code": "Expected a part, commodity or process, but there is none"}
    )
    if errors:
        raise Invalid("Expected a scope that can be approved, but some fields do not fit yet", errors)
    return given


def _show_form(supplier: Supplier, refusal: Refused | None = None) -> str:
    return render_template(
        "documents/approval_form.html", document=supplier, refusal=refusal, form=request.form, errors=errors_of(refusal),
        subjects=[(one.value, formats.words(one)) for one in ApprovalSubject],
        bases=[(one.value, formats.words(one)) for one in ApprovalBasis],
        sites=[(site.id, site.name or site.code) for site in supplier.sites],
    )  # fmt: skip


def _show_signing(approval: SupplierApproval, refusal: Refused | None = None) -> str:
    session = reading()
    held = {role.partition("@")[0] for role in visitor().roles} & set(approved_suppliers.KEEPERS)
    may_approve = any(Meaning.APPROVED in meanings_of(session, role) for role in held)
    return render_template(
        "documents/approval_sign.html", document=approval, refusal=refusal, form=request.form, errors=errors_of(refusal),
        content_hash=approved_suppliers.approval_hash(approval),
        **signing_values(session, Meaning.APPROVED if may_approve else None),
    )  # fmt: skip


def _show_suspension(approval: SupplierApproval, refusal: Refused | None = None) -> str:
    return render_template(
        "documents/approval_suspend.html",
        document=approval,
        refusal=refusal,
        form=request.form,
        errors=errors_of(refusal),
    )
