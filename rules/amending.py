"""What may change on an order that its supplier has: each changed value with the class of change that it needs (domain.md 4c)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Date, Integer, inspect, select
from sqlalchemy.orm import Session, object_session

from engine.canonical import canonical, is_whole
from engine.database import Scaled, new_id
from engine.errors import Conflict, Invalid
from engine.record import Operation, Record
from records.columns import CodesType, shaped
from records.outside import LinkStatus, OutsideLink
from records.outside_stop import not_coming_processed
from records.part import Criticality, PartRevision
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.work_order import WorkOrder, WorkOrderOperation
from rules.amendment_words import said
from rules.change_item import ChangeClass
from rules.controlled import current_policy
from rules.policy import table_called
from rules.quality import is_special
from rules.supplier_gate import part_of, process_of

RULE = "UNCONTROLLED_CHANGE"
AMENDABLE = frozenset(
    {OrderStatus.TRANSMITTED, OrderStatus.COUNTER_OFFER, OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED,
     OrderStatus.RECEIVED}
)  # fmt: skip
"""Statuses in which an order changes by an amendment."""

HEADER = (
    "payment_term", "incoterm", "incoterm_place", "incoterm_edition", "ship_to", "bill_to", "terms_doc", "terms_rev",
    "advance_payment",
)  # fmt: skip
LINE = (
    "quantity", "unit_price", "need_by", "description", "quality_clauses", "certificates", "is_inspection_required", "ship_to",
    "cost_object", "tax_code", "match_level", "tolerance_profile",
)  # fmt: skip
"""Columns that an amendment may set, where their class allows it."""

IN_HAND = frozenset({ChangeClass.C0, ChangeClass.C1, ChangeClass.C2})
TECHNICAL = frozenset({ChangeClass.C3, ChangeClass.C4})
"""Classes that an amendment carries under a change order only."""
WITH_GOODS = frozenset({OrderStatus.PARTIALLY_RECEIVED, OrderStatus.RECEIVED})
ACKNOWLEDGED = WITH_GOODS | {OrderStatus.ACKNOWLEDGED}
ENDED = frozenset({LineStatus.CANCELLED, LineStatus.CLOSED})


@dataclass(frozen=True, slots=True)
class LineEdit:
    """What somebody wants of one line. values: column to Python value; is_cancelled: nothing more of it is delivered."""

    line_no: int
    values: Mapping[str, Any] = field(default_factory=dict)
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Edits:
    """What somebody wants of an order. added: the columns of each new line."""

    header: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[LineEdit] = ()
    added: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One value that would change. old, new: canonical texts; value: the new one as its column keeps it."""

    path: str
    record: Record | None
    table_name: str
    row_id: str
    column: str
    operation: Operation
    old: str | None
    new: str | None
    value: Any


