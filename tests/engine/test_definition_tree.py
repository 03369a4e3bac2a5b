"""What changed in a diagram, a table or a form, in words; how it is drawn is no change."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from engine.comparison import apply, compare
from engine.definition_tree import compare_files, diagram_tree, form_tree, table_tree
from engine.errors import Invalid
from engine.redline import Kind, Redline

SHIPPED = Path(__file__).parents[2]
DIAGRAM = (SHIPPED / "processes/bpmn/amend_order.bpmn").read_text("utf-8")
TABLE = (SHIPPED / "rules/tables/waivers.dmn").read_text("utf-8")
GONE = (
    'Decision “Waivers” · Rule waivers_blur_quality was removed; it was: family "BLUR", role "QA_ENG", max_days 30, '
    "description A waiver of a blurred role is signed by quality."
)
FORM = json.loads((SHIPPED / "processes/bpmn/amend_order.key_amendment.form").read_text("utf-8"))


def told(suffix: str, old: str, new: str) -> list[str]:
    assert old != new
    found = compare_files((f"old{suffix}", old.encode()), (f"new{suffix}", new.encode()))
    return [one.sentence for one in found.differences if one.is_counted]


def edited(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, text.count(old)
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'name="Key the change by hand"', 'name="Type the change"',
            "User task “Type the change” was called User task “Key the change by hand” before.",
        ),
        (
            'dueDate="=add business days(amendment.clock_from, timers.ack_remind)"',
            'dueDate="=add business days(amendment.clock_from, 5)"',
            "=add business days(amendment.clock_from, timers.ack_remind), and is now =add business days(amendment.clock_from, 5).",
        ),
        (
            'name="no" sourceRef="is_it_sent_back" targetRef="close_amendment"',
            'name="no" sourceRef="is_it_sent_back" targetRef="amendment_ended"',
            "Flow “no”: to was close_amendment, and is now amendment_ended.",
        ),
    ],
    ids=["renamed", "due date", "re-routed"],
)  # fmt: skip
def test_a_diagram_is_told_in_words(old: str, new: str, sentence: str):
    sentences = told(".bpmn", DIAGRAM, edited(DIAGRAM, old, new))
    assert len(sentences) == 1
    assert sentences[0].endswith(sentence)


def test_a_changed_condition_is_told():
    condition = re.search(r"<bpmn:conditionExpression[^>]*>(=[^<]+)<", DIAGRAM)
    assert condition is not None
    changed = DIAGRAM.replace(condition[0], condition[0].replace(condition[1], "=true"), 1)
    (sentence,) = told(".bpmn", DIAGRAM, changed)
    assert "condition was =" in sentence
    assert sentence.endswith("and is now =true.")


def test_how_a_diagram_is_drawn_is_no_change():
    moved = re.sub(r'<dc:Bounds x="(\d+)"', '<dc:Bounds x="7\\1"', DIAGRAM)
    assert told(".bpmn", DIAGRAM, moved) == []


def test_an_element_more_is_added_with_its_flow():
    step = (
        '<bpmn:userTask id="say_why" name="Say why"><bpmn:extensionElements><zeebe:userTask />'
        "<zeebe:assignmentDefinition candidateGroups='=[\"BUYER\"]' /></bpmn:extensionElements></bpmn:userTask>"
        '<bpmn:sequenceFlow id="after_why" sourceRef="say_why" targetRef="close_amendment" /></bpmn:process>'
    )
    flow = 'name="no" sourceRef="is_it_sent_back" targetRef='
    longer = edited(DIAGRAM, f'{flow}"close_amendment"', f'{flow}"say_why"')
    found = told(".bpmn", DIAGRAM, edited(longer, "</bpmn:process>", step))
    assert [sentence.split(" · ")[-1].split(" was added")[0] for sentence in found] == [
        "User task “Say why”", "Flow “no”: to was close_amendment, and is now say_why.", "Flow after_why",
    ]  # fmt: skip
    assert 'candidate groups =["BUYER"]' in found[0]


def test_a_cell_a_rule_and_the_hit_policy_of_a_table_are_told():
    changed = edited(TABLE, 'hitPolicy="COLLECT"', 'hitPolicy="FIRST"')
    rule = re.search(r'      <rule id="waivers_blur_quality">.*?</rule>\n', changed, re.DOTALL)
    assert rule is not None
    changed = changed.replace(rule[0], "")
    changed = changed.replace("<text>30</text>", "<text>45</text>", 1)
    assert told(".dmn", TABLE, changed) == [
        "Decision “Waivers” · Its hit policy: hit policy was COLLECT, and is now FIRST.",
        "Decision “Waivers” · Rule waivers_sod_finance: max_days was 30, and is now 45.",
        GONE,
    ]


def test_rules_in_another_order_have_moved():
    rules = re.findall(r"      <rule id=.*?</rule>\n", TABLE, re.DOTALL)
    whole = "".join(rules)
    found = compare_files(
        ("a.dmn", TABLE.encode()), ("b.dmn", TABLE.replace(whole, rules[-1] + "".join(rules[:-1])).encode())
    )
    assert found.counts == {Kind.MOVED: 1}


def test_a_field_of_a_form_is_told_by_its_variable():
    changed = json.loads(json.dumps(FORM))
    number = next(one for one in changed["components"] if one.get("key") == "total")
    number["label"], number["validate"] = "Sum as keyed", {"required": False}
    changed["components"].append(changed["components"].pop(0))
    sentences = told(".form", json.dumps(FORM), json.dumps(changed))
    assert any("was called Field “Total as keyed” before" in one for one in sentences)
    assert not any("label was" in one for one in sentences)
    assert any("required was removed; it was yes" in one for one in sentences)
    assert any("moved from place 1" in one for one in sentences)


@pytest.mark.parametrize("folder", ["processes/bpmn", "rules/tables"])
def test_any_shipped_definition_becomes_any_other_one_of_its_kind(folder: str):
    readers = {".bpmn": diagram_tree, ".dmn": table_tree, ".form": form_tree}
    for suffix, read in readers.items():
        paths = sorted((SHIPPED / folder).glob(f"*{suffix}"))[:8]
        trees = [read(path.name, path.read_bytes()) for path in paths]
        for old, new in pairwise(trees):
            found: Redline = compare(old, new)
            assert apply(old, found.differences).content == new.content
        for tree in trees:
            assert compare(tree, tree).differences == ()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.bpmn", b"<not xml"),
        ("a.dmn", b"<not xml"),
        ("a.form", b"{"),
        ("a.form", b"[]"),
        ("a.form", b"\xff"),
        ("a.txt", b""),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_name(path: str, content: bytes):
    with pytest.raises(Invalid, match=re.escape(path)):
        compare_files((path, content), (path, content))


def test_two_kinds_of_files_are_not_compared():
    with pytest.raises(Invalid, match=r"Expected two \.bpmn, two \.dmn or two \.form files"):
        compare_files(("a.bpmn", DIAGRAM.encode()), ("a.dmn", TABLE.encode()))
