"""Orders that change after they went out: one amendment waits for its approval, one is done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

from sqlalchemy import select

from engine import eligibility, tasks
from engine.act import Installation
from engine.ports import SignatureRequest
from engine.stored.task import Task, TaskState
from engine.worker import run_until_idle
from processes.acknowledgement import acknowledge
from processes.amendment import propose, start
from records.amendment import AmendmentReason, PurchaseOrderAmendment
from records.demo_people import PASSWORD
from records.purchase_order import OrderStatus, PurchaseOrder
from rules.amending import Edits, LineEdit

At = Callable[[dt.datetime], AbstractContextManager[None]]


def amend_orders(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Amend two orders that their suppliers acknowledged; without two, as many as there are."""
    with installation.reading() as session:
        wanted = select(PurchaseOrder).where(
            PurchaseOrder.status == OrderStatus.ACKNOWLEDGED, PurchaseOrder.approved_hash.is_not(None)
        )
        orders = [
            order.id for order in session.scalars(wanted.order_by(PurchaseOrder.proposal_no)) if _stands_alone(order)
        ]
    if orders:
        with at(today - dt.timedelta(days=0.5)):
            _apply(installation, orders[-1])
    if len(orders) > 1:
        with at(today - dt.timedelta(days=0.2)):
            _propose_more(installation, orders[0])
            run_until_idle(installation)


def _stands_alone(order: PurchaseOrder) -> bool:
    """Whether no work order waits for an order, which an open amendment would hold up."""
    return bool(order.lines) and not any(line.work_order_op for line in order.lines)


def _apply(installation: Installation, order_id: str) -> None:
    """Deliver a little later: released by the buyer, sent, acknowledged."""
    with installation.acting("user:bea") as act:
        order = act.session.get_one(PurchaseOrder, order_id)
        line = order.lines[0]
        later = (line.need_by or order.site.local_day(act.now)) + dt.timedelta(days=5)
        edits = Edits(lines=[LineEdit(line.line_no, {"need_by": later})])
        amendment = propose(
            act, order, edits, reason="The line stops for maintenance that week; the parts are not needed before.",
            reason_code=AmendmentReason.SCHEDULE,
        )  # fmt: skip
        start(act, amendment)
    run_until_idle(installation)
    _sign(installation, amendment.id, "bea", "RELEASED")
    run_until_idle(installation)
    with installation.acting("user:bea") as act:
        order = act.session.get_one(PurchaseOrder, order_id)
        acknowledge(
            act, order, result="ACCEPT", message_id=f"demo-{order.number}-r{order.revision}", reference="OC-2291",
            revision=order.revision, channel="EMAIL",
        )  # fmt: skip
    run_until_idle(installation)


def _propose_more(installation: Installation, order_id: str) -> None:
    """Order a little more; the purchasing lead, or the whole plan, has to approve it."""
    with installation.acting("user:bea") as act:
        order = act.session.get_one(PurchaseOrder, order_id)
        line = order.lines[0]
        more = max(Decimal(1), (line.quantity * Decimal("0.02")).to_integral_value())
        edits = Edits(lines=[LineEdit(line.line_no, {"quantity": line.quantity + more})])
        amendment = propose(
            act, order, edits, reason="More scrap in turning than planned; replacements for the same work order.",
            reason_code=AmendmentReason.DEMAND,
        )  # fmt: skip
        start(act, amendment)


def _sign(installation: Installation, amendment_id: str, user_id: str, meaning: str) -> None:
    with installation.acting(f"user:{user_id}") as act:
        wanted = select(Task).where(
            Task.record_type == PurchaseOrderAmendment.record_type, Task.record_id == amendment_id,
            Task.state == TaskState.OPEN,
        )  # fmt: skip
        own = [
            task
            for task in act.session.scalars(wanted)
            if eligibility.mandates_for(act.session, task, user_id, now=act.now)
        ]
        for task in own:
            signature = SignatureRequest(meaning, PASSWORD, user_id=user_id, accepts_responsibility=True)
            tasks.decide(act, task.id, "approve", seen_version=task.version, signature=signature)
