"""Decision tables: rules, hit policies and what they answer (DMN 1.5, chapter 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from dmn import syntax
from dmn.budget import Run
from dmn.environment import Closure, Env, Test
from dmn.errors import Position
from dmn.functions import BUILT_INS
from dmn.types import FeelType, coerce
from dmn.values import NullResult, Value, describe, equal

POLICIES = {
    "UNIQUE": "U", "ANY": "A", "PRIORITY": "P", "FIRST": "F", "COLLECT": "C", "RULE ORDER": "R", "OUTPUT ORDER": "O",
}  # fmt: skip
AGGREGATORS = {"SUM": "sum", "MIN": "min", "MAX": "max", "COUNT": "count"}


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """A column that is asked.

    allowed: its allowed values as tests, from the column or from its type. is_whole: only whole numbers occur (the
    type ``integer`` or ``long``, as Camunda writes it).
    """

    text: str
    label: str
    compute: Closure
    type: FeelType | None
    allowed: syntax.UnaryTests | None
    accepts: Test | None
    at: Position
    is_whole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """A column that answers. ``priorities``: its output values, the highest first; ``default`` when no rule matches."""

    name: str
    label: str
    type: FeelType | None
    priorities: tuple[Closure, ...]
    default: Closure | None
    at: Position
    allowed: syntax.UnaryTests | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One row. ``row`` counts from 1; ``tests`` and ``cells`` have one part a column."""

    row: int
    id: str
    tests: tuple[Test, ...]
    cells: tuple[syntax.UnaryTests, ...]
    outputs: tuple[Closure, ...]
    output_nodes: tuple[syntax.Node | None, ...]
    annotations: tuple[str, ...]
    at: Position

    @property
    def asked(self) -> tuple[tuple[int, Test], ...]:
        """(column, test) of the cells that are not a dash."""
        return tuple(
            (index, test) for index, (test, cell) in enumerate(zip(self.tests, self.cells, strict=True)) if cell.tests
        )


@dataclass(frozen=True, slots=True)
class EvaluatedInput:
    """What a table asked: the text of the input, and its value."""

    text: str
    value: Value


@dataclass(frozen=True, slots=True)
class MatchedRule:
    """A rule that matched. ``row`` counts from 1; ``outputs`` are its values by column name."""

    row: int
    id: str
    outputs: dict[str, Value]
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableTrace:
    """One evaluation of one table."""

    table: Table
    inputs: tuple[EvaluatedInput, ...]
    matched: tuple[MatchedRule, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A decision table, ready to run. ``policy`` is one of U A P F C R O; ``aggregator`` of SUM MIN MAX COUNT or empty."""

    decision: str
    source: str
    policy: str
    aggregator: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]
    annotation_names: tuple[str, ...]
    at: Position
    plan: tuple[tuple[Rule, tuple[tuple[int, Test], ...]], ...] = ()

    def evaluate(self, env: Env) -> Value:
        """Run the table once; what it did is added to the trace of the run."""
        run = env.run
        run.spend(len(self.rules))
        values = [column.compute(env) for column in self.inputs]
        self._check_inputs(values, env)
        matched = self._matching(values, env)
        answers = [self._answer(rule, env) for rule in matched]
        if run.trace is not None:
            run.trace.append(self._trace(values, matched, answers))
        if not matched:
            return self._default(env)
        return self._settle(matched, answers, env)

    def _check_inputs(self, values: list[Value], env: Env) -> None:
        for column, value in zip(self.inputs, values, strict=True):
            if value is not None and column.accepts is not None and column.accepts(value, env) is not True:
                message = f"Expected an allowed value for {column.text}, but got {describe(value)}"
                env.run.note("allowed", message, column.at, self.source, severity="error")

    def _matching(self, values: list[Value], env: Env) -> list[Rule]:
        matched = []
        is_first = self.policy == "F"
        for rule, asked in self.plan:
            for index, test in asked:
                value = values[index]
                if value is None:
                    # Comparing null would fill the diagnostics with every cell of the column.
                    env.run.muted += 1
                    passed = test(value, env)
                    env.run.muted -= 1
                else:
                    passed = test(value, env)
                if passed is not True:
                    break
            else:
                matched.append(rule)
                if is_first:
                    break
        return matched

    def _answer(self, rule: Rule, env: Env) -> dict[str, Value]:
        answer: dict[str, Value] = {}
        for column, compute in zip(self.outputs, rule.outputs, strict=True):
            value = compute(env)
            if column.type is not None:
                value = coerce(value, column.type, self._complaint(env, rule))
            answer[column.name] = value
        return answer

    def _complaint(self, env: Env, rule: Rule) -> Callable[[str], None]:
        def complain(message: str) -> None:
            env.run.note("coercion", f"Row {rule.row}: {message}", rule.at, self.source, severity="error")

        return complain

    def _trace(self, values: list[Value], matched: list[Rule], answers: list[dict[str, Value]]) -> TableTrace:
        asked = tuple(EvaluatedInput(column.text, value) for column, value in zip(self.inputs, values, strict=True))
        rules = tuple(
            MatchedRule(rule.row, rule.id, answer, rule.annotations)
            for rule, answer in zip(matched, answers, strict=True)
        )
        return TableTrace(self, asked, rules)

    def _value(self, answer: dict[str, Value]) -> Value:
        if len(self.outputs) == 1:
            return answer[self.outputs[0].name]
        return dict(answer)

    def _default(self, env: Env) -> Value:
        if any(column.default is not None for column in self.outputs):
            answer = {column.name: column.default(env) if column.default else None for column in self.outputs}
            return self._value(answer)
        env.run.note("no-match", "Expected a rule that matches, but none does", self.at, self.source)
        if self.aggregator == "COUNT":
            return Decimal(0)
        return [] if self.policy in "CRO" and not self.aggregator else None

    def _settle(self, matched: list[Rule], answers: list[dict[str, Value]], env: Env) -> Value:
        if self.policy == "U" and len(matched) > 1:
            return self._refuse("unique", "Expected at most one rule to match", matched, env)
        if self.policy == "A" and any(equal(answer, answers[0], env.run) is not True for answer in answers[1:]):
            return self._refuse("any", "Expected all matching rules to answer the same", matched, env)
        if self.policy in "PO":
            answers = self._ranked(answers, env)
        if self.policy in "UAPF":
            return self._value(answers[0])
        values = [self._value(answer) for answer in answers]
        return self._aggregated(values, env) if self.aggregator else values

    def _refuse(self, code: str, expectation: str, matched: list[Rule], env: Env) -> None:
        rows = ", ".join(str(rule.row) for rule in matched)
        env.run.note(code, f"{expectation}, but rows {rows} match", self.at, self.source, severity="error")

    def _ranked(self, answers: list[dict[str, Value]], env: Env) -> list[dict[str, Value]]:
        """Sort by the order of the output values, first column first; values that are not listed come last."""
        orders = [(column.name, [compute(env) for compute in column.priorities]) for column in self.outputs]

        def rank(answer: dict[str, Value]) -> list[int]:
            return [_index(answer[name], listed, env.run) for name, listed in orders]

        return sorted(answers, key=rank)

    def _aggregated(self, values: list[Value], env: Env) -> Value:
        if self.aggregator == "COUNT":
            return Decimal(len(values))
        if len(self.outputs) > 1:
            return self._each_column(values, env)
        return self._aggregate(values, env)

    def _each_column(self, values: list[Value], env: Env) -> Value:
        names = [column.name for column in self.outputs]
        return {name: self._aggregate([value[name] for value in values], env) for name in names}

    def _aggregate(self, values: list[Value], env: Env) -> Value:
        try:
            return BUILT_INS[AGGREGATORS[self.aggregator]].call(env.run, [values])
        except NullResult as problem:
            env.run.note(problem.code, problem.reason, self.at, self.source)
            return None


def _index(value: Value, listed: list[Value], run: Run) -> int:
    for index, other in enumerate(listed):
        if equal(value, other, run) is True:
            return index
    return len(listed)
