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

COLUMNS = {
    PARTY: "id code name active supplier_currency supplier_payment_term supplier_lead_time addresses/id addresses/street"
    " addresses/postal_code addresses/city addresses/country/code contact_mechanisms/type contact_mechanisms/value",
    EMPLOYEE: "id party party/email active",
    PRODUCT: "id code template/id template/name description template/type template/default_uom template/categories"
    " template/lot_required template/purchasable template/producible active",
    PRICE: "id template/id party/id code name currency/code lead_time active prices/id prices/quantity prices/unit_price",
    BOM: "id name active outputs/id outputs/product/id",
    ROUTING: "id name active boms",
    REQUISITION: "id number description state employee supply_date currency/code approved_by lines/id lines/product/id"
    " lines/description lines/quantity lines/unit lines/unit_price lines/amount lines/supplier/id",
    REQUEST: "origin/id quantity purchase_line/id",
    ORDER: "id number revision reference state description purchase_date party/id currency/code payment_term warehouse"
    " quoted_by confirmed_by comment lines/id lines/type lines/product/id lines/description lines/quantity lines/unit"
    " lines/unit_price lines/amount lines/delivery_date lines/production",
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
        ROUTING: [{"id": "1", "name": "P-2020-D Saw/Mill", "active": "1", "boms": "P-2020-D BOM rev. D"}],
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
