"""When nothing is away any more (B19 to B23, B25): certificates, inspection, what failed, completion, cost, invoice, close."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from engine.act import Act
from engine.errors import Conflict
from engine.registry import Registry, Work
from processes.nonconformances import raise_nonconformance
from processes.notices import tell, tell_role
from processes.outside_documents import balance_variable, link_of, link_variable
from processes.outside_genealogy import write_genealogy
from processes.outside_moving import lapse_findings, refuse_findings, scrap_returned, send_back
from processes.outside_receiving import (
    accepted_pieces,
    certificates_of_link,
    is_invoiced,
    missing_types,
    rejected_receipts,
    returned_to_supplier,
)
from processes.work_order_cost import value_of_piece
from processes.work_order_events import Event, complete_operation, post_event
from records import outside
from records.certificate import CertificateStatus
from records.nonconformance import Disposition, Nonconformance, NonconformanceStatus
from records.nonconformance import move as move_nonconformance
from records.outside import LinkStatus, OutsideLink, links_of_operation
from records.outside_loss import open_losses
from records.part import process_words
from records.work_order import OperationStatus

registry = Registry()

LAPSED = "SUP-04"
"""The rule of a hold that the end of the supplier's approval set."""


@registry.step("remind_certificate")
def remind_certificate(act: Act, work: Work) -> None:
    """B21: a certificate is missing: supplier quality hears of it."""
    link = link_of(act, work)
    missing = ", ".join(missing_types(act.session, link)) or "a certificate"
    subject = f"{link.number}: {link.order.supplier.name} owes {missing}"
    tell_role(act, "SQ", subject, key=f"{link.id}:certificate", record=(link.record_type, link.id))


@registry.step("escalate_certificate")
def escalate_certificate(act: Act, work: Work) -> None:
    """B21: it is still missing: quality and the buyer hear of it."""
    link = link_of(act, work)
    subject = f"{link.number} waits for a certificate of {link.order.supplier.name}; nothing of it goes on"
    tell_role(act, "QA_ENG", subject, key=f"{link.id}:certificate:overdue", record=(link.record_type, link.id))
    if link.order.buyer_id is not None:
        tell(
            act,
            [link.order.buyer_id],
            subject,
            key=f"{link.id}:certificate:overdue",
            record=(link.record_type, link.id),
        )


REMINDED = {
    "inspection": ("QA_ENG", "waits for its inspection"),
    "disposition": ("QA_ENG", "waits for the disposition of a nonconformance"),
    "invoice": ("AP", "is verified and waits for the supplier's invoice"),
}
"""Who is reminded of what, by the header ``about`` of the diagram."""


@registry.step("remind_waiting")
def remind_waiting(act: Act, work: Work) -> None:
    """B19, B23, B25: somebody's decision is late."""
    link = link_of(act, work)
    about = work.headers["about"]
    role, words = REMINDED[about]
    tell_role(act, role, f"{link.number} {words}", key=f"{link.id}:{about}:late", record=(link.record_type, link.id))


@registry.step("weigh_results")
def weigh_results(act: Act, work: Work) -> Mapping[str, Any]:
    """B20: how many pieces are accepted, and how many receipts quality still has to dispose of."""
    link = link_of(act, work)
    return {"results": _results(act, link), "link": link_variable(link)}


