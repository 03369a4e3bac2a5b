"""What a process knows, for people: documents by number with a link, quantities with their unit; no ids, hashes or deadlines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import url_for

from engine.database import is_id
from webapp import formats
from webapp.dossiers import PAGES
from webapp.formats import Custom
from webapp.task_forms import value_words

DOCUMENTS = {
    "link": "outside_link", "operation": "work_order_operation", "requisition": "requisition", "order": "purchase_order",
    "amendment": "purchase_order_amendment",
}  # fmt: skip
"""Variables that stand for a document, and its record type."""

MACHINERY = frozenset(
    {
        "timers",
        "decision",
        "clock",
        "candidates",
        "plan",
        "shares",
        "share",
        "line",
        "tally",
        "verdict",
        "review",
        "halt",
    }
) | {"timersRows", "loopCounter", "slot", "stage", "stage_number", "next_level", "next_levelRows"}
"""What steers the flow and tells a person nothing that the form or the title does not say."""

COUNTED = frozenset({"balance", "claim", "stop", "results"})
"""Variables whose numbers are pieces, but for their amounts."""

STEERING = frozenset({"until_text", "state", "groups", "stops_work", "is_special", "currency", "in_time", "kind"})
"""Parts of variables that only the flow looks at, or that another part says better."""

MONEY = frozenset({"amount", "piece_value", "total"})
HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the process knows. url: of the document it names, or empty."""

    label: str
    text: str
    url: str = ""


def facts_of(names: Mapping[str, Any], how: Custom) -> list[Fact]:
    """Return what is worth saying of the variables that a task sees, in their order."""
    uom = _unit(names)
    return [fact for name, value in names.items() if name not in MACHINERY for fact in _facts(name, value, uom, how)]


def _facts(name: str, value: Any, uom: str, how: Custom) -> Iterator[Fact]:
    if isinstance(value, Mapping):
        if value.get("number") and is_id(str(value.get("id") or "")):
            yield _document(name, value)
        else:
            text = "; ".join(_parts(name, value, uom, how))
            if text:
                yield Fact(formats.words(name), text)
    elif _tells(value):
        yield Fact(formats.words(name), value_words(value, how))


def _document(name: str, value: Mapping[str, Any]) -> Fact:
    number = str(value["number"])
    said = value.get("title") or value.get("description") or ""
    page = PAGES.get(DOCUMENTS.get(name, name))
    return Fact(
        formats.words(name), f"{number}: {said}" if said else number, url_for(page, record_id=value["id"]) if page else ""
    )  # fmt: skip


def _parts(name: str, value: Mapping[str, Any], uom: str, how: Custom) -> Iterator[str]:
    currency = str(value.get("currency") or "")
    for key, part in value.items():
        if key in STEERING or not _tells(part) or isinstance(part, Mapping):
            continue
        unit = f" {currency}" if key in MONEY else f" {uom}" if name in COUNTED else ""
        said = value_words(part, how) + (unit if isinstance(part, Decimal) else "")
        yield f"{formats.words(key).lower()} {said}"


def _tells(value: Any) -> bool:
    if value is None or value in ("", []):
        return False
    if isinstance(value, list):
        return all(not isinstance(each, Mapping) and _tells(each) for each in value)
    return not (isinstance(value, str) and (is_id(value) or HASH.fullmatch(value)))


def _unit(names: Mapping[str, Any]) -> str:
    for name in ("link", "operation"):
        known = names.get(name)
        if isinstance(known, Mapping) and known.get("uom"):
            return str(known["uom"])
    return ""
