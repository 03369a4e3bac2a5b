"""What waits for a person who leaves: each piece with a proposed target, tasks first, so that nothing is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from engine import eligibility
from engine.clock import now_of
from engine.stored.help import HelpKind, TaskHelp
from engine.stored.task import Task, TaskCandidate, TaskState
from processes.webhook_delivering import KEEPERS as WEBHOOK_KEEPERS
from records.api_key import ApiKey
from records.board import Board, Membership
from records.change_order import OVER, ChangeOrder, ChangeOrderStatus
from records.change_task import ChangeTask, TaskStatus
from records.directory import absent_deputy
from records.external import Discrepancy, DiscrepancyStatus
from records.impact import RowDisposition, RowStatus
from records.inbox_view import InboxView
from records.invoice import HoldStatus, MatchHold
from records.meeting import Meeting, MeetingStatus
from records.nonconformance import Nonconformance, NonconformanceStatus
from records.person import Absence, Delegation, User
from records.purchase_order import OrderStatus, PurchaseOrder
from records.quotation import RequestForQuotation, RequestStatus
from records.requisition import Requisition, RequisitionStatus
from records.roles import grants_of, role_name, user_called
from records.webhook import Webhook, WebhookState
from rules.finding import KeptFinding
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
    ORDER = "ORDER"
    FINDING = "FINDING"
    CHAIR = "CHAIR"
    QUESTION = "QUESTION"
    VIEW = "VIEW"
    WEBHOOK = "WEBHOOK"


WORDS = {
    Duty.CLAIMED: "Claimed task", Duty.LENT: "Task lent", Duty.NAMED: "Task addressed by name", Duty.CANDIDATE: "Task of a role",
    Duty.SEAT: "Seat on a board", Duty.DEPUTY: "Deputy of somebody", Duty.DELEGATION: "Role lent", Duty.OWNER: "Owner",
    Duty.DRAFT: "Draft", Duty.KEY: "Key to the API", Duty.ORDER: "Orders under way", Duty.FINDING: "Finding to answer",
    Duty.CHAIR: "Chair", Duty.QUESTION: "Question", Duty.VIEW: "Shared view", Duty.WEBHOOK: "Webhook",
}  # fmt: skip


NAMED_ORDERS = 6
"""Orders that a piece names before it counts them only."""


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
        *_owned(session, user, now), *_dispositions(session, user, now), *_requests(session, user, now), *_orders(session, user),
        *_findings(session, user), *_chairs(session, user), *_questions(session, user), *_drafts(session, user, now),
        *_views(session, user), *_webhooks(session, user, now), *_keys(session, user, now),
    ]  # fmt: skip


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


def _dispositions(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    """Yield what is to become of pieces that a change touches, while the change goes on and it is not done."""
    heir, why = _successor(session, user, now)
    wanted = select(RowDisposition).join(ChangeOrder, RowDisposition.change_order_id == ChangeOrder.id)
    mine = wanted.where(
        RowDisposition.owner.in_([user.id, f"user:{user.id}"]), RowDisposition.status != RowStatus.DONE, ChangeOrder.status.not_in(OVER)
    )  # fmt: skip
    for row in session.scalars(mine.order_by(RowDisposition.id)):
        order = row.change_order
        yield Piece(
            f"row_disposition:{row.id}", Duty.OWNER, f"Disposition {row.number} of {order.number}", why, heir, ("person",),
            (order.record_type, order.id),
        )  # fmt: skip


def _requests(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    going = (RequestStatus.DRAFT, RequestStatus.OPEN, RequestStatus.COMPARING)
    mine = select(RequestForQuotation).where(
        RequestForQuotation.buyer_id == user.id, RequestForQuotation.status.in_(going)
    )
    buyers = eligibility.directory_of(session).holders(session, "role:BUYER", at=now)
    heir = next((one.id for one in buyers if one.id != user.id), None)
    for row in session.scalars(mine.order_by(RequestForQuotation.id)):
        why, proposed = ("Also BUYER", heir) if heir else _successor(session, user, now)[::-1]
        yield Piece(
            f"request_for_quotation:{row.id}", Duty.OWNER, f"Request for quotation {row.number}", why, proposed, ("person",),
            (row.record_type, row.id),
        )  # fmt: skip


def _orders(session: Session, user: User) -> Iterator[Piece]:
    """Yield one piece for the orders that they bought and that go on: the buyer of an approved order stays as it was signed."""
    over = (OrderStatus.DRAFT, OrderStatus.CLOSED, OrderStatus.CANCELLED, OrderStatus.REJECTED)
    mine = select(PurchaseOrder).where(PurchaseOrder.buyer_id == user.id, PurchaseOrder.status.not_in(over))
    numbers = [order.number for order in session.scalars(mine.order_by(PurchaseOrder.id))]
    if numbers:
        named = ", ".join(numbers[:NAMED_ORDERS]) + (" …" if len(numbers) > NAMED_ORDERS else "")
        title = f"{len(numbers)} purchase {'order' if len(numbers) == 1 else 'orders'}: {named}"
        why = f"Everybody who is {role_name(session, 'BUYER')} goes on with them and is told; who bought stays as it was signed"
        yield Piece(f"orders:{user.id}", Duty.ORDER, title, why, OTHERS, (OTHERS,))


def _findings(session: Session, user: User) -> Iterator[Piece]:
    mine = select(KeptFinding).where(
        KeptFinding.owner == f"user:{user.id}", KeptFinding.acknowledged_at.is_(None), KeptFinding.settled_at.is_(None)
    )
    for row in session.scalars(mine.order_by(KeptFinding.at, KeptFinding.id)):
        yield Piece(
            f"finding:{row.id}", Duty.FINDING, f"{row.rule}: {row.sentence}"[:200], "Who oversees the rules may answer it, and is told",
            OTHERS, (OTHERS,), (row.record_type, row.record_id),
        )  # fmt: skip


def _chairs(session: Session, user: User) -> Iterator[Piece]:
    """Yield the boards that they lead and the meetings that they are to lead: another chair is named under a signature."""
    boards = select(Board).where(Board.chair_id == user.id, Board.is_active.is_(True)).order_by(Board.code)
    for board in session.scalars(boards):
        why = f"Whoever is {role_name(session, board.keeper_role)} is told to name another one"
        yield Piece(f"board:{board.id}", Duty.CHAIR, board.name, why, END, (END,), (board.record_type, board.id))
    ahead = (MeetingStatus.PLANNED, MeetingStatus.OPEN, MeetingStatus.CLOSED)
    for meeting in session.scalars(select(Meeting).where(Meeting.chair_id == user.id, Meeting.status.in_(ahead))):
        why = f"Whoever is {role_name(session, meeting.board.keeper_role)} is told to plan it anew"
        yield Piece(
            f"board_meeting:{meeting.id}", Duty.CHAIR, f"{meeting.number} of {meeting.board.name}", why, END, (END,),
            (meeting.record_type, meeting.id),
        )  # fmt: skip


def _questions(session: Session, user: User) -> Iterator[Piece]:
    """Yield the questions that wait for their answer; a loan is told with its task."""
    waits = select(TaskHelp).join(Task, TaskHelp.task_id == Task.id)
    mine = waits.where(
        TaskHelp.asked == user.id, TaskHelp.kind == HelpKind.QUESTION, TaskHelp.answered_at.is_(None), TaskHelp.taken_back.is_(False),
        Task.state == TaskState.OPEN,
    )  # fmt: skip
    for help_ in session.scalars(mine.order_by(TaskHelp.asked_at, TaskHelp.id)):
        why = f"{_name(session, help_.asked_by)} is told to ask somebody else"
        yield Piece(f"help:{help_.id}", Duty.QUESTION, help_.question[:200], why, END, (END,))


def _views(session: Session, user: User) -> Iterator[Piece]:
    shared = select(InboxView).where(InboxView.owner_id == user.id, InboxView.shared_with.is_not(None))
    for view in session.scalars(shared.order_by(InboxView.name, InboxView.id)):
        yield Piece(
            f"view:{view.id}",
            Duty.VIEW,
            view.name,
            "It stays for whom it is shared with; any of them may take it over",
            OTHERS,
            (OTHERS,),
        )


def _webhooks(session: Session, user: User, now: dt.datetime) -> Iterator[Piece]:
    keepers = {
        person.id: role
        for role in sorted(WEBHOOK_KEEPERS, reverse=True)
        for person in eligibility.directory_of(session).holders(session, f"role:{role}", at=now)
        if person.id != user.id
    }
    heir, role = next(iter(sorted(keepers.items(), key=lambda one: one[1], reverse=True)), ("", ""))
    mine = select(Webhook).where(Webhook.owner == f"user:{user.id}", Webhook.state != WebhookState.ENDED)
    for row in session.scalars(mine.order_by(Webhook.id)):
        why = f"Also {role}" if heir else "Nobody keeps webhooks: choose somebody"
        yield Piece(f"webhook:{row.id}", Duty.WEBHOOK, row.name, why, heir, ("person",))


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
