"""How the demo plant finds its sources: a blanket order that is drawn from, and three quotes that wait to be compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal

from sqlalchemy import select

from engine import tasks
from engine.act import Act, Installation
from engine.stored.task import Task, TaskState
from engine.worker import run_until_idle
from processes import quoting
from processes.agreements import agree
from processes.quoting import Offer
from records.calendar import MAIN, site_called
from records.part import Part
from records.quotation import Invitation, QuoteChannel
from records.requisition import Requisition
from records.sourcing import SourcingKind
from records.supplier import Supplier
from webapp.demo.script import ANGSTROM, REDWOOD, VULCAN

At = Callable[[dt.datetime], AbstractContextManager[None]]

TITANIUM = "Titanium round bar for bone plates"


def agree_blanket(act: Act) -> None:
    """Agree on a year's coolant, before the first of it is ordered, beside a contract on bar that has a few weeks to run."""
    today = act.now.date()
    bar = act.session.scalars(select(Part).where(Part.part_no == "RM-0177")).one()
    agree(
        act, site_called(act.session, MAIN), _supplier(act, REDWOOD), kind=SourcingKind.CONTRACT, title="Inconel bar, half a year",
        currency="USD", valid_from=today - dt.timedelta(days=140), valid_to=today + dt.timedelta(days=47), value=Decimal(48000),
        part=bar, unit_price=Decimal("43.4722"), number="CT-2026-009",
    )  # fmt: skip
    part = act.session.scalars(select(Part).where(Part.part_no == "CS-024")).one()
    agree(
        act, site_called(act.session, MAIN), _supplier(act, VULCAN), kind=SourcingKind.BLANKET, title="Coolant for a year",
        currency="USD", valid_from=today, valid_to=today + dt.timedelta(days=365), value=Decimal(15000),
        quantity=Decimal(96), part=part, unit_price=Decimal("153.1112"), number="BL-2026-014",
    )  # fmt: skip


def ask_for_titanium(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Let bea ask three suppliers, two of whom answer with the form, and key the third's letter."""
    with at(today - dt.timedelta(days=7)):
        task = _task(installation)
        with installation.acting("user:bea") as act:
            asked = [_supplier(act, name).id for name in (ANGSTROM, REDWOOD, VULCAN)]
            answers = {
                "supplier_ids": asked, "answer_by": (today + dt.timedelta(days=1)).date().isoformat(),
                "message": "Implant grade, with mill certificates 3.1 and ultrasonic test reports.",
            }  # fmt: skip
            tasks.decide(act, task.id, "send", seen_version=task.version, variables=answers)
        run_until_idle(installation)
    holds = (today + dt.timedelta(days=45)).date()
    given = (
        (5.9, ANGSTROM, Offer({1: Decimal("58.20")}, "USD", 21, holds, charges=Decimal(140), reference="AQ-88213")),
        (
            5.1, REDWOOD,
            Offer(
                {1: Decimal("61.75")}, "USD", 12, holds, reference="Q-2026-1174",
                remarks="Bars are on stock; mill certificates 3.1 come with them.",
            ),
        ),
        (4.2, VULCAN, Offer({1: Decimal("66.40")}, "USD", 35, holds, charges=Decimal(220), reference="V-5521")),
    )  # fmt: skip
    for days, name, offer in given:
        with at(today - dt.timedelta(days=days)):
            channel = QuoteChannel.BUYER if name == VULCAN else QuoteChannel.FORM
            with installation.acting("user:bea" if channel is QuoteChannel.BUYER else f"supplier:{name[:40]}") as act:
                quoting.take_quote(act, _invitation(act, name), offer, channel=channel)
            run_until_idle(installation)


def _task(installation: Installation) -> Task:
    with installation.reading() as session:
        number = session.scalars(select(Requisition.number).where(Requisition.title == TITANIUM)).one()
        wanted = select(Task).where(
            Task.element_id == "request_quotes", Task.state == TaskState.OPEN, Task.title.endswith(number)
        )
        return session.scalars(wanted).one()


def _supplier(act: Act, name: str) -> Supplier:
    return act.session.scalars(select(Supplier).where(Supplier.name == name)).one()


def _invitation(act: Act, name: str) -> Invitation:
    return act.session.scalars(select(Invitation).join(Supplier).where(Supplier.name == name)).one()
