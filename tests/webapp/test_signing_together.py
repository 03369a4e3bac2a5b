"""Signing several at once: opened first, one password, each its own signature; what is refused harms no other."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.act import Installation
from engine.stored.task import Task
from records.person import Credential, RoleGrant
from records.roles import revoke
from records.signature import Signature
from tests.people import PASSWORD, lena, rita
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People


@pytest.fixture
def waiting(story: Story) -> list[Task]:
    """Three requisitions that wait for lena."""
    found = []
    for title in ("Brackets", "Plates", "Pins"):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title=title)
        found.append(story.as_(lena).task("approve_requisition"))
    return found


def open_each(browser: Browser, house: Installation, tasks: list[Task]) -> None:
    """Look at tasks as a browser does, which notes the version on the screen."""
    for task in tasks:
        page = browser.get(f"/tasks/{task.id}")
        version = page.text.partition('data-version="')[2].partition('"')[0]
        assert browser.post(f"/tasks/{task.id}/seen", {"version": version}).status_code == 204


def typed(tasks: list[Task], **fields: str) -> dict[str, object]:
    versions = {f"version_{task.id}": str(task.version) for task in tasks}
    return {
        "task": [task.id for task in tasks], "verdict": "approve", "meaning": "APPROVED", "user_id": "lena",
        "password": PASSWORD, **versions, **fields,
    }  # fmt: skip


def signatures(house: Installation) -> list[Signature]:
    with house.reading() as session:
        return list(session.scalars(select(Signature).where(Signature.signer_id == "lena")))


@pytest.mark.part11("11.50(a)", "11.70")
def test_one_password_signs_each_that_was_opened_with_a_row_and_a_hash_of_its_own(
    browse: People, house: Installation, waiting: list[Task]
):
    browser = browse(lena)
    open_each(browser, house, waiting)
    browser.get("/inbox/sign")
    assert browser.text.count("Opened, version") == 3
    answer = browser.post("/inbox/sign", typed(waiting, reason="in budget"))
    assert (answer.status_code, path_of(answer)) == (303, "/inbox")
    rows = signatures(house)
    assert {row.record_id: row.content_hash for row in rows} == {task.record_id: task.record_hash for task in waiting}
    assert {(row.meaning, row.reason, row.had_both_components) for row in rows} == {("APPROVED", "in budget", True)}
    assert len({row.decision_id for row in rows}) == 3


def test_what_was_never_opened_is_refused_by_name_and_the_others_are_signed(
    browse: People, house: Installation, waiting: list[Task]
):
    browser = browse(lena)
    open_each(browser, house, waiting[:2])
    browser.get("/inbox/sign")
    assert "not opened yet" in browser.text
    assert browser.page is not None
    assert f'value="{waiting[2].id}"' not in browser.page.text
    answer = browser.post("/inbox/sign", typed(waiting))
    assert answer.status_code == 200
    assert "2 of 3 signed" in browser.text
    assert f"{waiting[2].record_number} is not signed" in browser.text
    assert "you never opened it" in browser.text
    assert len(signatures(house)) == 2


def test_a_version_older_than_the_document_is_not_opened(browse: People, house: Installation, waiting: list[Task]):
    browser = browse(lena)
    open_each(browser, house, waiting[1:])
    assert browser.post(f"/tasks/{waiting[0].id}/seen", {"version": "1"}).status_code == 204
    browser.post("/inbox/sign", typed(waiting))
    assert "but you saw version 1" in browser.text
    assert len(signatures(house)) == 2


@pytest.mark.part11("11.300(d)")
def test_a_wrong_password_counts_once_for_all_of_them_and_signs_nothing(
    browse: People, house: Installation, waiting: list[Task]
):
    browser = browse(lena)
    open_each(browser, house, waiting)
    answer = browser.post("/inbox/sign", typed(waiting, password="not this one", reason="long thought"))
    assert answer.status_code == 403
    assert "this is another one" in browser.text
    assert browser.field("reason") == "long thought"
    assert signatures(house) == []
    with house.reading() as session:
        assert session.get_one(Credential, "lena").failed_attempts == 1


def test_nothing_ticked_no_verdict_and_a_missing_reason_are_said_by_the_field(
    browse: People, house: Installation, waiting: list[Task]
):
    browser = browse(lena)
    open_each(browser, house, waiting)
    assert browser.post("/inbox/sign", typed([])).status_code == 422
    assert "Tick what you sign" in browser.text
    assert browser.post("/inbox/sign", typed(waiting, verdict="ask")).status_code == 422
    assert browser.post("/inbox/sign", typed(waiting, meaning="")).status_code == 422
    browser.post("/inbox/sign", typed(waiting, verdict="reject", meaning="REJECTED"))
    assert "0 of 3 signed" in browser.text
    assert "Expected a reason for reject" in browser.text
    assert signatures(house) == []


def test_two_tabs_that_sign_the_same_make_one_signature_each(browse: People, house: Installation, waiting: list[Task]):
    first, second = browse(lena), browse(lena)
    open_each(first, house, waiting)
    assert first.post("/inbox/sign", typed(waiting[:2])).status_code == 303
    second.post("/inbox/sign", typed(waiting))
    assert "1 of 3 signed" in second.text
    assert "decided by Lena Fischer" in second.text
    assert len(signatures(house)) == 3


@pytest.mark.part11("11.10(d)", "11.10(g)")
def test_who_loses_the_role_between_opening_and_signing_signs_nothing_and_loses_no_text(
    browse: People, house: Installation, story: Story, waiting: list[Task]
):
    browser = browse(lena)
    open_each(browser, house, waiting)
    story.clock.advance(minutes=1)
    with house.acting("user:adam") as act:
        for held in act.session.scalars(select(RoleGrant).where(RoleGrant.user_id == "lena")):
            revoke(act, held)
    story.clock.advance(minutes=1)
    answer = browser.post(
        f"/tasks/{waiting[0].id}/decide/approve",
        {"seen_version": str(waiting[0].version), "meaning": "APPROVED", "user_id": "lena", "password": PASSWORD, "reason": "kept text"},
    )  # fmt: skip
    assert answer.status_code == 403
    assert "that ended since this task was opened; what you typed is kept" in browser.text
    assert browser.post("/inbox/sign", typed(waiting)).status_code == 200
    assert "0 of 3 signed" in browser.text
    assert signatures(house) == []
    with house.acting("user:adam") as act:
        from records.roles import grant, user_called

        grant(act, user_called(act.session, "lena"), "PUR_LEAD")
    browser.get(f"/tasks/{waiting[0].id}/decide/approve")
    assert browser.field("reason").strip() == "kept text"
