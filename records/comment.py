"""Comments: what people say about a document, beside its decisions."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, func, select
from sqlalchemy.orm import Mapped, Session

from engine.act import Act
from engine.database import Base
from engine.errors import Invalid
from engine.record import Record
from records.columns import Code, Login, Text

LONGEST = 4000


class Comment(Record, Base):
    """One remark. Never changed, never deleted; who wrote it and when is its bookkeeping.

    about_type, about_id: the document. line_no: the line it is about, or None for the whole.
    """

    __tablename__ = "comment"
    __table_args__ = (
        CheckConstraint("length(text) > 0", name="says_something"),
        Index("ix_comment_about", "about_type", "about_id"),
    )

    about_type: Mapped[Code]
    about_id: Mapped[Login]
    line_no: Mapped[int | None]
    text: Mapped[Text]

    @property
    def number(self) -> str:
        """What the remark is about."""
        return f"comment on {self.about_type} {self.about_id}"


def comment(act: Act, about: tuple[str, str], text: str, *, line_no: int | None = None) -> Comment:
    """Say something about a document. about: (type, id). Raises: Invalid when it is empty or too long."""
    words = text.strip()
    if not words or len(words) > LONGEST:
        raise Invalid(
            f"Expected a comment of 1 to {LONGEST:,} characters, but found {len(words):,}",
            {"comment": f"needs 1 to {LONGEST:,} characters"},
        )
    said = Comment(about_type=about[0], about_id=about[1], text=words, line_no=line_no)
    act.session.add(said)
    return said


def comments_on(session: Session, record_type: str, record_id: str) -> list[Comment]:
    """Return what was said about a document, oldest first."""
    wanted = select(Comment).where(Comment.about_type == record_type, Comment.about_id == record_id)
    return list(session.scalars(wanted.order_by(Comment.created_at, Comment.id)))


def count_on(session: Session, record_type: str, record_id: str) -> int:
    """Return how many comments a document has."""
    wanted = select(func.count()).where(Comment.about_type == record_type, Comment.about_id == record_id)
    return session.scalar(wanted) or 0
