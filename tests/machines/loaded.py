"""What every node and worker imports, and how rows are mapped; nothing that each process must have for itself, such as chance."""

from __future__ import annotations

import importlib

from sqlalchemy.orm import configure_mappers

from tests.machines.node import know_the_flow
from webapp.wiring import registry_of_flows

for found_late in ("engine.queue", "webapp.cli.serving"):
    importlib.import_module(found_late)
know_the_flow()
registry_of_flows()
configure_mappers()
