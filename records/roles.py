"""Who holds which role, and what a role may sign."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import NotFound
from records.person import Role, RoleGrant, User
from records.signature import Meaning

PLAIN_MEANINGS = frozenset({Meaning.REVIEWED, Meaning.APPROVED, Meaning.REJECTED, Meaning.VERIFIED})
"""What a role may sign that nobody described in the role table, so that a diagram can introduce one."""


_GRANTS = (
    select(RoleGrant)
    .where(RoleGrant.user_id == bindparam("holder"), RoleGrant.valid_from <= bindparam("moment"))
    .order_by(RoleGrant.role, RoleGrant.scope, RoleGrant.valid_from)
)
"""Built once: every page and every act asks it."""


def role_code(principal: str) -> str:
    """Return the bare role of a principal: ``CC_OWNER`` of ``role:CC_OWNER@4711``; empty for a user."""
    kind, _, rest = principal.partition(":")
    if kind == "user":
        return ""
    return (rest or kind).partition("@")[0]


def as_held_by(role: str, user_id: str) -> str:
    """Return the principal that only those hold who act in a role for one person: their deputies, not every holder of the role."""
    return f"role:{role}@user:{user_id}"


def meanings_of(session: Session, code: str) -> frozenset[Meaning]:
    """Return what a role may sign."""
    role = session.scalar(select(Role).where(Role.code == code))
    return PLAIN_MEANINGS if role is None else frozenset(Meaning(meaning) for meaning in role.meanings)


def role_name(session: Session, code: str) -> str:
    """Return a role's printed name, or its code where nobody described it."""
    return session.scalar(select(Role.name).where(Role.code == code)) or code


def grants_of(session: Session, user_id: str, *, at: dt.datetime) -> list[RoleGrant]:
    """Return the grants a user holds at an instant, by role and scope."""
    held = session.scalars(_GRANTS, {"holder": user_id, "moment": at})
    return [grant for grant in held if grant.is_valid(at)]


def holds(session: Session, user_id: str, role: str, *, at: dt.datetime) -> bool:
    """Whether a user holds a role themselves, whatever its scope."""
    return any(grant.role == role for grant in grants_of(session, user_id, at=at))


def user_called(session: Session, user_id: str) -> User:
    """Return a user. Raises NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(f"Expected a user called {user_id}, but there is none")
    return user


def grant(
    act: Act,
    user: User,
    role: str,
    *,
    scope: str = "",
    valid_from: dt.datetime | None = None,
    valid_to: dt.datetime | None = None,
) -> RoleGrant:
    """Give a role to a user, from now on unless said otherwise; a grant that already holds is returned as it is."""
    begins = valid_from or act.now
    for held in grants_of(act.session, user.id, at=begins):
        if (held.role, held.scope, held.valid_to) == (role, scope, valid_to):
            return held
    given = RoleGrant(user_id=user.id, role=role, scope=scope, valid_from=begins, valid_to=valid_to)
    act.session.add(given)
    return given


def revoke(act: Act, held: RoleGrant) -> RoleGrant:
    """End a grant now; what was done under it stays done."""
    if held.valid_from >= act.now:
        act.session.delete(held)
    else:
        held.valid_to = act.now
    return held
