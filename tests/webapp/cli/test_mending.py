"""What is stuck, from the command line: who may try it again, what is said of each, and what the exit codes say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from engine import instances, outside_workers
from engine.act import Installation
from engine.audit import AuditEvent
from engine.definitions import deploy
from engine.outside_workers import Claim
from engine.stored.job import Job
from records.person import User, UserStatus, move
from tests.engine.spiff.diagrams import diagram, end, node, process, service, start
from tests.people import pat
from tests.webapp.api.conftest import UNKNOWN
from webapp.cli import main

Call = Callable[..., Result]

WELD = diagram(process(start(), service("weld", type="robot.weld"), end(), id="weld_it", flows="s > weld > e"))
PICK = diagram(
    process(start(), node("exclusiveGateway", "big"), end(), id="pick", flows="s > big\nbig -[=amount > 10]-> e")
)


@pytest.fixture
def call(plant: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call lockstep on the plant's database, whoever is meant by the environment."""
    monkeypatch.setenv("LOCKSTEP_MAIL_FOLDER", str(tmp_path / "mail"))
    monkeypatch.delenv("LOCKSTEP_USER", raising=False)
    url = plant.database.url.render_as_string(hide_password=False)
    return lambda *words: CliRunner().invoke(main, ["--database", url, *words])


@pytest.fixture
def stuck(plant: Installation) -> Installation:
    """Two runs whose conditions are all false, and one whose job waits for a worker outside."""
    with plant.acting(pat.principal) as act:
        deploy(act, {"weld_it.bpmn": WELD})
        deploy(act, {"pick.bpmn": PICK})
        for key in ("A", "B"):
            instances.start(act, "pick", business_key=key, variables={"amount": 7})
        instances.start(act, "weld_it", business_key="C")
    return plant


def listed(call: Call, *words: str) -> list[dict[str, str]]:
    answer = call("incidents", "--json", *words)
    assert answer.exit_code == 0, answer.output
    found: list[dict[str, str]] = json.loads(answer.stdout)["items"]
    return found


def actors(plant: Installation) -> list[str]:
    with plant.reading() as session:
        return list(session.scalars(select(AuditEvent.actor).where(AuditEvent.action == "RETRIED")))


def test_what_is_stuck_is_listed_with_why_and_narrowed(stuck: Installation, call: Call) -> None:
    first, second = listed(call)
    assert [(one["key"], one["process"], one["element"], one["kind"]) for one in (first, second)] == [
        ("A", "pick", "big", "expression"), ("B", "pick", "big", "expression")
    ]  # fmt: skip
    assert "one condition to be true" in first["message"]
    told = call("incidents", "--process", "pick", "--key", "B")
    assert (second["id"] in told.stdout, first["id"] in told.stdout, "one condition" in told.stdout) == (
        True,
        False,
        True,
    )
    assert listed(call, "--kind", "expression", "--limit", "1") == [first]
    assert "more than 1" in call("incidents", "--limit", "1").stderr
    assert listed(call, "--kind", "timer") == listed(call, "--process", "weld_it") == []
    assert "Nothing is stuck" in call("incidents", "--key", "nobody").stderr


def test_each_retry_says_what_it_came_to_and_the_exit_code_whether_one_failed(stuck: Installation, call: Call) -> None:
    ids = [one["id"] for one in listed(call)]
    again = call("retry", *ids, ids[0], "--as", "pat")
    assert again.exit_code == 1
    assert [line.split()[:3] for line in again.stdout.splitlines()] == [
        ["FAILED_AGAIN", ids[0], "A:"], ["FAILED_AGAIN", ids[1], "B:"]
    ]  # fmt: skip
    assert "0 advanced, 2 failed again." in again.stderr
    assert actors(stuck) == ["user:pat", "user:pat"]
    with stuck.acting(pat.principal) as act:
        instances.cancel(act, instances.find(act.session, listed(call)[0]["instance_id"]).id, "not needed")
    gone = call("retry", ids[0], "--as", "pat", "--json")
    assert gone.exit_code == 0
    assert json.loads(gone.stdout)["counts"] == {"NOTHING_TO_DO": 1}


