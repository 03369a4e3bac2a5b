"""What templates may say: filters bound to the visitor's customs, and the few functions every page needs."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Flask, current_app, g, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.database import instant_text
from processes import mismatches
from processes.evidence import KINDS
from processes.webhook_delivering import KEEPERS
from records import notice
from records.comment import threads
from records.company_sign_in import METHOD
from records.follower import followers_of
from records.person import Role, User
from records.signing_policy import policy_in
from rules import reviewing
from webapp import (
    change_links,
    company,
    dossiers,
    file_words,
    formats,
    mentions,
    refusals,
    sayings,
    sheet,
    signing_form,
    visit,
)
from webapp.assets import asset
from webapp.change_dossier import CLASS_WORDS
from webapp.security import form_proof

GOOD = frozenset(
    {
        "APPROVED",
        "AVAILABLE",
        "ACKNOWLEDGED",
        "RELEASED",
        "RECEIVED",
        "ACCEPT",
        "VALID",
        "COMPLETED",
        "DELIVERED",
        "RESOLVED",
        "ACTIVE",
        "DONE",
        "CONVERTED",
        "COMPLETE",
        "AWARDED",
        "SIGNED",
        "IN_TOLERANCE",
        "APPLIED",
        "ACKED",
        "approve",
        "approve_with_condition",
    }
)
BAD = frozenset(
    {
        "REJECTED",
        "CANCELLED",
        "SUSPENDED",
        "DISQUALIFIED",
        "WITHDRAWN",
        "SUPPLIER_REJECTED",
        "SUPPLIER_REFUSED",
        "REFUSED",
        "FAILED",
        "REJECT",
        "BLOCK",
        "CRITICAL",
        "LOCKED",
        "DISABLED",
        "OVERDUE_HOLD",
        "EMERGENCY_ACTIVE",
        "CONFLICT",
        "OUT_OF_TOLERANCE",
        "reject",
    }
)
WARN = frozenset(
    {
        "RETURNED",
        "QUARANTINE",
        "HELD",
        "ON_HOLD",
        "PAUSED",
        "HOLD",
        "APPROVAL_EXPIRED",
        "EXPIRED",
        "COUNTER_OFFER",
        "CONDITIONAL",
        "SUPERSEDED",
        "ACCEPT_WITH_CHANGE",
        "WARN",
        "CANCEL_PENDING",
        "OBSOLETE",
        "MAJOR",
        "DEFERRED",
        "DUPLICATE",
        "return",
    }
)
ACTIVE = frozenset(
    {
        "SUBMITTED",
        "IN_APPROVAL",
        "PENDING_APPROVAL",
        "PENDING",
        "TRANSMITTED",
        "APPROVED_NOT_TRANSMITTED",
        "IN_REVIEW",
        "RUNNING",
        "PARTIALLY_RECEIVED",
        "TRIAGED",
        "IMPACT",
        "REVIEW",
        "IMPLEMENTING",
        "VERIFYING",
        "FIRM",
        "READY",
        "STARTED",
        "IN_PROCESS",
        "AT_SUPPLIER",
        "RETURNED_PENDING",
        "OPEN",
        "COMPARING",
        "PROPOSED",
        "ask",
    }
)
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


def install(app: Flask) -> None:
    """Give the templates their filters and functions."""
    app.jinja_env.filters.update(
        bound=formats.bound,
        change_class=lambda value: CLASS_WORDS.get(str(value), str(value)),
        day=lambda value: formats.day(value, customs()),
        document_url=lambda value: dossiers.record_url(value.record_type, value.id),
        due=lambda value: formats.due(value, visit.now(), customs()),
        face=formats.face,
        initials=formats.initials,
        instant=lambda value: formats.instant(value, customs()),
        iso=_iso,
        may_resolve=lambda said: reviewing.may_resolve(visit.reading(), said, visit.visitor().user_id, at=visit.now()),
        followers=lambda record: followers_of(visit.reading(), (record.record_type, record.id)),
        mentions=mentions.shown,
        threads=threads,
        resolvers=lambda said: reviewing.resolvers_of(visit.reading(), said),
        linked=change_links.linked,
        mismatch=mismatches.field_words,
        moment=lambda value: formats.moment(value, visit.now(), customs()),
        money=lambda value, currency="", unit_price=False: formats.money(
            value, currency, customs(), unit_price=unit_price
        ),
        number=lambda value, decimals=None: formats.number(value, decimals, customs()),
        plain_number=plain_number,
        plural=formats.plural,
        principal=principal_words,
        record_url_of=lambda value: dossiers.record_url(value["record_type"], value["record_id"]),
        record_url=lambda value: dossiers.record_url(value.record_type, value.record_id),
        quantity=lambda value, unit="": formats.quantity(value, unit, customs()),
        refusal_title=refusals.title_of,
        said=said,
        span=lambda value: formats.span(abs((visit.now() - value).total_seconds())),
        tone=tone,
        utc=lambda value: f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC",
        who=person_name,
        without_key=formats.without_key,
        words=formats.words,
    )
    app.jinja_env.globals.update(
        file_limits=file_words.limit_words,
        asset=asset, company_name=company_name, form_proof=form_proof, own_id=own_id, idle_minutes=idle_minutes,
        navigation=navigation, signs_at=signs_at, list_ways=sheet.ways, here=sheet.here,
        kept_besides=sheet.kept_besides,
        whole_histories={*KINDS, "instance"},
    )  # fmt: skip
    app.context_processor(_page_values)


def own_id(name: str) -> str:
    """Return an id for a field of a page: its name, and counted on where several forms of one page ask for the same."""
    seen = g.setdefault("field_ids", Counter())
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def company_name() -> str:
    """Return how the plant calls the company where people sign in; empty where there is none."""
    known = company.company()
    return known.name if known is not None else ""


def signs_at() -> str:
    """Return where the visitor proves a signature: the company's name, empty for a password here."""
    return company_name() if signing_form.method() == METHOD else ""


