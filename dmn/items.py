"""Item definitions: the named types of a DMN file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dmn import syntax
from dmn.budget import Run
from dmn.compiler import Compiler
from dmn.documents import Document, Element, Text, attribute, child, children
from dmn.environment import Env
from dmn.errors import Diagnostic, FeelSyntaxError
from dmn.expression import BUILT_IN_NAMES
from dmn.parser import Parser
from dmn.types import ANY, BUILT_IN_TYPES, ConstrainedType, ContextType, FeelType, FunctionType, ListType, parts_of
from dmn.values import Value

# Definitions may use each other twice at every level; a few dozen of them would then be endless.
_MAX_PARTS = 10_000


class ItemTypes(dict[str, FeelType]):
    """The types of a file by name, built when first asked for: definitions may come in any order."""

    def __init__(self, document: Document, imported: Mapping[str, FeelType], *, strict: bool) -> None:
        super().__init__(imported)
        self.document = document
        self.strict = strict
        self.problems: list[Diagnostic] = []
        self.allowed: dict[str, syntax.UnaryTests] = {}
        self._elements = {
            name: element
            for element in children(document.root, "itemDefinition")
            if (name := attribute(element, "name"))
        }
        self._open: set[str] = set()
        self._sizes: dict[int, int] = {}
        for name in self._elements:
            self.named(name, document.root)

    def named(self, name: str, element: Element) -> FeelType | None:
        """Return the type of a typeRef; None for no type, and for a name that nothing defines (kept as a problem)."""
        plain = _plain(name)
        for candidate in (name, plain):
            if candidate in BUILT_IN_TYPES and candidate not in self._elements:
                return BUILT_IN_TYPES[candidate]
            if candidate in self:
                return self[candidate]
            if candidate in self._elements:
                return self._build(candidate)
        at = self.document.position(element)
        self.problems.append(
            Diagnostic(
                "type", f"Expected a type that is defined, but {name} is not", self.document.source, at.line, at.column
            )
        )
        return None

    def of(self, element: Element | None) -> FeelType | None:
        """Return the type that an element's typeRef names."""
        if element is None:
            return None
        reference = _reference(element)
        return self.named(reference, element) if reference else None

    def _build(self, name: str) -> FeelType:
        if name in self._open:
            # A type that contains itself: what is inside is not checked further.
            return ANY
        self._open.add(name)
        self[name] = built = self._item(self._elements[name], name)
        self._open.discard(name)
        self._sizes[id(built)] = 1 + sum(self._size(part) for part in parts_of(built))
        if self._sizes[id(built)] > _MAX_PARTS:
            raise self.document.error(
                f"Expected item definitions of at most {_MAX_PARTS:,} parts, but {name} has more", self._elements[name]
            )
        return built

    def _size(self, kind: FeelType) -> int:
        """Count the parts of a type, those of named types as often as they are used."""
        return self._sizes.get(id(kind)) or 1 + sum(map(self._size, parts_of(kind)))

    def _item(self, element: Element, name: str) -> FeelType:
        components = list(children(element, "itemComponent"))
        function = child(element, "functionItem")
        base: FeelType
        if components:
            base = ContextType(
                tuple(
                    (attribute(part, "name") or "", self._item(part, f"{name}.{attribute(part, 'name')}"))
                    for part in components
                )
            )
        elif function is not None:
            base = self._function(function)
        else:
            base = self.of(element) or ANY
        is_collection = (attribute(element, "isCollection") or "false") in ("true", "1")
        base = self._constrained(base, child(element, "allowedValues"), name)
        if is_collection:
            base = ListType(base)
        return self._constrained(base, child(element, "typeConstraint"), name)

    def _function(self, element: Element) -> FeelType:
        parameters = tuple(self.of(part) or ANY for part in children(element, "parameters"))
        result = attribute(element, "outputTypeRef")
        return FunctionType(parameters, (self.named(result, element) if result else None) or ANY)

    def _constrained(self, base: FeelType, allowed: Element | None, name: str) -> FeelType:
        text = self.document.text(child(allowed, "text")) if allowed is not None else None
        if text is None or not text.value.strip():
            return base
        tests = self.read_tests(text)
        if tests is None:
            return base
        self.allowed[name] = tests
        return ConstrainedType(name, base, acceptor(tests, self.document.source))

    def read_tests(self, text: Text) -> syntax.UnaryTests | None:
        """Parse allowed values; None (and a problem) where they are wrong and the reader is lenient."""
        try:
            parser = Parser(
                text.value, names=("?",), functions=BUILT_IN_NAMES, source=self.document.source, locate=text.locate
            )
            return parser.parse_unary_tests()
        except FeelSyntaxError as error:
            if self.strict:
                raise
            self.problems.append(Diagnostic("syntax", error.message, error.source, error.line, error.column, "error"))
            return None


def acceptor(tests: syntax.UnaryTests, source: str) -> Callable[[Value], bool]:
    """Return a function that tells whether a value is among allowed values."""
    test = Compiler(source).compile_tests(tests)

    def accepts(value: Value) -> bool:
        run = Run({})
        return test(value, Env({}, None, {}, run)) is True

    return accepts


def _reference(element: Element) -> str | None:
    reference = attribute(element, "typeRef")
    inner = child(element, "typeRef") if reference is None else None
    return (inner.text or "").strip() or None if inner is not None else reference


def _plain(name: str) -> str:
    """Drop the prefix of ``feel:string``, as DMN 1.1 writes it."""
    return name.partition(":")[2].strip() if ":" in name else name
