"""What closures see while they run, and what is known of it while they are compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dmn import syntax
from dmn.budget import Run
from dmn.errors import Position
from dmn.types import FeelType
from dmn.values import Value, to_feel


class Env:
    """The names a closure sees: one frame, the frame around it, and the variables of the whole run."""

    __slots__ = ("globals", "names", "parent", "run")

    def __init__(self, names: dict[str, Value], parent: Env | None, variables: Mapping[str, Value], run: Run) -> None:
        self.names = names
        self.parent = parent
        self.globals = variables
        self.run = run

    def inside(self, names: dict[str, Value]) -> Env:
        """Open a frame within this one."""
        return Env(names, self, self.globals, self.run)


class FeelValues(Mapping[str, Value]):
    """A caller's variables that are FEEL values already: they are taken as they are instead of converted at each evaluation."""

    __slots__ = ()
    are_values: ClassVar[bool] = True


class Variables(dict[str, Value]):
    """Converts the caller's variables on first use, so that only what is read is paid for."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._are_values = getattr(variables, "are_values", False)

    def __missing__(self, name: str) -> Value:
        found = self._variables[name]
        value = self[name] = found if self._are_values else to_feel(found)
        return value


Closure = Callable[[Env], Value]
Test = Callable[[Value, Env], bool | None]


class Scope:
    """What is known of frames while compiling; ``is_open`` marks a filter, whose names only the run knows."""

    __slots__ = ("is_loop", "is_open", "names", "parent")

    def __init__(
        self, names: set[str], parent: Scope | None = None, *, is_open: bool = False, is_loop: bool = False
    ) -> None:
        self.names = names
        self.parent = parent
        self.is_open = is_open
        self.is_loop = is_loop


class Compiling:
    """What all parts of the compiler share: one text, and what is known of it.

    source: its name for diagnostics. declared: names the caller says exist, so that a function among them wins over
    a built-in. types: item definitions by name. After compiling, ``reads`` holds the free names with their first place,
    ``maybe_reads`` those inside filters that an entry of the filtered element may hide.
    """

    # Which method compiles which node; the whole compiler fills it.
    METHODS: ClassVar[dict[type[syntax.Node], Callable[[Any, Any, Scope | None], Closure]]] = {}

    def __init__(
        self, source: str, *, declared: frozenset[str] = frozenset(), types: Mapping[str, FeelType] | None = None
    ) -> None:
        self.source = source
        self.declared = declared
        self.types = types or {}
        self.reads: dict[str, Position] = {}
        self.maybe_reads: dict[str, Position] = {}

    def compile(self, node: syntax.Node, scope: Scope | None = None) -> Closure:
        """Return the closure of a node."""
        method = self.METHODS[type(node)]
        return method(self, node, scope)
