"""The demo plant as a template: settled once per run and kind of database, and copied for each test that opens it."""

from __future__ import annotations

from tests.databases import SCHEMA
from tests.story import settled
from webapp import demo

DEMO = settled("demo", lambda house, _clock: demo.settle(house), SCHEMA)
"""Settled as ``make run`` does."""
