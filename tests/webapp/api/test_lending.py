"""Somebody lends a role of theirs over REST and takes it back."""

from __future__ import annotations

import datetime as dt

from tests.makers import make_cast
from tests.people import max_, otto
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
