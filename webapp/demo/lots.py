"""Lots of the demo plant: two heats and some hardware received on its orders, used in four work orders, assembled into serials.

One heat is on hold, and one issue named no lot, so that the pages of the genealogy have something to say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act, Installation
from processes.genealogy import Event, Source, consume, make_lot, transform
from processes.genealogy_holds import hold_lot
from processes.receiving import Delivery, book
from records.actual import Actual, ActualKind
from records.calendar import MAIN, site_called
from records.lot import Lot, LotSource, LotStatus
from records.origin import Origin
from records.part import Part, PartRevision, RevisionStatus
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.resource import Resource, ResourceKind, WorkCentre
from records.routing import OperationKind
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus, WorkOrderType

At = Callable[[dt.datetime], AbstractContextManager[None]]
DAY = dt.timedelta(days=1)

DELIVERIES = (
    # part, what comes, heat or lot
    ("RM-0177", "66", "HEAT-7781"),
    ("RM-0177", "66", "HEAT-7790"),
    ("RM-0164", "160", "HEAT-5512"),
    ("HW-20004", "200", "BU-4471"),
    ("HW-20446", "50", "DP-0312"),
    ("HW-20167", "60", "BB-9024"),
)
MAKES = ("P-2188", "P-2325", "P-2271")
"""A valve body, an output shaft, and the valve that is assembled of them."""

MADE = (
    # work order, its turn among the parts made here, pieces, what it took (lot or heat, quantity)
    ("WO-7401", 0, 10, (("HEAT-7781", "24"),)),
    ("WO-7402", 0, 10, (("HEAT-7781", "12"), ("HEAT-7790", "18"))),
    ("WO-7403", 1, 8, (("HEAT-5512", "42.5"),)),
)
ASSEMBLY = "WO-7410"
SERIALS = 6
BITS = (("BU-4471", "12"), ("DP-0312", "12"), ("BB-9024", "6"))
STEPS = (("Saw blank", "WI-10"), ("Mill profile", "WI-20"), ("Deburr and inspect", "WI-40"))
ASSEMBLING = (("Press bushings", "WI-61"), ("Fit bearing and pins", "WI-62"), ("Final inspection", "WI-69"))


def show_genealogy(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Receive, make and assemble within the last nine days. Where the extract lacks a part, what needs it is left out."""
    with at(today - 9 * DAY), installation.acting("user:sam") as act:
        for part_no, quantity, label in DELIVERIES:
            _receive(act, part_no, Decimal(quantity), label)
    with at(today - 6 * DAY), installation.acting("adapter:mes") as act:
        parts = _made_here(act)
        if len(parts) < len(MAKES):
            return
        people = _shop(act)
        for number, turn, pieces, taken in MADE:
            _make(act, number, parts[turn], pieces, taken, people)
    with at(today - 2 * DAY), installation.acting("adapter:mes") as act:
        _assemble(act, _made_here(act)[2], _shop(act))
    with at(today - DAY / 4), installation.acting("user:quinn") as act:
        doubtful = _lot(act, "HEAT-7790")
        if doubtful is not None and doubtful.status is LotStatus.AVAILABLE:
            hold_lot(act, doubtful, reason="Hardness of the retained sample reads 29 HRC, below the certificate's 36")


def _receive(act: Act, part_no: str, quantity: Decimal, label: str) -> None:
    wanted = (
        select(PurchaseOrderLine)
        .join(PurchaseOrder)
        .join(PartRevision, PurchaseOrderLine.part_revision_id == PartRevision.id)
        .join(Part)
        .where(
            Part.part_no == part_no,
            PurchaseOrder.status.in_([OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED]),
        )
        .order_by(PurchaseOrderLine.id)
    )
    line = act.session.scalars(wanted).first()
    if line is None or line.open_quantity < quantity:
        return
    heat = label if label.startswith("HEAT") else ""
    delivery = Delivery(
        quantity, f"demo:{label}", lot=label, heat=heat, packing_slip=f"PS-{label[-4:]}", location="Dock C",
        revision_on_label=line.part_revision.rev if line.part_revision else None,
    )  # fmt: skip
    book(act, line, delivery)


def _made_here(act: Act) -> list[PartRevision]:
    """Return the body, the shaft and the valve that is assembled of them, as far as the extract has them."""
    wanted = (
        select(PartRevision).join(Part).where(Part.part_no.in_(MAKES), PartRevision.status == RevisionStatus.RELEASED)
    )
    found = {revision.part.part_no: revision for revision in act.session.scalars(wanted)}
    return [found[part_no] for part_no in MAKES if part_no in found]


def _shop(act: Act) -> Mapping[str, Resource]:
    """Return who and what works here, made when it is not there yet."""
    site = site_called(act.session, MAIN)
    centre = act.session.scalar(select(WorkCentre).where(WorkCentre.code == "MILL"))
    if centre is None:
        centre = WorkCentre(
            code="MILL", name="Milling", site_id=site.id, labour_rate=Decimal(85), machine_rate=Decimal(40)
        )
        act.session.add(centre)
        act.session.flush()
    wanted = {
        "otto": ("B-1007", "Otto Brandt", ResourceKind.PERSON),
        "ines": ("B-1012", "Ines Moreau", ResourceKind.PERSON),
        "mill": ("MILL-3", "Five-axis mill 3", ResourceKind.EQUIPMENT),
        "press": ("PRESS-1", "Arbor press 1", ResourceKind.EQUIPMENT),
    }
    found = {}
    for key, (code, name, kind) in wanted.items():
        one = act.session.scalar(select(Resource).where(Resource.code == code))
        if one is None:
            one = Resource(code=code, name=name, kind=kind, work_centre_id=centre.id)
            act.session.add(one)
        found[key] = one
    act.session.flush()
    return found


