"""The doors of change control stay closed on both databases against whoever can run SQL; a signed change order opens them once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from engine.database import new_id
from records.approval import ApprovalSlot
from records.change_order import AffectedItem, ChangeOrder, ChangeOrderAddendum, EmergencyBound
from records.part import PartRevision, ProductDefinitionRef
from records.signature import Meaning
from records.supplier import SupplierApproval
from rules.change_control import UNSEALED
from rules.change_item import ChangeItem
from tests.databases import SCHEMA
from tests.rules.plant import HASH, NOW, OTHER_HASH, Plant, table

pytestmark = pytest.mark.begins_with(SCHEMA)  # the plant brings its own people

ORDERS, ITEMS, REVISIONS, DEFINITIONS = (
    table(ChangeOrder), table(ChangeItem), table(PartRevision), table(ProductDefinitionRef),
)  # fmt: skip
AFFECTED, SLOTS = table(AffectedItem), table(ApprovalSlot)
DRAWING = {"table_name": "part_revision", "column_name": "drawing_rev", "old_text": None, "new_text": "C"}


@pytest.fixture
def plant(database: Engine) -> Iterator[Plant]:
    settled = Plant(database)
    with database.execution_options(writes=True).connect() as connection:
        settled.connection = connection
        yield settled
        connection.rollback()


def refused(plant: Plant, statement: Any, sentence: str) -> None:
    """The statement is refused with a sentence, and the transaction can go on without it."""
    with pytest.raises(IntegrityError, match=sentence), plant.connection.begin_nested():
        plant.connection.execute(statement)


class Change:
    """A change order written row by row, as whoever has the database would."""

    def __init__(self, plant: Plant, number: str = "CO-1042", **values: Any) -> None:
        row = {
            "change_class": "C4",
            "title": "Thicker flange",
            "reason": "Cracks",
            "owner": "ella",
            "opened_by": "ella",
        }
        self.plant = plant
        self.id = plant.put(ChangeOrder, number=number, site_id=plant.site, **(row | values))

    def item(self, row_id: str, **values: Any) -> str:
        """Write one item of an order in writing."""
        row = {"change_type": "change_order", "change_id": self.id, "change_hash": UNSEALED, "operation": "UPDATE",
               "change_class": "C4", "row_id": row_id}  # fmt: skip
        return self.plant.put(ChangeItem, **(row | DRAWING | values))

    def set(self, **values: Any) -> Any:
        """Return the statement that writes columns of the order."""
        return update(ORDERS).values(**values).where(ORDERS.c.id == self.id)

    def do(self, **values: Any) -> None:
        """Write columns of the order."""
        self.plant.connection.execute(self.set(**values))

    def seal(self, content: str = HASH) -> None:
        """Bind the items to a content and set it."""
        bound = update(ITEMS).values(change_hash=content)
        self.plant.connection.execute(bound.where(ITEMS.c.change_id == self.id, ITEMS.c.change_hash == UNSEALED))
        self.do(content_hash=content, round=1)

    def review(self, content: str = HASH) -> None:
        """Take it to its board."""
        self.do(status="IMPACT")
        self.seal(content)
        self.do(status="REVIEW")

    def sign(self, content: str = HASH, *, signer: str = "lena", role: str = "ENG_AUTH", stage: int = 1) -> str:
        """Fill a seat."""
        slot = self.plant.slot("change_order", self.id, content, role=role, stage=stage)
        signature = self.plant.sign("change_order", self.id, content, signer=signer, role=role)
        self.plant.fill(slot, signature)
        return signature

    def approve(self, *, role: str = "ENG_AUTH") -> str:
        """Take it through its board."""
        self.review()
        signature = self.sign(role=role)
        self.do(status="APPROVED", approved_at=NOW)
        return signature


def drawing(plant: Plant, value: str = "C") -> Any:
    return update(REVISIONS).values(drawing_rev=value).where(REVISIONS.c.id == plant.rev_b)


def test_a_signed_order_opens_a_frozen_column_once_and_is_not_replayed(plant: Plant) -> None:
    refused(plant, drawing(plant), "drawing_rev")
    change = Change(plant)
    item = change.item(plant.rev_b)
    refused(plant, drawing(plant), "drawing_rev")
    change.approve()
    refused(plant, drawing(plant, "D"), "drawing_rev")
    plant.connection.execute(drawing(plant))
    assert plant.fact(ChangeItem, item, "applied_at") is not None
    refused(plant, update(ITEMS).values(applied_at=None), "APPEND_ONLY")
    back = Change(plant, "CO-1043")
    back.item(plant.rev_b, old_text="C", new_text=None)
    back.approve()
    plant.connection.execute(update(REVISIONS).values(drawing_rev=None).where(REVISIONS.c.id == plant.rev_b))
    refused(plant, drawing(plant), "drawing_rev")


def test_a_revision_is_released_only_as_a_signed_order_says(plant: Plant) -> None:
    mine = REVISIONS.c.id == plant.rev_c
    release = update(REVISIONS).values(status="RELEASED", released_at=NOW).where(mine)
    plant.connection.execute(update(REVISIONS).values(status="IN_REVIEW").where(mine))
    refused(plant, release, "part_revision.status")
    refused(
        plant,
        update(REVISIONS).values(status="SUPERSEDED").where(REVISIONS.c.id == plant.rev_b),
        "part_revision.status",
    )
    change = Change(plant)
    change.item(plant.rev_c, column_name="status", old_text="IN_REVIEW", new_text="RELEASED")
    change.item(plant.rev_b, column_name="status", old_text="RELEASED", new_text="SUPERSEDED")
    change.approve()
    plant.connection.execute(update(REVISIONS).values(status="SUPERSEDED").where(REVISIONS.c.id == plant.rev_b))
    plant.connection.execute(release)
    refused(plant, update(REVISIONS).values(status="IN_REVIEW").where(mine), "ILLEGAL_TRANSITION")


def test_no_insert_takes_the_place_of_a_release(plant: Plant) -> None:
    columns = {"part_id": plant.part, "rev": "D", "status": "RELEASED", "released_at": NOW, "origin": "LOCKSTEP"}
    with pytest.raises(IntegrityError, match="ILLEGAL_TRANSITION"), plant.connection.begin_nested():
        plant.put(PartRevision, **columns)
    row = dict(plant.connection.execute(select(REVISIONS).where(REVISIONS.c.id == plant.rev_b)).mappings().one())
    dialect = postgresql if plant.connection.dialect.name == "postgresql" else sqlite
    upsert = (
        dialect.insert(REVISIONS).values(**row).on_conflict_do_update(index_elements=["id"], set_={"drawing_rev": "Z"})
    )
    refused(plant, upsert, "drawing_rev|ILLEGAL_TRANSITION|REPLACED")
    refused(plant, delete(REVISIONS).where(REVISIONS.c.id == plant.rev_b), "kept")
    refused(plant, update(REVISIONS).values(id=new_id()).where(REVISIONS.c.id == plant.rev_b), "never to change")
    refused(plant, text("UPDATE part_revision SET drawing_rev = 'Z' WHERE status = 'RELEASED'"), "drawing_rev")


def test_references_of_a_released_revision_neither_move_nor_come_and_go(plant: Plant) -> None:
    mine = DEFINITIONS.c.id == plant.routing
    refused(plant, update(DEFINITIONS).values(content_hash=OTHER_HASH).where(mine), "content_hash")
    refused(plant, update(DEFINITIONS).values(part_revision_id=plant.rev_c).where(mine), "never to change")
    refused(plant, delete(DEFINITIONS).where(mine), "deleted")
    row = {"part_revision_id": plant.rev_b, "kind": "BOM", "system": "PLM", "native_id": "B-1", "content_hash": HASH,
           "created_by": "user:otto"}  # fmt: skip
    with pytest.raises(IntegrityError, match="inserted"), plant.connection.begin_nested():
        plant.put(ProductDefinitionRef, **row)
    change = Change(plant)
    change.item(
        plant.routing,
        table_name="product_definition_ref",
        column_name="content_hash",
        old_text=HASH,
        new_text=OTHER_HASH,
    )
    change.approve()
    plant.connection.execute(update(DEFINITIONS).values(content_hash=OTHER_HASH).where(mine))


def test_a_forged_approval_opens_nothing(plant: Plant) -> None:
    change = Change(plant)
    change.item(plant.rev_b)
    refused(plant, change.set(status="APPROVED"), "ILLEGAL_TRANSITION")
    change.review()
    approved = change.set(status="APPROVED", approved_at=NOW)
    refused(plant, approved, "UNSIGNED|SOD-8")
    slot = plant.slot("change_order", change.id, HASH, role="ENG_AUTH")
    refused(plant, approved, "UNSIGNED|SOD-8")
    for wrong in (
        plant.sign("change_order", change.id, OTHER_HASH),
        plant.sign("change_order", new_id(), HASH),
        plant.sign("change_order", change.id, HASH, meaning=Meaning.REJECTED),
    ):
        refused(plant, update(SLOTS).values(signature_id=wrong).where(SLOTS.c.id == slot), "UNSIGNED")
    refused(plant, change.set(content_hash=OTHER_HASH), "content_hash")
    refused(plant, delete(SLOTS), "stay")
    refused(plant, drawing(plant), "drawing_rev")
    with pytest.raises(IntegrityError, match="ILLEGAL_TRANSITION"), plant.connection.begin_nested():
        Change(plant, "CO-1043", status="APPROVED", content_hash=HASH)


def test_what_the_board_reads_does_not_change_under_it(plant: Plant) -> None:
    change = Change(plant)
    item = change.item(plant.rev_b)
    affected = plant.put(AffectedItem, change_order_id=change.id, position=1, part_revision_from_id=plant.rev_b,
                         part_revision_to_id=plant.rev_c, action="REVISE", interchangeable="NO")  # fmt: skip
    change.review()
    for values in (
        {"title": "x"},
        {"change_class": "C3"},
        {"effectivity_kind": "NEXT_BUILD"},
        {"impact_hash": HASH},
        {"round": 0},
    ):
        refused(plant, change.set(**values), f"change_order.{next(iter(values))}")
    refused(plant, update(ITEMS).values(new_text="Z").where(ITEMS.c.id == item), "UNCONTROLLED_CHANGE")
    refused(plant, delete(ITEMS).where(ITEMS.c.id == item), "UNCONTROLLED_CHANGE|kept")
    with pytest.raises(IntegrityError, match="UNCONTROLLED_CHANGE"), plant.connection.begin_nested():
        change.item(plant.rev_b, column_name="drawing_doc")
    with pytest.raises(IntegrityError, match="UNCONTROLLED_CHANGE"), plant.connection.begin_nested():
        change.item(plant.rev_b, column_name="drawing_doc", change_hash=HASH)
    refused(plant, update(AFFECTED).values(action="SUPERSEDE").where(AFFECTED.c.id == affected), "affected_item.action")
    refused(plant, delete(AFFECTED), "deleted")
    refused(plant, delete(ORDERS).where(ORDERS.c.id == change.id), "kept")
    refused(plant, change.set(number="CO-1"), "never to change")


def test_an_unsealed_order_reaches_no_board(plant: Plant) -> None:
    change = Change(plant)
    change.item(plant.rev_b)
    change.do(status="IMPACT")
    refused(plant, change.set(status="REVIEW"), "UNSEALED")
    change.do(content_hash=HASH)
    refused(plant, change.set(status="REVIEW"), "UNSEALED")


def test_an_approved_order_goes_back_only_without_its_signatures_and_opens_nothing_then(plant: Plant) -> None:
    change = Change(plant)
    change.item(plant.rev_b)
    signature = change.approve()
    refused(plant, change.set(status="DRAFT"), "ILLEGAL_TRANSITION")
    refused(plant, change.set(status="IMPACT"), "SIGNED")
    plant.supersede(signature)
    refused(plant, drawing(plant), "drawing_rev")
    change.do(status="IMPACT", approved_at=None)
    refused(plant, drawing(plant), "drawing_rev")
    change.do(status="WITHDRAWN")
    refused(plant, drawing(plant), "drawing_rev")


def test_a_withdrawn_order_opens_nothing_although_it_was_signed(plant: Plant) -> None:
    change = Change(plant)
    change.item(plant.rev_b)
    change.approve()
    change.do(status="WITHDRAWN")
    refused(plant, drawing(plant), "drawing_rev")


def test_an_emergency_needs_two_people_and_keeps_to_its_bounds(plant: Plant) -> None:
    change = Change(plant, "EC-17", change_class="CE", expires_at=NOW)
    bound = plant.put(
        EmergencyBound, change_order_id=change.id, position=1, kind="SERIAL", record_id="", first="0005", last="0009"
    )
    change.item(plant.rev_b)
    change.seal()
    active = change.set(status="EMERGENCY_ACTIVE")
    refused(plant, active, "UNSIGNED|SOD-8")
    change.sign(signer="lena", stage=1)
    refused(plant, active, "SOD-8")
    change.sign(signer="lena", role="QA_ENG", stage=2)
    refused(plant, active, "SOD-8")
    change.sign(signer="max", role="QA_ENG", stage=3)
    plant.connection.execute(active)
    bounds = table(EmergencyBound)
    refused(plant, update(bounds).values(last="0010").where(bounds.c.id == bound), "emergency_bound.last")
    plant.connection.execute(drawing(plant))


def test_a_supplier_approval_changes_only_with_the_signature_of_quality(plant: Plant) -> None:
    approvals = table(SupplierApproval)
    approval = plant.put(SupplierApproval, supplier_id=plant.supplier, subject="PART", subject_code="P-200", status="APPROVED",
                         valid_from=NOW.date(), valid_to=NOW.date(), basis="AUDIT",
                         approved_signature_id=plant.sign("supplier_approval", new_id(), role="SQ"))  # fmt: skip
    longer = update(approvals).values(valid_to=NOW.date().replace(year=2027)).where(approvals.c.id == approval)
    item = {
        "table_name": "supplier_approval",
        "column_name": "valid_to",
        "old_text": "2026-11-22",
        "new_text": "2027-11-22",
    }
    refused(plant, longer, "valid_to")
    unsigned = Change(plant)
    unsigned.item(approval, **item)
    unsigned.approve(role="ENG_AUTH")
    refused(plant, longer, "valid_to")
    signed = Change(plant, "CO-1043")
    signed.item(approval, **item)
    signed.approve(role="SQ")
    plant.connection.execute(longer)


def test_the_effectivity_of_an_approved_order_moves_by_a_signed_addendum_alone(plant: Plant) -> None:
    change = Change(plant, effectivity_kind="DATE", effectivity_value="2027-01-01")
    change.approve()
    later = change.set(effectivity_value="2027-02-01")
    refused(plant, later, "effectivity_value")
    addendum = plant.put(ChangeOrderAddendum, number="CO-1042/1", change_order_id=change.id, addendum_no=1, kind="EFFECTIVITY",
                         reason="Tools are late", content="{}", content_hash=OTHER_HASH, proposed_by="ella")  # fmt: skip
    plant.put(ChangeItem, change_type="change_order_addendum", change_id=addendum, change_hash=OTHER_HASH, operation="UPDATE",
              table_name="change_order", row_id=change.id, column_name="effectivity_value", old_text="2027-01-01",
              new_text="2027-02-01", change_class="C4")  # fmt: skip
    addenda = table(ChangeOrderAddendum)
    approve = update(addenda).values(status="APPROVED", approved_at=NOW).where(addenda.c.id == addendum)
    refused(plant, approve, "UNSIGNED")
    slot = plant.slot("change_order_addendum", addendum, OTHER_HASH)
    plant.fill(slot, plant.sign("change_order_addendum", addendum, OTHER_HASH))
    refused(plant, later, "effectivity_value")
    plant.connection.execute(approve)
    plant.connection.execute(later)
    refused(plant, change.set(effectivity_value="2027-01-01"), "effectivity_value")


def test_replace_takes_no_change_order_and_no_item_away(sqlite_database: Engine) -> None:
    plant = Plant(sqlite_database)
    with plant.writing() as connection:
        plant.connection = connection
        change = Change(plant)
        change.item(plant.rev_b)
        change.approve()
        for name in ("change_order", "change_item", "part_revision"):
            refused(plant, text(f"REPLACE INTO {name} SELECT * FROM {name}"), "REPLACED|UNCONTROLLED|ILLEGAL|APPEND")


def test_change_control_is_not_truncated(postgresql_database: Engine) -> None:
    plant = Plant(postgresql_database)
    for name in ("change_order", "affected_item", "part_revision"):
        with pytest.raises(IntegrityError, match="truncated"), plant.writing() as connection:
            connection.execute(text(f"TRUNCATE {name} CASCADE"))
