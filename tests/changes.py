"""Change orders as tests have them: opened by ella, sealed, signed by a board of one seat."""

from __future__ import annotations

from typing import Any

from engine.act import Act
from processes import change_orders
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.part import PartRevision, RevisionStatus
from tests.makers import make_part, make_revision, make_signature, make_slot

S = ChangeOrderStatus


def opened(act: Act, change_class: OrderClass = OrderClass.C4, **content: Any) -> ChangeOrder:
    return change_orders.open_order(
        act, change_class=change_class, title="Thicker flange", reason="Cracks at the fillet", **content
    )


def revised(act: Act, *, part_no: str = "P-900", **content: Any) -> tuple[ChangeOrder, PartRevision, PartRevision]:
    part = make_part(act, part_no)
    before = make_revision(act, part, "B")
    after = make_revision(act, part, "C", status=RevisionStatus.DRAFT, origin="LOCKSTEP", released_at=None)
    order = opened(act, **content)
    change_orders.add_item(act, order, before, after)
    return order, before, after


def signed(act: Act, order: ChangeOrder) -> ChangeOrder:
    """Take an order to APPROVED, as a board of one seat would."""
    if order.status is S.DRAFT:
        change_orders.take_baseline(act, order)
        move(act, order, S.IMPACT)
    change_orders.send_to_review(act, order)
    assert order.content_hash is not None
    slot = make_slot(act, order, record_hash=order.content_hash, role="QA_ENG")
    slot.signature = make_signature(act, order, content_hash=order.content_hash, signer="quinn", role="QA_ENG")
    act.session.flush()
    return move(act, order, S.APPROVED)
