"""Work orders: the list, the page of one with what may be done to it, a new one, the traveller, events from files."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from engine.act import Act
from engine.errors import Invalid, NotFound, Refused
from processes import work_order_files, work_orders
from records.nonconformance import DeviationAuthority, DeviationStatus, Nonconformance, NonconformanceStatus
from records.part import Part, PartRevision
from records.resource import Resource, ResourceKind, WorkCentre
from records.work_order import (
    WorkOrder,
    WorkOrderStatus,
    WorkOrderType,
)
from webapp import both_sides, formats, listing, sheet, typed, wording, work_order_doors, work_order_form
from webapp.refusals import status_of
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor
from webapp.work_order_page import Page, find, plan_of, show_page

pages = Blueprint("work_orders", __name__)


@pages.get("/work-orders")
def index() -> str:
    """List work orders, newest first; the system is always shown."""
    page = look_up(*listing.search())
    return render_template(
        "work_orders/index.html", page=page, states=list(WorkOrderStatus), types=list(WorkOrderType), may_plan=_may_plan(),
        late=lambda order: bool(order.planned_finish and order.planned_finish < now().date() and not order.completed_at),
    )  # fmt: skip


def _wanted(query: str, state: str) -> Select[WorkOrder]:
    wanted = select(WorkOrder).options(
        selectinload(WorkOrder.operations), selectinload(WorkOrder.resource),
        selectinload(WorkOrder.part_revision).selectinload(PartRevision.part),
    )  # fmt: skip
    if query:
        wanted = (
            wanted.outerjoin(PartRevision, WorkOrder.part_revision_id == PartRevision.id)
            .outerjoin(Part)
            .where(
                listing.contains(
                    query,
                    WorkOrder.number,
                    WorkOrder.native_id,
                    WorkOrder.system,
                    WorkOrder.type,
                    WorkOrder.project,
                    Part.part_no,
                )
            )
        )
    return wanted.where(WorkOrder.status == state) if state else wanted


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of work orders by number, part, system, type or project, newest first."""
    return listing.newest_first(
        reading(), _wanted(query, state), WorkOrder, query=query, state=state, after=after, limit=limit
    )


COLUMNS: dict[str, sheet.Column] = {
    name: name
    for name in (
        "number", "system", "native_id", "type", "status", "item", "quantity", "uom", "planned_start", "planned_finish",
        "priority", "project", "standard_cost", "currency",
    )
}  # fmt: skip


@sheet.offered(pages, "/work-orders")
def export() -> sheet.Sheet:
    """Hand out the work orders that a search finds, the newest first."""
    return sheet.of_page("work-orders", sheet.whole(look_up), COLUMNS)


@pages.route("/work-orders/new", methods=["GET", "POST"])
def new() -> Page:
    """Show the form of a new work order of a type; on POST make it."""
    work_order_doors.need(visitor(), "plan", None)
    if request.method != "POST":
        return _show_form()
    try:
        with acting() as act:
            values = work_order_form.read(act.session, request.form, visitor().how)
            order = work_orders.create(act, values.pop("kind_of_work"), **values)
    except Refused as refusal:
        read_anew()
        return _show_form(refusal), status_of(refusal)
    flash(f"{order.number} is planned. Make it firm, then release it.", "good")
    return redirect(url_for("work_orders.show", record_id=order.id), 303)


@pages.get("/work-orders/<record_id>")
def show(record_id: str) -> str:
    """Show one work order with everything around it."""
    return show_page(find(reading(), record_id))


@pages.post("/work-orders/<record_id>/<verb>")
def move(record_id: str, verb: str) -> Page:
    """Firm, release, hold, lift, cancel, complete or close a work order, or take it back to the plan."""
    carry_out = MOVES.get(verb)
    if carry_out is None:
        raise NotFound("Expected something that can be done to a work order, but this is nothing of it.")
    order = find(reading(), record_id)
    work_order_doors.need(visitor(), verb, order)
    try:
        with acting() as act:
            carry_out(act, find(act.session, record_id), request.form.get("reason", ""))
    except Refused as refusal:
        return show_page(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number} {DONE_WORDS[verb]}.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


