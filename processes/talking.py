"""Talking about a document: a remark reaches whom it names, whom it answers and who follows the document."""

from __future__ import annotations

from typing import Any

from engine.act import Act
from engine.errors import Invalid, NotFound
from processes.notices import tell
from records import comment as remarks
from records.comment import Comment
from records.follower import follow, followers_of
from records.person import User
from rules.readers import may_read


def say(
    act: Act, about: tuple[str, str], text: str, *, number: str, reply_to: Comment | None = None, **more: Any
) -> Comment:
    """Say something about a document and tell those concerned. about: (type, id). number: what people call the document.

    Whoever says something, and whoever is named, follows the document from then on. more: as ``records.comment.comment``.
    Raises: Invalid also where somebody is named who may not read the document.
    """
    said = remarks.comment(act, about, text, reply_to=reply_to, **more)
    act.session.flush()
    author = act.session.get(User, act.user_id) if act.user_id else None
    name = author.name if author is not None else act.actor
    named = [one.user_id for one in said.mentions if one.user_id != act.user_id]
    _refuse_strangers(act, about, named, number)
    told = {act.user_id, *named}
    _tell(act, named, f"{name} mentioned you on {number}", said)
    if reply_to is not None and reply_to.author_id not in told:
        told.add(reply_to.author_id)
        _tell(act, [reply_to.author_id], f"{name} answered you on {number}", said)
    verb = "blocks" if said.is_blocking else "commented on"
    following = [one for one in followers_of(act.session, about) if one not in told]
    readers = [one for one in following if may_read(act.session, about, one, at=act.now)]
    _tell(act, readers, f"{name} {verb} {number}", said)
    for user_id in ([act.user_id] if act.user_id else []) + named:
        follow(act, about, user_id, why="commented" if user_id == act.user_id else "mentioned")
    return said


def answer(act: Act, comment_id: str, text: str, *, number: str) -> Comment:
    """Answer a remark in its thread. Raises: NotFound; as ``say``."""
    first = act.session.get(Comment, comment_id)
    if first is None:
        raise NotFound("Expected a comment to answer, but there is none with this id.")
    return say(act, (first.about_type, first.about_id), text, number=number, reply_to=first)


def _refuse_strangers(act: Act, about: tuple[str, str], named: list[str], number: str) -> None:
    """Refuse to name people to whom the document is sealed: they would be told what is said of it. Raises: Invalid."""
    strangers = [one for one in named if not may_read(act.session, about, one, at=act.now)]
    if strangers:
        raise Invalid(
            f"Expected people who may read {number} to be named, but it is sealed to {', '.join(strangers)}",
            {"comment": f"{number} is sealed to {', '.join(strangers)}"},
        )


def _tell(act: Act, people: list[str], subject: str, said: Comment) -> None:
    tell(act, people, subject[:200], key=f"comment:{said.id}", body=said.text, record=(said.about_type, said.about_id))
