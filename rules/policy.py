"""The tables under ``rules/tables``: loaded once, evaluated, remembered by content hash and row.

Each table has example rows beside it (``<name>.test.json``): what is given, what is expected, which rows fire.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from dmn import Model, parse, to_python
from engine.cache import Cache

REMEMBERED = 2_000
"""Judgements that a table remembers, the least recently asked for forgotten first."""

PLAIN = (str, int, Decimal, dt.date, type(None))

TABLES = Path(__file__).parent / "tables"


class PolicyProblem(ValueError):
    """A table cannot be used as it is written."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row that applies. number: from 1; words: its annotation."""

    number: int
    outputs: Mapping[str, Any]
    words: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a table answered: the rows that apply, in its order, and the hash of the table."""

    table: str
    hash: str
    rows: tuple[Row, ...]

    @property
    def row(self) -> Row:
        """The only row. Raises PolicyProblem when there is another number of them."""
        if len(self.rows) != 1:
            raise PolicyProblem(f"Expected one row of {self.table} to apply, but {len(self.rows)} do")
        return self.rows[0]


@dataclass(frozen=True)
class RuleTable:
    """One decision table. name: of the file, and the decision's id."""

    name: str
    source: bytes
    model: Model

    @cached_property
    def hash(self) -> str:
        """The content hash, asked for at every judgement."""
        return table_hash(self.source)

    def judge(self, **facts: Any) -> Judgement:
        """Ask the table. facts: its inputs by name, as Python values.

        Raises: PolicyProblem when an input is unknown to the table, or evaluating it fails.
        """
        known = {given.name for given in self.model.inputs}
        if unknown := sorted(facts.keys() - known):
            raise PolicyProblem(f"Expected inputs of {self.name}, but found {', '.join(unknown)}")
        asked = _exactly(facts)
        return self._evaluate(facts) if asked is None else self._judged.get(asked, lambda: self._evaluate(facts))

    @cached_property
    def _judged(self) -> Cache[Judgement]:
        """What the table said before: it says the same of the same facts, and five hundred lines differ in few."""
        return Cache(REMEMBERED)

    def _evaluate(self, facts: Mapping[str, Any]) -> Judgement:
        result = self.model.evaluate(self.name, facts)
        if result.errors:
            raise PolicyProblem(
                f"Expected {self.name} to evaluate, but: {'; '.join(str(error) for error in result.errors)}"
            )
        rows = tuple(
            Row(rule.row, {name: to_python(value) for name, value in rule.outputs.items()}, " ".join(rule.annotations))
            for rule in result.matched
        )
        return Judgement(self.name, self.hash, rows)


def _exactly(facts: Mapping[str, Any]) -> str | None:
    """Return facts as text in which no two values look alike, None when one of them is no plain value."""
    values = [one for value in facts.values() for one in (value if type(value) is list else (value,))]
    if not all(isinstance(one, PLAIN) for one in values):
        return None
    return repr([(name, type(value), value) for name, value in facts.items()])


def table_hash(source: bytes) -> str:
    """Return the content hash of a table: SHA-256 of its bytes with LF line ends."""
    return hashlib.sha256(source.replace(b"\r\n", b"\n")).hexdigest()


@cache
def table_called(name: str) -> RuleTable:
    """Return an installed table, read once in the life of the program. Raises: PolicyProblem when there is none."""
    path = TABLES / f"{name}.dmn"
    if path not in set(TABLES.glob("*.dmn")):
        raise PolicyProblem(f"Expected a table called {name}, but there is none under rules/tables")
    return read_table(name, path.read_bytes())


def read_table(name: str, source: bytes) -> RuleTable:
    """Compile a table. Raises: dmn.DmnError with line and column."""
    return RuleTable(name, source, parse(source, name=f"{name}.dmn"))


def table_names() -> list[str]:
    """Return the names of the installed tables, in order."""
    return sorted(path.stem for path in TABLES.glob("*.dmn"))


def run_examples(table: RuleTable, examples: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence for each example that answers otherwise, and for each row that no example fires.

    examples: ``{"defaults": {input: value}, "examples": [{"name", "given", "expect": [outputs], "rows": [numbers]}]}``; of the
    expected outputs only those that are named are compared.
    """
    fired: set[int] = set()
    for example in examples["examples"]:
        judgement = table.judge(**{**examples.get("defaults", {}), **example["given"]})
        numbers = [row.number for row in judgement.rows]
        fired.update(numbers)
        found = [
            {name: _plain(row.outputs[name]) for name in wanted}
            for row, wanted in zip(judgement.rows, example["expect"], strict=False)
        ]
        if found != example["expect"] or len(judgement.rows) != len(example["expect"]):
            answer = [{name: _plain(value) for name, value in row.outputs.items()} for row in judgement.rows]
            yield f"{table.name}: {example['name']}: expected {example['expect']}, but found {answer} (rows {numbers})"
        elif "rows" in example and numbers != example["rows"]:
            yield f"{table.name}: {example['name']}: expected rows {example['rows']}, but rows {numbers} apply"
    rules = sum(len(each.rules) for each in table.model.tables)
    yield from (f"{table.name}: no example fires row {row}" for row in range(1, rules + 1) if row not in fired)


def examples_of(name: str) -> Mapping[str, Any]:
    """Return the example rows of a table. Raises: PolicyProblem when it has none."""
    path = TABLES / f"{name}.test.json"
    if not path.exists():
        raise PolicyProblem(f"Expected example rows beside {name}.dmn, but there is no {path.name}")
    examples: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return examples


def _plain(value: Any) -> Any:
    """Return a table's answer as JSON has it: whole numbers as integers."""
    return int(value) if not isinstance(value, (str, bool, type(None))) and value == int(value) else value
