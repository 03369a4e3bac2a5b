"""What a decided stop does (B13): the amendment of the order, the change of the work, the pieces, all under one change order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import canonical_json, content_hash
from engine.database import new_id
from engine.errors import Conflict, Invalid
from engine.record import Operation
from processes import amendment as amending
from processes.amendment_applying import restored
from processes.amendment_examination import examine
from processes.change_addenda import Value, apply_addendum
from processes.change_documents import proposed_addendum
from processes.change_recalled import ask_planner
from processes.documents import plain
from processes.notices import tell_role
from processes.outside_changes import DISPOSITIONS, following, is_free, is_technical
from processes.outside_losses import write_off
from processes.outside_messages import mail_supplier
from processes.work_order_release import snapshot_of
from records.amendment import TOOK_EFFECT, AmendmentStatus, PurchaseOrderAmendment, open_amendment_of
from records.impact import ImpactTarget, PieceState, RowDisposition, RowStatus
from records.outside import OutsideLink, serials_away
from records.outside_loss import FollowUp
from records.outside_stop import OutsideStop, StopDecision
from records.part import PartRevision, RevisionStatus
from records.purchase_order import LineStatus
from rules.amending import Edits, LineEdit, text_of
from rules.impact_rules import legal, owner_of

RELEASED = RevisionStatus.RELEASED
UPDATE = Operation.UPDATE.value


def refuse_impossible(act: Act, stop: OutsideStop) -> None:
    """Refuse a decision that nothing can carry out.

    Raises: Conflict UNCONTROLLED_CHANGE for a new revision without a change order, WORK_NOT_WHOLE where the work order has pieces
    elsewhere; Invalid where nothing new is said, or where scrap leaves nothing of the work order.
    """
    link, work = stop.link, stop.link.operation.work_order
    if stop.decision is StopDecision.SCRAP and stop.follow_up is FollowUp.REDUCE and work.quantity <= link.at_supplier:
        raise Invalid(
            f"Expected something of {work.number} to be left, but all {plain(work.quantity)} {work.uom} are to be scrapped; have them "
            "made again, or cancel the work order",
            {"follow_up": "nothing would be left"},
        )
    if stop.decision is not StopDecision.CONTINUE_TO_NEW:
        return
    if stop.change_order is None:
        raise Conflict(
            f"Expected a change order behind the new revision, which is a change of class C4, but there is none for {stop.number}. "
            "Raise one, or finish as ordered, recall or scrap.",
            code="UNCONTROLLED_CHANGE", record=(stop.record_type, stop.id),
        )  # fmt: skip
    if not _new_values(stop):
        raise Invalid(
            f"Expected what is new, a revision of {work.item} or of the specification, but {stop.change_order.number} names none",
            {"new_spec_rev": "is required"},
        )
    elsewhere = (link.operation.quantity_in or work.quantity) - link.operation.scrap - link.at_supplier
    if elsewhere > 0:
        raise Conflict(
            f"Expected all pieces of {link.operation.number} to be away under {link.number}, but {plain(elsewhere)} {link.uom} are not: "
            "one operation has one specification. Recall these, or finish them as ordered.",
            code="WORK_NOT_WHOLE", record=(stop.record_type, stop.id),
        )  # fmt: skip
    _refuse_unable(act, stop)


def _refuse_unable(act: Act, stop: OutsideStop) -> None:
    """Refuse a new revision that the laws of orders would refuse, its release apart. Raises: Conflict with their sentences."""
    edits, order = _onward(stop), stop.link.order
    after = following(stop)
    if edits is None or order.approved_hash is None or open_amendment_of(act.session, order) is not None:
        return
    found = examine(act, order, edits, change_order=stop.change_order)
    stops = [
        each.sentence
        for each in found.findings
        if after is None or after.number not in each.sentence or after.status is RELEASED
    ]
    stops += [each.refusal for each in found.classified if not each.is_possible]
    if stops:
        raise Conflict(" ".join(stops), code="NOT_POSSIBLE", record=(stop.record_type, stop.id))


def values_of(act: Act, stop: OutsideStop) -> list[Value]:
    """Return what the board signs: what the impact says from now on, and what the work order becomes whose pieces go on to the new."""
    if stop.change_order is None or stop.decision is None:
        return []
    found = [*_new_words(act, stop), *_new_row(act, stop)]
    return found if stop.decision is not StopDecision.CONTINUE_TO_NEW else found + _new_work(act, stop)


def _new_work(act: Act, stop: OutsideStop) -> list[Value]:
    operation, new = stop.link.operation, _new_values(stop)
    work = operation.work_order
    found: list[Value] = []
    spec_rev = new.get("spec_rev")
    if spec_rev is not None and spec_rev != operation.spec_rev:
        found.append((operation.record_type, operation.id, "spec_rev", operation.spec_rev, spec_rev, UPDATE))
    after = new.get("part_revision_id")
    if after is not None and after != work.part_revision_id:
        found.append((work.record_type, work.id, "part_revision_id", work.part_revision_id, after, UPDATE))
    if found and work.snapshot is not None:
        found += _definition(act, stop, spec_rev, after)
    return found


def words_of(stop: OutsideStop) -> str:
    """Say a decision as its signers read it, with what the pieces go on to."""
    said = str(stop.decision).lower().replace("_", " ")
    if stop.decision is not StopDecision.CONTINUE_TO_NEW:
        return said
    after, spec = following(stop), stop.link.order_line.spec or "the specification"
    named = [after.number] if after is not None else []
    if new_rev := _new_values(stop).get("spec_rev"):
        named.append(f"{spec} rev {new_rev}")
    if stop.quoted_price is not None:
        named.append(f"{plain(stop.quoted_price)} {stop.link.order.currency} a piece")
    return f"{said}, {', '.join(named)}"


def carry_out(act: Act, stop: OutsideStop) -> bool:
    """Do what was decided, once; say whether it is done, or waits until another amendment of the order is over."""
    assert stop.decision is not None
    done = EFFECTS[stop.decision](act, stop)
    if done is None:
        return False
    stop.made_ref = done[:4000]
    _settle_row(act, stop)
    work, change = stop.link.operation.work_order, stop.change_order
    under = f"{change.number}: " if change is not None else ""
    act.note(
        work.record_type, work.id, f"OUTSIDE_{stop.decision.value}", field=stop.link.operation.number,
        new=f"{plain(stop.quantity)} {stop.link.uom} under {stop.link.number}", reason=f"{under}{done}"[:3900],
    )  # fmt: skip
    act.session.flush()
    return True


def _finish_as_old(act: Act, stop: OutsideStop) -> str | None:
    """Let them finish as they were ordered: an amendment that says otherwise is taken back, or undone for this line."""
    link = stop.link
    standing = open_amendment_of(act.session, link.order)
    if standing is not None and standing.id != stop.made_id and is_technical(standing, link):
        if standing.status is AmendmentStatus.PENDING:
            amending.withdraw(act, standing, reason=f"{stop.number}: the pieces finish as they were ordered")
        return None
    done = f"No amendment: {link.order_line.number} says {_as_ordered(link)} already, and what holds needs no further revision."
    amended = stop.amendment
    if amended is not None and amended.status in TOOK_EFFECT and stop.made_id is None:
        if standing is not None:
            return None
        back = _own_line(amended, link)
        if back.lines:
            done = _amend(act, stop, back, reverts=amended)
    _tell(act, stop, "RESUME WORK", f"Finish them as they were ordered, to {_as_ordered(link)}.")
    return done


def _recall(act: Act, stop: OutsideStop) -> str | None:
    """Call them home unprocessed: the order is not for them any more, and who receives expects them."""
    done = _order_less(act, stop)
    if done is None:
        return None
    link = stop.link
    _tell(
        act,
        stop,
        "RECALL",
        "Send them back as they are, unprocessed, with a packing slip that says how far each one is.",
    )
    for role in ("RECEIVING", "PLANNER"):
        subject = f"Recall {plain(link.at_supplier)} {link.uom} from {link.order.supplier.name}: {stop.number}"
        tell_role(act, role, subject, key=f"{stop.id}:recall:{role}", record=(link.record_type, link.id))
    if stop.change_order is None or not link.at_supplier:
        return done
    asked = ask_planner(act, stop.change_order, link, because=stop.number)
    return f"{done} The planner says what becomes of them: {asked.number}." if asked is not None else done


def _scrap(act: Act, stop: OutsideStop) -> str | None:
    """Write them off where they are: the balance moves at once, planner and buyer sign what follows for the work order."""
    link = stop.link
    done = _order_less(act, stop)
    if done is None:
        return None
    if link.at_supplier:
        write_off(
            act, link, link.at_supplier, statement=f"{stop.number}: scrapped at the supplier, {_why(stop)}",
            follow_up=stop.follow_up or FollowUp.REPLENISH, event_id=f"stop:{stop.id}",
            serials=tuple(serials_away(act.session, link)),
        )  # fmt: skip
    _tell(act, stop, "SCRAP", "Make them unusable and send us the certificate of destruction.")
    return f"{done} They are written off; planner and buyer sign what follows."


def _continue(act: Act, stop: OutsideStop) -> str | None:
    """Go on to the new revision: the order says it, at the price that was quoted anew."""
    link = stop.link
    if not is_free(act.session, link):
        return None
    if stop.addendum_id is not None and stop.change_order is not None:
        apply_addendum(act, proposed_addendum(act, stop.change_order, stop.addendum_id))
    edits, done = _onward(stop), f"No amendment: {link.order_line.number} says what the pieces go on to already."
    if edits is not None and stop.made_id is None:
        done = _amend(act, stop, edits)
    _tell(act, stop, "NEW REVISION", "Go on once you have acknowledged the changed order, to what it says.")
    return done


EFFECTS: Mapping[StopDecision, Callable[[Act, OutsideStop], str | None]] = {
    StopDecision.FINISH_AS_OLD: _finish_as_old,
    StopDecision.RECALL: _recall,
    StopDecision.SCRAP: _scrap,
    StopDecision.CONTINUE_TO_NEW: _continue,
}


def _order_less(act: Act, stop: OutsideStop) -> str | None:
    """Take the pieces off their line, all of it where nothing else is on it; None while another amendment is under way."""
    link, line = stop.link, stop.link.order_line
    if stop.made_id is not None or line.status in (LineStatus.CANCELLED, LineStatus.CLOSED) or not link.at_supplier:
        return stop.made_ref or "Nothing of the order is left to change."
    if open_amendment_of(act.session, link.order) is not None:
        return None
    left = line.quantity - min(stop.quantity, link.at_supplier) * link.conversion_factor
    edit = LineEdit(line.line_no, {"quantity": left}) if left > 0 else LineEdit(line.line_no, is_cancelled=True)
    return _amend(act, stop, Edits(lines=[edit]))


def _onward(stop: OutsideStop) -> Edits | None:
    """Return what the line becomes where its pieces go on to the new revision; None where it says so already."""
    line = stop.link.order_line
    wanted: dict[str, Any] = dict(_new_values(stop))
    if stop.quoted_price is not None:
        wanted["unit_price"] = stop.quoted_price
    missing = {name: value for name, value in wanted.items() if getattr(line, name) != value}
    return Edits(lines=[LineEdit(line.line_no, missing)]) if missing else None


def _amend(act: Act, stop: OutsideStop, edits: Edits, *, reverts: PurchaseOrderAmendment | None = None) -> str:
    """Send an amendment on its way under the change order of the stop; an order of another system is its buyer's to amend there."""
    order = stop.link.order
    if order.approved_hash is None:
        subject = f"Amend {order.number} where it was approved: {stop.number}, {words_of(stop)}"
        tell_role(act, "BUYER", subject, key=f"{stop.id}:elsewhere", record=(order.record_type, order.id))
        return f"{order.number} was approved elsewhere, where its buyer amends it."
    if reverts is not None:
        made = amending.propose(act, order, edits, reason=_why(stop), reverts=reverts)
    else:
        made = amending.propose(act, order, edits, reason=_why(stop), change_order=stop.change_order)
    if stop.change_order_id is not None and made.change_order_id is None:
        made.change_order_id = stop.change_order_id
    stop.made, stop.made_id = made, made.id
    act.session.flush()
    amending.start(act, made)
    return f"{made.number} is on its way."


