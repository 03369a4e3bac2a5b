"""``lockstep user``: who may sign in, and as what."""

from __future__ import annotations

import getpass
import re
from difflib import get_close_matches
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Invalid, NotFound
from engine.stored.definition import Definition, DefinitionFile, DefinitionStatus
from processes import leaving
from records.demo_people import ADMINISTRATION, ROLES
from records.password import set_password, unlock
from records.person import Role, User, UserStatus, move
from records.roles import grant, grants_of, revoke, user_called
from records.sign_in import end_all
from webapp.cli.house import House, as_json, refusals_told, show_json
from webapp.cli.keys import key_command

CONSOLE = "system:console"
"""Who acts when an account is kept from the command line; the operating system's user stands in the reason."""


@click.group("user")
def user_command() -> None:
    """Keep accounts: add, list, grant, revoke, password, lock and unlock, and keys to the API.

    \b
    Example:
      lockstep user add rita --name "Rita Okafor" --role REQUESTER
    """


user_command.add_command(key_command)


def console_reason() -> str:
    """Return who sits at the console, as the reason of what is done there."""
    return f"by {getpass.getuser()} at the command line"


def _split(role: str) -> tuple[str, str]:
    code, _, scope = role.partition("@")
    if not code or code != code.upper():
        raise Invalid(f"Expected a role code such as PUR_LEAD or CC_OWNER@4711, but found {role!r}")
    return code, scope


def _known_role(session: Session, role: str) -> tuple[str, str]:
    """Return code and scope of a role that exists. Raises: Invalid; NotFound with the nearest codes.

    A role exists that is described, or that ships, or that a deployed diagram or table names.
    """
    code, scope = _split(role)
    known = {*session.scalars(select(Role.code)), *(shipped[0] for shipped in (*ROLES, *ADMINISTRATION))}
    if code not in known and not _is_named(session, code):
        near = get_close_matches(code, sorted(known), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known))}"
        raise NotFound(f"Expected a role that exists, but {code} does not; {hint}")
    return code, scope


def _is_named(session: Session, code: str) -> bool:
    wanted = select(DefinitionFile.content).join(Definition, Definition.id == DefinitionFile.definition_id)
    word = re.compile(rf"\b{re.escape(code)}\b".encode())
    files = session.scalars(wanted.where(Definition.status == DefinitionStatus.RELEASED))
    return any(word.search(content) for content in files)


@user_command.command("add")
@click.argument("login")
@click.option("--name", required=True, help="The printed name.")
@click.option("--title", default="", help="The printed title, as it stands on signatures.")
@click.option("--email", default="")
@click.option("--role", "roles", multiple=True, metavar="CODE[@SCOPE]", help="May be given several times.")
@click.option("--password", help="Else it is asked for. It must be changed at the first sign-in.")
@click.pass_obj
@refusals_told
def add_command(house: House, /, login: str, password: str | None, roles: tuple[str, ...], **fields: str) -> None:
    """Add somebody who may sign in.

    \b
    Example:
      lockstep user add carl --name "Carl Jensen" --role CC_OWNER@4711
    """
    secret = password or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with house.open() as installation, installation.acting(CONSOLE, reason=console_reason()) as act:
        if act.session.get(User, login) is not None:
            raise Conflict(f"Expected a new login name, but {login} is taken; ids are never given to another person")
        user = User(id=login, **fields)
        act.session.add(user)
        act.session.flush()
        set_password(act, user, secret, must_change=True)
        for role in roles:
            code, scope = _known_role(act.session, role)
            grant(act, user, code, scope=scope)
    house.says.print(f"{login} may sign in", markup=False)


@user_command.command("list")
@as_json
@click.pass_obj
@refusals_told
def list_command(house: House, is_json: bool) -> None:
    """List who there is, with roles.

    \b
    Example:
      lockstep user list --json
    """
    with house.open() as installation, installation.reading() as session:
        now = installation.clock()
        people = [_plain(session, user, now) for user in session.scalars(select(User).order_by(User.id))]
    if is_json:
        show_json(people)
        return
    rows = [
        (str(one["id"]), str(one["name"]), str(one["title"]), " ".join(one["roles"]), str(one["status"]))
        for one in people
    ]
    house.show_rows(
        ("id", "name", "title", "roles", "status"), rows, none="Nobody yet. Add somebody: lockstep user add"
    )


