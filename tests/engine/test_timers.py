"""Timers go off when they are due, and never before; an instance that is not due is not even loaded."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from engine import incidents, timers, worker
from engine.act import Act, Installation
from engine.errors import Invalid
from engine.registry import Work
from engine.stored.instance import Instance
from engine.stored.wait import Incident, Timer
from tests.engine.plant import Plant, Week, statements, work
from tests.engine.spiff.diagrams import boundary, end, node, process, service, start, timer
from tests.engine.spiff.proofs import proves

PAUSE = process(
    start(),
    node("intermediateCatchEvent", "pause", timer("duration", "PT1H")),
    work("a"),
    end(),
    flows="s > pause > a > e",
)


def test_a_timer_goes_off_when_it_is_due(plant: Plant) -> None:
    plant.deploy(PAUSE)
    instance_id = plant.start()
    plant.clock.advance(minutes=59)
    assert timers.fire_due(plant.installation).timers == 0
    plant.clock.advance(minutes=1)
    assert timers.fire_due(plant.installation).timers == 1
    assert plant.task(instance_id).element_id == "a"
    assert plant.instance(instance_id).wake_at is None


def test_an_instance_that_is_not_due_is_not_loaded(plant: Plant) -> None:
    plant.deploy(PAUSE)
    plant.start()
    with statements(plant.installation.database) as sent:
        timers.fire_due(plant.installation)
    assert len(sent) == 2
    assert not any("instance.state" in statement for statement in sent)


def test_a_reminder_repeats_and_a_missed_week_reminds_once(plant: Plant) -> None:
    reminded: list[dt.datetime] = []
    plant.registry.step("remind")(lambda act, work: reminded.append(act.now))
    bell = boundary("bell", "a", timer("cycle", "R/P1D"), interrupting=False)
    plant.deploy(
        process(
            start(), work("a"), bell, service("remind"), end("told"), end(), flows="s > a > e\nbell > remind > told"
        )
    )
    plant.start()
    for days in (1, 1, 7):
        plant.clock.advance(days=days)
        timers.fire_due(plant.installation)
    assert len(reminded) == 3
    assert timers.fire_due(plant.installation).timers == 0


@proves("timer: business days of the plant's calendar")
def test_business_days_come_from_the_calendar_of_the_plant(plant: Plant) -> None:
    plant.deploy(
        process(
            start(),
            node("intermediateCatchEvent", "pause", timer("date", "=add business days(now(), 3)")),
            end(),
            flows="s > pause > e",
        )
    )
    instance_id = plant.start()
    assert plant.instance(instance_id).wake_at == plant.clock() + dt.timedelta(days=3)


class Closed(Week):
    """A calendar that has no answer."""

    def __init__(self, why: Exception) -> None:
        self.why = why

    def add_business_days(self, session: Session, start: dt.datetime, days: Decimal) -> dt.datetime:
        raise self.why


@pytest.mark.parametrize("why", [Invalid("Expected a site that opens"), OverflowError("date value out of range")])
def test_a_day_that_the_calendar_does_not_have_stops_the_timer_and_not_who_acts(
    small_plant: Plant, why: Exception
) -> None:
    """What the calendar refused was taken for a refusal of the act: nobody could complete the task before it."""
    small_plant.installation.calendar = Closed(why)
    pause = node("intermediateCatchEvent", "pause", timer("date", "=add business days(now(), 3)"))
    small_plant.deploy(process(start(), work("a"), pause, end(), flows="s > a > pause > e"))
    instance_id = small_plant.start()
    small_plant.complete(small_plant.task(instance_id))
    with small_plant.reading() as session:
        [held] = session.scalars(select(Incident))
    assert (held.element_id, held.cause) == ("pause", "timer")
    assert "add business days: " in held.message


@proves("timer start: a due timer starts an instance, by ISO 8601 and cron")
@pytest.mark.parametrize("cycle", ["R/P1D", "0 0 15 * * *"])
def test_a_start_timer_starts_instances_again_and_again(plant: Plant, cycle: str) -> None:
    plant.deploy(process(start("s", timer("cycle", cycle)), work("a"), end(), flows="s > a > e"))
    for _ in range(3):
        plant.clock.advance(days=1)
        assert timers.fire_due(plant.installation).timers == 1
    with plant.reading() as session:
        assert len(list(session.scalars(select(Instance)))) == 3
        [row] = session.scalars(select(Timer))
        assert row.due_at == plant.clock() + dt.timedelta(days=1)


def test_a_bug_behind_one_timer_does_not_stop_the_others(plant: Plant) -> None:
    @plant.registry.step("check")
    def check(act: Act, work: Work) -> None:
        if work["bad"] == "away":
            raise DBAPIError("SELECT 1", None, ConnectionError("gone"), connection_invalidated=True)
        if work["bad"]:
            raise ZeroDivisionError("a bug")

    pause = node("intermediateCatchEvent", "pause", timer("duration", "PT1H"))
    plant.deploy(process(start(), pause, service("check"), work("a"), end(), flows="s > pause > check > a > e"))
    bad, good = plant.start("A", bad=True), plant.start("B", bad=False)
    plant.clock.advance(hours=1)
    fired = timers.fire_due(plant.installation)
    assert fired.failed == ("ZeroDivisionError: a bug",)
    assert plant.task(good).element_id == "a"
    with plant.reading() as session:
        [found] = incidents.of_instance(session, bad)
        assert "a bug" in found.message
    assert timers.fire_due(plant.installation).failed == ()
    # A database that went away says nothing about the instance: its timer goes off when it is back.
    cut_off = plant.start("C", bad="away")
    plant.clock.advance(hours=1)
    with pytest.raises(DBAPIError):
        timers.fire_due(plant.installation)
    kept = plant.instance(cut_off)
    assert (kept.incidents, kept.wake_at is not None) == (0, True)


def test_what_fails_in_a_round_of_a_worker_does_not_keep_the_rest_from_theirs(plant: Plant) -> None:
    done: list[str] = []

    @plant.registry.chore("mail")
    def mail(installation: Installation) -> int:
        done.append("mail")
        raise OverflowError("no such day")

    @plant.registry.chore("look")
    def look(installation: Installation) -> int:
        done.append("look")
        return 0

    plant.deploy(process(start(), node("intermediateCatchEvent", "pause", timer("duration", "PT1H")), work("a"), end(),
                         flows="s > pause > a > e"))  # fmt: skip
    instance_id = plant.start()
    plant.clock.advance(hours=1)
    runner = worker.Runner(plant.installation)
    assert runner._round() == 1
    assert plant.task(instance_id).element_id == "a"
    assert runner._round() == 0
    assert done == ["mail", "look", "look"], "what failed rests for a while"


def test_a_start_timer_that_fails_tries_again_later(plant: Plant) -> None:
    broken: list[int] = [1]

    @plant.registry.step("check")
    def check(act: Act, work: Work) -> None:
        if broken:
            raise ZeroDivisionError("a bug")

    plant.deploy(
        process(start("s", timer("cycle", "R/P1D")), service("check"), work("a"), end(), flows="s > check > a > e")
    )
    plant.clock.advance(days=1)
    assert timers.fire_due(plant.installation).failed == ("ZeroDivisionError: a bug",)
    assert timers.fire_due(plant.installation).failed == ()
    broken.clear()
    plant.clock.advance(minutes=5)
    assert timers.fire_due(plant.installation).timers == 1
