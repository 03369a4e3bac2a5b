"""What keeps an approval back: an open blocking comment, lines not viewed where the policy wants it; on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine import tasks
from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.ports import SignatureRequest
from engine.stored.task import Task
from records.comment import Comment, CommentResolution, blocking_on, comment, resolve
from records.requisition import Requisition
from records.viewing import tick
from rules.policy import TABLES, read_table
from rules.redlines import items_to_view
from rules.reviewing import may_resolve, progress_of
from tests.clock import SettableClock
from tests.people import PASSWORD, lena, rita
from tests.story import Story

SIGNED = SignatureRequest("APPROVED", PASSWORD, user_id="lena", accepts_responsibility=True)


@pytest.fixture
def review(plant: Installation, clock: SettableClock) -> tuple[Story, Task]:
    """Let rita's requisition of two lines wait for lena."""
    story = Story(plant, clock)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50), ("P-100", 7)])
    return story, story.as_(lena).task("approve_requisition")


def approve(story: Story, task: Task) -> None:
    with story.installation.acting("user:lena") as act:
        tasks.decide(act, task.id, "approve", seen_version=task.version, signature=SIGNED)


def test_a_blocking_comment_keeps_every_approval_back_until_somebody_named_resolves_it(review: tuple[Story, Task]):
    story, task = review
    about = (Requisition.record_type, story.requisition_id)
    with story.installation.acting("user:max") as act:
        said = comment(act, about, "Which contract?", path="x", place="Line 1", is_blocking=True)
        act.session.flush()
        said_id = said.id
    with pytest.raises(RuleViolation, match=r"that of Max Lindgren on Line 1 is not resolved: “Which contract\?”"):
        approve(story, task)
    with story.installation.acting("user:rita") as act:
        stored = act.session.get_one(Comment, said_id)
        assert not may_resolve(act.session, stored, "rita", at=act.now)
        assert may_resolve(act.session, stored, "lena", at=act.now)
        assert may_resolve(act.session, stored, "max", at=act.now)
        with pytest.raises(Forbidden, match="but rita is neither"):
            resolve(act, stored, "I say so")
    with story.installation.acting("user:lena") as act:
        resolve(act, act.session.get_one(Comment, said_id), "The frame contract", leads=["lena"])
        assert blocking_on(act.session, *about) == []
        with pytest.raises(Conflict, match="was resolved before"):
            resolve(act, act.session.get_one(Comment, said_id), leads=["lena"])
    approve(story, task)


def test_a_remark_that_blocks_nothing_is_not_resolved(plant: Installation):
    with plant.acting("user:lena") as act:
        said = comment(act, ("requisition", "r"), "Looks good")
        act.session.flush()
        with pytest.raises(Conflict, match="this one blocks nothing"):
            resolve(act, said)
        with pytest.raises(Invalid, match="Expected a comment of 1 to 4,000 characters, but found 0"):
            comment(act, ("requisition", "r"), " ", is_blocking=True)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE comment SET blocks_since = NULL", "DELETE FROM comment", "DELETE FROM comment_resolution"],
)
def test_the_database_keeps_what_was_said(plant: Installation, statement: str):
    def say(act: Act) -> None:
        said = comment(act, ("requisition", "r"), "Stop", is_blocking=True)
        act.session.add(CommentResolution(comment=said, text="Go"))

    with plant.acting("user:lena") as act:
        say(act)
    with pytest.raises(Exception, match="APPEND_ONLY"), plant.database.begin() as connection:
        connection.execute(text(statement))


def test_a_policy_that_wants_all_viewed_names_what_is_not(review: tuple[Story, Task], monkeypatch: pytest.MonkeyPatch):
    source = (TABLES / "review_policy.dmn").read_bytes().replace(b'<text>"free"</text>', b'<text>"all"</text>', 1)
    strict = read_table("review_policy", source)
    monkeypatch.setattr("rules.reviewing.table_called", lambda name: strict)
    story, task = review
    with pytest.raises(RuleViolation, match=r"but 2 are not: Line 1, Line 2\."):
        approve(story, task)
    with story.installation.acting("user:lena") as act:
        record = act.session.get_one(Requisition, story.requisition_id)
        for item in items_to_view(act.session, record):
            tick(act, record.record_type, record.id, item.path, content=item.hash)
        act.session.flush()
        assert progress_of(act.session, record, "lena").words == "2 of 2 viewed"
        assert progress_of(act.session, record, "max").words == "0 of 2 viewed"
    approve(story, task)
