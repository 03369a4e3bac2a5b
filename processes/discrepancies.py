"""What an ERP shows otherwise than approved: observed values beside ours, and a discrepancy for each (CON-18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Observation, Severity, move
from records.purchase_order import PurchaseOrder

KINDS = {
    "quantity": DiscrepancyKind.QTY,
    "line_count": DiscrepancyKind.QTY,
    "unit_price": DiscrepancyKind.PRICE,
    "total": DiscrepancyKind.PRICE,
    "currency": DiscrepancyKind.PRICE,
    "part_revision": DiscrepancyKind.REV,
    "spec_rev": DiscrepancyKind.REV,
    "supplier": DiscrepancyKind.SUPPLIER,
    "need_by": DiscrepancyKind.DATE,
    "description": DiscrepancyKind.TEXT,
}
OWNER = "role:INTEGRATION"


def open_all(act: Act, order: PurchaseOrder, comparison: Mapping[str, Any]) -> None:
    """Write each difference down; one that was resolved before is opened again. Nothing of the order is changed."""
    system = comparison["system"]
    known = {found.field: found for found in _of(act, order) if found.system == system}
    for difference in comparison["differences"]:
        _observe(act, order, system, difference)
        before = known.get(difference["field"])
        if before is None:
            act.session.add(_discrepancy(act, order, system, difference))
            continue
        before.ours, before.theirs = difference["ours"], difference["theirs"]
        if before.status is DiscrepancyStatus.RESOLVED:
            move(act, before, DiscrepancyStatus.OPEN, reason="Found again")
    act.session.flush()


def resolve_all(act: Act, order: PurchaseOrder, *, reason: str) -> None:
    """Resolve what is open about an order."""
    for found in _of(act, order):
        if found.status is DiscrepancyStatus.OPEN:
            move(act, found, DiscrepancyStatus.RESOLVED, reason=reason)


def _of(act: Act, order: PurchaseOrder) -> list[Discrepancy]:
    wanted = select(Discrepancy).where(
        Discrepancy.document_type == order.record_type, Discrepancy.document_id == order.id
    )
    return list(act.session.scalars(wanted))


def _discrepancy(act: Act, order: PurchaseOrder, system: str, difference: Mapping[str, Any]) -> Discrepancy:
    name = difference["field"].rpartition(".")[2]
    kind = DiscrepancyKind.MISSING if difference["theirs"] == "missing" else KINDS.get(name, DiscrepancyKind.TERMS)
    return Discrepancy(
        document_type=order.record_type, document_id=order.id, document_number=order.number, field=difference["field"],
        system=system, kind=kind, severity=Severity.CRITICAL, ours=difference["ours"], theirs=difference["theirs"],
        owner=OWNER, opened_at=act.now,
    )  # fmt: skip


def _observe(act: Act, order: PurchaseOrder, system: str, difference: Mapping[str, Any]) -> None:
    wanted = select(Observation).where(
        Observation.record_type == order.record_type, Observation.record_id == order.id,
        Observation.field == difference["field"], Observation.system == system,
    )  # fmt: skip
    seen = act.session.scalar(wanted)
    if seen is None:
        seen = Observation(record_type=order.record_type, record_id=order.id, field=difference["field"], system=system)
        act.session.add(seen)
    seen.ours, seen.observed, seen.observed_at = difference["ours"], difference["theirs"], act.now
