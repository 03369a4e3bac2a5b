"""Variables as rows keep them: of instances stored before scopes had bytes of their own, and large ones that somebody broke."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import select, update

from engine import instances, variables
from engine.spiff.codec import decode
from engine.stored.instance import Instance, Variable
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import each, end, process, start, sub

LARGE = "x" * 3000

ONE_OF_EACH = process(
    start(),
    sub("all", start("s2"), work("a"), work("b"), end("e2"), each("=items"), flows="s2 > a > b > e2"),
    work("last"),
    end(),
    flows="s > all > last > e",
)


def store_in_the_older_form(plant: Plant, instance_id: str) -> None:
    """Put small values behind one table of contents for all scopes, large ones in their rows alone, as was done before."""
    with plant.acting() as act:
        instance = act.session.get_one(Instance, instance_id)
        stored = variables.load(act.session, instance)
        small = {key: stored[key] for key in stored if len(stored[key]) <= variables.SMALL}
        contents = [[scope, name, len(data)] for (scope, name), data in small.items()]
        packed = orjson.dumps(contents) + b"\n" + b"".join(small.values()) if small else b""
        statement = update(Instance).where(Instance.id == instance_id).values(variables=packed)
        act.session.connection().execute(statement)


def all_of(plant: Plant, instance_id: str) -> dict[tuple[int, str], object]:
    with plant.reading() as session:
        stored = variables.load(session, instances.find(session, instance_id))
        return {key: decode(stored[key]) for key in stored}


@pytest.mark.parametrize("big", [True, False])
def test_an_instance_stored_before_scopes_had_bytes_of_their_own_loses_nothing_when_it_goes_on(
    plant: Plant, big: bool
) -> None:
    plant.deploy(ONE_OF_EACH)
    instance_id = plant.start(items=["one", "two"], note=LARGE if big else "short", other="kept")
    store_in_the_older_form(plant, instance_id)
    before = all_of(plant, instance_id)
    task = plant.open(instance_id, "a")[0]
    plant.complete(task, answer=42)
    assert {key: value for key, value in all_of(plant, instance_id).items() if key in before} == before
    assert plant.variables(instance_id)["answer"] == 42


def test_large_variables_stored_in_the_older_form_stay_in_their_rows(plant: Plant) -> None:
    plant.deploy(ONE_OF_EACH)
    instance_id = plant.start(items=["one"], note=LARGE, other="kept")
    store_in_the_older_form(plant, instance_id)
    plant.complete(plant.task(instance_id, "a"), note=LARGE + "y")
    instance = plant.instance(instance_id)
    assert (instance.large_variables, len(instance.variables) < variables.SMALL) == (1, True)
    plant.complete(plant.task(instance_id, "b"), note="short")
    instance = plant.instance(instance_id)
    with plant.reading() as session:
        assert list(session.scalars(select(Variable))) == []
    assert (instance.large_variables, plant.variables(instance_id)["note"]) == (0, "short")
