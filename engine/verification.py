"""Verify: fold every chain and compare every record with what its chain says it is.

What is found is evidence, not prevention: the guard prevents. A chain whose last rows were all cut off, or that was
written anew with other hashes, folds well: the signed checkpoints tell of it (``engine.checkpoint_check``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from sqlalchemy import LargeBinary, Numeric, Text, cast, func, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from engine import decisions
from engine.audit import GENESIS, AuditEvent
from engine.canonical import canonical
from engine.chain_reading import ACTION, FIELD, HASH, NEW, SEQ, Chain, Row, first_broken, read_chains
from engine.database import Base, IdType, Scaled, is_id
from engine.decisions import Decision
from engine.record import BOOKKEEPING, Chained, Operation, Record, Trace
from engine.stored.instance import Instance

BATCH = 500
"""Records that are held in memory at a time."""


GIVEN = re.compile(r"'(?P<text>[^']*)'(::[\w ]+)?")
"""A text default of a column, as either database tells it."""


@dataclass(frozen=True, slots=True)
class Break:
    """One place where the database is not what its history says. seq: the first row concerned, where it is a row."""

    record_type: str
    record_id: str
    seq: int | None
    sentence: str

    def __str__(self) -> str:
        row = f" row {self.seq}" if self.seq is not None else ""
        return f"{self.record_type} {self.record_id}{row}: {self.sentence}"


UNREADABLE = (LookupError, ValueError, TypeError, ArithmeticError, DBAPIError)
"""What reading a value raises that its column cannot hold: only who wrote past the application puts one there."""

SHIPPED_BY = "system:guard"
"""Who wrote the rows that are installed together with the guard."""

Tell = Callable[[int], None]
"""Told after each batch how many chains were looked at, for a progress bar."""


def count_chains(session: Session) -> int:
    """Return how many chains there are to look at."""
    chains = select(AuditEvent.record_type, AuditEvent.record_id).distinct().subquery()
    return session.scalars(select(func.count()).select_from(chains)).one()


def verify(session: Session, *, tell: Tell = lambda count: None) -> Iterator[Break]:
    """Yield every break: of the audit chains, of the records against them, of the decision chains.

    Everything is read in one snapshot, so that it may run while people work.
    """
    _stand_still(session)
    kinds = {mapped.__tablename__: mapped for mapped in _chained_classes()}
    for record_type, chains in groupby(read_chains(session), key=lambda chain: chain[0][0]):
        yield from _chains_of_type(session, record_type, chains, kinds.get(record_type), tell)
    for mapped in kinds.values():
        yield from _records_without_history(session, mapped)
    yield from _decision_chains(session)


def _stand_still(session: Session) -> None:
    """Read in one snapshot on PostgreSQL too, where each statement else sees what was committed before it."""
    bind = session.get_bind()
    if bind.dialect.name == "postgresql" and not session.in_transaction():
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _chained_classes() -> Iterator[type[Chained]]:
    for mapper in Base.registry.mappers:
        if issubclass(mapper.class_, Chained):
            yield mapper.class_


def _chains_of_type(
    session: Session, record_type: str, chains: Iterable[Chain], mapped: type[Chained] | None, tell: Tell
) -> Iterator[Break]:
    given = given_by_migrations(session, mapped) if mapped is not None else {}
    stood_for: Counter[Trace] = Counter()
    chains = iter(chains)
    while some := [(about[1], rows) for about, rows in islice(chains, BATCH)]:
        ids = [record_id for record_id, _ in some]
        records = texts_of(session, mapped, ids) if mapped is not None else {}
        traced = _traced(session, mapped, ids) if mapped is not None else {}
        for record_id, rows in some:
            yield from _broken_row(record_type, record_id, rows)
            if mapped is not None:
                yield from _differences(record_type, record_id, rows, records.get(record_id), given)
                yield from _without_trace(session, traced.get(record_id), stood_for)
        if record_type == "instance":
            yield from _cut_off(session, dict(some))
        session.expunge_all()
        tell(len(some))


def texts_of(session: Session, mapped: type[Chained], ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """Return every field of some records in canonical text, as the chain writes it, by id. No objects are made."""
    columns = _said_columns(mapped)
    known = [record_id for record_id in ids if _can_be(mapped, record_id)]
    try:
        rows = session.execute(
            select(mapped.id, *(column for _, column, _ in columns)).where(mapped.id.in_(known))
        ).all()
    except UNREADABLE:
        return dict(_one_by_one(session, mapped, known))
    return {
        str(row[0]): {
            name: canonical(value, scale=scale) for (name, _, scale), value in zip(columns, row[1:], strict=True)
        }
        for row in rows
    }


def _one_by_one(
    session: Session, mapped: type[Chained], ids: Sequence[str]
) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Yield the texts of each record by itself, where one of them holds what its column cannot: that value as it lies there."""
    for record_id in ids:
        texts: dict[str, str | None] = {}
        for name, column, scale in _said_columns(mapped):
            wanted = select(column).where(mapped.id == record_id)
            try:
                row = session.execute(wanted).first()
                value = canonical(row[0], scale=scale) if row is not None else None
            except UNREADABLE:
                row = session.execute(select(cast(column, LargeBinary)).where(mapped.id == record_id)).first()
                value = bytes(row[0]).decode("utf-8", "replace") if row is not None else None
            if row is None:
                break
            texts[name] = value
        if texts:
            yield record_id, texts


