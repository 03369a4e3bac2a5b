"""Redlines over REST: what changed, what I viewed of it, and what people say about a line."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from engine.act import Act
from records.comment import Comment
from records.notice import notices_of
from records.requisition import Requisition, RequisitionStatus, move
from tests.makers import D
from tests.people import CAST, lena, max_, otto, rita
from tests.story import Story
from tests.webapp.api.conftest import UNKNOWN, Calling, problem


@pytest.fixture
def path(story: Story) -> str:
    """Have a requisition that was sent back, corrected in its quantity, and waits for lena again."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50), ("P-200", 5)])
    change(story, 40)
    return f"/documents/requisition/{story.requisition_id}"


def change(story: Story, quantity: int) -> None:
    """Let lena send it back and rita ask for another quantity."""
    story.as_(lena).decide("approve_requisition", "return", reason="Too many")
    story.clock.advance(minutes=5)

    def correct(act: Act) -> None:
        found = act.session.get_one(Requisition, story.requisition_id)
        move(act, found, RequisitionStatus.DRAFT)
        act.session.flush()
        found.lines[0].quantity = D(quantity)

    story.given(correct)
    story.clock.advance(minutes=5)
    story.as_(rita).decide("correct_requisition", "resubmit")


def test_a_redline_names_each_difference_and_a_tick_goes_when_its_line_changes(
    calling: Calling, story: Story, path: str
) -> None:
    client = calling(lena)
    shown = client.get(f"{path}/redline").json
    [line] = shown["lines"]
    [difference] = line["differences"]
    assert (shown["basis"], shown["count"], shown["to_view"], shown["viewed"]) == (
        "the last time it was submitted",
        1,
        1,
        0,
    )
    assert (difference["kind"], difference["old"], difference["new"], difference["unit"]) == (
        "changed", "50.000000", "40.000000", "EA",
    )  # fmt: skip
    assert "quantity" in difference["sentence"].lower()
    tick = {"path": line["path"], "hash": line["hash"]}
    problem(client.post(f"{path}/viewed", tick | {"hash": "0" * 64}), 409, "STALE_VERSION")
    problem(client.post(f"{path}/viewed", tick | {"path": "nowhere"}), 422, "INVALID")
    ticked = client.post(f"{path}/viewed", tick).json
    assert (ticked["viewed"], ticked["lines"][0]["is_viewed"]) == (1, True)
    assert calling(max_).get(f"{path}/redline").json["viewed"] == 0, "a tick is its owner's"
    assert client.post(f"{path}/viewed", tick | {"is_viewed": False}).json["viewed"] == 0
    client.post(f"{path}/viewed", tick)
    change(story, 39)
    assert client.get(f"{path}/redline").json["lines"][0]["is_viewed"] is False
    problem(client.get(f"{path}/redline?since=yesterday"), 422, "INVALID")
    problem(client.get(f"/documents/requisition/{UNKNOWN}/redline"), 404, "NOT_FOUND")
    problem(client.get("/documents/teapot/1/redline"), 404, "NOT_FOUND")


def test_a_blocking_comment_on_a_line_keeps_the_approval_until_it_is_resolved(
    calling: Calling, story: Story, path: str
) -> None:
    client, requester = calling(lena), calling(rita)
    line = client.get(f"{path}/redline").json["lines"][0]
    problem(client.post(f"{path}/comments", {"text": " "}), 422, "INVALID")
    problem(client.post(f"{path}/comments", {"text": "Why?", "path": "nowhere"}), 422, "INVALID")
    said = client.post(f"{path}/comments", {"text": "Why 40?", "path": line["path"], "is_blocking": True})
    assert (said.status_code, said.json["place"], said.json["is_blocking"]) == (201, line["place"], True)
    requester.post(f"{path}/comments", {"text": "The customer took ten back"})
    task = client.get(f"/tasks/{story.as_(lena).task('approve_requisition').id}").json
    assert "approve" in task["kept_back"]
    assert [(one["author_id"], one["path"]) for one in client.get(f"{path}/comments").json["items"]] == [
        ("lena", line["path"]), ("rita", None),
    ]  # fmt: skip
    end = f"/comments/{said.json['id']}/resolution"
    problem(calling(otto).post(end, {}), 403, "NOT_YOUR_COMMENT")
    done = client.post(end, {"text": "Agreed"}).json
    assert (done["is_blocking"], done["resolved_by"], done["resolution"]) == (False, "lena", "Agreed")
    problem(client.post(end, {}), 409, "NOT_BLOCKING")
    problem(client.post(f"/comments/{UNKNOWN}/resolution", {}), 404, "NOT_FOUND")
    assert "approve" in client.get(f"/tasks/{task['id']}").json["outcomes"]
    assert story.read(lambda session: session.query(Comment).count()) == 2


