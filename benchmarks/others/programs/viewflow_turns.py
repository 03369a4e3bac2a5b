"""Complete user tasks with viewflow, as its own views do: under the flow's lock, in one transaction.

    python viewflow_turns.py '{"kind": "sqlite", "path": …}'

A completion looks the task up, starts and executes its activation, and writes the process's data. Not in it: claiming (the task is
its owner's from the start), the form, the rights that a view would ask for.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from protocol import Spent, serve, timed

given = json.loads(sys.argv[1])


def database() -> dict[str, Any]:
    """Return Django's settings of the database, whose transactions begin as its documentation advises for SQLite."""
    if given["kind"] == "sqlite":
        durable = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
        options = {"transaction_mode": "IMMEDIATE", "init_command": durable}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": given["path"], "OPTIONS": options}
    server = {"HOST": given["host"], "PORT": given["port"], "USER": given["user"], "NAME": given["name"]}
    return {"ENGINE": "django.db.backends.postgresql", **server}


settings.configure(
    DEBUG=False,
    SECRET_KEY="a benchmark",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "viewflow",
        "viewflow.workflow",
        "compared",
    ],
    DATABASES={"default": database()},
)
django.setup()

from compared.flows import Linear5, Twin  # noqa: E402  Django wants to be set up before its models are imported
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from viewflow import __version__ as viewflow_version  # noqa: E402
from viewflow.workflow.models import Process, Task  # noqa: E402
from viewflow.workflow.status import PROCESS, STATUS  # noqa: E402

FLOWS = {"linear5": Linear5, "twin": Twin}


def described() -> dict[str, Any]:
    """Say what runs here, and how durable its commits are."""
    asked = ("journal_mode", "synchronous") if given["kind"] == "sqlite" else ("fsync", "synchronous_commit")
    word = "PRAGMA" if given["kind"] == "sqlite" else "SHOW"
    with connection.cursor() as cursor:
        durability = {name: str(cursor.execute(f"{word} {name}").fetchone()[0]) for name in asked}
    return {"versions": {"viewflow": viewflow_version, "Django": django.get_version()}, "durability": durability}


def complete(flow: Any, process: Process, task_id: int) -> None:
    """Complete one task as viewflow's view does when its form is sent."""
    with flow.lock(process.pk), transaction.atomic():
        task = flow.task_class.objects.get(pk=task_id)
        activation = task.flow_task.activation_class(task)
        activation.start(SimpleNamespace(user=rita))
        activation.process.data["note"] = "done"
        activation.process.save(update_fields=["data"])
        activation.execute()


def turn(name: str) -> Spent:
    """Run one instance from its start to its end."""
    flow, spent = FLOWS[name], []
    process = flow.start.run(_process_data=dict(given["variables"]))
    while task := Task.objects.filter(process=process, status=STATUS.ASSIGNED).order_by("pk").first():
        with timed(spent):
            complete(flow, process, task.pk)
    process.refresh_from_db()
    if process.status != PROCESS.DONE:
        raise RuntimeError(f"Expected {name} to end, but it is {process.status}")
    return spent


call_command("migrate", verbosity=0)
rita = User.objects.create_user("rita")
serve(described, turn)
