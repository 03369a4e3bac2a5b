"""The form of a new work order: what was typed, read into what ``create`` takes, with a sentence for each field that does not fit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.canonical import is_whole
from engine.errors import Invalid, NotFound
from processes.work_order_planning import revision_called
from records.nonconformance import DeviationAuthority, Nonconformance
from records.resource import resource_called
from records.routing import OperationKind
from records.supplier import Supplier
from webapp import typed
from webapp.formats import Custom
from webapp.typed import Unreadable

TEXTS = {
    "serial": 200,
    "project": 200,
    "due_rule": 200,
    "customer": 200,
    "service_location": 200,
    "contract_ref": 200,
    "description": 4000,
}
ROWS = 12
OPERATION_TEXTS = {
    "description": 4000, "work_centre": 40, "process_code": 40, "spec": 40, "spec_rev": 40, "instruction": 40,
}  # fmt: skip


class Reading:
    """One reading of the form: values that fit, and sentences for those that do not."""

    def __init__(self, session: Session, form: Mapping[str, str], how: Custom) -> None:
        self.session, self.form, self.how = session, form, how
        self.errors: dict[str, str] = {}

    def word(self, name: str, longest: int = 200) -> str:
        try:
            return typed.words(self.form.get(name, ""), longest=longest)
        except Unreadable as error:
            self.errors[name] = str(error)
            return ""

    def number(self, name: str) -> Decimal | None:
        text = self.form.get(name, "").strip()
        try:
            return typed.decimal(text, self.how, decimals=6, above=Decimal(0)) if text else None
        except Unreadable as error:
            self.errors[name] = str(error)
            return None

    def day(self, name: str) -> dt.date | None:
        text = self.form.get(name, "").strip()
        try:
            return typed.day(text) if text else None
        except Unreadable as error:
            self.errors[name] = str(error)
            return None

    def named(self, name: str, find: Any) -> Any:
        text = self.word(name)
        if not text:
            return None
        try:
            return find(self.session, text)
        except (Invalid, NotFound) as refusal:
            self.errors[name] = refusal.message
            return None


def read(session: Session, form: Mapping[str, str], how: Custom) -> dict[str, Any]:
    """Return what ``create`` takes, the type included as ``kind_of_work``. Raises: Invalid with a sentence by field."""
    reading = Reading(session, form, how)
    values: dict[str, Any] = {name: reading.word(name, longest) or None for name, longest in TEXTS.items()}
    values |= {"due_rule": values["due_rule"] or "", "description": values["description"] or ""}
    values |= {
        "kind_of_work": reading.word("type"),
        "quantity": reading.number("quantity") or Decimal(1),
        "part_revision": reading.named("part_revision", revision_called),
        "resource": reading.named("resource", resource_called),
        "nonconformance": reading.named("nonconformance", _nonconformance),
        "deviation": reading.named("deviation", _deviation),
        "crew_supplier_id": reading.named("crew_supplier", _supplier),
        "planned_start": reading.day("planned_start"),
        "planned_finish": reading.day("planned_finish"),
        "priority": _priority(reading),
        "is_shutdown": form.get("is_shutdown") == "true",
        "operations": _operations(reading),
    }
    if values["planned_start"] and values["planned_finish"] and values["planned_finish"] < values["planned_start"]:
        reading.errors["planned_finish"] = (
            f"Expected a day from {values['planned_start']} on, but found {values['planned_finish']}"
        )
    if reading.errors:
        raise Invalid("Expected a work order that fits, but some fields do not fit yet", reading.errors)
    return values


def _priority(reading: Reading) -> int:
    text = reading.word("priority") or "5"
    if text not in {str(number) for number in range(1, 10)}:
        reading.errors["priority"] = f"Expected 1 to 9, but found “{text[:20]}”"
        return 5
    return int(text)


def _nonconformance(session: Session, number: str) -> Nonconformance:
    found = session.scalar(select(Nonconformance).where(Nonconformance.number == number))
    if found is None:
        raise NotFound(f"Expected a known nonconformance such as NCR-000001, but found “{number[:40]}”")
    return found


def _deviation(session: Session, number: str) -> DeviationAuthority:
    found = session.scalar(select(DeviationAuthority).where(DeviationAuthority.number == number))
    if found is None:
        raise NotFound(f"Expected a known deviation authority such as DEV-000001, but found “{number[:40]}”")
    return found


def _supplier(session: Session, text: str) -> str:
    found = session.scalars(select(Supplier).where((Supplier.supplier_no == text) | (Supplier.name == text))).first()
    if found is None:
        raise NotFound(f"Expected a known supplier, but found “{text[:40]}”")
    return found.id


def _operations(reading: Reading) -> list[dict[str, Any]] | None:
    """Return the typed operations; None without any, so that the routing of the part is copied."""
    rows: list[dict[str, Any]] = []
    for index in range(ROWS):
        at = f"operations.{index}."
        texts = {name: reading.word(f"{at}{name}", longest) for name, longest in OPERATION_TEXTS.items()}
        if not any(texts.values()):
            continue
        number = reading.word(f"{at}op_no") or str((index + 1) * 10)
        if not is_whole(number) or not 0 < int(number) < 10_000:
            reading.errors[f"{at}op_no"] = f"Expected a number such as 10, but found “{number[:20]}”"
            continue
        outside = reading.form.get(f"{at}kind") == OperationKind.OUTSIDE
        rows.append(
            {name: text or None for name, text in texts.items()}
            | {
                "op_no": int(number), "kind": OperationKind.OUTSIDE if outside else OperationKind.INTERNAL,
                "is_special": reading.form.get(f"{at}is_special") == "true", "description": texts["description"],
            }
        )  # fmt: skip
    return rows or None
