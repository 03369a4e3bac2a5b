"""People: users, their credentials, roles, absences and delegations."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, Money, new_id
from engine.errors import Forbidden
from engine.record import Record
from records.columns import Code, Codes, Login, Name, Text, word
from records.origin import Originated
from records.transition import move_along, pairs


class UserStatus(StrEnum):
    """Whether somebody may act.

    A disabled user stays forever: ids are never given to another person (21 CFR 11.100(a)).
    """

    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    DISABLED = "DISABLED"


class MailWish(StrEnum):
    """Whether somebody is mailed beside the notice in the application."""

    AT_ONCE = "AT_ONCE"
    NEVER = "NEVER"


TRANSITIONS = pairs("ACTIVE>LOCKED|DISABLED; LOCKED>ACTIVE|DISABLED; DISABLED>ACTIVE", UserStatus)


class User(Originated, Record, Base):
    """A natural person. id: the login name. title: printed on signatures, as it is at that moment.

    can_sign_in: False for people who only appear on documents (an ERP's employees).
    """

    __tablename__ = "user_account"
    __table_args__ = (CheckConstraint("id = lower(id) AND length(id) > 0", name="login_in_lower_case"),)

    id: Mapped[Login] = mapped_column(primary_key=True)
    name: Mapped[Name]
    title: Mapped[Name] = mapped_column(default="")
    email: Mapped[Name] = mapped_column(default="")
    status: Mapped[UserStatus] = word(UserStatus, "status", default=UserStatus.ACTIVE)
    can_sign_in: Mapped[bool] = mapped_column(default=True)
    site_code: Mapped[Code] = mapped_column(default="MAIN")
    cost_centre_code: Mapped[Code | None]
    mail_wish: Mapped[MailWish] = word(MailWish, "mail_wish", default=MailWish.AT_ONCE)

    credential: Mapped[Credential | None] = relationship(back_populates="user")
    grants: Mapped[list[RoleGrant]] = relationship(back_populates="user", order_by="(RoleGrant.role, RoleGrant.scope)")

    @property
    def number(self) -> str:
        """The login name."""
        return self.id

    @property
    def is_active(self) -> bool:
        """Whether the person may be given work; a lock after wrong passwords does not take work away."""
        return self.status is not UserStatus.DISABLED


def move(act: Act, user: User, to: UserStatus, *, reason: str | None = None) -> User:
    """Lock, unlock, disable or enable somebody."""
    move_along(act, user, to, transitions=TRANSITIONS, reason=reason)
    return user


def wish_mail(act: Act, user: User, wish: MailWish) -> User:
    """Keep whether somebody is mailed; everybody says it of themselves."""
    if act.user_id != user.id:
        raise Forbidden(f"Expected {user.name} to say this, but {act.actor} does", code="NOT_AUTHORISED")
    user.mail_wish = wish
    return user


class Credential(Base):
    """The password of a user, as an Argon2 hash. Not a Record, so that the hash never enters the audit chain.

    failed_attempts: wrong passwords since the last right one. locked_until: no password is accepted before.
    """

    __tablename__ = "credential"
    __table_args__ = (CheckConstraint("failed_attempts >= 0", name="failed_attempts_counted"),)

    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    password_hash: Mapped[Name]
    set_at: Mapped[Instant]
    failed_attempts: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[Instant | None]
    must_change: Mapped[bool] = mapped_column(default=False)

    user: Mapped[User] = relationship(back_populates="credential")


class Role(Record, Base):
    """What a role code means. A code without a row may review, approve, reject and verify.

    meanings: of its signatures. is_deputised: whether a deputy inherits it. is_business: False for administration
    (SOD-12).
    """

    __tablename__ = "role"
    __table_args__ = (UniqueConstraint("code"),)

    code: Mapped[Code]
    name: Mapped[Name]
    meanings: Mapped[Codes] = mapped_column(default=())
    is_deputised: Mapped[bool] = mapped_column(default=True)
    is_business: Mapped[bool] = mapped_column(default=True)

    @property
    def number(self) -> str:
        """The role's code."""
        return self.code


class RoleGrant(Record, Base):
    """A role held by a user for a while.

    scope: what it is limited to (``4711`` in ``CC_OWNER@4711``), empty for everywhere. of_group: the company's group that gives
    it, and takes it again; empty when an administrator granted it.
    """

    __tablename__ = "role_grant"
    __table_args__ = (
        UniqueConstraint("user_id", "role", "scope", "valid_from"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="ends_after_it_begins"),
        Index("ix_role_grant_role_scope", "role", "scope"),
    )

    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    role: Mapped[Code]
    scope: Mapped[Code] = mapped_column(default="")
    valid_from: Mapped[Instant]
    valid_to: Mapped[Instant | None]
    of_group: Mapped[Name] = mapped_column(default="")

    user: Mapped[User] = relationship(back_populates="grants")

    @property
    def principal(self) -> str:
        """The principal this grant makes of its holder, ``role:PUR_LEAD`` or ``role:CC_OWNER@4711``."""
        return f"role:{self.role}@{self.scope}" if self.scope else f"role:{self.role}"

    @property
    def number(self) -> str:
        """Who holds what."""
        return f"{self.user_id} {self.principal.removeprefix('role:')}"

    def is_valid(self, at: dt.datetime) -> bool:
        """Whether the grant holds at an instant; the end is exclusive."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


class Absence(Record, Base):
    """A time in which somebody's deputy may act for them.

    flows: process ids it is limited to; empty means every flow.
    """

    __tablename__ = "absence"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_it_begins"),
        CheckConstraint("deputy_id <> user_id", name="deputy_is_somebody_else"),
        Index("ix_absence_deputy_id", "deputy_id"),
        Index("ix_absence_user_id", "user_id"),
    )

    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    deputy_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    flows: Mapped[Codes] = mapped_column(default=())
    reason: Mapped[Text] = mapped_column(default="")

    user: Mapped[User] = relationship(foreign_keys=[user_id])
    deputy: Mapped[User] = relationship(foreign_keys=[deputy_id])

    @property
    def number(self) -> str:
        """Who stands in for whom."""
        return f"{self.deputy_id} for {self.user_id}"

    def covers(self, at: dt.datetime, flow: str) -> bool:
        """Whether the deputy stands in at an instant in a flow; the end is exclusive."""
        return self.starts_at <= at < self.ends_at and (not self.flows or flow in self.flows)


class Delegation(Record, Base):
    """One role lent to another person, up to an amount; never for the lender's own documents (domain.md 2.29)."""

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("valid_to > valid_from", name="ends_after_it_begins"),
        CheckConstraint("to_user_id <> from_user_id", name="delegate_is_somebody_else"),
        CheckConstraint("max_amount IS NULL OR max_amount >= 0", name="max_amount_not_negative"),
        Index("ix_delegation_to_user_id", "to_user_id"),
    )

    from_user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    to_user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    role: Mapped[Code]
    scope: Mapped[Code] = mapped_column(default="")
    valid_from: Mapped[Instant]
    valid_to: Mapped[Instant]
    max_amount: Mapped[Money | None]
    excludes_own_documents: Mapped[bool] = mapped_column(default=True)
    excludes_signed_documents: Mapped[bool] = mapped_column(default=True)

    @property
    def principal(self) -> str:
        """The principal that is lent."""
        return f"role:{self.role}@{self.scope}" if self.scope else f"role:{self.role}"

    @property
    def number(self) -> str:
        """Who lends what to whom."""
        return f"{self.from_user_id} to {self.to_user_id}: {self.role}"


class Certification(Base):
    """A user's statement, made once, that a signature binds like a handwritten one (21 CFR 11.100(c))."""

    __tablename__ = "signature_certification"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"), unique=True)
    statement: Mapped[Text]
    certified_at: Mapped[Instant]
