"""One of each controlled record, as the tests of the doors have them: which value, and the document that it freezes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from engine.act import Act
from engine.audit import AuditEvent
from engine.stored.definition import Definition, DefinitionFile
from processes import change_orders
from records.approval import ApprovalSlot
from records.board import Board, Membership
from records.change_order import BoundKind, ChangeOrder, EmergencyBound
from records.definition_lock import DEFINITIONS, DefinitionLock
from records.part import PartRevision
from records.purchase_order import PurchaseOrder
from records.signature import Signature
from records.supplier import SupplierApproval
from records.vote import BoardRequirement, BoardSeat
from records.work_order import WorkOrder
from rules.change_item import ChangeItem
from rules.flow_mode import FlowMode, Mode
from rules.table_version import RuleTableVersion
from rules.tables_in_force import TableInForce, put_in_force
from tests.boards import seated, submitted
from tests.changes import opened, revised
from tests.makers import (
    make_approval,
    make_definition,
    make_order,
    make_part,
    make_revision,
    make_signature,
    make_slot,
    make_supplier,
    make_work_order,
)


@dataclass(frozen=True)
class Target:
    """One controlled value. parent: table and column of the document that it freezes with, and another one that is a draft."""

    name: str
    mapped: type[Any]
    key: dict[str, str]
    column: str
    value: Any
    parent: tuple[type[Any], str, str] | None = None

    @property
    def table(self) -> Table:
        found = self.mapped.__table__
        assert isinstance(found, Table)
        return found

    def where(self, statement: Any) -> Any:
        for name, value in self.key.items():
            statement = statement.where(self.table.c[name] == value)
        return statement

    def row(self, connection: Connection) -> dict[str, Any]:
        return dict(connection.execute(self.where(select(self.table))).mappings().one())


def documents(act: Act) -> list[Target]:
    """Have one of each document, controlled."""
    revision = make_revision(act, make_part(act, "P-900"), "B")
    bill = make_definition(act, revision)
    draft = make_revision(act, revision.part, "C", status="DRAFT", origin="LOCKSTEP", released_at=None)
    order = make_order(act, (revision, 5, "42.50"), status="TRANSMITTED", origin="ERP")
    other = make_order(act, supplier=order.supplier)
    work, planned = (
        make_work_order(act, revision),
        make_work_order(act, revision, status="PLANNED", origin="LOCKSTEP", system="LOCKSTEP"),
    )
    approval = make_approval(act, make_supplier(act))
    line, operation = order.lines[0], work.operations[1]
    return [
        Target("order", PurchaseOrder, {"id": order.id}, "payment_term", "90 days"),
        Target("order line", type(line), {"id": line.id}, "unit_price", line.unit_price + 1, (PurchaseOrder, "order_id", other.id)),
        Target("work order", WorkOrder, {"id": work.id}, "part_revision_id", draft.id),
        Target("operation", type(operation), {"id": operation.id}, "instruction_rev", "9", (WorkOrder, "work_order_id", planned.id)),
        Target("revision", PartRevision, {"id": revision.id}, "drawing_rev", "Z"),
        Target("reference", type(bill), {"id": bill.id}, "content_hash", "f" * 64, (PartRevision, "part_revision_id", draft.id)),
        Target("supplier approval", SupplierApproval, {"id": approval.id}, "scope", "Everything"),
    ]  # fmt: skip


def configuration(act: Act) -> list[Target]:
    """Have one of each kind of what configures the house, under the lock."""
    put_in_force(act)
    act.session.add(DefinitionLock(scope=DEFINITIONS, reason="Validated", locked_by="quinn", locked_at=act.now))
    act.session.flush()
    in_force = act.session.scalars(select(TableInForce).where(TableInForce.name == "timers")).one()
    version = RuleTableVersion(name="timers", hash="e" * 64, content=b"<dmn/>", seen_at=act.now)
    released = act.session.scalars(select(Definition).where(Definition.process_id == "amend_order")).one()
    waiting = Definition(
        process_id=released.process_id, name=released.name, version=released.version + 1, hash="d" * 64, status="DRAFT",
        main_file=released.main_file, deployed_at=act.now, deployed_by="user:pat",
    )  # fmt: skip
    act.session.add_all([version, waiting])
    act.session.flush()
    file = act.session.scalars(select(DefinitionFile).where(DefinitionFile.definition_id == released.id)).first()
    mode = act.session.scalars(select(FlowMode)).first()
    assert file is not None
    assert mode is not None
    return [
        Target("rule table", TableInForce, {"id": in_force.id}, "content_hash", "f" * 64),
        Target("table content", RuleTableVersion, {"name": "timers", "hash": "e" * 64}, "content", b"<mine/>"),
        Target("process", Definition, {"id": waiting.id}, "status", "RELEASED"),
        Target("process file", DefinitionFile, {"id": file.id}, "path", "mine.bpmn"),
        Target("mode", FlowMode, {"id": mode.id}, "mode", Mode.OBSERVE),
    ]


def changes(act: Act) -> list[Target]:
    """Have a change order before its board, bounded as an emergency would be, with everything that its approval rests on."""
    seated(act)
    order, _, _ = revised(act, part_no="P-901")
    bound = EmergencyBound(change_order=order, position=1, kind=BoundKind.SERIAL, first="1", last="9")
    act.session.add(bound)
    change_orders.add_edit(act, order, order.affected[0].part_revision_from, "drawing_rev", "Z")
    submitted(act, order)
    signature = make_signature(act, order, content_hash=order.content_hash or "", signer="quinn", role="QA_ENG")
    slot = make_slot(act, order, record_hash=order.content_hash or "", role="QA_ENG", position=9)
    rows = [
        act.session.scalars(select(kind)).first()
        for kind in (Board, Membership, BoardRequirement, BoardSeat, ChangeItem)
    ]
    board, member, requirement, seat, item = (row.id for row in rows if row is not None)
    event = act.session.scalars(select(AuditEvent)).first()
    assert event is not None
    return [
        Target("change order", ChangeOrder, {"id": order.id}, "title", "Another"),
        Target("emergency bound", EmergencyBound, {"id": bound.id}, "last", "99", (ChangeOrder, "change_order_id", opened(act).id)),
        Target("board", Board, {"id": board}, "quorum_percent", 1),
        Target("board member", Membership, {"id": member}, "weight", 9),
        Target("board requirement", BoardRequirement, {"id": requirement}, "needed", 9),
        Target("board seat", BoardSeat, {"id": seat}, "weight", 9),
        Target("change item", ChangeItem, {"id": item}, "new_text", "ZZ"),
        Target("signature", Signature, {"id": signature.id}, "meaning", "REVIEWED"),
        Target("seat of a plan", ApprovalSlot, {"id": slot.id}, "role", "BUYER"),
        Target("event of the chain", AuditEvent, {"id": event.id}, "actor", "user:eve"),
    ]  # fmt: skip


def targets(act: Act) -> list[Target]:
    """Have one of each."""
    return [*documents(act), *configuration(act), *changes(act)]
