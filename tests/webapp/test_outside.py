"""The pages of outside work: the board, the link, the forms of the dock, the papers."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy import select

from engine.act import Installation
from processes import work_order_files
from processes.packing_list import packing_list_pdf
from records.amendment import AmendmentKind, PurchaseOrderAmendment
from records.nonconformance import Nonconformance
from records.outside import LinkStatus, OutsideMovement
from records.outside_loss import OutsideLoss
from records.purchase_order import PurchaseOrderLine
from records.work_order import OperationStatus
from tests.clock import SettableClock
from tests.outside import OutsideStory, ready_link
from tests.pdf_text import words_of
from tests.people import PASSWORD, bea, otto, quinn, rita, sam
from tests.webapp.browser import path_of
from tests.webapp.conftest import People


@pytest.fixture
def outside(house: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in the plant of the pages."""
    return OutsideStory(house, clock)


def sheet(outside: OutsideStory) -> str:
    """Return the words of the newest packing list."""

    def ask(session: object) -> bytes:
        wanted = select(OutsideMovement).order_by(OutsideMovement.id.desc()).limit(1)
        return packing_list_pdf(session, session.scalars(wanted).one())

    return words_of(outside.read(ask))


def test_a_packing_list_says_what_is_needed_and_neither_price_nor_routing(outside: OutsideStory) -> None:
    outside.ready(2, serial=True).ship(2, serials=("SN-0001", "SN-0002"))
    words, link = sheet(outside), outside.link
    work = outside.operation.work_order
    for said in (
        link.order.number, work.number, "operation 30", work.item, "PS-455 rev D", "SN-0001", "SN-0002", "2026-12-11",
        "Heat treatment certificate", "NorthStar", link.movements[0].packing_list_no, "2 coupons of heat 7781",
    ):  # fmt: skip
        assert str(said) in words, said
    for unsaid in (
        "18.00",
        "18.0",
        "36.00",
        "USD",
        "Mill profile",
        "Saw blank",
        "Inspect and mark",
        "operation 40",
        "74.00",
    ):
        assert unsaid not in words, unsaid


@ready_link
def test_the_board_shows_one_line_for_each_link_with_what_is_next(browse: People, outside: OutsideStory) -> None:
    outside.ready()
    browser = browse(sam)
    browser.get("/outside")
    for said in (outside.link.number, outside.operation.number, "NorthStar", "Ready to ship", "Ship", "Missing"):
        assert said in browser.text, said
    assert browser.get(f"/outside?q={outside.link.number}").status_code == 302
    browser.get("/outside?q=no-such-number")
    assert "No link fits" in browser.text


def test_every_code_that_travels_with_the_pieces_leads_to_their_link(browse: People, outside: OutsideStory) -> None:
    outside.ready(2, serial=True).ship(2, serials=("A1", "A2"))
    link, browser = outside.link, browse(sam)
    line = outside.read(lambda session: session.get_one(PurchaseOrderLine, link.order_line_id))
    slip = link.movements[0].packing_list_no
    number = f"{link.order.number}/{line.line_no}"
    for code in (outside.operation.number, outside.operation.work_order.number, number, f"K{number}", "A2", slip):
        answer = browser.get(f"/outside?q={code}")
        assert (answer.status_code, path_of(answer)) == (302, f"/outside/{link.id}"), code
    outside.take_back(1, serials=("A2",))
    assert browser.get("/outside?q=A2").status_code == 200
    assert browser.get("/outside?q=A1").status_code == 302


