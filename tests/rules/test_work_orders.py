"""What no door lets happen to a released work order: neither the ORM nor SQL, on either database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.act import Act, Installation
from engine.errors import RuleViolation
from engine.record import Operation
from engine.verification import Break, verify
from processes import work_orders
from records.part import RevisionStatus
from records.work_order import TRANSITIONS, OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus
from rules.change_item import ChangeClass, ChangeItem
from rules.triggers import remove_guard
from tests import makers
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory
from tests.story import CAST, PLANT

pytestmark = pytest.mark.begins_with(CAST)


@pytest.fixture
def order(installation: Installation) -> WorkOrder:
    """Have a released work order of 10 with a frozen routing of two operations."""
    with installation.acting("system:test") as act:
        makers.make_cast(act)
        makers.make_work_centre(act)
        makers.make_instruction(act)
        steps = ({"op_no": 10, "description": "Mill", "work_centre": "MILL", "instruction": "WI-20"},)
        order = work_orders.create(
            act, "PRODUCTION", quantity=D(10), part_revision=makers.make_revision(act), operations=steps,
            standards=({"kind": "LABOUR", "item": "MILL", "quantity": D(2), "unit_cost": D(80)},),
        )  # fmt: skip
        return work_orders.release(act, order)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE work_order SET snapshot_hash = 'ab'",
        "UPDATE work_order SET snapshot = '{}'",
        "UPDATE work_order SET part_revision_id = NULL",
        "UPDATE work_order SET quantity = quantity + 1",
        "UPDATE work_order SET standard_cost = 0",
        "UPDATE work_order SET system = 'ERP'",
        "UPDATE work_order SET status = 'PLANNED'",
        "UPDATE work_order SET status = 'CLOSED'",
        "UPDATE work_order_operation SET instruction_rev = '4'",
        "UPDATE work_order_operation SET spec_rev = 'E'",
        "UPDATE work_order_operation SET is_special = (1 = 1)",
        "UPDATE work_order_operation SET op_no = 11",
        "UPDATE work_order_operation SET status = 'COMPLETE'",
        "UPDATE standard_cost SET unit_cost = 0",
        "DELETE FROM work_order_operation",
        "DELETE FROM standard_cost",
        "DELETE FROM work_order",
    ],
)
def test_sql_changes_nothing_of_a_released_work_order(order: WorkOrder, database: Engine, statement: str) -> None:
    with pytest.raises(DBAPIError, match="Expected"), database.execution_options(writes=True).begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "free"),
    [
        ("UPDATE work_order SET priority = 1", True),
        ("UPDATE work_order_operation SET planned_start = '2026-12-01'", True),
    ],
)
def test_dates_and_priority_stay_the_planners(order: WorkOrder, database: Engine, statement: str, free: bool) -> None:
    with database.execution_options(writes=True).begin() as connection:
        assert (connection.execute(text(statement)).rowcount > 0) is free


def test_no_operation_joins_a_released_work_order(installation: Installation, order: WorkOrder) -> None:
    def join(act: Act) -> None:
        stored = act.session.get_one(WorkOrder, order.id)
        stored.operations.append(WorkOrderOperation(op_no=20, description="Polish"))
        act.session.flush()

    with pytest.raises(RuleViolation) as refusal, installation.acting("user:rita") as act:
        join(act)
    assert refusal.value.code == "UNCONTROLLED_CHANGE"


def test_release_is_judged_whoever_sets_the_status(installation: Installation) -> None:
    with installation.acting("system:test") as act:
        draft = makers.make_revision(act, status=RevisionStatus.DRAFT)
        order = makers.make_work_order(act, draft, status="PLANNED", system="LOCKSTEP", origin=makers.Origin.LOCKSTEP)
        order.status = WorkOrderStatus.FIRM
    with installation.acting("system:test") as act:
        stored = act.session.get_one(WorkOrder, order.id)
        stored.approved_hash = stored.snapshot_hash = "ab" * 32
        stored.snapshot = "{}"
    with pytest.raises(RuleViolation) as refusal, installation.acting("user:rita") as act:
        act.session.get_one(WorkOrder, order.id).status = WorkOrderStatus.RELEASED
    assert refusal.value.code == "CON-07"


def test_what_reaches_an_operation_is_what_the_one_before_passed_on(installation: Installation) -> None:
    with installation.acting("system:test") as act:
        order = makers.make_work_order(act)
    with (
        pytest.raises(RuleViolation, match=r"0\.000000 pieces to reach") as refusal,
        installation.acting("user:rita") as act,
    ):
        act.session.get_one(WorkOrderOperation, order.operations[1].id).quantity_in = D(7)
    assert refusal.value.code == "WO-BALANCE"


@pytest.mark.parametrize(
    "values",
    [
        {"type": "REWORK"}, {"type": "DEVIATION"}, {"type": "CALIBRATION"}, {"type": "CORRECTIVE"},
        {"type": "FIELD_SERVICE", "customer": "Acme"}, {"quantity": D(0)}, {"priority": 10}, {"system": "LOCKSTEP"},
    ],
)  # fmt: skip
def test_the_database_knows_what_defines_a_work_order(installation: Installation, values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), installation.acting("system:test") as act:
        makers.make_work_order(act, **values)


def test_more_pieces_than_came_in_cannot_go_out(installation: Installation) -> None:
    with installation.acting("system:test") as act:
        order = makers.make_work_order(act)
    with pytest.raises(IntegrityError), installation.acting("user:rita") as act:
        act.session.get_one(WorkOrderOperation, order.operations[0].id).good = D(11)


@pytest.mark.parametrize("ended", [WorkOrderStatus.CLOSED, WorkOrderStatus.CANCELLED, WorkOrderStatus.SPLIT])
def test_nothing_follows_the_end_of_a_work_order(ended: WorkOrderStatus) -> None:
    assert not [after for before, after in TRANSITIONS if before is ended]


def test_a_skipped_operation_names_a_signed_deviation(installation: Installation) -> None:
    with installation.acting("system:test") as act:
        order = makers.make_work_order(act)
    with pytest.raises(IntegrityError), installation.acting("user:rita") as act:
        act.session.get_one(WorkOrderOperation, order.operations[0].id).status = OperationStatus.SKIPPED_BY_DEVIATION


def sign_a_change(installation: Installation, order: WorkOrder, *, change_hash: str = "cd" * 32) -> None:
    """Let people sign that the order's quantity becomes 12."""
    about = {"change_type": "work_order_change", "change_id": order.id, "change_hash": change_hash}
    with installation.acting("user:rita") as act:
        item = ChangeItem(
            **about, table_name="work_order", row_id=order.id, operation=Operation.UPDATE, column_name="quantity",
            old_text="10.000000", new_text="12.000000", change_class=ChangeClass.C2,
        )  # fmt: skip
        act.session.add(item)
        act.session.flush()
        change = SimpleNamespace(record_type=about["change_type"], id=order.id)
        signature = makers.make_signature(act, change, content_hash=change_hash)
        makers.make_slot(act, change, record_hash=change_hash, signature_id=signature.id)


