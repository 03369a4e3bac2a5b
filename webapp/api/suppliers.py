"""Suppliers with their sites and what they are approved for."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from records.supplier import Supplier, SupplierStatus
from webapp.api.endpoints import reads
from webapp.api.shapes import Answer, Exact, Listed, as_page, maybe, page_of, word
from webapp.pages import suppliers as pages
from webapp.visit import now, reading


class Site(Answer):
    """A place a supplier works at."""

    id = fields.UUID()
    code = fields.String()
    name = fields.String()
    address = fields.String()
    email = fields.String()
    is_default = fields.Boolean()


class Approval(Answer):
    """One row of the approved supplier list. is_valid: whether it permits something today."""

    id = fields.UUID()
    subject = fields.String()
    subject_code = fields.String()
    scope = fields.String()
    specs = fields.List(fields.String())
    status = fields.String()
    valid_from = fields.Date()
    valid_to = fields.Date()
    basis = fields.String()
    site = fields.Function(
        lambda row: row.supplier_site.code if row.supplier_site else None, metadata={"type": ["string", "null"]}
    )
    nadcap_certificate_no = maybe()
    nadcap_commodity = maybe()
    customer_reference = maybe()
    certificate_expires_on = fields.Date(allow_none=True)
    cycle_months = fields.Integer(allow_none=True)
    accreditation_no = maybe()
    accreditation_body = maybe()
    discipline = maybe()
    measuring_range = maybe()
    conditions = fields.String()
    max_quantity = Exact(allow_none=True)
    max_value = Exact(allow_none=True)
    is_one_time = fields.Boolean()
    is_valid = fields.Function(lambda row: row.is_valid_on(now().date()), metadata={"type": "boolean"})
    version = fields.Integer()


class SupplierSummary(Answer):
    """A supplier in a list."""

    id = fields.UUID()
    supplier_no = fields.String()
    name = fields.String()
    status = word(SupplierStatus)
    currency = fields.String()
    is_active = fields.Boolean()
    version = fields.Integer()


class SupplierDetail(SupplierSummary):
    """A supplier with its sites and approvals."""

    incoterm = maybe()
    incoterm_place = maybe()
    payment_term = fields.String()
    email = fields.String()
    phone = fields.String()
    lead_time_days = fields.Integer(allow_none=True)
    qms_certificate = maybe()
    qms_expires_on = fields.Date(allow_none=True)
    has_change_agreement = fields.Boolean()
    origin = fields.String()
    sites = fields.List(fields.Nested(Site))
    approvals = fields.List(fields.Nested(Approval))


class SupplierQuery(Listed):
    """What suppliers may be listed by."""

    status = word(SupplierStatus, load_default="")


SupplierPage = page_of(SupplierSummary, "SupplierPage")


@reads(
    "/suppliers", scope="suppliers:read", summary="List suppliers by number", query=SupplierQuery, answer=SupplierPage
)
def list_suppliers(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in number and name."""
    return as_page(pages.look_up(q, status, after, limit=limit))


@reads(
    "/suppliers/<record_id>", scope="suppliers:read", summary="Get a supplier with its approvals", answer=SupplierDetail,
    etag=lambda supplier: str(supplier.version),
)  # fmt: skip
def get_supplier(record_id: str) -> Supplier:
    """Find it by id."""
    return pages.find(reading(), record_id)
