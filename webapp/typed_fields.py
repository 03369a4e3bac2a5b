"""Fields of a form that was sent, read one by one: what cannot be read is refused by its field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container
from decimal import Decimal

from flask import request

from engine.database import new_id
from engine.errors import Invalid
from webapp import typed
from webapp.typed import Unreadable
from webapp.visit import visitor


def number(name: str, *, decimals: int) -> Decimal:
    """Return a number that was typed. Raises: Invalid by its field."""
    try:
        return typed.decimal(request.form.get(name, ""), visitor().how, decimals=decimals)
    except Unreadable as error:
        raise Invalid(f"Expected a number for {name.replace('_', ' ')}", {name: str(error)}) from error


def words(name: str, longest: int = 4000) -> str:
    """Return text that was typed, trimmed. Raises: Invalid by its field."""
    try:
        return typed.words(request.form.get(name, ""), longest=longest)
    except Unreadable as error:
        raise Invalid(f"Expected a {name.replace('_', ' ')} that fits", {name: str(error)}) from error


def optional_number(name: str, *, decimals: int) -> Decimal | None:
    """Return a number that may be left out. Raises: Invalid by its field."""
    return number(name, decimals=decimals) if request.form.get(name, "").strip() else None


def day(name: str, expected: str) -> dt.date | None:
    """Return a day that may be left out. expected: what is missing, for the sentence. Raises: Invalid by its field."""
    given = request.form.get(name, "").strip()
    try:
        return typed.day(given) if given else None
    except Unreadable as error:
        raise Invalid(f"Expected {expected}", {name: str(error)}) from error


def chosen(name: str, words_of: Container[str], sentence: str, hint: str) -> str:
    """Return one of some words. Raises: Invalid by its field."""
    wanted = request.form.get(name, "")
    if wanted not in words_of:
        raise Invalid(sentence, {name: hint})
    return wanted


def event_id() -> str:
    """Return the id that the form was made with: sent twice it counts once."""
    return request.form.get("event_id") or new_id()