def _own_line(amended: PurchaseOrderAmendment, link: OutsideLink) -> Edits:
    """Return what brings the technical values of one line back that an amendment changed."""
    line_no = link.order_line.line_no
    return Edits(lines=[edit for edit in restored(amended).lines if edit.line_no == line_no and not edit.is_cancelled])


def _new_values(stop: OutsideStop) -> dict[str, str]:
    """Return what the line becomes: the revision that follows under the change order, and the specification that was chosen."""
    line, found = stop.link.order_line, {}
    follows = following(stop)
    if follows is not None:
        found["part_revision_id"] = follows.id
    if stop.spec_rev:
        found["spec_rev"] = stop.spec_rev
    elif stop.amendment is not None:
        for row in stop.amendment.changes:
            if row.row_id == line.id and row.column_name == "spec_rev" and row.new_text:
                found["spec_rev"] = row.new_text
    return found


def _definition(act: Act, stop: OutsideStop, spec_rev: str | None, after: str | None) -> list[Value]:
    """Return the released definition of the work order as it will be: what the board signs is what it goes on with."""
    operation = stop.link.operation
    work = operation.work_order
    content = snapshot_of(work)
    if after is not None:
        revision = act.session.get_one(PartRevision, after)
        content["part_revision"] = revision.number
        content["definitions"] = [
            {"kind": each.kind.value, "id": each.native_id, "rev": each.native_rev, "hash": each.content_hash, "system": each.system}
            for each in revision.definitions
        ]  # fmt: skip
    if spec_rev is not None:
        steps = [each for each in content["operations"] if each["op_no"] == operation.op_no]
        for each in steps:
            each["spec_rev"] = spec_rev
    text, hashed = canonical_json(content).decode(), content_hash(content)
    values = (
        ("snapshot", work.snapshot, text),
        ("snapshot_hash", work.snapshot_hash, hashed),
        ("approved_hash", work.approved_hash, hashed),
    )
    return [
        (work.record_type, work.id, name, text_of(type(work), name, old), new, UPDATE)
        for name, old, new in values
        if old is not None
    ]


