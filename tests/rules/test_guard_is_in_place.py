"""The guard of a database is compared word for word with what it must be."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from rules.controlled import read_policy
from rules.policy import TABLES
from rules.triggers import GuardMissing, install_guard, remove_guard, require_guard, verify_guard, without_guard


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


FOREIGN = "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"


def verdict(database: Engine, *statements: str) -> list[str]:
    with database.execution_options(writes=True).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        return verify_guard(connection)


def test_each_missing_trigger_is_named(sqlite_database: Engine, postgresql_database: Engine) -> None:
    found = verdict(sqlite_database, "DROP TRIGGER guard_purchase_order_line_unit_price")
    assert found == ["The trigger guard_purchase_order_line_unit_price is missing."]
    found = verdict(postgresql_database, "DROP TRIGGER guard_signature_update ON signature")
    assert found == ["The trigger guard_signature_update is missing."]


def test_an_altered_trigger_is_named(sqlite_database: Engine, postgresql_database: Engine) -> None:
    found = verdict(
        sqlite_database,
        "DROP TRIGGER guard_signature_only_ends",
        "CREATE TRIGGER guard_signature_only_ends BEFORE UPDATE ON signature FOR EACH ROW WHEN 1 = 0 BEGIN SELECT 1; END",
    )
    assert found == ["The trigger guard_signature_only_ends was altered."]
    hollow = "CREATE OR REPLACE FUNCTION guard_signature_update() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    assert verdict(postgresql_database, hollow) == ["The trigger guard_signature_update was altered."]


def test_what_the_triggers_share_is_compared_too(sqlite_database: Engine) -> None:
    found = verdict(
        sqlite_database,
        "DROP VIEW guard_open_item",
        "CREATE VIEW guard_open_item AS SELECT i.* FROM change_item i",
        "DROP TRIGGER guard_lenient_kept",
    )
    assert found == ["The view guard_open_item was altered.", "The trigger guard_lenient_kept is missing."]
    assert "The view guard_open_item is missing." in verdict(sqlite_database, "DROP VIEW guard_open_item")


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("ALTER TABLE signature DISABLE TRIGGER ALL", "guard_signature_update is disabled."),
        ("ALTER TABLE signature ENABLE REPLICA TRIGGER guard_signature_update", "guard_signature_update is disabled."),
        ("ALTER FUNCTION guard_signature_update() RESET search_path", "guard_signature_update was altered."),
        (
            "ALTER FUNCTION guard_signature_update() SET session_replication_role TO replica",
            "guard_signature_update was altered.",
        ),
        (
            f"{FOREIGN} CREATE TRIGGER mine BEFORE UPDATE ON signature FOR EACH ROW EXECUTE FUNCTION mine()",
            "mine on signature is not the guard's.",
        ),
    ],
)
def test_a_weakened_trigger_is_named(postgresql_database: Engine, statement: str, sentence: str) -> None:
    assert f"The trigger {sentence}" in verdict(postgresql_database, statement)


def test_a_trigger_that_is_not_the_guards_is_named(sqlite_database: Engine) -> None:
    body = "AFTER UPDATE ON purchase_order_line BEGIN UPDATE finding SET sentence = ''; END"
    found = verdict(sqlite_database, f"CREATE TRIGGER mine {body}", f"CREATE TEMP TRIGGER yours {body}")
    assert found == [
        "The trigger mine on purchase_order_line is not the guard's.",
        "The temporary trigger yours is not the guard's.",
    ]


def test_a_transition_that_is_not_listed_is_named(database: Engine) -> None:
    door = "guard_status_transition_insert"
    drop = f"DROP TRIGGER {door}" if database.dialect.name == "sqlite" else f"DROP TRIGGER {door} ON status_transition"
    found = verdict(database, drop, "INSERT INTO status_transition VALUES ('purchase_order', 'TRANSMITTED', 'DRAFT')")
    assert "The transition purchase_order TRANSMITTED to DRAFT is not listed." in found


def test_a_migration_works_without_the_guard_and_ends_with_it(database: Engine) -> None:
    with database.execution_options(writes=True).begin() as connection:
        with without_guard(connection):
            connection.exec_driver_sql("DELETE FROM status_transition")
            assert verify_guard(connection)
        assert verify_guard(connection) == []


def test_a_policy_that_was_changed_asks_for_new_triggers(database: Engine) -> None:
    source = (TABLES / "controlled_fields.dmn").read_text(encoding="utf-8").replace('"unit_price"', '"promised_on"')
    changed = read_policy(source.encode())
    with database.execution_options(writes=True).begin() as connection:
        assert verify_guard(connection, changed)
        install_guard(connection, changed)
        assert verify_guard(connection, changed) == []
        assert verify_guard(connection)
