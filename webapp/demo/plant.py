"""What the demo plant has before anybody does anything: its site, money, clauses, and whom it may buy from."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from records.calendar import MAIN, Holiday, Site
from records.cost_centre import Budget, BudgetPosting, CostCentre, PostingKind
from records.origin import Origin
from records.part import Part, PartRevision
from records.quality_clause import QualityClause
from records.sourcing import ExchangeRate
from records.supplier import (
    ApprovalBasis,
    ApprovalStatus,
    ApprovalSubject,
    CataloguePrice,
    Supplier,
    SupplierApproval,
    SupplierStatus,
)

COST_CENTRES = (
    # code, name, budget of a year, spent so far
    ("4711", "Machining", "850000", "412350.00"),
    ("4712", "Assembly and test", "60000", "50750.00"),
    ("4700", "Plant, general", "5000000", "1904112.40"),
)

CLAUSES = (
    ("Q01", "Certificate of conformance", "Send a certificate of conformance with each lot."),
    ("Q02", "Material test report", "Send the mill's test report with heat and lot number for each lot of material."),
    (
        "Q05",
        "Special process certificate",
        "Certify process, specification and revision, lot or serials, quantity and date.",
    ),
    (
        "Q08",
        "No change without agreement",
        "Tell us before you change process, material, site or sub-tier, and wait for our answer.",
    ),
    ("Q10", "First article inspection", "Send a first article inspection report before the first delivery."),
    (
        "Q12",
        "Right of access",
        "Give us, our customer and the authorities access to the places where the order is worked on.",
    ),
    ("Q15", "Traceability", "Keep serial and lot numbers through every step and state them on every document."),
    ("Q20", "Calibration to ISO/IEC 17025", "State as-found and as-left values, uncertainty and the standards used."),
)

RATES = {"EUR": "1.08", "CHF": "1.13", "GBP": "1.27", "PLN": "0.25", "SEK": "0.095"}
"""US dollars for one unit, for documents in those currencies."""

LATER = dt.timedelta(days=200)
"""How long after the plain scopes the accredited ones began, so that their yearly look is still to come."""

WITHOUT_APPROVAL = "Galvánica Ibérica Hartownia Sp. z o.o."
"""A supplier whom the plant has not approved for anything yet."""


def build_plant(act: Act) -> None:
    """Write the site with its holidays, the cost centres with budgets and spending, the clauses and the rates."""
    site = Site(
        code=MAIN,
        name="Halvorsen Precision Works",
        time_zone="America/Chicago",
        currency="USD",
        has_erp=False,
        address="Halvorsen Precision Works, Inc.\n4100 Industrial Avenue\nRockford, IL 61109\nUSA",
    )
    act.session.add(site)
    act.session.flush()
    for year in (act.now.year, act.now.year + 1):
        act.session.add_all(Holiday(site=site, site_id=site.id, on=day, name=name) for day, name in holidays(year))
    for code, name, budget, spent in COST_CENTRES:
        _cost_centre(act, code, name, budget=Decimal(budget), spent=Decimal(spent))
    act.session.add_all(QualityClause(code=code, rev="1", title=title, text=text) for code, title, text in CLAUSES)
    since = dt.date(act.now.year, 1, 1)
    act.session.add_all(
        ExchangeRate(currency=currency, company_currency="USD", rate=Decimal(rate), valid_from=since)
        for currency, rate in RATES.items()
    )


def holidays(year: int) -> list[tuple[dt.date, str]]:
    """Return the days on which the plant is closed."""
    return [
        (dt.date(year, 1, 1), "New Year's Day"),
        (_weekday(year, 5, 0, -1), "Memorial Day"),
        (dt.date(year, 7, 4), "Independence Day"),
        (_weekday(year, 9, 0, 1), "Labor Day"),
        (_weekday(year, 11, 3, 4), "Thanksgiving"),
        (dt.date(year, 12, 25), "Christmas Day"),
    ]


def _weekday(year: int, month: int, weekday: int, which: int) -> dt.date:
    """Return the ``which``-th such weekday of a month; -1 is the last. weekday: 0 is Monday."""
    days = [day for day in (dt.date(year, month, 1) + dt.timedelta(days=n) for n in range(31)) if day.month == month]
    found = [day for day in days if day.weekday() == weekday]
    return found[which] if which < 0 else found[which - 1]


def _cost_centre(act: Act, code: str, name: str, *, budget: Decimal, spent: Decimal) -> None:
    centre = CostCentre(code=code, name=name, currency="USD")
    act.session.add(centre)
    act.session.flush()
    for year in (act.now.year, act.now.year + 1):
        act.session.add(Budget(cost_centre=centre, cost_centre_id=centre.id, fiscal_year=year, amount=budget))
    act.session.add(
        BudgetPosting(
            cost_centre=centre,
            cost_centre_id=centre.id,
            fiscal_year=act.now.year,
            kind=PostingKind.ACTUAL,
            amount=spent,
            document_type="opening",
            document_id=code,
            posting_key=f"opening:{code}:{act.now.year}",
        )
    )


def approve_suppliers(act: Act) -> None:
    """Write the approved supplier list as the plant's quality system has it: each supplier for what it sells us."""
    begins, ends = act.now.date() - dt.timedelta(days=400), act.now.date() + dt.timedelta(days=500)
    for supplier in act.session.scalars(select(Supplier).order_by(Supplier.supplier_no)):
        if supplier.name == WITHOUT_APPROVAL:
            continue
        # A supplier of critical parts that has not agreed to tell of changes waits at the supplier gate each time.
        supplier.has_change_agreement = supplier.status is SupplierStatus.APPROVED
        for subject, code in _sold_by(act, supplier):
            is_process, is_laboratory = subject is ApprovalSubject.PROCESS, code == "CALIBRATION"
            act.session.add(
                SupplierApproval(
                    supplier=supplier,
                    supplier_id=supplier.id,
                    subject=subject,
                    subject_code=code,
                    status=ApprovalStatus.APPROVED,
                    valid_from=begins + LATER if is_process else begins,
                    valid_to=ends,
                    basis=ApprovalBasis.NADCAP if is_process else ApprovalBasis.AUDIT,
                    nadcap_certificate_no=f"NC-{supplier.supplier_no[2:]}07" if is_process else None,
                    cycle_months=24 if is_process else None,
                    accreditation_no=f"L-{supplier.supplier_no[2:]}" if is_laboratory else None,
                    accreditation_body="A2LA" if is_laboratory else None,
                    discipline="Dimensional" if is_laboratory else None,
                    measuring_range="Calipers and micrometers 0 to 300 mm, 12 µm" if is_laboratory else None,
                    certificate_expires_on=ends if is_laboratory else None,
                    origin=Origin.ERP,
                )
            )


def _sold_by(act: Act, supplier: Supplier) -> list[tuple[ApprovalSubject, str]]:
    """Return the commodities and the outside processes that a supplier's price list is about."""
    parts = select(Part.commodity, Part.process_code).distinct()
    priced = CataloguePrice.supplier_id == supplier.id
    goods = (
        parts.join(PartRevision).join(CataloguePrice, CataloguePrice.part_revision_id == PartRevision.id).where(priced)
    )
    services = parts.join(CataloguePrice, CataloguePrice.service_code == Part.part_no).where(priced)
    sold = [*act.session.execute(goods), *act.session.execute(services)]
    processes = {(ApprovalSubject.PROCESS, row.process_code) for row in sold if row.process_code}
    return sorted(processes | {(ApprovalSubject.COMMODITY, row.commodity) for row in sold if row.commodity})
