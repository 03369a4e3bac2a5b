"""Checkpoints cover every event however acts overlap, and what was rewritten behind them is found and named."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from engine import checkpoint_check, checkpoint_key, checkpoints, merkle, verification
from engine.act import Installation
from engine.audit import GENESIS, AuditEvent, row_hash
from engine.checkpoint_check import Trust
from engine.checkpoint_key import SigningKey, load_key, make_key, public_keys
from engine.errors import Conflict, NotFound
from engine.stored.checkpoint import Checkpoint, CheckpointLeaf, UnsealedEvent
from engine.verification import Break
from rules.triggers import remove_guard
from tests.clock import SettableClock


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return make_key(tmp_path / "keys")


def note(installation: Installation, record_id: str, *, times: int = 1) -> None:
    """Give a chain that belongs to no record some rows, each in an act of its own."""
    for number in range(times):
        with installation.acting("user:pat", reason="because") as act:
            act.note("probe", record_id, "PROBED", field="Zählung", new=number)


def seal(installation: Installation, key: SigningKey, *, whole: bool = False) -> Checkpoint | None:
    with installation.acting("system:checkpoint") as act:
        checkpoints.know(act, key)
        return checkpoints.make(act, key, whole=whole)


def sealed(installation: Installation, key: SigningKey) -> Installation:
    """Have two chains of five rows and one of two, the last of them grown since the first of two checkpoints."""
    note(installation, "a", times=5)
    note(installation, "b", times=5)
    note(installation, "c")
    assert seal(installation, key) is not None
    note(installation, "c")
    assert seal(installation, key) is not None
    return installation


def found_in(installation: Installation, keys: dict[str, str] | None = None, **receipts: Any) -> list[Break]:
    with installation.reading() as session:
        broken = list(verification.verify(session))
        return [*broken, *checkpoint_check.check(session, Trust(keys or {}, receipts))]


def meddle(installation: Installation, *statements: str) -> None:
    """Do what only the database's owner can: past the guard."""
    with installation.database.begin() as connection:
        remove_guard(connection)
        for statement in statements:
            connection.execute(text(statement))


