"""Employees become users without sign-in; former ones, whom documents still name, become disabled users."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from sqlalchemy import select

from engine.act import Act
from processes.importing.bringing import Import, Item, Outcome, assign
from processes.importing.reading import Reading
from records.origin import Origin
from records.person import TRANSITIONS, User, UserStatus, move

WITHOUT_DECOMPOSITION = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "þ": "th"}
)


def bring_people(run: Import) -> None:
    """Bring in the employees, then everybody else whom a requisition or an order names."""
    with run.act() as act:
        taken = set(act.session.scalars(select(User.id)))
    run.bring("people", _employees(run, taken))
    run.bring("people", _former(run, taken))


def _employees(run: Import, taken: set[str]) -> Iterator[Item]:
    for family in run.families("employees"):
        cells = run.reading("employees", family.head)
        name, is_active = cells.needed("name"), cells.truth("is_active")
        if not cells.is_good:
            run.leave_out("people")
            continue
        yield _person(run, cells, "employee", cells.text("id"), name, is_active=is_active, taken=taken)


def _former(run: Import, taken: set[str]) -> Iterator[Item]:
    named = dict(_named(run))
    for family in run.families("parties"):
        cells = run.reading("parties", family.head)
        name = cells.needed("name")
        if name in named and name not in run.people and cells.is_good:
            named[name].warn(
                _field_of(named[name]), "FORMER_EMPLOYEE", f"{name} is no present employee; taken as a disabled user"
            )
            yield _person(run, cells, "party.person", cells.text("id"), name, is_active=False, taken=taken)


def _named(run: Import) -> Iterator[tuple[str, Reading]]:
    """Yield the people documents name, each with the last row that does."""
    for section, fields in (("requisitions", ("requester",)), ("orders", ("buyer", "confirmed_by"))):
        for row in run.sheet(section).rows:
            cells = run.reading(section, row)
            for field in fields:
                if name := cells.text(field):
                    yield name, cells


def _field_of(cells: Reading) -> str:
    return "requester" if cells.section.name == "requisitions" else "buyer"


def _person(
    run: Import, cells: Reading, native_type: str, native_id: str, name: str, *, is_active: bool, taken: set[str]
) -> Item:
    email = cells.text("email", limit=200) if cells.section.column("email") else ""
    login = run.id_of(native_type, native_id) or _free(login_of(name), taken)
    taken.add(login)
    run.people[name] = login
    status = UserStatus.ACTIVE if is_active else UserStatus.DISABLED

    def insert(act: Act) -> User:
        user = User(id=login, name=name, email=email, status=status, can_sign_in=False, origin=Origin.ERP)
        act.session.add(user)
        return user

    def update(act: Act, user: User) -> Outcome:
        assign(user, {"name": name, "email": email or user.email})
        if (user.status, status) in TRANSITIONS and not user.can_sign_in:
            move(act, user, status, reason="the ERP says so")
        return Outcome.CHANGED

    content = {"name": name, "email": email, "is_active": is_active}
    return Item(User, native_type, native_id, name, cells.row, content, insert, update)


def login_of(name: str) -> str:
    """Return a login name made of a person's name: ``sian.nguyen`` of ``Siân Nguyen``."""
    folded = unicodedata.normalize("NFKD", name.translate(WITHOUT_DECOMPOSITION))
    plain = "".join(sign for sign in folded if not unicodedata.combining(sign)).lower()
    words = re.findall(r"[a-z0-9-]+", plain.replace("'", "").replace("’", ""))
    return ".".join(words)[:50] or "person"


def _free(login: str, taken: set[str]) -> str:
    """Return a login name nobody has: the name itself, or with the first free number."""
    number = 1
    while (tried := login if number == 1 else f"{login}.{number}") in taken:
        number += 1
    return tried
