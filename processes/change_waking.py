"""Let the tasks of a change look again: when one before them is done, or when the amendment that they wait for has moved."""

from __future__ import annotations

from sqlalchemy import select

from engine.act import Act
from engine.messages import publish
from processes.outside_moving import NOT_KEPT
from records.amendment import PurchaseOrderAmendment
from records.change_task import ChangeTask, TaskStatus, tasks_of

MOVED = "change.task_moved"


def wake_others(act: Act, task: ChangeTask) -> None:
    """Let every task of the same change look again that is not done."""
    for other in tasks_of(act.session, task.change_order):
        if other.id != task.id and other.is_standing:
            _publish(act, other, task.id)


def wake_for(act: Act, document_id: str) -> None:
    """Let the tasks look again that made a document, or that it undoes (an amendment), and wait for what becomes of it."""
    amendment = act.session.get(PurchaseOrderAmendment, document_id)
    undoes = amendment.reverts_id if amendment is not None else None
    mine = (ChangeTask.done_id == document_id) & (ChangeTask.status == TaskStatus.OPEN)
    waiting = select(ChangeTask).where(mine if undoes is None else mine | (ChangeTask.done_id == undoes))
    for task in act.session.scalars(waiting):
        _publish(act, task, document_id)


def _publish(act: Act, task: ChangeTask, because: str) -> None:
    publish(act, MOVED, correlation_key=task.id, message_id=f"{because}:{task.id}:{act.id}", ttl=NOT_KEPT)
