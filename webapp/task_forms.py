"""Forms of tasks: Camunda Forms (form-js schema), shown as fields and read back by the same schema.

A form is data of the pinned bundle. Only what its schema shows and lets edit is taken; any other field that arrives was
forged and is refused. Expressions (conditions, options, defaults, texts) are FEEL over the task's variables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from dmn.regex import compile_pattern
from engine.errors import Invalid
from webapp import formats, typed
from webapp.form_texts import fill, markdown
from webapp.formats import Custom
from webapp.typed import Unreadable

Evaluate = Callable[[str, Mapping[str, Any]], Any]
"""Evaluates a FEEL expression (without the leading ``=``) over names; None where it has no value."""

PREFIX = "data."
MOST_ROWS = 200
LONGEST_TEXT = 10_000
INPUTS = frozenset(
    {"textfield", "textarea", "number", "select", "radio", "checkbox", "checklist", "taglist", "datetime"}
)
CHOICES = frozenset({"select", "radio", "checklist", "taglist"})
SEVERAL = frozenset({"checklist", "taglist"})
SHOWN = frozenset({"text", "separator", "spacer", "table", "expression"})
HOLDERS = frozenset({"group", "dynamiclist"})
KNOWN = INPUTS | SHOWN | HOLDERS | {"button"}


@dataclass(slots=True)
class Field:
    """One thing on the form as it is shown. name: the HTML name; value: as typed; rows: of a list, each a list of fields."""

    kind: str
    name: str
    label: str
    value: Any = ""
    options: Sequence[tuple[str, str]] = ()
    needed: bool = False
    locked: bool = False
    hint: str = ""
    span: str = ""
    subtype: str = ""
    text: Markup = Markup("")
    fields: list[Field] = field(default_factory=list)
    rows: list[list[Field]] = field(default_factory=list)
    columns: Sequence[tuple[str, str]] = ()
    records: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class TaskForm:
    """A form of a bundle. how: the customs in which numbers and times are typed."""

    components: Sequence[Mapping[str, Any]]
    evaluate: Evaluate
    how: Custom

    @classmethod
    def of_schema(cls, schema: Mapping[str, Any], evaluate: Evaluate, how: Custom) -> TaskForm:
        """Take the schema of a deployed form; what pages cannot show (pictures, foreign pages) is left out."""
        return cls([one for one in schema.get("components", []) if one.get("type") in KNOWN], evaluate, how)

    def show(self, variables: Mapping[str, Any], sent: Mapping[str, Any] | None = None) -> list[Field]:
        """Return the visible fields, filled from what was sent, else from the variables, else from the defaults."""
        return list(self._show(self.components, variables, sent, ""))

    def read(self, sent: Mapping[str, Sequence[str]], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables that the form sets.

        sent: HTML names to the values that arrived. Raises: Invalid with the sentence of each field; FORGED_FIELD when
        something arrived that this form does not offer.
        """
        reader = _Reader(self, sent, variables)
        values = reader.read(self.components, "", variables)
        forged = sorted(name for name in sent if name.startswith(PREFIX) and name not in reader.taken)
        if forged:
            raise Invalid(
                f"Expected only the fields of this form, but found {', '.join(forged)}; nothing was written",
                dict.fromkeys(forged, "This field is not part of the form"),
                code="FORGED_FIELD",
            )
        if reader.errors:
            raise Invalid("Expected a complete form, but some fields do not fit yet", reader.errors)
        return values

    def is_visible(self, component: Mapping[str, Any], names: Mapping[str, Any]) -> bool:
        """Tell whether a component is shown over these names."""
        hide = (component.get("conditional") or {}).get("hide")
        return not (hide and self.say(hide, names) is True)

    def say(self, text: Any, names: Mapping[str, Any]) -> Any:
        """Return a property's value: the result of its expression, or itself when it is none."""
        if isinstance(text, str) and text.startswith("="):
            return self.evaluate(text[1:].strip(), names)
        return text

    def options(self, component: Mapping[str, Any], names: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the (value, label) pairs of a choice."""
        if expression := component.get("valuesExpression"):
            found = self.say(expression, names) or []
        elif key := component.get("valuesKey"):
            found = names.get(key) or []
        else:
            found = component.get("values") or []
        return [_option(item) for item in found]

    def _show(
        self, components: Sequence[Mapping[str, Any]], names: Mapping[str, Any], sent: Mapping[str, Any] | None, path: str
    ) -> Iterator[Field]:
        now = {**names, **_typed_so_far(components, sent, path)}
        for component in components:
            if component["type"] != "button" and self.is_visible(component, now):
                yield self._field(component, now, sent, path)

    def _field(
        self, component: Mapping[str, Any], names: Mapping[str, Any], sent: Mapping[str, Any] | None, path: str
    ) -> Field:
        kind = component["type"]
        key = path + str(component.get("key") or component.get("path") or component.get("id") or "")
        shown = Field(
            kind,
            PREFIX + key,
            str(self.say(component.get("label", component.get("dateLabel", "")), names) or ""),
            needed=_is_needed(component),
            locked=bool(self.say(component.get("readonly"), names) or component.get("disabled")),
            hint=str(self.say(component.get("description", ""), names) or ""),
            span=_span(component),
            subtype=component.get("subtype", "date"),
        )
        if kind in HOLDERS:
            self._fill_holder(shown, component, names, sent, path)
        elif kind == "table":
            shown.columns = [(column.get("key", ""), column.get("label", "")) for column in component.get("columns", [])]
            source = component.get("dataSource", component.get("id", ""))
            shown.records = self.say(source, names) if source.startswith("=") else names.get(source) or []
        elif kind == "text":
            shown.text = self._text(str(component.get("text", "")), names)
        elif kind == "expression":
            shown.value = self.say(component.get("expression"), names)
        elif kind in INPUTS:
            shown.options = self.options(component, names) if kind in CHOICES else ()
            shown.value = self._value(component, shown, names, sent)
        return shown

    def _fill_holder(
        self,
        shown: Field,
        component: Mapping[str, Any],
        names: Mapping[str, Any],
        sent: Mapping[str, Any] | None,
        path: str,
    ) -> None:
        inner, own = component.get("components", []), component.get("path") or ""
        if component["type"] == "group":
            under = f"{path}{own}." if own else path
            within = names.get(own) if own and isinstance(names.get(own), Mapping) else names
            shown.fields = list(self._show(inner, {**names, **(within or {})}, sent, under))
            return
        present = names.get(own) or []
        count = row_count(sent, f"{PREFIX}{path}{own}") if sent is not None else len(present)
        count = count if sent is not None or present else int(component.get("defaultRepetitions", 1))
        for index in range(min(count, MOST_ROWS)):
            row = present[index] if sent is None and index < len(present) else {}
            shown.rows.append(list(self._show(inner, {**names, **_blank(inner), **row}, sent, f"{path}{own}.{index}.")))

    def _value(
        self, component: Mapping[str, Any], shown: Field, names: Mapping[str, Any], sent: Mapping[str, Any] | None
    ) -> Any:
        if sent is not None and not shown.locked:
            arrived = list(sent.get(shown.name, ()))
            if shown.kind in SEVERAL:
                return arrived
            return arrived[0] if arrived else ""
        value = names.get(component.get("key", ""))
        if value is None:
            value = self.say(component.get("defaultValue", ""), names)
        return self._as_typed(shown, value)

    def _as_typed(self, shown: Field, value: Any) -> Any:
        if shown.kind in SEVERAL:
            return [str(item) for item in value or []]
        if shown.kind == "checkbox":
            return "true" if value is True else ""
        if isinstance(value, Decimal):
            return f"{value:f}".replace(".", self.how.point)
        if isinstance(value, dt.datetime):
            return value.astimezone(self.how.zone).strftime("%Y-%m-%dT%H:%M")
        if isinstance(value, dt.date):
            return value.isoformat()
        return "" if value is None else str(value)

    def _text(self, text: str, names: Mapping[str, Any]) -> Markup:
        """Return a text filled in; a whole-text expression is evaluated as such."""
        filled = str(self.say(text, names) or "") if text.startswith("=") else self._filled(text, names)
        return markdown(filled)

    def _filled(self, text: str, names: Mapping[str, Any]) -> str:
        return fill(text, self.evaluate, names, lambda value: value_words(value, self.how))


class _Reader:
    """Reads one sending of a form; collects the sentences of its errors."""

    def __init__(self, form: TaskForm, sent: Mapping[str, Sequence[str]], variables: Mapping[str, Any]) -> None:
        self.form = form
        self.sent = sent
        self.variables = variables
        self.errors: dict[str, str] = {}
        self.taken: set[str] = set()

    def read(self, components: Sequence[Mapping[str, Any]], path: str, names: Mapping[str, Any]) -> dict[str, Any]:
        now = {**names, **_typed_so_far(components, self.sent, path)}
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
        rows = [self.read(inner, f"{path}{own}.{index}.", {**names, **_blank(inner)}) for index in range(count)]
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
            if _is_needed(component) and not arrived:
                raise Unreadable("Expected this to be ticked, but it is not")
            return bool(arrived)
        if not arrived:
            if _is_needed(component):
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


def row_count(sent: Mapping[str, Any], name: str) -> int:
    """Return how many rows of a list arrived: the highest index plus one, at most what a form may have."""
    start = f"{name}."
    indexes = [key[len(start) :].partition(".")[0] for key in sent if key.startswith(start)]
    return max((int(index) + 1 for index in indexes if index.isdecimal() and len(index) < 4), default=0)


def value_words(value: Any, how: Custom) -> str:
    """Put a value of a process into words, in a person's customs."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return formats.number(value, None, how)
    if isinstance(value, dt.datetime):
        return formats.instant(value, how) if value.tzinfo else str(value)
    if isinstance(value, dt.date):
        return formats.day(value, how)
    if isinstance(value, list):
        return ", ".join(value_words(item, how) for item in value)
    return "" if value is None else str(value)


def _walk(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for component in components:
        yield component
        yield from _walk(component.get("components", []))


def _is_needed(component: Mapping[str, Any]) -> bool:
    return bool((component.get("validate") or {}).get("required"))


def _span(component: Mapping[str, Any]) -> str:
    columns = (component.get("layout") or {}).get("columns")
    steps = {16: "", 12: "span-8", 10: "span-8", 8: "span-6", 6: "span-4", 5: "span-4", 4: "span-3"}
    return steps.get(columns, "") if columns else ""


def _option(item: Any) -> tuple[str, str]:
    if isinstance(item, Mapping):
        return str(item.get("value", "")), str(item.get("label", item.get("value", "")))
    return str(item), str(item)


def _blank(components: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {component["key"]: None for component in _walk(components) if "key" in component}


def _typed_so_far(
    components: Sequence[Mapping[str, Any]], sent: Mapping[str, Any] | None, path: str
) -> dict[str, Any]:
    """Return what was typed into the inputs of one level, for conditions that read it; numbers as numbers."""
    values: dict[str, Any] = {}
    if sent is None:
        return values
    for component in components:
        if component["type"] not in INPUTS:
            continue
        arrived = [text for text in sent.get(PREFIX + path + component["key"], ()) if text != ""]
        if component["type"] == "checkbox":
            values[component["key"]] = bool(arrived)
        elif component["type"] in SEVERAL:
            values[component["key"]] = arrived
        elif component["type"] == "number":
            values[component["key"]] = _loose_number(arrived[0]) if arrived else None
        else:
            values[component["key"]] = arrived[0] if arrived else None
    return values


def _loose_number(text: str) -> Decimal | None:
    try:
        return typed.decimal(text, Custom(), decimals=6)
    except Unreadable:
        return None


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
