"""The flush guard: every pending edit of a document is judged before it is written, with the full message.

The triggers of the database hold the same lines against everything that does not pass here; this net says why, who owns the field,
and what to do instead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.orm.util import identity_key

from engine.act import Act
from engine.errors import Effect, Finding, RuleViolation
from engine.record import Edit, Operation, Record
from engine.stored.task import Task
from records.approval import slots_of
from rules import duties, reviewing
from rules.change_doors import DECIDED
from rules.change_item import ChangeClass
from rules.controlled import Control, ControlledFields, current_policy
from rules.doors import strictest_of
from rules.finding import keep_findings
from rules.flow_mode import FLOW_OF, INTEGRITY, Mode, mode_of
from rules.guarded import DOCUMENTS, LINES, Document, Lines, transitions
from rules.law import Law, block
from rules.laws import LAWS
from rules.permits import Permits
from rules.refused_rows import UNNAMED, refused_rows
from rules.waiver import soften, today_of

RULE = "UNCONTROLLED_CHANGE"
BEFORE_SENDING = frozenset({"PENDING_APPROVAL", "APPROVED", "APPROVAL_EXPIRED", "APPROVED_NOT_TRANSMITTED"})
WAYS_OUT = {
    "purchase_order": "Withdraw the order, which returns it to DRAFT and supersedes its signatures.",
    "requisition": "Withdraw or return the requisition, which supersedes its signatures.",
    "part_revision": "Ask for a change with these edits; a change order makes them, or releases a new revision.",
    "supplier_approval": "Add a new row to the approved supplier list, signed by quality, or ask for a change with these edits.",
    "change_order": "Return the change order to its writers, or decide by an addendum.",
    "work_order": "Ask for a change with these edits; or, while nothing is begun, cancel the work order and release another.",
}
BY_TABLE: dict[str, Document | Lines] = {guarded.table.name: guarded for guarded in (*DOCUMENTS, *LINES)}
LISTED = frozenset(transitions())


class LockstepGuard:
    """Judges edits: statuses along listed transitions, controlled fields, signatures before approval, then the laws."""

    def __init__(self, policy: ControlledFields | None = None) -> None:
        self.policy = policy or current_policy()

    def judge(self, act: Act, edits: Sequence[Edit]) -> Iterable[Finding]:
        """Return findings on pending edits. HOLD and WARN findings are kept with the act; in observe mode every finding is."""
        permits = Permits(act, edits)
        found = _unless_waived(act, [finding for edit in edits for finding in self._findings(act, edit, permits)])
        modes = {
            flow: mode_of(act.session, flow) for flow in {flow for each, flow in found if each.rule not in INTEGRITY}
        }
        weighed: list[Finding] = []
        kept: list[tuple[Mode, Finding]] = []
        for finding, flow in found:
            mode = Mode.ENFORCE if finding.rule in INTEGRITY else modes[flow]
            if mode is Mode.ENFORCE and finding.effect is Effect.BLOCK:
                weighed.append(finding)
                continue
            lenient = finding if mode is Mode.ENFORCE else replace(finding, effect=Effect.WARN)
            kept.append((mode, lenient))
            if mode is not Mode.OBSERVE:
                weighed.append(lenient)
        for mode, same in groupby(kept, key=itemgetter(0)):
            keep_findings(act, [finding for _, finding in same], mode=mode)
        return weighed

    def judge_statement(self, act: Act, statement: ORMExecuteState) -> Iterable[Finding]:
        """Return a refusal of every bulk statement on documents: it would pass by the laws and the audit chain."""
        mapper = statement.bind_mapper
        if mapper is None or not issubclass(mapper.class_, Record):
            return
        table = mapper.class_.record_type
        yield block(
            RULE,
            f"Expected the rows of {table} to be written one by one, but a bulk statement would pass by the laws and the audit chain",
            (table, UNNAMED),
            way_out="Load the records and change them.",
        )

    def refusal_of(self, error: IntegrityError) -> RuleViolation | None:
        """Return the refusal that a trigger spoke, kept with every row it was about, or None when the error is not the guard's."""
        rule, separator, sentence = str(error.orig).partition(": Expected ")
        if not separator or not rule.strip().replace("_", "").isupper():
            return None
        rows = refused_rows(error)
        refusal = RuleViolation([block(rule.strip(), f"Expected {sentence.splitlines()[0]}", *rows[:1])])
        refusal.others = tuple(rows[1:])
        return refusal

    def may_decide(
        self, session: Session, task: Task, user_id: str, *, on_behalf_of: str | None, now: dt.datetime
    ) -> Iterable[Finding]:
        """Return what bars a person from deciding a task: the duties, evaluated on natural persons."""
        found = duties.bars_on_task(session, task, user_id, on_behalf_of=on_behalf_of, now=now)
        found = soften(session, found, on=today_of(session, now)) if found else found
        if not found or mode_of(session, task.flow) is Mode.ENFORCE:
            return found
        return [replace(finding, effect=Effect.WARN) for finding in found]

    def may_give(self, session: Session, task: Task, verdict: str, user_id: str) -> Iterable[Finding]:
        """Return what keeps back a verdict: a blocking comment, or lines that the policy wants viewed first."""
        found = list(reviewing.judge_verdict(session, task, verdict, user_id))
        if not found or mode_of(session, task.flow) is Mode.ENFORCE:
            return found
        return [replace(finding, effect=Effect.WARN) for finding in found]

    def _findings(self, act: Act, edit: Edit, permits: Permits) -> Iterator[tuple[Finding, str]]:
        guarded = BY_TABLE.get(edit.record_type)
        flow = _flow(guarded)
        if guarded is not None:
            if isinstance(guarded, Document):
                yield from ((finding, flow) for finding in _moves(act, edit, guarded))
            yield from ((finding, flow) for finding in self._controlled(act, edit, guarded, permits))
        judged_in = FLOW_OF.get(edit.record_type, flow)
        for each in _laws_about(edit.record.__class__):
            yield from ((finding, judged_in) for finding in each.findings(edit))

    def _controlled(self, act: Act, edit: Edit, guarded: Document | Lines, permits: Permits) -> Iterator[Finding]:
        if edit.operation is Operation.UPDATE:
            yield from self._changes(act, edit, guarded, permits)
        elif isinstance(guarded, Lines):
            yield from self._comings_and_goings(act, edit, guarded, permits)
        elif edit.operation is Operation.DELETE and (
            not guarded.signed_moves
            or guarded.needs_seat
            or _old_status(act, edit.record, guarded) not in guarded.drafts
        ):
            yield self._refusal(
                edit, guarded.table.name, "", None, _old_status(act, edit.record, guarded), "to be kept"
            )

    def _changes(self, act: Act, edit: Edit, guarded: Document | Lines, permits: Permits) -> Iterator[Finding]:
        fixed = (guarded.column,) if isinstance(guarded, Lines) else guarded.fixed
        status = _status(act, edit, guarded)
        for name, old, new in _texts(act, edit):
            control = self.policy.of(edit.record_type, name, status)
            if name in fixed:
                yield self._refusal(edit, name, old, new, status, "never to change")
            elif control is not None and not permits.open(edit, name, old, new, control.change_class):
                yield self._refusal(edit, name, old, new, status, "to stay as it was approved", control)
            elif _decides_a_revision(edit, name, new) and not permits.open(edit, name, old, new, ChangeClass.C3):
                yield self._refusal(edit, name, old, new, status, "to stay until a change order moves it")
            elif _cancels_a_line(edit, name, (old, new), status) and not permits.open(
                edit, name, old, new, ChangeClass.C2
            ):
                yield self._refusal(edit, name, old, new, status, "to stay open")

    def _comings_and_goings(self, act: Act, edit: Edit, guarded: Lines, permits: Permits) -> Iterator[Finding]:
        status = _status(act, edit, guarded)
        if status in guarded.document.drafts or _arrives_with_its_document(act, edit, guarded):
            return
        strictest = strictest_of(self.policy.classes(edit.record_type))
        verb = "inserted" if edit.operation is Operation.INSERT else "deleted"
        if edit.operation is Operation.DELETE and permits.open(edit, "", None, None, strictest):
            return
        appending = self.policy.of(edit.record_type, guarded.column, status)
        needed = appending.change_class if appending is not None else strictest
        if edit.operation is Operation.INSERT and all(
            permits.open(edit, name, None, new, needed) for name, _, new in _controlled_texts(self, edit, guarded)
        ):
            return
        document = _document(act, edit.record, guarded)
        yield block(
            RULE,
            f"Expected the lines of {document.number} to stay while it is {status}, but line {edit.record.number} was {verb}.",
            (document.record_type, document.id),
            owner="role:BUYER",
            way_out=_way_out(guarded.document.table.name, status),
            judged_by=self.policy.hash,
        )

    def _refusal(
        self,
        edit: Edit,
        name: str,
        old: str | None,
        new: str | None,
        status: str,
        what: str,
        control: Control | None = None,
    ) -> Finding:
        document = BY_TABLE[edit.record_type]
        kind = document.document.table.name if isinstance(document, Lines) else document.table.name
        needed = f" (needs change class {control.change_class})" if control and control.change_class.sufficient else ""
        return block(
            RULE,
            f"Expected {name.replace('_', ' ')} of {edit.record.number} {what} while it is {status}, "
            f"but it was to become {_shown(new)} instead of {_shown(old)}{needed}.",
            (edit.record_type, edit.record.id),
            field=name,
            old=old,
            new=new,
            owner=control.owner if control else "",
            way_out=_way_out(kind, status),
            judged_by=self.policy.hash if control else "",
            row=control.row if control else None,
        )


