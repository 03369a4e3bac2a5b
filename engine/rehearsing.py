"""Rehearse the move of a running instance to another version of its process: what it would do, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from engine import definitions, variables, waiting, words
from engine.bundle import Deployed
from engine.clock import now_of
from engine.errors import Conflict, Invalid
from engine.functions import lent
from engine.spiff import Flow
from engine.spiff.host import Incident
from engine.spiff.migrating import Judgement, Unplaced, judge, relocate
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceStatus


class Verdict(StrEnum):
    """Whether an instance can be moved. SAFE: as it is; MAPPED: by what was mapped; NEEDS_MAPPING: once more is mapped."""

    SAFE = "SAFE"
    MAPPED = "MAPPED"
    NEEDS_MAPPING = "NEEDS_MAPPING"
    BLOCKED = "BLOCKED"
    THERE = "THERE"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What moving one instance would do. version: of the instance, as it was looked at."""

    instance_id: str
    business_key: str
    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    unplaced: tuple[Unplaced, ...]
    version: int
    from_version: int

    @property
    def may_move(self) -> bool:
        """Whether it can be moved now."""
        return self.verdict in (Verdict.SAFE, Verdict.MAPPED)


def rehearse(
    session: Session, instance: Instance, target: Definition, mapping: Mapping[str, str] | None = None
) -> Rehearsal:
    """Say what moving an instance to another version would do; nothing changes. Raises: Invalid for a mapping that names nothing."""
    if instance.definition_id == target.id:
        return _said(session, instance, Verdict.THERE, (f"It is on version {target.version} already.",))
    if instance.status != InstanceStatus.RUNNING:
        return _said(session, instance, Verdict.BLOCKED, (f"It is {instance.status.lower()}.",))
    if target.process_id != instance.process_id:
        return _said(session, instance, Verdict.BLOCKED, (f"It runs {instance.process_id}, not {target.process_id}.",))
    try:
        flow = waiting.look(session, instance)
    except Conflict as unreadable:
        return _said(session, instance, Verdict.BLOCKED, (unreadable.message,))
    deployed = definitions.parsed(session, target.id)
    mapping = _checked(flow, deployed, mapping or {})
    found = judge(flow, deployed.bundle, mapping)
    reasons = [f"{one[:1].upper()}{one[1:]}." for one in found.blocked]
    if not found.blocked and not found.unplaced:
        reasons += _why_it_fails(session, instance, flow, deployed, found, mapping)
    if reasons:
        return _said(session, instance, Verdict.BLOCKED, tuple(reasons), found)
    if found.unplaced:
        return _said(session, instance, Verdict.NEEDS_MAPPING, tuple(_asked(one) for one in found.unplaced), found)
    return _said(session, instance, Verdict.MAPPED if found.mapped else Verdict.SAFE, (), found)


def _said(
    session: Session, instance: Instance, verdict: Verdict, reasons: tuple[str, ...], found: Judgement | None = None
) -> Rehearsal:
    """Return the verdict; what holds of each of a thousand tokens is said once."""
    present = session.get_one(Definition, instance.definition_id)
    return Rehearsal(
        instance.id, instance.business_key, verdict, tuple(dict.fromkeys(reasons)),
        tuple(dict.fromkeys(_notes(session, found))) if found else (),
        tuple(dict.fromkeys(found.unplaced)) if found else (), instance.version, present.version,
    )  # fmt: skip


def _notes(session: Session, found: Judgement) -> Iterator[str]:
    for name, due in found.times:
        yield f'"{name}" keeps its time: {words.clock_time(session, due, now=now_of(session))}.'
    yield from found.notes


def _asked(one: Unplaced) -> str:
    why = one.why or "the other version has no such step"
    hint = f"; {one.suggestion} looks like it" if one.suggestion else ""
    return f'Say where "{one.name}" ({one.element_id}) goes: {why}{hint}.'


def _checked(flow: Flow, target: Deployed, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return a mapping whose names exist. Raises: Invalid naming each that does not."""
    old = {one for process in flow.bundle.processes.values() for one in process.elements}
    new = {one for process in target.bundle.processes.values() for one in process.elements}
    wrong = {
        source: f"is no element of the {'present' if source.rpartition(':')[2] not in old else 'other'} version"
        for source, goal in mapping.items()
        if source.rpartition(":")[2] not in old or (goal and goal not in new)
    }
    if wrong:
        named = ", ".join(f"{source} to {mapping[source]}" for source in wrong)
        raise Invalid(f"Expected a mapping between elements of the two versions, but found {named}", wrong)
    return dict(mapping)


def _why_it_fails(
    session: Session, instance: Instance, flow: Flow, target: Deployed, found: Judgement, mapping: Mapping[str, str]
) -> list[str]:
    """Return why new events beside its activities could not begin to wait."""
    stored = variables.load(session, instance)
    try:
        with lent(session):
            relocate(flow, target.bundle, found, waiting.Onlooker(session), mapping=mapping, stored=stored)
    except Incident as reason:
        return [f"A new event could not begin to wait: {reason.message}"]
    return []
