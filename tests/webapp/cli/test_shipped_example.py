"""The README's ready-drawn change fits the shipped diagram, and the checks find nothing wrong with it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from click.testing import CliRunner

from webapp.cli import main

PATCH = Path("docs/howto/confirm-the-need.patch")


def test_the_ready_drawn_step_applies_and_passes_the_checks(tmp_path: Path) -> None:
    folders = [tmp_path / source for source in ("processes/bpmn", "rules/tables")]
    for folder in folders:
        shutil.copytree(folder.relative_to(tmp_path), folder)
    subprocess.run(["git", "apply", str(PATCH.resolve())], cwd=tmp_path, check=True)
    assert "confirm_need" in (folders[0] / "requisition_to_po.bpmn").read_text("utf-8")
    checked = CliRunner().invoke(main, ["check", *map(str, folders)])
    assert (checked.exit_code, checked.output.count("warning:")) == (0, 0), checked.output
