"""The mismatch inbox shows what does not agree, with both values, and its owner settles it with a reason."""

from __future__ import annotations

import pytest

from engine.act import Act
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Severity
from tests.makers import make_order
from tests.people import bea, ivan, rita
from tests.story import Story
from tests.webapp.conftest import People


@pytest.fixture
def mismatch(story: Story) -> str:
    """Open a mismatch of a billed price, which is the buyer's."""

    def made(act: Act) -> str:
        order = make_order(act)
        found = Discrepancy(
            document_type=order.record_type, document_id=order.id, document_number=order.number,
            field="lines.1.invoice_price", system="TRYTON", kind=DiscrepancyKind.PRICE, severity=Severity.MAJOR,
            ours="42.5000", theirs="=46.7500 (invoice 26)", owner="role:BUYER", opened_at=act.now,
        )  # fmt: skip
        act.session.add(found)
        act.session.flush()
        return found.id

    return story.given(made)


def standing(story: Story, mismatch: str) -> Discrepancy:
    return story.read(lambda session: session.get_one(Discrepancy, mismatch))


def test_both_values_stand_in_words_on_the_list_and_on_its_page(browse: People, mismatch: str) -> None:
    browser = browse(rita)
    for path in (
        "/mismatches",
        "/mismatches?kind=PRICE&severity=MAJOR&owner=role:BUYER&age=0&q=46.75",
        f"/mismatches/{mismatch}",
    ):
        page = browser.get(path)
        assert page.status_code == 200
        assert all(text in page.text for text in ("Billed price, line 1", "42.5000", "=46.7500 (invoice 26)", "Buyer"))
    assert "Nothing fits" in browser.get("/mismatches?kind=REV").text
    assert browser.get("/mismatches?age=2").status_code == 422
    assert browser.get("/mismatches/nowhere").status_code == 404


def test_a_spreadsheet_gets_text_and_no_formula(browse: People, mismatch: str) -> None:
    file = browse(rita).get("/mismatches.csv")
    assert file.mimetype == "text/csv"
    assert "42.5000,'=46.7500 (invoice 26)" in file.text


def test_its_owner_settles_it_with_a_reason(browse: People, story: Story, mismatch: str) -> None:
    browser = browse(bea)
    browser.get(f"/mismatches/{mismatch}")
    assert browser.post(f"/mismatches/{mismatch}", {"reason": " "}).status_code == 422
    assert standing(story, mismatch).status is DiscrepancyStatus.OPEN
    assert browser.post(f"/mismatches/{mismatch}", {"reason": "Alloy surcharge, as agreed"}).status_code == 303
    settled = standing(story, mismatch)
    assert (settled.status, settled.resolution) == (DiscrepancyStatus.RESOLVED, "Alloy surcharge, as agreed")
    assert browser.post(f"/mismatches/{mismatch}", {"reason": "once more"}).status_code == 409
    assert "Alloy surcharge" in browser.get(f"/mismatches/{mismatch}").text
    assert "Billed price" in browser.get("/mismatches?state=RESOLVED").text


def test_integration_settles_for_others_and_nobody_else_does(browse: People, story: Story, mismatch: str) -> None:
    refused = browse(rita)
    assert "How it was settled" not in refused.get(f"/mismatches/{mismatch}").text
    assert refused.post(f"/mismatches/{mismatch}", {"reason": "mine"}).status_code == 403
    helper = browse(ivan)
    helper.get(f"/mismatches/{mismatch}")
    assert helper.post(f"/mismatches/{mismatch}", {"reason": "typed twice in the ERP"}).status_code == 303
    assert standing(story, mismatch).status is DiscrepancyStatus.RESOLVED


def test_the_order_page_names_it_in_words(browse: People, story: Story, mismatch: str) -> None:
    order = standing(story, mismatch).document_id
    page = browse(bea).get(f"/orders/{order}").text
    assert "Billed price, line 1" in page
    assert f"/mismatches/{mismatch}" in page


def test_programs_read_both_values(browse: People, mismatch: str) -> None:
    browser = browse(bea)
    listed = browser.get("/api/v1/mismatches?kind=PRICE&q=invoice").json
    assert [(one["field"], one["ours"], one["between_papers"]) for one in listed["items"]] == [
        ("lines.1.invoice_price", "42.5000", True)
    ]
    assert browser.get("/api/v1/mismatches?status=RESOLVED").json["items"] == []
    assert browser.get(f"/api/v1/mismatches/{mismatch}").json["owner"] == "role:BUYER"
    assert browser.get("/api/v1/mismatches/nowhere").status_code == 404
