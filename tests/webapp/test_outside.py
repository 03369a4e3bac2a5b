"""The pages of outside work: the board, the link, the forms of the dock, the papers."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.act import Installation
from processes.packing_list import data_of, packing_list_pdf
from records.outside import OutsideMovement
from tests.clock import SettableClock
from tests.outside import OutsideStory
from tests.webapp.browser import Browser


@pytest.fixture
def outside(plant: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in a plant, at 2026-11-22 15:00 UTC."""
    return OutsideStory(plant, clock)
