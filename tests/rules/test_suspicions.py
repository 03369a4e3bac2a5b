"""Split requests, duplicates, budget, prices, revisions, clauses: documents judged as a whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Effect, RuleViolation
from records.part import Part, RevisionStatus
from records.purchase_order import OrderStatus, move
from records.requisition import Requisition, RequisitionStatus
from records.requisition import move as move_requisition
from records.supplier import Supplier
from rules.budget import BudgetOutcome, judge_budget
from rules.finding import KeptFinding, acknowledge, open_findings
from rules.prices import judge_prices, over_percent
from rules.quality import judge_clauses, wanted_clauses
from rules.suspicions import judge_duplicates, judge_split
from rules.validation import judge_built, judge_issue, judge_submission, judge_suspicions, stops
from tests.clock import SettableClock
from tests.makers import (
    make_approval,
    make_cost_centre,
    make_order,
    make_order_line,
    make_part,
    make_posting,
    make_process,
    make_requisition,
    make_requisition_line,
    make_revision,
    make_service,
    make_supplier,
)

D = Decimal


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    with house.acting("user:rita") as opened:
        yield opened


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 11, number, 15, tzinfo=dt.UTC)


class Buying:
    """Requests of rita for one commodity from one supplier, submitted on days of November 2026."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.supplier = make_supplier(act, name="NorthStar")

    def request(self, amount: str, on: int, **fields: Any) -> Requisition:
        act = self.act
        act.now = day(on)
        supplier: Supplier = fields.pop("supplier", self.supplier)
        part: Part = fields.pop("part", None) or make_part(act)
        requisition = make_requisition(act, (make_revision(act, part), 1, amount), **fields)
        requisition.lines[0].supplier = supplier
        act.session.flush()
        move_requisition(act, requisition, RequisitionStatus.SUBMITTED)
        act.session.flush()
        return requisition

    def split(self, requisition: Requisition) -> list[str]:
        return [finding.rule for finding in judge_split(self.act.session, requisition, now=self.act.now)]


def test_three_requests_that_reach_a_band_together_are_suspect(act: Act) -> None:
    buying = Buying(act)
    first = buying.request("4100", 16)
    second = buying.request("3900", 18)
    assert (buying.split(first), buying.split(second)) == ([], [])
    third = buying.request("2600", 20)
    (finding,) = judge_split(act.session, third, now=act.now)
    assert (finding.rule, finding.effect, finding.owner, finding.new) == (
        "SPLIT_SUSPECT",
        Effect.HOLD,
        "role:PUR_MGR",
        "10600.00",
    )
    assert (
        f"{first.number} 4,100.00, {second.number} 3,900.00, {third.number} 2,600.00 add up to 10,600.00 for machined from NorthStar"
        in finding.sentence
    )
    assert (len(finding.judged_by), finding.row) == (64, 1)


@pytest.mark.parametrize(
    ("other", "last_day"),
    [({"requester_id": "bea"}, 20), ({"commodity": "BAR"}, 20), ({"supplier": True}, 20), ({}, 24)],
)
def test_what_does_not_belong_together_is_no_split(act: Act, other: dict[str, Any], last_day: int) -> None:
    buying = Buying(act)
    if "commodity" in other:
        other = {"part": make_part(act, commodity="BAR")}
    if "supplier" in other:
        other = {"supplier": make_supplier(act, name="Other")}
    buying.request("8000", 16, **other)
    assert buying.split(buying.request("2600", last_day)) == []


def test_seven_days_apart_is_within_the_window(act: Act) -> None:
    buying = Buying(act)
    buying.request("8000", 16)
    assert buying.split(buying.request("2600", 23)) == ["SPLIT_SUSPECT"]


def test_small_requests_below_the_first_band_count_too(act: Act) -> None:
    buying = Buying(act)
    buying.request("600", 18)
    assert buying.split(buying.request("399.99", 18)) == []
    assert buying.split(buying.request("0.01", 18)) == ["SPLIT_SUSPECT"]


def test_a_request_that_needs_the_signatures_anyway_is_no_split(act: Act) -> None:
    buying = Buying(act)
    buying.request("12000", 18)
    assert buying.split(buying.request("12000", 18)) == []


