"""How variables are stored: each as its own bytes.

Small ones packed in their instance's row, a large one in a row of its own.

Packing saves a SELECT and an INSERT at every move of an instance; a large value is neither read nor written again
when nobody touched it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from dmn.values import to_feel, to_python
from engine.errors import Invalid
from engine.spiff.codec import NotStorable, decode, encode
from engine.stored.instance import Instance, Variable

Key = tuple[int, str]

SMALL = 1024
"""Bytes; a longer value has a row of its own."""

MAX_NAMES = 256
MAX_BYTES = 2_000_000
"""What one command may write at most, encoded."""

MAX_NAME = 120


def accepted(values: Mapping[str, Any] | None, *, what: str = "variables") -> dict[str, Any]:
    """Return plain Python values as FEEL values.

    Raises: Invalid with the field named, when a name is no name, a value is none that FEEL knows, or it is too much.
    """
    taken: dict[str, Any] = {}
    size = 0
    if values and len(values) > MAX_NAMES:
        raise Invalid(f"Expected at most {MAX_NAMES} {what}, but there are {len(values)}")
    for name, value in (values or {}).items():
        if not name.strip() or len(name) > MAX_NAME or name.startswith("="):
            raise Invalid(f"Expected a name of at most {MAX_NAME} characters, but found {name[:40]!r}")
        try:
            taken[name] = to_feel(value)
            size += len(encode(taken[name]))
        except (NotStorable, ValueError, TypeError) as error:
            raise Invalid(f"Expected {name} to be a value that FEEL knows, but {error}", {name: str(error)}) from error
        if size > MAX_BYTES:
            raise Invalid(
                f"Expected at most {MAX_BYTES:,} bytes of {what}, but {name} goes beyond", {name: "too large"}
            )
    return taken


def pack(values: Mapping[Key, bytes]) -> bytes:
    """Put encoded values behind one another, with a table of contents in front."""
    if not values:
        return b""
    contents = [[scope, name, len(data)] for (scope, name), data in values.items()]
    return orjson.dumps(contents) + b"\n" + b"".join(values.values())


def unpack(packed: bytes) -> dict[Key, bytes]:
    """Return what ``pack`` was given."""
    if not packed:
        return {}
    head, _, body = packed.partition(b"\n")
    values: dict[Key, bytes] = {}
    start = 0
    for scope, name, length in orjson.loads(head):
        values[scope, name] = body[start : start + length]
        start += length
    return values


def load(session: Session, instance: Instance) -> dict[Key, bytes]:
    """Return every variable of an instance as bytes; one SELECT only if it has large ones."""
    values = unpack(instance.variables)
    if instance.large_variables:
        rows = select(Variable.scope, Variable.name, Variable.value).where(Variable.instance_id == instance.id)
        values.update(((scope, name), value) for scope, name, value in session.execute(rows))
    return values


def save(
    session: Session,
    instance: Instance,
    before: Mapping[Key, bytes],
    written: Mapping[Key, bytes],
    gone: Collection[Key],
) -> None:
    """Store what changed. before: what ``load`` returned. The instance itself is written by the session."""
    if not written and not gone:
        return
    after = {key: data for key, data in before.items() if key not in gone} | dict(written)
    instance.variables = pack({key: data for key, data in after.items() if len(data) <= SMALL})
    instance.large_variables = sum(len(data) > SMALL for data in after.values())
    stale = [key for key in (*written, *gone) if len(before.get(key, b"")) > SMALL]
    for scope, name in stale:
        session.connection().execute(
            delete(Variable).where(Variable.instance_id == instance.id, Variable.scope == scope, Variable.name == name)
        )
    rows = [
        {"instance_id": instance.id, "scope": scope, "name": name, "value": data}
        for (scope, name), data in written.items()
        if len(data) > SMALL
    ]
    if rows:
        if instance in session.new:
            session.flush()  # They refer to it.
        session.connection().execute(insert(Variable), rows)


def digest(instance: Instance, stored: Mapping[Key, bytes]) -> str:
    """Return the SHA-256 of where an instance stands and what it knows, whatever else of its row changes."""
    parts = [orjson.dumps([scope, name]) + data for (scope, name), data in sorted(stored.items())]
    return hashlib.sha256(b"\n".join([instance.state, *parts])).hexdigest()


def root_values(session: Session, instance: Instance) -> dict[str, Any]:
    """Return the variables of the root of an instance as plain Python values."""
    stored = load(session, instance)
    return {name: to_python(decode(data)) for (scope, name), data in sorted(stored.items()) if scope == 0}
