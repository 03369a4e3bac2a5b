"""The Camunda 8 dialect of BPMN, in memory, on SpiffWorkflow: parse a bundle, run a flow, store its live tokens.

Knows no database, no users, no tables. ``read_bundle`` turns files into an immutable ``Bundle``; ``Flow`` runs one instance
of it for a ``Host``. See the two classes for the commands; everything else here is what they take or answer.
"""

from engine.spiff.bundle import Bundle, read_bundle
from engine.spiff.codec import NotStorable, decode, encode
from engine.spiff.elements import ElementInfo, FlowInfo, ProcessSpec, StartInfo
from engine.spiff.extensions import (
    CalledDecision,
    CalledElement,
    EventInfo,
    Expr,
    NotFeel,
    UserTaskSpec,
)
from engine.spiff.flow import Flow, Instances
from engine.spiff.host import (
    PENDING,
    Arrival,
    BpmnError,
    FiredTimer,
    Host,
    Incident,
    Left,
    NotWaiting,
    Thrown,
    Wait,
    WorkFailed,
    WorkItem,
    WrongAnswer,
    WrongChoice,
)
from engine.spiff.problems import Problem, Unreadable
from engine.spiff.state import WrongDefinition
from engine.spiff.timers import NoTime, Schedule, schedule

__all__ = [
    "PENDING",
    "Arrival",
    "BpmnError",
    "Bundle",
    "CalledDecision",
    "CalledElement",
    "ElementInfo",
    "EventInfo",
    "Expr",
    "FiredTimer",
    "Flow",
    "FlowInfo",
    "Host",
    "Incident",
    "Instances",
    "Left",
    "NoTime",
    "NotFeel",
    "NotStorable",
    "NotWaiting",
    "Problem",
    "ProcessSpec",
    "Schedule",
    "StartInfo",
    "Thrown",
    "Unreadable",
    "UserTaskSpec",
    "Wait",
    "WorkFailed",
    "WorkItem",
    "WrongAnswer",
    "WrongChoice",
    "WrongDefinition",
    "decode",
    "encode",
    "read_bundle",
    "schedule",
]
