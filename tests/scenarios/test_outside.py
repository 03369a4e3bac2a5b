"""Pieces outside and their orders as a demanding expert would try them (D33, W33)."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.errors import Conflict
from processes import change_orders, change_tasks, impact, receiving
from processes.work_orders import cancel as cancel_work
from records.amendment import AmendmentKind, AmendmentStatus, PurchaseOrderAmendment
from records.change_order import ChangeOrder, ChangeOrderStatus, FaiDecision
from records.change_order import move as move_change
from records.change_request import OrderClass
from records.change_task import ChangeTask, TaskKind, TaskStatus
from records.impact import Disposition
from records.notice import Notice
from records.outside import LinkStatus
from records.part import PartRevision, RevisionStatus
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import Quarantine, Receipt, ReceiptStatus
from records.work_order import WorkOrder, WorkOrderStatus
from tests import impacts, makers
from tests.amendments import answer, go_to, newest, redline
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory, ready_link
from tests.people import bea, lena, rita


@pytest.fixture
def outside(house: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in a plant, at 2026-11-22 15:00 UTC."""
    return OutsideStory(house, clock)


def cancel_the_work(outside: OutsideStory) -> None:
    """Let the MES say that the customer cancelled, and the worker look around."""
    with outside.installation.acting("adapter:mes") as act:
        cancel_work(
            act, act.session.get_one(WorkOrder, outside.operation.work_order_id), reason="The customer cancelled"
        )
    outside.watch()


def line_called(outside: OutsideStory, line_id: str) -> PurchaseOrderLine:
    """Return an order line with its order."""

    def ask(session: Session) -> PurchaseOrderLine:
        found = session.get_one(PurchaseOrderLine, line_id)
        assert found.order.lines
        return found

    found: PurchaseOrderLine = outside.read(ask)
    return found


def deliver(outside: OutsideStory, line_id: str, event_id: str) -> Receipt:
    """Let sam book twelve pieces in that the supplier sends although the work is over."""
    with outside.installation.acting("user:sam") as act:
        line = act.session.get_one(PurchaseOrderLine, line_id)
        made = receiving.receive(act, line, D(12), event_id=event_id, packing_slip=event_id)
    outside.settle()
    return kept(outside, made)


def kept(outside: OutsideStory, receipt: Receipt) -> Receipt:
    """Return a receipt as it stands."""
    found: Receipt = outside.read(lambda session: session.get_one(Receipt, receipt.id))
    return found


def test_d33_a_cancelled_work_order_takes_its_line_out_of_a_draft_and_leaves_the_others(outside: OutsideStory) -> None:
    outside.begin(status="DRAFT").plan().release()
    line_id, order_id = outside.link.order_line_id, outside.link.order.id

    def add_line(act: Act) -> None:
        order = act.session.get_one(PurchaseOrder, order_id)
        makers.make_order_line(act, order, order.lines[0].part_revision)

    outside.given(add_line)
    cancel_the_work(outside)
    order = line_called(outside, line_id).order
    assert [line.status for line in order.lines] == [LineStatus.CANCELLED, LineStatus.OPEN]
    assert (order.status, outside.link.status, outside.incidents) == (OrderStatus.DRAFT, LinkStatus.CANCELLED, [])
    assert outside.ended_at == "outside_work_undone"


@ready_link
def test_d33_an_acknowledged_order_is_cancelled_when_its_supplier_says_so_and_the_lead_answers_its_charge(
    outside: OutsideStory,
) -> None:
    outside.ready()
    line_id = outside.link.order_line_id
    cancel_the_work(outside)
    assert (outside.link.status, outside.operation.work_order.status, outside.incidents) == (
        LinkStatus.CANCELLED, WorkOrderStatus.CANCELLED, [],
    )  # fmt: skip
    told = outside.read(lambda session: [notice.subject for notice in session.scalars(select(Notice))])
    assert any("(CON-08)" in subject for subject in told)

    amendment = newest(outside)
    assert (amendment.kind, redline(amendment)) == (
        AmendmentKind.CANCELLATION, [("status", "ACKNOWLEDGED", "CANCELLED")],
    )  # fmt: skip
    early = deliver(outside, line_id, "PS-EARLY")
    assert (early.status, early.quarantine) == (ReceiptStatus.QUARANTINE, Quarantine.CANCELLATION)
    assert early.quarantine_reason.startswith("CON-08")

    go_to(outside, amendment)
    approve(outside)
    assert (line_called(outside, line_id).order.status, newest(outside).status) == (
        OrderStatus.CANCEL_PENDING, AmendmentStatus.SENT,
    )  # fmt: skip
    late = deliver(outside, line_id, "PS-LATE")
    assert (late.status, late.quarantine) == (ReceiptStatus.QUARANTINE, Quarantine.CANCELLATION)
    assert late.quarantine_reason.startswith("CON-08")
    line = line_called(outside, line_id)
    assert (line.quantity_accepted, line.order.status) == (D(0), OrderStatus.CANCEL_PENDING)

    answer(outside, "ACCEPT", charge=D("150.00"))
    [task] = [each for each in outside.as_(lena).tasks() if each.element_id == "decide_charge"]
    assert (list(task.candidates), task.amount) == (["role:PUR_LEAD"], D(150))
    assert line_called(outside, line_id).order.status is OrderStatus.CANCEL_PENDING
    outside.decide("decide_charge", "accept_charge", reason="As agreed in the frame contract")
    ended = newest(outside)
    assert (ended.status, ended.cancellation_charge) == (AmendmentStatus.APPLIED, D("150.0000"))
    line = line_called(outside, line_id)
    assert (line.order.status, line.order.revision, outside.incidents) == (OrderStatus.CANCELLED, 1, [])
    assert [kept(outside, receipt).quarantine for receipt in (early, late)] == [Quarantine.CANCELLATION] * 2


