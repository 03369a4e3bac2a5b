"""The way of a change: from a request or an order to the verified end (domain.md 3C)."""

from __future__ import annotations

from engine.messages import publish
from processes import change_control
from processes.change_requests import open_request, submit, triage
from processes.change_values import edit_of
from records.change_order import ChangeOrder
from records.change_request import ChangeRequest, OrderClass, RequestStatus
from tests.change_story import begun
from tests.makers import make_part, make_revision
from tests.story import Story


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


def test_triage_shows_which_row_gives_each_value_its_class_and_asks_again_for_a_duplicate_without_its_twin(
    story: Story,
) -> None:
    """C02, 4c."""
    with story.installation.acting("user:otto") as act:
        revision = make_revision(act, make_part(act, "P-900", criticality="KEY"), "B")
        edits = [edit_of(revision, "drawing_rev", "C")]
        asked = open_request(act, title="Wider slot", problem="It binds", edits=edits, proposed_class=OrderClass.C3)
        story.instance_id = change_control.begin(act, asked).instance_id or ""
    story.settle()
    shown = story.variables_of_task("triage_request")["request"]
    assert (shown["proposed_class"], len(shown["class_rows"])) == ("C4", 1)
    assert shown["class_sentence"] == "Proposed: C4, since it sets drawing rev."
    assert shown["class_rows"][0]["sentence"].startswith("P-900/B drawing rev: C4. ")
    story.as_("pat").decide("triage_request", "duplicate", reason="Again", change_class=None, duplicate_of=None)
    assert (story.steps, story.incidents) == (["triage_request"], [])
    shown = story.variables_of_task("triage_request")["request"]
    assert "a duplicate of, but none is chosen. What is missing: no open request says something alike" in shown["unfit"]
    assert shown["typed_reason"] == "Again"
    story.as_("pat").decide("triage_request", "defer", reason="", change_class=None, duplicate_of=None)
    assert story.read(lambda session: session.get_one(ChangeRequest, asked.id).decision_reason) == "Again"
    story.after(days=31)
    story.as_("pat").decide("triage_request", "reject", reason="No", change_class=None, duplicate_of=None)
    assert story.ended_at == "request_ended", story.incidents


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
