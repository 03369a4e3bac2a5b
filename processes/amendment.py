"""Amend an order that its supplier has: propose with a stored redline, start, withdraw, cancel (domain.md 2.12, A40)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from sqlalchemy import select

from engine import tasks
from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.instances import Instance, instances_of
from engine.instances import start as start_instance
from engine.messages import Reception, publish
from engine.stored.task import Task, TaskState
from processes.acknowledgement import answer_key
from processes.amendment_draft import draft_of, redline_of, row_of, store, store_again
from processes.amendment_examination import Examination, examine
from processes.amendment_plan import weigh
from processes.amendment_projection import Overlay
from processes.documents import order_variable
from records.acknowledgement import SupplierAcknowledgement
from records.amendment import (
    AmendmentClass,
    AmendmentKind,
    AmendmentReason,
    AmendmentStatus,
    PurchaseOrderAmendment,
    refuse_second,
)
from records.change_order import ChangeOrder
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.roles import user_called
from rules.amending import Edits, operation_of, refuse_impossible, refuse_status
from rules.amendment_words import title_of

PROCESS = "amend_order"
CORRECTING = "correct_amendment"
"""The step in which an amendment that was sent back is corrected."""
PLAN_STALE = "AMENDMENT_STALE"
"""The order moved on while its amendment was being approved."""
CANCELLABLE = frozenset({OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED})


def propose(
    act: Act,
    order: PurchaseOrder,
    changes: Edits,
    *,
    reason: str,
    reason_code: AmendmentReason = AmendmentReason.CORRECTION,
    acknowledgement: SupplierAcknowledgement | None = None,
    reverts: PurchaseOrderAmendment | None = None,
    change_order: ChangeOrder | None = None,
) -> PurchaseOrderAmendment:
    """Write the draft of an amendment with its redline and its change items.

    acknowledgement: the counter-offer that it accepts. reverts: the refused one whose values it restores. change_order: under which
    technical values are made, else whichever in force names the line and what it becomes.
    Raises: Invalid; Conflict UNCONTROLLED_CHANGE naming path, class and way out for what is refused or what no change order covers,
    AMENDMENT_OPEN for a second one; RuleViolation for what the laws refuse.
    """
    _refuse_unready(act, order, reason, is_own=acknowledgement is not None or reverts is not None)
    found = examine(act, order, changes, change_order=change_order, reverts=reverts)
    refuse_impossible(order, found.classified)
    if found.findings:
        raise RuleViolation(found.findings)
    kind = AmendmentKind.REVERSAL if reverts is not None else AmendmentKind.CHANGE
    amendment = draft_of(act, order, found, kind=kind, reason=reason, reason_code=reason_code)
    amendment.acknowledgement_id = acknowledgement.id if acknowledgement is not None else None
    amendment.reverts_id = reverts.id if reverts is not None else None
    return store(act, amendment, redline_of(found), found)


def redraft(
    act: Act, amendment: PurchaseOrderAmendment, changes: Edits, *, reason: str, reason_code: AmendmentReason
) -> PurchaseOrderAmendment:
    """Correct an amendment that was sent back, under its own number; its approvers sign anew, unless nothing changed.

    changes: of the order, all of them, as when it was proposed. Raises: as ``propose``; Conflict unless it was sent back.
    """
    order = amendment.order
    if amendment.status is not AmendmentStatus.DRAFT:
        raise Conflict(
            f"Expected {amendment.number} to be sent back to correct, but it is {amendment.status}."
            " Withdraw it, or amend the order by a further one.",
            code="ILLEGAL_TRANSITION", record=(amendment.record_type, amendment.id),
        )  # fmt: skip
    if not reason.strip():
        raise Invalid("Expected a reason for the amendment, but there is none", {"reason": "is required"})
    refuse_status(order)
    found = examine(act, order, changes)
    refuse_impossible(order, found.classified)
    if found.findings:
        raise RuleViolation(found.findings)
    return store_again(act, amendment, found, reason=reason, reason_code=reason_code)


def resubmit(
    act: Act, amendment: PurchaseOrderAmendment, changes: Edits, *, reason: str, reason_code: AmendmentReason
) -> PurchaseOrderAmendment:
    """Correct an amendment that was sent back and send it to its approvers again, which ends the task of correcting it.

    Raises: as ``redraft``; Forbidden to who may not take the task.
    """
    redraft(act, amendment, changes, reason=reason, reason_code=reason_code)
    task = correcting_task(act, amendment)
    tasks.decide(act, task.id, "resubmit", seen_version=task.version)
    return amendment


def correcting_task(act: Act, amendment: PurchaseOrderAmendment) -> Task:
    """Return the open task in which an amendment is corrected. Raises: Conflict when there is none."""
    ids = [one.id for one in instances_of(act.session, amendment.record_type, amendment.id)]
    wanted = select(Task).where(Task.instance_id.in_(ids), Task.element_id == CORRECTING, Task.state == TaskState.OPEN)
    found = act.session.scalars(wanted).first()
    if found is None:
        raise Conflict(
            f"Expected {amendment.number} to wait for its correction, but no task does", code="TASK_CLOSED",
            record=(amendment.record_type, amendment.id),
        )  # fmt: skip
    return found


def cancel_order(
    act: Act, order: PurchaseOrder, *, reason: str, change_order: ChangeOrder | None = None
) -> PurchaseOrderAmendment:
    """Write and start the amendment that cancels what is still to come of an order.

    change_order: the one that ended the work it is for.
    Raises: as ``propose``; Conflict for an order that nobody has, or that is delivered whole.
    """
    _refuse_unready(act, order, reason)
    if order.status not in CANCELLABLE:
        raise Conflict(
            f"Expected an order with something still to come, but {order.number} is {order.status}", code="ILLEGAL_TRANSITION",
            record=(order.record_type, order.id),
        )  # fmt: skip
    is_linked = any(operation_of(act.session, line) is not None for line in order.lines)
    left = sum((_remainder(line) for line in order.lines), Decimal(0))
    weight = weigh(act, order, _without_remainder(order, left), is_linked=is_linked)
    found = Examination((), order, weight, weight.seats, (), ())
    amendment = draft_of(
        act, order, found, kind=AmendmentKind.CANCELLATION, reason=reason, reason_code=AmendmentReason.CANCELLATION
    )
    amendment.change_class = AmendmentClass.C2
    amendment.change_order_id = change_order.id if change_order is not None else None
    row = row_of(
        order.id, "status", order.status.value, OrderStatus.CANCELLED.value, delta=-left,
        why="What is still to come is not delivered any more.",
    )  # fmt: skip
    store(act, amendment, [row], found)
    start(act, amendment)
    return amendment


def start(act: Act, amendment: PurchaseOrderAmendment) -> Instance:
    """Send a draft amendment on its way."""
    act.session.flush()
    return start_instance(
        act,
        PROCESS,
        business_key=amendment.number,
        variables={"amendment": amendment_variable(amendment), "order": order_variable(amendment.order)},
        records=[(amendment.record_type, amendment.id), ("purchase_order", amendment.order_id)],
    )


def withdraw(act: Act, amendment: PurchaseOrderAmendment, *, reason: str) -> None:
    """Take an amendment back while it is being approved; what was signed on it no longer counts.

    Raises: Invalid without a reason; Conflict once it is approved or over.
    """
    if not reason.strip():
        raise Invalid("Expected a reason to withdraw the amendment, but there is none", {"reason": "is required"})
    about = (amendment.record_type, amendment.id)
    if amendment.status is not AmendmentStatus.PENDING:
        raise Conflict(
            f"Expected {amendment.number} to be waiting for approval, but it is {amendment.status}."
            " Undo an approved one by a further amendment.",
            code="ILLEGAL_TRANSITION", record=about,
        )  # fmt: skip
    act.note(*about, "WITHDRAWAL", reason=reason)
    name = user_called(act.session, act.user_id).name if act.user_id else act.actor
    published = publish(
        act, "amendment.withdrawn", correlation_key=amendment.id, variables={"withdrawal": {"name": name, "reason": reason.strip()}},
        message_id=act.id, why=f"withdrawn by {name}",
    )  # fmt: skip
    if published.reception is Reception.STORED:
        raise Conflict(
            f"Expected a step of {amendment.number} that can be left, but none waits now; try again", record=about
        )


def amendment_variable(amendment: PurchaseOrderAmendment) -> dict[str, Any]:
    """Return the variable ``amendment``. is_offered: the supplier offered these values; clock_from: when the notice went out."""
    order = amendment.order
    return {
        "id": amendment.id,
        "number": amendment.number,
        "status": amendment.status.value,
        "hash": amendment.content_hash,
        "revision": Decimal(amendment.revision),
        "kind": amendment.kind.value,
        "change_class": amendment.change_class.value,
        "title": title_of(amendment),
        "is_offered": amendment.acknowledgement_id is not None,
        "answer_key": answer_key(order.number, amendment.revision),
        "reason": amendment.reason,
        "money_delta": amendment.money_delta,
        "currency": amendment.currency,
        "clock_from": amendment.sent_at,
    }


def _refuse_unready(act: Act, order: PurchaseOrder, reason: str, *, is_own: bool = False) -> None:
    """Refuse what cannot be amended now. is_own: the flow asks, for an offer that is accepted or a change that is undone."""
    if not reason.strip():
        raise Invalid("Expected a reason for the amendment, but there is none", {"reason": "is required"})
    if act.user_id is None and not is_own and not act.actor.startswith("system:"):
        raise Forbidden("Expected a person to amend an order, but an adapter asks", code="NOT_AUTHORISED")
    refuse_second(act.session, order)
    refuse_status(order)
    if order.status is OrderStatus.COUNTER_OFFER and not is_own:
        raise Conflict(
            f"Expected the counter-offer on {order.number} to be answered first, but it is open. Accept or refuse it in its task.",
            code="UNCONTROLLED_CHANGE", record=(order.record_type, order.id),
        )  # fmt: skip


def _remainder(line: PurchaseOrderLine) -> Decimal:
    if line.status is LineStatus.CANCELLED or not line.quantity:
        return Decimal(0)
    return (line.amount * line.open_quantity / line.quantity).quantize(Decimal("0.01"))


def _without_remainder(order: PurchaseOrder, left: Decimal) -> PurchaseOrder:
    return cast("PurchaseOrder", Overlay(order, {"total": order.total - left}))
