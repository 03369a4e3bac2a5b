"""From an operation that is due outside to pieces that may leave (B02 to B09): shares, order line, link, source, contract."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.database import new_id
from engine.errors import Conflict, Effect, Invalid
from engine.instances import link_record
from engine.registry import Registry, Work
from processes.documents import plain, requisition_variable, sentences, spoken
from processes.outside_documents import (
    link_of,
    link_variable,
    number_of,
    operation_of,
    operation_variable,
    source_until,
    specification,
    supplier_called,
)
from processes.outside_links import keep_or_refuse, link, unlink, untaken_links
from processes.outside_moving import ship_findings
from records import outside
from records.cost_centre import cost_centre_called
from records.numbering import next_number
from records.outside import AWAY, LinkStatus, OutsideLink, links_of_line
from records.purchase_order import FINAL, LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.requisition import PurchaseType, Requisition, RequisitionLine, RequisitionStatus
from records.requisition import move as move_requisition
from records.supplier import ApprovalSubject, Supplier, SupplierApproval
from records.units import check_quantity
from records.work_order import DONE, OperationStatus, WorkOrderOperation
from rules.flow_mode import Mode, mode_of
from rules.order_consistency import judge_link
from rules.supplier_gate import Point
from rules.supplier_gate import judge as judge_supplier

registry = Registry()


@registry.step("snapshot_operation")
def snapshot_operation(act: Act, work: Work) -> Mapping[str, Any]:
    """B02: what the work outside starts from."""
    operation = operation_of(act, work)
    if work.instance is not None:
        link_record(act, work.instance.id, operation.record_type, operation.id)
        link_record(act, work.instance.id, operation.work_order.record_type, operation.work_order.id)
    return {"operation": operation_variable(act, operation), "shares": [], "problem": None}


@registry.step("propose_shares")
def propose_shares(act: Act, work: Work) -> Mapping[str, Any]:
    """B03: whom the process may go to, and how much each may take at once; a link that was made by hand comes first."""
    operation = operation_of(act, work)
    made = untaken_links(act.session, operation)
    left = number_of(work["operation"]["quantity"]) - sum((link.allocated_quantity for link in made), Decimal(0))
    plan = [{"supplier_id": link.order.supplier_id, "quantity": link.allocated_quantity} for link in made]
    candidates = []
    for supplier, capacity in _able(act, operation):
        shown = supplier.name if capacity is None else f"{supplier.name} (up to {capacity.normalize():f})"
        candidates.append({"label": shown, "value": supplier.id})
        share = left if capacity is None else min(left, capacity)
        if share > 0:
            plan.append({"supplier_id": supplier.id, "quantity": share})
            left -= share
    return {"candidates": candidates, "plan": plan, "need_back_on": work["operation"]["next_start"]}


@registry.step("prepare_shares")
def prepare_shares(act: Act, work: Work) -> Mapping[str, Any]:
    """B03: one share for each supplier that the planner named; what does not fit goes back with a sentence."""
    operation, wanted = operation_of(act, work), work["operation"]
    rows = [row for row in work.get("plan") or [] if row.get("supplier_id") and number_of(row.get("quantity")) > 0]
    try:
        total = sum((check_quantity(number_of(row["quantity"]), wanted["uom"]) for row in rows), Decimal(0))
    except Invalid as refusal:
        return {"shares": [], "problem": f"{refusal.message}."}
    if not rows or total > wanted["quantity"]:
        found = f"{total.normalize():f} are planned" if rows else "no supplier has a quantity"
        sentence = f"Expected at most {wanted['quantity'].normalize():f} pieces, which reached {operation.number}, but {found}."
        return {"shares": [], "problem": sentence}
    shares = _shares(act, work, rows)
    taken = {share["link_id"] for share in shares}
    if forgotten := [link for link in untaken_links(act.session, operation) if link.id not in taken]:
        one = forgotten[0]
        sentence = (
            f"Expected the plan to take up {one.number}, which was made by hand: {plain(one.allocated_quantity)} {one.uom} at "
            f"{one.order.supplier.name}; but no share is exactly that. Plan it so, or call the link off on its page."
        )
        return {"shares": [], "problem": sentence}
    return {"shares": shares, "problem": None}


@registry.step("find_order_line")
def find_order_line(act: Act, work: Work) -> Mapping[str, Any]:
    """B04: an open line for this process, specification and revision with enough left; a share that is linked keeps its own."""
    known = act.session.get(OutsideLink, work["share"]["link_id"])
    line = known.order_line if known is not None else _open_line(act, operation_of(act, work), work["share"])
    return {"line": _line_variable(line), "trouble": [], "link": link_variable(known) if known is not None else None}


@registry.step("draft_purchase")
def draft_purchase(act: Act, work: Work) -> Mapping[str, Any]:
    """B05: the requisition for a share, in the name of the planner who wants it."""
    operation, share = operation_of(act, work), work["share"]
    cost_centre = work.get("new_cost_centre") or share["cost_centre"]
    price = work.get("new_price") or share["estimated_price"]
    if not cost_centre:
        raise Invalid(
            "Expected a cost centre for the order that has to be raised, but there is none",
            {"cost_centre": "is missing"},
        )
    order, site = operation.work_order, operation.work_order.site
    supplier = supplier_called(act, share["supplier_id"])
    requisition = Requisition(
        number=next_number(act, "REQ", site=site), site=site, site_id=site.id, requester_id=share["planner"],
        cost_centre=cost_centre_called(act.session, cost_centre), currency=site.currency, type=PurchaseType.OSP,
        need_by=share["need_back_on"], title=f"{operation.description} for {operation.number}",
        justification=f"{operation.number} is done outside",
    )  # fmt: skip
    requisition.lines.append(
        RequisitionLine(
            line_no=1, part_revision=order.part_revision, part_revision_id=order.part_revision_id, quantity=share["quantity"],
            uom=order.uom, need_by=share["need_back_on"], estimated_price=number_of(price), supplier=supplier,
            supplier_id=supplier.id, process_code=operation.process_code, spec=operation.spec, spec_rev=operation.spec_rev,
            work_order_op=operation.number, description=operation.description, cost_object=f"WO:{order.number}",
        )
    )  # fmt: skip
    act.session.add(requisition)
    act.session.flush()
    move_requisition(act, requisition, RequisitionStatus.SUBMITTED)
    act.session.flush()
    if work.instance is not None:
        link_record(act, work.instance.id, requisition.record_type, requisition.id)
    return {"requisition": requisition_variable(act, requisition)}


@registry.step("take_order_line")
def take_order_line(act: Act, work: Work) -> Mapping[str, Any]:
    """B05: the line that came of the requisition, if any did."""
    wanted = (
        select(PurchaseOrderLine)
        .join(RequisitionLine, RequisitionLine.id == PurchaseOrderLine.requisition_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(RequisitionLine.requisition_id == work["requisition"]["id"])
        .where(PurchaseOrder.status.not_in(FINAL), PurchaseOrderLine.status != LineStatus.CANCELLED)
    )
    line = act.session.scalars(wanted.order_by(PurchaseOrderLine.created_at.desc())).first()
    trouble = [] if line is not None else [f"{work['requisition']['number']} came to no order."]
    return {"line": _line_variable(line), "trouble": sentences(trouble)}


@registry.step("create_link")
def create_link(act: Act, work: Work) -> Mapping[str, Any]:
    """B06: allocate; what a rule refuses leaves no link behind."""
    share = work["share"]
    known = act.session.get(OutsideLink, share["link_id"])
    if known is None:
        operation = operation_of(act, work)
        line = _with_room(act, operation, share, line_id=work["line"]["id"])
        known = link(
            act,
            operation,
            line,
            quantity=share["quantity"],
            need_by=share["need_back_on"],
            link_id=share["link_id"],
        )
    else:
        keep_or_refuse(act, known, judge_link(act.session, known, at="LINK", now=act.now))
    if work.instance is not None:
        link_record(act, work.instance.id, known.record_type, known.id)
        link_record(act, work.instance.id, known.order.record_type, known.order.id)
    return {"link": link_variable(known), "trouble": []}


@registry.step("cancel_link")
def cancel_link(act: Act, work: Work) -> None:
    """B07, B13: the planner gave the share up, or what was away came home unprocessed and goes out no more."""
    found = act.session.get(OutsideLink, work["share"]["link_id"])
    if found is None or not found.is_open:
        return
    reason = str((work.get("decision") or {}).get("reason") or "The share was called off")
    if found.standing is not LinkStatus.RECALLED:
        unlink(act, found, reason=reason)
        return
    if found.status is LinkStatus.HOLD:
        outside.lift_hold(act, found, reason=reason)
    outside.move(act, found, LinkStatus.CLOSED, reason="The pieces were called home")
    act.session.flush()


@registry.step("check_source")
def check_source(act: Act, work: Work) -> Mapping[str, Any]:
    """B07b: ask whether this supplier may do it now, and through which day."""
    found = link_of(act, work)
    order = found.order
    on = found.site.local_day(act.now)
    gate = judge_supplier(
        act.session, order.supplier, [found.order_line], point=Point.GATE, on=on, site=order.supplier_site
    )
    found.source_until = source_until(act, found)
    act.session.flush()
    return {
        "source": {
            "is_special": found.is_special,
            "stops": sentences(spoken(finding) for finding in gate.stops),
            "until": found.source_until,
            "until_text": found.source_until.isoformat() if found.source_until else "no date",
        },
        "link": link_variable(found),
    }


@registry.step("mark_ready")
def mark_ready(act: Act, work: Work) -> Mapping[str, Any]:
    """B07b: the source is cleared; a special process carries its plan of coupons."""
    found = link_of(act, work)
    found.coupon_plan = str(work.get("coupon_plan") or found.coupon_plan)
    if found.standing is LinkStatus.PO_LINKED:
        outside.move(act, found, LinkStatus.READY_TO_SHIP)
    return {"link": link_variable(found)}


@registry.step("check_contract")
def check_contract(act: Act, work: Work) -> Mapping[str, Any]:
    """B09: state ``go``, ``wait`` (with the sentences that say for whom), or ``left`` when the pieces are away already."""
    found = link_of(act, work)
    if found.standing in AWAY:
        return {"contract": {"state": "left", "findings": []}, "link": link_variable(found)}
    if found.standing in (LinkStatus.PROPOSED, LinkStatus.PO_LINKED):
        outside.move(act, found, LinkStatus.READY_TO_SHIP)
    waits = [spoken(finding) for finding in ship_findings(act, found) if finding.effect is not Effect.WARN]
    if found.operation.status is OperationStatus.WAITING:
        waits.append(f"Expected the operation before {found.operation.number} to be complete, but it is not.")
    is_held = found.status is LinkStatus.HOLD and mode_of(act.session, "outside_processing") is Mode.ENFORCE
    state = "wait" if waits or is_held else "go"
    return {"contract": {"state": state, "findings": sentences(waits)}, "link": link_variable(found)}


@registry.step("finish_outside_work")
def finish_outside_work(act: Act, work: Work) -> Mapping[str, Any]:
    """B25: whether the operation is done, or came back into the shop."""
    operation = operation_of(act, work)
    return {"outside": {"complete": operation.status in DONE, "good": operation.good}}


def _able(act: Act, operation: WorkOrderOperation) -> list[tuple[Supplier, Decimal | None]]:
    """Return the suppliers approved for an operation's process with what they may take at once; the planned one first."""
    today = operation.work_order.site.local_day(act.now)
    rows = act.session.scalars(
        select(SupplierApproval)
        .join(Supplier)
        .where(
            SupplierApproval.subject == ApprovalSubject.PROCESS, SupplierApproval.subject_code == operation.process_code
        )
        .where(Supplier.is_active)
        .order_by(Supplier.name)
    )
    named = {operation.spec, f"{operation.spec} {operation.spec_rev}"}
    able = [
        (row.supplier, row.max_quantity)
        for row in rows
        if row.is_valid_on(today) and (not row.specs or named & set(row.specs))
    ]
    return sorted(able, key=lambda pair: pair[0].id != operation.supplier_id)


