"""How an approved change is carried out: tasks, refusals, effectivity, read-back, verification (domain.md 3C C12-C18)."""

from __future__ import annotations

import datetime as dt

import pytest

from engine.errors import Conflict
from records.meeting import ItemStatus
from records.vote import Outcome
from tests.boards import agenda, convened, seated, vote_there
from tests.change_story import dated, the_change
from tests.story import Story


@dated
def test_an_effectivity_with_open_tasks_is_overdue_until_the_board_moves_it(story: Story) -> None:
    change = the_change(story)
    assert change.status == "IMPLEMENTING"
    story.at(dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC))
    assert change.status == "OVERDUE_HOLD"
    assert "move_effectivity" in story.steps
    story.as_("pat").complete(
        "move_effectivity", effectivity_value=dt.date(2027, 2, 1), effectivity_reason="The supplier is late"
    )
    change.sign("ella")
    story.given(seated)
    meeting_id = convened(story, "ella", "quinn", "max")
    (number,) = agenda(story, meeting_id)
    with pytest.raises(Conflict, match="your turn"):
        vote_there(story, "max", meeting_id, number)
    vote_there(story, "quinn", meeting_id, number)
    change.sign("olga")
    vote_there(story, "max", meeting_id, number)
    assert agenda(story, meeting_id) == {number: (ItemStatus.DECIDED, Outcome.APPROVE)}
    assert (change.status, change.order.effectivity_value, story.incidents) == ("IMPLEMENTING", "2027-02-01", [])
