"""Work orders: the list, the page of one with what may be done to it, a new one, the traveller, events from files."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, send_file, url_for
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id, new_id
from engine.errors import Effect, Forbidden, Invalid, NotFound, Refused
from engine.ports import SignatureRequest
from processes import nonconformances, work_order_events, work_order_files, work_orders
from processes.work_order_files import Report
from records import signing
from records.actual import Actual, actuals_of
from records.nonconformance import DeviationAuthority, DeviationStatus, Nonconformance, NonconformanceStatus
from records.part import Part, PartRevision
from records.resource import Resource, ResourceKind, WorkCentre
from records.signature import Meaning
from records.work_order import (
    ENDED,
    UNRELEASED,
    CalibrationResult,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
    WorkOrderType,
)
from rules.order_consistency import links_of_work
from rules.work_order_release import judge_release, order_lines_for
from webapp import document_page, filters, formats, listing, reviews, typed, work_order_doors, work_order_form
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_signature, signing_values
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("work_orders", __name__)

Page = str | tuple[str, int] | Answer
STEPS = (
    WorkOrderStatus.PLANNED, WorkOrderStatus.FIRM, WorkOrderStatus.RELEASED, WorkOrderStatus.IN_PROCESS, WorkOrderStatus.COMPLETE,
    WorkOrderStatus.CLOSED,
)  # fmt: skip
MOST_EXPORTED = 10_000


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


@pages.get("/work-orders.csv")
def export() -> Response:
    """Hand out the list as CSV, filtered as on the page."""
    query, state, _ = listing.search()
    orders = reading().scalars(_wanted(query, state).order_by(WorkOrder.id.desc()).limit(MOST_EXPORTED)).unique()
    content = work_order_files.export_orders(orders)
    return Response(
        content, mimetype="text/csv", headers={"Content-Disposition": 'attachment; filename="work-orders.csv"'}
    )


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
    return _show(find(reading(), record_id))


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
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number} {DONE_WORDS[verb]}.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


MOVES: dict[str, Callable[[Act, WorkOrder, str], Any]] = {
    "firm": lambda act, order, _: work_orders.firm(act, order),
    "unfirm": lambda act, order, reason: work_orders.unfirm(act, order, reason=reason or "Taken back to the plan"),
    "release": lambda act, order, _: work_orders.release(act, order),
    "hold": lambda act, order, reason: work_orders.hold(act, order, reason=reason),
    "lift": lambda act, order, reason: work_orders.lift_hold(act, order, reason=reason),
    "cancel": lambda act, order, reason: work_orders.cancel(act, order, reason=reason),
    "split": lambda act, order, reason: work_orders.split(act, order, _parts(reason)),
    "complete": lambda act, order, _: work_orders.complete(act, order),
    "close": lambda act, order, _: work_orders.close(act, order),
}
DONE_WORDS = {
    "firm": "is firm", "unfirm": "is a plan again", "release": "is released and its routing frozen", "hold": "is on hold",
    "lift": "goes on", "split": "is split", "cancel": "is cancelled", "complete": "is accepted as complete", "close": "is closed",
}  # fmt: skip


def _parts(text: str) -> list[Decimal]:
    """Read the pieces of each part, ``12; 28``. Raises: Invalid."""
    try:
        return [
            typed.decimal(one, visitor().how, decimals=6, above=Decimal(0))
            for one in text.replace("+", ";").split(";")
            if one.strip()
        ]
    except Unreadable as error:
        raise Invalid(f"Expected pieces such as 12; 28, but: {error}", {"reason": str(error)}) from error


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
            work_orders.replan(
                act, find(act.session, record_id), planned_start=days["planned_start"], planned_finish=days["planned_finish"],
                priority=int(priority), reason=request.form.get("reason", "")[:4000],
            )  # fmt: skip
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number} is planned anew.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


def _day(name: str) -> dt.date | None:
    text = request.form.get(name, "").strip()
    try:
        return typed.day(text) if text else None
    except Unreadable as error:
        raise Invalid(f"Expected a day, but: {error}", {name: str(error)}) from error


@pages.post("/work-orders/<record_id>/operations/<operation_id>/<verb>")
def report(record_id: str, operation_id: str, verb: str) -> Page:
    """Start or complete an operation, as somebody on the floor."""
    order = find(reading(), record_id)
    try:
        work_order_doors.need_recorder(reading(), visitor(), order)
        with acting() as act:
            operation = _operation(find(act.session, record_id), operation_id)
            _report(act, operation, verb)
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
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
        return _show(find(read_anew(), record_id), refusal, tab="actuals"), status_of(refusal)
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
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
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
        return _show(find(read_anew(), record_id), refusal, tab="quality"), status_of(refusal)
    flash(f"{raised.number} is raised. Quality decides what becomes of the pieces.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id, tab="quality"), 303)


@pages.route("/work-orders/<record_id>/sign", methods=["GET", "POST"])
def sign(record_id: str) -> Page:
    """Sign a firm work order under one of the roles whose signature it needs."""
    order = find(reading(), record_id)
    slots = work_order_doors.open_slots(reading(), visitor(), order)
    if not slots:
        raise Forbidden(f"Expected a signature of yours to be missing on {order.number}, but none is.")
    if request.method != "POST":
        return _show_signing(order, slots[0].role, slots[0].why)
    try:
        with acting() as act:
            work_orders.sign(act, find(act.session, record_id), slots[0].role, _signature())
    except Refused as refusal:
        return _show_signing(find(read_anew(), record_id), slots[0].role, slots[0].why, refusal), status_of(refusal)
    flash(f"{order.number} is signed.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


@pages.route("/work-orders/<record_id>/operations/<operation_id>/skip", methods=["GET", "POST"])
def skip(record_id: str, operation_id: str) -> Page:
    """Show what leaving an operation out means; on POST leave it out under a deviation that quality signs for."""
    order = find(reading(), record_id)
    role = work_order_doors.skipper(visitor())
    operation = _operation(order, operation_id)
    if request.method != "POST":
        return _show_skip(operation)
    try:
        with acting() as act:
            wanted = request.form.get("deviation", "")
            deviation = act.session.get(DeviationAuthority, wanted) if is_id(wanted) else None
            if deviation is None:
                raise Invalid("Expected a deviation authority, but none is chosen", {"deviation": "Choose one"})
            stored = _operation(find(act.session, record_id), operation_id)
            work_orders.skip_operation(act, stored, deviation, read_signature(), role=role)
    except Refused as refusal:
        return _show_skip(_operation(find(read_anew(), record_id), operation_id), refusal), status_of(refusal)
    flash(f"{operation.number} is left out; its pieces go on.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


def _show_skip(operation: WorkOrderOperation, refusal: Refused | None = None) -> str:
    order = operation.work_order
    today = order.site.local_day(now())
    wanted = select(DeviationAuthority).where(
        DeviationAuthority.status == DeviationStatus.APPROVED, DeviationAuthority.expires_on >= today,
        DeviationAuthority.quantity >= (operation.quantity_in or 0),
    )  # fmt: skip
    return render_template(
        "work_orders/skip.html", document=order, operation=operation, refusal=refusal, form=request.form,
        errors=errors_of(refusal), **signing_values(reading(), Meaning.APPROVED),
        deviations=[
            (each.id, f"{each.number} {each.title}, {filters.plain_number(each.quantity)} until {each.expires_on}")
            for each in reading().scalars(wanted.order_by(DeviationAuthority.number))
        ],
    )  # fmt: skip


def _signature() -> SignatureRequest:
    return SignatureRequest(
        meaning=Meaning.APPROVED, password=request.form.get("password", ""), user_id=request.form.get("user_id", "").strip().lower(),
        session_id=g.session_id, accepts_responsibility=request.form.get("accepts_responsibility") == "true",
    )  # fmt: skip


def _show_signing(order: WorkOrder, role: str, why: str, refusal: Refused | None = None) -> str:
    return render_template(
        "work_orders/sign.html", document=order, role=role, why=why, refusal=refusal, form=request.form,
        errors=refusal.fields if isinstance(refusal, Invalid) else {}, statement=signing.STATEMENT,
        needs_both=reviews.needs_both(reading(), g.session_id),
        must_certify=not signing.is_certified(reading(), visitor().user_id),
    )  # fmt: skip


@pages.get("/work-orders/<record_id>/traveller.pdf")
def traveller(record_id: str) -> Response:
    """Hand out the traveller: it carries no price, and stays in the house."""
    order = find(reading(), record_id)
    printed_at = formats.instant(now(), visitor().how)
    content = work_order_files.traveller_pdf(reading(), order, printed_by=visitor().name, printed_at=printed_at)
    return send_file(
        io.BytesIO(content), mimetype="application/pdf", download_name=f"traveller-{order.number}.pdf", etag=False
    )


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
        errors=refusal.fields if isinstance(refusal, Invalid) else {}, columns=work_order_events.FIELDS,
    )  # fmt: skip


def find(session: Session, record_id: str) -> WorkOrder:
    """Return a work order. Raises: NotFound."""
    found = session.get(WorkOrder, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a work order at this address, but there is none.")
    return found


def _operation(order: WorkOrder, operation_id: str) -> WorkOrderOperation:
    for operation in order.operations:
        if operation.id == operation_id:
            return operation
    raise NotFound(f"Expected an operation of {order.number} at this address, but there is none.")


def _may_plan() -> bool:
    return visitor().holds(*work_order_doors.roles_for("plan", None))


def _show(order: WorkOrder, refusal: Refused | None = None, *, tab: str | None = None) -> str:
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
        children=list(session.scalars(select(WorkOrder).where(WorkOrder.parent_id == order.id).order_by(WorkOrder.number))),
        nonconformances=list(session.scalars(select(Nonconformance).where(numbers).order_by(Nonconformance.number))),
        equipment=_equipment(session), results=[(one.value, formats.words(one)) for one in CalibrationResult],
        may_replan=order.status not in ENDED and visitor().holds(*work_order_doors.roles_for("plan", order)),
    )  # fmt: skip


def _links(session: Session, order: WorkOrder) -> list[tuple[str, Any]]:
    """Return the order lines that name the work order or are linked to one of its operations, each with what it is for."""
    numbers = [order.number, *(operation.number for operation in order.operations)]
    named = [(number, line) for number in numbers for line in order_lines_for(session, number)]
    linked = [(link.operation.number, link.order_line) for link in links_of_work(session, order)]
    return list(dict.fromkeys([*linked, *named]))


def _equipment(session: Session) -> list[tuple[str, str]]:
    wanted = select(Resource).where(Resource.kind == ResourceKind.EQUIPMENT, Resource.is_active.is_(True))
    return [(each.code, f"{each.code} {each.name}") for each in session.scalars(wanted.order_by(Resource.code))]


def _step_tone(order: WorkOrder, step: WorkOrderStatus) -> str:
    present = order.held_from or order.status
    if present not in STEPS:
        return ""
    place, here = STEPS.index(step), STEPS.index(present)
    return "done" if place < here else "now" if place == here else ""


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
            (each.number, f"{each.number} {each.title}, at most {filters.plain_number(each.quantity_limit)}")
            for each in session.scalars(select(Nonconformance).where(open_ncr).order_by(Nonconformance.number))
        ],
        deviations=[
            (each.number, f"{each.number} {each.title}, {filters.plain_number(each.quantity)} until {each.expires_on}")
            for each in session.scalars(
                select(DeviationAuthority).where(DeviationAuthority.status == DeviationStatus.APPROVED).order_by(DeviationAuthority.number)
            )
        ],
    )  # fmt: skip


def _row_count() -> int:
    typed_rows = [index for index in range(work_order_form.ROWS) if request.form.get(f"operations.{index}.description")]
    return min(max([2, *typed_rows]) + 2, work_order_form.ROWS)
