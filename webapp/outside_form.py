"""What is typed or scanned at the dock, as a shipment or a return. Every reader refuses with a sentence by its field."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from engine.errors import Invalid
from processes.outside_away import NoticeKind
from processes.outside_moving import Return, Shipment
from records.outside import OutsideLink
from webapp import typed
from webapp.formats import Custom
from webapp.typed import Unreadable

Read = TypeVar("Read")

PARTED = re.compile(r"[\s,;]+")
"""Scanners end a code with Enter or Tab; people part numbers by commas."""


def shipment(form: Mapping[str, str], link: OutsideLink, how: Custom) -> Shipment:
    """Read the form of the dock; without a quantity the scanned serial numbers are counted. Raises: Invalid."""
    numbers = serials(form, "serials")
    return Shipment(
        quantity=_counted(form, "quantity", numbers, how), uom=form.get("uom") or link.uom, event_id=event(form), serials=numbers,
        lots=serials(form, "lots"), carrier=form.get("carrier", "").strip()[:200], return_by=day(form, "return_by"),
        is_partial=form.get("is_partial") == "true", documents=serials(form, "documents"),
    )  # fmt: skip


def returned(form: Mapping[str, str], link: OutsideLink, how: Custom) -> Return:
    """Read the form of a return. Raises: Invalid."""
    good, scrap = serials(form, "serials"), serials(form, "scrap_serials")
    return Return(
        good=_counted(form, "good", good, how, may_be_empty=True), scrap=_counted(form, "scrap", scrap, how, may_be_empty=True),
        uom=form.get("uom") or link.uom, event_id=event(form), serials=good, scrap_serials=scrap,
        packing_slip=form.get("packing_slip", "").strip()[:200], received_on=day(form, "received_on"),
        location=form.get("location", "").strip()[:200], revision=form.get("revision", "").strip()[:40] or None,
        lot=form.get("lot", "").strip()[:200], certificates=serials(form, "certificates"),
    )  # fmt: skip


def quantity(form: Mapping[str, str], name: str, how: Custom) -> Decimal:
    """Read a quantity above 0. Raises: Invalid."""
    return _read(form, name, lambda text: typed.decimal(text, how, decimals=6, above=Decimal(0)))


def serials(form: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Read numbers as they were scanned, one after the other."""
    return tuple(number[:40] for number in PARTED.split(form.get(name, "")[:20_000]) if number)


def event(form: Mapping[str, str]) -> str:
    """Return what tells one form from another, so that a form sent twice moves nothing twice. Raises: Invalid."""
    given = form.get("event", "").strip()
    if not given or len(given) > 100:
        raise Invalid(
            "Expected the form as the page gave it, but it names no event; open the page again", {"event": "is missing"}
        )
    return f"page:{given}"


def notice_kind(form: Mapping[str, str]) -> NoticeKind:
    """Read what a supplier reports. Raises: Invalid."""
    given = form.get("kind", "")
    if given not in set(NoticeKind):
        raise Invalid("Expected what the supplier reports, but nothing is chosen", {"kind": "choose one"})
    return NoticeKind(given)


def _counted(
    form: Mapping[str, str], name: str, numbers: tuple[str, ...], how: Custom, *, may_be_empty: bool = False
) -> Decimal:
    text = form.get(name, "").strip()
    if not text and (numbers or may_be_empty):
        return Decimal(len(numbers))
    return _read(form, name, lambda given: typed.decimal(given, how, decimals=6, at_least=Decimal(0)))


def day(form: Mapping[str, str], name: str) -> dt.date | None:
    """Read a day, None for an empty field. Raises: Invalid."""
    return _read(form, name, typed.day) if form.get(name, "").strip() else None


def _read(form: Mapping[str, str], name: str, read: Callable[[str], Read]) -> Read:
    try:
        return read(form.get(name, ""))
    except Unreadable as error:
        raise Invalid(f"{error}", {name: str(error)}) from error
