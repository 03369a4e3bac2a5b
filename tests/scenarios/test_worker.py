"""A worker process of its own, on either database: the pages promise, the worker keeps."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from engine.stored.job import Job, JobState
from records.purchase_order import OrderStatus
from records.requisition import RequisitionStatus
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.people import bea, lena, rita
from tests.story import Story, open_plant
from webapp.wiring import wire

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0

WORKER = """
import functools, sys
import webapp.wiring
from tests.clock import SettableClock

# Only the time stands still: the story's plant lives on one day.
webapp.wiring.wire = functools.partial(webapp.wiring.wire, clock=SettableClock())
from webapp.cli import main
main(["--database", sys.argv[1], "worker", "--poll", "0.2"])
"""


class Watched(Story):
    """A story that never runs a job itself: it waits until the worker has."""

    def settle(self) -> Story:
        self.finished_jobs()
        return self

    def finished_jobs(self) -> Sequence[Job]:
        """Return every job, once no one waits or runs: a worker's own chores come back at any moment."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            jobs = self.read(lambda session: session.scalars(select(Job)).all())
            if not {job.state for job in jobs} & {JobState.WAITING, JobState.RUNNING}:
                return jobs
            time.sleep(0.1)
        raise AssertionError("Expected the worker to finish its jobs, but some still wait")


@pytest.fixture
def watched(database: Engine, clock: SettableClock, tmp_path: Path) -> Iterator[Watched]:
    url = database.url.render_as_string(hide_password=False)
    folders = folders_under(tmp_path)
    wired = wire(url, settings=folders, clock=clock)
    open_plant(wired)
    import os

    surroundings = os.environ | {f"LOCKSTEP_{name.upper()}": value for name, value in folders.items()}
    log = tmp_path / "worker.log"
    with (
        log.open("w") as said,
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url], cwd=ROOT, env=surroundings, stdout=said, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Watched(wired, clock)
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(30)
    wired.database.dispose()


def test_a_requisition_becomes_an_acknowledged_order_with_a_worker_of_its_own(watched: Watched, tmp_path: Path) -> None:
    watched.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    watched.as_(lena).decide("approve_requisition", "approve")
    watched.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    assert (watched.order.status, watched.order.po_no) == (OrderStatus.TRANSMITTED, "PO-000001")
    jobs = watched.finished_jobs()
    assert jobs
    assert {job.state for job in jobs} == {JobState.DONE}
    assert all(job.worker for job in jobs)
    assert any(path.suffix == ".eml" for path in (tmp_path / "mail").rglob("*"))
    watched.complete("record_acknowledgement", result="ACCEPT", reference="AB-77")
    assert watched.order.status is OrderStatus.ACKNOWLEDGED
    assert watched.requisition.status is RequisitionStatus.CLOSED
    assert (watched.ended_at, watched.incidents) == ("requisition_ordered", [])
