"""What a task knows: the variables that its place in the instance can see."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from dmn.values import to_python
from engine import definitions, loading, variables
from engine.errors import Conflict
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskState
from engine.waiting import Onlooker


def variables_of(session: Session, task: Task) -> dict[str, Any]:
    """Return what an open task sees, innermost scope first, as plain Python values.

    The instance's own once it is closed, and where nobody can read its state: whoever has the task reads what is known.
    """
    instance = session.get_one(Instance, task.instance_id)
    if task.state != TaskState.OPEN:
        return variables.root_values(session, instance)
    try:
        deployed = definitions.parsed(session, instance.definition_id)
        flow = loading.loaded(deployed, instance, variables.load(session, instance), Onlooker(session))
    except Conflict:
        return variables.root_values(session, instance)
    if task.token_id not in flow.live:
        return variables.root_values(session, instance)
    return {name: to_python(value) for name, value in flow.variables_view(task.token_id).items()}
