"""What outlives its order or its work is found whoever wrote it, told once, held at the dock, and settled when it is mended."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, Effect, RuleViolation
from processes import approved_suppliers, consistency_watch, receiving
from processes.consistency_watch import watch_consistency
from processes.daily_stock import take_daily_stock
from processes.outside_links import unlink
from processes.outside_moving import keep_judged
from processes.receiving import Delivery
from records import attachment
from records.notice import Notice
from records.outside import LinkStatus, OutsideLink, hold
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import Quarantine, Receipt
from records.supplier import SupplierApproval
from records.work_order import WorkOrder, WorkOrderStatus
from rules.finding import KeptFinding
from rules.flow_mode import Mode
from rules.order_consistency import judge_link
from tests import makers
from tests.clock import SettableClock
from tests.goods import Dock
from tests.makers import D
from tests.outside import OutsideStory, ready_link
from tests.people import quinn, sam
from tests.scenarios.test_blurred_roles import observe
from tests.story import Story

PDF = b"%PDF-1.7 traveller"


@pytest.fixture
def outside(plant: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in a plant, at 2026-11-22 15:00 UTC."""
    return OutsideStory(plant, clock)


def kept(story: Story, *rules: str) -> list[tuple[str, Effect, str, bool]]:
    wanted = select(KeptFinding).where(KeptFinding.rule.in_(rules)).order_by(KeptFinding.rule, KeptFinding.id)
    rows = story.read(lambda session: list(session.scalars(wanted)))
    return [(row.rule, row.effect, row.mode, row.settled_at is not None) for row in rows]


def look(story: Story) -> int:
    story.installation.extras.pop(consistency_watch.LAST_LOOK, None)
    return watch_consistency(story.installation)


def linked(story: Story, **fields: object) -> str:
    """Return the order line of a link whose order its supplier acknowledged."""

    def arrange(act: Act) -> str:
        revision = makers.make_revision(act)
        order = makers.make_order_to_receive(act, (revision, 10, "18.00"), **fields)
        makers.make_link(act, order.lines[0])
        return order.lines[0].id

    return str(story.given(arrange))


def end_work(story: Story) -> None:
    """Cancel the only work order there is, as another system shows it."""

    def end(act: Act) -> None:
        act.session.scalars(select(WorkOrder)).one().status = WorkOrderStatus.CANCELLED

    story.given(end)


def receive(story: Story, line_id: str, event_id: str = "gr-1") -> Receipt:
    with story.as_(sam).acting() as act:
        line = act.session.get_one(PurchaseOrderLine, line_id)
        return receiving.book(act, line, Delivery(quantity=D(5), event_id=event_id)).receipts[0]


def test_a_line_whose_work_is_over_is_told_to_its_buyer_once_and_its_goods_are_kept_apart(story: Story) -> None:
    line_id = linked(story)
    assert look(story) == 0
    end_work(story)
    look(story)
    look(story)
    assert kept(story, "CON-08") == [("CON-08", Effect.HOLD, "ENFORCE", False)] * 2, "the order and the work order"
    told = story.read(
        lambda session: list(
            session.scalars(select(Notice.user_id + Notice.key).where(Notice.subject.startswith("CON-08")))
        )
    )
    assert len(told) == len(set(told)), "nobody is told twice of one thing"
    assert told
    receipt = receive(story, line_id)
    assert (receipt.quarantine, receipt.quarantine_reason[:6]) == (Quarantine.CANCELLATION, "CON-08")


def test_work_whose_order_is_over_is_held_until_it_has_another(story: Story) -> None:
    line_id = linked(story, status=OrderStatus.CLOSED)
    look(story)
    assert set(kept(story, "CON-09")) == {("CON-09", Effect.HOLD, "ENFORCE", False)}

    def unlink(act: Act) -> None:
        link = act.session.scalars(select(OutsideLink).where(OutsideLink.order_line_id == line_id)).one()
        link.status = LinkStatus.CANCELLED

    story.given(unlink)
    look(story)
    assert set(kept(story, "CON-09")) == {("CON-09", Effect.HOLD, "ENFORCE", True)}