def _shares(act: Act, work: Work, rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a share for each row of the plan; each link that was made by hand is taken up by one of them at most."""
    waiting, shares = untaken_links(act.session, operation_of(act, work)), []
    for turn, row in enumerate(rows, start=1):
        share = _share(act, work, row, turn)
        same = (share["supplier_id"], share["quantity"])
        known = next((link for link in waiting if (link.order.supplier_id, link.allocated_quantity) == same), None)
        if known is not None:
            waiting.remove(known)
            share["link_id"] = known.id
        shares.append(share)
    return shares


def _share(act: Act, work: Work, row: Mapping[str, Any], turn: int) -> dict[str, Any]:
    supplier = supplier_called(act, row["supplier_id"])
    price = work.get("estimated_price")
    return {
        "number": Decimal(turn),
        "link_id": new_id(),
        "supplier_id": supplier.id,
        "supplier_name": supplier.name,
        "quantity": number_of(row["quantity"]),
        "need_back_on": work.get("need_back_on") or work["operation"]["next_start"],
        "cost_centre": work.get("cost_centre") or "",
        "estimated_price": number_of(price)
        if price not in (None, "")
        else _last_price(act, operation_of(act, work), supplier),
        "planner": (work.get("decision") or {}).get("by") or act.user_id or "",
    }


def _last_price(act: Act, operation: WorkOrderOperation, supplier: Supplier) -> Decimal | None:
    wanted = (
        select(PurchaseOrderLine.unit_price)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.supplier_id == supplier.id, PurchaseOrderLine.process_code == operation.process_code)
        .where(PurchaseOrderLine.part_revision_id == operation.work_order.part_revision_id)
    )
    return act.session.scalars(wanted.order_by(PurchaseOrderLine.created_at.desc()).limit(1)).first()


def _open_line(act: Act, operation: WorkOrderOperation, share: Mapping[str, Any]) -> PurchaseOrderLine | None:
    """Return the oldest open line of the share's supplier that asks for exactly this and has enough left to allocate."""
    order = operation.work_order
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.supplier_id == share["supplier_id"], PurchaseOrder.site_id == order.site_id)
        .where(PurchaseOrder.status.not_in([*FINAL, OrderStatus.CANCEL_PENDING, OrderStatus.SUPPLIER_REJECTED]))
        .where(PurchaseOrderLine.status.in_([LineStatus.OPEN, LineStatus.PART_RCVD]))
        .where(PurchaseOrderLine.process_code == operation.process_code)
        .where(PurchaseOrderLine.part_revision_id == order.part_revision_id, PurchaseOrderLine.uom == order.uom)
    )
    for line in act.session.scalars(wanted.order_by(PurchaseOrderLine.created_at, PurchaseOrderLine.line_no)):
        same = (line.spec, line.spec_rev) == (operation.spec, operation.spec_rev)
        if same and line.work_order_op in (None, "", operation.number) and _room(act, line) >= share["quantity"]:
            return line
    return None


