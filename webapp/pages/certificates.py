"""Certificates: enter one with its file, look at what it states beside what the order asks for, verify or reject it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from processes import certification
from processes.certification import Paper
from records.attachment import attachments_of
from records.certificate import Certificate, CertificateStatus, CertificateType, missing_certificates
from records.purchase_order import PurchaseOrderLine
from records.receipt import Receipt
from records.signature import Meaning
from webapp import formats, listing, sheet, signing_form
from webapp import typed_fields as fields
from webapp.pages import goods
from webapp.refusals import status_of
from webapp.visit import acting, now, read_anew, reading

pages = Blueprint("certificates", __name__)

Page = str | tuple[str, int] | Answer

CERTIFICATES = {
    CertificateType.COC: "Certificate of conformance", CertificateType.MTR: "Material test report",
    CertificateType.HT: "Heat treatment", CertificateType.NDT: "Nondestructive test", CertificateType.FAI: "First article",
    CertificateType.CAL: "Calibration",
}  # fmt: skip


@sheet.offered(pages, "/certificates")
def export() -> sheet.Sheet:
    """Hand out the certificates that a search finds, the newest first."""
    found = sheet.whole(look_up)
    columns = (
        "number", "type", "order_line", "receipt", "issuer", "reference", "spec", "spec_rev", "lots", "process_date", "quantity", "status",
        "refusal", "verified_by", "document_hash",
    )  # fmt: skip
    rows = [
        (one.number, one.type, one.order_line.number, one.receipt.number if one.receipt is not None else "", one.issuer, one.reference,
         one.spec, one.spec_rev, "; ".join(one.lots), one.process_date, one.quantity, one.status, one.refusal, one.verified_by,
         one.document_hash)
        for one in found.items
    ]  # fmt: skip
    return sheet.Sheet("certificates", columns, rows, is_cut=bool(found.after))


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of certificates by number, reference or issuer, newest first."""
    wanted = select(Certificate).options(
        selectinload(Certificate.order_line).selectinload(PurchaseOrderLine.order), selectinload(Certificate.receipt)
    )
    if query:
        wanted = wanted.where(listing.contains(query, Certificate.number, Certificate.reference, Certificate.issuer))
    if state:
        wanted = wanted.where(Certificate.status == state)
    return listing.newest_first(reading(), wanted, Certificate, query=query, state=state, after=after, limit=limit)


@pages.route("/receipts/<record_id>/certificate", methods=["GET", "POST"])
def present(record_id: str) -> Page:
    """Enter a certificate with its file."""
    receipt = goods.find(reading(), record_id)
    if request.method == "GET":
        return _show_certificate_form(receipt)
    try:
        with acting() as act:
            stored = goods.find(act.session, record_id)
            made = certification.present(act, stored.order_line, _paper(), receipt=stored)
    except Refused as refusal:
        return _show_certificate_form(goods.find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{made.number} is kept. Verify it next.", "good")
    return redirect(url_for("certificates.show", record_id=made.id), 303)


@pages.route("/certificates/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show what a certificate states beside what the order asks for; on POST verify or reject it."""
    paper = find(reading(), record_id)
    if request.method == "GET":
        return _show_certificate(paper)
    try:
        with acting() as act:
            stored = find(act.session, record_id)
            if request.form.get("verdict") == "reject":
                certification.reject_certificate(act, stored, reason=fields.words("reason"))
            else:
                certification.verify_certificate(
                    act, stored, signing_form.read_signature(), reason=fields.words("reason")
                )
    except Refused as refusal:
        return _show_certificate(find(read_anew(), record_id), refusal), status_of(refusal)
    done = find(read_anew(), record_id)
    tone = "good" if done.status is CertificateStatus.VERIFIED else "warn"
    flash(f"{done.number} is {formats.words(done.status).lower()}. {done.refusal}".strip(), tone)
    return redirect(url_for("certificates.show", record_id=record_id), 303)


def find(session: Session, record_id: str) -> Certificate:
    """Return a certificate. Raises: NotFound."""
    found = session.get(Certificate, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a certificate at this address, but there is none.")
    return found


def _paper() -> Paper:
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise Invalid("Expected the file of the certificate, but there is none", {"file": "Choose the file"})
    kind = fields.chosen("type", set(CertificateType), "Expected a type, but none is chosen", "Choose the type")
    return Paper(
        CertificateType(kind), fields.words("issuer", 200), upload.read(), upload.filename, event_id=fields.event_id(),
        reference=fields.words("reference", 200), spec=fields.words("spec", 40) or None, spec_rev=fields.words("spec_rev", 40) or None,
        lots=tuple(fields.words("lots").replace(",", " ").split()), process_date=fields.day("process_date", "a process date"),
        quantity=fields.optional_number("quantity", decimals=6),
    )  # fmt: skip


def _show_certificate_form(receipt: Receipt, refusal: Refused | None = None) -> str:
    missing = missing_certificates(reading(), receipt)
    return render_template(
        "receiving/present.html", document=receipt, refusal=refusal, form=request.form, errors=signing_form.errors_of(refusal),
        types=[(one.value, CERTIFICATES[one]) for one in CertificateType], missing=missing,
        event_id=fields.event_id(),
    )  # fmt: skip


def _show_certificate(paper: Certificate, refusal: Refused | None = None) -> str:
    return render_template(
        "receiving/certificate.html", document=paper, refusal=refusal, form=request.form, type_words=CERTIFICATES[paper.type],
        errors=signing_form.errors_of(refusal), problems=_problems(paper),
        files=attachments_of(reading(), paper.record_type, paper.id),
        **signing_form.signing_values(reading(), Meaning.VERIFIED),
    )  # fmt: skip


def _problems(paper: Certificate) -> list[str]:
    """Return what its verification would be refused for, while it waits."""
    if paper.status is not CertificateStatus.PRESENTED:
        return []
    return list(certification.problems_of(reading(), paper, now=now()))
