"""What Lockstep itself does for a change: revisions, amendments, work orders, stock; each task whole or not at all (C13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.act import Act
from engine.errors import Conflict
from processes import amendment as amending
from processes import change_orders, genealogy, genealogy_holds
from processes.genealogy import Event, Source
from processes.work_order_split import Part, convert, split
from records.amendment import AmendmentKind, AmendmentStatus, PurchaseOrderAmendment, open_amendment_of
from records.change_order import ChangeOrder
from records.change_task import ChangeTask, TaskKind
from records.impact import AffectedOrder, Disposition, ImpactTarget, RowDisposition
from records.lot import Lot, LotSource, LotStatus, free_number
from records.outside import OutsideLink
from records.part import PartRevision
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from records.signing import signatures_on
from records.work_order import WorkOrder
from rules.amending import Edits, LineEdit

Pairs = Sequence[tuple[AffectedOrder, RowDisposition]]
"""Rows of one document with what becomes of them."""

FINISHED = (AmendmentStatus.ACKED, AmendmentStatus.APPLIED)
FAILED = (
    AmendmentStatus.REJECTED, AmendmentStatus.WITHDRAWN, AmendmentStatus.SUPPLIER_REFUSED, AmendmentStatus.REVERTED,
)  # fmt: skip

CAN: Mapping[ImpactTarget, frozenset[Disposition]] = {
    ImpactTarget.PO_LINE: frozenset({Disposition.AMEND, Disposition.CANCEL}),
    ImpactTarget.AT_SUPPLIER: frozenset({Disposition.AMEND}),
    ImpactTarget.WO: frozenset({Disposition.CONVERT}),
    ImpactTarget.STOCK_LOT: frozenset({Disposition.SCRAP, Disposition.CONVERT, Disposition.REWORK, Disposition.RETURN}),
}
"""What Lockstep can carry out by itself; the rest is people's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task made: type, id and name of the document. is_finished: nothing of it is under way any more."""

    type: str
    id: str
    ref: str
    is_finished: bool = True


def can(target: ImpactTarget, disposition: Disposition) -> bool:
    """Whether Lockstep itself can carry a disposition out."""
    return disposition in CAN.get(target, frozenset())


def carry_out(act: Act, task: ChangeTask, pairs: Pairs, *, all_pairs: Pairs) -> Outcome:
    """Carry a task of ours out, or look how far it is. all_pairs: every row of its document, whatever carries it out.

    Raises: Conflict with the sentence of what refuses it.
    """
    return DOERS[task.kind](act, task, pairs, all_pairs)


def _update(act: Act, task: ChangeTask, _pairs: Pairs, _all: Pairs) -> Outcome:
    order = task.change_order
    used = change_orders.apply(act, order)
    return Outcome(order.record_type, order.id, f"{len(used)} values")


def _amend(act: Act, task: ChangeTask, pairs: Pairs, _all: Pairs) -> Outcome:
    """Open the amendment of the order under the change order; looked at again, say how far it is."""
    if task.done_id is not None:
        return _amended(act.session.get_one(PurchaseOrderAmendment, task.done_id))
    order = act.session.get_one(PurchaseOrder, task.target_id)
    standing = open_amendment_of(act.session, order)
    if (
        standing is not None
        and standing.kind is AmendmentKind.CANCELLATION
        and standing.change_order_id == task.change_order_id
    ):
        # The work it is for was cancelled under this change already, and the whole order with it.
        return Outcome(standing.record_type, standing.id, standing.number, is_finished=False)
    edits = _edits(act, order, task.change_order, pairs)
    amendment = amending.propose(
        act,
        order,
        edits,
        reason=f"{task.change_order.number}: {task.change_order.title}",
        change_order=task.change_order,
    )
    amending.start(act, amendment)
    return Outcome(amendment.record_type, amendment.id, amendment.number, is_finished=False)


def _amended(amendment: PurchaseOrderAmendment) -> Outcome:
    if amendment.status in FAILED:
        raise Conflict(
            f"Expected {amendment.number} to be agreed with the supplier, but it is "
            f"{amendment.status.lower().replace('_', ' ')}: {amendment.ended_reason or 'no reason was given'}",
            code="AMENDMENT_FAILED", record=(amendment.record_type, amendment.id),
        )  # fmt: skip
    return Outcome(amendment.record_type, amendment.id, amendment.number, is_finished=amendment.status in FINISHED)


