"""Ask a shipped rule table from a step; each file is read once and again when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dmn import Model, parse, to_feel, to_python
from rules.policy import TABLES


def ask(table: str, inputs: Mapping[str, Any]) -> Any:
    """Return what a table answers, as plain Python. inputs: plain Python values by name."""
    path = TABLES / f"{table}.dmn"
    model = _model(table, path.stat().st_mtime_ns)
    result = model.evaluate(table, {name: to_feel(value) for name, value in inputs.items()})
    return to_python(result.value)


@lru_cache(maxsize=64)
def _model(table: str, _changed: int) -> Model:
    return parse((TABLES / f"{table}.dmn").read_bytes())
