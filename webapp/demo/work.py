"""What the cast did in the last three weeks: requisitions in every state, each told in a few words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine import eligibility, tasks
from engine.act import Act, Installation
from engine.ports import SignatureRequest
from engine.stored.task import Task, TaskState
from engine.worker import run_until_idle
from processes.requisition_to_po import start
from records.calendar import MAIN, site_called
from records.cost_centre import cost_centre_called
from records.demo_people import PASSWORD
from records.numbering import next_number
from records.part import Part, PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder
from records.requisition import Priority, Requisition, RequisitionLine
from records.supplier import Supplier

At = Callable[[dt.datetime], AbstractContextManager[None]]


@dataclass(frozen=True)
class Line:
    """One line asked for. price: estimated, in US dollars. supplier: by name; None leaves it to the buyer."""

    part_no: str
    quantity: str
    price: str
    supplier: str | None = None


@dataclass(frozen=True)
class Wish:
    """A requisition that rita writes. days_ago: when she submits it."""

    title: str
    days_ago: int
    lines: tuple[Line, ...]
    cost_centre: str = "4711"
    needed_in: int = 35
    why: str = ""
    priority: Priority = Priority.NORMAL
    submits: bool = True
    then: tuple[Step, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Step:
    """What somebody does next. verdict: None completes the task. days_ago: when; None is right after the step before."""

    who: str
    element_id: str
    verdict: str | None = None
    reason: str = ""
    days_ago: int | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    price: str | None = None
    """The unit price that the buyer writes on the order before the step."""


LENA_APPROVES = Step("lena", "decide_slot", "approve", reason="Within plan")

WORK: tuple[Wish, ...] = ()


def do_work(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Let the cast do everything in ``WORK``, the oldest first, and fire what became due until today."""
    moments = _moments(today)
    for number, (moment, wish, steps) in enumerate(moments):
        later = moment + dt.timedelta(minutes=7 * (number % 5))
        with at(later):
            _do(installation, wish, steps)
    with at(today):
        run_until_idle(installation)


def _moments(today: dt.datetime) -> list[tuple[dt.datetime, Wish, tuple[Step, ...]]]:
    raise LookupError