@registry.step("apply_disposition")
def apply_disposition(act: Act, work: Work) -> Mapping[str, Any]:
    """B23: follow what quality decided; what goes back to the supplier is away again under the same allocation."""
    link = link_of(act, work)
    decided, back = _disposed(act.session, link), goes_back(act.session, link)
    if back > 0:
        refuse_findings(lapse_findings(act.session, link, now=act.now))
    if link.status is LinkStatus.HOLD and link.hold_rule == LAPSED:
        said = decided.disposition.value.lower().replace("_", " ") if decided and decided.disposition else "disposed"
        outside.lift_hold(act, link, reason=f"{decided.number if decided else 'The nonconformance'}: {said}")
    if back > 0:
        send_back(act, link, back, reason="Quality sends them back for rework", event_id=f"rework:{act.id}")
    elif decided is not None and decided.disposition is Disposition.SCRAP and link.good:
        scrap_returned(
            act, link, min(decided.quantity, link.good), reason=decided.number, event_id=f"scrap:{decided.id}"
        )
    if decided is not None and decided.status is NonconformanceStatus.DISPOSED:
        move_nonconformance(act, decided, NonconformanceStatus.CLOSED)
    return {"disposition": {"away": link.at_supplier}, "balance": balance_variable(link), "link": link_variable(link)}


@registry.step("weigh_process_date")
def weigh_process_date(act: Act, work: Work) -> Mapping[str, Any]:
    """B14: the certificate's process date decides: within the approval quality may release, after it a nonconformance is due."""
    link = link_of(act, work)
    shown = [
        found.process_date
        for found in certificates_of_link(act.session, link)
        if found.status is CertificateStatus.VERIFIED
    ]
    dates = [day for day in shown if day is not None]
    ended = link.source_until
    in_time = bool(dates) and ended is not None and max(dates) <= ended
    return {
        "process_date": {
            "in_time": in_time,
            "shown": max(dates).isoformat() if dates else "no process date",
            "ended_on": ended.isoformat() if ended else "",
        }
    }


@registry.step("settle_lapse")
def settle_lapse(act: Act, work: Work) -> Mapping[str, Any]:
    """B14: released, the hold is lifted; processed after the approval ended, or refused, it is a nonconformance."""
    link, process_date = link_of(act, work), work["process_date"]
    decision = work.get("decision") or {}
    if process_date["in_time"] and decision.get("verdict") == "release":
        if link.status is LinkStatus.HOLD:
            outside.lift_hold(act, link, reason=f"Processed on {process_date['shown']}, within the approval")
        return {"lapse": {"nonconforming": False}, "link": link_variable(link)}
    raised = raise_nonconformance(
        act, link, link.good or link.shipped, uom=link.uom, title=f"Done after the approval for {process_words(link.process_code)} ended",
        description=f"Processed on {process_date['shown']}; the approval of {link.order.supplier.name} ended on "
        f"{process_date['ended_on']}.",
        part_revision=link.part_revision,
    )  # fmt: skip
    act.note(link.record_type, link.id, "LAPSED", field="nonconformance", new=raised.number)
    return {"lapse": {"nonconforming": True, "number": raised.number}, "link": link_variable(link)}


@registry.step("complete_outside")
def complete_outside(act: Act, work: Work) -> Mapping[str, Any]:
    """B22: the link is verified; when every link of the operation is, the operation completes and the next one is ready."""
    link = link_of(act, work)
    if link.status is LinkStatus.HOLD:
        raise Conflict(
            f"Expected {link.number} to be free, but it is on hold: {link.hold_reason}", code="ON_HOLD",
            record=(link.record_type, link.id),
        )  # fmt: skip
    if link.status is LinkStatus.RETURNED:
        outside.move(act, link, LinkStatus.VERIFIED)
    accrue(act, link)
    write_genealogy(act, link)
    _complete_operation(act, link)
    return {"claim": _claim(link), "link": link_variable(link)}


@registry.step("close_link")
def close_link(act: Act, work: Work) -> Mapping[str, Any]:
    """B25: everything is accounted for, paid and claimed, and what follows a loss is signed."""
    link = link_of(act, work)
    if link.at_supplier:
        raise Conflict(
            f"Expected nothing of {link.number} to be away, but {link.at_supplier.normalize():f} are", code="BALANCE_OPEN",
            record=(link.record_type, link.id),
        )  # fmt: skip
    if waiting := open_losses(act.session, link.id):
        raise Conflict(
            f"Expected planner and buyer to have signed what follows {waiting[0].number}, but a signature is missing",
            code="LOSS_OPEN", record=(link.record_type, link.id),
        )  # fmt: skip
    if link.status is LinkStatus.VERIFIED:
        outside.move(act, link, LinkStatus.CLOSED)
    return {"link": link_variable(link)}


