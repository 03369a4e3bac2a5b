"""Three small flows twice: in the house's dialect, and for stock SpiffWorkflow with Python expressions.

linear: five user tasks. twin: of the size of the requisition that earlier measurements were made with: 12 user tasks on the
happy path, a called process, a parallel split, a five-way multi-instance, a boundary timer, a rework loop, scripts and gateways.
loop: one user task again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.engine.spiff.diagrams import call, diagram, each, end, node, process, script, start, timer, user

WHO = '<zeebe:assignmentDefinition candidateGroups="PUR_MGR" />'
LINES = [
    {"part": f"P-{number}", "quantity": number, "price": "42.5000", "supplier": "NorthStar"} for number in range(10)
]
VARIABLES = {"total": 1250, "rework": False, "more": True, "lines": LINES, "members": [1, 2, 3, 4, 5]}


@dataclass(frozen=True)
class Model:
    """One flow. completions: user tasks on the way to its end. ours and stock: BPMN for each engine.

    data: what a completion writes for stock SpiffWorkflow; Lockstep is given a note and, where a task asks for one, a verdict.
    """

    name: str
    completions: int
    ours: Mapping[str, bytes]
    stock: tuple[bytes, ...]
    process_id: str = "p"
    variables: Mapping[str, Any] = field(default_factory=lambda: VARIABLES)
    data: Mapping[str, Any] = field(default_factory=dict)


def _person(name: str) -> str:
    return user(name, extensions=WHO)


def _stock_task(name: str, inside: str = "") -> str:
    return f'<bpmn:userTask id="{name}" name="{name}">{inside}</bpmn:userTask>'


def _stock_script(name: str, text: str) -> str:
    return f'<bpmn:scriptTask id="{name}"><bpmn:script>{text}</bpmn:script></bpmn:scriptTask>'


def linear() -> Model:
    """Return five user tasks in a row."""
    names = [f"t{number}" for number in range(1, 6)]
    flows = " > ".join(["s", *names, "e"])
    ours = process(start(), *map(_person, names), end(), flows=flows)
    stock = process(start(), *map(_stock_task, names), end(), flows=flows)
    return Model("linear5", 5, {"linear5.bpmn": diagram(ours)}, (diagram(stock),))


def loop() -> Model:
    """Return one user task in a loop."""
    flows = "s > t > again\nagain -[{more}]-> t\nagain -[{enough}]-> e"
    gate = node("exclusiveGateway", "again")
    ours = process(start(), _person("t"), gate, end(), flows=flows.format(more="=more", enough="=not(more)"))
    stock = process(start(), _stock_task("t"), gate, end(), flows=flows.format(more="more", enough="not more"))
    return Model("loop", 1, {"loop.bpmn": diagram(ours)}, (diagram(stock),))


FLOWS = (
    "s > enter > check > sound\nsound -[{big}]-> fork\nsound -[{small}]-> enter\n"
    "fork > finance > join\nfork > technical > join\nfork > quality > join\njoin > plan > vote > tally > source > buy > fine\n"
    "fine -[{redo}]-> enter\nfine -[{done}]-> post\npost > issue > mark > e\nlate > told"
)


def twin() -> Model:
    """Return a flow of 28 nodes and a called process, of the size of a requisition's approval and purchase."""
    gates = [node("exclusiveGateway", name) for name in ("sound", "fine")]
    forks = [node("parallelGateway", name) for name in ("fork", "join")]
    people = ["enter", "finance", "technical", "quality", "buy", "issue"]
    texts = {"big": "total > 100", "small": "total <= 100", "redo": "rework"}
    ours_flows = FLOWS.format(**{key: f"={text}" for key, text in texts.items()}, done="=not(rework)")
    stock_flows = FLOWS.format(**texts, done="not rework")
    late = '<bpmn:boundaryEvent id="late" attachedToRef="issue" cancelActivity="true">{}</bpmn:boundaryEvent>'
    ours = process(
        start(),
        *map(_person, people),
        *gates,
        *forks,
        script("check", "=true", "checked"),
        script("plan", '="manager"', "stage"),
        user("vote", each("=members", element="member"), extensions=WHO),
        script("tally", "=5", "votes"),
        call("source", "q"),
        script("post", "=total", "posted"),
        late.format(timer("duration", "P30D")),
        script("mark", "=true", "marked"),
        end("told"),
        end(),
        flows=ours_flows,
    )
    called = process(start("qs"), _person("supplier"), end("qe"), id="q", flows="qs > supplier > qe")
    five = (
        '<bpmn:multiInstanceLoopCharacteristics isSequential="false"><bpmn:loopCardinality>5</bpmn:loopCardinality>'
        "</bpmn:multiInstanceLoopCharacteristics>"
    )
    stock = process(
        start(),
        *map(_stock_task, people),
        *gates,
        *forks,
        _stock_script("check", "checked = True"),
        _stock_script("plan", "stage = 'manager'"),
        _stock_task("vote", five),
        _stock_script("tally", "votes = 5"),
        '<bpmn:callActivity id="source" calledElement="q" />',
        _stock_script("post", "posted = total"),
        late.format(timer("duration", '"P30D"')),
        _stock_script("mark", "marked = True"),
        end("told"),
        end(),
        flows=stock_flows,
    )
    stock_called = process(start("qs"), _stock_task("supplier"), end("qe"), id="q", flows="qs > supplier > qe")
    return Model("twin", 12, {"twin.bpmn": diagram(ours, called)}, (diagram(stock, stock_called),))
