"""Compile a statement once in a process, not once for each test's engine: a fifth of a story's time went there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.util import LRUCache

from engine import database
from tests.kept import opener_of

STATEMENTS = 5_000
"""Compiled statements that are kept of each kind of database."""

_shared: dict[str, tuple[Dialect, LRUCache[Any, Any]]] = {}
_create_engine = database.create_engine


def share() -> None:
    """Let every engine of this process that the house opens share the dialect of its kind, and what was compiled for it."""
    database.create_engine = _create_sharing


def _create_sharing(url: str, **options: Any) -> Engine:
    if opener := opener_of(make_url(url).database):
        options["creator"] = opener
    engine = _create_engine(url, **options)
    dialect, statements = _shared.get(engine.dialect.name, (engine.dialect, None))
    if statements is None or getattr(dialect, "server_version_info", None) is None:  # nobody has connected with it yet
        dialect, statements = engine.dialect, LRUCache(STATEMENTS)
        _shared[dialect.name] = dialect, statements
    engine.dialect = dialect
    engine.update_execution_options(compiled_cache=statements)
    return engine
