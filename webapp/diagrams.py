"""Where a run stands, for painting its diagram: tokens, what is done, and which called process to look into."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import definitions, instances, waiting
from engine.stored.definition import Definition, DefinitionFile
from engine.stored.instance import Instance, InstanceStatus
from engine.waiting import Inside, LiveToken
from webapp import formats, visit

MAIN = ""
"""The key of the view of the main process; that of a call is the call's token."""

MOST_DRAWN = 2_000
"""Shapes and lines that a page draws by itself; of a larger diagram it says how large it is and asks.

Measured in Chromium on two cores that others kept busy: 2,000 took 1.8 s (0.8 s of processor), 4,000 took 3.3 s (1.3), and
10,000 took 12.8 s (3.2). Meanwhile the page does not answer.
"""

MOST_MARKS = 3
"""Marks on one element of the diagram; more are counted, since they stand one above the other."""

DRAWN = re.compile(rb"<(?:[\w.-]+:)?BPMN(?:Shape|Edge)[\s>]")

KINDS = {
    "task": "waits for a person", "job": "works", "message": "waits for a message", "timer": "waits for a time",
    "signal": "waits for a signal", "conditional": "waits for a condition", "activation": "waits for a choice",
}  # fmt: skip


def tokens_of(session: Session, instance: Instance) -> list[dict[str, Any]]:
    """Return the tokens in words, listeners left out: they wait beside something that is painted already."""
    live = [token for token in instances.live_tokens(session, instance) if not token.is_listener]
    processes = _processes(session, instance, live)
    return [_token(token, processes) for token in live]


def _processes(session: Session, instance: Instance, live: Sequence[LiveToken]) -> Mapping[str, Any]:
    """Return the processes that tokens are in: those of the run's own bundle, and those deployed apart that it called."""
    own = definitions.parsed(session, instance.definition_id).bundle.processes
    inside = {token.process_id for token in live} | {
        str(one.called) for token in live for one in token.around if one.called
    }
    if inside <= own.keys():
        return own
    found = dict(own)
    for process_id, definition_id in waiting.called_definitions(session, instance).items():
        found.setdefault(process_id, definitions.parsed(session, definition_id).bundle.processes[process_id])
    return found


def drawing_of(session: Session, instance: Instance, called: str) -> bytes | None:
    """Return the file that draws the main process of a run, or one that it called: of its bundle, else as it was deployed apart."""
    definition = session.get_one(Definition, instance.definition_id)
    own = DefinitionFile.path == definition.main_file if not called else DefinitionFile.key == called
    wanted = select(DefinitionFile.content).where(DefinitionFile.kind == "process", own)
    found = session.scalars(wanted.where(DefinitionFile.definition_id == definition.id)).first()
    if found is None and called and instance.status == InstanceStatus.RUNNING:
        apart = waiting.called_definitions(session, instance).get(called)
        found = session.scalars(wanted.where(DefinitionFile.definition_id == apart)).first()
    return found


def is_drawn(session: Session, definition: Definition) -> bool:
    """Say whether a diagram says where its elements are drawn; one that a program wrote need not."""
    return bool(sizes_of(session, definition)[definition.process_id])


def sizes_of(session: Session, definition: Definition) -> dict[str, int]:
    """Return how many shapes and lines the diagram of each process of a bundle draws: main and called ones, by process id."""
    wanted = select(DefinitionFile.key, DefinitionFile.path, DefinitionFile.content).where(
        DefinitionFile.definition_id == definition.id, DefinitionFile.kind == "process"
    )
    sizes = {definition.process_id: 0}
    for key, path, content in session.execute(wanted):
        drawn = len(DRAWN.findall(content))
        sizes |= {key: drawn} | ({definition.process_id: drawn} if path == definition.main_file else {})
    return sizes


def state_of(session: Session, instance: Instance) -> dict[str, Any]:
    """Return tokens, done elements and views of a run. A view is the main process, or one call that tokens are in.

    Two calls of one process are two views, each with its own tokens and steps; the call is marked in the view it stands in.
    """
    live = instances.live_tokens(session, instance)
    processes = _processes(session, instance, live)
    main = _view(MAIN, instance.process_id, _name_of(processes, instance.process_id), [])
    views, marks, tokens = {MAIN: main}, dict[str, dict[str, Any]](), []
    for token in live:
        if token.is_listener or token.element_id == token.process_id:
            continue  # The process itself, whose listeners are called before it ends, is drawn nowhere.
        shown = _token(token, processes)
        view = MAIN
        for key, named, call in _calls(token.around):
            if key not in views:
                crumbs = [*views[view]["crumbs"], {"view": view, "words": views[view]["name"]}, *named]
                views[key] = _view(key, str(call.called), call.name, crumbs)
                marks[key] = _mark(call, view, key, named)
            views[key]["tokens"] += 1
            view = key
        tokens.append(shown | {"view": view, "words": _with_names(shown["words"], _names_within(token.around))})
    for key, mark in marks.items():
        count = views[key]["tokens"]
        mark["words"] = _with_names(f"{count} inside", mark.pop("named"))
        mark["title"] = f"{formats.plural(count, 'token')} in {mark['name']}"
    return {
        "done": _done(session, instance, views),
        "tokens": [*_together(tokens), *_together(marks.values())],
        "views": list(views.values()),
        "most": MOST_DRAWN,
        "sizes": sizes_of(session, session.get_one(Definition, instance.definition_id)),
    }


