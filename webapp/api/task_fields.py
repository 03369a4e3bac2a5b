"""Variables of a decision, read by the form of the task just as a page's fields are: one reader, one set of refusals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from engine.errors import Invalid
from engine.stored.task import Task
from engine.task_variables import variables_of
from webapp import reviews
from webapp.form_schema import PREFIX
from webapp.visit import reading


def read(task: Task, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the variables that the task's form takes, None where it has no form.

    Raises: Invalid by field, FORGED_FIELD for what the form does not offer.
    """
    form = reviews.form_of(reading(), task)
    if form is None:
        if given:
            raise Invalid(
                f"Expected no variables, since the task has no form, but found {', '.join(sorted(given))[:200]}",
                {f"variables.{name}": "is not asked for" for name in given},
                code="FORGED_FIELD",
            )
        return None
    try:
        return form.read(dict(_typed(given, PREFIX)), variables_of(reading(), task))
    except Invalid as refusal:
        found = {f"variables.{name.removeprefix(PREFIX)}": said for name, said in refusal.fields.items()}
        raise Invalid(refusal.message, found, code=refusal.code) from refusal


def _typed(given: Mapping[str, Any], path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield names and values as a browser would send them."""
    for name, value in given.items():
        at = path + name
        if isinstance(value, Mapping):
            yield from _typed(value, f"{at}.")
        elif isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            for index, row in enumerate(value):
                yield from _typed(row, f"{at}.{index}.")
        elif isinstance(value, list):
            yield at, [_text(item) for item in value]
        elif value is not None and value is not False:
            yield at, [_text(value)]
        else:
            yield at, []


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, Decimal):
        return f"{value:f}" if abs(value.adjusted()) < 40 else str(value)
    if isinstance(value, (dt.date, dt.datetime, dt.time)):
        return value.isoformat()
    return str(value)
