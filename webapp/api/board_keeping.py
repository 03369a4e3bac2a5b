"""Keep boards: set one up, change its settings, appoint and end members, say how functions speak; each signed by its keeper."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine.act import Act
from processes import board_rules
from processes import boards as keeping
from records.change_request import OrderClass
from records.vote import VoteRule
from webapp.api import bodies
from webapp.api.boards import BoardAnswer, get_board
from webapp.api.endpoints import writes
from webapp.api.shapes import Request, Truth, Whole, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages import boards as pages
from webapp.pages.board_keeping import find_place
from webapp.pages.board_rules import find_rule


class Signed(Request):
    """What a keeper signs. reason: why; the signature is bound to what the request says."""

    reason = text(4000, load_default="")
    signature = fields.Nested(SignatureGiven, required=True)


class BoardGiven(Signed):
    """A new board. classes: of the change orders it decides about; quorum_percent: of those without a conflict of interest."""

    code = text(40, required=True)
    name = text(200, required=True)
    chair_id = text(60, required=True)
    keeper_role = text(40, load_default="QA_ENG")
    quorum_percent = Whole(load_default=50)
    classes = fields.List(word(OrderClass), required=True)


class BoardSettings(Signed):
    """The settings of a board; what is left out stays."""

    name = text(200)
    chair_id = text(60)
    keeper_role = text(40)
    quorum_percent = Whole()
    classes = fields.List(word(OrderClass))
    is_active = Truth()


class MemberGiven(Signed):
    """A place on a board. weight: where the function decides by weight; deputy: holds the same role."""

    user = text(60, required=True)
    function = text(40, required=True)
    role = text(40, required=True)
    weight = Whole(load_default=1)
    has_veto = Truth(load_default=False)
    deputy = text(60, load_default="")


class BoardRuleGiven(Signed):
    """How a function speaks. classes: of change orders that ask it though the table does not; needed: approvals or weight."""

    function = text(40, required=True)
    role = text(40, required=True)
    rule = word(VoteRule, required=True)
    needed = Whole(load_default=1)
    has_veto = Truth(load_default=False)
    classes = fields.List(word(OrderClass), load_default=list)


def _tag_of(board: dict[str, Any]) -> str:
    return str(board["version"])


@writes(
    "POST", "/boards", scope="changes:write", summary="Set up a board", body=BoardGiven, answer=BoardAnswer, render=get_board,
    etag=_tag_of, status=201, person=True,
)  # fmt: skip
def set_up_board(act: Act, body: dict[str, Any]) -> str:
    """As quality or engineering; appoint its members afterwards."""
    signed = signature_given(body.pop("signature"))
    body.pop("reason")
    return keeping.set_up(act, signed, body | {"classes": tuple(body["classes"])}).id


@writes(
    "PATCH", "/boards/<record_id>", scope="changes:write", summary="Change the settings of a board", body=BoardSettings,
    answer=BoardAnswer, render=get_board, etag=_tag_of, match=True, person=True,
)  # fmt: skip
def change_board(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As who keeps it; what is up for decision keeps the seats that it was sent with."""
    board = pages.find_board(act.session, record_id)
    bodies.seen_tag(str(board.version))
    signed, reason = signature_given(body.pop("signature")), body.pop("reason")
    given = body | ({"classes": tuple(body["classes"])} if "classes" in body else {})
    return keeping.change(act, board, signed, given, reason=reason).id


@writes(
    "POST", "/boards/<record_id>/members", scope="changes:write", summary="Appoint a member of a board", body=MemberGiven,
    answer=BoardAnswer, render=get_board, etag=_tag_of, status=201, person=True,
)  # fmt: skip
def appoint_member(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As who keeps it, never for oneself. It is never edited: it ends, and another begins."""
    board = pages.find_board(act.session, record_id)
    return keeping.appoint(act, board, signature_given(body["signature"]), body).board_id


@writes(
    "POST", "/boards/<record_id>/members/<member_id>/end", scope="changes:write", summary="End a place on a board", body=Signed,
    answer=BoardAnswer, render=get_board, etag=_tag_of, person=True,
)  # fmt: skip
def end_membership(act: Act, body: dict[str, Any], record_id: str, member_id: str) -> str:
    """As who keeps it, with a reason; votes that were cast from it stand."""
    place = find_place(act.session, record_id, member_id)
    return keeping.dismiss(act, place, signature_given(body["signature"]), reason=body["reason"]).board_id


@writes(
    "POST", "/boards/<record_id>/rules", scope="changes:write", summary="Say how a function of a board speaks", body=BoardRuleGiven,
    answer=BoardAnswer, render=get_board, etag=_tag_of, status=201, person=True,
)  # fmt: skip
def set_board_rule(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As who keeps it, with a reason; a rule of the function that counts until now ends with the same signature's press."""
    board, signed, reason = (
        pages.find_board(act.session, record_id),
        signature_given(body.pop("signature")),
        body.pop("reason"),
    )
    return board_rules.set_rule(act, board, signed, body, reason=reason).board_id


@writes(
    "POST", "/boards/<record_id>/rules/<rule_id>/end", scope="changes:write", summary="End a board's own rule", body=Signed,
    answer=BoardAnswer, render=get_board, etag=_tag_of, person=True,
)  # fmt: skip
def end_board_rule(act: Act, body: dict[str, Any], record_id: str, rule_id: str) -> str:
    """As who keeps it, with a reason; the table of votes says again how the function speaks."""
    rule = find_rule(act.session, record_id, rule_id)
    return board_rules.end_rule(act, rule, signature_given(body["signature"]), reason=body["reason"]).board_id
