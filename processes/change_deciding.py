"""Decide a change (C03-C11): baseline, impact, what every area says, what becomes of every order, the board, the customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Act
from engine.bpmn import BpmnError
from engine.errors import Conflict, Invalid, Refused
from engine.registry import Registry, Work
from processes import change_board, impact
from processes.change_baseline import moved_since
from processes.change_control import begin, take_up, tell_management
from processes.change_documents import (
    ENDLESS,
    group_of,
    groups_of,
    linked_sentences,
    order_of,
    order_variable,
    person_of,
    row_sentence,
    sentences,
)
from processes.change_orders import send_to_review, take_baseline
from processes.change_requests import open_request, submit
from processes.change_splitting import merge, parts_of, split_off
from processes.documents import existing, plain
from processes.emergencies import hold_all
from processes.notices import tell
from processes.snoozes import remind, remind_role, waiting
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass, RequestSource
from records.impact import AssessmentAnswer, AssessmentArea, ImpactAssessment, assessments_of, newest_snapshot, rows_of
from records.roles import role_name
from records.signing import supersede
from rules.board_seats import function_words
from rules.change_control import items_of, open_orders_on

registry = Registry()
S = ChangeOrderStatus
MOST_ROWS_SHOWN = 40


@registry.step("take_change_baseline")
def take_change_baseline(act: Act, work: Work) -> Mapping[str, Any]:
    """C03: the order is in work; other open orders on the same revisions are linked, and their owners told (CHG-02)."""
    order = order_of(act, work)
    if order.status is not S.IMPACT:
        if order.status in (S.DRAFT, S.RETURNED):
            take_baseline(act, order)
        move(act, order, S.IMPACT)
    take_baseline(act, order)
    for item in order.affected:
        for other in open_orders_on(act.session, item.part_revision_from, but=order):
            tell(
                act, [person_of(other.owner)], f"{order.number} also changes {item.part_revision_from.number}",
                key=f"{order.id}:{other.id}", body=f"{order.title}. {other.number} may have to be rebased on it, or the other way round.",
                record=(order.record_type, order.id),
            )  # fmt: skip
    for sentence in linked_sentences(act, order):
        act.note(order.record_type, order.id, "CONFLICT_POSSIBLE", reason=sentence)
    return {"order": order_variable(act, order)}


@registry.step("compute_impact")
def compute_impact(act: Act, work: Work) -> Mapping[str, Any]:
    """C04: the set of rows as the plant is at this instant."""
    order = order_of(act, work)
    impact.compute(act, order)
    return {"impact": impact_variable(act, order), "order": order_variable(act, order)}


@registry.step("remind_assessor")
def remind_assessor(act: Act, work: Work) -> None:
    """C05: an area has not answered in time."""
    order, area = order_of(act, work), work["area"]
    subject = f"{order.number} waits for {area['name']}"
    task = waiting(act, work, "assess_area", same="area")
    for role in area["groups"]:
        remind_role(
            act,
            task,
            role,
            subject,
            key=f"{order.id}:{area['area']}:{order.round}",
            record=(order.record_type, order.id),
        )
    tell(
        act,
        [person_of(order.owner)],
        subject,
        key=f"{order.id}:{area['area']}:{order.round}:owner",
        record=(order.record_type, order.id),
    )


@registry.step("keep_change_assessment")
def keep_change_assessment(act: Act, work: Work) -> None:
    """C05: keep what the area says, in the name of whoever said it."""
    order, decision = order_of(act, work), work["decision"]
    answer = AssessmentAnswer[str(decision["verdict"]).upper()]
    text = str(work.get("assessment") or decision.get("reason") or "")
    if answer is not AssessmentAnswer.NO_IMPACT and not text.strip():
        text = "No text was given."
    impact.assess(act, order, AssessmentArea(work["area"]["area"]), answer=answer, text=text)


@registry.step("weigh_impact")
def weigh_impact(act: Act, work: Work) -> Mapping[str, Any]:
    """C06, C07: what is still missing, and who settles it; what it costs, and whether finance decides."""
    order = order_of(act, work)
    reference = str(work.get("customer_reference") or "").strip()
    if reference and order.is_customer_approval_required and not order.customer_approval_ref:
        order.customer_approval_ref = reference[:200]
        act.session.flush()
    _freeze(act, order)
    return {"impact": impact_variable(act, order), "order": order_variable(act, order), "customer_reference": None}


def _freeze(act: Act, order: ChangeOrder) -> None:
    """Freeze the set; where the plant moved on meanwhile, ask anew: what was decided about pieces that are still there counts on."""
    try:
        with act.attempt():
            impact.freeze(act, order)
    except Conflict as moved:
        if moved.code != "IMPACT_GROWN":
            return
        impact.compute(act, order)
        impact.freeze(act, order)


@registry.step("send_to_board")
def send_to_board(act: Act, work: Work) -> Mapping[str, Any]:
    """C08: what the board reads is frozen and sealed, and everybody who has to sign gets a seat.

    Raises: BpmnError where something is missing after all, so that it is settled first.
    """
    order, decision = order_of(act, work), work.get("decision") or {}
    if work["impact"]["needs_finance"] and decision.get("verdict") == "approve":
        text = str(decision.get("reason") or "") or f"{work['impact']['cost_text']} approved"
        impact.assess(act, order, AssessmentArea.FINANCE, answer=AssessmentAnswer.IMPACT, text=text)
    try:
        with act.attempt():
            impact.refuse_incomplete(act.session, order, now=act.now)
            send_to_review(act, order)
    except Refused as refusal:
        raise BpmnError(refusal.code or "NOT_READY", refusal.message) from refusal
    seats = change_board.seat(act, order)
    tell(act, [person_of(order.owner)], f"{order.number} is with the board", key=f"{order.id}:board:{order.round}",
         record=(order.record_type, order.id))  # fmt: skip
    return {
        "board": {"seats": seats, "outcome": None, "votes": []},
        "order": order_variable(act, order),
        "impact": impact_variable(act, order),
    }


@registry.step("remind_voter")
def remind_voter(act: Act, work: Work) -> None:
    """C08: a seat of the board has not voted in time: whoever may take it is told, and whoever runs the plant."""
    order, slot = order_of(act, work), work["slot"]
    of = function_words(str(slot.get("function") or "")) or role_name(act.session, slot["role"])
    subject, key = (
        f"{order.number} waits for the vote of {of}",
        f"vote:{slot.get('seat') or slot['role']}:{order.round}",
    )
    about, task = (order.record_type, order.id), waiting(act, work, "vote_on_change", same="slot")
    remind(act, task, slot["users"], subject, key=f"{order.id}:{key}", record=about)
    for role in slot["groups"]:
        remind_role(act, task, role, subject, key=f"{order.id}:{key}", record=about)
    tell_management(act, order, subject, key=f"late:{key}")


@registry.step("keep_board_vote")
def keep_board_vote(act: Act, work: Work) -> Mapping[str, Any]:
    """C08: count the vote that was signed with the task, or in the meeting; the rule of the table says what they come to."""
    order = order_of(act, work)
    change_board.keep(act, work, order)
    outcome = change_board.outcome_of(act, order)
    return {"board": dict(work["board"]) | {"outcome": outcome, "votes": sentences(change_board.said(act, order))}}


@registry.step("settle_board_review")
def settle_board_review(act: Act, work: Work) -> Mapping[str, Any]:
    """C08: returned or rejected, no signature counts any more and the reasons are told."""
    order, board = order_of(act, work), dict(work["board"])
    outcome = board["outcome"] or change_board.outcome_of(act, order) or "RETURN"
    said = change_board.said(act, order)
    if outcome != "APPROVE":
        to = S.REJECTED if outcome == "REJECT" else S.RETURNED
        supersede(act, order.record_type, order.id)
        act.session.flush()
        move(act, order, to, reason=" ".join(said)[:3900] or outcome.lower())
        tell(act, {person_of(order.owner), person_of(order.opened_by)} - {""}, f"{order.number} was {to.lower()} by the board",
             key=f"{order.id}:{to}:{order.round}", body="\n".join(said), record=(order.record_type, order.id))  # fmt: skip
    parts = parts_of(act.session, order) if outcome == "SPLIT" else []
    choices = [{"value": key, "label": words} for key, words in parts]
    if outcome == "SPLIT" and len(parts) < 2:
        outcome, choices = "RETURN", []
    ask = f"Write {order.number} again: the board returned it"
    return {"board": board | {"outcome": outcome, "votes": sentences(said), "split_choices": choices},
            "order": order_variable(act, order, ask=ask, why=" ".join(said))}  # fmt: skip


@registry.step("split_change_order")
def split_change_order(act: Act, work: Work) -> Mapping[str, Any]:
    """C08: what is split off goes on by itself, in a second order; the rest of the first is written again."""
    order, why = order_of(act, work), ""
    try:
        with act.attempt():
            second = split_off(act, order, work.get("split_off") or (), title=str(work.get("split_title") or ""))
            take_up(act, second)
    except (Conflict, Invalid) as refusal:
        act.note(order.record_type, order.id, "NOT_SPLIT", reason=refusal.message)
        return {"order": order_variable(act, order, why=f"Nothing was split off. {refusal.message}"), "split_off": None}
    tell(act, [person_of(order.owner)], f"{second.number} was split off {order.number}", key=f"{order.id}:split:{second.id}",
         record=(second.record_type, second.id))  # fmt: skip
    why = f"{second.number} ({second.title}) was split off. What is left goes to the board again."
    ask = f"Write what is left of {order.number}: the board split it"
    return {"order": order_variable(act, order, ask=ask, why=why), "split_off": None, "split_title": None}


@registry.step("resubmit_change")
def resubmit_change(act: Act, work: Work) -> Mapping[str, Any]:
    """C08: rejected, it is written again: whoever signed signs the new version."""
    order = order_of(act, work)
    move(act, order, S.IMPACT, reason=str((work.get("decision") or {}).get("reason") or "Written again"))
    return {"order": order_variable(act, order, ask=f"Write another version of {order.number}"), "decision": None}


@registry.step("approve_change_order")
def approve_change_order(act: Act, work: Work) -> Mapping[str, Any]:
    """C09: approve it, if the revisions are what the baseline says and nothing fell into the frozen set."""
    order = order_of(act, work)
    if moved := moved_since(order):
        supersede(act, order.record_type, order.id)
        act.session.flush()
        move(act, order, S.CONFLICT, reason=" ".join(moved)[:3900])
        tell(act, [person_of(order.owner)], f"{order.number} is in conflict", key=f"{order.id}:conflict:{order.round}",
             body="\n".join(moved), record=(order.record_type, order.id))  # fmt: skip
        return {"standing": "CONFLICT", "order": order_variable(act, order)}
    if grown := impact.has_grown(act.session, order):
        new = "; ".join(f"{row.native_ref}: {plain(row.quantity)} {row.uom}" for row in grown[:10])
        tell(act, [person_of(order.owner)], f"New orders fell into {order.number}", key=f"{order.id}:grown:{order.round}", body=new,
             record=(order.record_type, order.id))  # fmt: skip
        return {"standing": "GROWN", "order": order_variable(act, order, why=new)}
    if not order.is_customer_approval_required:
        move(act, order, S.APPROVED)
    return {"standing": "APPROVED", "order": order_variable(act, order)}


@registry.step("rebase_change")
def rebase_change(act: Act, work: Work) -> Mapping[str, Any]:
    """C10: a new baseline; the impact is open again, and whoever signed signs again."""
    order = order_of(act, work)
    supersede(act, order.record_type, order.id)
    act.session.flush()
    if order.status is not S.IMPACT:
        why = (
            "Rebased on what is released now"
            if order.status is S.CONFLICT
            else "New orders fell into the frozen impact"
        )
        move(act, order, S.IMPACT, reason=why)
    _drop_gone(act, order)
    take_baseline(act, order)
    return {"order": order_variable(act, order), "board": None, "standing": None}


def _drop_gone(act: Act, order: ChangeOrder) -> None:
    """Say which affected revisions are released no more: they need another revision to start from."""
    for item in order.affected:
        if item.part_revision_from.status.value not in ("RELEASED", "IN_REVIEW", "DRAFT"):
            act.note(
                order.record_type,
                order.id,
                "BASELINE_MOVED",
                reason=f"{item.part_revision_from.number} is {item.part_revision_from.status}",
            )


@registry.step("escalate_customer")
def escalate_customer(act: Act, work: Work) -> None:
    """C11: the customer or regulator has not answered in time."""
    order = order_of(act, work)
    tell_management(
        act, order, f"{order.number} still waits for the customer or regulator", key=f"customer:{order.round}"
    )


@registry.step("keep_customer_answer")
def keep_customer_answer(act: Act, work: Work) -> Mapping[str, Any]:
    """C11: approved, it goes on; returned, it is written again; rejected, its specialist answers that. A message says which."""
    order, decision = order_of(act, work), dict(work.get("decision") or {})
    answer = work.get("answer") or {}
    if answer:
        refused = "reject" if answer.get("is_final") else "return"
        decision = {
            "verdict": "approve" if answer.get("approved") else refused,
            "reason": str(answer.get("text") or ""),
        }
    reference = str(work.get("customer_answer") or answer.get("reference") or "").strip()
    reason = str(decision.get("reason") or reference)
    act.note(order.record_type, order.id, "CUSTOMER_ANSWER", new=str(decision["verdict"]), reason=reference or reason)
    if decision["verdict"] == "approve":
        move(act, order, S.APPROVED, reason=f"Customer or regulator approved: {reference}")
        return {"decision": decision, "answer": None, "order": order_variable(act, order)}
    supersede(act, order.record_type, order.id)
    act.session.flush()
    is_final = decision["verdict"] == "reject"
    to, word = (S.REJECTED, "rejected") if is_final else (S.RETURNED, "returned")
    move(act, order, to, reason=f"Customer or regulator {word} it: {reason}"[:3900])
    tell(act, {person_of(order.owner), person_of(order.opened_by)} - {""}, f"{order.number} was {word} by its customer or regulator",
         key=f"{order.id}:customer:{order.round}", body=reason, record=(order.record_type, order.id))  # fmt: skip
    ask = f"Write {order.number} again: the customer or regulator {word} it"
    return {"decision": decision, "answer": None, "order": order_variable(act, order, ask=ask, why=reason)}


@registry.step("hold_emergency")
def hold_emergency(act: Act, work: Work) -> Mapping[str, Any]:
    """C21: its hours are over and nobody approved it: everything that it lists is held, management hears of it."""
    order = order_of(act, work)
    reason = f"{order.number} was not approved before {order.expires_at:%Y-%m-%d %H:%M} UTC"
    supersede(act, order.record_type, order.id)
    act.session.flush()
    if order.status is not S.REJECTED:
        move(act, order, S.OVERDUE_HOLD, reason=reason)
    held = hold_all(act, order, reason=reason)
    tell_management(act, order, f"{order.number} is overdue: {', '.join(held) or 'nothing'} on hold", key="overdue")
    return {"order": order_variable(act, order)}


@registry.step("continue_emergency")
def continue_emergency(act: Act, work: Work) -> Mapping[str, Any]:
    """C21: it goes to the board after all, while everything stays on hold."""
    order = order_of(act, work)
    move(act, order, S.IMPACT, reason="Taken up again under hold")
    variable = order_variable(act, order, ask=f"Bring {order.number} to the board: it is overdue and on hold")
    return {"order": variable | {"deadline": ENDLESS}}


@registry.step("settle_change_decision")
def settle_change_decision(act: Act, work: Work) -> Mapping[str, Any]:
    """What was decided: made, given up, merged into another, or rejected; a rejected emergency is contained."""
    order, decision = order_of(act, work), work.get("decision") or {}
    if order.status is S.APPROVED:
        return {"settled": {"verdict": "approve", "contain": False}, "decision": None}
    reason = str(decision.get("reason") or "")
    into = work.get("merge_into") if decision.get("verdict") == "merge" else None
    other = existing(act.session, ChangeOrder, into) if into else None
    if other is not None:
        reason = f"Merged into {other.number}. {reason}".strip()
    if not order.is_over:
        move(act, order, S.WITHDRAWN, reason=reason or "Given up")
    if other is not None:
        _merge(act, order, other)
    was_active = order.change_class is OrderClass.CE
    return {
        "settled": {"verdict": "reject", "contain": was_active},
        "order": order_variable(act, order),
        "decision": None, "merge_into": None,
    }  # fmt: skip


def _merge(act: Act, order: ChangeOrder, into: ChangeOrder) -> None:
    """Write what an order was to change into another one; where that is sealed by now, and for what does not fit, ask by a request."""
    said = f"{order.number} was merged into {into.number}"
    try:
        with act.attempt():
            left = merge(act, order, into)
    except Conflict as sealed:
        act.note(into.record_type, into.id, "NOT_MERGED", new=order.number, reason=sealed.message)
        said = f"{order.number} was to be merged into {into.number}, which is sealed by now"
        left = [item for item in items_of(act.session, order) if item.applied_at is None]
    tell(
        act,
        [person_of(into.owner)],
        said,
        key=f"{into.id}:merged:{order.id}",
        body=order.title,
        record=(into.record_type, into.id),
    )
    if not left:
        return
    edits = [
        {"table_name": item.table_name, "row_id": item.row_id, "column_name": item.column_name, "old_text": item.old_text,
         "new_text": item.new_text, "about": order.number}
        for item in left
    ]  # fmt: skip
    asked = open_request(
        act, title=f"From {order.number}: {order.title}"[:200], problem=order.reason,
        proposal=f"Take it into {into.number}.", source=RequestSource.DOC_ERROR, source_ref=order.number, edits=edits,
    )  # fmt: skip
    submit(act, asked)
    begin(act, asked)


def impact_variable(act: Act, order: ChangeOrder) -> dict[str, Any]:
    """Return the variable ``impact``: the rows in words, what is missing and whose turn it is, what it costs."""
    act.session.flush()
    snapshot = newest_snapshot(act.session, order)
    rows = rows_of(act.session, snapshot) if snapshot is not None else []
    lanes = impact.lanes_of(act.session, order)
    said = {each.area: each for each in assessments_of(act.session, order)}
    cost = impact.cost_of(act.session, order)["TOTAL"]
    problems = impact.problems_of(act.session, order, now=act.now)
    counted = sum((row.quantity for row in rows if row.is_counted), start=type(cost)(0))
    return {
        "rows": sentences(row_sentence(row) for row in rows[:MOST_ROWS_SHOWN]),
        "total": f"{len(rows)} rows, {plain(counted)} pieces", "cost": cost, "cost_text": f"{cost:,.2f} {order.site.currency}",
        "areas": [
            {"area": area.value, "name": area.value.capitalize().replace("_", " "), "groups": groups_of(act, role)}
            for area, role in lanes if area not in said and area is not AssessmentArea.FINANCE
        ],
        "needs_finance": any(area is AssessmentArea.FINANCE and area not in said for area, _ in lanes),
        "assessments": sentences(_assessed(each) for each in said.values()),
        "problems": sentences(_without_finance(problems)), "owners": _owners(order, rows, _without_finance(problems)),
    }  # fmt: skip


def _assessed(said: ImpactAssessment) -> str:
    return f"{said.area.capitalize().replace('_', ' ')}: {said.answer.lower().replace('_', ' ')}. {said.text}".strip()


def _without_finance(problems: list[str]) -> list[str]:
    """What finance has to say is asked after everything else."""
    return [each for each in problems if not each.startswith("Expected finance to assess")]


def _owners(order: ChangeOrder, rows: Any, problems: list[str]) -> list[dict[str, Any]]:
    """Group what is missing by whose turn it is: rows by their owner, the rest for the change specialist."""
    found: dict[str, list[str]] = {}
    rest = list(problems)
    for row in rows:
        if not row.is_disposed:
            found.setdefault(row.owner, []).append(row_sentence(row))
            rest = [each for each in rest if row.native_ref not in each]
    if rest:
        found.setdefault("role:CHANGE_SPECIALIST", []).extend(rest)
    return [
        {
            "groups": sorted({group_of(owner), "CHANGE_SPECIALIST"}),
            "words": _count(owner, said),
            "problems": sentences(said),
        }
        for owner, said in found.items()
    ]


def _count(owner: str, said: list[str]) -> str:
    if owner == "role:CHANGE_SPECIALIST":
        return f"settle {len(said)} open {'point' if len(said) == 1 else 'points'}"
    return f"decide what becomes of {len(said)} {'row' if len(said) == 1 else 'rows'}"
