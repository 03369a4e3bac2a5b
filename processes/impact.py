"""The impact of a change: computed to rows, frozen, assessed, and opened again when the plant moves on (domain.md C04, C05)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from engine import bulk
from engine.act import Act
from engine.canonical import content_hash
from engine.database import new_id
from engine.errors import Conflict, Invalid
from processes.impact_disposing import INCOMPLETE, Share, dispose, dispose_all, divide
from processes.impact_gate import cost_of, lanes_of, problems_of, refuse_incomplete
from processes.impact_growth import changes_since, has_grown, sources_of
from processes.impact_query import Found, find
from processes.impact_sealed import area_name, decided_hash, present_set, refuse_sealed, word_of
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.impact import (
    AffectedOrder,
    AssessmentAnswer,
    AssessmentArea,
    ImpactAssessment,
    ImpactSnapshot,
    ImpactTarget,
    assessments_of,
    newest_snapshot,
)
from records.part import PartRevision
from records.signing import supersede
from rules.impact_rules import owner_of

REOPENABLE = (ChangeOrderStatus.REVIEW, ChangeOrderStatus.APPROVED)


def compute(act: Act, order: ChangeOrder) -> ImpactSnapshot:
    """Ask every source what the change touches, and keep the rows as a new set (C04); a former set stays readable.

    What was decided about pieces that are still there counts on. Raises: Conflict when the content is sealed.
    """
    refuse_sealed(order, "computed again")
    found, missing = find(act.session, order, others=sources_of(act))
    before = newest_snapshot(act.session, order)
    turn = before.turn + 1 if before is not None else 1
    snapshot = ImpactSnapshot(
        number=f"{order.number}/I{turn}", change_order=order, change_order_id=order.id, turn=turn, queried_at=act.now,
        missing="\n".join(missing), rows_count=len(found), content_hash=_set_hash(found),
    )  # fmt: skip
    act.session.add(snapshot)
    act.session.flush()
    bulk.insert_now(act.session, AffectedOrder, _rows(act, order, snapshot, found))
    order.impact_hash = decided_hash(act.session, order, snapshot)
    act.session.flush()
    return snapshot


def freeze(act: Act, order: ChangeOrder) -> ImpactSnapshot:
    """Freeze the newest set with its query's instant and hash.

    Raises: Conflict NOT_COMPUTED without a set, SOURCE_UNAVAILABLE when a source was silent, IMPACT_GROWN when the plant has moved on
    since the set was asked for: compute it again.
    """
    snapshot = present_set(act.session, order)
    if snapshot.missing:
        raise Conflict(
            f"{snapshot.missing} The impact of {order.number} cannot be frozen while a source is missing; compute it again later.",
            code="SOURCE_UNAVAILABLE", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip
    if snapshot.frozen_at is not None:
        return snapshot
    refuse_sealed(order, "frozen")
    if grown := changes_since(act, order, snapshot):
        raise Conflict(
            f"Expected the plant as {snapshot.number} found it, but {grown[0]} Compute the impact of {order.number} again.",
            code="IMPACT_GROWN", record=(order.record_type, order.id),
        )  # fmt: skip
    snapshot.frozen_at = act.now
    order.impact_hash = decided_hash(act.session, order, snapshot)
    act.session.flush()
    return snapshot


def assess(
    act: Act,
    order: ChangeOrder,
    area: AssessmentArea | str,
    *,
    answer: AssessmentAnswer | str = AssessmentAnswer.IMPACT,
    text: str = "",
) -> ImpactAssessment:
    """Say what a change means to an area; said again, the new answer replaces the one before.

    Raises: Invalid for an unknown area or answer, or an impact without words; Conflict when the board has it.
    """
    known, answered = (
        word_of(AssessmentArea, area, "area"),
        word_of(AssessmentAnswer, answer, "answer"),
    )
    if answered is not AssessmentAnswer.NO_IMPACT and not text.strip():
        raise Invalid(
            f"Expected what the change means to {area_name(known)}, but there is no text", {"text": "is required"}
        )
    refuse_sealed(order, "assessed")
    present = next((each for each in assessments_of(act.session, order) if each.area is known), None)
    values = {"answer": answered, "text": text.strip(), "assessed_by": act.user_id or act.actor, "assessed_at": act.now}
    if present is None:
        present = ImpactAssessment(change_order=order, change_order_id=order.id, area=known, **values)
        act.session.add(present)
    for name, value in values.items():
        setattr(present, name, value)
    act.session.flush()
    if (snapshot := newest_snapshot(act.session, order)) is not None:
        order.impact_hash = decided_hash(act.session, order, snapshot)
        act.session.flush()
    return present


def reopen(act: Act, order: ChangeOrder, *, reason: str = "") -> ImpactSnapshot:
    """Open the impact again because the plant moved on: the order goes back to IMPACT, and the set is asked for anew.

    What was decided about pieces that are still there stands. Raises: Conflict when the order is being carried out already.
    """
    if order.status in REOPENABLE:
        from_now = reason.strip() or "New orders fell into the frozen impact"
        _supersede(act, order)
        move(act, order, ChangeOrderStatus.IMPACT, reason=from_now)
    refuse_sealed(order, "opened again")
    return compute(act, order)


def _rows(act: Act, order: ChangeOrder, snapshot: ImpactSnapshot, found: Sequence[Found]) -> list[dict[str, Any]]:
    ids = {row.part_revision_id for row in found if row.part_revision_id}
    names = {revision.id: revision.number for revision in _revisions(act.session, ids)}
    currency, owners = order.site.currency, {target: owner_of(target) for target in ImpactTarget}
    return [
        {
            "id": new_id(), "change_order_id": order.id, "snapshot_id": snapshot.id, "position": position, "target": row.target,
            "target_id": row.target_id, "state": row.state, "part_revision_id": row.part_revision_id,
            "document_type": row.document[0], "document_id": row.document[1], "native_ref": row.native_ref,
            "item": names.get(row.part_revision_id or "", ""), "place": row.place, "quantity": row.quantity, "uom": row.uom,
            "is_counted": row.is_counted, "unit_value": row.unit_value, "currency": currency, "default_owner": owners[row.target],
        }
        for position, row in enumerate(found, start=1)
    ]  # fmt: skip


def _revisions(session: Session, ids: set[str]) -> Sequence[PartRevision]:
    wanted = select(PartRevision).where(PartRevision.id.in_(ids)).options(selectinload(PartRevision.part))
    return session.scalars(wanted).all() if ids else []


def _set_hash(found: Sequence[Found]) -> str:
    return content_hash(
        sorted([row.target.value, row.target_id, row.state.value, f"{row.quantity:.6f}", row.uom] for row in found)
    )


def _supersede(act: Act, order: ChangeOrder) -> None:
    supersede(act, order.record_type, order.id)
    act.session.flush()


__all__ = [
    "INCOMPLETE", "REOPENABLE", "Share", "assess", "changes_since", "compute", "cost_of", "dispose", "dispose_all", "divide", "freeze",
    "has_grown", "lanes_of", "problems_of", "refuse_incomplete", "reopen", "sources_of",
]  # fmt: skip
