"""On what people stand: their account, the roles they hold and held, for whom they act, and who is absent.

Every page, every request and every act asks this about the same few people. One question brings all that is kept of a person, and the
answer, which is the same at any instant, lasts as long as the session does not write any of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from engine import answers
from engine.ports import Person
from engine.prepared import Question, connection_of
from records.board import Membership
from records.calendar import Site
from records.person import Absence, Delegation, RoleGrant, User, UserStatus

ABOUT: frozenset[type] = frozenset({User, RoleGrant, Site, Absence, Delegation, Membership})
"""What the answers here are read from."""


@dataclass(frozen=True, slots=True)
class Held:
    """A role that somebody holds for a while. principal: ``role:CC_OWNER@4711``; valid_to: exclusive, None when it does not end."""

    principal: str
    valid_from: dt.datetime
    valid_to: dt.datetime | None

    def is_valid(self, at: dt.datetime) -> bool:
        """Whether it is held at an instant."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class Footing:
    """One person. zone: the name of their site's, None when the site is unknown. roles: those that are over, too.

    stands_in: whether anybody ever named them deputy or lent them a role; hardly anybody is.
    """

    person: Person
    can_sign_in: bool
    zone: str | None
    roles: tuple[Held, ...]
    stands_in: bool

    def principals(self, at: dt.datetime) -> list[str]:
        """Return under which principals the person acts for themselves at an instant: by name, then roles by code and scope."""
        return [f"user:{self.person.id}", *(held.principal for held in self.roles if held.is_valid(at))]


@dataclass(frozen=True, slots=True)
class Away:
    """A time in which somebody's deputy may act for them. flows: to which it is limited; none means every flow."""

    user_id: str
    deputy_id: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    flows: tuple[str, ...]

    def covers(self, at: dt.datetime, flow: str) -> bool:
        """Whether the deputy stands in at an instant in a flow; the end is exclusive."""
        return self.starts_at <= at < self.ends_at and (not self.flows or flow in self.flows)


