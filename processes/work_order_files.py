"""Work orders on paper and in files: the traveller with its codes, and CSV in and out."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import segno
import typst
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import is_whole
from engine.errors import Invalid, Refused
from processes.signed_by import signed_on
from processes.work_order_event import FIELDS, Event
from processes.work_order_events import post_event
from records.part import process_words
from records.work_order import WorkOrder, WorkOrderOperation
from rules.work_order_release import warnings_of

TEMPLATE = Path(__file__).with_name("traveller.typ")
MOST_ROWS = 20_000
NUMBERS = frozenset({"quantity", "unit_cost", "value", "lower", "upper", "good", "scrap", "rework"})
NEEDED = ("system", "event_id", "kind", "work_order")


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one cell. row: counted as a spreadsheet shows it, the heading being 1."""

    row: int
    column: str
    value: str
    sentence: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column or 'row'}: {self.sentence}"


@dataclass
class Report:
    """What became of a file of events. repeated: rows that were handled before and moved nothing."""

    rows: int = 0
    recorded: int = 0
    repeated: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """How many rows were not taken."""
        return len({problem.row for problem in self.problems})


class _Rehearsed(Exception):
    """Ends a rehearsal: everything it wrote is taken back."""

    def __init__(self, report: Report) -> None:
        super().__init__("rehearsed")
        self.report = report


def bring_events(act: Act, content: bytes) -> Report:
    """Take in a CSV file of events, row by row; a row that does not fit is told and leaves the others alone.

    The heading names the fields of ``Event``; unknown columns are refused. The file may come again: what was taken in moves nothing.
    Raises: Invalid when the file cannot be read at all.
    """
    report = Report()
    for number, row in _rows(content):
        report.rows += 1
        event = _event(number, row, report)
        if event is not None:
            _post(act, number, event, report)
    return report


def rehearse_events(act: Act, content: bytes) -> Report:
    """Return what ``bring_events`` would report, and write nothing."""
    try:
        with act.attempt():
            _take_back(bring_events(act, content))
    except _Rehearsed as rehearsal:
        return rehearsal.report
    raise AssertionError("a rehearsal always ends by taking back what it did")


def _take_back(report: Report) -> None:
    raise _Rehearsed(report)


def _post(act: Act, number: int, event: Event, report: Report) -> None:
    try:
        with act.attempt():
            posted = post_event(act, event)
    except Invalid as refusal:
        report.problems += [
            RowProblem(number, name, str(getattr(event, name, "") or ""), sentence)
            for name, sentence in (refusal.fields or {"": refusal.message}).items()
        ]
    except Refused as refusal:
        report.problems.append(RowProblem(number, "", event.event_id, refusal.message))
    else:
        if posted.is_duplicate:
            report.repeated += 1
        else:
            report.recorded += 1


def _rows(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            "Expected a CSV file in UTF-8, but it is in another encoding", {"file": "is not UTF-8"}
        ) from error
    if "\x00" in text:
        raise Invalid("Expected a CSV file, but it has NUL characters", {"file": "is no text"})
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    names = [name.strip() for name in reader.fieldnames or []]
    unknown = [name for name in names if name not in FIELDS]
    missing = [name for name in NEEDED if name not in names]
    if unknown or missing or len(set(names)) != len(names):
        wrong = (
            f"unknown {', '.join(unknown)}" if unknown else f"no {', '.join(missing)}" if missing else "a column twice"
        )
        raise Invalid(
            f"Expected a heading of {', '.join(FIELDS)}, at least {', '.join(NEEDED)}, but found {wrong[:200]}",
            {"file": f"heading has {wrong[:200]}"},
        )
    reader.fieldnames = names
    try:
        for number, row in enumerate(reader, start=2):
            if number > MOST_ROWS + 1:
                raise Invalid(
                    f"Expected at most {MOST_ROWS:,} rows, but found more; send several files", {"file": "too long"}
                )
            if any((value or "").strip() for value in row.values() if not isinstance(value, list)):
                yield number, {str(name): _cell(value) for name, value in row.items() if name is not None} | _rest(row)
    except csv.Error as error:
        raise Invalid(f"Expected a CSV file, but it cannot be read: {error}", {"file": "cannot be read"}) from error


def _cell(value: str | list[str] | None) -> str:
    return value.strip() if isinstance(value, str) else ""


def _rest(row: Mapping[Any, Any]) -> dict[str, str]:
    """Keep what stands beyond the last column, so that it is told and not lost."""
    beyond = row.get(None)
    return {"": ", ".join(beyond)} if beyond else {}