def test_a_job_for_a_worker_outside_is_left_to_it(stuck: Installation, call: Call) -> None:
    with stuck.acting("adapter:shop") as act:
        [job] = outside_workers.activate(act, "robot.weld", worker="w")
        outside_workers.fail(act, Claim(job.id, "w"), "no gas", retries_left=0)
    left = call("retry", "--all", "--process", "weld_it", "--as", "ivan", "--json")
    assert (left.exit_code, json.loads(left.stdout)["counts"]) == (0, {"QUEUED": 1})
    with stuck.reading() as session:
        assert session.get_one(Job, job.id).state == "WAITING"


def test_all_of_a_process_is_tried_and_nothing_else(stuck: Installation, call: Call) -> None:
    tried = json.loads(call("retry", "--all", "--process", "pick", "--key", "B", "--as", "adam", "--json").stdout)
    assert [one["key"] for one in tried["items"]] == ["B"]
    none = call("retry", "--all", "--kind", "timer", "--as", "adam")
    assert (none.exit_code, "Nothing is stuck" in none.stderr) == (0, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("retry", "--as", "pat"), 2, "ids of incidents or --all, but found neither"),
        (("retry", UNKNOWN, "--all", "--as", "pat"), 2, "but found both"),
        (("retry", UNKNOWN, "--process", "pick", "--as", "pat"), 2, "with --all alone"),
        (("retry", "--all"), 2, "--as"),
        (("retry", UNKNOWN, "--as", "pat"), 3, f"{UNKNOWN} is none; lockstep incidents lists"),
        (("retry", "all", "--as", "pat"), 3, "all is none"),
        (("retry", "--all", "--process", "pic", "--as", "pat"), 3, "pic was not"),
        (("retry", "--all", "--as", "nobody"), 3, "nobody"),
        (("retry", "--all", "--as", "rita"), 3, "rita holds none of these roles"),
        (("incidents", "--process", "pic"), 3, "a process that was deployed, but pic was not"),
        (("incidents", "--kind", "bad"), 2, "bad"),
        (("start", "pick", "--key", "Z", "--as", "rita"), 3, "rita holds none of these roles"),
    ],
)
def test_who_asks_wrongly_is_told_what_was_expected_and_nothing_is_tried(
    stuck: Installation, call: Call, words: tuple[str, ...], code: int, said: str
) -> None:
    told = call(*words)
    assert told.exit_code == code, told.output
    assert said in " ".join(told.stderr.split())
    assert actors(stuck) == []


def test_one_wrong_id_keeps_the_others_from_being_tried(stuck: Installation, call: Call) -> None:
    right = listed(call)[0]["id"]
    told = call("retry", right, UNKNOWN, "--as", "pat", "--json")
    assert told.exit_code == 3
    assert json.loads(told.stdout)["error"] == "NOT_FOUND"
    assert actors(stuck) == []


def test_nothing_is_done_in_the_name_of_somebody_disabled(stuck: Installation, call: Call, tmp_path: Path) -> None:
    with stuck.acting("system:arrange") as act:
        move(act, act.session.get_one(User, "pat"), UserStatus.DISABLED)
    diagram = tmp_path / "pick.bpmn"
    diagram.write_bytes(PICK.replace(b"amount", b"total"))
    for words in (
        ("retry", "--all"), ("start", "pick", "--key", "Z"), ("deploy", str(diagram)), ("lock", "--reason", "now"),
        ("rules", "adopt", "--reason", "now"),
    ):  # fmt: skip
        told = call(*words, "--as", "pat")
        assert (told.exit_code, "pat is disabled" in told.output) == (3, True), (words, told.output)
    assert actors(stuck) == []


def test_without_a_database_both_say_what_to_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    for words in (("incidents",), ("retry", "--all", "--as", "pat")):
        told = CliRunner().invoke(main, ["--database", url, *words])
        assert (told.exit_code, "Run: lockstep migrate" in told.output) == (4, True)
