"""Whether what is kept as bytes is still what its hash says: the bundles that processes run by, and what their chains tell of them.

Files are no records, so no chain has their fields; the hash of the bundle stands in the chain since its release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import LargeBinary, cast, select
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from engine.canonical import content_hash
from engine.stored.definition import Definition, DefinitionFile, DefinitionStatus
from engine.verification import Break

RECORD_TYPE = Definition.__tablename__
RELEASED, DRAFTED = "RELEASED", "DRAFTED"


def check_bundles(session: Session) -> Iterator[Break]:
    """Yield every file that was altered, every version whose files or status are not what its hash and its chain say."""
    made = {str(one.id): one for one in session.scalars(select(Definition).order_by(Definition.id))}
    hashes: dict[str, str] = {}
    for definition_id, files in groupby(_files(session), key=lambda file: str(file.definition_id)):
        parts = []
        for file in files:
            found = hashlib.sha256(bytes(file.content)).hexdigest()
            parts.append((file.kind, file.key, file.path, found))
            if found != file.hash:
                sentence = f"Expected {file.path} as it was deployed, but its content was altered."
                yield Break(DefinitionFile.__tablename__, str(file.id), None, sentence)
        hashes[definition_id] = content_hash([[kind, key, found] for kind, key, _, found in sorted(parts)])
    for definition_id, definition in made.items():
        if hashes.get(definition_id) != definition.hash:
            yield _about(definition, "Expected the files that its hash is of, but they are others: one was altered.")
    yield from _as_told(session, made)


def _files(session: Session) -> Iterator[Any]:
    row = DefinitionFile
    wanted = select(
        row.id, row.definition_id, row.kind, row.key, row.path, row.hash, as_bytes(row.content).label("content")
    )
    yield from session.execute(wanted.order_by(row.definition_id, row.id).execution_options(yield_per=100))


def as_bytes(column: Any) -> Any:
    """Return a column as bytes whatever somebody wrote into it: SQLite keeps text in a column of bytes, and fails to read it."""
    return cast(column, LargeBinary)


def _as_told(session: Session, made: dict[str, Definition]) -> Iterator[Break]:
    """Compare versions with what their chains say: which content was stored, and that it was released."""
    wanted = select(AuditEvent).where(AuditEvent.record_type == RECORD_TYPE, AuditEvent.action.in_([RELEASED, DRAFTED]))
    told = {row.record_id: row for row in session.scalars(wanted.order_by(AuditEvent.record_id, AuditEvent.seq))}
    for definition_id, row in told.items():
        definition = made.get(definition_id)
        if definition is None:
            yield Break(
                RECORD_TYPE,
                definition_id,
                row.seq,
                f"Expected the version of {row.field} that this row tells of, but it is gone.",
            )
        elif row.new != f"{definition.version} {definition.hash}":
            yield _about(definition, f"Expected version and hash “{row.new}”, but they are others.", row.seq)
        elif row.action == RELEASED and definition.status != DefinitionStatus.RELEASED:
            yield _about(definition, f"Expected it released, as this row says, but it is {definition.status}.", row.seq)
    for definition_id, definition in made.items():
        is_told = definition_id in told and told[definition_id].action == RELEASED
        if definition.status != DefinitionStatus.DRAFT and not is_told:
            sentence = f"Expected a draft, since no row of its chain tells of a release, but it is {definition.status}."
            yield _about(definition, sentence)


def _about(definition: Definition, sentence: str, seq: int | None = None) -> Break:
    named = f"{definition.process_id} version {definition.version}: {sentence}"
    return Break(RECORD_TYPE, str(definition.id), seq, named)
