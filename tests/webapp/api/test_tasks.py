"""Tasks by API: the same winner, the same bars, the same signatures as on the pages."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from engine import instances
from engine.decisions import Decision
from engine.stored.task import TaskDraft
from records.person import Credential
from records.signature import Signature
from tests.engine.plant import statements
from tests.people import PASSWORD, bea, lena, max_, otto, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem

SIGNED = {"meaning": "APPROVED", "password": PASSWORD, "accepts_responsibility": True}
APPROVAL = {"verdict": "approve", "signature": SIGNED}


@pytest.fixture
def approval(story: Story) -> dict[str, str]:
    """A requisition of 2,125.00 that waits for the lead of purchasing."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    return {"id": task.id, "path": f"/tasks/{task.id}"}


def counted(story: Story, mapped: Any) -> int:
    return story.read(lambda session: session.scalar(select(func.count()).select_from(mapped)))


def test_a_box_lists_what_waits_for_the_caller(calling: Calling, approval: dict[str, str]) -> None:
    page = calling(lena).get("/tasks?box=groups").json
    assert [item["id"] for item in page["items"]] == [approval["id"]]
    assert page["next"] is None
    assert page["items"][0]["amount"] == "2125.0000"


def test_a_box_goes_on_where_the_page_before_ended(calling: Calling, story: Story) -> None:
    for _turn in range(3):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    first = calling(lena).get("/tasks?box=groups&limit=2").json
    second = calling(lena).get(f"/tasks?box=groups&limit=2&after={first['next']}").json
    assert len({item["id"] for item in first["items"] + second["items"]}) == 3
    assert second["next"] is None


def test_a_task_says_what_may_be_decided_and_why_it_is_here(calling: Calling, approval: dict[str, str]) -> None:
    answer = calling(lena).get(approval["path"])
    assert answer.json["outcomes"] == ["approve", "reject", "return", "ask"] or "approve" in answer.json["outcomes"]
    assert answer.json["signature"] == "APPROVED"
    assert answer.json["why_me"]
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'


@pytest.mark.parametrize("method", ["get", "decision", "claim", "release", "completion"])
def test_somebody_elses_task_is_not_there(calling: Calling, approval: dict[str, str], method: str) -> None:
    otto_calls = calling(otto)
    for path in (approval["path"], f"/tasks/{UNKNOWN}", "/tasks/no-id"):
        if method == "get":
            answer = otto_calls.get(path)
        else:
            answer = otto_calls.post(f"{path}/{method}", APPROVAL if method == "decision" else {}, match='"1"')
        problem(answer, 404, "NOT_FOUND")


def test_a_signed_decision_moves_the_flow_on(calling: Calling, approval: dict[str, str], story: Story) -> None:
    """The answer says what the run waits for now, and on what the caller stands is asked once at the door and once in the act."""
    lena_calls = calling(lena)
    tag = lena_calls.tag(approval["path"])
    with statements(story.installation.database) as sent:
        answer = lena_calls.post(f"{approval['path']}/decision", APPROVAL, match=tag)
    assert answer.status_code == 200, answer.text
    assert answer.json["verdict"] == "approve"
    assert answer.json["wait"] == lena_calls.get(f"/instances/{answer.json['instance_id']}").json["wait"]
    assert len([one for one in sent if "stands_in" in one]) == 2
    assert answer.json["signature"]["printed_name"] == lena.name
    assert story.requisition.status != "IN_APPROVAL"


