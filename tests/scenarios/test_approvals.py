"""Approvals as a demanding approver would try them: seats, bars, two who press at once, deputies, signatures."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from flask import Flask
from sqlalchemy import select

from engine import definitions, inbox, instances
from engine.act import Act
from engine.decisions import Decision
from engine.drafts import draft_of
from engine.errors import RuleViolation
from engine.stored.definition import Definition
from engine.stored.task import Task
from records.demo_people import Member
from records.person import User, UserStatus, move
from records.requisition import RequisitionStatus
from records.signature import Signature
from tests.clock import SettableClock
from tests.engine.plant import approve
from tests.engine.spiff.diagrams import diagram, end, process, script, start
from tests.makers import make_absence, make_grant, make_order, make_part, make_revision, make_signature
from tests.people import PASSWORD, adam, carl, lena, max_, otto, pat, quinn, rita
from tests.scenarios.desk import signing
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem
from tests.webapp.conftest import People


def key_part(story: Story) -> None:
    """Have a part whose criticality asks for quality, too."""
    story.given(lambda act: make_revision(act, make_part(act, "P-300", criticality="KEY")))


def test_below_band_two_one_person_may_fill_both_seats(story: Story) -> None:
    key_part(story)
    story.given(lambda act: make_grant(act, "lena", "QA_ENG"))
    story.as_(rita).start("requisition_to_po", lines=[("P-300", 50)])
    story.as_(lena).decide("approve_requisition", "approve")
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert sorted((one.signer_id, one.role) for one in story.signatures) == [("lena", "PUR_LEAD"), ("lena", "QA_ENG")]


def test_from_band_two_on_the_second_seat_needs_another_person(story: Story) -> None:
    key_part(story)
    story.given(lambda act: make_grant(act, "max", "QA_ENG"))
    story.as_(rita).start("requisition_to_po", lines=[("P-300", 200, "50")])
    story.as_(max_).decide("approve_requisition", "approve")
    with pytest.raises(RuleViolation, match="another person for the second signature") as refusal:
        story.as_(max_).decide("approve_requisition", "approve")
    assert (refusal.value.code, refusal.value.http_status) == ("SOD-ONCE", 403)
    story.as_(carl).decide("approve_requisition", "approve")
    assert story.requisition.status is RequisitionStatus.IN_APPROVAL
    story.given(lambda act: make_grant(act, "lena", "PUR_MGR"))
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert quinn.id not in {one.signer_id for one in story.signatures}


def change_control(story: Story, role: str = "PUR_MGR") -> None:
    """Have a second flow whose tasks go to the same role as purchasing's, or to another."""
    review = approve("review_change", role=role, title='="Review the change"')
    drawn = diagram(process(start(), review, end(), id="change_control", flows="s > review_change > e"))
    with story.installation.acting("user:pat") as act:
        definitions.deploy(act, {"change_control.bpmn": drawn})


def start_change(story: Story, key: str) -> Task:
    with story.installation.acting("user:ella") as act:
        instance_id = instances.start(act, "change_control", business_key=key).id
    [task] = story.read(lambda session: session.scalars(select(Task).where(Task.instance_id == instance_id)).all())
    return task


def box(story: Story, user_id: str) -> dict[str, str | None]:
    """Return what a group inbox shows: flow of each row, and on whose behalf."""
    items = story.read(lambda session: inbox.page(session, user_id, box="groups").items)
    return {item.flow: item.on_behalf_of for item in items}


