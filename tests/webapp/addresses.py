"""Every page and every operation with an address of it, whatever it is about."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask
from werkzeug.routing import AnyConverter, Rule

from tests.webapp.api.conftest import UNKNOWN
from webapp.api.endpoints import ENDPOINTS, Endpoint

OPERATIONS = {endpoint.name for endpoint in ENDPOINTS}
PLACES = {"line_no": "1", "position": "1", "op_no": "10", "kind": "purchase_order", "owner_type": "purchase_order",
          "record_type": "purchase_order", "to": "SUSPENDED", "filename": "x", "user_id": "rita"}  # fmt: skip
"""What stands in an address where the right is asked before anything is looked up."""


def pages(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Yield each page with the method that opens it and the one that sends its form."""
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("api.") or rule.endpoint.removeprefix("api.") not in OPERATIONS:
            yield from ((rule, method) for method in sorted((rule.methods or set()) & {"GET", "POST"}))


def address(rule: Rule, app: Flask, **values: str) -> str:
    """Return an address of a page, with an unknown id wherever ``values`` has none."""
    given = {name: values.get(name) or _place(rule, name) for name in rule.arguments}
    return str(app.url_map.bind("localhost").build(rule.endpoint, given, force_external=False))


def _place(rule: Rule, name: str) -> str:
    converter = rule._converters[name]
    return min(converter.items) if isinstance(converter, AnyConverter) else PLACES.get(name, UNKNOWN)


def path_of(endpoint: Endpoint, **values: str) -> str:
    """Return an address of an operation, filled in the same way."""
    filled = (
        values.get(part.strip("<>")) or PLACES.get(part.strip("<>"), UNKNOWN) if part.startswith("<") else part
        for part in endpoint.path.split("/")
    )
    return "/api/v1" + "/".join(filled)
