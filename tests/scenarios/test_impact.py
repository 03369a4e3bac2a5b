"""The impact of a change: computed to rows, decided, approved, carried out (scenarios.md D15)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from engine.act import Act, Installation
from processes import change_tasks, impact
from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder
from records.change_task import ChangeTask, TaskKind, TaskStatus, tasks_of
from records.work_order import WorkOrder
from tests.impacts import PART, approve, dispose_d15, grid, plant_of_d15
from tests.people import ella


def test_d15_the_grid_has_exactly_seven_rows_of_269_pieces(house: Installation) -> None:
    with house.acting(ella.principal) as act:
        change = plant_of_d15(act).change
        impact.compute(act, change)
        rows = [(row.native_ref.partition("/")[0], row.state.value, row.quantity) for row in grid(act, change)]
        assert len(rows) == 7
        assert sum((quantity for *_, quantity in rows), Decimal(0)) == 269
        assert rows[:3] == [("LOT-35", "AVAILABLE", 35), ("PO-5010", "ON_ORDER", 60), ("PO-5011", "ON_ORDER", 50)]
        assert rows[3] == ("PO-5012", "AWAY", 24)
        assert rows[4:] == [("WO-7001", "NOT_STARTED", 28), ("WO-7002", "NOT_STARTED", 60), ("WO-7001", "STARTED", 12)]


def test_d15_its_dispositions_are_accepted_and_leave_nothing_open(house: Installation) -> None:
    with house.acting(ella.principal) as act:
        change = plant_of_d15(act).change
        dispose_d15(act, change)
        assert impact.problems_of(act.session, change, now=act.now) == []


def settle(act: Act, task: ChangeTask) -> None:
    """Have an amendment agreed with its supplier, as its own flow would."""
    task.status, task.done_type, task.done_id = TaskStatus.DONE, None, None


def carried_out(act: Act, change: ChangeOrder) -> list[ChangeTask]:
    """Carry out every task that is ours and open, as often as another one opens."""
    for task in change_tasks.plan_tasks(act, change):
        if task.is_ours and task.status is TaskStatus.OPEN:
            change_tasks.carry_out(act, task)
        elif task.status is TaskStatus.OPEN:
            change_tasks.carry_out(act, task, evidence="Minutes of 2026-11-22")
    return tasks_of(act.session, change)


def test_d15_its_approval_creates_two_amendments_one_split_and_one_order_planned_anew(house: Installation) -> None:
    with house.acting(ella.principal) as act:
        plant = plant_of_d15(act)
        dispose_d15(act, plant.change)
        approve(act, plant.change)
        planned = change_tasks.plan_tasks(act, plant.change)
        assert [task.kind for task in planned if task.is_ours] == ["UPDATE_BOM", *["AMEND_PO"] * 2, *["CHANGE_WO"] * 2]
        assert change_tasks.plan_tasks(act, plant.change) == planned
    with house.acting("system:change_control") as act:
        change = act.session.get_one(ChangeOrder, plant.change.id)
        tasks = carried_out(act, change)
        assert [task.failure for task in tasks if task.status is TaskStatus.FAILED] == []
        amendments = list(act.session.scalars(select(PurchaseOrderAmendment).order_by(PurchaseOrderAmendment.number)))
        assert [each.order.number for each in amendments] == ["PO-5010", "PO-5011"]
        assert [each.new_text for each in amendments[0].changes if each.column_name == "part_revision_id"] == [
            plant.after.id
        ]
        assert {each.change_order_id for each in amendments} == {change.id}
        assert {each.id for each in amendments} == {task.done_id for task in tasks if task.kind is TaskKind.AMEND_PO}
        for task in [task for task in tasks if task.kind is TaskKind.AMEND_PO]:
            assert task.status is TaskStatus.OPEN  # Its approvers and the supplier answer first.
            settle(act, task)
        assert [task.status for task in carried_out(act, change) if task.kind is TaskKind.CHANGE_WO] == [
            TaskStatus.DONE
        ] * 2
        assert change_tasks.read_back(act, change) == []
    with house.reading() as session:
        divided = session.scalars(
            select(WorkOrder).where(WorkOrder.number.like("WO-7001-%")).order_by(WorkOrder.number)
        ).all()
        assert [(each.quantity, each.item) for each in divided] == [(12, f"{PART}/B"), (28, f"{PART}/C")]
        anew = session.scalars(select(WorkOrder).where(WorkOrder.number == "WO-7002-1")).one()
        assert (anew.quantity, anew.item, len(anew.operations)) == (60, f"{PART}/C", 2)
