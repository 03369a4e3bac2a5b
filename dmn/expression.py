"""Expressions and unary tests that are compiled once and evaluated often."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from dmn import syntax
from dmn.budget import Budget, Run
from dmn.compiler import Compiler
from dmn.environment import Env, Scope, Variables
from dmn.errors import START, BudgetExceeded, Diagnostic, Position
from dmn.functions import BUILT_INS
from dmn.names import Names
from dmn.parser import Parser
from dmn.temporal import DateTime
from dmn.values import HostFunction, Value, measure, to_feel

Clock = dt.datetime | DateTime | None
Functions = Mapping[str, HostFunction]

BUILT_IN_NAMES = Names(BUILT_INS)


class Outcome(NamedTuple):
    """A value and what was noticed on the way to it."""

    value: Value
    diagnostics: tuple[Diagnostic, ...]


def function_names(functions: Functions | None) -> Names:
    """Return the names of built-in and host functions for the parser."""
    return Names((*BUILT_INS, *functions)) if functions else BUILT_IN_NAMES


LARGEST = 1_000_000
"""Elements that a value may have, those of what is in it included."""

UNSEEN: Final = object()
"""What ``Expression.glance`` answers when more than a look is needed."""


def attempt(compute: Callable[[], Value], source: str) -> Value:
    """Compute; nesting that exhausts Python's stack is a spent budget, not a crash."""
    try:
        value = compute()
        measure(value, LARGEST)
    except RecursionError:
        raise BudgetExceeded(
            "Expected a shallower computation, but it nests too deep", limit="depth", source=source
        ) from None
    except BudgetExceeded as error:
        error.locate(START, source)
        raise
    return value


class Expression:
    """One FEEL expression. Safe to share between threads: evaluating changes nothing in it.

    text: as written. reads: the free top-level names it reads (functions it only calls are not among them).
    maybe_reads: names inside filters, which are either entries of the filtered elements or free, and the arguments of
    ``is defined``. positions: where each of both is read first. tree: the syntax tree.
    """

    __slots__ = (
        "_closure",
        "_constant",
        "_functions",
        "_path",
        "maybe_reads",
        "positions",
        "reads",
        "source",
        "text",
        "tree",
    )

    def __init__(self, text: str, *, names: Iterable[str], functions: Functions | None, source: str) -> None:
        known = frozenset(names)
        parser = Parser(text, names=known, functions=function_names(functions), source=source)
        compiler = Compiler(source, declared=known)
        self.text = text
        self.source = source
        self.tree: syntax.Node = parser.parse_expression()
        self._closure = parser.guard(lambda: compiler.compile(self.tree))
        certain = _without_functions(compiler.reads, self.tree, functions or {}, known)
        possible = _without_functions(compiler.maybe_reads, self.tree, functions or {}, known)
        self.reads = frozenset(certain)
        self.maybe_reads = frozenset(possible) - self.reads
        self.positions: Mapping[str, Position] = {**possible, **certain}
        self._functions = functions or {}
        self._constant = Outcome(self.tree.value, ()) if isinstance(self.tree, syntax.Literal) else None
        self._path = _path_of(self.tree)

    def evaluate(
        self,
        variables: Mapping[str, Any],
        *,
        functions: Functions | None = None,
        now: Clock = None,
        budget: Budget | None = None,
    ) -> Value:
        """Return the FEEL value.

        variables: Python or FEEL values by name; only names that are read are looked up, so it may be lazy (a missing
        name must raise KeyError). functions: host functions of this evaluation, instead of those it was compiled with.
        now: the clock of now() and today(); the wall clock (UTC) only when it is None.
        Raises BudgetExceeded; ValueError when a variable that is read is no value FEEL knows.
        """
        return self.explain(variables, functions=functions, now=now, budget=budget).value

    def explain(
        self,
        variables: Mapping[str, Any],
        *,
        functions: Functions | None = None,
        now: Clock = None,
        budget: Budget | None = None,
    ) -> Outcome:
        """Evaluate as ``evaluate`` does and tell why values became null."""
        if self._constant is not None:
            return self._constant
        run = Run(variables, functions=self._functions if functions is None else functions, now=now, budget=budget)
        value = attempt(partial(self._closure, Env({}, None, Variables(variables), run)), self.source)
        return Outcome(value, tuple(run.diagnostics))

    def glance(self, variables: Mapping[str, Any]) -> Any:
        """Return the value of a constant, of a name or of a path to an entry that is there; UNSEEN for anything else.

        Most expressions of a diagram are one of these, and need neither a budget nor a place for diagnostics. variables: a
        path is looked at only where they are FEEL values.
        """
        if self._constant is not None:
            return self._constant.value
        if not self._path or not getattr(variables, "are_values", False):
            return UNSEEN
        name, *entries = self._path
        try:
            value = variables[name]
            for entry in entries:
                if type(value) is not dict:
                    return UNSEEN
                value = value[entry]
            measure(value, LARGEST)
        except (KeyError, RecursionError, BudgetExceeded):
            return UNSEEN
        return value

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


