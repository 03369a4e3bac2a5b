"""Variables as rows keep them: of instances stored before scopes had bytes of their own, and large ones that somebody broke."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import delete, select, update

from engine import incidents, instances, messages, modifying, timers, variables, watchdog
from engine.errors import Unreadable
from engine.messages import Reception
from engine.spiff.codec import decode
from engine.stored.instance import Instance, Variable
from engine.stored.wait import IncidentState
from tests.engine.plant import Plant, work
from tests.engine.spiff.diagrams import boundary, each, end, message, on, process, script, start, sub, timer

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


LOOKS = process(
    start(), work("a"), boundary("late", "a", timer("duration", "PT1H"), interrupting=False),
    boundary("told", "a", on("message", "m"), interrupting=False), script("look", "=string length(note)", "n"),
    work("b"), end(),
    flows="s > a > look > b > e\nlate > look\ntold > look",
)  # fmt: skip


@pytest.fixture
def broken(plant: Plant, request: pytest.FixtureRequest) -> str:
    """An instance whose large value somebody removed, or wrote over, past the application."""
    plant.deploy(LOOKS, definitions_xml=message("m", "come", "=mine"))
    instance_id = plant.start(note=LARGE, mine="1")
    change = delete(Variable) if request.param == "gone" else update(Variable).values(value=b'"?"')
    with plant.acting() as act:
        act.session.connection().execute(change)
    return instance_id


HOW = pytest.mark.parametrize("broken", ["gone", "other"], indirect=True)


@HOW
def test_whoever_needs_a_value_that_somebody_broke_is_told_and_it_can_be_set_anew(plant: Plant, broken: str) -> None:
    with pytest.raises(Unreadable, match=r"Expected K-1 to know note, but .* set it anew"):
        plant.complete(plant.task(broken), answer=1)
    assert plant.task(broken).element_id == "a"
    assert plant.variables(broken) == {"mine": "1"}
    watchdog.scan(plant.installation)
    with plant.reading() as session:
        [incident] = incidents.of_instance(session, broken)
    assert "the value of note is missing or another one: set it anew" in incident.message
    with plant.acting() as act:
        begins = [modifying.TokenEdit(modifying.EditKind.ADD, element_id="look")]
        seen = modifying.stage(act.session, instances.find(act.session, broken), begins, values={"note": "new"}).hash
        modifying.apply(act, broken, begins, reason="it was lost", seen_hash=seen, values={"note": "new"})
    plant.complete(plant.task(broken, "a"), answer=1)
    assert plant.variables(broken) == {"answer": 1, "mine": "1", "n": 3, "note": "new"}
    with plant.reading() as session:
        assert watchdog.examine(session, instances.find(session, broken)) == []
        assert [one.state for one in incidents.of_instance(session, broken)] == [IncidentState.RESOLVED]


@HOW
def test_a_timer_that_needs_a_value_that_somebody_broke_waits_for_help(plant: Plant, broken: str) -> None:
    plant.clock.advance(hours=2)
    assert len(timers.fire_due(plant.installation).failed) == 1
    assert timers.fire_due(plant.installation).failed == ()
    with plant.reading() as session:
        [incident] = incidents.of_instance(session, broken)
    assert "set it anew" in incident.message


@HOW
def test_a_message_for_a_run_that_somebody_broke_holds_up_nobody_who_throws_it(plant: Plant, broken: str) -> None:
    with plant.acting("olga") as act:
        thrown = messages.publish(act, "come", correlation_key="1", is_aside=True)
    assert thrown.reception is Reception.STORED
    assert plant.task(broken).element_id == "a"
