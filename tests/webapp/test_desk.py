"""The desk and the dashboards on the screen: each figure leads to the list that it counts, and REST says the same."""

from __future__ import annotations

import datetime as dt
import html
import re
from decimal import Decimal

from engine.act import Act
from records.purchase_order import OrderStatus
from tests.makers import make_invoice, make_order_to_receive, make_part, make_revision, make_supplier
from tests.people import bea, otto, rita
from tests.story import Story
from tests.webapp.browser import Browser
from tests.webapp.conftest import People
from webapp import plots
from webapp.plots import Given

D, TODAY = Decimal, dt.date(2026, 11, 22)
ROW = re.compile(r"<tr>\s*<td")


def arranged(act: Act) -> tuple[str, str]:
    """Put orders onto the desk; return the ids of a part and its supplier."""
    revision = make_revision(act, make_part(act, "P-DESK"))
    supplier = make_supplier(act, "S-DESK")
    sent = {"status": OrderStatus.TRANSMITTED, "transmitted_at": act.now - dt.timedelta(days=9)}
    make_order_to_receive(act, (revision, 5, "10"), supplier=supplier, po_no="PO-SILENT", **sent)
    late = make_order_to_receive(
        act, (revision, 5, "11"), (revision, 2, "11"), supplier=supplier, po_no="PO-LATE",
        line_fields={"promised_on": TODAY - dt.timedelta(days=2)},
    )  # fmt: skip
    make_order_to_receive(act, supplier=supplier, po_no="PO-HERS", buyer_id="lena")
    make_invoice(act, (late.lines[0], 1, "11.5"))
    return revision.part_id, supplier.id


def shown(browser: Browser, path: str) -> int:
    """Return how many rows a list shows."""
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return len(ROW.findall(answer.text.partition("<main")[2].partition("</main>")[0]))


def test_each_figure_of_the_desk_leads_to_the_list_that_it_counts(browse: People, story: Story) -> None:
    part_id, supplier_id = story.given(arranged)
    browser = browse(bea)
    page = browser.get("/desk").text
    figures = re.findall(r'<a class="figure" href="([^"]+)"><span[^>]*>([^<]+)</span><b>(\d+)</b>', page)
    assert [(words, number) for _, words, number in figures] == [("Transmitted", "1"), ("Acknowledged", "1")]
    for url, _, number in figures:
        assert shown(browser, html.unescape(url)) == int(number)
    assert "PO-HERS" not in page
    assert "2 days late" in page
    assert shown(browser, "/orders?what=unanswered&buyer=bea") == 1
    assert "Only orders of Bea Castillo that the supplier should have answered." in browser.text
    assert shown(browser, "/orders?what=late") == 1
    assert browser.get("/orders?what=blue").status_code == 422
    assert browser.get("/orders.csv?what=late&buyer=bea").text.count("\r\n") == 2
    assert browser.get("/desk?whose=all").text.count('class="figure"') == 2
    assert tuple(browser.get("/desk.csv").text.splitlines()[1].split(",")[:2]) == ("No answer yet", "PO-SILENT")
    browser.get(f"/parts/{part_id}")
    assert "What it cost" in browser.text
    assert "invoiced, rev B" in browser.text
    assert browser.page is not None
    assert browser.page.text.count('<svg class="plot-dot') == 4
    assert "style=" not in browser.page.text
    assert browser.get(f"/parts/{part_id}/prices.csv").text.count("\r\n") == 5
    browser.get(f"/suppliers/{supplier_id}")
    assert "Late lines 2" in browser.text
    assert "Still to come" in browser.text


def test_each_figure_of_the_dashboard_leads_to_the_tasks_that_it_counts(browse: People, story: Story) -> None:
    for pieces in (5, 50):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", pieces)])
    story.clock.advance(days=8)
    browser = browse(otto)
    page = browser.get("/dashboards").text
    rows = re.findall(r'<a class="key" href="([^"]+)">[^<]+</a>.*?<td class="end">(\d+)</td>', page, re.DOTALL)
    bars = re.findall(r'<a href="([^"]+)" aria-label="(\d+) task[^"]*"><rect', page)
    assert (len(rows) >= 2, len(bars) >= 2) == (True, True)
    for url, number in [*rows, *bars]:
        assert shown(browser, html.unescape(url)) == int(number), url
    assert "style=" not in page
    assert browser.get("/dashboards/tasks?age=ancient").status_code == 422
    assert browser.get("/dashboards/tasks?week=yesterday&way=done").status_code == 422
    assert browser.get("/dashboards/tasks?after=x").status_code == 422


def test_bars_and_dots_stand_where_their_values_say() -> None:
    drawn = plots.columns(["a", "b"], [[(3, "three", "/3"), (0, "none", "/0")], [(4, "four", "/4"), (1, "one", "/1")]])
    assert [grid.words for grid in drawn.grid] == ["2", "4"]
    assert [(bar.height, bar.y, bar.url) for bar in drawn.bars[0]] == [(120, 40, "/3"), (0, 160, "")]
    assert drawn.bars[1][0].x - drawn.bars[0][0].x == drawn.bars[0][0].width
    day = dt.date(2026, 1, 1)
    given = [
        Given(day + dt.timedelta(days=100), D("18"), 0, False, "new", "/n"), Given(day, D("9"), 0, False, "old", "/o"),
        Given(day, D("20"), 1, True, "billed", "/b"),
    ]  # fmt: skip
    dotted = plots.dots(given)
    assert [(dot.x, dot.y, dot.shape, dot.is_hollow) for dot in dotted.dots] == [
        (D("2.00"), 88, "circle", False), (D("2.00"), 0, "square", True), (D("98.00"), 16, "circle", False),
    ]  # fmt: skip
    assert [(line.x1, line.y1, line.x2, line.y2) for line in dotted.strokes] == [(D("2.00"), 88, D("98.00"), 16)]
    assert dotted.labels[0][1] == "2026-01-01"
    assert plots.dots([]).dots == []
