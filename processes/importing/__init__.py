"""``lockstep import``: read an extract of an ERP and bring it in, document by document."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Invalid
from processes.importing.amendments import bring_amendments
from processes.importing.bringing import Import, Progress, Start
from processes.importing.invoices import bring_invoices
from processes.importing.links import bring_links
from processes.importing.lots import bring_lots
from processes.importing.mapping import SHIPPED, read_mapping
from processes.importing.orders import bring_orders
from processes.importing.parts import bring_parts
from processes.importing.people import bring_people
from processes.importing.problems import Problem, Report, Tally, Weight
from processes.importing.receipts import bring_receipts
from processes.importing.reconciling import as_seen, reconcile
from processes.importing.requisitions import bring_requisitions
from processes.importing.suppliers import bring_prices, bring_suppliers
from processes.importing.work_centres import bring_routings
from processes.importing.work_orders import bring_work_orders
from records.calendar import Site
from records.cost_centre import Budget, CostCentre

__all__ = ["SHIPPED", "Problem", "Report", "Tally", "Weight", "import_folder"]


def import_folder(
    installation: Installation,
    folder: Path,
    *,
    mapping: Path = SHIPPED,
    is_dry: bool = False,
    start: Start | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> Report:
    """Bring in the extract in a folder and return what happened.

    mapping: which column feeds what. is_dry: do it all and roll it back. start: called with (act, requisition) for each open
    requisition; without it they stay SUBMITTED and no flow runs. progress: called with (kind, done, total). What cannot be
    read, or is refused by a law, becomes a problem and its document is left out whole.
    Raises: Invalid when the folder or the mapping file cannot be used at all.
    """
    if not folder.is_dir():
        raise Invalid(f"Expected a folder with an extract, but {folder} is none", {"folder": "is no folder"})
    begun = time.monotonic()
    report = Report(str(folder), is_dry)
    run = Import(installation, folder, read_mapping(mapping), report, start, progress)
    run.check_columns()
    run.note_what_is_missing()
    if is_dry:
        with run.dry():
            _bring_everything(run)
    else:
        _bring_everything(run)
    report.seconds = time.monotonic() - begun
    return report


def _bring_everything(run: Import) -> None:
    with run.act() as act:
        run.recall(act.session)
        site, cost_centre = _site(run, act), _cost_centre(run, act)
        today = site.local_day(act.now)
    bring_people(run)
    bring_suppliers(run)
    bring_parts(run)
    bring_prices(run)
    bring_routings(run, site)
    bring_work_orders(run, site)
    bring_requisitions(run, site, cost_centre)
    bring_orders(run, site, today=today)
    bring_links(run)
    bring_amendments(run)
    bring_receipts(run)
    bring_lots(run)
    bring_invoices(run)
    reconcile(run)
    run.report.disagreements = [as_seen(run, found) for found in run.disagreements]


def _site(run: Import, act: Act) -> Site:
    """Return the site documents belong to; on an empty installation it is made as the mapping file describes it."""
    code = run.default("site")
    found = act.session.scalar(select(Site).where(Site.code == code))
    if found is None:
        found = Site(
            code=code,
            name=run.default("site_name"),
            time_zone=run.default("time_zone"),
            currency=run.default("currency"),
        )
        act.session.add(found)
        act.session.flush()
    return found


def _cost_centre(run: Import, act: Act) -> CostCentre:
    """Return the cost centre of documents that name none; it is made with this year's budget when it is missing."""
    code = run.default("cost_centre")
    found = act.session.scalar(select(CostCentre).where(CostCentre.code == code))
    if found is None:
        found = CostCentre(code=code, name=run.default("cost_centre_name"), currency=run.default("currency"))
        budget = Budget(cost_centre=found, cost_centre_id=found.id, fiscal_year=act.now.year, amount=run.budget())
        act.session.add_all([found, budget])
        act.session.flush()
    return found
