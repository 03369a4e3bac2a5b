"""Lend one role to somebody for a time, with limits, and take it back (domain.md 2.29)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from records.person import Delegation, Role
from records.roles import grants_of, role_name, user_called


def lend(
    act: Act,
    to_user_id: str,
    role: str,
    *,
    valid_from: dt.datetime,
    valid_to: dt.datetime,
    scope: str = "",
    max_amount: Decimal | None = None,
    excludes_own_documents: bool = True,
    excludes_signed_documents: bool = True,
) -> Delegation:
    """Lend a role of the acting person's own to somebody for a time.

    max_amount: company currency, up to which it is used; None without a limit. What somebody was lent is not lent on: it is not theirs.
    Raises: Forbidden for a role that the acting person does not hold or may not hand on; Invalid naming the field; Conflict while the
    role is lent to the same person.
    """
    _refuse_unfit(act, to_user_id, role, scope=scope, valid_from=valid_from, valid_to=valid_to, max_amount=max_amount)
    me = act.user_id or ""
    lent = Delegation(
        from_user_id=me, to_user_id=to_user_id, role=role, scope=scope, valid_from=valid_from, valid_to=valid_to, max_amount=max_amount,
        excludes_own_documents=excludes_own_documents, excludes_signed_documents=excludes_signed_documents,
    )  # fmt: skip
    for other in lent_by(act.session, me, at=act.now):
        if (other.to_user_id, other.principal) == (to_user_id, lent.principal) and _overlap(other, lent):
            raise Conflict(
                f"Expected a time in which {role_name(act.session, role)} is not lent to {user_called(act.session, to_user_id).name}, but "
                "it is already; take that back first"
            )
    act.session.add(lent)
    act.session.flush()
    return lent


def take_back(act: Act, lent: Delegation) -> None:
    """End what was lent now, or take it away before it begins. Raises: Forbidden for anybody but the lender and administrators."""
    is_admin = any(grant.role == "ADMIN" for grant in grants_of(act.session, act.user_id or "", at=act.now))
    if act.user_id != lent.from_user_id and not is_admin:
        raise Forbidden("Expected the lender or an administrator to take a role back, but you are neither")
    if lent.valid_from >= act.now:
        act.session.delete(lent)
    elif lent.valid_to > act.now:
        lent.valid_to = act.now
    act.session.flush()


def lent_by(session: Session, user_id: str, *, at: dt.datetime) -> list[Delegation]:
    """Return what somebody lends now or later, the earliest first."""
    wanted = select(Delegation).where(Delegation.from_user_id == user_id, Delegation.valid_to > at)
    return list(session.scalars(wanted.order_by(Delegation.valid_from, Delegation.id)))


def lent_with(session: Session, user_id: str, *, at: dt.datetime) -> list[Delegation]:
    """Return what somebody lends or was lent, now or later, the earliest first."""
    mine = or_(Delegation.from_user_id == user_id, Delegation.to_user_id == user_id)
    wanted = select(Delegation).where(mine, Delegation.valid_to > at)
    return list(session.scalars(wanted.order_by(Delegation.valid_from, Delegation.id)))


def lendable(session: Session, user_id: str, *, at: dt.datetime) -> list[tuple[str, str]]:
    """Return (role, scope) of what somebody may lend: their own grants of roles that are deputised."""
    kept = set(session.scalars(select(Role.code).where(Role.is_deputised.is_(False))))
    return [(grant.role, grant.scope) for grant in grants_of(session, user_id, at=at) if grant.role not in kept]


def _refuse_unfit(
    act: Act,
    to_user_id: str,
    role: str,
    *,
    scope: str,
    valid_from: dt.datetime,
    valid_to: dt.datetime,
    max_amount: Decimal | None,
) -> None:
    if (role, scope) not in lendable(act.session, act.user_id or "", at=act.now):
        raise Forbidden(
            f"Expected a role of yours that may be lent, but {role_name(act.session, role) or 'that'} is none",
            code="NOT_AUTHORISED",
        )
    borrower = user_called(act.session, to_user_id)
    problems: dict[str, str] = {}
    if not borrower.is_active or not borrower.can_sign_in:
        problems["to_user_id"] = "cannot sign in"
    if to_user_id == act.user_id:
        problems["to_user_id"] = "is the same person"
    closed = set(act.session.scalars(select(Role.code).where(Role.is_business.is_(False)))) | {"ADMIN"}
    if any(grant.role in closed for grant in grants_of(act.session, to_user_id, at=act.now)):
        problems["to_user_id"] = "administers, and signs no business"
    if valid_to <= max(valid_from, act.now):
        problems["valid_to"] = "is too early"
    if max_amount is not None and max_amount < 0:
        problems["max_amount"] = "is below 0"
    if problems:
        raise Invalid(
            "Expected somebody who may use the role, and a time that lies ahead, but something does not fit", problems
        )


def _overlap(one: Delegation, other: Delegation) -> bool:
    return one.valid_from < other.valid_to and other.valid_from < one.valid_to