def _said_columns(mapped: type[Chained]) -> list[tuple[str, Any, int | None]]:
    """Return (field, column, scale) of every field that a chain tells of."""
    unsaid = BOOKKEEPING.union(_written_by_trigger(mapped))
    found = []
    for attribute in inspect(mapped).column_attrs:
        kind = attribute.columns[0].type
        scale = kind.scale if isinstance(kind, (Scaled, Numeric)) else None
        if attribute.key not in unsaid:
            found.append((attribute.key, attribute.columns[0], scale))
    return found


def _can_be(mapped: type[Chained], record_id: str) -> bool:
    """Whether a database may look for this id at all: PostgreSQL refuses a text that is no uuid."""
    return is_id(record_id) or not isinstance(inspect(mapped).columns["id"].type, IdType)


def _traced(session: Session, mapped: type[Chained], ids: Sequence[str]) -> dict[str, Chained]:
    """Return the records in which triggers set something, as objects: they say what each such value stands for."""
    if not _written_by_trigger(mapped):
        return {}
    known = [record_id for record_id in ids if _can_be(mapped, record_id)]
    return {record.id: record for record in session.scalars(select(mapped).where(mapped.id.in_(known)))}


def _broken_row(record_type: str, record_id: str, rows: Sequence[Row]) -> Iterator[Break]:
    position = first_broken(rows)
    if position is not None:
        sentence = "Expected an unbroken chain, but this row was altered, or one before it is missing."
        yield Break(record_type, record_id, position, sentence)


def _differences(
    record_type: str,
    record_id: str,
    rows: Sequence[Row],
    record: Mapping[str, str | None] | None,
    given: Mapping[str, str],
) -> Iterator[Break]:
    """Compare a record with the last value that its chain gives each field.

    given: what a migration wrote into fields that are younger than the record; no chain tells of it.
    """
    folded, changed_by, is_deleted, is_edited = fold(rows)
    if not is_edited:
        return
    if record is None:
        if not is_deleted:
            yield Break(record_type, record_id, None, "Expected the record to be there, but somebody removed it.")
        return
    if is_deleted:
        yield Break(record_type, record_id, None, "Expected the record to be deleted, but it is there again.")
        return
    for name, found in record.items():
        is_given = name not in changed_by and name in given and found == given[name]
        if found != folded.get(name) and not is_given:
            written = (
                f"row {changed_by[name]} of its chain says" if name in changed_by else "no row of its chain set it"
            )
            sentence = f"Expected {name} to be {_said(folded.get(name))} ({written}), but it is {_said(found)}."
            yield Break(record_type, record_id, changed_by.get(name), sentence)


def _without_trace(session: Session, record: Chained | None, stood_for: Counter[Trace]) -> Iterator[Break]:
    """Compare what triggers set in a record with the chains of the edits that it stands for.

    stood_for: how often each edit was claimed so far; one edit sets off one trigger, so that no two records claim the same one.
    """
    if record is None:
        return
    traces = record.traces()
    for name in _written_by_trigger(type(record)):
        value, trace = getattr(record, name), traces.get(name)
        if value is None:
            continue
        if trace is not None:
            stood_for[trace] += 1
        if trace is None or _times_told(session, trace) < stood_for[trace]:
            why = f"no chain tells of the {trace} that would set it" if trace is not None else "nothing sets it"
            sentence = f"Expected {name} to be empty ({why}), but it is {_said(canonical(value))}."
            yield Break(record.__tablename__, record.id, None, sentence)


def _times_told(session: Session, trace: Trace) -> int:
    """Return how often the chains tell of an edit."""
    row = AuditEvent
    wanted = select(func.count()).where(
        row.record_type == trace.record_type, row.record_id == trace.record_id, row.action == trace.operation
    )
    if trace.field:
        wanted = wanted.where(
            row.field == trace.field, row.old.is_not_distinct_from(trace.old), row.new.is_not_distinct_from(trace.new)
        )
    return session.scalars(wanted).one()


def _written_by_trigger(mapped: type[Chained]) -> list[str]:
    attributes = inspect(mapped).column_attrs
    return [attribute.key for attribute in attributes if "written_by" in attribute.columns[0].info]


