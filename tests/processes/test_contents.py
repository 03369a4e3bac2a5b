"""A file that is kept is what its hash says, and a value that its column cannot hold is named: whatever an owner of the database writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, LargeBinary, bindparam, select, text
from sqlalchemy.orm import Session

from engine import definitions
from engine.act import Act, Installation
from engine.checkpoint_check import Trust
from engine.stored.definition import Definition, DefinitionFile
from engine.verification import Break
from processes.contents import altered_contents
from records.attachment import AttachmentContent, attach
from rules.policy import table_called
from rules.table_version import ADOPTED, keep_versions
from rules.triggers import remove_guard
from tests.makers import make_order
from tests.processes.test_definition_changes import PROCESS, changed_files
from webapp.cli.verifying import everything

TABLE = "rule_table_version"


@pytest.fixture
def tampering(plant: Installation) -> Iterator[Connection]:
    """Have a plant with a file of each kind, and a connection of an owner who took the guard away."""
    with plant.acting("user:pat") as act:
        arrange(act)
    with plant.database.execution_options(writes=True).connect() as connection, connection.begin() as transaction:
        remove_guard(connection)
        yield connection
        transaction.rollback()


def arrange(act: Act) -> None:
    keep_versions(act, ADOPTED, reason="as they came")
    attach(act, make_order(act), b"%PDF-1.7 as drawn", file_name="drawing.pdf")
    definitions.draft(act, changed_files(), process_id=PROCESS)


def told(
    connection: Connection, statement: str, check: Callable[[Session], Iterator[Break]] = altered_contents
) -> list[str]:
    """Return what a check says after a statement, which is taken back."""
    savepoint = connection.begin_nested()
    written = (
        text(statement).bindparams(bindparam("bytes", b"mine", LargeBinary))
        if ":bytes" in statement
        else text(statement)
    )
    assert connection.execute(written).rowcount == 1
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        session.connection()
        found = [str(one) for one in check(session)]
    savepoint.rollback()
    return found


def test_every_altered_file_and_version_is_named(tampering: Connection) -> None:
    with Session(tampering) as session:
        released = session.scalars(
            select(Definition).where(Definition.process_id == PROCESS, Definition.status == "RELEASED")
        ).one()
        drafted = session.scalars(
            select(Definition).where(Definition.process_id == PROCESS, Definition.status == "DRAFT")
        ).one()
        file = session.scalars(select(DefinitionFile).where(DefinitionFile.definition_id == released.id).limit(1)).one()
        digest = session.scalars(select(AttachmentContent.sha256)).one()
        one, other, file_id, path = str(released.id), str(drafted.id), str(file.id), file.path
        assert [str(each) for each in altered_contents(session)] == []
    assert told(tampering, f"UPDATE definition_file SET content = :bytes WHERE id = '{file_id}'") == [
        f"definition_file {file_id}: Expected {path} as it was deployed, but its content was altered.",
        f"definition {one}: {PROCESS} version 1: Expected the files that its hash is of, but they are others: one was altered.",
    ]
    (back,) = told(tampering, f"UPDATE definition SET status = 'DRAFT' WHERE id = '{one}'")
    assert back.endswith("row 1: amend_order version 1: Expected it released, as this row says, but it is DRAFT.")
    (forth,) = told(tampering, f"UPDATE definition SET status = 'RELEASED' WHERE id = '{other}'")
    assert forth.endswith("Expected a draft, since no row of its chain tells of a release, but it is RELEASED.")
    assert len(told(tampering, f"UPDATE definition SET hash = '{'a' * 64}' WHERE id = '{other}'")) == 2
    assert told(tampering, "UPDATE attachment_content SET content = :bytes") == [
        f"attachment_content {digest}: Expected the file as it was attached, but its content was altered."
    ]
    timers = f"{TABLE} timers/{table_called('timers').hash}"
    assert told(tampering, f"UPDATE {TABLE} SET content = :bytes WHERE name = 'timers'") == [
        f"{timers}: Expected the table as it was in use, but its content was altered."
    ]
    assert told(tampering, f"DELETE FROM {TABLE} WHERE name = 'timers'") == [
        f"{timers}: Expected the content of the table that the chain tells of last, but it is not kept."
    ]


def test_a_value_that_its_column_cannot_hold_is_named_and_ends_nothing(tampering: Connection) -> None:
    if tampering.dialect.name != "sqlite":
        return  # PostgreSQL keeps to the kinds of its columns.
    for column, value in (("unit_price", "cheap"), ("need_by", "soon"), ("certificates", "{")):
        found = told(
            tampering,
            f"UPDATE purchase_order_line SET {column} = '{value}'",
            lambda session: everything(session, Trust({}, {})),
        )
        assert f'but it is "{value}".' in found[0]
        assert f"Expected {column} to be" in found[0]
