"""Turns a tree into closures: each node becomes a function from an environment to its value.

Names are resolved to a frame while compiling, except inside filters: there the entries of the filtered element are in
scope too, and only the run knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from dmn import syntax
from dmn.budget import Run
from dmn.errors import Position
from dmn.functions import BUILT_INS
from dmn.operators import ARITHMETIC, COMPARE, compared, integer_of, make_range, make_unary_range, negate, property_of
from dmn.temporal import Date, date_of
from dmn.types import BUILT_IN_TYPES, ContextType, FeelType, ListType, coerce, is_instance, resolve, unconstrained
from dmn.values import (
    Function,
    HostFunction,
    NullResult,
    Parameter,
    Range,
    Value,
    compare,
    contains,
    describe,
    equal,
    kind_of,
    to_feel,
    to_python,
)


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


class Variables(dict[str, Value]):
    """Converts the caller's variables on first use, so that only what is read is paid for."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        super().__init__()
        self._variables = variables

    def __missing__(self, name: str) -> Value:
        value = self[name] = to_feel(self._variables[name])
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


class Compiler:
    """Compiles the expressions of one text.

    source: its name for diagnostics. declared: names the caller says exist, so that a function among them wins over
    a built-in. types: item definitions by name. After compiling, ``reads`` holds the free names with their first place,
    ``maybe_reads`` those inside filters that an entry of the filtered element may hide.
    """

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
        method = self._METHODS[type(node)]
        return method(self, node, scope)

    # Names

    def _literal(self, node: syntax.Literal, scope: Scope | None) -> Closure:
        value = node.value
        return lambda env: value

    def _find(self, name: str, scope: Scope | None) -> tuple[int, bool, Scope | None]:
        """Return (frames to climb, whether a filter lies between, the scope that binds the name or None)."""
        depth, is_open = 0, False
        while scope is not None:
            if name in scope.names:
                return depth, is_open, scope
            is_open = is_open or scope.is_open
            scope, depth = scope.parent, depth + 1
        return depth, is_open, None

    def _name(self, node: syntax.Name, scope: Scope | None) -> Closure:
        read = self._borrowed(node, scope)
        if node.name == "partial" and self._is_partial(node, scope):
            # The list of a loop's results still grows: whoever keeps it gets a copy.
            def snapshot(env: Env) -> Value:
                value = read(env)
                if type(value) is list:
                    env.run.spend(len(value))
                    return value[:]
                return value

            return snapshot
        return read

    def _is_partial(self, node: syntax.Node, scope: Scope | None) -> bool:
        if not isinstance(node, syntax.Name) or node.name != "partial":
            return False
        bound = self._find("partial", scope)[2]
        return bound is not None and bound.is_loop

    def _borrowed(self, node: syntax.Node, scope: Scope | None) -> Closure:
        """Compile a node whose value is only looked at, not kept."""
        if not isinstance(node, syntax.Name):
            return self.compile(node, scope)
        name = node.name
        depth, is_open, bound = self._find(name, scope)
        if bound is None:
            (self.maybe_reads if is_open else self.reads).setdefault(name, node.at)
        if is_open:
            return self._dynamic(node)
        if bound is None:
            return self._free(node)
        if depth == 0:
            return lambda env: env.names[name]
        if depth == 1:
            return lambda env: env.parent.names[name]  # type: ignore[union-attr]  # the scope says it is there

        def climb(env: Env) -> Value:
            frame: Env = env
            for _ in range(depth):
                frame = frame.parent or frame
            return frame.names[name]

        return climb

    def _free(self, node: syntax.Name) -> Closure:
        name = node.name
        missing = self._missing(node)

        def read(env: Env) -> Value:
            try:
                return env.globals[name]
            except KeyError:
                return missing(env)

        return read

    def _dynamic(self, node: syntax.Name) -> Closure:
        name = node.name
        free = self._free(node)

        def search(env: Env) -> Value:
            frame: Env | None = env
            while frame is not None:
                if name in frame.names:
                    return frame.names[name]
                frame = frame.parent
            return free(env)

        return search

    def _missing(self, node: syntax.Name) -> Closure:
        name, at, source = node.name, node.at, self.source

        def missing(env: Env) -> Value:
            if name in env.run.functions:
                return host_value(env.run.functions[name])
            if name in BUILT_INS:
                return BUILT_INS[name].as_value()
            env.run.note("name", f"Expected a variable {name}, but there is none in scope", at, source)
            return None

        return missing

    # Paths, filters and calls

    def _path(self, node: syntax.Path, scope: Scope | None) -> Closure:
        source, name, at, text = self.compile(node.source, scope), node.name, node.at, self.source

        def pick(value: Value, env: Env) -> Value:
            if type(value) is dict:
                if name in value:
                    return value[name]
                env.run.note("property", f"Expected an entry {name} in the context, but it has none", at, text)
                return None
            if type(value) is list:
                env.run.allow_items(len(value))
                return [pick(item, env) for item in value]
            try:
                return property_of(value, name)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, text)
                return None

        def read(env: Env) -> Value:
            value = source(env)
            if type(value) is dict and name in value:
                return value[name]
            return pick(value, env)

        return read

    def _filter(self, node: syntax.Filter, scope: Scope | None) -> Closure:
        source = self._borrowed(node.source, scope)
        if isinstance(node.condition, syntax.Literal) and type(node.condition.value) is Decimal:
            return self._index(node, source, lambda env: node.condition.value)  # type: ignore[attr-defined]
        if isinstance(node.condition, (syntax.Arithmetic, syntax.Negation)):
            return self._index(node, source, self.compile(node.condition, scope))
        inner = Scope({"item"}, scope, is_open=True)
        condition = self.compile(node.condition, inner)

        def select(env: Env) -> Value:
            value = source(env)
            items = value if type(value) is list else [] if value is None else [value]
            if not items:
                # An index into nothing is null, a condition on nothing leaves nothing.
                position = env.run.silently(lambda: condition(env.inside({"item": None})))
                return None if type(position) is Decimal else []
            kept = []
            for item in items:
                env.run.spend()
                frame = {"item": item, **item} if type(item) is dict else {"item": item}
                verdict = condition(env.inside(frame))
                if verdict is True:
                    kept.append(item)
                elif type(verdict) is Decimal and item is items[0]:
                    return self._element(node, items, verdict, env)
            return kept

        return select

    def _index(self, node: syntax.Filter, source: Closure, position: Closure) -> Closure:
        def pick(env: Env) -> Value:
            value = source(env)
            items = value if type(value) is list else [] if value is None else [value]
            return self._element(node, items, position(env), env)

        return pick

    def _element(self, node: syntax.Filter, items: list[Value], position: Value, env: Env) -> Value:
        try:
            index = integer_of(position, "index")
        except NullResult as problem:
            env.run.note(problem.code, problem.reason, node.at, self.source)
            return None
        if position == index and 1 <= index <= len(items):
            return items[index - 1]
        if position == index and -len(items) <= index <= -1:
            return items[index]
        env.run.note("index", f"Expected an index up to {len(items)}, but got {position}", node.at, self.source)
        return None

    def _call(self, node: syntax.Call, scope: Scope | None) -> Closure:
        callee = node.callee
        if isinstance(callee, syntax.Name) and self._find(callee.name, scope)[2] is None:
            if callee.name == "is defined" and len(node.arguments) == 1:
                return self._is_defined(node.arguments[0], scope)
            if callee.name in BUILT_INS and callee.name not in self.declared:
                return self._built_in_call(node, callee.name, scope)
        called = self.compile(callee, scope)
        arguments = tuple(self.compile(argument, scope) for argument in node.arguments)
        names, at, source = node.names, node.at, self.source
        title = callee.name if isinstance(callee, syntax.Name) else "the expression"

        def call(env: Env) -> Value:
            function = called(env)
            if type(function) is not Function:
                env.run.note("function", f"Expected a function {title}, but got {describe(function)}", at, source)
                return None
            try:
                return invoke(function, env.run, [argument(env) for argument in arguments], names)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return call

    # What these built-ins are given they only look at: no copy of a growing list is needed.
    _LOOKING = frozenset({"count", "sum", "min", "max", "mean", "all", "any", "list contains", "index of"})

    def _built_in_call(self, node: syntax.Call, name: str, scope: Scope | None) -> Closure:
        function = BUILT_INS[name]
        compile_argument = self._borrowed if name in self._LOOKING else self.compile
        arguments = tuple(compile_argument(argument, scope) for argument in node.arguments)
        names, at, source = node.names, node.at, self.source

        def call(env: Env) -> Value:
            run = env.run
            run.spend()
            try:
                if names:
                    return function.call_named(run, names, [argument(env) for argument in arguments])
                return function.call(run, [argument(env) for argument in arguments])
            except NullResult as problem:
                run.note(problem.code, problem.reason, at, source)
                return None

        return call

    def _is_defined(self, node: syntax.Node, scope: Scope | None) -> Closure:
        if isinstance(node, syntax.Path):
            source, key = self.compile(node.source, scope), node.name

            def has_entry(env: Env) -> bool:
                value = env.run.silently(lambda: source(env))
                return type(value) is dict and key in value

            return has_entry
        if not isinstance(node, syntax.Name):
            return lambda env: True
        name = node.name
        self.maybe_reads.setdefault(name, node.at)

        def is_bound(env: Env) -> bool:
            frame: Env | None = env
            while frame is not None:
                if name in frame.names:
                    return True
                frame = frame.parent
            try:
                env.globals[name]
            except KeyError:
                return False
            return True

        return is_bound

    # Operators

    def _negation(self, node: syntax.Negation, scope: Scope | None) -> Closure:
        operand, at, source = self.compile(node.operand, scope), node.at, self.source

        def negated(env: Env) -> Value:
            try:
                return negate(operand(env))
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return negated

    def _arithmetic(self, node: syntax.Arithmetic, scope: Scope | None) -> Closure:
        # A long sum is a left-leaning tree; walking it in a loop keeps long texts from nesting closures.
        chain: list[syntax.Arithmetic] = []
        first: syntax.Node = node
        while isinstance(first, syntax.Arithmetic):
            chain.append(first)
            first = first.left
        start = self.compile(first, scope)
        steps = [(ARITHMETIC[step.operator], self.compile(step.right, scope), step.at) for step in reversed(chain)]
        source = self.source
        if len(steps) == 1:
            operate, right, at = steps[0]

            def compute_one(env: Env) -> Value:
                try:
                    return operate(start(env), right(env), env.run)
                except NullResult as problem:
                    env.run.note(problem.code, problem.reason, at, source)
                    return None

            return compute_one

        def compute(env: Env) -> Value:
            value = start(env)
            for operate, right, at in steps:
                try:
                    value = operate(value, right(env), env.run)
                except NullResult as problem:
                    env.run.note(problem.code, problem.reason, at, source)
                    value = None
            return value

        return compute

    def _comparison(self, node: syntax.Comparison, scope: Scope | None) -> Closure:
        left, right = self.compile(node.left, scope), self.compile(node.right, scope)
        operator, at, source = node.operator, node.at, self.source
        if operator in COMPARE:
            accepts = COMPARE[operator]

            def order(env: Env) -> bool | None:
                one, other = left(env), right(env)
                if type(one) is Decimal and type(other) is Decimal:
                    return accepts((one > other) - (one < other))
                return relate(env, one, other)
        else:
            wanted = operator == "="

            def order(env: Env) -> bool | None:
                one, other = left(env), right(env)
                if type(one) is str and type(other) is str:
                    return (one == other) is wanted
                return relate(env, one, other)

        def relate(env: Env, one: Value, other: Value) -> bool | None:
            try:
                return compared(operator, one, other, env.run)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return order

    def _between(self, node: syntax.Between, scope: Scope | None) -> Closure:
        value, low, high = (self.compile(part, scope) for part in (node.value, node.low, node.high))
        at, source = node.at, self.source

        def between(env: Env) -> bool | None:
            subject = value(env)
            try:
                above = compared(">=", subject, low(env), env.run)
                below = compared("<=", subject, high(env), env.run)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None
            return above and below

        return between

    def _conjunction(self, node: syntax.Conjunction, scope: Scope | None) -> Closure:
        return self._junction(node, node.operands, scope, decisive=False)

    def _disjunction(self, node: syntax.Disjunction, scope: Scope | None) -> Closure:
        return self._junction(node, node.operands, scope, decisive=True)

    def _junction(
        self, node: syntax.Node, operands: tuple[syntax.Node, ...], scope: Scope | None, *, decisive: bool
    ) -> Closure:
        """Compile and / or: one decisive operand settles it, else one that is no boolean makes it null."""
        parts = tuple(self.compile(operand, scope) for operand in operands)
        word, source = "or" if decisive else "and", self.source
        places = tuple(operand.at for operand in operands)

        def junction(env: Env) -> bool | None:
            unknown = False
            for index, part in enumerate(parts):
                value: object = part(env)
                if value is decisive:
                    return decisive
                if type(value) is not bool:
                    unknown = True
                    if value is not None:
                        env.run.note(
                            "type",
                            f"Expected a boolean beside {word}, but got {describe(value)}",
                            places[index],
                            source,
                        )
            return None if unknown else not decisive

        return junction

    def _if(self, node: syntax.If, scope: Scope | None) -> Closure:
        condition, then = self.compile(node.condition, scope), self.compile(node.then, scope)
        otherwise, at, source = self.compile(node.otherwise, scope), node.at, self.source

        def choose(env: Env) -> Value:
            value = condition(env)
            if value is True:
                return then(env)
            if value is not False:
                env.run.note("type", f"Expected a boolean after if, but got {describe(value)}", at, source)
            return otherwise(env)

        return choose

    def _instance_of(self, node: syntax.InstanceOf, scope: Scope | None) -> Closure:
        value, kind = self.compile(node.value, scope), unconstrained(resolve(node.type, self.types))
        return lambda env: is_instance(value(env), kind)

    # Loops

    def _iterators(
        self, iterators: tuple[syntax.Iterator, ...], scope: Scope | None
    ) -> tuple[list[tuple[str, Closure, Closure | None]], Scope | None]:
        parts = []
        for iterator in iterators:
            domain = self.compile(iterator.domain, scope)
            end = self.compile(iterator.end, scope) if iterator.end is not None else None
            parts.append((iterator.name, domain, end))
            scope = Scope({iterator.name}, scope)
        return parts, scope

    def _walk(self, parts: list[tuple[str, Closure, Closure | None]], env: Env, index: int = 0) -> Iterator[Env]:
        """Yield an environment for each combination; raises NullResult when a domain is none."""
        name, domain, end = parts[index]
        for item in elements(domain(env), end(env) if end is not None else None, is_span=end is not None):
            env.run.spend()
            inner = env.inside({name: item})
            if index + 1 < len(parts):
                yield from self._walk(parts, inner, index + 1)
            else:
                yield inner

    def _for(self, node: syntax.For, scope: Scope | None) -> Closure:
        parts, inner = self._iterators(node.iterators, Scope({"partial"}, scope, is_loop=True))
        body, at, source = self.compile(node.body, inner), node.at, self.source

        def loop(env: Env) -> Value:
            results: list[Value] = []
            limit = env.run.budget.items
            try:
                for frame in self._walk(parts, env.inside({"partial": results})):
                    results.append(body(frame))
                    if len(results) > limit:
                        env.run.allow_items(len(results))
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None
            return results

        return loop

    def _quantified(self, node: syntax.Quantified, scope: Scope | None) -> Closure:
        parts, inner = self._iterators(node.iterators, scope)
        condition, at, source, every = self.compile(node.condition, inner), node.at, self.source, node.every

        def quantify(env: Env) -> bool | None:
            unknown = False
            try:
                for frame in self._walk(parts, env):
                    verdict = condition(frame)
                    if verdict is (not every):
                        return not every
                    unknown = unknown or type(verdict) is not bool
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None
            return None if unknown else every

        return quantify

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

    # Unary tests

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
            return self._order_test(node, self._with_subject(node.bound, scope, has_subject))
        if has_subject and uses_subject(node):
            inner = self.compile(node, Scope({"?"}, scope))
            return lambda value, env: inner(env.inside({"?": value})) is True
        compute = self._with_subject(node, scope, has_subject)

        def passes(value: Value, env: Env) -> bool | None:
            return _passes(value, compute(env), env.run)

        return passes

    def _with_subject(self, node: syntax.Node, scope: Scope | None, has_subject: bool) -> Closure:
        if has_subject and uses_subject(node):
            return self.compile(node, Scope({"?"}, scope))
        return self.compile(node, scope)

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

    def _order_test(self, node: syntax.UnaryRange, bound: Closure) -> Test:
        operator, at, source = node.operator, node.at, self.source
        if isinstance(node.bound, syntax.Literal) and type(node.bound.value) is Decimal and operator in COMPARE:
            return self._number_test(node, node.bound.value)
        has_subject = uses_subject(node.bound)

        def test(value: Value, env: Env) -> bool | None:
            limit = bound(env.inside({"?": value}) if has_subject else env)
            try:
                return compared(operator, value, limit, env.run)
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return test

    _METHODS: ClassVar[dict[type[syntax.Node], Callable[[Compiler, Any, Scope | None], Closure]]] = {
        syntax.Literal: _literal,
        syntax.Name: _name,
        syntax.Path: _path,
        syntax.Filter: _filter,
        syntax.Call: _call,
        syntax.Negation: _negation,
        syntax.Arithmetic: _arithmetic,
        syntax.Comparison: _comparison,
        syntax.Between: _between,
        syntax.Membership: _membership,
        syntax.Conjunction: _conjunction,
        syntax.Disjunction: _disjunction,
        syntax.If: _if,
        syntax.InstanceOf: _instance_of,
        syntax.For: _for,
        syntax.Quantified: _quantified,
        syntax.RangeLiteral: _range,
        syntax.UnaryRange: _unary_range,
        syntax.ListLiteral: _list,
        syntax.ContextLiteral: _context,
        syntax.FunctionLiteral: _function,
    }


