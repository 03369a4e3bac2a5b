"""Make a requisition of a planned order that an ERP announces (A01b)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation

from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid, NotFound
from engine.registry import Work
from records.calendar import MAIN, site_called
from records.cost_centre import cost_centre_called
from records.numbering import next_number
from records.part import Part, PartRevision, RevisionStatus
from records.requisition import Requisition, RequisitionLine
from records.supplier import Supplier

NEEDED = ("planned_no", "part_no", "quantity", "requester", "cost_centre")


def requisition_from(act: Act, work: Work) -> Requisition:
    """Write the requisition of a planned order.

    The message carries planned_no, part_no, quantity, requester (a user id), cost_centre, and, when known, rev, uom,
    need_by, estimated_price, supplier_no, plant. Raises: Invalid naming what is missing; NotFound.
    """
    missing = {name: "is missing" for name in NEEDED if work.get(name) in (None, "")}
    if missing:
        raise Invalid(f"Expected {', '.join(missing)} in the planned order, but found none", missing)
    site = site_called(act.session, work.get("plant") or MAIN)
    revision = _revision(act, str(work["part_no"]), work.get("rev"))
    requisition = Requisition(
        number=next_number(act, "REQ", site=site), site=site, site_id=site.id, requester_id=str(work["requester"]),
        cost_centre=cost_centre_called(act.session, str(work["cost_centre"])), currency=site.currency,
        need_by=_day(work.get("need_by")), title=f"Planned order {work['planned_no']}",
    )  # fmt: skip
    requisition.lines.append(
        RequisitionLine(
            line_no=1, part_revision=revision, quantity=_number(work["quantity"], "quantity"),
            uom=work.get("uom") or revision.part.base_uom, need_by=_day(work.get("need_by")),
            estimated_price=_number(price, "estimated_price") if (price := work.get("estimated_price")) is not None else None,
            supplier=_supplier(act, work.get("supplier_no")), planned_order=str(work["planned_no"]),
        )
    )  # fmt: skip
    act.session.add(requisition)
    act.session.flush()
    return requisition


def _revision(act: Act, part_no: str, rev: str | None) -> PartRevision:
    wanted = select(PartRevision).join(Part).where(Part.part_no == part_no)
    wanted = (
        wanted.where(PartRevision.rev == rev) if rev else wanted.where(PartRevision.status == RevisionStatus.RELEASED)
    )
    found = act.session.scalars(wanted.order_by(PartRevision.rev.desc()).limit(1)).first()
    if found is None:
        raise NotFound(
            f"Expected a revision of {part_no}{' ' + rev if rev else ' that is released'}, but there is none"
        )
    return found


def _supplier(act: Act, supplier_no: str | None) -> Supplier | None:
    if not supplier_no:
        return None
    found = act.session.scalar(select(Supplier).where(Supplier.supplier_no == supplier_no))
    if found is None:
        raise NotFound(f"Expected a supplier {supplier_no}, but there is none")
    return found


def _number(value: object, name: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise Invalid(f"Expected {name} to be a number, but found {value!r:.40}", {name: "is no number"}) from error


def _day(value: object) -> dt.date | None:
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError as error:
        raise Invalid(
            f"Expected a day such as 2026-11-30, but found {value!r:.40}", {"need_by": "is no day"}
        ) from error
