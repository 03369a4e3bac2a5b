"""The doors around the pieces at suppliers: no statement, whatever its way in, breaks the balance or the sum behind it.

The counters of a link are kept by the database itself with every movement that is inserted; any other change of them is
refused, and so is a movement that no contract covers or a serial number that never left.
"""

from __future__ import annotations

from collections.abc import Iterator

from records.outside import AWAY, COUNTERS, FINAL, Direction, OutsideLink, OutsideMovement, OutsideSerial
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from rules import doors
from rules.doors import Door, Guarded, Parent, Speech, quoted, words
from rules.guarded import BORN, table_of

LINK, MOVEMENT, SERIAL = table_of(OutsideLink), table_of(OutsideMovement), table_of(OutsideSerial)
FIXED = (
    *BORN, "number", "site_id", "operation_id", "order_line_id", "role", "part_revision_id", "process_code", "spec", "spec_rev",
    "is_special", "uom",
)  # fmt: skip
UNDER_CONTRACT = ("TRANSMITTED", "ACKNOWLEDGED", "PARTIALLY_RECEIVED", "RECEIVED")
"""Statuses of an order in which the supplier has it and nothing about it is in dispute (CON-06)."""

LOCKS = {
    MOVEMENT.name: Guarded(MOVEMENT, (), {}, "", parent=Parent("link_id", LINK)),
    SERIAL.name: Guarded(SERIAL, (), {}, "", parent=Parent("link_id", LINK)),
}
"""Tables whose rows are judged by the link they belong to, which is locked first."""

NOT_ENFORCED = "SELECT 1 FROM flow_mode f WHERE f.flow = 'outside_processing' AND f.mode IN ('OBSERVE', 'ADVISE')"
"""Whether CON-06 and SHIP_BLOCKED are only observed: then the database lets pieces leave, and the rules keep what they find.

What has ended ships nothing in any mode, and the balance of pieces holds in every one: those are no opinions about the work.
"""

OUTWARD = "((NEW.kind = 'SHIP_OUT') = (NEW.quantity > 0))"


def outside_doors(speech: Speech) -> Iterator[Door]:
    """Yield the doors of links, movements and serial numbers."""
    yield from doors.fixed(LINK, FIXED, speech)
    yield from doors.never_deleted(LINK)
    yield from _births()
    yield from _holds(speech)
    yield from _counters(speech)
    yield from _movements()
    yield from _serials()
    yield counters_follow()


def _births() -> Iterator[Door]:
    moved = " OR ".join(f"NEW.{name} <> 0" for name in (*COUNTERS.values(), "at_supplier"))
    yield Door(
        name="guard_outside_link_starts_empty",
        table=LINK,
        event="INSERT",
        refused_when=f"NEW.status <> 'PROPOSED' OR {moved}",
        sentence="ILLEGAL_TRANSITION: Expected a new link to be proposed and empty, but it was inserted beyond that",
    )


def _holds(speech: Speech) -> Iterator[Door]:
    left = "OLD.status = 'HOLD' AND NEW.status <> 'HOLD' AND " + speech.differ("NEW.status", "OLD.held_from")
    entered = "OLD.status <> 'HOLD' AND NEW.status = 'HOLD' AND " + speech.differ("NEW.held_from", "OLD.status")
    listed = (
        f"EXISTS (SELECT 1 FROM status_transition t WHERE t.record_type = {quoted(LINK.name)} "
        "AND t.from_status = OLD.held_from AND t.to_status = NEW.held_from)"
    )
    stays = (
        "OLD.status = 'HOLD' AND NEW.status = 'HOLD' AND "
        + speech.differ("NEW.held_from", "OLD.held_from")
        + f" AND NOT {listed}"
    )
    yield Door(
        name="guard_outside_link_hold_goes_back",
        table=LINK,
        event="UPDATE",
        columns=("status", "held_from"),
        refused_when=f"({left}) OR ({entered}) OR ({stays})",
        sentence="ILLEGAL_TRANSITION: Expected a link on hold to go back to where it stood, but it did not",
    )


def _counters(speech: Speech) -> Iterator[Door]:
    total = (
        "(SELECT COALESCE(SUM(m.quantity), 0) FROM outside_movement m WHERE m.link_id = NEW.id AND m.kind = '{kind}')"
    )
    wrong = [speech.differ(f"NEW.{name}", total.format(kind=kind)) for kind, name in COUNTERS.items()]
    yield Door(
        name="guard_outside_link_counters",
        table=LINK,
        event="UPDATE",
        columns=tuple(COUNTERS.values()),
        refused_when=" OR ".join(wrong),
        sentence="BALANCE: Expected the counters of a link to be the sums of its movements, but they were set to something else",
    )
    yield Door(
        name="guard_outside_link_factor",
        table=LINK,
        event="UPDATE",
        columns=("conversion_factor",),
        refused_when=f"OLD.shipped > 0 AND {speech.differ('OLD.conversion_factor', 'NEW.conversion_factor')}",
        sentence="CON-12: Expected the conversion to stay once pieces have left, but it was changed",
    )


