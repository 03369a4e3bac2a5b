"""Watch what happens around links: orders, work orders, receipts, certificates, invoices. What changed is told to their flows.

Flows hear of it whichever door it came through, a page, the interface or an import: what was last seen of the world around a
link is kept, and compared. What a flow waits for is told as long as it waits, so that nothing is missed between two looks.
"""

from __future__ import annotations

import datetime as dt
import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.audit import AuditEvent
from engine.canonical import canonical_json
from engine.errors import Refused
from engine.messages import publish
from engine.registry import Registry
from engine.stored.instance import Instance, InstanceRecord, InstanceStatus
from engine.stored.wait import MessageSubscription
from processes.outside_changes import changes_on, is_free
from processes.outside_documents import is_untaken
from processes.outside_moving import NOT_KEPT, lapse_findings, tell_flow
from processes.outside_receiving import is_inspected, is_invoiced, missing_types, rejected_receipts
from processes.outside_stopping import stop_untaken
from processes.outside_verifying import goes_back
from records.amendment import standing_on
from records.nonconformance import Nonconformance, NonconformanceStatus
from records.outside import FINAL, LinkStatus, OutsideLink, OutsideSight
from records.outside_loss import open_losses
from records.outside_stop import stops_of
from records.work_order import WorkOrderOperation, WorkOrderStatus

_log = logging.getLogger(__name__)

registry = Registry()

LAST_LOOK = "outside processing: last look"
PAUSE = dt.timedelta(seconds=5)
"""Between two looks of one worker; within it nobody at a bench or a dock notices."""

ORDER_FREE = "outside.order_free"
"""What was decided about the pieces can be carried out: no other amendment of the order is under way."""

MOST = 20
"""Messages that one look tells a flow at most."""


@registry.chore("watch_outside_links")
def watch_outside_links(installation: Installation) -> int:
    """Look at every open link when anything was written since the last look; return how many flows were told something."""
    now, seen = installation.clock(), installation.extras.get(LAST_LOOK)
    if seen is not None and seen[0] <= now < seen[0] + PAUSE:
        return 0
    with installation.reading() as session:
        newest = session.scalar(select(AuditEvent.id).order_by(AuditEvent.id.desc()).limit(1))
        if seen is not None and seen[1] == newest:
            installation.extras[LAST_LOOK] = (now, newest)
            return 0
        links = list(session.scalars(select(OutsideLink.id).where(OutsideLink.status.not_in(FINAL))))
        held = [] if newest is None else _free_again(session)
    told = sum(_look_at(installation, link_id) for link_id in links) + sum(
        _tell_free(installation, operation_id) for operation_id in held
    )
    installation.extras[LAST_LOOK] = (now, newest)
    return told


def look(act: Act, link: OutsideLink) -> int:
    """Tell the flow of a link what changed around it, and what it waits for; return how many messages went out."""
    told = _tell_changes(act, link)
    while (message := _next_message(act.session, link, act.now)) is not None and told < MOST:
        # One at a time: what a message sets going may undo what another one would have told.
        tell_flow(act, link, message)
        act.session.flush()
        told += 1
    return told


def _next_message(session: Session, link: OutsideLink, now: dt.datetime) -> str | None:
    return next(
        (
            message
            for message, holds in _conditions(session, link, now)
            if holds and waits_for(session, message, link.id)
        ),
        None,
    )


def remember(act: Act, link: OutsideLink) -> None:
    """Keep what stands around a new link, so that its flow hears of every change from here on."""
    act.session.add(OutsideSight(link_id=link.id, seen=_sight(act.session, link)))
    act.session.flush()


def waits_for(session: Session, message: str, key: str) -> bool:
    """Whether a flow waits for a message."""
    wanted = select(MessageSubscription.id).where(
        MessageSubscription.name == message, MessageSubscription.correlation_key == key
    )
    return session.scalars(wanted.limit(1)).first() is not None


def _look_at(installation: Installation, link_id: str) -> int:
    with installation.reading() as session:
        link = session.get(OutsideLink, link_id)
        if link is None or not _is_news(session, link, installation.clock()):
            return 0
    try:
        with installation.acting("system:outside") as act:
            return look(act, act.session.get_one(OutsideLink, link_id))
    except Refused as refusal:
        # Somebody else moves the same flow just now: the next look finds what is left to tell.
        _log.info("looking at link %s was refused: %s", link_id, refusal.message)
        return 0


def _is_news(session: Session, link: OutsideLink, now: dt.datetime) -> bool:
    sight = session.get(OutsideSight, link.id)
    if sight is None or sight.seen != _sight(session, link):
        return True
    return any(holds and waits_for(session, message, link.id) for message, holds in _conditions(session, link, now))


