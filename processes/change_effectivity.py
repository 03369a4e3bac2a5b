"""From when a change counts: a day, a lot, a serial number, a work order, or whatever is built next."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Invalid
from records.calendar import MAIN, site_called
from records.change_order import AffectedItem, ChangeOrder, EffectivityKind
from records.part import PartRevision
from records.work_order import WorkOrder
from rules.change_pending import DECIDED


def effectivity(act: Act, kind: Any, value: Any) -> tuple[EffectivityKind | None, str]:
    """Return an effectivity as it is kept. Raises: Invalid when it is in the past, or names nothing that there is."""
    text = str(value or "").strip()
    if kind in (None, ""):
        return None, ""
    try:
        kind = EffectivityKind(kind)
    except ValueError as error:
        raise Invalid(
            f"Expected one of {', '.join(EffectivityKind)}, but found {kind!r:.40}", {"effectivity_kind": "is unknown"}
        ) from error
    if kind is EffectivityKind.NEXT_BUILD:
        return kind, ""
    if kind is EffectivityKind.DATE:
        return kind, _day(act, text)
    if not text:
        raise Invalid(
            f"Expected the {kind} from which it counts, but there is none", {"effectivity_value": "is required"}
        )
    if kind is EffectivityKind.WO and act.session.scalar(select(WorkOrder.id).where(WorkOrder.number == text)) is None:
        raise Invalid(
            f"Expected the number of a work order, but there is no {text:.60}", {"effectivity_value": "is unknown"}
        )
    return kind, text[:200]


def revision_for(session: Session, revision: PartRevision, *, on: dt.date) -> PartRevision:
    """Return what whatever is begun on a day is made to: the revision, or what an approved change that counts by then puts in its place."""
    seen = {revision.id}
    wanted = (
        select(AffectedItem)
        .join(ChangeOrder, ChangeOrder.id == AffectedItem.change_order_id)
        .where(ChangeOrder.status.in_(DECIDED), AffectedItem.part_revision_to_id.is_not(None))
        .order_by(ChangeOrder.number.desc())
    )
    while True:
        items = session.scalars(wanted.where(AffectedItem.part_revision_from_id == revision.id))
        after = next((item.part_revision_to for item in items if _counts_on(item.change_order, on)), None)
        if after is None or after.id in seen:
            return revision
        seen.add(after.id)
        revision = after


def _counts_on(change: ChangeOrder, day: dt.date) -> bool:
    """Whether a change counts for what is begun on a day. A lot, a serial or a work order from which it counts is named by nobody here."""
    if change.effectivity_kind is EffectivityKind.DATE:
        return change.effective_on is not None and change.effective_on <= day
    return change.effectivity_kind is EffectivityKind.NEXT_BUILD or change.effective_at is not None


def _day(act: Act, text: str) -> str:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"Expected a day such as 2026-12-31, but found {text!r:.40}", {"effectivity_value": "is no day"}
        ) from error
    today = act.now.astimezone(site_called(act.session, MAIN).zone).date()
    if day < today:
        raise Invalid(
            f"Expected a day from {today.isoformat()} on, but {text} is past", {"effectivity_value": "is in the past"}
        )
    return day.isoformat()
