"""Compiles unary tests: the cells of decision tables, and what stands after ``in``."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from dmn import syntax
from dmn.budget import Run
from dmn.environment import Closure, Compiling, Env, Scope, Test
from dmn.operators import COMPARE, compared, make_range
from dmn.values import NullResult, Range, Value, contains, equal


class CellCompiler(Compiling):
    """A test is a function of the value under test; it answers None where it cannot tell."""

    def compile_tests(self, tests: syntax.UnaryTests, scope: Scope | None = None) -> Test:
        """Return a function that tells whether a value passes; in the tests ``?`` is that value."""
        parts = [self._test(test, scope, has_subject=True) for test in tests.tests]
        if not parts:
            return lambda value, env: True
        if tests.negated:
            return lambda value, env: _not(_any_of(parts, value, env))
        if len(parts) == 1:
            return parts[0]
        return lambda value, env: _any_of(parts, value, env)

    def _membership(self, node: syntax.Membership, scope: Scope | None) -> Closure:
        value = self.compile(node.value, scope)
        parts = [self._test(test, scope, has_subject=False) for test in node.tests]
        return lambda env: _any_of(parts, value(env), env)

    def _test(self, node: syntax.Node, scope: Scope | None, *, has_subject: bool) -> Test:
        if isinstance(node, syntax.Literal):
            constant = node.value
            return lambda value, env: equal(value, constant, env.run)
        interval = _constant_range(node)
        if interval is not None:
            return lambda value, env: _passes(value, interval, env.run)
        if isinstance(node, syntax.UnaryRange):
            return self._order_test(node, self._computed(node.bound, scope, has_subject=has_subject))
        compute = self._computed(node, scope, has_subject=has_subject)
        if has_subject and uses_subject(node):
            return lambda value, env: compute(value, env) is True

        def passes(value: Value, env: Env) -> bool | None:
            tested = compute(value, env)
            if has_subject and tested is True and type(value) is not bool:
                # A condition about something else, as in Camunda: the cell passes where it holds.
                return True
            return _passes(value, tested, env.run)

        return passes

    def _computed(self, node: syntax.Node, scope: Scope | None, *, has_subject: bool) -> Callable[[Value, Env], Value]:
        """Compile an expression in a test; only in a cell's own tests does it see the value as ``?``."""
        if has_subject and uses_subject(node):
            inner = self.compile(node, Scope({"?"}, scope))
            return lambda value, env: inner(env.inside({"?": value}))
        compute = self.compile(node, scope)
        return lambda value, env: compute(env)

    def _number_test(self, node: syntax.UnaryRange, limit: Decimal) -> Test:
        """Compile ``< 5`` and its like, the most frequent cell of all."""
        operator, accepts, at, source = node.operator, COMPARE[node.operator], node.at, self.source

        def test(value: Value, env: Env) -> bool | None:
            if type(value) is Decimal:
                return accepts((value > limit) - (value < limit))
            try:
                return compared(operator, value, limit, env.run)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return test

    def _order_test(self, node: syntax.UnaryRange, bound: Callable[[Value, Env], Value]) -> Test:
        operator, at, source = node.operator, node.at, self.source
        if isinstance(node.bound, syntax.Literal) and type(node.bound.value) is Decimal and operator in COMPARE:
            return self._number_test(node, node.bound.value)

        def test(value: Value, env: Env) -> bool | None:
            limit = bound(value, env)
            try:
                return compared(operator, value, limit, env.run)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return test


def uses_subject(node: syntax.Node) -> bool:
    """Tell whether a tree mentions ``?``, the value under test."""
    return any(isinstance(part, syntax.Name) and part.name == "?" for part in syntax.walk(node))


def _constant_range(node: syntax.Node) -> Range | None:
    """Return the range of a literal whose ends are literals too, built once for all rows."""
    if not isinstance(node, syntax.RangeLiteral):
        return None
    if not isinstance(node.low, syntax.Literal) or not isinstance(node.high, syntax.Literal):
        return None
    try:
        return make_range(node.low.value, node.high.value, node.low_included, node.high_included)
    except NullResult:
        return None


def _passes(value: Value, tested: Value, run: Run) -> bool | None:
    """Answer ``value in tested`` for a computed test: equal to it, an element of it, or within it."""
    if type(tested) is Range:
        return True if type(value) is Range and equal(value, tested) is True else contains(tested, value)
    if type(tested) is list:
        if type(value) is list and equal(value, tested, run) is True:
            return True
        run.spend(len(tested))
        return any(
            (contains(item, value) if type(item) is Range else equal(value, item, run)) is True for item in tested
        )
    return equal(value, tested, run)


def _any_of(parts: list[Test], value: Value, env: Env) -> bool | None:
    unknown = False
    for part in parts:
        verdict = part(value, env)
        if verdict is True:
            return True
        unknown = unknown or verdict is None
    return None if unknown else False


def _not(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict
