"""From where a token can still get to an inclusive join: asked while it waits, worked out once for each sequence flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Reach:
    """The ways of one process or sub-process, backwards.

    What was worked out is kept, since the definition never changes: one byte for each element, because a diagram of 5,000
    elements may have 1,000 such joins. Two threads may work the same out twice; both come to the same.
    """

    def __init__(self, specs: Mapping[str, Any]) -> None:
        self._place = {name: index for index, name in enumerate(specs)}
        self._before: dict[str, set[str]] = {}
        self._source: dict[str, str] = {}
        self._known: dict[tuple[str, str], bytes] = {}
        for name, spec in specs.items():
            for path in getattr(spec, "paths", ()):
                self._before.setdefault(path.target, set()).add(name)
                self._source[path.id] = name
            for boundary in getattr(spec, "boundaries", ()):
                self._before.setdefault(boundary.name, set()).add(name)

    def leads(self, element: str, join: str, flow: str) -> bool:
        """Say whether a token at an element can come to ``join`` along its incoming ``flow`` without passing it before."""
        known = self._known.get((join, flow))
        if known is None:
            known = self._known[join, flow] = self._backwards(join, flow)
        return bool(known[self._place[element]])

    def _backwards(self, join: str, flow: str) -> bytes:
        found = bytearray(len(self._place))
        frontier = [self._source[flow]]
        while frontier:
            name = frontier.pop()
            if name != join and not found[self._place[name]]:
                found[self._place[name]] = 1
                frontier.extend(self._before.get(name, ()))
        return bytes(found)
