"""Who calls: a key of a person or an adapter, or, for reading in a browser, the signed-in person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from flask import g, request

from engine.act import Act
from engine.errors import Forbidden
from records import api_key
from records.api_key import Opened
from webapp import formats, gate, people, rates, visit
from webapp.api.problems import Unauthenticated
from webapp.security import SAFE_METHODS
from webapp.visit import Visitor


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    principal: as whom it acts; user_id: None for an adapter; scopes: None when everything may be read; key: for whom is counted.
    """

    principal: str
    user_id: str | None
    scopes: frozenset[str] | None
    key: str


def recognise() -> None:
    """Find out who calls, if anybody. Raises: Unauthenticated for a key that opens nothing."""
    g.visitor = g.token = g.session_id = g.caller = None
    header = request.headers.get("Authorization")
    if header is not None:
        _enter(_key(header))
    elif request.method in SAFE_METHODS:
        gate.recognise()
        if g.visitor is not None:
            g.caller = Caller(g.visitor.principal, g.visitor.user_id, None, g.session_id)
            g.visitor = _in_plain_customs(g.visitor)


def count() -> None:
    """Count a request for whoever calls. Raises: TooMany."""
    caller: Caller | None = g.caller
    if caller is not None:
        rates.refuse_too_many("api_rate", caller.key, "requests under one key")


def need(scope: str) -> Caller:
    """Return the caller. Raises: Unauthenticated; Forbidden SCOPE_MISSING."""
    caller: Caller | None = g.caller
    if caller is None:
        more = "" if request.method in SAFE_METHODS else ", since the session of a browser only reads"
        raise Unauthenticated(f"Expected a key in the header Authorization: Bearer …{more}, but there is none.")
    if caller.scopes is not None and scope not in caller.scopes:
        held = ", ".join(sorted(caller.scopes))
        raise Forbidden(f"Expected a key with the scope {scope}, but this one has {held}.", code="SCOPE_MISSING")
    return caller


def need_person() -> str:
    """Return the calling person's id. Raises: Forbidden ADAPTER_KEY: an adapter decides nothing."""
    caller: Caller = g.caller
    if caller.user_id is None:
        raise Forbidden(f"Expected the key of a person, but {caller.principal} is an adapter.", code="ADAPTER_KEY")
    return caller.user_id


def is_adapter() -> bool:
    """Tell whether an adapter calls; what it may do is its scopes' to say, since it holds no roles."""
    caller: Caller = g.caller
    return caller.user_id is None


@contextmanager
def acting() -> Iterator[Act]:
    """Open the caller's act."""
    caller: Caller = g.caller
    visit.begin_act()
    with visit.installation().acting(caller.principal, now=visit.now()) as act:
        g.act_id = act.id
        yield act
    visit.end_act(act)


def _key(header: str) -> Opened:
    kind, _, secret = header.partition(" ")
    found = api_key.opened_by(visit.reading(), secret.strip(), at=visit.now()) if kind.lower() == "bearer" else None
    if found is None:
        raise Unauthenticated("Expected a key that opens something, but this one is unknown, over or revoked.")
    return found


def _enter(key: Opened) -> None:
    g.caller = Caller(key.owner, key.user_id, key.scopes, key.id)
    if key.footing is not None:
        g.visitor = people.visitor(key.footing, formats.plain(key.footing.zone))
    else:
        g.visitor = Visitor(key.owner, key.name, "", frozenset(), formats.Custom())


def _in_plain_customs(visitor: Visitor) -> Visitor:
    """Let machines write numbers with a point, whatever language the person's browser has."""
    return replace(visitor, how=formats.Custom(zone=visitor.how.zone))
