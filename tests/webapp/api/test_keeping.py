"""What keeps the house, by API: modes, the approved supplier list, legal holds, waivers, an operation that is left out; each signed."""

from __future__ import annotations

from typing import Any

from engine.act import Act
from records.supplier import SupplierStatus
from rules.flow_mode import Mode, mode_of
from tests import makers
from tests.makers import D
from tests.people import PASSWORD, bea, gina, max_, otto, pat, quinn
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem
from tests.webapp.api.test_signing import refuses_what_is_wrong, signed

SIGNED = signed("")["signature"]


def test_a_flow_is_switched_by_two_people(calling: Calling, story: Story) -> None:
    author, approver, stranger = calling(pat), calling(quinn), calling(otto)
    wanted = {"flow": "outside_processing", "mode": "OBSERVE", "reason": "two weeks of findings first"}
    problem(stranger.post("/mode-switches", wanted), 403, "NOT_AUTHORISED")
    problem(author.post("/mode-switches", wanted | {"mode": "OFF"}), 422, "INVALID")
    made, again = (author.post("/mode-switches", wanted, again="k-1") for _ in range(2))
    assert (made.status_code, made.json["id"], again.headers["Idempotency-Replayed"]) == (201, again.json["id"], "true")
    path, digest = f"/mode-switches/{made.json['id']}", made.json["content_hash"]
    refuses_what_is_wrong(author, f"{path}/signature", signed(digest, "AUTHORED"))
    assert author.post(f"{path}/signature", signed(digest, "AUTHORED")).json["waits_for"] == ["QA_ENG"]
    assert approver.post(f"{path}/signature", signed(digest)).json["status"] == "APPLIED"
    assert story.read(lambda session: mode_of(session, "outside_processing")) is Mode.OBSERVE
    back = author.post("/mode-switches", wanted | {"mode": "ENFORCE"}).json
    path = f"/mode-switches/{back['id']}/refusal"
    problem(author.post(path, {"reason": "not yet"}), 428, "IF_MATCH_NEEDED")
    problem(author.post(path, {"reason": "not yet"}, match='"99"'), 412, "STALE_VERSION")
    problem(stranger.post(path, {"reason": "not yet"}, match=f'"{back["version"]}"'), 403, "NOT_AUTHORISED")
    assert author.post(path, {"reason": "not yet"}, match=f'"{back["version"]}"').json["status"] == "WITHDRAWN"
    listed = author.get("/mode-switches?flow=outside_processing").json["items"]
    assert [one["status"] for one in listed] == ["WITHDRAWN", "APPLIED"]
    problem(author.get(f"/mode-switches/{UNKNOWN}"), 404, "NOT_FOUND")


def supplier(story: Story) -> str:
    def arrange(act: Act) -> str:
        makers.make_process(act)
        return makers.make_supplier(act, name="QuickPlate", status=SupplierStatus.PROSPECT).id

    return f"/suppliers/{story.given(arrange)}"


def stops(client: Client, path: str, body: dict[str, Any], shown: str) -> dict[str, Any]:
    """Try without the version, with a stale one and without a reason; then do it as it is shown."""
    problem(client.post(path, body), 428, "IF_MATCH_NEEDED")
    problem(client.post(path, body, match='"99"'), 412, "STALE_VERSION")
    problem(client.post(path, body | {"reason": " "}, match=client.tag(shown)), 422, "INVALID")
    done = client.post(path, body, match=client.tag(shown))
    assert done.status_code == 200, done.text
    answer: dict[str, Any] = done.json
    return answer


