"""Where each task of the shipped flows may be returned to, as a process engineer would expect it, read off the diagrams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine import dialect
from engine.returning import NOTHING
from engine.spiff import ProcessSpec, read_bundle
from engine.spiff.elements import CONTAINERS, ElementInfo
from engine.spiff.returning import leaves_traces
from processes.bundle import bundle_files

PROCESSES: Mapping[str, ProcessSpec] = read_bundle(
    {name: content for name, content in bundle_files().items() if name.endswith(".bpmn")}
).processes


def around(process: ProcessSpec, element: ElementInfo) -> Iterator[ElementInfo]:
    """Yield the sub-processes that an element stands in, the innermost first."""
    while (element := process.elements.get(element.parent_id)) is not None:  # type: ignore[assignment]
        yield element


def asks_people(process: ProcessSpec, element: ElementInfo) -> bool:
    if element.kind == "callActivity":
        return True  # every called flow of the house has people in it
    inner = [one for one in process.elements.values() if element in around(process, one)]
    return element.kind == "userTask" or any(one.kind in ("userTask", "callActivity") for one in inner)


def stops(element: ElementInfo, *, is_undone: bool) -> bool:
    """Whether nobody returns past an element that was done."""
    if element.properties.get(dialect.NO_RETURN):
        return True
    leaves = leaves_traces(element) or element.kind == "callActivity"
    return leaves and not is_undone and element.properties.get(dialect.LEAVES) != NOTHING


def next_to(process: ProcessSpec, element: ElementInfo, *, enter: bool) -> Iterator[tuple[str, bool]]:
    """Yield what follows an element, and whether it is entered or was left just now. enter: go into a sub-process first."""
    for other in process.elements.values():
        if other.attached_to == element.id and (enter or (other.event is not None and other.event.is_interrupting)):
            yield other.id, True
    if enter and element.kind in CONTAINERS:
        yield from (
            (one.id, True)
            for one in process.elements.values()
            if one.parent_id == element.id and not one.incoming and one.kind == "startEvent"
        )
        return
    if element.kind == "endEvent" and element.parent_id in process.elements:
        yield element.parent_id, False
    yield from ((process.flows[flow].target, True) for flow in element.outgoing)
    linked = (flow.target for flow in process.flows.values() if flow.source == element.id)
    yield from ((target, True) for target in linked)


def leads_back(process: ProcessSpec, task: ElementInfo, step: ElementInfo) -> bool:
    """Whether some way from an earlier step to a task has nothing on it that keeps people from returning."""
    outer = {one.id for one in around(process, task)}
    if step.id in outer | {task.id} or (step.parent_id in process.elements and step.parent_id not in outer):
        return False
    votes = [
        one
        for one in (task, *around(process, task))
        if one.id != step.parent_id and one not in list(around(process, step))
    ]
    if any(dialect.QUORUM in one.properties for one in votes) and task.properties.get(dialect.RETURNS) != "yes":
        return False
    is_undone = dialect.ON_RETURN in step.properties
    seen, waiting = set[tuple[str, bool]](), list(next_to(process, step, enter=False))
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        element, enters = process.elements[place[0]], place[1]
        if element.id == task.id:
            return True
        if not stops(element, is_undone=is_undone):
            waiting += next_to(process, element, enter=enters)
    return False


def ways_back(process: ProcessSpec) -> dict[str, str]:
    found = {}
    for task in process.elements.values():
        if task.kind != "userTask" or task.properties.get(dialect.RETURNS) == "no":
            continue
        steps = [
            one.id for one in process.elements.values() if asks_people(process, one) and leads_back(process, task, one)
        ]
        if steps:
            found[task.id] = ", ".join(sorted(steps))
    return found


CHOICES = "ask_for_quotes, choose_supplier, compare_quotes, justify_sole_source"
"""How a buyer finds a source: what rested on the choice is undone by ``take_source_back``."""

EXPECTED: Mapping[str, Mapping[str, str]] = {
    # by flow, each task that may be returned, and to which earlier steps
    "amend_order": {},  # what is with approvers goes back by their vote; what the supplier has by a further amendment
    "approval_round": {"decide_slot": "answer_question"},
    "change_control": {
        "assess_area": "write_change",
        "dispose_orders": "assess_change, write_change",
        "approve_cost": "assess_change, dispose_orders, write_change",
        "close_change": "verify_change",
    },
    "gauge_impact": {},
    "order_to_close": {"review_material": "decide_nonconformance"},
    "outside_processing": {
        "resolve_link": "ship_parts",
        "release_special_process": "clear_source",
        "declare_loss": "receive_parts",
    },
    "recalled_work": {},
    "request_for_quotation": {},
    "requisition_to_po": {
        "clear_suspicions": "correct_requisition",
        "decide_budget_exception": "correct_requisition",
        "choose_supplier": "ask_for_quotes, compare_quotes, justify_sole_source",
        "justify_sole_source": "ask_for_quotes, choose_supplier, compare_quotes",
        "compare_quotes": "ask_for_quotes, choose_supplier, justify_sole_source",
        "sign_sole_source": CHOICES,
        "decide_on_supplier": f"{CHOICES}, qualify_supplier",
        "approve_supplier": "ask_for_quotes, choose_supplier, compare_quotes, decide_on_supplier, justify_sole_source",
        "limit_waiver": "ask_for_quotes, choose_supplier, compare_quotes, decide_on_supplier, justify_sole_source, qualify_supplier",
        "cosign_waiver": "ask_for_quotes, choose_supplier, compare_quotes, decide_on_supplier, justify_sole_source, limit_waiver,"
        " qualify_supplier",
        "complete_order": CHOICES,
        "issue_order": "ask_for_quotes, choose_supplier, compare_quotes, complete_order, justify_sole_source",
        "clear_hold": "ask_for_quotes, choose_supplier, compare_quotes, complete_order, justify_sole_source",
    },
    "stop_outside_work": {},
    "supplier_review": {},
}


def test_each_task_goes_back_to_the_steps_that_a_process_engineer_expects() -> None:
    assert {name: ways_back(process) for name, process in PROCESSES.items()} == EXPECTED


def test_every_step_of_the_house_says_what_it_leaves_or_that_the_way_back_ends() -> None:
    """Else a person reads a reason that the engine made up; what no task comes after needs none."""
    silent = [
        f"{name}: {element.id}"
        for name, process in PROCESSES.items()
        for element in process.elements.values()
        if leaves_traces(element)
        and element.task is not None
        and not {dialect.LEAVES, dialect.NO_RETURN} & set(element.properties)
        and comes_before_a_task(process, element)
    ]
    assert silent == []


def comes_before_a_task(process: ProcessSpec, element: ElementInfo) -> bool:
    seen, waiting = set[tuple[str, bool]](), list(next_to(process, element, enter=True))
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        found = process.elements[place[0]]
        if found.kind == "userTask":
            return True
        waiting += next_to(process, found, enter=place[1])
    return False
