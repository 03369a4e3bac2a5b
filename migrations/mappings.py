"""Every mapped class of every room, so that the metadata is whole."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData

from engine import queue
from engine.database import Base

ROOMS = ("engine", "records", "rules")
"""The packages that may map tables."""


def whole_metadata() -> MetaData:
    """Import every module that may map a table and return the metadata with all of them."""
    for room in ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            importlib.import_module(module.name)
    return Base.metadata


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Say whether the mappings describe a thing of the database; the job queue's tables are the queue's own."""
    return kind != "table" or not (name or "").startswith(queue.TABLES)
