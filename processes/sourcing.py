"""Find a supplier for an award (A13 to A17): contract, named supplier or the buyer's choice, and the supplier gate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.bpmn import BpmnError
from engine.canonical import content_hash
from engine.decisions import Decision
from engine.errors import Forbidden, Invalid
from engine.registry import Registry, Work
from engine.signals import broadcast
from processes.agreements import agreement_for
from processes.documents import existing, requisition_of
from processes.notices import tell
from processes.quote_comparison import Comparison, compare
from processes.quoting import award as take_award
from processes.sole_sources import justify, refuse, sign
from processes.supplier_approval import approval_from
from processes.supplier_gate import gate_of
from records.quotation import Quotation, RequestForQuotation
from records.requisition import Requisition, RequisitionLine
from records.signing import signature_of
from records.sole_source import SoleSourceJustification
from records.sourcing import SourcingKind, SourcingRef
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

UNCHOSEN: Mapping[str, Any] = {"sourcing_ref_id": None, "quotation_id": None, "order_currency": None}
"""What an award says before it has found its source."""

registry = Registry()


@registry.step("find_source")
def find_source(act: Act, work: Work) -> Mapping[str, Any]:
    """A13: look for a contract with enough left, or the supplier that somebody names."""
    requisition, award = requisition_of(act, work), dict(work["award"])
    lines = lines_of(act, award)
    award["attempt"] = award["attempt"] + 1
    award |= UNCHOSEN
    if award["attempt"] > 1:
        award |= {"supplier_id": None, "supplier_name": None}
    contract = agreement_for(act, requisition, award, lines)
    if contract is not None and contract.supplier is not None:
        award |= _chosen(contract.supplier) | {"sourcing_ref_id": contract.id}
        if contract.unit_price is not None:
            award["order_currency"] = contract.currency
    return {
        "award": award,
        "order": None,
        "gate": None,
        "choice": None,
        "sourcing": {
            "total": award["total_company"],
            "has_supplier": award["supplier_id"] is not None,
            "contract_remainder": award["total_company"] if contract is not None else Decimal(0),
            "customer_directed": any(line.customer_reference for line in lines),
            "attempt": award["attempt"],
            "single_source": award["attempt"] == 1 and any(line.is_single_source for line in lines),
            "suppliers": suppliers_for_award(act, lines),
            "problem": (work.get("choice") or {}).get("problem"),
        },
    }


@registry.step("settle_source")
def settle_source(act: Act, work: Work) -> Mapping[str, Any]:
    """A13/A14: take the buyer's choice; with fewer quotes than the table asks a justification is written for the signature (A15).

    What cannot be taken is said to the buyer, who is asked again. Raises: BpmnError NO_SUPPLIER in runs of versions that drew it so.
    """
    choice, requisition = dict(work["choice"]), requisition_of(act, work)
    try:
        with act.attempt():
            award, choice, justification = _settled(act, work, requisition, choice)
    except Invalid as refusal:
        if _is_of_before(choice):
            raise BpmnError("NO_SUPPLIER", refusal.message) from refusal
        subject = f"The choice for {requisition.number} was not taken"
        record = (requisition.record_type, requisition.id)
        tell(act, [act.user_id or ""], subject, key=f"unchosen:{act.id}", body=refusal.message, record=record)
        return {"choice": choice | {"problem": refusal.message, "needs_justification": False}}
    award["hash"] = content_hash([requisition_hash_of(work), award, choice])
    return {"award": award, "choice": choice, "justification": justification}


def _settled(
    act: Act, work: Work, requisition: Requisition, choice: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]:
    award, needed = dict(work["award"]), int(work["sourcing"].get("quotes_needed") or 0)
    request = request_of(act, work)
    comparison = compare(act.session, request, on=requisition.site.local_day(act.now)) if request is not None else None
    valid = len(comparison.valid) if comparison is not None else 0
    if choice.get("quotation_id"):
        quotation = _quotation(comparison, str(choice["quotation_id"]))
        supplier = quotation.invitation.supplier
        take_award(act, quotation)
        award |= {"quotation_id": quotation.id, "order_currency": quotation.currency}
        award["sourcing_ref_id"] = _reference_of(act, quotation).id
    else:
        supplier = _orderable(act, choice.get("supplier_id"))
        if choice.get("reference"):
            award["sourcing_ref_id"] = _quote(act, supplier, str(choice["reference"]), award["currency"]).id
    # Whoever passes the quotes over for a supplier without one has to say why, too.
    is_short = valid < needed or (needed > 0 and award.get("quotation_id") is None)
    if _is_of_before(choice):
        valid = int(choice.get("quotes") or 0)
        is_short = valid < needed
    award |= _chosen(supplier) | {"single_source": is_short or award["single_source"]}
    choice |= {"buyer": act.user_id, "quotes": Decimal(valid), "needs_justification": is_short, "problem": None}
    if not is_short or _is_of_before(choice):
        return award, choice, None
    written = justify(
        act, requisition, supplier, cause=str(choice.get("cause") or "TOO_FEW_QUOTES"), reason=str(choice.get("note") or ""),
        amount=award["total"], currency=award["currency"], quotes_needed=needed, quotes_valid=valid, request=request,
        price_reasonable=str(choice.get("price_reasonable") or ""),
    )  # fmt: skip
    return award, choice, {"id": written.id, "number": written.number, "hash": written.content_hash}


def _is_of_before(choice: Mapping[str, Any]) -> bool:
    """Whether a choice comes from a run that began before requests for quotation: there the buyer typed how many quotes came."""
    return "ask_again" not in choice


@registry.step("record_justification")
def record_justification(act: Act, work: Work) -> None:
    """A15: note on the justification what the manager said of it."""
    written = existing(act.session, SoleSourceJustification, work["justification"]["id"])
    decision = work["decision"]
    if decision["verdict"] == "approve":
        sign(act, written, signature_id=_signature_of_this_act(act, work))
    else:
        refuse(act, written, reason=str(decision.get("reason") or "Refused"))


def request_of(act: Act, work: Work) -> RequestForQuotation | None:
    """Return the request for quotation of an award, None before there is one."""
    known = work.get("rfq")
    return existing(act.session, RequestForQuotation, known["id"]) if known else None


def requisition_hash_of(work: Work) -> str:
    """Return the hash of the requisition as its flow knows it."""
    return str(work["requisition"]["hash"])


@registry.step("check_supplier")
def check_supplier(act: Act, work: Work) -> Mapping[str, Any]:
    """A16: SUP-01 to SUP-07 at the gate."""
    award = work["award"]
    supplier = existing(act.session, Supplier, award["supplier_id"])
    act.session.expire(supplier, ["approvals"])
    today = requisition_of(act, work).site.local_day(act.now)
    gate = gate_of(act, supplier, lines_of(act, award), today=today)
    return {"gate": gate, "award": award | {"hash": content_hash([requisition_hash_of(work), award, gate])}}


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
    """Return the supplier that was chosen. Raises: Invalid when it is none, or none to buy from."""
    try:
        supplier = act.session.get(Supplier, str(uuid.UUID(str(supplier_id))))
    except ValueError:
        supplier = None
    if supplier is None or not supplier.is_active or supplier.status not in ORDERABLE:
        raise Invalid(f"Expected a supplier to buy from, but found {supplier_id}", {"supplier_id": "Choose a supplier"})
    return supplier


def _chosen(supplier: Supplier) -> dict[str, Any]:
    return {"supplier_id": supplier.id, "supplier_name": supplier.name}


def suppliers_for_award(act: Act, lines: list[RequisitionLine]) -> list[dict[str, Any]]:
    """Return the suppliers a buyer may choose from, those who sell these parts first."""
    revisions = [line.part_revision_id for line in lines if line.part_revision_id]
    sellers = set(
        act.session.scalars(select(CataloguePrice.supplier_id).where(CataloguePrice.part_revision_id.in_(revisions)))
    )
    wanted = select(Supplier).where(Supplier.is_active, Supplier.status.in_(ORDERABLE)).order_by(Supplier.name)
    known = sorted(act.session.scalars(wanted), key=lambda supplier: supplier.id not in sellers)
    return [
        {
            "value": supplier.id,
            "label": f"{supplier.name} ({supplier.supplier_no}, {supplier.status.value.lower()})",
            "sells": supplier.id in sellers,
        }
        for supplier in known[:SHOWN]
    ]


def _quotation(comparison: Comparison | None, quotation_id: str) -> Quotation:
    """Return a quote that counts. Raises: Invalid for any other."""
    for column in comparison.columns if comparison is not None else ():
        if column.quotation is not None and column.quotation.id == quotation_id:
            if column.is_valid:
                return column.quotation
            why = f"{column.invitation.supplier.name} {' and '.join(column.problems)}"
            raise Invalid(f"Expected a quote that counts, but {why}", {"quotation_id": "does not count"})
    raise Invalid("Expected a quote of this request, but this is none", {"quotation_id": "is none of these"})


def _reference_of(act: Act, quotation: Quotation) -> SourcingRef:
    """Return the reference under which an order names a quote."""
    reference = _quote(act, quotation.invitation.supplier, quotation.number, quotation.currency)
    reference.valid_to, reference.title = quotation.valid_to, quotation.invitation.request.number
    act.session.flush()
    return reference


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
