"""What the flow of a change knows: the request, the order, its impact and its tasks, in words that its tasks show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.record import Operation
from engine.registry import Work
from processes.approval_plan import Seat, plan_for
from processes.board_addenda import slots_for
from processes.change_baseline import moved_since
from processes.change_splitting import mergeable
from processes.change_values import rows_named
from processes.documents import existing, plain
from records.change_order import AddendumStatus, AffectedItem, ChangeOrder, ChangeOrderAddendum, ChangeOrderStatus
from records.change_request import ChangeRequest, OrderClass
from records.change_task import ChangeTask
from records.impact import AffectedOrder
from rules.change_control import items_of, open_orders_on

ENDLESS = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""When a deadline is that nobody set."""


def request_of(act: Act, work: Work) -> ChangeRequest:
    """Return the request that an instance is about. Raises: NotFound."""
    return existing(act.session, ChangeRequest, (work.get("request") or {}).get("id"))


def order_of(act: Act, work: Work) -> ChangeOrder:
    """Return the change order that an instance is about. Raises: NotFound."""
    return existing(act.session, ChangeOrder, (work.get("order") or {}).get("id"))


def order_variable(act: Act, order: ChangeOrder, *, ask: str = "", why: str = "") -> dict[str, Any]:
    """Return the variable ``order``. ask: title of the next task of writing; why: what its writer has to know."""
    act.session.flush()
    items = items_of(act.session, order)
    return {
        "id": order.id, "number": order.number, "hash": order.content_hash or working_hash(order), "title": order.title,
        "reason": order.reason, "class": order.change_class.value, "type": order.type.value.lower(),
        "status": order.status.value,
        "owner": order.owner, "is_emergency": order.change_class is OrderClass.CE, "is_bounded": bool(order.bounds),
        "deadline": order.expires_at or ENDLESS, "deadline_text": _instant(order.expires_at),
        "effective_at": effective_at(order), "is_dated": order.effective_on is not None,
        "from_text": _from_text(order), "is_customer_asked": order.is_customer_approval_required,
        "customer_reference": order.customer_approval_ref or "none", "excludes": sorted({order.opened_by, person_of(order.owner)} - {""}),
        "changes": sentences([*(affected_sentence(item) for item in order.affected), *_values(act.session, items)]),
        "linked": sentences(linked_sentences(act, order)), "moved": sentences(moved_since(order)),
        "merge_choices": _merge_choices(act, order),
        "ask": ask or f"Write {order.number}: {order.title}", "ask_why": why,
    }  # fmt: skip


