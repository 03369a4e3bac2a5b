"""A bounded memory of things that never change, shared by threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Values by key, the least recently used ones forgotten. Two threads may make one twice; only one is kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._known: OrderedDict[str, V] = OrderedDict()

    def find(self, key: str) -> V | None:
        """Return what is known under a key."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def keep(self, key: str, value: V) -> V:
        """Keep a value unless one is known already; return the known one."""
        with self._lock:
            kept = self._known.setdefault(key, value)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
            return kept

    def get(self, key: str, make: Callable[[], V]) -> V:
        """Return the known value, or make and keep it."""
        known = self.find(key)
        return known if known is not None else self.keep(key, make())
