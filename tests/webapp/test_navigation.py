"""Where one can go from any page: every page that this application has, grouped, the open one marked."""

from __future__ import annotations

import re

from flask import Flask

from tests.people import lena
from tests.webapp.conftest import People
from webapp.navigation import NAVIGATION, ONLY

MAIN = re.compile(r'<nav class="(nav|nav-small)".*?</nav>', re.DOTALL)


def menus(page: str) -> dict[str, str]:
    return {found[1]: found[0] for found in MAIN.finditer(page)}


def test_bar_and_menu_list_every_page_that_there_is(browse: People, app: Flask):
    page = browse(lena).get("/orders").text
    there = {endpoint for endpoint, *_ in NAVIGATION if endpoint in app.view_functions and endpoint not in ONLY}
    assert {"inbox.show", "requisitions.index", "operations.index"} <= there
    with app.test_request_context():
        urls = [app.url_for(endpoint) for endpoint, *_ in NAVIGATION if endpoint in there]
    for menu in menus(page).values():
        assert re.findall(r'<a [^>]*href="([^"]+)"', menu) == urls
    assert len(menus(page)) == 2


def test_a_page_that_is_not_there_has_no_entry(browse: People, app: Flask, monkeypatch):
    monkeypatch.setattr("webapp.navigation.NAVIGATION", (*NAVIGATION, ("moon.index", "Moon base", "Buying")))
    page = browse(lena).get("/orders")
    assert page.status_code == 200
    assert "Moon base" not in page.text


def test_the_open_page_is_marked_and_named_beside_its_group(browse: People):
    page = browse(lena).get("/orders").text
    for menu in menus(page).values():
        assert re.findall(r'aria-current="page">([^<]+)<', menu) == ["Orders"]
    assert '<span class="nav-here">Orders</span>' in menus(page)["nav"]


def test_a_group_of_one_page_is_that_page(browse: People, monkeypatch):
    monkeypatch.setattr(
        "webapp.navigation.NAVIGATION", (("inbox.show", "Inbox", ""), ("operations.index", "Operations", "Oversight"))
    )
    bar = menus(browse(lena).get("/orders").text)["nav"]
    assert "<details" not in bar
    assert "Oversight" not in bar
