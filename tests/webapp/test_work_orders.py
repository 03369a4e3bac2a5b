"""The pages of work orders: lists, forms for each type, what may be done and why not, traveller, files, resources."""

from __future__ import annotations

import io
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from processes import work_order_files, work_orders
from records.actual import Actual
from records.work_order import WorkOrder, WorkOrderStatus
from tests.makers import (
    D,
    make_instruction,
    make_nonconformance,
    make_part,
    make_person,
    make_resource,
    make_revision,
    make_routing,
    make_work_centre,
    make_work_order,
)
from tests.people import max_, otto, quinn, rita
from tests.story import Story
from tests.webapp.conftest import People

CSV = b"""system,event_id,kind,work_order,op_no,quantity,uom,item,lot,unit_cost,good,performer
MES,e-1,LABOUR,WO-7001,10,2,HUR,,,,,B-1007
MES,e-2,MATERIAL,WO-7001,,10,EA,BAR,HEAT-7781,42.50,,
MES,e-3,QUANTITY,WO-7001,10,,,,,,4,
"""


@pytest.fixture
def seven(story: Story) -> str:
    """The id of WO-7001: ten pieces, released by the MES."""

    def arrange(act: Act) -> str:
        make_part(act, "BAR")
        make_person(act, user_id="otto")
        return make_work_order(act, number="WO-7001").id

    made: str = story.given(arrange)
    return made


def status_of(story: Story, order_id: str) -> WorkOrderStatus:
    found: WorkOrderStatus = story.read(lambda session: session.get_one(WorkOrder, order_id).status)
    return found


def test_the_list_always_shows_the_system(browse: People, story: Story) -> None:
    story.given(lambda act: [make_work_order(act, number="WO-1", system=system) for system in ("MES", "ERP")])
    page = browse(max_).get("/work-orders").text
    assert page.count("WO-1</a>") == 2
    assert "MES" in page
    assert "ERP" in page
    assert "WO-1" not in browse(max_).get("/work-orders?state=CLOSED").text
    assert "WO-1</a>" in browse(max_).get("/work-orders?q=wo-1").text


def test_every_tab_of_a_work_order_opens(browse: People, story: Story, seven: str) -> None:
    with story.installation.acting("adapter:mes") as act:
        work_order_files.bring_events(act, CSV)
    browser = browse(quinn)
    for tab, words in (
        ("summary", "Heat treat"), ("actuals", "lot HEAT-7781"), ("cost", "595.00"), ("quality", "Nothing is known"),
        ("route", "Nobody has to sign"), ("documents", "Attach"), ("discussion", "Nobody has said"), ("history", "WO-7001"),
    ):  # fmt: skip
        answer = browser.get(f"/work-orders/{seven}?tab={tab}")
        assert (answer.status_code, words in answer.text) == (200, True), tab


def test_a_planner_plans_and_releases_from_the_routing(browse: People, story: Story) -> None:
    def arrange(act: Act) -> None:
        make_routing(act, make_revision(act, make_part(act, "P-7000"), "B"))

    story.given(arrange)
    browser = browse(rita)
    sent = {
        "type": "PRODUCTION", "part_revision": "P-7000/B", "quantity": "40", "priority": "5", "planned_start": "2027-01-11",
    }  # fmt: skip
    answer = browser.post("/work-orders/new", sent)
    assert answer.status_code == 303
    path = answer.headers["Location"]
    assert "Mill profile" in browser.get(path).text
    assert browser.post(f"{path}/release", {}).status_code == 303
    order_id = path.rsplit("/", 1)[1]
    assert status_of(story, order_id) is WorkOrderStatus.RELEASED


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("REWORK", "nonconformance"),
        ("DEVIATION", "deviation"),
        ("CALIBRATION", "resource"),
        ("FIELD_SERVICE", "serial"),
    ],
)
def test_the_form_says_by_the_field_what_a_type_lacks(browse: People, kind: str, field: str) -> None:
    browser = browse(rita)
    assert browser.get(f"/work-orders/new?type={kind}").status_code == 200
    answer = browser.post("/work-orders/new", {"type": kind, "quantity": "1"})
    assert answer.status_code == 422
    assert f'id="error-{field}"' in answer.text