def test_a_scope_is_proposed_signed_and_suspended(calling: Calling, story: Story) -> None:
    path, quality, buyer = supplier(story), calling(quinn), calling(bea)
    scope = {
        "subject": "PROCESS", "code": "HEAT_TREAT", "basis": "AUDIT", "valid_from": "2026-11-01", "valid_to": "2027-10-31",
        "scope": "Al alloys", "specs": ["AMS 2770"],
    }  # fmt: skip
    problem(buyer.post(f"{path}/approvals", scope), 403, "NOT_AUTHORISED")
    problem(quality.post(f"{path}/approvals", scope | {"valid_to": "2026-10-01"}), 422, "INVALID")
    problem(quality.post(f"/suppliers/{UNKNOWN}/approvals", scope), 404, "NOT_FOUND")
    made = quality.post(f"{path}/approvals", scope)
    assert (made.status_code, made.json["status"], made.json["is_valid"]) == (201, "PENDING", False), made.text
    row, digest = f"{path}/approvals/{made.json['id']}", made.json["content_hash"]
    problem(buyer.post(f"{row}/signature", signed(digest)), 403, "NOT_AUTHORISED")
    refuses_what_is_wrong(quality, f"{row}/signature", signed(digest))
    assert quality.post(f"{row}/signature", signed(digest)).json["status"] == "APPROVED"
    assert stops(quality, f"{row}/suspension", {"reason": "Furnace out of survey"}, row)["status"] == "SUSPENDED"
    problem(quality.post(f"{row}/suspension", {"reason": "x"}, match=quality.tag(row)), 409, "ILLEGAL_TRANSITION")
    problem(quality.get(f"{path}/approvals/{UNKNOWN}"), 404, "NOT_FOUND")
    adapter = calling("adapter:erp")
    problem(adapter.post(f"{path}/approvals", scope), 403, "SCOPE_MISSING")


def test_a_sub_tier_and_the_supplier_itself_are_signed_and_stopped(calling: Calling, story: Story) -> None:
    path, quality = supplier(story), calling(quinn)
    declared = {"event_id": "s-1", "name": "Acme Plating", "process_code": "HEAT_TREAT"}
    row = f"{path}/sub-tiers/{quality.post(f'{path}/sub-tiers', declared).json['id']}"
    digest = quality.get(row).json["content_hash"]
    problem(calling(bea).post(f"{row}/signature", signed(digest)), 403, "NOT_AUTHORISED")
    refuses_what_is_wrong(quality, f"{row}/signature", signed(digest))
    assert quality.post(f"{row}/signature", signed(digest)).json["status"] == "APPROVED"
    body = {"to": "REFUSED", "reason": "No survey"}
    problem(quality.post(f"{row}/stop", body | {"to": "APPROVED"}, match=quality.tag(row)), 422, "INVALID")
    assert stops(quality, f"{row}/stop", body, row)["status"] == "REFUSED"
    problem(quality.get(f"{path}/sub-tiers/{UNKNOWN}"), 404, "NOT_FOUND")
    standing = quality.get(f"{path}/standing").json
    conditional = signed(standing["next"]["CONDITIONAL"], to="CONDITIONAL", reason="Survey passed")
    assert quality.post(f"{path}/standing/signature", conditional).json["status"] == "CONDITIONAL"
    problem(quality.post(f"{path}/standing/signature", conditional), 422, "INVALID")
    stopped = stops(quality, f"{path}/suspension", {"reason": "Recall"}, path)
    assert (stopped["status"], stopped["next"].keys()) == ("SUSPENDED", {"CONDITIONAL", "APPROVED"})


def test_a_legal_hold_is_placed_and_lifted_by_those_whom_the_table_names(calling: Calling, story: Story) -> None:
    def arrange(act: Act) -> str:
        return makers.make_order(act).number

    number = story.given(arrange)
    quality, manager, stranger = calling(quinn), calling(gina), calling(otto)
    hold = {"record": number, "reason": "Claim of a customer", "signature": SIGNED}
    problem(stranger.post("/legal-holds", hold), 403, "NOT_AUTHORISED")
    problem(quality.post("/legal-holds", hold | {"record": "PO-0"}), 404, "NOT_FOUND")
    problem(quality.post("/legal-holds", hold | {"signature": SIGNED | {"password": "guess"}}), 403, "WRONG_PASSWORD")
    made = quality.post("/legal-holds", hold)
    assert (made.status_code, made.json["record_name"], made.json["status"]) == (201, number, "STANDING"), made.text
    problem(quality.post("/legal-holds", hold), 409, "STALE_VERSION")
    path = f"/legal-holds/{made.json['id']}"
    body = {"reason": "Settled", "signature": SIGNED}
    problem(stranger.post(f"{path}/lift", body, match=stranger.tag(path)), 403, "NOT_AUTHORISED")
    problem(quality.post(f"{path}/lift", body, match=quality.tag(path)), 403, "NOT_AUTHORISED")
    lifted = stops(manager, f"{path}/lift", body, path)
    assert (lifted["status"], lifted["lift_reason"]) == ("LIFTED", "Settled")
    problem(manager.post(f"{path}/lift", body, match=manager.tag(path)), 409, "ILLEGAL_TRANSITION")
    assert [one["number"] for one in quality.get("/legal-holds?status=LIFTED").json["items"]] == [made.json["number"]]
    problem(quality.get(f"/legal-holds/{UNKNOWN}"), 404, "NOT_FOUND")


