"""Who leaves a plant that is in full work loses nothing of what they own: each kind of it has a target, and those concerned are told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from engine.act import Installation
from engine.stored.task import Task, TaskState
from processes import helping, leaving, webhooks
from processes.leaving import Duty
from records.change_order import ChangeOrder
from records.impact import RowDisposition
from records.inbox_view import InboxView
from records.notice import notices_of
from records.quotation import RequestForQuotation
from records.webhook import Webhook
from rules.finding import keep_findings
from rules.law import block
from tests.demo_plant import DEMO
from tests.people import adam, lena
from tests.story import Story
from tests.webapp.conftest import People


def arrange(story: Story) -> None:
    """Let Bea own one of what the demo plant gives her none of."""
    with story.installation.acting("system:arrange") as act:
        decided = select(RowDisposition).join(ChangeOrder).where(ChangeOrder.number == "CO-000003")
        act.session.scalars(decided.order_by(RowDisposition.id)).first().owner = "user:bea"
        order = act.session.scalars(select(ChangeOrder)).first()
        keep_findings(
            act, [block("CON-05", "Expected an earlier day", (order.record_type, order.id), owner="user:bea")]
        )
    with story.installation.acting("user:ivan") as act:
        _, made = webhooks.create(act, name="The ERP", url="https://erp.example/in", event_types=["purchase_order.*"])
        made.owner = "user:bea"
    asked = select(Task).where(Task.state == TaskState.OPEN, Task.record_type == "requisition")
    for task in story.read(lambda session: session.scalars(asked).all()):
        if "role:PUR_LEAD" in task.candidates:
            with story.as_(lena).acting() as act:
                helping.ask(act, task.id, "bea", "Does the price hold?")
            return


def leave(house: Installation, user_id: str, **targets: str) -> Sequence[leaving.Piece]:
    with house.acting("user:adam") as act:
        seen = leaving.seen_hash(leaving.pieces_of(act.session, user_id))
        return leaving.leave(act, user_id, targets, seen=seen, reason="She moves")


@pytest.mark.begins_with(DEMO)
def test_everything_that_somebody_owns_is_listed_with_a_target_and_arrives_there(
    browse: People, story: Story, house: Installation
) -> None:
    """W7: beside tasks and drafts also requests, orders, dispositions, findings, questions, shared views and webhooks."""
    arrange(story)
    listed = {piece.duty: piece for piece in story.read(lambda session: leaving.pieces_of(session, "bea"))}
    wanted = {Duty.OWNER, Duty.ORDER, Duty.FINDING, Duty.QUESTION, Duty.VIEW, Duty.WEBHOOK}
    assert wanted <= set(listed)
    assert all(piece.proposed for piece in listed.values())
    page = browse(adam).get("/people/bea/leave").text
    for piece in listed.values():
        assert piece.words in page
    for words in ("RFQ-000001", "9 purchase orders", "of CO-000003", "Does the price hold?", "The ERP", "Every buyer"):
        assert words in page
    assert listed[Duty.WEBHOOK].proposed == "ivan"

    def told(user_id: str) -> str:
        return "\n".join(one.subject for one in story.read(lambda session: notices_of(session, user_id)))

    done = leave(house, "bea")
    left = {piece.duty for piece in story.read(lambda session: leaving.pieces_of(session, "bea"))}
    assert not left & {Duty.OWNER, Duty.WEBHOOK, Duty.DRAFT, Duty.CLAIMED, Duty.NAMED}
    request, row, hook, view = story.read(
        lambda session: [
            session.scalars(select(RequestForQuotation.buyer_id)).one(),
            session.scalars(select(RowDisposition.owner).where(RowDisposition.owner.like("user:%"))).one(),
            session.scalars(select(Webhook.owner)).one(),
            session.scalars(select(InboxView.owner_id).where(InboxView.name == "From the ERP")).one(),
        ]
    )
    heirs = {piece.key.partition(":")[0]: piece.proposed for piece in done}
    assert request == heirs["request_for_quotation"] != "bea"
    assert row == f"user:{heirs['row_disposition']}"
    assert (hook, view) == ("user:ivan", "bea"), "the view waits to be taken over"
    assert "left without an answer to you" in told("lena")
    assert "a finding of theirs waits for an answer" in told("quinn")


@pytest.mark.begins_with(DEMO)
def test_who_led_a_board_leaves_its_chair_to_be_named_by_its_keeper(story: Story, house: Installation) -> None:
    chairs = [piece.title for piece in leave(house, "olga") if piece.duty is Duty.CHAIR]
    assert len(chairs) == 2
    assert "MTG-000001" in chairs[1]
    subjects = [one.subject for one in story.read(lambda session: notices_of(session, "quinn"))]
    assert sum("left, who led" in subject for subject in subjects) == 2