def _plain(session: Any, user: User, now: Any) -> dict[str, Any]:
    roles = [grant.principal.removeprefix("role:") for grant in grants_of(session, user.id, at=now)]
    return {
        "id": user.id,
        "name": user.name,
        "title": user.title,
        "status": str(user.status),
        "can_sign_in": user.can_sign_in,
        "roles": roles,
    }


@user_command.command("grant")
@click.argument("login")
@click.argument("role")
@click.pass_obj
@refusals_told
def grant_command(house: House, login: str, role: str) -> None:
    """Give a role, from now on.

    \b
    Example:
      lockstep user grant carl CC_OWNER@4711
    """
    with house.open() as installation, installation.acting(CONSOLE, reason=console_reason()) as act:
        code, scope = _known_role(act.session, role)
        grant(act, user_called(act.session, login), code, scope=scope)
    house.says.print(f"{login} holds {role}", markup=False)


@user_command.command("revoke")
@click.argument("login")
@click.argument("role")
@click.pass_obj
@refusals_told
def revoke_command(house: House, login: str, role: str) -> None:
    """End a role now; what was done under it stays done.

    \b
    Example:
      lockstep user revoke carl CC_OWNER@4711
    """
    code, scope = _split(role)
    with house.open() as installation, installation.acting(CONSOLE, reason=console_reason()) as act:
        held = [one for one in grants_of(act.session, login, at=act.now) if (one.role, one.scope) == (code, scope)]
        if not held:
            raise NotFound(f"Expected {login} to hold {role}, but they do not")
        for one in held:
            revoke(act, one)
    house.says.print(f"{login} no longer holds {role}", markup=False)


@user_command.command("password")
@click.argument("login")
@click.option("--password", help="Else it is asked for.")
@click.pass_obj
@refusals_told
def password_command(house: House, login: str, password: str | None) -> None:
    """Set a password; it must be changed at the next sign-in, and a lock is opened.

    \b
    Example:
      lockstep user password rita
    """
    secret = password or click.prompt("New password", hide_input=True, confirmation_prompt=True)
    with house.open() as installation, installation.acting(CONSOLE, reason=console_reason()) as act:
        user = unlock(act, login)
        set_password(act, user, secret, must_change=True)
        end_all(act, login, why="its password was set at the command line")
    house.says.print(f"{login} has a new password", markup=False)


@user_command.command("disable")
@click.argument("login")
@click.option("--to", "heir", metavar="LOGIN", help="Who takes over what somebody has to be named for.")
@click.option("--as-proposed", is_flag=True, help="Hand every piece of open work to its proposed target.")
@click.pass_obj
@refusals_told
def disable_command(house: House, login: str, heir: str | None, as_proposed: bool) -> None:
    """Let somebody act no more and hand over their work; what they signed keeps their name.

    \b
    Example:
      lockstep user disable otto
      lockstep user disable max --to lena
    """
    with house.open() as installation, installation.acting(CONSOLE, reason=console_reason()) as act:
        found = leaving.pieces_of(act.session, login)
        if found and not (heir or as_proposed):
            listed = "; ".join(f"{one.words.lower()} {one.title}" for one in found[:5])
            raise Conflict(
                f"Expected no open work of {login}, but there are {len(found)} pieces ({listed}); name who takes over with --to,"
                " or --as-proposed, or use the page People"
            )
        targets = {
            one.key: heir for one in found if heir and "person" in one.takes and (not as_proposed or not one.proposed)
        }
        leaving.leave(act, login, targets, seen=leaving.seen_hash(found), reason=console_reason())
    house.says.print(f"{login} is disabled; {len(found)} pieces of work handed over", markup=False)


@user_command.command("enable")
@click.argument("login")
@click.pass_obj
@refusals_told
def enable_command(house: House, login: str) -> None:
    """Let somebody who was disabled or locked act again.

    \b
    Example:
      lockstep user enable otto
    """
    _move(house, login, UserStatus.ACTIVE)


def _move(house: House, login: str, to: UserStatus) -> None:
    with house.open() as installation, installation.acting(CONSOLE, reason=console_reason()) as act:
        _change_status(act, login, to)
    house.says.print(f"{login} is {str(to).lower()}", markup=False)


def _change_status(act: Act, login: str, to: UserStatus) -> None:
    user = user_called(act.session, login)
    if to is UserStatus.ACTIVE and user.status is UserStatus.LOCKED:
        unlock(act, login)
    else:
        move(act, user, to, reason=act.reason)
