"""Requests that wait until there is something to do: how long, how many at once, and what they hold meanwhile.

Whoever waits holds a thread of the web server and nothing else: no session, no connection, no transaction. It looks again
every ``PAUSE`` with one small question. Threads are few, so only so many may wait on a node at once (``waiting_workers``);
who comes when all places are taken is asked to come back, and the pages go on being served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask, current_app
from sqlalchemy.orm import Session

from webapp import visit
from webapp.rates import TooMany

PAUSE = 0.25
"""Seconds between two looks."""

PLACES = 3
"""How many may wait on a node at once: fewer than half of its threads."""

COME_BACK = 5
"""Seconds after which somebody for whom there is no place may try again."""


@dataclass(eq=False)
class Places:
    """Where requests wait on a node. ended: nobody waits any more, since the node stops."""

    count: int
    free: threading.Semaphore = field(init=False)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.free = threading.Semaphore(self.count)

    def end(self, timeout: float = 5) -> None:
        """Send everybody away who waits, and return when they have left."""
        self.ended.set()
        for _ in range(self.count):
            self.free.acquire(timeout=timeout)


def install(app: Flask) -> None:
    """Count the places of this node. Raises: ValueError for a setting that is no number."""
    given = str(app.extensions["lockstep"].settings.get("waiting_workers", PLACES))
    if not given.isdecimal():
        raise ValueError(f"Expected waiting_workers as a number of places, 0 for none, but found {given!r:.40}")
    app.extensions["places"] = Places(int(given))


def places_of(app: Flask) -> Places:
    """Return the places of an application."""
    places: Places = app.extensions["places"]
    return places


class Patience:
    """How long one request waits, and for what."""

    def __init__(self, seconds: float, is_there: Callable[[Session], bool]) -> None:
        self._until = time.monotonic() + seconds
        self._is_there = is_there

    def wait(self) -> bool:
        """Return True as soon as there is something, False when the time is over. Raises: TooMany when no place is free."""
        if self._look():
            return True
        if self._left() <= 0:
            return False
        places = places_of(current_app)
        if not places.free.acquire(blocking=False):
            raise TooMany(
                "Expected a free place to wait in, but as many workers wait here as may;"
                f" try again in {COME_BACK} s, or ask without timeout_seconds",
                COME_BACK,
            )
        try:
            return self._wait(places.ended)
        finally:
            places.free.release()

    def _wait(self, ended: threading.Event) -> bool:
        while (left := self._left()) > 0:
            if ended.wait(min(PAUSE, left)):
                return False
            if self._look():
                return True
        return False

    def _left(self) -> float:
        return self._until - time.monotonic()

    def _look(self) -> bool:
        visit.begin_anew()
        with visit.installation().reading() as session:
            return self._is_there(session)
