"""Somebody lends a role of theirs within limits, on a page, and takes it back."""

from __future__ import annotations

from sqlalchemy import select

from records.directory import StaffDirectory
from records.person import Delegation
from tests.makers import make_cast
from tests.people import lena, max_, otto
from tests.story import Story
from tests.webapp.conftest import People


def holds(story: Story, user_id: str, principal: str) -> bool:
    return story.given(
        lambda act: any(
            one.principal == principal
            for one in StaffDirectory().mandates(act.session, user_id, at=act.now, flow="requisition_to_po")
        )
    )


def test_a_role_is_lent_with_limits_and_taken_back_on_its_page(browse: People, story: Story) -> None:
    story.given(make_cast)
    browser, page = browse(max_), "/profile/lent"
    sent = {"role": "PUR_MGR@", "to_user_id": "otto", "valid_from": "2026-01-01T08:00", "valid_to": "2027-01-01T08:00"}
    for wrong in (
        {"to_user_id": "max"},
        {"to_user_id": "adam"},
        {"valid_to": "2026-01-02T08:00"},
        {"max_amount": "much"},
        {"role": ""},
    ):
        assert browser.post(page, sent | wrong).status_code == 422, wrong
    assert browser.post(page, sent | {"role": "QA_ENG@"}).status_code == 403
    assert browser.post(page, sent | {"max_amount": "2,500", "excludes_own_documents": "true"}).status_code == 303
    assert browser.post(page, sent).status_code == 409
    assert "2,500" in browser.get(page).text
    lent = story.read(lambda session: session.scalars(select(Delegation)).one())
    assert (lent.from_user_id, lent.excludes_own_documents, lent.excludes_signed_documents) == ("max", True, False)
    assert holds(story, "otto", "role:PUR_MGR")
    assert "Purchasing manager" in browse(otto).get(page).text
    assert browse(lena).post(f"{page}/{lent.id}/end", {}).status_code == 403
    browser.get(page)
    assert browser.post(f"{page}/{lent.id}/end", {}).status_code == 303
    assert not holds(story, "otto", "role:PUR_MGR")
