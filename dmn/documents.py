"""Reads DMN files safely and remembers where each text of a file stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from lxml import etree

from dmn.errors import ModelError, Position

MAX_BYTES = 5_000_000
# Namespaces of DMN 1.1, 1.2, 1.3, 1.4, 1.5 and 1.6.
DMN_NAMESPACES = frozenset(
    {
        "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
        "http://www.omg.org/spec/DMN/20180521/MODEL/",
        "https://www.omg.org/spec/DMN/20191111/MODEL/",
        "https://www.omg.org/spec/DMN/20211108/MODEL/",
        "https://www.omg.org/spec/DMN/20230324/MODEL/",
        "https://www.omg.org/spec/DMN/20240513/MODEL/",
    }
)
_MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<!(?!--|\[)[^>]*>|<(/?)(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>", re.DOTALL
)
_PIECE = re.compile(r"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>|<\?.*?\?>|(&[^;]*;)|([^<&]+)|<", re.DOTALL)
Element = etree._Element


class Document:
    """One DMN file: its root, and where its elements begin."""

    def __init__(self, root: Element, raw: str, source: str) -> None:
        self.root = root
        self.source = source
        self._raw = raw
        self._line_starts = [0] + [match.end() for match in re.finditer("\n", raw)]
        self._ends = _start_tags(root, raw)

    def position(self, element: Element) -> Position:
        """Return the place of an element's start tag."""
        tag = self._ends.get(element)
        return self.at(tag[0]) if tag else Position(0, _line_of(element), 1)

    def text(self, element: Element | None) -> Text:
        """Return the text directly inside an element; None gives an empty text."""
        if element is None:
            return Text("", self, None)
        parts = [element.text or "", *(part.tail or "" for part in element if not is_element(part))]
        return Text("".join(parts), self, element)

    def error(self, message: str, element: Element | None = None) -> ModelError:
        """Build an error that points at an element, or at the root."""
        at = self.position(self.root if element is None else element)
        return ModelError(message, source=self.source, line=at.line, column=at.column)

    def pieces(self, element: Element) -> list[tuple[int, int]]:
        """Return (offset in the text, offset in the file) of the stretches an element's text is written in.

        An entity such as ``&lt;`` is a stretch of one character; comments and CDATA marks belong to none.
        """
        tag = self._ends.get(element)
        if tag is None:
            return []
        found: list[tuple[int, int]] = []
        passed = 0
        for match in _PIECE.finditer(self._raw, tag[1]):
            if match[0] == "<":
                break
            if match[1] is not None:
                found.append((passed, match.start() + len("<![CDATA[")))
                passed += len(match[1])
            elif match[2] or match[3]:
                found.append((passed, match.start()))
                passed += 1 if match[2] else len(match[3])
        return found

    def at(self, raw_offset: int) -> Position:
        """Return the place of a character of the file."""
        line = bisect_right(self._line_starts, raw_offset)
        return Position(raw_offset, line, raw_offset - self._line_starts[line - 1] + 1)


class Text:
    """A text of the file that can say where each of its characters stands."""

    __slots__ = ("_pieces", "document", "element", "value")

    def __init__(self, value: str, document: Document, element: Element | None) -> None:
        self.value = value
        self.document = document
        self.element = element
        self._pieces: list[tuple[int, int]] | None = None

    def locate(self, offset: int) -> Position:
        """Return the line and column in the file of a character; ``offset`` stays that of the text."""
        if self.element is None:
            return Position(offset, 1, 1)
        if self._pieces is None:
            self._pieces = self.document.pieces(self.element)
        index = bisect_right(self._pieces, (offset, MAX_BYTES * 4)) - 1
        if index < 0:
            return self.document.position(self.element)._replace(offset=offset)
        begin, raw = self._pieces[index]
        return self.document.at(raw + offset - begin)._replace(offset=offset)


def read_document(xml: bytes | str, source: str) -> Document:
    """Parse a DMN file. Raises ModelError for what is no XML, too large, no DMN, or uses a DTD or entities."""
    data = xml.encode() if isinstance(xml, str) else xml
    if len(data) > MAX_BYTES:
        raise ModelError(f"Expected at most {MAX_BYTES:,} bytes of DMN, but got {len(data):,}", source=source)
    encoding = "utf-8" if isinstance(xml, str) else None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding=encoding
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise ModelError(
            f"Expected well-formed XML, but {error.msg}", source=source, line=line or 1, column=column or 1
        ) from None
    tree = root.getroottree()
    if tree.docinfo.internalDTD is not None:
        raise ModelError(
            "Expected XML without a document type, but the file declares one (DTD, entities)", source=source
        )
    document = Document(root, _decoded(data, tree.docinfo.encoding), source)
    if local(root) != "definitions" or namespace_of(root) not in DMN_NAMESPACES:
        raise document.error(f"Expected a DMN file (definitions of DMN 1.1 to 1.5), but found {root.tag}")
    return document


def _decoded(data: bytes, encoding: str | None) -> str:
    try:
        text = data.decode(encoding or "utf-8")
    except (LookupError, UnicodeDecodeError):
        # lxml has read it; only the places of errors suffer.
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _start_tags(root: Element, raw: str) -> dict[Element, tuple[int, int]]:
    """Map each element to (begin, end) of its start tag; nothing when the tags do not add up."""
    elements = [element for element in root.iter() if is_element(element)]
    tags = [
        (match.start(), match.end())
        for match in _MARKUP.finditer(raw)
        if match[0][1] not in "!?/"
    ]  # fmt: skip
    if len(tags) != len(elements):
        return {}
    return dict(zip(elements, tags, strict=True))


def _line_of(element: Element) -> int:
    line: object = element.sourceline
    return line if isinstance(line, int) else 1


def is_element(node: object) -> bool:
    """Tell an element from a comment or a processing instruction, whose tag is a function."""
    return isinstance(getattr(node, "tag", None), str)


def local(element: Element) -> str:
    """Return an element's name without its namespace; empty for comments."""
    return etree.QName(element).localname if is_element(element) else ""


def namespace_of(element: Element) -> str:
    """Return an element's namespace."""
    return etree.QName(element).namespace or ""


def children(element: Element, *names: str) -> Iterator[Element]:
    """Yield the child elements of these names, or all of them, that are DMN's own."""
    for child in element:
        if is_element(child) and namespace_of(child) in DMN_NAMESPACES and (not names or local(child) in names):
            yield child


def child(element: Element, *names: str) -> Element | None:
    """Return the first child element of these names."""
    return next(children(element, *names), None)


def attribute(element: Element | None, name: str) -> str | None:
    """Return an attribute's text, trimmed; None when it is missing or blank."""
    if element is None:
        return None
    value = element.get(name)
    return value.strip() or None if value is not None else None