def _movements() -> Iterator[Door]:
    of_link = "FROM outside_link l WHERE l.id = NEW.link_id"
    order = (
        f"SELECT 1 FROM outside_link l JOIN {PurchaseOrderLine.__tablename__} p ON p.id = l.order_line_id "
        f"JOIN {PurchaseOrder.__tablename__} o ON o.id = p.order_id WHERE l.id = NEW.link_id "
        f"AND o.status IN {words(UNDER_CONTRACT)}"
    )
    yield Door(
        name="guard_outside_movement_under_contract",
        table=MOVEMENT,
        event="INSERT",
        refused_when=f"{OUTWARD} AND NOT EXISTS ({order}) AND NOT EXISTS ({NOT_ENFORCED})",
        sentence="CON-06: Expected an order that its supplier has before pieces leave, but there is none",
    )
    yield Door(
        name="guard_outside_movement_of_an_open_link",
        table=MOVEMENT,
        event="INSERT",
        refused_when=(
            f"{OUTWARD} AND NOT EXISTS (SELECT 1 {of_link} AND l.status IN {words(sorted(AWAY))}) "
            f"AND NOT (EXISTS ({NOT_ENFORCED}) AND EXISTS (SELECT 1 {of_link} AND l.status NOT IN {words(sorted(FINAL))}))"
        ),
        sentence="SHIP_BLOCKED: Expected a link that may ship before pieces leave, but it is held or not ready",
    )
    taken = (
        "SELECT 1 FROM outside_movement m WHERE m.id = NEW.reverses_id AND m.link_id = NEW.link_id AND m.kind = NEW.kind "
        "AND m.quantity + NEW.quantity + (SELECT COALESCE(SUM(r.quantity), 0) FROM outside_movement r "
        "WHERE r.reverses_id = NEW.reverses_id) >= 0 AND m.quantity > 0"
    )
    yield Door(
        name="guard_outside_movement_takes_back",
        table=MOVEMENT,
        event="INSERT",
        refused_when=f"NEW.reverses_id IS NOT NULL AND NOT EXISTS ({taken})",
        sentence="BALANCE: Expected at most what a movement moved to be taken back, but it was more, or of another link or kind",
    )


def _serials() -> Iterator[Door]:
    here = (
        "(SELECT COALESCE(SUM(CASE s.direction WHEN 'OUT' THEN 1 ELSE -1 END), 0) FROM outside_serial s "
        "WHERE s.link_id = NEW.link_id AND s.serial = NEW.serial)"
    )
    way = f"CASE WHEN (m.kind = 'SHIP_OUT') = (m.quantity > 0) THEN '{Direction.OUT}' ELSE '{Direction.BACK}' END"
    yield Door(
        name="guard_outside_serial_went",
        table=SERIAL,
        event="INSERT",
        refused_when=f"{here} <> (CASE NEW.direction WHEN 'OUT' THEN 0 ELSE 1 END)",
        sentence="CON-13: Expected a serial number that left to come back, and one that is here to leave, but it was not so",
    )
    yield Door(
        name="guard_outside_serial_of_its_movement",
        table=SERIAL,
        event="INSERT",
        refused_when=(
            "NOT EXISTS (SELECT 1 FROM outside_movement m WHERE m.id = NEW.movement_id AND m.link_id = NEW.link_id "
            f"AND NEW.direction = {way})"
        ),
        sentence="BALANCE: Expected a serial number to go the way its movement goes, but it does not",
    )


def counters_follow() -> Door:
    """Return the door that opens by itself: each movement adds to the counters of its link, in the same statement."""
    steps = ", ".join(
        f"{name} = {name} + CASE WHEN NEW.kind = '{kind}' THEN NEW.quantity ELSE 0 END"
        for kind, name in COUNTERS.items()
    )
    sign = "CASE WHEN NEW.kind = 'SHIP_OUT' THEN NEW.quantity ELSE -NEW.quantity END"
    return Door(
        name="guard_outside_movement_counts",
        table=MOVEMENT,
        event="INSERT",
        refused_when="",
        sentence="",
        afterwards=f"UPDATE outside_link SET {steps}, at_supplier = at_supplier + {sign} WHERE id = NEW.link_id",
    )
