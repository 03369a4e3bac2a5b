"""How an approved change is carried out: tasks, refusals, effectivity, read-back, verification (domain.md 3C C12-C18)."""

from __future__ import annotations

import datetime as dt

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
    change.sign("ella", "quinn", "olga", "max")
    assert (change.status, change.order.effectivity_value) == ("IMPLEMENTING", "2027-02-01")
