"""Amendments of orders: approved by their weight, applied at once, known to ERP and supplier, or undone by a further one."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import text

from engine.act import Act
from engine.errors import Conflict, Invalid, Refused
from processes import amendment as amending
from processes.acknowledgement import acknowledge
from processes.work_order_cost import cost_of
from processes.work_order_events import Event, post_event
from processes.work_order_planning import find
from records.amendment import AmendmentStatus, ApprovalPlan, PurchaseOrderAmendment
from records.calendar import Site
from records.cost_centre import CostCentre, availability
from records.external import Discrepancy
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, approved_hash, hold
from records.purchase_order import move as move_order
from records.signature import SignatureStatus
from records.standard_cost import CostKind
from rules.amending import Edits, LineEdit
from tests.amendments import (
    acknowledged,
    acknowledged_order,
    amend,
    amendments,
    answer,
    go_to,
    more,
    newest,
    redline,
    sent,
    within,
)
from tests.makers import ROUTING, make_grant, make_receipt, make_revision, make_work_order
from tests.people import bea, carl, ivan, lena, max_, pat, rita
from tests.story import Story

D = Decimal


def approve(story: Story) -> None:
    """Let the purchasing lead approve the amendment that the story is in."""
    story.as_(lena).decide("decide_slot", "approve")
    assert story.incidents == []


@acknowledged_order
def test_values_revision_and_approved_hash_change_together_when_the_last_signature_is_given(story: Story) -> None:
    acknowledged(story)
    before = story.order
    amendment = amend(story, more(102))
    assert (amendment.status, story.order.revision, story.order.lines[0].quantity) == (
        AmendmentStatus.PENDING,
        0,
        D(100),
    )
    assert story.order.approved_hash == before.approved_hash
    approve(story)
    after = story.order
    assert (after.revision, after.lines[0].quantity, after.status) == (1, D(102), OrderStatus.ACKNOWLEDGED)
    assert after.approved_hash == newest(story).hash_after == story.read(
        lambda session: approved_hash(session.get_one(PurchaseOrder, after.id))
    )  # fmt: skip
    assert newest(story).status is AmendmentStatus.SENT
    answer(story, "ACCEPT", revision=1)
    assert (newest(story).status, story.ended_at) == (AmendmentStatus.APPLIED, "amendment_applied")


@acknowledged_order
def test_the_supplier_gets_the_change_on_paper(story: Story) -> None:
    from processes.order_change_sheet import order_change_pdf

    acknowledged(story)
    amend(story, more(102))
    approve(story)
    mail = story.jobs("mail")[-1]
    assert (mail.state, mail.error) == ("DONE", None)
    content = story.read(lambda session: order_change_pdf(session.get_one(PurchaseOrderAmendment, newest(story).id)))
    assert content.startswith(b"%PDF")


@acknowledged_order
def test_a_refused_change_is_undone_by_a_reverting_amendment_with_a_further_revision(story: Story) -> None:
    acknowledged(story)
    first = story.order.approved_hash
    amend(story, more(102))
    approve(story)
    answer(story, "REJECT", note="No capacity")
    assert story.ended_at == "amendment_refused"
    refused, reverting = amendments(story)
    assert (refused.status, reverting.status) == (AmendmentStatus.SUPPLIER_REFUSED, AmendmentStatus.PENDING)
    assert (reverting.number, reverting.reverts_id, reverting.plan) == (
        f"{story.order.number}/A2",
        refused.id,
        ApprovalPlan.BUYER,
    )
    assert redline(reverting) == [
        ("lines.1.quantity", "102.000000", "100.000000"), ("lines.1.amount", "4080.0000", "4000.0000"),
    ]  # fmt: skip
    go_to(story, reverting)
    story.as_(bea).decide("decide_slot", "approve")
    assert (story.order.revision, story.order.lines[0].quantity, story.order.approved_hash) == (2, D(100), first)
    answer(story, "ACCEPT", revision=2)
    refused, reverting = amendments(story)
    assert (refused.status, reverting.status) == (AmendmentStatus.REVERTED, AmendmentStatus.APPLIED)
    assert story.incidents == []


@acknowledged_order
def test_a_cancelled_line_keeps_its_number_and_comes_back_when_the_supplier_refuses(story: Story) -> None:
    acknowledged(story)
    amend(story, Edits(lines=[LineEdit(1, {"description": "Black"})], added=[_line(story, 5)]))
    approve(story)
    answer(story, "ACCEPT")
    assert [(line.line_no, line.quantity) for line in story.order.lines] == [(1, D(100)), (2, D(5))]
    amend(story, Edits(lines=[LineEdit(2, is_cancelled=True)]))
    assert newest(story).plan is ApprovalPlan.BUYER
    story.as_(bea).decide("decide_slot", "approve")
    assert [line.status for line in story.order.lines] == [LineStatus.OPEN, LineStatus.CANCELLED]
    answer(story, "REJECT")
    assert story.incidents == []
    go_to(story, newest(story))
    approve(story)
    assert ([line.status for line in story.order.lines], story.incidents) == ([LineStatus.OPEN, LineStatus.OPEN], [])


@acknowledged_order
def test_a_new_line_without_a_date_is_judged_as_of_today(story: Story) -> None:
    acknowledged(story)
    same_part = {"part_revision_id": story.order.lines[0].part_revision_id, "quality_clauses": ("Q01",)}
    amend(story, Edits(added=[_line(story, 5, need_by=None, **same_part)]))
    assert [one.path for one in newest(story).changes if one.path == "lines.2.amount"] == ["lines.2.amount"]


def _line(story: Story, quantity: int, **values: Any) -> dict[str, Any]:
    """Return a new line of the other part of the plant."""
    from sqlalchemy import select

    from records.part import Part, PartRevision

    revision = story.read(
        lambda session: session.scalar(select(PartRevision.id).join(Part).where(Part.part_no == "P-200"))
    )
    return {
        "part_revision_id": revision, "quantity": D(quantity), "unit_price": D("10"), "quality_clauses": ("Q01@1",),
        "need_by": dt.date(2026, 12, 18), **values,
    }  # fmt: skip


@acknowledged_order
def test_another_revision_is_not_smuggled_in_as_a_new_line(story: Story) -> None:
    acknowledged(story)

    order_id = story.order.id

    def arrange(act: Act) -> str:
        part = act.session.get_one(PurchaseOrder, order_id).lines[0].part_revision.part
        return make_revision(act, part, rev="C", status="IN_REVIEW").id

    revision_id = story.given(arrange)
    with pytest.raises(Conflict, match=r"lines\.2\.part_revision_id.*needs change class C4") as refused:
        amend(story, Edits(added=[_line(story, 5, part_revision_id=revision_id)]))
    assert refused.value.code == "UNCONTROLLED_CHANGE"
    assert amendments(story) == []


@acknowledged_order
@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"spec_rev": "E"}, r"lines\.1\.spec_rev.*class C4"),
        ({"quality_clauses": ()}, r"lines\.1\.quality_clauses.*class C4"),
        ({"uom": "KGM"}, r"lines\.1\.uom.*Cancel the line"),
    ],
)
def test_what_an_amendment_may_not_change_is_refused_with_path_and_class(
    story: Story, values: dict[str, Any], wanted: str
) -> None:
    acknowledged(story)
    with pytest.raises(Conflict, match=wanted) as refused:
        amend(story, Edits(lines=[LineEdit(1, values)]))
    assert (refused.value.code, amendments(story), story.order.revision) == ("UNCONTROLLED_CHANGE", [], 0)


@acknowledged_order
def test_a_text_that_blurs_the_roles_is_refused(story: Story) -> None:
    acknowledged(story)
    with pytest.raises(Refused, match="specification"):
        amend(story, Edits(lines=[LineEdit(1, {"description": "Anneal at 845 °C for 60 min, then quench in oil."})]))
    assert amendments(story) == []


@acknowledged_order
def test_never_less_than_what_is_received(story: Story) -> None:
    acknowledged(story)
    _receive(story, 40)
    with pytest.raises(Invalid, match="some do not fit") as refused:
        amend(story, more(39))
    assert "at least 40 EA" in refused.value.fields["lines.1.quantity"]


def _receive(story: Story, quantity: int) -> None:
    order_id = story.order.id

    def receive(act: Act) -> None:
        order = act.session.get_one(PurchaseOrder, order_id)
        make_receipt(act, order.lines[0], quantity=D(quantity))
        if order.status is not OrderStatus.PARTIALLY_RECEIVED:
            move_order(act, order, OrderStatus.PARTIALLY_RECEIVED)

    story.given(receive)


@acknowledged_order
def test_goods_that_arrive_meanwhile_end_an_amendment_that_orders_less(story: Story) -> None:
    acknowledged(story)
    amend(story, more(50))
    _receive(story, 60)
    story.as_(bea).decide("decide_slot", "approve")
    amendment = newest(story)
    assert (amendment.status, story.ended_at) == (AmendmentStatus.WITHDRAWN, "amendment_ended")
    assert "60 EA of line 1 are received meanwhile" in (amendment.ended_reason or "")
    assert (story.order.revision, story.order.lines[0].quantity) == (0, D(100))


@acknowledged_order
def test_an_order_that_somebody_holds_meanwhile_takes_no_amendment(story: Story) -> None:
    acknowledged(story)
    amend(story, more(102))
    order_id = story.order.id
    story.given(
        lambda act: hold(act, act.session.get_one(PurchaseOrder, order_id), reason="Drift", owner="role:FIN_CTRL")
    )
    approve(story)
    ended = newest(story)
    assert (ended.status, story.order.status, story.order.revision) == (
        AmendmentStatus.WITHDRAWN, OrderStatus.ON_HOLD, 0,
    )  # fmt: skip
    assert "not to be on hold" in (ended.ended_reason or "")


@acknowledged_order
def test_the_price_of_what_is_received_stays(story: Story) -> None:
    acknowledged(story)
    _receive(story, 40)
    with pytest.raises(Conflict, match="a price counts for what is still to come only"):
        amend(story, Edits(lines=[LineEdit(1, {"unit_price": D("41")})]))


@acknowledged_order
def test_small_steps_add_up_until_the_whole_plan_is_asked(story: Story) -> None:
    """4,000.00, then +160.00 (4 %), then +80.00: 6 % since the last full approval."""
    acknowledged(story)
    assert amend(story, more(104)).plan is ApprovalPlan.LEAD
    approve(story)
    answer(story, "ACCEPT")
    amendment = amend(story, more(106))
    assert (amendment.plan, amendment.increase, amendment.increase_percent) == (ApprovalPlan.FULL, D(240), D(6))


def test_a_band_that_is_crossed_asks_its_signers(story: Story) -> None:
    """9,775.00 to 10,030.00 is 2.6 %, but falls into the band of manager and cost-centre owner."""
    acknowledged(story, 230, "42.50")
    amendment = amend(story, more(236))
    assert amendment.plan is ApprovalPlan.FULL
    assert sorted(task.role or "" for task in story.tasks()) == ["CC_OWNER", "PUR_MGR"]
    story.as_(max_).decide("decide_slot", "approve")
    assert story.order.revision == 0
    story.as_(carl).decide("decide_slot", "approve")
    assert (story.order.revision, _total(story)) == (1, D("10030.0000"))


def _total(story: Story) -> Decimal:
    return D(story.read(lambda session: session.query(PurchaseOrder).one().total))


@acknowledged_order
def test_a_decrease_is_released_by_the_buyer_who_needs_nobody_else(story: Story) -> None:
    acknowledged(story)
    amend(story, more(90))
    story.as_(bea).decide("decide_slot", "approve")
    assert (story.order.revision, _total(story), story.incidents) == (1, D("3600.0000"), [])


@acknowledged_order
def test_a_buyer_never_approves_more_money_for_an_own_order(story: Story) -> None:
    acknowledged(story)
    story.given(lambda act: make_grant(act, "bea", "PUR_LEAD"))
    amend(story, more(102))
    with pytest.raises(Refused, match=r"bea|Bea|own|somebody else"):
        story.as_(bea).decide("decide_slot", "approve")
    assert story.order.revision == 0


@acknowledged_order
def test_the_budget_follows(story: Story) -> None:
    acknowledged(story)

    def committed() -> Decimal:
        def read(session: Any) -> Decimal:
            centre = session.query(CostCentre).one()
            return availability(session, centre, fiscal_year=2026).committed

        return D(story.read(read))

    assert committed() == D(4000)
    amend(story, more(102))
    assert committed() == D(4000)
    approve(story)
    assert committed() == D(4080)
    answer(story, "REJECT")
    go_to(story, newest(story))
    story.as_(bea).decide("decide_slot", "approve")
    assert committed() == D(4000)


@acknowledged_order
def test_a_rejected_amendment_changes_nothing_and_its_number_is_not_used_again(story: Story) -> None:
    acknowledged(story)
    amend(story, more(102))
    story.as_(lena).decide("decide_slot", "reject", reason="Not now")
    ended = newest(story)
    assert (ended.status, story.ended_at, story.order.revision) == (AmendmentStatus.REJECTED, "amendment_ended", 0)
    assert all(one.status is SignatureStatus.SUPERSEDED for one in story.signatures if one.record_id == ended.id)
    again = amend(story, more(102))
    assert (again.number, again.revision) == (f"{story.order.number}/A2", 1)


@acknowledged_order
def test_a_pending_amendment_is_withdrawn_by_the_buyer(story: Story) -> None:
    acknowledged(story)
    amendment = amend(story, more(102))
    within(
        story,
        lambda act: amending.withdraw(act, act.session.get_one(PurchaseOrderAmendment, amendment.id), reason="Typo"),
    )
    story.settle()
    ended = newest(story)
    assert (ended.status, story.ended_at, story.steps) == (AmendmentStatus.WITHDRAWN, "amendment_ended", [])
    assert ended.ended_reason == "Withdrawn by Bea Castillo: Typo"
    with pytest.raises(Conflict, match="waiting for approval"):
        within(
            story,
            lambda act: amending.withdraw(act, act.session.get_one(PurchaseOrderAmendment, amendment.id), reason="x"),
        )


@acknowledged_order
def test_an_order_has_one_open_amendment_also_when_two_begin_at_once(story: Story) -> None:
    acknowledged(story)
    order_id, barrier, outcomes = story.order.id, Barrier(2), list[str]()

    def propose() -> None:
        barrier.wait(timeout=10)
        try:
            with story.installation.acting("user:bea") as act:
                amending.propose(act, act.session.get_one(PurchaseOrder, order_id), more(102), reason="More")
            outcomes.append("proposed")
        except Conflict as refusal:
            outcomes.append(refusal.code)

    threads = [Thread(target=propose) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["AMENDMENT_OPEN", "proposed"]
    assert len(amendments(story)) == 1


@acknowledged_order
def test_an_answer_counts_for_the_revision_that_it_names(story: Story) -> None:
    acknowledged(story)
    amend(story, more(102))
    approve(story)
    with pytest.raises(Conflict, match="answers revision 0") as refused:
        answer(story, "ACCEPT", revision=0)
    assert (refused.value.code, newest(story).status) == ("STALE_VERSION", AmendmentStatus.SENT)
    answer(story, "ACCEPT", revision=1)
    assert newest(story).status is AmendmentStatus.APPLIED


def test_whoever_accepts_the_change_of_an_unanswered_order_accepts_the_order(story: Story) -> None:
    sent(story)
    requisition = story.instance_id
    amend(story, more(102))
    approve(story)
    answer(story, "ACCEPT", revision=1)
    assert (story.order.status, newest(story).status) == (OrderStatus.ACKNOWLEDGED, AmendmentStatus.APPLIED)
    story.instance_id = requisition
    assert (story.ended_at, story.incidents) == ("requisition_ordered", [])


def test_an_order_that_is_acknowledged_meanwhile_needs_the_deeper_class(story: Story) -> None:
    sent(story)
    amendment = amend(story, more(102))
    assert amendment.change_class == "C1"
    with story.installation.acting("adapter:portal") as act:
        acknowledge(act, act.session.get_one(PurchaseOrder, story.order.id), result="ACCEPT", message_id="855-1")
    story.settle()
    story.as_(lena).decide("decide_slot", "approve")
    ended = newest(story)
    assert (ended.status, story.order.revision) == (AmendmentStatus.WITHDRAWN, 0)
    assert "needs change class C2" in (ended.ended_reason or "")


@acknowledged_order
def test_the_clock_of_the_answer_reminds_the_buyer_the_lead_and_the_manager(story: Story) -> None:
    acknowledged(story)
    amend(story, more(102))
    story.at(dt.datetime(2026, 11, 24, 21, 0, tzinfo=dt.UTC))
    approve(story)
    due = {name: at.isoformat() for name, at in story.timers.items() if name.startswith("answer")}
    assert due == {
        "answer_late": "2026-11-27T21:00:00+00:00", "answer_very_late": "2026-11-30T21:00:00+00:00",
        "answer_overdue": "2026-12-02T21:00:00+00:00",
    }  # fmt: skip


@acknowledged_order
def test_the_buyer_may_insist_on_the_change_or_undo_it(story: Story) -> None:
    acknowledged(story)
    amend(story, more(102))
    approve(story)
    answer(story, "ACCEPT_WITH_CHANGE", lines=[{"line_no": 1, "code": "IQ", "quantity": "101"}])
    assert story.steps == ["decide_amendment_answer"]
    story.as_(bea).decide("decide_amendment_answer", "insist", reason="All or nothing")
    assert (story.steps, newest(story).status) == (["record_amendment_answer"], AmendmentStatus.SENT)
    answer(story, "ACCEPT_WITH_CHANGE", lines=[{"line_no": 1, "code": "IQ", "quantity": "101"}])
    story.as_(bea).decide("decide_amendment_answer", "undo", reason="Then not")
    assert [one.status for one in amendments(story)] == [AmendmentStatus.SUPPLIER_REFUSED, AmendmentStatus.PENDING]


@acknowledged_order
def test_what_the_erp_shows_otherwise_holds_the_order_and_the_supplier_hears_nothing(story: Story) -> None:
    acknowledged(story)
    _with_erp(story)
    mails = len(story.jobs("mail"))
    amend(story, more(102))
    approve(story)
    assert story.steps == ["key_amendment"]
    assert any(b"Key" in job.args for job in story.jobs("mail")[mails:])
    order = story.order
    story.as_(ivan).complete(
        "key_amendment", total=D("4000"), line_count=D(1), check_code=(order.approved_hash or "")[:12]
    )
    assert (story.order.status, newest(story).status) == (OrderStatus.ON_HOLD, AmendmentStatus.APPROVED)
    assert [one.field for one in story.read(lambda session: session.query(Discrepancy).all())] == ["total"]
    story.as_(ivan).decide("resolve_amendment", "try_again", note="Keyed anew")
    story.as_(ivan).complete(
        "key_amendment", total=D("4080"), line_count=D(1), check_code=(order.approved_hash or "")[:12]
    )
    assert (story.order.status, newest(story).status, story.incidents) == (
        OrderStatus.ACKNOWLEDGED, AmendmentStatus.SENT, [],
    )  # fmt: skip


@acknowledged_order
def test_what_the_erp_never_takes_is_undone(story: Story) -> None:
    acknowledged(story)
    _with_erp(story)
    amend(story, more(102))
    approve(story)
    story.as_(ivan).complete("key_amendment", total=D("1"), line_count=D(1), check_code="wrong")
    story.as_(ivan).decide("resolve_amendment", "undo", reason="The period is closed", note="-")
    refused, reverting = amendments(story)
    assert (refused.status, reverting.status) == (AmendmentStatus.SUPPLIER_REFUSED, AmendmentStatus.PENDING)
    assert (story.order.status, story.incidents) == (OrderStatus.ACKNOWLEDGED, [])


def _with_erp(story: Story) -> None:
    def switch(act: Act) -> None:
        for site in act.session.query(Site):
            site.has_erp = True

    story.given(switch)


def test_the_adapter_of_files_writes_each_revision_once_and_reads_it_back(tmp_path: Path) -> None:
    from processes.erp import ErpRefused, ErpUnavailable, OrderDocument, differences
    from processes.erp_files import FilesErp

    line = {"line_no": 1, "quantity": "102.000000", "unit_price": "40.0000", "uom": "EA"}
    document = OrderDocument("PF-1", "MAIN", 1, {"currency": "USD", "lines": [line]}, "f" * 64)
    erp = FilesErp(tmp_path / "out", tmp_path / "in")
    with pytest.raises(ErpUnavailable):
        erp.amend_order(document, number="4711")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["PF-1.r1.json"]
    inbox = tmp_path / "in"
    inbox.mkdir()
    head = "proposal_no,po_no,result,message,revision,line_no,quantity,unit_price\n"
    (inbox / "1.csv").write_text(head + "PF-1,4711,ACCEPTED,,,1,100,40\n")
    with pytest.raises(ErpUnavailable):
        erp.amend_order(document, number="4711")
    (inbox / "2.csv").write_text(head + "PF-1,4711,ACCEPTED,,1,1,102,40\n")
    erp.amend_order(document, number="4711")
    assert differences(document, erp.read_order(document, number="4711", keyed={})) == []
    (inbox / "3.csv").write_text(head + "PF-1,4711,REFUSED,period closed,1,,,\n")
    with pytest.raises(ErpRefused, match="period closed"):
        erp.amend_order(document, number="4711")


@acknowledged_order
def test_a_cancelled_order_waits_for_the_supplier_and_its_charge_goes_to_the_lead(story: Story) -> None:
    """D33: acknowledged, so a cancellation amendment; CANCEL_PENDING until the answer; the charge of 150.00 to the lead."""
    acknowledged(story)
    order_id = story.order.id
    within(
        story,
        lambda act: amending.cancel_order(
            act, act.session.get_one(PurchaseOrder, order_id), reason="WO-7001 is cancelled"
        ),
    )
    story.settle()
    go_to(story, newest(story))
    assert redline(newest(story)) == [("status", "ACKNOWLEDGED", "CANCELLED")]
    story.as_(bea).decide("decide_slot", "approve")
    assert (story.order.status, newest(story).status) == (OrderStatus.CANCEL_PENDING, AmendmentStatus.SENT)
    answer(story, "ACCEPT", charge=D("150.00"))
    [task] = story.tasks()
    assert (task.element_id, task.amount, story.order.status) == ("decide_charge", D(150), OrderStatus.CANCEL_PENDING)
    story.as_(lena).decide("decide_charge", "accept_charge", reason="As agreed")
    ended = newest(story)
    assert (ended.status, ended.cancellation_charge) == (AmendmentStatus.APPLIED, D("150.0000"))
    assert (story.order.status, story.order.revision, story.incidents) == (OrderStatus.CANCELLED, 1, [])


@acknowledged_order
def test_a_refused_cancellation_leaves_the_order_as_it_was(story: Story) -> None:
    acknowledged(story)
    order_id = story.order.id
    within(
        story, lambda act: amending.cancel_order(act, act.session.get_one(PurchaseOrder, order_id), reason="Not needed")
    )
    story.settle()
    go_to(story, newest(story))
    story.as_(bea).decide("decide_slot", "approve")
    answer(story, "REJECT", note="Already made")
    assert (story.order.status, newest(story).status) == (OrderStatus.ACKNOWLEDGED, AmendmentStatus.REVERTED)
    assert (story.incidents, story.order.lines[0].status) == ([], LineStatus.OPEN)


DOORS = {
    "a value": "UPDATE purchase_order_line SET quantity = 102000000 WHERE order_id = '{order}'",
    "the revision": "UPDATE purchase_order SET revision = 1 WHERE id = '{order}'",
    "the approved hash": "UPDATE purchase_order SET approved_hash = '{hash}' WHERE id = '{order}'",
    "a cancelled line": "UPDATE purchase_order_line SET status = 'CANCELLED' WHERE order_id = '{order}'",
    "the stored redline": "UPDATE amendment_change SET new_text = '999.000000' WHERE path = 'lines.1.quantity'",
    "the content of the amendment": "UPDATE purchase_order_amendment SET plan = 'BUYER'",
    "its approval": "UPDATE purchase_order_amendment SET status = 'APPROVED'",
    "its existence": "DELETE FROM purchase_order_amendment",
}


@acknowledged_order
@pytest.mark.parametrize("state", ["open", "rejected"])
@pytest.mark.parametrize("door", DOORS)
def test_an_open_or_rejected_amendment_opens_no_door(story: Story, door: str, state: str) -> None:
    acknowledged(story)
    amendment = amend(story, more(102))
    if state == "rejected":
        story.as_(lena).decide("decide_slot", "reject", reason="No")
    statement = DOORS[door].format(order=story.order.id, hash=amendment.hash_after)
    engine = story.installation.database
    if engine.dialect.name == "postgresql":
        statement = statement.replace("102000000", "102")
    before = story.order
    with (
        pytest.raises(Exception, match=r"UNCONTROLLED_CHANGE|ILLEGAL_TRANSITION|UNSIGNED|APPEND_ONLY"),
        engine.begin() as raw,
    ):
        raw.execute(text(statement))
    assert (story.order.revision, story.order.lines[0].quantity, story.order.approved_hash) == (
        0, before.lines[0].quantity, before.approved_hash,
    )  # fmt: skip


@acknowledged_order
def test_a_used_item_opens_its_door_no_second_time(story: Story) -> None:
    acknowledged(story)
    amend(story, more(102))
    approve(story)
    answer(story, "ACCEPT")
    engine, order_id = story.installation.database, story.order.id
    one = 1_000_000 if engine.dialect.name == "sqlite" else 1
    for quantity in (100, 102, 103):
        statement = f"UPDATE purchase_order_line SET quantity = {quantity * one} WHERE order_id = '{order_id}'"
        changing = pytest.raises(Exception, match="UNCONTROLLED_CHANGE") if quantity != 102 else nullcontext()
        with changing, engine.begin() as raw:
            raw.execute(text(statement))
    assert story.order.lines[0].quantity == D(102)


@acknowledged_order
def test_items_of_an_amendment_are_not_written_after_it(story: Story) -> None:
    from rules.change_item import ChangeClass, ChangeItem

    acknowledged(story)
    amendment = amend(story, more(102))
    with (
        pytest.raises(Exception, match="items of an amendment to be written with it"),
        story.installation.acting("user:bea") as act,
    ):
        act.session.add(
            ChangeItem(
                change_type="purchase_order_amendment", change_id=amendment.id, change_hash=amendment.content_hash,
                table_name="purchase_order_line", row_id=story.order.lines[0].id, operation="UPDATE", column_name="unit_price",
                old_text="40.0000", new_text="1.0000", change_class=ChangeClass.C2,
            )
        )  # fmt: skip


def linked(story: Story) -> None:
    """Have an acknowledged order that the second step of WO-7001 waits for; its third begins on 2026-12-16."""
    steps = tuple(
        step | {"planned_start": dt.date(2026, 12, 6 + step["op_no"] // 3)} for step in ROUTING if step["op_no"] < 40
    )
    story.given(lambda act: make_work_order(act, number="WO-7001", operations=steps))
    acknowledged(story, line_fields={"work_order_op": "WO-7001/20"})


def test_a_decrease_under_a_work_order_asks_its_planner_and_its_buyer(story: Story) -> None:
    """Domain 4a: decrease, the buyer, and the planner where a work order is linked."""
    linked(story)
    amendment = amend(story, more(90))
    assert amendment.plan is ApprovalPlan.BUYER_PLANNER
    assert "Line 1 is for WO-7001/20, Mill profile: " in amendment.impact
    assert [task.role for task in story.tasks()] == ["PLANNER"]
    story.as_(rita).decide("decide_slot", "approve")
    assert story.order.revision == 0
    story.as_(bea).decide("decide_slot", "approve")
    assert (story.order.revision, story.order.lines[0].quantity, story.incidents) == (1, D(90), [])


def test_an_amended_price_recosts_the_work_order_that_the_line_is_for(story: Story) -> None:
    """Domain 1.31: 10 pieces accrued at 40.00 against a standard of 38.00; the amendment makes them 41.50."""

    def book(act: Act, order_line_id: str) -> None:
        standard = {"kind": "OUTSIDE", "item": "HEAT_TREAT", "quantity": D(10), "uom": "EA", "unit_cost": D(38)}
        make_work_order(act, number="WO-7003", standards=(standard,), standard_cost=D(380))
        post_event(
            act,
            Event(
                system="LOCKSTEP", event_id="acc-1", kind="OUTSIDE", work_order="WO-7003", op_no=30, quantity=D(10),
                item="HEAT_TREAT", order_line_id=order_line_id,
            ),
        )  # fmt: skip

    def variance() -> Any:
        return story.read(
            lambda session: (
                (cost := cost_of(session, find(session, "WO-7003"))).total, cost.variance, cost.causes["outside"],
                sum(cost.causes.values()), cost.of(CostKind.OUTSIDE),
            )
        )  # fmt: skip

    acknowledged(story)
    line_id = story.order.lines[0].id
    story.given(lambda act: book(act, line_id))
    assert variance() == (D(400), D(20), D(20), D(20), D(400))
    amend(story, Edits(lines=[LineEdit(1, {"unit_price": D("41.50")})]))
    approve(story)
    assert variance()[0] == D(400), "the supplier has not taken the price yet"
    answer(story, "ACCEPT", revision=1)
    assert (story.order.lines[0].unit_price, newest(story).status) == (D("41.50"), AmendmentStatus.APPLIED)
    assert variance() == (D(415), D(35), D(35), D(35), D(415))
    assert story.incidents == []


def test_a_major_change_under_a_work_order_is_also_put_before_its_planner(story: Story) -> None:
    linked(story)
    story.given(lambda act: make_grant(act, "pat", "PLANNER"))
    amendment = amend(story, more(102))
    assert (amendment.plan, amendment.change_class) == (ApprovalPlan.LEAD, "C2")
    with pytest.raises(Refused, match="Rita Okafor requested it"):
        story.as_(rita).decide("decide_slot", "approve")
    story.as_(pat).decide("decide_slot", "approve")
    approve(story)
    assert story.order.revision == 1


@pytest.mark.parametrize(("days", "wanted"), [(2, "C2"), (-2, "C1"), (-4, "C2")])
def test_a_date_past_the_need_of_the_work_order_or_far_away_is_a_major_change(
    story: Story, days: int, wanted: str
) -> None:
    """Before the acknowledgement: up to 3 days and not past 2026-12-16, when the next step begins, is minor."""
    steps = tuple(step | {"planned_start": dt.date(2026, 12, 16)} for step in ROUTING)
    story.given(lambda act: make_work_order(act, number="WO-7001", operations=steps))
    sent(story, line_fields={"work_order_op": "WO-7001/20", "need_by": dt.date(2026, 12, 16)})
    day = dt.date(2026, 12, 16) + dt.timedelta(days=days)
    assert amend(story, Edits(lines=[LineEdit(1, {"need_by": day})])).change_class == wanted


def offer(story: Story, **line: Any) -> None:
    """Let the supplier offer something else for line 1."""
    answer(story, "ACCEPT_WITH_CHANGE", lines=[{"line_no": 1, **line}])


def test_a_date_inside_the_tolerance_is_taken_as_an_amendment_that_the_buyer_signs(story: Story) -> None:
    """A28: quantity and price as ordered, two days later: nobody decides whether, the buyer signs what becomes of it."""
    sent(story)
    need = story.order.lines[0].need_by
    assert need is not None
    offer(story, code="DR", promised_on=need + dt.timedelta(days=2))
    amendment = newest(story)
    assert (amendment.change_class, amendment.plan, amendment.reason_code) == (
        "C1",
        ApprovalPlan.BUYER,
        "COUNTER_OFFER",
    )
    assert (story.order.status, story.steps) == (OrderStatus.COUNTER_OFFER, ["decide_slot"])
    story.as_(bea).decide("decide_slot", "approve")
    line = story.order.lines[0]
    assert (line.need_by, line.promised_on) == (need + dt.timedelta(days=2), need + dt.timedelta(days=2))
    assert (story.order.status, story.order.revision, newest(story).status) == (
        OrderStatus.ACKNOWLEDGED, 1, AmendmentStatus.APPLIED,
    )  # fmt: skip
    assert (story.ended_at, story.incidents) == ("requisition_ordered", [])


def test_an_offer_that_the_buyer_accepts_becomes_an_amendment(story: Story) -> None:
    """D35: 90 of 100 and 12 days later: buyer and planner decide; accepted, it is approved by its weight."""
    sent(story)
    need = story.order.lines[0].need_by
    assert need is not None
    answer(
        story, "ACCEPT_WITH_CHANGE", lines=[
            {"line_no": 1, "code": "IQ", "quantity": "90"},
            {"line_no": 1, "code": "DR", "promised_on": (need + dt.timedelta(days=12)).isoformat()},
        ],
    )  # fmt: skip
    [task] = story.tasks()
    assert (task.element_id, story.order.status) == ("decide_counter_offer", OrderStatus.COUNTER_OFFER)
    story.as_(bea).decide("decide_counter_offer", "accept_changes", reason="Fine")
    amendment = newest(story)
    assert amendment.change_class == "C2"
    assert redline(amendment) == [
        ("lines.1.need_by", need.isoformat(), (need + dt.timedelta(days=12)).isoformat()),
        ("lines.1.quantity", "100.000000", "90.000000"),
        ("lines.1.amount", "4000.0000", "3600.0000"),
    ]
    story.as_(bea).decide("decide_slot", "approve")
    assert (story.order.status, story.order.revision, story.order.lines[0].quantity) == (
        OrderStatus.ACKNOWLEDGED,
        1,
        D(90),
    )
    assert (story.ended_at, story.incidents) == ("requisition_ordered", [])


def test_an_offer_whose_amendment_is_rejected_comes_back_to_the_buyer(story: Story) -> None:
    sent(story)
    offer(story, code="IP", unit_price="41")
    story.as_(bea).decide("decide_counter_offer", "accept_changes", reason="Fine")
    story.as_(lena).decide("decide_slot", "reject", reason="Too dear")
    assert (story.steps, story.order.status, story.order.revision) == (
        ["decide_counter_offer"],
        OrderStatus.COUNTER_OFFER,
        0,
    )
    story.as_(bea).decide("decide_counter_offer", "refuse_changes", reason="As ordered, please")
    assert (story.order.status, story.steps) == (OrderStatus.TRANSMITTED, ["record_acknowledgement"])


def test_an_offer_that_no_amendment_can_take_says_why(story: Story) -> None:
    sent(story)
    offer(story, code="IB")
    story.as_(bea).decide("decide_counter_offer", "accept_changes", reason="Fine")
    assert (story.steps, amendments(story)) == (["decide_counter_offer"], [])
    assert "Expected something to change" in story.variables_of_task("decide_counter_offer")["offer_problem"]