def test_the_form_keeps_what_was_typed_when_a_number_does_not_fit(browse: People) -> None:
    answer = browse(rita).post(
        "/work-orders/new", {"type": "PRODUCTION", "quantity": "-4", "project": "LOT-1", "part_revision": "P-9/Z"}
    )
    assert answer.status_code == 422
    for words in ('id="error-quantity"', 'id="error-part_revision"', 'value="LOT-1"', 'value="-4"'):
        assert words in answer.text


def test_who_plans_no_work_makes_and_moves_none(browse: People, seven: str) -> None:
    assert browse(otto).get("/work-orders/new").status_code == 403
    for verb in ("release", "hold", "cancel", "complete", "close"):
        assert browse(max_).post(f"/work-orders/{seven}/{verb}", {"reason": "x"}).status_code == 403
    assert browse(rita).post(f"/work-orders/{seven}/explode", {}).status_code == 404
    assert browse(rita).get("/work-orders/01990000-0000-7000-8000-000000000000").status_code == 404


def test_a_hold_asks_why_and_a_disabled_button_says_why_not(browse: People, story: Story, seven: str) -> None:
    browser = browse(quinn)
    assert browser.post(f"/work-orders/{seven}/hold", {"reason": " "}).status_code == 422
    assert browser.post(f"/work-orders/{seven}/hold", {"reason": "Wrong drawing"}).status_code == 303
    assert "Wrong drawing" in browser.get(f"/work-orders/{seven}").text
    assert browser.post(f"/work-orders/{seven}/complete", {}).status_code == 409
    assert browser.post(f"/work-orders/{seven}/lift", {"reason": "Right one is there"}).status_code == 303
    assert status_of(story, seven) is WorkOrderStatus.RELEASED


def test_the_gate_is_shown_before_anybody_presses_release(browse: People, story: Story) -> None:
    def arrange(act: Act) -> str:
        return work_orders.create(act, "PRODUCTION", quantity=D(4), part_revision=make_revision(act), operations=()).id

    order_id = story.given(arrange)
    page = browse(rita).get(f"/work-orders/{order_id}").text
    assert "What the gate says now" in page
    assert 'disabled title="Expected WO-' in page
    answer = browse(rita).post(f"/work-orders/{order_id}/release", {})
    assert (answer.status_code, "to have operations" in answer.text) == (409, True)


def test_the_floor_starts_and_completes_an_operation_once(browse: People, story: Story, seven: str) -> None:
    browser = browse(otto)
    operation = story.read(lambda session: session.get_one(WorkOrder, seven).operations[0].id)
    at = f"/work-orders/{seven}/operations/{operation}"
    assert browser.post(f"{at}/start", {"event_id": "s-1"}).status_code == 303
    assert browser.post(f"{at}/complete", {"event_id": "c-1", "good": "9"}).status_code == 409
    for _ in range(2):
        assert browser.post(f"{at}/complete", {"event_id": "c-1", "good": "9", "scrap": "1"}).status_code == 303
    rows = story.read(lambda session: [one.performer for one in session.scalars(select(Actual))])
    assert rows == ["B-1007", "B-1007"]
    assert browse(max_).post(f"{at}/start", {}).status_code == 403


def test_an_actual_is_taken_back_with_a_reason(browse: People, story: Story, seven: str) -> None:
    with story.installation.acting("adapter:mes") as act:
        work_order_files.bring_events(act, CSV)
    actual = story.read(lambda session: session.scalars(select(Actual.id).where(Actual.source_event_id == "e-1")).one())
    browser = browse(rita)
    assert browser.post(f"/work-orders/{seven}/actuals/{actual}/reverse", {"reason": ""}).status_code == 422
    assert browser.post(f"/work-orders/{seven}/actuals/{actual}/reverse", {"reason": "Wrong order"}).status_code == 303
    assert "taken back" in browser.get(f"/work-orders/{seven}?tab=actuals").text


