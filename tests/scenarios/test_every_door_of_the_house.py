"""The same table, by the doors of the house: every controlled record against page, REST, file and command, each with its value as it was.

A record that lacks a kind of door stands in ``WITHOUT`` with the reason, and the reason is checked: no route, no importer and no
command knows of it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

import processes
import webapp.cli
from engine.act import Installation
from engine.stored.definition import Definition, DefinitionFile
from processes.change_values import name_of
from processes.importing import import_folder
from records.demo_people import Member
from records.external import Observation
from records.part import PartRevision, ProductDefinitionRef
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.supplier import SupplierApproval
from records.work_order import WorkOrder, WorkOrderOperation
from rules.controlled import current_policy
from rules.flow_mode import FlowMode
from rules.policy import TABLES
from rules.table_version import RuleTableVersion
from rules.tables_in_force import TableInForce
from tests.changes import opened
from tests.people import PASSWORD, bea, ella, pat, quinn, rita
from tests.processes.importing import extract
from tests.processes.importing.extract import BOM, ORDER, PRODUCT, PRODUCTION, REQUEST, REQUISITION, Rows
from tests.scenarios.controlled import Target, configuration, documents
from tests.scenarios.desk import refused_attempts
from tests.story import Story
from tests.webapp.api.conftest import Calling, Client
from tests.webapp.browser import Browser
from tests.webapp.conftest import People
from webapp.api import door
from webapp.app import SCREENS
from webapp.cli import main
from webapp.cli.house import Exit

PROCESS = "amend_order"


@dataclass
class Street:
    """Where the doors are. call: types a command; change: a change order in writing; folder: where files are put."""

    house: Installation
    client: Callable[[Member], Client]
    browser: Callable[[Member], Browser]
    call: Callable[..., int]
    change: str
    folder: Path

    def read(self, every: list[Target]) -> dict[str, dict[str, Any]]:
        """Return what is controlled of each row, as it lies there."""
        with self.house.database.connect() as connection:
            return {one.name: controlled(one, one.row(connection)) for one in every}

    def record(self, one: Target) -> Any:
        with self.house.reading() as session:
            found = session.get_one(one.mapped, tuple(one.key.values()))
            for name in ("order", "work_order", "part_revision", "supplier", "lines", "part"):
                getattr(found, name, None)
            return found

    def called(self, one: Target) -> str:
        """Return what people call the row."""
        with self.house.reading() as session:
            return name_of(session.get_one(one.mapped, tuple(one.key.values())))


def controlled(one: Target, row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a row that its status freezes, and the one that is knocked at."""
    status, table, policy = str(row.get("status")), one.table.name, current_policy()
    frozen = [name for name in policy.fields(table) if policy.of(table, name, status) is not None]
    return {name: value for name, value in row.items() if name in {one.column, "status", *frozen}}


Knock = Callable[[Street, Target], int]
"""Tries to write the target's other value; returns what the door said: a status of HTTP, or an exit code."""


def edit_form(at: Street, one: Target) -> int:
    order = at.record(one) if one.mapped is PurchaseOrder else at.record(one).order
    page = at.browser(bea)
    typed = {"payment_term": "90 days", "lines.1.unit_price": "43.5", "lines.1.quantity": "9"}
    return page.post(f"/orders/{order.id}/edit", typed | {"seen_hash": order.approved_hash or ""}).status_code


def patch_order(at: Street, one: Target) -> int:
    client, line = at.client(bea), one.mapped is PurchaseOrderLine
    path = f"/orders/{at.record(one).order.id if line else one.key['id']}"
    body = {"lines": [{"line_no": 1, "unit_price": str(one.value)}]} if line else {one.column: one.value}
    return client.patch(path, body, match=client.tag(path)).status_code


def plan_form(at: Street, one: Target) -> int:
    return (
        at.browser(rita)
        .post(f"/work-orders/{one.key['id']}/plan", {one.column: one.value, "priority": "5"})
        .status_code
    )


def patch_work_order(at: Street, one: Target) -> int:
    client, path = at.client(rita), f"/work-orders/{one.key['id']}"
    return client.patch(path, {one.column: one.value}, match=client.tag(path)).status_code


def machine_form(at: Street, one: Target) -> int:
    path = f"/work-orders/{at.record(one).work_order.id}/operations/{one.key['id']}/machine"
    return at.browser(rita).post(path, {one.column: one.value, "equipment": ""}).status_code