class UnaryTests:
    """The tests of a decision table cell, such as ``> 5, [1..3]`` or ``not("a")``."""

    __slots__ = ("_functions", "_test", "maybe_reads", "positions", "reads", "source", "text", "tree")

    def __init__(self, text: str, *, names: Iterable[str], functions: Functions | None, source: str) -> None:
        known = frozenset(names)
        parser = Parser(text, names={*known, "?"}, functions=function_names(functions), source=source)
        compiler = Compiler(source, declared=known)
        self.text = text
        self.source = source
        self.tree = parser.parse_unary_tests()
        self._test = parser.guard(lambda: compiler.compile_tests(self.tree, Scope(set())))
        certain = _without_functions(compiler.reads, self.tree, functions or {}, known)
        possible = _without_functions(compiler.maybe_reads, self.tree, functions or {}, known)
        self.reads = frozenset(certain)
        self.maybe_reads = frozenset(possible) - self.reads
        self.positions: Mapping[str, Position] = {**possible, **certain}
        self._functions = functions or {}

    def evaluate(
        self, value: Any, variables: Mapping[str, Any] | None = None, *, now: Clock = None, budget: Budget | None = None
    ) -> bool:
        """Tell whether ``value`` passes; a test that comes out null does not pass. Raises as Expression.evaluate."""
        return self.explain(value, variables, now=now, budget=budget).value is True

    def explain(
        self, value: Any, variables: Mapping[str, Any] | None = None, *, now: Clock = None, budget: Budget | None = None
    ) -> Outcome:
        """Evaluate; the outcome's value is True, False or None."""
        run = Run(variables or {}, functions=self._functions, now=now, budget=budget)
        env = Env({}, None, Variables(variables or {}), run)
        verdict = attempt(lambda: self._test(to_feel(value), env), self.source)
        return Outcome(verdict, tuple(run.diagnostics))


def _path_of(tree: syntax.Node) -> tuple[str, ...]:
    """Return the names of a path that begins with a variable, outermost first; nothing for any other expression."""
    names: list[str] = []
    while isinstance(tree, syntax.Path):
        names.append(tree.name)
        tree = tree.source
    return (tree.name, *reversed(names)) if isinstance(tree, syntax.Name) else ()


def _without_functions(
    reads: Mapping[str, Position], tree: syntax.Node, functions: Functions, known: frozenset[str]
) -> dict[str, Position]:
    """Drop names that are only called and are functions of the host or built in, unless a variable has the name."""
    called = {name for name in (*functions, *BUILT_INS) if name in reads and name not in known}
    read_as_value = names_read_as_values(tree) if called else set()
    return {name: at for name, at in reads.items() if name not in called or name in read_as_value}


def names_read_as_values(tree: syntax.Node) -> set[str]:
    """Return the names that stand anywhere but before the parentheses of a call."""
    called = {
        id(node.callee)
        for node in syntax.walk(tree)
        if isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Name)
    }
    return {node.name for node in syntax.walk(tree) if isinstance(node, syntax.Name) and id(node) not in called}


def compile_expression(
    text: str, *, names: Iterable[str] = (), functions: Functions | None = None, source: str = "<expression>"
) -> Expression:
    """Compile one FEEL expression.

    names: variables in scope, needed only for names with spaces or operators in them; any other word (or words parted
    by blanks, up to a keyword) is read as a variable too. functions: host functions by name. A leading ``=`` is not
    part of FEEL and is refused. Raises FeelSyntaxError with line and column.
    """
    return Expression(text, names=names, functions=functions, source=source)


def compile_unary_tests(
    text: str, *, names: Iterable[str] = (), functions: Functions | None = None, source: str = "<expression>"
) -> UnaryTests:
    """Compile the tests of one cell; ``-`` or an empty text accepts everything, ``?`` is the value under test.

    Raises FeelSyntaxError with line and column.
    """
    return UnaryTests(text, names=names, functions=functions, source=source)
