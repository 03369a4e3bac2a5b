"""What keeps running: it starts, answers, works, and stops when it is told to."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.act import Installation
from engine.jobs import defer
from engine.stored.job import Job, JobState
from tests.makers import make_cast, make_site
from webapp.cli import serving

ROOT = Path(__file__).parent.parent.parent.parent
PATIENCE = 60.0


@contextmanager
def running(engine: Engine, folder: Path, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run lockstep in a process of its own, in a folder of its own; it must end well when it is told to."""
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp.cli", "--database", url, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def url_said_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"http://localhost:\d+", line):
            return found[0]
    raise AssertionError(f"Expected a URL, but the server said: {said}")


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return int(answer.status)


@pytest.fixture
def settled(installation: Installation) -> Installation:
    with installation.acting("system:test") as act:
        make_site(act)
        make_cast(act)
    return installation


def test_the_server_answers_on_a_free_port_and_stops_when_told(
    database: Engine, settled: Installation, tmp_path: Path
) -> None:
    with running(database, tmp_path, "serve") as process:
        url = url_said_by(process)
        assert 8000 <= int(url.rpartition(":")[2]) <= 8099
        assert status_of(f"{url}/sign-in") == 200
    key = tmp_path / "var" / "secret_key"
    assert (len(key.read_text()), key.stat().st_mode & 0o777) == (64, 0o600)


def test_connections_that_lie_idle_keep_nobody_out() -> None:
    """Two dozen browsers kept a hundred open, and whoever came next waited for two minutes."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = serving._listen(app, "127.0.0.1", None)
    thread = threading.Thread(target=server.run)
    thread.start()
    idle = []
    try:
        for _ in range(150):
            one = http.client.HTTPConnection("127.0.0.1", server.effective_port, timeout=20)
            idle.append(one)
            one.request("GET", "/")
            assert one.getresponse().read() == b"ok"
    finally:
        for one in idle:
            one.close()
        server.close()
        thread.join(20)


def test_a_port_that_is_taken_is_said_so(sqlite_database: Engine, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        url = sqlite_database.url.render_as_string(hide_password=False)
        said = subprocess.run(
            [sys.executable, "-m", "webapp.cli", "--database", url, "serve"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PORT": port},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert said.returncode == 1
    assert f"port {port}" in said.stderr


def test_a_worker_runs_the_jobs_that_are_promised(database: Engine, settled: Installation, tmp_path: Path) -> None:
    message = {"to": ["rita@plant.example"], "subject": "Hello", "text": "Something happened."}
    with settled.acting("system:test") as act:
        job_id = defer(act, "mail", message).id
    with running(database, tmp_path, "worker", "--poll", "0.1"):
        deadline = time.monotonic() + PATIENCE
        while state_of(settled, job_id) != JobState.DONE and time.monotonic() < deadline:
            time.sleep(0.1)
    assert state_of(settled, job_id) == JobState.DONE
    [mail] = (tmp_path / "var" / "mail").iterdir()
    assert "Something happened." in mail.read_text("utf-8")


def state_of(installation: Installation, job_id: str) -> str:
    with installation.reading() as session:
        return session.get_one(Job, job_id).state
