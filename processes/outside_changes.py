"""Which changes reach pieces that are away: change orders in force, amendments of their order, rules that disagree (B11, B12)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.canonical import content_hash
from engine.errors import Conflict, Effect, Finding
from engine.record import Operation
from processes.documents import plain, spoken
from processes.impact_query import scope_of
from records.amendment import OPEN, AmendmentKind, PurchaseOrderAmendment, open_amendment_of, standing_on
from records.change_order import AffectedItem, ChangeOrder, ChangeOrderStatus, ItemAction
from records.impact import Disposition, ImpactTarget, RowDisposition, RowStatus
from records.outside import FINAL, LinkRole, OutsideLink
from records.outside_stop import OutsideStop, StopCause, StopDecision, StopStatus, stops_of
from records.part import PartRevision, ProductDefinitionRef, RevisionStatus
from records.work_order import WorkOrderOperation
from rules.amending import HEADER, LINE
from rules.amendment_counterpart import TECHNICAL
from rules.amendment_words import sentences_of
from rules.change_item import ChangeItem
from rules.order_consistency import judge_link

CARRIED = (ChangeOrderStatus.APPROVED, ChangeOrderStatus.IMPLEMENTING, ChangeOrderStatus.OVERDUE_HOLD)
"""Statuses of change orders that count and are not carried out yet."""

COMMERCIAL = frozenset({*HEADER, *LINE, "status", "promised_on", "planned_start", "planned_finish", "priority"})
"""Columns whose change leaves alone what the supplier does to the pieces: price, dates, quantities, terms."""

STOPS_WORK = frozenset({"CON-01", "CON-03", "CON-04"})
"""Rules whose breach while pieces are away means that the supplier must stop."""

DECISIONS = {
    Disposition.FINISH_AS_OLD: StopDecision.FINISH_AS_OLD, Disposition.RECALL_TO_SHOP: StopDecision.RECALL,
    Disposition.AMEND: StopDecision.CONTINUE_TO_NEW, Disposition.SCRAP: StopDecision.SCRAP,
}  # fmt: skip
"""What the word of a change's impact about pieces at a supplier means for them."""
DISPOSITIONS = {decision: disposition for disposition, decision in DECISIONS.items()}


@dataclass(frozen=True, slots=True)
class Cause:
    """What stops pieces. key: names it, so that it stops them once; rule: under which the link is held."""

    kind: StopCause
    key: str
    text: str
    rule: str
    change_order: ChangeOrder | None = None
    amendment: PurchaseOrderAmendment | None = None


def changes_on(session: Session, link: OutsideLink) -> list[ChangeOrder]:
    """Return the change orders that are approved, not carried out yet, and change what a link's pieces are, or what is done to them."""
    wanted = select(ChangeOrder).where(ChangeOrder.status.in_(CARRIED)).order_by(ChangeOrder.number)
    carried = list(session.scalars(wanted))
    if not carried:
        return []
    work = link.operation.work_order
    revisions = {link.part_revision_id, link.order_line.part_revision_id, work.part_revision_id} - {None}
    definitions = select(ProductDefinitionRef.id).where(ProductDefinitionRef.part_revision_id.in_(revisions))
    rows = {link.order_line_id, link.order.id, link.operation_id, work.id, *revisions, *session.scalars(definitions)}
    affected = select(AffectedItem.change_order_id).where(
        AffectedItem.part_revision_from_id.in_(revisions), AffectedItem.action != ItemAction.DOC_ONLY
    )
    named = select(ChangeItem.change_id).where(
        ChangeItem.change_type == ChangeOrder.__tablename__, ChangeItem.row_id.in_(rows),
        ChangeItem.change_hash.in_([order.content_hash for order in carried if order.content_hash is not None]),
        ChangeItem.column_name.not_in(COMMERCIAL),
    )  # fmt: skip
    found = {*session.scalars(affected), *session.scalars(named)}
    return [order for order in carried if order.id in found]


def word_of(session: Session, change: ChangeOrder, link: OutsideLink) -> RowDisposition | None:
    """Return what the impact of a change says of the pieces of a link; None where it is silent, divided, or was sent back."""
    wanted = select(RowDisposition).where(
        RowDisposition.change_order_id == change.id, RowDisposition.target == ImpactTarget.AT_SUPPLIER,
        RowDisposition.target_id == link.id,
    )  # fmt: skip
    found = list(session.scalars(wanted))
    if len(found) != 1 or found[0].status is RowStatus.RETURNED or found[0].quantity != link.at_supplier:
        return None
    return found[0]


def causes(session: Session, link: OutsideLink, *, now: dt.datetime) -> list[Cause]:
    """Return what stops the pieces of a link now and did not before; nothing where nothing is away.

    A change whose impact lets the pieces finish as they were ordered stops nothing.
    """
    if link.at_supplier <= 0:
        return []
    known = stops_of(session, link.id)
    keys = {stop.cause_key for stop in known}
    found = [*_of_changes(session, link), *_of_amendment(session, link, known)]
    if not found and not any(stop.is_standing or _is_under_way(stop) for stop in known):
        found = list(_of_rules(session, link, now))
    return [cause for cause in found if cause.key not in keys]


def _is_under_way(stop: OutsideStop) -> bool:
    """Whether the amendment that carries a stop out has not taken effect yet, so that order and work disagree until it has."""
    return stop.made is not None and stop.made.status in OPEN


def _of_changes(session: Session, link: OutsideLink) -> Iterator[Cause]:
    for change in changes_on(session, link):
        word = word_of(session, change, link)
        if word is not None and word.disposition is Disposition.FINISH_AS_OLD:
            continue
        text = f"{change.number} ({change.title}) changes these pieces, or what is done to them."
        yield Cause(StopCause.CHANGE_ORDER, f"change_order:{change.id}", text, "CON-15", change_order=change)


