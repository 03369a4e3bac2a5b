"""What somebody did to the database past the application is found, named and placed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from sqlalchemy import text

from engine import verification
from engine.act import Installation
from engine.chain_reading import FIELD, Row
from engine.verification import Break
from rules.triggers import remove_guard
from tests.makers import make_cast, make_cost_centre, make_site


@pytest.fixture
def plant(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        make_site(act)
        make_cast(act)
        make_cost_centre(act)
    with installation.acting("user:adam", reason="married") as act:
        from records.person import User

        rita = act.session.get(User, "rita")
        assert rita is not None
        rita.name = "Rita Okafor-Brandt"
    return installation


def found_in(installation: Installation) -> list[Break]:
    with installation.reading() as session:
        return list(verification.verify(session))


def meddle(installation: Installation, statement: str) -> None:
    """Do what only the database's owner can: past the guard."""
    with installation.database.begin() as connection:
        remove_guard(connection)
        connection.execute(text(statement))


def test_an_honest_database_has_no_breaks(plant: Installation) -> None:
    assert found_in(plant) == []


def test_an_edited_field_is_named_with_both_values_and_its_row(plant: Installation) -> None:
    meddle(plant, "UPDATE user_account SET name = 'Somebody Else' WHERE id = 'rita'")
    [found] = found_in(plant)
    assert (found.record_type, found.record_id) == ("user_account", "rita")
    assert found.seq is not None
    assert 'Expected name to be "Rita Okafor-Brandt"' in found.sentence
    assert 'but it is "Somebody Else"' in found.sentence


def test_an_altered_row_of_a_chain_is_the_first_broken_one(plant: Installation) -> None:
    meddle(plant, "UPDATE audit_event SET actor = 'user:otto' WHERE record_id = 'rita' AND seq = 3")
    assert [(found.record_id, found.seq) for found in found_in(plant)] == [("rita", 3)]


def test_a_row_cut_out_of_a_chain_breaks_it_there(plant: Installation) -> None:
    meddle(plant, "DELETE FROM audit_event WHERE record_id = 'rita' AND seq = 2")
    assert ("rita", 2) in [(found.record_id, found.seq) for found in found_in(plant)]


def test_a_record_that_was_removed_is_missed(plant: Installation) -> None:
    meddle(plant, "DELETE FROM role_grant WHERE user_id = 'rita' AND role = 'REQUESTER'")
    [found] = found_in(plant)
    assert found.record_type == "role_grant"
    assert "somebody removed it" in found.sentence


def test_a_record_that_nobody_made_has_no_history(plant: Installation) -> None:
    meddle(
        plant,
        "INSERT INTO role (id, version, created_at, created_by, changed_at, changed_by, code, name, meanings, is_deputised, "
        "is_business) SELECT '00000000-0000-7000-8000-000000000001', 1, created_at, created_by, changed_at, changed_by, "
        "'GOD', 'Everything', meanings, is_deputised, is_business FROM role WHERE code = 'BUYER'",
    )
    [found] = found_in(plant)
    assert (found.record_type, found.record_id) == ("role", "00000000-0000-7000-8000-000000000001")
    assert "past the application" in found.sentence


def test_a_mode_that_was_loosened_behind_the_guard_is_found(plant: Installation) -> None:
    meddle(plant, "UPDATE flow_mode SET mode = 'OBSERVE' WHERE flow = 'requisition_to_po'")
    [found] = found_in(plant)
    assert found.record_type == "flow_mode"


def test_what_a_migration_wrote_into_a_younger_column_is_no_break(
    plant: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that are older than a column have no row of their chain about it."""
    whole = verification.fold

    def older(rows: Iterable[Row]) -> tuple[dict[str, str | None], dict[str, int], bool, bool]:
        return whole(row for row in rows if row[FIELD] != "mail_wish")

    monkeypatch.setattr(verification, "fold", older)
    assert found_in(plant) == []
    meddle(plant, "UPDATE user_account SET mail_wish = 'NEVER' WHERE id = 'rita'")
    [found] = found_in(plant)
    assert (found.record_id, "mail_wish" in found.sentence, "NEVER" in found.sentence) == ("rita", True, True)
