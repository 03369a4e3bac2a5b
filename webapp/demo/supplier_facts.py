"""What the demo plant knows of its suppliers: screenings, a sub-tier, a change, what another system sees at their places, scores."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act, Installation
from engine.ports import SignatureRequest
from engine.worker import run_until_idle
from processes import supplier_records, supplier_stock
from processes.consistency_watch import watch_consistency
from processes.supplier_records import Changed, Declared, Event, Screened
from processes.supplier_stock import Seen
from processes.supplier_watch import watch_suppliers
from records.demo_people import PASSWORD
from records.supplier import Supplier
from records.supplier_knowledge import ChangeKind, Declarant, ScreeningResult, SubTier, SupplierScreening
from records.work_order import WorkOrder
from webapp.demo.outside import NORTHSTAR, QUICKPLATE

At = Callable[[dt.datetime], AbstractContextManager[None]]

SEEN = (
    # work order, at whom, pieces that the warehouse system sees at their place
    ("WO-7301", NORTHSTAR, 24),
    ("WO-7302", NORTHSTAR, 38),
    ("WO-7305", NORTHSTAR, 4),
)
"""The first agrees with its link, the second has two pieces fewer, and the third never left by our books (BLUR-W6)."""


def screen_suppliers(act: Act) -> None:
    """Screen every supplier that never was, as export control does every few weeks."""
    screened = select(SupplierScreening.supplier_id)
    wanted = select(Supplier).where(Supplier.is_active, Supplier.id.not_in(screened)).order_by(Supplier.supplier_no)
    for supplier in act.session.scalars(wanted).all():
        seen = Screened(ScreeningResult.CLEAR, "Consolidated screening list", reference=f"CSL-{supplier.supplier_no}")
        supplier_records.screen(act, supplier, seen, event=Event("TRADE", f"demo:{supplier.supplier_no}"))


def show_what_is_known(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Write down what quality and purchasing know, let the warehouse look, and let the worker count."""
    with at(today - dt.timedelta(days=6)):
        with installation.acting("system:demo") as act:
            screen_suppliers(act)
        _sub_tiers(installation)
        with installation.acting("user:bea") as act:
            text = "A second anodising line is in use; sealing moves to a new tank."
            changed = Changed(ChangeKind.PROCESS, text, (today + dt.timedelta(days=9)).date(), process_code="ANODISE")
            supplier_records.note_change(act, _supplier(act, QUICKPLATE), changed)
    with at(today), installation.acting("adapter:wms") as act:
        for number, name, quantity in SEEN:
            work = act.session.scalars(select(WorkOrder).where(WorkOrder.number == number)).one()
            place = f"{name.partition(' ')[0].upper()}-WIP"
            item = work.part_revision.number if work.part_revision else ""
            supplier_stock.observe(
                act,
                Seen(
                    "WMS",
                    f"{place}/{number}",
                    _supplier(act, name),
                    place,
                    number,
                    Decimal(quantity),
                    act.now,
                    item=item,
                ),
            )
    with at(today):
        watch_suppliers(installation)
        watch_consistency(installation)
        run_until_idle(installation)


def _sub_tiers(installation: Installation) -> None:
    with installation.acting("user:bea") as act:
        northstar = Declared(
            "Lakeshore Vacuum Furnace", "HEAT_TREAT", Declarant.SUPPLIER, spec="PS-460", certificate_no="NC-2210-03",
            address="14 Pier Road, Kenosha", note="Large parts only; NorthStar's vacuum furnace is too short for them.",
        )  # fmt: skip
        found_id = supplier_records.declare_sub_tier(act, _supplier(act, NORTHSTAR), northstar).id
        quick = Declared("Elgin Masking", "ANODISE", Declarant.BUYER, note="Masks bores before anodising.")
        supplier_records.declare_sub_tier(act, _supplier(act, QUICKPLATE), quick)
    with installation.acting("user:quinn") as act:
        found = act.session.get_one(SubTier, found_id)
        request = SignatureRequest("APPROVED", PASSWORD, user_id="quinn", accepts_responsibility=True)
        seen = supplier_records.sub_tier_hash(found)
        supplier_records.approve_sub_tier(
            act, found, request, seen_hash=seen, reason="Certificate and furnace charts seen"
        )


def _supplier(act: Act, name: str) -> Supplier:
    return act.session.scalars(select(Supplier).where(Supplier.name == name)).one()
