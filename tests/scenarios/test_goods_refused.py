"""What cannot be at the dock and in accounts payable: refused by page and by API with a reason, and nothing has moved."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from engine.act import Installation
from processes.genealogy_gaps import GapKind, gaps_of
from processes.goods_files import bring_receipts
from records.certificate import Certificate
from records.invoice import Invoice, Payable
from records.lot import Lot
from records.nonconformance import Nonconformance
from records.outside import OutsideMovement, OutsideSerial
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt
from records.work_order import WorkOrderOperation
from tests.clock import SettableClock
from tests.goods import Dock
from tests.outside import OutsideStory, ready_link
from tests.people import ana, rita, sam
from tests.webapp.api.conftest import Calling
from tests.webapp.conftest import People

MOVING = (Receipt, OutsideMovement, OutsideSerial, Invoice, Payable, Lot, Nonconformance, Certificate)
Stand = tuple[object, ...]


@pytest.fixture
def outside(house: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in the plant with what is sent to a heat treater."""
    return OutsideStory(house, clock)


def stand(house: Installation) -> Stand:
    """Return everything that a delivery, a return or an invoice could have moved."""
    with house.reading() as session:
        rows = [session.scalar(select(func.count()).select_from(kind)) for kind in MOVING]
        wanted = select(
            PurchaseOrderLine.quantity_received,
            PurchaseOrderLine.quantity_accepted,
            PurchaseOrderLine.quantity_invoiced,
        ).order_by(PurchaseOrderLine.id)
        steps = select(WorkOrderOperation.status, WorkOrderOperation.good).order_by(WorkOrderOperation.id)
        return (rows, session.execute(wanted).all(), session.execute(steps).all())


def ship_serials(outside: OutsideStory) -> str:
    outside.ready(3, serial=True).ship(3, serials=("A1", "A2", "A3"))
    return outside.link.id


RETURNS: dict[str, tuple[dict[str, Any], str, str]] = {
    "more than was shipped": ({"serials": "A1 A2 A3", "scrap": "1"}, "CON-13", "3 left"),
    "a serial number that never left": ({"serials": "A1 B9"}, "CON-13", "B9 did not"),
    "pieces without their serial numbers": ({"good": "2"}, "INVALID", "serial numbers"),
    "a unit that nothing converts": ({"good": "2", "uom": "KGM"}, "CON-12", "nothing converts"),
}


@pytest.mark.parametrize("what", RETURNS)
def test_a_return_that_cannot_be_moves_nothing_by_page_or_api(
    browse: People, calling: Calling, outside: OutsideStory, what: str
) -> None:
    """The page offers no other unit where the line has none; a form that names one all the same is refused as well."""
    link_id = ship_serials(outside)
    before, balance = stand(outside.installation), outside.balance()
    form, code, said = RETURNS[what]
    page = browse(sam)
    refused = page.post(f"/outside/{link_id}/return", {"event": "form-1"} | form)
    assert (refused.status_code in (409, 422), said in page.text) == (True, True), page.text
    body = form | {name: form[name].split() for name in ("serials", "scrap_serials") if name in form}
    body |= {"good": str(len(body["serials"]))} if "serials" in body and "good" not in body else {}
    answer = calling(sam).post(f"/outside-links/{link_id}/returns", {"event_id": "api-1"} | body)
    assert (answer.json["code"], said in answer.text) == (code, True), answer.text
    assert (stand(outside.installation), outside.balance()) == (before, balance)


def test_a_delivery_in_a_unit_that_nothing_converts_moves_nothing(
    browse: People, calling: Calling, house: Installation
) -> None:
    """The page counts in the line's unit and asks for none: a unit that is typed into its address or form changes nothing."""
    dock = Dock(house)
    before = stand(house)
    body = {"order_id": dock.order_id, "line_no": 1, "quantity": "5", "uom": "KGM", "event_id": "erp-1"}
    answer = calling("adapter:erp").post("/receipts", body)
    assert (answer.status_code, answer.json["code"]) == (409, "CON-12")
    assert stand(house) == before
    page = browse(sam)
    shown = page.get(f"/orders/{dock.order_id}/receive").text
    assert ('name="quantity"' in shown, 'name="uom"' in shown) == (True, False)
    typed = {"line": "1", "quantity": "5 KGM", "event_id": "form-1"}
    assert page.post(f"/orders/{dock.order_id}/receive", typed).status_code == 422
    assert stand(house) == before


