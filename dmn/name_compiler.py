"""Compiles names, paths, filters and calls."""

from __future__ import annotations

from decimal import Decimal

from dmn import syntax
from dmn.calling import host_value, invoke
from dmn.environment import Closure, Compiling, Env, Scope
from dmn.errors import BudgetExceeded
from dmn.functions import BUILT_INS
from dmn.operators import integer_of, property_of
from dmn.values import Function, NullResult, Value, describe


class NameCompiler(Compiling):
    """Names are resolved to a frame while compiling, except inside filters."""

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
            position = node.condition.value
            return self._index(node, source, lambda env: position)
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
            except BudgetExceeded as error:
                error.locate(at, source)
                raise

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
            except BudgetExceeded as error:
                error.locate(at, source)
                raise

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
