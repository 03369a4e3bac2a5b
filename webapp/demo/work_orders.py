"""Work orders of every type and state, as three systems and the planner here made them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act, Installation
from engine.ports import SignatureRequest
from engine.worker import run_until_idle
from processes import work_orders
from processes.genealogy import Source, make_lot
from processes.nonconformances import dispose, permit_deviation, raise_nonconformance
from processes.work_orders import Event
from records.calendar import MAIN, site_called
from records.demo_people import PASSWORD
from records.lot import LotSource, LotStatus
from records.nonconformance import Disposition
from records.origin import Origin
from records.part import LotControl, OutsideProcess, Part, PartRevision, PartType, RevisionStatus
from records.resource import Qualification, Resource, ResourceKind, WorkCentre
from records.routing import OperationKind, RoutingOperation, WorkInstruction, release_instruction
from records.work_order import WorkOrder, WorkOrderType

At = Callable[[dt.datetime], AbstractContextManager[None]]
D = Decimal
DAY = dt.timedelta(days=1)

CENTRES = (
    ("SAW", "Sawing", "62.00", "18.00"), ("MILL", "Milling", "85.00", "40.00"), ("WELD", "Welding", "92.00", "35.00"),
    ("INSP", "Inspection", "78.00", "25.00"), ("MAINT", "Maintenance", "70.00", "0.00"), ("FIELD", "Field service", "110.00", "0.00"),
)  # fmt: skip
INSTRUCTIONS = (
    ("WI-10", "3", "Saw bar stock"),
    ("WI-20", "3", "Mill bracket profile"),
    ("WI-31", "1", "Inspect and mark"),
)
THINGS: tuple[tuple[str, str, ResourceKind, str, int | None, int | None], ...] = (
    # code, name, kind, work centre, calibration interval, days until due
    ("M-03", "Milling centre DMU 65", ResourceKind.EQUIPMENT, "MILL", None, None),
    ("M-07", "Milling centre DMU 80", ResourceKind.EQUIPMENT, "MILL", None, None),
    ("W-01", "TIG welding cell", ResourceKind.EQUIPMENT, "WELD", 365, 212),
    ("W-02", "TIG welding cell, spare", ResourceKind.EQUIPMENT, "WELD", 365, -9),
    ("G-14", "Bore gauge 20 to 30 mm", ResourceKind.GAUGE, "INSP", 180, 12),
    ("G-21", "Height gauge 600 mm", ResourceKind.GAUGE, "INSP", 365, 140),
    ("C-02", "Coordinate measuring machine", ResourceKind.GAUGE, "INSP", 365, 61),
)
PEOPLE = (
    ("B-1007", "Otto Brandt", "otto", ("WELD", "NDT_PT"), 220),
    ("B-1012", "Ines Moreau", None, ("WELD",), -6),
    ("B-1015", "Tom Reyes", None, (), 0),
)
ROUTING: tuple[dict[str, Any], ...] = (
    {"op_no": 10, "description": "Saw blank to length", "work_centre": "SAW", "instruction": "WI-10", "run_minutes": D(2)},
    {"op_no": 20, "description": "Mill profile", "work_centre": "MILL", "instruction": "WI-20", "setup_minutes": D(20),
     "run_minutes": D(10)},
    {"op_no": 30, "description": "Heat treat", "kind": OperationKind.OUTSIDE, "process_code": "HEAT_TREAT", "is_special": True,
     "spec": "PS-455", "spec_rev": "D", "is_certificate_required": True},
    {"op_no": 40, "description": "Inspect and mark", "work_centre": "INSP", "instruction": "WI-31", "run_minutes": D(3)},
)  # fmt: skip
STANDARD: tuple[dict[str, Any], ...] = (
    {"kind": "MATERIAL", "item": "P-180", "quantity": D(10), "uom": "EA", "unit_cost": D("40.00")},
    {"kind": "LABOUR", "item": "MILL", "quantity": D(2), "uom": "HUR", "unit_cost": D("80.00")},
    {"kind": "OUTSIDE", "item": "HEAT_TREAT", "quantity": D(10), "uom": "EA", "unit_cost": D("18.00")},
)


def settle_work(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Make the floor and its work on the days before today."""
    with at(today - 14 * DAY), installation.acting("system:demo") as act:
        _build_floor(act)
    with at(today - 10 * DAY):
        _production(installation)
    with at(today - 6 * DAY):
        _quality(installation)
    with at(today - 4 * DAY):
        _maintenance(installation)
    with at(today - 2 * DAY), installation.acting("user:pat") as act:
        newer = WorkInstruction(document_no="WI-20", rev="4", title="Mill bracket profile, deburr in machine")
        act.session.add(newer)
        act.session.flush()
        release_instruction(act, newer)
    with at(today):
        run_until_idle(installation)


