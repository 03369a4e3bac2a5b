"""The trace and the two reports of a lot on paper."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typst

from records.lot import Lot

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\S+")
"""How the rows of a report tell an instant."""

TEMPLATE = Path(__file__).with_name("genealogy_sheet.typ")


def report_pdf(
    lot: Lot, *, title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], cut: str
) -> bytes:
    """Return a report as PDF. columns: name to heading; cut: in words why something is missing, or empty."""
    facts = [
        ("Lot", lot.number),
        ("Part revision", f"{lot.part_revision.number} {lot.part_revision.part.name}"),
        ("Heat", lot.heat),
        ("Quantity", f"{lot.quantity.normalize():f} {lot.uom}, {lot.quantity_left.normalize():f} left"),
        ("State", lot.status.value),
    ]
    data = {
        "title": title,
        "facts": [[name, value] for name, value in facts if value],
        "headings": list(columns.values()),
        "rows": [[_text(row[name]) for name in columns] for row in rows],
        "cut": cut,
    }
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(data, ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def _text(value: object) -> str:
    """Return a cell as it is printed: an instant to the minute, since paper has no room for more."""
    text = "" if value is None else str(value)
    if not INSTANT.fullmatch(text):
        return text
    return f"{dt.datetime.fromisoformat(text).astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
