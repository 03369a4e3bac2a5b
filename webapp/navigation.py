"""Where a visitor can go: the entries of the bar, by group."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, g, request, url_for

from processes.webhook_delivering import KEEPERS
from webapp import visit

PART_OF = {
    "agreements": "quotes",
    "sole_sources": "quotes",
    "definitions": "operations",
    "jobs": "operations",
    "messages": "operations",
    "traces": "lots",
    "inbox_bulk": "inbox",
    "inbox_views": "inbox",
    "together": "inbox",
}
"""Blueprints whose pages are reached through another one's entry."""

NAVIGATION = (
    # endpoint, label, group; an entry without a group stands in the bar itself. Order is the order on the page.
    ("inbox.show", "Inbox", ""),
    ("desk.index", "Desk", "Buying"),
    ("requisitions.index", "Requisitions", "Buying"),
    ("quotes.index", "Quotes and contracts", "Buying"),
    ("orders.index", "Orders", "Buying"),
    ("receiving.index", "Receiving", "Buying"),
    ("invoices.index", "Invoices", "Buying"),
    ("suppliers.index", "Suppliers", "Buying"),
    ("work_orders.index", "Work orders", "Making"),
    ("outside.board", "Outside work", "Making"),
    ("lots.index", "Lots", "Making"),
    ("resources.index", "Resources", "Making"),
    ("parts.index", "Parts", "Making"),
    ("changes.index", "Change orders", "Changes"),
    ("change_requests.index", "Change requests", "Changes"),
    ("emergencies.index", "Emergencies", "Changes"),
    ("boards.index", "Boards", "Changes"),
    ("holds.index", "Holds and quarantine", "Oversight"),
    ("nonconformances.index", "Nonconformances", "Oversight"),
    ("findings.index", "Findings", "Oversight"),
    ("mismatches.index", "Mismatches", "Oversight"),
    ("waivers.index", "Waivers", "Oversight"),
    ("data_quality.index", "Data quality", "Oversight"),
    ("flow_modes.index", "Modes", "Oversight"),
    ("evidence.configuration", "Evidence", "Oversight"),
    ("dashboards.index", "What waits for whom", "Oversight"),
    ("operations.index", "Operations", "Oversight"),
    ("webhooks.index", "Webhooks", "Oversight"),
    ("people.index", "People", "Oversight"),
)

ONLY = {"webhooks.index": KEEPERS}
"""Pages that only holders of some roles reach; nobody else is shown the way."""


@dataclass(frozen=True)
class Entry:
    """A page one can go to. is_here: the page that is open belongs to it."""

    url: str
    label: str
    is_here: bool


@dataclass(frozen=True)
class Group:
    """Pages under one word. name: empty for a page that stands in the bar itself."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def here(self) -> Entry | None:
        """The entry that is open, or None."""
        return next((entry for entry in self.entries if entry.is_here), None)


def navigation() -> list[Group]:
    """Return where the visitor can go, by group; a page that this application does not have is left out."""
    groups: dict[str, list[Entry]] = {}
    visitor: visit.Visitor | None = g.get("visitor")
    for endpoint, label, group in NAVIGATION:
        is_theirs = endpoint not in ONLY or (visitor is not None and visitor.holds(*ONLY[endpoint]))
        if is_theirs and endpoint in current_app.view_functions:
            here = request.blueprint or ""
            is_here = PART_OF.get(here, here) == endpoint.partition(".")[0]
            groups.setdefault(group, []).append(Entry(url_for(endpoint), label, is_here))
    return [Group(name, tuple(entries)) for name, entries in groups.items()]
