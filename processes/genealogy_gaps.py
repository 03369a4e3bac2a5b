"""Count what cannot be traced: issues without a lot, and lots that lead to no receipt and no other document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from processes.genealogy_trace import reached_from
from processes.outside_sources import investigations_of_work, unresolved_of_work
from records.lot import EdgeKind, GenealogyEdge, Lot, LotSource, stands
from records.part import PartRevision
from records.receipt import Receipt
from records.work_order import WorkOrder

CHUNK = 500


class GapKind(StrEnum):
    """Why a genealogy stops. NO_LOT: issued, and nobody said from which lot. NO_SOURCE: the lot came from nowhere known.

    NO_MATERIAL: made here, of nothing on record. REVERSED: its receipt was reversed. NO_RETURN: it came back from outside and
    leads to no lot of ours. UNDECIDED: quality still looks into what came back.
    """

    NO_LOT = "NO_LOT"
    NO_SOURCE = "NO_SOURCE"
    NO_MATERIAL = "NO_MATERIAL"
    REVERSED = "REVERSED"
    NO_RETURN = "NO_RETURN"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Gap:
    """One place where the genealogy of a work order stops. sentence: "Expected …, but …"; owner: whose turn it is."""

    kind: GapKind
    sentence: str
    lot_id: str | None = None
    event_id: str = ""
    owner: str = "role:PLANNER"
    way_out: str = ""


def gaps_of(session: Session, work_order_id: str) -> list[Gap]:
    """Return every gap in what a work order used and made, however far back it lies; each blocks its closing."""
    session.flush()
    own = list(session.scalars(select(GenealogyEdge).where(GenealogyEdge.work_order_id == work_order_id, stands())))
    lots = {each for edge in own for each in (edge.parent_id, edge.child_id) if each is not None}
    rows = reached_from(session, lots)
    missing = {edge.id: edge for edge in own if edge.kind is EdgeKind.CONSUMED and edge.parent_id is None}
    upstream = {row.id for row in rows if row.from_node is None} - set(missing)
    missing |= {
        edge.id: edge
        for chunk in _chunks(upstream)
        for edge in session.scalars(select(GenealogyEdge).where(GenealogyEdge.id.in_(chunk)))
    }
    fed = {row.to_node for row in rows}
    sources = {row.from_node for row in rows if row.from_node is not None}
    roots = (lots | sources) - fed
    found = [*_issues(session, missing.values()), *_lots(session, roots)]
    makers = roots - {lot.id for chunk in _chunks(roots) for lot in session.scalars(_lots_of(chunk))}
    products = {row.from_node: row.to_node for row in rows if row.from_node in makers}
    return [*found, *_from_nothing(session, products), *_back_from_outside(session, work_order_id)]


def _issues(session: Session, edges: Iterable[GenealogyEdge]) -> Iterator[Gap]:
    for edge in sorted(edges, key=lambda edge: edge.id):
        what = session.get(PartRevision, edge.part_revision_id) if edge.part_revision_id else None
        order = session.get(WorkOrder, edge.work_order_id)
        yield Gap(
            GapKind.NO_LOT,
            f"Expected the lot of {_plain(edge.quantity)} {edge.uom}{f' of {what.number}' if what else ''} issued to "
            f"{order.number if order else 'the work order'} (event {edge.event_id}), but nobody named one.",
            event_id=edge.event_id,
            way_out="Reverse that issue and post it again with its lot.",
        )


def _lots(session: Session, roots: Iterable[str]) -> Iterator[Gap]:
    for chunk in _chunks(roots):
        lots = sorted(session.scalars(_lots_of(chunk)), key=lambda lot: lot.number)
        receipts = _receipts(session, [lot.source_id for lot in lots if lot.source is LotSource.RECEIPT])
        for lot in lots:
            gap = _gap_of(lot, receipts)
            if gap is not None:
                yield gap


def _gap_of(lot: Lot, receipts: dict[str, bool]) -> Gap | None:
    if lot.source is LotSource.WORK_ORDER:
        return Gap(
            GapKind.NO_MATERIAL, f"Expected material that {lot.number} was made of, but none is on record.", lot.id,
            way_out="Post what was issued, with its lots.",
        )  # fmt: skip
    if not lot.is_documented or (lot.source is LotSource.RECEIPT and lot.source_id not in receipts):
        return Gap(
            GapKind.NO_SOURCE, f"Expected a receipt or another document behind {lot.number}, but there is none.", lot.id,
            owner="role:QA_ENG", way_out="Find the document it came with, and receive it under that; or reject the lot.",
        )  # fmt: skip
    if lot.source_id is not None and receipts.get(lot.source_id):
        return Gap(
            GapKind.REVERSED, f"Expected {lot.number} to be received, but its receipt was reversed.", lot.id,
            owner="role:RECEIVING", way_out="Receive it anew, or take back what was issued of it.",
        )  # fmt: skip
    return None


def _receipts(session: Session, ids: Iterable[str | None]) -> dict[str, bool]:
    """Return whether each receipt that exists was reversed whole."""
    back = aliased(Receipt)
    wanted = (
        select(Receipt.id, Receipt.quantity, back.quantity)
        .outerjoin(back, back.reverses_id == Receipt.id)
        .where(Receipt.id.in_([each for each in ids if each is not None]))
    )
    left: dict[str, Decimal] = {}
    for receipt_id, quantity, reversed_quantity in session.execute(wanted):
        left[receipt_id] = left.get(receipt_id, quantity) + (reversed_quantity or Decimal(0))
    return {receipt_id: quantity <= 0 for receipt_id, quantity in left.items()}


def _from_nothing(session: Session, products: dict[str, str]) -> Iterator[Gap]:
    for order_id, lot_id in sorted(products.items()):
        order, lot = session.get(WorkOrder, order_id), session.get_one(Lot, lot_id)
        yield Gap(
            GapKind.NO_MATERIAL,
            f"Expected material behind {lot.number}, but {order.number if order else 'its work order'} used none on record.",
            lot.id,
            way_out="Post what was issued, with its lots.",
        )


def _back_from_outside(session: Session, work_order_id: str) -> Iterator[Gap]:
    for found in unresolved_of_work(session, work_order_id):
        yield Gap(
            GapKind.NO_RETURN, found.sentence, found.child.id, owner="role:QA_ENG",
            way_out=f"Say on the page of {found.link.number} where the pieces come from, or reject them.",
        )  # fmt: skip
    for raised in investigations_of_work(session, work_order_id):
        yield Gap(
            GapKind.UNDECIDED, f"Expected {raised.number} to be decided ({raised.title}), but it is open.", owner=raised.owner,
            way_out=f"Decide what becomes of the pieces, on the page of {raised.number}.",
        )  # fmt: skip


def _lots_of(ids: list[str]) -> Select[Lot]:
    return select(Lot).where(Lot.id.in_(ids))


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    whole = sorted(ids)
    return (whole[begin : begin + CHUNK] for begin in range(0, len(whole), CHUNK))


def _plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"
