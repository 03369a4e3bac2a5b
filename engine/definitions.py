"""Definitions: deploy a bundle, refuse what cannot run, find a released version, hand out the parsed one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from dmn import Result
from dmn.errors import DmnError
from engine import starts
from engine.bundle import Deployed, Library, Parts, Table, file_hash, normalised, parts_of, read_diagrams, read_library
from engine.cache import Cache
from engine.clock import now_of
from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound
from engine.forms import Form
from engine.functions import HOUSE, lent
from engine.spiff.problems import Problem
from engine.stored.definition import Definition, DefinitionFile, DefinitionStatus

if TYPE_CHECKING:
    from engine.act import Act

__all__ = [
    "Definition",
    "DefinitionFile",
    "DefinitionStatus",
    "Deployed",
    "Problem",
    "check",
    "deploy",
    "deploy_all",
    "draft",
    "evaluate",
    "latest_form",
    "latest_table",
    "of_version",
    "parsed",
    "release",
    "released",
]


def check(files: Mapping[str, bytes]) -> list[Problem]:
    """Return every reason why these files could not be deployed together, in file and line order."""
    library = read_library(files)
    problems = list(library.problems)
    for process_id in library.processes:
        problems += parts_of(library, process_id).problems
    return sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.message))


def deploy(act: Act, files: Mapping[str, bytes], *, process_id: str | None = None) -> Definition:
    """Release a bundle in the name of the caller and return its version; the same content is the same version.

    files: path to bytes; what the process does not reach is left out. process_id: the process to deploy; without it
    there must be one that no other one calls. Raises: Invalid with every problem, ``fields`` by file:line.
    """
    library = _usable(files)
    return _release(act, library, process_id or _main(library))


def deploy_all(act: Act, files: Mapping[str, bytes]) -> list[Definition]:
    """Release every executable process of the files, each with what it reaches. Raises: Invalid as ``deploy``."""
    library = _usable(files)
    wanted = [process.id for process in library.processes.values() if process.is_executable]
    return [_release(act, library, process_id) for process_id in sorted(wanted or library.processes)]


def draft(act: Act, files: Mapping[str, bytes], *, process_id: str | None = None) -> Definition:
    """Store a bundle as a draft version that nothing starts yet, or return the newest one with this content. Raises: as ``deploy``."""
    library = _usable(files)
    process_id = process_id or _main(library)
    parts = _runnable(library, process_id)
    versions = _versions(act, process_id)
    if versions and versions[0].hash == parts.hash:
        return versions[0]
    definition = _add(act, library, parts, version=versions[0].version + 1 if versions else 1)
    act.note("definition", definition.id, "DRAFTED", field=process_id, new=f"{definition.version} {definition.hash}")
    return definition


def release(act: Act, definition: Definition) -> Definition:
    """Release a draft version: the next start takes it. Raises: what a guard refuses."""
    library = read_library({row.path: row.content for row in _files(act.session, definition.id)})
    return _take_up(act, definition, parts_of(library, definition.process_id))


def _usable(files: Mapping[str, bytes]) -> Library:
    library = read_library(files)
    _refuse(library.problems)
    if not library.processes:
        raise Invalid("Expected a bundle with a process, but there is no .bpmn file in it")
    return library


def _refuse(problems: tuple[Problem, ...] | list[Problem]) -> None:
    if problems:
        fields: dict[str, str] = {}
        for problem in problems:
            place = f"{problem.file}:{problem.line}"
            fields[place] = f"{fields[place]} {problem}" if place in fields else str(problem)
        lines = "\n".join(str(problem) for problem in problems)
        raise Invalid(f"Expected a bundle that can run, but found {len(problems)} problem(s):\n{lines}", fields)


def _main(library: Library) -> str:
    called = {
        element.called.process_id.text
        for process in library.processes.values()
        for element in process.elements.values()
        if element.called is not None
    }
    roots = [process.id for process in library.processes.values() if process.id not in called]
    if len(roots) != 1:
        found = ", ".join(sorted(roots)) or "none"
        raise Invalid(f"Expected one process that no other one calls, but found {found}; say which one to deploy")
    return roots[0]


def _release(act: Act, library: Library, process_id: str) -> Definition:
    parts = _runnable(library, process_id)
    versions = _versions(act, process_id)
    if versions and versions[0].hash == parts.hash and versions[0].status == DefinitionStatus.RELEASED:
        return versions[0]
    definition = _add(act, library, parts, version=versions[0].version + 1 if versions else 1)
    return _take_up(act, definition, parts)


def _runnable(library: Library, process_id: str) -> Parts:
    if process_id not in library.processes:
        raise NotFound(f"Expected a process {process_id} in the bundle, but there is none")
    parts = parts_of(library, process_id)
    _refuse(parts.problems)
    return parts


def _versions(act: Act, process_id: str) -> list[Definition]:
    """Return every version of a process, the newest first, with no other act about to make the next one.

    Locking the rows is not enough: whoever waited for them would not see the version that was added meanwhile.
    """
    if act.session.get_bind().dialect.name == "postgresql":
        waiting = text("SELECT pg_advisory_xact_lock(hashtextextended(:process, 0))")
        act.session.execute(waiting, {"process": f"versions of {process_id}"})
    query = select(Definition).where(Definition.process_id == process_id).order_by(Definition.version.desc())
    return list(act.session.scalars(query.with_for_update()))


def _take_up(act: Act, definition: Definition, parts: Parts) -> Definition:
    definition.status, definition.released_at, definition.released_by = DefinitionStatus.RELEASED, act.now, act.actor
    act.session.flush()
    starts.subscribe(act, definition, parts.process)
    act.note(
        "definition", definition.id, "RELEASED", field=definition.process_id, new=f"{definition.version} {parts.hash}"
    )
    return definition


def _add(act: Act, library: Library, parts: Parts, *, version: int) -> Definition:
    process = parts.process
    definition = Definition(
        process_id=process.id,
        name=process.name or process.id,
        version=version,
        version_tag=process.version_tag,
        hash=parts.hash,
        status=DefinitionStatus.DRAFT,
        main_file=process.file,
        deployed_at=act.now,
        deployed_by=act.actor,
    )
    act.session.add(definition)
    act.session.flush()
    for kind, key, path in parts.files:
        content = normalised(library.files[path])
        row = DefinitionFile(
            definition_id=definition.id, kind=kind, key=key, path=path, hash=file_hash(content), content=content
        )
        act.session.add(row)
    return definition


_RELEASED = (
    select(Definition)
    .where(Definition.process_id == bindparam("process"), Definition.status == DefinitionStatus.RELEASED)
    .order_by(Definition.version.desc())
    .limit(1)
)


def released(session: Session, process_id: str) -> Definition:
    """Return the version that new instances start with. Raises: NotFound."""
    found = session.scalars(_RELEASED, {"process": process_id}).first()
    if found is None:
        raise NotFound(f"Expected a released definition of {process_id}, but there is none; deploy it first")
    return found


def of_version(session: Session, process_id: str, version_tag: str | None) -> Definition:
    """Return the newest released version with a tag. Raises: NotFound."""
    wanted = select(Definition).where(
        Definition.process_id == process_id,
        Definition.status == DefinitionStatus.RELEASED,
        Definition.version_tag == version_tag,
    )
    found = session.scalars(wanted.order_by(Definition.version.desc()).limit(1)).first()
    if found is None:
        raise NotFound(f"Expected a released {process_id} with the tag {version_tag}, but there is none")
    return found


def parsed(session: Session, definition_id: str) -> Deployed:
    """Return the parsed bundle of a definition; its files are read from the database at the first use only."""
    cache: Cache[Deployed] = session.info["installation"].definitions
    return cache.get(definition_id, lambda: _read(session, definition_id))


def _read(session: Session, definition_id: str) -> Deployed:
    definition = session.get(Definition, definition_id) if is_id(definition_id) else None
    if definition is None:
        raise NotFound(f"Expected a definition {definition_id}, but there is none")
    files = {row.path: row.content for row in _files(session, definition_id)}
    library = read_library(files, is_deployed=True)
    if library.problems:
        raise Conflict(
            f"Expected the stored bundle of {definition.process_id} to be readable, but {library.problems[0]}",
            code="UNREADABLE",
        )
    return Deployed(
        definition.id,
        definition.process_id,
        definition.hash,
        read_diagrams(files, is_deployed=True),
        library.forms,
        library.tables,
    )


def _files(session: Session, definition_id: str) -> list[DefinitionFile]:
    return list(session.scalars(select(DefinitionFile).where(DefinitionFile.definition_id == definition_id)))


def latest_table(session: Session, decision_id: str, version_tag: str | None = None) -> Table:
    """Return the newest deployed table with a decision, whichever bundle brought it. Raises: NotFound.

    version_tag: that the decision bears; None takes any.
    """
    for definition_id in _holding(session, "decision", decision_id, tagged=version_tag is not None):
        table = parsed(session, definition_id).tables.get(decision_id)
        if table is not None and version_tag in (None, table.tags.get(decision_id)):
            return table
    tag = f" with the tag {version_tag}" if version_tag is not None else ""
    raise NotFound(f"Expected a deployed table {decision_id}{tag}, but there is none")


def latest_form(session: Session, form_id: str, version_tag: str | None = None) -> Form | None:
    """Return the newest deployed form with an id, whichever bundle brought it; None when there is none.

    version_tag: the form's own ``versionTag``; None takes any.
    """
    for definition_id in _holding(session, "form", form_id, tagged=version_tag is not None):
        form = parsed(session, definition_id).forms.get(form_id)
        if form is not None and version_tag in (None, form.schema.get("versionTag")):
            return form
    return None


def _holding(session: Session, kind: str, key: str, *, tagged: bool) -> Iterator[str]:
    """Yield the released definitions that hold a file, newest first: one for each content it ever had, or only the newest."""
    query = (
        select(Definition.id, DefinitionFile.hash)
        .join(DefinitionFile, DefinitionFile.definition_id == Definition.id)
        .where(DefinitionFile.kind == kind, DefinitionFile.key == key, Definition.status == DefinitionStatus.RELEASED)
        .order_by(Definition.released_at.desc(), Definition.id.desc())
    )
    seen: set[str] = set()
    for definition_id, content_hash in session.execute(query if tagged else query.limit(1)):
        if content_hash not in seen:
            seen.add(content_hash)
            yield definition_id


def evaluate(session: Session, definition: Definition, decision_id: str, inputs: Mapping[str, Any]) -> Result:
    """Ask a table of a definition, as its instances would; nothing is kept. inputs: plain Python or FEEL values.

    Raises: NotFound when the bundle has no such decision; Invalid when the table cannot answer.
    """
    table = parsed(session, definition.id).tables.get(decision_id)
    if table is None:
        raise NotFound(f"Expected the decision {decision_id} in {definition.process_id}, but its bundle has none")
    try:
        with lent(session):
            return table.model.evaluate(decision_id, inputs, functions=HOUSE, now=now_of(session))
    except (DmnError, ValueError) as error:
        raise Invalid(f"Expected {decision_id} to answer, but {error}") from error
