"""Move one instance within an act: load its flow, let it be moved, and store what came of it.

The instance row is locked first. Nothing of a flow outlives the act: an error throws it away with the transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import audit, definitions, eligibility, keeping, loading, variables, words
from engine.bundle import Deployed
from engine.clock import now_of
from engine.database import is_id
from engine.errors import Conflict, NotFound, Refused, Unreadable
from engine.functions import lent
from engine.host import ActHost
from engine.spiff import Flow
from engine.spiff.elements import ElementInfo
from engine.spiff.host import FiredTimer, Wait
from engine.spiff.stored import Stored
from engine.stored.instance import Instance, InstanceStatus

if TYPE_CHECKING:
    from engine.act import Act

MAX_DELIVERIES = 1000
"""Messages and signals that one act may set off; more of them chase each other in a circle."""


@dataclass(eq=False)
class Motion:
    """One instance on the move. before: what it waited for, by token; of tokens that sleep only those that woke. settled.

    Tokens whose task or job the caller closed.

    why and code: what to tell those whose task disappears by this move.
    """

    act: Act
    instance: Instance
    deployed: Deployed
    flow: Flow
    host: ActHost
    before: Mapping[tuple[int, str], Wait]
    stored: Stored
    settled: set[int] = field(default_factory=set)
    fired: list[FiredTimer] = field(default_factory=list)
    why: str = ""
    code: str | None = None

    def element(self, process_id: str, element_id: str) -> ElementInfo:
        """Return an element of the instance's own bundle, or of a definition that it called."""
        bundle = self.host.deployed_of(process_id).bundle
        return bundle.processes[process_id].elements[element_id]


def lock(act: Act, instance_id: str) -> Instance:
    """Lock an instance for this act and read it as it is now. Raises: NotFound."""
    found = _locked(act, instance_id) if is_id(instance_id) else None
    if found is None:
        raise NotFound(f"Expected an instance {instance_id}, but there is none")
    return found


def lock_aside(act: Act, instance_id: str) -> Instance | None:
    """Do the same where nobody asks for what comes of it; None when another act has the instance, and this one has others already.

    Two acts that each waited for the other's instance would wait for ever.
    """
    has_others = any(kind == "instance" and own != instance_id for kind, own in act.chain_owners)
    return _locked(act, instance_id, skip_locked=True) if has_others else lock(act, instance_id)


def _locked(act: Act, instance_id: str, *, skip_locked: bool = False) -> Instance | None:
    # What refers to the row, such as a job or a message, does not wait for it: its key stays what it is.
    wanted = select(Instance).where(Instance.id == instance_id).with_for_update(key_share=True, skip_locked=skip_locked)
    found = act.session.execute(wanted.execution_options(populate_existing=True)).scalar_one_or_none()
    return hold(act, found) if found is not None else None


def hold(act: Act, instance: Instance) -> Instance:
    """Take a locked instance's chain head into the act."""
    audit.own_chain(act, "instance", instance.id, instance)
    return instance


def running(instance: Instance) -> Instance:
    """Return the instance if it runs. Raises: Conflict."""
    if instance.status != InstanceStatus.RUNNING:
        why = f": {instance.closed_why}" if instance.closed_why else ""
        raise Conflict(
            f"Expected {instance.business_key} to be running, but it is {instance.status}{why}", code="NOT_RUNNING"
        )
    return instance


def rests(session: Session, instance: Instance, wanted: str) -> str:
    """Say in words that a suspended instance rests, since when, by whom and why. wanted: what was expected of it."""
    by = instance.suspended_by or "somebody"
    person = eligibility.directory_of(session).person(session, by)
    at = words.clock_time(session, instance.suspended_at, now=now_of(session)) if instance.suspended_at else ""
    return (
        f"Expected {instance.business_key} {wanted}, but {person.name if person else by} suspended it at {at}:"
        f" {instance.suspended_why}. It goes on when it is resumed"
    )


def refuse_suspended(session: Session, instance: Instance, wanted: str = "to go on") -> None:
    """Refuse what would move an instance that rests. Raises: Conflict SUSPENDED."""
    if instance.suspended_at is not None:
        raise Conflict(rests(session, instance, wanted), code="SUSPENDED")


@contextmanager
def moving(act: Act, instance: Instance, *, is_mended: bool = False) -> Iterator[Motion]:
    """Load the flow of a locked, running instance, let the block move it, then store what came of it.

    is_mended: an operator moves it, suspended or not. Raises: Conflict SUSPENDED for an instance that rests.
    """
    if not is_mended:
        refuse_suspended(act.session, instance)
    with alone(act, instance):
        deployed = _parsed(act.session, instance)
        host = ActHost(act, instance, deployed)
        stored = variables.load(act.session, instance)
        # Whoever mends an instance is to hear at once that a part of it cannot be read.
        flow = loading.loaded(deployed, instance, stored, host, is_awake=is_mended)
        motion = Motion(act, instance, deployed, flow, host, flow.meet(), stored)
        yield motion
        keeping.store(motion)
    drain(act)


def _parsed(session: Session, instance: Instance) -> Deployed:
    try:
        return definitions.parsed(session, instance.definition_id)
    except Refused as refusal:
        raise Unreadable(refusal.message) from refusal


@contextmanager
def starting(
    act: Act, instance: Instance, values: Mapping[str, Any], *, start_element: str | None = None
) -> Iterator[Motion]:
    """Start the flow of a new instance and store what came of it."""
    with alone(act, instance):
        deployed = definitions.parsed(act.session, instance.definition_id)
        host = ActHost(act, instance, deployed)
        flow = Flow.start(deployed.bundle, instance.process_id, values, host, start_element=start_element)
        motion = Motion(act, instance, deployed, flow, host, {}, Stored())
        yield motion
        keeping.store(motion)
    drain(act)


def key_of(wait: Wait) -> tuple[int, str]:
    """Tell one wait from another: a token that starts to wait for something else is a new wait."""
    return wait.token_id, wait.kind


@contextmanager
def alone(act: Act, instance: Instance) -> Iterator[None]:
    """Let one instance move once at a time within an act, and let the chain know which one it is."""
    moved: set[str] = act.session.info.setdefault("moving", set())
    # A flush that failed forgets what rows say: asked again at the end, the id would hide what went wrong.
    instance_id = instance.id
    if instance_id in moved:
        raise Conflict(f"Expected {instance.business_key} to rest, but this very act is moving it; defer a job instead")
    moved.add(instance_id)
    before, act.instance_id = act.instance_id, instance_id
    try:
        with lent(act.session):
            yield
    finally:
        moved.discard(instance_id)
        act.instance_id = before


def later(act: Act, delivery: Callable[[], object]) -> None:
    """Do something when no instance of this act is on the move any more; at once if none is."""
    queue: deque[Callable[[], object]] = act.session.info.setdefault("deliveries", deque())
    queue.append(delivery)
    drain(act)


def is_moving(act: Act) -> bool:
    """Say whether an instance is on the move in this act."""
    return bool(act.session.info.get("moving"))


def drain(act: Act) -> None:
    """Carry out what was put off, in order, unless an instance still moves."""
    if is_moving(act) or act.session.info.get("draining"):
        return
    info = act.session.info
    info["draining"] = True
    try:
        count = 0
        # A savepoint that is rolled back puts another queue in this place, without what it had put off.
        while queue := info.get("deliveries"):
            count += 1
            if count > MAX_DELIVERIES:
                raise Conflict(f"Expected at most {MAX_DELIVERIES} deliveries in one act, but they chase each other")
            queue.popleft()()
    finally:
        info["draining"] = False
        info.pop("deliveries", None)
