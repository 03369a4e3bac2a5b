"""Files of receipts and invoices: each once, what does not fit told by row, a rehearsal writes nothing."""

from __future__ import annotations

import pytest

from engine.act import Installation
from engine.errors import Invalid
from processes.goods_files import bring_invoices, bring_receipts, rehearse
from tests.goods import Dock
from tests.makers import D


def test_a_file_of_receipts_counts_once_and_leaves_out_what_does_not_fit(plant: Installation) -> None:
    dock = Dock(plant)
    number = dock.order.po_no
    content = (
        f"event_id,order,line_no,quantity,packing_slip\ng-1,{number},1,40,PS-1\ng-2,{number},1,-3,PS-2\ng-3,NONE,1,5,PS-3\n"
    ).encode()
    with plant.acting("adapter:erp") as act:
        rehearsal = rehearse(act, bring_receipts, content)
    assert (rehearsal.recorded, dock.receipts) == (1, [])
    with plant.acting("adapter:erp") as act:
        report = bring_receipts(act, content)
    assert (report.rows, report.recorded, [row for row, _ in report.problems]) == (3, 1, [3, 4])
    with plant.acting("adapter:erp") as act:
        assert bring_receipts(act, content).repeated == 1
    assert dock.figures[0] == D(40)


def test_rows_of_one_number_are_one_invoice(plant: Installation) -> None:
    dock = Dock(plant)
    dock.book(100)
    with plant.reading() as session:
        supplier_no = session.get_one(type(dock.order), dock.order_id).supplier.supplier_no
    head = "supplier_no,invoice_no,currency,invoiced_on,order,line_no,quantity,unit_price\n"
    content = (head + f"{supplier_no},R-1,usd,2026-11-22,{dock.order.po_no},1,60,42.50\n" * 1).encode()
    for recorded, repeated in ((1, 0), (0, 1)):
        with plant.acting("adapter:edi") as act:
            report = bring_invoices(act, content)
        assert (report.recorded, report.repeated, report.problems) == (recorded, repeated, [])
    assert dock.figures[2] == D(60)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"event_id,what\n", b"order,line_no\n", b"a\x00b"])
def test_a_file_that_is_none_is_refused_whole(plant: Installation, content: bytes) -> None:
    with pytest.raises(Invalid), plant.acting("adapter:erp") as act:
        bring_receipts(act, content)
