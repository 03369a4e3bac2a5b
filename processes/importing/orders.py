"""Purchase orders: drafts stay drafts, what the ERP released arrives released, and frozen from then on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import or_, select

from engine.act import Act
from engine.canonical import canonical
from engine.errors import Invalid
from processes.importing import papers
from processes.importing.bringing import Import, Item, Outcome, assign
from processes.importing.differences import differ
from processes.importing.doubts import doubt_amount, doubt_approver, doubt_currency, doubt_revision
from processes.importing.reading import Reading
from processes.importing.receipts import ORDER_LINE, lines_with_receipts
from processes.importing.requisitions import NOTHING, goods_of, item_text, line_ids, supplier_text, unit_of
from processes.importing.sheets import Family
from records.calendar import Site
from records.money import MINOR_UNITS
from records.origin import Origin
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine, move
from records.requisition import PurchaseType
from records.sourcing import rate_on
from records.supplier import SupplierSite

FIXED = frozenset({"proposal_no", "site_id", "po_no"})
"""What never changes once an order is here; the ERP's number may still come to a draft."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that was read. is_counted: its receipts are here, so that its quantities are their sums."""

    native_id: str
    values: Mapping[str, Any]
    product: str = ""
    work_order: str = ""
    is_counted: bool = False
    row: int = 0


def bring_orders(run: Import, site: Site, *, today: dt.date) -> None:
    """Bring in every order whose lines can all be read. today: at the site; orders without a date take its rates."""
    run.bring("orders", _orders(run, site, today))


def _orders(run: Import, site: Site, today: dt.date) -> Iterator[Item]:
    asked_for = _asked_for(run)
    sites = _default_sites(run)
    rates = _Rates(run, site, today)
    for family in run.families("orders"):
        cells = run.reading("orders", family.head)
        state = cells.word("state", run.mapping.words["order_states"])
        values, supplier_id = _values(run, cells, site), run.id_of("party", cells.text("supplier"))
        if supplier_id is None:
            cells.error(
                "supplier", "UNKNOWN_SUPPLIER", "Expected a supplier of this extract, but it was not brought in"
            )
        doubt_approver(cells, "confirmed_by", "buyer")
        lines, texts = _lines(run, family, asked_for, is_open=state == OrderStatus.DRAFT)
        if not lines and lines is not None:
            cells.warn("id", "NO_LINES", "An order without lines")
        if not cells.is_good or lines is None:
            run.leave_out("orders")
            continue
        _keep_paper(run, cells, state, lines, buyer=values["buyer_id"] or "")
        values |= {
            "supplier_id": supplier_id,
            "supplier_site_id": sites.get(supplier_id or ""),
            "type": _type(lines),
            "comment": "\n".join(filter(None, (cells.text("title"), cells.text("comment"), *texts))),
            "fx_rate": rates.of(cells, values["order_date"]),
        }
        yield _order(run, cells, OrderStatus(state), values, lines)


def _keep_paper(run: Import, cells: Reading, state: str, lines: list[Line], *, buyer: str) -> None:
    """Keep what the order says for the comparison with what came and was billed."""
    words = run.mapping.words
    complete = cells.text("delivery") and words.get("deliveries", {}).get(cells.text("delivery")) == "COMPLETE"
    paper = papers.Order(
        cells.text("id"), state, cells.text("supplier"), cells.text("currency"),
        buyer, words.get("billing", {}).get(cells.text("billing"), "MANUAL"), bool(complete),
        tuple(_line_paper(run, position, line) for position, line in enumerate(lines, start=1)),
    )  # fmt: skip
    run.papers.order(paper)


def _line_paper(run: Import, position: int, line: Line) -> papers.OrderLine:
    item = run.codes.get(line.product, "")
    revision = next(
        (match["rev"] for rule in run.mapping.choices["revisions"] if (match := rule.pattern.fullmatch(item))), ""
    )
    return papers.OrderLine(
        line.native_id, position, item, line.values["service_code"] is not None, line.values["quantity"],
        line.values["uom"], line.values["unit_price"], line.values["description"], revision,
        line.values["process_code"] or "", line.work_order, line.row,
    )  # fmt: skip


class _Rates:
    """Exchange rates as far as they are known; a missing one is a warning, once for each currency, and never 1."""

    def __init__(self, run: Import, site: Site, today: dt.date) -> None:
        self.run, self.site, self.today = run, site, today
        self.missing: set[str] = set()

    def of(self, cells: Reading, on: dt.date | None) -> Decimal | None:
        """Return the rate of an order's currency on its date."""
        currency = cells.text("currency")
        try:
            with self.run.act() as act:
                return rate_on(act.session, currency, company_currency=self.site.currency, on=on or self.today)
        except Invalid:
            if currency not in self.missing:
                cells.warn("currency", "NO_EXCHANGE_RATE", f"No rate from {currency} to {self.site.currency} is known")
            self.missing.add(currency)
            return None


