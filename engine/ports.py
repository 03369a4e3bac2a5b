"""What the engine needs from above, wired in webapp/app.py.

Who people are, when business is open, what may be written, how one signs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import ORMExecuteState, Session

from engine.errors import Finding, RuleViolation
from engine.record import Edit

if TYPE_CHECKING:
    from engine.act import Act, Installation
    from engine.decisions import Decision
    from engine.stored.job import Job
    from engine.stored.task import Task


@dataclass(frozen=True, slots=True)
class Person:
    """A natural person as the engine sees one. title: the printed title at this moment."""

    id: str
    name: str
    title: str = ""
    email: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Mandate:
    """A candidate principal under which somebody may act now.

    principal: ``user:<id>`` or ``role:<CODE>`` (scoped: ``role:CC_OWNER@4711``). on_behalf_of: the id of the absent
    principal when it is held as a deputy, else None. flows: the flows that a deputy is limited to; empty means all.
    """

    principal: str
    on_behalf_of: str | None = None
    flows: tuple[str, ...] = ()


class Directory(Protocol):
    """Roles, groups, deputies, absences."""

    def person(self, session: Session, user_id: str) -> Person | None:
        """Return the person with this id, active or not."""

    def mandates(self, session: Session, user_id: str, *, at: dt.datetime, flow: str) -> Sequence[Mandate]:
        """Return every principal the person may act under at that instant in that flow, own ones first.

        flow: the process id of a root instance. Empty asks for all flows at once; what holds in some only says which.
        """

    def holders(self, session: Session, principal: str, *, at: dt.datetime) -> Sequence[Person]:
        """Return the active people who hold a principal themselves, in a stable order."""

    def name_of(self, session: Session, principal: str) -> str:
        """Return a principal in words: a person's or a role's printed name, else its own code."""

    def stand_ins(
        self, session: Session, user_ids: Sequence[str], *, at: dt.datetime, flow: str
    ) -> Sequence[tuple[str, Person]]:
        """Return who stands in at that instant in that flow for people who are absent, as (absent person, deputy).

        A deputy who is absent too is followed by theirs, as a deputy of the first one. In a stable order.
        """


class Calendar(Protocol):
    """Business time of the plant."""

    def add_business_days(self, session: Session, start: dt.datetime, days: Decimal) -> dt.datetime:
        """Return the instant ``days`` business days after ``start``, keeping the local time of day."""

    def zone(self, session: Session) -> dt.tzinfo:
        """Return the plant's time zone, in which sentences say when."""


class Guard(Protocol):
    """Judges what is about to be written."""

    def judge(self, act: Act, edits: Sequence[Edit]) -> Iterable[Finding]:
        """Yield findings on pending edits; a BLOCK refuses the act."""

    def judge_statement(self, act: Act, statement: ORMExecuteState) -> Iterable[Finding]:
        """Yield findings on an ORM bulk statement before it runs."""

    def refusal_of(self, error: IntegrityError) -> RuleViolation | None:
        """Return the refusal that the database spoke for the guard, or None when the error is another one."""

    def may_decide(
        self, session: Session, task: Task, user_id: str, *, on_behalf_of: str | None, now: dt.datetime
    ) -> Iterable[Finding]:
        """Yield findings on a person who would decide a task; a BLOCK bars that person.

        Pages ask it, and ``decide`` does.
        """

    def may_give(self, session: Session, task: Task, verdict: str, user_id: str) -> Iterable[Finding]:
        """Yield findings on a verdict that somebody would give; a BLOCK keeps it back, and no other verdict of the task.

        Pages ask it, and ``decide`` does.
        """


@dataclass(frozen=True, slots=True)
class SignatureRequest:
    """What a signer typed: the meaning chosen and the password, again. It is never stored.

    user_id: the login name, typed again; needed for the first signing of a session and after 15 minutes idle.
    session_id: the sign-in session, empty where there is none (then both components are always asked).
    accepts_responsibility: the signer confirms, once in a lifetime, that this signature binds like a handwritten
    one. method: how the signer proves who they are; proof: what another method than the password answers (the code of a
    sign-in at the company, the assertion of a passkey).
    """

    meaning: str
    password: str
    user_id: str = ""
    session_id: str = ""
    accepts_responsibility: bool = False
    method: str = "PASSWORD"
    proof: str = ""


class SigningMethod(Protocol):
    """One way to prove, at the moment of signing, that it is the signer: a password, a sign-in at the company, a passkey."""

    @property
    def code(self) -> str:
        """The word that the signature row keeps."""

    @property
    def has_all_components(self) -> bool:
        """Whether one proof holds every component, so that the login name need not be typed beside it."""

    def prove(
        self, act: Act, user_id: str, request: SignatureRequest, *, record: tuple[str, str], content_hash: str
    ) -> None:
        """Return when the request proves that this person signs this content.

        record: what a failed attempt is kept on. content_hash: of what was shown, for a proof that is bound to it.
        Raises: Forbidden, kept and counted.
        """


class JobCarrier(Protocol):
    """Tells a worker about a job, in the transaction that promises it."""

    def carry(self, act: Act, job: Job) -> None:
        """Let a worker know of the job when the act has been committed and the job is due."""

    def listening(self, installation: Installation) -> AbstractContextManager[None]:
        """Run, while the block runs, the jobs that workers are told of."""


class Signer(Protocol):
    """Turns a decision into a signature."""

    def sign(self, act: Act, decision: Decision, request: SignatureRequest) -> None:
        """Check the second component and write the signature row of a decision.

        decision: ``engine.decisions.Decision``. Raises Forbidden when the password or the meaning is not the signer's
        (the attempt is kept and counted).
        """

    def end_voided(self, act: Act, decision: Decision) -> None:
        """End the signature of a decision that was voided, if it was signed."""

    def end_left_behind(self, act: Act, edits: Sequence[Edit]) -> bool:
        """End the signatures on content that pending edits take a document away from; say whether there were any."""
