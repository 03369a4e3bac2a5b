"""What suppliers who were asked for a quote hear at the end: that another was chosen, or that the request closed without their answer.

Mail goes out as a job, once for each supplier and occasion; the chain of the invitation says who was told what, and when. No mail names
another supplier or a price.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.audit import AuditEvent
from engine.jobs import defer
from processes.notices import tell
from records.quotation import Invitation, RequestForQuotation, RequestStatus

TOLD = "SUPPLIER_TOLD"
"""The action of the events that say what a supplier was told; ``field`` is the occasion, ``new`` the address."""


class Occasion(StrEnum):
    """What a supplier is told."""

    CLOSED = "closed"
    NOT_CHOSEN = "not_chosen"


@dataclass(frozen=True, slots=True)
class Told:
    """What one supplier was told. to: the address; empty where there is none, and the buyer was asked to tell."""

    occasion: Occasion
    at: dt.datetime
    to: str


def tell_of_closing(act: Act, request: RequestForQuotation) -> None:
    """Tell those who were asked and did not answer that no more quotes are taken."""
    late = [one for one in request.invitations if not one.is_answered]
    _tell(
        act, request, late, Occasion.CLOSED, f"Request for quotation {request.number} is closed",
        f"we asked you to quote {request.title}. The time to answer is over and we received no quote of yours, so we go on without one."
        " We will gladly ask you again.",
    )  # fmt: skip


def tell_of_award(act: Act, request: RequestForQuotation, supplier_id: str) -> None:
    """Tell those who quoted and were not chosen, once the order of who was chosen is drafted.

    Not at the choice itself: a justification that is not signed or a supplier who may not deliver takes it back.
    """
    if request.status not in (RequestStatus.AWARDED, RequestStatus.COMPARING):
        return
    others = [one for one in request.invitations if one.quotation is not None and one.supplier_id != supplier_id]
    _tell(
        act, request, others, Occasion.NOT_CHOSEN, f"Your quote for {request.number}",
        f"thank you for quoting {request.title}. This time we have chosen another offer. Your quote stays on file, and we will gladly ask"
        " you again.",
    )  # fmt: skip


def told(session: Session, request: RequestForQuotation) -> Mapping[str, Sequence[Told]]:
    """Return what each supplier who was asked has been told, by invitation, the first first."""
    ids = [one.id for one in request.invitations]
    wanted = select(AuditEvent).where(
        AuditEvent.record_type == Invitation.record_type, AuditEvent.record_id.in_(ids), AuditEvent.action == TOLD
    )
    found: dict[str, list[Told]] = {}
    for event in session.scalars(wanted.order_by(AuditEvent.record_id, AuditEvent.seq)):
        found.setdefault(event.record_id, []).append(Told(Occasion(event.field or ""), event.at, event.new or ""))
    return found


def forget_closing(act: Act, invitation: Invitation) -> None:
    """Note that a supplier is asked again: a closing to come is told anew."""
    act.note(Invitation.record_type, invitation.id, "ASKED_AGAIN")


def was_told_of_closing(session: Session, invitation: Invitation) -> bool:
    """Whether the last that a supplier heard is that the request closed without its answer."""
    heard = (
        select(AuditEvent.action, AuditEvent.field)
        .where(
            AuditEvent.record_type == Invitation.record_type,
            AuditEvent.record_id == invitation.id,
            AuditEvent.action.in_((TOLD, "ASKED_AGAIN")),
        )
        .order_by(AuditEvent.seq.desc())
        .limit(1)
    )
    last = session.execute(heard).first()
    return last is not None and tuple(last) == (TOLD, Occasion.CLOSED.value)


def _tell(
    act: Act,
    request: RequestForQuotation,
    invitations: Iterable[Invitation],
    occasion: Occasion,
    subject: str,
    text: str,
) -> None:
    before = told(act.session, request)
    unreached: list[str] = []
    for one in invitations:
        heard = before.get(one.id, ())
        if occasion is Occasion.CLOSED and was_told_of_closing(act.session, one):
            continue
        if occasion is Occasion.NOT_CHOSEN and any(each.occasion is occasion for each in heard):
            continue
        if one.email:
            letter = f"{one.supplier.name},\n\n{text}\n\n{_signed(request)}"
            defer(act, "mail", {"to": [one.email], "subject": subject, "text": letter})
        else:
            unreached.append(one.supplier.name)
        act.note(Invitation.record_type, one.id, TOLD, field=occasion.value, new=one.email)
    if unreached and request.buyer_id is not None:
        tell(
            act, [request.buyer_id], f"{request.number}: tell {', '.join(unreached)}"[:200],
            key=f"{request.id}:{occasion.value}:{act.id}", body=f"They have no address for mail. What the others are told: {text}",
            record=(request.record_type, request.id),
        )  # fmt: skip


def _signed(request: RequestForQuotation) -> str:
    return f"{request.buyer.name}\n{request.site.name}" if request.buyer is not None else request.site.name
