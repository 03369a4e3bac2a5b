"""Runs of a process that changes, and runs that are stuck: W11 to W14, W37 and W39, on both databases."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy import select

from engine import assigning, drafts, instances, tasks
from engine.act import Act, Installation
from engine.definitions import deploy
from engine.errors import Effect, Finding, RuleViolation
from engine.registry import Work
from engine.stored.instance import Instance, InstanceMove
from engine.stored.task import Task
from engine.stored.wait import Incident
from records.signature import Signature
from tests.engine.plant import for_role
from tests.engine.spiff.diagrams import boundary, diagram, end, process, service, start, timer, user
from tests.people import PASSWORD, lena, pat
from tests.story import Story
from tests.webapp.conftest import People
from webapp.cli import main

LOOK = user("look", extensions=for_role("PUR_LEAD"), name="Look at it")
CHECK = user("check", extensions=for_role("PUR_LEAD"), name="Look at it")
REV_A = diagram(process(start(), LOOK, end(), id="flow", flows="s > look > e"))
REV_B = diagram(
    process(start(), CHECK, boundary("late", "check", timer("duration", "=duration(limit)")), end("over"), end(), id="flow",
            flows="s > check > e\nlate > over")
)  # fmt: skip
BOOKED = diagram(process(start(), service("book"), end(), id="flow", flows="s > book > e"))
HANGS = diagram(
    process(
        start(), '<bpmn:exclusiveGateway id="choice" name="Which way?" default="choice_b" />',
        user("a", extensions=for_role("PUR_LEAD"), name="A"),
        user("b", extensions=for_role("PUR_LEAD"), name="B"), '<bpmn:parallelGateway id="both" name="Both done" />', end(), id="flow",
        flows="s > choice > b > both > e\nchoice -[=amount > 5]-> a\na > both",
    )
)  # fmt: skip


def released(house: Installation, content: bytes) -> str:
    with house.acting(pat.principal) as act:
        return deploy(act, {"flow.bpmn": content}).id


def begun(house: Installation, count: int, *, without_limit: int = -1) -> list[str]:
    with house.acting(pat.principal) as act:
        return [
            instances.start(
                act, "flow", business_key=f"R-{number:02}", variables={"limit": None if number == without_limit else "PT2H"}
            ).id
            for number in range(1, count + 1)
        ]  # fmt: skip


def told(house: Installation, *words: str) -> Result:
    return CliRunner().invoke(main, ["--database", house.database.url.render_as_string(hide_password=False), *words])


def versions(story: Story, started: list[str]) -> list[str]:
    rows = story.read(lambda session: dict(session.execute(select(Instance.id, Instance.definition_id)).all()))
    return [rows[one] for one in started]


def test_w11_old_runs_say_that_a_newer_version_is_there_and_new_ones_begin_with_it(
    house: Installation, story: Story, browse: People
) -> None:
    old = released(house, REV_A)
    started = begun(house, 40)
    new = released(house, REV_B)
    with house.acting(pat.principal) as act:
        fresh = instances.start(act, "flow", business_key="R-41", variables={"limit": "PT2H"}).id
    assert versions(story, [*started, fresh]) == [old] * 40 + [new]
    browser = browse(pat)
    said, path = 0, "/operations?q=flow:flow"
    while path:
        page = browser.get(path).text
        said += browser.text.count("1 (2 available)")
        following = re.search(r'href="([^"]*after=[^"]*)"', page)
        path = html.unescape(following[1]) if following else ""
    assert said == 40
    browser.get(f"/operations/runs/{fresh}")
    assert "available)" not in browser.text


def test_w12_w13_a_batch_is_rehearsed_and_signed_and_one_that_fails_stays_what_it_was(
    house: Installation, story: Story, browse: People
) -> None:
    old = released(house, REV_A)
    started = begun(house, 40, without_limit=17)
    new = released(house, REV_B)
    browser, page = browse(pat), f"/operations/definitions/{new}/rehearsal"
    browser.get(page)
    assert browser.text.count("Needs mapping") == 40
    browser.get(f"{page}?map.look=check")
    assert (browser.text.count("Mapped"), browser.text.count("Blocked")) == (39, 1)
    assert "could not begin to wait" in browser.text
    assert versions(story, started) == [old] * 40
    order = {"instance": started, "map.look": "check", "reason": "CO-1042", "on_failure": "STOP"}
    assert browser.post(page, order).status_code in (403, 422)
    assert versions(story, started) == [old] * 40
    signed = order | {"user_id": "pat", "password": PASSWORD}
    assert browser.post(page, signed).status_code == 303
    assert versions(story, started) == [new] * 16 + [old] * 24
    browser.get(page)
    assert browser.post(page, signed | {"on_failure": "CONTINUE"}).status_code == 303
    assert versions(story, started) == [new] * 16 + [old] + [new] * 23
    browser.get("/operations")
    assert "23 moved, 16 there already, 1 failed." in browser.text
    assert "R-17: Expected R-17 to be movable to version 2" in browser.text
    signed_orders = select(Signature).where(Signature.record_type == "relocation")
    assert len(story.read(lambda session: session.scalars(signed_orders).all())) == 2
    # The seventeenth works on as if nothing had been tried.
    with house.acting(lena.principal) as act:
        task = act.session.scalars(select(Task).where(Task.instance_id == started[16])).one()
        tasks.complete(act, task.id, seen_version=task.version)
    first = select(InstanceMove).where(InstanceMove.instance_id == started[0])
    made = story.read(lambda session: session.scalars(first).one())
    back = f"/operations/moves/{made.id}/revert"
    browser.get(back)
    assert browser.post(back, {"reason": "not this one", "user_id": "pat", "password": PASSWORD}).status_code == 303
    assert versions(story, started[:2]) == [old, new]
    with house.acting(pat.principal) as act:
        instances.cancel(act, started[0], "not needed")
    newest = released(house, REV_B.replace(b'id="over"', b'id="over" name="Over"'))
    browser.get(f"/operations/definitions/{newest}/rehearsal?anew.late=true")
    assert browser.text.count("ends: as asked.") == 38
    assert "late begins anew" in browser.text
    anew = {name: goal for name, goal in signed.items() if name != "map.look"} | {
        "instance": started[1:2],
        "anew.late": "true",
    }
    assert browser.post(f"/operations/definitions/{newest}/rehearsal", anew).status_code == 303
    assert versions(story, started[1:3]) == [newest, new]


def test_w14_a_moved_task_keeps_its_draft_and_its_due_date(house: Installation, story: Story) -> None:
    due = '<zeebe:taskSchedule dueDate="=now() + duration(&#34;P3D&#34;)" />'
    released(house, REV_A.replace(b"<zeebe:userTask />", f"<zeebe:userTask />{due}".encode()))
    [run] = begun(house, 1)
    with house.acting(lena.principal) as act:
        task = act.session.scalars(select(Task).where(Task.instance_id == run)).one()
        assigning.claim(act, task.id)
        drafts.save_draft(act, task.id, reason="half of it is checked", variables={"checked": 12})
    before = story.read(lambda session: session.get_one(Task, task.id))
    released(house, REV_B)
    asked = told(house, "rehearse", "flow", "--json")
    assert (asked.exit_code, json.loads(asked.stdout)["runs"][0]["suggestions"]) == (1, {"look": "check"})
    assert told(house, "rehearse", "flow", "--map", "look=check").exit_code == 0
    order = ("migrate-instances", "flow", "--map", "look=check", "--reason", "CO-1042", "--password", PASSWORD)
    assert told(house, *order, "--as", "lena").exit_code == 3
    assert told(house, *order, "--as", "pat").exit_code == 0
    after = story.read(lambda session: session.get_one(Task, task.id))
    assert before.due_at is not None
    assert (after.element_id, after.due_at, after.assignee) == ("check", before.due_at, "lena")
    kept = story.read(lambda session: drafts.draft_of(session, task.id, "lena"))
    assert (kept.reason, kept.variables) == ("half of it is checked", {"checked": 12})


def test_w37_a_retry_of_twelve_says_what_really_came_of_each(house: Installation, story: Story, browse: People) -> None:
    corrected: set[str] = set()

    def book(act: Act, work: Work) -> None:
        assert work.instance is not None
        if work.instance.business_key not in corrected:
            sentence = f"Expected a budget for {work.instance.business_key}, but there is none."
            raise RuleViolation([Finding("CON-07", Effect.BLOCK, sentence)])

    house.registry.step("book")(book)
    try:
        released(house, BOOKED)
        started = begun(house, 12)
        corrected.update(f"R-{number:02}" for number in range(1, 11))
        of_these = select(Incident.id).where(Incident.instance_id.in_(started))
        stuck = story.read(lambda session: list(session.scalars(of_these)))
        browser = browse(pat)
        browser.get("/operations")
        assert browser.post("/operations/retry", {"incident": stuck}).status_code == 303
        browser.get("/operations")
        assert "10 advanced, 2 failed again." in browser.text
        for key in ("R-11", "R-12"):
            assert re.search(rf"{key}: [^.]*Expected a budget for {key}, but there is none", browser.text)
        assert browser.post("/operations/retry", {"incident": stuck[:1]}).status_code == 303
        browser.get("/operations")
        assert "0 advanced, 1 not stuck any more, 0 failed again." in browser.text
    finally:
        del house.registry.steps["book"]


def test_w39_the_lint_shows_the_path_that_hangs(tmp_path: Path) -> None:
    path = tmp_path / "hangs.bpmn"
    path.write_bytes(HANGS)
    said = CliRunner().invoke(main, ["check", "--json", str(path)])
    assert said.exit_code == 1
    [found] = [one for one in json.loads(said.stdout)["findings"] if one["law"] == "a_join_gets_all_it_waits_for"]
    assert (found["severity"], found["element"]) == ("error", "both")
    assert "waits for ever" in found["message"]
    assert (
        '"Which way?" → "A" → "Both done"' in found["message"] or '"Which way?" → "B" → "Both done"' in found["message"]
    )
