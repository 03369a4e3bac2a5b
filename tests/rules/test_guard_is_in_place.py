"""The guard of a database is compared word for word with what it must be."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from rules.triggers import GuardMissing, install_guard, remove_guard, require_guard, verify_guard


def test_a_fresh_database_has_its_guard(database: Engine) -> None:
    with database.connect() as connection:
        assert verify_guard(connection) == []


def test_installing_twice_changes_nothing(database: Engine) -> None:
    with database.execution_options(writes=True).begin() as connection:
        install_guard(connection)
        assert verify_guard(connection) == []


def test_a_database_without_its_guard_is_refused(database: Engine) -> None:
    with database.execution_options(writes=True).begin() as connection:
        remove_guard(connection)
    with database.connect() as connection, pytest.raises(GuardMissing, match="is missing"):
        require_guard(connection)
