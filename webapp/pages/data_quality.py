"""The data-quality report (domain.md 1.24): what is missing in the data that orders and work orders are linked by."""

from __future__ import annotations

from collections import Counter

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from processes.data_quality import Defect, defects_of, take_stock
from processes.findings import OVERSEERS
from webapp.pages import orders
from webapp.sheet import Sheet, offered
from webapp.visit import acting, now, reading, visitor

pages = Blueprint("data_quality", __name__)

SHOWN = 300
"""Defects on the page at most; the CSV file has them all."""


@pages.get("/data-quality")
def index() -> str:
    """Show every defect with its kind and owner."""
    found = defects_of(reading(), now=now())
    kind = request.args.get("kind", "").strip()[:60]
    fitting = [defect for defect in found if not kind or defect.kind == kind]
    return render_template(
        "findings/quality.html", defects=fitting[:SHOWN], number=len(fitting), kind=kind, may_keep=visitor().holds(*OVERSEERS),
        kinds=sorted(Counter(defect.kind for defect in found).items()), owners=_owners(found), tab="quality",
    )  # fmt: skip


@offered(pages, "/data-quality")
def download() -> Sheet:
    """Hand out every defect, or those of a kind."""
    kind = request.args.get("kind", "").strip()[:60]
    rows = (
        (defect.kind, defect.severity, defect.record_type, defect.number, defect.sentence, defect.owner, defect.way_out)
        for defect in defects_of(reading(), now=now())
        if not kind or defect.kind == kind
    )
    return Sheet("data-quality", ("defect", "severity", "kind", "document", "sentence", "owner", "way_out"), rows)


@pages.post("/data-quality/stock")
def keep() -> Answer:
    """Keep today's defects as findings, so that the trend shows what was mended since."""
    orders.need(*sorted(OVERSEERS))
    with acting() as act:
        kept = len(take_stock(act))
    flash(f"{kept} defects are kept as findings of today.", "good")
    return redirect(url_for("data_quality.index"), 303)


def _owners(found: list[Defect]) -> list[tuple[str, int]]:
    return Counter(defect.owner for defect in found).most_common()
