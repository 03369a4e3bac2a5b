"""How often one may ask: wrong passwords from one address, requests under one key; and whose address it is."""

from __future__ import annotations

import pytest
from flask import Flask

from engine.act import Installation
from records import api_key
from tests.people import PASSWORD, adam, rita
from tests.story import Story
from tests.webapp.browser import Browser
from webapp.app import create_app


def test_many_wrong_passwords_from_one_address_wait_whatever_the_names(app: Flask, house: Installation):
    house.settings = {**house.settings, "sign_in_rate": "4 per minute"}
    app.extensions["rates"].storage.reset()
    guessing = Browser(app)
    for name in ("rita", "max", "bea", "nobody"):
        assert guessing.post("/sign-in", {"sign_in_name": name, "sign_in_password": "guess"}).status_code == 403
    answer = guessing.post("/sign-in", {"sign_in_name": "adam", "sign_in_password": PASSWORD})
    assert answer.status_code == 429
    assert "Expected at most 4 wrong passwords from one place in 60 s" in guessing.text
    elsewhere = Browser(app)
    elsewhere.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    elsewhere.sign_in(adam)
    app.extensions["rates"].storage.reset()


def test_a_key_that_asks_too_often_is_told_when_again(app: Flask, house: Installation, story: Story):
    with story.as_(rita).acting() as act:
        secret, _ = api_key.make_key(act, rita.principal, "a script", scopes=["orders:read"])
    house.settings = {**house.settings, "api_rate": "3 per minute"}
    app.extensions["rates"].storage.reset()
    client, key = app.test_client(), {"Authorization": f"Bearer {secret}"}
    assert [client.get("/api/v1/orders", headers=key).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = client.get("/api/v1/orders", headers=key)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert (answer.mimetype, answer.json["code"]) == ("application/problem+json", "TOO_MANY_REQUESTS")
    app.extensions["rates"].storage.reset()


def test_a_link_without_an_account_is_not_tried_in_a_loop(app: Flask, house: Installation):
    house.settings = {**house.settings, "public_rate": "2 per minute"}
    app.extensions["rates"].storage.reset()
    guessing = Browser(app)
    address = f"/quotes/{'0' * 8}-0000-4000-8000-{'0' * 12}/guess"
    assert [guessing.get(address).status_code for _ in range(3)] == [404, 404, 429]
    app.extensions["rates"].storage.reset()


def test_the_address_that_a_proxy_tells_counts_only_where_there_is_one(
    house: Installation, monkeypatch: pytest.MonkeyPatch
):
    told = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
    for proxies, is_secure in ((0, False), (1, True)):
        house.settings = {**house.settings, "proxies": proxies}
        answer = create_app(house, secret_key="only for tests").test_client().get("/sign-in", headers=told)
        assert ("Secure" in answer.headers["Set-Cookie"]) is is_secure


def test_a_setting_that_is_no_rate_stops_the_start(house: Installation):
    house.settings = {**house.settings, "api_rate": "often"}
    with pytest.raises(ValueError, match="Expected api_rate as “600 per minute”, or off, but found 'often'"):
        create_app(house, secret_key="only for tests")
