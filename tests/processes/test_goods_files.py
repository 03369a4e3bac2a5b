"""Files of receipts and invoices: each once, what does not fit told by row, a rehearsal writes nothing."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select

from engine.act import Installation
from engine.errors import Invalid
from processes.certificate_files import bring_certificates
from processes.goods_files import bring_invoices, bring_receipts, rehearse
from records.attachment import attachments_of
from records.certificate import Certificate
from tests.goods import PDF, Dock
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


def test_certificates_of_a_file_are_kept_once_with_their_documents_and_told_by_row_and_column(
    plant: Installation,
) -> None:
    dock = Dock(plant, certificates=("COC",))
    other = Dock(plant)
    receipt, number = dock.book(40).receipts[0], dock.order.po_no
    elsewhere = other.book(3).receipts[0]
    head = "event_id,order,line_no,receipt,type,issuer,file,lots,process_date,quantity,sha256\n"
    rows = [
        f"c-1,{number},1,{receipt.number},coc,NorthStar,coc.pdf,L-1 L-2,2026-11-21,40,",
        f"c-2,{number},1,{receipt.number},COC,NorthStar,gone.pdf,,,,",
        f"c-3,{number},1,{elsewhere.number},COC,NorthStar,coc.pdf,,,,",
        f"c-4,{number},1,,DIPLOMA,NorthStar,coc.pdf,,,,",
        f"c-5,{number},1,,COC,NorthStar,coc.pdf,,,-1,",
        f"c-6,{number},1,,COC,NorthStar,coc.pdf,,yesterday,,",
        f"c-7,{number},1,,COC,NorthStar,coc.pdf,,,,{'0' * 64}",
        f"c-8,{number},9,,COC,NorthStar,coc.pdf,,,,",
        f"c-9,{number},1,,COC,,coc.pdf,,,,",
        f"c-10,{number},1,RCV-0,COC,NorthStar,coc.pdf,,,,",
        f"c-11,{number},1,,COC,NorthStar,coc.exe,,,,",
    ]
    content = (head + "\n".join(rows) + "\n").encode()
    folder = {"coc.pdf": PDF, "coc.exe": b"MZ"}

    def documents(name: str) -> bytes:
        if name not in folder:
            raise Invalid(f"Expected a document, but found {name}", {"file": "is not there"})
        return folder[name]

    bring = partial(bring_certificates, documents=documents)

    def kept() -> list[tuple[str, tuple[str, ...]]]:
        with plant.reading() as session:
            found = session.scalars(select(Certificate))
            return [(one.status.value, one.lots) for one in found if attachments_of(session, "certificate", one.id)]

    with plant.acting("adapter:edi") as act:
        assert (rehearse(act, bring, content).recorded, kept()) == (1, [])
    with plant.acting("adapter:edi") as act:
        report = bring(act, content)
    assert (report.rows, report.recorded, [row for row, _ in report.problems]) == (11, 1, list(range(3, 13)))
    named = ["file", "", "type", "quantity", "process_date", "sha256", "line_no", "issuer", "receipt", "file"]
    for (_, sentence), column in zip(report.problems, named, strict=True):
        assert sentence.startswith("Expected ")
        assert f"({column} " in sentence or not column, sentence
    assert kept() == [("PRESENTED", ("L-1", "L-2"))]
    with plant.acting("adapter:edi") as act:
        again = bring(act, content)
    assert (again.recorded, again.repeated, len(kept())) == (0, 1, 1)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"event_id,what\n", b"order,line_no\n", b"a\x00b"])
def test_a_file_that_is_none_is_refused_whole(plant: Installation, content: bytes) -> None:
    with pytest.raises(Invalid), plant.acting("adapter:erp") as act:
        bring_receipts(act, content)
