"""Redlines of documents: taken back from the chain exactly, told of what is stored, of revisions, snapshots and change orders."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from engine.act import Installation
from engine.comparison import compare
from engine.redline import Kind, Redline
from records.document_tree import called, requested_tree, tree_at, tree_of
from records.origin import Origin
from records.part import DefinitionKind, PartRevision, RevisionStatus
from records.part_tree import Component, revision_tree
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition
from records.viewing import last_look, tick, ticks, untick, view
from records.work_order_tree import snapshot_tree, snapshots_of
from rules.change_doors import UNSEALED
from rules.change_item import ChangeClass, ChangeItem
from rules.redlines import Since, choices, items_to_view, redline_of, told
from tests.clock import SettableClock
from tests.makers import (
    D,
    make_definition,
    make_order,
    make_order_line,
    make_part,
    make_requisition,
    make_requisition_line,
    make_revision,
    make_routing,
    make_work_order,
)


def sentences(found: Redline) -> list[str]:
    return [one.sentence for one in found.differences if one.is_counted]


@pytest.fixture
def draft(plant: Installation) -> str:
    """Make a draft order of three lines."""
    with plant.acting("user:bea") as act:
        part = make_revision(act, make_part(act, "P-901"))
        return make_order(act, (part, 5, "42.50"), (part, 7, "10"), (part, 1, "3")).id


def test_a_document_is_taken_back_to_what_it_was_at_any_instant(plant: Installation, draft: str, clock: SettableClock):
    """Every state of a draft, through edits, lines added, removed and renumbered, comes back from the chain word for word."""
    kept: list[tuple[dt.datetime, str]] = []

    def step(change: Any) -> None:
        with plant.acting("user:bea") as act:
            order = act.session.get_one(PurchaseOrder, draft)
            change(act, order)
            act.session.flush()
            act.session.refresh(order)
            kept.append((act.now, tree_of(act.session, order).content))
        clock.advance(minutes=10)

    step(lambda act, order: None)
    step(lambda act, order: setattr(order.lines[0], "quantity", D(6)))
    step(lambda act, order: order.lines.remove(order.lines[2]))
    step(lambda act, order: make_order_line(act, order, order.lines[0].part_revision, line_no=9, quantity=D(2)))
    step(lambda act, order: (setattr(order.lines[1], "line_no", 4), setattr(order, "payment_term", "NET45")))
    step(lambda act, order: order.lines.remove(order.lines[-1]))
    step(lambda act, order: setattr(order.lines[0], "quantity", D(5)))
    with plant.reading() as session:
        order = session.get_one(PurchaseOrder, draft)
        for moment, content in kept:
            assert tree_at(session, order, moment).content == content


def test_what_changed_since_an_instant_is_told_with_units_and_names(
    plant: Installation, draft: str, clock: SettableClock
):
    clock.advance(hours=1)
    since = clock() - dt.timedelta(minutes=1)
    with plant.acting("user:bea") as act:
        order = act.session.get_one(PurchaseOrder, draft)
        order.lines[0].quantity, order.lines[1].line_no, order.terms_rev = D(6), 8, None
        order.lines[2].part_revision_id = make_revision(act, make_part(act, "P-902")).id
    with plant.reading() as session:
        order = session.get_one(PurchaseOrder, draft)
        found = compare(tree_at(session, order, since), tree_of(session, order))
        assert sentences(found) == [
            "Header: terms revision was removed; it was D.",
            "Line 1: quantity was 5 EA, and is now 6 EA.",
            "Line 3: part revision was P-901/B, and is now P-902/B.",
            "Line 8 was called Line 2 before.",
        ]


def test_an_order_is_compared_with_what_was_requested(plant: Installation):
    with plant.acting("user:bea") as act:
        part = make_revision(act, make_part(act, "P-903"))
        asked = make_requisition(act, (part, 50, "42.50"))
        order = make_order(act, (part, 60, "43.75"), (part, 2, "1"))
        order.lines[0].requisition_line_id = asked.lines[0].id
        act.session.flush()
        act.session.refresh(order.lines[0])
        order.lines[0].need_by = asked.need_by
        found = redline_of(act.session, order)
        assert (found.basis, sentences(found)[:2]) == (
            "the requisition",
            ["Line 1: quantity was 50 EA, and is now 60 EA.", "Line 1: price was 42.5 USD, and is now 43.75 USD."],
        )
        assert sentences(found)[2].startswith("Line 2 was added: part revision P-903/B, quantity 2 EA")
        assert len(requested_tree(act.session, order)[0].rows) == 1


def test_a_first_submission_is_viewed_line_by_line(plant: Installation):
    with plant.acting("user:rita") as act:
        requisition = make_requisition(act)
        assert redline_of(act.session, requisition) == Redline()
        assert [item.place for item in items_to_view(act.session, requisition)] == ["Line 1"]


def test_a_revision_is_compared_with_the_one_released_before_it(plant: Installation):
    with plant.acting("user:ella") as act:
        part = make_part(act, "P-904")
        before = make_revision(act, part, "B", drawing_doc="D-904", drawing_rev="2", specs=("AMS-2750", "AMS-4911"))
        after = make_revision(
            act, part, "C", status=RevisionStatus.DRAFT, origin=Origin.LOCKSTEP, released_at=None, drawing_doc="D-904",
            drawing_rev="3", specs=("AMS-4911", "AMS-4928"),
        )  # fmt: skip
        make_definition(act, before, native_id="BOM-904", native_rev="1", content_hash="a" * 64)
        make_definition(act, after, native_id="BOM-904", native_rev="2", content_hash="b" * 64)
        make_definition(act, after, kind=DefinitionKind.ROUTING, native_id="R-904", content_hash="c" * 64)
        mill = {"op_no": 10, "description": "Mill"}
        make_routing(act, before, (mill, {"op_no": 20, "description": "Inspect"}))
        make_routing(
            act, after, (mill, {"op_no": 20, "description": "Inspect, 12 Nm"}, {"op_no": 30, "description": "Mark"})
        )
        act.session.flush()
        for one in (before, after):
            act.session.refresh(one)
        found = redline_of(act.session, after, Since.RELEASE)
        assert found.basis == "revision B"
        assert {one.key.split("/")[-1] for one in found.differences} >= {"drawing_rev", "native_rev", "content_hash"}
        told_places = [(one.kind, one.place) for one in found.differences]
        assert (Kind.ADDED, "Specification AMS-4928") in told_places
        assert (Kind.REMOVED, "Specification AMS-2750") in told_places
        assert (Kind.CHANGED, "Bom BOM-904") in told_places
        assert (Kind.ADDED, "Routing R-904") in told_places
        assert (Kind.ADDED, "Operation 30") in told_places
        assert "Operation 20: description was “Inspect”, and is now “Inspect, 12 Nm”." in sentences(found)
        assert found.count == 8


def test_a_bill_of_materials_is_compared_row_by_row(plant: Installation):
    with plant.acting("user:ella") as act:
        revision = make_revision(act, make_part(act, "P-905"))
        old = [Component("P-1", "A", D(2), find_no="10"), Component("P-2", "A", D(1), find_no="20")]
        new = [Component("P-3", "A", D(4), find_no="30"), Component("P-1", "B", D(2), find_no="10")]
        found = compare(revision_tree(act.session, revision, old), revision_tree(act.session, revision, new))
        assert sentences(found) == [
            "Item 30 was added: part P-3, revision A, quantity 4 EA.",
            "Item 10: revision was A, and is now B.",
            "Item 20 was removed; it was: part P-2, revision A, quantity 1 EA.",
        ]


def test_a_work_order_is_told_by_its_snapshots(plant: Installation):
    base = {
        "number": "WO-1", "part_revision": "P-1/B", "quantity": "40.000000", "uom": "EA", "standard_cost": "740.0000",
        "definitions": [{"kind": "BOM", "id": "B-1", "rev": "1", "hash": "aa", "system": "PLM"}],
        "operations": [{"op_no": 10, "description": "Mill", "work_centre": "MILL", "run_minutes": "5", "is_special": False},
                       {"op_no": 20, "description": "Deburr", "work_centre": "BENCH", "is_special": False}],
        "standards": [{"kind": "LABOUR", "item": "MILL", "quantity": "2.000000", "unit_cost": "85.0000"}],
    }  # fmt: skip
    later = json.loads(json.dumps(base)) | {"quantity": "28.000000"}
    later["operations"] = [
        later["operations"][1],
        later["operations"][0] | {"work_centre": "MILL-2", "is_special": True},
    ]
    found = compare(snapshot_tree(base), snapshot_tree(later))
    assert sentences(found) == [
        "Header: quantity was 40 EA, and is now 28 EA.",
        "Operation 10: work centre was MILL, and is now MILL-2.",
        "Operation 10: special process was added, yes.",
    ]
    with plant.acting("user:ella") as act:
        order = make_work_order(act)
        assert snapshots_of(act.session, order) == []
        assert redline_of(act.session, order) == Redline()


def test_a_change_is_told_by_the_items_that_people_sign(plant: Installation, draft: str):
    with plant.acting("user:bea") as act:
        order = act.session.get_one(PurchaseOrder, draft)
        line = order.lines[0]

        def item(column: str, old: str | None, new: str | None, record: Any = line) -> ChangeItem:
            return ChangeItem(
                change_type="change_order", change_id="c", change_hash=UNSEALED, table_name=record.record_type, row_id=record.id,
                operation="UPDATE", column_name=column, old_text=old, new_text=new, change_class=ChangeClass.C4,
            )  # fmt: skip

        other = make_revision(act, make_part(act, "P-906"))
        found = told(
            act.session,
            [
                item("part_revision_id", line.part_revision_id, other.id),
                item("quantity", "5.000000", "6.000000"),
                item("status", "RELEASED", "SUPERSEDED", line.part_revision),
            ],
        )
        assert [one.sentence for one in found] == [
            f"Purchase order line {line.number}: part revision was P-901/B, and is now P-906/B.",
            f"Purchase order line {line.number}: quantity was 5 EA, and is now 6 EA.",
            "Part revision P-901/B: status was released, and is now superseded.",
        ]
        assert {one.why for one in found} == {"Class C4"}


def test_since_i_last_looked_means_the_look_before_this_one(plant: Installation, clock: SettableClock):
    with plant.acting("user:rita") as act:
        requisition = make_requisition(act)
        requisition_id, about = requisition.id, ("requisition", requisition.id)
    clock.advance(minutes=1)
    with plant.acting("user:lena") as act:
        assert last_look(act.session, "lena", about, version=1, now=act.now) is None
        view(act, *about, version=1)
    seen = clock()
    clock.advance(minutes=5)
    with plant.acting("user:rita") as act:
        stored = act.session.get_one(Requisition, requisition_id)
        stored.lines[0].quantity = D(9)
        make_requisition_line(act, stored, stored.lines[0].part_revision, quantity=D(1))
    clock.advance(hours=2)
    with plant.acting("user:lena") as act:
        stored = act.session.get_one(Requisition, requisition_id)
        look = last_look(act.session, "lena", about, version=stored.version, now=act.now)
        assert look is not None
        assert look.at == seen
        assert choices(act.session, stored, look) == [Since.SUBMISSION, Since.LOOK]
        assert redline_of(act.session, stored, Since.LOOK, look=look).counts == {Kind.ADDED: 1, Kind.CHANGED: 1}
        view(act, *about, version=stored.version)
        assert last_look(act.session, "lena", about, version=stored.version, now=act.now) == look


def test_a_tick_stands_for_what_was_said_and_for_one_person(plant: Installation):
    with plant.acting("user:lena") as act:
        tick(act, "requisition", "r1", "line", content="a" * 64)
        tick(act, "requisition", "r1", "line", content="b" * 64)
        act.session.flush()
        assert ticks(act.session, "lena", "requisition", "r1") == {"line": "b" * 64}
        assert ticks(act.session, "max", "requisition", "r1") == {}
        untick(act, "requisition", "r1", "line")
        act.session.flush()
        assert ticks(act.session, "lena", "requisition", "r1") == {}


def test_an_id_that_nothing_bears_any_more_is_shown_as_it_is(plant: Installation):
    with plant.reading() as session:
        assert (
            called(session, PartRevision, "01a2044d-ad0e-77af-8c24-f2a8c2f2c129")
            == "01a2044d-ad0e-77af-8c24-f2a8c2f2c129"
        )
        assert called(session, PartRevision, None) is None
