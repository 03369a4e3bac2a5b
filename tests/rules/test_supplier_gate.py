"""SUP-01 to SUP-07 and SUP-12 over supplier, line, day and point of use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import Effect, RuleViolation
from records.part import Criticality
from records.purchase_order import OrderStatus, PurchaseOrder, approved_hash, move
from records.supplier import ApprovalBasis, ApprovalStatus, ApprovalSubject, Supplier, SupplierStatus
from rules.supplier_gate import Point, judge, judge_order
from tests.makers import (
    make_approval,
    make_order,
    make_order_line,
    make_part,
    make_process,
    make_requisition,
    make_requisition_line,
    make_revision,
    make_signature,
    make_slot,
    make_supplier,
    make_supplier_site,
)

TODAY = dt.date(2026, 11, 22)
PROCESS = ApprovalSubject.PROCESS
EFFECTS = {
    Point.SUBMIT: Effect.WARN,
    Point.GATE: Effect.HOLD,
    Point.BUILD: Effect.HOLD,
    Point.ISSUE: Effect.BLOCK,
    Point.SHIP: Effect.BLOCK,
}


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    with house.acting("user:bea") as opened:
        yield opened


def process_line(act: Act, code: str = "FPI", **fields: Any) -> Any:
    make_process(act, code, nadcap_commodity=fields.pop("nadcap", ""))
    requisition = make_requisition(act)
    revision = fields.pop("revision", None) or make_revision(act)
    return make_requisition_line(act, requisition, revision, process_code=code, **fields)


def part_line(act: Act, criticality: Criticality = Criticality.STD, **fields: Any) -> Any:
    revision = make_revision(act, make_part(act, criticality=criticality))
    return make_requisition_line(act, make_requisition(act), revision, **fields)


def rules_of(
    act: Act, supplier: Supplier, line: Any, point: Point = Point.GATE, on: dt.date = TODAY
) -> list[tuple[str, str]]:
    return [
        (finding.rule, str(finding.effect))
        for finding in judge(act.session, supplier, [line], point=point, on=on).findings
    ]


def test_an_approved_supplier_passes_everywhere(act: Act) -> None:
    supplier = make_supplier(act)
    make_approval(act, supplier)
    assert [rules_of(act, supplier, part_line(act), point) for point in Point] == [[]] * 5


def test_a_supplier_without_any_approval_waits_at_the_gate(act: Act) -> None:
    supplier = make_supplier(act, name="QuickPlate")
    (first, second) = judge(act.session, supplier, [process_line(act, "PLATING")], point=Point.GATE, on=TODAY).findings
    assert (first.rule, first.effect, first.owner) == ("SUP-01", Effect.HOLD, "role:SQ")
    assert first.sentence == (
        "Expected an approved supplier, but QuickPlate is not on the approved supplier list. No other supplier is approved for it."
    )
    assert (second.rule, second.effect) == ("SUP-03", Effect.HOLD)


def test_a_pending_approval_is_none(act: Act) -> None:
    supplier = make_supplier(act)
    make_approval(act, supplier, status=ApprovalStatus.PENDING)
    assert [rule for rule, _ in rules_of(act, supplier, part_line(act))] == ["SUP-01", "SUP-02"]


def test_an_approval_that_begins_later_passes_the_gate_and_holds_the_issue_until_then(act: Act) -> None:
    supplier, line = make_supplier(act), process_line(act, "PLATING", need_by=dt.date(2026, 12, 18))
    make_approval(
        act, supplier, "PLATING", subject=PROCESS, valid_from=dt.date(2026, 11, 25), valid_to=dt.date(2027, 11, 24)
    )
    assert judge(act.session, supplier, [line], point=Point.GATE, on=TODAY).stops == ()
    issue = judge(act.session, supplier, [line], point=Point.ISSUE, on=TODAY)
    assert [(finding.rule, finding.effect) for finding in issue.stops] == [("SUP-03", Effect.HOLD)]
    assert (issue.until, issue.stops[0].way_out) == (dt.date(2026, 11, 25), "Wait until 2026-11-25.")
    assert judge(act.session, supplier, [line], point=Point.ISSUE, on=dt.date(2026, 11, 25)).stops == ()


@pytest.mark.parametrize("point", list(Point))
def test_a_missing_process_scope_names_who_has_it(act: Act, point: Point) -> None:
    north = make_supplier(act, name="NorthStar")
    make_approval(act, north, "HEAT_TREAT", subject=PROCESS)
    for name in ("Argus NDT", "Beacon Labs"):
        make_approval(act, make_supplier(act, name=name), "FPI", subject=PROCESS)
    make_approval(act, make_supplier(act, name="Lapsed Labs"), "FPI", subject=PROCESS, valid_to=dt.date(2026, 11, 21))
    (finding,) = judge(
        act.session, north, [process_line(act, spec="PS-455", spec_rev="D")], point=point, on=TODAY
    ).findings
    expected = Effect.BLOCK if point is Point.BUILD else EFFECTS[point]
    assert (finding.rule, finding.effect) == ("SUP-03", expected)
    assert finding.sentence == (
        "Expected NorthStar to be approved for FPI to PS-455 rev D, but its scope is missing. Approved for it: Argus NDT, Beacon Labs."
    )
    assert "Argus NDT or Beacon Labs" in finding.way_out
    assert (len(finding.judged_by), finding.row is not None) == (64, True)


def test_a_scope_may_be_limited_to_specifications(act: Act) -> None:
    supplier = make_supplier(act)
    make_approval(act, supplier, "FPI", subject=PROCESS, specs=("PS-455 D",))
    assert rules_of(act, supplier, process_line(act, spec="PS-455", spec_rev="D")) == []
    assert rules_of(act, supplier, process_line(act, spec="PS-455", spec_rev="E")) == [("SUP-03", "HOLD")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": ApprovalStatus.SUSPENDED}, "is suspended"),
        ({"status": ApprovalStatus.EXPIRED}, "ended on 2027-12-31"),
        ({"valid_to": dt.date(2026, 11, 21)}, "ended on 2026-11-21"),
    ],
)
def test_an_approval_that_does_not_hold_today_covers_nothing(act: Act, fields: dict[str, Any], words: str) -> None:
    supplier = make_supplier(act)
    make_approval(act, supplier, **fields)
    (finding,) = judge(act.session, supplier, [part_line(act)], point=Point.GATE, on=TODAY).findings
    assert finding.rule == "SUP-02"
    assert words in finding.sentence


@pytest.mark.parametrize("status", [SupplierStatus.SUSPENDED, SupplierStatus.DISQUALIFIED, SupplierStatus.PROSPECT])
def test_a_supplier_that_is_not_approved_issues_nothing(act: Act, status: SupplierStatus) -> None:
    supplier = make_supplier(act, status=status)
    make_approval(act, supplier)
    assert rules_of(act, supplier, part_line(act), Point.ISSUE) == [("SUP-01", "BLOCK")]


@pytest.mark.parametrize(
    ("need_by", "expected"),
    [
        (dt.date(2026, 12, 16), [("SUP-04", "HOLD")]),
        (dt.date(2026, 12, 15), [("SUP-04", "WARN")]),
        (dt.date(2026, 11, 25), [("SUP-04", "WARN")]),
    ],
)
def test_an_approval_that_ends_before_the_promise_holds(act: Act, need_by: dt.date, expected: list[Any]) -> None:
    north = make_supplier(act)
    make_approval(act, north, "HEAT_TREAT", subject=PROCESS, valid_to=dt.date(2026, 12, 15))
    assert rules_of(act, north, process_line(act, "HEAT_TREAT", need_by=need_by)) == expected


def test_nadcap_is_asked_for_where_the_process_names_a_commodity(act: Act) -> None:
    audited, accredited = make_supplier(act), make_supplier(act)
    make_approval(act, audited, "HEAT_TREAT", subject=PROCESS)
    make_approval(
        act, accredited, "HEAT_TREAT", subject=PROCESS, basis=ApprovalBasis.NADCAP, nadcap_certificate_no="N-1",
        nadcap_commodity="heat treating",
    )  # fmt: skip
    line = process_line(act, "HEAT_TREAT", nadcap="Heat Treating")
    assert rules_of(act, audited, line) == [("SUP-05", "HOLD")]
    assert rules_of(act, accredited, line) == []


def test_the_source_that_the_customer_designated_is_used(act: Act) -> None:
    designated, other = make_supplier(act), make_supplier(act)
    make_approval(act, other, "FPI", subject=PROCESS)
    make_approval(
        act, designated, "FPI", subject=PROCESS, basis=ApprovalBasis.CUSTOMER_DIRECTED, customer_reference="AERO-7"
    )
    line = process_line(act, customer_reference="AERO-7")
    assert rules_of(act, other, line, Point.ISSUE) == [("SUP-06", "BLOCK")]
    assert rules_of(act, designated, line, Point.ISSUE) == []


@pytest.mark.parametrize(
    ("criticality", "agreed", "expected"),
    [
        (Criticality.STD, False, []),
        (Criticality.KEY, False, [("SUP-07", "HOLD")]),
        (Criticality.IMPLANT, False, [("SUP-07", "HOLD")]),
        (Criticality.IMPLANT, True, []),
    ],
)
def test_critical_parts_need_a_change_agreement(
    act: Act, criticality: Criticality, agreed: bool, expected: list[Any]
) -> None:
    supplier = make_supplier(act, has_change_agreement=agreed)
    make_approval(act, supplier)
    assert rules_of(act, supplier, part_line(act, criticality)) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_quantity": Decimal(5)}, []),
        ({"max_quantity": Decimal(4)}, [("SUP-12", "HOLD")]),
        ({"max_value": Decimal("212.50")}, []),
        ({"max_value": Decimal("212.49")}, [("SUP-12", "HOLD")]),
        ({"is_one_time": True, "valid_from": dt.date(2026, 10, 23)}, []),
        ({"is_one_time": True, "valid_from": dt.date(2026, 10, 22)}, [("SUP-12", "HOLD")]),
    ],
)
def test_a_conditional_approval_binds_its_limits(act: Act, limits: dict[str, Any], expected: list[Any]) -> None:
    supplier = make_supplier(act, status=SupplierStatus.CONDITIONAL)
    make_approval(act, supplier, status=ApprovalStatus.CONDITIONAL, **limits)
    line = part_line(act)
    assert rules_of(act, supplier, line) == expected
    assert len(judge(act.session, supplier, [line], point=Point.GATE, on=TODAY).limits) == 1


def test_a_one_time_approval_serves_one_order(act: Act) -> None:
    supplier = make_supplier(act)
    make_approval(act, supplier, is_one_time=True, valid_from=dt.date(2026, 11, 20))
    revision = make_revision(act)
    first, second = (
        make_order(act, (revision, 5, 1), supplier=supplier),
        make_order(act, (revision, 5, 1), supplier=supplier),
    )
    move(act, first, OrderStatus.PENDING_APPROVAL)
    act.session.flush()
    assert judge_order(act.session, first, point=Point.ISSUE, on=TODAY).stops == ()
    assert [finding.rule for finding in judge_order(act.session, second, point=Point.ISSUE, on=TODAY).stops] == [
        "SUP-12"
    ]


def test_an_approval_for_another_site_does_not_count(act: Act) -> None:
    supplier = make_supplier(act)
    here, there = supplier.sites[0], make_supplier_site(act, supplier, code="2")
    make_approval(act, supplier, supplier_site_id=here.id)
    line = part_line(act)
    assert judge(act.session, supplier, [line], point=Point.ISSUE, on=TODAY, site=here).findings == ()
    (finding,) = judge(act.session, supplier, [line], point=Point.ISSUE, on=TODAY, site=there).findings
    assert finding.rule == "SUP-02"


def build(act: Act, **fields: Any) -> PurchaseOrder:
    supplier = make_supplier(act)
    make_approval(act, supplier, **fields)
    order = make_order(act, (make_revision(act), 10, "42.50"), supplier=supplier)
    move(act, order, OrderStatus.PENDING_APPROVAL)
    slot = make_slot(act, order, record_hash=approved_hash(order))
    slot.signature = make_signature(act, order, content_hash=approved_hash(order))
    move(act, order, OrderStatus.APPROVED)
    return order


def test_an_order_is_not_issued_to_a_supplier_who_is_suspended_meanwhile(act: Act) -> None:
    order = build(act)
    order.supplier.status = SupplierStatus.SUSPENDED
    move(act, order, OrderStatus.APPROVED_NOT_TRANSMITTED)
    with pytest.raises(RuleViolation, match="is suspended") as caught:
        act.session.flush()
    assert (caught.value.code, caught.value.http_status) == ("SUP-01", 409)
    act.session.rollback()


def test_an_order_is_not_built_without_the_scope_for_its_process(act: Act) -> None:
    """D06: at the building of the order SUP-03 blocks."""
    make_process(act, "FPI", nadcap_commodity="")
    supplier = make_supplier(act)
    make_approval(act, supplier)
    order = make_order(act, supplier=supplier)
    make_order_line(act, order, make_revision(act), process_code="FPI")
    move(act, order, OrderStatus.PENDING_APPROVAL)
    with pytest.raises(RuleViolation, match="FPI, but its scope is missing"):
        act.session.flush()
    act.session.rollback()
