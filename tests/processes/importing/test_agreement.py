"""Papers disagree when they state one fact and cannot both be right; what is only unfinished agrees."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from processes.importing.agreement import FIELDS, Tolerance, disagreements
from processes.importing.papers import Change, Entry, Operation, Order, OrderLine, Papers, WorkOrder
from rules.policy import table_called
from tests.makers import D

NAMED = [re.compile(r"\bWO ?#? ?(?P<number>\d+)(?: op (?P<op>\d+))?")]
DAY = dt.date(2026, 11, 2)
LATER = dt.date(2026, 11, 9)

GOODS = OrderLine("1", 1, "RM-1", False, D("10"), "KGM", D("7.0000"), "")
SERVICE = OrderLine("2", 2, "SV-HT", True, D("4"), "EA", D("50.0000"), "", process="HEAT_TREAT", work_order="9")
ORDER = Order("1", "ACKNOWLEDGED", "S1", "USD", "", "RECEIVED", False, (GOODS, SERVICE))
RECEIPT = Entry("shipment 1", "1", "S1", "USD", "RM-1", D("10"), "KGM", DAY)
BILL = replace(RECEIPT, paper="invoice 1", price=D("7.0000"))
SERVICE_BILL = Entry("invoice 2", "2", "S1", "USD", "SV-HT", D("4"), "EA", DAY, D("50.0000"))
OUTSIDE = Operation(20, "Heat treat", "HEAT_TREAT", False)
WORK_ORDER = WorkOrder("9", "77", "IN_PROCESS", D("4"), (Operation(10, "Mill", "", True), OUTSIDE), None)

Spoil = Callable[[Papers], object]


def papers(*spoils: Spoil) -> Papers:
    """Return papers that agree, spoiled as told."""
    made = Papers(has_receipts=True)
    made.order(ORDER)
    made.receive(RECEIPT)
    made.bill(BILL)
    made.bill(SERVICE_BILL)
    made.work_orders["9"] = WORK_ORDER
    for spoil in spoils:
        spoil(made)
    return made


def found(*spoils: Spoil) -> list[tuple[str, str, str]]:
    return [(one.field, one.ours, one.theirs) for one in disagreements(papers(*spoils), NAMED)]


def order(**changes: object) -> Spoil:
    return lambda made: made.order(replace(made.orders["1"], **changes))


def line(position: int, **changes: object) -> Spoil:
    def spoil(made: Papers) -> None:
        lines = list(made.orders["1"].lines)
        lines[position] = replace(lines[position], **changes)
        made.order(replace(made.orders["1"], lines=tuple(lines)))

    return spoil


def receipt(**changes: object) -> Spoil:
    return lambda made: made.receipts.update({"1": [replace(RECEIPT, **changes)]})


def bills(*which: Entry) -> Spoil:
    return lambda made: made.bills.update({"1": list(which)})


def bill(**changes: object) -> Spoil:
    return bills(replace(BILL, **changes))


def change(**values: object) -> Spoil:
    return lambda made: made.change(replace(Change("1", LATER), **values))


def work_order(**changes: object) -> Spoil:
    return lambda made: made.work_orders.update({"9": replace(WORK_ORDER, **changes)})


DONE = work_order(operations=(replace(OUTSIDE, is_complete=True),))


def test_the_table_says_what_to_do_about_every_field() -> None:
    for field in FIELDS:
        assert table_called("document_agreement").judge(field=field).row.outputs["owner"]


def test_papers_that_agree_are_not_reported() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("spoils", "expected"),
    [
        ([bill(price=D("7.2000"))], ("invoice_price", "7.0000", "7.2000")),
        ([bill(price=D("6.8000"))], ("invoice_price", "7.0000", "6.8000")),
        ([bill(quantity=D("11"))], ("invoiced", "10", "11")),
        ([receipt(quantity=D("9"))], ("invoiced", "9", "10")),
        ([receipt(quantity=D("12")), bill(quantity=D("12"))], ("received", "10", "12")),
        ([bill(supplier="S2")], ("other_supplier", "S1", "S2")),
        ([receipt(supplier="S2"), bill(supplier="S2")], ("other_supplier", "S1", "S2")),
        ([bill(currency="EUR")], ("other_currency", "USD", "EUR")),
        ([bill(item="RM-2")], ("other_item", "RM-1", "RM-2")),
        ([receipt(uom="MTR")], ("other_unit", "KGM", "MTR")),
        ([work_order(quantity=D("6"))], ("work_order_quantity", "4", "6")),
        ([order(status="DRAFT"), DONE], ("operation_status", "DRAFT", "COMPLETE")),
        ([work_order(status="COMPLETE", made=D("3"))], ("made_quantity", "4", "3")),
        ([line(0, rev="B", text="rev C per DWG")], ("revision_named", "B", "C")),
        ([line(1, work_order="", text="For WO 77 op 10")], ("operation_named", "10 HEAT_TREAT", "10 Mill")),
        ([line(1, work_order="", text="WO#77 op 90")], ("operation_named", "90 HEAT_TREAT", "no operation 90")),
        ([line(1, work_order="", text="WO 77", process="NDT")], ("operation_named", "NDT", "20 Heat treat")),
        ([order(billing="ORDERED", is_complete=True), receipt(quantity=D("8"))], ("invoiced", "8", "10")),
    ],
)  # fmt: skip
def test_each_disagreement_is_found_once_with_both_values(spoils: list[Spoil], expected: tuple[str, str, str]) -> None:
    assert found(*spoils) == [expected]


@pytest.mark.parametrize(
    "spoils",
    [
        [bill(price=D("7.1400"))],
        [receipt(quantity=D("4")), bill(quantity=D("4"))],
        [bills()],
        [order(billing="ORDERED"), receipt(quantity=D("4"))],
        [order(billing="ORDERED"), lambda made: made.receipts.clear()],
        [bills(replace(BILL, quantity=D("12")), replace(BILL, paper="invoice 3", quantity=D("-2")))],
        [receipt(quantity=D("4")), bill(quantity=D("4"), price=D("9.0000")), change(line="1", unit_price=D("7.0000"))],
        [receipt(quantity=D("4"), supplier="S2"), bill(quantity=D("4"), supplier="S2"), change(supplier="S1")],
        [order(status="CANCELLED"), bill(price=D("99.0000"))],
        [work_order(status="CANCELLED", quantity=D("6"))],
        [order(status="DRAFT")],
        [line(0, rev="B", text="rev per traveler, rev B per DWG")],
        [line(1, work_order="", text="WO 77 op 20")],
        [line(1, work_order="", text="WO 99 op 20")],
        [line(1, work_order="", text="WO 77"), work_order(operations=())],
        [work_order(made=D("1"))],
    ],
)  # fmt: skip
def test_what_is_unfinished_or_was_right_on_its_day_agrees(spoils: list[Spoil]) -> None:
    assert found(*spoils) == []


def test_an_amendment_after_everything_was_billed_can_never_take_effect() -> None:
    assert found(bill(price=D("9.0000")), change(line="1", unit_price=D("7.0000"))) == [
        ("invoice_price", "7.0000", "9.0000")
    ]
    moved = found(receipt(supplier="S2"), bill(supplier="S2"), change(supplier="S1"))
    assert moved == [("other_supplier", "S1", "S2")]


def test_another_supplier_after_the_order_was_moved_is_wrong_even_in_part() -> None:
    late = replace(BILL, quantity=D("1"), supplier="S2", day=LATER + dt.timedelta(days=1))
    assert found(change(supplier="S1"), bills(late)) == [("other_supplier", "S1", "S2")]


def test_lines_of_one_work_order_and_process_count_together() -> None:
    half = replace(SERVICE, quantity=D("2"))
    both = order(lines=(GOODS, half, replace(half, native_id="3", line_no=3)))
    assert found(both, lambda made: made.bills.pop("2")) == []


def test_an_order_that_names_the_work_order_in_its_text_was_placed_too() -> None:
    def placed(made: Papers) -> None:
        by_hand = replace(SERVICE, native_id="8", work_order="", text="For WO 77")
        made.order(replace(ORDER, native_id="2", lines=(by_hand,)))

    assert found(order(status="DRAFT"), DONE, placed) == []


def test_without_receipts_nothing_is_said_about_what_came() -> None:
    def blind(made: Papers) -> None:
        made.has_receipts = False
        made.receipts.clear()

    assert found(blind) == []


@pytest.mark.parametrize(
    ("tolerance", "difference", "quantity", "allowed"),
    [
        (Tolerance(D("2"), D("50")), "0.1400", "10", True),
        (Tolerance(D("2"), D("50")), "0.1401", "10", False),
        (Tolerance(D("2"), D("50")), "0.1400", "400", False),
        (Tolerance(D("2"), D("50")), "-0.1250", "-400", True),
        (Tolerance(D("2"), None), "0.1400", "400", True),
        (Tolerance(None, None), "0.0001", "1", False),
    ],
)
def test_the_tighter_of_percent_and_amount_wins(
    tolerance: Tolerance, difference: str, quantity: str, allowed: bool
) -> None:
    assert tolerance.allows(D(difference), base=D("7.0000"), quantity=D(quantity)) is allowed


def test_a_percentage_is_of_a_price_to_four_decimals() -> None:
    assert Tolerance(D("2"), D("50")).allows(D("0.5110"), base=D("25.5488"), quantity=D("36"))
