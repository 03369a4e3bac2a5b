"""What looks wrong about a requisition before it is approved (A04), and who clears it."""

from __future__ import annotations

from engine.act import Act
from processes.documents import spoken
from records.requisition import Requisition
from rules.finding import acknowledge, keep_findings, open_findings
from rules.validation import judge_suspicions, stops

LEAD, MANAGER = "PUR_LEAD", "PUR_MGR"


def suspicions_of(act: Act, requisition: Requisition) -> tuple[list[str], list[str]]:
    """Return a sentence for each suspicion that stops the flow, and the group that clears them all; they are kept."""
    found = stops(judge_suspicions(act.session, requisition, now=act.now))
    keep_findings(act, found)
    is_for_manager = any(finding.owner == f"role:{MANAGER}" for finding in found)
    return [spoken(finding) for finding in found], [MANAGER if is_for_manager else LEAD]


def acknowledge_all(act: Act, requisition: Requisition, *, reason: str) -> None:
    """Write down who cleared what was suspicious, and why the work goes on."""
    found = {finding.rule for finding in stops(judge_suspicions(act.session, requisition, now=act.now))}
    for kept in open_findings(act.session, requisition.record_type, requisition.id):
        if kept.rule in found:
            acknowledge(act, kept, reason=reason)
