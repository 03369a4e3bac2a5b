"""Everything that proves one document: its rows, their chains, who signed what, by which definitions, under which checkpoints."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, inspect, or_, select
from sqlalchemy.orm import Session

from engine import merkle
from engine.audit import HASHED, AuditEvent
from engine.canonical import canonical, content_hash
from engine.checkpoints import known_keys, leaf_hashes, leaf_of, stated
from engine.database import Base, is_id
from engine.decisions import HASHED as DECISION_HASHED
from engine.decisions import Decision
from engine.errors import Conflict, NotFound
from engine.instances import instances_of, records_of
from engine.record import Chained, Record
from engine.stored.checkpoint import Checkpoint, CheckpointLeaf
from engine.stored.definition import Definition, DefinitionFile
from engine.stored.instance import Instance
from engine.verification import given_by_migrations, texts_of
from processes.amendment_draft import amendment_content
from processes.change_orders import content_of
from processes.work_order_release import snapshot_of
from records.amendment import PurchaseOrderAmendment, amendments_of
from records.change_order import ChangeOrder
from records.change_request import ChangeRequest
from records.person import User
from records.purchase_order import PurchaseOrder, approved_content
from records.requisition import Requisition, requisition_content
from records.work_order import WorkOrder

About = tuple[str, str]

KINDS: dict[str, type[Record]] = {
    mapped.__tablename__: mapped
    for mapped in (PurchaseOrder, WorkOrder, PurchaseOrderAmendment, Requisition, ChangeOrder, ChangeRequest)
}
"""Documents that are exported, in the order in which a number is looked for; another kind adds itself."""

NUMBERS: dict[str, tuple[str, ...]] = {"purchase_order": ("po_no", "proposal_no")}
"""Columns that hold a document's number, where it is not ``number``."""

CONTENTS: dict[str, Callable[[Any], Mapping[str, Any]]] = {
    "purchase_order": approved_content, "requisition": requisition_content, "work_order": snapshot_of,
    "change_order": content_of,
    "purchase_order_amendment": lambda amendment: amendment_content(amendment, amendment.changes),
}  # fmt: skip
"""What of a document its signatures are on."""

FORMAT = 1

OWNED_BY = (
    ("record_type", "record_id"), ("owner_type", "owner_id"), ("about_type", "about_id"), ("change_type", "change_id"),
    ("target_type", "record_id"),
)  # fmt: skip
"""Pairs of columns that say which document a row is about."""


def document_called(session: Session, name: str) -> Record:
    """Return a document by its number or id. Raises: NotFound; Conflict when two documents have the number."""
    found: list[Record] = []
    for kind, mapped in KINDS.items():
        columns = inspect(mapped).local_table.columns
        same: list[ColumnElement[bool]] = [
            columns[one] == name for one in NUMBERS.get(kind, ("number",)) if one in columns
        ]
        if is_id(name):
            same.append(columns["id"] == name)
        if same:
            found += session.scalars(select(mapped).where(or_(*same)).limit(2))
    if not found:
        kinds = ", ".join(kind.replace("_", " ") for kind in KINDS)
        raise NotFound(f"Expected the number of a {kinds}, but there is none called {name!r:.60}")
    if len(found) > 1:
        ids = " or ".join(f"{one.id} ({one.record_type.replace('_', ' ')})" for one in found)
        raise Conflict(f"Expected one document called {name}, but there are {len(found)}; say which by its id: {ids}")
    return found[0]


