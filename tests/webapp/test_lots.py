"""Lots on their pages: found by a scan, held by quality, released by a signature; their trace drawn, tabled and exported."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest

from engine.act import Act
from processes.genealogy import Event, Source, consume, make_lot
from records.lot import Lot, LotSource, LotStatus
from tests.makers import D, make_id, make_order_to_receive, make_receipt, make_revision, make_stock, make_work_order
from tests.pdf_text import words_of
from tests.people import PASSWORD, bea, quinn
from tests.story import Story
from tests.webapp.conftest import People
from webapp.trace_graph import MANY


def plant_with(story: Story, *, serials: int = 3, issues_without_lot: int = 0) -> dict[str, str]:
    """Receive HEAT-7781, issue it to WO-7001 and make serials; return ids by number."""

    def arrange(act: Act) -> dict[str, str]:
        receipt = make_receipt(act, make_order_to_receive(act).lines[0])
        revision = receipt.order_line.part_revision
        assert revision is not None
        heat = make_lot(
            act, revision, D(500), number="HEAT-7781", heat="HEAT-7781", status=LotStatus.AVAILABLE,
            source=Source(LotSource.RECEIPT, (receipt.record_type, receipt.id)),
        )  # fmt: skip
        order, made = make_work_order(act, number="WO-7001"), make_revision(act)
        first = order.operations[0].id
        consume(
            act,
            heat,
            D(serials),
            work_order_id=order.id,
            operation_id=first,
            event=Event(make_id(), performer="B-1007"),
        )
        for _ in range(issues_without_lot):
            consume(act, None, D(1), work_order_id=order.id, event=Event(make_id()))
        source = Source(LotSource.WORK_ORDER, (order.record_type, order.id))
        lots = [
            make_lot(
                act, made, D(1), number=f"SN-{turn:04d}", source=source, is_serial=True, status=LotStatus.AVAILABLE
            )
            for turn in range(1, serials + 1)
        ]
        return {lot.number: lot.id for lot in (heat, *lots)} | {
            "receipt": receipt.number,
            "line": receipt.order_line.number,
        }

    return story.given(arrange)


def lot(story: Story, lot_id: str) -> Lot:
    return story.read(lambda session: session.get_one(Lot, lot_id))


def boxes(page: str) -> list[str]:
    """The titles of the boxes that are drawn, in the order of the Tab key."""
    return [title.split(",")[0] for title in re.findall(r"<title>([^<]+)</title>", page.partition("data-trace-svg")[2])]


def test_a_scanned_number_heat_or_part_finds_its_lot(browse: People, story: Story):
    ids, browser = plant_with(story), browse(bea)
    for typed in ("HEAT-7781", "heat-77", "SN-0002"):
        assert browser.get(f"/lots?q={typed}").status_code == 200
        assert ("HEAT-7781" in browser.text) is typed.lower().startswith("heat")
    assert "No lot fits" in browser.get("/lots?q=HEAT-9999").text
    assert "HEAT-7781" not in browser.get("/lots?state=HOLD").text.partition("<main")[2]
    browser.get(f"/lots/{ids['HEAT-7781']}")
    assert "WO-7001 /10" in browser.text
    assert ids["receipt"] in browser.text
    assert browser.get(f"/lots/{make_id()}").status_code == browser.get("/lots/none").status_code == 404


def test_a_trace_is_drawn_from_left_to_right_with_every_lot_a_link_and_told_again_as_a_table(
    browse: People, story: Story
):
    ids, browser = plant_with(story, issues_without_lot=1), browse(bea)
    page = browser.get(f"/lots/{ids['SN-0002']}/trace").text
    assert boxes(page) == ["HEAT-7781", "No lot named", "WO-7001", "SN-0002"]
    assert f'href="/lots/{ids["HEAT-7781"]}/trace"' in page
    assert page.count("trace-line-gap") == 1
    assert re.search(r'aria-current="page"[^>]*>Lots<', page)
    for words in ("-2 HEAT-7781", "-1 WO-7001", "3 EA into WO-7001 at op 10", "the lot itself"):
        assert words in browser.text
    forward = browser.get(f"/lots/{ids['HEAT-7781']}/trace?direction=forward").text
    assert boxes(forward) == ["HEAT-7781", "WO-7001", "SN-0001", "SN-0002", "SN-0003"]


def test_many_alike_serials_are_drawn_as_one_unless_somebody_wants_to_see_each(browse: People, story: Story):
    ids, browser = plant_with(story, serials=MANY), browse(bea)
    path = f"/lots/{ids['HEAT-7781']}/trace"
    assert boxes(browser.get(path).text) == ["HEAT-7781", "WO-7001", f"{MANY} lots"]
    assert len(boxes(browser.get(f"{path}?alike=each").text)) == MANY + 2
    assert f"SN-{MANY:04d}" in browser.text


def test_a_trace_that_stops_early_says_so(browse: People, story: Story):
    ids, browser = plant_with(story), browse(bea)
    browser.get(f"/lots/{ids['HEAT-7781']}/trace?direction=forward&depth=1")
    assert "goes on beyond 1 steps away" in browser.text
    assert "SN-0001" not in browser.text
    for wrong in ("direction=sideways", "depth=0", "depth=x", "depth=9999"):
        assert browser.get(f"/lots/{ids['HEAT-7781']}/trace?{wrong}").status_code == 422


def test_the_reports_tell_where_it_was_bought_and_how_it_was_made(browse: People, story: Story):
    ids, browser = plant_with(story, issues_without_lot=1), browse(bea)
    browser.get(f"/lots/{ids['SN-0001']}/provenance")
    for words in ("HEAT-7781", ids["receipt"], ids["line"], "Not approved", "1 issue named no lot"):
        assert words in browser.text
    browser.get(f"/lots/{ids['SN-0001']}/transformation")
    for words in ("WO-7001", "Mill profile", "WI-20 rev 3", "PS-455 rev D"):
        assert words in browser.text


@pytest.mark.parametrize("report", ["trace", "provenance", "transformation"])
def test_each_is_a_file_too(browse: People, story: Story, report: str):
    ids, browser = plant_with(story), browse(bea)
    table = list(csv.reader(io.StringIO(browser.get(f"/lots/{ids['SN-0001']}/{report}.csv").text)))
    told = json.loads(browser.get(f"/lots/{ids['SN-0001']}/{report}.json").data)
    assert (len(table) - 1, told["lot"], told["cut"]) == (len(told["rows"]), "SN-0001", "")
    expected = {"trace": "HEAT-7781", "provenance": ids["receipt"], "transformation": "WI-20 rev. 3"}[report]
    assert any(expected in row for row in table)
    pdf = browser.get(f"/lots/{ids['SN-0001']}/{report}.pdf")
    assert (pdf.mimetype, pdf.data[:5]) == ("application/pdf", b"%PDF-")
    printed = words_of(pdf.data)
    assert expected in printed
    assert re.findall(r"\d+T\d\d:\d\d:", printed) == []
    assert browser.get(f"/lots/{ids['SN-0001']}/{report}.xlsx").status_code == 404


def test_a_cell_is_never_a_formula(browse: People, story: Story):
    lot_id = story.given(lambda act: make_stock(act, "=1+1", source_note="@SUM(A1)").id)
    text = browse(bea).get(f"/lots/{lot_id}/trace.csv").text
    assert "'=1+1" in text
    assert ",=1+1" not in text


def held(browse: People, story: Story) -> tuple[str, Callable[..., int]]:
    """Hold a lot as quinn; return its id and a function that tries to release it."""
    lot_id = story.given(lambda act: make_stock(act, "HEAT-7790").id)
    browser = browse(quinn)
    assert browser.post(f"/lots/{lot_id}/hold", {"reason": "Hardness 29 HRC"}).status_code == 303

    def release(**changes: str) -> int:
        browser.get(f"/lots/{lot_id}/release")
        given = {
            "seen_hash": browser.field("seen_hash"), "meaning": "VERIFIED", "user_id": "quinn", "password": PASSWORD,
            "reason": "Retested at 38 HRC",
        } | changes  # fmt: skip
        return browser.post(f"/lots/{lot_id}/release", given).status_code

    return lot_id, release


def test_quality_holds_a_lot_at_once_and_releases_it_with_a_signature(browse: People, story: Story):
    lot_id, release = held(browse, story)
    assert lot(story, lot_id).status is LotStatus.HOLD
    assert "Hardness 29 HRC" in browse(bea).get(f"/lots/{lot_id}").text
    assert release() == 303
    assert (lot(story, lot_id).status, bool(lot(story, lot_id).release_signature_id)) == (LotStatus.AVAILABLE, True)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"password": "wrong"}, 403),
        ({"meaning": ""}, 422),
        ({"meaning": "AUTHORED"}, 422),
        ({"reason": ""}, 422),
        ({"seen_hash": "00" * 32}, 422),
    ],
)
def test_a_release_that_is_not_signed_right_leaves_the_hold(
    browse: People, story: Story, changes: dict[str, str], status: int
):
    lot_id, release = held(browse, story)
    assert release(**changes) == status
    assert lot(story, lot_id).status is LotStatus.HOLD


def test_nobody_but_quality_holds_and_nothing_is_held_without_a_reason(browse: People, story: Story):
    lot_id = story.given(lambda act: make_stock(act).id)
    assert browse(bea).post(f"/lots/{lot_id}/hold", {"reason": "Mine"}).status_code == 403
    assert "Hold</button>" not in browse(bea).get(f"/lots/{lot_id}").text
    assert browse(quinn).post(f"/lots/{lot_id}/hold", {"reason": " "}).status_code == 422
    assert lot(story, lot_id).status is LotStatus.AVAILABLE
