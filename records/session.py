"""Sign-in sessions: who is signed in where, and since when."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.database import Base, Instant
from records.columns import Code, Hash, Login, Name
from records.person import User


class SignInSession(Base):
    """One continuous session of one person on one device. id: a digest of the cookie, never the cookie itself.

    device: a digest of what the browser says about itself; another device with the same cookie is refused. browser: the same in a
    word or two, for its owner to recognise. method: how it was opened, PASSWORD or COMPANY.
    last_signed_at: of the last signature in this session, None until the first.
    """

    __tablename__ = "sign_in_session"
    __table_args__ = (Index("ix_sign_in_session_user_id", "user_id"),)

    id: Mapped[Hash] = mapped_column(primary_key=True)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    device: Mapped[Hash]
    address: Mapped[Name]
    browser: Mapped[Name] = mapped_column(default="")
    method: Mapped[Code] = mapped_column(default="PASSWORD")
    started_at: Mapped[Instant]
    last_seen_at: Mapped[Instant]
    last_signed_at: Mapped[Instant | None]
    ended_at: Mapped[Instant | None]
    ended_why: Mapped[Name | None]

    user: Mapped[User] = relationship()
