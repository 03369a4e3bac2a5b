"""Makers: one function per record, with believable defaults that a test overrides by keyword.

Each adds to the act and flushes, and makes what it needs (site, cost centre, people) when it is not there yet. Documents that
another system masters (parts, suppliers, the approved supplier list) are born there: origin ERP, released and approved.
"""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import select

from engine.act import Act
from engine.database import new_id
from records.acknowledgement import AckChannel, AckCode, AckResult, SupplierAcknowledgement, SupplierAcknowledgementLine
from records.actual import Actual, ActualKind
from records.approval import ApprovalSlot
from records.attachment import Attachment, attach
from records.calendar import MAIN, Holiday, Site
from records.certificate import Certificate, CertificateType
from records.cost_centre import Budget, BudgetPosting, CostCentre, PostingKind
from records.external import Discrepancy, DiscrepancyKind, ExternalRef, Observation, Severity
from records.inspection import Inspection, InspectionResult
from records.invoice import (
    HoldCode,
    Invoice,
    InvoiceLine,
    MatchHold,
    MatchResult,
    MatchStatus,
    Payable,
    PayableKind,
    invoice_key,
)
from records.lot import EdgeKind, GenealogyEdge, Lot, LotSource, LotStatus
from records.nonconformance import DeviationAuthority, DeviationStatus, Nonconformance
from records.numbering import next_number
from records.origin import Origin
from records.outside import OutsideLink
from records.part import DefinitionKind, OutsideProcess, Part, PartRevision, ProductDefinitionRef, RevisionStatus
from records.person import Absence, Delegation, RoleGrant, User
from records.purchase_order import IncotermCode, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.quality_clause import QualityClause
from records.receipt import Receipt, ReceiptStatus, ShortClose, count_receipts
from records.requisition import Requisition, RequisitionLine
from records.resource import Qualification, Resource, ResourceKind, WorkCentre
from records.routing import InstructionStatus, OperationKind, RoutingOperation, WorkInstruction
from records.signature import Meaning, Signature, SignatureStatus
from records.sourcing import ExchangeRate, SourcingKind, SourcingRef
from records.standard_cost import StandardCost
from records.supplier import (
    ApprovalBasis,
    ApprovalStatus,
    ApprovalSubject,
    CataloguePrice,
    Supplier,
    SupplierApproval,
    SupplierSite,
    SupplierStatus,
)
from records.supplier_knowledge import ScreeningResult, SupplierScreening
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus, WorkOrderType
from tests.people import settle_cast

D = Decimal
Made = TypeVar("Made")
_turn = count(os.getpid() * 1000)
"""Numbers that no other process of a test run makes: a plant that another worker built must not hold them already."""

THANKSGIVING = dt.date(2026, 11, 26)
YEARLY = D("500000")
EURO = D("1.08")


def make_id() -> str:
    return new_id()


def _add(act: Act, record: Made) -> Made:
    act.session.add(record)
    act.session.flush()
    return record


def make_site(act: Act, code: str = MAIN, **fields: Any) -> Site:
    """Make a site in Chicago that is closed on Thanksgiving, or return the one with this code."""
    found = act.session.scalar(select(Site).where(Site.code == code))
    if found is not None:
        return found
    given = {"name": "Halvorsen Precision Works", "time_zone": "America/Chicago", "currency": "USD"} | fields
    site = _add(act, Site(code=code, **given))
    make_holiday(act, site=site)
    return site


def make_holiday(act: Act, *, site: Site, on: dt.date = THANKSGIVING, **fields: Any) -> Holiday:
    return _add(act, Holiday(site=site, site_id=site.id, on=on, **{"name": "Thanksgiving"} | fields))


def make_cast(act: Act) -> dict[str, User]:
    """Make the cast, or return it when it is there."""
    found = {user.id: user for user in act.session.scalars(select(User))}
    return found if "rita" in found else found | settle_cast(act)


def make_user(act: Act, user_id: str | None = None, **fields: Any) -> User:
    user_id = user_id or f"user{next(_turn)}"
    return _add(act, User(id=user_id, **{"name": user_id.title(), "title": "Clerk"} | fields))


def make_grant(act: Act, user_id: str, role: str, **fields: Any) -> RoleGrant:
    given = {"valid_from": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)} | fields
    return _add(act, RoleGrant(user_id=user_id, role=role, **given))


def make_absence(act: Act, user_id: str, deputy_id: str, **fields: Any) -> Absence:
    """Make an absence from Monday to Friday of the week after the clock's start."""
    given = {
        "starts_at": dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC),
        "ends_at": dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC),
    } | fields
    return _add(act, Absence(user_id=user_id, deputy_id=deputy_id, **given))


