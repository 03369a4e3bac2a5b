"""Bundles: a process with every file it needs.

What belongs together, what it is called by content, what is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from lxml import etree

from dmn import Model, parse
from dmn.errors import DmnError
from engine.cache import Cache
from engine.canonical import content_hash
from engine.dialect import problems_of
from engine.forms import Form, read_form
from engine.functions import HOUSE
from engine.spiff import Bundle, ProcessSpec, Unreadable, read_bundle
from engine.spiff.elements import ElementInfo
from engine.spiff.problems import Problem
from engine.spiff.xml import ZEEBE

KINDS = {".bpmn": "process", ".form": "form", ".dmn": "decision"}
MAX_FILE = 5_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A file of decisions. hash: of its bytes, LF-normalised. tags: its decisions' version tags, by decision."""

    file: str
    model: Model
    hash: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Library:
    """Files as they were given, each read once. problems: why some of them cannot be used."""

    files: Mapping[str, bytes]
    processes: Mapping[str, ProcessSpec]
    forms: Mapping[str, Form]
    tables: Mapping[str, Table]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Parts:
    """The files that one process reaches. files: kind, key and path, sorted. problems.

    What it needs and does not find.
    """

    process: ProcessSpec
    files: tuple[tuple[str, str, str], ...]
    problems: tuple[Problem, ...] = ()
    hash: str = field(default="")


def normalised(content: bytes) -> bytes:
    """Return a file's bytes with line feeds only, as they are hashed and stored."""
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def file_hash(content: bytes) -> str:
    """Return the SHA-256 of a file's normalised bytes."""
    return hashlib.sha256(normalised(content)).hexdigest()


_MODELS: Cache[Model] = Cache(256)
_BUNDLES: Cache[Bundle] = Cache(64)
# Reading is a pure function of the bytes, and what it makes never changes: versions and installations share what is alike.


def read_diagrams(files: Mapping[str, bytes], *, is_deployed: bool = False) -> Bundle:
    """Parse the ``.bpmn`` files among ``files``, the same content once only. is_deployed: as ``read_bundle``. Raises: Unreadable."""
    diagrams = {path: content for path, content in files.items() if path.endswith(".bpmn")}
    key = content_hash([[path, file_hash(content)] for path, content in sorted(diagrams.items())])
    try:
        return _BUNDLES.get(key, lambda: read_bundle(diagrams))
    except Unreadable:
        if not is_deployed:
            raise
        return _BUNDLES.get(f"{key} deployed", lambda: read_bundle(diagrams, is_deployed=True))


def read_library(files: Mapping[str, bytes], *, is_deployed: bool = False) -> Library:
    """Read every file, in any order, and list every problem. is_deployed: as ``read_bundle``."""
    problems: list[Problem] = []
    usable = {path: content for path, content in files.items() if _is_usable(path, content, problems)}
    forms: dict[str, Form] = {}
    tables: dict[str, Table] = {}
    for path in sorted(path for path in usable if path.endswith(".form")):
        form, found = read_form(path, usable[path])
        problems += found
        if form is not None and _is_new(form.id, path, {key: known.file for key, known in forms.items()}, problems):
            forms[form.id] = form
    for path in sorted(path for path in usable if path.endswith(".dmn")):
        _read_table(path, usable[path], tables, problems)
    processes = _read_processes(
        {path: usable[path] for path in usable if path.endswith(".bpmn")}, problems, is_deployed
    )
    for process in processes.values():
        forms |= _forms_inside(process, problems)
    return Library(usable, processes, forms, tables, tuple(problems))


def _forms_inside(process: ProcessSpec, problems: list[Problem]) -> dict[str, Form]:
    """Read the forms that stand in a diagram itself."""
    forms: dict[str, Form] = {}
    for form_id, text in process.forms.items():
        form, found = read_form(process.file, text.encode(), known_as=form_id)
        problems += [replace(problem, line=process.line) for problem in found]
        if form is not None:
            forms[form_id] = form
    return forms


def _is_usable(path: str, content: bytes, problems: list[Problem]) -> bool:
    if PurePosixPath(path).suffix not in KINDS:
        message = "Expected a .bpmn, .form or .dmn file, but this is none."
        problems.append(Problem(path, 1, None, None, message, _ending_for(content) or "Leave it out."))
        return False
    if len(content) > MAX_FILE:
        message = f"Expected at most {MAX_FILE:,} bytes, but the file has {len(content):,}."
        problems.append(Problem(path, 1, None, None, message, "Make it smaller."))
        return False
    return True


def _ending_for(content: bytes) -> str | None:
    """Say which ending a diagram or a table should have that bears another one."""
    begin = content[:4000]
    if b"/spec/BPMN/" in begin:
        return "It is a BPMN diagram: give it the ending .bpmn."
    return "It is a DMN file: give it the ending .dmn." if b"/DMN/" in begin else None


def _is_new(key: str, path: str, known: Mapping[str, str], problems: list[Problem]) -> bool:
    if key in known:
        message = f"Expected the id {key} once, but {known[key]} has it too."
        problems.append(Problem(path, 1, key, None, message, "Rename one of them."))
    return key not in known


