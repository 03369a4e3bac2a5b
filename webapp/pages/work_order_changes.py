"""Change a work order that is under way: its quantity, signed on both sides, its parts, the machine of an operation."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from processes import work_order_quantity, work_orders
from processes.work_orders import Part
from records.approval import ApprovalSlot
from records.work_order import WorkOrder, WorkOrderStatus
from records.work_order_change import WorkOrderChange, WorkOrderChangeStatus
from rules.work_order_conversion import begun_operation
from webapp import typed, work_order_doors
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.typed import Unreadable
from webapp.visit import acting, read_anew, reading, visitor
from webapp.work_order_page import Page, find, operation_of, show_page

pages = Blueprint("work_order_changes", __name__)

PARTS = 6


@pages.route("/work-orders/<record_id>/quantity", methods=["GET", "POST"])
def quantity(record_id: str) -> Page:
    """Show the form of another quantity; on POST set the one of a plan, or propose the change of a released order."""
    order = find(reading(), record_id)
    work_order_doors.need(visitor(), "plan", order)
    if request.method != "POST":
        return _show_quantity(order)
    try:
        wanted = _pieces("quantity")
        with acting() as act:
            stored = find(act.session, record_id)
            if stored.status is WorkOrderStatus.PLANNED:
                work_order_quantity.plan_quantity(act, stored, wanted)
                change = None
            else:
                change = work_order_quantity.propose_quantity(act, stored, wanted, reason=read_reason())
    except Refused as refusal:
        return _show_quantity(find(read_anew(), record_id), refusal), status_of(refusal)
    if change is None:
        flash(f"{order.number} is planned for another quantity.", "good")
        return redirect(url_for("work_orders.show", record_id=record_id), 303)
    flash(f"{change.number} is proposed. It takes effect when it is signed.", "good")
    return redirect(url_for("work_order_changes.show", record_id=record_id, change_id=change.id), 303)


def _show_quantity(order: WorkOrder, refusal: Refused | None = None) -> str:
    return render_template(
        "work_orders/quantity.html", document=order, refusal=refusal, form=request.form, errors=errors_of(refusal)
    )


@pages.get("/work-orders/<record_id>/changes/<change_id>")
def show(record_id: str, change_id: str) -> str:
    """Show one change: what becomes of the order and its links, who signed, whose turn it is."""
    return _show_change(_change(reading(), record_id, change_id))


def _show_change(change: WorkOrderChange, refusal: Refused | None = None) -> str:
    session = reading()
    seats = work_order_quantity.seats_of(session, change)
    mine = open_seat(change, seats)
    return render_template(
        "work_orders/change.html", document=change.work_order, change=change, seats=seats, mine=mine, refusal=refusal,
        form=request.form, errors=errors_of(refusal), amendments=work_order_quantity.amendments_of(session, change),
        may_end=change.status is WorkOrderChangeStatus.PROPOSED and visitor().holds(*(seat.role for seat in seats)),
        **signing_values(session, work_order_quantity.MEANINGS[mine.role] if mine is not None else None),
    )  # fmt: skip


def open_seat(change: WorkOrderChange, seats: list[ApprovalSlot]) -> ApprovalSlot | None:
    """Return the open seat that the visitor may fill, or None; nobody fills two."""
    if change.status is not WorkOrderChangeStatus.PROPOSED:
        return None
    if any(seat.signature is not None and seat.signature.signer_id == visitor().user_id for seat in seats):
        return None
    return next((seat for seat in seats if not seat.is_signed and visitor().holds(seat.role)), None)


@pages.post("/work-orders/<record_id>/changes/<change_id>/sign")
def sign(record_id: str, change_id: str) -> Page:
    """Sign one side of a change; the last signature applies it."""
    change = _change(reading(), record_id, change_id)
    mine = open_seat(change, work_order_quantity.seats_of(reading(), change))
    try:
        role = mine.role if mine is not None else ""
        with acting() as act:
            stored = _change(act.session, record_id, change_id)
            work_order_quantity.sign_change(act, stored, role, read_signature())
            is_applied = stored.status is WorkOrderChangeStatus.APPLIED
    except Refused as refusal:
        return _show_change(_change(read_anew(), record_id, change_id), refusal), status_of(refusal)
    flash(f"{change.number} is signed{' and applied' if is_applied else ''}.", "good")
    return redirect(url_for("work_order_changes.show", record_id=record_id, change_id=change_id), 303)


@pages.post("/work-orders/<record_id>/changes/<change_id>/withdraw")
def withdraw(record_id: str, change_id: str) -> Page:
    """Take a change back, or refuse it as the other side."""
    try:
        with acting() as act:
            stored = _change(act.session, record_id, change_id)
            work_order_quantity.withdraw_change(act, stored, reason=read_reason())
    except Refused as refusal:
        return _show_change(_change(read_anew(), record_id, change_id), refusal), status_of(refusal)
    flash("The change is over; the quantity stays as it was.", "good")
    return redirect(url_for("work_order_changes.show", record_id=record_id, change_id=change_id), 303)


@pages.route("/work-orders/<record_id>/parts", methods=["GET", "POST"])
def divide(record_id: str) -> Page:
    """Show the form that divides a work order; on POST divide it."""
    order = find(reading(), record_id)
    work_order_doors.need(visitor(), "split", order)
    if request.method != "POST":
        return _show_parts(order)
    try:
        parts = _parts()
        with acting() as act:
            children = work_orders.split(act, find(act.session, record_id), parts)
    except Refused as refusal:
        return _show_parts(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number} goes on as {', '.join(child.number for child in children)}.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


def _show_parts(order: WorkOrder, refusal: Refused | None = None) -> str:
    lost = sum((each.scrap + each.rework for each in order.operations), Decimal(0))
    return render_template(
        "work_orders/parts.html", document=order, begun=begun_operation(order), lost=lost, rows=range(1, PARTS + 1),
        refusal=refusal, form=request.form, errors=errors_of(refusal),
    )  # fmt: skip


def _parts() -> list[Part]:
    """Read the parts that were typed. Raises: Invalid naming each field that does not fit."""
    errors: dict[str, str] = {}
    parts: list[Part] = []
    for turn in range(1, PARTS + 1):
        text = request.form.get(f"quantity_{turn}", "").strip()
        if not text:
            continue
        try:
            pieces = typed.decimal(text, visitor().how, decimals=6, above=Decimal(0))
        except Unreadable as error:
            errors[f"quantity_{turn}"] = str(error)
        else:
            parts.append(Part(pieces, is_started=request.form.get("started") == str(turn)))
    if errors:
        raise Invalid("Expected numbers of pieces, but " + "; ".join(errors.values()), errors)
    return parts


@pages.post("/work-orders/<record_id>/operations/<operation_id>/machine")
def assign(record_id: str, operation_id: str) -> Page:
    """Give an operation another machine of its work centre."""
    order = find(reading(), record_id)
    work_order_doors.need(visitor(), "plan", order)
    try:
        with acting() as act:
            stored = operation_of(find(act.session, record_id), operation_id)
            work_orders.assign_equipment(act, stored, request.form.get("equipment", "")[:40])
    except Refused as refusal:
        return show_page(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{order.number}: the machine is changed.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


def _pieces(name: str) -> Decimal:
    try:
        return typed.decimal(request.form.get(name, ""), visitor().how, decimals=6, above=Decimal(0))
    except Unreadable as error:
        raise Invalid(f"Expected a number of pieces, but: {error}", {name: str(error)}) from error


def _change(session: Session, record_id: str, change_id: str) -> WorkOrderChange:
    found = session.get(WorkOrderChange, change_id) if is_id(change_id) else None
    if found is None or found.work_order_id != record_id:
        raise NotFound("Expected a change of this work order at this address, but there is none.")
    return found
