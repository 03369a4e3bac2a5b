"""Emergencies: every change that two people let begin before its board, and the deviation it opened, until it is closed."""

from __future__ import annotations

from flask import Blueprint, render_template

from processes.emergency_deviations import standing_emergencies
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
    return render_template("changes/emergencies.html", found=found, late=late, tab="emergencies")
