"""Budgets: available = budget - committed - actual; every amount is booked once (D04)."""

from __future__ import annotations

import pytest

from engine.act import Act, Installation
from engine.errors import Invalid, NotFound
from records.cost_centre import (
    PostingKind,
    availability,
    commitments,
    committed_for,
    cost_centre_called,
    encumber,
    post,
    release,
)
from tests import makers
from tests.makers import D

DOCUMENT = ("requisition", "r-1")


def test_a_request_over_the_budget_is_over_by_so_much(act: Act) -> None:
    centre = makers.make_cost_centre(act, budget=D("60000"))
    makers.make_posting(act, centre, D("41300"), kind=PostingKind.COMMITTED)
    makers.make_posting(act, centre, D("9450"))
    left = availability(act.session, centre, fiscal_year=2026)
    assert (left.committed, left.actual, left.available) == (D("41300"), D("9450"), D("9250"))
    assert left.excess(D("9600")) == D("350")
    assert left.excess_percent(D("9600")) == D("0.58")
    assert left.excess(D("9250")) == 0


def test_a_year_without_a_budget_has_nothing_to_spend(act: Act) -> None:
    centre = makers.make_cost_centre(act, budget=None)
    left = availability(act.session, centre, fiscal_year=2026)
    assert left.available == 0
    assert left.excess_percent(D("1")) == D("100.00")
    assert left.excess_percent(D("0")) == D("0.00")


def test_a_commitment_is_posted_once_however_often_it_is_asked_for(act: Act) -> None:
    centre = makers.make_cost_centre(act)
    first = encumber(act, centre, D("9600"), fiscal_year=2026, document=DOCUMENT)
    assert encumber(act, centre, D("9600"), fiscal_year=2026, document=DOCUMENT) is first
    assert committed_for(act.session, DOCUMENT) == D("9600")
    assert availability(act.session, centre, fiscal_year=2026).committed == D("9600")


def test_a_released_commitment_is_gone_and_may_be_made_again(act: Act) -> None:
    centre = makers.make_cost_centre(act)
    encumber(act, centre, D("9600"), fiscal_year=2026, document=DOCUMENT)
    release(act, document=DOCUMENT)
    assert release(act, document=DOCUMENT) is None
    assert committed_for(act.session, DOCUMENT) == 0
    encumber(act, centre, D("100"), fiscal_year=2026, document=DOCUMENT)
    assert committed_for(act.session, DOCUMENT) == D("100")


def test_another_amount_replaces_the_standing_commitment(act: Act) -> None:
    centre = makers.make_cost_centre(act)
    encumber(act, centre, D("9600"), fiscal_year=2026, document=DOCUMENT)
    encumber(act, centre, D("8000"), fiscal_year=2026, document=DOCUMENT)
    assert [posting.amount for posting in commitments(act.session, DOCUMENT)] == [D("9600"), D("-9600"), D("8000")]


def test_after_a_part_was_given_back_the_full_amount_is_committed_again_when_asked(act: Act) -> None:
    centre = makers.make_cost_centre(act)
    encumber(act, centre, D("100"), fiscal_year=2026, document=DOCUMENT)
    release(act, document=DOCUMENT, amount=D("40"))
    assert committed_for(act.session, DOCUMENT) == D("60")
    encumber(act, centre, D("100"), fiscal_year=2026, document=DOCUMENT)
    assert committed_for(act.session, DOCUMENT) == D("100")


def test_no_more_is_released_than_is_committed(act: Act) -> None:
    centre = makers.make_cost_centre(act)
    encumber(act, centre, D("100"), fiscal_year=2026, document=DOCUMENT)
    for wrong in (D("100.01"), D("0"), D("-5")):
        with pytest.raises(Invalid):
            release(act, document=DOCUMENT, amount=wrong)
    with pytest.raises(Invalid):
        encumber(act, centre, D("0"), fiscal_year=2026, document=DOCUMENT)


def test_a_key_stands_for_one_posting_also_in_another_act(house: Installation) -> None:
    with house.acting("user:rita") as act:
        makers.make_cost_centre(act)
    for _ in range(2):
        with house.acting("system:job") as act:
            centre = cost_centre_called(act.session, "4711")
            post(
                act,
                centre,
                D("10"),
                kind=PostingKind.ACTUAL,
                fiscal_year=2026,
                document=("invoice", "1"),
                key="invoice:1",
            )
    with house.acting("system:job") as act:
        centre = cost_centre_called(act.session, "4711")
        assert availability(act.session, centre, fiscal_year=2026).actual == D("10")
        with pytest.raises(Invalid):
            post(
                act,
                centre,
                D("11"),
                kind=PostingKind.ACTUAL,
                fiscal_year=2026,
                document=("invoice", "1"),
                key="invoice:1",
            )


def test_an_unknown_cost_centre_is_not_found(act: Act) -> None:
    with pytest.raises(NotFound):
        cost_centre_called(act.session, "0000")
