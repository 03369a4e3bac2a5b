"""A list to take along: the rows of a page as a CSV file, as a workbook, or as a page for the printer.

A module of pages offers its list once, under the address of the page::

    @sheet.offered(pages, "/suppliers")
    def export() -> Sheet: ...

``/suppliers.csv``, ``/suppliers.xlsx`` and ``/suppliers.print`` then answer, filtered as the page is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as Answer

from webapp import formats, listing, visit, workbook
from webapp.csv_file import csv_file

KINDS = {"csv": "CSV", "xlsx": "Excel", "print": "Print"}
MOST_PRINTED = 2_000
"""Rows of a page for the printer; files hold ``listing.MOST_EXPORTED``."""
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PLACES = ("after", "tab")
"""What an address says of where one is in a list, and not of which list it is."""

OFFERED: set[str] = set()
"""Addresses of pages whose list can be taken along; a part that is no fixed text stands as it does in the rule."""

Column = str | Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A list. name: of its file, without ending; columns: in snake case; is_cut: whether there are more rows than it holds."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    is_cut: bool = False

    @property
    def title(self) -> str:
        """The name as a heading."""
        return formats.words(self.name.replace("-", "_"))


def whole(look_up: Callable[..., listing.Listing]) -> listing.Listing:
    """Return what a page's search finds from its beginning, as much as a file holds."""
    query, state, _ = listing.search()
    return look_up(query, state, "", limit=listing.MOST_EXPORTED)


def of_page(name: str, found: listing.Listing, columns: Mapping[str, Column]) -> Sheet:
    """Return the sheet of a listing. columns: by name an attribute, dotted through what may be missing, or a function of the item."""
    return Sheet(name, list(columns), rows_of(found.items, columns), is_cut=bool(found.after))


def rows_of(items: Iterable[Any], columns: Mapping[str, Column]) -> Iterable[list[object]]:
    """Return the rows of items."""
    return ([_value(item, column) for column in columns.values()] for item in items)


def offered(pages: Blueprint, path: str, *, endpoint: str | None = None) -> Callable[[Callable[..., Sheet]], Any]:
    """Register a function that makes a sheet, under a page's address, in every kind."""

    def register(make: Callable[..., Sheet]) -> Callable[..., Sheet]:
        def answer(kind: str, **parts: str) -> Answer | str:
            return hand_out(make(**parts), kind)

        answer.__doc__ = make.__doc__
        OFFERED.add(path)
        pages.add_url_rule(f"{path}.<any({', '.join(KINDS)}):kind>", endpoint or make.__name__, answer)
        return make

    return register


def hand_out(made: Sheet, kind: str) -> Answer | str:
    """Answer with a sheet in one of ``KINDS``."""
    if kind == "print":
        return _printed(made)
    name = f"{made.name}-first-{listing.MOST_EXPORTED}" if made.is_cut else made.name
    if kind == "csv":
        return csv_file(name, made.columns, made.rows)
    titles = [formats.words(column) for column in made.columns]
    content = workbook.write(made.title, titles, made.rows, about=_about(made), made_at=visit.now())
    headers = {"Content-Disposition": f'attachment; filename="{name}.xlsx"'}
    return Response(content, mimetype=WORKBOOK, headers=headers)


def ways() -> list[tuple[str, str]]:
    """Return (words, address) of how the list of this page can be taken along; nothing where it cannot."""
    if request.url_rule is None or request.url_rule.rule not in OFFERED:
        return []
    asked = urlencode(_asked())
    return [(words, f"{request.path}.{kind}{'?' if asked else ''}{asked}") for kind, words in KINDS.items()]


def here(**changes: str) -> str:
    """Return the address of this page with some of what it asks for changed."""
    given = {name: value for name, value in request.args.items() if value} | changes
    return f"{request.path}?{urlencode({name: value for name, value in given.items() if value})}"


def kept_besides(*names: str) -> list[tuple[str, str]]:
    """Return what an address asks for beside these names: what a form for these has to carry along."""
    return [(name, value) for name, value in _asked() if name not in names]


def _asked() -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.args.items(multi=True) if value and name not in PLACES]


def _about(made: Sheet) -> list[tuple[str, object]]:
    """Return what a reader of a file has to know of it."""
    found: list[tuple[str, object]] = [
        ("List", made.title), ("As of", visit.now()), ("Taken by", visit.visitor().name), ("Filter", _filter() or "none"),
    ]  # fmt: skip
    if made.is_cut:
        found.append(
            ("Rows", f"the first {listing.MOST_EXPORTED}; there are more: narrow the search to see the others")
        )
    return found


def _filter() -> str:
    """Say which rows were asked for."""
    return ", ".join(
        f"{'search' if name == 'q' else formats.words(name).lower()} “{value}”" for name, value in _asked()
    )


def _printed(made: Sheet) -> str:
    rows: list[list[tuple[str, bool]]] = []
    is_cut = made.is_cut
    for row in made.rows:
        if len(rows) == MOST_PRINTED:
            is_cut = True
            break
        rows.append(
            [(shown(value), isinstance(value, (int, Decimal)) and not isinstance(value, bool)) for value in row]
        )
    return render_template(
        "documents/print.html", sheet=made, columns=[formats.words(column) for column in made.columns], rows=rows,
        wanted=_filter(), is_cut=is_cut, most=MOST_PRINTED, back=_back(),
    )  # fmt: skip


def _back() -> str:
    asked = request.query_string.decode()
    return f"{request.path.removesuffix('.print')}{'?' if asked else ''}{asked}"


def shown(value: object) -> str:
    """Write one value for a reader, in their customs."""
    how = visit.visitor().how
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, (int, Decimal)):
        return formats.number(value, None, how)
    if isinstance(value, dt.datetime):
        return formats.instant(value, how)
    if isinstance(value, dt.date):
        return formats.day(value, how)
    return formats.words(value.value) if isinstance(value, Enum) else str(value)


def _value(item: Any, column: Column) -> object:
    if callable(column):
        return column(item)
    found = item
    for name in column.split("."):
        found = getattr(found, name) if found is not None else None
    return found
