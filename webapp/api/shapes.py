"""What every schema of the API is made of: strict shapes, exact numbers as text, aware instants, pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from marshmallow import RAISE, Schema, fields, validate
from marshmallow.exceptions import ValidationError

from engine.canonical import canonical
from engine.errors import Invalid
from webapp import listing
from webapp.typed import YEARS

MOST = 200
LONGEST_WORD = 200

SENTENCES = {
    "Missing data for required field.": "Expected a value, but it is missing",
    "Field may not be null.": "Expected a value, but it is null",
    "Unknown field.": "Expected only the fields of this request, but this one is unknown",
    "Not a valid string.": "Expected text, but found something else",
    "Not a valid integer.": "Expected a whole number, but found something else",
    "Not a valid boolean.": "Expected true or false, but found something else",
    "Not a valid date.": "Expected a date such as 2026-12-01, but found something else",
    "Not a valid datetime.": "Expected an instant such as 2026-12-01T14:30:00Z, but found something else",
    "Not a valid aware datetime.": "Expected an instant with its zone, such as 2026-12-01T14:30:00Z, but it has none",
    "Not a valid list.": "Expected a list, but found something else",
    "Not a valid mapping type.": "Expected an object, but found something else",
    "Invalid input type.": "Expected an object, but found something else",
}


class Request(Schema):
    """What arrives: only what is named."""

    class Meta:
        """Refuse what is unknown."""

        unknown = RAISE


class Answer(Schema):
    """What leaves: every field, always."""

    class Meta:
        """Promise nothing else."""

        unknown = RAISE

    def on_bind_field(self, field_name: str, field_obj: fields.Field) -> None:
        """Document that every field of an answer is there."""
        field_obj.required = True


class Nothing(Request):
    """An empty object, or a query that asks nothing."""


class Exact(fields.Field[Decimal]):
    """An exact number as text, ``"42.5000"``; a JSON number is taken too, without going through a float."""

    def __init__(self, **options: Any) -> None:
        metadata = {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,8})?$", "examples": ["42.5000"]}
        super().__init__(metadata=metadata, **options)

    def _serialize(self, value: Decimal | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:f}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)) or len(str(value)) > 40:
            raise ValidationError('Expected a number such as "42.5", but found something else')
        try:
            number = Decimal(value)
        except ArithmeticError as error:
            raise ValidationError(f'Expected a number such as "42.5", but found “{str(value)[:40]}”') from error
        if not number.is_finite() or number.adjusted() > 30:
            raise ValidationError("Expected a finite number below 10¹², but found another")
        return number


class Whole(fields.Integer):
    """A whole number in a body; text that looks like one is none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return value


class Truth(fields.Boolean):
    """True or false, not a word for it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Instant(fields.Field[Any]):
    """An aware instant in UTC, ``2026-11-22T15:00:00.000000Z``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date-time"}, **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return canonical(value)


class Moment(fields.AwareDateTime):
    """An aware instant that clocks in every zone can tell, which the first and the last day of the calendar are not."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"format": "date-time"}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        moment = super()._deserialize(value, attr, data, **kwargs)
        if moment.year not in YEARS:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        return moment.astimezone(dt.UTC)


class Values(fields.Field[dict[str, Any]]):
    """Variables by name: any JSON; numbers keep every digit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"type": "object", "additionalProperties": True}, **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(SENTENCES["Not a valid mapping type."])
        return value


def text(longest: int = LONGEST_WORD, **options: Any) -> fields.String:
    """Return a field of text of at most so many characters."""
    return fields.String(
        validate=validate.Length(max=longest, error="Expected at most {max} characters, but it has more"), **options
    )


def word(choices: Any, **options: Any) -> fields.String:
    """Return a field of one of the words of an enumeration."""
    error = "Expected one of {choices}, but found “{input}”"
    return fields.String(validate=validate.OneOf([str(one) for one in choices], error=error), **options)


def maybe(**options: Any) -> fields.String:
    """Return a field of text that may be null."""
    return fields.String(allow_none=True, **options)


class Listed(Request):
    """What every list may be asked."""

    q = text(listing.LONGEST_SEARCH, load_default="", metadata={"description": "Words to search for."})
    after = text(LONGEST_WORD, load_default="", metadata={"description": "`next` of the page before."})
    limit = fields.Integer(
        load_default=listing.LIMIT, metadata={"description": "How many at most."},
        validate=validate.Range(1, MOST, error="Expected {min} to {max}, but found {input}"),
    )  # fmt: skip


def page_of(item: type[Schema], name: str) -> type[Schema]:
    """Return the schema of a page of such items: ``{items, next}``."""
    return type(
        name,
        (Answer,),
        {
            "__doc__": "One page. next: for `after`, null on the last page.",
            "items": fields.List(fields.Nested(item)),
            "next": fields.String(allow_none=True),
        },
    )


def as_page(found: listing.Listing) -> dict[str, Any]:
    """Return a page of documents as the schema wants it."""
    return {"items": found.items, "next": found.after or None}


@cache
def kept(schema: type[Schema]) -> Schema:
    """Return the one instance of a schema: making one copies its fields, and reading and writing with it keep nothing in it."""
    return schema()


def load(schema: type[Schema], given: Any) -> dict[str, Any]:
    """Read what arrived. Raises: Invalid with a sentence for each field by its dotted path."""
    try:
        loaded: dict[str, Any] = kept(schema).load(given)
    except ValidationError as error:
        found = dict(_flat(error.messages, ""))
        raise Invalid(f"Expected a request that fits, but {len(found)} field(s) of it do not.", found) from error
    return loaded


def _flat(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            at = path if key == "_schema" else f"{path}.{key}" if path else str(key)
            yield from _flat(inner, at)
        return
    said = messages if isinstance(messages, list) else [messages]
    yield path or "body", "; ".join(SENTENCES.get(str(one), str(one)) for one in said)
