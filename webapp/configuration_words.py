"""What a change of the configuration changed, in words: which rows of a table, which files of a process."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.audit import AuditEvent
from engine.definition_tree import compare_files
from engine.errors import Invalid
from engine.stored.definition import Definition, DefinitionFile
from rules.table_version import RECORD_TYPE, RuleTableVersion

TABLE = ".dmn"
Content = tuple[str, bytes]


def sentences_of(session: Session, row: AuditEvent) -> list[str]:
    """Return what an event of the configuration brought, one sentence each; nothing for events that speak for themselves."""
    if row.record_type == RECORD_TYPE and row.new is not None:
        return _of_table(session, row.record_id, row.old, row.new)
    if (row.record_type, row.action) == ("definition", "RELEASED"):
        return _of_definition(session, row.record_id)
    return []


def _of_table(session: Session, name: str, old: str | None, new: str) -> list[str]:
    before = session.get(RuleTableVersion, (name, old)) if old is not None else None
    after = session.get(RuleTableVersion, (name, new))
    if before is None or after is None:
        return []
    path = f"{name}{TABLE}"
    return _told((path, before.content), (path, after.content))


def _of_definition(session: Session, definition_id: str) -> list[str]:
    definition = session.get(Definition, definition_id)
    if definition is None:
        return []
    earlier = select(Definition).where(
        Definition.process_id == definition.process_id, Definition.version < definition.version
    )
    before = session.scalars(earlier.order_by(Definition.version.desc()).limit(1)).first()
    was, now = (_files(session, one.id) if one is not None else {} for one in (before, definition))
    if before is None:
        return [f"the first version, with {len(now)} files"]
    changed = sorted(key for key in {*was, *now} if _hash(was, key) != _hash(now, key))
    if not changed:
        return ["nothing changed"]
    tables = [key for key in changed if key in was and key in now and now[key][0].endswith(TABLE)]
    return [
        f"changed: {', '.join(changed)}",
        *(
            sentence
            for key in tables
            for sentence in _told(
                (was[key][0], _content(session, was[key])), (now[key][0], _content(session, now[key]))
            )
        ),
    ]


def _told(old: Content, new: Content) -> list[str]:
    """Return the differences of two tables; a file that cannot be read any more is told as such, for the rest is told all the same."""
    try:
        found = compare_files(old, new)
    except Invalid as refusal:
        return [f"{new[0]} changed, but cannot be told row by row: {refusal.message}"]
    told = [one.sentence for one in found.differences if one.is_counted]
    return told or ["nothing that runs differs; only how it is drawn or written"]


def _files(session: Session, definition_id: str) -> Mapping[str, tuple[str, str]]:
    """Return path and hash of each file of a version, by key."""
    wanted = select(DefinitionFile.key, DefinitionFile.path, DefinitionFile.hash)
    rows = session.execute(wanted.where(DefinitionFile.definition_id == definition_id))
    return {row.key: (row.path, row.hash) for row in rows}


def _hash(files: Mapping[str, tuple[str, str]], key: str) -> str | None:
    return files[key][1] if key in files else None


def _content(session: Session, file: tuple[str, str]) -> bytes:
    wanted = select(DefinitionFile.content).where(DefinitionFile.hash == file[1]).limit(1)
    return session.scalars(wanted).one()
