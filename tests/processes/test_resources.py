"""Rates by day, calibration and qualifications: who keeps them, what is refused, what an hour then costs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from engine.act import Installation
from engine.errors import Conflict, Forbidden, Invalid
from processes import resources, work_orders
from processes.work_orders import Event
from records.resource import Resource, ResourceKind, WorkCentre
from tests import makers
from tests.makers import D

TODAY = dt.date(2026, 11, 22)
NEXT = dt.date(2026, 12, 1)


@pytest.fixture
def house(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        makers.make_cast(act)
        makers.make_process(act)
    return installation


def test_an_hour_costs_what_the_rate_of_its_day_says(house: Installation) -> None:
    with house.acting("user:fred") as act:
        mill = makers.make_work_centre(act)
        before = mill.labour_rate
        resources.set_rate(act, mill, valid_from=NEXT, labour_rate=D(90), machine_rate=D(20))
        order = makers.make_work_order(act)
        for event_id, day in (("e-1", TODAY), ("e-2", NEXT)):
            at = dt.datetime.combine(day, dt.time(15), dt.UTC)
            event = Event(
                system="MES",
                event_id=event_id,
                kind="LABOUR",
                work_order=order.native_id,
                op_no=10,
                quantity=D(2),
                event_time=at,
            )
            cost = D(90) if day == NEXT else before
            assert work_orders.post_event(act, event).actual.amount == 2 * cost


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"valid_from": TODAY}, "valid_from"),
        ({"labour_rate": D(-1)}, "labour_rate"),
        ({"machine_rate": D(-1)}, "machine_rate"),
    ],
)
def test_a_rate_that_cannot_hold_is_refused(house: Installation, values: dict[str, Any], field: str) -> None:
    with house.acting("user:fred") as act:
        mill = makers.make_work_centre(act)
        with pytest.raises(Invalid) as refusal:
            resources.set_rate(act, mill, **{"valid_from": NEXT, "labour_rate": D(1), "machine_rate": D(1)} | values)
    assert set(refusal.value.fields) == {field}


def test_a_rate_is_written_once_and_by_finance(house: Installation) -> None:
    with house.acting("user:fred") as act:
        mill = makers.make_work_centre(act)
        given = {"valid_from": NEXT, "labour_rate": D(1), "machine_rate": D(1)}
        resources.set_rate(act, mill, **given)
        with pytest.raises(Conflict):
            resources.set_rate(act, mill, **given)
    with pytest.raises(Forbidden), house.acting("user:rita") as act:
        resources.set_rate(act, act.session.get_one(WorkCentre, mill.id), **given)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"calibration_interval_days": None}, "calibration_interval_days"),
        ({"calibration_interval_days": 0}, "calibration_interval_days"),
        ({"user_id": "rita"}, "user_id"),
        ({"is_active": False}, "out_of_service"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_gauge_that_cannot_be_is_refused(house: Installation, values: dict[str, Any], field: str) -> None:
    with house.acting("user:quinn") as act, pytest.raises(Invalid) as refusal:
        resources.add(
            act, ResourceKind.GAUGE, "G-1", **{"name": "Bore gauge", "calibration_interval_days": 180} | values
        )
    assert set(refusal.value.fields) == {field}


def test_a_code_is_taken_once(house: Installation) -> None:
    with house.acting("user:quinn") as act:
        made = resources.add(act, ResourceKind.GAUGE, "G-1", name="Bore gauge", calibration_interval_days=180)
        assert resources.keep(act, made, calibration_due=NEXT).calibration_due == NEXT
        with pytest.raises(Conflict):
            resources.add(act, ResourceKind.EQUIPMENT, "G-1", name="Oven")
    with pytest.raises(Forbidden), house.acting("user:max") as act:
        resources.keep(act, act.session.get_one(Resource, made.id), name="Mine")


def test_quality_qualifies_somebody_else(house: Installation) -> None:
    with house.acting("user:quinn") as act:
        pat, own = makers.make_person(act, user_id="pat"), makers.make_person(act, user_id="quinn", code="B-9")
        made = resources.qualify(act, pat, "HEAT_TREAT", qualified_on=TODAY, expires_on=NEXT)
        assert pat.is_qualified("HEAT_TREAT", NEXT)
        resources.end_qualification(act, made, TODAY)
        assert not pat.is_qualified("HEAT_TREAT", NEXT)
        with pytest.raises(Forbidden, match="themselves"):
            resources.qualify(act, own, "HEAT_TREAT", qualified_on=TODAY)
        with pytest.raises(Conflict):
            resources.qualify(act, pat, "HEAT_TREAT", qualified_on=TODAY)
        with pytest.raises(Invalid) as refusal:
            resources.qualify(act, pat, "COOKING", qualified_on=NEXT, expires_on=TODAY)
        assert set(refusal.value.fields) == {"process_code", "expires_on"}
