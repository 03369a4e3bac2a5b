"""Whatever is typed, sent or forged gets a clear answer, is never a mistake of ours, and loses nothing."""

from __future__ import annotations

import html
import random
import re
import threading
from collections import Counter
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from engine.decisions import Decision
from engine.stored.definition import Definition
from records.demo_people import Member
from tests.engine.spiff.diagrams import diagram, end, process, start
from tests.people import adam, bea, lena, pat, rita
from tests.scenarios.desk import signing
from tests.story import Story
from tests.webapp.api.conftest import Calling
from tests.webapp.browser import Browser
from tests.webapp.conftest import People

NASTY = (
    "", " ", "\x00", "a\x00b", "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "𝟙𝟚", "٣٤", "½",
    "²", "9" * 5000, "-1", "0", "1e400", "NaN", "Infinity", "-0", "9" * 400, "0." + "3" * 30, "1,2,3", "--1", "0x10", "1_000",
    "9999-99-99", "0001-01-01", "10000-01-01", "2026-02-30", "'; DROP TABLE task; --", "<script>alert(1)</script>",
    "{{ 7*7 }}", "${7*7}", "../../etc/passwd", "%00", "%", "_", "\\", "a" * 5000, "ﷺ" * 300, "\u202e\u2066x", "null", "[]",
    "01990000-0000-7000-8000-000000000000", "true", "\r\nSet-Cookie: x=1", "P-100/B", "P-100", "🙂" * 50,
)  # fmt: skip


def dice_of(story: Story, seed: int) -> random.Random:
    """Return the dice of a database: each gets other values, so that two databases try more than one would."""
    return random.Random(f"{seed} {story.installation.database.dialect.name}")


def forms_of(app: Flask, ids: dict[str, str]) -> list[str]:
    """Return the address of every form and page of the application, filled with ids that exist."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or rule.rule.startswith("/api/"):
            continue
        if "POST" in (rule.methods or ()) and rule.endpoint != "account.sign_out":
            with app.test_request_context():
                found.append(rule.rule)
    return sorted({_filled(path, ids) for path in found})


def _filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: ids.get(match[1], "x"), path)


FIELDS = (
    "reason", "seen_version", "seen_hash", "meaning", "user_id", "password", "on_behalf_of", "way", "title", "need_by",
    "currency", "cost_centre", "justification", "priority", "lines.1.part", "lines.0.part", "lines.0.revision",
    "lines.0.quantity", "lines.0.price", "lines.0.supplier", "lines.0.need_by", "lines.0.cost_object", "lines.x.part",
    "lines.1.code", "lines.1.1.code", "lines.1.1.value", "lines.1.quantity", "lines.1.unit_price", "result", "message_id",
    "comment", "file", "document_no", "document_rev", "deputy_id", "starts_at", "ends_at", "flow", "incident", "run", "back",
    "theme", "keys", "customs", "data.verdict", "data.supplier_id", "data.lines.0.x", "add_row", "remove_row", "add_line",
    "remove_line", "payment_term", "incoterm", "ship_to", "fx_rate", "sign_in_name", "sign_in_password", "next", "shown",
)  # fmt: skip


def test_no_form_answers_random_input_with_a_mistake_of_ours(story: Story, app: Flask, browse: People) -> None:
    """Every form that takes a POST, for people with different roles, with wrong types, NUL bytes and huge numbers."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    requisition = story.requisition.id
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "approve")
    order_task = story.as_(bea).task("complete_order")
    dice = dice_of(story, 20261122)
    before = story.read(lambda session: session.scalar(select(func.count()).select_from(Decision)))
    wrong: list[str] = []
    for member, owned in ((lena, task), (rita, task), (bea, order_task), (pat, task), (adam, task)):
        browser = browse(member)
        ids = {
            "task_id": owned.id, "verdict": "approve", "owner_type": "requisition", "instance_id": story.instance_id,
            "record_id": requisition if member is not bea else story.order.id,
        }  # fmt: skip
        proof = browser.proof
        for path in forms_of(app, ids):
            if "sign-in" in path or "cancel" in path:
                continue
            form: dict[str, Any] = {name: dice.choice(NASTY) for name in dice.sample(FIELDS, dice.randrange(12))}
            answer = browser.client.post(path, data={"form_proof": proof} | form)
            if answer.status_code >= 500:
                wrong.append(f"{member.id} POST {path} {form!r:.300}")
    assert wrong == []
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(Decision))) == before


FORM_FIELD = re.compile(r'<(?:input|textarea|select)[^>]*\bname="([^"]+)"')
CHOSEN = re.compile(r'<input[^>]*\bname="([^"]+)"[^>]*\bvalue="([^"]*)"')


def fields_of(browser: Browser, path: str) -> dict[str, str]:
    """Return the fields of the form at an address as the browser would send them, as far as text tells."""
    page = browser.client.get(path)
    assert page.status_code == 200, path
    found = dict.fromkeys(FORM_FIELD.findall(page.text), "") | dict(CHOSEN.findall(page.text))
    return {
        name: html.unescape(value)
        for name, value in found.items()
        if name not in ("form_proof", "theme", "keys", "back")
    }


