"""What a work order cost, and why that is not what it should have cost (domain.md 1.31)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from records.actual import Actual, ActualKind, carried_actuals_of, standing
from records.money import round_money
from records.purchase_order import PurchaseOrderLine
from records.standard_cost import CostKind, StandardCost
from records.work_order import WorkOrder
from rules.order_consistency import agreed_price

ZERO = Decimal(0)
CAUSES = ("price", "usage", "rate", "outside", "unassigned")


@dataclass(frozen=True, slots=True)
class CostLine:
    """One component: an item of one kind, what it should have taken and what it took."""

    kind: CostKind
    item: str
    uom: str
    standard_quantity: Decimal
    standard_amount: Decimal
    actual_quantity: Decimal
    actual_amount: Decimal
    unpriced: int = 0

    @property
    def variance(self) -> Decimal:
        """What it took beyond the standard; negative when less."""
        return self.actual_amount - self.standard_amount


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a work order in its site's currency.

    causes: price (material dearer), usage (more material or hours), rate (dearer hours), outside (a supplier's work), unassigned (a
    standard without components). They add up to the variance exactly.
    """

    currency: str
    standard: Decimal | None
    lines: tuple[CostLine, ...]
    causes: dict[str, Decimal] = field(default_factory=dict)

    def of(self, kind: CostKind) -> Decimal:
        """Return what one kind of cost came to."""
        return sum((line.actual_amount for line in self.lines if line.kind is kind), ZERO)

    @property
    def material(self) -> Decimal:
        """Material at receipt cost."""
        return self.of(CostKind.MATERIAL)

    @property
    def labour(self) -> Decimal:
        """Hours of people."""
        return self.of(CostKind.LABOUR)

    @property
    def machine(self) -> Decimal:
        """Hours of machines."""
        return self.of(CostKind.MACHINE)

    @property
    def outside(self) -> Decimal:
        """Accruals of suppliers' work."""
        return self.of(CostKind.OUTSIDE)

    @property
    def total(self) -> Decimal:
        """Everything."""
        return sum((line.actual_amount for line in self.lines), ZERO)

    @property
    def variance(self) -> Decimal | None:
        """What it cost beyond the standard; None without one."""
        return None if self.standard is None else self.total - self.standard

    @property
    def percent(self) -> Decimal | None:
        """The variance in percent of the standard, to two decimals."""
        if self.variance is None or not self.standard:
            return None
        return (self.variance * 100 / self.standard).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    @property
    def unpriced(self) -> int:
        """How many actuals have no cost yet."""
        return sum(line.unpriced for line in self.lines)


def cost_of(session: Session, order: WorkOrder) -> Cost:
    """Return what a work order cost so far, against its frozen standard, split by cause.

    Price and rate variances are taken at the actual quantity, usage at the standard price; each cause is rounded once and the last
    of each pair takes the rest, so that nothing is lost between them.
    """
    currency = order.site.currency
    actuals: dict[tuple[CostKind, str], list[Actual]] = defaultdict(list)
    for actual in carried_actuals_of(session, order):
        if actual.kind.value in set(CostKind):
            actuals[CostKind(actual.kind.value), actual.item or ""].append(actual)
    standards = {(each.kind, _item(each, actuals)): each for each in order.standards}
    keys = sorted({*actuals, *standards}, key=lambda key: (list(CostKind).index(key[0]), key[1]))
    lines = tuple(_line(key, standards.get(key), actuals.get(key, []), currency) for key in keys)
    standard = order.standard_cost
    cost = Cost(currency, standard, lines)
    return cost if standard is None else Cost(currency, standard, lines, _causes(cost, standards, currency))


def _item(standard: StandardCost, actuals: Collection[tuple[CostKind, str]]) -> str:
    """Return what a component is called in the actuals: they name a part where it names a revision of it, if no other does."""
    rivals = [each for each in standard.work_order.standards if each.kind is standard.kind]
    for kind, item in actuals:
        asking = [each for each in rivals if each.required_revision(item) is not None]
        if kind is standard.kind and asking == [standard] and all(each.item != item for each in rivals):
            return item
    return standard.item


