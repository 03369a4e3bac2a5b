"""What an auditor takes along verifies without Lockstep, and every way to alter it is named (D23)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.act import Installation
from engine.audit import GENESIS
from engine.checkpoint_check import Trust, check
from engine.checkpoint_key import load_key, make_key
from processes import change_orders
from processes.checkpointing import seal
from processes.evidence import document_called
from processes.evidence_package import SCRIPT, package_of, write_folder
from rules.triggers import remove_guard
from tests.amendments import acknowledged, acknowledged_order, amend, more, newest
from tests.pdf_text import words_of
from tests.people import bea, lena, rita
from tests.processes.test_change_orders import revised
from tests.processes.test_change_orders import signed as approved
from tests.story import Story
from webapp.cli import main

Alter = Callable[[dict[str, Any]], object]


@pytest.fixture
def signed(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Have an approved order, and the folders of the house where the command line finds them."""
    for name in ("key", "checkpoint"):
        folder = story.installation.settings[f"{name}_folder"]
        monkeypatch.setenv(f"LOCKSTEP_{name.upper()}_FOLDER", folder)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    story.as_(lena).decide("approve_requisition", "approve")
    return story.as_(bea).decide("complete_order", "submit")


def call(story: Story, *words: str) -> Result:
    url = story.installation.database.url.render_as_string(hide_password=False)
    return CliRunner().invoke(main, ["--database", url, *words])


def export(story: Story, folder: Path, number: str = "") -> Path:
    result = call(story, "export", number or story.order.proposal_no, "--out", str(folder))
    assert result.exit_code == 0, result.output
    return folder


def verify(folder: Path, *words: str) -> tuple[int, str]:
    """Run the package's own script as somebody who has no Lockstep does."""
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "verify_package.py"), str(folder), *words],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def altered(package: Path, folder: Path, change: Alter) -> Path:
    """Copy a package and alter its evidence."""
    shutil.copytree(package, folder)
    path = folder / "evidence.json"
    evidence = json.loads(path.read_text("utf-8"))
    change(evidence)
    path.write_text(json.dumps(evidence), "utf-8")
    return folder


