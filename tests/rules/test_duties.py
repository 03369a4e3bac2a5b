"""Segregation of duties: on decisions, signatures, tasks and grants, for the person and whoever they stand in for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from engine.act import Act, Installation
from engine.database import new_id
from engine.decisions import Decision
from engine.errors import RuleViolation
from engine.stored.task import Task
from records.purchase_order import OrderStatus, PurchaseOrder, approved_hash, move
from records.requisition import Requisition, RequisitionStatus
from records.requisition import move as move_requisition
from records.signature import Meaning
from rules.duties import Approval, bars
from rules.guard import LockstepGuard
from tests.makers import (
    make_absence,
    make_approval,
    make_delegation,
    make_grant,
    make_order,
    make_requisition,
    make_revision,
    make_signature,
    make_slot,
    make_supplier,
    make_user,
)


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    with house.acting("user:bea") as opened:
        yield opened


def rules_for(act: Act, document: Any, user: str, on_behalf_of: str | None = None) -> list[str]:
    approval = Approval(document.record_type, document.id, None, user, on_behalf_of, act.now)
    return [finding.rule for finding in bars(act.session, approval)]


def order_for(act: Act, requisition: Requisition) -> PurchaseOrder:
    order = make_order(act)
    order.lines[0].requisition_line_id = requisition.lines[0].id
    act.session.flush()
    return order


@pytest.mark.parametrize(
    ("user", "on_behalf_of", "expected"),
    [
        ("carl", None, []),
        ("rita", None, ["SOD-1"]),
        ("bea", None, ["SOD-2"]),
        ("adam", None, ["SOD-12"]),
        ("carl", "rita", ["SOD-13"]),
        ("bea", "rita", ["SOD-2", "SOD-13"]),
        ("rita", "carl", ["SOD-1"]),
        ("max", "bea", ["SOD-13"]),
    ],
)
def test_who_may_approve_a_requisition(act: Act, user: str, on_behalf_of: str | None, expected: list[str]) -> None:
    assert rules_for(act, make_requisition(act), user, on_behalf_of) == expected


@pytest.mark.parametrize(("user", "expected"), [("rita", ["SOD-1"]), ("bea", ["SOD-2"]), ("max", []), ("lena", [])])
def test_who_may_approve_an_order(act: Act, user: str, expected: list[str]) -> None:
    assert rules_for(act, order_for(act, make_requisition(act)), user) == expected


def test_once_an_order_names_its_buyer_only_that_one_is_barred_from_the_request(act: Act) -> None:
    requisition = make_requisition(act)
    make_user(act, "ben")
    make_grant(act, "ben", "BUYER")
    assert rules_for(act, requisition, "ben") == ["SOD-2"]
    order_for(act, requisition)
    assert (rules_for(act, requisition, "ben"), rules_for(act, requisition, "bea")) == ([], ["SOD-2"])


def test_the_sentence_says_who_and_why(act: Act) -> None:
    requisition = make_requisition(act)
    approval = Approval("requisition", requisition.id, None, "bea", "rita", act.now)
    first, second = bars(act.session, approval)
    assert first.sentence == f"Expected somebody else to approve {requisition.number}, but Bea Castillo is its buyer."
    assert "Rita Okafor is barred (SOD-1)" in second.sentence


def decision(document: Any, actor: str, **fields: Any) -> Decision:
    given = {
        "id": new_id(), "instance_id": new_id(), "seq": 1, "kind": "DECISION", "element_id": "decide", "round": 1,
        "record_type": document.record_type, "record_id": document.id, "record_hash": "a" * 64, "definition_hash": "b" * 64,
        "verdict": "approve", "reason": "", "actor_id": actor, "actor_name": actor, "method": "form",
        "decided_at": dt.datetime(2026, 11, 22, 15, tzinfo=dt.UTC), "prev_hash": "0" * 64, "hash": "1" * 64,
    }  # fmt: skip
    return Decision(**(given | fields))


def test_a_decision_against_the_duties_is_refused_and_kept(house: Installation) -> None:
    with house.acting("user:rita") as act:
        requisition = make_requisition(act)
    with pytest.raises(RuleViolation) as caught, house.acting("user:rita") as act:
        act.session.add(decision(requisition, "rita"))
    assert (caught.value.code, caught.value.http_status, caught.value.keep) == ("SOD-1", 403, True)
    assert caught.value.record == ("requisition", requisition.id)


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "reject"},
        {"verdict": "return"},
        {"verdict": "approve", "meaning": "RELEASED"},
        {"kind": "VOID"},
        {"record_id": None},
    ],
)
def test_what_is_no_approval_is_not_barred(act: Act, fields: dict[str, Any]) -> None:
    row = decision(make_requisition(act), "rita", **fields)
    from engine.record import Edit, Operation
    from rules.duties import an_approval_is_somebody_elses

    act.session.add(row)
    with act.session.no_autoflush:
        edit = Edit(row, "decision", Operation.INSERT, {})
        assert list(an_approval_is_somebody_elses.findings(edit)) == []
    act.session.expunge(row)


def test_a_signature_against_the_duties_is_refused(house: Installation) -> None:
    with house.acting("user:bea") as act:
        order = make_order(act)
    with pytest.raises(RuleViolation, match="its buyer"), house.acting("user:bea") as act:
        make_signature(act, order, content_hash="a" * 64, signer="bea")
    with house.acting("user:bea") as act:
        make_signature(act, order, content_hash="a" * 64, signer="bea", meaning=Meaning.RELEASED)


def task(document: Any, **fields: Any) -> Task:
    given = {
        "outcomes": ["approve", "reject"], "signature": "APPROVED", "flow": "requisition_to_po",
        "record_type": document.record_type, "record_id": document.id, "record_hash": None,
    }  # fmt: skip
    return Task(**(given | fields))


@pytest.mark.parametrize(
    ("fields", "barred"),
    [
        ({}, True),
        ({"signature": None}, True),
        ({"signature": "RELEASED"}, False),
        ({"outcomes": ["answer"]}, False),
        ({"outcomes": []}, False),
        ({"record_type": None}, False),
    ],
)
def test_pages_learn_who_is_barred_from_a_task(act: Act, fields: dict[str, Any], barred: bool) -> None:
    row = task(make_requisition(act), **fields)
    found = LockstepGuard().may_decide(act.session, row, "rita", on_behalf_of=None, now=act.now)
    assert [finding.rule for finding in found] == ["SOD-1"] * barred


@pytest.mark.parametrize(("quantity", "barred"), [(199, False), (200, True)])
def test_from_band_two_on_nobody_signs_twice(act: Act, quantity: int, barred: bool) -> None:
    order = make_order(act, (make_revision(act), quantity, 50))
    content = approved_hash(order)
    make_signature(act, order, content_hash=content, signer="quinn", role="QA_SP")
    approval = Approval("purchase_order", order.id, content, "quinn", None, act.now)
    assert [finding.rule for finding in bars(act.session, approval)] == ["SOD-ONCE"] * barred


def test_a_new_content_is_signed_anew(act: Act) -> None:
    order = make_order(act, (make_revision(act), 200, 50))
    make_signature(act, order, content_hash="a" * 64, signer="quinn")
    approval = Approval("purchase_order", order.id, approved_hash(order), "quinn", None, act.now)
    assert list(bars(act.session, approval)) == []


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [("ADMIN", "PUR_MGR", True), ("PUR_MGR", "ADMIN", True), ("ADMIN", "INTEGRATION", False), ("PUR_MGR", "SQ", False)],
)
def test_an_administrator_signs_no_business(house: Installation, first: str, second: str, refused: bool) -> None:
    with house.acting("user:adam") as act:
        make_requisition(act)
        make_user(act, "ned")
        make_grant(act, "ned", first)
        if not refused:
            make_grant(act, "ned", second)
            return
        with pytest.raises(RuleViolation, match="administrator"):
            make_grant(act, "ned", second)
        act.session.rollback()


def test_one_after_the_other_is_no_clash(house: Installation) -> None:
    change = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    with house.acting("user:adam") as act:
        make_requisition(act)
        make_user(act, "ned")
        make_grant(act, "ned", "ADMIN", valid_to=change)
        make_grant(act, "ned", "PUR_MGR", valid_from=change)


def test_a_signer_of_the_request_does_not_buy_on_that_approval(act: Act) -> None:
    requisition = make_requisition(act)
    move_requisition(act, requisition, RequisitionStatus.SUBMITTED)
    assert requisition.submitted_hash is not None
    slot = make_slot(act, requisition, record_hash=requisition.submitted_hash)
    slot.signature = make_signature(act, requisition, content_hash=requisition.submitted_hash, signer="max")
    act.session.flush()
    supplier = make_supplier(act)
    make_approval(act, supplier)
    order = make_order(act, supplier=supplier, buyer_id="max")
    order.lines[0].requisition_line_id = requisition.lines[0].id
    act.session.flush()
    move(act, order, OrderStatus.PENDING_APPROVAL)
    move(act, order, OrderStatus.APPROVED)
    with pytest.raises(RuleViolation, match="Max Lindgren approved the request"):
        act.session.flush()
    act.session.rollback()


def test_what_was_lent_ends_at_its_amount_and_never_reaches_the_lenders_own_documents(act: Act) -> None:
    requisition = make_requisition(act)
    lent = make_delegation(act, "max", "otto", "PUR_MGR", max_amount=requisition.total)
    assert rules_for(act, requisition, "otto", "max") == []
    lent.max_amount = requisition.total - 1
    act.session.flush()
    assert rules_for(act, requisition, "otto", "max") == ["SOD-13"]
    more = make_delegation(act, "max", "otto", "PUR_MGR", excludes_signed_documents=False)
    make_signature(act, requisition, content_hash="0" * 64, signer="max", role="PUR_MGR")
    assert rules_for(act, requisition, "otto", "max") == [], "one of what was lent covers it"
    more.excludes_signed_documents = True
    act.session.flush()
    assert rules_for(act, requisition, "otto", "max") == ["SOD-13"], "the lender signed it"
    make_absence(act, "max", "otto", starts_at=act.now, ends_at=act.now + dt.timedelta(days=1))
    assert rules_for(act, requisition, "otto", "max") == [], "a deputy of somebody absent decides as that one does"
