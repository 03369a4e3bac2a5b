"""The tab Impact of a change order: the grid by kind, bulk and single decisions, division, CSV; nothing half-written."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from processes import impact
from records.change_order import ChangeOrder
from records.impact import AffectedOrder, RowDisposition, newest_snapshot, rows_of
from tests import makers
from tests.impacts import PART, plant_of_d15
from tests.makers import D
from tests.people import ella, otto, sam
from tests.story import Story
from tests.webapp.conftest import People
from webapp import impact_panel


@pytest.fixture
def change(story: Story) -> str:
    """The id of a change over the plant of D15, its impact computed."""

    def made(act: Act) -> str:
        order = plant_of_d15(act).change
        asked = {"kind": "MATERIAL", "item": f"{PART}/B", "quantity": D(20), "uom": "EA", "unit_cost": D("4.00")}
        makers.make_work_order(act, makers.make_revision(act), number="WO-UP", standards=(asked,))
        impact.compute(act, order)
        return order.id

    found: str = story.given(made)
    return found


def rows(story: Story, change: str) -> list[AffectedOrder]:
    def read(session: Session) -> list[AffectedOrder]:
        snapshot = newest_snapshot(session, session.get_one(ChangeOrder, change))
        assert snapshot is not None
        return rows_of(session, snapshot)

    found: list[AffectedOrder] = story.read(read)
    return found


def plain(text: str) -> str:
    """Return text with ordinary spaces."""
    return text.replace("\u202f", " ").replace("\xa0", " ")


def test_the_grid_says_its_rows_and_pieces_and_takes_decisions(browse: People, story: Story, change: str) -> None:
    page = browse(ella)
    shown = plain(page.get(f"/changes/{change}?tab=impact").text)
    assert "7 rows, 269 EA" in shown
    assert ("Where it is used" in shown, "WO-UP" in shown) == (True, True)
    assert "0 of 7 decided" in shown
    stock, order, *_ = rows(story, change)
    assert (
        page.post(
            f"/changes/{change}/impact/rows", {"what": "rows", f"disposition.{stock.id}": "USE_UNTIL_EXHAUSTED"}
        ).status_code
        == 303
    )
    assert page.post(
        f"/changes/{change}/impact/rows", {"what": "chosen", "row": order.id, "disposition": "AMEND", "owner": "BUYER"}
    ).status_code == 303  # fmt: skip
    assert "2 of 7 decided" in page.get(f"/changes/{change}?tab=impact").text
    assert (
        "LOT-35"
        not in page.get(f"/changes/{change}?tab=impact&only=open").text.split("<progress")[1].split("PO-5011")[0]
    )
    assert "USE_UNTIL_EXHAUSTED" in page.get(f"/changes/{change}/impact.csv").text


def test_a_decision_that_does_not_fit_leaves_every_row_as_it_was(browse: People, story: Story, change: str) -> None:
    page, both = browse(ella), [row.id for row in rows(story, change)[:2]]
    answer = page.post(f"/changes/{change}/impact/rows", {"what": "chosen", "row": both, "disposition": "AMEND"})
    assert answer.status_code == 422
    assert "LOT-35: Expected one of" in answer.text
    wrong = {"disposition.1": "USE_AS_IS", "quantity.1": "20", "disposition.2": "SCRAP", "quantity.2": "10"}
    answer = page.post(f"/changes/{change}/impact/rows/{both[0]}/divide", wrong)
    assert (answer.status_code, "add up to its 35 EA" in answer.text) == (422, True)
    assert page.post(f"/changes/{change}/impact/rows/{both[0]}/divide", wrong | {"quantity.2": "15"}).status_code == 303
    kept = story.read(
        lambda session: [(one.disposition.value, one.quantity) for one in session.scalars(select(RowDisposition))]
    )
    assert sorted(kept) == [("SCRAP", 15), ("USE_AS_IS", 20)]


def test_the_grid_shows_what_is_asked_for_and_one_word_settles_all_that_fit(
    browse: People, story: Story, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impact_panel, "PAGE", 2)
    page, address = browse(ella), f"/changes/{change}?tab=impact"
    shown = page.get(f"{address}&kind=WO&words=wo-700").text
    assert ("Choose WO-7002" in shown, "Choose LOT-35" in shown) == (True, False)
    assert "No row fits" in page.get(f"{address}&of=user:nobody").text
    assert "Next page" in page.get(address).text
    assert "Choose PO-5010" not in page.get(f"{address}&from=6").text.split("Work orders, begun")[1]
    fitting = {"what": "fitting", "kind": "PO_LINE", "only": "open", "disposition": "CANCEL"}
    answer = page.post(f"/changes/{change}/impact/rows", fitting)
    assert (answer.status_code, "kind=PO_LINE" in answer.headers["Location"]) == (303, True)
    assert "2 of 7 decided" in page.get(address).text
    monkeypatch.setattr(impact_panel, "MOST_AT_ONCE", 3)
    answer = page.post(f"/changes/{change}/impact/rows", {"what": "fitting", "disposition": "NO_ACTION"})
    assert (answer.status_code, "Narrow the filter" in answer.text) == (422, True)


def test_a_rows_owner_decides_about_it_and_about_no_other(browse: People, story: Story, change: str) -> None:
    stock, order, *_ = rows(story, change)
    assert (
        browse(ella)
        .post(
            f"/changes/{change}/impact/rows",
            {"what": "chosen", "row": stock.id, "disposition": "USE_AS_IS", "owner": "sam"},
        )
        .status_code
        == 303
    )
    page = browse(sam)
    assert page.post(f"/changes/{change}/impact/rows", {f"disposition.{stock.id}": "SCRAP"}).status_code == 303
    answer = page.post(f"/changes/{change}/impact/rows", {f"disposition.{order.id}": "CANCEL"})
    assert (answer.status_code, "to decide about PO-5010" in answer.text) == (403, True)


def test_who_answers_for_nothing_reads_only(browse: People, change: str) -> None:
    page = browse(otto)
    assert "7 rows, 269 EA" in plain(page.get(f"/changes/{change}?tab=impact").text)
    assert page.post(f"/changes/{change}/impact/freeze", {}).status_code == 403
