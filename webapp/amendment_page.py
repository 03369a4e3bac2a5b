"""What pages show of an amendment: its stored redline, what each change needs, who approves, and why something is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template, url_for
from sqlalchemy.orm import Session

from engine.errors import Finding, Invalid, Refused
from engine.record import Operation
from processes.amendment_examination import Examination, examine
from records.amendment import AmendmentKind, AmendmentReason, PurchaseOrderAmendment, refuse_second
from records.purchase_order import IncotermCode, PurchaseOrder, approved_hash
from rules.amending import RULE, Edits, refuse_status
from rules.amendment_redline import HIDDEN, Change, differences_of, redline_of
from webapp import amendment_form, formats, visit, wording
from webapp.redline import Shown, View, show, view_of

REASONS = [
    (one.value, formats.words(one))
    for one in (AmendmentReason.DEMAND, AmendmentReason.PRICE, AmendmentReason.SCHEDULE, AmendmentReason.TERMS,
                AmendmentReason.CORRECTION)
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """One change as the preview says it. refusal: why no amendment can make it, or empty."""

    difference: Shown
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


def preview(
    session: Session, order: PurchaseOrder, edits: Edits, corrects: PurchaseOrderAmendment | None = None
) -> Preview:
    """Return what these edits would be; nothing is written. Raises: Invalid when something does not fit.

    corrects: the amendment that was sent back, of which they are the correction.
    """
    try:
        if corrects is None:
            refuse_second(session, order)
        refuse_status(order)
        found = examine(_Looking(session), order, edits)
    except Invalid:
        raise
    except Refused as refusal:
        return Preview(trouble=refusal.message)
    changes = [*_wanted(session, order, found)]
    approvers = [
        Approver(wording.principal_words(f"role:{seat.role}"), _people(session, seat.role, order), "; ".join(seat.why))
        for seat in found.seats
    ]
    weight = found.weight
    return Preview(changes, approvers, found.findings, weight.words, weight.judgement.row.number, found)


examined = preview
"""The same under a name that no argument hides."""


def show_form(
    order: PurchaseOrder,
    form: Mapping[str, str],
    refusal: Refused | None = None,
    *,
    preview: Preview | None = None,
    why_not: str = "",
    corrects: PurchaseOrderAmendment | None = None,
) -> str:
    """Show the form with what was typed; nothing of it is lost, whatever is refused. corrects: the one that was sent back."""
    if preview is None and refusal is not None and refusal.code == RULE:
        preview = _look_again(order, form)
    return render_template(
        "documents/amendment_form.html", carry=_carry(order, form, preview), document=order, form=form, refusal=refusal, preview=preview,
        present=amendment_form.typed_of(order), errors=refusal.fields if isinstance(refusal, Invalid) else {},
        seen_hash=form.get("seen_hash") or order.approved_hash or approved_hash(order), reasons=REASONS, new=amendment_form.NEW,
        incoterms=[(code.value, code.value) for code in IncotermCode], why_not=why_not, corrects=corrects,
    )  # fmt: skip


def _look_again(order: PurchaseOrder, form: Mapping[str, str]) -> Preview | None:
    """Return what was refused, value by value, so that it can be carried into a change request; None when it cannot be read."""
    session = visit.reading()
    try:
        return examined(session, order, amendment_form.edits_of(session, order, form, visit.visitor().how))
    except Refused:
        return None


def _carry(order: PurchaseOrder, form: Mapping[str, str], found: Preview | None) -> str:
    """Return the address of a change request with the edits that no amendment makes; empty when there are none."""
    if found is None or found.examination is None:
        return ""
    refused = [one.asked for one in found.examination.classified if not one.is_possible]
    lines = {line.id: f"{order.number}/{line.line_no}" for line in order.lines}
    given: dict[str, Any] = {"title": f"Change of {order.number}", "problem": form.get("reason", "")}
    for turn, asked in enumerate(refused, start=1):
        given |= {
            f"edit.{turn}.record": lines.get(asked.row_id, order.number), f"edit.{turn}.column": asked.column,
            f"edit.{turn}.new": _typed(asked.new),
        }  # fmt: skip
    return url_for("change_requests.new", **given) if refused else ""


def _typed(text: str | None) -> str:
    """Return a canonical text as one types it: codes with commas between them."""
    return ", ".join(json.loads(text)) if text and text.startswith("[") else text or ""


def stored(session: Session, amendment: PurchaseOrderAmendment, *, prefix: str = "difference") -> View:
    """Return the stored redline as the pages draw it. prefix: of its anchors, where a page shows several."""
    return view_of(redline_of(session, amendment), prefix=prefix)


def title(amendment: PurchaseOrderAmendment) -> str:
    """Return the kind and number in words."""
    kinds = {
        AmendmentKind.CHANGE: "Change",
        AmendmentKind.CANCELLATION: "Cancellation",
        AmendmentKind.REVERSAL: "Reverting change",
    }
    return f"{kinds[amendment.kind]} of {amendment.order.number}"


def _wanted(session: Session, order: PurchaseOrder, found: Examination) -> Iterator[Wanted]:
    """Yield what would change, value by value with its class, as the stored redline will say it, and the amounts that follow."""
    units = {line.id: line.uom for line in found.after.lines}
    for one in found.classified:
        if one.asked.column in HIDDEN:
            continue
        # Each value of a new line is classified on its own: as an update, it is told on its own too.
        change = Change(
            one.asked.path,
            one.asked.row_id,
            Operation.UPDATE,
            one.asked.old,
            one.asked.new,
            uom=units.get(one.asked.row_id, ""),
        )
        yield Wanted(_shown(session, order, change), one.change_class.value, one.why, one.refusal)
    for path, row_id, old, new in found.amounts:
        yield Wanted(_shown(session, order, Change(path, row_id, Operation.UPDATE, _text(old), _text(new))), "", "", "")


def _shown(session: Session, order: PurchaseOrder, change: Change) -> Shown:
    (difference,) = differences_of(session, [change], order.currency)
    return show(difference, visit.visitor().how)


def _text(amount: object) -> str | None:
    return None if amount is None else f"{amount:.4f}"


def _people(session: Session, role: str, order: PurchaseOrder) -> str:
    directory = visit.installation().directory
    found = directory.holders(session, f"role:{role}", at=visit.now()) if directory else ()
    barred = order.buyer_id if role != "BUYER" else None
    names = [person.name for person in found if person.id != barred]
    return " or ".join(names[:3]) or "nobody yet"
