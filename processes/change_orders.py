"""Change orders: asked for, opened, written, sealed for the board, and applied as they were signed (domain.md 2.22-2.25, 3C)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Invalid
from engine.record import Operation, Record
from processes.change_applying import apply
from processes.change_baseline import baseline_taken
from processes.change_content import content_of
from processes.change_effectivity import effectivity
from processes.change_requests import open_request
from records import part
from records.amendment import AmendmentStatus, PurchaseOrderAmendment
from records.calendar import MAIN, site_called
from records.change_order import (
    AddendumKind,
    AddendumStatus,
    AffectedItem,
    ChangeOrder,
    ChangeOrderAddendum,
    ChangeOrderRequest,
    ChangeOrderStatus,
    ChangeType,
    Interchangeable,
    ItemAction,
    move,
)
from records.change_request import ChangeRequest, ChangeRequestEdit, OrderClass, RequestStatus
from records.change_task import ChangeTask, TaskStatus
from records.numbering import next_number
from records.part import PartRevision, RevisionStatus
from records.signing import supersede
from rules.amending import value_of
from rules.change_control import (
    CHANGE_ORDER,
    Wanted,
    is_covered,
    items_of,
    judge_edit,
    open_order_on,
    open_orders_on,
    refuse_overlap,
)
from rules.change_doors import UNSEALED
from rules.change_item import ChangeClass, ChangeItem
from rules.guard import BY_TABLE

AT_SUPPLIERS = (AmendmentStatus.APPROVED, AmendmentStatus.SENT, AmendmentStatus.ACKED, AmendmentStatus.APPLIED)
"""Statuses of an amendment that counts, or is about to."""


def open_order(
    act: Act,
    *,
    change_class: OrderClass,
    title: str,
    reason: str,
    requests: Sequence[ChangeRequest] = (),
    owner: str = "",
    expires_at: dt.datetime | None = None,
    **content: Any,
) -> ChangeOrder:
    """Write the draft of a change order that answers requests, and carry over the edits that they ask for.

    owner: a principal, else whoever opens it. expires_at: of an emergency (CE), needed there. content: further columns
    (``type``, ``effectivity_kind``, ``fai`` …). Raises: Invalid naming every field that does not fit; Conflict for a request that
    nobody accepted.
    """
    _refuse_unready(act, change_class, title, reason, expires_at, requests)
    site = site_called(act.session, MAIN)
    kind = "EC" if change_class is OrderClass.CE else "CO"
    order = ChangeOrder(
        number=next_number(act, kind, site=site), site=site, site_id=site.id, change_class=change_class, type=ChangeType.PRODUCT,
        title=title.strip()[:200], reason=reason.strip(), owner=owner or act.user_id or act.actor,
        opened_by=act.user_id or act.actor, expires_at=expires_at,
    )  # fmt: skip
    act.session.add(order)
    act.session.flush()
    for request in requests:
        act.session.add(
            ChangeOrderRequest(
                change_order=order, change_order_id=order.id, change_request=request, change_request_id=request.id
            )
        )
    act.session.flush()
    if content:
        write(act, order, content)
    for request in requests:
        for edit in request.edits:
            _carry_over(act, order, edit)
    return order


def write(act: Act, order: ChangeOrder, content: Mapping[str, Any]) -> ChangeOrder:
    """Set columns of a change order that is still being written. Raises: Conflict when it is sealed; Invalid naming the field."""
    take_up_content(act, order)
    unknown = sorted(set(content) - set(WRITABLE))
    if unknown:
        raise Invalid(
            f"Expected fields of a change order, but found {', '.join(unknown)}",
            {name: f"Expected one of {', '.join(WRITABLE)}" for name in unknown},
        )
    merged = {
        "effectivity_kind": content.get("effectivity_kind", order.effectivity_kind),
        "effectivity_value": content.get("effectivity_value", order.effectivity_value),
    }
    if {"effectivity_kind", "effectivity_value"} & set(content):
        kind, value = effectivity(act, merged["effectivity_kind"], merged["effectivity_value"])
        content = {**content, "effectivity_kind": kind, "effectivity_value": value}
    for name, value in content.items():
        setattr(order, name, value)
    act.session.flush()
    return order


WRITABLE = (
    "title", "reason", "type", "change_class", "owner", "effectivity_kind", "effectivity_value", "is_customer_approval_required",
    "regulator_notice", "fai", "is_revalidation_required", "is_training_required", "expires_at",
)  # fmt: skip
"""Columns that people write while the order is free."""


def add_item(
    act: Act,
    order: ChangeOrder,
    part_revision_from: PartRevision,
    to: PartRevision | None = None,
    *,
    action: ItemAction = ItemAction.REVISE,
    interchangeable: Interchangeable = Interchangeable.NO,
) -> AffectedItem:
    """Name a part revision that the order is about, and the one that follows it.

    Raises: Conflict when the order is sealed or the item is named already; Invalid when what follows does not fit the action.
    """
    take_up_content(act, order)
    _refuse_misfit(order, part_revision_from, to, action)
    item = AffectedItem(
        change_order=order, change_order_id=order.id, position=max((one.position for one in order.affected), default=0) + 1,
        part_revision_from=part_revision_from, part_revision_from_id=part_revision_from.id, part_revision_to=to,
        part_revision_to_id=to.id if to is not None else None, action=action, interchangeable=interchangeable,
    )  # fmt: skip
    act.session.add(item)
    act.session.flush()
    return item


def add_edit(act: Act, order: ChangeOrder, record: Record, column: str, new: Any) -> ChangeItem:
    """Say that the order sets one value of one row; said again, the new value replaces the one before.

    The class is computed by 4c and frozen in the item. Raises: Conflict when the order is sealed, another open order sets the value
    (CHANGE_OVERLAPS), 4c refuses it (UNCONTROLLED_CHANGE) or the order is not deep enough (CLASS_TOO_LOW); Invalid naming the field.
    """
    take_up_content(act, order)
    wanted = judge_edit(act.session, order, record, column, new)
    refuse_overlap(act.session, order, wanted)
    return _put(act, order, wanted)


def take_baseline(act: Act, order: ChangeOrder) -> str:
    """Take the baseline of every affected revision (C03); return its hash. Raises: Conflict when the order is sealed."""
    take_up_content(act, order)
    return baseline_taken(act, order)


def seal(act: Act, order: ChangeOrder) -> str:
    """Freeze the content for the board: what follows from the effectivity is written, the hash set, every item bound to it.

    The order stays in its status; the next move is to REVIEW (or EMERGENCY_ACTIVE). Raises: Conflict when it is sealed already or
    nothing is to change.
    """
    take_up_content(act, order)
    derive(act, order)
    if not items_of(act.session, order) and not order.affected:
        raise Conflict(
            f"Expected {order.number} to change something, but it names no revision and no value",
            code="NOTHING_TO_CHANGE", record=(order.record_type, order.id),
        )  # fmt: skip
    order.round += 1
    act.session.flush()
    hashed = content_hash(content_of(order))
    for item in items_of(act.session, order):
        item.change_hash = hashed
    order.content_hash = hashed
    act.session.flush()
    return hashed


def send_to_review(act: Act, order: ChangeOrder, *, reason: str | None = None) -> ChangeOrder:
    """Seal the content and move the order to REVIEW. Raises: Conflict as ``seal`` and ``move``."""
    seal(act, order)
    return move(act, order, ChangeOrderStatus.REVIEW, reason=reason)


def withdraw(act: Act, order: ChangeOrder, *, reason: str) -> ChangeOrder:
    """Take an order back while nothing of it is done; every signature on it is superseded (C19).

    Raises: Invalid without a reason; Conflict once values are applied (the way back is an addendum) or it is effective or over.
    """
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    done = any(item.applied_at is not None for item in items_of(act.session, order))
    if order.effective_at is not None:
        raise Conflict(
            f"Expected {order.number} not to be effective yet, but it is. Raise a new change order.", code="ALREADY_EFFECTIVE",
            record=(order.record_type, order.id), keep=True,
        )  # fmt: skip
    if done and not _is_undone(act, order):
        raise Conflict(
            f"Expected nothing of {order.number} to be applied, but something is: its way back is signed and done first",
            code="NOT_UNDONE", record=(order.record_type, order.id),
        )  # fmt: skip
    if standing := standing_amendments(act.session, order):
        raise Conflict(
            f"Expected no amendment under {order.number} to stand, but {', '.join(one.number for one in standing)} does: undo it by a "
            "further amendment first",
            code="NOT_UNDONE", record=(order.record_type, order.id),
        )  # fmt: skip
    supersede(act, order.record_type, order.id)
    return move(act, order, ChangeOrderStatus.WITHDRAWN, reason=reason.strip())


def standing_amendments(session: Session, order: ChangeOrder) -> list[PurchaseOrderAmendment]:
    """Return the amendments under a change that suppliers have and that nothing undid: no further one, and nobody by hand."""
    back = aliased(PurchaseOrderAmendment)
    by_amendment = select(back.reverts_id).where(
        back.reverts_id.is_not(None), back.status.in_((AmendmentStatus.ACKED, AmendmentStatus.APPLIED))
    )
    by_people = select(ChangeTask.done_id).where(
        ChangeTask.change_order_id == order.id, ChangeTask.done_id.is_not(None),
        ChangeTask.status.in_((TaskStatus.UNDONE, TaskStatus.CANCELLED)),
    )  # fmt: skip
    made = select(ChangeTask.done_id).where(ChangeTask.change_order_id == order.id, ChangeTask.done_id.is_not(None))
    wanted = select(PurchaseOrderAmendment).where(
        (PurchaseOrderAmendment.change_order_id == order.id) | PurchaseOrderAmendment.id.in_(made),
        PurchaseOrderAmendment.reverts_id.is_(None),
        PurchaseOrderAmendment.status.in_(AT_SUPPLIERS), PurchaseOrderAmendment.id.not_in(by_amendment),
    )  # fmt: skip
    undone = set(session.scalars(by_people))
    return [one for one in session.scalars(wanted.order_by(PurchaseOrderAmendment.number)) if one.id not in undone]


def _is_undone(act: Act, order: ChangeOrder) -> bool:
    wanted = select(ChangeOrderAddendum.id).where(
        ChangeOrderAddendum.change_order_id == order.id, ChangeOrderAddendum.kind == AddendumKind.WITHDRAWAL,
        ChangeOrderAddendum.status == AddendumStatus.APPROVED,
    )  # fmt: skip
    return act.session.scalars(wanted).first() is not None


def take_up_content(act: Act, order: ChangeOrder) -> None:
    """Make an order's content ready to be written: what was sealed last goes on as a copy. Raises: Conflict when it is sealed."""
    _refuse_sealed(order)
    _reopen(act, order)


