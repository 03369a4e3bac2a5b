"""Sourcing over the API: requests, quotes side by side, agreements and single sources."""

from __future__ import annotations

from tests.people import bea, lena, otto
from tests.processes.test_sourcing import waits_for_quotes
from tests.quotes import request_in
from tests.story import Story
from tests.webapp.api.conftest import PROBLEM, UNKNOWN, Calling

QUOTE = {
    "prices": [{"line_no": 1, "unit_price": "41.25"}], "currency": "USD", "lead_time_days": 20, "valid_to": "2026-12-31",
}  # fmt: skip
AGREEMENT = {
    "kind": "BLANKET", "supplier_no": "S-MIDLAND", "title": "Brackets for a year", "part_no": "P-100", "currency": "USD",
    "unit_price": "40", "value": "9000", "valid_from": "2026-11-22", "valid_to": "2027-11-21",
}  # fmt: skip


@waits_for_quotes
def test_a_buyer_keeps_quotes_compares_them_and_closes(calling: Calling, story: Story) -> None:
    request = request_in(story)
    here, (first, second, _) = f"/requests-for-quotation/{request.id}", request.invitations
    api = calling(bea)
    assert api.get("/requests-for-quotation?status=OPEN").json["items"][0]["number"] == "RFQ-000001"
    kept = api.post(f"{here}/invitations/{first.id}/quotations", QUOTE, again="one")
    assert (kept.status_code, kept.json["invitations"][0]["is_answered"]) == (201, True)
    assert api.post(f"{here}/invitations/{first.id}/quotations", QUOTE, again="one").status_code == 201
    assert api.post(f"{here}/invitations/{second.id}/decline", {"reason": "no capacity"}).status_code == 200
    (column, *others) = api.get(f"{here}/comparison").json["columns"]
    assert (column["landed"], column["revision"], column["is_lowest"], column["prices"][0]["company"]) == (
        "6187.50", 1, True, "41.2500",
    )  # fmt: skip
    assert sorted(other["problems"][0] for other in others) == ["declined", "has not answered"]
    assert api.post(f"{here}/invitations/{first.id}/quotations", QUOTE | {"currency": "CHF"}).status_code == 422
    assert calling(otto).post(f"{here}/invitations/{first.id}/quotations", QUOTE).status_code == 403
    assert api.post(f"/requests-for-quotation/{UNKNOWN}/invitations/{first.id}/quotations", QUOTE).status_code == 404
    assert api.post(f"{here}/close", {"reason": "x"}, match='"0"').status_code == 412
    assert api.post(f"{here}/due-date", {"answer_by": "2026-12-04"}, match=api.tag(here)).status_code == 200
    assert api.post(f"{here}/close", {"reason": "The line is down"}, match=api.tag(here)).status_code == 200
    late = api.post(f"{here}/invitations/{first.id}/quotations", QUOTE)
    assert (late.status_code, late.mimetype, late.json["code"]) == (409, PROBLEM, "QUOTES_CLOSED")


def test_the_lead_writes_agreements_that_everybody_reads(calling: Calling) -> None:
    assert calling(bea).post("/agreements", AGREEMENT).status_code == 403
    api = calling(lena)
    assert api.post("/agreements", AGREEMENT | {"supplier_no": "nobody"}).status_code == 422
    made = api.post("/agreements", AGREEMENT)
    assert (made.status_code, made.json["remaining_value"], made.json["part_no"]) == (201, "9000.0000", "P-100")
    here = f"/agreements/{made.json['id']}"
    assert api.get(here).json == made.json
    assert api.get(f"{here}/releases").json == {"items": []}
    assert [one["number"] for one in api.get("/agreements?q=brackets").json["items"]] == [made.json["number"]]
    assert api.get(f"/agreements/{UNKNOWN}").status_code == 404
    assert api.get("/sole-sources").json["items"] == []
