"""The demo plant opens on believable work, and its books are in order."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine import inbox
from engine.act import Installation
from engine.stored.job import Job, JobState
from engine.stored.task import Task, TaskState
from engine.stored.wait import Incident
from engine.verification import verify
from records.change_order import ChangeOrder
from records.impact import AffectedOrder
from records.meeting import Meeting
from records.purchase_order import OrderStatus, PurchaseOrder
from records.requisition import Requisition, RequisitionStatus
from tests.demo_plant import DEMO

TO_DO = {
    "rita": ("mine", {"correct_requisition", "answer_question"}),
    "lena": ("groups", {"decide_slot"}),
    "max": ("groups", {"decide_slot"}),
    "carl": ("groups", {"decide_slot"}),
    "fred": ("groups", {"decide_budget_exception"}),
    "quinn": ("groups", {"decide_on_supplier"}),
    "bea": ("groups", {"compare_quotes", "choose_supplier", "complete_order"}),
}


@pytest.mark.begins_with(DEMO)
def test_the_demo_plant_has_work_in_every_state_and_unbroken_books(plant: Installation) -> None:
    with plant.reading() as session:
        for user_id, (box, expected) in TO_DO.items():
            found = {item.task.element_id for item in inbox.page(session, user_id, box=box).items if item.task}
            assert expected <= found, (user_id, found)
        requisitions = set(session.scalars(select(Requisition.status).where(Requisition.origin == "LOCKSTEP")))
        orders = set(session.scalars(select(PurchaseOrder.status).where(PurchaseOrder.origin == "LOCKSTEP")))
        open_tasks = set(session.scalars(select(Task.element_id).where(Task.state == TaskState.OPEN)))
        changes = {one.number: one.status.value for one in session.scalars(select(ChangeOrder))}
        wanted = select(AffectedOrder).join(ChangeOrder, ChangeOrder.id == AffectedOrder.change_order_id)
        agenda = [item.number for item in session.scalars(select(Meeting)).one().agenda]
        grid = list(session.scalars(wanted.where(ChangeOrder.number == "CO-000003")))
        stuck = list(session.scalars(select(Incident)))
        undone = list(session.scalars(select(Job).where(Job.state != JobState.DONE)))
        broken = list(verify(session))
    assert requisitions >= {
        RequisitionStatus.DRAFT, RequisitionStatus.IN_APPROVAL, RequisitionStatus.RETURNED, RequisitionStatus.REJECTED,
        RequisitionStatus.CLOSED,
    }  # fmt: skip
    assert orders >= {OrderStatus.APPROVED, OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED}
    assert {"issue_order", "record_acknowledgement"} <= open_tasks
    assert (stuck, undone, broken) == ([], [], [])
    assert changes == {
        "EC-000001": "CLOSED", "CO-000001": "REJECTED", "CO-000002": "IMPLEMENTING", "CO-000003": "REVIEW"
    }  # fmt: skip
    assert agenda == ["CO-000003"]
    assert [sum(row.quantity for row in grid), len(grid)] == [269, 7]
    assert {"triage_request", "vote_on_change", "do_task"} <= open_tasks
