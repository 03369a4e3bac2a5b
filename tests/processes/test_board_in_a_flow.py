"""A vote in a meeting and a vote from the inbox are one act: the flow that asks for them moves the same way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from engine import inbox, tasks
from engine.errors import Conflict, Invalid, Refused, RuleViolation
from engine.ports import SignatureRequest
from processes import board as voting
from processes import boards, change_control, change_orders, meetings
from records.board import Board
from records.change_order import ChangeOrder
from records.change_request import OrderClass
from records.meeting import ItemStatus, Meeting
from records.roles import grants_of, revoke, user_called
from records.vote import Outcome, votes_on
from tests.boards import SEATS, agenda, cast_there, convened, in_review, seated, vote_there
from tests.change_story import MEANINGS, Change, at_a_stage, the_change
from tests.changes import revised
from tests.makers import make_cast, make_grant
from tests.people import PASSWORD, ella
from tests.story import Story

THREE = SEATS[:3]


def asked(story: Story, *seats: tuple[str, str, str], **fields: Any) -> Change:
    """Return a small change that its flow brought to a board of these seats: the one that the plant begins with, or one made now."""
    if not seats and not fields and story.read(lambda session: session.query(ChangeOrder).count()):
        return the_change(story)
    with story.installation.acting("system:arrange") as act:
        make_cast(act)
        seated(act, *(seats or THREE), **fields)
    with story.installation.acting(ella.principal) as act:
        settled = {"fai": "NONE", "effectivity_kind": "NEXT_BUILD", "effectivity_value": ""}
        order, _, _ = revised(act, change_class=OrderClass.C3)
        change_orders.write(act, order, settled)
        change_control.take_up(act, order)
        number = order.number
    story.settle()
    change = Change(story, number).write()
    assert (change.status, set(story.steps)) == ("REVIEW", {"vote_on_change"}), story.sentence
    return change


on_a_board = at_a_stage("change_on_a_board_of_three", asked)
"""The test begins with ``asked(story)``, which its plant brings along."""


def waiting_for(story: Story, person: str) -> list[str]:
    """What waits in somebody's inbox to be voted on."""
    found = story.read(lambda session: inbox.page(session, person, box="mine").items)
    return [one.task.record_number for one in found if one.task and one.task.element_id == "vote_on_change"]


@on_a_board
def test_a_vote_in_the_meeting_closes_the_task_of_the_inbox_and_the_last_one_moves_the_flow(story: Story) -> None:
    change = asked(story)
    others = [
        story.given(lambda act, part_no=one: in_review(act, OrderClass.C3, cost="0", part_no=part_no).number)
        for one in ("P-901", "P-902")
    ]
    assert waiting_for(story, "ella") == waiting_for(story, "quinn") == [change.number]
    change.story.as_("ella").decide("vote_on_change", "approve")
    meeting_id = convened(story, "ella", "quinn")
    assert list(agenda(story, meeting_id)) == sorted([change.number, *others])
    vote_there(story, "quinn", meeting_id, change.number)
    assert (waiting_for(story, "quinn"), change.status) == ([], "VERIFYING")
    assert story.incidents == []
    vote_there(story, "quinn", meeting_id, others[0], "reject", text="No evidence")
    with pytest.raises(Conflict, match=r"Quinn .*reject.* the board rejected it"):
        vote_there(story, "ella", meeting_id, others[0])
    assert agenda(story, meeting_id) == {
        change.number: (ItemStatus.DECIDED, Outcome.APPROVE),
        others[0]: (ItemStatus.DECIDED, Outcome.REJECT),
        others[1]: (ItemStatus.OPEN, None),
    }
    votes = story.read(lambda session: votes_on(session, change.order.id))
    assert [(one.voter_id, one.meeting_id == meeting_id, one.decision_id is not None) for one in votes] == [
        ("ella", False, True), ("quinn", True, True),
    ]  # fmt: skip


@on_a_board
def test_a_return_in_the_meeting_goes_back_through_the_flow_and_stays_the_outcome_of_its_item(story: Story) -> None:
    change = asked(story)
    meeting_id = convened(story, "ella", "quinn")
    at_once(
        lambda: say(story, "ella", "approve"),
        lambda: cast_there(story, "quinn", meeting_id, change.number, "return", text="Name the drawing"),
    )
    story.settle()
    assert (change.status, story.steps) == ("RETURNED", ["write_change"])
    assert agenda(story, meeting_id) == {change.number: (ItemStatus.DECIDED, Outcome.RETURN)}
    with story.installation.acting("user:olga") as act:
        held = meetings.close_meeting(act, act.session.get_one(Meeting, meeting_id))
        (said,) = meetings.minutes_of(act.session, held, at=act.now)["items"]
    assert (said["outcome"], said["tally"]) == ("RETURN", "Engineering 1/1, Quality 0/1, board 1 of 2")
    told = sorted(
        (vote["name"].split()[0], vote["verdict"], vote["where"], vote["is_dissent"]) for vote in said["votes"]
    )
    assert told == [
        ("Ella", "approve", "inbox", True), ("Quinn", "return", "meeting", False),
    ]  # fmt: skip


def at_once(*wishes: Callable[[], object]) -> None:
    """Let everybody press at the same instant, and see that nobody is refused."""
    gate, refused = threading.Barrier(len(wishes)), list[BaseException]()

    def press(wish: Callable[[], object]) -> None:
        gate.wait()
        try:
            wish()
        except Refused as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=press, args=(wish,)) for wish in wishes]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert refused == []


