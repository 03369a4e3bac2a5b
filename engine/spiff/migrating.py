"""Move a resting flow to another version of its definition: what each live token becomes there, and why one cannot.

Tokens keep their ids, their scopes and what they wait for; a timer keeps its due time. Events beside an activity (boundary
events, event sub-processes) that the other version does not have end, those that only it has begin now. A called process of
another definition stays as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from engine.spiff.arming import ARMED, arm, due_of
from engine.spiff.bundle import Bundle
from engine.spiff.compensation import inside_of
from engine.spiff.elements import ACTIVATION, ElementInfo, ProcessSpec
from engine.spiff.gateways import EventGateway, Join, Parallel
from engine.spiff.host import Host
from engine.spiff.state import dump
from engine.spiff.token import Token, spawn_armed

if TYPE_CHECKING:
    from engine.spiff.flow import Flow

CHILD = " [child]"
"""What the spec of an inner instance of a multi-instance is called after its element."""

Mapped = Mapping[str, str]
"""Element id to element id; ``process:element`` where two processes of a bundle use one id.

An empty goal is nowhere: an event beside an activity then begins anew, instead of keeping its time, if the other version has it.
"""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A live element without a place in the other version. why: empty when it is simply not there."""

    process_id: str
    element_id: str
    name: str
    why: str
    suggestion: str | None


