"""The search box of an inbox: ``key:PR-7``, ``flow:requisition``, ``amount>5000``, ``due<3d``, and free text (see ``EXAMPLES``).

A term that makes no sense is told apart from the others: ``Search.problems`` says what was not understood.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select
from sqlalchemy.orm import Session

from engine import vocabulary
from engine.database import LIMIT
from engine.errors import Invalid
from engine.inbox_order import ROWS
from engine.stored.definition import Definition
from engine.stored.instance import Instance
from engine.stored.task import KEY, NEVER, NO_AMOUNT, Task, TaskState

MAX_TEXT = 200
FEW = 200
"""Tasks up to which those of a key or a requester are looked up first; what more have is compared row by row."""

EXAMPLES: Mapping[str, str] = {
    "key": "key:REQ-2026",
    "flow": "flow:requisition",
    "supplier": "supplier:quickplate",
    "project": "project:atlas",
    "from": "from:rita",
    "amount": "amount>5000",
    "due": "due<3d",
}
"""What may be asked, by its name, with an example."""

_SPELLINGS = {"party": "supplier", "vendor": "supplier", "requester": "from", "by": "from", "process": "flow"}
_TERM = re.compile(r'(?P<name>[A-Za-z_]+)(?P<sign>:|<=|>=|<|>|=)(?P<value>"[^"]*"|\S*)|(?P<text>"[^"]*"|\S+)')
_SPAN = re.compile(r"(\d{1,5})(h|d|w)\Z")
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True)
class Problem:
    """A term that was not understood. sentence: what was expected and what was found; example: one that would do."""

    term: str
    sentence: str
    field: str
    example: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What a term asks of a task. row: the same of a candidate row, where that holds what it asks.

    is_narrow: an index of the candidate rows finds what fits, and often it is little. few: the ids of all tasks that can fit, where
    they are known to be few.
    """

    task: ColumnElement[bool]
    row: ColumnElement[bool] | None = None
    is_narrow: bool = False
    few: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for: every condition must hold. problems: the terms that were left out."""

    terms: Sequence[Condition] = ()
    problems: Sequence[Problem] = ()

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions on a task."""
        return [term.task for term in self.terms]

    @property
    def on_rows(self) -> list[ColumnElement[bool]]:
        """The conditions that the candidate rows answer by themselves."""
        return [term.row for term in self.terms if term.row is not None]

    @property
    def narrow(self) -> list[ColumnElement[bool]]:
        """Those of them that an index answers and that often little fits."""
        return [term.row for term in self.terms if term.row is not None and term.is_narrow]

    @property
    def few(self) -> set[str] | None:
        """The ids of all tasks that can fit, None when they are not known to be few."""
        known = [set(term.few) for term in self.terms if term.few is not None]
        return set.intersection(*known) if known else None

    @property
    def on_tasks(self) -> list[ColumnElement[bool]]:
        """The conditions for which the task has to be looked at."""
        return [term.task for term in self.terms if term.row is None]

    def understood(self) -> Search:
        """Return the search. Raises: Invalid when a term of it was not understood."""
        if self.problems:
            found = "; ".join(problem.sentence for problem in self.problems)
            raise Invalid(found, {"query": ", ".join(dict.fromkeys(problem.field for problem in self.problems))})
        return self


class _NotUnderstood(Exception):
    """Expected a term of a known kind."""

    def __init__(self, sentence: str, field: str = "query") -> None:
        super().__init__(sentence)
        self.sentence, self.field = sentence, field


def read(session: Session, text: str, *, now: dt.datetime) -> Search:
    """Read a search text: every term that makes sense, and beside them those that do not. Raises: Invalid when it is too long."""
    if len(text) > MAX_TEXT:
        raise Invalid(
            f"Expected a search of at most {MAX_TEXT} characters, but it has {len(text)}", {"query": "too long"}
        )
    terms: list[Condition] = []
    problems: list[Problem] = []
    for term in _TERM.finditer(text):
        try:
            terms.append(_condition(session, term, now))
        except _NotUnderstood as error:
            field = _SPELLINGS.get((term["name"] or "").lower(), (term["name"] or "").lower())
            example = EXAMPLES.get(field) or EXAMPLES["key"]
            problems.append(Problem(term[0], error.sentence, error.field, example))
    return Search(terms, problems)


