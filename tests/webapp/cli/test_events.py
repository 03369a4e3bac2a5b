"""``lockstep events``: a file of events, rehearsed, brought in, and brought in again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from engine.act import Installation
from records.actual import Actual
from tests.makers import make_cast, make_work_order
from webapp.cli import main


@pytest.fixture
def plant(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        make_cast(act)
        make_work_order(act, number="WO-7001")
    return installation


def test_a_file_counts_once_and_says_what_does_not_fit(plant: Installation, tmp_path: Path) -> None:
    url = plant.database.url.render_as_string(hide_password=False)
    file = tmp_path / "shift.csv"
    heading = "system,event_id,kind,work_order,op_no,quantity\n"
    file.write_text(f"{heading}MES,e-1,LABOUR,WO-7001,10,2\nMES,e-2,LABOUR,WO-7001,10,-1\n")
    told = [
        CliRunner().invoke(main, ["--database", url, "events", str(file), *words])
        for words in (["--dry-run"], [], ["--json"])
    ]
    assert [result.exit_code for result in told] == [1, 1, 1]
    assert "2 rows: 1 would be recorded, 0 handled before, 1 refused" in told[0].output
    assert "row 3, quantity “-1”: Expected a quantity above 0" in told[1].output
    assert "2 rows: 1 recorded, 0 handled before, 1 refused" in told[1].output
    counts = json.loads(told[2].output)
    assert (counts["recorded"], counts["repeated"], counts["problems"][0]["row"]) == (0, 1, 3)
    with plant.reading() as session:
        assert len(session.scalars(select(Actual)).all()) == 1
