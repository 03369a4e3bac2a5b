"""One act is one transaction: opened here, judged at flush, chained, committed here and nowhere else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from engine import answers, audit, bulk, rows, together
from engine.cache import Cache
from engine.clock import Clock, wall_clock
from engine.database import is_away, is_too_slow, new_id
from engine.errors import Conflict, Effect, Finding, Refused, RuleViolation
from engine.ports import Calendar, Directory, Guard, JobCarrier, Signer
from engine.record import Chained, Edit, Operation, Record, edits_of
from engine.registry import Follower, Registry
from engine.stored.instance import RUNNING_KEY, Instance

KEEPING_TRIES = 20
"""How often a refused attempt is written again when others take its place in the chain."""

_UNDONE = ("deliveries", "queue counts")
"""What an act collects beside its statements; a savepoint that is rolled back takes it back too."""


@dataclass(eq=False)
class Act:
    """What one person (or the system, or an adapter) does at one instant.

    actor: a principal, ``user:max``, ``system:timer`` or ``adapter:erp``. now: aware UTC, read once. findings: HOLD
    and WARN findings met on the way. Work for after the commit goes to ``afterwards``; what a refusal must not lose
    (a typed text) to ``rescues``, which a second act carries out after the rollback. chain_owners: rows that hold
    the head of their own chain; decided: instances that hold the head of a chain of decisions. Both get it as the act ends.
    """

    installation: Installation
    session: Session
    actor: str
    now: dt.datetime
    reason: str | None = None
    on_behalf_of: str | None = None
    instance_id: str | None = None
    task_id: str | None = None
    id: str = field(default_factory=new_id)
    findings: list[Finding] = field(default_factory=list)
    afterwards: list[Callable[[], object]] = field(default_factory=list)
    chain_heads: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    chain_owners: dict[tuple[str, str], audit.ChainOwner] = field(default_factory=dict)
    decided: dict[str, Instance] = field(default_factory=dict)
    kept: list[audit.Attempt] = field(default_factory=list)
    rescues: list[Callable[[Act], object]] = field(default_factory=list)
    last: list[Callable[[], object]] = field(default_factory=list)
    followed: list[Edit] = field(default_factory=list)
    told: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def user_id(self) -> str | None:
        """The acting person's id, or None when the system or an adapter acts."""
        kind, _, name = self.actor.partition(":")
        return name if kind == "user" else None

    def note(self, record_type: str, record_id: str, action: str, **details: Any) -> None:
        """Append an event to a record's chain that is not an edit (a move, a start, a notice).

        details: field, old, new, reason as canonical text or plain values.
        """
        audit.append(self, record_type, record_id, action, **details)

    def settle(self) -> None:
        """Write what waits: plain rows at once, with the heads of their chains, anything else by a flush, which judges it."""
        audit.chain(self)
        audit.seat(self)
        rows.write(self.session)
        self.session.flush()

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was written or prepared in this act so far."""
        session = self.session
        return not (
            session.new or session.dirty or session.deleted or session.info.get("wrote") or session.info.get("audit")
        )

    def begin_anew(self) -> None:
        """End the transaction of an untouched act; the next statement begins another and sees what others wrote since.

        Raises: RuntimeError when something was written: an act is never half rolled back.
        """
        if not self.is_untouched:
            raise RuntimeError("Expected an untouched act to begin anew, but something was written in it")
        self.session.rollback()
        self.session.info.pop("line", None)
        self.chain_heads.clear()
        self.chain_owners.clear()
        self.decided.clear()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run a block in a SAVEPOINT that ends with a flush.

        When it raises, what it wrote is gone and the act goes on. A trigger's refusal raises RuleViolation.
        """
        self.session.flush()
        heads = dict(self.chain_heads)
        kept = {name: copy(self.session.info[name]) for name in _UNDONE if name in self.session.info}
        # What waits to be written may be written within the savepoint, and is then gone with it: it waits again.
        kept["audit"], kept["bulk"] = audit.waiting(self), bulk.waiting(self.session)
        last, decided = list(self.last), dict(self.decided)
        findings, afterwards, told = len(self.findings), len(self.afterwards), len(self.told)
        savepoint = self.session.begin_nested()
        try:
            with _translated(self.installation.guard):
                yield
                self.session.flush()
        except BaseException:
            savepoint.rollback()
            for name in ("edits", *_UNDONE):
                self.session.info.pop(name, None)
            self.session.info.update(kept)
            self.last[:] = last
            self.chain_heads.clear()
            self.chain_heads.update(heads)
            self.decided = decided
            del self.findings[findings:], self.afterwards[afterwards:], self.told[told:]
            raise
        savepoint.commit()


