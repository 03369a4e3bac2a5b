"""The approved supplier list: propose a scope, sign it, suspend it; sub-tiers and the standing of a whole supplier likewise."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import NotFound
from processes import approved_suppliers, supplier_standing
from processes import supplier_records as records
from processes.supplier_watch import look
from records.supplier import ApprovalBasis, ApprovalSubject, Supplier, SupplierApproval, SupplierStatus
from records.supplier_knowledge import SubTier, SubTierStatus
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Request, maybe, text, word
from webapp.api.signing import SignedContent, signature_given
from webapp.api.supplier_records import SubTierAnswer
from webapp.api.suppliers import Approval, SupplierSummary
from webapp.pages import approvals as pages
from webapp.pages import suppliers
from webapp.visit import reading


class ApprovalDetail(Approval):
    """One row of the approved supplier list. content_hash: what a signature approves."""

    content_hash = fields.Function(approved_suppliers.approval_hash, metadata={"type": "string"})


class SubTierDetail(SubTierAnswer):
    """Who performs a process for a supplier. content_hash: what a signature approves."""

    content_hash = fields.Function(records.sub_tier_hash, metadata={"type": "string"})


class StandingAnswer(SupplierSummary):
    """How a supplier stands. next: each standing that quality may sign now, with the hash that the signature is on."""

    next = fields.Function(
        lambda supplier: {
            to.value: supplier_standing.standing_hash(supplier, to) for to in supplier_standing.next_standings(supplier)
            if to in supplier_standing.SIGNED
        },
        metadata={"type": "object", "additionalProperties": {"type": "string"}},
    )  # fmt: skip


class ApprovalGiven(Request):
    """A scope to approve. certificate_no: needed with the basis NADCAP or CUSTOMER_DIRECTED; site_id: of one of the supplier's sites."""

    subject = word(ApprovalSubject, required=True)
    code = text(40, required=True)
    basis = word(ApprovalBasis, required=True)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(required=True)
    scope = text(4000, load_default="")
    specs = fields.List(text(40), load_default=list)
    conditions = text(4000, load_default="")
    certificate_no = text(40, load_default="")
    certificate_expires_on = fields.Date(load_default=None, allow_none=True)
    site_id = maybe(load_default=None)
    nadcap_commodity = text(200, load_default="")
    cycle_months = text(2, load_default="")
    accreditation_no = text(40, load_default="")
    accreditation_body = text(200, load_default="")
    discipline = text(200, load_default="")
    measuring_range = text(200, load_default="")


class ReasonGiven(Request):
    """Why."""

    reason = text(4000, required=True)


class SubTierStopped(ReasonGiven):
    """REFUSED: it may not do it, and holds orders until it is used no more. ENDED: the supplier uses it no more."""

    to = word((SubTierStatus.REFUSED, SubTierStatus.ENDED), required=True)


class StandingGiven(SignedContent):
    """The standing that a signature gives, and why."""

    to = word(sorted(supplier_standing.SIGNED), required=True)


def tag_of(found: Any) -> str:
    """Return the ETag of what is shown."""
    return str(found.version)


def _approval(approval_id: str) -> SupplierApproval:
    return reading().get_one(SupplierApproval, approval_id)


@reads(
    "/suppliers/<record_id>/approvals/<approval_id>", scope="suppliers:read", summary="Get a row of the approved supplier list",
    answer=ApprovalDetail, etag=tag_of,
)  # fmt: skip
def get_approval(record_id: str, approval_id: str) -> SupplierApproval:
    """Find it by id."""
    return pages.find(reading(), record_id, approval_id)


