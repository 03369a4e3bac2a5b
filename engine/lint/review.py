"""Everything there is to say about a folder of diagrams, forms and tables before it is deployed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine import definitions
from engine.bundle import read_library
from engine.lint.advice import Advice, Severity
from engine.lint.drawings import look_at_diagrams
from engine.lint.laws import advise
from engine.lint.material import gather
from engine.lint.tables import look_at_tables
from engine.registry import Registry

CANNOT_RUN = "it_can_run"
"""The law that deployment itself enforces."""


def review(files: Mapping[str, bytes], registry: Registry, *, roles: Collection[str] = ()) -> list[Advice]:
    """Return what keeps the files from being deployed and what would disappoint later, by file and line.

    files: path to bytes. roles: known role codes; without any, none is doubted.
    """
    library = read_library(files)
    found = {
        Advice(
            Severity.ERROR, CANNOT_RUN, problem.file, problem.line, problem.element_id, problem.message, problem.remedy
        )
        for problem in definitions.check(files)
    }
    found.update(look_at_tables(library))
    found.update(look_at_diagrams(library))
    found.update(advise(gather(library, registry, roles=roles)))
    return sorted(found, key=lambda advice: (advice.file, advice.line, advice.severity, advice.law, advice.message))