def request_variable(
    request: ChangeRequest,
    twins: Sequence[ChangeRequest | ChangeOrder],
    proposal: tuple[OrderClass, str],
    timers: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the variable ``request``. twins: what says something alike; proposal: the class that follows, and why."""
    proposed, why = proposal
    alike = [f"{twin.number}: {twin.title} ({_words(twin.status)})" for twin in twins]
    asked = [
        f"{edit.about} {edit.column_name.replace('_', ' ')}: {edit.old_text or 'nothing'} → {edit.new_text or 'nothing'}"
        for edit in request.edits
    ]
    return {
        "id": request.id, "number": request.number, "title": request.title, "problem": request.problem,
        "proposal": request.proposal, "originator": request.originator, "source": _words(request.source),
        "urgency": _words(request.urgency), "edits": sentences(asked), "twins": sentences(alike),
        "hash": content_hash([request.number, request.title, request.problem, request.proposal]),
        "twin_choices": [{"label": twin.number, "value": twin.id} for twin in twins if isinstance(twin, ChangeRequest)],
        "proposed_class": proposed.value, "class_sentence": why, "emergency_hours": timers["emergency_hours"],
        "defer_days": timers["change_defer"],
    }  # fmt: skip


def task_variable(
    task: ChangeTask, groups: list[str], owner_groups: list[str], choices: list[dict[str, str]]
) -> dict[str, Any]:
    """Return one task as the multi-instance sees it."""
    return {
        "id": task.id, "number": task.number, "words": task.headline, "target": task.target_ref, "groups": groups,
        "owner_groups": owner_groups, "choices": choices, "inverse": task.inverse_words, "failure": task.failure,
        "evidence": task.done_ref or task.evidence,
    }  # fmt: skip


def approval(
    act: Act,
    record: tuple[str, str, str],
    roles: Sequence[str],
    *,
    number: str,
    title: str,
    requester: str,
    barred: Collection[str],
    why: str,
    meaning: str = "APPROVED",
) -> dict[str, Any]:
    """Return record and plan for an approval round in which every role signs one content. record: type, id and hash."""
    seats = [Seat(stage=1, role=role, why=[why], meaning=meaning) for role in roles]
    plan = plan_for(act, record, seats, cost_centre="", barred=barred)
    shown = {
        "type": record[0], "id": record[1], "hash": record[2], "number": number, "title": title, "digest": why, "amount": None,
        "party": None, "requester": requester,
    }  # fmt: skip
    return {"record": shown, "plan": plan}


def addendum_approval(act: Act, addendum: ChangeOrderAddendum) -> dict[str, Any]:
    """Return record and plan of the round that signs an addendum: every seat of the board at once, judged by the board's rules."""
    stage = {"number": Decimal(1), "name": "Board", "quorum": "all", "slots": slots_for(act, addendum)}
    shown = {
        "type": addendum.record_type, "id": addendum.id, "hash": addendum.content_hash, "number": addendum.number,
        "title": addendum.reason[:200], "digest": addendum.reason, "amount": None, "party": None, "requester": addendum.proposed_by,
    }  # fmt: skip
    return {"record": shown, "plan": {"stages": [stage]}}


def proposed_addendum(act: Act, order: ChangeOrder, addendum_id: Any) -> ChangeOrderAddendum:
    """Return an addendum by id. Raises: NotFound."""
    return existing(act.session, ChangeOrderAddendum, addendum_id)


def open_addenda(act: Act, order: ChangeOrder) -> list[ChangeOrderAddendum]:
    """Return the addenda of an order that nobody approved or dropped yet."""
    wanted = select(ChangeOrderAddendum).where(
        ChangeOrderAddendum.change_order_id == order.id, ChangeOrderAddendum.status == AddendumStatus.PROPOSED
    )
    return list(act.session.scalars(wanted))


def row_sentence(row: AffectedOrder) -> str:
    """Say one row of the impact: what, where, how many, and what becomes of it."""
    said = "; ".join(f"{_words(each.disposition)} {plain(each.quantity)}" for each in row.dispositions) or "not decided"
    return f"{row.native_ref}, {_words(row.state)}: {plain(row.quantity)} {row.uom} {row.item}. {said[:1].upper()}{said[1:]}."


def sentences(found: Iterable[str]) -> list[dict[str, str]]:
    """Return sentences as a list that a form loops over."""
    return [{"sentence": each} for each in found]


def person_of(principal: str) -> str:
    """Return the user id of a principal or a bare id; empty for a role."""
    kind, _, rest = principal.partition(":")
    return rest if kind == "user" else ("" if rest else kind)


def groups_of(act: Act, principal: str) -> list[str]:
    """Return the candidate groups of a principal's role; where nobody holds it, change specialists act for it."""
    group, directory = group_of(principal), act.installation.directory
    held = directory is None or directory.holders(act.session, f"role:{group}", at=act.now)
    return [group] if held else [group, "CHANGE_SPECIALIST"]


def group_of(principal: str) -> str:
    """Return the candidate group of a principal; a person's own tasks go to change specialists when nobody else is named."""
    return principal.removeprefix("role:") if principal.startswith("role:") else "CHANGE_SPECIALIST"


def linked_sentences(act: Act, order: ChangeOrder) -> list[str]:
    """Say which other open change orders speak of the same revisions (CHG-02)."""
    return [
        f"CHG-02: {other.number} ({other.title}) also changes {item.part_revision_from.number}; it belongs to {other.owner}"
        for item in order.affected
        for other in open_orders_on(act.session, item.part_revision_from, but=order)
    ]


def effective_at(order: ChangeOrder) -> dt.datetime:
    """Return the instant from which a change counts: midnight of its day at its site, never where no day decides."""
    day = order.effective_on
    return ENDLESS if day is None else dt.datetime.combine(day, dt.time(), tzinfo=order.site.zone).astimezone(dt.UTC)


def working_hash(order: ChangeOrder) -> str:
    """Return what a task shows as the hash of an order that is not sealed: it changes with every round of writing."""
    return content_hash([order.number, order.round, order.title, order.reason, order.baseline_hash, order.impact_hash])


def affected_sentence(item: AffectedItem) -> str:
    """Say what becomes of one revision."""
    return f"{item.number}: {_words(item.action)}, {'interchangeable' if item.interchangeable == 'YES' else 'not interchangeable'}"


def _merge_choices(act: Act, order: ChangeOrder) -> list[dict[str, str]]:
    """Return the orders that could take one in conflict in, as a form offers them."""
    if order.status is not ChangeOrderStatus.CONFLICT:
        return []
    return [{"value": each.id, "label": f"{each.number}: {each.title}"} for each in mergeable(act.session, order)]


def _values(session: Session, items: Sequence[Any]) -> list[str]:
    return [
        f"{item.table_name.replace('_', ' ')} {item.column_name.replace('_', ' ')}: {item.old_text or 'nothing'} → "
        f"{item.new_text or 'nothing'} ({item.change_class})"
        for item in items
        if item.operation is Operation.UPDATE and (item.table_name, item.column_name) != ("part_revision", "status")
    ] + [
        f"{name} {'is taken away' if operation is Operation.DELETE else 'is added'} ({change_class})"
        for name, operation, change_class in rows_named(session, items)
    ]


def _from_text(order: ChangeOrder) -> str:
    if order.effectivity_kind is None:
        return "From when it counts is open."
    if order.effective_on is not None:
        return f"It counts from {order.effective_on}."
    return f"It counts from {_words(order.effectivity_kind)} {order.effectivity_value}.".replace(" .", ".")


def _instant(at: dt.datetime | None) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if at is not None else "no deadline"


def _words(value: Any) -> str:
    return str(getattr(value, "value", value)).lower().replace("_", " ")
