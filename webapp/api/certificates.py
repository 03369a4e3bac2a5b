"""Certificates: entered once with their file, listed by what they are for, verified by a person or refused with every reason."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Response
from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from engine.act import Act
from engine.errors import Invalid, NotFound
from processes import certification
from processes.certification import Paper
from records.attachment import MAGIC, attachments_of, content_of
from records.certificate import Certificate, CertificateStatus, CertificateType
from records.purchase_order import PurchaseOrderLine
from webapp import listing
from webapp.api.endpoints import LARGEST_BUNDLE, reads, writes
from webapp.api.goods import EVENT, line_of
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, Whole, as_page, maybe, page_of, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages import certificates as pages
from webapp.pages import goods, orders
from webapp.visit import now, reading

MOST_LOTS = 1000


class CertificateAnswer(Answer):
    """What a supplier certifies. order_line: the line it is for; receipt_id: null for whatever comes on the line."""

    id = fields.UUID()
    number = fields.String()
    type = word(CertificateType)
    order_id = fields.UUID()
    order_line = fields.String()
    line_no = fields.Integer()
    receipt_id = fields.UUID(allow_none=True)
    outside_link_id = fields.UUID(allow_none=True)
    issuer = fields.String()
    reference = fields.String()
    sha256 = fields.String()
    file_name = maybe()
    spec = maybe()
    spec_rev = maybe()
    lots = fields.List(fields.String())
    process_date = fields.Date(allow_none=True)
    quantity = Exact(allow_none=True)
    uom = fields.String()
    status = word(CertificateStatus)
    refusal = fields.String()
    verified_by = maybe()
    system = fields.String()
    event_id = fields.String()
    created_at = Instant()
    version = fields.Integer()


class CertificateDetail(CertificateAnswer):
    """A certificate with what does not fit its order: while it waits, what its verification would be refused for."""

    problems = fields.List(fields.String())


class CertificatePresented(Request):
    """A certificate with its file. sha256: when given, of the file as it was sent; another one is refused."""

    order_id = fields.UUID(required=True)
    line_no = Whole(required=True)
    receipt_id = fields.UUID(load_default=None, allow_none=True)
    outside_link_id = fields.UUID(load_default=None, allow_none=True)
    type = word(CertificateType, required=True)
    issuer = text(200, required=True)
    file_name = text(200, required=True)
    content = fields.String(required=True, metadata={"description": "The file in base64.", "format": "byte"})
    sha256 = fields.String(
        load_default=None, allow_none=True,
        validate=validate.Regexp(r"^[0-9a-f]{64}$", error="Expected 64 hexadecimal digits, but found something else"),
    )  # fmt: skip
    event_id = fields.String(required=True, validate=EVENT)
    system = text(40, load_default="EDI")
    reference = text(200, load_default="")
    spec = text(40, load_default=None, allow_none=True)
    spec_rev = text(40, load_default=None, allow_none=True)
    lots = fields.List(text(60), load_default=list, validate=validate.Length(max=MOST_LOTS))
    process_date = fields.Date(load_default=None, allow_none=True)
    quantity = Exact(load_default=None, allow_none=True)


class CertificateVerified(Request):
    """Signed VERIFIED by supplier quality or quality."""

    reason = text(4000, load_default="")
    signature = fields.Nested(SignatureGiven, required=True)


class CertificateRejected(Request):
    """Why it does not fit."""

    reason = text(4000, required=True)


class CertificateQuery(Listed):
    """What certificates may be listed by. ``q`` is part of a number, a reference or the issuer."""

    status = word(CertificateStatus, load_default="")
    type = word(CertificateType, load_default="")
    order_id = fields.UUID(load_default=None)
    line_no = fields.Integer(load_default=None, metadata={"description": "With `order_id`: only of this line."})
    receipt_id = fields.UUID(load_default=None)
    outside_link_id = fields.UUID(load_default=None)


CertificatePage = page_of(CertificateAnswer, "CertificatePage")


def as_answer(paper: Certificate) -> dict[str, Any]:
    """Return a certificate as the API shows it."""
    line = paper.order_line
    files = attachments_of(reading(), paper.record_type, paper.id)
    own = {name: getattr(paper, name) for name in CertificateAnswer().fields if hasattr(paper, name)}
    return own | {
        "order_id": line.order_id, "order_line": line.number, "line_no": line.line_no, "lots": list(paper.lots),
        "sha256": paper.document_hash, "file_name": files[0].file_name if files else None, "uom": line.uom,
        "system": paper.source_system, "event_id": paper.source_event_id,
    }  # fmt: skip


def _detail(record_id: str) -> dict[str, Any]:
    paper = pages.find(reading(), record_id)
    waits = paper.status is CertificateStatus.PRESENTED
    return as_answer(paper) | {
        "problems": list(certification.problems_of(reading(), paper, now=now())) if waits else []
    }


@reads(
    "/certificates", scope="certificates:read", summary="List certificates, newest first", query=CertificateQuery,
    answer=CertificatePage,
)  # fmt: skip
def list_certificates(*, q: str, status: str, after: str, limit: int, **by: Any) -> Any:
    """Of an order line, a receipt or a link of outside work; search in numbers, references and issuers."""
    wanted = select(Certificate).options(selectinload(Certificate.order_line).selectinload(PurchaseOrderLine.order))
    if q:
        wanted = wanted.where(listing.contains(q, Certificate.number, Certificate.reference, Certificate.issuer))
    if status:
        wanted = wanted.where(Certificate.status == status)
    if by["type"]:
        wanted = wanted.where(Certificate.type == by["type"])
    for name in ("receipt_id", "outside_link_id"):
        if by[name] is not None:
            wanted = wanted.where(getattr(Certificate, name) == str(by[name]))
    if by["order_id"] is not None or by["line_no"] is not None:
        if by["order_id"] is None:
            raise Invalid("Expected the order of the line, but it is missing", {"order_id": "is needed with line_no"})
        wanted = wanted.join(PurchaseOrderLine).where(PurchaseOrderLine.order_id == str(by["order_id"]))
        wanted = wanted.where(PurchaseOrderLine.line_no == by["line_no"]) if by["line_no"] is not None else wanted
    found = listing.newest_first(reading(), wanted, Certificate, query=q, state=status, after=after, limit=limit)
    return as_page(found) | {"items": [as_answer(one) for one in found.items]}


@reads(
    "/certificates/<record_id>", scope="certificates:read", summary="Get a certificate with what does not fit its order",
    answer=CertificateDetail,
)  # fmt: skip
def get_certificate(record_id: str) -> dict[str, Any]:
    """Find it by id."""
    return _detail(record_id)


@reads(
    "/certificates/<record_id>/file", scope="certificates:read", summary="Get the file of a certificate", answer=None,
    media=tuple(sorted({kind for kind, _ in MAGIC.values()})),
)  # fmt: skip
def get_certificate_file(record_id: str) -> Response:
    """The bytes as they were sent; they match the certificate's sha256."""
    paper = pages.find(reading(), record_id)
    for kept in attachments_of(reading(), paper.record_type, paper.id):
        if kept.sha256 == paper.document_hash:
            return Response(content_of(reading(), kept), mimetype=kept.media_type)
    raise NotFound(f"Expected the file of {paper.number}, but there is none.")


