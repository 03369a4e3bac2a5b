"""What the analysis of decision tables finds, as advice: gaps, overlaps, rows that never decide."""

from __future__ import annotations

from collections.abc import Iterator

from dmn.analysis import analyse
from engine.bundle import Library
from engine.lint.advice import Advice, Severity

SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING}
"""What is only possible, or allowed by the hit policy, is no advice."""


def look_at_tables(library: Library) -> Iterator[Advice]:
    """Yield what is wrong, or may be, with every table of a library."""
    for file, model in {table.file: table.model for table in library.tables.values()}.items():
        for problem in model.problems:
            severity = SEVERITIES.get(problem.severity, Severity.WARNING)
            yield Advice(
                severity, "a_table_can_be_read", file, problem.line, None, _sentence(problem.message), "Correct it."
            )
        for finding in analyse(model):
            if finding.severity in SEVERITIES:
                remedy = "Change a row, or add one."
                law, severity = f"no_{finding.kind}", SEVERITIES[finding.severity]
                yield Advice(severity, law, file, finding.line, finding.decision, _sentence(finding.text), remedy)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
