"""Keys to the API, each of a person or of an adapter; and the answers kept so that a request sent twice counts once.

A key is 32 random bytes, shown once; the database knows only their digest (random bytes need no slow hash).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ForeignKey, Index, UniqueConstraint, bindparam, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Instant, is_id, new_id
from engine.errors import Conflict, Invalid, NotFound
from engine.prepared import Prepared, Question
from records import footing
from records.calendar import Site
from records.columns import Codes, Hash, Login, Name, Note
from records.footing import Footing
from records.person import RoleGrant, User
from records.roles import user_called

PREFIX = "lockstep_"
ADAPTER = re.compile(r"adapter:[a-z][a-z0-9_-]{0,38}")
SCOPES = {
    "definitions:read": "see which processes are released, and their files",
    "definitions:deploy": "release processes; the owner must be a process engineer",
    "instances:read": "see runs, what they wait for and what is stuck",
    "instances:write": "start, suspend, resume, cancel and retry runs; move them and their tokens as a process engineer",
    "tasks:read": "see one's own inbox and its tasks",
    "tasks:decide": "claim, release, decide and complete tasks; never for an adapter",
    "messages:publish": "tell runs about something that happened outside",
    "messages:read": "see messages that are kept for somebody, and what they say",
    "jobs:work": "serve job types from outside: take jobs up, finish and fail them",
    "requisitions:read": "see requisitions",
    "requisitions:write": "write, submit and cancel requisitions",
    "orders:read": "see purchase orders and what suppliers answered",
    "orders:write": "change draft orders; record what a supplier answered",
    "work_orders:read": "see work orders, their actuals, cost and resources",
    "work_orders:write": "make and move work orders; report events on them",
    "outside:read": "see links of outside work and what moved",
    "outside:write": "ship, take back, declare lost and recall pieces",
    "receipts:read": "see receipts and their inspections",
    "receipts:write": "book goods in and take them back; inspect them as a person",
    "certificates:read": "see certificates and their files",
    "certificates:write": "enter certificates; verify and reject them as a person",
    "invoices:read": "see invoices, their match and holds",
    "invoices:write": "enter invoices and match them; release holds as a person",
    "parts:read": "see parts and their revisions",
    "changes:read": "see change requests and change orders",
    "changes:write": "ask for changes; open and write change orders as a person",
    "lots:read": "see lots, what they were made of and where they went",
    "lots:write": "report what was issued of a lot and what was made of it; hold lots",
    "suppliers:read": "see suppliers and what they are approved for",
    "suppliers:write": "bring in screenings, sub-tiers, changes and stock at suppliers' places",
    "suppliers:approve": "propose, sign and suspend what suppliers are approved for; never for an adapter",
    "webhooks:read": "see who outside is told what, and the log of it",
    "webhooks:write": "keep webhooks and replay what they missed; never for an adapter",
    "reviews:read": "see what changed on documents and what was said about them",
    "reviews:write": "comment on documents and tick what one viewed; never for an adapter",
    "people:read": "see who covers whom; for administrators, what waits for somebody",
    "people:write": "end accounts and hand over their work; never for an adapter",
    "rules:read": "see findings, waivers, the mode of each flow and the quality of the data",
    "rules:write": "acknowledge warnings, ask for and sign waivers and switches of modes; never for an adapter",
    "evidence:read": "see legal holds",
    "evidence:hold": "place and lift legal holds; never for an adapter",
}
"""What a key may be good for."""

PERSONAL = frozenset(
    {
        "tasks:read", "tasks:decide", "definitions:deploy", "requisitions:write", "reviews:write", "rules:write",
        "suppliers:approve", "evidence:hold", "people:write", "webhooks:write",
    }
)  # fmt: skip
"""What only a person's key may do: an adapter decides nothing and asks for nothing."""

ANSWERS_KEPT_FOR = dt.timedelta(days=7)


