"""Parts at outside suppliers: links ready to ship, away, late, partly back, waiting for a certificate, and one still to plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine import tasks
from engine.act import Act, Installation
from engine.ports import SignatureRequest
from engine.stored.task import Task, TaskState
from engine.worker import run_until_idle
from processes import outside_moving, outside_processing, outside_watch
from processes.outside_moving import Return, Shipment
from records.calendar import MAIN, site_called
from records.demo_people import PASSWORD
from records.numbering import next_number
from records.origin import Origin
from records.outside import OutsideLink
from records.part import LotControl, OutsideProcess, Part, PartRevision, PartType, RevisionStatus
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.requisition import PurchaseType
from records.routing import OperationKind
from records.supplier import (
    ApprovalBasis,
    ApprovalStatus,
    ApprovalSubject,
    Supplier,
    SupplierApproval,
    SupplierSite,
    SupplierStatus,
)
from records.work_order import (
    OperationStatus,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
    WorkOrderType,
)

At = Callable[[dt.datetime], AbstractContextManager[None]]


@dataclass(frozen=True)
class Trip:
    """One work order whose pieces go outside. days: begun, shipped, back (good, scrap) so many days before today; None is not yet."""

    work_order: str
    part: str
    name: str
    quantity: int
    process: str
    supplier: str
    price: str
    due_in: int
    begun: float
    shipped: float | None = None
    back: tuple[float, int, int] | None = None
    is_planned: bool = True
    has_serials: bool = False


NORTHSTAR, QUICKPLATE = "NorthStar Heat Treating", "QuickPlate Finishing"
TRIPS = (
    Trip("WO-7301", "WB-2200", "Wing bracket, 4340", 24, "HEAT_TREAT", NORTHSTAR, "18.00", 6, begun=9, shipped=5),
    Trip("WO-7302", "LG-1410", "Landing gear pin", 40, "HEAT_TREAT", NORTHSTAR, "11.50", -3, begun=16, shipped=12),
    Trip(
        "WO-7303",
        "HS-0830",
        "Housing half, 6061",
        60,
        "ANODISE",
        QUICKPLATE,
        "6.20",
        4,
        begun=11,
        shipped=8,
        back=(1, 36, 2),
    ),
    Trip(
        "WO-7304",
        "TR-5120",
        "Torque rod",
        16,
        "HEAT_TREAT",
        NORTHSTAR,
        "24.00",
        2,
        begun=10,
        shipped=8,
        back=(1.2, 16, 0),
    ),
    Trip(
        "WO-7305", "IM-0071", "Implant stem, blank", 12, "HEAT_TREAT", NORTHSTAR, "41.00", 12, begun=3, has_serials=True
    ),
    Trip("WO-7306", "CV-3300", "Cover plate", 80, "ANODISE", QUICKPLATE, "3.10", 14, begun=1, is_planned=False),
)
SPECS = {"HEAT_TREAT": ("PS-455", "D"), "ANODISE": ("PS-310", "B")}
SOURCES = (
    # name, process, Nadcap commodity, days its approval still holds, town
    (NORTHSTAR, "HEAT_TREAT", "Heat Treating", 33, "Milwaukee"),
    (QUICKPLATE, "ANODISE", "Chemical Processing", 260, "Elgin"),
)


def send_outside(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Make the masters, then let the cast send pieces out and take them back, each on its day."""
    with at(today - dt.timedelta(days=18)), installation.acting("system:demo") as act:
        _build_masters(act, today)
    for trip in sorted(TRIPS, key=lambda one: -one.begun):
        _travel(installation, trip, today=today, at=at)
    with at(today):
        _look_around(installation)


def _travel(installation: Installation, trip: Trip, *, today: dt.datetime, at: At) -> None:
    with at(today - dt.timedelta(days=trip.begun)):
        with installation.acting("system:demo") as act:
            operation_id = _build_work(act, trip, today).id
        with installation.acting("user:rita") as act:
            outside_processing.start(act, act.session.get_one(WorkOrderOperation, operation_id))
        if trip.is_planned:
            _plan(installation, trip, operation_id)
    if trip.shipped is not None:
        with at(today - dt.timedelta(days=trip.shipped)):
            _ship(installation, trip, operation_id)
    if trip.back is not None:
        with at(today - dt.timedelta(days=trip.back[0])):
            _take_back(installation, trip, operation_id)


