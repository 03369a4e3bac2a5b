"""Deploying: each content is one version, whoever else deploys at that moment."""

from __future__ import annotations

import threading

from engine import definitions
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import diagram, end, process, start


def test_versions_that_are_deployed_at_once_come_one_after_the_other(plant: Plant) -> None:
    """Two nodes met at one number: one of them was a server error."""
    plant.deploy(process(start(), work("first"), end(), flows="s > first > e"))
    gate = threading.Barrier(4)
    came: list[object] = []

    def deploy(name: str) -> None:
        bundle = {"p.bpmn": diagram(process(start(), work(name), end(), flows=f"s > {name} > e"))}
        gate.wait()
        try:
            with plant.acting("pat") as act:
                came.append(definitions.deploy(act, bundle, process_id="p").version)
        except Exception as error:  # noqa: BLE001  told by the assertion
            came.append(error)

    threads = [threading.Thread(target=deploy, args=(name,)) for name in ("a", "b", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Who deploys "b" right behind the other one finds it; with something between them it is a version of its own.
    assert sorted(map(str, came)) in (
        ["2", "3", "3", "4"],
        ["2", "2", "3", "4"],
        ["2", "3", "4", "4"],
        ["2", "3", "4", "5"],
    )
