"""Tell the way of a change as a story: whoever has a task does it, and the rest goes by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import tasks as task_desk
from engine.act import Act
from engine.instances import instances_of
from engine.ports import SignatureRequest
from engine.stored.instance import Instance
from engine.stored.task import Task
from processes import change_control, change_orders, change_tasks, impact
from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder, ItemAction
from records.impact import Disposition
from records.work_order import OperationStatus
from tests import impacts
from tests.makers import D, make_grant, make_part, make_revision, make_work_order
from tests.people import PASSWORD, ella
from tests.story import Story, plant_with

VOTERS = {
    "ENG_AUTH": "ella",
    "QA_ENG": "quinn",
    "OPS_DIR": "olga",
    "PUR_MGR": "max",
    "FIN_CTRL": "fred",
    "CONTRACTS": "carl",
}
"""Who votes for which role of the board."""

DOERS = VOTERS | {
    "BUYER": "bea", "PLANNER": "rita", "CHANGE_SPECIALIST": "pat", "CC_OWNER": "carl", "PROCESS_ENGINEER": "pat", "SQ": "quinn",
    "QA_SP": "quinn", "RECEIVING": "sam", "PUR_LEAD": "lena",
}  # fmt: skip


MEANINGS = {"reject": "REJECTED", "return": "REJECTED", "split": "REVIEWED", "abstain": "REVIEWED"}
DEPUTIES = {"BUYER": "lena", "ENG_AUTH": "pat"}
"""Who does it where the first one may not."""


class Change:
    """One change order on its way."""

    def __init__(self, story: Story, number: str) -> None:
        self.story, self.number = story, number
        self.follow()

    def follow(self) -> Change:
        """Let the story tell of this change's flow."""
        order = self.order

        def find(session: Any) -> str:
            found = change_control.running(session, session.get_one(ChangeOrder, order.id))
            assert isinstance(found, Instance), f"Expected a flow of {self.number}, but none runs"
            return found.id

        self.story.instance_id = self.story.read(find)
        return self

    @property
    def order(self) -> ChangeOrder:
        """The change order as it is now."""
        found: ChangeOrder = self.story.read(
            lambda session: session.query(ChangeOrder).filter(ChangeOrder.number == self.number).one()
        )
        return found

    @property
    def status(self) -> str:
        """Its status in a word."""
        return self.order.status.value

    def write(self, **content: Any) -> Change:
        """Complete the writing of it, and let every area say that it sees no impact."""
        self.story.as_("pat").complete("write_change")
        return self.assess()

    def assess(self) -> Change:
        """Let every area answer."""
        while found := self.story.tasks("assess_area"):
            task = found[0]
            self._as_any(task)
            self.story.decide("assess_area", "impact", assessment="Looked at")
        return self

    def dispose(self, words: Mapping[str, Disposition] | None = None) -> Change:
        """Decide about every row on the grid, and complete the tasks that asked for it."""

        def decide(act: Act) -> None:
            order = act.session.get_one(ChangeOrder, self.order.id)
            for row, word in zip(impacts.grid(act, order), impacts.WORDS, strict=False):
                impact.dispose(act, row, (words or {}).get(row.native_ref, word), owner="role:PLANNER")

        self.story.given(decide)
        return self.settle_rows()

    def settle_rows(self, **given: Any) -> Change:
        """Complete the tasks that ask what becomes of rows and for whatever else is missing."""
        for task in self.story.tasks("dispose_orders"):
            self._as_any(task)
            self.story.complete("dispose_orders", **given)
        return self

    def vote(self, **verdicts: str) -> Change:
        """Let every seat vote: approve, unless a role is given another verdict."""
        for task in self.story.tasks("vote_on_change"):
            if task.id not in {one.id for one in self.story.tasks("vote_on_change")}:
                continue
            role = role_of(task)
            self.story.as_(VOTERS[role])
            self._decide(task, verdicts.get(role, "approve"))
        return self

    def vote_but_last(self) -> Change:
        """Let all but one seat approve."""
        for task in self.story.tasks("vote_on_change")[:-1]:
            self.story.as_(VOTERS[role_of(task)])
            self._decide(task, "approve")
        return self

    def undo(self) -> Change:
        """Let people undo what is theirs, and amendments go back."""
        while found := self.story.tasks("confirm_undo"):
            self._as_any(found[0])
            self.story.complete("confirm_undo", evidence="Told them")
        return self

    def sign(self, *people: str, verdict: str = "approve") -> Change:
        """Let people take the open seats of an approval round."""
        for person in people:
            self.story.as_(person).decide("decide_slot", verdict, reason="" if verdict == "approve" else "No")
        return self

    def do_tasks(self) -> Change:
        """Let people do what is theirs, with evidence, until nothing of it is open."""
        while found := self.story.tasks("do_task"):
            self._as_any(found[0])
            self._decide(found[0], "done", evidence="DOC-1")
        return self

    def amend(self, *numbers: str, refuses: str = "", answered: bool = True) -> Change:
        """Let the amendments of the change be approved, and their suppliers accept them, or refuse with a reason.

        numbers: of orders, all unless said otherwise. answered: whether suppliers answer already.
        """
        flow = self.story.instance_id
        for amendment_id in self._amendments(numbers):
            self.story.instance_id = self.story.read(lambda session, key=amendment_id: flow_of(session, key))
            while found := [task for task in self.story.tasks() if task.element_id == "decide_slot"]:
                self._as_any(found[0])
                self._decide(found[0], "approve")
            for _ in self.story.tasks("record_amendment_answer") if answered else ():
                result = "REJECT" if refuses else "ACCEPT"
                self.story.as_("bea").complete("record_amendment_answer", result=result, note=refuses, lines=[])
            if self.story.tasks("decide_charge"):
                self.story.as_("lena").decide("decide_charge", "accept_charge")
        self.story.instance_id = flow
        return self

    def _amendments(self, numbers: tuple[str, ...]) -> list[str]:
        def find(session: Session) -> list[str]:
            wanted = select(PurchaseOrderAmendment).order_by(PurchaseOrderAmendment.number)
            return [one.id for one in session.scalars(wanted) if not numbers or one.order.number in numbers]

        return self.story.read(find)

    def verify(self, person: str = "quinn") -> Change:
        """Let quality verify it."""
        self.story.as_(person).decide("verify_change", "verified", sample="First pieces, 3 records, stock counted")
        return self

    def close(self) -> Change:
        """Let the specialist close it."""
        self.story.as_("pat").decide("close_change", "close", summary="Done")
        return self

    def tasks_done(self) -> list[str]:
        """What was done, by kind."""
        return self.story.read(
            lambda session: [
                f"{task.kind} {task.status}" + (f": {task.failure}" if task.status == "FAILED" else "")
                for task in change_tasks.tasks_of(session, session.get_one(ChangeOrder, self.order.id))
            ]
        )

    def _as_any(self, task: Task) -> None:
        able = [person for code in roles_of(task) for person in (DOERS.get(code), DEPUTIES.get(code)) if person]
        self.story.as_(next(person for person in able if person not in task.excludes))

    def decide(self, task: Task, verdict: str, **variables: Any) -> Change:
        """Let whoever may take a task give a verdict on it."""
        self._as_any(task)
        self._decide(task, verdict, **variables)
        return self

    def _decide(self, task: Task, verdict: str, **variables: Any) -> None:
        user = self.story.actor.partition(":")[2]
        signature = (
            SignatureRequest(MEANINGS.get(verdict, task.signature), PASSWORD, user_id=user, accepts_responsibility=True)
            if task.signature
            else None
        )
        with self.story.acting() as act:
            task_desk.decide(
                act, task.id, verdict, seen_version=task.version, reason="" if verdict in ("approve", "done") else "Because",
                variables=variables, signature=signature,
            )  # fmt: skip
        self.story.settle()


