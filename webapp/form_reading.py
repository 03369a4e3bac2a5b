"""One sending of a task's form, read by its schema: each wrong value says so by its field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dmn.regex import compile_pattern
from webapp import typed
from webapp.form_schema import (
    CHOICES,
    HOLDERS,
    INPUTS,
    MOST_ROWS,
    PREFIX,
    SEVERAL,
    blank,
    is_needed,
    row_count,
    typed_so_far,
)
from webapp.formats import Custom
from webapp.typed import Unreadable

if TYPE_CHECKING:
    from webapp.task_forms import TaskForm

LONGEST_TEXT = 10_000


class Reader:
    """Reads one sending of a form; collects the sentences of its errors."""

    def __init__(self, form: TaskForm, sent: Mapping[str, Sequence[str]], variables: Mapping[str, Any]) -> None:
        self.form = form
        self.sent = sent
        self.variables = variables
        self.errors: dict[str, str] = {}
        self.taken: set[str] = set()

    def read(self, components: Sequence[Mapping[str, Any]], path: str, names: Mapping[str, Any]) -> dict[str, Any]:
        now = {**names, **typed_so_far(components, self.sent, path)}
        values: dict[str, Any] = {}
        for component in components:
            if component["type"] in HOLDERS:
                self._read_holder(component, path, now, values)
            elif component["type"] in INPUTS:
                self._read_input(component, path, now, values)
        return values

    def _read_holder(
        self, component: Mapping[str, Any], path: str, names: Mapping[str, Any], values: dict[str, Any]
    ) -> None:
        inner, own = component.get("components", []), component.get("path") or ""
        if component["type"] == "group":
            within = self.read(inner, f"{path}{own}." if own else path, names)
            if not self.form.is_visible(component, names):
                return
            values.update({own: within} if own else within)
            return
        count = min(row_count(self.sent, f"{PREFIX}{path}{own}"), MOST_ROWS)
        rows = [self.read(inner, f"{path}{own}.{index}.", {**names, **blank(inner)}) for index in range(count)]
        if self.form.is_visible(component, names):
            values[own] = rows

    def _read_input(
        self, component: Mapping[str, Any], path: str, names: Mapping[str, Any], values: dict[str, Any]
    ) -> None:
        name = PREFIX + path + component["key"]
        is_locked = bool(self.form.say(component.get("readonly"), names) or component.get("disabled"))
        if is_locked:
            return
        self.taken.add(name)
        if not self.form.is_visible(component, names):
            return
        arrived = [text for text in self.sent.get(name, ()) if text != ""]
        try:
            values[component["key"]] = self._one(component, arrived, names)
        except Unreadable as error:
            self.errors[name] = str(error)

    def _one(self, component: Mapping[str, Any], arrived: Sequence[str], names: Mapping[str, Any]) -> Any:
        kind = component["type"]
        if kind == "checkbox":
            if is_needed(component) and not arrived:
                raise Unreadable("Expected this to be ticked, but it is not")
            return bool(arrived)
        if not arrived:
            if is_needed(component):
                raise Unreadable("Expected a value, but this is empty")
            return [] if kind in SEVERAL else None
        if kind in CHOICES:
            return self._chosen(component, arrived, names)
        if kind == "number":
            return self._number(component, arrived[0])
        if kind == "datetime":
            return _instant(component, arrived[0], self.form.how)
        return _text(component, arrived[0])

    def _chosen(self, component: Mapping[str, Any], arrived: Sequence[str], names: Mapping[str, Any]) -> Any:
        offered = {value for value, _label in self.form.options(component, names)}
        unknown = [text for text in arrived if text not in offered]
        if unknown:
            raise Unreadable(f"Expected one of the choices offered, but found “{unknown[0][:40]}”")
        return list(arrived) if component["type"] in SEVERAL else arrived[0]

    def _number(self, component: Mapping[str, Any], text: str) -> Decimal:
        checks = component.get("validate") or {}
        value = typed.decimal(text, self.form.how, decimals=int(component.get("decimalDigits", 6)))
        low, high = checks.get("min"), checks.get("max")
        if low not in (None, "") and value < Decimal(str(low)):
            raise Unreadable(f"Expected at least {low}, but found {value:f}")
        if high not in (None, "") and value > Decimal(str(high)):
            raise Unreadable(f"Expected at most {high}, but found {value:f}")
        return value


def _text(component: Mapping[str, Any], text: str) -> str:
    checks = component.get("validate") or {}
    value = typed.words(text, longest=int(checks.get("maxLength") or LONGEST_TEXT))
    shortest = int(checks.get("minLength") or 0)
    if len(value) < shortest:
        raise Unreadable(f"Expected at least {shortest} characters, but found {len(value)}")
    if pattern := checks.get("pattern"):
        _match(pattern, value)
    return value


def _match(pattern: str, value: str) -> None:
    """Refuse a value that does not match, in linear time: a pattern of a form is data that people write."""
    if not compile_pattern(f"^(?:{pattern})$").search(value):
        raise Unreadable(f"Expected the form {pattern}, but found “{value[:40]}”")


def _instant(component: Mapping[str, Any], text: str, how: Custom) -> Any:
    subtype = component.get("subtype", "date")
    if subtype == "date":
        return typed.day(text)
    if subtype == "time":
        try:
            return dt.time.fromisoformat(text)
        except ValueError as error:
            raise Unreadable(f"Expected a time such as 14:30, but found “{text[:40]}”") from error
    return typed.local_instant(text, how)
