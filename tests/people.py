"""The cast, by name. ``max_`` has an underscore because Python has a ``max`` of its own."""

from __future__ import annotations

from argon2 import PasswordHasher

from engine.act import Act
from records import demo_people
from records.demo_people import CAST, PASSWORD, Member
from records.person import User

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As secure as a test needs: a hash in microseconds, checked by the same code as a real one."""

_by_id = {member.id: member for member in CAST}
rita: Member = _by_id["rita"]
max_: Member = _by_id["max"]
bea: Member = _by_id["bea"]
ella: Member = _by_id["ella"]
quinn: Member = _by_id["quinn"]
sam: Member = _by_id["sam"]
ana: Member = _by_id["ana"]
pat: Member = _by_id["pat"]
otto: Member = _by_id["otto"]
lena: Member = _by_id["lena"]
carl: Member = _by_id["carl"]
fred: Member = _by_id["fred"]
olga: Member = _by_id["olga"]
gina: Member = _by_id["gina"]
ivan: Member = _by_id["ivan"]
adam: Member = _by_id["adam"]

__all__ = [
    "CAST", "PASSWORD", "adam", "ana", "bea", "carl", "ella", "fred", "gina", "ivan", "lena", "max_", "olga", "otto", "pat",
    "quinn", "rita", "sam", "settle_cast",
]  # fmt: skip


def settle_cast(act: Act) -> dict[str, User]:
    """Make the whole cast with roles, grants and the demo password; return the users by login name."""
    return demo_people.settle(act, hasher=QUICK)
