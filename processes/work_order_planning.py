"""Make work orders: planned here, or mirrored from the system that planned them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from processes.work_order_schedule import schedule
from records.calendar import MAIN, Site, site_called
from records.money import round_money
from records.nonconformance import DeviationAuthority, Nonconformance
from records.numbering import next_number
from records.origin import Origin
from records.part import Part, PartRevision
from records.resource import Resource, WorkCentre
from records.roles import holds
from records.routing import OperationKind, RoutingOperation, routing_of
from records.standard_cost import CostKind, StandardCost
from records.units import check_quantity
from records.work_order import LOCKSTEP, MAINTENANCE, ON_PARTS, WorkOrder, WorkOrderOperation, WorkOrderType
from rules.law import block
from rules.policy import table_called

SYSTEMS = ("MES", "ERP", "CMMS", "TRYTON", LOCKSTEP)
OPERATION_FIELDS = (
    "op_no", "kind", "description", "work_centre_id", "supplier_id", "process_code", "is_special", "spec", "spec_rev", "instruction",
    "instruction_rev", "setup_minutes", "run_minutes", "is_certificate_required", "is_inspected_after", "planned_start",
    "planned_finish", "equipment_id",
)  # fmt: skip
HEADER_FIELDS = (
    "serial", "planned_start", "planned_finish", "priority", "project", "planned_order_ref", "due_rule", "is_shutdown", "customer",
    "service_location", "contract_ref", "description", "currency",
)  # fmt: skip


def create(
    act: Act,
    kind_of_work: WorkOrderType | str,
    *,
    quantity: Decimal = Decimal(1),
    uom: str | None = None,
    part_revision: PartRevision | None = None,
    resource: Resource | None = None,
    nonconformance: Nonconformance | None = None,
    deviation: DeviationAuthority | None = None,
    system: str = LOCKSTEP,
    native_id: str | None = None,
    number: str | None = None,
    operations: Sequence[Mapping[str, Any]] | None = None,
    standards: Sequence[Mapping[str, Any]] = (),
    standard_cost: Decimal | None = None,
    parent: WorkOrder | None = None,
    continues_parent: bool = False,
    crew_supplier_id: str | None = None,
    **header: Any,
) -> WorkOrder:
    """Make a planned work order. Without operations, those of the part revision's routing are copied.

    system, native_id: where it lives and what it is called there; a work order planned here gets a number of the house.
    operations: columns of each; standards: ``{kind, item, quantity, uom, unit_cost}``; standard_cost: the sum where no components
    are known. header: further columns of the work order.
    Raises: Invalid naming each field that its type needs and lacks; Conflict DUPLICATE when the system's id is known already;
    RuleViolation NCR-LIMIT, WO-TYPE.
    """
    kind = _type(kind_of_work)
    unknown = sorted(header.keys() - set(HEADER_FIELDS))
    if unknown:
        raise Invalid(
            f"Expected fields of a work order, but found {', '.join(unknown)}", dict.fromkeys(unknown, "is unknown")
        )
    _refuse_undefined(kind, part_revision, resource, nonconformance, deviation, header)
    unit = uom or (part_revision.part.base_uom if part_revision else "EA")
    _check_unit(quantity, unit, part_revision)
    site = site_called(act.session, str(act.installation.settings.get("site", MAIN)))
    native, shown = _names(act, site, system, native_id, number)
    _lock_authorities(act.session, nonconformance, deviation)
    order = WorkOrder(
        number=shown, system=system, native_id=native, origin=Origin.LOCKSTEP if system == LOCKSTEP else Origin.ERP,
        type=kind, site_id=site.id, site=site, quantity=quantity, uom=unit, part_revision=part_revision, resource=resource,
        part_revision_id=part_revision.id if part_revision else None, resource_id=resource.id if resource else None,
        nonconformance=nonconformance, nonconformance_id=nonconformance.id if nonconformance else None,
        deviation=deviation, deviation_id=deviation.id if deviation else None, parent_id=parent.id if parent else None, parent=parent,
        continues_parent=continues_parent,
        crew_supplier_id=crew_supplier_id, **{"currency": site.currency, **header},
    )  # fmt: skip
    for values in steps_of(act.session, part_revision, operations):
        order.operations.append(WorkOrderOperation(**values))
    _refuse_equal_numbers(order)
    if system == LOCKSTEP:
        schedule(order)
    order.standards.extend(StandardCost(**_standard(values)) for values in standards)
    order.standard_cost = standard_of(order) if order.standards else standard_cost
    act.session.add(order)
    act.session.flush()
    return order


def standard_of(order: WorkOrder) -> Decimal:
    """Return the sum of the components of the standard, each rounded to the minor unit."""
    return sum((round_money(each.quantity * each.unit_cost, order.currency) for each in order.standards), Decimal(0))


def writers_of(order: WorkOrder, group: str) -> list[str]:
    """Return the systems that may write a group of fields (``header``, ``execution``) of a work order."""
    judgement = table_called("systems_of_record").judge(entity="work_order", group=group, home=order.system)
    return [str(row.outputs["writer"]) for row in judgement.rows]


def refuse_other_system(order: WorkOrder, group: str, system: str) -> None:
    """Refuse a system that has no say about a group of fields. Raises: RuleViolation SOR_VIOLATION (403), kept in the chain."""
    writers = writers_of(order, group)
    if system not in writers:
        sentence = (
            f"Expected the {group} of {order.number} from {' or '.join(writers) or 'nobody'}, but {system} sent it."
        )
        raise RuleViolation(
            [
                block(
                    "SOR_VIOLATION", sentence, (order.record_type, order.id), field=group, old=", ".join(writers), new=system,
                    owner="role:INTEGRATION", way_out="Correct it in the system of record; it sends it here.",
                )
            ]
        )  # fmt: skip


def find(session: Session, number: str, *, system: str | None = None) -> WorkOrder:
    """Return the work order with a number or native id. Raises: Invalid when there is none, or two systems use the number."""
    wanted = select(WorkOrder).where((WorkOrder.number == number) | (WorkOrder.native_id == number))
    found = list(session.scalars(wanted.order_by(WorkOrder.id)))
    if system is not None and len(found) > 1:
        found = [order for order in found if order.system == system] or found
    if len(found) != 1:
        trouble = (
            "there is none" if not found else f"{' and '.join(order.system for order in found)} both use the number"
        )
        raise Invalid(f"Expected one work order {number!r:.60}, but {trouble}", {"work_order": trouble})
    return found[0]


def revision_called(session: Session, number: str) -> PartRevision:
    """Return the revision ``P-200/B``. Raises: Invalid."""
    part_no, _, rev = number.rpartition("/")
    found = session.scalar(select(PartRevision).join(Part).where(Part.part_no == part_no, PartRevision.rev == rev))
    if found is None:
        raise Invalid(
            f"Expected a part revision such as P-200/B, but found {number!r:.60}", {"part_revision": "is unknown"}
        )
    return found


def _type(given: WorkOrderType | str) -> WorkOrderType:
    try:
        return WorkOrderType(given)
    except ValueError as error:
        choices = ", ".join(kind.value for kind in WorkOrderType)
        raise Invalid(f"Expected one of {choices}, but found {given!r:.40}", {"type": "is unknown"}) from error


def _refuse_undefined(
    kind: WorkOrderType,
    revision: PartRevision | None,
    resource: Resource | None,
    nonconformance: Nonconformance | None,
    deviation: DeviationAuthority | None,
    header: Mapping[str, Any],
) -> None:
    missing: dict[str, str] = {}
    if kind in ON_PARTS and revision is None:
        missing["part_revision"] = "Expected the part revision that is made, but there is none"
    if kind is WorkOrderType.REWORK and nonconformance is None and deviation is None:
        missing["nonconformance"] = (
            "Expected the nonconformance or deviation authority behind the rework, but there is none"
        )
    if kind is WorkOrderType.DEVIATION and deviation is None:
        missing["deviation"] = "Expected the deviation authority, but there is none"
    if kind in MAINTENANCE and resource is None:
        what = "gauge" if kind is WorkOrderType.CALIBRATION else "machine or gauge"
        missing["resource"] = f"Expected the {what} that the work is done on, but there is none"
    if kind is WorkOrderType.PREVENTIVE and not str(header.get("due_rule") or "").strip():
        missing["due_rule"] = "Expected what makes the work due, but there is none"
    if kind is WorkOrderType.FIELD_SERVICE:
        for name, words in (("customer", "customer"), ("serial", "serial number"), ("service_location", "place")):
            if not str(header.get(name) or "").strip():
                missing[name] = f"Expected the {words} of the service, but there is none"
    if missing:
        raise Invalid(
            f"Expected what defines a work order of type {kind}, but {', '.join(missing)} is missing", missing
        )


def _check_unit(quantity: Decimal, uom: str, revision: PartRevision | None) -> None:
    check_quantity(quantity, uom)
    if revision is not None and uom != revision.part.base_uom:
        raise Invalid(
            f"Expected {revision.number} in {revision.part.base_uom}, but found {uom} and no conversion",
            {"uom": "no conversion"},
        )


def _names(act: Act, site: Site, system: str, native_id: str | None, number: str | None) -> tuple[str, str]:
    if system not in SYSTEMS:
        raise Invalid(f"Expected one of {', '.join(SYSTEMS)}, but found {system!r:.40}", {"system": "is unknown"})
    if system == LOCKSTEP:
        made = next_number(act, "WO", site=site)
        return native_id or made, number or made
    if not native_id:
        raise Invalid(f"Expected the id of the work order in {system}, but there is none", {"native_id": "is missing"})
    known = act.session.scalar(
        select(WorkOrder.number).where(WorkOrder.system == system, WorkOrder.native_id == native_id)
    )
    if known is not None:
        raise Conflict(f"Expected a new work order of {system}, but {native_id} is known as {known}", code="DUPLICATE")
    return native_id, number or native_id


def _lock_authorities(session: Session, *authorities: Nonconformance | DeviationAuthority | None) -> None:
    """Let one act at a time take pieces of an authority: two would each see room that only one of them has."""
    for authority in authorities:
        if authority is not None:
            session.refresh(authority, with_for_update=True)


def steps_of(
    session: Session, revision: PartRevision | None, given: Sequence[Mapping[str, Any]] | None = None
) -> Iterable[dict[str, Any]]:
    """Return the columns of each operation: as given, or copied from the routing of the revision."""
    if given is None:
        return [_copied(step) for step in (routing_of(session, revision) if revision is not None else [])]
    return [_operation(session, values, index) for index, values in enumerate(given)]


def _copied(step: RoutingOperation) -> dict[str, Any]:
    return {name: getattr(step, name) for name in OPERATION_FIELDS if hasattr(step, name)}


def _operation(session: Session, given: Mapping[str, Any], index: int) -> dict[str, Any]:
    values = dict(given)
    code = values.pop("work_centre", None)
    if code:
        centre = session.scalar(select(WorkCentre).where(WorkCentre.code == code))
        if centre is None:
            raise Invalid(
                f"Expected a known work centre, but found {code!r:.60}",
                {f"operations.{index}.work_centre": "is unknown"},
            )
        values["work_centre_id"] = centre.id
    unknown = sorted(values.keys() - set(OPERATION_FIELDS))
    if unknown:
        raise Invalid(
            f"Expected fields of an operation, but found {', '.join(unknown)}",
            {f"operations.{index}.{name}": "is unknown" for name in unknown},
        )
    if not str(values.get("description") or "").strip():
        raise Invalid(
            f"Expected operation {values.get('op_no')} to say what is done, but it is empty",
            {f"operations.{index}.description": "is missing"},
        )
    if values.get("kind") == OperationKind.OUTSIDE and not values.get("process_code"):
        raise Invalid(
            f"Expected outside operation {values.get('op_no')} to name its process, but it does not",
            {f"operations.{index}.process_code": "is missing"},
        )
    return values


def _refuse_equal_numbers(order: WorkOrder) -> None:
    numbers = [operation.op_no for operation in order.operations]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice or any(number <= 0 for number in numbers):
        raise Invalid(
            f"Expected each operation to have a number of its own above 0, but found {', '.join(map(str, numbers))}",
            {"operations": "numbers repeat"},
        )


def _standard(given: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        "kind": CostKind(given["kind"]),
        "item": given["item"],
        "quantity": given["quantity"],
        "unit_cost": given["unit_cost"],
    }
    return {
        **values,
        "uom": given.get("uom") or ("HUR" if values["kind"] in (CostKind.LABOUR, CostKind.MACHINE) else "EA"),
    }


def need_planner(act: Act, *, order: WorkOrder | None = None) -> None:
    """Refuse a person who does not plan work; adapters and the system are judged by their scopes. Raises: Forbidden."""
    roles = ["PLANNER"]
    if order is None or order.type in MAINTENANCE:
        roles += ["MAINT_PLANNER", "MAINT_MGR"]
    if act.user_id is not None and not any(holds(act.session, act.user_id, role, at=act.now) for role in roles):
        raise Forbidden(f"Expected a planner to do this, but {act.user_id} is none ({' or '.join(roles)}).")
