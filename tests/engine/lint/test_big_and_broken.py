"""A verdict on any file: big ones in seconds, broken ones in words, none with a traceback."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.lint import Advice, Severity, review
from engine.registry import Registry
from engine.spiff import Unreadable, read_bundle
from tests.engine.spiff.diagrams import call, diagram, end, node, process, start, user
from tests.engine.spiff.story import House, Story

SHARED = Path(__file__).parents[3].parent / "shared" / "models"


def told(data: bytes, name: str = "p.bpmn") -> list[Advice]:
    return review({name: data}, Registry())


def chain(tasks: int) -> bytes:
    """User tasks in a row."""
    names = [f"t{number}" for number in range(tasks)]
    return diagram(process(start(), *map(user, names), end(), flows=" > ".join(("s", *names, "e"))))


def blocks(count: int) -> bytes:
    """Choices, inclusive blocks and parallel blocks in a row: four elements each."""
    kinds = ("exclusiveGateway", "parallelGateway", "inclusiveGateway")
    parts, flows, last = [start(), end()], [], "s"
    for number in range(count):
        kind = kinds[number % 3]
        default = {} if kind == "parallelGateway" else {"default": f"g{number}_b{number}"}
        parts += [node(kind, f"g{number}", **default), node(kind, f"j{number}")]
        parts += [node("task", f"a{number}"), node("task", f"b{number}")]
        way = f"g{number} > a{number}" if kind == "parallelGateway" else f"g{number} -[=x > {number}]-> a{number}"
        flows += [f"{last} > g{number}", way, f"g{number} > b{number} > j{number}", f"a{number} > j{number}"]
        last = f"j{number}"
    return diagram(process(*parts, flows="\n".join([*flows, f"{last} > e"])))


@pytest.mark.parametrize(("make", "count"), [(chain, 5_000), (blocks, 1_250)], ids=["chain", "blocks"])
def test_a_diagram_of_5000_elements_is_checked_and_run_without_becoming_slow(
    make: Callable[[int], bytes], count: int
) -> None:
    data = make(count)
    begun = time.process_time()
    assert not [found for found in told(data) if found.law == "it_can_run"]
    assert time.process_time() - begun < 8
    story = Story(read_bundle({"p.bpmn": data}), House(), forgets=True, x=5, limit=20_000)
    if make is blocks:
        assert story.ended_at("e")
        return
    begun = time.process_time()
    for number in range(20):
        story.complete(f"t{number}")
    assert time.process_time() - begun < 0.5
    assert story.waiting() == ["t20"]


def test_processes_that_call_each_other_in_circles_are_checked() -> None:
    count = 8
    processes = [
        process(
            start(f"s{at}"),
            *(call(f"c{at}_{to}", f"p{to}") for to in range(count) if to != at),
            end(f"e{at}"),
            id=f"p{at}",
            flows="\n".join(f"s{at} > c{at}_{to} > e{at}" for to in range(count) if to != at),
        )
        for at in range(count)
    ]
    assert told(diagram(*processes)) == []


DMN = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="plan" namespace="n"/>"""
ENTITIES = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>"""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Expected XML"),
        (b"   \n", "Expected XML"),
        (b"\x00\x01\x02\xff" * 50, "Expected XML"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "Expected XML"),
        (b"PK\x03\x04" + bytes(40), "Expected XML"),
        (b"{}", "Expected XML"),
        (DMN, "give it the ending .dmn"),
        (b'<definitions xmlns="http://www.omg.org/spec/CMMN/20151109/MODEL"/>', "Cases (CMMN) do not run"),
        (b"<html><body/></html>", "begins with html"),
        (ENTITIES, "no document type"),
        (OUTSIDE, "no document type"),
        (chain(2).replace(b"UTF-8", b"UTF-16"), "Expected XML"),
        (chain(2).replace(b"UTF-8", b"EBCDIC-42"), "Expected XML"),
        (chain(2).replace(b"t1", "t\xe9".encode("latin-1")), "Expected XML"),
        (chain(2)[:-30], "Expected XML"),
        (chain(2) + chain(2), "Expected XML"),
        (chain(2).replace(b"bpmn:process", b"bpmn:prozess"), "there is none in this file"),
        (diagram(), "there is none in this file"),
    ],
)
def test_a_file_that_is_no_diagram_gets_one_verdict(data: bytes, words: str) -> None:
    [found] = told(data)
    assert words in f"{found.message} {found.remedy}"


def test_a_file_of_which_nothing_runs_is_told_also_beside_others_that_run() -> None:
    drawn, runs = (
        process(start(), end(), flows="s > e", id="q", executable=False),
        diagram(process(start(), end(), flows="s > e")),
    )
    found = review({"a.bpmn": runs, "b.bpmn": diagram(drawn), "c.bpmn": diagram()}, Registry())
    assert [(one.file, one.severity, one.law) for one in found] == [("c.bpmn", Severity.ERROR, "it_can_run")]
    [one] = review({"a.bpmn": runs, "b.bpmn": diagram(drawn)}, Registry())
    assert (one.file, one.element_id, one.severity, one.law) == ("b.bpmn", "q", Severity.WARNING, "something_runs")


def test_encodings_that_say_what_they_are_are_read() -> None:
    text = chain(2).decode().replace('id="t1"', 'id="t1" name="Pr\u00fcfen"')
    for name in ("utf-8-sig", "utf-16", "iso-8859-1"):
        named = text.replace("UTF-8", {"utf-8-sig": "UTF-8"}.get(name, name))
        process_read = read_bundle({"p.bpmn": named.encode(name)}).processes["p"]
        assert process_read.elements["t1"].name == "Pr\u00fcfen"


def test_pools_that_are_only_drawn_are_left_alone_and_the_others_run() -> None:
    pools = '<bpmn:collaboration id="c"><bpmn:participant id="x" processRef="p" /><bpmn:participant id="y" processRef="q" />'
    message = '<bpmn:messageFlow id="f" sourceRef="t0" targetRef="y" /></bpmn:collaboration>'
    customer = process(node("adHocSubProcess", "any"), id="q", executable=False)
    ours = process(start(), user("t0"), end(), flows="s > t0 > e")
    foreign = '<x:colour xmlns:x="urn:paint" x:fill="red" />'
    bundle = read_bundle({"p.bpmn": diagram(pools + message, ours, customer, foreign)})
    assert list(bundle.specs) == ["p"]


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Return a file with one to four things broken."""
    for _ in range(dice.randint(1, 4)):
        data = dice.choice(BREAKS)(dice, data)
    return data


