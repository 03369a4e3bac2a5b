"""What the tables say of a change's impact: legal dispositions, owners, areas, lead times of tasks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Invalid
from records.change_order import ChangeOrder, ChangeType, FaiDecision
from records.change_task import TaskKind
from records.impact import AffectedOrder, AssessmentArea, Disposition, ImpactTarget
from records.part import Criticality, Part, PartRevision
from records.person import Role, RoleGrant, User
from rules.policy import table_called

WORST = (Criticality.IMPLANT, Criticality.FLIGHT_SAFETY, Criticality.KEY)


@dataclass(frozen=True, slots=True)
class Legal:
    """A row of the table of dispositions, with the hash of the table."""

    outputs: Mapping[str, Any]
    words: str
    hash: str


@cache
def _pairs(digest: str) -> Mapping[tuple[str, str], Legal]:
    """Return every legal pair of the table with this hash: 77 questions, asked once."""
    table, found = table_called("dispositions"), {}
    for target in ImpactTarget:
        for disposition in Disposition:
            rows = table.judge(target=target.value, disposition=disposition.value).rows
            if rows and rows[0].outputs["legal"] is True:
                found[target.value, disposition.value] = Legal(rows[0].outputs, rows[0].words, digest)
    return found


def legal(target: ImpactTarget, disposition: Disposition) -> Legal:
    """Return what the table says of a pair. Raises: Invalid when it is not legal, naming those that are."""
    found = _pairs(table_called("dispositions").hash).get((target.value, disposition.value))
    if found is None:
        choices = ", ".join(each.value for each in legal_for(target))
        raise Invalid(
            f"Expected one of {choices} for {_words(target)}, but found {disposition}",
            {"disposition": f"one of {choices}"},
        )
    return found


def legal_for(target: ImpactTarget) -> list[Disposition]:
    """Return the dispositions that pieces of a kind may have."""
    known = _pairs(table_called("dispositions").hash)
    return [each for each in Disposition if (target.value, each.value) in known]


def refuse_illegal(row: AffectedOrder, disposition: Disposition) -> None:
    """Refuse a disposition that the table does not allow. Raises: Invalid naming row and choices."""
    try:
        legal(row.target, disposition)
    except Invalid as refusal:
        raise Invalid(f"{row.native_ref}: {refusal.message}", refusal.fields) from refusal


@cache
def _owners(_digest: str) -> Mapping[str, str]:
    table = table_called("impact_owners")
    return {target.value: str(table.judge(target=target.value).row.outputs["owner"]) for target in ImpactTarget}


def owner_of(target: ImpactTarget) -> str:
    """Return whose turn it is to decide about pieces of a kind, a principal."""
    return _owners(table_called("impact_owners").hash)[target.value]


def refuse_unknown_owner(session: Session, owner: str, row: AffectedOrder, *, now: dt.datetime) -> None:
    """Refuse an owner that is nobody. owner: ``user:…``, ``role:…`` or empty. Raises: Invalid."""
    kind, _, name = owner.partition(":")
    if not owner:
        return
    if kind == "user" and (person := session.get(User, name)) is not None and person.is_active:
        return
    code = name.partition("@")[0]
    if (
        kind == "role"
        and code
        and (
            session.scalar(select(Role.code).where(Role.code == code)) is not None
            or session.scalar(select(RoleGrant.id).where(RoleGrant.role == code).limit(1)) is not None
        )
    ):
        return
    raise Invalid(
        f"Expected an owner of {row.native_ref} who is here, user:… or role:…, but found {owner!r:.60}",
        {"owner": "is unknown"},
    )


def areas_of(session: Session, order: ChangeOrder, *, cost: Decimal) -> list[tuple[AssessmentArea, str]]:
    """Return the areas that assess a change with the role of each, as the table says. cost: of its dispositions."""
    judged = table_called("impact_areas").judge(
        type=order.type.value, change_class=order.change_class.value, criticality=worst_of(session, order).value,
        customer=order.is_customer_approval_required, training=order.is_training_required,
        revalidation=order.is_revalidation_required, cost=cost,
    )  # fmt: skip
    return [(AssessmentArea(row.outputs["area"]), f"role:{row.outputs['role']}") for row in judged.rows]


def worst_of(session: Session, order: ChangeOrder) -> Criticality:
    """Return how critical the most critical part is that a change affects."""
    wanted = select(Part.criticality).join(PartRevision, PartRevision.part_id == Part.id)
    ids = [item.part_revision_from_id for item in order.affected]
    found = set(session.scalars(wanted.where(PartRevision.id.in_(ids)))) if ids else set()
    return next((each for each in WORST if each in found), Criticality.STD)


@dataclass(frozen=True, slots=True)
class TaskRule:
    """What the table says of a kind of task. stage: from 1; inverse: None where nothing undoes it."""

    stage: int
    owner: str
    days: int
    inverse: TaskKind | None
    inverse_words: str
    words: str


@cache
def _tasks(_digest: str) -> Mapping[TaskKind, TaskRule]:
    table, found = table_called("change_tasks"), {}
    for kind in TaskKind:
        row = table.judge(kind=kind.value).row
        given = row.outputs
        inverse = TaskKind(given["inverse"]) if given["inverse"] else None
        found[kind] = TaskRule(
            int(given["stage"]),
            str(given["owner"]),
            int(given["days"]),
            inverse,
            str(given["inverse_words"]),
            row.words,
        )
    return found


def task_rule(kind: TaskKind) -> TaskRule:
    """Return what the table says of a kind of task."""
    return _tasks(table_called("change_tasks").hash)[kind]


def kinds_for(order: ChangeOrder, dispositions: Iterable[tuple[ImpactTarget, Disposition]]) -> set[TaskKind]:
    """Return which kinds of tasks a change takes: by what becomes of the pieces, and by what it requires itself."""
    found = {TaskKind.VERIFY}
    for target, disposition in dispositions:
        if kind := legal(target, disposition).outputs["task"]:
            found.add(TaskKind(kind))
    if any(item.part_revision_to_id is not None for item in order.affected):
        found.add(TaskKind.UPDATE_BOM)
    if order.type in (ChangeType.PROCESS, ChangeType.LOCATION):
        found.add(TaskKind.UPDATE_ROUTING)
    if order.is_training_required:
        found.add(TaskKind.TRAIN)
    if order.is_revalidation_required:
        found.add(TaskKind.REVALIDATE)
    if order.fai in (FaiDecision.DELTA, FaiDecision.FULL):
        found.add(TaskKind.FAI)
    if order.is_customer_approval_required or order.regulator_notice:
        found.add(TaskKind.NOTIFY_CUSTOMER)
    if order.type is ChangeType.SOFTWARE:
        found.add(TaskKind.LABEL)
    return found


def feasible_from(
    session: Session, order: ChangeOrder, dispositions: Iterable[tuple[ImpactTarget, Disposition]], *, today: dt.date
) -> tuple[dt.date, str]:
    """Return the first day on which a change may take effect, and the task that takes that long."""
    kinds = sorted(kinds_for(order, dispositions))
    longest = max(kinds, key=lambda kind: task_rule(kind).days)
    return today + dt.timedelta(days=task_rule(longest).days), longest.value.lower().replace("_", " ")


def _words(target: ImpactTarget) -> str:
    return {
        ImpactTarget.STOCK_LOT: "stock", ImpactTarget.PO_LINE: "what is still to come of an order line",
        ImpactTarget.AT_SUPPLIER: "pieces at a supplier", ImpactTarget.WO: "pieces nothing was done to",
        ImpactTarget.WO_OP: "pieces in work", ImpactTarget.PLANNED_ORDER: "what is only planned",
        ImpactTarget.SHIPPED: "pieces at customers",
    }[target]  # fmt: skip
