"""The comparison with other engines says clearly what it lacks, and takes no report on trust. None of them is installed here."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks.complete_task import Spent
from benchmarks.models import twin
from benchmarks.others import installation
from benchmarks.others.__main__ import main
from benchmarks.others.diagrams import in_javascript, renamed
from benchmarks.others.installation import ENGINES, CannotInstall, install
from benchmarks.others.program import Garbled, read_description, read_spent, running


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_is_not_installed_is_named_with_the_command_that_installs_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--folder", str(tmp_path), name]) == 2
    said = capsys.readouterr().err
    assert f"Expected {name} in {tmp_path / name}, but it is not there" in said
    assert f"python -m benchmarks.others --install --folder {tmp_path} {name}" in said


def test_an_engine_of_other_versions_than_are_pinned_is_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "viewflow").mkdir()
    (tmp_path / "viewflow" / installation.MARK).write_text("as it was pinned last year")
    assert main(["--folder", str(tmp_path), "viewflow"]) == 2
    assert "was installed from other versions than are pinned now" in capsys.readouterr().err


def test_an_installation_that_cannot_be_had_says_what_was_tried_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotInstall, match=r"(?s)ended with 1 and said:\nno such host.*--folder, LOCKSTEP_OTHERS"):
        installation.run([sys.executable, "-c", "print('no such host'); raise SystemExit(1)"], folder=tmp_path)
    with pytest.raises(CannotInstall, match="Expected to run no-such-program, but it cannot be run"):
        installation.run(["no-such-program"], folder=tmp_path)
    with pytest.raises(
        CannotInstall, match="Clone sartography/spiff-arena and sartography/spiffworkflow-connector-command"
    ):
        install(ENGINES["spiff-arena"], tmp_path / "installed", None)
    with pytest.raises(CannotInstall, match=f"Expected a clone of sartography/spiff-arena in {tmp_path}/spiff-arena"):
        install(ENGINES["spiff-arena"], tmp_path / "installed", tmp_path)
    assert not (tmp_path / "installed" / "spiff-arena" / installation.MARK).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["camunda"], "Expected engines of viewflow, bpmn-engine, spiff-arena, but found camunda"),
        (["--rounds", "0"], "Expected --rounds to be at least 1, but it is 0"),
        (["--only", "start-up", "viewflow"], "Expected spiff-arena among the engines"),
        (["--rounds", "many"], "invalid int value: 'many'"),
    ],
)
def test_a_command_that_is_given_badly_says_why(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_report_becomes_the_figures_of_each_completion() -> None:
    assert read_spent("viewflow", '{"spent": [[3.5, 1.25], [4, 2]]}\n', completions=2) == [
        Spent(3.5, 1.25),
        Spent(4, 2),
    ]
    described = {"versions": {"viewflow": "2.4.0"}, "durability": {"journal_mode": "wal", "synchronous": "2"}}
    assert read_description("viewflow", json.dumps(described)) == {"viewflow": "2.4.0"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "Traceback (most recent call last):",
            "Expected a line of JSON from viewflow's program, but it said Traceback",
        ),
        ("[]", "Expected a line of JSON"),
        ('{"spent": 3}', "Expected viewflow to say what each completion took"),
        ('{"spent": [[3.5]]}', "Expected viewflow to say what each completion took"),
        ('{"spent": [[3.5, -1]]}', "Expected viewflow to say what each completion took"),
        ('{"spent": [[3.5, 1]]}', "Expected viewflow to end after 5 completions, but it ended after 1"),
    ],
)
def test_a_report_that_is_garbled_is_no_figure(line: str, message: str) -> None:
    with pytest.raises(Garbled, match=message):
        read_spent("viewflow", line, completions=5)


@pytest.mark.parametrize("durability", [{"journal_mode": "wal", "synchronous": "1"}, {"fsync": "off"}, None])
def test_an_engine_whose_commits_are_not_durable_is_not_compared(durability: object) -> None:
    with pytest.raises(Garbled, match="Expected viewflow to commit durably"):
        read_description("viewflow", json.dumps({"versions": {}, "durability": durability}))


def test_a_program_that_ends_instead_of_answering_is_quoted() -> None:
    dying = [sys.executable, "-c", "import sys; sys.exit('no such table: task')"]
    with (
        pytest.raises(Garbled, match=r"(?s)it ended with 1 and said:.*no such table: task"),
        running("x", dying, {}, {}),
    ):
        pass


def test_the_compared_flows_are_written_for_engines_that_know_neither_feel_nor_python() -> None:
    [diagram] = twin().stock
    written = in_javascript(diagram).decode()
    conditions = re.findall(r"<bpmn:conditionExpression[^>]*>(.*?)<", written)
    assert conditions[-1] == "next(null, !environment.variables.rework)"
    assert len(conditions) == 4
    assert written.count("; next()</bpmn:script>") == 5
    own = renamed(diagram, "p7").decode()
    assert re.findall(r'<bpmn:process id="(\w+)"', own) == ["p7", "p7_q"]
    assert 'calledElement="p7_q"' in own
