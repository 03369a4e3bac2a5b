"""What a sign-in at the company leaves here: whose identity it is, which session it opened, and what was proved with it."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.database import Base, Id, Instant, Listing, new_id
from engine.record import Record
from records.columns import Hash, Login, Name, Note, Text
from records.person import User
from records.session import SignInSession


class CompanyIdentity(Record, Base):
    """Which person of a company's identity provider a user is. subject: the provider's own id, which it never gives to another."""

    __tablename__ = "company_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("issuer", "user_id"))

    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    issuer: Mapped[Name]
    subject: Mapped[Name]

    user: Mapped[User] = relationship()

    @property
    def number(self) -> str:
        """Who it is."""
        return self.user_id


class CompanySession(Base):
    """The provider's side of a session that began with a sign-in at the company.

    sid: the provider's id of its session, empty when it names none. id_token: shown again when somebody signs out there.
    """

    __tablename__ = "company_session"
    __table_args__ = (Index("ix_company_session_issuer_sid", "issuer", "sid"),)

    session_id: Mapped[Hash] = mapped_column(ForeignKey("sign_in_session.id"), primary_key=True)
    issuer: Mapped[Name]
    subject: Mapped[Name]
    sid: Mapped[Name]
    id_token: Mapped[Note]

    session: Mapped[SignInSession] = relationship()


class StepUp(Base):
    """A sign-in at the company in order to sign: for which content it is asked, and whether it was proved and used.

    subjects: [record type, record id, content hash] of each thing to sign; the nonce of the sign-in is made of them. path and
    form: what was typed, so that nothing is lost on the way. proof: a digest of the code that the signing form carries back.
    used: the subjects that were signed with it.
    """

    __tablename__ = "step_up"
    __table_args__ = (UniqueConstraint("proof"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    session_id: Mapped[Hash] = mapped_column(ForeignKey("sign_in_session.id"))
    subjects: Mapped[Listing]
    path: Mapped[Text]
    form: Mapped[Listing]
    created_at: Mapped[Instant]
    proven_at: Mapped[Instant | None]
    proof: Mapped[Hash | None]
    used: Mapped[Listing] = mapped_column(default=list)