DEBURR = {"op_no": 10, "description": "Deburr", "status": OperationStatus.STARTED, "quantity_in": D(10)}
FRIDAY_NIGHT = dt.datetime(2026, 11, 20, 22, 40, tzinfo=dt.UTC)


def begun(story: Story, **content: object) -> Change:
    """Return the change of D15 with its flow; it counts from the next build unless said otherwise."""
    story.given(lambda act: make_grant(act, "lena", "BUYER"))
    with story.installation.acting(ella.principal) as act:
        change = impacts.plant_of_d15(act).change
        change_orders.write(act, change, content or {"effectivity_kind": "NEXT_BUILD", "effectivity_value": ""})
        change_control.take_up(act, change)
        number = change.number
    story.settle()
    return Change(story, number)


def emergency(story: Story) -> Change:
    """Return EC-17: WO-7003, serials 0005 to 0009, declared on Friday night."""
    story.clock.set(FRIDAY_NIGHT)
    with story.installation.acting(ella.principal) as act:
        revision = make_revision(act, make_part(act, "P-7003"), "B")
        make_work_order(act, revision, number="WO-7003", quantity=D(10), status="IN_PROCESS", operations=(DEBURR,))
        change = change_control.declare_emergency(
            act, title="Deburr by hand", reason="The robot is down",
            bounds=[{"kind": "WORK_ORDER", "first": "WO-7003"},
                    {"kind": "SERIAL", "first": "0005", "last": "0009", "max_quantity": 5}],
        )  # fmt: skip
        change_orders.add_item(act, change, revision, action=ItemAction.DOC_ONLY)
        change_control.take_up(act, change)
        number = change.number
    story.settle()
    return Change(story, number)


def at_a_stage(name: str, begin: Callable[[Story], Any]) -> pytest.MarkDecorator:
    """Return the mark of a test that begins where ``begin`` ends; walking there took most of its time."""
    return pytest.mark.begins_with(plant_with(name, begin))


written = at_a_stage("change_written", lambda story: begun(story).write())
"""Assessed by every area; its rows wait for their owners."""
on_its_board = at_a_stage("change_on_its_board", lambda story: begun(story).write().dispose())
"""Decided row by row; the board votes."""
approved = at_a_stage("change_approved", lambda story: begun(story).write().dispose().vote())
"""Approved, its tasks open; it counts from the next build."""
dated = at_a_stage(
    "change_dated",
    lambda story: (
        begun(story, effectivity_kind="DATE", effectivity_value="2026-12-30").write().dispose().vote().do_tasks()
    ),
)
"""Approved, people's tasks done; it counts from 2026-12-30."""
declared = at_a_stage("emergency_declared", emergency)
"""EC-17 is declared and waits for its two signatures; the clock of the test stands on Sunday."""
active = at_a_stage("emergency_active", lambda story: emergency(story).sign("ella", "quinn"))
"""EC-17 is signed by two; the clock of the test stands on Sunday, within its hours."""


def the_change(story: Story) -> Change:
    """Take up the only change that the plant begins with."""
    number: str = story.read(lambda session: session.query(ChangeOrder.number).one()[0])
    return Change(story, number)


def flow_of(session: Session, amendment_id: str) -> str:
    """Return the id of the flow of an amendment."""
    return instances_of(session, PurchaseOrderAmendment.record_type, amendment_id)[0].id


def role_of(task: Task) -> str:
    """Return the role that a vote is asked of."""
    return next(code for code in roles_of(task) if code in VOTERS)


def roles_of(task: Task) -> list[str]:
    """Return the roles that may take a task."""
    return [principal.removeprefix("role:") for principal in task.candidates]
