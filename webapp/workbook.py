"""A list as a workbook: numbers are numbers, days are days, and text is text, whatever it begins with.

Every row leaves memory as it is written: only the finished file, which is packed, is ever held whole.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

LONGEST_TEXT = 32_767
"""Characters that a cell holds."""
LONGEST_NUMBER = 15
"""Digits that a spreadsheet keeps of a number; a longer one is kept as text."""
WIDEST, NARROWEST = 60, 8
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    about: Sequence[tuple[str, object]],
    made_at: dt.datetime,
) -> bytes:
    """Return a workbook: the list with its heading frozen, and a sheet that says what it is.

    about: a word and a value each, on the second sheet.
    """
    file = io.BytesIO()
    book = Workbook(file, OPTIONS)
    book.set_properties({"title": title, "created": made_at.astimezone(dt.UTC).replace(tzinfo=None)})
    styles = _Styles(book)
    _write_list(book.add_worksheet("List"), columns, rows, styles)
    told = book.add_worksheet("About")
    told.set_column(0, 0, 14, styles.bold)
    told.set_column(1, 1, WIDEST)
    for place, (word, value) in enumerate(about):
        told.write_string(place, 0, word)
        _write_cell(told, place, 1, value, styles)
    book.close()
    return file.getvalue()


class _Styles:
    """How cells look. A day as ISO 8601 writes it, an instant with the zone that a spreadsheet has no word for."""

    def __init__(self, book: Workbook) -> None:
        self.bold: Format = book.add_format({"bold": True})
        self.head: Format = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.day: Format = book.add_format({"num_format": "yyyy-mm-dd"})
        self.instant: Format = book.add_format({"num_format": 'yyyy-mm-dd hh:mm:ss" UTC"'})


def _write_list(sheet: Worksheet, columns: Sequence[str], rows: Iterable[Sequence[object]], styles: _Styles) -> None:
    widths = [len(column) for column in columns]
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column, styles.head)
    last = 0
    for last, row in enumerate(rows, 1):
        for place, value in enumerate(row):
            widths[place] = max(widths[place], _write_cell(sheet, last, place, value, styles))
    for place, width in enumerate(widths):
        sheet.set_column(place, place, min(max(width + 2, NARROWEST), WIDEST))
    sheet.freeze_panes(1, 0)
    if columns:
        sheet.autofilter(0, 0, last, len(columns) - 1)


def _write_cell(sheet: Worksheet, row: int, place: int, value: Any, styles: _Styles) -> int:
    """Write one value as what it is; return how wide it looks."""
    if value is None or value == "":
        return 0
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
        return 5
    if isinstance(value, dt.datetime):
        sheet.write_datetime(row, place, value.astimezone(dt.UTC).replace(tzinfo=None), styles.instant)
        return 23
    if isinstance(value, dt.date):
        sheet.write_datetime(row, place, dt.datetime.combine(value, dt.time()), styles.day)
        return 10
    if isinstance(value, (int, Decimal)) and len(Decimal(value).normalize().as_tuple().digits) <= LONGEST_NUMBER:
        sheet.write_number(row, place, float(value))
        return len(f"{value:f}" if isinstance(value, Decimal) else str(value))
    text = str(value.value if isinstance(value, Enum) else value)[:LONGEST_TEXT]
    sheet.write_string(row, place, text)
    return len(text)
