"""Lots: the list, the page of one, hold and release by quality."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import NotFound, Refused
from processes import genealogy_holds
from processes.genealogy import reversal_of
from records.lot import GenealogyEdge, Lot, LotStatus
from records.part import Part, PartRevision
from records.receipt import Receipt
from records.roles import meanings_of
from records.work_order import WorkOrder, WorkOrderOperation
from rules.shipping import must_stay
from webapp import dossiers, formats, ledger, listing, sheet
from webapp.document_page import marks_on
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("lots", __name__)

Page = str | tuple[str, int] | Answer
RECENT = 100


@pages.get("/lots")
def index() -> str:
    """List lots, newest first."""
    page = look_up(*listing.search())
    return render_template("lots/index.html", page=page, states=list(LotStatus))


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "part_revision": "part_revision.number", "name": "part_revision.part.name", "heat": "heat",
    "source": "source", "state": "status", "quantity": "quantity", "left": "quantity_left", "unit": "uom",
    "expires_on": "expires_on", "why_held": "hold_reason",
}  # fmt: skip


@sheet.offered(pages, "/lots")
def export() -> sheet.Sheet:
    """Hand out the lots that a search finds, the newest first."""
    return sheet.of_page("lots", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of lots by number, heat or part, newest first."""
    wanted = select(Lot).options(selectinload(Lot.part_revision).selectinload(PartRevision.part))
    if query:
        parts = select(PartRevision.id).join(Part).where(listing.contains(query, Part.part_no, Part.name))
        wanted = wanted.where(or_(listing.contains(query, Lot.number, Lot.heat), Lot.part_revision_id.in_(parts)))
    if state:
        wanted = wanted.where(Lot.status == state)
    return listing.newest_first(reading(), wanted, Lot, query=query, state=state, after=after, limit=limit)


@pages.get("/lots/<record_id>")
def show(record_id: str) -> str:
    """Show one lot: what is left, where it came from, where it went."""
    session = reading()
    lot = find(session, record_id)
    taken = select(GenealogyEdge).where(GenealogyEdge.parent_id == lot.id).options(selectinload(GenealogyEdge.child))
    fed = select(GenealogyEdge).where(GenealogyEdge.child_id == lot.id).options(selectinload(GenealogyEdge.parent))
    used, sources = (
        list(session.scalars(each.order_by(GenealogyEdge.id.desc()).limit(RECENT))) for each in (taken, fed)
    )
    return render_template(
        "lots/show.html", document=lot, used=used, sources=sources, origin=origin_of(session, lot),
        orders=_orders(session, [*used, *sources]), operations=_operations(session, [*used, *sources]),
        undone={edge.id for edge in used if edge.reverses_id is None and reversal_of(session, edge) is not None},
        ledger=ledger.ledger_of(session, lot.record_type, lot.id), tab=request.args.get("tab", "summary"), may=may(lot),
        marks=marks_on(session, lot), must_stay=[] if lot.status is LotStatus.HOLD else must_stay(session, lot),
    )  # fmt: skip


@pages.route("/lots/<record_id>/hold", methods=["GET", "POST"])
def hold(record_id: str) -> Page:
    """Ask for the reason; on POST hold the lot at once."""
    lot = find(reading(), record_id)
    if request.method == "GET":
        return _show_hold(lot)
    try:
        with acting() as act:
            genealogy_holds.hold_lot(act, find(act.session, record_id), reason=read_reason())
    except Refused as refusal:
        return _show_hold(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{lot.number} is on hold. Nothing more is issued of it.", "good")
    return redirect(url_for("lots.show", record_id=record_id), 303)


@pages.route("/lots/<record_id>/release", methods=["GET", "POST"])
def release(record_id: str) -> Page:
    """Show what is signed; on POST end the hold."""
    lot = find(reading(), record_id)
    if request.method == "GET":
        return _show_release(lot)
    try:
        with acting() as act:
            seen = request.form.get("seen_hash", "")
            genealogy_holds.release_lot(
                act, find(act.session, record_id), read_signature(), reason=read_reason(), seen_hash=seen
            )
    except Refused as refusal:
        return _show_release(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{lot.number} is released and may be used again.", "good")
    return redirect(url_for("lots.show", record_id=record_id), 303)


def find(session: Session, record_id: str) -> Lot:
    """Return a lot. Raises: NotFound."""
    found = session.get(Lot, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a lot at this address, but there is none.")
    return found


def origin_of(session: Session, lot: Lot) -> Any | None:
    """Return the receipt or work order that a lot names, or None."""
    kind = {"receipt": Receipt, "work_order": WorkOrder}.get(lot.source_type or "")
    return session.get(kind, lot.source_id) if kind is not None and lot.source_id else None


def may(lot: Lot) -> dict[str, str]:
    """Return, for each thing one could do here, an empty text or why not."""
    quality = "" if visitor().holds(*genealogy_holds.QUALITY) else "Quality decides about lots"
    state = formats.words(lot.status).lower()
    return {
        "hold": quality
        or ("" if lot.status is LotStatus.AVAILABLE else f"Only what is available is held; it is {state}."),
        "release": quality or ("" if lot.status is LotStatus.HOLD else f"It is not on hold but {state}."),
    }


def _orders(session: Session, edges: list[GenealogyEdge]) -> dict[str, WorkOrder]:
    ids = {edge.work_order_id for edge in edges if edge.work_order_id is not None}
    return {order.id: order for order in session.scalars(select(WorkOrder).where(WorkOrder.id.in_(ids)))}


def _operations(session: Session, edges: list[GenealogyEdge]) -> dict[str, WorkOrderOperation]:
    ids = {edge.operation_id for edge in edges if edge.operation_id is not None}
    wanted = select(WorkOrderOperation).where(WorkOrderOperation.id.in_(ids))
    return {operation.id: operation for operation in session.scalars(wanted)}


def _show_hold(lot: Lot, refusal: Refused | None = None) -> str:
    return render_template(
        "lots/hold.html",
        document=lot,
        refusal=refusal,
        form=request.form,
        errors=errors_of(refusal),
        why_not=may(lot)["hold"],
    )


def _show_release(lot: Lot, refusal: Refused | None = None) -> str:
    session = reading()
    held = {role.partition("@")[0] for role in visitor().roles} & set(genealogy_holds.QUALITY)
    meanings = {meaning for role in held for meaning in meanings_of(session, role)} & genealogy_holds.RELEASING
    return render_template(
        "lots/release.html", document=lot, refusal=refusal, form=request.form, errors=errors_of(refusal),
        why_not=may(lot)["release"], content_hash=genealogy_holds.lot_hash(lot), **signing_values(session, *sorted(meanings)),
    )  # fmt: skip


def source_url(lot: Lot) -> str:
    """Return the page of what a lot came from, or empty where it has none."""
    return dossiers.record_url(lot.source_type, lot.source_id)