@dataclass(frozen=True, slots=True)
class Classified:
    """One value with the class of change that it needs, the sentence of the table that says so, and who owns the field.

    cover: the number of the change order in force that says so, for a technical value; hint: what stands in the way of one.
    """

    asked: Asked
    change_class: ChangeClass
    why: str
    owner: str = ""
    cover: str = ""
    hint: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether an amendment may make it: by itself, or under the change order that covers it."""
        return self.change_class in IN_HAND or (bool(self.cover) and self.change_class in TECHNICAL)

    @property
    def refusal(self) -> str:
        """The sentence that refuses it, with the way out; empty when it is possible."""
        if self.is_possible:
            return ""
        name, new = f"{said(self.asked.path)} ({self.asked.path})", _named(self.asked, self.asked.new)
        if self.change_class is ChangeClass.REFUSED:
            return f"Expected {name} to stay as it was approved, but it was to become {new}. {self.why}"
        return (
            f"Expected {name} to stay as it was approved, but it was to become {new} instead of {_named(self.asked, self.asked.old)}: "
            f"that needs change class {self.change_class}. {self.why} An amendment makes changes of class C1 and C2 by itself. "
            f"{self.hint or f'For {self.change_class} raise a change order.'}"
        )


def asked_of(order: PurchaseOrder, edits: Edits) -> list[Asked]:
    """Return every value that edits would change, header first, then line by line; what stays the same is left out.

    Raises: Invalid with a sentence for every field that does not fit; Conflict when a line takes no change any more.
    """
    errors: dict[str, str] = {}
    found = list(_changed(order, edits.header, "", errors))
    known = {line.line_no: line for line in order.lines}
    for edit in edits.lines:
        line = known.get(edit.line_no)
        if line is None:
            errors[f"lines.{edit.line_no}.line_no"] = f"Expected a line of {order.number}, but found {edit.line_no}"
            continue
        found += _of_line(line, edit, errors)
    after = max(known, default=0)
    for number, values in enumerate(edits.added, start=after + 1):
        found += _added(order, number, values, errors)
    if errors:
        raise Invalid(f"Expected values that {order.number} can take, but some do not fit", errors)
    return found


def classify(session: Session, order: PurchaseOrder, asked: Iterable[Asked], *, is_within: bool) -> list[Classified]:
    """Return each value with its class, the deeper of what the controlled fields and the table of change classes say.

    is_within: the money stays inside the tolerance of the approval.
    """
    return [_classify(session, order, one, is_within=is_within) for one in asked]


def restoring(order: PurchaseOrder, classified: Sequence[Classified]) -> list[Classified]:
    """Return values that only go back to what was approved before, each with the class of the controlled fields alone."""
    policy = current_policy()
    return [
        replace(
            one,
            change_class=control.change_class
            if (control := policy.of(one.asked.table_name, one.asked.column, order.status.value)) is not None
            else ChangeClass.C2,
            why="Restores what was approved before.",
        )
        for one in classified
    ]


def refuse_impossible(order: PurchaseOrder, classified: Sequence[Classified]) -> None:
    """Refuse what no amendment may change. Raises: Conflict UNCONTROLLED_CHANGE naming path, class and way out."""
    refused = [one for one in classified if not one.is_possible]
    if refused:
        raise Conflict(
            " ".join(dict.fromkeys(one.refusal for one in refused)),
            code=RULE,
            record=(order.record_type, order.id),
            keep=True,
        )


def is_amended_here(order: PurchaseOrder) -> bool:
    """Whether an order was approved in Lockstep, so that it is amended here; others are amended where they were approved."""
    return order.approved_hash is not None


def refuse_status(order: PurchaseOrder) -> None:
    """Refuse an order that takes no amendment now. Raises: Conflict UNCONTROLLED_CHANGE."""
    if not is_amended_here(order):
        sentence = f"Expected an order that was approved in Lockstep, but {order.number} was approved elsewhere. Amend it there."
    elif order.status is OrderStatus.ON_HOLD:
        sentence = (
            f"Expected {order.number} not to be on hold, but it is: {order.hold_reason} Its owner lifts the hold first."
        )
    elif order.status not in AMENDABLE:
        ways = {
            OrderStatus.DRAFT: "Edit the draft.", OrderStatus.PENDING_APPROVAL: "Withdraw it first.",
            OrderStatus.APPROVED: "Withdraw it first.", OrderStatus.CLOSED: "A closed order is corrected by a debit note.",
            OrderStatus.CANCEL_PENDING: "Wait for the supplier's answer to the cancellation.",
        }  # fmt: skip
        sentence = f"Expected an order that its supplier has, but {order.number} is {order.status}. {ways.get(order.status, '')}"
    else:
        return
    raise Conflict(sentence.strip(), code=RULE, record=(order.record_type, order.id))


def deepest(classified: Iterable[Classified]) -> ChangeClass:
    """Return the deepest class; at least C1, since an amendment is never clerical."""
    order = list(ChangeClass)
    return max((one.change_class for one in classified), key=order.index, default=ChangeClass.C1)


def operation_of(session: Session, line: PurchaseOrderLine) -> WorkOrderOperation | None:
    """Return the work-order operation that a line is linked with, else the one it names, as ``WO-7001/30``, or None."""
    link = next(iter(links_of(session, line)), None)
    if link is not None:
        return link.operation
    number, _, op_no = (line.work_order_op or "").rpartition("/")
    if not number or not is_whole(op_no):
        return None
    return session.scalars(
        select(WorkOrderOperation)
        .join(WorkOrder)
        .where(WorkOrder.number == number, WorkOrderOperation.op_no == int(op_no))
    ).first()


def links_of(session: Session, line: PurchaseOrderLine) -> list[OutsideLink]:
    """Return the links of a line with operations that were not given up."""
    wanted = select(OutsideLink).where(OutsideLink.order_line_id == line.id, OutsideLink.status != LinkStatus.CANCELLED)
    return list(session.scalars(wanted.order_by(OutsideLink.number)))


def left_for_the_supplier(line: PurchaseOrderLine) -> Decimal:
    """Return how much of a line's work has left for its supplier and was not recalled, in the line's unit.

    What the board has recalled or scrapped counts no more, also while it is still away.
    """
    session = object_session(line)
    if session is None:
        return Decimal(0)
    left = sum(
        ((link.shipped - link.recalled) * link.conversion_factor for link in links_of(session, line)), Decimal(0)
    )
    return left - not_coming_processed(session, line) if left else left


def needed_on(session: Session, line: PurchaseOrderLine) -> dt.date | None:
    """Return the day on which a line's work order goes on without it: the next operation's start, else the operation's end."""
    operation = operation_of(session, line)
    if operation is None:
        return None
    later = [one for one in operation.work_order.operations if one.op_no > operation.op_no and one.planned_start]
    following = min(later, key=lambda one: one.op_no, default=None)
    return (
        (following.planned_start if following else None)
        or operation.planned_finish
        or operation.work_order.planned_finish
    )


