"""Put tokens where an operator wants them: end one, begin one, move one. What is not legal is refused before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.spiff.elements import ACTIVATION, AD_HOC, ElementInfo
from engine.spiff.gateways import EventGateway, Join
from engine.spiff.token import Token, spawn

if TYPE_CHECKING:
    from engine.spiff.flow import Flow


class EditKind(StrEnum):
    """What an operator does with a token."""

    MOVE = "MOVE"
    ADD = "ADD"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class TokenEdit:
    """One wish. token_id: of the token to move or cancel. element_id: where it goes, or where a new one begins."""

    kind: EditKind
    token_id: int | None = None
    element_id: str | None = None


class NotLegal(Exception):
    """A token cannot be put there, or cannot go. The message says why, and what to do instead."""


def places(flow: Flow) -> list[ElementInfo]:
    """Return the elements of the process where a token could begin now, in the order of the diagram."""
    flow.live.wake()
    found = []
    for element in flow.bundle.processes[flow.process_id].elements.values():
        try:
            _where(flow, element.id)
        except NotLegal:
            continue
        found.append(element)
    return found


def movable(flow: Flow) -> list[Token]:
    """Return the live tokens that an operator may end or move, oldest first: steps, and what is open around steps as a whole."""
    found = []
    for token in flow.live.values():
        try:
            found.append(_goes(flow, token.id))
        except NotLegal:
            continue
    return found


def modify(flow: Flow, edits: Sequence[TokenEdit]) -> None:
    """Carry out some edits in their order, then let the flow run until it rests. Raises: NotLegal, and the flow is then to be thrown away.

    A move ends its token and begins one at the other place, which comes from it. Where several edits belong together, such as
    to end both branches and go on behind their join, the flow rests in between.
    """
    if not edits:
        raise NotLegal("Expected at least one edit, but there is none.")
    flow.live.wake()
    for place, source in [_prepared(flow, edit) for edit in edits]:
        if place is not None:
            _refuse_closed(flow, place)
            _begin(place, source)
    _refuse_emptied(flow)
    flow.run()


class _Place(NamedTuple):
    """Where a token may begin: a process or sub-process, and the spec; chosen: of an ad-hoc one, the element to begin."""

    workflow: Any
    spec: Any
    chosen: str | None = None


def _prepared(flow: Flow, edit: TokenEdit) -> tuple[_Place | None, int | None]:
    """End the token of an edit, and return where one begins and the token it comes from."""
    token = _goes(flow, edit.token_id) if edit.kind is not EditKind.ADD else None
    place = _where(flow, edit.element_id or "", moving=token) if edit.kind is not EditKind.CANCEL else None
    if place is not None and token is not None and token.workflow is not place.workflow:
        _refuse_own_inside(token, place.workflow, edit.element_id or "")
        _refuse_last(token)
    if token is not None:
        token.cancel()
    return place, token.id if token is not None else None


def _refuse_closed(flow: Flow, place: _Place) -> None:
    """Refuse to begin something in what another of the edits ends."""
    owner = None if place.workflow is flow else place.workflow.owner
    if owner is not None and flow.subprocesses.get(owner.id) is not place.workflow:
        raise NotLegal(
            f'Expected "{_words(owner.element)}" to stay open, in which something is to begin, but another of these edits ends it.'
        )


def _begin(place: _Place, source: int | None) -> None:
    if place.chosen is not None:
        place.workflow.owner.task_spec.activate(place.workflow.owner, place.chosen)
        return
    began = spawn(place.workflow, place.spec, came_from=(source,) if source is not None else ())
    if isinstance(place.spec, Join):
        began.internal_data["arrivals"] = []  # It goes on behind the gateway, and waits for nobody.
    place.spec._update(began)


def _where(flow: Flow, element_id: str, *, moving: Token | None = None) -> _Place:
    process = flow.bundle.processes[flow.process_id]
    element = process.elements.get(element_id)
    if element is None:
        raise NotLegal(f'Expected an element of "{process.name or process.id}", but {element_id or "nothing"} is none.')
    _refuse_kind(element, process.handlers.values())
    if moving is not None and _is_activation(moving.workflow) and element_id in moving.workflow.spec.task_specs:
        return _Place(moving.workflow, moving.workflow.spec.task_specs[element_id])  # It stays within what was chosen.
    workflow = flow if element.parent_id == process.id else _open_inside(flow, element)
    if workflow.is_interrupted:
        raise NotLegal(
            f'Expected "{_words(element)}" to be able to begin, but an event sub-process runs instead of everything around it.'
        )
    box = process.elements.get(element.parent_id)
    if box is not None and box.kind == AD_HOC:
        if element_id not in process.choices(box.id):
            raise NotLegal(
                f'Expected what may be chosen in "{_words(box)}", but "{_words(element)}" comes behind something else; add a'
                " token there, or move one that is on its way."
            )
        return _Place(workflow, None, element_id)
    spec = workflow.spec.task_specs.get(element_id)
    if spec is None:
        raise NotLegal(f'Expected "{_words(element)}" to be on a way, but no sequence flow leads there.')
    return _Place(workflow, spec)


def _is_activation(workflow: Any) -> bool:
    owner = getattr(workflow, "owner", None)
    return owner is not None and owner.element.kind == ACTIVATION


def _refuse_kind(element: ElementInfo, handlers: Any) -> None:
    name = _words(element)
    if element.kind == "startEvent":
        raise NotLegal(f'Expected a step, but "{name}" is where a run begins; choose the step behind it.')
    if element.attached_to is not None:
        raise NotLegal(
            f'Expected a step, but "{name}" waits beside {element.attached_to}, and happens by itself; choose the step behind it.'
        )
    if element.is_event_subprocess:
        raise NotLegal(f'Expected a step, but "{name}" begins by its event; choose a step outside.')
    if element.id in handlers or element.is_for_compensation:
        raise NotLegal(f'Expected a step, but "{name}" undoes another one and runs only when that is undone.')


def _open_inside(flow: Flow, element: ElementInfo) -> Any:
    """Return the running sub-process that an element stands in, if it is just one and not one of several."""
    box = flow.bundle.processes[flow.process_id].elements[element.parent_id]
    inside = [
        sub
        for sub in flow.subprocesses.values()
        if sub.key is None
        and sub.bundle is flow.bundle
        and sub.owner.element is box
        and not _is_of_a_call(flow, sub)
        and "is_shell" not in sub.owner.internal_data
    ]
    name, around = _words(element), _words(box)
    if not inside:
        how = (
            "by its event" if box.is_event_subprocess else f'by a token at "{around}" itself, which begins at its start'
        )
        raise NotLegal(f'Expected "{around}" to be open, in which "{name}" stands, but it is not; it is opened {how}.')
    if len(inside) > 1 or inside[0].owner.body is not None:
        raise NotLegal(
            f'Expected one place for "{name}", but "{around}" is done several times (multi-instance); move a token that is'
            " inside one of them by returning its task, or put a token at the whole."
        )
    return inside[0]


def _is_of_a_call(flow: Flow, sub: Any) -> bool:
    while getattr(sub, "owner", None) is not None:
        if sub.key is not None:
            return True
        sub = sub.owner.workflow
    return False


def _goes(flow: Flow, token_id: int | None) -> Token:
    token = flow.live.get(token_id) if token_id is not None else None
    if token is None:
        raise NotLegal(f"Expected a token that is there, but {token_id} is not; reload the page.")
    name = _words(token.element)
    if token.body is not None:
        raise NotLegal(
            f'Expected a whole step, but this is one of several of "{name}" (multi-instance); choose "{name}" as a whole'
            f" (token {token.body.id})."
        )
    if token.id in token.workflow.listeners or isinstance(getattr(token.parent, "task_spec", None), EventGateway):
        raise NotLegal(f'Expected a step, but "{name}" only waits beside others; it ends with what it belongs to.')
    if token.parent is not token.workflow.task_tree:
        raise NotLegal(
            f'Expected a step, but "{name}" only waits beside "{_words(token.parent.element)}"; it ends with it.'
        )
    if {"todo", "undoes"} & token.internal_data.keys() or _undoes(token):
        raise NotLegal(
            f'Expected a step that may end, but "{name}" is undoing what was done; let that come to its end.'
        )
    return token


def _undoes(token: Token) -> bool:
    """Say whether a token stands in a sub-process that was opened again only to undo what was done in it."""
    workflow = token.workflow
    while workflow is not token.flow:
        if "is_shell" in workflow.owner.internal_data:
            return True
        workflow = workflow.owner.workflow
    return False


def _refuse_own_inside(token: Token, workflow: Any, element_id: str) -> None:
    while workflow is not token.flow:
        if workflow.owner in (token, *token.children):
            name = _words(token.element)
            raise NotLegal(
                f'Expected a place outside "{name}", but "{element_id}" lies inside it and would end with it; move what is'
                f' inside "{name}".'
            )
        workflow = workflow.owner.workflow


def _refuse_last(token: Token) -> None:
    workflow = token.workflow
    if workflow is not token.flow and _stays(workflow) <= 1 and not _may_be_empty(workflow):
        around = _words(workflow.owner.element)
        raise NotLegal(
            f'Expected something to stay in "{around}", but "{_words(token.element)}" is the last in it;'
            f' move "{around}" as a whole.'
        )


def _refuse_emptied(flow: Flow) -> None:
    for workflow in _running(flow):
        if _stays(workflow) == 0 and not _may_be_empty(workflow):
            if workflow is flow:
                raise NotLegal(
                    "Expected something to stay, but this was the last token; cancel the run, or move the token."
                )
            raise NotLegal(
                f'Expected something to stay in "{_words(workflow.owner.element)}", but this was the last token in it;'
                f' end or move "{_words(workflow.owner.element)}" as a whole (token {(workflow.owner.body or workflow.owner).id}).'
            )


def _running(flow: Flow) -> Iterator[Any]:
    yield flow
    yield from flow.subprocesses.values()


def _may_be_empty(workflow: Any) -> bool:
    """Say whether it stays open until somebody begins something in it."""
    owner = getattr(workflow, "owner", None)
    return owner is not None and bool(owner.task_spec.is_open_when_empty)


def _stays(workflow: Any) -> int:
    """Count what keeps a process or sub-process alive."""
    return len(workflow.tasks) - 1 - len(workflow.listeners)


def _words(element: ElementInfo) -> str:
    return element.name or element.id
