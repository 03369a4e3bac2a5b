"""A board as tests have it: five functions, five people, and a change order that they decide about."""

from __future__ import annotations

from decimal import Decimal

from engine.act import Act
from engine.ports import SignatureRequest
from processes import board as voting
from processes import boards, change_orders, meetings
from records.board import Board
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.meeting import ItemStatus, Meeting
from records.vote import Outcome, Verdict, Vote
from tests.changes import revised
from tests.people import PASSWORD
from tests.story import Story

SEATS = (
    ("ella", "ENGINEERING", "ENG_AUTH"), ("quinn", "QUALITY", "QA_ENG"), ("olga", "MANUFACTURING", "OPS_DIR"),
    ("max", "PURCHASING", "PUR_MGR"), ("fred", "FINANCE", "FIN_CTRL"),
)  # fmt: skip


def seated(act: Act, *seats: tuple[str, str, str], **fields: object) -> Board:
    """Set up a board by the system, chaired by olga. seats: person, function, role."""
    board = boards.set_up(act, None, {"code": "CCB", "name": "Change control board", "chair_id": "olga"})
    for user, function, role in seats or SEATS:
        boards.appoint(act, board, None, {"user": user, "function": function, "role": role, **fields})
    return board


def in_review(
    act: Act, change_class: OrderClass = OrderClass.C4, *, cost: str = "12000", part_no: str = "P-900"
) -> ChangeOrder:
    """Return a change order that its board was called for."""
    order, _, _ = revised(act, change_class=change_class, part_no=part_no)
    return submitted(act, order, cost=cost)


def submitted(act: Act, order: ChangeOrder, *, cost: str = "12000") -> ChangeOrder:
    """Send a change order to its board, once more if it was there already."""
    if order.status is not ChangeOrderStatus.IMPACT:
        if order.status is ChangeOrderStatus.DRAFT:
            change_orders.take_baseline(act, order)
        move(act, order, ChangeOrderStatus.IMPACT)
    change_orders.send_to_review(act, order)
    voting.call_board(act, order, cost=Decimal(cost))
    return order


def ask(verdict: Verdict | str, user: str) -> SignatureRequest:
    """Return the signature that a vote needs."""
    return SignatureRequest(voting.MEANINGS[Verdict(verdict)], PASSWORD, user_id=user, accepts_responsibility=True)


def cast(act: Act, order: ChangeOrder, verdict: str, *, text: str = "", condition: str = "") -> Vote:
    """Vote as whoever acts, on the content as it is."""
    ballot = voting.Ballot(Verdict(verdict), order.content_hash or "", text, condition)
    return voting.vote(act, order, ballot, ask(verdict, act.user_id or ""))


def convened(story: Story, *people: str) -> str:
    """Open a meeting with everything that waits, and let people join it; return its id."""
    with story.installation.acting("user:olga") as act:
        (board,) = boards.boards_of(act.session)
        held = meetings.open_meeting(act, meetings.plan_meeting(act, board, starts_at=act.now))
    for person in people:
        with story.installation.acting(f"user:{person}") as act:
            meetings.attend(act, act.session.get_one(Meeting, held.id))
    return held.id


def cast_there(story: Story, person: str, meeting_id: str, number: str, verdict: str, **said: str) -> None:
    """Let somebody vote on an item in its meeting."""
    with story.installation.acting(f"user:{person}") as act:
        (item,) = (one for one in act.session.get_one(Meeting, meeting_id).agenda if one.number == number)
        target = meetings.target_of(act.session, item)
        ballot = voting.Ballot(Verdict(verdict), target.content_hash or "", **said)
        meetings.vote_in(act, item, ballot, ask(verdict, person))


def vote_there(story: Story, person: str, meeting_id: str, number: str, verdict: str = "approve", **said: str) -> None:
    """Let somebody vote on an item in its meeting, and what follows happen."""
    cast_there(story, person, meeting_id, number, verdict, **said)
    story.settle()


def agenda(story: Story, meeting_id: str) -> dict[str, tuple[ItemStatus, Outcome | None]]:
    return story.read(
        lambda session: {one.number: (one.status, one.outcome) for one in session.get_one(Meeting, meeting_id).agenda}
    )
