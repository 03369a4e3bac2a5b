"""Every print-out of what was signed shows name, title, meaning, date and zone, and the content that the signature is bound to."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act
from engine.ports import SignatureRequest
from processes import meetings
from processes.packing_list import packing_list_pdf
from processes.work_order_release import sign
from records.meeting import Meeting
from records.outside import OutsideMovement
from records.purchase_order import PurchaseOrder
from records.signature import Signature, SignatureStatus
from records.signing import signatures_on
from records.work_order import WorkOrder
from tests import makers
from tests.amendments import acknowledged, acknowledged_order, amend, more, newest
from tests.boards import cast
from tests.clock import SettableClock
from tests.outside import OutsideStory
from tests.pdf_text import words_of
from tests.people import PASSWORD, bea, ella, lena, olga, quinn, rita
from tests.story import Story
from tests.webapp.api.test_signing import reviewed
from tests.webapp.conftest import People


def is_shown(
    words: str, signature: Signature, *, meaning: str, at: str = "2026-11-22 09:00:00 -0600 (15:00:00 UTC)"
) -> None:
    """Check what 11.50 asks for, word by word, and the hash that 11.70 binds it to."""
    for said in (signature.printed_name, signature.printed_title, meaning, at, signature.content_hash):
        assert said in words, (said, words)


def of(story: Story, kind: str, record_id: str) -> list[Signature]:
    return story.read(lambda session: signatures_on(session, kind, record_id))


@pytest.mark.part11("11.50(a)", "11.50(b)", "11.70")
@acknowledged_order
def test_an_order_and_its_amendment_print_who_signed_them_and_no_reason_for_the_supplier(
    story: Story, browse: People
) -> None:
    acknowledged(story)
    order, browser = story.order, browse(bea)
    [released] = of(story, "purchase_order", order.id)
    is_shown(words_of(browser.get(f"/orders/{order.id}/sheet.pdf").data), released, meaning="Released")
    amend(story, more(102))
    story.as_(lena).decide("decide_slot", "approve", reason="Only between us")
    amendment = newest(story)
    [approved] = of(story, "purchase_order_amendment", amendment.id)
    assert (approved.content_hash, approved.status) == (amendment.content_hash, SignatureStatus.VALID)
    change = words_of(browser.get(f"/amendments/{amendment.id}/change.pdf").data)
    is_shown(change, approved, meaning="Approved")
    printed = words_of(browser.get(f"/orders/{order.id}/sheet.pdf").data)
    is_shown(printed, approved, meaning="Approved")
    assert released.content_hash not in printed, "what was released was another content"
    assert "Only between us" not in change + printed


@pytest.mark.part11("11.50(a)", "11.50(b)", "11.70")
def test_a_traveller_prints_who_signed_the_release(story: Story, browse: People) -> None:
    def arrange(act: Act) -> str:
        order = makers.make_work_order(act, number="WO-7003", status="FIRM")
        order.approved_hash = "ab" * 32
        makers.make_slot(act, order, role="QA_ENG", record_hash="ab" * 32)
        return order.id

    order_id = story.given(arrange)
    with story.as_(quinn).acting() as act:
        request = SignatureRequest("APPROVED", PASSWORD, user_id="quinn", accepts_responsibility=True)
        sign(act, act.session.get_one(WorkOrder, order_id), "QA_ENG", request)
    [signature] = of(story, "work_order", order_id)
    words = words_of(browse(rita).get(f"/work-orders/{order_id}/traveller.pdf").data)
    is_shown(words, signature, meaning="Approved")


@pytest.mark.part11("11.50(a)", "11.50(b)", "11.70")
def test_minutes_print_the_chair_and_every_voter(story: Story, browse: People) -> None:
    order_id, meeting_id = story.given(reviewed)

    def within(member: Any, step: Any) -> None:
        with story.as_(member).acting() as act:
            step(act, act.session.get_one(Meeting, meeting_id))

    def vote(act: Act, held: Meeting) -> None:
        cast(act, meetings.target_of(act.session, held.agenda[0]), "approve")

    within(olga, meetings.open_meeting)
    for member in (quinn, ella):
        within(member, vote)
    within(olga, meetings.close_meeting)
    pdf = f"/meetings/{meeting_id}/minutes.pdf"
    assert "Not signed yet" in words_of(browse(olga).get(pdf).data)
    request = SignatureRequest("APPROVED", PASSWORD, user_id="olga", accepts_responsibility=True)
    within(olga, lambda act, held: meetings.sign_minutes(act, held, request, seen_hash=held.minutes_hash))
    words = words_of(browse(olga).get(pdf).data)
    [chair] = of(story, "board_meeting", meeting_id)
    is_shown(words, chair, meaning="Approved")
    for voter in of(story, "change_order", order_id):
        is_shown(words, voter, meaning="Approved", at="22 November 2026, 09:00 CST (15:00 UTC)")


@pytest.mark.part11("11.50(a)", "11.50(b)", "11.70")
def test_a_packing_list_prints_who_signed_the_order_it_goes_under(house: Any, clock: SettableClock) -> None:
    outside = OutsideStory(house, clock).ready(2)

    def give(act: Act) -> None:
        order = act.session.get_one(PurchaseOrder, outside.link.order.id)
        makers.make_signature(
            act, order, content_hash=order.approved_hash, meaning="RELEASED", role="BUYER", signer="bea"
        )

    outside.given(give)
    outside.ship(2)

    def printed(session: Any) -> tuple[bytes, Signature]:
        [movement] = session.scalars(select(OutsideMovement))
        given = signatures_on(session, "purchase_order", movement.link.order.id)
        return packing_list_pdf(session, movement), next(one for one in given if one.signer_id == "bea")

    pdf, signature = outside.read(printed)
    is_shown(words_of(pdf), signature, meaning="Released")