def rewrite(installation: Installation, record_id: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Do what a clever owner does: alter a chain and give every row a hash that fits."""
    with installation.database.begin() as connection:
        remove_guard(connection)
        table, previous = AuditEvent.__table__, GENESIS
        wanted = select(table).where(table.c.record_id == record_id).order_by(table.c.seq)
        for stored in connection.execute(wanted).mappings().all():
            row = dict(stored)
            change(row)
            row["prev_hash"] = previous
            row["hash"] = previous = row_hash(row)
            connection.execute(update(AuditEvent).where(AuditEvent.id == row["id"]).values(row))


def places(found: list[Break]) -> list[tuple[str, str, int | None]]:
    return [(one.record_type, one.record_id, one.seq) for one in found]


def test_an_honest_house_has_no_breaks(installation: Installation, key: SigningKey) -> None:
    sealed(installation, key)
    assert found_in(installation, {key.id: key.public_key}) == []


def test_a_checkpoint_holds_the_head_of_every_chain_that_grew_and_of_no_other(
    installation: Installation, key: SigningKey
) -> None:
    sealed(installation, key)
    with installation.reading() as session:
        leaves = session.execute(
            select(CheckpointLeaf.number, CheckpointLeaf.record_id, CheckpointLeaf.seq)
            .where(CheckpointLeaf.record_type == "probe")
            .order_by(CheckpointLeaf.number, CheckpointLeaf.position)
        ).all()
        assert [tuple(leaf) for leaf in leaves] == [(1, "a", 5), (1, "b", 5), (1, "c", 1), (2, "c", 2)]
        assert session.scalar(select(func.count()).select_from(UnsealedEvent)) == 0


def test_a_clock_that_jumps_back_and_ahead_breaks_no_chain_and_no_checkpoint(
    installation: Installation, clock: SettableClock, key: SigningKey
) -> None:
    sealed(installation, key)
    for days in (-400, 4_000, -3_600):
        clock.advance(days=days)
        note(installation, "a")
        assert seal(installation, key) is not None
        note(installation, "b")
    assert seal(installation, key) is not None
    assert found_in(installation, {key.id: key.public_key}) == []
    with installation.reading() as session:
        assert session.scalar(select(func.count()).select_from(UnsealedEvent)) == 0
        seen = select(AuditEvent.at).where(AuditEvent.record_id == "a").order_by(AuditEvent.seq)
        times = session.scalars(seen).all()
    assert times != sorted(times), "the order of a chain is its numbers, whatever the clock said"


def test_nothing_new_makes_no_checkpoint(installation: Installation, key: SigningKey) -> None:
    sealed(installation, key)
    assert seal(installation, key) is None
    assert seal(installation, key, whole=True) is not None


def test_an_act_that_commits_late_is_covered_by_the_next_checkpoint(
    installation: Installation, key: SigningKey
) -> None:
    """Two acts overlap: the one that wrote first commits last, after a checkpoint was made."""
    if installation.database.dialect.name == "sqlite":
        pytest.skip("acts do not overlap on SQLite: one writes at a time")
    note(installation, "a")
    with installation.acting("user:pat") as slow:
        slow.note("probe", "a", "PROBED", new="written first")
        slow.note("probe", "late", "PROBED", new="written first")
        slow.session.flush()
        with installation.acting("user:pat") as quick:
            quick.note("probe", "quick", "PROBED")
        assert seal(installation, key) is not None
    with installation.reading() as session:
        assert checkpoints.unsealed(session).events == 2 + 1  # and the word that the key is known
    assert seal(installation, key) is not None
    with installation.reading() as session:
        heads = session.execute(
            select(CheckpointLeaf.record_id, func.max(CheckpointLeaf.seq)).group_by(CheckpointLeaf.record_id)
        )
        covered = dict(tuple(head) for head in heads)
    assert (covered["a"], covered["late"], covered["quick"]) == (2, 1, 1)
    assert found_in(installation) == []


def test_two_workers_make_one_checkpoint(installation: Installation, key: SigningKey) -> None:
    if installation.database.dialect.name == "sqlite":
        pytest.skip("acts do not overlap on SQLite: one writes at a time")
    with installation.acting("system:checkpoint") as act:
        checkpoints.know(act, key)
    note(installation, "a")
    with installation.acting("system:checkpoint") as first:
        assert checkpoints.make(first, key) is not None
        with installation.acting("system:checkpoint") as second:
            assert checkpoints.make(second, key) is None


def test_an_act_that_is_rolled_back_leaves_no_word(installation: Installation) -> None:
    def break_off() -> None:
        with installation.acting("user:pat") as act:
            act.note("probe", "a", "PROBED")
            act.session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    with installation.reading() as session:
        assert session.scalar(select(func.count()).select_from(UnsealedEvent)) == 0


def test_a_chain_whose_last_rows_were_cut_off_is_found(installation: Installation, key: SigningKey) -> None:
    sealed(installation, key)
    meddle(installation, "DELETE FROM audit_event WHERE record_id = 'a' AND seq > 3")
    [found] = found_in(installation)
    assert places([found]) == [("probe", "a", 4)]
    assert "ends with row 3: its last rows were cut off" in found.sentence


def test_a_chain_that_was_written_anew_with_fitting_hashes_is_found(
    installation: Installation, key: SigningKey
) -> None:
    sealed(installation, key)
    rewrite(installation, "b", lambda row: row.update(actor="user:otto") if row["seq"] == 2 else None)
    with installation.reading() as session:
        assert list(verification.verify(session)) == []
    [found] = found_in(installation)
    assert places([found]) == [("probe", "b", 5)]
    assert "as checkpoint 1 saw it, but the chain was written anew" in found.sentence


def test_a_chain_that_was_removed_is_found(installation: Installation, key: SigningKey) -> None:
    sealed(installation, key)
    meddle(installation, "DELETE FROM audit_event WHERE record_id = 'c'")
    [found] = found_in(installation)
    assert places([found]) == [("probe", "c", 1)]
    assert "the whole chain was removed" in found.sentence


def test_heads_cannot_be_taken_out_of_a_checkpoint(installation: Installation, key: SigningKey) -> None:
    sealed(installation, key)
    meddle(
        installation,
        "DELETE FROM audit_event WHERE record_id = 'c'",
        "DELETE FROM checkpoint_leaf WHERE record_id = 'c'",
    )
    found = found_in(installation)
    assert places(found) == [("checkpoint", "1", None), ("checkpoint", "2", None)]
    assert "heads under its root" in found[0].sentence


def test_a_forged_checkpoint_has_no_good_signature(installation: Installation, key: SigningKey) -> None:
    sealed(installation, key)
    meddle(installation, f"UPDATE checkpoint SET root = '{'ab' * 32}' WHERE number = 2")
    sentences = [one.sentence for one in found_in(installation)]
    assert any(f"the signature of the key {key.id}, but it is not on this content" in one for one in sentences)


def test_a_key_that_nobody_trusts_is_named(installation: Installation, key: SigningKey, tmp_path: Path) -> None:
    """The owner of the database can sign everything anew with a key of his own, but not with the plant's."""
    sealed(installation, make_key(tmp_path / "another"))
    found = found_in(installation, {key.id: key.public_key})
    assert places(found) == [("checkpoint", "1", None), ("checkpoint", "2", None)]
    assert "is not among the keys you trust" in found[0].sentence


def test_checkpoints_before_a_new_key_still_verify(installation: Installation, key: SigningKey, tmp_path: Path) -> None:
    sealed(installation, key)
    newer = make_key(tmp_path / "keys")
    note(installation, "d")
    assert seal(installation, newer) is not None
    known = public_keys(tmp_path / "keys")
    assert set(known) == {key.id, newer.id}
    assert found_in(installation, dict(known)) == []


def test_a_checkpoint_that_was_removed_is_known_by_its_receipt(installation: Installation, key: SigningKey) -> None:
    from processes.checkpointing import receipt

    sealed(installation, key)
    with installation.reading() as session:
        made = session.scalars(select(Checkpoint).order_by(Checkpoint.number)).all()
        receipts = {f"{one.number}.json": json.loads(receipt(one, key.public_key)) for one in made}
    assert found_in(installation, **receipts) == []
    meddle(
        installation, "DELETE FROM checkpoint_leaf WHERE number = 2", "DELETE FROM checkpoint WHERE number = 2",
    )  # fmt: skip
    assert found_in(installation) == []
    [found] = found_in(installation, **receipts, **{"junk.json": None})[:1]
    assert places([found]) == [("checkpoint", "2", None)]
    assert "somebody removed it" in found.sentence


def test_a_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    made = make_key(tmp_path / "keys")
    path = tmp_path / "keys" / checkpoint_key.PRIVATE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_key(tmp_path / "keys").id == made.id
    assert made.public_key in (path.parent / f"{made.id}.pub").read_text()
    path.chmod(0o640)
    with pytest.raises(Conflict, match="readable by its owner alone"):
        load_key(tmp_path / "keys")


def test_what_is_no_key_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"checkpoint\.key"):
        load_key(tmp_path)
    path = tmp_path / checkpoint_key.PRIVATE
    path.write_text("not a key")
    path.chmod(0o600)
    with pytest.raises(Conflict, match="Expected an Ed25519 key"):
        load_key(tmp_path)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33])
def test_every_leaf_climbs_to_the_root_and_no_other_does(count: int) -> None:
    hashes = [merkle.leaf_hash(f"leaf {number}".encode()) for number in range(count)]
    root = merkle.root(hashes)
    for leaf, way in zip(hashes, merkle.proofs(hashes, range(count)), strict=True):
        assert merkle.climb(leaf, way) == root
        assert merkle.climb(merkle.leaf_hash(b"another"), way) != root
