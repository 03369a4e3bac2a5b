"""The search box of an inbox.

``key:PR-7``, ``flow:requisition``, ``amount>5000``, ``due<3d``, ``from:rita``, and free text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from engine.database import LIMIT
from engine.errors import Invalid
from engine.stored.instance import Instance
from engine.stored.task import Task

MAX_TEXT = 200
_TERM = re.compile(
    r'(?P<name>key|flow|from):(?P<word>"[^"]*"|\S+)|(?P<field>amount|due)(?P<sign>[<>])(?P<value>\S+)|(?P<text>"[^"]*"|\S+)'
)
_SPAN = re.compile(r"(\d{1,5})(d|h)\Z")


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. conditions: all of them must hold for a task."""

    conditions: Sequence[ColumnElement[bool]]

    @property
    def is_empty(self) -> bool:
        """Whether everything fits."""
        return not self.conditions


def read(text: str, *, now: dt.datetime) -> Search:
    """Read a search text. Raises: Invalid, with the term that is wrong."""
    if len(text) > MAX_TEXT:
        raise Invalid(
            f"Expected a search of at most {MAX_TEXT} characters, but it has {len(text)}", {"query": "too long"}
        )
    return Search([_condition(term, now) for term in _TERM.finditer(text)])


def _condition(term: re.Match[str], now: dt.datetime) -> ColumnElement[bool]:
    if term["name"]:
        return _named(term["name"], term["word"].strip('"'))
    if term["field"] == "amount":
        return _compared(Task.amount, term["sign"], _amount(term["value"]))
    if term["field"] == "due":
        return _compared(Task.due_at, term["sign"], _instant(term["value"], now))
    word = _pattern(term["text"].strip('"'))
    columns = (Task.title, Task.business_key, Task.party, Task.record_number, Task.name)
    return or_(*(func.lower(column).like(word, escape="\\") for column in columns))


def _named(name: str, word: str) -> ColumnElement[bool]:
    if name == "key":
        # A row shows the number of its document as its key: an order of a requisition is found by either.
        begins = _pattern(word)[1:]
        return or_(*(func.lower(one).like(begins, escape="\\") for one in (Task.business_key, Task.record_number)))
    if name == "flow":
        return func.lower(Task.flow).like(_pattern(word), escape="\\")
    return Task.instance_id.in_(select(Instance.id).where(Instance.started_by == word))


def _pattern(word: str) -> str:
    escaped = word.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _compared(column: Any, sign: str, value: Any) -> ColumnElement[bool]:
    compared: ColumnElement[bool] = column < value if sign == "<" else column > value
    return compared


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.replace(",", ""))
    except InvalidOperation as error:
        raise Invalid(f"Expected an amount such as 5000, but found {text}", {"query": "amount"}) from error
    if not amount.is_finite() or abs(amount) >= LIMIT:
        raise Invalid(f"Expected an amount below {LIMIT:f}, but found {text}", {"query": "amount"})
    return amount.quantize(Decimal("0.0001"))


def _instant(text: str, now: dt.datetime) -> dt.datetime:
    span = _SPAN.match(text)
    if span is not None:
        return now + (dt.timedelta(days=int(span[1])) if span[2] == "d" else dt.timedelta(hours=int(span[1])))
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"Expected a due date such as 3d or 2026-11-22, but found {text}", {"query": "due"}) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
