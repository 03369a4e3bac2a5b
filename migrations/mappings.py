"""Every mapped class of every room, so that the metadata is whole."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData

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
