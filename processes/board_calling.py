"""Call a board for one content: which functions must agree, by which rule each speaks, whose seats those are, and what they sign."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict
from processes import impact
from processes.board_tasks import Decidable
from records.approval import ApprovalSlot, slots_of
from records.board import Board, Membership, board_for
from records.board_rule import BoardRule, rules_at
from records.change_order import ChangeOrder
from records.signature import Signature
from records.vote import BoardRequirement, BoardSeat, VoteRule, conflicts_on, requirements_of
from rules.board_seats import principals_of
from rules.board_votes import is_vacant
from rules.policy import Judgement, table_called


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
    order, hashed = order_of(target), sealed_hash(target)
    if requirements_of(act.session, target.id, hashed):
        return seats_for(act.session, target)
    board = board_for(act.session, order.change_class.value)
    barred = barred_from(act.session, target)
    for position, asked in enumerate(_functions(act, target, board, cost=cost), start=1):
        requirement = BoardRequirement(
            target_type=target.record_type, target_id=target.id, target_hash=hashed, position=position, **asked
        )
        act.session.add(requirement)
        act.session.flush()
        _seat_members(act, requirement, board, barred)
        _open_slot(act, requirement)
    act.session.flush()
    return seats_for(act.session, target)


def seats_for(session: Session, target: Decidable) -> list[BoardSeat]:
    """Return every seat on the present content, by function and position; none before the board was called."""
    found = requirements_of(session, target.id, target.content_hash)
    return [seat for requirement in found for seat in requirement.seats]


def seat_variables(session: Session, target: Decidable) -> list[dict[str, Any]]:
    """Return the seats as a flow asks them, one task each, without those of people with a conflict of interest."""
    barred = barred_from(session, target)
    return [
        {
            "stage": Decimal(requirement.position), "position": Decimal(seat.position), "function": requirement.function,
            "role": seat.role, "why": requirement.why, "seat": seat.id, "excludes": sorted(barred),
            "groups": [one.removeprefix("role:") for one in principals_of(seat) if one.startswith("role:")],
            "users": [one.removeprefix("user:") for one in principals_of(seat) if one.startswith("user:")],
        }
        for requirement in requirements_of(session, target.id, target.content_hash)
        for seat in requirement.seats
        if not is_vacant(seat, barred)
    ]  # fmt: skip


def seat_for_the_role(act: Act, requirement: BoardRequirement) -> None:
    """Give a function one more seat, which any holder of its role takes."""
    _seat(act, requirement, None)
    act.session.refresh(requirement, ["seats"])


def fill_slot(act: Act, requirement: BoardRequirement, signature: Signature) -> None:
    """Let the first approval of a function stand for it among the document's signatures."""
    for slot in slots_of(act.session, requirement.target_type, requirement.target_id, requirement.target_hash):
        if slot.stage == requirement.position and slot.signature_id is None:
            slot.signature_id, slot.signature = signature.id, signature
            break
    act.session.flush()


def order_of(target: Decidable) -> ChangeOrder:
    """Return the change order that a document is or belongs to."""
    return target if isinstance(target, ChangeOrder) else target.change_order


def sealed_hash(target: Decidable) -> str:
    """Return the hash of the content that is voted on. Raises: Conflict UNSEALED."""
    if target.content_hash is None:
        raise Conflict(
            f"Expected {target.number} to be sealed, but it is still in writing", code="UNSEALED",
            record=(target.record_type, target.id),
        )  # fmt: skip
    return target.content_hash


def barred_from(session: Session, target: Decidable) -> set[str]:
    """Return who declared a conflict of interest about a document."""
    return {conflict.user_id for conflict in conflicts_on(session, target.id)}


def _functions(act: Act, target: Decidable, board: Board | None, *, cost: Decimal | None) -> list[dict[str, Any]]:
    """Return what is written down of each function: as the table says, or as the board's own rules say how it speaks.

    The table says who must be asked; the board says how they speak, and may ask others beside them about an order of its classes.
    """
    order = order_of(target)
    judged = judged_for(
        act.session, order, "ORDER" if isinstance(target, ChangeOrder) else target.kind.value, cost=cost
    )
    own = rules_at(act.session, board, act.now)
    asked = [
        _spoken(own[name], row.words)
        if (name := str(row.outputs["function"])) in own
        else {
            "function": name, "role": row.outputs["role"], "rule": VoteRule(row.outputs["rule"]), "needed": int(row.outputs["needed"]),
            "has_veto": bool(row.outputs["has_veto"]), "why": row.words, "judged_by": judged.hash,
        }
        for row in judged.rows
    ]  # fmt: skip
    known = {str(each["function"]) for each in asked}
    beside = [one for one in own.values() if one.function not in known and order.change_class.value in one.classes]
    if not isinstance(target, ChangeOrder):
        return asked
    return [*asked, *(_spoken(one, f"{one.board.name} asks it about every change of this class.") for one in beside)]


def _spoken(own: BoardRule, why: str) -> dict[str, Any]:
    return {
        "function": own.function, "role": own.role, "rule": own.rule, "needed": own.needed, "has_veto": own.has_veto, "why": why,
        "judged_by": own.content_hash,
    }  # fmt: skip


def _seat_members(act: Act, requirement: BoardRequirement, board: Board | None, barred: set[str]) -> None:
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
