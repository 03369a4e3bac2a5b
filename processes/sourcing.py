"""Find a supplier for an award (A13 to A17): contract, named supplier or the buyer's choice, and the supplier gate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import or_, select

from engine.act import Act
from engine.bpmn import BpmnError
from engine.canonical import content_hash
from engine.decisions import Decision
from engine.errors import Forbidden, Invalid
from engine.messages import broadcast
from engine.registry import Registry, Work
from processes.documents import existing, requisition_of
from processes.notices import tell
from processes.supplier_approval import approval_from
from processes.supplier_gate import gate_of
from records.money import convert
from records.requisition import Requisition, RequisitionLine
from records.signing import signature_of
from records.sourcing import SourcingKind, SourcingRef, rate_on
from records.supplier import (
    ApprovalStatus,
    CataloguePrice,
    Supplier,
    SupplierApproval,
    SupplierStatus,
    move,
    move_supplier,
)

ORDERABLE = frozenset({SupplierStatus.PROSPECT, SupplierStatus.CONDITIONAL, SupplierStatus.APPROVED})
SHOWN = 200
"""Suppliers that a form offers at most."""

NO_SUPPLIER = "NO_SUPPLIER"
"""The error of an answer that names no supplier; the buyer is asked again."""

registry = Registry()


@registry.step("find_source")
def find_source(act: Act, work: Work) -> Mapping[str, Any]:
    """A13: look for a contract with enough left, or the supplier that somebody names."""
    requisition, award = requisition_of(act, work), dict(work["award"])
    lines = lines_of(act, award)
    award["attempt"] = award["attempt"] + 1
    if award["attempt"] > 1:
        award |= {"supplier_id": None, "supplier_name": None, "sourcing_ref_id": None}
    contract = _contract(act, requisition, award, lines)
    if contract is not None and contract.supplier is not None:
        award |= _chosen(contract.supplier) | {"sourcing_ref_id": contract.id}
    return {
        "award": award,
        "order": None,
        "gate": None,
        "sourcing": {
            "total": award["total_company"],
            "has_supplier": award["supplier_id"] is not None,
            "contract_remainder": award["total_company"] if contract is not None else Decimal(0),
            "customer_directed": any(line.customer_reference for line in lines),
            "attempt": award["attempt"],
            "suppliers": _suppliers(act, lines),
        },
    }


@registry.step("settle_source")
def settle_source(act: Act, work: Work) -> Mapping[str, Any]:
    """A13/A14: take the buyer's choice; with fewer quotes than the table asks it needs a signature (A15)."""
    choice = dict(work["choice"])
    supplier = _orderable(act, choice.get("supplier_id"))
    needed = work["sourcing"].get("quotes_needed") or Decimal(0)
    quotes = Decimal(choice.get("quotes") or 0)
    award = dict(work["award"]) | _chosen(supplier) | {"single_source": quotes < needed}
    if choice.get("reference"):
        award["sourcing_ref_id"] = _quote(act, supplier, str(choice["reference"]), award["currency"]).id
    award["hash"] = content_hash([work["requisition"]["hash"], award, {**choice, "quotes": str(quotes)}])
    choice |= {"buyer": act.user_id, "quotes": quotes, "needs_justification": quotes < needed}
    return {"award": award, "choice": choice}


@registry.step("check_supplier")
def check_supplier(act: Act, work: Work) -> Mapping[str, Any]:
    """A16: SUP-01 to SUP-07 at the gate."""
    award = work["award"]
    supplier = existing(act.session, Supplier, award["supplier_id"])
    act.session.expire(supplier, ["approvals"])
    today = requisition_of(act, work).site.local_day(act.now)
    gate = gate_of(act, supplier, lines_of(act, award), today=today)
    return {"gate": gate, "award": award | {"hash": content_hash([work["requisition"]["hash"], award, gate])}}


@registry.step("record_supplier_approval")
def record_supplier_approval(act: Act, work: Work) -> None:
    """A17: write down what quality approved, with its signature; a refusal writes nothing and the gate asks again.

    What cannot be an approval (days in the wrong order, no certificate) is said to the signer, and the gate asks again too.
    """
    if work["decision"]["verdict"] != "approve":
        return
    requisition, wanted, award = requisition_of(act, work), work["qualification"], work["award"]
    supplier = existing(act.session, Supplier, award["supplier_id"])
    try:
        today = requisition.site.local_day(act.now)
        approval = approval_from(wanted, supplier, lines_of(act, award), today=today)
    except Invalid as refusal:
        subject = f"The approval of {supplier.name} was not recorded"
        record = (requisition.record_type, requisition.id)
        tell(act, [act.user_id or ""], subject, key=f"unrecorded:{act.id}", body=refusal.message, record=record)
        return
    act.session.add(approval)
    act.session.flush()
    signature_id = _signature_of_this_act(act, work)
    status = ApprovalStatus.CONDITIONAL if approval.is_one_time else ApprovalStatus.APPROVED
    move(act, approval, status, signature_id=signature_id)
    if supplier.status is SupplierStatus.PROSPECT:
        move_supplier(act, supplier, SupplierStatus.CONDITIONAL, signature_id=signature_id)


