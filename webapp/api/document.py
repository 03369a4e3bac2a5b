"""The OpenAPI 3.1 document, generated from the endpoints and their schemas, so that it cannot say anything else."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from records.api_key import SCOPES
from webapp.api import shapes
from webapp.api.endpoints import ENDPOINTS, Endpoint
from webapp.api.instead import Offer
from webapp.api.problems import MEDIA_TYPE
from webapp.api.shapes import Answer
from webapp.api.signing_ways import SigningWay
from webapp.api.tasks import Bar
from webapp.gate import COOKIE

VERSION = "1.0.0"
DESCRIPTION = """Lockstep for machines: the same rules, refusals and findings that people see.

A key belongs to a person or an adapter and is made with `lockstep user key add`. A change of something that exists needs the
ETag you saw in `If-Match`; a POST with an `Idempotency-Key` counts once, however often it is sent. Lists are pages
`{items, next}`; refusals are problems (RFC 9457) with `code`, `findings` and `fields`. Amounts and quantities are text, so that
no digit is lost."""

WORDS = {
    400: "The body is no JSON", 401: "Nobody is known to ask", 403: "Not yours to do, or the duties bar you",
    404: "There is no such thing, or it is not yours to see", 409: "The world or a rule is against it",
    412: "It changed since you saw it", 413: "The body is too large", 415: "The body is not JSON",
    422: "Something does not fit", 428: "If-Match is missing", 429: "Too often; Retry-After says when again",
    503: "The database does not answer just now; Retry-After says when again",
}  # fmt: skip
PLACE = re.compile(r"<(\w+)>")


class Problem(Answer):
    """Why something was not done (RFC 9457). fields: dotted path to a sentence; instead: what takes refused edits; signing: how to sign.

    signing is empty unless a signature is missing or not proved.
    """

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    code = fields.String()
    instance = fields.String()
    findings = fields.List(fields.Nested(Bar))
    instead = fields.List(fields.Nested(Offer))
    signing = fields.List(fields.Nested(SigningWay))
    fields_ = fields.Dict(keys=fields.String(), values=fields.String(), data_key="fields")


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    spec = APISpec(
        title="Lockstep", version=VERSION, openapi_version="3.1.0", plugins=[MarshmallowPlugin(schema_name_resolver=_name)],
        info={"description": DESCRIPTION}, tags=[{"name": tag} for tag in sorted({_tag(one) for one in ENDPOINTS})],
    )  # fmt: skip
    held = "\n".join(f"- `{scope}`: {words}" for scope, words in SCOPES.items())
    spec.components.security_scheme(
        "key", {"type": "http", "scheme": "bearer", "description": f"A key with the scope of the operation:\n{held}"}
    )
    spec.components.security_scheme(
        "session",
        {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A signed-in browser, for reading."},
    )
    for endpoint in ENDPOINTS:
        path = "/api/v1" + PLACE.sub(r"{\1}", endpoint.path)
        spec.path(path=path, operations={endpoint.method.lower(): _operation(endpoint)})
    return spec.to_dict()


def _name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return str(kind.__name__).removesuffix("Answer") or "Answer"


def _tag(endpoint: Endpoint) -> str:
    return endpoint.path.split("/")[1]


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    security: list[dict[str, list[str]]] = [{"key": []}]
    if endpoint.method == "GET":
        security.append({"session": []})
    more = " Only for people's keys." if endpoint.person else ""
    operation: dict[str, Any] = {
        "operationId": endpoint.name, "summary": endpoint.summary, "tags": [_tag(endpoint)], "security": security,
        "description": f"{' '.join((endpoint.view.__doc__ or '').split())}{more}\n\nScope: `{endpoint.scope}`.",
        "parameters": list(_parameters(endpoint)), "responses": _responses(endpoint),
    }  # fmt: skip
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": endpoint.body}}}
    return operation


def _parameters(endpoint: Endpoint) -> Any:
    for name in PLACE.findall(endpoint.path):
        yield {"in": "path", "name": name, "required": True, "schema": {"type": "string", "format": "uuid"}}
    if endpoint.query is not shapes.Nothing:
        yield {"in": "query", "schema": endpoint.query}
    if endpoint.match:
        yield {
            "in": "header", "name": "If-Match", "required": True, "schema": {"type": "string", "examples": ['"3"']},
            "description": "The ETag that you saw.",
        }  # fmt: skip
    if endpoint.method == "POST":
        yield {
            "in": "header", "name": "Idempotency-Key", "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
            "description": "Any text of yours: sent again with the same body, the request is answered and moves nothing.",
        }  # fmt: skip


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    schema: dict[str, Any] | type[Schema] = endpoint.answer or {"type": "string"}
    done: dict[str, Any] = {
        "description": "Created" if endpoint.status == 201 else "Done" if endpoint.method != "GET" else "Here it is",
        "content": {media: {"schema": schema} for media in endpoint.media},
    }
    if endpoint.etag is not None:
        done["headers"] = {"ETag": {"description": "What If-Match wants.", "schema": {"type": "string"}}}
    found = {str(endpoint.status): done}
    if endpoint.method == "GET" and endpoint.etag is not None:
        found["304"] = {"description": "It is still what you saw (If-None-Match)"}
    for status in endpoint.refusals:
        found[str(status)] = {"description": WORDS[status], "content": {MEDIA_TYPE: {"schema": Problem}}}
    return found
