"""The board decides: who has to agree to one content, one signed vote for each seat, and what they come to (domain.md 3C C08, 4b SOD-8).

A vote is one act, whether it is cast in a meeting or from somebody's own inbox: signature, vote and seat stand or fall together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import motion, tasks
from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from engine.stored.task import Task
from engine.words import clock_time
from processes import impact
from processes.board_tasks import Decidable, hand_over, open_tasks, standing_seat, task_of
from records.approval import ApprovalSlot, slots_of
from records.board import Membership, board_for
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderStatus
from records.meeting import AgendaItem, ItemStatus, Meeting, MeetingStatus
from records.roles import grants_of, user_called
from records.signature import Meaning, Signature
from records.signing import PasswordSigner, Subject, signature_of
from records.vote import (
    BoardRequirement,
    BoardSeat,
    ConflictOfInterest,
    Outcome,
    Verdict,
    Vote,
    VoteRule,
    conflicts_on,
    requirements_of,
    votes_on,
)
from rules.board_votes import Standing, is_vacant, open_seats, outcome_of, standing_as_cast, standing_of
from rules.policy import Judgement, table_called

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


def judged_for(
    session: Session, order: ChangeOrder, subject: str = "ORDER", *, cost: Decimal | None = None
) -> Judgement:
    """Return which functions must agree. subject: ORDER, EFFECTIVITY, DELTA or WITHDRAWAL; cost: else of its dispositions."""
    return table_called("board_votes").judge(
        subject=subject, change_class=order.change_class.value, cost=impact.cost_of(session, order)["TOTAL"] if cost is None else cost,
        is_notifiable=order.is_customer_approval_required,
    )  # fmt: skip


def roles_for(session: Session, order: ChangeOrder, subject: str, *, cost: Decimal | None = None) -> list[str]:
    """Return the roles under which the functions sign, in the table's order, each once."""
    return list(dict.fromkeys(str(row.outputs["role"]) for row in judged_for(session, order, subject, cost=cost).rows))


def call_board(act: Act, target: Decidable, *, cost: Decimal | None = None) -> list[BoardSeat]:
    """Write down who has to agree to the sealed content: functions, seats and approval slots; called again, it returns them.

    cost: company currency, else of the dispositions. A function without a free member is spoken for by any holder of its
    role. Raises: Conflict when the content is not sealed.
    """
    order, hashed = _order_of(target), _sealed_hash(target)
    known = requirements_of(act.session, target.id, hashed)
    if known:
        return seats_for(act.session, target)
    subject = "ORDER" if isinstance(target, ChangeOrder) else target.kind.value
    judged = judged_for(act.session, order, subject, cost=cost)
    barred = {conflict.user_id for conflict in conflicts_on(act.session, target.id)}
    for position, row in enumerate(judged.rows, start=1):
        # Of an addendum each function is asked once, as the round that signs it does: any holder of its role speaks for it.
        is_order = isinstance(target, ChangeOrder)
        requirement = BoardRequirement(
            target_type=target.record_type, target_id=target.id, target_hash=hashed, position=position,
            function=row.outputs["function"], role=row.outputs["role"],
            rule=VoteRule(row.outputs["rule"]) if is_order else VoteRule.N_OF,
            needed=int(row.outputs["needed"]) if is_order else 1, has_veto=bool(row.outputs["has_veto"]), why=row.words,
            judged_by=judged.hash,
        )  # fmt: skip
        act.session.add(requirement)
        act.session.flush()
        if is_order:
            _seat_members(act, requirement, order, barred)
        else:
            _seat(act, requirement, None)
        _open_slot(act, requirement)
    act.session.flush()
    return seats_for(act.session, target)


def seats_for(session: Session, target: Decidable) -> list[BoardSeat]:
    """Return every seat on the present content, by function and position; none before the board was called."""
    found = requirements_of(session, target.id, target.content_hash)
    return [seat for requirement in found for seat in requirement.seats]


def seat_variables(session: Session, target: Decidable) -> list[dict[str, Any]]:
    """Return the seats as a flow asks them, one task each, without those of people with a conflict of interest."""
    barred = _barred(session, target)
    return [
        {
            "stage": Decimal(requirement.position), "position": Decimal(seat.position), "function": requirement.function,
            "role": seat.role, "why": requirement.why, "seat": seat.id, "excludes": sorted(barred),
            "groups": [seat.role] if seat.user_id is None else [],
            "users": [person for person in (seat.user_id, seat.deputy_id) if person],
        }
        for requirement in requirements_of(session, target.id, target.content_hash)
        for seat in requirement.seats
        if not is_vacant(seat, barred)
    ]  # fmt: skip