def idle_minutes() -> int:
    """Return after how many idle minutes a signature needs user name and password again."""
    return policy_in(visit.reading()).idle_minutes


def customs() -> formats.Custom:
    """Return the visitor's customs; before sign-in those of the browser's language."""
    visitor: visit.Visitor | None = g.get("visitor")
    return visitor.how if visitor else formats.custom(request.accept_languages.best, None)


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


def _page_values() -> dict[str, Any]:
    visitor = g.get("visitor")
    return {
        "visitor": visitor,
        "theme": request.cookies.get("theme") if request.cookies.get("theme") in ("light", "dark") else "auto",
        "unread": notice.unread(visit.reading(), visitor.user_id) if visitor and not visit.is_partial() else 0,
        "now": visit.now(),
        "is_partial": visit.is_partial(),
    }


def _iso(value: Any) -> str:
    return instant_text(value) if isinstance(value, dt.datetime) else str(value)


def plain_number(value: Decimal | None) -> str:
    """Write a number as one types it into a field, in the visitor's customs and without groups."""
    if value is None:
        return ""
    text = f"{Decimal(value):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(".", customs().point)


def tone(value: Any) -> str:
    """Return the tone of a status or verdict; the words say the same."""
    text = str(value)
    for words, name in ((GOOD, "good"), (BAD, "bad"), (WARN, "warn"), (ACTIVE, "accent")):
        if text in words:
            return name
    return ""


def person_name(user_id: str | None) -> str:
    """Return the printed name of a user id or of an acting principal; the system has names too."""
    if not user_id:
        return "nobody"
    kind, _, name = user_id.rpartition(":")
    if kind in ("system", "adapter"):
        return {"system": "Lockstep", "adapter": "Interface"}[kind] + f" ({name})"
    return _names(visit.reading()).get(name, name)


def principal_words(principal: str) -> str:
    """Return a principal in words: a person's name, or the role's name with its scope."""
    kind, _, name = principal.partition(":")
    if kind in ("user", "system", "adapter"):
        return person_name(principal)
    if kind != "role":
        return principal
    code, _, scope = name.partition("@")
    if scope.startswith("user:"):
        return f"whoever stands in for {person_name(scope.removeprefix('user:'))}"
    words = _roles(visit.reading()).get(code, formats.words(code))
    return f"{words} {scope}".strip()


def said(text: str | None) -> str:
    """Return a sentence of the house with its days, codes, roles and people as the visitor reads them."""
    if not text:
        return ""
    return sayings.said(text, customs(), principal_words, lambda code: _roles(visit.reading()).get(code))


def _names(session: Session) -> dict[str, str]:
    """Return every user's name; a plant has hundreds of people, read once a request and only when one is named."""
    if "names" not in g:
        g.names = dict(session.execute(select(User.id, User.name)).all())
    names: dict[str, str] = g.names
    return names


def _roles(session: Session) -> dict[str, str]:
    if "role_names" not in g:
        g.role_names = dict(session.execute(select(Role.code, Role.name)).all())
    names: dict[str, str] = g.role_names
    return names


def bare(value: Decimal) -> str:
    """Write a number for machines: every digit that says something, with a point."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
