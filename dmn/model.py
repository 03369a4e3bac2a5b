"""A DMN file as a model: decisions that require inputs, other decisions and business knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dmn.budget import Budget, Run
from dmn.environment import Closure, Env
from dmn.errors import Diagnostic, ModelError, Position, UnknownDecision
from dmn.expression import Clock, Functions, attempt
from dmn.tables import EvaluatedInput, MatchedRule, Table, TableTrace
from dmn.types import FeelType, coerce
from dmn.values import Function, Parameter, Value, to_feel


@dataclass(eq=False, slots=True)
class Part:
    """One element of the graph: input data, decision, business knowledge model or decision service.

    key: (namespace, id). alias: the import's name where the part belongs to another file, as its users write it.
    """

    key: tuple[str, str]
    kind: str
    id: str
    name: str
    type: FeelType | None
    at: Position
    source: str
    description: str = ""
    requires: tuple[tuple[str, Part], ...] = ()
    compute: Closure | None = None
    parameters: tuple[Parameter, ...] = ()
    tables: tuple[Table, ...] = ()
    service: Service | None = None
    free: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Service:
    """What a decision service encloses."""

    outputs: tuple[Part, ...]
    inputs: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of a model, for those who list it.

    requires: names of the inputs and decisions it needs. reads: names that only the caller's inputs can give, those of
    required input data and those that nothing in the file declares. table: its decision table, when its logic is one.
    """

    id: str
    name: str
    description: str
    line: int
    requires: tuple[str, ...]
    reads: frozenset[str]
    table: Table | None


@dataclass(frozen=True, slots=True)
class InputData:
    """An input of a model; ``type`` is its FEEL type, or None."""

    id: str
    name: str
    type: FeelType | None
    line: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a decision answered, and how.

    value: a FEEL value. matched: rules with 1-based rows, in table order. inputs: what its table asked. diagnostics:
    null reasons and errors, of this decision alone. required: the results of the decisions it required, in the order
    they were computed.
    """

    decision: str
    id: str
    value: Value
    matched: tuple[MatchedRule, ...] = ()
    inputs: tuple[EvaluatedInput, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    required: tuple[Result, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Diagnostics of severity error, of this decision and of all that it required."""
        own = tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")
        return own + tuple(error for result in self.required for error in result.errors)


@dataclass(eq=False)
class Model:
    """A DMN file, compiled. Safe to share between threads: evaluating changes nothing in it.

    problems: what is doubtful but does not keep the model from running, such as unknown types; and, when the file was
    read leniently, its syntax errors. parts: everything it can refer to, by namespace and id, imported files included.
    own: what this file itself defines, in its order. declared: the names of all parts.
    """

    name: str
    namespace: str
    source: str
    problems: tuple[Diagnostic, ...] = ()
    types: Mapping[str, FeelType] = field(default_factory=dict)
    parts: dict[tuple[str, str], Part] = field(default_factory=dict, repr=False)
    own: tuple[Part, ...] = field(default=(), repr=False)
    declared: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions of this file, in its order."""
        return tuple(_listed(part) for part in self.own if part.kind == "decision")

    @property
    def inputs(self) -> tuple[InputData, ...]:
        """The input data of this file, in its order."""
        return tuple(
            InputData(part.id, part.name, part.type, part.at.line) for part in self.own if part.kind == "inputData"
        )

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the decision services of this file."""
        return tuple(part.name for part in self.own if part.kind == "decisionService")

    @property
    def tables(self) -> tuple[Table, ...]:
        """All decision tables of this file, those inside business knowledge models too."""
        return tuple(table for part in self.own for table in part.tables)

    def evaluate(
        self,
        decision: str,
        inputs: Mapping[str, Any],
        *,
        functions: Functions | None = None,
        now: Clock = None,
        budget: Budget | None = None,
    ) -> Result:
        """Evaluate a decision, or a decision service, by id or name.

        inputs: Python or FEEL values by name of the input data; what is missing is null. functions: host functions that
        the expressions may call. now: the clock of now() and today().
        Raises UnknownDecision, BudgetExceeded; ValueError for an input that is no value FEEL knows.
        """
        part = self._find(decision)
        run = Run(inputs, functions=functions, now=now, budget=budget)
        evaluation = Evaluation(run, inputs, self)
        box: list[Result] = []

        def compute() -> Value:
            box.append(evaluation.decide(part) if part.kind == "decision" else evaluation.serve(part))
            return box[0].value

        attempt(compute, self.source)
        return box[0]

    def call(
        self,
        name: str,
        arguments: list[Any],
        *,
        functions: Functions | None = None,
        now: Clock = None,
        budget: Budget | None = None,
    ) -> Value:
        """Call a business knowledge model by id or name. Raises as ``evaluate`` does."""
        part = self._find(name, "businessKnowledgeModel")
        run = Run({}, functions=functions, now=now, budget=budget)
        function = Evaluation(run, {}, self).function(part)
        return attempt(lambda: function.invoke(run, [to_feel(argument) for argument in arguments]), self.source)

    def _find(self, wanted: str, *kinds: str) -> Part:
        among = [part for part in self.own if part.kind in (kinds or ("decision", "decisionService"))]
        for part in sorted(among, key=lambda part: part.kind):
            if part.id == wanted:
                return part
        for part in sorted(among, key=lambda part: part.kind):
            if part.name == wanted:
                return part
        names = ", ".join(part.name for part in among[:10]) or "none"
        raise UnknownDecision(f"Expected one of the decisions {names}, but got {wanted}", source=self.source)


def _listed(part: Part) -> Decision:
    table = part.tables[-1] if len(part.tables) == 1 else None
    names = tuple(name for name, other in part.requires if other.kind in ("inputData", "decision"))
    reads = part.free | {name for name, other in part.requires if other.kind == "inputData" and "\0" not in name}
    return Decision(part.id, part.name, part.description, part.at.line, names, reads, table)


