"""Justifications of single sources: who wrote what, and what the purchasing manager said."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.database import is_id
from engine.errors import NotFound
from records.sole_source import JustificationStatus, SoleSourceJustification
from records.supplier import Supplier
from webapp import ledger, listing, sheet
from webapp.visit import reading

pages = Blueprint("sole_sources", __name__)


@pages.get("/sole-sources")
def index() -> str:
    """List justifications, newest first."""
    page = look_up(*listing.search())
    return render_template("quotes/sole_sources.html", page=page, states=list(JustificationStatus), tab="sole_sources")


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "requisition": "requisition.number", "supplier": "supplier.name", "amount": "amount",
    "currency": "currency", "cause": "cause", "quotes": "quotes_valid", "needed": "quotes_needed", "state": "status",
    "buyer": "writer.name", "reason": "reason",
}  # fmt: skip


@sheet.offered(pages, "/sole-sources")
def export() -> sheet.Sheet:
    """Hand out the justifications that a search finds."""
    return sheet.of_page("sole-sources", sheet.whole(look_up), COLUMNS)


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
