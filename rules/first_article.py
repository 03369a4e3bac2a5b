"""When a first article is to be decided about (SUP-11): a new source or site, a long gap, a changed process."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from engine.answers import of_each, once
from records.part import PartRevision, process_words
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt
from records.supplier import Supplier, SupplierSite
from records.supplier_knowledge import ArticleCause, FirstArticleDecision, SupplierChangeNotice
from rules.supplier_lines import Line, part_of, process_of

SUBJECT = (PartRevision.part_id, PurchaseOrderLine.process_code, PurchaseOrderLine.service_code)
"""What an order's line buys."""


@dataclass(frozen=True, slots=True)
class Need:
    """Why a first article is to be decided about. since: a decision counts from this day on, None for any; words: after "but"."""

    cause: ArticleCause
    subject: str
    words: str
    since: dt.date | None = None

    @property
    def is_new(self) -> bool:
        """Whether no delivery is on record at all."""
        return self.cause is ArticleCause.NEW_SOURCE


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a part or process. site_id: where the order went, None for the supplier's usual place.

    spec, spec_rev: of the process that the line asked for, None where it asked for none.
    """

    day: dt.date
    site_id: str | None
    spec: str | None = None
    spec_rev: str | None = None


def needs_article(
    session: Session, supplier: Supplier, line: Line, *, on: dt.date, site: SupplierSite | None, gap_days: int
) -> Need | None:
    """Return why a first article of a line is to be decided about, or None when the source is known and steady.

    gap_days: so long without a delivery makes a source new again. A service without a process has no article.
    """
    subject = _subject(line)
    if subject is None:
        return None
    past = deliveries(session, supplier, line)
    if not past:
        if _had_before(session, supplier, line):
            return None
        return Need(ArticleCause.NEW_SOURCE, subject, f"{supplier.name} has not delivered it yet")
    last = max(each.day for each in past)
    default = next((place.id for place in supplier.sites if place.is_default), None)
    if site is not None and site.id not in {each.site_id or default for each in past}:
        return Need(
            ArticleCause.NEW_SITE,
            subject,
            f"it never came from {site.name or site.code} ({site.address or 'no address'})",
        )
    if (on - last).days > gap_days:
        return Need(
            ArticleCause.GAP, subject, f"the last delivery was on {last}, {(on - last).days} days ago", since=last
        )
    notice = _notice(session, supplier, line, after=last, site=site)
    if notice is not None:
        words = f"{supplier.name} changed its {notice.kind.lower().replace('_', ' ')} from {notice.effective_on}: {notice.statement[:200]}"
        return Need(ArticleCause.PROCESS_CHANGE, subject, words, since=notice.noticed_on)
    return _other_revision(subject, line, past)


def decision_for(
    session: Session, supplier: Supplier, line: Line, need: Need, *, site: SupplierSite | None
) -> FirstArticleDecision | None:
    """Return the newest decision that answers a need, or None. A new site needs a decision about that site."""
    decided = once(session, ("first_articles", supplier.id), lambda: _by_subject(session, supplier))
    process, part = process_of(line), part_of(line)
    here = site.id if site is not None else None
    able = (here,) if need.cause is ArticleCause.NEW_SITE else (None, here)
    about = ("process", process) if process is not None else ("part", part.id if part is not None else None)
    return next(
        (
            found
            for found in decided.get(about, ())
            if found.supplier_site_id in able and (need.since is None or found.decided_on >= need.since)
        ),
        None,
    )


def _by_subject(session: Session, supplier: Supplier) -> dict[tuple[str, str | None], list[FirstArticleDecision]]:
    """Return the decisions about a supplier by process and by part, newest first."""
    found: dict[tuple[str, str | None], list[FirstArticleDecision]] = defaultdict(list)
    wanted = select(FirstArticleDecision).where(FirstArticleDecision.supplier_id == supplier.id)
    for each in session.scalars(
        wanted.order_by(FirstArticleDecision.decided_on.desc(), FirstArticleDecision.id.desc())
    ):
        found["process", each.process_code].append(each)
        found["part", each.part_id].append(each)
    return found


def deliveries(session: Session, supplier: Supplier, line: Line) -> Sequence[Delivery]:
    """Return the deliveries of the part or process of a line from a supplier that were not taken back."""
    asked = ("deliveries", supplier.id)
    return of_each(session, line, asked, lambda lines: _deliveries(session, supplier, lines), otherwise=())


def _deliveries(session: Session, supplier: Supplier, lines: Sequence[Line]) -> dict[str, Sequence[Delivery]]:
    """Return the same for many lines, by their ids."""
    taken_back = select(Receipt.reverses_id).where(Receipt.reverses_id.is_not(None))
    wanted = (
        select(
            *SUBJECT,
            Receipt.received_on,
            PurchaseOrder.supplier_site_id,
            PurchaseOrderLine.spec,
            PurchaseOrderLine.spec_rev,
        )
        .join_from(Receipt, PurchaseOrderLine, PurchaseOrderLine.id == Receipt.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .join(PartRevision, PartRevision.id == PurchaseOrderLine.part_revision_id, isouter=True)
        .where(PurchaseOrder.supplier_id == supplier.id, Receipt.reverses_id.is_(None), Receipt.id.not_in(taken_back))
    )
    found = _by_line(lines, session.execute(wanted.where(_about(lines))).all())
    return {line_id: [Delivery(*row[3:]) for row in rows] for line_id, rows in found.items()}


def _other_revision(subject: str, line: Line, past: Sequence[Delivery]) -> Need | None:
    """Return why another revision of a process is a changed one: what came last was done to the revision before."""
    if process_of(line) is None or not line.spec or not line.spec_rev:
        return None
    done = [each for each in past if each.spec == line.spec and each.spec_rev]
    if not done or any(each.spec_rev == line.spec_rev for each in done):
        return None
    last = max(done, key=lambda each: each.day)
    words = f"it was last done to {last.spec} rev {last.spec_rev} on {last.day} and {line.spec} rev {line.spec_rev} is asked for"
    return Need(ArticleCause.PROCESS_CHANGE, subject, words, since=last.day)


def _had_before(session: Session, supplier: Supplier, line: Line) -> bool:
    """Whether an ERP had received it from there before its orders were known here, on a day that nobody told."""
    asked = ("had_before", supplier.id)
    return of_each(session, line, asked, lambda lines: _imported(session, supplier, lines), otherwise=False)


def _imported(session: Session, supplier: Supplier, lines: Sequence[Line]) -> dict[str, bool]:
    """Return the same for many lines, by their ids."""
    wanted = (
        select(*SUBJECT)
        .join_from(PurchaseOrderLine, PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .join(PartRevision, PartRevision.id == PurchaseOrderLine.part_revision_id, isouter=True)
        .where(PurchaseOrder.supplier_id == supplier.id, PurchaseOrderLine.quantity_imported > 0)
    )
    found = _by_line(lines, session.execute(wanted.where(_about(lines)).distinct()).all())
    return {line_id: bool(rows) for line_id, rows in found.items()}


def _about(lines: Sequence[Line]) -> ColumnElement[bool]:
    """Return the condition on an order's line that buys what one of many lines does, whatever its revision."""
    processes = {process for line in lines if (process := process_of(line)) is not None}
    services = {line.service_code for line in lines if line.service_code is not None and process_of(line) is not None}
    parts = {part.id for line in lines if process_of(line) is None and (part := part_of(line)) is not None}
    revisions = select(PartRevision.id).where(PartRevision.part_id.in_(sorted(parts)))
    return or_(
        PurchaseOrderLine.process_code.in_(sorted(processes)),
        PurchaseOrderLine.service_code.in_(sorted(services)),
        and_(PurchaseOrderLine.part_revision_id.in_(revisions), PurchaseOrderLine.process_code.is_(None)),
    )