def _build_masters(act: Act, today: dt.datetime) -> None:
    for name, code, commodity, days, town in SOURCES:
        if act.session.scalar(select(OutsideProcess).where(OutsideProcess.code == code)) is None:
            special = code == "HEAT_TREAT"
            words = code.replace("_", " ").capitalize()
            act.session.add(
                OutsideProcess(code=code, name=words, is_special=special, nadcap_commodity=commodity if special else "")
            )
            act.session.flush()
        number = f"S-{name.partition(' ')[0].upper()}"
        supplier = Supplier(
            supplier_no=number, name=name, status=SupplierStatus.APPROVED, currency="USD", payment_term="Net 30",
            email=f"orders@{name.partition(' ')[0].lower()}.example", has_change_agreement=True, lead_time_days=10, origin=Origin.ERP,
        )  # fmt: skip
        act.session.add(supplier)
        act.session.flush()
        act.session.add_all(
            [
                SupplierSite(
                    supplier=supplier, supplier_id=supplier.id, code="1", name=town, street="200 Foundry Road", city=town,
                    country="US", is_default=True, origin=Origin.ERP,
                ),
                SupplierApproval(
                    supplier=supplier, supplier_id=supplier.id, subject=ApprovalSubject.PROCESS, subject_code=code,
                    status=ApprovalStatus.APPROVED, valid_from=today.date() - dt.timedelta(days=330),
                    valid_to=today.date() + dt.timedelta(days=days), basis=ApprovalBasis.NADCAP, nadcap_commodity=commodity,
                    nadcap_certificate_no=f"NC-{number[2:6]}-07", cycle_months=18, specs=(" ".join(SPECS[code]),), origin=Origin.ERP,
                ),
            ]
        )  # fmt: skip
        act.session.flush()


def _build_work(act: Act, trip: Trip, today: dt.datetime) -> WorkOrderOperation:
    """Write the work order as the MES has it, with everything before the outside operation done, and the order for it."""
    site, spec = site_called(act.session, MAIN), SPECS[trip.process]
    revision = _revision(act, trip)
    quantity, due = Decimal(trip.quantity), today.date() + dt.timedelta(days=trip.due_in)
    work = WorkOrder(
        number=trip.work_order, system="MES", native_id=trip.work_order, origin=Origin.ERP, type=WorkOrderType.PRODUCTION,
        site_id=site.id, part_revision_id=revision.id, quantity=quantity, planned_start=today.date() - dt.timedelta(days=20),
        planned_finish=due + dt.timedelta(days=9), status=WorkOrderStatus.IN_PROCESS, standard_cost=quantity * Decimal("92.00"),
    )  # fmt: skip
    done = {"status": OperationStatus.COMPLETE, "quantity_in": quantity, "good": quantity}
    steps: tuple[dict[str, Any], ...] = (
        {"op_no": 10, "description": "Saw and face"} | done,
        {"op_no": 20, "description": "Mill profile"} | done,
        {
            "op_no": 30, "description": trip.process.replace("_", " ").capitalize(), "kind": OperationKind.OUTSIDE,
            "process_code": trip.process, "is_special": trip.process == "HEAT_TREAT", "spec": spec[0], "spec_rev": spec[1],
            "is_certificate_required": True, "status": OperationStatus.READY, "quantity_in": quantity, "planned_finish": due,
        },
        {"op_no": 40, "description": "Inspect and mark", "planned_start": due + dt.timedelta(days=3)},
    )  # fmt: skip
    work.operations.extend(WorkOrderOperation(**step) for step in steps)
    act.session.add(work)
    act.session.flush()
    if trip.is_planned:
        _order(act, trip, work, due)
    return work.operations[2]


def _revision(act: Act, trip: Trip) -> PartRevision:
    part = Part(
        part_no=trip.part, name=trip.name, type=PartType.MAKE, commodity="MACHINED", origin=Origin.ERP,
        lot_control=LotControl.SERIAL if trip.has_serials else LotControl.LOT,
    )  # fmt: skip
    revision = PartRevision(part=part, rev="B", status=RevisionStatus.RELEASED, origin=Origin.ERP)
    act.session.add_all([part, revision])
    act.session.flush()
    return revision


