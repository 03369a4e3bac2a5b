"""Every flow test runs twice: with the flow kept in memory, and stored and loaded again after every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.spiff import Bundle
from tests.engine.spiff.story import House, Story

Tell = Callable[..., Story]


@pytest.fixture(params=["kept", "stored"])
def tell(request: pytest.FixtureRequest) -> Tell:
    """Start a story: ``tell(bundle, house=…, start=…, **variables)``."""

    def start(bundle: Bundle, house: House | None = None, **details: Any) -> Story:
        return Story(bundle, house or House(), forgets=request.param == "stored", **details)

    return start
