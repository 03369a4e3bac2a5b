"""Two requests at the same instant, on both databases: one change, and each gets its answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from engine.act import Installation
from engine.decisions import Decision
from records.api_key import SCOPES, make_key
from records.requisition import Requisition
from tests.clock import SettableClock
from tests.makers import make_grant
from tests.people import PASSWORD, lena, max_, rita
from tests.story import Story
from tests.webapp.api.conftest import Client, problem
from webapp.app import create_app


@pytest.fixture
def story(plant: Installation, clock: SettableClock) -> Story:
    return Story(plant, clock)


def client(story: Story, owner: str) -> Client:
    app = create_app(story.installation, secret_key="only for tests")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return Client(app, story.given(lambda act: make_key(act, owner, "at once", scopes=list(SCOPES))[0]))


def at_once(*requests: Any) -> list[TestResponse]:
    """Send requests from threads that begin together."""
    barrier, answers = threading.Barrier(len(requests)), [None] * len(requests)

    def send(place: int) -> None:
        barrier.wait()
        answers[place] = requests[place]()

    threads = [threading.Thread(target=send, args=(place,)) for place in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert None not in answers
    return answers  # the line above says so


def test_one_idempotency_key_makes_one_requisition(story: Story) -> None:
    draft = {"cost_centre": "4711", "lines": [{"part": "P-100", "quantity": "1"}]}
    clients = [client(story, rita.principal) for _turn in range(3)]
    answers = at_once(*(lambda one=one: one.post("/requisitions", draft, again="k-1") for one in clients))
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(Requisition))) == 1


def test_two_approvers_at_once_make_one_decision(story: Story) -> None:
    """W1: the other sees who won."""
    story.given(lambda act: make_grant(act, "max", "PUR_LEAD"))
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    signature = {"meaning": "APPROVED", "password": PASSWORD, "accepts_responsibility": True}
    body, tag = {"verdict": "approve", "signature": signature}, f'"{task.version}"'
    clients = [client(story, member.principal) for member in (lena, max_)]
    answers = at_once(*(lambda one=one: one.post(f"/tasks/{task.id}/decision", body, match=tag) for one in clients))
    [slower] = [answer for answer in answers if answer.status_code != 200]
    problem(slower, 409, "TASK_CLOSED")
    assert story.read(lambda session: session.scalar(select(func.count()).select_from(Decision))) == 1


def test_ids_and_cursors_that_are_none_are_refused_on_both(story: Story) -> None:
    calls = client(story, rita.principal)
    for family in ("orders", "requisitions", "instances", "definitions", "part_revisions"):
        problem(calls.get(f"/{family}?after=x"), 422, "INVALID")
        problem(calls.get(f"/{family}/x"), 404, "NOT_FOUND")
    problem(calls.get("/tasks/x"), 404, "NOT_FOUND")
