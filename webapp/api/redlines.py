"""What changed on a document, line by line, with what the caller viewed of it; and what people say about it, or about one line."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound
from engine.redline import Difference, Kind
from processes import talking
from records import comment as remarks
from records import viewing
from records.comment import Comment
from records.document_tree import LAYOUTS
from records.follower import follow, followers_of, unfollow
from rules import redlines, reviewing
from rules.redlines import Since
from webapp import dossiers, redline
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Request, Truth, maybe, text, word
from webapp.visit import now, reading, visitor

ONE_TO_A_COMMENT = validate.Length(1, remarks.LONGEST, error="Expected {min} to {max} characters")


class DifferenceAnswer(Answer):
    """One difference. old, new: canonical texts without their unit; sentence: the same in words; path: of the field or row."""

    kind = word(Kind)
    path = fields.String()
    place = fields.String()
    label = fields.String()
    old = maybe()
    new = maybe()
    unit = fields.String()
    sentence = fields.String()
    is_clerical = fields.Boolean()
    why = fields.String()


class LineAnswer(Answer):
    """The differences of one line. hash: of what they say, null where there is nothing to view; is_viewed: by the caller, as it stands."""

    path = fields.String()
    place = fields.String()
    hash = maybe()
    is_viewed = fields.Boolean()
    differences = fields.List(fields.Nested(DifferenceAnswer))


class RedlineAnswer(Answer):
    """A redline. basis: what it is compared with, empty for nothing; to_view, viewed: lines that a review is about, and ticked."""

    record_type = fields.String()
    record_id = fields.String()
    number = fields.String()
    basis = fields.String()
    choices = fields.List(word(Since))
    count = fields.Integer()
    to_view = fields.Integer()
    viewed = fields.Integer()
    lines = fields.List(fields.Nested(LineAnswer))


class RedlineQuery(Request):
    """What it is compared with: the last submission, the last release, or the caller's own last look."""

    since = word(Since, load_default=Since.SUBMISSION.value)


class CommentAnswer(Answer):
    """A remark. path, place: the line that it is about, null for the whole document; is_blocking: it keeps an approval back now.

    reply_to_id: the remark that began its thread, null for one that did; mentions: the people it names with ``@``.
    """

    id = fields.UUID()
    reply_to_id = fields.UUID(allow_none=True)
    mentions = fields.List(fields.String())
    text = fields.String()
    path = maybe()
    place = maybe()
    author_id = fields.String()
    created_at = Instant()
    is_blocking = fields.Boolean()
    resolved_by = maybe()
    resolved_at = Instant(allow_none=True)
    resolution = maybe()


class CommentsAnswer(Answer):
    """The remarks on a document, oldest first."""

    items = fields.List(fields.Nested(CommentAnswer))
    next = maybe()


class CommentGiven(Request):
    """A remark. path: of a line of the redline, left out for the whole document; is_blocking: until it is resolved.

    reply_to: a remark of the same document, whose thread and line it joins. ``@login`` in the text tells that person.
    """

    reply_to = fields.UUID(load_default=None, allow_none=True)
    path = text(200, allow_none=True, load_default=None)
    text = fields.String(required=True, validate=ONE_TO_A_COMMENT)
    is_blocking = Truth(load_default=False)


class ResolutionGiven(Request):
    """Why it blocks no longer; may be left out."""

    text = text(remarks.LONGEST, load_default="")


class ViewedGiven(Request):
    """A tick on a line. hash: of what the redline said there; is_viewed: false takes the tick back."""

    path = text(200, required=True)
    hash = text(64, load_default="")
    is_viewed = Truth(load_default=True)


def _find(session: Session, kind: str, record_id: str) -> Any:
    layout = LAYOUTS.get(kind)
    if not is_id(record_id):
        record = None
    else:
        record = (
            session.get(layout.record, record_id) if layout is not None else dossiers.find(session, kind, record_id)
        )
    if record is None:
        raise NotFound("Expected a document of this kind with this id, but there is none.")
    return record


