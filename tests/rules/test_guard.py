"""The flush guard says what is refused, who owns it and what to do instead; nothing of a refused act remains."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine import jobs, worker
from engine.act import Act, Installation
from engine.audit import AuditEvent, chain_of
from engine.errors import Conflict, RuleViolation
from engine.registry import Work
from engine.stored.job import Job
from records.approval import ApprovalSlot
from records.calendar import Site
from records.part import PartRevision
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine, approved_hash, move
from records.requisition import RequisitionStatus
from records.requisition import move as move_requisition
from records.signing import supersede
from rules.change_item import ChangeItem
from rules.finding import KeptFinding
from rules.flow_mode import FlowMode
from tests.makers import (
    make_approval,
    make_order,
    make_order_line,
    make_release,
    make_requisition,
    make_revision,
    make_signature,
    make_slot,
    make_supplier,
)

S = OrderStatus


def approved_order(act: Act, *, to: OrderStatus = S.APPROVED) -> PurchaseOrder:
    supplier = make_supplier(act)
    make_approval(act, supplier)
    order = make_order(act, (make_revision(act), 10, "42.50"), supplier=supplier)
    move(act, order, S.PENDING_APPROVAL)
    slot = make_slot(act, order, record_hash=approved_hash(order))
    slot.signature = make_signature(act, order, content_hash=approved_hash(order))
    act.session.flush()
    move(act, order, S.APPROVED)
    if to in (S.APPROVED_NOT_TRANSMITTED, S.TRANSMITTED):
        make_release(act, order)
        move(act, order, S.APPROVED_NOT_TRANSMITTED)
    if to is S.TRANSMITTED:
        order.po_no = "4500001"
        move(act, order, S.TRANSMITTED)
    act.session.flush()
    return order


def attempt(house: Installation, work: Callable[[Act], object]) -> None:
    with house.acting("user:bea") as act:
        work(act)


@pytest.fixture
def order_id(house: Installation) -> str:
    with house.acting("user:bea") as act:
        return approved_order(act).id


def test_an_approved_price_does_not_change_and_the_message_says_it_all(house: Installation, order_id: str) -> None:
    with pytest.raises(RuleViolation) as caught, house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order_id).lines[0].unit_price = Decimal(43)
    (finding,) = caught.value.findings
    assert (finding.rule, finding.field, finding.old, finding.new) == (
        "UNCONTROLLED_CHANGE",
        "unit_price",
        "42.5000",
        "43.0000",
    )
    assert (finding.owner, finding.record_type) == ("role:BUYER", "purchase_order_line")
    assert finding.way_out == "Withdraw the order, which returns it to DRAFT and supersedes its signatures."
    assert "needs change class C1" in finding.sentence
    assert (len(finding.judged_by), finding.row is not None) == (64, True)
    with house.reading() as session:
        line = session.get_one(PurchaseOrder, order_id).lines[0]
        assert line.unit_price == Decimal("42.5000")
        assert chain_of(session, "purchase_order_line", line.id)[-1].field == "UNCONTROLLED_CHANGE"


def test_after_sending_the_way_out_is_an_amendment(house: Installation) -> None:
    with house.acting("user:bea") as act:
        order = approved_order(act, to=S.TRANSMITTED)
        other = make_revision(act, order.lines[0].part_revision.part, "C", status="DRAFT")
    with pytest.raises(RuleViolation, match="needs change class C3") as caught, house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order.id).lines[0].part_revision_id = other.id
    assert caught.value.findings[0].way_out == "An amendment is needed: the supplier has this order."
    assert caught.value.http_status == 409


def test_a_withdrawn_order_is_free_again(house: Installation, order_id: str) -> None:
    with house.acting("user:bea") as act:
        order = act.session.get_one(PurchaseOrder, order_id)
        supersede(act, order.record_type, order.id)
        move(act, order, S.DRAFT)
        order.lines[0].unit_price = Decimal(43)
    with house.reading() as session:
        assert session.get_one(PurchaseOrder, order_id).lines[0].unit_price == Decimal("43.0000")


def test_the_old_value_is_looked_up_when_it_was_not_loaded(house: Installation, order_id: str) -> None:
    def change(act: Act) -> None:
        line = act.session.get_one(PurchaseOrder, order_id).lines[0]
        act.session.expire(line)
        line.unit_price = Decimal(43)

    with pytest.raises(RuleViolation) as caught:
        attempt(house, change)
    assert caught.value.findings[0].old == "42.5000"


def test_a_line_neither_joins_nor_leaves_an_approved_order(house: Installation, order_id: str) -> None:
    with pytest.raises(RuleViolation, match="was inserted"), house.acting("user:bea") as act:
        make_order_line(act, act.session.get_one(PurchaseOrder, order_id), make_revision(act))
    with pytest.raises(RuleViolation, match="was deleted"), house.acting("user:bea") as act:
        act.session.delete(act.session.get_one(PurchaseOrder, order_id).lines[0])

    def clear(act: Act) -> None:
        order = act.session.get_one(PurchaseOrder, order_id)
        order.lines.clear()

    with pytest.raises(RuleViolation, match="was deleted"):
        attempt(house, clear)


def take_out(order: PurchaseOrder) -> None:
    order.lines.remove(order.lines[0])


def replace_all(order: PurchaseOrder) -> None:
    order.lines = []


def cut_loose(order: PurchaseOrder) -> None:
    order.lines[0].order = None  # what the type forbids is what is tried


@pytest.mark.parametrize("leave", [take_out, replace_all, cut_loose])
def test_a_line_that_is_taken_out_of_a_draft_leaves_its_end_in_the_chain(
    house: Installation, leave: Callable[[PurchaseOrder], None]
) -> None:
    with house.acting("user:bea") as act:
        order = make_order(act)
        line = order.lines[0]
    with house.acting("user:bea") as act:
        leave(act.session.get_one(PurchaseOrder, order.id))
    with house.reading() as session:
        assert session.get(PurchaseOrderLine, line.id) is None
        ends = {
            event.field: (event.old, event.new)
            for event in chain_of(session, "purchase_order_line", line.id)
            if event.action == "DELETE"
        }
    assert ends["quantity"] == ("5.000000", None)
    assert ends["order_id"] == (order.id, None)


def test_a_line_that_is_loaded_without_its_order_is_judged_when_it_is_cut_loose(
    house: Installation, order_id: str
) -> None:
    def cut(act: Act) -> None:
        line = act.session.scalars(select(PurchaseOrderLine).where(PurchaseOrderLine.order_id == order_id)).one()
        line.order = None  # what the type forbids is what is tried

    with pytest.raises(RuleViolation, match="was deleted"):
        attempt(house, cut)


def test_an_order_is_not_approved_while_a_seat_is_empty(house: Installation) -> None:
    def approve(act: Act) -> None:
        order = make_order(act)
        move(act, order, S.PENDING_APPROVAL)
        make_slot(act, order, record_hash=approved_hash(order), role="QA_SP", stage=1)
        move(act, order, S.APPROVED)

    with pytest.raises(RuleViolation, match=r"QA_SP \(stage 1\) has not signed"):
        attempt(house, approve)


def test_a_status_set_by_hand_follows_the_list(house: Installation, order_id: str) -> None:
    with (
        pytest.raises(RuleViolation, match="not from APPROVED to TRANSMITTED") as caught,
        house.acting("user:bea") as act,
    ):
        act.session.get_one(PurchaseOrder, order_id).status = S.TRANSMITTED
    assert caught.value.code == "ILLEGAL_TRANSITION"
    with pytest.raises(RuleViolation, match="to start as DRAFT"), house.acting("user:bea") as act:
        make_order(act, status=S.PENDING_APPROVAL)
    with pytest.raises(Conflict), house.acting("user:bea") as act:
        move(act, act.session.get_one(PurchaseOrder, order_id), S.TRANSMITTED)


def test_a_released_revision_does_not_change(house: Installation) -> None:
    with house.acting("user:ella") as act:
        revision = make_revision(act)
    with pytest.raises(RuleViolation, match="drawing rev") as caught, house.acting("user:ella") as act:
        act.session.get_one(PartRevision, revision.id).drawing_rev = "7"
    assert caught.value.findings[0].way_out.startswith("Ask for a change with these edits")


def test_a_submitted_requisition_does_not_change(house: Installation) -> None:
    with house.acting("user:rita") as act:
        requisition = make_requisition(act)
        move_requisition(act, requisition, RequisitionStatus.SUBMITTED)
    with pytest.raises(RuleViolation, match="quantity"), house.acting("user:rita") as act:
        act.session.merge(requisition).lines[0].quantity = Decimal(99)


def test_bulk_statements_on_documents_are_refused(house: Installation) -> None:
    for statement in (update(PurchaseOrderLine).values(uom="KG"), delete(PurchaseOrder), insert(PurchaseOrderLine)):
        with pytest.raises(RuleViolation, match="one by one"), house.acting("user:bea") as act:
            act.session.execute(statement, [{}] if statement.is_insert else None)


def test_core_statements_meet_the_triggers(house: Installation, order_id: str) -> None:
    with pytest.raises(RuleViolation) as caught, house.acting("user:bea") as act:
        act.session.connection().execute(update(PurchaseOrderLine.__table__).values(unit_price=Decimal(1)))
    refusal = caught.value
    assert (refusal.code, refusal.message[:40]) == ("UNCONTROLLED_CHANGE", "Expected purchase_order_line.unit_price ")


def test_a_step_of_an_act_meets_the_triggers_and_the_act_goes_on(house: Installation, order_id: str) -> None:
    with house.acting("user:bea") as act:
        with pytest.raises(RuleViolation, match=r"Expected purchase_order_line\.unit_price "), act.attempt():
            act.session.connection().execute(update(PurchaseOrderLine.__table__).values(unit_price=Decimal(1)))
        act.note("purchase_order", order_id, "LOOKED_AT")
    with house.reading() as session:
        assert session.get_one(PurchaseOrder, order_id).lines[0].unit_price != Decimal(1)
        assert session.scalar(select(AuditEvent.action).where(AuditEvent.action == "LOOKED_AT")) is not None


def test_a_job_that_meets_the_triggers_waits_with_their_words(house: Installation, order_id: str) -> None:
    @house.registry.job("cheapen")
    def cheapen(act: Act, _work: Work) -> None:
        act.session.connection().execute(update(PurchaseOrderLine.__table__).values(unit_price=Decimal(1)))

    with house.acting("user:bea") as act:
        job_id = jobs.defer(act, "cheapen").id
    worker.run_job(house, job_id, worker="w1")
    with house.reading() as session:
        error = session.get_one(Job, job_id).error
    assert error is not None
    assert error.startswith(
        ("RuleViolation: Expected purchase_order_line.unit_price", "Expected purchase_order_line.unit_price")
    )
    assert "UPDATE" not in error


def test_an_error_of_the_database_is_no_refusal(house: Installation, order_id: str) -> None:
    with pytest.raises(IntegrityError), house.acting("user:bea") as act:
        act.session.connection().execute(update(Site.__table__).values(name=None))


def test_an_approved_item_lets_exactly_its_value_pass(house: Installation) -> None:
    with house.acting("user:bea") as act:
        order = approved_order(act, to=S.TRANSMITTED)
        line = order.lines[0]
        item = ChangeItem(
            change_type="test_change", change_id="7", change_hash="c" * 64, table_name="purchase_order_line", row_id=line.id,
            operation="UPDATE", column_name="unit_price", old_text="42.5000", new_text="43.0000", change_class="C2",
        )  # fmt: skip
        act.session.add(item)
        act.session.flush()
        change = _Change()
        slot = make_slot(act, change, record_hash="c" * 64)
        slot.signature = make_signature(act, change, content_hash="c" * 64)
    with pytest.raises(RuleViolation, match="unit price"), house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order.id).lines[0].unit_price = Decimal(44)
    with house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order.id).lines[0].unit_price = Decimal(43)
    with house.reading() as session:
        assert session.scalars(select(ChangeItem.applied_at)).one() is not None


class _Change:
    record_type, id = "test_change", "7"


@pytest.mark.parametrize("mode", ["OBSERVE", "ADVISE"])
def test_a_lenient_flow_keeps_the_finding_and_lets_pass(house: Installation, order_id: str, mode: str) -> None:
    with house.acting("user:pat") as act:
        row = act.session.scalars(select(FlowMode).where(FlowMode.flow == "requisition_to_po")).one()
        act.session.add(
            ChangeItem(
                change_type="test_change", change_id="7", change_hash="c" * 64, table_name="flow_mode", row_id=row.id,
                operation="UPDATE", column_name="mode", old_text="ENFORCE", new_text=mode, change_class="C2",
            )
        )  # fmt: skip
        act.session.flush()
        slot = make_slot(act, _Change(), record_hash="c" * 64)
        slot.signature = make_signature(act, _Change(), content_hash="c" * 64)
        act.session.flush()
        row.mode = mode
    with house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order_id).lines[0].unit_price = Decimal(43)
        act.session.flush()
        assert [finding.rule for finding in act.findings] == ["UNCONTROLLED_CHANGE"] * (mode == "ADVISE")
    with house.reading() as session:
        found = session.scalars(select(KeptFinding).where(KeptFinding.field == "unit_price")).all()
        assert {row.mode for row in found} == {mode}
        assert session.get_one(PurchaseOrder, order_id).lines[0].unit_price == Decimal("43.0000")


def test_slots_are_written_through_the_guard_too(house: Installation, order_id: str) -> None:
    with (
        pytest.raises(RuleViolation, match="Expected the slots of a document to stay"),
        house.acting("user:bea") as act,
    ):
        act.session.delete(act.session.scalars(select(ApprovalSlot)).one())
