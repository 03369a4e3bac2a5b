"""Compare a set with the plant as it is now: what fell into it, and what is gone (domain.md 2.24)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.act import Act
from processes.impact_query import SOURCES, Found, find
from records.change_order import ChangeOrder
from records.impact import AffectedOrder, ImpactSnapshot, ImpactTarget, newest_snapshot
from rules.impact_rules import owner_of

IN_WORK = (ImpactTarget.WO, ImpactTarget.WO_OP)


def has_grown(session: Session, order: ChangeOrder, *, others: Sequence[Any] = ()) -> list[AffectedOrder]:
    """Return the rows that appeared, or got more, since the newest set was asked for; they are not stored.

    Pieces that only went on inside their work order (begun, passed on) are no new ones.
    """
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return []
    known = known_rows(session, snapshot)
    found, _ = find(session, order, others=others)
    before = _in_work(session, snapshot)
    now: dict[str, Decimal] = {}
    for row in found:
        if row.target in IN_WORK:
            now[row.document[1]] = now.get(row.document[1], Decimal(0)) + row.quantity
    more = {work for work, quantity in now.items() if quantity > before.get(work, Decimal(0))}
    return [
        _unstored(order, snapshot, row)
        for row in found
        if row.quantity > known.get(key_of(row), Decimal(0)) and (row.target not in IN_WORK or row.document[1] in more)
    ]


def changes_since(act: Act, order: ChangeOrder, snapshot: ImpactSnapshot) -> list[str]:
    """Return a sentence for every row that is not in the plant as a set has it: new, gone, or of another quantity."""
    known = known_rows(act.session, snapshot)
    found, _ = find(act.session, order, others=sources_of(act))
    now = {key_of(row): row for row in found}
    sentences = [
        f"Expected {known.get(key, Decimal(0)).normalize():f} {row.uom} of {row.native_ref}, but there are "
        f"{row.quantity.normalize():f}."
        for key, row in now.items()
        if row.quantity != known.get(key)
    ]
    gone = known.keys() - now.keys()
    if gone:
        sentences.append(f"Expected {len(known)} rows, but {len(gone)} of them are gone.")
    return sentences


def sources_of(act: Act) -> Sequence[Any]:
    """Return the sources outside Lockstep that this installation asks."""
    return tuple(act.installation.extras.get(SOURCES, ()))


def _unstored(order: ChangeOrder, snapshot: ImpactSnapshot, row: Found) -> AffectedOrder:
    return AffectedOrder(
        change_order_id=order.id, snapshot_id=snapshot.id, position=0, target=row.target, target_id=row.target_id, state=row.state,
        part_revision_id=row.part_revision_id, document_type=row.document[0], document_id=row.document[1],
        native_ref=row.native_ref, item="", place=row.place, quantity=row.quantity, uom=row.uom, is_counted=row.is_counted,
        unit_value=row.unit_value, currency=order.site.currency, default_owner=owner_of(row.target),
    )  # fmt: skip


def key_of(row: Found | AffectedOrder) -> tuple[str, str, str]:
    """Return what names pieces in whichever set: what they are, of what, and how far."""
    return row.target, row.target_id, row.state


def known_rows(session: Session, snapshot: ImpactSnapshot) -> dict[tuple[str, str, str], Decimal]:
    """Return how many pieces a set has of each key."""
    wanted = select(AffectedOrder.target, AffectedOrder.target_id, AffectedOrder.state, AffectedOrder.quantity)
    rows = session.execute(wanted.where(AffectedOrder.snapshot_id == snapshot.id))
    return {(target, target_id, state): quantity for target, target_id, state, quantity in rows}


def _in_work(session: Session, snapshot: ImpactSnapshot) -> dict[str, Decimal]:
    """Return how many pieces of each work order a set has, in whichever state."""
    quantity = func.sum(AffectedOrder.quantity, type_=AffectedOrder.quantity.type)
    wanted = select(AffectedOrder.document_id, quantity).where(
        AffectedOrder.snapshot_id == snapshot.id, AffectedOrder.target.in_(IN_WORK)
    )
    return {str(work): pieces for work, pieces in session.execute(wanted.group_by(AffectedOrder.document_id))}
