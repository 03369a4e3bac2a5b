"""Say which rows of the support table in docs/bpmn.md a test proves; tools/bpmn_support.py reads it from the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])


def proves(*rows: str) -> Callable[[Test], Test]:
    """Name the rows that a test proves. They must be literal texts."""
    return lambda test: test


def proves_each(row: str, kinds: Sequence[str]) -> pytest.MarkDecorator:
    """Let a test run once for each kind, as its argument ``kind``, and prove the row with that kind in place of ``{}``.

    Row and kinds must be literal.
    """
    assert "{}" in row, row
    return pytest.mark.parametrize("kind", kinds)