def _show(about: str, since: Since = Since.SUBMISSION) -> dict[str, Any]:
    session, me = reading(), visitor().user_id
    kind, _, record_id = about.partition("/")
    record = _find(session, kind, record_id)
    look = viewing.last_look(session, me, (kind, record.id), version=record.version, now=now())
    submitted = redlines.redline_of(session, record)
    progress = reviewing.progress_of(session, record, me, found=submitted)
    found = submitted if since is Since.SUBMISSION else redlines.redline_of(session, record, since, look=look)
    hashes = {item.path: item.hash for item in progress.items}
    told = {group.path for group in found.groups}
    return {
        "record_type": record.record_type, "record_id": record.id, "number": record.number, "basis": found.basis,
        "choices": redlines.choices(session, record, look), "count": found.count, "to_view": len(progress.items),
        "viewed": len(progress.viewed),
        "lines": [
            *(
                _line(group.path, group.place, hashes.get(group.path), progress.viewed, group.differences)
                for group in found.groups
            ),
            *(_line(one.path, one.place, one.hash, progress.viewed, ()) for one in progress.items if one.path not in told),
        ],
    }  # fmt: skip


def _line(path: str, place: str, digest: str | None, viewed: Any, differences: Any) -> dict[str, Any]:
    return {
        "path": path, "place": place, "hash": digest, "is_viewed": path in viewed,
        "differences": [_difference(one) for one in differences if one.is_counted],
    }  # fmt: skip


def _difference(one: Difference) -> dict[str, Any]:
    shown = redline.show(one, visitor().how)
    plain = {
        name: getattr(one, name) for name in ("kind", "place", "label", "old", "new", "unit", "is_clerical", "why")
    }
    return plain | {"path": one.key, "sentence": shown.sentence}


def _comment(said: Comment) -> dict[str, Any]:
    done = said.resolution
    return {name: getattr(said, name, None) for name in CommentAnswer().fields} | {
        "mentions": [one.user_id for one in said.mentions],
        "resolved_by": done.created_by.removeprefix("user:") if done is not None else None,
        "resolved_at": done.created_at if done is not None else None, "resolution": done.text if done is not None else None,
    }  # fmt: skip


def _show_comment(comment_id: str) -> dict[str, Any]:
    return _comment(reading().get_one(Comment, comment_id))


@reads(
    "/documents/<kind>/<record_id>/redline", scope="reviews:read", summary="Get what changed on a document", query=RedlineQuery,
    answer=RedlineAnswer,
)  # fmt: skip
def get_redline(kind: str, record_id: str, *, since: str) -> dict[str, Any]:
    """By line, with what the caller has viewed; a line that changed since has no tick. kind: `requisition`, `purchase_order` ..."""
    return _show(f"{kind}/{record_id}", Since(since))


@writes(
    "POST", "/documents/<kind>/<record_id>/viewed", scope="reviews:write", summary="Tick a line as viewed", body=ViewedGiven,
    answer=RedlineAnswer, render=_show, person=True,
)  # fmt: skip
def mark_viewed(act: Act, body: dict[str, Any], kind: str, record_id: str) -> str:
    """As it was read, for the caller alone. 409 STALE_VERSION when the line says another thing by now."""
    record = _find(act.session, kind, record_id)
    items = {item.path: item.hash for item in redlines.items_to_view(act.session, record)}
    if body["path"] not in items:
        raise Invalid("Expected a line that changed, but this one did not.", {"path": "is not to be viewed"})
    if not body["is_viewed"]:
        viewing.untick(act, record.record_type, record.id, body["path"])
    elif items[body["path"]] != body["hash"]:
        raise Conflict(
            "Expected the line as you read it, but it says another thing by now; read the redline again.", code="STALE_VERSION",
            record=(record.record_type, record.id),
        )  # fmt: skip
    else:
        viewing.tick(act, record.record_type, record.id, body["path"], content=body["hash"])
    return f"{kind}/{record_id}"


