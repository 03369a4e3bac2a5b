"""Tell a flow what people decided.

The variable ``decision``, and in a body with a quorum ``tally`` and ``verdict``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, or_, select

from engine import dialect, quorum
from engine.decisions import Decision, DecisionKind
from engine.motion import Motion
from engine.prepared import Question
from engine.stored.task import Task

NOT_A_VOTE = "ask"


def as_variable(decision: Decision) -> dict[str, Any]:
    """Return the variable ``decision``."""
    return {
        "verdict": decision.verdict,
        "by": decision.actor_id,
        "name": decision.actor_name,
        "on_behalf_of": decision.on_behalf_of_id,
        "role": decision.role,
        "reason": decision.reason,
        "at": decision.decided_at,
    }


def tally(moved: Motion, task: Task) -> None:
    """Count the standing decisions of the task's body anew and set ``tally`` and ``verdict``; nothing for a body that is gone.

    Both are set in the body; once the verdict is settled also in the scope around it, where they outlive the body.
    Raises: Incident when the quorum is none.
    """
    body, flow = task.quorum_scope, moved.flow
    if body is None or body not in flow.live:
        return
    token: Any = flow.live[body]
    view = flow.variables_view(body)
    wanted = dialect.quorum_of(dialect.property_value(token.element, dialect.QUORUM, view, flow.host))
    counted = quorum.count(_verdicts(moved, body), places=flow.instances(body).total, quorum=wanted)
    flow.set_variable(body, "tally", counted.as_variable())
    flow.set_variable(body, "verdict", counted.verdict)
    if counted.verdict is not None:
        flow.set_variable(token.container, "tally", counted.as_variable())
        flow.set_variable(token.container, "verdict", counted.verdict)


_VOTES = Question(
    select(Decision.id, Decision.kind, Decision.voids_id, Decision.slot, Decision.verdict)
    # A row that voids another one has no place in any body.
    .where(
        Decision.instance_id == bindparam("instance"),
        or_(Decision.quorum_scope == bindparam("body"), Decision.kind == DecisionKind.VOID),
    )
    .order_by(Decision.seq)
)


def _verdicts(moved: Motion, body: int) -> dict[int, str]:
    """Return the last standing vote of each place, one that waits to be written included."""
    session, instance_id = moved.act.session, moved.instance.id
    asked = {"instance": instance_id, "body": body}
    rows: list[Any] = _VOTES.ask(session, asked)
    fresh = [
        row
        for row in session.new
        if type(row) is Decision
        and row.instance_id == instance_id
        and (row.quorum_scope == body or row.kind == DecisionKind.VOID)
    ]
    rows += [(row.id, row.kind, row.voids_id, row.slot, row.verdict) for row in sorted(fresh, key=lambda row: row.seq)]
    voided = {voids_id for _, kind, voids_id, _, _ in rows if kind == DecisionKind.VOID}
    return {
        slot: verdict
        for decision_id, kind, _, slot, verdict in rows
        if kind == DecisionKind.DECISION and decision_id not in voided and slot is not None and verdict != NOT_A_VOTE
    }
