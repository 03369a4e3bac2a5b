"""Boards are kept by a role: who sits on them is appointed by a signature, and ends without being edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes.goods_signature import role_for, sign
from records.board import Board, Membership, boards_of, membership_hash
from records.calendar import MAIN, site_called
from records.change_request import OrderClass
from records.person import User
from records.roles import holds, meanings_of
from records.signature import Meaning

KEEPERS = ("QA_ENG", "ENG_AUTH")
"""Who may set up a board."""


def set_up(
    act: Act, *, code: str, name: str, chair: str, classes: tuple[str, ...] = ("C3", "C4", "CE"), keeper_role: str = "QA_ENG",
    quorum_percent: int = 50,
) -> Board:  # fmt: skip
    """Set up a board. Raises: Forbidden; Invalid naming the field; Conflict for a code that is taken."""
    role_for(act, KEEPERS, to="set up a board")
    problems = {field: "is required" for field, value in (("code", code), ("name", name)) if not value.strip()}
    if act.session.get(User, chair) is None:
        problems["chair"] = "is nobody"
    if not classes or set(classes) - set(OrderClass):
        problems["classes"] = f"Expected some of {', '.join(OrderClass)}"
    if not 1 <= quorum_percent <= 100:
        problems["quorum_percent"] = "Expected a share from 1 to 100"
    if problems:
        raise Invalid("Expected everything that a board needs, but something does not fit", problems)
    if any(board.code == code.strip() for board in boards_of(act.session)):
        raise Conflict(f"Expected a new code, but there is a board {code.strip()} already")
    site = site_called(act.session, MAIN)
    board = Board(
        code=code.strip(), name=name.strip(), site=site, site_id=site.id, classes=classes, chair_id=chair, keeper_role=keeper_role,
        quorum_percent=quorum_percent,
    )  # fmt: skip
    act.session.add(board)
    act.session.flush()
    return board


def appoint(act: Act, board: Board, request: SignatureRequest | None, given: Mapping[str, Any]) -> Membership:
    """Give somebody a place on a board, under the keeper's signature (APPROVED); it counts from now on.

    given: user, function, role, weight, has_veto, deputy. request: None only for the system, which sets up a plant.
    Raises: Forbidden for who does not keep the board, or appoints themselves; Invalid naming the field; Conflict for a place taken.
    """
    role = role_for(act, (board.keeper_role,), to=f"appoint members of {board.code}")
    _refuse_misfit(act, board, given)
    member = Membership(
        board=board, board_id=board.id, user_id=given["user"], function=given["function"], role=given["role"],
        weight=int(given.get("weight") or 1), has_veto=bool(given.get("has_veto")), deputy_id=given.get("deputy") or None,
        valid_from=act.now, content_hash="0" * 64,
    )  # fmt: skip
    member.content_hash = membership_hash(member)
    act.session.add(member)
    act.session.flush()
    if act.user_id is not None:
        if request is None:
            raise Forbidden(
                f"Expected a signature on the appointment to {board.code}, but there is none", code="UNSIGNED"
            )
        member.signature = sign(
            act, member, request, content_hash=member.content_hash, role=f"role:{role}", meanings=(Meaning.APPROVED,),
            reason=f"{member.user_id} sits on {board.code} for {member.function}",
        )  # fmt: skip
        member.signature_id = member.signature.id
    act.session.flush()
    return member


def dismiss(act: Act, member: Membership) -> Membership:
    """End a place on a board now; votes that were cast from it stand. Raises: Forbidden; Conflict when it ended already."""
    role_for(act, (member.board.keeper_role,), to=f"end a place on {member.board.code}")
    if member.valid_to is not None:
        raise Conflict(f"Expected a place that is taken, but {member.number} ended already")
    member.valid_to = act.now
    act.session.flush()
    return member


def _refuse_misfit(act: Act, board: Board, given: Mapping[str, Any]) -> None:
    missing = {name: "is required" for name in ("user", "function", "role") if not str(given.get(name) or "").strip()}
    if missing:
        raise Invalid("Expected who sits on the board for what, but something is missing", missing)
    user, deputy, role = str(given["user"]), given.get("deputy"), str(given["role"])
    if user == act.user_id:
        raise Forbidden(
            f"Expected somebody else to appoint you to {board.code}, but you keep it yourself", code="SOD_VIOLATION",
            record=(board.record_type, board.id), keep=True,
        )  # fmt: skip
    for field, person in (("user", user), ("deputy", deputy)):
        if person and not holds(act.session, person, role, at=act.now):
            raise Invalid(
                f"Expected somebody who holds {role}, but {person} does not", {field: f"does not hold {role}"}
            )
    if Meaning.APPROVED not in meanings_of(act.session, role):
        raise Invalid(f"Expected a role that may approve, but {role} may not", {"role": "signs no approval"})
    taken = [one for one in board.members_at(act.now) if (one.user_id, one.function) == (user, given["function"])]
    if taken or deputy == user:
        raise Conflict(f"Expected a free place, but {user} sits on {board.code} for {given['function']} already")
