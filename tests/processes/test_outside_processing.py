"""Outside processing from an operation that is due to pieces that are back, verified and counted."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, RuleViolation
from engine.instances import Instance, live_tokens
from processes.outside_links import link
from processes.work_order_events import complete_operation, start_operation
from processes.work_orders import complete as complete_work
from records.invoice import HoldStatus, Invoice, InvoiceLine, MatchHold
from records.nonconformance import Nonconformance
from records.outside import LinkStatus
from records.part import RevisionStatus
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation
from tests import makers
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory, advance_order, bill, make_heat_treater, make_outside_work, ready_link


@pytest.fixture
def outside(plant: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in a plant, at 2026-11-22 15:00 UTC."""
    return OutsideStory(plant, clock)


def test_pieces_go_out_and_come_back_verified_and_the_next_operation_is_ready(outside: OutsideStory) -> None:
    outside.begin()
    assert (outside.steps, outside.incidents) == (["plan_shares"], [])
    outside.plan()
    assert (outside.steps, outside.incidents) == (["release_special_process"], [])
    assert outside.link.status is LinkStatus.PO_LINKED
    outside.release()
    assert (outside.steps, outside.incidents) == (["ship_parts"], [])
    outside.ship()
    assert (outside.steps, outside.incidents) == (["receive_parts"], [])
    assert (outside.link.status, outside.operation.status) == (LinkStatus.AT_SUPPLIER, OperationStatus.AT_SUPPLIER)
    outside.take_back(24)
    assert outside.incidents == []
    assert (outside.link.status, outside.operation.status) == (LinkStatus.RETURNED, OperationStatus.RETURNED_PENDING)
    outside.certify()
    assert outside.incidents == []
    assert (outside.operation.status, outside.operation.good) == (OperationStatus.COMPLETE, 24)
    assert outside.following().status is OperationStatus.READY
    assert outside.link.status is LinkStatus.VERIFIED


@ready_link
def test_a_certificate_of_another_revision_is_rejected_and_the_next_operation_stays_shut(outside: OutsideStory) -> None:
    """D27: until the certificate is there, nothing of the operation goes on and nothing is paid."""
    outside.ready().ship().take_back(24)
    with pytest.raises(Conflict):
        start_following(outside)
    with pytest.raises(RuleViolation, match="to be verified before") as refusal:
        complete_outside_operation(outside)
    assert refusal.value.code == "CON-10"
    invoice = bill(outside, 24)
    assert [hold.code for hold in holds_of(outside, invoice)] == ["CERT"]
    assert outside.certify(spec_rev="C", event="cert-c").status.value == "REJECTED"
    assert (outside.operation.status, outside.following().status) == (
        OperationStatus.RETURNED_PENDING,
        OperationStatus.WAITING,
    )
    with pytest.raises(Conflict):
        start_following(outside)
    assert outside.certify(event="cert-d").status.value == "VERIFIED"
    assert (outside.operation.status, outside.operation.good) == (OperationStatus.COMPLETE, 24)
    assert (outside.following().status, outside.following().quantity_in) == (OperationStatus.READY, 24)
    assert (holds_of(outside, invoice), outside.incidents) == ([], [])


def holds_of(outside: OutsideStory, invoice: Invoice) -> list[MatchHold]:
    """Return what keeps an invoice from being paid now."""
    wanted = select(MatchHold).join(InvoiceLine, InvoiceLine.id == MatchHold.invoice_line_id)
    wanted = wanted.where(InvoiceLine.invoice_id == invoice.id, MatchHold.status == HoldStatus.OPEN)
    return outside.read(lambda session: list(session.scalars(wanted)))


def test_a_lost_piece_is_declared_with_a_statement_before_the_operation_completes(outside: OutsideStory) -> None:
    """D29."""
    outside.ready(40).ship(40).take_back(36, 2)
    assert outside.balance() == (40, 36, 2, 0, 0, 2)
    assert (outside.link.status, outside.steps) == (LinkStatus.PART_RETURNED, ["receive_parts"])
    with pytest.raises(RuleViolation) as refusal, outside.installation.acting("user:rita") as act:
        complete_work(act, act.session.get_one(WorkOrder, outside.operation.work_order_id))
    assert (refusal.value.http_status, "CON-10" in {each.rule for each in refusal.value.findings}) == (409, True)
    outside.as_("sam").decide("receive_parts", "no_more_comes", reason="Driver says that was all")
    assert outside.steps == ["declare_loss"]
    outside.as_("rita").decide(
        "declare_loss", "declare_lost", statement="Letter of NorthStar of 2026-11-22", follow_up="REPLENISH"
    )
    assert (outside.balance(), outside.incidents) == ((40, 36, 2, 2, 0, 0), [])
    assert outside.link.movements[-1].statement == "Letter of NorthStar of 2026-11-22"
    outside.watch().certify()
    assert (outside.operation.status, outside.operation.good, outside.operation.scrap) == (
        OperationStatus.COMPLETE,
        36,
        4,
    )
    assert outside.steps == ["claim_pieces"]
    assert outside.variables_of_task("claim_pieces")["claim"]["pieces"] == 4
    assert outside.variables_of_task("claim_pieces")["claim"]["amount"] == 4 * 74