def standings(session: Session, target: Decidable, *, content: str | None = None) -> list[Standing]:
    """Return what each function said about a content, the present one unless told otherwise.

    What is up for decision now counts valid signatures; a content that was decided says what its votes came to, though
    a return or a rejection has superseded their signatures since.
    """
    hashed = content or target.content_hash
    found = requirements_of(session, target.id, hashed)
    if hashed == target.content_hash and _is_up(target):
        barred = _barred(session, target)
        return [standing_of(requirement, barred) for requirement in found]
    last = max((vote.cast_at for vote in votes_on(session, target.id) if vote.target_hash == hashed), default=None)
    then = {one.user_id for one in conflicts_on(session, target.id) if last is None or one.declared_at <= last}
    return [standing_as_cast(requirement, then) for requirement in found]


def outcome(session: Session, target: Decidable) -> Outcome | None:
    """Return what the votes on the present content come to; None while the board has not decided."""
    return outcome_of(standings(session, target))


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
    task = task_of(act.session, target, seat, _barred(act.session, target))
    if (
        task is None
        and not isinstance(target, ChangeOrder)
        and (asking := next(open_tasks(act.session, target), None)) is not None
    ):
        raise Conflict(
            f"Expected {asking.title} to be decided first, by {', '.join(asking.candidates)}; then it is your turn",
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
        function=seat.requirement.function, voter_id=signature.signer_id, on_behalf_of_id=_stands_in_for(act, seat),
        verdict=ballot.verdict, text=ballot.text[:4000], condition=ballot.condition[:4000], weight=seat.weight,
        signature=signature, signature_id=signature.id, decision_id=signature.decision_id, meeting_id=meeting_id,
        cast_at=signature.signed_at,
    )  # fmt: skip
    act.session.add(cast)
    act.session.flush()
    if cast.agrees:
        _fill_slot(act, seat.requirement, signature)
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


def settle_agenda(act: Act, target: Decidable) -> None:
    """Write down on every agenda what the board decided about the present content, once it has."""
    decided = outcome(act.session, target)
    if decided is None:
        return
    wanted = (
        select(AgendaItem)
        .join(Meeting, Meeting.id == AgendaItem.meeting_id)
        .where(AgendaItem.target_id == target.id, AgendaItem.status == ItemStatus.OPEN)
        .where(Meeting.status.in_((MeetingStatus.PLANNED, MeetingStatus.OPEN)))
    )
    for item in act.session.scalars(wanted):
        item.target_hash, item.outcome, item.status = target.content_hash, decided, ItemStatus.DECIDED
    act.session.flush()


def decided_words(session: Session, target: Decidable) -> str:
    """Say who decided about a document last, when and how; empty before anybody voted."""
    cast = votes_on(session, target.id)
    if not cast:
        return ""
    last = cast[-1]
    came = outcome_of(standings(session, target, content=last.target_hash))
    at = clock_time(session, last.cast_at, now=session.info["act"].now if "act" in session.info else last.cast_at)
    said = f"{last.signature.printed_name} voted last, {last.verdict.replace('_', ' ')} at {at}"
    return f"{said}, and with that the board said {came}" if came is not None else said


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
    barred = _barred(act.session, target)
    if person in barred:
        raise Forbidden(
            f"Expected somebody without an interest in {target.number}, but you declared a conflict", code="SOD_VIOLATION",
            record=about, keep=True,
        )  # fmt: skip
    free = [seat for one in found for seat in open_seats(one, barred)]
    mine = next((seat for seat in sorted(free, key=lambda one: _nearness(one, person)) if _may_take(act, seat)), None)
    if mine is None:
        raise Forbidden(_no_seat(act, target, free), code="NOT_AUTHORISED", record=about, keep=True)
    return mine


