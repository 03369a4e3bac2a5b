"""Suppliers with their sites, and what they ask for what they sell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.act import Act
from processes.importing.bringing import Import, Item, Outcome, assign
from processes.importing.reading import Reading
from processes.importing.sheets import Family
from records.money import MINOR_UNITS
from records.origin import Origin
from records.supplier import CataloguePrice, Supplier, SupplierSite, SupplierStatus
from records.units import UNITS


def bring_suppliers(run: Import) -> None:
    """Bring in the parties that sell to the plant."""
    run.bring("suppliers", _suppliers(run))


def _suppliers(run: Import) -> Iterator[Item]:
    trusted = _ordered_from(run)
    for family in run.families("suppliers"):
        cells = run.reading("suppliers", family.head)
        run.papers.suppliers[cells.text("id")] = cells.text("name")
        if not cells.text("is_supplier"):
            continue
        values = _values(run, cells, family)
        sites = [_site(run, position, site) for position, site in enumerate(_addresses(run, family), start=1)]
        if not cells.is_good or not all(site is not None for site in sites):
            run.leave_out("suppliers")
            continue
        known = [site for site in sites if site is not None]
        status = SupplierStatus.APPROVED if cells.text("id") in trusted else SupplierStatus.PROSPECT
        yield _supplier(cells, values, known, status)


def _ordered_from(run: Import) -> set[str]:
    """Return the native ids of suppliers that an order beyond a quotation names: the plant buys from them already."""
    states = run.mapping.words["order_states"]
    section = run.mapping["orders"]
    return {
        row.cells[section.column("supplier")]
        for row in run.sheet("orders").rows
        if states.get(row.cells.get(section.column("state"), ""), "DRAFT") not in ("DRAFT", "CANCELLED")
    }


def _values(run: Import, cells: Reading, family: Family) -> dict[str, Any]:
    currency = cells.needed("currency") if cells.section.column("currency") else run.default("currency")
    if currency and currency not in MINOR_UNITS:
        cells.error("currency", "UNKNOWN_CURRENCY", "Expected an ISO 4217 currency, but found another text")
    contacts: dict[str, str] = {}
    for row in family.rows:
        contact = run.reading("suppliers.contacts", row)
        if kind := contact.text("kind"):
            contacts.setdefault(kind, contact.text("value", limit=200))
    return {
        "supplier_no": f"{run.default('supplier_prefix')}{cells.needed('number')}",
        "name": cells.needed("name"),
        "currency": currency,
        "payment_term": cells.text("payment_term", limit=200),
        "lead_time_days": cells.days("lead_time"),
        "email": contacts.get("email", ""),
        "phone": contacts.get("phone", ""),
        "is_active": cells.truth("is_active"),
    }


def _addresses(run: Import, family: Family) -> list[Reading]:
    return [run.reading("suppliers.sites", row) for row in family.children(run.mapping["suppliers.sites"].column("id"))]


def _site(run: Import, position: int, cells: Reading) -> dict[str, Any] | None:
    values = {
        "code": str(position),
        "street": cells.text("street"),
        "postal_code": cells.text("postal_code", limit=40),
        "city": cells.text("city", limit=200),
        "country": cells.text("country", limit=40),
        "is_default": position == 1,
    }
    return values if cells.is_good else None


def _supplier(cells: Reading, values: Mapping[str, Any], sites: list[dict[str, Any]], status: SupplierStatus) -> Item:
    def insert(act: Act) -> Supplier:
        supplier = Supplier(**values, status=status, origin=Origin.ERP)
        supplier.sites = [SupplierSite(supplier_id=supplier.id, **site, origin=Origin.ERP) for site in sites]
        act.session.add(supplier)
        return supplier

    def update(act: Act, supplier: Supplier) -> Outcome:
        assign(supplier, values)
        here = {site.code: site for site in supplier.sites}
        for site in sites:
            if site["code"] in here:
                assign(here[site["code"]], site)
            else:
                supplier.sites.append(SupplierSite(supplier_id=supplier.id, **site, origin=Origin.ERP))
        return Outcome.CHANGED

    native_id = cells.text("id")
    content = {**values, "sites": sites}
    return Item(Supplier, "party", native_id, str(values["name"]), cells.row, content, insert, update)


def bring_prices(run: Import) -> None:
    """Bring in what suppliers ask; a price for something that was left out is left out."""
    run.bring("prices", _prices(run))


def _prices(run: Import) -> Iterator[Item]:
    sold = _sold(run)
    for family in run.families("prices"):
        head = run.reading("prices", family.head)
        supplier_id = run.id_of("party", head.text("supplier"))
        goods = sold.get(head.text("template"))
        if supplier_id is None:
            head.error("supplier", "UNKNOWN_SUPPLIER", "Expected a supplier of this extract, but it was not brought in")
        if goods is None:
            head.error("template", "UNKNOWN_PRODUCT", "Expected a product of this extract, but it was not brought in")
        if head.text("currency") not in MINOR_UNITS:
            head.error("currency", "UNKNOWN_CURRENCY", "Expected an ISO 4217 currency, but found another text")
        lead_time = head.days("lead_time")
        for row in family.children(run.mapping["prices.steps"].column("id")):
            step = run.reading("prices.steps", row)
            quantity, price = step.decimal("min_quantity", scale=6), step.decimal("unit_price", scale=4)
            if price is None or price < 0:
                step.error("unit_price", "BAD_NUMBER", "Expected a price of at least 0, but found none")
            if not head.is_good or not step.is_good or goods is None:
                run.leave_out("prices")
                continue
            yield _price(
                step,
                {
                    "supplier_id": supplier_id, **goods, "min_quantity": quantity or 0, "unit_price": price,
                    "currency": head.text("currency"), "lead_time_days": lead_time,
                    "supplier_part_no": head.text("supplier_part_no", limit=200),
                    "supplier_part_name": head.text("supplier_part_name", limit=200),
                    "is_active": head.truth("is_active"),
                },
            )  # fmt: skip


def _sold(run: Import) -> dict[str, dict[str, Any]]:
    """Return by template what a price is for: a part revision or a service, and its unit."""
    found: dict[str, dict[str, Any]] = {}
    for family in run.families("products"):
        cells = run.reading("products", family.head)
        native_id, uom = cells.text("id"), run.mapping.words["units"].get(cells.text("uom"), "")
        known = run.known.get(("product", native_id))
        if known is None or uom not in UNITS:
            continue
        is_service = known.record_type == "part"
        found[cells.text("template")] = {
            "part_revision_id": None if is_service else known.record_id,
            "service_code": cells.text("code") if is_service else None,
            "uom": uom,
        }
    return found


def _price(cells: Reading, values: Mapping[str, Any]) -> Item:
    def insert(act: Act) -> CataloguePrice:
        price = CataloguePrice(**values, origin=Origin.ERP)
        act.session.add(price)
        return price

    def update(_act: Act, price: CataloguePrice) -> Outcome:
        assign(price, values)
        return Outcome.CHANGED

    native_id = cells.text("id")
    return Item(CataloguePrice, "price", native_id, native_id, cells.row, values, insert, update)
