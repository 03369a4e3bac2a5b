"""Checkpoints at the command line, and what verify says with them: run wrong on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select, text

from engine.act import Installation
from engine.checkpoint_key import make_key
from processes.checkpointing import make_checkpoint
from records.notice import Notice
from rules.policy import table_called, table_hash, table_names
from rules.triggers import install_guard, remove_guard
from tests.clock import SettableClock
from tests.makers import make_cast, make_site
from webapp.cli import main

Call = Callable[..., Result]


@pytest.fixture
def plant(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        make_site(act)
        make_cast(act)
    return installation


@pytest.fixture
def call(plant: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call lockstep on the test's database, with the folders of the test's house."""
    monkeypatch.setenv("LOCKSTEP_KEY_FOLDER", str(tmp_path / "keys"))
    monkeypatch.setenv("LOCKSTEP_CHECKPOINT_FOLDER", str(tmp_path / "checkpoints"))
    url = plant.database.url.render_as_string(hide_password=False)
    return lambda *words: CliRunner().invoke(main, ["--database", url, *words])


def meddle(database: Engine, statement: str) -> None:
    with database.begin() as connection:
        remove_guard(connection)
        connection.execute(text(statement))
        install_guard(connection)


def test_a_checkpoint_is_made_delivered_and_verified(call: Call, tmp_path: Path) -> None:
    made = call("checkpoint", "now")
    assert (made.exit_code, "Checkpoint 1:" in made.output) == (0, True)
    [path] = (tmp_path / "checkpoints").rglob("checkpoint-00000001.json")
    receipt = json.loads(path.read_text())
    assert receipt["public_key"] == call("checkpoint", "key").stdout.strip()
    listed = json.loads(call("checkpoint", "list", "--json").stdout)
    assert [one["number"] for one in listed["checkpoints"]] == [1]
    verified = call("verify", "--json")
    assert (verified.exit_code, json.loads(verified.stdout)["breaks"]) == (0, [])


def test_a_chain_that_was_cut_off_is_named(call: Call, plant: Installation) -> None:
    assert call("checkpoint", "now").exit_code == 0
    meddle(
        plant.database, "DELETE FROM audit_event WHERE record_type = 'user_account' AND record_id = 'otto' AND seq > 1"
    )
    result = call("verify")
    assert result.exit_code == 1
    assert "user_account otto row 2: Expected row" in result.output
    assert "its last rows were cut off" in result.output


def test_checkpoints_that_were_all_made_anew_are_told_by_those_that_left(
    call: Call, plant: Installation, tmp_path: Path
) -> None:
    assert call("checkpoint", "now").exit_code == 0
    for statement in ("DELETE FROM checkpoint_leaf", "DELETE FROM checkpoint"):
        meddle(plant.database, statement)
    assert call("checkpoint", "now", "--whole").exit_code == 0
    told = call("verify")
    assert (told.exit_code, "its checkpoints were replaced" in told.output) == (0, True)
    strict = call("verify", "--receipts", str(tmp_path / "checkpoints"))
    assert (strict.exit_code, "but the database has another one" in strict.output) == (1, True)


def test_a_key_that_is_not_the_plants_is_named(call: Call, tmp_path: Path) -> None:
    assert call("checkpoint", "now").exit_code == 0
    stranger = make_key(tmp_path / "stranger")
    for path in (tmp_path / "keys").iterdir():
        path.unlink()
    result = call("verify", "--key", str(tmp_path / "stranger" / f"{stranger.id}.pub"))
    assert (result.exit_code, "is not among the keys you trust" in result.output) == (1, True)
    assert call("verify", "--key", "no key").exit_code == 2


def test_a_new_key_signs_on_and_the_old_ones_still_verify(call: Call, tmp_path: Path) -> None:
    call("checkpoint", "now")
    old = call("checkpoint", "key").stdout.strip()
    assert call("checkpoint", "new-key").exit_code == 0
    assert call("checkpoint", "key").stdout.strip() != old
    assert call("verify").exit_code == 0
    assert len(list((tmp_path / "keys").glob("*.pub"))) == 2


def test_a_lost_key_is_not_made_up_in_silence(call: Call, tmp_path: Path) -> None:
    call("checkpoint", "now")
    (tmp_path / "keys" / "checkpoint.key").unlink()
    refused = call("checkpoint", "now", "--whole")
    assert (refused.exit_code, "lockstep checkpoint new-key" in refused.output) == (3, True)


def test_the_worker_makes_one_when_enough_minutes_have_passed(plant: Installation, clock: SettableClock) -> None:
    assert make_checkpoint(plant) == 0
    clock.advance(minutes=15)
    assert make_checkpoint(plant) == 1
    assert make_checkpoint(plant) == 0


def test_a_worker_without_a_usable_key_says_so_and_works_on(
    plant: Installation, clock: SettableClock, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("a file where the folder should be")
    clock.advance(minutes=15)
    assert make_checkpoint(plant) == 0
    with plant.reading() as session:
        [told] = session.scalars(select(Notice).where(Notice.user_id == "adam"))
        assert (told.subject, str(tmp_path) in told.body) == ("No checkpoint of the audit chain can be made", True)
    (tmp_path / "keys").unlink()
    assert make_checkpoint(plant) == 0
    clock.advance(minutes=10)
    assert make_checkpoint(plant) == 1


def test_a_role_that_does_not_exist_is_refused_with_the_nearest(call: Call) -> None:
    refused = call("user", "grant", "otto", "PUR_LAED")
    assert (refused.exit_code, "did you mean PUR_LEAD" in refused.output) == (3, True)


def test_tables_are_adopted_once_by_a_process_engineer(call: Call, tmp_path: Path) -> None:
    adopted = call("rules", "adopt", "--as", "pat", "--reason", "new limits")
    assert (adopted.exit_code, "approval_matrix" in adopted.output) == (0, True)
    assert "nothing changed" in call("rules", "adopt", "--as", "pat", "--reason", "again").output
    assert call("rules", "adopt", "--as", "rita", "--reason", "mine").exit_code == 3
    nothing = call("rules", "in-force", str(tmp_path / "signed"))
    assert (nothing.exit_code, "lockstep lock" in nothing.output) == (3, True)
    assert call("lock", "--as", "quinn", "--reason", "Validated").exit_code == 0
    assert call("rules", "in-force", str(tmp_path / "signed")).exit_code == 0
    written = {path.name: table_hash(path.read_bytes()) for path in (tmp_path / "signed").glob("*.dmn")}
    assert written == {f"{name}.dmn": table_called(name).hash for name in table_names()}
    refused = call("rules", "adopt", "--as", "pat", "--reason", "new limits")
    assert (refused.exit_code, "name it with --change-order" in refused.output) == (3, True)
