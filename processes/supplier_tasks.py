"""Give supplier quality its tasks about a supplier: a certificate to look up again (SUP-05), a low score to decide on (SUP-10)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.instances import start as start_instance
from engine.messages import publish
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance
from engine.stored.wait import MessageSubscription
from records.supplier import Supplier, SupplierApproval, SupplierStatus
from records.supplier_knowledge import ApprovalRecheck, Grade, SupplierScore
from rules.supplier_facts import latest_score, limits_for, low_score

PROCESS = "supplier_review"
REVIEWED = "supplier.reviewed"
NOT_KEPT = dt.timedelta(0)


def ask_for_recheck(act: Act, task: ApprovalRecheck) -> Instance | None:
    """Put a re-check into the inbox of supplier quality, once; None where it was put there before, or the process is not deployed."""
    approval = task.approval
    number = approval.nadcap_certificate_no or approval.accreditation_no or ""
    calendar = act.installation.calendar
    zone = calendar.zone(act.session) if calendar is not None else dt.UTC
    review = {
        "kind": "RECHECK", "key": task.id, "certificate": number, "subject": approval.subject_words,
        "supplier": approval.supplier.name, "due_on": task.due_on, "last_on": last_confirmed(act.session, approval),
        "due_at": dt.datetime.combine(task.due_on + dt.timedelta(days=1), dt.time(), zone).astimezone(dt.UTC),
        "record_type": task.record_type, "record_id": task.id, "number": task.number,
        "hash": content_hash({"approval": approval.id, "certificate": number, "due_on": task.due_on}),
    }  # fmt: skip
    key = f"{approval.supplier.supplier_no} {number} {task.due_on}"
    about = [(task.record_type, task.id), ("supplier", approval.supplier_id)]
    return _start(act, key, review, approval.supplier, about)


def last_confirmed(session: Session, approval: SupplierApproval) -> dt.date:
    """Return the day on which a certificate was looked up last, or else that of its approval."""
    wanted = select(ApprovalRecheck.done_on).where(
        ApprovalRecheck.approval_id == approval.id, ApprovalRecheck.done_on.is_not(None)
    )
    return max((day for day in session.scalars(wanted) if day is not None), default=approval.valid_from)


def ask_for_grade(act: Act, supplier: Supplier) -> Instance | None:
    """Put the low score of an approved supplier into the inbox of supplier quality, once until it was better in between."""
    score = latest_score(act.session, supplier)
    if score is None or score.grade is not Grade.LOW or supplier.status is not SupplierStatus.APPROVED:
        return None
    review = {
        "kind": "SCORE", "key": supplier.id, "supplier": supplier.name, "sentence": low_score(score),
        "days": int(limits_for(None)["grade_days"]), "record_type": supplier.record_type, "record_id": supplier.id,
        "number": supplier.supplier_no,
        "hash": content_hash({"supplier": supplier.supplier_no, "score": score.id, "to": SupplierStatus.CONDITIONAL.value}),
    }  # fmt: skip
    key = f"{supplier.supplier_no} score since {_low_since(act, score)}"
    return _start(act, key, review, supplier, [(supplier.record_type, supplier.id)])


def say_reviewed(act: Act, key: str) -> None:
    """Close the task about a re-check or a supplier's score, by its id: it was done on the page, or there is nothing to do."""
    waiting = select(MessageSubscription.id).where(
        MessageSubscription.name == REVIEWED, MessageSubscription.correlation_key == key
    )
    if act.session.scalars(waiting.limit(1)).first() is not None:
        publish(act, REVIEWED, correlation_key=key, variables={}, ttl=NOT_KEPT)


def _low_since(act: Act, score: SupplierScore) -> dt.date:
    """Return the day of the first low score after the last one that was not."""
    wanted = select(SupplierScore).where(SupplierScore.supplier_id == score.supplier_id)
    since = score.scored_on
    for found in act.session.scalars(wanted.order_by(SupplierScore.scored_on.desc(), SupplierScore.id.desc())):
        if found.grade is not Grade.LOW:
            break
        since = found.scored_on
    return since


def _start(
    act: Act, key: str, review: dict[str, Any], supplier: Supplier, about: list[tuple[str, str]]
) -> Instance | None:
    wanted = select(Definition.id).where(
        Definition.process_id == PROCESS, Definition.status == DefinitionStatus.RELEASED
    )
    if act.session.scalars(wanted.limit(1)).first() is None:
        return None
    asked = select(Instance.id).where(Instance.process_id == PROCESS, Instance.business_key == key)
    if act.session.scalars(asked.limit(1)).first() is not None:
        return None
    act.session.flush()
    names = {"review": review, "supplier": {"id": supplier.id, "number": supplier.supplier_no, "title": supplier.name}}
    return start_instance(act, PROCESS, business_key=key, variables=names, records=about)
