"""Pages of sourcing: a supplier quotes under its link without an account, a buyer waits and compares, agreements are written down."""

from __future__ import annotations

import io
import re
from decimal import Decimal

from sqlalchemy import select

from processes.quote_links import link_to
from records.attachment import Attachment
from records.quotation import QuoteChannel, RequestStatus
from records.sourcing import SourcingRef
from tests.people import bea, lena, otto
from tests.processes.test_sourcing import waits_for_quotes
from tests.quotes import request_in
from tests.story import Story
from tests.webapp.conftest import People

QUOTED = {
    "prices.1": "41.25", "currency": "USD", "charges": "", "lead_time_days": "20", "valid_to": "2026-12-31", "reference": "K-1",
    "incoterm": "", "remarks": "\u202e<b>soon</b>",
}  # fmt: skip


def links(story: Story) -> dict[str, str]:
    """Return the link of each supplier who is asked, by name."""
    return {one.supplier.name: link_to(story.installation, one) for one in request_in(story).invitations}


@waits_for_quotes
def test_a_supplier_quotes_revises_and_declines_under_its_link_until_the_due_date(browse: People, story: Story) -> None:
    found = links(story)
    page, own = browse(), found["Midland Machining"]
    shown = page.get(own)
    assert shown.status_code == 200
    assert "P-100" in shown.text
    assert "Prairie" not in shown.text
    others = f"{found['Prairie Parts'].rpartition('/')[0]}/{own.rpartition('/')[2]}"
    assert [page.get(wrong).status_code for wrong in (others, own[:-1] + "~", f"{own}é")] == [404, 404, 404]
    wrong = page.post(own, QUOTED | {"prices.1": "", "lead_time_days": "soon"})
    assert wrong.status_code == 422
    assert "Expected a price of P-100" in wrong.text
    lie = page.post(own, QUOTED | {"files": (io.BytesIO(b"MZ"), "quote.pdf")})
    assert (lie.status_code, "but its content is" in lie.text) == (422, True)
    assert page.post(own, QUOTED | {"files": (io.BytesIO(b"%PDF-1.7"), "quote.pdf")}).status_code == 303
    assert page.post(own, QUOTED | {"prices.1": "40.75"}).status_code == 303
    (quotation,) = [one.quotations for one in request_in(story).invitations if one.quotations]
    assert [(one.revision, one.channel, one.created_by) for one in quotation] == [
        (1, QuoteChannel.FORM, "supplier:S-MIDLAND"), (2, QuoteChannel.FORM, "supplier:S-MIDLAND"),
    ]  # fmt: skip
    assert story.read(lambda session: session.scalars(select(Attachment.file_name)).all()) == ["quote.pdf"]
    assert "We have your quote, revision 2" in page.get(own).text
    assert page.post(f"{found['Prairie Parts']}/decline", {"reason": "No capacity"}).status_code == 303
    story.after(days=6)
    assert "takes no more quotes" in page.get(own).text
    assert page.post(own, QUOTED).status_code == 409
    buyers = browse(bea).get(f"/requests-for-quotation/{request_in(story).id}").text
    assert "&lt;b&gt;soon&lt;/b&gt;" in buyers
    assert "No capacity" in buyers


@waits_for_quotes
def test_a_buyer_keys_a_quote_mails_again_moves_the_date_and_stops_waiting(browse: People, story: Story) -> None:
    story.goes_on()
    request = request_in(story)
    here = f"/requests-for-quotation/{request.id}"
    midland, prairie, _ = request.invitations
    page, before = browse(bea), link_to(story.installation, prairie)
    assert page.post(f"{here}/quotes/{midland.id}", QUOTED | {"currency": "CHF"}).status_code == 422
    assert page.post(f"{here}/quotes/{midland.id}", QUOTED).status_code == 303
    assert page.post(f"{here}/quotes/{prairie.id}/mail", {}).status_code == 303
    assert browse().get(before).status_code == 404
    assert page.post(f"{here}/due", {"answer_by": "2026-11-01"}).status_code == 422
    assert page.post(f"{here}/due", {"answer_by": "2026-12-01"}).status_code == 303
    assert browse(otto).post(f"{here}/close", {"reason": "bored"}).status_code == 403
    assert page.post(f"{here}/close", {"reason": ""}).status_code == 422
    assert page.post(f"{here}/close", {"reason": "The line is down"}).status_code == 303
    assert (request_in(story).status, story.steps) == (RequestStatus.COMPARING, ["compare_quotes"])
    assert page.get(here).text.count("Closed without their answer: mailed ") == 2
    task = story.tasks("compare_quotes")[0]
    review = page.get(f"/tasks/{task.id}").text
    assert re.search(r"Midland Machining: 6,187\.50 USD landed, 20 days", review)
    assert "1 valid quotes, 3 are needed" in review
    assert page.get(f"{here}/comparison.csv").text.splitlines()[1].startswith("S-MIDLAND,Midland Machining,1,P-100")
    assert page.get("/requests-for-quotation?q=rfq").status_code == 200


def test_the_lead_writes_an_agreement_down_and_nobody_else_does(browse: People, story: Story) -> None:
    given = {
        "kind": "BLANKET", "title": "Brackets for a year", "supplier_no": "S-MIDLAND", "part_no": "P-100", "currency": "USD",
        "unit_price": "40", "value": "9000", "quantity": "", "valid_from": "2026-11-22", "valid_to": "2027-11-21",
    }  # fmt: skip
    assert browse(bea).get("/agreements/new").status_code == 403
    page = browse(lena)
    wrong = page.post("/agreements/new", given | {"supplier_no": "nobody", "valid_to": "2026-11-01"})
    assert (wrong.status_code, "there is none like it" in wrong.text) == (422, True)
    assert page.post("/agreements/new", given | {"value": ""}).status_code == 422
    assert page.post("/agreements/new", given).status_code == 303
    (made,) = story.read(lambda session: session.scalars(select(SourcingRef)).all())
    assert (made.number, made.remaining_value) == ("AGR-000001", Decimal(9000))
    assert "9,000.00" in page.get(f"/agreements/{made.id}").text
    assert "AGR-000001" in page.get("/agreements?q=brackets").text
    assert page.get("/sole-sources").status_code == 200
