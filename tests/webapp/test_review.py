"""The review page: who may decide, how one signs, and what happens to what came too late."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import event, select

from engine.act import Installation
from engine.audit import AuditEvent
from engine.decisions import Decision
from engine.drafts import draft_of
from engine.stored.task import Task
from records.comment import Comment
from records.demo_people import Member
from records.notice import Notice
from records.requisition import RequisitionStatus
from rules.policy import TABLES, read_table
from tests.clock import SettableClock
from tests.makers import make_absence, make_grant
from tests.people import PASSWORD, adam, bea, carl, lena, max_, otto, quinn, rita, sam
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People
from webapp.app import create_app


def submitted(story: Story, quantity: int = 50) -> Task:
    """Return lena's task: rita asked for 50 × 42.50."""
    return story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity)]).as_(lena).task("approve_requisition")


def signing(task: Task, member: Member = lena, **fields: str) -> dict[str, str]:
    """Return what the signature dialog sends."""
    return {
        "seen_version": str(task.version), "meaning": "APPROVED", "user_id": member.id, "password": PASSWORD,
        "accepts_responsibility": "true",
    } | fields  # fmt: skip


@pytest.mark.part11("11.50(b)")
def test_an_approver_signs_and_the_requisition_moves_on(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    browser.get(f"/tasks/{task.id}")
    assert "2,125.00 USD" in browser.text
    assert "Rita Okafor" in browser.text
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, reason="Agrees with the contract"))
    assert answer.status_code == 303
    assert path_of(answer) == "/inbox"
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    signature = story.signatures[-1]
    assert (signature.signer_id, signature.meaning, signature.reason) == (
        "lena",
        "APPROVED",
        "Agrees with the contract",
    )
    browser.get("/inbox")
    assert "Signed by Lena Fischer, Purchasing lead, as approved" in browser.text
    assert signature.content_hash[:12] in browser.text


@pytest.mark.part11("11.50(a)")
def test_the_dialog_says_exactly_what_is_signed_and_chooses_no_meaning(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    browser.get(f"/tasks/{task.id}/decide/approve")
    assert f"You sign: approve {story.requisition.number}" in browser.text
    assert (task.record_hash or "")[:12] in browser.text
    assert "1 line, 0 differences, 0 of 1 viewed" in browser.text
    assert browser.page is not None
    assert '<option value="" selected' not in browser.page.text
    assert re.search(r'<option value="APPROVED"\s*selected', browser.page.text) is None
    assert re.search(r'name="password"[^>]*value="[^"]', browser.page.text) is None


def test_without_a_meaning_nothing_is_signed_and_the_text_stays(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, meaning="", reason="Fine by me"))
    assert answer.status_code == 422
    assert "Choose what your signature means" in browser.text
    assert browser.field("reason") == "Fine by me"
    assert story.signatures == []


def test_a_rejection_needs_a_reason(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/reject", signing(task, meaning="REJECTED"))
    assert answer.status_code == 422
    assert "mandatory for reject" in browser.text
    assert story.task("approve_requisition").id == task.id
    answer = browser.post(f"/tasks/{task.id}/decide/reject", signing(task, meaning="REJECTED", reason="No budget"))
    assert answer.status_code == 303
    assert story.requisition.status is RequisitionStatus.REJECTED


def test_three_wrong_passwords_sign_nothing_and_security_hears_of_it(browse: People, story: Story):
    """W29."""
    task = submitted(story)
    browser = browse(lena)
    for _ in range(3):
        answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, password="guess", reason="Fine"))
        assert answer.status_code == 403
        assert "Expected your password, but this is another one" in browser.text
        assert browser.field("reason") == "Fine"
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task))
    assert answer.status_code == 403
    assert "The account is locked" in browser.text
    assert story.read(lambda session: session.scalars(select(Decision)).all()) == []
    refused = story.read(
        lambda session: session.scalars(select(AuditEvent).where(AuditEvent.action == "REFUSED")).all()
    )
    assert [event.field for event in refused].count("WRONG_PASSWORD") == 3
    told = story.read(lambda session: session.scalars(select(Notice).where(Notice.user_id == adam.id)).all())
    assert any("is locked after 3 wrong passwords" in notice.subject for notice in told)


