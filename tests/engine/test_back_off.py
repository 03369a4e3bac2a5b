"""How often a job is tried again and after how long, and which is taken up first: from its task definition and its headers."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine import incidents, outside_workers
from engine.errors import Invalid
from engine.host import back_off_of
from engine.stored.wait import Incident
from tests.engine.plant import Plant, work
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


@proves("zeebe:jobPriorityDefinition")
def test_of_the_jobs_that_are_due_the_highest_priority_is_taken_up_first(plant: Plant) -> None:
    """A task's own before that of its process, and those that say the same in the order in which they are due."""

    def priority(text: str) -> str:
        return f'<zeebe:jobPriorityDefinition priority="{text}" />'

    urgent = service("urgent", type="work", extensions=priority("=rank"))
    drawn = process(
        f"<bpmn:extensionElements>{priority('10')}</bpmn:extensionElements>", start(), urgent, service("usual", type="work"), end(),
        flows="s > urgent > e\ns > usual > e",
    )  # fmt: skip
    plant.deploy(drawn)
    plant.start("A", rank=-5)
    plant.clock.advance(minutes=1)
    plant.start("B", rank=90)
    with plant.installation.acting("adapter:w") as act:
        taken = outside_workers.activate(act, "work", worker="one", at_most=10)
        assert [job.priority for job in taken] == [90, 10, 10, -5]
        assert [job.element_id for job in taken] == ["urgent", "usual", "usual", "urgent"]
    stuck = plant.start("C", rank="much")
    with plant.reading() as session:
        told = {
            one.element_id: one.message
            for one in session.scalars(select(Incident).where(Incident.instance_id == stuck))
        }
    assert "urgent" in told
    with pytest.raises(Invalid, match='priority of the job, but it is "high"'):
        plant.deploy(drawn.replace('priority="10"', 'priority="high"'))
    with pytest.raises(Invalid, match="whose priority this is"):
        plant.deploy(process(start(), work("a", extensions=priority("1")), end(), flows="s > a > e"))