class ApiKey(Base):
    """One key. Not a Record, so that the digest never enters the audit chain.

    digest: SHA-256 of the key. owner: the principal it acts as, ``user:rita`` or ``adapter:erp``. user_id: the person, None
    for an adapter. expires_at: exclusive; None when it does not end by itself.
    """

    __tablename__ = "api_key"
    __table_args__ = (UniqueConstraint("digest"), Index("ix_api_key_owner", "owner"))

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[Name]
    digest: Mapped[Hash]
    owner: Mapped[Name]
    user_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    scopes: Mapped[Codes]
    created_at: Mapped[Instant]
    created_by: Mapped[Name]
    expires_at: Mapped[Instant | None]
    revoked_at: Mapped[Instant | None]

    user: Mapped[User | None] = relationship()

    def is_alive(self, at: dt.datetime) -> bool:
        """Whether the key opens anything at an instant: neither revoked nor over, and its person may act."""
        if self.revoked_at is not None or (self.expires_at is not None and at >= self.expires_at):
            return False
        return self.user_id is None or (self.user is not None and self.user.is_active and self.user.can_sign_in)


class ApiAnswer(Base):
    """What a request with an idempotency key did, so that the same request again is answered and moves nothing.

    owner: who sent it. request_hash: of method, path and body. subject: what the answer is about; written with the change
    itself; empty when it is too long for its column, and then ``body`` holds it until the answer does. status, etag, body: the answer,
    written just after it; status is None when the program ended in between.
    """

    __tablename__ = "api_answer"
    __table_args__ = (UniqueConstraint("owner", "key"), Index("ix_api_answer_created_at", "created_at"))

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    owner: Mapped[Name]
    key: Mapped[Name]
    request_hash: Mapped[Hash]
    subject: Mapped[Note]
    created_at: Mapped[Instant]
    status: Mapped[int | None]
    etag: Mapped[Name | None]
    body: Mapped[str | None]


