"""Models that nobody here drew: each is read, and runs to its end or as its own specification says."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import definitions
from engine.spiff import BpmnError, Bundle, Problem, Unreadable, Wait, read_bundle
from tests.engine.spiff.story import House, Story

FOLDER = Path(__file__).parents[3].parent / "shared" / "models"
MODELS = sorted(FOLDER.rglob("*.bpmn"))
FILES = sorted(path for path in FOLDER.rglob("*") if path.suffix in (".bpmn", ".dmn", ".form"))
CASES = [
    pytest.param(path, case, id=f"{path.stem}-{case['name']}")
    for path in sorted(FOLDER.rglob("*.yaml"))
    for case in yaml.safe_load(path.read_text())["testCases"]
]
SAYS_IT_FAILS = {("demo.yaml", "has variable from task"), ("demo2.yaml", "complete process")}
"""The first says so; the second wants an instance to be terminated whose jobs nobody completes."""

pytestmark = pytest.mark.skipif(not MODELS, reason="the optional folder ../shared/models is not beside this checkout")


@cache
def bundle_at(path: Path) -> Bundle:
    return read_bundle({path.name: path.read_bytes()})


def verdict(path: Path) -> list[Problem]:
    try:
        bundle_at(path)
    except Unreadable as refused:
        return list(refused.problems)
    return []


@pytest.mark.parametrize("path", MODELS or [Path("none")], ids=lambda path: path.stem)
def test_a_public_model_is_read_or_refused_with_a_verdict(path: Path) -> None:
    for problem in verdict(path):
        assert problem.remedy
        assert problem.line
        assert problem.message.startswith("Expected ")


@pytest.mark.parametrize("path", FILES or [Path("none")], ids=lambda path: path.name)
def test_a_public_file_deploys_with_those_that_it_calls(path: Path) -> None:
    files, waiting = {path.name: path.read_bytes()}, [path]
    while waiting:
        current = waiting.pop()
        if current.suffix != ".bpmn":
            continue
        elements = [info for process in bundle_at(current).processes.values() for info in process.elements.values()]
        wanted = {info.called.process_id.text for info in elements if info.called is not None}
        for other in MODELS:
            if other.name not in files and wanted & bundle_at(other).processes.keys():
                files[other.name] = other.read_bytes()
                waiting.append(other)
    assert definitions.check(files) == []


ANSWERS = {"reviewResult": "approved", "done": True}


def press_on(story: Story) -> None:
    """Do something that waits, until nothing does: complete tasks and jobs, deliver messages, wait for timers."""
    dice = random.Random(1)
    for _ in range(300):
        waits = [wait for wait in story.flow.waits() if wait.kind != "incident"]
        if not waits:
            return
        wait = dice.choice(waits)
        if wait.kind in ("task", "job"):
            story.flow.complete(wait.token_id, ANSWERS)
        elif wait.kind == "message":
            story.flow.deliver(wait.token_id, ANSWERS)
        else:
            assert wait.due is not None
            story.house.now = max(story.house.now, wait.due)
            story.flow.tick(story.house.now)
        story._acted()


@pytest.mark.parametrize("forgets", [False, True], ids=["kept", "stored"])
@pytest.mark.parametrize("path", MODELS or [Path("none")], ids=lambda path: path.stem)
def test_a_public_model_reaches_an_end_and_leaves_nothing_behind(path: Path, forgets: bool) -> None:
    if verdict(path):
        pytest.skip("refused, see above")
    bundle = bundle_at(path)
    for process in bundle.processes.values():
        house = House()
        for other in MODELS:
            if not verdict(other):
                house.others |= dict.fromkeys(bundle_at(other).processes, bundle_at(other))
        begin = process.starts[0].element_id
        guesses = {"key": "k", "prId": "1", "correlationKey": "c", "x": 8, "totalLoops": 3}
        story = Story(bundle, house, forgets=forgets, process_id=process.id, start=begin, **guesses)
        press_on(story)
        assert story.flow.done, [(wait.element_id, wait.incident) for wait in story.flow.waits()]
        assert not story.flow.live
        assert not story.flow.subprocesses
        assert set(story.flow.scopes.around) == {0}


class Engine:
    """Runs the instructions of a specification over all instances that it starts."""

    def __init__(self, path: Path) -> None:
        self.house = House(**{"external-worker": lambda item: {"x": item.variables["x"] + 1}})
        self.bundle = read_bundle({model.name: model.read_bytes() for model in MODELS if model.parent == path.parent})
        self.stories: dict[str, Story] = {}

    def story(self, args: dict[str, Any]) -> Story:
        name = args.get("process") or args.get("process-instance")
        return self.stories[name] if name else next(iter(self.stories.values()))

    def act(self, action: str, args: dict[str, Any]) -> None:
        variables = json.loads(args.get("variables") or "{}", parse_int=Decimal)
        if action == "create-instance":
            name = args.get("process_instance_alias", str(len(self.stories)))
            self.stories[name] = Story(
                self.bundle, self.house, forgets=True, process_id=args["bpmn_process_id"], **variables
            )
        elif action == "complete-task":
            story, wait = self.find("job", args["job_type"])
            story.flow.complete(wait.token_id, variables)
            story._acted()
        elif action == "throw-error":
            story, wait = self.find("job", args["job_type"])
            story.flow.fail(wait.token_id, BpmnError(args["error_code"]))
            story._acted()
        elif action == "publish-message":
            story, wait = self.find("message", args["message_name"], args["correlation_key"])
            story.flow.deliver(wait.token_id, variables)
            story._acted()
        else:
            assert action == "await-element-instance-state", action
            assert self.element(args) == args["state"]

    def find(self, kind: str, name: str, key: str | None = None) -> tuple[Story, Wait]:
        for story in self.stories.values():
            for wait in story.flow.waits():
                element = story.bundle.processes[wait.process_id].elements[wait.element_id]
                called = element.task_type.text if kind == "job" and element.task_type else wait.message_name
                if (wait.kind, called, wait.correlation_key) == (kind, name, key):
                    return story, wait
        raise AssertionError(f"no {kind} {name} waits")

    def element(self, args: dict[str, Any]) -> str | None:
        story = self.story(args)
        elements = story.bundle.processes[story.flow.process_id].elements.values()
        wanted = {
            info.id
            for info in elements
            if args.get("element_id", info.id) == info.id and args.get("element_name", info.name) == info.name
        }
        if any(wait.element_id in wanted for wait in story.flow.waits()):
            return "activated"
        found = [row.outcome for row in story.history if row.element_id in wanted]
        return (
            {"completed": "completed", "cancelled": "terminated", "error": "terminated"}[found[-1]] if found else None
        )

    def holds(self, verification: str, args: dict[str, Any]) -> bool:
        story = self.story(args)
        if verification == "process-instance-state":
            return args["state"] == ("completed" if story.flow.outcome == "completed" else "activated")
        if verification == "element-instance-state":
            return self.element(args) == args["state"]
        if verification == "process-instance-variable":
            return bool(story.variable(args["name"]) == json.loads(args["value"], parse_int=Decimal))
        assert verification == "no-process-instance-variable", verification
        return "element_name" in args or args["name"] not in story.variables


@pytest.mark.parametrize(("path", "case"), CASES or [pytest.param(None, None, id="none")])
def test_a_public_specification_holds(path: Path, case: dict[str, Any]) -> None:
    engine = Engine(path)
    held = []
    for step in case["instructions"]:
        if "action" in step:
            engine.act(step["action"], step.get("args", {}))
        else:
            held.append(engine.holds(step["verification"], step.get("args", {})))
    assert held
    assert all(held) != ((path.name, case["name"]) in SAYS_IT_FAILS), held