def patch_operation(at: Street, one: Target) -> int:
    client, operation = at.client(rita), at.record(one)
    path = f"/work-orders/{operation.work_order.id}"
    body = {one.column: one.value}
    return client.patch(f"{path}/operations/{operation.op_no}", body, match=client.tag(path)).status_code


def event_file(at: Street, one: Target) -> int:
    operation = at.record(one)
    file = at.folder / "events.csv"
    heading = f"system,event_id,kind,work_order,op_no,{one.column}"
    file.write_text(f"{heading}\nMES,e-1,LABOUR,{operation.work_order.number},{operation.op_no},{one.value}\n")
    return at.call("events", str(file))


def change_page(at: Street, one: Target) -> int:
    """Let a change order in writing say it: nothing follows before it is signed."""
    typed = {"record": at.called(one), "column": one.column, "new": str(one.value)}
    return at.browser(ella).post(f"/changes/{at.change}/edits", typed).status_code


def change_by_rest(at: Street, one: Target) -> int:
    client, path = at.client(ella), f"/change-orders/{at.change}"
    body = {"record": at.called(one), "column": one.column, "new": str(one.value)}
    return client.post(f"{path}/edits", body, match=client.tag(path)).status_code


def scope_page(at: Street, one: Target) -> int:
    approval = at.record(one)
    path = f"/suppliers/{approval.supplier_id}/approvals/{approval.id}/approve"
    typed = {"scope": one.value, "reason": "wider", "meaning": "APPROVED", "user_id": "quinn", "password": "guess"}
    return at.browser(quinn).post(path, typed).status_code


def scope_by_rest(at: Street, one: Target) -> int:
    approval = at.record(one)
    path = f"/suppliers/{approval.supplier_id}/approvals/{approval.id}/signature"
    client = at.client(quinn)
    signed = {"content_hash": "f" * 64, "signature": {"meaning": "APPROVED", "password": PASSWORD}}
    assert client.patch(path.removesuffix("/signature"), {"scope": one.value}).status_code == 405
    assert client.post(path, signed | {"scope": one.value}).status_code == 422
    return client.post(path, signed).status_code


def deploy_by_rest(at: Street, one: Target) -> int:
    files = {path: content.decode() for path, content in changed_bundle(at).items()}
    return at.client(pat).post("/definitions", {"files": files, "process_id": PROCESS}).status_code


def deploy_by_command(at: Street, one: Target) -> int:
    for path, content in changed_bundle(at).items():
        file = at.folder / "bundle" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return at.call("deploy", str(at.folder / "bundle"), "--process", PROCESS, "--as", "pat")


def adopt(at: Street, one: Target) -> int:
    return at.call("rules", "adopt", "--as", "pat", "--reason", "mine", "--from", str(TABLES))


def changed_bundle(at: Street) -> dict[str, bytes]:
    """Return the files of a released process, and of no other, with another name of it."""
    released = select(Definition.id).where(Definition.process_id == PROCESS, Definition.status == "RELEASED")
    with at.house.reading() as session:
        rows = session.scalars(select(DefinitionFile).where(DefinitionFile.definition_id.in_(released)))
        files = {row.path: row.content for row in rows}
    path = f"processes/bpmn/{PROCESS}.bpmn"
    named = f'<bpmn:process id="{PROCESS}" name="'.encode()
    return files | {path: files[path].replace(named, named + b"My ", 1)}


DOORS: dict[str, dict[str, tuple[Knock, ...]]] = {
    "order": {"page": (edit_form,), "REST": (patch_order,)},
    "order line": {"page": (edit_form,), "REST": (patch_order,)},
    "work order": {"page": (plan_form,), "REST": (patch_work_order,)},
    "operation": {"page": (machine_form,), "REST": (patch_operation,), "file": (event_file,)},
    "revision": {"page": (change_page,), "REST": (change_by_rest,)},
    "reference": {"page": (change_page,), "REST": (change_by_rest,)},
    "supplier approval": {"page": (scope_page,), "REST": (scope_by_rest,)},
    "rule table": {"command": (adopt,)},
    "table content": {"command": (adopt,)},
    "process": {"REST": (deploy_by_rest,), "command": (deploy_by_command,)},
    "process file": {"REST": (deploy_by_rest,), "command": (deploy_by_command,)},
    "mode": {},
}
"""Which doors of the house each record has. What comes as an extract of the ERP is tried below, for every record it knows, at once."""

