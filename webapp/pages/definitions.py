"""Versions of processes: what changed from one to another, file by file, in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.database import is_id
from engine.definition_tree import compare_files
from engine.errors import NotFound
from engine.stored.definition import Definition, DefinitionFile
from webapp.redline import View, view_of
from webapp.visit import reading

pages = Blueprint("definitions", __name__)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a bundle in two versions. path: its name; state: added, removed, changed, or drawn for one that runs the same."""

    path: str
    state: str
    view: View


@pages.get("/operations/definitions/<definition_id>/changes")
def changes(definition_id: str) -> str:
    """Show what changed in a version of a process since the one before it, or since the one asked for."""
    session = reading()
    definition = session.get(Definition, definition_id) if is_id(definition_id) else None
    if definition is None:
        raise NotFound("Expected a version of a process at this address, but there is none.")
    others = _others(session, definition)
    asked = request.args.get("against", "")
    before = next((one for one in others if one.id == asked), None)
    if before is None:
        before = next((one for one in others if one.version < definition.version), None)
    return render_template(
        "operations/changes.html", definition=definition, before=before, others=others,
        files=compare(session, before, definition) if before is not None else (),
        is_wide=request.args.get("view") == "sides",
    )  # fmt: skip


def compare(session: Session, before: Definition, after: Definition) -> list[FileChange]:
    """Return the files of a bundle that came, went or changed, those that run otherwise first."""
    old, new = _files(session, before), _files(session, after)
    found: list[FileChange] = []
    for path in sorted({*old, *new}):
        if path not in old or path not in new:
            found.append(FileChange(path, "added" if path in new else "removed", View()))
        elif old[path] != new[path]:
            redline = compare_files((path, old[path]), (path, new[path]))
            view = view_of(redline, prefix=f"file-{len(found) + 1}")
            found.append(FileChange(path, "changed" if view else "drawn", view))
    return sorted(found, key=lambda one: one.state == "drawn")


def _others(session: Session, definition: Definition) -> list[Definition]:
    wanted = select(Definition).where(Definition.process_id == definition.process_id, Definition.id != definition.id)
    return list(session.scalars(wanted.order_by(Definition.version.desc())))


def _files(session: Session, definition: Definition) -> dict[str, bytes]:
    """Return the files of a bundle by their names: from which folder each was deployed says nothing about what it is."""
    wanted = select(DefinitionFile).where(DefinitionFile.definition_id == definition.id)
    return {PurePath(file.path).name: file.content for file in session.scalars(wanted)}
