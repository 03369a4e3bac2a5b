"""The inbox by API: counts, what is put aside and watched, saved views, and several tasks at once with a result for each."""

from __future__ import annotations

import orjson
import pytest
from flask import Flask
from sqlalchemy import func, select

from engine import assigning
from engine.act import Act
from engine.decisions import Decision
from engine.stored.task import Task, TaskCandidate
from records.api_key import ApiAnswer, make_key
from records.comment import Comment
from records.person import User, UserStatus, move
from records.signature import Signature
from tests.crowd import gather
from tests.makers import make_absence
from tests.people import PASSWORD, bea, lena, otto, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem
from tests.webapp.test_inbox import PARKED, waiting
from webapp import bulk

SIGNED = {"meaning": "APPROVED", "password": PASSWORD, "accepts_responsibility": True}
parking = pytest.mark.begins_with(PARKED)


def counted(story: Story, mapped: type) -> int:
    return story.read(lambda session: session.scalar(select(func.count()).select_from(mapped)) or 0)


@parking
def test_what_is_put_aside_leaves_the_boxes_and_their_counts_until_it_is_back(story: Story, calling: Calling) -> None:
    story.given(lambda act: make_absence(act, "bea", "otto", starts_at=act.now))
    calls, found = calling(lena), waiting(story)
    first = found[0].id
    before = calls.get("/inbox/counts").json
    assert (before["groups"], before["snoozed"], before["queues"]["groups"]) == (5, 0, {"fees": 1, "parking": 4})
    assert calling(otto).get("/inbox/counts").json["deputising"] == [{"user_id": "bea", "tasks": 5}]
    assert len(calling(otto).get("/tasks?box=deputising&for_whom=bea").json["items"]) == 5
    for wrong in (
        {},
        {"until": "2026-01-01T00:00:00Z"},
        {"until": "tomorrow"},
        {"until": "9999-12-31T23:59:59-05:00"},
        {"wakes_on": "RAIN"},
    ):
        problem(calls.post(f"/tasks/{first}/snooze", wrong), 422, "INVALID")
    asleep = calls.post(f"/tasks/{first}/snooze", {"until": "2026-11-24T15:00:00Z", "wakes_on": "COMMENT"}).json
    assert (asleep["is_asleep"], asleep["until"], asleep["wakes_on"]) == (
        True,
        "2026-11-24T15:00:00.000000Z",
        "COMMENT",
    )
    assert calls.get("/inbox/counts").json["groups"] == 4
    assert first not in {item["id"] for item in calls.get("/tasks?box=groups").json["items"]}
    assert [item["id"] for item in calls.get("/tasks?box=snoozed").json["items"]] == [first]
    assert calls.post(f"/tasks/{first}/wake", {}).json["is_asleep"] is False
    problem(calls.post(f"/tasks/{first}/wake", {}), 404, "NOT_FOUND")
    problem(calling(rita).post(f"/tasks/{first}/snooze", {"wakes_on": "CHANGE"}), 404, "NOT_FOUND")
    by_amount = calls.get("/tasks?box=groups&sort=party,-amount&q=supplier:acme").json["items"]
    assert [item["business_key"] for item in by_amount] == ["LOT-0", "LOT-1"]
    problem(calls.get("/tasks?box=groups&sort=colour"), 422, "INVALID")
    problem(calls.get("/tasks?box=groups&q=amount>lots"), 422, "INVALID")


@parking
def test_several_tasks_are_acted_on_by_themselves_and_a_repeat_counts_once(story: Story, calling: Calling) -> None:
    calls, found = calling(lena), waiting(story)
    with story.as_(bea).acting() as act:
        assigning.claim(act, found[0].id)
    chosen = [{"id": task.id, "version": task.version} for task in found[:3]]
    body = {"action": "approve", "tasks": [*chosen, {"id": UNKNOWN, "version": 1}], "reason": "In budget"}
    answer = calls.post("/tasks/bulk", body, again="once")
    assert [(one["key"], one["done"], one["code"]) for one in answer.json["items"]] == [
        ("LOT-0", False, "STALE_VERSION"), ("LOT-1", True, ""), ("LOT-2", True, ""), ("A task that is not yours", False, "NOT_FOUND"),
    ]  # fmt: skip
    assert answer.json["done"] == 2
    again = calls.post("/tasks/bulk", body, again="once")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json == answer.json
    assert counted(story, Decision) == 2
    last = [{"id": found[3].id, "version": found[3].version}]
    no_words = calls.post("/tasks/bulk", {"action": "reject", "tasks": last}).json
    assert no_words["items"][0]["detail"].startswith("Expected a reason")
    given = calls.post(
        "/tasks/bulk", {"action": "reassign", "tasks": last, "user_id": "bea", "reason": "She knows him"}
    ).json
    assert given["done"] == 1
    assert story.read(lambda session: session.get_one(Task, found[3].id).assignee) == "bea"
    for wrong in (
        {"action": "burn", "tasks": last},
        {"action": "approve", "tasks": []},
        {"action": "approve", "tasks": [{"id": "x"}]},
    ):
        problem(calls.post("/tasks/bulk", wrong), 422, "INVALID")


