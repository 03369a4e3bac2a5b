"""The demo plant's change control board: who sits on it, for what, and when it meets next."""

from __future__ import annotations

import datetime as dt

from engine.act import Act, Installation
from processes import boards, meetings
from records.board import Board, boards_of
from records.meeting import Meeting

MEMBERS = (
    ("ella", "ENGINEERING", "ENG_AUTH"), ("quinn", "QUALITY", "QA_ENG"), ("olga", "MANUFACTURING", "OPS_DIR"),
    ("max", "PURCHASING", "PUR_MGR"), ("fred", "FINANCE", "FIN_CTRL"), ("cora", "CONTRACTS", "CONTRACTS"),
)  # fmt: skip
"""Person, function, and the role that they sign under."""


def seat_board(act: Act) -> Board:
    """Set up the board that decides about every class of change orders; olga leads it."""
    board = boards.set_up(act, None, {"code": "CCB", "name": "Change control board", "chair_id": "olga"})
    for user, function, role in MEMBERS:
        boards.appoint(act, board, None, {"user": user, "function": function, "role": role})
    return board


def convene(installation: Installation, *, today: dt.datetime) -> Meeting:
    """Plan the next meeting, on the next working morning, with what waits for the board on its agenda."""
    with installation.acting("user:olga") as act:
        (board,) = boards_of(act.session)
        day = today.astimezone(board.site.zone).replace(hour=9, minute=0, second=0, microsecond=0) + dt.timedelta(
            days=1
        )
        while day.weekday() > 4:  # Saturday or Sunday
            day += dt.timedelta(days=1)
        return meetings.plan_meeting(act, board, starts_at=day, place="Room 2")
