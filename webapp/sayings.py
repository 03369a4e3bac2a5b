"""Sentences of the house as a person reads them: days and instants in their customs, codes of statuses, roles and people in words.

The rooms below the pages write ISO days, codes and principals, which are the same for everybody. Nothing else of a text is touched.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import cache

from sqlalchemy import Enum

from engine.database import Base
from processes.local_times import INSTANT
from webapp import formats
from webapp.formats import Custom

DAY = re.compile(r"(?<![\w/.:=&+-])\d{4}-\d\d-\d\d(?![\w/:-]|\.\d)")
PRINCIPAL = re.compile(r"(?<![\w/.:=&-])(?:user|role|system|adapter):[A-Za-z0-9_.@-]*[A-Za-z0-9_]")
CODE = re.compile(r"(?<![\w/.:=&-])[A-Z]+(?:_[A-Z]+)*(?![\w/-]|[.:]\w)")


def said(text: str, how: Custom, name: Callable[[str], str], role: Callable[[str], str | None]) -> str:
    """Return a sentence in a person's customs.

    name: the printed name of a principal. role: the printed name of a role by its code, or None where there is none.
    """
    text = INSTANT.sub(lambda found: _instant(found, how), text)
    text = DAY.sub(lambda found: _day(found, how), text)
    text = PRINCIPAL.sub(lambda found: name(found[0]), text)
    return CODE.sub(lambda found: _code(found[0], role), text)


def _instant(found: re.Match[str], how: Custom) -> str:
    try:
        return formats.instant(dt.datetime.fromisoformat(f"{found[1]}T{found[2]}:00+00:00"), how)
    except (ValueError, OverflowError):
        return found[0]


def _day(found: re.Match[str], how: Custom) -> str:
    try:
        return formats.day(dt.date.fromisoformat(found[0]), how)
    except ValueError:
        return found[0]


def _code(code: str, role: Callable[[str], str | None]) -> str:
    if code in _statuses():
        words = formats.words(code)
        return words if words[1:2].isupper() else words[:1].lower() + words[1:]
    return (role(code) if "_" in code else None) or code


@cache
def _statuses() -> frozenset[str]:
    """Return every status of every record: a word that stands in a sentence only as the code of one."""
    found: set[str] = set()
    for mapper in Base.registry.mappers:
        column = mapper.local_table.columns.get("status")
        if column is not None and isinstance(column.type, Enum):
            found |= set(column.type.enums)
    return frozenset(found)
