"""Which variables a service task's function gives back, read from its source.

Only what stands there plainly counts: dictionaries with literal keys, also through functions of the same module. Where a
function builds its answer otherwise, nobody can tell beforehand, and the answer is None.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.registry import Registry

DEEPEST = 4
"""Calls that are followed from one function into the next."""


def names_given_back(registry: Registry) -> dict[str, frozenset[str] | None]:
    """Return, for each job type that is served, the names of the variables its function gives back."""
    served: Mapping[str, Callable[..., Any]] = {**registry.steps, **registry.jobs, **registry.errands}
    return {job_type: of_function(function) for job_type, function in served.items()}


def of_function(function: Callable[..., Any], depth: int = 0) -> frozenset[str] | None:
    """Return the keys of the dictionaries that a function returns, or None when they cannot be told."""
    function = inspect.unwrap(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        return None
    [definition] = tree.body
    if depth > DEEPEST or not isinstance(definition, ast.FunctionDef):
        return None
    names: set[str] = set()
    for answer in _answers(definition):
        found = _keys(answer, definition, function, depth)
        if found is None:
            return None
        names |= found
    return frozenset(names)


def _answers(definition: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield what the function returns; what functions inside it return is theirs."""
    waiting: list[ast.AST] = list(definition.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _keys(
    answer: ast.expr, definition: ast.FunctionDef, function: Callable[..., Any], depth: int
) -> set[str] | frozenset[str] | None:
    match answer:
        case ast.Constant(value=None):
            return set()
        case ast.Dict():
            return _keys_of_display(answer, definition, function, depth)
        case ast.IfExp(body=body, orelse=orelse):
            either, other = (_keys(part, definition, function, depth) for part in (body, orelse))
            return None if either is None or other is None else either | other
        case ast.Name(id=name):
            return _keys_of_variable(name, definition, function, depth)
        case ast.Call(func=ast.Name(id=name)):
            called = getattr(inspect.getmodule(function), name, None)
            return of_function(called, depth + 1) if inspect.isfunction(called) else None
        case _:
            return None


def _keys_of_display(
    display: ast.Dict, definition: ast.FunctionDef, function: Callable[..., Any], depth: int
) -> set[str] | None:
    names: set[str] = set()
    for key, value in zip(display.keys, display.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            names.add(key.value)
            continue
        unpacked = _keys(value, definition, function, depth) if key is None else None
        if unpacked is None:
            return None
        names |= unpacked
    return names


def _keys_of_variable(
    name: str, definition: ast.FunctionDef, function: Callable[..., Any], depth: int
) -> set[str] | None:
    """Collect what is assigned to a local variable, and the literal keys set on it."""
    names: set[str] | None = None
    for node in ast.walk(definition):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                given = _keys(value, definition, function, depth)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                given = _keys(value, definition, function, depth)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=target), slice=ast.Constant(value=str(key)))]) if (
                target == name
            ):
                given = {key}
            case _:
                continue
        if given is None:
            return None
        names = (names or set()) | given
    return names
