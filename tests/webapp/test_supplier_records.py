"""The supplier's page writes down what is known of it: works, wrong role, invalid, unknown."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from records.supplier import Supplier, SupplierStatus
from records.supplier_knowledge import (
    ApprovalRecheck,
    FirstArticleDecision,
    RecheckStatus,
    ScreeningResult,
    SubTier,
    SubTierStatus,
    SupplierChangeNotice,
    SupplierScreening,
)
from tests import makers
from tests.people import PASSWORD, bea, otto, quinn
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People

UNKNOWN = "01930000-0000-7000-8000-000000000000"


@pytest.fixture
def path(story: Story) -> str:
    def arrange(act: makers.Act) -> str:
        makers.make_process(act)
        supplier = makers.make_supplier(act, name="QuickPlate")
        makers.make_approval(act, supplier)
        return f"/suppliers/{supplier.id}"

    return str(story.given(arrange))


def one(story: Story, kind: type) -> object:
    newest = select(kind).order_by(kind.created_at.desc(), kind.id.desc()).limit(1)
    return story.read(lambda session: session.scalars(newest).first())


def signed(browser: Browser, path: str, **changes: str) -> int:
    browser.get(path)
    given = {
        "meaning": "APPROVED", "user_id": "quinn", "password": PASSWORD, "reason": "seen", "seen_hash": browser.field("seen_hash"),
    }  # fmt: skip
    return browser.post(path, given | changes).status_code


def test_a_screening_is_written_down_and_shown(browse: People, story: Story, path: str) -> None:
    browser = browse(quinn)
    given = {
        "screened_on": "2026-11-22",
        "result": "POSSIBLE",
        "source": "Entity list",
        "note": "A name alike",
        "reference": "",
    }
    answer = browser.post(f"{path}/screenings/new", given)
    assert (answer.status_code, path_of(answer)) == (303, path)
    found = one(story, SupplierScreening)
    assert isinstance(found, SupplierScreening)
    assert (found.result, found.created_by) == (ScreeningResult.POSSIBLE, "user:quinn")
    assert "A name alike" in browser.get(f"{path}?tab=known").text
    assert "Possible" in browser.get(path).text


def test_a_form_keeps_what_was_typed_and_says_what_is_missing(browse: People, path: str) -> None:
    answer = browse(quinn).post(
        f"{path}/screenings/new", {"screened_on": "2026-11-22", "result": "MATCH", "source": "Entity list"}
    )
    assert answer.status_code == 422
    assert "Entity list" in answer.text
    assert "say what was found" in answer.text
    assert browse(quinn).post(f"{path}/screenings/new", {"screened_on": "soon"}).status_code == 422


@pytest.mark.parametrize(
    "page", ["screenings/new", "sub-tiers/new", "first-articles/new", "changes/new", "suspend", "standing/conditional"]
)
def test_whoever_has_no_role_opens_no_form(browse: People, path: str, page: str) -> None:
    assert browse(otto).get(f"{path}/{page}").status_code == 403
    assert browse(quinn).get(f"{path}/{page}").status_code == 200
    assert browse(quinn).get(f"/suppliers/{UNKNOWN}/{page}").status_code == 404


def test_a_sub_tier_goes_from_declared_to_signed_to_ended(browse: People, story: Story, path: str) -> None:
    declared = {"process_code": "HEAT_TREAT", "declarant": "SUPPLIER", "name": "Acme Plating"}
    assert browse(bea).post(f"{path}/sub-tiers/new", declared).status_code == 303
    found = one(story, SubTier)
    assert isinstance(found, SubTier)
    quality, address = browse(quinn), f"{path}/sub-tiers/{found.id}"
    assert browse(bea).get(f"{address}/approve").status_code == 403
    assert signed(quality, f"{address}/approve", password="guess") == 403
    assert signed(quality, f"{address}/approve") == 303
    assert "Acme Plating" in quality.get(f"{path}?tab=known").text
    assert quality.post(f"{address}/stop", {"to": "ENDED", "reason": ""}).status_code == 422
    assert quality.post(f"{address}/stop", {"to": "ENDED", "reason": "Done in house"}).status_code == 303
    ended = one(story, SubTier)
    assert isinstance(ended, SubTier)
    assert ended.status is SubTierStatus.ENDED
    assert quality.get(f"{path}/sub-tiers/{UNKNOWN}/approve").status_code == 404


def test_a_first_article_and_a_change_are_written_down(browse: People, story: Story, path: str) -> None:
    part = story.given(lambda act: makers.make_part(act, "P-4000").part_no)
    quality = browse(quinn)
    decided = {"cause": "NEW_SOURCE", "scope": "FULL", "part_no": part, "reason": "First order here"}
    assert quality.post(f"{path}/first-articles/new", decided | {"part_no": "P-0"}).status_code == 422
    assert quality.post(f"{path}/first-articles/new", decided).status_code == 303
    found = one(story, FirstArticleDecision)
    assert isinstance(found, FirstArticleDecision)
    assert found.decided_by == "quinn"
    changed = {"kind": "PROCESS", "effective_on": "2026-12-01", "statement": "New furnace"}
    assert quality.post(f"{path}/changes/new", changed | {"effective_on": ""}).status_code == 422
    assert quality.post(f"{path}/changes/new", changed).status_code == 303
    assert isinstance(one(story, SupplierChangeNotice), SupplierChangeNotice)
    shown = quality.get(f"{path}?tab=known").text
    assert "First order here" in shown
    assert "New furnace" in shown


def test_a_certificate_is_looked_up_on_the_page(browse: People, story: Story, path: str) -> None:
    def arrange(act: makers.Act) -> str:
        approval = act.session.get_one(Supplier, path.rpartition("/")[2]).approvals[0]
        task = ApprovalRecheck(approval=approval, approval_id=approval.id, due_on=makers.dt.date(2026, 12, 1))
        act.session.add(task)
        act.session.flush()
        return task.id

    address = f"{path}/rechecks/{story.given(arrange)}"
    assert browse(bea).get(address).status_code == 403
    assert browse(quinn).post(address, {"outcome": "CONFIRMED", "note": "eAuditNet shows it"}).status_code == 303
    found = one(story, ApprovalRecheck)
    assert isinstance(found, ApprovalRecheck)
    assert (found.status, found.done_by) == (RecheckStatus.CONFIRMED, "quinn")
    assert browse(quinn).post(address, {"outcome": "REFUTED", "note": "No"}).status_code == 409


def test_a_supplier_becomes_conditional_and_is_suspended(browse: People, story: Story, path: str) -> None:
    quality = browse(quinn)
    assert signed(quality, f"{path}/standing/conditional", reason="") == 422
    assert signed(quality, f"{path}/standing/conditional") == 303
    assert quality.post(f"{path}/suspend", {"reason": "Fraud is suspected"}).status_code == 303
    assert quality.post(f"{path}/suspend", {"reason": "Again"}).status_code == 409
    found = story.read(lambda session: session.get_one(Supplier, path.rpartition("/")[2]))
    assert found.status is SupplierStatus.SUSPENDED
    assert quality.get(f"{path}/standing/dubious").status_code == 404


def test_a_laboratory_scope_names_discipline_range_and_end(browse: People, path: str) -> None:
    given = {
        "subject": "COMMODITY", "code": "CALIBRATION", "valid_from": "2026-11-25", "valid_to": "2027-11-24", "basis": "AUDIT",
        "accreditation_no": "L-17", "discipline": "Dimensional",
    }  # fmt: skip
    answer = browse(quinn).post(f"{path}/approvals/new", given)
    assert answer.status_code == 422
    full = given | {
        "measuring_range": "0 to 300 mm",
        "certificate_expires_on": "2027-06-30",
        "accreditation_body": "A2LA",
    }
    address = path_of(browse(quinn).post(f"{path}/approvals/new", full))
    assert "A2LA: Dimensional, 0 to 300 mm" in browse(quinn).get(address).text
