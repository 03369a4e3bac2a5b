"""Boards are kept on their pages, each step signed, and the configuration's history tells of it."""

from __future__ import annotations

from tests.boards import seated
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
    shown = browser.get(page).text
    end = shown.split('aria-label="End the place')[0].rsplit('href="', 1)[1].split('"')[0]
    assert browser.post(end, SIGNED).status_code == 422
    assert browser.post(end, SIGNED | {"reason": "Moved"}).status_code == 303
    browser.get("/configuration-history?kind=Boards")
    assert "More of us" in browser.text
    assert "Moved" in browser.text


def test_only_its_keeper_changes_a_board(browse: People, story: Story) -> None:
    page = f"/boards/{story.given(lambda act: (make_cast(act), seated(act))[1].id)}"
    for person, path in ((otto, "/boards/new"), (ella, f"{page}/settings"), (ella, f"{page}/members/new")):
        assert browse(person).get(path).status_code == 403
    assert browse(otto).get(f"{page}/members/nobody/end").status_code == 404
    assert browse(otto).get(page).status_code == 200
