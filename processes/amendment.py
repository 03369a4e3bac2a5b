"""Amend an order that its supplier has: propose with a stored redline, start, withdraw, cancel (domain.md 2.12, A40)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import canonical, content_hash
from engine.errors import Conflict, Effect, Finding, Forbidden, Invalid, RuleViolation
from engine.instances import Instance
from engine.instances import start as start_instance
from engine.messages import Reception, publish
from engine.record import Operation
from processes.acknowledgement import answer_key
from processes.amendment_plan import Weight, weigh, with_planner
from processes.amendment_projection import Overlay, projected
from processes.approval_plan import Seat, write_down
from processes.documents import order_variable, plain
from processes.facts import Asking
from records.amendment import (
    AmendmentChange,
    AmendmentClass,
    AmendmentKind,
    AmendmentReason,
    AmendmentStatus,
    PurchaseOrderAmendment,
    next_amend_no,
    open_amendment_of,
    refuse_second,
)
from records.money import convert
from records.purchase_order import (
    LineStatus,
    OrderStatus,
    PurchaseOrder,
    PurchaseOrderLine,
    SupplierAcknowledgement,
    approved_hash,
)
from records.roles import user_called
from rules.amending import (
    Asked,
    Classified,
    Edits,
    asked_of,
    classify,
    deepest,
    links_of,
    operation_of,
    refuse_impossible,
    refuse_status,
    restoring,
)
from rules.amendment_counterpart import proposals
from rules.amendment_words import title_of
from rules.blurred_roles import judge_text
from rules.change_item import ChangeClass, ChangeItem
from rules.quality import wanted_clauses
from rules.revisions import judge_revisions
from rules.supplier_gate import Point, judge
from rules.validation import stops

PROCESS = "amend_order"
PLAN_STALE = "AMENDMENT_STALE"
"""The order moved on while its amendment was being approved."""
CANCELLABLE = frozenset({OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED})


@dataclass(frozen=True, slots=True)
class Examination:
    """What an amendment would be: each value with its class, the order afterwards, who approves, what speaks against it.

    amounts: path, old and new amount of each line whose amount moves.
    """

    classified: Sequence[Classified]
    after: PurchaseOrder
    weight: Weight
    seats: Sequence[Seat]
    findings: Sequence[Finding]
    amounts: Sequence[tuple[str, str, Decimal | None, Decimal | None]]

    @property
    def change_class(self) -> ChangeClass:
        """The deepest class."""
        return deepest(self.classified)


def examine(asking: Asking, order: PurchaseOrder, edits: Edits) -> Examination:
    """Judge what edits would do to an order; nothing is written.

    Raises: Invalid when a value does not fit or nothing changes; Conflict when the order takes no amendment.
    """
    session = asking.session
    asked = asked_of(order, edits)
    if not asked:
        raise Invalid(
            f"Expected something to change on {order.number}, but everything is as it was", {"changes": "none"}
        )
    after = projected(session, order, asked)
    is_linked = _is_linked(session, order, asked)
    weight = weigh(asking, order, after, is_linked=is_linked)
    is_within = weight.plan.value != "FULL"
    classified = classify(session, order, asked, is_within=is_within)
    seats = with_planner(weight, deepest(classified), is_linked=is_linked)
    return Examination(classified, after, weight, seats, _findings(asking, order, after, asked), _amounts(order, after))


def propose(
    act: Act,
    order: PurchaseOrder,
    changes: Edits,
    *,
    reason: str,
    reason_code: AmendmentReason = AmendmentReason.CORRECTION,
    acknowledgement: SupplierAcknowledgement | None = None,
    reverts: PurchaseOrderAmendment | None = None,
) -> PurchaseOrderAmendment:
    """Write the draft of an amendment with its redline and its change items.

    acknowledgement: the counter-offer that it accepts. reverts: the refused one whose values it restores.
    Raises: Invalid; Conflict UNCONTROLLED_CHANGE naming path and class for what needs a change order or is refused, AMENDMENT_OPEN
    for a second one; RuleViolation for what the laws refuse.
    """
    _refuse_unready(act, order, reason, is_own=acknowledgement is not None or reverts is not None)
    found = examine(act, order, changes)
    if reverts is not None:
        # What was approved before may come back as it was, whatever the rules say of it today.
        found = replace(found, classified=restoring(order, found.classified), findings=())
    refuse_impossible(order, found.classified)
    if found.findings:
        raise RuleViolation(found.findings)
    kind = AmendmentKind.REVERSAL if reverts is not None else AmendmentKind.CHANGE
    amendment = _amendment(act, order, found, kind=kind, reason=reason, reason_code=reason_code)
    amendment.acknowledgement_id = acknowledgement.id if acknowledgement is not None else None
    amendment.reverts_id = reverts.id if reverts is not None else None
    return _store(act, order, amendment, _redline(found), found)


def cancel_order(act: Act, order: PurchaseOrder, *, reason: str) -> PurchaseOrderAmendment:
    """Write and start the amendment that cancels what is still to come of an order.

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
    amendment = _amendment(
        act, order, found, kind=AmendmentKind.CANCELLATION, reason=reason, reason_code=AmendmentReason.CANCELLATION
    )
    amendment.change_class = AmendmentClass.C2
    row = _row(
        order.id, "status", order.status.value, OrderStatus.CANCELLED.value, delta=-left,
        why="What is still to come is not delivered any more.",
    )  # fmt: skip
    _store(act, order, amendment, [row], found)
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