def _together(marks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the marks, those on an element that has too many as one that counts them; of calls the first few stay to look into."""
    on_element: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for mark in marks:
        on_element.setdefault((mark["view"], mark["element"]), []).append(mark)
    for found in on_element.values():
        stays = len(found) if len(found) <= MOST_MARKS else MOST_MARKS - 1 if found[0].get("inside") else 0
        yield from found[:stays]
        if rest := found[stays:]:
            yield rest[0] | {"token": None, "inside": None} | _counted(rest, is_rest=bool(stays))


def _counted(rest: Sequence[dict[str, Any]], *, is_rest: bool) -> dict[str, Any]:
    """Return what one mark says of many: how many there are, what they do, and how many of them are stuck."""
    count, stuck = formats.number(len(rest), 0, visit.visitor().how), sum(mark["incident"] for mark in rest)
    if is_rest:
        said = f"{count} more"
    elif stuck:
        said = f"{count}, of which {formats.plural(stuck, 'incident')}"
    else:
        kinds = {mark["kind"] for mark in rest}
        said = f"{count} × {KINDS.get(kinds.pop(), 'waits')}" if len(kinds) == 1 else count
    return {"words": said, "title": f"{rest[0]['name']}: {said}", "incident": bool(stuck)}


def _view(key: str, process_id: str, name: str, crumbs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"key": key, "process": process_id, "name": name, "crumbs": crumbs, "tokens": 0}


def _name_of(processes: Any, process_id: str) -> str:
    process = processes.get(process_id)
    return (process.name if process is not None else "") or formats.words(process_id)


def _calls(around: Sequence[Inside]) -> Iterator[tuple[str, list[dict[str, Any]], Inside]]:
    """Yield each call around a token, outermost first, with the crumbs of the instances between it and the one before."""
    named: list[dict[str, Any]] = []
    for one in around:
        if one.called is None:
            named.append({"view": None, "words": one.name})
        else:
            yield str(one.token_id), named, one
            named = []


def _names_within(around: Sequence[Inside]) -> list[str]:
    """Return the names of the instances that a token is inside of since the last call."""
    calls = [index for index, one in enumerate(around) if one.called is not None]
    return [one.name for one in around[calls[-1] + 1 if calls else 0 :]]


def _with_names(words: str, names: Sequence[str]) -> str:
    return f"{', '.join(names)}: {words}" if names else words


def _mark(call: Inside, view: str, key: str, named: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mark on a call activity that leads into what it called."""
    return {
        "element": call.element_id, "process": call.process_id, "view": view, "inside": key, "name": call.name,
        "named": [crumb["words"] for crumb in named], "token": None, "incident": False,
    }  # fmt: skip


def _done(session: Session, instance: Instance, views: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what was completed and is not void, each in the view of the call that it came from; calls that have ended are not shown."""
    came_from = instances.lineage(session, instance)
    found = set()
    history = instances.history(session, instance.id)
    void = {token for step in history if step.outcome == "returned" for token in step.parents}
    for step in history:
        if step.outcome == "completed" and step.token_id not in void:
            view = _view_of(step.token_id, step.process_id, came_from, views)
            if view is not None:
                found.add((view, step.process_id, step.element_id))
    return [{"view": view, "process": process, "element": element} for view, process, element in sorted(found)]


def _view_of(
    token_id: int, process_id: str, came_from: Mapping[int, tuple[int, ...]], views: Mapping[str, Any]
) -> str | None:
    """Return the view that a token stood in: follow where it came from up to a live call of its process, or the beginning."""
    seen: set[int] = set()
    frontier = [token_id]
    while frontier:
        one = frontier.pop()
        seen.add(one)
        view = views.get(str(one))
        if view is not None and view["process"] == process_id and one != token_id:
            return str(one)
        frontier += [parent for parent in came_from.get(one, ()) if parent not in seen]
    return MAIN if views[MAIN]["process"] == process_id else None


def _token(token: Any, processes: Any) -> dict[str, Any]:
    until = f" until {formats.moment(token.due_at, visit.now(), visit.visitor().how)}" if token.due_at else ""
    said = "incident" if token.incident else KINDS.get(token.kind, token.kind) + until
    process = processes.get(token.process_id)
    element = process.elements.get(token.element_id) if process is not None else None
    name = getattr(element, "name", "") or formats.words(token.element_id)
    return {
        "element": token.element_id, "process": token.process_id, "words": said, "name": name, "token": token.token_id,
        "title": token.incident or f"{name} {said}", "incident": bool(token.incident),
        "where": ", ".join(one.name for one in token.around), "kind": token.kind, "incident_words": token.incident or "",
    }  # fmt: skip
