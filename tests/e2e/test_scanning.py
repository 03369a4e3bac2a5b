"""A bar-code scanner is a keyboard that types fast and presses Enter: goods are booked with it, on a phone's width."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from engine.act import Installation
from tests.e2e.conftest import Live
from tests.e2e.desk import told
from tests.goods import Dock
from tests.outside import OutsideStory
from tests.people import sam
from tests.story import open_plant

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Open the plant of stories."""
    return open_plant


def scan(page: Page, code: str) -> None:
    """Type a code into whatever has the focus, as a scanner does: no click, no pause, Enter at the end."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    page.wait_for_load_state()


def test_goods_are_booked_with_a_scanner_and_no_click_but_the_last(sign_in: Callable[..., Page], live: Live) -> None:
    dock = Dock(live.installation, part_fields={"part_no": "P-777"})
    page = sign_in(sam, path="/receiving")
    page.set_viewport_size(PHONE)
    for code in (f"K{dock.line_number}", "1TH-7781", "11KPS-4711", "2PB", "Q40"):
        expect(page.locator("[name=scan]")).to_be_focused()
        scan(page, code)
    for label, value in (("Lot on the label", "H-7781"), ("Packing slip", "PS-4711"), ("Revision on the label", "B")):
        expect(page.get_by_label(label)).to_have_value(value)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="Book in").click()
    told(page, "40 EA")
    (receipt,) = dock.receipts
    kept = (receipt.quantity, receipt.lot_label, receipt.packing_slip, receipt.revision_on_label)
    assert kept == (40, "H-7781", "PS-4711", "B")
    expect(page.locator("main")).to_contain_text("H-7781")
    page.goto(f"{live.url}/receiving")
    scan(page, "1TH-7781")
    expect(page.locator("h1")).to_contain_text(receipt.number)
    page.goto(f"{live.url}/receiving")
    scan(page, "NO-SUCH-CODE")
    expect(page.locator("main")).to_contain_text("is none we know")
    assert len(dock.receipts) == 1


def test_serial_numbers_are_scanned_back_one_after_the_other(sign_in: Callable[..., Page], live: Live) -> None:
    outside = OutsideStory(live.installation, live.clock).ready(3, serial=True).ship(3, serials=("A1", "A2", "A3"))
    page = sign_in(sam, path="/outside")
    page.set_viewport_size(PHONE)
    expect(page.locator("main [name=q]")).to_be_focused()
    scan(page, outside.operation.number)  # as the code on its traveller says
    expect(page.locator("h1")).to_contain_text(outside.link.number)
    page.get_by_role("link", name="Take back", exact=True).click()
    expect(page.get_by_label("Serial numbers, good")).to_be_focused()
    for serial in ("A1", "A3"):
        scan(page, serial)
    expect(page.get_by_label("Serial numbers, good")).to_have_value("A1\nA3\n")
    page.get_by_role("button", name="Count them in").click()
    told(page, "is counted")
    assert outside.balance() == (3, 2, 0, 0, 0, 1)
