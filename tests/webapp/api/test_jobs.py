"""Jobs, messages, signals and conditions by API: who may, what each refusal says, how a request waits, the documented workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from engine import worker
from engine.act import Installation
from records.api_key import keys_of, revoke_key
from records.person import RoleGrant
from tests.engine.spiff.diagrams import boundary, diagram, end, message, node, on, process, service, start, when
from tests.people import adam, bea, ivan, pat, rita
from tests.webapp.api.conftest import UNKNOWN, Calling, Client, problem
from tests.webapp.conftest import People
from webapp import long_poll
from webapp.long_poll import Patience, places_of

HOWTO = Path(__file__).parents[3] / "docs" / "howto" / "serve-jobs-from-outside.md"
WELD = diagram(
    process(
        start(),
        service("weld", type="robot.weld"),
        boundary("cold", "weld", on("error", "cold_seam")),
        end("redo"),
        end(),
        id="seam",
        flows="s > weld > e\ncold > redo",
    ),
    process(start("s2"), node("receiveTask", "wait", messageRef="m"), end("e2"), id="parts", flows="s2 > wait > e2"),
    process(
        start("s3"),
        node("intermediateCatchEvent", "hear", on("signal", "g")),
        end("e3"),
        id="drill",
        flows="s3 > hear > e3",
    ),
    process(start("s4", when("=sparks > 3")), end("e4"), id="douse", flows="s4 > e4"),
    definitions='<bpmn:error id="cold_seam" errorCode="COLD_SEAM" /><bpmn:signal id="g" name="fire" />'
    + message("m", "parts.in", "=order"),
)


@pytest.fixture
def shop(calling: Calling) -> Client:
    """Deploy the diagrams, and return a caller that starts runs."""
    calls = calling(pat)
    for process_id in ("seam", "parts", "drill", "douse"):
        body = {"files": {"shop.bpmn": WELD.decode()}, "process_id": process_id}
        assert calls.post("/definitions", body).status_code == 201
    return calls


def run(calls: Client, key: str, process_id: str = "seam", **variables: Any) -> str:
    started = calls.post("/instances", {"process_id": process_id, "business_key": key, "variables": variables})
    assert started.status_code == 201, started.text
    return str(started.json["id"])


def activate(calls: Client, by: str = "one", **more: Any) -> list[dict[str, Any]]:
    answer = calls.post("/jobs/activation", {"type": "robot.weld", "worker": by} | more)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def nested(levels: int, opens: str = "[", closes: str = "]") -> str:
    """Return a body whose one variable nests as deep; written by hand, since no writer of JSON goes as deep as a stranger may."""
    return '{"variables": {"a": ' + opens * levels + "1" + closes * levels + "}}"


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}"), ('{"$":', "}")])
def test_what_nests_too_deep_is_refused_wherever_it_arrives_and_what_is_taken_can_be_shown(
    shop: Client, calling: Calling, opens: str, closes: str
) -> None:
    cell = calling("adapter:shop")
    run(shop, "A")
    [job] = activate(cell)
    finish = '"worker": "one", '
    doors = {
        "/messages": '"name": "x", ', "/signals": '"name": "x", ', "/conditions": "",
        "/instances": '"process_id": "drill", "business_key": "D", ', f"/jobs/{job['id']}/completion": finish,
    }  # fmt: skip

    def send(path: str, more: str, levels: int) -> TestResponse:
        body = "{" + more + nested(levels, opens, closes)[1:]
        return cell.send("POST", path, data=body, content_type="application/json")

    for path, more in doors.items():
        for levels in (61, 254, 480, 900):
            assert "60 lists and objects" in problem(send(path, more, levels), 422, "INVALID")["fields"]["a"], path
        problem(send(path, more, 10_000), 400, "MALFORMED_JSON")
    assert cell.get("/messages").json["items"] == []
    for path, more in doors.items():
        answer = send(path, more, 60)
        assert answer.status_code in (200, 201), (path, answer.text)
        if path in ("/messages", "/instances"):
            shown = cell.get(f"{path}/{answer.json['id']}")
            assert shown.text.count(opens.replace(" ", "")) >= 60, path


def test_a_worker_outside_takes_finishes_fails_and_extends_jobs(shop: Client, calling: Calling) -> None:
    cell = calling("adapter:shop", "jobs:work")
    first = run(shop, "A", seams=3, price="4.10")
    run(shop, "B")
    [job, other] = activate(cell, max_jobs=5, fetch_variables=["seams"])
    told = {
        name: job[name] for name in ("business_key", "element_name", "variables", "attempt", "retries_left", "state")
    }
    assert told == {
        "business_key": "A", "element_name": "weld", "variables": {"seams": 3}, "attempt": 1, "retries_left": 2,
        "state": "RUNNING",
    }  # fmt: skip
    mine = {"worker": "one", "attempt": 1}
    longer = cell.post(f"/jobs/{job['id']}/lock", mine | {"lock_seconds": 900})
    assert longer.json["locked_until"] > job["locked_until"]
    assert problem(cell.post(f"/jobs/{job['id']}/completion", mine | {"worker": "two"}), 409, "JOB_LOST")
    done = cell.post(f"/jobs/{job['id']}/completion", mine | {"variables": {"ok": True}})
    assert (done.status_code, done.json["state"]) == (200, "DONE")
    assert shop.get(f"/instances/{first}").json["status"] == "COMPLETED"
    problem(cell.post(f"/jobs/{job['id']}/completion", mine), 409, "JOB_DONE")
    assert cell.get(f"/jobs/{job['id']}").json["variables"] is None
    back = cell.post(
        f"/jobs/{other['id']}/failure", mine | {"message": "no gas", "back_off_seconds": 0, "retries_left": 1}
    )
    assert back.json["job"]["state"] == "WAITING"
    [again] = activate(cell)
    failed = cell.post(f"/jobs/{again['id']}/failure", mine | {"attempt": 2, "message": "no gas", "retries_left": 0})
    assert (failed.json["job"]["state"], failed.json["detail"]) == (
        "FAILED",
        "No try is left: it waits for operations.",
    )
    listed = cell.get("/jobs?q=robot.weld&state=FAILED").json["items"]
    assert [(one["id"], one["error"]) for one in listed] == [(other["id"], "no gas")]


def test_a_business_error_by_api_says_whether_the_diagram_catches_it(shop: Client, calling: Calling) -> None:
    cell = calling("adapter:shop", "jobs:work")
    for key, code, is_caught in (("A", "COLD_SEAM", True), ("B", "OTHER", False)):
        run(shop, key)
        [job] = activate(cell)
        thrown = cell.post(f"/jobs/{job['id']}/error", {"worker": "one", "code": code, "variables": {"seam": 2}})
        assert (thrown.status_code, thrown.json["is_caught"]) == (200, is_caught)


def test_what_a_worker_may_not_is_refused_in_words(shop: Client, calling: Calling, house: Installation) -> None:
    cell, ask = calling("adapter:shop", "jobs:work"), {"type": "robot.weld", "worker": "one"}
    problem(calling("adapter:erp", "messages:publish").post("/jobs/activation", ask), 403, "SCOPE_MISSING")
    for path in ("/jobs", f"/jobs/{UNKNOWN}"):
        problem(calling(rita).get(path), 403, "NOT_AUTHORISED")
    problem(calling(rita).post("/jobs/activation", ask), 403, "NOT_AUTHORISED")
    assert calling(adam).post("/jobs/activation", ask).json == {"items": []}
    problem(cell.post("/jobs/activation", ask | {"type": "robot.wled"}), 404, "UNKNOWN_JOB_TYPE")
    problem(cell.post("/jobs/activation", ask | {"type": house.registry.job_types[0]}), 409, "SERVED_HERE")
    problem(cell.get(f"/jobs/{UNKNOWN}"), 404, "NOT_FOUND")
    problem(cell.post(f"/jobs/{UNKNOWN}/completion", {"worker": "one"}), 404, "NOT_FOUND")
    for wrong in (
        {"max_jobs": 0},
        {"lock_seconds": 0},
        {"timeout_seconds": 61},
        {"worker": ""},
        {"fetch_variables": "x"},
    ):
        problem(cell.post("/jobs/activation", ask | wrong), 422, "INVALID")
    run(shop, "A")
    [job] = activate(cell)
    path = f"/jobs/{job['id']}/completion"
    large = b'{"worker": "one", "variables": {"scan": "' + b"x" * 10_000_000 + b'"}}'
    problem(cell.send("POST", path, data=large, content_type="application/json"), 413, "TOO_LARGE")
    problem(cell.send("POST", path, data=b"<a/>", content_type="application/xml"), 415, "UNSUPPORTED_MEDIA_TYPE")
    problem(cell.post(path, {"worker": "one", "variables": []}), 422, "INVALID")
    problem(shop.post(path, {"worker": "one"}), 409, "JOB_LOST")
    assert cell.post(path, {"worker": "one"}).status_code == 200


@contextmanager
def patiently(app: Flask, house: Installation, cell: Client) -> Iterator[list[TestResponse]]:
    """Let somebody ask for jobs and go on once they wait and hold no connection; yield what comes to hold the answer."""
    found: list[TestResponse] = []
    asked = {"type": "robot.weld", "worker": "one", "timeout_seconds": 60}
    thread = threading.Thread(target=lambda: found.append(cell.post("/jobs/activation", asked)))
    thread.start()
    try:
        ends = time.monotonic() + 30
        while not (_is_place_taken(app) and house.database.pool.checkedout() == 0):  # type: ignore[attr-defined]  # every real pool counts
            assert time.monotonic() < ends, "Expected somebody who waits without a connection"
            time.sleep(0.01)
        yield found
        thread.join(50)
        assert not thread.is_alive(), "Expected an answer as soon as there is one, not when the time of waiting is over"
    finally:
        if thread.is_alive():
            places_of(app).end()
            thread.join()
        long_poll.install(app)
    assert found


def _is_place_taken(app: Flask) -> bool:
    places = places_of(app)
    taken = [places.free.acquire(blocking=False) for _ in range(places.count)]
    for _ in filter(None, taken):
        places.free.release()
    return not all(taken)


def test_a_request_that_waits_is_answered_when_there_is_a_job_and_holds_no_connection(
    shop: Client, calling: Calling, house: Installation, app: Flask
) -> None:
    cell = calling("adapter:shop", "jobs:work")
    with patiently(app, house, cell) as found:
        run(shop, "A")
    assert [job["business_key"] for job in found[0].json["items"]] == ["A"]
    with app.test_request_context():
        assert Patience(0.3, lambda _session: False).wait() is False
    places_of(app).end()
    full = cell.post("/jobs/activation", {"type": "robot.weld", "worker": "one", "timeout_seconds": 30})
    long_poll.install(app)
    problem(full, 429, "TOO_MANY_REQUESTS")
    assert full.headers["Retry-After"] == "5"


def test_who_lost_their_key_or_role_while_they_waited_gets_no_job(
    shop: Client, calling: Calling, house: Installation, app: Flask
) -> None:
    cell, person = calling("adapter:shop", "jobs:work"), calling(ivan, "jobs:work")
    with patiently(app, house, cell) as found:
        with house.acting("system:arrange") as act:
            [key] = keys_of(act.session, "adapter:shop")
            revoke_key(act, key.id)
        run(shop, "A")
    problem(found[0], 401, "UNAUTHENTICATED")
    assert [job["business_key"] for job in activate(calling("adapter:shop"))] == ["A"]
    with patiently(app, house, person) as found:
        with house.acting("system:arrange") as act:
            for grant in act.session.scalars(select(RoleGrant).where(RoleGrant.user_id == ivan.id)):
                grant.valid_to = act.now
        run(shop, "B")
    problem(found[0], 403, "NOT_AUTHORISED")
    assert [job["business_key"] for job in activate(calling("adapter:shop"))] == ["B"]


def test_messages_that_are_kept_are_listed_and_deleted_and_two_that_wait_are_named(
    shop: Client, calling: Calling
) -> None:
    erp, keeper = calling("adapter:erp", "messages:publish", "messages:read"), calling(adam)
    sent = [
        erp.post("/messages", {"name": "parts.in", "correlation_key": f"PO-{turn}", "message_id": f"m-{turn}"}).json
        for turn in range(3)
    ]
    assert [one["reception"] for one in sent] == ["STORED"] * 3
    first = erp.get("/messages?q=parts.in&limit=2").json
    second = erp.get(f"/messages?q=parts.in&limit=2&after={first['next']}").json
    assert [one["id"] for one in first["items"] + second["items"]] == [one["id"] for one in reversed(sent)]
    path = f"/messages/{sent[0]['id']}"
    problem(erp.post(f"{path}/deletion", {"reason": "x"}), 403, "ADAPTER_KEY")
    problem(calling(bea).get(path), 403, "NOT_AUTHORISED")
    problem(keeper.post(f"{path}/deletion", {"reason": " "}), 422, "INVALID")
    assert keeper.post(f"{path}/deletion", {"reason": "the wrong order"}).json["state"] == "DELETED"
    problem(keeper.post(f"{path}/deletion", {"reason": "again"}), 409, "NOT_KEPT")
    again = erp.post("/messages", {"name": "parts.in", "correlation_key": "PO-0", "message_id": "m-0"})
    assert again.json["is_duplicate"] is True
    other = erp.post("/messages", {"name": "parts.in", "correlation_key": "PO-7", "message_id": "m-0"})
    assert 'with the correlation key "PO-0"' in problem(other, 409, "MESSAGE_ID_USED")["detail"]
    problem(erp.get(f"/messages/{UNKNOWN}"), 404, "NOT_FOUND")
    large = b'{"name": "parts.in", "variables": {"scan": "' + b"x" * 10_000_000 + b'"}}'
    problem(erp.send("POST", "/messages", data=large, content_type="application/json"), 413, "TOO_LARGE")
    problem(erp.send("POST", "/messages", data=b"<a/>", content_type="text/xml"), 415, "UNSUPPORTED_MEDIA_TYPE")
    for key in ("A", "B"):
        run(shop, key, "parts", order="PO-9")
    two = problem(erp.post("/messages", {"name": "parts.in", "correlation_key": "PO-9"}), 409, "AMBIGUOUS_MESSAGE")
    assert "A (parts) and B (parts)" in two["detail"]


def test_a_signal_by_api_is_heard_by_all_who_wait(shop: Client, calling: Calling, house: Installation) -> None:
    runs = [run(shop, key, "drill") for key in ("A", "B")]
    problem(calling(rita).post("/signals", {"name": "fire"}), 403, "NOT_AUTHORISED")
    problem(calling(adam).post("/signals", {"name": ""}), 422, "INVALID")
    sent = calling("adapter:bell", "messages:publish").post("/signals", {"name": "fire", "variables": {"hall": 2}})
    assert (sent.status_code, sent.json["hearers"]) == (200, 2)
    worker.run_until_idle(house)
    assert {shop.get(f"/instances/{one}").json["status"] for one in runs} == {"COMPLETED"}


def test_conditions_by_api_begin_what_is_true(shop: Client, calling: Calling) -> None:
    problem(calling(rita).post("/conditions", {"variables": {"sparks": 4}}), 403, "NOT_AUTHORISED")
    problem(calling("adapter:erp", "messages:read").post("/conditions", {}), 403, "SCOPE_MISSING")
    problem(calling(adam).post("/conditions", {"variables": []}), 422, "INVALID")
    sensor = calling("adapter:sensor", "messages:publish")
    assert sensor.post("/conditions", {}).json == {"asked": 1, "begun": [], "unanswered": []}
    problem(sensor.post("/conditions", {"process_id": "drill"}), 409, "NO_CONDITION")
    problem(sensor.post("/conditions", {"process_id": "none"}), 404, "NOT_FOUND")
    [begun] = sensor.post("/conditions", {"variables": {"sparks": 4}, "business_key": "FIRE-1"}).json["begun"]
    assert (begun["process_id"], begun["business_key"], begun["element_id"]) == ("douse", "FIRE-1", "s4")
    assert shop.get(f"/instances/{begun['instance_id']}").json["status"] == "COMPLETED"


def test_operations_shows_jobs_and_messages_and_helps_them(shop: Client, calling: Calling, browse: People) -> None:
    cell = calling("adapter:shop", "jobs:work", "messages:publish")
    run(shop, "RUN-A")
    run(shop, "RUN-B")
    held, failing = activate(cell, by="cell-7", max_jobs=2)
    cell.post(f"/jobs/{failing['id']}/failure", {"worker": "cell-7", "message": "no <gas>", "retries_left": 0})
    kept = cell.post("/messages", {"name": "parts.in", "correlation_key": "PO-77"}).json
    helper = browse(pat)
    page = helper.get("/operations/jobs").text
    assert "cell-7" in page
    assert "A worker outside" in page
    assert "no &lt;gas&gt;" in page
    assert "Try again" not in browse(bea).get("/operations/jobs").text
    helper.post(f"/operations/jobs/{failing['id']}/retry", {})
    assert [job["id"] for job in activate(cell)] == [failing["id"]]
    assert held["id"] != failing["id"]
    assert "PO-77" in helper.get("/operations/messages").text
    helper.post(f"/operations/messages/{kept['id']}/delete", {"reason": "the wrong order"})
    assert "PO-77" not in helper.get("/operations/messages").text
    assert "the wrong order" in helper.get(f"/operations/messages/{kept['id']}").text


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """Serve the application in a thread, and yield the address of its API; nobody waits in it afterwards."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v1"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
        places_of(app).end()
        long_poll.install(app)


