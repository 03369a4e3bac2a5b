"""What else there is of what a document under review is about: stock, open orders, work, plans and coming changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from processes.impact_query import Found, Scope, touching
from records.amendment import PurchaseOrderAmendment
from records.change_order import OVER, AffectedItem, ChangeOrder, ChangeOrderAddendum
from records.impact import AffectedOrder, ImpactTarget
from records.part import PartRevision
from records.work_order import WorkOrder
from webapp import formats
from webapp.change_dossier import rows_shown
from webapp.dossiers import record_url
from webapp.impact_panel import WORDS, count_open

MOST_SHOWN = 30
"""Rows of one kind on the page; the others are counted."""


@dataclass(frozen=True, slots=True)
class Row:
    """Pieces in one place. becomes: what is decided about them, None where no change asks."""

    ref: str
    url: str
    item: str
    place: str
    quantity: Decimal
    uom: str
    state: str
    becomes: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one kind. count: of all of them; pieces: by unit, without those that stand in another row."""

    words: str
    rows: Sequence[Row]
    count: int
    pieces: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Coming:
    """A change under way of a revision that the document names. open_rows: of its pieces that nobody decided about."""

    number: str
    url: str
    status: str
    revision: str
    followed_by: str
    open_rows: int


@dataclass(frozen=True, slots=True)
class Touched:
    """Everything of it. is_change: the rows are those of a change, each with what becomes of it."""

    kinds: Sequence[Kind] = ()
    coming: Sequence[Coming] = ()
    names_parts: bool = False
    is_change: bool = False
    names: Sequence[str] = ()


def touched_by(session: Session, record: Any) -> Touched:
    """Return what a document touches beside itself: of a change its own rows, of any other what there is of its parts.

    Every revision of a part counts: an approver asks what is there already, of whichever revision.
    """
    if isinstance(record, (ChangeOrder, ChangeOrderAddendum)):
        order = record.change_order if isinstance(record, ChangeOrderAddendum) else record
        return Touched(_kinds(rows_shown(session, order), {}), names_parts=True, is_change=True)
    named = set(_revisions_named(record))
    if not named:
        return Touched()
    parts = select(PartRevision.part_id).where(PartRevision.id.in_(named))
    wanted = select(PartRevision).where(PartRevision.part_id.in_(parts)).options(selectinload(PartRevision.part))
    numbers = {revision.id: revision.number for revision in session.scalars(wanted)}
    own = _own(record)
    found = [row for row in touching(session, Scope(revisions=set(numbers))) if row.document != own]
    return Touched(
        _kinds(found, numbers), _coming(session, numbers), names_parts=True, names=sorted(numbers[one] for one in named)
    )


def _revisions_named(record: Any) -> list[str]:
    """Return the ids of the part revisions that a document is about."""
    if isinstance(record, WorkOrder):
        return [record.part_revision_id] if record.part_revision_id else []
    lines = record.order.lines if isinstance(record, PurchaseOrderAmendment) else getattr(record, "lines", ())
    # A line of a request for quotation is about the part of the requisition line behind it.
    found = [
        getattr(line, "requisition_line", None) if not hasattr(line, "part_revision_id") else line for line in lines
    ]
    return [line.part_revision_id for line in found if line is not None and line.part_revision_id]


def _own(record: Any) -> tuple[str, str]:
    owner = record.order if isinstance(record, PurchaseOrderAmendment) else record
    return owner.__tablename__, owner.id


def _kinds(found: Sequence[Found | AffectedOrder], numbers: Mapping[str, str]) -> list[Kind]:
    kinds = []
    for target in ImpactTarget:
        mine = [row for row in found if row.target is target]
        pieces: dict[str, Decimal] = {}
        for row in mine:
            if row.is_counted:
                pieces[row.uom] = pieces.get(row.uom, Decimal(0)) + row.quantity
        if mine:
            rows = [_row(row, numbers) for row in mine[:MOST_SHOWN]]
            kinds.append(Kind(WORDS[target], rows, len(mine), pieces))
    return kinds


def _row(row: Found | AffectedOrder, numbers: Mapping[str, str]) -> Row:
    if isinstance(row, AffectedOrder):
        said = [
            f"{formats.words(one.disposition)} {one.quantity.normalize():f}"
            if len(row.dispositions) > 1
            else formats.words(one.disposition)
            for one in row.dispositions
        ]
        document, item, becomes = (row.document_type, row.document_id), row.item, ", ".join(said) or "Nobody said yet"
    else:
        document, item, becomes = row.document, numbers.get(row.part_revision_id or "", ""), None
    # Where work that has not begun stands is the status of its order.
    place = formats.words(row.place) if row.target is ImpactTarget.WO and row.place else row.place
    return Row(
        row.native_ref, record_url(*document), item, place, row.quantity, row.uom, formats.words(row.state), becomes
    )


def _coming(session: Session, numbers: Mapping[str, str]) -> list[Coming]:
    wanted = (
        select(AffectedItem)
        .join(ChangeOrder, ChangeOrder.id == AffectedItem.change_order_id)
        .where(AffectedItem.part_revision_from_id.in_(list(numbers)), ChangeOrder.status.not_in(OVER))
        .options(selectinload(AffectedItem.change_order), selectinload(AffectedItem.part_revision_to))
        .order_by(ChangeOrder.number)
        .limit(MOST_SHOWN)
    )
    return [
        Coming(
            item.change_order.number, record_url("change_order", item.change_order_id), item.change_order.status.value,
            numbers[item.part_revision_from_id], item.part_revision_to.number if item.part_revision_to else "",
            count_open(session, item.change_order),
        )
        for item in session.scalars(wanted)
    ]  # fmt: skip
