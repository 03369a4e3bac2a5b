"""What supplier quality decided about a certificate or a score, kept under the signature of its task (supplier_review.bpmn)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.registry import Registry, Work
from processes.documents import existing
from processes.supplier_records import recheck
from processes.supplier_standing import make_conditional
from processes.supplier_watch import look
from records.signature import Signature, SignatureStatus
from records.supplier import Supplier, SupplierStatus
from records.supplier_knowledge import ApprovalRecheck, RecheckStatus

registry = Registry()


@registry.step("keep_recheck")
def keep_recheck(act: Act, work: Work) -> Mapping[str, Any]:
    """SUP-05: what whoever issued the certificate says; orders that rest on a refuted one are held."""
    task = existing(act.session, ApprovalRecheck, work["review"]["record_id"])
    to = {"confirmed": RecheckStatus.CONFIRMED, "refuted": RecheckStatus.REFUTED}[work["decision"]["verdict"]]
    if task.status is RecheckStatus.DUE:
        recheck(act, task, to, note=str(work["note"]))
        look(act, task.approval.supplier)
    return {}


@registry.step("keep_grade")
def keep_grade(act: Act, work: Work) -> Mapping[str, Any]:
    """SUP-10: conditional from now on, or kept as it is with the reason in the supplier's history."""
    supplier, note = existing(act.session, Supplier, work["review"]["record_id"]), str(work["note"])
    if work["decision"]["verdict"] == "keep":
        act.note(
            supplier.record_type, supplier.id, "SCORE_KEPT", field="status", new=supplier.status.value, reason=note
        )
    elif supplier.status is SupplierStatus.APPROVED:
        make_conditional(act, supplier, _signature(act, supplier), reason=note)
    return {}


def _signature(act: Act, supplier: Supplier) -> Signature | None:
    """Return what the acting person signed in this task."""
    wanted = select(Signature).where(
        Signature.record_type == supplier.record_type, Signature.record_id == supplier.id,
        Signature.status == SignatureStatus.VALID, Signature.signer_id == act.user_id,
    )  # fmt: skip
    return act.session.scalars(wanted.order_by(Signature.signed_at.desc(), Signature.id.desc()).limit(1)).first()