def test_a_later_signature_of_the_session_asks_for_the_password_alone(
    browse: People, story: Story, clock: SettableClock
):
    first = submitted(story)
    browser = browse(lena)
    browser.post(f"/tasks/{first.id}/decide/approve", signing(first))
    second = submitted(story, 60)
    clock.advance(minutes=6)
    browser.get(f"/tasks/{second.id}/decide/approve")
    assert 'name="user_id"' not in (browser.page.text if browser.page else "")
    form = {key: value for key, value in signing(second).items() if key != "user_id"}
    assert browser.post(f"/tasks/{second.id}/decide/approve", form).status_code == 303
    third = submitted(story, 70)
    clock.advance(minutes=16)
    browser.get(f"/tasks/{third.id}/decide/approve")
    assert 'name="user_id"' in (browser.page.text if browser.page else "")


def test_the_requester_sees_no_approve_on_their_own_requisition(browse: People, story: Story, house: Installation):
    """W5: not on the page, not in the dialog, not by sending the form; and the rule is named."""
    story.given(lambda act: make_grant(act, "rita", "PUR_LEAD"))
    task = submitted(story)
    browser = browse(rita)
    assert browser.get(f"/tasks/{task.id}").status_code == 200
    assert browser.page is not None
    assert "/decide/approve" not in browser.page.text
    assert "SOD-1" in browser.text
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, rita))
    assert answer.status_code == 403
    assert "SOD-1" in browser.text
    assert story.signatures == []


def test_a_deputy_of_the_requester_may_not_approve_either(browse: People, story: Story):
    """W5, SOD-13: the deputy of somebody who was barred is barred."""

    def arrange(act):
        make_grant(act, "rita", "PUR_LEAD")
        make_absence(act, "rita", "otto", starts_at=act.now)

    story.given(arrange)
    task = submitted(story)
    browser = browse(otto)
    assert browser.get(f"/tasks/{task.id}").status_code == 200
    assert "/decide/approve" not in (browser.page.text if browser.page else "")
    assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task, otto)).status_code == 403


@pytest.mark.parametrize("member", [otto, bea, adam], ids=lambda member: member.id)
def test_somebody_elses_task_is_not_found_by_its_address(browse: People, story: Story, member: Member):
    task = submitted(story)
    browser = browse(member)
    assert browser.get(f"/tasks/{task.id}").status_code == 404
    assert browser.get(f"/tasks/{task.id}/decide/approve").status_code == 404
    assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task, member)).status_code == 404
    assert browser.post(f"/tasks/{task.id}/draft", {"reason": "x"}).status_code == 404
    assert browser.post(f"/tasks/{task.id}/comments", {"comment": "x"}).status_code == 404
    assert browser.post(f"/tasks/{task.id}/claim").status_code == 404


@pytest.mark.parametrize("task_id", ["17", "not-an-id", "01a2044d-ad0e-77af-8c24-f2a8c2f2c129", "x" * 36, "a" * 5000])
def test_an_unknown_task_is_not_found(browse: People, task_id: str):
    browser = browse(lena)
    assert browser.get(f"/tasks/{task_id}").status_code == 404
    assert "This is not here" in browser.text
    assert browser.post(f"/tasks/{task_id}/decide/approve", {"seen_version": "1"}).status_code == 404


def test_an_unknown_verdict_is_not_found(browse: People, story: Story):
    task = submitted(story)
    assert browse(lena).get(f"/tasks/{task.id}/decide/promote").status_code == 404


@pytest.mark.part11("11.70")
def test_a_stale_form_is_refused_and_its_text_kept(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, seen_version="99", reason="My reasons"))
    assert answer.status_code == 409
    assert browser.field("reason") == "My reasons"
    assert story.task("approve_requisition").id == task.id


def test_a_double_click_decides_once(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task)).status_code == 303
    again = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, reason="Again"))
    assert again.status_code == 409
    assert "decided by Lena Fischer" in browser.text
    assert len(story.read(lambda session: session.scalars(select(Decision)).all())) == 1


def test_a_forged_field_is_refused(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, **{"data.verdict": "approve"}))
    assert answer.status_code == 422
    assert "Expected only the fields of this form" in browser.text
    assert story.signatures == []


