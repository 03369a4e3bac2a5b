"""Take a document back before it binds: a requisition while others decide on it, an order until it is issued."""

from __future__ import annotations

from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.messages import Reception, publish
from engine.stored.task import Task, TaskState
from processes.notices import tell
from processes.task_notices import people_of
from records.purchase_order import OrderStatus, PurchaseOrder
from records.requisition import Requisition, RequisitionStatus
from records.roles import user_called
from records.signature import SignatureStatus
from records.signing import signatures_on

WITHDRAWABLE = frozenset({OrderStatus.PENDING_APPROVAL, OrderStatus.APPROVED})
"""Orders that their buyer may take back."""

UNDECIDED = frozenset({RequisitionStatus.SUBMITTED, RequisitionStatus.IN_APPROVAL})
"""Requisitions that their requester may take back."""


def withdraw_requisition(act: Act, requisition: Requisition, *, reason: str) -> None:
    """Cancel a requisition that others still decide on; signatures are superseded, whoever was asked is told.

    Raises: Invalid without a reason; Forbidden for anybody but its requester, or a buyer where the requester cannot sign
    in; Conflict once it is decided, or when no step of its flow can be left.
    """
    if not reason.strip():
        raise Invalid("Expected a reason to withdraw the requisition, but there is none", {"reason": "is required"})
    refuse_others(act, requisition)
    about = (requisition.record_type, requisition.id)
    if requisition.status not in UNDECIDED:
        raise Conflict(
            f"Expected {requisition.number} to be undecided, but it is {requisition.status.lower()}",
            code="ILLEGAL_TRANSITION", record=about,
        )  # fmt: skip
    name = user_called(act.session, act.user_id or "").name
    concerned = _concerned(act, requisition)
    act.note(*about, "WITHDRAWN", reason=reason)
    withdrawal = {"by": act.user_id, "name": name, "reason": reason.strip()}
    _deliver(act, "requisition.withdrawn", requisition, variables={"withdrawal": withdrawal}, name=name)
    body = f"{name} withdrew it: {reason.strip()}"
    tell(act, concerned, f"{requisition.number} was withdrawn", key=f"withdrawn:{act.id}", body=body, record=about)


def withdraw_order(act: Act, order: PurchaseOrder, *, reason: str) -> None:
    """Take an order back to DRAFT before it is transmitted; its signatures are superseded and its buyer goes on with it.

    Raises: Invalid without a reason; Conflict once it is issued, or when no flow waits for it.
    """
    if not reason.strip():
        raise Invalid("Expected a reason to withdraw the order, but there is none", {"reason": "is required"})
    if not may_withdraw(order):
        way = "it is free to be changed" if order.status is OrderStatus.DRAFT else "it needs an amendment"
        raise Conflict(
            f"Expected {order.number} to be submitted and not issued yet, but it is {order.status}; {way}",
            code="ILLEGAL_TRANSITION", record=(order.record_type, order.id),
        )  # fmt: skip
    act.note(order.record_type, order.id, "WITHDRAWN", reason=reason)
    name = user_called(act.session, act.user_id).name if act.user_id else act.actor
    _deliver(act, "order.withdrawn", order, variables={}, name=name)


def may_withdraw(order: PurchaseOrder) -> bool:
    """Tell whether an order may be taken back where it stands, or where a hold stopped it."""
    return (order.held_from or order.status) in WITHDRAWABLE


def refuse_others(act: Act, requisition: Requisition) -> None:
    """Refuse whoever may not withdraw a requisition. Raises: Forbidden."""
    if act.user_id == requisition.requester_id:
        return
    requester, directory = requisition.requester, act.installation.directory
    is_there = requester.can_sign_in and requester.is_active
    if not is_there and directory is not None and act.user_id is not None:
        mandates = directory.mandates(act.session, act.user_id, at=act.now, flow="requisition_to_po")
        if any(mandate.principal == "role:BUYER" for mandate in mandates):
            return
    raise Forbidden(
        f"Expected {requester.name} to withdraw {requisition.number}, but you are somebody else", code="NOT_AUTHORISED",
        record=(requisition.record_type, requisition.id),
    )  # fmt: skip


def _deliver(
    act: Act, message: str, document: Requisition | PurchaseOrder, *, variables: dict[str, object], name: str
) -> None:
    """Let the flow hear of it now; a message that is only kept would strike at a later step."""
    published = publish(
        act, message, correlation_key=document.id, variables=variables, message_id=act.id, why=f"withdrawn by {name}"
    )
    if published.reception is Reception.STORED:
        raise Conflict(
            f"Expected a step of {document.number} that can be left, but none waits now; try again, or ask operations",
            record=(document.record_type, document.id),
        )  # fmt: skip


def _concerned(act: Act, requisition: Requisition) -> list[str]:
    """Return who signed it already and who was asked to decide, but not whoever withdraws it."""
    signed = [
        signature.signer_id
        for signature in signatures_on(act.session, requisition.record_type, requisition.id)
        if signature.status is SignatureStatus.VALID
    ]
    wanted = select(Task).where(
        Task.record_type == requisition.record_type, Task.record_id == requisition.id, Task.state == TaskState.OPEN
    )
    asked = [person.id for task in act.session.scalars(wanted) for person in people_of(act, task)]
    return [person for person in dict.fromkeys([*signed, *asked]) if person != act.user_id]
