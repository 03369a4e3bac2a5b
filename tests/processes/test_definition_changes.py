"""Processes under change control: locked for good, the next version comes with a change order that its author did not sign alone."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from engine import definitions
from engine.act import Act, Installation
from engine.definitions import Definition, DefinitionFile
from engine.errors import Conflict, Forbidden, RuleViolation
from processes import change_orders
from processes.bundle import bundle_files
from processes.definition_changes import add_definition, lock
from records.change_order import ChangeOrder, move
from records.change_request import OrderClass
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
