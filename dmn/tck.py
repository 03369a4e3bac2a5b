"""Adapter for a harness that runs the DMN Technology Compatibility Kit.

The harness hands inputs over as None, bool, str, Decimal, list, dict, and objects with ``kind`` and ``text`` for
temporal values; answers go back the same way.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dmn.budget import Budget
from dmn.documents import attribute, children, read_document
from dmn.model import Model
from dmn.model_reading import parse
from dmn.operators import property_of
from dmn.temporal import parse_temporal
from dmn.types import ConstrainedType, ContextType, FeelType, ListType, SimpleType
from dmn.values import TEMPORAL, Range, Value, kind_of, to_feel

_BUDGET = Budget(seconds=4.5)


@dataclass(frozen=True)
class Temporal:
    """A temporal value as text, for callers other than the harness."""

    kind: str
    text: str


def _harness_class() -> type[Any]:
    """Return the harness's own class ``T``: it takes no other for a temporal value. It may run as a script."""
    for name in ("tck_harness", "__main__"):
        found = getattr(sys.modules.get(name), "T", None)
        if isinstance(found, type):
            return found
    return Temporal


class Adapter:
    """Loads and evaluates models for the harness."""

    def __init__(self) -> None:
        self.temporal = _harness_class()

    def load(self, dmn: Path, imported: list[Path]) -> Model:
        """Read a file and the files beside it that it imports, directly or through others."""
        return _load(dmn, {_namespace(path): path for path in imported})

    def evaluate(self, model: Model, kind: str, name: str, inputs: dict[Any, Any], invocable: str | None) -> Any:
        """Evaluate one result node; ``name`` is a decision, or part of the answer of the service ``invocable``."""
        types = {given.name: given.type for given in model.inputs}
        values = {key: _to_value(value, types.get(key)) for key, value in inputs.items()}
        if kind == "bkm":
            return self._plain(model.call(invocable or name, list(values.values()), budget=_BUDGET))
        target = invocable if kind == "decisionService" and invocable else name
        value = model.evaluate(target, values, budget=_BUDGET).value
        if target != name and type(value) is dict and name in value:
            # A service with several outputs is asked for one of them at a time.
            value = value[name]
        return self._plain(value)

    def _plain(self, value: Value) -> Any:
        if type(value) in TEMPORAL:
            return self.temporal(kind_of(value), str(value))
        if type(value) is list:
            return [self._plain(item) for item in value]
        if type(value) is dict:
            return {key: self._plain(item) for key, item in value.items()}
        if type(value) is Range:
            names = ("start", "end", "start included", "end included")
            return {name: self._plain(property_of(value, name)) for name in names}
        return value


def _load(path: Path, others: dict[str, Path]) -> Model:
    data = path.read_bytes()
    wanted = [attribute(part, "namespace") or "" for part in children(read_document(data, path.name).root, "import")]
    imports = [_load(others[namespace], others) for namespace in wanted if namespace in others]
    return parse(data, name=path.name, imports=imports, strict=False)


def _namespace(path: Path) -> str:
    return attribute(read_document(path.read_bytes(), path.name).root, "namespace") or ""


def _to_value(value: Any, kind: FeelType | None) -> Any:
    if isinstance(kind, ConstrainedType):
        kind = kind.base
    if isinstance(value, list):
        return [_to_value(item, kind.item if isinstance(kind, ListType) else None) for item in value]
    if isinstance(value, dict):
        fields = dict(kind.fields) if isinstance(kind, ContextType) else {}
        return {key: _to_value(item, fields.get(key)) for key, item in value.items()}
    if hasattr(value, "kind") and hasattr(value, "text"):
        return parse_temporal(value.text)
    if type(value) is not str and isinstance(value, str):
        return _typed(str(value), kind)
    return value


def _typed(text: str, kind: FeelType | None) -> Value:
    """Read a text that the test gives without a type as the type that the model declares."""
    name = kind.name if isinstance(kind, SimpleType) else "string"
    if name == "number":
        return to_feel(Decimal(text.strip()))
    if name == "boolean":
        return text.strip() == "true"
    return text if name == "string" else parse_temporal(text.strip())
