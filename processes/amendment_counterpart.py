"""The hold on the work behind an amended line (A40.5, A40.10): visible on work order and link, cleared when it is applied."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from engine.act import Act
from engine.errors import Effect, Finding
from processes.notices import tell_role
from records.amendment import PurchaseOrderAmendment, standing_on
from records.outside import OutsideLink
from records.purchase_order import PurchaseOrder
from records.work_order import WorkOrder
from rules.amendment_counterpart import of_operation
from rules.finding import keep_findings, open_findings, settle
from rules.flow_mode import mode_of
from rules.order_consistency import FLOW, judge_amended, links_of_work

RULE = "CON-14"


def look(act: Act, order: PurchaseOrder) -> list[Finding]:
    """Keep or settle the hold on everything that the lines of an order are bought for; who plans it hears of both.

    Kept on the link and on its work order, with the owner, the reason and the counterpart change as the way out.
    """
    act.session.flush()
    wanted = select(OutsideLink).where(OutsideLink.order_line_id.in_([line.id for line in order.lines]))
    links = list(act.session.scalars(wanted.order_by(OutsideLink.number)))
    found = [finding for link in links for finding in _look_at_link(act, link)]
    for work_order in {link.operation.work_order_id: link.operation.work_order for link in links}.values():
        _look_at_work(act, work_order)
    return found


def _look_at_link(act: Act, link: OutsideLink) -> list[Finding]:
    found = [] if not link.is_open else _with_way_out(act, link, judge_amended(act.session, link, now=act.now)[0])
    was = _is_held(act, link.record_type, link.id)
    _keep(act, link.record_type, link.id, found)
    _tell(act, link, was=was, found=found)
    return found


def _look_at_work(act: Act, work_order: WorkOrder) -> None:
    """A work order waits as long as one of its links does, whichever order that is on."""
    found = [
        finding
        for link in links_of_work(act.session, work_order)
        if link.is_open
        for finding in _with_way_out(act, link, judge_amended(act.session, link, now=act.now)[1])
    ]
    _keep(act, work_order.record_type, work_order.id, found)


def _keep(act: Act, record_type: str, record_id: str, found: list[Finding]) -> None:
    keep_findings(act, found, mode=mode_of(act.session, FLOW))
    act.session.flush()
    settle(act, record_type, record_id, rules=frozenset({RULE}), found=found)
    act.session.flush()


def _with_way_out(act: Act, link: OutsideLink, found: list[Finding]) -> list[Finding]:
    amendment = standing_on(act.session, link.order_line)
    proposed = of_operation(amendment.impact, link.operation) if amendment is not None else ""
    ways = f" Proposed for {link.operation.number}: {proposed}" if proposed else ""
    return [replace(finding, way_out=f"{finding.way_out}{ways}") for finding in found]


def _is_held(act: Act, record_type: str, record_id: str) -> bool:
    return any(row.rule == RULE for row in open_findings(act.session, record_type, record_id))


def _tell(act: Act, link: OutsideLink, *, was: bool, found: list[Finding]) -> None:
    record, key = (link.record_type, link.id), f"{link.id}:{RULE}:{act.id}"
    if found and not was:
        verb = "waits" if found[0].effect is Effect.HOLD else "is concerned"
        subject = f"{link.operation.number} {verb}: {found[0].sentence}"[:200]
        tell_role(act, "PLANNER", subject, key=key, body=found[0].way_out, record=record)
    elif was and not found:
        subject = f"{link.operation.number} goes on: no amendment of {link.order.number} is waited for any more"
        tell_role(act, "PLANNER", subject, key=key, body=_proposed_last(act, link), record=record)


def _proposed_last(act: Act, link: OutsideLink) -> str:
    wanted = select(PurchaseOrderAmendment).where(PurchaseOrderAmendment.order_id == link.order.id)
    last = act.session.scalars(wanted.order_by(PurchaseOrderAmendment.amend_no.desc()).limit(1)).first()
    if last is None or last.applied_at is None:
        return "Nothing of the order changed."
    return f"{last.number} is applied. {of_operation(last.impact, link.operation)}".strip()
