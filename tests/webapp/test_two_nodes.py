"""Two web nodes on one database: what one of them, or the day, changed about a person holds at the other's next request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from engine.act import Act, Installation
from records import directory, lending, sign_in
from records.api_key import keys_of, make_key, revoke_key
from records.demo_people import Member
from records.person import Absence, Delegation, RoleGrant, User, UserStatus, move
from records.roles import grant, revoke, user_called
from tests.clock import SettableClock
from tests.conftest import wired
from tests.people import lena, otto, rita
from tests.story import Story
from tests.webapp.api.conftest import Client
from tests.webapp.browser import Browser
from tests.webapp.conftest import APPLICATION
from webapp.app import create_app

SEEN, HIDDEN, GONE = (200, 200, 200), (404, 404, 404), (401, 302, 401)
"""What the API, the page and an act answer somebody whose task it is, somebody else, and somebody who may not come in at all."""


class Nodes:
    """Two nodes, people with keys and browsers at the first of them, and a task of purchasing's leads."""

    def __init__(self, app: Flask, here: Installation, there: Installation, clock: SettableClock) -> None:
        self.app, self.here, self.there = app, here, there
        story = Story(here, clock).as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
        self.task_id = story.as_(lena).task("approve_requisition").id
        self.callers: dict[str, tuple[Client, Browser]] = {}

    def enter(self, member: Member) -> None:
        """Let somebody sign in and make a key."""
        with self.here.acting("system:arrange") as act:
            key, _ = make_key(act, member.principal, "x", scopes=["tasks:read", "tasks:decide"])
        self.callers[member.id] = Client(self.app, key), Browser(self.app).sign_in(member)

    def asks(self, member: Member) -> tuple[int, int, int]:
        """Return what somebody is answered at the first node: by API, on the page, and to an act, which is undone."""
        client, browser = self.callers[member.id]
        path = f"/tasks/{self.task_id}"
        read = client.get(path)
        seen = browser.get(path).status_code
        claimed = client.post(f"{path}/claim", {}, match=read.headers.get("ETag", '"1"'))
        if claimed.status_code == 200:
            assert client.post(f"{path}/release", {}, match=claimed.headers["ETag"]).status_code == 200
        return read.status_code, seen, claimed.status_code

    def elsewhere(self, change: Callable[[Act], object]) -> None:
        """Change something at the second node."""
        with self.there.acting("system:arrange") as act:
            change(act)


@pytest.fixture
def nodes(plant: Installation, clock: SettableClock, tmp_path: Path) -> Iterator[Nodes]:
    with wired(plant.database, clock, tmp_path / "there") as there:
        if not APPLICATION:
            APPLICATION.append(create_app(plant, secret_key="only for tests"))
        (app,) = APPLICATION
        app.extensions["lockstep"] = plant
        app.config["PROPAGATE_EXCEPTIONS"] = False
        yield Nodes(app, plant, there, clock)


def held(act: Act, member: Member) -> RoleGrant:
    return act.session.scalars(
        select(RoleGrant).where(RoleGrant.user_id == member.id, RoleGrant.role == "PUR_LEAD")
    ).one()


def test_a_role_holds_from_its_first_instant_to_before_its_last(nodes: Nodes, clock: SettableClock) -> None:
    nodes.enter(otto)
    assert nodes.asks(otto) == HIDDEN
    begins, ends = clock.now + dt.timedelta(minutes=10), clock.now + dt.timedelta(minutes=20)
    nodes.elsewhere(
        lambda act: grant(act, user_called(act.session, "otto"), "PUR_LEAD", valid_from=begins, valid_to=ends)
    )
    assert nodes.asks(otto) == HIDDEN
    clock.set(begins)
    assert nodes.asks(otto) == SEEN
    clock.set(ends)
    assert nodes.asks(otto) == HIDDEN


def test_a_role_that_is_given_or_taken_elsewhere_holds_at_once(nodes: Nodes, clock: SettableClock) -> None:
    nodes.enter(otto)
    assert nodes.asks(otto) == HIDDEN
    nodes.elsewhere(lambda act: grant(act, user_called(act.session, "otto"), "PUR_LEAD"))
    assert nodes.asks(otto) == SEEN
    clock.advance(minutes=1)
    nodes.elsewhere(lambda act: revoke(act, held(act, otto)))
    assert nodes.asks(otto) == HIDDEN


def test_a_deputy_stands_in_while_the_absence_lasts(nodes: Nodes, clock: SettableClock) -> None:
    nodes.enter(otto)
    assert nodes.asks(otto) == HIDDEN
    begins, ends = clock.now + dt.timedelta(minutes=10), clock.now + dt.timedelta(minutes=20)
    nodes.elsewhere(lambda act: directory.plan_absence(act, "lena", "otto", starts_at=begins, ends_at=ends))
    assert nodes.asks(otto) == HIDDEN
    clock.set(begins)
    assert nodes.asks(otto) == SEEN
    clock.set(ends)
    assert nodes.asks(otto) == HIDDEN


def test_an_absence_that_ends_early_and_a_role_taken_back_end_what_others_may(
    nodes: Nodes, clock: SettableClock
) -> None:
    nodes.enter(otto)
    over = clock.now + dt.timedelta(days=2)
    nodes.elsewhere(lambda act: directory.plan_absence(act, "lena", "otto", starts_at=act.now, ends_at=over))
    assert nodes.asks(otto) == SEEN
    clock.advance(minutes=1)
    nodes.elsewhere(lambda act: directory.end_absence(act, act.session.scalars(select(Absence)).one()))
    assert nodes.asks(otto) == HIDDEN
    with nodes.there.acting("user:lena") as act:
        lending.lend(act, "otto", "PUR_LEAD", valid_from=act.now, valid_to=over)
    assert nodes.asks(otto) == SEEN
    clock.advance(minutes=1)
    with nodes.there.acting("user:lena") as act:
        lending.take_back(act, act.session.scalars(select(Delegation)).one())
    assert nodes.asks(otto) == HIDDEN


def test_who_is_disabled_elsewhere_is_let_in_no_more_and_nobody_acts_for_them(
    nodes: Nodes, clock: SettableClock
) -> None:
    nodes.enter(lena)
    nodes.enter(otto)
    over = clock.now + dt.timedelta(days=2)
    nodes.elsewhere(lambda act: directory.plan_absence(act, "lena", "otto", starts_at=act.now, ends_at=over))
    assert (nodes.asks(lena), nodes.asks(otto)) == (SEEN, SEEN)
    nodes.elsewhere(lambda act: move(act, act.session.get_one(User, "lena"), UserStatus.DISABLED))
    assert (nodes.asks(lena), nodes.asks(otto)) == (GONE, HIDDEN)


def test_a_key_and_a_session_that_are_ended_elsewhere_open_nothing(nodes: Nodes) -> None:
    nodes.enter(lena)
    assert nodes.asks(lena) == SEEN
    nodes.elsewhere(lambda act: revoke_key(act, keys_of(act.session, "user:lena")[0].id))
    assert nodes.asks(lena) == (401, 200, 401)
    nodes.elsewhere(lambda act: sign_in.end_all(act, "lena", why="lost the laptop"))
    assert nodes.asks(lena) == GONE