def cut(dice: random.Random, data: bytes) -> bytes:
    place = dice.randrange(len(data) + 1)
    return data[:place] + data[place + dice.choice((1, 9, 40, 10**6)) :]


def meddle(dice: random.Random, data: bytes) -> bytes:
    place = dice.randrange(len(data) + 1)
    return data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :]


def move_a_line(dice: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    line = lines.pop(dice.randrange(len(lines)))
    return b"\n".join([*lines[: len(lines) // 2], *[line] * dice.randrange(3), *lines[len(lines) // 2 :]])


def change_a_value(dice: random.Random, data: bytes) -> bytes:
    values = list(re.finditer(rb'="([^"]*)"', data))
    if not values:
        return data
    value, other = dice.choice(values), dice.choice(values)[1]
    if dice.random() < 0.3:
        return data.replace(b'"' + value[1] + b'"', b'"' + other + b'"')
    return (
        data[: value.start(1)] + dice.choice((b"", b"=", b"=1 +", b"true", b"-1", other, other)) + data[value.end(1) :]
    )


BREAKS = (cut, meddle, move_a_line, change_a_value, change_a_value)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the optional folder ../shared/models is not beside this checkout")
def test_a_broken_public_model_gets_a_verdict_and_what_is_accepted_runs() -> None:
    dice, accepted = random.Random(20261123), 0
    models = [path.read_bytes() for path in sorted(SHARED.rglob("*.bpmn"))]
    for _ in range(300):
        data = mutated(dice, dice.choice(models))
        for found in told(data):
            assert found.message.startswith("Expected ")
            assert found.remedy
        try:
            bundle = read_bundle({"p.bpmn": data})
        except Unreadable:
            continue
        for process_id in bundle.specs:
            begin = bundle.processes[process_id].starts[0].element_id
            Story(bundle, House(), forgets=True, process_id=process_id, start=begin)
            accepted += 1
    assert accepted > 10