def test_a_decision_stays_when_nobody_can_say_what_the_run_waits_for(
    calling: Calling, approval: dict[str, str], story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise ZeroDivisionError

    lena_calls = calling(lena)
    tag = lena_calls.tag(approval["path"])
    monkeypatch.setattr(instances, "sentence_at_rest", fail)
    monkeypatch.setattr(instances, "wait_sentence", fail)
    answer = lena_calls.post(f"{approval['path']}/decision", APPROVAL, match=tag)
    assert (answer.status_code, answer.json["verdict"]) == (200, "approve")
    assert answer.json["wait"] == "What it waits for could not be said; look at the run."
    assert counted(story, Decision) == counted(story, Signature) == 1


@pytest.mark.part11("11.10(f)")
def test_a_signed_step_without_a_signature_is_refused(calling: Calling, approval: dict[str, str], story: Story) -> None:
    lena_calls = calling(lena)
    tag = lena_calls.tag(approval["path"])
    unsigned = lena_calls.post(f"{approval['path']}/decision", {"verdict": "approve"}, match=tag)
    problem(unsigned, 403, "UNSIGNED")
    assert [(way["method"], way["here"], way["page"]) for way in unsigned.json["signing"]] == [("PASSWORD", True, None)]
    story.given(lambda act: act.session.delete(act.session.get_one(Credential, "lena")))
    passwordless = lena_calls.post(f"{approval['path']}/decision", APPROVAL, match=tag)
    problem(passwordless, 403, "NO_PASSWORD")
    assert [(way["here"], "An administrator can" in way["what_to_do"]) for way in passwordless.json["signing"]] == [
        (False, True)
    ]
    assert counted(story, Decision) == counted(story, Signature) == 0


def test_a_wrong_password_signs_nothing_and_is_counted(
    calling: Calling, approval: dict[str, str], story: Story
) -> None:
    lena_calls = calling(lena)
    tag = lena_calls.tag(approval["path"])
    wrong = {"verdict": "approve", "signature": SIGNED | {"password": "not this one"}}
    for _try in range(3):
        problem(lena_calls.post(f"{approval['path']}/decision", wrong, match=tag), 403, "WRONG_PASSWORD")
    problem(lena_calls.post(f"{approval['path']}/decision", APPROVAL, match=tag), 403, "LOCKED")
    assert counted(story, Decision) == 0


def test_a_decision_says_which_version_it_saw(calling: Calling, approval: dict[str, str]) -> None:
    lena_calls = calling(lena)
    path = f"{approval['path']}/decision"
    problem(lena_calls.post(path, APPROVAL), 428, "IF_MATCH_NEEDED")
    problem(lena_calls.post(path, APPROVAL, match="*"), 428, "IF_MATCH_NEEDED")
    problem(lena_calls.post(path, APPROVAL, match='"99"'), 412, "STALE_VERSION")
    problem(lena_calls.post(path, APPROVAL, match='W/"1"'), 412, "STALE_VERSION")


@pytest.mark.part11("11.10(f)")
def test_the_slower_of_two_hears_who_won_and_keeps_the_text(calling: Calling, story: Story) -> None:
    """W1 by API: one decision, one winner, the loser's text is a draft."""
    story.given(_also_lead)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    path, tag = f"/tasks/{task.id}/decision", f'"{task.version}"'
    assert calling(lena).post(path, APPROVAL, match=tag).status_code == 200
    slower = calling(max_).post(path, {**APPROVAL, "verdict": "reject", "reason": "Too dear this month"}, match=tag)
    assert lena.name in problem(slower, 409, "TASK_CLOSED")["detail"]
    assert counted(story, Decision) == 1
    drafts = story.read(lambda session: list(session.scalars(select(TaskDraft))))
    assert [(draft.user_id, draft.reason) for draft in drafts] == [("max", "Too dear this month")]


def _also_lead(act: Any) -> None:
    from tests.makers import make_grant

    make_grant(act, "max", "PUR_LEAD")


def test_nobody_approves_their_own_request_also_by_api(calling: Calling, story: Story) -> None:
    """W5: approve is absent, and pressing it all the same names the rule."""
    from tests.makers import make_grant

    story.given(lambda act: (make_grant(act, "lena", "REQUESTER"), make_grant(act, "max", "PUR_LEAD")))
    story.as_(lena).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.tasks("approve_requisition")[0]
    lena_calls = calling(lena)
    shown = lena_calls.get(f"/tasks/{task.id}")
    assert shown.json["outcomes"] == []
    pressed = lena_calls.post(f"/tasks/{task.id}/decision", APPROVAL, match=shown.headers["ETag"])
    assert pressed.status_code == 403
    assert pressed.json["findings"][0]["rule"].startswith("SOD-")


def test_a_verdict_that_is_not_offered_is_named(calling: Calling, approval: dict[str, str]) -> None:
    lena_calls = calling(lena)
    tag = lena_calls.tag(approval["path"])
    path = f"{approval['path']}/decision"
    refused = problem(lena_calls.post(path, {**APPROVAL, "verdict": "maybe"}, match=tag), 422, "INVALID")
    assert "verdict" in refused["fields"]
    refused = problem(lena_calls.post(path, {**APPROVAL, "verdict": "reject"}, match=tag), 422, "INVALID")
    assert "reason" in refused["fields"]


def test_a_field_that_the_form_does_not_offer_is_refused(
    calling: Calling, approval: dict[str, str], story: Story
) -> None:
    lena_calls = calling(lena)
    forged = {**APPROVAL, "variables": {"plan": {"stages": []}}}
    answer = lena_calls.post(f"{approval['path']}/decision", forged, match=lena_calls.tag(approval["path"]))
    assert any(name.startswith("variables.plan") for name in problem(answer, 422, "FORGED_FIELD")["fields"])
    assert counted(story, Decision) == 0


@pytest.mark.part11("11.10(h)")
def test_an_adapter_never_sees_nor_decides_a_task(
    calling: Calling, app: Any, house: Any, approval: dict[str, str]
) -> None:
    adapter = calling("adapter:erp")
    problem(adapter.get("/tasks"), 403, "SCOPE_MISSING")
    with house.acting("system:arrange") as act:
        from records.api_key import ApiKey

        for key in act.session.scalars(select(ApiKey)):
            key.scopes = ("tasks:decide", "tasks:read")
    problem(adapter.get(approval["path"]), 403, "ADAPTER_KEY")
    problem(adapter.post(f"{approval['path']}/decision", APPROVAL, match='"1"'), 403, "ADAPTER_KEY")


def test_a_task_is_claimed_and_given_back(calling: Calling, story: Story) -> None:
    story.given(_also_lead)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    path = f"/tasks/{task.id}"
    lena_calls, max_calls = calling(lena), calling(max_)
    claimed = lena_calls.post(f"{path}/claim", match=lena_calls.tag(path))
    assert claimed.json["assignee"] == "lena"
    problem(max_calls.post(f"{path}/decision", APPROVAL, match=claimed.headers["ETag"]), 409, "CLAIMED")
    problem(lena_calls.post(f"{path}/release", match='"1"'), 412, "STALE_VERSION")
    released = lena_calls.post(f"{path}/release", match=claimed.headers["ETag"])
    assert released.json["assignee"] is None


def test_a_task_without_verdicts_is_completed_with_its_form(calling: Calling, approval: dict[str, str]) -> None:
    lena_calls = calling(lena)
    tag = lena_calls.tag(approval["path"])
    refused = lena_calls.post(f"{approval['path']}/completion", {}, match=tag)
    assert "verdict" in problem(refused, 422, "INVALID")["fields"]


def test_the_starter_sees_a_task_but_none_of_its_verdicts(calling: Calling, approval: dict[str, str]) -> None:
    shown = calling(rita).get(approval["path"]).json
    assert shown["outcomes"] == []
    assert shown["variables"] is None


def test_an_unknown_box_is_refused(calling: Calling) -> None:
    assert "box" in problem(calling(bea).get("/tasks?box=all"), 422, "INVALID")["fields"]
    assert "after" in problem(calling(bea).get("/tasks?after=xyz"), 422, "INVALID")["fields"]
    assert "colour" in problem(calling(bea).get("/tasks?colour=red"), 422, "INVALID")["fields"]


def test_a_task_is_returned_to_an_earlier_step_that_is_legal_and_to_no_other(
    calling: Calling, story: Story, browse: Any
) -> None:
    """Point 3 over REST and on the page: the same steps with the same words."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    story.as_(lena).decide("approve_requisition", "approve")
    story.as_(bea).decide("complete_order", "submit")
    task, caller = story.as_(bea).task("issue_order"), calling(bea)
    path, tag = f"/tasks/{task.id}", f'"{task.version}"'
    steps = {one["element_id"]: one for one in caller.get(f"{path}/returns").json["items"]}
    assert steps["complete_order"]["undoes"] == f"Voids submit by {bea.name}."
    page = browse(bea).get(f"/tasks/{task.id}/return").text
    assert steps["complete_order"]["undoes"] in page
    assert "Not possible: the requisition is approved" in page
    body = {
        "to": steps["complete_order"]["id"],
        "reason": "The dock is wrong",
        "signature": {**SIGNED, "meaning": "REVIEWED"},
    }
    problem(caller.post(f"{path}/return", body | {"signature": None}, match=tag), 403, "UNSIGNED")
    problem(caller.post(f"{path}/return", body | {"to": 999}, match=tag), 409, "NO_WAY_BACK")
    problem(caller.post(f"{path}/return", body, match='"99"'), 412, "STALE_VERSION")
    answer = caller.post(f"{path}/return", body, match=tag)
    assert (answer.status_code, answer.json["verdict"]) == (200, "return")
    assert story.settle().steps == ["complete_order"]
    assert calling(otto).get(f"{path}/returns").status_code == 404