def test_pieces_do_not_leave_before_the_supplier_has_the_order_and_leave_once_after(outside: OutsideStory) -> None:
    """D34."""
    outside.ready(status="APPROVED_NOT_TRANSMITTED")
    assert outside.steps == []
    with pytest.raises(RuleViolation, match="before pieces leave") as refusal:
        outside.ship()
    assert (refusal.value.code, refusal.value.http_status, outside.balance()[0]) == ("CON-06", 409, 0)
    outside.given(
        lambda act: advance_order(act, act.session.get_one(PurchaseOrder, outside.link.order.id), "TRANSMITTED")
    )
    outside.watch()
    assert outside.steps == ["ship_parts"]
    outside.ship()
    outside.ship()
    assert outside.balance() == (24, 0, 0, 0, 0, 24)
    assert len(outside.link.movements) == 1


def test_another_revision_on_the_order_leaves_no_link_behind(outside: OutsideStory) -> None:
    """D13."""

    def arrange(act: Act) -> tuple[str, str]:
        work = make_outside_work(act)
        assert work.part_revision is not None
        make_heat_treater(act)
        newer = makers.make_revision(act, work.part_revision.part, "C", status=RevisionStatus.IN_REVIEW)
        fields = {"process_code": "HEAT_TREAT", "spec": "PS-455", "spec_rev": "D"}
        order = makers.make_order_to_receive(act, (newer, 24, "18.00"), line_fields=fields)
        return work.operations[2].id, order.lines[0].id

    outside.operation_id, line_id = outside.given(arrange)
    with pytest.raises(RuleViolation, match="in review") as refusal:
        link_up(outside, line_id)
    assert refusal.value.code == "CON-01"
    assert {str(value)[-1] for value in (refusal.value.findings[0].old, refusal.value.findings[0].new)} == {"B", "C"}
    assert outside.links == []


def link_up(outside: OutsideStory, line_id: str, quantity: int = 24) -> None:
    """Let rita link the operation with an order line."""
    with outside.installation.acting("user:rita") as act:
        operation = act.session.get_one(WorkOrderOperation, outside.operation_id)
        link(act, operation, act.session.get_one(PurchaseOrderLine, line_id), quantity=D(quantity))


def start_following(outside: OutsideStory) -> None:
    """Let the MES start the operation after the outside one."""
    with outside.installation.acting("adapter:mes") as act:
        start_operation(act, act.session.get_one(WorkOrderOperation, outside.following().id), system="MES")


def complete_outside_operation(outside: OutsideStory) -> None:
    """Let the MES report the outside operation complete."""
    with outside.installation.acting("adapter:mes") as act:
        operation = act.session.get_one(WorkOrderOperation, outside.operation_id)
        complete_operation(act, operation, good=D(24), system="MES")


def test_pieces_that_are_away_when_the_approval_ends_wait_for_quality(outside: OutsideStory) -> None:
    """D08, first half: processed within the approval."""
    outside.clock.set(dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC))
    outside.ready().ship()
    outside.at(dt.datetime(2026, 12, 16, 5, 59, tzinfo=dt.UTC))
    assert outside.link.status is LinkStatus.AT_SUPPLIER
    outside.at(dt.datetime(2026, 12, 16, 6, 0, tzinfo=dt.UTC))
    assert (outside.link.status, outside.link.hold_rule) == (LinkStatus.HOLD, "SUP-04")
    outside.at(dt.datetime(2026, 12, 17, 15, tzinfo=dt.UTC))
    outside.take_back(24)
    outside.certify(process_date=dt.date(2026, 12, 14))
    assert "release_after_lapse" in outside.steps
    assert outside.operation.status is OperationStatus.RETURNED_PENDING
    outside.as_("quinn").decide("release_after_lapse", "release")
    assert (outside.link.status, outside.operation.status) == (LinkStatus.VERIFIED, OperationStatus.COMPLETE)


def test_pieces_processed_after_the_approval_ended_are_a_nonconformance(outside: OutsideStory) -> None:
    """D08, second half."""
    outside.clock.set(dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC))
    outside.ready().ship()
    outside.at(dt.datetime(2026, 12, 17, 15, tzinfo=dt.UTC))
    outside.take_back(24).certify(process_date=dt.date(2026, 12, 16))
    assert "release_after_lapse" not in outside.steps
    [raised] = outside.read(lambda session: session.scalars(select(Nonconformance)).all())
    assert (raised.about_number, raised.quantity) == (outside.link.number, 24)
    assert (outside.link.status, outside.operation.status) == (LinkStatus.HOLD, OperationStatus.RETURNED_PENDING)
    assert outside.incidents == []


@ready_link
def test_the_sentence_says_what_the_flow_waits_for_and_not_what_may_interrupt_it(outside: OutsideStory) -> None:
    outside.ready().ship().take_back(24)
    assert outside.sentence == f"Waiting for: Certificates verified, {outside.link.number} at NorthStar."
    tokens = outside.read(lambda session: live_tokens(session, session.get_one(Instance, outside.instance_id)))
    assert {token.element_id for token in tokens if not token.is_listener} == {"await_certificate"}
