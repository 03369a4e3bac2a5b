"""Links of outside work over the API: what is refused moves nothing, what is sent twice moves once."""

from __future__ import annotations

from typing import Any

import pytest

from engine.act import Installation
from tests.clock import SettableClock
from tests.outside import OutsideStory, advance_order
from tests.people import bea, sam
from tests.webapp.api.conftest import UNKNOWN, Calling


@pytest.fixture
def outside(house: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in the plant of the pages."""
    return OutsideStory(house, clock)


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
    "a loss without a statement": ("losses", {"quantity": "1", "statement": " "}, 403, "NOT_AUTHORISED"),
    "half a piece": ("returns", {"good": "0.5"}, 422, "INVALID"),
    "a recall of nothing": ("recalls", {"quantity": "0", "reason": "why"}, 422, "INVALID"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_with_nothing_moved(calling: Calling, outside: OutsideStory, what: str) -> None:
    outside.ready().ship()
    verb, body, status, code = REFUSED[what]
    answer = calling(sam).post(f"/outside-links/{outside.link.id}/{verb}", {"event_id": "e"} | body)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert outside.balance() == (24, 0, 0, 0, 0, 24)


def test_a_return_comes_in_once_and_only_from_receiving(calling: Calling, outside: OutsideStory) -> None:
    outside.ready().ship()
    path = f"/outside-links/{outside.link.id}/returns"
    assert calling(bea).post(path, {"event_id": "r", "good": "24"}).status_code == 403
    for _ in range(2):
        assert calling(sam).post(path, {"event_id": "r", "good": "23", "scrap": "1"}).status_code == 200
    assert outside.balance() == (24, 23, 1, 0, 0, 0)
