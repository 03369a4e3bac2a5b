"""Look at every supplier once a day: its score, its certificates, its screening, its sub-tiers. What is wrong is kept and told once.

The same look is taken after somebody wrote something down about a supplier, so that its page says what holds now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.errors import Effect, Finding
from engine.registry import Registry
from processes.certificate_rechecks import plan_rechecks
from processes.notices import tell_role
from processes.supplier_scores import score_all
from processes.supplier_tasks import ask_for_grade, say_reviewed
from records.part import process_words
from records.supplier import Supplier, SupplierStatus
from records.supplier_knowledge import (
    ApprovalRecheck,
    Grade,
    RecheckStatus,
    ScreeningResult,
    SubTier,
    SubTierStatus,
)
from rules.finding import keep_findings, settle
from rules.policy import table_called
from rules.supplier_facts import WAYS_OUT, latest_score, latest_screening, limits_for, low_score
from rules.waiver import today_of

registry = Registry()

WATCHED = frozenset({"SUP-05", "SUP-08", "SUP-10", "SUP-13"})
"""The rules that are kept on a supplier; the same on its orders are kept by whoever judges an order."""

TOLD = frozenset({"SUP-10"})
"""What is told one by one: sub-tiers and re-checks were told when they were declared or due, screenings are counted once a week."""

ABLE = (SupplierStatus.APPROVED, SupplierStatus.CONDITIONAL)
NEXT_LOOK = "suppliers: next look"
DAY = dt.timedelta(days=1)


@registry.chore("watch_suppliers")
def watch_suppliers(installation: Installation) -> int:
    """Score, plan and judge on a new day at the plant; return how many suppliers something is wrong with, 0 until tomorrow."""
    now = installation.clock()
    planned: dt.datetime | None = installation.extras.get(NEXT_LOOK)
    if planned is not None and planned - DAY <= now < planned:
        return 0
    with installation.acting("system:timer") as act:
        zone = installation.calendar.zone(act.session) if installation.calendar is not None else dt.UTC
        wrong = look_at_all(act, on=now.astimezone(zone).date())
    tomorrow = dt.datetime.combine(now.astimezone(zone).date() + DAY, dt.time(), zone)
    installation.extras[NEXT_LOOK] = tomorrow.astimezone(dt.UTC)
    return wrong


def look_at_all(act: Act, *, on: dt.date) -> int:
    """Refresh the scores, make the tasks of re-checks and judge every supplier; return how many something is wrong with."""
    score_all(act, on=on)
    plan_rechecks(act, on=on)
    wanted = select(Supplier).where(Supplier.is_active, Supplier.status.in_(ABLE)).order_by(Supplier.supplier_no)
    found = [look(act, supplier, on=on) for supplier in act.session.scalars(wanted).all()]
    unscreened = sum(any(finding.rule == "SUP-13" for finding in one) for one in found)
    if unscreened:
        year, week, _ = on.isocalendar()
        subject = f"{unscreened} suppliers need a screening" if unscreened > 1 else "One supplier needs a screening"
        body = "Their findings (SUP-13) name them. Orders of export-controlled parts wait until they are screened."
        tell_role(act, "SQ", subject, key=f"screenings:{year}-{week}", body=body)
    return sum(map(bool, found))


def look(act: Act, supplier: Supplier, *, on: dt.date | None = None) -> list[Finding]:
    """Keep what is wrong with a supplier on a day, today for None; tell the owner of what is new and settle what was mended."""
    day = on or today_of(act.session, act.now)
    found = list(judge_supplier(act.session, supplier, on=day))
    for kept in keep_findings(act, found):
        if kept.rule not in TOLD:
            continue
        role = kept.owner.removeprefix("role:")
        key = f"{supplier.id}:{kept.rule}:{kept.field}:{day}"[:200]
        record = (supplier.record_type, supplier.id)
        for each in dict.fromkeys((role, "SQ")):
            tell_role(act, each, f"{kept.rule}: {kept.sentence}"[:200], key=key, body=kept.way_out, record=record)
    act.session.flush()
    if any(finding.rule == "SUP-10" for finding in found):
        ask_for_grade(act, supplier)
    else:
        say_reviewed(act, supplier.id)
    settle(act, supplier.record_type, supplier.id, rules=WATCHED, found=found)
    act.session.flush()
    return found


def judge_supplier(session: Session, supplier: Supplier, *, on: dt.date) -> Iterator[Finding]:
    """Yield what is wrong with a supplier whatever it delivers, as the table of facts weighs it when somebody asks for it."""
    for fact, sentence, field in (
        *_screening(session, supplier, on), *_score(session, supplier), *_sub_tiers(session, supplier, on),
        *_rechecks(session, supplier, on),
    ):  # fmt: skip
        judgement = table_called("supplier_facts").judge(point="submit", fact=fact, critical=False, imported=False)
        for row in judgement.rows:
            rule = str(row.outputs["rule"])
            yield Finding(
                rule, Effect(row.outputs["effect"]), sentence[:1000], supplier.record_type, supplier.id, field=field,
                owner=str(row.outputs["owner"]), way_out=WAYS_OUT[rule], judged_by=judgement.hash, row=row.number,
            )  # fmt: skip


Told = tuple[str, str, str]


def _screening(session: Session, supplier: Supplier, on: dt.date) -> Iterator[Told]:
    last, days = latest_screening(session, supplier), int(limits_for(None)["screening_days"])
    if last is None:
        yield "SCREENING_MISSING", f"Expected {supplier.name} to be screened, but it never was.", "screening"
    elif last.result is not ScreeningResult.CLEAR:
        sentence = f"Expected a clear screening of {supplier.name}, but it is {last.result} ({last.source}, {last.screened_on})."
        yield f"SCREENING_{last.result.value}", sentence, "screening"
    elif (on - last.screened_on).days > days:
        # The sentence names the day and not the age, so that tomorrow's look keeps no second finding.
        sentence = (
            f"Expected a screening of {supplier.name} within {days} days, but the last one is of {last.screened_on}."
        )
        yield "SCREENING_OLD", sentence, "screening"


def _score(session: Session, supplier: Supplier) -> Iterator[Told]:
    last = latest_score(session, supplier)
    if last is not None and last.grade is Grade.LOW:
        proposal = " Proposed: CONDITIONAL." if supplier.status is SupplierStatus.APPROVED else ""
        yield "SCORE_LOW", low_score(last) + proposal, "score"


def _sub_tiers(session: Session, supplier: Supplier, on: dt.date) -> Iterator[Told]:
    wanted = select(SubTier).where(SubTier.supplier_id == supplier.id, SubTier.status != SubTierStatus.ENDED)
    for found in session.scalars(wanted.order_by(SubTier.name)):
        if not found.is_approved_on(on):
            state = (
                f"approved until {found.valid_to}" if found.status is SubTierStatus.APPROVED else found.status.lower()
            )
            what = process_words(found.process_code)
            sentence = f"Expected an approved sub-tier for {what} of {supplier.name}, but {found.name} is {state}."
            yield "SUB_TIER_UNAPPROVED", sentence, "sub_tiers"


def _rechecks(session: Session, supplier: Supplier, on: dt.date) -> Iterator[Told]:
    for row in supplier.approvals:
        wanted = select(ApprovalRecheck).where(ApprovalRecheck.approval_id == row.id)
        last = session.scalars(wanted.order_by(ApprovalRecheck.due_on.desc()).limit(1)).first()
        number = row.nadcap_certificate_no or row.accreditation_no
        if last is not None and last.status is RecheckStatus.REFUTED:
            yield (
                "RECHECK_REFUTED",
                f"Expected certificate {number} to be confirmed, but it was not: {last.note}",
                "approvals",
            )
        elif last is not None and last.status is RecheckStatus.DUE and last.due_on < on:
            sentence = f"Expected certificate {number} to be looked up again by {last.due_on}, but nobody did."
            yield "RECHECK_OVERDUE", sentence, "approvals"
