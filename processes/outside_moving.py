"""Move pieces of a link: ship them, take them back, recall them, undo a shipment (B08 to B10, B17).

Every movement is refused whole or made whole, once for an event, and tells the flow that waits for it. The link is locked before
anything is asked, so that of two callers who tell of one event at one instant the second finds what the first has written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Effect, Finding, Forbidden, Invalid, RuleViolation
from engine.messages import publish
from processes.outside_documents import source_until
from processes.outside_lots import lot_that_left, refuse_unknown_lots
from processes.outside_receiving import receive_pieces
from processes.outside_sources import investigate
from records import outside
from records.nonconformance import Nonconformance
from records.numbering import next_number
from records.outside import (
    AWAY,
    FINAL,
    LinkStatus,
    MovementKind,
    OutsideLink,
    OutsideMovement,
    locked,
    movement_called,
    record_movement,
)
from records.part import LotControl, process_words
from records.roles import grants_of
from records.units import check_quantity
from records.work_order import OperationStatus, WorkOrderOperation, move_operation
from rules.emergency_authority import refuse_unapproved_shipment
from rules.finding import keep_findings
from rules.finding import settle as settle_findings
from rules.flow_mode import Mode, mode_of
from rules.law import block
from rules.order_consistency import judge_amended, judge_link
from rules.supplier_gate import Point
from rules.supplier_gate import judge as judge_supplier

NOT_KEPT = dt.timedelta(0)
"""Flows are told of a movement when they wait for it; one that does not looks at the link itself when it gets there."""

SHIPPING, RECEIVING, PLANNER = ("SHIPPING",), ("RECEIVING",), ("PLANNER",)
MAY_SHIP = frozenset({LinkStatus.READY_TO_SHIP, *AWAY, LinkStatus.RETURNED, LinkStatus.RECALLED})


NOT_READY = {
    LinkStatus.PROPOSED: LinkStatus.PO_LINKED, LinkStatus.PO_LINKED: LinkStatus.READY_TO_SHIP, LinkStatus.VERIFIED: LinkStatus.RETURNED,
}  # fmt: skip
"""Where a link that may not ship goes next when it ships all the same, because its flow is only observed."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is about to leave. quantity: in ``uom``; lots: our numbers of what leaves; is_partial: the rest follows later."""

    quantity: Decimal
    uom: str
    event_id: str
    serials: tuple[str, ...] = ()
    lots: tuple[str, ...] = ()
    carrier: str = ""
    return_by: dt.date | None = None
    is_partial: bool = False
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Return:
    """What came back. good, scrap: in ``uom``. revision: as read from the label. certificates: numbers that came with it."""

    good: Decimal
    scrap: Decimal
    uom: str
    event_id: str
    serials: tuple[str, ...] = ()
    scrap_serials: tuple[str, ...] = ()
    packing_slip: str = ""
    received_on: dt.date | None = None
    location: str = ""
    revision: str | None = None
    lot: str = ""
    certificates: tuple[str, ...] = field(default=())


def ship(act: Act, link: OutsideLink, shipment: Shipment) -> OutsideMovement:
    """Send pieces to the supplier with a packing list of their own.

    Raises: Forbidden for who is not shipping; Invalid for what was typed; Conflict SHIP_BLOCKED or ON_HOLD with whose turn it is;
    RuleViolation CON-06 and the other rules of ship-out. A second delivery of an event moves nothing and returns the first.
    """
    link = locked(act, link)
    if (known := movement_called(act.session, shipment.event_id)) is not None:
        return same_movement(known, link)
    require_role(act, SHIPPING, f"ship {link.number}")
    quantity = pieces(link, shipment.quantity, shipment.uom)
    _refuse_blocked(act, link)
    _refuse_wrong_count(link, quantity, is_partial=shipment.is_partial)
    _refuse_unserialised(link, shipment.serials)
    refuse_unapproved_shipment(act.session, link.operation.work_order, shipment.serials)
    refuse_unknown_lots(act.session, link, shipment.lots)
    pass_findings(act, link, ship_findings(act, link))
    _go_out(act, link)
    today = link.site.local_day(act.now)
    movement = record_movement(
        act, link, MovementKind.SHIP_OUT, quantity, event_id=shipment.event_id, moved_on=today, serials=shipment.serials,
        packing_list_no=next_number(act, "PL", site=link.site), carrier=shipment.carrier, documents=shipment.documents,
        lots=shipment.lots,
    )  # fmt: skip
    link.return_by = shipment.return_by or link.return_by or link.need_by
    operation = link.operation
    if operation.status is not OperationStatus.AT_SUPPLIER:
        move_operation(act, operation, OperationStatus.AT_SUPPLIER)
    act.session.flush()
    tell_flow(act, link, "outside.shipped")
    return movement


