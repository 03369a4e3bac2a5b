"""The orders of an inbox: by one field or several, each with the place of a row in it, so that a page goes on where one ended."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, literal, or_, tuple_

from engine.canonical import canonical
from engine.database import IdType, is_id
from engine.errors import Invalid
from engine.stored.task import TaskCandidate

SORTS: Mapping[str, bool] = {
    "due": False,
    "priority": True,
    "created": False,
    "amount": True,
    "party": False,
    "project": False,
    "flow": False,
    "business_key": False,
}
"""Orders by name, and whether the largest comes first. A minus before a name turns it round."""

MOST = 3
"""Fields of one order."""

ROWS = TaskCandidate.__table__
"""The table itself: somebody may be in hundreds of groups, and mapped columns take far longer to put together."""

_COLUMNS = {
    "due": ROWS.c.due_at,
    "priority": ROWS.c.priority,
    "created": ROWS.c.created_at,
    "amount": ROWS.c.amount,
    "party": ROWS.c.party,
    "project": ROWS.c.project,
    "flow": ROWS.c.flow,
    "business_key": ROWS.c.business_key,
}
_READ: Mapping[str, Callable[[str], Any]] = {
    "due": dt.datetime.fromisoformat,
    "priority": int,
    "created": dt.datetime.fromisoformat,
    "amount": Decimal,
    "party": str,
    "project": str,
    "flow": str,
    "business_key": str,
}
WIDE = frozenset({"party", "project", "flow"})
"""Fields that many tasks share: within one of them what is due first comes first, which their indexes know."""


@dataclass(frozen=True, slots=True)
class Key:
    """One field of an order."""

    name: str
    descends: bool

    @property
    def column(self) -> Any:
        """The column of the candidate rows that holds it."""
        return _COLUMNS[self.name]


@dataclass(frozen=True, slots=True)
class Order:
    """How rows follow each other; rows that are equal in every field follow by their ids. text: as it was asked for."""

    text: str
    keys: Sequence[Key]

    @property
    def descends(self) -> bool:
        """Whether the ids descend: as the last field does."""
        return self.keys[-1].descends

    @property
    def follows_an_index(self) -> bool:
        """Whether an index of the candidate rows has this order; any other one is sorted."""
        names, first = [key.name for key in self.keys], self.keys[0]
        return names == [key.name for key in by_one(first).keys] and len({key.descends for key in self.keys}) == 1

    def by(self, columns: Sequence[Any], row_id: Any) -> list[Any]:
        """Return what to order by, for the fields as some statement holds them."""
        found = [
            column.desc() if key.descends else column.asc() for key, column in zip(self.keys, columns, strict=True)
        ]
        return [*found, row_id.desc() if self.descends else row_id.asc()]

    def beyond(self, after: str) -> ColumnElement[bool]:
        """Return the condition that a candidate row comes after a place. Raises: Invalid when the cursor is none of this order."""
        values, row_id = read_cursor(after, self.text, [_READ[key.name] for key in self.keys])
        places = [literal(value, key.column.type) for key, value in zip(self.keys, values, strict=True)]
        columns = [*(key.column for key in self.keys), ROWS.c.task_id]
        places.append(literal(row_id, IdType()))
        downs = [*(key.descends for key in self.keys), self.descends]
        if len(set(downs)) == 1:  # one range of an index
            row, place = tuple_(*columns), tuple_(*places)
            beyond: ColumnElement[bool] = row < place if self.descends else row > place
            return beyond
        return _step_by_step(columns, places, downs)


def _step_by_step(columns: Sequence[Any], places: Sequence[Any], downs: Sequence[bool]) -> ColumnElement[bool]:
    """Return the condition for fields of which some ascend and some descend; the first bound lets an index begin there."""
    ways = []
    for turn, (column, place, down) in enumerate(zip(columns, places, downs, strict=True)):
        same = [columns[before] == places[before] for before in range(turn)]
        ways.append(and_(*same, column < place if down else column > place))
    first = columns[0] <= places[0] if downs[0] else columns[0] >= places[0]
    return and_(first, or_(*ways))


def by_one(key: Key) -> Order:
    """Return the order by one field alone, as its index has it."""
    return Order(key.name, [key, Key("due", key.descends)] if key.name in WIDE else [key])


def read(text: str) -> Order:
    """Read an order such as ``due`` or ``party,-amount``. Raises: Invalid for a field that nothing is sorted by."""
    names = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [name for name in names if name.removeprefix("-") not in SORTS]
    if unknown or not names:
        raise Invalid(
            f"Expected one of the orders {', '.join(SORTS)}, but found {', '.join(unknown)[:80] or 'none'}",
            {"sort": "unknown"},
        )
    fields = list(dict.fromkeys(name.removeprefix("-") for name in names))
    if len(names) > MOST or len(fields) < len(names):
        raise Invalid(
            f"Expected one to {MOST} different fields to sort by, but found {text[:80]}", {"sort": "too many"}
        )
    keys = [Key(name.removeprefix("-"), SORTS[name.removeprefix("-")] != name.startswith("-")) for name in names]
    if keys[-1].name in WIDE and "due" not in fields:
        keys.append(Key("due", keys[-1].descends))
    return Order(",".join(names), keys)


def cursor(text: str, values: Sequence[Any], row_id: str) -> str:
    """Write the place of a row as text for an address."""
    place = [text, [canonical(value) for value in values], row_id]
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def read_cursor(after: str, text: str, reads: Sequence[Callable[[str], Any]]) -> tuple[list[Any], str]:
    """Return the values and the id that a cursor stands for. Raises: Invalid when it is none, or one of another order."""
    refusal = Invalid(f"Expected the cursor of a page in the order {text}, but it is none", {"after": "unknown"})
    try:
        made_for, texts, row_id = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        values = [read(one) for read, one in zip(reads, texts, strict=True)]
    except (ValueError, TypeError, binascii.Error, InvalidOperation) as error:
        raise refusal from error
    if made_for != text or not is_id(str(row_id)):
        raise refusal
    return values, str(row_id)