@cache
def _laws_about(kind: Any) -> tuple[Law, ...]:
    return tuple(each for each in LAWS if issubclass(kind, each.on))


def _unless_waived(act: Act, found: list[tuple[Finding, str]]) -> list[tuple[Finding, str]]:
    """Turn what a standing waiver covers into warnings."""
    if all(finding.effect is Effect.WARN for finding, _ in found):
        return found
    softened = soften(act.session, [finding for finding, _ in found], on=today_of(act.session, act.now))
    return list(zip(softened, [flow for _, flow in found], strict=True))


def _moves(act: Act, edit: Edit, document: Document) -> Iterator[Finding]:
    record, table = edit.record, document.table.name
    about = (table, record.id)
    if edit.operation is Operation.INSERT and str(record.status) not in document.drafts and _is_home_made(record):
        yield block(
            "ILLEGAL_TRANSITION",
            f"Expected {record.number} to start as {document.drafts[0]}, but it was to be born {record.status}.",
            about,
        )
    if edit.operation is not Operation.UPDATE or "status" not in edit.changes:
        return
    before, after = _old_status(act, record, document), str(record.status)
    if before != after and (table, before, after) not in LISTED:
        yield block(
            "ILLEGAL_TRANSITION",
            f"Expected {record.number} to move along a listed transition, but not from {before} to {after}.",
            about,
        )
    elif (before, after) in document.signed_moves:
        yield from _unsigned(act, record, table, signed=document.signed_hash, needs_seat=document.needs_seat)


