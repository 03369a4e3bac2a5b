"""Stock of the data is taken once a day at the plant, however many workers there are."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from engine.act import Installation
from processes.daily_stock import take_daily_stock
from processes.data_quality import take_stock
from records.daily_stock import DailyStock
from rules.finding import KeptFinding
from tests.clock import SettableClock
from tests.makers import make_part


@pytest.fixture
def defective(plant: Installation) -> Installation:
    with plant.acting("system:arrange") as act:
        make_part(act, part_no="P-NAKED")
    return plant


def worker(house: Installation) -> Installation:
    """Return the plant as another worker sees it, who remembers nothing of the first."""
    return replace(house, extras={})


def kept(house: Installation) -> int:
    with house.reading() as session:
        return session.scalar(select(func.count()).select_from(KeptFinding)) or 0


def test_two_workers_at_once_take_stock_once(defective: Installation) -> None:
    found: list[int] = []
    second = threading.Thread(target=lambda: found.append(take_daily_stock(worker(defective))))
    with defective.acting("system:timer") as act:
        first = len(take_stock(act))
        second.start()
        second.join(timeout=0.4)
        assert second.is_alive(), "the second worker did not wait for the first"
    second.join(timeout=20)
    assert (first, found, kept(defective)) == (1, [0], 1)


def test_workers_that_start_together_keep_each_defect_once(defective: Installation) -> None:
    barrier, found = threading.Barrier(3), []

    def work() -> None:
        house = worker(defective)
        barrier.wait()
        found.append(take_daily_stock(house))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert (sorted(found), kept(defective)) == ([0, 0, 1], 1)


def test_a_restart_takes_none_again_and_the_next_day_does(defective: Installation, clock: SettableClock) -> None:
    assert [take_daily_stock(worker(defective)) for _ in range(2)] == [1, 0]
    clock.advance(days=1)
    assert take_daily_stock(worker(defective)) == 1
    with defective.reading() as session:
        days = list(session.scalars(select(DailyStock.on).order_by(DailyStock.on)))
    assert days == [dt.date(2026, 11, 22), dt.date(2026, 11, 23)]
    assert kept(defective) == 1
