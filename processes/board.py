"""The board decides: who has to agree to one content, one signed vote for each seat, and what they come to (domain.md 3C C08, 4b SOD-8).

A vote is one act, whether it is cast in a meeting or from somebody's own inbox: signature, vote and seat stand or fall together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from engine import motion, tasks
from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from engine.stored.task import Task
from processes.board_calling import (
    barred_from,
    call_board,
    fill_slot,
    roles_for,
    seat_variables,
    seats_for,
)
from processes.board_conflicts import declare_conflict, give_up
from processes.board_outcome import decided_words, is_up, outcome, settle_agenda, standings
from processes.board_tasks import Decidable, open_tasks, standing_seat, task_of
from records.change_order import ChangeOrder
from records.signature import Meaning, Signature
from records.signing import PasswordSigner, Subject, signature_of
from records.vote import BoardSeat, Verdict, Vote, requirements_of
from rules.board_seats import Voter, function_words
from rules.board_votes import open_seats

MEANINGS = {
    Verdict.APPROVE: Meaning.APPROVED, Verdict.APPROVE_WITH_CONDITION: Meaning.APPROVED, Verdict.RETURN: Meaning.REJECTED,
    Verdict.REJECT: Meaning.REJECTED, Verdict.SPLIT: Meaning.REVIEWED, Verdict.ABSTAIN: Meaning.REVIEWED,
}  # fmt: skip
"""What the signature of each verdict says."""

NEEDS_TEXT = (Verdict.RETURN, Verdict.REJECT, Verdict.SPLIT)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What somebody wants to say. seen_hash: the content as they saw it. text: reason, dissent or remark."""

    verdict: Verdict
    seen_hash: str
    text: str = ""
    condition: str = ""


def vote(
    act: Act, target: Decidable, ballot: Ballot, signature: SignatureRequest, *, meeting_id: str | None = None
) -> Vote:
    """Cast the acting person's vote, signed, in this one act; a task of theirs in the inbox is decided with it.

    Raises: Conflict STALE_VERSION for another content than the one seen, ALREADY_VOTED, or when nothing is up for decision;
    Forbidden NOT_AUTHORISED for who has no seat or no longer holds its role, SOD_VIOLATION with a conflict of interest, and as the
    signer does; Invalid naming the field.
    """
    _hold(act, target)
    _refuse_decided(act, target)
    if ballot.seen_hash != target.content_hash:
        raise Conflict(
            f"Expected your vote on the content that is up for decision, but {target.number} changed since you opened it; read it again",
            code="STALE_VERSION", record=(target.record_type, target.id),
        )  # fmt: skip
    _refuse_incomplete(ballot)
    seat = seat_of(act, target)
    task = task_of(act.session, target, seat, barred_from(act.session, target))
    if (
        task is None
        and not isinstance(target, ChangeOrder)
        and (asking := next(open_tasks(act.session, target), None)) is not None
    ):
        raise Conflict(
            f"Expected {asking.title} to be decided first, by {' or '.join(_words(act, one) for one in asking.candidates)}; then it is "
            "your turn",
            code="NOT_YOUR_TURN", record=(target.record_type, target.id),
        )  # fmt: skip
    if task is not None:
        return _decide_task(act, target, seat, task, ballot, signature, meeting_id)
    subject = Subject(
        target.record_type, target.id, ballot.seen_hash, revision=getattr(target, "round", None), principal=f"role:{seat.role}",
        on_behalf_of=_stands_in_for(act, seat), reason=ballot.text or ballot.condition,
    )  # fmt: skip
    _refuse_meaning(ballot, signature)
    signer = act.installation.signer
    if not isinstance(signer, PasswordSigner):
        raise TypeError("Expected a signer with passwords to be wired before anybody signs, but there is another")
    return keep_vote(
        act, target, ballot, signer.sign_subject(act, subject, signature), seat=seat, meeting_id=meeting_id
    )


