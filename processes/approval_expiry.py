"""End what quality approved for a time, and tell quality before it ends (domain: ASL expiry -90/-30/-7/0 days).

A chore of the runner looks once an hour, and soon after midnight at the plant. What it did it reads from the rows and notices
themselves, so that a second worker, a restart or a clock that stood still neither repeats nor leaves out anything.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.definitions import latest_table
from engine.errors import NotFound, Refused
from engine.registry import Registry
from processes.approved_suppliers import KEEPERS
from processes.notices import tell
from processes.sourcing import announce_approval
from records.notice import Notice
from records.supplier import ApprovalStatus, SupplierApproval, move
from rules.policy import Judgement, RuleTable, table_called

_log = logging.getLogger(__name__)

registry = Registry()

GIVEN = (ApprovalStatus.APPROVED, ApprovalStatus.CONDITIONAL)
ENDING = (*GIVEN, ApprovalStatus.SUSPENDED)
"""What can still expire; a suspended approval does so silently, for it permits nothing."""

NOTICES = ("asl_first", "asl_second", "asl_third", "asl_last")
"""Columns of the table of deadlines: days before the last valid day."""

NEXT_LOOK = "supplier approvals: next look"
HOUR = dt.timedelta(hours=1)


@registry.chore("expire_supplier_approvals")
def expire_supplier_approvals(installation: Installation) -> int:
    """Expire what has ended and tell quality what is about to; return how many approvals were touched."""
    now = installation.clock()
    planned: dt.datetime | None = installation.extras.get(NEXT_LOOK)
    if planned is not None and planned - HOUR <= now < planned:
        return 0
    with installation.reading() as session:
        zone = _zone(installation, session)
        today = now.astimezone(zone).date()
        days = notice_days(session)
        rows = _ending(session, today, within=max(days))
    touched = sum(_treat(installation, approval_id, today=today, days=days) for approval_id in rows)
    midnight = dt.datetime.combine(today + dt.timedelta(days=1), dt.time(), zone)
    installation.extras[NEXT_LOOK] = min(now + HOUR, midnight.astimezone(dt.UTC))
    return touched


def notice_days(session: Session) -> tuple[int, ...]:
    """Return how many days before its last day quality hears of an approval, the earliest first.

    The deployed table of deadlines counts; before one with these columns is deployed, the installed one does.
    """
    outputs = _deadlines(session).row.outputs
    return tuple(sorted((int(outputs[name]) for name in NOTICES), reverse=True))


def _deadlines(session: Session) -> Judgement:
    installed = table_called("timers")
    try:
        model = latest_table(session, "timers").model
    except NotFound:
        return installed.judge(priority="NORMAL")
    judged = RuleTable("timers", b"", model).judge(priority="NORMAL")
    return judged if set(NOTICES) <= set(judged.row.outputs) else installed.judge(priority="NORMAL")


def _zone(installation: Installation, session: Session) -> dt.tzinfo:
    return installation.calendar.zone(session) if installation.calendar is not None else dt.UTC


def _ending(session: Session, today: dt.date, *, within: int) -> Sequence[str]:
    wanted = select(SupplierApproval.id).where(
        SupplierApproval.status.in_(ENDING), SupplierApproval.valid_to <= today + dt.timedelta(days=within)
    )
    return list(session.scalars(wanted.order_by(SupplierApproval.valid_to, SupplierApproval.id)))


def _treat(installation: Installation, approval_id: str, *, today: dt.date, days: Sequence[int]) -> bool:
    """Expire one row or tell of it, in an act of its own: one that a law holds back does not stop the others."""
    try:
        with installation.acting("system:timer") as act:
            wanted = select(SupplierApproval).where(SupplierApproval.id == approval_id).with_for_update()
            approval = act.session.scalars(wanted).one()
            if approval.status not in ENDING:
                return False
            if approval.valid_to < today:
                _expire(act, approval)
                return True
            return approval.status in GIVEN and _announce(act, approval, today=today, days=days)
    except Refused as refusal:
        _log.error("The supplier approval %s could not be treated: %s", approval_id, refusal.message)
        return False


def _expire(act: Act, approval: SupplierApproval) -> None:
    was_given = approval.status in GIVEN
    reason = f"Its last valid day was {approval.valid_to.isoformat()}"
    move(act, approval, ApprovalStatus.EXPIRED, reason=reason)
    if not was_given:
        return
    announce_approval(act, approval)
    subject = f"{approval.supplier.name}: the approval for {approval.subject_words} has ended"
    body = f"{reason}. Nothing more is ordered or issued on it; a new row on the approved supplier list is needed."
    _tell(act, approval, subject, roles=(*KEEPERS, "BUYER"), key=f"{approval.id}:expired", body=body)


def _announce(act: Act, approval: SupplierApproval, *, today: dt.date, days: Sequence[int]) -> bool:
    """Tell quality once for the nearest number of days that is reached; a late start does not make up for earlier ones."""
    left = (approval.valid_to - today).days
    reached = [day for day in days if left <= day]
    key = f"{approval.id}:{approval.valid_to.isoformat()}:{min(reached)}" if reached else ""
    if not reached or act.session.scalar(select(Notice.id).where(Notice.key == key).limit(1)) is not None:
        return False
    when = {0: "today", 1: "tomorrow"}.get(left, f"in {left} days")
    subject = f"{approval.supplier.name}: the approval for {approval.subject_words} ends {when}"
    body = f"Its last valid day is {approval.valid_to.isoformat()}. Approve a new row on the list, or let it end."
    _tell(act, approval, subject, roles=KEEPERS, key=key, body=body)
    act.note(approval.record_type, approval.id, "EXPIRY_ANNOUNCED", field="valid_to", new=approval.valid_to.isoformat())
    return True


def _tell(act: Act, approval: SupplierApproval, subject: str, *, roles: Sequence[str], key: str, body: str) -> None:
    directory = act.installation.directory
    holders = [
        person.id
        for role in roles
        for person in (directory.holders(act.session, f"role:{role}", at=act.now) if directory is not None else ())
    ]
    tell(act, holders, subject, key=key, body=body, record=("supplier", approval.supplier_id))
