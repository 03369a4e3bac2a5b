"""Make lots and say what they are made of: issue, transform, withdraw, reverse. Every step is an edge, written once.

Whoever takes from a lot locks its row first, so that two who want the last piece follow one another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Effect, Finding, Invalid, RuleViolation
from processes.genealogy_trace import is_reachable
from records.calendar import MAIN, site_called
from records.lot import (
    BORN,
    EdgeKind,
    GenealogyEdge,
    Lot,
    LotSource,
    LotStatus,
    move,
    quantity_taken,
)
from records.part import LotControl, PartRevision
from records.standard_cost import StandardCost
from records.units import check_quantity
from rules.finding import keep_findings
from rules.flow_mode import lenient, mode_of
from rules.genealogy import judge_consumption
from rules.order_consistency import judge_material
from rules.waiver import soften

ONE = Decimal(1)
FLOW = "work_orders"
LOCK = 0x10C571_07
"""The PostgreSQL advisory lock of steps that could close a circle."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a system reported. id: unique, so that a second delivery is the same event; happened_at: None means now."""

    id: str
    system: str = "LOCKSTEP"
    happened_at: dt.datetime | None = None
    performer: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a lot came from. record: (type, id) of the receipt or work order; note: the document of an adjustment."""

    kind: LotSource
    record: tuple[str, str] | None = None
    note: str = ""


def make_lot(
    act: Act,
    part_revision: PartRevision,
    quantity: Decimal,
    *,
    number: str,
    source: Source,
    status: LotStatus = LotStatus.QUARANTINE,
    uom: str | None = None,
    heat: str = "",
    is_serial: bool = False,
    expires_on: dt.date | None = None,
    operation_id: str | None = None,
    event: Event | None = None,
    is_in_work: bool = False,
) -> Lot:
    """Make a lot, and the edge from the work order that made it.

    quantity: in ``uom``, the part's base unit when not given. expires_on: without one, the part's shelf life counts from
    today. is_in_work: pieces on their way from one work order into another, which have no serials yet.
    Raises: Invalid naming the field; Conflict LOT_EXISTS when the revision has a lot of that number
    (``records.lot.free_number`` gives one that is free).
    """
    uom = uom or part_revision.part.base_uom
    check_quantity(quantity, uom)
    _check_birth(
        part_revision, quantity, number=number, source=source, status=status, is_serial=is_serial, is_in_work=is_in_work
    )
    taken = select(Lot.id).where(Lot.part_revision_id == part_revision.id, Lot.number == number)
    if act.session.scalar(taken) is not None:
        raise Conflict(
            f"Expected a new lot number for {part_revision.number}, but {number} exists; give another",
            code="LOT_EXISTS",
        )
    source_type, source_id = source.record or (None, None)
    shelf_life = part_revision.part.shelf_life_days
    if expires_on is None and shelf_life is not None:
        expires_on = _today(act) + dt.timedelta(days=shelf_life)
    lot = Lot(
        number=number, part_revision=part_revision, part_revision_id=part_revision.id, heat=heat, source=source.kind,
        source_type=source_type, source_id=source_id, source_note=source.note, quantity=quantity, quantity_left=quantity,
        uom=uom, is_serial=is_serial, status=status, expires_on=expires_on,
    )  # fmt: skip
    act.session.add(lot)
    act.session.flush()
    if source.kind is LotSource.WORK_ORDER and source_id is not None:
        _write(
            act, event or Event(f"made:{lot.id}"), kind=EdgeKind.MADE, child_id=lot.id, work_order_id=source_id,
            operation_id=operation_id, from_node=source_id, to_node=lot.id, quantity=quantity, uom=uom,
        )  # fmt: skip
    return lot


def name_maker(
    act: Act, lot: Lot, *, work_order_id: str, operation_id: str, event: Event, reason: str
) -> GenealogyEdge:
    """Say that a received lot is what a work order sent out before its pieces had a lot. Raises: Conflict CIRCLE."""
    act.session.flush()
    if is_reachable(act.session, lot.id, work_order_id):
        raise Conflict(
            f"Expected {lot.number} to come out of the work order, but it went into it; name the lot that it was",
            code="CIRCLE", record=(lot.record_type, lot.id),
        )  # fmt: skip
    return _write(
        act, event, kind=EdgeKind.MADE, child_id=lot.id, work_order_id=work_order_id, operation_id=operation_id,
        from_node=work_order_id, to_node=lot.id, quantity=lot.quantity, uom=lot.uom, reason=reason,
    )  # fmt: skip


def _check_birth(
    part_revision: PartRevision,
    quantity: Decimal,
    *,
    number: str,
    source: Source,
    status: LotStatus,
    is_serial: bool,
    is_in_work: bool,
) -> None:
    if not number.strip():
        raise Invalid("Expected a lot or serial number, but there is none", {"number": "is required"})
    if status not in BORN:
        raise Invalid(
            f"Expected a new lot in quarantine or available, but {status} was asked for", {"status": "not yet"}
        )
    if is_serial and quantity != ONE:
        raise Invalid(f"Expected one piece of a serial, but found {quantity}", {"quantity": "a serial is one piece"})
    needs_serial = part_revision.part.lot_control is LotControl.SERIAL and not is_in_work
    if needs_serial and source.kind is LotSource.WORK_ORDER and not is_serial:
        raise Invalid(
            f"Expected serials of {part_revision.number}, which is kept by serial, but found a lot",
            {"is_serial": "the part is kept by serial"},
        )
    if source.kind is LotSource.WORK_ORDER and source.record is None:
        raise Invalid("Expected the work order that made the lot, but it is not named", {"source": "is required"})


def consume(
    act: Act,
    lot: Lot | None,
    quantity: Decimal,
    *,
    work_order_id: str,
    event: Event,
    operation_id: str | None = None,
    uom: str | None = None,
    part_revision: PartRevision | None = None,
) -> GenealogyEdge:
    """Issue material to a work order. A second delivery of the event returns the first one's edge.

    lot: None when nobody knows it; the issue is kept as a gap, and the work order cannot close. Its revision is one that the
    frozen standard of the work order names, where it names any. part_revision: what was issued when no lot is known.
    Raises: RuleViolation CON-16, or CHG-PENDING and CON-15 where a change waits for the lot or the work; Conflict NOT_ENOUGH, CIRCLE,
    or EVENT_REUSED for other content under the same event id;
    Invalid for another unit than the lot's.
    """
    known = _known(act, event, EdgeKind.CONSUMED, lot, quantity, target=work_order_id)
    if known is not None:
        return known
    _refuse_waiting(act, lot, work_order_id, operation_id)
    if lot is None:
        unit = uom or (part_revision.part.base_uom if part_revision else "EA")
        check_quantity(quantity, unit)
        return _write(
            act, event, kind=EdgeKind.CONSUMED, work_order_id=work_order_id, operation_id=operation_id,
            to_node=work_order_id, quantity=quantity, uom=unit, part_revision_id=part_revision.id if part_revision else None,
        )  # fmt: skip
    _lock(act, lot)
    required = _required(act.session, work_order_id, lot.part_revision)
    _refuse(act, judge_consumption(lot, required=required, on=_today(act)))
    _check_taking(lot, quantity, uom, at_most=lot.quantity_left)
    _refuse_circle(act, lot, work_order_id)
    edge = _write(
        act, event, kind=EdgeKind.CONSUMED, parent_id=lot.id, from_node=lot.id, work_order_id=work_order_id,
        operation_id=operation_id, to_node=work_order_id, quantity=quantity, uom=lot.uom,
    )  # fmt: skip
    _settle(act, lot)
    return edge


def transform(
    act: Act,
    parent: Lot,
    child: Lot,
    *,
    quantity: Decimal,
    event: Event,
    work_order_id: str | None = None,
    operation_id: str | None = None,
    uom: str | None = None,
    reason: str = "",
    came_back: bool = False,
) -> GenealogyEdge:
    """Say that some of a lot went into exactly this other lot (a serial).

    quantity: of the parent, in its unit. It comes out of what was issued to the work order first, the rest out of the
    lot. came_back: the child was received, as pieces that a supplier processed for us. reason: what vouches for the step.
    Raises as ``consume``; Invalid when the child was received otherwise, since nothing here went into it.
    """
    known = _known(act, event, EdgeKind.TRANSFORMED, parent, quantity, target=child.id)
    if known is not None:
        return known
    if (child.source is LotSource.RECEIPT and not came_back) or child.id == parent.id:
        raise Invalid(
            f"Expected something made here out of {parent.number}, but {child.number} "
            + ("is the same lot" if child.id == parent.id else "was received"),
            {"child": "was not made from it"},
        )
    if work_order_id is not None and not came_back:
        _refuse_waiting(act, parent, work_order_id, operation_id)
    _lock(act, parent)
    _refuse(act, judge_consumption(parent, on=_today(act), usable=(LotStatus.AVAILABLE, LotStatus.CONSUMED)))
    _check_taking(parent, quantity, uom, at_most=_within_reach(act.session, parent, work_order_id))
    _refuse_circle(act, parent, child.id)
    edge = _write(
        act, event, kind=EdgeKind.TRANSFORMED, parent_id=parent.id, child_id=child.id, from_node=parent.id,
        to_node=child.id, work_order_id=work_order_id, operation_id=operation_id, quantity=quantity, uom=parent.uom,
        reason=reason,
    )  # fmt: skip
    _settle(act, parent)
    return edge


def withdraw(
    act: Act, lot: Lot, quantity: Decimal, *, reason: str, event: Event, work_order_id: str | None = None
) -> GenealogyEdge:
    """Take pieces out of a lot that nothing is made of: scrapped, sent back to the supplier, their receipt reversed.

    Raises: Invalid without a reason; Conflict NOT_ENOUGH.
    """
    known = _known(act, event, EdgeKind.WITHDRAWN, lot, quantity, target=None)
    if known is not None:
        return known
    if not reason.strip():
        raise Invalid("Expected a reason for the withdrawal, but there is none", {"reason": "is required"})
    _lock(act, lot)
    _check_taking(lot, quantity, None, at_most=lot.quantity_left)
    edge = _write(
        act, event, kind=EdgeKind.WITHDRAWN, parent_id=lot.id, from_node=lot.id, work_order_id=work_order_id,
        quantity=quantity, uom=lot.uom, reason=reason.strip(),
    )  # fmt: skip
    _settle(act, lot)
    return edge


def reverse(act: Act, edge: GenealogyEdge, *, reason: str, event: Event) -> GenealogyEdge:
    """Take one edge back with a row of the opposite sign; what it took is in the lot again.

    Raises: Invalid without a reason; Conflict when it is a reversal, was reversed, or made a lot (withdraw the lot).
    """
    known = event_called(act.session, event.id)
    if known is not None and known.reverses_id == edge.id:
        return known
    if not reason.strip():
        raise Invalid("Expected a reason for the correction, but there is none", {"reason": "is required"})
    parent = act.session.get_one(Lot, edge.parent_id) if edge.parent_id is not None else None
    if parent is not None:
        _lock(act, parent)
    about = (edge.record_type, edge.id)
    if edge.reverses_id is not None or edge.kind is EdgeKind.MADE:
        what = "made a lot; withdraw the lot instead" if edge.kind is EdgeKind.MADE else "is a reversal itself"
        raise Conflict(f"Expected a step to correct, but {edge.number} {what}", code="NOT_REVERSIBLE", record=about)
    if reversal_of(act.session, edge) is not None:
        raise Conflict(f"Expected a step that stands, but {edge.number} was reversed", code="REVERSED", record=about)
    _refuse_reused(known, event)
    reversal = _write(
        act, event, kind=edge.kind, parent_id=edge.parent_id, child_id=edge.child_id, from_node=edge.from_node,
        to_node=edge.to_node, work_order_id=edge.work_order_id, operation_id=edge.operation_id, quantity=-edge.quantity,
        uom=edge.uom, part_revision_id=edge.part_revision_id, reverses_id=edge.id, reason=reason.strip(),
    )  # fmt: skip
    if parent is not None:
        _settle(act, parent)
    return reversal


def event_called(session: Session, event_id: str) -> GenealogyEdge | None:
    """Return the edge an event left, None when it never came."""
    return session.scalar(select(GenealogyEdge).where(GenealogyEdge.event_id == event_id))


def reversal_of(session: Session, edge: GenealogyEdge) -> GenealogyEdge | None:
    """Return the row that took an edge back, None while it stands."""
    return session.scalar(select(GenealogyEdge).where(GenealogyEdge.reverses_id == edge.id))


def issued_but_open(session: Session, lot: Lot, work_order_id: str | None) -> Decimal:
    """Return what of a lot was issued to a work order and has not gone into another lot yet, in the lot's unit."""
    sums = {EdgeKind.CONSUMED: Decimal(0), EdgeKind.TRANSFORMED: Decimal(0)}
    wanted = select(GenealogyEdge.kind, GenealogyEdge.quantity).where(
        GenealogyEdge.parent_id == lot.id,
        GenealogyEdge.work_order_id == work_order_id,
        GenealogyEdge.kind.in_(sums),
    )
    for kind, quantity in session.execute(wanted):
        sums[kind] += quantity
    return max(sums[EdgeKind.CONSUMED] - sums[EdgeKind.TRANSFORMED], Decimal(0))


