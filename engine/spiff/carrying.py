"""What one command, message or signal may carry: so many variables, so large, nested so deep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dmn import to_feel
from engine.spiff.codec import NotStorable, encode, refuse_deeper

MOST_NAMES = 256
LONGEST_NAME = 120
MOST_BYTES = 2_000_000
"""Of all values together, as they are stored."""
DEEPEST = 60
"""Lists and objects within each other; what runs do with a value may nest deeper."""


class TooMuch(ValueError):
    """Values that cannot be carried. field: the name of the variable, empty when it is about all or about a name."""

    def __init__(self, message: str, field: str = "", why: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.why = why


def carried(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return plain Python values as FEEL values.

    what: how they are called in words, such as ``variables``. Raises: TooMuch when a name is no name, a value is none that FEEL
    knows or nests too deep, or it is too much.
    """
    taken: dict[str, Any] = {}
    size = 0
    if len(values) > MOST_NAMES:
        raise TooMuch(f"Expected at most {MOST_NAMES} {what}, but there are {len(values)}")
    for name, value in values.items():
        if not name.strip() or len(name) > LONGEST_NAME or name.startswith("="):
            raise TooMuch(f"Expected a name of at most {LONGEST_NAME} characters, but found {name[:40]!r}")
        try:
            refuse_deeper(value, DEEPEST)
            taken[name] = to_feel(value)
            size += len(encode(taken[name]))
        except (NotStorable, ValueError, TypeError) as error:
            raise TooMuch(f"Expected {name} to be a value that FEEL knows, but {error}", name, str(error)) from error
        if size > MOST_BYTES:
            raise TooMuch(f"Expected at most {MOST_BYTES:,} bytes of {what}, but {name} goes beyond", name, "too large")
    return taken