def printed(language: str) -> str:
    """Return the code of a language as the how-to prints it."""
    [code] = re.findall(rf"```{language}\n(.*?)```", HOWTO.read_text("utf-8"), re.DOTALL)
    return str(code)


def until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def waiting(shop: Client) -> list[dict[str, Any]]:
    """Return the welds that nobody has at this moment: one that failed waits until the program takes it again."""
    return list(shop.get("/jobs?state=WAITING&q=robot.weld").json["items"])


def test_the_workers_of_the_documentation_do_their_work_as_printed(shop: Client, calling: Calling, app: Flask) -> None:
    assert len(list(filter(str.strip, printed("python").splitlines()))) <= 25
    by_hand = run(shop, "by hand", seams=4)
    key = calling("adapter:shop", "jobs:work").key or ""
    failed: list[dict[str, Any]] = []
    with listening(app) as address:
        around = os.environ | {"LOCKSTEP_URL": address, "LOCKSTEP_KEY": key}
        done = subprocess.run(  # our own documentation
            ["/bin/sh", "-ec", printed("sh")], env=around, capture_output=True, text=True, timeout=60, check=True
        )
        assert '"state":"DONE"' in done.stdout
        by_program = [run(shop, "by program", seams=2), run(shop, "that fails")]
        program = subprocess.Popen([sys.executable, "-c", printed("python")], env=around)  # our own documentation
        try:
            assert until(lambda: shop.get(f"/instances/{by_program[0]}").json["status"] == "COMPLETED")
            assert until(lambda: failed.extend(job for job in waiting(shop) if job["error"]) or bool(failed))
        finally:
            program.kill()
            program.wait(10)
    assert shop.get(f"/instances/{by_hand}").json["variables"]["welded"] == 4
    assert shop.get(f"/instances/{by_program[0]}").json["variables"]["welded"] == 2
    assert "seams" in failed[0]["error"]