def approve(outside: OutsideStory) -> None:
    """Let whoever is asked approve the cancellation."""
    asked = 0
    while "decide_slot" in outside.steps:
        [task, *_] = [each for each in outside.tasks() if each.element_id == "decide_slot"]
        outside.as_({"PUR_LEAD": lena, "BUYER": bea, "PLANNER": rita}[task.role or ""]).decide("decide_slot", "approve")
        asked += 1
    assert asked


def change_the_routing(outside: OutsideStory) -> str:
    """Open a change of the routing that the pieces are made by, and let its board sign it."""

    def arrange(act: Act) -> str:
        before = act.session.get_one(PartRevision, outside._link(act).part_revision_id)
        after = makers.make_revision(
            act, before.part, "C", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None
        )
        makers.make_routing(act, after, makers.ROUTING)
        change = change_orders.open_order(
            act, change_class=OrderClass.C4, title="Another heat", reason="It warps", fai=FaiDecision.NONE,
            effectivity_kind="NEXT_BUILD",
        )  # fmt: skip
        change_orders.add_item(act, change, before, after)
        change_orders.take_baseline(act, change)
        move_change(act, change, ChangeOrderStatus.IMPACT)
        impact.compute(act, change)
        impacts.approve(act, change)
        return change.id

    found: str = outside.given(arrange)
    return found


def say(act: Act, change: ChangeOrder, words: dict[str, Disposition]) -> None:
    """Freeze the impact and decide its rows. words: by kind of pieces, else they finish as old."""
    impact.freeze(act, change)
    for row in impacts.grid(act, change):
        impact.dispose(act, row, words.get(row.target, Disposition.FINISH_AS_OLD))
    impacts.approve(act, change)


def test_w33_a_routing_is_not_released_before_the_open_order_line_of_its_work_outside_is_disposed(
    outside: OutsideStory,
) -> None:
    outside.ready(12).ship(12)
    change_id = change_the_routing(outside)
    line = line_called(outside, outside.link.order_line_id)
    with pytest.raises(Conflict, match="Open the impact again and decide") as refusal:
        outside.given(lambda act: change_orders.apply(act, act.session.get_one(ChangeOrder, change_id)))
    assert (refusal.value.code, line.number in refusal.value.message) == ("INCOMPLETE_DISPOSITION", True)

    def decide(act: Act) -> None:
        change = act.session.get_one(ChangeOrder, change_id)
        assert any(line.number in each for each in impact.problems_of(act.session, change)), "nor does a board sign it"
        impact.reopen(act, change)
        say(act, change, {})
        assert change_orders.apply(act, change)

    outside.given(decide)
    outside.watch()
    assert (outside.link.status, outside.steps, outside.incidents) == (LinkStatus.AT_SUPPLIER, ["receive_parts"], [])


def test_d33_work_that_a_change_cancels_cancels_its_order_under_that_change(outside: OutsideStory) -> None:
    outside.ready(12)
    line_id, order_id = outside.link.order_line_id, outside.link.order.id
    change_id = change_the_routing(outside)

    def decide(act: Act) -> None:
        change = act.session.get_one(ChangeOrder, change_id)
        impact.reopen(act, change)
        say(act, change, {"PO_LINE": Disposition.CANCEL, "WO": Disposition.NO_ACTION, "WO_OP": Disposition.NO_ACTION})

    outside.given(decide)
    outside.watch()
    cancel_the_work(outside)
    [amendment] = outside.read(lambda session: session.scalars(select(PurchaseOrderAmendment)).all())
    assert (amendment.kind, amendment.change_order_id) == (AmendmentKind.CANCELLATION, change_id)
    assert (outside.link.status, outside.incidents) == (LinkStatus.CANCELLED, [])

    def carry_out(act: Act) -> ChangeTask:
        tasks = change_tasks.plan_tasks(act, act.session.get_one(ChangeOrder, change_id))
        change_tasks.carry_out(act, tasks[0])
        return change_tasks.carry_out(act, next(each for each in tasks if each.kind is TaskKind.AMEND_PO))

    task = outside.given(carry_out)
    assert (task.done_id, task.status, task.failure) == (amendment.id, TaskStatus.OPEN, "")
    assert line_called(outside, line_id).order.id == order_id
