"""Make a requisition of a planned order that an ERP announces (A01b)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Invalid, NotFound
from engine.registry import Work
from records.calendar import MAIN, site_called
from records.cost_centre import cost_centre_called
from records.numbering import next_number
from records.part import Part, PartRevision, RevisionStatus
from records.requisition import Requisition, RequisitionLine
from records.roles import user_called
from records.supplier import Supplier
from records.units import check_quantity

MESSAGE = "erp.planned_order.created"
NEEDED = ("planned_no", "part_no", "quantity", "requester", "cost_centre")


def refuse_unusable(session: Session, values: Mapping[str, Any]) -> None:
    """Refuse a planned order that no requisition can be made of. Raises: Invalid with a sentence for each wrong field.

    values: planned_no, part_no, quantity, requester (a user id), cost_centre, and, when known, rev, uom, need_by,
    estimated_price, supplier_no, plant.
    """
    wrong = {name: "is missing" for name in NEEDED if values.get(name) in (None, "")}
    for name, read in _READERS.items():
        given = values.get(name)
        if name in wrong or given in (None, ""):
            continue
        try:
            read(session, given, values)
        except (Invalid, NotFound) as refusal:
            wrong[name] = refusal.message
    if wrong:
        raise Invalid(f"Expected a planned order to ask for, but {', '.join(wrong)} cannot be used", wrong)


def requisition_from(act: Act, work: Work) -> Requisition:
    """Write the requisition of a planned order. Raises: as ``refuse_unusable``."""
    refuse_unusable(act.session, work.variables)
    site = site_called(act.session, work.get("plant") or MAIN)
    revision = _revision(act.session, str(work["part_no"]), work.get("rev"))
    requisition = Requisition(
        number=next_number(act, "REQ", site=site), site=site, site_id=site.id, requester_id=str(work["requester"]),
        cost_centre=cost_centre_called(act.session, str(work["cost_centre"])), currency=site.currency,
        need_by=_day(work.get("need_by")), title=f"Planned order {work['planned_no']}",
    )  # fmt: skip
    price = work.get("estimated_price")
    requisition.lines.append(
        RequisitionLine(
            line_no=1, part_revision=revision, quantity=_number(work["quantity"], "quantity"),
            uom=work.get("uom") or revision.part.base_uom, need_by=_day(work.get("need_by")),
            estimated_price=None if price in (None, "") else _number(price, "estimated_price"),
            supplier=_supplier(act.session, work.get("supplier_no")), planned_order=str(work["planned_no"]),
        )
    )  # fmt: skip
    act.session.add(requisition)
    act.session.flush()
    return requisition


def _revision(session: Session, part_no: str, rev: str | None) -> PartRevision:
    wanted = select(PartRevision).join(Part).where(Part.part_no == part_no)
    wanted = (
        wanted.where(PartRevision.rev == rev) if rev else wanted.where(PartRevision.status == RevisionStatus.RELEASED)
    )
    found = session.scalars(wanted.order_by(PartRevision.rev.desc()).limit(1)).first()
    if found is None:
        raise NotFound(
            f"Expected a revision of {part_no}{' ' + rev if rev else ' that is released'}, but there is none"
        )
    return found


def _supplier(session: Session, supplier_no: str | None) -> Supplier | None:
    if not supplier_no:
        return None
    found = session.scalar(select(Supplier).where(Supplier.supplier_no == supplier_no))
    if found is None:
        raise NotFound(f"Expected a supplier {supplier_no}, but there is none")
    return found


def _number(value: object, name: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Invalid(f"Expected {name} to be a number, but found {value!r:.40}", {name: "is no number"}) from error
    if not number.is_finite() or number < 0 or (number == 0 and name == "quantity"):
        raise Invalid(f"Expected {name} to be above 0, but found {number}", {name: "must be above 0"})
    return number


def _day(value: object) -> dt.date | None:
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError as error:
        raise Invalid(
            f"Expected a day such as 2026-11-30, but found {value!r:.40}", {"need_by": "is no day"}
        ) from error


def _quantity(session: Session, value: object, values: Mapping[str, Any]) -> None:
    number, uom = _number(value, "quantity"), values.get("uom")
    if not uom:
        part = session.scalar(select(Part).where(Part.part_no == str(values.get("part_no"))))
        uom = part.base_uom if part is not None else None
    if uom:
        check_quantity(number, str(uom))


_READERS: Mapping[str, Callable[[Session, Any, Mapping[str, Any]], object]] = {
    "plant": lambda session, value, _: site_called(session, str(value)),
    "part_no": lambda session, value, values: _revision(session, str(value), values.get("rev")),
    "quantity": _quantity,
    "requester": lambda session, value, _: user_called(session, str(value)),
    "cost_centre": lambda session, value, _: cost_centre_called(session, str(value)),
    "estimated_price": lambda _session, value, _: _number(value, "estimated_price"),
    "need_by": lambda _session, value, _: _day(value),
    "supplier_no": lambda session, value, _: _supplier(session, str(value)),
}
"""How each field of the message is read; a reader that refuses says what is wrong with it."""
