"""Every door that was seen open stays closed, on both databases, against whoever can run SQL."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.database import new_id
from records.approval import ApprovalSlot
from records.attachment import Attachment, AttachmentContent
from records.part import PartRevision, ProductDefinitionRef
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition, RequisitionLine
from records.signature import Meaning, Signature
from rules.change_item import ChangeClass, ChangeItem
from rules.finding import KeptFinding
from rules.flow_mode import FlowMode
from rules.status_transition import StatusTransition
from tests.databases import SCHEMA
from tests.rules.plant import HASH, NOW, OTHER_HASH, Plant, table

pytestmark = pytest.mark.begins_with(SCHEMA)  # the plant brings its own people


@pytest.fixture
def plant(database: Engine) -> Iterator[Plant]:
    settled = Plant(database)
    with database.execution_options(writes=True).connect() as connection:
        settled.connection = connection
        yield settled
        connection.rollback()


def refused(plant: Plant, statement: Any, sentence: str, values: Any = None) -> None:
    """The statement is refused with a sentence, and the transaction can go on without it."""
    with pytest.raises(IntegrityError, match=sentence), plant.connection.begin_nested():
        plant.connection.execute(statement, values)


LINES, ORDERS = table(PurchaseOrderLine), table(PurchaseOrder)

FROZEN_LINE = [
    ("unit_price", Decimal(1)),
    ("quantity", Decimal(11)),
    ("uom", "KG"),
    ("spec", "PS-455"),
    ("spec_rev", "E"),
    ("need_by", NOW.date()),
    ("description", "another text"),
    ("quality_clauses", ("Q01",)),
    ("certificates", ("COC",)),
    ("is_inspection_required", True),
    ("ship_to", "elsewhere"),
    ("cost_object", "X"),
    ("line_no", 7),
]
FROZEN_ORDER = [
    ("currency", "EUR"),
    ("fx_rate", Decimal("1.1")),
    ("payment_term", "90 days"),
    ("ship_to", "elsewhere"),
    ("advance_payment", Decimal(5)),
    ("approved_hash", OTHER_HASH),
    ("revision", 1),
    ("terms_rev", "9"),
]


@pytest.mark.parametrize(("column", "value"), FROZEN_LINE)
def test_an_approved_line_is_frozen(plant: Plant, column: str, value: Any) -> None:
    plant.approve()
    before = plant.fact(PurchaseOrderLine, plant.line, column)
    refused(
        plant, update(LINES).values({column: value}).where(LINES.c.id == plant.line), f"UNCONTROLLED_CHANGE.*{column}"
    )
    assert plant.fact(PurchaseOrderLine, plant.line, column) == before


@pytest.mark.parametrize(("column", "value"), FROZEN_ORDER)
def test_an_approved_order_is_frozen(plant: Plant, column: str, value: Any) -> None:
    plant.approve()
    refused(plant, update(ORDERS).values({column: value}), f"UNCONTROLLED_CHANGE.*{column}")


def test_supplier_and_revision_are_frozen(plant: Plant) -> None:
    plant.approve()
    refused(plant, update(ORDERS).values(supplier_id=plant.other_supplier), "supplier_id")
    refused(plant, update(LINES).values(part_revision_id=plant.rev_c), "part_revision_id")


@pytest.mark.parametrize(
    "status", ["PENDING_APPROVAL", "APPROVED", "APPROVED_NOT_TRANSMITTED", "TRANSMITTED", "ON_HOLD"]
)
def test_a_line_is_frozen_in_every_status_after_draft(plant: Plant, status: str) -> None:
    plant.move("PENDING_APPROVAL", approved_hash=HASH)
    for step in ["APPROVED", "APPROVED_NOT_TRANSMITTED", "TRANSMITTED"]:
        if status in ("PENDING_APPROVAL", "ON_HOLD"):
            break
        if step == "APPROVED_NOT_TRANSMITTED":
            plant.sign("purchase_order", plant.order, signer="bea", role="BUYER", meaning=Meaning.RELEASED)
        plant.move(step, **({"po_no": "1", "transmitted_at": NOW} if step == "TRANSMITTED" else {}))
        if step == status:
            break
    if status == "ON_HOLD":
        plant.move("ON_HOLD", held_from="PENDING_APPROVAL", hold_reason="x")
    assert plant.fact(PurchaseOrder, plant.order, "status") == status
    refused(plant, update(LINES).values(unit_price=1).where(LINES.c.id == plant.line), "unit_price")


def test_nothing_goes_out_on_an_empty_plan_without_its_buyers_signature_on_that_content(plant: Plant) -> None:
    """Raw SQL could approve a content of its own making, of which nobody ever planned a signature; it stays in the house."""
    plant.move("PENDING_APPROVAL", approved_hash=HASH)
    plant.move("APPROVED")
    issue = update(ORDERS).values(status="APPROVED_NOT_TRANSMITTED").where(ORDERS.c.id == plant.order)
    refused(plant, issue, "buyer's signature")
    plant.sign("purchase_order", plant.order, "f" * 64, signer="bea", role="BUYER", meaning=Meaning.RELEASED)
    refused(plant, issue, "buyer's signature")
    plant.sign("purchase_order", plant.order, signer="bea", role="BUYER", meaning=Meaning.RELEASED)
    plant.connection.execute(issue)


def test_a_draft_and_a_free_field_change_freely(plant: Plant) -> None:
    plant.connection.execute(update(LINES).values(unit_price=Decimal(1)).where(LINES.c.id == plant.line))
    plant.approve()
    plant.connection.execute(update(LINES).values(promised_on=NOW.date()).where(LINES.c.id == plant.line))
    plant.connection.execute(update(ORDERS).values(comment="seen").where(ORDERS.c.id == plant.order))
    assert plant.fact(PurchaseOrderLine, plant.line, "unit_price") == Decimal("1.0000")


def test_writing_the_same_value_is_no_change(plant: Plant) -> None:
    plant.approve()
    plant.connection.execute(update(LINES).values(unit_price=Decimal("42.50")).where(LINES.c.id == plant.line))


def test_raw_sql_is_refused(plant: Plant) -> None:
    plant.approve()
    refused(plant, text("UPDATE purchase_order_line SET unit_price = unit_price + 1"), "unit_price")
    refused(plant, text("DELETE FROM purchase_order_line"), "deleted")


def test_orm_bulk_writes_are_refused(plant: Plant) -> None:
    plant.approve()
    with Session(plant.connection, join_transaction_mode="create_savepoint") as session:
        with pytest.raises(IntegrityError, match="unit_price"):
            session.bulk_update_mappings(
                PurchaseOrderLine.__mapper__, [{"id": plant.line, "version": 1, "unit_price": Decimal(1)}]
            )
        session.rollback()
        with pytest.raises(IntegrityError, match="quantity"):
            session.execute(update(PurchaseOrderLine).values(quantity=Decimal(1)))
        session.rollback()
        with pytest.raises(IntegrityError, match="deleted"):
            session.execute(delete(PurchaseOrderLine))
        session.rollback()


def test_an_upsert_is_refused(plant: Plant) -> None:
    plant.approve()
    columns = ", ".join(column.name for column in LINES.columns)
    # SQLite needs "WHERE true" to tell an upsert from a join.
    upsert = (
        f"INSERT INTO purchase_order_line ({columns}) SELECT {columns} FROM purchase_order_line WHERE true "
        "ON CONFLICT (id) DO UPDATE SET unit_price = 1"
    )
    refused(plant, text(upsert), "REPLACED|UNCONTROLLED_CHANGE")


def test_lines_neither_come_nor_go_under_an_approved_order(plant: Plant) -> None:
    plant.approve()
    refused(plant, delete(LINES).where(LINES.c.id == plant.line), "deleted")
    with pytest.raises(IntegrityError, match="new row"), plant.connection.begin_nested():
        plant.new_line(plant.order, 3)
    assert plant.connection.scalar(select(LINES.c.line_no).order_by(LINES.c.line_no.desc()).limit(1)) == 2


def test_a_line_is_not_deleted_and_inserted_again(plant: Plant) -> None:
    plant.approve()
    refused(plant, delete(LINES), "deleted")


def test_a_line_never_moves_to_another_order(plant: Plant) -> None:
    plant.connection.execute(update(LINES).values(spec="PS-1"))
    refused(plant, update(LINES).values(order_id=plant.draft_order).where(LINES.c.id == plant.line), "order_id never")
    plant.approve()
    refused(
        plant,
        update(LINES).values(order_id=plant.draft_order, line_no=9).where(LINES.c.id == plant.line),
        "never|line_no",
    )


def test_keys_never_change(plant: Plant) -> None:
    plant.approve()
    refused(plant, update(LINES).values(id=new_id()).where(LINES.c.id == plant.line), "never to change")
    refused(plant, update(ORDERS).values(id=new_id()).where(ORDERS.c.id == plant.draft_order), "never to change")


def test_a_status_does_not_walk_back(plant: Plant) -> None:
    plant.transmit()
    refused(plant, update(ORDERS).values(status="DRAFT").where(ORDERS.c.id == plant.order), "ILLEGAL_TRANSITION")
    refused(plant, update(ORDERS).values(status="APPROVED").where(ORDERS.c.id == plant.order), "ILLEGAL_TRANSITION")


def test_an_approved_order_goes_back_to_draft_only_without_valid_signatures(plant: Plant) -> None:
    signature = plant.approve()
    back = update(ORDERS).values(status="DRAFT", approved_hash=None, approved_at=None).where(ORDERS.c.id == plant.order)
    refused(plant, back, "SIGNED")
    plant.supersede(signature)
    plant.connection.execute(back)
    plant.connection.execute(update(LINES).values(unit_price=Decimal(1)).where(LINES.c.id == plant.line))
    assert plant.fact(PurchaseOrderLine, plant.line, "unit_price") == Decimal("1.0000")


def test_a_hold_goes_back_to_where_it_came_from_only(plant: Plant) -> None:
    plant.move("PENDING_APPROVAL", approved_hash=HASH)
    plant.slot("purchase_order", plant.order)
    lied = (
        update(ORDERS).values(status="ON_HOLD", held_from="APPROVED", hold_reason="x").where(ORDERS.c.id == plant.order)
    )
    refused(plant, lied, "ILLEGAL_TRANSITION")
    plant.move("ON_HOLD", held_from="PENDING_APPROVAL", hold_reason="x")
    refused(plant, update(ORDERS).values(held_from="APPROVED").where(ORDERS.c.id == plant.order), "ILLEGAL_TRANSITION")
    out = update(ORDERS).values(status="APPROVED", held_from=None, hold_reason=None).where(ORDERS.c.id == plant.order)
    refused(plant, out, "ILLEGAL_TRANSITION")
    plant.move("PENDING_APPROVAL", held_from=None, hold_reason=None)


def test_an_order_is_approved_only_when_every_slot_is_signed_on_its_hash(plant: Plant) -> None:
    plant.move("PENDING_APPROVAL", approved_hash=HASH)
    first, second = (
        plant.slot("purchase_order", plant.order),
        plant.slot("purchase_order", plant.order, role="QA_SP", stage=1),
    )
    approve = update(ORDERS).values(status="APPROVED").where(ORDERS.c.id == plant.order)
    refused(plant, approve, "UNSIGNED")
    plant.fill(first, plant.sign("purchase_order", plant.order))
    refused(plant, approve, "UNSIGNED")
    refused(
        plant, update(table(ApprovalSlot)).values(signature_id=plant.sign("purchase_order", plant.order)), "UNSIGNED"
    )
    plant.fill(second, plant.sign("purchase_order", plant.order, signer="max", role="QA_SP"))
    plant.connection.execute(approve)


def test_an_empty_plan_passes(plant: Plant) -> None:
    plant.move("PENDING_APPROVAL", approved_hash=HASH)
    plant.move("APPROVED")


def test_a_slot_takes_only_a_valid_signature_on_its_own_document_and_hash(plant: Plant) -> None:
    plant.move("PENDING_APPROVAL", approved_hash=HASH)
    slot = plant.slot("purchase_order", plant.order)
    slots = table(ApprovalSlot)
    for signature in (
        plant.sign("purchase_order", plant.order, OTHER_HASH),
        plant.sign("purchase_order", plant.draft_order),
        plant.sign("purchase_order", plant.order, status="SUPERSEDED", superseded_at=NOW),
        plant.sign("purchase_order", plant.order, meaning="REJECTED"),
    ):
        refused(plant, update(slots).values(signature_id=signature).where(slots.c.id == slot), "UNSIGNED")
    refused(plant, update(slots).values(record_hash=OTHER_HASH).where(slots.c.id == slot), "UNSIGNED")
    refused(plant, delete(slots).where(slots.c.id == slot), "UNSIGNED")


def test_an_expired_approval_needs_new_signatures(plant: Plant) -> None:
    signature = plant.approve()
    plant.move("APPROVAL_EXPIRED")
    refused(plant, update(ORDERS).values(status="PENDING_APPROVAL").where(ORDERS.c.id == plant.order), "SIGNED")
    plant.supersede(signature)
    plant.move("PENDING_APPROVAL")
    refused(plant, update(ORDERS).values(status="APPROVED").where(ORDERS.c.id == plant.order), "UNSIGNED")


def test_the_end_of_an_approval_is_not_put_off(plant: Plant) -> None:
    plant.approve()
    plant.connection.execute(
        update(ORDERS).values(approval_expires_at=NOW.replace(hour=16)).where(ORDERS.c.id == plant.order)
    )
    refused(plant, update(ORDERS).values(approval_expires_at=NOW.replace(year=2030)), "set once")
    refused(plant, update(ORDERS).values(approval_expires_at=None), "set once")


def test_a_signature_only_ends(plant: Plant) -> None:
    signature = plant.approve()
    signatures = table(Signature)
    for values in ({"content_hash": OTHER_HASH}, {"signer_id": "max"}, {"reason": "other"}, {"printed_name": "Max"}):
        refused(plant, update(signatures).values(**values), "APPEND_ONLY")
    refused(plant, delete(signatures), "kept")
    plant.supersede(signature)
    refused(plant, update(signatures).values(status="VALID", superseded_at=None), "APPEND_ONLY")


def test_a_file_stays_as_it_was_attached(plant: Plant) -> None:
    contents, files = table(AttachmentContent), table(Attachment)
    plant.connection.execute(insert(contents).values(sha256=HASH, content=b"heat 7781", stored_at=NOW))
    row = {"id": new_id(), "owner_type": "purchase_order", "owner_id": plant.order, "file_name": "mill.txt", "size": 9,
           "media_type": "text/plain", "sha256": HASH, "document_no": "", "document_rev": "", "version": 1, "created_at": NOW,
           "created_by": "user:max", "changed_at": NOW, "changed_by": "user:max"}  # fmt: skip
    plant.connection.execute(insert(files).values(**row))
    refused(plant, update(contents).values(content=b"heat 7790"), "APPEND_ONLY")
    refused(plant, update(files).values(owner_id=new_id()), "APPEND_ONLY")
    refused(plant, delete(files), "APPEND_ONLY|kept")
    refused(plant, delete(contents), "APPEND_ONLY|kept")


def test_an_order_is_not_born_approved(plant: Plant) -> None:
    for values in ({"status": "APPROVED", "approved_hash": HASH}, {"status": "PENDING_APPROVAL"}):
        with pytest.raises(IntegrityError, match="ILLEGAL_TRANSITION"), plant.connection.begin_nested():
            plant.new_order("PF-9", **values)


def test_an_erp_order_is_born_beyond_draft_only_without_hash(plant: Plant) -> None:
    with pytest.raises(IntegrityError, match="ILLEGAL_TRANSITION"), plant.connection.begin_nested():
        plant.new_order("PF-9", status="TRANSMITTED", origin="ERP", approved_hash=HASH)
    order = plant.new_order("PF-9", status="TRANSMITTED", origin="ERP")
    line = plant.new_line(order, 1)
    refused(plant, update(LINES).values(quantity=Decimal(1)).where(LINES.c.id == line), "quantity")
    refused(plant, update(ORDERS).values(origin="LOCKSTEP").where(ORDERS.c.id == order), "never to change")


def test_an_erp_order_takes_no_line_later(plant: Plant) -> None:
    order = plant.new_order("PF-9", status="TRANSMITTED", origin="ERP")
    with pytest.raises(IntegrityError, match="new row"), plant.connection.begin_nested():
        plant.new_line(order, 1, created_at=NOW.replace(hour=16))
    plant.connection.execute(update(ORDERS).values(comment="x", version=2).where(ORDERS.c.id == order))
    with pytest.raises(IntegrityError, match="new row"), plant.connection.begin_nested():
        plant.new_line(order, 1)


def test_an_order_with_a_history_is_never_deleted(plant: Plant) -> None:
    signature = plant.approve()
    plant.supersede(signature)
    plant.move("DRAFT", approved_hash=None, approved_at=None)
    plant.connection.execute(delete(LINES).where(LINES.c.order_id == plant.order))
    refused(plant, delete(ORDERS).where(ORDERS.c.id == plant.order), "kept")
    plant.connection.execute(delete(ORDERS).where(ORDERS.c.id == plant.draft_order))


def test_a_submitted_requisition_is_frozen(plant: Plant) -> None:
    requisitions, lines = table(Requisition), table(RequisitionLine)
    plant.connection.execute(update(requisitions).values(status="SUBMITTED", submitted_hash=HASH))
    refused(plant, update(lines).values(quantity=Decimal(99)), "UNCONTROLLED_CHANGE.*quantity")
    refused(plant, update(requisitions).values(requester_id="max"), "requester_id")
    refused(plant, update(requisitions).values(submitted_hash=OTHER_HASH), "submitted_hash")
    plant.connection.execute(update(requisitions).values(status="RETURNED"))
    plant.connection.execute(update(lines).values(quantity=Decimal(99)))


def test_a_requisition_is_approved_on_the_hash_that_was_submitted(plant: Plant) -> None:
    requisitions = table(Requisition)
    plant.connection.execute(update(requisitions).values(status="SUBMITTED", submitted_hash=HASH))
    plant.slot("requisition", plant.requisition)
    refused(plant, update(requisitions).values(status="APPROVED", approved_hash=OTHER_HASH), "UNSIGNED")
    refused(plant, update(requisitions).values(status="APPROVED", approved_hash=HASH), "UNSIGNED")


def test_a_released_revision_is_frozen(plant: Plant) -> None:
    revisions, definitions = table(PartRevision), table(ProductDefinitionRef)
    mine = revisions.c.id == plant.rev_b
    refused(plant, update(revisions).values(rev="Z").where(mine), "rev")
    refused(plant, update(revisions).values(drawing_rev="Z").where(mine), "drawing_rev")
    refused(plant, update(revisions).values(effective_to=NOW.date()).where(mine), "effective_to")
    refused(plant, update(revisions).values(status="DRAFT").where(mine), "ILLEGAL_TRANSITION")
    refused(plant, update(definitions).values(content_hash=OTHER_HASH), "content_hash")
    refused(plant, delete(definitions), "deleted")
    refused(plant, delete(revisions).where(mine), "kept")
    refused(
        plant,
        update(revisions).values(status="RELEASED", released_at=NOW).where(revisions.c.id == plant.rev_c),
        "ILLEGAL|UNCONTROLLED",
    )
    plant.connection.execute(update(revisions).values(drawing_rev="Z").where(revisions.c.id == plant.rev_c))


@pytest.mark.parametrize("door", ["status_transition", "flow_mode", "finding", "audit_event", "decision"])
def test_what_the_guard_rests_on_is_not_written_to(plant: Plant, door: str) -> None:
    transitions, modes = table(StatusTransition), table(FlowMode)
    statements = {
        "status_transition": [
            insert(transitions).values(record_type="purchase_order", from_status="TRANSMITTED", to_status="DRAFT"),
            delete(transitions),
            update(transitions).values(to_status="DRAFT"),
        ],
        "flow_mode": [update(modes).values(mode="OBSERVE"), delete(modes), update(modes).values(flow="x")],
        "finding": [text("DELETE FROM finding"), text("UPDATE finding SET sentence = 'x'")],
        "audit_event": [text("DELETE FROM audit_event"), text("UPDATE audit_event SET new = 'x'")],
        "decision": [text("DELETE FROM decision"), text("UPDATE decision SET verdict = 'approve'")],
    }
    _one_row_each(plant)
    for statement in statements[door]:
        refused(plant, statement, "SEALED|UNCONTROLLED_CHANGE|APPEND_ONLY")


def _one_row_each(plant: Plant) -> None:
    from engine.audit import AuditEvent

    plant.put(
        AuditEvent, record_type="purchase_order", record_id=plant.order, seq=1, action="INSERT", actor="user:bea",
        actor_kind="USER", act_id=new_id(), at=NOW, prev_hash=HASH, hash=HASH,
    )  # fmt: skip
    plant.put(
        KeptFinding, rule="X", effect="WARN", mode="ENFORCE", sentence="s", record_type="t", record_id="1", field="",
        owner="", way_out="", judged_by="", actor="a", act_id="b", at=NOW,
    )  # fmt: skip
    _a_decision(plant)


def _a_decision(plant: Plant) -> None:
    from engine.decisions import Decision

    columns = Decision.__table__.columns
    values = {column.name: "x" for column in columns if not column.nullable}
    values.update(id=new_id(), instance_id=new_id(), seq=1, round=1, decided_at=NOW)
    if plant.database.dialect.name == "sqlite":
        plant.connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        plant.connection.execute(insert(Decision.__table__).values(**values))
        return
    plant.connection.execute(text("ALTER TABLE decision DROP CONSTRAINT fk_decision_instance_id"))
    plant.connection.execute(insert(Decision.__table__).values(**values))


def test_an_approved_item_opens_the_door_exactly_once(plant: Plant) -> None:
    plant.transmit()
    plant.change(PurchaseOrderLine, plant.line, "UPDATE", {"unit_price": ("42.5000", "43.0000")})
    price = update(LINES).where(LINES.c.id == plant.line)
    refused(plant, price.values(unit_price=Decimal("43.0001")), "unit_price")
    refused(plant, update(LINES).values(unit_price=Decimal(43)).where(LINES.c.id == plant.second_line), "unit_price")
    plant.connection.execute(price.values(unit_price=Decimal(43)))
    assert plant.connection.scalar(select(table(ChangeItem).c.applied_at)) is not None
    plant.change(PurchaseOrderLine, plant.line, "UPDATE", {"unit_price": ("43.0000", "42.5000")})
    plant.connection.execute(price.values(unit_price=Decimal("42.5")))
    refused(plant, price.values(unit_price=Decimal(43)), "unit_price")


@pytest.mark.parametrize(
    ("column", "old", "new", "value"),
    [
        ("quantity", "10.000000", "12.500000", Decimal("12.5")),
        ("need_by", None, "2026-12-24", NOW.date().replace(month=12, day=24)),
        ("is_inspection_required", "false", "true", True),
        ("quality_clauses", "[]", '["Q01","Q05"]', ("Q05", "Q01")),
        ("description", "", "turned, é", "turned, é"),
        ("match_level", "3", "4", 4),
    ],
)
def test_items_speak_canonical_text(plant: Plant, column: str, old: str | None, new: str, value: Any) -> None:
    plant.transmit()
    plant.change(PurchaseOrderLine, plant.line, "UPDATE", {column: (old, new)})
    plant.connection.execute(update(LINES).values({column: value}).where(LINES.c.id == plant.line))


def test_a_rate_is_written_in_full_in_an_item(plant: Plant) -> None:
    plant.connection.execute(update(ORDERS).values(fx_rate=Decimal("1.1")))
    plant.transmit()
    plant.change(PurchaseOrder, plant.order, "UPDATE", {"fx_rate": ("1.10000000", "0.05000000")})
    plant.connection.execute(update(ORDERS).values(fx_rate=Decimal("0.05")).where(ORDERS.c.id == plant.order))


def test_an_item_of_too_low_a_class_opens_nothing(plant: Plant) -> None:
    plant.transmit()
    plant.change(PurchaseOrderLine, plant.line, "UPDATE", {"spec": (None, "PS-455")}, change_class=ChangeClass.C2)
    refused(plant, update(LINES).values(spec="PS-455").where(LINES.c.id == plant.line), "spec")


def test_an_unsigned_item_opens_nothing(plant: Plant) -> None:
    plant.transmit()
    plant.change(PurchaseOrderLine, plant.line, "UPDATE", {"unit_price": ("42.5000", "43.0000")}, signed=False)
    refused(plant, update(LINES).values(unit_price=Decimal(43)).where(LINES.c.id == plant.line), "unit_price")


def test_signed_items_are_frozen(plant: Plant) -> None:
    plant.transmit()
    change = plant.change(PurchaseOrderLine, plant.line, "UPDATE", {"unit_price": ("42.5000", "43.0000")})
    items = table(ChangeItem)
    refused(plant, update(items).values(new_text="1.0000"), "APPEND_ONLY")
    refused(plant, delete(items), "kept")
    with pytest.raises(IntegrityError, match="no new item"), plant.connection.begin_nested():
        plant.put(
            ChangeItem, change_type="test_change", change_id=change, change_hash=OTHER_HASH, row_id=plant.line,
            table_name="purchase_order_line", operation="UPDATE", column_name="quantity", old_text="1", new_text="2",
            change_class="C4",
        )  # fmt: skip
    plant.connection.execute(update(LINES).values(unit_price=Decimal(43)).where(LINES.c.id == plant.line))
    refused(plant, update(items).values(applied_at=None), "APPEND_ONLY")


def test_a_line_comes_and_goes_as_an_approved_change_says(plant: Plant) -> None:
    plant.transmit()
    plant.change(PurchaseOrderLine, plant.second_line, "DELETE", {"": (None, None)})
    plant.connection.execute(delete(LINES).where(LINES.c.id == plant.second_line))
    refused(plant, delete(LINES).where(LINES.c.id == plant.line), "deleted")


def test_no_item_opens_a_closed_order(plant: Plant) -> None:
    plant.move("CANCELLED")
    plant.change(
        PurchaseOrderLine, plant.line, "UPDATE", {"unit_price": ("42.5000", "43.0000")}, change_class=ChangeClass.CE
    )
    refused(plant, update(LINES).values(unit_price=Decimal(43)).where(LINES.c.id == plant.line), "unit_price")


def test_in_observe_mode_a_trigger_writes_a_finding_and_lets_pass(plant: Plant) -> None:
    plant.approve()
    modes = table(FlowMode)
    row = plant.connection.scalar(select(modes.c.id).where(modes.c.flow == "requisition_to_po"))
    assert row is not None
    plant.change(FlowMode, row, "UPDATE", {"mode": ("ENFORCE", "OBSERVE")})
    plant.connection.execute(update(modes).values(mode="OBSERVE").where(modes.c.id == row))
    plant.connection.execute(update(LINES).values(unit_price=Decimal(43)).where(LINES.c.id == plant.line))
    found = plant.connection.execute(select(table(KeptFinding))).one()
    assert (found.rule, found.record_id, found.field, found.old_text, found.new_text, found.mode) == (
        "UNCONTROLLED_CHANGE", plant.line, "unit_price", "42.5000", "43.0000", "OBSERVE",
    )  # fmt: skip


def test_replace_takes_no_row_away(sqlite_database: Engine) -> None:
    plant = Plant(sqlite_database)
    with plant.writing() as connection:
        plant.connection = connection
        plant.approve()
        columns = ", ".join(column.name for column in LINES.columns)
        for pragma in ("ON", "OFF"):
            connection.exec_driver_sql(f"PRAGMA recursive_triggers = {pragma}")
            refused(
                plant,
                text(
                    f"INSERT OR REPLACE INTO purchase_order_line ({columns}) SELECT {columns} FROM purchase_order_line"
                ),
                "REPLACED",
            )
            refused(plant, text("UPDATE OR REPLACE purchase_order_line SET line_no = 1"), "REPLACED|line_no")
            refused(plant, text("UPDATE OR REPLACE purchase_order SET proposal_no = 'PF-1'"), "REPLACED|proposal_no")
            refused(plant, text("REPLACE INTO signature SELECT * FROM signature"), "REPLACED")


def test_an_order_is_not_replaced_under_its_number(sqlite_database: Engine) -> None:
    plant = Plant(sqlite_database)
    with plant.writing() as connection:
        plant.connection = connection
        connection.exec_driver_sql("PRAGMA recursive_triggers = OFF")
        row = dict(connection.execute(select(ORDERS).where(ORDERS.c.id == plant.order)).mappings().one())
        plant.approve()
        refused(plant, insert(ORDERS).prefix_with("OR REPLACE").values(**(row | {"id": new_id()})), "REPLACED")


def test_nothing_is_truncated(postgresql_database: Engine) -> None:
    plant = Plant(postgresql_database)
    for name in ("purchase_order_line", "audit_event", "signature", "decision", "change_item"):
        with pytest.raises(IntegrityError, match="truncated"), plant.writing() as connection:
            connection.execute(text(f"TRUNCATE {name} CASCADE"))


def test_a_temporary_table_is_not_taken_for_ours(postgresql_database: Engine) -> None:
    plant = Plant(postgresql_database)
    with plant.writing() as connection:
        plant.connection = connection
        plant.approve()
        connection.execute(text("CREATE TEMP TABLE purchase_order AS SELECT * FROM purchase_order"))
        connection.execute(text("UPDATE pg_temp.purchase_order SET status = 'DRAFT'"))
        refused(plant, text("UPDATE purchase_order_line SET unit_price = 1"), "unit_price")


def test_a_replica_session_is_guarded_too(postgresql_database: Engine) -> None:
    plant = Plant(postgresql_database)
    with plant.writing() as connection:
        plant.connection = connection
        plant.approve()
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        refused(plant, text("UPDATE purchase_order_line SET unit_price = 1"), "unit_price")
