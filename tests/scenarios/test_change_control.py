"""Change control as an expert and an intruder try it, on both databases (D13, D14, W31, W32)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from engine.act import Act
from engine.audit import AuditEvent
from engine.errors import Refused, RuleViolation
from processes import change_orders
from processes.outside_links import link
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.origin import Origin
from records.outside import OutsideLink
from records.part import PartRevision, ProductDefinitionRef, RevisionStatus
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.work_order import WorkOrderOperation
from rules.change_item import ChangeItem
from rules.triggers import install_guard, remove_guard
from tests.changes import opened, revised, signed
from tests.makers import D, make_order_to_receive, make_part, make_revision, make_work_order
from tests.outside import make_heat_treater, make_outside_work
from tests.people import bea, rita
from tests.story import Story
from tests.webapp.api.conftest import Calling, problem
from tests.webapp.conftest import People
from webapp.cli import main

S = ChangeOrderStatus


def in_review(act: Act, before: PartRevision) -> ChangeOrder:
    """Open a change order that is to release revision C, and send it to its board."""
    after = make_revision(act, before.part, "C", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None)
    order = opened(act)
    change_orders.add_item(act, order, before, after)
    change_orders.take_baseline(act, order)
    move(act, order, S.IMPACT)
    return change_orders.send_to_review(act, order)


def test_a_line_of_another_revision_is_not_linked_and_the_change_it_waits_for_is_named(story: Story) -> None:
    """D13: WO-7001 of P-200 rev B, an outside line of rev C."""

    def arrange(act: Act) -> tuple[str, str]:
        work = make_outside_work(act)
        assert work.part_revision is not None
        make_heat_treater(act)
        in_review(act, work.part_revision)
        newer = act.session.scalars(select(PartRevision).where(PartRevision.rev == "C")).one()
        fields = {"process_code": "HEAT_TREAT", "spec": "PS-455", "spec_rev": "D"}
        line = make_order_to_receive(act, (newer, 24, "18.00"), line_fields=fields).lines[0]
        return work.operations[2].id, line.id

    operation_id, line_id = story.given(arrange)

    def link_up(act: Act) -> None:
        operation = act.session.get_one(WorkOrderOperation, operation_id)
        link(act, operation, act.session.get_one(PurchaseOrderLine, line_id), quantity=D(24))

    with pytest.raises(RuleViolation) as refusal:
        story.given(link_up)
    (finding,) = [one for one in refusal.value.findings if one.rule == "CON-01"]
    assert {str(finding.old)[-1], str(finding.new)[-1]} == {"B", "C"}
    assert "CO-000001 not effective" in finding.sentence
    assert story.read(lambda session: session.scalars(select(OutsideLink)).all()) == []


def test_an_order_against_an_unreleased_revision_is_blocked_with_a_link_to_the_open_change(
    story: Story, calling: Calling
) -> None:
    """W32: blocked with rule, revision, owner and a link to the change."""
    story.as_(rita).start("requisition_to_po", lines=[("P-200", 10)])
    order = story.order

    def change(act: Act) -> None:
        line = act.session.get_one(PurchaseOrder, order.id).lines[0]
        assert line.part_revision is not None
        in_review(act, line.part_revision)

    story.given(change)
    client, path = calling(bea), f"/orders/{order.id}"
    body = {"lines": [{"line_no": 1, "part_revision": "P-200/C"}]}
    refused = problem(client.patch(path, body, match=client.tag(path)), 409, "CON-07")
    (finding,) = refused["findings"]
    assert (finding["rule"], finding["owner"]) == ("CON-07", "role:ENG_AUTH")
    assert "P-200/C is DRAFT (CO-000001 is REVIEW, not effective)" in finding["sentence"]
    assert "CO-000001 (Thicker flange) releases it" in finding["way_out"]


def test_a_work_order_of_an_unreleased_revision_is_not_released_and_its_page_links_the_change(
    story: Story, browse: People
) -> None:
    """W32 on the page: rule, revision, owner, and one click to the change."""

    def arrange(act: Act) -> str:
        before = make_revision(act, make_part(act, "P-900"), "B")
        in_review(act, before)
        newer = act.session.scalars(
            select(PartRevision).where(PartRevision.rev == "C", PartRevision.part_id == before.part_id)
        )
        return make_work_order(act, newer.one(), status="PLANNED", origin=Origin.LOCKSTEP, system="LOCKSTEP").id

    work_id = story.given(arrange)
    page = browse(rita)
    assert page.post(f"/work-orders/{work_id}/firm").status_code == 303
    answer = page.post(f"/work-orders/{work_id}/release")
    assert answer.status_code == 409
    for said in ("CON-07", "P-900/C", "CO-000001 is REVIEW", "Engineering authority"):
        assert said in page.text
    assert '<a href="/changes/CO-000001">CO-000001</a>' in answer.text
    assert "P-900/C" in page.get("/changes/CO-000001").text


def orm(session: Session, revision: PartRevision) -> None:
    session.get_one(PartRevision, revision.id).drawing_rev = "Z"
    session.flush()


def orm_status(session: Session, revision: PartRevision) -> None:
    session.get_one(PartRevision, revision.id).status = RevisionStatus.OBSOLETE
    session.flush()


def orm_bulk(session: Session, revision: PartRevision) -> None:
    session.execute(update(PartRevision).where(PartRevision.id == revision.id).values(drawing_rev="Z"))


def bulk_mappings(session: Session, revision: PartRevision) -> None:
    session.bulk_update_mappings(
        PartRevision.__mapper__, [{"id": revision.id, "drawing_rev": "Z", "version": revision.version}]
    )


def core(session: Session, revision: PartRevision) -> None:
    table = PartRevision.__table__
    session.connection().execute(update(table).where(table.c.id == revision.id).values(drawing_rev="Z"))


def raw(session: Session, revision: PartRevision) -> None:
    session.connection().execute(text("UPDATE part_revision SET status = 'OBSOLETE' WHERE rev = 'B'"))


def reference(session: Session, revision: PartRevision) -> None:
    session.add(
        ProductDefinitionRef(
            part_revision=session.get_one(PartRevision, revision.id), part_revision_id=revision.id, kind="BOM", system="PLM",
            native_id="B-1", content_hash="a" * 64,
        )
    )  # fmt: skip
    session.flush()


def gone(session: Session, revision: PartRevision) -> None:
    session.delete(session.get_one(PartRevision, revision.id))
    session.flush()


def forged_item(session: Session, revision: PartRevision) -> None:
    order = session.scalars(select(ChangeOrder)).one()
    session.connection().execute(
        insert(ChangeItem.__table__).values(
            id="01990000-0000-7000-8000-000000000001", version=1, created_at=order.created_at, created_by="user:eve",
            changed_at=order.created_at, changed_by="user:eve", change_type="change_order", change_id=order.id,
            change_hash=order.content_hash, table_name="part_revision", row_id=revision.id, operation="UPDATE",
            column_name="drawing_rev", old_text=None, new_text="Z", change_class="C4",
        )
    )  # fmt: skip


def forged_approval(session: Session, revision: PartRevision) -> None:
    session.scalars(select(ChangeOrder)).one().status = S.APPROVED
    session.flush()


def walked_back(session: Session, revision: PartRevision) -> None:
    session.scalars(select(ChangeOrder)).one().status = S.DRAFT
    session.flush()


def without_board(session: Session, revision: PartRevision) -> None:
    session.connection().execute(delete(ChangeItem.__table__))


DOORS: list[Callable[[Session, PartRevision], None]] = [
    orm, orm_status, orm_bulk, bulk_mappings, core, raw, reference, gone, forged_item, forged_approval, walked_back, without_board,
]  # fmt: skip


def test_no_door_changes_a_released_revision_or_what_a_board_reads(story: Story) -> None:
    """D14: every way in is refused, and each attempt is in the chain of the row it was about."""

    def arrange(act: Act) -> str:
        before = make_revision(act, make_part(act, "P-900"), "B")
        in_review(act, before)
        return before.id

    def attempts() -> int:
        wanted = select(AuditEvent).where(AuditEvent.action == "REFUSED", AuditEvent.actor == "user:eve")
        return len(story.read(lambda session: session.scalars(wanted).all()))

    revision_id = story.given(arrange)
    story.after(hours=1)
    for turn, door in enumerate(DOORS, start=1):
        with pytest.raises(Refused), story.installation.acting("user:eve") as act:
            door(act.session, act.session.get_one(PartRevision, revision_id))
        revision = story.read(lambda session: session.get_one(PartRevision, revision_id))
        order = story.read(lambda session: session.scalars(select(ChangeOrder)).one())
        stands = (revision.status, revision.drawing_rev, order.status)
        assert stands == (RevisionStatus.RELEASED, None, S.REVIEW), door.__name__
        assert attempts() == turn, door.__name__


def test_a_replayed_change_order_changes_nothing_twice(story: Story) -> None:
    def arrange(act: Act) -> tuple[str, str]:
        revision = make_revision(act, make_part(act, "P-900"), "B")
        order = opened(act)
        change_orders.add_edit(act, order, revision, "drawing_rev", "C")
        signed(act, order)
        change_orders.apply(act, order)
        return order.id, revision.id

    order_id, revision_id = story.given(arrange)
    assert story.given(lambda act: change_orders.apply(act, act.session.get_one(ChangeOrder, order_id))) == []
    with pytest.raises(RuleViolation, match="drawing rev"), story.installation.acting("user:eve") as act:
        act.session.get_one(PartRevision, revision_id).drawing_rev = None
    with pytest.raises(Refused, match=r"used once|a used one used"), story.installation.acting("user:eve") as act:
        act.session.connection().execute(update(ChangeItem.__table__).values(applied_at=None))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("change_order", "title", "Thinner flange"), ("part_revision", "drawing_rev", "Z"), ("change_item", "new_text", "Z")],
)  # fmt: skip
@pytest.mark.parametrize("is_tidy", [False, True], ids=["guard gone", "guard put back"])
def test_what_only_an_owner_of_the_database_can_do_is_named_with_record_and_row(
    story: Story, table: str, column: str, value: str, is_tidy: bool
) -> None:
    """W31: exactly the record and the row of its chain, for a change order, its items and what they set."""

    def arrange(act: Act) -> dict[str, str]:
        order, before, _ = revised(act)
        change_orders.add_edit(act, order, before, "drawing_rev", "C")
        signed(act, order)
        item = next(one for one in change_orders.items_of(act.session, order) if one.column_name == "drawing_rev")
        return {"change_order": order.id, "part_revision": before.id, "change_item": item.id}

    record_id = story.given(arrange)[table]
    wanted = select(func.max(AuditEvent.seq)).where(AuditEvent.record_id == record_id, AuditEvent.field == column)
    row = story.read(lambda session: session.scalar(wanted))
    database = story.installation.database
    with database.execution_options(writes=True).begin() as connection:
        remove_guard(connection)
        assert (
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = '{value}' WHERE id = '{record_id}'").rowcount
            == 1
        )
        if is_tidy:
            install_guard(connection)
    database.dispose()
    url = database.url.render_as_string(hide_password=False)
    result = CliRunner().invoke(main, ["--database", url, "verify", "--json"])
    told: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(one["record_type"], one["record_id"], one["seq"]) for one in told["breaks"]] == [(table, record_id, row)]
    assert bool(told["guard"]) != is_tidy
