"""What happens to pieces at a supplier when a change order or an amendment reaches them (domain.md B11-B13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import tasks
from engine.act import Act, Installation
from engine.errors import Invalid
from engine.instances import instances_of
from engine.ports import SignatureRequest
from engine.stored.task import Task, TaskState
from processes import change_orders, change_tasks, impact, outside_moving, outside_watch
from processes.amendment import propose
from processes.amendment import start as start_amendment
from processes.outside_losses import sign_loss
from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder, ChangeOrderStatus, FaiDecision, move
from records.change_request import OrderClass
from records.change_task import ChangeTask, TaskStatus
from records.impact import Disposition, RowDisposition, RowStatus, newest_snapshot, rows_of
from records.notice import Notice
from records.outside import LinkStatus, OutsideLink
from records.outside_loss import OutsideLoss
from records.outside_stop import OutsideStop, StopDecision, StopStatus
from records.part import PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder
from records.work_order import WorkOrderOperation
from rules.amending import Edits, LineEdit
from rules.order_consistency import judge_start
from tests import makers
from tests.amendments import go_to
from tests.clock import SettableClock
from tests.impacts import approve, plant_of_d15
from tests.makers import D
from tests.outside import OutsideStory, make_heat_treater, ready_link
from tests.people import PASSWORD


@pytest.fixture
def outside(plant: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in a plant, at 2026-11-22 15:00 UTC."""
    return OutsideStory(plant, clock)


DAY = {"effectivity_kind": "DATE", "effectivity_value": "2027-01-15"}


def change_of(
    outside: OutsideStory,
    word: Disposition | None,
    *,
    title: str = "Thicker flange",
    counts: Mapping[str, str] = DAY,
) -> str:
    """Approve a change of the part that is away. word: what its impact says of the pieces; None sends that row back."""

    def arrange(act: Act) -> str:
        link = outside._link(act)
        before = act.session.get_one(PartRevision, link.part_revision_id)
        after = makers.make_revision(
            act, before.part, f"C{title[:1]}", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None
        )
        makers.make_routing(act, after, makers.ROUTING)
        change = change_orders.open_order(
            act, change_class=OrderClass.C4, title=title, reason="Cracks at the fillet", fai=FaiDecision.NONE,
            **counts,
        )  # fmt: skip
        change_orders.add_item(act, change, before, after)
        change_orders.take_baseline(act, change)
        move(act, change, ChangeOrderStatus.IMPACT)
        impact.compute(act, change)
        impact.freeze(act, change)
        snapshot = newest_snapshot(act.session, change)
        assert snapshot is not None
        for row in rows_of(act.session, snapshot):
            chosen = (word or Disposition.FINISH_AS_OLD) if row.target == "AT_SUPPLIER" else Disposition.FINISH_AS_OLD
            impact.dispose(act, row, chosen, owner="role:PLANNER")
        approve(act, change)
        if word is None:
            [said] = act.session.scalars(
                select(RowDisposition).where(
                    RowDisposition.change_order_id == change.id, RowDisposition.target_id == link.id
                )
            )
            said.status, said.returned_reason = RowStatus.RETURNED, "The supplier says otherwise"
        act.session.flush()
        return change.number

    number: str = outside.given(arrange)
    outside.watch()
    return number


def change_called(act: Act, number: str) -> ChangeOrder:
    """Return a change order by its number."""
    return act.session.scalars(select(ChangeOrder).where(ChangeOrder.number == number)).one()


def stops(outside: OutsideStory) -> list[OutsideStop]:
    """Return the stops, with what tests look at."""

    def ask(session: Session) -> list[OutsideStop]:
        found = list(session.scalars(select(OutsideStop).order_by(OutsideStop.number)))
        assert all(each.made is None or each.made.changes is not None for each in found)
        return found

    found: list[OutsideStop] = outside.read(ask)
    return found


def confirm(outside: OutsideStory) -> None:
    """Let bea enter who confirmed the stop."""
    outside.as_("bea").decide("confirm_stop_work", "confirmed", confirmed_by="Ms North")


def sign(outside: OutsideStory, verdict: str = "approve") -> None:
    """Let engineering and quality sign what somebody chose."""
    for person in ("ella", "quinn"):
        if outside.tasks("decide_slot"):
            outside.as_(person).decide("decide_slot", verdict, reason="" if verdict == "approve" else "Not like this")


def decide(outside: OutsideStory, verdict: str, **given: Any) -> None:
    """Let the board choose."""
    outside.as_("ella").decide("decide_stop", verdict, stop_reason="The flange cracks", **given)