def test_a_submission_keeps_its_suspicions_and_an_acknowledgement_closes_them(act: Act) -> None:
    buying = Buying(act)
    buying.request("8000", 18)
    requisition = buying.request("2600", 18)
    kept = [row for row in open_findings(act.session, "requisition", requisition.id) if row.rule == "SPLIT_SUSPECT"]
    assert [(row.effect, row.owner) for row in kept] == [(Effect.HOLD, "role:PUR_MGR")]
    acknowledge(act, kept[0], reason="Two projects")
    act.session.flush()
    assert "SPLIT_SUSPECT" not in [row.rule for row in open_findings(act.session, "requisition", requisition.id)]


def test_the_same_part_for_the_same_day_is_a_warning(act: Act) -> None:
    buying, part = Buying(act), make_part(act)
    revision = make_revision(act, part)
    first = make_requisition(act, (revision, 5, "1"))
    act.now = day(18)
    move_requisition(act, first, RequisitionStatus.SUBMITTED)
    again = make_requisition(act, (revision, 7, "1"))
    (finding,) = judge_duplicates(act.session, again, now=day(23))
    assert (finding.rule, finding.effect, finding.owner) == ("DUPLICATE", Effect.WARN, "user:rita")
    assert f"{first.number}/1 asks for it, too" in finding.sentence
    assert judge_duplicates(act.session, again, now=day(24)) == []
    other_day = make_requisition(act, (revision, 7, "1"), need_by=dt.date(2026, 12, 19))
    assert judge_duplicates(act.session, other_day, now=day(19)) == []
    assert buying.supplier.name == "NorthStar"


def test_a_request_just_over_the_budget_is_finances_exception(act: Act) -> None:
    centre = make_cost_centre(act, "4712", budget=D(60000))
    make_posting(act, centre, D(41300), kind="COMMITTED")
    make_posting(act, centre, D(9450))
    requisition = make_requisition(act, (make_revision(act), 12, "800"), cost_centre=centre)
    judgement = judge_budget(act.session, requisition, now=act.now)
    assert (judgement.outcome, judgement.amount, judgement.excess, judgement.percent) == (
        BudgetOutcome.EXCEPTION, D(9600), D(350), D("0.58"),
    )  # fmt: skip
    assert judgement.finding is not None
    assert judgement.finding.sentence == (
        f"Expected {requisition.number} to fit the 9,250.00 left of 4712, but 9,600.00 is over by 350.00 "
        "(0.58 % of the budget of 60,000.00)."
    )
    assert (judgement.finding.owner, judgement.finding.row) == ("role:FIN_CTRL", 2)


@pytest.mark.parametrize(
    ("price", "outcome"),
    [
        ("1000", BudgetOutcome.WITHIN),
        ("1000.01", BudgetOutcome.EXCEPTION),
        ("1050", BudgetOutcome.EXCEPTION),
        ("1050.10", BudgetOutcome.SUPPLEMENT),
    ],
)
def test_the_budget_has_three_answers(act: Act, price: str, outcome: BudgetOutcome) -> None:
    centre = make_cost_centre(act, "4712", budget=D(1000))
    requisition = make_requisition(act, (make_revision(act), 1, price), cost_centre=centre)
    assert judge_budget(act.session, requisition, now=act.now).outcome is outcome


def test_without_a_budget_everything_is_over(act: Act) -> None:
    requisition = make_requisition(act, cost_centre=make_cost_centre(act, "4712", budget=None))
    assert judge_budget(act.session, requisition, now=act.now).outcome is BudgetOutcome.SUPPLEMENT


@pytest.mark.parametrize(("price", "found"), [("46.75", 0), ("46.76", 1), ("40", 0)])
def test_a_price_over_the_estimate_by_more_than_ten_percent_is_approved_again(act: Act, price: str, found: int) -> None:
    requisition = make_requisition(act)
    order = make_order(act, (make_revision(act), 5, price))
    order.lines[0].requisition_line = requisition.lines[0]
    act.session.flush()
    assert [finding.rule for finding in judge_prices(order)] == ["PRICE-EST"] * found


def test_percentages_never_round_a_difference_away() -> None:
    assert [over_percent(D(price), D(1000000)) for price in ("1000000", "1000000.01", "999999.99")] == [
        D(0), D("0.01"), D("-0.01"),
    ]  # fmt: skip
    assert (over_percent(D(1), D(0)), over_percent(D(0), D(0))) == (D(100), D(0))


