"""What follows an order in the ERP comes in as it is: work orders, receipts, lots and what they became, invoices, amendments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.act import Installation
from processes.genealogy_gaps import gaps_of
from processes.genealogy_trace import Direction, trace
from processes.importing import Report, import_folder
from records.external import Discrepancy, DiscrepancyStatus, Observation
from records.external import move as move_discrepancy
from records.invoice import Invoice, InvoiceStatus, Payable
from records.lot import GenealogyEdge, Lot, LotSource, LotStatus
from records.outside import LinkStatus, OutsideLink
from records.part import PartRevision
from records.purchase_order import LineStatus, PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt, ReceiptStatus
from records.routing import OperationKind, RoutingOperation
from records.work_order import OperationStatus, WorkOrder, WorkOrderStatus
from tests.makers import D, make_cast
from tests.processes.importing import extract
from tests.processes.importing.extract import AMENDMENT, INVOICE, LOT, ORDER, PRODUCTION, SHIPMENT, Rows

Spoil = Callable[[dict[str, Rows]], object]


@pytest.fixture
def house(installation: Installation) -> Installation:
    with installation.acting("user:adam") as act:
        make_cast(act)
    return installation


@pytest.fixture
def bring(house: Installation, tmp_path: Path) -> Callable[..., Report]:
    """Write the small extract with its goods, spoiled or not, and import it."""

    def run(*spoils: Spoil, **options: Any) -> Report:
        def all_of(content: dict[str, Rows]) -> None:
            extract.with_goods(content)
            for spoil in spoils:
                spoil(content)

        return import_folder(house, extract.write(tmp_path / "extract", all_of), **options)

    return run


def cell(file: str, row: int, **cells: str) -> Spoil:
    """Return what changes cells of a row, counted from 0; ``__`` in a name stands for the slash of a path."""
    return lambda content: content[file][row].update({name.replace("__", "/"): value for name, value in cells.items()})


def line_of(session: Session, order: str) -> PurchaseOrderLine:
    wanted = select(PurchaseOrderLine).join(PurchaseOrder).where(PurchaseOrder.proposal_no == f"TRYTON-{order}")
    return session.scalars(wanted).one()


def work_order_of(session: Session, number: str) -> WorkOrder:
    return session.scalars(select(WorkOrder).where(WorkOrder.number == number)).one()


def disagreements(house: Installation) -> dict[str, tuple[str | None, str | None, str]]:
    with house.reading() as session:
        return {one.number: (one.ours, one.theirs, one.status.value) for one in session.scalars(select(Discrepancy))}


def test_a_work_order_arrives_with_its_operations_as_they_stand(
    house: Installation, bring: Callable[..., Report]
) -> None:
    report = bring()
    assert report.errors == []
    assert report.disagreements == []
    with house.reading() as session:
        done, waiting = work_order_of(session, "1"), work_order_of(session, "2")
        assert (done.system, done.native_id, done.origin, done.status) == (
            "TRYTON",
            "1",
            "ERP",
            WorkOrderStatus.COMPLETE,
        )
        assert (waiting.status, waiting.operations) == (WorkOrderStatus.FIRM, [])
        saw, heat = done.operations
        assert (saw.kind, saw.equipment and saw.equipment.code, saw.work_centre and saw.work_centre.code) == (
            OperationKind.INTERNAL, "SAW-1", "SAW",
        )  # fmt: skip
        assert (heat.kind, heat.process_code, heat.is_special, heat.status, heat.good) == (
            OperationKind.OUTSIDE, "HEAT_TREAT", True, OperationStatus.COMPLETE, D("4"),
        )  # fmt: skip
        steps = session.scalars(select(RoutingOperation).order_by(RoutingOperation.op_no)).all()
        assert [(step.number, step.kind) for step in steps] == [
            ("P-2020/D op 10", OperationKind.INTERNAL), ("P-2020/D op 20", OperationKind.OUTSIDE),
        ]  # fmt: skip


def test_an_order_line_names_the_only_operation_that_it_can_be_for(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    with house.reading() as session:
        assert line_of(session, "7").work_order_op == "1/20"


def test_two_operations_of_one_process_leave_open_which_is_meant(
    house: Installation, bring: Callable[..., Report]
) -> None:
    def another_heat_treatment(content: dict[str, Rows]) -> None:
        content[PRODUCTION].insert(
            2, content[PRODUCTION][1] | {"works/id": "9", "works/sequence": "30"},
        )  # fmt: skip

    bring(another_heat_treatment)
    with house.reading() as session:
        assert line_of(session, "7").work_order_op == "1 [CO48391]"


RUNNING = cell(PRODUCTION, 0, state="running", effective_date="")
AT_WORK_OUTSIDE = cell(PRODUCTION, 1, works__state="running")


def test_an_open_outside_operation_is_linked_to_the_line_it_is_bought_on(
    house: Installation, bring: Callable[..., Report]
) -> None:
    report = bring(RUNNING, AT_WORK_OUTSIDE)
    assert (report.errors, report.tallies["links"].new) == ([], 1)
    with house.reading() as session:
        made = session.scalars(select(OutsideLink)).one()
        assert (made.operation.number, made.order_line_id) == ("1/20", line_of(session, "7").id)
        assert (made.status, made.allocated_quantity, made.shipped) == (LinkStatus.PO_LINKED, D("4"), 0)
        assert made.operation.status is OperationStatus.READY
    assert bring(RUNNING, AT_WORK_OUTSIDE).tallies["links"].unchanged == 1


def test_a_link_that_the_rules_refuse_is_a_warning_with_its_place(
    house: Installation, bring: Callable[..., Report]
) -> None:
    def half_a_piece(content: dict[str, Rows]) -> None:
        next(row for row in content[ORDER] if row.get("id") == "7")["lines/quantity"] = "4.5"

    report = bring(RUNNING, AT_WORK_OUTSIDE, half_a_piece)
    [problem] = [problem for problem in report.warnings if problem.code == "NOT_LINKED"]
    assert (problem.file, problem.column, problem.value, problem.row > 1) == (ORDER, "lines/production/id", "1", True)
    with house.reading() as session:
        assert session.scalars(select(OutsideLink)).all() == []


def test_goods_arrive_as_receipts_that_count_on_their_lines(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    with house.reading() as session:
        receipt = session.scalars(select(Receipt)).one()
        line = line_of(session, "6")
        assert (receipt.quantity, receipt.status, receipt.packing_slip) == (D("8"), ReceiptStatus.PUT_AWAY, "PS-1")
        assert receipt.order_line_id == line.id
        assert (line.quantity_received, line.quantity_accepted, line.status) == (D("8"), D("8"), LineStatus.RCVD)
        lot = session.get_one(Lot, receipt.lot_id)
        assert (lot.number, lot.heat, lot.source_id) == ("H-2", "H-2", receipt.id)


def test_a_buyer_who_received_is_pointed_at_and_not_written_as_receiver(
    house: Installation, bring: Callable[..., Report]
) -> None:
    report = bring(cell(SHIPMENT, 0, received_by="Luis Smith, Jr."))
    assert (report.errors, report.codes["SELF_RECEIVED"]) == ([], 1)
    with house.reading() as session:
        assert session.scalars(select(Receipt)).one().received_by == "adapter:erp"


def test_lots_lead_from_the_receipt_to_what_was_made_of_them(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    with house.reading() as session:
        lots = {lot.number: lot for lot in session.scalars(select(Lot))}
        assert {number: (lot.source, lot.quantity, lot.quantity_left) for number, lot in lots.items()} == {
            "H-1": (LotSource.ADJUSTMENT, D("6"), D("1")),
            "H-2": (LotSource.RECEIPT, D("8"), D("6")),
            "SN-1": (LotSource.WORK_ORDER, D("4"), D("4")),
        }
        assert lots["H-1"].source_note == "Opening stock in TRYTON on 2026-06-01"
        forward = trace(session, lots["H-2"], Direction.FORWARD)
        assert {node.number for node in forward.nodes} == {"H-2", "1", "SN-1"}
        assert gaps_of(session, work_order_of(session, "1").id) == []


def test_what_was_issued_before_it_came_is_a_gap_and_keeps_its_number(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring(cell(PRODUCTION, 2, inputs__quantity="11.0"), cell(LOT, 1, quantity="-3.0"))
    with house.reading() as session:
        early = session.scalars(select(Lot).where(Lot.number == "H-2-2")).one()
        assert (early.quantity, early.quantity_left, early.heat, early.is_documented) == (D("3"), 0, "H-2", False)
        [gap] = gaps_of(session, work_order_of(session, "1").id)
        assert "H-2-2" in str(gap)


def test_a_lot_controlled_part_issued_without_a_lot_is_a_gap(house: Installation, bring: Callable[..., Report]) -> None:
    def lot_controlled(content: dict[str, Rows]) -> None:
        content[extract.PRODUCT][2]["template/lot_required"] = "supplier,storage"

    bring(lot_controlled, cell(PRODUCTION, 2, inputs__lot=""))
    with house.reading() as session:
        assert len(gaps_of(session, work_order_of(session, "1").id)) == 1


def test_a_posted_invoice_arrives_settled_and_a_checked_one_waits_for_its_match(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    with house.reading() as session:
        posted, checked = session.scalars(select(Invoice).order_by(Invoice.number)).all()
        assert (posted.number, posted.supplier_invoice_no, posted.status) == (
            "TRYTON-1", "INV-101", InvoiceStatus.MATCHED,
        )  # fmt: skip
        assert checked.status is InvoiceStatus.CAPTURED
        assert line_of(session, "6").quantity_invoiced == D("8")
        assert line_of(session, "7").quantity_invoiced == 0
        assert session.scalars(select(Payable)).one().amount == D("56")


def test_amendments_are_observed_beside_their_order(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    with house.reading() as session:
        seen = session.scalars(select(Observation)).one()
        assert (seen.field, seen.record_id) == ("amendment 1", line_of(session, "6").order_id)
        assert seen.observed == "2026-11-03, in force: line 1, quantity 8, price 7.0000 (Price as quoted)"


def test_a_second_import_changes_nothing(house: Installation, bring: Callable[..., Report]) -> None:
    bring(cell(INVOICE, 0, lines__unit_price="9.0000"))
    kinds = (WorkOrder, Receipt, Lot, GenealogyEdge, Invoice, Payable, Discrepancy, Observation, RoutingOperation)
    with house.reading() as session:
        before = [session.scalar(select(func.count()).select_from(kind)) for kind in kinds]
    again = bring(cell(INVOICE, 0, lines__unit_price="9.0000"))
    assert all(tally.total == tally.unchanged for tally in again.tallies.values())
    with house.reading() as session:
        assert [session.scalar(select(func.count()).select_from(kind)) for kind in kinds] == before


def test_a_dry_run_finds_the_same_and_writes_nothing(house: Installation, bring: Callable[..., Report]) -> None:
    dry = bring(cell(INVOICE, 0, lines__unit_price="9.0000"), is_dry=True)
    assert [str(seen) for seen in dry.disagreements] == ["N6/1 invoice_price: 7.0000 or 9.0000 (invoice 1)"]
    with house.reading() as session:
        for kind in (WorkOrder, Receipt, Lot, Invoice, Discrepancy):
            assert session.scalar(select(func.count()).select_from(kind)) == 0


def test_announced_goods_and_proposed_bills_make_nothing(house: Installation, bring: Callable[..., Report]) -> None:
    report = bring(
        cell(SHIPMENT, 0, state="draft", effective_date="", incoming_moves__state="draft"),
        cell(INVOICE, 0, state="draft", number=""),
        cell(PRODUCTION, 2, inputs__lot="H-1"),
    )
    assert report.errors == []
    with house.reading() as session:
        assert session.scalar(select(func.count()).select_from(Receipt)) == 0
        assert session.scalars(select(Invoice.number)).all() == ["TRYTON-2"]
        assert session.scalar(select(func.count()).select_from(Lot).where(Lot.number == "H-2")) == 0


@pytest.mark.parametrize(
    ("file", "row", "cells", "code", "kind"),
    [
        (SHIPMENT, 0, {"incoming_moves__quantity": "many"}, "BAD_NUMBER", "receipts"),
        (SHIPMENT, 0, {"incoming_moves__quantity": "-8.0"}, "BAD_NUMBER", "receipts"),
        (SHIPMENT, 0, {"incoming_moves__origin__id": "999"}, "UNKNOWN_LINE", "receipts"),
        (SHIPMENT, 0, {"incoming_moves__lot__id": "999"}, "UNKNOWN_LOT", "receipts"),
        (SHIPMENT, 0, {"state": "lost"}, "UNKNOWN_WORD", "receipts"),
        (SHIPMENT, 0, {"effective_date": "", "incoming_moves__effective_date": ""}, "MISSING_VALUE", "receipts"),
        (INVOICE, 0, {"lines__origin__id": "999"}, "UNKNOWN_LINE", "invoices"),
        (INVOICE, 0, {"lines__quantity": "0.0"}, "MISSING_VALUE", "invoices"),
        (INVOICE, 0, {"lines__unit_price": "-7.0"}, "BAD_NUMBER", "invoices"),
        (INVOICE, 0, {"invoice_date": "11/11/2026"}, "BAD_DATE", "invoices"),
        (INVOICE, 0, {"party__id": "6"}, "UNKNOWN_SUPPLIER", "invoices"),
        (INVOICE, 0, {"reference": "—"}, "BAD_TEXT", "invoices"),
        (PRODUCTION, 0, {"quantity": "0"}, "BAD_NUMBER", "work orders"),
        (PRODUCTION, 0, {"product__id": "4"}, "UNKNOWN_PRODUCT", "work orders"),
        (PRODUCTION, 1, {"works__sequence": "10"}, "DOUBLE_STEP", "work orders"),
        (PRODUCTION, 1, {"works__state": "melted"}, "UNKNOWN_WORD", "work orders"),
        (AMENDMENT, 0, {"purchase__id": "999"}, "UNKNOWN_ORDER", "amendments"),
    ],
)
def test_a_bad_cell_leaves_its_document_out_whole_and_names_the_place(
    bring: Callable[..., Report], file: str, row: int, cells: dict[str, str], code: str, kind: str
) -> None:
    report = bring(cell(file, row, **cells), is_dry=True)
    problem = next(problem for problem in report.errors if problem.code == code)
    assert (problem.file, problem.row > 1) == (file, True)
    assert report.tallies[kind].left_out == 1


def test_a_shipment_with_one_bad_move_leaves_nothing_of_itself(
    house: Installation, bring: Callable[..., Report]
) -> None:
    def another(content: dict[str, Rows]) -> None:
        content[SHIPMENT].append(
            {
                "incoming_moves/id": "11", "incoming_moves/state": "done", "incoming_moves/product/id": "3",
                "incoming_moves/quantity": "1.0", "incoming_moves/unit": "Kilogram", "incoming_moves/origin/id": "61",
            }
        )  # fmt: skip

    report = bring(another)
    [error] = [problem for problem in report.errors if problem.file == SHIPMENT]
    assert "they came in KGM" in error.message
    with house.reading() as session:
        assert session.scalar(select(func.count()).select_from(Receipt)) == 0
        assert line_of(session, "6").quantity_received == 0


def test_a_bill_that_also_credits_is_refused(bring: Callable[..., Report]) -> None:
    def credit(content: dict[str, Rows]) -> None:
        line = {"lines/id": "9", "lines/quantity": "-1.0", "lines/unit": "Unit", "lines/unit_price": "7.0"}
        content[INVOICE].insert(1, line | {"lines/origin/id": "61"})

    assert bring(credit, is_dry=True).codes["MIXED_SIGNS"] == 1


def test_a_closed_order_is_counted_once_by_its_receipts(house: Installation, bring: Callable[..., Report]) -> None:
    bring(lambda content: next(row for row in content[ORDER] if row.get("id") == "6").update(state="done"))
    with house.reading() as session:
        line = line_of(session, "6")
        assert (line.status, line.quantity_imported) == (LineStatus.CLOSED, None)
        assert (line.quantity_received, line.quantity_invoiced) == (D("8"), D("8"))
        assert line_of(session, "3").quantity_imported == D("5")


def test_goods_beyond_the_order_are_kept_as_too_much(house: Installation, bring: Callable[..., Report]) -> None:
    bring(cell(SHIPMENT, 0, incoming_moves__quantity="10.0"))
    with house.reading() as session:
        assert session.scalars(select(Receipt)).one().over_quantity == D("2")
        assert line_of(session, "6").quantity_received == D("8")
    assert disagreements(house)["N6 lines.1.received"] == ("8", "10 (shipment 1)", "OPEN")


def test_a_released_work_order_is_compared_and_never_written(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    report = bring(cell(PRODUCTION, 0, quantity="5.0", state="running"))
    assert report.tallies["work orders"].observed == 1
    with house.reading() as session:
        order = work_order_of(session, "1")
        assert (order.quantity, order.status) == (D("4"), WorkOrderStatus.COMPLETE)
    found = disagreements(house)
    assert found["1 quantity"] == ("4.000000", "5.000000", "OPEN")
    assert found["1 status"] == ("COMPLETE", "IN_PROCESS", "OPEN")


def test_a_planned_work_order_follows_the_erp(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    bring(cell(PRODUCTION, 3, quantity="9.0", state="draft"))
    with house.reading() as session:
        order = work_order_of(session, "2")
        assert (order.quantity, order.status) == (D("9"), WorkOrderStatus.PLANNED)


def test_goods_and_bills_move_on_as_the_erp_says(house: Installation, bring: Callable[..., Report]) -> None:
    first = cell(SHIPMENT, 0, state="received", effective_date="")
    bring(first, cell(INVOICE, 0, state="validated"), cell(PRODUCTION, 2, inputs__state="draft"))
    with house.reading() as session:
        assert session.scalars(select(Receipt)).one().status is ReceiptStatus.ARRIVED
        assert session.scalars(select(Lot).where(Lot.number == "H-2")).one().status is LotStatus.QUARANTINE
    report = bring()
    assert report.errors == []
    with house.reading() as session:
        assert session.scalars(select(Receipt)).one().status is ReceiptStatus.PUT_AWAY
        assert session.scalars(select(Lot).where(Lot.number == "H-2")).one().quantity_left == D("6")
        assert line_of(session, "6").quantity_invoiced == D("8")


def test_a_disagreement_is_opened_once_and_resolved_when_the_papers_agree(
    house: Installation, bring: Callable[..., Report]
) -> None:
    dear = cell(INVOICE, 0, lines__unit_price="9.0000")
    bring(dear)
    name = "N6 lines.1.invoice_price"
    assert disagreements(house) == {name: ("7.0000", "9.0000 (invoice 1)", "OPEN")}
    with house.acting("user:bea") as act:
        [one] = act.session.scalars(select(Discrepancy))
        assert (one.kind, one.severity, one.owner) == ("PRICE", "MAJOR", "role:BUYER")
        move_discrepancy(act, one, DiscrepancyStatus.RESOLVED, reason="Agreed on the phone")
    bring(dear)
    assert disagreements(house)[name] == ("7.0000", "9.0000 (invoice 1)", "RESOLVED")
    bring(cell(INVOICE, 0, lines__unit_price="9.5000"))
    assert disagreements(house)[name] == ("7.0000", "9.5000 (invoice 1)", "OPEN")
    bring()
    assert disagreements(house)[name] == ("7.0000", "9.5000 (invoice 1)", "RESOLVED")


def test_files_that_are_not_there_are_named_and_nothing_is_said_about_them(house: Installation, tmp_path: Path) -> None:
    report = import_folder(house, extract.write(tmp_path / "extract"))
    assert report.errors == []
    assert report.absent == [AMENDMENT, INVOICE, LOT, SHIPMENT, PRODUCTION]
    assert any("not in the folder" in line for line in report.lines())
    assert report.disagreements == []


def test_the_ids_of_parts_lead_to_their_revisions(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    with house.reading() as session:
        made = session.scalars(select(Lot).where(Lot.number == "SN-1")).one()
        assert session.get_one(PartRevision, made.part_revision_id).number == "P-2020/D"
