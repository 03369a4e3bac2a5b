"""Who is visiting: the signed-in person of this request, the session that reads, the act that writes."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from flask import Flask, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine import answers, instances
from engine.act import Act, Installation
from engine.database import Base, new_id
from engine.missed_messages import Meeting
from engine.stored.instance import Instance
from records.stepping_up import ProofNeeded
from webapp import formats
from webapp.refusals import Resumed
from webapp.stepping_up import SteppingUp

log = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in person. roles: role codes held now, scope included (``CC_OWNER@4711``). opens_next: after each decision."""

    user_id: str
    name: str
    title: str
    roles: frozenset[str]
    how: formats.Custom
    keys_on: bool = True
    opens_next: bool = True

    @property
    def principal(self) -> str:
        """The principal under which this person acts."""
        return f"user:{self.user_id}"

    @property
    def is_adapter(self) -> bool:
        """Whether it is no person but another system, which is judged by the scopes of its key."""
        return self.user_id.startswith("adapter:")

    def holds(self, *codes: str) -> bool:
        """Tell whether the person holds one of these roles, in any scope."""
        return any(role.partition("@")[0] in codes for role in self.roles)


def installation() -> Installation:
    """Return what this application is wired to."""
    wired: Installation = current_app.extensions["lockstep"]
    return wired


def now() -> dt.datetime:
    """Return the instant of this request, read once."""
    if "now" not in g:
        g.now = installation().clock()
    moment: dt.datetime = g.now
    return moment


def visitor() -> Visitor:
    """Return the signed-in person; the gate lets nobody else reach a page that asks."""
    person: Visitor = g.visitor
    return person


def reading() -> Session:
    """Return the session in which this request reads; it is closed with the request.

    After an act it knows from the beginning what the act asked, and the rows that it wanted shown.
    """
    if "reading" not in g:
        stack = g.reading_stack = ExitStack()
        g.reading = stack.enter_context(installation().reading())
        if g.get("done") is not None:
            answers.hand_over(g.done.session, g.reading)
            g.reading.add_all(g.to_show)
            g.done, g.to_show = None, ()
    session: Session = g.reading
    return session


def read_anew() -> Session:
    """Close the reading session and open another, which sees what this request has written."""
    let_go()
    return reading()


def written(kind: type[Row], row_id: str) -> Row:
    """Return a row that the act of this request wanted shown, or read it."""
    found = next((row for row in g.get("to_show", ()) if isinstance(row, kind) and cast("Any", row).id == row_id), None)
    return found or reading().get_one(kind, row_id)


def show_after(act: Act, instance: Instance, *rows: object) -> None:
    """Keep what an act wrote about an instance for the answer to its request, so that nothing is read when it was just written."""
    act.settle()  # What is refused is refused here: below, nothing is judged any more.
    g.meant = (instance, *rows), {instance.id: _sentence(act, instance)}


def _sentence(act: Act, instance: Instance) -> str | None:
    """Say what an instance waits for as the act leaves it; what goes wrong is logged, for it must not undo what was decided."""
    try:
        return instances.sentence_at_rest(act.session, instance)
    except Exception as error:
        if isinstance(error, SQLAlchemyError):
            raise  # The transaction is lost with it: nothing was decided.
        log.exception("nobody can say what instance %s waits for", instance.id)
        return "What it waits for could not be said; look at the run."


def wait_sentence(instance_id: str) -> str:
    """Say what an instance waits for, as the act of this request left it or as it is now."""
    known: str | None = g.get("waits", {}).get(instance_id)
    return known or instances.wait_sentence(reading(), instances.find(reading(), instance_id))


def begin_act() -> None:
    """Forget what an act before this one wrote and wanted shown."""
    g.done, g.to_show, g.waits = None, (), {}
    g.pop("meant", None)


def end_act(act: Act) -> None:
    """Show what an act wanted shown, now that it is committed, unless work after its commit may have changed it again."""
    g.done = act
    if "meant" in g and not any(isinstance(work, Meeting) for work in act.afterwards):
        g.to_show, g.waits = g.meant


def begin_anew() -> None:
    """Let go of the database and of the instant: whoever waited goes on as of now."""
    let_go()
    g.pop("now", None)


@contextmanager
def acting(*, reason: str | None = None, on_behalf_of: str | None = None) -> Iterator[Act]:
    """Open the visitor's act. A form that was carried over a sign-in is shown again instead of being sent.

    Raises: Resumed for a carried form; Invalid for one with a character that cannot be stored; SteppingUp, past whoever shows
    refusals, when its signature needs a sign-in at the company first.
    """
    if g.get("unreadable") is not None:
        raise g.unreadable
    if g.get("is_resumed"):
        raise Resumed("Expected you to look once more: the session had ended while you typed.")
    try:
        with installation().acting(visitor().principal, now=now(), reason=reason, on_behalf_of=on_behalf_of) as act:
            g.act_id = act.id
            yield act
    except ProofNeeded as needed:
        raise SteppingUp(needed.subjects) from needed


def install(app: Flask) -> None:
    """Give every request an id and close what it opened."""

    @app.before_request
    def _name_request() -> None:
        g.request_id = new_id()

    @app.teardown_request
    def _close(_error: BaseException | None) -> None:
        let_go()


def let_go() -> None:
    """Close the reading session, if one is open; who reads on opens another."""
    stack: ExitStack | None = g.pop("reading_stack", None)
    g.pop("reading", None)
    if stack is not None:
        stack.close()


def is_partial() -> bool:
    """Tell whether htmx asks for a part of the page (not for a page it restores from the history)."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers
