"""A change reaches pieces that are away (B12, B13): the supplier is told to stop, and the board says what becomes of the pieces."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.act import Act
from engine.errors import Conflict, Invalid
from engine.instances import start
from engine.registry import Registry, Work
from engine.stored.instance import Instance
from processes import change_addenda
from processes.board import roles_for
from processes.board_addenda import TWO_PEOPLE
from processes.change_documents import addendum_approval, approval, proposed_addendum
from processes.documents import existing, plain, sentences
from processes.notices import tell_role
from processes.outside_changes import DECISIONS, Cause, causes, changes_on, word_of
from processes.outside_documents import link_of, link_variable
from processes.outside_losses import follow_up_called
from processes.outside_messages import mail_supplier
from processes.outside_stop_effects import carry_out, refuse_impossible, values_of, words_of
from records import outside
from records.change_order import AddendumStatus, move_addendum
from records.outside import OutsideLink
from records.outside_loss import FollowUp
from records.outside_stop import OutsideStop, StopDecision, StopStatus, decision_hash, move_stop, next_turn, stops_of
from records.signing import supersede
from rules.policy import table_called

registry = Registry()

PROCESS = "stop_outside_work"
"""The flow of one stop: called by outside processing, or running by itself where no such flow has taken the link up."""


@registry.step("weigh_change")
def weigh_change(act: Act, work: Work) -> Mapping[str, Any]:
    """B12: what changed around pieces that are away: each cause that changes what is done to them stops them, once."""
    link = link_of(act, work)
    stops = [_stop(act, link, cause) for cause in causes(act.session, link, now=act.now)]
    _note_finishing(act, link)
    return {
        "change": {
            "stops_work": bool(stops), "findings": sentences(stop.cause_text for stop in stops),
            "halts": [halt_variable(act, stop) for stop in stops],
        },
        "link": link_variable(link),
    }  # fmt: skip


@registry.step("send_stop_work")
def send_stop_work(act: Act, work: Work) -> None:
    """B12: the supplier is told to stop; quality and the planner hear of it."""
    stop, link = _of(act, work), link_of(act, work)
    away = f"{plain(stop.quantity)} {link.uom} of {link.operation.work_order.item}"
    mail_supplier(
        act, link, f"STOP WORK: {link.order.number}",
        f"Stop work on our {away} under {link.order.number} and confirm that you did. {stop.cause_text}",
    )  # fmt: skip
    for role in ("QA_ENG", "PLANNER"):
        tell_role(
            act, role, f"Stop-work notice for {link.number}: {away} at {link.order.supplier.name}", key=f"{stop.id}:stop:{role}",
            body=stop.cause_text, record=(link.record_type, link.id),
        )  # fmt: skip


@registry.step("escalate_stop_work")
def escalate_stop_work(act: Act, work: Work) -> None:
    """B12: nobody confirmed the stop in time."""
    stop, link = _of(act, work), link_of(act, work)
    subject = f"{link.order.supplier.name} has not confirmed to stop work on {link.number}"
    for role in ("PUR_LEAD", "QA_ENG"):
        tell_role(act, role, subject, key=f"{stop.id}:unconfirmed:{role}", record=(link.record_type, link.id))


@registry.step("keep_confirmation")
def keep_confirmation(act: Act, work: Work) -> Mapping[str, Any]:
    """B13: who confirmed the stop; and what the change says of the pieces, if its impact says it already.

    ``halt.state``: open when the board is asked, signing when what the impact says needs values that are signed, decided, or over
    when the pieces came home meanwhile.
    """
    stop, link = _of(act, work), link_of(act, work)
    if (work.get("decision") or {}).get("verdict") == "confirmed":
        stop.confirmed_by = str(work.get("confirmed_by") or f"{link.order.supplier.name}, no name given")[:200]
        stop.confirmed_at = act.now
    if link.at_supplier <= 0:
        move_stop(act, stop, StopStatus.LAPSED, reason="The pieces came home before anybody decided")
        _let_go(act, stop, reason="The pieces are home")
        return {"halt": halt_variable(act, stop, state="over"), "decision": None}
    word = word_of(act.session, stop.change_order, link) if stop.change_order is not None else None
    if word is None or stop.change_order is None:
        return {"halt": halt_variable(act, stop, state="open"), "decision": None}
    stop.decision, stop.reason, stop.decided_by = DECISIONS[word.disposition], word.reason, stop.change_order.number
    if stop.decision is StopDecision.SCRAP:
        stop.follow_up = _follow_up_of(stop)
    act.session.flush()
    if stop.decision is StopDecision.CONTINUE_TO_NEW:
        return {"halt": halt_variable(act, stop, state="signing"), "decision": None}
    _decided(act, stop)
    return {"halt": halt_variable(act, stop, state="decided"), "decision": None}


@registry.step("prepare_stop_decision")
def prepare_stop_decision(act: Act, work: Work) -> Mapping[str, Any]:
    """B13: write down what was chosen, as the board signs it; under the change order it is an addendum of it.

    What cannot be goes back to whoever chooses, with the sentence in ``halt.problem``.
    """
    stop = _of(act, work)
    try:
        with act.attempt():
            _choose(act, stop, work)
            refuse_impossible(act, stop)
            stop.decision_hash = decision_hash(stop)
            act.session.flush()
            signing = _round(act, stop)
    except (Conflict, Invalid) as refusal:
        act.session.refresh(stop)
        return {
            "halt": halt_variable(act, stop, state="open", problem=refusal.message),
            "decision": None,
            "verdict": None,
        }
    return {"halt": halt_variable(act, stop, state="signing") | signing, "decision": None, "verdict": None}


@registry.step("settle_stop_decision")
def settle_stop_decision(act: Act, work: Work) -> Mapping[str, Any]:
    """B13: signed, it holds and its values are written; not signed, somebody chooses anew."""
    stop, said = _of(act, work), work.get("decision") or {}
    if work.get("verdict") != "approve":
        if stop.addendum_id is not None and stop.change_order is not None:
            addendum = proposed_addendum(act, stop.change_order, stop.addendum_id)
            move_addendum(act, addendum, AddendumStatus.DROPPED, reason="The board did not sign it")
        supersede(act, stop.record_type, stop.id)
        stop.addendum_id = None
        problem = f"It was not signed: {said.get('reason') or 'no reason was given'}"
        return {"halt": halt_variable(act, stop, state="open", problem=problem), "decision": None, "verdict": None}
    if stop.addendum_id is not None and stop.change_order is not None:
        # Its values are written when it is carried out: a work order never follows a revision that is not released.
        move_addendum(act, proposed_addendum(act, stop.change_order, stop.addendum_id), AddendumStatus.APPROVED)
    _decided(act, stop)
    return {"halt": halt_variable(act, stop, state="decided"), "decision": None, "verdict": None}


@registry.job("carry_out_stop")
def carry_out_stop(act: Act, work: Work) -> Mapping[str, Any]:
    """B13: the amendment, the work order and the pieces follow what was decided; ``waiting`` while another amendment is under way."""
    stop = _of(act, work)
    if stop.status is StopStatus.DECIDED and carry_out(act, stop):
        move_stop(act, stop, StopStatus.CARRIED_OUT)
        _let_go(act, stop, reason=f"{stop.number} is carried out: {stop.made_ref}"[:3900])
    state = "waiting" if stop.status is StopStatus.DECIDED else "over"
    return {"halt": halt_variable(act, stop, state=state), "link": link_variable(stop.link)}


def stop_untaken(act: Act, link: OutsideLink) -> list[Instance]:
    """Stop the pieces of a link that no flow of outside processing has taken up: each new cause runs by itself, with its tasks."""
    timers = table_called("timers").judge(priority="NORMAL").row.outputs
    started = []
    for stop in [_stop(act, link, cause) for cause in causes(act.session, link, now=act.now)]:
        given = {
            "halt": halt_variable(act, stop),
            "link": link_variable(link),
            "share": {"link_id": link.id},
            "timers": dict(timers),
        }
        about = [(link.record_type, link.id)]
        started.append(start(act, PROCESS, business_key=stop.number, variables=given, records=about))
    _note_finishing(act, link)
    return started


def halt_variable(act: Act, stop: OutsideStop, *, state: str = "stopped", problem: str = "") -> dict[str, Any]:
    """Return the variable ``halt``: one stop as its tasks show it. groups: who decides; offered: what the impact of the change says."""
    change, link = stop.change_order, stop.link
    return {
        "id": stop.id, "number": stop.number, "text": stop.cause_text, "quantity": stop.quantity, "uom": link.uom, "state": state,
        "hash": stop.decision_hash or decision_hash(stop), "groups": board_of(act, stop), "problem": problem,
        "change": f"{change.number} ({change.title})" if change is not None else "no change order",
        "confirmed": f"Confirmed by {stop.confirmed_by}." if stop.confirmed_by else "Nobody at the supplier has confirmed the stop.",
        "decision": stop.decision.value.lower().replace("_", " ") if stop.decision is not None else None,
        "title": f"Decide what becomes of {plain(stop.quantity)} {link.uom} at {link.order.supplier.name}",
    }  # fmt: skip


def board_of(act: Act, stop: OutsideStop) -> list[str]:
    """Return the roles that decide: the board of the change order, else engineering and quality."""
    return roles_for(act.session, stop.change_order, "DELTA") if stop.change_order is not None else list(TWO_PEOPLE)


def _choose(act: Act, stop: OutsideStop, work: Work) -> None:
    """Take over what somebody chose in the task; what the impact of the change says already stands. Raises: Invalid."""
    decision = work.get("decision") or {}
    if not decision.get("verdict"):
        return
    stop.decision = StopDecision(str(decision["verdict"]).upper())
    stop.reason = str(work.get("stop_reason") or decision.get("reason") or "").strip()[:4000]
    if not stop.reason:
        raise Invalid("Expected why the pieces go on like this, but there is no reason", {"stop_reason": "is required"})
    stop.spec_rev = str(work.get("new_spec_rev") or "").strip()[:40] or None
    price = work.get("quoted_price")
    stop.quoted_price = None if price in (None, "") else _price(price)
    stop.follow_up = follow_up_called(work.get("follow_up")) if stop.decision is StopDecision.SCRAP else None
    stop.decided_by = act.user_id or act.actor


def _stop(act: Act, link: OutsideLink, cause: Cause) -> OutsideStop:
    turn = next_turn(act.session, link.id)
    stop = OutsideStop(
        number=f"{link.number}/S{turn}", link=link, link_id=link.id, turn=turn, cause=cause.kind, cause_key=cause.key,
        cause_text=cause.text, quantity=link.at_supplier, notified_at=act.now,
        change_order=cause.change_order, change_order_id=cause.change_order.id if cause.change_order is not None else None,
        amendment=cause.amendment, amendment_id=cause.amendment.id if cause.amendment is not None else None,
    )  # fmt: skip
    act.session.add(stop)
    act.session.flush()
    outside.hold(act, link, rule=cause.rule, reason=f"{stop.number}: {cause.text}"[:3900], owner="role:QA_ENG")
    return stop


def _note_finishing(act: Act, link: OutsideLink) -> None:
    """Keep on the link, once, that a change lets its pieces finish as they were ordered."""
    for change in changes_on(act.session, link):
        word = word_of(act.session, change, link)
        if word is not None and DECISIONS[word.disposition] is StopDecision.FINISH_AS_OLD:
            said = f"{change.number} lets {plain(word.quantity)} {link.uom} finish as they were ordered"
            act.note(link.record_type, link.id, "FINISHES_AS_OLD", field=change.number, new=said)


def _decided(act: Act, stop: OutsideStop) -> None:
    stop.decided_at = act.now
    move_stop(act, stop, StopStatus.DECIDED, reason=stop.reason or f"{stop.decided_by} says so")


def _let_go(act: Act, stop: OutsideStop, *, reason: str) -> None:
    """Lift the hold that a stop set, unless another one stands or something else holds the link."""
    link = stop.link
    if link.status is outside.LinkStatus.HOLD and str(link.hold_reason or "").startswith(f"{link.number}/S"):
        others = [each for each in stops_of(act.session, link.id) if each.is_standing and each.id != stop.id]
        if not others:
            outside.lift_hold(act, link, reason=reason)


def _round(act: Act, stop: OutsideStop) -> dict[str, Any]:
    """Return record and plan of the round that signs: of the addendum, or of the stop where no change order stands behind it."""
    roles = board_of(act, stop)
    if stop.change_order is not None:
        about = f"{plain(stop.quantity)} {stop.link.uom} at {stop.link.order.supplier.name}"
        words = f"{stop.number}: {words_of(stop)}, {about}. {stop.reason}"
        addendum = change_addenda.propose_delta(
            act,
            stop.change_order,
            reason=words.strip(),
            seats=roles,
            values=values_of(act, stop),
        )
        stop.addendum_id = addendum.id
        act.session.flush()
        return addendum_approval(act, addendum)
    assert stop.decision_hash is not None
    return approval(
        act, (stop.record_type, stop.id, stop.decision_hash), roles, number=stop.number, title=stop.cause_text[:200],
        requester=stop.decided_by, barred=(), why=stop.reason,
    )  # fmt: skip


def _follow_up_of(stop: OutsideStop) -> FollowUp:
    """Return what follows when the impact says scrap: fewer pieces, or new ones where nothing would be left."""
    return FollowUp.REDUCE if stop.link.operation.work_order.quantity > stop.quantity else FollowUp.REPLENISH


def _price(given: object) -> Decimal:
    try:
        price = Decimal(str(given))
    except InvalidOperation as error:
        raise Invalid(f"Expected a price, but found {given!r:.40}", {"quoted_price": "is no number"}) from error
    if price < 0:
        raise Invalid(f"Expected a price of 0 or more, but found {price}", {"quoted_price": "is below 0"})
    return price


def _of(act: Act, work: Work) -> OutsideStop:
    found = existing(act.session, OutsideStop, work["halt"]["id"])
    if found.link_id != work["share"]["link_id"]:
        raise Conflict(f"Expected a stop of the link, but {found.number} is of another")
    return found