def test_two_hundred_at_once_are_one_act_each_taken_back_by_itself(story: Story, calling: Calling, app: Flask) -> None:
    """The most that fits: sent again under its key it changes nothing, and one more is refused whole before anything is done."""
    gather(story, {"gus": 1}, groups=1, each=bulk.MOST)
    with story.installation.acting("system:arrange") as act:
        calls = Client(app, make_key(act, "user:gus", "all", scopes=["tasks:decide"])[0])
    wanted = select(Task).join(TaskCandidate).where(TaskCandidate.principal == "role:G000").order_by(Task.id)
    found = story.read(lambda session: session.scalars(wanted).all())
    chosen = [{"id": task.id, "version": task.version} for task in found]
    chosen[8]["id"] = UNKNOWN
    body = {"action": "comment", "reason": "Which of these is urgent?", "tasks": chosen}
    problem(calls.post("/tasks/bulk", body | {"tasks": [*chosen, chosen[0]]}), 422, "INVALID")
    answers = [calls.post("/tasks/bulk", body, again="all of them") for _turn in range(2)]
    assert answers[0].json == answers[1].json
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert (len(chosen), answers[0].json["done"], counted(story, Comment)) == (200, 199, 199)
    assert [one["task_id"] for one in answers[0].json["items"]] == [one["id"] for one in chosen], (
        "in the order they were sent"
    )
    assert [one["code"] for one in answers[0].json["items"] if not one["done"]] == ["NOT_FOUND"]
    with story.installation.acting("system:arrange") as act:
        [kept] = act.session.scalars(select(ApiAnswer)).all()
        kept.subject, kept.body, kept.status = "", orjson.dumps(answers[0].json).decode(), None
    assert calls.post("/tasks/bulk", body, again="all of them").json == answers[0].json, (
        "ended before its answer was kept"
    )


def test_a_signed_step_wants_the_hash_of_what_was_read_and_one_password_signs_each(
    story: Story, calling: Calling
) -> None:
    found = []
    for _turn in range(2):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
        found.append(story.as_(lena).task("approve_requisition"))
    calls = calling(lena)
    chosen = [{"id": task.id, "version": task.version, "content_hash": task.record_hash} for task in found]
    body = {"action": "approve", "tasks": chosen, "signature": SIGNED}
    unsigned = calls.post("/tasks/bulk", {"action": "approve", "tasks": chosen}).json
    assert {one["code"] for one in unsigned["items"]} == {"UNSIGNED"}
    problem(calls.post("/tasks/bulk", body | {"signature": SIGNED | {"password": "a guess"}}), 403, "WRONG_PASSWORD")
    assert counted(story, Signature) == counted(story, Decision) == 0
    unread = [chosen[0] | {"content_hash": "0" * 64}, chosen[1]]
    answer = calls.post("/tasks/bulk", body | {"tasks": unread}).json
    assert [(one["done"], one["code"]) for one in answer["items"]] == [(False, "NOT_OPENED"), (True, "")]
    [signature] = story.read(lambda session: session.scalars(select(Signature)).all())
    assert (signature.signer_id, signature.content_hash) == ("lena", found[1].record_hash)


@parking
def test_a_view_is_kept_changed_and_adopted_by_who_may(story: Story, calling: Calling) -> None:
    owner, reader = calling(lena), calling(bea)
    given = {"name": "Acme", "query": "supplier:acme", "sort": "party,-amount", "shared_with": "everybody"}
    problem(owner.post("/inbox/views", given | {"query": "amount>lots"}), 422, "INVALID")
    made = owner.post("/inbox/views", given)
    assert (made.status_code, made.json["owner_id"], made.json["version"]) == (201, "lena", 1)
    path = f"/inbox/views/{made.json['id']}"
    problem(owner.post("/inbox/views", given), 409, "NAME_TAKEN")
    assert [one["name"] for one in reader.get("/inbox/views").json["items"]] == ["Acme"]
    tag = made.headers["ETag"]
    problem(owner.send("PUT", path, given), 428, "IF_MATCH_NEEDED")
    problem(owner.send("PUT", path, given, match='"7"'), 412, "STALE_VERSION")
    problem(reader.send("PUT", path, given, match=tag), 403, "NOT_YOUR_VIEW")
    changed = owner.send("PUT", path, given | {"colour": "green"}, match=tag)
    assert (changed.json["colour"], changed.headers["ETag"]) == ("green", '"2"')
    problem(reader.post(f"{path}/adoption", {}), 409, "OWNER_IS_HERE")

    def leave(act: Act) -> None:
        move(act, act.session.get_one(User, "lena"), UserStatus.DISABLED)

    story.given(leave)
    assert reader.get(path).json["owner_id"] == "lena"
    adopted = reader.post(f"{path}/adoption", {})
    assert adopted.json["owner_id"] == "bea"
    assert reader.send("DELETE", path, match=adopted.headers["ETag"]).json["name"] == "Acme"
    problem(reader.get(path), 404, "NOT_FOUND")


def test_what_one_watches_is_listed_and_a_task_is_given_only_to_who_may_take_it(story: Story, calling: Calling) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task, calls = story.as_(lena).task("approve_requisition"), calling(lena)
    problem(calling(otto).post(f"/tasks/{task.id}/watch", {"watching": True}), 404, "NOT_FOUND")
    assert calls.post(f"/tasks/{task.id}/watch", {"watching": True}).json["watching"] is True
    page = calls.get("/inbox/watching?limit=1").json
    assert [(one["number"], one["record_type"]) for one in page["items"]] == [(task.record_number, "requisition")]
    assert calls.get("/inbox/watching?q=nothing").json["items"] == []
    calls.post(f"/tasks/{task.id}/watch", {"watching": False})
    assert calls.get("/inbox/watching").json == {"items": [], "next": None}
    path, tag = f"/tasks/{task.id}/assignment", calls.tag(f"/tasks/{task.id}")
    problem(calls.post(path, {"user_id": "bea", "reason": "Please"}, match=tag), 403, "NOT_A_CANDIDATE")
    problem(calls.post(path, {"user_id": "bea", "reason": "Please"}), 428, "IF_MATCH_NEEDED")
