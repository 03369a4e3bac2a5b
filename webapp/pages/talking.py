"""Talking on any document: answer in a thread, follow or not, and the names that ``@`` suggests."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, request
from sqlalchemy import case, func, or_, select
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import NotFound
from processes import talking
from records import comment as remarks
from records.follower import follow, unfollow
from records.person import User, UserStatus
from webapp import dossiers, listing
from webapp.beside_list import keep_list
from webapp.pages.account import own_path
from webapp.visit import acting, reading, visitor

pages = Blueprint("talking", __name__)

MOST_NAMES = 8


@pages.post("/comments/<comment_id>/answers")
def answer(comment_id: str) -> Answer:
    """Answer a remark in its thread."""
    first = reading().get(remarks.Comment, comment_id) if is_id(comment_id) else None
    if first is None:
        raise NotFound("Expected a comment at this address, but there is none.")
    number = number_of(first.about_type, first.about_id)
    with acting() as act:
        talking.answer(act, comment_id, request.form.get("comment", ""), number=number)
    return _back()


@pages.post("/documents/<kind>/<record_id>/following")
def choose(kind: str, record_id: str) -> Answer:
    """Follow a document, or follow it no longer."""
    record = dossiers.find(reading(), kind, record_id) if is_id(record_id) else None
    if record is None:
        raise NotFound("Expected a document at this address, but there is none.")
    about = (record.record_type, record.id)
    with acting() as act:
        if request.form.get("way") == "unfollow":
            unfollow(act, about, visitor().user_id)
            said = f"You are told nothing more of {record.number}, unless you are named."
        else:
            follow(act, about, visitor().user_id)
            said = f"You are told what happens to {record.number}."
    flash(said, "good")
    return _back()


@pages.get("/people/names")
def names() -> Response:
    """Suggest whom a text that is being typed may name."""
    query = request.args.get("q", "").strip()[:60]
    wanted = select(User.id, User.name, User.title).where(
        User.status != UserStatus.DISABLED, User.can_sign_in.is_(True)
    )
    if query:
        wanted = wanted.where(or_(listing.contains(query, User.id, User.name)))
    begins = func.lower(User.id).startswith(query.lower(), autoescape=True)  # who types the user name means that person
    rows = reading().execute(wanted.order_by(case((begins, 0), else_=1), User.name).limit(MOST_NAMES))
    return jsonify(
        items=[{"value": row.id, "label": f"{row.name}, {row.title}" if row.title else row.name} for row in rows]
    )


def number_of(kind: str, record_id: str) -> str:
    """Return what people call a document; a task's remark is called by its kind."""
    record: Any = dossiers.find(reading(), kind, record_id)
    return str(record.number) if record is not None else kind


def _back() -> Answer:
    return redirect(keep_list(own_path(request.form.get("back_to", ""))), 303)
