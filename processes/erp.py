"""The port to the system that owns purchase orders: create, amend, read back, cancel. Adapters: by hand, by files, own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from engine.canonical import content_hash
from engine.errors import Conflict
from records.money import line_amount, total
from records.purchase_order import PurchaseOrder, approved_content

CHECK_CODE = 12
"""Characters of the approved hash that are printed on a sheet and keyed back."""


class ErpUnavailable(Exception):
    """The system did not answer, or has not answered yet: the same call may be tried again."""


class ErpByHand(Exception):
    """Nobody but a person can do this: the order has to be keyed."""


class ErpRefused(Exception):
    """The system understood and refuses; the message says why."""


@dataclass(frozen=True, slots=True)
class OrderDocument:
    """An approved order as it leaves the house. content: what the approval is bound to; hash: over it.

    proposal_no: ours, the key under which a repeat is recognised.
    """

    proposal_no: str
    site: str
    revision: int
    content: Mapping[str, Any]
    hash: str

    @property
    def check_code(self) -> str:
        """The short form of the hash that a person keys."""
        return self.hash[:CHECK_CODE]


@dataclass(frozen=True, slots=True)
class ErpOrder:
    """What the system shows: its number, and the part of the content that it keeps, in canonical texts.

    header: field to text. lines: line number to field to text. A field that is not there is not compared.
    """

    number: str
    header: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[int, Mapping[str, Any]] | None = None


class Erp(Protocol):
    """A system of record for orders. Every call may be repeated: the proposal number and the revision tell a repeat.

    Raises: ErpUnavailable, ErpByHand, ErpRefused.
    """

    system: str

    def create_order(self, order: OrderDocument) -> str:
        """Create the order once and return the system's number."""

    def amend_order(self, order: OrderDocument, *, number: str) -> None:
        """Make the order what this revision of it says, once."""

    def read_order(self, order: OrderDocument, *, number: str, keyed: Mapping[str, Any]) -> ErpOrder:
        """Read this revision of the order back. keyed: what a person said the system shows, empty when nobody keyed it."""

    def cancel_order(self, order: OrderDocument, *, number: str, reason: str) -> None:
        """Cancel the order in the system."""


def document_of(order: PurchaseOrder) -> OrderDocument:
    """Return an approved order as a document; one that an ERP approved elsewhere as it is known here.

    Raises: Conflict when its content is not what was approved.
    """
    content = approved_content(order)
    digest = content_hash(content)
    if digest != order.approved_hash and not order.is_approved_elsewhere:
        raise Conflict(
            f"Expected {order.number} to be as approved, but it differs", code="UNCONTROLLED_CHANGE",
            record=(order.record_type, order.id),
        )  # fmt: skip
    return OrderDocument(order.proposal_no, order.site.code, order.revision, content, digest)


def differences(order: OrderDocument, shown: ErpOrder) -> list[dict[str, Any]]:
    """Return where the system differs from what was approved: field, ours, theirs."""
    header = {**order.content, **proofs_of(order)}
    found = [
        {"field": name, "ours": text_of(header.get(name)), "theirs": text_of(theirs)}
        for name, theirs in shown.header.items()
        if text_of(header.get(name)) != text_of(theirs)
    ]
    if shown.lines is None:
        return found
    ours = {line["line_no"]: line for line in order.content["lines"]}
    for number in [number for number, line in ours.items() if line.get("cancelled") and number not in shown.lines]:
        del ours[number]
    for number in sorted(ours.keys() | shown.lines.keys()):
        mine, theirs = ours.get(number), shown.lines.get(number)
        if mine is None or theirs is None:
            there = ("missing", "present") if mine is None else ("present", "missing")
            found.append({"field": f"lines.{number}", "ours": there[0], "theirs": there[1]})
            continue
        found += [
            {"field": f"lines.{number}.{name}", "ours": text_of(mine.get(name)), "theirs": text_of(value)}
            for name, value in theirs.items()
            if text_of(mine.get(name)) != text_of(value)
        ]
    return found


def proofs_of(order: OrderDocument) -> dict[str, str]:
    """Return what a person can key back: the total, how many lines there are, and the check code."""
    currency = order.content["currency"]
    amounts = [
        line_amount(Decimal(line["quantity"]), Decimal(line["unit_price"]), currency=currency)
        for line in order.content["lines"]
        if not line.get("cancelled")
    ]
    return {
        "total": str(total(amounts).quantize(Decimal("0.0001"))),
        "line_count": str(len(amounts)),
        "check_code": order.check_code,
    }


def text_of(value: object) -> str:
    """Return a value as both sides print it; nothing and an empty text are the same."""
    return "" if value is None else str(value)
