"""Which approved, unapplied change items open what a flush is about to write: asked once for all its rows.

The question is the one that the triggers ask, in the same words, so that both nets let the same things pass. Only what was
approved in this very flush, which the database has not seen yet, is looked up among the objects of the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import TextClause, bindparam, select, text

from engine.act import Act
from engine.record import Edit, Operation
from records.amendment import AmendmentKind, AmendmentStatus, PurchaseOrderAmendment
from records.approval import slots_of
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderAddendum
from rules.change_item import ChangeClass, ChangeItem
from rules.doors import AMENDED, TECHNICAL, approved_change, words
from rules.postgresql import Postgresql
from rules.sqlite import Sqlite

TOGETHER = 500
"""Rows asked for in one statement."""

Opened = tuple[str, str, str, str, str | None, str | None]
"""What an item opens: table, row, operation, column, old text, new text."""


class Permits:
    """The items that open rows of one flush. Nothing is read before somebody asks."""

    def __init__(self, act: Act, edits: Sequence[Edit]) -> None:
        self._act = act
        self._rows = sorted({edit.record.id for edit in edits if getattr(edit.record, "id", None)})
        self._stored: dict[Opened, set[ChangeClass]] | None = None

    def open(self, edit: Edit, name: str, old: str | None, new: str | None, needed: ChangeClass) -> bool:
        """Whether an approved, unapplied item says exactly this; the trigger asks the same and uses it up."""
        if self._stored is None:
            self._stored = self._read()
        found = self._stored.get((edit.record_type, edit.record.id, str(edit.operation), name, old, new), set())
        return not found.isdisjoint(needed.sufficient) or _is_pending(self._act, edit, name, (old, new), needed)

    def _read(self) -> dict[Opened, set[ChangeClass]]:
        connection = self._act.session.connection()
        asked, found = _question(connection.dialect.name), dict[Opened, set[ChangeClass]]()
        for start in range(0, len(self._rows), TOGETHER):
            for *opened, change_class in connection.execute(asked, {"rows": self._rows[start : start + TOGETHER]}):
                table, row, operation, column, old, new = opened
                if operation == Operation.DELETE:
                    old = None  # What went is told to the signers; the row is gone either way.
                found.setdefault((table, row, operation, column, old, new), set()).add(ChangeClass(change_class))
        return found


@cache
def _question(dialect: str) -> TextClause:
    speech = Sqlite() if dialect == "sqlite" else Postgresql()
    asked = text(
        "SELECT i.table_name, i.row_id, i.operation, i.column_name, i.old_text, i.new_text, i.change_class FROM change_item i "
        "WHERE i.row_id IN :rows AND i.applied_at IS NULL "
        f"AND NOT (i.table_name IN {words(AMENDED)} AND i.change_type IN ('change_order', 'change_order_addendum')) "
        f"AND {approved_change(speech)}"
    )
    return asked.bindparams(bindparam("rows", expanding=True))


def _is_pending(act: Act, edit: Edit, name: str, texts: tuple[str | None, str | None], needed: ChangeClass) -> bool:
    """Whether an item opens this with what the session has approved but not written yet."""
    if not any(isinstance(one, APPROVING) for one in (*act.session.new, *act.session.dirty)):
        return False
    return any(
        _texts(item) == texts and item.change_class in needed.sufficient and _is_signed(act, item)
        for item in _items(act, edit, name)
    )


def _texts(item: ChangeItem) -> tuple[str | None, str | None]:
    return (None, None) if item.operation is Operation.DELETE else (item.old_text, item.new_text)


APPROVING = (PurchaseOrderAmendment, ChangeOrder, ChangeOrderAddendum)
"""Documents whose items open something once they are approved."""


def _items(act: Act, edit: Edit, name: str) -> Iterable[ChangeItem]:
    return act.session.scalars(
        select(ChangeItem).where(
            ChangeItem.table_name == edit.record_type,
            ChangeItem.row_id == edit.record.id,
            ChangeItem.operation == Operation(edit.operation),
            ChangeItem.column_name == name,
            ChangeItem.applied_at.is_(None),
        )
    )


def _is_signed(act: Act, item: ChangeItem) -> bool:
    if item.change_type == PurchaseOrderAmendment.record_type:
        amendment = act.session.get(PurchaseOrderAmendment, item.change_id)
        if (
            amendment is None
            or amendment.status is not AmendmentStatus.APPROVED
            or not _is_under_way(act, item, amendment)
        ):
            return False
    elif item.table_name in AMENDED and item.change_type in (ChangeOrder.record_type, ChangeOrderAddendum.record_type):
        return False  # An amendment under the change order carries it, with a revision, to the supplier.
    elif item.change_type == ChangeOrder.record_type:
        order = act.session.get(ChangeOrder, item.change_id)
        if order is None or not order.is_in_force or order.content_hash != item.change_hash:
            return False
    elif item.change_type == ChangeOrderAddendum.record_type:
        addendum = act.session.get(ChangeOrderAddendum, item.change_id)
        if addendum is None or addendum.status is not AddendumStatus.APPROVED:
            return False
    slots = slots_of(act.session, item.change_type, item.change_id, item.change_hash)
    return bool(slots) and all(slot.is_signed for slot in slots)


def _is_under_way(act: Act, item: ChangeItem, amendment: PurchaseOrderAmendment) -> bool:
    """Whether a technical value of an amendment is under a change order in force; what a reversal restores needs none."""
    if item.change_class not in TECHNICAL or amendment.kind is AmendmentKind.REVERSAL:
        return True
    change = act.session.get(ChangeOrder, amendment.change_order_id) if amendment.change_order_id is not None else None
    return change is not None and change.is_in_force
