"""Reading a DMN file: its elements become parts, their references are followed, their logic is compiled."""

from __future__ import annotations

from collections.abc import Iterable

from dmn.boxed import EXPRESSIONS, Builder, require_feel
from dmn.documents import Document, Element, attribute, child, children, local, read_document
from dmn.environment import Scope
from dmn.errors import Diagnostic, ModelError
from dmn.expression import Functions, function_names
from dmn.items import ItemTypes
from dmn.model import Model, Part, Service

_KINDS = ("inputData", "decision", "businessKnowledgeModel", "decisionService")
_LOGIC = ("decision", "businessKnowledgeModel")


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
            self.parts.update(imported.parts)
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
            if part.key in model.parts and model.namespace == part.key[0]:
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
