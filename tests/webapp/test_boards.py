"""Boards are kept on their pages, each step signed, and the configuration's history tells of it."""

from __future__ import annotations

from engine.act import Act
from processes import change_orders
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.signing import supersede
from tests.boards import cast, in_review, seated, submitted
from tests.makers import make_cast
from tests.people import PASSWORD, ella, otto, quinn
from tests.story import Story
from tests.webapp.conftest import People

SIGNED = {"meaning": "APPROVED", "user_id": "quinn", "password": PASSWORD, "accepts_responsibility": "true"}


def test_a_board_is_set_up_changed_and_left_on_its_pages(browse: People, story: Story) -> None:
    story.given(make_cast)
    browser = browse(quinn)
    sent = {
        "code": "MRB",
        "name": "Material review",
        "chair_id": "olga",
        "keeper_role": "QA_ENG",
        "quorum_percent": "60",
        "classes": "C3",
    }
    assert browser.post("/boards/new", sent | SIGNED | {"quorum_percent": "0"}).status_code == 422
    assert browser.field("name") == "Material review"
    page = browser.post("/boards/new", sent | SIGNED).headers["Location"]
    browser.get(f"{page}/settings")
    seen = browser.field("seen_version")
    changed = sent | SIGNED | {"quorum_percent": "75", "is_active": "true", "seen_version": seen}
    assert "is required" in browser.post(f"{page}/settings", changed).text
    assert browser.post(f"{page}/settings", changed | {"reason": "More of us"}).status_code == 303
    assert browser.post(f"{page}/settings", changed | {"reason": "Again", "quorum_percent": "80"}).status_code == 409
    place = {
        "user": "ella",
        "deputy": "",
        "function": "engineering",
        "role": "ENG_AUTH",
        "weight": "2",
        "has_veto": "true",
    }
    assert browser.post(f"{page}/members/new", place | SIGNED | {"weight": "x"}).status_code == 422
    assert browser.post(f"{page}/members/new", place | SIGNED | {"password": "wrong"}).status_code == 403
    assert browser.post(f"{page}/members/new", place | SIGNED).status_code == 303
    rule = {"function": "engineering", "role": "ENG_AUTH", "rule": "WEIGHT", "needed": "3"}
    assert "Expected at most 2" in browser.post(f"{page}/rules/new", rule | SIGNED | {"reason": "Weighed"}).text
    assert browser.post(f"{page}/rules/new", rule | SIGNED | {"needed": "2", "reason": "Weighed"}).status_code == 303
    shown = browser.get(page).text
    assert "weight 2" in shown
    assert "Weighed" in shown
    ends = shown.split("aria-label=\"End the board's rule")[0].rsplit('href="', 1)[1].split('"')[0]
    assert browser.post(ends, SIGNED).status_code == 422
    assert browser.post(ends, SIGNED | {"reason": "Back to the table"}).status_code == 303
    shown = browser.get(page).text
    assert "weight 2" not in shown
    end = shown.split('aria-label="End the place')[0].rsplit('href="', 1)[1].split('"')[0]
    assert browser.post(end, SIGNED).status_code == 422
    assert browser.post(end, SIGNED | {"reason": "Moved"}).status_code == 303
    browser.get("/configuration-history?kind=Boards")
    assert "More of us" in browser.text
    assert "Moved" in browser.text
    assert "Back to the table" in browser.text


def test_only_its_keeper_changes_a_board(browse: People, story: Story) -> None:
    page = f"/boards/{story.given(lambda act: (make_cast(act), seated(act))[1].id)}"
    for person, path in (
        (otto, "/boards/new"),
        (ella, f"{page}/settings"),
        (ella, f"{page}/members/new"),
        (ella, f"{page}/rules/new"),
    ):
        assert browse(person).get(path).status_code == 403
    assert browse(otto).get(f"{page}/members/nobody/end").status_code == 404
    assert browse(otto).get(page).status_code == 200


def test_the_page_of_a_change_shows_both_rounds_of_its_board_and_takes_a_conflict(browse: People, story: Story) -> None:
    def refused_once(act: Act) -> str:
        make_cast(act)
        seated(act)
        return in_review(act, OrderClass.C3, cost="0").id

    order_id = story.given(refused_once)
    for person, verdict, said in (("ella", "approve", ""), ("quinn", "reject", "No fatigue test")):
        with story.installation.acting(f"user:{person}") as act:
            cast(act, act.session.get_one(ChangeOrder, order_id), verdict, text=said)

    def again(act: Act) -> None:
        order = act.session.get_one(ChangeOrder, order_id)
        supersede(act, order.record_type, order.id)
        move(act, order, ChangeOrderStatus.REJECTED, reason="quality refused")
        move(act, order, ChangeOrderStatus.IMPACT)
        change_orders.write(act, order, {"effectivity_kind": "DATE", "effectivity_value": "2027-03-01"})
        submitted(act, order, cost="0")

    story.given(again)
    path = f"/changes/{order_id}"
    browser = browse(quinn)
    browser.get(f"{path}?tab=route")
    first, second = browser.text.index("Round 2 of the board"), browser.text.index("Round 1 of the board")
    assert "Engineering 0/1, Quality 0/1, board 0 of 2" in browser.text[first:second]
    for words in ("Engineering 1/1, Quality 0/1, board 1 of 2", "No fatigue test", "superseded since", "Dissent"):
        assert words in browser.text[second:]
    assert browser.post(f"{path}/conflict", {"reason": ""}).status_code == 422
    assert browser.post(f"{path}/conflict", {"reason": "My brother owns the supplier"}).status_code == 303
    assert "My brother owns the supplier" in browse(ella).get(f"{path}?tab=route").text
    assert "Declare a conflict" not in browser.get(f"{path}?tab=route").text
