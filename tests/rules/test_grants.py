"""What the web role of PostgreSQL may do, and what it may not even try."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from engine import verification
from engine.checkpoint_key import make_key
from engine.database import connect
from engine.errors import Conflict, Invalid, NotFound
from processes import change_orders
from processes.checkpointing import seal
from records.change_order import ChangeOrderStatus, move
from rules.grants import grant_to_web_role, written_once
from tests.changes import revised
from tests.clock import SettableClock
from tests.conftest import opened
from tests.databases import Databases
from tests.makers import make_cast, make_site


@contextmanager
def web_role(owned: Engine) -> Iterator[Engine]:
    """Work as a role of its own that owns nothing, on a database with the cast in it."""
    from webapp.wiring import wire

    role = f"web_{uuid.uuid4().hex[:12]}"
    house = wire(owned.url.render_as_string(hide_password=False), clock=SettableClock())
    with house.acting("system:test") as act:
        make_site(act)
        make_cast(act)
        order, before, _ = revised(act)
        change_orders.add_edit(act, order, before, "drawing_rev", "C")
        change_orders.take_baseline(act, order)
        move(act, order, ChangeOrderStatus.IMPACT)
        change_orders.send_to_review(act, order)
    house.database.dispose()
    with owned.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        grant_to_web_role(connection, role)
    engine = connect(owned.url.set(username=role).render_as_string(hide_password=False))
    yield engine
    engine.dispose()
    with owned.begin() as connection:
        connection.execute(text(f"DROP OWNED BY {role}"))
        connection.execute(text(f"DROP ROLE {role}"))


@pytest.fixture
def web(postgresql_database: Engine) -> Iterator[Engine]:
    """Work as the web role on a database of the test's own, with a change order in review."""
    with web_role(postgresql_database) as engine:
        yield engine


@pytest.fixture(scope="module")
def refused(databases: Databases) -> Iterator[Engine]:
    """Work as the web role where nothing is ever written, since everything that is tried is refused."""
    with opened(databases, "postgresql") as owned, web_role(owned) as engine:
        yield engine


def test_the_web_role_works_and_its_work_is_chained(web: Engine, tmp_path: Path) -> None:
    from webapp.wiring import wire

    house = wire(web.url.render_as_string(hide_password=False), clock=SettableClock())
    with house.acting("user:adam", reason="a new job") as act:
        from records.person import User
        from records.roles import grant, user_called

        grant(act, user_called(act.session, "otto"), "BUYER")
        user = act.session.get(User, "otto")
        assert user is not None
        user.title = "Buyer"
    with house.acting("system:checkpoint") as act:
        assert seal(act, make_key(tmp_path)) is not None
    with house.reading() as session:
        assert list(verification.verify(session)) == []
    house.database.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET actor = 'user:otto'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "UPDATE checkpoint SET root = ''",
        "DELETE FROM decision",
        "UPDATE attachment SET size = 1",
        "DELETE FROM status_transition",
        "UPDATE alembic_version SET version_num = '1'",
    ],
)
@pytest.mark.part11("11.10(e)")
def test_what_is_written_once_is_denied_before_any_trigger_is_asked(refused: Engine, statement: str) -> None:
    with refused.connect() as connection, pytest.raises(ProgrammingError, match="permission denied for table"):
        connection.execute(text(statement))


def test_the_web_role_takes_no_trigger_away(refused: Engine) -> None:
    for statement in (
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
        "DROP TABLE audit_event",
    ):
        with refused.connect() as connection, pytest.raises(ProgrammingError, match="must be owner"):
            connection.execute(text(statement))
    with refused.connect() as connection, pytest.raises(ProgrammingError, match="permission denied to set"):
        connection.execute(text("SET session_replication_role = replica"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE part_revision SET drawing_rev = 'Z' WHERE status = 'RELEASED'",
        "UPDATE part_revision SET status = 'OBSOLETE' WHERE status = 'RELEASED'",
        "DELETE FROM part_revision",
        "UPDATE change_order SET title = 'x'",
        "UPDATE change_order SET status = 'APPROVED'",
        "UPDATE change_item SET new_text = 'Z'",
        "DELETE FROM change_item",
    ],
)
def test_the_web_role_changes_nothing_that_a_change_order_controls(refused: Engine, statement: str) -> None:
    with (
        refused.connect() as connection,
        pytest.raises((IntegrityError, ProgrammingError), match=r"Expected|permission denied"),
    ):
        connection.execute(text(statement))


def test_granting_again_takes_back_what_was_given_by_hand(postgresql_database: Engine, web: Engine) -> None:
    role = web.url.username
    with postgresql_database.begin() as connection:
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
        grant_to_web_role(connection, str(role))
    with web.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("DELETE FROM audit_event"))


def test_an_owner_is_no_web_role(postgresql_database: Engine) -> None:
    with postgresql_database.begin() as connection:
        with pytest.raises(Conflict, match="owns nothing"):
            grant_to_web_role(connection, str(postgresql_database.url.username))
        with pytest.raises(NotFound, match="CREATE ROLE"):
            grant_to_web_role(connection, "nobody_of_that_name")


def test_sqlite_has_no_roles(sqlite_database: Engine) -> None:
    with sqlite_database.begin() as connection, pytest.raises(Invalid, match="no roles"):
        grant_to_web_role(connection, "web")


def test_the_chain_and_the_checkpoints_are_written_once() -> None:
    assert {"audit_event", "checkpoint", "checkpoint_leaf", "checkpoint_key", "decision"} <= written_once()
