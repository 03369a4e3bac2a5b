"""A small plant for tests of the engine alone: who holds which role is a dictionary, the guard bars whom a test names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import ORMExecuteState, Session

from engine import definitions, instances, tasks
from engine.act import Act, Installation
from engine.decisions import Decision
from engine.errors import Effect, Finding, Forbidden
from engine.ports import Mandate, Person, SignatureRequest
from engine.record import Edit
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskState
from tests.clock import SettableClock
from tests.engine.spiff.diagrams import diagram, properties, user

ROLES = {
    "rita": ["REQUESTER"],
    "max": ["PUR_MGR", "CCB"],
    "lena": ["PUR_MGR", "PUR_LEAD", "CCB"],
    "quinn": ["QA", "CCB"],
    "bea": ["BUYER"],
    "olga": ["OPS_DIR"],
    "otto": [],
}


class Staff:
    """A directory in memory. deputies: deputy → absent people. gone: people who are not active any more."""

    def __init__(self) -> None:
        self.roles = {name: list(held) for name, held in ROLES.items()}
        self.deputies: dict[str, list[str]] = {}
        self.gone: set[str] = set()

    def person(self, session: Session, user_id: str) -> Person | None:
        if user_id not in self.roles:
            return None
        return Person(user_id, f"{user_id.title()} Test", is_active=user_id not in self.gone)

    def mandates(self, session: Session, user_id: str, *, at: dt.datetime, flow: str) -> Sequence[Mandate]:
        own = [Mandate(f"user:{user_id}"), *(Mandate(f"role:{role}") for role in self.roles.get(user_id, ()))]
        for absent in self.deputies.get(user_id, ()):
            own.append(Mandate(f"user:{absent}", absent))
            own += [Mandate(f"role:{role}", absent) for role in self.roles[absent]]
        return own

    def holders(self, session: Session, principal: str, *, at: dt.datetime) -> Sequence[Person]:
        role = principal.removeprefix("role:")
        names = sorted(name for name, held in self.roles.items() if role in held and name not in self.gone)
        return [person for name in names if (person := self.person(session, name)) is not None]

    def name_of(self, session: Session, principal: str) -> str:
        return principal.partition(":")[2]

    def stand_ins(
        self, session: Session, user_ids: Sequence[str], *, at: dt.datetime, flow: str
    ) -> Sequence[tuple[str, Person]]:
        pairs = [(absent, name) for name, absents in sorted(self.deputies.items()) for absent in absents]
        return [
            (absent, person)
            for absent, name in pairs
            if absent in user_ids and (person := self.person(session, name)) is not None
        ]


class LooseGuard:
    """Lets every edit pass, bars from deciding whom a test names, and keeps back the verdicts it names."""

    def __init__(self) -> None:
        self.barred: dict[str, str] = {}
        self.kept_back: dict[str, str] = {}
        self.edits: list[Edit] = []

    def judge(self, act: Act, edits: Sequence[Edit]) -> Iterable[Finding]:
        self.edits += edits
        return ()

    def judge_statement(self, act: Act, statement: ORMExecuteState) -> Iterable[Finding]:
        return ()

    def refusal_of(self, error: IntegrityError) -> None:
        return None

    def may_decide(
        self, session: Session, task: Task, user_id: str, *, on_behalf_of: str | None, now: dt.datetime
    ) -> Iterable[Finding]:
        for person in (user_id, on_behalf_of):
            if person in self.barred:
                sentence = f"Expected somebody else than {person}, but {self.barred[person]}"
                yield Finding("SOD-2", Effect.BLOCK, sentence, record_type="task", record_id=task.id)

    def may_give(self, session: Session, task: Task, verdict: str, user_id: str) -> Iterable[Finding]:
        if verdict in self.kept_back:
            sentence = f"Expected everything to be viewed, but {self.kept_back[verdict]}"
            yield Finding("REVIEW-2", Effect.BLOCK, sentence, record_type="task", record_id=task.id)


class Notary:
    """Signs when the password is the user's name backwards."""

    def __init__(self) -> None:
        self.signed: list[tuple[str, str]] = []
        self.ended: list[str] = []

    def end_voided(self, act: Act, decision: Decision) -> None:
        self.ended.append(decision.actor_id)

    def end_left_behind(self, *_: object) -> bool:
        return False

    def sign(self, act: Act, decision: Decision, request: SignatureRequest) -> None:
        if request.password != decision.actor_id[::-1]:
            raise Forbidden("Expected the signer's password, but it is another one", code="WRONG_PASSWORD")
        self.signed.append((decision.actor_id, request.meaning))


