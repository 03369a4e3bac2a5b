"""Incidents: what failed and waits for help is kept, shown, and can be tried again.

A retry says what really happened.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from engine.database import is_id
from engine.stored.instance import Instance
from engine.stored.wait import Incident, IncidentState

if TYPE_CHECKING:
    from engine.act import Act

__all__ = ["CAUSES", "Incident", "IncidentState", "known", "of_instance", "opened", "report"]

CAUSES = ("call", "candidates", "error", "expression", "moves", "timer", "watchdog", "work")
"""Why something stops: as ``Incident.cause`` says it."""


def report(
    act: Act,
    instance: Instance,
    token_id: int,
    element_id: str,
    *,
    cause: str,
    message: str,
    task_id: str | None = None,
    job_id: str | None = None,
) -> Incident:
    """Keep why an instance is stuck; the same token that fails again counts its attempts."""
    same = _of_token(instance.id, token_id)
    if token_id == 0:
        same = same.where(Incident.job_id == job_id)  # Jobs that no token waits for fail each for itself.
    known = act.session.scalars(same).first() if instance.incidents else None
    if known is not None:
        known.message, known.cause, known.attempts = message, cause, known.attempts + 1
        known.job_id, known.task_id = job_id, task_id
        act.note("instance", instance.id, "INCIDENT_AGAIN", field=element_id, new=message)
        return known
    found = Incident(
        instance_id=instance.id,
        token_id=token_id,
        element_id=element_id,
        task_id=task_id,
        job_id=job_id,
        cause=cause,
        message=message,
        state=IncidentState.OPEN,
        attempts=1,
        opened_at=act.now,
    )
    act.session.add(found)
    instance.incidents += 1
    act.note("instance", instance.id, "INCIDENT", field=element_id, new=message)
    return found


def _of_token(instance_id: str, token_id: int) -> Select[Incident]:
    return select(Incident).where(
        Incident.instance_id == instance_id, Incident.token_id == token_id, Incident.state == IncidentState.OPEN
    )


def resolve(act: Act, instance: Instance, incident: Incident, resolution: str) -> None:
    """Close an incident with what ended it."""
    incident.state, incident.resolution = IncidentState.RESOLVED, resolution
    incident.resolved_at, incident.resolved_by = act.now, act.actor
    instance.incidents -= 1
    act.note("instance", instance.id, "INCIDENT_RESOLVED", field=incident.element_id, new=resolution)


def resolve_of_tokens(act: Act, instance: Instance, tokens: Sequence[int], resolution: str) -> None:
    """Close the incidents of tokens that moved on."""
    if instance.incidents:
        query = select(Incident).where(
            Incident.instance_id == instance.id, Incident.token_id.in_(tokens), Incident.state == IncidentState.OPEN
        )
        for incident in act.session.scalars(query):
            resolve(act, instance, incident, resolution)


def resolve_watchdog(act: Act, instance: Instance) -> None:
    """Close what says that nothing can wake an instance, now that something can."""
    if instance.incidents:
        for incident in act.session.scalars(_of_token(instance.id, 0).where(Incident.cause == "watchdog")):
            resolve(act, instance, incident, "something can wake it now")


def resolve_all(act: Act, instance: Instance) -> None:
    """Close every incident of an instance that has ended."""
    if instance.incidents:
        query = select(Incident).where(Incident.instance_id == instance.id, Incident.state == IncidentState.OPEN)
        for incident in act.session.scalars(query):
            resolve(act, instance, incident, "the instance ended")


def of_instance(session: Session, instance_id: str) -> list[Incident]:
    """Return the incidents of an instance, open ones first, then the newest."""
    query = select(Incident).where(Incident.instance_id == instance_id)
    return list(session.scalars(query.order_by(Incident.state, Incident.opened_at.desc())))


def opened(
    session: Session,
    *,
    process_id: str | None = None,
    cause: str | None = None,
    business_key: str | None = None,
    limit: int | None = 100,
) -> list[tuple[Incident, Instance]]:
    """Return the open incidents of all instances, oldest first: of one process, with one cause, of one key, where these are given."""
    query = select(Incident, Instance).join(Instance, Instance.id == Incident.instance_id)
    asked = ((Instance.process_id, process_id), (Incident.cause, cause), (Instance.business_key, business_key))
    query = query.where(
        Incident.state == IncidentState.OPEN, *(column == wanted for column, wanted in asked if wanted is not None)
    )
    query = query.order_by(Incident.opened_at, Incident.id).limit(limit)
    return [(incident, instance) for incident, instance in session.execute(query)]


def known(session: Session, incident_ids: Collection[str]) -> set[str]:
    """Return which of these ids are those of incidents, open or not."""
    wanted = [one for one in incident_ids if is_id(one)]
    return set(session.scalars(select(Incident.id).where(Incident.id.in_(wanted))))
