"""The directory: under which principals somebody may act now, own ones and those of absent people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import bindparam, exists, or_, select
from sqlalchemy.orm import Session, aliased

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import Mandate, Person
from records.board import Membership
from records.columns import codes
from records.footing import Footing, absences_of, footing_of, holders_of, person_called
from records.person import Absence, Delegation, Role, User, UserStatus
from records.roles import as_held_by, grants_of, holds, user_called

# Built once: every page and every act may ask it.
_ACTS_FOR_OTHERS = select(
    or_(
        exists().where(
            Absence.deputy_id == bindparam("acting"),
            Absence.starts_at <= bindparam("moment"),
            Absence.ends_at > bindparam("moment"),
        ),
        exists().where(
            Delegation.to_user_id == bindparam("acting"),
            Delegation.valid_from <= bindparam("moment"),
            Delegation.valid_to > bindparam("moment"),
        ),
        exists().where(Membership.deputy_id == bindparam("acting"), Membership.valid_from <= bindparam("moment")),
    )
)
"""Whether a person may act for anybody else now; who ever could mostly cannot, and then three questions are one."""


class StaffDirectory:
    """Implements ``engine.ports.Directory`` on the tables of users, grants, absences and delegations."""

    def person(self, session: Session, user_id: str) -> Person | None:
        """Return the person with this id, active or not."""
        return person_called(session, user_id)

    def mandates(self, session: Session, user_id: str, *, at: dt.datetime, flow: str) -> Sequence[Mandate]:
        """Return every principal the person may act under at that instant in that flow, own ones first.

        A deputy stands in for an absent person, and for those whom that person stands in for; a role that is not
        deputised (administration) stays with its holder. flow: process id of the root instance; without one, mandates
        that hold in some flows only come after the others and name them. A session that only reads is told the same
        as at its first question: a page asks this several times.
        """
        if "act" in session.info:
            return self._asked(session, user_id, at=at, flow=flow)
        answers: dict[tuple[str, dt.datetime, str], Sequence[Mandate]] = session.info.setdefault("mandates", {})
        key = (user_id, at, flow)
        if key not in answers:
            answers[key] = self._asked(session, user_id, at=at, flow=flow)
        return answers[key]

    def _asked(self, session: Session, user_id: str, *, at: dt.datetime, flow: str) -> Sequence[Mandate]:
        footing = footing_of(session, user_id)
        if footing is None or not footing.person.is_active:
            return ()
        everywhere = self._mandates(session, footing, at=at, flow=flow)
        return everywhere if flow else (*everywhere, *self._limited(session, footing, everywhere, at=at))

    def _mandates(self, session: Session, footing: Footing, *, at: dt.datetime, flow: str) -> tuple[Mandate, ...]:
        user_id = footing.person.id
        found = dict.fromkeys(Mandate(principal) for principal in footing.principals(at))
        if not footing.stands_in or not session.scalar(_ACTS_FOR_OTHERS, {"acting": user_id, "moment": at}):
            return tuple(found)
        for absent in _stood_in_for(session, user_id, at=at, flow=flow):
            kept_back, theirs = _not_deputised(session), footing_of(session, absent)
            for principal in theirs.principals(at) if theirs is not None else ():
                if principal.removeprefix("role:").partition("@")[0] not in kept_back:
                    found[Mandate(principal, absent)] = None
        found |= dict.fromkeys(_lent(session, user_id, at))
        found |= dict.fromkeys(_sits_for(session, user_id, at))
        return tuple(found)

    def _limited(
        self, session: Session, footing: Footing, everywhere: Sequence[Mandate], *, at: dt.datetime
    ) -> Iterator[Mandate]:
        """Yield what a person may act under in some flows only, each mandate once with those flows."""
        flows: dict[Mandate, list[str]] = {}
        if not footing.stands_in:
            return
        for flow in _flows_of_deputies(session, footing.person.id, at=at):
            for mandate in self._mandates(session, footing, at=at, flow=flow):
                if mandate not in everywhere:
                    flows.setdefault(mandate, []).append(flow)
        for mandate, names in flows.items():
            yield replace(mandate, flows=tuple(names))

    def holders(self, session: Session, principal: str, *, at: dt.datetime) -> Sequence[Person]:
        """Return the active people who hold a principal themselves, by id."""
        kind, _, rest = principal.partition(":")
        if kind == "user":
            person = self.person(session, rest)
            return (person,) if person is not None and person.is_active else ()
        role, _, scope = rest.partition("@")
        if scope.startswith("user:"):
            return self._standing_in(session, role, scope.removeprefix("user:"), at=at)
        return holders_of(session, role, scope, at=at)

    def _standing_in(self, session: Session, role: str, user_id: str, *, at: dt.datetime) -> tuple[Person, ...]:
        """Return who acts in a role for a person: whom they lent it to, and the deputies of their places on boards."""
        lent = select(Delegation.to_user_id).where(Delegation.from_user_id == user_id, Delegation.role == role)
        sits = select(Membership.deputy_id).where(Membership.user_id == user_id, Membership.role == role)
        principal = as_held_by(role, user_id)
        people = sorted({*session.scalars(lent), *filter(None, session.scalars(sits))})
        return tuple(
            person
            for one in people
            if any(mandate.principal == principal for mandate in self.mandates(session, one, at=at, flow=""))
            and (person := self.person(session, one)) is not None
        )

    def name_of(self, session: Session, principal: str) -> str:
        """Return a person's name, or a role's with the scope it is held in; the code of what nobody knows."""
        kind, _, rest = principal.partition(":")
        if kind == "user":
            person = self.person(session, rest)
            return person.name if person is not None else rest
        code, _, scope = rest.partition("@")
        if scope.startswith("user:"):
            return f"whoever stands in for {self.name_of(session, scope)}"
        role = session.scalar(select(Role).where(Role.code == code))
        return f"{role.name if role is not None else code} {scope}".strip()

    def stand_ins(
        self, session: Session, user_ids: Sequence[str], *, at: dt.datetime, flow: str
    ) -> Sequence[tuple[str, Person]]:
        """Return who stands in for people who are absent, as (absent person, deputy), chains followed to their end."""
        found: dict[tuple[str, str], Person] = {}
        frontier = [(user_id, user_id) for user_id in user_ids]
        while frontier:
            asked = {standing for _, standing in frontier}
            rows = [away for away in absences_of(session, asked, at=at) if away.covers(at, flow)]
            frontier = [
                (absent, row.deputy_id)
                for absent, standing in frontier
                for row in rows
                if row.user_id == standing and absent != row.deputy_id and (absent, row.deputy_id) not in found
            ]
            for absent, deputy_id in frontier:
                if (person := self.person(session, deputy_id)) is not None:
                    found[absent, deputy_id] = person
        return [(absent, person) for (absent, _), person in found.items() if person.is_active]


def _stood_in_for(session: Session, user_id: str, *, at: dt.datetime, flow: str) -> list[str]:
    """Return whom a person stands in for, nearest first, following chains of absences."""
    found: list[str] = []
    seen, frontier = {user_id}, [user_id]
    while frontier:
        wanted = select(Absence).join(User, Absence.user_id == User.id)
        rows = session.scalars(
            wanted.where(
                Absence.deputy_id.in_(frontier),
                Absence.starts_at <= at,
                Absence.ends_at > at,
                User.status != UserStatus.DISABLED,
            ).order_by(Absence.user_id)
        )
        frontier = [row.user_id for row in rows if row.covers(at, flow) and row.user_id not in seen]
        frontier = list(dict.fromkeys(frontier))
        seen.update(frontier)
        found += frontier
    return found


def _flows_of_deputies(session: Session, user_id: str, *, at: dt.datetime) -> list[str]:
    """Return the flows that absences are limited to, when the person stands in for anybody at all."""
    own = aliased(Absence)
    standing_in = exists().where(own.deputy_id == user_id, own.starts_at <= at, own.ends_at > at)
    rows = session.scalars(select(Absence).where(Absence.starts_at <= at, Absence.ends_at > at, standing_in))
    return sorted({flow for row in rows for flow in row.flows})


def _not_deputised(session: Session) -> set[str]:
    return set(session.scalars(select(Role.code).where(Role.is_deputised.is_(False))))


def _lent(session: Session, user_id: str, at: dt.datetime) -> Iterator[Mandate]:
    wanted = select(Delegation).where(
        Delegation.to_user_id == user_id, Delegation.valid_from <= at, Delegation.valid_to > at
    )
    for lent in session.scalars(wanted.order_by(Delegation.id)):
        lender = session.get(User, lent.from_user_id)
        own = {held.principal for held in grants_of(session, lent.from_user_id, at=at)}
        if lender is not None and lender.is_active and lent.principal in own:
            yield Mandate(lent.principal, lent.from_user_id)
            yield Mandate(as_held_by(lent.role, lent.from_user_id), lent.from_user_id)


def _sits_for(session: Session, user_id: str, at: dt.datetime) -> Iterator[Mandate]:
    """Yield what the deputy of a place on a board acts under: the place's role, for its member, while both hold it."""
    wanted = select(Membership).where(Membership.deputy_id == user_id, Membership.valid_from <= at)
    for place in session.scalars(wanted.order_by(Membership.id)):
        if place.is_valid(at) and holds(session, user_id, place.role, at=at):
            yield Mandate(as_held_by(place.role, place.user_id), place.user_id)


