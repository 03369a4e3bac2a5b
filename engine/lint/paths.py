"""Laws on paths: a join that can never be satisfied, work that runs twice, ways that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from engine.lint.advice import Material, Remark, Severity
from engine.lint.graph import STOPPING, Branch, Graph
from engine.spiff.elements import ElementInfo, ProcessInfo

MOST: Final = 2_000_000
"""So many sequence flows are followed at most: a second or two. Only thousands of joins behind thousands of choices need more."""

_SPLITTING: Final = frozenset({"parallelGateway", "inclusiveGateway"})


def a_join_gets_all_it_waits_for(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse a parallel join that waits for a way which a choice before it leaves out."""
    graph = Graph(process)
    joins = [join for join in process.elements.values() if join.kind == "parallelGateway" and len(join.incoming) > 1]
    for place, join in enumerate(joins):
        if graph.followed > MOST:
            yield Remark(
                join,
                f"Expected a diagram whose ways can all be followed, but it has so many that {len(joins) - place} parallel "
                "joins were not looked at.",
                "Call parts of it as processes of their own.",
                Severity.WARNING,
            )
            return
        hangs = next((remark for remark in _hangs(graph, join)), None)
        if hangs is not None:
            yield hangs


def _hangs(graph: Graph, join: ElementInfo) -> Iterator[Remark]:
    for split, branches in graph.choices(join.parent_id):
        if graph.followed > MOST:
            return
        if split.id == join.id:
            continue
        stops = (join.id, split.id)
        elsewhere = graph.reach(graph.starts(join.parent_id), without=stops)
        reached = {branch: graph.reach(branch.flows, without=stops) for branch in branches}
        only_here = {
            flow for flow in join.incoming if flow not in elsewhere and any(flow in found for found in reached.values())
        }
        for branch, found in reached.items():
            missing = only_here - found
            if not missing or _returns(graph, found, split):
                continue
            arriving = [flow for flow in join.incoming if flow in found]
            if arriving:
                yield _remark(graph, join, split, branch, missing, graph.path(branch.flows, arriving[0], without=stops))
            elif any(flow in elsewhere for flow in join.incoming) and (end := _quiet_end(graph, found)):
                yield _remark(graph, join, split, branch, missing, graph.path(branch.flows, end, without=stops))


def _returns(graph: Graph, flows: set[str], split: ElementInfo) -> bool:
    """Say whether a way leads back to its choice: the next time another way may be taken."""
    return any(graph.process.flows[flow].target == split.id for flow in flows)


def _quiet_end(graph: Graph, flows: set[str]) -> str | None:
    """Return a flow into an end that leaves the other tokens of its scope alone."""
    for flow in sorted(flows):
        element = graph.process.elements.get(graph.process.flows[flow].target)
        if (
            element is not None
            and not graph.leaving(element.id)
            and (element.event is None or element.event.kind not in STOPPING)
        ):
            return flow
    return None


def _remark(
    graph: Graph, join: ElementInfo, split: ElementInfo, branch: Branch, missing: set[str], path: list[str]
) -> Remark:
    source = graph.label(graph.process.flows[min(missing)].source)
    return Remark(
        join,
        f"Expected every way into this parallel join to be taken, but after {graph.label(split.id)} with {branch.label} "
        f"it waits for ever for {source} (path: {graph.trail([split.id, *path])}).",
        "Join with an exclusive gateway what an exclusive gateway split.",
    )


def a_path_runs_once(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Warn of two parallel ways that meet without a join: everything behind runs once for each."""
    graph = Graph(process)
    joins = frozenset(
        element.id for element in process.elements.values() if element.kind in _SPLITTING and len(element.incoming) > 1
    )
    meetings = [
        element
        for element in process.elements.values()
        if element.kind not in _SPLITTING and element.kind != "endEvent" and len(element.incoming) > 1
    ]
    for split in process.elements.values() if meetings else ():
        if split.kind not in _SPLITTING or len(split.outgoing) < 2:
            continue
        reached = [graph.reach([flow], without=joins) for flow in split.outgoing]
        meeting = _first_meeting(meetings, reached)
        if meeting is not None:
            yield Remark(
                meeting,
                f"Expected the ways that {graph.label(split.id)} opens to be joined, but two of them meet here without a "
                "join, and everything behind runs twice.",
                "Join them with the kind of gateway that split them.",
                Severity.WARNING,
            )


def _first_meeting(meetings: Sequence[ElementInfo], reached: Sequence[set[str]]) -> ElementInfo | None:
    seen = set().union(*reached)
    for element in meetings:
        if seen.isdisjoint(element.incoming):
            continue
        if sum(any(flow in found for flow in element.incoming) for found in reached) > 1:
            return element
    return None


def a_path_ends_at_an_end(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Warn of a way that stops without an end event: a reader cannot tell whether that is meant."""
    graph = Graph(process)
    for element in process.elements.values():
        is_end = element.kind == "endEvent" or element.is_event_subprocess or element.is_for_compensation
        is_end = is_end or graph.is_ad_hoc(element.parent_id)
        is_compensation = element.event is not None and element.event.kind == "compensation"
        if not is_end and not is_compensation and not graph.leaving(element.id):
            yield Remark(
                element,
                "Expected the way to go on or to end, but it stops here.",
                "Draw a sequence flow, or an end event that says how it ends.",
                Severity.WARNING,
            )


def an_end_can_be_reached(process: ProcessInfo, material: Material) -> Iterator[Remark]:
    """Refuse a loop without a way out."""
    graph = Graph(process)
    leading = graph.leading_to_an_end()
    blamed: set[str] = set()
    for element in process.elements.values():
        container = element.parent_id
        circles = not element.attached_to and graph.leaving(element.id) and element.id not in leading
        if circles and container not in blamed and not _is_ended_from_outside(graph, container):
            blamed.add(container)
            yield Remark(
                element,
                "Expected a way from here to an end, but every way leads round in a circle.",
                "Draw a way out of the circle.",
            )


def _is_ended_from_outside(graph: Graph, container: str) -> bool:
    """Say whether something may stop the whole container: a boundary event of it, or an event sub-process in it."""
    inner = any(e.is_event_subprocess and e.parent_id == container for e in graph.process.elements.values())
    return inner or any(event.event and event.event.is_interrupting for event in graph.boundaries(container))
