"""What a flow knows of goods and certificates: where they go next, and what the people who decide about them see."""

from __future__ import annotations

from typing import Any

from engine.act import Act
from processes import inspecting
from records.certificate import Certificate, certificate_hash, missing_certificates
from records.inspection import inspections_of
from records.nonconformance import Nonconformance
from records.part import Criticality
from records.receipt import Quarantine, Receipt, ReceiptStatus


def goods_variable(act: Act, receipt: Receipt) -> dict[str, Any]:
    """Return goods as their flow knows them: route, what is missing, how they are inspected, and why they are where they are."""
    missing = missing_certificates(act.session, receipt)
    inspected = bool(inspections_of(act.session, receipt))
    plan = inspecting.plan_for(act, receipt) if route_of(receipt) == "check" else None
    return {
        "route": route_of(receipt),
        "hash": inspecting.review_hash(receipt),
        "status": receipt.status.value,
        "reason": receipt.quarantine_reason,
        "rejected_for": _rejected_for(act, receipt),
        "cause": receipt.quarantine.value if receipt.quarantine else None,
        "missing": ", ".join(missing) or None,
        "needs_inspection": receipt.order_line.is_inspection_required
        and not inspected
        and receipt.status is ReceiptStatus.INSPECTION,
        "needs_certificate": bool(missing),
        "plan": f"{plan.reference} {plan.revision}".strip() if plan else None,
        "sample_size": plan.sample_size if plan else None,
        "accept_number": plan.accept_number if plan else None,
        "serials": ", ".join(receipt.serials) if plan else None,
        "received_by": receipt.received_by,
        "excludes": [receipt.received_by] if _is_critical(receipt) else [],
    }


def certificate_variable(certificate: Certificate) -> dict[str, Any]:
    """Return what a certificate states, beside what its order line asks for."""
    line = certificate.order_line
    return {
        "id": certificate.id, "number": certificate.number, "type": certificate.type.value, "issuer": certificate.issuer,
        "hash": certificate_hash(certificate), "spec": certificate.spec, "spec_rev": certificate.spec_rev,
        "lots": ", ".join(certificate.lots) or None, "process_date": certificate.process_date, "line": line.number, "item": line.item,
        "wanted_spec": " rev ".join(filter(None, (line.spec, line.spec_rev))) or None, "status": certificate.status.value,
        "receipt": certificate.receipt.number if certificate.receipt else None,
    }  # fmt: skip


def route_of(receipt: Receipt) -> str:
    """Return what goods wait for: over, apart, check, dispose, or nothing more (done)."""
    if receipt.status is ReceiptStatus.INSPECTION:
        return "check"
    if receipt.status is ReceiptStatus.QUARANTINE:
        return {Quarantine.OVER: "over", Quarantine.CERTIFICATE: "check"}.get(
            receipt.quarantine or Quarantine.IDENTITY, "apart"
        )
    return "dispose" if receipt.status is ReceiptStatus.REJECTED else "done"


def _rejected_for(act: Act, receipt: Receipt) -> str | None:
    """Say why goods are rejected, under which nonconformance."""
    found = act.session.get(Nonconformance, receipt.nonconformance_id) if receipt.nonconformance_id else None
    return f"{found.number}: {found.title}. {found.description}".strip() if found is not None else None


def _is_critical(receipt: Receipt) -> bool:
    revision = receipt.order_line.part_revision
    return revision is not None and revision.part.criticality is not Criticality.STD