def test_a_conflict_hands_the_task_to_the_role_or_ends_it_where_others_of_the_function_remain(story: Story) -> None:
    story.given(lambda act: make_grant(act, "pat", "QA_ENG"))
    change = asked(story, *THREE, ("pat", "QUALITY", "QA_ENG"))
    change.story.as_("pat").decide("vote_on_change", "approve")
    declare(story, "quinn", change)
    assert [sorted(task.candidates) for task in story.tasks("vote_on_change")] == [
        ["role:ENG_AUTH@user:ella", "user:ella"]
    ]
    declare(story, "ella", change)
    assert [task.candidates for task in story.tasks("vote_on_change")] == [["role:ENG_AUTH"]]
    with pytest.raises(RuleViolation, match="declared a conflict"):
        story.as_("ella").decide("vote_on_change", "approve")
    story.given(lambda act: make_grant(act, "max", "ENG_AUTH"))
    story.as_("max").decide("vote_on_change", "approve")
    assert (change.status, story.incidents) == ("VERIFYING", [])


def declare(story: Story, person: str, change: Change) -> None:
    with story.installation.acting(f"user:{person}") as act:
        order = act.session.get_one(ChangeOrder, change.order.id)
        voting.declare_conflict(act, order, reason=f"{user_called(act.session, person).name} owns a share")
    story.settle()


def test_what_a_task_asks_is_the_whole_ballot_and_half_of_one_is_refused(story: Story) -> None:
    change = asked(story, *SEATS[:2], ("pat", "ENGINEERING", "CHANGE_SPECIALIST"), ("max", "QUALITY", "PUR_MGR"))
    for verdict in ("approve_with_condition", "split"):
        with pytest.raises(Invalid) as refusal:
            say(story, "ella", verdict)
        assert set(refusal.value.fields) == {"reason"}
    say(story, "ella", "approve_with_condition", reason="First article first")
    say(story, "max", "approve", condition="Only for new lots")
    say(story, "quinn", "split", reason="The drawing is another change")
    votes = story.read(lambda session: votes_on(session, change.order.id))
    assert [(one.voter_id, one.condition, one.text) for one in votes] == [
        ("ella", "First article first", ""),
        ("max", "", "Condition: Only for new lots"),
        ("quinn", "", "The drawing is another change"),
    ]
    assert story.incidents == []


def say(story: Story, person: str, verdict: str, *, reason: str = "", **variables: str) -> None:
    """Vote from the inbox."""
    task = next(one for one in story.tasks("vote_on_change") if f"user:{person}" in one.candidates)
    meaning = MEANINGS.get(verdict, "APPROVED")
    request = SignatureRequest(meaning, PASSWORD, user_id=person, accepts_responsibility=True)
    with story.installation.acting(f"user:{person}") as act:
        tasks.decide(
            act, task.id, verdict, seen_version=task.version, reason=reason, variables=variables, signature=request
        )


@on_a_board
def test_what_is_withdrawn_while_its_meeting_votes_takes_no_vote_and_is_postponed(story: Story) -> None:
    change = asked(story)
    meeting_id = convened(story, "ella", "quinn")
    vote_there(story, "ella", meeting_id, change.number)
    with story.installation.acting("user:pat") as act:
        change_control.take_back(
            act, act.session.get_one(ChangeOrder, change.order.id), reason="The customer cancelled"
        )
    story.settle()
    with pytest.raises(Conflict, match="to be up for decision, but it is withdrawn"):
        vote_there(story, "quinn", meeting_id, change.number)
    assert (change.status, story.incidents) == ("WITHDRAWN", [])
    with story.installation.acting("user:olga") as act:
        held = meetings.close_meeting(act, act.session.get_one(Meeting, meeting_id))
        (said,) = meetings.minutes_of(act.session, held, at=act.now)["items"]
    assert (said["status"], said["outcome"], [one["name"] for one in said["votes"]]) == (
        "POSTPONED",
        None,
        ["Ella Novak"],
    )


@on_a_board
def test_who_loses_the_role_between_opening_and_signing_signs_nothing_from_the_inbox(story: Story) -> None:
    change = asked(story)
    task = next(one for one in story.tasks("vote_on_change") if "user:quinn" in one.candidates)
    with story.installation.acting("system:admin") as act:
        for grant in grants_of(act.session, "quinn", at=act.now):
            revoke(act, grant)
    with pytest.raises(RuleViolation, match="role of the seat"):
        say(story, "quinn", "approve")
    assert story.read(lambda session: votes_on(session, change.order.id)) == []
    assert task.id in {one.id for one in story.tasks("vote_on_change")}


@on_a_board
def test_two_boards_that_decide_at_once_come_to_one_outcome(story: Story) -> None:
    change = asked(story)
    first = convened(story, "ella", "quinn")
    with story.installation.acting("system:arrange") as act:
        other = boards.set_up(act, None, {"code": "MRB", "name": "Material review", "chair_id": "quinn"})
        boards.appoint(act, other, None, {"user": "ella", "function": "ENGINEERING", "role": "ENG_AUTH"})
    with story.installation.acting("user:quinn") as act:
        held = meetings.plan_meeting(act, act.session.get_one(Board, other.id), starts_at=act.now)
        second = meetings.open_meeting(act, held).id
    with story.installation.acting("user:ella") as act:
        meetings.attend(act, act.session.get_one(Meeting, second))
    at_once(
        lambda: cast_there(story, "ella", first, change.number, "approve"),
        lambda: cast_there(story, "quinn", second, change.number, "approve"),
    )
    story.settle()
    decided = {change.number: (ItemStatus.DECIDED, Outcome.APPROVE)}
    assert (agenda(story, first), agenda(story, second)) == (decided, decided)
    assert (change.status, story.incidents) == ("VERIFYING", [])