def _amendment(
    act: Act,
    order: PurchaseOrder,
    found: Examination,
    *,
    kind: AmendmentKind,
    reason: str,
    reason_code: AmendmentReason,
) -> PurchaseOrderAmendment:
    number, weight = next_amend_no(act.session, order), found.weight
    hash_after = approved_hash(found.after)
    return PurchaseOrderAmendment(
        number=f"{order.number}/A{number}", order=order, order_id=order.id, amend_no=number, revision=order.revision + 1, kind=kind,
        change_class=AmendmentClass(found.change_class.value), reason_code=reason_code, reason=reason.strip()[:4000],
        hash_before=order.approved_hash, hash_after=hash_after, currency=order.currency, total_before=weight.total_before,
        total_after=weight.total_after, money_delta=weight.total_after - weight.total_before, increase=weight.increase,
        increase_percent=weight.percent, plan=weight.plan, plan_row=weight.judgement.row.number, plan_words=weight.words,
        judged_by=weight.judgement.hash, impact="\n".join(_impact(act, order, found)), opened_by=act.user_id or act.actor,
    )  # fmt: skip


def _store(
    act: Act,
    order: PurchaseOrder,
    amendment: PurchaseOrderAmendment,
    redline: Sequence[AmendmentChange],
    found: Examination,
) -> PurchaseOrderAmendment:
    """Write the amendment, its redline and its items; of two that do so at once the second is refused."""
    for position, change in enumerate(redline, start=1):
        change.position, change.amendment_id = position, amendment.id
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
    for change in redline:
        change.amendment = amendment
        act.session.add(change)
    act.session.add_all(_items(amendment, order, found.classified))
    write_down(act, (amendment.record_type, amendment.id, amendment.content_hash), found.seats)
    act.session.flush()
    return amendment


def _redline(found: Examination) -> list[AmendmentChange]:
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
        rows.append(_row(row_id, path, canonical(old, scale=4), canonical(new, scale=4), delta=delta))
    return rows


def _row(row_id: str, path: str, old: str | None, new: str | None, *, delta: Decimal, why: str = "") -> AmendmentChange:
    """Return a row of what follows from the others: no column of its own, so no item."""
    table = PurchaseOrderLine.__tablename__ if path.startswith("lines.") else PurchaseOrder.__tablename__
    return AmendmentChange(
        path=path, table_name=table, row_id=row_id, column_name="", operation=Operation.UPDATE, old_text=old, new_text=new,
        change_class=AmendmentClass.C1 if not why else AmendmentClass.C2, why=why, money_delta=delta,
    )  # fmt: skip


def _signed_hash(amendment: PurchaseOrderAmendment, redline: Sequence[AmendmentChange]) -> str:
    """Return the hash of all that the approvers sign: the order before and after, every change with its class, and why."""
    return content_hash(
        {
            "number": amendment.number, "order": amendment.order_id, "revision": amendment.revision, "kind": amendment.kind.value,
            "class": amendment.change_class.value, "plan": amendment.plan.value, "reason": [amendment.reason_code.value, amendment.reason],
            "before": amendment.hash_before, "after": amendment.hash_after, "money_delta": canonical(amendment.money_delta, scale=4),
            "changes": [
                [
                    one.path, one.table_name, one.row_id, one.operation.value, one.column_name, one.old_text, one.new_text,
                    one.change_class.value,
                ]
                for one in redline
            ],
        }
    )  # fmt: skip


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


def _amounts(order: PurchaseOrder, after: PurchaseOrder) -> list[tuple[str, str, Decimal | None, Decimal | None]]:
    before = {line.line_no: line for line in order.lines}
    found = []
    for line in after.lines:
        old = before.get(line.line_no)
        was = old.amount if old is not None and old.status is not LineStatus.CANCELLED else None
        now = line.amount if line.status is not LineStatus.CANCELLED else None
        if was != now:
            found.append((f"lines.{line.line_no}.amount", line.id, was, now))
    return found


