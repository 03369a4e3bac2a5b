"""The doors of lots and of what was made from them: the graph's quantities hold whoever writes to it."""

from __future__ import annotations

from collections.abc import Iterator

from records.lot import BORN, GenealogyEdge, Lot
from rules import doors
from rules.doors import Door, Speech, quoted, words
from rules.guarded import BORN as BORN_ONCE
from rules.guarded import table_of

FACTS = (
    "number", "part_revision_id", "heat", "source", "source_type", "source_id", "source_note", "quantity", "uom", "is_serial",
)  # fmt: skip
"""What a lot is; a mistake in it is withdrawn and made anew, never edited."""


def lot_doors(speech: Speech) -> Iterator[Door]:
    """Yield the doors of lots and edges, beside their listed transitions and the append-only rows."""
    lots = table_of(Lot)
    yield from doors.fixed(lots, (*BORN_ONCE, *FACTS), speech)
    yield from doors.never_deleted(lots)
    yield Door(
        name="guard_lot_begins_whole",
        table=lots,
        event="INSERT",
        refused_when=f"NEW.status NOT IN {words(BORN)} OR NEW.quantity_left <> NEW.quantity",
        sentence="ILLEGAL_TRANSITION: Expected a new lot to be whole and in quarantine or available, but it is not",
    )
    yield Door(
        name="guard_lot_release_is_signed",
        table=lots,
        event="UPDATE",
        columns=("status",),
        refused_when=f"OLD.status IN ('HOLD', 'REJECTED') AND NEW.status = 'AVAILABLE' AND NOT {_newly_signed(speech)}",
        sentence="UNSIGNED: Expected quality's signature on the release of a lot, but there is none",
    )
    yield Door(
        name="guard_lot_left_as_taken",
        table=lots,
        event="UPDATE",
        columns=("quantity_left",),
        refused_when=f"NEW.quantity_left <> NEW.quantity - {_taken('NEW.id')}",
        sentence="GENEALOGY: Expected of a lot what its consumptions leave, but another quantity was written",
    )
    yield from _edges()


def _newly_signed(speech: Speech) -> str:
    columns = table_of(Lot).columns
    lot_key, source_key = speech.key(columns["id"], "NEW.id"), speech.key(columns["source_id"], "NEW.source_id")
    return (
        f"({speech.differ('NEW.release_signature_id', 'OLD.release_signature_id')} AND EXISTS (SELECT 1 FROM signature g "
        "WHERE g.id = NEW.release_signature_id AND g.status = 'VALID' AND g.meaning <> 'REJECTED' "
        f"AND ((g.record_type = 'lot' AND g.record_id = {lot_key}) "
        f"OR (OLD.status = 'REJECTED' AND g.record_type = NEW.source_type AND g.record_id = {source_key}))))"
    )


def _taken(lot: str) -> str:
    """Return SQL for what the edges took of a lot: of each work order's issues and products, whichever is more."""
    sums = ", ".join(
        f"COALESCE(SUM(CASE WHEN e.kind = {quoted(kind)} THEN e.quantity END), 0) AS {kind.lower()}"
        for kind in ("CONSUMED", "TRANSFORMED", "WITHDRAWN")
    )
    return (
        "(SELECT COALESCE(SUM((CASE WHEN t.consumed > t.transformed THEN t.consumed ELSE t.transformed END) + t.withdrawn), 0) "
        f"FROM (SELECT {sums} FROM genealogy_edge e WHERE e.parent_id = {lot} GROUP BY e.work_order_id) t)"
    )


def _edges() -> Iterator[Door]:
    table = table_of(GenealogyEdge)
    status = "(SELECT l.status FROM lot l WHERE l.id = NEW.parent_id)"
    issued = "NEW.kind = 'CONSUMED' AND NEW.reverses_id IS NULL AND NEW.parent_id IS NOT NULL"
    yield Door(
        name="guard_genealogy_edge_from_accepted_lots",
        table=table,
        event="INSERT",
        refused_when=(
            f"({issued} AND {status} <> 'AVAILABLE') OR (NEW.kind = 'TRANSFORMED' AND NEW.reverses_id IS NULL "
            f"AND {status} NOT IN ('AVAILABLE', 'CONSUMED'))"
        ),
        sentence="CON-16: Expected material from an accepted lot, but the lot is in quarantine, on hold, rejected or used up",
    )
    yield Door(
        name="guard_genealogy_edge_within_its_lot",
        table=table,
        event="INSERT",
        refused_when=(
            "NEW.parent_id IS NOT NULL AND NEW.kind IN ('CONSUMED', 'WITHDRAWN') AND NEW.quantity > "
            f"(SELECT l.quantity FROM lot l WHERE l.id = NEW.parent_id) - {_taken('NEW.parent_id')}"
        ),
        sentence="GENEALOGY: Expected at most what is left of the lot, but more was to be taken",
    )
    same = "o.kind = NEW.kind AND o.quantity = -NEW.quantity AND o.reverses_id IS NULL AND o.uom = NEW.uom"
    nodes = " AND ".join(
        f"COALESCE(o.{name} = NEW.{name}, o.{name} IS NULL AND NEW.{name} IS NULL)"
        for name in ("parent_id", "child_id", "work_order_id")
    )
    yield Door(
        name="guard_genealogy_edge_reverses_whole",
        table=table,
        event="INSERT",
        refused_when=(
            "NEW.reverses_id IS NOT NULL AND (NEW.kind = 'MADE' OR NOT EXISTS (SELECT 1 FROM genealogy_edge o "
            f"WHERE o.id = NEW.reverses_id AND {same} AND {nodes}))"
        ),
        sentence="GENEALOGY: Expected a reversal to take back one whole row as it was written, but it does not",
    )
