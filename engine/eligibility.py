"""Who may take a task: its candidates, the mandates people hold, and who is barred and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from engine.clock import now_of
from engine.errors import Effect, Finding
from engine.ports import Directory, Guard, Mandate, Person
from engine.stored.task import Task

if TYPE_CHECKING:
    from engine.act import Installation

EXCLUDED = "SOD-1"
"""The rule that a task's ``excludes`` stands for: nobody approves what is their own."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a task is somebody's. principal: the candidate that fits. on_behalf_of.

    The absent person, when a deputy's.
    """

    sentence: str
    principal: str
    on_behalf_of: str | None = None
    rule_row: str | None = None


def directory_of(session: Session) -> Directory:
    """Return the wired directory. Raises: RuntimeError when there is none."""
    installation: Installation = session.info["installation"]
    if installation.directory is None:
        raise RuntimeError("Expected a directory to be wired before people may act, but there is none")
    return installation.directory


def mandates_for(session: Session, task: Task, user_id: str, *, now: dt.datetime) -> list[Mandate]:
    """Return the mandates under which a person may take a task, own ones first; empty when it is not theirs."""
    held = directory_of(session).mandates(session, user_id, at=now, flow=task.flow)
    wanted = set(task.candidates)
    fitting = [mandate for mandate in held if mandate.principal in wanted]
    own = f"user:{user_id}"
    if own in wanted and not any(mandate.principal == own for mandate in fitting):
        fitting.insert(0, Mandate(own))
    return fitting


def bars(session: Session, task: Task, user_id: str, *, on_behalf_of: str | None, now: dt.datetime) -> list[Finding]:
    """Return what bars a person from deciding a task: the guard's word, and the task's own list of the excluded."""
    installation: Installation = session.info["installation"]
    guard: Guard | None = installation.guard
    findings: list[Finding] = []
    if guard is not None:
        judged = guard.may_decide(session, task, user_id, on_behalf_of=on_behalf_of, now=now)
        findings = [finding for finding in judged if finding.effect is Effect.BLOCK]
    if user_id in task.excludes or (on_behalf_of is not None and on_behalf_of in task.excludes):
        who = user_id if user_id in task.excludes else on_behalf_of
        subject = task.record_number or task.business_key
        # A deputy's finding quotes the rule that bars the absent person: one sentence about it is enough.
        if not any(finding.rule == EXCLUDED or f"({EXCLUDED})" in finding.sentence for finding in findings):
            findings.append(
                Finding(
                    EXCLUDED,
                    Effect.BLOCK,
                    f"Expected somebody else than {who} to decide on {subject}, but {who} is excluded from it.",
                    record_type=task.record_type or "task",
                    record_id=task.record_id or task.id,
                )
            )
    return findings


def verdict_bars(session: Session, task: Task, verdict: str, user_id: str) -> list[Finding]:
    """Return what keeps back one verdict of a task that somebody may decide: the guard's word."""
    installation: Installation = session.info["installation"]
    if installation.guard is None:
        return []
    judged = installation.guard.may_give(session, task, verdict, user_id)
    return [finding for finding in judged if finding.effect is Effect.BLOCK]


def why_me(session: Session, task: Task, user_id: str, *, now: dt.datetime) -> list[Reason]:
    """Say why a task is in somebody's inbox: which role, which row of which table, deputy for whom."""
    directory = directory_of(session)
    reasons: list[Reason] = []
    for mandate in mandates_for(session, task, user_id, now=now):
        kind, _, name = mandate.principal.partition(":")
        if mandate.on_behalf_of:
            person = directory.person(session, mandate.on_behalf_of)
            absent = person.name if person else mandate.on_behalf_of
            held = f"you are the deputy of {absent}" + (f", who is {name}" if kind == "role" else "")
        else:
            held = f"you are {name}" if kind == "role" else "it was given to you by name"
        because = f" ({task.rule_row})" if task.rule_row else ""
        sentence = f"{held[0].upper()}{held[1:]}{because}."
        reasons.append(Reason(sentence, mandate.principal, mandate.on_behalf_of, task.rule_row))
    return reasons


def former_sentence(session: Session, task: Task, user_id: str) -> str | None:
    """Return why a task is no longer a person's although it was, None when it never was."""
    if not task.former:
        return None
    held = directory_of(session).mandates(session, user_id, at=now_of(session), flow=task.flow)
    mine = {f"user:{user_id}", *(mandate.principal for mandate in held)}
    return next((entry["why"] for entry in reversed(task.former) if entry["principal"] in mine), None)


def eligible(
    session: Session, task: Task, principals: Sequence[str], *, now: dt.datetime
) -> tuple[list[Person], list[str]]:
    """Return the active people who may take a task, and a sentence for each one who was skipped, deputies included."""
    people: dict[str, Person] = {}
    names: dict[str, str] = {}
    notes: list[str] = []
    for person in _holders(session, principals, now=now):
        if person.id in people:
            continue
        names[person.id] = person.name
        findings = bars(session, task, person.id, on_behalf_of=None, now=now)
        if findings:
            notes.append(_skipped(person.name, findings))
        else:
            people[person.id] = person
    for absent, deputy in directory_of(session).stand_ins(session, list(names), at=now, flow=task.flow):
        findings = bars(session, task, deputy.id, on_behalf_of=absent, now=now)
        if findings:
            notes.append(_skipped(f"{deputy.name}, deputy of {names[absent]},", findings))
    return list(people.values()), list(dict.fromkeys(notes))


def _skipped(who: str, findings: Sequence[Finding]) -> str:
    rules = ", ".join(dict.fromkeys(finding.rule for finding in findings))
    return f"{who} was skipped ({rules}): {' '.join(finding.sentence for finding in findings)}"


def _holders(session: Session, principals: Iterable[str], *, now: dt.datetime) -> Iterator[Person]:
    directory = directory_of(session)
    for principal in principals:
        kind, _, name = principal.partition(":")
        if kind == "user":
            person = directory.person(session, name)
            if person is not None and person.is_active:
                yield person
        else:
            yield from directory.holders(session, principal, at=now)