MOVES: dict[str, Callable[[Act, WorkOrder, str], Any]] = {
    "firm": lambda act, order, _: work_orders.firm(act, order),
    "unfirm": lambda act, order, reason: work_orders.unfirm(act, order, reason=reason or "Taken back to the plan"),
    "release": lambda act, order, _: work_orders.release(act, order),
    "hold": lambda act, order, reason: work_orders.hold(act, order, reason=reason),
    "lift": lambda act, order, reason: work_orders.lift_hold(act, order, reason=reason),
    "cancel": lambda act, order, reason: work_orders.cancel(act, order, reason=reason),
    "complete": lambda act, order, _: work_orders.complete(act, order),
    "close": lambda act, order, _: work_orders.close(act, order),
}
DONE_WORDS = {
    "firm": "is firm", "unfirm": "is a plan again", "release": "is released and its routing frozen", "hold": "is on hold",
    "lift": "goes on", "cancel": "is cancelled", "complete": "is accepted as complete", "close": "is closed",
}  # fmt: skip


@pages.post("/work-orders/<record_id>/plan")
def replan(record_id: str) -> Page:
    """Move a work order in time or importance."""
    order = find(reading(), record_id)
    work_order_doors.need(visitor(), "plan", order)
    try:
        days = {name: _day(name) for name in ("planned_start", "planned_finish")}
        priority = request.form.get("priority", "5").strip()
        if priority not in {str(number) for number in range(1, 10)}:
            raise Invalid(f"Expected a priority of 1 to 9, but found “{priority[:20]}”", {"priority": "1 to 9"})
        with acting() as act:
            stored = find(act.session, record_id)
            both_sides.refuse_meanwhile(request.form, plan_of(stored), stored.number)
            work_orders.replan(
                act, stored, planned_start=days["planned_start"], planned_finish=days["planned_finish"],
                priority=int(priority), reason=request.form.get("reason", "")[:4000],
            )  # fmt: skip
    except Refused as refusal:
        return show_page(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number} is planned anew.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


def _day(name: str) -> dt.date | None:
    text = request.form.get(name, "").strip()
    try:
        return typed.day(text) if text else None
    except Unreadable as error:
        raise Invalid(f"Expected a day, but: {error}", {name: str(error)}) from error


@pages.get("/work-orders/<record_id>/traveller.pdf")
def traveller(record_id: str) -> Response:
    """Hand out the traveller: it carries no price, and stays in the house."""
    order = find(reading(), record_id)
    printed_at = formats.instant(now(), visitor().how)
    content = work_order_files.traveller_pdf(reading(), order, printed_by=visitor().name, printed_at=printed_at)
    return send_file(
        io.BytesIO(content), mimetype="application/pdf", download_name=f"traveller-{order.number}.pdf", etag=False
    )


def _may_plan() -> bool:
    return visitor().holds(*work_order_doors.roles_for("plan", None))


def _show_form(refusal: Refused | None = None) -> str:
    session = reading()
    kind = request.form.get("type") or request.args.get("type") or WorkOrderType.PRODUCTION.value
    if kind not in {one.value for one in WorkOrderType}:
        kind = WorkOrderType.PRODUCTION.value
    open_ncr = Nonconformance.status.in_([NonconformanceStatus.OPEN, NonconformanceStatus.DISPOSED])
    return render_template(
        "work_orders/form.html", refusal=refusal, form=request.form, errors=refusal.fields if isinstance(refusal, Invalid) else {},
        kind=kind, types=[(one.value, formats.words(one)) for one in WorkOrderType], rows=range(_row_count()),
        centres=[(each.code, f"{each.code} {each.name}") for each in session.scalars(select(WorkCentre).order_by(WorkCentre.code))],
        resources=[
            (each.code, f"{each.code} {each.name}")
            for each in session.scalars(select(Resource).where(Resource.kind != ResourceKind.PERSON).order_by(Resource.code))
            if kind != "CALIBRATION" or each.kind is ResourceKind.GAUGE
        ],
        ncrs=[
            (each.number, f"{each.number} {each.title}, at most {wording.plain_number(each.quantity_limit)}")
            for each in session.scalars(select(Nonconformance).where(open_ncr).order_by(Nonconformance.number))
        ],
        deviations=[
            (each.number, f"{each.number} {each.title}, {wording.plain_number(each.quantity)} until {each.expires_on}")
            for each in session.scalars(
                select(DeviationAuthority).where(DeviationAuthority.status == DeviationStatus.APPROVED).order_by(DeviationAuthority.number)
            )
        ],
    )  # fmt: skip


def _row_count() -> int:
    typed_rows = [index for index in range(work_order_form.ROWS) if request.form.get(f"operations.{index}.description")]
    return min(max([2, *typed_rows]) + 2, work_order_form.ROWS)
