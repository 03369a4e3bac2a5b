"""Diagrams open in bpmn-js and Camunda Modeler without a word of complaint."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tools.prepare import find_node

ROOT = Path(__file__).parent.parent.parent
DIAGRAMS = sorted((ROOT / "processes" / "bpmn").glob("*.bpmn"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundle the reader; the linter is published for bundlers only."""
    bundle = tmp_path_factory.mktemp("modelers") / "read_in_modelers.mjs"
    node, _ = find_node()
    esbuild = ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"
    source = Path(__file__).with_name("read_in_modelers.js")
    options = ["--bundle", "--platform=node", "--format=esm", "--log-level=warning", f"--outfile={bundle}"]
    subprocess.run([node, esbuild, source, *options], check=True, cwd=ROOT)
    return bundle


def read(reader: Path, diagrams: Sequence[Path]) -> list[dict[str, Any]]:
    node, _ = find_node()
    said = subprocess.run([node, reader, *diagrams], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_every_diagram_imports_without_a_warning_and_passes_the_modelers_linter(reader: Path) -> None:
    assert len(DIAGRAMS) >= 2
    answers = read(reader, DIAGRAMS)
    assert [(answer["warnings"], answer["findings"]) for answer in answers] == [([], [])] * len(DIAGRAMS)


def test_the_modelers_linter_would_say_what_is_wrong(reader: Path, tmp_path: Path) -> None:
    source = (ROOT / "processes/bpmn/approval_round.bpmn").read_text("utf-8")
    broken = tmp_path / "broken.bpmn"
    broken.write_text(source.replace('<zeebe:taskDefinition type="fill_slot" />', "", 1), "utf-8")
    [answer] = read(reader, [broken])
    assert "fill_slot" in {finding["id"] for finding in answer["findings"]}
