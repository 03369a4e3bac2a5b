"""Change orders are written, sealed, signed and applied as they were signed."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.audit import AuditEvent
from engine.errors import Conflict, Invalid, Refused, RuleViolation
from engine.verification import verify
from processes import change_addenda, change_orders
from processes.change_baseline import moved_since
from records.approval import ApprovalSlot
from records.change_order import AddendumStatus, ChangeOrder, move
from records.change_request import OrderClass
from records.part import Effectivity, PartRevision, RevisionStatus
from records.signing import supersede
from rules.change_control import is_covered, items_of, open_order_on
from rules.change_item import ChangeItem
from tests.changes import S, opened, revised, signed
from tests.makers import make_order_to_receive, make_part, make_revision, make_signature, make_work_order


def test_an_approved_order_releases_what_follows_and_supersedes_what_was(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, before, after = revised(act)
        signed(act, order)
        used = change_orders.apply(act, order)
        assert (before.status, after.status) == (RevisionStatus.SUPERSEDED, RevisionStatus.RELEASED)
        assert after.change_order_id == order.id
        assert len(used) == 2
        assert all(item.applied_at is not None for item in used)
        assert change_orders.apply(act, order) == []


def test_nothing_is_applied_before_the_board_has_signed(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, _, _ = revised(act)
        with pytest.raises(Conflict, match="its board signs first"):
            change_orders.apply(act, order)
        change_orders.take_baseline(act, order)
        move(act, order, S.IMPACT)
        change_orders.send_to_review(act, order)
        with pytest.raises(RuleViolation, match="plan of signatures"), act.attempt():
            move(act, order, S.APPROVED)


def test_the_day_of_the_effectivity_parts_the_old_revision_from_the_new(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, before, after = revised(act, effectivity_kind="DATE", effectivity_value="2026-12-01")
        signed(act, order)
        change_orders.apply(act, order)
        assert (before.status, before.effectivity, before.effective_to) == (
            RevisionStatus.RELEASED, Effectivity.DATE, dt.date(2026, 11, 30),
        )  # fmt: skip
        assert (after.status, after.effective_from, order.effective_at) == (
            RevisionStatus.RELEASED, dt.date(2026, 12, 1), None,
        )  # fmt: skip
        number = order.id
    later = dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC)
    with plant.acting("system:timer", now=later) as act:
        order = act.session.get_one(ChangeOrder, number)
        (last,) = change_orders.apply(act, order)
        assert (last.new_text, order.effective_at) == ("SUPERSEDED", later)
        assert order.affected[0].part_revision_from.status is RevisionStatus.SUPERSEDED


@pytest.mark.parametrize(
    ("kind", "value", "field"),
    [("DATE", "2020-01-01", "effectivity_value"), ("DATE", "", "effectivity_value"), ("WO", "WO-404", "effectivity_value"),
     ("LOT", " ", "effectivity_value"), ("MOON", "1", "effectivity_kind")],
)  # fmt: skip
def test_an_effectivity_in_the_past_or_of_nothing_is_refused_by_its_field(
    plant: Installation, kind: str, value: str, field: str
) -> None:
    with pytest.raises(Invalid) as refusal, plant.acting("user:ella") as act:
        opened(act, effectivity_kind=kind, effectivity_value=value)
    assert field in refusal.value.fields


def test_two_open_orders_do_not_set_the_same_value_and_one_order_replaces_it(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        revision = make_revision(act, make_part(act, "P-900"), "B")
        first, second = opened(act, OrderClass.C3), opened(act, OrderClass.C3)
        change_orders.add_edit(act, first, revision, "drawing_rev", "C")
        change_orders.add_edit(act, first, revision, "drawing_rev", "D")
        assert [item.new_text for item in items_of(act.session, first)] == ["D"]
        with pytest.raises(Conflict, match=f"but {first.number} .* already changes it") as refusal:
            change_orders.add_edit(act, second, revision, "drawing_rev", "E")
        assert refusal.value.code == "CHANGE_OVERLAPS"
        assert open_order_on(act.session, revision) is first
        change_orders.withdraw(act, first, reason="another way")
        change_orders.add_edit(act, second, revision, "drawing_rev", "E")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("weight", "1", "there is none called 'weight'"), ("specs", 5, "specs: "), ("drawing_rev", "B", "is B already"),
     ("drawing_rev", "x" * 41, "at most 40"), ("created_by", "me", "is free while")],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_what_was_expected(
    plant: Installation, column: str, value: Any, said: str
) -> None:
    with plant.acting("user:ella") as act:
        revision = make_revision(act, make_part(act, "P-900"), "B", drawing_rev="B")
        order = opened(act)
        with pytest.raises(Invalid, match=said):
            change_orders.add_edit(act, order, revision, column, value)


def test_the_class_of_every_value_is_computed_and_frozen_in_its_item(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        plain = make_revision(act, make_part(act, "P-900"), "B")
        flight = make_revision(act, make_part(act, "P-901", criticality="FLIGHT_SAFETY"), "B")
        work = make_work_order(act)
        order = opened(act)
        classes = [
            change_orders.add_edit(act, order, record, column, value).change_class
            for record, column, value in (
                (plain, "drawing_rev", "C"), (flight, "drawing_rev", "C"), (plain, "effective_to", dt.date(2027, 1, 1)),
                (work.operations[0], "instruction_rev", "9"), (work, "quantity", Decimal(3)),
            )
        ]  # fmt: skip
        assert classes == ["C3", "C4", "C4", "C3", "C1"]
        with pytest.raises(Conflict, match="to stay as it is while it is RELEASED") as refused:
            change_orders.add_edit(act, order, plain, "rev", "Z")
        assert refused.value.code == "UNCONTROLLED_CHANGE"
        with pytest.raises(Conflict, match="Open one of class C4") as too_low:
            change_orders.add_edit(act, opened(act, OrderClass.C3), flight, "drawing_doc", "D-9")
        assert too_low.value.code == "CLASS_TOO_LOW"


def test_a_sealed_order_is_not_written_and_a_returned_one_goes_on_with_a_copy(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        revision = make_revision(act, make_part(act, "P-900"), "B")
        order = opened(act, OrderClass.C3)
        change_orders.add_edit(act, order, revision, "drawing_rev", "C")
        signed(act, order)
        first = order.content_hash
        with pytest.raises(Conflict, match="to be still in writing") as refusal:
            change_orders.add_edit(act, order, revision, "drawing_rev", "D")
        assert refusal.value.code == "CONTENT_SEALED"
        supersede(act, order.record_type, order.id)
        move(act, order, S.RETURNED, reason="Name the drawing, too")
        change_orders.add_edit(act, order, revision, "drawing_doc", "D-9")
        move(act, order, S.IMPACT)
        signed(act, order)
        assert (order.round, order.content_hash != first) == (2, True)
        change_orders.apply(act, order)
        assert (revision.drawing_rev, revision.drawing_doc) == ("C", "D-9")
        kept = act.session.scalars(select(ChangeItem).where(ChangeItem.change_hash == first)).all()
        assert [(item.new_text, item.applied_at) for item in kept] == [("C", None)]


def test_what_follows_is_applied_as_the_board_read_it_or_not_at_all(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, before, after = revised(act)
        signed(act, order)
        after.drawing_rev = "edited behind the board"
        act.session.flush()
        with pytest.raises(Conflict, match="as the board signed it, but it was edited since"):
            change_orders.apply(act, order)
        assert (before.status, after.status) == (RevisionStatus.RELEASED, RevisionStatus.DRAFT)


def test_a_baseline_that_moved_is_said(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, before, _ = revised(act)
        change_orders.take_baseline(act, order)
        assert moved_since(order) == []
        other = opened(act, OrderClass.C3)
        change_orders.add_edit(act, other, before, "drawing_rev", "X")
        signed(act, other)
        change_orders.apply(act, other)
        (said,) = moved_since(order)
        assert "P-900/B as it was when the baseline was taken" in said


def test_an_order_line_is_covered_by_an_approved_order_that_names_it(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, before, after = revised(act)
        line = make_order_to_receive(act, (before, 5, "42.50")).lines[0]
        assert is_covered(act.session, line, ["lines.1.part_revision_id"]) is None
        signed(act, order)
        assert is_covered(act.session, line, ["lines.1.part_revision_id"]) is order
        assert is_covered(act.session, line, ["lines.1.part_revision_id", "lines.1.quality_clauses"]) is None
        assert after.status is RevisionStatus.DRAFT


def test_the_effectivity_moves_and_the_way_back_is_gone_by_addenda_until_it_is_effective(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, before, after = revised(act, effectivity_kind="DATE", effectivity_value="2026-12-01")
        signed(act, order)
        later = change_addenda.propose_effectivity(
            act, order, "DATE", "2027-01-15", reason="Tools are late", seats=["ENG_AUTH"]
        )
        with pytest.raises(RuleViolation, match="has not signed"), act.attempt():
            change_addenda.apply_addendum(act, later)
        sign_addendum(act, later)
        change_addenda.apply_addendum(act, later)
        assert (order.effectivity_value, later.status) == ("2027-01-15", AddendumStatus.APPROVED)
        change_orders.apply(act, order)
        with pytest.raises(Conflict, match="its way back is signed and done first"):
            change_orders.withdraw(act, order, reason="cracks again")
        back = change_addenda.propose_way_back(act, order, reason="cracks again", seats=["ENG_AUTH"])
        sign_addendum(act, back)
        change_addenda.apply_addendum(act, back)
        assert change_addenda.apply_addendum(act, back) == []
        assert (before.status, before.effectivity, before.effective_to) == (RevisionStatus.RELEASED, None, None)
        assert after.status is RevisionStatus.OBSOLETE
        assert change_orders.withdraw(act, order, reason="cracks again").status is S.WITHDRAWN


def test_what_is_effective_is_not_withdrawn(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, _, _ = revised(act)
        signed(act, order)
        change_orders.apply(act, order)
        with pytest.raises(Conflict, match="Raise a new change order"):
            change_orders.withdraw(act, order, reason="no")


def sign_addendum(act: Act, addendum: Any) -> None:
    slot = act.session.scalars(select_slots(addendum)).one()
    slot.signature = make_signature(act, addendum, content_hash=addendum.content_hash, signer="ella", role="ENG_AUTH")
    act.session.flush()


def select_slots(addendum: Any) -> Any:
    return select(ApprovalSlot).where(ApprovalSlot.record_id == addendum.id)


def test_two_who_set_one_value_by_two_orders_at_once_do_it_by_one(plant: Installation) -> None:
    """On PostgreSQL the second waits for the row that the first would change, and then finds its item."""
    with plant.acting("user:ella") as act:
        revision_id = make_revision(act, make_part(act, "P-900"), "B").id
        orders = [opened(act, OrderClass.C3).id for _ in range(2)]
    together, told = threading.Barrier(2), list[str]()

    def write(order_id: str, value: str) -> None:
        try:
            with plant.acting("user:ella") as act:
                if plant.database.dialect.name == "postgresql":
                    act.session.connection()
                    together.wait(20)
                order = act.session.get_one(ChangeOrder, order_id)
                change_orders.add_edit(act, order, act.session.get_one(PartRevision, revision_id), "drawing_rev", value)
            told.append("written")
        except Refused as refusal:
            told.append(refusal.code)

    people = [
        threading.Thread(target=write, args=(order_id, value)) for order_id, value in zip(orders, "CD", strict=True)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    assert sorted(told) == ["CHANGE_OVERLAPS", "written"]


def test_two_who_apply_one_order_at_once_write_every_value_once(plant: Installation) -> None:
    """On PostgreSQL the second waits for the item that the first uses up, and is told; SQLite has one writer anyway."""
    with plant.acting("user:ella") as act:
        revision = make_revision(act, make_part(act, "P-900"), "B", drawing_rev="B")
        order = opened(act)
        change_orders.add_edit(act, order, revision, "drawing_rev", "C")
        order_id, revision_id = signed(act, order).id, revision.id
    together, told = threading.Barrier(2), list[Any]()

    def apply() -> None:
        try:
            with plant.acting("user:ella") as act:
                found = act.session.get_one(ChangeOrder, order_id)
                if plant.database.dialect.name == "postgresql":
                    items_of(act.session, found)
                    together.wait(20)
                told.append(len(change_orders.apply(act, found)))
        except Refused as refusal:
            told.append(refusal.code)

    people = [threading.Thread(target=apply) for _ in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    assert told.count(1) == 1
    assert set(told) <= {1, 0, "STALE_VERSION", "UNCONTROLLED_CHANGE"}
    with plant.reading() as session:
        wanted = select(AuditEvent.new).where(AuditEvent.record_id == revision_id, AuditEvent.field == "drawing_rev")
        assert session.scalars(wanted.order_by(AuditEvent.seq)).all() == ["B", "C"]
        assert [str(one) for one in verify(session)] == []
