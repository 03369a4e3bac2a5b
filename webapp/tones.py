"""The tone of a status or verdict: whether its badge looks good, bad, worth a look or under way."""

from __future__ import annotations

from typing import Any

GOOD = frozenset(
    {
        "APPROVED",
        "AVAILABLE",
        "ACKNOWLEDGED",
        "RELEASED",
        "RECEIVED",
        "ACCEPT",
        "VALID",
        "COMPLETED",
        "DELIVERED",
        "RESOLVED",
        "ACTIVE",
        "DONE",
        "CONVERTED",
        "COMPLETE",
        "AWARDED",
        "SIGNED",
        "IN_TOLERANCE",
        "APPLIED",
        "ACKED",
        "approve",
        "approve_with_condition",
    }
)
BAD = frozenset(
    {
        "REJECTED",
        "CANCELLED",
        "SUSPENDED",
        "DISQUALIFIED",
        "WITHDRAWN",
        "SUPPLIER_REJECTED",
        "SUPPLIER_REFUSED",
        "REFUSED",
        "FAILED",
        "REJECT",
        "BLOCK",
        "CRITICAL",
        "LOCKED",
        "DISABLED",
        "OVERDUE_HOLD",
        "EMERGENCY_ACTIVE",
        "CONFLICT",
        "OUT_OF_TOLERANCE",
        "reject",
    }
)
WARN = frozenset(
    {
        "RETURNED",
        "QUARANTINE",
        "HELD",
        "ON_HOLD",
        "PAUSED",
        "HOLD",
        "APPROVAL_EXPIRED",
        "EXPIRED",
        "COUNTER_OFFER",
        "CONDITIONAL",
        "SUPERSEDED",
        "ACCEPT_WITH_CHANGE",
        "WARN",
        "CANCEL_PENDING",
        "OBSOLETE",
        "MAJOR",
        "DEFERRED",
        "DUPLICATE",
        "return",
    }
)
ACTIVE = frozenset(
    {
        "SUBMITTED",
        "IN_APPROVAL",
        "PENDING_APPROVAL",
        "PENDING",
        "TRANSMITTED",
        "APPROVED_NOT_TRANSMITTED",
        "IN_REVIEW",
        "RUNNING",
        "PARTIALLY_RECEIVED",
        "TRIAGED",
        "IMPACT",
        "REVIEW",
        "IMPLEMENTING",
        "VERIFYING",
        "FIRM",
        "READY",
        "STARTED",
        "IN_PROCESS",
        "AT_SUPPLIER",
        "RETURNED_PENDING",
        "OPEN",
        "COMPARING",
        "PROPOSED",
        "ask",
    }
)


def tone(value: Any) -> str:
    """Return the tone of a status or verdict; the words say the same."""
    text = str(value)
    for words, name in ((GOOD, "good"), (BAD, "bad"), (WARN, "warn"), (ACTIVE, "accent")):
        if text in words:
            return name
    return ""
