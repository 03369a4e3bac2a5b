"""The door of the API: every family of endpoints, the document that describes them, and a page to read and try it."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, g, render_template
from marshmallow import Schema, fields

from records.api_key import SCOPES
from webapp.api import (
    absences,
    amendments,
    approvals,
    board_keeping,
    boards,
    certificates,
    changes,
    choices,
    definitions,
    desk,
    deviations,
    files,
    findings,
    goods,
    helping,
    impacts,
    inbox,
    instances,
    invoices,
    jobs,
    legal_holds,
    lending,
    lots,
    meetings,
    mending,
    messages,
    mismatches,
    mode_switches,
    nonconformances,
    orders,
    outside,
    parts,
    people,
    redlines,
    requisitions,
    resources,
    shipments,
    short_closes,
    sourcing,
    supplier_records,
    suppliers,
    task_returns,
    tasks,
    webhooks,
    work_order_changes,
    work_order_events,
    work_orders,
)
from webapp.api.document import document
from webapp.api.endpoints import ENDPOINTS, blueprint
from webapp.api.problems import KINDS

__all__ = ["FAMILIES", "blueprint"]

FAMILIES = (
    desk,
    definitions,
    instances,
    mending,
    tasks,
    inbox,
    task_returns,
    helping,
    messages,
    jobs,
    requisitions,
    orders,
    sourcing,
    amendments,
    outside,
    work_orders,
    work_order_changes,
    work_order_events,
    resources,
    parts,
    supplier_records,
    suppliers,
    approvals,
    lending,
    absences,
    lots,
    meetings,
    shipments,
    mismatches,
    nonconformances,
    deviations,
    findings,
    mode_switches,
    legal_holds,
    goods,
    certificates,
    short_closes,
    invoices,
    board_keeping,
    boards,
    changes,
    choices,
    impacts,
    redlines,
    files,
    people,
    webhooks,
)
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
    return render_template(
        "api/docs.html", families=families, scopes=SCOPES, kinds=list(KINDS.values()), visitor=g.visitor,
        shapes=described["components"]["schemas"],
        examples={one.name: example_of(one.body) for one in ENDPOINTS if one.body is not None},
    )  # fmt: skip


def example_of(body: type[Schema]) -> str:
    """Return a body to begin with: what is needed, left empty."""
    needed = {name: _empty(field) for name, field in body().fields.items() if field.required}
    return orjson.dumps(needed, option=orjson.OPT_INDENT_2).decode()


def _empty(field: fields.Field) -> Any:
    return {} if isinstance(field, fields.Dict) else [] if isinstance(field, fields.List) else ""
