"""A board as tests have it: five functions, five people, and a change order that they decide about."""

from __future__ import annotations

from decimal import Decimal

from engine.act import Act
from engine.ports import SignatureRequest
from processes import board as voting
from processes import boards, change_orders
from records.board import Board
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.vote import Verdict, Vote
from tests.changes import revised
from tests.people import PASSWORD

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
