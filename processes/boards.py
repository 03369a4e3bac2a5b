"""Boards are kept by a role: settings, appointments and ends of places each have their signature, and nothing is edited unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import is_whole
from engine.database import new_id
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes import board as voting
from processes.goods_signature import role_for, sign
from records.board import Board, Membership, boards_of, end_hash, membership_hash, settings_hash
from records.calendar import MAIN, site_called
from records.change_order import AddendumStatus, ChangeOrder, ChangeOrderAddendum, ChangeOrderStatus
from records.change_request import OrderClass
from records.person import RoleGrant, User
from records.roles import holds, meanings_of, role_name, user_called
from records.signature import Meaning
from records.signing import supersede
from records.vote import BoardSeat
from rules.board_seats import function_words

KEEPERS = ("QA_ENG", "ENG_AUTH")
"""Who may set up a board."""

SETTINGS = ("name", "chair_id", "classes", "keeper_role", "quorum_percent", "is_active")
EVERY_CLASS = tuple(one.value for one in OrderClass)


def set_up(act: Act, request: SignatureRequest | None, given: Mapping[str, Any]) -> Board:
    """Set up a board under the keeper's signature (APPROVED).

    given: code, name, chair_id, classes, keeper_role, quorum_percent. request: None only for the system, which sets up a plant.
    Raises: Forbidden; Invalid naming the field; Conflict for a code that is taken.
    """
    role = role_for(act, KEEPERS, to="set up a board")
    settings = {"classes": EVERY_CLASS, "keeper_role": KEEPERS[0], "quorum_percent": 50, "is_active": True, **given}
    _refuse_unfit(act, settings)
    settings["code"] = str(settings["code"]).strip()
    if any(board.code == settings["code"] for board in boards_of(act.session)):
        raise Conflict(f"Expected a new code, but there is a board called {settings['code']} already")
    site, board_id = site_called(act.session, MAIN), new_id()
    board = Board(
        id=board_id, site=site, site_id=site.id, content_hash=settings_hash(board_id, settings), **_clean(settings)
    )
    act.session.add(board)
    act.session.flush()
    if act.user_id is not None:
        board.signature = sign(
            act, board, _wanted(request, f"the settings of {board.name}"), content_hash=board.content_hash or "",
            role=f"role:{role}", meanings=(Meaning.APPROVED,), reason=f"{board.name} is set up",
        )  # fmt: skip
        board.signature_id = board.signature.id
    act.session.flush()
    return board


def change(act: Act, board: Board, request: SignatureRequest | None, given: Mapping[str, Any], *, reason: str) -> Board:
    """Change the settings of a board under a signature of whoever keeps it. given: any of the settings; the rest stays.

    What is up for decision keeps the seats that it was sent with. Raises: as ``set_up``; Invalid without a reason, or when nothing
    would change; Conflict STALE_VERSION for settings that somebody else changed since they were seen.
    """
    role = role_for(act, (board.keeper_role,), to=f"change {board.name}")
    settings = {"code": board.code, **{name: getattr(board, name) for name in SETTINGS}, **given}
    _refuse_unfit(act, settings)
    clean = _clean(settings)
    if all(getattr(board, name) == clean[name] for name in SETTINGS):
        raise Invalid("Expected another setting, but everything is as it was", {"name": "Change a setting, or leave"})
    if not reason.strip():
        raise Invalid("Expected why the board changes, but there is no reason", {"reason": "is required"})
    hashed = settings_hash(board.id, settings)
    signed = sign(
        act, board, _wanted(request, f"the settings of {board.name}"), content_hash=hashed, role=f"role:{role}",
        meanings=(Meaning.APPROVED,), reason=reason.strip()[:4000],
    )  # fmt: skip
    act.reason = reason.strip()[:4000]
    for name in SETTINGS:
        setattr(board, name, clean[name])
    board.content_hash, board.signature_id, board.signature = hashed, signed.id, signed
    act.session.flush()
    supersede(act, board.record_type, board.id, but_hash=hashed)
    return board


def appoint(act: Act, board: Board, request: SignatureRequest | None, given: Mapping[str, Any]) -> Membership:
    """Give somebody a place on a board, under the keeper's signature (APPROVED); it counts for what is sent to the board from now on.

    given: user, function, role, weight, has_veto, deputy. request: None only for the system, which sets up a plant.
    Raises: Forbidden for who does not keep the board, or appoints themselves; Invalid naming the field; Conflict for a place taken.
    """
    role = role_for(act, (board.keeper_role,), to=f"appoint members of {board.name}")
    _refuse_misfit(act, board, given)
    member = Membership(
        board=board, board_id=board.id, user_id=given["user"], function=given["function"], role=given["role"],
        weight=int(given.get("weight") or 1), has_veto=bool(given.get("has_veto")), deputy_id=given.get("deputy") or None,
        valid_from=act.now, content_hash="",
    )  # fmt: skip
    member.content_hash = membership_hash(member)
    act.session.add(member)
    act.session.flush()
    if act.user_id is not None:
        member.signature = sign(
            act, member, _wanted(request, f"the appointment to {board.name}"), content_hash=member.content_hash,
            role=f"role:{role}", meanings=(Meaning.APPROVED,),
            reason=f"{user_called(act.session, member.user_id).name} sits on {board.name} for {function_words(member.function)}",
        )  # fmt: skip
        member.signature_id = member.signature.id
    act.session.flush()
    return member


def dismiss(act: Act, member: Membership, request: SignatureRequest | None, *, reason: str) -> Membership:
    """End a place on a board now, under a signature; votes that were cast from it stand, open ones pass on as ``give_up`` says.

    Raises: Forbidden; Invalid without a reason; Conflict when it ended already.
    """
    board = member.board
    role = role_for(act, (board.keeper_role,), to=f"end a place on {board.name}")
    if member.valid_to is not None:
        raise Conflict(f"Expected a place that is taken, but {member.number} ended already", record=_about(board))
    if not reason.strip():
        raise Invalid("Expected why the place ends, but there is no reason", {"reason": "is required"})
    signed = sign(
        act, member, _wanted(request, f"the end of a place on {board.name}"), content_hash=end_hash(member, act.now),
        role=f"role:{role}", meanings=(Meaning.APPROVED,), reason=reason.strip()[:4000],
    )  # fmt: skip
    act.reason = reason.strip()[:4000]
    member.valid_to, member.end_signature_id, member.end_signature = act.now, signed.id, signed
    act.session.flush()
    for seat in act.session.scalars(select(BoardSeat).where(BoardSeat.membership_id == member.id)).all():
        target = _up_for_decision(act, seat)
        if target is not None and seat.vote is None:
            voting.give_up(act, target, seat, why=f"{member.user.name} left the board")
            voting.settle_agenda(act, target)
    return member


def _up_for_decision(act: Act, seat: BoardSeat) -> voting.Decidable | None:
    said = seat.requirement
    target: voting.Decidable | None = act.session.get(ChangeOrder, said.target_id)
    target = target or act.session.get(ChangeOrderAddendum, said.target_id)
    if target is None or target.content_hash != said.target_hash:
        return None
    return target if target.status in (ChangeOrderStatus.REVIEW, AddendumStatus.PROPOSED) else None


def _wanted(request: SignatureRequest | None, on: str) -> SignatureRequest:
    if request is None:
        raise Forbidden(f"Expected a signature on {on}, but there is none", code="UNSIGNED")
    return request


def _clean(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": settings["code"], "name": str(settings["name"]).strip(), "chair_id": settings["chair_id"],
        "classes": tuple(sorted(settings["classes"])), "keeper_role": settings["keeper_role"],
        "quorum_percent": int(settings["quorum_percent"]), "is_active": bool(settings["is_active"]),
    }  # fmt: skip


def _refuse_unfit(act: Act, settings: Mapping[str, Any]) -> None:
    problems = {
        field: "is required" for field in ("code", "name", "chair_id") if not str(settings.get(field) or "").strip()
    }
    if len(str(settings.get("code") or "")) > 40:
        problems["code"] = "Expected at most 40 characters"
    if "chair_id" not in problems and act.session.get(User, settings["chair_id"]) is None:
        problems["chair_id"] = "is nobody"
    if not settings["classes"] or set(settings["classes"]) - set(EVERY_CLASS):
        problems["classes"] = f"Expected some of {', '.join(EVERY_CLASS)}"
    if not is_whole(str(settings["quorum_percent"])) or not 1 <= int(settings["quorum_percent"]) <= 100:
        problems["quorum_percent"] = "Expected a share from 1 to 100"
    keeper = str(settings["keeper_role"])
    is_held = act.session.scalar(select(RoleGrant.id).where(RoleGrant.role == keeper).limit(1)) is not None
    if not is_held or Meaning.APPROVED not in meanings_of(act.session, keeper):
        problems["keeper_role"] = "Expected a role that may approve and that somebody holds"
    if problems:
        raise Invalid("Expected everything that a board needs, but something does not fit", problems)


def _refuse_misfit(act: Act, board: Board, given: Mapping[str, Any]) -> None:
    missing = {name: "is required" for name in ("user", "function", "role") if not str(given.get(name) or "").strip()}
    if missing:
        raise Invalid("Expected who sits on the board for what, but something is missing", missing)
    user, deputy, role = str(given["user"]), given.get("deputy"), str(given["role"])
    if not is_whole(str(given.get("weight") or 1)) or not 1 <= int(given.get("weight") or 1) <= 1000:
        raise Invalid("Expected a weight from 1 to 1000, but it is another", {"weight": "Expected 1 to 1000"})
    if user == act.user_id:
        raise Forbidden(
            f"Expected somebody else to appoint you to {board.name}, but you keep it yourself", code="SOD_VIOLATION",
            record=_about(board), keep=True,
        )  # fmt: skip
    for field, person in (("user", user), ("deputy", deputy)):
        if person and not holds(act.session, person, role, at=act.now):
            name = role_name(act.session, role)
            raise Invalid(
                f"Expected somebody who holds the role {name}, but {_name(act, str(person))} does not",
                {field: f"does not hold the role {name}"},
            )
    if Meaning.APPROVED not in meanings_of(act.session, role):
        raise Invalid(
            f"Expected a role that may approve, but {role_name(act.session, role)} may not",
            {"role": "signs no approval"},
        )
    if deputy == user:
        raise Invalid("Expected another person as deputy, but it is the member", {"deputy": "is the member"})
    if any((one.user_id, one.function) == (user, given["function"]) for one in board.members_at(act.now)):
        raise Conflict(
            f"Expected a free place, but {_name(act, user)} sits on {board.name} for {function_words(given['function'])} already"
        )


def _name(act: Act, user_id: str) -> str:
    user = act.session.get(User, user_id)
    return user.name if user is not None else user_id


def _about(board: Board) -> tuple[str, str]:
    return board.record_type, board.id
