"""The laws of what is booked to a work order."""

from __future__ import annotations

from collections.abc import Iterator

from engine.clock import now_of
from engine.errors import Finding
from engine.record import Edit, Operation
from records.actual import Actual, ActualKind
from rules.law import block, law, session_of
from rules.order_consistency import judge_cost


@law("BLUR-W2", on=Actual)
def outside_cost_names_its_contract(edit: Edit) -> Iterator[Finding]:
    """External cost is posted to a work order with its order line or frame contract only (domain.md 4e)."""
    actual = edit.record
    if edit.operation is not Operation.INSERT or actual.kind is not ActualKind.OUTSIDE:
        return
    if actual.order_line_id is None and not actual.contract_ref:
        yield block(
            "BLUR-W2",
            f"Expected an order line or a frame contract behind the outside cost {actual.number}, but it names none.",
            ("work_order", actual.work_order_id),
            field="order_line",
            owner="role:BUYER",
            way_out="Order the work, and accrue against the line.",
        )


@law("CON-17", on=Actual)
def outside_cost_is_the_agreed_price(edit: Edit) -> Iterator[Finding]:
    """CON-17: a cost booked at another price than the order line's accepted one is told, not refused."""
    if (
        edit.operation is Operation.INSERT
        and edit.record.kind is ActualKind.OUTSIDE
        and edit.record.reverses_id is None
    ):
        session = session_of(edit)
        yield from judge_cost(session, edit.record, now=now_of(session))


LAWS = (
    outside_cost_names_its_contract,
    outside_cost_is_the_agreed_price,
)