def test_no_field_of_a_real_form_is_answered_with_a_mistake_of_ours(story: Story, browse: People) -> None:
    """Each field in turn gets nasty values, the others stay as the page offers them."""
    dice = dice_of(story, 2026)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    story.as_(rita).start("requisition_to_po", lines=[("P-200", 100)])
    story.as_(lena).decide("approve_requisition", "approve")
    buying = story.as_(bea).task("complete_order")
    # The dialog of submitting comes last: it may well succeed.
    desks: list[tuple[Member, str, str]] = [
        (rita, "/requisitions/new", "/requisitions/new"), (rita, "/requisitions/new", "/requisitions/preview"),
        (lena, f"/tasks/{task.id}/decide/approve", f"/tasks/{task.id}/decide/approve"),
        (bea, f"/orders/{story.order.id}/edit", f"/orders/{story.order.id}/edit"), (lena, "/profile", "/profile"),
        (bea, f"/tasks/{buying.id}/decide/submit", f"/tasks/{buying.id}/decide/submit"),
    ]  # fmt: skip
    wrong, answers = [], Counter[int]()
    for member, page, target in desks:
        browser = browse(member)
        whole, proof = fields_of(browser, page), browser.proof
        for name in whole:
            for value in ("\x00", "9" * 5000, "²", *dice.sample(NASTY, 3)):
                form = whole | {"form_proof": proof, name: value}
                answer = browser.client.post(target, data=form)
                answers[answer.status_code] += 1
                if answer.status_code >= 500:
                    wrong.append(f"{member.id} POST {target} {name}={value!r:.60}")
    assert wrong == []
    assert answers[422] > 50, answers


def test_no_page_answers_a_random_question_with_a_mistake_of_ours(story: Story, app: Flask, browse: People) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    dice = dice_of(story, 7)
    browser = browse(lena)
    names = (
        "q",
        "sort",
        "after",
        "box",
        "task",
        "next",
        "state",
        "tab",
        "part",
        "revision",
        "view",
        "shown",
        "process",
        "back",
    )
    wrong: list[str] = []
    ids = {
        "task_id": task.id,
        "verdict": "approve",
        "record_id": story.requisition.id,
        "instance_id": story.instance_id,
    }
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or rule.rule.startswith("/api/") or "GET" not in (rule.methods or ()):
            continue
        for values in (ids, {}):
            path = _filled(rule.rule, values)
            query = {name: dice.choice(NASTY) for name in dice.sample(names, dice.randrange(5))}
            answer = browser.client.get(path, query_string=query)
            if answer.status_code >= 500:
                wrong.append(f"GET {path} {query!r:.300}")
    assert wrong == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", ""]
)
def test_a_body_of_another_kind_is_refused_and_nothing_is_decided(
    story: Story, browse: People, content_type: str
) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    browser = browse(lena)
    answer = browser.client.post(
        f"/tasks/{task.id}/decide/approve", data=b"\x00\xff{]--x", content_type=content_type,
        headers={"X-Form-Proof": browser.proof},
    )  # fmt: skip
    assert 400 <= answer.status_code < 500
    assert story.read(lambda session: session.scalars(select(Decision)).all()) == []


def test_a_double_click_in_one_instant_decides_once(story: Story, browse: People) -> None:
    """One person, one page, two requests at once: one decision, and the second is told that it is done."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    browser = browse(lena)
    form = signing(task, form_proof=browser.proof)
    cookies = "; ".join(
        f"{one.key}={one.value}"
        for name in ("lockstep_session", "lockstep_visit")
        if (one := browser.client.get_cookie(name))
    )
    gate, answers = threading.Barrier(2), []

    def click() -> None:
        client = browser.client.application.test_client(use_cookies=False)
        gate.wait(30)
        headers = {"Cookie": cookies, "User-Agent": "Firefox on a desk"}
        answers.append(client.post(f"/tasks/{task.id}/decide/approve", data=form, headers=headers).status_code)

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join(60)
    assert sorted(answers) == [303, 409]
    assert len(story.read(lambda session: session.scalars(select(Decision)).all())) == 1
    assert len(story.signatures) == 1


ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY file SYSTEM "file:///etc/passwd">]><definitions>&b;&file;</definitions>'
)
BOMB = (
    '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="n"><decision id="huge" name="huge">'
    f'<variable name="huge"/><literalExpression><text>{"(" * 20_000}1{")" * 20_000}</text></literalExpression></decision></definitions>'
)
PLAIN = diagram(process(start(), end(), id="plain", flows="s > e")).decode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bad.bpmn", ENTITIES), ("bad.dmn", ENTITIES), ("bad.dmn", BOMB), ("bad.bpmn", "<a>" * 100_000),
        ("bad.bpmn", "\x00"), ("bad.form", "[" * 100_000),
    ],
    ids=["entities in a diagram", "entities in a table", "a nested table", "deep xml", "no xml", "deep json"],
)  # fmt: skip
def test_a_malicious_file_is_refused_by_api_and_deploys_nothing(
    story: Story, calling: Calling, name: str, content: str
) -> None:
    before = story.read(lambda session: session.scalar(select(func.count()).select_from(Definition)))
    answer = calling(pat).post("/definitions", {"files": {"plain.bpmn": PLAIN, name: content}})
    assert answer.status_code == 422, answer.text
    assert "root:" not in answer.text
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(Definition))) == before


def test_ten_megabytes_are_refused_by_page_and_api_before_they_are_read(
    story: Story, browse: People, calling: Calling
) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    browser = browse(lena)
    long = "x" * 10_000_000
    assert browser.post(f"/tasks/{task.id}/decide/reject", signing(task, reason=long)).status_code == 413
    assert "your browser still has the text" in browser.text
    answer = calling(lena).post(f"/tasks/{task.id}/decision", {"verdict": "reject", "reason": long}, match='"1"')
    assert answer.status_code == 413
    assert story.read(lambda session: session.scalars(select(Decision)).all()) == []
