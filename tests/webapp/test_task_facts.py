"""What a process knows is said in words: numbers with a link, quantities with a unit, no id and no hash."""

from __future__ import annotations

import re

import pytest

from engine.act import Installation
from tests.clock import SettableClock
from tests.outside import OutsideStory, ready_link
from tests.people import quinn, sam
from tests.webapp.conftest import People

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def outside(house: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in the plant of the pages."""
    return OutsideStory(house, clock)


def test_a_task_of_outside_work_names_its_link_and_shows_no_id(browse: People, outside: OutsideStory) -> None:
    outside.begin().plan()
    task = outside.tasks("release_special_process")[0]
    browser = browse(quinn)
    browser.get(f"/tasks/{task.id}")
    known = browser.text.partition("What the process knows")[2]
    assert f"{outside.link.number}: 24 × {outside.operation.work_order.item} at NorthStar" in known
    assert not ID.search(re.sub(r"/outside/\S+", "", known.partition("History")[0]))


@ready_link
def test_a_balance_says_its_unit(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship()
    task = outside.tasks("receive_parts")[0]
    browser = browse(sam)
    browser.get(f"/tasks/{task.id}")
    assert "shipped 24 EA" in browser.text
    assert "away 24 EA" in browser.text
