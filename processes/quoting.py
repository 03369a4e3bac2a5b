"""Ask suppliers for quotes and take what they answer (A14): from the supplier's own form, or keyed by the buyer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.jobs import defer
from engine.messages import publish
from processes.notices import tell
from processes.seats import roles_held
from records.attachment import attach
from records.calendar import Site
from records.money import minor_unit
from records.numbering import next_number
from records.quotation import (
    Invitation,
    Quotation,
    QuotationLine,
    QuoteChannel,
    RequestForQuotation,
    RequestLine,
    RequestStatus,
    move,
)
from records.requisition import Requisition, RequisitionLine
from records.sourcing import rate_on
from records.supplier import Supplier

QUOTES_IN, CHANGED = "quotes.in", "quotes.changed"
"""Messages to a flow that waits for quotes, by the id of the request: nobody is waited for any more; the due date moved."""

LONGEST_WAIT = dt.timedelta(days=180)
MOST_INVITED = 30
LONGEST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Offer:
    """What a supplier quotes. prices: by line number, per unit, in ``currency``; charges: for all lines together."""

    prices: Mapping[int, Decimal]
    currency: str
    lead_time_days: int
    valid_to: dt.date
    charges: Decimal = Decimal(0)
    incoterm: str = ""
    reference: str = ""
    remarks: str = ""
    files: Sequence[tuple[str, bytes]] = field(default=())


def draft_request(
    act: Act, requisition: Requisition, lines: Sequence[RequisitionLine], *, ship_to: str, quotes_needed: int
) -> RequestForQuotation:
    """Write a request for what an award's lines still need; nobody is asked yet."""
    site = requisition.site
    request = RequestForQuotation(
        number=next_number(act, "RFQ", site=site), site=site, site_id=site.id, requisition=requisition,
        requisition_id=requisition.id, quotes_needed=quotes_needed, currency=requisition.currency, ship_to=ship_to,
    )  # fmt: skip
    for number, line in enumerate(lines, start=1):
        request.lines.append(
            RequestLine(
                line_no=number, requisition_line=line, requisition_line_id=line.id, item=line.item[:200],
                description=line.description, spec=" rev ".join(filter(None, [line.spec, line.spec_rev])),
                quantity=line.open_quantity, uom=line.uom, need_by=line.need_by or requisition.need_by,
            )
        )  # fmt: skip
    act.session.add(request)
    act.session.flush()
    return request


def open_request(
    act: Act, request: RequestForQuotation, suppliers: Sequence[Supplier], *, answer_by: dt.date, message: str = ""
) -> list[Invitation]:
    """Ask suppliers until the end of a site-local day, and return who is asked now for the first time.

    Suppliers who were asked before stay asked. Raises: Invalid naming the field; Conflict.
    """
    asked = {one.supplier_id for one in request.invitations}
    fresh = [supplier for supplier in dict.fromkeys(suppliers) if supplier.id not in asked]
    if not fresh and not asked:
        raise Invalid("Expected suppliers to ask, but none is chosen", {"supplier_ids": "Choose who is asked"})
    if len(asked) + len(fresh) > MOST_INVITED:
        raise Invalid(
            f"Expected at most {MOST_INVITED} suppliers, but found {len(asked) + len(fresh)}",
            {"supplier_ids": "too many"},
        )
    due_at = end_of(request.site, answer_by)
    _check_due(act, due_at, answer_by)
    request.buyer_id = act.user_id or request.buyer_id
    request.due_at, request.message = due_at, message[:LONGEST_TEXT]
    request.sent_at = request.sent_at or act.now
    request.closed_at = request.closed_reason = None
    move(act, request, RequestStatus.OPEN)
    made = [
        Invitation(request_id=request.id, supplier_id=supplier.id, email=address_of(supplier)) for supplier in fresh
    ]
    act.session.add_all(made)
    act.session.flush()
    act.session.expire(request, ["invitations"])
    return made


def mail_request(act: Act, invitation: Invitation) -> bool:
    """Mail the request with its PDF and the link of the form. Returns whether there is an address to mail to.

    The link itself is made when the mail goes out, so that no row of the database holds it.
    """
    request = invitation.request
    if not invitation.email:
        subject = f"{request.number}: {invitation.supplier.name} has no address for mail"
        body = "Ask by telephone or letter, and key the quote on the page of the request."
        tell(
            act, [request.buyer_id] if request.buyer_id else [], subject, key=f"{invitation.id}:no-address", body=body,
            record=(request.record_type, request.id),
        )  # fmt: skip
        return False
    defer(
        act, "mail",
        {
            "to": [invitation.email], "subject": f"Request for quotation {request.number}", "text": _letter(act, invitation),
            "invitation_id": invitation.id,
        },
    )  # fmt: skip
    return True


def mail_again(act: Act, invitation: Invitation) -> None:
    """Mail the request once more under a new link; the one before opens nothing any more. Raises: Forbidden; Conflict."""
    _need_buyer(act)
    _need_open(act, invitation.request)
    if not invitation.email:
        raise Conflict(f"Expected an address of {invitation.supplier.name}, but there is none on its page")
    invitation.link_no += 1
    act.session.flush()
    mail_request(act, invitation)