def derive(act: Act, order: ChangeOrder) -> None:
    """Write the items that follow from the affected revisions and the effectivity: who is released, who is superseded, from when."""
    day = order.effective_on
    for affected in order.affected:
        before, after = affected.part_revision_from, affected.part_revision_to
        if after is not None:
            _set(act, order, after, "status", RevisionStatus.IN_REVIEW.value, RevisionStatus.RELEASED.value)
            if day is not None:
                _set_effectivity(act, order, before, day - dt.timedelta(days=1))
        if affected.action in (ItemAction.REVISE, ItemAction.SUPERSEDE):
            _set(act, order, before, "status", before.status.value, RevisionStatus.SUPERSEDED.value)
        elif affected.action is ItemAction.OBSOLETE:
            _set(act, order, before, "status", before.status.value, RevisionStatus.OBSOLETE.value)
    act.session.flush()


def _put(act: Act, order: ChangeOrder, wanted: Wanted) -> ChangeItem:
    present = _present(act, order, wanted.record.record_type, wanted.record.id, wanted.column)
    if present is None:
        present = ChangeItem(
            change_type=CHANGE_ORDER, change_id=order.id, change_hash=UNSEALED, table_name=wanted.record.record_type,
            row_id=wanted.record.id, operation=Operation.UPDATE, column_name=wanted.column, old_text=wanted.old,
            new_text=wanted.new, change_class=wanted.change_class,
        )  # fmt: skip
        act.session.add(present)
    else:
        present.old_text, present.new_text, present.change_class = wanted.old, wanted.new, wanted.change_class
    act.session.flush()
    return present


