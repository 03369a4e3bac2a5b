"""What is reported on a work order: operations, corrections, results, nonconformances, and files of events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from engine.act import Act
from engine.database import is_id, new_id
from engine.errors import Forbidden, Invalid, NotFound, Refused
from processes import nonconformances, work_order_event, work_order_files, work_orders
from processes.work_order_files import Report
from records.actual import Actual
from records.work_order import (
    CalibrationResult,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderType,
)
from webapp import typed, work_order_doors
from webapp.refusals import status_of
from webapp.typed import Unreadable
from webapp.visit import acting, read_anew, reading, visitor
from webapp.work_order_page import Page, find, operation_of, show_page

pages = Blueprint("work_order_floor", __name__)


@pages.post("/work-orders/<record_id>/operations/<operation_id>/<verb>")
def report(record_id: str, operation_id: str, verb: str) -> Page:
    """Start or complete an operation, as somebody on the floor."""
    order = find(reading(), record_id)
    try:
        work_order_doors.need_recorder(reading(), visitor(), order)
        with acting() as act:
            operation = operation_of(find(act.session, record_id), operation_id)
            _report(act, operation, verb)
    except Refused as refusal:
        return show_page(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number}: reported.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


def _report(act: Act, operation: WorkOrderOperation, verb: str) -> None:
    badge = work_order_doors.badge_of(act.session, visitor().user_id)
    performer = request.form.get("performer", "").strip()[:200] or (badge.code if badge else visitor().user_id)
    event_id = request.form.get("event_id", "")[:200] or new_id()
    if verb == "start":
        equipment = request.form.get("equipment", "").strip()[:40] or None
        work_orders.start_operation(act, operation, performer=performer, equipment=equipment, event_id=event_id)
    elif verb == "complete":
        good, scrap, rework = _pieces()
        work_orders.complete_operation(
            act, operation, good=good, scrap=scrap, rework=rework, performer=performer, event_id=event_id
        )
    else:
        raise NotFound("Expected start or complete, but this is neither.")


def _pieces() -> tuple[Decimal, Decimal, Decimal]:
    found: dict[str, Decimal] = {}
    errors: dict[str, str] = {}
    for name in ("good", "scrap", "rework"):
        text = request.form.get(name, "").strip()
        try:
            found[name] = typed.decimal(text, visitor().how, decimals=6, at_least=Decimal(0)) if text else Decimal(0)
        except Unreadable as error:
            errors[name] = str(error)
    if errors:
        raise Invalid("Expected numbers of pieces, but " + "; ".join(errors.values()), errors)
    return found["good"], found["scrap"], found["rework"]


@pages.post("/work-orders/<record_id>/actuals/<actual_id>/reverse")
def reverse(record_id: str, actual_id: str) -> Page:
    """Take an actual back by a reversing row."""
    order = find(reading(), record_id)
    try:
        work_order_doors.need_recorder(reading(), visitor(), order)
        with acting() as act:
            actual = act.session.get(Actual, actual_id) if is_id(actual_id) else None
            if actual is None or actual.work_order_id != order.id:
                raise NotFound("Expected an actual of this work order, but there is none.")
            work_orders.reverse(act, actual, reason=request.form.get("reason", ""))
    except Refused as refusal:
        return show_page(find(read_anew(), record_id), refusal, tab="actuals"), status_of(refusal)
    flash("It is taken back.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id, tab="actuals"), 303)


@pages.post("/work-orders/<record_id>/result")
def result(record_id: str) -> Page:
    """Keep the service record, or how a gauge was found."""
    order = find(reading(), record_id)
    try:
        work_order_doors.need_recorder(reading(), visitor(), order)
        with acting() as act:
            _keep_result(act, find(act.session, record_id))
    except Refused as refusal:
        return show_page(find(read_anew(), record_id), refusal), status_of(refusal)
    flash("It is kept.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


def _keep_result(act: Act, order: WorkOrder) -> None:
    if order.type is WorkOrderType.CALIBRATION:
        try:
            work_orders.record_calibration(act, order, CalibrationResult(request.form.get("result", "")))
        except ValueError as error:
            raise Invalid(
                "Expected how the gauge was found, but nothing is chosen", {"result": "Choose one"}
            ) from error
        return
    values: dict[str, Any] = {
        name: typed.words(request.form.get(name, ""), longest=4000)
        for name in ("udi", "performed_by", "work_done", "test_data")
    }
    on = request.form.get("serviced_on", "").strip()
    try:
        values["serviced_on"] = typed.day(on) if on else None
    except Unreadable as error:
        raise Invalid("Expected the day of the service", {"serviced_on": str(error)}) from error
    work_orders.record_service(act, order, **values)


@pages.post("/work-orders/<record_id>/nonconformance")
def raise_nonconformance(record_id: str) -> Page:
    """Raise a nonconformance about a work order."""
    order = find(reading(), record_id)
    try:
        work_order_doors.need_recorder(reading(), visitor(), order)
        text = request.form.get("quantity", "")
        try:
            pieces = typed.decimal(text, visitor().how, decimals=6, above=Decimal(0))
        except Unreadable as error:
            raise Invalid(str(error), {"quantity": str(error)}) from error
        with acting() as act:
            stored = find(act.session, record_id)
            raised = nonconformances.raise_nonconformance(
                act, stored, pieces, title=request.form.get("title", "")[:200], description=request.form.get("text", "")[:4000],
                uom=stored.uom, part_revision=stored.part_revision,
            )  # fmt: skip
    except Refused as refusal:
        return show_page(find(read_anew(), record_id), refusal, tab="quality"), status_of(refusal)
    flash(f"{raised.number} is raised. Quality decides what becomes of the pieces.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id, tab="quality"), 303)


@pages.route("/work-orders/events", methods=["GET", "POST"])
def events() -> Page:
    """Take in a CSV file of events, or only rehearse it."""
    if not visitor().holds("PLANNER", "INTEGRATION", "MAINT_PLANNER", "MAINT_MGR"):
        raise Forbidden("Expected a planner or the integration owner to bring in events, but you are neither.")
    if request.method != "POST":
        return _show_events(None)
    try:
        given = request.files.get("file")
        if given is None or not given.filename:
            raise Invalid("Expected a CSV file, but none is chosen.", {"file": "Choose a file"})
        content = given.read()
        with acting() as act:
            bring = (
                work_order_files.bring_events
                if request.form.get("way") == "bring"
                else work_order_files.rehearse_events
            )
            found = bring(act, content)
    except Refused as refusal:
        return _show_events(None, refusal), status_of(refusal)
    return _show_events(found)


def _show_events(found: Report | None, refusal: Refused | None = None) -> str:
    return render_template(
        "work_orders/events.html", report=found, refusal=refusal, was_rehearsed=request.form.get("way") != "bring",
        errors=refusal.fields if isinstance(refusal, Invalid) else {}, columns=work_order_event.FIELDS,
    )  # fmt: skip