def _is_home_made(record: Record) -> bool:
    return getattr(record, "origin", None) != "ERP"


def _unsigned(act: Act, record: Record, table: str, *, signed: str, needs_seat: bool) -> Iterator[Finding]:
    approved_hash = getattr(record, signed, None)
    number = getattr(record, "number", record.id)
    if approved_hash is None:
        yield block("UNSIGNED", f"Expected an approved hash on {number}, but there is none.", (table, record.id))
        return
    slots = slots_of(act.session, table, record.id, approved_hash)
    if needs_seat and not slots:
        yield block("UNSIGNED", f"Expected a plan of signatures on {number}, but there is none.", (table, record.id))
    for slot in slots:
        if not slot.is_signed:
            yield block(
                "UNSIGNED",
                f"Expected every signature of the plan on {number}, but {slot.role} (stage {slot.stage}) has not signed this content.",
                (table, record.id),
                owner=f"role:{slot.role}",
            )


def _flow(guarded: Document | Lines | None) -> str:
    if guarded is None:
        return "requisition_to_po"
    return guarded.document.flow if isinstance(guarded, Lines) else guarded.flow


def _document(act: Act, record: Record, guarded: Lines) -> Any:
    """Return the document of a line, also while neither has been written."""
    related = getattr(record, guarded.column.removesuffix("_id"))
    return related or act.session.get_one(guarded.document.mapped, getattr(record, guarded.column))


