"""Write the support table of docs/bpmn.md and docs/camunda-7.md: what runs, what is refused and why, and which test proves it.

``python -m tools.bpmn_support`` writes, ``--check`` only compares. Nothing here is claimed: each element is drawn at each place
in a small diagram, and what the engine says to it is the verdict. Tests name the rows that they prove
(``tests/engine/spiff/proofs.py``); a row that runs without a test is a problem, and so is a proof of a row that does not exist.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.spiff import Unreadable, read_bundle
from engine.spiff.activity_reading import BINDINGS
from engine.spiff.camunda_7 import ATTRIBUTES, ELEMENTS
from engine.spiff.elements import ACTIVITIES, AD_HOC, CONTAINERS, GATEWAYS
from engine.spiff.event_info import KINDS
from engine.spiff.reading import EXTENSIONS, INSTEAD, INSTEAD_OF_EXTENSION
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    call,
    diagram,
    each,
    end,
    event_sub,
    listeners,
    message,
    node,
    on,
    process,
    service,
    start,
    sub,
    timer,
    user,
    when,
)

ROOT = Path(__file__).parent.parent
PAGE, OLDER = ROOT / "docs" / "bpmn.md", ROOT / "docs" / "camunda-7.md"
BEGIN, END = "<!-- support: written by tools/bpmn_support.py -->", "<!-- support: end -->"
KIND_NAMES = ("none", *dict.fromkeys(KINDS.values()))
DEFINITIONS = (
    message("m", "paid", "=order")
    + '<bpmn:signal id="sig" name="stop" /><bpmn:error id="e1" errorCode="E1" />'
    + '<bpmn:escalation id="esc" escalationCode="LATE" />'
)
EVENTS = {
    "none": "",
    "message": on("message", "m"),
    "timer": timer("duration", "PT1H"),
    "signal": on("signal", "sig"),
    "error": on("error", "e1"),
    "escalation": on("escalation", "esc"),
    "terminate": on("terminate"),
    "link": on("link", name="far"),
    "conditional": when("=ok = true"),
    "compensation": on("compensate"),
    "cancel": on("cancel"),
}
TIMERS = {
    "date": timer("date", "2026-11-22T10:00:00Z"),
    "duration": timer("duration", "PT1H"),
    "cycle": timer("cycle", "R3/PT10S"),
    "cron": timer("cycle", "0 0 9 * * MON-FRI"),
}
CAMUNDA: Mapping[str, str] = {
    "gateway: complexGateway": "Camunda 8 refuses it too.",
    "interrupting event sub-process: compensation": "Camunda 8 refuses it too.",
    "non-interrupting event sub-process: compensation": "Camunda 8 refuses it too.",
    "ad-hoc: ordering Sequential": "Camunda 8 passes the ordering over and runs side by side what is drawn as one after the other;"
    " here that is said instead.",
    "listener: start at a start event": "Camunda 8 refuses it too.",
    "listener: start at a boundary event": "Camunda 8 refuses it too.",
    "listener: end at a gateway": "Camunda 8 refuses it too.",
    "listener: end at an end event that throws an error": "Camunda 8 refuses it too.",
    "listener: any where compensation is attached": "Camunda 8 refuses it too.",
    "listener: beforeAll at what is not repeated": "Camunda 8 refuses it too.",
    "listener: cancel at what is no process": "Camunda 8 refuses it too.",
    "listener: the same type twice": "Camunda 8 refuses it too.",
    "zeebe:linkedResources": "Camunda 8 keeps such files (scripts of robots) beside the diagram and tells the worker where. Here a"
    " bundle holds what Lockstep itself runs and answers for: diagrams, forms, tables. A script belongs to the worker that runs it.",
    "zeebe:linkedResource": "As zeebe:linkedResources.",
    "zeebe:agentDefinition": "It enters the element into Camunda's own list of agents (8.10) and does nothing to the flow: there, too,"
    " the agent is a worker that serves a job.",
}
"""What Camunda 8 does with what is refused here, where that was looked up."""
REFUSED_ACTIVITIES = ("choreographyTask", "subChoreography", "callChoreography")
PROMISES: Mapping[str, Sequence[str]] = {
    "Paths and variables": (
        "paths: several flows out of an activity",
        "paths: a process that just stops ends",
        "paths: text annotations, groups, lanes and data are read over",
        "conditions: exactly true or false, else an incident",
        "inclusive gateway: nothing true and no default is an incident that can be mended",
        "step budget: a circle of empty tasks ends in an incident",
        "time budget: a circle of expressions that each take long ends in an incident",
        "variables: input and output mappings",
        "variables: written to the nearest scope that has the name",
        "instances: a pool that is only drawn does not run",
    ),
    "Compensation, transactions and links": (
        "compensation: newest first",
        "compensation: aimed at one activity",
        "compensation: in a sub-process, of its own scope only",
        "compensation: inside a sub-process that has completed",
        "compensation: the handler of a sub-process stands for those inside",
        "compensation: each instance of a multi-instance sub-process",
        "compensation: each round of a loop, newest first",
        "compensation: in a repeated sub-process, with what each one was given",
        "compensation: the handler sees what its activity kept to itself",
        "compensation: from an event sub-process",
        "compensation: what was not done is not undone",
        "compensation: stops at a call, whose own handler undoes it",
        "transaction: cancel undoes, then leaves by its event",
        "transaction: an error leaves it without undoing",
        "transaction: completes, and can be undone later",
        "transaction: repeated, each instance cancels for itself or for all",
        "link: several throws to one catch, also in a sub-process",
    ),
    "Listeners": (
        "listener beforeAll: once, before the input collection is asked",
        "listener beforeAll: one that fails holds the whole, and is tried again",
        "listener assigning: whoever is given a task, before it counts",
        "listener assigning: also when the diagram gives the task to somebody",
        "listener updating: candidates and whatever else changes of a task, before it counts",
        "listener completing: a step may deny what is done, one that is asked later may not",
        "listener corrections: assignee, candidates, dates and priority, seen by those who come after",
        "listener denied: the change is taken back with the reason, and those who come after hear nothing",
        "listener incidents: one without a try left holds the change, not the task, until it is tried again",
        "listener canceling: a task that ends without being decided, by whatever ends it",
        "listener canceling: what cannot be told is noted, and holds nothing up",
        "listener canceling: done in the act by a step, promised with the end for a job or a worker outside",
        "listener cancel: of a process and of a called one, after everything in it has ended",
    ),
    "Ad-hoc sub-processes": (
        "ad-hoc: begins what activeElementsCollection names, one element as often as it is named",
        "ad-hoc: what is no list of its elements is an incident that can be mended",
        "ad-hoc: further elements begin while it runs, with variables of their own",
        "ad-hoc: nothing begun, it waits for somebody to choose",
        "ad-hoc: completionCondition, and what still runs is cancelled or waited for",
        "ad-hoc: outputCollection and outputElement, in the order in which they were done",
        "ad-hoc: steps that follow one another, each time it is chosen by itself",
        "ad-hoc: event sub-processes beside it or instead of it",
        "ad-hoc: what was done in it is undone, also when it was repeated",
        "ad-hoc: what adHocSubProcessElements tells of it",
        "ad-hoc: a worker says what is done next, asked anew each time something has ended",
    ),
    "Events": (
        "message start: a published message starts an instance",
        "timer start: a due timer starts an instance, by ISO 8601 and cron",
        "signal start: a broadcast starts an instance",
        "conditional start: whoever asks begins what is true, with the values that were asked about",
        "timer: FEEL names the time",
        "timer: business days of the plant's calendar",
        "timer: cron is told by the plant's clock",
        "timer: what a cycle missed happens once, and a bounded one still goes off as often as it says",
        "error: the specific code before the one that catches all",
        "error: outwards, not round in circles",
        "event sub-process: in a called process, with its own variables",
        "escalation: thrown by an event sub-process, caught around it",
        "escalation: uncaught, it is told and the flow goes on",
        "conditional: fires each time it becomes true anew",
        "message: a boundary that does not interrupt fires for every message",
    ),
    "Multi-instance, calls and jobs": (
        "multi-instance: completionCondition",
        "multi-instance: over nothing it passes",
        "multi-instance: inside a multi-instance",
        "multi-instance: results of calls inside it",
        "multi-instance: what is no list is an incident",
        "call: processId as FEEL",
        "call: propagateAllParentVariables and propagateAllChildVariables",
        "call: an error reaches the call activity",
        "call: endless calls end in an incident",
        "call: a terminate end stops the called process only",
        "multi-instance: an event sub-process of one instance leaves the others alone",
        "multi-instance: an error in one call cancels the others",
        "multi-instance: sequential inside parallel, results in order of both",
        "job: retries and back-off from the task definition and the headers",
        "job: type and retries as FEEL",
        "business rule: a table is asked in the act",
    ),
}
"""Promises beyond one element at one place. Each is a row that needs a test."""


@dataclass(frozen=True, slots=True)
class Row:
    """One element at one place in one variation. why_not: what the engine answers when it is refused."""

    area: str
    id: str
    why_not: str = ""


def judged(area: str, row: str, *parts: str, flows: str = "s > a > e", around: str = "", process_id: str = "p") -> Row:
    """Ask the engine about a small diagram and return the row with its answer."""
    called = process(start("qs"), end("qe"), id="q", flows="qs > qe")
    drawn = diagram(process(*parts, id=process_id, flows=flows), called, definitions=DEFINITIONS + around)
    try:
        read_bundle({"probe.bpmn": drawn})
    except Unreadable as refused:
        first = refused.problems[0]
        return Row(area, row, f"{first.message} {first.remedy}")
    return Row(area, row)


def activity(kind: str, name: str, *inside: str, **attributes: str) -> str:
    """Draw an activity of a kind with what it cannot do without."""
    if kind == AD_HOC:
        chosen = '<zeebe:adHoc activeElementsCollection="=[&quot;chosen&quot;]" />'
        return sub(name, *inside, user(f"{name}one"), kind=kind, extensions=chosen, **attributes)
    if kind in CONTAINERS:
        parts = (start(f"{name}in"), end(f"{name}out"))
        return sub(name, *inside, *parts, flows=f"{name}in > {name}out", kind=kind, **attributes)
    if kind == "callActivity":
        written = "".join(f' {key}="{value}"' for key, value in attributes.items())
        return call(name, "q", *inside).replace("<bpmn:callActivity", f"<bpmn:callActivity{written}", 1)
    if kind == "receiveTask":
        return node(kind, name, *inside, messageRef="m", **attributes)
    is_job = kind in ("serviceTask", "sendTask", "scriptTask", "businessRuleTask")
    return node(kind, name, *inside, extensions='<zeebe:taskDefinition type="work" />' if is_job else "", **attributes)


def activities() -> Iterator[Row]:
    """Ask about each activity: alone, repeated, undone, as what undoes."""
    kinds = sorted(ACTIVITIES)
    for kind in (*kinds, *REFUSED_ACTIVITIES):
        yield judged("Activities", f"activity: {kind}", start(), activity(kind, "a"), end())
    loops = {"parallel multi-instance": each("=[1]"), "sequential multi-instance": each("=[1]", sequential=True)}
    for name, loop in loops.items():
        for kind in kinds:
            yield judged("Activities", f"{name}: {kind}", start(), activity(kind, "a", loop), end())
    loop = "<bpmn:standardLoopCharacteristics />"
    yield judged("Activities", "standard loop: task", start(), activity("task", "a", loop), end())
    for kind in kinds:
        undone, undo = activity(kind, "a"), service("undo", isForCompensation="true")
        tied = (boundary("c", "a", on("compensate")), association("tie", "c", "undo"))
        yield judged("Activities", f"compensated: {kind}", start(), undone, undo, *tied, end())
        undo = activity(kind, "undo", isForCompensation="true")
        yield judged("Activities", f"compensation handler: {kind}", start(), service("a"), undo, *tied, end())
    for kind in kinds:
        drawn = (activity(kind, "a"), boundary("b", "a", timer("duration", "PT1H")), end("late"))
        yield judged("Activities", f"boundary at: {kind}", start(), *drawn, end(), flows="s > a > e\nb > late")


def ordered() -> Iterator[Row]:
    """Ask about the ordering of an ad-hoc sub-process."""
    drawn = activity(AD_HOC, "a").replace("<bpmn:adHocSubProcess ", '<bpmn:adHocSubProcess ordering="Sequential" ', 1)
    yield judged("Ad-hoc sub-processes", "ad-hoc: ordering Sequential", start(), drawn, end())


def gateways() -> Iterator[Row]:
    """Ask about each gateway."""
    for kind in (*sorted(GATEWAYS - {"eventBasedGateway"}), "complexGateway"):
        gate = node(kind, "a") if kind in ("parallelGateway", "complexGateway") else node(kind, "a", default="a_x")
        way = "a > y" if kind in ("parallelGateway", "complexGateway") else "a -[=ok]-> y"
        drawn = (start(), gate, user("x"), user("y"), node(kind, "j"), end())
        yield judged("Gateways", f"gateway: {kind}", *drawn, flows=f"s > a > x > j > e\n{way}\ny > j")
    for kind in (*(name for name in KIND_NAMES if name != "none"), "receiveTask"):
        link = (node("intermediateThrowEvent", "t", EVENTS["link"]),) if kind == "link" else ()
        caught = (
            node("receiveTask", "a", messageRef="m")
            if kind == "receiveTask"
            else node("intermediateCatchEvent", "a", EVENTS[kind])
        )
        other = node("intermediateCatchEvent", "d", timer("duration", "PT9H"))
        drawn = (start(), node("eventBasedGateway", "g"), caught, other, *link, end())
        flows = "s > g > a > e\ng > d > e" + ("\ns > t" if link else "")
        yield judged("Gateways", f"event-based gateway: {kind}", *drawn, flows=flows)


def events() -> Iterator[Row]:
    """Ask about each kind of event at each place."""
    for kind in KIND_NAMES:
        fires = timer("date", "2026-11-22T10:00:00Z") if kind == "timer" else EVENTS[kind]
        yield judged("Start events", f"process start: {kind}", start("s", fires), user("a"), end())
        inner = sub("a", start("us", EVENTS[kind]), end("ue"), flows="us > ue")
        yield judged("Start events", f"sub-process start: {kind}", start(), inner, end())
        for name, interrupts in (("interrupting", "true"), ("non-interrupting", "false")):
            listener = event_sub("l", start("ls", EVENTS[kind], isInterrupting=interrupts), end("le"), flows="ls > le")
            yield judged("Start events", f"{name} event sub-process: {kind}", start(), user("a"), end(), listener)
    for kind in KIND_NAMES:
        yield from between(kind)
    for kind in KIND_NAMES:
        if kind == "compensation":
            yield at_the_border(kind, "", interrupts=True)
            continue
        yield at_the_border(kind, "interrupting ", interrupts=True)
        yield at_the_border(kind, "non-interrupting ", interrupts=False)
    for kind in KIND_NAMES:
        inner = sub("a", start("us"), end("x", EVENTS[kind]), kind="transaction", flows="us > x")
        parts = (start(), inner, boundary("no", "a", on("cancel")), end("n"), end())
        yield judged("End events", f"end: {kind}", *parts, flows="s > a > e\nno > n")
    two = timer("duration", "PT1H") + on("message", "m")
    yield judged(
        "Intermediate events",
        "several definitions: one event",
        start(),
        node("intermediateCatchEvent", "a", two),
        end(),
    )


def between(kind: str) -> Iterator[Row]:
    """Ask about an intermediate event that catches, and one that throws."""
    other = {"intermediateCatchEvent": "intermediateThrowEvent", "intermediateThrowEvent": "intermediateCatchEvent"}
    for name, place in (("catch", "intermediateCatchEvent"), ("throw", "intermediateThrowEvent")):
        drawn = [start(), node(place, "a", EVENTS[kind]), end()]
        flows = "s > a > e"
        if kind == "link":
            drawn += [node(other[place], "far", EVENTS[kind]), end("f")]
            flows = "s > far\na > e" if name == "catch" else "s > a\nfar > f\ns > e"
            drawn = [part for part in drawn if name == "throw" or 'id="f"' not in part]
        yield judged("Intermediate events", f"intermediate {name}: {kind}", *drawn, flows=flows)


def at_the_border(kind: str, name: str, *, interrupts: bool) -> Row:
    """Ask about a boundary event."""
    drawn = [start(), activity("transaction", "a"), boundary("b", "a", EVENTS[kind], interrupting=interrupts), end()]
    if kind == "compensation":
        drawn += [service("undo", isForCompensation="true"), association("tie", "b", "undo")]
        return judged("Boundary events", f"{name}boundary: {kind}", *drawn)
    return judged("Boundary events", f"{name}boundary: {kind}", *drawn, end("h"), flows="s > a > e\nb > h")


def timers() -> Iterator[Row]:
    """Ask about each way to say a time at each place."""
    for kind, text in TIMERS.items():
        yield judged("Timers", f"timer {kind}: process start", start("s", text), user("a"), end())
        for name, interrupts in (("interrupting", True), ("non-interrupting", False)):
            begin = start("ls", text, isInterrupting=str(interrupts).lower())
            listener = event_sub("l", begin, end("le"), flows="ls > le")
            yield judged("Timers", f"timer {kind}: {name} event sub-process", start(), user("a"), end(), listener)
            late = boundary("b", "a", text, interrupting=interrupts)
            drawn = (start(), user("a"), late, end("h"), end())
            yield judged("Timers", f"timer {kind}: {name} boundary", *drawn, flows="s > a > e\nb > h")
        yield judged(
            "Timers", f"timer {kind}: intermediate catch", start(), node("intermediateCatchEvent", "a", text), end()
        )


def extensions() -> Iterator[Row]:
    """Return what is read of the zeebe: elements, which version a name means, and who sends messages."""
    area = "Extensions"
    yield from (Row(area, f"zeebe:{name}") for name in EXTENSIONS)
    yield from (
        Row(area, f"zeebe:{name}", f"Not read. {remedy}") for name, remedy in sorted(INSTEAD_OF_EXTENSION.items())
    )
    for binding in BINDINGS:
        tag = {"versionTag": "1.0"} if binding == "versionTag" else {}
        yield judged(area, f"binding {binding}: call", start(), call("a", "q", bindingType=binding, **tag), end())
        bound = f'bindingType="{binding}"' + "".join(f' {name}="{value}"' for name, value in tag.items())
        asked = f'<zeebe:calledDecision decisionId="d" resultVariable="r" {bound} />'
        yield judged(
            area, f"binding {binding}: decision", start(), node("businessRuleTask", "a", extensions=asked), end()
        )
        form = user("a", extensions=f'<zeebe:formDefinition formId="f" {bound} />')
        yield judged(area, f"binding {binding}: form", start(), form, end())
    for kind in ("intermediateThrowEvent", "endEvent", "sendTask"):
        inside = () if kind == "sendTask" else (on("message"),)
        drawn = node(kind, "a", *inside, extensions='<zeebe:taskDefinition type="mail" />')
        yield judged(
            area,
            f"message by a job: {kind}",
            start(),
            drawn,
            end(),
            flows="s > a\ns > e" if kind == "endEvent" else "s > a > e",
        )


def misplaced() -> Iterator[Row]:
    """Ask about listeners where nobody would call them."""
    repeated, at_end = listeners(start="x, x"), listeners(end="x")
    asked: dict[str, tuple[str, ...]] = {
        "start at a start event": (start("s", extensions=listeners(start="x")), user("a")),
        "start at a boundary event": (
            start(),
            user("a"),
            boundary("b", "a", EVENTS["timer"], extensions=listeners(start="x")),
        ),
        "end at a gateway": (start(), node("parallelGateway", "a", extensions=at_end)),
        "end at an end event that throws an error": (start(), user("a"), end("e", EVENTS["error"], extensions=at_end)),
        "any where compensation is attached": (
            start(),
            service("a"),
            boundary("b", "a", EVENTS["compensation"], extensions=at_end),
            service("undo", isForCompensation="true"),
            association("tie", "b", "undo"),
        ),
        "beforeAll at what is not repeated": (start(), user("a", extensions=listeners(beforeAll="x"))),
        "cancel at what is no process": (start(), user("a", extensions=listeners(cancel="x"))),
        "the same type twice": (start(), user("a", extensions=repeated)),
        "an eventType that nobody knows": (start(), user("a", extensions=listeners(pause="x"))),
        "of a task at what is no user task": (start(), service("a", extensions=listeners("task", creating="x"))),
    }
    for name, parts in asked.items():
        last = () if any('id="e"' in part for part in parts) else (end(),)
        yield judged("Listeners", f"listener: {name}", *parts, *last, flows="s > a > e")


def others() -> Iterator[Row]:
    """Return the parts of BPMN that have no place of their own above, with what to use instead."""
    for kind in sorted(INSTEAD.keys() - {"complexGateway", "standardLoopCharacteristics", *REFUSED_ACTIVITIES}):
        drawn = node("userTask", "a", f'<bpmn:{kind} id="x" />')
        yield judged("Activities", f"part of a task: {kind}", start(), drawn, end())


def rows() -> list[Row]:
    """Return every row of the table with the engine's verdict."""
    promised = [Row(area, row) for area, listed in PROMISES.items() for row in listed]
    return [
        *activities(),
        *others(),
        *gateways(),
        *events(),
        *timers(),
        *extensions(),
        *misplaced(),
        *ordered(),
        *promised,
    ]


