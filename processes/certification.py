"""Certificates (A34, A36): presented with the goods or later, verified against what the order asks for, or rejected."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes.documents import plain
from processes.goods_settling import settle
from processes.goods_signature import RECEIVERS, VERIFIERS, role_for, sign
from processes.matching import rematch_line
from processes.order_progress import lock, order_key, settle_statuses, tell_flow
from processes.receiving import OWN
from records.attachment import attach, check_kind
from records.certificate import (
    Certificate,
    CertificateStatus,
    CertificateType,
    certificate_hash,
    missing_certificates,
    move,
)
from records.numbering import next_number
from records.outside import OutsideLink
from records.purchase_order import FINAL, PurchaseOrderLine
from records.receipt import Receipt, receipts_of, remaining_quantity
from records.signature import Meaning, Signature

TREATED = frozenset({CertificateType.HT, CertificateType.NDT})
"""Types that certify a process: they must state its specification and the day."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What a certificate states.

    content: the file's bytes; sha256: of them as the sender computed it, if he did. lots: as the supplier calls them.
    quantity: in the line's unit.
    """

    type: CertificateType
    issuer: str
    content: bytes
    file_name: str
    event_id: str
    system: str = OWN
    reference: str = ""
    spec: str | None = None
    spec_rev: str | None = None
    lots: tuple[str, ...] = ()
    process_date: dt.date | None = None
    quantity: Decimal | None = None
    sha256: str | None = None


def present(
    act: Act,
    line: PurchaseOrderLine,
    paper: Paper,
    *,
    receipt: Receipt | None = None,
    outside_link_id: str | None = None,
) -> Certificate:
    """Keep a certificate as it came; it speaks for the goods once it is verified. The same event again returns the first.

    receipt: the goods it came with, None for whatever comes on the line. Raises: Forbidden; Invalid for an empty or wrong file;
    Conflict when the receipt or link is of another line, the order is over, the event was used for another file, or another
    system entered the same file.
    """
    role_for(act, (*VERIFIERS, *RECEIVERS, "BUYER"), to="enter certificates")
    known = act.session.scalar(
        select(Certificate).where(
            Certificate.source_system == paper.system, Certificate.source_event_id == paper.event_id
        )
    )
    if known is not None:
        _refuse_other_content(known, line, paper)
        return known
    _refuse_unusable(paper)
    _refuse_other_goods(act, line, receipt, outside_link_id)
    _refuse_second_system(act, line, paper, receipt)
    made = Certificate(
        number=next_number(act, "CERT", site=line.order.site), type=paper.type, order_line=line, order_line_id=line.id,
        receipt=receipt, receipt_id=receipt.id if receipt else None, outside_link_id=outside_link_id, issuer=paper.issuer.strip(),
        reference=paper.reference.strip(), document_hash=_digest(paper), spec=paper.spec or None,
        spec_rev=paper.spec_rev or None, lots=paper.lots, process_date=paper.process_date, quantity=paper.quantity,
        source_system=paper.system, source_event_id=paper.event_id,
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    attach(act, made, paper.content, file_name=paper.file_name)
    act.session.flush()
    tell_flow(
        act,
        "cert.presented",
        order_key(line.order),
        {"certificate": {"id": made.id, "number": made.number}, "decision": None},
    )
    return made


def _refuse_unusable(paper: Paper) -> None:
    check_kind(paper.file_name, paper.content)
    if not paper.issuer.strip():
        raise Invalid("Expected who issued the certificate, but it is empty", {"issuer": "is required"})
    if paper.quantity is not None and paper.quantity <= 0:
        raise Invalid("Expected a covered quantity above 0, or none for all", {"quantity": "must be above 0"})
    if paper.sha256 is not None and paper.sha256 != _digest(paper):
        raise Invalid(
            f"Expected a file with the SHA-256 {paper.sha256[:12]}…, but what came has {_digest(paper)[:12]}…; send it again",
            {"sha256": "is of another file"},
        )


def _refuse_other_goods(
    act: Act, line: PurchaseOrderLine, receipt: Receipt | None, outside_link_id: str | None
) -> None:
    if receipt is not None and receipt.order_line_id != line.id:
        raise Conflict(
            f"Expected a receipt of {line.number}, but {receipt.number} is of {receipt.order_line.number}",
            code="OTHER_LINE",
        )
    link = act.session.get(OutsideLink, outside_link_id) if outside_link_id else None
    if outside_link_id and (link is None or link.order_line_id != line.id):
        found = f"{link.number} is of another line" if link else "there is none"
        raise Conflict(f"Expected a link of outside work on {line.number}, but {found}", code="OTHER_LINE")
    if line.order.status in FINAL:
        raise Conflict(f"Expected {line.order.number} to be open, but it is {line.order.status}", code="ORDER_NOT_OPEN")


def _refuse_other_content(known: Certificate, line: PurchaseOrderLine, paper: Paper) -> None:
    if known.order_line_id != line.id or known.document_hash != _digest(paper) or known.type is not paper.type:
        raise Conflict(
            f"Expected the event {paper.event_id} of {paper.system} to say the same again, but it was kept as {known.number} "
            f"({known.type}) on {known.order_line.number}",
            code="EVENT_REUSED", record=(known.record_type, known.id),
        )  # fmt: skip


def _refuse_second_system(act: Act, line: PurchaseOrderLine, paper: Paper, receipt: Receipt | None) -> None:
    """Refuse what another system has entered already: one file of one type for the same goods is one certificate."""
    wanted = select(Certificate).where(
        Certificate.order_line_id == line.id, Certificate.type == paper.type, Certificate.document_hash == _digest(paper),
        Certificate.source_system != paper.system, Certificate.status != CertificateStatus.REJECTED,
        Certificate.receipt_id == receipt.id if receipt is not None else Certificate.receipt_id.is_(None),
    )  # fmt: skip
    twin = act.session.scalars(wanted.limit(1)).first()
    if twin is not None:
        raise Conflict(
            f"Expected this file once for {line.number}, but {twin.source_system} entered it as {twin.number}",
            code="DUPLICATE_CERTIFICATE", record=(twin.record_type, twin.id),
        )  # fmt: skip


def _digest(paper: Paper) -> str:
    return hashlib.sha256(paper.content).hexdigest()


def verify_certificate(
    act: Act, certificate: Certificate, request: SignatureRequest, *, reason: str = ""
) -> Certificate:
    """Verify what a certificate states, signed VERIFIED; one that does not fit the order is rejected with every reason.

    Goods that only waited for it are accepted. Raises: Forbidden; Conflict when it was judged before.
    """
    role = role_for(act, VERIFIERS, to="verify certificates")
    lock(act, certificate.order_line.order)
    if certificate.status is not CertificateStatus.PRESENTED:
        raise Conflict(
            f"Expected {certificate.number} to wait for its verification, but it is {certificate.status}; "
            "present another certificate",
            code="ILLEGAL_TRANSITION", record=(certificate.record_type, certificate.id),
        )  # fmt: skip
    wrong = list(problems_of(act.session, certificate, now=act.now))
    if wrong:
        return reject_certificate(act, certificate, reason=" ".join(wrong))
    signature = sign(
        act, certificate, request, content_hash=certificate_hash(certificate), role=role, meanings=[Meaning.VERIFIED],
        reason=reason,
    )  # fmt: skip
    return _accept(act, certificate, signature)


def verify_signed(act: Act, certificate: Certificate, signature: Signature | None) -> Certificate:
    """Verify a certificate whose task was signed; one that does not fit the order is rejected. Raises: Forbidden unsigned."""
    wrong = list(problems_of(act.session, certificate, now=act.now))
    if wrong:
        return reject_certificate(act, certificate, reason=" ".join(wrong))
    if signature is None:
        raise Forbidden("Expected a signature on the certificate, but there is none", code="SIGNATURE_REQUIRED")
    return _accept(act, certificate, signature)


def _accept(act: Act, certificate: Certificate, signature: Signature) -> Certificate:
    order = lock(act, certificate.order_line.order)
    with act.session.no_autoflush:
        move(act, certificate, CertificateStatus.VERIFIED)
        certificate.verified_by, certificate.signature_id = act.user_id, signature.id
    act.session.flush()
    for receipt in receipts_of(act.session, certificate.order_line):
        settle(act, receipt)
        if not missing_certificates(act.session, receipt):
            tell_flow(act, "certificates.settled", receipt.id)
    settle_statuses(act, order)
    rematch_line(act, certificate.order_line_id)
    tell_flow(act, "certificate.judged", certificate.id)
    return certificate


def reject_certificate(act: Act, certificate: Certificate, *, reason: str) -> Certificate:
    """Reject a certificate; the goods go on waiting for a right one. Raises: Forbidden; Invalid; Conflict."""
    role_for(act, VERIFIERS, to="reject certificates")
    if not reason.strip():
        raise Invalid("Expected a reason for the rejection, but there is none", {"reason": "is required"})
    with act.session.no_autoflush:
        move(act, certificate, CertificateStatus.REJECTED, reason=reason)
        certificate.refusal, certificate.verified_by = reason[:4000], act.user_id
    act.session.flush()
    tell_flow(act, "certificate.judged", certificate.id)
    return certificate


def problems_of(session: Session, certificate: Certificate, *, now: dt.datetime) -> Iterator[str]:
    """Yield what does not fit between a certificate and its order line, one sentence each. now: no process day is after it."""
    line = certificate.order_line
    if certificate.type in TREATED and line.spec and not certificate.spec:
        yield f"Expected the certificate to state {line.spec} rev {line.spec_rev}, but it states no specification."
    if certificate.spec and line.spec and certificate.spec != line.spec:
        yield f"Expected {line.spec} as ordered, but the certificate states {certificate.spec}."
    elif certificate.spec and line.spec and certificate.spec_rev != line.spec_rev:
        yield (
            f"Expected {line.spec} rev {line.spec_rev} as ordered, but the certificate states rev "
            f"{certificate.spec_rev or 'none'}."
        )
    today = line.order.site.local_day(now)
    if certificate.process_date is not None and certificate.process_date > today:
        yield f"Expected a process date that has been, but {certificate.process_date} is to come."
    receipt = certificate.receipt
    if receipt is None:
        return
    left = remaining_quantity(session, receipt)
    if certificate.quantity is not None and certificate.quantity < left:
        yield (
            f"Expected {plain(left)} {receipt.uom} of {receipt.number} to be covered, but the certificate covers "
            f"{plain(certificate.quantity)}."
        )
    named = {receipt.lot_label, receipt.heat, *receipt.serials} - {""}
    if certificate.lots and named and not set(certificate.lots) & named:
        yield (
            f"Expected lot {' or '.join(sorted(named))} of {receipt.number}, but the certificate is of "
            f"{', '.join(certificate.lots)}."
        )