def test_ten_megabytes_of_reason_get_a_clear_answer(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/reject", signing(task, meaning="REJECTED", reason="x" * 10_000_000))
    assert answer.status_code == 413
    assert "Expected at most 500 kB of text" in browser.text
    answer = browser.post(f"/tasks/{task.id}/decide/reject", signing(task, meaning="REJECTED", reason="x" * 100_000))
    assert answer.status_code == 422
    assert "Expected at most 4,000 characters, but found 100,000" in browser.text


def test_control_characters_in_a_reason_are_refused(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/reject", signing(task, meaning="REJECTED", reason="no\x07pe"))
    assert answer.status_code == 422


@pytest.mark.parametrize("partial", [True, False])
def test_a_nul_in_a_form_is_refused_and_the_form_drawn_again_with_the_text(browse: People, story: Story, partial: bool):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(
        f"/tasks/{task.id}/decide/reject", signing(task, meaning="REJECTED", reason="no\x00pe, too dear"),
        headers={"HX-Request": "true"} if partial else {},
    )  # fmt: skip
    assert answer.status_code == 422
    assert browser.field("reason") == "nope, too dear"
    assert "Expected plain text, but found a NUL character" in browser.text
    assert story.read(lambda session: session.get_one(Task, task.id).state) == "OPEN"
    assert browser.get(f"/tasks/{task.id}?tab=nu%00l").status_code == 422


def test_what_others_type_is_shown_as_text(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    assert browser.post(f"/tasks/{task.id}/comments", {"comment": "<script>alert(1)</script>"}).status_code == 303
    page = browser.get(f"/tasks/{task.id}?tab=discussion").text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_an_empty_comment_says_so(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    assert browser.post(f"/tasks/{task.id}/comments", {"comment": "  "}).status_code == 422


def test_a_draft_is_kept_with_its_time_and_shown_again(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/draft", {"verdict": "reject", "reason": "Half a sentence"})
    assert answer.json == {"saved": "09:00"}
    browser.get(f"/tasks/{task.id}/decide/reject")
    assert browser.field("reason") == "Half a sentence"
    browser.get("/inbox?box=groups")
    assert "You have a draft here" in (browser.page.text if browser.page else "")


def test_claiming_takes_a_task_out_of_the_group_and_releasing_gives_it_back(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    assert browser.post(f"/tasks/{task.id}/claim", {"way": "claim"}).status_code == 303
    browser.get("/inbox?box=mine")
    assert story.requisition.number in browser.text
    assert browser.post(f"/tasks/{task.id}/claim", {"way": "release"}).status_code == 303
    browser.get("/inbox?box=mine")
    assert "All clear" in browser.text


def test_an_escalation_meanwhile_refuses_the_former_approver_and_keeps_the_text(browse: People, story: Story):
    """W17: the stated policy applies, with the time; the text is kept; there is no second verdict."""
    task = submitted(story)
    browser = browse(lena)
    browser.get(f"/tasks/{task.id}/decide/approve")
    story.after(days=9)
    story.clock.advance(minutes=5)
    browser.sign_in(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, reason="I was on my way"))
    assert answer.status_code == 409
    assert "escalated to" in browser.text
    assert "It has been escalated" in browser.text
    assert "escalated to Purchasing manager at 09:00" in browser.text
    draft = story.read(lambda session: draft_of(session, task.id, lena.id))
    assert draft is not None
    assert draft.reason == "I was on my way"
    assert story.read(lambda session: session.scalars(select(Decision)).all()) == []


def test_why_me_names_the_role_and_the_row(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    browser.get(f"/tasks/{task.id}")
    assert "Why me?" in browser.text
    assert "You are Purchasing lead" in browser.text
    assert "Band B1" in browser.text


def test_every_part_of_a_review_opens(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    for tab in ("summary", "changes", "impact", "documents", "discussion", "route", "history", "nonsense"):
        assert browser.get(f"/tasks/{task.id}?tab={tab}").status_code == 200, tab
    browser.get(f"/tasks/{task.id}?tab=history")
    assert "unbroken" in browser.text
    browser.get(f"/tasks/{task.id}?tab=changes")
    assert "Submitted for the first time" in browser.text
    browser.get(f"/tasks/{task.id}?tab=impact")
    assert "nothing is in stock, on order" in browser.text


def test_the_impact_of_a_requisition_is_what_there_is_of_its_parts_beside_itself(browse: People, story: Story):
    task = submitted(story)
    other = story.as_(rita).start("requisition_to_po", lines=[("P-100", 70)])
    page = browse(lena).get(f"/tasks/{task.id}?tab=impact").text.replace("\N{NO-BREAK SPACE}", " ")
    assert "1 row, 70 EA" in page
    assert f"/requisitions/{other.requisition_id}" in page
    assert f"/requisitions/{task.record_id}" not in page.partition("review-body")[2]


def test_a_returned_requisition_shows_what_was_corrected(browse: People, story: Story):
    task = submitted(story)
    browse(lena).post(f"/tasks/{task.id}/decide/return", signing(task, meaning="REJECTED", reason="Ask for 60"))
    story.after(hours=1)
    requester = browse(rita)
    page = requester.get(f"/requisitions/{story.requisition_id}/edit")
    assert page.status_code == 200
    form = _form_of(requester)
    kept = requester.post(
        f"/requisitions/{story.requisition_id}/edit", form | {"lines.0.quantity": "60", "way": "keep"}
    )
    correction = story.as_(rita).task("correct_requisition")
    assert path_of(kept) == f"/tasks/{correction.id}", "whoever corrected it resubmits it next"
    assert f"/requisitions/{story.requisition_id}/edit" in requester.get(f"/tasks/{correction.id}").text
    answer = requester.post(f"/tasks/{correction.id}/decide/resubmit", {"seen_version": str(correction.version)})
    assert answer.status_code == 303
    story.settle()
    again = story.as_(lena).task("approve_requisition")
    reviewer = browse(lena)
    reviewer.get(f"/tasks/{again.id}?tab=changes")
    assert reviewer.page is not None
    assert 'data-sentence="Line 1: quantity was 50 EA, and is now 60 EA."' in reviewer.page.text
    assert "changed: quantity was: 50 EA now: 60 EA +10, +20 %" in reviewer.text


def returned_and_corrected(browse: People, story: Story, **changed: str) -> Task:
    """Let lena return rita's requisition, and rita send it again with other values; return lena's new task."""
    task = submitted(story)
    browse(lena).post(f"/tasks/{task.id}/decide/return", signing(task, meaning="REJECTED", reason="Ask for 60"))
    story.after(hours=1)
    return corrected(browse, story, **changed)


def corrected(browse: People, story: Story, **changed: str) -> Task:
    """Let rita change her returned requisition and send it again."""
    requester = browse(rita)
    requester.get(f"/requisitions/{story.requisition_id}/edit")
    sent = _form_of(requester) | {name.replace("__", "."): text for name, text in changed.items()}
    requester.post(f"/requisitions/{story.requisition_id}/edit", sent | {"way": "keep"})
    correction = story.as_(rita).task("correct_requisition")
    requester.post(f"/tasks/{correction.id}/decide/resubmit", {"seen_version": str(correction.version)})
    story.settle()
    return story.as_(lena).task("approve_requisition")


def tick(browser: Browser, task: Task, path: str, **more: str) -> int:
    """Press View at a line as it is shown now; return the answer's status."""
    page = browser.get(f"/tasks/{task.id}?tab={more.pop('tab', 'changes')}").text
    shown = re.search(rf'name="path" value="{path}"><input type="hidden" name="hash" value="([0-9a-f]+)"', page)
    assert shown is not None
    return browser.post(f"/tasks/{task.id}/viewed", {"path": path, "hash": shown[1], **more}).status_code


def test_viewing_a_line_is_ticked_and_taken_back(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    line = story.requisition.lines[0]
    assert tick(browser, task, line.id, tab="summary") == 303
    browser.get(f"/tasks/{task.id}/decide/approve")
    assert "1 of 1 viewed" in browser.text
    assert tick(browser, task, line.id, tab="summary", way="forget") == 303
    browser.get(f"/tasks/{task.id}/decide/approve")
    assert "0 of 1 viewed" in browser.text


def test_a_tick_falls_by_itself_when_its_line_says_another_thing_and_stays_when_another_line_does(
    browse: People, story: Story
):
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50), ("P-100", 7)])
    task = story.as_(lena).task("approve_requisition")
    first, second = story.requisition.lines
    browser = browse(lena)
    assert tick(browser, task, first.id, tab="summary") == 303
    assert tick(browser, task, second.id, tab="summary") == 303
    browser.post(f"/tasks/{task.id}/decide/return", signing(task, meaning="REJECTED", reason="Ask for 60"))
    story.after(hours=1)
    task = corrected(browse, story, lines__0__quantity="60", lines__1__quantity="8")
    browser = browse(lena)
    assert tick(browser, task, first.id) == 303
    assert tick(browser, task, second.id) == 303
    browser.get(f"/tasks/{task.id}?tab=changes")
    assert "2 of 2 viewed" in browser.text
    browser.post(f"/tasks/{task.id}/decide/return", signing(task, meaning="REJECTED", reason="70, please"))
    story.after(hours=1)
    task = corrected(browse, story, lines__0__quantity="70")
    browser = browse(lena)
    browser.get(f"/tasks/{task.id}?tab=changes")
    assert "1 difference from the last time it was submitted: 1 changed" in browser.text
    assert "0 of 1 viewed" in browser.text


def test_a_line_that_changed_since_it_was_shown_is_not_ticked(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    line = story.requisition.lines[0]
    answer = browser.post(f"/tasks/{task.id}/viewed", {"path": line.id, "hash": "0" * 64})
    assert answer.status_code == 409
    assert browser.post(f"/tasks/{task.id}/viewed", {"path": "nothing", "hash": "0" * 64}).status_code == 409


def test_a_reviewer_compares_with_what_they_saw_last(browse: People, story: Story):
    task = returned_and_corrected(browse, story, lines__0__quantity="60")
    browser = browse(lena)
    browser.post(f"/tasks/{task.id}/seen", {"version": str(story.requisition.version)})
    story.after(hours=2)
    page = browse(lena)
    page.get(f"/tasks/{task.id}?tab=changes")
    assert "1 difference from the last time it was submitted" in page.text
    page.get(f"/tasks/{task.id}?tab=changes&since=look")
    assert "No difference" in page.text
    assert "which you saw last" in page.text


def test_two_columns_and_one_are_links(browse: People, story: Story):
    task = returned_and_corrected(browse, story, title="Brackets, blue")
    browser = browse(lena)
    page = browser.get(f"/tasks/{task.id}?tab=changes&view=sides").text
    assert "redline-wide" in page
    assert 'data-key="sides">Unified</a>' in page
    assert "1 clerical change" in browser.text
    assert 'href="#difference-1"' in page


def test_a_blocking_comment_on_a_line_keeps_the_approval_back_until_its_author_resolves_it(
    browse: People, story: Story
):
    task = returned_and_corrected(browse, story, lines__0__quantity="60")
    line = story.requisition.lines[0]
    browser = browse(lena)
    said = {"comment": "Why 60? <b>", "path": line.id, "at_line": "true", "is_blocking": "true"}
    beside = {"Referer": "http://localhost/inbox?box=groups&task=another&tab=route"}
    answer = browser.post(f"/tasks/{task.id}/comments?next=later", said, headers=beside)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/inbox?box=groups&next=later&tab=changes&task={task.id}"
    assert "Why 60?" in browser.get(answer.headers["Location"]).text
    browser.post("/inbox/bulk", {"do": "approve", "task": [task.id]})
    assert "1 selected, 0 can be signed now" in browser.text
    assert "Not to be approved yet. Expected no open blocking comment" in browser.text
    page = browser.get(f"/tasks/{task.id}?tab=changes").text
    assert "Why 60? &lt;b&gt;" in page
    assert f"/tasks/{task.id}/decide/approve" not in page
    assert "Expected no open blocking comment, but that of Lena Fischer on Line 1 is not resolved" in browser.text
    refused = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, reason="Fine after all"))
    assert refused.status_code == 409
    assert "REVIEW-1" in browser.text
    assert story.signatures[-1].meaning == "REJECTED"
    draft = story.read(lambda session: draft_of(session, task.id, lena.id))
    assert draft is not None
    assert draft.reason == "Fine after all"
    assert f"/tasks/{task.id}/decide/return" in browser.get(f"/tasks/{task.id}").text
    browser.get(f"/tasks/{task.id}?tab=discussion")
    assert "Lena Fischer on Line 1" in browser.text
    (comment,) = story.read(lambda session: session.scalars(select(Comment)).all())
    stranger = browse(rita)
    assert stranger.post(f"/comments/{comment.id}/resolve").status_code == 403
    author = browse(lena)
    assert author.post(f"/comments/{comment.id}/resolve", {"back_to": f"/tasks/{task.id}"}).status_code == 303
    assert author.post(f"/comments/{comment.id}/resolve").status_code == 409
    assert author.post(f"/tasks/{task.id}/decide/approve", signing(task)).status_code == 303


def test_a_remark_on_a_line_that_did_not_change_is_refused(browse: People, story: Story):
    task = submitted(story)
    said = {"comment": "Which line?", "path": "no-such-line", "at_line": "true"}
    assert browse(lena).post(f"/tasks/{task.id}/comments", said).status_code == 422
    assert browse(lena).post(f"/comments/{task.id}/resolve").status_code == 404


def test_a_policy_may_want_every_changed_line_viewed_before_an_approval(
    browse: People, story: Story, monkeypatch: pytest.MonkeyPatch
):
    source = (TABLES / "review_policy.dmn").read_bytes().replace(b'<text>"free"</text>', b'<text>"all"</text>', 1)
    strict = read_table("review_policy", source)
    monkeypatch.setattr("rules.reviewing.table_called", lambda name: strict)
    task = returned_and_corrected(browse, story, lines__0__quantity="60")
    line = story.requisition.lines[0]
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task))
    assert answer.status_code == 409
    assert "Expected every changed line to be viewed before an approval, but 1 is not: Line 1." in browser.text
    assert tick(browser, task, line.id) == 303
    assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task)).status_code == 303