def gather(session: Session, record: Record, *, now: dt.datetime) -> dict[str, Any]:
    """Return all evidence of a document, of an order with its amendments; every text is canonical, so that hashes can be recomputed."""
    changes = amendments_of(session, record) if isinstance(record, PurchaseOrder) else []
    runs = list(
        {run.id: run for one in (record, *changes) for run in instances_of(session, one.record_type, one.id)}.values()
    )
    documents = [record, *changes, *_beside(session, record, runs)]
    rows = list({about: (about, fields) for one in documents for about, fields in _rows(session, one)}.values())
    abouts = [about for about, _ in rows] + [("instance", run.id) for run in runs]
    chains = [_chain(session, about) for about in abouts]
    decisions = [_decisions(session, run.id) for run in runs]
    chains += [chain for chain in decisions if chain["rows"]]
    proofs = [proof for chain in chains if (proof := _proof(session, chain)) is not None]
    return {
        "format": FORMAT,
        "about": {"record_type": record.record_type, "record_id": record.id, "number": _number(record)},
        "made_at": canonical(now),
        "rows": [
            {"of": list(about), "fields": _told(session, about[0], fields, chain)}
            for (about, fields), chain in zip(rows, chains, strict=False)
        ],
        "chains": chains,
        "contents": [content for one in documents for content in _contents(one, rows)],
        "people": _people(session, chains),
        "definitions": [_definition(session, run) for run in runs],
        "checkpoints": _checkpoints(session, {proof["checkpoint"] for proof in proofs}),
        "proofs": _with_ways(session, proofs),
    }


def _beside(session: Session, record: Record, runs: Iterable[Instance]) -> Iterator[Record]:
    """Yield the other documents of a document's runs: an order may rest on the signatures of its requisition."""
    others = dict.fromkeys(about for run in runs for about in records_of(session, run.id))
    for kind, record_id in others:
        other = session.get(KINDS[kind], record_id) if kind in KINDS else None
        if other is not None and other is not record:
            yield other


def _told(
    session: Session, kind: str, fields: Mapping[str, str | None], chain: Mapping[str, Any]
) -> dict[str, str | None]:
    """Leave out what a migration wrote into fields that are younger than the row: no chain tells of it."""
    said = {row["field"] for row in chain["rows"]}
    unsaid = {name: text for name, text in fields.items() if text is not None and name not in said}
    given = given_by_migrations(session, mapped_as(kind)) if unsaid else {}
    return {name: text for name, text in fields.items() if name not in unsaid or given.get(name) != text}


def mapped_as(kind: str) -> type[Chained]:
    """Return the mapped class of a kind of row that has chains."""
    found: type[Chained] = next(one.class_ for one in Base.registry.mappers if one.class_.__tablename__ == kind)
    return found


def _number(record: Record) -> str:
    return str(getattr(record, "number", record.id))


def _rows(session: Session, record: Record) -> Iterator[tuple[About, dict[str, str | None]]]:
    """Yield the document and every row that belongs to it, with their fields."""
    for kind, abouts in groupby(belonging(session, record), key=lambda about: about[0]):
        ids = [record_id for _, record_id in abouts]
        fields = texts_of(session, mapped_as(kind), ids)
        yield from (((kind, record_id), fields[record_id]) for record_id in ids)


def belonging(session: Session, record: Record) -> Iterator[About]:
    """Yield the document, the rows that refer to it by key, and the rows about it (signatures, slots, holds), kind by kind."""
    yield record.record_type, record.id
    for mapper in sorted(Base.registry.mappers, key=lambda one: one.class_.__tablename__):
        mapped = mapper.class_
        wanted = _about(mapped, record) if issubclass(mapped, Chained) and mapped is not type(record) else []
        if wanted:
            own = mapped.__table__.columns["id"]
            ids = session.scalars(select(own).where(or_(*wanted)).order_by(own))
            yield from ((mapped.__tablename__, str(record_id)) for record_id in ids)


def _about(mapped: type[Any], record: Record) -> list[ColumnElement[bool]]:
    """Return the conditions under which a row of a class belongs to a document; none when it never does."""
    columns = mapped.__table__.columns
    wanted = [columns[name] == record.id for name in _keys_to(mapped, type(record))]
    for kind, key in OWNED_BY:
        if kind in columns and key in columns:
            wanted.append((columns[kind] == record.record_type) & (columns[key] == record.id))
    return wanted


def _keys_to(mapped: type[Any], target: type[Record]) -> list[str]:
    columns = mapped.__table__.columns
    return [
        one.name for one in columns if any(key.column.table is inspect(target).local_table for key in one.foreign_keys)
    ]