def declare_conflict(act: Act, target: Decidable, *, reason: str) -> ConflictOfInterest:
    """Say that the acting person does not decide about this, for good; a function left without members falls to its role.

    Raises: Invalid without a reason; Conflict for who voted on this content already, or when nothing is up for decision any more.
    """
    if not reason.strip():
        raise Invalid("Expected what the interest is, but there is nothing", {"reason": "is required"})
    if not _is_up(target) or outcome(act.session, target) is not None:
        raise Conflict(
            f"Expected {target.number} to be up for decision, but it is not. {decided_words(act.session, target)}".strip(),
            code="NOT_UP", record=(target.record_type, target.id),
        )  # fmt: skip
    user = user_called(act.session, act.user_id or "")
    known = next((one for one in conflicts_on(act.session, target.id) if one.user_id == user.id), None)
    if known is not None:
        return known
    found = requirements_of(act.session, target.id, target.content_hash)
    if any(seat.vote is not None and seat.vote.voter_id == user.id for one in found for seat in one.seats):
        raise Conflict(
            f"Expected a conflict to be declared before the vote, but you voted on {target.number} already", code="ALREADY_VOTED",
            record=(target.record_type, target.id),
        )  # fmt: skip
    conflict = ConflictOfInterest(
        target_type=target.record_type, target_id=target.id, user_id=user.id, user=user, reason=reason.strip()[:4000], declared_at=act.now,
    )  # fmt: skip
    act.session.add(conflict)
    act.session.flush()
    act.note(target.record_type, target.id, "CONFLICT_DECLARED", field=user.id, reason=conflict.reason)
    for requirement in found:
        for seat in requirement.seats:
            if seat.user_id == user.id and seat.vote is None:
                give_up(act, target, seat, why=f"{user.name} declared a conflict of interest")
    settle_agenda(act, target)
    return conflict


def give_up(act: Act, target: Decidable, seat: BoardSeat, *, why: str) -> BoardSeat | None:
    """Let a function go on without a seat that fell vacant; where none is left, any holder of its role takes the place.

    The task that asked for it goes to them, or ends. Returns the seat that took its place, or None.
    """
    barred = _barred(act.session, target)
    requirement, instead = seat.requirement, None
    if all(is_vacant(one, barred) for one in requirement.seats):
        _seat(act, requirement, None)
        act.session.refresh(requirement, ["seats"])
        instead = standing_seat(seat, barred)
    hand_over(act, target, seat, to=instead, why=why)
    return instead


def originators_of(order: ChangeOrder) -> set[str]:
    """Return who wants the change: who opened the order, and who asked for it."""
    return {order.opened_by, *(link.change_request.originator for link in order.requests)}


def _order_of(target: Decidable) -> ChangeOrder:
    return target if isinstance(target, ChangeOrder) else target.change_order


def _sealed_hash(target: Decidable) -> str:
    if target.content_hash is None:
        raise Conflict(
            f"Expected {target.number} to be sealed, but it is still in writing", code="UNSEALED",
            record=(target.record_type, target.id),
        )  # fmt: skip
    return target.content_hash


def _barred(session: Session, target: Decidable) -> set[str]:
    return {conflict.user_id for conflict in conflicts_on(session, target.id)}


def _seat_members(act: Act, requirement: BoardRequirement, order: ChangeOrder, barred: set[str]) -> None:
    board = board_for(act.session, order.change_class.value)
    standing = board.members_at(act.now) if board is not None else []
    mine = [one for one in standing if one.function == requirement.function and one.user_id not in barred]
    for member in mine:
        _seat(act, requirement, member)
    if not mine:
        _seat(act, requirement, None)


def _seat(act: Act, requirement: BoardRequirement, member: Membership | None) -> None:
    position = len(requirement.seats) + 1
    seat = BoardSeat(
        requirement=requirement, requirement_id=requirement.id, position=position,
        role=member.role if member is not None else requirement.role, user_id=member.user_id if member is not None else None,
        deputy_id=member.deputy_id if member is not None else None, membership_id=member.id if member is not None else None,
        weight=member.weight if member is not None else requirement.needed,
        has_veto=requirement.has_veto or (member is not None and member.has_veto),
    )  # fmt: skip
    act.session.add(seat)
    act.session.flush()


def _open_slot(act: Act, requirement: BoardRequirement) -> None:
    slots = slots_of(act.session, requirement.target_type, requirement.target_id, requirement.target_hash)
    if not any(slot.stage == requirement.position for slot in slots):
        act.session.add(
            ApprovalSlot(
                record_type=requirement.target_type, record_id=requirement.target_id, record_hash=requirement.target_hash,
                stage=requirement.position, role=requirement.role, position=1, why=requirement.why,
            )
        )  # fmt: skip


