"""Two web nodes and three workers on one PostgreSQL, killed in the middle of their work."""

from __future__ import annotations

from pathlib import Path

from tests.databases import Databases
from tests.machines.under_fire import under_fire
from tests.story import CAST
from webapp.wiring import wire


def test_two_hundred_runs_complete_exactly_once_though_machines_are_killed(
    databases: Databases, tmp_path: Path
) -> None:
    with databases.fresh("postgresql", CAST) as url:
        house = wire(url)
        try:
            report = under_fire(
                house, url, tmp_path, instances=200, every=4, kills=6, patience=240, deciders=("max", "lena")
            )
        finally:
            house.database.dispose()
    assert report.faults == []
    assert {name.split()[0] for name in report.killed} == {"web", "worker"}
