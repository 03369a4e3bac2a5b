# mypy: allow-subclassing-any
"""Return a flow to an earlier step: exact by lineage, never by what the diagram could reach.

Every token knows those that it came from, and a join those that it consumed. What follows a step is therefore its
descendants, dead or alive; a sibling branch is not among them, however often a loop passes both. A multi-instance and a
finished sub-process or call start anew as a whole; inside a running one, its own steps can be returned to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.spiff.elements import ACTIVATION, CONTAINERS, ElementInfo
from engine.spiff.host import Arrival, Left
from engine.spiff.token import Token, spawn

if TYPE_CHECKING:
    from engine.spiff.flow import Flow

MULTI_INSTANCE = "multiInstance"
RETURN = "return"
"""The kind of the history row of a return: its parents are the tokens that it made void."""
PEOPLE = frozenset({"userTask"})


@dataclass(frozen=True, slots=True)
class Place:
    """A token that once was, or is. owner: the token of the sub-process or call that it was in, 0 for the process itself."""

    token_id: int
    element_id: str
    process_id: str
    kind: str
    parents: tuple[int, ...]
    arrivals: tuple[Arrival, ...]
    instance: int | None
    owner: int
    is_live: bool
    outcome: str


@dataclass(slots=True)
class Lineage:
    """Every token of an instance, gone or live, by id; ids only grow, so parents come before their children.

    dead: those that an earlier return made void.
    """

    places: dict[int, Place] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, flow: Flow, left: Iterable[Left]) -> Lineage:
        """Put the history of an instance and its live tokens together."""
        found = cls()
        kept = []
        for past in left:
            if past.kind == RETURN:
                found.dead.update(past.parents)
            else:
                kept.append(past)
        rows = [(row.token_id, row, None) for row in kept] + [(token.id, None, token) for token in flow.live.values()]
        for _, row, token in sorted(rows, key=lambda each: each[0]):
            place = found._past(row) if row is not None else found._live(flow, token)
            found.places[place.token_id] = place
        return found

    def _past(self, row: Left) -> Place:
        return Place(
            row.token_id, row.element_id, row.process_id, row.kind, row.parents, row.arrivals, row.instance,
            self._owner(row.kind, row.parents, row.arrivals), False, row.outcome,
        )  # fmt: skip

    def _live(self, flow: Flow, token: Any) -> Place:
        data, workflow = token.internal_data, token.workflow
        kind = MULTI_INSTANCE if token.task_spec.is_body else token.element.kind
        arrivals = tuple(Arrival(row[0], row[1], tuple(row[2])) for row in data.get("arrivals", ()))
        owner = 0 if workflow is flow else workflow.owner.id
        return Place(
            token.id, token.element.id, token.element.process_id, kind, tuple(data.get("from", ())), arrivals,
            data.get("index"), owner, True, "",
        )  # fmt: skip

    def _owner(self, kind: str, parents: Sequence[int], arrivals: Sequence[Arrival]) -> int:
        if kind in ("startEvent", ACTIVATION):
            return parents[0] if parents else 0
        sources = [parent for arrival in arrivals for parent in arrival.parents] or list(parents)
        for source in sources:
            if source in self.places and self.places[source].kind == ACTIVATION:
                return source  # Nothing follows an activation: what comes of it is the first inside.
        return next((self.places[source].owner for source in sources if source in self.places), 0)

    def sources(self, place: Place) -> Iterator[int]:
        """Yield the tokens that a token came from; what a join consumed counts as what it came from."""
        yield from place.parents
        for arrival in place.arrivals:
            yield from arrival.parents

    def before(self, token_id: int) -> set[int]:
        """Return the tokens that one came from, near and far."""
        found: set[int] = set()
        frontier = [token_id]
        while frontier:
            place = self.places.get(frontier.pop())
            new = [source for source in self.sources(place) if source not in found] if place is not None else []
            found.update(new)
            frontier += new
        return found

    def after(self, token_id: int) -> set[int]:
        """Return the token and everything that came of it, arrivals at joins included."""
        found = {token_id}
        for place in sorted(self.places.values(), key=lambda each: each.token_id):
            if any(source in found for source in self.sources(place)):
                found.add(place.token_id)
            found.update(arrival.token_id for arrival in place.arrivals if not found.isdisjoint(arrival.parents))
        return found

    def inside(self, token_id: int) -> Iterator[Place]:
        """Yield what was inside a container or a multi-instance, at any depth."""
        owners = {token_id}
        for place in sorted(self.places.values(), key=lambda each: each.token_id):
            is_inner = place.instance is not None and not owners.isdisjoint(place.parents)
            if place.owner in owners or is_inner:
                owners.add(place.token_id)
                yield place

    def asked_people(self, place: Place) -> bool:
        """Whether a step was a person's, or one inside of it was."""
        return place.kind in PEOPLE or any(inner.kind in PEOPLE for inner in self.inside(place.token_id))