def _edits(act: Act, order: PurchaseOrder, change: ChangeOrder, pairs: Pairs) -> Edits:
    """Return what the dispositions ask of an order's lines; goods that came stay on their line, the rest goes on as a new one."""
    lines: list[LineEdit] = []
    added: list[dict[str, object]] = []
    taken: dict[str, list[tuple[Decimal, Disposition]]] = {}
    for row, each in pairs:
        taken.setdefault(_line_of(act, row).id, []).append((each.quantity, each.disposition))
    for line in order.lines:
        shares = taken.get(line.id)
        if not shares:
            continue
        amended = sum((quantity for quantity, word in shares if word is Disposition.AMEND), Decimal(0))
        left = line.quantity - sum((quantity for quantity, _ in shares), Decimal(0))
        values = _following(act, change, line) if amended else {}
        if amended and left <= 0:
            lines.append(
                LineEdit(line.line_no, {**values, **({"quantity": amended} if amended != line.quantity else {})})
            )
        elif left <= 0:
            lines.append(LineEdit(line.line_no, is_cancelled=True))
        else:
            lines.append(LineEdit(line.line_no, {"quantity": left}))
            if amended:
                added.append({**_like(line), **values, "quantity": amended})
    return Edits(lines=lines, added=added)


def _following(act: Act, change: ChangeOrder, line: PurchaseOrderLine) -> dict[str, object]:
    return {"part_revision_id": following(change, line.part_revision_id, line.number).id}


def following(change: ChangeOrder, revision_id: str | None, where: str) -> PartRevision:
    """Return the revision that follows one under a change. Raises: Conflict when none does."""
    after = next((item.part_revision_to for item in change.affected if item.part_revision_from_id == revision_id), None)
    if after is None:
        raise Conflict(
            f"Expected {change.number} to say which revision follows on {where}, but it names none. Choose another disposition.",
            code="NOTHING_FOLLOWS", record=(change.record_type, change.id),
        )  # fmt: skip
    return after


def _like(line: PurchaseOrderLine) -> dict[str, object]:
    names = (
        "description", "uom", "conversion_factor", "unit_price", "need_by", "process_code", "spec", "spec_rev", "cost_object", "ship_to",
        "tax_code", "tolerance_profile", "match_level", "is_inspection_required", "quality_clauses", "certificates",
    )  # fmt: skip
    return {name: getattr(line, name) for name in names if getattr(line, name) is not None}


def _line_of(act: Act, row: AffectedOrder) -> PurchaseOrderLine:
    if row.target is ImpactTarget.AT_SUPPLIER:
        return act.session.get_one(OutsideLink, row.target_id).order_line
    return act.session.get_one(PurchaseOrderLine, row.target_id)


def _change_work(act: Act, task: ChangeTask, pairs: Pairs, all_pairs: Pairs) -> Outcome:
    """Divide a work order by the state of its pieces and plan anew what is converted; all of it, where nothing is begun."""
    work = act.session.get_one(WorkOrder, task.target_id)
    converted = sum((each.quantity for _, each in pairs if each.disposition is Disposition.CONVERT), Decimal(0))
    begun = sum((row.quantity for row, _ in _once(all_pairs) if row.target is ImpactTarget.WO_OP), Decimal(0))
    to = following(task.change_order, work.part_revision_id, work.number)
    rest = work.quantity - converted - begun
    if not begun and rest <= 0:
        made = convert(act, work, to, task.change_order)
        return Outcome(made.record_type, made.id, made.number)
    parts = [Part(begun, is_started=True)] if begun else []
    parts += [Part(rest)] if rest > 0 else []
    children = split(act, work, [*parts, Part(converted, to_revision=to)], change_order=task.change_order)
    return Outcome(children[-1].record_type, children[-1].id, children[-1].number)


def _once(pairs: Pairs) -> Pairs:
    return list({row.id: (row, each) for row, each in pairs}.values())


def _move_stock(act: Act, task: ChangeTask, pairs: Pairs, _all: Pairs) -> Outcome:
    lot = act.session.get_one(Lot, task.target_id)
    ref, made = lot.number, lot
    for _, each in pairs:
        event, reason = Event(event_of(task, each)), f"{task.change_order.number}: {each.disposition.value.lower()}"
        if each.disposition is Disposition.SCRAP:
            genealogy.withdraw(act, lot, each.quantity, reason=reason, event=event)
        elif each.disposition is Disposition.CONVERT:
            made = _identify_anew(act, lot, each, task, event)
        elif lot.status is LotStatus.AVAILABLE:
            genealogy_holds.hold_lot(act, lot, reason=f"{reason}, {each.number}")
    return Outcome(made.record_type, made.id, made.number or ref)


