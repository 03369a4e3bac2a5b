"""A change is withdrawn before it takes effect: what was done is undone, the last first (domain.md 3C C19)."""

from __future__ import annotations

import pytest

from engine.errors import Conflict
from processes import change_control, change_orders
from records.change_order import ChangeOrder
from records.part import RevisionStatus
from tests.amendments import amendments
from tests.change_story import Change, active, approved, dated, on_its_board, the_change, written
from tests.story import Story


@dated
def test_a_withdrawal_undoes_what_was_done_the_last_first(story: Story) -> None:
    change = the_change(story)
    withdraw(story, change)
    change.undo()
    assert set(story.steps) == {"decide_slot"}, story.sentence
    change.sign("ella", "quinn")
    assert (change.status, story.ended_at) == ("WITHDRAWN", "change_ended")
    after = story.read(
        lambda session: session.get_one(ChangeOrder, change.order.id).affected[0].part_revision_to.status
    )
    assert after is RevisionStatus.OBSOLETE


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("IMPACT", marks=written), pytest.param("REVIEW", marks=on_its_board),
        pytest.param("EMERGENCY_ACTIVE", marks=active),
    ],
)  # fmt: skip
def test_a_withdrawal_before_anything_is_done_undoes_nothing(story: Story, stage: str) -> None:
    change = the_change(story)
    assert change.status == stage
    withdraw(story, change)
    assert (change.status, story.ended_at, story.steps, story.incidents) == ("WITHDRAWN", "change_ended", [], [])
    assert all(one.status.value == "SUPERSEDED" for one in story.signatures if one.record_id == change.order.id)


@dated
def test_amendments_that_suppliers_agreed_to_are_undone_by_further_ones_before_the_change_is_withdrawn(
    story: Story,
) -> None:
    change = the_change(story).amend()
    standing = story.read(
        lambda session: change_orders.standing_amendments(session, session.get_one(ChangeOrder, change.order.id))
    )
    assert [one.number for one in standing] == ["PO-5010/A1", "PO-5011/A1"]
    withdraw(story, change)
    change.undo()
    assert (change.status, story.steps) == ("IMPLEMENTING", []), "Its suppliers have not agreed yet"
    for _ in range(2):
        change.amend().undo()
    change.sign("ella", "quinn")
    assert (change.status, story.ended_at, story.incidents) == ("WITHDRAWN", "change_ended", [])
    assert sorted(one.number for one in amendments(story) if one.reverts_id) == ["PO-5010/A2", "PO-5011/A2"]
    assert {one.status.value for one in amendments(story)} == {"APPLIED"}


@dated
def test_an_amendment_that_a_supplier_still_has_is_answered_before_it_is_undone(story: Story) -> None:
    change = the_change(story).amend(answered=False)
    withdraw(story, change)
    change.undo()
    assert {one.status.value for one in amendments(story)} == {"SENT"}
    change.amend(refuses="Not with us").undo().amend().undo()
    change.sign("ella", "quinn")
    assert (change.status, story.ended_at, story.incidents) == ("WITHDRAWN", "change_ended", [])


def withdraw(story: Story, change: Change) -> None:
    """Let pat withdraw it."""
    with story.installation.acting("user:pat") as act:
        change_control.take_back(
            act, act.session.get_one(ChangeOrder, change.order.id), reason="The customer cancelled"
        )
    story.settle()


@approved
def test_what_is_effective_is_not_withdrawn(story: Story) -> None:
    change = the_change(story).do_tasks().amend()
    with (
        story.installation.acting("user:pat") as act,
        pytest.raises(Conflict, match="Raise a new change"),
        act.attempt(),
    ):
        change_control.withdraw(act, act.session.get_one(ChangeOrder, change.order.id), reason="Too late")
