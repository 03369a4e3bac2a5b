"""What the ERP says otherwise about a frozen document: observed values and discrepancies, never a write (CON-18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act
from processes.importing.bringing import Outcome
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Observation, Severity, move

Texts = Mapping[str, str | None]

KINDS = {
    "quantity": DiscrepancyKind.QTY,
    "unit_price": DiscrepancyKind.PRICE,
    "estimated_price": DiscrepancyKind.PRICE,
    "currency": DiscrepancyKind.PRICE,
    "item": DiscrepancyKind.REV,
    "definition": DiscrepancyKind.REV,
    "supplier": DiscrepancyKind.SUPPLIER,
    "need_by": DiscrepancyKind.DATE,
    "status": DiscrepancyKind.STATUS,
    "revision": DiscrepancyKind.STATUS,
    "description": DiscrepancyKind.TEXT,
}
OWNERS = {
    DiscrepancyKind.REV: "role:ENG_AUTH",
    DiscrepancyKind.MISSING: "role:INTEGRATION",
    DiscrepancyKind.EXTRA: "role:INTEGRATION",
    DiscrepancyKind.STATUS: "role:INTEGRATION",
}
BUYER = "role:BUYER"
SEVERITIES = {
    DiscrepancyKind.REV: Severity.CRITICAL,
    DiscrepancyKind.SUPPLIER: Severity.CRITICAL,
    DiscrepancyKind.QTY: Severity.MAJOR,
    DiscrepancyKind.PRICE: Severity.MAJOR,
    DiscrepancyKind.MISSING: Severity.MAJOR,
    DiscrepancyKind.EXTRA: Severity.MAJOR,
}


def differ(act: Act, document: Any, ours: Texts, theirs: Texts, *, system: str) -> Outcome:
    """Keep what a system says of a document beside what we hold, and open a discrepancy for each field that differs.

    A field that agrees again resolves its discrepancy. Nothing of the document is touched. Returns UNCHANGED when there was
    nothing to note.
    """
    act.session.flush()
    known = _known(act, document, system)
    outcome = Outcome.UNCHANGED
    for field in sorted(ours.keys() | theirs.keys()):
        mine, seen = ours.get(field), theirs.get(field)
        if mine != seen:
            _observe(act, document, field, mine, seen, system=system)
            _open(act, document, field, mine, seen, system=system, before=known.get(field))
            outcome = Outcome.OBSERVED
        elif field in known and known[field].status is DiscrepancyStatus.OPEN:
            _observe(act, document, field, mine, seen, system=system)
            move(act, known[field], DiscrepancyStatus.RESOLVED, reason=f"{system} agrees again")
            outcome = Outcome.OBSERVED
    return outcome


def kind_of(field: str, ours: str | None, theirs: str | None) -> DiscrepancyKind:
    """Return what two systems disagree about. A whole line that one of them lacks is MISSING or EXTRA."""
    if field.endswith(".item") and theirs is None:
        return DiscrepancyKind.MISSING
    if field.endswith(".item") and ours is None:
        return DiscrepancyKind.EXTRA
    return KINDS.get(field.rpartition(".")[2], DiscrepancyKind.TERMS)


def _known(act: Act, document: Any, system: str) -> dict[str, Discrepancy]:
    wanted = select(Discrepancy).where(
        Discrepancy.document_type == document.record_type,
        Discrepancy.document_id == document.id,
        Discrepancy.system == system,
    )
    return {found.field: found for found in act.session.scalars(wanted)}


def _open(
    act: Act,
    document: Any,
    field: str,
    ours: str | None,
    theirs: str | None,
    *,
    system: str,
    before: Discrepancy | None,
) -> None:
    if before is not None:
        before.ours, before.theirs = ours, theirs
        if before.status is DiscrepancyStatus.RESOLVED:
            move(act, before, DiscrepancyStatus.OPEN, reason="found again")
        return
    kind = kind_of(field, ours, theirs)
    act.session.add(
        Discrepancy(
            document_type=document.record_type, document_id=document.id, document_number=document.number, field=field,
            system=system, kind=kind, severity=SEVERITIES.get(kind, Severity.MINOR), ours=ours, theirs=theirs,
            owner=OWNERS.get(kind, BUYER), opened_at=act.now,
        )
    )  # fmt: skip


def _observe(act: Act, document: Any, field: str, ours: str | None, theirs: str | None, *, system: str) -> None:
    wanted = select(Observation).where(
        Observation.record_type == document.record_type,
        Observation.record_id == document.id,
        Observation.field == field,
        Observation.system == system,
    )
    seen = act.session.scalar(wanted)
    if seen is None:
        seen = Observation(record_type=document.record_type, record_id=document.id, field=field, system=system)
        act.session.add(seen)
    seen.ours, seen.observed, seen.observed_at = ours, theirs, act.now