@reads(
    "/documents/<kind>/<record_id>/comments", scope="reviews:read", summary="List what was said about a document",
    answer=CommentsAnswer,
)  # fmt: skip
def list_comments(kind: str, record_id: str) -> dict[str, Any]:
    """Oldest first, with the line that each is about and whether it still blocks."""
    record = _find(reading(), kind, record_id)
    return {"items": [_comment(one) for one in remarks.comments_on(reading(), kind, record.id)], "next": None}


@writes(
    "POST", "/documents/<kind>/<record_id>/comments", scope="reviews:write", summary="Comment on a document or a line of it",
    body=CommentGiven, answer=CommentAnswer, render=_show_comment, status=201, person=True,
)  # fmt: skip
def add_comment(act: Act, body: dict[str, Any], kind: str, record_id: str) -> str:
    """A blocking one keeps every approval back until its author, or who the policy names, resolves it."""
    record = _find(act.session, kind, record_id)
    said = talking.say(
        act, (record.record_type, record.id), body["text"], number=record.number, path=body["path"], is_blocking=body["is_blocking"],
        reply_to=_answered(act.session, body["reply_to"]),
        place=_place(act.session, record, body["path"]) if body["path"] is not None else None,
    )  # fmt: skip
    act.session.flush()
    return said.id


def _answered(session: Session, comment_id: Any) -> Comment | None:
    if comment_id is None:
        return None
    found = session.get(Comment, str(comment_id))
    if found is None:
        raise Invalid("Expected a comment to answer, but there is none with this id.", {"reply_to": "is unknown"})
    return found


class FollowersAnswer(Answer):
    """Who is told of a document."""

    followers = fields.List(fields.String())
    is_following = fields.Boolean()


class FollowingGiven(Request):
    """Whether the caller is told of a document from now on."""

    is_following = Truth(load_default=True)


def _show_followers(about: str) -> dict[str, Any]:
    kind, _, record_id = about.partition("/")
    record = _find(reading(), kind, record_id)
    people = followers_of(reading(), (record.record_type, record.id))
    return {"followers": people, "is_following": visitor().user_id in people}


@reads(
    "/documents/<kind>/<record_id>/followers",
    scope="reviews:read",
    summary="List who follows a document",
    answer=FollowersAnswer,
)
def list_followers(kind: str, record_id: str) -> dict[str, Any]:
    """They are told of remarks and of every new state. Whoever comments or is named follows by that."""
    return _show_followers(f"{kind}/{record_id}")


@writes(
    "POST", "/documents/<kind>/<record_id>/following", scope="reviews:write", summary="Follow a document, or no longer",
    body=FollowingGiven, answer=FollowersAnswer, render=_show_followers, person=True,
)  # fmt: skip
def follow_document(act: Act, body: dict[str, Any], kind: str, record_id: str) -> str:
    """For the caller alone."""
    record = _find(act.session, kind, record_id)
    choose = follow if body["is_following"] else unfollow
    choose(act, (record.record_type, record.id), visitor().user_id)
    return f"{kind}/{record_id}"


def _place(session: Session, record: Any, path: str) -> str:
    known = {item.path: item.place for item in redlines.items_to_view(session, record)}
    known |= {group.path: group.place for group in redlines.redline_of(session, record).groups}
    if path not in known:
        raise Invalid(
            "Expected a remark on a line of the redline, but this is none.", {"path": "is no line that changed"}
        )
    return known[path]


@writes(
    "POST", "/comments/<record_id>/resolution", scope="reviews:write", summary="Resolve a blocking comment",
    body=ResolutionGiven, answer=CommentAnswer, render=_show_comment, person=True,
)  # fmt: skip
def resolve_comment(act: Act, body: dict[str, Any], record_id: str) -> str:
    """By its author, or who holds the role that the policy names. 409 NOT_BLOCKING, 403 NOT_YOUR_COMMENT."""
    said = act.session.get(Comment, record_id) if is_id(record_id) else None
    if said is None:
        raise NotFound("Expected a comment with this id, but there is none.")
    me = visitor().user_id
    leads = [me] if reviewing.may_resolve(act.session, said, me, at=act.now) else []
    remarks.resolve(act, said, body["text"], leads=leads)
    return said.id