def take_back(act: Act, link: OutsideLink, returned: Return) -> list[OutsideMovement]:
    """Count what came back, good and scrap; the good pieces are received against the order line.

    Raises: Conflict CON-13 when more comes than is away or a serial number never left: nothing moves, and the attempt is kept.
    """
    link = locked(act, link)
    if (known := movement_called(act.session, returned.event_id)) is not None:
        return [same_movement(known, link)]
    require_role(act, RECEIVING, f"take {link.number} back")
    counts = [
        (MovementKind.RETURN_GOOD, returned.good, returned.serials, returned.event_id),
        (MovementKind.RETURN_SCRAP, returned.scrap, returned.scrap_serials, f"{returned.event_id}#scrap"),
    ]
    if all(count == 0 for _, count, _, _ in counts):
        raise Invalid("Expected at least one piece back, but none is counted", {"good": "is missing"})
    counts = [
        (kind, pieces(link, count, returned.uom), serials, name) for kind, count, serials, name in counts if count
    ]
    counts[0] = (*counts[0][:3], returned.event_id)
    _refuse_surplus(link, sum((count for _, count, _, _ in counts), Decimal(0)))
    lot = lot_that_left(link, returned.lot)
    today = returned.received_on or link.site.local_day(act.now)
    made = [
        record_movement(
            act, link, kind, count, event_id=name, moved_on=today, serials=serials,
            documents=returned.certificates, lots=(lot,) if lot else (), reason=returned.packing_slip,
        )
        for kind, count, serials, name in counts
    ]  # fmt: skip
    settle(act, link)
    receive_pieces(
        act, link, made, packing_slip=returned.packing_slip, location=returned.location, revision=returned.revision
    )
    tell_flow(act, link, "outside.moved")
    return made


def recall(
    act: Act, link: OutsideLink, quantity: Decimal, *, reason: str, event_id: str, serials: tuple[str, ...] = ()
) -> OutsideMovement:
    """Book pieces that came home unprocessed; they may be shipped again. Raises: Invalid without a reason; Conflict CON-13."""
    link = locked(act, link)
    if (known := movement_called(act.session, event_id)) is not None:
        return same_movement(known, link)
    require_role(act, (*PLANNER, *RECEIVING), f"recall pieces of {link.number}")
    if not reason.strip():
        raise Invalid("Expected a reason for the recall, but there is none", {"reason": "is required"})
    check_quantity(quantity, link.uom)
    movement = record_movement(
        act, link, MovementKind.RECALL, quantity, event_id=event_id, moved_on=link.site.local_day(act.now),
        serials=serials, reason=reason.strip(),
    )  # fmt: skip
    settle(act, link)
    tell_flow(act, link, "outside.moved")
    return movement


def undo_shipment(act: Act, movement: OutsideMovement, *, reason: str, event_id: str) -> OutsideMovement:
    """Take a shipment back that the carrier has not fetched: a negative row, and the pieces are here as before."""
    link = locked(act, movement.link)
    if (known := movement_called(act.session, event_id)) is not None:
        return same_movement(known, link)
    require_role(act, SHIPPING, f"undo a shipment of {link.number}")
    if movement.kind is not MovementKind.SHIP_OUT or movement.reverses_id is not None:
        raise Conflict(f"Expected a shipment to undo, but {movement.number} is none", code="ILLEGAL_TRANSITION")
    if not reason.strip():
        raise Invalid("Expected a reason to undo the shipment, but there is none", {"reason": "is required"})
    if is_undone(act, movement):
        raise Conflict(f"Expected {movement.number} to stand, but it was undone before", code="ILLEGAL_TRANSITION")
    undone = record_movement(
        act, link, MovementKind.SHIP_OUT, movement.quantity, event_id=event_id, moved_on=link.site.local_day(act.now),
        serials=tuple(serial.serial for serial in movement.serials), takes_back=movement, reason=reason.strip(),
    )  # fmt: skip
    settle(act, link)
    tell_flow(act, link, "outside.moved")
    return undone