def _condition(session: Session, term: re.Match[str], now: dt.datetime) -> Condition:
    if term["text"]:
        return _free(term["text"].strip('"'))
    name, sign, value = term["name"].lower(), term["sign"], term["value"].strip('"')
    name = _SPELLINGS.get(name, name)
    if name not in EXAMPLES:
        raise _NotUnderstood(_unknown(term[0], name))
    if not value:
        raise _NotUnderstood(f"Expected something after {term['name']}{sign}, but there is nothing", name)
    if name == "amount":
        return _amounts(sign, value)
    if name == "due":
        return _dues(sign, value, now)
    if sign not in (":", "="):
        raise _NotUnderstood(f"Expected {EXAMPLES[name]}, but {name} has no more or less: found {term[0]}", name)
    return _NAMED[name](session, value)


def _unknown(term: str, name: str) -> str:
    near = difflib.get_close_matches(name, [*EXAMPLES, *_SPELLINGS], n=1)
    meant = f"; did you mean {_SPELLINGS.get(near[0], near[0])}?" if near else "."
    return (
        f'Expected one of {", ".join(EXAMPLES)}, but found {term[:40]}{meant} In quotes it is plain text: "{term[:40]}"'
    )


def _free(word: str) -> Condition:
    pattern = _pattern(word)
    columns = (Task.title, Task.business_key, Task.party, Task.project, Task.record_number, Task.name)
    on_task = or_(*(func.lower(column).like(pattern, escape="\\") for column in columns))
    return Condition(on_task, ROWS.c.words.like(pattern, escape="\\"))


def _key(session: Session, word: str) -> Condition:
    """A row shows the number of its document as its key: an order of a requisition is found by either."""
    begins = _pattern(word)[1:]
    condition = or_(*(func.lower(one).like(begins, escape="\\") for one in (Task.business_key, Task.record_number)))
    few = _ids_of_key(session, word)
    if few is not None:
        return Condition(condition, ROWS.c.task_id.in_(few), few=few)
    return Condition(condition, ROWS.c.words.like(f"%{KEY}{begins}", escape="\\"))


def _ids_of_key(session: Session, word: str) -> list[str] | None:
    """Return the ids of the tasks whose key begins so, None when there are too many, or when no index can say."""
    if not word.isascii():
        return None
    found: set[str] = set()
    for spelt in {word, word.upper()}:
        runs = select(Instance.id).where(_begins(session, Instance.business_key, spelt)).limit(FEW + 1)
        numbered = select(Task.id).where(_begins(session, Task.record_number, spelt)).limit(FEW + 1)
        instances = list(session.scalars(runs))
        found |= set(session.scalars(numbered))
        if len(instances) > FEW or len(found) > FEW:
            return None
        found |= set(session.scalars(select(Task.id).where(Task.instance_id.in_(instances)).limit(FEW + 1)))
    return sorted(found) if 0 < len(found) <= FEW else None  # none: a key spelt in mixed case may still be there


def _begins(session: Session, column: Any, word: str) -> ColumnElement[bool]:
    """Return that a text begins with a word, in the way in which each database answers it from an index."""
    if session.get_bind().dialect.name == "postgresql":
        begins: ColumnElement[bool] = column.startswith(word, autoescape=True)
        return begins
    last = word[:-1] + chr(ord(word[-1]) + 1)
    return and_(column >= word, column < last)


def _flow(session: Session, word: str) -> Condition:
    known = session.scalars(
        select(Definition.process_id).where(func.lower(Definition.process_id).like(_pattern(word), escape="\\"))
    )
    flows = sorted(set(known))
    return Condition(Task.flow.in_(flows), ROWS.c.flow.in_(flows), is_narrow=True) if flows else _nothing()


