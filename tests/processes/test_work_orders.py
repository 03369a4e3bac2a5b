"""Work orders from plan to close: gate, events that count once, corrections, cost; on both databases."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.ports import SignatureRequest
from processes import work_order_cost, work_orders
from processes.nonconformances import dispose, permit_deviation, raise_nonconformance
from processes.work_orders import Event
from records.actual import Actual, actuals_of
from records.approval import slots_of
from records.external import Discrepancy
from records.nonconformance import Disposition, Nonconformance
from records.part import RevisionStatus
from records.resource import Resource, ResourceKind
from records.routing import WorkInstruction, release_instruction
from records.work_order import (
    CalibrationResult,
    OperationStatus,
    WorkOrder,
    WorkOrderOperation,
    WorkOrderStatus,
)
from rules.finding import open_findings
from tests import makers
from tests.makers import D

INSIDE = (
    {"op_no": 10, "description": "Mill profile", "work_centre": "MILL", "instruction": "WI-20"},
    {"op_no": 20, "description": "Inspect", "work_centre": "MILL"},
)


@pytest.fixture
def house(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        makers.make_cast(act)
        makers.make_work_centre(act)
        makers.make_instruction(act)
        act.session.get_one(makers.User, "rita")
    return installation


def planned(act: Act, **values: Any) -> WorkOrder:
    """Make a production order of 40 with two operations inside, planned here by rita."""
    given: dict[str, Any] = {
        "quantity": D(40),
        "operations": INSIDE,
        "part_revision": makers.make_revision(act),
    } | values
    kind = given.pop("kind", "PRODUCTION")
    if kind not in ("PRODUCTION", "REWORK", "DEVIATION"):
        given.pop("part_revision")
        given["quantity"] = D(1)
    return work_orders.create(act, kind, **given)


def released(act: Act, **values: Any) -> WorkOrder:
    return work_orders.release(act, planned(act, **values))


def say(act: Act, order: WorkOrder, kind: str, event_id: str, **values: Any) -> work_orders.Posted:
    return work_orders.post_event(
        act, Event(**{"system": "MES", "event_id": event_id, "kind": kind, "work_order": order.native_id} | values)
    )


def test_a_work_order_of_40_with_38_good_and_2_scrap_balances(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = released(act)
        first, second = order.operations
        work_orders.start_operation(act, first, performer="B-1007")
        work_orders.complete_operation(act, first, good=D(38), scrap=D(2))
        assert (second.status, second.quantity_in) == (OperationStatus.READY, D(38))
        work_orders.complete_operation(act, second, good=D(38))
        assert work_orders.complete(act, order).status is WorkOrderStatus.COMPLETE
        assert work_orders.close(act, order).status is WorkOrderStatus.CLOSED
        assert sum(operation.scrap for operation in order.operations) + second.good == order.quantity


def test_an_operation_is_not_complete_while_pieces_are_unaccounted_for(house: Installation) -> None:
    with house.acting("user:rita") as act:
        first = released(act).operations[0]
    with (
        pytest.raises(RuleViolation, match=r"2.000000 are neither good nor scrap") as refusal,
        house.acting("user:rita") as act,
    ):
        work_orders.complete_operation(act, act.session.get_one(WorkOrderOperation, first.id), good=D(38))
    assert refusal.value.code == "BALANCE_OPEN"


def test_release_freezes_the_routing_with_its_instruction_and_a_newer_one_only_warns(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = released(act)
        assert order.snapshot_hash == order.approved_hash
        assert '"instruction_rev":"3"' in (order.snapshot or "")
    with house.acting("user:pat") as act:
        newer = WorkInstruction(document_no="WI-20", rev="4", title="Mill, deburr, wash")
        act.session.add(newer)
        release_instruction(act, newer)
    with house.reading() as session:
        read = session.get_one(WorkOrder, order.id)
        assert read.operations[0].instruction_rev == "3"
        (warning,) = work_orders.warnings_of(session, read)
        assert "follows WI-20 rev 3; rev 4 is released since" in warning


@pytest.mark.parametrize(
    ("field", "value"),
    [("instruction_rev", "4"), ("spec_rev", "E"), ("description", "Mill twice"), ("work_centre_id", None)],
)
def test_the_definition_of_a_released_operation_stays_as_released(
    house: Installation, field: str, value: str | None
) -> None:
    with house.acting("user:rita") as act:
        order = released(act)
    with pytest.raises(RuleViolation) as refusal, house.acting("user:rita") as act:
        setattr(act.session.get_one(WorkOrderOperation, order.operations[0].id), field, value)
    assert refusal.value.code == "UNCONTROLLED_CHANGE"


def test_an_unreleased_part_revision_does_not_pass_the_gate(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = planned(act, part_revision=makers.make_revision(act, status=RevisionStatus.IN_REVIEW))
    with pytest.raises(RuleViolation, match="it is IN_REVIEW") as refusal, house.acting("user:rita") as act:
        work_orders.release(act, act.session.get_one(WorkOrder, order.id))
    assert refusal.value.code == "CON-07"
    with house.reading() as session:
        assert session.get_one(WorkOrder, order.id).status is WorkOrderStatus.PLANNED
        assert [finding.rule for finding in open_findings(session, "work_order", order.id)] == ["CON-07"]


def test_a_contracted_crew_without_order_or_contract_holds_the_release(house: Installation) -> None:
    with house.acting("user:rita") as act:
        crew = makers.make_supplier(act)
        order = planned(act, crew_supplier_id=crew.id)
    with pytest.raises(RuleViolation, match="frame contract for the crew") as refusal, house.acting("user:rita") as act:
        work_orders.release(act, act.session.get_one(WorkOrder, order.id))
    assert refusal.value.code == "CON-11"
    with house.acting("user:rita") as act:
        assert released(act, crew_supplier_id=crew.id, contract_ref="FC-12").status is WorkOrderStatus.RELEASED


def test_outside_work_without_an_order_holds_the_release_once_its_lead_time_is_gone(house: Installation) -> None:
    outside = makers.ROUTING[2] | {"op_no": 15}
    with house.acting("user:rita") as act:
        soon = planned(act, operations=(INSIDE[0], outside), planned_start=dt.date(2026, 11, 30))
        later = planned(act, operations=(INSIDE[0], outside), planned_start=dt.date(2026, 12, 14))
        assert work_orders.release(act, later).status is WorkOrderStatus.RELEASED
    with pytest.raises(RuleViolation, match="10 working days to buy it") as refusal, house.acting("user:rita") as act:
        work_orders.release(act, act.session.get_one(WorkOrder, soon.id))
    assert refusal.value.code == "CON-11"


def test_an_undefined_operation_and_an_empty_routing_do_not_pass_the_gate(house: Installation) -> None:
    special = {"op_no": 10, "description": "Weld", "work_centre": "MILL", "is_special": True, "process_code": "WELD"}
    with house.acting("user:rita") as act:
        ids = [planned(act, operations=(special,)).id, planned(act, operations=()).id]
    for order_id, sentence in zip(ids, ("without a specification", "but it has none"), strict=True):
        with pytest.raises(RuleViolation, match=sentence), house.acting("user:rita") as act:
            work_orders.release(act, act.session.get_one(WorkOrder, order_id))


def test_content_changed_after_firm_is_not_released(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = work_orders.firm(act, planned(act))
        order.operations[0].description = "Mill profile twice"
    with pytest.raises(Conflict, match="changed since") as refusal, house.acting("user:rita") as act:
        work_orders.release(act, act.session.get_one(WorkOrder, order.id))
    assert refusal.value.code == "BASELINE_CONFLICT"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("PRODUCTION", {"part_revision"}),
        ("REWORK", {"part_revision", "nonconformance"}),
        ("DEVIATION", {"part_revision", "deviation"}),
        ("PREVENTIVE", {"resource", "due_rule"}),
        ("CORRECTIVE", {"resource"}),
        ("CALIBRATION", {"resource"}),
        ("QUALIFICATION", {"resource"}),
        ("FIELD_SERVICE", {"customer", "serial", "service_location"}),
    ],
)
def test_a_type_cannot_exist_without_what_defines_it(house: Installation, kind: str, fields: set[str]) -> None:
    with pytest.raises(Invalid) as refusal, house.acting("user:rita") as act:
        work_orders.create(act, kind, operations=INSIDE)
    assert set(refusal.value.fields) == fields


def test_a_calibration_calibrates_a_gauge(house: Installation) -> None:
    with pytest.raises(RuleViolation, match="is equipment") as refusal, house.acting("user:rita") as act:
        planned(act, kind="CALIBRATION", resource=makers.make_resource(act))
    assert refusal.value.code == "WO-TYPE"


def test_rework_takes_no_more_pieces_than_its_nonconformance_permits(house: Installation) -> None:
    with house.acting("user:quinn") as act:
        source = makers.make_work_order(act)
        raised = raise_nonconformance(act, source, D(4), title="Bore undersize")
    with (
        pytest.raises(RuleViolation, match=f"at most 4.000000 EA under {raised.number}") as refusal,
        house.acting("user:rita") as act,
    ):
        planned(act, kind="REWORK", quantity=D(5), nonconformance=act.session.get_one(Nonconformance, raised.id))
    assert refusal.value.code == "NCR-LIMIT"
    with house.acting("user:rita") as act:
        nonconformance = act.session.get_one(Nonconformance, raised.id)
        planned(act, kind="REWORK", quantity=D(3), nonconformance=nonconformance)
        with pytest.raises(RuleViolation, match="makes it 5"), act.attempt():
            planned(act, kind="REWORK", quantity=D(2), nonconformance=nonconformance)


def test_a_deviation_ends_with_its_day(house: Installation) -> None:
    with house.acting("user:quinn") as act:
        leave = permit_deviation(act, D(40), dt.date(2026, 11, 22), title="Alternate deburring")
    with house.acting("user:rita") as act:
        order = planned(act, kind="DEVIATION", deviation=act.session.get_one(type(leave), leave.id))
    tomorrow = house.clock() + dt.timedelta(days=1)
    with (
        pytest.raises(RuleViolation, match="expires 2026-11-22") as refusal,
        house.acting("user:rita", now=tomorrow) as act,
    ):
        work_orders.release(act, act.session.get_one(WorkOrder, order.id))
    assert refusal.value.code == "WO-AUTHORITY"


def test_only_quality_disposes(house: Installation) -> None:
    with house.acting("user:quinn") as act:
        raised = raise_nonconformance(act, makers.make_work_order(act), D(4), title="Bore undersize")
        dispose(act, raised, Disposition.REWORK, reason="Ream to size")
        assert raised.status == "DISPOSED"
        other = raise_nonconformance(act, makers.make_work_order(act), D(4), title="Scratch")
    with pytest.raises(Forbidden), house.acting("user:rita") as act:
        dispose(act, act.session.get_one(Nonconformance, other.id), Disposition.USE_AS_IS, reason="Fits")


def test_the_same_event_twice_counts_once(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        hours = {"op_no": 10, "quantity": D(2), "performer": "B-1007"}
        first = say(act, order, "LABOUR", "ev-1", **hours)
        assert (first.answer, first.actual.amount) == ("recorded", D("170.00"))
    with house.acting("adapter:mes") as act:
        second = say(act, order, "LABOUR", "ev-1", **hours)
        assert (second.answer, second.actual.id) == ("already handled", first.actual.id)
    with house.reading() as session:
        assert [actual.quantity for actual in actuals_of(session, order)] == [D(2)]


def test_the_same_event_at_the_same_time_counts_once(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
    gate, answers = threading.Barrier(4), []

    def deliver() -> None:
        gate.wait()
        with house.acting("adapter:mes") as act:
            posted = say(act, order, "QUANTITY", "ev-9", op_no=10, good=D(3))
            answers.append(posted.answer)

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["already handled"] * 3 + ["recorded"]
    with house.reading() as session:
        assert session.get_one(WorkOrder, order.id).operations[0].good == D(3)


def test_an_id_that_comes_with_another_content_is_refused(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        say(act, order, "LABOUR", "ev-1", op_no=10, quantity=D(2))
    with pytest.raises(Conflict, match=r"quantity 2.000000 and now 3") as refusal, house.acting("adapter:mes") as act:
        say(act, order, "LABOUR", "ev-1", op_no=10, quantity=D(3))
    assert refusal.value.code == "EVENT_DIFFERS"


def test_execution_comes_from_its_system_of_record_only(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        say(act, order, "LABOUR", "ev-1", op_no=10, quantity=D(2))
    with (
        pytest.raises(RuleViolation, match="from MES or LOCKSTEP, but ERP sent it") as refusal,
        house.acting("adapter:erp") as act,
    ):
        say(act, order, "LABOUR", "ev-1", op_no=10, quantity=D(2), system="ERP")
    assert (refusal.value.code, refusal.value.http_status) == ("SOR_VIOLATION", 403)
    with house.reading() as session:
        assert len(actuals_of(session, order)) == 1


def test_one_number_of_two_systems_is_two_work_orders(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        for system in ("MES", "ERP"):
            makers.make_work_order(act, number="WO-1", system=system)
        with pytest.raises(Invalid, match="MES and ERP both use"):
            work_orders.find(act.session, "WO-1")
        assert work_orders.find(act.session, "WO-1", system="ERP").system == "ERP"


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("LABOUR", {"op_no": 10, "quantity": D(-2)}, "quantity"),
        ("LABOUR", {"op_no": 10, "quantity": D(0)}, "quantity"),
        ("LABOUR", {"op_no": 10, "quantity": D(2), "uom": "KGM"}, "uom"),
        ("LABOUR", {"op_no": 99, "quantity": D(2)}, "op_no"),
        ("LABOUR", {"quantity": D(2)}, "op_no"),
        ("MACHINE", {"op_no": 30, "quantity": D(2)}, "op_no"),
        ("MATERIAL", {"item": "P-404", "quantity": D(1), "lot": "L1"}, "item"),
        ("MATERIAL", {"item": "BAR", "quantity": D(1), "uom": "EA"}, "uom"),
        ("QUANTITY", {"op_no": 10, "good": D(11)}, "good"),
        ("QUANTITY", {"op_no": 10, "good": D(-1)}, "good"),
        ("QUANTITY", {"op_no": 10}, "good"),
        ("PROCESS", {"op_no": 10, "value": D(5)}, "name"),
        ("PROCESS", {"op_no": 10, "name": "Temperature", "value": D(5), "lower": D(9), "upper": D(1)}, "lower"),
        ("TEA_BREAK", {"op_no": 10}, "kind"),
    ],
)
def test_an_event_that_does_not_fit_is_refused_with_its_field_and_moves_nothing(
    house: Installation, kind: str, values: dict[str, Any], field: str
) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        makers.make_part(act, "BAR", base_uom="KGM")
    with pytest.raises(Invalid) as refusal, house.acting("adapter:mes") as act:
        say(act, order, kind, "ev-1", **values)
    assert field in refusal.value.fields
    with house.reading() as session:
        read = session.get_one(WorkOrder, order.id)
        assert (actuals_of(session, read), read.status) == ([], WorkOrderStatus.RELEASED)


def test_an_operation_waits_for_the_one_before(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        for kind, values in (("LABOUR", {"quantity": D(1)}), ("QUANTITY", {"good": D(1)}), ("OPERATION_STARTED", {})):
            with pytest.raises(Conflict) as refusal:
                say(act, order, kind, f"ev-{kind}", op_no=20, **values)
            assert refusal.value.code == "ILLEGAL_TRANSITION"


def test_a_correction_is_a_reversing_row_with_a_reason(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        say(act, order, "LABOUR", "ev-1", op_no=10, quantity=D(2))
        with pytest.raises(Invalid, match="reason"):
            say(act, order, "LABOUR", "ev-2", reverses="ev-1")
        say(act, order, "LABOUR", "ev-2", reverses="ev-1", reason="Booked on the wrong order")
        assert say(act, order, "LABOUR", "ev-2", reverses="ev-1", reason="Booked on the wrong order").is_duplicate
        with pytest.raises(Conflict, match="has taken it back"):
            say(act, order, "LABOUR", "ev-3", reverses="ev-1", reason="Again")
        assert [row.amount for row in actuals_of(act.session, order)] == [D("170.00"), D("-170.00")]
        assert work_orders.cost_of(act.session, order).labour == D(0)


def test_an_actual_is_never_edited_nor_deleted(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        posted = say(act, order, "LABOUR", "ev-1", op_no=10, quantity=D(2))
    for statement in ("UPDATE actual SET performer = 'x'", "DELETE FROM actual"):
        with (
            pytest.raises((DBAPIError, RuleViolation), match="Expected the rows of actual to stay"),
            house.acting("system:test") as act,
        ):
            act.session.connection().exec_driver_sql(statement)
    with house.reading() as session:
        assert session.get_one(Actual, posted.actual.id).performer == ""


def test_a_completion_is_taken_back_while_the_next_operation_has_not_begun(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act, operations=makers.ROUTING[:2])
        say(act, order, "OPERATION_COMPLETED", "ev-1", op_no=10, good=D(9), scrap=D(1))
        first, second = order.operations
        assert second.quantity_in == D(9)
        say(act, order, "OPERATION_COMPLETED", "ev-2", reverses="ev-1", reason="One piece was good after all")
        assert (first.status, first.good, second.status, second.quantity_in) == ("READY", D(0), "WAITING", None)
        say(act, order, "OPERATION_COMPLETED", "ev-3", op_no=10, good=D(10))
        assert (second.status, second.quantity_in) == ("READY", D(10))


def test_a_complete_operation_does_not_open_by_a_status(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act, operations=makers.ROUTING[:2])
        say(act, order, "OPERATION_COMPLETED", "ev-1", op_no=10, good=D(10))
    with pytest.raises(RuleViolation, match="reversing record"), house.acting("adapter:mes") as act:
        act.session.get_one(WorkOrderOperation, order.operations[0].id).status = OperationStatus.READY


WELD = {
    "op_no": 10, "description": "Weld", "is_special": True, "process_code": "WELD", "spec": "PS-100", "spec_rev": "B",
}  # fmt: skip


def test_a_special_process_needs_a_qualified_person_and_calibrated_equipment(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act, operations=(WELD,))
        makers.make_person(act, processes=("WELD",))
        makers.make_person(act, "B-1008")
        lapsed = makers.make_person(act, "B-1009")
        makers.make_qualification(act, lapsed, expires_on=dt.date(2026, 11, 21))
        makers.make_resource(act, "W-1", calibration_interval_days=365, calibration_due=dt.date(2026, 12, 1))
        makers.make_resource(act, "W-2", calibration_interval_days=365, calibration_due=dt.date(2026, 11, 21))
    for performer, equipment, rule in (
        ("B-1008", "W-1", "WO-QUALIFICATION"), ("B-1009", "W-1", "WO-QUALIFICATION"), ("nobody", "W-1", "WO-QUALIFICATION"),
        ("B-1007", "W-2", "WO-CALIBRATION"), ("B-1007", None, "WO-CALIBRATION"),
    ):  # fmt: skip
        with pytest.raises(RuleViolation) as refusal, house.acting("adapter:mes") as act:
            say(act, order, "OPERATION_STARTED", "ev-1", op_no=10, performer=performer, resource=equipment)
        assert refusal.value.code == rule
    with house.acting("adapter:mes") as act:
        say(act, order, "OPERATION_STARTED", "ev-1", op_no=10, performer="B-1007", resource="W-1")


def test_who_performed_a_special_process_does_not_accept_it(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act, operations=(WELD,))
        makers.make_person(act, processes=("WELD",), user_id="otto")
        makers.make_resource(act, "W-1")
        say(act, order, "OPERATION_STARTED", "ev-1", op_no=10, performer="B-1007", resource="W-1")
        say(act, order, "OPERATION_COMPLETED", "ev-2", op_no=10, good=D(10))
    with pytest.raises(RuleViolation, match="otto performed") as refusal, house.acting("user:otto") as act:
        work_orders.complete(act, act.session.get_one(WorkOrder, order.id))
    assert (refusal.value.code, refusal.value.http_status) == ("SOD-10", 403)
    with house.acting("user:quinn") as act:
        work_orders.complete(act, act.session.get_one(WorkOrder, order.id))


def test_a_measurement_out_of_limits_stops_the_operation_until_a_nonconformance_is_raised(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        order = makers.make_work_order(act)
        reading = {"name": "Temperature", "value": D("861"), "unit": "CEL", "lower": D(835), "upper": D(855)}
        assert say(act, order, "PROCESS", "ev-1", op_no=10, **reading).actual.is_in_limits is False
    with pytest.raises(RuleViolation, match="within 835 to 855") as refusal, house.acting("adapter:mes") as act:
        say(act, order, "OPERATION_COMPLETED", "ev-2", op_no=10, good=D(10))
    assert refusal.value.code == "WO-LIMITS"
    with house.acting("user:quinn") as act:
        raise_nonconformance(act, act.session.get_one(WorkOrder, order.id), D(10), title="Overheated")
    with house.acting("adapter:mes") as act:
        say(act, order, "OPERATION_COMPLETED", "ev-2", op_no=10, good=D(10))


def test_a_hold_stops_events_and_goes_back_where_it_was(house: Installation) -> None:
    with house.acting("user:quinn") as act:
        order = makers.make_work_order(act)
        work_orders.hold(act, order, reason="Wrong drawing", owner="role:QA_ENG")
    with pytest.raises(Conflict, match="Wrong drawing") as refusal, house.acting("adapter:mes") as act:
        say(act, order, "LABOUR", "ev-1", op_no=10, quantity=D(1))
    assert refusal.value.code == "ON_HOLD"
    with pytest.raises(Forbidden), house.acting("user:rita") as act:
        work_orders.lift_hold(act, act.session.get_one(WorkOrder, order.id), reason="Let me")
    with house.acting("user:quinn") as act:
        order = act.session.get_one(WorkOrder, order.id)
        assert work_orders.lift_hold(act, order, reason="Right drawing is there").status is WorkOrderStatus.RELEASED


def test_the_parts_of_a_split_make_up_the_whole(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order_id = released(act).id
    with pytest.raises(RuleViolation, match="but they make 38") as refusal, house.acting("user:rita") as act:
        work_orders.split(act, act.session.get_one(WorkOrder, order_id), [D(12), D(26)])
    assert refusal.value.code == "WO-SPLIT"
    with house.acting("user:rita") as act:
        order = act.session.get_one(WorkOrder, order_id)
        children = work_orders.split(act, order, [D(12), D(28)])
        assert [(child.number, child.quantity, child.parent_id) for child in children] == [
            (f"{order.number}-1", D(12), order.id), (f"{order.number}-2", D(28), order.id),
        ]  # fmt: skip
        assert order.status is WorkOrderStatus.SPLIT
        assert work_orders.release(act, children[0]).operations[0].quantity_in == D(12)


def test_nothing_at_a_supplier_is_cancelled_or_completed(house: Installation) -> None:
    away = (makers.ROUTING[2] | {"op_no": 10},)
    with house.acting("system:test") as act:
        order = makers.make_work_order(act, operations=away)
        order.operations[0].status = OperationStatus.AT_SUPPLIER
    with pytest.raises(RuleViolation) as refusal, house.acting("user:rita") as act:
        work_orders.cancel(act, act.session.get_one(WorkOrder, order.id), reason="No need")
    assert refusal.value.code == "BALANCE_OPEN"
    with house.acting("system:test") as act:
        stored = act.session.get_one(WorkOrder, order.id)
        stored.status = WorkOrderStatus.IN_PROCESS
    with pytest.raises(RuleViolation) as refusal, house.acting("user:rita") as act:
        work_orders.complete(act, act.session.get_one(WorkOrder, order.id))
    assert refusal.value.code == "CON-10"


def test_a_gauge_found_out_of_tolerance_names_the_work_measured_with_it(house: Installation) -> None:
    with house.acting("user:rita") as act:
        gauge = makers.make_resource(act, "G-14", kind=ResourceKind.GAUGE, last_good_on=dt.date(2026, 11, 1))
        measured, other = makers.make_work_order(act), makers.make_work_order(act)
        process = {"kind": "PROCESS", "name": "Bore", "value": D(5), "quantity": None, "uom": None}
        makers.make_actual(act, measured, resource_id=gauge.id, **process)
        before = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
        makers.make_actual(act, other, resource_id=gauge.id, event_time=before, **process)
        steps = ({"op_no": 10, "description": "Calibrate", "work_centre": "MILL"},)
        order = work_orders.firm(act, planned(act, kind="CALIBRATION", resource=gauge, operations=steps))
        (slot,) = slots_of(act.session, "work_order", order.id, order.approved_hash or "")
        assert slot.role == "MAINT_PLANNER"
    with pytest.raises(RuleViolation, match="MAINT_PLANNER to sign"), house.acting("user:rita") as act:
        work_orders.release(act, act.session.get_one(WorkOrder, order.id))
    request = SignatureRequest(meaning="APPROVED", password="lockstep-demo", user_id="rita", session_id="")
    with house.acting("user:rita") as act:
        order = act.session.get_one(WorkOrder, order.id)
        work_orders.sign(act, order, "MAINT_PLANNER", request)
        work_orders.release(act, order)
        work_orders.complete_operation(act, order.operations[0], good=D(1))
        work_orders.complete(act, order)
    with pytest.raises(RuleViolation, match="nothing is recorded"), house.acting("user:rita") as act:
        work_orders.close(act, act.session.get_one(WorkOrder, order.id))
    with house.acting("user:rita") as act:
        order = act.session.get_one(WorkOrder, order.id)
        work_orders.record_calibration(act, order, CalibrationResult.OUT_OF_TOLERANCE)
        work_orders.close(act, order)
        (raised,) = act.session.scalars(select(Nonconformance).where(Nonconformance.about_id == gauge.id))
        assert f"on: {measured.number}." in raised.description
        assert not act.session.get_one(Resource, gauge.id).is_active
        assert [finding.rule for finding in open_findings(act.session, "work_order", measured.id)] == ["WO-GAUGE"]


def test_a_field_service_order_closes_with_a_whole_service_record(house: Installation) -> None:
    steps = ({"op_no": 10, "description": "Replace seal", "work_centre": "MILL"},)
    with house.acting("user:rita") as act:
        order = released(
            act, kind="FIELD_SERVICE", customer="Acme Air", serial="SN-0007", service_location="Tulsa", operations=steps
        )
        work_orders.complete_operation(act, order.operations[0], good=D(1))
        work_orders.complete(act, order)
        work_orders.record_service(act, order, work_done="Seal replaced", performed_by="Otto Brandt")
    with pytest.raises(RuleViolation, match="serviced on, test data are missing"), house.acting("user:rita") as act:
        work_orders.close(act, act.session.get_one(WorkOrder, order.id))
    with house.acting("user:rita") as act:
        order = act.session.get_one(WorkOrder, order.id)
        work_orders.record_service(act, order, serviced_on=dt.date(2026, 11, 22), test_data="Leak 0.2 ml/min")
        assert work_orders.close(act, order).status is WorkOrderStatus.CLOSED


def test_a_release_that_the_gate_does_not_permit_stays_a_discrepancy(house: Installation) -> None:
    with house.acting("adapter:mes") as act:
        draft = makers.make_revision(act, status=RevisionStatus.DRAFT)
        order = planned(act, system="MES", native_id="WO-77", part_revision=draft)
        work_orders.observe(act, order, WorkOrderStatus.RELEASED, system="MES")
        assert order.status is WorkOrderStatus.PLANNED
        (found,) = act.session.scalars(select(Discrepancy))
        assert (found.ours, found.theirs, found.owner) == ("PLANNED", "RELEASED", "role:INTEGRATION")
        with pytest.raises(RuleViolation, match=r"SOR|MES, but ERP"):
            work_orders.observe(act, order, WorkOrderStatus.FIRM, system="ERP")


def test_an_amended_price_books_outside_work_again(house: Installation) -> None:
    with house.acting("system:test") as act:
        order = makers.make_work_order(act)
        line = makers.make_order(act, (makers.make_revision(act), 10, "18.00")).lines[0]
        say(act, order, "OUTSIDE", "acc-1", op_no=30, quantity=D(10), order_line_id=line.id, system="LOCKSTEP")
        assert work_orders.cost_of(act.session, order).outside == D("180.00")
        line.unit_price = D("19.50")
        assert len(work_order_cost.reprice_outside(act, line)) == 2
        assert work_orders.cost_of(act.session, order).outside == D("195.00")
        assert work_order_cost.reprice_outside(act, line) == []


def test_work_bought_by_weight_is_repriced_per_piece_and_only_when_its_price_moved(house: Installation) -> None:
    """A line in kilograms at 18.00, 2.5 kg a piece: a piece costs 45.00."""
    with house.acting("system:test") as act:
        order = makers.make_work_order(act)
        line = makers.make_order(act, (makers.make_revision(act), 25, "18.00")).lines[0]
        line.uom = "KGM"
        makers.make_link(act, line, operation=order.operations[2], conversion_factor=D("2.5"), uom="EA")
        cost = {"order_line_id": line.id, "unit_cost": D("45.00"), "uom": "EA"}
        say(act, order, "OUTSIDE", "acc-1", op_no=30, quantity=D(10), system="LOCKSTEP", **cost)
        assert work_order_cost.reprice_outside(act, line) == []
        line.unit_price = D("20.00")
        assert len(work_order_cost.reprice_outside(act, line)) == 2
        assert work_orders.cost_of(act.session, order).outside == D("500.00")


def test_work_bought_in_another_currency_costs_what_it_is_at_the_order_s_rate(house: Installation) -> None:
    """18.00 EUR at 1.08 are 19.44 USD a piece; without a rate nobody knows what it costs."""
    with house.acting("system:test") as act:
        order = makers.make_work_order(act)
        bought = makers.make_order(act, (makers.make_revision(act), 10, "18.00"), currency="EUR", fx_rate=D("1.08"))
        line = bought.lines[0]
        say(act, order, "OUTSIDE", "acc-1", op_no=30, quantity=D(10), order_line_id=line.id, system="LOCKSTEP")
        assert work_orders.cost_of(act.session, order).outside == D("194.40")
        assert work_order_cost.reprice_outside(act, line) == []
        line.unit_price = D("20.00")
        assert len(work_order_cost.reprice_outside(act, line)) == 2
        assert work_orders.cost_of(act.session, order).outside == D("216.00")
        bought.fx_rate = None
        assert line.company_price is None
        assert work_order_cost.reprice_outside(act, line) == []


def test_outside_cost_without_order_or_contract_is_refused(house: Installation) -> None:
    with house.acting("system:test") as act:
        order = makers.make_work_order(act)
        with pytest.raises(RuleViolation) as refusal, act.attempt():
            say(act, order, "OUTSIDE", "acc-1", op_no=30, quantity=D(10), unit_cost=D(18), system="LOCKSTEP")
        assert refusal.value.code == "BLUR-W2"


def test_material_of_another_revision_is_refused_with_both_and_the_required_one_is_costed_against_its_standard(
    house: Installation,
) -> None:
    with house.acting("system:test") as act:
        bar = makers.make_part(act, "BAR")
        for revision in ("A", "B"):
            makers.make_stock(
                act,
                f"L-{revision}",
                revision=makers.make_revision(act, bar, revision, status=RevisionStatus.SUPERSEDED),
            )
        component = {"kind": "MATERIAL", "item": "BAR/B", "quantity": D(2), "uom": "EA", "unit_cost": D(40)}
        order = makers.make_work_order(act, standards=(component,), standard_cost=D(80))
        issued = {"item": "BAR", "quantity": D(3), "unit_cost": D(41)}
        with pytest.raises(RuleViolation) as refusal, act.attempt():
            say(act, order, "MATERIAL", "m-1", lot="L-A", **issued)
        [finding] = refusal.value.findings
        assert (finding.rule, finding.old, finding.new) == ("CON-16", "BAR/B", "BAR/A")
        say(act, order, "MATERIAL", "m-1", lot="L-B", **issued)
        cost = work_orders.cost_of(act.session, order)
        assert [(line.item, line.standard_amount, line.actual_amount) for line in cost.lines] == [
            ("BAR", D(80), D(123))
        ]
        assert (cost.causes["price"], cost.causes["usage"]) == (D(3), D(40))


@pytest.mark.parametrize(
    "quantities", [(D("3.333333"), D("7.7777"), D("0.1")), (D(10), D(2), D(10)), (D("0.000001"), D("1.5"), D(999))]
)
def test_the_causes_add_up_to_the_variance_exactly(house: Installation, quantities: tuple[Decimal, ...]) -> None:
    with house.acting("system:test") as act:
        makers.make_part(act, "BAR", base_uom="KGM")
        order = makers.make_work_order(
            act,
            standards=(
                {"kind": "MATERIAL", "item": "BAR", "quantity": D("7.123456"), "uom": "KGM", "unit_cost": D("41.3333")},
                {"kind": "LABOUR", "item": "MILL", "quantity": D("1.999999"), "uom": "HUR", "unit_cost": D("79.9999")},
                {"kind": "OUTSIDE", "item": "HEAT_TREAT", "quantity": D(9), "uom": "EA", "unit_cost": D("17.7777")},
            ),
            standard_cost=D("612.3400"),
        )
        material, hours, _ = quantities
        say(act, order, "MATERIAL", "m", item="BAR", quantity=material, lot="L-1", unit_cost=D("42.5001"))
        say(act, order, "LABOUR", "l", op_no=10, quantity=hours)
        cost = work_orders.cost_of(act.session, order)
        assert sum(cost.causes.values()) == cost.variance == cost.total - D("612.34")
