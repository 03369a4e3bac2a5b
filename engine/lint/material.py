"""Gather what the laws look at: from the files of a library and the functions of a house."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dmn import Model
from engine.bundle import Library
from engine.functions import HOUSE
from engine.lint.advice import Material
from engine.lint.handlers import names_given_back
from engine.registry import Registry


def gather(library: Library, registry: Registry, *, roles: Collection[str] = ()) -> Material:
    """Return everything that the laws look at together. roles: known codes; without any, none is doubted."""
    return Material(
        processes=list(library.processes.values()),
        form_fields={form.id: frozenset(_fields(form.schema)) for form in library.forms.values()},
        decisions={name: frozenset(_inputs(table.model, name)) for name, table in library.tables.items()},
        handlers=names_given_back(registry),
        functions=HOUSE,
        roles=roles,
    )


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the variable that each field of a form writes; ``supplier.name`` and a list at the path ``lines`` write one."""
    for component in schema.get("components", ()):
        if not isinstance(component, Mapping):
            continue
        name = component.get("key") or component.get("path")
        if name:
            yield str(name).partition(".")[0]
        if not component.get("path"):
            yield from _fields(component)


def _inputs(model: Model, decision_id: str) -> Iterator[str]:
    """Yield the names of the input data that a decision needs, through the decisions it requires too."""
    inputs = {given.name for given in model.inputs}
    by_name = {decision.name: decision for decision in model.decisions}
    waiting = [decision for decision in model.decisions if decision.id == decision_id]
    seen: set[str] = set()
    while waiting:
        decision = waiting.pop()
        for name in decision.requires:
            if name in inputs:
                yield name
            elif name in by_name and name not in seen:
                seen.add(name)
                waiting.append(by_name[name])