class Week:
    """A calendar on which every day is a business day."""

    def add_business_days(self, session: Session, start: dt.datetime, days: Decimal) -> dt.datetime:
        return start + dt.timedelta(days=float(days))

    def zone(self, session: Session) -> dt.tzinfo:
        return dt.UTC


class Plant:
    """One installation on one database, with verbs that read like a story."""

    def __init__(self, database: Engine, clock: SettableClock) -> None:
        self.clock, self.staff, self.guard, self.notary = clock, Staff(), LooseGuard(), Notary()
        self.installation = Installation(
            database, guard=self.guard, directory=self.staff, calendar=Week(), signer=self.notary, clock=clock
        )
        self.registry = self.installation.registry

    def deploy(self, *processes: str, definitions_xml: str = "", **files: bytes) -> str:
        named = {name.replace("__", "."): content for name, content in files.items()}
        with self.installation.acting("user:pat") as act:
            bundle = {"p.bpmn": diagram(*processes, definitions=definitions_xml), **named}
            return definitions.deploy(act, bundle, process_id="p").id

    def start(self, key: str = "K-1", *, by: str = "rita", **variables: Any) -> str:
        with self.installation.acting(f"user:{by}") as act:
            return instances.start(act, "p", business_key=key, variables=variables).id

    def acting(self, who: str = "max", **more: Any) -> Any:
        return self.installation.acting(f"user:{who}", **more)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.installation.reading() as session:
            yield session

    def instance(self, instance_id: str) -> Instance:
        with self.reading() as session:
            return instances.find(session, instance_id)

    def variables(self, instance_id: str) -> Mapping[str, Any]:
        with self.reading() as session:
            return instances.variables_of(session, instance_id)

    def open(self, instance_id: str, element: str | None = None) -> list[Task]:
        with self.reading() as session:
            query = select(Task).where(Task.instance_id == instance_id, Task.state == TaskState.OPEN)
            found = session.scalars(query.order_by(Task.created_at, Task.id))
            return [task for task in found if element in (None, task.element_id)]

    def task(self, instance_id: str, element: str | None = None) -> Task:
        [found] = self.open(instance_id, element)
        return found

    def reread(self, task: Task) -> Task:
        with self.reading() as session:
            return tasks.find(session, task.id)

    def decide(self, task: Task, verdict: str, *, by: str = "max", reason: str = "", **more: Any) -> Decision:
        with self.acting(by) as act:
            return tasks.decide(act, task.id, verdict, seen_version=task.version, reason=reason, **more)

    def complete(self, task: Task, *, by: str = "max", **variables: Any) -> Task:
        with self.acting(by) as act:
            return tasks.complete(act, task.id, variables, seen_version=task.version)

    def ended(self, instance_id: str) -> str | None:
        return self.instance(instance_id).ended_at


def for_role(role: str) -> str:
    return f'<zeebe:assignmentDefinition candidateGroups="{role}" />'


def approve(id: str, *inside: str, role: str = "PUR_MGR", extensions: str = "", name: str = "", **settings: str) -> str:
    """A user task with the verdicts approve, reject and return."""
    kept = properties(**({"outcomes": "approve, reject, return"} | settings))
    return user(id, *inside, extensions=for_role(role) + kept + extensions, name=name or id)


def work(id: str, *inside: str, role: str = "PUR_MGR", extensions: str = "", name: str = "", **settings: str) -> str:
    """A user task that is completed without a verdict."""
    kept = properties(**settings) if settings else ""
    return user(id, *inside, extensions=for_role(role) + kept + extensions, name=name or id)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect the SQL statements sent while the block runs."""
    sent: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", listen)
