"""A signing session at a desk: what is asked when, what guessing costs, and whose session it is (D22, W29)."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.audit import AuditEvent, chain_of
from engine.decisions import Decision
from engine.stored.task import Task
from records.notice import Notice
from records.person import Credential, User, UserStatus
from records.signing_policy import WIRED_AS
from tests.people import PASSWORD, adam, lena, rita
from tests.scenarios.desk import signing
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People

BOTH = "Expected login name and password for the first signature"


def waiting(story: Story, count: int) -> list[Task]:
    """Have so many requisitions wait for lena."""
    found = []
    for _ in range(count):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
        found.append(story.as_(lena).task("approve_requisition"))
    return found


def press(browser: Browser, task: Task, **typed: str) -> int:
    """Open the dialog, which is a sign of life, and sign."""
    browser.get(f"/tasks/{task.id}/decide/approve")
    return browser.post(f"/tasks/{task.id}/decide/approve", signing(task, **typed)).status_code


def decided(story: Story) -> list[str]:
    return story.read(lambda session: list(session.scalars(select(Decision.actor_id))))


@pytest.mark.part11("11.200(a)(1)", "11.200(a)(1)(i)", "11.200(a)(1)(ii)", "11.10(d)")
def test_a_day_of_signing_asks_for_both_first_then_for_the_password_and_for_both_again(
    story: Story, browse: People
) -> None:
    """D22: id and password, 6 minutes later the password, 16 idle minutes later both; never on a second device."""
    first, second, third, fourth = waiting(story, 4)
    browser = browse(lena)
    assert press(browser, first, user_id="") == 403
    assert BOTH in browser.text
    assert press(browser, first) == 303
    story.clock.advance(minutes=6)
    browser.get(f"/tasks/{second.id}/decide/approve")
    assert "asks for both" not in browser.text
    assert press(browser, second, user_id="") == 303
    story.clock.advance(minutes=16)
    assert press(browser, third, user_id="") == 403
    assert "or after 15 idle minutes" in browser.text
    assert press(browser, third) == 303
    assert [one.had_both_components for one in story.signatures] == [True, False, True]
    stolen = browser.client.get_cookie("lockstep_session")
    assert stolen is not None
    elsewhere = browse(agent="Chrome on a train")
    elsewhere.client.set_cookie("lockstep_session", stolen.value)
    assert elsewhere.client.post(f"/tasks/{fourth.id}/decide/approve", data=signing(fourth)).status_code in (401, 403)
    assert path_of(elsewhere.get(f"/tasks/{fourth.id}")) == "/sign-in"
    assert path_of(browser.get(f"/tasks/{fourth.id}")) == "/sign-in", "the session of both is over"
    assert len(decided(story)) == 3
    alerts = [
        one.new
        for one in story.read(lambda session: chain_of(session, "user_account", "lena"))
        if one.action == "SECURITY_ALERT"
    ]
    assert len(alerts) == 1
    assert "second device" in alerts[0]


@pytest.mark.part11("11.300(d)", "11.10(e)")
def test_three_wrong_passwords_in_the_dialog_decide_nothing_lock_and_alert_within_a_minute(
    story: Story, browse: People
) -> None:
    """D22, W29: nothing is decided, each attempt is kept, security is told at once, and the account is locked."""
    [task] = waiting(story, 1)
    browser, began = browse(lena), story.clock()
    for _ in range(3):
        assert press(browser, task, password="guess", reason="a long thought") == 403
        assert browser.field("reason") == "a long thought"
    story.clock.advance(seconds=59)
    assert press(browser, task) == 403
    assert "The account is locked" in browser.text
    assert path_of(browse().post("/sign-in", {"sign_in_name": "lena", "sign_in_password": PASSWORD})) == ""
    story.settle()
    assert (decided(story), story.signatures) == ([], [])
    kept = story.read(lambda session: session.scalars(select(AuditEvent).where(AuditEvent.action == "REFUSED")).all())
    of_task = [one for one in kept if one.record_id == task.record_id]
    assert [one.field for one in of_task] == ["WRONG_PASSWORD"] * 3 + ["LOCKED"]
    assert {one.actor for one in of_task} == {lena.principal}
    [alert] = story.read(
        lambda session: session.scalars(
            select(Notice).where(Notice.user_id == adam.id, Notice.key.like("security:%"))
        ).all()
    )
    assert "is locked after 3 wrong passwords" in alert.subject
    assert alert.created_at - began <= dt.timedelta(seconds=60)
    mails = [
        message_from_bytes(path.read_bytes()) for path in Path(story.installation.settings["mail_folder"]).glob("*.eml")
    ]
    assert any(mail["Subject"] == alert.subject for mail in mails)


def test_a_site_that_allows_one_attempt_and_five_minutes_has_it_so(story: Story, browse: People) -> None:
    """The limits are the site's row of signing_policy.dmn; nothing in the program says three or fifteen."""
    extras = story.installation.extras
    strict = replace(
        extras[WIRED_AS], attempts=1, signing_idle=dt.timedelta(minutes=5), locked_for=dt.timedelta(minutes=90)
    )
    extras[WIRED_AS] = strict
    first, second = waiting(story, 2)
    browser = browse(lena)
    assert press(browser, first) == 303
    story.clock.advance(minutes=6)
    assert press(browser, second, user_id="") == 403
    assert "or after 5 idle minutes" in browser.text
    assert press(browser, second, password="guess") == 403
    held, status = story.read(
        lambda session: (session.get_one(Credential, "lena").locked_until, session.get_one(User, "lena").status)
    )
    assert (held, status) == (story.clock() + dt.timedelta(minutes=90), UserStatus.LOCKED)
    assert len(decided(story)) == 1