def keep_vote(
    act: Act,
    target: Decidable,
    ballot: Ballot,
    signature: Signature,
    *,
    seat: BoardSeat | None = None,
    meeting_id: str | None = None,
) -> Vote:
    """Keep a vote that was signed, by a task or in a meeting, and fill its function's slot; kept again, it is the same vote.

    Raises: as ``vote``.
    """
    known = act.session.scalar(select(Vote).where(Vote.signature_id == signature.id))
    if known is not None:
        return known
    seat = seat or seat_of(act, target)
    cast = Vote(
        seat=seat, seat_id=seat.id, target_type=target.record_type, target_id=target.id, target_hash=signature.content_hash,
        function=seat.requirement.function, voter_id=signature.signer_id,
        on_behalf_of_id=signature.on_behalf_of_id or _stands_in_for(act, seat),
        verdict=ballot.verdict, text=ballot.text[:4000], condition=ballot.condition[:4000], weight=seat.weight,
        signature=signature, signature_id=signature.id, decision_id=signature.decision_id, meeting_id=meeting_id,
        cast_at=signature.signed_at,
    )  # fmt: skip
    act.session.add(cast)
    act.session.flush()
    if cast.agrees:
        fill_slot(act, seat.requirement, signature)
    settle_agenda(act, target)
    act.note(
        target.record_type,
        target.id,
        "VOTED",
        field=cast.function,
        new=cast.verdict.value,
        reason=cast.text or cast.condition or None,
    )
    return cast


def seat_of(act: Act, target: Decidable) -> BoardSeat:
    """Return the seat that the acting person votes from. Raises: Forbidden; Conflict ALREADY_VOTED."""
    about = (target.record_type, target.id)
    person = act.user_id or ""
    found = requirements_of(act.session, target.id, target.content_hash)
    if not found:
        raise Conflict(
            f"Expected the board to be called for {target.number}, but it is not", code="NOT_UP", record=about
        )
    if any(seat.vote is not None and seat.vote.voter_id == person for one in found for seat in one.seats):
        raise Conflict(
            f"Expected one vote of yours on {target.number}, but you voted already; a vote is never taken back",
            code="ALREADY_VOTED", record=about,
        )  # fmt: skip
    barred = barred_from(act.session, target)
    if person in barred:
        raise Forbidden(
            f"Expected somebody without an interest in {target.number}, but you declared a conflict", code="SOD_VIOLATION",
            record=about, keep=True,
        )  # fmt: skip
    voter = Voter(act.session, person, act.now)
    free = [seat for one in found for seat in open_seats(one, barred)]
    mine = [seat for seat in sorted(free, key=lambda one: _nearness(one, person)) if voter.right_to(seat) is not None]
    if not mine:
        raise Forbidden(_no_seat(act, target, free), code="NOT_AUTHORISED", record=about, keep=True)
    why = {seat.id: voter.bar_on(seat, barred, found) for seat in mine}
    open_for_them = next((seat for seat in mine if why[seat.id] is None), None)
    if open_for_them is None:
        raise Forbidden(
            f"Expected one vote of each person on {target.number}, but {why[mine[0].id]}", code="SOD_VIOLATION", record=about,
            keep=True,
        )  # fmt: skip
    return open_for_them


def _nearness(seat: BoardSeat, person: str) -> tuple[int, int, int]:
    """One's own seat first, then whom one stands in for, then what the role alone may take."""
    rank = 0 if seat.user_id == person else 1 if seat.deputy_id == person else 2
    return rank, seat.requirement.position, seat.position


def _no_seat(act: Act, target: Decidable, free: Sequence[BoardSeat]) -> str:
    own = next((seat for seat in free if act.user_id in (seat.user_id, seat.deputy_id)), None)
    if own is not None:
        speaks_for = function_words(own.requirement.function)
        return (
            f"Expected you to hold the role {_words(act, f'role:{own.role}')} while you vote for {speaks_for}, but you no longer do, or "
            "your place on the board ended"
        )
    asked = {_words(act, f"user:{one.user_id}" if one.user_id else f"role:{one.role}"): one.requirement for one in free}
    who = ", ".join(f"{name} for {function_words(requirement.function)}" for name, requirement in asked.items())
    return f"Expected {who or 'nobody else'} to vote on {target.number}, but you have no open seat"


def _words(act: Act, principal: str) -> str:
    directory = act.installation.directory
    return directory.name_of(act.session, principal) if directory is not None else principal


def _stands_in_for(act: Act, seat: BoardSeat) -> str | None:
    right = Voter(act.session, act.user_id or "", act.now).right_to(seat)
    if right is None:
        return seat.user_id if seat.user_id != act.user_id else None
    return right.on_behalf_of


def _hold(act: Act, target: Decidable) -> None:
    """Let votes on one document come one after the other: its flow first, as whoever votes from the inbox does, then itself."""
    task = next(open_tasks(act.session, target), None)
    if task is not None:
        motion.lock(act, task.instance_id)
    act.session.refresh(target, with_for_update=True)


