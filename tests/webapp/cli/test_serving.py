"""What keeps running: ``lockstep worker`` and ``lockstep serve`` run jobs and timers, and stop when they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import jobs
from engine.act import Installation
from engine.clock import wall_clock
from engine.stored.job import Job, JobState
from engine.worker import OVERLOOKED

PATIENCE = 25.0
"""Seconds; less than a runner waits before it takes what a listening worker should have taken."""


@contextmanager
def running(installation: Installation, mail_folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command of lockstep in a process of its own until it says that it works; stop it as a host would."""
    url = installation.database.url.render_as_string(hide_password=False)
    folder = str(mail_folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp.cli", "--database", url, *words],
        env=os.environ | {"LOCKSTEP_MAIL_FOLDER": folder, "LOCKSTEP_SECRET_KEY": "k" * 32, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output


def promise(installation: Installation) -> str:
    with installation.acting("system:test") as act:
        return jobs.defer(act, "mail", {"to": ["bea@example.com"], "subject": "Hello", "text": "Hello."}).id


def is_done(installation: Installation, job_id: str) -> bool:
    with installation.reading() as session:
        return session.get_one(Job, job_id).state == JobState.DONE


def eventually_done(installation: Installation, job_id: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if is_done(installation, job_id):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("words", [("worker", "--poll", "0.1"), ("serve",)], ids=["worker", "serve"])
def test_what_keeps_running_sends_the_mail_that_an_act_promised(
    installation: Installation, tmp_path: Path, words: tuple[str, ...]
) -> None:
    installation.clock = wall_clock
    with running(installation, tmp_path / "mail", *words):
        assert eventually_done(installation, promise(installation))
    assert OVERLOOKED.total_seconds() > PATIENCE
    [kept] = (tmp_path / "mail").iterdir()
    assert "Subject: Hello" in kept.read_text()
