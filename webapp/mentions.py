"""Remarks as they are shown: plain text, whatever was typed, with the people it names by their printed names."""

from __future__ import annotations

from flask import url_for
from markupsafe import Markup, escape
from sqlalchemy import select

from records.comment import MENTION, Comment
from records.person import User
from webapp import visit


def shown(said: Comment) -> Markup:
    """Return a remark as text with links on whom it names; everything else in it is escaped."""
    names = _names([one.user_id for one in said.mentions])
    text, parts, last = said.text, [], 0
    for found in MENTION.finditer(text):
        name = names.get(found[1].lower())
        if name is not None:
            link = Markup('<a class="mention" href="{}">@<bdi>{}</bdi></a>')
            parts += [
                escape(text[last : found.start()]),
                link.format(url_for("people.index", q=found[1].lower()), name),
            ]
            last = found.end()
    return Markup("").join([*parts, escape(text[last:])])


def _names(user_ids: list[str]) -> dict[str, str]:
    if not user_ids:
        return {}
    return dict(visit.reading().execute(select(User.id, User.name).where(User.id.in_(user_ids))).all())
