"""The papers of one business as an extract holds them: orders, what came, what was billed, what was made.

Kept in the ERP's own ids and in our words, as far as they could be read: what they agree about is judged apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line that buys something. line_no: as here, from 1. process: outside process of a service.

    rev: the revision in the product's code. work_order: the native id of the work order that the ERP links it to. row: of the file.
    """

    native_id: str
    line_no: int
    item: str
    is_service: bool
    quantity: Decimal
    uom: str
    unit_price: Decimal
    text: str
    rev: str = ""
    process: str = ""
    work_order: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase order.

    buyer: our id, empty where nobody is named. billing: ORDERED, RECEIVED or MANUAL; is_complete: the ERP expects no more
    deliveries.
    """

    native_id: str
    status: str
    supplier: str
    currency: str
    buyer: str
    billing: str
    is_complete: bool
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one paper says about one order line: goods of a receipt, or what an invoice bills (below 0: credits).

    paper: ``shipment 37``, ``invoice 26``. price: in ``currency``, None on receipts.
    """

    paper: str
    line: str
    supplier: str
    currency: str
    item: str
    quantity: Decimal
    uom: str
    day: dt.date | None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One line of an amendment in force. line: native id, empty where it changes the whole order."""

    order: str
    day: dt.date
    line: str = ""
    unit_price: Decimal | None = None
    supplier: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a work order. process: of an outside operation, else empty."""

    op_no: int
    name: str
    process: str
    is_complete: bool


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """A work order. made: what its outputs say, None while nothing was made."""

    native_id: str
    number: str
    status: str
    quantity: Decimal
    operations: tuple[Operation, ...]
    made: Decimal | None

    def only_operation(self, process: str) -> Operation | None:
        """Return the operation that a line of a process must be for: the only one of it; None where there is none, or several."""
        found = [each for each in self.operations if each.process and each.process == process]
        return found[0] if len(found) == 1 else None


@dataclass
class Papers:
    """Everything of one extract. order_of: orders by their lines; has_receipts: whether it said anything about goods at all."""

    orders: dict[str, Order] = field(default_factory=dict)
    receipts: dict[str, list[Entry]] = field(default_factory=dict)
    bills: dict[str, list[Entry]] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    work_orders: dict[str, WorkOrder] = field(default_factory=dict)
    suppliers: dict[str, str] = field(default_factory=dict)
    order_of: dict[str, str] = field(default_factory=dict)
    has_receipts: bool = False

    def order(self, order: Order) -> None:
        """Add an order."""
        self.orders[order.native_id] = order
        self.order_of.update((line.native_id, order.native_id) for line in order.lines)

    def receive(self, entry: Entry) -> None:
        """Add what a receipt says."""
        self.receipts.setdefault(entry.line, []).append(entry)

    def bill(self, entry: Entry) -> None:
        """Add what an invoice says."""
        self.bills.setdefault(entry.line, []).append(entry)

    def change(self, change: Change) -> None:
        """Add what an amendment in force says."""
        self.changes.setdefault(change.order, []).append(change)

    def entries(self, line: OrderLine) -> Iterator[Entry]:
        """Yield what receipts and then invoices say about a line."""
        yield from self.receipts.get(line.native_id, ())
        yield from self.bills.get(line.native_id, ())