def earlier_steps(flow: Flow, lineage: Lineage, token_id: int) -> list[Place]:
    """Return the steps of people that led to a live token, the nearest first: each by its last time.

    Looks outwards: through the multi-instance that the token is in, the sub-process and the call around it.
    """
    token: Token = flow.live[token_id]
    found: list[Place] = []
    while True:
        top = token.body or token
        places = (lineage.places[past] for past in lineage.before(top.id) if past in lineage.places)
        last: dict[str, Place] = {}
        for place in sorted(places, key=lambda each: each.token_id):
            if (
                not place.is_live
                and place.token_id not in lineage.dead
                and _is_beside(lineage, place, top)
                and lineage.asked_people(place)
            ):
                last[place.element_id] = place
        found += sorted(last.values(), key=lambda each: -each.token_id)
        workflow = token.workflow
        if workflow is flow:
            return found
        token = workflow.owner


def _is_beside(lineage: Lineage, place: Place, top: Token) -> bool:
    """Whether a past token stood in the same running process or sub-process, as a whole and not as one of several."""
    here = lineage.places[top.id].owner
    is_one_of_several = place.instance is not None and place.kind != MULTI_INSTANCE
    steps = {*PEOPLE, *CONTAINERS, "callActivity", MULTI_INSTANCE}
    is_drawn = place.element_id in top.workflow.spec.task_specs
    return place.owner == here and place.kind in steps and is_drawn and not is_one_of_several


def return_to(flow: Flow, lineage: Lineage, token_id: int) -> set[int]:
    """Cancel what came of an earlier step, put back what its joins had consumed of other branches, and open it again.

    token_id: of ``earlier_steps``. Returns the tokens that are void now. The flow then runs on until it rests.
    """
    place, void = lineage.places[token_id], lineage.after(token_id)
    workflow = flow if place.owner == 0 else flow.sub_of(place.owner)
    for token in list(workflow.task_tree.children):
        if token.id in void:
            token.cancel()
    _forget_undoing(flow, void)
    for consumed in _consumed(lineage, place, void):
        _put_back(workflow, *consumed)
    spec = workflow.spec.task_specs[place.element_id]
    again = spawn(workflow, spec, came_from=place.parents)
    flow.history.append(
        Left(
            flow.new_id(), place.element_id, place.process_id, RETURN, "returned", tuple(sorted(void - lineage.dead)), (),
            workflow.scope_id, None,
        )
    )  # fmt: skip
    spec._update(again)
    flow.run()
    return void


def _consumed(lineage: Lineage, place: Place, void: set[int]) -> Iterator[tuple[str, Arrival]]:
    """Yield (join, arrival) of what the joins that are void now had taken from branches that stay as they are."""
    for join in lineage.places.values():
        if join.token_id in void and join.token_id not in lineage.dead and join.owner == place.owner:
            yield from ((join.element_id, arrival) for arrival in join.arrivals if void.isdisjoint(arrival.parents))


def _put_back(workflow: Any, join: str, arrival: Arrival) -> None:
    spec = workflow.spec.task_specs[join]
    spec._update(spawn(workflow, spec, came_from=arrival.parents, via=arrival.via))


def _forget_undoing(flow: Flow, void: set[int]) -> None:
    """What is void needs no compensation any more: who returns undoes it."""
    flow.log = [entry for entry in flow.log if entry[3] not in void]


def leaves_traces(element: ElementInfo) -> bool:
    """Whether an element does something that outlives its token: work of the house or of others, a message, a signal."""
    if element.task is not None or element.listeners:
        return True
    event = element.event
    return element.kind in ("sendTask", "receiveTask") or (event is not None and event.kind in ("message", "signal"))