def test_the_version_one_has_seen_is_told(browse: People, story: Story):
    task = submitted(story)
    browser = browse(lena)
    version = story.requisition.version
    assert browser.post(f"/tasks/{task.id}/seen", {"version": str(version - 1)}).status_code == 204
    browser.get(f"/tasks/{task.id}")
    assert f"Version {version} – you saw {version - 1}" in browser.text


def test_a_reader_decides_without_a_script(browse: People, story: Story):
    """The links of the bar are pages of their own, with an ordinary form."""
    task = submitted(story)
    browser = browse(lena)
    page = browser.get("/inbox").text
    link = re.search(r'href="(/tasks/[^"]+/decide/approve[^"]*)"', page)
    assert link is not None
    browser.get(link[1].replace("&amp;", "&"))
    assert browser.page is not None
    assert f'action="/tasks/{task.id}/decide/approve"' in browser.page.text
    assert "<html" in browser.page.text


def test_the_requester_reads_what_became_of_a_decided_task(browse: People, story: Story):
    task = submitted(story)
    browse(lena).post(f"/tasks/{task.id}/decide/approve", signing(task))
    browser = browse(rita)
    assert browser.get(f"/tasks/{task.id}").status_code == 200
    assert "Approved by Lena Fischer, 09:00." in browser.text
    assert "/decide/" not in (browser.page.text if browser.page else "")


