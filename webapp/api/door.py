"""The door of the API: every family of endpoints, the document that describes them, and a page to read and try it."""

from __future__ import annotations

import orjson
from flask import Response, g, render_template

from records.api_key import SCOPES
from webapp.api import definitions, instances, messages, orders, parts, requisitions, suppliers, tasks
from webapp.api.document import document
from webapp.api.endpoints import ENDPOINTS, blueprint
from webapp.api.problems import KINDS

FAMILIES = (definitions, instances, tasks, messages, requisitions, orders, parts, suppliers)
"""Imported for the endpoints that they register."""


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Hand out the OpenAPI document; it tells nobody more than this source does."""
    return Response(orjson.dumps(document()), mimetype="application/json")


@blueprint.get("/docs")
def docs() -> str:
    """Show every operation with a form to try it; reading works with the session of this browser, writing needs a key."""
    described = document()
    operations = [
        described["paths"][f"/api/v1{endpoint.path.replace('<', '{').replace('>', '}')}"][endpoint.method.lower()]
        for endpoint in ENDPOINTS
    ]
    families: dict[str, list[object]] = {}
    for endpoint, operation in zip(ENDPOINTS, operations, strict=True):
        families.setdefault(operation["tags"][0], []).append((endpoint, operation))
    shapes = {name: shape for name, shape in described["components"]["schemas"].items()}
    return render_template(
        "api/docs.html", families=families, scopes=SCOPES, kinds=[(name, title) for name, title in KINDS.values()],
        shapes=shapes, visitor=g.visitor,
    )  # fmt: skip
