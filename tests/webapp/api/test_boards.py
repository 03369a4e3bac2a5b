"""Boards and meetings are read over REST: who sits there, what waits, how each item stands."""

from __future__ import annotations

from engine.act import Act
from processes import meetings
from records.change_request import OrderClass
from tests.boards import in_review, seated
from tests.makers import make_cast
from tests.people import lena
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem


def held(act: Act) -> str:
    make_cast(act)
    board = seated(act)
    in_review(act, OrderClass.C3, cost="0")
    return meetings.plan_meeting(act, board, starts_at=act.now, place="Room 2").id


def test_a_program_reads_boards_and_the_agenda_of_a_meeting(story: Story, calling: Calling) -> None:
    meeting_id = story.given(held)
    client = calling(lena)
    (board,) = client.get("/boards").json["items"]
    assert (board["code"], board["waiting"], board["meetings"]) == ("CCB", ["CO-000001"], [meeting_id])
    assert {one["function"] for one in client.get(f"/boards/{board['id']}").json["members"]} >= {"QUALITY", "FINANCE"}
    meeting = client.get(f"/meetings/{meeting_id}").json
    (item,) = meeting["items"]
    assert (meeting["status"], item["tally"]) == ("PLANNED", "Engineering 0/1, Quality 0/1, board 0 of 2")
    assert (item["present"], item["needed"]) == (0, 3)
    assert problem(client.get("/meetings/nowhere"), 404, "NOT_FOUND")
