"""What only some may read is closed to the others on every way to it: pages, files, discussion, notices and the API."""

from __future__ import annotations

import io
from decimal import Decimal

from sqlalchemy import select

from processes.quoting import Offer, take_quote
from records.attachment import Attachment, attach
from records.comment import Comment
from records.notice import notices_of
from records.quotation import Invitation, QuoteChannel
from tests.people import bea, fred, otto
from tests.processes.test_sourcing import waits_for_quotes
from tests.quotes import request_in
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem
from tests.webapp.conftest import People


@waits_for_quotes
def test_what_suppliers_quote_is_sealed_with_its_files_and_its_discussion(
    browse: People, story: Story, calling: Calling
) -> None:
    """``record_readers.dmn``: purchasing, finance and who has a task about it read it; to others every way to it is closed."""
    story.goes_on()
    request = request_in(story)
    here, thing = f"/requests-for-quotation/{request.id}", f"/documents/request_for_quotation/{request.id}"
    buyer, stranger, lead = browse(bea), browse(otto), browse(fred)
    midland = request.invitations[0]
    with story.installation.acting("supplier:S-MIDLAND") as act:
        offer = Offer(
            prices={1: Decimal(41)}, currency="USD", lead_time_days=9, valid_to=act.now.date().replace(month=12)
        )
        quotation = take_quote(act, act.session.get_one(Invitation, midland.id), offer, channel=QuoteChannel.FORM)
        attach(act, quotation, b"%PDF-1.7", file_name="quote.pdf")
    assert buyer.post(f"{thing}/comments", {"comment": "Too dear, @fred?"}).status_code == 303
    assert buyer.post(f"{thing}/comments", {"comment": "What do you say, @otto?"}).status_code == 422
    (file_id, said_id), caller = (
        story.read(lambda session: [session.scalars(select(kind.id)).one() for kind in (Attachment, Comment)]),
        calling(otto),
    )
    ways = (here, f"{here}/comparison.csv", f"/files/{file_id}", f"/files/{file_id}/preview", f"/files/{file_id}/shown")
    for way in ways:
        assert [who.get(way).status_code for who in (buyer, lead, stranger)] == [200, 200, 403], way
    for way in (
        here,
        f"{here}/comparison",
        f"{thing}/files",
        f"{thing}/comments",
        f"{thing}/followers",
        f"/files/{file_id}",
    ):
        problem(caller.get(way), 403, "SEALED")
        assert calling(bea).get(way).status_code == 200, way
    assert "sealed" in stranger.get(here).text
    for way, form in (
        (f"{thing}/comments", {"comment": "Let me see"}), (f"/comments/{said_id}/answers", {"comment": "And?"}),
        (f"{thing}/following", {}), (f"{thing}/files", {"file": (io.BytesIO(b"x"), "x.txt")}),
    ):  # fmt: skip
        assert stranger.post(way, form).status_code == 403, way
    assert stranger.get("/requests-for-quotation").status_code == 200
    assert story.read(lambda session: [one.user_id for one in notices_of(session, "otto")]) == []
