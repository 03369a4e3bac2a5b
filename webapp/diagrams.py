"""Where a run stands, for painting its diagram: tokens, what is done, and which called process to look into."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from engine import definitions, instances
from engine.stored.instance import Instance
from webapp import formats, visit

KINDS = {
    "task": "waits for a person", "job": "works", "message": "waits for a message", "timer": "waits for a time",
    "signal": "waits for a signal", "conditional": "waits for a condition",
}  # fmt: skip


def tokens_of(session: Session, instance: Instance) -> list[dict[str, Any]]:
    """Return the tokens in words, listeners left out: they wait beside something that is painted already."""
    processes = definitions.parsed(session, instance.definition_id).bundle.processes
    return [_token(token, processes) for token in instances.live_tokens(session, instance) if not token.is_listener]


def state_of(session: Session, instance: Instance) -> dict[str, Any]:
    """Return tokens, done elements and the processes of a run; a token in a called process also marks the call."""
    processes = definitions.parsed(session, instance.definition_id).bundle.processes
    done = {
        (step.process_id, step.element_id)
        for step in instances.history(session, instance.id)
        if step.outcome == "completed"
    }
    tokens = tokens_of(session, instance)
    inside: dict[str, int] = {}
    for token in tokens:
        inside[token["process"]] = inside.get(token["process"], 0) + 1
    for process_id, count in list(inside.items()):
        tokens += _calls(process_id, count, instance.process_id, processes, done)
    return {
        "done": [{"process": process_id, "element": element_id} for process_id, element_id in sorted(done)],
        "tokens": tokens,
        "processes": [
            {"id": process_id, "name": process.name or formats.words(process_id), "tokens": inside.get(process_id, 0)}
            for process_id, process in processes.items()
            if process_id == instance.process_id or inside.get(process_id)
        ],
        "main": instance.process_id,
    }


def _token(token: Any, processes: Any) -> dict[str, Any]:
    until = f" until {formats.moment(token.due_at, visit.now(), visit.visitor().how)}" if token.due_at else ""
    said = "incident" if token.incident else KINDS.get(token.kind, token.kind) + until
    process = processes.get(token.process_id)
    element = process.elements.get(token.element_id) if process is not None else None
    name = getattr(element, "name", "") or formats.words(token.element_id)
    return {
        "element": token.element_id, "process": token.process_id, "words": said, "name": name, "token": token.token_id,
        "title": token.incident or f"{name} {said}", "incident": bool(token.incident),
    }  # fmt: skip


def _calls(process_id: str, count: int, main: str, processes: Any, done: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return a mark on the call activity of the main process that the tokens are in: the first that is not done yet."""
    calling = [
        element
        for element in processes[main].elements.values()
        if process_id != main and element.called is not None and element.called.process_id.text == process_id
    ]
    waiting = [element for element in calling if (main, element.id) not in done] or calling
    return [
        {
            "element": element.id, "process": main, "words": f"{count} inside", "name": element.name, "token": None, "inside": process_id,
            "title": f"{formats.plural(count, 'token')} in {processes[process_id].name or process_id}", "incident": False,
        }
        for element in waiting[:1]
    ]  # fmt: skip
