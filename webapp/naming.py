"""What an id in the chain stands for: the name or number of the row that its column points to."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from engine.database import Base
from records.cost_centre import CostCentre

NAMES = ("name", "number", "business_key", "printed_name", "flow", "role")
"""Columns by which people call a row, the usual ones first."""


def name_of_id(session: Session, record_type: str, field: str, text: str) -> str | None:
    """Return the name of the row that a column's value points to, None when the column points nowhere or the row is gone."""
    target = _target(record_type, field)
    if target is None:
        return None
    found: Any = session.get(target, text)
    if found is None:
        return None
    if isinstance(found, CostCentre):
        return f"{found.code} {found.name}"
    return called(found)


def called(record: Any) -> str | None:
    """Return what people call a row: its name or number, who signed, whose seat it is; None for a row that is called nothing."""
    named = next((text for name in NAMES if (text := getattr(record, name, None))), None)
    return str(named) if named else None


def type_of(record_type: str, field: str) -> TypeEngine[Any] | None:
    """Return the type of a record's column, None where there is no such column."""
    column = _column(record_type, field)
    return column.type if column is not None else None


def _column(record_type: str, field: str) -> Any:
    kind = _mapped().get(record_type)
    return kind.__table__.columns.get(field) if kind is not None else None


@cache
def _mapped() -> dict[str, type[Any]]:
    return {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}


@cache
def _target(record_type: str, field: str) -> type[Any] | None:
    """Return the class that a column of a record points to by its id."""
    column = _column(record_type, field)
    keys = list(column.foreign_keys) if column is not None else []
    if len(keys) != 1 or keys[0].column.name != "id":
        return None
    return _mapped().get(keys[0].column.table.name)
