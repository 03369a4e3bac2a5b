"""When a first article is to be decided about (SUP-11): a new source or site, a long gap, a changed process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from records.part import PartRevision, process_words
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt
from records.supplier import Supplier, SupplierSite
from records.supplier_knowledge import ArticleCause, FirstArticleDecision, SupplierChangeNotice
from rules.supplier_lines import Line, part_of, process_of


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
    wanted = select(FirstArticleDecision).where(FirstArticleDecision.supplier_id == supplier.id)
    process, part = process_of(line), part_of(line)
    if process is not None:
        wanted = wanted.where(FirstArticleDecision.process_code == process)
    else:
        wanted = wanted.where(FirstArticleDecision.part_id == (part.id if part is not None else None))
    if need.since is not None:
        wanted = wanted.where(FirstArticleDecision.decided_on >= need.since)
    here = site.id if site is not None else None
    able = (here,) if need.cause is ArticleCause.NEW_SITE else (None, here)
    newest = wanted.order_by(FirstArticleDecision.decided_on.desc(), FirstArticleDecision.id.desc())
    return next((found for found in session.scalars(newest) if found.supplier_site_id in able), None)


def deliveries(session: Session, supplier: Supplier, line: Line) -> Sequence[Delivery]:
    """Return the deliveries of the part or process of a line from a supplier that were not taken back."""
    taken_back = select(Receipt.reverses_id).where(Receipt.reverses_id.is_not(None))
    wanted = (
        select(Receipt.received_on, PurchaseOrder.supplier_site_id, PurchaseOrderLine.spec, PurchaseOrderLine.spec_rev)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == Receipt.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.supplier_id == supplier.id, Receipt.reverses_id.is_(None), Receipt.id.not_in(taken_back))
    )
    return [Delivery(*row) for row in session.execute(wanted.where(_about(line)))]


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
    wanted = (
        select(PurchaseOrderLine.id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.supplier_id == supplier.id, PurchaseOrderLine.quantity_imported > 0)
    )
    return session.scalars(wanted.where(_about(line)).limit(1)).first() is not None


def _about(line: Line) -> ColumnElement[bool]:
    """Return the condition on an order's line that buys the same part, whatever its revision, or the same process."""
    process, part = process_of(line), part_of(line)
    if process is not None:
        same = PurchaseOrderLine.process_code == process
        return same if line.service_code is None else or_(same, PurchaseOrderLine.service_code == line.service_code)
    revisions = select(PartRevision.id).where(PartRevision.part_id == (part.id if part is not None else None))
    return and_(PurchaseOrderLine.part_revision_id.in_(revisions), PurchaseOrderLine.process_code.is_(None))


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
    wanted = select(SupplierChangeNotice).where(
        SupplierChangeNotice.supplier_id == supplier.id,
        SupplierChangeNotice.effective_on > after,
        or_(SupplierChangeNotice.part_id.is_(None), SupplierChangeNotice.part_id == (part.id if part else None)),
        or_(SupplierChangeNotice.process_code.is_(None), SupplierChangeNotice.process_code == process_of(line)),
        or_(
            SupplierChangeNotice.supplier_site_id.is_(None),
            SupplierChangeNotice.supplier_site_id == (site.id if site else None),
        ),
    )
    return session.scalars(
        wanted.order_by(SupplierChangeNotice.effective_on.desc(), SupplierChangeNotice.id.desc()).limit(1)
    ).first()
