"""Change requests: the list, the form that takes up refused edits, the page of one with its triage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from processes import change_control
from processes import change_requests as desk
from processes.change_values import edit_of, read_value, record_called
from records.change_order import ChangeOrder, ChangeOrderRequest
from records.change_request import ChangeRequest, OrderClass, RequestSource, RequestStatus, Urgency
from webapp import change_dossier, change_page, document_page, formats, listing, sheet
from webapp.pages import orders
from webapp.refusals import status_of
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("change_requests", __name__)

Page = str | tuple[str, int] | Answer
SPECIALISTS = ("CHANGE_SPECIALIST", "ENG_AUTH", "QA_ENG")
MOST_EDITS = 200
TRIAGE = {
    "accept": RequestStatus.ACCEPTED, "reject": RequestStatus.REJECTED, "defer": RequestStatus.DEFERRED,
    "duplicate": RequestStatus.DUPLICATE,
}  # fmt: skip


@pages.get("/change-requests")
def index() -> str:
    """List change requests, newest first."""
    return render_template(
        "changes/requests.html", page=look_up(*listing.search()), states=list(RequestStatus), tab="requests"
    )


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "title": "title", "state": "status", "urgency": "urgency", "source": "source", "originator": "originator",
    "submitted_at": "submitted_at", "decided_by": "decided_by", "decided_at": "decided_at",
}  # fmt: skip


@sheet.offered(pages, "/change-requests")
def export() -> sheet.Sheet:
    """Hand out the change requests that a search finds, the newest first."""
    return sheet.of_page("change-requests", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of requests by number or title, newest first."""
    wanted = select(ChangeRequest)
    if query:
        wanted = wanted.where(listing.contains(query, ChangeRequest.number, ChangeRequest.title))
    if state:
        wanted = wanted.where(ChangeRequest.status == state)
    return listing.newest_first(reading(), wanted, ChangeRequest, query=query, state=state, after=after, limit=limit)


@pages.route("/change-requests/new", methods=["GET", "POST"])
def new() -> Page:
    """Show the form, with the edits that are carried in; on POST keep the request and send it."""
    if request.method != "POST":
        return _form(request.args)
    form = request.form
    if form.get("do") == "carry":
        return _form(form)
    try:
        with acting() as act:
            made = desk.open_request(
                act, title=form.get("title", ""), problem=form.get("problem", ""), proposal=form.get("proposal", ""),
                source=_word(RequestSource, form, "source"), source_ref=form.get("source_ref", "").strip()[:200],
                urgency=_word(Urgency, form, "urgency"), edits=list(edits_given(act.session, form)),
                proposed_class=OrderClass(form["proposed_class"]) if form.get("proposed_class") in set(OrderClass) else None,
            )  # fmt: skip
            if form.get("do") != "draft":
                desk.submit(act, made)
                change_control.begin(act, made)
            number, record_id = made.number, made.id
    except Refused as refusal:
        return _form(form, refusal), status_of(refusal)
    flash(f"{number} is kept." if form.get("do") == "draft" else f"{number} waits for triage.", "good")
    return redirect(url_for("change_requests.show", record_id=record_id), 303)


@pages.get("/change-requests/<record_id>")
def show(record_id: str) -> str:
    """Show one request."""
    return _show(find(reading(), record_id))


@pages.post("/change-requests/<record_id>/<do>")
def decide(record_id: str, do: str) -> Page:
    """Send it, take it back, or judge it in triage."""
    if do in TRIAGE:
        orders.need(*SPECIALISTS)
    elif do not in ("submit", "withdraw"):
        raise NotFound("Expected something one can do with a change request at this address, but there is nothing.")
    reason = request.form.get("reason", "")
    try:
        with acting() as act:
            found = find(act.session, record_id)
            if do == "submit":
                desk.submit(act, found)
                change_control.begin(act, found)
            elif do == "withdraw":
                desk.withdraw_request(act, found, reason=reason)
            else:
                twin = _called(act.session, request.form.get("duplicate_of", "")) if do == "duplicate" else None
                desk.triage(act, found, TRIAGE[do], reason=reason, duplicate_of=twin)
                change_control.decided_elsewhere(act, found)
            said = f"{found.number} is {formats.words(found.status).lower()}."
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(said, "good")
    return redirect(url_for("change_requests.show", record_id=record_id), 303)


def find(session: Session, record_id: str) -> ChangeRequest:
    """Return a request by id or number. Raises: NotFound."""
    if is_id(record_id):
        found = session.get(ChangeRequest, record_id)
    else:
        found = session.scalar(select(ChangeRequest).where(ChangeRequest.number == record_id))
    if found is None:
        raise NotFound("Expected a change request at this address, but there is none.")
    return found


def edits_given(session: Session, form: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the edits that a form names: ``edit.1.record``, ``edit.1.column``, ``edit.1.new``. Raises: Invalid."""
    for turn in range(1, MOST_EDITS + 1):
        name, column = form.get(f"edit.{turn}.record", "").strip(), form.get(f"edit.{turn}.column", "").strip()
        if not name:
            continue
        try:
            record = record_called(session, name)
            yield edit_of(record, column, read_value(record, column, form.get(f"edit.{turn}.new")))
        except Invalid as refusal:
            fields = {f"edit.{turn}.{field}": text for field, text in refusal.fields.items()}
            raise Invalid(refusal.message, fields) from refusal


def _form(form: Mapping[str, str], refusal: Refused | None = None) -> str:
    turns = [turn for turn in range(1, MOST_EDITS + 1) if form.get(f"edit.{turn}.record")]
    return render_template(
        "changes/request_form.html", form=form, refusal=refusal, errors=refusal.fields if isinstance(refusal, Invalid) else {},
        turns=[*turns, (turns[-1] if turns else 0) + 1], sources=_options(RequestSource), urgencies=_options(Urgency),
        classes=list(change_dossier.CLASS_WORDS.items()),
    )  # fmt: skip


def _show(found: ChangeRequest, refusal: Refused | None = None) -> str:
    session = reading()
    made = select(ChangeOrder).join(ChangeOrderRequest).where(ChangeOrderRequest.change_request_id == found.id)
    is_triage = found.status in (RequestStatus.SUBMITTED, RequestStatus.TRIAGED, RequestStatus.DEFERRED)
    return render_template(
        "changes/request.html", document=found, refusal=refusal, beside=document_page.beside(session, found),
        tab=request.args.get("tab", "summary"), values=change_page.edits_of(session, found), alike=desk.alike(session, found),
        made=list(session.scalars(made.order_by(ChangeOrder.number))), form=request.form,
        errors=refusal.fields if isinstance(refusal, Invalid) else {},
        may_triage=is_triage and visitor().holds(*SPECIALISTS),
        may_open=found.status is RequestStatus.ACCEPTED and visitor().holds(*SPECIALISTS),
        is_mine=found.originator == visitor().user_id and found.is_open,
    )  # fmt: skip


def _called(session: Session, number: str) -> ChangeRequest:
    found = session.scalar(select(ChangeRequest).where(ChangeRequest.number == number.strip()))
    if found is None:
        raise Invalid(
            f"Expected the number of a change request, but there is no {number.strip()[:40]!r}",
            {"duplicate_of": "is unknown"},
        )
    return found


def _word(kind: Any, form: Mapping[str, str], name: str) -> Any:
    given = form.get(name, "")
    if given not in set(kind):
        raise Invalid(f"Expected one of {', '.join(kind)}, but found {given[:40]!r}", {name: "Choose one"})
    return kind(given)


def _options(kind: Any) -> list[tuple[str, str]]:
    return [(one.value, formats.words(one)) for one in kind]
