"""The tables under ``rules/tables``: loaded, evaluated, remembered by hash and row."""

from __future__ import annotations

import hashlib
from pathlib import Path

TABLES = Path(__file__).parent / "tables"


class PolicyProblem(ValueError):
    """A table cannot be used as it is written."""


def table_hash(source: bytes) -> str:
    """Return the content hash of a table: SHA-256 of its bytes with LF line ends."""
    return hashlib.sha256(source.replace(b"\r\n", b"\n")).hexdigest()
