"""A pooled connection that died while it lay idle is replaced before anybody uses it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from engine import database
from engine.database import connect

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_a_connection_that_died_while_idle_is_replaced(
    postgresql_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE", 0.0)
    ours = connect(postgresql_database.url.render_as_string(hide_password=False))
    try:
        with ours.connect() as connection:
            before = connection.scalar(text("SELECT pg_backend_pid()"))
        with postgresql_database.connect() as connection:
            connection.execute(text(CUT))
        with ours.connect() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) != before
    finally:
        ours.dispose()
