"""Signing in and out, sessions, and what a form survives."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from engine.audit import chain_of
from records.person import User
from tests.clock import SettableClock
from tests.people import PASSWORD, lena, max_, rita
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People


def test_a_page_asks_who_one_is_and_comes_back_to_where_one_wanted_to_go(browse: People):
    browser = browse()
    answer = browser.get("/requisitions?q=REQ")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/sign-in?next=/requisitions?q%3DREQ"
    sent = browser.post(
        "/sign-in", {"sign_in_name": "rita", "sign_in_password": PASSWORD, "next": "/requisitions?q=REQ"}
    )
    assert sent.status_code == 303
    assert sent.headers["Location"] == "/requisitions?q=REQ"


def test_a_sign_in_never_leads_to_another_site(browse: People):
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        sent = browse().post("/sign-in", {"sign_in_name": "rita", "sign_in_password": PASSWORD, "next": elsewhere})
        assert path_of(sent) == "/inbox", elsewhere


def test_three_wrong_passwords_lock_the_account_and_the_page_says_so(browse: People, story: Story):
    browser = browse()
    for _ in range(3):
        answer = browser.post("/sign-in", {"sign_in_name": "rita", "sign_in_password": "guess"})
        assert answer.status_code == 403
        assert "they do not match" in browser.text
    answer = browser.post("/sign-in", {"sign_in_name": "rita", "sign_in_password": PASSWORD})
    assert answer.status_code == 403
    assert "The account is locked" in browser.text
    assert "an administrator can unlock it" in browser.text
    actions = [event.action for event in story.read(lambda session: chain_of(session, "user_account", "rita"))]
    assert "SECURITY_ALERT" in actions


def test_an_unknown_name_is_answered_like_a_wrong_password(browse: People):
    browser = browse()
    browser.post("/sign-in", {"sign_in_name": "nobody", "sign_in_password": "guess"})
    unknown = browser.text.replace("nobody", "")
    browser.post("/sign-in", {"sign_in_name": "max", "sign_in_password": "guess"})
    assert browser.text.replace("max", "") == unknown


def test_a_session_that_somebody_chose_for_another_is_never_theirs(browse: People, app: Flask) -> None:
    """Session fixation: a token planted in a browser opens nothing, also after its owner signed in; theirs is a new one."""
    planted = "A" * 43
    victim = Browser(app)
    victim.client.set_cookie("lockstep_session", planted)
    victim.sign_in(rita)
    cookie = victim.client.get_cookie("lockstep_session")
    assert cookie is not None
    assert (cookie.value != planted, len(cookie.value) >= 43, cookie.http_only) == (True, True, True)
    thief = Browser(app)
    thief.client.set_cookie("lockstep_session", planted)
    assert thief.get("/inbox").status_code == 302
    first = cookie.value
    victim.post("/sign-out")
    victim.sign_in(rita)
    again = victim.client.get_cookie("lockstep_session")
    assert again is not None
    assert again.value != first


def test_signing_out_ends_the_session_also_for_a_kept_cookie(browse: People):
    browser = browse(rita)
    kept = browser.client.get_cookie("lockstep_session")
    assert kept is not None
    assert browser.post("/sign-out").status_code == 303
    browser.client.set_cookie("lockstep_session", kept.value)
    assert browser.get("/inbox").status_code == 302


def test_a_cookie_on_a_second_device_ends_the_session_and_alerts(browse: People, story: Story):
    browser = browse(rita)
    stolen = browser.client.get_cookie("lockstep_session")
    assert stolen is not None
    thief = browse(agent="Curl on a train")
    thief.client.set_cookie("lockstep_session", stolen.value)
    assert thief.get("/inbox").status_code == 302
    assert browser.get("/inbox").status_code == 302
    actions = [event.action for event in story.read(lambda session: chain_of(session, "user_account", "rita"))]
    assert "SECURITY_ALERT" in actions


def test_a_session_that_was_idle_for_too_long_is_over(browse: People, clock: SettableClock):
    browser = browse(rita)
    clock.advance(hours=2, minutes=1)
    assert browser.get("/inbox").status_code == 302


def test_a_form_without_its_proof_is_refused(browse: People):
    browser = browse(rita)
    answer = browser.client.post("/sign-out")
    assert answer.status_code == 403
    assert "This form is not from this visit" in answer.text
    assert browser.get("/inbox").status_code == 200


def test_a_form_sent_from_another_site_is_refused(browse: People):
    browser = browse(rita)
    answer = browser.post("/sign-out", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert browser.get("/inbox").status_code == 200


def test_a_long_reason_survives_a_session_that_expired_while_it_was_typed(
    browse: People, story: Story, clock: SettableClock
):
    """W28."""
    task = story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)]).as_(lena).task("approve_requisition")
    browser, reason = browse(lena), "The second quote is 12 % lower. " * 40
    browser.get(f"/tasks/{task.id}/decide/reject")
    form = {"reason": reason.strip(), "seen_version": "1", "meaning": "REJECTED", "password": "secret-typed"}
    clock.advance(hours=3)
    answer = browser.post(f"/tasks/{task.id}/decide/reject", form)
    assert answer.status_code == 401
    assert "Nothing was sent and nothing is lost" in browser.text
    assert reason.strip() in browser.text
    assert "secret-typed" not in answer.text
    again = {key: value for key, value in form.items() if key != "password"}
    back = browser.post(
        f"/tasks/{task.id}/decide/reject", again | {"sign_in_name": "lena", "sign_in_password": PASSWORD}
    )
    assert "You are signed in again. Nothing was sent yet." in browser.text
    assert back.status_code == 200
    assert browser.field("reason") == reason.strip()
    assert story.task("approve_requisition").id == task.id


def test_a_wrong_password_while_signing_in_again_loses_nothing(browse: People, story: Story, clock: SettableClock):
    task = story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)]).as_(lena).task("approve_requisition")
    browser = browse(lena)
    clock.advance(hours=3)
    form = {"reason": "Too expensive", "sign_in_name": "lena", "sign_in_password": "guess"}
    answer = browser.post(f"/tasks/{task.id}/decide/reject", form)
    assert answer.status_code == 403
    assert browser.field("reason") == "Too expensive"


def test_every_answer_carries_the_headers_that_keep_scripts_out(browse: People):
    answer = browse(rita).get("/inbox")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in policy


def test_an_absence_names_a_deputy_and_can_be_ended(browse: People):
    browser = browse(max_)
    form = {"deputy_id": "lena", "starts_at": "2026-11-23T08:00", "ends_at": "2026-11-27T17:00", "flow": ""}
    assert browser.post("/profile", form).status_code == 303
    browser.get("/profile")
    assert "Lena Fischer" in browser.text
    ended = browser.post(f"{_end_path(browser)}")
    assert ended.status_code == 303
    browser.get("/profile")
    assert "End now" not in browser.text


def test_an_absence_that_ends_before_it_begins_says_so_by_the_field(browse: People):
    browser = browse(max_)
    form = {"deputy_id": "lena", "starts_at": "2026-11-27T08:00", "ends_at": "2026-11-23T17:00"}
    assert browser.post("/profile", form).status_code == 422
    assert "Expected an end after the beginning and after now" in browser.text
    assert browser.field("starts_at") == "2026-11-27T08:00"


def test_an_absence_at_the_ends_of_the_calendar_says_so_by_the_field(browse: People):
    browser = browse(max_)
    form = {"deputy_id": "lena", "starts_at": "0001-01-01T00:00", "ends_at": "9999-12-31T23:59"}
    assert browser.post("/profile", form).status_code == 422
    assert "Expected a year from 1900 to 2999, but found 9999" in browser.text


def test_somebody_elses_absence_cannot_be_ended(browse: People):
    owner = browse(max_)
    owner.post("/profile", {"deputy_id": "lena", "starts_at": "2026-11-23T08:00", "ends_at": "2026-11-27T17:00"})
    owner.get("/profile")
    assert browse(rita).post(_end_path(owner)).status_code == 404
    assert browse(rita).post("/profile/absences/not-an-id/end").status_code == 404


def _end_path(browser: Browser) -> str:
    assert browser.page is not None
    start = browser.page.text.index("/profile/absences/")
    return browser.page.text[start : browser.page.text.index('"', start)]


def test_built_files_may_be_kept_forever_and_pages_never(browse: People, app: Flask):
    name = next(iter(app.extensions["assets"].values()), None)
    if name is None:
        pytest.skip("the front end is not built; make setup builds it")
    with browse().get(f"/static/dist/{name}") as answer:
        assert "immutable" in answer.headers["Cache-Control"]
    assert browse().get("/sign-in").headers["Cache-Control"] == "no-store"


def test_everybody_says_of_themselves_whether_they_are_mailed(browse: People, story: Story):
    browser = browse(lena)
    assert browser.post("/profile/mail", {"mail_wish": "NEVER"}).status_code == 303
    assert story.read(lambda session: session.get_one(User, "lena").mail_wish) == "NEVER"
    assert browser.post("/profile/mail", {"mail_wish": "HOURLY"}).status_code == 422


def test_the_profile_lists_where_one_is_signed_in_and_signs_out_there(browse: People):
    here, there = (
        browse(rita, agent="Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"),
        browse(rita, agent="Safari/605 iPhone"),
    )
    here.get("/profile")
    assert "Firefox on Windows" in here.text
    assert "Safari on iPhone" in here.text
    assert here.page is not None
    ending = re.search(r'action="(/profile/sessions/[0-9a-f]{64}/end)"', here.page.text)
    assert ending is not None
    assert browse(max_).post(ending[1]).status_code == 404
    assert here.post(ending[1]).status_code == 303
    assert path_of(there.get("/inbox")) == "/sign-in"
    assert here.get("/inbox").status_code == 200
