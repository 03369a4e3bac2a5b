"""Let the cast take a change along its way: each does what waits for them, as on the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from engine import tasks
from engine.act import Act, Installation
from engine.instances import records_of
from engine.ports import SignatureRequest
from engine.stored.task import Task, TaskState
from engine.worker import run_until_idle
from processes import impact
from records.change_order import ChangeOrder
from records.demo_people import PASSWORD
from records.impact import Disposition, newest_snapshot, rows_of

WHO = {
    "ENG_AUTH": "ella", "QA_ENG": "quinn", "OPS_DIR": "olga", "PUR_MGR": "max", "PROCESS_ENGINEER": "pat", "BUYER": "bea",
    "PLANNER": "rita", "CC_OWNER": "carl", "METROLOGY": "mina", "CHANGE_SPECIALIST": "pat", "STOCK": "rita",
}  # fmt: skip
"""Who answers for a role."""
LEAD = dt.timedelta(days=14)
"""How long whoever owns a row has for what was decided about it."""
MEANINGS = {"reject": "REJECTED", "return": "REJECTED"}


@dataclass(frozen=True)
class Way:
    """One change and its people. instance_id: of its flow."""

    installation: Installation
    instance_id: str

    def open_tasks(self, element_id: str) -> list[Task]:
        """Return what waits at a step of the change's flow."""
        with self.installation.reading() as session:
            wanted = select(Task).where(
                Task.element_id == element_id, Task.state == TaskState.OPEN, Task.instance_id == self.instance_id
            )
            return list(session.scalars(wanted.order_by(Task.created_at, Task.id)))

    def do(self, element_id: str, who: str, verdict: str | None = None, reason: str = "", **variables: Any) -> None:
        """Let somebody decide, or complete where there is nothing to decide, the first task of a step."""
        self._act(self.open_tasks(element_id)[0], who, verdict, reason, variables)

    def do_each(self, element_id: str, verdict: str | None = None, **variables: Any) -> None:
        """Let whoever answers for the role of each task of a step do it."""
        for task in self.open_tasks(element_id):
            role = next(role for role in _roles(task) if role in WHO and WHO[role] not in task.excludes)
            self._act(task, WHO[role], verdict, "", variables)

    def vote(self, *people: str, verdict: str = "approve", reason: str = "") -> None:
        """Let these people of the board vote, in their order."""
        for person in people:
            task = next(one for one in self.open_tasks("vote_on_change") if f"user:{person}" in one.candidates)
            self._act(task, person, verdict, reason, {})

    def order(self, act: Act) -> ChangeOrder:
        """Return the change order that the flow is about."""
        found = [one for one in records_of(act.session, self.instance_id) if one[0] == ChangeOrder.record_type]
        return act.session.get_one(ChangeOrder, found[-1][1])

    def dispose(self, words: Mapping[tuple[str, str], Disposition]) -> None:
        """Decide about the rows of the grid. words: by document and state of the pieces."""
        with self.installation.acting("user:rita") as act:
            order = self.order(act)
            snapshot = newest_snapshot(act.session, order)
            for row in rows_of(act.session, snapshot) if snapshot is not None else ():
                word = words.get((row.native_ref, row.state.value))
                if word is not None:
                    impact.dispose(act, row, word, owner="role:PLANNER", due=act.now.date() + LEAD)

    def _act(self, task: Task, who: str, verdict: str | None, reason: str, variables: dict[str, Any]) -> None:
        signature = None
        if task.signature:
            meaning = MEANINGS.get(verdict or "", task.signature)
            signature = SignatureRequest(meaning, PASSWORD, user_id=who, accepts_responsibility=True)
        with self.installation.acting(f"user:{who}") as act:
            if verdict is None:
                tasks.complete(act, task.id, variables, seen_version=task.version)
            else:
                tasks.decide(
                    act, task.id, verdict, seen_version=task.version, reason=reason, variables=variables, signature=signature
                )  # fmt: skip
        run_until_idle(self.installation)


def _roles(task: Task) -> list[str]:
    return [principal.removeprefix("role:").partition("@")[0] for principal in task.candidates]
