"""A signature that is copied to another record, or moved there, verifies false: in the database and in the package (11.70)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.database import new_id
from records.signature import Signature
from tests.people import rita
from tests.scenarios.test_evidence import altered, export, signed
from tests.scenarios.test_evidence import verify as verify_package
from tests.scenarios.test_integrity import breaks_of, tamper
from tests.scenarios.test_integrity import verify as verify_database
from tests.story import Story

__all__ = ["signed"]


def copy_to(story: Story, record_id: str) -> tuple[str, str]:
    """Return the statement that copies the first signature to another record, and the copy's id."""
    copied, names = new_id(), [column.name for column in Signature.__table__.columns]
    values = ", ".join({"id": f"'{copied}'", "record_id": f"'{record_id}'"}.get(name, name) for name in names)
    if story.installation.database.dialect.name == "postgresql":
        values = values.replace(f"'{copied}'", f"CAST('{copied}' AS uuid)")
    chosen = f"SELECT {values} FROM signature WHERE id = '{story.signatures[0].id}'"
    return f"INSERT INTO signature ({', '.join(names)}) {chosen}", copied


@pytest.mark.part11("11.70")
def test_a_signature_that_is_copied_to_another_record_verifies_false(signed: Story) -> None:
    first = signed.requisition.id
    signed.as_(rita).start("requisition_to_po", lines=[("P-100", 7)])
    assert signed.requisition.id != first
    statement, copied = copy_to(signed, signed.requisition.id)
    result = verify_database(tamper(signed, statement))
    assert result.exit_code == 1
    assert [(kind, record_id) for kind, record_id, _row in breaks_of(result)] == [("signature", copied)]


@pytest.mark.part11("11.70")
def test_a_signature_that_is_moved_to_another_record_verifies_false(signed: Story) -> None:
    mine = signed.signatures[0].id
    result = verify_database(tamper(signed, f"UPDATE signature SET record_id = '{new_id()}' WHERE id = '{mine}'"))
    assert result.exit_code == 1
    assert [(kind, record_id) for kind, record_id, _row in breaks_of(result)] == [("signature", mine)]


@pytest.mark.part11("11.70")
def test_the_guard_refuses_to_move_a_signature(signed: Story) -> None:
    database = signed.installation.database.execution_options(writes=True)
    mine = signed.signatures[0].id
    with pytest.raises(DBAPIError), database.begin() as connection:
        connection.execute(text(f"UPDATE signature SET record_id = '{new_id()}' WHERE id = '{mine}'"))


@pytest.mark.part11("11.70")
def test_in_a_package_a_signature_of_another_record_verifies_false(signed: Story, tmp_path: Path) -> None:
    package = export(signed, tmp_path / "package")

    def of(evidence: dict[str, Any]) -> dict[str, Any]:
        return next(row for row in evidence["rows"] if row["of"][0] == "signature")

    def move(evidence: dict[str, Any]) -> None:
        of(evidence)["fields"]["record_id"] = new_id()

    def rebind(evidence: dict[str, Any]) -> None:
        of(evidence)["fields"]["content_hash"] = "ab" * 32

    def copy(evidence: dict[str, Any]) -> None:
        evidence["rows"].append({"of": ["signature", new_id()], "fields": of(evidence)["fields"]})

    for change, sentence in (
        (move, "record_id is not what"),
        (rebind, "content_hash is not what"),
        (copy, "unreadable"),
    ):
        code, said = verify_package(altered(package, tmp_path / change.__name__, change))
        assert (code, sentence in said) == (1, True), (sentence, said)
