"""The demo plant's change control board: who sits on it, and for what."""

from __future__ import annotations

from engine.act import Act
from processes import boards
from records.board import Board

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
