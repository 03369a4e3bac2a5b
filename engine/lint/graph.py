"""A process as places and ways, for laws on paths."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from engine.spiff.elements import ACTIVITIES, AD_HOC, ElementInfo, ProcessInfo

CHOOSING = ("exclusiveGateway", "inclusiveGateway", "eventBasedGateway")
STOPPING = ("terminate", "error", "cancel")
"""End events that take every other token of their scope with them."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the ways that may be taken at a place. flows: what leaves by it. label: how a person would name it."""

    flows: tuple[str, ...]
    label: str


class Graph:
    """The sequence flows of one process; a boundary event is one step behind its activity."""

    def __init__(self, process: ProcessInfo) -> None:
        self.process = process
        self.followed = 0
        """How many sequence flows were followed so far: what the laws on paths have cost."""
        self._boundaries: dict[str, list[ElementInfo]] = {}
        for element in process.elements.values():
            if element.attached_to is not None:
                self._boundaries.setdefault(element.attached_to, []).append(element)
        self._leaving = {element.id: list(element.outgoing) for element in process.elements.values()}
        for flow in process.flows.values():
            known = self._leaving.setdefault(flow.source, [])
            if flow.source not in process.elements or flow.id not in process.elements[flow.source].outgoing:
                known.append(flow.id)
        for attached_to, events in self._boundaries.items():
            self._leaving.setdefault(attached_to, []).extend(flow for event in events for flow in event.outgoing)

    def leaving(self, element_id: str) -> Sequence[str]:
        """Return the flows that may be taken from an element, those behind its boundary events included."""
        return self._leaving.get(element_id, ())

    def leading_to_an_end(self) -> set[str]:
        """Return the elements from which a way leads to an element where it ends."""
        before: dict[str, list[str]] = {}
        for element_id, flows in self._leaving.items():
            for flow in flows:
                before.setdefault(self.process.flows[flow].target, []).append(element_id)
        found: set[str] = set()
        waiting = [target for target in before if not self.leaving(target)]
        while waiting:
            for earlier in before.get(waiting.pop(), ()):
                if earlier not in found:
                    found.add(earlier)
                    waiting.append(earlier)
        return found

    def boundaries(self, element_id: str) -> Sequence[ElementInfo]:
        """Return the boundary events of an activity."""
        return self._boundaries.get(element_id, ())

    def reach(self, flows: Collection[str], *, without: Collection[str] = ()) -> set[str]:
        """Return every flow on a path that begins with one of these and does not go on from the elements ``without``."""
        return set(self._trails(flows, without))

    def _trails(self, flows: Collection[str], without: Collection[str]) -> dict[str, str | None]:
        """Return each reached flow with the flow before it, nearest first."""
        before: dict[str, str | None] = dict.fromkeys(flows)
        waiting = deque(flows)
        while waiting:
            flow = waiting.popleft()
            target = self.process.flows[flow].target
            if target in without:
                continue
            for following in self.leaving(target):
                if following not in before:
                    before[following] = flow
                    waiting.append(following)
        self.followed += len(before)
        return before

    def path(self, flows: Collection[str], goal: str, *, without: Collection[str] = ()) -> list[str]:
        """Return the ids of the elements on the shortest path that begins with one of ``flows`` and ends with ``goal``."""
        before = self._trails(flows, without)
        step: str | None = goal
        elements: list[str] = []
        while step is not None:
            elements.append(self.process.flows[step].target)
            step = before.get(step)
        return elements[::-1]

    def starts(self, container_id: str) -> list[str]:
        """Return the flows that leave the start events of a container, or what may be chosen in an ad-hoc one."""
        chosen = self.process.choices(container_id) if self.is_ad_hoc(container_id) else {}
        return [
            flow
            for element in self.process.elements.values()
            if element.id in chosen or (element.kind == "startEvent" and element.parent_id == container_id)
            for flow in element.outgoing
        ]

    def is_ad_hoc(self, container_id: str) -> bool:
        """Say whether a container is an ad-hoc sub-process: what is chosen in it ends when nothing follows."""
        container = self.process.elements.get(container_id)
        return container is not None and container.kind == AD_HOC

    def choices(self, container_id: str) -> Iterator[tuple[ElementInfo, list[Branch]]]:
        """Yield each place of a container where some ways are taken and others not, with its ways."""
        for element in self.process.elements.values():
            if element.parent_id != container_id:
                continue
            if element.kind in CHOOSING and len(element.outgoing) > 1:
                yield element, [Branch((flow,), self.flow_label(flow)) for flow in element.outgoing]
            elif element.kind in ACTIVITIES and element.outgoing:
                breaking = [
                    event for event in self.boundaries(element.id) if event.event and event.event.is_interrupting
                ]
                if breaking:
                    regular = Branch(element.outgoing, f"{self.label(element.id)} is done")
                    yield element, [regular, *(Branch(e.outgoing, self.label(e.id)) for e in breaking if e.outgoing)]

    def containers(self) -> list[str]:
        """Return the process and every sub-process in it."""
        return list(dict.fromkeys([self.process.id, *(e.parent_id for e in self.process.elements.values())]))

    def label(self, element_id: str) -> str:
        """Return an element's name, or its id."""
        element = self.process.elements.get(element_id)
        return f'"{element.name}"' if element is not None and element.name else element_id

    def flow_label(self, flow_id: str) -> str:
        """Return a flow's name, or where it leads."""
        flow = self.process.flows[flow_id]
        return f'"{flow.name}"' if flow.name else f"the way to {self.label(flow.target)}"

    def trail(self, element_ids: Sequence[str]) -> str:
        """Return a path as people read it."""
        return " → ".join(self.label(element_id) for element_id in element_ids)
