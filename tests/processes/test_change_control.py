"""The way of a change: from a request or an order to the verified end (domain.md 3C)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from engine.act import Act
from engine.errors import Conflict, RuleViolation
from engine.messages import publish
from processes import change_control, change_orders
from processes.change_requests import open_request, submit, triage
from processes.work_order_event import Event
from processes.work_order_events import post_event
from records.change_order import ChangeOrder, ItemAction
from records.change_request import ChangeRequest, RequestStatus
from records.impact import Disposition
from records.part import RevisionStatus
from records.work_order import OperationStatus, WorkOrder, WorkOrderStatus
from rules.emergency_authority import refuse_out_of_bounds, refuse_unapproved_shipment
from tests.change_story import Change
from tests.impacts import plant_of_d15
from tests.makers import D, make_grant, make_part, make_revision, make_routing, make_work_order
from tests.people import ella, quinn
from tests.story import Story

DEBURR = {"op_no": 10, "description": "Deburr", "status": OperationStatus.STARTED, "quantity_in": D(10)}
FRIDAY_NIGHT = dt.datetime(2026, 11, 20, 22, 40, tzinfo=dt.UTC)


def begun(story: Story, **content: object) -> Change:
    """Return the change of D15 with its flow; it counts from the next build unless said otherwise."""
    story.given(lambda act: make_grant(act, "lena", "BUYER"))
    with story.installation.acting(ella.principal) as act:
        change = plant_of_d15(act).change
        change_orders.write(act, change, content or {"effectivity_kind": "NEXT_BUILD", "effectivity_value": ""})
        change_control.take_up(act, change)
        number = change.number
    story.settle()
    return Change(story, number)


def emergency(story: Story) -> Change:
    """Return EC-17: WO-7003, serials 0005 to 0009, declared on Friday night."""
    story.clock.set(FRIDAY_NIGHT)
    with story.installation.acting(ella.principal) as act:
        revision = make_revision(act, make_part(act, "P-7003"), "B")
        make_work_order(act, revision, number="WO-7003", quantity=D(10), status="IN_PROCESS", operations=(DEBURR,))
        change = change_control.declare_emergency(
            act, title="Deburr by hand", reason="The robot is down",
            bounds=[{"kind": "WORK_ORDER", "first": "WO-7003"},
                    {"kind": "SERIAL", "first": "0005", "last": "0009", "max_quantity": 5}],
        )  # fmt: skip
        change_orders.add_item(act, change, revision, action=ItemAction.DOC_ONLY)
        change_control.take_up(act, change)
        number = change.number
    story.settle()
    return Change(story, number)


def work_order(session: Any, number: str) -> WorkOrder:
    found: WorkOrder = session.query(WorkOrder).filter(WorkOrder.number == number).one()
    return found


def test_a_change_goes_from_its_impact_to_closed(story: Story) -> None:
    change = begun(story)
    assert (change.status, story.steps) == ("IMPACT", ["write_change"])
    change.write().dispose()
    assert (change.status, story.steps) == ("REVIEW", ["vote_on_change"] * 4)
    change.vote()
    assert change.status == "IMPLEMENTING"
    change.do_tasks().amend()
    assert (change.status, story.steps) == ("VERIFYING", ["verify_change"])
    assert set(change.tasks_done()[:-1]) == {
        "UPDATE_BOM DONE",
        "NOTIFY_SUPPLIER DONE",
        "AMEND_PO DONE",
        "CHANGE_WO DONE",
    }
    change.verify().close()
    assert (change.status, story.ended_at, story.incidents) == ("CLOSED", "change_closed", [])


def test_a_request_is_triaged_with_what_says_something_alike_and_becomes_an_order(story: Story) -> None:
    given = {"asked": {"title": "Wider slot", "problem": "It binds", "source": "NCR", "source_ref": "NCR-88"}}
    with story.installation.acting("system:quality") as act:
        open_request(act, title="Wider slot", problem="As well")
        story.instance_id = (
            publish(act, "change.requested", correlation_key="NCR-88", variables=given).instance_id or ""
        )
    story.settle()
    shown = story.variables_of_task("triage_request")["request"]
    assert len(shown["twins"]) == 1
    story.as_("pat").decide("triage_request", "accept", reason="Yes", change_class="C3", duplicate_of=None)
    order = story.read(lambda session: session.query(ChangeOrder).one())
    assert (order.change_class.value, order.title, story.steps) == ("C3", "Wider slot", ["write_change"])


def test_a_duplicate_ends_and_names_its_twin(story: Story) -> None:
    with story.installation.acting("user:otto") as act:
        twin = open_request(act, title="Wider slot", problem="As well").id
        asked = open_request(act, title="Wider slot", problem="Again")
        story.instance_id = change_control.begin(act, asked).instance_id or ""
    story.settle()
    story.as_("pat").decide("triage_request", "duplicate", reason="The same", change_class=None, duplicate_of=twin)
    found = story.read(lambda session: session.get_one(ChangeRequest, asked.id))
    assert (found.status.value, found.duplicate_of_id, story.ended_at) == ("DUPLICATE", twin, "request_ended")


def test_d20_one_rejection_rejects_and_a_new_version_asks_everybody_again(story: Story) -> None:
    change = begun(story)
    change.write().dispose().vote(QA_ENG="reject")
    assert (change.status, story.steps) == ("REJECTED", ["answer_rejection"])
    story.as_("pat").decide("answer_rejection", "resubmit", reason="Later")
    with story.installation.acting("user:pat") as act:
        order = act.session.get_one(ChangeOrder, change.order.id)
        change_orders.write(act, order, {"effectivity_kind": "SERIAL", "effectivity_value": "0100"})
    change.write().vote()
    assert (change.status, change.order.round) == ("IMPLEMENTING", 2)
    words = [signature.status.value for signature in story.signatures if signature.record_id == change.order.id]
    assert sorted(set(words)) == ["SUPERSEDED", "VALID"]


def test_a_revision_that_moved_is_a_conflict_and_a_rebase_asks_again(story: Story) -> None:
    change = begun(story)
    change.write().dispose()

    change.vote_but_last()
    drift(story, change)
    change.vote()
    assert (change.status, story.steps) == ("CONFLICT", ["resolve_conflict"])
    story.as_("pat").decide("resolve_conflict", "rebase", reason="On what is there now", merge_into="")
    assert (change.status, story.steps) == ("REVIEW", ["vote_on_change"] * 4)
    change.vote()
    assert change.status == "IMPLEMENTING"


def drift(story: Story, change: Change) -> None:
    story.given(
        lambda act: make_routing(
            act,
            act.session.get_one(ChangeOrder, change.order.id).affected[0].part_revision_from,
            ({"op_no": 90, "description": "Wash"},),
        )
    )


def test_an_order_that_falls_into_the_frozen_set_opens_the_impact_again(story: Story) -> None:
    change = begun(story)
    change.write().dispose().vote_but_last()

    def one_more(act: Act) -> None:
        order = act.session.get_one(ChangeOrder, change.order.id)
        make_work_order(act, order.affected[0].part_revision_from, number="WO-7009", quantity=D(5))

    story.given(one_more)
    change.vote()
    assert (change.status, set(story.steps)) == ("IMPACT", {"dispose_orders"})
    problems = story.variables_of_task("dispose_orders")["owner"]["problems"]
    assert any("WO-7009" in problem["sentence"] for problem in problems)


def test_an_effectivity_with_open_tasks_is_overdue_until_the_board_moves_it(story: Story) -> None:
    change = begun(story, effectivity_kind="DATE", effectivity_value="2026-12-30")
    change.write().dispose().vote()
    assert change.status == "IMPLEMENTING"
    story.at(dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC))
    assert change.status == "OVERDUE_HOLD"
    assert "move_effectivity" in story.steps
    story.as_("pat").complete(
        "move_effectivity", effectivity_value=dt.date(2027, 2, 1), effectivity_reason="The supplier is late"
    )
    change.sign("ella", "quinn", "olga", "max")
    assert (change.status, change.order.effectivity_value) == ("IMPLEMENTING", "2027-02-01")


def test_a_withdrawal_undoes_what_was_done_the_last_first(story: Story) -> None:
    change = begun(story, effectivity_kind="DATE", effectivity_value="2026-12-30")
    change.write().dispose().vote().do_tasks()
    with story.installation.acting("user:pat") as act:
        change_control.withdraw(act, act.session.get_one(ChangeOrder, change.order.id), reason="The customer cancelled")
    story.settle()
    change.undo()
    assert story.steps == ["decide_slot"], story.sentence
    change.sign("ella", "quinn")
    assert (change.status, story.ended_at) == ("WITHDRAWN", "change_ended")
    after = story.read(
        lambda session: session.get_one(ChangeOrder, change.order.id).affected[0].part_revision_to.status
    )
    assert after is RevisionStatus.OBSOLETE


def test_a_withdrawal_before_the_board_undoes_nothing(story: Story) -> None:
    change = begun(story)
    change.write()
    with story.installation.acting("user:pat") as act:
        change_control.withdraw(act, act.session.get_one(ChangeOrder, change.order.id), reason="Not needed")
    story.settle()
    assert (change.status, story.ended_at, story.steps) == ("WITHDRAWN", "change_ended", [])


def test_what_is_effective_is_not_withdrawn(story: Story) -> None:
    change = begun(story)
    change.write().dispose().vote().do_tasks().amend()
    with (
        story.installation.acting("user:pat") as act,
        pytest.raises(Conflict, match="Raise a new change"),
        act.attempt(),
    ):
        change_control.withdraw(act, act.session.get_one(ChangeOrder, change.order.id), reason="Too late")


def test_d18_two_different_people_sign_an_emergency_and_it_reaches_no_further(story: Story) -> None:
    change = emergency(story)
    change.sign("ella")
    story.given(lambda act: make_grant(act, "ella", "QA_ENG"))
    with pytest.raises(RuleViolation) as refused:
        story.as_("ella").decide("decide_slot", "approve")
    assert (refused.value.http_status, refused.value.findings[0].rule) == (403, "SOD-8")
    change.sign("quinn")
    assert change.status == "EMERGENCY_ACTIVE"
    with story.installation.reading() as session:
        order = work_order(session, "WO-7003")
        refuse_out_of_bounds(session, order, ["0005", "0009"])
        with pytest.raises(RuleViolation, match="0010 is outside"):
            refuse_out_of_bounds(session, order, ["0009", "0010"])
        with pytest.raises(RuleViolation, match="approved before anything of WO-7003 leaves"):
            refuse_unapproved_shipment(session, order, ["0006"])


def test_d18_an_emergency_that_is_not_approved_in_72_hours_is_held(story: Story) -> None:
    change = emergency(story).sign("ella", "quinn")
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=72))
    assert (change.status, story.steps) == ("OVERDUE_HOLD", ["resume_emergency"])
    held = story.read(lambda session: work_order(session, "WO-7003"))
    assert held.status is WorkOrderStatus.ON_HOLD
    with story.installation.reading() as session, pytest.raises(RuleViolation, match="OVERDUE_HOLD"):
        refuse_unapproved_shipment(session, work_order(session, "WO-7003"))


@pytest.mark.parametrize("reached", ["IMPACT", "REVIEW"])
def test_an_emergency_whose_hours_end_on_its_way_to_the_board_is_held_too(story: Story, reached: str) -> None:
    change = emergency(story).sign("ella", "quinn").write()
    if reached == "REVIEW":
        settled = {"fai": "NONE", "effectivity_kind": "NEXT_BUILD", "effectivity_value": ""}
        story.given(lambda act: change_orders.write(act, act.session.get_one(ChangeOrder, change.order.id), settled))
        change.dispose({"WO-7003": Disposition.FINISH_AS_OLD})
    assert change.status == reached
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=72))
    assert (change.status, story.steps, story.incidents) == ("OVERDUE_HOLD", ["resume_emergency"], [])
    assert story.read(lambda session: work_order(session, "WO-7003")).status is WorkOrderStatus.ON_HOLD


def test_an_emergency_that_is_refused_is_contained(story: Story) -> None:
    change = emergency(story).sign("ella", "quinn")
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=73))
    story.as_("olga").decide("resume_emergency", "contain", reason="Nobody can show that it holds")
    story.as_(quinn).decide("assess_recall", "no_recall", conclusion="Nothing left the house")
    assert (change.status, story.ended_at) == ("WITHDRAWN", "change_ended")


def test_d18_the_floor_cannot_book_a_serial_beyond_the_authority(story: Story) -> None:
    emergency(story).sign("ella", "quinn")
    measured = {"name": "Burr", "value": D("0.1"), "unit": "mm"}
    event: dict[str, Any] = {"system": "LOCKSTEP", "kind": "PROCESS", "work_order": "WO-7003", "op_no": 10, **measured}
    with story.installation.acting("user:rita") as act:
        assert post_event(act, Event(event_id="e-1", serials="0009", **event)).answer == "recorded"
        with pytest.raises(RuleViolation, match="0010 is outside"), act.attempt():
            post_event(act, Event(event_id="e-2", serials="0010", **event))


def test_a_request_that_is_triaged_on_its_page_takes_its_task_away(story: Story) -> None:
    with story.installation.acting("user:otto") as act:
        asked = open_request(act, title="Wider slot", problem="It binds")
        submit(act, asked)
        story.instance_id = change_control.begin(act, asked).instance_id or ""
    story.settle()
    assert story.steps == ["triage_request"]
    with story.installation.acting("user:pat") as act:
        found = act.session.get_one(ChangeRequest, asked.id)
        triage(act, found, RequestStatus.ACCEPTED)
        change_control.decided_elsewhere(act, found)
    story.settle()
    assert (story.steps, story.ended_at) == ([], "request_ended")