def _read_table(path: str, content: bytes, tables: dict[str, Table], problems: list[Problem]) -> None:
    try:
        model = _MODELS.get(f"{path} {file_hash(content)}", lambda: parse(content, name=path, functions=HOUSE))
    except DmnError as error:
        is_diagram = b"/spec/BPMN/" in content[:4000] and b"/DMN/" not in content[:4000]
        remedy = (_ending_for(content) if is_diagram else None) or "Correct the table."
        problems.append(Problem(path, error.line or 1, None, None, f"{error.message}.", remedy))
        return
    for decision_id in (decision.id for decision in model.decisions):
        if _is_new(decision_id, path, {key: known.file for key, known in tables.items()}, problems):
            tables[decision_id] = Table(path, model, file_hash(content), tags_of(content))


def tags_of(content: bytes) -> dict[str, str]:
    """Return the version tags (zeebe:versionTag) that the decisions of a readable DMN file bear, by decision id."""
    if b"versionTag" not in content:
        return {}
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    return {
        str(holder.get("id")): str(tag.get("value"))
        for tag in root.iter(f"{{{ZEEBE}}}versionTag")
        if (group := tag.getparent()) is not None
        and (holder := group.getparent()) is not None
        and holder.get("id")
        and tag.get("value")
    }


def _read_processes(
    files: Mapping[str, bytes], problems: list[Problem], is_deployed: bool
) -> Mapping[str, ProcessSpec]:
    if not files:
        return {}
    try:
        bundle = read_diagrams(files, is_deployed=is_deployed)
    except Unreadable as error:
        problems += error.problems
        return {}
    processes = {process_id: bundle.processes[process_id] for process_id in bundle.specs}
    for process in () if is_deployed else processes.values():
        problems += problems_of(process)
    return processes


def parts_of(library: Library, process_id: str) -> Parts:
    """Collect the files that a process reaches: its forms, the processes it calls, the tables that those ask."""
    process = library.processes[process_id]
    reached: dict[str, ProcessSpec] = {process_id: process}
    waiting = [process]
    files: set[tuple[str, str, str]] = set()
    problems: list[Problem] = []
    while waiting:
        current = waiting.pop()
        files.add(("process", PurePosixPath(current.file).stem, current.file))
        for element in current.elements.values():
            files.update(_forms(library, current, element, problems))
            files.update(_tables(library, current, element, problems))
            for called in _called(library, current, element, problems):
                if called.id not in reached:
                    reached[called.id] = called
                    waiting.append(called)
    chosen = tuple(sorted(files))
    hashed = [[kind, key, file_hash(library.files[path])] for kind, key, path in chosen]
    return Parts(process, chosen, tuple(problems), content_hash(hashed))


def _forms(
    library: Library, process: ProcessSpec, element: ElementInfo, problems: list[Problem]
) -> Iterator[tuple[str, str, str]]:
    if element.form_id is None or (element.user_task is not None and element.user_task.form_binding != "deployment"):
        return
    if not element.form_id.is_static:
        yield from (("form", form.id, form.file) for form in library.forms.values() if form.file.endswith(".form"))
    elif element.form_id.text in process.forms:
        return  # It stands in the diagram, which is a part already.
    elif (form := library.forms.get(element.form_id.text)) is not None:
        yield "form", form.id, form.file
    else:
        wanted = element.form_id.text
        message = f"Expected the form {wanted} in the bundle, but no file has that id."
        remedy = f"Add {process.id}.{wanted}.form, or correct the form id."
        if wanted.startswith(f"{process.id}#"):
            remedy = "Add the zeebe:userTaskForm to the process, or set formId to the id of a .form file."
        problems.append(_missing(process, element, message, remedy))


def _tables(
    library: Library, process: ProcessSpec, element: ElementInfo, problems: list[Problem]
) -> Iterator[tuple[str, str, str]]:
    called = element.decision
    if called is None or called.binding != "deployment":
        return
    if not called.decision_id.is_static:
        yield from {("decision", PurePosixPath(table.file).stem, table.file) for table in library.tables.values()}
    elif (table := library.tables.get(called.decision_id.text)) is not None:
        yield "decision", PurePosixPath(table.file).stem, table.file
    else:
        wanted = called.decision_id.text
        message = f"Expected the decision {wanted} in the bundle, but no table has that id."
        problems.append(_missing(process, element, message, f"Add {wanted}.dmn, or correct the decision id."))


def _called(
    library: Library, process: ProcessSpec, element: ElementInfo, problems: list[Problem]
) -> Iterator[ProcessSpec]:
    called = element.called
    if called is None or called.binding != "deployment":
        return
    if not called.process_id.is_static:
        yield from library.processes.values()
    elif (found := library.processes.get(called.process_id.text)) is not None:
        yield found
    else:
        wanted = called.process_id.text
        message = f"Expected the process {wanted} in the bundle, but no diagram has that id."
        problems.append(_missing(process, element, message, f"Add {wanted}.bpmn, or bind the call to latest."))


def _missing(process: ProcessSpec, element: ElementInfo, message: str, remedy: str) -> Problem:
    return Problem(process.file, element.line, element.id, element.name, message, remedy)


@dataclass(frozen=True)
class Deployed:
    """A deployed bundle, parsed once and never changed: shared by every instance and every thread."""

    definition_id: str
    process_id: str
    hash: str
    bundle: Bundle
    forms: Mapping[str, Form]
    tables: Mapping[str, Table]

    @property
    def process(self) -> ProcessSpec:
        """The process that the definition is named after."""
        return self.bundle.processes[self.process_id]
