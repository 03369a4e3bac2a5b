"""Findings, waivers, modes and the quality of the data, as programs read and write them."""

from __future__ import annotations

from engine.act import Act
from engine.errors import Effect, Finding
from rules.finding import keep_findings
from tests.makers import make_order
from tests.people import lena, otto
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem


def kept(story: Story, effect: Effect) -> tuple[str, str]:
    def write(act: Act) -> tuple[str, str]:
        order = make_order(act)
        about = (order.record_type, order.id)
        finding = Finding(
            "BLUR-P2", effect, "Expected a specification, but there is none.", *about, owner="role:PUR_LEAD"
        )
        (row,) = keep_findings(act, [finding])
        act.session.flush()
        return row.id, order.id

    return story.given(write)


def test_a_program_lists_reads_and_acknowledges_for_its_person(story: Story, calling: Calling) -> None:
    finding_id, _ = kept(story, Effect.WARN)
    client = calling(lena)
    (found,) = client.get("/findings?rule=BLUR-P2&effect=WARN").json["items"]
    assert (found["id"], found["owner"], found["effect"]) == (finding_id, "role:PUR_LEAD", "WARN")
    assert client.get("/findings?rule=CON-01").json["items"] == []
    assert problem(client.get("/findings?age=99"), 422, "INVALID")
    stranger = calling(otto)
    assert problem(stranger.post(f"/findings/{finding_id}/acknowledgement", {"reason": "fine"}), 403, "NOT_AUTHORISED")
    answer = client.post(f"/findings/{finding_id}/acknowledgement", {"reason": "agreed with the supplier"})
    assert (answer.status_code, answer.json["acknowledged_by"]) == (200, "user:lena")
    assert client.get(f"/findings/{finding_id}").json["acknowledgement"] == "agreed with the supplier"


def test_a_waiver_is_asked_for_and_stands_only_when_signed(story: Story, calling: Calling) -> None:
    finding_id, order_id = kept(story, Effect.HOLD)
    client = calling(lena)
    assert problem(client.post(f"/findings/{finding_id}/acknowledgement", {"reason": "fine"}), 409, "ON_HOLD")
    body = {
        "rule": "BLUR-P2", "record_type": "purchase_order", "record_id": order_id, "expires_on": "2026-12-22",
        "reason": "specification in work",
    }  # fmt: skip
    assert problem(client.post("/waivers", body | {"rule": "CON-01"}), 422, "INVALID")
    made = client.post("/waivers", body)
    assert (made.status_code, made.json["state"], made.json["uses"]) == (201, "PROPOSED", 0)
    assert client.get(f"/waivers/{made.json['id']}").json["record_id"] == order_id
    assert [row["number"] for row in client.get("/waivers?status=PROPOSED").json["items"]] == [made.json["number"]]


def test_modes_and_defects_are_told(story: Story, calling: Calling) -> None:
    client = calling(lena)
    modes = {row["flow"]: row for row in client.get("/flow-modes").json["items"]}
    assert modes["outside_processing"]["mode"] == "ENFORCE"
    assert modes["outside_processing"]["signers"] == {"PROCESS_ENGINEER": "AUTHORED", "QA_ENG": "APPROVED"}
    kinds = {row["kind"] for row in client.get("/data-quality").json["items"]}
    assert all(kind.isupper() for kind in kinds)
