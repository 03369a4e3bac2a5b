"""A password is its owner's: who got one from somebody else changes it first, and an open page keeps no session alive."""

from __future__ import annotations

import pytest

from engine.act import Installation
from records.password import set_password
from records.person import User
from tests.clock import SettableClock
from tests.people import PASSWORD, QUICK, lena
from tests.webapp.browser import path_of
from tests.webapp.conftest import People

FRESH = "a password of my own"


@pytest.mark.part11("11.200(a)(2)", "11.300(b)")
def test_who_got_a_password_from_an_administrator_is_asked_for_one_of_their_own(browse: People, house: Installation):
    with house.acting("user:adam") as act:
        set_password(act, act.session.get_one(User, "lena"), "chosen by adam", hasher=QUICK, must_change=True)
    browser, other = browse(), browse(agent="A phone")
    for one in (browser, other):
        one.post("/sign-in", {"sign_in_name": "lena", "sign_in_password": "chosen by adam", "next": "/orders"})
        assert one.page is not None
        assert path_of(one.page) == "/profile/password"
    browser.get("/profile/password?next=/orders")
    assert "you cannot sign with it" in browser.text
    typed = {"present": "chosen by adam", "password": FRESH, "again": FRESH, "next": "/orders"}
    assert browser.post("/profile/password", typed | {"again": "otherwise"}).status_code == 422
    assert "differs from the new password" in browser.text
    assert browser.post("/profile/password", typed | {"present": "wrong"}).status_code == 403
    assert "this is another one" in browser.text
    answer = browser.post("/profile/password", typed)
    assert (answer.status_code, path_of(answer)) == (303, "/orders")
    assert browser.get("/inbox").status_code == 200
    assert path_of(other.get("/inbox")) == "/sign-in"
    assert browse().sign_in(lena, FRESH).get("/profile").status_code == 200


@pytest.mark.part11("11.200(a)(1)(ii)")
def test_an_open_list_that_asks_for_news_by_itself_is_no_sign_that_somebody_is_there(
    browse: People, clock: SettableClock
):
    browser = browse(lena)
    for _ in range(13):
        clock.advance(minutes=10)
        browser.get("/inbox/news?box=mine&shown=")
    assert path_of(browser.get("/inbox")) == "/sign-in"
    assert browse().sign_in(lena, PASSWORD).get("/inbox").status_code == 200