def stands_in(user_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the question whether somebody was ever named to act for others. user_id: one value for the whole statement."""
    return or_(
        exists().where(Absence.deputy_id == user_id),
        exists().where(Delegation.to_user_id == user_id),
        exists().where(Membership.deputy_id == user_id),
    ).label("stands_in")


_PERSON = (User.id, User.name, User.title, User.email, User.status)
COLUMNS = (
    *_PERSON, User.can_sign_in, Site.time_zone, RoleGrant.role, RoleGrant.scope, RoleGrant.valid_from, RoleGrant.valid_to,
)  # fmt: skip
"""What a footing is read from, with ``stands_in`` after it: rows of one person, one for each role."""
ORDER = (RoleGrant.role, RoleGrant.scope, RoleGrant.valid_from)
WIDTH = len(COLUMNS) + 1

_FOOTING = Question(
    select(*COLUMNS, stands_in(bindparam("wanted")))
    .select_from(User)
    .outerjoin(Site, Site.code == User.site_code)
    .outerjoin(RoleGrant, RoleGrant.user_id == User.id)
    .where(User.id == bindparam("wanted"))
    .order_by(*ORDER)
)
_AWAY = (Absence.user_id, Absence.deputy_id, Absence.starts_at, Absence.ends_at, Absence.flows)
_HOLDERS = Question(
    select(*_PERSON, RoleGrant.valid_from, RoleGrant.valid_to, *_AWAY)
    .select_from(RoleGrant)
    .join(User, RoleGrant.user_id == User.id)
    .outerjoin(Absence, (Absence.user_id == User.id) & (Absence.ends_at > bindparam("moment")))
    .where(
        RoleGrant.role == bindparam("role"),
        RoleGrant.scope == bindparam("scope"),
        User.status != UserStatus.DISABLED,
    )
    .order_by(User.id, Absence.id)
)
_GRANTED = select(RoleGrant.user_id, RoleGrant.role, RoleGrant.valid_from, RoleGrant.valid_to).where(
    RoleGrant.role.in_(bindparam("roles", expanding=True))
)
_ABSENCES = (
    select(*_AWAY)
    .where(Absence.user_id.in_(bindparam("people", expanding=True)), Absence.ends_at > bindparam("moment"))
    .order_by(Absence.user_id, Absence.id)
)


def footing_of(session: Session, user_id: str) -> Footing | None:
    """Return on what a person stands, None for somebody whom nobody knows."""

    def ask() -> Footing | None:
        found = read(_FOOTING.ask(session, {"wanted": user_id}))
        return None if found is None else remember(session, found)

    return answers.lasting(session, ("footing", user_id), ask, about=ABOUT)


def person_called(session: Session, user_id: str) -> Person | None:
    """Return the person with this id, active or not, None when there is none."""

    def ask() -> Person | None:
        user = session.get(User, user_id)
        return None if user is None else _person(user.id, user.name, user.title, user.email, user.status)

    return answers.lasting(session, ("person", user_id), ask, about=ABOUT)


def remember(session: Session, footing: Footing) -> Footing:
    """Keep the footing that came with another question."""
    answers.lasting(session, ("person", footing.person.id), lambda: footing.person, about=ABOUT)
    return answers.lasting(session, ("footing", footing.person.id), lambda: footing, about=ABOUT)


def read(rows: Sequence[tuple[Any, ...]]) -> Footing | None:
    """Return the footing that the rows of one person say, None when there is none."""
    if not rows or rows[0][0] is None:
        return None
    can_sign_in, zone, *_, is_named = rows[0][len(_PERSON) : WIDTH]
    held = tuple(
        Held(f"role:{role}@{scope}" if scope else f"role:{role}", valid_from, valid_to)
        for role, scope, valid_from, valid_to in (row[WIDTH - 5 : WIDTH - 1] for row in rows)
        if role is not None
    )
    return Footing(_person(*rows[0][: len(_PERSON)]), bool(can_sign_in), zone, held, bool(is_named))


def holders_of(session: Session, role: str, scope: str, *, at: dt.datetime) -> tuple[Person, ...]:
    """Return the people, not disabled, who hold a role in a scope at an instant, by id. When they are absent is asked with it."""

    def ask() -> tuple[tuple[Person, Held], ...]:
        rows = _HOLDERS.ask(session, {"role": role, "scope": scope, "moment": at})
        away = [Away(*row[-len(_AWAY) :]) for row in rows if row[-1] is not None]
        _keep(session, {row[0] for row in rows}, away, since=at)
        return tuple((_person(*row[: len(_PERSON)]), Held("", *row[len(_PERSON) : -len(_AWAY)])) for row in rows)

    kept = answers.lasting(session, ("holders", role, scope), ask, about=ABOUT)
    return tuple({person.id: person for person, held in kept if held.is_valid(at)}.values())


def grants_of_roles(session: Session, roles: Iterable[str]) -> tuple[tuple[str, str, Held], ...]:
    """Return who was ever granted one of some roles in any scope, as (user id, role, when)."""
    wanted = tuple(sorted(set(roles)))

    def ask() -> tuple[tuple[str, str, Held], ...]:
        rows = connection_of(session).execute(_GRANTED, {"roles": wanted})
        return tuple((user_id, role, Held("", begins, ends)) for user_id, role, begins, ends in rows)

    return answers.lasting(session, ("grants", wanted), ask, about=ABOUT)


def absences_of(session: Session, user_ids: Iterable[str], *, at: dt.datetime) -> list[Away]:
    """Return when people are absent at an instant or after it, by person and by when it was planned."""
    wanted = sorted(set(user_ids))
    kept = _away(session)
    missing = [one for one in wanted if one not in kept or kept[one][0] > at]
    if missing:
        asked = connection_of(session).execute(_ABSENCES, {"people": missing, "moment": at})
        kept = _keep(session, missing, [Away(*row) for row in asked], since=at)
    return [away for one in wanted for away in kept[one][1]]


def _away(session: Session) -> dict[str, tuple[dt.datetime, tuple[Away, ...]]]:
    """Return what a session knows of absences by person: from when on it asked, and what was planned from then on."""
    return answers.lasting(session, "away", dict, about=ABOUT)


def _keep(
    session: Session, user_ids: Iterable[str], absences: Sequence[Away], *, since: dt.datetime
) -> dict[str, tuple[dt.datetime, tuple[Away, ...]]]:
    planned: dict[str, list[Away]] = {user_id: [] for user_id in user_ids}
    for away in dict.fromkeys(absences):
        planned[away.user_id].append(away)
    known = _away(session)
    known.update({user_id: (since, tuple(found)) for user_id, found in planned.items()})
    return known


def _person(user_id: str, name: str, title: str, email: str, status: UserStatus) -> Person:
    return Person(user_id, name, title, email, is_active=status is not UserStatus.DISABLED)
