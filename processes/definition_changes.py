"""Processes and their tables under change control: locked once, from then on released by signed change orders alone (SOD-11)."""

from __future__ import annotations

from sqlalchemy import select

from engine.act import Act
from engine.definitions import Definition, DefinitionStatus
from engine.errors import Conflict, Forbidden, Invalid
from engine.record import Operation
from records.change_order import OVER, ChangeOrder
from records.change_request import OrderClass
from records.definition_lock import DEFINITIONS, DefinitionLock, lock_of
from records.roles import holds
from rules.change_control import CHANGE_ORDER
from rules.change_doors import UNSEALED
from rules.change_item import ChangeClass, ChangeItem
from rules.table_version import ADOPTED, keep_versions
from rules.tables_in_force import put_in_force

MAY_LOCK = "QA_ENG"


def lock(act: Act, *, reason: str) -> DefinitionLock:
    """Put processes and all rule tables under change control, for good: the installed tables are the ones in force, and are kept.

    Raises: Forbidden for anybody but quality; Invalid without a reason; Conflict when they are already.
    """
    if act.user_id is None or not holds(act.session, act.user_id, MAY_LOCK, at=act.now):
        raise Forbidden("Expected quality to put processes under change control, but you hold no such role")
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    if (known := lock_of(act.session)) is not None:
        raise Conflict(
            f"Expected processes to be open, but {known.locked_by} locked them on {known.locked_at:%Y-%m-%d}"
        )
    keep_versions(act, ADOPTED, reason=reason.strip())
    made = DefinitionLock(scope=DEFINITIONS, reason=reason.strip(), locked_by=act.user_id, locked_at=act.now)
    put_in_force(act)
    act.session.add(made)
    act.session.flush()
    return made


def add_definition(act: Act, order: ChangeOrder, definition: Definition) -> ChangeItem:
    """Say that the order releases a draft version of a process; its hash stands in the item's order and in the version itself.

    Raises: Conflict when the order is sealed, the version is no draft, or another open order releases it (CHANGE_OVERLAPS).
    """
    if not order.is_free or order.content_hash is not None:
        raise Conflict(
            f"Expected {order.number} to be still in writing, but it is {order.status}", code="CONTENT_SEALED",
            record=(order.record_type, order.id),
        )  # fmt: skip
    if definition.status != DefinitionStatus.DRAFT:
        raise Conflict(
            f"Expected a draft of {definition.process_id}, but version {definition.version} is {definition.status}",
            code="ILLEGAL_TRANSITION", record=(order.record_type, order.id),
        )  # fmt: skip
    _refuse_overlap(act, order, definition)
    item = ChangeItem(
        change_type=CHANGE_ORDER, change_id=order.id, change_hash=UNSEALED, table_name=Definition.__tablename__, row_id=definition.id,
        operation=Operation.UPDATE, column_name="status", old_text=DefinitionStatus.DRAFT.value,
        new_text=DefinitionStatus.RELEASED.value,
        change_class=ChangeClass.C3 if order.change_class is OrderClass.C3 else ChangeClass.C4,
    )  # fmt: skip
    act.session.add(item)
    act.session.flush()
    return item


def _refuse_overlap(act: Act, order: ChangeOrder, definition: Definition) -> None:
    """Refuse a version that an open order releases, which it would do once only; the row is locked for whoever comes at once."""
    act.session.refresh(definition, with_for_update={"key_share": True})
    wanted = select(ChangeItem).where(
        ChangeItem.table_name == Definition.__tablename__,
        ChangeItem.row_id == definition.id,
        ChangeItem.applied_at.is_(None),
    )
    for item in act.session.scalars(wanted):
        other = act.session.get_one(ChangeOrder, item.change_id)
        if other.status not in OVER:
            raise Conflict(
                f"Expected version {definition.version} of {definition.process_id} on one change order, but {other.number} "
                f"({other.title}) already releases it.",
                code="CHANGE_OVERLAPS", record=(order.record_type, order.id), keep=True,
            )  # fmt: skip
