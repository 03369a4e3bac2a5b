"""Runs on other versions of a process: what moving each would do, and what became of those that were moved together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import migrating, rehearsing
from engine.database import is_id
from engine.errors import NotFound
from engine.migrating import Came, Moved
from engine.rehearsing import Rehearsal
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance, InstanceMove, Relocation

MOST = 500
"""Runs that one request rehearses or moves; the command line moves any number."""


class OnFailure(StrEnum):
    """What becomes of the runs behind one that could not be moved."""

    CONTINUE = "CONTINUE"
    STOP = "STOP"


def rehearse_all(
    session: Session, target: Definition, mapping: Mapping[str, str], *, chosen: Sequence[str] | None = None
) -> list[Rehearsal]:
    """Rehearse some runs, or all that are on another version. Raises: NotFound for a run that there is not; Invalid."""
    instances = (
        migrating.runs_on_others(session, target)[:MOST] if chosen is None else [_run(session, one) for one in chosen]
    )
    return [rehearsing.rehearse(session, one, target, mapping) for one in instances]


def outcomes(session: Session, relocation_id: str, chosen: Sequence[str], on_failure: str) -> list[Moved]:
    """Say what became of each run of an order, from what is stored: those that did not move say why they cannot."""
    order = session.get_one(Relocation, relocation_id)
    target = session.get_one(Definition, order.definition_id)
    moved = set(session.scalars(select(InstanceMove.instance_id).where(InstanceMove.relocation_id == order.id)))
    found: list[Moved] = []
    for instance_id in chosen:
        found.append(_outcome(session, instance_id, target, order, moved, found, on_failure))
    return found


def _outcome(
    session: Session,
    instance_id: str,
    target: Definition,
    order: Relocation,
    moved: set[str],
    before: list[Moved],
    on_failure: str,
) -> Moved:
    instance = session.get(Instance, instance_id) if is_id(instance_id) else None
    if instance is None:
        return Moved(instance_id, "", Came.FAILED, f"Expected an instance {instance_id}, but there is none")
    if instance_id in moved:
        return Moved(instance_id, instance.business_key, Came.MOVED)
    if on_failure == OnFailure.STOP and any(one.came is Came.FAILED for one in before):
        return Moved(instance_id, instance.business_key, Came.NOT_TRIED)
    if instance.definition_id == target.id:
        return Moved(
            instance_id, instance.business_key, Came.NOTHING_TO_DO, f"It is on version {target.version} already."
        )
    why = rehearsing.rehearse(session, instance, target, order.mapping)
    return Moved(instance_id, instance.business_key, Came.FAILED, " ".join(why.reasons) or "It was busy; try it again.")


def newest(session: Session, process_id: str) -> Definition | None:
    """Return the version that new runs of a process start with."""
    wanted = select(Definition).where(
        Definition.process_id == process_id, Definition.status == DefinitionStatus.RELEASED
    )
    return session.scalars(wanted.order_by(Definition.version.desc()).limit(1)).first()


def version_words(present: Definition, newer: Definition | None) -> str:
    """Return a run's version, and that there is a newer one."""
    if newer is None or newer.version <= present.version:
        return str(present.version)
    return f"{present.version} ({newer.version} available)"


def _run(session: Session, instance_id: str) -> Instance:
    found = session.get(Instance, instance_id) if is_id(instance_id) else None
    if found is None:
        raise NotFound(f"Expected a run {instance_id:.60}, but there is none")
    return found
