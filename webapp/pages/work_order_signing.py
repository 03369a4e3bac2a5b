"""Sign a work order: its release, and an operation that is left out under a deviation."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select

from engine.database import is_id
from engine.errors import Forbidden, Invalid, Refused
from processes import work_orders
from records.nonconformance import DeviationAuthority, DeviationStatus
from records.signature import Meaning
from records.work_order import (
    WorkOrder,
    WorkOrderOperation,
)
from webapp import wording, work_order_doors
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_signature, signing_values
from webapp.visit import acting, now, read_anew, reading, visitor
from webapp.work_order_page import Page, find, operation_of

pages = Blueprint("work_order_signing", __name__)


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
            work_orders.sign(act, find(act.session, record_id), slots[0].role, read_signature(Meaning.APPROVED))
    except Refused as refusal:
        return _show_signing(find(read_anew(), record_id), slots[0].role, slots[0].why, refusal), status_of(refusal)
    flash(f"{order.number} is signed.", "good")
    return redirect(url_for("work_orders.show", record_id=record_id), 303)


@pages.route("/work-orders/<record_id>/operations/<operation_id>/skip", methods=["GET", "POST"])
def skip(record_id: str, operation_id: str) -> Page:
    """Show what leaving an operation out means; on POST leave it out under a deviation that quality signs for."""
    order = find(reading(), record_id)
    role = work_order_doors.skipper(visitor())
    operation = operation_of(order, operation_id)
    if request.method != "POST":
        return _show_skip(operation)
    try:
        with acting() as act:
            wanted = request.form.get("deviation", "")
            deviation = act.session.get(DeviationAuthority, wanted) if is_id(wanted) else None
            if deviation is None:
                raise Invalid("Expected a deviation authority, but none is chosen", {"deviation": "Choose one"})
            stored = operation_of(find(act.session, record_id), operation_id)
            work_orders.skip_operation(act, stored, deviation, read_signature(), role=role)
    except Refused as refusal:
        return _show_skip(operation_of(find(read_anew(), record_id), operation_id), refusal), status_of(refusal)
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
            (each.id, f"{each.number} {each.title}, {wording.plain_number(each.quantity)} until {each.expires_on}")
            for each in reading().scalars(wanted.order_by(DeviationAuthority.number))
        ],
    )  # fmt: skip


def _show_signing(order: WorkOrder, role: str, why: str, refusal: Refused | None = None) -> str:
    return render_template(
        "work_orders/sign.html", document=order, role=role, why=why, refusal=refusal, form=request.form,
        errors=errors_of(refusal), **signing_values(reading(), Meaning.APPROVED),
    )  # fmt: skip
