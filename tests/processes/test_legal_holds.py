"""A record under a legal hold is kept, whoever deletes; what is past its time is listed, and never deleted by the list."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from engine.act import Installation
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from engine.ports import SignatureRequest
from processes import legal_holding
from processes.retention import classes, past_their_time
from records.legal_hold import LegalHold
from records.requisition import Requisition, RequisitionLine
from rules.triggers import verify_guard
from tests.clock import SettableClock
from tests.makers import make_requisition
from tests.people import PASSWORD, lena, rita
from tests.story import Story

REASON = "a customer's claim about heat 7788"


def signature(user_id: str, password: str = PASSWORD) -> SignatureRequest:
    return SignatureRequest(meaning="APPROVED", password=password, user_id=user_id)


def place(house: Installation, number: str, *, by: str = "quinn", reason: str = REASON) -> str:
    with house.acting(f"user:{by}") as act:
        return legal_holding.place(act, {"record": number, "reason": reason}, signature(by)).id


def lift(house: Installation, hold_id: str, *, by: str = "gina") -> None:
    with house.acting(f"user:{by}") as act:
        hold = act.session.get(LegalHold, hold_id)
        assert hold is not None
        legal_holding.lift(act, hold, signature(by), reason="the claim is settled")


@pytest.fixture
def draft(plant: Installation) -> Requisition:
    """Have a requisition that nobody submitted: the one kind of document that may be deleted at all."""
    with plant.acting("user:rita") as act:
        return make_requisition(act)


def delete_draft(house: Installation, draft: Requisition) -> None:
    with house.acting("user:rita") as act:
        act.session.delete(act.session.get(Requisition, draft.id))


@pytest.mark.part11("11.10(c)")
def test_a_held_record_is_not_deleted_until_the_hold_is_lifted(plant: Installation, draft: Requisition) -> None:
    hold_id = place(plant, draft.number)
    with pytest.raises(Exception, match=r"ON_LEGAL_HOLD|under a legal hold"):
        delete_draft(plant, draft)
    for table, column in ((RequisitionLine, "requisition_id"), (Requisition, "id")):
        with pytest.raises(DBAPIError, match="ON_LEGAL_HOLD"), plant.database.begin() as connection:
            connection.execute(delete(table).where(getattr(table, column) == draft.id))
    lift(plant, hold_id)
    delete_draft(plant, draft)
    with plant.reading() as session:
        assert session.get(Requisition, draft.id) is None


def test_only_who_the_table_names_places_and_lifts(plant: Installation, draft: Requisition) -> None:
    with pytest.raises(Forbidden, match="QA_ENG or GM"):
        place(plant, draft.number, by="otto")
    hold_id = place(plant, draft.number)
    with pytest.raises(Forbidden, match="GM to lift"):
        lift(plant, hold_id, by="quinn")
    with pytest.raises(Conflict, match="stands on it already"):
        place(plant, draft.number)
    lift(plant, hold_id)
    with pytest.raises(Conflict, match="lifted it"):
        lift(plant, hold_id)


def test_a_hold_needs_a_reason_a_record_and_the_right_password(plant: Installation, draft: Requisition) -> None:
    with pytest.raises(Invalid, match="a reason"):
        place(plant, draft.number, reason="  ")
    with pytest.raises(NotFound, match="PO-NONE"):
        place(plant, "PO-NONE")
    with pytest.raises(Forbidden), plant.acting("user:quinn") as act:
        legal_holding.place(act, {"record": draft.number, "reason": REASON}, signature("quinn", "wrong"))
    with plant.reading() as session:
        assert legal_holding.holds_of(session) == []


def test_no_statement_places_or_lifts_a_hold_without_a_signature(plant: Installation, draft: Requisition) -> None:
    hold_id = place(plant, draft.number)
    lifted = update(LegalHold).values(
        status="LIFTED", lifted_hash="ab" * 32, lifted_at=dt.datetime(2026, 12, 1, tzinfo=dt.UTC), lifted_by="quinn"
    )
    for statement in (
        lifted,
        update(LegalHold).values(reason="another"),
        delete(LegalHold).where(LegalHold.id == hold_id),
    ):
        with pytest.raises(DBAPIError, match=r"UNSIGNED|legal_hold"), plant.database.begin() as connection:
            connection.execute(statement)
    with plant.database.connect() as connection:
        assert verify_guard(connection) == []


@pytest.mark.part11("11.10(c)")
def test_what_ended_long_ago_is_listed_with_its_hold(plant: Installation, clock: SettableClock) -> None:
    story = Story(plant, clock)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    story.as_(lena).decide("approve_requisition", "reject", reason="no budget")
    number = story.requisition.number
    with plant.reading() as session:
        assert list(past_their_time(session, now=clock.now)) == []
        [past] = list(past_their_time(session, now=clock.now + dt.timedelta(days=7 * 366)))
    assert (past.number, past.status, past.hold, past.retention.years) == (number, "REJECTED", "", 7)
    place(plant, number)
    with plant.reading() as session:
        [past] = list(past_their_time(session, now=clock.now + dt.timedelta(days=7 * 366)))
        assert session.get(Requisition, past.record_id) is not None
    assert past.hold == "LH-000001"


def test_every_ended_status_of_the_table_is_one_of_its_record(plant: Installation) -> None:
    with plant.reading() as session:
        assert list(past_their_time(session, now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))) == []
    assert {one.record_type for one in classes()} >= {"purchase_order", "work_order", "requisition", "invoice"}
    assert "lot" not in {one.record_type for one in classes()}