def make_delegation(act: Act, from_user_id: str, to_user_id: str, role: str, **fields: Any) -> Delegation:
    given = {
        "valid_from": dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        "valid_to": dt.datetime(2026, 12, 31, tzinfo=dt.UTC),
    } | fields
    return _add(act, Delegation(from_user_id=from_user_id, to_user_id=to_user_id, role=role, **given))


def make_cost_centre(act: Act, code: str = "4711", *, budget: Decimal | None = YEARLY, **fields: Any) -> CostCentre:
    """Make a cost centre with a budget for 2026, or return the one with this code."""
    found = act.session.scalar(select(CostCentre).where(CostCentre.code == code))
    if found is not None:
        return found
    centre = _add(act, CostCentre(code=code, **{"name": "Machining", "currency": "USD"} | fields))
    if budget is not None:
        make_budget(act, centre, amount=budget)
    return centre


def make_budget(act: Act, cost_centre: CostCentre, **fields: Any) -> Budget:
    given = {"fiscal_year": 2026, "amount": D("500000")} | fields
    return _add(act, Budget(cost_centre=cost_centre, cost_centre_id=cost_centre.id, **given))


def make_posting(act: Act, cost_centre: CostCentre, amount: Decimal, **fields: Any) -> BudgetPosting:
    given = {
        "fiscal_year": 2026, "kind": PostingKind.ACTUAL, "document_type": "opening", "document_id": cost_centre.code,
        "posting_key": f"opening:{next(_turn)}",
    } | fields  # fmt: skip
    return _add(act, BudgetPosting(cost_centre=cost_centre, cost_centre_id=cost_centre.id, amount=amount, **given))


def make_process(act: Act, code: str = "HEAT_TREAT", **fields: Any) -> OutsideProcess:
    """Make an outside process that is special, or return the one with this code."""
    found = act.session.scalar(select(OutsideProcess).where(OutsideProcess.code == code))
    if found is not None:
        return found
    given = {"name": code.replace("_", " ").capitalize(), "is_special": True, "nadcap_commodity": "Heat Treating"}
    return _add(act, OutsideProcess(code=code, **given | fields))


def make_part(act: Act, part_no: str | None = None, **fields: Any) -> Part:
    given = {"name": "Bracket, titanium", "commodity": "MACHINED", "origin": Origin.ERP} | fields
    return _add(act, Part(part_no=part_no or f"P-{1000 + next(_turn)}", **given))


def make_revision(act: Act, part: Part | None = None, rev: str = "B", **fields: Any) -> PartRevision:
    """Make a revision, released unless said otherwise."""
    part = part or make_part(act)
    given = {"status": RevisionStatus.RELEASED, "origin": Origin.ERP, "released_at": act.now} | fields
    return _add(act, PartRevision(part=part, part_id=part.id, rev=rev, **given))


def make_definition(act: Act, revision: PartRevision, **fields: Any) -> ProductDefinitionRef:
    given = {
        "kind": DefinitionKind.BOM, "system": "PLM", "native_id": f"BOM-{next(_turn)}", "native_rev": "1",
        "content_hash": "ab" * 32,
    } | fields  # fmt: skip
    return _add(act, ProductDefinitionRef(part_revision=revision, part_revision_id=revision.id, **given))


def make_service(act: Act, code: str = "SV-HT-01", *, process: str | None = "HEAT_TREAT", **fields: Any) -> Part:
    """Make a bought service, for an outside process unless ``process`` is None."""
    if process is not None:
        make_process(act, process)
    given = {"name": "Heat treat per AMS 2759/3", "type": "SERVICE", "commodity": "SERVICE"} | fields
    return make_part(act, code, process_code=process, **given)


def make_supplier(act: Act, supplier_no: str | None = None, *, is_screened: bool = True, **fields: Any) -> Supplier:
    """Make an approved supplier with one site, screened the day before the clock's start unless said otherwise."""
    supplier_no = supplier_no or f"S-{next(_turn):04d}"
    given = {
        "name": "NorthStar Heat Treating", "status": SupplierStatus.APPROVED, "currency": "USD", "payment_term": "Net 30",
        "email": "orders@northstar.example", "origin": Origin.ERP, "has_change_agreement": True,
    } | fields  # fmt: skip
    supplier = _add(act, Supplier(supplier_no=supplier_no, **given))
    make_supplier_site(act, supplier, is_default=True)
    act.session.refresh(supplier, ["sites"])
    if is_screened:
        make_screening(act, supplier)
    return supplier