def send_back(act: Act, link: OutsideLink, quantity: Decimal, *, reason: str, event_id: str) -> OutsideMovement:
    """Send pieces that failed inspection to the supplier again, under the same allocation (B23).

    Raises: RuleViolation SUP-04 and the other rules of the supplier gate: nothing leaves to whose approval has ended.
    """
    link = locked(act, link)
    refuse_findings(lapse_findings(act.session, link, now=act.now))
    link.source_until = source_until(act, link)
    last = [one for one in link.movements if one.kind is MovementKind.RETURN_GOOD and one.quantity >= quantity]
    if not last:
        raise Conflict(f"Expected a return of at least {quantity.normalize():f} under {link.number}, but there is none")
    outside.move(act, link, LinkStatus.AT_SUPPLIER if link.good == quantity else LinkStatus.PART_RETURNED)
    movement = record_movement(
        act, link, MovementKind.RETURN_GOOD, quantity, event_id=event_id, moved_on=link.site.local_day(act.now),
        serials=tuple(serial.serial for serial in last[-1].serials)[: int(quantity)], takes_back=last[-1], reason=reason,
        packing_list_no=next_number(act, "PL", site=link.site),
    )  # fmt: skip
    if link.operation.status is OperationStatus.RETURNED_PENDING:
        move_operation(act, link.operation, OperationStatus.AT_SUPPLIER)
    act.session.flush()
    return movement


def scrap_returned(act: Act, link: OutsideLink, quantity: Decimal, *, reason: str, event_id: str) -> OutsideMovement:
    """Count pieces that came back good as scrap, because quality scrapped them: a negative row and a new one (B23)."""
    link = locked(act, link)
    last = [one for one in link.movements if one.kind is MovementKind.RETURN_GOOD and one.quantity >= quantity]
    if not last:
        raise Conflict(f"Expected a return of at least {quantity.normalize():f} under {link.number}, but there is none")
    serials = tuple(serial.serial for serial in last[-1].serials)[: int(quantity)]
    given: dict[str, Any] = {"moved_on": link.site.local_day(act.now), "serials": serials, "reason": reason}
    outside.move(act, link, LinkStatus.PART_RETURNED if link.good > quantity else LinkStatus.AT_SUPPLIER)
    record_movement(
        act, link, MovementKind.RETURN_GOOD, quantity, event_id=f"{event_id}#back", takes_back=last[-1], **given
    )
    made = record_movement(act, link, MovementKind.RETURN_SCRAP, quantity, event_id=event_id, **given)
    outside.move(act, link, LinkStatus.RETURNED)
    return made


def report_surplus(act: Act, link: OutsideLink, quantity: Decimal, *, serials: str, description: str) -> Nonconformance:
    """Keep apart what came back and never left: a nonconformance of the link, for quality to investigate (B17)."""
    require_role(act, RECEIVING, f"report what came under {link.number}")
    check_quantity(quantity, link.uom)
    return investigate(act, link, quantity, serials=serials, description=description)


def settle(act: Act, link: OutsideLink) -> None:
    """Set the statuses of a link and its operation that follow from what is away."""
    to = standing_of(link)
    if to is not link.standing:
        outside.move(act, link, to)
    _settle_operation(act, link.operation)


def standing_of(link: OutsideLink) -> LinkStatus:
    """Return where a link stands by its counters alone."""
    if link.at_supplier == 0:
        if link.shipped == 0:
            return LinkStatus.READY_TO_SHIP
        return LinkStatus.RECALLED if link.recalled == link.shipped else LinkStatus.RETURNED
    return LinkStatus.PART_RETURNED if link.at_supplier < link.shipped else LinkStatus.AT_SUPPLIER


def _settle_operation(act: Act, operation: WorkOrderOperation) -> None:
    links = act.session.scalars(select(OutsideLink).where(OutsideLink.operation_id == operation.id)).all()
    if operation.status is not OperationStatus.AT_SUPPLIER or any(link.at_supplier for link in links):
        return
    processed = any(link.good or link.scrap or link.lost for link in links)
    move_operation(act, operation, OperationStatus.RETURNED_PENDING if processed else OperationStatus.READY)
    act.session.flush()


def ship_findings(act: Act, link: OutsideLink) -> list[Finding]:
    """Return what stops pieces of a link from leaving now: the rules of consistency, then the supplier gate."""
    return [*judge_link(act.session, link, at="SHIP", now=act.now), *source_findings(act.session, link, now=act.now)]


