"""What every business document has in common: an id, a version, who and when; and the edit that the guard judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import Numeric, inspect
from sqlalchemy.orm import Mapped, Mapper, RelationshipDirection, Session, mapped_column

from engine.canonical import canonical
from engine.database import Id, Instant, Scaled, Versioned, new_id


class Judged:
    """A mapped row whose every edit is judged by the guard.

    Whoever writes it notes the event that belongs in a chain.
    """

    __tablename__: str


@dataclass(frozen=True, slots=True)
class Trace:
    """An edit that a chain must tell of. field: empty for any field of the row; old, new: canonical text."""

    record_type: str
    record_id: str
    operation: str
    field: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.operation} of {self.record_type} {self.record_id} {self.field}".rstrip()


class Chained(Judged):
    """A judged row whose every edit is chained field by field, under the name of its table."""

    id: Mapped[Id]

    def traces(self) -> Mapping[str, Trace]:
        """Return what each column that a trigger set stands for: the edit that set it off, which another chain tells of."""
        return {}


class Record(Chained, Versioned):
    """A mapped business document: judged and chained like any ``Chained`` row, and versioned.

    record_type: the name under which decisions, signatures, change items and the chain know it (``purchase_order``);
    the same as the table's name.
    """

    record_type: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "__tablename__" in cls.__dict__:
            cls.record_type = cls.__dict__["__tablename__"]
        super().__init_subclass__(**kwargs)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    created_at: Mapped[Instant]
    created_by: Mapped[str]
    changed_at: Mapped[Instant]
    changed_by: Mapped[str]


BOOKKEEPING = frozenset({"id", "version", "created_at", "created_by", "changed_at", "changed_by"})
"""Columns that the house keeps itself; they are not edits."""


WRITTEN_BY_TRIGGER = {"written_by": "trigger"}
"""``info`` of a column that a trigger of the database sets: its own chain says nothing of it; ``traces`` says what does."""


class Operation(StrEnum):
    """What an edit does to its row."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Edit:
    """A pending change of one record.

    changes: field name to (old, new) as Python values; for an insert old is None, for a delete new is None.
    """

    record: Any
    record_type: str
    operation: Operation
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def texts(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Yield (field, old, new) in canonical text."""
        columns = inspect(type(self.record)).columns
        for name, (old, new) in self.changes.items():
            kind = columns[name].type if name in columns else None
            scale = kind.scale if isinstance(kind, (Scaled, Numeric)) else None
            yield name, canonical(old, scale=scale), canonical(new, scale=scale)


def edits_of(session: Session) -> list[Edit]:
    """Return the pending edits of a session in a stable order: inserts, updates, deletes.

    A row that was taken out of the collection that owns it is deleted by the flush, and is judged as deleted here. A
    reference that was given as an object stands in its column here, as the flush would write it later.
    """
    _fill_references(session)
    found = [_insert(record) for record in session.new if isinstance(record, Judged)]
    dirty = [record for record in session.dirty if isinstance(record, Judged)]
    orphans = [record for record in dirty if _is_orphan(session, record)]
    found += [
        Edit(record, record.__tablename__, Operation.UPDATE, changes)
        for record in dirty
        if record not in orphans and (changes := _changes(record))
    ]
    found += [
        Edit(
            record,
            record.__tablename__,
            Operation.DELETE,
            {name: (value, None) for name, value in _values(record)},
        )
        for record in (*session.deleted, *orphans)
        if isinstance(record, Judged)
    ]
    return found


def _fill_references(session: Session) -> None:
    """Write the ids of objects that rows refer to into their columns, so that they are judged and chained too."""
    for record in session.new:
        if isinstance(record, Record):
            record.id = record.id or new_id()
    for record in (*session.new, *session.dirty):
        if not isinstance(record, Judged):
            continue
        state = inspect(record)
        for relation in state.mapper.relationships:
            if relation.direction is not RelationshipDirection.MANYTOONE:
                continue
            # History without loading: what was never touched stays unloaded.
            given = state.attrs[relation.key].history.added
            if not given or given[0] is None:
                continue
            for column, target in relation.local_remote_pairs or ():
                name = state.mapper.get_property_by_column(column).key
                value = getattr(given[0], relation.mapper.get_property_by_column(target).key)
                if value is not None and getattr(record, name) != value:
                    setattr(record, name, value)


def _is_orphan(session: Session, record: Judged) -> bool:
    """Whether a stored row has just lost the owner that it does not outlive (``cascade="all, delete-orphan"``).

    Such a row is shown its owner again: who judges it asks whose it was.
    """
    state = inspect(record)
    for relation in state.mapper.relationships:
        owner = relation.back_populates and relation.mapper.relationships.get(relation.back_populates)
        if owner and owner.cascade.delete_orphan and state.attrs[relation.key].history.added == [None]:
            session.expire(record, [relation.key])
            return True
    return False


def _insert(record: Judged) -> Edit:
    held = vars(record)  # Nothing of a new row has to be loaded, so that what it was given is all there is.
    changes = {
        name: (None, value) for name in _columns(inspect(record).mapper) if (value := held.get(name)) is not None
    }
    return Edit(record, record.__tablename__, Operation.INSERT, changes)


def _values(record: Judged) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(record, name)) for name in _columns(inspect(record).mapper))


@cache
def _columns(mapper: Mapper[Any]) -> tuple[str, ...]:
    return tuple(one.key for one in mapper.column_attrs if one.key not in BOOKKEEPING)


def _changes(record: Judged) -> dict[str, tuple[Any, Any]]:
    state = inspect(record)
    changes: dict[str, tuple[Any, Any]] = {}
    for attribute in state.mapper.column_attrs:
        history = state.attrs[attribute.key].history
        if attribute.key in BOOKKEEPING or not history.has_changes():
            continue
        old = history.deleted[0] if history.deleted else None
        new = history.added[0] if history.added else None
        if old != new:
            changes[attribute.key] = (old, new)
    return changes