def _values(run: Import, cells: Reading, site: Site) -> dict[str, Any]:
    if cells.text("currency") not in MINOR_UNITS:
        cells.error("currency", "UNKNOWN_CURRENCY", "Expected an ISO 4217 currency, but found another text")
    return {
        "proposal_no": f"{run.mapping.system}-{cells.needed('id', limit=30)}",
        "po_no": cells.text("number", limit=40) or None,
        "revision": cells.whole("revision"),
        "site_id": site.id,
        "buyer_id": _buyer(run, cells),
        "currency": cells.text("currency"),
        "order_date": cells.day("order_date"),
        "payment_term": cells.text("payment_term", limit=200),
        "ship_to": cells.text("ship_to"),
        "bill_to": site.name,
        "supplier_reference": cells.text("reference", limit=200),
    }


def _buyer(run: Import, cells: Reading) -> str | None:
    """Return who quoted the order, else who confirmed it."""
    for field in ("buyer", "confirmed_by"):
        name = cells.text(field)
        if name and name not in run.people:
            cells.error(field, "UNKNOWN_PERSON", "Expected a person of this extract, but nobody is called so")
        if name:
            return run.people.get(name)
    return None


def _asked_for(run: Import) -> dict[str, str]:
    """Return by native order line the requisition line it was made of, by our id."""
    with run.act() as act:
        ours = line_ids(run, act)
    found: dict[str, str] = {}
    for row in run.sheet("requests").rows:
        cells = run.reading("requests", row)
        line, asked = cells.text("order_line"), ours.get(cells.text("requisition_line"))
        if line and asked and line in found:
            cells.warn(
                "order_line", "SEVERAL_REQUESTS", "The order line fills several requisition lines; the first is kept"
            )
        if line and asked:
            found.setdefault(line, asked)
        if line and (price := run.line_prices.get(cells.text("requisition_line"))):
            run.asked_prices.setdefault(line, price)
    return found


def _default_sites(run: Import) -> dict[str, str]:
    with run.act() as act:
        wanted = select(SupplierSite.supplier_id, SupplierSite.id).where(SupplierSite.is_default)
        return dict(act.session.execute(wanted).all())


def _lines(
    run: Import, family: Family, asked_for: Mapping[str, str], *, is_open: bool
) -> tuple[list[Line] | None, list[str]]:
    """Return the lines (None when one cannot be read) and the texts of title, comment and subtotal rows."""
    lines: list[Line] = []
    texts: list[str] = []
    counted = lines_with_receipts(run)
    is_good = True
    for row in family.children(run.mapping["orders.lines"].column("id")):
        cells = run.reading("orders.lines", row)
        if cells.text("type") != run.default("goods_line"):
            texts.append(cells.text("description"))
            continue
        currency = family.head.cells.get(run.mapping["orders"].column("currency"), "")
        values = _line_values(run, cells) | {"requisition_line_id": asked_for.get(cells.text("id"))}
        doubt_revision(run, cells, is_open=is_open)
        doubt_currency(run, cells, values["unit_price"], currency=currency)
        doubt_amount(cells, values["quantity"], values["unit_price"], currency=currency)
        is_good = is_good and cells.is_good
        native = cells.text("id")
        lines.append(
            Line(native, values, cells.text("product"), cells.text("work_order"), native in counted, row.number)
        )
    return lines if is_good else None, texts


def _line_values(run: Import, cells: Reading) -> dict[str, Any]:
    quantity = cells.decimal("quantity", scale=6, above=Decimal(0))
    price = cells.decimal("unit_price", scale=4)
    for field, value in (("quantity", quantity), ("unit_price", price)):
        if value is None and cells.is_good:
            cells.error(field, "MISSING_VALUE", "Expected a number, but the cell is empty")
    if price is not None and price < 0:
        cells.error("unit_price", "BAD_NUMBER", "Expected a price of at least 0, but found a negative one")
    goods = goods_of(run, cells)
    if not cells.text("description") and not (goods["part_revision_id"] or goods["service_code"]):
        cells.error("description", "NO_PRODUCT", "Expected a product or a description, but there is neither")
    production = cells.text("production", limit=150)
    operation = operation_of(run, cells.text("work_order"), goods["process_code"])
    return {
        **goods,
        "description": cells.text("description"),
        "quantity": quantity,
        "uom": unit_of(run, cells),
        "unit_price": price,
        "need_by": cells.day("need_by"),
        "work_order_op": operation or production or None,
        "cost_object": f"WO:{production}" if production else None,
    }


def operation_of(run: Import, work_order: str, process: str | None) -> str | None:
    """Return the operation a line is for: the ERP links to the whole work order, so only one fitting operation can be meant.

    None where the work order has no operation of the process, or several: which one is for people to say.
    """
    found = run.papers.work_orders.get(work_order)
    operation = found.only_operation(process or "") if found else None
    return f"{found.number}/{operation.op_no}" if found and operation else None


def _type(lines: list[Line]) -> PurchaseType:
    if any(line.values["work_order_op"] and line.values["service_code"] for line in lines):
        return PurchaseType.OSP
    if lines and all(line.values["service_code"] for line in lines):
        return PurchaseType.SERVICE
    return PurchaseType.STANDARD


