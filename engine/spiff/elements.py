"""The elements of a diagram as they were drawn: what the run, the service layer and the checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.spiff.extensions import (
    AdHoc,
    CalledDecision,
    CalledElement,
    EventInfo,
    Expr,
    IoMapping,
    Listener,
    Loop,
    Script,
    TaskDefinition,
    UserTaskSpec,
)

AD_HOC: Final = "adHocSubProcess"
ACTIVATION: Final = "adHocActivation"
"""The kind of what runs once for each element that was chosen in an ad-hoc sub-process: it is not drawn."""
CONTAINERS: Final = frozenset({"subProcess", "transaction", AD_HOC})
WORK: Final = frozenset({"serviceTask", "sendTask", "businessRuleTask", "scriptTask"})
ACTIVITIES: Final = CONTAINERS | WORK | {"task", "userTask", "manualTask", "receiveTask", "callActivity"}
GATEWAYS: Final = frozenset({"exclusiveGateway", "inclusiveGateway", "parallelGateway", "eventBasedGateway"})
EVENTS: Final = frozenset(
    {"startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"}
)
FLOW_NODES: Final = ACTIVITIES | GATEWAYS | EVENTS


@dataclass(frozen=True, slots=True)
class ElementInfo:
    """One element of a process, as the diagram has it.

    kind: its BPMN name (``userTask``, ``boundaryEvent`` …). incoming and outgoing: sequence flow ids. parent_id: the
    sub-process it stands in, or the process. properties: its zeebe:property values.
    """

    id: str
    name: str | None
    kind: str
    line: int
    process_id: str
    parent_id: str
    lane: str | None = None
    incoming: tuple[str, ...] = ()
    outgoing: tuple[str, ...] = ()
    attached_to: str | None = None
    documentation: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    user_task: UserTaskSpec | None = None
    task: TaskDefinition | None = None
    decision: CalledDecision | None = None
    called: CalledElement | None = None
    script: Script | None = None
    loop: Loop | None = None
    ad_hoc: AdHoc | None = None
    event: EventInfo | None = None
    inputs: tuple[IoMapping, ...] = ()
    outputs: tuple[IoMapping, ...] = ()
    listeners: tuple[Listener, ...] = ()
    is_event_subprocess: bool = False
    is_for_compensation: bool = False

    @property
    def task_type(self) -> Expr | None:
        """The job type of a service, send, rule or script task."""
        return self.task.type if self.task is not None else None

    @property
    def job_types(self) -> tuple[Expr, ...]:
        """Every job type that it needs somebody for: its own, and those of its listeners."""
        own = () if self.task is None else (self.task.type,)
        return (*own, *(listener.task.type for listener in self.listeners))

    @property
    def form_id(self) -> Expr | None:
        return self.user_task.form_id if self.user_task is not None else None


@dataclass(frozen=True, slots=True)
class FlowInfo:
    """A sequence flow. condition: None when it has none; a default flow has none."""

    id: str
    name: str | None
    source: str
    target: str
    line: int
    condition: Expr | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class StartInfo:
    """One way to start a process. kind: ``none``, ``message``, ``timer``, ``signal`` or ``conditional``, with its details in ``event``."""

    element_id: str
    name: str | None
    kind: str
    event: EventInfo


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process as drawn; one that is not executable is only drawn, never run.

    flows include one from each throwing link event to its catch. handlers: compensation handlers by activity id. forms: the
    JSON of the forms that stand in the diagram itself, by the form id that its tasks name. listeners: of the process as a whole.
    """

    id: str
    name: str | None
    file: str
    line: int
    is_executable: bool
    version_tag: str | None
    properties: Mapping[str, str]
    elements: Mapping[str, ElementInfo]
    flows: Mapping[str, FlowInfo]
    handlers: Mapping[str, str]
    forms: Mapping[str, str] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()

    @property
    def job_types(self) -> tuple[Expr, ...]:
        """Every job type that it needs somebody for: those of its elements, and of its own listeners."""
        of_elements = (kind for element in self.elements.values() for kind in element.job_types)
        return (*of_elements, *(listener.task.type for listener in self.listeners))

    def choices(self, ad_hoc_id: str) -> dict[str, ElementInfo]:
        """Return the elements that may be chosen in an ad-hoc sub-process: those that nothing in it leads to."""
        return {
            info.id: info for info in self.elements.values() if info.parent_id == ad_hoc_id and _may_be_chosen(info)
        }

    @property
    def starts(self) -> tuple[StartInfo, ...]:
        """Its start events, not those of its sub-processes."""
        return tuple(
            StartInfo(info.id, info.name, info.event.kind, info.event)
            for info in self.elements.values()
            if info.kind == "startEvent" and info.parent_id == self.id and info.event is not None
        )


def _may_be_chosen(info: ElementInfo) -> bool:
    waits_beside = info.attached_to is not None or info.is_event_subprocess or info.is_for_compensation
    is_far_end = info.kind == "intermediateCatchEvent" and info.event is not None and info.event.kind == "link"
    return not (info.incoming or waits_beside or is_far_end or info.kind in ("startEvent", "endEvent"))


ProcessInfo = ProcessSpec
"""The same, beside ElementInfo and FlowInfo, for those who only look at a drawing."""