def _build_floor(act: Act) -> None:
    site = site_called(act.session, MAIN)
    centres = {each.code: each for each in act.session.scalars(select(WorkCentre))}
    for code, name, labour, machine in CENTRES:
        if code not in centres:
            centres[code] = WorkCentre(
                code=code,
                name=name,
                site_id=site.id,
                labour_rate=D(labour),
                machine_rate=D(machine),
                currency=site.currency,
            )
    act.session.add_all(centres.values())
    act.session.flush()
    for number, rev, title in INSTRUCTIONS:
        made = WorkInstruction(document_no=number, rev=rev, title=title)
        act.session.add(made)
        act.session.flush()
        release_instruction(act, made)
    today = site.local_day(act.now)
    known = set(act.session.scalars(select(Resource.code)))
    for code, name, kind, centre, interval, days in (each for each in THINGS if each[0] not in known):
        due = today + (14 + (days or 0)) * DAY if days is not None else None
        act.session.add(
            Resource(
                code=code, name=name, kind=kind, work_centre_id=centres[centre].id, calibration_interval_days=interval,
                calibration_due=due, last_good_on=due - dt.timedelta(days=interval or 0) if due else None,
                is_validated=code.startswith("W-"),
            )
        )  # fmt: skip
    for badge, name, user_id, processes, days in (each for each in PEOPLE if each[0] not in known):
        person = Resource(code=badge, name=name, kind=ResourceKind.PERSON, user_id=user_id)
        act.session.add(person)
        act.session.flush()
        act.session.add_all(
            Qualification(
                person_id=person.id, process_code=process, qualified_on=today - 300 * DAY, expires_on=today + (14 + days) * DAY,
                evidence=f"Record of training {badge}",
            )
            for process in processes
        )  # fmt: skip
    act.session.flush()
    _parts(act, centres)


def _parts(act: Act, centres: dict[str, WorkCentre]) -> None:
    if act.session.scalar(select(OutsideProcess).where(OutsideProcess.code == "HEAT_TREAT")) is None:
        act.session.add(
            OutsideProcess(code="HEAT_TREAT", name="Heat treatment", is_special=True, nadcap_commodity="Heat Treating")
        )
    bracket = _part(act, "P-200", "Bracket, titanium", PartType.MAKE, "B")
    bar = _part(act, "P-180", "Bar, titanium, 60 mm", PartType.BUY, "A")
    for heat in ("HEAT-8090", "HEAT-8104"):
        count = Source(LotSource.ADJUSTMENT, note="Stock count of 2026-10-30")
        make_lot(act, bar, D(40), number=heat, heat=heat, source=count, status=LotStatus.AVAILABLE)
    _part(act, "P-310", "Actuator housing, welded", PartType.MAKE, "C")
    for step in ROUTING:
        values: dict[str, Any] = dict(step)
        centre = values.pop("work_centre", None)
        act.session.add(
            RoutingOperation(
                part_revision_id=bracket.id, work_centre_id=centres[centre].id if centre else None, **values
            )
        )
    act.session.flush()


def _part(act: Act, part_no: str, name: str, kind: PartType, rev: str) -> PartRevision:
    part = act.session.scalar(select(Part).where(Part.part_no == part_no))
    if part is None:
        part = Part(
            part_no=part_no, name=name, type=kind, commodity="MACHINED", lot_control=LotControl.LOT, origin=Origin.ERP
        )
        act.session.add(part)
        act.session.flush()
    found = act.session.scalar(select(PartRevision).where(PartRevision.part_id == part.id, PartRevision.rev == rev))
    if found is None:
        found = PartRevision(
            part_id=part.id, rev=rev, status=RevisionStatus.RELEASED, origin=Origin.ERP, released_at=act.now
        )
        act.session.add(found)
        act.session.flush()
    return found


def _say(act: Act, order: WorkOrder, kind: str, event_id: str, **values: Any) -> None:
    given: dict[str, Any] = {
        "system": order.system if order.system == "CMMS" else "MES",
        "event_id": event_id,
        "kind": kind,
    }
    work_orders.post_event(act, Event(**given | {"work_order": order.native_id} | values))


def _revision(act: Act, number: str) -> PartRevision:
    part_no, _, rev = number.partition("/")
    return act.session.scalars(
        select(PartRevision).join(Part).where(Part.part_no == part_no, PartRevision.rev == rev)
    ).one()


