"""A decision just made, as one sentence: printed name, title, times, meaning, method and hash (21 CFR 11.50)."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.decisions import Decision
from engine.stored.instance import Instance
from engine.stored.task import Task
from engine.stored.wait import Incident, IncidentState
from records.signing import signature_of
from webapp import formats, visit

PAST = {
    "accept": "Accepted", "approve": "Approved", "approve_with_condition": "Approved with a condition", "ask": "Asked",
    "award": "Awarded", "cancel": "Cancelled", "clear": "Cleared", "close": "Closed", "confirm": "Confirmed", "defer": "Put off",
    "issue": "Issued", "refuse": "Refused", "reject": "Rejected", "resubmit": "Resubmitted", "return": "Returned",
    "send": "Sent", "submit": "Submitted", "withdraw": "Withdrawn",
}  # fmt: skip
"""What became of a document, by verdict; one that a diagram names itself stays the word it is."""


def outcome(verdict: str, who: str) -> str:
    """Say what somebody decided: ``Approved by Quinn Harper``; ``Decided by Quinn Harper: Call off`` for a word of the diagram's own."""
    if verdict in PAST:
        return f"{PAST[verdict]} by {who}"
    return f"Decided by {who}: {formats.words(verdict)}"


def stuck_words(session: Session, instance_id: str, *, since: dt.datetime) -> str | None:
    """Say why a run cannot go on since a moment, and who looks after it; None when nothing is stuck."""
    instance = session.get(Instance, instance_id)
    if instance is None or not instance.incidents:
        return None
    wanted = select(Incident.message).where(
        Incident.instance_id == instance_id, Incident.state == IncidentState.OPEN, Incident.opened_at >= since
    )
    message = session.scalars(wanted.order_by(Incident.opened_at).limit(1)).first()
    if message is None:
        return None
    return f"What you did counts, but {instance.business_key} is stuck behind it and stands on the list of Operations: {message}"


def words_of(session: Session, decision: Decision) -> str:
    """Return what was decided and, when it was signed, the signature as it stands on the record."""
    task = session.get(Task, decision.task_id) if decision.task_id else None
    number = (task.record_number or task.business_key) if task else decision.element_id
    verb = PAST.get(decision.verdict, formats.words(decision.verdict))
    said = f"{verb}: {number}."
    signature = signature_of(session, decision.id)
    if signature is None:
        return said
    how, title = visit.visitor().how, f", {signature.printed_title}" if signature.printed_title else ""
    return (
        f"{said} Signed by {signature.printed_name}{title}, as {formats.words(signature.meaning).lower()}, "
        f"{formats.instant(signature.signed_at, how)} ({signature.signed_at:%Y-%m-%d %H:%M} UTC), "
        f"by {formats.words(signature.method).lower()}, content {signature.content_hash[:12]}."
    )
