"""The grid of a change as people read it: filtered, page by page, its sums made by the database, however many rows there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from engine.errors import Invalid
from records.impact import AffectedOrder, ImpactSnapshot, ImpactTarget, RowDisposition, RowStatus

UNDECIDED = (RowStatus.OPEN, RowStatus.RETURNED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are asked for. words: in the document's number, item or place; status, owner (a principal), target: None for any."""

    target: ImpactTarget | None = None
    status: tuple[RowStatus, ...] = ()
    owner: str = ""
    words: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Wanted()


@dataclass(frozen=True, slots=True)
class Sums:
    """What rows come to. pieces: quantity by unit, what stands in two rows once; cost: of what is decided."""

    rows: int = 0
    decided: int = 0
    pieces: Mapping[str, Decimal] = field(default_factory=dict)
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows from a position on. count: of all that fit; next: the position to go on from, None on the last page."""

    rows: Sequence[AffectedOrder]
    count: int
    next: int | None


def page_of(session: Session, snapshot: ImpactSnapshot, wanted: Wanted, *, start: int = 0, size: int) -> Page:
    """Return the rows that fit after a position, in the order of the grid, with their dispositions."""
    fits = _fits(snapshot, wanted)
    count = session.scalar(select(func.count()).select_from(fits.subquery())) or 0
    asked = select(AffectedOrder).where(AffectedOrder.id.in_(fits), AffectedOrder.position > start)
    found = list(
        session.scalars(
            asked.order_by(AffectedOrder.position).limit(size + 1).options(selectinload(AffectedOrder.dispositions))
        )
    )
    return Page(found[:size], count, found[size - 1].position if len(found) > size else None)


def sums_by_kind(session: Session, snapshot: ImpactSnapshot, wanted: Wanted) -> dict[ImpactTarget, Sums]:
    """Return what the rows that fit come to, by kind, in the order of the kinds."""
    decided = _decided(snapshot)
    quantity = func.sum(case((AffectedOrder.is_counted, AffectedOrder.quantity)), type_=AffectedOrder.quantity.type)
    cost = func.sum(decided.c.cost, type_=RowDisposition.cost.type)
    done = func.sum(case((_status(decided).in_([each.value for each in UNDECIDED]), 0), else_=1))
    asked = (
        select(AffectedOrder.target, AffectedOrder.uom, func.count(), done, quantity, cost)
        .select_from(AffectedOrder)
        .outerjoin(decided, _same(decided))
        .where(AffectedOrder.id.in_(_fits(snapshot, wanted)))
        .group_by(AffectedOrder.target, AffectedOrder.uom)
    )
    found: dict[ImpactTarget, Sums] = {}
    for target, uom, rows, settled, pieces, spent in session.execute(asked):
        before = found.get(target, Sums())
        counted = {uom: pieces} if pieces else {}
        found[target] = Sums(
            before.rows + rows, before.decided + settled, {**before.pieces, **counted}, before.cost + (spent or Decimal(0))
        )  # fmt: skip
    return {target: found[target] for target in ImpactTarget if target in found}


def together(sums: Mapping[ImpactTarget, Sums]) -> Sums:
    """Return the sums of all kinds in one."""
    pieces: dict[str, Decimal] = {}
    for each in sums.values():
        for uom, quantity in each.pieces.items():
            pieces[uom] = pieces.get(uom, Decimal(0)) + quantity
    return Sums(
        sum(each.rows for each in sums.values()), sum(each.decided for each in sums.values()), dict(sorted(pieces.items())),
        sum((each.cost for each in sums.values()), Decimal(0)),
    )  # fmt: skip


def owners_of(session: Session, snapshot: ImpactSnapshot) -> list[str]:
    """Return whose turn rows are, each principal once."""
    first = _first()
    owner = func.coalesce(first.owner, AffectedOrder.default_owner)
    asked = select(owner).select_from(AffectedOrder).outerjoin(first, _is_first(first))
    return sorted(session.scalars(asked.where(AffectedOrder.snapshot_id == snapshot.id).distinct()))


def rows_that_fit(session: Session, snapshot: ImpactSnapshot, wanted: Wanted, *, most: int) -> list[AffectedOrder]:
    """Return every row that fits. Raises: Invalid when there are more than so many, since nobody decides about them at one sitting."""
    page = page_of(session, snapshot, wanted, size=most)
    if page.next is not None:
        raise Invalid(
            f"Expected at most {most:,} rows to be decided at once, but {page.count:,} fit. Narrow the filter: a kind, an owner, words.",
            {"rows": "are too many"},
        )
    return list(page.rows)


def _fits(snapshot: ImpactSnapshot, wanted: Wanted) -> Select[str]:
    """Return the ids of the rows that fit."""
    asked = select(AffectedOrder.id).where(AffectedOrder.snapshot_id == snapshot.id)
    if wanted.target is not None:
        asked = asked.where(AffectedOrder.target == wanted.target)
    if wanted.words:
        columns = (AffectedOrder.native_ref, AffectedOrder.item, AffectedOrder.place)
        asked = asked.where(
            or_(*(func.lower(column).contains(wanted.words.lower(), autoescape=True) for column in columns))
        )
    if wanted.owner:
        first = _first()
        asked = asked.outerjoin(first, _is_first(first)).where(
            func.coalesce(first.owner, AffectedOrder.default_owner) == wanted.owner
        )
    if wanted.status:
        decided = _decided(snapshot)
        asked = asked.outerjoin(decided, _same(decided)).where(
            _status(decided).in_([each.value for each in wanted.status])
        )
    return asked


def _decided(snapshot: ImpactSnapshot) -> Any:
    """Return what is decided about each row: pieces, parts, how many of them are done or returned, and the cost."""
    quantity, cost = RowDisposition.quantity, RowDisposition.cost
    return (
        select(
            RowDisposition.target, RowDisposition.target_id, RowDisposition.state,
            func.sum(quantity, type_=quantity.type).label("quantity"), func.sum(cost, type_=cost.type).label("cost"),
            func.count().label("parts"), _count(RowStatus.DONE).label("done"), _count(RowStatus.RETURNED).label("returned"),
        )
        .where(RowDisposition.change_order_id == snapshot.change_order_id)
        .group_by(RowDisposition.target, RowDisposition.target_id, RowDisposition.state)
        .subquery()
    )  # fmt: skip


def _count(status: RowStatus) -> Any:
    return func.sum(case((RowDisposition.status == status, 1), else_=0))


def _same(decided: Any) -> ColumnElement[bool]:
    return and_(
        AffectedOrder.target == decided.c.target,
        AffectedOrder.target_id == decided.c.target_id,
        AffectedOrder.state == decided.c.state,
    )


def _status(decided: Any) -> ColumnElement[str]:
    """Return the status of a row as the database sees it, as ``AffectedOrder.status`` does."""
    return case(
        (decided.c.returned > 0, RowStatus.RETURNED.value),
        (or_(decided.c.parts.is_(None), decided.c.quantity != AffectedOrder.quantity), RowStatus.OPEN.value),
        (decided.c.done == decided.c.parts, RowStatus.DONE.value),
        else_=RowStatus.DISPOSED.value,
    )


def _first() -> Any:
    return aliased(RowDisposition)


def _is_first(first: Any) -> ColumnElement[bool]:
    return and_(
        first.change_order_id == AffectedOrder.change_order_id, first.target == AffectedOrder.target,
        first.target_id == AffectedOrder.target_id, first.state == AffectedOrder.state, first.position == 1,
    )  # fmt: skip
