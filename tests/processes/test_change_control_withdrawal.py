"""A change is withdrawn before it takes effect: what was done is undone, the last first (domain.md 3C C19)."""

from __future__ import annotations

import pytest

from engine.errors import Conflict
from processes import change_control
from records.change_order import ChangeOrder
from records.part import RevisionStatus
from tests.change_story import approved, dated, the_change, written
from tests.story import Story


@dated
def test_a_withdrawal_undoes_what_was_done_the_last_first(story: Story) -> None:
    change = the_change(story)
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


@written
def test_a_withdrawal_before_the_board_undoes_nothing(story: Story) -> None:
    change = the_change(story)
    with story.installation.acting("user:pat") as act:
        change_control.withdraw(act, act.session.get_one(ChangeOrder, change.order.id), reason="Not needed")
    story.settle()
    assert (change.status, story.ended_at, story.steps) == ("WITHDRAWN", "change_ended", [])


@approved
def test_what_is_effective_is_not_withdrawn(story: Story) -> None:
    change = the_change(story).do_tasks().amend()
    with (
        story.installation.acting("user:pat") as act,
        pytest.raises(Conflict, match="Raise a new change"),
        act.attempt(),
    ):
        change_control.withdraw(act, act.session.get_one(ChangeOrder, change.order.id), reason="Too late")
