"""Whatever is typed into a field of text is shown as that text or refused in words: markup, Markdown, right-to-left, NUL, too much."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.stored.task import Task, TaskState
from records.change_order import ChangeOrder
from records.lot import Lot
from records.nonconformance import Nonconformance
from records.outside import OutsideLink
from records.purchase_order import PurchaseOrder
from records.quotation import RequestForQuotation
from records.supplier import Supplier
from records.work_order import WorkOrder
from tests.demo_plant import DEMO
from tests.people import bea, ella, lena, pat, quinn, rita
from tests.story import Story
from tests.webapp.conftest import People

WEBAPP = Path(__file__).parents[2] / "webapp"
MARK = "<script>alert(1)</script>"
HOSTILE = f"{MARK}\"onmouseover=alert(2) x=' **bold** [a](javascript:alert(3)) {{{{ 7*7 }}}} \u202eמיכל\u2066"
FORM = re.compile(r"<form([^>]*)>(.*?)</form>", re.DOTALL)
FIELD = re.compile(r"<(input|textarea)([^>]*)>")
SELECT = re.compile(r'<select[^>]*name="([^"]+)".*?<option[^>]*value="([^"]+)"', re.DOTALL)
NO_TEXT = {"checkbox", "radio", "file", "password", "submit", "datetime-local", "date", "number"}


def attribute(name: str, tag: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


def forms(page: str, place: str) -> Iterator[tuple[str, dict[str, str], list[str]]]:
    """Yield (address, what is set, names of fields of text) of each form of a page that has a field of text."""
    for tag, inner in FORM.findall(page):
        fields = [(attribute("name", field), attribute("type", field), field) for _kind, field in FIELD.findall(inner)]
        given = {name: attribute("value", field) for name, kind, field in fields if kind == "hidden"}
        typed = [name for name, kind, _ in fields if name not in given and kind not in NO_TEXT and name != "user_id"]
        if attribute("method", tag) == "post" and typed:
            yield attribute("action", tag) or place, given | dict(SELECT.findall(inner)), typed


def desks(session: Session) -> list[tuple[str, str]]:
    """Return (who, page) of the forms that people type into all day."""

    def first(mapped: type, **only: str) -> str:
        return session.scalars(select(mapped.id).filter_by(**only).order_by(mapped.id)).first() or "none"  # type: ignore[attr-defined]

    order, change, work = (
        first(PurchaseOrder, status="ACKNOWLEDGED"),
        first(ChangeOrder, status="IMPLEMENTING"),
        first(WorkOrder),
    )
    supplier = first(Supplier)
    tasks = session.scalars(select(Task).where(Task.state == TaskState.OPEN)).all()
    approving = next(task.id for task in tasks if "role:PUR_LEAD" in task.candidates and "approve" in task.outcomes)
    return [
        ("rita", "/requisitions/new"), ("rita", "/change-requests/new"), ("rita", "/inbox/views/new"), ("rita", "/waivers/new"),
        ("rita", "/profile"), ("rita", "/work-orders/new"), ("rita", f"/work-orders/{work}"), ("rita", f"/work-orders/{work}?tab=quality"),
        ("bea", f"/orders/{order}?tab=discussion"), ("bea", f"/orders/{order}/amend"), ("bea", f"/orders/{order}/acknowledgement"),
        ("bea", f"/requests-for-quotation/{first(RequestForQuotation)}"), ("bea", f"/suppliers/{supplier}/changes/new"),
        ("lena", f"/tasks/{approving}"), ("lena", f"/tasks/{approving}?tab=discussion"), ("lena", f"/tasks/{approving}/decide/reject"),
        ("lena", f"/tasks/{approving}/help/ask"), ("lena", "/agreements/new"),
        ("quinn", f"/nonconformances/{first(Nonconformance)}"), ("quinn", f"/lots/{first(Lot, status='AVAILABLE')}/hold"),
        ("quinn", "/legal-holds"), ("quinn", "/boards/new"), ("quinn", "/deviations/new"), ("quinn", f"/suppliers/{supplier}/suspend"),
        ("ella", f"/changes/{change}?tab=changes"), ("ella", f"/changes/{change}?tab=impact"),
        ("ella", f"/changes/{change}?tab=discussion"),
        ("pat", "/changes/new"), ("rita", f"/outside/{first(OutsideLink)}"),
    ]  # fmt: skip


@pytest.mark.begins_with(DEMO)
def test_no_field_of_text_lets_markup_through_and_none_loses_what_was_typed(browse: People, story: Story) -> None:
    """Each form of these pages once, every field of text of it; what is kept and what is refused is shown escaped, there and later."""
    people = {member.id: browse(member) for member in (rita, bea, lena, quinn, ella, pat)}
    wrong: list[str] = []
    sent = shown = 0
    places = story.read(desks)
    for who, place in places:
        browser = people[who]
        page = browser.get(place)
        assert page.status_code == 200, place
        for action, given, typed in forms(page.text, place):
            form = given | dict.fromkeys(typed, HOSTILE)
            answer = browser.client.post(action, data=form, follow_redirects=True)
            sent += 1
            shown += html.escape(MARK) in answer.text or "&lt;script&gt;" in answer.text
            if answer.status_code >= 500 or MARK in answer.text or not answer.text:
                wrong.append(f"{who} {action} {answer.status_code}")
    for who, place in places:
        if not place.endswith("/new") and MARK in people[who].get(place).text:
            wrong.append(f"{who} {place} afterwards")
    assert wrong == []
    assert (sent > 20, shown > 10) == (True, True), (sent, shown)