def test_drift_is_a_finding_until_it_is_resolved(story: Story) -> None:
    line_id = linked(story)

    def disturb(act: Act) -> None:
        order = act.session.get_one(PurchaseOrderLine, line_id).order
        makers.make_discrepancy(act, order, field="lines.1.quantity", ours="10", theirs="12")

    story.given(disturb)
    look(story)
    assert kept(story, "CON-18") == [("CON-18", Effect.HOLD, "ENFORCE", False)]


def test_parts_that_come_back_processed_without_an_operation_are_found(story: Story) -> None:
    def arrange(act: Act) -> str:
        makers.make_process(act)
        fields = {"process_code": "HEAT_TREAT", "spec": "PS-455", "spec_rev": "D"}
        order = makers.make_order_to_receive(act, (makers.make_revision(act), 10, "18.00"), line_fields=fields)
        return order.lines[0].id

    receive(story, str(story.given(arrange)))
    look(story)
    ((rule, _, _, settled),) = kept(story, "BLUR-P7")
    assert (rule, settled) == ("BLUR-P7", False)


def test_in_observe_mode_pieces_leave_before_the_supplier_has_the_order_and_a_finding_says_so(
    outside: OutsideStory,
) -> None:
    outside.ready(status="APPROVED_NOT_TRANSMITTED")
    observe(outside, "outside_processing", quinn)
    outside.ship()
    assert outside.balance()[0] == 24
    assert kept(outside, "CON-06") == [("CON-06", Effect.WARN, Mode.OBSERVE, False)]


@pytest.mark.parametrize("stop", ["held", "unready"])
def test_held_and_unready_links_ship_only_where_their_flow_is_observed_and_a_finding_says_so(
    outside: OutsideStory, stop: str
) -> None:
    outside.begin().plan()
    if stop == "held":
        outside.release()
        with outside.installation.acting("user:quinn") as act:
            hold(act, outside._link(act), rule="SUP-04", reason="Its oven is being audited.", owner="role:QA_SP")
    code, standing = ("ON_HOLD", LinkStatus.READY_TO_SHIP) if stop == "held" else ("SHIP_BLOCKED", LinkStatus.PO_LINKED)
    with pytest.raises(Conflict) as refused:
        outside.ship()
    assert (refused.value.code, outside.balance()[0], outside.link.standing) == (code, 0, standing)
    observe(outside, "outside_processing", quinn)
    with pytest.raises(Conflict, match="at most 24"):
        outside.ship(25)
    outside.ship()
    assert (outside.balance(), outside.link.standing) == ((24, 0, 0, 0, 0, 24), LinkStatus.AT_SUPPLIER)
    assert kept(outside, code) == [(code, Effect.WARN, Mode.OBSERVE, False)]
    outside.take_back(24)
    assert (outside.link.standing, outside.balance()[-1], outside.incidents) == (LinkStatus.RETURNED, 0, [])


@ready_link
def test_what_has_ended_ships_in_no_mode(outside: OutsideStory) -> None:
    outside.ready()
    observe(outside, "outside_processing", quinn)
    with outside.installation.acting("user:rita") as act:
        unlink(act, outside._link(act), reason="No longer needed")
    with pytest.raises(Conflict) as refused:
        outside.ship()
    assert (refused.value.code, outside.balance()[0]) == ("SHIP_BLOCKED", 0)


def test_a_traveller_goes_out_only_with_an_order_that_is_linked_to_its_work(outside: OutsideStory) -> None:
    outside.begin()
    work = outside.read(lambda session: session.scalars(select(WorkOrder.number)).one())
    order_id = outside.read(lambda session: session.scalars(select(PurchaseOrder.id)).one())

    def send(name: str) -> None:
        with outside.as_("bea").acting() as act:
            attachment.attach(act, act.session.get_one(PurchaseOrder, order_id), PDF, file_name=name)

    send(f"drawing for {work}.pdf")
    for name in (f"traveller-{work}.pdf", f"{work}.pdf", "Traveller.pdf"):
        with pytest.raises(RuleViolation) as refused:
            send(name)
        assert refused.value.code == "BLUR-W3"
    outside.plan()
    send(f"traveller-{work}.pdf")
    with pytest.raises(RuleViolation, match="WO-1") as refused:
        send("traveller-WO-1.pdf")
    assert refused.value.code == "BLUR-W3"


