"""An inbox shows what is somebody's, in any order, page by page; its counts never scan and always agree with the list."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine import assigning, inbox, inbox_query, instances
from engine.errors import Invalid
from engine.inbox import Narrowing, Page
from engine.stored.task import NO_AMOUNT, Task
from tests.engine.plant import Plant, approve, statements, work
from tests.engine.spiff.diagrams import end, process, start

REQUEST = process(
    start(),
    approve(
        "approve_it",
        role="=role",
        title='="Approve " + item',
        amount="=total",
        party="=supplier",
        extensions='<zeebe:taskSchedule dueDate="=due" /><zeebe:priorityDefinition priority="=priority" />',
    ),
    work("buy", role="BUYER"),
    end(),
    flows="s > approve_it > buy > e",
)


def fill(plant: Plant, count: int = 12, role: str = "PUR_MGR", prefix: str = "PR") -> list[str]:
    plant.deploy(REQUEST)
    dice = random.Random(7)
    found = []
    for number in range(count):
        plant.clock.advance(seconds=1)
        due = None if number % 4 == 3 else f"2026-12-{1 + dice.randrange(28):02}T10:00:00Z"
        found.append(
            plant.start(
                f"{prefix}-{number:02}",
                role=role,
                item=f"item {number}",
                total=Decimal(dice.randrange(1, 9)) * 100 if number % 5 else None,
                supplier=dice.choice(["NorthStar", "QuickPlate", "Äther"]),
                due=due,
                priority=dice.choice([10, 50, 90]),
            )
        )
    return found


def page(plant: Plant, who: str = "max", **more: object) -> Page:
    with plant.reading() as session:
        return inbox.page(session, who, **{"box": "groups", **more})


def keys(found: Page) -> list[str]:
    return [item.business_key for item in found.items]


@pytest.mark.parametrize("sort", list(inbox.SORTS))
def test_pages_in_any_order_show_every_task_once(plant: Plant, sort: str) -> None:
    fill(plant)
    seen: list[str] = []
    after = None
    for _ in range(10):
        found = page(plant, sort=sort, limit=5, after=after)
        seen += keys(found)
        after = found.next
        if after is None:
            break
    whole = page(plant, sort=sort, limit=100)
    assert seen == keys(whole)
    assert len(set(seen)) == 12


def test_an_order_is_what_it_says(plant: Plant) -> None:
    fill(plant)
    with plant.reading() as session:
        by_amount = [
            item.task.amount for item in inbox.page(session, "max", box="groups", sort="amount").items if item.task
        ]
        by_due = [item.task.due_at for item in inbox.page(session, "max", box="groups", sort="due").items if item.task]
    known = [amount for amount in by_amount if amount is not None]
    assert known == sorted(known, reverse=True)
    assert by_amount[len(known) :] == [None] * (12 - len(known))
    dated = [due for due in by_due if due is not None]
    assert dated == sorted(dated)
    assert by_due[len(dated) :] == [None] * (12 - len(dated))


def test_counts_agree_with_the_list_whatever_happens(plant: Plant) -> None:
    found = fill(plant, 6)
    plant.decide(plant.task(found[0]), "approve")
    with plant.acting("max") as act:
        assigning.claim(act, plant.task(found[1]).id)
    with plant.acting("lena") as act:
        assigning.claim(act, plant.task(found[2]).id)
    with plant.acting("rita") as act:
        instances.cancel(act, found[3], "not needed")
    for who, mine, groups in (("max", 1, 2), ("lena", 1, 2), ("bea", 0, 1), ("otto", 0, 0)):
        with plant.reading() as session:
            counted = inbox.counts(session, who)
        assert (counted.mine, counted.groups) == (mine, groups)
        assert len(page(plant, who, box="mine").items) == mine
        assert len(page(plant, who, box="groups").items) == groups
    with plant.reading() as session:
        assert inbox.counts(session, "max").queues["groups"] == {"p": 2}


def test_a_rolled_back_act_counts_nothing(plant: Plant) -> None:
    fill(plant, 1)
    with plant.acting("rita") as act:
        act.session.rollback()
    with plant.reading() as session:
        before = inbox.counts(session, "max").groups
    with pytest.raises(ZeroDivisionError):
        _start_and_crash(plant)
    with plant.reading() as session:
        assert inbox.counts(session, "max").groups == before == 1


def _start_and_crash(plant: Plant) -> None:
    with plant.acting("rita") as act:
        instances.start(act, "p", business_key="X", variables={"role": "PUR_MGR", "item": "x"})
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("item 3", {"PR-03"}),
        ("key:PR-1", {"PR-10", "PR-11"}),
        ("flow:p key:PR-02", {"PR-02"}),
        ("from:rita key:PR-00", {"PR-00"}),
        ("from:max", set()),
        ("amount>99999", set()),
        ("100%", set()),
        ("pr-05", {"PR-05"}),
    ],
)
def test_a_search_finds_what_it_names(plant: Plant, query: str, expected: set[str]) -> None:
    fill(plant)
    found = set(keys(page(plant, query=query)))
    assert found == expected if query != "item 3" else "PR-03" in found


def test_the_amount_and_the_due_date_can_be_compared(plant: Plant) -> None:
    fill(plant)
    with plant.reading() as session:
        dear = inbox.page(session, "max", box="groups", query="amount>500")
        soon = inbox.page(session, "max", box="groups", query="due<14d")
    assert dear.items
    assert all(item.task is not None and item.task.amount is not None and item.task.amount > 500 for item in dear.items)
    assert all(item.task is not None and item.task.due_at is not None for item in soon.items)


@pytest.mark.parametrize(
    "wrong",
    [{"box": "all"}, {"sort": "colour"}, {"limit": 0}, {"after": "xx"}, {"query": "amount>many"}, {"query": "x" * 300}],
)
def test_a_wrong_question_is_answered_clearly(small_plant: Plant, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="Expected"):
        page(small_plant, **wrong)


def test_a_cursor_of_another_order_is_refused(plant: Plant) -> None:
    fill(plant, 3)
    cursor = page(plant, sort="due", limit=1).next
    with pytest.raises(Invalid, match="amount"):
        page(plant, sort="amount", after=cursor)


def test_rows_follow_by_several_fields_in_either_direction_page_by_page(plant: Plant) -> None:
    fill(plant)
    by_amount = {item.business_key: item.task.amount or NO_AMOUNT for item in page(plant, limit=100).items if item.task}
    by_party = {item.business_key: item.task.party for item in page(plant, limit=100).items if item.task}
    seen: list[str] = []
    after = None
    while True:
        found = page(plant, sort="party,-amount", limit=5, after=after)
        seen += keys(found)
        if (after := found.next) is None:
            break
    parties = [by_party[key] for key in seen]
    assert len(seen) == len(set(seen)) == 12
    assert parties == [party for party, _ in itertools.groupby(parties) for _ in range(parties.count(party))]
    for party in set(parties):
        amounts = [by_amount[key] for key in seen if by_party[key] == party]
        assert amounts == sorted(amounts)
    for wrong in ("party,party", "due,,colour", "due,amount,party,priority", "-"):
        with pytest.raises(Invalid, match="Expected"):
            page(plant, sort=wrong)


def test_a_search_that_makes_no_sense_says_what_was_not_understood_and_keeps_the_rest(plant: Plant) -> None:
    fill(plant)
    with plant.reading() as session:
        search = inbox_query.read(
            session,
            'supplier:quick amount>lots colour:red due>soon due: flow>p party:north vendr:x "a:b"',
            now=plant.clock(),
        )
        said = {problem.term: problem.sentence for problem in search.problems}
        found = inbox.page(session, "max", box="groups", query=replace(search, terms=search.terms[:1]))
    assert list(said) == ["amount>lots", "colour:red", "due>soon", "due:", "flow>p", "vendr:x"]
    assert all(sentence.startswith("Expected ") for sentence in said.values())
    assert "did you mean supplier?" in said["vendr:x"]
    assert "key, flow, supplier" in said["colour:red"]
    assert {problem.example for problem in search.problems} >= {"amount>5000", "due<3d"}
    assert {item.task.party for item in found.items if item.task} == {"QuickPlate"}
    with pytest.raises(Invalid, match="such as 5000"):
        page(plant, query="supplier:quick amount>lots")


def test_business_fields_are_searched_on_the_rows_that_the_index_holds(plant: Plant) -> None:
    fill(plant)
    with plant.reading() as session:
        for text_, count in (("supplier:QUICK", None), ("due:never", 3), ("due:late", 0), ("amount>=100 due<9000d", None),
                             ("key:pr-0", 10), ("flow:p", 12), ("flow:none", 0), ("supplier:nobody", 0), ("project:x", 0),
                             ("key:Pr-1", 2), ("key:R-1", 0), ("key:item", 0), ("quick item", None), ("PR-1 %", 0), ("r-11", 1),
                             ("nobody", 0), ("from:ben", 0)):  # fmt: skip
            search = inbox_query.read(session, text_, now=plant.clock()).understood()
            assert search.on_tasks == [], text_
            of_tasks = set(session.scalars(select(Task.business_key).where(*search.conditions)))
            of_rows = set(keys(inbox.page(session, "max", box="groups", query=search, limit=100)))
            assert of_rows == of_tasks, text_
            assert count is None or len(of_rows) == count, text_
            assert inbox.count(session, "max", box="groups", query=search, most=100) == len(of_rows)
    assert {item.task.party for item in page(plant, query="äTHER").items if item.task} == {"Äther"}


def test_the_tasks_of_each_absent_person_are_a_box_of_their_own_and_counted(plant: Plant) -> None:
    fill(plant, 3)
    fill(plant, 2, role="BUYER", prefix="PX")
    plant.staff.deputies["otto"] = ["max", "bea"]
    with plant.reading() as session:
        assert inbox.deputised(session, "otto") == ["max", "bea"]
        for absent, count in (("max", 3), ("bea", 2), ("lena", 0)):
            found = inbox.page(session, "otto", box="deputising", narrowed=Narrowing(for_whom=absent))
            assert {item.on_behalf_of for item in found.items} <= {absent}
            assert len(found.items) == inbox.count_for(session, "otto", absent) == count
        hidden = [
            found.items[0].task.id for found in [inbox.page(session, "otto", box="groups")] if found.items[0].task
        ]
        assert inbox.counts(session, "otto", hidden=hidden).groups == 4


def test_a_deputy_sees_whose_task_it_is(plant: Plant) -> None:
    fill(plant, 1)
    plant.staff.deputies["otto"] = ["max"]
    [item] = page(plant, "otto").items
    assert (item.principal, item.on_behalf_of) == ("role:PUR_MGR", "max")


def test_what_i_decided_and_what_i_asked_for_are_listed_newest_first(plant: Plant) -> None:
    found = fill(plant, 4)
    for instance_id in found[:3]:
        plant.clock.advance(seconds=1)
        plant.decide(plant.task(instance_id), "approve")
    first = page(plant, box="decided", limit=2)
    assert keys(first) == ["PR-02", "PR-01"]
    assert keys(page(plant, box="decided", limit=2, after=first.next)) == ["PR-00"]
    assert keys(page(plant, "rita", box="requests", limit=3)) == ["PR-03", "PR-02", "PR-01"]
    assert keys(page(plant, "rita", box="requests", query="PR-00")) == ["PR-00"]


def test_a_page_and_a_count_take_a_fixed_number_of_statements(plant: Plant) -> None:
    fill(plant, 12)
    with statements(plant.installation.database) as sent:
        page(plant, limit=5)
    assert len(sent) == 2
    with statements(plant.installation.database) as sent, plant.reading() as session:
        inbox.counts(session, "max")
    assert len(sent) == 1


@pytest.mark.parametrize("sort", list(inbox.SORTS))
def test_a_page_reads_its_rows_from_the_index_of_its_order(plant: Plant, sort: str) -> None:
    fill(plant, 3)
    plan = _plan(plant, sort)
    column = {"due": "due_at", "created": "created_at"}.get(sort, sort)
    assert f"ix_task_candidate_principal_{column}" in plan, plan
    if plant.installation.database.dialect.name == "sqlite":
        assert "SCAN task_candidate" not in plan
        assert "SCAN candidate" not in plan
    else:
        assert "Seq Scan on task_candidate" not in plan


def _plan(plant: Plant, sort: str) -> str:
    """Return how the database reads a page; PostgreSQL is told that sequential scans are dear, as on a big table."""
    after = page(plant, sort=sort, limit=1).next
    with statements(plant.installation.database) as sent:
        page(plant, sort=sort, limit=5)
    assert after is not None
    with plant.reading() as session:
        return _explain(session, plant, sent[0])


def _explain(session: Session, plant: Plant, statement: str) -> str:
    if plant.installation.database.dialect.name == "sqlite":
        bound = statement.replace("?", "'x'")
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {_with_limits(bound)}")
        return "\n".join(str(row) for row in rows)
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_bitmapscan = off"))
    literal = _literal(statement)
    return "\n".join(str(row[0]) for row in session.connection().exec_driver_sql(f"EXPLAIN {literal}"))


def _with_limits(statement: str) -> str:
    return statement.replace("LIMIT 'x' OFFSET 'x'", "LIMIT 6 OFFSET 0").replace("LIMIT 'x'", "LIMIT 6")


def _literal(statement: str) -> str:
    import re

    limited = re.sub(r"LIMIT %\(\w+\)s(::\w+)?", "LIMIT 6", statement)
    return re.sub(r"%\(\w+\)s", "'x'", re.sub(r"%\(\w+\)s(?=::VARCHAR\[\])", "'{x}'", limited))