def invoke(function: Function, run: Run, arguments: list[Value], names: tuple[str, ...] = ()) -> Value:
    """Call a function value; arguments are converted to the types of its parameters. Raises NullResult."""
    if names:
        arguments = _ordered(function, names, arguments)
    run.enter()
    try:
        if function.is_built_in:
            return function.invoke(run, arguments)
        if len(arguments) != len(function.parameters):
            raise NullResult(
                f"Expected {len(function.parameters)} arguments for {function!r}, but got {len(arguments)}"
            )
        fitted = [
            coerce(value, parameter.type, _refuse) if parameter.type is not None else value
            for parameter, value in zip(function.parameters, arguments, strict=True)
        ]
        return function.invoke(run, fitted)
    finally:
        run.leave()


def _refuse(message: str) -> Value:
    raise NullResult(message, "coercion")


def _ordered(function: Function, names: tuple[str, ...], arguments: list[Value]) -> list[Value]:
    given = dict(zip(names, arguments, strict=True))
    wanted = [parameter.name for parameter in function.parameters]
    if set(wanted) != given.keys():
        raise NullResult(f"Expected the parameters of {function!r}, but got {', '.join(names)}")
    return [given[name] for name in wanted]


def host_value(function: HostFunction) -> Function:
    """Return a host function as a function value; Python values go in and come out."""

    def call(run: Run, arguments: list[Value]) -> Value:
        try:
            return to_feel(function.call(*(to_python(argument) for argument in arguments)))
        except ValueError as error:
            raise NullResult(f"{function.name}: {error}", "host") from error

    return Function(function.name, tuple(Parameter(name) for name in function.parameters), call)


