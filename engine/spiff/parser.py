# mypy: allow-subclassing-any
"""From XML to SpiffWorkflow's specs, with our task spec classes and our reading of every element.

Elements are parsed one by one and connected afterwards, not by recursion along the sequence flows: a chain of a thousand
tasks would exhaust Python's stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.parser.ProcessParser import ProcessParser
from SpiffWorkflow.bpmn.parser.TaskParser import TaskParser
from SpiffWorkflow.bpmn.parser.util import full_tag
from SpiffWorkflow.bpmn.specs.bpmn_process_spec import BpmnProcessSpec
from SpiffWorkflow.bpmn.specs.control import BpmnStartTask

from engine.spiff import ad_hoc, containers, events, gateways, tasks
from engine.spiff.elements import ACTIVATION, AD_HOC, CONTAINERS, ElementInfo, FlowInfo, ProcessSpec
from engine.spiff.listeners import CANCEL, END, START
from engine.spiff.reach import Reach
from engine.spiff.token import Path

_CLASSES: dict[str, Any] = {
    "startEvent": events.StartEvent,
    "endEvent": events.EndEvent,
    "intermediateCatchEvent": events.CatchEvent,
    "intermediateThrowEvent": events.ThrowEvent,
    "boundaryEvent": events.BoundaryEvent,
    "task": tasks.PassThrough,
    "manualTask": tasks.PassThrough,
    "userTask": tasks.UserTask,
    "receiveTask": events.ReceiveTask,
    "serviceTask": tasks.Work,
    "sendTask": tasks.Work,
    "scriptTask": tasks.Work,
    "businessRuleTask": tasks.Work,
    "subProcess": containers.SubProcess,
    "transaction": containers.Transaction,
    AD_HOC: ad_hoc.AdHocSubProcess,
    "callActivity": containers.CallActivity,
    "exclusiveGateway": gateways.Exclusive,
    "inclusiveGateway": gateways.Inclusive,
    "parallelGateway": gateways.Parallel,
    "eventBasedGateway": gateways.EventGateway,
}


class Spec(BpmnProcessSpec):
    """The shared, immutable definition of one process or sub-process.

    starts: start events by element id. only_start: the one that needs no trigger (of an event sub-process: its one start).
    subs: the specs of its sub-processes. ending: where the listeners of its end are called, None without any. gone: the process with
    the listeners of its cancellation, None without any. handlers: compensation handlers by activity.
    """

    def __init__(self, name: str, filename: str | None = None) -> None:
        super().__init__(name=name, filename=filename)
        # SpiffWorkflow's own Start, End and EndJoin are never run, and would clash with elements of these names.
        self.task_specs: dict[str, Any] = {}
        self.bpmn_start_events: list[Any] = []
        self.start = BpmnStartTask(self, "=root")
        self.starts: dict[str, Any] = {}
        self.only_start: str | None = None
        self.subs: dict[str, Spec] = {}
        self.event_subprocesses: list[Any] = []
        self.handlers: dict[str, str] = {}
        self.ending: Any = None
        self.gone: ElementInfo | None = None


class ElementParser(TaskParser):
    """Builds the spec of one element from what ``elements`` read."""

    PARALLEL_MI_CLASS = containers.ParallelBody
    SEQUENTIAL_MI_CLASS = containers.SequentialBody

    def parse_node(self) -> Any:
        info: ElementInfo = self.process_parser.process.elements[self.bpmn_id]
        self.task = _class_of(info)(self.spec, info.id, **self._arguments(info))
        self.task.element = info
        if info.loop is not None:
            self._add_body(info)
        return self.task

    def _arguments(self, info: ElementInfo) -> dict[str, Any]:
        arguments: dict[str, Any] = {"bpmn_name": info.name, "lane": info.lane, "documentation": info.documentation}
        if info.kind.endswith("Event") or info.kind in ("receiveTask", "eventBasedGateway"):
            arguments |= events.definition(info.event)
        if info.kind == "boundaryEvent" and info.event is not None:
            arguments["cancel_activity"] = info.event.is_interrupting
        if info.kind in CONTAINERS or info.kind == "callActivity":
            arguments["subworkflow_spec"] = info.id
        return arguments

    def _add_body(self, info: ElementInfo) -> None:
        assert info.loop is not None
        inner = self.spec.task_specs.pop(info.id)
        inner.is_inner = True
        kind = self.SEQUENTIAL_MI_CLASS if info.loop.is_sequential else self.PARALLEL_MI_CLASS
        self.task = kind(self.spec, info.id, task_spec="", lane=info.lane, bpmn_name=info.name)
        self.task.element = info
        self._copy_task_attrs(inner)


class Proc(ProcessParser):
    """Parses one process or sub-process."""

    process: ProcessSpec

    def create_spec(self) -> Spec:
        return Spec(self.bpmn_id, self.filename)

    def _parse(self) -> None:
        self.spec = self.create_spec()
        self.process = self.parser.processes[self.bpmn_id]
        mine = [info for info in self.process.elements.values() if info.parent_id == self.bpmn_id]
        for info in mine:
            if info.event is None or (info.kind, info.event.kind) != ("boundaryEvent", "compensation"):
                self.parse_node(self.nodes_by_id[info.id])
            if info.kind in CONTAINERS:
                self.spec.subs[info.id] = self._inside(info)
        self._connect(mine)
        self._name_starts(mine)
        if self.process.listeners and self.bpmn_id == self.process.id:
            self._hear(mine)

    def _index_process_nodes(self) -> None:
        # Only BPMN's own elements: an extension element may carry an id of its own.
        for node in self.node:
            if isinstance(node.tag, str) and node.get("id"):
                self.nodes_by_id[node.get("id")] = node

    def _inside(self, info: ElementInfo) -> Any:
        self.parser.processes[info.id] = self.process
        self.parser.create_parser(self.nodes_by_id[info.id], filename=self.filename, lane=info.lane)
        inside = self.parser.process_parsers[info.id].get_spec()
        return inside if info.kind != AD_HOC else _ad_hoc(info, inside)

    def _connect(self, mine: list[ElementInfo]) -> None:
        specs = self.spec.task_specs
        leaving: dict[str, list[FlowInfo]] = {}
        arriving: dict[str, list[str]] = {}
        for flow in self.process.flows.values():
            leaving.setdefault(flow.source, []).append(flow)
            arriving.setdefault(flow.target, []).append(flow.id)
        for info in mine:
            if info.id not in specs:
                continue
            order = {flow: index for index, flow in enumerate(info.outgoing)}
            flows = sorted(leaving.get(info.id, ()), key=lambda flow: order.get(flow.id, len(order)))
            specs[info.id].paths = tuple(_path(flow, len(flows)) for flow in flows)
            if isinstance(specs[info.id], gateways.Join):
                specs[info.id].incoming = tuple(arriving.get(info.id, ()))
            if info.attached_to is not None:
                specs[info.attached_to].boundaries += (specs[info.id],)
            if info.is_event_subprocess:
                self.spec.event_subprocesses.append(specs[info.id])
            if info.id in self.process.handlers:
                self.spec.handlers[info.id] = self.process.handlers[info.id]
        joins = [spec for spec in specs.values() if isinstance(spec, gateways.Inclusive) and spec.joins]
        if joins:
            ways = Reach(specs)
            for spec in joins:
                spec.ways = ways

    def _hear(self, mine: list[ElementInfo]) -> None:
        """Let the listeners of the process be called at its start events, before it ends, and when it is cancelled."""
        process = self.process
        begins, ends, gone = (
            tuple(one for one in process.listeners if one.moment == moment) for moment in (START, END, CANCEL)
        )
        whole = ElementInfo(process.id, process.name, "process", process.line, process.id, process.id, listeners=ends)
        for info in mine:
            if info.kind == "startEvent":
                self.spec.task_specs[info.id].of_process = begins
        if ends:
            self.spec.ending = events.ProcessEnd(self.spec, "=end")
            self.spec.ending.element = whole
        if gone:
            self.spec.gone = replace(whole, listeners=gone)

    def _name_starts(self, mine: list[ElementInfo]) -> None:
        starts = [info for info in mine if info.kind == "startEvent"]
        self.spec.starts = {info.id: info.event for info in starts}
        plain = [info.id for info in starts if info.event is not None and info.event.kind == "none"]
        if self.bpmn_id == self.process.id:
            self.spec.only_start = plain[0] if plain else None
        elif starts:
            self.spec.only_start = starts[0].id


class Parser(BpmnParser):
    """Parses the executable processes of one file. processes: what was read of them, sub-processes by their own id too."""

    PROCESS_PARSER_CLASS = Proc
    PARSER_CLASSES: ClassVar[dict[str, Any]] = {
        full_tag(kind): (ElementParser, found) for kind, found in _CLASSES.items()
    }

    def __init__(self, processes: Mapping[str, ProcessSpec]) -> None:
        super().__init__()
        self.processes = dict(processes)

    def add_bpmn_xml(self, bpmn: etree._Element, filename: str | None = None) -> None:
        # Messages, lanes, data stores and the rest are read by us; SpiffWorkflow only gets the processes.
        self._add_processes(bpmn, filename)


def build_specs(root: etree._Element, file: str, processes: Mapping[str, ProcessSpec]) -> dict[str, Spec]:
    """Return the specs of the given processes of one file, by process id."""
    parser = Parser(processes)
    parser.add_bpmn_xml(root, file)
    return {process_id: parser.get_spec(process_id) for process_id in processes}


def _ad_hoc(info: ElementInfo, inside: Spec) -> Spec:
    """Return what an ad-hoc sub-process is inside: its event sub-processes, and activations of what is drawn in it."""
    whole = Spec(inside.name, inside.file)
    activation = ad_hoc.Activation(whole, info.id, subworkflow_spec=info.id)
    activation.element = replace(
        info, kind=ACTIVATION, properties={}, headers={}, task=None, loop=None, inputs=(), outputs=(), listeners=()
    )
    whole.subs[info.id] = inside
    for listener in inside.event_subprocesses:
        whole.task_specs[listener.name] = inside.task_specs.pop(listener.name)
        whole.subs[listener.name] = inside.subs[listener.name]
    whole.event_subprocesses, inside.event_subprocesses = inside.event_subprocesses, []
    return whole


def _class_of(info: ElementInfo) -> Any:
    if info.is_event_subprocess:
        return containers.EventSubProcess
    if info.kind == "endEvent" and info.event is not None and info.event.kind == "cancel":
        return events.CancelEnd
    return _CLASSES[info.kind]


def _path(flow: FlowInfo, siblings: int) -> Path:
    is_only = siblings == 1 and flow.condition is None
    return Path(flow.id, flow.target, None if flow.is_default else flow.condition, flow.is_default or is_only)
