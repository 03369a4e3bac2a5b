"""What the API says of itself is valid and true: any request is answered as documented, and never with a mistake of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.jobs import defer
from engine.messages import publish
from processes import webhooks
from records.api_key import SCOPES, make_key
from records.demo_people import CAST
from records.part import Part, PartRevision
from records.supplier import Supplier
from tests.clock import SettableClock
from tests.conftest import folders_under
from tests.databases import Databases
from tests.makers import make_order, make_requisition, make_stock, make_work_order
from tests.people import adam, lena, rita
from tests.story import PLANT, Story
from webapp.api import operation_rights
from webapp.api.document import document
from webapp.api.endpoints import ENDPOINTS, Endpoint
from webapp.app import create_app
from webapp.wiring import wire

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 10


def test_the_document_is_valid_openapi() -> None:
    described = document()
    assert described["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(described).validate()


def test_every_operation_is_documented_once_under_a_known_scope() -> None:
    operations = [one for path in document()["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations) == len(ENDPOINTS)
    assert {endpoint.scope for endpoint in ENDPOINTS} == set(SCOPES)


def test_every_name_is_in_snake_case() -> None:
    for shape in document()["components"]["schemas"].values():
        assert all(name == name.lower() and "-" not in name for name in shape["properties"])


def fields_of(schema: type[Schema], path: str) -> Iterator[tuple[str, fields.Field[Any]]]:
    """Yield every field of what arrives, with where it stands, also inside of lists and objects."""
    for name, field in schema().fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        yield f"{path}.{name}", inner
        if isinstance(inner, fields.Nested):
            yield from fields_of(type(inner.schema), f"{path}.{name}")


def test_a_body_takes_neither_text_for_a_number_nor_a_number_for_the_truth() -> None:
    asked = [one for endpoint in ENDPOINTS if endpoint.body for one in fields_of(endpoint.body, endpoint.name)]
    wrong = {fields.Integer: ("1", True, 1.0, Decimal(1)), fields.Boolean: ("true", 1, 0, "")}
    taken = []
    for path, field in asked:
        for value in next((values for kind, values in wrong.items() if isinstance(field, kind)), ()):
            with contextlib.suppress(ValidationError):
                taken.append((path, value, field.deserialize(value)))
    assert taken == []
    assert len([field for _, field in asked if isinstance(field, (fields.Integer, fields.Boolean))]) > 20


@dataclass(frozen=True)
class Plant:
    """One of everything, and a key for each of the cast. ids: by the word that a path has in it."""

    app: Flask
    schema: BaseSchema
    ids: dict[str, str]
    keys: dict[str, str]


@pytest.fixture(scope="module")
def plant(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Yield one plant for all operations: what they leave behind is part of the test."""
    clock = SettableClock()
    with databases.fresh("sqlite", PLANT) as url:
        house = wire(url, settings=folders_under(tmp_path_factory.mktemp("plant")), clock=clock)
        ids = _arranged(Story(house, clock))
        with house.acting("system:arrange") as act:
            keys = {one.id: make_key(act, one.principal, "any", scopes=list(SCOPES))[0] for one in CAST}
        app = create_app(house, secret_key="only for tests")
        app.config["PROPAGATE_EXCEPTIONS"] = False
        yield Plant(app, schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app), ids, keys)
        house.database.dispose()


def callers(endpoint: Endpoint) -> list[str]:
    """Return who asks: mostly people whom its right admits, so that what is sent is read, and one whom it may not."""
    right = operation_rights.of_operation(endpoint.name, endpoint.method)
    assert right is not None
    admitted = [one.id for one in CAST if right.admits(role.partition("@")[0] for role in one.roles)]
    usual = [who for who in ("lena", "rita", "adam", "bea") if who in admitted]
    return [*(usual or admitted[:3]), "otto"] if right.takes_a_role else usual


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_any_request_is_answered_as_documented(endpoint: Endpoint, plant: Plant) -> None:
    operation = plant.schema[f"/api/v1{endpoint.path.replace('<', '{').replace('>', '}')}"][endpoint.method]
    there = [key for word, key in plant.ids.items() if word in endpoint.path]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=operation.as_strategy(),
        key=st.sampled_from([plant.keys[who] for who in callers(endpoint)]),
        chosen=st.sampled_from([*there, ""]),
        data=st.data(),
    )
    def ask(case: Any, key: str, chosen: str, data: st.DataObject) -> None:
        if chosen:
            case.path_parameters = dict.fromkeys(case.path_parameters, chosen)
        if endpoint.match:
            tag = _tag(plant.app, case.path_parameters, endpoint, key)
            case.headers["If-Match"] = data.draw(st.sampled_from([tag, case.headers["If-Match"]]))
        case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)

    ask()


def _tag(app: Flask, path: dict[str, str], endpoint: Endpoint, key: str) -> str:
    """Return the present ETag of what an operation is about, so that it gets beyond its precondition."""
    thing = "/".join(endpoint.path.split("/")[:2])
    answer = app.test_client().get(
        f"/api/v1{thing}/{next(iter(path.values()))}", headers={"Authorization": f"Bearer {key}"}
    )
    return answer.headers.get("ETag", '"1"')


def _arranged(story: Story) -> dict[str, str]:
    """Let there be one of everything."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    order = story.given(lambda act: make_order(act).id)
    draft = story.given(lambda act: make_requisition(act, requester_id="rita").id)
    work_order = story.given(lambda act: make_work_order(act).id)
    task = story.as_(lena).task("approve_requisition")

    def ids(session: Session) -> dict[str, str]:
        kinds = {"/parts/": Part, "/suppliers/": Supplier, "/part_revisions/": PartRevision}
        return {word: session.scalars(select(kind.id)).first() or "" for word, kind in kinds.items()}

    job = story.given(lambda act: defer(act, "robot.weld").id)
    kept = story.given(lambda act: publish(act, "supplier.ack", correlation_key="PO-1").id)
    lot = story.given(lambda act: make_stock(act, "HEAT-7781").id)
    found: dict[str, str] = story.read(ids)
    return found | {
        "/orders/": order, "/work-orders/": work_order, "/requisitions/": draft, "/tasks/": task.id,
        "/lots/": lot, "/instances/": story.instance_id, "/jobs/": job, "/messages/": kept,
        "/definitions/": story.instance.definition_id, "/webhooks/": _webhook(story),
    }  # fmt: skip


def _webhook(story: Story) -> str:
    with story.as_(adam).acting() as act:
        return webhooks.create(act, name="ERP", url="https://erp.example/hooks", event_types=["*"])[1].id
