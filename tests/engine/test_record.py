"""What an edit says is what the flush writes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import select

from engine.act import Installation
from engine.audit import AuditEvent
from engine.verification import verify
from records.cost_centre import CostCentre
from records.requisition import Requisition, RequisitionLine
from records.sourcing import ExchangeRate
from tests.makers import make_cost_centre, make_requisition, make_revision


def chained(installation: Installation, record_type: str, record_id: str) -> dict[str | None, str | None]:
    with installation.reading() as session:
        wanted = select(AuditEvent).where(AuditEvent.record_type == record_type, AuditEvent.record_id == record_id)
        return {event.field: event.new for event in session.scalars(wanted.order_by(AuditEvent.seq))}


def test_a_reference_given_as_an_object_is_chained(installation: Installation) -> None:
    with installation.acting("system:test") as act:
        requisition = make_requisition(act)
        revision = make_revision(act)
        line = RequisitionLine(line_no=9, quantity=Decimal(1), cost_object="CC:4711", part_revision=revision)
        requisition.lines.append(line)
    said = chained(installation, "requisition_line", line.id)
    assert (said["requisition_id"], said["part_revision_id"]) == (requisition.id, revision.id)
    with installation.reading() as session:
        assert list(verify(session)) == []


def test_a_reference_changed_as_an_object_is_chained(installation: Installation) -> None:
    with installation.acting("system:test") as act:
        requisition, other = make_requisition(act), make_cost_centre(act, "4712")
    with installation.acting("system:test") as act:
        found = act.session.get_one(Requisition, requisition.id)
        found.cost_centre = act.session.get_one(CostCentre, other.id)
    assert chained(installation, "requisition", requisition.id)["cost_centre_id"] == other.id
    with installation.reading() as session:
        assert list(verify(session)) == []


def test_a_rate_is_chained_at_full_scale(installation: Installation) -> None:
    with installation.acting("system:test") as act:
        rate = ExchangeRate(
            currency="EUR", company_currency="USD", rate=Decimal("1.08"), valid_from=dt.date(2026, 1, 1)
        )
        act.session.add(rate)
    assert chained(installation, "exchange_rate", rate.id)["rate"] == "1.08000000"
