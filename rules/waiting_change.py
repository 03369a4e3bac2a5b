"""Which change order a revision waits for, in the words that a refusal uses."""

from __future__ import annotations

from sqlalchemy.orm import Session, object_session

from records.change_order import open_order_releasing
from records.part import PartRevision

WAY_OUT = "Engineering releases the revision by a change order, or {otherwise}."


def waits_for(session: Session | None, revision: PartRevision) -> str:
    """Return `` (CO-000007 is in REVIEW, not effective)`` for a revision that a change order is to release, else empty."""
    order = open_order_releasing(session, revision) if session is not None else None
    if order is not None:
        return f" ({order.number} is {order.status}, not effective)"
    # The change order of another system is known by its id alone.
    return f" (change {revision.change_order_id})" if revision.change_order_id else ""


def way_out(revision: PartRevision, otherwise: str) -> str:
    """Return what to do about a revision that is not released, naming the open change. otherwise: the other way, in words."""
    session = object_session(revision)
    order = open_order_releasing(session, revision) if session is not None else None
    if order is None:
        return WAY_OUT.format(otherwise=otherwise)
    return f"Wait until {order.number} ({order.title}) releases it, or {otherwise}."
