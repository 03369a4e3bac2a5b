"""Resources: gauges and machines with their calibration, people with their qualifications, work centres with their rates."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, render_template
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from records.resource import Resource, ResourceKind, WorkCentre
from webapp.visit import now, reading, visitor

pages = Blueprint("resources", __name__)

SOON = dt.timedelta(days=30)


@pages.get("/resources")
def index() -> str:
    """List what does the work; what is due or expired stands first."""
    session = reading()
    wanted = select(Resource).options(selectinload(Resource.qualifications), selectinload(Resource.work_centre))
    found = list(session.scalars(wanted.order_by(Resource.code)))
    today = now().astimezone(visitor().how.zone).date()
    things = [each for each in found if each.kind is not ResourceKind.PERSON]
    return render_template(
        "work_orders/resources.html",
        things=sorted(things, key=lambda each: (each.calibration_due or dt.date.max, each.code)),
        people=[each for each in found if each.kind is ResourceKind.PERSON],
        centres=list(session.scalars(select(WorkCentre).order_by(WorkCentre.code))),
        due=lambda day: due_tone(day, today),
        today=today,
    )


def due_tone(day: dt.date | None, today: dt.date) -> tuple[str, str]:
    """Return words and tone of a last day: expired, ends soon, or good."""
    if day is None:
        return "", ""
    if day < today:
        return "overdue", "bad"
    return ("due soon", "warn") if day <= today + SOON else ("good", "good")
