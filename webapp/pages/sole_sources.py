"""Justifications of single sources: who wrote what, and what the purchasing manager said."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.database import is_id
from engine.errors import NotFound
from records.sole_source import JustificationStatus, SoleSourceJustification
from records.supplier import Supplier
from webapp import ledger, listing
from webapp.csv_file import csv_file
from webapp.visit import reading

pages = Blueprint("sole_sources", __name__)


@pages.get("/sole-sources")
def index() -> str:
    """List justifications, newest first."""
    page = look_up(*listing.search())
    return render_template("quotes/sole_sources.html", page=page, states=list(JustificationStatus), tab="sole_sources")


@pages.get("/sole-sources.csv")
def export() -> Response:
    """Hand out the list as a file."""
    query, state, _ = listing.search()
    rows = (
        (
            one.number, one.requisition.number, one.supplier.name, one.amount, one.currency, one.cause.value, one.quotes_valid,
            one.quotes_needed, one.status.value, one.writer.name, one.reason,
        )
        for one in look_up(query, state, "", limit=1000).items
    )  # fmt: skip
    names = (
        "number",
        "requisition",
        "supplier",
        "amount",
        "currency",
        "cause",
        "quotes",
        "needed",
        "state",
        "buyer",
        "reason",
    )
    return csv_file("sole-sources", names, rows)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of justifications by number, supplier or reason, newest first."""
    wanted = select(SoleSourceJustification)
    if query:
        wanted = wanted.join(Supplier).where(
            listing.contains(query, SoleSourceJustification.number, SoleSourceJustification.reason, Supplier.name)
        )
    if state:
        wanted = wanted.where(SoleSourceJustification.status == state)
    return listing.newest_first(
        reading(), wanted, SoleSourceJustification, query=query, state=state, after=after, limit=limit
    )


@pages.get("/sole-sources/<record_id>")
def show(record_id: str) -> str:
    """Show a justification with its signature."""
    found = find(reading(), record_id)
    return render_template(
        "quotes/sole_source.html", document=found, tab=request.args.get("tab", "summary"),
        ledger=ledger.ledger_of(reading(), found.record_type, found.id),
    )  # fmt: skip


def find(session: Session, record_id: str) -> SoleSourceJustification:
    """Return a justification. Raises: NotFound."""
    found = session.get(SoleSourceJustification, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a justification at this address, but there is none.")
    return found