def _present(act: Act, order: ChangeOrder, table: str, row_id: str, column: str) -> ChangeItem | None:
    return act.session.scalar(
        select(ChangeItem).where(
            ChangeItem.change_id == order.id, ChangeItem.change_hash == UNSEALED, ChangeItem.table_name == table,
            ChangeItem.row_id == row_id, ChangeItem.column_name == column, ChangeItem.operation == Operation.UPDATE,
        )
    )  # fmt: skip


def _set(act: Act, order: ChangeOrder, record: Record, column: str, old: str | None, new: str | None) -> None:
    if old == new:
        return
    change_class = ChangeClass.C4 if order.change_class is not OrderClass.C3 else ChangeClass.C3
    wanted = Wanted(record, column, old, new, None, change_class, "Follows from the affected revision.")
    refuse_overlap(act.session, order, wanted)
    _put(act, order, wanted)


def _set_effectivity(act: Act, order: ChangeOrder, before: PartRevision, last_day: dt.date) -> None:
    old = before.effectivity.value if before.effectivity else None
    _set(act, order, before, "effectivity", old, part.Effectivity.DATE.value)
    until = before.effective_to.isoformat() if before.effective_to else None
    _set(act, order, before, "effective_to", until, last_day.isoformat())


def _reopen(act: Act, order: ChangeOrder) -> None:
    """Take up the content of the last round again, as a copy: what was signed stays what it was."""
    if order.content_hash is None:
        return
    last = [item for item in items_of(act.session, order) if item.applied_at is None]
    order.content_hash = None
    for item in last:
        act.session.add(
            ChangeItem(
                change_type=CHANGE_ORDER, change_id=order.id, change_hash=UNSEALED, table_name=item.table_name, row_id=item.row_id,
                operation=item.operation, column_name=item.column_name, old_text=item.old_text, new_text=item.new_text,
                change_class=item.change_class,
            )
        )  # fmt: skip
    act.session.flush()


