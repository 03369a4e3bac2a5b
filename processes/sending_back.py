"""Return a task to an earlier step and tell everybody whose work is void or at an end by it."""

from __future__ import annotations

from engine import returning, tasks
from engine.act import Act
from engine.decisions import Decision
from engine.ports import SignatureRequest
from processes.notices import tell


def send_back(
    act: Act,
    task_id: str,
    to: int,
    *,
    seen_version: int,
    reason: str,
    on_behalf_of: str | None = None,
    signature: SignatureRequest | None = None,
) -> Decision:
    """Return a task as ``engine.returning.send_back`` does. Whose decision is void, or whose claimed task ended, is told why."""
    task = tasks.find(act.session, task_id)
    steps = {one.token_id: one for one in returning.targets(act.session, task)}
    decision = returning.send_back(
        act, task_id, to, seen_version=seen_version, reason=reason, on_behalf_of=on_behalf_of, signature=signature
    )
    target = steps[to]
    concerned = [row.actor_id for row in target.voids] + [one.assignee for one in target.cancels if one.assignee]
    about = (str(task.record_type), str(task.record_id)) if task.record_type and task.record_id else None
    tell(
        act, [one for one in dict.fromkeys(concerned) if one != act.user_id],
        f"{task.record_number or task.business_key} was returned to {target.name}"[:200], key=f"returned:{decision.id}",
        body=f"{decision.actor_name}: {reason}\n{target.sentence}"[:4000], record=about,
    )  # fmt: skip
    return decision