def take_quote(act: Act, invitation: Invitation, offer: Offer, *, channel: QuoteChannel) -> Quotation:
    """Keep a quote, or a newer revision of it, until the due date; with the last answer the flow goes on.

    Raises: Forbidden for who is no buyer; Conflict QUOTES_CLOSED; Invalid naming the field (``prices.1``), NO_EXCHANGE_RATE included.
    """
    if channel is QuoteChannel.BUYER:
        _need_buyer(act)
    request = locked(act, invitation.request)
    _need_open(act, request)
    _check_offer(act, request, offer)
    quotation = Quotation(
        invitation_id=invitation.id, revision=len(invitation.quotations) + 1, channel=channel,
        received_at=act.now, currency=offer.currency, charges=offer.charges, lead_time_days=offer.lead_time_days,
        valid_to=offer.valid_to, incoterm=offer.incoterm[:200], reference=offer.reference[:200], remarks=offer.remarks,
    )  # fmt: skip
    act.session.add(quotation)
    invitation.declined_at = invitation.decline_reason = None
    act.session.flush()
    act.session.add_all(
        QuotationLine(quotation_id=quotation.id, line_no=line_no, unit_price=price)
        for line_no, price in sorted(offer.prices.items())
    )
    act.session.flush()
    act.session.expire(invitation, ["quotations"])
    act.session.expire(quotation, ["lines"])
    for name, content in offer.files:
        attach(act, quotation, content, file_name=name)
    _answered(act, request)
    return quotation


def decline(act: Act, invitation: Invitation, *, reason: str, by_supplier: bool = False) -> None:
    """Note that a supplier does not quote. Raises: Forbidden; Conflict QUOTES_CLOSED."""
    if not by_supplier:
        _need_buyer(act)
    request = locked(act, invitation.request)
    _need_open(act, request)
    invitation.declined_at, invitation.decline_reason = act.now, reason.strip()[:LONGEST_TEXT]
    act.session.flush()
    _answered(act, request)


def extend(act: Act, request: RequestForQuotation, *, answer_by: dt.date) -> None:
    """Move the due date of an open request; everybody who is asked is told. Raises: Forbidden; Conflict; Invalid."""
    _need_buyer(act)
    request = locked(act, request)
    _need_open(act, request)
    due_at = end_of(request.site, answer_by)
    _check_due(act, due_at, answer_by)
    request.due_at = due_at
    act.session.flush()
    for invitation in request.invitations:
        if not invitation.is_answered:
            mail_request(act, invitation)
    publish(act, CHANGED, correlation_key=request.id, message_id=f"{request.id}:{act.id}", ttl=dt.timedelta(0))


def stop_waiting(act: Act, request: RequestForQuotation, *, reason: str) -> None:
    """Compare what is there before the due date. Raises: Forbidden; Conflict; Invalid without a reason."""
    _need_buyer(act)
    request = locked(act, request)
    _need_open(act, request)
    if not reason.strip():
        raise Invalid("Expected a reason to stop waiting, but there is none", {"reason": "is required"})
    request.closed_reason = reason.strip()[:LONGEST_TEXT]
    act.session.flush()
    _go_on(act, request)


def close(act: Act, request: RequestForQuotation) -> None:
    """Take no more quotes; the links of the form only show what was sent."""
    if request.status is RequestStatus.OPEN:
        move(act, request, RequestStatus.COMPARING)
        request.closed_at = act.now
        act.session.flush()


def award(act: Act, quotation: Quotation) -> None:
    """Note which quote was chosen. Raises: Conflict."""
    invitation = quotation.invitation
    for other in invitation.request.invitations:
        other.awarded_at = act.now if other is invitation else None
    if invitation.request.status is not RequestStatus.AWARDED:
        move(act, invitation.request, RequestStatus.AWARDED)
    act.session.flush()


def reopen(act: Act, request: RequestForQuotation) -> None:
    """Compare again: the one that was chosen cannot deliver."""
    if request.status is RequestStatus.AWARDED:
        move(act, request, RequestStatus.COMPARING, reason="The chosen supplier does not deliver")
        for invitation in request.invitations:
            invitation.awarded_at = None
        act.session.flush()


def cancel(act: Act, request: RequestForQuotation, *, reason: str) -> None:
    """End a request; who was asked and has an address is told, once it had been sent."""
    if request.status is RequestStatus.CANCELLED:
        return
    was_open = request.status in (RequestStatus.OPEN, RequestStatus.COMPARING)
    move(act, request, RequestStatus.CANCELLED, reason=reason)
    request.closed_at = request.closed_at or act.now
    request.closed_reason = reason[:LONGEST_TEXT]
    act.session.flush()
    for invitation in request.invitations if was_open else ():
        if invitation.email and invitation.declined_at is None:
            text = f"We do not go on with {request.number} ({request.title}). Thank you for your work.\n\n{request.site.name}"
            defer(
                act, "mail",
                {"to": [invitation.email], "subject": f"Request for quotation {request.number} is withdrawn", "text": text},
            )  # fmt: skip


