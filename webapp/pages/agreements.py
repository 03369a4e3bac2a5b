"""Contracts and blanket orders: what was agreed, what orders drew from them, and what remains."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from processes.agreements import AGREEMENTS, KEEPERS, agree, releases_of
from records.calendar import site_called
from records.part import Part
from records.person import User
from records.purchase_order import PurchaseOrder
from records.sourcing import SourcingKind, SourcingRef
from records.supplier import Supplier
from webapp import formats, ledger, listing, sheet, typed
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.signing_form import errors_of
from webapp.typed import Unreadable
from webapp.visit import acting, now, reading, visitor

pages = Blueprint("agreements", __name__)

Page = str | tuple[str, int] | Answer


@pages.get("/agreements")
def index() -> str:
    """List contracts and blanket orders, newest first."""
    page = look_up(*listing.search())
    return render_template("quotes/agreements.html", page=page, states=[], tab="agreements", may_write=may_write())


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "kind": "kind", "title": "title", "supplier": "supplier.name", "part": "part.part_no",
    "valid_from": "valid_from", "valid_to": "valid_to", "currency": "currency", "unit_price": "unit_price",
    "agreed_value": "agreed_value", "remaining_value": "remaining_value", "agreed_quantity": "agreed_quantity",
    "remaining_quantity": "remaining_quantity", "unit": "uom",
}  # fmt: skip


@sheet.offered(pages, "/agreements")
def export() -> sheet.Sheet:
    """Hand out the agreements that a search finds."""
    return sheet.of_page("agreements", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of agreements by number, title or supplier, newest first."""
    wanted = select(SourcingRef).where(SourcingRef.kind.in_(AGREEMENTS))
    if query:
        columns = (SourcingRef.native_id, SourcingRef.title, Supplier.name, Supplier.supplier_no)
        wanted = wanted.join(Supplier, SourcingRef.supplier_id == Supplier.id, isouter=True)
        wanted = wanted.where(listing.contains(query, *columns))
    return listing.newest_first(reading(), wanted, SourcingRef, query=query, state=state, after=after, limit=limit)


@pages.get("/agreements/<record_id>")
def show(record_id: str) -> str:
    """Show an agreement with everything that was drawn from it."""
    session, found = reading(), find(reading(), record_id)
    drawn = releases_of(session, found.id)
    wanted = select(PurchaseOrder).where(PurchaseOrder.id.in_({each.order_id for each in drawn}))
    known = {one.id: one for one in session.scalars(wanted)}
    return render_template(
        "quotes/agreement.html", document=found, drawn=[(one, known[one.order_id]) for one in drawn],
        tab=request.args.get("tab", "summary"), ledger=ledger.ledger_of(session, found.record_type, found.id),
        is_over=not found.is_valid_on(now().date()),
    )  # fmt: skip


@pages.route("/agreements/new", methods=["GET", "POST"])
def new() -> Page:
    """Show the form of a new agreement; on POST write it down."""
    orders.need(*sorted(KEEPERS))
    if request.method == "GET":
        return _show_form()
    try:
        with acting() as act:
            made = _write(act)
            record_id, number = made.id, made.number
    except Refused as refusal:
        return _show_form(refusal), status_of(refusal)
    flash(f"{number} is written down; approved requisitions draw from it.", "good")
    return redirect(url_for("agreements.show", record_id=record_id), 303)


def find(session: Session, record_id: str) -> SourcingRef:
    """Return an agreement. Raises: NotFound."""
    found = session.get(SourcingRef, record_id) if is_id(record_id) else None
    if found is None or found.kind not in AGREEMENTS:
        raise NotFound("Expected a contract or blanket order at this address, but there is none.")
    return found


def may_write() -> bool:
    """Tell whether the visitor writes agreements down."""
    return visitor().holds(*KEEPERS)


def _write(act: Act) -> SourcingRef:
    errors: dict[str, str] = {}
    site = site_called(act.session, act.session.get_one(User, visitor().user_id).site_code)
    supplier = act.session.scalar(
        select(Supplier).where(Supplier.supplier_no == request.form.get("supplier_no", "").strip())
    )
    if supplier is None:
        errors["supplier_no"] = "Expected the number of a supplier, but there is none like it"
    part_no = request.form.get("part_no", "").strip()
    part = act.session.scalar(select(Part).where(Part.part_no == part_no)) if part_no else None
    if part_no and part is None:
        errors["part"] = "Expected the number of a part, but there is none like it"
    value, quantity, price = (
        _number(name, decimals, errors) for name, decimals in (("value", 2), ("quantity", 6), ("unit_price", 4))
    )
    begins, ends = _day("valid_from", errors), _day("valid_to", errors)
    kind = request.form.get("kind", "")
    if kind not in AGREEMENTS:
        errors["kind"] = "Expected a contract or a blanket order"
    title = request.form.get("title", "").strip()
    if not 3 <= len(title) <= 200:
        errors["title"] = "Expected what it is about, in 3 to 200 characters"
    if errors or supplier is None or begins is None or ends is None:
        raise Invalid("Expected an agreement that is filled in, but some fields do not fit yet", errors)
    return agree(
        act, site, supplier, kind=SourcingKind(kind), title=title, currency=request.form.get("currency", "").strip().upper(),
        valid_from=begins, valid_to=ends, value=value, quantity=quantity, part=part, unit_price=price,
        number=request.form.get("number", "").strip()[:200] or None,
    )  # fmt: skip


def _number(name: str, decimals: int, errors: dict[str, str]) -> Decimal | None:
    text = request.form.get(name, "")
    if not text.strip():
        return None
    try:
        return typed.decimal(text, visitor().how, decimals=decimals, at_least=Decimal(0))
    except Unreadable as error:
        errors[name] = str(error)
        return None


def _day(name: str, errors: dict[str, str]) -> dt.date | None:
    try:
        return typed.day(request.form.get(name, ""))
    except Unreadable as error:
        errors[name] = str(error)
        return None


def _show_form(refusal: Refused | None = None) -> str:
    today = now().astimezone(visitor().how.zone).date()
    return render_template(
        "quotes/agreement_form.html", refusal=refusal, errors=errors_of(refusal), form=request.form, today=today,
        year_end=today + dt.timedelta(days=365), kinds=[(kind.value, formats.words(kind)) for kind in AGREEMENTS],
    )  # fmt: skip
