"""Deploying: each content is one version, whoever else deploys at that moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from engine import definitions
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import diagram, end, process, start


def test_versions_that_are_deployed_at_once_come_one_after_the_other(plant: Plant) -> None:
    """Two nodes met at one number: one of them was a server error."""
    plant.deploy(process(start(), work("first"), end(), flows="s > first > e"))
    gate = threading.Barrier(4)

    def deploy(name: str) -> int:
        bundle = {"p.bpmn": diagram(process(start(), work(name), end(), flows=f"s > {name} > e"))}
        gate.wait()
        with plant.acting("pat") as act:
            return definitions.deploy(act, bundle, process_id="p").version

    with ThreadPoolExecutor(4) as threads:
        came = sorted(threads.map(deploy, ("a", "b", "b", "c")))
    # Who deploys "b" right behind the other one finds it; with something between them it is a version of its own.
    assert came in ([2, 3, 3, 4], [2, 2, 3, 4], [2, 3, 4, 4], [2, 3, 4, 5])
