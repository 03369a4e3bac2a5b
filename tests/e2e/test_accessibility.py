"""Pages that people work on all day, judged by axe-core in light and dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from processes import change_tasks
from processes.change_requests import open_request
from processes.genealogy import Event, consume
from records.resource import ResourceKind
from tests.e2e.conftest import Live
from tests.impacts import approve, dispose_d15, plant_of_d15
from tests.makers import D, make_resource, make_stock, make_work_order
from tests.people import bea, lena, pat, rita
from tests.story import PLANT, Story

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = frozenset({"serious", "critical"})

COLOURS = "{runOnly: ['color-contrast', 'link-in-text-block']}"
"""Rules whose answer depends on colours; in the dark the others would read the same document again."""

WAYS = (("light", "{resultTypes: ['violations']}", 10), ("dark", COLOURS, 1))
"""How a page is looked at: colours, what axe-core is asked, and how many of its rules must find something to pass."""

pytestmark = pytest.mark.begins_with(PLANT)


def test_no_page_of_buying_keeps_anybody_out(sign_in: Callable[..., Page], live: Live) -> None:
    ordered = Story(live.installation, live.clock)
    ordered.as_(rita).start("requisition_to_po", lines=[("P-100", 5, "42.50")])
    ordered.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    asked = Story(live.installation, live.clock)
    asked.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title="Brackets for lot 7001")
    task = asked.as_(lena).task("approve_requisition")

    page = sign_in(lena)
    judge(page, f"{live.url}/inbox?box=groups&group=due&q=colour:red")
    judge(page, f"{live.url}/inbox/views/new")
    judge(page, f"{live.url}/tasks/{task.id}")
    judge(page, f"{live.url}/tasks/{task.id}/decide/approve")
    judge(page, f"{live.url}/tasks/{task.id}?tab=route")
    judge(page, f"{live.url}/orders/{ordered.order.id}")
    judge(page, f"{live.url}/operations")
    page = sign_in(rita)
    judge(page, f"{live.url}/requisitions/new")
    judge(page, f"{live.url}/requisitions/{asked.requisition_id}?tab=history")
    judge(page, f"{live.url}/profile")
    judge(page, f"{live.url}/history/requisition/{asked.requisition_id}")
    judge(page, f"{live.url}/configuration-history")


def test_no_page_of_the_shop_floor_keeps_anybody_out(sign_in: Callable[..., Page], live: Live) -> None:
    with live.installation.acting("system:test") as act:
        order = make_work_order(act)
        make_resource(act, kind=ResourceKind.GAUGE)
        stock = make_stock(act)
        consume(act, stock, D(4), work_order_id=order.id, event=Event("mes-1", system="MES"))
    page = sign_in(rita)
    judge(page, f"{live.url}/work-orders")
    judge(page, f"{live.url}/work-orders/{order.id}")
    judge(page, f"{live.url}/work-orders/{order.id}?tab=cost")
    judge(page, f"{live.url}/work-orders/new?type=REWORK")
    judge(page, f"{live.url}/resources")
    judge(page, f"{live.url}/lots")
    judge(page, f"{live.url}/lots/{stock.id}")
    judge(page, f"{live.url}/lots/{stock.id}/trace")


def test_no_page_of_a_change_keeps_anybody_out(sign_in: Callable[..., Page], live: Live) -> None:
    with live.installation.acting("user:ella") as act:
        change = plant_of_d15(act).change
        dispose_d15(act, change)
        approve(act, change)
        change_tasks.plan_tasks(act, change)
        change_tasks.place_holds(act, change)
        wish = open_request(act, title="Wider slot", problem="It binds")
    page = sign_in(pat)
    for path in ("changes", "changes/new", "change-requests/new", f"change-requests/{wish.id}"):
        judge(page, f"{live.url}/{path}")
    for tab in ("summary", "changes", "impact", "route"):
        judge(page, f"{live.url}/changes/{change.id}?tab={tab}")


def judge(page: Page, url: str) -> None:
    """Open a page once and let axe-core look at it in light and dark; a grave violation fails with where it is.

    The page is dark afterwards.
    """
    page.emulate_media(color_scheme="light")
    page.goto(url)
    page.evaluate(AXE.read_text("utf-8"))  # evaluated, since the pages let no foreign script element in
    for scheme, asked, least in WAYS:
        page.emulate_media(color_scheme=scheme)
        page.evaluate("document.getAnimations().forEach(each => each.finish())")  # a button halfway between two colours
        found = page.evaluate(f"axe.run(document, {asked})")
        assert len(found["passes"]) >= least, f"axe-core has looked at nothing of {url}"
        grave = [
            f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]} {one['nodes'][0]['failureSummary'][:200]}"
            for one in found["violations"]
            if one["impact"] in GRAVE
        ]
        assert grave == [], f"{url} {scheme}: " + "\n".join(grave)