def _line(key: tuple[CostKind, str], standard: StandardCost | None, actuals: list[Actual], currency: str) -> CostLine:
    kind, item = key
    standing_rows = standing(actuals)
    uom = standard.uom if standard is not None else next((each.uom or "" for each in actuals), "")
    return CostLine(
        kind, item, uom,
        standard.quantity if standard is not None else ZERO,
        round_money(standard.quantity * standard.unit_cost, currency) if standard is not None else ZERO,
        _sum(each.quantity for each in actuals), _sum(each.amount for each in actuals),
        sum(each.amount is None for each in standing_rows),
    )  # fmt: skip


def _sum(values: Iterable[Decimal | None]) -> Decimal:
    return sum((value for value in values if value is not None), ZERO)


def _causes(cost: Cost, standards: dict[tuple[CostKind, str], StandardCost], currency: str) -> dict[str, Decimal]:
    causes = dict.fromkeys(CAUSES, ZERO)
    for line in cost.lines:
        if line.kind is CostKind.OUTSIDE:
            causes["outside"] += line.variance
            continue
        standard = standards.get((line.kind, line.item))
        # What was never planned is all usage: there is no price to compare with.
        flexible = (
            round_money(line.actual_quantity * standard.unit_cost, currency)
            if standard is not None
            else line.actual_amount
        )
        causes["price" if line.kind is CostKind.MATERIAL else "rate"] += line.actual_amount - flexible
        causes["usage"] += flexible - line.standard_amount
    assert cost.standard is not None
    causes["unassigned"] = sum((line.standard_amount for line in cost.lines), ZERO) - cost.standard
    return causes


def value_of_piece(session: Session, order: WorkOrder, *, before: int | None = None) -> Decimal:
    """Return what one piece of a work order is worth, in its site's currency, to four decimals.

    The standard cost over the quantity; without one, what its pieces have cost up to an operation, over those that reached it.
    before: the number of that operation; what is booked to it, or later, does not count. None counts everything.
    """
    if order.standard_cost is not None:
        return (order.standard_cost / order.quantity).quantize(Decimal("0.0001"))
    step = next((each for each in order.operations if each.op_no == before), None)
    pieces = step.quantity_in if step is not None and step.quantity_in else order.quantity
    spent = _sum(
        each.amount
        for each in carried_actuals_of(session, order)
        if before is None or each.operation is None or each.operation.op_no < before
    )
    return (spent / pieces).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


def reprice_outside(act: Act, line: PurchaseOrderLine, *, because: str = "an amendment") -> list[Actual]:
    """Book the outside accruals of an order line again at its present price, when an amendment has changed it.

    because: what changed the price, as the work order's history names it. Each accrual at another price, per the accrual's own
    unit, is taken back and booked anew; closed orders keep what they cost. A repeat books nothing. Source: domain.md 1.31.
    """
    rows = list(
        act.session.scalars(select(Actual).where(Actual.order_line_id == line.id, Actual.kind == ActualKind.OUTSIDE))
    )
    booked = []
    for row in standing(rows):
        price = agreed_price(act.session, line, row)
        if price is None or row.unit_cost == price or row.work_order.closed_at is not None or row.quantity is None:
            continue
        key = f"{row.source_event_id}:r{line.order.revision}"[:190]
        booked += [_copy(act, row, f"{key}:back", row.unit_cost, -1), _copy(act, row, key, price, 1)]
        act.note(
            "work_order", row.work_order_id, "REPRICED", field=f"price of {line.number}", old=_price(row.unit_cost),
            new=_price(price), reason=f"{because} changed the price of {line.number}",
        )  # fmt: skip
    act.session.add_all(booked)
    act.session.flush()
    return booked


def _price(value: Decimal | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _copy(act: Act, row: Actual, event_id: str, unit_cost: Decimal | None, sign: int) -> Actual:
    assert row.quantity is not None
    is_reversal = sign < 0
    amount = None if unit_cost is None else sign * round_money(row.quantity * unit_cost, row.work_order.site.currency)
    return Actual(
        work_order=row.work_order, work_order_id=row.work_order_id, operation_id=row.operation_id, kind=row.kind,
        source_system="LOCKSTEP", source_event_id=event_id, event_time=act.now, received_at=act.now, quantity=sign * row.quantity,
        uom=row.uom, item=row.item, unit_cost=unit_cost, amount=amount, currency=row.currency, order_line_id=row.order_line_id,
        contract_ref=row.contract_ref, reverses_id=row.id if is_reversal else None,
        reason="The price of the order line was amended" if is_reversal else "",
    )  # fmt: skip
