"""Blurred roles that records show: P6, P7, P8 and W1 to W7, each with a case that fires and one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import Effect
from records.actual import ActualKind
from rules import blurred_roles as roles
from rules.blurred_roles import Evidence, judge_evidence, judge_text
from rules.finding import open_findings
from tests.makers import make_actual, make_order, make_resource, make_work_order

D = Decimal
PARAGRAPH = "Remove sharp edges, bake 4 h at 190 °C within one hour and wrap each part in paper"


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    with house.acting("user:rita") as opened:
        yield opened


def order_with(act: Act, text: str) -> Any:
    order = make_order(act)
    order.lines[0].description = text
    act.session.flush()
    return order


def test_a_paragraph_on_three_orders_is_a_missing_specification(act: Act) -> None:
    first, second = order_with(act, PARAGRAPH), order_with(act, PARAGRAPH.upper() + ".")
    assert "BLUR-P6" not in {finding.rule for finding in judge_text(act.session, second.lines[0])}
    third = order_with(act, PARAGRAPH)
    (found,) = [finding for finding in judge_text(act.session, third.lines[0]) if finding.rule == "BLUR-P6"]
    assert all(order.number in found.sentence for order in (first, second, third))
    third.lines[0].spec, third.lines[0].spec_rev = "PS-120", "A"
    assert judge_text(act.session, third.lines[0]) == []


def test_a_commercial_paragraph_may_stand_on_every_order(act: Act) -> None:
    orders = [order_with(act, "Please send two copies of the certificate with each delivery") for _ in range(4)]
    assert [judge_text(act.session, order.lines[0]) for order in orders] == [[], [], [], []]


CASES: tuple[tuple[str, list[Evidence], list[Evidence]], ...] = (
    (
        "BLUR-P8",
        roles.changes_only_text("PO-1/A1", [("description", "Bracket", "Bracket, anneal at 845 °C for 60 min")]),
        roles.changes_only_text(
            "PO-1/A1", [("description", "Bracket", "Bracket, anneal at 845 °C"), ("spec_rev", "C", "D")]
        ),
    ),
    (
        "BLUR-P8",
        roles.changes_only_text("PO-1/A1", [("description", "Deburr all edges", "")]),
        roles.changes_only_text("PO-1/A1", [("description", "Bracket", "Bracket, black")]),
    ),
    (
        "BLUR-W2",
        roles.costs_without_order("WO-1", D("180"), "USD", has_order=False),
        roles.costs_without_order("WO-1", D("180"), "USD", has_order=True),
    ),
    (
        "BLUR-W3",
        roles.read_invoice_text("Heat treatment, your WO-7001", number="INV-1", names_an_order=False),
        roles.read_invoice_text("Heat treatment, your WO-7001", number="INV-1", names_an_order=True),
    ),
    (
        "BLUR-W3",
        roles.sends_document("traveller", number="WO-7001", to="NorthStar", is_linked=False),
        roles.sends_document("traveller", number="WO-7001", to="NorthStar", is_linked=True),
    ),
    (
        "BLUR-W3",
        roles.read_message("Please process the attached traveller WO-7001", number="a mail"),
        roles.read_message("Traveller WO-7001 goes with PO-5012", number="a mail"),
    ),
    (
        "BLUR-W5",
        roles.leaves_without_link("WO-1/30", "NorthStar", has_link=False),
        roles.leaves_without_link("WO-1/30", "NorthStar", has_link=True),
    ),
    (
        "BLUR-W6",
        roles.stock_without_link("WO-1", "NORTHSTAR-WIP", D(24), D(20)),
        roles.stock_without_link("WO-1", "NORTHSTAR-WIP", D(24), D(24)),
    ),
    (
        "BLUR-W7",
        roles.card_purchases("WO-1", [D("300"), D("200.01")], "USD"),
        roles.card_purchases("WO-1", [D("300"), D("200.00")], "USD"),
    ),
)


@pytest.mark.parametrize(("rule", "wrong", "right"), CASES)
def test_what_records_show_is_judged_by_the_table(
    act: Act, rule: str, wrong: list[Evidence], right: list[Evidence]
) -> None:
    order = make_order(act)
    (held,) = judge_evidence(order, wrong, is_critical=False)
    (refused,) = judge_evidence(order, wrong, is_critical=True)
    assert (held.rule, held.effect, refused.effect) == (rule, Effect.HOLD, Effect.BLOCK)
    assert (bool(held.owner), bool(held.way_out), held.sentence.startswith("Expected ")) == (True, True, True)
    assert judge_evidence(order, right, is_critical=False) == []


def test_parts_out_and_back_without_an_operation_are_found(act: Act) -> None:
    order = make_order(act)
    away = {"shipped": D(10), "returned": D(10)}
    (found,) = judge_evidence(
        order, roles.moves_without_operation(order, **away, has_operation=False), is_critical=False
    )
    assert (found.rule, found.effect) == ("BLUR-P7", Effect.HOLD)
    assert roles.moves_without_operation(order, **away, has_operation=True) == []
    assert roles.moves_without_operation(order, shipped=D(10), returned=D(0), has_operation=False) == []


def test_an_operation_text_that_buys_is_found_and_one_that_works_is_not(act: Act) -> None:
    def found(text: str) -> list[str]:
        work = make_work_order(act)
        read = roles.read_operation(act.session, text, number="WO-1/10")
        return [finding.rule for finding in judge_evidence(work, read, is_critical=False)]

    assert found("Send to Baltic Metal Finishing GmbH, EUR 3.40 / pc") == ["BLUR-W1"]
    assert found("Buy 5 tubes of threadlocker at 14.90 EUR") == ["BLUR-W4"]
    assert found("Drill 4x dia 6.5 thru per WI-20 rev 4") == []


def test_card_purchases_on_maintenance_add_up_to_a_hold(act: Act) -> None:
    machine = make_resource(act)
    work = make_work_order(act, type="CORRECTIVE", resource_id=machine.id, part_revision_id=None)
    paid = {
        "kind": ActualKind.MATERIAL, "source_system": "CARD", "quantity": D(1), "uom": "EA", "item": "BELT", "lot_no": "none",
        "currency": "USD",
    }  # fmt: skip
    make_actual(act, work, unit_cost=D("480"), amount=D("480"), **paid)
    assert open_findings(act.session, "work_order", work.id) == []
    make_actual(act, work, unit_cost=D("30"), amount=D("30"), **paid)
    rules = [(found.rule, found.effect) for found in open_findings(act.session, "work_order", work.id)]
    assert rules == [("BLUR-W7", Effect.HOLD)]
