"""How a change is decided: areas, cost, board, conflict, customer (domain.md 3C C05-C11)."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.messages import publish
from processes import change_orders, impact, work_order_planning
from records.change_order import AffectedItem, ChangeOrder, ItemAction
from records.impact import Disposition
from records.notice import Notice
from tests import impacts
from tests.change_story import Change, at_a_stage, begun, on_its_board, the_change, written
from tests.changes import opened
from tests.makers import D, make_grant, make_part, make_revision, make_routing, make_work_order
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


@at_the_customer
@pytest.mark.parametrize(
    ("verdict", "status", "next_step"), [("return", "RETURNED", "write_change"), ("reject", "REJECTED", "answer_rejection")]
)  # fmt: skip
def test_a_customer_who_refuses_has_it_written_again_or_rejected(
    story: Story, verdict: str, status: str, next_step: str
) -> None:
    """C11."""
    change = the_change(story)
    story.as_("pat").decide("record_customer_answer", verdict, reason="Not on our part", reference="Letter 14")
    assert (change.status, story.steps, story.incidents) == (status, [next_step], [])
    assert {one.status.value for one in story.signatures if one.record_id == change.order.id} == {"SUPERSEDED"}
    assert any("by its customer" in subject for subject in told(story, "ella"))


@at_the_customer
def test_an_order_that_falls_into_the_set_while_the_customer_thinks_opens_the_impact_again(story: Story) -> None:
    """C11, 2.24: what the customer was asked about is no longer what there is."""
    change = the_change(story)

    def one_more(act: Act) -> None:
        before = act.session.get_one(ChangeOrder, change.order.id).affected[0].part_revision_from
        work_order_planning.create(act, "PRODUCTION", quantity=D(5), part_revision=before)

    story.as_("rita").given(one_more)
    story.settle()
    assert (change.status, set(story.steps), story.incidents) == ("IMPACT", {"dispose_orders"}, [])
    assert "record_customer_answer" not in story.steps
    assert {one.status.value for one in story.signatures if one.record_id == change.order.id} == {"SUPERSEDED"}


@at_the_customer
def test_a_customer_answers_by_message(story: Story) -> None:
    """C11."""
    change = the_change(story)
    with story.installation.acting("adapter:portal") as act:
        said = {"answer": {"approved": False, "is_final": True, "text": "Never", "reference": "P-7"}}
        publish(act, "change.customer_answered", correlation_key=change.number, variables=said, message_id="P-7")
    story.settle()
    assert (change.status, story.steps) == ("REJECTED", ["answer_rejection"])
    story.as_("pat").decide("answer_rejection", "end", reason="Their last word")
    assert (change.status, story.ended_at, story.incidents) == ("REJECTED", "change_ended", [])


@on_its_board
def test_a_vote_that_is_late_is_told_to_its_holders_the_owner_and_management(story: Story) -> None:
    """C08."""
    change = the_change(story)
    story.at(dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC))
    assert not any("waits for the vote" in subject for subject in told(story, "gina"))
    story.at(dt.datetime(2026, 12, 3, 12, tzinfo=dt.UTC))
    for person in ("quinn", "ella", "gina"):
        assert any("waits for the vote" in subject for subject in told(story, person)), person
    change.vote()
    assert change.status == "IMPLEMENTING"


def test_an_area_that_does_not_answer_in_five_working_days_is_told_so_and_the_owner_too(story: Story) -> None:
    """C05."""
    change = begun(story)
    story.as_("pat").complete("write_change")
    story.at(dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC))
    waiting = [subject for subject in told(story, "quinn") if subject.startswith(f"{change.number} waits for")]
    assert waiting != []
    assert any(subject in told(story, "ella") for subject in waiting)


def two_parts(story: Story) -> Change:
    """Have a change of two revisions on its board."""
    change = begun(story)

    def one_more(act: Act) -> None:
        other = make_revision(act, make_part(act, "P-77"), "A")
        change_orders.add_item(
            act, act.session.get_one(ChangeOrder, change.order.id), other, action=ItemAction.DOC_ONLY
        )

    story.given(one_more)
    return change.write().dispose()


def test_what_the_board_splits_off_goes_on_in_an_order_of_its_own(story: Story) -> None:
    """C08."""
    change = two_parts(story).vote(QA_ENG="split")
    assert (change.status, story.steps) == ("RETURNED", ["split_change"])
    choices = story.variables_of_task("split_change")["board"]["split_choices"]
    assert [choice["label"] for choice in choices] == ["P-2000/B -> P-2000/C (revise)", "P-77/A (doc only)"]
    story.as_("pat").complete("split_change", split_off=[choices[1]["value"]], split_title="Drawing of P-77")
    assert story.steps == ["write_change"]
    second = Change(story, "CO-000002")
    assert [one.number for one in affected(story, second)] == ["P-77/A"]
    assert (second.status, second.order.title, story.steps) == ("DRAFT", "Drawing of P-77", ["write_change"])
    second.write()
    assert (second.status, story.incidents) == ("REVIEW", []), "Nothing of it is in the plant"
    change.follow()
    assert [one.number for one in affected(story, change)] == ["P-2000/B -> P-2000/C"]
    change.write()
    assert (change.status, story.incidents) == ("REVIEW", [])


def affected(story: Story, change: Change) -> list[AffectedItem]:
    """Return what a change is about."""

    def find(session: Session) -> list[AffectedItem]:
        found = list(session.get_one(ChangeOrder, change.order.id).affected)
        return [item for item in found if item.number]

    return list(story.read(find))


@on_its_board
def test_a_change_in_conflict_is_merged_into_another_one_that_is_in_writing(story: Story) -> None:
    """C10."""
    change = the_change(story).vote_but_last()
    drift(story, change)
    change.vote()
    into = story.given(opened).id
    story.as_("pat").decide("resolve_conflict", "merge", reason="One change is enough", merge_into=None)
    assert story.steps == ["resolve_conflict"], "Nobody said into which"
    story.as_("pat").decide("resolve_conflict", "merge", reason="One change is enough", merge_into=into)
    assert (change.status, story.ended_at, story.incidents) == ("WITHDRAWN", "change_ended", [])
    other = story.read(lambda session: [one.number for one in session.get_one(ChangeOrder, into).affected])
    assert other == ["P-2000/B -> P-2000/C"]
    assert change.order.ended_reason.startswith("Merged into CO-000002")
