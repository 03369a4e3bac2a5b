"""Compiles boxed expressions: the XML that holds a decision's logic, down to the FEEL texts in its leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

from dmn import syntax
from dmn.budget import Run
from dmn.calling import elements, invoke
from dmn.compiler import Compiler
from dmn.documents import Document, Element, Text, attribute, child, children, local
from dmn.environment import Closure, Env, Scope, Test
from dmn.errors import Diagnostic, FeelSyntaxError, ModelError, Position
from dmn.functions import BUILT_INS
from dmn.items import ItemTypes
from dmn.names import Names
from dmn.parser import Parser
from dmn.tables import AGGREGATORS, POLICIES, Input, Output, Rule, Table
from dmn.types import AnyType, ConstrainedType, FeelType, coerce
from dmn.values import Function, NullResult, Parameter, Value, describe

EXPRESSIONS = (
    "literalExpression", "decisionTable", "context", "invocation", "relation", "list", "functionDefinition",
    "conditional", "filter", "for", "some", "every",
)  # fmt: skip
_OUTPUT = "output"


class Builder:
    """Compiles the logic of one element of a file.

    names: the variables that its requirements bring into scope. strict: a wrong expression raises; otherwise it is
    kept as a problem and answers null. Tables that are met are kept in ``tables``, names that nothing brings into scope
    in ``unknown``.
    """

    def __init__(
        self,
        document: Document,
        types: ItemTypes,
        *,
        owner: str,
        names: Iterable[str],
        functions: Names,
        properties: Iterable[str],
        strict: bool,
        problems: list[Diagnostic],
    ) -> None:
        self.document = document
        self.types = types
        self.owner = owner
        self.names = frozenset(names)
        self.functions = functions
        self.properties = tuple(properties)
        self.strict = strict
        self.problems = problems
        self.tables: list[Table] = []
        self.unknown: dict[str, Position] = {}

    # FEEL

    def _parser(self, text: Text, scope: Scope | None, *extra: str) -> Parser:
        lexical: set[str] = set(extra)
        while scope is not None:
            lexical |= scope.names
            scope = scope.parent
        return Parser(
            text.value, names=self.names | lexical, functions=self.functions, properties=self.properties,
            types=self.types, source=self.document.source, locate=text.locate,
        )  # fmt: skip

    def _compiler(self) -> Compiler:
        return Compiler(self.document.source, declared=self.names, types=self.types)

    def _problem(self, error: FeelSyntaxError) -> Diagnostic:
        if self.strict:
            raise error
        problem = Diagnostic("syntax", error.message, error.source, error.line, error.column, "error")
        self.problems.append(problem)
        return problem

    def feel(self, text: Text, scope: Scope | None) -> tuple[syntax.Node | None, Closure]:
        """Parse and compile one FEEL text."""
        try:
            parser, compiler = self._parser(text, scope), self._compiler()
            node = parser.parse_expression()
            closure = parser.guard(lambda: compiler.compile(node, scope))
        except FeelSyntaxError as error:
            problem = self._problem(error)
            return None, _broken(problem)
        self._check_names(compiler)
        return node, closure

    def tests(self, text: Text, scope: Scope | None) -> tuple[syntax.UnaryTests, Test]:
        """Parse and compile the tests of one cell."""
        try:
            parser, compiler = self._parser(text, scope, "?"), self._compiler()
            tree = parser.parse_unary_tests()
            test = parser.guard(lambda: compiler.compile_tests(tree, scope))
        except FeelSyntaxError as error:
            self._problem(error)
            at = Position(0, error.line, error.column)
            return syntax.UnaryTests(at, (syntax.Literal(at, None),)), lambda value, env: None
        self._check_names(compiler)
        return tree, test

    def _check_names(self, compiler: Compiler) -> None:
        """Keep names that nothing brings into scope."""
        for name, at in compiler.reads.items():
            if name in self.names or name in BUILT_INS or self.functions.fits(name, 0):
                continue
            self.unknown.setdefault(name, at)

    def unknown_name(self, name: str, at: Position) -> Diagnostic:
        """Describe a name that nothing brings into scope: it will be null, which is rarely meant."""
        near = get_close_matches(name, self.names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f"Expected a name in scope, but {name} is required by nothing here{hint}"
        return Diagnostic("name", message, self.document.source, at.line, at.column)

    # Boxed expressions

    def inside(self, element: Element, scope: Scope | None) -> Closure:
        """Compile the one boxed expression that an element contains."""
        found = child(element, *EXPRESSIONS)
        if found is None:
            at = self.document.position(element)
            message = f"Expected an expression in {self.owner}, but {local(element)} has none"
            return _broken(Diagnostic("empty", message, self.document.source, at.line, at.column))
        return self.boxed(found, scope)

    def boxed(self, element: Element, scope: Scope | None) -> Closure:
        """Compile one boxed expression; its typeRef converts the value."""
        try:
            method: Callable[[Element, Scope | None], Closure] = getattr(self, "_" + _snake(local(element)))
            compute = method(element, scope)
        except ModelError as error:
            return self._lenient(error)
        if local(element) in ("decisionTable", "functionDefinition"):
            return compute
        return self.typed(compute, self.types.of(element), self.document.position(element))

    def typed(self, compute: Closure, kind: FeelType | None, at: Position) -> Closure:
        """Convert what ``compute`` answers to a type; what does not conform becomes null, with an error noted."""
        if kind is None or isinstance(kind, AnyType):
            return compute
        source = self.document.source

        def converted(env: Env) -> Value:
            def complain(message: str) -> None:
                env.run.note("coercion", message, at, source, severity="error")

            return coerce(compute(env), kind, complain)

        return converted

    def _literal_expression(self, element: Element, scope: Scope | None) -> Closure:
        require_feel(self.document, element)
        text = self.document.text(child(element, "text"))
        if child(element, "importedValues") is not None:
            raise self.document.error("Expected a FEEL text, but imported values are not supported", element)
        if not text.value.strip():
            at = self.document.position(element)
            message = f"Expected an expression in {self.owner}, but the text is empty"
            return _broken(Diagnostic("empty", message, self.document.source, at.line, at.column))
        return self.feel(text, scope)[1]

    def _context(self, element: Element, scope: Scope | None) -> Closure:
        known: set[str] = set()
        inner = Scope(known, scope)
        entries: list[tuple[str | None, Closure]] = []
        for entry in children(element, "contextEntry"):
            variable = child(entry, "variable")
            name = attribute(variable, "name")
            compute = self.inside(entry, inner)
            entries.append((name, self.typed(compute, self.types.of(variable), self.document.position(entry))))
            if name is not None:
                known.add(name)

        def build(env: Env) -> Value:
            frame = env.inside({})
            for name, compute in entries:
                if name is None:
                    # The last entry without a name is the result of the whole context.
                    return compute(frame)
                frame.names[name] = compute(frame)
            return frame.names

        return build

    def _list(self, element: Element, scope: Scope | None) -> Closure:
        items = [self.boxed(item, scope) for item in children(element, *EXPRESSIONS)]
        return lambda env: [item(env) for item in items]

    def _relation(self, element: Element, scope: Scope | None) -> Closure:
        columns = [attribute(column, "name") or "" for column in children(element, "column")]
        rows = [[self.boxed(cell, scope) for cell in children(row, *EXPRESSIONS)] for row in children(element, "row")]
        for row, at in zip(rows, children(element, "row"), strict=True):
            if len(row) != len(columns):
                raise self.document.error(f"Expected {len(columns)} cells in the row, but got {len(row)}", at)
        return lambda env: [{name: cell(env) for name, cell in zip(columns, row, strict=True)} for row in rows]

    def _invocation(self, element: Element, scope: Scope | None) -> Closure:
        function = self.inside(element, scope)
        bindings: list[tuple[str, Closure]] = []
        for binding in children(element, "binding"):
            name = attribute(child(binding, "parameter"), "name") or ""
            bindings.append((name, self.inside(binding, scope)))
        at, source = self.document.position(element), self.document.source

        def call(env: Env) -> Value:
            called = function(env)
            if type(called) is not Function:
                env.run.note("function", f"Expected a function to invoke, but got {describe(called)}", at, source)
                return None
            given = {name: compute(env) for name, compute in bindings}
            try:
                if called.parameters or not given:
                    arguments = [given.get(parameter.name) for parameter in called.parameters]
                    return invoke(called, env.run, arguments)
                return invoke(called, env.run, list(given.values()), tuple(given))
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None

        return call

    def _function_definition(self, element: Element, scope: Scope | None) -> Closure:
        self._require_feel_function(element)
        parameters = self.parameters(element)
        body = self.inside(element, Scope({parameter.name for parameter in parameters}, scope))
        result = self.types.of(child(element, *EXPRESSIONS))

        def make(env: Env) -> Function:
            def run_body(run: Run, arguments: list[Value]) -> Value:
                names = {parameter.name: value for parameter, value in zip(parameters, arguments, strict=True)}
                return body(Env(names, env, env.globals, run))

            return Function("function", parameters, run_body, result_type=result)

        return make

    def _lenient(self, error: ModelError) -> Closure:
        if self.strict:
            raise error
        problem = Diagnostic("model", error.message, error.source, error.line, error.column, "error")
        self.problems.append(problem)
        return _broken(problem)

    def _require_feel_function(self, element: Element) -> None:
        kind = attribute(element, "kind") or "FEEL"
        if kind != "FEEL":
            raise self.document.error(f"Expected a FEEL function, but functions of kind {kind} are refused", element)

    def knowledge(self, element: Element, scope: Scope | None) -> Closure:
        """Compile the body of a business knowledge model."""
        try:
            self._require_feel_function(element)
        except ModelError as error:
            return self._lenient(error)
        return self.inside(element, scope)

    def parameters(self, element: Element) -> tuple[Parameter, ...]:
        """Read the formal parameters of a function."""
        return tuple(
            Parameter(attribute(part, "name") or "", self.types.of(part))
            for part in children(element, "formalParameter")
        )

    def _conditional(self, element: Element, scope: Scope | None) -> Closure:
        condition, then, otherwise = (self._part(element, name, scope) for name in ("if", "then", "else"))
        at, source = self.document.position(element), self.document.source

        def choose(env: Env) -> Value:
            value = condition(env)
            if type(value) is not bool:
                env.run.note("type", f"Expected a boolean as condition, but got {describe(value)}", at, source)
                return None
            return then(env) if value is True else otherwise(env)

        return choose

    def _part(self, element: Element, name: str, scope: Scope | None) -> Closure:
        part = child(element, name)
        if part is None:
            raise self.document.error(f"Expected {name} in {local(element)}, but there is none", element)
        return self.inside(part, scope)

    def _filter(self, element: Element, scope: Scope | None) -> Closure:
        source = self._part(element, "in", scope)
        condition = self._part(element, "match", Scope({"item"}, scope, is_open=True))
        at, text = self.document.position(element), self.document.source

        def select(env: Env) -> Value:
            value = source(env)
            kept = []
            for item in value if type(value) is list else [value]:
                env.run.spend()
                verdict = condition(env.inside({"item": item, **item} if type(item) is dict else {"item": item}))
                if type(verdict) is not bool:
                    env.run.note("type", f"Expected a boolean from match, but got {describe(verdict)}", at, text)
                    return None
                if verdict:
                    kept.append(item)
            return kept

        return select

    def _for(self, element: Element, scope: Scope | None) -> Closure:
        variable = attribute(element, "iteratorVariable") or "item"
        domain = self._part(element, "in", scope)
        body = self._part(element, "return", Scope({variable, "partial"}, scope))
        at, source = self.document.position(element), self.document.source

        def loop(env: Env) -> Value:
            results: list[Value] = []
            try:
                for item in elements(domain(env), None, is_span=False):
                    env.run.spend()
                    results.append(body(env.inside({variable: item, "partial": results})))
                    if len(results) > env.run.budget.items:
                        env.run.allow_items(len(results))
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None
            return results

        return loop

    def _some(self, element: Element, scope: Scope | None) -> Closure:
        return self._quantified(element, scope, decisive=True)

    def _every(self, element: Element, scope: Scope | None) -> Closure:
        return self._quantified(element, scope, decisive=False)

    def _quantified(self, element: Element, scope: Scope | None, *, decisive: bool) -> Closure:
        variable = attribute(element, "iteratorVariable") or "item"
        domain = self._part(element, "in", scope)
        condition = self._part(element, "satisfies", Scope({variable}, scope))
        at, source = self.document.position(element), self.document.source

        def quantify(env: Env) -> Value:
            unknown = False
            try:
                for item in elements(domain(env), None, is_span=False):
                    env.run.spend()
                    verdict = condition(env.inside({variable: item}))
                    if verdict is decisive:
                        return decisive
                    unknown = unknown or type(verdict) is not bool
            except NullResult as problem:
                env.run.note(problem.code, problem.reason, at, source)
                return None
            return None if unknown else not decisive

        return quantify

    # Decision tables

    def _decision_table(self, element: Element, scope: Scope | None) -> Closure:
        policy = (attribute(element, "hitPolicy") or "UNIQUE").upper()
        if policy not in POLICIES:
            raise self.document.error(
                f"Expected one of the hit policies {', '.join(POLICIES)}, but got {policy}", element
            )
        aggregator = (attribute(element, "aggregation") or "").upper()
        if aggregator and (aggregator not in AGGREGATORS or policy != "COLLECT"):
            raise self.document.error(
                f"Expected an aggregation of {', '.join(AGGREGATORS)} with COLLECT, but got {aggregator} with {policy}",
                element,
            )
        inputs = tuple(self._input(part, scope) for part in children(element, "input"))
        columns = list(children(element, _OUTPUT))
        outputs = tuple(self._output(part, scope, len(columns), element) for part in columns)
        if not outputs:
            raise self.document.error(f"Expected an output column in {self.owner}, but there is none", element)
        rules = tuple(
            self._rule(part, row, inputs, outputs, scope) for row, part in enumerate(children(element, "rule"), 1)
        )
        notes = tuple(attribute(part, "name") or "" for part in children(element, "annotation"))
        table = Table(
            self.owner, self.document.source, POLICIES[policy], aggregator, inputs, outputs, rules, notes,
            self.document.position(element), tuple((rule, rule.asked) for rule in rules),
        )  # fmt: skip
        self.tables.append(table)
        return table.evaluate

    def _input(self, element: Element, scope: Scope | None) -> Input:
        expression = child(element, "inputExpression")
        if expression is None:
            raise self.document.error("Expected an input expression in the column, but there is none", element)
        require_feel(self.document, expression)
        text = self.document.text(child(expression, "text"))
        kind = self.types.of(expression)
        allowed, accepts = self._allowed(child(element, "inputValues"), scope)
        if allowed is None and isinstance(kind, ConstrainedType):
            allowed = self.types.allowed.get(kind.name)
        label = attribute(element, "label") or text.value.strip()
        is_whole = (attribute(expression, "typeRef") or "").rpartition(":")[2] in ("integer", "long")
        at = self.document.position(element)
        return Input(text.value.strip(), label, self.feel(text, scope)[1], kind, allowed, accepts, at, is_whole)

    def _allowed(self, element: Element | None, scope: Scope | None) -> tuple[syntax.UnaryTests | None, Test | None]:
        text = self.document.text(child(element, "text")) if element is not None else None
        if text is None or not text.value.strip():
            return None, None
        return self.tests(text, scope)

    def _output(self, element: Element, scope: Scope | None, count: int, table: Element) -> Output:
        name = attribute(element, "name") or (attribute(table, "outputLabel") if count == 1 else None)
        if name is None and count > 1:
            raise self.document.error("Expected a name for each of several outputs, but one has none", element)
        label = attribute(element, "label") or name or self.owner
        kind = self.types.of(element)
        values, _ = self._allowed(child(element, "outputValues"), scope)
        if values is None and isinstance(kind, ConstrainedType):
            values = self.types.allowed.get(kind.name)
        compiler = self._compiler()
        listed = tuple(compiler.compile(test, scope) for test in values.tests) if values is not None else ()
        default = child(element, "defaultOutputEntry")
        text = self.document.text(child(default, "text")) if default is not None else None
        otherwise = self.feel(text, scope)[1] if text is not None and text.value.strip() else None
        return Output(name or self.owner, label, kind, listed, otherwise, self.document.position(element), values)

    def _rule(
        self, element: Element, row: int, inputs: tuple[Input, ...], outputs: tuple[Output, ...], scope: Scope | None
    ) -> Rule:
        for part in children(element, "inputEntry", "outputEntry"):
            require_feel(self.document, part)
        cells = [self.document.text(child(part, "text")) for part in children(element, "inputEntry")]
        answers = [self.document.text(child(part, "text")) for part in children(element, "outputEntry")]
        if len(cells) != len(inputs) or len(answers) != len(outputs):
            raise self.document.error(
                f"Expected {len(inputs)} input and {len(outputs)} output cells in row {row}, "
                f"but got {len(cells)} and {len(answers)}",
                element,
            )
        tests = [self.tests(text, scope) for text in cells]
        computed = [self._answer(text, scope) for text in answers]
        return Rule(
            row, attribute(element, "id") or "", tuple(test for _, test in tests), tuple(tree for tree, _ in tests),
            tuple(closure for _, closure in computed), tuple(node for node, _ in computed),
            self._annotations(element), self.document.position(element),
        )  # fmt: skip

    def _answer(self, text: Text, scope: Scope | None) -> tuple[syntax.Node | None, Closure]:
        if text.value.strip() in ("", "-"):
            at = text.locate(0)
            return syntax.Literal(at, None), lambda env: None
        return self.feel(text, scope)

    def _annotations(self, element: Element) -> tuple[str, ...]:
        """Return the annotations of a row; DMN 1.1 and Camunda keep the only one as description."""
        entries = [
            self.document.text(child(part, "text")).value.strip() for part in children(element, "annotationEntry")
        ]
        description = child(element, "description")
        if not entries and description is not None:
            entries = [(description.text or "").strip()]
        return tuple(entries)


def _broken(problem: Diagnostic) -> Closure:
    """Return a closure that answers null and says why."""
    at = Position(0, problem.line, problem.column)

    def broken(env: Env) -> Value:
        env.run.note(problem.code, problem.message, at, problem.source, severity="error")
        return None

    return broken


def require_feel(document: Document, element: Element) -> None:
    """Refuse an element whose texts are written in another language than FEEL. Raises ModelError."""
    language = attribute(element, "expressionLanguage")
    if language is not None and "feel" not in language.lower():
        raise document.error(f"Expected FEEL as expression language, but got {language}", element)


def _snake(name: str) -> str:
    return "".join("_" + char.lower() if char.isupper() else char for char in name)
