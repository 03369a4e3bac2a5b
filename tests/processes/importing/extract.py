"""A small extract in the ERP's own form, written by a test and spoiled by it where it wants."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

Rows = list[dict[str, str]]

PARTY = "party.party.csv"
EMPLOYEE = "company.employee.csv"
PRODUCT = "product.product.csv"
PRICE = "purchase.product_supplier.csv"
BOM = "production.bom.csv"
ROUTING = "production.routing.csv"
REQUISITION = "purchase.requisition.csv"
REQUEST = "purchase.request.csv"
ORDER = "purchase.purchase.csv"
PRODUCTION = "production.csv"
SHIPMENT = "stock.shipment.in.csv"
LOT = "stock.lot.csv"
INVOICE = "account.invoice.csv"
AMENDMENT = "purchase.amendment.csv"

COLUMNS = {
    PARTY: "id code name active supplier_currency supplier_payment_term supplier_lead_time addresses/id addresses/street"
    " addresses/postal_code addresses/city addresses/country/code contact_mechanisms/type contact_mechanisms/value",
    EMPLOYEE: "id party party/email active",
    PRODUCT: "id code template/id template/name description template/type template/default_uom template/categories"
    " template/lot_required template/purchasable template/producible active",
    PRICE: "id template/id party/id code name currency/code lead_time active prices/id prices/quantity prices/unit_price",
    BOM: "id name active outputs/id outputs/product/id",
    ROUTING: "id name active boms supplier/id supplier_service/code steps/id steps/sequence steps/operation"
    " steps/operation/work_center_category",
    REQUISITION: "id number description state employee supply_date currency/code approved_by lines/id lines/product/id"
    " lines/description lines/quantity lines/unit lines/unit_price lines/amount lines/supplier/id",
    REQUEST: "origin/id quantity purchase_line/id",
    ORDER: "id number revision reference state description purchase_date party/id currency/code payment_term warehouse"
    " quoted_by confirmed_by comment invoice_method shipment_state lines/id lines/type"
    " lines/product/id lines/description lines/quantity lines/unit"
    " lines/unit_price lines/amount lines/delivery_date lines/production lines/production/id",
    PRODUCTION: "id number reference state product/id quantity unit planned_start_date planned_date effective_start_date"
    " effective_date works/id works/sequence works/operation works/work_center works/state inputs/id inputs/product/code"
    " inputs/quantity inputs/unit inputs/lot inputs/state outputs/id outputs/product/code outputs/quantity outputs/lot"
    " outputs/state",
    SHIPMENT: "id number reference state supplier/id effective_date received_by incoming_moves/id incoming_moves/state"
    " incoming_moves/product/id incoming_moves/quantity incoming_moves/unit incoming_moves/lot/id incoming_moves/origin/id"
    " incoming_moves/currency/code incoming_moves/effective_date",
    LOT: "id number product/id quantity create_date",
    INVOICE: "id number reference state party/id invoice_date currency/code untaxed_amount lines/id lines/product/code"
    " lines/description lines/quantity lines/unit lines/unit_price lines/origin/id",
    AMENDMENT: "id purchase/id date description state lines/id lines/line/id lines/quantity lines/unit_price"
    " lines/description lines/party/id",
}


def product(native_id: str, code: str, name: str, **cells: str) -> dict[str, str]:
    return {
        "id": native_id, "code": code, "template/id": f"t{native_id}", "template/name": name, "template/type": "goods",
        "template/default_uom": "Unit", "template/categories": "Make part", "template/purchasable": "1",
        "template/producible": "1", "active": "1",
    } | cells  # fmt: skip


def requisition(native_id: str, state: str, **cells: str) -> dict[str, str]:
    return {
        "id": native_id, "number": native_id, "state": state, "employee": "Siân Nguyen", "supply_date": "2027-01-15",
        "currency/code": "USD", "lines/id": f"{native_id}1", "lines/product/id": "2", "lines/quantity": "5.0",
        "lines/unit": "Unit", "lines/unit_price": "42.5000", "lines/amount": "212.50", "lines/supplier/id": "14",
    } | cells  # fmt: skip


def order(native_id: str, state: str, **cells: str) -> dict[str, str]:
    return {
        "id": native_id, "number": f"N{native_id}", "state": state, "purchase_date": "2026-11-02", "party/id": "14",
        "currency/code": "USD", "payment_term": "Net 45", "warehouse": "[WH] Warehouse", "quoted_by": "Luis Smith, Jr.",
        "lines/id": f"{native_id}1", "lines/type": "line", "lines/product/id": "2", "lines/quantity": "5.0",
        "lines/unit": "Unit", "lines/unit_price": "42.5000", "lines/amount": "212.50", "lines/delivery_date": "2027-01-10",
    } | cells  # fmt: skip


def rows() -> dict[str, Rows]:
    """Return the small plant: three people (one gone), a supplier with two mail addresses, four products, some work."""
    return {
        PARTY: [
            {"id": "6", "code": "6", "name": "Siân Nguyen", "active": "1"},
            {"id": "7", "code": "7", "name": "Luis Smith, Jr.", "active": "1"},
            {"id": "12", "code": "12", "name": "Peter O'Brien", "active": "1"},
            {
                "id": "14", "code": "14", "name": "Łódzkie Zakłady Metals", "active": "1", "supplier_currency": "USD",
                "supplier_payment_term": "Net 45", "supplier_lead_time": "21 days, 0:00:00", "addresses/id": "14",
                "addresses/city": "Łódź", "addresses/country/code": "PL", "contact_mechanisms/type": "email",
                "contact_mechanisms/value": "sales@metals.example",
            },
            {"contact_mechanisms/type": "email", "contact_mechanisms/value": "ap@metals.example"},
        ],
        EMPLOYEE: [
            {"id": "1", "party": "Siân Nguyen", "party/email": "sian@plant.example", "active": "1"},
            {"id": "2", "party": "Luis Smith, Jr.", "active": "1"},
        ],
        PRODUCT: [
            product("1", "P-2020-C", "Bracket"),
            product("2", "P-2020-D", "Bracket"),
            product("3", "RM-0103", "Bar", **{"template/categories": "Raw material", "template/producible": "0"}),
            product("4", "SV-HT-01A", "Heat treat", **{"template/type": "service", "template/categories": "Outside processing"}),
            product("5", "P-2049-04-A", "Valve body", active="0"),
        ],
        PRICE: [
            {
                "id": "1", "template/id": "t2", "party/id": "14", "currency/code": "USD", "lead_time": "14 days, 0:00:00",
                "active": "1", "prices/id": "1", "prices/quantity": "0.0", "prices/unit_price": "42.5000",
            },
            {"prices/id": "2", "prices/quantity": "100.0", "prices/unit_price": "39.9900"},
        ],
        BOM: [{"id": "1", "name": "P-2020-D BOM rev. D", "active": "1", "outputs/id": "1", "outputs/product/id": "2"}],
        ROUTING: [
            {
                "id": "1", "name": "P-2020-D Saw/Heat", "active": "1", "boms": "P-2020-D BOM rev. D", "steps/id": "1",
                "steps/sequence": "10", "steps/operation": "Saw to length", "steps/operation/work_center_category": "Saw",
            },
            {
                "steps/id": "2", "steps/sequence": "20", "steps/operation": "Heat treat (outside)",
                "steps/operation/work_center_category": "Outside HT",
            },
        ],
        REQUISITION: [
            requisition("1", "waiting"),
            requisition("2", "draft"),
            requisition("3", "done"),
            {
                "lines/id": "32", "lines/description": "Shelf, as discussed", "lines/quantity": "1.0",
            },
            requisition("4", "rejected"),
        ],
        REQUEST: [{"origin/id": "31", "quantity": "5.0", "purchase_line/id": "11"}],
        ORDER: [
            order("1", "processing", revision="1"),
            {"lines/id": "12", "lines/type": "title", "lines/description": 'Phase A — "urgent"'},
            order("2", "draft", number="", **{"lines/product/id": "4", "lines/production": "1 [CO48391]"}),
            order("3", "done"),
            order("4", "confirmed"),
            order("5", "cancelled"),
        ],
    }  # fmt: skip


def production(native_id: str, state: str, **cells: str) -> dict[str, str]:
    return {
        "id": native_id, "number": native_id, "reference": "CO48391", "state": state, "product/id": "2", "quantity": "4.0",
        "unit": "Unit", "planned_start_date": "2026-11-02", "planned_date": "2026-12-18",
    } | cells  # fmt: skip


def with_goods(content: dict[str, Rows]) -> None:
    """Add what follows orders: material that came and was billed, and four brackets made of it, heat-treated outside."""
    content[ORDER] += [
        order(
            "6", "processing", invoice_method="fulfillment", shipment_state="received",
            **{"lines/product/id": "3", "lines/quantity": "8.0", "lines/unit_price": "7.0000", "lines/amount": "56.00"},
        ),
        order(
            "7", "processing", invoice_method="fulfillment", shipment_state="none",
            **{
                "lines/product/id": "4", "lines/production": "1 [CO48391]", "lines/production/id": "1",
                "lines/quantity": "4.0", "lines/amount": "170.00",
            },
        ),
    ]  # fmt: skip
    content[PRODUCTION] = [
        production(
            "1", "done", effective_start_date="2026-11-05", effective_date="2026-11-18",
            **{
                "works/id": "1", "works/sequence": "10", "works/operation": "Saw to length",
                "works/work_center": "Shop / SAW-1", "works/state": "done", "inputs/id": "1",
                "inputs/product/code": "RM-0103", "inputs/quantity": "5.0", "inputs/unit": "Unit", "inputs/lot": "H-1",
                "inputs/state": "done", "outputs/id": "3", "outputs/product/code": "P-2020-D", "outputs/quantity": "4.0",
                "outputs/lot": "SN-1", "outputs/state": "done",
            },
        ),
        {
            "works/id": "2", "works/sequence": "20", "works/operation": "Heat treat (outside)",
            "works/work_center": "Shop / OSP HT", "works/state": "done",
        },
        {
            "inputs/id": "2", "inputs/product/code": "RM-0103", "inputs/quantity": "2.0", "inputs/unit": "Unit",
            "inputs/lot": "H-2", "inputs/state": "done",
        },
        production("2", "waiting"),
    ]  # fmt: skip
    content[SHIPMENT] = [
        {
            "id": "1", "number": "1", "reference": "PS-1", "state": "done", "supplier/id": "14",
            "effective_date": "2026-11-04", "received_by": "Siân Nguyen", "incoming_moves/id": "10",
            "incoming_moves/state": "done", "incoming_moves/product/id": "3", "incoming_moves/quantity": "8.0",
            "incoming_moves/unit": "Unit", "incoming_moves/lot/id": "2", "incoming_moves/origin/id": "61",
            "incoming_moves/currency/code": "USD", "incoming_moves/effective_date": "2026-11-04",
        },
    ]  # fmt: skip
    content[LOT] = [
        {"id": "1", "number": "H-1", "product/id": "3", "quantity": "1.0", "create_date": "2026-06-01 06:00:00"},
        {"id": "2", "number": "H-2", "product/id": "3", "quantity": "6.0", "create_date": "2026-11-04 09:00:00"},
        {"id": "3", "number": "SN-1", "product/id": "2", "quantity": "4.0", "create_date": "2026-11-18 09:00:00"},
    ]
    content[INVOICE] = [
        invoice("1", "posted", "61", "RM-0103", "8.0", "7.0000"),
        invoice("2", "validated", "71", "SV-HT-01A", "4.0", "42.5000"),
    ]
    content[AMENDMENT] = [
        {
            "id": "1", "purchase/id": "6", "date": "2026-11-03", "description": "Price as quoted", "state": "validated",
            "lines/id": "1", "lines/line/id": "61", "lines/quantity": "8.0", "lines/unit_price": "7.0000",
        }
    ]  # fmt: skip


def invoice(
    native_id: str, state: str, line: str, item: str, quantity: str, price: str, **cells: str
) -> dict[str, str]:
    return {
        "id": native_id, "number": native_id, "reference": f"INV-{native_id}0{native_id}", "state": state, "party/id": "14",
        "invoice_date": f"2026-11-1{native_id}", "currency/code": "USD", "lines/id": native_id, "lines/product/code": item,
        "lines/quantity": quantity, "lines/unit": "Unit", "lines/unit_price": price, "lines/origin/id": line,
    } | cells  # fmt: skip


def write(folder: Path, spoil: Callable[[dict[str, Rows]], object] = lambda _rows: None) -> Path:
    """Write the extract, spoiled by a test, as the ERP writes it: UTF-8, CRLF, quoted where needed."""
    folder.mkdir(parents=True, exist_ok=True)
    content = rows()
    spoil(content)
    for file, columns in COLUMNS.items():
        if file in content:
            with (folder / file).open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, columns.split(), restval="", lineterminator="\r\n")
                writer.writeheader()
                writer.writerows(content[file])
    return folder