def _within_reach(session: Session, lot: Lot, work_order_id: str | None) -> Decimal:
    session.flush()
    return lot.quantity_left + issued_but_open(session, lot, work_order_id)


def _known(
    act: Act, event: Event, kind: EdgeKind, lot: Lot | None, quantity: Decimal, *, target: str | None
) -> GenealogyEdge | None:
    """Return what an event left before. Raises Conflict EVENT_REUSED when it said something else then."""
    if not event.id.strip():
        raise Invalid(
            "Expected an event id, so that a second delivery is known, but there is none", {"event_id": "is required"}
        )
    if lot is not None:
        _lock(act, lot)  # Whoever brings the same event at the same moment waits here, and then finds it.
    known = event_called(act.session, event.id)
    said = (kind, lot.id if lot is not None else None, quantity, target)
    if known is not None and (known.kind, known.parent_id, known.quantity, known.to_node) != said:
        _refuse_reused(known, event)
    return known


def _refuse_reused(known: GenealogyEdge | None, event: Event) -> None:
    if known is not None:
        raise Conflict(
            f"Expected event {event.id} to say what it said before ({known.kind}, {known.quantity.normalize():f} {known.uom}), "
            "but it says something else; a correction is a reversal with an event id of its own",
            code="EVENT_REUSED",
            record=(known.record_type, known.id),
        )