def _production(installation: Installation) -> None:
    """WO-6901 with its milling done and heat treatment to come, one just released, one closed, one split."""
    with installation.acting("user:rita") as act:
        today = site_called(act.session, MAIN).local_day(act.now)
        plan: dict[str, Any] = {
            "planned_start": today,
            "planned_finish": today + 30 * DAY,
            "part_revision": _revision(act, "P-200/B"),
        }
        late: dict[str, Any] = {
            "planned_start": today + 24 * DAY,
            "planned_finish": today + 50 * DAY,
            "part_revision": plan["part_revision"],
        }
        contract: dict[str, Any] = {"contract_ref": "FC-2026-07"}
        first = work_orders.create(
            act, WorkOrderType.PRODUCTION, quantity=D(10), system="MES", native_id="WO-6901", standards=STANDARD, project="LOT-6901",
            description="Brackets for lot 6901", **plan, **contract,
        )  # fmt: skip
        second = work_orders.create(
            act, WorkOrderType.PRODUCTION, quantity=D(60), system="ERP", native_id="WO-6902", priority=3, **late
        )
        small = tuple(dict(step) for step in ROUTING if step["op_no"] in (10, 40))
        third = work_orders.create(
            act, WorkOrderType.PRODUCTION, quantity=D(25), system="MES", native_id="WO-6990", operations=small, **plan
        )
        for order in (first, second, third):
            work_orders.release(act, order)
        work_orders.create(act, WorkOrderType.PRODUCTION, quantity=D(40), system="ERP", native_id="WO-6904", **late)
    with installation.acting("adapter:mes") as act:
        _make_6901(act)
        order = work_orders.find(act.session, "WO-6990")
        _say(act, order, "MATERIAL", "mes-6990-m", item="P-180", quantity=D(25), lot="HEAT-8090", unit_cost=D("41.10"))
        _say(act, order, "LABOUR", "mes-6990-l", op_no=10, quantity=D(50), uom="MIN", performer="B-1015")
        _say(act, order, "OPERATION_COMPLETED", "mes-6990-1", op_no=10, good=D(25), performer="B-1015")
        _say(act, order, "OPERATION_COMPLETED", "mes-6990-4", op_no=40, good=D(24), scrap=D(1), performer="B-1015")
    with installation.acting("user:quinn") as act:
        work_orders.close(act, work_orders.complete(act, work_orders.find(act.session, "WO-6990")))


def _make_6901(act: Act) -> None:
    order = work_orders.find(act.session, "WO-6901")
    _say(act, order, "MATERIAL", "mes-90011", item="P-180", quantity=D(10), lot="HEAT-8104", unit_cost=D("42.50"))
    _say(act, order, "OPERATION_STARTED", "mes-90012", op_no=10, performer="B-1015")
    _say(act, order, "OPERATION_COMPLETED", "mes-90013", op_no=10, good=D(10), performer="B-1015")
    _say(act, order, "OPERATION_STARTED", "mes-90014", op_no=20, performer="B-1007", resource="M-03")
    _say(act, order, "LABOUR", "mes-90015", op_no=20, quantity=D(2), performer="B-1007")
    bore: dict[str, Any] = {
        "name": "Bore diameter",
        "unit": "MMT",
        "lower": D("24.980"),
        "upper": D("25.020"),
        "resource": "G-14",
    }
    _say(act, order, "PROCESS", "mes-90016", op_no=20, value=D("25.004"), performer="B-1007", **bore)
    _say(act, order, "OPERATION_COMPLETED", "mes-90017", op_no=20, good=D(10), performer="B-1007")


