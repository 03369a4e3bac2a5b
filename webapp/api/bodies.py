"""What arrives: bodies as exact JSON, queries, and the version that the caller saw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from flask import request
from marshmallow import Schema

from engine.canonical import is_whole
from engine.errors import Invalid
from webapp.api import shapes
from webapp.api.problems import Malformed, MatchNeeded, Stale, WrongMediaType


def query(schema: type[Schema]) -> dict[str, Any]:
    """Return what the query string asks. Raises: Invalid, for unknown and repeated names too."""
    repeated = {name: "Expected it once, but it is there again" for name, all_ in request.args.lists() if len(all_) > 1}
    if repeated:
        raise Invalid("Expected each name of the query once, but some are there again.", repeated)
    given = request.args.to_dict()
    _refuse_nul(given)
    return shapes.load(schema, given)


def body(schema: type[Schema]) -> dict[str, Any]:
    """Return the body. Raises: WrongMediaType; Malformed; Invalid."""
    if not request.is_json:
        raise WrongMediaType(f"Expected a body of application/json, but found {request.mimetype or 'no media type'}.")
    given = _parsed(request.get_data())
    _refuse_nul(given)
    return shapes.load(schema, given)


def seen_tag(present: str) -> None:
    """Compare the version that the caller saw with the present one. Raises: MatchNeeded; Stale."""
    tags = _tags()
    if not tags.contains(present):
        raise Stale(
            f'Expected the version you saw in If-Match to be the present one, but that is "{present}"; read it again.'
        )


def seen_version() -> int:
    """Return the version of a task that the caller saw; 0, which none has, when it was no number. Raises: MatchNeeded."""
    return next((int(tag) for tag in _tags().as_set() if is_whole(tag)), 0)


def _tags() -> Any:
    """Return the strong tags of If-Match. A star says nothing about what was seen. Raises: MatchNeeded."""
    tags = request.if_match
    if tags.star_tag or not request.headers.get("If-Match", "").strip():
        raise MatchNeeded("Expected the ETag that you saw in the header If-Match, but there is none.")
    return tags


def _parsed(data: bytes) -> Any:
    try:
        orjson.loads(data)  # strict: depth, unpaired surrogates, NaN
        return json.loads(data, parse_float=Decimal, object_pairs_hook=_once)
    except Invalid:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(f"Expected JSON, but {str(error)[:200]}.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        again = sorted({name for name in names if names.count(name) > 1})
        raise Invalid(f"Expected each name once, but {', '.join(again)[:80]} is there again.")
    return found


def _refuse_nul(given: Any, path: str = "") -> None:
    """Refuse the one character that no database keeps."""
    if isinstance(given, str) and "\x00" in given:
        raise Invalid(
            "Expected readable text, but found a character that cannot be stored.", {path or "body": "has NUL"}
        )
    if isinstance(given, Mapping):
        for name, value in given.items():
            _refuse_nul(name, path)
            _refuse_nul(value, f"{path}.{name}" if path else name)
    elif isinstance(given, list):
        for index, value in enumerate(given):
            _refuse_nul(value, f"{path}.{index}" if path else str(index))