def make_screening(act: Act, supplier: Supplier, **fields: Any) -> SupplierScreening:
    given = {
        "screened_on": dt.date(2026, 11, 21), "result": ScreeningResult.CLEAR, "source": "Consolidated list",
        "source_system": "LOCKSTEP", "source_event_id": f"screening-{next(_turn)}",
    } | fields  # fmt: skip
    return _add(act, SupplierScreening(supplier=supplier, supplier_id=supplier.id, **given))


def make_supplier_site(act: Act, supplier: Supplier, **fields: Any) -> SupplierSite:
    given = {
        "code": f"{len(supplier.sites) + 1}", "street": "12 Kiln Road", "postal_code": "67209", "city": "Wichita",
        "country": "US", "origin": Origin.ERP,
    } | fields  # fmt: skip
    return _add(act, SupplierSite(supplier=supplier, supplier_id=supplier.id, **given))


def make_price(act: Act, supplier: Supplier, revision: PartRevision | None = None, **fields: Any) -> CataloguePrice:
    given = {
        "part_revision_id": revision.id if revision else None, "min_quantity": D(0), "unit_price": D("42.50"),
        "currency": supplier.currency, "lead_time_days": 21, "origin": Origin.ERP,
    } | fields  # fmt: skip
    return _add(act, CataloguePrice(supplier=supplier, supplier_id=supplier.id, **given))


def make_approval(act: Act, supplier: Supplier, subject_code: str = "MACHINED", **fields: Any) -> SupplierApproval:
    """Make a row of the approved supplier list that holds through 2026 and 2027."""
    given = {
        "subject": ApprovalSubject.COMMODITY, "status": ApprovalStatus.APPROVED, "valid_from": dt.date(2026, 1, 1),
        "valid_to": dt.date(2027, 12, 31), "basis": ApprovalBasis.AUDIT, "origin": Origin.ERP,
    } | fields  # fmt: skip
    return _add(act, SupplierApproval(supplier=supplier, supplier_id=supplier.id, subject_code=subject_code, **given))


def make_clause(act: Act, code: str = "Q01", **fields: Any) -> QualityClause:
    given = {"rev": "1", "title": "Certificate of conformance", "text": "Send a certificate with each lot."} | fields
    return _add(act, QualityClause(code=code, **given))


def make_rate(act: Act, currency: str = "EUR", rate: Decimal = EURO, **fields: Any) -> ExchangeRate:
    given = {"company_currency": "USD", "valid_from": dt.date(2026, 1, 1)} | fields
    return _add(act, ExchangeRate(currency=currency, rate=rate, **given))


def make_sourcing_ref(act: Act, **fields: Any) -> SourcingRef:
    given = {
        "kind": SourcingKind.BLANKET, "native_id": f"BL-{next(_turn)}", "system": "ERP", "currency": "USD",
        "valid_to": dt.date(2027, 6, 30), "remaining_value": D("50000"),
    } | fields  # fmt: skip
    return _add(act, SourcingRef(**given))


def make_requisition(
    act: Act, *lines: tuple[PartRevision, int | Decimal, int | Decimal | str], **fields: Any
) -> Requisition:
    """Make a draft by rita with lines (revision, quantity, estimated price); without lines, one of 5 × 42.50.

    The cost centre defaults to 4711; pass ``cost_centre=`` or ``requester_id=`` to have others.
    """
    make_cast(act)
    site, centre = make_site(act), fields.pop("cost_centre", None) or make_cost_centre(act)
    given: dict[str, Any] = {
        "requester_id": "rita", "currency": "USD", "need_by": dt.date(2026, 12, 18), "title": "Brackets for lot 7001",
        "justification": "Stock is below the minimum",
    } | fields  # fmt: skip
    number = given.pop("number", None) or next_number(act, "REQ", site=site)
    requisition = _add(
        act,
        Requisition(number=number, site=site, site_id=site.id, cost_centre=centre, cost_centre_id=centre.id, **given),
    )
    for revision, quantity, price in lines or ((make_revision(act), 5, "42.50"),):
        make_requisition_line(act, requisition, revision, quantity=D(quantity), estimated_price=D(price))
    return requisition


def make_requisition_line(
    act: Act, requisition: Requisition, revision: PartRevision | None = None, **fields: Any
) -> RequisitionLine:
    given = {
        "line_no": len(requisition.lines) + 1, "part_revision": revision, "part_revision_id": revision.id if revision else None,
        "quantity": D(5), "estimated_price": D("42.50"), "cost_object": f"CC:{requisition.cost_centre.code}",
    } | fields  # fmt: skip
    return _add(act, RequisitionLine(requisition=requisition, requisition_id=requisition.id, **given))


