"""Signing in at the company: its identity provider says who somebody is, and their groups say which roles they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from records.company import CompanyIdentity, CompanySession
from records.password import alert
from records.person import User
from records.roles import grant, grants_of, revoke
from records.session import SignInSession
from records.sign_in import end, open_session

METHOD = "COMPANY"
"""The word that a session and a signature keep."""

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,59}")


@dataclass(frozen=True, slots=True)
class CompanyPerson:
    """What an identity provider said of somebody who has just signed in there.

    subject: its own id of the person. login: the user name here. roles: (role, scope) to the group that gives it. sid: its
    session, empty when it names none. id_token: what it signed, kept for signing out there.
    """

    issuer: str
    subject: str
    login: str
    name: str
    title: str = ""
    email: str = ""
    roles: Mapping[tuple[str, str], str] = field(default_factory=dict)
    sid: str = ""
    id_token: str = ""


def enter(act: Act, person: CompanyPerson, *, device: str, address: str = "") -> tuple[str, SignInSession]:
    """Open a session for somebody whom the company knows, and return (token for the cookie, session).

    Who comes for the first time gets an account; who has one under this user name and comes for the first time is linked with
    it, and told. Name, title, mail and what the groups grant follow the company at each sign-in; what an administrator granted stays.

    Raises: Forbidden for an account that is disabled or belongs to another person of the company; Invalid without a usable user name.
    """
    user = _known(act, person) or _linked(act, person)
    if not user.is_active:
        raise Forbidden(
            f"Expected an active account, but {user.id} is disabled here; an administrator can enable it",
            code="DISABLED", record=("user_account", user.id), keep=True,
        )  # fmt: skip
    _follow(act, user, person)
    token, opened = open_session(act, user, device=device, address=address, method=METHOD)
    act.session.flush()
    act.session.add(
        CompanySession(
            session_id=opened.id, issuer=person.issuer, subject=person.subject, sid=person.sid, id_token=person.id_token
        )
    )
    return token, opened


def identity_of(act: Act, issuer: str, user_id: str) -> CompanyIdentity | None:
    """Return who a user is at an identity provider, if anybody."""
    return act.session.scalar(
        select(CompanyIdentity).where(CompanyIdentity.issuer == issuer, CompanyIdentity.user_id == user_id)
    )


def sign_out_there(act: Act, issuer: str, *, sid: str = "", subject: str = "") -> int:
    """End the sessions that began with a session at the provider, or all of a person, and return how many ended.

    For the provider's own word that somebody signed out there (OpenID Connect Back-Channel Logout 1.0).
    """
    wanted = (
        select(SignInSession)
        .join(CompanySession)
        .where(CompanySession.issuer == issuer, SignInSession.ended_at.is_(None))
    )
    wanted = wanted.where(CompanySession.sid == sid) if sid else wanted.where(CompanySession.subject == subject)
    found = list(act.session.scalars(wanted))
    for opened in found:
        end(act, opened, why="signed out at the company")
    return len(found)


def _known(act: Act, person: CompanyPerson) -> User | None:
    wanted = select(CompanyIdentity).where(
        CompanyIdentity.issuer == person.issuer, CompanyIdentity.subject == person.subject
    )
    found = act.session.scalar(wanted)
    return found.user if found is not None else None


def _linked(act: Act, person: CompanyPerson) -> User:
    login = person.login.strip().lower()
    if not LOGIN.fullmatch(login):
        raise Invalid(
            f"Expected the company to give a user name of up to 60 letters, digits and . _ @ + -, but it gave {person.login!r:.60}; "
            "an administrator of the identity provider can mend the claim",
            {"login": "is no user name"},
        )
    user = act.session.get(User, login)
    if user is None:
        user = User(id=login, name=person.name or login, title=person.title, email=person.email)
        act.session.add(user)
        act.session.flush()
    elif identity_of(act, person.issuer, login) is not None:
        # A login name is never given to another person (21 CFR 11.100(a)); the company's directory may do so.
        raise Conflict(
            f"Expected {login} to be the person whom the company signed in here before, but it is another one with the same user "
            "name; user names are never given to a second person: ask an administrator of the identity provider for another",
            code="IDENTITY_TAKEN", record=("user_account", login),
        )  # fmt: skip
    else:
        alert(
            act,
            user,
            f"{user.name} ({user.id}) has signed in at the company for the first time; the account is linked with it",
        )
    act.session.add(CompanyIdentity(user_id=user.id, issuer=person.issuer, subject=person.subject))
    act.session.flush()
    return user


def _follow(act: Act, user: User, person: CompanyPerson) -> None:
    for column, said in (("name", person.name), ("title", person.title), ("email", person.email)):
        if said and getattr(user, column) != said:
            setattr(user, column, said)
    user.can_sign_in = True
    held = grants_of(act.session, user.id, at=act.now)
    for one in held:
        if one.of_group and (one.role, one.scope) not in person.roles:
            revoke(act, one)
    for (role, scope), group in sorted(person.roles.items()):
        if any((one.role, one.scope) == (role, scope) for one in held):
            continue
        grant(act, user, role, scope=scope).of_group = group
    act.session.flush()
