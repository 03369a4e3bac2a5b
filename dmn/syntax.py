"""The tree of a FEEL expression. Every node carries the position where it begins in its text."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from dmn.errors import Position


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that has a place in the text."""

    at: Position


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """null, true, a number, a text or a temporal literal, already as its value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Path(Node):
    """``source.name``."""

    source: Node
    name: str


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """``source[condition]``."""

    source: Node
    condition: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A call; ``names`` has one name an argument when they are given by name, else it is empty."""

    callee: Node
    arguments: tuple[Node, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Negation(Node):
    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """``left operator right`` with + - * / **."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """``left operator right`` with = != < <= > >=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Between(Node):
    value: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class Membership(Node):
    """``value in tests``."""

    value: Node
    tests: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conjunction(Node):
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Disjunction(Node):
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Iterator(Node):
    """``name in domain`` or ``name in domain..end``."""

    name: str
    domain: Node
    end: Node | None = None


@dataclass(frozen=True, slots=True)
class For(Node):
    iterators: tuple[Iterator, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """``some`` or ``every`` … ``satisfies`` condition."""

    every: bool
    iterators: tuple[Iterator, ...]
    condition: Node


@dataclass(frozen=True, slots=True)
class RangeLiteral(Node):
    low: Node
    high: Node
    low_included: bool
    high_included: bool


@dataclass(frozen=True, slots=True)
class UnaryRange(Node):
    """``< bound`` and its like: a test in unary tests, a range as a value in parentheses."""

    operator: str
    bound: Node


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry(Node):
    key: str
    value: Node


@dataclass(frozen=True, slots=True)
class ContextLiteral(Node):
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class TypeNode(Node):
    """A type as written: a name, or list/range/context/function with its parts.

    parts: (name, type) pairs; the names are empty for list, range and function parameters. result: of a function.
    """

    name: str
    parts: tuple[tuple[str, TypeNode], ...] = ()
    result: TypeNode | None = None
    generic: bool = False


@dataclass(frozen=True, slots=True)
class InstanceOf(Node):
    value: Node
    type: TypeNode


@dataclass(frozen=True, slots=True)
class FunctionLiteral(Node):
    parameters: tuple[tuple[str, TypeNode | None], ...]
    body: Node


@dataclass(frozen=True, slots=True)
class UnaryTests(Node):
    """The tests of one cell; no tests at all is the dash, which every value passes."""

    tests: tuple[Node, ...]
    negated: bool = False


def walk(tree: Node) -> Generator[Node, None, None]:
    """Yield a node and all nodes below it, in no promised order; long chains do not nest calls."""
    waiting: list[Any] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(part)
        elif isinstance(part, Node):
            yield part
            waiting.extend(getattr(part, name) for name in part.__dataclass_fields__ if name != "at")
