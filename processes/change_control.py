"""The way of a change (C01, C02, C20-C22): taken up from wherever it comes, triaged, opened, and in an emergency signed by two."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.bpmn import BpmnError
from engine.errors import Conflict, Invalid, Refused
from engine.instances import link_record
from engine.messages import Publication, publish
from engine.registry import Registry, Work
from engine.stored.instance import Instance
from engine.stored.wait import MessageSubscription
from processes.board_addenda import TWO_PEOPLE
from processes.change_class import propose_class
from processes.change_documents import (
    approval,
    order_of,
    order_variable,
    person_of,
    request_of,
    request_variable,
    sentences,
)
from processes.change_orders import open_order, seal
from processes.change_orders import withdraw as withdraw_order
from processes.change_requests import alike, open_request, submit, triage
from processes.documents import existing
from processes.emergencies import bound, segregate
from processes.emergency_deviations import close_deviations, open_deviation
from processes.notices import tell, tell_role
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import ChangeRequest, OrderClass, RequestSource, RequestStatus, Urgency
from records.signing import supersede
from rules.change_control import open_orders_on
from rules.guard import BY_TABLE
from rules.policy import table_called

PROCESS = "change_control"
REQUESTED, OPENED, DECIDED, WITHDRAWN = (
    "change.requested", "change.order_opened", "change.request_decided", "change.withdrawn",
)  # fmt: skip
registry = Registry()


def begin(act: Act, request: ChangeRequest) -> Publication:
    """Send a submitted request on its way; the same request again starts nothing."""
    act.session.flush()
    return publish(
        act, REQUESTED, correlation_key=request.number, variables={"request_id": request.id}, message_id=f"request:{request.id}"
    )  # fmt: skip


def take_up(act: Act, order: ChangeOrder) -> Publication:
    """Send a change order that people opened themselves on its way; the same order again starts nothing."""
    act.session.flush()
    return publish(
        act, OPENED, correlation_key=order.number, variables={"order_id": order.id}, message_id=f"order:{order.id}"
    )


def declare_emergency(
    act: Act, *, title: str, reason: str, bounds: Sequence[Mapping[str, Any]], **content: Any
) -> ChangeOrder:
    """Open an emergency with its bounds and send it to the two who sign it (C20); it ends after the hours of the table of deadlines.

    bounds: kind, first, last, max_quantity. Raises: Invalid naming what is missing.
    """
    hours = int(table_called("timers").judge(priority="NORMAL").row.outputs["emergency_hours"])
    order = open_order(
        act, change_class=OrderClass.CE, title=title, reason=reason, expires_at=act.now + dt.timedelta(hours=hours), **content
    )  # fmt: skip
    bound(act, order, bounds)
    return order


def withdraw(act: Act, order: ChangeOrder, *, reason: str) -> None:
    """Take a change back at any time before it takes effect: its flow stops and undoes what was done, the last first (C19).

    Raises: Invalid without a reason; Conflict once it is effective or over, or when no flow waits for it.
    """
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    about = (order.record_type, order.id)
    if order.effective_at is not None:
        raise Conflict(
            f"Expected {order.number} not to be effective yet, but it is since {order.effective_at:%Y-%m-%d}. Raise a new change.",
            code="ALREADY_EFFECTIVE", record=about, keep=True,
        )  # fmt: skip
    if order.is_over or order.status is ChangeOrderStatus.VERIFYING:
        raise Conflict(
            f"Expected {order.number} to be under way, but it is {order.status}",
            code="ILLEGAL_TRANSITION",
            record=about,
        )
    if running(act.session, order) is None:
        raise Conflict(
            f"Expected {order.number} to have a flow, but none runs: withdraw it on its page",
            code="NO_FLOW",
            record=about,
        )
    publish(
        act, WITHDRAWN, correlation_key=order.id, message_id=f"withdraw:{order.id}:{act.id}",
        variables={"withdrawal": {"by": act.user_id or act.actor, "reason": reason.strip()}}, why=f"{order.number} is withdrawn",
    )  # fmt: skip


def take_back(act: Act, order: ChangeOrder, *, reason: str) -> ChangeOrder:
    """Withdraw a change through its flow, or at once where none runs. Raises: as ``withdraw``."""
    if running(act.session, order) is None:
        return withdraw_order(act, order, reason=reason)
    withdraw(act, order, reason=reason)
    return order


def decided_elsewhere(act: Act, request: ChangeRequest) -> None:
    """Let the flow of a request know that it was triaged on its page: its task goes, and people open the order themselves."""
    publish(act, DECIDED, correlation_key=request.id, message_id=f"decided:{request.id}:{act.id}", ttl=dt.timedelta())


def running(session: Session, order: ChangeOrder) -> Instance | None:
    """Return the flow of a change order, or None."""
    wanted = (
        select(Instance)
        .join(MessageSubscription, MessageSubscription.instance_id == Instance.id)
        .where(MessageSubscription.name == WITHDRAWN, MessageSubscription.correlation_key == order.id)
    )
    return session.scalars(wanted.limit(1)).first()


@registry.step("keep_change_request")
def keep_change_request(act: Act, work: Work) -> Mapping[str, Any]:
    """C01: take up the request, or write the one that a message brings (a nonconformance, a notice, a customer, another system)."""
    if work.get("request_id"):
        request = existing(act.session, ChangeRequest, work["request_id"])
    else:
        given = work.get("asked") or {}
        request = open_request(
            act, title=str(given.get("title") or ""), problem=str(given.get("problem") or ""),
            proposal=str(given.get("proposal") or ""), source=RequestSource(given.get("source") or "DOC_ERROR"),
            source_ref=str(given.get("source_ref") or "")[:200], urgency=Urgency(given.get("urgency") or "ROUTINE"),
            edits=given.get("edits") or (),
        )  # fmt: skip
    if request.status is RequestStatus.DRAFT:
        submit(act, request)
    _link(act, work, request)
    return {"request": {"id": request.id, "number": request.number}, "order": None}


@registry.step("look_for_twins")
def look_for_twins(act: Act, work: Work) -> Mapping[str, Any]:
    """C02: what says something alike, and the class that the asked values need."""
    request = request_of(act, work)
    twins: list[ChangeRequest | ChangeOrder] = [*alike(act.session, request), *_orders_on(act.session, request)]
    proposal = propose_class(act.session, request)
    shown = request_variable(request, twins, (proposal.order_class, proposal.why), work["timers"])
    said = work.get("unfit") or {}
    return {
        "request": shown | {"class_rows": sentences(proposal.rows), "unfit": "", "typed_reason": ""} | said,
        "triage": None, "unfit": None, "decision": None,
    }  # fmt: skip


UNDECIDED = (RequestStatus.SUBMITTED, RequestStatus.TRIAGED, RequestStatus.DEFERRED)
VERDICTS = {
    "accept": RequestStatus.ACCEPTED, "emergency": RequestStatus.ACCEPTED, "reject": RequestStatus.REJECTED,
    "defer": RequestStatus.DEFERRED, "duplicate": RequestStatus.DUPLICATE,
}  # fmt: skip


@registry.step("settle_triage")
def settle_triage(act: Act, work: Work) -> Mapping[str, Any]:
    """C02: keep the triage, unless it was given on the request's page; what does not fit is asked again."""
    request, decision = request_of(act, work), work.get("decision") or {}
    if request.status in UNDECIDED and decision.get("verdict"):
        try:
            with act.attempt():
                _keep_triage(act, work, request, decision)
        except Invalid as refusal:
            return {"triage": "AGAIN", "decision": None, **_typed(work, decision, refusal)}
    people = [person_of(request.originator)]
    if request.status is not RequestStatus.ACCEPTED:
        tell(act, people, f"{request.number} is {request.status.lower()}", key=f"{request.id}:{request.status}:{act.id}",
             body=request.decision_reason, record=(request.record_type, request.id))  # fmt: skip
    return {"triage": request.status.value if decision else "ON_ITS_PAGE", "decision": None}