def _event(number: int, row: Mapping[str, str], report: Report) -> Event | None:
    values: dict[str, Any] = {}
    before = len(report.problems)
    for name, text in row.items():
        if not text:
            continue
        try:
            values[name] = _value(name, text)
        except ValueError as error:
            report.problems.append(RowProblem(number, name, text[:80], str(error)))
    missing = [name for name in NEEDED if not row.get(name)]
    report.problems += [RowProblem(number, name, "", "Expected a value, but it is empty") for name in missing]
    return None if len(report.problems) > before else Event(**values)


def _value(name: str, text: str) -> Any:
    reader: Callable[[str], Any] = (
        _number if name in NUMBERS else _whole if name == "op_no" else _instant if name == "event_time" else _text
    )
    if name == "":
        raise ValueError("Expected no more cells than the heading has, but found more")
    return reader(text)


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"Expected a number such as 12.5, but found “{text[:40]}”") from error
    if not number.is_finite() or abs(number) >= Decimal(10) ** 12 or number != number.quantize(Decimal("0.000001")):
        raise ValueError(f"Expected a number below 10¹² with at most 6 decimals, but found “{text[:40]}”")
    return number


def _whole(text: str) -> int:
    if not is_whole(text, digits=6):
        raise ValueError(f"Expected a whole number such as 30, but found “{text[:40]}”")
    return int(text)


def _instant(text: str) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"Expected an instant such as 2026-11-22T14:30:00Z, but found “{text[:40]}”") from error
    if instant.tzinfo is None:
        raise ValueError(f"Expected an instant with its zone, such as 2026-11-22T14:30:00Z, but found “{text[:40]}”")
    return instant


def _text(text: str) -> str:
    if len(text) > 4000:
        raise ValueError(f"Expected at most 4,000 characters, but found {len(text):,}")
    return text


def traveller_pdf(session: Session, order: WorkOrder, *, printed_by: str, printed_at: str) -> bytes:
    """Return the sheet that goes with the pieces: operations with instructions and places to sign, no price, no supplier's terms.

    Each code holds what a scanner types: the number of the order, and of each operation. Source: domain.md 1.16.
    """
    data = {
        "number": order.number,
        "system": order.system,
        "type": order.type.value.replace("_", " ").capitalize(),
        "status": order.status.value.replace("_", " ").lower(),
        "item": order.item,
        "name": order.part_revision.part.name if order.part_revision else order.resource.name if order.resource else "",
        "quantity": f"{order.quantity.normalize():f} {order.uom}",
        "dates": f"{order.planned_start or 'open'} to {order.planned_finish or 'open'}",
        "priority": str(order.priority),
        "authority": " ".join(each.number for each in (order.nonconformance, order.deviation) if each),
        "serial": order.serial or "",
        "site": order.site.name,
        "hash": (order.snapshot_hash or "")[:16],
        "warnings": warnings_of(session, order),
        "printed": f"Printed by {printed_by}, {printed_at}. Uncontrolled when printed: the record is in Lockstep.",
        "code": qr_svg(order.number),
        "operations": [_row(operation) for operation in order.operations],
        "signatures": signed_on(session, order, order.approved_hash, order.snapshot_hash, number=order.number),
    }
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(data, ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def _where(operation: WorkOrderOperation) -> str:
    if operation.work_centre is not None:
        return operation.work_centre.code
    return f"Outside: {process_words(operation.process_code)}" if operation.process_code else ""


def _row(operation: WorkOrderOperation) -> dict[str, str]:
    return {
        "no": str(operation.op_no),
        "number": operation.number,
        "description": operation.description,
        "where": _where(operation),
        "special": "Special process" if operation.is_special else "",
        "spec": " rev ".join(filter(None, [operation.spec, operation.spec_rev])),
        "instruction": " rev ".join(filter(None, [operation.instruction, operation.instruction_rev])),
        "state": operation.status.value.replace("_", " ").lower(),
        "good": f"{operation.good.normalize():f}" if operation.quantity_in is not None else "",
        "scrap": f"{operation.scrap.normalize():f}" if operation.quantity_in is not None else "",
        "code": qr_svg(operation.number),
    }


def qr_svg(text: str) -> str:
    """Return a QR code as SVG. text: what a scanner types."""
    target = io.BytesIO()
    segno.make(text, error="m", micro=False).save(target, kind="svg", border=0, xmldecl=False)
    return target.getvalue().decode()