def make_order(
    act: Act, *lines: tuple[PartRevision, int | Decimal, int | Decimal | str], **fields: Any
) -> PurchaseOrder:
    """Make a draft order by bea with lines (revision, quantity, unit price); without lines, one of 5 × 42.50."""
    make_cast(act)
    site, supplier = make_site(act), fields.pop("supplier", None) or make_supplier(act)
    given: dict[str, Any] = {
        "buyer_id": "bea", "currency": supplier.currency, "fx_rate": D(1), "order_date": dt.date(2026, 11, 22),
        "incoterm": IncotermCode.DAP, "incoterm_place": "Wichita", "incoterm_edition": "2020", "payment_term": "Net 30",
        "ship_to": "Dock C", "bill_to": "Accounts payable", "terms_doc": "TC-001", "terms_rev": "D",
    } | fields  # fmt: skip
    number = given.pop("proposal_no", None) or next_number(act, "PF", site=site)
    order = PurchaseOrder(
        proposal_no=number, site=site, site_id=site.id, supplier=supplier, supplier_id=supplier.id, **given
    )
    for position, (revision, quantity, price) in enumerate(lines or ((make_revision(act), 5, "42.50"),), start=1):
        order.lines.append(
            PurchaseOrderLine(
                line_no=position, part_revision=revision, part_revision_id=revision.id, quantity=D(quantity),
                unit_price=D(price), need_by=dt.date(2026, 12, 18), description=revision.part.name,
            )
        )  # fmt: skip
    return _add(act, order)


def make_order_line(
    act: Act, order: PurchaseOrder, revision: PartRevision | None = None, **fields: Any
) -> PurchaseOrderLine:
    given = {
        "line_no": len(order.lines) + 1, "part_revision": revision, "part_revision_id": revision.id if revision else None,
        "quantity": D(5), "unit_price": D("42.50"), "need_by": dt.date(2026, 12, 18),
    } | fields  # fmt: skip
    return _add(act, PurchaseOrderLine(order=order, order_id=order.id, **given))


def make_acknowledgement(
    act: Act, order: PurchaseOrder, *lines: tuple[int, AckCode, dict[str, Any]], **fields: Any
) -> SupplierAcknowledgement:
    """Make an answer to the present revision, with lines (line_no, code, changed values)."""
    given = {
        "order_revision": order.revision, "received_at": act.now, "channel": AckChannel.EMAIL, "result": AckResult.ACCEPT,
        "message_id": f"ack-{next(_turn)}",
    } | fields  # fmt: skip
    acknowledgement = SupplierAcknowledgement(order=order, order_id=order.id, **given)
    for line_no, code, values in lines:
        acknowledgement.lines.append(SupplierAcknowledgementLine(line_no=line_no, code=code, **values))
    return _add(act, acknowledgement)


def make_signature(act: Act, record: Any, *, content_hash: str, signer: str = "lena", **fields: Any) -> Signature:
    """Make a signature row as the signer would write it; for tests that need one to exist, not to be given."""
    make_cast(act)
    user = act.session.get_one(User, signer)
    given = {
        "meaning": Meaning.APPROVED, "role": "PUR_LEAD", "printed_name": user.name, "printed_title": user.title,
        "signed_at": act.now, "local_offset": -360, "method": "PASSWORD", "had_both_components": True,
        "status": SignatureStatus.VALID,
    } | fields  # fmt: skip
    return _add(
        act,
        Signature(
            record_type=record.record_type, record_id=record.id, content_hash=content_hash, signer_id=signer, **given
        ),
    )


def make_release(act: Act, order: PurchaseOrder) -> Signature:
    """Make the buyer's signature that an order is issued with."""
    given = {"signer": "bea", "role": "BUYER", "meaning": Meaning.RELEASED}
    return make_signature(act, order, content_hash=order.approved_hash or "", **given)


def make_slot(act: Act, record: Any, *, record_hash: str, **fields: Any) -> ApprovalSlot:
    given = {"stage": 2, "role": "PUR_LEAD", "position": 1} | fields
    return _add(
        act, ApprovalSlot(record_type=record.record_type, record_id=record.id, record_hash=record_hash, **given)
    )


def make_attachment(act: Act, owner: Any, **fields: Any) -> Attachment:
    given = {"file_name": "drawing.pdf", "content": b"%PDF-1.7 drawing", "document_no": "DRW-1", "document_rev": "B"}
    values = given | fields
    return attach(act, owner, values.pop("content"), **values)


def make_external_ref(act: Act, record: Any, **fields: Any) -> ExternalRef:
    given = {
        "system": "ERP", "native_type": record.record_type, "native_id": f"{next(_turn)}", "last_seen_at": act.now,
        "last_hash": "00" * 32,
    } | fields  # fmt: skip
    return _add(act, ExternalRef(record_type=record.record_type, record_id=record.id, **given))


def make_observation(act: Act, record: Any, **fields: Any) -> Observation:
    given = {"field": "lines.1.quantity", "system": "ERP", "ours": "5.000000", "observed": "7.000000"} | fields
    return _add(act, Observation(record_type=record.record_type, record_id=record.id, observed_at=act.now, **given))


def make_discrepancy(act: Act, record: Any, **fields: Any) -> Discrepancy:
    given = {
        "field": "lines.1.quantity", "system": "ERP", "kind": DiscrepancyKind.QTY, "severity": Severity.MAJOR,
        "ours": "5.000000", "theirs": "7.000000", "owner": "role:BUYER", "opened_at": act.now,
    } | fields  # fmt: skip
    return _add(
        act,
        Discrepancy(document_type=record.record_type, document_id=record.id, document_number=record.number, **given),
    )


def make_work_centre(act: Act, code: str = "MILL", **fields: Any) -> WorkCentre:
    """Make a work centre at 85.00 an hour of labour and 40.00 of machine time, or return the one with this code."""
    found = act.session.scalar(select(WorkCentre).where(WorkCentre.code == code))
    if found is not None:
        return found
    given = {"name": code.title(), "labour_rate": D("85.00"), "machine_rate": D("40.00"), "currency": "USD"} | fields
    return _add(act, WorkCentre(code=code, site_id=make_site(act).id, **given))


def make_resource(act: Act, code: str | None = None, **fields: Any) -> Resource:
    """Make a machine that needs no calibration; a gauge (``kind=``) is calibrated yearly and good until June 2027."""
    given: dict[str, Any] = {"name": "Milling machine", "kind": ResourceKind.EQUIPMENT} | fields
    if given["kind"] == ResourceKind.GAUGE:
        given = {
            "calibration_interval_days": 365, "calibration_due": dt.date(2027, 6, 30), "last_good_on": dt.date(2026, 6, 30),
        } | given  # fmt: skip
    return _add(act, Resource(code=code or f"R-{next(_turn)}", **given))


def make_person(act: Act, code: str = "B-1007", *, processes: tuple[str, ...] = (), **fields: Any) -> Resource:
    """Make a person of the floor by badge, qualified for processes through 2027, or return the one with this code."""
    found = act.session.scalar(select(Resource).where(Resource.code == code))
    if found is not None:
        return found
    person = make_resource(act, code, **{"name": "Otto Brandt", "kind": ResourceKind.PERSON} | fields)
    for process in processes:
        make_qualification(act, person, process)
    return person


def make_qualification(act: Act, person: Resource, process_code: str = "WELD", **fields: Any) -> Qualification:
    given = {"qualified_on": dt.date(2026, 1, 1), "expires_on": dt.date(2027, 12, 31)} | fields
    return _add(act, Qualification(person=person, person_id=person.id, process_code=process_code, **given))


def make_instruction(act: Act, document_no: str = "WI-20", rev: str = "3", **fields: Any) -> WorkInstruction:
    """Make a released revision of an instruction, or return the one that is there."""
    found = act.session.scalar(
        select(WorkInstruction).where(WorkInstruction.document_no == document_no, WorkInstruction.rev == rev)
    )
    if found is not None:
        return found
    given = {"title": "Mill and deburr", "status": InstructionStatus.RELEASED, "released_at": act.now} | fields
    return _add(act, WorkInstruction(document_no=document_no, rev=rev, **given))


ROUTING: tuple[dict[str, Any], ...] = (
    {"op_no": 10, "description": "Saw blank", "setup_minutes": D(10), "run_minutes": D(2)},
    {"op_no": 20, "description": "Mill profile", "instruction": "WI-20", "setup_minutes": D(20), "run_minutes": D(9)},
    {
        "op_no": 30, "description": "Heat treat", "kind": OperationKind.OUTSIDE, "process_code": "HEAT_TREAT", "is_special": True,
        "spec": "PS-455", "spec_rev": "D", "is_certificate_required": True,
    },
    {"op_no": 40, "description": "Inspect and mark", "run_minutes": D(3)},
)  # fmt: skip
"""Four steps: two inside, heat treatment outside, inspection."""


