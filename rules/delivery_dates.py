"""Deliveries before or after their day (A31): the line's tolerance profile says how far, a table says what follows."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from records.receipt import Receipt
from rules.flow_mode import lenient
from rules.policy import table_called
from rules.tolerances import profile_of

FLOW = "order_to_close"
SILENT = "NONE"
"""What the table says where nothing follows."""


def judge_date(session: Session, receipt: Receipt) -> list[Finding]:
    """Return RCV-EARLY or RCV-LATE when goods came further from their day than their line allows, nothing when not, or no day was agreed.

    The day is the promised one, else the needed one, site-local; both bounds of the tolerance are inclusive, in calendar days.
    """
    line, profile = receipt.order_line, profile_of(receipt.order_line)
    due, word = (line.promised_on, "promised") if line.promised_on is not None else (line.need_by, "needed")
    if due is None:
        return []
    off = (receipt.received_on - due).days
    side, allowed = ("LATE", profile.late_days) if off > 0 else ("EARLY", profile.early_days)
    if abs(off) <= allowed:
        return []
    judgement = table_called("delivery_dates").judge(side=side, profile=profile.code)
    found = judgement.row.outputs
    if found["effect"] == SILENT:
        return []
    bound = (
        f"at most {allowed} {'day' if allowed == 1 else 'days'} {side.lower()}" if allowed else f"not {side.lower()}"
    )
    sentence = (
        f"Expected {receipt.number} on {due.isoformat()} as {word}, {bound}, but it came on "
        f"{receipt.received_on.isoformat()}, {abs(off)} {'day' if abs(off) == 1 else 'days'} {side.lower()}."
    )
    finding = Finding(
        f"RCV-{side}", Effect(found["effect"]), sentence, receipt.record_type, receipt.id, field="received_on",
        old=due.isoformat(), new=receipt.received_on.isoformat(), owner=f"role:{found['owner']}",
        way_out=str(found["way_out"]), judged_by=judgement.hash, row=judgement.row.number,
    )  # fmt: skip
    return lenient(session, [finding], FLOW)
