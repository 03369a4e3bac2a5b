"""``lockstep certificates``: a file beside its documents, and nothing from anywhere else."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import func, select

from engine.act import Installation
from records.certificate import Certificate
from tests.goods import PDF, Dock
from tests.story import open_plant
from webapp.cli import main


def test_documents_are_taken_from_the_folder_and_from_nowhere_else(installation: Installation, tmp_path: Path) -> None:
    open_plant(installation)
    number = Dock(installation).order.po_no
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "coc.pdf").write_bytes(PDF)
    (tmp_path / "secret.pdf").write_bytes(PDF)
    file = tmp_path / "certificates.csv"
    file.write_text(
        "event_id,order,line_no,type,issuer,file\n"
        f"c-1,{number},1,COC,NorthStar,coc.pdf\nc-2,{number},1,COC,NorthStar,../secret.pdf\n"
    )
    url = installation.database.url.render_as_string(hide_password=False)

    def call(*words: str) -> tuple[int, str, int]:
        result = CliRunner().invoke(
            main, ["--database", url, "certificates", str(file), "--folder", str(scans), *words]
        )
        with installation.reading() as session:
            return result.exit_code, result.output, session.scalar(select(func.count()).select_from(Certificate)) or 0

    code, said, kept = call("--dry-run")
    assert (code, kept) == (1, 0)
    assert "1 would be recorded, 0 handled before, 1 refused" in said
    assert (
        "certificates.csv, row 3: Expected a document in scans, but found '../secret.pdf' (file is not there)" in said
    )
    assert call()[2] == 1
    code, said, kept = call()
    assert (code, kept) == (1, 1)
    assert "0 recorded, 1 handled before" in said
