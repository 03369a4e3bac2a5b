"""A change of P-200 from B to C over everything that the plant has of it: the fixture of D15."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.act import Act
from processes import change_orders, impact
from records.change_order import ChangeOrder, ChangeOrderStatus, FaiDecision, move
from records.change_request import OrderClass
from records.impact import AffectedOrder, Disposition, ImpactTarget, newest_snapshot, rows_of
from records.outside import LinkStatus, MovementKind, record_movement
from records.outside import move as move_link
from records.part import PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder
from records.work_order import OperationStatus, WorkOrder
from tests import makers
from tests.makers import D
from tests.outside import advance_order, make_outside_order, make_outside_work

S = ChangeOrderStatus
PART = "P-2000"
"""The plant of the tests has another P-200 already."""

ROUTING_OF_C = (
    {"op_no": 10, "description": "Mill the wider slot"},
    {"op_no": 20, "description": "Inspect to revision C"},
)
STEPS = (
    {"op_no": 10, "description": "Mill"},
    {"op_no": 20, "description": "Inspect"},
)
WORDS = (
    Disposition.USE_UNTIL_EXHAUSTED, Disposition.AMEND, Disposition.CANCEL, Disposition.FINISH_AS_OLD, Disposition.CONVERT,
    Disposition.CONVERT, Disposition.FINISH_AS_OLD,
)  # fmt: skip
"""The dispositions of D15, in the order of the grid: WO-7001 not begun comes before WO-7002, its begun pieces last."""


@dataclass(frozen=True, slots=True)
class Plant:
    """What there is of P-200."""

    before: PartRevision
    after: PartRevision
    orders: tuple[PurchaseOrder, PurchaseOrder]
    work: tuple[WorkOrder, WorkOrder]
    change: ChangeOrder


def plant_of_d15(act: Act, *, is_routed: bool = True) -> Plant:
    """Make stock 35, PO-5010 with 60 and PO-5011 with 50 to come, 24 at a supplier, WO-7001 with 12 of 40 begun, WO-7002 with 60.

    is_routed: whether revision B has a routing here; its work orders have operations in any case.
    """
    part = makers.make_part(act, PART)
    before = makers.make_revision(act, part, "B")
    after = makers.make_revision(act, part, "C", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None)
    if is_routed:
        makers.make_routing(act, before, STEPS)
    makers.make_routing(act, after, ROUTING_OF_C)
    makers.make_stock(act, "LOT-35", before, quantity=D(35))
    supplier = makers.make_supplier(act)
    makers.make_approval(act, supplier, part.commodity)
    orders = tuple(
        advance_order(
            act, makers.make_order(act, (before, quantity, "4.00"), supplier=supplier, po_no=number), "ACKNOWLEDGED"
        )
        for number, quantity in (("PO-5010", 60), ("PO-5011", 50))
    )
    away = make_outside_work(act, 24, number="WO-7000", revision=before)
    line = make_outside_order(act, away, status="DRAFT")
    line.order.po_no = "PO-5012"
    advance_order(act, line.order, "ACKNOWLEDGED")
    link = makers.make_link(act, line, operation=away.operations[2])
    for status in (LinkStatus.PO_LINKED, LinkStatus.READY_TO_SHIP, LinkStatus.AT_SUPPLIER):
        move_link(act, link, status)
    record_movement(act, link, MovementKind.SHIP_OUT, D(24), event_id="ship-24", moved_on=act.now.date())
    begun = makers.make_work_order(
        act, before, number="WO-7001", quantity=D(40), status="IN_PROCESS",
        operations=(
            STEPS[0] | {"status": OperationStatus.STARTED, "quantity_in": D(40), "good": D(12)},
            STEPS[1],
        ),
    )  # fmt: skip
    waiting = makers.make_work_order(act, before, number="WO-7002", quantity=D(60), operations=STEPS)
    change = change_orders.open_order(
        act, change_class=OrderClass.C4, title="Wider slot", reason="The slot binds", fai=FaiDecision.NONE,
        effectivity_kind="DATE", effectivity_value="2026-12-15",
    )  # fmt: skip
    change_orders.add_item(act, change, before, after)
    change_orders.take_baseline(act, change)
    move(act, change, S.IMPACT)
    return Plant(before, after, (orders[0], orders[1]), (begun, waiting), change)


def grid(act: Act, change: ChangeOrder) -> list[AffectedOrder]:
    """Return the rows of the newest set."""
    snapshot = newest_snapshot(act.session, change)
    assert snapshot is not None
    return rows_of(act.session, snapshot)


def dispose_d15(act: Act, change: ChangeOrder, words: Mapping[str, Disposition] | None = None) -> list[AffectedOrder]:
    """Compute, freeze and decide as D15 does. words: of what there is beside, by its number; what is planned beside is bought as it was."""
    impact.compute(act, change)
    impact.freeze(act, change)
    rows = grid(act, change)
    said = words or {}
    beside = [row for row in rows if row.native_ref in said or row.target is ImpactTarget.PLANNED_ORDER]
    for row, word in zip([row for row in rows if row not in beside], WORDS, strict=True):
        impact.dispose(act, row, word, owner="role:PLANNER")
    for row in beside:
        impact.dispose(act, row, said.get(row.native_ref, Disposition.USE_AS_IS), owner="role:PLANNER")
    for area, _ in impact.lanes_of(act.session, change):
        impact.assess(act, change, area, answer="IMPACT", text="Looked at")
    return rows


def approve(act: Act, change: ChangeOrder) -> ChangeOrder:
    """Take a change order through a board of one seat."""
    change_orders.send_to_review(act, change)
    assert change.content_hash is not None
    slot = makers.make_slot(act, change, record_hash=change.content_hash, role="QA_ENG")
    slot.signature = makers.make_signature(act, change, content_hash=change.content_hash, signer="quinn", role="QA_ENG")
    act.session.flush()
    return move(act, change, S.APPROVED)
