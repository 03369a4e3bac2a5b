"""While pieces are at their supplier (B10 to B18, B24): the return clock, what happens meanwhile, and the balance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from engine.act import Act
from engine.errors import Invalid
from engine.messages import publish
from engine.registry import Registry, Work
from processes.nonconformances import raise_nonconformance
from processes.notices import tell, tell_role
from processes.outside_documents import (
    balance_variable,
    is_recalled_for_good,
    link_of,
    link_variable,
    midnight_after,
    start_of,
)
from processes.outside_losses import declare_lost
from processes.outside_messages import mail_supplier
from processes.outside_moving import NOT_KEPT, require_role
from processes.snoozes import remind_role, waiting
from records import outside
from records.outside import AWAY, LinkStatus, OutsideLink
from records.part import process_words

registry = Registry()

ENDLESS = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""When an approval ends that none is needed for."""


class NoticeKind(StrEnum):
    """What a supplier reports about pieces it has."""

    DELAY = "DELAY"
    PROCESS_CHANGE = "PROCESS_CHANGE"
    NONCONFORMANCE = "NONCONFORMANCE"
    LOSS = "LOSS"


WORDS = {
    NoticeKind.DELAY: "a delay",
    NoticeKind.PROCESS_CHANGE: "a change of its process",
    NoticeKind.NONCONFORMANCE: "a nonconformance",
    NoticeKind.LOSS: "a loss",
}
OWNERS = {
    NoticeKind.DELAY: ["PLANNER", "BUYER"],
    NoticeKind.PROCESS_CHANGE: ["SQ", "QA_SP"],
    NoticeKind.NONCONFORMANCE: ["QA_ENG", "QA_SP"],
    NoticeKind.LOSS: ["PLANNER", "QA_ENG"],
}
"""Who answers each kind of notice."""

NOTICERS = ("PLANNER", "BUYER", "PUR_LEAD", "SHIPPING", "RECEIVING", "SQ", "QA_ENG", "QA_SP")
"""Whom a supplier tells that something happened: what they write down moves the flow."""


def give_notice(
    act: Act, link: OutsideLink, kind: NoticeKind, *, text: str, event_id: str, quantity: Decimal | None = None
) -> None:
    """Let a supplier's notice reach the flow of a link; the same event again is ignored.

    Raises: Forbidden for a person whom no supplier tells such things; Invalid without a text.
    """
    require_role(act, NOTICERS, f"write down what the supplier reports on {link.number}")
    if not text.strip():
        raise Invalid("Expected what the supplier reports, but there is nothing", {"text": "is required"})
    given = {"reported": {"kind": kind.value, "text": text.strip(), "quantity": quantity or link.at_supplier}}
    publish(act, "supplier.notice", correlation_key=link.id, variables=given, message_id=event_id, ttl=NOT_KEPT)


@registry.step("start_clock")
def start_clock(act: Act, work: Work) -> Mapping[str, Any]:
    """B10: when the pieces are due, when it is told further, and when the approval for them ends."""
    link = link_of(act, work)
    due = link.return_by or link.need_by or link.site.local_day(act.now)
    until = link.source_until
    days = int(work["timers"]["outside_escalate"])
    return {
        "clock": {
            "return_by": midnight_after(link, due),
            "escalate_at": midnight_after(link, due + dt.timedelta(days=days)),
            "source_ends_at": start_of(link, until + dt.timedelta(days=1)) if until is not None else ENDLESS,
        },
        "link": link_variable(link),
        "balance": balance_variable(link),
    }


@registry.step("weigh_balance")
def weigh_balance(act: Act, work: Work) -> Mapping[str, Any]:
    """B17: what is still away; what was called home for good is allocated no more."""
    link = link_of(act, work)
    if not link.at_supplier and link.shipped > link.recalled > 0 and is_recalled_for_good(link):
        link.allocated_quantity = link.shipped - link.recalled
        act.session.flush()
    return {"balance": balance_variable(link), "link": link_variable(link)}


@registry.step("book_loss")
def book_loss(act: Act, work: Work) -> Mapping[str, Any]:
    """B24: what the planner gave up with the supplier's statement."""
    link = link_of(act, work)
    statement = str(work.get("statement") or (work.get("decision") or {}).get("reason") or "")
    serials = tuple(filter(None, (each.strip() for each in str(work.get("lost_serials") or "").split(","))))
    if link.at_supplier:
        declare_lost(
            act, link, link.at_supplier, statement=statement, follow_up=work.get("follow_up"), event_id=f"loss:{act.id}",
            serials=serials,
        )  # fmt: skip
    return {"balance": balance_variable(link), "link": link_variable(link)}


