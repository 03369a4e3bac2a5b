"""People at the door: a user as a visitor."""

from __future__ import annotations

from flask import request
from sqlalchemy.orm import Session

from engine.errors import NotFound
from records.footing import Footing, footing_of
from webapp import formats, visit
from webapp.visit import Visitor


def visitor(person: Footing, how: formats.Custom | None = None) -> Visitor:
    """Return the visitor that a person is. how: their customs; without them those chosen in the profile, else the browser's."""
    if how is None:
        tag = request.cookies.get("customs") or request.accept_languages.best
        how = formats.custom(tag, person.zone)
    mine = person.principals(visit.now())
    return Visitor(
        person.person.id, person.person.name, person.person.title,
        frozenset(one.removeprefix("role:") for one in mine if one.startswith("role:")), how,
        keys_on=request.cookies.get("keys") != "off", opens_next=request.cookies.get("onward") != "list",
    )  # fmt: skip


def visitor_called(session: Session, user_id: str) -> Visitor:
    """Return the visitor that a user is. Raises: NotFound."""
    person = footing_of(session, user_id)
    if person is None:
        raise NotFound(f"Expected a user called {user_id}, but there is none")
    return visitor(person)