def announce_approval(act: Act, approval: SupplierApproval) -> None:
    """Let every award that waits at the gate for this supplier be checked again; call it when the list has changed."""
    act.session.flush()
    broadcast(act, f"asl.changed.{approval.supplier_id}", {})


def lines_of(act: Act, award: Mapping[str, Any]) -> list[RequisitionLine]:
    """Return the requisition lines of an award, in their order."""
    wanted = select(RequisitionLine).where(RequisitionLine.id.in_(award["line_ids"]))
    return list(act.session.scalars(wanted.order_by(RequisitionLine.line_no)))


def _orderable(act: Act, supplier_id: object) -> Supplier:
    """Return the supplier that was chosen. Raises: BpmnError NO_SUPPLIER when it is none, or none to buy from."""
    try:
        supplier = act.session.get(Supplier, str(uuid.UUID(str(supplier_id))))
    except ValueError:
        supplier = None
    if supplier is None or not supplier.is_active or supplier.status not in ORDERABLE:
        raise BpmnError(NO_SUPPLIER, f"Expected a supplier to buy from, but found {supplier_id}")
    return supplier


def _chosen(supplier: Supplier) -> dict[str, Any]:
    return {"supplier_id": supplier.id, "supplier_name": supplier.name}


def _contract(
    act: Act, requisition: Requisition, award: Mapping[str, Any], lines: list[RequisitionLine]
) -> SourcingRef | None:
    """Return a contract or blanket order that covers the whole award, of the named supplier when one is named."""
    today = requisition.site.local_day(act.now)
    parts = {line.part_revision.part_id for line in lines if line.part_revision is not None}
    wanted = select(SourcingRef).where(
        SourcingRef.kind.in_([SourcingKind.CONTRACT, SourcingKind.BLANKET]),
        SourcingRef.supplier_id.is_not(None),
        or_(SourcingRef.valid_to.is_(None), SourcingRef.valid_to >= today),
    )
    if award["supplier_id"] is not None:
        wanted = wanted.where(SourcingRef.supplier_id == award["supplier_id"])
    for reference in act.session.scalars(wanted.order_by(SourcingRef.native_id)):
        covers = reference.part_id is None or parts == {reference.part_id}
        named = reference.part_id is not None or award["supplier_id"] is not None
        if covers and named and _is_enough(act, requisition, reference, lines):
            return reference
    return None


def _is_enough(act: Act, requisition: Requisition, reference: SourcingRef, lines: list[RequisitionLine]) -> bool:
    value = sum((line.amount for line in lines), Decimal(0))
    if reference.currency is not None and reference.currency != requisition.currency:
        day = requisition.site.local_day(act.now)
        rate = rate_on(act.session, requisition.currency, company_currency=reference.currency, on=day)
        value = convert(value, rate, currency=reference.currency)
    quantity = sum((line.open_quantity for line in lines), Decimal(0))
    return (reference.remaining_value is None or reference.remaining_value >= value) and (
        reference.remaining_quantity is None or reference.remaining_quantity >= quantity
    )


def _suppliers(act: Act, lines: list[RequisitionLine]) -> list[dict[str, str]]:
    """Return the suppliers a buyer may choose from, those who sell these parts first."""
    revisions = [line.part_revision_id for line in lines if line.part_revision_id]
    sellers = set(
        act.session.scalars(select(CataloguePrice.supplier_id).where(CataloguePrice.part_revision_id.in_(revisions)))
    )
    wanted = select(Supplier).where(Supplier.is_active, Supplier.status.in_(ORDERABLE)).order_by(Supplier.name)
    known = sorted(act.session.scalars(wanted), key=lambda supplier: supplier.id not in sellers)
    return [
        {"value": supplier.id, "label": f"{supplier.name} ({supplier.supplier_no}, {supplier.status.value.lower()})"}
        for supplier in known[:SHOWN]
    ]


def _quote(act: Act, supplier: Supplier, number: str, currency: str) -> SourcingRef:
    known = select(SourcingRef).where(
        SourcingRef.system == supplier.supplier_no,
        SourcingRef.kind == SourcingKind.QUOTE,
        SourcingRef.native_id == number,
    )
    quote = act.session.scalar(known)
    if quote is None:
        quote = SourcingRef(
            kind=SourcingKind.QUOTE, native_id=number, system=supplier.supplier_no, supplier=supplier, currency=currency
        )
        act.session.add(quote)
        act.session.flush()
    return quote


def _signature_of_this_act(act: Act, work: Work) -> str:
    assert work.instance is not None
    made = select(Decision.id).where(Decision.instance_id == work.instance.id, Decision.actor_id == act.user_id)
    decision_id = act.session.scalars(made.order_by(Decision.seq.desc()).limit(1)).first()
    signature = signature_of(act.session, decision_id) if decision_id is not None else None
    if signature is None:
        raise Forbidden("Expected the approval to be signed, but there is no signature", code="SIGNATURE_REQUIRED")
    return signature.id
