"""``lockstep suppliers``: a file of stock at suppliers' places, rehearsed and brought in."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from engine.act import Installation
from tests.makers import make_supplier
from webapp.cli import main


def test_a_file_is_rehearsed_brought_in_and_told_by_row(installation: Installation, tmp_path: Path) -> None:
    with installation.acting("system:test") as act:
        make_supplier(act, "S-1")
    url = installation.database.url.render_as_string(hide_password=False)
    file = tmp_path / "stock.csv"
    heading = "system,native_id,supplier_no,location,work_order,quantity,observed_at\n"
    row = "WMS,1,S-1,QP-WIP,WO-7001,6,2026-01-22T14:00:00Z\n"
    file.write_text(f"{heading}{row}{row.replace('S-1', 'S-9').replace('WMS,1', 'WMS,2')}")
    told = [
        CliRunner().invoke(main, ["--database", url, "suppliers", str(file), "--kind", "stock", *words])
        for words in (["--dry-run"], [], ["--json"])
    ]
    assert [result.exit_code for result in told] == [1, 1, 1]
    assert "2 rows: 1 would be recorded, 0 handled before, 1 refused" in told[0].output
    assert "stock.csv, row 3: Expected a supplier we know, but found 'S-9'" in told[1].output
    assert json.loads(told[2].output)["repeated"] == 1