@dataclass(eq=False)
class Installation:
    """One database with what is wired to it. Web nodes and workers each hold one.

    It keeps nothing that matters in memory.

    settings: plain values from the configuration (mail folder, outbox folder, ERP adapter …), read by whoever needs
    one. extras: other wired collaborators by name, so that the engine need not know them.
    """

    database: Engine
    guard: Guard | None = None
    directory: Directory | None = None
    calendar: Calendar | None = None
    signer: Signer | None = None
    carrier: JobCarrier | None = None
    registry: Registry = field(default_factory=Registry)
    clock: Clock = wall_clock
    settings: Mapping[str, Any] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)
    definitions: Cache[Any] = field(default_factory=lambda: Cache(400))
    candidate_sets: Cache[str] = field(default_factory=lambda: Cache(20_000))
    task_words: Cache[bool] = field(default_factory=lambda: Cache(20_000))

    def __post_init__(self) -> None:
        writing = self.database.execution_options(writes=True)
        self._acts = sessionmaker(writing, class_=_ActSession, expire_on_commit=False)
        self._reads = sessionmaker(self.database, class_=_ReadSession, expire_on_commit=False)

    @cached_property
    def unbound(self) -> Engine:
        """The database where each statement is a transaction of its own."""
        return self.database.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def acting(
        self,
        actor: str,
        *,
        now: dt.datetime | None = None,
        reason: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Iterator[Act]:
        """Open the one transaction of an act; commit at the end of the block, roll back whole on any error.

        Raises: RuntimeError without a guard; what the block raises; Conflict when another act won on the same rows;
        RuleViolation when a trigger of the guard refused.
        A refusal worth keeping is written to the chain by a second act.
        """
        if self.guard is None:
            raise RuntimeError("Expected a guard to be wired before anything is written, but there is none")
        with _open(self._acts) as session:
            act = Act(
                self,
                session,
                actor,
                now or self.clock(),
                reason=reason,
                on_behalf_of=on_behalf_of,
            )
            session.info.update(act=act, installation=self)
            answers.begin(session)
            try:
                with _translated(self.guard):
                    yield act
                    session.commit()
            except BaseException as error:
                _let_go(session, has_failed=True)
                self._keep_attempt(act, error)
                raise
        for work in act.afterwards:
            work()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that reads; writing in it raises RuntimeError."""
        with _open(self._reads) as session:
            session.info["installation"] = self
            answers.begin(session)
            yield session

    def _keep_attempt(self, act: Act, error: BaseException) -> None:
        attempts = list(act.kept)
        if isinstance(error, Refused) and error.keep and error.record is not None:
            about = (error.record, *error.others)
            attempts += [audit.Attempt(*one, code=error.code, message=error.message) for one in about]
        if not attempts and not (act.rescues and isinstance(error, Refused)):
            return
        for tries_left in reversed(range(KEEPING_TRIES)):
            try:
                self._keep_once(act, error, attempts)
            except IntegrityError as taken:
                # Others write into the same chain, and nobody has locked its record here: the next place is tried.
                if not tries_left or not audit.is_taken(taken):
                    raise
            else:
                return

    def _keep_once(self, act: Act, error: BaseException, attempts: list[audit.Attempt]) -> None:
        with self._acts() as session:
            second = Act(
                self,
                session,
                act.actor,
                act.now,
                reason=act.reason,
                on_behalf_of=act.on_behalf_of,
                id=act.id,
            )
            session.info.update(act=second, installation=self)
            for attempt in attempts:
                _own_instance_chain(second, attempt)
                audit.keep(second, attempt)
            if isinstance(error, Refused):
                for rescue in act.rescues:
                    rescue(second)
            try:
                session.commit()
            except BaseException:
                _let_go(session, has_failed=True)
                raise


@contextmanager
def _open(sessions: sessionmaker[Any]) -> Iterator[Session]:
    session = sessions()
    try:
        yield session
    finally:
        _let_go(session)


def _let_go(session: Session, *, has_failed: bool = False) -> None:
    """Roll back and close. A connection that died meanwhile has nothing to roll back, and takes away no answer that is there.

    has_failed: perhaps at its commit, and closing alone would leave that transaction open.
    """
    try:
        if has_failed:
            session.rollback()
        session.close()
    except DBAPIError as error:
        session.invalidate()
        if not is_away(error):
            raise


def _own_instance_chain(act: Act, attempt: audit.Attempt) -> None:
    """Lock the instance that an attempt is about: its row holds the head of its chain, and must go on from this event."""
    if attempt.record_type == "instance":
        instance = act.session.get(Instance, attempt.record_id, with_for_update=True)
        if instance is not None:
            audit.own_chain(act, "instance", instance.id, instance)


class _ActSession(Session):
    """A session inside an act: what it flushes is judged and chained."""


class _ReadSession(Session):
    """A session that may not write."""


for _kind in (_ActSession, _ReadSession):
    answers.install(_kind)
    together.install(_kind, is_read_only=_kind is _ReadSession)


@event.listens_for(_ActSession, "before_flush")
def _judge(session: Session, _context: Any, _instances: Any) -> None:
    act: Act = session.info["act"]
    session.info["wrote"] = True
    audit.chain(act)
    rows.write(session)
    edits = edits_of(session)
    if not edits:
        return
    signer = act.installation.signer
    if signer is not None and signer.end_left_behind(act, edits):
        edits = edits_of(session)
    _stamp(act, edits)
    session.info.setdefault("edits", []).extend(edit for edit in edits if isinstance(edit.record, Chained))
    if followers := act.installation.registry.followers:
        act.followed += [edit for edit in edits if edit.record_type in followers]
    guard = act.installation.guard
    assert guard is not None
    with session.no_autoflush:
        _weigh(act, guard.judge(act, edits))
    rows.write_decisions(session)


@event.listens_for(_ActSession, "after_flush")
def _chain(session: Session, _context: Any) -> None:
    act: Act = session.info["act"]
    for edit in session.info.pop("edits", ()):
        audit.append_edit(act, edit)
    audit.write(act)


@event.listens_for(_ActSession, "before_commit")
def _write_notes(session: Session) -> None:
    if session.in_nested_transaction():
        return  # A savepoint ends: what is queued waits for the end of the act.
    act: Act = session.info["act"]
    act.settle()
    while act.last:
        act.last.pop(0)()
    _tell_followers(act)
    act.settle()
    audit.write(act)
    if act.told:
        _tell_listeners(act)
    audit.seat(act)  # For what a flush itself noted; the commit writes the row once more then.


def _tell_followers(act: Act) -> None:
    """Tell whoever follows some tables what was written, once; what was rolled back with a savepoint may be among it."""
    edits, act.followed = act.followed, []
    told: dict[Follower, list[Edit]] = {}
    for edit in edits:
        for follower in act.installation.registry.followers.get(edit.record_type, ()):
            told.setdefault(follower, []).append(edit)
    for follower, mine in told.items():
        follower(act, mine)


def _tell_listeners(act: Act) -> None:
    """Tell whoever listens what the act wrote into the chain; what they write is written, and nobody is told of it again."""
    events, act.told = act.told, []
    for wanted, listener in act.installation.registry.listeners:
        if mine := [event for event in events if wanted(event)]:
            listener(act, mine)
    act.settle()
    audit.write(act)
    act.told = []


@event.listens_for(_ActSession, "do_orm_execute")
def _judge_statement(state: ORMExecuteState) -> None:
    if not (state.is_update or state.is_delete or state.is_insert):
        return
    act: Act = state.session.info["act"]
    state.session.info["wrote"] = True
    guard = act.installation.guard
    assert guard is not None
    _weigh(act, guard.judge_statement(act, state))


@event.listens_for(_ReadSession, "before_flush")
def _refuse_writing(session: Session, _context: Any, _instances: Any) -> None:
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("Expected a read, but something was changed; open an act to write")


def _weigh(act: Act, findings: Any) -> None:
    blocks: list[Finding] = []
    for finding in findings:
        (blocks if finding.effect is Effect.BLOCK else act.findings).append(finding)
    if blocks:
        raise RuleViolation(blocks)


def _stamp(act: Act, edits: list[Edit]) -> None:
    for edit in edits:
        record = edit.record
        if not isinstance(record, Record):
            continue
        if edit.operation is Operation.INSERT:
            record.id = record.id or new_id()
            record.created_at, record.created_by = act.now, act.actor
        if edit.operation is not Operation.DELETE:
            record.changed_at, record.changed_by = act.now, act.actor


@contextmanager
def _translated(guard: Guard | None) -> Iterator[None]:
    """Say in the house's words what the database refused: somebody else was faster, or a trigger of the guard spoke.

    A user never sees a lock error, and a page, a command and a job read the same sentence.
    """
    try:
        yield
    except StaleDataError as error:
        raise Conflict(
            "Expected to be the only one changing this, but somebody else changed it just now; reload and try again"
        ) from error
    except OperationalError as error:
        if _is_lock_trouble(error):
            raise Conflict(
                "Expected a free database, but others kept it busy; nothing was written, try again",
                code="BUSY",
            ) from error
        raise
    except IntegrityError as error:
        if audit.is_taken(error):
            raise Conflict(
                "Expected to be the only one writing about this, but somebody else was faster; reload and try again"
            ) from error
        if RUNNING_KEY in str(error.orig):
            raise Conflict(
                "Expected this business key not to be running yet, but somebody else started it just now; nothing was"
                " written",
                code="ALREADY_RUNNING",
            ) from error
        refusal = guard.refusal_of(error) if guard is not None else None
        if refusal is None:
            raise
        raise refusal from error


def _is_lock_trouble(error: DBAPIError) -> bool:
    text = str(error.orig).lower()
    return is_too_slow(error) or "locked" in text or "deadlock" in text or "could not serialize" in text