def text_of(record_type: type[Record], column: str, value: Any) -> str | None:
    """Return the canonical text of a column's value."""
    kind = inspect(record_type).columns[column].type
    return canonical(value, scale=kind.scale if isinstance(kind, Scaled) else None)


def value_of(record_type: type[Record], column: str, text: str | None) -> Any:
    """Return the value that a canonical text stands for, as its column keeps it."""
    if text is None:
        return None
    kind = inspect(record_type).columns[column].type
    if isinstance(kind, Scaled):
        return Decimal(text)
    if isinstance(kind, CodesType):
        return tuple(json.loads(text))
    if isinstance(kind, Boolean):
        return text == "true"
    if isinstance(kind, Integer):
        return int(text)
    return dt.date.fromisoformat(text) if isinstance(kind, Date) else shaped(kind, text)


def _changed(record: Any, values: Mapping[str, Any], at: str, errors: dict[str, str]) -> Iterator[Asked]:
    kind = type(record)
    for column, value in values.items():
        if column not in inspect(kind).columns:
            errors[f"{at}{column}"] = "Expected a field of the order, but there is none of this name"
            continue
        try:
            new = shaped(inspect(kind).columns[column].type, value)
        except ValueError as error:
            errors[f"{at}{column}"] = str(error)
            continue
        old_text, new_text = text_of(kind, column, getattr(record, column)), text_of(kind, column, new)
        if (old_text or None) == (new_text or None):
            continue
        if new is None and not kind.__table__.columns[column].nullable:
            errors[f"{at}{column}"] = "Expected a value, but there is none"
            continue
        yield Asked(
            f"{at}{column}", record, kind.__tablename__, record.id, column, Operation.UPDATE, old_text, new_text, new
        )


def _of_line(line: PurchaseOrderLine, edit: LineEdit, errors: dict[str, str]) -> list[Asked]:
    at = f"lines.{line.line_no}."
    values = {} if edit.is_cancelled else edit.values
    if edit.is_cancelled:
        values = {"quantity": line.quantity_received} if line.quantity_received else {"status": LineStatus.CANCELLED}
        if not line.quantity_received and (away := left_for_the_supplier(line)):
            values = {"quantity": away}
    found = list(_changed(line, values, at, errors))
    if found and line.status in ENDED and "status" not in values:
        raise Conflict(
            f"Expected line {line.line_no} of {line.order.number} to be open, but it is {line.status}. Append a new line.",
            code=RULE, record=(line.order.record_type, line.order_id),
        )  # fmt: skip
    for one in found:
        if one.column == "quantity":
            least, why = max(
                (line.quantity_received, "received already"), (left_for_the_supplier(line), "shipped to the supplier")
            )
            if one.value < least:
                errors[one.path] = (
                    f"Expected at least {least.normalize():f} {line.uom}, which are {why}, but found {one.value.normalize():f}"
                )
    return found


def _added(order: PurchaseOrder, number: int, values: Mapping[str, Any], errors: dict[str, str]) -> list[Asked]:
    at, row_id = f"lines.{number}.", new_id()
    blank = PurchaseOrderLine(line_no=number)
    found = list(_changed(blank, values, at, errors))
    given = {one.column for one in found}
    errors |= {f"{at}{name}": "is missing" for name in ("quantity", "unit_price") if name not in given}
    if not given & {"part_revision_id", "service_code", "description"}:
        errors[f"{at}description"] = "Expected a part revision, a service or a text, but there is none"
    policy = current_policy().fields(PurchaseOrderLine.__tablename__)
    whole: dict[str, Any] = {"order_id": order.id, "line_no": number} | {one.column: one.value for one in found}
    for column in policy:
        present = getattr(blank, column)
        if column not in whole and present is not None:
            whole[column] = present
    return [
        Asked(
            f"{at}{column}", None, PurchaseOrderLine.__tablename__, row_id, column, Operation.INSERT, None,
            text_of(PurchaseOrderLine, column, value), value,
        )
        for column, value in whole.items()
        if value is not None
    ]  # fmt: skip


