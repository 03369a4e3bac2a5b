"""Outside work: the board, the page of a link, and the forms of the dock, which a scanner fills as well as a thumb."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id, new_id
from engine.errors import Invalid, NotFound, Refused
from processes import (
    outside_away,
    outside_board,
    outside_links,
    outside_losses,
    outside_moving,
    outside_processing,
    outside_sources,
    outside_undoing,
    packing_list,
)
from processes.outside_lots import lots_sent
from processes.outside_receiving import certificates_of_link
from processes.outside_returns import receipts_of_link
from processes.seats import roles_of_user, seat_for, seats_on
from records.lot import Lot
from records.outside import AWAY, LinkStatus, OutsideLink, OutsideMovement, links_of_operation, serials_away
from records.outside_loss import FollowUp, LossStatus, OutsideLoss, claims_of, losses_of
from records.outside_stop import stops_of
from records.part import LotControl
from records.purchase_order import PurchaseOrderLine
from records.work_order import WorkOrderOperation
from webapp import document_page, outside_form, wording
from webapp.refusals import status_of
from webapp.sheet import Sheet, offered
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("outside", __name__)

Page = str | tuple[str, int] | Answer
FILTERS = (("", "Open"), ("away", "At suppliers"), ("late", "Late"), ("hold", "On hold"), ("all", "All"))
FOLLOW_UPS = (
    (FollowUp.REDUCE.value, "The work order gets fewer pieces"),
    (FollowUp.REPLENISH.value, "The pieces are made again"),
)
HEADINGS = (
    "link", "work_order", "operation", "part", "supplier", "order", "order_revision", "status", "allocated", "uom", "shipped",
    "good", "scrap", "lost", "recalled", "at_supplier", "return_by", "days_away", "late_days", "certificates", "next", "owner",
)  # fmt: skip


@pages.get("/outside")
def board() -> Page:
    """Show one line for each link; a scanned number that means one link leads there."""
    query = request.args.get("q", "").strip()[:100]
    if query and (found := outside_board.called(reading(), query)) is not None:
        return redirect(url_for("outside.show", record_id=found.id))
    return render_template(
        "outside/board.html", lines=_lines(query), query=query, state=_state(), supplier_id=_supplier(), states=FILTERS,
        suppliers=outside_board.suppliers_on(reading()), due=outside_processing.due_operations(reading(), now()),
    )  # fmt: skip


@offered(pages, "/outside")
def export() -> Sheet:
    """Hand the board out, as it is filtered."""
    lines = _lines(request.args.get("q", "").strip()[:100])
    return Sheet("outside-work", HEADINGS, (_row(line) for line in lines))


@pages.get("/outside/<record_id>")
def show(record_id: str) -> str:
    """Show one link: balance, movements, papers, where its process stands."""
    return _show(find(reading(), record_id))


@pages.route("/outside/<record_id>/ship", methods=["GET", "POST"])
def ship(record_id: str) -> Page:
    """Show the form of the dock; on POST the pieces leave, once for a form."""

    def do(act: Act, link: OutsideLink) -> str:
        movement = outside_moving.ship(act, link, outside_form.shipment(request.form, link, visitor().how))
        return f"{link.number} has left with packing list {movement.packing_list_no}."

    return _form(record_id, "outside/ship.html", do)


@pages.route("/outside/<record_id>/return", methods=["GET", "POST"])
def take_back(record_id: str) -> Page:
    """Show the form of a return; on POST what came is counted, once for a form."""

    def do(act: Act, link: OutsideLink) -> str:
        outside_moving.take_back(act, link, outside_form.returned(request.form, link, visitor().how))
        return f"What came back of {link.number} is counted."

    return _form(record_id, "outside/return.html", do)


@pages.post("/outside/<record_id>/<any(lost, recall, undo, end, notice, surplus, source):action>")
def act_on(record_id: str, action: str) -> Page:
    """Declare pieces lost, book recalled ones, undo a shipment, call the work off, keep what the supplier reports or what never left."""
    try:
        with acting() as act:
            told = ACTIONS[action](act, find(act.session, record_id))
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(told, "good")
    return redirect(url_for("outside.show", record_id=record_id), 303)


@pages.route("/outside/losses/<record_id>", methods=["GET", "POST"])
def loss(record_id: str) -> Page:
    """Show a loss and what is to follow; on POST sign the seat that is open to the visitor."""
    if request.method == "GET":
        return _show_loss(find_loss(reading(), record_id))
    try:
        with acting() as act:
            found, seen = find_loss(act.session, record_id), request.form.get("seen_hash", "")
            signed = outside_losses.sign_loss(act, found, read_signature(), seen_hash=seen, reason=read_reason())
            told = f"Signed. {signed.number} is settled." if signed.status is LossStatus.SETTLED else "Signed."
    except Refused as refusal:
        return _show_loss(find_loss(read_anew(), record_id), refusal), status_of(refusal)
    flash(told, "good")
    return redirect(url_for("outside.loss", record_id=record_id), 303)


@pages.post("/outside/losses/<record_id>/anew")
def choose_anew(record_id: str) -> Page:
    """Choose something else to follow a loss that is not signed by both yet."""
    try:
        with acting() as act:
            made = outside_losses.choose_anew(act, find_loss(act.session, record_id), request.form.get("follow_up"))
            number, made_id = made.number, made.id
    except Refused as refusal:
        return _show_loss(find_loss(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{number} says what follows now; planner and buyer sign it.", "good")
    return redirect(url_for("outside.loss", record_id=made_id), 303)


@pages.get("/outside/<record_id>/packing-lists/<movement_id>.pdf")
def sheet(record_id: str, movement_id: str) -> Response:
    """Hand out the packing list of a shipment."""
    movement = _movement(reading(), record_id, movement_id)
    content = packing_list.packing_list_pdf(reading(), movement)
    name = f"{movement.packing_list_no}.pdf"
    return send_file(io.BytesIO(content), mimetype="application/pdf", download_name=name, etag=False)


@pages.get("/outside/operations/<record_id>")
def operation(record_id: str) -> str:
    """Show an operation that is done outside, with its links and the lines that ask for it."""
    return _operation(find_operation(reading(), record_id))


@pages.post("/outside/operations/<record_id>/start")
def start(record_id: str) -> Page:
    """Start outside processing of an operation."""
    try:
        with acting() as act:
            outside_moving.require_role(act, ("PLANNER", "BUYER"), "start outside processing")
            outside_processing.start(act, find_operation(act.session, record_id))
    except Refused as refusal:
        return _operation(find_operation(read_anew(), record_id), refusal), status_of(refusal)
    flash("Outside processing has begun; the planner confirms supplier and quantity.", "good")
    return redirect(url_for("outside.operation", record_id=record_id), 303)


@pages.post("/outside/operations/<record_id>/link")
def link(record_id: str) -> Page:
    """Link an operation with an order line that the planner or the buyer chose, once for the pair."""
    try:
        with acting() as act:
            quantity = outside_form.quantity(request.form, "quantity", visitor().how)
            line = find_line(act.session, request.form.get("order_line", ""))
            found = find_operation(act.session, record_id)
            made = outside_links.link_by_hand(
                act, found, line, quantity=quantity, need_by=outside_form.day(request.form, "need_by")
            )
            number, link_id = made.number, made.id
    except Refused as refusal:
        return _operation(find_operation(read_anew(), record_id), refusal), status_of(refusal)
    flash(
        f"{number} is made. Its process takes it up when the planner confirms the plan; the board says what is next.",
        "good",
    )
    return redirect(url_for("outside.show", record_id=link_id), 303)


def find(session: Session, record_id: str) -> OutsideLink:
    """Return a link. Raises: NotFound."""
    link = session.get(OutsideLink, record_id) if is_id(record_id) else None
    if link is None:
        raise NotFound("Expected a link at this address, but there is none.")
    return link


def find_loss(session: Session, record_id: str) -> OutsideLoss:
    """Return a loss. Raises: NotFound."""
    found = session.get(OutsideLoss, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a loss at this address, but there is none.")
    return found


def find_operation(session: Session, record_id: str) -> WorkOrderOperation:
    """Return an operation. Raises: NotFound."""
    found = session.get(WorkOrderOperation, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected an operation at this address, but there is none.")
    return found


def find_line(session: Session, record_id: str) -> PurchaseOrderLine:
    """Return an order line. Raises: Invalid, since it is chosen on a form."""
    found = session.get(PurchaseOrderLine, record_id) if is_id(record_id) else None
    if found is None:
        raise Invalid("Expected an order line, but there is none with this id", {"order_line": "choose a line"})
    return found


def find_lot(session: Session, record_id: str) -> Lot:
    """Return a lot. Raises: Invalid, since it is chosen on a form."""
    found = session.get(Lot, record_id) if is_id(record_id) else None
    if found is None:
        raise Invalid("Expected a lot that came back, but there is none with this id", {"lot_id": "choose a lot"})
    return found


def _lines(query: str) -> list[outside_board.Line]:
    return outside_board.board(reading(), now=now(), supplier_id=_supplier(), state=_state(), query=query)


def _state() -> str:
    state = request.args.get("state", "")
    return state if state in dict(FILTERS) else ""


def _supplier() -> str:
    given = request.args.get("supplier", "")
    return given if is_id(given) else ""


def _row(line: outside_board.Line) -> list[Any]:
    link = line.link
    return [
        link.number, link.operation.work_order.number, link.operation.op_no, link.operation.work_order.item,
        link.order.supplier.name, link.order_line.number, link.order.revision, link.status, link.allocated_quantity.normalize(), link.uom,
        link.shipped.normalize(), link.good.normalize(), link.scrap.normalize(), link.lost.normalize(),
        link.recalled.normalize(), link.at_supplier.normalize(),
        link.return_by or "", "" if line.days_away is None else line.days_away, line.late_days or "", line.certificates,
        line.next.words, line.next.owner,
    ]  # fmt: skip


def _show(link: OutsideLink, refusal: Refused | None = None) -> str:
    session = reading()
    return render_template(
        "outside/link.html", document=link, line=outside_board.line_of(session, link, now=now()), refusal=refusal,
        beside=document_page.beside(session, link), may=may(link), tab=request.args.get("tab", "summary"), event=new_id(),
        undone={movement.reverses_id for movement in link.movements}, away=serials_away(session, link),
        receipts=receipts_of_link(session, link), certificates=certificates_of_link(session, link),
        kinds=[(kind.value, outside_away.WORDS[kind][2:]) for kind in outside_away.NoticeKind], sent=request.form,
        stops=stops_of(session, link.id), losses=losses_of(session, link.id), claims=claims_of(session, link.id), follow_ups=FOLLOW_UPS,
        unresolved=outside_sources.unresolved_of_link(session, link), errors=getattr(refusal, "fields", None),
    )  # fmt: skip


def _show_loss(found: OutsideLoss, refusal: Refused | None = None) -> str:
    session = reading()
    is_open = found.status is LossStatus.DECLARED
    roles = roles_of_user(session, visitor().user_id, at=now())
    seat = seat_for(session, found, visitor().user_id, roles) if is_open else None
    return render_template(
        "outside/loss.html", document=found, seats=seats_on(session, found), may_sign=seat is not None, refusal=refusal,
        may_choose=is_open and visitor().holds("PLANNER"), form=request.form, errors=errors_of(refusal),
        content_hash=found.approved_hash, follow_ups=FOLLOW_UPS,
        **signing_values(session, outside_losses.MEANINGS[seat.role] if seat is not None else None),
    )  # fmt: skip


def may(link: OutsideLink) -> dict[str, str]:
    """Return for each action why the visitor may not, empty when they may."""

    def role(*codes: str) -> str:
        names = " or ".join(wording.principal_words(f"role:{code}") for code in codes)
        return "" if visitor().holds(*codes) else f"{names} does this."

    held = f"On hold: {link.hold_reason}" if link.status is LinkStatus.HOLD else ""
    ready = (
        "" if link.status in outside_moving.MAY_SHIP else "It is not ready to ship; its process says whose turn it is."
    )
    ready = ready or ("" if link.to_ship else "Everything that is allocated has left.")
    away = "" if link.at_supplier else "Nothing is at the supplier."
    open_ = "" if link.is_open and link.standing is not LinkStatus.VERIFIED else "It is settled."
    return {
        "ship": role("SHIPPING") or held or ready,
        "take_back": role("RECEIVING") or away,
        "lost": role("PLANNER") or away,
        "recall": role("PLANNER", "RECEIVING") or away,
        "end": role("PLANNER") or open_,
        "notice": role("BUYER", "SQ", "PLANNER", "QA_ENG")
        or ("" if link.standing in AWAY else "Nothing is at the supplier."),
        "undo": role("SHIPPING") or away,
        "source": role(*outside_sources.ROLES),
        "surplus": role("RECEIVING") or ("" if link.shipped else "Nothing has left under it."),
    }


def _form(record_id: str, template: str, do: Callable[[Act, OutsideLink], str]) -> Page:
    link = find(reading(), record_id)
    if request.method != "POST":
        return _form_page(link, template)
    try:
        with acting() as act:
            told = do(act, find(act.session, record_id))
    except Refused as refusal:
        return _form_page(find(read_anew(), record_id), template, refusal), status_of(refusal)
    flash(told, "good")
    return redirect(url_for("outside.show", record_id=record_id), 303)


def _form_page(link: OutsideLink, template: str, refusal: Refused | None = None) -> str:
    away = serials_away(reading(), link)
    units = [link.uom] + ([link.order_line.uom] if link.order_line.uom != link.uom else [])
    return render_template(
        template, document=link, refusal=refusal, sent=request.form, units=[(unit, unit) for unit in units], may=may(link),
        errors=getattr(refusal, "fields", None), event=request.form.get("event") or new_id(),
        by_serial=_is_by_serial(link), lots=lots_sent(link), strays=_strays(link, away, refusal), away=away,
        today=link.site.local_day(now()),
    )  # fmt: skip


def _operation(found: WorkOrderOperation, refusal: Refused | None = None) -> str:
    session = reading()
    wanted = select(PurchaseOrderLine).where(PurchaseOrderLine.work_order_op == found.number)
    return render_template(
        "outside/operation.html", document=found, refusal=refusal, beside=document_page.beside(session, found),
        lines=[outside_board.line_of(session, link, now=now()) for link in links_of_operation(session, found.id)],
        order_lines=session.scalars(wanted).all(), sent=request.form, errors=getattr(refusal, "fields", None),
        choices=[
            (line.id, f"{line.number}, {line.order.supplier.name}, {line.quantity.normalize():f} {line.uom}")
            for line in outside_links.lines_for(session, found)
        ],
        may_link="" if visitor().holds("PLANNER", "BUYER") else "The planner or the buyer links them.",
    )  # fmt: skip


def _movement(session: Session, record_id: str, movement_id: str) -> OutsideMovement:
    found = session.get(OutsideMovement, movement_id) if is_id(movement_id) else None
    if found is None or found.link_id != record_id:
        raise NotFound("Expected a movement of this link at this address, but there is none.")
    return found


def _lost(act: Act, link: OutsideLink) -> str:
    quantity = outside_form.quantity(request.form, "quantity", visitor().how)
    given = {"statement": request.form.get("statement", "")[:4000], "event_id": outside_form.event(request.form)}
    outside_losses.declare_lost(
        act,
        link,
        quantity,
        serials=outside_form.serials(request.form, "serials"),
        follow_up=request.form.get("follow_up"),
        **given,
    )
    return (
        f"{quantity.normalize():f} {link.uom} of {link.number} are declared lost; planner and buyer sign what follows."
    )


def _recall(act: Act, link: OutsideLink) -> str:
    quantity = outside_form.quantity(request.form, "quantity", visitor().how)
    given = {"reason": request.form.get("reason", "")[:4000], "event_id": outside_form.event(request.form)}
    outside_moving.recall(act, link, quantity, serials=outside_form.serials(request.form, "serials"), **given)
    return f"{quantity.normalize():f} {link.uom} of {link.number} are home unprocessed."


def _undo(act: Act, link: OutsideLink) -> str:
    movement = _movement(act.session, link.id, request.form.get("movement", ""))
    reason = request.form.get("reason", "")[:4000]
    outside_moving.undo_shipment(act, movement, reason=reason, event_id=outside_form.event(request.form))
    return f"{movement.number} is undone; the pieces are here."


def _end(act: Act, link: OutsideLink) -> str:
    outside_undoing.work_ended(act, link, reason=request.form.get("reason", "")[:4000])
    return f"{link.number} is called off; its process undoes what was done."


def _surplus(act: Act, link: OutsideLink) -> str:
    quantity = outside_form.quantity(request.form, "stray_quantity", visitor().how)
    raised = outside_moving.report_surplus(
        act,
        link,
        quantity,
        serials=request.form.get("stray_serials", "")[:4000],
        description=request.form.get("stray_text", "")[:4000],
    )
    return f"{raised.number} is open; keep the pieces apart until quality decides."


def _source(act: Act, link: OutsideLink) -> str:
    child = find_lot(act.session, request.form.get("lot_id", ""))
    given = {"lot_no": request.form.get("lot_no", "")[:40], "reason": request.form.get("reason", "")[:4000]}
    parent = outside_sources.name_source(act, link, child, **given)
    return f"{child.number} comes from {parent.number if parent is not None else link.operation.work_order.number}."


def _strays(link: OutsideLink, away: Sequence[str], refusal: Refused | None) -> dict[str, str]:
    """Return what the form for pieces that never left begins with after a refusal of CON-13; empty otherwise."""
    if refusal is None or refusal.code != "CON-13":
        return {}
    try:
        back = outside_form.returned(request.form, link, visitor().how)
    except Refused:
        return {}
    strange = [serial for serial in (*back.serials, *back.scrap_serials) if serial not in away]
    surplus = max(back.good + back.scrap - link.at_supplier, Decimal(len(strange)))
    return {
        "quantity": f"{(surplus or back.good + back.scrap).normalize():f}", "serials": " ".join(strange), "text": refusal.message,
    }  # fmt: skip


def _notice(act: Act, link: OutsideLink) -> str:
    kind = outside_form.notice_kind(request.form)
    text = request.form.get("text", "")[:4000]
    outside_away.give_notice(act, link, kind, text=text, event_id=outside_form.event(request.form))
    return "The notice is kept; whoever has to answer it finds it in the inbox."


ACTIONS: Mapping[str, Callable[[Act, OutsideLink], str]] = {
    "lost": _lost, "recall": _recall, "undo": _undo, "end": _end, "notice": _notice, "surplus": _surplus,
    "source": _source,
}  # fmt: skip


def _is_by_serial(link: OutsideLink) -> bool:
    return link.part_revision is not None and link.part_revision.part.lot_control is LotControl.SERIAL
