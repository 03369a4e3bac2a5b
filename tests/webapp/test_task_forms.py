"""Forms of tasks: shown and read by the same schema, with conditions, lists and texts; nothing forged gets through."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from engine.errors import Invalid
from webapp import feel
from webapp.form_texts import fill, markdown
from webapp.formats import custom
from webapp.task_forms import TaskForm

HERE = custom("en-US", "America/Chicago")
THERE = custom("de-DE", "Europe/Berlin")

ANSWER = {
    "components": [
        {"type": "text", "text": "### {{order.number}}\n\n{{#loop problems}}\n- {{sentence}}\n{{/loop}}"},
        {"type": "select", "key": "result", "label": "Answer", "validate": {"required": True},
         "values": [{"label": "Accepted", "value": "ACCEPT"}, {"label": "Changed", "value": "CHANGE"}]},
        {"type": "textfield", "key": "reference", "label": "Number", "validate": {"maxLength": 10, "pattern": "[A-Z]-\\d+"}},
        {"type": "textfield", "key": "supplier", "label": "Supplier", "readonly": True},
        {"type": "number", "key": "price", "label": "Price", "decimalDigits": 2, "validate": {"min": 0, "max": 100}},
        {"type": "datetime", "key": "on", "label": "Date", "subtype": "date"},
        {"type": "datetime", "key": "at", "label": "Time", "subtype": "datetime"},
        {"type": "checkbox", "key": "checked", "label": "Checked"},
        {"type": "checklist", "key": "tags", "label": "Tags", "valuesKey": "choices"},
        {"type": "dynamiclist", "path": "lines", "label": "Lines", "conditional": {"hide": '=result != "CHANGE"'},
         "components": [{"type": "number", "key": "line_no", "label": "Line", "decimalDigits": 0},
                        {"type": "textfield", "key": "note", "label": "Note"}]},
        {"type": "group", "path": "place", "components": [{"type": "textfield", "key": "city", "label": "City"}]},
        {"type": "image", "source": "https://example.com/x.png"},
    ]
}  # fmt: skip
NAMES: dict[str, Any] = {
    "order": {"number": "PO-1"}, "problems": [{"sentence": "One"}, {"sentence": "Two"}], "supplier": "NorthStar",
    "choices": ["red", "blue"],
}  # fmt: skip


def form(how: Any = HERE) -> TaskForm:
    return TaskForm.of_schema(ANSWER, feel.evaluate, how)


def read(how: Any = HERE, **sent: Any) -> dict[str, Any]:
    given = {
        f"data.{name.replace('__', '.')}": value if isinstance(value, list) else [value] for name, value in sent.items()
    }
    return form(how).read(given, NAMES)


def errors(**sent: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        read(**sent)
    return refused.value.fields


def test_a_form_is_read_into_plain_values():
    values = read(
        result="ACCEPT", price="12.5", on="2026-12-01", at="2026-12-01T14:30", checked="true", tags=["red", "blue"]
    )
    assert values["result"] == "ACCEPT"
    assert values["price"] == Decimal("12.5")
    assert values["on"] == dt.date(2026, 12, 1)
    assert values["at"] == dt.datetime(2026, 12, 1, 20, 30, tzinfo=dt.UTC)
    assert values["checked"] is True
    assert values["tags"] == ["red", "blue"]
    assert values["place"] == {"city": None}
    assert "supplier" not in values
    assert "lines" not in values


def test_numbers_and_times_are_those_of_the_person():
    values = read(THERE, result="ACCEPT", price="12,5", at="2026-12-01T14:30")
    assert values["price"] == Decimal("12.5")
    assert values["at"] == dt.datetime(2026, 12, 1, 13, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Expected a value, but this is empty"),
        ({"result": "OTHER"}, "Expected one of the choices offered"),
        ({"result": "ACCEPT", "price": "101"}, "Expected at most 100, but found 101"),
        ({"result": "ACCEPT", "price": "-1"}, "Expected at least 0, but found -1"),
        ({"result": "ACCEPT", "price": "1.234"}, "Expected at most 2 decimals, but found 3"),
        ({"result": "ACCEPT", "price": "many"}, "Expected a number such as 12.5"),
        ({"result": "ACCEPT", "reference": "x" * 20}, "Expected at most 10 characters, but found 20"),
        ({"result": "ACCEPT", "reference": "abc"}, "Expected the form"),
        ({"result": "ACCEPT", "on": "tomorrow"}, "Expected a date such as"),
        ({"result": "ACCEPT", "tags": ["green"]}, "Expected one of the choices offered"),
    ],
)
def test_what_does_not_fit_is_said_by_its_field(sent: dict[str, Any], sentence: str):
    assert any(sentence in words for words in errors(**sent).values())


@pytest.mark.parametrize("name", ["data.approved", "data.supplier", "data.place", "data.lines", "data.result.x"])
def test_a_field_that_the_form_does_not_offer_is_forged(name: str):
    with pytest.raises(Invalid) as refused:
        form().read({"data.result": ["ACCEPT"], name: ["x"]}, NAMES)
    assert refused.value.code == "FORGED_FIELD"


def test_what_a_condition_hides_is_not_taken():
    sent = {"data.lines.0.line_no": ["1"], "data.lines.0.note": ["x"]}
    assert "lines" not in form().read({"data.result": ["ACCEPT"], **sent}, NAMES)
    taken = form().read({"data.result": ["CHANGE"], **sent}, NAMES)
    assert taken["lines"] == [{"line_no": Decimal(1), "note": "x"}]


def test_conditions_are_judged_by_what_was_typed():
    hidden = [field.name for field in form().show(NAMES, {"data.result": ["ACCEPT"]})]
    shown = [field.name for field in form().show(NAMES, {"data.result": ["CHANGE"], "data.lines.0.note": ["x"]})]
    assert "data.lines" not in hidden
    assert "data.lines" in shown


def test_a_list_has_the_rows_that_were_sent():
    fields = {
        field.name: field for field in form().show(NAMES, {"data.result": ["CHANGE"], "data.lines.1.note": ["b"]})
    }
    rows = fields["data.lines"].rows
    assert [[field.name for field in row] for row in rows] == [
        ["data.lines.0.line_no", "data.lines.0.note"], ["data.lines.1.line_no", "data.lines.1.note"],
    ]  # fmt: skip
    assert rows[1][1].value == "b"


def test_texts_are_filled_and_locked_fields_show_their_variable():
    fields = form().show(NAMES)
    assert '<h3><span class="nowrap">PO-1</span></h3>' in fields[0].text
    assert fields[0].text.count("<li>") == 2
    supplier = next(field for field in fields if field.name == "data.supplier")
    assert (supplier.value, supplier.locked) == ("NorthStar", True)
    assert "image" not in [field.kind for field in fields]


def test_a_text_never_brings_its_own_html():
    html = markdown(fill("Hello {{name}} **{{name}}**", feel.evaluate, {"name": "<img src=x onerror=alert(1)>"}))
    assert "<img" not in html
    assert "&lt;img" in html
    assert "<strong>&lt;img" in html


def test_an_expression_that_cannot_be_read_leaves_a_gap_and_the_page_alone():
    assert fill("a {{1 +}} b", feel.evaluate, {}) == "a  b"
    assert fill("{{#if missing}}x{{/if}}y", feel.evaluate, {}) == "y"
    assert fill("{{#if open", feel.evaluate, {}) == "{{#if open"


def test_absurdly_many_rows_are_cut():
    sent = {f"data.lines.{index}.note": ["x"] for index in (0, 5, 999)} | {"data.result": ["CHANGE"]}
    with pytest.raises(Invalid):
        form().read(sent, NAMES)
