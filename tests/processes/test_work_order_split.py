"""Dividing work orders by the state of their pieces, and converting what is not begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, Invalid, RuleViolation
from engine.stored.instance import Instance
from processes import outside_processing, work_orders
from processes.genealogy import Source, make_lot
from processes.genealogy_gaps import gaps_of
from processes.genealogy_trace import Direction, trace
from processes.outside_links import link
from processes.work_orders import Event, Part
from records.lot import LotSource, LotStatus
from records.notice import Notice
from records.outside import LinkStatus, OutsideLink
from records.part import PartRevision
from records.purchase_order import OrderStatus
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus
from rules.order_consistency import links_of_work
from tests import makers
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory, make_heat_treater, make_outside_order

STEPS: tuple[dict[str, Any], ...] = (
    {"op_no": 10, "description": "Mill and deburr", "work_centre": "MILL"},
    {"op_no": 20, "description": "Inspect", "work_centre": "MILL"},
)
NEW_ROUTING: tuple[dict[str, Any], ...] = (
    {"op_no": 10, "description": "Mill the wider slot"},
    {"op_no": 15, "description": "Deburr by hand"},
    {"op_no": 20, "description": "Inspect to revision C"},
)


@dataclass(frozen=True)
class Approved:
    """A change order as its board left it."""

    id: str = "00000000-0000-0000-0000-000000001042"
    number: str = "CO-1042"
    is_in_force: bool = True


@pytest.fixture
def house(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        makers.make_cast(act)
        makers.make_work_centre(act)
    return installation


def revisions(act: Act) -> tuple[PartRevision, PartRevision]:
    """Make P-200 B, and C with a routing of its own."""
    part = makers.make_part(act, "P-200")
    old, new = (
        makers.make_revision(act, part, "B"),
        makers.make_revision(act, part, "C", status="IN_REVIEW", released_at=None),
    )
    makers.make_routing(act, new, NEW_ROUTING)
    return old, new


def begun(act: Act, revision: PartRevision, *, good: int = 8, **fields: Any) -> WorkOrder:
    """Release 40 pieces and begin on them: 8 have passed operation 10, two hours are booked."""
    order = work_orders.create(
        act, "PRODUCTION", quantity=D(40), part_revision=revision, number="WO-7001", native_id="WO-7001", operations=STEPS, **fields
    )  # fmt: skip
    work_orders.release(act, order)
    for kind, event_id, values in (
        ("OPERATION_STARTED", "e-1", {}),
        ("LABOUR", "e-2", {"quantity": D(2)}),
        ("QUANTITY", "e-3", {"good": D(good)}),
    ):
        work_orders.post_event(
            act, Event(system="MES", event_id=event_id, kind=kind, work_order="WO-7001", op_no=10, performer="B-1007", **values)
        )  # fmt: skip
    return order


def test_d15_what_is_begun_finishes_as_it_was_and_the_rest_is_converted(house: Installation) -> None:
    with house.acting("user:rita") as act:
        old, new = revisions(act)
        order = begun(act, old)
        parts = [Part(D(12), is_started=True), Part(D(28), to_revision=new)]
        going_on, converted = work_orders.split(act, order, parts, change_order=Approved())
        assert order.status is WorkOrderStatus.SPLIT
        assert [(each.number, each.quantity, each.part_revision, each.parent) for each in (going_on, converted)] == [
            ("WO-7001-1", D(12), old, order), ("WO-7001-2", D(28), new, order),
        ]  # fmt: skip
        step = going_on.operations[0]
        assert (going_on.status, step.status, step.quantity_in, step.good) == (
            WorkOrderStatus.IN_PROCESS, OperationStatus.STARTED, D(12), D(8),
        )  # fmt: skip
        assert (converted.status, converted.change_order_id) == (WorkOrderStatus.PLANNED, Approved.id)
        assert [(each.op_no, each.description) for each in converted.operations] == [
            (10, "Mill the wider slot"), (15, "Deburr by hand"), (20, "Inspect to revision C"),
        ]  # fmt: skip
        work_orders.complete_operation(act, step, good=D(4))
        work_orders.complete_operation(act, going_on.operations[1], good=D(12))
        work_orders.close(act, work_orders.complete(act, going_on))
        assert work_orders.snapshot_of(converted)["part_revision"] == "P-200/C"


def test_the_part_that_goes_on_carries_the_actuals(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = begun(act, revisions(act)[0])
        before = work_orders.cost_of(act.session, order).labour
        going_on, other = work_orders.split(act, order, [Part(D(12), is_started=True), Part(D(28))])
        assert before > 0
        assert work_orders.cost_of(act.session, going_on).labour == before
        assert work_orders.cost_of(act.session, other).total == 0


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([Part(D(12)), Part(D(28))], "started"),
        ([Part(D(12), is_started=True), Part(D(28), is_started=True)], "started"),
        ([Part(D(7), is_started=True), Part(D(33))], "quantities"),
    ],
)
def test_what_is_begun_is_not_torn_apart(house: Installation, parts: list[Part], field: str) -> None:
    with house.acting("user:rita") as act:
        order_id = begun(act, revisions(act)[0]).id
    with pytest.raises(Invalid) as refusal, house.acting("user:rita") as act:
        work_orders.split(act, act.session.get_one(WorkOrder, order_id), parts)
    assert set(refusal.value.fields) == {field}


def test_parts_of_begun_work_that_do_not_add_up_leave_nothing_behind(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order_id = begun(act, revisions(act)[0]).id
    parts = [Part(D(12), is_started=True), Part(D(27))]
    with pytest.raises(RuleViolation) as refusal, house.acting("user:rita") as act:
        work_orders.split(act, act.session.get_one(WorkOrder, order_id), parts)
    assert refusal.value.code == "WO-SPLIT"
    with house.reading() as session:
        assert session.scalars(select(WorkOrder.number)).all() == ["WO-7001"]


def test_scrap_stays_with_the_divided_order(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = begun(act, revisions(act)[0])
        work_orders.post_event(
            act, Event(system="MES", event_id="e-4", kind="QUANTITY", work_order="WO-7001", op_no=10, scrap=D(2))
        )
        going_on, other = work_orders.split(act, order, [Part(D(10), is_started=True), Part(D(28))])
        assert (going_on.operations[0].scrap, going_on.quantity + other.quantity) == (D(0), D(38))


def test_a_trace_passes_from_the_part_through_the_divided_order_to_its_material(house: Installation) -> None:
    with house.acting("user:rita") as act:
        old, _ = revisions(act)
        bar = makers.make_revision(act, makers.make_part(act, "BAR"), "A")
        heat = make_lot(
            act, bar, D(40), number="HEAT-1", source=Source(LotSource.ADJUSTMENT, note="Count 7"), status=LotStatus.AVAILABLE
        )  # fmt: skip
        order = begun(act, old)
        work_orders.post_event(
            act, Event(system="MES", event_id="e-5", kind="MATERIAL", work_order="WO-7001", op_no=10, item="BAR", lot="HEAT-1",
                       quantity=D(12), unit_cost=D(1)),
        )  # fmt: skip
        going_on, other = work_orders.split(act, order, [Part(D(12), is_started=True), Part(D(28))])
        made = make_lot(
            act, old, D(12), number="L-1", source=Source(LotSource.WORK_ORDER, ("work_order", going_on.id)), status=LotStatus.AVAILABLE
        )  # fmt: skip
        assert heat in trace(act.session, made, Direction.BACKWARD).lots
        assert {order, going_on} <= set(trace(act.session, heat, Direction.FORWARD).work_orders)
        assert gaps_of(act.session, going_on.id) == []
        assert gaps_of(act.session, other.id) == []


def test_links_follow_the_pieces(house: Installation) -> None:
    with house.acting("user:rita") as act:
        make_heat_treater(act)
        part = makers.make_part(act)
        revision = makers.make_revision(act, part)
        order = makers.make_work_order(act, revision, quantity=D(40))
        line = make_outside_order(act, order, quantity=40)
        made = link(act, order.operations[2], line, quantity=D(40))
        first, second = work_orders.split(act, order, [Part(D(12)), Part(D(28))])
        assert made.status is LinkStatus.CANCELLED
        shares = {
            child.number: [(each.allocated_quantity, each.order_line_id) for each in links_of_work(act.session, child)]
            for child in (first, second)
        }
        assert shares == {first.number: [(D(12), line.id)], second.number: [(D(28), line.id)]}


def test_an_unbegun_order_is_exploded_anew_under_an_approved_change_order(house: Installation) -> None:
    with house.acting("user:rita") as act:
        old, new = revisions(act)
        planned = work_orders.create(
            act, "PRODUCTION", quantity=D(60), part_revision=old, number="WO-7002", operations=STEPS
        )
        firm = work_orders.create(
            act, "PRODUCTION", quantity=D(6), part_revision=old, number="WO-7003", operations=STEPS
        )
        released = work_orders.create(
            act, "PRODUCTION", quantity=D(9), part_revision=old, number="WO-7004", operations=STEPS
        )
        work_orders.firm(act, firm)
        work_orders.release(act, released)
        assert work_orders.convert(act, planned, new, Approved()) is planned
        assert work_orders.convert(act, firm, new, Approved()) is firm
        successor = work_orders.convert(act, released, new, Approved())
        assert (released.status, released.part_revision, successor.number) == (WorkOrderStatus.SPLIT, old, "WO-7004-1")
        for order, pieces in ((planned, 60), (firm, 6), (successor, 9)):
            assert (order.status, order.quantity, order.part_revision) == (WorkOrderStatus.PLANNED, D(pieces), new)
            assert [each.op_no for each in order.operations] == [10, 15, 20]


def test_nothing_is_converted_without_an_approved_change_order(house: Installation) -> None:
    with house.acting("user:rita") as act:
        old, new = revisions(act)
        order = work_orders.create(act, "PRODUCTION", quantity=D(60), part_revision=old, operations=STEPS)
        with pytest.raises(Conflict, match="C4") as refusal:
            work_orders.convert(act, order, new, Approved(is_in_force=False))
        assert refusal.value.code == "UNCONTROLLED_CHANGE"
        work_orders.release(act, order)
        parts = [Part(D(10)), Part(D(50), to_revision=new)]
        with pytest.raises(Conflict, match="none is named") as refusal:
            work_orders.split(act, order, parts)
        assert refusal.value.code == "UNCONTROLLED_CHANGE"


def test_begun_work_is_not_converted_whole(house: Installation) -> None:
    with house.acting("user:rita") as act:
        old, new = revisions(act)
        ids = begun(act, old).id, new.id
    with pytest.raises(Conflict, match="Divide it first"), house.acting("user:rita") as act:
        work_orders.convert(
            act, act.session.get_one(WorkOrder, ids[0]), act.session.get_one(PartRevision, ids[1]), Approved()
        )


def test_a_conversion_cancels_the_links_and_tells_the_buyer(house: Installation) -> None:
    with house.acting("user:rita") as act:
        make_heat_treater(act)
        part = makers.make_part(act)
        old, new = (
            makers.make_revision(act, part),
            makers.make_revision(act, part, "C", status="IN_REVIEW", released_at=None),
        )
        makers.make_routing(act, new)
        order = makers.make_work_order(act, old, quantity=D(40), system="LOCKSTEP", origin="LOCKSTEP", status="PLANNED")
        line = make_outside_order(act, order, quantity=40)
        link(act, order.operations[2], line, quantity=D(40))
        work_orders.convert(act, order, new, Approved())
        assert {each.status for each in act.session.scalars(select(OutsideLink))} == {LinkStatus.CANCELLED}
        assert any("CO-1042" in subject for subject in act.session.scalars(select(Notice.subject)))


def begun_outside(plant: Installation, clock: SettableClock, *, with_order: bool) -> OutsideStory:
    return OutsideStory(plant, clock).begin(quantity=24, with_order=with_order)


def divide(story: OutsideStory) -> list[str]:
    """Divide the work of a story into 10 that go on and 14; return the numbers of the parts."""
    with story.as_("rita").acting() as act:
        order = act.session.get_one(WorkOrderOperation, story.operation_id).work_order
        parts = work_orders.split(act, order, [Part(D(10), is_started=True), Part(D(14))])
        numbers = [each.number for each in parts]
    story.settle()
    return numbers


def flows(story: OutsideStory) -> list[tuple[str, str]]:
    wanted = select(Instance).where(Instance.process_id != "order_to_close").order_by(Instance.started_at, Instance.id)
    rows = story.read(lambda session: list(session.scalars(wanted)))
    return [(each.process_id, each.status) for each in rows]


def test_the_flow_of_a_divided_order_ends_with_a_notice_and_the_part_that_goes_on_has_its_own(
    plant: Installation, clock: SettableClock
) -> None:
    story = begun_outside(plant, clock, with_order=True).plan(24)
    old = story.link
    going_on, _ = divide(story)
    assert flows(story) == [("outside_processing", "CANCELLED")]
    told = story.read(lambda session: list(session.scalars(select(Notice.subject))))
    assert any(f"Outside processing of {old.operation.number} has ended" in each for each in told)
    plant.extras.pop(outside_processing.LAST_LOOK, None)
    outside_processing.start_due_outside_operations(plant)
    story.settle()
    assert flows(story) == [("outside_processing", "CANCELLED"), ("outside_processing", "RUNNING")]
    shares = story.read(
        lambda session: {
            each.operation.work_order.number: (each.allocated_quantity, each.order_line_id, each.status)
            for each in session.scalars(select(OutsideLink))
        }
    )
    assert shares[going_on] == (D(10), old.order_line_id, LinkStatus.PO_LINKED)
    story.instance_id = story.read(
        lambda session: session.scalars(select(Instance.id).where(Instance.status == "RUNNING")).one()
    )
    story.plan(10)
    assert (story.steps, story.incidents) == (["release_special_process"], [])
    assert len(story.read(lambda session: list(session.scalars(select(OutsideLink))))) == 3


def test_what_was_still_being_bought_for_a_divided_order_is_cancelled_with_its_flow(
    plant: Installation, clock: SettableClock
) -> None:
    story = begun_outside(plant, clock, with_order=False)
    story.plan(24, cost_centre="4711", estimated_price="18.00")
    (order,) = story.purchase_orders
    assert order.status is OrderStatus.DRAFT
    divide(story)
    assert flows(story) == [("outside_processing", "CANCELLED")]
    (after,) = story.purchase_orders
    assert (after.status, story.tasks(), story.incidents) == (OrderStatus.CANCELLED, [], [])