def _rows(act: Act, stop: OutsideStop) -> list[RowDisposition]:
    """Return what the impact of the change says of the pieces."""
    wanted = select(RowDisposition).where(
        RowDisposition.change_order_id == stop.change_order_id, RowDisposition.target == ImpactTarget.AT_SUPPLIER,
        RowDisposition.target_id == stop.link_id, RowDisposition.state == PieceState.AWAY,
    )  # fmt: skip
    return list(act.session.scalars(wanted.order_by(RowDisposition.position)))


def _new_words(act: Act, stop: OutsideStop) -> list[Value]:
    """Return what the impact says otherwise from now on, of a row that it has."""
    assert stop.decision is not None
    disposition = DISPOSITIONS[stop.decision]
    judged = legal(ImpactTarget.AT_SUPPLIER, disposition)
    wanted = {"disposition": disposition.value, "cost_kind": str(judged.outputs["cost_kind"]), "judged_by": judged.hash}
    return [
        (row.record_type, row.id, name, str(getattr(row, name)), new, UPDATE)
        for row in _rows(act, stop)
        for name, new in wanted.items()
        if str(getattr(row, name)) != new
    ]


def _new_row(act: Act, stop: OutsideStop) -> list[Value]:
    """Return the row that the impact gets where it was silent about the pieces; nothing where it has one."""
    change, link = stop.change_order, stop.link
    if change is None or stop.decision is None or _rows(act, stop):
        return []
    disposition = DISPOSITIONS[stop.decision]
    judged = legal(ImpactTarget.AT_SUPPLIER, disposition)
    values: dict[str, Any] = {
        "change_order_id": change.id, "target": ImpactTarget.AT_SUPPLIER, "target_id": link.id, "state": PieceState.AWAY, "position": 1,
        "quantity": stop.quantity, "uom": link.uom, "disposition": disposition, "reason": stop.reason, "cost": Decimal(0),
        "cost_kind": str(judged.outputs["cost_kind"]), "currency": change.site.currency, "judged_by": judged.hash,
        "owner": owner_of(ImpactTarget.AT_SUPPLIER), "evidence": stop.number,
    }  # fmt: skip
    row_id = new_id()
    return [
        (RowDisposition.__tablename__, row_id, name, None, text_of(RowDisposition, name, value), Operation.INSERT.value)
        for name, value in values.items()
    ]