def goes_back(session: Session, link: OutsideLink) -> Decimal:
    """Return how many pieces of a link quality wants the supplier to work on again, in the link's unit."""
    back, decided = returned_to_supplier(session, link), _disposed(session, link)
    if decided is not None and decided.disposition in (Disposition.RETURN, Disposition.REWORK, Disposition.REPAIR):
        back = max(back, min(decided.quantity, link.good))
    return back


def _disposed(session: Session, link: OutsideLink) -> Nonconformance | None:
    """Return the newest nonconformance of a link that quality has disposed of and nobody has carried out."""
    wanted = select(Nonconformance).where(
        Nonconformance.about_type == link.record_type, Nonconformance.about_id == link.id,
        Nonconformance.status == NonconformanceStatus.DISPOSED,
    )  # fmt: skip
    return session.scalars(wanted.order_by(Nonconformance.raised_at.desc())).first()


def accrue(act: Act, link: OutsideLink) -> None:
    """Post what the supplier's work on the accepted pieces costs, once, to the work order."""
    accepted = accepted_pieces(act.session, link)
    if accepted <= 0:
        return
    line, order = link.order_line, link.operation.work_order
    price = line.company_price
    piece = None if price is None else (price * link.conversion_factor).quantize(Decimal("0.0001"))
    post_event(
        act,
        Event(
            system=order.system, event_id=f"outside:{link.id}:cost", kind="OUTSIDE", work_order=order.native_id,
            op_no=link.operation.op_no, quantity=accepted, uom=link.uom, item=link.process_code,
            unit_cost=piece, order_line_id=line.id, event_time=act.now,
        ),
    )  # fmt: skip


def _complete_operation(act: Act, link: OutsideLink) -> None:
    """Count what every verified link brought, once each; with the last piece the operation is complete."""
    operation, order = link.operation, link.operation.work_order
    if operation.status is not OperationStatus.RETURNED_PENDING:
        return
    for each in links_of_operation(act.session, operation.id):
        if each.standing not in (LinkStatus.VERIFIED, LinkStatus.CLOSED):
            continue
        good = accepted_pieces(act.session, each)
        post_event(
            act,
            Event(
                system=order.system, event_id=f"outside:{each.id}:quantity", kind="QUANTITY", work_order=order.native_id,
                op_no=operation.op_no, good=good, scrap=each.shipped - each.recalled - good, event_time=act.now,
            ),
        )  # fmt: skip
    act.session.refresh(operation)
    if operation.open_quantity == 0:
        complete_operation(act, operation, event_id=f"outside:{operation.id}:complete", system=order.system)


def _results(act: Act, link: OutsideLink) -> dict[str, Any]:
    return {
        "accepted": accepted_pieces(act.session, link),
        "rejected": Decimal(len(rejected_receipts(act.session, link))),
        "invoiced": is_invoiced(act.session, link),
    }


def _claim(link: OutsideLink) -> dict[str, Any]:
    """Return what is to be claimed: pieces that came back as scrap or not at all, at the value they had when they left."""
    lost = link.scrap + link.lost
    value = piece_value(link)
    return {
        "pieces": lost, "scrap": link.scrap, "lost": link.lost, "piece_value": value, "amount": value * lost,
        "currency": link.operation.work_order.currency,
    }  # fmt: skip


def piece_value(link: OutsideLink) -> Decimal:
    """Return what a piece was worth when it left: its standard cost, or what it had cost up to this operation."""
    session = object_session(link)
    assert session is not None
    return value_of_piece(session, link.operation.work_order, before=link.operation.op_no)


__all__ = ["accrue", "goes_back", "piece_value", "registry"]
