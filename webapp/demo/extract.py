"""Bring in the demo's part of an ERP extract, moved by whole weeks so that its days lie around today."""

from __future__ import annotations

import csv
import datetime as dt
import re
import tempfile
from pathlib import Path

from engine.act import Installation
from processes.importing import import_folder

FILES = Path(__file__).parent / "files"
TAKEN_ON = dt.date(2026, 11, 22)
"""The day of the extract."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?= \d{2}:\d{2}:\d{2}$|$)")


def bring_extract(installation: Installation, *, today: dt.datetime) -> None:
    """Import the extract as it would be, had it been taken in this week; its open requisitions stay submitted.

    Raises: RuntimeError when a document is left out, since the demo's files are known to be good.
    """
    shift = dt.timedelta(weeks=(today.date() - TAKEN_ON).days // 7)
    with tempfile.TemporaryDirectory() as folder:
        for path in FILES.glob("*.csv"):
            _move(path, Path(folder) / path.name, shift)
        report = import_folder(installation, Path(folder))
    if report.errors:
        raise RuntimeError("Expected the demo's extract to be whole, but " + "; ".join(map(str, report.errors[:5])))


def _move(source: Path, target: Path, shift: dt.timedelta) -> None:
    with source.open(encoding="utf-8", newline="") as read, target.open("w", encoding="utf-8", newline="") as write:
        writer = csv.writer(write, lineterminator="\r\n")
        for row in csv.reader(read):
            writer.writerow([_DAY.sub(lambda day: str(dt.date.fromisoformat(day[0]) + shift), cell) for cell in row])
