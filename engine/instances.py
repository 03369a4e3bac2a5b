"""Instances: start one, cancel one, retry one that is stuck, ask what it waits for and what it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from engine import audit, definitions, keeping, motion, retrying, rows
from engine.audit import GENESIS
from engine.database import is_id, new_id
from engine.errors import Conflict, Invalid, NotFound
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Activity, Instance, InstanceRecord, InstanceStatus, Variable
from engine.stored.wait import Incident, IncidentState
from engine.variables import accepted, root_values
from engine.waiting import lineage, live_tokens, sentence_at_rest, wait_sentence

if TYPE_CHECKING:
    from engine.act import Act

__all__ = [
    "Activity",
    "Instance",
    "InstanceRecord",
    "InstanceStatus",
    "Variable",
    "begin",
    "cancel",
    "find",
    "history",
    "instances_of",
    "lineage",
    "link_record",
    "live_tokens",
    "records_of",
    "retry",
    "sentence_at_rest",
    "start",
    "variables_of",
    "wait_sentence",
]

MAX_KEY = 200

_WITH_KEY = select(Instance.id).where(
    Instance.process_id == bindparam("process"),
    Instance.business_key == bindparam("key"),
    Instance.status == InstanceStatus.RUNNING,
)


def start(
    act: Act,
    process_id: str,
    *,
    business_key: str,
    variables: Mapping[str, Any] | None = None,
    records: Sequence[tuple[str, str]] = (),
) -> Instance:
    """Start an instance of the released definition and move it until it waits.

    business_key: unique among the running instances of the process. variables: plain Python values that FEEL knows.
    records: (type, id) of the documents it is about. Raises: NotFound without a released definition; Conflict when
    the key runs already; Invalid.
    """
    definition = definitions.released(act.session, process_id)
    return begin(act, definition, business_key=business_key, variables=variables, records=records)


def begin(
    act: Act,
    definition: Definition,
    *,
    business_key: str,
    variables: Mapping[str, Any] | None = None,
    records: Sequence[tuple[str, str]] = (),
    start_element: str | None = None,
) -> Instance:
    """Start an instance of a given definition; start_element: the event that was triggered. Raises: as ``start``."""
    taken = accepted(variables)
    _refuse_start(act, definition, business_key, start_element)
    instance = Instance(
        id=new_id(),
        process_id=definition.process_id,
        definition_id=definition.id,
        definition_hash=definition.hash,
        business_key=business_key,
        status=InstanceStatus.RUNNING,
        state=b"",
        variables=b"",
        large_variables=0,
        started_at=act.now,
        started_by=act.user_id or act.actor,
        suspended_at=None,
        incidents=0,
        rounds={},
        audit_seq=0,
        audit_hash=GENESIS,
        decision_seq=0,
        decision_hash=GENESIS,
    )
    act.session.add(instance)
    audit.own_chain(act, "instance", instance.id, instance)
    for record_type, record_id in dict.fromkeys(records):
        act.session.add(InstanceRecord(instance_id=instance.id, record_type=record_type, record_id=record_id))
    act.note("instance", instance.id, "INSTANCE_STARTED", field=definition.process_id, new=business_key)
    # Its row is written when it has come to rest, or as soon as a step or a row that refers to it needs it.
    with motion.starting(act, instance, taken, start_element=start_element):
        pass
    act.settle()
    return instance


def _refuse_start(act: Act, definition: Definition, business_key: str, start_element: str | None) -> None:
    if not business_key.strip() or len(business_key) > MAX_KEY:
        raise Invalid(
            f"Expected a business key of 1 to {MAX_KEY} characters, but it has {len(business_key)}",
            {"business_key": f"1 to {MAX_KEY} characters"},
        )
    if definition.status != DefinitionStatus.RELEASED:
        raise Conflict(
            f"Expected a released {definition.process_id}, but version {definition.version} is {definition.status}",
            code="NOT_RELEASED",
        )
    asked = {"process": definition.process_id, "key": business_key}
    if act.session.scalars(_WITH_KEY, asked).first() is not None:
        raise Conflict(
            f"Expected {business_key} not to be running yet, but an instance of {definition.process_id} has that key",
            code="ALREADY_RUNNING",
        )
    starts = definitions.parsed(act.session, definition.id).process.starts
    plain = any(found.kind == "none" for found in starts)
    if start_element is None and not plain:
        raise Conflict(f"Expected {definition.process_id} to have a plain start event, but only an event starts it")


def find(session: Session, instance_id: str) -> Instance:
    """Return an instance. Raises: NotFound."""
    found = rows.get(session, Instance, instance_id) if is_id(instance_id) else None
    if found is None:
        raise NotFound(f"Expected an instance {instance_id}, but there is none")
    return found


def cancel(act: Act, instance_id: str, reason: str) -> Instance:
    """End a running instance for a reason: its tasks, timers and jobs are taken back. Raises: NotFound; Conflict.

    Invalid.
    """
    if not reason.strip():
        raise Invalid("Expected a reason for the cancellation, but there is none", {"reason": "missing"})
    instance = motion.running(motion.lock(act, instance_id))
    try:
        with motion.moving(act, instance, is_mended=True) as moved:
            moved.why = f"cancelled: {reason}"
            moved.flow.cancel()
    except Conflict as refusal:
        if refusal.code != "UNREADABLE":
            raise
        # Nobody can tell where its tokens stood, but everything that waits for it has a row.
        keeping.abandon(act, instance, f"cancelled: {reason}")
    return instance


def retry(act: Act, instance_id: str, token_id: int) -> retrying.Retry:
    """Try again what is stuck at a token, and say what came of it. Raises: NotFound when nothing is stuck there."""
    query = select(Incident.id).where(
        Incident.instance_id == instance_id, Incident.token_id == token_id, Incident.state == IncidentState.OPEN
    )
    found = act.session.scalars(query).first()
    if found is None:
        raise NotFound(f"Expected an incident at token {token_id}, but there is none")
    return retrying.retry(act, found)


def variables_of(session: Session, instance_id: str) -> dict[str, Any]:
    """Return the variables of the root of an instance, by name, as plain Python values. Raises: NotFound."""
    return root_values(session, find(session, instance_id))


def link_record(act: Act, instance_id: str, record_type: str, record_id: str) -> None:
    """Say that an instance is about a business document; saying it twice changes nothing."""
    query = select(InstanceRecord).where(
        InstanceRecord.instance_id == instance_id,
        InstanceRecord.record_type == record_type,
        InstanceRecord.record_id == record_id,
    )
    if act.session.scalars(query).first() is None:
        act.session.add(InstanceRecord(instance_id=instance_id, record_type=record_type, record_id=record_id))
        act.session.flush()


def instances_of(session: Session, record_type: str, record_id: str) -> list[Instance]:
    """Return the instances that are about a business document, the newest first."""
    query = (
        select(Instance)
        .join(InstanceRecord, InstanceRecord.instance_id == Instance.id)
        .where(InstanceRecord.record_type == record_type, InstanceRecord.record_id == record_id)
    )
    return list(session.scalars(query.order_by(Instance.started_at.desc(), Instance.id.desc())))


def records_of(session: Session, instance_id: str) -> list[tuple[str, str]]:
    """Return (type, id) of the documents that an instance is about, in the order in which they were linked."""
    query = select(InstanceRecord).where(InstanceRecord.instance_id == instance_id).order_by(InstanceRecord.id)
    return [(row.record_type, row.record_id) for row in session.scalars(query)]


def history(session: Session, instance_id: str, *, limit: int = 1000) -> list[Activity]:
    """Return what left an instance, oldest first."""
    query = select(Activity).where(Activity.instance_id == instance_id)
    return list(session.scalars(query.order_by(Activity.left_at, Activity.id).limit(limit)))
