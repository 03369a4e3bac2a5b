"""Links from outside operations to the order lines they are bought on, where the ERP leaves no doubt which operation is meant."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from engine.act import Act
from engine.errors import Refused
from processes.importing import papers
from processes.importing.bringing import Import
from processes.importing.problems import Problem, Weight
from processes.importing.receipts import order_lines
from processes.outside_links import link
from records.outside import links_of_line
from records.purchase_order import FINAL, OrderStatus, PurchaseOrderLine
from records.work_order import ENDED, WorkOrderOperation

WHAT = "links"
NOT_PLACED = frozenset({OrderStatus.DRAFT.value, *(status.value for status in FINAL)})
OVER = frozenset(status.value for status in ENDED)


def bring_links(run: Import) -> None:
    """Link every open outside operation to the line of a placed order that the ERP bought it on.

    The rules of linking decide (CON-01 to -05, -12). Where they do not let pass there is no link, and a warning says why.
    """
    wanted = list(_wanted(run.papers))
    if not wanted:
        return
    tally = run.report.tally(WHAT)
    with run.act() as act:
        lines = order_lines(run, act)
        for line, work_order, op_no in wanted:
            ours = act.session.get(PurchaseOrderLine, lines.get(line.native_id, ""))
            operation = _operation(run, act, work_order, op_no)
            if ours is None or operation is None:
                continue
            if links_of_line(act.session, ours.id):
                tally.unchanged += 1
            elif _link(run, act, operation, ours, line):
                tally.new += 1
    run.progress(WHAT, len(wanted), len(wanted))


def _wanted(all_: papers.Papers) -> Iterator[tuple[papers.OrderLine, papers.WorkOrder, int]]:
    for order in all_.orders.values():
        for line in order.lines if order.status not in NOT_PLACED else ():
            work_order = all_.work_orders.get(line.work_order)
            operation = work_order.only_operation(line.process) if work_order else None
            if work_order and operation and not operation.is_complete and work_order.status not in OVER:
                yield line, work_order, operation.op_no


def _operation(run: Import, act: Act, work_order: papers.WorkOrder, op_no: int) -> WorkOrderOperation | None:
    return act.session.scalar(
        select(WorkOrderOperation).where(
            WorkOrderOperation.work_order_id == (run.id_of("work_order", work_order.native_id) or ""),
            WorkOrderOperation.op_no == op_no,
        )
    )


def _link(
    run: Import, act: Act, operation: WorkOrderOperation, ours: PurchaseOrderLine, line: papers.OrderLine
) -> bool:
    """Link the whole quantity of the line. Returns whether the rules let it pass."""
    try:
        link(act, operation, ours, quantity=ours.quantity)
    except Refused as error:
        section = run.mapping["orders.lines"]
        run.report.problems.append(
            Problem(
                Weight.WARNING, "NOT_LINKED", section.file, line.row, section.column("work_order"), line.work_order,
                error.message,
            )
        )  # fmt: skip
        return False
    return True
