"""Emergencies: every change that two people let begin before its board, and the deviation it opened, until it is closed."""

from __future__ import annotations

from flask import Blueprint, render_template

from engine.waiting import wait_sentence
from processes import change_control
from processes.emergency_deviations import standing_emergencies
from records.change_order import ChangeOrder
from webapp.sheet import Sheet, offered
from webapp.visit import now, reading

pages = Blueprint("emergencies", __name__)


@pages.get("/emergencies")
def index() -> str:
    """Show what stands, the one that ends first before the others."""
    found = standing_emergencies(reading())
    late = [
        one
        for one in found
        if not one.is_decided and one.order.expires_at is not None and one.order.expires_at <= now()
    ]
    return render_template(
        "changes/emergencies.html", found=found, late=late, tab="emergencies", turns={one.order.id: _turn(one.order) for one in found}
    )  # fmt: skip


@offered(pages, "/emergencies")
def export() -> Sheet:
    """Hand out what stands, the one that ends first before the others."""
    columns = ("number", "title", "state", "reason", "deviations", "to_be_decided_by", "decided", "now")
    rows = (
        (one.order.number, one.order.title, one.order.status, one.order.reason,
         ", ".join(each.number for each in one.deviations), one.order.expires_at, one.is_decided, _turn(one.order))
        for one in standing_emergencies(reading())
    )  # fmt: skip
    return Sheet("emergencies", columns, rows)


def _turn(order: ChangeOrder) -> str:
    """Say what an emergency waits for, and whose turn it is."""
    flow = change_control.running(reading(), order)
    return wait_sentence(reading(), flow) if flow is not None else "Nothing runs for it: withdraw it on its page."