def make_routing(
    act: Act, revision: PartRevision, steps: tuple[dict[str, Any], ...] = ROUTING
) -> list[RoutingOperation]:
    """Make how a revision is made; steps inside are done at the work centre MILL."""
    mill = make_work_centre(act)
    made = []
    for step in steps:
        inside = step.get("kind", OperationKind.INTERNAL) is OperationKind.INTERNAL
        if "instruction" in step:
            make_instruction(act, step["instruction"])
        given = {"work_centre_id": mill.id if inside else None} | step
        made.append(_add(act, RoutingOperation(part_revision_id=revision.id, **given)))
    return made


def make_work_order(
    act: Act,
    revision: PartRevision | None = None,
    *,
    operations: tuple[dict[str, Any], ...] = ROUTING,
    standards: tuple[dict[str, Any], ...] = (),
    **fields: Any,
) -> WorkOrder:
    """Make a production order of 10 that the MES released, with the four steps of ROUTING, the first of them ready.

    operations: columns of each step; ``status="PLANNED", origin=Origin.LOCKSTEP, system="LOCKSTEP"`` gives one planned here.
    """
    number = fields.pop("number", None) or f"WO-{7000 + next(_turn)}"
    given: dict[str, Any] = {
        "system": "MES", "native_id": number, "origin": Origin.ERP, "type": WorkOrderType.PRODUCTION, "quantity": D(10),
        "status": WorkOrderStatus.RELEASED, "planned_start": dt.date(2026, 11, 23), "planned_finish": dt.date(2026, 12, 18),
    } | fields  # fmt: skip
    if "part_revision_id" not in given and given["type"] in ("PRODUCTION", "REWORK", "DEVIATION"):
        given["part_revision_id"] = (revision or make_revision(act)).id
    mill = make_work_centre(act)
    order = WorkOrder(number=number, site_id=make_site(act).id, **given)
    for position, step in enumerate(operations):
        inside = step.get("kind", OperationKind.INTERNAL) == OperationKind.INTERNAL
        begun = position == 0 and given["status"] == WorkOrderStatus.RELEASED
        first = {"status": OperationStatus.READY, "quantity_in": order.quantity} if begun else {}
        values = {"work_centre_id": mill.id if inside else None} | first | step
        if "instruction" in step:
            values.setdefault("instruction_rev", "3")
        order.operations.append(WorkOrderOperation(**values))
    order.standards.extend(StandardCost(**standard) for standard in standards)
    return _add(act, order)


def make_actual(act: Act, order: WorkOrder, **fields: Any) -> Actual:
    """Make an hour of labour that the MES reported, without a cost."""
    given = {
        "kind": ActualKind.LABOUR, "source_system": "MES", "source_event_id": f"ev-{next(_turn)}", "event_time": act.now,
        "received_at": act.now, "quantity": D(1), "uom": "HUR",
    } | fields  # fmt: skip
    return _add(act, Actual(work_order_id=order.id, **given))


def make_nonconformance(act: Act, about: Any, number: str | None = None, **fields: Any) -> Nonconformance:
    """Make an open nonconformance of 4 pieces about a document, all of which may be worked on."""
    given = {
        "title": "Bore undersize", "quantity": D(4), "quantity_limit": D(4), "raised_at": act.now, "about_number": about.number,
    } | fields  # fmt: skip
    return _add(
        act,
        Nonconformance(
            number=number or f"NCR-{next(_turn)}", site_id=make_site(act).id, about_type=about.record_type, about_id=about.id,
            **given,
        ),
    )  # fmt: skip


def make_deviation(act: Act, number: str | None = None, **fields: Any) -> DeviationAuthority:
    """Make a deviation authority for 10 pieces until the end of the year, approved by quinn."""
    make_cast(act)
    given = {
        "title": "Alternate deburring", "quantity": D(10), "expires_on": dt.date(2026, 12, 31), "approved_by_id": "quinn",
        "approved_at": act.now, "status": DeviationStatus.APPROVED,
    } | fields  # fmt: skip
    return _add(act, DeviationAuthority(number=number or f"DEV-{next(_turn)}", site_id=make_site(act).id, **given))