def proofs(folder: Path = ROOT / "tests") -> dict[str, list[tuple[str, str]]]:
    """Return (file, test) by the row they prove, read from the source, so that nothing has to be imported."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text("utf-8")
        if "proves" not in text:
            continue
        for test in ast.walk(ast.parse(text)):
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                for row in _proved_by(test):
                    found[row].append((path.relative_to(folder.parent).as_posix(), test.name))
    return found


def _proved_by(test: ast.FunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if not isinstance(mark, ast.Call):
            continue
        if ast.unparse(mark.func) == "proves":
            yield from (ast.literal_eval(argument) for argument in mark.args)
        elif ast.unparse(mark.func) == "proves_each":
            row, kinds = (ast.literal_eval(argument) for argument in mark.args)
            yield from (row.format(kind) for kind in kinds)


def problems(table: Iterable[Row], found: Mapping[str, Sequence[tuple[str, str]]]) -> list[str]:
    """Return what does not fit: rows that run and are not proved, proofs of what is refused or unknown."""
    known = {row.id: row for row in table}
    bare = [
        f"{row.id}: expected a test that proves it, but none does"
        for row in known.values()
        if not row.why_not and row.id not in found
    ]
    wrong = [
        f"{tests[0][0]}: expected a row that runs, but {row!r} is {'refused' if row in known else 'unknown'}"
        for row, tests in found.items()
        if row not in known or known[row].why_not
    ]
    return bare + sorted(wrong)


def support(table: Sequence[Row], found: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Return the support table."""
    runs = sum(not row.why_not for row in table)
    lines = [
        BEGIN,
        "",
        f"{runs} of these {len(table)} run, each with the test that proves it; the others are refused when they are checked or",
        "deployed, in these words. Each was drawn and put to the engine: this part is written by `python -m tools.bpmn_support`.",
    ]
    for area in dict.fromkeys(row.area for row in table):
        lines += ["", f"### {area}", "", "| element: place or variation | | proved by, or why not |", "|---|---|---|"]
        for row in table:
            if row.area == area:
                lines.append(f"| {row.id} | {_told(row, found)} |")
    return "\n".join([*lines, "", END])


