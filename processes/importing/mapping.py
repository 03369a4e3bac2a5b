"""The mapping file: which column of which file feeds which field. TOML, shipped for one ERP, made to be edited."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import Invalid

SHIPPED = Path(__file__).with_name("tryton.toml")

FIELDS: dict[str, tuple[str, str]] = {
    "employees": ("id name", "email is_active"),
    "parties": ("id name", ""),
    "suppliers": ("id number name", "is_active is_supplier currency payment_term lead_time"),
    "suppliers.sites": ("id", "street postal_code city country is_billing"),
    "suppliers.contacts": ("kind value", ""),
    "products": (
        "id code name type uom", "template is_active description category lot_control is_bought is_made",
    ),
    "prices": ("id template supplier currency", "supplier_part_no supplier_part_name lead_time is_active"),
    "prices.steps": ("id min_quantity unit_price", ""),
    "boms": ("id name", "is_active"),
    "boms.outputs": ("id product", ""),
    "routings": ("id name", "is_active boms supplier service"),
    "routings.steps": ("id op_no operation", "work_centre"),
    "requests": ("requisition_line", "quantity order_line"),
    "requisitions": ("id number state requester currency", "title need_by approved_by"),
    "requisitions.lines": ("id quantity", "product description uom estimated_price supplier amount"),
    "orders": (
        "id state supplier currency",
        "number revision reference title order_date need_by payment_term ship_to buyer confirmed_by comment billing delivery",
    ),
    "orders.lines": (
        "id type",
        "product description quantity uom unit_price need_by production work_order amount",
    ),
    "work_orders": (
        "id state product quantity uom",
        "number reference planned_start planned_finish started_on finished_on",
    ),
    "work_orders.operations": ("id op_no operation state", "work_centre"),
    "work_orders.issues": ("id item quantity uom state", "lot"),
    "work_orders.outputs": ("id item quantity state", "lot"),
    "receipts": ("id number state supplier", "reference received_on received_by"),
    "receipts.moves": ("id state order_line product quantity uom", "lot currency received_on"),
    "lots": ("id number product quantity", "created_on"),
    "invoices": ("id state supplier currency", "number reference invoiced_on total"),
    "invoices.lines": ("id order_line quantity uom unit_price", "description item"),
    "amendments": ("id order state day", "description"),
    "amendments.lines": ("id", "line quantity unit_price supplier description"),
}  # fmt: skip
"""Section to (fields that need a column, fields that may have one)."""

OPTIONAL = frozenset({"work_orders", "receipts", "lots", "invoices", "amendments"})
"""Sections that a mapping file may leave out; an extract need not have their files."""

WORDS: dict[str, str] = {
    "units": "", "requisition_states": "", "order_states": "", "billing": "orders.billing", "deliveries": "orders.delivery",
    "work_order_states": "work_orders", "operation_states": "work_orders", "move_states": "work_orders",
    "receipt_states": "receipts", "invoice_states": "invoices", "amendment_states": "amendments",
}  # fmt: skip
"""Kind of word to what needs it: always, a section, or a field that has a column."""

CHOICES = ("revisions", "categories", "criticality", "processes", "types", "operations", "work_orders_in_texts")


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of row: the file it stands in and the column of each field."""

    name: str
    file: str
    columns: Mapping[str, str]

    def column(self, field: str) -> str:
        """Return the column of a field, or an empty text when none feeds it."""
        return self.columns.get(field, "")


@dataclass(frozen=True, slots=True)
class Choice:
    """A rule of the mapping file: where a text matches the pattern, these values hold."""

    pattern: re.Pattern[str]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Mapped:
    """A mapping file that was read and found complete."""

    system: str
    sections: Mapping[str, Section]
    words: Mapping[str, Mapping[str, str]]
    choices: Mapping[str, tuple[Choice, ...]]
    values: Mapping[str, Any]

    def __getitem__(self, section: str) -> Section:
        return self.sections[section]

    def value(self, path: str) -> Any:
        """Return a plain setting, ``defaults.cost_centre``. Raises Invalid when the file has none."""
        found: Any = self.values
        for name in path.split("."):
            if not isinstance(found, Mapping) or name not in found:
                raise Invalid(f"Expected the mapping file to say {path}, but it does not", {path: "is missing"})
            found = found[name]
        return found

    def choose(self, kind: str, text: str) -> Mapping[str, Any]:
        """Return the values of the first rule of a kind whose pattern is found in a text; nothing when none is."""
        for choice in self.choices.get(kind, ()):
            if choice.pattern.search(text):
                return choice.values
        return {}


def read_mapping(path: Path = SHIPPED) -> Mapped:
    """Read a mapping file. Raises Invalid listing everything in it that is unknown, missing or malformed."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"Expected {path.name} to be a readable TOML file, but {error}") from error
    wrong: dict[str, str] = {}
    sections = {name: _section(content, name, wrong) for name in FIELDS if _is_wanted(content, name)}
    words = {name: _words(content, name, wrong) for name in WORDS if _is_asked(sections, WORDS[name])}
    choices = {name: _choices(content, name, wrong) for name in CHOICES}
    known = {name.partition(".")[0] for name in FIELDS} | {*WORDS, *CHOICES, "system", "defaults", "approvals"}
    wrong |= dict.fromkeys(content.keys() - known, "is no section of a mapping file")
    if not isinstance(content.get("system"), str):
        wrong["system"] = "is missing"
    if wrong:
        listed = "; ".join(f"{place} {what}" for place, what in sorted(wrong.items()))
        raise Invalid(f"Expected a complete mapping file, but in {path.name}: {listed}", wrong)
    return Mapped(content["system"], sections, words, choices, content)


def _is_wanted(content: Mapping[str, Any], name: str) -> bool:
    """Whether a section has to be there: what may be left out is judged only when it is there."""
    outer, _, inner = name.partition(".")
    if name == "routings.steps":
        return isinstance(content.get(outer), dict) and inner in content[outer]
    return outer in content or outer not in OPTIONAL


def _is_asked(sections: Mapping[str, Section], where: str) -> bool:
    """Whether words are needed: always, for a section that is there, or for a field that has a column."""
    outer, _, field = where.partition(".")
    return not where or (outer in sections and (not field or bool(sections[outer].column(field))))


def _section(content: Mapping[str, Any], name: str, wrong: dict[str, str]) -> Section:
    outer, _, inner = name.partition(".")
    parent = content.get(outer)
    if not isinstance(parent, dict) or not isinstance(parent.get("file"), str):
        wrong[outer] = "needs a file"
        return Section(name, "", {})
    columns = parent.get(inner or "columns")
    if not isinstance(columns, dict):
        wrong[name] = "needs its columns"
        return Section(name, parent["file"], {})
    required, optional = (fields.split() for fields in FIELDS[name])
    for field, column in columns.items():
        if field not in (*required, *optional):
            wrong[f"{name}.{field}"] = "is no field"
        elif not isinstance(column, str):
            wrong[f"{name}.{field}"] = "needs the name of a column"
    for field in required:
        if not columns.get(field):
            wrong[f"{name}.{field}"] = "needs a column"
    return Section(name, parent["file"], {field: str(column) for field, column in columns.items() if column})


def _words(content: Mapping[str, Any], name: str, wrong: dict[str, str]) -> dict[str, str]:
    found = content.get(name)
    if not isinstance(found, dict) or not all(isinstance(word, str) for word in found.values()):
        wrong[name] = "needs a word for each word of the ERP"
        return {}
    return dict(found)


def _choices(content: Mapping[str, Any], name: str, wrong: dict[str, str]) -> tuple[Choice, ...]:
    found = []
    for position, rule in enumerate(content.get(name, ()), start=1):
        place = f"{name}[{position}]"
        try:
            found.append(
                Choice(re.compile(rule["pattern"]), {key: value for key, value in rule.items() if key != "pattern"})
            )
        except (KeyError, TypeError):
            wrong[place] = "needs a pattern"
        except re.error as error:
            wrong[place] = f"has a pattern that is no regular expression ({error})"
    return tuple(found)
