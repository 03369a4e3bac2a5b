"""Lists of documents: searched, filtered by state, newest first, page by page by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy import ColumnElement, Select, func, or_
from sqlalchemy.orm import Session

from engine.database import is_id
from engine.errors import Invalid

LIMIT = 50
MOST_EXPORTED = 10_000
"""Rows of one CSV file of a list."""

LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. after: the id to go on from, empty on the last page."""

    items: Sequence[Any]
    query: str
    state: str
    after: str


def search() -> tuple[str, str, str]:
    """Return what is searched for, in which state, after which id. Raises: Invalid for what is no search."""
    query, state, after = (request.args.get(name, "").strip() for name in ("q", "state", "after"))
    if len(query) > LONGEST_SEARCH:
        raise Invalid(f"Expected a search of at most {LONGEST_SEARCH} characters, but it has {len(query)}")
    if after and len(after) > 60:
        raise Invalid("Expected the id to go on from, but found something else")
    return query, state, after


def contains(query: str, *columns: Any) -> ColumnElement[bool]:
    """Return the condition that some column contains every word of a search, in any case."""
    return or_(*(func.lower(column).contains(query.lower(), autoescape=True) for column in columns))


def newest_first(
    session: Session, wanted: Select[Any], kind: Any, *, query: str, state: str, after: str, limit: int = LIMIT
) -> Listing:
    """Return a page, newest first: ids made later sort later. Raises: Invalid when ``after`` is no id."""
    if after and not is_id(after):
        raise Invalid(f"Expected the id to go on from, but found “{after[:40]}”", {"after": "is no id"})
    if after:
        wanted = wanted.where(kind.id < after)
    found = list(session.scalars(wanted.order_by(kind.id.desc()).limit(limit + 1)).unique())
    return Listing(found[:limit], query, state, found[limit - 1].id if len(found) > limit else "")


def by_key(
    session: Session, wanted: Select[Any], column: Any, *, query: str, state: str, after: str, limit: int = LIMIT
) -> Listing:
    """Return a page in the order of a unique key; ``after`` is the last key of the page before."""
    if after:
        wanted = wanted.where(column > after)
    found = list(session.scalars(wanted.order_by(column).limit(limit + 1)).unique())
    return Listing(found[:limit], query, state, getattr(found[limit - 1], column.key) if len(found) > limit else "")