def source_findings(session: Session, link: OutsideLink, *, now: dt.datetime) -> list[Finding]:
    """Return what the supplier gate says of pieces of a link that leave now."""
    order, today = link.order, link.site.local_day(now)
    gate = judge_supplier(
        session, order.supplier, [link.order_line], point=Point.SHIP, on=today, site=order.supplier_site
    )
    return list(gate.findings)


def lapse_findings(session: Session, link: OutsideLink, *, now: dt.datetime) -> list[Finding]:
    """Return SUP-04 when the supplier may not get pieces of a link for rework, because its approval has ended."""
    stops = [finding for finding in source_findings(session, link, now=now) if finding.effect is not Effect.WARN]
    if not stops:
        return []
    supplier = link.order.supplier.name
    what = process_words(link.process_code)
    ended = f"ended on {link.source_until}" if link.source_until else "has ended"
    return [
        block(
            "SUP-04",
            f"Expected the approval of {supplier} for {what} to stand when pieces of {link.number} go back to it, but "
            f"it {ended}. {stops[0].sentence}",
            (link.record_type, link.id), field="supplier", owner="role:SQ",
            way_out="Supplier quality renews the approval; until then the pieces stay here.",
        )
    ]  # fmt: skip


def refuse_findings(findings: Sequence[Finding]) -> None:
    """Refuse what a rule blocks or holds: a hold lets data in, but stops the next physical step. Raises: RuleViolation."""
    stops = [replace(finding, effect=Effect.BLOCK) for finding in findings if finding.effect is not Effect.WARN]
    if stops:
        raise RuleViolation(stops)


def pass_findings(act: Act, link: OutsideLink, findings: Sequence[Finding]) -> None:
    """Refuse what stops, keep what only warns with the mode the flow is in, and settle what holds no more. Raises: RuleViolation."""
    refuse_findings(findings)
    keep_judged(act, link, findings)


def keep_judged(act: Act, link: OutsideLink, findings: Sequence[Finding]) -> None:
    """Keep what the rules said of a link, with the mode of the flow, and settle what they said before and do not say now.

    An amendment holds a link from its proposal on, whether or not the step that is judged now asks for it.
    """
    amended, _ = judge_amended(act.session, link, now=act.now)
    found = [*(one for one in findings if one.rule not in {each.rule for each in amended}), *amended]
    keep_findings(act, found, mode=mode_of(act.session, "outside_processing"))
    settle_findings(act, link.record_type, link.id, rules=frozenset({"CON"}), found=found)


def pieces(link: OutsideLink, quantity: Decimal, uom: str) -> Decimal:
    """Return a quantity in the link's unit. Raises: RuleViolation CON-12 for a unit that nothing converts; Invalid."""
    if uom == link.uom:
        return check_quantity(quantity, uom)
    line = link.order_line
    if uom != line.uom or line.uom == link.uom or not link.conversion_factor:
        raise RuleViolation(
            [
                block(
                    "CON-12",
                    f"Expected a quantity in {link.uom}, but {quantity.normalize():f} {uom} was given and nothing converts it.",
                    (link.record_type, link.id), field="uom", old=link.uom, new=uom, owner="role:PLANNER",
                    way_out=f"Count in {link.uom}.",
                )
            ]
        )  # fmt: skip
    check_quantity(quantity, uom)
    return check_quantity((quantity / link.conversion_factor).quantize(Decimal("0.000001")), link.uom)


def require_role(act: Act, roles: tuple[str, ...], what: str) -> None:
    """Refuse a person who holds none of these roles; adapters and the system act for the systems they stand for."""
    if act.user_id is None:
        return
    held = {grant.role for grant in grants_of(act.session, act.user_id, at=act.now)}
    if not held & set(roles):
        raise Forbidden(f"Expected {' or '.join(roles)} to {what}, but you hold neither role", code="NOT_AUTHORISED")


def is_undone(act: Act, movement: OutsideMovement) -> bool:
    """Whether a movement was taken back."""
    wanted = select(OutsideMovement.id).where(OutsideMovement.reverses_id == movement.id)
    return act.session.scalars(wanted).first() is not None


def tell_flow(act: Act, link: OutsideLink, message: str, **variables: object) -> None:
    """Let the flow of a link hear of something now."""
    publish(act, message, correlation_key=link.id, variables=variables, ttl=NOT_KEPT)


