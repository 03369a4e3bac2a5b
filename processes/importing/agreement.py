"""What the papers of one business do not agree about: each disagreement once, with both values.

Two papers disagree when they state one fact and cannot both be right. What is only unfinished agrees: part deliveries, bills
ahead of goods on orders that are billed as ordered. An amendment governs what was still open on its day: a bill or a
delivery before it was right on its day, unless nothing was left that the amendment could take effect on. Credits that
were sent settle what was billed too much. How far numbers may differ is the table's to say (``document_agreement.dmn``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from processes.importing.doubts import named_revision
from processes.importing.papers import Entry, Operation, Order, OrderLine, Papers, WorkOrder
from rules.policy import table_called

ZERO = Decimal(0)
PRICE = Decimal("0.0001")
"""Prices are stated to four decimals; so is what a tolerance of so many percent allows."""
FIELDS = frozenset(
    {"other_supplier", "other_currency", "other_item", "other_unit", "invoice_price", "received", "invoiced",
     "work_order_quantity", "operation_status", "operation_named", "revision_named", "made_quantity"}
)  # fmt: skip
"""What papers are judged by; the table has a row for each."""
DRAFT, CANCELLED, COMPLETE = "DRAFT", "CANCELLED", "COMPLETE"
ORDERED, RECEIVED = "ORDERED", "RECEIVED"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two values of one fact. about: (native type, native id) of the document it belongs to.

    field: a row of the table; line_no: of the order, 0 for the whole document. papers: which other papers say so.
    """

    about: tuple[str, str]
    line_no: int
    line: str
    field: str
    ours: str
    theirs: str
    papers: tuple[str, ...]

    @property
    def theirs_and_where(self) -> str:
        """The other value with the papers that state it."""
        return f"{self.theirs} ({', '.join(self.papers)})" if self.papers else self.theirs


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two numbers may differ. percent, amount: None where there is no such limit; the tighter one counts."""

    percent: Decimal | None
    amount: Decimal | None

    def allows(self, difference: Decimal, *, base: Decimal, quantity: Decimal = Decimal(1)) -> bool:
        """Whether a difference is within tolerance. base: what the percentage is of; quantity: how often it counts."""
        limits = []
        if self.percent is not None:
            limits.append((abs(base) * self.percent / 100).quantize(PRICE, ROUND_HALF_UP))
        if self.amount is not None and quantity:
            limits.append(self.amount / abs(quantity))
        return abs(difference) <= min(limits, default=ZERO)


def tolerance_of(field: str) -> Tolerance:
    """Return the tolerance of a field, as the table says."""
    given = table_called("document_agreement").judge(field=field).row.outputs
    return Tolerance(_number(given["percent"]), _number(given["amount"]))


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def disagreements(papers: Papers, named: Sequence[re.Pattern[str]]) -> Iterator[Disagreement]:
    """Yield what the papers disagree about, order by order.

    named: how people name a work order in a text, with the groups ``number`` and ``op``.
    """
    meant = _Meant(papers, named)
    for order in papers.orders.values():
        if order.status == CANCELLED:
            continue
        yield from _suppliers(papers, order)
        yield from _currencies(papers, order)
        for line in order.lines:
            for check in _CHECKS:
                yield from check(papers, order, line)
            yield from meant.judge(order, line)
    for work_order in papers.work_orders.values():
        yield from _made(work_order)


def _on(order: Order, line: OrderLine, field: str, ours: str, theirs: str, papers: Iterable[str]) -> Disagreement:
    about = ("order", order.native_id)
    return Disagreement(about, line.line_no, line.native_id, field, ours, theirs, tuple(dict.fromkeys(papers)))


def _suppliers(papers: Papers, order: Order) -> Iterator[Disagreement]:
    """Judge who delivered and billed: another supplier was right before the order was moved, while something was left to move."""
    moved_on = max((change.day for change in papers.changes.get(order.native_id, ()) if change.supplier), default=None)
    found: dict[str, list[str]] = {}
    for line in order.lines:
        others = [entry for entry in papers.entries(line) if entry.supplier != order.supplier]
        before = [entry for entry in others if _is_by(entry, moved_on)]
        is_settled = _most(before) >= line.quantity
        for entry in others if is_settled else [entry for entry in others if entry not in before]:
            found.setdefault(entry.supplier, []).append(entry.paper)
    names = papers.suppliers
    for supplier, where in found.items():
        yield Disagreement(
            ("order", order.native_id), 0, "", "other_supplier", names.get(order.supplier, order.supplier),
            names.get(supplier, supplier), tuple(dict.fromkeys(where)),
        )  # fmt: skip


def _most(entries: Iterable[Entry]) -> Decimal:
    """Return how much was delivered or billed, whichever is more."""
    goods = bills = ZERO
    for entry in entries:
        goods, bills = (goods + entry.quantity, bills) if entry.price is None else (goods, bills + entry.quantity)
    return max(goods, bills)


def _is_by(entry: Entry, day: dt.date | None) -> bool:
    return day is not None and entry.day is not None and entry.day <= day


def _currencies(papers: Papers, order: Order) -> Iterator[Disagreement]:
    found: dict[str, list[str]] = {}
    for line in order.lines:
        for entry in papers.entries(line):
            if entry.currency and entry.currency != order.currency:
                found.setdefault(entry.currency, []).append(entry.paper)
    for currency, where in found.items():
        yield Disagreement(
            ("order", order.native_id), 0, "", "other_currency", order.currency, currency, tuple(dict.fromkeys(where))
        )


def _items(papers: Papers, order: Order, line: OrderLine) -> Iterator[Disagreement]:
    wrong = [entry for entry in papers.entries(line) if entry.item and line.item and entry.item != line.item]
    if wrong:
        yield _on(order, line, "other_item", line.item, wrong[0].item, (entry.paper for entry in wrong))


def _units(papers: Papers, order: Order, line: OrderLine) -> Iterator[Disagreement]:
    wrong = [entry for entry in papers.entries(line) if entry.uom != line.uom]
    if wrong:
        yield _on(order, line, "other_unit", line.uom, wrong[0].uom, (entry.paper for entry in wrong))


def _prices(papers: Papers, order: Order, line: OrderLine) -> Iterator[Disagreement]:
    bills = papers.bills.get(line.native_id, [])
    tolerance = tolerance_of("invoice_price")
    wrong = [
        bill
        for bill in bills
        if bill.price is not None
        and not tolerance.allows(bill.price - line.unit_price, base=line.unit_price, quantity=bill.quantity)
        and not _was_right(papers, order, line, bill, bills)
    ]
    if wrong:
        prices = dict.fromkeys(f"{bill.price:f}" for bill in wrong)
        yield _on(
            order, line, "invoice_price", f"{line.unit_price:f}", ", ".join(prices), (bill.paper for bill in wrong)
        )


def _was_right(papers: Papers, order: Order, line: OrderLine, bill: Entry, bills: list[Entry]) -> bool:
    """Whether a bill came before an amendment of its price, and something was left that the new price could hold for."""
    for change in papers.changes.get(order.native_id, ()):
        if change.line == line.native_id and change.unit_price is not None and bill.day and bill.day < change.day:
            before = sum((other.quantity for other in bills if other.day and other.day < change.day), ZERO)
            if before < line.quantity:
                return True
    return False


def _received(papers: Papers, order: Order, line: OrderLine) -> Iterator[Disagreement]:
    receipts = papers.receipts.get(line.native_id, [])
    came = sum((receipt.quantity for receipt in receipts), ZERO)
    if came > line.quantity and not tolerance_of("received").allows(came - line.quantity, base=line.quantity):
        yield _on(order, line, "received", _text(line.quantity), _text(came), (receipt.paper for receipt in receipts))


def _invoiced(papers: Papers, order: Order, line: OrderLine) -> Iterator[Disagreement]:
    bills = papers.bills.get(line.native_id, [])
    billed = sum((bill.quantity for bill in bills), ZERO)
    limit = _billable(papers, order, line)
    if billed > limit and not tolerance_of("invoiced").allows(billed - limit, base=limit):
        yield _on(order, line, "invoiced", _text(limit), _text(billed), (bill.paper for bill in bills))


def _billable(papers: Papers, order: Order, line: OrderLine) -> Decimal:
    """Return what may be billed of a line: services and goods billed ahead as ordered, other goods as they came."""
    came = sum((receipt.quantity for receipt in papers.receipts.get(line.native_id, ())), ZERO)
    if line.is_service or not papers.has_receipts:
        return line.quantity
    if order.billing == ORDERED and not order.is_complete:
        return max(line.quantity, came)
    return came


def _work_order_quantity(papers: Papers, order: Order, line: OrderLine) -> Iterator[Disagreement]:
    work_order = papers.work_orders.get(line.work_order)
    if work_order is None or work_order.status == CANCELLED:
        return
    together = [other for other in _linked(papers, line.work_order) if other.process == line.process]
    ordered = sum((other.quantity for other in together), ZERO)
    if together[-1] is not line:
        return
    if not tolerance_of("work_order_quantity").allows(ordered - work_order.quantity, base=work_order.quantity):
        where = (f"work order {work_order.number}",)
        yield _on(order, line, "work_order_quantity", _text(ordered), _text(work_order.quantity), where)


def _linked(papers: Papers, work_order: str) -> list[OrderLine]:
    """Return the lines that the ERP links to a work order."""
    return [
        line
        for order in papers.orders.values()
        if order.status != CANCELLED
        for line in order.lines
        if line.work_order == work_order
    ]


def _revision(papers: Papers, order: Order, line: OrderLine) -> Iterator[Disagreement]:
    named = named_revision(line.text)
    if line.rev and named and named != line.rev:
        yield _on(order, line, "revision_named", line.rev, named, ("text of the line",))


def _made(work_order: WorkOrder) -> Iterator[Disagreement]:
    made = work_order.made
    if work_order.status != COMPLETE or made is None or made == work_order.quantity:
        return
    if not tolerance_of("made_quantity").allows(made - work_order.quantity, base=work_order.quantity):
        about = ("work_order", work_order.native_id)
        yield Disagreement(about, 0, "", "made_quantity", _text(work_order.quantity), _text(made), ("outputs",))


_CHECKS: tuple[Callable[[Papers, Order, OrderLine], Iterator[Disagreement]], ...] = (
    _items, _units, _prices, _received, _invoiced, _work_order_quantity, _revision,
)  # fmt: skip


class _Meant:
    """Which work order and operation a line is for: by the ERP's link, or as its text names them."""

    def __init__(self, papers: Papers, named: Sequence[re.Pattern[str]]) -> None:
        self.named = named
        self.work_orders = papers.work_orders
        self.by_number = {work_order.number: work_order for work_order in papers.work_orders.values()}
        self.placed = {
            (meant[0].native_id, line.process)
            for order in papers.orders.values()
            if order.status not in (DRAFT, CANCELLED)
            for line in order.lines
            if (meant := self.of(line)) is not None
        }

    def of(self, line: OrderLine) -> tuple[WorkOrder, int | None] | None:
        """Return the work order a line is for, with the operation that its text names."""
        if line.work_order:
            linked = self.work_orders.get(line.work_order)
            return (linked, None) if linked is not None else None
        for pattern in self.named:
            if match := pattern.search(line.text):
                found = self.by_number.get(match["number"])
                return (found, int(match["op"]) if match["op"] else None) if found is not None else None
        return None

    def judge(self, order: Order, line: OrderLine) -> Iterator[Disagreement]:
        """Yield where a service does not fit the work order it is for, or its operation is done and nothing was ordered."""
        meant = self.of(line)
        if meant is None or not line.process or not meant[0].operations:
            return
        work_order, op_no = meant
        fitting = [one for one in work_order.operations if one.process == line.process]
        where = (f"work order {work_order.number}",)
        if op_no is not None and op_no not in {one.op_no for one in fitting}:
            named = [one for one in work_order.operations if one.op_no == op_no]
            yield _on(
                order,
                line,
                "operation_named",
                f"{op_no} {line.process}",
                _names(named) or f"no operation {op_no}",
                where,
            )
        elif not fitting:
            outside = [one for one in work_order.operations if one.process]
            yield _on(order, line, "operation_named", line.process, _names(outside) or "no outside operation", where)
        elif (
            order.status == DRAFT
            and line.work_order
            and all(one.is_complete for one in fitting)
            and (work_order.native_id, line.process) not in self.placed
        ):
            done = tuple(f"operation {work_order.number}/{one.op_no}" for one in fitting)
            yield _on(order, line, "operation_status", DRAFT, COMPLETE, done)


def _names(operations: Iterable[Operation]) -> str:
    return ", ".join(f"{one.op_no} {one.name}" for one in operations)


def _text(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"
