"""The page of one work order: everything around it, and what may be done to it now."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id, new_id
from engine.errors import Effect, NotFound, Refused
from processes import work_orders
from processes.work_order_schedule import plan_notes
from records.actual import actuals_of
from records.nonconformance import Nonconformance
from records.resource import Resource, ResourceKind
from records.work_order import (
    ENDED,
    UNRELEASED,
    CalibrationResult,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
)
from records.work_order_change import changes_of
from rules.order_consistency import links_of_work
from rules.work_order_release import judge_release, order_lines_for
from webapp import both_sides, document_page, formats, work_order_doors
from webapp.visit import now, reading, visitor

Page = str | tuple[str, int] | Answer
STEPS = (
    WorkOrderStatus.PLANNED, WorkOrderStatus.FIRM, WorkOrderStatus.RELEASED, WorkOrderStatus.IN_PROCESS, WorkOrderStatus.COMPLETE,
    WorkOrderStatus.CLOSED,
)  # fmt: skip


def find(session: Session, record_id: str) -> WorkOrder:
    """Return a work order. Raises: NotFound."""
    found = session.get(WorkOrder, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a work order at this address, but there is none.")
    return found


def operation_of(order: WorkOrder, operation_id: str) -> WorkOrderOperation:
    """Return an operation of a work order. Raises: NotFound."""
    for operation in order.operations:
        if operation.id == operation_id:
            return operation
    raise NotFound(f"Expected an operation of {order.number} at this address, but there is none.")


def show_page(order: WorkOrder, refusal: Refused | None = None, *, tab: str | None = None) -> str:
    """Return the page of a work order. tab: the one that stands open; refusal: what was refused just now."""
    session = reading()
    actuals = actuals_of(session, order)
    gate = judge_release(session, order, now=now()) if order.status in UNRELEASED else []
    may = work_order_doors.why_not(visitor(), order)
    stops = [found for found in gate if found.effect is not Effect.WARN]
    if stops and not may["release"]:
        may["release"] = stops[0].sentence
    taken = {actual.reverses_id for actual in actuals if actual.reverses_id}
    numbers = (Nonconformance.about_id == order.id) | (Nonconformance.id == order.nonconformance_id)
    return render_template(
        "work_orders/show.html", document=order, beside=document_page.beside(session, order, order.approved_hash),
        tab=tab or request.args.get("tab", "summary"), refusal=refusal, may=may, gate=gate,
        steps=[(step, _step_tone(order, step)) for step in STEPS], actuals=actuals[::-1], taken=taken,
        cost=work_orders.cost_of(session, order), warnings=work_orders.warnings_of(session, order),
        may_skip=lambda operation: work_order_doors.may_skip(visitor(), order, operation),
        acts=lambda operation: work_order_doors.operation_acts(order, operation), new_event=new_id,
        can_record=work_order_doors.badge_of(session, visitor().user_id) is not None
        or visitor().holds(*work_order_doors.roles_for("record", order)),
        slots=work_order_doors.open_slots(session, visitor(), order), links=_links(session, order),
        plan_notes=plan_notes(order), changes=changes_of(session, order), machines=lambda operation: machines_of(session, operation),
        children=list(session.scalars(select(WorkOrder).where(WorkOrder.parent_id == order.id).order_by(WorkOrder.number))),
        nonconformances=list(session.scalars(select(Nonconformance).where(numbers).order_by(Nonconformance.number))),
        equipment=_equipment(session), results=[(one.value, formats.words(one)) for one in CalibrationResult],
        kept=plan_of(order), plan=request.form if refusal is not None and "planned_start" in request.form else plan_of(order),
        sides=both_sides.of_fields(request.form, plan_of(order)) if refusal is not None and refusal.code == both_sides.CODE else [],
        may_replan=order.status not in ENDED and visitor().holds(*work_order_doors.roles_for("plan", order)),
    )  # fmt: skip


def plan_of(order: WorkOrder) -> dict[str, str]:
    """Return the plan of a work order as its form shows it."""
    return {
        "planned_start": order.planned_start.isoformat() if order.planned_start else "",
        "planned_finish": order.planned_finish.isoformat() if order.planned_finish else "",
        "priority": str(order.priority),
    }


def _links(session: Session, order: WorkOrder) -> list[tuple[str, Any]]:
    """Return the order lines that name the work order or are linked to one of its operations, each with what it is for."""
    numbers = [order.number, *(operation.number for operation in order.operations)]
    named = [(number, line) for number in numbers for line in order_lines_for(session, number)]
    linked = [(link.operation.number, link.order_line) for link in links_of_work(session, order)]
    return list(dict.fromkeys([*linked, *named]))


def _equipment(session: Session) -> list[tuple[str, str]]:
    wanted = select(Resource).where(Resource.kind == ResourceKind.EQUIPMENT, Resource.is_active.is_(True))
    return [(each.code, f"{each.code} {each.name}") for each in session.scalars(wanted.order_by(Resource.code))]


def machines_of(session: Session, operation: WorkOrderOperation) -> list[tuple[str, str]]:
    """Return the machines of an operation's work centre, as a form offers them."""
    wanted = select(Resource).where(
        Resource.kind == ResourceKind.EQUIPMENT, Resource.is_active.is_(True),
        Resource.work_centre_id == operation.work_centre_id, Resource.work_centre_id.is_not(None),
    )  # fmt: skip
    return [(each.code, f"{each.code} {each.name}") for each in session.scalars(wanted.order_by(Resource.code))]


def _step_tone(order: WorkOrder, step: WorkOrderStatus) -> str:
    present = order.held_from or order.status
    if present not in STEPS:
        return ""
    place, here = STEPS.index(step), STEPS.index(present)
    return "done" if place < here else "now" if place == here else ""
