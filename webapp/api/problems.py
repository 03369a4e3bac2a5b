"""Refusals as RFC 9457 problems: the same kinds and sentences as on the pages, with findings and fields for machines."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import orjson
from flask import Blueprint, Response, g, request
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from engine.database import is_away, is_id
from engine.errors import Conflict, Finding, Forbidden, Invalid, NotFound, Refused, RuleViolation
from records.part import PartRevision
from webapp import refusals, visit
from webapp.rates import TooMany

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
DOCS = "/api/v1/docs"
CHECK = re.compile(r"check constraint[^\w]*(\w+)", re.IGNORECASE)
"""How both databases say which CHECK refuses a row."""


class Unauthenticated(Refused):
    """Nobody is known to ask: no key, one that opens nothing, or a session that is over."""

    status: ClassVar[int] = 401
    code = "UNAUTHENTICATED"


class Malformed(Refused):
    """The body is no JSON at all."""

    status: ClassVar[int] = 400
    code = "MALFORMED_JSON"


class WrongMediaType(Refused):
    """The body is something else than JSON."""

    status: ClassVar[int] = 415
    code = "UNSUPPORTED_MEDIA_TYPE"


class Stale(Conflict):
    """What the caller saw is not what there is any more (RFC 9110, 13.1.1)."""

    status: ClassVar[int] = 412
    code = "STALE_VERSION"


class MatchNeeded(Refused):
    """A change that does not say which version it is about (RFC 6585, 3)."""

    status: ClassVar[int] = 428
    code = "IF_MATCH_NEEDED"


class Away(Refused):
    """The database cannot be reached; the same request may be sent again, with its Idempotency-Key if it writes."""

    status: ClassVar[int] = 503
    code = "DATABASE_AWAY"


KINDS: Mapping[type[Refused], tuple[str, str]] = {
    Invalid: ("invalid", "Something does not fit"),
    NotFound: ("not-found", "There is no such thing, or it is not yours to see"),
    Forbidden: ("forbidden", "Not yours to do"),
    Stale: ("stale", "It changed since you saw it"),
    Conflict: ("conflict", "As things stand, this cannot be"),
    RuleViolation: ("rule-violation", "A rule refuses this"),
    Unauthenticated: ("unauthenticated", "Nobody is known to ask"),
    Malformed: ("malformed", "The body cannot be read"),
    WrongMediaType: ("media-type", "The body is not JSON"),
    MatchNeeded: ("if-match-needed", "Say which version you saw"),
    TooMany: ("too-many-requests", "Too often"),
    Away: ("away", "The database does not answer just now"),
    Refused: ("refused", "The request cannot be answered"),
}
"""Kind of refusal to the name in its type and its title; the first that fits a refusal's class counts."""


INSTEAD: list[Callable[[Refused], list[dict[str, Any]]]] = []
"""Who knows requests that would take what a refusal refused; each gives a list of ``Offer``."""


SIGNING: list[Callable[[Refused], list[dict[str, Any]]]] = []
"""Who knows how the caller may sign; each gives a list of ``SigningWay``, empty for what is not about a signature."""


def install(blueprint: Blueprint) -> None:
    """Answer whatever goes wrong below /api/v1 with a problem."""
    blueprint.register_error_handler(Refused, answer)
    blueprint.register_error_handler(IntegrityError, _answer_constraint)
    blueprint.register_error_handler(RequestEntityTooLarge, _answer_http)
    blueprint.register_error_handler(HTTPException, _answer_http)
    blueprint.register_error_handler(Exception, _answer_bug)
    blueprint.before_app_request(_answer_unroutable)


