"""A parsed definition: what a set of files says, ready to run, shared by every instance and every thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lxml import etree

from engine.spiff.checks import check_process
from engine.spiff.elements import ProcessSpec
from engine.spiff.extensions import LONGEST_WORDS
from engine.spiff.parser import build_specs
from engine.spiff.problems import Problem, Unreadable
from engine.spiff.reading import read_process, refuse_unknown_extensions
from engine.spiff.xml import Reader, child, children, is_bpmn, kind_of, line_of, open_diagram


@dataclass(frozen=True)
class Bundle:
    """The processes of a set of files, by process id. Nothing in it changes once made."""

    processes: Mapping[str, ProcessSpec]
    specs: Mapping[str, Any] = field(repr=False)
    """What runs: SpiffWorkflow's specs of the executable processes. For engine/spiff only."""

    def spec(self, process_id: str) -> Any:
        """Return what runs. Raises: KeyError for a process that is unknown or not executable."""
        if process_id not in self.specs:
            raise KeyError(f"Expected {process_id} to be an executable process of this bundle, but it is none")
        return self.specs[process_id]


def read_bundle(files: Mapping[str, bytes], *, is_deployed: bool = False) -> Bundle:
    """Parse the ``.bpmn`` files among ``files`` (name → bytes; others are ignored).

    is_deployed: they were taken once, and run; a law on their shape that came later does not take them away.
    Raises: Unreadable with every reason found, in all files.
    """
    named = [(name, data) for name, data in sorted(files.items()) if name.endswith(".bpmn")]
    readings = [_read(Reader(name), data, is_deployed=is_deployed) for name, data in named]
    problems = [problem for reading in readings for problem in reading.reader.problems]
    problems += _shared_ids(readings)
    if not problems and not any(process.is_executable for reading in readings for process in reading.processes):
        problems.append(_nothing_runs(readings))
    if problems:
        raise Unreadable(problems)
    processes: dict[str, ProcessSpec] = {}
    specs: dict[str, Any] = {}
    for reading in readings:
        processes |= {process.id: process for process in reading.processes}
        executable = {process.id: process for process in reading.processes if process.is_executable}
        specs |= build_specs(reading.root, reading.reader.file, executable)
    return Bundle(MappingProxyType(processes), MappingProxyType(specs))


@dataclass(slots=True)
class _Reading:
    reader: Reader
    root: Any = None
    processes: list[ProcessSpec] = field(default_factory=list)


def _read(reader: Reader, data: bytes, *, is_deployed: bool) -> _Reading:
    reading = _Reading(reader, open_diagram(reader, data))
    if reading.root is None:
        return reading
    if not is_deployed and child(reading.root, "process") is None and not reader.problems:
        reader.refuse(
            reading.root, "Expected a process, but there is none in this file.", "Draw one, or leave the file out."
        )
    _refuse_choreographies(reader, reading.root)
    _refuse_musts(reader, reading.root)
    if not is_deployed:
        _refuse_long(reader, reading.root)
    for node in children(reading.root):
        if kind_of(node) not in ("process", "BPMNDiagram"):
            refuse_unknown_extensions(reader, node)
    if not _refuse_double_ids(reader, reading.root):
        definitions = {node.get("id") or "": node for node in children(reading.root)}
        for node in children(reading.root, "process"):
            if not node.get("id"):
                reader.refuse(node, "Expected every process to have an id, but this one has none.", "Give it an id.")
                continue
            known = len(reader.problems)
            process = read_process(reader, node, definitions=definitions)
            reading.processes.append(process)
            if not process.is_executable:
                del reader.problems[known:]  # It is only drawn, so nothing in it has to run.
            elif not is_deployed:
                refused = {problem.element_id for problem in reader.problems}
                reader.problems.extend(check_process(process, refused))
    return reading


def _refuse_choreographies(reader: Reader, root: etree._Element) -> None:
    for node in children(root):
        if kind_of(node) in ("choreography", "globalChoreographyTask", "globalConversation"):
            message = f"Expected processes, but bpmn:{kind_of(node)} cannot run."
            reader.refuse(node, message, "Draw each participant as a process.")


def _refuse_musts(reader: Reader, root: etree._Element) -> None:
    for node in children(root, "extension"):
        if node.get("mustUnderstand") in ("true", "1"):
            message = f'Expected extensions that may be read over, but "{node.get("definition")}" must be understood.'
            reader.refuse(node, message, "Remove the extension, or mustUnderstand.")


LONGEST_NAME = 1000
_LOOKED_UP = frozenset({"message", "signal", "error", "escalation"})
"""What is found by its name while a process runs."""


def _refuse_double_ids(reader: Reader, root: etree._Element) -> bool:
    lines: dict[str, int] = {}
    doubles = 0
    for node in root.iter():
        found = node.get("id") if is_bpmn(node) else None
        if found is None:
            continue
        if found in lines:
            message = f'Expected each id once, but "{found}" is used before, in line {lines[found]}.'
            reader.refuse(node, message, "Give one of the two another id.")
            doubles += 1
        lines.setdefault(found, line_of(node))
    return doubles > 0


def _refuse_long(reader: Reader, root: etree._Element) -> None:
    """Refuse ids and names that no index of a database takes; what a name computes is looked at when it is known."""
    for node in root.iter():
        if not is_bpmn(node):
            continue
        found, name = node.get("id", ""), node.get("name", "")
        longest = LONGEST_WORDS if kind_of(node) in _LOOKED_UP and not name.startswith("=") else LONGEST_NAME
        if len(found) > LONGEST_WORDS:
            message = f'Expected an id of at most {LONGEST_WORDS} characters, but "{found[:40]}…" has {len(found):,}.'
            reader.refuse(node, message, "Shorten it.")
        if len(name) > longest:
            message = f'Expected a name of at most {longest} characters, but "{name[:40]}…" has {len(name):,}.'
            reader.refuse(node, message, "Shorten it; what explains more belongs into the documentation.")


def _shared_ids(readings: list[_Reading]) -> list[Problem]:
    seen: dict[str, str] = {}
    problems: list[Problem] = []
    for process in (process for reading in readings for process in reading.processes):
        if process.id in seen:
            message = f'Expected each process once, but {seen[process.id]} has "{process.id}" too.'
            problems.append(
                Problem(process.file, process.line, process.id, process.name, message, "Leave one of them.")
            )
        seen.setdefault(process.id, process.file)
    return problems


def _nothing_runs(readings: list[_Reading]) -> Problem:
    for process in (process for reading in readings for process in reading.processes):
        message = "Expected at least one executable process, but there is none."
        return Problem(process.file, process.line, process.id, process.name, message, 'Set isExecutable="true".')
    file = readings[0].reader.file if readings else ""
    return Problem(file, 1, None, None, "Expected a process, but there is none.", "Add a .bpmn file with a process.")
