"""The pages of webhooks: for integration owners and administrators; works, wrong role, stale, invalid, unknown id."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from engine.act import Installation
from engine.worker import run_until_idle
from tests.makers import make_requisition
from tests.people import adam, ivan, lena, rita
from tests.receiver import Receiver, listening
from tests.webapp.browser import path_of
from tests.webapp.conftest import People

NOWHERE = "/webhooks/01a2044d-ad0e-77af-8c24-f2a8c2f2c129"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def receiver(house: Installation) -> Iterator[Receiver]:
    house.settings = {**house.settings, "webhook_http": "yes", "webhook_back_off": ""}
    with listening() as found:
        yield found


def test_a_webhook_is_kept_by_those_who_may(browse: People, receiver: Receiver, house: Installation) -> None:
    stranger = browse(lena)
    assert (stranger.get("/webhooks").status_code, stranger.get("/webhooks/new").status_code) == (403, 403)
    assert "Expected Administrator or Integration owner" in stranger.text
    assert 'href="/webhooks"' not in stranger.get("/operations").text
    page = browse(ivan)
    assert 'href="/webhooks"' in page.get("/operations").text
    page.get("/webhooks/new")
    typed = {"key": page.field("key"), "name": "ERP", "url": "mail@erp", "types": ["task.*"], "single": "no.such"}
    assert page.post("/webhooks/new", typed).status_code == 422
    assert "does not begin" in page.text or "begins with neither" in page.text
    typed |= {"url": receiver.url}
    assert page.post("/webhooks/new", typed).status_code == 422
    assert "nothing is called no.such" in page.text
    assert 'value="task.*" checked' in str(page.page and page.page.text)
    typed |= {"single": "requisition.draft, receipt.arrived"}
    assert page.post("/webhooks/new", typed).status_code == 201
    path, secret = f"/webhooks/{typed['key']}", SECRET.findall(page.text)
    assert len(secret) == 1
    assert page.post("/webhooks/new", typed).status_code == 409
    assert "whsec_" not in page.get(path).text
    assert "receipt.arrived, requisition.draft, task.*" in page.text
    page.get(f"{path}/change")
    changed = typed | {"version": page.field("version"), "name": "SAP", "owner": "ivan"}
    assert path_of(page.post(f"{path}/change", changed)) == path
    assert page.post(f"{path}/change", changed).status_code == 409
    assert page.post(f"{path}/change", changed | {"version": "2", "owner": "otto"}).status_code == 422
    assert page.get("/webhooks?q=sap").text.count("SAP") == 1
    assert "SAP" in page.get("/webhooks.csv").text
    page.get(path)
    rotated = page.post(f"{path}/secret", {"version": page.field("version"), "at_once": "true"})
    assert (rotated.status_code, SECRET.findall(page.text) != secret) == (200, True)
    for verb, said in (("pause", "It is paused"), ("resume", "Active"), ("end", "Ended")):
        page.get(path)
        assert page.post(f"{path}/{verb}", {"version": "0"}).status_code == 409
        page.get(path)
        assert path_of(page.post(f"{path}/{verb}", {"version": page.field("version")})) == path
        page.get(path)
        assert said in page.text
    assert page.post(f"{path}/test").status_code == 409
    for address in (NOWHERE, f"{NOWHERE}/change", f"{NOWHERE}/deliveries/x", f"{path}/deliveries/x", "/webhooks/17"):
        assert page.get(address).status_code == 404


def test_the_log_shows_what_was_told_and_sends_it_again(
    browse: People, receiver: Receiver, house: Installation
) -> None:
    page = browse(ivan)
    page.get("/webhooks/new")
    key = page.field("key")
    page.post("/webhooks/new", {"key": key, "name": "<b>ERP</b>", "url": receiver.url, "types": ["*"]})
    path = f"/webhooks/{key}"
    receiver.answers(500, body="<script>full</script>")
    with house.acting(rita.principal) as act:
        number = make_requisition(act, requester_id="rita").number
    tested = path_of(page.post(f"{path}/test"))
    run_until_idle(house)
    assert "Expected an answer of 200 to 299, but it is 500" in page.get(tested).text
    assert "<script>full" not in page.page.text
    assert number in page.get(f"{path}?q=requisition.draft").text
    assert number in page.get(f"{path}?q={number.lower()}&state=FAILED").text
    assert "Nothing was told" in page.get(f"{path}?state=DELIVERED").text
    assert number in page.get(f"{path}.csv").text
    receiver.answers(204)
    assert page.post(f"{path}/replay", {"since": "soon"}).status_code == 422
    assert page.post(f"{path}/replay", {"since": "2026-11-21T12:00"}).status_code == 303
    assert "1 message is sent again" in page.get(path).text
    again = re.search(rf'href="({path}/deliveries/[^"]+)">requisition', page.page.text)[1]
    assert page.post(f"{again}/replay").status_code == 409
    run_until_idle(house)
    assert "Delivered" in page.get(again).text
    assert path_of(page.post(f"{again}/replay")) == again
    assert "It waits to be sent" in page.get(again).text
    other = browse(adam)
    assert "Send it again" not in other.get(again).text
    assert "Rotate the secret" in other.get(path).text
    assert "1 waiting" in other.get("/webhooks").text