def answer(refusal: Refused) -> Response:
    """Return the problem that a refusal is."""
    status = refusals.status_of(refusal)
    name, title = next(KINDS[kind] for kind in type(refusal).__mro__ if kind in KINDS)
    body: dict[str, Any] = {
        "type": f"{DOCS}#{name}", "title": title, "status": status, "detail": refusal.message, "code": refusal.code,
        "instance": f"urn:uuid:{g.get('act_id') or g.request_id}", "findings": _findings(refusal),
        "fields": refusal.fields if isinstance(refusal, Invalid) else {},
        "instead": [offer for offers in INSTEAD for offer in offers(refusal)],
        "signing": [way for ways in SIGNING for way in ways(refusal)],
    }  # fmt: skip
    response = Response(orjson.dumps(body), status, mimetype=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="lockstep"'
    if isinstance(refusal, Away):
        response.headers["Retry-After"] = str(refusals.AGAIN_IN)
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.seconds)
    return response


def _findings(refusal: Refused) -> list[dict[str, Any]]:
    if not isinstance(refusal, RuleViolation):
        return []
    return [finding_values(finding) for finding in refusal.findings]


def finding_values(finding: Finding) -> dict[str, Any]:
    """Return a finding for machines; ids of part revisions also as people write them."""
    return {
        "rule": finding.rule, "effect": str(finding.effect), "sentence": finding.sentence,
        "record_type": finding.record_type, "record_id": finding.record_id, "field": finding.field,
        "old": finding.old, "new": finding.new,
        "old_words": _in_words(finding.field, finding.old), "new_words": _in_words(finding.field, finding.new),
        "owner": finding.owner, "way_out": finding.way_out, "judged_by": finding.judged_by, "row": finding.row,
    }  # fmt: skip


def _in_words(field: str, value: str | None) -> str | None:
    if field != "part_revision_id" or value is None or not is_id(value):
        return value
    revision = visit.reading().get(PartRevision, value)
    return revision.number if revision is not None else value


def _answer_constraint(error: IntegrityError) -> Response:
    found = CHECK.search(str(error.orig))
    if found is None:
        return _answer_bug(error)
    name = found[1].partition("_ck_")[2] or found[1].removeprefix("ck_")
    return answer(
        Invalid(f"Expected values that fit together, but they break “{name.replace('_', ' ')}”.", code="CONSTRAINT")
    )


def _answer_http(error: HTTPException) -> Response:
    refusal = Refused(f"Expected a request that can be answered, but it was refused: {error.name}.")
    if isinstance(error, RequestEntityTooLarge):
        most = request.max_content_length or 0
        refusal = Refused(f"Expected a body of at most {most:,} bytes, but it is larger.", code="TOO_LARGE")
    elif error.code == 404:
        refusal = NotFound(f"Expected something at {request.path}, but there is nothing.")
    elif error.code == 405:
        refusal = Refused(
            f"Expected another method for {request.path}, but found {request.method}.", code="METHOD_NOT_ALLOWED"
        )
    response = answer(refusal)
    status = error.code or 500
    body = orjson.loads(response.get_data()) | {"status": status}
    response.set_data(orjson.dumps(body))
    response.status_code = status
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _answer_bug(error: Exception) -> Response:
    """Answer a mistake of ours: nothing of it is told but the number of its log entry. A database that is away is none."""
    if is_away(error):
        log.warning("The database is away: %s %s: %s", request.method, request.path, error)
        return answer(
            Away("Expected the database to answer, but it cannot be reached just now; send the same request again.")
        )
    act_id = g.get("act_id") or g.get("request_id", "")
    log.error("An API request failed; act %s, %s %s", act_id, request.method, request.path, exc_info=error)
    body = {
        "type": f"{DOCS}#bug", "title": "A mistake of ours", "status": 500, "code": "BUG", "instance": f"urn:uuid:{act_id}",
        "detail": "Expected to answer, but something inside Lockstep failed. Nothing is half done.", "findings": [], "fields": {},
        "instead": [],
    }  # fmt: skip
    return Response(orjson.dumps(body), 500, mimetype=MEDIA_TYPE)


def _answer_unroutable() -> Response | None:
    """Answer an address or a method that does not exist; no blueprint's handler would see it."""
    problem = request.routing_exception
    if problem is None or not request.path.startswith("/api/") or (problem.code or 0) < 400:
        return None
    return _answer_http(problem)
