"""One text for one value, everywhere: in content hashes, change items, guard triggers and the audit chain."""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson

from engine.database import instant_text


def canonical(value: Any, *, scale: int | None = None) -> str | None:
    """Return the canonical text of a column value.

    Decimals print at full ``scale`` (Money 4, Quantity 6) when one is given; dates ISO; instants UTC with six
    decimals and Z; truth values ``true`` / ``false``; structures as canonical JSON; None stays None.
    """
    if value is None:
        return None
    if type(value) is str:
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if isinstance(value, str) and not isinstance(value, Enum):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:.{scale}f}" if scale is not None else f"{value:f}"
    if isinstance(value, dt.datetime):
        return instant_text(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    return canonical_json(value).decode()


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys, no spaces, UTF-8 NFC, scalars that JSON lacks as their canonical text."""
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)


def content_hash(value: Any) -> str:
    """Return the SHA-256 (64 lower-case hex digits) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def flat_hash(row: Mapping[str, Any]) -> str:
    """Return what ``content_hash`` returns of a row: texts, whole numbers, truth values, instants and None by name."""
    content = orjson.dumps(row, canonical, orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
    # Text beyond ASCII may have to be composed (NFC) first.
    return hashlib.sha256(content).hexdigest() if content.isascii() else content_hash(row)


def _plain(value: Any) -> Any:
    # The common cases come first: every event of the chain passes here, field by field.
    kind = type(value)
    if value is None or kind is int or kind is bool or (kind is str and value.isascii()):
        return value
    if kind is dict or isinstance(value, Mapping):
        return {
            key if type(key) is str and key.isascii() else canonical(str(key)): _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, int)) and not isinstance(value, Enum):
        return value
    return canonical(value)


def is_whole(text: str, *, digits: int = 9) -> bool:
    """Whether a text is a whole number of at most so many digits, which ``int`` reads and every column of numbers takes.

    ``str.isdigit`` alone lets "²" through and ``str.isdecimal`` five thousand digits, and ``int`` refuses both.
    """
    return text.isascii() and text.isdecimal() and len(text) <= digits