def chain_of(evidence: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return next(one["rows"] for one in evidence["chains"] if one["of"][0] == kind)


@pytest.mark.part11("11.10(b)", "11.30", "11.70")
def test_an_order_is_exported_and_every_alteration_is_named(signed: Story, tmp_path: Path) -> None:
    """D23: row 5 of a chain of more than twenty rows; and everything else that somebody could try."""
    package = export(signed, tmp_path / "package")
    key = load_key(Path(signed.installation.settings["key_folder"])).public_key
    assert verify(package) == (0, "OK")
    assert verify(package, key) == (0, "OK")
    (tmp_path / "plant.pub").write_text(f"{key}\n", "utf-8")
    assert verify(package, str(tmp_path / "plant.pub")) == (0, "OK")
    evidence = json.loads((package / "evidence.json").read_text("utf-8"))
    order_id = signed.order.id
    rows = chain_of(evidence, "purchase_order")
    assert len(rows) >= 20

    def forge(found: dict[str, Any]) -> None:
        found["chains"][0]["rows"][4]["actor"] = "user:otto"

    def cut(found: dict[str, Any]) -> None:
        del chain_of(found, "instance")[-1]

    def repaint(found: dict[str, Any]) -> None:
        found["rows"][0]["fields"]["currency"] = "EUR"

    def resign(found: dict[str, Any]) -> None:
        next(row for row in found["rows"] if row["of"][0] == "signature")["fields"]["printed_name"] = "Max Lindgren"

    def retell(found: dict[str, Any]) -> None:
        found["contents"][0]["content"]["currency"] = "EUR"

    def redecide(found: dict[str, Any]) -> None:
        next(one for one in found["chains"] if one["of"][0] == "decision")["rows"][0]["verdict"] = "reject"

    def restamp(found: dict[str, Any]) -> None:
        next(iter(found["checkpoints"].values()))["statement"]["made_at"] = "2026-01-01T00:00:00.000000Z"

    def uproot(found: dict[str, Any]) -> None:
        found["proofs"][0]["way"][0] = "L" + "ab" * 32

    def uncover(found: dict[str, Any]) -> None:
        del found["proofs"][0]

    for change, sentence in (
        (forge, f"purchase_order {order_id} seq 5: altered"),
        (cut, "not as checkpoint"),
        (repaint, f"purchase_order {order_id}: currency is not what its chain says"),
        (resign, "printed_name is not what its chain says"),
        (retell, "not what was signed"),
        (redecide, "seq 1: altered"),
        (restamp, "checkpoint 1: not signed by the key in the package"),
        (uproot, "not as checkpoint 1 saw it"),
        (uncover, "seq 1: no checkpoint covers it"),
        (lambda found: found.pop("chains"), "unreadable"),
    ):
        code, said = verify(altered(package, tmp_path / f"copy_{sentence[-9:]}_{id(change)}", change))
        assert (code, sentence in said) == (1, True), (sentence, said)
    stranger = make_key(tmp_path / "stranger").public_key
    assert verify(package, stranger) == (1, f"checkpoint 1: not signed by {stranger}")
    (package / "record.pdf").write_bytes(b"another")
    assert verify(package) == (1, "record.pdf: missing, altered or not of this package")


@pytest.mark.part11("11.10(b)", "11.50(b)")
def test_the_pdf_says_who_signed_what_when_why_and_how(signed: Story, tmp_path: Path) -> None:
    content = (export(signed, tmp_path / "package", signed.requisition.number) / "record.pdf").read_bytes()
    said = words_of(content)
    signature = signed.signatures[-1]
    assert content.startswith(b"%PDF")
    for word in (signature.printed_name, signature.printed_title, "password", signature.content_hash[:12], "UTC"):
        assert word in said


@pytest.mark.part11("11.50(a)", "11.50(b)")
def test_a_change_order_is_exported_with_what_its_board_signed(story: Story, tmp_path: Path) -> None:
    """The package of a change order: its items, its affected revisions, the content that was signed, and who signed it."""
    with story.installation.acting("user:ella") as act:
        order, _, _ = revised(act)
        approved(act, order)
        change_orders.apply(act, order)
    key = make_key(Path(story.installation.settings["key_folder"]))
    with story.installation.acting("system:checkpoint") as act:
        assert seal(act, key) is not None
    with story.installation.reading() as session:
        files = package_of(session, document_called(session, order.number), now=story.clock.now)
    package = write_folder(tmp_path / "package", files)
    assert verify(package, key.public_key) == (0, "OK")
    evidence = json.loads((package / "evidence.json").read_text("utf-8"))
    assert [one["hash"] for one in evidence["contents"]] == [order.content_hash]
    kinds = {row["of"][0] for row in evidence["rows"]}
    assert kinds >= {"change_order", "affected_item", "change_item", "signature", "approval_slot"}
    certificate = words_of((package / "record.pdf").read_bytes())
    signed_by = [row["fields"] for row in evidence["rows"] if row["of"][0] == "signature"]
    assert signed_by
    for row in signed_by:
        shown = (
            row["printed_name"],
            row["printed_title"],
            row["meaning"].capitalize(),
            "-0600 (15:00:00 UTC)",
            row["content_hash"],
        )
        assert [said for said in shown if said not in certificate] == [], certificate

    def repaint(found: dict[str, Any]) -> None:
        found["contents"][0]["content"]["title"] = "Thinner flange"

    assert verify(altered(package, tmp_path / "copy", repaint)) == (
        1, f"content {str(order.content_hash)[:12]}: not what was signed",
    )  # fmt: skip


@pytest.mark.part11("11.10(b)")
@acknowledged_order
def test_an_order_is_exported_with_its_amendments_and_what_was_signed_of_them(story: Story, tmp_path: Path) -> None:
    """The package of an order says of each revision who signed it, on which content, and what became of it."""
    acknowledged(story)
    amend(story, more(102))
    story.as_(lena).decide("decide_slot", "approve")
    amendment = newest(story)
    key = make_key(Path(story.installation.settings["key_folder"]))
    with story.installation.acting("system:checkpoint") as act:
        assert seal(act, key) is not None
    with story.installation.reading() as session:
        files = package_of(session, document_called(session, story.order.number), now=story.clock.now)
    package = write_folder(tmp_path / "package", files)
    assert verify(package, key.public_key) == (0, "OK")
    evidence = json.loads((package / "evidence.json").read_text("utf-8"))
    assert amendment.content_hash in {one["hash"] for one in evidence["contents"]}
    about = {tuple(row["of"]) for row in evidence["rows"]}
    assert ("purchase_order_amendment", amendment.id) in about
    assert {kind for kind, _ in about} >= {"amendment_change", "change_item", "approval_slot", "signature"}
    assert story.instance_id in {one["instance_id"] for one in evidence["definitions"]}
    assert amendment.content_hash in words_of((package / "record.pdf").read_bytes())

    def reprice(found: dict[str, Any]) -> None:
        mine = next(one for one in found["contents"] if one["hash"] == amendment.content_hash)
        mine["content"]["money_delta"] = "0.0000"

    broken = altered(package, tmp_path / "copy", reprice)
    assert verify(broken) == (1, f"content {amendment.content_hash[:12]}: not what was signed")


def test_a_package_is_never_written_over_something(signed: Story, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    refused = call(signed, "export", signed.order.proposal_no, "--out", str(tmp_path / "full"))
    assert (refused.exit_code, "has something in it" in refused.output) == (3, True)
    zipped = call(signed, "export", signed.order.proposal_no, "--zip", "--out", str(tmp_path / "one.zip"))
    assert (zipped.exit_code, (tmp_path / "one.zip").exists()) == (0, True)
    assert call(signed, "export", "PO-NONE").exit_code == 3


def test_the_script_is_short_and_needs_nothing() -> None:
    lines = SCRIPT.read_text("utf-8").splitlines()
    assert len(lines) <= 100
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names


@pytest.mark.part11("11.10(e)")
def test_the_database_refuses_to_alter_the_chain(signed: Story) -> None:
    """D23, the first half on both databases; the rights of the web role are tested where they are given."""
    for statement in ("UPDATE audit_event SET actor = 'user:otto'", "DELETE FROM audit_event"):
        with pytest.raises(DBAPIError, match="APPEND_ONLY"), signed.installation.database.begin() as connection:
            connection.execute(text(statement))


def test_the_chain_of_decisions_cannot_be_shortened_unseen(signed: Story, tmp_path: Path) -> None:
    export(signed, tmp_path / "package")
    found = signed.read(lambda session: document_called(session, signed.requisition.number))
    assert found.id == signed.requisition.id
    instance_id = signed.instance.id
    with signed.installation.database.begin() as connection:
        remove_guard(connection)
        connection.execute(text("UPDATE decision SET voids_id = NULL"))
        connection.execute(text(f"DELETE FROM decision WHERE instance_id = '{instance_id}'"))
        connection.execute(
            text(f"UPDATE instance SET decision_seq = 0, decision_hash = '{GENESIS}' WHERE id = '{instance_id}'")
        )
    assert ("decision", instance_id, 1) in _places(signed.installation)


def _places(installation: Installation) -> list[tuple[str, str, int | None]]:
    with installation.reading() as session:
        return [(one.record_type, one.record_id, one.seq) for one in check(session, Trust({}, {}))]
