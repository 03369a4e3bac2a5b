"""Leaving: everything that waits for a person, with a proposed target for each piece, handed over in the act that disables them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from engine import eligibility, tasks
from engine.act import Act
from engine.canonical import content_hash
from engine.clock import now_of
from engine.errors import Conflict, Forbidden, Invalid
from engine.stored.task import Task, TaskCandidate, TaskState
from processes.notices import tell, tell_role
from records.api_key import ApiKey
from records.board import Membership
from records.change_order import ChangeOrder, ChangeOrderStatus
from records.change_task import ChangeTask, TaskStatus
from records.directory import absent_deputy
from records.external import Discrepancy, DiscrepancyStatus
from records.invoice import HoldStatus, MatchHold
from records.nonconformance import Nonconformance, NonconformanceStatus
from records.person import Absence, Delegation, User, UserStatus, move
from records.purchase_order import OrderStatus, PurchaseOrder
from records.requisition import Requisition, RequisitionStatus
from records.roles import grants_of, holds, user_called
from records.sign_in import end_all
from rules.policy import table_called

OTHERS = "others"
"""A target: whoever else may take it, without naming one."""
END = "end"
"""A target: it ends with the person, and those concerned are told."""


class Duty(StrEnum):
    """What a piece of open work is."""

    CLAIMED = "CLAIMED"
    LENT = "LENT"
    NAMED = "NAMED"
    CANDIDATE = "CANDIDATE"
    SEAT = "SEAT"
    DEPUTY = "DEPUTY"
    DELEGATION = "DELEGATION"
    OWNER = "OWNER"
    DRAFT = "DRAFT"
    KEY = "KEY"


WORDS = {
    Duty.CLAIMED: "Claimed task", Duty.LENT: "Task lent", Duty.NAMED: "Task addressed by name", Duty.CANDIDATE: "Task of a role",
    Duty.SEAT: "Seat on a board", Duty.DEPUTY: "Deputy of somebody", Duty.DELEGATION: "Role lent", Duty.OWNER: "Owner",
    Duty.DRAFT: "Draft", Duty.KEY: "Key to the API",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that waits for somebody who leaves.

    key: names it in the form. why: in words whose it becomes as proposed. proposed: a user id, ``others``, ``end``, or empty where
    somebody must be chosen. takes: which of those it may become (``person`` stands for anybody). record: (type, id) it is about.
    """

    key: str
    duty: Duty
    title: str
    why: str
    proposed: str
    takes: tuple[str, ...]
    record: tuple[str, str] | None = None

    @property
    def words(self) -> str:
        """What it is."""
        return WORDS[self.duty]


@dataclass(frozen=True, slots=True)
class Owned:
    """A kind of record with an owner: those that still need one."""

    record: Any
    open: tuple[str, ...]
    words: str


OWNED = (
    Owned(
        ChangeOrder,
        tuple(
            one for one in ChangeOrderStatus
            if one not in (ChangeOrderStatus.CLOSED, ChangeOrderStatus.REJECTED, ChangeOrderStatus.WITHDRAWN)
        ),
        "Change order",
    ),
    Owned(ChangeTask, (TaskStatus.WAITING, TaskStatus.OPEN, TaskStatus.FAILED), "Task of a change order"),
    Owned(Discrepancy, (DiscrepancyStatus.OPEN,), "Discrepancy"),
    Owned(MatchHold, (HoldStatus.OPEN,), "Hold of an invoice"),
    Owned(Nonconformance, (NonconformanceStatus.OPEN, NonconformanceStatus.DISPOSED), "Nonconformance"),
)  # fmt: skip


def pieces_of(session: Session, user_id: str) -> list[Piece]:
    """Return everything that waits for a person, tasks first, each with a proposed target."""
    user, now = user_called(session, user_id), now_of(session)
    return [
        *_tasks(session, user, now), *_seats(session, user, now), *_deputies(session, user, now), *_lent(session, user, now),
        *_owned(session, user, now), *_drafts(session, user, now), *_keys(session, user, now),
    ]  # fmt: skip


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
    """Return why somebody may not have a task, or nothing."""
    kind, _, task_id = piece.key.partition(":")
    if kind != "task" or piece.duty is Duty.LENT:
        return ""
    found = eligibility.bars(session, tasks.find(session, task_id), heir, on_behalf_of=None, now=now_of(session))
    return " ".join(finding.sentence for finding in found)