def _identify_anew(act: Act, lot: Lot, each: RowDisposition, task: ChangeTask, event: Event) -> Lot:
    to = following(task.change_order, lot.part_revision_id, lot.number)
    note = f"{task.change_order.number}: identified anew from {lot.part_revision.number} {lot.number}"
    after = genealogy.make_lot(
        act, to, each.quantity, number=free_number(act.session, to.id, lot.number), heat=lot.heat, uom=lot.uom,
        is_serial=lot.is_serial, expires_on=lot.expires_on, status=LotStatus.AVAILABLE,
        source=Source(LotSource.ADJUSTMENT, None, note),
    )  # fmt: skip
    genealogy.transform(
        act, lot, after, quantity=each.quantity, event=event, reason=f"Identified anew under {task.change_order.number}"
    )
    return after


def event_of(task: ChangeTask, each: RowDisposition) -> str:
    """Return the id of the event by which a task moves stock."""
    return f"change:{task.id}:{each.id}"


def differences(act: Act, task: ChangeTask, pairs: Pairs = ()) -> list[str]:
    """Return what of a task that is done is not in the plant as it left it (C16)."""
    if task.done_id is None:
        return []
    if task.kind is TaskKind.AMEND_PO:
        return _order_differs(act, act.session.get_one(PurchaseOrderAmendment, task.done_id))
    if task.kind is TaskKind.CHANGE_WO:
        return _work_differs(act, task)
    if task.kind is TaskKind.MOVE_STOCK:
        return _stock_differs(act, task, pairs)
    return []


def _order_differs(act: Act, amendment: PurchaseOrderAmendment) -> list[str]:
    order = amendment.order
    found = []
    if order.revision < amendment.revision:
        found.append(f"Expected {order.number} at revision {amendment.revision}, but it is at {order.revision}")
    for change in amendment.changes:
        line = next((each for each in order.lines if each.id == change.row_id), None)
        if change.column_name == "part_revision_id" and line is not None and line.part_revision_id != change.new_text:
            has = line.part_revision.number if line.part_revision is not None else "no part"
            found.append(f"Expected {line.number} to be amended as {amendment.number} says, but it is for {has}")
        if change.column_name == "status" and line is not None and line.status is not LineStatus.CANCELLED:
            found.append(f"Expected {line.number} to be cancelled, but it is {line.status}")
    return found


def _work_differs(act: Act, task: ChangeTask) -> list[str]:
    made = act.session.get_one(WorkOrder, task.done_id)
    befores = {item.part_revision_to_id for item in task.change_order.affected}
    if made.part_revision_id not in befores:
        has = made.part_revision.number if made.part_revision is not None else "no part"
        return [f"Expected {made.number} to be made as {task.change_order.number} says, but it is for {has}"]
    if made.snapshot is not None and made.part_revision is not None and made.part_revision.number not in made.snapshot:
        return [
            f"Expected the released definition of {made.number} to be {made.part_revision.number}, but it is another"
        ]
    return []


def _stock_differs(act: Act, task: ChangeTask, pairs: Pairs) -> list[str]:
    """Compare each disposition of a lot with the step that carried it out, which nobody may have reversed since."""
    lot, found = act.session.get_one(Lot, task.target_id), []
    for _, each in pairs:
        what = f"{each.quantity.normalize():f} {each.uom} of {lot.number}"
        if each.disposition not in (Disposition.SCRAP, Disposition.CONVERT):
            is_free = lot.status is LotStatus.AVAILABLE and not signatures_on(act.session, lot.record_type, lot.id)
            if is_free:
                found.append(
                    f"Expected {lot.number} to be segregated for {each.disposition.value.lower()}, but it is {lot.status}"
                )
            continue
        edge = genealogy.event_called(act.session, event_of(task, each))
        if edge is None or genealogy.reversal_of(act.session, edge) is not None:
            done = "scrapped" if each.disposition is Disposition.SCRAP else "identified anew"
            found.append(f"Expected {what} to be {done} as {task.change_order.number} says, but that was reversed")
        elif edge.child_id is not None:
            child = act.session.get_one(Lot, edge.child_id)
            if child.part_revision_id not in {item.part_revision_to_id for item in task.change_order.affected}:
                found.append(
                    f"Expected {child.number} to be what {task.change_order.number} says, but it is {child.part_revision.number}"
                )
    return found


DOERS: Mapping[TaskKind, Callable[[Act, ChangeTask, Pairs, Pairs], Outcome]] = {
    TaskKind.UPDATE_BOM: _update,
    TaskKind.AMEND_PO: _amend,
    TaskKind.CHANGE_WO: _change_work,
    TaskKind.MOVE_STOCK: _move_stock,
}
