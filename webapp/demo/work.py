"""Let the cast do what the script says, each thing on its day, through the same functions as on the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from engine import eligibility, tasks
from engine.act import Act, Installation
from engine.ports import SignatureRequest
from engine.stored.instance import InstanceRecord
from engine.stored.task import Task, TaskState
from engine.worker import run_until_idle
from processes.requisition_to_po import start
from records.calendar import MAIN, site_called
from records.cost_centre import cost_centre_called
from records.demo_people import PASSWORD
from records.numbering import next_number
from records.part import Part, PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition, RequisitionLine, RequisitionStatus
from records.supplier import Supplier
from webapp.demo.script import SCRIPT, Line, Step, Wish

At = Callable[[dt.datetime], AbstractContextManager[None]]
REQUESTER = "user:rita"
OPENS = dt.timedelta(days=0.9)
"""How long before today the ERP's open requisitions are taken up."""


@dataclass(frozen=True)
class Moment:
    """One thing that happens. step: None is rita writing the requisition."""

    at: dt.datetime
    wish: Wish
    step: Step | None


def do_work(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Play the script, the oldest first, and let timers and jobs run as they become due."""
    written: dict[str, str] = {}
    for moment in sorted(_moments(today), key=lambda one: one.at):
        with at(moment.at):
            if moment.step is None:
                written[moment.wish.title] = _write(installation, moment.wish, today=today)
            else:
                _take(installation, written[moment.wish.title], moment.step)
            run_until_idle(installation)
    with at(today - OPENS):
        _open_what_the_erp_left_open(installation)
    with at(today):
        run_until_idle(installation)


def _moments(today: dt.datetime) -> list[Moment]:
    """Return everything that happens: on working days, and of one requisition in the script's order."""
    found: list[Moment] = []
    for wish in SCRIPT:
        at = _weekday(today, wish.days_ago or 0.1)
        found.append(Moment(at, wish, None))
        for step in wish.steps:
            at = max(_weekday(today, step.days_ago), at + dt.timedelta(minutes=40))
            found.append(Moment(at, wish, step))
    return found


def _weekday(today: dt.datetime, days_ago: float) -> dt.datetime:
    """Return the instant so many days ago, or on the Friday before when that is on a weekend."""
    moment = today - dt.timedelta(days=days_ago)
    return moment - dt.timedelta(days=max(0, moment.weekday() - 4))


def _write(installation: Installation, wish: Wish, *, today: dt.datetime) -> str:
    with installation.acting(REQUESTER) as act:
        requisition = _requisition(act, wish, today=today)
    if wish.days_ago is not None:
        with installation.acting(REQUESTER) as act:
            start(act, act.session.get_one(Requisition, requisition.id))
    return requisition.id


def _requisition(act: Act, wish: Wish, *, today: dt.datetime) -> Requisition:
    site, centre = site_called(act.session, MAIN), cost_centre_called(act.session, wish.cost_centre)
    requisition = Requisition(
        number=next_number(act, "REQ", site=site),
        site=site,
        site_id=site.id,
        requester_id="rita",
        cost_centre=centre,
        cost_centre_id=centre.id,
        currency="USD",
        need_by=_working_day(today.date() + dt.timedelta(days=wish.needed_in)),
        title=wish.title,
        justification=wish.why,
        priority=wish.priority,
    )
    for position, line in enumerate(wish.lines, start=1):
        requisition.lines.append(_line(act, line, position, cost_object=f"CC:{centre.code}"))
    act.session.add(requisition)
    act.session.flush()
    return requisition


def _working_day(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def _line(act: Act, line: Line, position: int, *, cost_object: str) -> RequisitionLine:
    supplier = act.session.scalars(select(Supplier).where(Supplier.name == line.supplier)).one_or_none()
    part = act.session.scalars(select(Part).where(Part.part_no == line.part_no)).one()
    wanted = select(PartRevision).where(PartRevision.part_id == part.id, PartRevision.status == RevisionStatus.RELEASED)
    revision = act.session.scalars(wanted.order_by(PartRevision.rev.desc())).first()
    found = RequisitionLine(
        line_no=position,
        quantity=Decimal(line.quantity),
        uom=part.base_uom,
        estimated_price=Decimal(line.price),
        cost_object=cost_object,
        supplier_id=supplier.id if supplier else None,
    )
    if revision is not None:
        found.part_revision, found.part_revision_id = revision, revision.id
    else:
        found.service_code, found.process_code = part.part_no, part.process_code
    return found


def _take(installation: Installation, requisition_id: str, step: Step) -> None:
    """Let somebody decide or complete the one open task of a step that is theirs."""
    task = _task(installation, requisition_id, step)
    if step.price is not None:
        _reprice(installation, task, step)
    signature = (
        SignatureRequest(task.signature, PASSWORD, user_id=step.who, accepts_responsibility=True)
        if task.signature
        else None
    )
    with installation.acting(f"user:{step.who}") as act:
        if step.verdict is None:
            tasks.complete(act, task.id, step.variables, seen_version=task.version)
        else:
            tasks.decide(
                act,
                task.id,
                step.verdict,
                seen_version=task.version,
                reason=step.reason,
                variables=step.variables,
                signature=signature,
            )


def _task(installation: Installation, requisition_id: str, step: Step) -> Task:
    with installation.reading() as session:
        wanted = (
            select(Task)
            .join(InstanceRecord, InstanceRecord.instance_id == Task.instance_id)
            .where(
                InstanceRecord.record_id == requisition_id,
                Task.state == TaskState.OPEN,
            )
            .order_by(Task.created_at)
        )
        found = list(session.scalars(wanted))
        for task in found:
            is_theirs = eligibility.mandates_for(session, task, step.who, now=installation.clock())
            if task.element_id == step.element_id and is_theirs:
                return task
        open_now = ", ".join(f"{task.element_id} ({task.title})" for task in found) or "nothing"
    raise LookupError(f"Expected an open task {step.element_id} for {step.who}, but open are: {open_now}")


def _reprice(installation: Installation, task: Task, step: Step) -> None:
    with installation.acting(f"user:{step.who}") as act:
        order = act.session.get_one(PurchaseOrder, task.record_id)
        order.lines[0].unit_price = Decimal(str(step.price))


def _open_what_the_erp_left_open(installation: Installation) -> None:
    with installation.reading() as session:
        wanted = select(Requisition.id).where(Requisition.status == RequisitionStatus.SUBMITTED)
        running = set(session.scalars(select(InstanceRecord.record_id)))
        waiting = [found for found in session.scalars(wanted.order_by(Requisition.number)) if found not in running]
    for requisition_id in waiting:
        with installation.acting("adapter:erp") as act:
            start(act, act.session.get_one(Requisition, requisition_id))
