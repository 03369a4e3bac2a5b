"""CON-01 to CON-18: each fires on what disagrees and is silent on what agrees, with both values, an owner and a way out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import Effect, Finding
from records.acknowledgement import AckCode, AckResult
from records.actual import ActualKind
from records.external import ExternalRef
from records.origin import Origin
from records.outside import LinkStatus, OutsideLink
from records.purchase_order import OrderStatus
from records.work_order import WorkOrderStatus
from rules import agreements as agree
from rules.agreements import Disagreement
from rules.order_consistency import (
    judge_completion,
    judge_cost,
    judge_drift,
    judge_link,
    judge_orphans,
    judge_receipt,
    judge_return,
    judge_start,
    judge_work_order,
)
from rules.policy import table_called
from tests.makers import (
    ROUTING,
    make_acknowledgement,
    make_actual,
    make_approval,
    make_discrepancy,
    make_id,
    make_link,
    make_order,
    make_part,
    make_process,
    make_revision,
    make_supplier,
    make_work_order,
)

D = Decimal
DAY = dt.date(2026, 12, 18)
UNDER = ("TRANSMITTED", "ACKNOWLEDGED")

CASES: tuple[tuple[str, Disagreement | None, Disagreement | None], ...] = (
    (
        "CON-01",
        agree.same_revision("P-200 B", "P-200 C", work="WO-7001", line="PO-5010/1", standing="CO-1042 not effective"),
        agree.same_revision("P-200 B", "P-200 B", work="WO-7001", line="PO-5010/1"),
    ),
    (
        "CON-02",
        agree.allocations_add_up(D(70), D(60), line="PO-5010/1", uom="EA"),
        agree.allocations_add_up(D(60), D(60), line="PO-5010/1", uom="EA"),
    ),
    (
        "CON-02",
        agree.allocated_pieces_exist(D(40), D(38), operation="WO-7001/30", link="LNK-1"),
        agree.allocated_pieces_exist(D(38), D(38), operation="WO-7001/30", link="LNK-1"),
    ),
    (
        "CON-03",
        agree.approved_source("QuickPlate", ["NorthStar"], operation="WO-1/30", special=True, is_approved=False),
        agree.approved_source("NorthStar", ["NorthStar"], operation="WO-1/30", special=True, is_approved=True),
    ),
    (
        "CON-04",
        agree.same_specification("PS-455 rev D", "PS-455 rev C", operation="WO-1/30", line="PO-1/1"),
        agree.same_specification("PS-455 rev D", "PS-455 rev D", operation="WO-1/30", line="PO-1/1"),
    ),
    (
        "CON-05",
        agree.back_in_time(dt.date(2026, 12, 22), DAY, transit=0, line="PO-1/1", next_step="WO-1/40"),
        agree.back_in_time(DAY, DAY, transit=0, line="PO-1/1", next_step="WO-1/40"),
    ),
    (
        "CON-06",
        agree.under_contract("APPROVED_NOT_TRANSMITTED", UNDER, order="PO-1", supplier="NorthStar"),
        agree.under_contract("ACKNOWLEDGED", UNDER, order="PO-1", supplier="NorthStar"),
    ),
    (
        "CON-07",
        agree.revision_stands("P-200 C", "is in review", document="PO-1/1"),
        agree.revision_stands("P-200 B", "", document="PO-1/1"),
    ),
    (
        "CON-08",
        agree.work_goes_on("CANCELLED", ("CANCELLED", "CLOSED"), work="WO-1", line="PO-1/1"),
        agree.work_goes_on("IN_PROCESS", ("CANCELLED", "CLOSED"), work="WO-1", line="PO-1/1"),
    ),
    (
        "CON-09",
        agree.order_goes_on("CANCELLED", ("CANCELLED", "CLOSED"), order="PO-1", operation="WO-1/30"),
        agree.order_goes_on("ACKNOWLEDGED", ("CANCELLED", "CLOSED"), order="PO-1", operation="WO-1/30"),
    ),
    (
        "CON-10",
        agree.nothing_is_away(D(2), 0, link="LNK-1", work="WO-1"),
        agree.nothing_is_away(D(0), 0, link="LNK-1", work="WO-1"),
    ),
    (
        "CON-10",
        agree.nothing_is_away(D(0), 1, link="LNK-1", work="WO-1"),
        agree.nothing_is_away(D(0), 0, link="LNK-1", work="WO-1"),
    ),
    (
        "CON-11",
        agree.outside_is_ordered(False, dt.date(2026, 12, 1), DAY, operation="WO-1/30"),
        agree.outside_is_ordered(False, DAY, DAY, operation="WO-1/30"),
    ),
    (
        "CON-12",
        agree.units_convert("EA", "KGM", D(1), line="PO-1/1"),
        agree.units_convert("EA", "KGM", D("0.25"), line="PO-1/1"),
    ),
    (
        "CON-13",
        agree.only_what_left_returns(D(41), D(40), link="LNK-1"),
        agree.only_what_left_returns(D(40), D(40), link="LNK-1"),
    ),
    (
        "CON-13",
        agree.only_what_left_returns(D(1), D(40), link="LNK-1", unknown=["0099"]),
        agree.only_what_left_returns(D(1), D(40), link="LNK-1", unknown=[]),
    ),
    ("CON-14", agree.no_amendment_is_open("PO-1/A1", order="PO-1"), agree.no_amendment_is_open(None, order="PO-1")),
    (
        "CON-16",
        agree.lot_may_be_used("QUARANTINE", "P-1 B", ["P-1 B"], lot="L-1"),
        agree.lot_may_be_used("AVAILABLE", "P-1 B", ["P-1 B"], lot="L-1"),
    ),
    (
        "CON-16",
        agree.lot_may_be_used("AVAILABLE", "P-1 A", ["P-1 B"], lot="L-1"),
        agree.lot_may_be_used("AVAILABLE", "P-1 A", [], lot="L-1"),
    ),
    (
        "CON-17",
        agree.booked_at_the_price(D("18.50"), D("18.00"), work="WO-1", line="PO-1/1", revision=1),
        agree.booked_at_the_price(D("18.00"), D("18.00"), work="WO-1", line="PO-1/1", revision=1),
    ),
    (
        "CON-18",
        agree.systems_agree("100", "110", document="PO-1", field="lines.1.quantity", system="ERP"),
        agree.systems_agree("100", "100", document="PO-1", field="lines.1.quantity", system="ERP"),
    ),
)


@pytest.mark.parametrize(("rule", "wrong", "right"), CASES)
def test_a_rule_fires_on_what_disagrees_and_is_silent_on_what_agrees(
    rule: str, wrong: Disagreement | None, right: Disagreement | None
) -> None:
    assert right is None
    assert wrong is not None
    assert (wrong.rule, wrong.sentence.startswith("Expected "), ", but " in wrong.sentence) == (rule, True, True)
    assert wrong.old is not None or wrong.new is not None


def test_every_rule_of_the_table_has_a_case() -> None:
    source = table_called("order_consistency").source.decode()
    rules = {f"CON-{number:02d}" for number in (*range(1, 15), 16, 17, 18)}
    assert {rule for rule, _, _ in CASES} == rules
    assert all(f'"{rule}"' in source for rule in rules)


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    with house.acting("user:rita") as opened:
        yield opened
        opened.session.expunge_all()  # what a test only imagined is not written


def link_of(act: Act, **fields: Any) -> OutsideLink:
    """Make a link that agrees in everything: heat treatment of 10 pcs, one order line of 10, promised in time."""
    revision = fields.pop("revision", None) or make_revision(act)
    line_fields = {"spec": "PS-455", "spec_rev": "D", "promised_on": dt.date(2026, 12, 10)} | fields.pop("line", {})
    supplier = fields.pop("supplier", None) or make_supplier(act)
    ordered = fields.pop("line_revision", revision)
    origin = Origin.LOCKSTEP if ordered is revision else Origin.ERP
    order = make_order(act, (ordered, 10, "18.00"), supplier=supplier, origin=origin)
    for name, value in line_fields.items():
        setattr(order.lines[0], name, value)
    outside = {"spec": "PS-455", "spec_rev": "D", "supplier_id": supplier.id} | fields.pop("step", {})
    steps = tuple(
        step | (outside if position == 2 else {"planned_start": DAY} if position == 3 else {})
        for position, step in enumerate(ROUTING)
    )
    third = make_work_order(act, revision, operations=steps).operations[2]
    return make_link(act, order.lines[0], operation=third, **fields)


def found(findings: list[Finding]) -> list[tuple[str, Effect]]:
    assert all(each.owner.startswith("role:") and each.way_out and len(each.judged_by) == 64 for each in findings)
    return sorted((each.rule, each.effect) for each in findings)


def judged(act: Act, link: OutsideLink, at: str = "LINK") -> list[tuple[str, Effect]]:
    return found(judge_link(act.session, link, at=at, now=act.now))


def test_a_link_that_agrees_has_no_finding(act: Act) -> None:
    assert judged(act, link_of(act)) == []


def test_another_revision_refuses_the_link_and_names_both_and_the_change(act: Act) -> None:
    part = make_part(act, "P-200")
    released = make_revision(act, part, "B")
    change = make_id()
    pending = make_revision(act, part, "C", status="IN_REVIEW", change_order_id=change, released_at=None)
    act.session.add(
        ExternalRef(
            record_type="change_order", record_id=change, system="PLM", native_type="change_order", native_id="CO-1042",
            last_seen_at=act.now, last_hash="0" * 64,
        )
    )  # fmt: skip
    link = link_of(act, revision=released, line_revision=pending)
    findings = judge_link(act.session, link, at="LINK", now=act.now)
    first = next(each for each in findings if each.rule == "CON-01")
    assert (first.effect, first.old, first.new) == (Effect.BLOCK, "B", "C")
    assert (released.number in first.sentence, pending.number in first.sentence) == (True, True)
    assert "CO-1042 not effective" in first.sentence
    assert ("CON-07", Effect.BLOCK) in found(findings)


@pytest.mark.parametrize(
    ("promised", "expected"),
    [("2026-12-18", None), ("2026-12-20", Effect.WARN), ("2026-12-21", Effect.HOLD), ("2026-12-22", Effect.HOLD)],
)
def test_a_late_promise_warns_up_to_two_days_and_holds_beyond(act: Act, promised: str, expected: Effect | None) -> None:
    link = link_of(act, line={"promised_on": dt.date.fromisoformat(promised)})
    assert judged(act, link) == ([("CON-05", expected)] if expected else [])


def test_a_counter_offer_is_judged_by_the_day_it_offers(act: Act) -> None:
    """D35: twelve days later, 2026-12-22, while the work needs the pieces on 2026-12-18."""
    link = link_of(act)
    offer = {"promised_on": dt.date(2026, 12, 22)}
    make_acknowledgement(act, link.order, (1, AckCode.DR, offer), result=AckResult.ACCEPT_WITH_CHANGE)
    assert judged(act, link) == []
    with act.session.no_autoflush:
        link.order.status = OrderStatus.COUNTER_OFFER
        assert judged(act, link) == [("CON-05", Effect.HOLD)]


def test_a_promise_at_the_suppliers_dock_adds_the_transit(act: Act) -> None:
    link = link_of(act, line={"promised_on": dt.date(2026, 12, 17)})
    assert judged(act, link) == []
    with act.session.no_autoflush:
        link.order.incoterm = "EXW"
        assert judged(act, link) == [("CON-05", Effect.WARN)]


def test_a_link_to_another_specification_is_refused(act: Act) -> None:
    assert judged(act, link_of(act, line={"spec_rev": "C"})) == [("CON-04", Effect.BLOCK)]


def test_two_units_without_a_factor_are_refused(act: Act) -> None:
    assert ("CON-12", Effect.BLOCK) in judged(act, link_of(act, uom="KGM"))


def test_more_than_ordered_holds_and_less_only_warns_when_parts_leave(act: Act) -> None:
    assert judged(act, link_of(act, allocated_quantity=D(12))) == [("CON-02", Effect.HOLD)]
    less = link_of(act, allocated_quantity=D(8))
    assert judged(act, less) == []
    with act.session.no_autoflush:
        less.order.status = OrderStatus.ACKNOWLEDGED
        assert judged(act, less, "SHIP") == [("CON-02", Effect.WARN)]


def test_another_source_refuses_a_special_process_and_warns_else(act: Act) -> None:
    make_process(act, "HEAT_TREAT")
    make_process(act, "HEAT_TREAT")
    link = link_of(act, line={"process_code": "HEAT_TREAT"})
    other = make_supplier(act)
    make_approval(act, link.order.supplier, "HEAT_TREAT", subject="PROCESS", specs=("PS-999",))
    with act.session.no_autoflush:
        link.operation.supplier, link.operation.is_special = other, True
        assert judged(act, link) == [("CON-03", Effect.BLOCK)]
        link.operation.is_special = False
        assert judged(act, link) == [("CON-03", Effect.WARN)]


def test_a_special_process_leaves_only_for_an_approved_supplier(act: Act) -> None:
    make_process(act, "HEAT_TREAT")
    step = {"supplier_id": None, "is_special": True}
    unknown = link_of(act, line={"process_code": "HEAT_TREAT"}, step=step)
    known = link_of(act, line={"process_code": "HEAT_TREAT"}, step=step)
    make_approval(act, known.order.supplier, "HEAT_TREAT", subject="PROCESS", specs=("PS-455",))
    assert judged(act, unknown) == []
    with act.session.no_autoflush:
        unknown.order.status = known.order.status = OrderStatus.ACKNOWLEDGED
        assert judged(act, unknown, "SHIP") == [("CON-03", Effect.BLOCK)]
        assert judged(act, known, "SHIP") == []


def test_nothing_leaves_without_a_contract_or_for_an_order_that_is_over(act: Act) -> None:
    link = link_of(act)
    assert judged(act, link, "SHIP") == [("CON-06", Effect.BLOCK)]
    with act.session.no_autoflush:
        link.order.status = OrderStatus.CANCELLED
        assert judged(act, link, "SHIP") == [("CON-09", Effect.HOLD)]
        assert found(judge_start(act.session, link.operation, now=act.now)) == [("CON-09", Effect.HOLD)]


def test_a_work_order_that_is_over_holds_its_open_line(act: Act) -> None:
    link = link_of(act)
    with act.session.no_autoflush:
        link.operation.work_order.status = WorkOrderStatus.CANCELLED
        assert judged(act, link, "RETURN") == []
        for findings in (
            judge_receipt(act.session, link.order_line, now=act.now),
            judge_orphans(act.session, link.order, now=act.now),
            judge_work_order(act.session, link.operation.work_order, now=act.now),
        ):
            assert found(findings) == [("CON-08", Effect.HOLD)]


def test_pieces_away_or_papers_missing_keep_a_work_order_open(act: Act) -> None:
    link = link_of(act)
    work = link.operation.work_order
    assert judge_completion(act.session, work, now=act.now) == []
    with act.session.no_autoflush:
        link.shipped, link.at_supplier, link.status = D(10), D(2), LinkStatus.AT_SUPPLIER
        (finding,) = judge_completion(act.session, work, now=act.now)
    assert (finding.rule, finding.effect, finding.new) == ("CON-10", Effect.BLOCK, "2")


def test_more_back_than_left_is_refused(act: Act) -> None:
    link = link_of(act)
    assert found(judge_return(act.session, link, D(1), now=act.now)) == [("CON-13", Effect.BLOCK)]
    serials = judge_return(act.session, link, D(0), unknown_serials=["0099"], now=act.now)
    assert found(serials) == [("CON-13", Effect.BLOCK)]
    assert judge_return(act.session, link, D(0), now=act.now) == []


def test_a_cost_at_another_price_than_ordered_warns(act: Act) -> None:
    link = link_of(act)
    work = link.operation.work_order
    given = {"kind": ActualKind.OUTSIDE, "quantity": D(10), "uom": link.uom, "order_line_id": link.order_line_id}
    same = make_actual(act, work, unit_cost=D("18"), amount=D("180"), currency="USD", **given)
    other = make_actual(act, work, unit_cost=D("19"), amount=D("190"), currency="USD", **given)
    assert judge_cost(act.session, same, now=act.now) == []
    assert found(judge_cost(act.session, other, now=act.now)) == [("CON-17", Effect.WARN)]


def test_another_value_in_the_erp_holds_the_order(act: Act) -> None:
    link = link_of(act)
    assert judge_drift(act.session, link.order, now=act.now) == []
    make_discrepancy(act, link.order)
    assert found(judge_drift(act.session, link.order, now=act.now)) == [("CON-18", Effect.HOLD)]
