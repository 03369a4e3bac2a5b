"""What does not fit, by age: held invoices, goods kept apart or rejected, and fields that systems disagree about."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from flask import Blueprint, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from processes import matching
from processes import mismatches as desk
from records.external import Discrepancy, DiscrepancyStatus
from records.invoice import HoldStatus, MatchHold
from records.receipt import Receipt, ReceiptStatus
from webapp import dossiers
from webapp.sheet import Sheet, offered
from webapp.visit import now, reading, visitor

pages = Blueprint("holds", __name__)

APART = (ReceiptStatus.QUARANTINE, ReceiptStatus.REJECTED)
AGES = ((7, "Over a week"), (3, "Over three days"), (1, "Over a day"), (0, "Today"))


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that does not fit. owner: a principal; since: when it was found; kind: HOLD, GOODS or FIELD."""

    kind: str
    number: str
    url: str
    what: str
    expected: str
    found: str
    owner: str
    since: dt.datetime

    @property
    def age(self) -> str:
        """How old it is, in the words of the list."""
        days = (now() - self.since).days
        return next(words for least, words in AGES if days >= least)


@pages.get("/holds")
def index() -> str:
    """List what does not fit, the oldest first."""
    found = mismatches(reading())
    mine = {f"role:{role.partition('@')[0]}" for role in visitor().roles} | {f"user:{visitor().user_id}"}
    groups = [(words, [one for one in found if one.age == words]) for _, words in AGES]
    return render_template(
        "invoices/holds.html", groups=[group for group in groups if group[1]], mine=mine, count=len(found)
    )


@offered(pages, "/holds")
def export() -> Sheet:
    """Hand out what does not fit, the oldest first."""
    columns = ("kind", "document", "what", "expected", "found", "owner", "since")
    rows = [
        (one.kind, one.number, one.what, one.expected, one.found, one.owner, one.since) for one in mismatches(reading())
    ]
    return Sheet("holds", columns, rows)


def mismatches(session: Session) -> list[Mismatch]:
    """Return everything that does not fit now, the oldest first."""
    found = [*_holds(session), *_goods(session), *_fields(session)]
    return sorted(found, key=lambda one: (one.since, one.number))


def _holds(session: Session) -> list[Mismatch]:
    wanted = select(MatchHold).where(MatchHold.status == HoldStatus.OPEN).order_by(MatchHold.opened_at).limit(300)
    return [
        Mismatch(
            "HOLD", hold.invoice_line.invoice.number, url_for("invoices.show", record_id=hold.invoice_line.invoice_id),
            f"{matching.words_of(hold.code)} on {hold.invoice_line.order_line.number}",
            hold.expected, hold.found, hold.owner, hold.opened_at,
        )
        for hold in session.scalars(wanted)
    ]  # fmt: skip


def _goods(session: Session) -> list[Mismatch]:
    wanted = select(Receipt).where(Receipt.status.in_(APART)).order_by(Receipt.changed_at).limit(300)
    return [
        Mismatch(
            "GOODS", goods.number, url_for("goods.show", record_id=goods.id),
            f"{goods.quantity.normalize():f} {goods.uom} of {goods.order_line.item} on {goods.order_line.number}",
            "goods as ordered", goods.quarantine_reason or goods.status.value.lower(), _owner(goods), goods.created_at,
        )
        for goods in session.scalars(wanted)
    ]  # fmt: skip


def _owner(goods: Receipt) -> str:
    if goods.status is ReceiptStatus.REJECTED:
        return "role:QA_ENG"
    return {"OVER": "role:BUYER", "CERTIFICATE": "role:SQ", "DRIFT": "role:INTEGRATION", "DATE": "role:BUYER"}.get(
        goods.quarantine or "", "role:QA_ENG"
    )


def _fields(session: Session) -> list[Mismatch]:
    wanted = select(Discrepancy).where(Discrepancy.status == DiscrepancyStatus.OPEN)
    return [
        Mismatch(
            "FIELD", one.document_number, dossiers.record_url(one.document_type, one.document_id),
            f"{desk.field_words(one.field)} in {one.system}",
            one.ours or "nothing", one.theirs or "nothing", one.owner, one.opened_at,
        )
        for one in session.scalars(wanted.order_by(Discrepancy.opened_at).limit(300))
    ]  # fmt: skip
