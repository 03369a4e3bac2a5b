"""Saved views: kept under a name, shared with people one belongs to, and still there when their owner has left."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from engine.errors import Conflict, Forbidden, Invalid, NotFound
from records import inbox_view
from records.person import User, UserStatus, move
from tests.people import bea, lena, max_
from tests.story import Story

BIG = {"name": "Big ones", "colour": "red", "box": "groups", "query": "amount>5000 due<3d", "sort": "party,-amount",
       "grouping": "party", "columns": ["party", "amount"], "shared_with": "everybody"}  # fmt: skip


def saved(story: Story, **values: object) -> str:
    with story.as_(lena).acting() as act:
        return inbox_view.save_view(act, BIG | values).id


def names(story: Story, user_id: str, *roles: str) -> list[str]:
    return story.read(lambda session: [view.name for view in inbox_view.views_of(session, user_id, roles)])


def test_a_view_is_read_by_those_it_is_shared_with_and_by_nobody_else(story: Story) -> None:
    saved(story)
    saved(story, name="Leads", shared_with="role:PUR_LEAD")
    view_id = saved(story, name="Mine alone", shared_with=None)
    assert names(story, "lena") == ["Big ones", "Leads", "Mine alone"]
    assert names(story, "max", "PUR_MGR") == ["Big ones"]
    assert names(story, "gina", "PUR_LEAD") == ["Big ones", "Leads"]
    with pytest.raises(NotFound):
        story.read(lambda session: inbox_view.find_view(session, view_id, "max", ["PUR_MGR"]))


def test_a_view_that_does_not_fit_is_refused_by_field(story: Story) -> None:
    """A search that makes no sense is not kept, and nobody shares with a role that they do not hold."""
    for field, wrong in (
        ("name", "  "), ("name", "x" * 61), ("colour", "mauve"), ("box", "decided"), ("query", "amount>many"), ("sort", "colour"),
        ("grouping", "amount"), ("columns", ["secret"]), ("shared_with", "role:GM"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refusal:
            saved(story, **{field: wrong})
        assert list(refusal.value.fields) == [field]


def test_a_view_of_somebody_who_left_is_read_adopted_once_and_never_taken_from_who_is_here(story: Story) -> None:
    view_id = saved(story)
    with pytest.raises(Conflict, match="is taken"):
        saved(story)

    def found(session: Session) -> inbox_view.InboxView:
        return inbox_view.find_view(session, view_id, "max", [])

    with pytest.raises(Conflict, match="still here"), story.as_(max_).acting() as act:
        inbox_view.adopt_view(act, found(act.session))
    with pytest.raises(Forbidden, match="Lena"), story.as_(max_).acting() as act:
        inbox_view.change_view(act, found(act.session), {"name": "His"})
    story.given(lambda act: move(act, act.session.get_one(User, "lena"), UserStatus.DISABLED))
    assert story.read(found).owner_id == "lena"
    with story.as_(max_).acting() as act:
        inbox_view.adopt_view(act, found(act.session))
    with story.as_(max_).acting() as act:
        assert inbox_view.change_view(act, found(act.session), {"colour": "green", "shared_with": None}).version == 3
    with pytest.raises(NotFound), story.as_(bea).acting() as act:
        inbox_view.adopt_view(act, inbox_view.find_view(act.session, view_id, "bea", []))
