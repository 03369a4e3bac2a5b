"""A task whose listeners hear of a change: its page, its row and the API say so, and nobody gets past them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine import definitions, instances, outside_workers
from engine.outside_workers import Claim
from engine.stored.task import Task, TaskState
from tests.engine.plant import approve
from tests.engine.spiff.diagrams import diagram, end, listeners, process, start
from tests.people import bea, lena
from tests.story import Story, plant_with
from tests.webapp.conftest import People

SENTENCE = "wants to claim it, and a listener is asked first"


def parked(story: Story) -> None:
    """Have a request for a parking lot wait for the lead of purchasing; who takes it is checked outside."""
    step = approve("approve_lot", role="PUR_LEAD", extensions=listeners("task", assigning="stand.in"))
    with story.installation.acting("user:pat") as act:
        definitions.deploy(
            act, {"lots.bpmn": diagram(process(start(), step, end(), id="lots", flows="s > approve_lot > e"))}
        )
    with story.installation.acting("user:ella") as act:
        instances.start(act, "lots", business_key="LOT-1")


PARKED = plant_with("claimed while listened to", parked)
pytestmark = pytest.mark.begins_with(PARKED)


def task_of(story: Story) -> Task:
    return story.read(lambda session: session.scalars(select(Task).where(Task.state == TaskState.OPEN)).one())


def answered(story: Story, **said: Any) -> None:
    with story.installation.acting("adapter:shop") as act:
        [job] = outside_workers.activate(act, "stand.in", worker="one")
    with story.installation.acting("adapter:shop") as act:
        outside_workers.complete(act, Claim(job.id, "one", job.attempts), {"userTask": said} if said else {})


def test_pages_say_that_a_listener_is_asked_before_a_claim_counts(browse: People, story: Story):
    task = task_of(story)
    browser = browse(lena)
    assert browser.post(f"/tasks/{task.id}/claim", {"way": "claim"}).status_code == 303
    page = browser.get(f"/tasks/{task.id}").text
    assert SENTENCE in page
    assert "what you typed stays" in page
    assert f"/tasks/{task.id}/decide/approve" not in page
    assert "Being changed: a listener is asked first" in browser.get("/inbox?box=groups").text
    refused = browser.post(f"/tasks/{task.id}/claim", {"way": "claim"})
    assert refused.status_code == 409
    assert "It is being changed just now" in refused.text
    answered(story)
    assert SENTENCE not in browser.get(f"/tasks/{task.id}").text
    assert task_of(story).assignee == "lena"


def test_pages_say_why_a_claim_was_denied(browse: People, story: Story):
    task = task_of(story)
    browser = browse(lena)
    browser.post(f"/tasks/{task.id}/claim", {"way": "claim"})
    answered(story, denied=True, deniedReason="lena stands in for herself")
    why = "wanted to claim it, which was denied: lena stands in for herself"
    assert why in browser.get("/notices").text
    page = browser.get(f"/tasks/{task.id}").text
    assert why in page
    assert f"/tasks/{task.id}/decide/approve" in page


def test_a_loan_that_a_listener_hears_of_first_is_told_as_one_that_is_wanted(browse: People, story: Story):
    task = task_of(story)
    browser = browse(lena)
    sent = browser.post(f"/tasks/{task.id}/help/delegate", {"asked": "bea", "words": "Measure the lot"})
    assert sent.status_code == 303, sent.text
    page = browser.get(f"/tasks/{task.id}").text
    assert "A listener is asked first; the task stays as it is until that has answered." in page
    assert "Lena Fischer wants to give it to Bea" in page
    assert "wants to lend you the task" in browse(bea).get("/notices").text
    answered(story)
    assert (task_of(story).assignee, task_of(story).lent_by) == ("bea", "lena")