def row_of(outside: OutsideStory) -> RowDisposition:
    """Return what the impact says of the pieces."""
    link_id = outside.link.id
    found: RowDisposition = outside.read(
        lambda session: session.scalars(select(RowDisposition).where(RowDisposition.target_id == link_id)).one()
    )
    return found


@ready_link
def test_a_recall_of_the_impact_is_followed_without_asking_again(outside: OutsideStory) -> None:
    outside.ready().ship()
    number = change_of(outside, Disposition.RECALL_TO_SHOP)
    assert (outside.link.status, outside.link.hold_rule) == (LinkStatus.HOLD, "CON-15")
    assert outside.steps == ["confirm_stop_work", "receive_parts"]
    confirm(outside)
    assert (outside.incidents, outside.steps) == ([], ["receive_parts"])
    [stop] = stops(outside)
    assert (stop.decision, stop.status, stop.decided_by) == (StopDecision.RECALL, StopStatus.CARRIED_OUT, number)
    assert stop.made is not None
    assert (stop.made.change_order_id, [row.column_name for row in stop.made.changes if row.column_name]) == (
        stop.change_order_id, ["status"],
    )  # fmt: skip
    assert (row_of(outside).status, outside.balance()) == (RowStatus.DONE, (24, 0, 0, 0, 0, 24))
    recall(outside, 10)
    assert (outside.balance(), outside.steps, outside.incidents) == ((24, 0, 0, 0, 10, 14), ["receive_parts"], [])
    recall(outside, 14)
    assert (outside.link.status, outside.incidents, outside.ended_at) == (LinkStatus.CLOSED, [], "outside_work_undone")
    assert (outside.operation.status.value, judged(outside)) == ("READY", ["CHG-PENDING BLOCK"]), (
        "nobody said what becomes of them"
    )
    [asked] = asked_at_home(outside)
    assert (asked.candidates, asked.party, "24 EA of WO-" in asked.title) == (["role:PLANNER"], "NorthStar", True)
    with outside.installation.acting("user:rita") as act:
        evidence = {"evidence": "WO-7001 goes on as B: concession 12"}
        tasks.decide(act, asked.id, "settled", seen_version=asked.version, variables=evidence)
    with outside.installation.reading() as session:
        (task,) = session.scalars(select(ChangeTask).where(ChangeTask.target_type == "work_order_operation"))
        assert (task.owner, task.status, task.evidence) == ("role:PLANNER", TaskStatus.DONE, evidence["evidence"])
    assert (judged(outside), asked_at_home(outside)) == ([], [])


def asked_at_home(outside: OutsideStory) -> list[Task]:
    """Return the open tasks that ask the planner what becomes of pieces that were called home."""
    outside.settle()
    wanted = select(Task).where(Task.element_id == "decide_recalled", Task.state == TaskState.OPEN)
    return list(outside.read(lambda session: list(session.scalars(wanted))))


def judged(outside: OutsideStory) -> list[str]:
    """Return what speaks against starting the operation."""
    found: list[str] = outside.read(
        lambda session: [
            f"{each.rule} {each.effect}"
            for each in judge_start(
                session, session.get_one(WorkOrderOperation, outside.operation.id), now=outside.clock()
            )
            if each.rule == "CHG-PENDING"
        ]
    )
    return found


def recall(outside: OutsideStory, pieces: int) -> None:
    """Let sam take pieces home that were not processed."""
    with outside.installation.acting("user:sam") as act:
        outside_moving.recall(act, outside._link(act), D(pieces), reason="Called home", event_id=f"home-{pieces}")
    outside.settle()
    outside.watch()


@ready_link
def test_some_are_called_home_and_the_others_were_processed_before_the_call_reached_the_supplier(
    outside: OutsideStory,
) -> None:
    outside.ready().ship()
    number = change_of(outside, Disposition.RECALL_TO_SHOP)
    outside.given(lambda act: move(act, change_called(act, number), ChangeOrderStatus.IMPLEMENTING))
    confirm(outside)
    recall(outside, 10)
    outside.take_back(14)
    outside.certify()
    outside.watch()
    assert (outside.balance(), outside.incidents) == ((24, 14, 0, 0, 10, 0), [])
    assert (outside.link.status, outside.operation.good) == (LinkStatus.VERIFIED, 14)
    assert judged(outside) == ["CHG-PENDING BLOCK"], "nobody said what becomes of the ten"
    assert asked_at_home(outside)
    with outside.installation.acting("user:rita") as act:
        (task,) = change_tasks.tasks_of(act.session, change_called(act, number))
        change_tasks.carry_out(act, task, evidence="Reworked under WO-7009")
    assert (judged(outside), asked_at_home(outside)) == ([], []), "what is settled on the page leaves the inbox"


