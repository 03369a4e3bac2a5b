"""A diagram can never run Python: not where expressions stand, not where text stands, not while it runs."""

from __future__ import annotations

import builtins
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine, TaskDataEnvironment

from engine.spiff import Bundle, Flow, Unreadable, read_bundle
from tests.engine.spiff.diagrams import (
    boundary,
    call,
    diagram,
    each,
    end,
    io,
    message,
    node,
    on,
    process,
    script,
    service,
    start,
    timer,
    user,
    when,
)
from tests.engine.spiff.story import House, Story

PAYLOADS = [
    "__import__('os').system('touch leaked')",
    '__import__("os").system("touch leaked")',
    "open('leaked','w').write('x') > 0",
    'open("leaked","w")',
    "import os; os.popen('id -un').read()",
    "().__class__.__base__.__subclasses__()",
    "x.__class__.__mro__[1].__subclasses__()",
    "[].__class__",
    '"".__class__.__init__.__globals__',
    "eval('1')",
    'eval("1")',
    'exec("import os")',
    "lambda: 1",
    "f'{x.__class__}'",
    "{}.__class__",
    'function(a) external {java: {class: "java.lang.Runtime", "method signature": "exec(java.lang.String)"}}',
    'getattr(x, "__class__")',
    "globals()",
    "${7*7}",
    "#{7*7}",
    "x; drop table instance",
]

Place = Callable[[str], bytes]


def whole(*parts: str, flows: str, definitions: str = "") -> bytes:
    return diagram(process(*parts, flows=flows), definitions=definitions)


def task_with(extensions: str) -> bytes:
    return whole(start(), user("a", extensions=extensions), end(), flows="s > a > e")


def in_condition(text: str) -> bytes:
    parts = (start(), node("exclusiveGateway", "g", default="g_b"), user("a"), user("b"))
    return whole(*parts, flows=f"s > g\ng -[={text}]-> a\ng > b")


PLACES: dict[str, Place] = {
    "condition": in_condition,
    "script": lambda text: whole(start(), script("a", f"={text}", "r"), end(), flows="s > a > e"),
    "input": lambda text: whole(
        start(), service("a", extensions=io(inputs={"r": f"={text}"})), end(), flows="s > a > e"
    ),
    "output": lambda text: whole(
        start(), service("a", extensions=io(outputs={"r": f"={text}"})), end(), flows="s > a > e"
    ),
    "text input": lambda text: whole(
        start(), service("a", extensions=io(inputs={"r": text})), end(), flows="s > a > e"
    ),
    "job type": lambda text: whole(start(), service("a", type=f"={text}"), end(), flows="s > a > e"),
    "text job type": lambda text: whole(start(), service("a", type=text), end(), flows="s > a > e"),
    "timer": lambda text: whole(
        start(), node("intermediateCatchEvent", "a", timer("duration", f"={text}")), end(), flows="s > a > e"
    ),
    "conditional event": lambda text: whole(
        start(), node("intermediateCatchEvent", "a", when(f"={text}")), end(), flows="s > a > e"
    ),
    "collection": lambda text: whole(start(), user("a", each(f"={text}")), end(), flows="s > a > e"),
    "completion": lambda text: whole(start(), user("a", each("=[1]", until=f"={text}")), end(), flows="s > a > e"),
    "output element": lambda text: whole(
        start(), user("a", each("=[1]", output="o", collect=f"={text}")), end(), flows="s > a > e"
    ),
    "called process": lambda text: whole(start(), call("a", f"={text}"), end(), flows="s > a > e"),
    "correlation key": lambda text: whole(
        start(),
        node("intermediateCatchEvent", "a", on("message", "m")),
        end(),
        flows="s > a > e",
        definitions=message("m", "n", f"={text}"),
    ),
    "error code": lambda text: whole(
        start(),
        service("a"),
        boundary("b", "a", on("error", "er")),
        end(),
        flows="s > a > e\nb > e",
        definitions=node("error", "er", errorCode=text),
    ),
    "assignee": lambda text: task_with(node_attribute("assignmentDefinition", "assignee", f"={text}")),
}


def node_attribute(kind: str, name: str, value: str) -> str:
    from xml.sax.saxutils import quoteattr

    return f"<zeebe:{kind} {name}={quoteattr(value)} />"


@pytest.fixture
def no_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let every way to run Python or a program fail, in a folder where a leak would be seen."""

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise SystemExit(f"a diagram ran Python: {args[:1]}")

    for name in ("eval", "exec", "compile", "open", "breakpoint", "input"):
        monkeypatch.setattr(builtins, name, refuse)
    for module, name in ((os, "system"), (os, "popen"), (subprocess, "Popen")):
        monkeypatch.setattr(module, name, refuse)
    for kind, name in (
        (PythonScriptEngine, "evaluate"),
        (PythonScriptEngine, "execute"),
        (TaskDataEnvironment, "evaluate"),
        (TaskDataEnvironment, "execute"),
    ):
        monkeypatch.setattr(kind, name, refuse)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def accepted(data: bytes) -> Bundle | None:
    try:
        return read_bundle({"p.bpmn": data})
    except Unreadable:
        return None


@pytest.mark.parametrize("place", PLACES)
def test_python_in_a_diagram_is_refused_or_is_data_and_never_runs(place: str, no_python: Path) -> None:
    for payload in PAYLOADS:
        bundle = accepted(PLACES[place](payload))
        if bundle is None:
            continue
        story = Story(bundle, House(), forgets=True, x="text")
        for wait in story.flow.waits():
            if wait.kind in ("task", "job"):
                story.flow.complete(wait.token_id)
                element = bundle.processes["p"].elements["a"]
                if element.user_task is not None and element.user_task.assignee is not None and not story.flow.done:
                    story.flow.evaluate(element.user_task.assignee)
        assert not list(no_python.iterdir()), payload


@pytest.mark.parametrize(
    "payload", [payload for payload in PAYLOADS if "'" in payload or ";" in payload or "{7" in payload]
)
def test_what_is_no_feel_is_refused_with_its_place_in_the_expression(payload: str) -> None:
    with pytest.raises(Unreadable, match=r"Expected the condition to be FEEL, but .* fails at line 1, column \d+"):
        read_bundle({"p.bpmn": in_condition(payload)})


def test_stored_state_is_data_only(no_python: Path) -> None:
    bundle = read_bundle({"p.bpmn": task_with("")})
    story = Story(bundle, House(), forgets=False)
    hostile = {"py/object": "os.system", "__reduce__": ["os.system", ["touch leaked"]], "typename": "type"}
    flow = Flow.load(bundle, story.flow.state(), {(0, "h"): b'{"py/object":"os.system","$":["eval","1"]}'}, story.house)
    assert flow.variables_view()["h"] == {"py/object": "os.system", "$": ["eval", "1"]}
    flow.complete(flow.waits()[0].token_id, hostile)
    assert flow.done
    assert not list(no_python.iterdir())
