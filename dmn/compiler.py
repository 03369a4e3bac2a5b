"""Turns a tree into closures: each node becomes a function from an environment to its value.

Names are resolved to a frame while compiling, except inside filters: there the entries of the filtered element are in
scope too, and only the run knows them.
"""

from __future__ import annotations

from typing import ClassVar

from dmn import syntax
from dmn.budget import Run
from dmn.cell_compiler import CellCompiler
from dmn.environment import Closure, Env, Scope
from dmn.name_compiler import NameCompiler
from dmn.operator_compiler import OperatorCompiler
from dmn.operators import make_range, make_unary_range
from dmn.types import BUILT_IN_TYPES, ContextType, FeelType, ListType, resolve
from dmn.values import Function, NullResult, Parameter, Value, kind_of


class Compiler(NameCompiler, OperatorCompiler, CellCompiler):
    """The whole compiler, with the values that have parts."""

    # Values with parts

    def _range(self, node: syntax.RangeLiteral, scope: Scope | None) -> Closure:
        low, high, at, source = self.compile(node.low, scope), self.compile(node.high, scope), node.at, self.source

        def build(env: Env) -> Value:
            try:
                return make_range(low(env), high(env), node.low_included, node.high_included)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return build

    def _unary_range(self, node: syntax.UnaryRange, scope: Scope | None) -> Closure:
        bound, at, source = self.compile(node.bound, scope), node.at, self.source

        def build(env: Env) -> Value:
            try:
                return make_unary_range(node.operator, bound(env))
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return build

    def _list(self, node: syntax.ListLiteral, scope: Scope | None) -> Closure:
        items = tuple(self.compile(item, scope) for item in node.items)
        return lambda env: [item(env) for item in items]

    def _context(self, node: syntax.ContextLiteral, scope: Scope | None) -> Closure:
        known: set[str] = set()
        inner = Scope(known, scope)
        entries: list[tuple[str, Closure]] = []
        for entry in node.entries:
            # An entry sees the entries before it, not itself.
            entries.append((entry.key, self.compile(entry.value, inner)))
            known.add(entry.key)

        def build(env: Env) -> Value:
            frame = env.inside({})
            for key, value in entries:
                frame.names[key] = value(frame)
            return frame.names

        return build

    def _function(self, node: syntax.FunctionLiteral, scope: Scope | None) -> Closure:
        parameters = tuple(
            Parameter(name, resolve(kind, self.types) if kind is not None else None) for name, kind in node.parameters
        )
        body = self.compile(node.body, Scope({parameter.name for parameter in parameters}, scope))
        result_type = self._result_type(node.body)

        def make(env: Env) -> Function:
            def run_body(run: Run, arguments: list[Value]) -> Value:
                names = {parameter.name: value for parameter, value in zip(parameters, arguments, strict=True)}
                return body(Env(names, env, env.globals, run))

            return Function("function", parameters, run_body, result_type=result_type)

        return make

    def _result_type(self, body: syntax.Node) -> FeelType | None:
        """Infer the type of a literal body, which ``instance of`` may ask for."""
        return infer(body)

    METHODS: ClassVar = {
        syntax.Literal: NameCompiler._literal,
        syntax.Name: NameCompiler._name,
        syntax.Path: NameCompiler._path,
        syntax.Filter: NameCompiler._filter,
        syntax.Call: NameCompiler._call,
        syntax.Negation: OperatorCompiler._negation,
        syntax.Arithmetic: OperatorCompiler._arithmetic,
        syntax.Comparison: OperatorCompiler._comparison,
        syntax.Between: OperatorCompiler._between,
        syntax.Membership: CellCompiler._membership,
        syntax.Conjunction: OperatorCompiler._conjunction,
        syntax.Disjunction: OperatorCompiler._disjunction,
        syntax.If: OperatorCompiler._if,
        syntax.InstanceOf: OperatorCompiler._instance_of,
        syntax.For: OperatorCompiler._for,
        syntax.Quantified: OperatorCompiler._quantified,
        syntax.RangeLiteral: _range,
        syntax.UnaryRange: _unary_range,
        syntax.ListLiteral: _list,
        syntax.ContextLiteral: _context,
        syntax.FunctionLiteral: _function,
    }


def infer(body: syntax.Node) -> FeelType | None:
    """Return the type of a literal, a list or a context of literals; None where it is not plain to see."""
    if isinstance(body, syntax.Literal):
        return BUILT_IN_TYPES.get(kind_of(body.value))
    if isinstance(body, syntax.ContextLiteral):
        fields = [(entry.key, infer(entry.value)) for entry in body.entries]
        return ContextType(tuple((key, kind or BUILT_IN_TYPES["Any"]) for key, kind in fields))
    if isinstance(body, syntax.ListLiteral):
        kinds = {infer(item) for item in body.items}
        only = kinds.pop() if len(kinds) == 1 else None
        return ListType(only or BUILT_IN_TYPES["Any"])
    return None
