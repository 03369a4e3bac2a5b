"""What a schema of Camunda Forms says, asked by who shows a form and by who reads one back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.canonical import is_whole
from webapp import typed
from webapp.formats import Custom
from webapp.typed import Unreadable

PREFIX = "data."
MOST_ROWS = 200
INPUTS = frozenset(
    {"textfield", "textarea", "number", "select", "radio", "checkbox", "checklist", "taglist", "datetime"}
)
CHOICES = frozenset({"select", "radio", "checklist", "taglist"})
SEVERAL = frozenset({"checklist", "taglist"})
SHOWN = frozenset({"text", "separator", "spacer", "table", "expression"})
HOLDERS = frozenset({"group", "dynamiclist"})
KNOWN = INPUTS | SHOWN | HOLDERS | {"button"}


def row_count(sent: Mapping[str, Any], name: str) -> int:
    """Return how many rows of a list arrived: the highest index plus one, at most what a form may have."""
    start = f"{name}."
    indexes = [key[len(start) :].partition(".")[0] for key in sent if key.startswith(start)]
    return max((int(index) + 1 for index in indexes if is_whole(index, digits=3)), default=0)


def walk(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield every component, inner ones too."""
    for component in components:
        yield component
        yield from walk(component.get("components", []))


def is_needed(component: Mapping[str, Any]) -> bool:
    """Tell whether a component must have a value."""
    return bool((component.get("validate") or {}).get("required"))


def span_of(component: Mapping[str, Any]) -> str:
    """Return the width class of a component: form-js lays out in sixteenths."""
    columns = (component.get("layout") or {}).get("columns")
    steps = {16: "", 12: "span-8", 10: "span-8", 8: "span-6", 6: "span-4", 5: "span-4", 4: "span-3"}
    return steps.get(columns, "") if columns else ""


def option(item: Any) -> tuple[str, str]:
    """Return (value, label) of one choice."""
    if isinstance(item, Mapping):
        return str(item.get("value", "")), str(item.get("label", item.get("value", "")))
    return str(item), str(item)


def blank(components: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return every key of a row as having no value, so that an outer variable of that name is not seen."""
    return {component["key"]: None for component in walk(components) if "key" in component}


def typed_so_far(components: Sequence[Mapping[str, Any]], sent: Mapping[str, Any] | None, path: str) -> dict[str, Any]:
    """Return what was typed into the inputs of one level, for conditions that read it; numbers as numbers."""
    values: dict[str, Any] = {}
    if sent is None:
        return values
    for component in components:
        if component["type"] not in INPUTS:
            continue
        arrived = [text for text in sent.get(PREFIX + path + component["key"], ()) if text != ""]
        if component["type"] == "checkbox":
            values[component["key"]] = bool(arrived)
        elif component["type"] in SEVERAL:
            values[component["key"]] = arrived
        elif component["type"] == "number":
            values[component["key"]] = _loose_number(arrived[0]) if arrived else None
        else:
            values[component["key"]] = arrived[0] if arrived else None
    return values


def _loose_number(text: str) -> Decimal | None:
    try:
        return typed.decimal(text, Custom(), decimals=6)
    except Unreadable:
        return None
