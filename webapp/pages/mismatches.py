"""Mismatches: what other systems and papers say otherwise; look at both values, correct where the fact is owned, settle."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from engine.errors import Invalid, Refused
from processes import mismatches as desk
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Severity
from webapp import dossiers, ledger, listing, sheet, typed
from webapp.refusals import status_of
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("mismatches", __name__)

Page = str | tuple[str, int] | Answer
AGES = (("0", "Today"), ("1", "1 to 3 days"), ("3", "3 to 7 days"), ("7", "Over 7 days"))
KINDS = {
    "QTY": "Quantity", "PRICE": "Price", "REV": "Revision", "SUPPLIER": "Supplier", "DATE": "Date", "STATUS": "Status",
    "LOT": "Lot", "TERMS": "Terms", "TEXT": "Text", "MISSING": "Missing there", "EXTRA": "Missing here",
}  # fmt: skip


@pages.get("/mismatches")
def index() -> str:
    """Show what is open, by severity, kind, owner and age."""
    filters = chosen()
    return render_template(
        "mismatches/index.html", page=look_up(filters, request.args.get("after", "").strip()), filters=filters,
        counts=desk.counts(reading()), ages=AGES, states=list(DiscrepancyStatus), kinds=list(DiscrepancyKind),
        severities=list(Severity), field_words=desk.field_words, kind_words=KINDS,
        tab="mismatches",
    )  # fmt: skip


@sheet.offered(pages, "/mismatches")
def download() -> sheet.Sheet:
    """Hand out what fits the filters."""
    found = look_up(chosen(), "", limit=listing.MOST_EXPORTED)
    rows = (
        (
            one.severity, one.kind, one.document_type, one.document_number, one.field, one.ours, one.theirs, one.system,
            one.owner, one.opened_at, one.status, one.resolution,
        )
        for one in found.items
    )  # fmt: skip
    columns = (
        "severity", "kind", "document_kind", "document", "field", "ours", "theirs", "system", "owner", "opened_at", "state",
        "resolution",
    )  # fmt: skip
    return sheet.Sheet("mismatches", columns, rows, is_cut=bool(found.after))


@pages.route("/mismatches/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show one mismatch; on POST settle it with a reason."""
    if request.method == "GET":
        return _show(desk.find(reading(), record_id))
    try:
        with acting() as act:
            desk.settle(act, desk.find(act.session, record_id), reason=_reason(), roles=_roles())
    except Refused as refusal:
        return _show(desk.find(read_anew(), record_id), refusal), status_of(refusal)
    flash("Settled. How stands in its history; it opens again when the values change.", "good")
    return redirect(url_for("mismatches.index"), 303)


def chosen() -> dict[str, str]:
    """Return the filters of the address."""
    return {name: request.args.get(name, "").strip()[:100] for name in desk.FILTERS}


def look_up(filters: dict[str, str], after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of mismatches, newest first."""
    wanted = desk.wanted(filters, now=now())
    return listing.newest_first(
        reading(), wanted, Discrepancy, query=filters["q"], state=filters["state"], after=after, limit=limit
    )


def _roles() -> set[str]:
    return {role.partition("@")[0] for role in visitor().roles}


def _reason() -> str:
    try:
        return typed.words(request.form.get("reason", ""), longest=4000)
    except Unreadable as error:
        raise Invalid("Expected a reason that fits", {"reason": str(error)}) from error


def _show(found: Discrepancy, refusal: Refused | None = None) -> str:
    is_open = found.status is DiscrepancyStatus.OPEN
    return render_template(
        "mismatches/show.html", document=found, words=desk.field_words(found.field), refusal=refusal, form=request.form,
        errors=refusal.fields if isinstance(refusal, Invalid) else {}, tab=request.args.get("tab", "summary"),
        is_between_papers=desk.is_between_papers(found.field),
        url=dossiers.record_url(found.document_type, found.document_id),
        ledger=ledger.ledger_of(reading(), found.record_type, found.id),
        may_settle=is_open and desk.may_settle(found, _roles(), visitor().user_id),
    )  # fmt: skip
