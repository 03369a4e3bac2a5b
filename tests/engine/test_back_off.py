"""How often a job is tried again and after how long: from its task definition and its headers."""

from __future__ import annotations

import pytest

from engine import incidents
from engine.host import back_off_of
from tests.engine.plant import Plant
from tests.engine.spiff.diagrams import end, process, service, start
from tests.engine.spiff.proofs import proves
from tests.engine.spiff.story import House, Story, bundle_of


@proves(
    "job: retries and back-off from the task definition and the headers",
    "job: type and retries as FEEL",
    "zeebe:taskHeaders",
)
@pytest.mark.parametrize(
    ("retries", "headers", "minutes"),
    [
        ("3", {}, [1, 5]),
        ("=2 * 3", {}, [1, 5, 15, 60, 60]),
        ("1", {}, []),
        ("3", {"retryBackoff": "PT10S"}, [1 / 6, 1 / 6]),
        ("3", {"backOff": "2, 4, 8", "retryBackoff": "PT10S"}, [2, 4, 8]),
    ],
)
def test_a_task_says_how_often_and_after_how_long_its_job_is_tried_again(
    retries: str, headers: dict[str, str], minutes: list[float]
) -> None:
    task = service("w", extensions=f"<zeebe:taskHeaders>{''.join(map(_header, headers.items()))}</zeebe:taskHeaders>")
    task = task.replace('type="w"', f'type="w" retries="{retries}"')
    house = House()
    Story(bundle_of(start(), task, end(), flows="s > w > e"), house, forgets=False)
    assert back_off_of(house.items[0]) == pytest.approx(minutes)


def _header(pair: tuple[str, str]) -> str:
    return f'<zeebe:header key="{pair[0]}" value="{pair[1]}" />'


@pytest.mark.parametrize(("text", "why"), [("soon", "to be a duration"), ("-PT1H", "to lie ahead")])
def test_a_back_off_that_is_no_time_is_an_incident(small_plant: Plant, text: str, why: str) -> None:
    header = f"<zeebe:taskHeaders>{_header(('retryBackoff', text))}</zeebe:taskHeaders>"
    small_plant.deploy(process(start(), service("w", extensions=header), end(), flows="s > w > e"))
    instance_id = small_plant.start()
    with small_plant.reading() as session:
        [found] = incidents.of_instance(session, instance_id)
    assert why in found.message
