"""The inbox as its reader uses it: what a search did not understand, groups and views, several tasks at once."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from engine import assigning, definitions, instances, tasks
from engine.act import Act
from engine.decisions import Decision
from engine.stored.task import Task, TaskState
from records.comment import Comment
from records.follower import followed_by
from records.inbox_view import InboxView
from records.person import User, UserStatus, move
from records.snooze import TaskSnooze
from tests.engine.plant import approve
from tests.engine.spiff.diagrams import diagram, end, process, start
from tests.makers import make_absence, make_grant
from tests.people import bea, lena, max_, otto
from tests.story import Story, plant_with
from tests.webapp.browser import Browser, path_of
from tests.webapp.conftest import People

FLOW = "parking"


def parked(story: Story) -> None:
    """Have four requests for parking lots wait for the lead of purchasing, whose step asks for no signature; bea is one too."""
    step = approve("approve_lot", role="PUR_LEAD", title='="Lot " + name', amount="=price", party="=owner")
    other = approve("approve_lot", role="PUR_LEAD", title='="Fee " + name')
    with story.installation.acting("user:pat") as act:
        for name, drawn in ((FLOW, step), ("fees", other)):
            flow = process(start(), drawn, end(), id=name, flows="s > approve_lot > e")
            definitions.deploy(act, {f"{name}.bpmn": diagram(flow)})
    with story.installation.acting("user:ella") as act:
        make_grant(act, "bea", "PUR_LEAD")
        for number, owner in enumerate(("Acme", "Acme", "Zenith", None)):
            values = {"name": f"L{number}", "price": 100 * (number + 1), "owner": owner}
            instances.start(act, FLOW, business_key=f"LOT-{number}", variables=values)
        instances.start(act, "fees", business_key="FEE-0", variables={"name": "F0"})


PARKED = plant_with("parked", parked)
pytestmark = pytest.mark.begins_with(PARKED)


def waiting(story: Story) -> list[Task]:
    wanted = select(Task).where(Task.state == TaskState.OPEN).order_by(Task.flow.desc(), Task.business_key)
    return story.read(lambda session: list(session.scalars(wanted)))


def form(found: list[Task], **more: object) -> dict[str, object]:
    return {"task": [task.id for task in found], **{f"version_{task.id}": str(task.version) for task in found}, **more}


def keys(browser: Browser) -> list[str]:
    assert browser.page is not None
    return re.findall(r'<span class="item-title"><b>([^<]+)</b>', browser.page.text)


def test_a_search_that_makes_no_sense_is_told_term_by_term_and_the_rest_of_it_applied(browse: People) -> None:
    browser = browse(lena)
    assert browser.get("/inbox?box=groups&q=amount>lots+supplier:acme+colour:red").status_code == 200
    assert keys(browser) == ["LOT-0", "LOT-1"]
    assert "Not understood, and left out" in browser.text
    assert "found lots. Try amount>5000" in browser.text
    assert "colour:red" in browser.text
    assert "Everything else of the search is applied" in browser.text
    everything = browser.post("/inbox/bulk", {"do": "approve", "all": "box=groups&q=amount>lots"})
    assert (everything.status_code, path_of(everything)) == (303, "/inbox")
    assert browser.get("/inbox?box=groups&q=" + "x" * 300).status_code == 422
    for wrong in ("box=all", "box=groups&sort=colour", "box=groups&after=xx"):
        assert browser.get(f"/inbox?{wrong}").status_code == 422


def test_rows_stand_in_groups_and_show_the_fields_that_were_chosen(browse: People) -> None:
    browser = browse(lena)
    browser.get("/inbox?box=groups&group=party&sort=-amount&col=party&col=flow")
    assert browser.page is not None
    headings = re.findall(r'items-group">([^<]+)<', browser.page.text)
    assert headings == ["No supplier", "Acme", "Zenith"]
    assert keys(browser)[2:] == ["LOT-0", "LOT-1", "LOT-2"]
    assert "Acme · Parking" in browser.text
    assert "400" not in browser.text.partition("LOT-3")[2].partition("LOT-")[0]


def test_a_view_is_kept_from_the_list_shared_copied_and_adopted_when_its_owner_left(
    story: Story, browse: People
) -> None:
    owner, reader = browse(lena), browse(bea)
    kept = {"name": "Acme first", "colour": "green", "box": "groups", "query": "supplier:acme", "sort": "amount", "then": "due",
            "grouping": "", "columns": ["party"], "shared_with": "everybody"}  # fmt: skip
    refused = owner.post("/inbox/views/new", kept | {"query": "supplier:acme amount>lots"})
    assert refused.status_code == 422
    assert owner.field("name") == "Acme first"
    assert "such as 5000" in owner.text
    answer = owner.post("/inbox/views/new", kept)
    view = story.read(lambda session: session.scalars(select(InboxView)).one())
    assert path_of(answer) == "/inbox"
    assert view.sort == "amount,due"
    reader.get(f"/inbox?view={view.id}")
    assert keys(reader) == ["LOT-1", "LOT-0"]
    assert "Acme first Lena Fischer 2" in reader.text
    assert reader.post(f"/inbox/views/{view.id}", kept | {"name": "Mine"}).status_code == 403
    assert reader.post(f"/inbox/views/{view.id}/adopt").status_code == 409
    story.given(lambda act: move(act, act.session.get_one(User, "lena"), UserStatus.DISABLED))
    reader.get("/inbox/views")
    assert "Lena Fischer has left" in reader.text
    assert reader.post(f"/inbox/views/{view.id}/adopt").status_code == 303
    assert story.read(lambda session: session.get_one(InboxView, view.id).owner_id) == "bea"
    assert reader.post(f"/inbox/views/{view.id}", kept | {"name": "Copy", "way": "copy"}).status_code == 303
    assert reader.post(f"/inbox/views/{view.id}/delete").status_code == 303
    assert reader.get(f"/inbox?view={view.id}").status_code == 404


def test_several_are_decided_one_by_one_and_what_is_refused_says_why_and_harms_no_other(
    story: Story, browse: People
) -> None:
    browser, found = browse(lena), waiting(story)
    with story.as_(bea).acting() as act:
        assigning.claim(act, found[0].id)
    browser.post("/inbox/bulk", {"do": "approve", "task": [task.id for task in found]})
    assert "5 selected, 3 eligible: why?" in browser.text
    assert "LOT-0 Bea Castillo claimed it." in browser.text
    assert "FEE-0 It is of another step" in browser.text
    ready = found[1:4]
    assert browser.post("/inbox/bulk/reject", form(ready)).status_code == 422
    with story.as_(bea).acting() as act:
        tasks.decide(act, ready[2].id, "reject", seen_version=ready[2].version, reason="Too dear")
    answer = browser.post("/inbox/bulk/approve", form(ready, reason="In budget"))
    assert answer.status_code == 200
    assert "Approve: 2 of 3 done" in browser.text
    assert "LOT-3 Refused Expected an open task, but it was decided by Bea Castillo" in browser.text
    decided = story.read(lambda session: session.scalars(select(Decision)).all())
    assert sorted((one.actor_id, one.verdict, one.reason) for one in decided) == [
        ("bea", "reject", "Too dear"), ("lena", "approve", "In budget"), ("lena", "approve", "In budget"),
    ]  # fmt: skip


def test_several_are_put_aside_taken_back_commented_and_given_on(story: Story, browse: People) -> None:
    browser, found = browse(lena), waiting(story)
    aside = found[:2]
    assert browser.post("/inbox/bulk/snooze", form(aside)).status_code == 422
    assert browser.post("/inbox/bulk/snooze", form(aside, at="2026-11-30T08:00", wakes_on="COMMENT")).status_code == 303
    browser.get("/inbox?box=groups")
    assert set(keys(browser)) == {"LOT-2", "LOT-3", "FEE-0"}
    assert "My groups 3" in browser.text
    browser.get("/inbox?box=snoozed")
    assert set(keys(browser)) == {"LOT-0", "LOT-1"}
    assert "back Nov 30, 08:00 or when somebody comments" in browser.text
    assert browser.post("/inbox/bulk/wake", form(aside[:1])).status_code == 303
    assert story.read(lambda session: [one.task_id for one in session.scalars(select(TaskSnooze))]) == [aside[1].id]
    assert browser.post("/inbox/bulk/comment", form(found, reason="Who asked for these?")).status_code == 303
    assert len(story.read(lambda session: session.scalars(select(Comment)).all())) == 5
    browser.post("/inbox/bulk", {"do": "reassign", "task": [task.id for task in found]})
    assert 'value="bea"' in browser.page.text
    assert 'value="max"' not in browser.page.text
    assert browser.post("/inbox/bulk/reassign", form(found[:1], user_id="bea")).status_code == 422
    refused = browser.post("/inbox/bulk/reassign", form(found[:1], user_id="max", reason="You know him"))
    assert refused.status_code == 200
    assert "but Max Lindgren may not" in browser.text
    assert (
        browser.post("/inbox/bulk/reassign", form(found[:1], user_id="bea", reason="You know him")).status_code == 303
    )
    assert story.read(lambda session: session.get_one(Task, found[0].id).assignee) == "bea"
    bea_sees = browse(bea)
    bea_sees.get("/inbox?box=mine")
    assert keys(bea_sees) == ["LOT-0"]


def test_each_person_one_stands_in_for_is_a_chip_and_news_says_who_decided_and_how_many_are_new(
    story: Story, browse: People
) -> None:
    def arrange(act: Act) -> None:
        make_absence(act, "lena", "otto", starts_at=act.now)
        make_absence(act, "max", "otto", starts_at=act.now)

    story.given(arrange)
    browser, found = browse(otto), waiting(story)
    browser.get("/inbox?box=deputising&for=lena")
    assert len(keys(browser)) == 5
    assert "Lena Fischer 5" in browser.text
    assert "Max Lindgren 0" in browser.text
    shown = ",".join(task.id for task in found)
    with story.as_(bea).acting() as act:
        tasks.decide(act, found[0].id, "approve", seen_version=found[0].version)
    story.clock.advance(minutes=1)
    with story.installation.acting("user:ella") as act:
        instances.start(act, FLOW, business_key="LOT-9", variables={"name": "L9", "price": 1, "owner": "Acme"})
    told = browser.get(f"/inbox/news?box=deputising&for=lena&shown={shown}").json
    assert told == {"news": 1, "stale": {found[0].id: "decided by Bea Castillo 09:00"}}
    since = "2026-11-22T15:00:30Z"
    assert browser.get(f"/inbox/news?box=deputising&for=lena&shown=&more=1&since={since}").json["news"] == 1
    assert browser.get("/inbox/news?box=deputising&for=lena&shown=&more=1&since=soon").status_code == 422


def test_what_one_watches_is_a_box_and_only_what_one_may_see_is_watched(story: Story, browse: People) -> None:
    found = waiting(story)
    browser, stranger = browse(lena), browse(max_)
    assert stranger.post(f"/tasks/{found[0].id}/watch").status_code == 404
    assert browser.post(f"/tasks/{found[0].id}/watch").status_code == 409
    assert story.read(lambda session: followed_by(session, "lena")) == []
    browser.get("/inbox?box=watching")
    assert "You watch nothing yet" in browser.text
