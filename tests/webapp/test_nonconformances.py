"""The pages of nonconformances and deviations: quality decides with a signature, others read; an operation is left out."""

from __future__ import annotations

import datetime as dt
import html
import re
from decimal import Decimal

import pytest
from sqlalchemy import select

from engine.act import Act
from records.nonconformance import DeviationAuthority, Nonconformance
from records.signature import Signature
from records.work_order import OperationStatus, WorkOrder
from tests.makers import make_deviation, make_nonconformance, make_order_to_receive, make_work_order
from tests.people import otto, quinn
from tests.story import Story
from tests.webapp.conftest import People

SIGNED = {"meaning": "APPROVED", "user_id": "quinn", "password": "lockstep-demo", "accepts_responsibility": "true"}


@pytest.fixture
def found(story: Story) -> str:
    """The id of NCR-88: four pieces of WO-7001."""
    made: str = story.given(
        lambda act: make_nonconformance(act, make_work_order(act, number="WO-7001"), "NCR-88", owner="role:QA_ENG").id
    )
    return made


def ncr(story: Story, record_id: str) -> Nonconformance:
    made: Nonconformance = story.read(lambda session: session.get_one(Nonconformance, record_id))
    return made


def signatures(story: Story, record_type: str) -> list[Signature]:
    made: list[Signature] = story.read(
        lambda session: list(session.scalars(select(Signature).where(Signature.record_type == record_type)))
    )
    return made


def test_quality_decides_with_a_signature_and_the_list_says_so(browse: People, story: Story, found: str) -> None:
    page = browse(quinn)
    assert "NCR-88" in page.get("/nonconformances").text
    assert page.get("/nonconformances.csv?q=ncr-88").text.splitlines()[1].startswith("NCR-88,")
    answer = page.post(
        f"/nonconformances/{found}", SIGNED | {"disposition": "REWORK", "reason": "Bore again", "quantity_limit": "3"}
    )
    assert answer.status_code == 303
    stored = ncr(story, found)
    assert (stored.status, stored.disposition, stored.quantity_limit, stored.disposed_by_id) == (
        "DISPOSED", "REWORK", Decimal(3), "quinn",
    )  # fmt: skip
    (signature,) = signatures(story, "nonconformance")
    assert (signature.signer_id, signature.role, signature.meaning) == ("quinn", "QA_ENG", "APPROVED")
    assert "Rework" in page.get("/nonconformances?state=DISPOSED").text


def test_a_change_is_asked_for_from_its_page_and_stands_there(browse: People, found: str) -> None:
    """C01: the form begins with what the nonconformance says."""
    page = browse(otto)
    shown = page.get(f"/nonconformances/{found}").text
    link = re.search(r'href="(/change-requests/new[^"]+)"', shown)
    assert link is not None
    form = page.get(html.unescape(link[1])).text
    assert 'value="NCR-88"' in form
    answer = page.post(
        "/change-requests/new",
        {
            "title": "Bore",
            "problem": "Too small",
            "source": "NCR",
            "source_ref": "NCR-88",
            "urgency": "URGENT",
            "do": "send",
        },
    )
    assert answer.status_code == 303
    shown = page.get(f"/nonconformances/{found}").text
    assert "CR-000001" in shown
    assert "Submitted" in shown


@pytest.mark.parametrize(
    "wrong", [{"password": "guess"}, {"reason": ""}, {"disposition": ""}, {"quantity_limit": "5"}, {"meaning": ""}]
)
def test_a_decision_that_is_not_whole_changes_nothing(
    browse: People, story: Story, found: str, wrong: dict[str, str]
) -> None:
    given = SIGNED | {"disposition": "SCRAP", "reason": "Too thin"} | wrong
    assert browse(quinn).post(f"/nonconformances/{found}", given).status_code in (403, 422)
    assert ncr(story, found).status == "OPEN"
    assert signatures(story, "nonconformance") == []


def test_who_is_not_quality_reads_and_decides_nothing(browse: People, story: Story, found: str) -> None:
    page = browse(otto)
    assert "Sign the decision" not in page.get(f"/nonconformances/{found}").text
    given = SIGNED | {"user_id": "otto", "disposition": "SCRAP", "reason": "Too thin"}
    assert page.post(f"/nonconformances/{found}", given).status_code == 403
    assert page.get("/deviations/new").status_code == 403
    assert ncr(story, found).status == "OPEN"


def test_received_goods_are_decided_with_their_receipt(browse: People, story: Story) -> None:
    def arrange(act: Act) -> str:
        order = make_order_to_receive(act)  # the goods' document; its kind is what counts
        made = make_nonconformance(act, order, about_number="RCV-1")
        made.about_type = "receipt"
        return made.id

    record_id = story.given(arrange)
    page = browse(quinn)
    assert "with its goods" in page.get(f"/nonconformances/{record_id}").text
    answer = page.post(f"/nonconformances/{record_id}", SIGNED | {"disposition": "SCRAP", "reason": "Bent"})
    assert (answer.status_code, "on the page of RCV-1" in answer.text) == (409, True)


def test_a_deviation_is_signed_and_an_operation_is_left_out_under_it(browse: People, story: Story) -> None:
    order_id = story.given(lambda act: make_work_order(act, number="WO-7001").id)
    page = browse(quinn)
    given = {"title": "No mill profile", "quantity": "10", "expires_on": "2026-12-31"}
    assert page.post("/deviations/new", SIGNED | given | {"expires_on": "2026-01-01"}).status_code == 422
    assert page.post("/deviations/new", SIGNED | given).status_code == 303
    deviation = story.read(lambda session: session.scalars(select(DeviationAuthority)).one())
    assert (deviation.status, deviation.approved_by_id, deviation.expires_on) == (
        "APPROVED", "quinn", dt.date(2026, 12, 31),
    )  # fmt: skip
    assert len(signatures(story, "deviation_authority")) == 1
    first = story.read(lambda session: session.get_one(WorkOrder, order_id).operations[0].id)
    address = f"/work-orders/{order_id}/operations/{first}/skip"
    assert address in page.get(f"/work-orders/{order_id}").text
    assert deviation.number in page.get(address).text
    assert page.post(address, SIGNED | {"deviation": ""}).status_code == 422
    assert browse(otto).get(address).status_code == 403
    assert page.post(address, SIGNED | {"deviation": deviation.id}).status_code == 303
    operations = story.read(lambda session: list(session.get_one(WorkOrder, order_id).operations))
    assert [operation.status for operation in operations[:2]] == [
        OperationStatus.SKIPPED_BY_DEVIATION, OperationStatus.READY,
    ]  # fmt: skip
    assert (operations[0].deviation_id, operations[1].quantity_in) == (deviation.id, Decimal(10))


def test_a_deviation_for_fewer_pieces_permits_no_leaving_out(browse: People, story: Story) -> None:
    order_id = story.given(lambda act: make_work_order(act).id)
    small = story.given(lambda act: make_deviation(act, quantity=Decimal(9)).id)
    first = story.read(lambda session: session.get_one(WorkOrder, order_id).operations[0].id)
    page, address = browse(quinn), f"/work-orders/{order_id}/operations/{first}/skip"
    assert "No deviation permits it" in page.get(address).text
    assert page.post(address, SIGNED | {"deviation": small}).status_code == 422
