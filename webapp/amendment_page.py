"""What pages show of an amendment: its stored redline, what each change needs, who approves, and why something is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import render_template
from sqlalchemy.orm import Session

from engine.errors import Finding, Invalid, Refused
from processes.amendment import Examination, examine
from records.amendment import AmendmentChange, AmendmentKind, AmendmentReason, PurchaseOrderAmendment, refuse_second
from records.part import PartRevision
from records.purchase_order import IncotermCode, PurchaseOrder, approved_hash
from rules.amending import Asked, Edits, refuse_status
from rules.amendment_words import Measure, field_of, label_of, place_of, shown, shown_change
from webapp import amendment_form, filters, formats, visit
from webapp.redline import Difference, Kind, compare

REASONS = [
    (one.value, formats.words(one))
    for one in (AmendmentReason.DEMAND, AmendmentReason.PRICE, AmendmentReason.SCHEDULE, AmendmentReason.TERMS,
                AmendmentReason.CORRECTION)
]  # fmt: skip


OF_ITSELF = frozenset({"order_id", "line_no", "uom", "is_inspection_required", "amount", "match_level", "tolerance_profile",
                       "conversion_factor", "tax_code", "status"})  # fmt: skip
"""What a new line brings along without anybody having said so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One change as the preview says it. refusal: why no amendment can make it, or empty."""

    difference: Difference
    change_class: str
    why: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Approver:
    """One signature to come. people: who may give it."""

    role: str
    people: str
    why: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What an amendment would do. trouble: why it cannot be said yet; findings: what the laws refuse."""

    changes: Sequence[Wanted] = ()
    approvers: Sequence[Approver] = ()
    findings: Sequence[Finding] = ()
    words: str = ""
    row: int = 0
    examination: Examination | None = None
    trouble: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether it can be sent as it is."""
        return (
            self.examination is not None
            and not self.trouble
            and not self.findings
            and not any(one.refusal for one in self.changes)
        )


class _Looking:
    """Who only looks: the session of a page and the present instant."""

    def __init__(self, session: Session) -> None:
        self.session, self.now = session, visit.now()


def preview(session: Session, order: PurchaseOrder, edits: Edits) -> Preview:
    """Return what these edits would be; nothing is written. Raises: Invalid when something does not fit."""
    try:
        refuse_second(session, order)
        refuse_status(order)
        found = examine(_Looking(session), order, edits)
    except Invalid:
        raise
    except Refused as refusal:
        return Preview(trouble=refusal.message)
    changes = [
        Wanted(
            _difference(session, one.asked.path, one.asked.old, one.asked.new, _measure(order, one.asked, found)),
            one.change_class.value,
            one.why,
            one.refusal,
        )
        for one in found.classified
        if not one.asked.path.endswith((".order_id", ".line_no"))
    ]
    changes += [
        Wanted(_difference(session, path, _text(old), _text(new), Measure(currency=order.currency)), "", "", "")
        for path, _, old, new in found.amounts
    ]
    approvers = [
        Approver(filters.principal_words(f"role:{seat.role}"), _people(session, seat.role, order), "; ".join(seat.why))
        for seat in found.seats
    ]
    weight = found.weight
    return Preview(changes, approvers, found.findings, weight.words, weight.judgement.row.number, found)


def show_form(
    order: PurchaseOrder,
    form: Mapping[str, str],
    refusal: Refused | None = None,
    *,
    preview: Preview | None = None,
    why_not: str = "",
) -> str:
    """Show the form with what was typed; nothing of it is lost, whatever is refused."""
    return render_template(
        "documents/amendment_form.html", document=order, form=form, refusal=refusal, preview=preview,
        present=amendment_form.typed_of(order), errors=refusal.fields if isinstance(refusal, Invalid) else {},
        seen_hash=form.get("seen_hash") or order.approved_hash or approved_hash(order), reasons=REASONS, new=amendment_form.NEW,
        incoterms=[(code.value, code.value) for code in IncotermCode], why_not=why_not,
    )  # fmt: skip


def differences(amendment: PurchaseOrderAmendment) -> list[Difference]:
    """Return the stored redline as the pages draw it; a new line is one difference, followed by its amount."""
    found: list[Difference] = []
    added: dict[str, list[AmendmentChange]] = {}
    for change in amendment.changes:
        if change.operation == "INSERT":
            if change.row_id not in added:
                added[change.row_id] = []
                found.append(Difference(Kind.ADDED, place_of(change.path), "the line", None, change.row_id))
            added[change.row_id].append(change)
            continue
        name = label_of(change.path)
        found.append(
            compare(place_of(change.path), name, _shown(change, change.old_text), _shown(change, change.new_text))
        )
    return [
        Difference(one.kind, one.place, one.name, None, _whole(added[one.new])) if one.new in added else one
        for one in found
    ]


def title(amendment: PurchaseOrderAmendment) -> str:
    """Return the kind and number in words."""
    kinds = {
        AmendmentKind.CHANGE: "Change",
        AmendmentKind.CANCELLATION: "Cancellation",
        AmendmentKind.REVERSAL: "Reverting change",
    }
    return f"{kinds[amendment.kind]} of {amendment.order.number}"


def _whole(changes: Sequence[AmendmentChange]) -> str:
    said = [
        f"{label_of(one.path)} {text}"
        for one in changes
        if field_of(one.path) not in OF_ITSELF and (text := _shown(one, one.new_text))
    ]
    return ", ".join(said)


def _shown(change: AmendmentChange, text: str | None) -> str | None:
    if change.path == "status":
        return formats.words(text) if text else None
    return shown_change(change, text) or None


def _difference(session: Session, path: str, old: str | None, new: str | None, measure: Measure) -> Difference:
    numbers = {
        text: found.number
        for text in (old, new)
        if field_of(path) == "part_revision_id" and text and (found := session.get(PartRevision, text)) is not None
    }
    texts = [shown(path, text, measure, part_revision=numbers.get(text or "", "")) or None for text in (old, new)]
    return compare(place_of(path), label_of(path), *texts)


def _measure(order: PurchaseOrder, asked: Asked, found: Examination) -> Measure:
    """Return the unit of a line, or the one that a new line is to have, and the order's currency."""
    uom = next((line.uom for line in found.after.lines if line.id == asked.row_id), "")
    return Measure(uom, order.currency)


def _text(amount: object) -> str | None:
    return None if amount is None else f"{amount:.4f}"


def _people(session: Session, role: str, order: PurchaseOrder) -> str:
    directory = visit.installation().directory
    found = directory.holders(session, f"role:{role}", at=visit.now()) if directory else ()
    barred = order.buyer_id if role != "BUYER" else None
    names = [person.name for person in found if person.id != barred]
    return " or ".join(names[:3]) or "nobody yet"