OF_ALL: set[Knock] = {adopt, deploy_by_rest, deploy_by_command}
"""Doors that know no row of their own: what is brought to them is for every table, or for a process with its files."""

IMPORTED = {"order", "order line", "work order", "operation", "revision", "reference"}
KINDS = ("page", "REST", "file", "command")
WITHOUT: dict[tuple[str, str], str] = {
    **{(name, "command"): "no command names it; extracts and events come as files" for name in IMPORTED},
    ("supplier approval", "file"): "an approval is signed, and no file signs",
    ("supplier approval", "command"): "an approval is signed, and no command signs",
    **{
        (name, kind): "tables lie in a folder of the installation"
        for name in ("rule table", "table content")
        for kind in ("page", "REST", "file")
    },
    **{
        (name, kind): "bundles are deployed by engineers"
        for name in ("process", "process file")
        for kind in ("page", "file")
    },
    ("mode", "page"): "a mode is switched by the signatures of a switch alone",
    ("mode", "REST"): "a mode is switched by the signatures of a switch alone",
    ("mode", "file"): "no file signs",
    ("mode", "command"): "no command signs",
}
"""Which record lacks which kind of door, and why."""

ROUTES = {
    **dict.fromkeys(("rule table", "table content"), r"^(/api/v1)?/(tables|rules)\b"),
    **dict.fromkeys(("process", "process file"), r"^(/api/v1)?/(processes|definitions)\b"),
    "mode": r"^(/api/v1)?/(flow-)?modes\b",
}
"""What an address that writes to a record would hold."""

CLASSES: dict[str, type[Any]] = {
    "order": PurchaseOrder, "order line": PurchaseOrderLine, "work order": WorkOrder, "operation": WorkOrderOperation,
    "revision": PartRevision, "reference": ProductDefinitionRef, "supplier approval": SupplierApproval, "rule table": TableInForce,
    "table content": RuleTableVersion, "process": Definition, "process file": DefinitionFile, "mode": FlowMode,
}  # fmt: skip
"""Whose rows they are."""

SWITCHES = {"/flow-modes", "/flow-modes/<record_id>", "/flow-modes/<record_id>/refuse"}
"""Addresses of switches, which are documents of their own."""


def test_every_door_is_tried_or_told_why_there_is_none() -> None:
    for name, doors in DOORS.items():
        had = {*doors, *({"file"} if name in IMPORTED else ())}
        told = {kind for record, kind in WITHOUT if record == name}
        assert (had | told, had & told) == (set(KINDS), set()), name


def test_a_record_without_a_door_has_none() -> None:
    """By law: no address that writes is about it, and no importer and no command makes its rows."""
    for name, kind in WITHOUT:
        if kind in ("page", "REST"):
            about = {rule for rule in written(is_rest=kind == "REST") if re.search(ROUTES[name], rule)}
            assert about - SWITCHES == set(), f"{name} has a {kind}"
        else:
            making = {path.name for path in modules(kind) if CLASSES[name].__name__ in made_in(path)}
            assert making == set(), f"{name} has a {kind}"


def written(*, is_rest: bool) -> set[str]:
    """Return every address that somebody may send something to."""
    app = Flask("addresses")
    for blueprint in [door.blueprint] if is_rest else [screens.pages for screens in SCREENS]:
        app.register_blueprint(blueprint)
    return {rule.rule for rule in app.url_map.iter_rules() if set(rule.methods or ()) - {"GET", "HEAD", "OPTIONS"}}


def modules(kind: str) -> list[Path]:
    """Return the modules of importers, or of commands."""
    folder = Path((processes if kind == "file" else webapp.cli).__file__ or "").parent
    found = [*folder.glob("*_files.py"), *folder.glob("importing/*.py")] if kind == "file" else [*folder.glob("*.py")]
    assert found
    return found