def test_a_traveller_is_a_pdf_without_a_price(browse: People, story: Story, seven: str) -> None:
    answer = browse(otto).get(f"/work-orders/{seven}/traveller.pdf")
    assert (answer.status_code, answer.mimetype, answer.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert "<svg" in work_order_files.qr_svg("WO-7001")


def upload(browser: Any, content: bytes, way: str) -> Any:
    return browser.post("/work-orders/events", {"file": (io.BytesIO(content), "events.csv"), "way": way})


def test_a_file_is_rehearsed_then_brought_in_and_changes_nothing_the_second_time(
    browse: People, house: Installation, seven: str
) -> None:
    browser = browse(rita)
    assert "nothing was written: 3 recorded, 0 handled before, 0 refused" in upload(browser, CSV, "rehearse").text
    with house.reading() as session:
        assert session.scalars(select(Actual)).all() == []
    assert "3 recorded, 0 handled before, 0 refused, of 3 rows" in upload(browser, CSV, "bring").text
    assert "0 recorded, 3 handled before, 0 refused, of 3 rows" in upload(browser, CSV, "bring").text
    assert upload(browse(otto), CSV, "bring").status_code == 403


def test_rows_that_do_not_fit_are_told_with_row_column_and_value(house: Installation, seven: str) -> None:
    bad = (
        b"system;event_id;kind;work_order;op_no;quantity;uom;event_time\n"
        b"MES;b-1;LABOUR;WO-7001;10;two;HUR;\n"
        b"MES;b-2;LABOUR;WO-7001;99;2;HUR;\n"
        b"MES;b-3;LABOUR;WO-404;10;2;HUR;\n"
        b"MES;;LABOUR;WO-7001;10;2;HUR;2026-11-22 10:00\n"
        b"ERP;b-5;LABOUR;WO-7001;10;2;HUR;\n"
        b"MES;b-6;LABOUR;WO-7001;10;2;HUR;2026-11-22T10:00:00Z\n"
    )
    with house.acting("adapter:mes") as act:
        report = work_order_files.bring_events(act, bad)
    assert (report.rows, report.recorded, report.refused) == (6, 1, 5)
    assert [(one.row, one.column, one.value) for one in report.problems] == [
        (2, "quantity", "two"), (3, "op_no", "99"), (4, "work_order", "WO-404"), (5, "event_time", "2026-11-22 10:00"),
        (5, "event_id", ""), (6, "", "b-5"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"", b"a,b\n1,2\n", b"system,event_id,kind\n", b"system,event_id,kind,work_order,work_order\n"],
)
def test_a_file_that_is_no_file_of_events_is_refused_whole(browse: People, content: bytes) -> None:
    answer = upload(browse(rita), content, "bring")
    assert answer.status_code == 422
    assert "Expected a" in answer.text


def test_the_export_marks_what_a_spreadsheet_would_calculate(browse: People, story: Story) -> None:
    story.given(lambda act: make_work_order(act, number="WO-9", project="=1+1"))
    answer = browse(max_).get("/work-orders.csv")
    assert answer.mimetype == "text/csv"
    assert "WO-9,MES,WO-9,PRODUCTION,RELEASED" in answer.text
    assert "'=1+1" in answer.text


def test_resources_show_what_is_due(browse: People, story: Story) -> None:
    def arrange(act: Act) -> None:
        make_resource(act, "G-14", kind="GAUGE", calibration_due=act.now.date().replace(day=1))
        make_person(act, processes=("WELD",))

    story.given(arrange)
    page = browse(max_).get("/resources").text
    assert "overdue" in page
    assert "Weld" in page


def test_a_maintenance_order_waits_for_its_signature_on_the_page(browse: People, story: Story) -> None:
    def arrange(act: Act) -> str:
        make_work_centre(act)
        steps = ({"op_no": 10, "description": "Grease", "work_centre": "MILL"},)
        order = work_orders.create(
            act,
            "PREVENTIVE",
            resource=make_resource(act),
            due_rule="Weekly",
            operations=steps,
            system="CMMS",
            native_id="PM-1",
        )
        return work_orders.firm(act, order).id

    order_id = story.given(arrange)
    browser = browse(rita)
    assert "MAINT_PLANNER to sign" in browser.get(f"/work-orders/{order_id}").text
    wrong = browser.post(f"/work-orders/{order_id}/sign", {"user_id": "rita", "password": "wrong"})
    assert wrong.status_code == 403
    signed = browser.post(f"/work-orders/{order_id}/sign", {"user_id": "rita", "password": "lockstep-demo"})
    assert signed.status_code == 303
    assert browser.post(f"/work-orders/{order_id}/release", {}).status_code == 303
    assert browse(quinn).get(f"/work-orders/{order_id}/sign").status_code == 403


def test_a_nonconformance_is_raised_on_the_page(browse: People, story: Story, seven: str) -> None:
    browser = browse(quinn)
    assert (
        browser.post(f"/work-orders/{seven}/nonconformance", {"title": "Scratch", "quantity": "x"}).status_code == 422
    )
    answer = browser.post(f"/work-orders/{seven}/nonconformance", {"title": "Scratch", "quantity": "2"})
    assert answer.status_code == 303
    assert "NCR-" in browser.get(answer.headers["Location"]).text
    story.given(lambda act: (make_instruction(act), make_nonconformance(act, act.session.get_one(WorkOrder, seven))))


def test_a_planner_plans_anew_and_splits(browse: People, story: Story, seven: str) -> None:
    browser = browse(rita)
    sent = {"planned_start": "2026-12-01", "planned_finish": "2026-12-24", "priority": "1"}
    assert browser.post(f"/work-orders/{seven}/plan", sent).status_code == 303
    late = sent | {"planned_finish": "2026-12-20", "was_planned_finish": "", "was_priority": "1"}
    assert browser.post(f"/work-orders/{seven}/plan", late).status_code == 409
    assert "Planned finish 2026-12-20 2026-12-24" in browser.text  # yours and theirs
    assert browser.field("planned_finish") == "2026-12-20"
    assert browser.post(f"/work-orders/{seven}/plan", sent | {"priority": "12"}).status_code == 422
    assert browser.post(f"/work-orders/{seven}/plan", sent | {"planned_finish": "2026-11-01"}).status_code == 422
    assert browser.post(f"/work-orders/{seven}/parts", {"quantity_1": "4", "quantity_2": "five"}).status_code == 422
    assert browser.post(f"/work-orders/{seven}/parts", {"quantity_1": "4", "quantity_2": "5"}).status_code == 409
    assert browser.post(f"/work-orders/{seven}/parts", {"quantity_1": "4", "quantity_2": "6"}).status_code == 303
    assert "WO-7001-2" in browser.get(f"/work-orders/{seven}").text
    assert browse(otto).post(f"/work-orders/{seven}/plan", sent).status_code == 403


def test_a_quantity_is_proposed_signed_and_applied_on_pages(browse: People, story: Story, seven: str) -> None:
    browser = browse(rita)
    assert browser.post(f"/work-orders/{seven}/quantity", {"quantity": "x", "reason": "More"}).status_code == 422
    refused = browser.post(f"/work-orders/{seven}/quantity", {"quantity": "12", "reason": ""})
    assert refused.status_code == 422
    assert 'value="12"' in refused.text
    proposed = browser.post(f"/work-orders/{seven}/quantity", {"quantity": "12", "reason": "More"})
    page = proposed.headers["Location"]
    assert "WO-7001/C1" in browser.get(page).text
    assert browse(quinn).post(f"{page}/sign", {"meaning": "REVIEWED"}).status_code == 403
    signed = {"meaning": "REVIEWED", "user_id": "rita", "password": "lockstep-demo", "accepts_responsibility": "true"}
    assert browser.post(f"{page}/sign", signed | {"password": "wrong"}).status_code in (403, 422)
    assert browser.post(f"{page}/sign", signed).status_code == 303
    assert story.read(lambda session: session.get_one(WorkOrder, seven).quantity) == D(12)
    again = browser.post(f"/work-orders/{seven}/quantity", {"quantity": "14", "reason": "More"}).headers["Location"]
    assert browser.post(f"{again}/withdraw", {"reason": ""}).status_code == 422
    assert browser.post(f"{again}/withdraw", {"reason": "No"}).status_code == 303
    assert browse(otto).get(f"/work-orders/{seven}/quantity").status_code == 403


def test_another_machine_comes_from_the_same_group(browse: People, story: Story, seven: str) -> None:
    def arrange(act: Act) -> str:
        mill = make_work_centre(act)
        make_resource(act, "M-2", work_centre_id=mill.id)
        make_resource(act, "X-9")
        return act.session.get_one(WorkOrder, seven).operations[0].id

    path = f"/work-orders/{seven}/operations/{story.given(arrange)}/machine"
    browser = browse(rita)
    refused = browser.post(path, {"equipment": "X-9"})
    assert (refused.status_code, "C3" in refused.text) == (409, True)
    assert browser.post(path, {"equipment": "nothing"}).status_code == 422
    assert browser.post(path, {"equipment": "M-2"}).status_code == 303
    assert browse(otto).post(path, {"equipment": "M-2"}).status_code == 403
