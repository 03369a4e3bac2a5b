"""Somebody leaves, and nothing is lost: every open task, seat, duty and draft has a target, in the act that disables them (W7)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from engine import assigning, definitions, eligibility, instances, tasks
from engine.act import Act
from engine.errors import Conflict
from engine.stored.task import Task, TaskState
from processes import leaving
from processes.leaving import Duty
from records.directory import plan_absence
from records.notice import notices_of
from records.person import User, UserStatus
from records.requisition import Requisition
from tests.engine.plant import work
from tests.engine.spiff.diagrams import diagram, each, end, process, properties, start, user
from tests.makers import make_requisition
from tests.people import adam, bea, lena, max_, olga
from tests.story import Story

MANY = process(
    start(), work("ask", each("=for number in 1..23 return number"), role="PUR_LEAD", name="Ask"),
    user("named", extensions='<zeebe:assignmentDefinition candidateUsers="lena" />' + properties(title="Only Lena knows")),
    end(), id="many", flows="s > ask > e\ns > named > e",
)  # fmt: skip


def begin(act: Act) -> None:
    """23 tasks of a role that Lena alone holds, one of hers by name, a draft of hers, and Max away with her as his deputy."""
    definitions.deploy(act, {"many.bpmn": diagram(MANY)}, process_id="many")
    instances.start(act, "many", business_key="M-1")
    make_requisition(act, requester_id="lena")


def open_tasks(story: Story) -> list[Task]:
    wanted = select(Task).where(Task.state == TaskState.OPEN).order_by(Task.created_at, Task.id)
    return story.read(lambda session: list(session.scalars(wanted)))


def pieces(story: Story) -> list[leaving.Piece]:
    return story.read(lambda session: leaving.pieces_of(session, "lena"))


def test_a_wizard_lists_everything_that_waits_for_who_leaves_and_nothing_is_lost(
    story: Story, browse: Any, calling: Any
) -> None:
    """W7: 14 claimed and 9 candidate tasks with a proposed target each; one act; the page and REST say the same."""
    story.given(begin)
    asked = [task for task in open_tasks(story) if task.element_id == "ask"]
    for task in asked[:14]:
        with story.as_(lena).acting() as act:
            assigning.claim(act, task.id)
    away = {"starts_at": act.now + dt.timedelta(days=1), "ends_at": act.now + dt.timedelta(days=8)}
    with story.as_(max_).acting() as act:
        plan_absence(act, "max", "lena", **away)
    page = browse(adam).get("/people/lena/leave").text
    listed = pieces(story)
    duties = [*[Duty.CLAIMED] * 14, *[Duty.CANDIDATE] * 9, Duty.NAMED, Duty.DEPUTY, Duty.DRAFT]
    assert sorted(one.duty for one in listed) == sorted(duties)
    assert all(one.title in page for one in listed)
    caller = calling(adam)
    told = caller.get("/people/lena/work").json
    assert [one["key"] for one in told["items"]] == [one.key for one in listed]
    [cover] = calling(bea).get("/people/coverage").json["items"]
    assert (cover["user_id"], cover["deputy_id"], cover["then"], cover["gap"]) == ("max", "lena", [], None)
    assert calling(bea).get("/people/lena/work").status_code == 403
    assert browse(bea).get("/people/lena/leave").status_code == 403

    body = {"reason": "She moves to another plant", "seen": told["seen"]}
    assert {one.proposed for one in listed if one.duty is Duty.CLAIMED} == {"max"}, (
        "nobody else holds her role: the next level"
    )
    refused = caller.post("/people/lena/departure", body | {"targets": {listed[0].key: "lena"}})
    assert (refused.status_code, list(refused.json["fields"])) == (422, [listed[0].key])
    assert story.read(lambda session: session.get_one(User, "lena").status) is UserStatus.ACTIVE
    before = {task.id for task in open_tasks(story)}
    done = caller.post("/people/lena/departure", body)
    assert (done.status_code, done.json["status"], done.json["items"]) == (200, "DISABLED", [])

    after = open_tasks(story)
    assert {task.id for task in after} == before
    assert not [task for task in after if task.assignee == "lena" or "user:lena" in task.candidates]
    who = story.read(
        lambda session: [
            [person.id for person in eligibility.eligible(session, task, task.candidates, now=story.clock.now)[0]]
            for task in after
        ]
    )
    assert all("max" in people for people in who)
    assert story.read(lambda session: session.scalars(select(Requisition.requester_id)).all()) == ["max"]
    subjects = [one.subject for one in story.read(lambda session: notices_of(session, "max"))]
    assert f"You took over 25 pieces of work from {lena.name}" in subjects
    assert caller.post("/people/lena/departure", body).status_code == 409


def test_work_that_came_up_since_the_list_was_shown_is_not_handed_over_unseen(story: Story) -> None:
    seen = leaving.seen_hash(pieces(story))
    story.given(begin)
    with pytest.raises(Conflict) as refused, story.as_(adam).acting() as act:
        leaving.leave(act, "lena", {}, seen=seen, reason="Left")
    assert refused.value.code == "NEW_WORK"
    with pytest.raises(Conflict, match="only one"), story.installation.acting("system:console") as act:
        leaving.leave(act, "adam", {}, seen=leaving.seen_hash(leaving.pieces_of(act.session, "adam")), reason="Left")


def test_a_task_that_names_somebody_who_left_opens_for_the_others(story: Story) -> None:
    """A diagram may name the buyer of an order years later: the task stands in the inboxes of the role instead."""
    named = process(
        start(),
        user("ask", extensions='<zeebe:assignmentDefinition assignee="lena" candidateGroups="OPS_DIR" />'),
        end(), id="named", flows="s > ask > e",
    )  # fmt: skip
    with story.installation.acting("system:console") as act:
        leaving.leave(act, "lena", {}, seen=leaving.seen_hash(leaving.pieces_of(act.session, "lena")), reason="Left")
    story.given(lambda act: definitions.deploy(act, {"named.bpmn": diagram(named)}, process_id="named"))
    story.given(lambda act: instances.start(act, "named", business_key="N-1"))
    [task] = open_tasks(story)
    assert task.assignee is None
    with story.as_(olga).acting() as act:
        tasks.complete(act, task.id, seen_version=task.version)
