"""What becomes of work that was measured with a gauge found out of tolerance: quality assesses it as a task (domain.md 1.14)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import content_hash
from engine.instances import start as start_instance
from engine.registry import Registry, Work
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance
from processes.documents import existing
from records.nonconformance import Nonconformance
from records.resource import Resource
from records.work_order import OPEN, WorkOrder, hold
from rules.finding import acknowledge, open_findings
from rules.policy import table_called

PROCESS = "gauge_impact"
RULE = "WO-GAUGE"
registry = Registry()


def begin(
    act: Act,
    raised: Nonconformance,
    gauge: Resource,
    calibration: WorkOrder,
    *,
    orders: Sequence[WorkOrder],
    since: dt.date | None,
) -> Instance | None:
    """Give quality the task to assess the work orders; None where the process is not deployed, and the nonconformance alone stands."""
    wanted = select(Definition.id).where(
        Definition.process_id == PROCESS, Definition.status == DefinitionStatus.RELEASED
    )
    if act.session.scalars(wanted.limit(1)).first() is None:
        return None
    act.session.flush()
    impact = {
        "id": raised.id, "number": raised.number, "gauge": gauge.code, "calibration": calibration.number,
        "since": since.isoformat() if since is not None else "no day on record", "count": len(orders),
        "orders": ", ".join(order.number for order in orders) or "no work order", "order_ids": [order.id for order in orders],
        "days": table_called("timers").judge(priority="NORMAL").row.outputs["gauge_impact"],
        "hash": content_hash([raised.number, *(order.id for order in orders)]),
    }  # fmt: skip
    about = [("nonconformance", raised.id), *(("work_order", order.id) for order in orders)]
    return start_instance(act, PROCESS, business_key=raised.number, variables={"impact": impact}, records=about)


@registry.step("keep_gauge_assessment")
def keep_gauge_assessment(act: Act, work: Work) -> Mapping[str, Any]:
    """Not affected: the hold on each work order is acknowledged with the conclusion. Affected: what is open is put on hold."""
    impact, conclusion = work["impact"], str(work["conclusion"])
    is_affected = work["decision"]["verdict"] == "affected"
    raised = existing(act.session, Nonconformance, impact["id"])
    raised.disposition_reason = conclusion[:4000]
    for order_id in impact["order_ids"]:
        order = existing(act.session, WorkOrder, order_id)
        if not is_affected:
            for kept in open_findings(act.session, order.record_type, order.id):
                if kept.rule == RULE and raised.number in kept.sentence:
                    acknowledge(act, kept, reason=conclusion)
        elif order.status in OPEN:
            hold(
                act,
                order,
                reason=f"{impact['gauge']} was out of tolerance ({raised.number}): {conclusion}"[:4000],
                owner="role:QA_ENG",
            )
    return {}