def _lock(act: Act, lot: Lot) -> None:
    """Wait for whoever takes from the lot just now, and read what they left. SQLite's acts follow one another anyway."""
    act.session.flush()
    act.session.refresh(lot, with_for_update=True)


def _check_taking(lot: Lot, quantity: Decimal, uom: str | None, *, at_most: Decimal) -> None:
    if uom is not None and uom != lot.uom:
        raise Invalid(
            f"Expected {lot.number} to be taken in {lot.uom}, but found {uom}; there is no conversion between them",
            {"uom": f"the lot is kept in {lot.uom}"},
        )
    check_quantity(quantity, lot.uom)
    if quantity > at_most:
        raise Conflict(
            f"Expected at most {at_most.normalize():f} {lot.uom} of {lot.number}, which is what is left, "
            f"but {quantity.normalize():f} were to be taken; issue the rest from another lot",
            code="NOT_ENOUGH",
            record=(lot.record_type, lot.id),
        )


def _required(session: Session, work_order_id: str, issued: PartRevision) -> list[str]:
    """Return the revisions of a part that the components of a work order ask for, ``P-100/B``; empty when they name none."""
    part_no = issued.part.part_no
    wanted = select(StandardCost).where(StandardCost.work_order_id == work_order_id)
    asked = (component.required_revision(part_no) for component in session.scalars(wanted))
    return [f"{part_no}/{revision}" for revision in asked if revision is not None]


