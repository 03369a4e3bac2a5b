"""Change orders: the list, the form, the page of one with its values, its affected revisions and its way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from processes import change_control
from processes import change_orders as desk
from processes.change_baseline import moved_since
from processes.change_references import add_reference, remove_reference
from processes.change_values import draft_revision, read_value, record_called, reference_called
from records.change_order import (
    ChangeOrder,
    ChangeOrderStatus,
    ChangeType,
    EffectivityKind,
    FaiDecision,
    Interchangeable,
    ItemAction,
)
from records.change_request import OrderClass
from records.part import DefinitionKind, PartRevision
from webapp import both_sides, change_dossier, change_page, document_page, formats, listing, sheet, typed
from webapp.pages import change_requests, orders
from webapp.refusals import status_of
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("changes", __name__)

Page = str | tuple[str, int] | Answer
S = ChangeOrderStatus
STEPS = (S.DRAFT, S.IMPACT, S.REVIEW, S.APPROVED, S.IMPLEMENTING, S.VERIFYING, S.CLOSED)
STANDS_ON_ITS_BASELINE = frozenset({S.DRAFT, S.IMPACT, S.REVIEW, S.RETURNED, S.CONFLICT, S.EMERGENCY_ACTIVE})
"""While its revisions must still be what they were; an approved order changes them itself."""
TABS = (
    ("summary", "Summary"),
    ("changes", "Changes"),
    ("impact", "Impact"),
    ("route", "Route"),
    ("history", "History"),
)
FLAGS = ("is_customer_approval_required", "is_revalidation_required", "is_training_required")
CHANGEABLE = ("type", "effectivity_kind", "effectivity_value", "fai", "regulator_notice")


@pages.get("/changes")
def index() -> str:
    """List change orders, newest first."""
    return render_template("changes/orders.html", page=look_up(*listing.search()), states=list(S), tab="orders",
                           may_open=visitor().holds(*change_requests.SPECIALISTS))  # fmt: skip


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "title": "title", "class": "change_class", "type": "type", "state": "status", "owner": "owner",
    "expires_at": "expires_at", "approved_at": "approved_at", "effective_at": "effective_at", "closed_at": "closed_at",
}  # fmt: skip


@sheet.offered(pages, "/changes")
def export() -> sheet.Sheet:
    """Hand out the change orders that a search finds, the newest first."""
    return sheet.of_page("change-orders", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of change orders by number or title, newest first."""
    wanted = select(ChangeOrder)
    if query:
        wanted = wanted.where(listing.contains(query, ChangeOrder.number, ChangeOrder.title))
    if state:
        wanted = wanted.where(ChangeOrder.status == state)
    return listing.newest_first(reading(), wanted, ChangeOrder, query=query, state=state, after=after, limit=limit)


@pages.route("/changes/new", methods=["GET", "POST"])
def new() -> Page:
    """Show the form of a change order, filled from a request; on POST open it."""
    orders.need(*change_requests.SPECIALISTS)
    if request.method != "POST":
        return _form(_prefilled())
    form = request.form
    try:
        with acting() as act:
            asked = [change_requests.find(act.session, form["request"])] if form.get("request") else []
            order = desk.open_order(
                act, requests=asked, change_class=_class(form), title=form.get("title", ""), reason=form.get("reason", ""),
                expires_at=_until(form), **_content(form),
            )  # fmt: skip
            change_control.take_up(act, order)
            number, record_id = order.number, order.id
    except Refused as refusal:
        return _form(form, refusal), status_of(refusal)
    flash(f"{number} is open. Name what it affects next.", "good")
    return redirect(url_for("changes.show", record_id=record_id, tab="changes"), 303)


@pages.get("/changes/<record_id>")
def show(record_id: str) -> str:
    """Show one change order."""
    return _show(find(reading(), record_id))


