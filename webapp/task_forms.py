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

from engine.errors import Invalid
from webapp import formats
from webapp.form_reading import Reader
from webapp.form_schema import (
    CHOICES,
    HOLDERS,
    INPUTS,
    KNOWN,
    MOST_ROWS,
    PREFIX,
    SEVERAL,
    blank,
    is_needed,
    option,
    row_count,
    span_of,
    typed_so_far,
)
from webapp.form_texts import fill, markdown
from webapp.formats import Custom

Evaluate = Callable[[str, Mapping[str, Any]], Any]
"""Evaluates a FEEL expression (without the leading ``=``) over names; None where it has no value."""


NOTHING = Markup("")


@dataclass(slots=True)
class Field:
    """One thing on the form as it is shown.

    name: the HTML name; value: as typed; rows: of a list, each a list of fields; is_folded: it repeats what the page says.
    """

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
    text: Markup = NOTHING
    fields: list[Field] = field(default_factory=list)
    rows: list[list[Field]] = field(default_factory=list)
    columns: Sequence[tuple[str, str]] = ()
    records: Sequence[Mapping[str, Any]] = ()
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class TaskForm:
    """A form of a bundle. how: the customs in which numbers and times are typed; tell: puts sentences of the process into them."""

    components: Sequence[Mapping[str, Any]]
    evaluate: Evaluate
    how: Custom
    tell: Callable[[str], str] = str

    @classmethod
    def of_schema(
        cls, schema: Mapping[str, Any], evaluate: Evaluate, how: Custom, *, tell: Callable[[str], str] = str
    ) -> TaskForm:
        """Take the schema of a deployed form; what pages cannot show (pictures, foreign pages) is left out."""
        return cls([one for one in schema.get("components", []) if one.get("type") in KNOWN], evaluate, how, tell)

    def show(self, variables: Mapping[str, Any], sent: Mapping[str, Any] | None = None) -> list[Field]:
        """Return the visible fields, filled from what was sent, else from the variables, else from the defaults."""
        return list(self._show(self.components, variables, sent, ""))

    def read(self, sent: Mapping[str, Sequence[str]], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables that the form sets.

        sent: HTML names to the values that arrived. Raises: Invalid with the sentence of each field; FORGED_FIELD when
        something arrived that this form does not offer.
        """
        reader = Reader(self, sent, variables)
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
        return [option(item) for item in found]

    def _show(
        self,
        components: Sequence[Mapping[str, Any]],
        names: Mapping[str, Any],
        sent: Mapping[str, Any] | None,
        path: str,
    ) -> Iterator[Field]:
        now = {**names, **typed_so_far(components, sent, path)}
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
            needed=is_needed(component),
            locked=bool(self.say(component.get("readonly"), names) or component.get("disabled")),
            hint=str(self.say(component.get("description", ""), names) or ""),
            span=span_of(component),
            subtype=component.get("subtype", "date"),
            is_folded=(component.get("properties") or {}).get("folded") == "true",
        )
        if kind in HOLDERS:
            self._fill_holder(shown, component, names, sent, path)
        elif kind == "table":
            shown.columns = [
                (column.get("key", ""), column.get("label", "")) for column in component.get("columns", [])
            ]
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
            shown.rows.append(list(self._show(inner, {**names, **blank(inner), **row}, sent, f"{path}{own}.{index}.")))

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
        return fill(text, self.evaluate, names, lambda value: self.tell(value_words(value, self.how)))


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
        return "; ".join(value_words(item, how) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {value_words(item, how) or 'nothing'}" for name, item in value.items())
    return "" if value is None else str(value)
