"""How a change is decided: areas, cost, board, conflict, customer (domain.md 3C C05-C11)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.act import Act
from processes import change_orders, impact
from records.change_order import ChangeOrder
from records.impact import Disposition
from records.notice import Notice
from tests import impacts
from tests.change_story import Change, at_a_stage, begun, on_its_board, the_change, written
from tests.makers import D, make_grant, make_routing, make_work_order
from tests.story import Story

EFFECTIVE_NEXT = {"effectivity_kind": "NEXT_BUILD", "effectivity_value": ""}


def to_the_customer(story: Story) -> Change:
    """Have a change that its board approved and that its customer has to approve."""
    story.given(lambda act: make_grant(act, "carl", "CONTRACTS"))
    change = begun(story, is_customer_approval_required=True, **EFFECTIVE_NEXT).write().dispose()
    return change.settle_rows(customer_reference="Letter 12").vote()


at_the_customer = at_a_stage("change_at_the_customer", to_the_customer)


def told(story: Story, person: str) -> list[str]:
    """Return what a person was told, in subjects."""
    return list(
        story.read(lambda session: session.scalars(select(Notice.subject).where(Notice.user_id == person)).all())
    )


@written
@pytest.mark.parametrize(("cost", "is_asked"), [("10000.00", False), ("10000.01", True)])
def test_finance_decides_when_scrap_and_rework_cost_more_than_ten_thousand(
    story: Story, cost: str, is_asked: bool
) -> None:
    """C06."""
    change = the_change(story)

    def scrap(act: Act) -> None:
        rows = impacts.grid(act, act.session.get_one(ChangeOrder, change.order.id))
        impact.dispose(act, rows[0], Disposition.SCRAP, owner="role:PLANNER", cost=D(cost))
        for row, word in zip(rows[1:], impacts.WORDS[1:], strict=True):
            impact.dispose(act, row, word, owner="role:PLANNER")

    story.given(scrap)
    change.settle_rows()
    assert ("approve_cost" in story.steps) == is_asked
    if is_asked:
        story.as_("fred").decide("approve_cost", "return", reason="Rework it instead")
        assert (change.status, story.steps) == ("IMPACT", ["write_change"])
        change.write().settle_rows()
        story.as_("fred").decide("approve_cost", "approve", reason="Agreed")
    assert (change.status, len(story.tasks("vote_on_change"))) == ("REVIEW", 5 if is_asked else 4)


@on_its_board
def test_d20_one_rejection_rejects_and_a_new_version_asks_everybody_again(story: Story) -> None:
    change = the_change(story).vote(QA_ENG="reject")
    assert (change.status, story.steps) == ("REJECTED", ["answer_rejection"])
    story.as_("pat").decide("answer_rejection", "resubmit", reason="Later")
    with story.installation.acting("user:pat") as act:
        order = act.session.get_one(ChangeOrder, change.order.id)
        change_orders.write(act, order, {"effectivity_kind": "SERIAL", "effectivity_value": "0100"})
    change.write().vote()
    assert (change.status, change.order.round) == ("IMPLEMENTING", 2)
    words = [signature.status.value for signature in story.signatures if signature.record_id == change.order.id]
    assert sorted(set(words)) == ["SUPERSEDED", "VALID"]


@on_its_board
def test_a_revision_that_moved_is_a_conflict_and_a_rebase_asks_again(story: Story) -> None:
    change = the_change(story).vote_but_last()
    drift(story, change)
    change.vote()
    assert (change.status, story.steps) == ("CONFLICT", ["resolve_conflict"])
    story.as_("pat").decide("resolve_conflict", "rebase", reason="On what is there now", merge_into="")
    assert (change.status, story.steps) == ("REVIEW", ["vote_on_change"] * 4)
    change.vote()
    assert change.status == "IMPLEMENTING"


def drift(story: Story, change: Change) -> None:
    story.given(
        lambda act: make_routing(
            act,
            act.session.get_one(ChangeOrder, change.order.id).affected[0].part_revision_from,
            ({"op_no": 90, "description": "Wash"},),
        )
    )


@on_its_board
def test_an_order_that_falls_into_the_frozen_set_opens_the_impact_again(story: Story) -> None:
    change = the_change(story).vote_but_last()

    def one_more(act: Act) -> None:
        order = act.session.get_one(ChangeOrder, change.order.id)
        make_work_order(act, order.affected[0].part_revision_from, number="WO-7009", quantity=D(5))

    story.given(one_more)
    change.vote()
    assert (change.status, set(story.steps)) == ("IMPACT", {"dispose_orders"})
    problems = story.variables_of_task("dispose_orders")["owner"]["problems"]
    assert any("WO-7009" in problem["sentence"] for problem in problems)


@on_its_board
def test_a_change_in_conflict_is_given_up(story: Story) -> None:
    """C10."""
    change = the_change(story).vote_but_last()
    drift(story, change)
    change.vote()
    story.as_("pat").decide("resolve_conflict", "withdraw", reason="Overtaken", merge_into="")
    assert (change.status, story.ended_at, story.incidents) == ("WITHDRAWN", "change_ended", [])


@at_the_customer
def test_a_customer_who_is_silent_for_sixty_days_is_a_matter_for_management_and_one_who_agrees_lets_it_begin(
    story: Story,
) -> None:
    """C11."""
    change = the_change(story)
    assert (change.status, story.steps) == ("REVIEW", ["record_customer_answer"])
    story.after(days=59)
    assert not any("customer" in subject for subject in told(story, "olga"))
    story.after(days=2)
    assert [subject for subject in told(story, "olga") if "still waits for the customer" in subject] != []
    story.as_("pat").decide("record_customer_answer", "approve", reference="Letter 13")
    assert (change.status, story.incidents) == ("IMPLEMENTING", [])