def make_key(
    act: Act, owner: str, name: str, *, scopes: Sequence[str], expires_at: dt.datetime | None = None
) -> tuple[str, ApiKey]:
    """Make a key and return (the key itself, which is never shown again; its row).

    owner: ``user:<id>`` or ``adapter:<name>``. Raises: Invalid for unknown scopes, scopes an adapter cannot have, an end that is
    over, or an owner that is neither; NotFound for an unknown person.
    """
    chosen = tuple(sorted(set(scopes)))
    _refuse_scopes(owner, chosen)
    if not name.strip():
        raise Invalid("Expected a name that says what the key is for, but there is none", {"name": "is required"})
    if expires_at is not None and expires_at <= act.now:
        raise Invalid("Expected an end of the key after now, but it is over", {"expires_at": "is over"})
    user_id = _person_of(act.session, owner)
    secret = PREFIX + secrets.token_urlsafe(32)
    made = ApiKey(
        id=new_id(), name=name.strip(), digest=digest(secret), owner=owner, user_id=user_id, scopes=chosen,
        created_at=act.now, created_by=act.actor, expires_at=expires_at,
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    act.note("api_key", made.id, "KEY_MADE", field=owner, new=" ".join(chosen))
    return secret, made


@dataclass(frozen=True, slots=True)
class Opened:
    """What a key opens. footing: of its person, None for an adapter; the rest as in ``ApiKey``."""

    id: str
    name: str
    owner: str
    user_id: str | None
    scopes: frozenset[str]
    footing: Footing | None


_OPENED = (ApiKey.id, ApiKey.name, ApiKey.owner, ApiKey.user_id, ApiKey.scopes, ApiKey.expires_at, ApiKey.revoked_at)
_WHOSE = select(ApiKey.user_id).where(ApiKey.digest == bindparam("digest")).scalar_subquery()
_RECOGNISED = Question(
    select(*footing.COLUMNS, footing.stands_in(_WHOSE), *_OPENED)
    .select_from(ApiKey)
    .outerjoin(User, User.id == ApiKey.user_id)
    .outerjoin(Site, Site.code == User.site_code)
    .outerjoin(RoleGrant, RoleGrant.user_id == User.id)
    .where(ApiKey.digest == bindparam("digest"))
    .order_by(*footing.ORDER)
)


def opened_by(session: Session, secret: str, *, at: dt.datetime) -> Opened | None:
    """Return what a key opens now, None when that is nothing. On what its person stands is known in the session from here on."""
    if not secret.startswith(PREFIX) or len(secret) > 200:
        return None
    rows = _RECOGNISED.ask(session, {"digest": digest(secret)})
    if not rows:
        return None
    key_id, name, owner, user_id, scopes, expires_at, revoked_at = rows[0][footing.WIDTH :]
    person = footing.read(rows)
    if revoked_at is not None or (expires_at is not None and at >= expires_at):
        return None
    if user_id is not None and (person is None or not person.person.is_active or not person.can_sign_in):
        return None
    if person is not None:
        footing.remember(session, person)
    return Opened(key_id, name, owner, user_id, frozenset(scopes), person)


def revoke_key(act: Act, key_id: str) -> ApiKey:
    """End a key now. Raises: NotFound; Conflict when it is revoked already."""
    found = act.session.get(ApiKey, key_id) if is_id(key_id) else None
    if found is None:
        raise NotFound(f"Expected a key {key_id}, but there is none")
    if found.revoked_at is not None:
        raise Conflict(f"Expected a key that still opens something, but {found.name} was revoked", code="KEY_REVOKED")
    found.revoked_at = act.now
    act.note("api_key", found.id, "KEY_REVOKED", field=found.owner)
    return found


def keys_of(session: Session, owner: str | None = None) -> list[ApiKey]:
    """Return keys, of one owner or all, oldest first; revoked ones too."""
    wanted = select(ApiKey) if owner is None else select(ApiKey).where(ApiKey.owner == owner)
    return list(session.scalars(wanted.order_by(ApiKey.created_at, ApiKey.id)))


_ANSWERED = select(ApiAnswer).where(ApiAnswer.owner == bindparam("sender"), ApiAnswer.key == bindparam("sent"))
_KEEP_ANSWER = Prepared(
    update(ApiAnswer).where(ApiAnswer.owner == bindparam("sender"), ApiAnswer.key == bindparam("sent")),
    columns=("status", "etag", "body"),
)


def answer_to(session: Session, owner: str, key: str) -> ApiAnswer | None:
    """Return what a request with this idempotency key did before, if it was sent by the same owner."""
    return session.scalar(_ANSWERED, {"sender": owner, "sent": key})


def keep_answer(act: Act, owner: str, key: str, *, status: int, etag: str | None, body: str) -> None:
    """Write the answer to what a request with this idempotency key did."""
    _KEEP_ANSWER.run(act.session, [{"sender": owner, "sent": key, "status": status, "etag": etag, "body": body}])


def drop_old_answers(act: Act) -> None:
    """Forget answers that nobody will ask for again."""
    stale = delete(ApiAnswer).where(ApiAnswer.created_at < act.now - ANSWERS_KEPT_FOR)
    act.session.connection().execute(stale)


def digest(secret: str) -> str:
    """Return what the database knows of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse_scopes(owner: str, chosen: Sequence[str]) -> None:
    unknown = [scope for scope in chosen if scope not in SCOPES]
    if unknown or not chosen:
        raise Invalid(
            f"Expected some of the scopes {', '.join(SCOPES)}, but found {', '.join(unknown) or 'none'}",
            {"scopes": "unknown or none"},
        )
    personal = sorted(PERSONAL.intersection(chosen))
    if personal and owner.startswith("adapter:"):
        raise Invalid(
            f"Expected scopes that an adapter may have, but {', '.join(personal)} needs a person",
            {"scopes": "personal"},
        )


def _person_of(session: Session, owner: str) -> str | None:
    kind, _, name = owner.partition(":")
    if kind == "user":
        return user_called(session, name).id
    if not ADAPTER.fullmatch(owner):
        raise Invalid(
            f"Expected user:<login> or adapter:<name> as the owner, but found {owner:.60}", {"owner": "unknown"}
        )
    return None
