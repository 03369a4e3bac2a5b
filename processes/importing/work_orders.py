"""Work orders: what is planned follows the ERP, what it released arrives with its operations and is frozen from then on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.canonical import canonical
from processes.importing import papers
from processes.importing.bringing import Import, Item, Outcome, assign
from processes.importing.differences import differ
from processes.importing.reading import Reading
from processes.importing.requisitions import unit_of
from processes.importing.sheets import Family
from processes.importing.work_centres import bring_machines, op_no_of, process_is_special, process_of
from records.calendar import Site
from records.origin import Origin
from records.routing import OperationKind
from records.work_order import (
    DONE,
    UNRELEASED,
    OperationStatus,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
    WorkOrderType,
    move,
)

FIXED = frozenset({"number", "system", "native_id", "site_id", "type"})
"""What never changes once a work order is here."""
ISSUED = "DONE"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that was read. process: of an outside one, else empty."""

    native_id: str
    op_no: int
    name: str
    process: str
    machine: str
    status: OperationStatus


def bring_work_orders(run: Import, site: Site) -> None:
    """Bring in the machines that are named, then every work order whose operations can all be read."""
    if not run.has("work_orders"):
        return
    read = list(_read(run))
    machines = {
        each.machine: (run.centres.get(each.name, ""), cells)
        for cells, _, operations, _ in read
        for each in operations
        if each.machine and not each.process
    }
    bring_machines(run, machines)
    run.bring("work orders", (_work_order(run, site, *each) for each in read))


def _read(run: Import) -> Iterator[tuple[Reading, dict[str, Any], list[Operation], WorkOrderStatus]]:
    for family in run.families("work_orders"):
        cells = run.reading("work_orders", family.head)
        state = cells.word("state", run.mapping.words["work_order_states"])
        values, operations = _values(run, cells), _operations(run, family)
        made = _made(run, family)
        if not cells.is_good or operations is None:
            run.leave_out("work orders")
            continue
        status = WorkOrderStatus(state)
        run.papers.work_orders[cells.text("id")] = papers.WorkOrder(
            cells.text("id"), values["number"], status.value, values["quantity"],
            tuple(papers.Operation(each.op_no, each.name, each.process, each.status in DONE) for each in operations),
            made,
        )  # fmt: skip
        yield cells, values, _following(operations, status), status


def _values(run: Import, cells: Reading) -> dict[str, Any]:
    quantity = cells.decimal("quantity", scale=6, above=Decimal(0))
    if quantity is None and cells.is_good:
        cells.error("quantity", "MISSING_VALUE", "Expected a quantity, but the cell is empty")
    known = run.known.get(("product", cells.text("product")))
    if known is None or known.record_type != "part_revision":
        cells.error("product", "UNKNOWN_PRODUCT", "Expected a part of this extract, but it was not brought in")
    start, finish = cells.day("planned_start"), cells.day("planned_finish")
    if start and finish and finish < start:
        cells.warn("planned_finish", "DATES_CROSS", f"Planned to finish before it starts on {start}; no finish is kept")
        finish = None
    return {
        "number": cells.text("number", limit=40) or f"{run.mapping.system}-{cells.needed('id', limit=30)}",
        "part_revision_id": known.record_id if known else None,
        "quantity": quantity,
        "uom": unit_of(run, cells),
        "planned_start": start,
        "planned_finish": finish,
        "description": cells.text("reference"),
    }


def _operations(run: Import, family: Family) -> list[Operation] | None:
    """Return the operations, or None when one of them cannot be read."""
    found: list[Operation] = []
    is_good = True
    for row in family.children(run.mapping["work_orders.operations"].column("id")):
        cells = run.reading("work_orders.operations", row)
        name = cells.needed("operation")
        state = cells.word("state", run.mapping.words["operation_states"])
        number = op_no_of(cells)
        if number in {each.op_no for each in found}:
            cells.error("op_no", "DOUBLE_STEP", "Expected each operation of a work order once, but two have one number")
        is_good = is_good and cells.is_good
        if cells.is_good:
            machine = cells.text("work_centre").rpartition(" / ")[2][:40]
            status = OperationStatus(state)
            found.append(Operation(cells.text("id"), number, name, process_of(run, name), machine, status))
    return found if is_good else None


def _made(run: Import, family: Family) -> Decimal | None:
    """Return what the outputs say was made, None while nothing was."""
    made: Decimal | None = None
    for row in family.children(run.mapping["work_orders.outputs"].column("id")):
        cells = run.reading("work_orders.outputs", row)
        quantity = cells.decimal("quantity", scale=6)
        if cells.word("state", run.mapping.words["move_states"]) == ISSUED and quantity is not None:
            made = (made or Decimal(0)) + quantity
    return made


