"""Somebody lends a role of theirs over REST and takes it back."""

from __future__ import annotations

import datetime as dt

from tests.makers import make_cast
from tests.people import adam, lena, max_, otto
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem


def test_a_role_is_lent_over_rest(calling: Calling, story: Story) -> None:
    story.given(make_cast)
    client, begins = calling(max_), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    sent = {
        "to_user_id": "otto",
        "role": "PUR_MGR",
        "valid_from": begins.isoformat(),
        "valid_to": "2027-01-01T08:00:00Z",
    }
    problem(client.post("/delegations", sent | {"valid_to": "tomorrow"}), 422, "INVALID")
    made = client.post("/delegations", sent | {"max_amount": "2500"})
    assert (made.status_code, made.json["max_amount"]) == (201, "2500.0000")
    assert [one["role"] for one in calling(otto).get("/delegations").json["items"]] == ["PUR_MGR"]
    assert client.post(f"/delegations/{made.json['id']}/end", {}).json["items"] == []


def test_an_absence_is_planned_and_ended_over_rest(calling: Calling, story: Story) -> None:
    """By who is away, or by an administrator for them; nobody else plans or ends it."""
    story.given(make_cast)
    client, admin, stranger = calling(max_), calling(adam), calling(otto)
    sent = {"deputy_id": "lena", "starts_at": "2026-11-23T08:00:00Z", "ends_at": "2026-11-27T17:00:00+01:00"}
    for wrong in ({"starts_at": "tomorrow"}, {"ends_at": "2026-11-20T08:00:00Z"}, {"deputy_id": "max"}, {"days": 3}):
        problem(client.post("/absences", sent | wrong), 422, "INVALID")
    problem(stranger.post("/absences", sent | {"user_id": "max"}), 403, "NOT_AUTHORISED")
    made = client.post("/absences", sent | {"flows": ["requisition_to_po"]})
    assert (made.status_code, made.json["user_id"], made.json["ends_at"]) == (201, "max", "2026-11-27T16:00:00.000000Z")
    problem(admin.post("/absences", sent | {"user_id": "max", "flows": ["requisition_to_po"]}), 409, "ABSENCE_OVERLAPS")
    assert [one["flows"] for one in calling(lena).get("/absences").json["items"]] == [["requisition_to_po"]]
    ending = f"/absences/{made.json['id']}/end"
    problem(stranger.post(ending, {}), 403, "NOT_AUTHORISED")
    assert client.post(ending, {}).json["items"] == []
    problem(client.post(ending, {}), 404, "NOT_FOUND")
