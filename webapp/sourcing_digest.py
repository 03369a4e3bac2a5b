"""Requests for quotation and justifications of single sources in a few lines, for the review of their tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from processes.quote_comparison import Comparison, compare
from processes.quoting import last_day
from records.attachment import Attachment
from records.quotation import RequestForQuotation
from records.sole_source import SoleSourceJustification
from webapp import visit
from webapp.formats import day, money, plural, quantity, words


def comparison_of(session: Session, asked: RequestForQuotation) -> Comparison:
    """Return the comparison of today at the plant."""
    return compare(session, asked, on=asked.site.local_day(visit.now()))


def files_of(session: Session, compared: Comparison) -> Mapping[str, Sequence[Attachment]]:
    """Return the files of each quote that is shown."""
    shown = [column.quotation.id for column in compared.columns if column.quotation is not None]
    wanted = select(Attachment).where(Attachment.owner_type == "quotation", Attachment.owner_id.in_(shown))
    found: dict[str, list[Attachment]] = {}
    for one in session.scalars(wanted.order_by(Attachment.id)) if shown else ():
        found.setdefault(one.owner_id, []).append(one)
    return found


def request_digest(asked: RequestForQuotation, compared: Comparison) -> Sequence[tuple[str, str]]:
    """Return what is asked for, why, and how the quotes stand."""
    how, currency = visit.visitor().how, asked.site.currency
    things = ", ".join(f"{quantity(line.quantity, line.uom, how)} of {line.item}" for line in asked.lines[:3])
    best = compared.valid[0] if compared.valid else None
    standing = f"{len(compared.valid)} of {asked.quotes_needed} needed quotes count"
    if best is not None and best.landed is not None:
        standing += f"; lowest is {best.invitation.supplier.name}, {money(best.landed, currency, how)} landed"
    until = last_day(asked)
    return (
        ("What", things),
        ("Why", f"{asked.requisition.number}: {asked.requisition.justification or asked.requisition.title or 'no reason given'}"),
        ("Asked", f"{plural(len(asked.invitations), 'supplier')}, until {day(until, how)}" if until else "Nobody yet"),
        ("Quotes", standing),
    )  # fmt: skip


def justification_digest(written: SoleSourceJustification) -> Sequence[tuple[str, str]]:
    """Return what a justification says."""
    how = visit.visitor().how
    return (
        ("What", f"{money(written.amount, written.currency, how)} from {written.supplier.name} for {written.requisition.number}"),
        ("Why", f"{words(written.cause)}: {written.reason}"),
        ("Price", written.price_reasonable or "Nothing is said of it."),
        ("Quotes", f"{written.quotes_valid} of {written.quotes_needed} that are needed count"),
    )  # fmt: skip


def request_values(session: Session, asked: RequestForQuotation) -> tuple[Comparison, dict[str, Any]]:
    """Return the comparison, and what its template is given."""
    compared = comparison_of(session, asked)
    return compared, {"comparison": compared, "files": files_of(session, compared)}
