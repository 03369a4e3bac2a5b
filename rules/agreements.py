"""The checks behind CON-01 to CON-18, one a function: plain facts in, a disagreement or nothing out.

They know no database. What a disagreement does, and whose turn it is, is the table ``order_consistency.dmn``; who gathers the
facts of links, receipts and work orders is ``order_consistency``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from rules.amendment_words import said


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two values that should agree. sentence: "Expected …, but …". special, days, under: what the table asks beside the rule."""

    rule: str
    sentence: str
    field: str = ""
    old: str | None = None
    new: str | None = None
    special: bool = False
    days: int = 0
    under: bool = False


def same_revision(ours: str, theirs: str, *, work: str, line: str, standing: str = "") -> Disagreement | None:
    """CON-01. ours: of the work order's snapshot; theirs: of the order line; standing: what speaks against theirs."""
    if ours == theirs:
        return None
    why = f" ({standing})" if standing else ""
    sentence = f"Expected {line} to order {ours}, with which {work} was released, but it orders {theirs}{why}."
    return Disagreement("CON-01", sentence, "part_revision", ours, theirs)


def allocations_add_up(
    allocated: Decimal, ordered: Decimal, *, line: str, uom: str, whole: bool = True
) -> Disagreement | None:
    """CON-02 on the line: allocated and ordered in the line's unit. whole: whether all of it must be allocated by now."""
    if allocated == ordered or (allocated < ordered and not whole):
        return None
    sentence = f"Expected the allocations of {line} to add up to {_n(ordered)} {uom}, but they are {_n(allocated)}."
    return Disagreement("CON-02", sentence, "allocated_quantity", _n(ordered), _n(allocated), under=allocated < ordered)


def allocated_pieces_exist(allocated: Decimal, good: Decimal, *, operation: str, link: str) -> Disagreement | None:
    """CON-02 on the operation: not more is allocated than good pieces reached it."""
    if allocated <= good:
        return None
    sentence = f"Expected at most the {_n(good)} pieces that reached {operation}, but {link} allocates {_n(allocated)}."
    return Disagreement("CON-02", sentence, "allocated_quantity", _n(good), _n(allocated))


def approved_source(
    supplier: str, approved: Collection[str], *, operation: str, special: bool, is_approved: bool
) -> Disagreement | None:
    """CON-03. approved: names of the operation's suppliers, empty where none is fixed; is_approved: this one by the gate."""
    if supplier in approved or (not approved and is_approved):
        return None
    wanted = " or ".join(sorted(approved)) or "a supplier approved for its process"
    sentence = f"Expected {operation} to be done by {wanted}, but the order is with {supplier}."
    return Disagreement("CON-03", sentence, "supplier", wanted, supplier, special=special and not is_approved)


def same_specification(ours: str, theirs: str, *, operation: str, line: str) -> Disagreement | None:
    """CON-04. Texts such as ``PS-455 rev D``, empty for none."""
    if ours == theirs:
        return None
    sentence = f"Expected {line} to ask for {ours or 'no specification'}, as {operation} does, but it asks for {theirs or 'none'}."
    return Disagreement("CON-04", sentence, "spec", ours or None, theirs or None)


def back_in_time(promised: dt.date, needed: dt.date, *, transit: int, line: str, next_step: str) -> Disagreement | None:
    """CON-05. needed: when the next operation is planned to start; transit: days from the promise to our dock."""
    back = promised + dt.timedelta(days=transit)
    late = (back - needed).days
    if late <= 0:
        return None
    travel = f" and {transit} days of transit" if transit else ""
    sentence = (
        f"Expected {line} back by {needed}, when {next_step} starts, but it is promised for {promised}{travel}, "
        f"{late} {'day' if late == 1 else 'days'} late."
    )
    return Disagreement("CON-05", sentence, "promised_on", needed.isoformat(), back.isoformat(), days=late)


def under_contract(status: str, under: Collection[str], *, order: str, supplier: str) -> Disagreement | None:
    """CON-06. under: statuses in which the supplier has the order."""
    if status in under:
        return None
    sentence = f"Expected {order} to be with {supplier} before pieces leave, but it is {_status(status)}."
    return Disagreement("CON-06", sentence, "order.status", "TRANSMITTED", status)


def revision_stands(revision: str, trouble: str, *, document: str) -> Disagreement | None:
    """CON-07. trouble: why the revision may not be ordered or made on the day, empty when it may."""
    if not trouble:
        return None
    sentence = f"Expected a released and effective revision on {document}, but {revision} {trouble}."
    return Disagreement("CON-07", sentence, "part_revision", "RELEASED", revision)


def work_goes_on(status: str, over: Collection[str], *, work: str, line: str) -> Disagreement | None:
    """CON-08. over: statuses of a work order that needs nothing any more."""
    if status not in over:
        return None
    sentence = f"Expected {work}, for which {line} is open, to go on, but it is {_status(status)}."
    return Disagreement("CON-08", sentence, "work_order.status", "RELEASED", status)