def _classify(session: Session, order: PurchaseOrder, asked: Asked, *, is_within: bool) -> Classified:
    if asked.operation is Operation.INSERT:
        return _classify_added(session, order, asked)
    if asked.column == "status" and asked.new != LineStatus.CANCELLED:
        return Classified(asked, ChangeClass.REFUSED, "A cancelled line stays cancelled. Append a new line.")
    if asked.column == "status":
        return Classified(
            asked, ChangeClass.C2, "Nothing more of this line is delivered: a major commercial change.", "role:BUYER"
        )
    control = current_policy().of(asked.table_name, asked.column, order.status.value)
    if control is None:
        return Classified(asked, ChangeClass.REFUSED, "This field is not changed by an amendment.")
    judged = table_called("change_class").judge(**_facts(session, order, asked, is_within=is_within)).row
    deeper = ChangeClass(judged.outputs["change_class"])
    words = list(ChangeClass)
    if words.index(deeper) > words.index(control.change_class):
        return Classified(asked, deeper, judged.words, control.owner)
    if control.change_class in IN_HAND and asked.column not in (*HEADER, *LINE):
        return Classified(
            asked, ChangeClass.REFUSED, "Cancel the line, or the order, and order it anew: an amendment does not carry this.",
            control.owner,
        )  # fmt: skip
    return Classified(asked, control.change_class, control.words, control.owner)


def _classify_added(session: Session, order: PurchaseOrder, asked: Asked) -> Classified:
    """A new line is a major commercial change; under another revision of a part on the order it is that part's change in disguise."""
    control = current_policy().of(asked.table_name, "order_id", order.status.value)
    if control is None or not control.change_class.sufficient:
        return Classified(asked, ChangeClass.REFUSED, "No line is added to this order any more.")
    if asked.column == "part_revision_id":
        wanted = session.get(PartRevision, asked.value)
        others = [line.part_revision for line in order.lines if line.part_revision is not None]
        clash = next((one for one in others if wanted and one.part_id == wanted.part_id and one.id != wanted.id), None)
        if clash is not None:
            return Classified(
                asked, ChangeClass.C4, f"The order is for {clash.number}: another revision of the part is a technical major change.",
                "role:ENG_AUTH",
            )  # fmt: skip
    return Classified(asked, control.change_class, control.words, control.owner)


def _facts(session: Session, order: PurchaseOrder, asked: Asked, *, is_within: bool) -> dict[str, Any]:
    line = asked.record if isinstance(asked.record, PurchaseOrderLine) else None
    lines = [line] if line is not None else order.lines
    moved, past_need = _moved(session, line, asked)
    return {
        "field": asked.column,
        "within_tolerance": is_within,
        "days": moved,
        "past_need": past_need,
        "removes": _removes(asked),
        "acknowledged": order.status in ACKNOWLEDGED,
        "received": line.quantity_received > 0
        if line is not None and asked.column == "unit_price"
        else order.status in WITH_GOODS,
        "special": any(_is_critical(session, one) for one in lines),
    }


def _moved(session: Session, line: PurchaseOrderLine | None, asked: Asked) -> tuple[int, bool]:
    if asked.column != "need_by" or line is None:
        return 0, False
    if asked.value is None or line.need_by is None:
        return 0, True
    need = needed_on(session, line)
    return abs((asked.value - line.need_by).days), need is not None and asked.value > need


def _removes(asked: Asked) -> bool:
    if asked.column == "is_inspection_required":
        return asked.value is False
    if asked.column in ("quality_clauses", "certificates") and asked.record is not None:
        return bool(set(getattr(asked.record, asked.column)) - set(asked.value))
    return False


def _is_critical(session: Session, line: PurchaseOrderLine) -> bool:
    part = part_of(line)
    return is_special(session, process_of(line)) or (part is not None and part.criticality is not Criticality.STD)


def _named(asked: Asked, text: str | None) -> str:
    """Return a value as people call it: a part revision by its number."""
    session = object_session(asked.record) if asked.record is not None else None
    revision = (
        session.get(PartRevision, text) if session is not None and asked.column == "part_revision_id" and text else None
    )
    return revision.number if revision is not None else _shown(text)


def _shown(text: str | None) -> str:
    if text is not None and text.startswith("["):
        return ", ".join(json.loads(text)) or "nothing"
    return "nothing" if text is None else text[:80] or "an empty text"
