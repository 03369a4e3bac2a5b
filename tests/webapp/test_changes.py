"""The pages of change control: anyone asks, engineering and quality judge and write the order, nothing that was typed is lost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.stored.task import Task
from records.change_order import ChangeOrder
from records.change_request import ChangeRequest
from records.part import PartRevision, RevisionStatus
from rules.change_item import ChangeItem
from tests.makers import make_part, make_revision
from tests.people import ella, otto, rita
from tests.story import Story
from tests.webapp.conftest import People

ASKED = {
    "title": "Thicker flange", "problem": "Cracks at the fillet", "proposal": "6 mm instead of 5", "source": "DOC_ERROR",
    "urgency": "ROUTINE", "edit.1.record": "P-900/B", "edit.1.column": "drawing_rev", "edit.1.new": "C",
}  # fmt: skip
OPENED = {"title": "Thicker flange", "reason": "Cracks", "change_class": "C4", "type": "PRODUCT"}


@pytest.fixture
def revision(story: Story) -> str:
    """The id of P-900/B, released."""
    made: str = story.given(lambda act: make_revision(act, make_part(act, "P-900"), "B", drawing_rev="B").id)
    return made


def one(story: Story, kind: Any) -> Any:
    return story.read(lambda session: session.scalars(select(kind)).one())


def test_anyone_asks_and_engineering_carries_the_request_into_an_order(
    browse: People, story: Story, revision: str
) -> None:
    assert browse(rita).post("/change-requests/new", ASKED).status_code == 303
    asked = one(story, ChangeRequest)
    assert (asked.number, asked.status, asked.originator) == ("CR-000001", "SUBMITTED", "rita")
    page = browse(ella)
    shown = page.get(f"/change-requests/{asked.id}").text
    assert "P-900/B" in shown
    assert "drawing rev was B, and is now C" in shown
    assert page.post(f"/change-requests/{asked.id}/reject", {}).status_code == 422
    assert page.post(f"/change-requests/{asked.id}/accept", {}).status_code == 303
    assert page.post("/changes/new", OPENED | {"request": asked.id}).status_code == 303
    order = one(story, ChangeOrder)
    item = one(story, ChangeItem)
    assert (order.number, order.status) == ("CO-000001", "DRAFT")
    assert (item.row_id, item.column_name, item.old_text, item.new_text, item.change_class) == (
        revision, "drawing_rev", "B", "C", "C3",
    )  # fmt: skip
    assert "drawing rev" in page.get("/changes/CO-000001?tab=changes").text
    for tab in ("summary", "impact", "route", "history"):
        assert page.get(f"/changes/{order.id}?tab={tab}").status_code == 200
    said = {"effectivity_kind": "NEXT_BUILD", "type": "DOCUMENT", "fai": "DELTA", "is_training_required": "true"}
    assert page.post(f"/changes/{order.id}/content", said).status_code == 303
    assert page.post(f"/changes/{order.id}/content", said | {"fai": "NONE", "was_fai": ""}).status_code == 409
    assert "First article NONE DELTA" in page.text
    order = one(story, ChangeOrder)
    assert (order.effectivity_kind, order.type, order.fai, order.is_training_required) == (
        *list(said.values())[:3],
        True,
    )
    assert page.post(f"/changes/{order.id}/content", said | {"effectivity_kind": "DATE"}).status_code == 422
    shown = page.get(f"/changes/{order.id}").text
    assert "What happens now" in shown
    assert "C4, technical major; first article of what changes; people are trained" in shown
    task_id = story.read(
        lambda session: session.scalars(select(Task.id).where(Task.element_id == "write_change")).one()
    )
    review = page.get(f"/tasks/{task_id}").text
    assert "What it changes and touches" in review
    assert "first article of what changes" in review
    assert "CO-000001" in page.get("/changes").text
    assert "CR-000001" in page.get("/change-requests").text


def test_what_was_typed_stays_when_a_request_is_refused(browse: People, story: Story) -> None:
    answer = browse(rita).post("/change-requests/new", ASKED | {"edit.1.record": "P-404/Z"})
    assert answer.status_code == 422
    assert "there is no" in answer.text
    assert "6 mm instead of 5" in answer.text
    assert 'value="P-404/Z"' in answer.text
    assert story.read(lambda session: session.scalars(select(ChangeRequest)).all()) == []


def test_a_letter_that_is_new_makes_the_draft_that_follows(browse: People, story: Story, revision: str) -> None:
    page = browse(ella)
    page.post("/changes/new", OPENED)
    order = one(story, ChangeOrder)
    bill = {"defines": "P-900/B", "kind": "BOM", "system": "PLM", "native_id": "BOM-1", "content_hash": "a" * 64}
    assert "64 hexadecimal" in page.post(f"/changes/{order.id}/references", bill | {"content_hash": "x"}).text
    assert page.post(f"/changes/{order.id}/references", bill).status_code == 303
    assert "P-900/B BOM BOM-1" in page.get(f"/changes/{order.id}?tab=changes").text
    assert page.post(f"/changes/{order.id}/references", {"reference": "P-900/B BOM BOM-1"}).status_code == 422
    answer = page.post(f"/changes/{order.id}/items", {"revision": "P-900/B", "follows": "C", "action": "REVISE"})
    assert answer.status_code == 303
    after = story.read(lambda session: session.scalars(select(PartRevision).where(PartRevision.rev == "C")).one())
    assert (after.status, after.drawing_rev) == (RevisionStatus.DRAFT, "B")
    again = page.post(f"/changes/{order.id}/items", {"revision": "P-900/B", "follows": "C", "action": "REVISE"})
    assert (again.status_code, "is there already" in again.text) == (409, True)


def test_a_value_that_cannot_be_set_is_refused_by_its_field(browse: People, story: Story, revision: str) -> None:
    page = browse(ella)
    page.post("/changes/new", OPENED)
    order = one(story, ChangeOrder)
    address = f"/changes/{order.id}/edits"
    given = {"record": "P-900/B", "column": "drawing_rev", "new": "C"}
    assert "there is no" in page.post(address, given | {"record": "P-1/Q"}).text
    assert "Expected one of drawing_doc" in page.post(address, given | {"column": "weight"}).text
    refused = page.post(address, given | {"column": "rev", "new": "Z"})
    assert (refused.status_code, "to stay as it is" in refused.text) == (409, True)
    assert page.post(address, given).status_code == 303
    assert page.post(address, given | {"new": "D"}).status_code == 303
    assert one(story, ChangeItem).new_text == "D"


def test_who_is_neither_engineering_nor_quality_reads_only(browse: People, story: Story, revision: str) -> None:
    browse(ella).post("/changes/new", OPENED)
    order = one(story, ChangeOrder)
    page = browse(otto)
    assert page.get(f"/changes/{order.id}?tab=changes").status_code == 200
    assert page.get("/changes/new").status_code == 403
    assert page.post(f"/changes/{order.id}/edits", {"record": "P-900/B"}).status_code == 403
    assert page.post(f"/changes/{order.id}/withdraw", {"reason": "no"}).status_code == 403
    assert page.get("/changes/CO-999999").status_code == 404


def test_a_part_shows_the_changes_of_its_revisions_and_asks_for_more(
    browse: People, story: Story, revision: str
) -> None:
    page = browse(ella)
    page.post("/changes/new", OPENED)
    order = one(story, ChangeOrder)
    page.post(f"/changes/{order.id}/items", {"revision": "P-900/B", "follows": "C", "action": "REVISE"})
    part_id = story.read(lambda session: session.get_one(PartRevision, revision).part_id)
    shown = page.get(f"/parts/{part_id}").text
    assert shown.count(">CO-000001</a>") == 2
    assert "edit.1.record=P-900/B" in shown.replace("%2F", "/")