def _findings(asking: Asking, order: PurchaseOrder, after: PurchaseOrder, asked: Sequence[Asked]) -> list[Finding]:
    """Return what the laws say against the lines that an amendment adds or enlarges, and against new texts."""
    session, today = asking.session, order.site.local_day(asking.now)
    texts = {one.row_id for one in asked if one.column == "description"}
    grown = {
        one.row_id
        for one in asked
        if one.operation is Operation.INSERT
        or (isinstance(one.record, PurchaseOrderLine) and one.column == "quantity" and one.value > one.record.quantity)
    }
    added = {one.row_id for one in asked if one.operation is Operation.INSERT}
    found: list[Finding] = []
    for line in after.lines:
        if line.id in grown:
            gate = judge(session, order.supplier, [line], point=Point.ISSUE, on=today, site=order.supplier_site)
            found += [*judge_revisions([line], on=today), *gate.findings]
        if line.id in added:
            found += _lacking(session, order, line)
        if line.id in texts:
            before = {kept.rule for kept in _judged_text(session, order, line.line_no)}
            found += [finding for finding in judge_text(session, line) if finding.rule not in before]
    return stops(found)


def _judged_text(session: Session, order: PurchaseOrder, line_no: int) -> list[Finding]:
    old = next((line for line in order.lines if line.line_no == line_no), None)
    return judge_text(session, old) if old is not None else []


def _lacking(session: Session, order: PurchaseOrder, line: PurchaseOrderLine) -> list[Finding]:
    present = {clause.partition("@")[0] for clause in line.quality_clauses}
    wanted = [one for one in wanted_clauses(session, line, supplier=order.supplier) if one.is_mandatory and one.code]
    return [
        Finding(
            "Q-CLAUSE", Effect.BLOCK,
            f"Expected quality clause {one.code} on line {line.line_no} of {order.number}, but it is not there.",
            order.record_type, order.id, field=f"lines.{line.line_no}.quality_clauses", owner="role:BUYER", way_out="Add the clause.",
        )
        for one in wanted
        if one.code not in present
    ]  # fmt: skip


def _is_linked(session: Session, order: PurchaseOrder, asked: Sequence[Asked]) -> bool:
    touched = {one.row_id for one in asked if one.table_name == PurchaseOrderLine.__tablename__}
    whole = any(one.record is order for one in asked)
    return any(operation_of(session, line) is not None for line in order.lines if whole or line.id in touched)


def _impact(act: Act, order: PurchaseOrder, found: Examination) -> list[str]:
    """Return what the amendment touches beside the order, one sentence each."""
    touched = {one.asked.row_id for one in found.classified}
    lines = [line for line in order.lines if line.id in touched] or list(order.lines)
    said = [
        f"Line {line.line_no}: {plain(line.quantity_received)} of {plain(line.quantity)} {line.uom} are received."
        for line in lines
        if line.quantity_received
    ]
    linked = [(line, operation) for line in lines if (operation := operation_of(act.session, line)) is not None]
    said += [
        f"Line {line.line_no} is for {operation.number}, {operation.description}: {operation.status.value}."
        for line, operation in linked
    ]
    said += [
        f"{link.number}: {plain(link.shipped)} {link.uom} were shipped, {plain(link.at_supplier)} are at the supplier."
        for line in lines
        for link in links_of(act.session, line)
        if link.shipped
    ]
    said += proposals(act.session, order, [one.asked for one in found.classified], is_cancelled=not found.classified)
    rate = order.fx_rate or Decimal(1)
    delta = convert(found.weight.total_after - found.weight.total_before, rate, currency=order.site.currency)
    if delta:
        said.append(f"Budget: {'+' if delta > 0 else ''}{plain(delta)} {order.site.currency}.")
    return said


def _remainder(line: PurchaseOrderLine) -> Decimal:
    if line.status is LineStatus.CANCELLED or not line.quantity:
        return Decimal(0)
    return (line.amount * line.open_quantity / line.quantity).quantize(Decimal("0.01"))


def _without_remainder(order: PurchaseOrder, left: Decimal) -> PurchaseOrder:
    return cast("PurchaseOrder", Overlay(order, {"total": order.total - left}))


__all__ = [
    "Edits", "amendment_variable", "cancel_order", "examine", "open_amendment_of", "propose", "start", "title_of", "withdraw",
]  # fmt: skip
