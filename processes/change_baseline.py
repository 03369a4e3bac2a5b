"""The baseline of a change order: what every affected revision was when the change was thought through (C03, C09)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import object_session

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from records.change_order import AffectedItem, ChangeOrder
from records.part import PartRevision
from records.routing import routing_of

PARTS = {"drawing": "drawing", "specifications": "specs", "documents": "documents", "routing": "routing"}
"""What people call the parts of a definition that may move, and where they stand in it."""


def definition_of(revision: PartRevision) -> dict[str, Any]:
    """Return everything that defines a revision, as its content hash sees it; its status is no part of it."""
    session = object_session(revision)
    steps = routing_of(session, revision) if session is not None else []
    return {
        "part": revision.part.part_no,
        "rev": revision.rev,
        "drawing": [revision.drawing_doc, revision.drawing_rev],
        "specs": list(revision.specs),
        "documents": sorted(
            [one.kind.value, one.system, one.native_id, one.native_rev, one.content_hash]
            for one in revision.definitions
        ),
        "routing": [
            [
                step.op_no, step.description, step.kind.value, step.work_centre_id, step.process_code, step.spec, step.spec_rev,
                step.instruction,
            ]
            for step in steps
        ],
    }  # fmt: skip


def baseline_taken(act: Act, order: ChangeOrder) -> str:
    """Write the baseline of each affected revision and of what follows it; return the hash of all."""
    for item in order.affected:
        taken = _snapshot(item)
        item.baseline, item.baseline_hash = canonical_json(taken).decode(), content_hash(taken)
    order.baseline_hash = content_hash([item.baseline_hash for item in order.affected])
    order.baseline_at = act.now
    act.session.flush()
    return order.baseline_hash


def baseline_of(item: AffectedItem) -> dict[str, Any]:
    """Return the baseline of an affected revision, empty before one was taken."""
    found: dict[str, Any] = json.loads(item.baseline) if item.baseline else {}
    return found


def moved_since(order: ChangeOrder) -> list[str]:
    """Return a sentence for every affected revision that is no longer what the baseline says (C09); empty while it stands."""
    found = []
    for item in order.affected:
        was, now = baseline_of(item), _snapshot(item)
        if was and (was["status"], was["definition"]) != (now["status"], now["definition"]):
            found.append(
                f"Expected {item.part_revision_from.number} as it was when the baseline was taken, but {_moved(was, now)}."
            )
    return found


def _moved(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say which part of a revision is another one. A baseline that was taken before its parts were kept says only that it is."""
    if was["status"] != now["status"]:
        return (
            f"it is {now['status'].lower().replace('_', ' ')} and no longer {was['status'].lower().replace('_', ' ')}"
        )
    parts = [word for word, name in PARTS.items() if was.get("parts", {}).get(name) != now["parts"][name]]
    if "parts" not in was:
        return "what defines it changed since"
    return f"its {' and '.join(parts)} changed since"


def _snapshot(item: AffectedItem) -> dict[str, Any]:
    before, after = item.part_revision_from, item.part_revision_to
    definition = definition_of(before)
    return {
        "revision": before.number,
        "status": before.status.value,
        "definition": content_hash(definition),
        "parts": {name: content_hash(definition[name]) for name in PARTS.values()},
        "becomes": content_hash(definition_of(after)) if after is not None else None,
    }
