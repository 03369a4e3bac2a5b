"""What a waiver does to a finding, and what it needs: signatures and days by the table ``waivers.dmn``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.answers import once
from engine.errors import Effect, Finding
from engine.record import Record
from records.calendar import MAIN, Site
from records.waiver import Waiver, WaiverStatus
from rules.policy import table_called

UNWAIVABLE = frozenset({"SOD-11", "SOD-12", "SOD-13"})
"""Duties that a waiver would turn into their opposite: who administers, who stands in, who writes the rules."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a waiver of a rule needs. roles: one seat each; max_days: it lasts at most; empty roles: the rule is not waived."""

    roles: tuple[str, ...]
    max_days: int
    judged_by: str


def terms_of(rule: str) -> Terms:
    """Return what a waiver of a rule needs."""
    judgement = table_called("waivers").judge(family=rule.partition("-")[0])
    if rule in UNWAIVABLE:
        return Terms((), 0, judgement.hash)
    return Terms(
        tuple(str(row.outputs["role"]) for row in judgement.rows),
        min((int(row.outputs["max_days"]) for row in judgement.rows), default=0),
        judgement.hash,
    )


def standing_waiver(
    session: Session,
    rule: str,
    record: Record | tuple[str, str],
    *,
    on: dt.date,
    quantity: Decimal | None = None,
    serials: Sequence[str] = (),
) -> Waiver | None:
    """Return the waiver that lets pass what a rule says about a document on a site-local day, the longest one.

    record: the document, or its type and id. quantity, serials: what is to pass, where the waiver is limited.
    """
    record_id = record.id if isinstance(record, Record) else record[1]
    wanted = select(Waiver).where(
        Waiver.record_id == record_id, Waiver.rule == rule, Waiver.status == WaiverStatus.GRANTED
    )
    granted = once(session, ("granted_waivers", record_id, rule), lambda: session.scalars(wanted).all())
    standing = [waiver for waiver in granted if waiver.stands_on(on, quantity=quantity, serials=tuple(serials))]
    return max(standing, key=lambda waiver: (waiver.expires_on, waiver.number), default=None)


def soften(session: Session, findings: Iterable[Finding], *, on: dt.date) -> list[Finding]:
    """Return findings with those that a standing waiver covers turned into warnings that say until when.

    on: the site-local day.
    """
    softened = []
    for finding in findings:
        waiver = None
        if finding.effect is not Effect.WARN and finding.record_id and _may_be_waived(finding.rule):
            waiver = standing_waiver(session, finding.rule, (finding.record_type, finding.record_id), on=on)
        softened.append(finding if waiver is None else _waived(finding, waiver))
    return softened


def today_of(session: Session, now: dt.datetime) -> dt.date:
    """Return the day at the main site, by which waivers are dated; in a house that has none yet, the day in UTC."""
    site = session.scalar(select(Site).where(Site.code == MAIN))
    return now.date() if site is None else site.local_day(now)


def standing_waivers(session: Session, *, on: dt.date) -> list[Waiver]:
    """Return every waiver that stands on a day, the one that ends first first."""
    wanted = select(Waiver).where(
        Waiver.status == WaiverStatus.GRANTED, Waiver.starts_on <= on, Waiver.expires_on >= on
    )
    return list(session.scalars(wanted.order_by(Waiver.expires_on, Waiver.number)))


def _may_be_waived(rule: str) -> bool:
    return rule.startswith(("SOD-", "BLUR-", "SUP-")) or bool(terms_of(rule).roles)


def _waived(finding: Finding, waiver: Waiver) -> Finding:
    return replace(
        finding,
        effect=Effect.WARN,
        sentence=f"{finding.sentence} Waived until {waiver.expires_on} ({waiver.number}).",
        waiver_id=waiver.id,
    )
