"""Compile what is the same in many tests once in a process: statements, where a fifth of a story's time went, and sheets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import typst
from sqlalchemy import Dialect, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.util import LRUCache

from engine import database
from tests.kept import opener_of
from tests.kept_postgresql import kept_at

STATEMENTS = 5_000
"""Compiled statements that are kept of each kind of database."""

_shared: dict[str, tuple[Dialect, LRUCache[Any, Any]]] = {}
_create_engine = database.create_engine
_compile = typst.compile


def share() -> None:
    """Let every engine of this process that the house opens share the dialect of its kind, and what was compiled for it.

    Sheets that say the same are the same bytes, since none of them says when it was printed but by what it is given.
    """
    database.create_engine = _create_sharing
    typst.compile = _compile_sharing


def _compile_sharing(template: Any, *, sys_inputs: dict[str, str]) -> bytes:
    return _sheet(template, tuple(sorted(sys_inputs.items())))


@lru_cache(200)
def _sheet(template: Any, inputs: tuple[tuple[str, str], ...]) -> bytes:
    return bytes(_compile(template, sys_inputs=dict(inputs)))


def _know_already(_connection: object) -> None:
    """Ask no server what the shared dialect was told by the first one."""


def _create_sharing(url: str, **options: Any) -> Engine:
    where = make_url(url)
    if opener := opener_of(where.database):
        options["creator"] = opener
    if kept := kept_at(where):
        options["creator"] = lambda: kept.open(engine.dialect.create_connect_args(where)[1])
    engine = _create_engine(url, **options)
    dialect, statements = _shared.get(engine.dialect.name, (engine.dialect, None))
    if statements is None or getattr(dialect, "server_version_info", None) is None:  # nobody has connected with it yet
        dialect, statements = engine.dialect, LRUCache(STATEMENTS)
        _shared[dialect.name] = dialect, statements
    else:
        engine.dialect.initialize = _know_already
    engine.dialect = dialect
    engine.update_execution_options(compiled_cache=statements)
    return engine