def _fill_slot(act: Act, requirement: BoardRequirement, signature: Signature) -> None:
    for slot in slots_of(act.session, requirement.target_type, requirement.target_id, requirement.target_hash):
        if slot.stage == requirement.position and slot.signature_id is None:
            slot.signature_id, slot.signature = signature.id, signature
            break
    act.session.flush()


def _nearness(seat: BoardSeat, person: str) -> tuple[int, int, int]:
    """One's own seat first, then whom one stands in for, then what the role alone may take."""
    rank = 0 if seat.user_id == person else 1 if seat.deputy_id == person else 2
    return rank, seat.requirement.position, seat.position


def _may_take(act: Act, seat: BoardSeat) -> bool:
    """Whether the acting person sits there, as member or deputy, still on the board and still holding its role."""
    if seat.membership is not None and not seat.membership.is_valid(act.now):
        return False
    if seat.user_id is not None and act.user_id not in (seat.user_id, seat.deputy_id):
        return False
    return any(grant.role == seat.role for grant in grants_of(act.session, act.user_id or "", at=act.now))


def _no_seat(act: Act, target: Decidable, free: Sequence[BoardSeat]) -> str:
    own = next((seat for seat in free if act.user_id in (seat.user_id, seat.deputy_id)), None)
    if own is not None:
        return (
            f"Expected you to hold {own.role} while you vote for {own.requirement.function}, but you no longer do, or your place on "
            "the board ended"
        )
    who = ", ".join(dict.fromkeys(f"{seat.user_id or seat.role} for {seat.requirement.function}" for seat in free))
    return f"Expected {who or 'nobody else'} to vote on {target.number}, but you have no open seat"


def _stands_in_for(act: Act, seat: BoardSeat) -> str | None:
    return seat.user_id if seat.user_id is not None and seat.user_id != act.user_id else None


def _hold(act: Act, target: Decidable) -> None:
    """Let votes on one document come one after the other: its flow first, as whoever votes from the inbox does, then itself."""
    task = next(open_tasks(act.session, target), None)
    if task is not None:
        motion.lock(act, task.instance_id)
    act.session.refresh(target, with_for_update=True)


def _is_up(target: Decidable) -> bool:
    return target.status is (ChangeOrderStatus.REVIEW if isinstance(target, ChangeOrder) else AddendumStatus.PROPOSED)


def _refuse_decided(act: Act, target: Decidable) -> None:
    about = (target.record_type, target.id)
    faster = decided_words(act.session, target)
    if not _is_up(target):
        raise Conflict(
            f"Expected {target.number} to be up for decision, but it is {target.status}. {faster or 'It went back meanwhile'}.",
            code="NOT_UP", record=about,
        )  # fmt: skip
    if outcome(act.session, target) is not None:
        raise Conflict(
            f"Expected {target.number} to be open, but others were faster: {faster}.", code="DECIDED", record=about
        )


def _refuse_incomplete(ballot: Ballot) -> None:
    if ballot.verdict in NEEDS_TEXT and not ballot.text.strip():
        raise Invalid(f"Expected a reason for {ballot.verdict}, but there is none", {"text": "is required"})
    if (ballot.verdict is Verdict.APPROVE_WITH_CONDITION) != bool(ballot.condition.strip()):
        raise Invalid(
            "Expected a condition with an approval on condition, and with nothing else",
            {"condition": "is required" if not ballot.condition.strip() else "belongs to an approval with condition"},
        )


def _refuse_meaning(ballot: Ballot, signature: SignatureRequest) -> None:
    if signature.meaning != MEANINGS[ballot.verdict]:
        raise Invalid(
            f"Expected the meaning {MEANINGS[ballot.verdict]} for {ballot.verdict}, but it is {signature.meaning or 'missing'}",
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
        act, target, ballot, signature, seat=standing_seat(asked, _barred(act.session, target)), meeting_id=meeting_id
    )


__all__ = [
    "Ballot", "Decidable", "call_board", "decided_words", "declare_conflict", "give_up", "keep_task_vote", "keep_vote",
    "outcome", "roles_for", "seat_variables", "seats_for", "settle_agenda", "standings", "vote",
]  # fmt: skip
