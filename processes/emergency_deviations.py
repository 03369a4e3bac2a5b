"""The deviation that an emergency opens: leave to build otherwise, in everybody's sight until it is closed (C20-C22)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.act import Act
from processes.emergencies import work_orders_of
from processes.notices import tell_role
from records.approval import slots_of
from records.change_order import OVER, ChangeOrder, ChangeOrderStatus
from records.change_request import OrderClass
from records.nonconformance import DeviationAuthority, DeviationStatus, move_deviation
from records.numbering import next_number
from records.signature import Signature

UNSIGNED = (ChangeOrderStatus.DRAFT,)
"""An emergency that two people have not signed yet permits nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An emergency that still stands, or whose deviation does. signatures: of the two who signed it."""

    order: ChangeOrder
    deviations: Sequence[DeviationAuthority]
    signatures: Sequence[Signature]

    @property
    def is_decided(self) -> bool:
        """Whether its board has decided; what is left is carried out."""
        return self.order.status in (
            ChangeOrderStatus.APPROVED,
            ChangeOrderStatus.IMPLEMENTING,
            ChangeOrderStatus.VERIFYING,
        )


def open_deviation(act: Act, order: ChangeOrder) -> DeviationAuthority:
    """Open the deviation of an emergency, for as many pieces and as long as its two signers allowed; a second call opens none."""
    known = deviations_of(act.session, order)
    if known:
        return known[0]
    work = work_orders_of(act, order)
    revisions = {one.part_revision_id: one.part_revision for one in work}
    revision = next(iter(revisions.values())) if len(revisions) == 1 else None
    signed = [
        slot.signature
        for slot in slots_of(act.session, order.record_type, order.id, order.content_hash)
        if slot.signature
    ]
    assert order.expires_at is not None
    reach = "; ".join(bound.number for bound in order.bounds)
    opened = DeviationAuthority(
        number=next_number(act, "DEV", site=order.site), site_id=order.site_id, part_revision=revision,
        part_revision_id=revision.id if revision is not None else None, title=f"{order.number}: {order.title}"[:200],
        description=f"{order.reason}\n\nReach: {reach}"[:4000], quantity=_pieces(act, order), uom=work[0].uom if work else "EA",
        expires_on=order.site.local_day(order.expires_at), change_order_id=order.id,
    )  # fmt: skip
    act.session.add(opened)
    act.session.flush()
    opened.approved_by_id, opened.approved_at = (signed[0].signer_id if signed else act.user_id), act.now
    move_deviation(
        act, opened, DeviationStatus.APPROVED, reason=f"{order.number} is signed by two people: {reach}"[:3900]
    )
    for role in ("QA_ENG", "OPS_DIR"):
        tell_role(act, role, f"{opened.number} is open: {order.title}", key=f"{opened.id}:open:{role}",
                  body=f"It stands until {order.number} is closed.", record=(order.record_type, order.id))  # fmt: skip
    return opened


def close_deviations(act: Act, order: ChangeOrder, *, reason: str) -> list[DeviationAuthority]:
    """Close what an emergency permitted; a second call does nothing."""
    closed = [one for one in deviations_of(act.session, order) if one.status is DeviationStatus.APPROVED]
    for one in closed:
        one.closed_at, one.closed_reason = act.now, reason[:4000]
        move_deviation(act, one, DeviationStatus.WITHDRAWN, reason=reason)
    act.session.flush()
    return closed


def deviations_of(session: Session, order: ChangeOrder) -> list[DeviationAuthority]:
    """Return the deviations that a change order opened."""
    wanted = select(DeviationAuthority).where(DeviationAuthority.change_order_id == order.id)
    return list(session.scalars(wanted.order_by(DeviationAuthority.number)))


def standing_emergencies(session: Session) -> list[Standing]:
    """Return every emergency that stands, or whose deviation does, the one that ends first before the others."""
    open_ones = select(DeviationAuthority.change_order_id).where(DeviationAuthority.status == DeviationStatus.APPROVED)
    wanted = select(ChangeOrder).where(
        ChangeOrder.change_class == OrderClass.CE, ChangeOrder.status.not_in(UNSIGNED),
        or_(ChangeOrder.status.not_in(OVER), ChangeOrder.id.in_(open_ones)),
    )  # fmt: skip
    return [
        Standing(order, deviations_of(session, order), _signed_first(session, order))
        for order in session.scalars(wanted.order_by(ChangeOrder.expires_at, ChangeOrder.number))
    ]


def _signed_first(session: Session, order: ChangeOrder) -> list[Signature]:
    """Return the signatures of the two who authorised it: those of its first content."""
    found = [slot.signature for slot in slots_of(session, order.record_type, order.id) if slot.signature is not None]
    found.sort(key=lambda one: one.signed_at)
    return [one for one in found if one.content_hash == found[0].content_hash]


def _pieces(act: Act, order: ChangeOrder) -> Decimal:
    """Return how many pieces it permits: what its bounds say, else what its work orders make."""
    said = [bound.max_quantity for bound in order.bounds if bound.max_quantity is not None]
    made = [one.quantity for one in work_orders_of(act, order)]
    return sum(said or made, Decimal(0)) or Decimal(1)
