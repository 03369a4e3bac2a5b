"""The pages that answer who, what, when, why and under which signature."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import select

from processes import flow_modes
from records.legal_hold import LegalHold
from rules import table_version
from rules.policy import TABLES, read_table, table_called
from rules.table_version import ADOPTED, keep_versions
from tests.people import PASSWORD, bea, gina, lena, otto, pat, quinn, rita
from tests.story import Story
from tests.webapp.conftest import People


@pytest.fixture
def signed(story: Story) -> Story:
    """Have an approved requisition with its order."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    story.as_(lena).decide("approve_requisition", "approve", reason="within budget")
    return story.as_(bea).decide("complete_order", "submit")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_history_shows_the_document_its_lines_its_runs_and_the_signature(signed: Story, browse: People) -> None:
    browser, path = browse(otto), f"/history/requisition/{signed.requisition.id}"
    page = browser.get(path).text
    signature = signed.signatures[0]
    for word in (
        "Requisition line",
        "Instance",
        "Signed: " + signature.printed_name,
        signature.content_hash[:12],
        "within budget",
    ):
        assert word in page
    assert path in browser.get(f"/requisitions/{signed.requisition.id}?tab=history").text


def test_a_history_is_narrowed_by_person_field_and_kind_and_comes_as_csv(signed: Story, browse: People) -> None:
    browser, path = browse(otto), f"/history/requisition/{signed.requisition.id}"
    mine = rows(browser.get(f"{path}.csv?person=user:lena").text)
    assert {one["who"] for one in mine} == {"user:lena"}
    [sign] = rows(browser.get(f"{path}.csv?kind=SIGNED").text)
    assert (sign["reason"], lena.name in sign["signature"]) == ("within budget", True)
    statuses = rows(browser.get(f"{path}.csv?field=status").text)
    assert {one["field"] for one in statuses} == {"status"}
    assert "Nothing fits" in browser.get(f"{path}?person=user:nobody").text
    assert browser.get("/history/requisition/none").status_code == 404
    assert browser.get("/history/user_account/rita").status_code == 404
    assert browser.get(f"{path}?after=none").status_code == 422


def test_the_configuration_history_names_who_changed_what(story: Story, browse: People) -> None:
    with story.installation.acting("user:pat", reason="limits of the new year") as act:
        keep_versions(act, ADOPTED, reason="limits of the new year")
    with story.installation.acting("user:pat") as act:
        flow_modes.propose(act, {"flow": "work_orders", "mode": "OBSERVE", "reason": "two weeks of findings"})
    with story.installation.acting("user:adam", reason="a new job") as act:
        from records.roles import grant, user_called

        grant(act, user_called(act.session, "otto"), "BUYER")
    browser = browse(rita)
    page = browser.get("/configuration-history").text
    for word in ("otto BUYER", "a new job", "two weeks of findings", pat.name):
        assert word in page
    matrix = rows(browser.get("/configuration-history.csv?word=approval_matrix").text)
    assert {(one["record_type"], one["who"]) for one in matrix} >= {("rule_table", "user:pat")}
    assert {one["record_type"] for one in matrix} <= {"rule_table", "definition"}
    roles = rows(browser.get("/configuration-history.csv?kind=Roles&person=user:adam").text)
    assert {one["record_type"] for one in roles} == {"role_grant"}


@pytest.mark.part11("11.10(e)")
def test_a_changed_table_is_told_row_by_row(story: Story, browse: People, monkeypatch: pytest.MonkeyPatch) -> None:
    with story.installation.acting("user:pat") as act:
        keep_versions(act, ADOPTED, reason="as it came")
    source = (TABLES / "waivers.dmn").read_bytes()
    longer = read_table("waivers", source.replace(b"<text>30</text>", b"<text>45</text>", 1))
    monkeypatch.setattr(table_version, "table_called", lambda name: longer if name == "waivers" else table_called(name))
    with story.installation.acting("user:pat") as act:
        assert keep_versions(act, ADOPTED, reason="a month is too short") == ["waivers"]
    browser = browse(rita)
    browser.get("/configuration-history?word=waivers")
    assert "max_days was 30, and is now 45" in browser.text
    [newest, *_] = rows(browser.get("/configuration-history.csv?word=waivers").text)
    assert (newest["who"], newest["reason"]) == ("user:pat", "a month is too short")
    assert "max_days was 30, and is now 45" in newest["in_words"]


def test_a_hold_is_placed_and_lifted_on_its_page(signed: Story, browse: People) -> None:
    signing = {"meaning": "APPROVED", "password": PASSWORD}
    browser = browse(quinn)
    number = signed.order.proposal_no
    wrong = browser.post(
        "/legal-holds", {"record": number, "reason": "claim 12", **signing, "user_id": "quinn", "password": "x"}
    )
    assert (wrong.status_code, "claim 12" in wrong.text) == (403, True)
    placed = browser.post("/legal-holds", {"record": number, "reason": "claim 12", **signing, "user_id": "quinn"})
    assert placed.status_code == 303
    hold = signed.read(lambda session: session.scalars(select(LegalHold)).one())
    assert number in browser.get(f"/legal-holds/{hold.id}").text
    assert "Sign and lift" not in browser.get(f"/legal-holds/{hold.id}").text
    manager = browse(gina)
    lifted = manager.post(f"/legal-holds/{hold.id}", {"reason": "settled", **signing, "user_id": "gina"})
    assert lifted.status_code == 303
    assert "settled" in manager.get(f"/legal-holds/{hold.id}").text
    assert "Place a hold" not in browse(otto).get("/legal-holds").text


def test_checkpoints_and_retention_are_shown(signed: Story, browse: People) -> None:
    browser = browse(otto)
    assert "No checkpoint yet" in browser.get("/checkpoints").text
    assert "Device history" in browser.get("/retention").text
