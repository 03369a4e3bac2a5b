"""What a law of the linter sees and what it says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engine.spiff.elements import ElementInfo, FlowInfo, ProcessInfo


class Severity(StrEnum):
    """ERROR would stop or mislead somebody at run time; WARNING may be meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Advice:
    """One sentence about one place. line counts from 1. law: the name of the law, as docs and filters use it."""

    severity: Severity
    law: str
    file: str
    line: int
    element_id: str | None
    message: str
    remedy: str

    def __str__(self) -> str:
        element = f"{self.element_id}: " if self.element_id else ""
        return f"{self.file}:{self.line}: {self.severity}: {element}{self.message} {self.remedy} [{self.law}]"


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is looked at together.

    processes: as read from the diagrams. form_fields: form id to the variables its fields write. decisions: decision id to
    the names its tables read from outside. handlers: job type to the variables that its function gives back, None where
    that cannot be told. functions: names of the host's FEEL functions. roles: the known role codes; empty when unknown,
    and then none is doubted.
    """

    processes: Sequence[ProcessInfo]
    form_fields: Mapping[str, Collection[str]] = field(default_factory=dict)
    decisions: Mapping[str, Collection[str]] = field(default_factory=dict)
    handlers: Mapping[str, Collection[str] | None] = field(default_factory=dict)
    functions: Collection[str] = ()
    roles: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """What a law yields: about an element or a flow of the process it was given, or about the process itself."""

    about: ElementInfo | FlowInfo | ProcessInfo
    message: str
    remedy: str
    severity: Severity = Severity.ERROR


Law = Callable[[ProcessInfo, Material], Iterator[Remark]]