def _settle_row(act: Act, stop: OutsideStop) -> None:
    """Let the impact of the change say what became of the pieces, as the board signed it."""
    if stop.change_order is None or stop.decision is None:
        return
    if stop.addendum_id is not None:
        addendum = proposed_addendum(act, stop.change_order, stop.addendum_id)
        apply_addendum(act, addendum)
    disposition = DISPOSITIONS[stop.decision]
    for row in _rows(act, stop):
        act.session.refresh(row)
        if row.status is RowStatus.RETURNED:
            row.status, row.returned_reason = RowStatus.DISPOSED, ""
            act.session.flush()
        if row.status is RowStatus.DISPOSED and row.disposition is disposition:
            row.status, row.done_at, row.done_ref = RowStatus.DONE, act.now, f"{stop.number}: {stop.made_ref}"[:200]
    act.session.flush()


def _tell(act: Act, stop: OutsideStop, word: str, text: str) -> None:
    link = stop.link
    about = f"{plain(stop.quantity)} {link.uom} of {link.operation.work_order.item} under {link.order.number}"
    mail_supplier(act, link, f"{word}: {link.order.number}", f"About {about}: {text} Our reference is {stop.number}.")


def _as_ordered(link: OutsideLink) -> str:
    spec = " rev ".join(filter(None, [link.spec, link.spec_rev]))
    item = link.part_revision.number if link.part_revision is not None else link.operation.work_order.item
    return f"{item}, {spec}" if spec else str(item)


def _why(stop: OutsideStop) -> str:
    change = stop.change_order
    under = f"{change.number}: {change.title}. " if change is not None else ""
    return f"{under}{stop.number}: {str(stop.decision).lower().replace('_', ' ')}. {stop.reason}".strip()


__all__ = ["carry_out", "refuse_impossible", "values_of", "words_of"]