def _with_room(act: Act, operation: WorkOrderOperation, share: Mapping[str, Any], *, line_id: str) -> PurchaseOrderLine:
    """Return the line that was found, or another one when somebody has taken its quantity since. Raises: Conflict CON-02."""
    line = act.session.scalars(select(PurchaseOrderLine).where(PurchaseOrderLine.id == line_id).with_for_update()).one()
    if _room(act, line) >= share["quantity"]:
        return line
    other = _open_line(act, operation, share)
    if other is None:
        raise Conflict(
            f"Expected {plain(share['quantity'])} {line.uom} of {line.number} to be free, but {plain(_room(act, line))} are; "
            "try again to find or raise another line",
            code="CON-02", record=(operation.record_type, operation.id),
        )  # fmt: skip
    return other


def _room(act: Act, line: PurchaseOrderLine) -> Decimal:
    """Return what of a line no link has taken yet, in the line's unit."""
    links = [each for each in links_of_line(act.session, line.id) if each.status is not LinkStatus.CANCELLED]
    return line.quantity - sum((each.allocated_quantity * each.conversion_factor for each in links), Decimal(0))


def _line_variable(line: PurchaseOrderLine | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {
        "id": line.id,
        "number": line.number,
        "order_id": line.order_id,
        "spec_text": specification(line.spec, line.spec_rev),
    }
