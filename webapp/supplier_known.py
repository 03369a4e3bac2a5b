"""What the supplier's page and the interface show of what is known of a supplier."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from processes import change_producers, supplier_records, supplier_standing
from processes.approved_suppliers import open_orders
from records.supplier import Supplier, SupplierApproval
from records.supplier_knowledge import (
    ApprovalRecheck,
    FirstArticleDecision,
    ObservedStock,
    SubTier,
    SupplierChangeNotice,
    SupplierScreening,
)
from rules.supplier_facts import latest_score, latest_screening, limits_for
from webapp import change_wish
from webapp.visit import visitor

RECENT = 20


def known_of(session: Session, supplier: Supplier) -> dict[str, Any]:
    """Return the newest rows of each kind, the limits they are judged by, and what the visitor may add."""
    return {
        "score": latest_score(session, supplier),
        "screening": latest_screening(session, supplier),
        "screenings": _newest(session, SupplierScreening, supplier, SupplierScreening.screened_on),
        "sub_tiers": _newest(session, SubTier, supplier, SubTier.declared_on),
        "articles": _newest(session, FirstArticleDecision, supplier, FirstArticleDecision.decided_on),
        "changes": (notices := _newest(session, SupplierChangeNotice, supplier, SupplierChangeNotice.effective_on)),
        "asked": {one.id: change_producers.requests_because_of(session, one) for one in notices},
        "wishes": {one.id: change_wish.wish_of(one) for one in notices},
        "stock": _newest(session, ObservedStock, supplier, ObservedStock.observed_at),
        "rechecks": rechecks_of(session, supplier),
        "limits": limits_for(None),
        "standings": supplier_standing.next_standings(supplier),
        "open_orders": open_orders(session, supplier),
        "may": {
            "screen": visitor().holds(*supplier_records.SCREENERS),
            "declare": visitor().holds(*supplier_records.DECLARERS),
            "decide": visitor().holds(*supplier_records.DECIDERS),
        },
    }


def rechecks_of(session: Session, supplier: Supplier) -> list[ApprovalRecheck]:
    """Return the re-checks of a supplier's certificates, the latest due first."""
    wanted = (
        select(ApprovalRecheck)
        .join(SupplierApproval, SupplierApproval.id == ApprovalRecheck.approval_id)
        .where(SupplierApproval.supplier_id == supplier.id)
        .options(joinedload(ApprovalRecheck.approval))
    )
    return list(session.scalars(wanted.order_by(ApprovalRecheck.due_on.desc()).limit(RECENT)))


def _newest(session: Session, mapped: Any, supplier: Supplier, by: Any) -> list[Any]:
    wanted = select(mapped).where(mapped.supplier_id == supplier.id).order_by(by.desc(), mapped.id.desc())
    return list(session.scalars(wanted.limit(RECENT)))
