"""What follows a loss at a supplier (B24): both sides sign it, it is done, and the supplier hears what is claimed."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.jobs import arguments
from engine.ports import SignatureRequest
from engine.stored.job import Job
from processes import outside_processing, work_order_quantity, work_orders
from processes.outside_losses import choose_anew, declare_lost, sign_loss
from records.notice import Notice
from records.outside import LinkStatus
from records.outside_loss import ClaimDecision, FollowUp, LossStatus, OutsideClaim, OutsideLoss
from records.work_order import WorkOrder, WorkOrderOperation, WorkOrderStatus
from records.work_order_change import WorkOrderChange
from rules.change_item import ChangeItem
from tests import makers
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory, bill, make_heat_treater, make_outside_order, ready_link
from tests.people import PASSWORD

LETTER = "Letter of NorthStar of 2026-11-22"


@pytest.fixture
def outside(plant: Installation, clock: SettableClock) -> OutsideStory:
    """Stand in a plant, at 2026-11-22 15:00 UTC."""
    return OutsideStory(plant, clock)


def lose(outside: OutsideStory, quantity: int, follow_up: str | None, *, event: str = "lost-1") -> None:
    with outside.installation.acting("user:rita") as act:
        link = outside._link(act)
        declare_lost(act, link, D(quantity), statement=LETTER, follow_up=follow_up, event_id=event)
    outside.settle()
    outside.watch()


def losses(outside: OutsideStory) -> list[OutsideLoss]:
    def ask(session: object) -> list[OutsideLoss]:
        found = list(session.scalars(select(OutsideLoss).order_by(OutsideLoss.number)))
        for each in found:
            assert (each.work_order.number, each.replacement and each.replacement.operations) is not None
        return found

    return outside.read(ask)


def signed(outside: OutsideStory, who: str) -> OutsideLoss:
    with outside.installation.acting(f"user:{who}") as act:
        loss = act.session.scalars(select(OutsideLoss).where(OutsideLoss.status == LossStatus.DECLARED)).one()
        meaning = "REVIEWED" if who == "bea" else "AUTHORED"
        request = SignatureRequest(meaning, PASSWORD, user_id=who, accepts_responsibility=True)
        sign_loss(act, loss, request, seen_hash=loss.approved_hash)
    outside.settle()
    return outside.read(lambda session: session.get_one(OutsideLoss, loss.id))


def ready_here(outside: OutsideStory) -> OutsideStory:
    """Go as far as pieces that may be shipped, on a work order that is planned and released here."""

    def arrange(act: Act) -> str:
        makers.make_work_centre(act)
        make_heat_treater(act)
        revision = makers.make_revision(act, makers.make_part(act))
        heat_treat, inspect = makers.ROUTING[2], makers.ROUTING[3] | {"work_centre": "MILL"}
        order = work_orders.create(
            act, "PRODUCTION", quantity=D(24), part_revision=revision, operations=[heat_treat, inspect], contract_ref="FC-1",
            standard_cost=D("1776.00"),
        )  # fmt: skip
        make_outside_order(act, work_orders.release(act, order))
        return order.operations[0].id

    outside.operation_id = outside.given(arrange)
    with outside.installation.acting("user:rita") as act:
        found = outside_processing.start(act, act.session.get_one(WorkOrderOperation, outside.operation_id))
        outside.instance_id = found.id
    return outside.settle().plan(24).release()


def test_the_work_order_gets_fewer_pieces_when_both_sides_have_signed_and_the_link_closes_after_that(
    outside: OutsideStory,
) -> None:
    ready_here(outside).ship(24).take_back(22)
    lose(outside, 2, "REDUCE")
    [loss] = losses(outside)
    assert (loss.status, loss.quantity_before, loss.quantity_after) == (LossStatus.DECLARED, 24, 22)
    outside.certify()
    bill(outside, 22)
    outside.as_("bea").decide("claim_pieces", "claimed", debit_note="DN-7030")
    assert outside.watch().link.status is LinkStatus.VERIFIED
    assert signed(outside, "rita").status is LossStatus.DECLARED
    assert signed(outside, "bea").status is LossStatus.SETTLED
    order = outside.read(lambda session: session.get_one(WorkOrder, loss.work_order_id))
    assert order.quantity == 22
    assert (outside.watch().link.status, outside.incidents) == (LinkStatus.CLOSED, [])


def test_a_loss_and_another_change_of_the_quantity_wait_for_each_other(outside: OutsideStory) -> None:
    ready_here(outside).ship(20, is_partial=True)

    def propose(quantity: int) -> WorkOrderChange:
        with outside.installation.acting("user:rita") as act:
            order = act.session.get_one(WorkOrderOperation, outside.operation_id).work_order
            return work_order_quantity.propose_quantity(act, order, D(quantity), reason="The customer wants them")

    lose(outside, 2, "REDUCE")
    [loss] = losses(outside)
    with pytest.raises(Conflict, match=loss.number) as refused:
        propose(30)
    assert (refused.value.code, outside.operation.work_order.quantity) == ("CHANGE_OPEN", 24)
    signed(outside, "rita")
    signed(outside, "bea")
    work = outside.operation.work_order
    assert (work.quantity, work.operations[0].quantity_in) == (22, 24)
    items = outside.read(lambda session: list(session.scalars(select(ChangeItem).where(ChangeItem.row_id == work.id))))
    assert [(each.change_type, each.new_text, each.applied_at is not None) for each in items] == [
        ("outside_loss", "22.000000", True)
    ]


@ready_link
def test_pieces_that_are_made_again_are_a_planned_work_order_of_the_same_part(outside: OutsideStory) -> None:
    outside.ready(24).ship(24).take_back(22)
    lose(outside, 2, "REPLENISH")
    signed(outside, "bea")
    signed(outside, "rita")
    [loss] = losses(outside)
    assert loss.replacement is not None
    made, lost = loss.replacement, outside.operation.work_order
    assert (made.status, made.quantity, made.part_revision_id) == (WorkOrderStatus.PLANNED, 2, lost.part_revision_id)
    assert (loss.number in made.description, lost.number in made.description, lost.quantity) == (True, True, 24)


@ready_link
def test_a_quantity_that_another_system_keeps_is_told_to_the_planner_and_not_changed_here(
    outside: OutsideStory,
) -> None:
    outside.ready(24).ship(24).take_back(22)
    lose(outside, 2, "REDUCE")
    signed(outside, "rita")
    signed(outside, "bea")
    assert outside.operation.work_order.quantity == 24
    told = outside.read(lambda session: [notice.subject for notice in session.scalars(select(Notice))])
    assert any("Set WO-" in subject and "to 22 EA in MES" in subject for subject in told)


@ready_link
def test_one_person_does_not_sign_for_both_sides_and_nobody_else_for_either(outside: OutsideStory) -> None:
    outside.ready(24).ship(24)
    lose(outside, 2, "REPLENISH")
    signed(outside, "rita")
    with pytest.raises(Forbidden) as twice:
        signed(outside, "rita")
    with pytest.raises(Forbidden) as stranger:
        signed(outside, "ana")
    assert (twice.value.code, stranger.value.code) == ("SOD_VIOLATION", "NOT_AUTHORISED")


@pytest.mark.parametrize(("quantity", "follow_up"), [(2, None), (2, "FORGET"), (24, "REDUCE")])
@ready_link
def test_a_loss_without_a_follow_up_that_can_be_moves_nothing(
    outside: OutsideStory, quantity: int, follow_up: str | None
) -> None:
    outside.ready(24).ship(24)
    with pytest.raises(Invalid) as refusal:
        lose(outside, quantity, follow_up)
    assert "follow_up" in refusal.value.fields
    assert (outside.balance(), losses(outside)) == ((24, 0, 0, 0, 0, 24), [])


@ready_link
def test_something_else_is_chosen_before_both_have_signed_and_the_first_signature_counts_no_more(
    outside: OutsideStory,
) -> None:
    outside.ready(24).ship(24)
    lose(outside, 2, "REDUCE")
    signed(outside, "bea")
    with outside.installation.acting("user:rita") as act:
        loss = act.session.scalars(select(OutsideLoss)).one()
        choose_anew(act, loss, FollowUp.REPLENISH)
    first, second = losses(outside)
    assert (first.status, second.status, second.follow_up) == (
        LossStatus.REPLACED, LossStatus.DECLARED, FollowUp.REPLENISH,
    )  # fmt: skip
    signed(outside, "bea")
    assert signed(outside, "rita").status is LossStatus.SETTLED
    with pytest.raises(Conflict), outside.installation.acting("user:rita") as act:
        choose_anew(act, act.session.get_one(OutsideLoss, second.id), FollowUp.REDUCE)
    assert outside.balance() == (24, 0, 0, 2, 0, 22)


@ready_link
def test_no_statement_settles_a_loss_that_nobody_signed(outside: OutsideStory) -> None:
    outside.ready(24).ship(24)
    lose(outside, 2, "REPLENISH")
    with (
        pytest.raises(RuleViolation, match="every slot of the plan"),
        outside.installation.acting("system:test") as act,
    ):
        act.session.connection().execute(text("UPDATE outside_loss SET status = 'SETTLED', version = version + 1"))


@ready_link
def test_a_planner_who_forgot_what_follows_is_asked_again(outside: OutsideStory) -> None:
    outside.ready(24).ship(24).take_back(22)
    outside.as_("sam").decide("receive_parts", "no_more_comes", reason="Driver says that was all")
    outside.as_("rita").decide("declare_loss", "declare_lost", statement=LETTER)
    assert (outside.steps, outside.incidents, outside.balance()) == (["declare_loss"], [], (24, 22, 0, 0, 0, 2))
    outside.as_("rita").decide("declare_loss", "declare_lost", statement=LETTER, follow_up="REPLENISH")
    assert (outside.balance(), outside.incidents) == ((24, 22, 0, 2, 0, 0), [])


@ready_link
def test_what_is_claimed_is_kept_and_written_to_the_supplier(outside: OutsideStory) -> None:
    outside.ready(24).ship(24).take_back(22)
    lose(outside, 2, "REPLENISH")
    outside.certify()
    outside.as_("bea").decide("claim_pieces", "claimed", debit_note="DN-7030")
    [claim] = outside.read(lambda session: list(session.scalars(select(OutsideClaim))))
    assert (claim.decision, claim.pieces, claim.amount, claim.reference) == (
        ClaimDecision.CLAIMED, 2, D("148.00"), "DN-7030",
    )  # fmt: skip
    mails = outside.read(
        lambda session: [arguments(job) for job in session.scalars(select(Job).where(Job.type == "mail"))]
    )
    [mail] = [each for each in mails if claim.number in each["subject"]]
    assert ("148.00 USD with DN-7030" in mail["text"], LETTER in mail["text"]) == (True, True)


@ready_link
def test_a_link_whose_pieces_are_all_lost_waits_for_no_certificate_and_no_invoice(outside: OutsideStory) -> None:
    outside.ready(24).ship(24)
    lose(outside, 24, "REPLENISH")
    signed(outside, "rita")
    signed(outside, "bea")
    outside.watch()
    assert outside.steps == ["claim_pieces"]
    outside.as_("bea").decide("claim_pieces", "waived", reason="Insured")
    assert (outside.watch().link.status, outside.incidents) == (LinkStatus.CLOSED, [])
