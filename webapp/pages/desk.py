"""The buyer's desk: orders by state, what is late, what ends soon; each row says whose turn it is and what to press."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, render_template, request, url_for

from processes.purchasing_desk import Desk, Section, Waiting, Way, desk_of
from webapp import listing
from webapp.pages.orders import BUYERS
from webapp.sheet import Sheet, offered
from webapp.visit import now, reading, visitor

pages = Blueprint("desk", __name__)

WAYS: dict[Way, Callable[[str], str]] = {
    Way.ANSWER: lambda record_id: url_for("orders.acknowledge", record_id=record_id),
    Way.ORDER: lambda record_id: url_for("orders.show", record_id=record_id),
    Way.SUPPLIER: lambda record_id: url_for("suppliers.show", record_id=record_id),
    Way.REQUEST: lambda record_id: url_for("quotes.show", record_id=record_id),
    Way.AGREEMENT: lambda record_id: url_for("agreements.show", record_id=record_id),
}

WORDS = {
    # section: heading, what an empty one says
    "unanswered": ("No answer yet", "Every supplier answered in time."),
    "late": ("Late deliveries", "Nothing that was promised is late."),
    "order_approvals": ("Approvals of orders that end", "No approved order waits to be issued."),
    "supplier_approvals": ("Supplier approvals that end", "None ends soon."),
    "certificates": ("Certificates that end", "None ends soon."),
    "requests": ("Quotes under way", "No request for quotation is open."),
    "agreements": ("Contracts near their end", "Every agreement lasts, and enough is left of it."),
}
COLUMNS = ("list", "number", "what", "supplier", "day", "days_late", "whose_turn", "what_to_do")


@pages.get("/desk")
def index() -> str:
    """Show the desk of a buyer, or of all."""
    found = desk_of(reading(), _whose(), now=now())
    return render_template(
        "documents/desk.html", desk=found, words=WORDS, url=url_of, all_of=lambda section: list_url(found, section),
        is_buyer=visitor().holds(*BUYERS),
    )  # fmt: skip


@offered(pages, "/desk")
def export() -> Sheet:
    """Hand out every row of every list of the desk."""
    found = desk_of(reading(), _whose(), now=now(), shown=listing.MOST_EXPORTED)
    rows = (
        (WORDS[section.name][0], row.number, row.what, row.party, row.on, row.days, row.turn, row.press)
        for section in found.sections
        for row in section.rows
    )
    return Sheet("desk", COLUMNS, rows, is_cut=any(section.total > len(section.rows) for section in found.sections))


def _whose() -> str | None:
    """Return whose orders are shown: a buyer's own unless everybody's are asked for; None for everybody's."""
    usual = "mine" if visitor().holds("BUYER") else "all"
    return visitor().user_id if request.args.get("whose", usual) == "mine" else None


def url_of(row: Waiting) -> str:
    """Return where a row leads to."""
    return WAYS[row.way](row.record_id)


def list_url(desk: Desk, section: Section) -> str:
    """Return the list that holds everything a section counts, empty where the section shows it all itself."""
    if section.name in ("unanswered", "late") and section.total:
        return url_for("orders.index", what=section.name, buyer=desk.buyer)
    return ""
