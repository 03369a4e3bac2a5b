"""A pooled connection that died is replaced before anybody else uses it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from engine import audit, database
from engine.database import connect
from engine.errors import Conflict, Invalid
from engine.prepared import Question
from engine.stored.task import Task
from tests.clock import SettableClock
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import end, process, start

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_a_connection_that_died_while_idle_is_replaced(
    postgresql_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE", 0.0)
    ours = connect(postgresql_database.url.render_as_string(hide_password=False))
    try:
        with ours.connect() as connection:
            before = connection.scalar(text("SELECT pg_backend_pid()"))
        with postgresql_database.connect() as connection:
            connection.execute(text(CUT))
        with ours.connect() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) != before
    finally:
        ours.dispose()


def _refuse_behind_a_cut(plant: Plant, cut: Engine) -> None:
    with plant.acting() as act:
        act.session.scalar(select(func.pg_backend_pid()))
        with cut.connect() as connection:
            connection.execute(text(CUT))
        raise Invalid("Expected another thing, but found this")


def test_a_connection_that_dies_behind_an_answer_takes_nothing_away(
    postgresql_database: Engine, clock: SettableClock
) -> None:
    """A page was ready when the server went down, and its rollback made a server error of it that no handler saw."""
    plant = Plant(postgresql_database, clock)
    cut = connect(postgresql_database.url.render_as_string(hide_password=False))
    try:
        with plant.reading() as session:
            before = session.scalar(select(func.pg_backend_pid()))
            with cut.connect() as connection:
                connection.execute(text(CUT))
        with pytest.raises(Invalid):
            _refuse_behind_a_cut(plant, cut)
        with plant.reading() as session:
            assert session.scalar(select(func.pg_backend_pid())) != before
    finally:
        cut.dispose()


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_statement_that_the_server_ends_is_a_busy_database_and_no_mistake_of_ours(
    postgresql_database: Engine, clock: SettableClock, limit: str
) -> None:
    plant = Plant(postgresql_database, clock)
    plant.deploy(process(start(), work("a"), end(), flows="s > a > e"))
    url = postgresql_database.url.update_query_dict({"options": f"-c {limit}=100ms"})
    hurried = connect(url.render_as_string(hide_password=False))
    plant.installation = Plant(hurried, clock).installation
    try:
        with postgresql_database.begin() as connection:
            connection.execute(text("LOCK TABLE task IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(Conflict) as busy:
                plant.start()
            with plant.reading() as session, pytest.raises(OperationalError) as slow:
                session.scalars(select(Task)).first()
        assert busy.value.code == "BUSY"
        assert database.is_away(slow.value)
        assert plant.open(plant.start())
    finally:
        hurried.dispose()


def test_a_connection_that_dies_within_a_prepared_statement_is_given_up_and_the_next_act_has_another(
    postgresql_database: Engine,
) -> None:
    asked = Question(select(func.pg_backend_pid().label("pid")))
    ours = connect(postgresql_database.url.render_as_string(hide_password=False))
    try:
        with Session(ours) as session:
            ((before,),) = asked.ask(session, {})
            with postgresql_database.connect() as connection:
                connection.execute(text(CUT))
            with pytest.raises(OperationalError) as broken:
                asked.ask(session, {})
            assert broken.value.connection_invalidated
        with Session(ours) as session:
            assert asked.ask(session, {}) != [(before,)]
    finally:
        ours.dispose()


def test_an_act_whose_commit_fails_leaves_no_transaction_open(plant: Plant) -> None:
    class Full(Exception):
        pass

    def fail(_connection: Any) -> None:
        raise Full

    database = plant.installation.database
    event.listen(database, "commit", fail)
    try:
        with pytest.raises(Full), plant.acting("bea") as act:
            act.note("thing", "t-1", "TRIED")
    finally:
        event.remove(database, "commit", fail)
    for _ in range(3):
        with plant.acting("bea") as act:
            act.note("thing", "t-1", "DONE")
    with plant.reading() as session:
        assert [row.action for row in audit.chain_of(session, "thing", "t-1")] == ["DONE"] * 3