@cache
def made_in(path: Path) -> set[str]:
    """Return the names that a module calls: among them the classes whose rows it makes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


@pytest.fixture
def street(
    house: Installation, calling: Calling, browse: People, story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Street:
    """Sign everybody in once; a door costs no more than its request."""
    clients: dict[str, Client] = {}
    browsers: dict[str, Browser] = {}
    url = house.database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("LOCKSTEP_KEY_FOLDER", str(tmp_path / "keys"))
    with story.as_(ella).acting() as act:
        change = opened(act).id
    return Street(
        house,
        lambda member: clients.get(member.id) or clients.setdefault(member.id, calling(member)),
        lambda member: browsers.get(member.id) or browsers.setdefault(member.id, browse(member)),
        lambda *words: CliRunner().invoke(main, ["--database", url, *words]).exit_code,
        change, tmp_path,
    )  # fmt: skip


SAID = {
    303: {
        ("work order", "plan_form"),
        ("operation", "machine_form"),
        ("revision", "change_page"),
        ("reference", "change_page"),
    },
    200: {("revision", "change_by_rest"), ("reference", "change_by_rest")},
}
"""Doors that go on with what else was sent: of a controlled value they know nothing, or write an item that nobody has signed."""


def test_no_door_of_the_house_lets_a_controlled_value_change(street: Street, story: Story) -> None:
    every = story.given(lambda act: [*documents(act), *configuration(act)])
    before, done = street.read(every), set[Knock]()
    for one in every:
        for knock in [knock for knocks in DOORS[one.name].values() for knock in knocks if knock not in done]:
            said = knock(street, one)
            done |= {knock} & OF_ALL
            is_refused = said in (Exit.REFUSED, Exit.FOUND) or 400 <= said < 500
            assert is_refused or (one.name, knock.__name__) in SAID[said], (one.name, knock.__name__, said)
            assert street.read(every) == before, (one.name, knock.__name__)
    assert {("user:bea", "UNCONTROLLED_CHANGE"), ("user:pat", "UNCONTROLLED_CHANGE")} <= refused_attempts(story)


def test_what_an_extract_says_of_a_released_record_is_observed_and_not_written(street: Street) -> None:
    """The file door of every record that an extract knows, each with another value, in one import."""
    import_folder(street.house, extract.write(street.folder / "first", work_alone))
    every = imported(street.house)
    before = street.read(every)
    assert before.keys() == IMPORTED
    told = street.call("import", str(extract.write(street.folder / "second", otherwise)))
    assert told in (Exit.DONE, Exit.FOUND)
    assert street.read(every) == before
    with street.house.reading() as session:
        seen = {(one.field, one.observed) for one in session.scalars(select(Observation))}
    assert {("payment_term", "90 days"), ("lines.1.unit_price", "99.0000"), ("item", "another part")} <= seen
    assert any(field == "BOM.1.definition" for field, _ in seen)


def work_alone(content: dict[str, Rows]) -> None:
    """Leave what starts flows of its own away, and have a work order that is under way."""
    content[REQUISITION], content[REQUEST] = [], []
    extract.with_goods(content)
    content[PRODUCTION][0] |= {"state": "running", "effective_date": ""}
    content[PRODUCTION][1] |= {"works/state": "running"}


def otherwise(content: dict[str, Rows]) -> None:
    """Say of each record something else than before."""
    work_alone(content)
    row_of(content[ORDER], "4").update({"payment_term": "90 days", "lines/unit_price": "99.0000"})
    row_of(content[PRODUCTION], "1").update({"product/id": "1", "works/operation": "Saw by hand"})
    row_of(content[BOM], "1")["name"] = "P-2020-D BOM rev. E"
    row_of(content[PRODUCT], "2").update({"template/name": "Another bracket", "description": "Drawing rev Z"})


def row_of(rows: Rows, native_id: str) -> dict[str, str]:
    return next(row for row in rows if row.get("id") == native_id)


def imported(house: Installation) -> list[Target]:
    """Return what came of each record, released."""
    with house.reading() as session:
        order = session.scalars(select(PurchaseOrder).where(PurchaseOrder.proposal_no == "TRYTON-4")).one()
        work = session.scalars(select(WorkOrder).where(WorkOrder.native_id == "1")).one()
        revision = session.scalars(select(PartRevision).where(PartRevision.id == order.lines[0].part_revision_id)).one()
        bill = session.scalars(
            select(ProductDefinitionRef).where(ProductDefinitionRef.part_revision_id == revision.id)
        ).first()
        assert bill is not None
        return [
            Target("order", PurchaseOrder, {"id": order.id}, "payment_term", None),
            Target("order line", PurchaseOrderLine, {"id": order.lines[0].id}, "unit_price", None),
            Target("work order", WorkOrder, {"id": work.id}, "part_revision_id", None),
            Target("operation", WorkOrderOperation, {"id": work.operations[0].id}, "description", None),
            Target("revision", PartRevision, {"id": revision.id}, "rev", None),
            Target("reference", ProductDefinitionRef, {"id": bill.id}, "native_rev", None),
        ]