def test_what_the_impact_says_goes_on_to_the_new_revision_is_signed_and_amended_once(outside: OutsideStory) -> None:
    outside.given(lambda act: make_heat_treater(act, specs=("PS-455 D", "PS-455 E")))
    outside.ready().ship()
    number = change_of(outside, Disposition.AMEND)

    def begin(act: Act) -> None:
        change = change_called(act, number)
        for _ in change_tasks.plan_tasks(act, change):
            for task in change_tasks.tasks_of(act.session, change):
                if task.is_ours and task.status is TaskStatus.OPEN:
                    change_tasks.carry_out(act, task)

    confirm(outside)
    sign(outside)
    outside.given(begin)
    outside.watch()
    [stop] = stops(outside)
    assert (stop.status, outside.steps) == (StopStatus.DECIDED, ["receive_parts"]), "its amendment is under way"
    outside.given(lambda act: makers.make_grant(act, "max", "BUYER"))
    (made,) = outside.read(
        lambda session: [one for one in session.scalars(select(PurchaseOrderAmendment)) if one.changes is not None]
    )
    agree(outside, made)
    [stop] = stops(outside)
    assert (stop.status, outside.steps, outside.incidents) == (StopStatus.CARRIED_OUT, ["receive_parts"], [])
    assert (stop.made_id, made.change_order_id, "says what the pieces go on to already" in stop.made_ref) == (
        None, stop.change_order_id, True,
    )  # fmt: skip
    follows = [row.new_text for row in made.changes if row.column_name == "part_revision_id"]
    assert follows == [outside.operation.work_order.part_revision_id]


@ready_link
def test_nobody_confirms_for_four_hours_and_the_board_decides_what_the_impact_is_silent_about(
    outside: OutsideStory,
) -> None:
    outside.ready().ship()
    change_of(outside, None)
    outside.after(hours=3.9)
    assert not any("has not confirmed" in each for each in told(outside))
    outside.after(hours=0.2)
    assert any("has not confirmed to stop work" in each for each in told(outside))
    outside.as_("bea").decide("confirm_stop_work", "not_reached")
    assert (outside.steps, stops(outside)[0].confirmed_by) == (["decide_stop", "receive_parts"], "")
    decide(outside, "finish_as_old")
    sign(outside, "reject")
    assert (outside.steps, outside.incidents) == (["decide_stop", "receive_parts"], [])
    decide(outside, "finish_as_old")
    sign(outside)
    [stop] = stops(outside)
    assert (stop.decision, stop.status, stop.made_id) == (StopDecision.FINISH_AS_OLD, StopStatus.CARRIED_OUT, None)
    assert (row_of(outside).disposition, row_of(outside).status) == (Disposition.FINISH_AS_OLD, RowStatus.DONE)
    assert (outside.link.status, outside.steps, outside.incidents) == (LinkStatus.AT_SUPPLIER, ["receive_parts"], [])
    outside.watch()
    assert outside.steps == ["receive_parts"]


@ready_link
def test_scrap_books_the_loss_and_takes_the_pieces_off_the_order(outside: OutsideStory) -> None:
    outside.ready().ship()
    number = change_of(outside, None, counts={"effectivity_kind": "NEXT_BUILD"})
    confirm(outside)
    decide(outside, "scrap", follow_up="REDUCE")
    assert outside.steps == ["decide_stop", "receive_parts"], "nothing would be left of the work order"
    decide(outside, "scrap", follow_up="REPLENISH")
    sign(outside)
    [stop] = stops(outside)
    assert (stop.status, outside.incidents, outside.balance()) == (StopStatus.CARRIED_OUT, [], (24, 0, 0, 24, 0, 0))
    [loss] = outside.read(lambda session: session.scalars(select(OutsideLoss)).all())
    assert (loss.quantity, stop.number in loss.statement) == (24, True)
    assert stop.made is not None
    assert stop.made.change_order_id == stop.change_order_id
    outside.watch()
    assert (outside.link.status, outside.steps, outside.incidents) == (LinkStatus.VERIFIED, ["claim_pieces"], [])
    for person, meaning in (("rita", "AUTHORED"), ("bea", "REVIEWED")):
        with outside.installation.acting(f"user:{person}") as act:
            loss = act.session.get_one(OutsideLoss, loss.id)
            request = SignatureRequest(meaning, PASSWORD, user_id=person, accepts_responsibility=True)
            again = sign_loss(act, loss, request, seen_hash=loss.approved_hash).replacement
            after = change_called(act, number).affected[0].part_revision_to_id
    assert again is not None
    assert (again.part_revision_id, again.quantity) == (after, 24), "it counts from the next build"