def _order(act: Act, trip: Trip, work: WorkOrder, due: dt.date) -> None:
    supplier = act.session.scalars(select(Supplier).where(Supplier.name == trip.supplier)).one()
    site, spec = site_called(act.session, MAIN), SPECS[trip.process]
    number = next_number(act, "PO", site=site)
    order = PurchaseOrder(
        proposal_no=next_number(act, "PF", site=site), po_no=number, type=PurchaseType.OSP, site_id=site.id, supplier_id=supplier.id,
        supplier_site=supplier.sites[0], buyer_id="bea", currency="USD", fx_rate=Decimal(1), order_date=act.now.date(),
        payment_term="Net 30", ship_to=site.name, bill_to=site.name, status=OrderStatus.ACKNOWLEDGED, transmitted_at=act.now,
        origin=Origin.ERP,
    )  # fmt: skip
    order.lines.append(
        PurchaseOrderLine(
            line_no=1, part_revision_id=work.part_revision_id, description=work.operations[2].description,
            quantity=work.quantity, unit_price=Decimal(trip.price), need_by=due, promised_on=due, process_code=trip.process,
            spec=spec[0], spec_rev=spec[1], cost_object=f"WO:{work.number}", work_order_op=work.operations[2].number,
            certificates=("HT",) if trip.process == "HEAT_TREAT" else ("COC",), match_level=4,
        )
    )  # fmt: skip
    act.session.add(order)
    act.session.flush()


def _plan(installation: Installation, trip: Trip, operation_id: str) -> None:
    with installation.reading() as session:
        supplier_id = session.scalars(select(Supplier.id).where(Supplier.name == trip.supplier)).one()
        due = session.get_one(WorkOrderOperation, operation_id).planned_finish
    plan = [{"supplier_id": supplier_id, "quantity": Decimal(trip.quantity)}]
    _decide(installation, operation_id, "rita", "plan_shares", "confirm", {"plan": plan, "need_back_on": due})
    run_until_idle(installation)
    if trip.process == "HEAT_TREAT":
        coupons = {"coupon_plan": "2 tensile coupons from the same heat, tested before release"}
        _decide(installation, operation_id, "quinn", "release_special_process", "approve", coupons)
        run_until_idle(installation)


def _decide(
    installation: Installation, operation_id: str, who: str, step: str, verdict: str, variables: dict[str, Any]
) -> None:
    with installation.acting(f"user:{who}") as act:
        about = [
            operation_id,
            *act.session.scalars(select(OutsideLink.id).where(OutsideLink.operation_id == operation_id)),
        ]
        wanted = select(Task).where(Task.element_id == step, Task.state == TaskState.OPEN, Task.record_id.in_(about))
        task = act.session.scalars(wanted).one()
        signature = (
            SignatureRequest(task.signature, PASSWORD, user_id=who, accepts_responsibility=True)
            if task.signature
            else None
        )
        tasks.decide(act, task.id, verdict, seen_version=task.version, variables=variables, signature=signature)


def _ship(installation: Installation, trip: Trip, operation_id: str) -> None:
    with installation.acting("user:sam") as act:
        link = _link(act, operation_id)
        shipment = Shipment(
            quantity=Decimal(trip.quantity), uom=link.uom, event_id=f"demo:{trip.work_order}:out", carrier="Midwest Milk Run",
            return_by=link.need_by,
        )  # fmt: skip
        outside_moving.ship(act, link, shipment)
    run_until_idle(installation)


def _take_back(installation: Installation, trip: Trip, operation_id: str) -> None:
    assert trip.back is not None
    _, good, scrap = trip.back
    with installation.acting("user:sam") as act:
        link = _link(act, operation_id)
        returned = Return(
            good=Decimal(good), scrap=Decimal(scrap), uom=link.uom, event_id=f"demo:{trip.work_order}:back",
            packing_slip=f"DN-{trip.work_order[3:]}", location="Dock C", revision="B",
        )  # fmt: skip
        outside_moving.take_back(act, link, returned)
    _look_around(installation)


def _link(act: Act, operation_id: str) -> OutsideLink:
    return act.session.scalars(select(OutsideLink).where(OutsideLink.operation_id == operation_id)).one()


def _look_around(installation: Installation) -> None:
    """Let the worker look around links, as it does every few seconds."""
    for _ in range(3):
        run_until_idle(installation)
        installation.extras.pop(outside_watch.LAST_LOOK, None)
        outside_watch.watch_outside_links(installation)
    run_until_idle(installation)
