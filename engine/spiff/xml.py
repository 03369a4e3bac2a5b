"""Open a BPMN file: bytes become a tree, or one problem after the other says why not. Nothing here runs anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from engine.spiff.camunda_7 import NAMESPACES, READ_OVER, in_feel, remedy_of
from engine.spiff.extensions import Expr, NotFeel
from engine.spiff.problems import Problem

MAX_BYTES: Final = 5_000_000
BPMN: Final = "http://www.omg.org/spec/BPMN/20100524/MODEL"
ZEEBE: Final = "http://camunda.org/schema/zeebe/1.0"

_FEEL_NAMES: Final = ("feel", "")


class Reader:
    """One file and the problems found in it so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def refuse(self, node: etree._Element | None, message: str, remedy: str) -> None:
        """Note a problem at the element that ``node`` is, or that it belongs to."""
        owner = node
        while owner is not None and not (owner.get("id") and is_bpmn(owner)):
            owner = owner.getparent()
        line = line_of(node) if node is not None else 1
        identity = (owner.get("id"), owner.get("name")) if owner is not None else (None, None)
        self.problems.append(Problem(self.file, line, *identity, message, remedy))

    def expression(self, node: etree._Element, text: str | None, what: str) -> Expr | None:
        """Compile a text that may be FEEL; None when there is none. what: names it in the refusal."""
        if text is None or not text.strip():
            return None
        try:
            return Expr.read(text.strip())
        except NotFeel as error:
            self.refuse(node, f"Expected {what} to be FEEL, but {error}.", "Write it as a FEEL expression.")
            return None

    def feel(self, node: etree._Element, text: str | None, what: str) -> Expr | None:
        """Compile a text that must be FEEL, with ``=`` in front."""
        found = self.expression(node, text, what)
        if found is not None and found.is_static:
            short = found.text if len(found.text) <= 80 else found.text[:77] + "…"
            told = in_feel(found.text)
            self.refuse(
                node,
                f'Expected {what} to begin with "=", but it is the text "{short}".',
                f"Write it in FEEL: {told}" if told is not None else 'Write "=" and a FEEL expression.',
            )
            return None
        return found


def open_diagram(reader: Reader, data: bytes) -> etree._Element | None:
    """Return the ``definitions`` element, or note why the file cannot be read and return None."""
    if len(data) > MAX_BYTES:
        reader.refuse(
            None, f"Expected at most {MAX_BYTES:,} bytes, but the file has {len(data):,}.", "Split the diagram."
        )
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line = int(error.lineno or 1)
        said = "its elements lie too deep within each other" if "depth" in error.msg else error.msg
        reader.problems.append(
            Problem(
                reader.file,
                line,
                None,
                None,
                f"Expected XML, but {said}.",
                "Save the diagram again from a modeler.",
            )
        )
        return None
    except ValueError as error:
        reader.refuse(None, f"Expected XML, but {error}.", "Save the diagram again from a modeler.")
        return None
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype or any(isinstance(node, etree._Entity) for node in root.iter()):
        reader.refuse(
            None, "Expected no document type and no entities, but the file has them.", "Remove the <!DOCTYPE …> part."
        )
        return None
    if root.tag != f"{{{BPMN}}}definitions":
        message = f"Expected bpmn:definitions, but the file begins with {_shortened(str(root.tag))}."
        reader.refuse(None, message, _other_kind(str(root.tag)))
        return None
    _refuse_foreign_languages(reader, root)
    return root


def _other_kind(tag: str) -> str:
    """Say what to do with a file that is something else."""
    if "/DMN/" in tag:
        return "It is a DMN file: give it the ending .dmn."
    if "/CMMN/" in tag:
        return "Cases (CMMN) do not run: draw the work as a process."
    if "XPDL" in tag:
        return "It is XPDL: export it as BPMN 2.0."
    return "Save it as BPMN 2.0 from a modeler."


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "…"


def _refuse_foreign_languages(reader: Reader, root: etree._Element) -> None:
    for node in root.iter():
        _refuse_older_engines(reader, node, str(node.tag), is_attribute=False)
        for name in node.attrib:
            _refuse_older_engines(reader, node, str(name), is_attribute=True)
        for name in ("expressionLanguage", "scriptFormat", "language"):
            language = node.get(name) if is_bpmn(node) else None
            if language is not None and language.strip().lower() not in _FEEL_NAMES and "/FEEL" not in language:
                message = f"Expected FEEL as the only expression language, but {name} is {language!r}."
                reader.refuse(node, message, f"Remove {name} and write the expression in FEEL.")


def _refuse_older_engines(reader: Reader, node: etree._Element, tag: str, *, is_attribute: bool) -> None:
    namespace, _, name = tag.removeprefix("{").rpartition("}")
    prefix = NAMESPACES.get(namespace)
    if prefix is None or (is_attribute and name in READ_OVER):
        return
    engine = "Camunda 7" if prefix == "camunda" else prefix.capitalize()
    message = f"Expected Camunda 8 (zeebe:) extensions, but {prefix}:{name} belongs to {engine}."
    reader.refuse(node, message, remedy_of(name, is_attribute=is_attribute))


def is_bpmn(node: etree._Element) -> bool:
    """Say whether an element belongs to BPMN itself."""
    return str(node.tag).startswith(f"{{{BPMN}}}")


def line_of(node: etree._Element) -> int:
    """Return the line an element begins in, counted from 1."""
    line: Any = node.sourceline
    return int(line or 1)


def text_of(node: etree._Element | None) -> str:
    """Return all text inside an element, "" without one."""
    return "".join(str(part) for part in node.itertext()).strip() if node is not None else ""


def kind_of(node: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return str(etree.QName(node).localname)


def children(node: etree._Element, kind: str | None = None) -> Iterator[etree._Element]:
    """Yield the BPMN children, of one kind if given."""
    for child in node:
        if is_bpmn(child) and (kind is None or kind_of(child) == kind):
            yield child


def child(node: etree._Element, kind: str) -> etree._Element | None:
    """Return the first BPMN child of a kind."""
    return next(children(node, kind), None)


def zeebe(node: etree._Element, name: str) -> etree._Element | None:
    """Return the zeebe: extension element of that name."""
    return node.find(f"{{{BPMN}}}extensionElements/{{{ZEEBE}}}{name}")
