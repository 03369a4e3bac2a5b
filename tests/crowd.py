"""Many open tasks in many groups, poured into a plant in a second or two: for what an inbox does and costs at scale."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert, select, text

from engine.act import Act
from engine.canonical import content_hash
from engine.database import new_id
from engine.opening import words_of
from engine.stored.instance import Instance
from engine.stored.task import CandidateSet, CandidateSetMember, QueueCount, Task, TaskCandidate, TaskWord
from tests.makers import make_grant, make_user
from tests.people import rita
from tests.story import Story

SUPPLIERS = ("NorthStar Heat Treating", "QuickPlate", "Midland Machining", "Acme Castings")
FIRST_DUE = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


def gather(story: Story, people: Mapping[str, int], *, groups: int, each: int) -> None:
    """Open ``each`` tasks in every one of ``groups`` groups. people: user id to the number of groups, from the first, they are in.

    The tasks are copies of one that a real requisition opened, each with an instance and a document id of its own; the
    groups are the roles G000, G001 and so on.
    """
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    [template] = story.tasks()

    def arrange(act: Act) -> None:
        for user_id, number in people.items():
            make_user(act, user_id)
            for group in range(number):
                make_grant(act, user_id, f"G{group:03}")
        act.session.flush()
        run = act.session.get_one(Instance, template.instance_id)
        _pour(act.session.connection(), template, run, groups=groups, each=each)

    story.given(arrange)
    with story.installation.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _columns_of(record: Any) -> dict[str, Any]:
    return {column.key: getattr(record, column.key) for column in type(record).__mapper__.column_attrs}


def _pour(connection: Connection, template: Task, run: Instance, *, groups: int, each: int) -> None:
    """Write copies of one task and of its instance, each with a document of its own, past the flow that makes them."""
    instances, tasks, candidates, sets = [], [], [], []
    for group in range(groups):
        principal, set_id = f"role:G{group:03}", new_id()
        sets.append({"id": set_id, "key": content_hash([principal]), "principals": [principal]})
        for number in range(each):
            turn = group * each + number
            sorted_by = {
                "due_at": FIRST_DUE + dt.timedelta(minutes=turn * 7 % 9_973), "priority": 10 * (turn % 9),
                "created_at": FIRST_DUE - dt.timedelta(minutes=turn), "amount": Decimal(turn * 13 % 9_001),
                "party": SUPPLIERS[turn % 4], "business_key": f"REQ-{turn:06}-X", "project": f"PRJ-{turn % 7}", "flow": template.flow,
            }  # fmt: skip
            instances.append(_columns_of(run) | {"id": new_id(), "business_key": sorted_by["business_key"]})
            one = {"id": new_id(), "instance_id": instances[-1]["id"], "set_id": set_id, "candidates": [principal]}
            tasks.append(_columns_of(template) | one | sorted_by | {"record_id": new_id()})
            words = words_of(Task(**tasks[-1]))
            candidates.append({"principal": principal, "task_id": one["id"], "words": words} | sorted_by)
    words = [("party", name) for name in SUPPLIERS] + [("project", f"PRJ-{turn}") for turn in range(7)]
    known = set(connection.execute(select(TaskWord.kind, TaskWord.word)).all())
    connection.execute(
        insert(TaskWord), [{"kind": kind, "word": word} for kind, word in words if (kind, word) not in known]
    )
    connection.execute(insert(CandidateSet), sets)
    members = [{"principal": found["principals"][0], "set_id": found["id"]} for found in sets]
    connection.execute(insert(CandidateSetMember), members)
    connection.execute(insert(Instance), instances)
    connection.execute(insert(Task), tasks)
    connection.execute(insert(TaskCandidate), candidates)
    queues = [{"set_id": found["id"], "queue": template.flow, "tasks": each} for found in sets]
    connection.execute(insert(QueueCount), queues)
