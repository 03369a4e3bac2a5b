"""Every page of work orders, outside processing and goods, judged by axe-core in both colours and widths."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from processes import flow_modes, order_closing, receiving
from processes.outside_losses import declare_lost
from processes.receiving import Delivery
from processes.work_order_quantity import propose_quantity
from records.external import DiscrepancyKind
from records.invoice import MatchHold
from records.outside_loss import OutsideLoss
from records.resource import ResourceKind
from rules.finding import KeptFinding
from tests import makers
from tests.e2e.conftest import Live
from tests.e2e.judging import AXE, FRAME_APART, WAYS, faults
from tests.goods import Dock
from tests.makers import D
from tests.outside import OutsideStory, make_outside_order, make_outside_work
from tests.people import quinn
from tests.story import Story, plant_with

EVERY_ROLE = ("PLANNER", "RECEIVING", "SHIPPING", "BUYER", "AP", "SUPERVISOR", "PROCESS_ENGINEER", "ENG_AUTH")


def settle(story: Story) -> None:
    """Let quinn do everything, so that one person sees every form."""

    def enrol(act: Act) -> None:
        for role in EVERY_ROLE:
            makers.make_grant(act, "quinn", role)

    story.given(enrol)


@pytest.mark.begins_with(plant_with("second_flow", settle))
@pytest.mark.parametrize("part", ["outside", "goods", "work", "lists"])
def test_no_page_of_the_second_flow_keeps_anybody_out(sign_in: Callable[..., Page], live: Live, part: str) -> None:
    paths = list({"outside": outside_pages, "goods": goods_pages, "work": work_pages, "lists": lists}[part](live))
    assert len(paths) == len(set(paths))
    page = sign_in(quinn)
    page.context.add_init_script(path=AXE)
    found = [
        sentence
        for path, way in zip(paths, itertools.cycle(WAYS), strict=False)
        for sentence in faults(page, f"{live.url}{path}", way=way, where=FRAME_APART)
    ]
    assert found == [], "\n".join(found)


def outside_pages(live: Live) -> Iterator[str]:
    """Yield the board, links in three states, every form of them, and a loss."""
    story = OutsideStory(live.installation, live.clock)
    story.ready(24).ship(24).take_back(20, 2)
    with live.installation.acting("user:rita") as act:
        declare_lost(
            act, story._link(act), D(1), statement="Letter of 2026-11-22", follow_up="REDUCE", event_id="lost-1"
        )
        loss = act.session.scalars(select(OutsideLoss.id)).one()
    away = story.link
    ready = OutsideStory(live.installation, live.clock).ready(12).link
    with live.installation.acting("system:arrange") as act:
        work = make_outside_work(act, 6)
        make_outside_order(act, work)
        operation = work.operations[2].id
    yield from ("/outside", f"/outside/{away.id}", f"/outside/{away.id}/return")
    yield from (f"/outside/{ready.id}", f"/outside/{ready.id}/ship", f"/outside/losses/{loss}")
    yield from (f"/outside/operations/{operation}", f"/work-orders/{away.operation.work_order_id}")


def goods_pages(live: Live) -> Iterator[str]:
    """Yield receipts, certificates, invoices and holds with their forms."""
    dock = Dock(live.installation, certificates=("COC",))
    receipt = dock.book(40).receipts[0]
    inspected = Dock(live.installation, is_inspection_required=True)
    waiting = inspected.book(100).receipts[0]
    paper = dock.present(receipt=receipt)
    invoice = dock.bill(60, price="49.90")
    with live.installation.acting("user:bea") as act:
        short = order_closing.propose_short_close(act, act.session.merge(dock.line), reason="They have no more").id
    another = Dock(live.installation)
    another.book(10)
    hold = read(live, lambda session: session.scalars(select(MatchHold.id)).first())
    finding = read(live, lambda session: session.scalars(select(KeptFinding.id)).first())
    yield from ("/receiving", "/receipts", f"/orders/{dock.order_id}/receive")
    yield from (f"/receipts/{receipt.id}", f"/receipts/{waiting.id}", f"/receipts/{waiting.id}/inspection")
    yield from (f"/receipts/{waiting.id}/sorting", f"/receipts/{receipt.id}/certificate", f"/certificates/{paper.id}")
    yield from (f"/orders/{another.order_id}/lines/1/short-close", f"/short-closes/{short}")
    yield from ("/invoices", "/invoices/new", f"/orders/{another.order_id}/invoice", f"/invoices/{invoice.id}")
    yield from ("/holds", f"/holds/{hold}/release", f"/findings/{finding}")


def work_pages(live: Live) -> Iterator[str]:
    """Yield work orders, resources, nonconformances and lots with their forms."""
    with live.installation.acting("user:rita") as act:
        order = makers.make_work_order(act, quantity=D(40))
        line = makers.make_order_to_receive(act, (order.part_revision, 10, "18.00")).lines[0]
        gauge = makers.make_resource(act, kind=ResourceKind.GAUGE)
        person = makers.make_person(act, processes=("WELD",))
        centre = makers.make_work_centre(act)
        ncr = makers.make_nonconformance(act, order)
        makers.make_deviation(act)
        stock = makers.make_stock(act)
        change = propose_quantity(act, order, D(44), reason="The customer wants them")
        supplier = line.order.supplier_id
        ids = order.id, change.id
    with live.installation.acting("user:sam") as act:
        receiving.book(act, act.session.merge(line), Delivery(quantity=D(4), event_id="lot-1", lot="H-7781"))
    yield from (
        "/work-orders",
        "/work-orders/new?type=PRODUCTION",
        "/work-orders/events",
        f"/work-orders/{ids[0]}?tab=actuals",
    )
    yield from (f"/work-orders/{ids[0]}/{form}" for form in ("parts", "quantity", f"changes/{ids[1]}"))
    yield from ("/resources", "/resources/new", f"/resources/{gauge.id}", f"/resources/{person.id}")
    yield from (f"/work-centres/{centre.id}", "/nonconformances", f"/nonconformances/{ncr.id}")
    yield from ("/deviations", "/deviations/new", "/lots", f"/lots/{stock.id}", f"/lots/{stock.id}/hold")
    yield from (f"/lots/{stock.id}/{page}" for page in ("trace", "provenance", "transformation"))
    yield from (f"/suppliers/{supplier}?tab=known",)
    yield from (
        f"/suppliers/{supplier}/{form}/new" for form in ("screenings", "sub-tiers", "first-articles", "changes")
    )


def lists(live: Live) -> Iterator[str]:
    """Yield what stands under oversight: mismatches, findings, waivers, modes and the quality of the data."""
    with live.installation.acting("user:pat") as act:
        order = makers.make_order(act)
        mismatch = makers.make_discrepancy(
            act, order, kind=DiscrepancyKind.PRICE, field="lines.1.invoice_price", ours="42.5", theirs="46.75"
        )
        switch = flow_modes.propose(act, {"flow": "outside_processing", "mode": "OBSERVE", "reason": "Findings first"})
        ids = mismatch.id, switch.id
    yield from ("/mismatches", f"/mismatches/{ids[0]}", "/findings", "/waivers", "/waivers/new", "/data-quality")
    yield from ("/flow-modes", f"/flow-modes/{ids[1]}")


def read(live: Live, ask: Callable[[Session], Any]) -> Any:
    """Read what is stored."""
    with live.installation.reading() as session:
        return ask(session)