def delegation_under(
    session: Session, user_id: str, *, lender: str, principal: str, at: dt.datetime
) -> Delegation | None:
    """Return the delegation by which a person acts for a lender at an instant, with its limits, or None."""
    wanted = select(Delegation).where(
        Delegation.to_user_id == user_id,
        Delegation.from_user_id == lender,
        Delegation.valid_from <= at,
        Delegation.valid_to > at,
    )
    return next((lent for lent in session.scalars(wanted) if lent.principal == principal), None)


def absent_deputy(session: Session, user_id: str, *, at: dt.datetime, flow: str) -> Absence | None:
    """Return the absence that makes somebody else act for a person now, or None when they are here."""
    wanted = select(Absence).where(Absence.user_id == user_id, Absence.starts_at <= at, Absence.ends_at > at)
    return next((absence for absence in session.scalars(wanted) if absence.covers(at, flow)), None)


def plan_absence(
    act: Act, user_id: str, deputy_id: str, *, starts_at: dt.datetime, ends_at: dt.datetime, flows: Iterable[str] = (),
    reason: str = "",
) -> Absence:  # fmt: skip
    """Name the deputy who acts for a person in a time, in some flows or (with none named) in all.

    Raises: Forbidden for anybody but the person and administrators; Invalid for an unknown or disabled deputy or a time
    that is over; Conflict DEPUTY_LOOP when the chain of deputies would come back to the person, and ABSENCE_OVERLAPS
    when there is another deputy for part of it.
    """
    _may_plan(act, user_id)
    deputy = user_called(act.session, deputy_id)
    if not deputy.is_active or not deputy.can_sign_in:
        raise Invalid(f"Expected a deputy who can act, but {deputy.name} cannot", {"deputy_id": "cannot sign in"})
    if deputy_id == user_id:
        raise Invalid(
            "Expected somebody else as deputy, but it is the same person", {"deputy_id": "is the same person"}
        )
    if ends_at <= starts_at or ends_at <= act.now:
        raise Invalid("Expected an absence that ends after it begins and after now", {"ends_at": "is too early"})
    absence = Absence(
        user_id=user_id, deputy_id=deputy_id, starts_at=starts_at, ends_at=ends_at, flows=codes(flows), reason=reason
    )
    _refuse_overlap(act.session, absence)
    _refuse_loop(act.session, absence)
    act.session.add(absence)
    return absence


