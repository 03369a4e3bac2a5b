"""Say what becomes of the pieces of a row, whole or divided, one row or many (domain.md C06)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Invalid
from processes.impact_sealed import decided_hash, refuse_closed, word_of
from records.change_order import ChangeOrder
from records.impact import AffectedOrder, Disposition, ImpactSnapshot, RowDisposition, RowStatus
from rules.impact_rules import legal, refuse_illegal, refuse_unknown_owner

INCOMPLETE = "INCOMPLETE_DISPOSITION"


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
    snapshot = refuse_closed(act, order, [row])
    made = _divide(act, row, shares)
    _seal_decisions(act, order, snapshot, [row])
    return made


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
    snapshot = refuse_closed(act, order, rows)
    made = [one for row in rows for one in _divide(act, row, [share])]
    _seal_decisions(act, order, snapshot, rows)
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
    order.impact_hash = decided_hash(act.session, order, snapshot)
    act.session.flush()


def _checked(act: Act, row: AffectedOrder, shares: Sequence[Share]) -> list[Share]:
    wanted = list(shares)
    for share in wanted:
        refuse_illegal(row, word_of(Disposition, share.disposition, "disposition"))
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
