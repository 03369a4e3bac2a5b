"""How a story gets past the asking for quotes: suppliers who are asked, and the quotes they give."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from processes.quoting import Offer, take_quote
from records.quotation import Invitation, QuoteChannel, RequestForQuotation
from records.supplier import Supplier
from tests.makers import make_approval, make_supplier
from tests.people import bea
from tests.story import Story

D = Decimal
HOLDS = dt.date(2026, 12, 31)
OTHERS = ("Prairie Parts", "Kansas Kilns")
"""Suppliers who are asked beside the one that wins."""


def rivals(act: Act) -> list[str]:
    """Return the ids of two approved suppliers, made when they are not there."""
    found = []
    for name in OTHERS:
        known = act.session.scalar(select(Supplier).where(Supplier.name == name))
        if known is None:
            known = make_supplier(act, name=name, email=f"sales@{name.split()[0].lower()}.example")
            make_approval(act, known)
        found.append(known.id)
    return found


def asked(story: Story, *supplier_ids: str, answer_by: str = "2026-11-27") -> Story:
    """Let the buyer ask these suppliers."""
    return story.as_(bea).decide(
        "request_quotes", "send", supplier_ids=list(supplier_ids), answer_by=answer_by, message=""
    )


def quotes(story: Story, prices: Mapping[str, Any], **given: Any) -> Story:
    """Let the buyer key one price for every line of each supplier. prices: by supplier id."""
    for supplier_id, price in prices.items():
        with story.as_(bea).acting() as act:
            invitation = act.session.scalars(
                select(Invitation).where(Invitation.supplier_id == supplier_id).order_by(Invitation.id.desc())
            ).first()
            assert invitation is not None
            offer = {"currency": "USD", "lead_time_days": 14, "valid_to": HOLDS} | given
            lines = {line.line_no: D(price) for line in invitation.request.lines}
            take_quote(act, invitation, Offer(prices=lines, **offer), channel=QuoteChannel.BUYER)
    return story.settle()


def chosen(story: Story, supplier_id: str, *, price: Any, count: int = 3) -> Story:
    """Ask ``count`` suppliers, get a quote of each, and choose this one's, at this price."""
    others: Sequence[str] = story.given(rivals)[: count - 1]
    asked(story, supplier_id, *others)
    quotes(story, {supplier_id: price, **{other: D(price) + 1 for other in others}})
    won = quote_of(story, supplier_id)
    return story.as_(bea).decide(
        "compare_quotes", "award", quotation_id=won, note="the only one who can deliver in time"
    )


def quote_of(story: Story, supplier_id: str) -> str:
    """Return the id of a supplier's newest quote."""
    wanted = select(Invitation).where(Invitation.supplier_id == supplier_id).order_by(Invitation.id.desc())
    return str(story.read(lambda session: session.scalars(wanted).first().quotation.id))


def request_in(story: Story) -> RequestForQuotation:
    """Return the newest request, with who is asked and what they quote."""
    with story.installation.reading() as session:
        found = session.scalars(select(RequestForQuotation).order_by(RequestForQuotation.id.desc())).first()
        assert found is not None
        for invitation in found.invitations:
            session.refresh(invitation, ["supplier", "quotations"])
        return found