def test_an_absence_for_purchasing_moves_purchasing_tasks_and_no_others(story: Story, browse: People) -> None:
    """W9: away from Monday to Friday; on Tuesday a change and a purchase arrive."""
    change_control(story)
    story.given(lambda act: make_absence(act, "max", "otto", flows=("requisition_to_po",)))
    story.at(dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC))
    change = start_change(story, "CO-1042")
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 200, "50")])
    purchase = next(task for task in story.tasks("approve_requisition") if task.role == "PUR_MGR")
    assert box(story, "max") == {"change_control": None, "requisition_to_po": None}
    assert box(story, "otto") == {"requisition_to_po": "max"}
    assert story.read(lambda session: inbox.counts(session, "otto").groups) == 1
    deputy = browse(otto)
    deputy.get("/inbox?box=groups")
    assert "Review the change" not in deputy.text
    assert deputy.get(f"/tasks/{change.id}").status_code == 404
    deputy.get(f"/tasks/{purchase.id}")
    assert "deputy of Max Lindgren" in deputy.text
    deputy.get(f"/tasks/{purchase.id}/decide/approve")
    assert "You act on behalf of Max Lindgren" in deputy.text
    answer = deputy.post(f"/tasks/{purchase.id}/decide/approve", signing(purchase, otto, on_behalf_of="max"))
    assert answer.status_code == 303, deputy.text
    [signature] = story.signatures
    assert (signature.signer_id, signature.on_behalf_of_id) == ("otto", "max")
    away = browse(max_)
    away.get(f"/tasks/{change.id}")
    assert "Review the change" in away.text
    story.at(dt.datetime(2026, 11, 30, 15, 0, tzinfo=dt.UTC))
    assert box(story, "otto") == {}


def test_an_absence_from_one_role_moves_its_tasks_and_no_others(story: Story, browse: People) -> None:
    """W9: who leads purchasing and specialises in changes is away for purchasing alone, planned in her profile, Monday to Friday."""
    change_control(story, role="CHANGE_SPECIALIST")
    story.given(lambda act: make_grant(act, "lena", "CHANGE_SPECIALIST"))
    away = browse(lena)
    away.get("/profile")
    assert "Only what you do as Purchasing lead" in away.text
    planned = {
        "deputy_id": "otto",
        "starts_at": "2026-11-23T00:00",
        "ends_at": "2026-11-28T00:00",
        "flow": "role:PUR_LEAD",
    }
    assert away.post("/profile", planned | {"flow": "role:GM"}).status_code == 403
    assert away.post("/profile", planned | {"deputy_id": "adam"}).status_code == 422
    assert away.post("/profile", planned).status_code == 303
    away.get("/profile")
    assert "Only as Purchasing lead" in away.text
    assert box(story, "otto") == {}
    story.at(dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC))
    change = start_change(story, "CO-1042")
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    purchase = story.tasks("approve_requisition")[0]
    assert box(story, "otto") == {"requisition_to_po": "lena"}
    assert set(box(story, "lena")) == {"change_control", "requisition_to_po"}
    deputy = browse(otto)
    assert deputy.get(f"/tasks/{change.id}").status_code == 404
    refused = deputy.post(f"/tasks/{purchase.id}/decide/approve", signing(purchase, otto, on_behalf_of="max"))
    assert (refused.status_code, "Max Lindgren did not ask you" in deputy.text) == (403, True)
    answer = deputy.post(f"/tasks/{purchase.id}/decide/approve", signing(purchase, otto, on_behalf_of="lena"))
    assert answer.status_code == 303, deputy.text
    [signature] = story.signatures
    assert (signature.signer_id, signature.on_behalf_of_id) == ("otto", "lena")
    story.at(dt.datetime(2026, 11, 30, 15, 0, tzinfo=dt.UTC))
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 40)])
    assert box(story, "otto") == {}


def test_rights_in_one_flow_open_no_task_of_another(story: Story, browse: People, calling: Calling) -> None:
    """W40: lena decides on purchases; the change is none of hers, whatever she types."""
    change_control(story)
    change = start_change(story, "CO-1042")
    browser, client = browse(lena), calling(lena)
    assert browser.get(f"/tasks/{change.id}").status_code == 404
    assert browser.post(f"/tasks/{change.id}/decide/approve", signing(change)).status_code == 404
    assert client.get(f"/tasks/{change.id}").status_code == 404
    assert client.post(f"/tasks/{change.id}/decision", {"verdict": "approve"}, match='"1"').status_code == 404


@pytest.mark.parametrize("attack", ["=__import__('os').system('touch leaked')", "import os", "=().__class__"])
def test_a_diagram_with_python_is_not_deployed_by_api(story: Story, calling: Calling, attack: str) -> None:
    """W40: a script that is no FEEL is refused with its file and line, and no version is made."""
    drawn = diagram(process(start(), script("count", attack, "counted"), end(), id="p", flows="s > count > e")).decode()
    answer = calling(pat).post("/definitions", {"files": {"p.bpmn": drawn}})
    refused = problem(answer, 422, "INVALID")
    assert any(place.startswith("p.bpmn:") for place in refused["fields"])
    assert (
        story.read(lambda session: session.scalars(select(Definition).where(Definition.process_id == "p")).all()) == []
    )