def _quality(installation: Installation) -> None:
    """A rework in its weld, a deviation that is planned, an order on hold."""
    weld: dict[str, Any] = {"op_no": 10, "description": "Weld repair of bore", "work_centre": "WELD", "process_code": "WELD",
                            "is_special": True, "spec": "PS-310", "spec_rev": "B"}  # fmt: skip
    with installation.acting("user:quinn") as act:
        source = work_orders.find(act.session, "WO-6990")
        raised = raise_nonconformance(
            act, source, D(4), title="Weld seam undercut", description="Found at final inspection.", lot_no="HEAT-8090",
            part_revision=_revision(act, "P-310/C"),
        )  # fmt: skip
        dispose(act, raised, Disposition.REWORK, reason="Grind out and weld again by PS-310")
        leave = permit_deviation(
            act, D(20), site_called(act.session, MAIN).local_day(act.now) + 60 * DAY, title="Alternate deburring brush",
            part_revision=_revision(act, "P-200/B"),
        )  # fmt: skip
    with installation.acting("user:rita") as act:
        housing = _revision(act, "P-310/C")
        brush = {"op_no": 10, "description": "Deburr with alternate brush", "work_centre": "MILL"}
        rework = work_orders.create(
            act, WorkOrderType.REWORK, quantity=D(4), part_revision=housing, nonconformance=act.session.merge(raised), operations=(weld,),
            system="MES", native_id="WO-6910", priority=2,
        )  # fmt: skip
        work_orders.release(act, rework)
        work_orders.create(
            act, WorkOrderType.DEVIATION, quantity=D(20), part_revision=_revision(act, "P-200/B"),
            deviation=act.session.merge(leave), operations=(brush,),
        )  # fmt: skip
    with installation.acting("adapter:mes") as act:
        order = work_orders.find(act.session, "WO-6910")
        _say(act, order, "OPERATION_STARTED", "mes-91001", op_no=10, performer="B-1007", resource="W-01")
        _say(act, order, "LABOUR", "mes-91002", op_no=10, quantity=D("1.5"), performer="B-1007")
    with installation.acting("user:quinn") as act:
        order = work_orders.find(act.session, "WO-6902")
        work_orders.hold(
            act, order, reason="Engineering looks into a wider slot: wait for what it says", owner="role:QA_ENG"
        )


def _maintenance(installation: Installation) -> None:
    """Orders of the CMMS and of the service: waiting for a signature, in work, out in the field."""
    step: dict[str, Any] = {"op_no": 10, "work_centre": "MAINT"}
    with installation.acting("user:rita") as act:
        site = site_called(act.session, MAIN)
        plan: dict[str, Any] = {
            "planned_start": site.local_day(act.now) + 5 * DAY,
            "planned_finish": site.local_day(act.now) + 8 * DAY,
        }
        things = {each.code: each for each in act.session.scalars(select(Resource))}
        costly: tuple[dict[str, Any], ...] = (
            {"kind": "LABOUR", "item": "MAINT", "quantity": D(40), "unit_cost": D("70.00")},
        )
        preventive = work_orders.create(
            act, WorkOrderType.PREVENTIVE, resource=things["W-01"], system="CMMS", native_id="PM-2231", due_rule="Every 180 days",
            operations=(step | {"description": "Overhaul torch and wire feed"},), is_shutdown=True, standards=costly, **plan,
        )  # fmt: skip
        work_orders.firm(act, preventive)
        corrective = work_orders.create(
            act, WorkOrderType.CORRECTIVE, resource=things["M-07"], system="CMMS", native_id="CM-0917", priority=1,
            operations=(step | {"description": "Replace spindle bearing"},), **plan,
        )  # fmt: skip
        _sign_and_release(act, corrective)
        calibration = work_orders.create(
            act, WorkOrderType.CALIBRATION, resource=things["G-14"], system="CMMS", native_id="CAL-0388", due_rule="Every 180 days",
            operations=(step | {"description": "Calibrate bore gauge"},), **plan,
        )  # fmt: skip
        _sign_and_release(act, calibration)
        work_orders.create(
            act, WorkOrderType.QUALIFICATION, resource=things["W-02"], system="CMMS", native_id="OQ-0042",
            operations=(step | {"description": "Operational qualification of the spare cell"},), **plan,
        )  # fmt: skip
        visit = {"op_no": 10, "work_centre": "FIELD", "description": "Replace shaft seal"}
        service = work_orders.create(
            act, WorkOrderType.FIELD_SERVICE, customer="Prairie Air Services", serial="AH-20417", service_location="Tulsa, OK",
            part_revision=_revision(act, "P-310/C"), operations=(visit,),
            **plan,
        )  # fmt: skip
        work_orders.release(act, service)
        work_orders.complete_operation(act, service.operations[0], good=D(1), performer="B-1015")
        work_orders.complete(act, service)
        work_orders.record_service(act, service, performed_by="Tom Reyes", work_done="Seal replaced, shaft polished.")
    with installation.acting("adapter:cmms") as act:
        _say(
            act,
            work_orders.find(act.session, "CM-0917"),
            "LABOUR",
            "cmms-551",
            op_no=10,
            quantity=D(3),
            performer="B-1015",
        )
        order = work_orders.find(act.session, "CAL-0388")
        _say(act, order, "OPERATION_STARTED", "cmms-560", op_no=10, performer="B-1015")


def _sign_and_release(act: Act, order: WorkOrder) -> None:
    work_orders.firm(act, order)
    request = SignatureRequest(meaning="APPROVED", password=PASSWORD, user_id="rita", session_id="")
    work_orders.sign(act, order, "MAINT_PLANNER", request)
    work_orders.release(act, order)
