"""Decide about an approved change order later: another effectivity, or the way back, under signatures of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from engine.database import new_id
from engine.errors import Conflict, Invalid
from engine.record import Operation
from processes.change_applying import write_items
from processes.change_effectivity import effectivity
from processes.change_rows import as_text, row_of
from records.approval import ApprovalSlot
from records.change_order import (
    AddendumKind,
    AddendumStatus,
    ChangeOrder,
    ChangeOrderAddendum,
    ChangeOrderStatus,
    move_addendum,
)
from records.change_request import OrderClass
from records.part import PartRevision, RevisionStatus
from rules.change_control import items_of
from rules.change_item import ChangeClass, ChangeItem

ADDENDUM = ChangeOrderAddendum.__tablename__
Value = tuple[str, str, str, str | None, str | None, str]
"""Table, row, column, old and new canonical text, operation."""

APPROVED_ONCE = (ChangeOrderStatus.APPROVED, ChangeOrderStatus.IMPLEMENTING, ChangeOrderStatus.OVERDUE_HOLD)


def propose_effectivity(
    act: Act, order: ChangeOrder, kind: Any, value: Any, *, reason: str, seats: Sequence[str]
) -> ChangeOrderAddendum:
    """Propose to move the effectivity of an approved change order; it moves with the last signature.

    seats: roles of the board, one signature each. Raises: Conflict once it has taken effect; Invalid for a day that is past.
    """
    _refuse_effective(order)
    moved, text = effectivity(act, kind, value)
    wanted: list[Value] = []
    for column, old, new in (
        ("effectivity_kind", order.effectivity_kind, moved),
        ("effectivity_value", order.effectivity_value, text),
    ):
        if old != new:
            wanted.append((order.record_type, order.id, column, _text(old), _text(new), Operation.UPDATE.value))
    if not wanted:
        raise Invalid("Expected another effectivity, but it is the present one", {"effectivity_value": "is as it was"})
    return _propose(act, order, AddendumKind.EFFECTIVITY, wanted, reason=reason, seats=seats)


def propose_way_back(act: Act, order: ChangeOrder, *, reason: str, seats: Sequence[str]) -> ChangeOrderAddendum:
    """Propose to undo what was applied of a change order, in reverse, before it takes effect (C19).

    A revision that was released becomes obsolete, since nothing released is ever a draft again. Raises: Conflict once it has taken
    effect, or when nothing was applied.
    """
    _refuse_effective(order)
    applied = [item for item in items_of(act.session, order) if item.applied_at is not None]
    if not applied:
        raise Conflict(
            f"Expected something of {order.number} to be applied, but nothing is: withdraw it",
            code="NOTHING_TO_UNDO", record=(order.record_type, order.id),
        )  # fmt: skip
    back = list(dict.fromkeys(value for item in reversed(applied) for value in _inverse(item, applied)))
    return _propose(act, order, AddendumKind.WITHDRAWAL, back, reason=reason, seats=seats)


def propose_delta(
    act: Act, order: ChangeOrder, *, reason: str, seats: Sequence[str], values: Sequence[Value] = ()
) -> ChangeOrderAddendum:
    """Propose what becomes of pieces during implementation: of a refused task (C14), or of pieces that are away (B13).

    values: another disposition, a row of the impact that was missing, what a work order becomes whose pieces go on to the new revision.
    Raises: Invalid without a reason; Conflict unless the order is being carried out.
    """
    return _propose(act, order, AddendumKind.DELTA, values, reason=reason, seats=seats)


def apply_addendum(act: Act, addendum: ChangeOrderAddendum) -> list[ChangeItem]:
    """Approve an addendum whose every seat is signed and write its values, in this one act; a second call does nothing.

    Raises: RuleViolation UNSIGNED; Conflict when a value moved meanwhile.
    """
    if addendum.status is AddendumStatus.PROPOSED:
        move_addendum(act, addendum, AddendumStatus.APPROVED)
    due = [item for item in addendum_items(act, addendum) if item.applied_at is None]
    if due:
        write_items(act, addendum.change_order, due)
    return due


def addendum_items(act: Act, addendum: ChangeOrderAddendum) -> list[ChangeItem]:
    """Return the items of an addendum."""
    wanted = select(ChangeItem).where(ChangeItem.change_type == ADDENDUM, ChangeItem.change_id == addendum.id)
    return list(act.session.scalars(wanted.order_by(ChangeItem.table_name, ChangeItem.row_id, ChangeItem.column_name)))


def _propose(
    act: Act, order: ChangeOrder, kind: AddendumKind, values: Sequence[Value], *, reason: str, seats: Sequence[str]
) -> ChangeOrderAddendum:
    if not reason.strip() or not seats:
        raise Invalid(
            "Expected a reason and who signs, but something is missing",
            {name: "is required" for name, given in (("reason", reason.strip()), ("seats", seats)) if not given},
        )
    if order.status not in APPROVED_ONCE:
        raise Conflict(
            f"Expected {order.number} to be approved, but it is {order.status}: while it is in writing its content is edited",
            code="ILLEGAL_TRANSITION", record=(order.record_type, order.id),
        )  # fmt: skip
    number = 1 + (
        act.session.scalar(
            select(func.max(ChangeOrderAddendum.addendum_no)).where(ChangeOrderAddendum.change_order_id == order.id)
        )
        or 0
    )
    content = {"order": order.number, "signed": order.content_hash, "no": number, "kind": kind.value,
               "values": [list(value) for value in values], "reason": reason.strip()}  # fmt: skip
    addendum = ChangeOrderAddendum(
        number=f"{order.number}/{number}", change_order=order, change_order_id=order.id, addendum_no=number, kind=kind,
        reason=reason.strip()[:4000], content=canonical_json(content).decode(), content_hash=content_hash(content),
        proposed_by=act.user_id or act.actor,
    )  # fmt: skip
    act.session.add(addendum)
    act.session.flush()
    change_class = ChangeClass.C3 if order.change_class is OrderClass.C3 else ChangeClass.C4
    for table, row_id, column, old, new, operation in values:
        act.session.add(
            ChangeItem(
                change_type=ADDENDUM, change_id=addendum.id, change_hash=addendum.content_hash, table_name=table, row_id=row_id,
                operation=Operation(operation), column_name=column, old_text=old, new_text=new, change_class=change_class,
            )
        )  # fmt: skip
    for stage, role in enumerate(seats, start=1):
        act.session.add(
            ApprovalSlot(
                record_type=ADDENDUM, record_id=addendum.id, record_hash=addendum.content_hash, stage=stage, role=role, position=1,
                why=f"{kind} of {order.number}",
            )
        )  # fmt: skip
    act.session.flush()
    return addendum


def _inverse(item: ChangeItem, applied: Sequence[ChangeItem]) -> list[Value]:
    """Return what takes an item back: an added row goes as it came, one that went comes again as another row."""
    if item.operation is Operation.INSERT:
        row = {one.column_name: one.new_text for one in applied if one.row_id == item.row_id}
        return [(item.table_name, item.row_id, "", as_text(row), None, Operation.DELETE.value)]
    if item.operation is Operation.DELETE:
        again = new_id()
        return [
            (item.table_name, again, column, None, text, Operation.INSERT.value)
            for column, text in row_of(item.old_text).items()
            if text is not None
        ]
    is_release = (item.table_name, item.column_name) == (PartRevision.__tablename__, "status")
    back = RevisionStatus.OBSOLETE.value if is_release else item.old_text
    return [(item.table_name, item.row_id, item.column_name, item.new_text, back, Operation.UPDATE.value)]


def _refuse_effective(order: ChangeOrder) -> None:
    if order.effective_at is not None:
        raise Conflict(
            f"Expected {order.number} not to be effective yet, but it is since {order.effective_at:%Y-%m-%d}. Raise a new change order.",
            code="ALREADY_EFFECTIVE", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip


def _text(value: Any) -> str | None:
    return None if value is None else str(getattr(value, "value", value))
