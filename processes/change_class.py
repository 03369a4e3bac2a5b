"""Which class a change request needs, by what it asks for (domain.md 3C C02, 4c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from engine.errors import Refused
from records.change_request import ChangeRequest, ChangeRequestEdit, OrderClass
from rules.amending import value_of
from rules.change_control import class_needed
from rules.change_item import ChangeClass
from rules.guard import BY_TABLE

DEEP = (ChangeClass.C4, ChangeClass.REFUSED)
"""Classes of values that need an order of class C4. What 4c refuses is looked at by people: another way has to be found."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The class that follows, the sentence that says why, and a sentence for each value with the row that gave its class."""

    order_class: OrderClass
    why: str
    rows: tuple[str, ...]


def propose_class(session: Session, request: ChangeRequest) -> Proposal:
    """Return the class that a request needs: what its originator proposed, and never less than what its values need (4c)."""
    judged = [(edit, *_class_of(session, edit)) for edit in request.edits]
    rows = tuple(f"{_called(edit)}: {_word(needed)}. {why}" for edit, needed, why in judged)
    deep = sorted({edit.column_name.replace("_", " ") for edit, needed, _ in judged if needed in DEEP})
    if deep:
        return Proposal(OrderClass.C4, f"Proposed: C4, since it sets {', '.join(deep)}.", rows)
    if request.proposed_class in (OrderClass.C4, OrderClass.CE):
        return Proposal(OrderClass.C4, "Proposed: C4, since its originator asks for it.", rows)
    if judged and all(needed is not None for _, needed, _ in judged):
        return Proposal(OrderClass.C3, "Proposed: C3, since no value that it sets needs more.", rows)
    if request.proposed_class is OrderClass.C3:
        why = "Proposed: C3, as its originator says; every value is classed again when it is written."
        return Proposal(OrderClass.C3, why, rows)
    return Proposal(OrderClass.C4, "Proposed: C4, since nothing says that form, fit and function stay.", rows)


def _class_of(session: Session, edit: ChangeRequestEdit) -> tuple[ChangeClass | None, str]:
    """Return the class that one asked value needs, None where its row or value is no more what it was."""
    guarded = BY_TABLE.get(edit.table_name)
    record: Any = session.get(guarded.mapped, edit.row_id) if guarded is not None else None
    if record is None:
        return None, "The row that it speaks of is not under control, or gone."
    try:
        return class_needed(session, record, edit.column_name, value_of(type(record), edit.column_name, edit.new_text))
    except Refused as refusal:
        return None, refusal.message


def _called(edit: ChangeRequestEdit) -> str:
    return f"{edit.about or edit.table_name.replace('_', ' ')} {edit.column_name.replace('_', ' ')}"


def _word(needed: ChangeClass | None) -> str:
    if needed is None:
        return "no class"
    return "refused" if needed is ChangeClass.REFUSED else needed.value