@pytest.mark.parametrize("quantity", ["-5", "0", "0.5", "1e400", "many"])
def test_a_delivery_of_no_whole_pieces_moves_nothing(
    browse: People, calling: Calling, house: Installation, quantity: str
) -> None:
    dock = Dock(house)
    before = stand(house)
    page = browse(sam)
    typed = {"line": "1", "quantity": quantity, "event_id": "form-1"}
    assert page.post(f"/orders/{dock.order_id}/receive", typed).status_code == 422
    body = {"order_id": dock.order_id, "line_no": 1, "quantity": quantity, "event_id": "erp-1"}
    assert calling("adapter:erp").post("/receipts", body).status_code == 422
    assert stand(house) == before


def test_one_serial_number_twice_is_not_two_pieces(browse: People, calling: Calling, house: Installation) -> None:
    dock = Dock(house, part_fields={"lot_control": "SERIAL"})
    before = stand(house)
    page = browse(sam)
    typed = {"line": "1", "quantity": "2", "serials": "S1 S1", "event_id": "form-1"}
    assert page.post(f"/orders/{dock.order_id}/receive", typed).status_code == 422
    assert "one is there twice" in page.text
    body = {"order_id": dock.order_id, "line_no": 1, "quantity": "2", "serials": ["S1", "S1"], "event_id": "erp-1"}
    assert calling("adapter:erp").post("/receipts", body).status_code == 422
    assert stand(house) == before


def test_an_invoice_for_another_suppliers_order_moves_nothing(
    browse: People, calling: Calling, house: Installation
) -> None:
    """The page begins with the order, whose supplier it takes: no form can bill it to another one, whatever is sent along."""
    dock, stranger = Dock(house), Dock(house).order.supplier_id
    dock.book(40)
    before = stand(house)
    line = {"order_id": dock.order_id, "line_no": 1, "quantity": "40", "unit_price": "42.50"}
    bill = {
        "supplier_id": stranger, "invoice_no": "R-2", "currency": "USD", "invoiced_on": "2026-11-22", "event_id": "b-2", "lines": [line],
    }  # fmt: skip
    answer = calling(ana).post("/invoices", bill)
    assert (answer.status_code in (409, 422), "Expected" in answer.json["detail"]) == (True, True), answer.text
    assert stand(house) == before
    typed = {
        "supplier_id": stranger, "invoice_no": "R-2", "currency": "USD", "invoiced_on": "2026-11-22", "event_id": "form-2",
        "lines.1.quantity": "40", "lines.1.unit_price": "42.50",
    }  # fmt: skip
    assert browse(ana).post(f"/orders/{dock.order_id}/invoice", typed).status_code == 303
    with house.reading() as session:
        (made,) = session.scalars(select(Invoice))
        assert made.supplier_id == dock.order.supplier_id != stranger


def test_the_same_delivery_from_two_systems_counts_once_whichever_comes_first(
    browse: People, calling: Calling, house: Installation
) -> None:
    """The page is the second system here: what the ERP booked under a packing slip is not booked again by hand."""
    dock = Dock(house)
    body = {"order_id": dock.order_id, "line_no": 1, "quantity": "40", "packing_slip": "PS-1", "event_id": "e-1"}
    erp = calling("adapter:erp")
    assert erp.post("/receipts", body | {"system": "ERP"}).json["answer"] == "recorded"
    before = stand(house)
    again = erp.post("/receipts", body | {"system": "WMS", "event_id": "w-1"})
    assert (again.status_code, again.json["code"]) == (409, "DUPLICATE_RECEIPT")
    assert erp.post("/receipts", body | {"system": "ERP"}).json["answer"] == "already handled"
    page = browse(sam)
    typed = {"line": "1", "quantity": "40", "packing_slip": "PS-1", "event_id": "form-1"}
    assert page.post(f"/orders/{dock.order_id}/receive", typed).status_code == 409
    assert "PS-1" in page.text
    assert stand(house) == before


