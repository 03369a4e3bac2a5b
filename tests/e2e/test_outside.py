"""Pieces go to a heat treater and come back, in a browser: from the operation before to the matched invoice."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.act import Act, Installation
from processes import outside_processing
from records.api_key import make_key
from records.outside import LinkStatus
from records.work_order import OperationStatus, WorkOrder
from tests.e2e.conftest import Live
from tests.e2e.desk import open_row, sign, told
from tests.outside import OutsideStory, make_outside_order, make_outside_work
from tests.pdf_text import words_of
from tests.people import PASSWORD, Member, ana, quinn, rita, sam
from tests.story import open_plant


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Open the plant of stories, with a work order whose milling has begun."""
    return open_plant


def arrange(act: Act) -> tuple[str, str]:
    """Leave operation 20 to be completed, and operation 30 waiting for it; return the work order and the key of the MES."""
    work = make_outside_work(act, 24, number="WO-7201", reached=20)
    make_outside_order(act, work, is_inspection_required=True)
    key, _row = make_key(act, "adapter:mes", "the MES of the test", scopes=["work_orders:write"])
    return work.id, key


def test_a_link_is_taken_from_the_operation_before_to_the_matched_invoice_by_pages_alone(
    sign_in: Callable[..., Page], live: Live, tmp_path: Path
) -> None:
    story = OutsideStory(live.installation, live.clock)
    work_id, key = story.given(arrange)
    with live.installation.reading() as session:
        work = session.get_one(WorkOrder, work_id)
        milling, story.operation_id = work.operations[1], work.operations[2].id
        event = {
            "system": work.system, "event_id": "mes-20", "kind": "OPERATION_COMPLETED", "work_order": work.native_id,
            "op_no": milling.op_no, "good": "24", "event_time": live.clock().isoformat(),
        }  # fmt: skip

    page = sign_in(rita)
    posted = page.request.post(
        f"{live.url}/api/v1/work-orders/events", data={"events": [event]}, headers={"Authorization": f"Bearer {key}"}
    )
    assert posted.ok, posted.text()
    outside_processing.start_due_outside_operations(live.installation)
    open_row(page, "WO-7201/30")
    page.get_by_role("link", name="Confirm", exact=True).click()
    page.locator("dialog").get_by_role("button", name="Confirm").click()
    told(page, "Confirm")

    page = sign_in(quinn)
    open_row(page, "release the special process")
    page.get_by_label("Test coupons and samples").fill("2 coupons of heat 7781")
    page.get_by_role("link", name="Approve", exact=True).click()
    sign(page, quinn, meaning="Verified")
    told(page, "Approved")

    page = sign_in(sam, path="/outside")
    ship_and_take_back(page)
    story.watch()

    page = sign_in(quinn, path="/receiving")
    certify_and_inspect(page, tmp_path)
    story.watch()
    assert (story.operation.status, story.following().status) == (OperationStatus.COMPLETE, OperationStatus.READY)

    page = sign_in(ana, path="/invoices")
    bill(page, story.link.order.number)
    story.watch()

    page.goto(f"{live.url}/outside?state=all")
    row = page.locator("tbody tr").filter(has_text=story.link.number)
    expect(row).to_contain_text("Closed")
    expect(row).to_contain_text("Verified")
    assert (story.link.status, story.balance(), story.incidents) == (LinkStatus.CLOSED, (24, 24, 0, 0, 0, 0), [])
    row.locator("a.key").click()
    page.get_by_role("link", name="Process", exact=True).click()
    expect(page.locator("[data-canvas] svg").first).to_be_visible()


def ship_and_take_back(page: Page) -> None:
    """Ship from the board with the packing list, and count everything in again."""
    page.get_by_role("link", name="Ship", exact=True).click()
    page.get_by_label("Pieces counted").fill("24")
    page.get_by_label("Carrier").fill("Milkrun")
    page.get_by_role("button", name="Ship and make the packing list").click()
    told(page, "has left with packing list PL-")
    expect(page.locator("main")).to_contain_text("At supplier")
    listed = page.get_by_role("link", name=re.compile("^PL-"))
    pdf = page.request.get(re.sub(r"(https?://[^/]+)/.*", rf"\1{listed.get_attribute('href')}", page.url))
    assert (pdf.ok, pdf.headers["content-type"], pdf.body()[:5]) == (True, "application/pdf", b"%PDF-")
    words = words_of(pdf.body())
    assert "PS-455 rev D" in words
    assert "18.00" not in words
    page.get_by_role("link", name="Take back", exact=True).click()
    page.get_by_label("Good pieces").fill("24")
    page.get_by_label("Packing slip of the supplier").fill("NS-55120")
    page.get_by_role("button", name="Count them in").click()
    told(page, "is counted")
    expect(page.locator("main")).to_contain_text("Returned")


def certify_and_inspect(page: Page, folder: Path) -> None:
    """Enter the certificate of the heat treatment, sign that it is right, and sign the inspection."""
    paper = folder / "HT-55120.pdf"
    paper.write_bytes(b"%PDF-1.7 heat treatment")
    page.get_by_role("link", name=re.compile("^RCV-")).first.click()
    page.get_by_role("link", name="Enter a certificate").click()
    page.get_by_label("Its number").fill("HT-55120")
    page.get_by_label("Process date").fill("2026-11-22")
    page.get_by_label("Specification it states").fill("PS-455")
    page.get_by_label("Its revision").fill("D")
    page.get_by_label("File").set_input_files(paper)
    page.get_by_role("button", name="Keep it").click()
    sign_here(page, quinn, "Sign and verify")
    expect(page.locator("main")).to_contain_text("Verified")
    page.get_by_role("link", name=re.compile("^RCV-")).first.click()
    page.get_by_role("link", name="Inspect", exact=True).click()
    page.get_by_label("Nonconforming pieces in the sample").fill("0")
    sign_here(page, quinn, "Sign the inspection")
    expect(page.locator("h1 + .badge")).to_have_text(re.compile("Accepted"))


def sign_here(page: Page, member: Member, button: str) -> None:
    """Sign on a page, outside of a task: the meaning, the components, and the first time the certification."""
    page.get_by_label("What your signature means").select_option(label="Verified")
    name = page.locator("[name=user_id]")
    if name.count():
        name.fill(member.id)
    page.get_by_label("Your password, again").fill(PASSWORD)
    certify = page.locator("[name=accepts_responsibility]")
    if certify.count():
        certify.check()
    page.get_by_role("button", name=button).click()


def bill(page: Page, order_number: str) -> None:
    """Enter the invoice for what was accepted, and see it matched."""
    page.get_by_role("link", name="Enter an invoice").first.click()
    page.locator("tr").filter(has_text=order_number).get_by_role("link", name="Enter the invoice").click()
    page.get_by_label("Number of the supplier").fill("NS-9007")
    page.get_by_label("Quantity").fill("24")
    page.get_by_label("Total").fill("432.00")
    page.get_by_role("button", name="Enter and match").click()
    expect(page.locator("h1 + .badge")).to_have_text(re.compile("Matched"))
