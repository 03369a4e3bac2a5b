"""The rest of a line is given up by buyer and planner, on its pages, and the order closes."""

from __future__ import annotations

import pytest

from engine.act import Installation
from records.invoice import InvoiceStatus
from records.purchase_order import LineStatus, OrderStatus
from tests.goods import Dock
from tests.people import bea, rita, sam
from tests.webapp.browser import path_of
from tests.webapp.conftest import People


@pytest.fixture
def dock(house: Installation) -> Dock:
    made = Dock(house, work_order_op="WO-7001/20")
    made.book(40)
    return made


def test_a_buyer_proposes_on_the_order_and_a_planner_confirms_after_seeing_the_work(browse: People, dock: Dock) -> None:
    buyer, planner = browse(bea), browse(rita)
    buyer.get(f"/orders/{dock.order_id}?tab=received")
    assert "Give up the rest" in buyer.text
    url = f"/orders/{dock.order_id}/lines/1/short-close"
    buyer.get(url)
    assert ("WO-7001/20" in buyer.text, "60 EA" in buyer.text) == (True, True)
    assert buyer.post(url, {"reason": " "}).status_code == 422
    shown = path_of(buyer.post(url, {"reason": "They have no more"}))
    assert buyer.post(url, {"reason": "Again"}).status_code == 409
    assert buyer.post(shown, {"verdict": "confirm"}).status_code == 403
    planner.get(shown)
    assert ("WO-7001/20" in planner.text, "They have no more" in planner.text) == (True, True)
    assert planner.post(shown, {"verdict": "refuse"}).status_code == 422
    assert (dock.line.status, dock.order.status) == (LineStatus.PART_RCVD, OrderStatus.PARTIALLY_RECEIVED)
    assert planner.post(shown, {"verdict": "confirm"}).status_code == 303
    assert (dock.line.status, dock.order.status) == (LineStatus.CLOSED, OrderStatus.RECEIVED)
    assert dock.fresh(dock.bill(40)).status is InvoiceStatus.MATCHED
    buyer.get(f"/orders/{dock.order_id}?tab=received")
    assert ("Give up the rest" in buyer.text, "They have no more" in buyer.text) == (False, True)


def test_who_does_not_buy_proposes_nothing_and_an_unknown_line_is_not_found(browse: People, dock: Dock) -> None:
    assert browse(sam).get(f"/orders/{dock.order_id}/lines/1/short-close").status_code == 403
    assert browse(bea).get(f"/orders/{dock.order_id}/lines/9/short-close").status_code == 404
    assert browse(bea).get("/short-closes/none").status_code == 404
    whole = Dock(dock.house)
    whole.book(100)
    page = browse(bea)
    page.get(f"/orders/{whole.order_id}/lines/1/short-close")
    assert "Nothing to give up" in page.text
