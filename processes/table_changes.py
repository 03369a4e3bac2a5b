"""Rule tables under change control: proposed from a folder, signed as a change order's content, in force when it is applied."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import select

from dmn import DmnError
from engine.act import Act
from engine.database import new_id
from engine.errors import Conflict, Forbidden, Invalid
from engine.record import Operation
from processes.change_orders import take_up_content
from records.change_order import OVER, ChangeOrder
from records.change_request import OrderClass
from records.roles import holds
from rules.change_control import CHANGE_ORDER
from rules.change_doors import UNSEALED
from rules.change_item import ChangeClass, ChangeItem
from rules.policy import PolicyProblem, RuleTable, read_table, run_examples
from rules.table_version import RuleTableVersion
from rules.tables_in_force import TableInForce, in_force

TABLE = TableInForce.__tablename__
MAY_PROPOSE = "PROCESS_ENGINEER"


def propose_tables(act: Act, order: ChangeOrder, folder: Path) -> list[str]:
    """Say that the order puts every table of a folder in force that differs from the one that is; return their names.

    Each must pass its example rows, which lie beside it. Raises: Forbidden to anybody but process engineers; Invalid for a table that
    cannot be used; Conflict when nothing differs, the order is sealed, or another open order changes one of them (CHANGE_OVERLAPS).
    """
    if act.user_id is None or not holds(act.session, act.user_id, MAY_PROPOSE, at=act.now):
        raise Forbidden(f"Expected a {MAY_PROPOSE} to propose tables, but you are none")
    take_up_content(act, order)
    known = in_force(act.session)
    tables = [_read(path) for path in sorted(folder.glob("*.dmn"))]
    changed = [table for table in tables if table.name not in known or known[table.name].content_hash != table.hash]
    if not changed:
        raise Conflict(f"Expected a table in {folder.name} that differs from the one in force, but there is none")
    for table in changed:
        _refuse_overlap(act, order, known.get(table.name))
        if act.session.get(RuleTableVersion, (table.name, table.hash)) is None:
            act.session.add(RuleTableVersion(name=table.name, hash=table.hash, content=table.source, seen_at=act.now))
        act.session.add_all(_items(order, known.get(table.name), table))
    act.session.flush()
    return [table.name for table in changed]


def _items(order: ChangeOrder, present: TableInForce | None, table: RuleTable) -> list[ChangeItem]:
    depth = ChangeClass.C3 if order.change_class is OrderClass.C3 else ChangeClass.C4
    row_id = present.id if present is not None else new_id()
    operation = Operation.UPDATE if present is not None else Operation.INSERT
    values = {"content_hash": (present.content_hash if present is not None else None, table.hash)}
    if present is None:
        values["name"] = (None, table.name)
    return [
        ChangeItem(
            change_type=CHANGE_ORDER, change_id=order.id, change_hash=UNSEALED, table_name=TABLE, row_id=row_id, operation=operation,
            column_name=column, old_text=old, new_text=new, change_class=depth,
        )
        for column, (old, new) in values.items()
    ]  # fmt: skip


def _read(path: Path) -> RuleTable:
    """Compile a table and run its example rows. Raises: Invalid with what does not fit."""
    try:
        table = read_table(path.stem, path.read_bytes())
        beside = path.with_suffix(".test.json")
        trouble = list(run_examples(table, json.loads(beside.read_text(encoding="utf-8")))) if beside.exists() else [
            f"Expected example rows beside {path.name}, but there are none"
        ]  # fmt: skip
    except (DmnError, PolicyProblem, ValueError) as error:
        trouble = [str(error)]
    if trouble:
        raise Invalid(
            f"Expected {path.name} to be a table that can be used, but: {trouble[0]}", {path.stem: trouble[0]}
        )
    return table


def _refuse_overlap(act: Act, order: ChangeOrder, present: TableInForce | None) -> None:
    if present is None:
        return
    wanted = select(ChangeItem).where(
        ChangeItem.table_name == TABLE, ChangeItem.row_id == present.id, ChangeItem.applied_at.is_(None)
    )
    for item in act.session.scalars(wanted):
        other = act.session.get_one(ChangeOrder, item.change_id)
        if other.status not in OVER and (other.id != order.id or item.change_hash == UNSEALED):
            raise Conflict(
                f"Expected the table {present.name} to be changed once, but {other.number} ({other.title}) already changes it.",
                code="CHANGE_OVERLAPS", record=(order.record_type, order.id), keep=True,
            )  # fmt: skip
