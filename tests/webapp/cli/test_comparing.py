"""``lockstep diff``: what changed between two files, in words and for machines."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from rules.policy import TABLES
from webapp.cli import main


def call(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(main, ["diff", *words])
    return answer.exit_code, answer.output


def test_an_engineer_reads_what_changed_in_a_table(tmp_path: Path):
    source = TABLES / "waivers.dmn"
    changed = tmp_path / "waivers.dmn"
    changed.write_bytes(source.read_bytes().replace(b"<text>30</text>", b"<text>45</text>", 1))
    code, text = call(str(source), str(changed))
    assert code == 1
    assert "~ Decision “Waivers” · Rule waivers_sod_finance: max_days was 30, and is now 45." in text
    assert "1 difference: 1 changed" in text
    code, text = call(str(source), str(changed), "--json")
    told = json.loads(text)
    assert (code, told["count"], told["counts"]) == (1, 1, {"changed": 1})
    assert (told["differences"][0]["name"], told["differences"][0]["old"]) == ("max_days", "30")


def test_the_same_content_ends_well_and_two_kinds_are_refused(tmp_path: Path):
    source = TABLES / "waivers.dmn"
    drawn = tmp_path / "waivers.dmn"
    drawn.write_bytes(source.read_bytes().replace(b'x="160" y="80"', b'x="161" y="80"'))
    assert call(str(source), str(source)) == (0, "The files are the same.\n")
    assert call(str(source), str(drawn)) == (0, "Nothing that runs differs; only how it is drawn or written.\n")
    form = tmp_path / "a.form"
    form.write_text("{}", "utf-8")
    code, text = call(str(source), str(form))
    assert (code, "Expected two .bpmn, two .dmn or two .form files" in text) == (3, True)