def make_order_to_receive(
    act: Act,
    *lines: tuple[PartRevision, int | Decimal, int | Decimal | str],
    line_fields: dict[str, Any] | None = None,
    **fields: Any,
) -> PurchaseOrder:
    """Make an order that an ERP approved and the supplier acknowledged, ready for goods. line_fields: for every line."""
    given: dict[str, Any] = {"origin": Origin.ERP, "po_no": f"PO-{next(_turn)}", "status": OrderStatus.ACKNOWLEDGED}
    make_cast(act)
    site, supplier = make_site(act), fields.pop("supplier", None) or make_supplier(act)
    given |= {
        "buyer_id": "bea", "currency": supplier.currency, "fx_rate": D(1), "order_date": dt.date(2026, 11, 22),
        "transmitted_at": act.now, "proposal_no": next_number(act, "PF", site=site),
    } | fields  # fmt: skip
    order = PurchaseOrder(site=site, site_id=site.id, supplier=supplier, supplier_id=supplier.id, **given)
    for position, (revision, quantity, price) in enumerate(lines or ((make_revision(act), 5, "42.50"),), start=1):
        values: dict[str, Any] = {
            "line_no": position, "part_revision": revision, "part_revision_id": revision.id, "quantity": D(quantity),
            "unit_price": D(price), "need_by": dt.date(2026, 12, 18), "description": revision.part.name,
        } | (line_fields or {})  # fmt: skip
        order.lines.append(PurchaseOrderLine(**values))
    return _add(act, order)


def make_receipt(act: Act, line: PurchaseOrderLine | None = None, **fields: Any) -> Receipt:
    """Make goods that just arrived, by sam, and count the line; without a line, on a new order for 5 pieces."""
    line = line or make_order_to_receive(act).lines[0]
    quantity = fields.pop("quantity", D(5))
    given: dict[str, Any] = {
        "order_revision": line.order.revision, "uom": line.uom, "stated_quantity": abs(quantity), "stated_uom": line.uom,
        "packing_slip": f"PS-{next(_turn)}", "received_on": dt.date(2026, 11, 22), "received_by": "sam", "location": "Dock C",
        "source_system": "LOCKSTEP", "source_event_id": f"receipt-{next(_turn)}",
    } | fields  # fmt: skip
    number = given.pop("number", None) or next_number(act, "RCV", site=line.order.site)
    made = _add(act, Receipt(number=number, order_line=line, order_line_id=line.id, quantity=quantity, **given))
    count_receipts(act, line)
    return made


def make_reversal(act: Act, receipt: Receipt, quantity: Decimal | None = None, **fields: Any) -> Receipt:
    """Make the negative receipt that takes a receipt, or a part of it, back."""
    given = {"quantity": -(quantity or receipt.quantity), "reason": "Counted wrongly", "status": ReceiptStatus.REVERSAL}
    return make_receipt(act, receipt.order_line, reverses=receipt, reverses_id=receipt.id, **given | fields)


def make_short_close(act: Act, line: PurchaseOrderLine, **fields: Any) -> ShortClose:
    given = {"quantity": D(1), "reason": "The supplier has no more", "proposed_by": "bea"} | fields
    return _add(act, ShortClose(order_line=line, order_line_id=line.id, **given))


def make_inspection(act: Act, receipt: Receipt, **fields: Any) -> Inspection:
    given = {
        "number": next_number(act, "INSP", site=receipt.order_line.order.site), "plan_ref": "IP-200", "plan_rev": "3",
        "lot_size": receipt.quantity, "sample_size": 5, "accept_number": 0, "rejects": 0, "result": InspectionResult.PASS,
        "inspector_id": "quinn", "inspected_at": act.now,
    } | fields  # fmt: skip
    return _add(act, Inspection(receipt=receipt, receipt_id=receipt.id, **given))


def make_certificate(act: Act, receipt: Receipt | None = None, **fields: Any) -> Certificate:
    """Make a certificate of conformance that somebody still has to verify."""
    line = fields.pop("order_line", None) or (receipt or make_receipt(act)).order_line
    given = {
        "number": next_number(act, "CERT", site=line.order.site), "type": CertificateType.COC, "issuer": line.order.supplier.name,
        "document_hash": "ab" * 32, "source_system": "LOCKSTEP", "source_event_id": f"certificate-{next(_turn)}",
        "receipt": receipt, "receipt_id": receipt.id if receipt else None,
    } | fields  # fmt: skip
    return _add(act, Certificate(order_line=line, order_line_id=line.id, **given))


def make_invoice(
    act: Act, *lines: tuple[PurchaseOrderLine, int | Decimal, int | Decimal | str], **fields: Any
) -> Invoice:
    """Make a captured invoice with lines (order line, quantity, unit price); without lines, of 5 × 42.50."""
    rows = lines or ((make_order_to_receive(act).lines[0], 5, "42.50"),)
    order = rows[0][0].order
    printed = fields.pop("supplier_invoice_no", f"R-{next(_turn)}")
    given = {
        "currency": order.currency, "invoiced_on": dt.date(2026, 11, 22), "due_on": dt.date(2026, 12, 22),
        "source_system": "LOCKSTEP", "source_event_id": f"invoice-{next(_turn)}", "invoice_key": invoice_key(printed),
        "number": next_number(act, "INV", site=order.site), "supplier": order.supplier, "supplier_id": order.supplier_id,
    } | fields  # fmt: skip
    made = _add(act, Invoice(supplier_invoice_no=printed, **given))
    for position, (line, quantity, price) in enumerate(rows, start=1):
        make_invoice_line(act, made, line, line_no=position, quantity=D(quantity), unit_price=D(price))
    return made


