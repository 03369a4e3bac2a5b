"""Pages that people work on all day, judged by axe-core in light and dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from engine.act import Installation
from processes import change_tasks
from processes.change_requests import open_request
from processes.genealogy import Event, consume
from records.resource import ResourceKind
from tests.e2e.conftest import Live
from tests.impacts import approve, dispose_d15, plant_of_d15
from tests.makers import D, make_resource, make_stock, make_work_order
from tests.people import bea, lena, pat, rita
from tests.story import Story, open_plant

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = frozenset({"serious", "critical"})


@pytest.fixture
def plant() -> Callable[[Installation], None]:
    """Open a small plant; the test writes a requisition and an order."""
    return open_plant


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_anybody_out(sign_in: Callable[..., Page], live: Live, scheme: Any) -> None:
    ordered = Story(live.installation, live.clock)
    ordered.as_(rita).start("requisition_to_po", lines=[("P-100", 5, "42.50")])
    ordered.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    asked = Story(live.installation, live.clock)
    asked.as_(rita).start("requisition_to_po", lines=[("P-100", 50)], title="Brackets for lot 7001")
    task = asked.as_(lena).task("approve_requisition")

    page = sign_in(lena)
    page.emulate_media(color_scheme=scheme)
    judge(page, f"{live.url}/inbox?box=groups&group=due&q=colour:red")
    judge(page, f"{live.url}/inbox/views/new")
    judge(page, f"{live.url}/tasks/{task.id}")
    judge(page, f"{live.url}/tasks/{task.id}/decide/approve")
    judge(page, f"{live.url}/tasks/{task.id}?tab=route")
    judge(page, f"{live.url}/orders/{ordered.order.id}")
    judge(page, f"{live.url}/operations")
    page = sign_in(rita)
    page.emulate_media(color_scheme=scheme)
    judge(page, f"{live.url}/requisitions/new")
    judge(page, f"{live.url}/requisitions/{asked.requisition_id}?tab=history")
    judge(page, f"{live.url}/profile")
    judge(page, f"{live.url}/history/requisition/{asked.requisition_id}")
    judge(page, f"{live.url}/configuration-history")
    with live.installation.acting("system:test") as act:
        order = make_work_order(act)
        make_resource(act, kind=ResourceKind.GAUGE)
        stock = make_stock(act)
        consume(act, stock, D(4), work_order_id=order.id, event=Event("mes-1", system="MES"))
    judge(page, f"{live.url}/work-orders")
    judge(page, f"{live.url}/work-orders/{order.id}")
    judge(page, f"{live.url}/work-orders/{order.id}?tab=cost")
    judge(page, f"{live.url}/work-orders/new?type=REWORK")
    judge(page, f"{live.url}/resources")
    judge(page, f"{live.url}/lots")
    judge(page, f"{live.url}/lots/{stock.id}")
    judge(page, f"{live.url}/lots/{stock.id}/trace")
    with live.installation.acting("user:ella") as act:
        change = plant_of_d15(act).change
        dispose_d15(act, change)
        approve(act, change)
        change_tasks.plan_tasks(act, change)
        change_tasks.place_holds(act, change)
        wish = open_request(act, title="Wider slot", problem="It binds")
    page = sign_in(pat)
    page.emulate_media(color_scheme=scheme)
    for path in ("changes", "changes/new", "change-requests/new", f"change-requests/{wish.id}"):
        judge(page, f"{live.url}/{path}")
    for tab in ("summary", "changes", "impact", "route"):
        judge(page, f"{live.url}/changes/{change.id}?tab={tab}")


def judge(page: Page, url: str) -> None:
    """Open a page and let axe-core look at it; a grave violation fails with where it is."""
    page.goto(url)
    page.evaluate(AXE.read_text("utf-8"))  # evaluated, since the pages let no foreign script element in
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(found["passes"]) > 10, "axe-core has looked at nothing"
    grave = [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]} {one['nodes'][0]['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]
    assert grave == [], f"{url}: " + "\n".join(grave)
