"""The settings that spiff-arena's backend reads from its environment when it is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping


def set_environment(given: Mapping[str, str]) -> None:
    """Name the database and the folder of process models. given: what the program was told."""
    server = f"postgresql+psycopg2://{given.get('user')}@{given.get('host')}:{given.get('port')}/{given.get('name')}"
    os.environ |= {
        "SPIFFWORKFLOW_BACKEND_DATABASE_URI": f"sqlite:///{given['path']}" if given["kind"] == "sqlite" else server,
        "SPIFFWORKFLOW_BACKEND_BPMN_SPEC_ABSOLUTE_DIR": given["models"],
        "FLASK_INSTANCE_PATH": f"{given['models']}/.instance",
        "SPIFFWORKFLOW_BACKEND_ENV": "benchmark",
        "SPIFFWORKFLOW_BACKEND_LOG_LEVEL": "warning",
        "FLASK_SESSION_SECRET_KEY": "a benchmark",
    }