def same_movement(known: OutsideMovement, link: OutsideLink) -> OutsideMovement:
    """Return the movement that an event told of before. Raises: Conflict when it was another link's."""
    if known.link_id != link.id:
        raise Conflict(
            f"Expected an event of its own, but {known.event_id} told of {known.link.number} already",
            code="ALREADY_HANDLED",
        )
    return known


def _refuse_blocked(act: Act, link: OutsideLink) -> None:
    """Refuse what is held or not ready; where the flow is not enforced keep it as a finding, as the database lets it pass too.

    What has ended ships in no mode. Raises: Conflict ON_HOLD or SHIP_BLOCKED.
    """
    found = list(_blocks(link))
    mode = mode_of(act.session, "outside_processing")
    if found and (mode is Mode.ENFORCE or link.standing in FINAL):
        raise Conflict(found[0].sentence, code=found[0].rule, record=(link.record_type, link.id), keep=True)
    seen = [replace(one, effect=Effect.WARN) for one in found]
    keep_findings(act, seen, mode=mode)
    settle_findings(act, link.record_type, link.id, rules=frozenset({"ON_HOLD", "SHIP_BLOCKED"}), found=seen)


def _blocks(link: OutsideLink) -> Iterator[Finding]:
    about = (link.record_type, link.id)
    if link.status is LinkStatus.HOLD:
        yield block(
            "ON_HOLD",
            f"Expected {link.number} to be free to ship, but it is on hold ({link.hold_rule}): {link.hold_reason} "
            f"{_owner(link)} may lift it.",
            about, field="status", owner=link.hold_owner or "role:PLANNER", way_out="Lift the hold, or recall what has left.",
        )  # fmt: skip
    elif link.status not in MAY_SHIP:
        yield block(
            "SHIP_BLOCKED",
            f"Expected {link.number} to be ready to ship, but it is {link.status.value.lower().replace('_', ' ')}; "
            "its flow says whose turn it is.",
            about, field="status", owner="role:PLANNER", way_out="Do what its flow waits for.",
        )  # fmt: skip


def _go_out(act: Act, link: OutsideLink) -> None:
    """Move a link to the supplier, over every status between: more than one only where the flow is not enforced."""
    if link.standing in AWAY:
        return
    while link.standing in NOT_READY:
        outside.move(act, link, NOT_READY[link.standing])
    outside.move(act, link, LinkStatus.AT_SUPPLIER)


def _owner(link: OutsideLink) -> str:
    kind, _, name = (link.hold_owner or "role:PLANNER").partition(":")
    return f"Whoever holds {name}" if kind == "role" else name


def _refuse_wrong_count(link: OutsideLink, quantity: Decimal, *, is_partial: bool) -> None:
    if quantity > link.to_ship:
        raise Conflict(
            f"Expected at most {link.to_ship.normalize():f} {link.uom}, which is what {link.number} allocates and is still here, "
            f"but {quantity.normalize():f} were counted.",
            code="SHIP_BLOCKED", record=(link.record_type, link.id), keep=True,
        )  # fmt: skip
    if quantity < link.to_ship and not is_partial:
        raise Conflict(
            f"Expected {link.to_ship.normalize():f} {link.uom}, all that {link.number} allocates, but {quantity.normalize():f} were "
            "counted; say that the rest follows, or let the planner change the allocation.",
            code="SHIP_BLOCKED", record=(link.record_type, link.id),
        )  # fmt: skip


def _refuse_unserialised(link: OutsideLink, serials: tuple[str, ...]) -> None:
    part = link.part_revision.part if link.part_revision is not None else None
    if part is not None and part.lot_control is LotControl.SERIAL and not serials:
        raise Invalid(
            f"Expected the serial numbers of what leaves, because {part.part_no} is controlled by serial number",
            {"serials": "are required"},
        )


def _refuse_surplus(link: OutsideLink, quantity: Decimal) -> None:
    if quantity <= link.at_supplier:
        return
    raise Conflict(
        f"Expected at most {link.at_supplier.normalize():f} {link.uom} back under {link.number}, because "
        f"{link.shipped.normalize():f} left and the rest is accounted for, but {quantity.normalize():f} came. Keep them apart: "
        "report them as a nonconformance of this link, and quality investigates.",
        code="CON-13", record=(link.record_type, link.id), keep=True,
    )  # fmt: skip
