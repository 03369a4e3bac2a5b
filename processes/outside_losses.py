"""A loss at a supplier and what follows it (B24): fewer pieces or new ones, signed by both sides, and the claim.

The balance moves at once; the link stays open until planner and buyer have signed what becomes of the work order.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.act import Act
from engine.errors import Conflict, Invalid
from engine.jobs import defer
from engine.ports import SignatureRequest
from engine.registry import Registry, Work
from processes.change_effectivity import revision_for
from processes.documents import plain
from processes.notices import tell_role
from processes.outside_documents import link_of, link_variable, number_of
from processes.outside_moving import PLANNER, require_role, same_movement, settle, tell_flow
from processes.seats import fill_seat, open_seat_of, set_seats
from processes.work_order_planning import create, writers_of
from processes.work_order_quantity import open_quantity, refuse_open_change, set_quantity
from records.numbering import next_number
from records.outside import MovementKind, OutsideLink, OutsideMovement, locked, movement_called, record_movement
from records.outside_loss import (
    ClaimDecision,
    FollowUp,
    LossStatus,
    OutsideClaim,
    OutsideLoss,
    loss_hash,
    losses_of,
    move_loss,
)
from records.signature import Meaning
from records.units import check_quantity
from records.work_order import LOCKSTEP, WorkOrderType
from rules.change_item import ChangeClass

registry = Registry()

MEANINGS = {"PLANNER": Meaning.AUTHORED, "BUYER": Meaning.REVIEWED}
"""Who signs what follows a loss, and what each signature says: the planner wants it, the buyer has checked it."""


def declare_lost(
    act: Act,
    link: OutsideLink,
    quantity: Decimal,
    *,
    statement: str,
    follow_up: FollowUp | str | None,
    event_id: str,
    serials: tuple[str, ...] = (),
) -> OutsideMovement:
    """Give pieces up that the supplier says it no longer has, and ask both sides to sign what follows.

    statement: the supplier's own, by date and reference. Raises: Forbidden for who does not plan; Invalid without a statement or
    a follow-up, or when nothing of the work order would be left; Conflict CON-13 for more than is away.
    """
    link = locked(act, link)
    if (known := movement_called(act.session, event_id)) is not None:
        return same_movement(known, link)
    require_role(act, PLANNER, f"declare pieces of {link.number} lost")
    if not statement.strip():
        raise Invalid(
            "Expected the supplier's statement about the loss, but there is none",
            {"statement": "is required: date and reference of what the supplier wrote"},
        )
    chosen = follow_up_called(follow_up)
    return write_off(act, link, quantity, statement=statement, follow_up=chosen, event_id=event_id, serials=serials)


def write_off(
    act: Act,
    link: OutsideLink,
    quantity: Decimal,
    *,
    statement: str,
    follow_up: FollowUp,
    event_id: str,
    serials: tuple[str, ...] = (),
) -> OutsideMovement:
    """Book pieces as gone that somebody who may has given up, and ask planner and buyer to sign what follows; once for an event.

    Raises: Invalid when nothing of the work order would be left; Conflict CON-13 for more than is away.
    """
    link = locked(act, link)
    if (known := movement_called(act.session, event_id)) is not None:
        return same_movement(known, link)
    check_quantity(quantity, link.uom)
    movement = record_movement(
        act, link, MovementKind.DECLARED_LOST, quantity, event_id=event_id, moved_on=link.site.local_day(act.now),
        serials=serials, statement=statement.strip(),
    )  # fmt: skip
    settle(act, link)
    _declare(act, movement, follow_up)
    tell_flow(act, link, "outside.moved")
    return movement


def follow_up_called(given: FollowUp | str | None) -> FollowUp:
    """Return what is to follow. Raises: Invalid when nothing, or something else, is chosen."""
    if given not in set(FollowUp):
        raise Invalid(
            "Expected what follows the loss, fewer pieces or new ones, but nothing is chosen",
            {"follow_up": "choose one: REDUCE or REPLENISH"},
        )
    return FollowUp(given)


def sign_loss(
    act: Act, loss: OutsideLoss, request: SignatureRequest, *, seen_hash: str, reason: str = ""
) -> OutsideLoss:
    """Fill the seat of the planner or of the buyer; the second signature does what they signed.

    Raises: Forbidden for who holds neither role or signed already; Invalid for content that was not seen; Conflict when it
    waits for no signature, the work order has another quantity by now, or another change of its quantity waits.
    """
    if loss.status is not LossStatus.DECLARED:
        raise Conflict(
            f"Expected {loss.number} to wait for signatures, but it is {loss.status.value.lower()}",
            code="ILLEGAL_TRANSITION", record=(loss.record_type, loss.id),
        )  # fmt: skip
    if loss.quantity_before is not None and loss.work_order.quantity != loss.quantity_before:
        raise Conflict(
            f"Expected {loss.work_order.number} to ask for {plain(loss.quantity_before)} {loss.uom}, but it asks for "
            f"{plain(loss.work_order.quantity)} by now; let the planner choose anew what follows",
            record=(loss.record_type, loss.id),
        )  # fmt: skip
    if loss.quantity_after is not None:
        refuse_open_change(act.session, loss.work_order)
    seat = open_seat_of(act, loss)
    meaning = MEANINGS[seat.role] if seat is not None else Meaning.AUTHORED
    if fill_seat(act, loss, request, seen_hash=seen_hash, meaning=meaning, reason=reason):
        move_loss(act, loss, LossStatus.SETTLED)
        act.session.flush()
        if loss.follow_up is FollowUp.REDUCE:
            _reduce(act, loss)
        else:
            _replenish(act, loss)
    return loss


def choose_anew(act: Act, loss: OutsideLoss, follow_up: FollowUp | str | None) -> OutsideLoss:
    """Ask for something else than what a loss says, before it is settled; its signatures go with it.

    Raises: Forbidden for who does not plan; Invalid; Conflict once it is settled.
    """
    require_role(act, PLANNER, f"choose what follows {loss.number}")
    chosen = follow_up_called(follow_up)
    move_loss(act, loss, LossStatus.REPLACED, reason=f"Chosen anew: {chosen.value.lower()}")
    return _declare(act, loss.movement, chosen)


@registry.step("keep_claim")
def keep_claim(act: Act, work: Work) -> Mapping[str, Any]:
    """B24: keep what the buyer decided about scrap and lost pieces; what is claimed is written to the supplier."""
    link, claim, decision = link_of(act, work), work["claim"], work.get("decision") or {}
    verdict = ClaimDecision(str(decision.get("verdict") or "").upper())
    made = OutsideClaim(
        number=next_number(act, "CLM", site=link.site), link=link, link_id=link.id, pieces=number_of(claim["pieces"]),
        amount=number_of(claim["amount"]), currency=str(claim["currency"]), decision=verdict,
        reference=str(work.get("debit_note") or "")[:40], decided_by=str(decision.get("by") or act.user_id or act.actor),
        reason=str(decision.get("reason") or work.get("note") or ("Waived by the buyer" if verdict == "WAIVED" else "")),
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    if verdict is ClaimDecision.CLAIMED:
        _write_to_supplier(act, made)
    return {"link": link_variable(link)}


def _declare(act: Act, movement: OutsideMovement, follow_up: FollowUp) -> OutsideLoss:
    link, order = movement.link, movement.link.operation.work_order
    loss = OutsideLoss(
        number=next_number(act, "LOSS", site=link.site), link=link, link_id=link.id, movement=movement, movement_id=movement.id,
        work_order=order, work_order_id=order.id, quantity=movement.quantity, uom=link.uom, statement=movement.statement,
        follow_up=follow_up, declared_by=act.user_id or act.actor, approved_hash="0" * 64,
    )  # fmt: skip
    if follow_up is FollowUp.REDUCE:
        loss.quantity_before, loss.quantity_after = order.quantity, order.quantity - loss.quantity
        if loss.quantity_after <= 0:
            raise Invalid(
                f"Expected something of {order.number} to be left, but all {plain(order.quantity)} {order.uom} are lost; have "
                "them made again, or cancel the work order",
                {"follow_up": "nothing would be left"},
            )
    loss.approved_hash = loss_hash(loss)
    act.session.add(loss)
    act.session.flush()
    set_seats(act, loss, list(MEANINGS), why=f"what follows the loss under {link.number}")
    if loss.quantity_after is not None and _is_ours(loss):
        signed = (loss.record_type, loss.id, loss.approved_hash)
        open_quantity(act, order, order.quantity, loss.quantity_after, signed=signed, change_class=ChangeClass.C2)
    subject = f"{loss.number}: {plain(loss.quantity)} {loss.uom} of {link.number} are lost; sign what follows"
    for role in MEANINGS:
        tell_role(act, role, subject, key=f"{loss.id}:{role}", record=(loss.record_type, loss.id))
    return loss


def _is_ours(loss: OutsideLoss) -> bool:
    """Whether the quantity of the work order is to change, and is changed here."""
    return loss.follow_up is FollowUp.REDUCE and LOCKSTEP in writers_of(loss.work_order, "header")


def _reduce(act: Act, loss: OutsideLoss) -> None:
    order = loss.work_order
    assert loss.quantity_after is not None
    if _is_ours(loss):
        set_quantity(act, order, loss.quantity_after)
        return
    subject = (
        f"Set {order.number} to {plain(loss.quantity_after)} {order.uom} in {order.system}: {loss.number} is signed"
    )
    tell_role(act, "PLANNER", subject, key=f"{loss.id}:elsewhere", record=(order.record_type, order.id))


def _replenish(act: Act, loss: OutsideLoss) -> None:
    order, today = loss.work_order, loss.link.site.local_day(act.now)
    # What is begun now is made as a change says by now, not as the pieces that are gone were.
    revision = revision_for(act.session, order.part_revision, on=today) if order.part_revision is not None else None
    loss.replacement = create(
        act, WorkOrderType.PRODUCTION, quantity=loss.quantity, uom=order.uom, part_revision=revision,
        planned_start=today, planned_finish=order.planned_finish, priority=order.priority,
        project=order.project, customer=order.customer, contract_ref=order.contract_ref, currency=order.currency,
        description=f"Replaces {plain(loss.quantity)} {loss.uom} of {order.number} lost at {loss.link.order.supplier.name} ({loss.number})",
    )  # fmt: skip
    act.session.flush()
    loss.replacement_id = loss.replacement.id
    act.session.flush()
    made_as = f" as {revision.number}" if revision is not None and revision is not order.part_revision else ""
    subject = (
        f"{loss.replacement.number} is planned: {plain(loss.quantity)} {loss.uom} again for {order.number}{made_as}"
    )
    tell_role(
        act, "PLANNER", subject, key=f"{loss.id}:again", record=(loss.replacement.record_type, loss.replacement.id)
    )


def _write_to_supplier(act: Act, claim: OutsideClaim) -> None:
    link = claim.link
    order = link.order
    told = [
        f"{plain(link.scrap)} {link.uom} came back as scrap, {plain(link.lost)} {link.uom} did not come back.",
        *(f"Your statement: {loss.statement}" for loss in losses_of(act.session, link.id)),
        (
            f"We claim {claim.amount.quantize(Decimal('0.01'))} {claim.currency}"
            if claim.amount
            else "We claim what they were worth"
        )
        + (f" with {claim.reference}." if claim.reference else "."),
    ]
    address = (order.supplier_site.email if order.supplier_site is not None else "") or order.supplier.email
    subject = f"{claim.number}: claim under {order.number}"
    if address:
        defer(act, "mail", {"to": [address], "subject": subject, "text": "\n".join(told)})
        return
    act.note(link.record_type, link.id, "NOT_MAILED", new=f"{order.supplier.name} has no address: {subject}")
    tell_role(
        act, "BUYER", f"Send {claim.number} to {order.supplier.name}, who has no mail address", key=f"{claim.id}:unmailed",
        body="\n".join(told), record=(link.record_type, link.id),
    )  # fmt: skip


__all__ = ["choose_anew", "declare_lost", "follow_up_called", "registry", "sign_loss", "write_off"]
