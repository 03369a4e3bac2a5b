"""W26: the inbox of 10,000 open tasks in 200 groups.

It opens, sorts by amount and filters by supplier from its indexes, with as many statements as for one task, and its
counts agree with its list. How long that takes stands in benchmarks/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Select, event, select

from engine import inbox, inbox_query
from engine.act import Act
from engine.stored.task import TaskCandidate
from tests.crowd import gather
from tests.makers import make_grant, make_user
from tests.people import gina, olga
from tests.story import Story, plant_with
from tests.webapp.browser import Browser
from tests.webapp.conftest import People

GROUPS, EACH = 200, 50

Sent = list[tuple[str, Any]]


def crowded(story: Story) -> None:
    """Have 10,000 open tasks, 50 in each of 200 groups; quentin is in all of them, tess in 20, rose in one."""
    gather(story, {"quentin": GROUPS, "tess": 20, "rose": 1}, groups=GROUPS, each=EACH)


pytestmark = pytest.mark.begins_with(plant_with("crowd", crowded))


@contextmanager
def sent_to(engine: Engine) -> Iterator[Sent]:
    """Collect the statements sent while the block runs, with their parameters."""
    sent: Sent = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def plan_of(connection: Connection, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {statement}", parameters))


WANTED = {
    "opens": ({"sort": "due"}, "ix_task_candidate_principal_due_at"),
    "sorts by amount": ({"sort": "amount"}, "ix_task_candidate_principal_amount"),
    "filters by supplier": ({"sort": "due", "query": "quickplate"}, "ix_task_candidate_principal_"),
}


def test_a_page_of_ten_thousand_reads_from_the_index_and_shows_what_comes_first(story: Story) -> None:
    """W26: no table is read whole, whoever asks, and the first rows are the first of all groups."""
    for wanted, index in WANTED.values():
        for user_id in ("quentin", "rose"):
            with story.installation.reading() as session, sent_to(story.installation.database) as sent:
                inbox.page(session, user_id, box="groups", **wanted)
            [rows] = [one for one in sent if "task_candidate" in one[0]]
            with story.installation.database.connect() as connection:
                plan = plan_of(connection, *rows)
            assert index in plan, plan
            assert "Seq Scan on task" not in plan, plan
            assert "SCAN task" not in plan, plan
    largest = story.read(lambda session: inbox.page(session, "quentin", box="groups", sort="amount", limit=200))
    amounts = [item.task.amount for item in largest.items if item.task]
    assert amounts == sorted((Decimal(turn * 13 % 9_001) for turn in range(GROUPS * EACH)), reverse=True)[:200]
    found = story.read(lambda session: inbox.page(session, "quentin", box="groups", query="quickplate", limit=200))
    assert {item.task.party for item in found.items if item.task} == {"QuickPlate"}
    asked = {"query": "supplier:quickplate", "sort": "amount", "limit": 200}
    dearest = story.read(lambda session: inbox.page(session, "quentin", box="groups", **asked))
    theirs = sorted((Decimal(turn * 13 % 9_001) for turn in range(1, GROUPS * EACH, 4)), reverse=True)
    assert [item.task.amount for item in dearest.items if item.task] == theirs[:200]
    with story.installation.reading() as session, sent_to(story.installation.database) as sent:
        inbox.page(session, "tess", box="groups", query="amount>8900")
    with story.installation.database.connect() as connection:
        plans = [plan_of(connection, *one) for one in sent if "task_candidate" in one[0]]
    assert all("ix_task_candidate_principal_amount" in plan for plan in plans), plans
    assert plans


def test_counts_of_ten_thousand_agree_with_the_list_and_read_no_task(story: Story) -> None:
    """W26: the number beside the box is the number of rows behind it."""
    seen: list[str] = []
    after: str | None = None
    while True:
        with story.installation.reading() as session:
            page = inbox.page(session, "tess", box="groups", after=after, limit=200)
        seen += [item.task.id for item in page.items if item.task]
        after = page.next
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 20 * EACH
    assert story.read(lambda session: inbox.counts(session, "tess").groups) == 20 * EACH
    with story.installation.reading() as session:
        search = inbox_query.read(session, "supplier:quickplate", now=story.clock())
        counted = inbox.count(session, "tess", box="groups", query=search, most=1_000)
    assert counted == 20 * EACH // 4
    with story.installation.reading() as session, sent_to(story.installation.database) as sent:
        counted = inbox.counts(session, "quentin").groups
    assert counted == GROUPS * EACH
    assert not any(" task " in statement or "task_candidate" in statement for statement, _ in sent)


def test_the_page_of_ten_thousand_takes_no_more_statements_than_the_page_of_fifty(story: Story, browse: People) -> None:
    """W26: gina is in one group with 50 tasks, olga in 200 with 10,000: the same number of questions to the database.

    So does the review of a task that thirty people may take instead of three.
    """

    def enrol(act: Act) -> None:
        make_grant(act, "gina", "G007")
        for group in range(GROUPS):
            make_grant(act, "olga", f"G{group:03}")
        for number in range(30):
            make_grant(act, make_user(act, f"member{number}").id, "G008")

    def asked(browser: Browser, path: str) -> int:
        with sent_to(story.installation.database) as sent:
            assert browser.get(path).status_code == 200
        return len(sent)

    story.given(enrol)
    one, many = browse(gina), browse(olga)
    for path in ("/inbox?box=groups", "/inbox?box=groups&sort=amount", "/inbox?box=groups&q=quickplate"):
        few, lots = asked(one, path), asked(many, path)
        assert lots <= few + 2, (path, few, lots)
        assert "10,000" in many.text
    first = {
        role: story.read(lambda session, role=role: session.scalars(of_group(role)).first())
        for role in ("G007", "G008")
    }
    few, lots = (asked(many, f"/tasks/{first[role]}") for role in ("G007", "G008"))
    assert re.search(r"or \d\d more", many.text), many.text
    assert lots <= few + 2, (few, lots)


def of_group(role: str) -> Select[tuple[str]]:
    """Ask for the tasks of a group, by id."""
    return (
        select(TaskCandidate.task_id).where(TaskCandidate.principal == f"role:{role}").order_by(TaskCandidate.task_id)
    )
