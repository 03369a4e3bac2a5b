"""Say how a function of a board speaks, and end that again: each under the signature of whoever keeps the board."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import NotFound, Refused
from processes import board_rules, boards
from records.board import Board
from records.board_rule import BoardRule
from records.signature import Meaning
from records.vote import VoteRule
from webapp.pages.board_keeping import every_row, refuse_stranger, roles_that_approve
from webapp.pages.boards import find_board
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.visit import acting, read_anew, reading

pages = Blueprint("board_rules", __name__)

Page = str | tuple[str, int] | Answer

SPEAKS_BY = {VoteRule.ALL: "every member", VoteRule.N_OF: "so many of its members", VoteRule.WEIGHT: "so much weight"}


@pages.route("/boards/<record_id>/rules/new", methods=["GET", "POST"])
def set_rule(record_id: str) -> Page:
    """Show the form of a rule, ``function`` chosen; on POST let it begin, signed."""
    board = find_board(reading(), record_id)
    if request.method == "GET":
        refuse_stranger(reading(), (board.keeper_role,), f"say how {board.name} decides")
        return _form(board)
    form = request.form
    given = {name: form.get(name, "").strip() for name in ("function", "role", "rule", "needed")}
    try:
        with acting() as act:
            more = {"has_veto": form.get("has_veto") == "true", "classes": tuple(form.getlist("classes"))}
            board_rules.set_rule(
                act, find_board(act.session, record_id), read_signature(), given | more, reason=read_reason()
            )
    except Refused as refusal:
        return _form(find_board(read_anew(), record_id), refusal), status_of(refusal)
    flash("Signed. It counts for what is sent to the board from now on.", "good")
    return redirect(url_for("boards.show", record_id=record_id), 303)


@pages.route("/boards/<record_id>/rules/<rule_id>/end", methods=["GET", "POST"])
def end_rule(record_id: str, rule_id: str) -> Page:
    """Ask why a rule ends; on POST end it, signed."""
    rule = find_rule(reading(), record_id, rule_id)
    if request.method == "GET":
        refuse_stranger(reading(), (rule.board.keeper_role,), f"say how {rule.board.name} decides")
        return _end(rule)
    try:
        with acting() as act:
            board_rules.end_rule(
                act, find_rule(act.session, record_id, rule_id), read_signature(), reason=read_reason()
            )
    except Refused as refusal:
        return _end(find_rule(read_anew(), record_id, rule_id), refusal), status_of(refusal)
    flash("The rule ended; the table says again how the function speaks.", "good")
    return redirect(url_for("boards.show", record_id=record_id), 303)


def find_rule(session: Session, record_id: str, rule_id: str) -> BoardRule:
    """Return a rule of a board. Raises: NotFound."""
    found = session.get(BoardRule, rule_id) if is_id(rule_id) else None
    if found is None or found.board_id != record_id:
        raise NotFound("Expected a rule of this board, but there is none.")
    return found


def _form(board: Board, refusal: Refused | None = None) -> str:
    session, form = reading(), request.form
    chosen = request.args.get("function", "")
    row = next((one.outputs for one in every_row() if one.outputs["function"] == chosen), {})
    return render_template(
        "boards/rule.html", board=board, form=form, shown=form if request.method == "POST" else row or {"function": chosen},
        refusal=refusal, errors=errors_of(refusal), every_class=boards.EVERY_CLASS, roles=roles_that_approve(session),
        has_veto=form.get("has_veto") == "true" if request.method == "POST" else bool(row.get("has_veto")),
        functions=[str(one.outputs["function"]) for one in every_row()], speaks_by=[(one.value, words) for one, words in SPEAKS_BY.items()],
        **signing_values(session, Meaning.APPROVED),
    )  # fmt: skip


def _end(rule: BoardRule, refusal: Refused | None = None) -> str:
    return render_template(
        "boards/end_rule.html", board=rule.board, rule=rule, form=request.form, refusal=refusal, errors=errors_of(refusal),
        **signing_values(reading(), Meaning.APPROVED),
    )  # fmt: skip
