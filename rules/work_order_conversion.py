"""What a work order may be divided into and converted to, and under which authority (domain.md 4c, 2.33)."""

from __future__ import annotations

from typing import Protocol

from engine.errors import Conflict, Invalid
from records.part import PartRevision
from records.work_order import UNRELEASED, OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus

DEFINING = (
    "kind", "description", "process_code", "is_special", "spec", "spec_rev", "instruction", "instruction_rev", "work_centre_id",
    "supplier_id", "setup_minutes", "run_minutes", "is_certificate_required", "is_inspected_after",
)  # fmt: skip
"""What defines an operation; its dates and what became of it are not."""


class ChangeAuthority(Protocol):
    """What permits a change of class C4: a change order, once its board has signed it."""

    @property
    def id(self) -> str:
        """Its id, which the converted work order keeps."""

    @property
    def number(self) -> str:
        """Its number, as people know it."""

    @property
    def is_in_force(self) -> bool:
        """Whether it is approved, and its items may be applied."""


def refuse_unapproved(order: WorkOrder, authority: ChangeAuthority) -> None:
    """Refuse to convert a work order under anything but an approved change order.

    Raises: Conflict UNCONTROLLED_CHANGE naming class and way out.
    """
    if not authority.is_in_force:
        raise Conflict(
            f"Expected an approved change order behind the conversion of {order.number}, which is a change of class C4, but "
            f"{authority.number} is not approved. Its board approves it first.",
            code="UNCONTROLLED_CHANGE", record=(order.record_type, order.id),
        )  # fmt: skip


def refuse_conversion(order: WorkOrder, to: PartRevision) -> None:
    """Refuse a conversion that cannot be: of work that is begun, or to another part.

    Raises: Conflict ILLEGAL_TRANSITION, saying to divide what is begun first; Invalid for another part, or the same revision.
    """
    if order.status not in UNRELEASED | {WorkOrderStatus.RELEASED}:
        raise Conflict(
            f"Expected nothing of {order.number} to be begun, but it is {order.status}. Divide it first: what is begun finishes as it "
            f"was released, the other part is converted.",
            code="ILLEGAL_TRANSITION", record=(order.record_type, order.id),
        )  # fmt: skip
    present = order.part_revision
    if present is None or present.part_id != to.part_id:
        has = present.number if present is not None else "no part"
        raise Invalid(f"Expected a revision of {has}, but found {to.number}", {"to_revision": "is of another part"})
    if present.id == to.id:
        raise Invalid(
            f"Expected another revision than {to.number}, but {order.number} has it", {"to_revision": "is the same"}
        )


def begun_operation(order: WorkOrder) -> WorkOrderOperation | None:
    """Return the operation that is started and not complete, or None; one at most is."""
    return next((each for each in order.operations if each.status is OperationStatus.STARTED), None)


def strays_from(parent: WorkOrder, child: WorkOrder) -> list[str]:
    """Return what of a part that continues its parent differs from what the parent was released with; empty when nothing."""
    if child.part_revision_id != parent.part_revision_id:
        return ["part revision"]
    released = {each.op_no: each for each in parent.operations}
    return [
        f"{name} of operation {each.op_no}"
        for each in child.operations
        for name in DEFINING
        if each.op_no not in released or getattr(each, name) != getattr(released[each.op_no], name)
    ]
