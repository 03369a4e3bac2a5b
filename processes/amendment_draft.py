"""Write an amendment down: its content and hash, the redline, and the change items that carry it through the guard."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import IntegrityError

from engine.act import Act
from engine.canonical import canonical, content_hash
from engine.errors import Conflict
from engine.record import Operation
from processes.amendment_examination import Examination, impact_of
from processes.amendment_standing import still_needed, what_changed
from processes.approval_plan import Seat, write_down
from records.amendment import (
    AmendmentChange,
    AmendmentClass,
    AmendmentKind,
    AmendmentReason,
    PurchaseOrderAmendment,
    next_amend_no,
)
from records.change_order import ChangeOrder
from records.purchase_order import PurchaseOrder, PurchaseOrderLine, approved_hash
from rules.amending import Classified
from rules.change_item import ChangeClass, ChangeItem


def draft_of(
    act: Act,
    order: PurchaseOrder,
    found: Examination,
    *,
    kind: AmendmentKind,
    reason: str,
    reason_code: AmendmentReason,
) -> PurchaseOrderAmendment:
    """Return the next amendment of an order, not yet stored."""
    number = next_amend_no(act.session, order)
    return PurchaseOrderAmendment(
        number=f"{order.number}/A{number}", order=order, order_id=order.id, amend_no=number, kind=kind, currency=order.currency,
        opened_by=act.user_id or act.actor, **_content(act, order, found, reason=reason, reason_code=reason_code),
    )  # fmt: skip


def store(
    act: Act, amendment: PurchaseOrderAmendment, redline: Sequence[AmendmentChange], found: Examination
) -> PurchaseOrderAmendment:
    """Write a new amendment, its redline and its items; of two that do so at once the second is refused."""
    order = amendment.order
    amendment.content_hash = _signed_hash(amendment, redline)
    try:
        with act.attempt():
            act.session.add(amendment)
            act.session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"Expected no open amendment of {order.number}, but somebody else opened one just now. Reload and look at it.",
            code="AMENDMENT_OPEN", record=(order.record_type, order.id),
        ) from error  # fmt: skip
    return _store_rows(act, amendment, redline, found, seats=found.seats)


def store_again(
    act: Act, amendment: PurchaseOrderAmendment, found: Examination, *, reason: str, reason_code: AmendmentReason
) -> PurchaseOrderAmendment:
    """Write the corrected content of an amendment that was sent back, in place of what it was; the chain keeps that.

    What was signed before was signed on another hash. Of the seats for which nothing material changed the approvals stand all the
    same; the others are asked again, and who sent it back always. The same content again is left as it is.
    """
    redline, order = redline_of(found), amendment.order
    changed = what_changed(amendment.changes, redline, (amendment.reason, reason))
    is_same_cause = amendment.reason_code is reason_code and amendment.change_order_id == _id(found.change_order)
    signed_before = amendment.content_hash
    with act.session.no_autoflush:
        for name, value in _content(act, order, found, reason=reason, reason_code=reason_code).items():
            setattr(amendment, name, value)
        digest, amendment.ended_reason = _signed_hash(amendment, redline), None
    if digest == amendment.content_hash:
        act.session.flush()
        return amendment
    amendment.content_hash = digest
    for change in list(amendment.changes):
        act.session.delete(change)
    act.session.flush()
    act.session.expire(amendment, ["changes"])
    seats = found.seats
    if is_same_cause:
        seats = still_needed(act, amendment, seats, signed_before=signed_before, changed=changed)
    return _store_rows(act, amendment, redline, found, seats=seats)


def _store_rows(
    act: Act,
    amendment: PurchaseOrderAmendment,
    redline: Sequence[AmendmentChange],
    found: Examination,
    *,
    seats: Sequence[Seat],
) -> PurchaseOrderAmendment:
    for position, change in enumerate(redline, start=1):
        change.position, change.amendment_id, change.amendment = position, amendment.id, amendment
        act.session.add(change)
    act.session.add_all(_items(amendment, amendment.order, found.classified))
    write_down(act, (amendment.record_type, amendment.id, amendment.content_hash), seats)
    act.session.flush()
    return amendment


def _content(
    act: Act, order: PurchaseOrder, found: Examination, *, reason: str, reason_code: AmendmentReason
) -> dict[str, Any]:
    """Return what an amendment says, column to value: all that may be corrected when it is sent back."""
    weight = found.weight
    return {
        "revision": order.revision + 1, "change_class": AmendmentClass(found.change_class.value), "reason_code": reason_code,
        "reason": reason.strip()[:4000], "hash_before": order.approved_hash, "hash_after": approved_hash(found.after),
        "total_before": weight.total_before, "total_after": weight.total_after,
        "money_delta": weight.total_after - weight.total_before, "increase": weight.increase,
        "increase_percent": weight.percent, "plan": weight.plan, "plan_row": weight.judgement.row.number,
        "plan_words": weight.words, "judged_by": weight.judgement.hash, "impact": "\n".join(impact_of(act, order, found)),
        "change_order_id": _id(found.change_order),
    }  # fmt: skip


def _id(change_order: ChangeOrder | None) -> str | None:
    return change_order.id if change_order is not None else None


def redline_of(found: Examination) -> list[AmendmentChange]:
    """Return the redline: every value that is set, then the amounts that follow."""
    amounts = {path: (row_id, old, new) for path, row_id, old, new in found.amounts}
    rows: list[AmendmentChange] = []
    for one in found.classified:
        asked = one.asked
        rows.append(
            AmendmentChange(
                path=asked.path, table_name=asked.table_name, row_id=asked.row_id, column_name=asked.column,
                operation=asked.operation, old_text=asked.old, new_text=asked.new,
                change_class=AmendmentClass(max(one.change_class.value, "C1")), why=one.why,
            )
        )  # fmt: skip
    for path, (row_id, old, new) in amounts.items():
        delta = (new or Decimal(0)) - (old or Decimal(0))
        rows.append(row_of(row_id, path, canonical(old, scale=4), canonical(new, scale=4), delta=delta))
    return rows


def row_of(
    row_id: str, path: str, old: str | None, new: str | None, *, delta: Decimal, why: str = ""
) -> AmendmentChange:
    """Return a row of what follows from the others: no column of its own, so no item."""
    table = PurchaseOrderLine.__tablename__ if path.startswith("lines.") else PurchaseOrder.__tablename__
    return AmendmentChange(
        path=path, table_name=table, row_id=row_id, column_name="", operation=Operation.UPDATE, old_text=old, new_text=new,
        change_class=AmendmentClass.C1 if not why else AmendmentClass.C2, why=why, money_delta=delta,
    )  # fmt: skip


def _signed_hash(amendment: PurchaseOrderAmendment, redline: Sequence[AmendmentChange]) -> str:
    return content_hash(amendment_content(amendment, redline))


def amendment_content(amendment: PurchaseOrderAmendment, redline: Sequence[AmendmentChange]) -> dict[str, Any]:
    """Return all that the approvers sign: the order before and after, every change with its class, and why."""
    return {
        "number": amendment.number, "order": amendment.order_id, "revision": amendment.revision, "kind": amendment.kind.value,
        "class": amendment.change_class.value, "plan": amendment.plan.value, "reason": [amendment.reason_code.value, amendment.reason],
        "before": amendment.hash_before, "after": amendment.hash_after, "change_order": amendment.change_order_id,
        "money_delta": canonical(amendment.money_delta, scale=4),
        "changes": [
            [
                one.path, one.table_name, one.row_id, one.operation.value, one.column_name, one.old_text, one.new_text,
                one.change_class.value,
            ]
            for one in redline
        ],
    }  # fmt: skip


def _items(
    amendment: PurchaseOrderAmendment, order: PurchaseOrder, classified: Sequence[Classified]
) -> list[ChangeItem]:
    deep = ChangeClass(amendment.change_class.value)
    rows = [
        (one.asked.table_name, one.asked.row_id, one.asked.operation, one.asked.column, one.asked.old, one.asked.new,
         max(one.change_class, ChangeClass.C1, key=list(ChangeClass).index))
        for one in classified
    ]  # fmt: skip
    mine = (order.record_type, order.id, Operation.UPDATE)
    rows.append((*mine, "revision", str(order.revision), str(amendment.revision), deep))
    if amendment.hash_after != amendment.hash_before:
        rows.append((*mine, "approved_hash", amendment.hash_before, amendment.hash_after, deep))
    return [
        ChangeItem(
            change_type=amendment.record_type, change_id=amendment.id, change_hash=amendment.content_hash, table_name=table,
            row_id=row_id, operation=operation, column_name=column, old_text=old, new_text=new, change_class=kind,
        )
        for table, row_id, operation, column, old, new, kind in rows
    ]  # fmt: skip