def end_absence(act: Act, absence: Absence) -> None:
    """End an absence now, or take one back that has not begun. Raises Forbidden as ``plan_absence``."""
    _may_plan(act, absence.user_id)
    if absence.starts_at >= act.now:
        act.session.delete(absence)
    elif absence.ends_at > act.now:
        absence.ends_at = act.now


def _may_plan(act: Act, user_id: str) -> None:
    if act.user_id is None or act.user_id == user_id or holds(act.session, act.user_id, "ADMIN", at=act.now):
        return
    raise Forbidden(f"Expected {user_id} or an administrator to plan this absence, but {act.user_id} asked")


def _together(one: Absence, other: Absence) -> bool:
    """Whether two absences share a time and a flow."""
    flows = not one.flows or not other.flows or bool(set(one.flows) & set(other.flows))
    return flows and one.starts_at < other.ends_at and other.starts_at < one.ends_at


def _refuse_overlap(session: Session, absence: Absence) -> None:
    for other in session.scalars(select(Absence).where(Absence.user_id == absence.user_id)):
        if _together(absence, other):
            raise Conflict(
                f"Expected one deputy at a time, but {_name(session, other.deputy_id)} stands in until {other.ends_at:%Y-%m-%d}."
                " End that absence first, or choose another time.",
                code="ABSENCE_OVERLAPS",
            )


def _name(session: Session, user_id: str) -> str:
    person = session.get(User, user_id)
    return person.name if person is not None else user_id


def _refuse_loop(session: Session, absence: Absence) -> None:
    seen, frontier = {absence.deputy_id}, [absence.deputy_id]
    while frontier:
        others = session.scalars(select(Absence).where(Absence.user_id.in_(frontier)))
        deputies = {other.deputy_id for other in others if _together(absence, other)}
        if absence.user_id in deputies:
            deputy, away = _name(session, absence.deputy_id), _name(session, absence.user_id)
            raise Conflict(
                f"Expected {deputy} to be there for {away}, but {deputy} is away in that time, and who stands in leads back to"
                f" {away}. Choose another deputy or another time.",
                code="DEPUTY_LOOP",
            )
        frontier = sorted(deputies - seen)
        seen |= deputies
