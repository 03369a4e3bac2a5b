"""Change orders are written, sealed, signed and applied as they were signed."""

from __future__ import annotations

from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import Conflict, RuleViolation
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


def revised(act: Act, **content: Any) -> tuple[ChangeOrder, PartRevision, PartRevision]:
    part = make_part(act, "P-900")
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
    slot = make_slot(act, order, record_hash=order.content_hash, role="ENG_AUTH")
    slot.signature = make_signature(act, order, content_hash=order.content_hash, signer="ella", role="ENG_AUTH")
    act.session.flush()
    return move(act, order, S.APPROVED)


def test_an_approved_order_releases_what_follows_and_supersedes_what_was(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, before, after = revised(act)
        signed(act, order)
        used = change_orders.apply(act, order)
        assert (before.status, after.status) == (RevisionStatus.SUPERSEDED, RevisionStatus.RELEASED)
        assert after.change_order_id == order.id
        assert len(used) == 2
        assert all(item.applied_at is not None for item in used)
        assert change_orders.apply(act, order) == []


def test_nothing_is_applied_before_the_board_has_signed(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        order, _, _ = revised(act)
        with pytest.raises(Conflict, match="its board signs first"):
            change_orders.apply(act, order)
        change_orders.take_baseline(act, order)
        move(act, order, S.IMPACT)
        change_orders.send_to_review(act, order)
        with pytest.raises(RuleViolation, match="plan of signatures"), act.attempt():
            move(act, order, S.APPROVED)
