"""Close a task: the decision row, the signature, the row itself, the token that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine import decisions, drafts, eligibility, incidents, opening, rows
from engine.decisions import Decision, DecisionKind
from engine.errors import Conflict, Forbidden, Invalid
from engine.motion import Motion
from engine.ports import Mandate, SignatureRequest
from engine.spiff import NotStorable, NotWaiting
from engine.spiff.host import Denied
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskState

if TYPE_CHECKING:
    from engine.act import Act

APPROVING = frozenset({"approve", "approve_with_condition"})


def binds_meaning(task: Task, verdict: str) -> bool:
    """Tell whether the signature of a verdict must mean what the task says: of an approval, or of the only thing to do."""
    return task.signature is not None and (verdict in APPROVING or list(task.outcomes) == [verdict])


def record(
    act: Act,
    instance: Instance,
    task: Task,
    mandate: Mandate,
    *,
    verdict: str,
    reason: str,
    signature: SignatureRequest | None,
    is_vote: bool = True,
) -> Decision:
    """Append the decision row and have it signed when the task wants that. Raises: Forbidden without the signature.

    is_vote: it counts for the place of the task, where that is one of several that vote.
    """
    if task.signature and signature is None:
        raise Forbidden(f"Expected a signature with the meaning {task.signature}, but there is none", code="UNSIGNED")
    if signature is not None and binds_meaning(task, verdict) and signature.meaning != task.signature:
        raise Invalid(
            f"Expected the meaning {task.signature}, but it is {signature.meaning}", {"meaning": "not the task's"}
        )
    user_id = act.user_id or act.actor
    person = eligibility.directory_of(act.session).person(act.session, user_id)
    kind, _, held = mandate.principal.partition(":")
    decision = rows.make(
        Decision,
        {
            "kind": DecisionKind.DECISION,
            "task_id": task.id,
            "element_id": task.element_id,
            "round": task.round,
            "quorum_scope": task.quorum_scope if is_vote else None,
            "slot": task.slot if is_vote else None,
            "record_type": task.record_type,
            "record_id": task.record_id,
            "record_hash": task.record_hash,
            "definition_hash": instance.definition_hash,
            "verdict": verdict,
            "meaning": signature.meaning if signature is not None else None,
            "reason": reason,
            "actor_id": user_id,
            "actor_name": person.name if person is not None else user_id,
            "on_behalf_of_id": mandate.on_behalf_of,
            "role": task.role or (held if kind == "role" else None),
            "rule_row": task.rule_row,
            "method": "signature" if signature is not None else "form",
            "decided_at": act.now,
        },
    )
    decisions.append(act, instance, decision)
    if signature is not None:
        act.session.flush()
        signer = act.installation.signer
        if signer is None:
            raise RuntimeError("Expected a signer to be wired before anybody signs, but there is none")
        signer.sign(act, decision, signature)
    act.note(
        "instance", instance.id, "DECISION", field=task.element_id, new=verdict, reason=reason or None, subject=task.id
    )
    return decision


def end(act: Act, task: Task, *, verdict: str | None) -> None:
    """Close the row of a task in the name of whoever acts."""
    opening.remove_candidates(act, [task])
    task.state, task.closed_at, task.closed_by = TaskState.COMPLETED, act.now, act.user_id
    task.verdict = verdict
    if verdict is None:
        act.note("instance", task.instance_id, "TASK_COMPLETED", field=task.element_id, new=task.title, subject=task.id)


def complete_token(moved: Motion, task: Task, variables: Mapping[str, Any], typed: drafts.Typed) -> None:
    """Let the token of a closed task go on. typed: kept when a listener denies it.

    Raises: Conflict when it does not wait, DENIED with the listener's reason; Invalid for a value FEEL cannot keep.
    """
    try:
        moved.flow.complete(task.token_id, variables)
    except NotWaiting as error:
        raise Conflict(f"Expected {task.name} to wait for you, but the flow moved on", code="TASK_CLOSED") from error
    except NotStorable as error:
        raise Invalid(str(error)) from error
    except Denied as denied:
        drafts.keep(moved.act, typed, denied.reason)
        raise Conflict(
            f"Expected {task.name} to be let pass, but it was denied: {denied.reason}", code="DENIED"
        ) from denied


def resolve_trouble(act: Act, instance: Instance, task: Task) -> None:
    """Close the incident that nobody could take the task, now that somebody did or may."""
    incidents.resolve_of_tokens(act, instance, [task.token_id], "somebody may take it")
