"""What webhooks tell of: events in words, read from what an act writes into the audit chain. They name a record and say no more of it.

No amounts, no texts: whoever is told asks the API for the rest, with a key of their own, and sees what that may see.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Enum

from engine.act import Act
from engine.canonical import canonical_json
from engine.database import instant_text
from engine.errors import Invalid
from engine.stored.instance import Instance
from engine.stored.task import Task
from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder
from records.comment import Comment
from records.invoice import Invoice
from records.outside import OutsideLink
from records.purchase_order import PurchaseOrder
from records.receipt import Receipt
from records.requisition import Requisition
from records.work_order import WorkOrder

TEST = "webhook.test"
"""What nobody subscribes to: it is sent to one webhook by whoever asks for it."""

MOST_TYPES = 100


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of document whose statuses are events. path: where the API has one."""

    word: str
    record: Any
    path: str

    @property
    def statuses(self) -> list[str]:
        """The statuses in words, in their order."""
        kind = self.record.__table__.c.status.type
        assert isinstance(kind, Enum)
        return [status.lower() for status in kind.enums]


FAMILIES = {
    family.record.__tablename__: family
    for family in (
        Family("requisition", Requisition, "requisitions"),
        Family("purchase_order", PurchaseOrder, "orders"),
        Family("amendment", PurchaseOrderAmendment, "amendments"),
        Family("work_order", WorkOrder, "work-orders"),
        Family("change_order", ChangeOrder, "change-orders"),
        Family("receipt", Receipt, "receipts"),
        Family("invoice", Invoice, "invoices"),
        Family("outside_link", OutsideLink, "outside-links"),
    )
}
"""Documents by their record type."""

TASKS = {
    "TASK_OPENED": "task.opened", "TASK_COMPLETED": "task.closed", "TASK_CANCELLED": "task.closed", "DECISION": "task.closed",
}  # fmt: skip
OTHERS = ("task.opened", "task.closed", "incident.opened", "comment.added")
EVENT_TYPES = (
    *OTHERS,
    *(f"{family.word}.{status}" for family in FAMILIES.values() for status in family.statuses),
)
"""Every event that there is."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. was, now: a status before and after. path: below the API, where there is more; extra: of its own kind."""

    type: str
    record_type: str
    record_id: str
    number: str | None = None
    was: str | None = None
    now: str | None = None
    path: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


def checked_types(given: Sequence[str]) -> tuple[str, ...]:
    """Return event types as they are kept: known ones, ``<family>.*`` or ``*``. Raises: Invalid naming what is unknown."""
    chosen = tuple(sorted({one.strip() for one in given if one.strip()}))
    unknown = [one for one in chosen if one != "*" and not any(is_wanted(known, (one,)) for known in EVENT_TYPES)]
    if not chosen or len(chosen) > MOST_TYPES:
        raise Invalid(
            f"Expected 1 to {MOST_TYPES} event types, such as purchase_order.* or task.opened, but there are {len(chosen)}",
            {"event_types": f"Expected 1 to {MOST_TYPES}, but there are {len(chosen)}"},
        )
    if unknown:
        raise Invalid(
            f"Expected event types such as purchase_order.approved, receipt.* or *, but nothing is called {unknown[0]:.60}",
            {"event_types": f"Expected events that there are, but nothing is called {', '.join(unknown)[:200]}"},
        )
    return chosen


def is_wanted(event_type: str, wanted: Sequence[str]) -> bool:
    """Say whether an event is among those that were asked for."""
    return any(one in ("*", event_type, f"{event_type.partition('.')[0]}.*") for one in wanted)


def is_event(row: Mapping[str, Any]) -> bool:
    """Say whether a row of the chain is an event."""
    return bool(_type_of(row))


def types_in(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return which events rows of the chain tell of. It looks nothing up."""
    return {found for row in rows if (found := _type_of(row))}


def events_in(act: Act, rows: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> Iterator[Event]:
    """Yield the events among rows of the chain that somebody wants, in their order."""
    for row in rows:
        event_type = _type_of(row)
        if event_type and is_wanted(event_type, wanted):
            found = _event(act, event_type, row)
            if found is not None:
                yield found


def body_of(event: Event, *, at: dt.datetime, public_url: str) -> str:
    """Return the message about an event. public_url: how the world reaches this house, or empty."""
    url = f"{public_url.rstrip('/')}/api/v1/{event.path}" if event.path else None
    data = {
        "record_type": event.record_type, "id": event.record_id, "number": event.number, "from": event.was, "to": event.now,
        "url": url, **dict(event.extra),
    }  # fmt: skip
    return canonical_json({"type": event.type, "timestamp": instant_text(at), "data": data}).decode()


def _type_of(row: Mapping[str, Any]) -> str:
    """Return the event that a row tells of, or nothing."""
    kind, action = row["record_type"], row["action"]
    if kind == "instance":
        if action == "INCIDENT":
            return "incident.opened"
        return TASKS.get(action, "") if row["subject"] else ""
    if kind == "comment":
        return "comment.added" if action == "INSERT" and row["field"] == "about_id" else ""
    if row["field"] != "status" or row["new"] is None or action not in ("INSERT", "UPDATE"):
        return ""
    family = FAMILIES.get(kind)
    return f"{family.word}.{row['new'].lower()}" if family else ""


def _event(act: Act, event_type: str, row: Mapping[str, Any]) -> Event | None:
    """Return the event of a row; None when what it is about was deleted again by the same act."""
    session, kind, key = act.session, row["record_type"], row["record_id"]
    if event_type == "incident.opened":
        instance = session.get(Instance, key)
        return Event(event_type, kind, key, instance.business_key, path=f"instances/{key}") if instance else None
    if event_type.startswith("task."):
        task = session.get(Task, row["subject"])
        return _of_task(event_type, task) if task else None
    if kind == "comment":
        return _comment(act, key)
    family = FAMILIES[kind]
    document = session.get(family.record, key)
    if document is None:
        return None
    return Event(event_type, kind, key, document.number, row["old"], row["new"], f"{family.path}/{key}")


def _of_task(event_type: str, task: Task) -> Event:
    was, now = (None, "OPEN") if event_type == "task.opened" else ("OPEN", task.state)
    return Event(event_type, "task", task.id, task.business_key, was, now, f"tasks/{task.id}")


def _comment(act: Act, comment_id: str) -> Event | None:
    """Return the event of a remark: it is about its document, and names the remark beside that."""
    said = act.session.get(Comment, comment_id)
    if said is None:
        return None
    family = FAMILIES.get(said.about_type)
    about = act.session.get(family.record, said.about_id) if family else None
    return Event(
        "comment.added", said.about_type, said.about_id, about.number if about is not None else None,
        path=f"{family.path}/{said.about_id}" if family else None, extra=(("comment_id", said.id),),
    )  # fmt: skip
