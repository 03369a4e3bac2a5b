"""An endpoint: its address, scope, shapes and refusals in one place, for the answer and for the documentation.

A reading endpoint returns what its schema shows. A writing one does its work in an act and returns what the answer is about
(``subject``); the answer is rendered from that after the commit, so that a repeated request can be answered without its work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Response, request
from marshmallow import Schema

from engine.canonical import canonical
from webapp import rights, visit
from webapp.api import bodies, callers, operation_rights, problems, repeats, shapes
from webapp.long_poll import Patience

LARGEST_BODY = 1_000_000
LARGEST_BUNDLE = 8_000_000

blueprint = Blueprint(
    "api",
    __name__,
    url_prefix="/api/v1",
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)
problems.install(blueprint)
blueprint.before_request(callers.recognise)

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation.

    media: of an answer that is no JSON; match: whether If-Match is needed; person: whether only people may; is_kept: whether the
    answer is kept for a request that comes again. One that shows a secret is not: it is made again without it. patience: for what
    may wait until there is something to do, how; without it the work is done at once.
    """

    name: str
    method: str
    path: str
    scope: str
    summary: str
    view: View
    answer: type[Schema] | None
    query: type[Schema] = shapes.Nothing
    body: type[Schema] | None = None
    status: int = 200
    etag: Callable[[Any], str] | None = None
    render: Callable[..., Any] | None = None
    match: bool = False
    person: bool = False
    is_kept: bool = True
    media: Sequence[str] = ("application/json",)
    largest: int = LARGEST_BODY
    patience: Callable[[dict[str, Any]], Patience] | None = None

    @property
    def refusals(self) -> list[int]:
        """The statuses of its problems."""
        found = {401, 403, 422, 429, 503}
        if "<" in self.path:
            found.add(404)
        if self.method != "GET":
            found |= {404, 409, 413}
        if self.body is not None:
            found |= {400, 415}
        if self.etag is not None and self.method == "GET":
            found.add(412)
        if self.match:
            found |= {412, 428}
        return sorted(found)


ENDPOINTS: list[Endpoint] = []


def reads(path: str, *, scope: str, summary: str, answer: type[Schema] | None, **more: Any) -> Callable[[View], View]:
    """Register a function that reads. It gets the path's values and, with a query schema, the query by name."""
    return _registering("GET", path, scope=scope, summary=summary, answer=answer, **more)


def writes(
    method: str, path: str, *, scope: str, summary: str, answer: type[Schema], **more: Any
) -> Callable[[View], View]:
    """Register a function that writes: ``view(act, body, **path)`` returns the subject that ``render(subject)`` answers for."""
    return _registering(method, path, scope=scope, summary=summary, answer=answer, **more)


def _registering(method: str, path: str, **more: Any) -> Callable[[View], View]:
    def register(view: View) -> View:
        endpoint = Endpoint(name=view.__name__, method=method, path=path, view=view, **more)
        ENDPOINTS.append(endpoint)
        handler = _reading(endpoint) if method == "GET" else _writing(endpoint)
        blueprint.add_url_rule(path, endpoint.name, handler, methods=[method])
        return view

    return register


def _reading(endpoint: Endpoint) -> Callable[..., Response]:
    def handle(**path: str) -> Response:
        callers.count()
        _let_in(endpoint, path)
        given = bodies.query(endpoint.query)
        found = endpoint.view(**path, **given)
        return found if isinstance(found, Response) else _answer(endpoint, found)

    return handle


def _writing(endpoint: Endpoint) -> Callable[..., Response]:
    def handle(**path: str) -> Response:
        request.max_content_length = endpoint.largest
        callers.count()
        caller = _let_in(endpoint, path)
        bodies.query(endpoint.query)
        given = bodies.body(endpoint.body) if endpoint.body is not None else {}
        repeat = repeats.of_request(caller.principal) if endpoint.method == "POST" else None
        patience = endpoint.patience(given) if endpoint.patience is not None else None
        if repeat is None:
            return _rendered(endpoint, _subject(endpoint, given, path, patience))
        if patience is not None:
            _wait(endpoint, path, patience)
        return repeat.answered(
            lambda act: endpoint.view(act, given, **path),
            lambda subject: _rendered(endpoint, subject),
            is_kept=endpoint.is_kept,
        )

    return handle


def _subject(endpoint: Endpoint, given: dict[str, Any], path: dict[str, str], patience: Patience | None) -> Any:
    """Do the work; where something was there and somebody else was faster, wait on while there is time."""
    while True:
        if patience is not None and not _wait(endpoint, path, patience):
            return []
        with callers.acting() as act:
            subject = endpoint.view(act, given, **path)
        if patience is None or subject:
            return subject


def _wait(endpoint: Endpoint, path: Mapping[str, str], patience: Patience) -> bool:
    """Wait until there is something to do, and ask anew who calls: a key or a role may have ended meanwhile."""
    is_there = patience.wait()
    callers.recognise()
    _let_in(endpoint, path)
    return is_there


def _let_in(endpoint: Endpoint, path: Mapping[str, str]) -> callers.Caller:
    """Refuse whoever may not ask this, before a body is read. An adapter has its scopes alone: it holds no roles."""
    caller = callers.need(endpoint.scope)
    if endpoint.person:
        callers.need_person()
    if caller.user_id is not None:
        rights.need(operation_rights.of_operation(endpoint.name, endpoint.method), path)
    return caller


def _rendered(endpoint: Endpoint, subject: Any) -> Response:
    visit.let_go()
    assert endpoint.render is not None
    return _answer(endpoint, endpoint.render(subject))


def _answer(endpoint: Endpoint, found: Any) -> Response:
    assert endpoint.answer is not None
    response = Response(
        orjson.dumps(shapes.kept(endpoint.answer).dump(found), default=_as_json),
        endpoint.status,
        mimetype="application/json",
    )
    if endpoint.etag is not None:
        response.set_etag(endpoint.etag(found))
        if (
            endpoint.method == "GET"
            and response.make_conditional(request).status_code == HTTPStatus.PRECONDITION_FAILED
        ):
            raise problems.Stale(
                "Expected If-Match to name what there is, but it changed since; read it again without it."
            )
    return response


def _as_json(value: Any) -> Any:
    """Write what JSON has no word for: numbers with every digit, the rest as its canonical text."""
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}".encode())
    return str(value) if isinstance(value, dt.timedelta) else canonical(value)