@ready_link
def test_one_return_told_by_two_callers_under_one_event_counts_once(calling: Calling, outside: OutsideStory) -> None:
    outside.ready(24).ship(24)
    path = f"/outside-links/{outside.link.id}/returns"
    assert calling(sam).post(path, {"event_id": "asn-7", "good": "20"}).status_code == 200
    before, balance = stand(outside.installation), outside.balance()
    assert calling("adapter:edi").post(path, {"event_id": "asn-7", "good": "20"}).status_code == 200
    assert calling(rita).post(path, {"event_id": "asn-9", "good": "1"}).status_code == 403
    assert (stand(outside.installation), outside.balance()) == (before, balance)


@ready_link
def test_our_own_pieces_are_counted_in_under_their_link_and_by_no_door_on_the_order_line(
    browse: People, calling: Calling, outside: OutsideStory
) -> None:
    outside.ready(24).ship(24)
    before, balance, line = stand(outside.installation), outside.balance(), outside.link.order_line
    body = {"order_id": line.order_id, "line_no": line.line_no, "quantity": "20", "event_id": "e-1"}
    told = calling("adapter:erp").post("/receipts", body | {"system": "ERP", "packing_slip": "NS-1"})
    assert (told.status_code, told.json["code"]) == (409, "BALANCE_OPEN")
    page = browse(sam)
    typed = {"line": str(line.line_no), "quantity": "20", "packing_slip": "NS-1", "event_id": "form-1"}
    assert page.post(f"/orders/{line.order_id}/receive", typed).status_code == 409
    assert outside.link.number in page.text
    number = outside.read(lambda session: session.get_one(PurchaseOrder, line.order_id).po_no)
    file = f"order,line_no,quantity,event_id,packing_slip\n{number},{line.line_no},20,f-1,NS-1\n".encode()
    with outside.installation.acting("adapter:erp") as act:
        report = bring_receipts(act, file)
    assert (report.recorded, "are away" in report.problems[0][1]) == (0, True)
    assert (stand(outside.installation), outside.balance()) == (before, balance)


def test_strangers_that_another_system_tells_of_are_refused_and_quality_finds_one_investigation(
    browse: People, calling: Calling, outside: OutsideStory
) -> None:
    """CON-13, B17: blocked and kept apart. A person at the dock presses for it, with what was read filled in."""
    link_id = ship_serials(outside)
    moved, balance = stand(outside.installation)[1:], outside.balance()
    told = {"event_id": "asn-8", "serials": ["A1", "B9"]}
    for _ in range(2):
        assert calling("adapter:edi").post(f"/outside-links/{link_id}/returns", told).json["code"] == "CON-13"
    [raised] = outside.read(lambda session: list(session.scalars(select(Nonconformance))))
    assert (raised.about_id, raised.serials, raised.status, raised.owner) == (link_id, "A1 B9", "OPEN", "role:QA_ENG")
    page = browse(sam)
    page.post(f"/outside/{link_id}/return", {"event": "form-1", "serials": "A1 B9"})
    assert ("Open the investigation" in page.text, 'value="B9"' in page.page.text) == (True, True)
    stray = {"quantity": "1", "serials": ["B9"], "text": "In the same box"}
    assert calling(sam).post(f"/outside-links/{link_id}/strays", stray).status_code == 200
    assert (stand(outside.installation)[1:], outside.balance()) == (moved, balance)
    gaps = outside.read(lambda session: gaps_of(session, outside.operation.work_order_id))
    assert [gap.kind for gap in gaps] == [GapKind.UNDECIDED, GapKind.UNDECIDED]