def become(installation: Installation, order: WorkOrder, quantity: int) -> None:
    with installation.acting("user:rita") as act:
        act.session.get_one(WorkOrder, order.id).quantity = D(quantity)


def breaks(installation: Installation) -> list[Break]:
    mine = {"change_item", "work_order", "work_order_operation"}
    with installation.reading() as session:
        return [each for each in verify(session) if each.record_type in mine]


def test_a_signed_change_moves_a_frozen_quantity_once_and_leaves_whole_books(
    installation: Installation, order: WorkOrder
) -> None:
    sign_a_change(installation, order)
    with pytest.raises(RuleViolation, match="stay as it was approved"):
        become(installation, order, 13)
    become(installation, order, 12)
    with pytest.raises(RuleViolation, match="stay as it was approved"):
        become(installation, order, 10)
    with installation.reading() as session:
        assert session.get_one(WorkOrder, order.id).quantity == D(12)
    assert breaks(installation) == []


def signed_by(
    installation: Installation, order: WorkOrder, *roles: str, kind: ChangeClass, old: str = "10", new: str = "12"
) -> None:
    """Let these roles sign that the order's quantity becomes another."""
    content = ("".join(roles) + kind.value + new).encode().hex().ljust(64, "0")[:64]
    with installation.acting("user:rita") as act:
        item = ChangeItem(
            change_type="work_order_change", change_id=order.id, change_hash=content, table_name="work_order", row_id=order.id,
            operation=Operation.UPDATE, column_name="quantity", old_text=f"{old}.000000", new_text=f"{new}.000000", change_class=kind,
        )  # fmt: skip
        act.session.add(item)
        act.session.flush()
        change = SimpleNamespace(record_type="work_order_change", id=order.id)
        for role in roles:
            signature = makers.make_signature(act, change, content_hash=content, role=role)
            makers.make_slot(act, change, record_hash=content, signature_id=signature.id, role=role)


