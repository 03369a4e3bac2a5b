"""A change in few words: the digests of its request and of its order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from processes import impact
from records.change_order import AddendumKind, ChangeOrder, ChangeOrderAddendum, FaiDecision
from records.change_request import ChangeRequest
from records.impact import AffectedOrder, newest_snapshot, rows_of
from records.person import User
from rules import redlines
from rules.change_control import items_of
from webapp import visit
from webapp.formats import day, money, plural, quantity, words

CLASS_WORDS = {"C3": "C3, technical minor", "C4": "C4, technical major", "CE": "CE, emergency"}
FIRST_ARTICLE_WORDS = {
    FaiDecision.NONE: "no first article", FaiDecision.DELTA: "first article of what changes", FaiDecision.FULL: "full first article",
}  # fmt: skip
ADDENDUM_WORDS = {
    AddendumKind.EFFECTIVITY: (
        "Another day", "It counts from the new day and goes on.", "it stays overdue and somebody proposes another day."
    ),
    AddendumKind.WITHDRAWAL: (
        "The way back", "The values go back and the change is withdrawn.", "it is asked again: what was done stays."
    ),
    AddendumKind.DELTA: ("Done otherwise", "This is what is done instead.", "its owner decides anew."),
}  # fmt: skip
"""What an addendum is called, what its last signature does, and what a refusal does."""
MOST_VALUES = 4
MOST_REVISIONS = 2
NO_COST = "Nothing is scrapped, reworked or charged."
FIRST_ARTICLES = {FaiDecision.NONE: "none", FaiDecision.DELTA: "of what changes", FaiDecision.FULL: "full"}


def digest_of(session: Session, order: ChangeOrder) -> list[tuple[str, str]]:
    """Return a change order in five lines: what, why, cost, risk, impact."""
    how, cost = visit.visitor().how, impact.cost_of(session, order)["TOTAL"]
    return [
        ("What", _what(session, order)),
        ("Why", order.reason),
        ("Cost", f"{money(cost, order.site.currency, how)} of scrap, rework and charges." if cost else NO_COST),
        ("Risk", _risk(order)),
        ("Impact", _impact(rows_shown(session, order), how)),
    ]


def addendum_digest(session: Session, addendum: ChangeOrderAddendum) -> list[tuple[str, str]]:
    """Return an addendum in few lines: what, why, whose, and what its signatures do."""
    name, signed, refused = ADDENDUM_WORDS[addendum.kind]
    values = [one.sentence for one in redlines.redline_of(session, addendum).differences]
    more = f" And {plural(len(values) - MOST_VALUES, 'more value')}." if len(values) > MOST_VALUES else ""
    order = addendum.change_order
    return [
        (
            "What",
            f"{name}. {' '.join(values[:MOST_VALUES])}{more}" if values else f"{name}, by people: no value is set.",
        ),
        ("Why", addendum.reason),
        ("Part of", f"{order.number}: {order.title}. Class {CLASS_WORDS[order.change_class.value]}."),
        ("Then", f"Signed by everybody: {signed[:1].lower()}{signed[1:]} Refused: {refused}"),
    ]


def request_digest(request: ChangeRequest) -> list[tuple[str, str]]:
    """Return a change request in few lines."""
    asked = [
        f"{edit.about} {edit.column_name.removesuffix('_id').replace('_', ' ')}: {edit.new_text or 'nothing'}"
        for edit in request.edits
    ]
    source = words(request.source) + (f", {request.source_ref}" if request.source_ref else "")
    lines = [("Problem", request.problem), ("Proposal", request.proposal or "Nothing was proposed."), ("From", source)]
    return [*lines, ("Values", "; ".join(asked))] if asked else lines


def name_of(session: Session, principal: str) -> str:
    """Return the printed name of a person; a role, or whoever is unknown, by its words."""
    kind, _, name = principal.rpartition(":")
    if kind == "system":
        return "Lockstep"
    person = session.get(User, name) if kind in ("", "user") else None
    return person.name if person is not None else words(name)


def rows_shown(session: Session, order: ChangeOrder) -> Sequence[AffectedOrder]:
    """Return the rows of the newest set that the change touches; none before it was asked for."""
    snapshot = newest_snapshot(session, order)
    return rows_of(session, snapshot) if snapshot is not None else ()


def revisions_of(order: ChangeOrder) -> str:
    """Return from which revision to which its parts go, the first of them in full."""
    said = [
        f"{item.part_revision_from.number} → {item.part_revision_to.number}"
        for item in order.affected
        if item.part_revision_to is not None
    ]
    more = f" and {len(said) - MOST_REVISIONS} more" if len(said) > MOST_REVISIONS else ""
    return ", ".join(said[:MOST_REVISIONS]) + more


def from_words(order: ChangeOrder) -> str:
    """Say from when a change counts."""
    if order.effective_on is not None:
        return f"from {day(order.effective_on, visit.visitor().how)}"
    if order.effectivity_kind is None:
        return "from a day that is still open"
    return f"from {words(order.effectivity_kind).lower()} {order.effectivity_value}".strip()


def _what(session: Session, order: ChangeOrder) -> str:
    said = [
        f"{item.part_revision_from.number} is followed by {item.part_revision_to.number}"
        if item.part_revision_to is not None
        else f"{item.part_revision_from.number}: {words(item.action).lower()}"
        for item in order.affected[:3]
    ]
    said += [plural(len(order.affected) - 3, "more revision")] if len(order.affected) > 3 else []
    said += [f"{plural(count, 'value')} set"] if (count := len(items_of(session, order))) else []
    if not said:
        return "Nothing is named yet: its revisions and values are still to be written."
    return f"{'; '.join(said)}, {from_words(order)}."


def _risk(order: ChangeOrder) -> str:
    said = [f"Class {CLASS_WORDS[order.change_class.value]}"]
    said += [FIRST_ARTICLE_WORDS[order.fai] if order.fai is not None else "first article not decided"]
    said += ["the customer approves it"] if order.is_customer_approval_required else []
    said += ["a process is validated again"] if order.is_revalidation_required else []
    said += ["people are trained"] if order.is_training_required else []
    return "; ".join(said) + "."


def _impact(rows: Sequence[AffectedOrder], how: Any) -> str:
    if not rows:
        return "Not asked for yet, or it touches nothing."
    totals: dict[str, Decimal] = {}
    for row in rows:
        if row.is_counted:
            totals[row.uom] = totals.get(row.uom, Decimal(0)) + row.quantity
    pieces = ", ".join(quantity(total, uom, how) for uom, total in sorted(totals.items()))
    decided = sum(row.is_disposed for row in rows)
    return f"{plural(len(rows), 'row')}, {pieces}; {decided} of {len(rows)} decided."