def test_pieces_go_on_to_the_new_revision_at_a_new_price_under_one_change_order(outside: OutsideStory) -> None:
    outside.given(lambda act: make_heat_treater(act, specs=("PS-455 D", "PS-455 E")))
    outside.ready().ship()
    number = change_of(outside, None)
    confirm(outside)
    decide(outside, "continue_to_new", new_spec_rev="F")
    assert outside.steps == ["decide_stop", "receive_parts"], "nobody is approved for revision F"
    decide(outside, "continue_to_new", quoted_price=D("19.50"), new_spec_rev="E")
    sign(outside)
    assert (stops(outside)[0].status, outside.incidents) == (StopStatus.DECIDED, []), "the revision is not released yet"
    outside.given(lambda act: change_orders.apply(act, change_called(act, number)))
    outside.watch()
    [stop] = stops(outside)
    assert (outside.incidents, stop.status) == ([], StopStatus.CARRIED_OUT)
    work = outside.operation.work_order
    assert (outside.operation.spec_rev, work.part_revision_id != outside.link.part_revision_id) == ("E", True)
    assert stop.made is not None
    said = {row.column_name: row.new_text for row in stop.made.changes if row.column_name}
    assert said == {"part_revision_id": work.part_revision_id, "spec_rev": "E", "unit_price": "19.5000"}
    assert stop.made.change_order_id == stop.change_order_id


@ready_link
def test_two_changes_hit_one_link_and_each_is_decided(outside: OutsideStory) -> None:
    outside.ready().ship()
    change_of(outside, None, title="Thicker flange")
    change_of_line(outside)
    assert [each.turn for each in stops(outside)] == [1, 2]
    confirm(outside)
    confirm(outside)
    decide(outside, "finish_as_old")
    sign(outside)
    assert outside.link.status is LinkStatus.HOLD, "the other change still stops the pieces"
    decide(outside, "recall")
    sign(outside)
    assert (outside.incidents, outside.link.status) == ([], LinkStatus.AT_SUPPLIER)
    assert [each.status for each in stops(outside)] == [StopStatus.CARRIED_OUT] * 2


def change_of_line(outside: OutsideStory) -> None:
    """Approve another change, of what the order says alone; its impact is silent about the pieces."""

    def arrange(act: Act) -> None:
        link = outside._link(act)
        change = change_orders.open_order(
            act, change_class=OrderClass.C4, title="Harder", reason="It wears", effectivity_kind="NEXT_BUILD"
        )
        change_orders.add_edit(act, change, link.order_line, "spec_rev", "E")
        change_orders.take_baseline(act, change)
        move(act, change, ChangeOrderStatus.IMPACT)
        approve(act, change)

    outside.given(arrange)
    outside.watch()


def amend(outside: OutsideStory, **values: Any) -> PurchaseOrderAmendment:
    """Let bea amend the order of the link."""
    order_id = outside.link.order.id
    with outside.installation.acting("user:bea") as act:
        made = propose(
            act, act.session.get_one(PurchaseOrder, order_id), Edits(lines=[LineEdit(1, values)]), reason="As agreed"
        )
        start_amendment(act, made)
    outside.watch()
    return made


@ready_link
def test_another_price_leaves_the_pieces_alone_and_less_than_is_away_is_refused(outside: OutsideStory) -> None:
    outside.ready().ship()
    with pytest.raises(Invalid) as refusal:
        amend(outside, quantity=D(23))
    assert "shipped to the supplier" in str(refusal.value.fields)
    amend(outside, unit_price=D("18.10"))
    assert (outside.steps, stops(outside), outside.incidents) == (["receive_parts"], [], [])