@writes(
    "POST", "/suppliers/<record_id>/approvals", scope="suppliers:approve", summary="Propose a scope of the approved supplier list",
    body=ApprovalGiven, answer=ApprovalDetail, render=_approval, etag=tag_of, status=201, person=True,
)  # fmt: skip
def propose_approval(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As quality. It permits nothing until it is signed."""
    return approved_suppliers.propose(act, suppliers.find(act.session, record_id), body).id


@writes(
    "POST", "/suppliers/<record_id>/approvals/<approval_id>/signature", scope="suppliers:approve", summary="Approve a scope",
    body=SignedContent, answer=ApprovalDetail, render=_approval, etag=tag_of, person=True,
)  # fmt: skip
def sign_approval(act: Act, body: dict[str, Any], record_id: str, approval_id: str) -> str:
    """As quality, who is not the buyer (SOD-7); flows that wait for the supplier go on. What is signed is `content_hash`."""
    approval, signed = pages.find(act.session, record_id, approval_id), signature_given(body["signature"])
    return approved_suppliers.approve(act, approval, signed, reason=body["reason"], seen_hash=body["content_hash"]).id


@writes(
    "POST", "/suppliers/<record_id>/approvals/<approval_id>/suspension", scope="suppliers:approve", summary="Suspend a scope",
    body=ReasonGiven, answer=ApprovalDetail, render=_approval, etag=tag_of, match=True, person=True,
)  # fmt: skip
def suspend_approval(act: Act, body: dict[str, Any], record_id: str, approval_id: str) -> str:
    """At once: nothing more is issued on it, goods that wait are kept apart, and the buyers are told."""
    approval = pages.find(act.session, record_id, approval_id)
    bodies.seen_tag(tag_of(approval))
    return approved_suppliers.suspend(act, approval, reason=body["reason"]).id


def _sub_tier(session: Session, record_id: str, sub_tier_id: str) -> SubTier:
    found = session.get(SubTier, sub_tier_id) if is_id(sub_tier_id) else None
    if found is None or found.supplier_id != record_id:
        raise NotFound("Expected a sub-tier of this supplier at this address, but there is none.")
    return found


def _show_sub_tier(sub_tier_id: str) -> SubTier:
    return reading().get_one(SubTier, sub_tier_id)


@reads(
    "/suppliers/<record_id>/sub-tiers/<sub_tier_id>", scope="suppliers:read", summary="Get a sub-tier of a supplier",
    answer=SubTierDetail, etag=tag_of,
)  # fmt: skip
def get_sub_tier(record_id: str, sub_tier_id: str) -> SubTier:
    """Find it by id."""
    return _sub_tier(reading(), record_id, sub_tier_id)


@writes(
    "POST", "/suppliers/<record_id>/sub-tiers/<sub_tier_id>/signature", scope="suppliers:approve", summary="Approve a sub-tier",
    body=SignedContent, answer=SubTierDetail, render=_show_sub_tier, etag=tag_of, person=True,
)  # fmt: skip
def sign_sub_tier(act: Act, body: dict[str, Any], record_id: str, sub_tier_id: str) -> str:
    """As quality; orders of its process that it held go on. What is signed is `content_hash`."""
    found, signed = _sub_tier(act.session, record_id, sub_tier_id), signature_given(body["signature"])
    records.approve_sub_tier(act, found, signed, seen_hash=body["content_hash"], reason=body["reason"])
    look(act, found.supplier)
    return found.id


@writes(
    "POST", "/suppliers/<record_id>/sub-tiers/<sub_tier_id>/stop", scope="suppliers:approve", summary="Refuse or end a sub-tier",
    body=SubTierStopped, answer=SubTierDetail, render=_show_sub_tier, etag=tag_of, match=True, person=True,
)  # fmt: skip
def stop_sub_tier(act: Act, body: dict[str, Any], record_id: str, sub_tier_id: str) -> str:
    """As quality, with a reason."""
    found = _sub_tier(act.session, record_id, sub_tier_id)
    bodies.seen_tag(tag_of(found))
    records.stop_sub_tier(act, found, SubTierStatus(body["to"]), reason=body["reason"])
    look(act, found.supplier)
    return found.id


def _supplier(record_id: str) -> Supplier:
    return suppliers.find(reading(), record_id)


@reads(
    "/suppliers/<record_id>/standing", scope="suppliers:read", summary="Get the standing of a supplier", answer=StandingAnswer,
    etag=tag_of,
)  # fmt: skip
def get_standing(record_id: str) -> Supplier:
    """Say what it may become by a signature."""
    return _supplier(record_id)


@writes(
    "POST", "/suppliers/<record_id>/standing/signature", scope="suppliers:approve", summary="Make a supplier conditional or approved",
    body=StandingGiven, answer=StandingAnswer, render=_supplier, etag=tag_of, person=True,
)  # fmt: skip
def sign_standing(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As quality; what is signed is the hash under `next` of the standing."""
    supplier, signed = suppliers.find(act.session, record_id), signature_given(body["signature"])
    to, seen = SupplierStatus(body["to"]), body["content_hash"]
    return supplier_standing.grade(act, supplier, to, signed, reason=body["reason"], seen_hash=seen).id


@writes(
    "POST", "/suppliers/<record_id>/suspension", scope="suppliers:approve", summary="Suspend a supplier", body=ReasonGiven,
    answer=StandingAnswer, render=_supplier, etag=tag_of, match=True, person=True,
)  # fmt: skip
def suspend_supplier(act: Act, body: dict[str, Any], record_id: str) -> str:
    """At once: nothing is issued to it, nothing leaves for it, and what waits for inspection is kept apart."""
    supplier = suppliers.find(act.session, record_id)
    bodies.seen_tag(tag_of(supplier))
    supplier_standing.suspend_supplier(act, supplier, reason=body["reason"])
    return supplier.id