def _refuse(act: Act, findings: Iterable[Finding]) -> None:
    """Refuse what CON-16 finds, unless the flow's mode or a waiver lets it pass; then it is kept as a warning.

    A lot's status is loosened by neither: only an inspection or a signature accepts a lot.
    """
    found = list(findings)
    open_to_waivers = [finding for finding in found if finding.field != "status"]
    weighed = lenient(act.session, soften(act.session, open_to_waivers, on=_today(act)), FLOW)
    stops = [each for each in found if each.field == "status"] + [
        each for each in weighed if each.effect is not Effect.WARN
    ]
    if stops:
        raise RuleViolation(stops)
    if weighed:
        keep_findings(act, weighed, mode=mode_of(act.session, FLOW))


def _refuse_waiting(act: Act, lot: Lot | None, work_order_id: str, operation_id: str | None) -> None:
    """Refuse material that a change waits for, or whose work it waits for; what the change only warns of is kept."""
    found = judge_material(act.session, lot, work_order_id, operation_id, now=act.now)
    if stops := [replace(each, effect=Effect.BLOCK) for each in found if each.effect is not Effect.WARN]:
        raise RuleViolation(stops)
    if found:
        keep_findings(act, found, mode=mode_of(act.session, FLOW))


def _refuse_circle(act: Act, lot: Lot, target: str) -> None:
    """Keep the graph free of circles: a lot never goes into what it was made of.

    Nothing leads into goods received, unless they came back from a supplier's process, so they close none; steps of other
    lots follow one another, since two of them could close a circle that neither sees.
    """
    if lot.source is LotSource.RECEIPT and not _has_ancestors(act.session, lot):
        return
    if act.session.connection().dialect.name == "postgresql":
        act.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if is_reachable(act.session, target, lot.id):
        raise Conflict(
            f"Expected {lot.number} to go into something new, but it was made of that; name another lot",
            code="CIRCLE",
            record=(lot.record_type, lot.id),
        )


def _has_ancestors(session: Session, lot: Lot) -> bool:
    session.flush()
    return session.scalar(select(GenealogyEdge.id).where(GenealogyEdge.to_node == lot.id).limit(1)) is not None


def _write(act: Act, event: Event, **columns: object) -> GenealogyEdge:
    edge = GenealogyEdge(
        event_id=event.id, source_system=event.system, happened_at=event.happened_at or act.now,
        performer=event.performer or act.actor, **columns,
    )  # fmt: skip
    act.session.add(edge)
    act.session.flush()
    return edge


def _settle(act: Act, lot: Lot) -> None:
    """Write what the edges leave of a lot, and that it is used up, or not any more."""
    left = lot.quantity - quantity_taken(act.session, lot)
    with act.session.no_autoflush:
        if left == 0 and lot.status is LotStatus.AVAILABLE:
            move(act, lot, LotStatus.CONSUMED)
        elif left > 0 and lot.status is LotStatus.CONSUMED:
            move(act, lot, LotStatus.AVAILABLE)
        lot.quantity_left = left
    act.session.flush()


def _today(act: Act) -> dt.date:
    return site_called(act.session, MAIN).local_day(act.now)