def _chain(session: Session, about: About) -> dict[str, Any]:
    table = AuditEvent.__table__.c
    names = (*HASHED, "hash")
    wanted = select(*(table[name] for name in names)).where(table.record_type == about[0], table.record_id == about[1])
    rows = session.execute(wanted.order_by(table.seq)).mappings()
    return {"of": list(about), "rows": [_plain(dict(row)) for row in rows]}


def _decisions(session: Session, instance_id: str) -> dict[str, Any]:
    table = Decision.__table__.c
    wanted = select(*(table[name] for name in (*DECISION_HASHED, "hash"))).where(table.instance_id == instance_id)
    rows = session.execute(wanted.order_by(table.seq)).mappings()
    return {"of": ["decision", instance_id], "rows": [_plain(dict(row)) for row in rows]}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with every value as it was hashed: whole numbers as they are, anything else as canonical text."""
    return {name: value if isinstance(value, int) else canonical(value) for name, value in row.items()}


def _contents(record: Record, rows: Iterable[tuple[About, Mapping[str, str | None]]]) -> Iterator[dict[str, Any]]:
    """Yield the document's content as its valid signatures are on it; an earlier content is gone, its signatures are superseded."""
    content_of = CONTENTS.get(record.record_type)
    if content_of is None:
        return
    content = content_of(record)
    signed = {
        fields["content_hash"] for about, fields in rows if about[0] == "signature" and fields["status"] == "VALID"
    }
    if content_hash(content) in signed:
        yield {"hash": content_hash(content), "content": content}


def _people(session: Session, chains: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names of those who acted, as they are now; signatures carry the printed name of their day."""
    acted = {str(row.get("actor", "")).partition(":")[2] for chain in chains for row in chain["rows"]}
    users = session.scalars(select(User).where(User.id.in_(sorted(acted))).order_by(User.id))
    return {f"user:{user.id}": f"{user.name} ({user.id})" for user in users}


def _definition(session: Session, run: Instance) -> dict[str, Any]:
    definition = session.get_one(Definition, run.definition_id)
    files = select(DefinitionFile.kind, DefinitionFile.key, DefinitionFile.path, DefinitionFile.hash)
    listed = session.execute(
        files.where(DefinitionFile.definition_id == definition.id).order_by(DefinitionFile.path)
    ).mappings()
    return {
        "instance_id": run.id, "process": definition.process_id, "name": definition.name, "version": definition.version,
        "hash": definition.hash, "released_at": canonical(definition.released_at), "released_by": definition.released_by,
        "files": [dict(row) for row in listed],
    }  # fmt: skip


def _proof(session: Session, chain: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the newest head of a chain that a checkpoint saw, or None while none did."""
    record_type, record_id = chain["of"]
    leaf = CheckpointLeaf
    wanted = select(leaf).where(leaf.record_type == record_type, leaf.record_id == record_id)
    newest = session.scalar(wanted.order_by(leaf.seq.desc(), leaf.number.desc()).limit(1))
    if newest is None:
        return None
    head = [newest.record_type, newest.record_id, newest.seq, newest.hash]
    return {"checkpoint": newest.number, "position": newest.position, "leaf": head}


def _with_ways(session: Session, proofs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each proof the way from its leaf to the root of its checkpoint."""
    for number in {proof["checkpoint"] for proof in proofs}:
        mine = [proof for proof in proofs if proof["checkpoint"] == number]
        hashes = leaf_hashes(session, number)
        ways = merkle.proofs(hashes, [proof["position"] for proof in mine])
        for proof, way in zip(mine, ways, strict=True):
            assert hashes[proof["position"]] == merkle.leaf_hash(leaf_of(*proof["leaf"]))
            proof["way"] = way
    return proofs


def _checkpoints(session: Session, numbers: Iterable[int]) -> dict[str, Any]:
    keys = known_keys(session)
    found = {}
    for number in sorted(numbers):
        made = session.get_one(Checkpoint, number)
        said = {name: value if isinstance(value, int) else canonical(value) for name, value in stated(made).items()}
        found[str(number)] = {"statement": said, "signature": made.signature, "public_key": keys[made.key_id]}
    return found
