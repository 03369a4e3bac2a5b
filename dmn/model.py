"""A DMN file as a model: decisions that require inputs, other decisions and business knowledge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dmn.boxed import EXPRESSIONS, Builder, require_feel
from dmn.budget import Budget, Run
from dmn.documents import Document, Element, attribute, child, children, local, read_document
from dmn.environment import Closure, Env, Scope
from dmn.errors import Diagnostic, ModelError, Position, UnknownDecision
from dmn.expression import Clock, Functions, attempt, function_names
from dmn.items import ItemTypes
from dmn.tables import EvaluatedInput, MatchedRule, Table, TableTrace
from dmn.types import FeelType, coerce
from dmn.values import Function, Parameter, Value, to_feel

_KINDS = ("inputData", "decision", "businessKnowledgeModel", "decisionService")
_LOGIC = ("decision", "businessKnowledgeModel")


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
    read leniently, its syntax errors. declared: the names of all its parts.
    """

    name: str
    namespace: str
    source: str
    problems: tuple[Diagnostic, ...] = ()
    types: Mapping[str, FeelType] = field(default_factory=dict)
    _parts: dict[tuple[str, str], Part] = field(default_factory=dict, repr=False)
    _own: tuple[Part, ...] = field(default=(), repr=False)
    declared: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions of this file, in its order."""
        return tuple(_listed(part) for part in self._own if part.kind == "decision")

    @property
    def inputs(self) -> tuple[InputData, ...]:
        """The input data of this file, in its order."""
        return tuple(
            InputData(part.id, part.name, part.type, part.at.line) for part in self._own if part.kind == "inputData"
        )

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the decision services of this file."""
        return tuple(part.name for part in self._own if part.kind == "decisionService")

    @property
    def tables(self) -> tuple[Table, ...]:
        """All decision tables of this file, those inside business knowledge models too."""
        return tuple(table for part in self._own for table in part.tables)

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
        among = [part for part in self._own if part.kind in (kinds or ("decision", "decisionService"))]
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