def test_two_who_press_in_one_instant_make_one_decision(story: Story, app: Flask, browse: People) -> None:
    """W1 with two real threads: one stored decision, the loser learns who won and keeps the text, one step onwards."""
    story.given(lambda act: make_grant(act, "max", "PUR_LEAD"))
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    desks = {member.id: browse(member, agent=member.name) for member in (lena, max_)}
    proofs = {name: browser.proof for name, browser in desks.items()}
    gate = threading.Barrier(2)
    answers: dict[str, int] = {}

    def press(name: str) -> None:
        form = signing(task, name, reason=f"{name} agrees", form_proof=proofs[name])
        gate.wait(30)
        answers[name] = desks[name].client.post(f"/tasks/{task.id}/decide/approve", data=form).status_code

    run([threading.Thread(target=press, args=(name,)) for name in desks])
    assert sorted(answers.values()) == [303, 409], answers
    winner = next(name for name, status in answers.items() if status == 303)
    loser = next(name for name in answers if name != winner)
    assert [row.actor_id for row in story.read(lambda session: session.scalars(select(Decision)).all())] == [winner]
    draft = story.read(lambda session: draft_of(session, task.id, loser))
    assert draft is not None
    assert draft.reason == f"{loser} agrees"
    assert {"lena": "decided by Lena Fischer", "max": "decided by Max Lindgren"}[winner] in (draft.kept_because or "")
    story.settle()
    assert len(story.tasks()) == 1


def run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("member", [rita, adam, otto], ids=["requester", "administrator", "deputy"])
@pytest.mark.part11("11.10(g)")
def test_nobody_bars_past_the_rule_on_page_and_api(
    story: Story, browse: People, calling: Calling, member: Member
) -> None:
    """W5: Approve is absent on the page, in bulk and by API, and refused with the rule named; also as administrator or deputy."""

    def arrange(act: Act) -> None:
        make_grant(act, "rita", "PUR_LEAD")
        make_absence(act, "rita", "otto", starts_at=act.now)
        if member is adam:
            # An administrator holds no role that signs; the mandate comes by deputising for one who does.
            make_absence(act, "lena", "adam", starts_at=act.now)

    story.given(arrange)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.tasks("approve_requisition")[0]
    browser, client = browse(member), calling(member)
    assert browser.get(f"/tasks/{task.id}").status_code == 200
    assert browser.page is not None
    assert "/decide/approve" not in browser.page.text
    assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task, member)).status_code == 403
    assert "SOD-" in browser.text
    shown = client.get(f"/tasks/{task.id}")
    assert shown.json["outcomes"] == []
    signed = {"meaning": "APPROVED", "password": PASSWORD, "accepts_responsibility": True}
    body = {"verdict": "approve", "signature": signed}
    pressed = client.post(f"/tasks/{task.id}/decision", body, match=shown.headers["ETag"])
    assert pressed.status_code == 403
    assert pressed.json["findings"][0]["rule"].startswith("SOD-")
    selected = browser.post("/inbox/bulk", {"do": "approve", "task": [task.id]})
    assert selected.status_code == 200
    assert f'name="task" value="{task.id}"' not in selected.text
    assert "1 selected, 0 can be signed now" in browser.text
    refused = browser.post(
        "/inbox/sign", {**signing(task, member), "verdict": "approve", "task": [task.id], f"version_{task.id}": "1"}
    )
    assert refused.status_code == 200
    assert "0 of 1 signed" in browser.text
    chosen = [{"id": task.id, "version": task.version, "content_hash": task.record_hash}]
    [result] = client.post("/tasks/bulk", {"action": "approve", "tasks": chosen, "signature": signed}).json["items"]
    assert (result["done"], result["findings"][0]["rule"][:4]) == (False, "SOD-")
    assert story.signatures == []


