"""The steps of asking for quotes (A14): prepare, send to each supplier, wait until all answered or the due date is over, close."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.errors import Invalid
from engine.instances import link_record
from engine.registry import Registry, Work
from processes import quoting
from processes.documents import existing, requisition_of
from processes.notices import tell
from processes.quote_answers import forget_closing, tell_of_closing, was_told_of_closing
from processes.quote_comparison import choices_of, compare
from processes.sourcing import lines_of, request_of
from records.quotation import Invitation, RequestForQuotation, RequestStatus
from records.supplier import Supplier
from rules.supplier_gate import suppliers_for

registry = Registry()

OFFERED = 40
"""Suppliers that a form lists at most, those it proposes first."""

PROPOSED = 6
"""Suppliers that a form proposes to ask at most."""


@registry.step("prepare_request")
def prepare_request(act: Act, work: Work) -> Mapping[str, Any]:
    """Draft the request of an award, or take up the one it has: its quotes are compared again unless more are asked for."""
    requisition, award = requisition_of(act, work), work["award"]
    request = request_of(act, work)
    if request is None or request.status is RequestStatus.CANCELLED:
        request = quoting.draft_request(
            act, requisition, lines_of(act, award), ship_to=str(award.get("ship_to") or ""),
            quotes_needed=int(work["sourcing"].get("quotes_needed") or 0),
        )  # fmt: skip
        if work.instance is not None:
            link_record(act, work.instance.id, request.record_type, request.id)
    quoting.reopen(act, request)
    asks_again = bool(work.get("ask_again"))
    calendar = act.installation.calendar
    due = (
        calendar.add_business_days(act.session, act.now, work["timers"]["quote_days"])
        if calendar is not None
        else act.now
    )
    proposed = _proposed(act, request, work["sourcing"]["suppliers"])
    return {
        "rfq": request_variable(act, request)
        | {
            "choices": sorted(work["sourcing"]["suppliers"], key=lambda one: one["value"] not in proposed)[:OFFERED],
            "is_compared_again": request.status is RequestStatus.COMPARING and not asks_again,
            "answer_by": requisition.site.local_day(due),
            "outcome": "compare",
            "proposed": proposed,
        }
    }


@registry.step("open_request")
def open_request(act: Act, work: Work) -> Mapping[str, Any]:
    """Take down whom the buyer asks and until when; what cannot be sent so is said to the buyer, who is asked again.

    Who was told meanwhile that the request had closed is mailed once more.
    """
    request, wanted = _request(act, work), work["wanted"]
    try:
        with act.attempt():
            suppliers = [existing(act.session, Supplier, each) for each in wanted.get("supplier_ids") or ()]
            made = quoting.open_request(
                act,
                request,
                suppliers,
                answer_by=_day(wanted.get("answer_by")),
                message=str(wanted.get("message") or ""),
            )
    except Invalid as refusal:
        subject = f"{request.number} was not sent"
        record = (request.record_type, request.id)
        tell(act, [act.user_id or ""], subject, key=f"unsent:{act.id}", body=refusal.message, record=record)
        return {"rfq": dict(work["rfq"]) | {"problem": refusal.message}, "invitations": []}
    again = [one for one in request.invitations if not one.is_answered and was_told_of_closing(act.session, one)]
    for one in again:
        forget_closing(act, one)
    return {
        "rfq": dict(work["rfq"]) | request_variable(act, request),
        "invitations": [{"id": one.id, "name": one.supplier.name} for one in [*made, *again]],
    }


@registry.step("send_request")
def send_request(act: Act, work: Work) -> None:
    """Mail the request, with PDF and link, to one supplier."""
    quoting.mail_request(act, existing(act.session, Invitation, work["invitation"]["id"]))


@registry.step("reread_request")
def reread_request(act: Act, work: Work) -> Mapping[str, Any]:
    """Wait until the due date as it is now."""
    return {"rfq": dict(work["rfq"]) | request_variable(act, _request(act, work))}


@registry.step("close_request")
def close_request(act: Act, work: Work) -> Mapping[str, Any]:
    """Take no more quotes, and count those that are valid; the buyer is told."""
    request = _request(act, work)
    if request.status is RequestStatus.OPEN:
        quoting.close(act, request)
        tell_of_closing(act, request)
    compared = request_variable(act, request)
    if request.buyer_id is not None:
        subject = f"{request.number}: {compared['valid']} of {request.quotes_needed} quotes to compare"
        record = (request.record_type, request.id)
        tell(act, [request.buyer_id], subject, key=f"{request.id}:closed:{act.id}", record=record)
    return {"rfq": dict(work["rfq"]) | compared}


def request_variable(act: Act, request: RequestForQuotation) -> dict[str, Any]:
    """Return the variable ``rfq``: what forms and gateways look at. quotes: choices of those that count."""
    compared = compare(act.session, request, on=request.site.local_day(act.now))
    return {
        "id": request.id,
        "number": request.number,
        "title": request.title,
        "hash": compared.hash,
        "due_at": request.due_at,
        "quotes": choices_of(compared),
        "valid": Decimal(len(compared.valid)),
        "is_enough": compared.is_enough,
        "problem": None,
    }


def _proposed(act: Act, request: RequestForQuotation, known: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return whom the form proposes to ask: who is asked already, who is approved for every line, and who sells these parts."""
    today = request.site.local_day(act.now)
    able = [{one.id for one in suppliers_for(act.session, line.requisition_line, on=today)} for line in request.lines]
    approved = set.intersection(*able) if able else set[str]()
    asked = {one.supplier_id for one in request.invitations}
    fitting = [one["value"] for one in known if one["value"] in asked | approved or one["sells"]]
    return fitting[: max(PROPOSED, len(asked))]


def _request(act: Act, work: Work) -> RequestForQuotation:
    return existing(act.session, RequestForQuotation, work["rfq"]["id"])


def _day(given: object) -> dt.date:
    if isinstance(given, dt.date):
        return given
    try:
        return dt.date.fromisoformat(str(given)[:10])
    except ValueError as error:
        raise Invalid(
            f"Expected a day such as 2026-11-30, but found {given!r:.40}", {"answer_by": "is no day"}
        ) from error
