"""Keep the approved supplier list: propose a scope, approve it with quality's signature, suspend it at once.

Whoever waits for a supplier hears of every change, so that a flow goes on, or stops, without anybody entering it again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Forbidden, Invalid
from engine.ports import SignatureRequest
from processes.notices import tell_role
from processes.sourcing import announce_approval
from processes.supplier_approval import describe_certificate, lasting_approval
from processes.supplier_standing import keep_goods_apart
from records.purchase_order import OrderStatus, PurchaseOrder
from records.roles import grants_of
from records.signature import Meaning
from records.signing import PasswordSigner
from records.supplier import (
    ApprovalBasis,
    ApprovalStatus,
    Supplier,
    SupplierApproval,
    SupplierSite,
    SupplierStatus,
    move,
    move_supplier,
)

KEEPERS = ("SQ", "QA_ENG")
"""Roles of quality that keep the list (SUP-15: a buyer does not)."""

APPROVABLE = frozenset({ApprovalStatus.PENDING, ApprovalStatus.CONDITIONAL, ApprovalStatus.SUSPENDED})
OVER = (OrderStatus.CLOSED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.SUPPLIER_REJECTED)
SUSPENDABLE = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.CONDITIONAL})


def propose(act: Act, supplier: Supplier, given: Mapping[str, Any]) -> SupplierApproval:
    """Add a row that permits nothing yet.

    given: subject, code, scope, specs (list), valid_from, valid_to, basis, certificate_no, site_id, conditions; of a certificate
    nadcap_commodity, cycle_months, certificate_expires_on, and of a laboratory accreditation_no, accreditation_body, discipline,
    measuring_range. Raises: Forbidden for anybody but quality; Invalid naming the field.
    """
    _keeper(act)
    site = _site(supplier, str(given["site_id"])) if given.get("site_id") else None
    approval = lasting_approval(given, supplier)
    describe_certificate(approval, given)
    if approval.basis is ApprovalBasis.NADCAP and site is None and len(supplier.sites) > 1:
        raise Invalid(
            f"Expected the site that the Nadcap certificate is of, but {supplier.name} has {len(supplier.sites)}",
            {"site_id": "is required for Nadcap"},
        )
    approval.specs = tuple(given.get("specs") or ())
    approval.conditions = str(given.get("conditions") or "")
    approval.supplier_site = site
    act.session.add(approval)
    act.session.flush()
    return approval


def approve(
    act: Act, approval: SupplierApproval, request: SignatureRequest, *, reason: str = "", seen_hash: str
) -> SupplierApproval:
    """Let a row permit what it says, signed by quality; a prospect that gets its first one becomes conditional.

    seen_hash: ``approval_hash`` as the signer saw it. Raises: Forbidden; Invalid for content that changed or a meaning
    that does not approve; RuleViolation SOD-7 for a buyer; Conflict ILLEGAL_TRANSITION.
    """
    role = _keeper(act)
    digest = approval_hash(approval)
    if seen_hash != digest:
        raise Invalid("Expected the approval as you saw it, but it changed since; reload it", {"seen_hash": "is stale"})
    if request.meaning != Meaning.APPROVED:
        raise Invalid(
            f"Expected the meaning {Meaning.APPROVED}, but it is {request.meaning}", {"meaning": "does not approve"}
        )
    signer = act.installation.signer
    if not isinstance(signer, PasswordSigner):
        raise TypeError("Expected a signer with passwords to be wired before anybody signs, but there is another")
    signature = signer.sign_record(act, approval, request, content_hash=digest, principal=role, reason=reason)
    limited = bool(approval.conditions or approval.max_quantity or approval.max_value)
    wanted = (
        ApprovalStatus.CONDITIONAL if limited and approval.status is ApprovalStatus.PENDING else ApprovalStatus.APPROVED
    )
    move(act, approval, wanted, signature_id=signature.id, reason=reason or None)
    if approval.supplier.status is SupplierStatus.PROSPECT:
        move_supplier(act, approval.supplier, SupplierStatus.CONDITIONAL, signature_id=signature.id)
    announce_approval(act, approval)
    return approval


def suspend(act: Act, approval: SupplierApproval, *, reason: str) -> SupplierApproval:
    """Take a permission away at once: nothing more is issued on it, goods that wait are kept apart, and the buyers are told.

    Raises: Forbidden for anybody but quality; Invalid without a reason; Conflict ILLEGAL_TRANSITION.
    """
    _keeper(act)
    if not reason.strip():
        raise Invalid("Expected a reason for the suspension, but there is none", {"reason": "is required"})
    move(act, approval, ApprovalStatus.SUSPENDED, reason=reason.strip())
    announce_approval(act, approval)
    subject = f"{approval.supplier.name}: {approval.subject_words} is suspended"
    record = (approval.supplier.record_type, approval.supplier_id)
    orders = ", ".join(order.number for order in open_orders(act.session, approval.supplier)) or "none"
    body = f"{reason.strip()}\n\nOpen orders: {orders}."
    tell_role(act, "BUYER", subject, key=f"suspended:{act.id}", body=body, record=record)
    keep_goods_apart(act, approval.supplier)
    return approval


def open_orders(session: Session, supplier: Supplier) -> list[PurchaseOrder]:
    """Return the orders of a supplier that are not over, which a suspension leaves in the air (SUP-09), by number."""
    wanted = select(PurchaseOrder).where(PurchaseOrder.supplier_id == supplier.id, PurchaseOrder.status.not_in(OVER))
    return sorted(session.scalars(wanted), key=lambda order: order.number)


def approval_hash(approval: SupplierApproval) -> str:
    """Return the hash of what a signature on a row approves."""
    return content_hash(
        {
            "supplier": approval.supplier.supplier_no,
            "site": approval.supplier_site.code if approval.supplier_site is not None else None,
            "subject": approval.subject.value,
            "code": approval.subject_code,
            "scope": approval.scope,
            "specs": list(approval.specs),
            "valid_from": approval.valid_from.isoformat(),
            "valid_to": approval.valid_to.isoformat(),
            "basis": approval.basis.value,
            "certificate": approval.nadcap_certificate_no or approval.customer_reference,
            "certificate_expires_on": _iso(approval.certificate_expires_on),
            "cycle_months": approval.cycle_months,
            "laboratory": [
                approval.accreditation_no,
                approval.accreditation_body,
                approval.discipline,
                approval.measuring_range,
            ],
            "nadcap_commodity": approval.nadcap_commodity,
            "conditions": approval.conditions,
            "max_quantity": None if approval.max_quantity is None else str(approval.max_quantity),
            "max_value": None if approval.max_value is None else str(approval.max_value),
        }
    )


def _iso(day: dt.date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _keeper(act: Act) -> str:
    """Return the role under which the acting person keeps the list. Raises: Forbidden."""
    held = {grant.role for grant in grants_of(act.session, act.user_id, at=act.now)} if act.user_id else set()
    role = next((role for role in KEEPERS if role in held), None)
    if role is None:
        raise Forbidden(
            f"Expected {' or '.join(KEEPERS)} to keep the approved supplier list, but you hold neither",
            code="NOT_AUTHORISED",
        )
    return role


def _site(supplier: Supplier, site_id: str) -> SupplierSite:
    found = next((site for site in supplier.sites if site.id == site_id), None)
    if found is None:
        raise Invalid(f"Expected a site of {supplier.name}, but found another", {"site_id": "is not its site"})
    return found
