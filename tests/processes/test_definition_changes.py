"""Processes under change control: locked for good, the next version comes with a change order that its author did not sign alone."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from engine import definitions
from engine.act import Act, Installation
from engine.definitions import Definition, DefinitionFile
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.verification import verify
from migrations import FOLDER
from processes import change_orders
from processes.bundle import bundle_files
from processes.definition_changes import add_definition, lock
from processes.table_changes import propose_tables
from records.change_order import ChangeOrder, move
from records.change_request import OrderClass
from records.definition_lock import DEFINITIONS, DefinitionLock
from rules.policy import TABLES, table_called, table_names
from rules.table_version import FOUND, in_use, keep_versions
from rules.tables_in_force import TableInForce, TablesNotInForce, in_force, problems_of, require_tables
from tests.changes import S, opened
from tests.makers import make_signature, make_slot

PROCESS = "amend_order"


def changed_files() -> dict[str, bytes]:
    """Return the shipped bundle with another name of one process."""
    files = bundle_files()
    path = f"processes/bpmn/{PROCESS}.bpmn"
    files[path] = files[path].replace(
        b'<bpmn:process id="amend_order" name="', b'<bpmn:process id="amend_order" name="New: ', 1
    )
    return files


def board(act: Act, order: ChangeOrder, signer: str) -> ChangeOrder:
    """Seal an order and have it signed by one person."""
    move(act, order, S.IMPACT)
    change_orders.send_to_review(act, order)
    content = order.content_hash or ""
    slot = make_slot(act, order, record_hash=content, role="PROCESS_ENGINEER")
    slot.signature = make_signature(act, order, content_hash=content, signer=signer, role="PROCESS_ENGINEER")
    act.session.flush()
    return move(act, order, S.APPROVED)


def test_a_locked_process_is_released_by_a_change_order_that_its_author_did_not_sign_alone(plant: Installation) -> None:
    files = changed_files()
    with plant.acting("user:quinn") as act:
        lock(act, reason="Validated")
    with (
        pytest.raises(RuleViolation, match="Expected a process to be released by a change order"),
        plant.acting("user:pat") as act,
    ):
        definitions.deploy(act, files, process_id=PROCESS)
    with plant.acting("user:pat") as act:
        draft = definitions.draft(act, files, process_id=PROCESS)
        present = definitions.released(act.session, PROCESS)
        assert (draft.status, draft.version) == ("DRAFT", present.version + 1)
        draft_id = draft.id
    with plant.acting("user:ella") as act:
        draft = act.session.get_one(Definition, draft_id)
        for signer in ("pat", "quinn"):
            order = opened(act, OrderClass.C3)
            add_definition(act, order, draft)
            board(act, order, signer)
            if signer == "pat":
                with pytest.raises(RuleViolation, match="somebody else than its author"), act.attempt():
                    change_orders.apply(act, order)
                with pytest.raises(Conflict, match=f"but {order.number} .* already releases it"), act.attempt():
                    add_definition(act, opened(act, OrderClass.C3), draft)
                change_orders.withdraw(act, order, reason="its author alone signed it")
                continue
            (used,) = change_orders.apply(act, order)
            assert used.applied_at is not None
        assert definitions.released(act.session, PROCESS).id == draft.id


def test_the_lock_is_quality_s_and_stays(plant: Installation) -> None:
    with pytest.raises(Forbidden), plant.acting("user:pat") as act:
        lock(act, reason="Validated")
    with plant.acting("user:quinn") as act:
        made = lock(act, reason="Validated")
        with pytest.raises(Conflict, match="quinn locked them"):
            lock(act, reason="again")
        act.session.flush()
    with pytest.raises(RuleViolation, match=r"to stay|be kept|APPEND_ONLY"), plant.acting("user:quinn") as act:
        act.session.delete(act.session.merge(made))


def test_a_deployed_process_stays_what_it_is(plant: Installation) -> None:
    table, files = Definition.__table__, DefinitionFile.__table__
    for statement in (
        update(table).values(hash="0" * 64),
        update(files).values(content=b"x"),
        delete(files),
    ):
        with pytest.raises(IntegrityError), plant.database.execution_options(writes=True).begin() as connection:
            connection.execute(statement)


def drafts(folder: Path, name: str = "timers") -> Path:
    """Have a table with another annotation, and its example rows, in a folder."""
    source = (TABLES / f"{name}.dmn").read_text(encoding="utf-8")
    (folder / f"{name}.dmn").write_text(source.replace("<description>", "<description>Anew: ", 1), encoding="utf-8")
    shutil.copy(TABLES / f"{name}.test.json", folder)
    return folder


def test_a_rule_table_comes_in_force_by_a_change_order_alone_and_no_program_starts_on_another(
    plant: Installation, tmp_path: Path
) -> None:
    folder = drafts(tmp_path)
    with plant.acting("user:quinn") as act:
        lock(act, reason="Validated")
        assert problems_of(act.session) == []
    with pytest.raises(RuleViolation, match="Expected a rule table to come in force"), plant.acting("user:pat") as act:
        in_force(act.session)["timers"].content_hash = "f" * 64
    with pytest.raises(RuleViolation, match="Expected a rule table to come in force"), plant.acting("user:pat") as act:
        act.session.add(TableInForce(name="of_my_own", content_hash="f" * 64))
    with pytest.raises(Forbidden), plant.acting("user:rita") as act:
        propose_tables(act, opened(act), folder)
    with plant.acting("user:pat") as act:
        order = opened(act, OrderClass.C3)
        assert propose_tables(act, order, folder) == ["timers"]
        with pytest.raises(Conflict, match="already changes it"), act.attempt():
            propose_tables(act, opened(act, OrderClass.C3), folder)
        board(act, order, "quinn")
        (used,) = change_orders.apply(act, order)
        assert used.applied_at is not None
        assert change_orders.apply(act, order) == []
    with plant.reading() as session:
        (told,) = problems_of(session)
        assert told.startswith("The table timers is ")
        assert in_use(session)["timers"] == in_force(session)["timers"].content_hash
        assert [str(one) for one in verify(session)] == []
        with pytest.raises(TablesNotInForce, match="The table timers"):
            require_tables(session)


def test_a_table_that_fails_its_examples_or_is_signed_by_its_author_alone_is_refused(
    plant: Installation, tmp_path: Path
) -> None:
    folder = drafts(tmp_path)
    with plant.acting("user:quinn") as act:
        lock(act, reason="Validated")
    with plant.acting("user:ella") as act:
        number = opened(act, OrderClass.C3).id
    with plant.acting("user:pat") as act:
        order = act.session.get_one(ChangeOrder, number)
        propose_tables(act, order, folder)
        board(act, order, "pat")
        with pytest.raises(RuleViolation, match="somebody else than its author"), act.attempt():
            change_orders.apply(act, order)
        (folder / "timers.test.json").write_text('{"examples": []}')
        with pytest.raises(Invalid, match="no example fires row 1"), act.attempt():
            propose_tables(act, opened(act), folder)
        (folder / "timers.dmn").write_text("<definitions>")
        with pytest.raises(Invalid, match="can be used"), act.attempt():
            propose_tables(act, opened(act), folder)


def test_a_plant_that_was_locked_before_there_were_tables_in_force_has_what_it_locked_after_a_migration(
    plant: Installation,
) -> None:
    with plant.acting("system:worker") as act:
        keep_versions(act, FOUND)
        act.note("rule_table", "timers", FOUND, field="content", new="a" * 64)
    with plant.acting("user:quinn") as act:
        act.session.add(DefinitionLock(scope=DEFINITIONS, reason="Validated", locked_by="quinn", locked_at=act.now))
    later = plant.clock() + dt.timedelta(days=1)
    with plant.acting("system:worker", now=later) as act:
        act.note("rule_table", "timers", FOUND, field="content", new="b" * 64)
        act.note("rule_table", "waivers", FOUND, field="content", new="c" * 64)
    step = ScriptDirectory(str(FOLDER)).get_revision("20261123_2210").module
    with (
        plant.database.execution_options(writes=True).begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        step.upgrade()
        step.upgrade()
    with plant.reading() as session:
        counted = {name: row.content_hash for name, row in in_force(session).items()}
        installed = {name: table_called(name).hash for name in table_names()}
        assert counted == installed | {"timers": "a" * 64}
        (told,) = problems_of(session)
        assert told.startswith(f"The table timers is {installed['timers'][:12]}, but in force is aaaaaaaaaaaa: install")
        assert [str(one) for one in verify(session)] == []
