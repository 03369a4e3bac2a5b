"""Camunda Forms as files of a bundle: read, and refused where they could not be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dmn import compile_expression
from dmn.errors import DmnError
from engine.spiff.problems import Problem

WITHOUT_KEY = frozenset(
    {"text", "html", "separator", "spacer", "group", "button", "image", "iframe", "table", "dynamiclist", "expression"}
)
WITH_KEY = frozenset(
    {"textfield", "textarea", "number", "datetime", "checkbox", "checklist", "radio", "select", "taglist", "filepicker"}
)


@dataclass(frozen=True, slots=True)
class Form:
    """One form. schema: its JSON as it is."""

    id: str
    file: str
    schema: Mapping[str, Any]


def read_form(file: str, content: bytes, *, known_as: str | None = None) -> tuple[Form | None, list[Problem]]:
    """Read a form file; None when it is no form at all. Every problem is listed.

    known_as: the id of a form that stands in a diagram; a file says its own.
    """
    try:
        schema = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        return None, [_problem(file, 1, "Expected UTF-8 text, but found other bytes.", "Save the form as UTF-8.")]
    except json.JSONDecodeError as error:
        return None, [_problem(file, error.lineno, f"Expected JSON, but {error.msg}.", "Correct the JSON.")]
    except RecursionError:
        return None, [_problem(file, 1, "Expected a form, but it is nested too deep.", "Flatten the form.")]
    if isinstance(schema, dict) and known_as is not None:
        schema["id"] = known_as
    if not isinstance(schema, dict) or not isinstance(schema.get("id"), str) or not schema["id"]:
        return None, [_problem(file, 1, "Expected a form with an id, but there is none.", "Give the form an id.")]
    lines = content.decode("utf-8").splitlines()
    problems = [
        _problem(file, _line_of(lines, mark), message, remedy, element=schema["id"])
        for mark, message, remedy in _findings(schema)
    ]
    return Form(schema["id"], file, schema), problems


def _findings(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    components = schema.get("components")
    if not isinstance(components, list):
        yield '"components"', "Expected a list of components, but there is none.", "Add components."
        return
    keys: set[str] = set()
    for component in _all(components):
        yield from _component(component, keys)


def _all(components: list[Any]) -> Iterator[Any]:
    for component in components:
        yield component
        if isinstance(component, dict) and isinstance(component.get("components"), list):
            yield from _all(component["components"])


def _component(component: Any, keys: set[str]) -> Iterator[tuple[str, str, str]]:
    kind = component.get("type") if isinstance(component, dict) else None
    if not isinstance(kind, str):
        yield '"components"', "Expected every component to have a type, but one has none.", "Give it a type."
        return
    mark = f'"{component.get("id") or component.get("key") or kind}"'
    if kind not in WITH_KEY | WITHOUT_KEY:
        known = ", ".join(sorted(WITH_KEY | WITHOUT_KEY))
        yield mark, f"Expected a known component, but found {kind}.", f"Use one of {known}."
    key = component.get("key")
    if kind in WITH_KEY:
        if not isinstance(key, str) or not key:
            yield mark, f"Expected the {kind} to have a key, but it has none.", "Name the variable it fills."
        elif key in keys:
            yield mark, f"Expected each key once, but {key} stands twice.", "Rename one of them."
        else:
            keys.add(key)
    for text in _texts(component):
        if text.startswith("="):
            yield from _feel(mark, text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name != "components":
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _feel(mark: str, text: str) -> Iterator[tuple[str, str, str]]:
    try:
        compile_expression(text[1:])
    except DmnError as error:
        yield mark, f'Expected FEEL, but "{text[:60]}" fails: {error.message}.', "Correct the expression."


def _line_of(lines: list[str], mark: str) -> int:
    return next((number for number, line in enumerate(lines, start=1) if mark in line), 1)


def _problem(file: str, line: int, message: str, remedy: str, *, element: str | None = None) -> Problem:
    return Problem(file, line, element, None, message, remedy)
