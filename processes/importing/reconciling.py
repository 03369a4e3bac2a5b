"""Keep what papers disagree about as discrepancies of their documents: opened once, resolved when they agree again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from engine.act import Act
from processes.importing.agreement import FIELDS, Disagreement, disagreements
from processes.importing.bringing import Import
from processes.importing.problems import Seen
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Severity, move
from records.purchase_order import PurchaseOrder
from records.work_order import WorkOrder
from rules.policy import table_called

RECORDS = {"order": PurchaseOrder, "work_order": WorkOrder}
WHAT = "disagreements"


def reconcile(run: Import) -> None:
    """Compare the papers of the extract with one another and keep what they disagree about."""
    if not (run.papers.receipts or run.papers.bills or run.papers.work_orders):
        return
    named = [rule.pattern for rule in run.mapping.choices["work_orders_in_texts"]]
    found = list(disagreements(run.papers, named))
    run.disagreements.extend(found)
    with run.act() as act:
        _Keeping(run, act).keep(found)
    run.progress(WHAT, len(found), len(found))


def field_of(disagreement: Disagreement) -> str:
    """Return the field under which a disagreement is kept, ``lines.3.invoice_price``."""
    return f"lines.{disagreement.line_no}.{disagreement.field}" if disagreement.line_no else disagreement.field


def as_seen(run: Import, found: Disagreement) -> Seen:
    """Return a disagreement as the report shows it."""
    given = table_called("document_agreement").judge(field=found.field).row.outputs
    native_type, native_id = found.about
    known = run.known.get(found.about)
    number = run.numbers.get(found.about, native_id) if known else native_id
    about = (f"{native_type}.line", found.line) if found.line else found.about
    return Seen(
        f"{number}/{found.line_no}" if found.line_no else number, about, found.field, str(given["kind"]),
        str(given["severity"]), found.ours, found.theirs, found.papers,
    )  # fmt: skip


def is_between_papers(one: Discrepancy) -> bool:
    """Whether a discrepancy is between the papers of another system, not between its paper and ours."""
    return one.field.rpartition(".")[2] in FIELDS


class _Keeping:
    """The discrepancies of one act, known by document and field."""

    def __init__(self, run: Import, act: Act) -> None:
        self.run, self.act = run, act
        self.tally = run.report.tally(WHAT)
        system = run.mapping.system
        wanted = select(Discrepancy).where(Discrepancy.system == system)
        self.known = {
            (one.document_type, one.document_id, one.field): one
            for one in act.session.scalars(wanted)
            if is_between_papers(one)
        }

    def keep(self, found: list[Disagreement]) -> None:
        """Open what is new, refresh what changed, resolve what agrees again."""
        seen = {key for disagreement in found if (key := self._keep(disagreement)) is not None}
        for key, one in self.known.items():
            if key not in seen and one.status is DiscrepancyStatus.OPEN:
                move(self.act, one, DiscrepancyStatus.RESOLVED, reason=f"{one.system} agrees again")
                self.tally.changed += 1

    def _keep(self, disagreement: Disagreement) -> tuple[str, str, str] | None:
        native_type, native_id = disagreement.about
        record_id = self.run.id_of(native_type, native_id)
        record: Any = self.act.session.get(RECORDS[native_type], record_id) if record_id else None
        if record is None:
            return None
        key = (record.record_type, record.id, field_of(disagreement))
        before = self.known.get(key)
        values = (disagreement.ours, disagreement.theirs_and_where)
        if before is None:
            self._open(record, disagreement)
            self.tally.new += 1
        elif (before.ours, before.theirs) == values:
            # A person may have settled it; the same two values are no news.
            self.tally.unchanged += 1
        else:
            before.ours, before.theirs = values
            if before.status is DiscrepancyStatus.RESOLVED:
                move(self.act, before, DiscrepancyStatus.OPEN, reason="the papers say otherwise again")
            self.tally.changed += 1
        return key

    def _open(self, record: Any, disagreement: Disagreement) -> None:
        given = table_called("document_agreement").judge(field=disagreement.field).row.outputs
        self.act.session.add(
            Discrepancy(
                document_type=record.record_type, document_id=record.id, document_number=record.number,
                field=field_of(disagreement), system=self.run.mapping.system, kind=DiscrepancyKind(given["kind"]),
                severity=Severity(given["severity"]), ours=disagreement.ours, theirs=disagreement.theirs_and_where,
                owner=str(given["owner"]), opened_at=self.act.now,
            )
        )  # fmt: skip
