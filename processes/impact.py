"""The impact of a change: computed to rows, frozen, disposed, assessed, and opened again when the plant moves on (domain.md C04-C07)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session, aliased, selectinload

from engine import bulk
from engine.act import Act
from engine.canonical import content_hash
from engine.database import new_id
from engine.errors import Conflict, Invalid
from processes.impact_query import SOURCES, Found, find
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.impact import (
    AffectedOrder,
    AssessmentAnswer,
    AssessmentArea,
    Disposition,
    ImpactAssessment,
    ImpactSnapshot,
    ImpactTarget,
    RowDisposition,
    RowStatus,
    assessments_of,
    newest_snapshot,
)
from records.part import PartRevision
from records.person import Role
from records.signing import supersede
from rules.impact_rules import areas_of, feasible_from, legal, owner_of, refuse_illegal, refuse_unknown_owner

INCOMPLETE = "INCOMPLETE_DISPOSITION"
REOPENABLE = (ChangeOrderStatus.REVIEW, ChangeOrderStatus.APPROVED)
IN_WORK = (ImpactTarget.WO, ImpactTarget.WO_OP)


@dataclass(frozen=True, slots=True)
class Share:
    """What becomes of some pieces of a row. quantity: None for all of them; cost: None for what the table's kind would cost."""

    disposition: Disposition | str
    quantity: Decimal | None = None
    owner: str = ""
    due: dt.date | None = None
    cost: Decimal | None = None
    reason: str = ""
    evidence: str = ""


def compute(act: Act, order: ChangeOrder) -> ImpactSnapshot:
    """Ask every source what the change touches, and keep the rows as a new set (C04); a former set stays readable.

    What was decided about pieces that are still there counts on. Raises: Conflict when the content is sealed.
    """
    _refuse_sealed(order, "computed again")
    found, missing = find(act.session, order, others=sources_of(act))
    before = newest_snapshot(act.session, order)
    turn = before.turn + 1 if before is not None else 1
    snapshot = ImpactSnapshot(
        number=f"{order.number}/I{turn}", change_order=order, change_order_id=order.id, turn=turn, queried_at=act.now,
        missing="\n".join(missing), rows_count=len(found), content_hash=_set_hash(found),
    )  # fmt: skip
    act.session.add(snapshot)
    act.session.flush()
    bulk.load_now(act.session, AffectedOrder, _rows(act, order, snapshot, found))
    order.impact_hash = _decided_hash(act.session, order, snapshot)
    act.session.flush()
    return snapshot