def test_a_technical_amendment_stops_the_work_and_is_taken_back_when_the_pieces_finish_as_ordered(
    outside: OutsideStory,
) -> None:
    outside.given(lambda act: make_heat_treater(act, specs=("PS-455 D", "PS-455 E")))
    outside.ready().ship()
    change_of(outside, Disposition.FINISH_AS_OLD)
    assert (outside.link.status, outside.steps, stops(outside)) == (LinkStatus.AT_SUPPLIER, ["receive_parts"], [])
    made = amend(outside, spec_rev="E")
    assert (made.change_class.value, outside.link.hold_rule) == ("C4", "CON-14")
    confirm(outside)
    outside.watch()
    [stop] = stops(outside)
    assert (stop.status, outside.incidents, outside.link.status) == (StopStatus.CARRIED_OUT, [], LinkStatus.AT_SUPPLIER)
    now = outside.read(lambda session: session.get_one(PurchaseOrderAmendment, made.id))
    assert now.status.value == "WITHDRAWN"


def agree(outside: OutsideStory, made: PurchaseOrderAmendment) -> None:
    """Have an amendment approved, and accepted by its supplier."""
    flow = outside.instance_id
    go_to(outside, made)
    while outside.tasks("decide_slot"):
        candidates = outside.tasks("decide_slot")[0].candidates
        outside.as_("max" if "role:BUYER" in candidates else "rita")
        outside.decide("decide_slot", "approve")
    outside.as_("bea").complete("record_amendment_answer", result="ACCEPT", note="", lines=[])
    outside.instance_id = flow
    outside.watch()


def told(outside: OutsideStory) -> list[str]:
    """Return what people were told."""
    found: list[str] = outside.read(lambda session: [notice.subject for notice in session.scalars(select(Notice))])
    return found


@ready_link
def test_what_is_home_before_anybody_decides_is_decided_no_more(outside: OutsideStory) -> None:
    outside.ready().ship()
    change_of(outside, None)
    outside.take_back(24)
    outside.certify()
    assert (outside.link.standing, outside.steps) == (LinkStatus.RETURNED, ["confirm_stop_work"])
    confirm(outside)
    assert stops(outside)[0].status is StopStatus.LAPSED
    outside.watch()
    assert (outside.link.status, outside.steps, outside.incidents) == (LinkStatus.VERIFIED, [], [])


def test_an_amendment_that_took_effect_before_is_undone_for_pieces_that_finish_as_ordered(
    outside: OutsideStory,
) -> None:
    def arrange(act: Act) -> None:
        make_heat_treater(act, specs=("PS-455 D", "PS-455 E"))
        makers.make_grant(act, "max", "BUYER")

    outside.given(arrange)
    outside.ready().ship()
    number = change_of(outside, Disposition.FINISH_AS_OLD)
    made = amend(outside, spec_rev="E")
    agree(outside, made)
    confirm(outside)
    outside.watch()
    [stop] = stops(outside)
    assert (stop.status, stop.decided_by, outside.steps) == (StopStatus.CARRIED_OUT, number, ["receive_parts"])
    assert stop.made is not None
    assert (stop.made.reverts_id, stop.made.change_order_id) == (made.id, stop.change_order_id)
    assert [(row.column_name, row.new_text) for row in stop.made.changes if row.column_name] == [("spec_rev", "D")]
    assert (outside.link.status, outside.incidents) == (LinkStatus.AT_SUPPLIER, [])


def test_pieces_that_left_without_a_flow_are_stopped_by_one_of_their_own(outside: OutsideStory) -> None:
    """B12, B13: what an import brought, or people shipped by hand, is stopped, decided and carried out all the same."""
    with outside.installation.acting("system:arrange") as act:
        change = plant_of_d15(act).change
        link = act.session.scalars(select(OutsideLink).where(OutsideLink.at_supplier > 0)).one()
        outside_watch.remember(act, link)
        impact.compute(act, change)
        approve(act, change)
        assert (outside_watch.look(act, link), outside_watch.look(act, link)) == (1, 0), "once"
        outside.instance_id = instances_of(act.session, link.record_type, link.id)[0].id
        link_id = link.id
    outside.settle()
    assert (outside.steps, outside.incidents) == (["confirm_stop_work"], [])
    confirm(outside)
    decide(outside, "finish_as_old")
    sign(outside)
    [stop] = stops(outside)
    assert (stop.status, stop.decision, outside.ended_at) == (
        StopStatus.CARRIED_OUT, StopDecision.FINISH_AS_OLD, "stop_settled",
    )  # fmt: skip
    assert stop.made_ref.startswith("No amendment: PO-5012/1 says P-2000/B"), stop.made_ref
    assert outside.read(lambda session: session.get_one(OutsideLink, link_id).status) is LinkStatus.AT_SUPPLIER