def _typed(work: Work, decision: Mapping[str, Any], refusal: Invalid) -> dict[str, Any]:
    """Return what was typed with a triage that does not fit, so that nobody types it again, and what is missing."""
    reason = str(decision.get("reason") or "").strip() or str(work["request"].get("typed_reason") or "")
    missing = "; ".join(f"{name.replace('_', ' ')} {words}" for name, words in refusal.fields.items())
    if "duplicate_of" in refusal.fields and not work["request"]["twin_choices"]:
        missing = "no open request says something alike, so there is none to choose: reject it, put it off or accept it"
    return {
        "unfit": {"unfit": f"{refusal.message}. What is missing: {missing}.", "typed_reason": reason},
        "change_class": work.get("chosen_class"), "duplicate_of": work.get("chosen_twin"),
    }  # fmt: skip


def _keep_triage(act: Act, work: Work, request: ChangeRequest, decision: Mapping[str, Any]) -> None:
    verdict = str(decision["verdict"])
    twin = work.get("chosen_twin") if verdict == "duplicate" else None
    reason = str(decision.get("reason") or work["request"].get("typed_reason") or "")
    chosen = "CE" if verdict == "emergency" else work.get("chosen_class") or work["request"]["proposed_class"]
    triage(
        act, request, VERDICTS[verdict], reason=reason, proposed_class=OrderClass(chosen),
        duplicate_of=existing(act.session, ChangeRequest, twin) if twin else None,
    )  # fmt: skip


