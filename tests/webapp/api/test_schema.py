"""What the API says of itself is valid and true: any request is answered as documented, and never with a mistake of ours."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engine.act import Installation
from records.api_key import SCOPES, make_key
from records.part import Part, PartRevision
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition
from records.supplier import Supplier
from tests.people import adam, lena, rita
from tests.story import Story
from webapp.api.document import document
from webapp.api.endpoints import ENDPOINTS

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12


def test_the_document_is_valid_openapi() -> None:
    described = document()
    assert described["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(described).validate()


def test_every_operation_is_documented_once_with_its_scope() -> None:
    operations = [one for path in document()["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations) == len(ENDPOINTS)
    assert {endpoint.scope for endpoint in ENDPOINTS} == set(SCOPES)


def test_every_name_is_in_snake_case() -> None:
    for shape in document()["components"]["schemas"].values():
        assert all(name == name.lower() and "-" not in name for name in shape["properties"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_any_request_is_answered_as_documented(endpoint: Any, app: Flask, house: Installation, story: Story) -> None:
    ids = _arranged(story)
    with house.acting("system:arrange") as act:
        keys = [make_key(act, member.principal, "fuzz", scopes=list(SCOPES))[0] for member in (lena, rita, adam)]
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operation = schema[f"/api/v1{endpoint.path.replace('<', '{').replace('>', '}')}"][endpoint.method]
    known = [ids[name] for name in ids if name in endpoint.path] or [""]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(), key=st.sampled_from(keys), there=st.sampled_from([*known, None]), data=st.data())
    def ask(case: Any, key: str, there: str | None, data: Any) -> None:
        if there:
            case.path_parameters = {name: there for name in case.path_parameters or {}}
        if "If-Match" in (case.headers or {}):
            case.headers["If-Match"] = data.draw(st.sampled_from(['"1"', '"2"', case.headers["If-Match"]]))
        case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)

    ask()


def _arranged(story: Story) -> dict[str, str]:
    """Let there be one of everything, by the word that its path has in it."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")

    def ids(session: Any) -> dict[str, str]:
        kinds = {"/requisitions/": Requisition, "/orders/": PurchaseOrder, "/parts/": Part, "/suppliers/": Supplier, "/part_revisions/": PartRevision}
        found = {word: session.query(kind.id).limit(1).scalar() for word, kind in kinds.items()}
        return {word: key for word, key in found.items() if key}

    found: dict[str, str] = story.read(ids)
    definition_id = story.instance.definition_id
    return found | {"/tasks/": task.id, "/instances/": story.instance_id, "/definitions/": definition_id}