def _of_amendment(session: Session, link: OutsideLink, known: list[OutsideStop]) -> Iterator[Cause]:
    amendment = standing_on(session, link.order_line)
    if amendment is None or amendment.kind is not AmendmentKind.CHANGE or not is_technical(amendment, link):
        return
    change = session.get(ChangeOrder, amendment.change_order_id) if amendment.change_order_id else None
    made_here = amendment.id in {stop.made_id for stop in known}
    asked_already = change is not None and f"change_order:{change.id}" in {stop.cause_key for stop in known}
    if made_here or asked_already or (change is not None and _stops_by_itself(session, change, link)):
        return
    text = f"{amendment.number} changes the order: {'; '.join(sentences_of(amendment))}."
    yield Cause(StopCause.AMENDMENT, f"amendment:{amendment.id}", text[:4000], "CON-14", change, amendment)


def _stops_by_itself(session: Session, change: ChangeOrder, link: OutsideLink) -> bool:
    word = word_of(session, change, link)
    is_on = any(each.id == change.id for each in changes_on(session, link))
    return is_on and (word is None or word.disposition is not Disposition.FINISH_AS_OLD)


def is_technical(amendment: PurchaseOrderAmendment, link: OutsideLink) -> bool:
    """Whether an amendment changes what is done to the pieces of a link, or where: part, specification, process, supplier or site."""
    return any(
        row.operation is Operation.UPDATE
        and row.column_name in TECHNICAL
        and row.row_id in (link.order_line_id, link.order.id)
        for row in amendment.changes
    )


def _of_rules(session: Session, link: OutsideLink, now: dt.datetime) -> Iterator[Cause]:
    found = disagreements(session, link, now=now)
    if found:
        text = " ".join(spoken(each) for each in found)
        named = content_hash(sorted([each.rule, str(each.old), str(each.new)] for each in found))
        yield Cause(StopCause.RULE, f"rule:{named}", text[:3900], found[0].rule)


def refuse_undisposed(session: Session, order: ChangeOrder) -> None:
    """Refuse to release a routing or a revision while an order line works to the former one and nobody said what becomes of it (W33).

    Raises: Conflict INCOMPLETE_DISPOSITION naming line, work and way out.
    """
    open_lines = [
        f"{link.order_line.number} ({plain(link.allocated_quantity)} {link.uom} for {link.operation.number} at {link.order.supplier.name})"
        for link in _links_in(session, order)
        if not _is_disposed(session, order, link)
    ]
    if open_lines:
        raise Conflict(
            f"Expected the impact of {order.number} to say what becomes of {'; '.join(open_lines)} before the routing changes, but it "
            "says nothing of it. Open the impact again and decide, or let the stop at the supplier be decided.",
            code="INCOMPLETE_DISPOSITION", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip


def _links_in(session: Session, order: ChangeOrder) -> list[OutsideLink]:
    """Return the links that are open for work which a change order is about."""
    scope = scope_of(session, order)
    operations = select(WorkOrderOperation.id).where(WorkOrderOperation.work_order_id.in_(scope.works))
    wanted = select(OutsideLink).where(
        OutsideLink.status.not_in(FINAL), OutsideLink.role == LinkRole.OSP,
        or_(OutsideLink.part_revision_id.in_(scope.revisions), OutsideLink.operation_id.in_(operations)),
    )  # fmt: skip
    return list(session.scalars(wanted.order_by(OutsideLink.number)))


def _is_disposed(session: Session, order: ChangeOrder, link: OutsideLink) -> bool:
    """Whether the impact says what becomes of a link or its line, or the board has decided its stop, or its pieces are home."""
    if link.shipped and not link.at_supplier and not link.to_ship:
        return True
    said = select(RowDisposition.id).where(
        RowDisposition.change_order_id == order.id, RowDisposition.target_id.in_([link.id, link.order_line_id]),
        RowDisposition.status != RowStatus.RETURNED,
    )  # fmt: skip
    if session.scalars(said.limit(1)).first() is not None:
        return True
    decided = (StopStatus.DECIDED, StopStatus.CARRIED_OUT)
    return any(stop.change_order_id == order.id and stop.status in decided for stop in stops_of(session, link.id))


def following(stop: OutsideStop) -> PartRevision | None:
    """Return the revision that follows on what a stop is about, under its change order; None where none does."""
    if stop.change_order is None:
        return None
    mine = {stop.link.operation.work_order.part_revision_id, stop.link.order_line.part_revision_id}
    affected = stop.change_order.affected
    return next((each.part_revision_to for each in affected if each.part_revision_from_id in mine), None)


def is_free(session: Session, link: OutsideLink) -> bool:
    """Whether what was decided about the pieces of a link can be carried out.

    No other amendment of the order is under way, and a revision that they go on to is released.
    """
    if open_amendment_of(session, link.order) is not None:
        return False
    decided = [stop for stop in stops_of(session, link.id) if stop.status is StopStatus.DECIDED]
    awaited = [following(stop) for stop in decided if stop.decision is StopDecision.CONTINUE_TO_NEW]
    return all(each is None or each.status is RevisionStatus.RELEASED for each in awaited)


def disagreements(session: Session, link: OutsideLink, *, now: dt.datetime) -> list[Finding]:
    """Return what the order and the work disagree about so that the supplier must stop."""
    return [
        finding
        for finding in judge_link(session, link, at="LINK", now=now)
        if finding.effect is not Effect.WARN and finding.rule in STOPS_WORK
    ]
