"""Addenda before the board: each function signs once, from the inbox or in a meeting, and both are the same vote."""

from __future__ import annotations

from engine.act import Act
from processes import board as voting
from records.approval import slots_of
from records.change_order import AddendumStatus, ChangeOrderAddendum
from records.signature import Signature
from records.signing import signature_of
from records.vote import BoardRequirement, Verdict, requirements_of, votes_on

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


def keep_slot_vote(act: Act, addendum_id: str, stage: int, decision_id: str | None, *, verdict: str, text: str) -> None:
    """Keep what somebody signed in an approval round as their vote, where the board was called; nothing where it was not."""
    addendum = act.session.get(ChangeOrderAddendum, addendum_id)
    signature = signature_of(act.session, decision_id) if decision_id is not None else None
    if addendum is None or signature is None or verdict not in VERDICTS:
        return
    for requirement in requirements_of(act.session, addendum.id, signature.content_hash):
        if requirement.position == stage:
            _keep(act, addendum, requirement, signature, Verdict(verdict), text)


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
