"""Who signs a change, and what their votes come to, as its flow sees the board."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.decisions import Decision
from engine.registry import Work
from processes import board
from records.change_order import ChangeOrder
from records.vote import votes_on


def roles_for(act: Act, order: ChangeOrder, subject: str) -> list[str]:
    """Return the roles that have to sign. subject: ORDER, EFFECTIVITY, DELTA or WITHDRAWAL."""
    return board.roles_for(act.session, order, subject)


def seat(act: Act, order: ChangeOrder) -> list[dict[str, Any]]:
    """Call the board for the sealed content; return its seats as the flow asks them (C08)."""
    board.call_board(act, order)
    return board.seat_variables(act.session, order)


def keep(act: Act, work: Work, order: ChangeOrder) -> None:
    """Keep the vote that the task of a seat was decided with; one cast in a meeting is kept already."""
    mine = _decision(act, work, order)
    if mine is not None:
        board.keep_task_vote(
            act, order, decision_id=mine.id, verdict=mine.verdict, text=str(work.get("dissent") or ""),
            condition=str(work.get("condition") or ""), seat_id=str((work.get("slot") or {}).get("seat") or ""),
        )  # fmt: skip


def outcome_of(act: Act, order: ChangeOrder) -> str | None:
    """Return what the votes come to: APPROVE, RETURN, REJECT or SPLIT; None while the board has not decided."""
    found = board.outcome(act.session, order)
    return found.value if found is not None else None


def said(act: Act, order: ChangeOrder) -> list[str]:
    """Return every vote on the present content in words."""
    return [
        f"{vote.voter.name} for {vote.function.lower()}: {vote.verdict.value.replace('_', ' ')}. {vote.text}".strip()
        for vote in votes_on(act.session, order.id)
        if vote.target_hash == order.content_hash
    ]


def _decision(act: Act, work: Work, order: ChangeOrder) -> Decision | None:
    if work.instance is None or not work.get("decision"):
        return None
    wanted = select(Decision).where(
        Decision.instance_id == work.instance.id, Decision.record_id == order.id, Decision.element_id == "vote_on_change",
        Decision.actor_id == act.user_id,
    )  # fmt: skip
    return act.session.scalars(wanted.order_by(Decision.seq.desc()).limit(1)).first()
