"""Putting tasks aside: until a time or an event; a reminder moves with it, the deadline does not."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from engine import assigning, inbox
from engine.errors import Conflict, Invalid, NotFound
from engine.inbox import Narrowing
from engine.stored.task import Task
from processes.snoozes import wake_snoozed
from records import snooze
from records.comment import comment
from records.notice import Notice
from records.snooze import WakesOn
from tests.people import bea, lena, max_, rita
from tests.story import Story, plant_with


def begun(story: Story) -> None:
    """Let rita ask for 100 × 42.50, which the lead approves."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])


pytestmark = pytest.mark.begins_with(plant_with("asked_for", begun))


def asked(story: Story) -> Task:
    """Return the task of the lead."""
    assert story.goes_on()
    return story.as_(lena).task("approve_requisition")


def hidden(story: Story, user_id: str = "lena") -> list[str]:
    return story.read(lambda session: sorted(snooze.asleep(session, user_id, now=story.clock())))


def told(story: Story, user_id: str = "lena") -> list[str]:
    wanted = select(Notice).where(
        Notice.user_id == user_id, Notice.key.startswith("remind") | Notice.key.startswith("back")
    )
    return [notice.subject for notice in story.read(lambda session: list(session.scalars(wanted)))]


def test_a_reminder_moves_with_a_snooze_and_the_deadline_does_not(story: Story) -> None:
    """W19: the reminder at half the time comes when the task is back, once; the escalation comes when it always would have."""
    task = asked(story)
    reminder, deadline = story.timers["reminder_due"], story.timers["escalation_due"]
    assert (task.follow_up_at, task.due_at) == (reminder, deadline)
    back = reminder + (deadline - reminder) / 2
    with story.as_(lena).acting() as act:
        snooze.snooze(act, task.id, until=back)
    story.at(reminder + dt.timedelta(minutes=1))
    wake_snoozed(story.installation)
    assert told(story) == []
    story.at(back + dt.timedelta(minutes=1))
    assert (wake_snoozed(story.installation), wake_snoozed(story.installation)) == (1, 0)
    [subject] = told(story)
    assert subject.startswith("Reminder: ")
    assert story.task("approve_requisition").due_at == deadline
    assert story.timers["escalation_due"] == deadline
    story.at(deadline + dt.timedelta(minutes=1))
    assert story.as_(max_).task("approve_requisition").candidates == ["role:PUR_MGR"]


def test_a_snoozed_task_leaves_the_box_its_count_and_nobody_elses(story: Story) -> None:
    task = asked(story)
    with story.as_(lena).acting() as act:
        snooze.snooze(act, task.id, until=act.now + dt.timedelta(hours=2))
    aside = hidden(story)
    assert aside == [task.id]

    def seen(session, **more):
        return [item.task.id for item in inbox.page(session, "lena", box="groups", **more).items]

    assert story.read(lambda session: seen(session, narrowed=Narrowing(hidden=aside))) == []
    assert story.read(lambda session: inbox.counts(session, "lena", hidden=aside).groups) == 0
    assert story.read(seen) == [task.id]
    put_aside = Narrowing(only=aside)
    found = story.read(lambda session: inbox.page(session, "lena", box="snoozed", narrowed=put_aside))
    assert [item.task.id for item in found.items] == [task.id]
    story.after(hours=3)
    assert hidden(story) == []


@pytest.mark.parametrize("kind", [WakesOn.DECISION, WakesOn.ANYTHING])
def test_what_others_do_brings_a_task_back_and_what_one_does_oneself_does_not(story: Story, kind: WakesOn) -> None:
    task = asked(story)
    with story.as_(lena).acting() as act:
        snooze.snooze(act, task.id, wakes_on=kind)
    about = (task.record_type or "", task.record_id or "")
    story.after(hours=1)
    with story.as_(lena).acting() as act:
        comment(act, about, "I ask the supplier.")
    assert hidden(story) == [task.id]
    with story.as_(bea).acting() as act:
        comment(act, about, "They answered.")
    assert hidden(story) == ([] if kind is not WakesOn.DECISION else [task.id])
    assert wake_snoozed(story.installation) == (kind is not WakesOn.DECISION)
    assert told(story) == ([f"Back in your inbox: {task.title}"] if kind is not WakesOn.DECISION else [])


def test_only_what_waits_for_one_is_put_aside_and_only_into_the_future(story: Story) -> None:
    task = asked(story)
    with pytest.raises(NotFound), story.as_(bea).acting() as act:
        snooze.snooze(act, task.id, until=act.now + dt.timedelta(hours=2))
    for wrong in ({}, {"until": story.clock()}, {"until": story.clock() + dt.timedelta(days=400)}):
        with pytest.raises(Invalid, match="Expected"), story.as_(lena).acting() as act:
            snooze.snooze(act, task.id, **wrong)
    story.decide("approve_requisition", "approve")
    with pytest.raises((Conflict, NotFound)), story.as_(lena).acting() as act:
        snooze.snooze(act, task.id, until=act.now + dt.timedelta(hours=2))


def test_a_claimed_task_that_is_put_aside_stays_claimed_and_comes_back_when_one_says_so(story: Story) -> None:
    task = asked(story)
    with story.as_(lena).acting() as act:
        assigning.claim(act, task.id)
        snooze.snooze(act, task.id, until=act.now + dt.timedelta(hours=2), wakes_on=WakesOn.CHANGE)
    assert story.task("approve_requisition").assignee == "lena"
    with story.as_(lena).acting() as act:
        snooze.wake(act, task.id)
    assert hidden(story) == []
    with pytest.raises(NotFound), story.as_(lena).acting() as act:
        snooze.wake(act, task.id)