def given_by_migrations(session: Session, mapped: type[Chained]) -> dict[str, str]:
    """Return the text that a column added by a migration has in every row that was there: its default in the database."""
    columns = inspect(session.connection()).get_columns(mapped.__tablename__)
    defaults = ((column["name"], GIVEN.fullmatch(column["default"] or "")) for column in columns)
    return {name: default["text"] for name, default in defaults if default is not None}


EDITS = frozenset(operation.value for operation in Operation)


def fold(rows: Iterable[Row]) -> tuple[dict[str, str | None], dict[str, int], bool, bool]:
    """Return the last value of each field, the row that wrote it, whether the record was deleted and whether it was edited.

    rows: as ``chain_reading`` reads them.
    """
    values: dict[str, str | None] = {}
    written: dict[str, int] = {}
    is_deleted = is_edited = False
    for row in rows:
        if row[ACTION] not in EDITS:
            continue
        is_edited, is_deleted = True, row[ACTION] == Operation.DELETE
        if row[FIELD]:
            values[row[FIELD]], written[row[FIELD]] = row[NEW], row[SEQ]
    return values, written, is_deleted, is_edited


def _said(text: str | None) -> str:
    return "empty" if text is None else f'"{text}"'


def _cut_off(session: Session, chains: Mapping[str, Sequence[Row]]) -> Iterator[Break]:
    """Compare the chains of instances with the heads that their rows keep."""
    wanted = select(Instance.id, Instance.audit_seq, Instance.audit_hash)
    known = [instance_id for instance_id in chains if is_id(instance_id)]
    kept = {str(row.id): row for row in session.execute(wanted.where(Instance.id.in_(known)))}
    for instance_id, rows in chains.items():
        instance, head = kept.get(instance_id), rows[-1]
        if instance is not None and (head[SEQ], head[HASH]) != (instance.audit_seq, instance.audit_hash):
            sentence = f"Expected the chain to end with row {instance.audit_seq}, but it ends with row {head[SEQ]}."
            yield Break("instance", instance_id, head[SEQ], sentence)


def _records_without_history(session: Session, mapped: type[Chained]) -> Iterator[Break]:
    history = select(AuditEvent.id).where(
        AuditEvent.record_type == mapped.__tablename__, AuditEvent.record_id == _as_text(mapped.id)
    )
    for record in session.scalars(select(mapped).where(~history.exists()).limit(BATCH)):
        if not _is_as_shipped(record):
            sentence = "Expected a history, but there is none: the record was written past the application."
            yield Break(mapped.__tablename__, record.id, None, sentence)


def _is_as_shipped(record: Chained) -> bool:
    """Say whether a record came with the guard (before there was an act to note it) and still holds its defaults."""
    if not isinstance(record, Record):
        return False
    columns = inspect(type(record)).columns
    defaults = {
        column.key: column.default.arg for column in columns if column.default is not None and column.default.is_scalar
    }
    return record.created_by == SHIPPED_BY and all(getattr(record, name) == value for name, value in defaults.items())


def _as_text(column: Any) -> Any:
    """Return a column as the text that chains know it by; an id is a uuid on PostgreSQL."""
    return cast(column, Text)


def _decision_chains(session: Session) -> Iterator[Break]:
    table = Decision.__table__
    after = ""
    wanted = select(Instance.id, Instance.decision_seq, Instance.decision_hash).order_by(Instance.id).limit(BATCH)
    while heads := session.execute(wanted.where(Instance.id > after) if after else wanted).all():
        ids = [head.id for head in heads]
        rows: dict[str, list[Mapping[str, Any]]] = {instance_id: [] for instance_id in ids}
        query = select(table).where(table.c.instance_id.in_(ids)).order_by(table.c.instance_id, table.c.seq)
        for row in session.execute(query).mappings():
            rows[row["instance_id"]].append(dict(row))
        for head in heads:
            yield from _broken_decision(head, rows[head.id])
        after = ids[-1]


def _broken_decision(head: Any, rows: Sequence[Mapping[str, Any]]) -> Iterator[Break]:
    previous = GENESIS
    for position, row in enumerate(rows, start=1):
        if (row["seq"], row["prev_hash"], row["hash"]) != (position, previous, decisions.row_hash(row)):
            sentence = "Expected an unbroken chain of decisions, but this one was altered, or one before it is missing."
            yield Break("decision", head.id, position, sentence)
            return
        previous = row["hash"]
    if len(rows) != head.decision_seq or previous != head.decision_hash:
        sentence = f"Expected {head.decision_seq} decisions, but found {len(rows)}: the last ones were cut off."
        yield Break("decision", head.id, len(rows), sentence)