def order_goes_on(status: str, over: Collection[str], *, order: str, operation: str) -> Disagreement | None:
    """CON-09. over: statuses of an order that delivers nothing any more."""
    if status not in over:
        return None
    sentence = f"Expected an open order for {operation}, but {order} is {_status(status)}."
    return Disagreement("CON-09", sentence, "order.status", "ACKNOWLEDGED", status)


def nothing_is_away(at_supplier: Decimal, unverified: int, *, link: str, work: str) -> Disagreement | None:
    """CON-10. unverified: certificates of the link that are required and not verified."""
    if at_supplier == 0 and unverified == 0:
        return None
    away = f"{_n(at_supplier)} pieces of {link} are at the supplier" if at_supplier else ""
    open_papers = (
        f"{unverified} {'certificate' if unverified == 1 else 'certificates'} of {link} not verified"
        if unverified
        else ""
    )
    sentence = f"Expected every piece of {work} back with its certificate, but {' and '.join(filter(None, [away, open_papers]))}."
    return Disagreement("CON-10", sentence, "at_supplier", "0", _n(at_supplier))


def outside_is_ordered(
    ordered: bool, starts: dt.date | None, latest: dt.date, *, operation: str
) -> Disagreement | None:
    """CON-11. latest: the day from which buying takes longer than there is time; starts: planned."""
    if ordered or starts is None or starts >= latest:
        return None
    sentence = f"Expected an order line or a contract for {operation}, which starts on {starts}, but there is none."
    return Disagreement("CON-11", sentence, "order_line", "an order line", None)


def units_convert(ours: str, theirs: str, factor: Decimal | None, *, line: str) -> Disagreement | None:
    """CON-12. factor: units of the line for one of ours; None, or 1 between different units, is no factor."""
    if ours == theirs or (factor is not None and factor != 1):
        return None
    sentence = f"Expected a factor from {ours} to {theirs}, in which {line} is ordered, but there is none."
    return Disagreement("CON-12", sentence, "uom", ours, theirs)


def only_what_left_returns(
    returning: Decimal, at_supplier: Decimal, *, link: str, unknown: Iterable[str] = ()
) -> Disagreement | None:
    """CON-13. unknown: serial numbers that never left."""
    strange = sorted(unknown)
    if strange:
        sentence = f"Expected only serial numbers of {link} that left, but {', '.join(strange[:5])} never did."
        return Disagreement("CON-13", sentence, "serials", None, ", ".join(strange)[:500])
    if returning <= at_supplier:
        return None
    sentence = f"Expected at most {_n(at_supplier)} pieces of {link} back, but {_n(returning)} came."
    return Disagreement("CON-13", sentence, "quantity", _n(at_supplier), _n(returning))


def no_amendment_is_open(
    amendment: str | None, *, order: str, status: str = "under way", changes: str = ""
) -> Disagreement | None:
    """CON-14. amendment: the number of the one that is waited for, or None; status: in words; changes: what it changes, in words."""
    if amendment is None:
        return None
    what = f" ({changes})" if changes else ""
    sentence = f"Expected no amendment of {order} to wait for, but {amendment}{what} is {_status(status)}."
    return Disagreement("CON-14", sentence, "amendment", None, amendment)


def lot_may_be_used(
    status: str, revision: str, required: Collection[str], *, lot: str, usable: Collection[str] = ("AVAILABLE",)
) -> Disagreement | None:
    """CON-16. required: revisions that the bill of materials accepts, empty where it is not known."""
    if status not in usable:
        return Disagreement(
            "CON-16", f"Expected an accepted lot, but {lot} is {_status(status)}.", "status", "AVAILABLE", status
        )
    if required and revision not in required:
        wanted = " or ".join(sorted(required))
        sentence = f"Expected {wanted} as the bill of materials requires, but {lot} is {revision}."
        return Disagreement("CON-16", sentence, "part_revision", wanted, revision)
    return None


def booked_at_the_price(
    booked: Decimal, agreed: Decimal, *, work: str, line: str, revision: int
) -> Disagreement | None:
    """CON-17. Unit prices in the order's currency; revision: of the order that its supplier accepted."""
    if booked == agreed:
        return None
    sentence = f"Expected the cost of {work} at {agreed:,.4f}, the price of {line} at revision {revision}, but {booked:,.4f} was booked."
    return Disagreement("CON-17", sentence, "unit_cost", f"{agreed:.4f}", f"{booked:.4f}")


def systems_agree(
    ours: str | None, theirs: str | None, *, document: str, field: str, system: str
) -> Disagreement | None:
    """CON-18. ours: as approved; theirs: as the system of record shows it."""
    if ours == theirs:
        return None
    sentence = f"Expected {said(field)} of {document} in {system} as approved, {ours or 'nothing'}, but it is {theirs or 'nothing'}."
    return Disagreement("CON-18", sentence, field, ours, theirs)


def _n(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"


def _status(status: str) -> str:
    return status.lower().replace("_", " ")
