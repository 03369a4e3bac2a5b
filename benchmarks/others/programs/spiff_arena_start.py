"""Start spiff-arena's backend, answer one request and read one definition, and end; or prepare a database for that.

    python spiff_arena_start.py prepare|refresh|answer

Its database and its folder of process models are named by the environment, as the backend wants it. prepare migrates the database.
refresh reads every process model into the caches, which the backend's boot script does before each start of the server. answer is the
server's own start: the application, its first answer, and the definition of one process.
"""

from __future__ import annotations

import os
import sys

from flask_migrate import upgrade
from spiffworkflow_backend import create_app
from spiffworkflow_backend.models.db import db
from spiffworkflow_backend.services.bpmn_process_service import BpmnProcessService
from spiffworkflow_backend.services.data_setup_service import DataSetupService

application = create_app()

if sys.argv[1] == "prepare":
    with application.app.app_context():
        upgrade(directory=f"{os.environ['LOCKSTEP_ARENA']}/migrations")
        if db.engine.dialect.name == "sqlite":
            db.session.execute(db.text("PRAGMA journal_mode=WAL"))
elif sys.argv[1] == "refresh":
    with application.app.app_context():
        failed = DataSetupService.refresh_process_model_caches()
    if failed:
        sys.exit(f"Expected every process model to be read, but these were not: {failed}")
else:
    answer = application.test_client(base_url="http://localhost").get("/v1.0/status")
    if answer.status_code != 200:
        sys.exit(f"Expected the first request to be answered, but the backend says {answer.status_code}")
    with application.app.app_context():
        BpmnProcessService.get_process_model_and_subprocesses("benchmark/p1")
    os._exit(0)  # nobody waits for a process to be taken down
