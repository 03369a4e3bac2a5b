"""Tell a flow as a story: who does what, and what became of it. Everything goes through the public functions.

story.as_(rita).start("requisition_to_po", lines=[("P-100", 5)])
story.as_(lena).decide("approve_requisition", "approve")
assert story.ended_at == "requisition_ordered"
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import eligibility, task_variables, tasks
from engine.act import Act, Installation
from engine.definitions import deploy_all
from engine.instances import instances_of, variables_of
from engine.ports import SignatureRequest
from engine.stored.instance import Instance
from engine.stored.job import Job
from engine.stored.task import Task, TaskState
from engine.stored.wait import Incident, IncidentState, Timer
from engine.waiting import wait_sentence
from engine.worker import run_until_idle
from processes import requisition_to_po
from processes.bundle import bundle_files
from records.demo_people import Member
from records.part import Part, PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition
from records.signature import Signature
from records.supplier import Supplier
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.databases import SCHEMA, Template
from tests.makers import (
    make_approval,
    make_cast,
    make_clause,
    make_cost_centre,
    make_part,
    make_requisition,
    make_requisition_line,
    make_revision,
    make_site,
    make_supplier,
)
from tests.people import PASSWORD
from webapp.wiring import wire

Loaded = TypeVar("Loaded")

ROUNDS = {"approve_requisition": "requisition", "approve_order": "purchase_order"}
"""Call activities of the approval round, and whose seats their tasks fill."""


class Story:
    """One flow and the people in it. The clock stands still unless the story moves it."""

    def __init__(self, installation: Installation, clock: SettableClock) -> None:
        self.installation, self.clock = installation, clock
        self.actor = "system:story"
        self.instance_id = ""
        self.requisition_id = ""

    def as_(self, member: Member | str) -> Story:
        """Let somebody act from here on."""
        self.actor = member.principal if isinstance(member, Member) else f"user:{member}"
        return self

    @contextmanager
    def acting(self) -> Iterator[Act]:
        """Open an act of whoever acts."""
        with self.installation.acting(self.actor) as act:
            yield act

    def given(self, arrange: Callable[[Act], Any]) -> Any:
        """Arrange something before, or in the middle of, the story."""
        with self.installation.acting("system:arrange") as act:
            return arrange(act)

    def start(
        self, flow: str, *, lines: Sequence[tuple[str, int | Decimal] | tuple[str, int | Decimal, Any]], **fields: Any
    ) -> Story:
        """Write a requisition and submit it. lines: part number, quantity, and, if it matters, the price."""
        assert flow == requisition_to_po.PROCESS
        line_fields = fields.pop("line_fields", {})
        with self.acting() as act:
            rows = [(_revision(act, row[0]), row[1], row[2] if len(row) > 2 else "42.50") for row in lines]
            given = {"requester_id": self.actor.partition(":")[2], **fields}
            requisition = make_requisition(act, *rows, **given)
            for line in requisition.lines:
                for name, value in ({"supplier": _default_supplier(act)} | line_fields).items():
                    setattr(line, name, value(act) if callable(value) else value)
            act.session.flush()
            self.requisition_id = requisition.id
        with self.acting() as act:
            found = act.session.get_one(Requisition, self.requisition_id)
            self.instance_id = requisition_to_po.start(act, found).id
        return self.settle()

    def decide(self, step: str, verdict: str, *, reason: str = "", **variables: Any) -> Story:
        """Give a verdict on an open task, signed with the password where the diagram asks for it."""
        task = self.task(step)
        is_refusal = verdict in ("reject", "return") and (task.record_type or "").startswith("change_order")
        signature = (
            SignatureRequest(
                "REJECTED" if is_refusal else task.signature,
                PASSWORD,
                user_id=self.actor.partition(":")[2],
                accepts_responsibility=True,
            )
            if task.signature
            else None
        )
        with self.acting() as act:
            tasks.decide(
                act,
                task.id,
                verdict,
                seen_version=task.version,
                reason=reason,
                variables=variables,
                signature=signature,
            )
        return self.settle()

    def complete(self, step: str, **variables: Any) -> Story:
        """Complete a task that asks for no verdict."""
        task = self.task(step)
        with self.acting() as act:
            tasks.complete(act, task.id, variables, seen_version=task.version)
        return self.settle()

    def settle(self) -> Story:
        """Run the jobs and timers that are due now."""
        run_until_idle(self.installation)
        return self

    def at(self, moment: dt.datetime) -> Story:
        """Let it become this late."""
        self.clock.set(moment)
        return self.settle()

    def after(self, *, days: float = 0, hours: float = 0) -> Story:
        """Let time pass."""
        self.clock.advance(days=days, hours=hours)
        return self.settle()

    def task(self, step: str) -> Task:
        """Return the open task of a step that whoever acts may see; of several, the one that is theirs."""
        found = self.tasks(step)
        with self.installation.reading() as session:
            user = self.actor.partition(":")[2]
            own = [task for task in found if eligibility.mandates_for(session, task, user, now=self.clock())]
        assert found, (
            f"Expected an open task {step}, but there are {sorted({task.element_id for task in self.tasks()})}"
        )
        return (own or found)[0]

    def tasks(self, step: str | None = None) -> list[Task]:
        """Return the open tasks, oldest first."""
        wanted = select(Task).where(Task.instance_id == self.instance_id, Task.state == TaskState.OPEN)
        if step in ROUNDS:
            wanted = wanted.where(Task.element_id == "decide_slot", Task.record_type == ROUNDS[step])
        elif step is not None:
            wanted = wanted.where(Task.element_id == step)
        with self.installation.reading() as session:
            return list(session.scalars(wanted.order_by(Task.created_at, Task.id)))

    def goes_on(self) -> bool:
        """Take up the requisition that the plant begins with (``begins_with``); False when it begins with none."""
        with self.installation.reading() as session:
            begun = session.scalars(select(Requisition)).first()
            if begun is None:
                return False
            self.requisition_id = begun.id
            self.instance_id = instances_of(session, begun.record_type, begun.id)[0].id
        return True

    @property
    def steps(self) -> list[str]:
        """The ids of the steps that wait for somebody, sorted."""
        return sorted(task.element_id for task in self.tasks())

    @property
    def instance(self) -> Instance:
        with self.installation.reading() as session:
            return session.get_one(Instance, self.instance_id)

    @property
    def ended_at(self) -> str | None:
        """The end event that was reached, None while it runs."""
        return self.instance.ended_at

    @property
    def sentence(self) -> str:
        """What it waits for, in words."""
        with self.installation.reading() as session:
            return wait_sentence(session, session.get_one(Instance, self.instance_id))

    @property
    def requisition(self) -> Requisition:
        with self.installation.reading() as session:
            found = session.get_one(Requisition, self.requisition_id)
            return _whole(found, "lines.requisition", "cost_centre")

    @property
    def purchase_orders(self) -> list[PurchaseOrder]:
        """The orders made in this database, oldest first, with lines, supplier and answers."""
        with self.installation.reading() as session:
            found = list(session.scalars(select(PurchaseOrder).order_by(PurchaseOrder.proposal_no)))
            return [
                _whole(order, "lines.part_revision", "supplier", "site", "acknowledgements.lines") for order in found
            ]

    @property
    def order(self) -> PurchaseOrder:
        """The newest order."""
        return self.purchase_orders[-1]

    @property
    def signatures(self) -> list[Signature]:
        with self.installation.reading() as session:
            return list(session.scalars(select(Signature).order_by(Signature.signed_at, Signature.id)))

    @property
    def incidents(self) -> list[str]:
        """What is stuck, in words."""
        with self.installation.reading() as session:
            wanted = select(Incident).where(Incident.state == IncidentState.OPEN)
            return [f"{found.element_id}: {found.message}" for found in session.scalars(wanted)]

    @property
    def timers(self) -> dict[str, dt.datetime]:
        """When each timer that runs goes off, by element."""
        with self.installation.reading() as session:
            wanted = select(Timer).where(Timer.instance_id == self.instance_id)
            return {timer.element_id: timer.due_at for timer in session.scalars(wanted)}

    @property
    def variables(self) -> Mapping[str, Any]:
        with self.installation.reading() as session:
            return variables_of(session, self.instance_id)

    def variables_of_task(self, step: str | None = None) -> Mapping[str, Any]:
        """Return what the oldest open task sees."""
        task = self.tasks(step)[0]
        with self.installation.reading() as session:
            return task_variables.variables_of(session, task)

    def jobs(self, job_type: str) -> list[Job]:
        with self.installation.reading() as session:
            return list(session.scalars(select(Job).where(Job.type == job_type).order_by(Job.created_at, Job.id)))

    def read(self, question: Callable[[Session], Any]) -> Any:
        """Ask the database something."""
        with self.installation.reading() as session:
            return question(session)


def _whole(record: Loaded, *paths: str) -> Loaded:
    """Load what a test looks at after the session is closed. paths: names of relationships, dotted."""
    for path in paths:
        name, _, rest = path.partition(".")
        value = getattr(record, name)
        for item in (value if isinstance(value, list) else [value]) if rest and value is not None else []:
            _whole(item, rest)
    return record


def open_plant(installation: Installation, *, has_erp: bool = False) -> None:
    """Make the plant that stories happen in: cast, site with its holiday, an approved supplier, clauses, the flow."""
    with installation.acting("system:arrange") as act:
        make_cast(act)
        site = make_site(act)
        site.has_erp = has_erp
        make_clause(act, "Q01")
        make_cost_centre(act)
        _default_supplier(act)
        for part_no in ("P-100", "P-200"):
            _revision(act, part_no)
        deploy_all(act, bundle_files())


def settled(name: str, begin: Callable[[Installation, SettableClock], Any], base: Template) -> Template:
    """Return the template of a house in which something has happened at 2026-11-22 15:00 UTC; built once per test run."""

    def build(url: str) -> None:
        with TemporaryDirectory() as folder:
            house = wire(url, settings=folders_under(Path(folder)), clock=(clock := SettableClock()))
            try:
                begin(house, clock)
            finally:
                house.database.dispose()

    return Template(name, build, base)


def plant_with(name: str, begin: Callable[[Story], Any]) -> Template:
    """Return the template of a plant in which something has happened."""
    return settled(name, lambda house, clock: begin(Story(house, clock)), PLANT)


def _people(house: Installation, _clock: SettableClock) -> None:
    with house.acting("system:arrange") as act:
        make_site(act)
        make_cast(act)


CAST = settled("cast", _people, SCHEMA)
"""A site and its people, and nothing else."""

PLANT = settled("plant", lambda house, _clock: open_plant(house), CAST)
"""The plant that stories happen in."""


def _default_supplier(act: Act) -> Supplier:
    found = act.session.scalar(select(Supplier).where(Supplier.name == "Midland Machining"))
    if found is None:
        found = make_supplier(act, "S-MIDLAND", name="Midland Machining", email="orders@midland.example")
        make_approval(act, found, valid_to=dt.date(2027, 12, 31))
    return found


def _revision(act: Act, part_no: str) -> PartRevision:
    wanted = (
        select(PartRevision).join(Part).where(Part.part_no == part_no, PartRevision.status == RevisionStatus.RELEASED)
    )
    found = act.session.scalar(wanted)
    return found or make_revision(act, make_part(act, part_no, name=f"Bracket {part_no}"))


__all__ = ["PLANT", "Story", "make_requisition_line", "open_plant"]