def _told(row: Row, found: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    if row.why_not:
        why = " ".join([row.why_not, *([CAMUNDA[row.id]] if row.id in CAMUNDA else [])])
        return f"refused | {why.replace('|', '&#124;')}"
    about = f"{EXTENSIONS[row.id.removeprefix('zeebe:')]}<br>" if row.id.startswith("zeebe:") else ""
    tests = [f"[{test.removeprefix('test_').replace('_', ' ')}](../{file})" for file, test in found.get(row.id, ())[:2]]
    return f"runs | {about}{'<br>'.join(tests)}"


def page(before: str) -> str:
    """Return docs/bpmn.md with its support table written anew."""
    head, _, rest = before.partition(BEGIN)
    return head + support(rows(), proofs()) + rest.partition(END)[2]


def older() -> str:
    """Return docs/camunda-7.md."""
    lines = [
        "# From Camunda 7",
        "",
        "`lockstep check` lists each attribute and element of Camunda 7 in a diagram (and those of Activiti and Flowable, where it came",
        "from) with what to write instead; nothing of it is passed over in silence. A condition in JUEL (`${amount > 5}`) is told in",
        "FEEL (`=amount > 5`) where only the spelling differs. Written by `python -m tools.bpmn_support`.",
    ]
    for title, names in (("Attributes", ATTRIBUTES), ("Elements", ELEMENTS)):
        lines += ["", f"## {title}", "", "| Camunda 7 | here |", "|---|---|"]
        lines += [f"| `camunda:{name}` | {remedy} |" for name, remedy in names.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write both pages, or with --check say whether they are what the engine and the tests say."""
    table, found = rows(), proofs()
    wrong = problems(table, found)
    for path, wanted in ((PAGE, page(PAGE.read_text("utf-8"))), (OLDER, older())):
        if "--check" not in sys.argv[1:]:
            path.write_text(wanted, "utf-8")
        elif not path.is_file() or path.read_text("utf-8") != wanted:
            wrong.append(f"{path.name}: expected what the engine says, but it is not; run python -m tools.bpmn_support")
    print("\n".join(wrong) or f"{PAGE.name}: {len(table)} rows, each that runs with its proof")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
