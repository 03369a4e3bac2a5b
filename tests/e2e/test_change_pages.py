"""Tasks and pages of a change at turns that are rare in a plant, judged by axe-core in both colours and widths."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from playwright.sync_api import Page

from tests.change_story import dated, the_change
from tests.e2e.conftest import Live
from tests.e2e.judging import AXE, faults
from tests.makers import make_grant
from tests.people import pat
from tests.processes.test_change_control_withdrawal import withdraw
from tests.story import Story

OVERDUE = dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC)


@dated
def test_no_page_of_a_change_that_is_late_and_taken_back_keeps_anybody_out(
    sign_in: Callable[..., Page], live: Live
) -> None:
    story = Story(live.installation, live.clock)
    for role in ("ENG_AUTH", "PLANNER"):  # one person sees every task
        story.given(lambda act, role=role: make_grant(act, "pat", role))
    change = the_change(story)
    story.at(OVERDUE)
    page = sign_in(pat)
    page.context.add_init_script(path=AXE)
    late = [f"/tasks/{story.as_(pat).task(step).id}" for step in ("move_effectivity", "redispose_order")]
    found = [sentence for path in late for sentence in faults(page, f"{live.url}{path}")]
    story.complete("move_effectivity", effectivity_value=dt.date(2027, 2, 1), effectivity_reason="The supplier is late")
    addendum, number = f"/tasks/{story.task('decide_slot').id}", change.number
    found += faults(page, f"{live.url}{addendum}")
    assert page.locator(".digest").inner_text().count("Dec 30, 2026, and is now Feb 1, 2027") == 1
    withdraw(story, change)
    back = [f"/tasks/{story.task('confirm_undo').id}", f"/changes/{number}", f"/history/change_order/{change.order.id}"]
    found += [sentence for path in back for sentence in faults(page, f"{live.url}{path}")]
    assert found == [], "\n".join(found)
