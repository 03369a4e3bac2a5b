"""Compiles operators, conditions and loops."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from dmn import syntax
from dmn.calling import elements
from dmn.environment import Closure, Compiling, Env, Scope
from dmn.errors import BudgetExceeded
from dmn.operators import ARITHMETIC, COMPARE, compared, negate
from dmn.types import is_instance, resolve, unconstrained
from dmn.values import NullResult, Value, describe


class OperatorCompiler(Compiling):
    """Operators answer null, with a reason, where they have no answer."""

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
            except BudgetExceeded as error:
                error.locate(at, source)
                raise
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
            except BudgetExceeded as error:
                error.locate(at, source)
                raise
            return None if unknown else every

        return quantify
