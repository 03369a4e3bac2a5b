"""What a break-in or a crash leaves behind: evidence that names the row, or no trace at all."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import func, select

from engine.act import Installation
from engine.audit import AuditEvent
from engine.decisions import Decision
from records.requisition import RequisitionStatus
from records.signature import Signature
from rules.triggers import install_guard, remove_guard
from tests.people import bea, lena, rita
from tests.scenarios.desk import signing
from tests.story import Story
from tests.webapp.browser import Browser
from tests.webapp.conftest import People
from webapp.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def signed(story: Story) -> Story:
    """Have an approved order."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    story.as_(lena).decide("approve_requisition", "approve")
    return story.as_(bea).decide("complete_order", "submit")


def tamper(story: Story, statement: str) -> str:
    """Do what the owner of the database can: take the triggers away and write. Returns the database's URL."""
    database = story.installation.database
    with database.execution_options(writes=True).begin() as connection:
        remove_guard(connection)
        assert connection.exec_driver_sql(statement).rowcount == 1
    database.dispose()
    return database.url.render_as_string(hide_password=False)


def verify(url: str) -> Result:
    return CliRunner().invoke(main, ["--database", url, "verify", "--json"])


def breaks_of(result: Result) -> list[tuple[str, str, int]]:
    return [(one["record_type"], one["record_id"], one["seq"]) for one in json.loads(result.stdout)["breaks"]]


def last_event(story: Story, record_id: str, field: str) -> int:
    wanted = select(func.max(AuditEvent.seq)).where(AuditEvent.record_id == record_id, AuditEvent.field == field)
    return int(story.read(lambda session: session.scalar(wanted)))


@pytest.mark.part11("11.10(e)", "11.70")
def test_an_edited_field_of_a_signed_order_is_named_with_its_row(signed: Story) -> None:
    """W31: the price of one line, edited in the database; nothing else is reported, but that the guard is gone."""
    line_id = signed.order.lines[0].id
    row = last_event(signed, line_id, "unit_price")
    url = tamper(signed, f"UPDATE purchase_order_line SET unit_price = 1 WHERE id = '{line_id}'")
    result = verify(url)
    assert result.exit_code == 1
    assert breaks_of(result) == [("purchase_order_line", line_id, row)]
    assert "42.5000" in json.loads(result.stdout)["breaks"][0]["sentence"]
    assert any("is missing" in problem for problem in json.loads(result.stdout)["guard"])


def test_an_edit_is_named_also_when_the_triggers_were_put_back(signed: Story) -> None:
    """W31: a tidy intruder, who leaves the guard as it was."""
    signature_id = signed.signatures[0].id
    url = tamper(signed, f"UPDATE signature SET printed_name = 'Max Lindgren' WHERE id = '{signature_id}'")
    with signed.installation.database.execution_options(writes=True).begin() as connection:
        install_guard(connection)
    result = verify(url)
    assert json.loads(result.stdout)["guard"] == []
    assert [(found, record_id) for found, record_id, _row in breaks_of(result)] == [("signature", signature_id)]


def test_an_altered_history_is_named_at_its_first_row(signed: Story) -> None:
    order_id = signed.order.id
    url = tamper(signed, f"UPDATE audit_event SET actor = 'user:otto' WHERE record_id = '{order_id}' AND seq = 5")
    assert breaks_of(verify(url)) == [("purchase_order", order_id, 5)]


@pytest.mark.part11("11.10(e)")
def test_a_database_without_guard_is_not_served(signed: Story) -> None:
    order_id = signed.order.id
    url = tamper(signed, f"UPDATE purchase_order SET comment = 'x' WHERE id = '{order_id}'")
    for command in (["serve", "--port", "9"], ["worker"]):
        result = CliRunner().invoke(main, ["--database", url, *command])
        assert (result.exit_code, "guard" in result.output) == (4, True)


SERVER = """
import sys, time
from sqlalchemy import event
from werkzeug.serving import make_server
from engine.act import _ActSession
from engine.decisions import Decision
from tests.clock import SettableClock
from webapp.app import create_app
from webapp.wiring import wire

def stop(session):
    if any(isinstance(one, Decision) for one in session):
        print("everything is written but the commit", flush=True)
        time.sleep(120)

event.listen(_ActSession, "before_commit", stop)
app = create_app(wire(sys.argv[1], clock=SettableClock()), secret_key="only for tests")
server = make_server("127.0.0.1", 0, app)
print(server.port, flush=True)
server.serve_forever()
"""


@contextmanager
def serving(house: Installation) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server of its own on the same database, which stops just before a decision is committed."""
    url = house.database.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, url], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_server_killed_in_the_middle_of_an_act_leaves_no_trace_and_a_repeat_succeeds(
    house: Installation, story: Story, app: Flask, browse: People
) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    browser = browse(lena)
    path, form = f"/tasks/{task.id}/decide/approve", signing(task, reason="Agreed")

    def events(session) -> int:
        return int(session.scalar(select(func.count()).select_from(AuditEvent)))

    before = story.read(events)
    with serving(house) as (process, port):
        cookies = "; ".join(f"{one.key}={one.value}" for one in _cookies(browser))
        headers = {
            "Cookie": cookies,
            "User-Agent": "Firefox on a desk",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", path, urlencode(form | {"form_proof": browser.proof}), headers)
        assert process.stdout is not None
        assert "everything is written" in process.stdout.readline()
        process.kill()
        process.wait(30)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            connection.getresponse()
    assert story.read(events) == before
    for mapped in (Decision, Signature):
        assert story.read(lambda session, mapped=mapped: session.scalars(select(mapped)).all()) == []
    assert story.task("approve_requisition").version == task.version
    assert browser.post(path, form).status_code == 303
    story.settle()
    assert story.requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    assert story.incidents == []


def _cookies(browser: Browser) -> list:
    found = [browser.client.get_cookie(name) for name in ("lockstep_session", "lockstep_visit")]
    assert all(found)
    return found


def test_a_bug_in_the_middle_of_a_request_leaves_no_trace(
    house: Installation, story: Story, browse: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that fills the seat breaks; the page says so without a stack, and the repeat succeeds."""
    from processes import approval_round

    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    task = story.as_(lena).task("approve_requisition")
    browser = browse(lena)
    with monkeypatch.context() as broken:
        broken.setattr(approval_round, "_seat", lambda *_: 1 / 0)
        answer = browser.post(f"/tasks/{task.id}/decide/approve", signing(task))
        assert answer.status_code == 500
        assert "ZeroDivisionError" not in answer.text
    assert story.signatures == []
    assert browser.post(f"/tasks/{task.id}/decide/approve", signing(task)).status_code == 303
    assert len(story.signatures) == 1
