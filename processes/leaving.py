"""Leaving: everything that waits for a person, handed over to a target for each piece in the act that disables them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import assigning, eligibility, tasks
from engine.act import Act
from engine.canonical import content_hash
from engine.clock import now_of
from engine.errors import Conflict, Forbidden, Invalid
from engine.stored.help import TaskHelp
from engine.stored.task import Task
from processes import webhooks
from processes.findings import OVERSEERS
from processes.leaving_pieces import END, OTHERS, OWNED, Duty, Piece, pieces_of
from processes.notices import tell, tell_role
from processes.webhook_delivering import may_keep
from records.api_key import ApiKey
from records.board import Board, Membership
from records.impact import RowDisposition
from records.meeting import Meeting
from records.person import Absence, Delegation, User, UserStatus, move
from records.purchase_order import PurchaseOrder
from records.quotation import RequestForQuotation
from records.requisition import Requisition
from records.roles import holds, user_called
from records.sign_in import end_all

__all__ = ["END", "OTHERS", "Duty", "Piece", "heirs", "leave", "pieces_of", "seen_hash"]


def seen_hash(pieces: Sequence[Piece]) -> str:
    """Return the hash of what the wizard listed: what came up since is not handed over unseen."""
    return content_hash(sorted(piece.key for piece in pieces))


def heirs(session: Session, user_id: str) -> list[User]:
    """Return who could take something over: everybody else who may sign in, by name."""
    wanted = select(User).where(User.status != UserStatus.DISABLED, User.can_sign_in.is_(True), User.id != user_id)
    return list(session.scalars(wanted.order_by(User.name, User.id)))


def leave(act: Act, user_id: str, targets: Mapping[str, str], *, seen: str, reason: str) -> list[Piece]:
    """Disable a person and hand over every piece of their work in the same act; return the pieces.

    targets: piece key to its target (a user id, ``others`` or ``end``); what is not named goes as proposed. seen: ``seen_hash`` of
    what was shown. Raises: Forbidden to anybody but administrators and the console; Invalid with a sentence per piece; Conflict
    NEW_WORK when something came up since, SELF for oneself, LAST_ADMIN.
    """
    user = user_called(act.session, user_id)
    _refuse_who(act, user)
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "Say why the account ends"})
    pieces = pieces_of(act.session, user_id)
    if seen_hash(pieces) != seen:
        raise Conflict(
            f"Expected the work of {user.name} as you saw it, but it changed since; look at the list again",
            code="NEW_WORK",
        )
    chosen = _chosen(act.session, user, pieces, targets)
    move(act, user, UserStatus.DISABLED, reason=reason)
    act.session.flush()
    for piece in pieces:
        _hand_over(act, user, piece, chosen[piece.key], reason)
    end_all(act, user.id, why="the account was disabled")
    _tell_heirs(act, user, pieces, chosen)
    return pieces


def _refuse_who(act: Act, user: User) -> None:
    if act.user_id is not None and not holds(act.session, act.user_id, "ADMIN", at=act.now):
        raise Forbidden(
            f"Expected an administrator to disable {user.name}, but {act.user_id} is none", code="NOT_AUTHORISED"
        )
    if act.user_id == user.id:
        raise Conflict("Expected another administrator to disable you, but you asked yourself", code="SELF")
    if user.status is UserStatus.DISABLED:
        raise Conflict(
            f"Expected an account that is in use, but {user.name}'s is disabled already", code="ILLEGAL_TRANSITION"
        )
    directory = eligibility.directory_of(act.session)
    admins = {person.id for person in directory.holders(act.session, "role:ADMIN", at=act.now)}
    if user.id in admins and len(admins) == 1:
        raise Conflict(f"Expected another administrator to be left, but {user.name} is the only one", code="LAST_ADMIN")


def _chosen(session: Session, user: User, pieces: Sequence[Piece], targets: Mapping[str, str]) -> dict[str, str]:
    able = {heir.id for heir in heirs(session, user.id)}
    errors: dict[str, str] = {}
    chosen: dict[str, str] = {}
    for piece in pieces:
        target = targets.get(piece.key) or piece.proposed
        if target in able and "person" in piece.takes:
            barred = _bars(session, piece, target)
            if barred:
                errors[piece.key] = barred
        elif target not in piece.takes or target == "person":
            errors[piece.key] = (
                "Expected somebody who takes it over, but nobody is chosen" if not target
                else f"Expected one of those listed, but found {target:.40}"
            )  # fmt: skip
        chosen[piece.key] = target
    unknown = sorted(set(targets) - set(chosen))
    errors |= dict.fromkeys(unknown, "Expected a piece of their work, but this is none")
    if errors:
        first = next(iter(errors.values()))
        raise Invalid(
            f"Expected a target for each of the {len(pieces)} pieces; {len(errors)} need another: {first}", errors
        )
    return chosen


def _bars(session: Session, piece: Piece, heir: str) -> str:
    """Return why somebody may not have a task or a webhook, or nothing."""
    kind, _, task_id = piece.key.partition(":")
    if kind == "webhook" and not may_keep(session, heir, at=now_of(session)):
        return "Expected an integration owner or an administrator, who alone keep webhooks, but found somebody else"
    if kind != "task" or piece.duty is Duty.LENT:
        return ""
    found = eligibility.bars(session, tasks.find(session, task_id), heir, on_behalf_of=None, now=now_of(session))
    return " ".join(finding.sentence for finding in found)


def _hand_over(act: Act, user: User, piece: Piece, target: str, reason: str) -> None:
    kind, _, key = piece.key.partition(":")
    heir = None if target in (OTHERS, END) else target
    why = f"{user.name} left: {reason}"
    if kind == "task" and (piece.duty is not Duty.CANDIDATE or heir is not None):
        assigning.replace(act, key, user.id, heir, why)
    elif kind == "absence":
        _new_deputy(act, act.session.get_one(Absence, key), heir)
    elif kind == "delegation":
        lent = act.session.get_one(Delegation, key)
        lent.valid_to = max(act.now, lent.valid_from + dt.timedelta(microseconds=1))
        other = lent.from_user_id if lent.to_user_id == user.id else lent.to_user_id
        tell(act, [other], f"{user.name} left: the loan of {lent.role} has ended", key=f"left:{user.id}:{lent.id}")
    elif kind == "seat":
        board = act.session.get_one(Membership, key).board
        tell_role(
            act, board.keeper_role, f"{user.name} left the board {board.code}: appoint somebody", key=f"left:{user.id}:{key}",
            body=f"The seat for {piece.title} is empty. Open the board and appoint a successor under your signature.",
        )  # fmt: skip
    elif kind in _TOLD:
        _TOLD[kind](act, user, piece)
    elif kind == "key":
        act.session.get_one(ApiKey, key).revoked_at = act.now
        act.note("user_account", user.id, "KEY_REVOKED", field=piece.title, reason=why)
    elif kind == "webhook" and heir is not None:
        webhooks.give_to(act, webhooks.find(act.session, key), heir, reason=why)
    elif kind in _OWNERS and heir is not None:
        record, column, prefix = _OWNERS[kind]
        setattr(act.session.get_one(record, key), column, f"{prefix}{heir}")
    act.session.flush()


_OWNERS: dict[str, tuple[Any, str, str]] = {
    **{owned.record.__tablename__: (owned.record, "owner", "user:") for owned in OWNED},
    "requisition": (Requisition, "requester_id", ""),
    "purchase_order": (PurchaseOrder, "buyer_id", ""),
    "row_disposition": (RowDisposition, "owner", "user:"),
    "request_for_quotation": (RequestForQuotation, "buyer_id", ""),
}
"""Kind of a key to its record, the column that names a person, and what stands before the name there."""


def _tell_buyers(act: Act, user: User, piece: Piece) -> None:
    tell_role(
        act,
        "BUYER",
        f"{user.name} left, who bought {piece.title}"[:200],
        key=f"left:{user.id}:orders",
        body=piece.title,
    )


def _tell_overseers(act: Act, user: User, piece: Piece) -> None:
    for role in sorted(OVERSEERS):
        subject = f"{user.name} left: a finding of theirs waits for an answer"
        tell_role(act, role, subject, key=f"left:{user.id}:{piece.key}", body=piece.title, record=piece.record)


def _tell_keeper(act: Act, user: User, piece: Piece) -> None:
    kind, _, key = piece.key.partition(":")
    board = act.session.get_one(Board, key) if kind == "board" else act.session.get_one(Meeting, key).board
    body = f"{piece.title} has no chair. Name another one of {board.name} under your signature, and plan its meetings anew."
    subject = f"{user.name} left, who led {piece.title}"
    tell_role(act, board.keeper_role, subject[:200], key=f"left:{user.id}:{key}", body=body, record=piece.record)


def _tell_asker(act: Act, user: User, piece: Piece) -> None:
    asked = act.session.get_one(TaskHelp, piece.key.partition(":")[2])
    task = act.session.get_one(Task, asked.task_id)
    subject = f"{user.name} left without an answer to you on {task.title}: ask somebody else"
    tell(
        act,
        [asked.asked_by],
        subject[:200],
        key=f"left:{user.id}:{asked.id}",
        body=asked.question,
        record=("task", task.id),
    )


_TOLD: Mapping[str, Callable[[Act, User, Piece], None]] = {
    "orders": _tell_buyers, "finding": _tell_overseers, "board": _tell_keeper, "board_meeting": _tell_keeper, "help": _tell_asker,
}  # fmt: skip
"""Kind of a key of what nobody is named for, to who tells whom."""


def _new_deputy(act: Act, absence: Absence, heir: str | None) -> None:
    if heir is not None and heir != absence.user_id:
        absence.deputy_id = heir
    else:
        absence.ends_at = max(act.now, absence.starts_at + dt.timedelta(microseconds=1))
    words = f"{heir} stands in for you" if heir else "nobody stands in for you"
    tell(
        act, [absence.user_id], f"{absence.deputy.name} left: {words}", key=f"left:{absence.id}:{act.id}",
        body="Plan your absence anew on your profile if you want somebody else.",
    )  # fmt: skip


def _tell_heirs(act: Act, user: User, pieces: Sequence[Piece], chosen: Mapping[str, str]) -> None:
    for heir in dict.fromkeys(chosen.values()):
        mine = [piece.title for piece in pieces if chosen[piece.key] == heir]
        if heir in (OTHERS, END) or not mine:
            continue
        body = "\n".join(f"- {title}" for title in mine)
        subject = f"You took over {len(mine)} {'piece' if len(mine) == 1 else 'pieces'} of work from {user.name}"
        tell(act, [heir], subject, key=f"left:{user.id}:{act.id}", body=body[:4000])
