"""The tour of the README on the demo plant: one requisition of two lines from its form to the acknowledged order."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from engine.worker import run_until_idle
from records.purchase_order import OrderStatus, PurchaseOrder
from records.requisition import Requisition, RequisitionStatus
from tests.demo_plant import DEMO
from tests.e2e.conftest import Live
from tests.e2e.desk import open_row, sign, told
from tests.people import bea, ella, lena, pat, quinn, rita

TITLE = "Actuator housings, lot 7022"


pytestmark = pytest.mark.begins_with(DEMO)


def test_a_requisition_becomes_an_acknowledged_order(sign_in: Callable[..., Page], live: Live) -> None:
    page = sign_in(rita, path="/requisitions/new")
    write_requisition(page, needed=live.clock().date() + dt.timedelta(days=60))
    expect(page.get_by_role("heading", level=1)).to_contain_text("REQ-")
    number = page.get_by_role("heading", level=1).inner_text()
    expect(page.locator("main")).to_contain_text("Ella Novak, Mina Torres, Quinn Harper")

    for member in (quinn, ella, lena):
        page = sign_in(member)
        open_row(page, TITLE)
        page.keyboard.press("a")
        sign(page, member)
        told(page, f"Approved: {number}. Signed by {member.name}")

    page = sign_in(bea)
    open_row(page, "Keystone CNC")
    page.get_by_role("link", name="Submit", exact=True).click()
    page.locator("dialog").get_by_role("button", name="Submit").click()
    told(page, "Submit")
    open_row(page, "Keystone CNC", box="mine")
    page.get_by_role("link", name="Issue", exact=True).click()
    sign(page, bea, meaning="Released")
    told(page, "Signed by Bea Castillo")
    run_until_idle(live.installation)

    open_row(page, "Keystone CNC", box="mine")
    page.get_by_label("Answer").select_option(label="Accepted")
    page.get_by_label("Number of the supplier").fill("AB-7022")
    page.locator(".decide [data-confirm]").click()
    told(page, "Acknowledgement")
    run_until_idle(live.installation)

    page.goto(f"{live.url}/orders?q=Keystone+CNC")
    page.get_by_role("link", name="PO-0").first.click()
    expect(page.locator(".page-head")).to_contain_text("Acknowledged")
    ordered = page.get_by_role("heading", level=1).inner_text()
    with live.installation.reading() as session:
        requisition = session.scalars(select(Requisition).where(Requisition.number == number)).one()
        order = session.scalars(select(PurchaseOrder).where(PurchaseOrder.po_no == ordered)).one()
        assert requisition.status is RequisitionStatus.CLOSED
        assert (order.status, len(order.lines)) == (OrderStatus.ACKNOWLEDGED, 2)
        assert order.total == requisition.total

    page = sign_in(pat, path="/operations")
    look_at_the_diagram(page, live)


def write_requisition(page: Page, *, needed: dt.date) -> None:
    """Write the two lines, watch who will approve, and submit."""
    page.get_by_label("What is it for?").fill(TITLE)
    page.get_by_label("Needed by").first.fill(needed.isoformat())
    page.get_by_label("Cost centre").select_option("4711")
    page.get_by_label("Currency").select_option("PLN")
    choose(page, "Part or service", 0, "P-2302", "Housing, actuator")
    page.get_by_label("Quantity").nth(0).fill("8")
    choose(page, "Supplier", 0, "Keystone CNC", "Keystone CNC")
    page.get_by_role("button", name="Add a line").click()
    choose(page, "Part or service", 1, "P-2175", "Housing, actuator, LH")
    page.get_by_label("Quantity").nth(1).fill("2")
    page.get_by_label("Supplier").nth(1).fill("")
    choose(page, "Supplier", 1, "Keystone CNC", "Keystone CNC")
    preview = page.locator("[data-preview-panel]")
    expect(preview).to_contain_text(re.compile(r"15,576\.13.PLN"))
    for words in ("Engineering authority", "Ella Novak", "Quality engineer", "Purchasing lead", "Row 1: Band B1"):
        expect(preview).to_contain_text(words)
    page.get_by_role("button", name="Submit for approval").click()


def choose(page: Page, label: str, index: int, typed: str, offered: str) -> None:
    """Type into a field with suggestions and take the first one with the arrow key."""
    page.get_by_label(label, exact=True).nth(index).press_sequentially(typed)
    expect(page.get_by_role("option").filter(has_text=offered).first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".suggest .hint:visible").filter(has_text=offered).first).to_be_visible()


def look_at_the_diagram(page: Page, live: Live) -> None:
    """Open a run that waits for an approval: the token is on the call, and leads into the called process."""
    page.goto(f"{live.url}/operations?q=flow:requisition_to_po")
    page.locator("tbody tr").filter(has_text="Approve, return or reject").locator("a").first.click()
    mark = page.locator(".diagram .token").first
    expect(mark).to_contain_text("inside")
    mark.click()
    expect(page.locator(".diagram .token").first).to_contain_text("waits for a person")
