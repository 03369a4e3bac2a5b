"""What a change order says as a whole: the content that its board signs."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import object_session

from engine.canonical import content_hash
from engine.stored.definition import Definition
from processes.change_baseline import definition_of
from records.change_order import AffectedItem, ChangeOrder
from rules.change_control import items_of


def content_of(order: ChangeOrder) -> dict[str, Any]:
    """Return what the board signs: the order, its affected revisions with what they become, its items, its baseline and impact."""
    session = object_session(order)
    assert session is not None
    return {
        "number": order.number,
        "round": order.round,
        "change_class": order.change_class.value,
        "type": order.type.value,
        "title": order.title,
        "reason": order.reason,
        "effectivity": [order.effectivity_kind.value if order.effectivity_kind else None, order.effectivity_value],
        "customer_approval": order.is_customer_approval_required,
        "regulator_notice": order.regulator_notice,
        "fai": order.fai.value if order.fai else None,
        "revalidation": order.is_revalidation_required,
        "training": order.is_training_required,
        "expires_at": order.expires_at,
        "baseline": order.baseline_hash,
        "impact": order.impact_hash,
        "affected": [_affected(item) for item in order.affected],
        "bounds": [
            [bound.kind.value, bound.record_id, bound.first, bound.last, bound.max_quantity] for bound in order.bounds
        ],
        "items": [
            [
                item.table_name, item.row_id, item.operation.value, item.column_name, item.old_text, item.new_text,
                item.change_class.value,
            ]
            for item in items_of(session, order)
        ],
        "processes": [
            [definition.process_id, definition.version, definition.hash]
            for item in items_of(session, order)
            if item.table_name == Definition.__tablename__
            and (definition := session.get(Definition, item.row_id)) is not None
        ],
    }  # fmt: skip


def _affected(item: AffectedItem) -> list[Any]:
    after = item.part_revision_to
    return [
        item.part_revision_from_id, item.part_revision_to_id, item.action.value, item.interchangeable.value, item.baseline_hash,
        content_hash(definition_of(after)) if after is not None else None,
    ]  # fmt: skip
