"""What the board reads of an impact: the hash over set, decisions and answers, and what refuses to touch it once it is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Invalid
from records.change_order import ChangeOrder, ChangeOrderStatus
from records.impact import (
    AffectedOrder,
    AssessmentArea,
    ImpactSnapshot,
    RowDisposition,
    assessments_of,
    newest_snapshot,
)


def decided_hash(session: Session, order: ChangeOrder, snapshot: ImpactSnapshot) -> str:
    """Return the hash of what the board reads of the impact: the set, every disposition, every assessment."""
    session.flush()
    columns = (
        RowDisposition.target, RowDisposition.target_id, RowDisposition.state, RowDisposition.position, RowDisposition.quantity,
        RowDisposition.disposition, RowDisposition.cost, RowDisposition.reason,
    )  # fmt: skip
    decided = session.execute(select(*columns).where(RowDisposition.change_order_id == order.id)).all()
    said = [[each.area.value, each.answer.value, each.text] for each in assessments_of(session, order)]
    return content_hash(
        {
            "set": snapshot.content_hash,
            "queried_at": snapshot.queried_at,
            "decided": sorted(
                [target.value, target_id, state.value, position, f"{quantity:.6f}", word.value, f"{cost:.4f}", reason]
                for target, target_id, state, position, quantity, word, cost, reason in decided
            ),
            "assessed": said,
        }
    )


def present_set(session: Session, order: ChangeOrder) -> ImpactSnapshot:
    """Return the newest set. Raises: Conflict NOT_COMPUTED when nobody asked yet."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        raise Conflict(
            f"Expected the impact of {order.number} to be computed, but nobody asked yet. Compute it.",
            code="NOT_COMPUTED", record=(order.record_type, order.id),
        )  # fmt: skip
    return snapshot


def refuse_sealed(order: ChangeOrder, what: str) -> None:
    """Refuse to touch an impact that the board has. what: as in ``computed again``. Raises: Conflict IMPACT_FROZEN."""
    if not order.is_free:
        raise Conflict(
            f"Expected the impact of {order.number} to be open, so that it can be {what}, but it is {order.status}. Return it, or open "
            "the impact again.",
            code="IMPACT_FROZEN", record=(order.record_type, order.id),
        )  # fmt: skip


def refuse_closed(act: Act, order: ChangeOrder, rows: Sequence[AffectedOrder]) -> ImpactSnapshot:
    """Return the newest set whose rows may be decided. Raises: Conflict IMPACT_FROZEN, or for rows of a former set."""
    if not order.is_free:
        after = (
            "The board has it now."
            if order.status is ChangeOrderStatus.REVIEW
            else "Another disposition needs an addendum that engineering and quality sign."
        )
        raise Conflict(
            f"Expected the impact of {order.number} to be open, but it is {order.status} and {rows[0].native_ref} is frozen. {after}",
            code="IMPACT_FROZEN", record=(order.record_type, order.id),
        )  # fmt: skip
    snapshot = present_set(act.session, order)
    if gone := next((row for row in rows if row.snapshot_id != snapshot.id), None):
        raise Conflict(
            f"Expected a row of {snapshot.number}, but {gone.native_ref} is of a former set. Reload the impact.",
            record=(order.record_type, order.id),
        )
    return snapshot


def word_of(kind: Any, value: Any, name: str) -> Any:
    """Return a word of a kind. name: of the field. Raises: Invalid naming those that there are."""
    try:
        return kind(value)
    except ValueError as error:
        raise Invalid(f"Expected one of {', '.join(kind)}, but found {value!r:.40}", {name: "is unknown"}) from error


def area_name(area: AssessmentArea) -> str:
    """Return an area as a sentence has it."""
    return area.value.lower().replace("_", " ")
