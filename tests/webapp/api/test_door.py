"""Who is let in, how requests are read, and the page that shows it all."""

from __future__ import annotations

import datetime as dt
import sqlite3

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from engine.act import Installation
from engine.database import connect
from engine.errors import Conflict, Invalid, NotFound
from records.api_key import ApiAnswer, ApiKey, keys_of, make_key, revoke_key
from records.person import User, UserStatus, move
from records.requisition import Requisition
from tests.clock import SettableClock
from tests.people import bea, otto, pat, rita
from tests.story import Story
from tests.webapp.addresses import OPERATIONS, pages
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem
from tests.webapp.conftest import People
from webapp import page_rights
from webapp.api import operation_rights
from webapp.api.endpoints import ENDPOINTS

DRAFT = {
    "title": "Brackets",
    "cost_centre": "4711",
    "lines": [{"part": "P-100", "quantity": "5", "estimated_price": "42.5"}],
}


def test_without_a_key_nothing_is_told(nobody: Client) -> None:
    answer = nobody.get("/parts")
    problem(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_that_opens_nothing_is_refused(app: Flask) -> None:
    for header in ("Bearer", "Bearer lockstep_x", "Basic cml0YTpyaXRh", "Bearer \xff", "lockstep_x", ""):
        problem(app.test_client().get("/api/v1/parts", headers={"Authorization": header}), 401, "UNAUTHENTICATED")


@pytest.mark.part11("11.300(c)", "11.300(e)")
def test_a_key_ends_when_it_is_revoked_or_over(
    calling: Calling, house: Installation, clock: SettableClock, app: Flask
) -> None:
    calls = calling(rita)
    with house.acting("system:arrange") as act:
        until = act.now + dt.timedelta(days=1)
        short = make_key(act, rita.principal, "a day", scopes=["parts:read"], expires_at=until)[0]
    assert Client(app, short).get("/parts").status_code == 200
    clock.advance(days=1)
    problem(Client(app, short).get("/parts"), 401, "UNAUTHENTICATED")
    assert calls.get("/parts").status_code == 200
    with house.acting("system:arrange") as act:
        revoke_key(act, next(key.id for key in keys_of(act.session, "user:rita") if key.expires_at is None))
    problem(calls.get("/parts"), 401, "UNAUTHENTICATED")


@pytest.mark.part11("11.300(c)")
def test_a_key_of_somebody_disabled_opens_nothing(calling: Calling, house: Installation) -> None:
    calls = calling(rita)
    with house.acting("system:arrange") as act:
        move(act, act.session.get_one(User, "rita"), UserStatus.DISABLED)
    problem(calls.get("/parts"), 401, "UNAUTHENTICATED")


def test_the_database_knows_no_key(calling: Calling, story: Story) -> None:
    secret = calling(rita).key or ""
    row = story.read(lambda session: session.scalars(select(ApiKey)).one())
    assert secret not in str(vars(row))


@pytest.mark.part11("11.10(h)", "11.30")
def test_a_key_does_only_what_its_scopes_say(calling: Calling) -> None:
    calls = calling(rita, "parts:read")
    assert calls.get("/parts").status_code == 200
    problem(calls.get("/suppliers"), 403, "SCOPE_MISSING")


def test_keys_are_made_only_for_people_and_adapters_that_may_have_them(house: Installation) -> None:
    with house.acting("system:arrange") as act:
        for owner, scopes, refusal in (
            ("adapter:erp", ["tasks:decide"], Invalid), ("user:nobody", ["parts:read"], NotFound),
            ("user:rita", ["everything"], Invalid), ("user:rita", [], Invalid), ("role:BUYER", ["parts:read"], Invalid),
        ):  # fmt: skip
            with pytest.raises(refusal):
                make_key(act, owner, "x", scopes=scopes)
        _secret, made = make_key(act, "user:rita", "x", scopes=["parts:read"])
        revoke_key(act, made.id)
        with pytest.raises(Conflict):
            revoke_key(act, made.id)
        with pytest.raises(NotFound):
            revoke_key(act, UNKNOWN)


def test_a_signed_in_browser_reads_and_writes_nothing(browse: People) -> None:
    browser = browse(rita)
    assert browser.get("/api/v1/parts").status_code == 200
    assert browser.get("/api/v1/tasks").status_code == 200
    problem(browser.client.post("/api/v1/requisitions", json=DRAFT), 401, "UNAUTHENTICATED")


def test_every_page_and_every_operation_says_who_may_use_it(app: Flask) -> None:
    unnamed = [
        f"{method} {rule.endpoint}" for rule, method in pages(app) if not page_rights.of_page(rule.endpoint, method)
    ]
    unnamed += [one.name for one in ENDPOINTS if not operation_rights.of_operation(one.name, one.method)]
    assert unnamed == [], "name what it takes in webapp/page_rights.py or webapp/api/operation_rights.py"
    shown = {rule.endpoint for rule, method in pages(app) if method == "GET"}
    sent = {rule.endpoint for rule, method in pages(app) if method == "POST"}
    gone = (set(page_rights.SHOWS) - shown) | (set(page_rights.DOES) - sent)
    gone |= (set(operation_rights.READS) | set(operation_rights.CALLS)) - OPERATIONS
    assert gone == set(), "these are no pages or operations any more"


def test_what_does_not_exist_is_a_problem_too(calling: Calling) -> None:
    problem(calling(rita).get("/nothing/here"), 404, "NOT_FOUND")
    wrong = calling(rita).send("DELETE", "/parts")
    problem(wrong, 405, "METHOD_NOT_ALLOWED")
    assert "GET" in wrong.headers["Allow"]


UNREADABLE = [
    (b"{", "application/json", 400, "MALFORMED_JSON"),
    (b"", "application/json", 400, "MALFORMED_JSON"),
    (b"[" * 5000, "application/json", 400, "MALFORMED_JSON"),
    (b'{"a": NaN}', "application/json", 400, "MALFORMED_JSON"),
    (b'{"title": "\\ud800"}', "application/json", 400, "MALFORMED_JSON"),
    (b'{"title": "\\u0000"}', "application/json", 422, "INVALID"),
    (b'{"title": "a", "title": "b"}', "application/json", 422, "INVALID"),
    (b"[]", "application/json", 422, "INVALID"),
    (b"title=a", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b" " * 1_000_001, "application/json", 413, "TOO_LARGE"),
]


def test_a_body_that_cannot_be_read_says_why(calling: Calling) -> None:
    calls = calling(rita)
    for data, media, status, code in UNREADABLE:
        problem(calls.send("POST", "/requisitions", data=data, content_type=media), status, code)


def test_a_query_that_nobody_asked_for_is_named(calling: Calling) -> None:
    calls = calling(rita)
    for answer in (
        calls.get(f"/instances/{UNKNOWN}?colour=red"),
        calls.post("/requisitions?colour=red", {"title": "x"}),
    ):
        assert problem(answer, 422, "INVALID")["fields"].keys() == {"colour"}


def test_what_changed_since_it_was_seen_is_told_to_readers_as_a_problem(calling: Calling) -> None:
    calls = calling(rita)
    made = calls.post("/requisitions", {"title": "x", "cost_centre": "4711", "lines": []})
    path = f"/requisitions/{made.json['id']}"
    assert calls.get(path, match=made.headers["ETag"]).json == calls.get(path).json
    for tag in ('"0"', f"W/{made.headers['ETag']}"):
        problem(calls.get(path, match=tag), 412, "STALE_VERSION")
    seen = calls.get(path, headers={"If-None-Match": made.headers["ETag"]})
    assert (seen.status_code, seen.data) == (304, b"")


def test_every_field_that_does_not_fit_is_named(calling: Calling) -> None:
    wrong = {
        "cost_centre": 4711, "colour": "red",
        "lines": [{"quantity": "many"}, {"quantity": True, "price": 1, "is_single_source": "yes"}],
    }  # fmt: skip
    found = problem(calling(rita).post("/requisitions", wrong), 422, "INVALID")["fields"]
    assert set(found) == {
        "cost_centre", "colour", "lines.0.quantity", "lines.1.quantity", "lines.1.price", "lines.1.is_single_source",
    }  # fmt: skip
    assert all(sentence.startswith("Expected") for sentence in found.values())


def test_a_post_sent_twice_with_one_key_counts_once(calling: Calling, story: Story) -> None:
    calls = calling(rita)
    first, second = (calls.post("/requisitions", DRAFT, again="order-1") for _turn in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json == second.json
    assert first.headers["ETag"] == second.headers["ETag"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(Requisition))) == 1


def test_a_key_of_one_request_does_not_answer_another(calling: Calling) -> None:
    calls = calling(rita)
    calls.post("/requisitions", DRAFT, again="order-1")
    problem(calls.post("/requisitions", DRAFT | {"title": "Other"}, again="order-1"), 422, "IDEMPOTENCY_KEY_REUSED")
    assert calling(bea).post("/requisitions", DRAFT, again="order-1").status_code == 201
    problem(calls.post("/requisitions", DRAFT, again=" " * 300), 422, "INVALID")


def test_a_refusal_is_not_kept(calling: Calling, story: Story) -> None:
    calls = calling(rita)
    problem(calls.post("/requisitions", DRAFT | {"cost_centre": "none"}, again="order-1"), 422, "INVALID")
    assert calls.post("/requisitions", DRAFT, again="order-1").status_code == 201


def test_an_answer_that_was_never_written_is_made_again(calling: Calling, house: Installation) -> None:
    calls = calling(rita)
    first = calls.post("/requisitions", DRAFT, again="order-1")
    with house.acting("system:arrange") as act:
        kept = act.session.scalars(select(ApiAnswer)).one()
        kept.status = kept.body = None
    again = calls.post("/requisitions", DRAFT, again="order-1")
    assert (again.status_code, again.json) == (201, first.json)


def test_answers_are_forgotten_after_a_week(calling: Calling, clock: SettableClock, story: Story) -> None:
    calls = calling(rita)
    calls.post("/requisitions", DRAFT, again="order-1")
    clock.advance(days=8)
    assert calls.post("/requisitions", DRAFT, again="order-2").status_code == 201
    assert story.read(lambda session: session.scalars(select(ApiAnswer.key)).all()) == ["order-2"]


def test_the_page_shows_every_operation_under_the_strict_policy(nobody: Client, browse: People) -> None:
    answer = nobody.get("/docs")
    assert answer.status_code == 200
    assert "POST" in answer.text
    assert "/api/v1/tasks/{task_id}/decision" in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    with nobody.get("/static/try.js") as script:
        assert script.status_code == 200
    assert rita.name in browse(rita).get("/api/v1/docs").text


def test_the_document_is_served_to_anybody(nobody: Client) -> None:
    assert nobody.get("/openapi.json").json["openapi"] == "3.1.0"


def test_a_mistake_of_ours_is_told_as_one(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("webapp.pages.parts.look_up", fail)
    answer = calling(pat).get("/parts")
    assert (answer.status_code, answer.json["code"]) == (500, "BUG")
    assert "secret" not in answer.text


def test_a_database_that_is_away_is_no_mistake_and_says_when_to_ask_again(
    calling: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        connect("postgresql://nobody@127.0.0.1:9/nothing").connect()

    monkeypatch.setattr("webapp.pages.parts.look_up", fail)
    answer = calling(pat).get("/parts")
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "DATABASE_AWAY", "5")
    assert "127.0.0.1" not in answer.text

    def full(*_args: object, **_more: object) -> None:
        raise OperationalError("INSERT", None, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr("webapp.pages.parts.look_up", full)
    assert calling(pat).get("/parts").status_code == 503


def test_somebody_without_a_role_may_read_what_the_pages_show(calling: Calling) -> None:
    for path in ("/parts", "/suppliers", "/orders", "/requisitions", "/instances", "/definitions", "/part_revisions"):
        assert calling(otto).get(path).status_code == 200, path
