"""Findings as people work on them: what is open, how much of it, since when, and who has acknowledged what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import Conflict, Effect, Forbidden, Invalid, NotFound
from processes.seats import roles_held
from rules.finding import KeptFinding, acknowledge

OVERSEERS = frozenset({"QA_ENG", "PUR_MGR", "PROCESS_ENGINEER"})
"""Roles that may acknowledge a warning for anybody."""

TREND_DAYS = 14
OPEN = and_(KeptFinding.acknowledged_at.is_(None), KeptFinding.settled_at.is_(None))
AGES = {"0": 1, "1": 3, "3": 7, "7": None}
"""Age bands by their first day, with the day on which the next one begins."""


@dataclass(frozen=True, slots=True)
class Day:
    """How many findings came and ended on one day (UTC), and how many were open at its end."""

    on: dt.date
    found: int
    ended: int
    open: int


def wanted(filters: Mapping[str, str], *, now: dt.datetime) -> Select[KeptFinding]:
    """Return the open findings that fit. filters: q (words), rule, effect, owner, kind (of document), age (0, 1, 3 or 7 days)."""
    query = select(KeptFinding).where(OPEN)
    for name, column in (
        ("rule", KeptFinding.rule), ("effect", KeptFinding.effect), ("owner", KeptFinding.owner),
        ("kind", KeptFinding.record_type),
    ):  # fmt: skip
        if filters.get(name):
            query = query.where(column == filters[name])
    if filters.get("q"):
        query = query.where(func.lower(KeptFinding.sentence).contains(filters["q"].lower(), autoescape=True))
    if filters.get("age"):
        query = query.where(_aged(filters["age"], now))
    return query


def counts(session: Session) -> dict[str, dict[str, int]]:
    """Return how many findings are open: by rule, by effect, by owner, by kind of document."""
    columns = {
        "rule": KeptFinding.rule, "effect": KeptFinding.effect, "owner": KeptFinding.owner,
        "kind": KeptFinding.record_type,
    }  # fmt: skip
    return {
        name: {
            str(value): int(number)
            for value, number in session.execute(
                select(column, func.count()).where(OPEN).group_by(column).order_by(column)
            )
        }
        for name, column in columns.items()
    }


def trend(session: Session, *, now: dt.datetime, days: int = TREND_DAYS) -> list[Day]:
    """Return what came and what ended on each of the last days, the oldest first."""
    first = dt.datetime.combine(now.date() - dt.timedelta(days=days - 1), dt.time(), dt.UTC)
    rows = session.execute(
        select(KeptFinding.at, KeptFinding.acknowledged_at, KeptFinding.settled_at).where(
            or_(KeptFinding.at >= first, OPEN, KeptFinding.acknowledged_at >= first, KeptFinding.settled_at >= first)
        )
    ).all()
    ends = [(row.at, min((end for end in (row.acknowledged_at, row.settled_at) if end), default=None)) for row in rows]
    found = []
    for number in range(days):
        on = first.date() + dt.timedelta(days=number)
        found.append(
            Day(
                on,
                found=sum(at.date() == on for at, _ in ends),
                ended=sum(end is not None and end.date() == on for _, end in ends),
                open=sum(at.date() <= on and (end is None or end.date() > on) for at, end in ends),
            )
        )
    return found


def find(session: Session, finding_id: str) -> KeptFinding:
    """Return a finding. Raises: NotFound."""
    found = session.get(KeptFinding, finding_id) if is_id(finding_id) else None
    if found is None:
        raise NotFound("Expected a finding at this address, but there is none.")
    return found


def may_acknowledge(finding: KeptFinding, roles: set[str], user_id: str | None) -> bool:
    """Whether a person may acknowledge a warning: its owner, or somebody who oversees the rules."""
    kind, _, owner = finding.owner.partition(":")
    is_owner = owner in roles if kind == "role" else kind == "user" and owner == user_id
    return is_owner or bool(roles & OVERSEERS) or not finding.owner


def acknowledge_finding(act: Act, finding: KeptFinding, *, reason: str) -> KeptFinding:
    """Write down that a warning was seen, and why the work goes on.

    Raises: Forbidden for who neither owns nor oversees it; Conflict for a finding that holds or refuses, or is acknowledged;
    Invalid without a reason.
    """
    if finding.effect is not Effect.WARN:
        raise Conflict(
            f"Expected a warning to acknowledge, but {finding.rule} {'holds' if finding.effect is Effect.HOLD else 'refuses'}: "
            f"{finding.way_out or 'mend it'} Or ask for a waiver.",
            code="ON_HOLD",
        )
    if finding.acknowledged_at is not None or finding.settled_at is not None:
        raise Conflict("Expected an open finding, but it is acknowledged or holds no more", code="ILLEGAL_TRANSITION")
    if not may_acknowledge(finding, roles_held(act), act.user_id):
        raise Forbidden(f"Expected {finding.owner} or quality to acknowledge this, but you are neither")
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    if len(reason) > 4000:
        raise Invalid("Expected at most 4,000 characters", {"reason": "is too long"})
    return acknowledge(act, finding, reason=reason.strip())


def _aged(age: str, now: dt.datetime) -> ColumnElement[bool]:
    if age not in AGES:
        raise Invalid(f"Expected an age of {', '.join(AGES)} days, but found {age[:20]!r}", {"age": "is unknown"})
    youngest = KeptFinding.at <= now - dt.timedelta(days=int(age))
    following = AGES[age]
    return youngest if following is None else and_(youngest, KeptFinding.at > now - dt.timedelta(days=following))