def _hand_over(act: Act, user: User, piece: Piece, target: str, reason: str) -> None:
    kind, _, key = piece.key.partition(":")
    heir = None if target in (OTHERS, END) else target
    why = f"{user.name} left: {reason}"
    if kind == "task" and (piece.duty is not Duty.CANDIDATE or heir is not None):
        tasks.replace(act, key, user.id, heir, why)
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
    elif kind == "key":
        act.session.get_one(ApiKey, key).revoked_at = act.now
        act.note("user_account", user.id, "KEY_REVOKED", field=piece.title, reason=why)
    elif kind in _OWNERS and heir is not None:
        record, column, prefix = _OWNERS[kind]
        setattr(act.session.get_one(record, key), column, f"{prefix}{heir}")
    act.session.flush()


_OWNERS: dict[str, tuple[Any, str, str]] = {
    **{owned.record.__tablename__: (owned.record, "owner", "user:") for owned in OWNED},
    "requisition": (Requisition, "requester_id", ""),
    "purchase_order": (PurchaseOrder, "buyer_id", ""),
}
"""Kind of a key to its record, the column that names a person, and what stands before the name there."""


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


def _tasks(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    own = f"user:{user.id}"
    roles = [grant.principal for grant in grants_of(session, user.id, at=now)]
    shown = select(TaskCandidate.task_id).where(TaskCandidate.principal.in_([own, *roles]))
    wanted = select(Task).where(
        Task.state == TaskState.OPEN,
        or_(
            Task.assignee == user.id, Task.lent_by == user.id, Task.id.in_(shown),
            # Claimed by somebody else meanwhile, it still names the person, and may be given back to them.
            cast(Task.candidates, String).contains(f'"{own}"', autoescape=True),
        ),
    )  # fmt: skip
    for task in session.scalars(wanted.order_by(Task.created_at, Task.id)):
        yield _task_piece(session, task, user, now)


def _task_piece(session: Session, task: Task, user: User, now: dt.datetime) -> Piece:
    own, record = f"user:{user.id}", (task.record_type, task.record_id)
    people, _ = eligibility.eligible(session, task, task.candidates, now=now)
    others = [person for person in people if person.id != user.id]
    if task.lent_by is not None:
        duty = Duty.LENT
    elif task.assignee == user.id:
        duty = Duty.CLAIMED
    else:
        duty = Duty.NAMED if own in task.candidates else Duty.CANDIDATE
    heir = _heir(session, user, task, [person.id for person in others], now=now)
    if duty is Duty.LENT and task.assignee == user.id:
        proposed, why = OTHERS, f"It was lent by {_name(session, task.lent_by)} and goes back there"
    elif duty is Duty.CLAIMED and heir and heir[0] in [person.id for person in others]:
        proposed, why = heir
    elif others:
        proposed, why = OTHERS, f"{_named(others)} can take it"
    else:
        proposed, why = heir or ("", "Nobody else may take it: choose somebody")
    keeps = bool(others) or (duty is Duty.LENT and task.assignee == user.id)
    return Piece(
        f"task:{task.id}", duty, task.title, why, proposed, ("person", OTHERS) if keeps else ("person",),
        (str(record[0]), str(record[1])) if all(record) else None,
    )  # fmt: skip


def _heir(
    session: Session, user: User, task: Task, others: Sequence[str], *, now: dt.datetime
) -> tuple[str, str] | None:
    """Return who is proposed for a task, and why: the deputy, else a colleague of the same role, nobody whom a duty bars."""
    absence = absent_deputy(session, user.id, at=now, flow=task.flow)
    ranked = [(absence.deputy_id, "Deputy")] if absence is not None else []
    ranked += [(other, "Holds the same role") for other in others]
    directory = eligibility.directory_of(session)
    for grant in grants_of(session, user.id, at=now):
        ranked += [(person.id, f"Also {grant.role}") for person in directory.holders(session, grant.principal, at=now)]
    ranked += _above(session, user, now)
    for user_id, why in ranked:
        if user_id != user.id and not eligibility.bars(session, task, user_id, on_behalf_of=None, now=now):
            return user_id, why
    return None


def _seats(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    held = or_(Membership.user_id == user.id, Membership.deputy_id == user.id)
    for seat in session.scalars(select(Membership).where(held).order_by(Membership.id)):
        if not seat.is_valid(now) or not seat.board.is_active:
            continue
        is_deputy = seat.user_id != user.id
        meanwhile = f"{seat.deputy.name} votes meanwhile" if seat.deputy and not is_deputy else "nobody votes meanwhile"
        why = (
            "The member votes alone; its keeper is told"
            if is_deputy
            else f"Its keeper is told to appoint somebody; {meanwhile}"
        )
        yield Piece(f"seat:{seat.id}", Duty.SEAT, f"{seat.function} on {seat.board.name}", why, END, (END,))


def _deputies(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    wanted = select(Absence).where(Absence.deputy_id == user.id, Absence.ends_at > now, Absence.user_id != user.id)
    for absence in session.scalars(wanted.order_by(Absence.starts_at, Absence.id)):
        when = f"{absence.starts_at:%Y-%m-%d} to {absence.ends_at:%Y-%m-%d}"
        heir = _peer(session, user, absence.user_id, now)
        why = "Holds a role of theirs" if heir else "Nobody stands in then; they are told"
        yield Piece(
            f"absence:{absence.id}",
            Duty.DEPUTY,
            f"Stands in for {absence.user.name}, {when}",
            why,
            heir or END,
            ("person", END),
        )


def _peer(session: Session, user: User, absent: str, now: dt.datetime) -> str | None:
    directory = eligibility.directory_of(session)
    for grant in grants_of(session, absent, at=now):
        for person in directory.holders(session, grant.principal, at=now):
            if person.id not in (user.id, absent):
                return person.id
    return None


def _lent(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    mine = or_(Delegation.to_user_id == user.id, Delegation.from_user_id == user.id)
    wanted = select(Delegation).where(mine, Delegation.valid_to > now).order_by(Delegation.id)
    for lent in session.scalars(wanted):
        other = lent.from_user_id if lent.to_user_id == user.id else lent.to_user_id
        way = "from" if lent.to_user_id == user.id else "to"
        title = f"{lent.role} lent {way} {_name(session, other)}"
        yield Piece(f"delegation:{lent.id}", Duty.DELEGATION, title, "It ends, and the other side is told", END, (END,))


def _owned(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    heir, why = _successor(session, user, now)
    for owned in OWNED:
        record = owned.record
        mine = record.owner.in_([user.id, f"user:{user.id}"])
        for row in session.scalars(select(record).where(mine, record.status.in_(owned.open)).order_by(record.id)):
            title = f"{owned.words} {getattr(row, 'number', '')}".strip()
            yield Piece(
                f"{record.__tablename__}:{row.id}", Duty.OWNER, title, why, heir, ("person",), (row.record_type, row.id)
            )


def _drafts(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    heir, why = _successor(session, user, now)
    kinds: tuple[tuple[Any, Any, str, str], ...] = (
        (Requisition, Requisition.requester_id, RequisitionStatus.DRAFT, "Requisition"),
        (PurchaseOrder, PurchaseOrder.buyer_id, OrderStatus.DRAFT, "Purchase order"),
    )
    for record, column, draft, words in kinds:
        for row in session.scalars(select(record).where(column == user.id, record.status == draft).order_by(record.id)):
            yield Piece(
                f"{record.__tablename__}:{row.id}", Duty.DRAFT, f"{words} {row.number}", why, heir, ("person",),
                (row.record_type, row.id),
            )  # fmt: skip


def _keys(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    wanted = select(ApiKey).where(ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)
    for key in session.scalars(wanted):
        if key.is_alive(now):
            yield Piece(f"key:{key.id}", Duty.KEY, key.name, "It opens nothing any more", END, (END,))


def _successor(session: Session, user: User, now: dt.datetime) -> tuple[str, str]:
    absence = absent_deputy(session, user.id, at=now, flow="")
    if absence is not None:
        return absence.deputy_id, "Deputy"
    directory = eligibility.directory_of(session)
    for grant in grants_of(session, user.id, at=now):
        for person in directory.holders(session, grant.principal, at=now):
            if person.id != user.id:
                return person.id, f"Also {grant.role}"
    return next(iter(_above(session, user, now)), ("", "Nobody holds a role of theirs: choose somebody"))


def _above(session: Session, user: User, now: dt.datetime) -> list[tuple[str, str]]:
    """Return who is on the next level of each of a person's roles, as the table of escalations says, and why."""
    directory, found = eligibility.directory_of(session), []
    for grant in grants_of(session, user.id, at=now):
        above = str(table_called("escalation").judge(role=grant.role).row.outputs["next"])
        holders = directory.holders(session, f"role:{above}", at=now)
        found += [(person.id, f"Next level, {above}") for person in holders if person.id != user.id]
    return found


def _name(session: Session, user_id: str | None) -> str:
    return user_called(session, user_id).name if user_id else "nobody"


def _named(people: Sequence[Any]) -> str:
    names = [person.name for person in people]
    return " or ".join(names[:3]) + (f" or {len(names) - 3} more" if len(names) > 3 else "")
