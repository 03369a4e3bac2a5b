"""A gauge found out of tolerance becomes a task of quality that names the work, and ends in a conclusion on each of it."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from engine.act import Act
from engine.stored.instance import Instance
from processes import calibration
from records.resource import ResourceKind
from records.work_order import CalibrationResult, WorkOrder, WorkOrderStatus
from rules.finding import open_findings
from tests import makers
from tests.makers import D
from tests.people import quinn
from tests.story import Story


@pytest.fixture
def measured(story: Story) -> str:
    """The id of a work order that was measured with G-14, which a calibration found out of tolerance."""

    def arrange(act: Act) -> str:
        gauge = makers.make_resource(act, "G-14", kind=ResourceKind.GAUGE)
        order = makers.make_work_order(act, number="WO-7001")
        process = {"kind": "PROCESS", "name": "Bore", "value": D(5), "quantity": None, "uom": None}
        makers.make_actual(act, order, resource_id=gauge.id, **process)
        check = makers.make_work_order(
            act,
            number="CAL-1",
            type="CALIBRATION",
            resource_id=gauge.id,
            calibration_result=CalibrationResult.OUT_OF_TOLERANCE,
        )
        calibration.open_impact(act, check)
        return order.id

    made: str = story.given(arrange)
    return made


@pytest.mark.parametrize(
    ("verdict", "status", "rules"),
    [("not_affected", WorkOrderStatus.RELEASED, []), ("affected", WorkOrderStatus.ON_HOLD, ["WO-GAUGE"])],
)
def test_quality_assesses_what_was_measured(
    story: Story, measured: str, verdict: str, status: WorkOrderStatus, rules: list[str]
) -> None:
    story.instance_id = story.read(
        lambda session: session.scalars(select(Instance.id).where(Instance.process_id == "gauge_impact")).one()
    )
    task = story.as_(quinn).task("assess_impact")
    assert task.title == "Assess the work measured with G-14, found out of tolerance"
    assert task.due_at is not None
    assert task.due_at.date() == dt.date(2026, 11, 30), "five business days, one of them Thanksgiving"
    story.as_(quinn).decide("assess_impact", verdict, conclusion="Measured again with G-21: all within tolerance")
    order = story.read(lambda session: session.get_one(WorkOrder, measured))
    assert order.status is status
    kept = story.read(lambda session: [each.rule for each in open_findings(session, "work_order", measured)])
    assert kept == rules