def link_to_a_line(installation: Installation, order: WorkOrder) -> None:
    with installation.acting("system:test") as act:
        operation = act.session.get_one(WorkOrderOperation, order.operations[0].id)
        makers.make_link(act, operation=operation)


def in_sql(database: Engine, quantity: int) -> None:
    scaled = f"quantity * {quantity} / 10"
    with database.execution_options(writes=True).begin() as connection:
        connection.execute(text(f"UPDATE work_order SET quantity = {scaled}, version = version + 1"))


@pytest.mark.parametrize(
    ("roles", "kind"),
    [
        (("PLANNER",), ChangeClass.C1), (("PLANNER", "BUYER"), ChangeClass.C1), (("PLANNER",), ChangeClass.C2),
        (("BUYER", "PUR_LEAD"), ChangeClass.C2),
    ],
)  # fmt: skip
def test_a_quantity_that_is_bought_for_takes_a_major_change_of_both_sides_through_any_door(
    installation: Installation, database: Engine, order: WorkOrder, roles: tuple[str, ...], kind: ChangeClass
) -> None:
    """Domain 4c: C1 by the planner; C2 and both sides once an operation is linked to an order line."""
    link_to_a_line(installation, order)
    signed_by(installation, order, *roles, kind=kind)
    with pytest.raises(RuleViolation, match=r"signed by a planner and by a buyer.*is bought on P") as refusal:
        become(installation, order, 12)
    assert refusal.value.code == "UNCONTROLLED_CHANGE"
    with pytest.raises(DBAPIError, match="UNCONTROLLED_CHANGE"):
        in_sql(database, 12)
    signed_by(installation, order, "PLANNER", "BUYER", kind=ChangeClass.C2)
    become(installation, order, 12)
    with installation.reading() as session:
        assert session.get_one(WorkOrder, order.id).quantity == D(12)
    assert breaks(installation) == []


@pytest.mark.begins_with(PLANT)
def test_a_quantity_stays_at_least_what_is_away_whoever_signs_less(plant: Installation, clock: SettableClock) -> None:
    """Domain 4c: 24 pieces are at the heat treater, so 23 is refused, by the law and by the database."""
    story = OutsideStory(plant, clock)
    story.ready().ship()
    work = story.read(lambda session: session.get_one(WorkOrderOperation, story.operation_id).work_order)
    signed_by(plant, work, "PLANNER", "BUYER", kind=ChangeClass.C2, old="24", new="23")
    with pytest.raises(RuleViolation, match=r"at least the 24 EA at suppliers \(LNK-.*was to become 23"):
        become(plant, work, 23)
    statement = text("UPDATE work_order SET quantity = quantity * 23 / 24, version = version + 1")
    with (
        pytest.raises(DBAPIError, match="WO-QUANTITY: Expected a work order to keep"),
        plant.database.execution_options(writes=True).begin() as connection,
    ):
        connection.execute(statement)


def test_a_planner_alone_changes_a_quantity_that_nothing_is_bought_for(
    installation: Installation, order: WorkOrder
) -> None:
    signed_by(installation, order, "PLANNER", kind=ChangeClass.C1)
    become(installation, order, 12)
    with installation.reading() as session:
        assert session.get_one(WorkOrder, order.id).quantity == D(12)


@pytest.mark.parametrize("changes", [0, 1])
def test_a_change_item_that_is_marked_used_without_its_edit_is_found(
    installation: Installation, order: WorkOrder, changes: int
) -> None:
    """One edit uses up one item: neither an unused item nor a second one of the same words may stand for it."""
    sign_a_change(installation, order)
    if changes:
        become(installation, order, 12)
        sign_a_change(installation, order, change_hash="ef" * 32)
    assert breaks(installation) == []
    with installation.database.begin() as connection:
        remove_guard(connection)
        connection.execute(
            update(ChangeItem.__table__).where(ChangeItem.applied_at.is_(None)).values(applied_at=installation.clock())
        )
    [found] = breaks(installation)
    assert "Expected applied_at to be empty" in found.sentence
    assert f"no chain tells of the UPDATE of work_order {order.id} quantity" in found.sentence
