"""Change items: what an approved change says a frozen value becomes, word for word.

A trigger lets a frozen value change only when an approved, unapplied item names exactly this table, row, operation, column, old
and new value in canonical text. An item is approved when every approval slot of its change has a valid signature.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.database import Base, InstantType
from engine.record import WRITTEN_BY_TRIGGER, Operation, Record, Trace
from records.columns import Code, Hash, word


class ChangeClass(StrEnum):
    """How deep a change goes; each class may do what the ones before it may. REFUSED is no class: nothing may do it.

    C0 clerical, C1 commercial minor, C2 commercial major, C3 technical minor (Class II of EIA-649), C4 technical major (Class I),
    CE emergency. Source: EIA-649.
    """

    C0 = "C0"
    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    CE = "CE"
    REFUSED = "X"

    @property
    def sufficient(self) -> tuple[ChangeClass, ...]:
        """The classes of items that may make a change of this class."""
        order = list(ChangeClass)[:-1]
        return () if self is ChangeClass.REFUSED else tuple(order[order.index(self) :])


class ChangeItem(Record, Base):
    """One value of one row that a change sets.

    change_type, change_id, change_hash: the document that people sign, and the content hash they sign. row_id: the row's id;
    column_name is empty for a DELETE; an INSERT has one item for each column that gets a value. old_text, new_text: canonical
    text, None for NULL. change_class: computed by the laws when the item is written. applied_at: set by the trigger that used it.
    """

    __tablename__ = "change_item"
    __table_args__ = (
        UniqueConstraint("change_id", "change_hash", "table_name", "row_id", "operation", "column_name"),
        Index("ix_change_item_row_id_table_name", "row_id", "table_name"),
        CheckConstraint("change_class <> 'X'", name="change_class_is_possible"),
    )

    change_type: Mapped[Code]
    change_id: Mapped[Code]
    change_hash: Mapped[Hash]
    table_name: Mapped[Code]
    row_id: Mapped[Code]
    operation: Mapped[Operation] = word(Operation, "operation")
    column_name: Mapped[Code]
    old_text: Mapped[str | None] = mapped_column(Text)
    new_text: Mapped[str | None] = mapped_column(Text)
    change_class: Mapped[ChangeClass] = word(ChangeClass, "change_class")
    applied_at: Mapped[dt.datetime | None] = mapped_column(InstantType(), info=WRITTEN_BY_TRIGGER)

    def traces(self) -> Mapping[str, Trace]:
        """A used item stands for the edit that used it up."""
        edit = Trace(self.table_name, self.row_id, self.operation, self.column_name, self.old_text, self.new_text)
        return {} if self.applied_at is None else {"applied_at": edit}
