"""Addenda before the board: judged by the same rules as its orders, from the inbox or in a meeting, and both are the same vote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Act
from processes import board as voting
from records.approval import slots_of
from records.change_order import AddendumStatus, ChangeOrderAddendum
from records.signature import Signature
from records.signing import signature_of
from records.vote import BoardRequirement, Outcome, Verdict, requirements_of, votes_on

TWO_PEOPLE = ("ENG_AUTH", "QA_ENG")
"""Who signs what they proposed themselves, where no member speaks for their function: engineering and quality (C14, C20)."""

VERDICTS = (Verdict.APPROVE, Verdict.RETURN, Verdict.REJECT)
"""What is said about an addendum: it sets what it sets, and has no parts."""


def bring(act: Act, addendum: ChangeOrderAddendum) -> None:
    """Call the board for an addendum that comes on an agenda; who signed it from the inbox before has voted.

    Raises: Conflict when nobody is asked for it any more.
    """
    if addendum.status is not AddendumStatus.PROPOSED:
        return
    voting.call_board(act, addendum)
    found = {one.position: one for one in requirements_of(act.session, addendum.id, addendum.content_hash)}
    for slot in slots_of(act.session, addendum.record_type, addendum.id, addendum.content_hash):
        if slot.signature is not None and slot.stage in found:
            _keep(act, addendum, found[slot.stage], slot.signature, Verdict.APPROVE, "")


def keep_slot_vote(
    act: Act, record_id: str, slot: Mapping[str, Any], decision: Mapping[str, Any], *, decision_id: str | None
) -> None:
    """Keep what somebody signed in an approval round as their vote, where the board was called; nothing where it was not.

    slot: as the round asked it; one of an older round names no seat, and is the first open one of its function.
    """
    addendum = act.session.get(ChangeOrderAddendum, record_id)
    signature = signature_of(act.session, decision_id) if decision_id is not None else None
    if addendum is None or signature is None or decision["verdict"] not in VERDICTS:
        return
    verdict, text = Verdict(decision["verdict"]), decision.get("reason") or ""
    if slot.get("seat"):
        voting.keep_task_vote(
            act,
            addendum,
            decision_id=signature.decision_id or "",
            verdict=verdict,
            text=text,
            seat_id=str(slot["seat"]),
        )
        return
    for requirement in requirements_of(act.session, addendum.id, signature.content_hash):
        if requirement.position == int(slot["stage"]):
            _keep(act, addendum, requirement, signature, verdict, text)


def slots_for(act: Act, addendum: ChangeOrderAddendum) -> list[dict[str, Any]]:
    """Call the board for an addendum; return its seats as an approval round asks them, all at once.

    Where a function has no member, who proposed the addendum does not sign for it, unless it is engineering or quality.
    """
    voting.call_board(act, addendum)
    proposer = addendum.proposed_by.removeprefix("user:")
    return [
        seat
        | {"principal": f"role:{seat['role']}", "rows": [], "meaning": "APPROVED", "why": seat["why"] or addendum.number}
        | {"excludes": [*seat["excludes"], *([proposer] if _is_closed_to_proposer(seat) else [])]}
        for seat in voting.seat_variables(act.session, addendum)
    ]  # fmt: skip


def verdict_of(act: Act, record_id: str) -> str | None:
    """Return what the votes on an addendum come to, as an approval round says it: approve, return or reject; None while undecided."""
    addendum = act.session.get(ChangeOrderAddendum, record_id)
    came = voting.outcome(act.session, addendum) if addendum is not None else None
    if came is None:
        return None
    return {Outcome.APPROVE: "approve", Outcome.REJECT: "reject"}.get(came, "return")


def _is_closed_to_proposer(seat: Mapping[str, Any]) -> bool:
    return not seat["users"] and seat["role"] not in TWO_PEOPLE


def _keep(
    act: Act, addendum: ChangeOrderAddendum, requirement: BoardRequirement, signature: Signature, verdict: Verdict, text: str
) -> None:  # fmt: skip
    cast = {one.voter_id for one in votes_on(act.session, addendum.id) if one.target_hash == signature.content_hash}
    seat = next((one for one in requirement.seats if one.vote is None), None)
    if seat is None or signature.signer_id in cast:
        return
    _, meeting_id = act.session.info.get("ballot") or (None, None)
    ballot = voting.Ballot(verdict, signature.content_hash, text)
    voting.keep_vote(act, addendum, ballot, signature, seat=seat, meeting_id=meeting_id)