def _make(
    act: Act,
    number: str,
    revision: PartRevision,
    pieces: int,
    taken: Sequence[tuple[str, str]],
    people: Mapping[str, Resource],
) -> None:
    lots = [(_usable(act, label), Decimal(quantity)) for label, quantity in taken]
    if any(lot is None for lot, _ in lots):
        return
    order = _order(act, number, revision, pieces, STEPS, people, machine="mill")
    for lot, quantity in lots:
        assert lot is not None
        event = Event(f"demo:{number}:{lot.number}", system="MES", performer="B-1007")
        consume(act, lot, quantity, work_order_id=order.id, operation_id=order.operations[0].id, event=event)
    make_lot(
        act, revision, Decimal(pieces), number=f"{revision.part.part_no}-{number[-4:]}", status=LotStatus.AVAILABLE,
        source=Source(LotSource.WORK_ORDER, (order.record_type, order.id)), operation_id=order.operations[-1].id,
    )  # fmt: skip


def _assemble(act: Act, revision: PartRevision, people: Mapping[str, Resource]) -> None:
    made = [_lot_of(act, number) for number, _, _, _ in MADE]
    if any(lot is None for lot in made):
        return
    order = _order(act, ASSEMBLY, revision, SERIALS, ASSEMBLING, people, machine="press")
    for label, quantity in BITS:
        lot = _usable(act, label)
        if lot is not None:
            event = Event(f"demo:{ASSEMBLY}:{label}", system="MES", performer="B-1012")
            consume(
                act, lot, Decimal(quantity), work_order_id=order.id, operation_id=order.operations[1].id, event=event
            )
    source = Source(LotSource.WORK_ORDER, (order.record_type, order.id))
    for turn in range(SERIALS):
        serial = make_lot(
            act, revision, Decimal(1), number=f"SN-{turn + 1:04d}", is_serial=True, status=LotStatus.AVAILABLE, source=source,
            operation_id=order.operations[-1].id,
        )  # fmt: skip
        for part in (made[0] if turn < SERIALS - 2 else made[1], made[2]):
            assert part is not None
            event = Event(f"demo:{serial.number}:{part.number}", system="MES", performer="B-1012")
            transform(
                act, part, serial, quantity=Decimal(1), event=event, work_order_id=order.id,
                operation_id=order.operations[0].id,
            )  # fmt: skip
    nut = act.session.scalar(select(PartRevision).join(Part).where(Part.part_no == "HW-20437"))
    event = Event(f"demo:{ASSEMBLY}:nut", system="MES", performer="B-1012")
    consume(act, None, Decimal(1), work_order_id=order.id, event=event, part_revision=nut)


def _order(
    act: Act,
    number: str,
    revision: PartRevision,
    pieces: int,
    steps: Sequence[tuple[str, str]],
    people: Mapping[str, Resource],
    *,
    machine: str,
) -> WorkOrder:
    """Write a work order as the MES mirrors it: made, with who did what."""
    order = WorkOrder(
        number=number, system="MES", native_id=number, origin=Origin.ERP, type=WorkOrderType.PRODUCTION,
        site_id=site_called(act.session, MAIN).id, part_revision_id=revision.id, quantity=Decimal(pieces),
        status=WorkOrderStatus.IN_PROCESS, planned_start=(act.now - 2 * DAY).date(), planned_finish=(act.now + 9 * DAY).date(),
    )  # fmt: skip
    for position, (what, instruction) in enumerate(steps, start=1):
        order.operations.append(
            WorkOrderOperation(
                op_no=10 * position, kind=OperationKind.INTERNAL, description=what, instruction=instruction, instruction_rev="3",
                work_centre_id=people[machine].work_centre_id, status=OperationStatus.COMPLETE, quantity_in=Decimal(pieces),
                good=Decimal(pieces), equipment_id=people[machine].id,
                performer_id=people["otto" if position % 2 else "ines"].id,
                started_at=act.now - (5 - position) * DAY / 8, completed_at=act.now - (4 - position) * DAY / 8,
            )
        )  # fmt: skip
    act.session.add(order)
    act.session.flush()
    last = order.operations[-1]
    act.session.add(
        Actual(
            work_order_id=order.id, operation_id=last.id, kind=ActualKind.PROCESS, source_system="MES",
            source_event_id=f"demo:{number}:bore", event_time=act.now, received_at=act.now, performer="B-1012",
            performer_id=people["ines"].id, name="Bore diameter", value=Decimal("25.012"), unit="MMT", lower=Decimal("25.000"),
            upper=Decimal("25.021"),
        )
    )  # fmt: skip
    act.session.flush()
    return order


def _lot(act: Act, label: str) -> Lot | None:
    return act.session.scalar(select(Lot).where(Lot.number == label))


def _usable(act: Act, label: str) -> Lot | None:
    lot = _lot(act, label)
    return lot if lot is not None and lot.status is LotStatus.AVAILABLE else None


def _lot_of(act: Act, number: str) -> Lot | None:
    wanted = select(Lot).join(WorkOrder, Lot.source_id == WorkOrder.id).where(WorkOrder.number == number)
    return act.session.scalar(wanted)
