"""Saved views of the inbox: kept, changed, shared, copied, and adopted when their owner has left."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine.errors import Refused
from engine.inbox_order import MOST
from records import inbox_view
from records.inbox_view import InboxView
from records.person import User
from webapp import inbox_asked, wording
from webapp.refusals import status_of
from webapp.signing_form import errors_of
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("inbox_views", __name__)

Page = str | tuple[str, int] | Response
BOXES = tuple((key, words) for key, words, _ in inbox_asked.BOXES if key in inbox_view.BOXES)


@pages.get("/inbox/views")
def index() -> str:
    """List the views that the visitor may use."""
    me = visitor()
    views = inbox_view.views_of(reading(), me.user_id, me.roles)
    owners = {view.owner_id: reading().get_one(User, view.owner_id) for view in views}
    return render_template("inbox/views.html", views=views, owners=owners, share_words=_share_words)


@pages.route("/inbox/views/new", methods=["GET", "POST"])
def new() -> Page:
    """Keep the list that one looks at under a name."""
    if request.method != "POST":
        return _form(_given_by_address())
    try:
        with acting() as act:
            view = inbox_view.save_view(act, _typed())
    except Refused as refusal:
        return _form(_typed(), refusal=refusal), status_of(refusal)
    flash(f"Kept as “{view.name}”.", "good")
    return redirect(url_for("inbox.show", view=view.id), 303)


@pages.route("/inbox/views/<view_id>", methods=["GET", "POST"])
def show(view_id: str) -> Page:
    """Show a view; on POST change it, which is its owner's alone, or keep a copy."""
    view = inbox_view.find_view(reading(), view_id, visitor().user_id, visitor().roles)
    if request.method != "POST":
        return _form(_values_of(view), view=view)
    is_copy = request.form.get("way") == "copy"
    try:
        with acting() as act:
            if is_copy:
                kept = inbox_view.save_view(act, _typed())
            else:
                kept = inbox_view.change_view(act, act.session.get_one(InboxView, view.id), _typed())
    except Refused as refusal:
        again = inbox_view.find_view(read_anew(), view_id, visitor().user_id, visitor().roles)
        return _form(_typed(), view=again, refusal=refusal), status_of(refusal)
    flash(f"{'Copied' if is_copy else 'Kept'} as “{kept.name}”.", "good")
    return redirect(url_for("inbox.show", view=kept.id), 303)


@pages.post("/inbox/views/<view_id>/adopt")
def adopt(view_id: str) -> Response:
    """Take over the view of somebody who has left."""
    with acting() as act:
        found = inbox_view.find_view(act.session, view_id, visitor().user_id, visitor().roles)
        view = inbox_view.adopt_view(act, found)
    flash(f"“{view.name}” is yours now.", "good")
    return redirect(url_for("inbox.show", view=view.id), 303)


@pages.post("/inbox/views/<view_id>/delete")
def delete(view_id: str) -> Response:
    """Delete a view."""
    with acting() as act:
        view = inbox_view.find_view(act.session, view_id, visitor().user_id, visitor().roles)
        inbox_view.delete_view(act, view)
    flash(f"“{view.name}” is deleted.", "good")
    return redirect(url_for("inbox_views.index"), 303)


def _given_by_address() -> dict[str, Any]:
    """Return what a new view begins with: the list that the visitor came from."""
    try:
        asked = inbox_asked.read(reading())
    except Refused:
        asked = inbox_asked.nothing()
    box = asked.box if asked.box in inbox_view.BOXES else "groups"
    return {
        "name": "", "colour": inbox_view.COLOURS[1], "box": box, "query": asked.text, "sort": asked.sort, "grouping": asked.grouping,
        "columns": list(asked.columns), "shared_with": "",
    }  # fmt: skip


def _values_of(view: InboxView) -> dict[str, Any]:
    names = ("name", "colour", "box", "query", "sort", "grouping", "columns", "shared_with")
    return {name: getattr(view, name) for name in names}


def _typed() -> dict[str, Any]:
    form = request.form
    sort = ",".join(dict.fromkeys(one for one in (form.get("sort", ""), *form.getlist("then")) if one))
    return {
        "name": form.get("name", ""), "colour": form.get("colour", ""), "box": form.get("box", ""), "query": form.get("query", ""),
        "sort": sort, "grouping": form.get("grouping", ""), "columns": form.getlist("columns"),
        "shared_with": form.get("shared_with", ""),
    }  # fmt: skip


def _form(values: dict[str, Any], *, view: InboxView | None = None, refusal: Refused | None = None) -> str:
    owner = reading().get_one(User, view.owner_id) if view else None
    return render_template(
        "inbox/view.html", form=values, view=view, owner=owner, is_mine=view is None or view.owner_id == visitor().user_id,
        refusal=refusal, errors=errors_of(refusal), boxes=BOXES, colours=inbox_view.COLOURS, sorts=inbox_asked.SORTS,
        groupings=inbox_asked.GROUPINGS, columns=inbox_asked.COLUMNS, shares=_shares(), most=MOST, examples=EXAMPLES,
    )  # fmt: skip


def _shares() -> list[tuple[str, str]]:
    roles = sorted(visitor().roles)
    return [
        ("", "Nobody"),
        (inbox_view.EVERYBODY, "Everybody"),
        *((f"role:{one}", _share_words(f"role:{one}")) for one in roles),
    ]


def _share_words(share: str | None) -> str:
    if not share:
        return "Nobody"
    return "Everybody" if share == inbox_view.EVERYBODY else f"Everybody who is {wording.principal_words(share)}"


EXAMPLES = "key:REQ- flow:requisition supplier:acme project:atlas from:rita amount>5000 due<3d due:late"
