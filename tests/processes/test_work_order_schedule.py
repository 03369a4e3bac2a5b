"""Plans on working days: holidays and weekends are passed over, operations follow one another."""

from __future__ import annotations

import datetime as dt

import pytest

from engine.act import Installation
from engine.errors import Invalid
from processes import work_orders
from processes.work_order_schedule import plan_notes
from records.calendar import Holiday
from tests import makers
from tests.makers import D

THANKSGIVING = dt.date(2026, 11, 26)
STEPS = (
    {"op_no": 10, "description": "Mill", "work_centre": "MILL", "setup_minutes": D(60), "run_minutes": D(15)},
    {"op_no": 20, "description": "Inspect", "work_centre": "MILL"},
)


@pytest.fixture
def house(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        makers.make_cast(act)
        site = makers.make_work_centre(act).site
        if THANKSGIVING not in {each.on for each in site.holidays}:
            site.holidays.append(Holiday(on=THANKSGIVING, name="Thanksgiving"))
    return installation


def test_a_start_on_a_holiday_moves_on_and_operations_follow_in_working_days(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = work_orders.create(
            act, "PRODUCTION", quantity=D(40), part_revision=makers.make_revision(act), operations=STEPS, planned_start=THANKSGIVING
        )  # fmt: skip
        mill, inspect = order.operations
        # 660 minutes are two days of ten hours: Friday 27 and Monday 30.
        assert (order.planned_start, mill.planned_start, mill.planned_finish) == (
            dt.date(2026, 11, 27), dt.date(2026, 11, 27), dt.date(2026, 11, 30),
        )  # fmt: skip
        assert (inspect.planned_start, order.planned_finish) == (dt.date(2026, 12, 1), dt.date(2026, 12, 1))
        assert plan_notes(order) == []


def test_an_end_before_the_operations_is_said_and_one_before_the_start_refused(house: Installation) -> None:
    with house.acting("user:rita") as act:
        order = work_orders.create(
            act, "PRODUCTION", quantity=D(40), part_revision=makers.make_revision(act), operations=STEPS,
            planned_start=dt.date(2026, 11, 30), planned_finish=dt.date(2026, 11, 30),
        )  # fmt: skip
        assert "after the order's end on 2026-11-30" in plan_notes(order)[0]
        with pytest.raises(Invalid):
            work_orders.replan(
                act, order, planned_start=dt.date(2026, 12, 2), planned_finish=dt.date(2026, 12, 1), priority=5
            )


def test_a_plan_moved_to_a_weekend_begins_on_monday_and_a_mirror_keeps_its_days(house: Installation) -> None:
    with house.acting("user:rita") as act:
        sunday, monday = dt.date(2026, 11, 29), dt.date(2026, 11, 30)
        own = work_orders.create(
            act, "PRODUCTION", quantity=D(4), part_revision=makers.make_revision(act), operations=STEPS
        )
        mirror = makers.make_work_order(act)
        for order, expected in ((own, monday), (mirror, sunday)):
            work_orders.replan(act, order, planned_start=sunday, planned_finish=None, priority=5)
            assert order.planned_start == expected
        assert "Sunday" in plan_notes(mirror)[0]
