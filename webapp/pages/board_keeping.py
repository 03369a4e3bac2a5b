"""Set up a board, change its settings, appoint and end its members: each under the signature of whoever keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Conflict, Forbidden, NotFound, Refused
from processes import boards
from records.board import Board, Membership
from records.person import Role, User, UserStatus
from records.roles import holds
from records.signature import Meaning
from rules.policy import Row, table_called
from webapp import wording
from webapp.pages.boards import find_board
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_signature, signing_values
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("board_keeping", __name__)

Page = str | tuple[str, int] | Answer


@pages.route("/boards/new", methods=["GET", "POST"])
def set_up() -> Page:
    """Show the form of a new board; on POST set it up, signed."""
    if request.method == "GET":
        refuse_stranger(reading(), boards.KEEPERS, "set up a board")
        return _settings(None)
    try:
        with acting() as act:
            made = boards.set_up(act, read_signature(), _given() | {"code": request.form.get("code", "")}).id
    except Refused as refusal:
        read_anew()
        return _settings(None, refusal), status_of(refusal)
    flash("Set up and signed. Now appoint its members.", "good")
    return redirect(url_for("boards.show", record_id=made), 303)


@pages.route("/boards/<record_id>/settings", methods=["GET", "POST"])
def settings(record_id: str) -> Page:
    """Show the settings of a board; on POST change them, signed."""
    board = find_board(reading(), record_id)
    if request.method == "GET":
        refuse_stranger(reading(), (board.keeper_role,), f"change {board.name}")
        return _settings(board)
    try:
        with acting() as act:
            board = find_board(act.session, record_id)
            if request.form.get("seen_version") != str(board.version):
                raise Conflict(
                    f"Expected the settings of {board.code} as you saw them, but somebody changed them since; read them again",
                    code="STALE_VERSION", record=(board.record_type, board.id),
                )  # fmt: skip
            reason = request.form.get("reason", "")
            boards.change(act, board, read_signature(), _given() | {"is_active": _ticked("is_active")}, reason=reason)
    except Refused as refusal:
        return _settings(find_board(read_anew(), record_id), refusal), status_of(refusal)
    flash("Changed and signed.", "good")
    return redirect(url_for("boards.show", record_id=record_id), 303)


@pages.route("/boards/<record_id>/members/new", methods=["GET", "POST"])
def appoint(record_id: str) -> Page:
    """Show the form of an appointment; on POST appoint somebody, signed."""
    board = find_board(reading(), record_id)
    if request.method == "GET":
        refuse_stranger(reading(), (board.keeper_role,), f"appoint members of {board.name}")
        return _appointment(board)
    given = {name: request.form.get(name, "").strip() for name in ("user", "function", "role", "weight", "deputy")}
    given["function"] = given["function"].upper().replace(" ", "_")[:40]
    try:
        with acting() as act:
            board = find_board(act.session, record_id)
            boards.appoint(act, board, read_signature(), given | {"has_veto": _ticked("has_veto")})
    except Refused as refusal:
        return _appointment(find_board(read_anew(), record_id), refusal), status_of(refusal)
    flash("Appointed and signed.", "good")
    return redirect(url_for("boards.show", record_id=record_id), 303)


@pages.route("/boards/<record_id>/members/<member_id>/end", methods=["GET", "POST"])
def end_place(record_id: str, member_id: str) -> Page:
    """Ask why a place ends; on POST end it, signed."""
    member = find_place(reading(), record_id, member_id)
    if request.method == "GET":
        refuse_stranger(reading(), (member.board.keeper_role,), f"end a place on {member.board.name}")
        return _end(member)
    try:
        with acting() as act:
            place = find_place(act.session, record_id, member_id)
            boards.dismiss(act, place, read_signature(), reason=request.form.get("reason", ""))
    except Refused as refusal:
        return _end(find_place(read_anew(), record_id, member_id), refusal), status_of(refusal)
    flash("The place ended; open seats went to the function's other members or to the holders of its role.", "good")
    return redirect(url_for("boards.show", record_id=record_id), 303)


def _given() -> dict[str, Any]:
    form = request.form
    plain = {name: form.get(name, "").strip() for name in ("name", "chair_id", "keeper_role", "quorum_percent")}
    return plain | {"classes": tuple(form.getlist("classes"))}


def _ticked(name: str) -> bool:
    return request.form.get(name) == "true"


def find_place(session: Session, record_id: str, member_id: str) -> Membership:
    """Return a place on a board. Raises: NotFound."""
    member = session.get(Membership, member_id) if is_id(member_id) else None
    if member is None or member.board_id != record_id:
        raise NotFound("Expected a place on this board, but there is none.")
    return member


def refuse_stranger(session: Session, roles: tuple[str, ...], to: str) -> None:
    """Refuse a page to who holds none of these roles. to: what the page is for, as it reads after "to". Raises: Forbidden."""
    if not any(holds(session, visitor().user_id, role, at=now()) for role in roles):
        wanted = " or ".join(wording.principal_words(f"role:{role}") for role in roles)
        raise Forbidden(f"Expected somebody with the role {wanted} to {to}.", code="NOT_AUTHORISED")


def _settings(board: Board | None, refusal: Refused | None = None) -> str:
    session, form = reading(), request.form
    shown: Any = form if request.method == "POST" else board
    chosen = form.getlist("classes") if request.method == "POST" else board.classes if board else boards.EVERY_CLASS
    return render_template(
        "boards/settings.html", board=board, shown=shown, chosen=chosen, every_class=boards.EVERY_CLASS, form=form, refusal=refusal,
        errors=errors_of(refusal), people=_people(session), roles=roles_that_approve(session),
        is_active=_ticked("is_active") if request.method == "POST" else board is None or board.is_active,
        **signing_values(session, Meaning.APPROVED),
    )  # fmt: skip


def _appointment(board: Board, refusal: Refused | None = None) -> str:
    session = reading()
    return render_template(
        "boards/appoint.html", board=board, form=request.form, refusal=refusal, errors=errors_of(refusal), people=_people(session),
        roles=roles_that_approve(session), functions=[str(row.outputs["function"]) for row in every_row()],
        **signing_values(session, Meaning.APPROVED),
    )  # fmt: skip


def _end(member: Membership, refusal: Refused | None = None) -> str:
    return render_template(
        "boards/end.html", board=member.board, member=member, form=request.form, refusal=refusal, errors=errors_of(refusal),
        **signing_values(reading(), Meaning.APPROVED),
    )  # fmt: skip


def _people(session: Session) -> list[tuple[str, str]]:
    wanted = select(User).where(User.status == UserStatus.ACTIVE, User.can_sign_in).order_by(User.name, User.id)
    return [(user.id, f"{user.name} ({user.id})") for user in session.scalars(wanted)]


def roles_that_approve(session: Session) -> list[tuple[str, str]]:
    """Return the roles that may approve, those of the table of votes among them, which need no description of their own."""
    described = {role.code: role for role in session.scalars(select(Role).order_by(Role.code))}
    asked = {str(row.outputs["role"]) for row in every_row()} - described.keys()
    named = [(code, f"{role.name} ({code})") for code, role in described.items() if Meaning.APPROVED in role.meanings]
    return sorted([*named, *((code, code) for code in asked)])


def every_row() -> Sequence[Row]:
    """Return the rows of the table of votes, for the largest change there is."""
    return table_called("board_votes").judge(subject="ORDER", change_class="C4", cost=10**12, is_notifiable=True).rows
