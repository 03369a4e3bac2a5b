"""Findings: what rules say about documents and nobody has settled; acknowledge a warning, ask for a waiver of the rest."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.errors import Refused
from processes import findings as desk
from processes.waiving import state_of, target_of
from records.waiver import waivers_of
from rules.finding import KeptFinding
from rules.waiver import standing_waivers, terms_of, today_of
from webapp import listing, sheet
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("findings", __name__)

Page = str | tuple[str, int] | Answer
FILTERS = ("q", "rule", "effect", "owner", "kind", "age")
AGES = (("0", "Today"), ("1", "1 to 3 days"), ("3", "3 to 7 days"), ("7", "Over 7 days"))


@pages.get("/findings")
def index() -> str:
    """Show the open findings, their counts and how they came and went."""
    session = reading()
    filters = chosen()
    page = look_up(filters, request.args.get("after", "").strip())
    today = today_of(session, now())
    return render_template(
        "findings/index.html", page=page, filters=filters, counts=desk.counts(session), ages=AGES,
        trend=desk.trend(session, now=now()), numbers={row.id: number_of(session, row) for row in page.items},
        waivers=standing_waivers(session, on=today), tab="findings",
    )  # fmt: skip


@sheet.offered(pages, "/findings")
def download() -> sheet.Sheet:
    """Hand out the open findings that fit the filters."""
    session = reading()
    found = look_up(chosen(), "", limit=listing.MOST_EXPORTED)
    rows = (
        (
            one.rule, one.effect, one.mode, one.record_type, number_of(session, one), one.field, one.old_text, one.new_text,
            one.sentence, one.owner, one.way_out, one.at, one.judged_by, one.judged_row,
        )
        for one in found.items
    )  # fmt: skip
    columns = (
        "rule", "effect", "mode", "kind", "document", "field", "old", "new", "sentence", "owner", "way_out", "found_at",
        "table_hash", "table_row",
    )  # fmt: skip
    return sheet.Sheet("findings", columns, rows, is_cut=bool(found.after))


@pages.route("/findings/<record_id>", methods=["GET", "POST"])
def show(record_id: str) -> Page:
    """Show one finding; on POST acknowledge it with a reason."""
    if request.method == "GET":
        return _show(desk.find(reading(), record_id))
    try:
        with acting() as act:
            desk.acknowledge_finding(act, desk.find(act.session, record_id), reason=read_reason())
    except Refused as refusal:
        return _show(desk.find(read_anew(), record_id), refusal), status_of(refusal)
    flash("Acknowledged. Your reason stands in the history of the document.", "good")
    return redirect(url_for("findings.index"), 303)


def chosen() -> dict[str, str]:
    """Return the filters of the address."""
    return {name: request.args.get(name, "").strip()[:100] for name in FILTERS}


def look_up(filters: dict[str, str], after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of open findings, newest first."""
    wanted = desk.wanted(filters, now=now())
    return listing.newest_first(
        reading(), wanted, KeptFinding, query=filters["q"], state=filters["rule"], after=after, limit=limit
    )


def number_of(session: Session, found: KeptFinding) -> str:
    """Return how people call the document of a finding, or its kind where it is gone."""
    try:
        return str(getattr(target_of(session, found.record_type, found.record_id), "number", found.record_type))
    except Refused:
        return found.record_type.replace("_", " ")


def _show(found: KeptFinding, refusal: Refused | None = None) -> str:
    session = reading()
    today = today_of(session, now())
    roles = {role.partition("@")[0] for role in visitor().roles}
    waivers = [(waiver, state_of(waiver, on=today)) for waiver in waivers_of(session, found.record_id, found.rule)]
    values: dict[str, Any] = {
        "is_open": found.acknowledged_at is None and found.settled_at is None,
        "may_acknowledge": found.effect == "WARN" and desk.may_acknowledge(found, roles, visitor().user_id),
        "terms": terms_of(found.rule),
        "waivers": waivers,
    }
    return render_template(
        "findings/show.html", document=found, number=number_of(session, found), refusal=refusal, form=request.form,
        errors=errors_of(refusal), tab="findings", **values,
    )  # fmt: skip