def freeze(act: Act, order: ChangeOrder) -> ImpactSnapshot:
    """Freeze the newest set with its query's instant and hash.

    Raises: Conflict NOT_COMPUTED without a set, SOURCE_UNAVAILABLE when a source was silent, IMPACT_GROWN when the plant has moved on
    since the set was asked for: compute it again.
    """
    snapshot = _present(act.session, order)
    if snapshot.missing:
        raise Conflict(
            f"{snapshot.missing} The impact of {order.number} cannot be frozen while a source is missing; compute it again later.",
            code="SOURCE_UNAVAILABLE", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip
    if snapshot.frozen_at is not None:
        return snapshot
    _refuse_sealed(order, "frozen")
    if grown := changes_since(act, order, snapshot):
        raise Conflict(
            f"Expected the plant as {snapshot.number} found it, but {grown[0]} Compute the impact of {order.number} again.",
            code="IMPACT_GROWN", record=(order.record_type, order.id),
        )  # fmt: skip
    snapshot.frozen_at = act.now
    order.impact_hash = _decided_hash(act.session, order, snapshot)
    act.session.flush()
    return snapshot


def dispose(
    act: Act,
    row: AffectedOrder,
    disposition: Disposition | str,
    *,
    owner: str = "",
    due: dt.date | None = None,
    evidence: str = "",
    cost: Decimal | None = None,
    reason: str = "",
) -> RowDisposition:
    """Say what becomes of all pieces of a row; said again, the new word replaces the one before.

    owner: a principal, else whose turn it was. cost: in the row's currency. Raises: as ``divide``.
    """
    return divide(act, row, [Share(disposition, None, owner, due, cost, reason, evidence)])[0]


def divide(act: Act, row: AffectedOrder, shares: Sequence[Share]) -> list[RowDisposition]:
    """Say what becomes of the pieces of a row, which shares divide.

    Raises: Invalid naming the field: shares that do not add up, a disposition the table does not allow, an unknown owner, a due day
    that is past; Conflict IMPACT_FROZEN when the board has the row, STALE_VERSION for a row of a former set.
    """
    order = act.session.get_one(ChangeOrder, row.change_order_id)
    snapshot = _refuse_closed(act, order, [row])
    made = _divide(act, row, shares)
    _seal_decisions(act, order, snapshot, [row])
    return made


def _divide(act: Act, row: AffectedOrder, shares: Sequence[Share]) -> list[RowDisposition]:
    wanted = _checked(act, row, shares)
    for present in row.dispositions[len(wanted) :]:
        act.session.delete(present)
    kept = list(row.dispositions)
    return [
        _write(act, row, share, position, kept[position - 1] if position <= len(kept) else None)
        for position, share in enumerate(wanted, start=1)
    ]


def _seal_decisions(act: Act, order: ChangeOrder, snapshot: ImpactSnapshot, rows: Sequence[AffectedOrder]) -> None:
    """Take what was decided into the hash that the board signs, once however many rows it was said of."""
    act.session.flush()
    for row in rows:
        act.session.expire(row, ["dispositions"])
    order.impact_hash = _decided_hash(act.session, order, snapshot)
    act.session.flush()


def dispose_all(
    act: Act, order: ChangeOrder, rows: Sequence[AffectedOrder], disposition: Disposition | str, **given: Any
) -> list[RowDisposition]:
    """Say the same of several rows at once, all or none. given: as of ``dispose``. Raises: as ``divide``, naming the row."""
    share = Share(
        disposition, None, given.get("owner", ""), given.get("due"), given.get("cost"), given.get("reason", ""),
        given.get("evidence", ""),
    )  # fmt: skip
    if not rows:
        raise Invalid("Expected rows to decide about, but none is chosen", {"rows": "Choose at least one row"})
    snapshot = _refuse_closed(act, order, rows)
    made = [one for row in rows for one in _divide(act, row, [share])]
    _seal_decisions(act, order, snapshot, rows)
    return made


def assess(
    act: Act,
    order: ChangeOrder,
    area: AssessmentArea | str,
    *,
    answer: AssessmentAnswer | str = AssessmentAnswer.IMPACT,
    text: str = "",
) -> ImpactAssessment:
    """Say what a change means to an area; said again, the new answer replaces the one before.

    Raises: Invalid for an unknown area or answer, or an impact without words; Conflict when the board has it.
    """
    known, answered = (
        _word(AssessmentArea, area, "area"),
        _word(AssessmentAnswer, answer, "answer"),
    )
    if answered is not AssessmentAnswer.NO_IMPACT and not text.strip():
        raise Invalid(
            f"Expected what the change means to {_name(known)}, but there is no text", {"text": "is required"}
        )
    _refuse_sealed(order, "assessed")
    present = next((each for each in assessments_of(act.session, order) if each.area is known), None)
    values = {"answer": answered, "text": text.strip(), "assessed_by": act.user_id or act.actor, "assessed_at": act.now}
    if present is None:
        present = ImpactAssessment(change_order=order, change_order_id=order.id, area=known, **values)
        act.session.add(present)
    for name, value in values.items():
        setattr(present, name, value)
    act.session.flush()
    if (snapshot := newest_snapshot(act.session, order)) is not None:
        order.impact_hash = _decided_hash(act.session, order, snapshot)
        act.session.flush()
    return present


def problems_of(session: Session, order: ChangeOrder, *, now: dt.datetime | None = None) -> list[str]:
    """Return a sentence for everything that the board would miss (C07); empty when the change is complete.

    now: instant at which the effectivity must be feasible; without one that is not asked.
    """
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return [f"Expected the impact of {order.number} to be computed, but nobody asked yet. Compute it."]
    return [
        *([snapshot.missing] if snapshot.missing else []),
        *(
            [f"Expected the impact of {order.number} to be frozen, but it is not. Freeze it."]
            if not snapshot.frozen_at
            else []
        ),
        *_undisposed(session, snapshot),
        *_unassessed(session, order),
        *_undecided(session, order, now),
    ]


def refuse_incomplete(session: Session, order: ChangeOrder, *, now: dt.datetime | None = None) -> None:
    """Refuse a change that misses something. Raises: Conflict INCOMPLETE_DISPOSITION with every sentence."""
    if found := problems_of(session, order, now=now):
        raise Conflict(" ".join(found), code=INCOMPLETE, record=(order.record_type, order.id))


def cost_of(session: Session, order: ChangeOrder) -> dict[str, Decimal]:
    """Return what the dispositions of the newest set cost, by kind and as ``TOTAL``, in the site's currency."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return {"TOTAL": Decimal(0)}
    spent = func.sum(RowDisposition.cost, type_=RowDisposition.cost.type)
    wanted = select(RowDisposition.cost_kind, spent).where(_of_set(snapshot), RowDisposition.cost > 0)
    found = {kind or "OTHER": cost for kind, cost in session.execute(wanted.group_by(RowDisposition.cost_kind))}
    return {**dict(sorted(found.items())), "TOTAL": sum(found.values(), Decimal(0))}


def lanes_of(session: Session, order: ChangeOrder) -> list[tuple[AssessmentArea, str]]:
    """Return the areas that assess a change, each with its role; finance where the dispositions cost enough."""
    return areas_of(session, order, cost=cost_of(session, order)["TOTAL"])


def has_grown(session: Session, order: ChangeOrder, *, others: Sequence[Any] = ()) -> list[AffectedOrder]:
    """Return the rows that appeared, or got more, since the newest set was asked for; they are not stored.

    Pieces that only went on inside their work order (begun, passed on) are no new ones.
    """
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return []
    known = _known(session, snapshot)
    found, _ = find(session, order, others=others)
    before = _in_work(session, snapshot)
    now: dict[str, Decimal] = {}
    for row in found:
        if row.target in IN_WORK:
            now[row.document[1]] = now.get(row.document[1], Decimal(0)) + row.quantity
    more = {work for work, quantity in now.items() if quantity > before.get(work, Decimal(0))}
    return [
        _unstored(order, snapshot, row)
        for row in found
        if row.quantity > known.get(_key(row), Decimal(0)) and (row.target not in IN_WORK or row.document[1] in more)
    ]


def reopen(act: Act, order: ChangeOrder, *, reason: str = "") -> ImpactSnapshot:
    """Open the impact again because the plant moved on: the order goes back to IMPACT, and the set is asked for anew.

    What was decided about pieces that are still there stands. Raises: Conflict when the order is being carried out already.
    """
    if order.status in REOPENABLE:
        from_now = reason.strip() or "New orders fell into the frozen impact"
        _supersede(act, order)
        move(act, order, ChangeOrderStatus.IMPACT, reason=from_now)
    _refuse_sealed(order, "opened again")
    return compute(act, order)


def changes_since(act: Act, order: ChangeOrder, snapshot: ImpactSnapshot) -> list[str]:
    """Return a sentence for every row that is not in the plant as a set has it: new, gone, or of another quantity."""
    known = _known(act.session, snapshot)
    found, _ = find(act.session, order, others=sources_of(act))
    now = {_key(row): row for row in found}
    sentences = [
        f"Expected {known.get(key, Decimal(0)).normalize():f} {row.uom} of {row.native_ref}, but there are "
        f"{row.quantity.normalize():f}."
        for key, row in now.items()
        if row.quantity != known.get(key)
    ]
    gone = known.keys() - now.keys()
    if gone:
        sentences.append(f"Expected {len(known)} rows, but {len(gone)} of them are gone.")
    return sentences


def sources_of(act: Act) -> Sequence[Any]:
    """Return the sources outside Lockstep that this installation asks."""
    return tuple(act.installation.extras.get(SOURCES, ()))


def _rows(act: Act, order: ChangeOrder, snapshot: ImpactSnapshot, found: Sequence[Found]) -> list[dict[str, Any]]:
    ids = {row.part_revision_id for row in found if row.part_revision_id}
    names = {revision.id: revision.number for revision in _revisions(act.session, ids)}
    currency, owners = order.site.currency, {target: owner_of(target) for target in ImpactTarget}
    return [
        {
            "id": new_id(), "change_order_id": order.id, "snapshot_id": snapshot.id, "position": position, "target": row.target,
            "target_id": row.target_id, "state": row.state, "part_revision_id": row.part_revision_id,
            "document_type": row.document[0], "document_id": row.document[1], "native_ref": row.native_ref,
            "item": names.get(row.part_revision_id or "", ""), "place": row.place, "quantity": row.quantity, "uom": row.uom,
            "is_counted": row.is_counted, "unit_value": row.unit_value, "currency": currency, "default_owner": owners[row.target],
        }
        for position, row in enumerate(found, start=1)
    ]  # fmt: skip


def _revisions(session: Session, ids: set[str]) -> Sequence[PartRevision]:
    wanted = select(PartRevision).where(PartRevision.id.in_(ids)).options(selectinload(PartRevision.part))
    return session.scalars(wanted).all() if ids else []


def _unstored(order: ChangeOrder, snapshot: ImpactSnapshot, row: Found) -> AffectedOrder:
    return AffectedOrder(
        change_order_id=order.id, snapshot_id=snapshot.id, position=0, target=row.target, target_id=row.target_id, state=row.state,
        part_revision_id=row.part_revision_id, document_type=row.document[0], document_id=row.document[1],
        native_ref=row.native_ref, item="", place=row.place, quantity=row.quantity, uom=row.uom, is_counted=row.is_counted,
        unit_value=row.unit_value, currency=order.site.currency, default_owner=owner_of(row.target),
    )  # fmt: skip


def _key(row: Found | AffectedOrder) -> tuple[str, str, str]:
    return row.target, row.target_id, row.state


def _known(session: Session, snapshot: ImpactSnapshot) -> dict[tuple[str, str, str], Decimal]:
    wanted = select(AffectedOrder.target, AffectedOrder.target_id, AffectedOrder.state, AffectedOrder.quantity)
    rows = session.execute(wanted.where(AffectedOrder.snapshot_id == snapshot.id))
    return {(target, target_id, state): quantity for target, target_id, state, quantity in rows}


def _in_work(session: Session, snapshot: ImpactSnapshot) -> dict[str, Decimal]:
    """Return how many pieces of each work order a set has, in whichever state."""
    quantity = func.sum(AffectedOrder.quantity, type_=AffectedOrder.quantity.type)
    wanted = select(AffectedOrder.document_id, quantity).where(
        AffectedOrder.snapshot_id == snapshot.id, AffectedOrder.target.in_(IN_WORK)
    )
    return {str(work): pieces for work, pieces in session.execute(wanted.group_by(AffectedOrder.document_id))}


def _set_hash(found: Sequence[Found]) -> str:
    return content_hash(
        sorted([row.target.value, row.target_id, row.state.value, f"{row.quantity:.6f}", row.uom] for row in found)
    )


def _decided_hash(session: Session, order: ChangeOrder, snapshot: ImpactSnapshot) -> str:
    """Return the hash of what the board reads of the impact: the set, every disposition, every assessment."""
    session.flush()
    columns = (
        RowDisposition.target, RowDisposition.target_id, RowDisposition.state, RowDisposition.position, RowDisposition.quantity,
        RowDisposition.disposition, RowDisposition.cost, RowDisposition.reason,
    )  # fmt: skip
    decided = session.execute(select(*columns).where(RowDisposition.change_order_id == order.id)).all()
    said = [[each.area.value, each.answer.value, each.text] for each in assessments_of(session, order)]
    return content_hash(
        {
            "set": snapshot.content_hash,
            "queried_at": snapshot.queried_at,
            "decided": sorted(
                [target.value, target_id, state.value, position, f"{quantity:.6f}", word.value, f"{cost:.4f}", reason]
                for target, target_id, state, position, quantity, word, cost, reason in decided
            ),
            "assessed": said,
        }
    )


def _present(session: Session, order: ChangeOrder) -> ImpactSnapshot:
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        raise Conflict(
            f"Expected the impact of {order.number} to be computed, but nobody asked yet. Compute it.",
            code="NOT_COMPUTED", record=(order.record_type, order.id),
        )  # fmt: skip
    return snapshot


def _refuse_sealed(order: ChangeOrder, what: str) -> None:
    if not order.is_free:
        raise Conflict(
            f"Expected the impact of {order.number} to be open, so that it can be {what}, but it is {order.status}. Return it, or open "
            "the impact again.",
            code="IMPACT_FROZEN", record=(order.record_type, order.id),
        )  # fmt: skip


def _refuse_closed(act: Act, order: ChangeOrder, rows: Sequence[AffectedOrder]) -> ImpactSnapshot:
    if not order.is_free:
        after = (
            "The board has it now."
            if order.status is ChangeOrderStatus.REVIEW
            else "Another disposition needs an addendum that engineering and quality sign."
        )
        raise Conflict(
            f"Expected the impact of {order.number} to be open, but it is {order.status} and {rows[0].native_ref} is frozen. {after}",
            code="IMPACT_FROZEN", record=(order.record_type, order.id),
        )  # fmt: skip
    snapshot = _present(act.session, order)
    if gone := next((row for row in rows if row.snapshot_id != snapshot.id), None):
        raise Conflict(
            f"Expected a row of {snapshot.number}, but {gone.native_ref} is of a former set. Reload the impact.",
            record=(order.record_type, order.id),
        )
    return snapshot


def _checked(act: Act, row: AffectedOrder, shares: Sequence[Share]) -> list[Share]:
    wanted = list(shares)
    for share in wanted:
        refuse_illegal(row, _word(Disposition, share.disposition, "disposition"))
        refuse_unknown_owner(act.session, share.owner, row, now=act.now)
        today = act.now.astimezone(act.session.get_one(ChangeOrder, row.change_order_id).site.zone).date()
        if share.due is not None and share.due < today:
            raise Invalid(
                f"Expected a due day from {today} on for {row.native_ref}, but {share.due} is past",
                {"due": "is in the past"},
            )
        if share.cost is not None and share.cost < 0:
            raise Invalid(f"Expected a cost of 0 or more, but found {share.cost}", {"cost": "below 0"})
    total = sum((row.quantity if share.quantity is None else share.quantity for share in wanted), Decimal(0))
    if (
        not wanted
        or total != row.quantity
        or any(share.quantity is not None and share.quantity <= 0 for share in wanted)
    ):
        raise Invalid(
            f"Expected dispositions of {row.native_ref} that add up to its {row.quantity.normalize():f} {row.uom}, but they add up to "
            f"{total.normalize():f}",
            {"quantity": f"adds up to {total.normalize():f} of {row.quantity.normalize():f}"}, code=INCOMPLETE,
        )  # fmt: skip
    return wanted


def _write(act: Act, row: AffectedOrder, share: Share, position: int, present: RowDisposition | None) -> RowDisposition:
    disposition = Disposition(share.disposition)
    judged = legal(row.target, disposition)
    quantity = row.quantity if share.quantity is None else share.quantity
    kind = str(judged.outputs["cost_kind"])
    values: dict[str, Any] = {
        "quantity": quantity, "uom": row.uom, "disposition": disposition, "reason": share.reason.strip(), "currency": row.currency,
        "cost": share.cost if share.cost is not None else _estimate(row, quantity, kind), "cost_kind": kind,
        "judged_by": judged.hash, "owner": share.owner or row.default_owner, "due_on": share.due, "evidence": share.evidence.strip(),
        "evidence_hash": content_hash(share.evidence.strip()) if share.evidence.strip() else None, "status": RowStatus.DISPOSED,
        "returned_reason": "",
    }  # fmt: skip
    if present is None:
        present = RowDisposition(
            change_order_id=row.change_order_id, target=row.target, target_id=row.target_id, state=row.state,
            position=position, **values,
        )  # fmt: skip
        act.session.add(present)
    for name, value in values.items():
        setattr(present, name, value)
    return present


def _estimate(row: AffectedOrder, quantity: Decimal, kind: str) -> Decimal:
    """Return what scrapping costs where the value of the pieces is known; everything else is for its owner to say."""
    if kind != "SCRAP" or row.unit_value is None:
        return Decimal(0)
    return (quantity * row.unit_value).quantize(Decimal("0.01"))


def _of_set(snapshot: ImpactSnapshot) -> ColumnElement[bool]:
    """Return the condition that a disposition is about pieces that stand in a set."""
    row = aliased(AffectedOrder)
    return and_(
        RowDisposition.change_order_id == snapshot.change_order_id,
        exists().where(
            row.snapshot_id == snapshot.id, row.target == RowDisposition.target, row.target_id == RowDisposition.target_id,
            row.state == RowDisposition.state,
        ),
    )  # fmt: skip


def _decided_pairs(session: Session, order: ChangeOrder) -> list[tuple[ImpactTarget, Disposition]]:
    """Return what becomes of which kinds of pieces, each pair once."""
    snapshot = newest_snapshot(session, order)
    if snapshot is None:
        return []
    wanted = select(RowDisposition.target, RowDisposition.disposition).where(_of_set(snapshot)).distinct()
    return [(target, disposition) for target, disposition in session.execute(wanted)]


def _undisposed(session: Session, snapshot: ImpactSnapshot) -> list[str]:
    """Return a sentence for each row that is not decided, the first ten by name."""
    key = (AffectedOrder.target, AffectedOrder.target_id, AffectedOrder.state)
    decided = (
        select(
            RowDisposition.target, RowDisposition.target_id, RowDisposition.state,
            func.sum(RowDisposition.quantity, type_=RowDisposition.quantity.type).label("quantity"),
        )
        .where(RowDisposition.change_order_id == snapshot.change_order_id, RowDisposition.status != RowStatus.RETURNED)
        .group_by(RowDisposition.target, RowDisposition.target_id, RowDisposition.state)
        .subquery()
    )  # fmt: skip
    wanted = (
        select(AffectedOrder.native_ref, AffectedOrder.quantity, AffectedOrder.uom, decided.c.quantity)
        .outerjoin(
            decided, (key[0] == decided.c.target) & (key[1] == decided.c.target_id) & (key[2] == decided.c.state)
        )
        .where(AffectedOrder.snapshot_id == snapshot.id)
        .order_by(AffectedOrder.position)
    )
    open_rows = [row for row in session.execute(wanted) if row[3] != row[1]]
    sentences = [
        f"Expected a disposition of all {quantity.normalize():f} {uom} of {ref}, but {(done or Decimal(0)).normalize():f} are disposed."
        for ref, quantity, uom, done in open_rows[:10]
    ]
    if len(open_rows) > len(sentences):
        sentences.append(f"{len(open_rows) - len(sentences)} more rows have no complete disposition.")
    return sentences


def _unassessed(session: Session, order: ChangeOrder) -> list[str]:
    said = {each.area for each in assessments_of(session, order)}
    missing = [(area, role.removeprefix("role:")) for area, role in lanes_of(session, order) if area not in said]
    wanted = select(Role).where(Role.code.in_([code for _, code in missing]))
    names = {role.code: role.name for role in session.scalars(wanted)}
    return [
        f"Expected {_name(area)} to assess {order.number}, but nobody has: it is the turn of {names.get(code, code)}."
        for area, code in missing
    ]


def _undecided(session: Session, order: ChangeOrder, now: dt.datetime | None) -> list[str]:
    found = []
    if order.fai is None:
        found.append(f"Expected {order.number} to decide about a first article (none, delta or full), but nobody has.")
    if order.effectivity_kind is None:
        found.append(f"Expected {order.number} to say from when it counts, but it has no effectivity.")
    if order.is_customer_approval_required and not order.customer_approval_ref.strip():
        found.append(
            f"Expected the reference of the customer's approval of {order.number}, but there is none. Ask the customer and enter it."
        )
    if now is not None and order.effective_on is not None:
        earliest, kind = feasible_from(session, order, _decided_pairs(session, order), today=_today(order, now))
        if order.effective_on < earliest:
            found.append(
                f"Expected {order.number} to take effect on {earliest} at the earliest, since {kind} takes that long, but it says "
                f"{order.effective_on}."
            )
    return found


def _today(order: ChangeOrder, now: dt.datetime) -> dt.date:
    return now.astimezone(order.site.zone).date()


def _supersede(act: Act, order: ChangeOrder) -> None:
    supersede(act, order.record_type, order.id)
    act.session.flush()


def _word(kind: Any, value: Any, name: str) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        raise Invalid(f"Expected one of {', '.join(kind)}, but found {value!r:.40}", {name: "is unknown"}) from error


def _name(area: AssessmentArea) -> str:
    return area.value.lower().replace("_", " ")


__all__ = [
    "Share", "assess", "changes_since", "compute", "cost_of", "dispose", "dispose_all", "divide", "freeze", "has_grown", "lanes_of",
    "problems_of", "refuse_incomplete", "reopen", "sources_of",
]  # fmt: skip
