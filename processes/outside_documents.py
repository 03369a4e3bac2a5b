"""What the flow of outside processing knows of its operation, its shares and its links."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from engine.act import Act
from engine.canonical import content_hash
from engine.instances import instances_of
from engine.registry import Work
from processes.documents import existing, plain
from records.nonconformance import Nonconformance, NonconformanceStatus
from records.outside import OutsideLink
from records.outside_stop import StopDecision, StopStatus, stops_of
from records.supplier import ApprovalSubject, Supplier, SupplierApproval
from records.work_order import WorkOrderOperation

DECIDED = (StopStatus.DECIDED, StopStatus.CARRIED_OUT)
OPEN = (NonconformanceStatus.OPEN, NonconformanceStatus.DISPOSED)


def operation_of(act: Act, work: Work) -> WorkOrderOperation:
    """Return the operation that an instance is about. Raises: NotFound."""
    given = work.get("operation")
    return existing(act.session, WorkOrderOperation, given["id"] if given else work.get("operation_id"))


def link_of(act: Act, work: Work) -> OutsideLink:
    """Return the link of a share. Raises: NotFound before there is one."""
    return existing(act.session, OutsideLink, work["share"]["link_id"])


def is_untaken(session: Session, link: OutsideLink) -> bool:
    """Whether no flow of outside processing has taken a link up."""
    return not any(one.process_id == "outside_processing" for one in instances_of(session, link.record_type, link.id))


def operation_variable(act: Act, operation: WorkOrderOperation) -> dict[str, Any]:
    """Return the variable ``operation``: the snapshot that the work outside starts from. held: why it may not go out, if it may not."""
    order = operation.work_order
    following = next((each for each in order.operations if each.op_no > operation.op_no), None)
    next_start = following.planned_start if following is not None else order.planned_finish
    return {
        "id": operation.id,
        "number": operation.number,
        "hash": operation_hash(operation),
        "work_order": order.number,
        "part": order.item,
        "description": operation.description,
        "process": operation.process_code,
        "spec_text": specification(operation.spec, operation.spec_rev),
        "quantity": operation.open_quantity if operation.quantity_in is not None else order.quantity,
        "uom": order.uom,
        "next_start": next_start,
        "held": operation.hold_reason or order.hold_reason,
        "nonconformances": ", ".join(_nonconformances(act, operation)) or None,
    }


def operation_hash(operation: WorkOrderOperation) -> str:
    """Return the hash of what an operation asks of its supplier."""
    order = operation.work_order
    return content_hash(
        {
            "operation": operation.number, "part": order.item, "process": operation.process_code, "spec": operation.spec,
            "spec_rev": operation.spec_rev, "quantity": str(operation.quantity_in),
        }
    )  # fmt: skip


def link_variable(link: OutsideLink) -> dict[str, Any]:
    """Return the variable ``link``: what tasks show of it. lapsed: the approval ended while pieces were away."""
    order = link.order
    return {
        "id": link.id,
        "number": link.number,
        "hash": link_hash(link),
        "title": f"{plain(link.allocated_quantity)} × {link.operation.work_order.item} at {order.supplier.name}",
        "pieces": f"{plain(link.allocated_quantity)} × {link.operation.work_order.item}",
        "quantity": link.allocated_quantity,
        "uom": link.uom,
        "order_number": order.number,
        "supplier_id": order.supplier_id,
        "supplier_name": order.supplier.name,
        "process": link.process_code,
        "spec_text": specification(link.spec, link.spec_rev),
        "return_by": link.return_by or link.need_by,
        "lapsed": link.hold_rule == "SUP-04",
    }


def source_until(act: Act, found: OutsideLink) -> dt.date | None:
    """Return the last day on which an approval of the supplier covers the process, None where none is needed."""
    if found.process_code is None:
        return None
    rows = act.session.scalars(
        select(SupplierApproval).where(
            SupplierApproval.supplier_id == found.order.supplier_id,
            SupplierApproval.subject == ApprovalSubject.PROCESS,
            SupplierApproval.subject_code == found.process_code,
        )
    ).all()
    today = found.site.local_day(act.now)
    return max((row.valid_to for row in rows if row.is_valid_on(today)), default=None)


def link_hash(link: OutsideLink) -> str:
    """Return the hash of what a link allocates; its counters are not in it, so that it names one allocation for good."""
    return content_hash(
        {
            "link": link.number, "operation": link.operation.number, "order_line": link.order_line_id,
            "quantity": str(link.allocated_quantity), "spec": link.spec, "spec_rev": link.spec_rev,
        }
    )  # fmt: skip


def balance_variable(link: OutsideLink) -> dict[str, Any]:
    """Return the variable ``balance``. processed: what did not come home as it left. is_called_home: nothing of it goes again."""
    return {
        "shipped": link.shipped,
        "good": link.good,
        "scrap": link.scrap,
        "lost": link.lost,
        "recalled": link.recalled,
        "away": link.at_supplier,
        "processed": link.good + link.scrap + link.lost,
        "is_called_home": is_recalled_for_good(link),
    }


def is_recalled_for_good(link: OutsideLink) -> bool:
    """Whether the board called the pieces of a link home, so that nothing of it is shipped again."""
    session = object_session(link)
    stops = stops_of(session, link.id) if session is not None else []
    return any(stop.decision is StopDecision.RECALL and stop.status in DECIDED for stop in stops)


def specification(spec: str | None, spec_rev: str | None) -> str:
    """Return a specification as people write it, ``PS-455 rev D``."""
    return " rev ".join(filter(None, [spec, spec_rev])) or "no specification"


def midnight_after(link: OutsideLink, day: dt.date) -> dt.datetime:
    """Return the instant at which a day is over at the link's site."""
    return start_of(link, day + dt.timedelta(days=1))


def start_of(link: OutsideLink, day: dt.date) -> dt.datetime:
    """Return the instant at which a day begins at the link's site."""
    return dt.datetime.combine(day, dt.time(), link.site.zone).astimezone(dt.UTC)


def number_of(value: object) -> Decimal:
    """Return a decimal of a variable, 0 for none."""
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)


def supplier_called(act: Act, supplier_id: object) -> Supplier:
    """Return a supplier by id. Raises: NotFound."""
    return existing(act.session, Supplier, supplier_id)


def _nonconformances(act: Act, operation: WorkOrderOperation) -> list[str]:
    order = operation.work_order
    wanted = select(Nonconformance.number).where(
        Nonconformance.about_id.in_([order.id, operation.id]), Nonconformance.status.in_(OPEN)
    )
    return list(act.session.scalars(wanted.order_by(Nonconformance.number)))