class Scoped(dict[str, Value]):
    """The variables of one decision: what it requires, and inputs of the caller that the file declares nowhere.

    Files of Camunda's modeler rarely declare input data: their tables read the variables of the process. A name that
    the file does declare must be required, or it is not in scope.
    """

    def __init__(self, names: Mapping[str, Value], inputs: Mapping[Any, Any], declared: frozenset[str]) -> None:
        super().__init__(names)
        self._inputs = inputs
        self._declared = declared

    def __missing__(self, name: str) -> Value:
        if name in self._declared:
            raise KeyError(name)
        value = self[name] = to_feel(self._inputs[name])
        return value


class Evaluation:
    """One evaluation of a model: each decision is computed once."""

    def __init__(self, run: Run, inputs: Mapping[Any, Any], model: Model) -> None:
        self.run = run
        self.inputs = inputs
        self.model = model
        self.known: dict[tuple[str, str], Value] = {}
        self.order: list[Result] = []
        self.open: list[Part] = []

    def value(self, part: Part) -> Value:
        """Return what a part stands for: an input's value, a decision's answer, or a function."""
        if part.key in self.known:
            return self.known[part.key]
        if part.kind == "inputData":
            value = self._input(part)
        elif part.kind == "decision":
            self.order.append(self.decide(part))
            value = self.order[-1].value
        elif part.kind == "businessKnowledgeModel":
            value = self.function(part)
        else:
            value = self.service(part)
        self.known[part.key] = value
        return value

    def _input(self, part: Part) -> Value:
        key: Any = part.name
        if part.key[0] != self.model.namespace and (part.key[0], part.name) in self.inputs:
            key = (part.key[0], part.name)
        try:
            given = self.inputs[key]
        except KeyError:
            self.run.note(
                "input", f"Expected a value for the input {part.name}, but there is none", part.at, part.source
            )
            return None
        return coerce(to_feel(given), part.type, lambda message: self._complain(part, message))

    def _complain(self, part: Part, message: str) -> None:
        self.run.note("coercion", f"{part.name}: {message}", part.at, part.source, severity="error")

    def decide(self, part: Part) -> Result:
        """Evaluate a decision with everything it requires."""
        if part in self.open:
            raise ModelError(
                f"Expected decisions that do not depend on themselves, but {part.name} does",
                source=part.source, line=part.at.line, column=part.at.column,
            )  # fmt: skip
        self.open.append(part)
        outer, self.order = self.order, []
        noted, self.run.diagnostics = self.run.diagnostics, []
        names = self.scope(part)
        required, self.order = tuple(self.order), outer
        trace, self.run.trace = self.run.trace, []
        value = None
        if part.compute is not None:
            scoped = Scoped(names, self.inputs, self.model.declared)
            value = part.compute(Env({}, None, scoped, self.run))
            value = coerce(value, part.type, lambda message: self._complain(part, message))
        traces: list[TableTrace] = self.run.trace
        self.run.trace = trace
        own, self.run.diagnostics = self.run.diagnostics, noted
        self.open.pop()
        return Result(
            part.name,
            part.id,
            value,
            tuple(rule for one in traces for rule in one.matched),
            tuple(asked for one in traces for asked in one.inputs),
            tuple(own),
            required,
        )

    def scope(self, part: Part) -> dict[str, Value]:
        """Return the variables that the requirements of a part bring into scope."""
        names: dict[str, Value] = {}
        for name, required in part.requires:
            alias, mark, plain = name.partition("\0")
            if mark:
                names.setdefault(alias, {})[plain] = self.value(required)
            else:
                names[name] = self.value(required)
        return names

    def function(self, part: Part) -> Function:
        """Return a business knowledge model as a function; what it requires is looked up on its first call."""
        names: dict[str, Value] = {}
        ready: list[bool] = []

        def run_body(run: Run, arguments: list[Value]) -> Value:
            if not ready:
                ready.append(True)
                names.update(self.scope(part))
            frame = {parameter.name: value for parameter, value in zip(part.parameters, arguments, strict=True)}
            value = part.compute(Env(frame, None, names, run)) if part.compute is not None else None
            return coerce(value, part.type, lambda message: self._complain(part, message))

        function = Function(part.name, part.parameters, run_body, result_type=part.type)
        self.known[part.key] = function
        return function

    def service(self, part: Part) -> Function:
        """Return a decision service as a function of its input data and input decisions."""
        service = part.service or Service((), ())

        def run_body(run: Run, arguments: list[Value]) -> Value:
            inner = Evaluation(run, self.inputs, self.model)
            for given, value in zip(service.inputs, arguments, strict=True):
                inner.known[given.key] = value
            return inner.outputs(part)

        parameters = tuple(Parameter(given.name, given.type) for given in service.inputs)
        return Function(part.name, parameters, run_body, result_type=part.type)

    def serve(self, part: Part) -> Result:
        """Evaluate a decision service with inputs by name; its input decisions are given, not computed."""
        service = part.service or Service((), ())
        for given in service.inputs:
            if given.kind == "decision":
                self.known[given.key] = self._input(given)
        return Result(
            part.name, part.id, self.outputs(part), diagnostics=tuple(self.run.diagnostics), required=tuple(self.order)
        )

    def outputs(self, part: Part) -> Value:
        """Return the one answer of a decision service, or its answers by name."""
        service = part.service or Service((), ())
        answers = {output.name: self.value(output) for output in service.outputs}
        value = next(iter(answers.values())) if len(answers) == 1 else answers
        return coerce(value, part.type, lambda message: self._complain(part, message))
