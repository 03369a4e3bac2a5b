"""What a change still misses before its board reads it, and what its dispositions cost (domain.md C06, C07)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from engine.errors import Conflict
from processes.impact_disposing import INCOMPLETE
from processes.impact_sealed import area_name
from records.change_order import ChangeOrder
from records.impact import (
    AffectedOrder,
    AssessmentArea,
    Disposition,
    ImpactSnapshot,
    ImpactTarget,
    RowDisposition,
    RowStatus,
    assessments_of,
    newest_snapshot,
)
from records.person import Role
from rules.impact_rules import areas_of, feasible_from


def problems_of(session: Session, order: ChangeOrder, *, now: dt.datetime | None = None) -> list[str]:
    """Return a sentence for everything that the board would miss (C07); empty when the change is complete.

    now: instant at which the effectivity must be feasible; without one that is not asked.
    """
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return [f"Expected the impact of {order.number} to be computed, but nobody asked yet. Compute it."]
    return [
        *([snapshot.missing] if snapshot.missing else []),
        *(
            [f"Expected the impact of {order.number} to be frozen, but it is not. Freeze it."]
            if not snapshot.frozen_at
            else []
        ),
        *_undisposed(session, snapshot),
        *_unassessed(session, order),
        *_undecided(session, order, now),
    ]


def refuse_incomplete(session: Session, order: ChangeOrder, *, now: dt.datetime | None = None) -> None:
    """Refuse a change that misses something. Raises: Conflict INCOMPLETE_DISPOSITION with every sentence."""
    if found := problems_of(session, order, now=now):
        raise Conflict(" ".join(found), code=INCOMPLETE, record=(order.record_type, order.id))


def cost_of(session: Session, order: ChangeOrder) -> dict[str, Decimal]:
    """Return what the dispositions of the newest set cost, by kind and as ``TOTAL``, in the site's currency."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return {"TOTAL": Decimal(0)}
    spent = func.sum(RowDisposition.cost, type_=RowDisposition.cost.type)
    wanted = select(RowDisposition.cost_kind, spent).where(_stands_in(snapshot), RowDisposition.cost > 0)
    found = {kind or "OTHER": cost for kind, cost in session.execute(wanted.group_by(RowDisposition.cost_kind))}
    return {**dict(sorted(found.items())), "TOTAL": sum(found.values(), Decimal(0))}


def lanes_of(session: Session, order: ChangeOrder) -> list[tuple[AssessmentArea, str]]:
    """Return the areas that assess a change, each with its role; finance where the dispositions cost enough."""
    return areas_of(session, order, cost=cost_of(session, order)["TOTAL"])


def _stands_in(snapshot: ImpactSnapshot) -> ColumnElement[bool]:
    """Return the condition that a disposition is about pieces that stand in a set."""
    row = aliased(AffectedOrder)
    return and_(
        RowDisposition.change_order_id == snapshot.change_order_id,
        exists().where(
            row.snapshot_id == snapshot.id, row.target == RowDisposition.target, row.target_id == RowDisposition.target_id,
            row.state == RowDisposition.state,
        ),
    )  # fmt: skip


def _decided_pairs(session: Session, order: ChangeOrder) -> list[tuple[ImpactTarget, Disposition]]:
    """Return what becomes of which kinds of pieces, each pair once."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return []
    wanted = select(RowDisposition.target, RowDisposition.disposition).where(_stands_in(snapshot)).distinct()
    return [(target, disposition) for target, disposition in session.execute(wanted)]


def _undisposed(session: Session, snapshot: ImpactSnapshot) -> list[str]:
    """Return a sentence for each row that is not decided, the first ten by name."""
    key = (AffectedOrder.target, AffectedOrder.target_id, AffectedOrder.state)
    decided = (
        select(
            RowDisposition.target, RowDisposition.target_id, RowDisposition.state,
            func.sum(RowDisposition.quantity, type_=RowDisposition.quantity.type).label("quantity"),
        )
        .where(RowDisposition.change_order_id == snapshot.change_order_id, RowDisposition.status != RowStatus.RETURNED)
        .group_by(RowDisposition.target, RowDisposition.target_id, RowDisposition.state)
        .subquery()
    )  # fmt: skip
    wanted = (
        select(AffectedOrder.native_ref, AffectedOrder.quantity, AffectedOrder.uom, decided.c.quantity)
        .outerjoin(
            decided, (key[0] == decided.c.target) & (key[1] == decided.c.target_id) & (key[2] == decided.c.state)
        )
        .where(AffectedOrder.snapshot_id == snapshot.id)
        .order_by(AffectedOrder.position)
    )
    open_rows = [row for row in session.execute(wanted) if row[3] != row[1]]
    sentences = [
        f"Expected a disposition of all {quantity.normalize():f} {uom} of {ref}, but {(done or Decimal(0)).normalize():f} are disposed."
        for ref, quantity, uom, done in open_rows[:10]
    ]
    if len(open_rows) > len(sentences):
        sentences.append(f"{len(open_rows) - len(sentences)} more rows have no complete disposition.")
    return sentences


def _unassessed(session: Session, order: ChangeOrder) -> list[str]:
    said = {each.area for each in assessments_of(session, order)}
    missing = [(area, role.removeprefix("role:")) for area, role in lanes_of(session, order) if area not in said]
    wanted = select(Role).where(Role.code.in_([code for _, code in missing]))
    names = {role.code: role.name for role in session.scalars(wanted)}
    return [
        f"Expected {area_name(area)} to assess {order.number}, but nobody has: it is the turn of {names.get(code, code)}."
        for area, code in missing
    ]


def _undecided(session: Session, order: ChangeOrder, now: dt.datetime | None) -> list[str]:
    found = []
    if order.fai is None:
        found.append(f"Expected {order.number} to decide about a first article (none, delta or full), but nobody has.")
    if order.effectivity_kind is None:
        found.append(f"Expected {order.number} to say from when it counts, but it has no effectivity.")
    if order.is_customer_approval_required and not order.customer_approval_ref.strip():
        found.append(
            f"Expected the reference of the customer's approval of {order.number}, but there is none. Ask the customer and enter it."
        )
    if now is not None and order.effective_on is not None:
        earliest, kind = feasible_from(session, order, _decided_pairs(session, order), today=_today(order, now))
        if order.effective_on < earliest:
            found.append(
                f"Expected {order.number} to take effect on {earliest} at the earliest, since {kind} takes that long, but it says "
                f"{order.effective_on}."
            )
    return found


def _today(order: ChangeOrder, now: dt.datetime) -> dt.date:
    return now.astimezone(order.site.zone).date()