def test_a_long_reason_survives_an_expired_session(story: Story, browse: People, clock: SettableClock) -> None:
    """W28."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    browser, reason = browse(lena), ("Zu teuer: 12 % über dem Vergleich. " * 100).strip()
    form = {"reason": reason, "seen_version": str(task.version), "meaning": "REJECTED", "password": "typed-secret"}
    clock.advance(hours=13)
    answer = browser.post(f"/tasks/{task.id}/decide/reject", form)
    assert answer.status_code == 401
    assert "typed-secret" not in answer.text
    form = {"reason": reason, "seen_version": str(task.version), "sign_in_name": "lena", "sign_in_password": PASSWORD}
    assert browser.post(f"/tasks/{task.id}/decide/reject", form).status_code == 200
    assert browser.field("reason") == reason
    assert story.read(lambda session: session.scalars(select(Decision)).all()) == []


def test_a_late_press_on_an_escalated_task_says_to_whom_and_when(story: Story, browse: People) -> None:
    """W17: the timer went off while the dialog was open."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    story.clock.set(story.timers["escalation_due"] + dt.timedelta(minutes=2))
    browser = browse(lena)
    answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task, reason="On my way"))
    assert answer.status_code == 409
    assert "escalated to Purchasing manager at 09:02" in browser.text
    draft = story.read(lambda session: draft_of(session, task.id, "lena"))
    assert draft is not None
    assert draft.reason == "On my way"
    story.as_(max_).decide("approve_requisition", "approve")
    assert [row.actor_id for row in story.read(lambda session: session.scalars(select(Decision)).all())] == ["max"]


@pytest.mark.part11("11.50(a)", "11.100(a)")
def test_three_hundred_signatures_keep_the_name_of_somebody_who_left(story: Story) -> None:
    """W8: name and title as they were printed, whatever the account says later; and nobody can change them."""

    def sign_often(act: Act) -> None:
        order = make_order(act)
        for number in range(300):
            act.session.add(make_signature(act, order, content_hash=f"{number:064x}"))

    story.given(sign_often)
    with story.installation.acting("user:adam") as act:
        leaver = act.session.get_one(User, "lena")
        leaver.name, leaver.title = "Lena Vogel", "Retired"
        move(act, leaver, UserStatus.DISABLED, reason="left the company")
    kept = story.read(lambda session: session.execute(select(Signature.printed_name, Signature.printed_title)).all())
    assert kept == [("Lena Fischer", "Purchasing lead")] * 300
    with pytest.raises(RuleViolation, match="Expected a signature to stay"), story.acting() as act:
        act.session.scalars(select(Signature).limit(1)).one().printed_name = "Lena Vogel"


def test_an_approver_who_was_added_is_needed_and_no_seat_goes_away(story: Story, calling: Calling) -> None:
    """An ad-hoc approver adds a seat, in the plan and in the database, and the document waits for it."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    path = f"/tasks/{task.id}/approvers"
    caller = calling(lena)
    assert caller.post(path, {"asked": "rita", "reason": "Ask her"}).status_code == 422, (
        "who asked for it approves nothing"
    )
    assert caller.post(path, {"asked": "otto", "reason": "Ask him"}).status_code == 422, (
        "he holds no role that may sign"
    )
    assert calling(otto).post(path, {"asked": "quinn", "reason": "Ask him"}).status_code == 404
    added = caller.post(path, {"asked": "quinn", "reason": "It touches a special process"})
    assert (added.status_code, added.json["why"]) == (201, f"Added by {lena.name}: It touches a special process")
    assert caller.post(path, {"asked": "quinn", "reason": "Again"}).status_code == 422
    story.as_(lena).decide("approve_requisition", "approve")
    assert story.requisition.status is RequisitionStatus.IN_APPROVAL
    story.as_(quinn).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert story.incidents == []


def test_who_steps_aside_hands_the_task_to_the_next_in_line(story: Story, calling: Calling) -> None:
    """Recuse: Lena alone is purchasing lead, so the purchasing manager is asked too; she cannot come back to it."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    answer = calling(lena).post(f"/tasks/{task.id}/recusal", {"reason": "The supplier is my brother's"})
    assert (answer.status_code, answer.json["outcomes"]) == (200, [])
    assert calling(max_).get(f"/tasks/{task.id}").json["outcomes"] != []
    story.as_(max_).decide("approve_requisition", "approve")
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