def make_invoice_line(act: Act, invoice: Invoice, line: PurchaseOrderLine, **fields: Any) -> InvoiceLine:
    given = {"line_no": len(invoice.lines) + 1, "quantity": D(5), "unit_price": D("42.50")} | fields
    return _add(
        act, InvoiceLine(invoice=invoice, invoice_id=invoice.id, order_line=line, order_line_id=line.id, **given)
    )


def make_match_result(act: Act, line: InvoiceLine, **fields: Any) -> MatchResult:
    given = {
        "run": 1, "level": 3, "profile": "STANDARD", "quantity": line.quantity, "ordered": D(5), "received": D(5), "accepted": D(5),
        "invoiced_before": D(0), "order_price": D("42.50"), "invoice_price": line.unit_price, "price_excess": D(0),
        "price_allowance": D(0), "status": MatchStatus.MATCHED, "payable_quantity": line.quantity, "payable_amount": line.amount,
        "matched_at": act.now, "judged_by": "ab" * 32,
    } | fields  # fmt: skip
    return _add(act, MatchResult(invoice_line=line, invoice_line_id=line.id, **given))


def make_hold(act: Act, line: InvoiceLine, **fields: Any) -> MatchHold:
    given = {
        "code": HoldCode.QTY_REC, "expected": "at most 0 received", "found": "5 invoiced", "owner": "role:RECEIVING",
        "opened_at": act.now,
    } | fields  # fmt: skip
    return _add(act, MatchHold(invoice_line=line, invoice_line_id=line.id, **given))


def make_payable(act: Act, line: InvoiceLine, **fields: Any) -> Payable:
    given = {"kind": PayableKind.MATCHED, "quantity": line.quantity, "amount": line.amount} | fields
    return _add(act, Payable(invoice_line=line, invoice_line_id=line.id, order_line_id=line.order_line_id, **given))


def make_link(act: Act, line: PurchaseOrderLine | None = None, **fields: Any) -> OutsideLink:
    """Make a proposed link of an operation, the heat treatment of a new work order unless one is given, with an order line."""
    line = line if line is not None else make_order(act).lines[0]
    operation = fields.pop("operation", None) or make_work_order(act, line.part_revision).operations[2]
    given = {
        "operation": operation, "operation_id": operation.id, "allocated_quantity": line.quantity, "uom": line.uom, "need_by": line.need_by,
        "part_revision": line.part_revision, "part_revision_id": line.part_revision_id, "process_code": line.process_code,
        "spec": line.spec, "spec_rev": line.spec_rev,
    } | fields  # fmt: skip
    site = line.order.site
    number = given.pop("number", None) or next_number(act, "LNK", site=site)
    return _add(
        act, OutsideLink(number=number, site=site, site_id=site.id, order_line=line, order_line_id=line.id, **given)
    )


def make_stock(act: Act, number: str | None = None, revision: PartRevision | None = None, **fields: Any) -> Lot:
    """Make an accepted lot of 10 pieces from a documented count; pass ``source=`` and its record for another origin."""
    revision = revision or make_revision(act)
    given = {
        "quantity": D(10), "source": LotSource.ADJUSTMENT, "source_note": "Opening stock count 2026-01",
        "status": LotStatus.AVAILABLE,
    } | fields  # fmt: skip
    given.setdefault("quantity_left", given["quantity"])
    number = number or f"LOT-{next(_turn)}"
    return _add(act, Lot(number=number, part_revision=revision, part_revision_id=revision.id, **given))


def make_edge(act: Act, parent: Lot | None, *, work_order_id: str, **fields: Any) -> GenealogyEdge:
    """Make the row of an issue to a work order, without taking it from the lot; ``processes.genealogy.consume`` does both."""
    given = {
        "kind": EdgeKind.CONSUMED, "quantity": D(1), "uom": "EA", "event_id": f"event-{next(_turn)}", "happened_at": act.now,
        "to_node": work_order_id,
    } | fields  # fmt: skip
    parent_id = parent.id if parent is not None else None
    return _add(act, GenealogyEdge(parent_id=parent_id, from_node=parent_id, work_order_id=work_order_id, **given))