def _carry_over(act: Act, order: ChangeOrder, edit: ChangeRequestEdit) -> None:
    """Take over what a request asks for, where the order may set it; what it may not stays readable on the request."""
    guarded = BY_TABLE.get(edit.table_name)
    record: Any = act.session.get(guarded.mapped, edit.row_id) if guarded is not None else None
    if record is None:
        return
    try:
        with act.attempt():
            add_edit(act, order, record, edit.column_name, value_of(type(record), edit.column_name, edit.new_text))
    except (Conflict, Invalid) as refusal:
        act.note(
            order.record_type,
            order.id,
            "NOT_CARRIED_OVER",
            field=edit.column_name,
            new=edit.new_text,
            reason=refusal.message,
        )


def _refuse_sealed(order: ChangeOrder) -> None:
    if not order.is_free:
        raise Conflict(
            f"Expected {order.number} to be still in writing, but it is {order.status}. Return it to change what it says, or open "
            "another change order.",
            code="CONTENT_SEALED", record=(order.record_type, order.id),
        )  # fmt: skip


def _refuse_misfit(order: ChangeOrder, before: PartRevision, to: PartRevision | None, action: ItemAction) -> None:
    if any(one.part_revision_from_id == before.id for one in order.affected):
        raise Conflict(
            f"Expected {before.number} once on {order.number}, but it is there already", code="CHANGE_OVERLAPS",
            record=(order.record_type, order.id),
        )  # fmt: skip
    follows = action in (ItemAction.REVISE, ItemAction.SUPERSEDE)
    if follows != (to is not None):
        raise Invalid(
            f"Expected {'a revision that follows' if follows else 'no revision that follows'} with {action}, but there is "
            f"{'none' if to is None else to.number}",
            {"part_revision_to": "does not fit the action"},
        )
    if to is not None and action is ItemAction.REVISE and to.part_id != before.part_id:
        raise Invalid(
            f"Expected another revision of {before.part.part_no}, but found {to.number}; SUPERSEDE names another part",
            {"part_revision_to": "is of another part"},
        )
    if to is not None and to.status not in (RevisionStatus.DRAFT, RevisionStatus.IN_REVIEW):
        raise Invalid(
            f"Expected a revision that is not released yet, but {to.number} is {to.status}",
            {"part_revision_to": f"is {to.status}"},
        )


def _refuse_unready(
    act: Act,
    change_class: OrderClass,
    title: str,
    reason: str,
    expires_at: dt.datetime | None,
    requests: Sequence[ChangeRequest],
) -> None:
    missing = {name: "is required" for name, value in (("title", title), ("reason", reason)) if not str(value).strip()}
    if change_class is OrderClass.CE and expires_at is None:
        missing["expires_at"] = "Expected when the emergency ends, but there is nothing"
    elif expires_at is not None and expires_at <= act.now:
        missing["expires_at"] = "Expected an end in the future, but it is past"
    if missing:
        raise Invalid("Expected everything that a change order needs, but something is missing", missing)
    for request in requests:
        if request.status is not RequestStatus.ACCEPTED:
            raise Conflict(
                f"Expected {request.number} to be accepted, but it is {request.status}: triage it first",
                code="ILLEGAL_TRANSITION", record=(request.record_type, request.id),
            )  # fmt: skip


__all__ = [
    "add_edit", "add_item", "apply", "content_of", "is_covered", "items_of", "open_order", "open_order_on", "open_orders_on",
    "open_request", "seal", "send_to_review", "take_baseline", "withdraw", "write",
]  # fmt: skip
