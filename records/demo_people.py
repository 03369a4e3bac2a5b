"""The cast: the people of the demo plant, of the documentation and of the tests, with what they may do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from argon2 import PasswordHasher

from engine.act import Act
from records.password import HASHER, set_password
from records.person import Role, RoleGrant, User
from records.signature import Meaning
from records.signing import certify

PASSWORD = "lockstep-demo"  # noqa: S105  # printed by `make run`: the demo plant keeps no secrets
SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Member:
    """One of the cast. roles: codes, scoped ones as ``CC_OWNER@4711``."""

    id: str
    name: str
    title: str
    roles: tuple[str, ...]

    @property
    def principal(self) -> str:
        """The principal of the person, for ``acting``."""
        return f"user:{self.id}"


CAST = tuple(
    Member(name.split()[0].lower(), name, title, tuple(roles.split()))
    for name, title, roles in (
        ("Rita Okafor", "Production planner", "REQUESTER PLANNER MAINT_PLANNER"),
        ("Max Lindgren", "Purchasing manager", "PUR_MGR"),
        ("Bea Castillo", "Buyer", "BUYER"),
        ("Ella Novak", "Design engineer", "ENG_AUTH"),
        ("Quinn Harper", "Quality engineer", "QA_ENG QA_SP SQ"),
        ("Sam Whitlock", "Shipping and receiving", "SHIPPING RECEIVING"),
        ("Ana Sorensen", "Accounts payable", "AP"),
        ("Pat Mulder", "Process engineer", "PROCESS_ENGINEER CHANGE_SPECIALIST"),
        ("Otto Brandt", "Machinist", ""),
        ("Lena Fischer", "Purchasing lead", "PUR_LEAD"),
        ("Carl Jensen", "Head of machining", "CC_OWNER CC_OWNER@4711 CC_OWNER@4712 CC_OWNER@4700 MAINT_MGR"),
        ("Fred Amato", "Financial controller", "FIN_CTRL"),
        ("Olga Petrova", "Director of operations", "OPS_DIR"),
        ("Gina Marsh", "General manager", "GM"),
        ("Ivan Kral", "Integration owner", "INTEGRATION"),
        ("Adam Reyes", "Administrator", "ADMIN"),
    )
)

SPECIALISTS = (
    Member("mina", "Mina Torres", "Quality and calibration", ("METROLOGY", "IT_QA", "QA_ENG")),
    Member("cora", "Cora Blake", "Contracts manager", ("CONTRACTS",)),
)
"""Who in the demo plant answers for what the cast leaves open: areas and seats of a change board."""

APPROVER = (Meaning.REVIEWED, Meaning.APPROVED, Meaning.REJECTED)
QUALITY = (*APPROVER, Meaning.VERIFIED, Meaning.RESPONSIBLE)

ROLES: tuple[tuple[str, str, tuple[Meaning, ...]], ...] = (
    ("REQUESTER", "Requester", (Meaning.AUTHORED,)),
    ("BUYER", "Buyer", (Meaning.AUTHORED, Meaning.REVIEWED, Meaning.RELEASED, Meaning.REJECTED)),
    ("PUR_LEAD", "Purchasing lead", APPROVER),
    ("PUR_MGR", "Purchasing manager", APPROVER),
    ("CC_OWNER", "Cost-centre owner", APPROVER),
    ("FIN_CTRL", "Financial controller", APPROVER),
    ("TREASURY", "Treasury", APPROVER),
    ("OPS_DIR", "Director of operations", APPROVER),
    ("GM", "General manager", APPROVER),
    ("PROJ_MGR", "Project manager", APPROVER),
    ("EXPORT", "Export control", APPROVER),
    ("CONTRACTS", "Contracts", APPROVER),
    ("METROLOGY", "Metrology", QUALITY),
    ("IT_QA", "IT quality", QUALITY),
    ("ENG_AUTH", "Engineering authority", QUALITY),
    ("QA_ENG", "Quality engineer", QUALITY),
    ("QA_SP", "Special-process quality", QUALITY),
    ("SQ", "Supplier quality", QUALITY),
    ("PLANNER", "Planner", (Meaning.AUTHORED, Meaning.REVIEWED, Meaning.REJECTED)),
    ("MAINT_PLANNER", "Maintenance planner", APPROVER),
    ("MAINT_MGR", "Maintenance manager", APPROVER),
    ("SHIPPING", "Shipping", (Meaning.RESPONSIBLE,)),
    ("RECEIVING", "Receiving", (Meaning.RESPONSIBLE,)),
    ("AP", "Accounts payable", (Meaning.REVIEWED,)),
    ("PROCESS_ENGINEER", "Process engineer", (Meaning.AUTHORED, Meaning.REVIEWED)),
    ("CHANGE_SPECIALIST", "Change specialist", (Meaning.AUTHORED, *APPROVER)),
)
ADMINISTRATION = (("INTEGRATION", "Integration owner"), ("ADMIN", "Administrator"))
"""Roles without any business signature (SOD-12), which no deputy inherits."""


def settle(
    act: Act,
    *,
    password: str = PASSWORD,
    hasher: PasswordHasher = HASHER,
    members: Iterable[Member] = CAST,
    domain: str = "plant.example",
) -> dict[str, User]:
    """Make the roles, and the cast with passwords, grants and certified signatures; return the users by login name."""
    act.session.add_all(
        Role(code=code, name=name, meanings=tuple(meaning.value for meaning in meanings))
        for code, name, meanings in ROLES
    )
    act.session.add_all(
        Role(code=code, name=name, meanings=(), is_deputised=False, is_business=False) for code, name in ADMINISTRATION
    )
    users = {
        member.id: User(id=member.id, name=member.name, title=member.title, email=f"{member.id}@{domain}")
        for member in members
    }
    for member in members:
        user = users[member.id]
        set_password(act, user, password, hasher=hasher)
        for code, _, scope in (role.partition("@") for role in member.roles):
            user.grants.append(RoleGrant(user_id=member.id, role=code, scope=scope, valid_from=SINCE))
    act.session.add_all(users.values())
    act.session.flush()
    with act.session.no_autoflush:
        for user in users.values():
            certify(act, user)
    act.session.flush()
    return users