def _refuse_decided(act: Act, target: Decidable) -> None:
    about = (target.record_type, target.id)
    faster = decided_words(act.session, target)
    if not is_up(target):
        raise Conflict(
            f"Expected {target.number} to be up for decision, but it is {_state(target)}. {faster or 'It went back meanwhile'}.",
            code="NOT_UP", record=about,
        )  # fmt: skip
    if outcome(act.session, target) is not None:
        raise Conflict(
            f"Expected {target.number} to be open, but others were faster: {faster}.", code="DECIDED", record=about
        )


def _state(target: Decidable) -> str:
    return target.status.value.lower().replace("_", " ")


def _refuse_incomplete(ballot: Ballot) -> None:
    if ballot.verdict in NEEDS_TEXT and not ballot.text.strip():
        raise Invalid(
            f"Expected a reason for a vote that says {ballot.verdict.words}, but there is none", {"text": "is required"}
        )
    if (ballot.verdict is Verdict.APPROVE_WITH_CONDITION) != bool(ballot.condition.strip()):
        raise Invalid(
            "Expected a condition with an approval on condition, and with nothing else",
            {"condition": "is required" if not ballot.condition.strip() else "belongs to an approval with condition"},
        )


def _refuse_meaning(ballot: Ballot, signature: SignatureRequest) -> None:
    if signature.meaning != MEANINGS[ballot.verdict]:
        raise Invalid(
            f"Expected a signature that says {MEANINGS[ballot.verdict].lower()} for a vote that says {ballot.verdict.words}, but it says "
            f"{signature.meaning.lower() or 'nothing'}",
            {"meaning": "does not fit the vote"},
        )


def _decide_task(
    act: Act, target: Decidable, seat: BoardSeat, task: Task, ballot: Ballot, signature: SignatureRequest, meeting_id: str | None,
) -> Vote:  # fmt: skip
    """Decide the task in the inbox, and tell its flow's step what the form of the task does not ask."""
    act.session.info["ballot"] = (ballot, meeting_id)
    try:
        decided = tasks.decide(
            act, task.id, ballot.verdict.value, seen_version=task.version, reason=ballot.text or ballot.condition,
            variables={"dissent": ballot.text, "condition": ballot.condition}, signature=signature,
        )  # fmt: skip
    finally:
        act.session.info.pop("ballot", None)
    signed = signature_of(act.session, decided.id)
    if signed is None:
        raise Forbidden(f"Expected a signed vote on {target.number}, but its task asks for none", code="UNSIGNED")
    return keep_vote(act, target, ballot, signed, seat=seat, meeting_id=meeting_id)


def _ballot_of(verdict: Verdict, signature: Signature, text: str, condition: str) -> Ballot:
    """Return what the fields of a task come to: the reason of an approval on condition is the condition, and no other vote has one."""
    said = list(dict.fromkeys(filter(None, (signature.reason.strip(), text.strip()))))
    condition = condition.strip()
    if verdict is Verdict.APPROVE_WITH_CONDITION:
        condition = condition or said.pop(0)
    elif condition:
        said, condition = [*said, f"Condition: {condition}"], ""
    return Ballot(verdict, signature.content_hash, " ".join(said), condition)


def keep_task_vote(
    act: Act, target: Decidable, *, decision_id: str, verdict: str, text: str = "", condition: str = "", seat_id: str = "",
) -> Vote:  # fmt: skip
    """Keep the vote of a task that was just decided; what a flow's step calls after each seat's task.

    seat_id: of the seat that the task asked; another of the function if that one fell vacant meanwhile.
    Raises: Forbidden UNSIGNED for a decision without a signature; as ``keep_vote``.
    """
    signature = signature_of(act.session, decision_id)
    if signature is None:
        raise Forbidden(f"Expected a signed vote on {target.number}, but there is no signature", code="UNSIGNED")
    ballot, meeting_id = act.session.info.get("ballot") or (
        _ballot_of(Verdict(verdict), signature, text, condition), None,
    )  # fmt: skip
    asked = act.session.get(BoardSeat, seat_id) if seat_id else None
    return keep_vote(
        act,
        target,
        ballot,
        signature,
        seat=standing_seat(asked, barred_from(act.session, target)),
        meeting_id=meeting_id,
    )


__all__ = [
    "Ballot", "Decidable", "call_board", "decided_words", "declare_conflict", "give_up", "keep_task_vote", "keep_vote",
    "outcome", "roles_for", "seat_of", "seat_variables", "seats_for", "settle_agenda", "standings", "vote",
]  # fmt: skip