def locked(act: Act, request: RequestForQuotation) -> RequestForQuotation:
    """Lock the row of a request, so that an answer and the end of the waiting come one after the other."""
    act.session.flush()
    act.session.refresh(request, with_for_update=True)
    return request


def end_of(site: Site, day: dt.date) -> dt.datetime:
    """Return the instant at which a site-local day ends."""
    midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=site.zone)
    return midnight.astimezone(dt.UTC)


def last_day(request: RequestForQuotation) -> dt.date | None:
    """Return the last site-local day on which quotes are taken."""
    if request.due_at is None:
        return None
    return request.site.local_day(request.due_at - dt.timedelta(microseconds=1))


def address_of(supplier: Supplier) -> str:
    """Return where requests to a supplier go: the address of its default site, else its own."""
    site = next((place for place in supplier.sites if place.is_default and place.email), None)
    return site.email if site is not None else supplier.email


def invitation_of(act: Act, request: RequestForQuotation, supplier_id: str) -> Invitation | None:
    """Return the invitation of a supplier."""
    wanted = select(Invitation).where(Invitation.request_id == request.id, Invitation.supplier_id == supplier_id)
    return act.session.scalar(wanted)


def _answered(act: Act, request: RequestForQuotation) -> None:
    if all(one.is_answered for one in request.invitations):
        _go_on(act, request)


def _go_on(act: Act, request: RequestForQuotation) -> None:
    publish(act, QUOTES_IN, correlation_key=request.id, message_id=f"{request.id}:{act.id}", ttl=dt.timedelta(0))
    if request.buyer_id and request.buyer_id != act.user_id:
        subject = f"{request.number}: every quote is in"
        tell(
            act, [request.buyer_id], subject, key=f"{request.id}:in:{act.id}", record=(request.record_type, request.id)
        )


def _need_buyer(act: Act) -> None:
    if act.user_id is not None and "BUYER" not in roles_held(act):
        raise Forbidden("Expected a buyer to work on a request for quotation, but you are none")


def _need_open(act: Act, request: RequestForQuotation) -> None:
    if request.takes_quotes(act.now):
        return
    day = last_day(request)
    over = request.status is RequestStatus.OPEN and day is not None
    raise Conflict(
        f"Expected {request.number} to take quotes, but "
        + (f"its last day was {day}." if over else f"it is {request.status.value.lower()}.")
        + " Our buyer can ask once more.",
        code="QUOTES_CLOSED", record=(request.record_type, request.id),
    )  # fmt: skip


def _check_due(act: Act, due_at: dt.datetime, day: dt.date) -> None:
    if due_at <= act.now:
        raise Invalid(f"Expected a day that is not over, but found {day}", {"answer_by": "is over"})
    if due_at > act.now + LONGEST_WAIT:
        raise Invalid(
            f"Expected a day within {LONGEST_WAIT.days} days, but found {day}", {"answer_by": "is too far away"}
        )


def _check_offer(act: Act, request: RequestForQuotation, offer: Offer) -> None:
    today = request.site.local_day(act.now)
    fields: dict[str, str] = {}
    for line in request.lines:
        price = offer.prices.get(line.line_no)
        if price is None:
            fields[f"prices.{line.line_no}"] = f"Expected a price of {line.item}, but there is none"
        elif price < 0 or not price.is_finite():
            fields[f"prices.{line.line_no}"] = f"Expected a price of 0 or more, but found {price}"
    unknown = sorted(set(offer.prices) - {line.line_no for line in request.lines})
    if unknown:
        fields[f"prices.{unknown[0]}"] = f"Expected a line of {request.number}, but there is no line {unknown[0]}"
    if offer.charges < 0:
        fields["charges"] = "Expected charges of 0 or more"
    if not 0 <= offer.lead_time_days <= 3650:
        fields["lead_time_days"] = "Expected a lead time from 0 to 3650 days"
    if offer.valid_to < today:
        fields["valid_to"] = f"Expected a quote that holds today, {today}, but it ends on {offer.valid_to}"
    if len(offer.remarks) > LONGEST_TEXT:
        fields["remarks"] = f"Expected at most {LONGEST_TEXT:,} characters"
    if fields:
        raise Invalid("Expected a quote that can be compared, but some of it does not fit", fields)
    minor_unit(offer.currency)
    rate_on(act.session, offer.currency, company_currency=request.site.currency, on=today)


def _letter(act: Act, invitation: Invitation) -> str:
    request, site = invitation.request, invitation.request.site
    things = "\n".join(
        f"  {line.line_no}. {line.quantity.normalize():f} {line.uom} {line.item}" for line in request.lines
    )
    said = [
        f"{invitation.supplier.name},",
        f"{site.name} asks you to quote:",
        things,
        request.message,
        f"Please answer by {last_day(request)}, end of the day ({site.time_zone}). You may revise your quote until then.",
        "The request is attached.",
    ]
    if request.buyer is not None:
        said.append(f"{request.buyer.name}\n{site.name}")
    return "\n\n".join(filter(None, said))
