"""How variables are stored: each as its own bytes.

Small ones packed in their instance's row, a large one in a row of its own.

Packing saves a SELECT and an INSERT at every move of an instance; a large value is neither read nor written again
when nobody touched it, since the instance's row says how long it is and what its hash is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from dmn.values import to_python
from engine.errors import Conflict, Invalid, Unreadable
from engine.prepared import connection_of
from engine.spiff.carrying import TooMuch, carried
from engine.spiff.codec import decode
from engine.spiff.stored import Elsewhere, Held, Key, Stored, pack_scope
from engine.stored.instance import Instance, Variable

SMALL = 1024
"""Bytes; a longer value has a row of its own."""

TOGETHER = 65_536
"""Bytes; the large values up to here are read together when somebody asks for one of them, a longer one by itself."""

_OLDER = b"["


def accepted(values: Mapping[str, Any] | None, *, what: str = "variables") -> dict[str, Any]:
    """Return plain Python values as FEEL values. Raises: Invalid with the field named, where ``carried`` refuses them."""
    try:
        return carried(values or {}, what)
    except TooMuch as error:
        raise Invalid(str(error), {error.field: error.why} if error.field else None) from error


def load(session: Session, instance: Instance) -> Stored:
    """Return every variable of an instance. A large one is read from the database when somebody asks for it.

    The instance is to be locked, or nothing is to be moved: what was read and what is read later then belong together.
    """
    if instance.large_variables and instance.variables[:1] in (b"", _OLDER):
        rows = select(Variable.scope, Variable.name, Variable.value).where(Variable.instance_id == instance.id)
        large = {(scope, name): value for scope, name, value in session.execute(rows)}
        return Stored.of({**Stored(instance.variables), **large})
    return Stored(instance.variables, _Large(session, instance).fetch if instance.large_variables else None)


class _Large:
    """The large variables of an instance: the first one that is asked for brings all those along that are not very large."""

    def __init__(self, session: Session, instance: Instance) -> None:
        self._session = session
        self._instance_id, self._business_key, self._version = instance.id, instance.business_key, instance.version
        self._read: dict[Key, bytes] = {}

    def fetch(self, key: Key, described: Elsewhere) -> bytes:
        """Return the bytes of one. Raises: Conflict when the instance went on; Unreadable when somebody broke it."""
        if key not in self._read:
            query, asked = (_ONE, {"scope": key[0], "name": key[1]}) if described.size > TOGETHER else (_FEW, {})
            rows = connection_of(self._session).execute(query, {"of": self._instance_id, **asked})
            self._read.update(((scope, name), value) for scope, name, value in rows)
        data = self._read.get(key)
        if data is None or not described.is_of(data):
            raise self._why_other(key[1])
        return data

    def _why_other(self, name: str) -> Conflict:
        version = connection_of(self._session).execute(_VERSION, {"of": self._instance_id}).scalar()
        if version != self._version:
            return Conflict(
                f"Expected {self._business_key} to know {name} as when it was read, but it went on meanwhile; reload it"
            )
        return Unreadable(
            f"Expected {self._business_key} to know {name}, but somebody removed its value from the database or wrote another one;"
            " set it anew"
        )


_OF = select(Variable.scope, Variable.name, Variable.value).where(Variable.instance_id == bindparam("of"))
_FEW = _OF.where(func.length(Variable.value) <= TOGETHER)
_VERSION = select(Instance.version).where(Instance.id == bindparam("of"))
_ONE = _OF.where(Variable.scope == bindparam("scope"), Variable.name == bindparam("name"))


def save(
    session: Session,
    instance: Instance,
    before: Stored,
    written: Mapping[Key, bytes],
    gone: Collection[Key],
) -> None:
    """Store what changed. before: what ``load`` returned. The instance itself is written by the session."""
    if not written and not gone:
        return
    after: dict[int, dict[str, Held]] = {}
    for scope in (*(before.scopes if before.is_older else ()), *(scope for scope, _ in (*written, *gone))):
        if scope not in after:
            held = before.of_scope(scope)
            after[scope] = (
                {name: _placed(one) for name, one in held.items()} if instance.large_variables else dict(held)
            )
    for scope, name in gone:
        del after[scope][name]
    rows: list[dict[str, Any]] = []
    for (scope, name), data in written.items():
        after[scope][name] = _placed(data)
        if len(data) > SMALL:
            rows.append({"instance_id": instance.id, "scope": scope, "name": name, "value": data})
    instance.variables = before.packed_with({scope: pack_scope(values) for scope, values in after.items()})
    if not rows and not instance.large_variables:
        return
    stale = [(scope, name) for scope, name in (*written, *gone) if _is_large(before.of_scope(scope).get(name, b""))]
    instance.large_variables += len(rows) - len(stale)
    for scope, name in stale:
        session.connection().execute(
            delete(Variable).where(Variable.instance_id == instance.id, Variable.scope == scope, Variable.name == name)
        )
    if rows:
        if instance in session.new:
            session.flush()  # They refer to it.
        session.connection().execute(insert(Variable), rows)


def _placed(held: Held) -> Held:
    """Return what is packed of a value: a large one is only described."""
    return Elsewhere.of(held) if isinstance(held, bytes) and _is_large(held) else held


def _is_large(held: Held) -> bool:
    return isinstance(held, Elsewhere) or len(held) > SMALL


def digest(instance: Instance, stored: Stored) -> str:
    """Return the SHA-256 of where an instance stands and what it knows, whatever else of its row changes."""
    parts = [orjson.dumps([scope, name]) + _as_it_stands(stored, (scope, name)) for scope, name in sorted(stored)]
    return hashlib.sha256(b"\n".join([instance.state, *parts])).hexdigest()


def _as_it_stands(stored: Stored, key: Key) -> bytes:
    """Return a value's bytes; of one that somebody broke what the instance says of it, so that it can be set anew."""
    try:
        return stored[key]
    except Unreadable:
        return repr(stored.of_scope(key[0])[key[1]]).encode()


def lost(session: Session, instances: Sequence[Instance]) -> dict[str, list[str]]:
    """Return the names of large values that are not there, or of another size than their instances say, by instance."""
    described = {
        (one.id, scope, name): held.size
        for one in instances
        if one.large_variables and one.variables[:1] not in (b"", _OLDER)
        for stored in (Stored(one.variables),)
        for scope in stored.scopes
        for name, held in stored.of_scope(scope).items()
        if isinstance(held, Elsewhere)
    }
    rows = select(Variable.instance_id, Variable.scope, Variable.name, func.length(Variable.value))
    ids = sorted({instance_id for instance_id, *_ in described})
    known = {(row[0], row[1], row[2]): row[3] for row in session.execute(rows.where(Variable.instance_id.in_(ids)))}
    found: dict[str, list[str]] = {}
    for key, size in described.items():
        if known.get(key) != size:
            found.setdefault(key[0], []).append(key[2])
    return found


def root_values(session: Session, instance: Instance) -> dict[str, Any]:
    """Return the variables of the root of an instance as plain Python values, those that somebody broke left out."""
    stored, values = load(session, instance), {}
    for name in sorted(stored.of_scope(0)):
        with suppress(Unreadable):
            values[name] = to_python(decode(stored[0, name]))
    return values
