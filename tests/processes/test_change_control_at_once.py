"""Changes under a clock that jumps, two deciders at once, and a signer who lost the role (domain.md 3C)."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from engine import tasks
from engine.act import Act
from engine.errors import Conflict, Refused
from records.notice import Notice
from records.person import RoleGrant
from tests.change_story import FRIDAY_NIGHT, active, approved, dated, on_its_board, the_change
from tests.people import quinn
from tests.story import Story

OVERDUE = FRIDAY_NIGHT + dt.timedelta(hours=72)


@active
def test_of_two_managers_who_decide_at_once_one_wins_and_the_other_reads_who(story: Story) -> None:
    change = the_change(story)
    story.at(OVERDUE)
    task = story.task("resume_emergency")
    begin = threading.Barrier(2)

    def decide(person: str, verdict: str) -> str:
        begin.wait()
        try:
            with story.installation.acting(f"user:{person}") as act:
                tasks.decide(act, task.id, verdict, seen_version=task.version, reason=f"{person} says so")
        except Conflict as refusal:
            return refusal.message
        return person

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(decide, ("olga", "gina"), ("go_on", "contain")))
    story.settle()
    winner = next(one for one in said if one in ("olga", "gina"))
    (lost,) = [one for one in said if one != winner]
    assert {"olga": "Olga", "gina": "Gina"}[winner] in lost
    wanted = {"olga": ("IMPACT", ["write_change"]), "gina": ("WITHDRAWN", ["assess_recall"])}[winner]
    assert (change.status, story.steps, story.incidents) == (*wanted, [])


@active
def test_a_vote_after_the_hours_are_over_is_too_late_even_if_nobody_looked_at_the_clock(story: Story) -> None:
    change = the_change(story)
    task = story.task("write_change")
    story.clock.set(OVERDUE + dt.timedelta(minutes=1))
    with pytest.raises(Refused), story.installation.acting("user:pat") as act:
        tasks.complete(act, task.id, {}, seen_version=task.version)
    story.settle()
    assert (change.status, story.steps, story.incidents) == ("OVERDUE_HOLD", ["resume_emergency"], [])


@active
def test_a_clock_that_jumps_back_takes_no_hold_away_and_one_that_jumps_ahead_holds_once(story: Story) -> None:
    change = the_change(story)
    story.at(OVERDUE + dt.timedelta(days=400))
    assert (change.status, story.steps, story.incidents) == ("OVERDUE_HOLD", ["resume_emergency"], [])
    story.at(OVERDUE - dt.timedelta(days=1))
    assert (change.status, story.steps) == ("OVERDUE_HOLD", ["resume_emergency"])
    story.as_("olga").decide("resume_emergency", "go_on", reason="The clock was wrong")
    story.at(OVERDUE + dt.timedelta(days=1))
    assert (change.status, story.steps, story.incidents) == ("IMPACT", ["write_change"], [])
    wanted = select(Notice).where(Notice.user_id == "gina", Notice.subject.contains("is overdue"))
    assert len(story.read(lambda session: session.scalars(wanted).all())) == 1


@dated
def test_an_effectivity_that_a_jumping_clock_passes_is_overdue_once(story: Story) -> None:
    change = the_change(story)
    story.at(dt.datetime(2028, 1, 1, tzinfo=dt.UTC))
    assert (change.status, story.incidents) == ("OVERDUE_HOLD", [])
    story.at(dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    assert (change.status, story.steps.count("move_effectivity"), story.incidents) == ("OVERDUE_HOLD", 1, [])


@on_its_board
def test_whoever_loses_the_role_between_opening_and_signing_signs_nothing(story: Story) -> None:
    change = the_change(story)
    story.as_(quinn)
    task = story.task("vote_on_change")
    lose(story, "quinn", "QA_ENG")
    with pytest.raises(Refused):
        story.decide("vote_on_change", "approve")
    mine = [one for one in story.signatures if one.record_id == change.order.id and one.signer_id == "quinn"]
    assert (mine, task.id in {one.id for one in story.tasks("vote_on_change")}) == ([], True)


@approved
def test_whoever_loses_the_role_between_opening_and_verifying_verifies_nothing(story: Story) -> None:
    change = the_change(story).do_tasks().amend()
    story.as_(quinn).task("verify_change")
    lose(story, "quinn", "QA_ENG")
    with pytest.raises(Refused):
        story.decide("verify_change", "verified", sample="First pieces", failed_tasks=[])
    assert (change.status, story.steps, story.incidents) == ("VERIFYING", ["verify_change"], [])


def lose(story: Story, person: str, role: str) -> None:
    """Let a person's role end now."""

    def end(act: Act) -> None:
        held = select(RoleGrant).where(RoleGrant.user_id == person, RoleGrant.role == role)
        for grant in act.session.scalars(held):
            grant.valid_to = act.now

    story.given(end)
