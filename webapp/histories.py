"""Histories: who did what to a document or to the configuration, when, why, and under which signature; filtered, and as CSV."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from engine.database import Base, is_id
from engine.errors import Invalid
from engine.instances import instances_of
from engine.record import Record
from engine.stored.definition import Definition, DefinitionFile
from processes.evidence import belonging
from records.signature import Signature
from records.signing import printed
from webapp import configuration_words, ledger
from webapp.dossiers import record_url
from webapp.formats import words
from webapp.naming import called

PAGE = 100
MOST = 50_000
"""Rows of one CSV file."""

CONFIGURATION: Mapping[str, str] = {
    "rule_table": "Tables", "definition": "Processes", "flow_mode": "Modes", "mode_switch": "Modes", "role": "Roles",
    "role_grant": "Roles", "delegation": "Roles", "user_account": "People", "api_key": "Keys", "checkpoint_key": "Keys",
    "legal_hold": "Holds", "site": "Plant", "holiday": "Plant", "board": "Boards", "board_membership": "Boards",
    "board_rule": "Boards",
    "table_in_force": "Tables", "rule_table_version": "Tables", "definition_file": "Processes", "definition_lock": "Processes",
}  # fmt: skip
"""What configures the house, with the word people filter by."""

COMING_AND_GOING = ("SIGNED_IN", "SIGNED_OUT")
"""Events of an account that change nothing."""

COLUMNS = (
    "at", "who", "on_behalf_of", "record_type", "record", "row", "action", "field", "old", "new", "reason", "signature", "hash",
    "in_words",
)  # fmt: skip

About = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a history is narrowed to; empty for everything."""

    person: str = ""
    field: str = ""
    kind: str = ""
    word: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as a page shows it. about: which record; signature: as printed, of the act it belongs to; told: what it changed."""

    event: ledger.Event
    record_type: str
    about: str
    url: str
    on_behalf_of: str
    signature: str
    told: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A page of a history, newest first. after: the id to go on from; the choices are what its filters offer."""

    entries: Sequence[Entry]
    total: int
    after: str
    people: Sequence[str]
    fields: Sequence[str]
    kinds: Sequence[str]

    @property
    def groups(self) -> list[tuple[Entry, Sequence[Entry]]]:
        """The entries, each with those that say more values of the same row in the same act; few stay apart."""
        found: list[list[Entry]] = []
        for entry in self.entries:
            if found and _is_same_deed(found[-1][-1], entry):
                found[-1].append(entry)
            else:
                found.append([entry])
        return [
            (group[0], tuple(group[1:])) if is_long else (one, ())
            for group in found
            for is_long in [len(group) > ledger.FEW]
            for one in (group[:1] if is_long else group)
        ]


def _is_same_deed(last: Entry, entry: Entry) -> bool:
    one, other = last.event, entry.event
    if not (one.is_value and other.is_value) or (last.record_type, last.about) != (entry.record_type, entry.about):
        return False
    return (one.actor, one.at, one.words.split(" ")[0]) == (other.actor, other.at, other.words.split(" ")[0])


def of_document(session: Session, record: Record) -> ColumnElement[bool]:
    """Return the events of a document, of every row that belongs to it, and of its runs."""
    abouts = list(belonging(session, record))
    abouts += [("instance", run.id) for run in instances_of(session, record.record_type, record.id)]
    return of_chains(abouts)


def of_chains(abouts: Sequence[About]) -> ColumnElement[bool]:
    """Return the events of some chains."""
    return tuple_(AuditEvent.record_type, AuditEvent.record_id).in_(list(abouts))


def of_configuration(session: Session, wanted: Wanted) -> ColumnElement[bool]:
    """Return the events of the configuration. word: a table or another record by its name."""
    kinds = [kind for kind, group in CONFIGURATION.items() if wanted.kind in ("", group)]
    told = and_(AuditEvent.record_type.in_(kinds), AuditEvent.action.not_in(COMING_AND_GOING))
    if not wanted.word:
        return told
    bundles = changing(session, wanted.word)
    is_meant = or_(
        AuditEvent.record_id == wanted.word, AuditEvent.new == wanted.word, AuditEvent.field == wanted.word,
        and_(AuditEvent.record_type == "definition", AuditEvent.record_id.in_(bundles)),
    )  # fmt: skip
    return and_(told, is_meant)


def changing(session: Session, key: str) -> list[str]:
    """Return the versions of processes whose bundle brought another content of a table, form or diagram than the one before."""
    rows = session.execute(
        select(Definition.process_id, Definition.id, DefinitionFile.hash)
        .join(DefinitionFile, DefinitionFile.definition_id == Definition.id)
        .where(DefinitionFile.key == key)
        .order_by(Definition.process_id, Definition.version)
    )
    before: dict[str, str] = {}
    found = []
    for process_id, definition_id, content in rows:
        if before.get(process_id) != content:
            found.append(str(definition_id))
        before[process_id] = content
    return found


