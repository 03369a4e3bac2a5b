"""A small plant written row by row, without an act: what the triggers must hold against is whoever has the database."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Table, insert, select, update

from engine.database import Base, new_id
from records.approval import ApprovalSlot
from records.calendar import Site
from records.cost_centre import CostCentre
from records.part import Part, PartRevision, ProductDefinitionRef, RevisionStatus
from records.person import User
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition, RequisitionLine
from records.signature import Meaning, Signature
from records.supplier import Supplier
from rules.change_item import ChangeClass, ChangeItem

NOW = dt.datetime(2026, 11, 22, 15, 0, tzinfo=dt.UTC)
HASH, OTHER_HASH = "a" * 64, "b" * 64


def table(mapped: type[Base]) -> Table:
    found = mapped.__table__
    assert isinstance(found, Table)
    return found


class Plant:
    """One site, two suppliers, a part with a released and a draft revision, an order of two lines, a requisition of one."""

    def __init__(self, database: Engine) -> None:
        self.database = database
        with self.writing() as connection:
            self._settle(connection)

    def writing(self) -> Any:
        return self.database.execution_options(writes=True).begin()

    def _settle(self, connection: Connection) -> None:
        self.connection = connection
        self.site = self.put(Site, code="MAIN", name="Main", time_zone="UTC", currency="USD")
        for user in ("rita", "bea", "lena", "max"):
            self.put(User, id=user, name=user.title())
        self.cost_centre = self.put(CostCentre, code="4711", name="Turning", currency="USD")
        self.supplier = self.put(Supplier, supplier_no="S-1", name="NorthStar", currency="USD")
        self.other_supplier = self.put(Supplier, supplier_no="S-2", name="QuickPlate", currency="USD")
        self.part = self.put(Part, part_no="P-200", name="Bracket")
        self.rev_b = self.put(PartRevision, part_id=self.part, rev="B", status=RevisionStatus.RELEASED, origin="ERP")
        self.rev_c = self.put(PartRevision, part_id=self.part, rev="C")
        self.routing = self.put(
            ProductDefinitionRef,
            part_revision_id=self.rev_b,
            kind="ROUTING",
            system="PLM",
            native_id="R-1",
            content_hash=HASH,
        )
        self.order = self.new_order("PF-1")
        self.line = self.new_line(self.order, 1)
        self.second_line = self.new_line(self.order, 2)
        self.draft_order = self.new_order("PF-2")
        self.requisition = self.put(
            Requisition,
            number="REQ-1",
            site_id=self.site,
            requester_id="rita",
            cost_centre_id=self.cost_centre,
            currency="USD",
        )
        self.requisition_line = self.put(
            RequisitionLine, requisition_id=self.requisition, line_no=1, part_revision_id=self.rev_b, quantity=Decimal(10),
            estimated_price=Decimal("42.5"),
        )  # fmt: skip

    def put(self, mapped: type[Base], **values: Any) -> str:
        """Insert one row through Core; return its id."""
        columns = mapped.__table__.columns
        row = {"id": new_id(), **_defaults(mapped)}
        if "created_by" in columns:
            row.update(version=1, created_at=NOW, created_by="user:bea", changed_at=NOW, changed_by="user:bea")
        row.update(values)
        self.connection.execute(insert(mapped).values(**row))
        return str(row["id"])

    def new_order(self, number: str, **values: Any) -> str:
        row = {
            "proposal_no": number,
            "site_id": self.site,
            "supplier_id": self.supplier,
            "currency": "USD",
            "buyer_id": "bea",
        }
        return self.put(PurchaseOrder, **(row | values))

    def new_line(self, order: str, line_no: int, **values: Any) -> str:
        row = {
            "order_id": order, "line_no": line_no, "part_revision_id": self.rev_b, "quantity": Decimal(10),
            "unit_price": Decimal("42.5"),
        }  # fmt: skip
        return self.put(PurchaseOrderLine, **(row | values))

    def sign(
        self, record_type: str, record_id: str, record_hash: str = HASH, *, signer: str = "lena", **values: Any
    ) -> str:
        """Insert a signature as the application writes one."""
        values = {"role": "PUR_LEAD", "meaning": Meaning.APPROVED} | values
        return self.put(
            Signature, record_type=record_type, record_id=record_id, content_hash=record_hash, signer_id=signer,
            printed_name=signer, printed_title="", signed_at=NOW, local_offset=0, method="password",
            had_both_components=True, **values,
        )  # fmt: skip

    def slot(self, record_type: str, record_id: str, record_hash: str = HASH, **values: Any) -> str:
        row = {"stage": 2, "role": "PUR_LEAD"} | values
        return self.put(ApprovalSlot, record_type=record_type, record_id=record_id, record_hash=record_hash, **row)

    def fill(self, slot: str, signature: str | None) -> None:
        self.connection.execute(
            update(table(ApprovalSlot)).values(signature_id=signature).where(table(ApprovalSlot).c.id == slot)
        )

    def move(self, status: str, order: str | None = None, **values: Any) -> None:
        orders = table(PurchaseOrder)
        self.connection.execute(
            update(orders).values(status=status, **values).where(orders.c.id == (order or self.order))
        )

    def approve(self) -> str:
        """Take the order to APPROVED with one genuine signature; return the signature's id."""
        self.move("PENDING_APPROVAL", approved_hash=HASH)
        slot = self.slot("purchase_order", self.order)
        signature = self.sign("purchase_order", self.order)
        self.fill(slot, signature)
        self.move("APPROVED", approved_at=NOW)
        return signature

    def transmit(self) -> str:
        """Take the order to TRANSMITTED; return the signature's id."""
        signature = self.approve()
        self.sign("purchase_order", self.order, signer="bea", role="BUYER", meaning=Meaning.RELEASED)
        self.move("APPROVED_NOT_TRANSMITTED", issued_at=NOW)
        self.move("TRANSMITTED", po_no="4500001", transmitted_at=NOW)
        return signature

    def supersede(self, signature: str) -> None:
        signatures = table(Signature)
        self.connection.execute(
            update(signatures).values(status="SUPERSEDED", superseded_at=NOW).where(signatures.c.id == signature)
        )

    def change(
        self, mapped: type[Base], row_id: str, operation: str, items: dict[str, tuple[Any, Any]], **values: Any
    ) -> str:
        """Write an approved change: its items, then a slot, signed. Return the change's id."""
        change = new_id()
        change_class = values.get("change_class", ChangeClass.C4)
        for column, (old, new) in items.items():
            self.put(
                ChangeItem, change_type="test_change", change_id=change, change_hash=OTHER_HASH, row_id=row_id,
                table_name=mapped.__tablename__, operation=operation, column_name=column, old_text=old, new_text=new,
                change_class=change_class,
            )  # fmt: skip
        slot = self.slot("test_change", change, OTHER_HASH)
        if values.get("signed", True):
            self.fill(slot, self.sign("test_change", change, OTHER_HASH))
        return change

    def fact(self, mapped: type[Base], row_id: str, column: str) -> Any:
        rows = table(mapped)
        return self.connection.scalar(select(rows.c[column]).where(rows.c.id == row_id))


def _defaults(mapped: type[Base]) -> dict[str, Any]:
    return {
        column.name: column.default.arg
        for column in mapped.__table__.columns
        if column.default is not None and column.default.is_scalar
    }