def test_adapters_read_and_say_nothing_and_every_key_needs_the_scope(calling: Calling, path: str) -> None:
    problem(calling("adapter:erp").post(f"{path}/comments", {"text": "Hello"}), 403, "SCOPE_MISSING")
    assert calling("adapter:erp").get(f"{path}/redline").json["viewed"] == 0
    reader = calling(lena, "reviews:read")
    assert reader.get(f"{path}/comments").json["items"] == []
    problem(reader.post(f"{path}/comments", {"text": "Hello"}), 403, "SCOPE_MISSING")
    problem(calling(lena, "orders:read").get(f"{path}/redline"), 403, "SCOPE_MISSING")


def test_a_thread_tells_whom_it_names_whom_it_answers_and_who_follows(
    calling: Calling, story: Story, path: str, browse: Any
) -> None:
    """Markdown, HTML and right-to-left text are words like any other; a name that nobody has is one, too."""
    client, requester = calling(lena), calling(rita)
    told = "**Why** <b>40</b>? @rita and @MAX, not @nobody or max@rita.example; \u0644\u0645\u0627\u0630\u0627 \u202ex"
    first = client.post(f"{path}/comments", {"text": told})
    assert (first.status_code, first.json["mentions"]) == (201, ["rita", "max"])
    problem(requester.post(f"{path}/comments", {"text": "x", "reply_to": UNKNOWN}), 422, "INVALID")
    calling(otto).post(f"{path}/following", {})
    answer = requester.post(f"{path}/comments", {"text": "Forty fit in a box", "reply_to": first.json["id"]}).json
    assert answer["reply_to_id"] == first.json["id"]
    again = client.post(f"{path}/comments", {"text": "Good", "reply_to": answer["id"]}).json
    assert again["reply_to_id"] == first.json["id"], "an answer to an answer stands in the same thread"

    number = story.requisition.number
    subjects = {
        who: [
            one.subject
            for one in story.read(lambda session, who=who: notices_of(session, who))
            if number in one.subject
        ]
        for who in ("rita", "max", "otto", "lena")
    }
    assert subjects["max"][-1] == f"{lena.name} mentioned you on {number}"
    assert subjects["otto"] == [f"{lena.name} commented on {number}", f"{rita.name} commented on {number}"]
    assert f"{rita.name} answered you on {number}" in subjects["lena"]
    assert client.get(f"{path}/followers").json["followers"] == ["lena", "rita", "max", "otto"]
    assert calling(otto).post(f"{path}/following", {"is_following": False}).json["is_following"] is False
    problem(client.post(f"{path}/comments", {"text": " ".join(f"@{who.id}" for who in CAST)}), 422, "INVALID")

    page = browse(lena).get(f"/requisitions/{story.requisition_id}?tab=discussion").text
    assert "**Why** &lt;b&gt;40&lt;/b&gt;?" in page
    assert f">@<bdi>{rita.name}</bdi></a>" in page
    assert "@nobody" in page
    assert page.index("Forty fit in a box") < page.index(">Good<")
    story.clock.advance(minutes=1)
    story.as_(lena).decide("approve_requisition", "approve")
    moved = [one.subject for one in story.read(lambda session: notices_of(session, "max"))]
    assert f"{number} is approved" in moved, "whoever follows is told of every new state"


def test_a_file_is_attached_shown_and_taken_home_and_one_that_lies_is_refused(
    calling: Calling, story: Story, path: str, browse: Any
) -> None:
    """A preview may do nothing but show; a download keeps its name; what says another kind than its content is not kept."""
    client = calling(lena)
    given = {"file_name": "..\\q\u202euote.pdf", "content": base64.b64encode(b"%PDF-1.7\n").decode()}
    made = client.post(f"{path}/files", given)
    assert (made.status_code, made.json["file_name"], made.json["scanned_by"]) == (201, "quote.pdf", None)
    assert client.post(f"{path}/files", given).json["id"] == made.json["id"], "the same file is there once"
    lies = problem(client.post(f"{path}/files", given | {"file_name": "drawing.png"}), 422, "INVALID")
    assert lies["fields"]["file"].endswith("to be a PNG picture, as its name says, but its content is a PDF")
    problem(client.post(f"{path}/files", given | {"content": "§"}), 422, "INVALID")
    text = client.post(
        f"{path}/files", {"file_name": "a.txt", "content": base64.b64encode(b"<b>bold</b>").decode()}
    ).json
    assert [one["file_name"] for one in client.get(f"{path}/files").json["items"]] == ["quote.pdf", "a.txt"]
    assert client.get(f"/files/{text['id']}").data == b"<b>bold</b>"

    browser = browse(lena)
    assert "&lt;b&gt;bold&lt;/b&gt;" in browser.get(f"/files/{text['id']}/preview").text
    assert browser.get(f"/files/{text['id']}/shown").status_code == 404, "a text is shown inside our page alone"
    assert f"/files/{made.json['id']}/shown" in browser.get(f"/files/{made.json['id']}/preview").text
    shown = browser.get(f"/files/{made.json['id']}/shown")
    assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    taken = browser.get(f"/files/{made.json['id']}")
    assert taken.headers["Content-Disposition"] == "attachment; filename=quote.pdf"
    page = browser.get(f"/requisitions/{story.requisition_id}?tab=documents").text
    assert "No scanner is set up here" in page
