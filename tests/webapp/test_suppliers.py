"""Quality keeps the approved supplier list on the supplier's page, and whatever waits for a supplier hears of it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from engine.act import Act
from records.demo_people import Member
from records.notice import Notice
from records.purchase_order import OrderStatus
from records.signature import Signature
from records.supplier import ApprovalStatus, Supplier, SupplierApproval, SupplierStatus
from tests.makers import make_approval, make_grant
from tests.people import PASSWORD, bea, quinn, rita
from tests.processes.test_supplier_gate import gate, plating, quick_plate
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People

SCOPE = {
    "subject": "PROCESS", "code": "PLATING", "valid_from": "2026-11-25", "valid_to": "2027-11-24", "basis": "AUDIT",
    "scope": "Zinc", "specs": "", "site_id": "", "conditions": "", "certificate_no": "",
}  # fmt: skip


def supplier_id(story: Story) -> str:
    return story.given(lambda act: quick_plate(act).id)


def row(story: Story) -> SupplierApproval:
    wanted = select(SupplierApproval).where(SupplierApproval.subject_code == "PLATING")
    return story.read(lambda session: session.scalars(wanted).one())


def signed(browser: Browser, path: str, member: Member = quinn, **changes: str) -> int:
    browser.get(path)
    seen = browser.field("seen_hash")
    given = {"meaning": "APPROVED", "user_id": member.id, "password": PASSWORD, "reason": "audited", "seen_hash": seen}
    return browser.post(path, given | changes).status_code


def approved(browse: People, story: Story) -> str:
    """Add the scope on the page and sign it; return the address where it was signed."""
    browser = browse(quinn)
    path = path_of(browser.post(f"/suppliers/{supplier_id(story)}/approvals/new", SCOPE))
    assert signed(browser, path) == 303
    story.settle()
    return path


def test_the_list_is_a_file_too(browse: People) -> None:
    told = browse(quinn).get("/suppliers.csv?q=midland").text.splitlines()
    assert (told[0][:19], len(told)) == ("number,name,status,", 2)
    assert told[1].startswith("S-MIDLAND,Midland Machining,APPROVED,")


def test_an_award_that_waits_at_the_gate_goes_on_when_quality_signs_the_scope(browse: People, story: Story):
    """D05: QuickPlate, 480.00; the scope holds from 2026-11-25, and until then the issue is held."""
    plating(story)
    assert story.steps == ["decide_on_supplier"]
    assert gate(story)[0].startswith("SUP-01")
    approved(browse, story)
    assert (row(story).status, story.steps, story.incidents) == (ApprovalStatus.APPROVED, ["complete_order"], [])
    signature = story.read(lambda session: session.get_one(Signature, row(story).approved_signature_id))
    assert (signature.signer_id, signature.meaning, signature.record_type) == ("quinn", "APPROVED", "supplier_approval")
    status = story.read(lambda session: session.scalars(select(Supplier).where(Supplier.name == "QuickPlate")).one())
    assert status.status is not SupplierStatus.PROSPECT
    story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    assert story.order.status is OrderStatus.ON_HOLD
    story.at(dt.datetime(2026, 11, 25, 6, 0, tzinfo=dt.UTC))
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])


def test_a_suspension_holds_the_issue_until_the_scope_is_signed_anew(browse: People, story: Story):
    plating(story)
    path = approved(browse, story)
    story.as_(bea).decide("complete_order", "submit")
    story.clock.set(dt.datetime(2026, 11, 30, 15, 0, tzinfo=dt.UTC))
    browser = browse(quinn)
    answer = browser.post(path.replace("/approve", "/suspend"), {"reason": "failed the audit"})
    assert (answer.status_code, row(story).status) == (303, ApprovalStatus.SUSPENDED)
    told = story.read(lambda session: session.scalars(select(Notice.subject).where(Notice.user_id == "bea")).all())
    assert "QuickPlate: plating is suspended" in told
    story.settle().as_(bea).decide("issue_order", "issue")
    assert (story.order.status, story.steps) == (OrderStatus.ON_HOLD, ["clear_hold"])
    assert signed(browser, path, reason="corrected") == 303
    story.settle()
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])


def test_only_quality_finds_the_buttons_and_may_use_them(browse: People, story: Story):
    """SUP-15: the buyer does not write the list of approved suppliers."""
    plating(story)
    where = supplier_id(story)
    browse(quinn).get(f"/suppliers/{where}")
    for member in (rita, bea):
        browser = browse(member)
        browser.get(f"/suppliers/{where}")
        assert "Add a scope" not in browser.text
        assert browser.post(f"/suppliers/{where}/approvals/new", SCOPE).status_code == 403
    assert story.steps == ["decide_on_supplier"]


def test_a_buyer_who_is_also_quality_approves_no_supplier(browse: People, story: Story):
    plating(story)
    story.given(lambda act: make_grant(act, "quinn", "BUYER"))
    browser = browse(quinn)
    path = path_of(browser.post(f"/suppliers/{supplier_id(story)}/approvals/new", SCOPE))
    assert signed(browser, path) == 403
    assert "SOD-7" in browser.text
    assert (row(story).status, story.steps) == (ApprovalStatus.PENDING, ["decide_on_supplier"])


def test_what_does_not_fit_is_said_by_its_field_and_stays_typed(browse: People, story: Story):
    browser = browse(quinn)
    where = f"/suppliers/{supplier_id(story)}/approvals/new"
    answer = browser.post(where, SCOPE | {"code": "", "valid_to": "soon", "subject": "", "scope": "Zinc, 8 µm"})
    assert answer.status_code == 422
    assert "Zinc, 8 µm" in answer.text
    assert answer.text.count('class="error"') == 3
    assert browser.post(where, SCOPE | {"valid_to": "2026-11-24"}).status_code == 422
    assert browser.post(where, SCOPE | {"basis": "NADCAP"}).status_code == 422
    assert browser.post(where, SCOPE | {"subject": "PLANET"}).status_code == 422
    assert browser.post(where, SCOPE | {"site_id": "17"}).status_code == 422


def test_a_wrong_password_a_stale_page_and_a_missing_reason_change_nothing(browse: People, story: Story):
    plating(story)
    browser = browse(quinn)
    path = path_of(browser.post(f"/suppliers/{supplier_id(story)}/approvals/new", SCOPE))
    assert signed(browser, path, password="no") == 403
    assert signed(browser, path, seen_hash="0" * 64) == 422
    assert signed(browser, path, meaning="") == 422
    assert signed(browser, path, meaning="REVIEWED") == 422
    assert row(story).status is ApprovalStatus.PENDING
    assert browser.get(path.replace("/approve", "/suspend")).status_code == 409
    assert signed(browser, path) == 303
    assert browser.post(path.replace("/approve", "/suspend"), {"reason": " "}).status_code == 422
    assert row(story).status is ApprovalStatus.APPROVED
    assert browser.get(path).status_code == 409


def test_an_approval_is_found_only_under_its_supplier(browse: People, story: Story):
    plating(story)
    path = approved(browse, story)
    browser = browse(quinn)
    other = story.given(_other)
    assert browser.get(path.replace(supplier_id(story), other)).status_code == 404
    assert browser.get(f"/suppliers/{other}/approvals/17/suspend").status_code == 404


def _other(act: Act) -> str:
    return act.session.scalars(select(Supplier.id).where(Supplier.name == "Midland Machining")).one()


def test_the_page_says_when_an_approval_ends_soon(browse: People, story: Story):
    def arrange(act: Act) -> None:
        for code, days in (("PLATING", 5), ("ANODIZE", 0), ("MACHINED", 400)):
            make_approval(act, quick_plate(act), code, valid_to=act.now.date() + dt.timedelta(days=days))

    story.given(arrange)
    text = browse(bea).get(f"/suppliers/{supplier_id(story)}").text
    assert [text.count(words) for words in ("Ends in 5 days", "Ends today", "Ends in")] == [1, 1, 1]
