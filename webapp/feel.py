"""FEEL for pages: an expression of a form over names, as a plain value, and never a failure of the page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dmn import DmnError, Expression, compile_expression, to_python


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Expression | None:
    try:
        return compile_expression(text)
    except DmnError:
        return None


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value as plain Python; None for what cannot be read or computed: the lint of the bundle reports it."""
    expression = _compiled(text)
    if expression is None:
        return None
    try:
        return to_python(expression.evaluate(names))
    except (DmnError, ValueError):
        return None