def page_of(session: Session, told: ColumnElement[bool], wanted: Wanted, *, kinds: Sequence[str] = ()) -> History:
    """Return a page of a history. kinds: what its kinds are when they are not its actions."""
    narrowed = _narrowed(told, wanted, by_action=not kinds)
    rows = list(session.scalars(_ordered(session, narrowed, wanted.after).limit(PAGE + 1)))
    total = session.scalar(select(func.count()).select_from(AuditEvent).where(narrowed)) or 0
    shown = rows[:PAGE]
    return History(
        _entries(session, shown), total, shown[-1].id if len(rows) > PAGE else "",
        _choices(session, told, AuditEvent.actor), _choices(session, told, AuditEvent.field),
        kinds or _choices(session, told, AuditEvent.action),
    )  # fmt: skip


def rows_of(session: Session, told: ColumnElement[bool], wanted: Wanted, *, by_action: bool = True) -> list[list[str]]:
    """Return a history for a CSV file: canonical values, newest first."""
    rows = list(session.scalars(_ordered(session, _narrowed(told, wanted, by_action=by_action), "").limit(MOST)))
    signatures = _signatures(session, rows)
    return [
        [
            row.at.isoformat(), row.actor, row.on_behalf_of or "", row.record_type, row.record_id, str(row.seq), row.action,
            row.field or "", row.old or "", row.new or "", row.reason or "", signatures.get((row.at, row.actor), ""), row.hash,
            " ".join(configuration_words.sentences_of(session, row)),
        ]
        for row in rows
    ]  # fmt: skip


def _narrowed(told: ColumnElement[bool], wanted: Wanted, *, by_action: bool) -> ColumnElement[bool]:
    conditions = [told]
    if wanted.person:
        conditions.append(AuditEvent.actor == wanted.person)
    if wanted.field:
        conditions.append(AuditEvent.field == wanted.field)
    if wanted.kind and by_action:
        conditions.append(AuditEvent.action == wanted.kind)
    return and_(*conditions)


def _ordered(session: Session, narrowed: ColumnElement[bool], after: str) -> Select[AuditEvent]:
    found = select(AuditEvent).where(narrowed).order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
    if not after:
        return found
    last = session.get(AuditEvent, after) if is_id(after) else None
    if last is None:
        raise Invalid("Expected the id to go on from, but found something else")
    return found.where(tuple_(AuditEvent.at, AuditEvent.id) < tuple_(last.at, last.id))


def _choices(session: Session, told: ColumnElement[bool], column: Any) -> list[str]:
    return sorted(filter(None, session.scalars(select(column).where(told).distinct())))


def _entries(session: Session, rows: Sequence[AuditEvent]) -> list[Entry]:
    signatures = _signatures(session, rows)
    names: dict[About, str] = {}
    found = []
    for row in rows:
        about = (row.record_type, row.record_id)
        if about not in names:
            names[about] = name_of(session, *about)
        found.append(
            Entry(
                ledger.event_of(session, row), row.record_type, names[about], record_url(*about), row.on_behalf_of or "",
                signatures.get((row.at, row.actor), ""), configuration_words.sentences_of(session, row),
            )
        )  # fmt: skip
    return found


def _signatures(session: Session, rows: Sequence[AuditEvent]) -> dict[tuple[dt.datetime, str], str]:
    """Return the signatures given in the acts of some events, as printed: an act has one person and one instant."""
    kinds = {row.record_type for row in rows if row.action == "SIGNED"} | {"mode_switch", "legal_hold"}
    moments = sorted({row.at for row in rows})
    found: dict[tuple[dt.datetime, str], str] = {}
    for at in range(0, len(moments), PAGE):
        wanted = select(Signature).where(
            Signature.record_type.in_(sorted(kinds)), Signature.signed_at.in_(moments[at : at + PAGE])
        )
        for signature in session.scalars(wanted):
            text = f"{printed(signature)}; {words(signature.method).lower()}, content {signature.content_hash[:12]}"
            found[signature.signed_at, f"user:{signature.signer_id}"] = text
    return found


def name_of(session: Session, record_type: str, record_id: str) -> str:
    """Return what people call a record: its number or name, else its id."""
    mapped: Any = next((one.class_ for one in Base.registry.mappers if one.class_.__tablename__ == record_type), None)
    is_known = mapped is not None and len(mapped.__mapper__.primary_key) == 1
    found: Any = (
        session.get(mapped, record_id) if is_known and (is_id(record_id) or record_type == "user_account") else None
    )
    if isinstance(found, Definition):
        return f"{found.name} version {found.version}"
    if record_type == "user_account":
        return record_id
    return getattr(found, "number", None) or called(found) or record_id
