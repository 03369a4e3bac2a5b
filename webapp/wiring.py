"""Wiring: one installation with everything that it needs, given a database and settings."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Engine

import processes
from engine.act import Installation
from engine.clock import Clock, wall_clock
from engine.database import connect
from engine.ports import JobCarrier
from engine.registry import Registry
from records.calendar import MAIN, BusinessCalendar
from records.directory import StaffDirectory
from records.signing import ByPassword, PasswordSigner
from records.signing_policy import WIRED_AS
from records.stepping_up import ByCompany
from rules.guard import LockstepGuard
from rules.signing_policy import signing_policy_of


def wire(database_url: str, *, settings: Mapping[str, Any] | None = None, clock: Clock = wall_clock) -> Installation:
    """Return the installation of one plant on one database.

    settings: plain values (``mail_folder``, ``outbox_folder``, ``site``, ``time_zone`` …); what is missing has the default
    of whoever reads it. Nothing is written, and the database need not be migrated yet.
    """
    given = dict(settings or {})
    site = str(given.get("site", MAIN))
    database = connect(database_url)
    return Installation(
        database,
        guard=LockstepGuard(),
        directory=StaffDirectory(),
        calendar=BusinessCalendar(site),
        signer=PasswordSigner(site, methods=(ByPassword(), ByCompany())),
        carrier=_carrier(database),
        clock=clock,
        settings=given,
        registry=registry_of_flows(),
        extras={WIRED_AS: signing_policy_of(site)},
    )


def _carrier(database: Engine) -> JobCarrier | None:
    """Return what tells workers of jobs: procrastinate on PostgreSQL; on SQLite the runner looks at the table itself."""
    if database.dialect.name != "postgresql":
        return None
    from engine.queue import Carrier

    return Carrier()


def registry_of_flows() -> Registry:
    """Return one registry with the steps and jobs of every flow module."""
    merged = Registry()
    for registry in _registries():
        merged.merge(registry)
    return merged


@cache
def _registries() -> tuple[Registry, ...]:
    """Return the ``registry`` of every module of processes that has one: a new flow needs no word here."""
    return tuple(_found())


def _found() -> Iterator[Registry]:
    for found in sorted(pkgutil.iter_modules(processes.__path__), key=lambda module: module.name):
        registry = getattr(importlib.import_module(f"processes.{found.name}"), "registry", None)
        if isinstance(registry, Registry):
            yield registry