def _by_line(lines: Sequence[Line], rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the rows, which begin with ``SUBJECT``, that buy the same as each line: its process or service, or else its part."""
    parts: dict[str | None, list[Any]] = defaultdict(list)
    processes: dict[str, list[Any]] = defaultdict(list)
    services: dict[str | None, list[Any]] = defaultdict(list)
    for row in rows:
        part_id, process_code, service_code = row[:3]
        (parts[part_id] if process_code is None else processes[process_code]).append(row)
        services[service_code].append(row)
    found: dict[str, list[Any]] = {}
    for line in lines:
        process, part = process_of(line), part_of(line)
        if process is None:
            found[line.id] = parts.get(part.id, []) if part is not None else []
            continue
        served = services.get(line.service_code, []) if line.service_code is not None else []
        found[line.id] = [*processes.get(process, ()), *(row for row in served if row[1] != process)]
    return found


def _subject(line: Line) -> str | None:
    process = process_of(line)
    if process is not None:
        return process_words(process)
    return line.part_revision.part.part_no if line.part_revision is not None else None


def _notice(
    session: Session, supplier: Supplier, line: Line, *, after: dt.date, site: SupplierSite | None
) -> SupplierChangeNotice | None:
    """Return the newest notice of a change that nothing was delivered under yet. after: the day of the last delivery."""
    part = part_of(line)
    wanted = select(SupplierChangeNotice).where(SupplierChangeNotice.supplier_id == supplier.id)
    newest = wanted.order_by(SupplierChangeNotice.effective_on.desc(), SupplierChangeNotice.id.desc())
    for found in once(session, ("change_notices", supplier.id), lambda: session.scalars(newest).all()):
        about = (
            found.part_id in (None, part.id if part else None)
            and found.process_code in (None, process_of(line))
            and found.supplier_site_id in (None, site.id if site else None)
        )
        if about and found.effective_on > after:
            return found
    return None
