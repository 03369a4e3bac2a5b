"""Conditional start events: a process begins when somebody asks its condition with values that make it true.

There is no instance yet that could watch a variable, so nothing begins by itself (Camunda 8 says the same): whoever knows
that something changed asks, and what is true begins with the values that were asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from dmn.errors import DmnError
from engine import definitions, instances
from engine.errors import Conflict
from engine.functions import HOUSE, lent
from engine.spiff.extensions import Expr
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance
from engine.stored.wait import ConditionSubscription
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act


@dataclass(frozen=True, slots=True)
class Begun:
    """A start event whose condition was true, and the instance that it started."""

    element_id: str
    instance: Instance


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A start event whose condition has no value with these variables, and why; it starts nothing."""

    process_id: str
    element_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of asking. asked: how many conditions there were."""

    asked: int
    begun: tuple[Begun, ...]
    unanswered: tuple[Unanswered, ...]


def evaluate(
    act: Act,
    variables: Mapping[str, Any] | None = None,
    *,
    process_id: str | None = None,
    business_key: str = "",
) -> Evaluation:
    """Ask the conditional start events of all released processes, or of one, and start each whose condition is true.

    What is started has the variables. business_key: of what is started; else the variable ``business_key``, else made up.
    Null is not true. Nothing is started when one of them cannot: all are of this act. Raises: NotFound for a process without
    a released definition; Conflict NO_CONDITION when that one begins with none, ALREADY_RUNNING when the key runs; Invalid.
    """
    values = accepted(variables)
    wanted = (
        select(ConditionSubscription.element_id, Definition)
        .join(Definition, Definition.id == ConditionSubscription.definition_id)
        .where(Definition.status == DefinitionStatus.RELEASED)
        .order_by(Definition.process_id, ConditionSubscription.element_id)
    )
    if process_id is not None:
        wanted = wanted.where(ConditionSubscription.definition_id == definitions.released(act.session, process_id).id)
    found = list(act.session.execute(wanted))
    if process_id is not None and not found:
        raise Conflict(
            f"Expected {process_id} to begin with a condition, but none of its start events has one",
            code="NO_CONDITION",
        )
    true: list[tuple[str, Definition]] = []
    unanswered: list[Unanswered] = []
    for element_id, definition in found:
        try:
            if _is_true(act, definition, element_id, values):
                true.append((element_id, definition))
        except DmnError as error:
            unanswered.append(Unanswered(definition.process_id, element_id, error.message))
    given = business_key or str(values.get("business_key") or "")
    begun = [
        Begun(element_id, _begin(act, definition, element_id, values, given=given)) for element_id, definition in true
    ]
    return Evaluation(len(found), tuple(begun), tuple(unanswered))


def _is_true(act: Act, definition: Definition, element_id: str, values: Mapping[str, Any]) -> bool:
    """Raises: DmnError when the condition runs out of its budget."""
    process = definitions.parsed(act.session, definition.id).process
    event = process.elements[element_id].event
    condition: Expr | None = event.condition if event is not None else None
    assert condition is not None, f"{element_id} is no conditional event"
    assert condition.code is not None, f"{element_id} has no FEEL condition"
    with lent(act.session):
        return condition.code.explain(values, functions=HOUSE, now=act.now).value is True


def _begin(act: Act, definition: Definition, element_id: str, values: Mapping[str, Any], *, given: str) -> Instance:
    # One act may begin a process by several of its start events: what is made up names which.
    key = given or f"{definition.process_id}-{element_id}-{act.id}"
    return instances.begin(
        act, definition, business_key=key[: instances.MAX_KEY], variables=values, start_element=element_id
    )