def _order(run: Import, cells: Reading, status: OrderStatus, values: Mapping[str, Any], lines: list[Line]) -> Item:
    def insert(act: Act) -> PurchaseOrder:
        ours = _ours_in_the_erp(act, values)
        if ours is not None:
            _differ(run, act, ours, values, status, lines)
            return ours
        order = PurchaseOrder(**values, status=status, origin=Origin.ERP)
        order.lines = [_made(order, position, line, status) for position, line in enumerate(lines, start=1)]
        act.session.add(order)
        act.session.flush()
        _remember_lines(run, act, order, lines)
        return order

    def update(act: Act, order: PurchaseOrder) -> Outcome:
        if order.origin == Origin.LOCKSTEP or order.status is not OrderStatus.DRAFT:
            return _differ(run, act, order, values, status, lines)
        assign(order, {name: value for name, value in values.items() if name not in FIXED})
        if order.po_no is None and values["po_no"]:
            order.po_no = values["po_no"]
        order.lines.clear()
        act.session.flush()
        order.lines = [_made(order, position, line, order.status) for position, line in enumerate(lines, start=1)]
        act.session.flush()
        _remember_lines(run, act, order, lines)
        if status is OrderStatus.CANCELLED:
            move(act, order, status, reason="cancelled in the ERP")
        elif status is not order.status:
            return _differ(run, act, order, values, status, lines)
        return Outcome.CHANGED

    content = {
        "status": status.value,
        **{name: canonical(value) for name, value in values.items() if name != "fx_rate"},
        "lines": [
            {"id": line.native_id, **{name: canonical(value) for name, value in line.values.items()}} for line in lines
        ],
    }
    number = values["po_no"] or values["proposal_no"]
    return Item(PurchaseOrder, "order", cells.text("id"), number, cells.row, content, insert, update)


def _remember_lines(run: Import, act: Act, order: PurchaseOrder, lines: list[Line]) -> None:
    for made, line in zip(order.lines, lines, strict=True):
        run.remember(act, ORDER_LINE, line.native_id, made)


def _ours_in_the_erp(act: Act, values: Mapping[str, Any]) -> PurchaseOrder | None:
    """Return the order of ours that this row is the ERP's copy of: it carries our proposal number, or the number it got."""
    names = [PurchaseOrder.proposal_no == values["supplier_reference"]]
    if values["po_no"]:
        names.append(PurchaseOrder.po_no == values["po_no"])
    wanted = select(PurchaseOrder).where(
        PurchaseOrder.origin == Origin.LOCKSTEP,
        PurchaseOrder.site_id == values["site_id"],
        or_(*names),
    )
    return act.session.scalar(wanted)


def _made(order: PurchaseOrder, position: int, line: Line, status: OrderStatus) -> PurchaseOrderLine:
    """Make a line. A closed order was received and paid as ordered; the ERP says no more than that."""
    made = PurchaseOrderLine(order_id=order.id, line_no=position, **line.values)
    if status is OrderStatus.CLOSED:
        made.status = LineStatus.CLOSED
    if status is OrderStatus.CLOSED and not line.is_counted:
        made.quantity_received = made.quantity_accepted = made.quantity_invoiced = made.quantity
        made.quantity_imported = made.quantity
    elif status is OrderStatus.CANCELLED:
        made.status = LineStatus.CANCELLED
    return made


HEADER = ("currency", "payment_term", "revision")
COMPARED = ("quantity", "uom", "unit_price", "need_by")
WORDED_BY_THE_ERP = ("description", "cost_object")
"""Compared where the ERP wrote the line; on orders of ours it keeps its own wording."""
SCALES = {"quantity": 6, "unit_price": 4}


def _differ(
    run: Import, act: Act, order: PurchaseOrder, values: Mapping[str, Any], status: OrderStatus, lines: list[Line]
) -> Outcome:
    """Note what the ERP says otherwise about an order that is not to be written."""
    names = COMPARED if order.origin is Origin.LOCKSTEP else (*COMPARED, *WORDED_BY_THE_ERP)
    held = [{name: getattr(line, name) for name in (*names, *NOTHING)} for line in order.lines]
    ours = _flat(act, {name: getattr(order, name) for name in (*HEADER, "supplier_id")}, order.status, held, names)
    theirs = _flat(act, values, status, [line.values for line in lines], names)
    return differ(act, order, ours, theirs, system=run.mapping.system)


def _flat(
    act: Act,
    header: Mapping[str, Any],
    status: OrderStatus,
    lines: Iterable[Mapping[str, Any]],
    names: Iterable[str],
) -> dict[str, str | None]:
    """Return what is compared of an order, in texts that people read."""
    found = {name: canonical(header[name]) for name in HEADER}
    found |= {"supplier": supplier_text(act, header["supplier_id"]), "status": status.value}
    for position, values in enumerate(lines, start=1):
        found[f"lines.{position}.item"] = item_text(act, values)
        found |= {f"lines.{position}.{name}": canonical(values[name], scale=SCALES.get(name)) for name in names}
    return found
