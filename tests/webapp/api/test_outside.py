"""Links of outside work over the API: what is refused moves nothing, what is sent twice moves once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Installation
from records.purchase_order import PurchaseOrderLine
from tests.clock import SettableClock
from tests.outside import OutsideStory, advance_order, ready_link
from tests.people import bea, rita, sam
from tests.webapp.api.conftest import UNKNOWN, Calling


@pytest.fixture
def outside(house: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in the plant of the pages."""
    return OutsideStory(house, clock)


@ready_link
def test_a_link_is_listed_and_shown_with_its_movements(calling: Calling, outside: OutsideStory) -> None:
    outside.ready().ship()
    client = calling(sam)
    [found] = client.get("/outside-links?q=LNK").json["items"]
    assert (found["shipped"], found["at_supplier"], found["next_action"]) == ("24.000000", "24.000000", "Take back")
    shown = client.get(f"/outside-links/{found['id']}").json
    assert [movement["kind"] for movement in shown["movements"]] == ["SHIP_OUT"]
    assert client.get("/outside-links?status=CLOSED").json["items"] == []
    assert client.get(f"/outside-links/{UNKNOWN}").status_code == 404


def test_shipping_before_transmission_is_con_06_and_works_once_after(calling: Calling, outside: OutsideStory) -> None:
    """D34."""
    outside.ready(status="APPROVED_NOT_TRANSMITTED")
    client, path = calling(sam), f"/outside-links/{outside.link.id}/shipments"
    body = {"event_id": "dock-1", "quantity": "24"}
    refused = client.post(path, body)
    assert (refused.status_code, refused.json["code"]) == (409, "CON-06")
    order_id = outside.link.order.id
    outside.given(
        lambda act: advance_order(act, act.session.get_one(type(outside.link.order), order_id), "TRANSMITTED")
    )
    assert client.post(path, body).json["shipped"] == "24.000000"
    assert client.post(path, body).json["shipped"] == "24.000000"
    assert len(outside.link.movements) == 1


REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "more than shipped": ("returns", {"good": "25"}, 409, "CON-13"),
    "a serial number that never left": ("returns", {"good": "1", "serials": ["X"]}, 409, "CON-13"),
    "another unit": ("returns", {"good": "1", "uom": "KGM"}, 409, "CON-12"),
    "a negative count": ("returns", {"good": "-1"}, 422, "INVALID"),
    "nothing": ("returns", {}, 422, "INVALID"),
    "a loss without a statement": (
        "losses",
        {"quantity": "1", "statement": " ", "follow_up": "REDUCE"},
        403,
        "NOT_AUTHORISED",
    ),
    "half a piece": ("returns", {"good": "0.5"}, 422, "INVALID"),
    "a recall of nothing": ("recalls", {"quantity": "0", "reason": "why"}, 422, "INVALID"),
}


@pytest.mark.parametrize("what", REFUSED)
@ready_link
def test_what_cannot_be_is_refused_with_nothing_moved(calling: Calling, outside: OutsideStory, what: str) -> None:
    outside.ready().ship()
    verb, body, status, code = REFUSED[what]
    answer = calling(sam).post(f"/outside-links/{outside.link.id}/{verb}", {"event_id": "e"} | body)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert outside.balance() == (24, 0, 0, 0, 0, 24)


@ready_link
def test_a_return_comes_in_once_and_only_from_receiving(calling: Calling, outside: OutsideStory) -> None:
    outside.ready().ship()
    path = f"/outside-links/{outside.link.id}/returns"
    assert calling(bea).post(path, {"event_id": "r", "good": "24"}).status_code == 403
    for _ in range(2):
        assert calling(sam).post(path, {"event_id": "r", "good": "23", "scrap": "1"}).status_code == 200
    assert outside.balance() == (24, 23, 1, 0, 0, 0)


def test_an_operation_is_linked_by_hand_once_and_its_flow_takes_the_link_up(
    calling: Calling, outside: OutsideStory
) -> None:
    outside.begin()
    line_id = outside.read(lambda session: session.scalars(select(PurchaseOrderLine.id)).one())
    body = {"operation_id": outside.operation_id, "order_line_id": line_id, "quantity": "24"}
    assert calling(sam).post("/outside-links", body).status_code == 403
    client = calling(rita)
    first, again = client.post("/outside-links", body), client.post("/outside-links", body)
    assert (first.status_code, first.json["status"], again.json["id"]) == (200, "PO_LINKED", first.json["id"])
    other = client.post("/outside-links", body | {"quantity": "20"})
    assert (other.status_code, other.json["code"]) == (409, "ALREADY_LINKED")
    assert client.post("/outside-links", body | {"order_line_id": UNKNOWN}).status_code == 404
    assert client.post("/outside-links", body | {"quantity": "0"}).status_code == 422
    outside.plan().release().ship()
    assert [(each.id, each.shipped) for each in outside.links] == [(first.json["id"], 24)]


def test_a_line_that_asks_for_another_specification_is_not_linked_by_hand(
    calling: Calling, outside: OutsideStory
) -> None:
    outside.begin(status="DRAFT", line_fields={"spec_rev": "C"})
    line_id = outside.read(lambda session: session.scalars(select(PurchaseOrderLine.id)).one())
    body = {"operation_id": outside.operation_id, "order_line_id": line_id, "quantity": "24"}
    refused = calling(rita).post("/outside-links", body)
    assert (refused.status_code, refused.json["code"], outside.links) == (409, "CON-04", [])
