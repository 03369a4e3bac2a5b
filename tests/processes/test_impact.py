"""What a change touches is computed, frozen and decided whole; what does not fit is refused, and the plant that moves on re-opens it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from engine import worker
from engine.act import Act, Installation
from engine.database import new_id
from engine.errors import Conflict, Invalid, RuleViolation
from engine.registry import Work
from engine.stored.job import Job
from processes import (
    change_carrying,
    change_tasks,
    change_withdrawing,
    consistency,
    drafting,
    genealogy,
    impact,
    inspecting,
    receiving,
    work_order_planning,
)
from processes.change_orders import write
from processes.genealogy import Event
from processes.impact import Share
from processes.impact_query import SOURCES, Found, SourceUnavailable
from processes.impact_watch import watch_impact
from records.change_order import ChangeOrder, ChangeOrderStatus
from records.change_task import ChangeTask, TaskKind, TaskStatus, holds_on
from records.impact import AffectedOrder, Disposition, ImpactTarget, PieceState, RowStatus
from records.lot import Lot
from records.notice import Notice
from records.outside import OutsideLink
from records.part import Criticality, PartRevision
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Quarantine, Receipt, ReceiptStatus
from records.requisition import Requisition, RequisitionStatus
from records.requisition import move as move_requisition
from records.work_order import WorkOrder
from rules.order_consistency import judge_receipt, judge_start
from rules.validation import judge_built, judge_issue, judge_submission
from rules.work_order_release import judge_release
from tests import makers
from tests.clock import SettableClock
from tests.impacts import WORDS, approve, dispose_d15, grid, plant_of_d15
from tests.makers import D

LATER = dt.timedelta(days=40)


class Silent:
    """A store of another plant that does not answer."""

    name = "the store in Tulsa"

    def rows(self, _session: Any, _scope: Any) -> Any:
        raise SourceUnavailable("no answer since 2026-11-22 08:00")


class Odd:
    """A store that writes its places as people there do."""

    name = "the store in Tulsa"

    def rows(self, _session: Any, scope: Any) -> list[Found]:
        (revision,) = scope.revisions
        return [
            Found(
                ImpactTarget.STOCK_LOT, new_id(), PieceState.HOLD, revision, ("lot", new_id()), 'L-"7"', D("0.125001"), "KG",
                place="Rack\t'7\\n'\nbehind the Säge", unit_value=D("1.2345"),
            )
        ]  # fmt: skip


def computed(act: Act) -> ChangeOrder:
    change = plant_of_d15(act).change
    impact.compute(act, change)
    return change


def test_a_set_that_lacks_a_source_is_never_frozen(plant: Installation) -> None:
    plant.extras[SOURCES] = (Silent(),)
    with plant.acting("user:ella") as act:
        change = computed(act)
        with pytest.raises(Conflict, match="the store in Tulsa to answer") as refusal:
            impact.freeze(act, change)
        assert refusal.value.code == "SOURCE_UNAVAILABLE"
        assert "Tulsa" in impact.problems_of(act.session, change)[0]


def test_rows_of_another_system_are_kept_to_the_letter(plant: Installation) -> None:
    plant.extras[SOURCES] = (Odd(),)
    with plant.acting("user:ella") as act:
        (row,) = [each for each in grid(act, computed(act)) if each.native_ref == 'L-"7"']
        act.session.expire(row)
        assert (row.place, row.quantity, row.unit_value) == (
            "Rack\t'7\\n'\nbehind the Säge", D("0.125001"), D("1.2345"),
        )  # fmt: skip
        assert (row.state, row.is_counted, row.currency) == (PieceState.HOLD, True, "USD")


def test_a_new_order_in_the_set_refuses_the_freeze_and_opens_a_frozen_one_again(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        change = made.change
        dispose_d15(act, change)
        assert impact.has_grown(act.session, change) == []
        approve(act, change)
        makers.make_work_order(act, made.before, number="WO-7003", quantity=D(5))
        assert [(row.native_ref, row.quantity) for row in impact.has_grown(act.session, change)] == [("WO-7003", D(5))]
        impact.reopen(act, change)
        assert change.status is ChangeOrderStatus.IMPACT
        assert [row.native_ref for row in grid(act, change) if not row.is_disposed] == ["WO-7003"]
        makers.make_work_order(act, made.before, number="WO-7004", quantity=D(5))
        with pytest.raises(Conflict, match="WO-7004") as refusal:
            impact.freeze(act, change)
        assert refusal.value.code == "IMPACT_GROWN"


def test_a_new_order_opens_a_frozen_impact_at_its_door_and_whoever_wrote_it(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        dispose_d15(act, made.change)
        approve(act, made.change)
        made.work[0].operations[0].good = D(20)
        change_id, before = made.change.id, made.before.id
        work_id = made.work[1].id

    def status() -> ChangeOrderStatus:
        with plant.reading() as session:
            return session.get_one(ChangeOrder, change_id).status

    assert (watch_impact(plant), status()) == (0, ChangeOrderStatus.APPROVED)  # 8 pieces only went on inside WO-7001.
    with plant.acting("user:ella") as act:
        revision = act.session.get_one(PartRevision, before)
        work_order_planning.create(act, "PRODUCTION", quantity=D(5), part_revision=revision)
    assert worker.run_until_idle(plant) >= 1
    assert status() is ChangeOrderStatus.IMPACT
    with plant.acting("user:ella") as act:
        change = act.session.get_one(ChangeOrder, change_id)
        (new,) = [row for row in grid(act, change) if not row.is_disposed and row.target == "WO" and row.quantity == 5]
        told = act.session.scalars(select(Notice).where(Notice.subject.contains("fell into its impact"))).all()
        assert {each.user_id for each in told} == {"quinn"}
        for row in grid(act, change):
            if not row.is_disposed:
                impact.dispose(act, row, Disposition.FINISH_AS_OLD)
        impact.freeze(act, change)
        approve(act, change)

    def promised() -> int:
        with plant.reading() as session:
            return len(session.scalars(select(Job).where(Job.type == "look_at_impact", Job.state != "DONE")).all())

    for wrote, count in (
        (lambda act, revision: makers.make_requisition(act, (revision, 3, "4.00")), 1),
        (lambda act, revision: setattr(act.session.get_one(WorkOrder, work_id), "priority", 2), 1),
        (lambda act, revision: makers.make_order(act, (revision, 3, "4.00")), 2),
        (lambda act, revision: makers.make_requisition(act), 2),
    ):
        with plant.acting("user:ella") as act:
            wrote(act, act.session.get_one(PartRevision, before))
        assert promised() == count
    clock = plant.clock
    assert isinstance(clock, SettableClock)
    clock.advance(minutes=2)
    assert (watch_impact(plant), status()) == (1, ChangeOrderStatus.IMPACT)
    assert new.native_ref


@pytest.mark.parametrize(
    ("shares", "field", "sentence"),
    [
        ([Share("USE_AS_IS", D(20)), Share("SCRAP", D(14))], "quantity", "add up to its 35 EA, but they add up to 34"),
        ([Share("USE_AS_IS", D(36)), Share("SCRAP", D(-1))], "quantity", "add up to"),
        ([], "quantity", "add up to"),
        ([Share("CANCEL")], "disposition", "Expected one of USE_AS_IS"),
        ([Share("BURN")], "disposition", "Expected one of"),
        ([Share("SCRAP", owner="user:nobody")], "owner", "who is here"),
        ([Share("SCRAP", owner="role:NOBODY")], "owner", "who is here"),
        ([Share("SCRAP", due=dt.date(2020, 1, 1))], "due", "is past"),
        ([Share("SCRAP", cost=D(-1))], "cost", "0 or more"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    plant: Installation, shares: list[Share], field: str, sentence: str
) -> None:
    with plant.acting("user:ella") as act:
        change = computed(act)
        stock = grid(act, change)[0]
        with pytest.raises(Invalid, match=sentence) as refusal, act.attempt():
            impact.divide(act, stock, shares)
        assert list(refusal.value.fields) == [field]
        assert (stock.status, stock.dispositions) == (RowStatus.OPEN, [])


def test_a_divided_row_adds_up_and_its_scrap_costs_what_the_pieces_are_worth(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        change = computed(act)
        begun = next(row for row in grid(act, change) if row.target == "WO_OP")
        impact.divide(act, begun, [Share("FINISH_AS_OLD", D(7)), Share("SCRAP", D(5), cost=D("12000.00"))])
        assert (begun.is_disposed, begun.disposition, begun.cost) == (True, None, D("12000.00"))
        assert impact.cost_of(act.session, change) == {"SCRAP": D("12000.00"), "TOTAL": D("12000.00")}
        assert ("FINANCE", "role:FIN_CTRL") in impact.lanes_of(act.session, change)
        impact.dispose(act, begun, Disposition.FINISH_AS_OLD)
        assert [each.number for each in begun.dispositions] == ["FINISH_AS_OLD 12 EA"]
        assert "FINANCE" not in [area for area, _ in impact.lanes_of(act.session, change)]


def test_the_gate_lists_all_that_is_missing_in_sentences(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        change = computed(act)
        write(act, change, {"fai": None, "is_customer_approval_required": True, "effectivity_value": "2026-11-23"})
        said = " ".join(impact.problems_of(act.session, change, now=act.now))
        for wanted in (
            "to be frozen", "35 EA of LOT-35, but 0 are disposed", "engineering to assess", "customer contract to assess",
            "a first article", "customer's approval", "to take effect on 2026-11-27 at the earliest",
        ):  # fmt: skip
            assert wanted in said
        with pytest.raises(Conflict) as refusal:
            impact.refuse_incomplete(act.session, change)
        assert refusal.value.code == "INCOMPLETE_DISPOSITION"


def test_a_row_that_the_board_has_is_not_decided_any_more(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        change = plant_of_d15(act).change
        rows = dispose_d15(act, change)
        approve(act, change)
        with pytest.raises(Conflict, match="LOT-35 is frozen") as refusal:
            impact.dispose(act, rows[0], Disposition.SCRAP)
        assert refusal.value.code == "IMPACT_FROZEN"
        with pytest.raises(Conflict, match="to be open"):
            impact.assess(act, change, "QUALITY", answer="NO_IMPACT")


def test_serials_of_a_safety_part_that_left_are_in_the_set(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        made.before.part.criticality = Criticality.IMPLANT
        makers.make_work_order(
            act, type="FIELD_SERVICE", part_revision_id=made.before.id, status="PLANNED", number="WO-9001", serial="SN-1",
            customer="St. Mary", service_location="Wichita", quantity=D(1),
        )  # fmt: skip
        impact.compute(act, made.change)
        assert ("SHIPPED", "SN-1", "St. Mary") in [
            (row.target, row.native_ref, row.place) for row in grid(act, made.change)
        ]


def test_marks_warn_or_block_by_disposition_until_their_task_is_done(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        stock = dispose_d15(act, made.change)[0]
        impact.divide(act, stock, [Share("USE_AS_IS", D(30)), Share("SCRAP", D(5))])
        approve(act, made.change)
        change_tasks.place_holds(act, made.change)
        amended, waiting = made.orders[0].lines[0], made.work[1]
        found = judge_receipt(act.session, amended, now=act.now)
        assert [(each.rule, each.effect.value) for each in found] == [("CHG-PENDING", "BLOCK")]
        assert [each.rule for each in judge_start(act.session, waiting.operations[0], now=act.now)] == ["CHG-PENDING"]
        later = judge_start(act.session, waiting.operations[0], now=act.now + LATER)
        assert [(each.rule, each.effect.value, bool(each.way_out)) for each in later] == [("CON-15", "HOLD", True)]
        assert "CON-15" in [each.rule for each in judge_release(act.session, waiting, now=act.now + LATER)]
        away = act.session.scalars(select(PurchaseOrder).where(PurchaseOrder.po_no == "PO-5012")).one()
        assert [each.effect.value for each in judge_receipt(act.session, away.lines[0], now=act.now)] == ["WARN"]
        assert "CHG-PENDING" in [each.rule for each in judge_issue(act.session, made.orders[0], now=act.now)]
        other = makers.make_work_order(act, makers.make_revision(act), number="WO-8000", quantity=D(1))
        lot = act.session.get_one(Lot, stock.target_id)
        for work in (waiting, other):
            with pytest.raises(RuleViolation) as refusal, act.attempt():
                genealogy.consume(act, lot, D(1), work_order_id=work.id, event=Event(f"issue to {work.number}"))
            assert {each.rule for each in refusal.value.findings} == {"CHG-PENDING"}
    with plant.acting("user:sam") as act:
        line = act.session.get_one(PurchaseOrderLine, amended.id)
        goods = receiving.receive(act, line, D(10), event_id="R-1")
        assert (goods.status, goods.quarantine) == (ReceiptStatus.QUARANTINE, Quarantine.CHANGE)
        assert "to go on after" in goods.quarantine_reason
    with plant.acting("user:quinn") as act:
        goods = act.session.get_one(Receipt, goods.id)
        with pytest.raises(Conflict, match="CHG-PENDING") as barred:
            inspecting.clear(act, goods, reason="They look good")
        assert barred.value.code == "ON_HOLD"
        change = act.session.get_one(ChangeOrder, made.change.id)
        assert change_tasks.lift_holds(act, change, reason="Withdrawn")
        assert inspecting.clear(act, goods, reason="The change is withdrawn").status is ReceiptStatus.ACCEPTED
        edge = genealogy.consume(
            act, act.session.get_one(Lot, lot.id), D(1), work_order_id=other.id, event=Event("issued")
        )
        assert edge.quantity == 1


def test_what_is_only_planned_waits_for_the_change_and_is_then_ordered_as_what_follows(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        asked = makers.make_requisition(act, (made.before, 20, "4.00"), (made.before, 3, "4.00"))
        dispose_d15(act, made.change, {asked.lines[0].number: Disposition.CONVERT})
        approve(act, made.change)
        for to in (RequisitionStatus.SUBMITTED, RequisitionStatus.APPROVED):
            move_requisition(act, asked, to)
            act.session.flush()
        change_tasks.place_holds(act, made.change)
        marks = {
            each.about_ref: each.effect.value for each in holds_on(act.session, *(line.id for line in asked.lines))
        }
        assert marks == {asked.lines[0].number: "BLOCK", asked.lines[1].number: "WARN"}
        judged = [each for each in judge_submission(act.session, asked, now=act.now) if each.rule == "CHG-PENDING"]
        assert [each.effect.value for each in judged] == ["BLOCK", "WARN"]
        too_early = makers.make_order(act, (made.before, 20, "4.00"))
        too_early.lines[0].requisition_line = asked.lines[0]
        act.session.flush()
        (waits,) = [each for each in judge_built(act.session, too_early, now=act.now) if each.rule == "CHG-PENDING"]
        assert (waits.effect.value, asked.lines[0].number in waits.sentence) == ("BLOCK", True)
    with plant.acting("system:change_control") as act:
        change = act.session.get_one(ChangeOrder, made.change.id)
        change_tasks.carry_out(act, change_tasks.plan_tasks(act, change)[0])
        asked = act.session.get_one(Requisition, asked.id)
        supplier = act.session.scalars(select(PurchaseOrder)).first().supplier
        award = {"currency": "USD", "ship_to": None}
        order = drafting.draft(act, asked, asked.lines, supplier=supplier, award=award)
        assert [line.part_revision_id for line in order.lines] == [made.after.id, made.before.id]
        judged = [each for each in judge_built(act.session, order, now=act.now) if each.rule == "CHG-PENDING"]
        assert [each.effect.value for each in judged] == ["WARN"]
        assert not [each for each in consistency.findings_of(act, order, asked) if "as in" in each]


def test_pieces_that_are_fewer_than_decided_go_back_to_their_owner(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        dispose_d15(act, made.change)
        waiting = next(row for row in grid(act, made.change) if row.native_ref == "WO-7002")
        approve(act, made.change)
    with plant.acting("system:change_control") as act:
        change = act.session.get_one(ChangeOrder, made.change.id)
        work = act.session.get_one(type(made.work[1]), made.work[1].id)
        work.operations[0].scrap = D(3)
        act.session.flush()
        tasks = change_tasks.plan_tasks(act, change)
        change_tasks.carry_out(act, tasks[0])
        task = next(each for each in tasks if each.kind is TaskKind.CHANGE_WO and each.target_ref == "WO-7002")
        change_tasks.carry_out(act, task)
        assert (task.status, "as decided, but there are" in task.failure) == (TaskStatus.FAILED, True)
        row = act.session.get_one(type(waiting), waiting.id)
        assert row.status is RowStatus.RETURNED
        assert work.status.value == "RELEASED"


def test_stock_is_identified_anew_and_back_again(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        rows = dispose_d15(act, made.change)
        impact.dispose(act, rows[0], Disposition.CONVERT)
        approve(act, made.change)
    with plant.acting("system:change_control") as act:
        change = act.session.get_one(ChangeOrder, made.change.id)
        tasks = change_tasks.plan_tasks(act, change)
        change_tasks.carry_out(act, tasks[0])
        task = next(each for each in tasks if each.kind is TaskKind.MOVE_STOCK)
        change_tasks.carry_out(act, task)
        assert (task.status, task.failure) == (TaskStatus.DONE, "")
        assert change_tasks.carry_out(act, task) is task
        stock = act.session.get_one(AffectedOrder, rows[0].id)
        pair = stock, stock.dispositions[0]
        assert change_carrying.differences(act, task, [pair]) == []
        change_tasks.undo(act, task, reason="Withdrawn")
        assert task.status is TaskStatus.UNDONE
        assert "that was reversed" in change_carrying.differences(act, task, [pair])[0]
        back = act.session.get_one(Lot, task.target_id)
        assert (back.quantity_left, back.part_revision_id) == (D(35), made.before.id)
        with pytest.raises(Conflict, match="Raise a new change") as refusal:
            change_tasks.undo(act, tasks[0])
        assert refusal.value.code == "IRREVERSIBLE"


def test_stock_that_was_segregated_is_undone_only_after_quality_released_it(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        rows = dispose_d15(act, made.change)
        impact.divide(act, rows[0], [Share("CONVERT", D(30)), Share("REWORK", D(5))])
        approve(act, made.change)
    with plant.acting("system:change_control") as act:
        tasks = change_tasks.plan_tasks(act, act.session.get_one(ChangeOrder, made.change.id))
        change_tasks.carry_out(act, tasks[0])
        task = next(each for each in tasks if each.kind is TaskKind.MOVE_STOCK)
        assert change_tasks.carry_out(act, task).status is TaskStatus.DONE
        with pytest.raises(Conflict, match="Quality releases it with a signature") as refusal:
            change_tasks.undo(act, task, reason="Withdrawn")
        assert (refusal.value.code, task.status) == ("ON_HOLD", TaskStatus.DONE)
        lot = act.session.get_one(Lot, task.target_id)
        assert (lot.quantity_left, lot.status.value) == (D(5), "HOLD")


def test_converted_work_is_planned_back_by_the_operations_that_it_came_from(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act, is_routed=False)
        dispose_d15(act, made.change)
        approve(act, made.change)
    with plant.acting("system:change_control") as act:
        tasks = change_tasks.plan_tasks(act, act.session.get_one(ChangeOrder, made.change.id))
        change_tasks.carry_out(act, tasks[0])
        changed = [each for each in tasks if each.kind is TaskKind.CHANGE_WO]
        for task in changed:
            assert change_tasks.carry_out(act, task).status is TaskStatus.DONE, task.failure
            done = act.session.get_one(WorkOrder, task.done_id)
            assert done.part_revision_id == made.after.id
            change_tasks.undo(act, task, reason="Withdrawn")
            assert (task.status, done.part_revision_id) == (TaskStatus.UNDONE, made.before.id)
            assert [each.description for each in done.operations] == ["Mill", "Inspect"]
        assert [each.done_ref for each in changed] == ["WO-7001-2", "WO-7002-1"]


def test_planned_work_without_a_routing_to_go_back_to_is_planned_back_by_a_person(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act, is_routed=False)
        planned = makers.make_work_order(act, made.before, number="WO-7003", quantity=D(6), status="PLANNED")
        dispose_d15(act, made.change, {"WO-7003": Disposition.CONVERT})
        approve(act, made.change)
    with plant.acting("system:change_control") as act:
        tasks = change_tasks.plan_tasks(act, act.session.get_one(ChangeOrder, made.change.id))
        change_tasks.carry_out(act, tasks[0])
        task = next(each for each in tasks if each.target_id == planned.id)
        assert (change_tasks.carry_out(act, task).done_ref, task.status) == ("WO-7003", TaskStatus.DONE)
        work = Work(None, "undo", "Undo", {"job": {"id": task.id}, "way_back": {"reason": "Withdrawn"}})
        asked = change_withdrawing.undo_change_task(act, work)
        assert (asked["next"], "routing" in asked["job"]["failure"]) == ("PERSON", True)
        assert (task.status, act.session.get_one(WorkOrder, planned.id).part_revision_id) == ("DONE", made.after.id)


def test_an_order_that_another_system_approved_is_amended_there_by_its_owner(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        makers.make_order_to_receive(act, (made.before, 20, "4.00"), po_no="PO-5013")
        impact.compute(act, made.change)
        impact.freeze(act, made.change)
        rows = grid(act, made.change)
        (theirs,) = [row for row in rows if row.native_ref.startswith("PO-5013")]
        for row, word in zip([row for row in rows if row is not theirs], WORDS, strict=True):
            impact.dispose(act, row, word, owner="role:PLANNER")
        impact.dispose(act, theirs, Disposition.AMEND, owner="role:BUYER")
        for area, _ in impact.lanes_of(act.session, made.change):
            impact.assess(act, made.change, area, answer="IMPACT", text="Looked at")
        approve(act, made.change)
        tasks = change_tasks.plan_tasks(act, made.change)
    amended = {task.target_ref: task for task in tasks if task.kind is TaskKind.AMEND_PO}
    assert {ref: task.is_ours for ref, task in amended.items()} == {"PO-5010": True, "PO-5011": True, "PO-5013": False}
    with plant.acting("user:bea") as act:
        change_tasks.carry_out(act, act.session.get_one(ChangeTask, tasks[0].id))
        task = act.session.get_one(ChangeTask, amended["PO-5013"].id)
        assert (task.owner, "amend it there" in task.words) == ("role:BUYER", True)
        with pytest.raises(Invalid, match="Expected evidence"):
            change_tasks.carry_out(act, task)
        change_tasks.carry_out(act, task, evidence="Revision 2 of PO-5013 in the ERP")
        assert (task.status, task.failure) == (TaskStatus.DONE, "")


def test_a_persons_task_takes_evidence_and_keeps_its_hash(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        made = plant_of_d15(act)
        dispose_d15(act, made.change)
        approve(act, made.change)
        tasks = change_tasks.plan_tasks(act, made.change)
        change_tasks.place_holds(act, made.change)
        told = next(each for each in tasks if each.kind is TaskKind.NOTIFY_SUPPLIER)
        link = act.session.get_one(OutsideLink, told.target_id)
        of_pieces = (link.order_line_id, link.operation_id)
        assert [(each.effect.value, "finish as old" in each.reason) for each in holds_on(act.session, *of_pieces)] == [
            ("WARN", True)
        ] * 2
        with pytest.raises(Conflict, match="comes first"):
            change_tasks.carry_out(act, told, evidence="Mail of today")
    with plant.acting("system:change_control") as act:
        change_tasks.carry_out(act, act.session.get_one(type(tasks[0]), tasks[0].id))
        told = act.session.get_one(type(told), told.id)
        with pytest.raises(Invalid, match="Expected evidence"):
            change_tasks.carry_out(act, told)
        change_tasks.carry_out(act, told, evidence="Mail of today")
        assert (told.status, len(told.evidence_hash or "")) == (TaskStatus.DONE, 64)
        assert holds_on(act.session, *of_pieces) == []