@ready_link
def test_the_codes_on_a_traveller_are_what_the_pages_look_up(
    browse: People, outside: OutsideStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reader of pictures is at hand, so that what the encoder is given is compared with what the pages understand."""
    outside.ready()
    given: list[str] = []
    encode = work_order_files.qr_svg
    monkeypatch.setattr(work_order_files, "qr_svg", lambda text: given.append(text) or encode(text))
    work = outside.operation.work_order
    sheet = browse(sam).get(f"/work-orders/{work.id}/traveller.pdf")
    assert (sheet.status_code, sheet.data[:5]) == (200, b"%PDF-")
    assert set(given) == {work.number, *(f"{work.number}/{op_no}" for op_no in (10, 20, 30, 40))}
    assert path_of(browse(sam).get(f"/outside?q={outside.operation.number}")) == f"/outside/{outside.link.id}"


@ready_link
def test_the_board_is_filtered_by_supplier_lateness_and_hold(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship()
    browser, number = browse(sam), outside.link.number
    assert number in browser.get("/outside?state=away").text
    assert number not in browser.get("/outside?state=late").text
    assert number not in browser.get("/outside?state=hold").text
    assert number in browser.get(f"/outside?supplier={outside.link.order.supplier_id}").text
    outside.after(days=25)
    assert number in browse(sam).get("/outside?state=late").text


@ready_link
def test_the_board_leaves_as_csv(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship().take_back(20, 1)
    answer = browse(sam).get("/outside.csv")
    [row] = list(csv.DictReader(io.StringIO(answer.text)))
    counts = {name: row[name] for name in ("allocated", "shipped", "good", "scrap", "lost", "recalled", "at_supplier")}
    assert counts == {
        "allocated": "24", "shipped": "24", "good": "20", "scrap": "1", "lost": "0", "recalled": "0", "at_supplier": "3",
    }  # fmt: skip
    assert (row["link"], row["status"], row["next"]) == (outside.link.number, "PART_RETURNED", "Take back")


@ready_link
def test_the_dock_ships_once_however_often_the_form_is_sent(browse: People, outside: OutsideStory) -> None:
    outside.ready()
    browser, path = browse(sam), f"/outside/{outside.link.id}/ship"
    browser.get(path)
    given = {
        "event": browser.field("event"),
        "quantity": "24",
        "uom": "EA",
        "carrier": "Milkrun",
        "return_by": "2026-12-10",
    }
    assert browser.post(path, given).status_code == 303
    assert browser.post(path, given).status_code == 303
    assert outside.balance() == (24, 0, 0, 0, 0, 24)
    browser.get(f"/outside/{outside.link.id}")
    assert "PL-" in browser.text
    movement = outside.link.movements[0]
    assert browser.get(f"/outside/{outside.link.id}/packing-lists/{movement.id}.pdf").data.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quantity": "23"}, "say that the rest follows"),
        ({"quantity": "25"}, "at most 24 EA"),
        ({"quantity": "24", "uom": "KGM"}, "CON-12"),
        ({"quantity": "many"}, "Expected a number"),
        ({"quantity": "24", "event": ""}, "names no event"),
    ],
)
@ready_link
def test_what_does_not_fit_is_refused_on_the_form_with_nothing_moved(
    browse: People, outside: OutsideStory, given: dict[str, str], said: str
) -> None:
    outside.ready()
    browser, path = browse(sam), f"/outside/{outside.link.id}/ship"
    browser.get(path)
    answer = browser.post(path, {"event": "one", "uom": "EA", "carrier": "kept"} | given)
    assert answer.status_code in (409, 422)
    assert said in browser.text
    assert browser.field("carrier") == "kept"
    assert outside.balance()[0] == 0


def test_scanned_serial_numbers_are_counted_and_strangers_refused(browse: People, outside: OutsideStory) -> None:
    outside.ready(3, serial=True)
    browser, path = browse(sam), f"/outside/{outside.link.id}"
    assert browser.post(f"{path}/ship", {"event": "s", "serials": "A1\r\nA2\r\nA3\r\n"}).status_code == 303
    assert browser.post(f"{path}/return", {"event": "r", "serials": "A1\nB9"}).status_code == 409
    assert "B9 did not" in browser.text
    assert browser.post(f"{path}/return", {"event": "r", "serials": "A1\nA2", "scrap_serials": "A3"}).status_code == 303
    assert outside.balance() == (3, 2, 1, 0, 0, 0)


@ready_link
def test_every_field_of_a_page_with_several_forms_has_an_id_and_a_label_of_its_own(
    browse: People, outside: OutsideStory
) -> None:
    outside.ready().ship()
    dock = browse(sam)
    page = dock.get(f"/outside/{outside.link.id}").text
    ids = re.findall(r'\bid="(field-[^"]+)"', page)
    assert len(ids) > len({each.rsplit("-", 1)[0] if each[-1].isdigit() else each for each in ids})
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<label for="(field-[^"]+)"', page)) == set(ids)


@ready_link
def test_only_shipping_ships_and_the_page_says_why(browse: People, outside: OutsideStory) -> None:
    outside.ready()
    path = f"/outside/{outside.link.id}"
    browser = browse(otto)
    browser.get(path)
    assert "does this" in browser.text
    assert browser.post(f"{path}/ship", {"event": "x", "quantity": "24"}).status_code == 403
    assert browser.get("/outside/01990000-0000-7000-8000-000000000000").status_code == 404
    assert browser.get("/outside/not-an-id").status_code == 404


@ready_link
def test_losses_recalls_notices_and_undoing_are_booked_on_the_page(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship()
    path = f"/outside/{outside.link.id}"
    planner = browse(rita)
    assert planner.post(f"{path}/lost", {"event": "l", "quantity": "2", "statement": " "}).status_code == 422
    assert (
        planner.post(
            f"{path}/lost", {"event": "l", "quantity": "2", "statement": "Letter 7", "follow_up": "REDUCE"}
        ).status_code
        == 303
    )
    assert (
        planner.post(f"{path}/recall", {"event": "c", "quantity": "4", "reason": "Engineering asks"}).status_code == 303
    )
    assert outside.balance() == (24, 0, 0, 2, 4, 18)
    quality = browse(quinn)
    given = {"event": "n", "kind": "NONCONFORMANCE", "text": "Quench delayed by 40 s"}
    assert quality.post(f"{path}/notice", given).status_code == 303
    outside.settle()
    assert (outside.link.status, outside.link.hold_rule) == (LinkStatus.HOLD, "AS-8.4.3")
    assert "decide_notice" in outside.steps
    outside.as_("quinn").decide("decide_notice", "accept", answer="Go on")
    assert outside.link.status is LinkStatus.PART_RETURNED


@ready_link
def test_what_never_left_is_reported_and_counts_for_nothing(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship()
    browser, path = browse(sam), f"/outside/{outside.link.id}"
    assert browser.post(f"{path}/surplus", {"stray_quantity": "3", "stray_text": "27 in the box"}).status_code == 303
    [raised] = outside.read(lambda session: session.scalars(select(Nonconformance)).all())
    assert (raised.about_number, raised.quantity) == (outside.link.number, 3)
    assert outside.balance() == (24, 0, 0, 0, 0, 24)


@ready_link
def test_a_shipment_is_undone_while_the_carrier_has_not_come(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship()
    path, movement = f"/outside/{outside.link.id}", outside.link.movements[0]
    browser = browse(sam)
    given = {"event": "u", "movement": movement.id, "reason": "Wrong pallet"}
    assert browser.post(f"{path}/undo", given).status_code == 303
    outside.settle().settle()
    assert (outside.balance(), outside.link.status) == ((0, 0, 0, 0, 0, 0), LinkStatus.READY_TO_SHIP)
    assert (outside.steps, outside.incidents) == (["ship_parts"], [])


@ready_link
def test_every_tab_of_a_link_and_the_operations_page_open(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship().take_back(24)
    browser = browse(rita)
    for tab in ("summary", "process", "papers", "discussion", "history"):
        assert browser.get(f"/outside/{outside.link.id}?tab={tab}").status_code == 200
    browser.get(f"/outside/operations/{outside.operation_id}")
    assert outside.link.number in browser.text


def test_an_operation_is_linked_with_a_line_on_its_page(browse: People, outside: OutsideStory) -> None:
    outside.begin()
    path = f"/outside/operations/{outside.operation_id}"
    line_id = outside.read(lambda session: session.scalars(select(PurchaseOrderLine.id)).one())
    assert "Link with an order line" not in browse(otto).get(path).text
    browser = browse(rita)
    assert "Link with an order line" in browser.get(path).text
    given = {"order_line": line_id, "quantity": "24"}
    assert browser.post(f"{path}/link", given | {"quantity": "some"}).status_code == 422
    assert browser.post(f"{path}/link", given | {"order_line": "x"}).status_code == 422
    assert outside.links == []
    assert browser.post(f"{path}/link", given).status_code == 303
    assert browser.post(f"{path}/link", given).status_code == 303
    assert [link.status for link in outside.links] == [LinkStatus.PO_LINKED]


@ready_link
def test_work_that_is_called_off_is_undone_on_the_page_in_reverse_order(browse: People, outside: OutsideStory) -> None:
    """B25: the shipment by a negative row, then the link, then the order by an amendment; the operation is ready again."""
    outside.ready().ship()
    path, movement, order_id = f"/outside/{outside.link.id}", outside.link.movements[0], outside.link.order.id
    dock = browse(sam)
    undone = {"event": "u", "movement": movement.id, "reason": "The carrier did not come"}
    assert dock.post(f"{path}/undo", undone).status_code == 303
    assert dock.post(f"{path}/undo", undone).status_code == 303
    rows = [(one.kind.value, one.quantity, one.reverses_id) for one in outside.link.movements]
    assert rows == [("SHIP_OUT", 24, None), ("SHIP_OUT", -24, movement.id)]
    assert (outside.balance(), outside.operation.status) == ((0, 0, 0, 0, 0, 0), OperationStatus.READY)
    planner = browse(rita)
    assert planner.post(f"{path}/end", {"reason": " "}).status_code == 422
    assert planner.post(f"{path}/end", {"reason": "Customer cancelled"}).status_code == 303
    outside.settle()
    outside.watch()
    assert (outside.link.status, outside.operation.status) == (LinkStatus.CANCELLED, OperationStatus.READY)
    [amendment] = outside.read(lambda session: list(session.scalars(select(PurchaseOrderAmendment))))
    assert (amendment.order_id, amendment.kind, outside.incidents) == (order_id, AmendmentKind.CANCELLATION, [])
    planner.get(path)
    assert "Cancelled" in planner.text


@ready_link
def test_a_loss_is_signed_by_planner_and_buyer_on_its_page(browse: People, outside: OutsideStory) -> None:
    outside.ready().ship()
    planner, given = browse(rita), {"event": "l", "quantity": "2", "statement": "Letter 7", "follow_up": "REPLENISH"}
    assert planner.post(f"/outside/{outside.link.id}/lost", given | {"follow_up": ""}).status_code == 422
    assert planner.post(f"/outside/{outside.link.id}/lost", given).status_code == 303
    loss = outside.read(lambda session: session.scalars(select(OutsideLoss)).one())
    path = f"/outside/losses/{loss.id}"
    for member, meaning in ((rita, "AUTHORED"), (bea, "REVIEWED")):
        browser = browse(member)
        browser.get(path)
        assert "not signed yet" in browser.text
        form = {
            "meaning": meaning, "user_id": member.id, "password": PASSWORD, "accepts_responsibility": "true",
            "seen_hash": loss.approved_hash, "reason": "",
        }  # fmt: skip
        assert browser.post(path, form | {"password": "another"}).status_code in {403, 422}
        assert browser.post(path, form).status_code == 303
    browser.get(path)
    assert ("Settled" in browser.text, "Made again as" in browser.text) == (True, True)
    assert browse(otto).post(f"{path}/anew", {"follow_up": "REDUCE"}).status_code == 403
    assert browser.get("/outside/losses/not-an-id").status_code == 404


@ready_link
def test_more_than_left_goes_into_quarantine_as_a_nonconformance_of_the_link(
    browse: People, outside: OutsideStory
) -> None:
    """B17, CON-13: nothing moves; what is surplus is kept apart for quality."""
    outside.ready().ship()
    path, dock = f"/outside/{outside.link.id}", browse(sam)
    receiving = f"/orders/{outside.link.order.id}/receive"
    assert dock.get(f"{receiving}?line=1").location.endswith(f"{path}/return"), "our own pieces are no purchase"
    booked = dock.post(receiving, {"line": "1", "quantity": "24", "event_id": "x"})
    assert (booked.status_code, "counted in under" in dock.text) == (409, True)
    assert dock.post(f"{path}/return", {"event": "r", "good": "26"}).status_code == 409
    assert "Keep them apart" in dock.text
    assert outside.balance() == (24, 0, 0, 0, 0, 24)
    surplus = {"stray_quantity": "2", "stray_text": "Two brackets more than we sent"}
    assert dock.post(f"{path}/surplus", surplus).status_code == 303
    [found] = outside.read(lambda session: list(session.scalars(select(Nonconformance))))
    assert (found.about_id, found.quantity, outside.balance()) == (outside.link.id, 2, (24, 0, 0, 0, 0, 24))
