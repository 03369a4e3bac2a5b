"""What is known of suppliers by API: read, bring in once for an event, wrong scope or role, invalid, unknown."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from records.supplier_knowledge import ObservedStock
from tests import makers
from tests.people import otto, quinn, sam
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem


def supplier(story: Story) -> str:
    def arrange(act: makers.Act) -> str:
        makers.make_process(act)
        found = makers.make_supplier(act, name="QuickPlate")
        makers.make_approval(act, found)
        makers.make_work_order(act, number="WO-W6")
        return found.id

    return f"/suppliers/{story.given(arrange)}"


def test_facts_are_brought_in_once_and_read_back(calling: Calling, story: Story) -> None:
    path, calls = supplier(story), calling(quinn)
    seen: dict[str, Any] = {"system": "TRADE", "event_id": "e-1", "result": "CLEAR", "source": "Consolidated list"}
    first, again = (calls.post(f"{path}/screenings", seen) for _ in range(2))
    assert (first.status_code, again.status_code, first.json["id"]) == (201, 201, again.json["id"])
    declared = {"event_id": "s-1", "name": "Acme Plating", "process_code": "HEAT_TREAT"}
    assert calls.post(f"{path}/sub-tiers", declared).json["status"] == "DECLARED"
    changed = {"event_id": "c-1", "kind": "PROCESS", "statement": "New furnace", "effective_on": "2026-12-01"}
    assert calls.post(f"{path}/changes", changed).status_code == 201
    known = calls.get(f"{path}/known").json
    assert [len(known[kind]) for kind in ("screenings", "sub_tiers", "changes")] == [2, 1, 1]
    assert known["score"] is None
    assert known["sub_tiers"][0]["declarant"] == "SUPPLIER"


def test_what_does_not_fit_is_refused(calling: Calling, story: Story) -> None:
    path, calls = supplier(story), calling(quinn)
    hit = {"event_id": "e-1", "result": "MATCH", "source": "Entity list"}
    assert "note" in problem(calls.post(f"{path}/screenings", hit), 422, "INVALID")["fields"]
    problem(calls.post(f"{path}/screenings", {"result": "CLEAR"}), 422, "INVALID")
    problem(calls.post(f"/suppliers/{UNKNOWN}/screenings", hit), 404, "NOT_FOUND")
    problem(calls.get(f"/suppliers/{UNKNOWN}/known"), 404, "NOT_FOUND")
    clear = {"event_id": "e-2", "result": "CLEAR", "source": "Entity list"}
    problem(calling(otto).post(f"{path}/screenings", clear), 403, "NOT_AUTHORISED")
    strange = {"event_id": "c-1", "kind": "PROCESS", "statement": "x", "effective_on": "2026-12-01", "part_no": "P-0"}
    problem(calls.post(f"{path}/changes", strange), 422, "INVALID")
    unknown = {
        "event_id": "c-2",
        "kind": "PROCESS",
        "statement": "x",
        "effective_on": "2026-12-01",
        "process_code": "MAGIC",
    }
    assert "process_code" in problem(calls.post(f"{path}/changes", unknown), 422, "INVALID")["fields"]


def test_stock_at_a_supplier_is_the_newest_look_of_its_row(calling: Calling, story: Story) -> None:
    path, calls = supplier(story), calling(sam)
    row: dict[str, Any] = {
        "system": "WMS", "native_id": "QP/WO-W6", "location": "QP-WIP", "work_order": "WO-W6", "quantity": "6",
        "observed_at": "2026-11-22T14:00:00Z",
    }  # fmt: skip
    answer = calls.post(f"{path}/stock", row)
    assert (answer.status_code, answer.json["quantity"], answer.json["work_order_id"] is not None) == (
        200,
        "6.000000",
        True,
    )
    calls.post(f"{path}/stock", row | {"quantity": "2", "observed_at": "2026-11-22T13:00:00Z"})
    calls.post(f"{path}/stock", row | {"quantity": "4", "observed_at": "2026-11-22T14:30:00Z"})
    kept = story.read(lambda session: [found.quantity for found in session.scalars(select(ObservedStock))])
    assert kept == [makers.D(4)]
    late = row | {"observed_at": "2026-11-23T14:00:00Z"}
    problem(calls.post(f"{path}/stock", late), 422, "INVALID")
    problem(calls.post(f"{path}/stock", row | {"observed_at": "at noon"}), 422, "INVALID")
