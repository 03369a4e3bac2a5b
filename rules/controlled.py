"""Controlled fields: which values freeze in which status, and how deep a change of each must be.

The policy is the table ``controlled_fields.dmn``: constant cells only, so that it compiles into triggers. A field that no row
names in a status is free there. Source: the change classes of EIA-649; AS9100 8.4.3, ISO 13485 7.4.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from lxml import etree

from rules.change_item import ChangeClass
from rules.policy import TABLES, PolicyProblem, table_hash

MODEL = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
INPUTS = ("record_type", "field", "status")
OUTPUTS = ("change_class", "owner")
CONSTANTS = re.compile(r'"[^"]*"(\s*,\s*"[^"]*")*')


@dataclass(frozen=True, slots=True)
class Control:
    """What the policy says about one field in one status. row: in the table, from 1; words: its annotation."""

    change_class: ChangeClass
    owner: str
    row: int
    words: str


@dataclass(frozen=True, eq=False)
class ControlledFields:
    """The policy. controls: (record type, field, status) to what is said of it. hash: of the table."""

    hash: str
    controls: Mapping[tuple[str, str, str], Control]

    def of(self, record_type: str, field: str, status: str) -> Control | None:
        """Return the control of a field in a status, or None where it is free."""
        return self.controls.get((record_type, field, status))

    def fields(self, record_type: str) -> tuple[str, ...]:
        """Return the controlled fields of a record type, in the table's order."""
        return tuple(self._classes.get(record_type, ()))

    def by_class(self, record_type: str, field: str) -> dict[ChangeClass, tuple[str, ...]]:
        """Return the statuses in which a field needs each class."""
        return self._classes.get(record_type, {}).get(field, {})

    def classes(self, record_type: str) -> Mapping[str, Mapping[ChangeClass, tuple[str, ...]]]:
        """Return, for each controlled field of a record type, the statuses in which it needs each class."""
        return self._classes.get(record_type, {})

    @cached_property
    def _classes(self) -> dict[str, dict[str, dict[ChangeClass, tuple[str, ...]]]]:
        """Statuses by record type, field and class: the doors ask for each field several times."""
        found: dict[str, dict[str, dict[ChangeClass, tuple[str, ...]]]] = {}
        for (kind, field, status), control in self.controls.items():
            statuses = found.setdefault(kind, {}).setdefault(field, {})
            statuses[control.change_class] = (*statuses.get(control.change_class, ()), status)
        return found


def read_policy(source: bytes) -> ControlledFields:
    """Read the policy from a decision table.

    Raises: PolicyProblem when a cell is not a list of quoted constants, a class is unknown, or two rows speak of the same field
    in the same status.
    """
    root = etree.fromstring(source, etree.XMLParser(resolve_entities=False, no_network=True))
    inputs = tuple(_text(node) for node in root.iter(f"{MODEL}inputExpression"))
    outputs = tuple(node.get("name") for node in root.iter(f"{MODEL}output"))
    if (inputs, outputs) != (INPUTS, OUTPUTS):
        raise PolicyProblem(f"Expected the columns {INPUTS} and {OUTPUTS}, but found {inputs} and {outputs}")
    controls: dict[tuple[str, str, str], Control] = {}
    for number, rule in enumerate(root.iter(f"{MODEL}rule"), start=1):
        for key, control in _row(number, rule):
            if key in controls:
                raise PolicyProblem(
                    f"Expected one row for {' '.join(key)}, but rows {controls[key].row} and {number} both speak of it"
                )
            controls[key] = control
    return ControlledFields(table_hash(source), controls)


@cache
def current_policy(path: Path = TABLES / "controlled_fields.dmn") -> ControlledFields:
    """Return the policy of the installed tables, read once: the triggers of a database are made from it."""
    return read_policy(path.read_bytes())


def _row(number: int, rule: etree._Element) -> Iterator[tuple[tuple[str, str, str], Control]]:
    cells = [_constants(number, _text(node)) for node in rule.iter(f"{MODEL}inputEntry")]
    (word,), (owner,) = (_constants(number, _text(node)) for node in rule.iter(f"{MODEL}outputEntry"))
    if word not in set(ChangeClass):
        raise PolicyProblem(f"Expected a change class in row {number}, but found {word}")
    control = Control(ChangeClass(word), owner, number, (rule.findtext(f"{MODEL}description") or "").strip())
    for record_type in cells[0]:
        for field in cells[1]:
            for status in cells[2]:
                yield (record_type, field, status), control


def _constants(number: int, text: str) -> list[str]:
    if not CONSTANTS.fullmatch(text):
        raise PolicyProblem(f"Expected quoted constants in row {number}, but found {text or 'an empty cell'}")
    return re.findall(r'"([^"]*)"', text)


def _text(node: etree._Element) -> str:
    return (node.findtext(f"{MODEL}text") or "").strip()