@pytest.mark.parametrize(
    ("fields", "blocked"),
    [
        ({}, False),
        ({"status": RevisionStatus.DRAFT}, True),
        ({"status": RevisionStatus.OBSOLETE}, True),
        ({"effective_from": dt.date(2026, 12, 19)}, True),
        ({"effective_from": dt.date(2026, 12, 18)}, False),
        ({"effective_to": dt.date(2026, 12, 17)}, True),
    ],
)
def test_a_requested_revision_is_released_and_effective_when_needed(
    act: Act, fields: dict[str, Any], blocked: bool
) -> None:
    requisition = make_requisition(act, (make_revision(act, **fields), 5, "1"))
    judged = [judge_submission(act.session, requisition, now=act.now)]
    if "status" not in fields:
        order = make_order(act, (requisition.lines[0].part_revision, 5, "1"))
        order.lines[0].need_by = requisition.need_by
        judged += [judge(act.session, order, now=act.now) for judge in (judge_built, judge_issue)]
    for found in judged:
        assert [finding.effect for finding in found if finding.rule == "CON-07"] == [Effect.BLOCK] * blocked


def test_no_order_is_raised_against_an_unreleased_revision(house: Installation) -> None:
    with house.acting("user:bea") as act:
        revision = make_revision(act, make_part(act, "P-200"), "C", status=RevisionStatus.DRAFT)
        change = revision.change_order_id = "018f0000-0000-7000-8000-000000001042"
        act.session.flush()
        order = make_order(act)
        with pytest.raises(RuleViolation) as caught:
            make_order_line(act, order, revision)
        act.session.rollback()
    (finding,) = caught.value.findings
    assert (finding.rule, finding.owner) == ("CON-07", "role:ENG_AUTH")
    assert f"P-200/C is DRAFT (change {change})" in finding.sentence


def test_wanted_clauses_come_from_the_table(act: Act) -> None:
    make_process(act, "HEAT_TREAT")
    requisition = make_requisition(act)
    line = make_requisition_line(
        act, requisition, None, service_code=make_service(act).part_no, process_code="HEAT_TREAT"
    )
    wanted = wanted_clauses(act.session, line, supplier=make_supplier(act))
    assert [(clause.code, clause.certificate) for clause in wanted] == [("Q05", "HT"), ("Q08", ""), ("Q10", "")]


def test_a_first_delivery_stops_being_one(act: Act) -> None:
    supplier, revision = make_supplier(act), make_revision(act, make_part(act, criticality="KEY"))
    line = make_requisition(act, (revision, 5, "1")).lines[0]
    assert "Q15" in [clause.code for clause in wanted_clauses(act.session, line, supplier=supplier)]
    make_order(
        act,
        (revision, 5, 1),
        supplier=supplier,
        origin="ERP",
        status=OrderStatus.CLOSED,
        po_no="1",
        transmitted_at=act.now,
    )
    assert "Q15" not in [clause.code for clause in wanted_clauses(act.session, line, supplier=supplier)]


def test_the_buyer_adds_clauses_but_takes_no_mandatory_one_away(house: Installation) -> None:
    with house.acting("user:bea") as act:
        order = make_order(act)
        line = order.lines[0]
        assert [finding.rule for finding in judge_clauses(act.session, order)] == ["Q-CLAUSE"]
        line.quality_clauses, line.certificates = ("Q01@1", "Q99@1"), ("COC",)
        act.session.flush()
        assert judge_clauses(act.session, order) == []
        line.quality_clauses = ("Q01@2",)
        act.session.flush()
        line.quality_clauses = ()
        with pytest.raises(RuleViolation, match="clause Q01 to stay on line 1"):
            act.session.flush()
        act.session.rollback()


def test_a_built_order_keeps_what_holds_it(house: Installation, clock: SettableClock) -> None:
    with house.acting("user:bea") as act:
        order = make_order(act)
        assert {finding.rule for finding in stops(judge_built(act.session, order, now=clock.now))} == {
            "SUP-01",
            "SUP-02",
            "Q-CLAUSE",
        }
        move(act, order, OrderStatus.PENDING_APPROVAL)
        act.session.flush()
        kept = act.session.scalars(select(KeptFinding.rule).where(KeptFinding.record_id == order.id)).all()
        assert sorted(kept) == ["Q-CLAUSE", "SUP-01", "SUP-02"]


def test_a_clean_request_has_no_findings(act: Act) -> None:
    supplier = make_supplier(act)
    make_approval(act, supplier)
    requisition = make_requisition(act)
    requisition.lines[0].supplier = supplier
    act.session.flush()
    assert judge_submission(act.session, requisition, now=act.now) == []
    assert judge_suspicions(act.session, requisition, now=act.now) == []
