"""Boards and meetings over REST: kept by their keeper, held by their chair, and read by whoever may read changes."""

from __future__ import annotations

from engine.act import Act
from processes import meetings
from records.change_request import OrderClass
from tests.boards import in_review, seated
from tests.makers import make_cast
from tests.people import PASSWORD, ella, lena, olga, quinn
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


SIGNED = {"signature": {"meaning": "APPROVED", "password": PASSWORD, "accepts_responsibility": True}}


def test_a_board_is_kept_and_its_meeting_held_over_rest(story: Story, calling: Calling) -> None:
    story.given(make_cast)
    keeper = calling(quinn)
    given = {"code": "CCB", "name": "Change board", "chair_id": "olga", "classes": ["C3", "C4"]}
    problem(calling(ella).post("/boards", given), 422, "INVALID")
    board = keeper.post("/boards", given | SIGNED).json
    path = f"/boards/{board['id']}"
    problem(
        keeper.patch(path, SIGNED | {"quorum_percent": 10, "reason": "Few"}, headers={"If-Match": '"0"'}),
        412,
        "STALE_VERSION",
    )
    tag = {"If-Match": keeper.get(path).headers["ETag"]}
    assert (
        keeper.patch(path, SIGNED | {"quorum_percent": 10, "reason": "Few"}, headers=tag).json["quorum_percent"] == 10
    )
    for user, function, role in (
        ("ella", "ENGINEERING", "ENG_AUTH"),
        ("max", "ENGINEERING", "PUR_MGR"),
        ("olga", "MAKING", "OPS_DIR"),
    ):
        member = {"user": user, "function": function, "role": role}
        assert keeper.post(f"{path}/members", SIGNED | member).status_code == 201
    rule = {"function": "ENGINEERING", "role": "ENG_AUTH", "rule": "N_OF", "needed": 3, "reason": "One is enough"}
    assert problem(keeper.post(f"{path}/rules", SIGNED | rule), 422, "INVALID")["fields"].keys() == {"needed"}
    problem(calling(ella).post(f"{path}/rules", SIGNED | rule | {"needed": 1}), 403, "NOT_AUTHORISED")
    making = {"function": "MAKING", "role": "OPS_DIR", "rule": "ALL", "classes": ["C3"], "reason": "We make it"}
    for said in (rule | {"needed": 1}, making):
        kept = keeper.post(f"{path}/rules", SIGNED | said)
        assert kept.status_code == 201, kept.text
    problem(keeper.post(f"{path}/rules", SIGNED | making), 422, "INVALID")
    order_id, content_hash = story.given(asked_of)
    chair = calling(olga)
    meeting = chair.post(f"{path}/meetings", {"starts_at": "2026-11-23T10:00", "place": "Room 2"}).json
    at = f"/meetings/{meeting['id']}"
    assert meeting["items"][0]["tally"] == "Engineering 0/1, Quality 0/1, Making 0/1, board 0 of 3"
    problem(calling(ella).post(f"{at}/open", {}), 403, "NOT_AUTHORISED")
    assert chair.post(f"{at}/open", {}).json["status"] == "OPEN"
    problem(chair.post(f"{at}/sing", {}), 404, "NOT_FOUND")
    problem(chair.post(f"{at}/cancel", {"reason": "Late"}), 409, "ILLEGAL_TRANSITION")
    member = calling(ella)
    for step in ("join", "leave", "join"):
        assert member.post(f"{at}/{step}", {}).status_code == 200
    vote = SIGNED | {"content_hash": content_hash, "verdict": "approve"}
    assert member.post(f"{at}/items/1/vote", vote).json["tally"].startswith("Engineering 1/1")
    assert chair.post(f"{at}/items/1/conflict", {"reason": "My shares"}).status_code == 200
    assert chair.post(f"{at}/items/1/off", {}).json["items"] == []
    assert chair.post(f"{at}/items", {"target_id": order_id}).json["items"][0]["status"] == "OPEN"
    assert chair.post(f"{at}/close", {}).json["status"] == "CLOSED"
    (said,) = member.get(f"{at}/minutes").json["minutes"]["items"]
    assert [one["function"] for one in said["votes"]] == ["ENGINEERING"]
    other = chair.post(f"{path}/meetings", {"starts_at": "2026-12-01T10:00:00+01:00"}).json
    assert chair.post(f"/meetings/{other['id']}/cancel", {"reason": "Nobody can"}).json["status"] == "CANCELLED"
    place, kept = (keeper.get(path).json[key][0]["id"] for key in ("members", "rules"))
    assert keeper.post(f"{path}/rules/{kept}/end", SIGNED | {"reason": "Back"}).status_code == 200
    assert keeper.post(f"{path}/members/{place}/end", SIGNED | {"reason": "Moved"}).status_code == 200
    problem(keeper.post(f"{path}/members/{place}/end", SIGNED | {"reason": "Again"}), 409, "STALE_VERSION")


def asked_of(act: Act) -> tuple[str, str]:
    order = in_review(act, OrderClass.C3, cost="0")
    return order.id, order.content_hash or ""