def _following(operations: list[Operation], status: WorkOrderStatus) -> list[Operation]:
    """Return the operations as they stand: what runs outside is only ready, and what follows the last complete one is."""
    is_running = status in (WorkOrderStatus.RELEASED, WorkOrderStatus.IN_PROCESS)
    found: list[Operation] = []
    is_next = is_running
    for each in operations:
        standing = each.status
        if standing is OperationStatus.STARTED and each.process:
            standing = OperationStatus.READY
        if standing is OperationStatus.WAITING and is_next:
            standing = OperationStatus.READY
        is_next = is_next and standing in DONE
        found.append(Operation(each.native_id, each.op_no, each.name, each.process, each.machine, standing))
    return found


def _work_order(
    run: Import,
    site: Site,
    cells: Reading,
    values: dict[str, Any],
    operations: list[Operation],
    status: WorkOrderStatus,
) -> Item:
    native_id = cells.text("id")
    happened = {"started_on": cells.day("started_on"), "finished_on": cells.day("finished_on")}

    def insert(act: Act) -> WorkOrder:
        order = WorkOrder(
            **values, status=status, origin=Origin.ERP, system=run.mapping.system, native_id=native_id, site_id=site.id,
            type=WorkOrderType.PRODUCTION, currency=site.currency, released_at=_instant(happened["started_on"]),
            completed_at=_instant(happened["finished_on"]),
        )  # fmt: skip
        order.operations = [_operation(run, act, order, each) for each in operations]
        act.session.add(order)
        return order

    def update(act: Act, order: WorkOrder) -> Outcome:
        if order.status not in UNRELEASED or status not in (*UNRELEASED, WorkOrderStatus.CANCELLED):
            return _differ(run, act, order, values, status, operations)
        assign(order, {name: value for name, value in values.items() if name not in FIXED})
        order.operations.clear()
        act.session.flush()
        order.operations = [_operation(run, act, order, each) for each in operations]
        act.session.flush()
        if status is not order.status:
            move(act, order, status, reason=f"{status.value.lower()} in the ERP")
        return Outcome.CHANGED

    content = {
        "status": status.value,
        **{name: canonical(value) for name, value in (values | happened).items()},
        "operations": [[each.op_no, each.name, each.machine, each.status.value] for each in operations],
    }
    return Item(WorkOrder, "work_order", native_id, values["number"], cells.row, content, insert, update)


def _instant(day: dt.date | None) -> dt.datetime | None:
    """Return noon of a day: the extract knows no hour."""
    return dt.datetime.combine(day, dt.time(12), dt.UTC) if day else None


def _operation(run: Import, act: Act, order: WorkOrder, each: Operation) -> WorkOrderOperation:
    """Make an operation. Complete ones made the whole quantity good: the ERP keeps no scrap by operation."""
    is_special = process_is_special(act, each.process) if each.process else False
    here = order.quantity if each.status is not OperationStatus.WAITING else None
    return WorkOrderOperation(
        work_order_id=order.id, op_no=each.op_no, description=each.name, status=each.status, is_special=is_special,
        kind=OperationKind.OUTSIDE if each.process else OperationKind.INTERNAL, process_code=each.process or None,
        is_certificate_required=is_special, quantity_in=here,
        good=order.quantity if each.status in DONE else Decimal(0),
        work_centre_id=None if each.process else run.id_of("work_centre", run.centres.get(each.name, "")),
        equipment_id=None if each.process else run.id_of("machine", each.machine),
    )  # fmt: skip


def _differ(
    run: Import,
    act: Act,
    order: WorkOrder,
    values: Mapping[str, Any],
    status: WorkOrderStatus,
    operations: list[Operation],
) -> Outcome:
    """Note what the ERP says otherwise about a work order that is not to be written."""
    ours = {"status": order.status.value, "quantity": canonical(order.quantity, scale=6), "item": order.item}
    theirs: dict[str, str | None] = {
        "status": status.value,
        "quantity": canonical(values["quantity"], scale=6),
        "item": order.item if order.part_revision_id == values["part_revision_id"] else "another part",
    }
    ours |= {f"operations.{each.op_no}.status": each.status.value for each in order.operations}
    theirs |= {f"operations.{each.op_no}.status": each.status.value for each in operations}
    return differ(act, order, ours, theirs, system=run.mapping.system)
