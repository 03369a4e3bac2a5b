"""Reading CSV files of parent rows and child rows, as an ERP exports them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from processes.importing.problems import Problem, Report, Weight

LARGEST_FILE = 200 * 1024 * 1024
LARGEST_CELL = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file. number: as a spreadsheet counts, the header is 1."""

    file: str
    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that was read."""

    file: str
    columns: frozenset[str]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A parent row with the rows that belong to it, itself included: the first child sits on the parent's row."""

    head: Row
    rows: tuple[Row, ...]

    def children(self, id_column: str) -> list[Row]:
        """Return the rows that carry a child of the list whose id stands in this column."""
        return [row for row in self.rows if row.cells.get(id_column)]


def read_sheet(folder: Path, file: str, report: Report) -> Sheet:
    """Read a file. What cannot be read becomes a problem, and the sheet holds what could."""
    path = folder / file
    if not path.is_file():
        return _empty(file, report, "MISSING_FILE", f"Expected the file {file}, but it is not in the folder")
    content = path.read_bytes()
    if len(content) > LARGEST_FILE:
        return _empty(
            file, report, "FILE_TOO_LARGE", f"Expected at most {LARGEST_FILE:,} bytes, but found {len(content):,}"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        return _empty(file, report, "NOT_UTF8", f"Expected UTF-8, but physical line {row} has another encoding")
    return _parsed(file, text, report)


def _empty(file: str, report: Report, code: str, message: str) -> Sheet:
    report.problems.append(Problem(Weight.ERROR, code, file, 0, "", "", message))
    return Sheet(file, frozenset(), ())


def _parsed(file: str, text: str, report: Report) -> Sheet:
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] = []
    number = 0
    try:
        for number, values in enumerate(reader, start=1):
            if not header:
                header = [value.strip() for value in values]
                continue
            if not any(values):
                continue
            if len(values) != len(header):
                report.problems.append(
                    Problem(
                        Weight.ERROR, "RAGGED_ROW", file, number, "", str(len(values)),
                        f"Expected {len(header)} cells, but found another number",
                    )
                )  # fmt: skip
                continue
            rows.append(Row(file, number, dict(zip(header, map(_clean, values), strict=True))))
    except csv.Error as error:
        report.problems.append(
            Problem(Weight.ERROR, "NOT_CSV", file, number + 1, "", "", f"Expected a CSV record, but {error}")
        )
    doubled = sorted({name for name in header if header.count(name) > 1})
    for name in doubled:
        report.problems.append(Problem(Weight.ERROR, "DOUBLE_COLUMN", file, 1, name, "", "Expected each column once"))
    report.rows[file] = len(rows)
    return Sheet(file, frozenset(header), tuple(rows))


def _clean(value: str) -> str:
    """Strip blanks at both ends, also no-break ones; what stands inside a text stays."""
    return value.strip().strip("\u00a0\u202f").strip()


def families(sheet: Sheet, id_column: str, report: Report) -> Iterator[Family]:
    """Yield parents with their children; rows before the first parent and parents met twice become problems."""
    heads: set[str] = set()
    head: Row | None = None
    rows: list[Row] = []
    for row in sheet.rows:
        native = row.cells.get(id_column, "")
        if not native and head is None:
            report.problems.append(_orphan(row, id_column))
        if not native:
            rows.append(row)
            continue
        if head is not None:
            yield Family(head, tuple(rows))
        head, rows = row, [row]
        if native in heads:
            report.problems.append(
                Problem(
                    Weight.ERROR, "DOUBLE_ID", row.file, row.number, id_column, native,
                    "Expected each id once; this row and its children were left out",
                )
            )  # fmt: skip
            head, rows = None, []
        heads.add(native)
    if head is not None:
        yield Family(head, tuple(rows))


def _orphan(row: Row, id_column: str) -> Problem:
    return Problem(
        Weight.ERROR,
        "ORPHAN_ROW",
        row.file,
        row.number,
        id_column,
        "",
        "Expected a parent above this row, but there is none",
    )
