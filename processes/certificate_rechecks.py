"""Look certificates up again every year (SUP-05): the task is made in time, its keepers hear of it three times, and who did it is kept.

An accreditation runs for 12, 18 or 24 months, and may be withdrawn meanwhile; so it is looked up once a year whatever its cycle.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.act import Act
from processes.notices import tell_role
from processes.supplier_tasks import ask_for_recheck, last_confirmed
from records.supplier import ApprovalBasis, ApprovalStatus, SupplierApproval
from records.supplier_knowledge import ApprovalRecheck, RecheckStatus
from rules.supplier_facts import limits_for

GIVEN = (ApprovalStatus.APPROVED, ApprovalStatus.CONDITIONAL)
KEEPERS = ("SQ", "QA_ENG")


def notice_days() -> tuple[int, ...]:
    """Return how many days before a re-check is due its keepers hear of it, the earliest first."""
    limits = limits_for(None)
    return tuple(sorted((int(limits[f"recheck_{which}"]) for which in ("first", "second", "last")), reverse=True))


def next_due(session: Session, approval: SupplierApproval) -> dt.date:
    """Return the day by which a certificate is to be looked up: a year after the last time, and not after it ends.

    A certificate that ends first is looked up then: its renewal is what there is to see.
    """
    last = last_confirmed(session, approval)
    due = months_after(last, int(limits_for(None)["recheck_months"]))
    ends = approval.certificate_expires_on
    return min(due, ends) if ends is not None and ends > last else due


def months_after(day: dt.date, months: int) -> dt.date:
    """Return the same day some months later; the last of the month where that month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def plan_rechecks(act: Act, *, on: dt.date) -> list[ApprovalRecheck]:
    """Make the tasks that are due within the first notice's days, tell of them once for each notice, and return the open ones."""
    days = notice_days()
    found = []
    for approval in _certified(act.session):
        task = _open_task(act.session, approval)
        if task is None:
            due = next_due(act.session, approval)
            if (due - on).days > max(days):
                continue
            task = _task_on(act, approval, due)
        if task.status is RecheckStatus.DUE:
            _announce(act, task, on=on, days=days)
            found.append(task)
    return found


def open_tasks(session: Session, approvals: Iterable[SupplierApproval]) -> dict[str, ApprovalRecheck]:
    """Return the re-check that is open on each approval, by the approval's id."""
    return {one.id: task for one in approvals if (task := _open_task(session, one)) is not None}


def _certified(session: Session) -> Sequence[SupplierApproval]:
    wanted = select(SupplierApproval).where(
        SupplierApproval.status.in_(GIVEN),
        or_(SupplierApproval.basis == ApprovalBasis.NADCAP, SupplierApproval.accreditation_no.is_not(None)),
    )
    return session.scalars(wanted.order_by(SupplierApproval.valid_to, SupplierApproval.id)).all()


def _open_task(session: Session, approval: SupplierApproval) -> ApprovalRecheck | None:
    wanted = select(ApprovalRecheck).where(
        ApprovalRecheck.approval_id == approval.id, ApprovalRecheck.status == RecheckStatus.DUE
    )
    return session.scalars(wanted.order_by(ApprovalRecheck.due_on)).first()


def _task_on(act: Act, approval: SupplierApproval, due: dt.date) -> ApprovalRecheck:
    """Return the task of that day, new in the inbox; one that was done early for the same day is not made again."""
    wanted = select(ApprovalRecheck).where(ApprovalRecheck.approval_id == approval.id, ApprovalRecheck.due_on == due)
    known = act.session.scalars(wanted).first()
    if known is not None:
        return known
    made = ApprovalRecheck(approval=approval, approval_id=approval.id, due_on=due)
    act.session.add(made)
    act.session.flush()
    ask_for_recheck(act, made)
    return made


def _announce(act: Act, task: ApprovalRecheck, *, on: dt.date, days: Sequence[int]) -> None:
    """Tell the keepers once for the nearest number of days that is reached."""
    left = (task.due_on - on).days
    reached = [day for day in days if left <= day]
    if not reached:
        return
    approval = task.approval
    number = approval.nadcap_certificate_no or approval.accreditation_no or ""
    when = f"by {task.due_on.isoformat()}" if left >= 0 else f"now: it was due on {task.due_on.isoformat()}"
    subject = f"{approval.supplier.name}: look certificate {number} for {approval.subject_words} up again {when}"
    body = "Ask whoever issued it, and write down in the task, or on the supplier's page, what they say."
    for role in KEEPERS:
        tell_role(
            act, role, subject, key=f"recheck:{task.id}:{min(reached)}", body=body,
            record=("supplier", approval.supplier_id),
        )  # fmt: skip
