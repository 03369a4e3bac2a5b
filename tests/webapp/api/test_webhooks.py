"""Webhooks by API: made, changed, tested, replayed and ended by those who may; the secret shown once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Installation
from engine.worker import run_until_idle
from records.api_key import ApiAnswer
from tests.makers import make_requisition
from tests.people import adam, ivan, otto, rita
from tests.receiver import Receiver, listening
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem

WANTED = {"name": "ERP", "event_types": ["requisition.*", "task.opened"]}


@pytest.fixture
def receiver(house: Installation) -> Iterator[Receiver]:
    house.settings = {**house.settings, "webhook_http": "yes"}
    with listening() as found:
        yield found


def made(client: Client, receiver: Receiver, **more: Any) -> dict[str, Any]:
    answer = client.post("/webhooks", WANTED | {"url": receiver.url} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_a_webhook_is_made_once_and_its_secret_is_shown_once(
    calling: Calling, receiver: Receiver, story: Story
) -> None:
    client, wanted = calling(ivan), WANTED | {"url": receiver.url}
    problem(calling(otto).post("/webhooks", wanted), 403, "NOT_AUTHORISED")
    problem(calling("adapter:erp").post("/webhooks", wanted), 403, "SCOPE_MISSING")
    for wrong in ({"url": "hooks"}, {"url": "https://169.254.169.254/"}, {"event_types": ["parts.*"]}, {"name": " "}):
        assert set(problem(client.post("/webhooks", wanted | wrong), 422, "INVALID")["fields"]) == set(wrong)
    first, again = (client.post("/webhooks", wanted, again="k-1") for _ in range(2))
    assert (first.status_code, again.status_code, again.headers["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json["secret"].startswith("whsec_")
    assert again.json == first.json | {"secret": None}
    assert story.read(lambda session: session.scalars(select(ApiAnswer.body)).one()) is None
    shown = client.get(f"/webhooks/{first.json['id']}").json
    assert (shown["owner"], shown["event_types"], shown["state"]) == ("user:ivan", WANTED["event_types"], "ACTIVE")
    assert "secret" not in shown
    assert [one["id"] for one in client.get("/webhooks?q=erp&state=ACTIVE").json["items"]] == [first.json["id"]]
    problem(calling(otto).get("/webhooks"), 403, "NOT_AUTHORISED")
    problem(calling(rita).get(f"/webhooks/{first.json['id']}"), 403, "NOT_AUTHORISED")
    assert calling("adapter:erp").get("/webhooks").status_code == 200
    problem(client.get(f"/webhooks/{UNKNOWN}"), 404, "NOT_FOUND")


def test_a_webhook_is_changed_paused_rotated_and_ended_by_who_saw_it_last(calling: Calling, receiver: Receiver) -> None:
    client = calling(ivan)
    hook = made(client, receiver)
    path, first = f"/webhooks/{hook['id']}", hook["secret"]
    problem(client.patch(path, {"name": "SAP"}), 428, "IF_MATCH_NEEDED")
    problem(client.patch(path, {"name": "SAP"}, match='"99"'), 412, "STALE_VERSION")
    problem(client.patch(path, {"state": "ENDED"}, match=client.tag(path)), 422, "INVALID")
    problem(client.patch(path, {"owner": "otto"}, match=client.tag(path)), 422, "INVALID")
    changed = client.patch(path, {"name": "SAP", "state": "PAUSED"}, match=client.tag(path)).json
    assert (changed["name"], changed["state"], changed["paused_because"]) == ("SAP", "PAUSED", "Ivan Kral paused it.")
    assert client.patch(path, {"state": "ACTIVE"}, match=client.tag(path)).json["paused_because"] is None
    rotated = client.post(f"{path}/rotate-secret", match=client.tag(path)).json
    assert rotated["secret"] not in (None, first)
    assert rotated["former_secret_until"][:13] == "2026-11-23T15"
    problem(client.post(f"{path}/end"), 428, "IF_MATCH_NEEDED")
    owned = calling(adam).patch(path, {"owner": "adam"}, match=client.tag(path)).json
    assert owned["owner"] == "user:adam"
    problem(client.post(f"{path}/end", match=client.tag(path)), 403, "NOT_AUTHORISED")
    assert calling(adam).post(f"{path}/end", match=client.tag(path)).json["state"] == "ENDED"
    problem(calling(adam).post(f"{path}/test"), 409, "WEBHOOK_ENDED")


def test_the_log_tells_every_try_and_sends_again_what_is_wished(
    calling: Calling, receiver: Receiver, house: Installation
) -> None:
    client = calling(ivan)
    path = f"/webhooks/{made(client, receiver)['id']}"
    tested = client.post(f"{path}/test").json
    assert (tested["event_type"], tested["state"], tested["attempts"]) == ("webhook.test", "PENDING", [])
    with house.acting(rita.principal) as act:
        numbers = [make_requisition(act, requester_id="rita").number for _ in range(3)]
    run_until_idle(house)
    receiver.answers(500, body="full")
    one = client.get(f"{path}/deliveries?q={numbers[0].lower()}").json["items"][0]
    again = f"{path}/deliveries/{one['id']}"
    assert client.post(f"{again}/replay").json["state"] == "PENDING"
    problem(client.post(f"{again}/replay"), 409, "WAITING")
    house.settings = {**house.settings, "webhook_back_off": ""}
    run_until_idle(house)
    found = client.get(again).json
    assert [(each["status"], each["answer"]) for each in found["attempts"]] == [(200, "ok"), (500, "full")]
    assert (found["state"], found["number"], found["tries"]) == ("FAILED", numbers[0], 1)
    assert receiver.arrived[-1].body == found["body"]
    first = client.get(f"{path}/deliveries?event_type=requisition.draft&limit=2").json
    rest = client.get(f"{path}/deliveries?event_type=requisition.draft&after={first['next']}").json
    listed = [*first["items"], *rest["items"]]
    assert ([each["number"] for each in listed], rest["next"]) == (numbers[::-1], None)
    assert (
        client.get(f"{path}/deliveries?state=FAILED&since=2026-11-22T15:00:00Z").json["items"][0]["id"] == found["id"]
    )
    assert client.get(f"{path}/deliveries?before=2026-11-22T15:00:00Z").json["items"] == []
    problem(client.get(f"{path}/deliveries?since=2026-11-22T15:00:00Z&before=2026-11-21T15:00:00Z"), 422, "INVALID")
    problem(client.post(f"{path}/replay", {"since": "0001-01-01T00:00:00+14:00"}), 422, "INVALID")
    problem(client.post(f"{path}/replay", {"since": "2026-11-22T15:00:00"}), 422, "INVALID")
    problem(client.post(f"{path}/replay", {"since": "2030-11-22T15:00:00Z"}), 422, "INVALID")
    assert client.post(f"{path}/replay", {"since": "2026-11-22T14:00:00Z"}).json == {"replayed": 1}
    problem(client.get(f"{path}/deliveries/{UNKNOWN}"), 404, "NOT_FOUND")
    problem(calling(otto).get(again), 403, "NOT_AUTHORISED")
    problem(calling(otto).post(f"{again}/replay"), 403, "NOT_AUTHORISED")