@registry.step("remind_late")
def remind_late(act: Act, work: Work) -> None:
    """B11: the pieces are due today and not back: buyer and supplier hear of it."""
    link = link_of(act, work)
    subject = f"{link.number}: {_away(link)} due back from {link.order.supplier.name}"
    if link.order.buyer_id is not None:
        tell(act, [link.order.buyer_id], subject, key=f"{link.id}:late", record=(link.record_type, link.id))
    task = waiting(act, work, "receive_parts", same="link")
    remind_role(act, task, "RECEIVING", subject, key=f"{link.id}:late", record=(link.record_type, link.id))
    mail_supplier(
        act, link, f"{link.order.number}: please send our parts back",
        f"{_away(link)} of {link.operation.work_order.item} were due back on {link.return_by}. Please tell us when they come.",
    )  # fmt: skip


@registry.step("escalate_late")
def escalate_late(act: Act, work: Work) -> None:
    """B11: two days later planner and purchasing lead hear of it."""
    link = link_of(act, work)
    subject = f"{link.number} is overdue: {_away(link)} at {link.order.supplier.name}"
    for role in ("PLANNER", "PUR_LEAD"):
        tell_role(act, role, subject, key=f"{link.id}:overdue:{role}", record=(link.record_type, link.id))


@registry.step("hold_lapsed")
def hold_lapsed(act: Act, work: Work) -> Mapping[str, Any]:
    """B14: the approval ended while pieces are away; what comes back waits for quality."""
    link = link_of(act, work)
    what = process_words(link.process_code)
    reason = (
        f"The approval of {link.order.supplier.name} for {what} ended on {link.source_until} with {_away(link)} away"
    )
    outside.hold(act, link, rule="SUP-04", reason=reason, owner="role:QA_SP")
    tell_role(
        act, "QA_SP", f"{link.number} is held: {reason}", key=f"{link.id}:lapsed", record=(link.record_type, link.id)
    )
    return {"link": link_variable(link)}


@registry.step("keep_notice")
def keep_notice(act: Act, work: Work) -> Mapping[str, Any]:
    """B11, B15: keep what the supplier reports; a nonconformance is written down and held until quality answers."""
    link, reported = link_of(act, work), work["reported"]
    kind = NoticeKind(reported["kind"])
    act.note(link.record_type, link.id, "SUPPLIER_NOTICE", field=kind.value, new=reported["text"])
    number = None
    if kind in (NoticeKind.NONCONFORMANCE, NoticeKind.LOSS):
        raised = raise_nonconformance(
            act, link, min(Decimal(str(reported["quantity"])), link.at_supplier) or link.shipped, uom=link.uom,
            title=f"{link.order.supplier.name} reports {WORDS[kind]}", description=reported["text"],
            part_revision=link.part_revision,
        )  # fmt: skip
        number = raised.number
    if kind is not NoticeKind.DELAY:
        reason = f"{link.order.supplier.name} reports {WORDS[kind]}: {reported['text']}"
        outside.hold(act, link, rule="AS-8.4.3", reason=reason[:3900], owner=f"role:{OWNERS[kind][0]}")
    return {
        "notice": {
            "kind": kind.value, "kind_text": WORDS[kind], "text": reported["text"], "groups": OWNERS[kind],
            "nonconformance": number, "title": f"Answer {link.order.supplier.name}: {WORDS[kind]} ({link.number})",
        },
        "link": link_variable(link),
    }  # fmt: skip


@registry.step("settle_notice")
def settle_notice(act: Act, work: Work) -> Mapping[str, Any]:
    """B15: accepted, the hold that the notice set is lifted; else it stays."""
    link, decision = link_of(act, work), work.get("decision") or {}
    if decision.get("verdict") == "accept" and link.status is LinkStatus.HOLD and link.hold_rule == "AS-8.4.3":
        outside.lift_hold(
            act, link, reason=str(decision.get("reason") or work.get("answer") or "The notice was accepted")
        )
    if work.get("answer"):
        mail_supplier(act, link, f"{link.order.number}: our answer to your notice", str(work["answer"]))
    return {"link": link_variable(link)}


def is_away(link: OutsideLink) -> bool:
    """Whether pieces of a link are at the supplier."""
    return link.standing in AWAY


def _away(link: OutsideLink) -> str:
    return f"{link.at_supplier.normalize():f} {link.uom}"