def _tell_changes(act: Act, link: OutsideLink) -> int:
    now, sight = _sight(act.session, link), act.session.get(OutsideSight, link.id)
    if sight is None:
        remember(act, link)
        return 0
    if sight.seen == now:
        return 0
    sight.seen = now
    act.session.flush()
    work_order = link.operation.work_order
    if work_order.status is WorkOrderStatus.CANCELLED:
        reason = f"{work_order.number} was cancelled"
        tell_flow(act, link, "outside.work_ended", ended={"reason": reason})
    elif is_untaken(act.session, link):
        stop_untaken(act, link)
    else:
        tell_flow(act, link, "outside.contract_changed")
    return 1


def _sight(session: Session, link: OutsideLink) -> str:
    """Return what the flow of a link must hear of when it changes: the terms of the order, and how the work order stands."""
    line, order, work_order = link.order_line, link.order, link.operation.work_order
    amendment = standing_on(session, line)
    seen = {
        "order": order.status.value, "revision": order.revision, "supplier": order.supplier_id, "line": line.status.value,
        "quantity": str(line.quantity), "part": line.part_revision_id, "spec": line.spec, "spec_rev": line.spec_rev,
        "promised": str(line.promised_on), "need_by": str(line.need_by), "amendment": amendment.number if amendment else None,
        "work_order": work_order.status.value, "pieces": str(work_order.quantity), "operation": link.operation.status.value,
    }  # fmt: skip
    if changes := [change.number for change in changes_on(session, link)]:
        seen["changes"] = ", ".join(changes)
    if link.shipped:
        # The movements of its own pieces are no news to a flow.
        seen.pop("operation")
        seen["order"] = "with the supplier" if order.status.value in _DELIVERING else order.status.value
        seen["line"] = "open" if line.status.value in ("OPEN", "PART_RCVD", "RCVD") else line.status.value
        seen["work_order"] = (
            work_order.status.value if work_order.status.value not in ("RELEASED", "IN_PROCESS") else "open"
        )
    return canonical_json(seen).decode()


_DELIVERING = ("TRANSMITTED", "ACKNOWLEDGED", "PARTIALLY_RECEIVED", "RECEIVED")


def _conditions(session: Session, link: OutsideLink, now: dt.datetime) -> list[tuple[str, bool]]:
    """Return what a flow may wait for, and whether it has come."""
    back = link.standing in (LinkStatus.RETURNED, LinkStatus.VERIFIED)
    if not back:
        gone = link.standing is LinkStatus.RECALLED or (link.shipped > 0 and not link.at_supplier)
        return [("outside.moved", gone), (ORDER_FREE, is_free(session, link))]
    # What a change still stops is not completed, however well it came home.
    is_decided = not any(stop.is_standing for stop in stops_of(session, link.id))
    return [
        (ORDER_FREE, is_free(session, link)),
        ("outside.moved", True),
        ("outside.certified", is_decided and not missing_types(session, link)),
        ("outside.inspected", is_inspected(session, link)),
        ("outside.disposed", _is_disposed(session, link, now)),
        ("outside.invoiced", is_invoiced(session, link) and not open_losses(session, link.id)),
    ]


def _is_disposed(session: Session, link: OutsideLink, now: dt.datetime) -> bool:
    """Whether quality has decided and it can be done; rework waits until its supplier is approved again."""
    if rejected_receipts(session, link) or _open_nonconformance(session, link):
        return False
    return not goes_back(session, link) or not lapse_findings(session, link, now=now)


def _open_nonconformance(session: Session, link: OutsideLink) -> bool:
    wanted = select(Nonconformance.id).where(
        Nonconformance.about_type == link.record_type, Nonconformance.about_id == link.id,
        Nonconformance.status == NonconformanceStatus.OPEN,
    )  # fmt: skip
    return session.scalars(wanted.limit(1)).first() is not None


def _free_again(session: Session) -> list[str]:
    """Return the operations whose flow waits for the end of a hold that has ended."""
    waiting = session.scalars(
        select(MessageSubscription.correlation_key).where(MessageSubscription.name == "outside.hold_ended")
    ).all()
    return [
        operation.id
        for operation in session.scalars(select(WorkOrderOperation).where(WorkOrderOperation.id.in_(waiting)))
        if not operation.hold_reason and not operation.work_order.hold_reason
    ]


def _tell_free(installation: Installation, operation_id: str) -> int:
    with installation.acting("system:outside") as act:
        publish(act, "outside.hold_ended", correlation_key=operation_id, ttl=NOT_KEPT)
    return 1


def running_for(session: Session, record_type: str, record_id: str) -> Instance | None:
    """Return the running flow of outside processing about a document, or None."""
    wanted = (
        select(Instance)
        .join(InstanceRecord, InstanceRecord.instance_id == Instance.id)
        .where(InstanceRecord.record_type == record_type, InstanceRecord.record_id == record_id)
        .where(Instance.process_id == "outside_processing", Instance.status == InstanceStatus.RUNNING)
    )
    return session.scalars(wanted.limit(1)).first()