def elements(domain: Value, end: Value, *, is_span: bool) -> Iterator[Value]:
    """Yield what a loop runs over: a list, a range, or the numbers from ``domain`` to ``end``. Raises NullResult."""
    if is_span:
        return _span(domain, end, True, True)
    if type(domain) is list:
        return iter(domain)
    if type(domain) is Range:
        if (compare(domain.low, domain.high) or 0) > 0:
            raise NullResult("Expected a range whose start comes before its end, but it is after", "type")
        return _span(domain.low, domain.high, domain.low_included, domain.high_included)
    if domain is None:
        raise NullResult("Expected a list to loop over, but got null", "type")
    return iter([domain])


def _span(start: Value, end: Value, start_included: bool, end_included: bool) -> Iterator[Value]:
    if type(start) is Date and type(end) is Date:
        step = 1 if start.number <= end.number else -1
        numbers = range(
            start.number + (0 if start_included else step), end.number + (step if end_included else 0), step
        )
        return map(_date_at, numbers)
    if type(start) is not Decimal or type(end) is not Decimal or start % 1 or end % 1:
        raise NullResult(
            f"Expected whole numbers or dates to loop over, but got {describe(start)} to {describe(end)}", "type"
        )
    first, last = integer_of(start, "start"), integer_of(end, "end")
    step = 1 if first <= last else -1
    return map(Decimal, range(first + (0 if start_included else step), last + (step if end_included else 0), step))


def _date_at(number: int) -> Date:
    return date_of(number)


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