class Reading:
    """Builds a model from a document."""

    def __init__(
        self, document: Document, imports: Iterable[Model], functions: Functions | None, *, strict: bool
    ) -> None:
        self.document = document
        self.strict = strict
        self.functions = function_names(functions)
        self.namespace = attribute(document.root, "namespace") or ""
        require_feel(document, document.root)
        self.imports = self._imports(list(imports))
        types = {f"{alias}.{name}": kind for alias, model in self.imports.items() for name, kind in model.types.items()}
        self.types = ItemTypes(document, types, strict=strict)
        self.problems: list[Diagnostic] = []
        self.properties = self._properties()
        self.elements: dict[tuple[str, str], Element] = {}
        self.parts: dict[tuple[str, str], Part] = {}

    def model(self) -> Model:
        """Compile everything. Raises ModelError, FeelSyntaxError (only when strict)."""
        for imported in self.imports.values():
            self.parts.update(imported._parts)
        own = [self._part(element) for element in children(self.document.root, *_KINDS)]
        for part in own:
            self.parts[part.key] = part
        for part in own:
            self._require(part, self.elements[part.key])
        self._refuse_circles(own)
        for part in own:
            self._compile(part, self.elements[part.key])
        return Model(
            attribute(self.document.root, "name") or "",
            self.namespace,
            self.document.source,
            (*self.types.problems, *self.problems),
            self.types,
            self.parts,
            tuple(own),
            frozenset(part.name for part in self.parts.values()) | self.imports.keys(),
        )

    def _imports(self, available: list[Model]) -> dict[str, Model]:
        by_namespace = {model.namespace: model for model in available}
        found: dict[str, Model] = {}
        for element in children(self.document.root, "import"):
            if "DMN" not in (attribute(element, "importType") or "DMN"):
                raise self.document.error(
                    f"Expected imports of DMN files only, but got {attribute(element, 'importType')}", element
                )
            namespace = attribute(element, "namespace") or ""
            if namespace not in by_namespace:
                raise self.document.error(
                    f"Expected the imported file of namespace {namespace}, but it was not given", element
                )
            found[attribute(element, "name") or ""] = by_namespace[namespace]
        return found

    def _properties(self) -> tuple[str, ...]:
        names = {
            name
            for element in self.document.root.iter()
            if local(element) in ("itemComponent", "variable", "column", "output")
            and (name := attribute(element, "name"))
        }
        return tuple(sorted(name for name in names if not name.isalnum()))

    def _part(self, element: Element) -> Part:
        name = attribute(element, "name")
        if name is None:
            raise self.document.error(f"Expected a name for {local(element)}, but it has none", element)
        identity = attribute(element, "id") or name
        key = (self.namespace, identity)
        if key in self.elements:
            raise self.document.error(f"Expected each id once, but {identity} comes twice", element)
        self.elements[key] = element
        variable = child(element, "variable")
        kind = self.types.of(variable)
        if local(element) == "businessKnowledgeModel":
            kind = None
        description = child(element, "description")
        return Part(
            key, local(element), identity, name, kind, self.document.position(element), self.document.source,
            (description.text or "").strip() if description is not None else "",
        )  # fmt: skip

    def _require(self, part: Part, element: Element) -> None:
        required: list[tuple[str, Part]] = []
        for requirement in children(element, "informationRequirement", "knowledgeRequirement"):
            for reference in children(requirement, "requiredInput", "requiredDecision", "requiredKnowledge"):
                found = self._referenced(reference)
                required.append((self._name_here(found), found))
        part.requires = tuple(required)
        if part.kind == "decisionService":
            outputs, decisions, data = (
                tuple(self._referenced(reference) for reference in children(element, name))
                for name in ("outputDecision", "inputDecision", "inputData")
            )
            part.service = Service(outputs, (*data, *decisions))

    def _referenced(self, reference: Element) -> Part:
        href = attribute(reference, "href") or ""
        namespace, _, identity = href.rpartition("#")
        part = self.parts.get((namespace or self.namespace, identity))
        if part is None:
            raise self.document.error(f"Expected a reference to an element of the model, but {href} is none", reference)
        return part

    def _name_here(self, part: Part) -> str:
        """Return the name by which this file reads a part; for another file's part the import's name comes first."""
        if part.key[0] == self.namespace:
            return part.name
        for alias, model in self.imports.items():
            if part.key in model._parts and model.namespace == part.key[0]:
                return f"{alias}\0{part.name}" if alias else part.name
        return part.name

    def _refuse_circles(self, own: list[Part]) -> None:
        finished: set[tuple[str, str]] = set()
        for start in own:
            path: list[tuple[Part, int]] = [(start, 0)]
            on_path = {start.key}
            while path:
                part, index = path.pop()
                following = [other for _, other in part.requires if other.kind == "decision"]
                if part.key in finished or index >= len(following):
                    finished.add(part.key)
                    on_path.discard(part.key)
                    continue
                path.append((part, index + 1))
                following_part = following[index]
                if following_part.key in on_path:
                    raise ModelError(
                        f"Expected decisions that do not depend on themselves, but {following_part.name} does",
                        source=part.source, line=following_part.at.line, column=following_part.at.column,
                    )  # fmt: skip
                path.append((following_part, 0))
                on_path.add(following_part.key)

    def _compile(self, part: Part, element: Element) -> None:
        if part.kind not in _LOGIC:
            return
        builder = Builder(
            self.document, self.types, owner=part.name, names=[name.partition("\0")[0] for name, _ in part.requires],
            functions=self.functions, properties=self.properties, strict=self.strict, problems=self.problems,
        )  # fmt: skip
        if part.kind == "decision":
            logic = child(element, *EXPRESSIONS)
            part.compute = builder.boxed(logic, None) if logic is not None else None
        else:
            self._compile_knowledge(part, element, builder)
        part.tables = tuple(builder.tables)
        part.free = frozenset(builder.unknown)
        # A file without any input data follows Camunda's habit: its tables read the variables of the process.
        if part.kind != "decision" or any(other.kind == "inputData" for other in self.parts.values()):
            self.problems += [builder.unknown_name(name, at) for name, at in builder.unknown.items()]

    def _compile_knowledge(self, part: Part, element: Element, builder: Builder) -> None:
        logic = child(element, "encapsulatedLogic")
        if logic is None:
            return
        part.parameters = builder.parameters(logic)
        scope = Scope({parameter.name for parameter in part.parameters})
        part.compute = builder.knowledge(logic, scope)
        part.type = self.types.of(child(element, "variable"))


def parse(
    xml: bytes | str,
    *,
    name: str = "<dmn>",
    imports: Iterable[Model] = (),
    functions: Functions | None = None,
    strict: bool = True,
) -> Model:
    """Read and compile a DMN file (DMN 1.1 to 1.5).

    name: what errors call the file. imports: the models that the file imports, found by namespace. functions: host
    functions whose names contain keywords (others are found at run time). strict: the first wrong expression raises;
    otherwise wrong expressions are kept in ``Model.problems`` and answer null.
    Raises ModelError (no XML, no DMN, entities, too large, broken references, external functions) and FeelSyntaxError,
    both with the line and column in the file.
    """
    document = read_document(xml, name)
    return Reading(document, imports, functions, strict=strict).model()
