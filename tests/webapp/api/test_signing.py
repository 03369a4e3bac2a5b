"""One body signs everything over REST: with both components, on the content that was read, each seat by somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from engine.act import Act
from processes import meetings, waiving
from processes.outside_links import link
from processes.work_order_quantity import propose_quantity
from records.change_order import ChangeOrder
from records.change_request import OrderClass
from records.meeting import Meeting
from records.signing import signatures_on
from records.vote import votes_on
from tests import makers
from tests.boards import in_review, seated
from tests.makers import D
from tests.outside import OutsideStory, make_outside_order
from tests.people import PASSWORD, bea, ella, fred, lena, max_, olga, otto, quinn, rita
from tests.processes.test_outside_losses import lose, losses, ready_here
from tests.story import Story
from tests.webapp.api.conftest import Calling, Client, problem

OTHER = "0" * 64


def signed(content_hash: str, meaning: str = "APPROVED", **fields: Any) -> dict[str, Any]:
    signature = {"meaning": meaning, "password": PASSWORD, "accepts_responsibility": True}
    return {"content_hash": content_hash, "signature": signature | fields.pop("signature", {})} | fields


def refuses_what_is_wrong(client: Client, path: str, body: dict[str, Any]) -> None:
    """Try another content and a wrong password; neither signs anything."""
    assert client.post(path, body | {"content_hash": OTHER}).status_code in (409, 422)
    wrong = body | {"signature": body["signature"] | {"password": "guess"}}
    problem(client.post(path, wrong), 403, "WRONG_PASSWORD")
    problem(client.post(path, {"content_hash": body["content_hash"]}), 422, "INVALID")


def test_both_sides_sign_another_quantity(calling: Calling, story: Story) -> None:
    def arrange(act: Act) -> tuple[str, str]:
        order = makers.make_work_order(act, quantity=D(40), number="WO-7001")
        link(act, order.operations[2], make_outside_order(act, order, quantity=40), quantity=D(40))
        return order.id, propose_quantity(act, order, D(44), reason="The customer wants them").id

    with story.as_(rita).acting() as act:
        order_id, change_id = arrange(act)
    planner, buyer = calling(rita), calling(bea)
    [change] = planner.get(f"/work-orders/{order_id}/changes").json["items"]
    path, digest = f"/work-order-changes/{change_id}/signature", change["content_hash"]
    refuses_what_is_wrong(planner, path, signed(digest, "AUTHORED"))
    problem(calling(otto).post(path, signed(digest)), 403, "NOT_AUTHORISED")
    assert planner.post(path, signed(digest, "AUTHORED")).json["waits_for"] == ["BUYER"]
    problem(planner.post(path, signed(digest, "AUTHORED")), 403, "NOT_AUTHORISED")
    done = buyer.post(path, signed(digest, "REVIEWED")).json
    assert (done["status"], done["waits_for"]) == ("APPLIED", [])
    assert planner.get(f"/work-orders/{order_id}").json["quantity"] == "44.000000"


def test_both_sides_sign_what_follows_a_loss(calling: Calling, story: Story) -> None:
    outside = OutsideStory(story.installation, story.clock)
    ready_here(outside).ship(24).take_back(22)
    lose(outside, 2, "REDUCE")
    [loss] = losses(outside)
    path, planner, buyer = f"/outside-losses/{loss.id}", calling(rita), calling(bea)
    shown = planner.get(path).json
    assert (shown["status"], shown["waits_for"]) == ("DECLARED", ["PLANNER", "BUYER"])
    refuses_what_is_wrong(planner, f"{path}/signature", signed(shown["content_hash"], "AUTHORED"))
    problem(calling(otto).post(f"{path}/signature", signed(shown["content_hash"], "AUTHORED")), 403, "NOT_AUTHORISED")
    planner.post(f"{path}/signature", signed(shown["content_hash"], "AUTHORED", reason="Fewer will do"))
    done = buyer.post(f"{path}/signature", signed(shown["content_hash"], "REVIEWED"))
    assert (done.status_code, done.json["status"], done.json["waits_for"]) == (200, "SETTLED", [])
    assert [one.printed_name for one in story.read(lambda session: signatures_on(session, "outside_loss", loss.id))] == [
        rita.name, bea.name,
    ]  # fmt: skip


def test_quality_permits_a_deviation(calling: Calling, story: Story) -> None:
    story.given(lambda act: makers.make_revision(act, makers.make_part(act, "P-700"), "A"))
    given = {
        "title": "Bore 0.02 mm wide", "part_revision": "P-700/A", "quantity": "4", "expires_on": "2026-12-31",
        "signature": signed("")["signature"],
    }  # fmt: skip
    quality = calling(quinn)
    problem(calling(rita).post("/deviations", given), 403, "NOT_AUTHORISED")
    problem(quality.post("/deviations", given | {"expires_on": "2026-11-01"}), 422, "INVALID")
    problem(quality.post("/deviations", given | {"part_revision": "P-700/Z"}), 422, "INVALID")
    wrong = given | {"signature": given["signature"] | {"password": "guess"}}
    problem(quality.post("/deviations", wrong), 403, "WRONG_PASSWORD")
    assert quality.get("/deviations").json["items"] == []
    made = quality.post("/deviations", given)
    assert (made.status_code, made.json["status"], made.json["part_revision"]) == (201, "APPROVED", "P-700/A")
    assert story.read(lambda session: len(signatures_on(session, "deviation_authority", made.json["id"]))) == 1


def test_a_firm_work_order_is_signed_by_the_roles_that_its_release_needs(calling: Calling, story: Story) -> None:
    def arrange(act: Act) -> str:
        order = makers.make_work_order(act, number="WO-7002", status="FIRM")
        order.approved_hash = "ab" * 32
        act.session.add(makers.make_slot(act, order, role="QA_ENG", record_hash=order.approved_hash))
        return order.id

    order_id = story.given(arrange)
    path, quality = f"/work-orders/{order_id}/signature", calling(quinn)
    refuses_what_is_wrong(quality, path, signed("ab" * 32))
    problem(calling(rita).post(path, signed("ab" * 32)), 403, "NOT_AUTHORISED")
    assert quality.post(path, signed("ab" * 32)).status_code == 200
    problem(quality.post(path, signed("ab" * 32)), 403, "NOT_AUTHORISED")


def reviewed(act: Act) -> tuple[str, str]:
    """Have a board with a change order of class C3 before it, and an open meeting about it that everybody joined."""
    makers.make_cast(act)
    board, order = seated(act), in_review(act, OrderClass.C3, cost="0")
    return order.id, meetings.plan_meeting(act, board, starts_at=act.now, place="Room 2").id


def test_members_vote_from_their_own_seats_and_the_board_decides(calling: Calling, story: Story) -> None:
    order_id, _ = story.given(reviewed)
    digest = story.read(lambda session: session.get_one(ChangeOrder, order_id).content_hash)
    path, quality = f"/change-orders/{order_id}/vote", calling(quinn)
    refuses_what_is_wrong(quality, path, signed(digest, "APPROVED", verdict="approve"))
    meaning = "APPROVED"
    problem(quality.post(path, signed(digest, "REJECTED", verdict="reject")), 422, "INVALID")
    problem(calling(bea).post(path, signed(digest, meaning, verdict="approve")), 403, "NOT_AUTHORISED")
    cast = quality.post(path, signed(digest, meaning, verdict="approve", reason="Fine"))
    assert (cast.status_code, cast.json["function"], cast.json["outcome"]) == (200, "QUALITY", None)
    problem(quality.post(path, signed(digest, meaning, verdict="approve")), 409, "ALREADY_VOTED")
    last = calling(ella).post(path, signed(digest, meaning, verdict="approve_with_condition", condition="Train first"))
    assert (last.json["outcome"], last.json["condition"], last.json["target"]) == (
        "APPROVE",
        "Train first",
        "CO-000001",
    )
    problem(calling(fred).post(path, signed(digest, meaning, verdict="approve")), 409, "DECIDED")
    assert len(story.read(lambda session: votes_on(session, order_id))) == 2


def test_a_meeting_votes_and_its_chair_signs_the_minutes(calling: Calling, story: Story) -> None:
    order_id, meeting_id = story.given(reviewed)
    digest = story.read(lambda session: session.get_one(ChangeOrder, order_id).content_hash)

    def within(member: Any, step: Any) -> None:
        with story.as_(member).acting() as act:
            step(act, act.session.get_one(Meeting, meeting_id))

    path = f"/meetings/{meeting_id}/items/1/vote"
    problem(calling(quinn).post(path, signed(digest, verdict="approve")), 409, "NOT_UP")
    within(olga, meetings.open_meeting)
    problem(calling(quinn).post(path, signed(digest, verdict="approve")), 409, "NOT_PRESENT")
    for member in (quinn, ella, max_):
        within(member, meetings.attend)
    problem(
        calling(quinn).post(f"/meetings/{meeting_id}/items/7/vote", signed(digest, verdict="approve")), 404, "NOT_FOUND"
    )
    calling(quinn).post(path, signed(digest, verdict="approve"))
    assert calling(ella).post(path, signed(digest, verdict="approve")).json["outcome"] == "APPROVE"
    within(olga, meetings.close_meeting)
    chair, minutes = calling(olga), f"/meetings/{meeting_id}/minutes/signature"
    written = chair.get(f"/meetings/{meeting_id}").json["minutes_hash"]
    refuses_what_is_wrong(chair, minutes, signed(written))
    problem(calling(quinn).post(minutes, signed(written)), 403, "NOT_AUTHORISED")
    assert chair.post(minutes, signed(written)).json["status"] == "SIGNED"


@pytest.mark.part11("11.200(a)(1)", "11.200(a)(2)")
def test_a_waiver_is_signed_by_two_people_each_with_their_own_name_and_password(calling: Calling, story: Story) -> None:
    order_id = story.given(lambda act: makers.make_order(act).id)
    with story.as_(lena).acting() as act:
        wanted = {"rule": "SOD-2", "record_type": "purchase_order", "record_id": order_id, "expires_on": "2026-12-15"}
        made = waiving.propose(act, wanted | {"reason": "Its only buyer is alone this week"}).id
    path, controller, quality = f"/waivers/{made}", calling(fred), calling(quinn)
    digest = controller.get(path).json["content_hash"]
    refuses_what_is_wrong(controller, f"{path}/signature", signed(digest))
    anothers = signed(digest, signature={"user_id": "quinn"})
    problem(controller.post(f"{path}/signature", anothers), 403, "WRONG_PASSWORD")
    assert controller.post(f"{path}/signature", signed(digest)).status_code == 200
    problem(controller.post(f"{path}/signature", signed(digest)), 403, "SOD_VIOLATION")
    assert quality.post(f"{path}/signature", signed(digest)).json["status"] == "GRANTED"