@dataclass(slots=True)
class Judgement:
    """What moving a flow would do. blocked: reasons that no mapping removes. notes: what becomes of events beside activities.

    times: the timers that keep theirs. mapped: live elements that get another id. names: new spec name by token; dropped: tokens
    that end; via: new sequence flow of an arrival.
    """

    unplaced: list[Unplaced] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    times: list[tuple[str, dt.datetime]] = field(default_factory=list)
    mapped: dict[str, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    dropped: list[int] = field(default_factory=list)
    via: dict[int, str] = field(default_factory=dict)


class Route:
    """From the elements of one bundle to those of another: by mapping, else by the same id."""

    def __init__(self, source: Bundle, target: Bundle, mapping: Mapped) -> None:
        self.source, self.target, self.mapping = source, target, mapping

    def named(self, process_id: str, element_id: str) -> str:
        """Return the id that an element is to have, whether there is such an element or not."""
        return self.mapping.get(f"{process_id}:{element_id}", self.mapping.get(element_id, element_id))

    def of(self, element: ElementInfo) -> tuple[ElementInfo | None, str]:
        """Return the element that takes another one's place, or None and why not (empty when it is not there)."""
        process = self.target.processes.get(element.process_id)
        found = process.elements.get(self.named(element.process_id, element.id)) if process is not None else None
        if found is None:
            return None, ""
        why = self._why_other(element, found)
        return (None, why) if why else (found, "")

    def elements(self) -> dict[str, str]:
        """Return every element that has a place in the other version, as ``process:element``."""
        return {
            f"{process.id}:{element.id}": found.id
            for process in self.source.processes.values()
            for element in process.elements.values()
            if (found := self.of(element)[0]) is not None
        }

    def suggest(self, element: ElementInfo) -> str | None:
        """Return an element of the same kind and name that the other version has anew, if there is just one."""
        process = self.target.processes.get(element.process_id)
        known = self.source.processes[element.process_id].elements
        taken = set(self.mapping.values())
        alike = [
            one.id
            for one in (process.elements.values() if process is not None else ())
            if one.id not in known and one.id not in taken and not self._why_other(element, one)
        ]
        same_name = [one for one in alike if process is not None and _name(process.elements[one]) == _name(element)]
        return same_name[0] if len(same_name) == 1 else alike[0] if len(alike) == 1 and not same_name else None

    def _why_other(self, old: ElementInfo, new: ElementInfo) -> str:
        if old.kind != new.kind or old.is_event_subprocess != new.is_event_subprocess:
            return f'"{_name(new)}" is a {_words(new.kind)}, not a {_words(old.kind)}'
        if _loop(old) != _loop(new):
            return f'"{_name(new)}" is {_loop(new)}, and was {_loop(old)}'
        was, now = self._event(self.source, old), self._event(self.target, new)
        if was != now:
            return f'"{_name(new)}" waits for a {now or "nothing"}, not for a {was or "nothing"}'
        if self._around(old) != new.parent_id:
            return f'"{_name(new)}" stands elsewhere: in {new.parent_id}'
        if old.attached_to is not None and self.named(old.process_id, old.attached_to) != new.attached_to:
            return f'"{_name(new)}" stands on another activity: {new.attached_to}'
        return ""

    def _around(self, element: ElementInfo) -> str:
        at_top = element.parent_id == element.process_id
        return element.parent_id if at_top else self.named(element.process_id, element.parent_id)

    @staticmethod
    def _event(bundle: Bundle, element: ElementInfo) -> str | None:
        if element.is_event_subprocess:
            inside = bundle.processes[element.process_id].elements.values()
            element = next(one for one in inside if one.parent_id == element.id and one.kind == "startEvent")
        return element.event.kind if element.event is not None else None


def judge(flow: Flow, target: Bundle, mapping: Mapped) -> Judgement:
    """Say what would become of each live token, and what stands in the way. The flow stays as it is."""
    found = Judgement()
    route = Route(flow.bundle, target, mapping)
    for token in _own(flow):
        _place(found, route, token)
    if found.unplaced:
        found.notes.clear()
        found.times.clear()  # What becomes of events beside a step is known once the step has its place.
        return found
    for token in _own(flow):
        _check_join(found, route, token)
        _check_choice(found, route, token)
        if "hears" in token.internal_data:
            found.blocked.append(
                f'"{_name(token.element)}" waits for a listener just now; wait until that has answered'
            )
        if {"todo", "undoes"} & token.internal_data.keys():
            found.blocked.append(f'"{_name(token.element)}" is undoing what was done just now; wait until that is over')
    _check_compensation(found, flow, route)
    if not found.blocked:
        _check_hanging(found, flow, target)
        _note_new_events(found, flow, route)
    return found


def relocate(
    flow: Flow,
    target: Bundle,
    judgement: Judgement,
    host: Host,
    *,
    mapping: Mapped,
    stored: Mapping[tuple[int, str], bytes],
) -> Flow:
    """Return the flow in the other version, with new events beside its activities armed. Nothing has run yet.

    judgement: of ``judge``, with nothing unplaced or blocked. flow: thrown away afterwards. stored: the variables it was
    loaded with. Raises: Incident when a new event cannot say what it waits for.
    """
    route = Route(flow.bundle, target, mapping)
    images = set(route.elements().values())
    for token_id in judgement.dropped:
        if token_id in flow.live:
            flow.live[token_id].cancel()
    moved = type(flow).load(target, _translated(flow, judgement, route), stored, host)
    for token in _own(moved):
        _complete(moved, token, images)
    for workflow in _workflows(moved):
        for spec in workflow.spec.event_subprocesses:
            if spec.is_armed and spec.element.id not in images and not workflow.is_interrupted:
                spec.listen(workflow, arm(spec.event, moved.view_of(workflow.scope_id), host))
    return moved


def _own(flow: Flow) -> list[Token]:
    """Return the live tokens in the processes of the flow's own bundle, not those in another definition that it called."""
    return [token for token in flow.live.values() if token.workflow.bundle is flow.bundle]


def _workflows(flow: Flow) -> Iterator[Any]:
    yield flow
    yield from (sub for sub in flow.subprocesses.values() if sub.bundle is flow.bundle)


def _is_beside(token: Token) -> bool:
    """Whether a token only waits for something to happen beside an activity or a process."""
    if token.id in token.workflow.listeners:
        return True
    return token.element.attached_to is not None and "fired" not in token.internal_data


def _drawn(token: Token) -> ElementInfo:
    """Return what is drawn of a token: of something chosen in an ad-hoc sub-process, that as a whole."""
    element: ElementInfo = token.workflow.owner.element if token.element.kind == ACTIVATION else token.element
    return element


def _place(found: Judgement, route: Route, token: Token) -> None:
    element, data = _drawn(token), token.internal_data
    if element.kind == "process":
        if route.target.specs[element.process_id].ending is None:
            found.blocked.append(
                f'"{_name(element)}" is ending, and the other version calls nobody then; let it end first'
            )
        return
    new, why = route.of(element)
    if new is None and _is_beside(token):
        found.dropped.append(token.id)
        is_nowhere = not route.named(element.process_id, element.id)
        found.notes.append(
            f'"{_name(element)}" ends: {"as asked" if is_nowhere else why or "the other version does not have it"}.'
        )
        return
    if new is None:
        found.unplaced.append(Unplaced(element.process_id, element.id, _name(element), why, route.suggest(element)))
        return
    found.names[token.id] = new.id + (CHILD if token.body is not None else "")
    if new.id != element.id:
        found.mapped[element.id] = new.id
    if "due" in data and token.task_spec.is_armed and "fired" not in data:
        found.times.append((_name(new), due_of(data)))
    if element.task is not None and new.task is not None and element.task.type.text != new.task.type.text:
        found.notes.append(f'"{_name(new)}": the job that waits is still done as {element.task.type.text}.')
    if (
        element.called is not None
        and new.called is not None
        and element.called.process_id.text != new.called.process_id.text
    ):
        found.notes.append(f'"{_name(new)}": what it called goes on as {element.called.process_id.text}.')
    if _hears_else(element, new) and "name" in data and "fired" not in data:
        key = f" {data['key']}" if data.get("key") else ""
        found.notes.append(f'"{_name(new)}" goes on waiting for {data["name"]}{key}.')


def _hears_else(element: ElementInfo, new: ElementInfo) -> bool:
    """Say whether an element waits for another message or signal in the other version, or by another key."""
    old, other = element.event, new.event
    if old is None or other is None:
        return False
    pairs = ((old.name, other.name), (old.key, other.key))
    return any((one.text if one else "") != (two.text if two else "") for one, two in pairs)


def _check_join(found: Judgement, route: Route, token: Token) -> None:
    """An arrival waits for the others: the join must wait for the same ones there."""
    spec = token.task_spec
    if not (isinstance(spec, Join) and spec.joins and "arrivals" not in token.internal_data):
        return
    old, new = route.source.processes[token.element.process_id], route.target.processes[token.element.process_id]
    join = new.elements[found.names[token.id]]
    waited = {flow: _same_way(route, old, new, flow, join) for flow in spec.incoming}
    lost = [flow for flow, image in waited.items() if image is None]
    added = set(join.incoming) - set(waited.values())
    if lost or added:
        ways = [_name(old.elements[old.flows[flow].source]) for flow in lost]
        ways += [_name(new.elements[new.flows[flow].source]) for flow in sorted(added)]
        found.blocked.append(
            f'the join "{_name(join)}" is half reached, and waits for other ways there ({", ".join(dict.fromkeys(ways))});'
            " say where they go, let it be reached by all, or cancel what waits there, first"
        )
        return
    found.via[token.id] = waited[token.internal_data["via"]] or ""


def _same_way(route: Route, old: ProcessSpec, new: ProcessSpec, flow_id: str, join: ElementInfo) -> str | None:
    """Return the sequence flow that leads to a join from the same element."""
    if flow_id in join.incoming and flow_id in new.flows:
        return flow_id
    source = route.named(old.id, old.flows[flow_id].source)
    ways = [flow for flow in join.incoming if flow in new.flows and new.flows[flow].source == source]
    return ways[0] if len(ways) == 1 else None


def _check_choice(found: Judgement, route: Route, token: Token) -> None:
    """An event-based gateway waits for a choice of events: it must be the same choice there."""
    if not isinstance(token.task_spec, EventGateway) or not token.children:
        return
    process = route.target.processes[token.element.process_id]
    gateway = process.elements[found.names[token.id]]
    offered = {process.flows[flow].target for flow in gateway.outgoing if flow in process.flows}
    waiting = {found.names[child.id] for child in token.children}
    if offered != waiting:
        other = ", ".join(_name(process.elements[one]) for one in sorted(offered ^ waiting) if one in process.elements)
        found.blocked.append(
            f'"{_name(gateway)}" already waits for a choice of events, and offers another one: {other}'
        )


def _check_compensation(found: Judgement, flow: Flow, route: Route) -> None:
    """What would undo a completed activity must be there too."""
    for owner, path, activity, *_ in flow.log:
        process_id = _home(flow, owner)
        process = route.target.processes.get(process_id) if process_id is not None else None
        if process_id is None or process is None:
            continue
        names = [route.named(process_id, one) for one in (*(inside_of(step)[0] for step in path), activity)]
        if names[-1] not in process.handlers or any(one not in process.elements for one in names):
            found.blocked.append(f'what undoes "{activity}" is kept, and the other version does not have it')


def _check_hanging(found: Judgement, flow: Flow, target: Bundle) -> None:
    """A join that some tokens can reach must be reachable along each of its ways, or it would wait for ever."""
    for workflow in _workflows(flow):
        process = _process_of(workflow, flow, target)
        tokens = [token for token in workflow.tasks.values() if token.id in found.names]
        if process is None or not tokens:
            continue
        specs = _spec_of(workflow, flow, target, found).task_specs
        places = {found.names[token.id].removesuffix(CHILD) for token in tokens if token.id not in found.via}
        for name, spec in specs.items():
            if isinstance(spec, Parallel) and spec.joins:
                here = {
                    found.via[token.id] for token in tokens if found.names[token.id] == name and token.id in found.via
                }
                others = {found.names[token.id] for token in tokens if token.id in found.via} - {name}
                reached = _reached(specs, places | others, without=name)
                full = {way for way in spec.incoming if way in here or process.flows[way].source in reached}
                if full and full != set(spec.incoming):
                    missing = [
                        _name(process.elements[process.flows[way].source]) for way in spec.incoming if way not in full
                    ]
                    found.blocked.append(
                        f'the join "{_name(spec.element)}" would wait for ever: nothing is on its way along'
                        f" {', '.join(missing)}"
                    )


def _process_of(workflow: Any, flow: Flow, target: Bundle) -> ProcessSpec | None:
    while getattr(workflow, "owner", None) is not None and workflow.key is None:
        workflow = workflow.owner.workflow
    process_id = flow.process_id if workflow is flow else workflow.spec.name
    return target.processes.get(process_id)


def _spec_of(workflow: Any, flow: Flow, target: Bundle, found: Judgement) -> Any:
    """Return what a process or sub-process runs by in the other version."""
    if workflow is flow:
        return target.specs[flow.process_id]
    if workflow.key is not None:
        return target.specs[workflow.spec.name]
    outer = _spec_of(workflow.owner.workflow, flow, target, found)
    return outer.subs[found.names[workflow.owner.id].removesuffix(CHILD)]


def _reached(specs: Mapping[str, Any], places: set[str], *, without: str) -> set[str]:
    reached, frontier = set(places), list(places)
    while frontier:
        spec = specs.get(frontier.pop())
        following = [path.target for path in getattr(spec, "paths", ())]
        following += [one.name for one in getattr(spec, "boundaries", ())]
        fresh = {one for one in following if one not in reached and one != without}
        reached |= fresh
        frontier.extend(fresh)
    return reached


def _note_new_events(found: Judgement, flow: Flow, route: Route) -> None:
    """Tell which boundary events begin to wait: only the other version has them."""
    images = set(route.elements().values())
    active = {
        (token.element.process_id, found.names[token.id].removesuffix(CHILD))
        for token in _own(flow)
        if token.id in found.names and "in" in token.internal_data
    }
    for process in route.target.processes.values():
        for element in process.elements.values():
            is_new = element.attached_to is not None and element.id not in images
            if is_new and (process.id, element.attached_to) in active and element.event and element.event.kind in ARMED:
                found.notes.append(f'"{_name(element)}" begins to wait now.')


def _translated(flow: Flow, judgement: Judgement, route: Route) -> bytes:
    """Return the state of the flow with the names of the other version."""
    row = orjson.loads(dump(flow, is_awake=True))
    _rename(row[6], judgement)
    for sub in row[7]:
        _rename(sub[4], judgement)
    for entry in row[8]:
        process_id = _home(flow, entry[0])
        if process_id is not None:
            steps = [inside_of(step) for step in entry[1]]
            entry[1] = [[route.named(process_id, one), variables] for one, variables in steps]
            entry[2] = route.named(process_id, entry[2])
    return orjson.dumps(row)


def _home(flow: Flow, owner: int) -> str | None:
    """Return the process of the flow's own bundle that a note of the compensation log belongs to, None for another definition's."""
    if not owner:
        return flow.process_id
    sub = flow.subprocesses[owner]
    if sub.bundle is not flow.bundle:
        return None
    return str(sub.spec.name) if sub.key is not None else flow.live[owner].element.process_id


def _rename(tokens: list[list[Any]], judgement: Judgement) -> None:
    for token in tokens:
        token[3] = judgement.names.get(token[0], token[3])
        if token[0] in judgement.via:
            token[4]["via"] = judgement.via[token[0]]


def _complete(flow: Flow, token: Token, images: set[str]) -> None:
    """Give a token what only the other version wants of it: a scope for its mappings, new events beside it."""
    if "in" not in token.internal_data:
        return
    element = token.element
    if (element.inputs or element.outputs) and token.id not in flow.scopes and not token.task_spec.is_body:
        flow.scopes.open(token.id, token.container)
    for spec in token.task_spec.boundaries:
        if spec.is_armed and spec.element.id not in images:
            data = arm(spec.event, token.view(), flow.host)
            spawn_armed(token.workflow, spec, came_from=(token.id,), parent=token, **data)


def _name(element: ElementInfo) -> str:
    return element.name or element.id


def _loop(element: ElementInfo) -> str:
    if element.loop is None:
        return "done once"
    return "done one after the other" if element.loop.is_sequential else "done side by side"


def _words(kind: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind)
