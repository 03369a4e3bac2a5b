"""The search of runs: ``key:``, ``flow:``, ``state:``, ``incident:``, ``var.amount>5000``, and free text."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from dmn.values import to_python
from engine.canonical import canonical
from engine.spiff.codec import decode
from engine.spiff.stored import Stored
from engine.stored.instance import Instance, InstanceStatus, Variable
from engine.stored.wait import Incident, IncidentState
from webapp import listing

HELP = "key: flow: state: incident: var.amount>5000, or words"
CHUNK = 500
"""Runs whose variables are looked at together."""

MOST_READ = 10_000
"""Runs whose variables one answer looks at; the next page goes on behind them."""

_TERM = re.compile(r'(?:[^\s"]|"[^"]*")+')
_VARIABLE = re.compile(r'var\.(?P<path>[^<>=!:"]+?)(?P<how>>=|<=|!=|>|<|=|:)(?P<value>.*)\Z', re.DOTALL)
_KEYED = re.compile(r"(?P<name>key|flow|state|incident):(?P<value>.*)\Z", re.DOTALL)
_UNKNOWN = re.compile(r"(?P<name>[a-z]+):")
_HOW: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """One condition on a variable of the whole run. path: its name, and of an object the names inside."""

    path: tuple[str, ...]
    how: str
    value: str

    def fits(self, found: Any) -> bool:
        """Whether a value fits: numbers as numbers, everything else as its text; ``:`` asks for a part of the text."""
        text = canonical(found) or ""
        if self.how == ":":
            return self.value.lower() in text.lower()
        if isinstance(found, Decimal | int | float) and not isinstance(found, bool):
            try:
                return _HOW[self.how](Decimal(str(found)), Decimal(self.value))
            except InvalidOperation:
                return self.how == "!="
        return _HOW[self.how](text.lower(), self.value.lower())


@dataclass(slots=True)
class Search:
    """What somebody searches for. misunderstood: terms that say nothing, with why; the others count all the same."""

    conditions: list[ColumnElement[bool]] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    misunderstood: list[str] = field(default_factory=list)


def read(query: str, *, may_know: bool) -> Search:
    """Read a search. may_know: variables may be asked for."""
    found = Search()
    for term in _TERM.findall(query):
        keyed, compared = _KEYED.match(term), _VARIABLE.match(term)
        if keyed:
            _keyed(found, keyed["name"], keyed["value"].replace('"', ""))
        elif compared and may_know:
            path = tuple(part.strip() for part in compared["path"].split("."))
            found.compared.append(Compared(path, compared["how"], compared["value"].replace('"', "").strip()))
        elif unknown := _UNKNOWN.match(term):
            found.misunderstood.append(f"{term}: there is no {unknown['name']}: here")
        elif term.startswith("var."):
            why = "is for those who help what is stuck" if not may_know else "compares nothing: write var.amount>5000"
            found.misunderstood.append(f"{term} {why}")
        else:
            found.conditions.append(_words(term.replace('"', "")))
    return found


def _keyed(found: Search, name: str, value: str) -> None:
    if name == "key":
        found.conditions.append(listing.contains(value, Instance.business_key))
    elif name == "flow":
        found.conditions.append(Instance.process_id == value)
    elif name == "incident":
        about = [Incident.instance_id == Instance.id, Incident.state == IncidentState.OPEN]
        if value:
            about.append(listing.contains(value, Incident.message, Incident.element_id, Incident.cause))
        found.conditions.append(exists().where(and_(*about)))
    elif (wanted := _state(value)) is not None:
        found.conditions.append(wanted)
    else:
        known = ", ".join([*(state.lower() for state in InstanceStatus), "suspended", "incident"])
        found.misunderstood.append(f"state:{value} is none of {known}")


def _state(value: str) -> ColumnElement[bool] | None:
    word = value.upper()
    if word == "SUSPENDED":
        return and_(Instance.status == InstanceStatus.RUNNING, Instance.suspended_at.is_not(None))
    if word == "INCIDENT":
        return Instance.incidents > 0
    return Instance.status == word if word in set(InstanceStatus) else None


def _words(text: str) -> ColumnElement[bool]:
    return or_(
        listing.contains(text, Instance.business_key, Instance.process_id, Instance.started_by),
        listing.contains(text, Instance.suspended_why, Instance.closed_why),
    )


def page(
    session: Session, wanted: Select[Any], search: Search, *, query: str, state: str, after: str, limit: int
) -> listing.Listing:
    """Return a page of runs, newest first. With conditions on variables it may be short and yet not the last."""
    wanted = wanted.where(*search.conditions)
    if not search.compared:
        return listing.newest_first(session, wanted, Instance, query=query, state=state, after=after, limit=limit)
    found: list[Instance] = []
    seen = 0
    while seen < MOST_READ and len(found) < limit:
        chunk = listing.newest_first(session, wanted, Instance, query=query, state=state, after=after, limit=CHUNK)
        seen += len(chunk.items)
        for instance in _fitting(session, chunk.items, search.compared):
            found.append(instance)
            if len(found) == limit:
                is_last = instance is chunk.items[-1] and not chunk.after
                return listing.Listing(found, query, state, "" if is_last else instance.id)
        after = chunk.after
        if not after:
            break
    return listing.Listing(found, query, state, after)


def _fitting(session: Session, instances: Any, compared: list[Compared]) -> Iterator[Instance]:
    names = {one.path[0] for one in compared}
    with_large = [one.id for one in instances if one.large_variables]
    large: dict[str, dict[str, bytes]] = {}
    if with_large:
        rows = select(Variable.instance_id, Variable.name, Variable.value).where(
            Variable.instance_id.in_(with_large), Variable.scope == 0, Variable.name.in_(names)
        )
        for instance_id, name, value in session.execute(rows):
            large.setdefault(instance_id, {})[name] = value
    for instance in instances:
        held = Stored(instance.variables).of_scope(0)
        known = {name: data for name, data in held.items() if isinstance(data, bytes)} | large.get(instance.id, {})
        if all(one.path[0] in known and _fits(one, known[one.path[0]]) for one in compared):
            yield instance


def _fits(compared: Compared, data: bytes) -> bool:
    value = to_python(decode(data))
    for name in compared.path[1:]:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return compared.fits(value)
