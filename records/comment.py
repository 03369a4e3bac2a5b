"""Comments: what people say about a document or one line of it, beside its decisions; one may block until it is resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, new_id
from engine.errors import Conflict, Forbidden, Invalid
from engine.record import Record
from records.columns import Code, Login, Name, Text
from records.person import User

LONGEST = 4000
MOST_MENTIONS = 12
"""People that one remark may name; more of them is an announcement, and belongs elsewhere."""
MENTION = re.compile(r"(?<![\w@.-])@([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)", re.IGNORECASE)
"""``@`` and a login name, not in the middle of a word or an address."""


class Comment(Record, Base):
    """One remark. Never changed, never deleted; who wrote it and when is its bookkeeping.

    about_type, about_id: the document. path: of the line or field it is about, as ``engine.redline`` spells it, or None for the
    whole; place: the same in words, as they were then. line_no: the same for remarks made before there were paths.
    reply_to_id: the remark that began the thread, or None for one that begins its own.
    blocks_since: since when it keeps the document from being approved, until it is resolved; None for a remark that does not.
    """

    __tablename__ = "comment"
    __table_args__ = (
        CheckConstraint("length(text) > 0", name="says_something"),
        Index("ix_comment_about", "about_type", "about_id"),
        Index("ix_comment_reply_to_id", "reply_to_id"),
    )

    about_type: Mapped[Code]
    about_id: Mapped[Login]
    line_no: Mapped[int | None]
    text: Mapped[Text]
    path: Mapped[Name | None]
    place: Mapped[Name | None]
    blocks_since: Mapped[Instant | None]
    reply_to_id: Mapped[Id | None] = mapped_column(ForeignKey("comment.id"))

    resolution: Mapped[CommentResolution | None] = relationship(back_populates="comment")
    mentions: Mapped[list[CommentMention]] = relationship(order_by="CommentMention.id")

    @property
    def number(self) -> str:
        """What the remark is about."""
        return f"comment on {self.about_type} {self.about_id}"

    @property
    def author_id(self) -> str:
        """The user id of whoever wrote it."""
        return self.created_by.removeprefix("user:")

    @property
    def is_blocking(self) -> bool:
        """Whether it keeps the document from being approved now."""
        return self.blocks_since is not None and self.resolution is None


class CommentMention(Base):
    """A person named in a remark; they were told of it. Written once."""

    __tablename__ = "comment_mention"
    __table_args__ = (UniqueConstraint("comment_id", "user_id"), Index("ix_comment_mention_user_id", "user_id"))

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    comment_id: Mapped[Id] = mapped_column(ForeignKey("comment.id"))
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))


class CommentResolution(Record, Base):
    """The end of a blocking remark: who lifted it, when, and in which words. Written once."""

    __tablename__ = "comment_resolution"
    __table_args__ = (UniqueConstraint("comment_id"),)

    comment_id: Mapped[Id] = mapped_column(ForeignKey("comment.id"))
    text: Mapped[Text] = mapped_column(default="")

    comment: Mapped[Comment] = relationship(back_populates="resolution")

    @property
    def number(self) -> str:
        """The remark that it resolves."""
        return f"resolution of a {self.comment.number}"


def comment(
    act: Act,
    about: tuple[str, str],
    text: str,
    *,
    line_no: int | None = None,
    path: str | None = None,
    place: str | None = None,
    is_blocking: bool = False,
    reply_to: Comment | None = None,
) -> Comment:
    """Say something about a document or a line of it. about: (type, id).

    reply_to: a remark of the same document; the answer stands in its thread, and on its line. Whoever is named with ``@login``
    is kept as mentioned. Raises: Invalid when it is empty or too long, or names more than 12 people.
    """
    words = _words(text, "comment")
    if reply_to is not None:
        if (reply_to.about_type, reply_to.about_id) != about:
            raise Invalid(
                "Expected an answer to a remark on this document, but it is on another", {"reply_to": "is elsewhere"}
            )
        line_no, path, place = reply_to.line_no, reply_to.path, reply_to.place
    named = named_in(act.session, words)
    if len(named) > MOST_MENTIONS:
        raise Invalid(
            f"Expected at most {MOST_MENTIONS} people to be named, but there are {len(named)}",
            {"comment": "names too many"},
        )
    said = Comment(
        about_type=about[0], about_id=about[1], text=words, line_no=line_no, path=path, place=place,
        blocks_since=act.now if is_blocking else None, reply_to_id=(reply_to.reply_to_id or reply_to.id) if reply_to else None,
    )  # fmt: skip
    said.mentions = [CommentMention(user_id=user_id) for user_id in named]
    act.session.add(said)
    return said


def named_in(session: Session, text: str) -> list[str]:
    """Return the user ids that a text names with ``@``, each once; a name that nobody has is only text."""
    names = list(dict.fromkeys(found.lower() for found in MENTION.findall(text)))
    known = set(session.scalars(select(User.id).where(User.id.in_(names)))) if names else set()
    return [name for name in names if name in known]


@dataclass(frozen=True, slots=True)
class Thread:
    """A remark and its answers, oldest first."""

    first: Comment
    answers: Sequence[Comment]


def threads(said: Sequence[Comment]) -> list[Thread]:
    """Return remarks by thread, in the order in which the threads began; an answer whose remark is not among them stands alone."""
    known = {one.id for one in said}
    return [
        Thread(one, [answer for answer in said if answer.reply_to_id == one.id])
        for one in said
        if one.reply_to_id not in known
    ]


def resolve(act: Act, said: Comment, text: str = "", *, leads: Iterable[str] = ()) -> CommentResolution:
    """Lift a blocking comment. leads: user ids of others than its author who may.

    Raises: Conflict when it does not block; Forbidden to anybody else.
    """
    if not said.is_blocking:
        how = "was resolved before" if said.resolution is not None else "blocks nothing"
        raise Conflict(f"Expected a comment that blocks, but this one {how}", code="NOT_BLOCKING")
    if act.user_id != said.author_id and act.user_id not in set(leads):
        raise Forbidden(
            f"Expected {said.author_id}, who wrote the comment, or somebody whom the policy names to resolve it,"
            f" but {act.user_id or act.actor} is neither",
            code="NOT_YOUR_COMMENT",
        )
    done = CommentResolution(comment=said, text=_words(text, "resolution") if text.strip() else "")
    act.session.add(done)
    act.session.flush()
    return done


def _words(text: str, field: str) -> str:
    words = text.strip()
    if not words or len(words) > LONGEST:
        raise Invalid(
            f"Expected a comment of 1 to {LONGEST:,} characters, but found {len(words):,}",
            {field: f"needs 1 to {LONGEST:,} characters"},
        )
    return words


def comments_on(session: Session, record_type: str, record_id: str) -> list[Comment]:
    """Return what was said about a document, oldest first."""
    wanted = select(Comment).where(Comment.about_type == record_type, Comment.about_id == record_id)
    return list(session.scalars(wanted.order_by(Comment.created_at, Comment.id)))


def blocking_on(session: Session, record_type: str, record_id: str) -> list[Comment]:
    """Return the comments that keep a document from being approved, oldest first."""
    wanted = (
        select(Comment)
        .outerjoin(CommentResolution)
        .where(
            Comment.about_type == record_type, Comment.about_id == record_id, Comment.blocks_since.is_not(None),
            CommentResolution.id.is_(None),
        )
    )  # fmt: skip
    return list(session.scalars(wanted.order_by(Comment.created_at, Comment.id)))


def count_on(session: Session, record_type: str, record_id: str) -> int:
    """Return how many comments a document has."""
    wanted = select(func.count()).where(Comment.about_type == record_type, Comment.about_id == record_id)
    return session.scalar(wanted) or 0
