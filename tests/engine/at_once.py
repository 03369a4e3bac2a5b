"""Several things at one moment, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def at_once(*doings: Callable[[], Any]) -> list[Any]:
    """Do several things in threads of their own, and return what each came to, an error included."""
    with ThreadPoolExecutor(len(doings)) as threads:
        begun = [threads.submit(doing) for doing in doings]
        return [one.exception(timeout=30) or one.result() for one in begun]