@writes(
    "POST", "/certificates", scope="certificates:write", summary="Enter a certificate with its file", body=CertificatePresented,
    answer=CertificateDetail, render=_detail, largest=LARGEST_BUNDLE,
)  # fmt: skip
def present_certificate(act: Act, body: dict[str, Any]) -> str:
    """Keep it as it came, once for its event; it speaks for the goods once a person has verified it."""
    line = line_of(orders.find(act.session, str(body.pop("order_id"))), body.pop("line_no"))
    receipt_id, link_id = body.pop("receipt_id"), body.pop("outside_link_id")
    receipt = goods.find(act.session, str(receipt_id)) if receipt_id else None
    paper = Paper(
        CertificateType(body.pop("type")), content=_decoded(body.pop("content")), lots=tuple(body.pop("lots")), **body
    )
    return certification.present(
        act, line, paper, receipt=receipt, outside_link_id=str(link_id) if link_id else None
    ).id


@writes(
    "POST", "/certificates/<record_id>/verification", scope="certificates:write", summary="Verify a certificate, signed",
    body=CertificateVerified, answer=CertificateDetail, render=_detail, person=True,
)  # fmt: skip
def verify_certificate(act: Act, body: dict[str, Any], record_id: str) -> str:
    """One that does not fit its order becomes REJECTED, and ``refusal`` names every reason."""
    paper = pages.find(act.session, record_id)
    return certification.verify_certificate(act, paper, signature_given(body["signature"]), reason=body["reason"]).id


@writes(
    "POST", "/certificates/<record_id>/rejection", scope="certificates:write", summary="Reject a certificate",
    body=CertificateRejected, answer=CertificateDetail, render=_detail, person=True,
)  # fmt: skip
def reject_certificate(act: Act, body: dict[str, Any], record_id: str) -> str:
    """The goods go on waiting for a right one."""
    return certification.reject_certificate(act, pages.find(act.session, record_id), reason=body["reason"]).id


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise Invalid("Expected the file in base64, but it is not", {"content": "is not base64"}) from error
