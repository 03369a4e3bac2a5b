"""An order that falls into the impact while the board sits stops the board: it reads the new set (domain.md 2.24)."""

from __future__ import annotations

from engine.act import Act
from processes import work_order_planning
from records.change_order import ChangeOrder
from records.impact import newest_snapshot, rows_of
from tests.change_story import on_its_board, the_change
from tests.makers import D
from tests.story import Story


@on_its_board
def test_a_new_order_takes_the_change_from_its_board_back_to_its_impact(story: Story) -> None:
    change = the_change(story).vote_but_last()
    assert change.status == "REVIEW"

    def plan(act: Act) -> str:
        revision = act.session.get_one(ChangeOrder, change.order.id).affected[0].part_revision_from
        return work_order_planning.create(act, "PRODUCTION", quantity=D(3), part_revision=revision).number

    number = story.given(plan)
    story.settle()
    assert (change.status, story.tasks("vote_on_change"), story.incidents) == ("IMPACT", [], [])
    assert all(one.status.value == "SUPERSEDED" for one in story.signatures if one.record_id == change.order.id)

    snapshot = story.read(lambda session: newest_snapshot(session, change.order))
    assert snapshot is not None
    assert snapshot.turn == 2
    assert number in story.read(lambda session: [row.native_ref for row in rows_of(session, snapshot)])
    change.assess().dispose().vote()
    assert change.status == "IMPLEMENTING"