def test_an_invoice_that_cites_only_a_work_order_is_refused(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(40)
    with pytest.raises(RuleViolation) as refused:
        dock.bill(40, reference="Heat treatment, your WO-7001")
    assert (refused.value.code, refused.value.findings[0].owner) == ("BLUR-W3", "role:AP")
    assert dock.figures[2] == D(0)
    dock.bill(40, reference=f"Your order {dock.order.number}, WO-7001")
    assert dock.figures[2] == D(40)


@ready_link
def test_a_suspension_names_the_open_orders_stops_shipping_and_keeps_receipts_apart(outside: OutsideStory) -> None:
    """SUP-09; that nothing new is issued is in tests/processes/test_issue.py."""
    outside.ready().ship(12, is_partial=True)
    with outside.as_(quinn).acting() as act:
        approval = act.session.scalars(
            select(SupplierApproval).where(SupplierApproval.subject_code == "HEAT_TREAT")
        ).one()
        approved_suppliers.suspend(act, approval, reason="Audit failed")
    wanted = select(Notice.body).where(Notice.subject == "NorthStar: heat treat is suspended")
    body = outside.read(lambda session: session.scalars(wanted).first())
    assert outside.link.order.number in body
    with pytest.raises(RuleViolation) as refused:
        outside.ship(12, event="ship-2")
    assert any(finding.rule.startswith("SUP-") for finding in refused.value.findings)
    outside.take_back(12)
    receipt = outside.read(lambda session: session.scalars(select(Receipt)).one())
    assert (receipt.quarantine, receipt.quarantine_reason[:6]) == (Quarantine.SUPPLIER, "SUP-09")


def test_stock_of_the_data_is_taken_once_a_day(story: Story) -> None:
    story.given(lambda act: makers.make_part(act, "P-NAKED"))

    def stock() -> list[KeptFinding]:
        wanted = select(KeptFinding).where(KeptFinding.rule == "DQ-PART_WITHOUT_REVISION")
        return list(story.read(lambda session: list(session.scalars(wanted))))

    assert take_daily_stock(story.installation) > 0
    assert take_daily_stock(story.installation) == 0
    first = stock()
    story.installation.extras.clear()
    take_daily_stock(story.installation)
    assert len(stock()) == len(first) > 0, "after a restart nothing is kept twice"

    def mend(act: Act) -> None:
        from records.part import Part

        makers.make_revision(act, act.session.scalars(select(Part).where(Part.part_no == "P-NAKED")).one())

    story.given(mend)
    story.clock.set(story.clock() + dt.timedelta(days=1))
    assert take_daily_stock(story.installation) >= 0
    assert sum(each.settled_at is not None for each in stock()) == 1


def test_what_is_said_of_a_link_is_kept_until_it_holds_no_more(story: Story) -> None:
    def arrange(act: Act) -> str:
        order = makers.make_order_to_receive(act, (makers.make_revision(act), 10, "18.00"))
        return makers.make_link(act, order.lines[0], allocated_quantity=D(12)).id

    link_id = str(story.given(arrange))

    def judge(act: Act) -> None:
        link = act.session.get_one(OutsideLink, link_id)
        keep_judged(act, link, judge_link(act.session, link, at="LINK", now=act.now))

    story.given(judge)
    assert kept(story, "CON-02") == [("CON-02", Effect.HOLD, Mode.ENFORCE, False)]
    story.given(lambda act: setattr(act.session.get_one(OutsideLink, link_id), "allocated_quantity", D(10)))
    story.given(judge)
    assert kept(story, "CON-02") == [("CON-02", Effect.HOLD, Mode.ENFORCE, True)]