@pages.post("/changes/<record_id>/items")
def add_item(record_id: str) -> Page:
    """Name a part revision that the order affects, and the one that follows it; a letter that is new makes its draft."""

    def add(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        before = revision_called(act.session, form.get("revision", ""), "revision")
        action = ItemAction(form["action"]) if form.get("action") in set(ItemAction) else ItemAction.REVISE
        after = _following(act, before, form.get("follows", "").strip())
        stands = form.get("interchangeable")
        desk.add_item(
            act, order, before, after, action=action,
            interchangeable=Interchangeable(stands) if stands in set(Interchangeable) else Interchangeable.NO,
        )  # fmt: skip
        return f"{before.number} is on {order.number}."

    return _write(record_id, add)


@pages.post("/changes/<record_id>/edits")
def add_edit(record_id: str) -> Page:
    """Say one value that the order sets."""

    def add(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        record = record_called(act.session, form.get("record", ""))
        column = form.get("column", "").strip().lower().replace(" ", "_")
        item = desk.add_edit(act, order, record, column, read_value(record, column, form.get("new")))
        return f"{order.number} sets {formats.words(item.column_name).lower()}, a change of class {item.change_class}."

    return _write(record_id, add)


@pages.post("/changes/<record_id>/references")
def change_references(record_id: str) -> Page:
    """Add a document to what defines a released revision, or take one away."""

    def change(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        if form.get("reference", "").strip():
            item = remove_reference(act, order, reference_called(act.session, form["reference"]))
            return f"{order.number} takes {form['reference'].strip()} away, a change of class {item.change_class}."
        kind = form.get("kind", "")
        if kind not in set(DefinitionKind):
            raise Invalid("Expected the kind of the document, but there is none", {"kind": "Choose one"})
        revision = revision_called(act.session, form.get("defines", ""), "defines")
        given = {name: form.get(name, "") for name in ("system", "native_id", "native_rev", "content_hash")}
        item = add_reference(act, order, revision, kind=DefinitionKind(kind), **given)[0]
        return f"{order.number} adds {given['native_id']} to {revision.number}, a change of class {item.change_class}."

    return _write(record_id, change)


@pages.post("/changes/<record_id>/content")
def write_content(record_id: str) -> Page:
    """Say what kind of change it is, from when it counts, and what it asks for: first article, customer, training."""

    def put(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        both_sides.refuse_meanwhile(form, _given(order), order.number)
        desk.write(act, order, dict.fromkeys(FLAGS, False) | _content(form))
        return f"{order.number} counts {change_dossier.from_words(order)}."

    return _write(record_id, put)


@pages.post("/changes/<record_id>/withdraw")
def withdraw(record_id: str) -> Page:
    """Take the order back before it takes effect; what was done is undone in reverse."""

    def take_back(act: Act, order: ChangeOrder, form: Mapping[str, str]) -> str:
        change_control.take_back(act, order, reason=form.get("reason", ""))
        return f"{order.number} is being withdrawn: what was done of it is undone, the last first."

    return _write(record_id, take_back)


def find(session: Session, record_id: str) -> ChangeOrder:
    """Return a change order by id or number. Raises: NotFound."""
    if is_id(record_id):
        found = session.get(ChangeOrder, record_id)
    else:
        found = session.scalar(select(ChangeOrder).where(ChangeOrder.number == record_id))
    if found is None:
        raise NotFound("Expected a change order at this address, but there is none.")
    return found


def _write(record_id: str, do: Any) -> Page:
    orders.need(*change_requests.SPECIALISTS)
    tab = request.form.get("tab", "changes")
    try:
        with acting() as act:
            said = do(act, find(act.session, record_id), request.form)
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal, tab=tab), status_of(refusal)
    flash(said, "good")
    return redirect(url_for("changes.show", record_id=record_id, tab=tab), 303)


def show_again(order: ChangeOrder, refusal: Refused, *, tab: str) -> str:
    """Return the page of a change order with what was refused on one of its tabs."""
    return _show(order, refusal, tab=tab)


def _show(order: ChangeOrder, refusal: Refused | None = None, *, tab: str = "") -> str:
    session = reading()
    panels = {name: panel.values(session, order) for name, panel in change_page.PANELS.items()}
    values = change_page.values_of(session, order)
    beside = document_page.beside(session, order, order.content_hash)
    counts = {"changes": values.count + len(order.affected)} | {
        name: panel.count(session, order) for name, panel in change_page.PANELS.items()
    }
    return render_template(
        "changes/order.html", document=order, refusal=refusal, beside=beside,
        tab=tab or request.args.get("tab", "summary"), tabs=[(key, words, counts.get(key, 0)) for key, words in TABS],
        steps=[(step, _tone(order, step)) for step in STEPS], values=values, panels=panels, registered=change_page.PANELS,
        moved=moved_since(order) if order.status in STANDS_ON_ITS_BASELINE else [], form=request.form,
        happens=change_page.NOW[order.status], digest=change_dossier.digest_of(session, order),
        addenda=change_page.addenda_of(session, order),
        turns=change_page.turns_of(session, beside.instance.id if beside.instance else None),
        first_article=change_dossier.FIRST_ARTICLES[order.fai] if order.fai else "not decided",
        errors=refusal.fields if isinstance(refusal, Invalid) else {},
        may_write=order.is_free and visitor().holds(*change_requests.SPECIALISTS),
        may_withdraw=not order.is_over and order.effective_at is None and visitor().holds(*change_requests.SPECIALISTS),
        actions=_options(ItemAction), stands=_options(Interchangeable), types=_options(ChangeType), counted=_options(EffectivityKind),
        decisions=_first_articles(), given=request.form if tab == "changes" and "type" in request.form else _given(order),
        kinds=_options(DefinitionKind), kept=_given(order),
        sides=both_sides.of_fields(request.form, _given(order)) if refusal is not None and refusal.code == both_sides.CODE else [],
    )  # fmt: skip


def _tone(order: ChangeOrder, step: ChangeOrderStatus) -> str:
    beside = {
        S.RETURNED: S.REVIEW, S.REJECTED: S.REVIEW, S.CONFLICT: S.IMPACT, S.WITHDRAWN: S.DRAFT, S.EMERGENCY_ACTIVE: S.IMPLEMENTING,
        S.OVERDUE_HOLD: S.IMPLEMENTING,
    }  # fmt: skip
    place, here = STEPS.index(step), STEPS.index(beside.get(order.status, order.status))
    return "done" if place < here else "now" if place == here else ""


def _form(form: Mapping[str, str], refusal: Refused | None = None) -> str:
    asked = form.get("request", "")
    return render_template(
        "changes/order_form.html", form=form, refusal=refusal, errors=refusal.fields if isinstance(refusal, Invalid) else {},
        asked=change_requests.find(reading(), asked) if asked else None, classes=list(change_dossier.CLASS_WORDS.items()),
        types=_options(ChangeType), kinds=_options(EffectivityKind),
        decisions=_first_articles(),
    )  # fmt: skip


def _first_articles() -> list[tuple[str, str]]:
    return [(one.value, said.capitalize()) for one, said in change_dossier.FIRST_ARTICLES.items()]


def _given(order: ChangeOrder) -> dict[str, str]:
    """Return what an order says, as its form has it."""
    texts = {name: str(getattr(order, name) or "") for name in CHANGEABLE}
    return texts | {name: "true" if getattr(order, name) else "" for name in FLAGS}


def _prefilled() -> dict[str, str]:
    form = dict(request.args)
    if form.get("request"):
        asked = change_requests.find(reading(), form["request"])
        form = {
            "title": asked.title, "reason": f"{asked.problem}\n{asked.proposal}".strip(),
            "change_class": asked.proposed_class.value if asked.proposed_class else "", **form,
        }  # fmt: skip
    return form


def _content(form: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: form[name].strip() for name in CHANGEABLE if form.get(name, "").strip()}
    found |= {name: True for name in FLAGS if form.get(name) == "true"}
    for name, kind in (("type", ChangeType), ("fai", FaiDecision)):
        if name in found and found[name] not in set(kind):
            raise Invalid(f"Expected one of {', '.join(kind)}, but found {found[name][:40]!r}", {name: "Choose one"})
    return found


def _class(form: Mapping[str, str]) -> OrderClass:
    given = form.get("change_class", "")
    if given not in set(OrderClass):
        missing = {name: "is required" for name in ("title", "reason") if not form.get(name, "").strip()}
        raise Invalid(
            f"Expected one of {', '.join(OrderClass)}, but {f'found {given[:40]!r}' if given else 'none is chosen'}",
            missing | {"change_class": "Choose one"},
        )
    return OrderClass(given)


def _until(form: Mapping[str, str]) -> dt.datetime | None:
    if form.get("change_class") != OrderClass.CE or not form.get("hours", "").strip():
        return None
    try:
        hours = typed.decimal(form["hours"], visitor().how, decimals=0)
    except typed.Unreadable as error:
        raise Invalid("Expected how many hours the emergency holds", {"hours": str(error)}) from error
    return now() + dt.timedelta(hours=int(hours))


def _following(act: Act, before: PartRevision, name: str) -> PartRevision | None:
    """Return the revision that follows: named in full, or by a letter, whose draft is made when there is none."""
    if not name:
        return None
    if "/" in name:
        return revision_called(act.session, name, "follows")
    known = next((one for one in before.part.revisions if one.rev == name), None)
    return known or draft_revision(act, before, name)


def revision_called(session: Session, name: str, field: str) -> PartRevision:
    """Return a part revision by name. Raises: Invalid for the field when there is none."""
    try:
        found = record_called(session, name)
    except Invalid as refusal:
        raise Invalid(refusal.message, {field: "is unknown"}) from refusal
    if not isinstance(found, PartRevision):
        raise Invalid(
            f"Expected a part revision such as P-200/B, but found {name[:60]}", {field: "is another document"}
        )
    return found


def _options(kind: Any) -> list[tuple[str, str]]:
    return [(one.value, formats.words(one)) for one in kind]
