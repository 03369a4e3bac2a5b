"""People at the door: a user as a visitor."""

from __future__ import annotations

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from records.calendar import Site
from records.person import User
from records.roles import grants_of, user_called
from webapp import formats, visit
from webapp.visit import Visitor


def visitor(session: Session, person: User) -> Visitor:
    """Return the visitor that a user is, with their customs: chosen in the profile, else the browser's."""
    zone = session.scalar(select(Site.time_zone).where(Site.code == person.site_code))
    tag = request.cookies.get("customs") or request.accept_languages.best
    roles = frozenset(grant.principal.removeprefix("role:") for grant in grants_of(session, person.id, at=visit.now()))
    return Visitor(
        person.id, person.name, person.title, roles, formats.custom(tag, zone),
        keys_on=request.cookies.get("keys") != "off", opens_next=request.cookies.get("onward") != "list",
    )  # fmt: skip


def user(session: Session, user_id: str) -> User:
    """Return a user. Raises: NotFound."""
    return user_called(session, user_id)