@pytest.fixture
def two_databases(plant: Installation, clock: SettableClock) -> tuple[Installation, Story]:
    """Return a plant on SQLite and on PostgreSQL."""
    return plant, Story(plant, clock)


def test_of_two_who_press_approve_one_wins_and_the_other_reads_who(two_databases: tuple[Installation, Story]):
    """W1: one decision, the other sees who won, her text is a draft, the flow went on once."""
    wired, story = two_databases
    story.given(lambda act: make_grant(act, "max", "PUR_LEAD"))
    task = submitted(story)
    app = create_app(wired, secret_key="only for tests")
    first, second = Browser(app).sign_in(lena), Browser(app, agent="Safari on a phone").sign_in(max_)
    second.get(f"/tasks/{task.id}/decide/approve")
    assert first.post(f"/tasks/{task.id}/decide/approve", signing(task, reason="First")).status_code == 303
    late = second.post(f"/tasks/{task.id}/decide/approve", signing(task, max_, reason="I agree, with thanks"))
    assert late.status_code == 409
    assert "decided by Lena Fischer 09:00" in second.text
    assert second.field("reason") == "I agree, with thanks"
    draft = story.read(lambda session: draft_of(session, task.id, max_.id))
    assert draft is not None
    assert draft.reason == "I agree, with thanks"
    assert len(story.read(lambda session: session.scalars(select(Decision)).all())) == 1
    assert len([one for one in story.signatures if one.signer_id == "lena"]) == 1


def _form_of(browser: Browser) -> dict[str, str]:
    """Return the fields of the page's form as a browser would send them."""
    assert browser.page is not None
    text, form = browser.page.text, {}
    for name in re.findall(r'<(?:input|textarea)[^>]*name="([^"]+)"', text):
        if name not in ("form_proof", "theme", "back", "keys") and "is_single_source" not in name:
            form[name] = browser.field(name)
    for name, body in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, flags=re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        form[name] = chosen[1] if chosen else ""
    return form


def test_quality_and_commerce_decide_in_their_own_stages(browse: People, story: Story):
    """The route shows stages with names; a stage that is not reached yet cannot be decided."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 300)])
    mine = story.as_(max_).task("approve_requisition")
    browser = browse(max_)
    browser.get(f"/tasks/{mine.id}?tab=route")
    assert "Commercial" in browser.text
    assert "Max Lindgren" in browser.text
    assert "Carl Jensen" in browser.text
    assert browse(quinn).get(f"/tasks/{mine.id}").status_code == 404
    assert browse(carl).get(f"/tasks/{mine.id}").status_code == 404


def test_a_deputy_decides_on_behalf_of_the_absent_for_the_flows_named(browse: People, story: Story):
    """W9: the purchasing task goes to the deputy with "on behalf of"; one of another flow would not."""

    def arrange(act):
        make_absence(act, "max", "sam", starts_at=act.now, flows=("requisition_to_po",))
        make_absence(act, "carl", "sam", starts_at=act.now, flows=("change_control",))

    story.given(arrange)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 300)])
    mine, other = story.as_(max_).task("approve_requisition"), story.as_(carl).task("approve_requisition")
    deputy = browse(sam)
    deputy.get("/inbox?box=groups")
    assert "On behalf of Max Lindgren" in (deputy.page.text if deputy.page else "")
    assert deputy.get(f"/tasks/{other.id}").status_code == 404
    deputy.get(f"/tasks/{mine.id}/decide/approve")
    assert "You act on behalf of Max Lindgren" in deputy.text
    form = signing(mine, sam, on_behalf_of="max")
    assert deputy.post(f"/tasks/{mine.id}/decide/approve", form).status_code == 303
    assert (story.signatures[-1].signer_id, story.signatures[-1].on_behalf_of_id) == ("sam", "max")


def test_the_inbox_asks_the_database_the_same_number_of_questions_however_much_there_is(
    browse: People, story: Story, house: Installation
):
    """W26: counted, not timed."""
    browser = browse(lena)
    questions: list[str] = []
    event.listen(house.database, "before_cursor_execute", lambda *call: questions.append(call[2]))
    submitted(story)
    counts = []
    for more in (0, 12):
        for number in range(more):
            story.as_(rita).start("requisition_to_po", lines=[("P-100", 50 + number)])
        browser.get("/inbox?box=groups")
        questions.clear()
        browser.get("/inbox?box=groups")
        counts.append(len(questions))
    assert browser.page is not None
    assert browser.page.text.count("data-item=") > 3
    assert counts[1] - counts[0] <= 5
    assert counts[1] <= 100


def test_who_wants_the_list_after_a_decision_gets_the_list_and_nothing_opens(browse: People, story: Story):
    for quantity in (50, 60):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity)])
    browser = browse(lena)
    browser.get("/inbox?box=groups")
    assert browser.post("/choices/onward", {"onward": "anywhere"}).status_code == 422
    assert browser.post("/choices/onward", {"onward": "list"}).status_code == 303
    assert "data-review" not in browser.get("/inbox?box=groups").text
    task = story.as_(lena).task("approve_requisition")
    form = signing(task) | {"back": "box=groups", "next": "somebody"}
    assert browser.post(f"/tasks/{task.id}/decide/approve", form).headers["Location"] == "/inbox?box=groups"


def test_the_way_back_names_the_list_and_one_next_task_however_often_one_decides(browse: People, story: Story):
    for quantity in (50, 60, 70):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity)])
    browser = browse(lena)
    page = browser.get("/inbox?box=groups&sort=due").text
    for _ in range(2):
        link = html.unescape(re.findall(r'href="(/tasks/[^"]+/decide/approve[^"]*)"', page)[0])
        browser.get(link)
        form = dict(parse_qsl(link.partition("?")[2])) | {"seen_version": browser.field("seen_version")}
        signed = {"meaning": "APPROVED", "user_id": "lena", "password": PASSWORD, "accepts_responsibility": "true"}
        answer = browser.post(link.partition("?")[0], form | signed)
        assert answer.status_code == 303
        location = answer.headers["Location"]
        assert location.count("task=") == 1, location
        page = browser.get(location).text
        assert "Task closed" not in browser.text
