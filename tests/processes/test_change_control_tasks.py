"""How an approved change is carried out: tasks, refusals, effectivity, read-back, verification (domain.md 3C C12-C18)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from processes import genealogy
from processes.genealogy import Event
from processes.work_order_split import convert
from records.change_order import ChangeOrder
from records.change_request import ChangeRequest
from records.impact import AffectedOrder, Disposition, newest_snapshot, rows_of
from records.lot import Lot
from records.meeting import ItemStatus
from records.purchase_order import PurchaseOrder
from records.vote import Outcome, Vote
from records.work_order import WorkOrder
from tests.amendments import amendments
from tests.boards import SEATS, agenda, convened, seated, vote_there
from tests.change_story import Change, approved, dated, the_change, written
from tests.impacts import PART
from tests.makers import D, make_delegation, make_grant
from tests.people import quinn
from tests.story import Story


def rows(story: Story, change: Change) -> list[AffectedOrder]:
    """Return the rows of the newest set with what was decided about them."""

    def find(session: Session) -> list[AffectedOrder]:
        snapshot = newest_snapshot(session, session.get_one(ChangeOrder, change.order.id))
        assert snapshot is not None
        found = rows_of(session, snapshot)
        return [row for row in found if row.dispositions]

    return list(story.read(find))


def a_board_of_two_in_manufacturing(act: Act) -> None:
    make_grant(act, "pat", "OPS_DIR")
    make_delegation(act, "quinn", "otto", "QA_ENG", valid_to=dt.datetime(2027, 6, 1, tzinfo=dt.UTC))
    seated(act, *SEATS, ("pat", "MANUFACTURING", "OPS_DIR"))


def the_votes(session: Session) -> list[Vote]:
    return list(session.scalars(select(Vote).where(Vote.target_type == "change_order_addendum")))


@dated
def test_an_effectivity_with_open_tasks_is_overdue_until_the_board_moves_it(story: Story) -> None:
    change = the_change(story)
    assert change.status == "IMPLEMENTING"
    story.at(dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC))
    assert change.status == "OVERDUE_HOLD"
    assert "move_effectivity" in story.steps
    story.given(a_board_of_two_in_manufacturing)
    story.as_("pat").complete(
        "move_effectivity", effectivity_value=dt.date(2027, 2, 1), effectivity_reason="The supplier is late"
    )
    change.sign("ella")
    meeting_id = convened(story, "ella", "quinn", "max")
    (number,) = agenda(story, meeting_id)
    vote_there(story, "max", meeting_id, number)
    change.sign("otto")
    assert change.status == "OVERDUE_HOLD", "nobody of manufacturing agreed yet"
    change.sign("olga")
    voted = story.read(
        lambda session: [
            (one.voter_id, one.on_behalf_of_id, one.signature.on_behalf_of_id) for one in the_votes(session)
        ]
    )
    assert ("otto", "quinn", "quinn") in voted, "whom quality lent its role to"
    assert [one for one in voted if one[0] == "pat"] == [], "one of manufacturing is enough"
    assert agenda(story, meeting_id) == {number: (ItemStatus.DECIDED, Outcome.APPROVE)}
    assert (change.status, change.order.effectivity_value, story.incidents) == ("IMPLEMENTING", "2027-02-01", [])


@approved
def test_a_supplier_who_refuses_sends_the_task_back_to_its_owner_and_engineering_and_quality_sign_what_is_done_instead(
    story: Story,
) -> None:
    """C14."""
    change = the_change(story).do_tasks()
    change.amend("PO-5010", refuses="The tool is gone")
    assert story.steps == ["redispose_order"], (story.steps, story.incidents)
    shown = story.variables_of_task("redispose_order")["job"]
    assert shown["failure"].startswith("Expected PO-5010/A1 to be agreed with the supplier"), shown["failure"]
    assert "CANCEL" in [choice["value"] for choice in shown["choices"]]
    story.as_("pat").decide(
        "redispose_order", "decided", new_disposition="FINISH_AS_OLD", delta_reason="We take B once more"
    )
    assert set(story.steps) == {"decide_slot"}
    change.sign("ella", "quinn")
    assert (story.incidents, "decide_slot" in story.steps) == ([], False)
    row = next(row for row in rows(story, change) if row.native_ref.startswith("PO-5010"))
    assert row.dispositions[0].disposition is Disposition.FINISH_AS_OLD


@written
def test_a_lot_that_is_used_by_then_goes_back_to_its_owner(story: Story) -> None:
    """C14: 2.24, the quantity must be the live one at implementation."""
    change = the_change(story).dispose({"LOT-35": Disposition.SCRAP}).vote_but_last()

    def use(act: Act) -> None:
        lot = act.session.scalars(select(Lot).where(Lot.number == "LOT-35")).one()
        genealogy.withdraw(act, lot, D(5), reason="Used for a test", event=Event("used-5"))

    story.given(use)
    change.vote()
    assert "redispose_order" in story.steps, (story.steps, story.incidents)
    failure = story.variables_of_task("redispose_order")["job"]["failure"]
    assert failure.startswith("Expected 35 EA of LOT-35 as decided, but there are 30.")
    story.as_("pat").decide("redispose_order", "decided", new_disposition="USE_AS_IS", delta_reason="The rest is good")
    change.sign("ella", "quinn")
    assert ("redispose_order" in story.steps, story.incidents) == (False, [])


@approved
def test_what_is_read_back_otherwise_is_put_right_or_decided_anew(story: Story) -> None:
    """C16."""
    change = the_change(story).do_tasks()

    def replan(act: Act) -> None:
        made = act.session.scalars(select(WorkOrder).where(WorkOrder.number == "WO-7002-1")).one()
        before = act.session.get_one(ChangeOrder, change.order.id).affected[0].part_revision_from
        convert(act, made, before, act.session.get_one(ChangeOrder, change.order.id))

    story.given(replan)
    change.amend()
    assert story.steps == ["settle_mismatch"], (story.steps, story.incidents)
    assert "WO-7002-1" in str(story.variables_of_task("settle_mismatch")["work"]["mismatches"])
    story.as_("pat").decide("settle_mismatch", "put_right")
    assert story.steps == ["settle_mismatch"], "It is not"
    story.as_("pat").decide("settle_mismatch", "decide_anew", reason="The floor replanned it")
    assert story.steps == ["redispose_order"]
    story.as_("pat").decide(
        "redispose_order", "decided", new_disposition="FINISH_AS_OLD", delta_reason="It is finished as B"
    )
    change.sign("ella", "quinn").do_tasks()
    assert (change.status, story.incidents) == ("VERIFYING", [])


@approved
def test_a_verification_that_fails_has_the_named_tasks_done_again_or_asks_for_a_corrective_action(story: Story) -> None:
    """C17."""
    change = the_change(story).do_tasks().amend()
    story.as_(quinn).decide("verify_change", "failed", reason="Label", sample="First piece", failed_tasks=[])
    assert (change.status, story.steps) == ("VERIFYING", ["verify_change"])
    assert story.variables_of_task("verify_change")["work"]["unfit"].startswith("Expected the tasks that failed")
    story.as_(quinn).decide(
        "verify_change", "corrective_action", reason="The label printer", sample="x", failed_tasks=[]
    )
    asked = story.read(lambda session: session.scalars(select(ChangeRequest)).one())
    assert (asked.source.value, asked.source_ref, asked.status.value) == ("CAPA", change.number, "SUBMITTED")
    choices = story.variables_of_task("verify_change")["work"]["done_choices"]
    named = next(choice["value"] for choice in choices if "supplier" in choice["label"].lower())
    story.as_(quinn).decide("verify_change", "failed", reason="Never told", sample="Letters", failed_tasks=[named])
    assert (change.status, story.steps) == ("IMPLEMENTING", ["redispose_order"])
    story.as_("pat").decide("redispose_order", "try_again", new_disposition=None, delta_reason="")
    change.do_tasks()
    assert (change.status, story.incidents) == ("VERIFYING", [])
    change.verify().close()
    assert change.status == "CLOSED"


@dated
def test_orders_are_amended_before_the_day_and_the_change_is_effective_on_it(story: Story) -> None:
    """D15, CON-07: what is ordered now comes when the revision counts."""
    change = the_change(story).amend()
    assert (change.status, story.incidents) == ("IMPLEMENTING", [])
    assert {one.status.value for one in amendments(story)} == {"APPLIED"}
    story.at(dt.datetime(2026, 12, 30, 12, tzinfo=dt.UTC))
    assert (change.status, story.incidents) == ("VERIFYING", [])
    assert change.order.effective_at is not None


@dated
def test_an_amendment_that_the_erp_is_silent_about_is_tried_again_read_back_and_then_the_task_is_done(
    story: Story,
) -> None:
    """C14: a technical failure is no refusal: nobody decides anew, the same order is asked for again until it is there."""
    change = the_change(story)
    story.installation.settings = dict(story.installation.settings) | {"erp_adapter": "files"}

    def ask_an_erp(act: Act) -> str:
        order = act.session.scalars(select(PurchaseOrder).where(PurchaseOrder.po_no == "PO-5010")).one()
        order.site.has_erp = True
        return str(order.proposal_no)

    proposal = story.given(ask_an_erp)
    change.amend("PO-5010", answered=False)
    (first,) = [one for one in amendments(story) if one.order.po_no == "PO-5010"]
    assert (first.status.value, story.incidents) == ("APPROVED", [])
    assert ("AMEND_PO OPEN", "redispose_order" in story.steps) == (change.tasks_done()[1], False)
    inbox = Path(story.installation.settings["erp_inbox"])
    inbox.mkdir(parents=True, exist_ok=True)
    head = "proposal_no,po_no,result,message,revision,line_no,part_revision,quantity,unit_price"
    said = f"{proposal},PO-5010,ACCEPTED,,{first.revision},1,{PART}/C,60,4.00"
    (inbox / "1.csv").write_text(f"{head}\n{said}\n")
    story.after(hours=1 / 60)
    assert [one.status.value for one in amendments(story) if one.id == first.id] == ["SENT"]
    change.amend("PO-5010")
    assert (change.tasks_done()[1], story.incidents) == ("AMEND_PO DONE", [])


@approved
def test_work_of_people_that_is_refused_is_done_as_engineering_and_quality_signed_instead(story: Story) -> None:
    """C14."""
    change = the_change(story)
    task = story.tasks("do_task")[0]
    change.decide(task, "refused", evidence="Nobody answers")
    assert story.variables_of_task("redispose_order")["job"]["failure"] == "Because"
    story.as_("pat").decide("redispose_order", "decided", new_disposition=None, delta_reason="Written to by letter")
    change.sign("ella")
    change.sign("quinn", verdict="reject")
    assert "redispose_order" in story.steps, "Not signed, its owner decides again"
    story.as_("pat").decide("redispose_order", "decided", new_disposition=None, delta_reason="Visited")
    change.sign("ella", "quinn")
    assert any("Visited" in one.title for one in story.tasks("do_task"))
    change.do_tasks().amend()
    assert (change.status, story.incidents) == ("VERIFYING", [])
