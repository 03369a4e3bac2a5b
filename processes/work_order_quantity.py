"""Change the quantity of a released work order: proposed with what it means on both sides, signed, applied at once (domain.md 4c).

Nothing bought for it: class C1, the planner signs. Linked to an order line: class C2, planner and buyer both sign, and the same
change of the order line is proposed with it as an amendment, which goes its own way to the supplier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.ports import SignatureRequest
from engine.record import Operation
from processes import amendment as amending
from processes.approval_plan import Seat, write_down
from processes.documents import plain
from processes.notices import tell_role
from processes.work_order_planning import need_planner
from records.amendment import AmendmentReason, PurchaseOrderAmendment
from records.approval import ApprovalSlot, slots_of
from records.outside import FINAL, OutsideLink
from records.outside_loss import LossStatus, OutsideLoss
from records.purchase_order import OrderStatus, PurchaseOrder
from records.roles import holds
from records.signature import Meaning
from records.signing import PasswordSigner
from records.units import check_quantity
from records.work_order import OPEN, OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus
from records.work_order_change import (
    WorkOrderChange,
    WorkOrderChangeClass,
    WorkOrderChangeShare,
    WorkOrderChangeStatus,
    move,
    next_change_no,
    open_change_of,
)
from rules.amending import Edits, LineEdit
from rules.change_item import ChangeClass, ChangeItem
from rules.order_consistency import links_of_work
from rules.work_order_quantity import below_what_is_away

WITH_SUPPLIER = frozenset({OrderStatus.TRANSMITTED, OrderStatus.ACKNOWLEDGED, OrderStatus.PARTIALLY_RECEIVED})
"""An order that its supplier has changes by amendment; its buyer changes an earlier one by hand."""
NOT_PASSED = frozenset({OperationStatus.READY, OperationStatus.STARTED, OperationStatus.WAITING})
"""Statuses of the first operation in which its pieces are still to be made."""

WHY = {
    "PLANNER": "The planner answers for the quantity of the work",
    "BUYER": "Something is bought for the work, and the order line changes with it",
}

MEANINGS = {"PLANNER": Meaning.REVIEWED, "BUYER": Meaning.RELEASED}
"""What the signature of each side means, as on an amendment."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a change means for one link, in its unit."""

    link: OutsideLink
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would be, before it is proposed."""

    change_class: WorkOrderChangeClass
    shares: tuple[Share, ...]


def preview_quantity(session: Session, order: WorkOrder, quantity: Decimal) -> Preview:
    """Return what another quantity of a work order means; nothing is written.

    quantity: in the order's unit. Raises: Invalid for a quantity that does not fit; RuleViolation WO-QUANTITY below what is away;
    Conflict for an order that is not released and open, or whose pieces have passed the first operation.
    """
    check_quantity(quantity, order.uom)
    if quantity <= 0 or quantity == order.quantity:
        raise Invalid(
            f"Expected another quantity than {plain(order.quantity)} {order.uom}, above 0, but found {plain(quantity)}",
            {"quantity": "Expected another quantity above 0"},
        )
    links = links_of_work(session, order)
    if findings := list(below_what_is_away(order, quantity, links)):
        raise RuleViolation(findings)
    _refuse_state(order, quantity)
    shares = tuple(_shares(order, quantity - order.quantity, [link for link in links if link.status not in FINAL]))
    return Preview(WorkOrderChangeClass.C2 if links else WorkOrderChangeClass.C1, shares)


def propose_quantity(act: Act, order: WorkOrder, quantity: Decimal, *, reason: str) -> WorkOrderChange:
    """Propose another quantity, with the amendment of every order that must change with it.

    A plan has no change: its quantity is set by ``plan_quantity``. Raises: Forbidden to who plans no work; Invalid; Conflict
    CHANGE_OPEN while another change waits, AMENDMENT_OPEN while an order is being amended; as ``preview_quantity``.
    """
    need_planner(act, order=order)
    if not reason.strip():
        raise Invalid("Expected a reason for the change, but there is none", {"reason": "is required"})
    refuse_open_change(act.session, order)
    _refuse_open_loss(act.session, order)
    found = preview_quantity(act.session, order, quantity)
    turn = next_change_no(act.session, order)
    number = f"{order.number}/C{turn}"
    amendments = _amend(act, found.shares, number=number, reason=reason)
    change = WorkOrderChange(
        number=number, work_order=order, work_order_id=order.id, change_no=turn, change_class=found.change_class,
        quantity_before=order.quantity, quantity_after=quantity, uom=order.uom, reason=reason.strip()[:4000],
        opened_by=act.user_id or act.actor, content_hash=_signed_hash(order, turn, quantity, reason, found.shares, amendments),
    )  # fmt: skip
    try:
        with act.attempt():
            act.session.add(change)
            act.session.flush()
    except IntegrityError as error:
        raise _second(order, "one that somebody else opened just now") from error
    for share in found.shares:
        amendment = amendments.get(share.link.order_line.order_id)
        act.session.add(
            WorkOrderChangeShare(
                change=change, change_id=change.id, link=share.link, link_id=share.link.id, allocated_before=share.before,
                allocated_after=share.after, amendment_id=amendment.id if amendment is not None else None,
            )
        )  # fmt: skip
    signed = (change.record_type, change.id, change.content_hash)
    open_quantity(
        act, order, order.quantity, quantity, signed=signed, change_class=ChangeClass(found.change_class.value)
    )
    sides = ("PLANNER", "BUYER") if found.change_class is WorkOrderChangeClass.C2 else ("PLANNER",)
    seats = [Seat(stage=1, role=side, why=[WHY[side]], meaning=MEANINGS[side].value) for side in sides]
    write_down(act, (change.record_type, change.id, change.content_hash), seats)
    for role in sides:
        tell_role(
            act, role, f"{number}: {order.number} is to become {plain(quantity)} {order.uom} instead of {plain(order.quantity)}",
            key=f"{change.id}:{role}", body=reason, record=(order.record_type, order.id),
        )  # fmt: skip
    act.session.flush()
    return change


def plan_quantity(act: Act, order: WorkOrder, quantity: Decimal) -> WorkOrder:
    """Set the quantity of a plan. Raises: Forbidden; Invalid; Conflict once it is firm."""
    need_planner(act, order=order)
    check_quantity(quantity, order.uom)
    if quantity <= 0:
        raise Invalid(f"Expected a quantity above 0, but found {plain(quantity)}", {"quantity": "above 0"})
    if order.status is not WorkOrderStatus.PLANNED:
        raise Conflict(
            f"Expected {order.number} to be a plan, but it is {order.status}. Take it back to the plan first.",
            code="ILLEGAL_TRANSITION", record=(order.record_type, order.id),
        )  # fmt: skip
    order.quantity = quantity
    act.session.flush()
    return order


def seats_of(session: Session, change: WorkOrderChange) -> list[ApprovalSlot]:
    """Return the seats of a change, planner first."""
    found = slots_of(session, change.record_type, change.id, change.content_hash)
    return sorted(found, key=lambda slot: list(WHY).index(slot.role))


def sign_change(act: Act, change: WorkOrderChange, role: str, request: SignatureRequest) -> WorkOrderChange:
    """Sign one side of a change; the last signature applies it.

    Raises: Forbidden to who does not hold the role, or signed the other side; Conflict when nothing waits for it, or the order has
    moved on since; as PasswordSigner.
    """
    order = change.work_order
    act.session.refresh(order, with_for_update=True)
    if act.user_id is None or not holds(act.session, act.user_id, role, at=act.now):
        raise Forbidden(f"Expected {role} to sign {change.number}, but {act.actor} does not hold that role.")
    seats = seats_of(act.session, change)
    mine = next((slot for slot in seats if slot.role == role and not slot.is_signed), None)
    if mine is None or change.status is not WorkOrderChangeStatus.PROPOSED:
        raise Conflict(
            f"Expected a signature of {role} to be missing on {change.number}, but none is", code="NOT_READY"
        )
    if any(slot.signature is not None and slot.signature.signer_id == act.user_id for slot in seats):
        raise Forbidden(
            f"Expected two people on the two sides of {change.number}, but {act.user_id} has signed the other one.",
            code="SOD-4", record=(change.record_type, change.id),
        )  # fmt: skip
    signer = act.installation.signer
    assert isinstance(signer, PasswordSigner)
    signature = signer.sign_record(
        act, change, request, content_hash=change.content_hash, principal=f"role:{role}", reason=change.reason
    )
    mine.signature, mine.signature_id = signature, signature.id
    act.session.flush()
    if all(slot.is_signed for slot in seats):
        _apply(act, change)
    return change


def withdraw_change(act: Act, change: WorkOrderChange, *, reason: str) -> WorkOrderChange:
    """Take a proposed change back, or refuse it as the other side; the amendments that came with it are withdrawn where they wait.

    Raises: Invalid without a reason; Forbidden to who is neither side; Conflict once it is over.
    """
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    sides = [slot.role for slot in seats_of(act.session, change)]
    if act.user_id is not None and not any(holds(act.session, act.user_id, role, at=act.now) for role in sides):
        raise Forbidden(f"Expected {' or '.join(sides)} to end {change.number}, but {act.user_id} is neither.")
    is_own = act.user_id is None or act.user_id == change.opened_by
    move(
        act,
        change,
        WorkOrderChangeStatus.WITHDRAWN if is_own else WorkOrderChangeStatus.REJECTED,
        reason=reason.strip(),
    )
    act.session.flush()
    for amendment in amendments_of(act.session, change):
        if amendment.status.value == "PENDING":
            amending.withdraw(act, amendment, reason=f"{change.number} is {change.status.value.lower()}: {reason}")
    tell_role(
        act, "PLANNER", f"{change.number} is {change.status.value.lower()}", body=reason, key=f"{change.id}:over",
        record=("work_order", change.work_order_id),
    )  # fmt: skip
    return change


def amendments_of(session: Session, change: WorkOrderChange) -> list[PurchaseOrderAmendment]:
    """Return the amendments that were proposed with a change."""
    ids = dict.fromkeys(share.amendment_id for share in change.shares if share.amendment_id is not None)
    return [found for each in ids if (found := session.get(PurchaseOrderAmendment, each)) is not None]


def _second(order: WorkOrder, number: str) -> Conflict:
    return Conflict(
        f"Expected no open change of {order.number}, but {number} waits for signatures. Sign or withdraw it first.",
        code="CHANGE_OPEN", record=(order.record_type, order.id),
    )  # fmt: skip


def _refuse_state(order: WorkOrder, quantity: Decimal) -> None:
    if order.status not in OPEN:
        raise Conflict(
            f"Expected {order.number} to be released and open, but it is {order.status}.", code="ILLEGAL_TRANSITION",
            record=(order.record_type, order.id),
        )  # fmt: skip
    first = order.operations[0]
    if first.status not in NOT_PASSED:
        way_out = "Plan another work order" if quantity > order.quantity else "Divide the order, or report scrap"
        raise Conflict(
            f"Expected {first.number} to be open, but it is {first.status.value.lower().replace('_', ' ')}: its pieces are made. "
            f"{way_out}.",
            code="ILLEGAL_TRANSITION", record=(order.record_type, order.id),
        )  # fmt: skip
    done = first.good + first.scrap + first.rework
    if quantity < done:
        raise Invalid(
            f"Expected at least the {plain(done)} {order.uom} that are reported on {first.number}, but found {plain(quantity)}",
            {"quantity": f"at least {plain(done)}"},
        )


def _shares(order: WorkOrder, delta: Decimal, links: Sequence[OutsideLink]) -> list[Share]:
    """Return what each link takes more or less, the newest first; an operation's links together take the whole difference.

    Raises: Conflict when a link would be left with nothing, or with less than has left for its supplier.
    """
    found: list[Share] = []
    for operation in order.operations:
        found += _of_operation(operation, delta, [link for link in links if link.operation_id == operation.id])
    return found


def _of_operation(operation: WorkOrderOperation, delta: Decimal, links: Sequence[OutsideLink]) -> list[Share]:
    found, left = [], delta
    for link in reversed(links):
        before = link.allocated_quantity
        keeps = max(link.shipped - link.recalled, Decimal(0))
        after = before + left if left > 0 else max(before + left, keeps)
        if after == before:
            continue
        if after <= 0:
            raise Conflict(
                f"Expected {link.number} to keep some of its {plain(before)}, but the change leaves it none. Cancel the link first.",
                code="BALANCE_OPEN", record=(link.record_type, link.id),
            )  # fmt: skip
        found.append(Share(link, before, after))
        left -= after - before
        if left == 0:
            break
    if links and left != 0:
        raise Conflict(
            f"Expected the links of {operation.number} to give {plain(-left)} more, but they have left for the supplier. "
            f"Receive or recall them first.",
            code="BALANCE_OPEN", record=(operation.work_order.record_type, operation.work_order_id),
        )  # fmt: skip
    return found


def _amend(act: Act, shares: Sequence[Share], *, number: str, reason: str) -> dict[str, PurchaseOrderAmendment]:
    """Propose the counterpart on each order that its supplier has, and start it; the buyer changes the others by hand."""
    by_order: dict[str, list[Share]] = {}
    for share in shares:
        by_order.setdefault(share.link.order_line.order_id, []).append(share)
    made: dict[str, PurchaseOrderAmendment] = {}
    for order_id, mine in by_order.items():
        order = act.session.get_one(PurchaseOrder, order_id)
        if order.status not in WITH_SUPPLIER:
            tell_role(
                act, "BUYER", f"{number} changes what {order.number} buys: change its lines", key=f"{number}:{order_id}",
                record=("purchase_order", order_id),
            )  # fmt: skip
            continue
        made[order_id] = amending.propose(
            act, order, Edits(lines=_lines(mine)), reason=f"{number}: {reason}", reason_code=AmendmentReason.DEMAND
        )
        amending.start(act, made[order_id])
    return made


def _lines(shares: Sequence[Share]) -> list[LineEdit]:
    more: dict[int, Decimal] = {}
    lines = {share.link.order_line.line_no: share.link.order_line for share in shares}
    for share in shares:
        line_no = share.link.order_line.line_no
        more[line_no] = more.get(line_no, Decimal(0)) + (share.after - share.before) * share.link.conversion_factor
    return [LineEdit(line_no, {"quantity": lines[line_no].quantity + delta}) for line_no, delta in sorted(more.items())]


def _signed_hash(
    order: WorkOrder,
    turn: int,
    quantity: Decimal,
    reason: str,
    shares: Sequence[Share],
    amendments: dict[str, PurchaseOrderAmendment],
) -> str:
    return content_hash(
        {
            "work_order": order.number, "system": order.system, "change": turn, "uom": order.uom,
            "quantity": {"old": f"{order.quantity:.6f}", "new": f"{quantity:.6f}"}, "reason": reason.strip(),
            "links": [
                {"number": one.link.number, "line": one.link.order_line.number, "old": f"{one.before:.6f}", "new": f"{one.after:.6f}"}
                for one in shares
            ],
            "amendments": sorted(one.content_hash for one in amendments.values()),
        }
    )  # fmt: skip


def open_quantity(
    act: Act,
    order: WorkOrder,
    before: Decimal,
    after: Decimal,
    *,
    signed: tuple[str, str, str],
    change_class: ChangeClass,
) -> None:
    """Say word for word what signatures change: the guarded quantity opens once, for exactly this, when every seat is signed.

    signed: type and id of the record that the signatures are on, and the hash of its content.
    """
    change_type, change_id, change_hash = signed
    act.session.add(
        ChangeItem(
            change_type=change_type, change_id=change_id, change_hash=change_hash, table_name=order.record_type, row_id=order.id,
            operation=Operation.UPDATE, column_name="quantity", old_text=f"{before:.6f}", new_text=f"{after:.6f}",
            change_class=change_class,
        )
    )  # fmt: skip
    act.session.flush()


def set_quantity(act: Act, order: WorkOrder, after: Decimal, shares: Sequence[WorkOrderChangeShare] = ()) -> None:
    """Give an order, its first operation and its links the quantities that were signed; pieces that have gone in stay counted."""
    with act.session.no_autoflush:
        first = order.operations[0]
        if first.quantity_in is not None and first.status in NOT_PASSED:
            first.quantity_in = after
        order.quantity = after
        for share in shares:
            share.link.allocated_quantity = share.allocated_after
    act.session.flush()


def refuse_open_change(session: Session, order: WorkOrder) -> None:
    """Refuse to touch the quantity while a change of it waits for signatures. Raises: Conflict CHANGE_OPEN."""
    if (waiting := open_change_of(session, order)) is not None:
        raise _second(order, waiting.number)


def _refuse_open_loss(session: Session, order: WorkOrder) -> None:
    wanted = select(OutsideLoss.number).where(
        OutsideLoss.work_order_id == order.id, OutsideLoss.status == LossStatus.DECLARED, OutsideLoss.quantity_after.is_not(None)
    )  # fmt: skip
    if (number := session.scalars(wanted.limit(1)).first()) is not None:
        raise _second(order, number)


def _apply(act: Act, change: WorkOrderChange) -> None:
    """Give order, first operation and links their quantities. Raises: Conflict BASELINE_CONFLICT when one has moved since."""
    order = change.work_order
    now = {share.link.number: share.link.allocated_quantity for share in change.shares}
    then = {share.link.number: share.allocated_before for share in change.shares}
    if order.quantity != change.quantity_before or now != then:
        raise Conflict(
            f"Expected {order.number} as it was when {change.number} was proposed, but its quantity or a link has changed since. "
            f"Withdraw the change and propose it anew.",
            code="BASELINE_CONFLICT", record=(order.record_type, order.id),
        )  # fmt: skip
    preview_quantity(act.session, order, change.quantity_after)
    set_quantity(act, order, change.quantity_after, change.shares)
    move(act, change, WorkOrderChangeStatus.APPLIED, reason=change.reason)
    act.session.flush()
