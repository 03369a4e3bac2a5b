"""Score suppliers by what they delivered: rejected pieces per million, deliveries on time, over as many days as a table says (SUP-10)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.act import Act
from records.inspection import Inspection
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import RULED_OUT, Receipt
from records.supplier import Supplier
from records.supplier_knowledge import Grade, SupplierScore
from rules.policy import table_called
from rules.supplier_facts import latest_score, limits_for

NOTHING, MILLION, HUNDRED = Decimal(0), Decimal(1_000_000), Decimal(100)
SIXTH = Decimal("0.000001")


@dataclass
class Counts:
    """What came from a supplier in a window. received, rejected: pieces in stock units; the others count deliveries."""

    received: Decimal = NOTHING
    rejected: Decimal = NOTHING
    early: int = 0
    on_time: int = 0
    late: int = 0
    worst_days_late: int = 0

    @property
    def deliveries(self) -> int:
        """How many deliveries had a promised day to be measured by."""
        return self.early + self.on_time + self.late

    @property
    def ppm(self) -> Decimal | None:
        """Rejected pieces per million, None where nothing came."""
        return (self.rejected / self.received * MILLION).quantize(SIXTH) if self.received else None

    @property
    def on_time_percent(self) -> Decimal | None:
        """Deliveries on time of a hundred, None where none was promised."""
        return (Decimal(self.on_time) / self.deliveries * HUNDRED).quantize(SIXTH) if self.deliveries else None


@dataclass(frozen=True, slots=True)
class Window:
    """The days a score is about, and how many days around the promise are on time."""

    first: dt.date
    last: dt.date
    early_days: int
    late_days: int


@dataclass
class _Goods:
    """One receipt and what became of it."""

    receipt: Receipt
    line: PurchaseOrderLine
    taken_back: Decimal = NOTHING
    rejects: int = 0


def window_on(day: dt.date) -> Window:
    """Return the window that ends on a day, as the table of limits says."""
    limits = limits_for(None)
    days = int(limits["window_days"])
    return Window(day - dt.timedelta(days=days - 1), day, int(limits["early_days"]), int(limits["late_days"]))


def score_all(act: Act, *, on: dt.date) -> list[SupplierScore]:
    """Score every supplier that delivered in the window, or was scored before; return the scores whose numbers are new."""
    window = window_on(on)
    counts = counts_of(act.session, window)
    scored = set(act.session.scalars(select(SupplierScore.supplier_id).distinct()))
    wanted = select(Supplier).where(Supplier.id.in_(scored | counts.keys())).order_by(Supplier.supplier_no)
    made = [
        _score(act, supplier, counts.get(supplier.id, Counts()), window) for supplier in act.session.scalars(wanted)
    ]
    act.session.flush()
    return [score for score in made if score is not None]


def counts_of(session: Session, window: Window) -> dict[str, Counts]:
    """Return the counts of every supplier that something came from in a window, by supplier id.

    Rejected are goods that were ruled out, and the rejects that an inspection found in goods that passed. What was booked by mistake
    and taken back counts nowhere; what went back after a rejection stays both received and rejected.
    """
    found: dict[str, Counts] = defaultdict(Counts)
    for supplier_id, goods in _goods(session, window):
        _count(found[supplier_id], goods, window)
    return dict(found)


def _goods(session: Session, window: Window) -> Iterable[tuple[str, _Goods]]:
    wanted = (
        select(PurchaseOrder.supplier_id, Receipt, PurchaseOrderLine)
        .join(PurchaseOrderLine, PurchaseOrderLine.id == Receipt.order_line_id)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(Receipt.reverses_id.is_(None), Receipt.received_on.between(window.first, window.last))
    )
    rows = session.execute(wanted).all()
    ids = [receipt.id for _, receipt, _ in rows]
    taken_back = _sums(session, ids)
    rejects = _rejects(session, ids)
    for supplier_id, receipt, line in rows:
        yield (
            supplier_id,
            _Goods(receipt, line, taken_back.get(receipt.id, NOTHING), rejects.get(receipt.id, 0)),
        )


def _sums(session: Session, ids: Sequence[str]) -> dict[str, Decimal]:
    back = (
        select(Receipt.reverses_id, func.sum(Receipt.quantity))
        .where(Receipt.reverses_id.is_not(None))
        .group_by(Receipt.reverses_id)
    )
    return {str(key): -quantity for key, quantity in session.execute(back) if key in set(ids)}


def _rejects(session: Session, ids: Sequence[str]) -> dict[str, int]:
    found = select(Inspection.receipt_id, func.sum(Inspection.rejects)).group_by(Inspection.receipt_id)
    known = set(ids)
    return {key: int(number) for key, number in session.execute(found) if key in known}


def _count(counts: Counts, goods: _Goods, window: Window) -> None:
    receipt, line = goods.receipt, goods.line
    is_out = receipt.status in RULED_OUT
    pieces = receipt.quantity if is_out else receipt.quantity - goods.taken_back
    if pieces <= 0:
        return
    counts.received += pieces * line.conversion_factor
    counts.rejected += (pieces if is_out else min(Decimal(goods.rejects), pieces)) * line.conversion_factor
    promised = line.promised_on or line.need_by
    if promised is None or receipt.position != 1:
        return
    days = (receipt.received_on - promised).days
    if days < -window.early_days:
        counts.early += 1
    elif days > window.late_days:
        counts.late += 1
        counts.worst_days_late = max(counts.worst_days_late, days)
    else:
        counts.on_time += 1


def _score(act: Act, supplier: Supplier, counts: Counts, window: Window) -> SupplierScore | None:
    """Write a score down whose numbers, or what they mean, are others than last time's."""
    judgement = table_called("supplier_score").judge(
        deliveries=counts.deliveries, ppm=counts.ppm or NOTHING, on_time_percent=counts.on_time_percent or NOTHING
    )
    grade = Grade(judgement.row.outputs["grade"])
    numbers = {
        "pieces_received": counts.received, "pieces_rejected": counts.rejected, "ppm": counts.ppm,
        "deliveries": counts.deliveries, "early": counts.early, "on_time": counts.on_time, "late": counts.late,
        "worst_days_late": counts.worst_days_late, "on_time_percent": counts.on_time_percent, "grade": grade,
    }  # fmt: skip
    last = latest_score(act.session, supplier)
    if last is not None and all(getattr(last, name) == value for name, value in numbers.items()):
        return None
    made = SupplierScore(
        supplier=supplier, supplier_id=supplier.id, scored_on=window.last, window_from=window.first, window_to=window.last,
        judged_by=judgement.hash, rule_row=judgement.row.number, **numbers,
    )  # fmt: skip
    act.session.add(made)
    return made