def _status_of_document(act: Act, record: Record, guarded: Lines) -> str:
    """Return the status of a line's document; one that is not at hand is not loaded for it."""
    mapped, key = guarded.document.mapped, getattr(record, guarded.column)
    held = inspect(record).dict.get(guarded.column.removesuffix("_id"))
    held = held if held is not None else act.session.identity_map.get(identity_key(mapped, key))
    if held is not None:
        return str(held.status)
    table = guarded.document.table
    stored = act.session.connection().scalar(select(table.c.status).where(table.c.id == key))
    return str(stored if stored is not None else _document(act, record, guarded).status)


def _status(act: Act, edit: Edit, guarded: Document | Lines) -> str:
    """Return the status that decides: a document's as stored, unless it goes back to draft; for a line its document's as it will be.

    Documents are written before their lines, so that is what the triggers will see, too.
    """
    if isinstance(guarded, Lines):
        return _status_of_document(act, edit.record, guarded)
    return (
        str(edit.record.status) if str(edit.record.status) in guarded.drafts else _old_status(act, edit.record, guarded)
    )


def _old_status(act: Act, record: Record, document: Document) -> str:
    return str(_stored(act, record, "status"))


def _stored(act: Act, record: Record, name: str) -> object:
    """Return what the database has, also for an attribute whose old value was never loaded."""
    history = inspect(record).attrs[name].history
    if history.deleted:
        return history.deleted[0]
    if not history.has_changes():
        return getattr(record, name)
    column = type(record).__table__.columns[name]  # type: ignore[attr-defined]
    return act.session.connection().scalar(select(column).where(type(record).__table__.columns["id"] == record.id))  # type: ignore[attr-defined]


def _texts(act: Act, edit: Edit) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the changes in canonical text; an old value that was never loaded is looked up, not taken for empty."""
    unknown = {name for name, (old, _) in edit.changes.items() if old is None}
    known = {name: (_stored(act, edit.record, name), edit.changes[name][1]) for name in unknown}
    whole = replace(edit, changes={**edit.changes, **known})
    yield from (change for change in whole.texts() if change[1] != change[2])


def _controlled_texts(guard: LockstepGuard, edit: Edit, guarded: Lines) -> Iterator[tuple[str, str | None, str | None]]:
    controlled = {guarded.column, *guard.policy.fields(edit.record_type)}
    return (change for change in edit.texts() if change[0] in controlled)


def _arrives_with_its_document(act: Act, edit: Edit, guarded: Lines) -> bool:
    if edit.operation is not Operation.INSERT:
        return False
    document = _document(act, edit.record, guarded)
    if getattr(document, "origin", None) != "ERP":
        return False
    return document in act.session.new or (document.version == 1 and document.created_at == edit.record.created_at)


def _cancels_a_line(edit: Edit, name: str, texts: tuple[str | None, str | None], status: str) -> bool:
    """Whether a line is cancelled, or a cancelled one opened, under an order that is no draft."""
    return (edit.record_type, name) == ("purchase_order_line", "status") and "CANCELLED" in texts and status != "DRAFT"


def _decides_a_revision(edit: Edit, name: str, new: str | None) -> bool:
    """Whether a part revision is released, superseded or made obsolete."""
    return (edit.record_type, name) == ("part_revision", "status") and new in DECIDED


def _way_out(table: str, status: str) -> str:
    if table == "purchase_order" and status not in BEFORE_SENDING:
        return "An amendment is needed: the supplier has this order."
    return WAYS_OUT.get(table, "")


def _shown(text: str | None) -> str:
    return "nothing" if text is None else text[:80] or "an empty text"
