"""Complete user tasks with the service layer of spiff-arena's backend, without HTTP.

    python spiff_arena_turns.py '{"kind": "sqlite", "path": …, "models": <folder of process models>}'

Its database is named by the environment too, which the backend reads when it is imported.

A completion does what the backend does when a form is sent, between finding out who sends it and looking for that person's next task:
the instance is taken out of its queue, its runtime built from the database, the task completed, the flow run on and everything
saved. Each has an application context of its own, as a request has. Engine steps run at once: no Celery.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any

from flask import g
from flask_migrate import upgrade
from protocol import Spent, serve, timed
from spiffworkflow_backend import create_app
from spiffworkflow_backend.data_migrations.process_instance_migrator import ProcessInstanceMigrator
from spiffworkflow_backend.models.db import db
from spiffworkflow_backend.models.human_task import HumanTaskModel
from spiffworkflow_backend.models.process_instance import ProcessInstanceModel
from spiffworkflow_backend.models.user import UserModel
from spiffworkflow_backend.routes.process_api_blueprint import (
    _find_human_task_or_raise,
    _get_spiff_task_from_runtime,
)
from spiffworkflow_backend.services.data_setup_service import DataSetupService
from spiffworkflow_backend.services.process_instance_queue_service import ProcessInstanceQueueService
from spiffworkflow_backend.services.process_instance_runtime import ProcessInstanceRuntime
from spiffworkflow_backend.services.process_instance_service import ProcessInstanceService
from spiffworkflow_backend.services.user_service import UserService

given = json.loads(sys.argv[1])
app = create_app().app


def prepare() -> str:
    """Migrate the database, read the process models and return a new person's id, as the backend's boot script does."""
    with app.app_context():
        upgrade(directory=f"{os.environ['LOCKSTEP_ARENA']}/migrations")
        if given["kind"] == "sqlite":
            db.session.execute(db.text("PRAGMA journal_mode=WAL"))
        failed = DataSetupService.refresh_process_model_caches()
        if failed:
            raise RuntimeError(f"Expected every process model to be read, but these were not: {failed}")
        person = UserService.create_user("rita", "benchmark", "rita").id
        db.session.commit()
        return person


def described() -> dict[str, Any]:
    """Say what runs here, and how durable its commits are."""
    asked = ("journal_mode", "synchronous") if given["kind"] == "sqlite" else ("fsync", "synchronous_commit")
    word = "PRAGMA" if given["kind"] == "sqlite" else "SHOW"
    with app.app_context():
        durability = {name: str(db.session.execute(db.text(f"{word} {name}")).scalar_one()) for name in asked}
    versions = {"spiffworkflow-backend": given["commit"], "SpiffWorkflow": version("SpiffWorkflow")}
    return {"versions": versions, "durability": durability}


def start(flow: str) -> int:
    """Start an instance and return its id."""
    with app.app_context():
        g.user = db.session.get(UserModel, person_id)
        instance = ProcessInstanceService.create_process_instance_from_process_model_identifier(
            f"benchmark/{flow}", g.user
        )
        ProcessInstanceService.run_process_instance_with_runtime(instance)
        return instance.id


def complete(instance_id: int, task_id: str) -> None:
    """Complete one task as the backend does when a form is sent."""
    instance = db.session.get(ProcessInstanceModel, instance_id)
    with ProcessInstanceQueueService.dequeued(instance, max_attempts=3):
        ProcessInstanceMigrator.run(instance)
        runtime = ProcessInstanceRuntime(
            instance, workflow_completed_handler=ProcessInstanceService.schedule_next_process_model_cycle
        )
        task = _get_spiff_task_from_runtime(task_id, runtime)
        human_task = _find_human_task_or_raise(instance_id, task_id, only_tasks_that_can_be_completed=True)
        # There are no variables at a start here: the first form brings them.
        data = {**given["variables"], "note": "done"} if task.task_spec.name in {"t1", "enter"} else {"note": "done"}
        ProcessInstanceService.complete_form_task(
            runtime=runtime, spiff_task=task, data=data, user=g.user, human_task=human_task
        )


def turn(flow: str) -> Spent:
    """Run one instance from its start to its end."""
    spent: Spent = []
    instance_id = start(flow)
    while True:
        with app.app_context():
            g.user = db.session.get(UserModel, person_id)
            open_tasks = HumanTaskModel.query.filter_by(process_instance_id=instance_id, completed=False)
            task = open_tasks.order_by(HumanTaskModel.id).first()
            if task is None:
                break
            task_id = task.task_id
            db.session.commit()
            with timed(spent):
                complete(instance_id, task_id)
    with app.app_context():
        status = db.session.get(ProcessInstanceModel, instance_id).status
    if status != "complete":
        raise RuntimeError(f"Expected {flow} to end, but it is {status}")
    return spent


# A process model folder is a git repository, whose commit is kept with each instance.
who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com")
for words in (("init", "--quiet"), ("add", "."), (*who, "commit", "--quiet", "--message", "Models")):
    subprocess.run(["git", "-C", given["models"], *words], check=True, stdout=sys.stderr)
person_id = prepare()
serve(described, turn)