def _from(session: Session, word: str) -> Condition:
    """A person by their user id, or a program by its name."""
    starters = [word, f"adapter:{word}", f"system:{word}"]
    theirs = exists().where(Instance.id == Task.instance_id, Instance.started_by.in_(starters))
    opened = select(Task.id).join(Instance, Instance.id == Task.instance_id).where(Instance.started_by.in_(starters))
    few = list(session.scalars(opened.where(Task.state == TaskState.OPEN).limit(FEW + 1)))
    return Condition(theirs, ROWS.c.task_id.in_(few), few=few) if len(few) <= FEW else Condition(theirs)


def _party(session: Session, word: str) -> Condition:
    return _worded(session, vocabulary.PARTY, Task.party, ROWS.c.party, word)


def _project(session: Session, word: str) -> Condition:
    return _worded(session, vocabulary.PROJECT, Task.project, ROWS.c.project, word)


def _worded(session: Session, kind: str, on_task: Any, on_row: Any, word: str) -> Condition:
    known = vocabulary.words_like(session, kind, _pattern(word))
    if len(known) == vocabulary.MOST:
        on_each = [func.lower(column).like(_pattern(word), escape="\\") for column in (on_task, on_row)]
        return Condition(on_each[0], on_each[1])
    return Condition(on_task.in_(known), on_row.in_(known), is_narrow=True) if known else _nothing()


def _nothing() -> Condition:
    return Condition(false(), false())


_NAMED: Mapping[str, Callable[[Session, str], Condition]] = {
    "key": _key,
    "flow": _flow,
    "from": _from,
    "supplier": _party,
    "project": _project,
}


def _pattern(word: str) -> str:
    escaped = word.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _compared(column: Any, sign: str, value: Any) -> ColumnElement[bool]:
    compared: Mapping[str, ColumnElement[bool]] = {
        "<": column < value,
        ">": column > value,
        "<=": column <= value,
        ">=": column >= value,
        "=": column == value,
        ":": column == value,
    }
    return compared[sign]


def _amounts(sign: str, text: str) -> Condition:
    amount = _amount(text)
    row = _compared(ROWS.c.amount, sign, amount)
    # A task without an amount is neither more nor less than anything; its candidate rows hold the least there is.
    return Condition(_compared(Task.amount, sign, amount), row & (ROWS.c.amount != NO_AMOUNT), is_narrow=True)


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.replace(",", ""))
    except InvalidOperation as error:
        raise _NotUnderstood(f"Expected an amount such as 5000, but found {text[:40]}", "amount") from error
    if not amount.is_finite() or abs(amount) >= LIMIT:
        raise _NotUnderstood(f"Expected an amount below {LIMIT:f}, but found {text[:40]}", "amount")
    return amount.quantize(Decimal("0.0001"))


def _dues(sign: str, text: str, now: dt.datetime) -> Condition:
    word = text.lower()
    if sign in (":", "="):
        if word == "late":
            return Condition(Task.due_at < now, ROWS.c.due_at < now, is_narrow=True)
        if word == "never":
            return Condition(Task.due_at.is_(None), ROWS.c.due_at == NEVER, is_narrow=True)
        raise _NotUnderstood(
            f"Expected due:late, due:never, or a comparison such as due<3d, but found due{sign}{text[:40]}", "due"
        )
    moment = _instant(text, now)
    return Condition(
        _compared(Task.due_at, sign, moment),
        _compared(ROWS.c.due_at, sign, moment) & (ROWS.c.due_at != NEVER),
        is_narrow=True,
    )


def _instant(text: str, now: dt.datetime) -> dt.datetime:
    span = _SPAN.match(text)
    if span is not None:
        return now + dt.timedelta(hours=int(span[1]) * _HOURS[span[2]])
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise _NotUnderstood(f"Expected a due date such as 3d or 2026-11-22, but found {text[:40]}", "due") from error
    if not 1900 <= moment.year < 9990:
        raise _NotUnderstood(f"Expected a due date such as 3d or 2026-11-22, but found {text[:40]}", "due")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
