"""Rows written past the unit of work are what its own flush would have made of them, savepoints and races included."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import bindparam, inspect, select, update
from sqlalchemy.exc import IntegrityError

from engine import audit, bulk, instances, rows, tasks
from engine.act import Act
from engine.audit import AuditEvent
from engine.decisions import DecisionEvaluation
from engine.errors import Conflict
from engine.prepared import Question
from engine.stored.instance import Instance, InstanceRecord
from engine.stored.task import Task, TaskState
from tests.engine.plant import Plant, statements, work
from tests.engine.spiff.diagrams import end, process, start

TWO = process(start(), work("a"), work("b"), end(), flows="s > a > b > e")


@pytest.fixture
def task(plant: Plant) -> Task:
    plant.deploy(TWO)
    return plant.task(plant.start())


def copy_of(task: Task, **changed: Any) -> Task:
    values = {column.key: getattr(task, column.key) for column in Task.__table__.columns if column.key != "version"}
    return rows.make(Task, values | changed)


def test_every_kind_of_value_comes_back_as_it_was_written(plant: Plant, task: Task) -> None:
    due = dt.datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    written = {
        "id": "01a20000-0000-7000-8000-000000000001",
        "token_id": 4711,
        "due_at": due,
        "amount": Decimal("1234.5600"),
        "party": "Müller & Söhne",
        "notes": ["one", {"two": [2, None, True]}],
        "set_id": None,
    }
    with plant.acting() as act:
        act.session.add(copy_of(task, **written))
    with plant.reading() as session:
        found = session.get_one(Task, written["id"])
    assert {name: getattr(found, name) for name in written} == written
    assert (found.version, found.title, found.candidates) == (1, task.title, task.candidates)


def test_a_row_that_was_written_is_an_ordinary_object_of_the_session(plant: Plant, task: Task) -> None:
    with plant.acting() as act:
        made = copy_of(task, id="01a20000-0000-7000-8000-000000000002", token_id=4711)
        act.session.add(made)
        act.session.flush()
        assert inspect(made).persistent
        assert act.session.get(Task, made.id) is made
        made.title = "Another title"
        act.session.flush()
        stored = act.session.execute(select(Task.title, Task.version).where(Task.id == made.id)).one()
    assert tuple(stored) == ("Another title", 2)


def test_what_was_set_to_what_it_was_is_not_written(plant: Plant, task: Task) -> None:
    with plant.acting() as act:
        held = tasks.find(act.session, task.id)
        held.notes = list(held.notes)
    assert plant.reread(task).version == task.version


def test_a_rolled_back_savepoint_takes_rows_back_from_the_session_too(plant: Plant, task: Task) -> None:
    made_id = "01a20000-0000-7000-8000-000000000003"
    with plant.acting() as act:
        held = tasks.find(act.session, task.id)
        held.party = "kept"
        with pytest.raises(Conflict):
            _change_and_refuse(act, held, copy_of(task, id=made_id, token_id=4711))
        assert (held.title, held.party, held.version) == (task.title, "kept", task.version + 1)
        assert act.session.get(Task, made_id) is None
        held.priority = 7
    after = plant.reread(task)
    assert (after.title, after.party, after.priority, after.state) == (task.title, "kept", 7, TaskState.OPEN)


def _change_and_refuse(act: Act, held: Task, made: Task) -> None:
    with act.attempt():
        held.title = "Changed and taken back"
        act.session.add(made)
        act.session.flush()
        raise Conflict("Expected this to be kept, but it is refused")


def test_a_row_that_somebody_else_changed_is_not_overwritten(plant: Plant, task: Task) -> None:
    def race() -> None:
        with plant.acting() as act:
            held = tasks.find(act.session, task.id)
            theirs = update(Task).where(Task.id == task.id).values(version=Task.version + 1, title="Theirs")
            act.session.connection().execute(theirs)
            held.title = "Mine"

    with pytest.raises(Conflict, match="somebody else changed it"):
        race()
    assert plant.reread(task).title == task.title


def test_a_task_is_decided_upon_as_it_is_now_though_the_act_had_read_it_before(plant: Plant, task: Task) -> None:
    with plant.acting() as act:
        held = tasks.find(act.session, task.id)
        instance = instances.find(act.session, task.instance_id)
        done = tasks.complete(act, task.id, {}, seen_version=task.version)
        assert done is held
        assert instance is act.session.get(Instance, task.instance_id)
    assert plant.reread(task).state == TaskState.COMPLETED
    assert plant.task(task.instance_id).element_id == "b"


def test_what_waited_to_be_written_outlives_a_savepoint_that_wrote_it_and_was_rolled_back(
    plant: Plant, task: Task
) -> None:
    with plant.acting() as act:
        held = instances.find(act.session, task.instance_id)
        act.note("thing", "1", "BEFORE")
        counted = {"id": "01a20000-0000-7000-8000-000000000004", "inputs": {}, "rows": [1], "output": [], "token_id": 1}
        place = {
            "instance_id": held.id,
            "element_id": "a",
            "decision_id": "d",
            "table_hash": "x",
            "evaluated_at": act.now,
        }
        bulk.add(act, DecisionEvaluation, [counted | place])
        with pytest.raises(Conflict):
            _write_and_refuse(act, held.id)
        act.note("thing", "1", "AFTER")
    with plant.reading() as session:
        events = audit.chain_of(session, "thing", "1")
        assert [(event.action, event.seq) for event in events] == [("BEFORE", 1), ("AFTER", 2)]
        columns = [column.key for column in AuditEvent.__table__.columns]
        assert audit.verify_chain([{name: getattr(event, name) for name in columns} for event in events]) is None
        assert [row.rows for row in session.scalars(select(DecisionEvaluation))] == [[1]]
        assert instances.records_of(session, task.instance_id) == []


def _write_and_refuse(act: Act, instance_id: str) -> None:
    with act.attempt():
        act.note("thing", "1", "TAKEN_BACK")
        act.session.add(InstanceRecord(instance_id=instance_id, record_type="thing", record_id="1"))
        act.session.flush()
        raise Conflict("Expected this to be kept, but it is refused")


_OF_TASK = Question(select(Task.__table__).where(Task.__table__.c.id == bindparam("wanted")))


def test_a_prepared_question_answers_as_the_ordinary_statement_does(plant: Plant, task: Task) -> None:
    amount, due = Decimal("12.3400"), dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
    with plant.acting() as act:
        made = copy_of(task, id="01a20000-0000-7000-8000-000000000005", token_id=4711, amount=amount, due_at=due)
        act.session.add(made)
        made_id = made.id
    with plant.reading() as session:
        quick = _OF_TASK.ask(session, {"wanted": made_id})
    with statements(plant.installation.database) as seen, plant.reading() as session:
        ordinary = _OF_TASK.ask(session, {"wanted": made_id})
    assert quick == ordinary != []
    assert len(seen) == 1
    assert {amount, due} <= {value for value in quick[0] if not isinstance(value, list | dict)}


def test_what_the_database_refuses_of_a_prepared_statement_is_taken_back_by_a_savepoint_alone(
    plant: Plant, task: Task
) -> None:
    with plant.acting() as act:
        tasks.find(act.session, task.id).party = "kept"
        with pytest.raises(IntegrityError, match=r"(?i)unique"), act.attempt():
            act.session.add(copy_of(task, id="01a20000-0000-7000-8000-000000000006"))
        act.note("thing", "1", "AFTER")
    assert plant.reread(task).party == "kept"
    assert len(plant.open(task.instance_id)) == 1
