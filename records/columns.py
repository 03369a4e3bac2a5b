"""The column types of business documents, and the shape check that runs when a value is assigned.

A value that its column cannot hold is refused where it is set, with the name of the field, long before a database sees
it; text is kept in NFC and decimals at full scale, so that content hashes, change items and triggers all see one form.
"""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
import uuid
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import Boolean, Date, Dialect, Enum, Integer, String, event, inspect
from sqlalchemy import Text as LongText
from sqlalchemy.orm import InstrumentedAttribute, MappedColumn, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from engine.canonical import canonical_json
from engine.database import Base, IdType, InstantType, Scaled, new_id
from engine.errors import Invalid
from engine.record import Chained, Record
from records.money import MINOR_UNITS

SMALLEST, LARGEST = -(2**31), 2**31 - 1


class CodesType(TypeDecorator[tuple[str, ...]]):
    """A set of codes, sorted, kept as canonical JSON text (``["Q01","Q05"]``) so that triggers can compare it."""

    impl = LongText
    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> Any:
        return None if value is None else canonical_json(codes(value)).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(json.loads(value))


def codes(values: Iterable[str]) -> tuple[str, ...]:
    """Return the codes sorted, each once, in NFC."""
    return tuple(sorted({unicodedata.normalize("NFC", value) for value in values}))


class CurrencyType(String):
    """A currency this product can round (ISO 4217): a document in another one could not even say its total."""

    cache_ok = True


Code = Annotated[str, mapped_column(String(40))]
Login = Annotated[str, mapped_column(String(60))]
Name = Annotated[str, mapped_column(String(200))]
Text = Annotated[str, mapped_column(String(4000))]
Note = Annotated[str, mapped_column(String(20000))]
Hash = Annotated[str, mapped_column(String(64))]
Currency = Annotated[str, mapped_column(CurrencyType(3))]
Codes = Annotated[tuple[str, ...], mapped_column(CodesType())]
Day = Annotated[dt.date, mapped_column(Date())]


def word(kind: type[StrEnum], name: str, **options: Any) -> MappedColumn[Any]:
    """Map a StrEnum as text of its values with a CHECK. name: the column's name, which the constraint carries."""
    return mapped_column(
        Enum(
            kind,
            name=name,
            native_enum=False,
            create_constraint=True,
            length=40,
            values_callable=lambda words: [word.value for word in words],
        ),
        **options,
    )


def shaped(kind: TypeEngine[Any], value: Any) -> Any:
    """Return the value in the form its column keeps.

    Raises ValueError with a sentence when the column cannot hold it.
    """
    if value is None:
        return None
    if isinstance(kind, Enum):
        return _member(kind, value)
    if isinstance(kind, CodesType):
        return codes(_text(item, 4000) for item in value)
    if isinstance(kind, IdType):
        return _uuid(value)
    if isinstance(kind, Scaled):
        return _decimal(kind, value)
    if isinstance(kind, CurrencyType):
        return _currency(value)
    if isinstance(kind, String):
        return _text(value, kind.length)
    if isinstance(kind, InstantType):
        return _instant(value)
    if isinstance(kind, Boolean):
        return _of(bool, value, "true or false")
    if isinstance(kind, Integer):
        return _integer(value)
    if isinstance(kind, Date):
        return _date(value)
    return value


def _of(kind: type, value: Any, called: str) -> Any:
    if isinstance(value, kind):
        return value
    raise _not(called, value)


def _not(called: str, value: Any) -> ValueError:
    shown = repr(value)
    return ValueError(f"Expected {called}, but found {shown if len(shown) <= 60 else shown[:57] + '...'}")


def _text(value: Any, limit: int | None) -> str:
    text = unicodedata.normalize("NFC", _of(str, value, "text"))
    if limit is not None and len(text) > limit:
        raise ValueError(f"Expected at most {limit:,} characters, but found {len(text):,}")
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("Expected readable text, but found a character that cannot be stored")
    return text


def _currency(value: Any) -> str:
    if _of(str, value, "a currency") not in MINOR_UNITS:
        raise _not("an ISO 4217 currency", value)
    return str(value)


def _member(kind: Enum, value: Any) -> Any:
    if kind.enum_class is None:
        return value
    try:
        return kind.enum_class(value)
    except ValueError as error:
        raise _not(f"one of {', '.join(kind.enums)}", value) from error


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(_of(str, value, "an id")))
    except ValueError as error:
        raise _not("an id", value) from error


def _decimal(kind: Scaled, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise _not("a decimal number", value)
    try:
        return kind.exact(Decimal(value))
    except InvalidOperation as error:
        raise _not("a decimal number", value) from error


def _instant(value: Any) -> dt.datetime:
    instant: dt.datetime = _of(dt.datetime, value, "an instant")
    if instant.tzinfo is None:
        raise ValueError(f"Expected an instant with a time zone, but found {value!r}")
    return instant.astimezone(dt.UTC)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not SMALLEST <= value <= LARGEST:
        raise _not("a whole number", value)
    return value


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise _not("a date", value)
    return value


@event.listens_for(Base, "attribute_instrument")
def _check_on_assignment(owner: type, key: str, attribute: InstrumentedAttribute[Any]) -> None:
    columns = getattr(attribute.property, "columns", None)
    if not columns or not (issubclass(owner, Record) or owner.__module__.startswith("records.")):
        return
    kind = columns[0].type

    @event.listens_for(attribute, "set", retval=True)
    def check(_target: Any, value: Any, _old: Any, _initiator: Any) -> Any:
        try:
            return shaped(kind, value)
        except ValueError as error:
            raise Invalid(f"{key}: {error}", {key: str(error)}) from error


@event.listens_for(Base, "init", propagate=True)
def _fill_defaults(target: Any, _args: Any, values: dict[str, Any]) -> None:
    """Set defaults when a chained row is made, so that laws see them before the first flush, and its chain tells of them."""
    if not isinstance(target, Chained):
        return
    if isinstance(target, Record):
        values.setdefault("id", new_id())
    for attribute in inspect(type(target)).column_attrs:
        default = attribute.columns[0].default
        if default is not None and default.is_scalar and attribute.key not in values:
            values[attribute.key] = default.arg