def test_a_waiver_ends_by_whoever_may_end_it(calling: Calling, story: Story) -> None:
    order_id = story.given(lambda act: makers.make_order(act).id)
    asker, quality, stranger = calling(max_), calling(quinn), calling(otto)
    wanted = {
        "rule": "BLUR-P2", "record_type": "purchase_order", "record_id": order_id, "expires_on": "2026-12-22", "reason": "in work",
    }  # fmt: skip
    first = f"/waivers/{asker.post('/waivers', wanted).json['id']}"
    problem(stranger.post(f"{first}/withdraw", {"reason": "x"}, match=stranger.tag(first)), 403, "NOT_AUTHORISED")
    assert stops(asker, f"{first}/withdraw", {"reason": "Not needed"}, first)["status"] == "WITHDRAWN"
    second = f"/waivers/{asker.post('/waivers', wanted).json['id']}"
    problem(stranger.post(f"{second}/refuse", {"reason": "x"}, match=stranger.tag(second)), 403, "NOT_AUTHORISED")
    assert stops(quality, f"{second}/refuse", {"reason": "Order it anew"}, second)["status"] == "REFUSED"
    problem(quality.post(f"{second}/revoke", {"reason": "x"}, match=quality.tag(second)), 409, "ILLEGAL_TRANSITION")
    third = asker.post("/waivers", wanted).json
    assert quality.post(f"/waivers/{third['id']}/signature", signed(third["content_hash"])).json["state"] == "STANDS"
    third_path = f"/waivers/{third['id']}"
    problem(
        stranger.post(f"{third_path}/revoke", {"reason": "x"}, match=stranger.tag(third_path)), 403, "NOT_AUTHORISED"
    )
    assert stops(quality, f"{third_path}/revoke", {"reason": "Specification came"}, third_path)["status"] == "REVOKED"


def test_an_operation_is_left_out_under_a_deviation_that_quality_signs_for(calling: Calling, story: Story) -> None:
    def arrange(act: Act) -> tuple[str, str, int]:
        order = makers.make_work_order(act, quantity=D(40), number="WO-7001")
        ready = next(one for one in order.operations if one.status == "READY")
        return order.id, makers.make_deviation(act, quantity=D(40)).number, ready.op_no

    order_id, deviation, op_no = story.given(arrange)
    path, quality = f"/work-orders/{order_id}", calling(quinn)
    skip, body = f"{path}/operations/{op_no}/skip", {"deviation": deviation, "signature": SIGNED}
    problem(calling(bea).post(skip, body, match=quality.tag(path)), 403, "NOT_AUTHORISED")
    problem(quality.post(skip, body), 428, "IF_MATCH_NEEDED")
    problem(quality.post(skip, body, match='"99"'), 412, "STALE_VERSION")
    problem(quality.post(skip, body | {"deviation": "DEV-0"}, match=quality.tag(path)), 422, "INVALID")
    wrong = body | {"signature": {"meaning": "APPROVED", "password": PASSWORD[::-1]}}
    problem(quality.post(skip, wrong, match=quality.tag(path)), 403, "WRONG_PASSWORD")
    problem(quality.post(f"{path}/operations/999/skip", body, match=quality.tag(path)), 404, "NOT_FOUND")
    done = quality.post(skip, body, match=quality.tag(path))
    assert done.status_code == 200, done.text
    assert [one["status"] for one in done.json["operations"]][:1] == ["SKIPPED_BY_DEVIATION"]
    problem(quality.post(skip, body, match=quality.tag(path)), 409, "ILLEGAL_TRANSITION")