@registry.step("open_change_order")
def open_change_order(act: Act, work: Work) -> Mapping[str, Any]:
    """C03: open the order that answers the request."""
    request = request_of(act, work)
    chosen = request.proposed_class or OrderClass.C4
    until = act.now + dt.timedelta(hours=int(work["timers"]["emergency_hours"])) if chosen is OrderClass.CE else None
    order = open_order(
        act, requests=[request], change_class=chosen, title=request.title, reason=request.problem, expires_at=until,
        owner=request.decided_by or "",
    )  # fmt: skip
    _link(act, work, order)
    return {"order": order_variable(act, order)}


@registry.step("take_up_change_order")
def take_up_change_order(act: Act, work: Work) -> Mapping[str, Any]:
    """Take up an order that people opened on its page."""
    order = existing(act.session, ChangeOrder, work["order_id"])
    _link(act, work, order)
    return {"order": order_variable(act, order), "request": None}


@registry.step("prepare_emergency")
def prepare_emergency(act: Act, work: Work) -> Mapping[str, Any]:
    """C20: freeze what the two sign, engineering and quality; whoever signs for one never signs for the other (SOD-8)."""
    order = order_of(act, work)
    if not order.bounds:
        bound(act, order, work.get("bounds") or ())
    if order.content_hash is None:
        seal(act, order)
    assert order.content_hash is not None
    shown = approval(
        act, (order.record_type, order.id, order.content_hash), TWO_PEOPLE, number=order.number, title=order.title,
        requester=person_of(order.opened_by), barred=(), why="; ".join(each.number for each in order.bounds) or order.title,
    )  # fmt: skip
    return {"emergency": shown, "order": order_variable(act, order)}


@registry.step("activate_emergency")
def activate_emergency(act: Act, work: Work) -> Mapping[str, Any]:
    """C20: two people signed; what it lists is segregated, and nothing of it is shipped before C22."""
    order = order_of(act, work)
    try:
        move(act, order, ChangeOrderStatus.EMERGENCY_ACTIVE)
    except Refused as refusal:
        raise BpmnError(refusal.code or "REFUSED", refusal.message) from refusal
    segregate(act, order)
    open_deviation(act, order)
    ask = f"{order.number} is active: take it to the board before {order.expires_at:%Y-%m-%d %H:%M} UTC"
    return {"order": order_variable(act, order, ask=ask), "verdict": None}


@registry.step("sum_change_up")
def sum_change_up(act: Act, work: Work) -> Mapping[str, Any]:
    """How it ended; an emergency that nobody authorised is withdrawn."""
    order = order_of(act, work)
    if order.status is ChangeOrderStatus.DRAFT:
        supersede(act, order.record_type, order.id)
        move(act, order, ChangeOrderStatus.WITHDRAWN, reason="It was not authorised by two people")
    close_deviations(act, order, reason=f"{order.number} is {order.status.lower()}. {order.ended_reason}".strip())
    subject = f"{order.number} is {order.status.lower()}: {order.title}"
    tell(act, {person_of(order.owner), person_of(order.opened_by)} - {""}, subject, key=f"{order.id}:end",
         body=order.ended_reason, record=(order.record_type, order.id))  # fmt: skip
    return {"order": order_variable(act, order)}


def tell_management(act: Act, order: ChangeOrder, subject: str, *, key: str) -> None:
    """Tell whoever runs the plant, and the owner."""
    for role in ("OPS_DIR", "GM"):
        tell_role(act, role, subject, key=f"{order.id}:{key}:{role}", record=(order.record_type, order.id))
    tell(act, [person_of(order.owner)], subject, key=f"{order.id}:{key}", record=(order.record_type, order.id))


def _link(act: Act, work: Work, record: ChangeRequest | ChangeOrder) -> None:
    """Let people find the flow from its document."""
    if work.instance is not None:
        link_record(act, work.instance.id, record.record_type, record.id)


def _orders_on(session: Session, request: ChangeRequest) -> list[ChangeOrder]:
    found: dict[str, ChangeOrder] = {}
    for edit in request.edits:
        guarded = BY_TABLE.get(edit.table_name)
        record: Any = session.get(guarded.mapped, edit.row_id) if guarded is not None else None
        for order in open_orders_on(session, record) if record is not None else ():
            found[order.id] = order
    return list(found.values())
