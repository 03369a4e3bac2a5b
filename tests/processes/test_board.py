"""A board decides by functions, each by its rule, and nothing is half-decided."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.stored.task import Task
from processes import board as voting
from processes import board_rules, boards, meetings
from processes.change_orders import send_to_review, take_baseline, write
from processes.minutes import minutes_pdf
from records.change_order import ChangeOrder, ChangeOrderStatus, move
from records.change_request import OrderClass
from records.meeting import ItemStatus, Meeting, MeetingStatus
from records.roles import grants_of, revoke
from records.signature import SignatureStatus
from records.signing import PasswordSigner, Subject, signatures_on, supersede
from records.vote import BoardRequirement, BoardSeat, Outcome, Verdict, VoteRule, votes_on
from rules import duties
from rules.board_votes import tally_words
from tests.boards import SEATS, ask, cast, in_review, seated, submitted
from tests.changes import revised
from tests.makers import make_absence, make_cast, make_delegation, make_grant, make_signature, make_slot
from tests.people import PASSWORD

S = ChangeOrderStatus


def prepared(
    plant: Installation, *seats: tuple[str, str, str], change_class: OrderClass = OrderClass.C4, **fields: Any
) -> str:
    with plant.acting("system:arrange") as act:
        make_cast(act)
        seated(act, *seats, **fields)
    with plant.acting("user:rita") as act:
        return in_review(act, change_class).id


def by(plant: Installation, person: str, order_id: str, verdict: str, **said: str) -> None:
    with plant.acting(f"user:{person}") as act:
        cast(act, act.session.get_one(ChangeOrder, order_id), verdict, **said)


def read(plant: Installation, order_id: str, look: Callable[[Act, ChangeOrder], Any]) -> Any:
    with plant.acting("system:look") as act:
        return look(act, act.session.get_one(ChangeOrder, order_id))


def outcome(plant: Installation, order_id: str) -> Outcome | None:
    return read(plant, order_id, lambda act, order: voting.outcome(act.session, order))


def test_d20_one_refusal_among_five_rejects_and_the_next_round_starts_without_signatures(plant: Installation) -> None:
    order_id = prepared(plant)
    for person in ("ella", "olga", "max", "fred"):
        by(plant, person, order_id, "approve")
        assert outcome(plant, order_id) is None
    with pytest.raises(Invalid, match="reason"):
        by(plant, "quinn", order_id, "reject")
    by(plant, "quinn", order_id, "reject", text="No evidence from the fatigue test")
    assert outcome(plant, order_id) is Outcome.REJECT
    with plant.acting("user:rita") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        with pytest.raises(RuleViolation, match="has not signed"), act.attempt():
            move(act, order, S.APPROVED)
        move(act, order, S.REJECTED, reason="quality refused")
        first = order.content_hash
        superseded = supersede(act, order.record_type, order.id)
        move(act, order, S.IMPACT)
        write(act, order, {"effectivity_kind": "DATE", "effectivity_value": "2027-03-01"})
        submitted(act, order)
        assert len([one for one in superseded if one.meaning == "APPROVED"]) == 4
        assert order.content_hash != first
    for person, *_ in SEATS:
        by(plant, person, order_id, "approve")
    with plant.acting("user:rita") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        assert voting.outcome(act.session, order) is Outcome.APPROVE
        move(act, order, S.APPROVED)
        cast_votes = votes_on(act.session, order.id)
        assert [vote.target_hash == first for vote in cast_votes] == [True] * 5 + [False] * 5
        states = [one.status for one in signatures_on(act.session, order.record_type, order.id)]
        assert states == [SignatureStatus.SUPERSEDED] * 5 + [SignatureStatus.VALID] * 5


def test_finance_is_asked_only_above_the_cost_and_a_minor_change_asks_two(plant: Installation) -> None:
    with plant.acting("system:arrange") as act:
        make_cast(act)
        seated(act)
        order = in_review(act, OrderClass.C3, cost="10000")
        assert [seat.number for seat in voting.seats_for(act.session, order)] == ["ENGINEERING 1", "QUALITY 1"]
        assert tally_words(voting.standings(act.session, order)) == "Engineering 0/1, Quality 0/1, board 0 of 2"


def test_a_member_votes_once_on_what_they_saw_and_only_while_they_hold_the_role(plant: Installation) -> None:
    order_id = prepared(plant)
    by(plant, "ella", order_id, "approve")
    with pytest.raises(Conflict, match="voted already"):
        by(plant, "ella", order_id, "approve")
    with plant.acting("user:quinn") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        stale = voting.Ballot(Verdict.APPROVE, "a" * 64)
        with pytest.raises(Conflict, match="changed since you opened"), act.attempt():
            voting.vote(act, order, stale, ask("approve", "quinn"))
    with plant.acting("system:admin", now=plant.clock() + dt.timedelta(minutes=1)) as act:
        for grant in grants_of(act.session, "quinn", at=act.now):
            revoke(act, grant)
    with plant.acting("user:quinn", now=plant.clock() + dt.timedelta(minutes=2)) as act:
        order = act.session.get_one(ChangeOrder, order_id)
        with pytest.raises(Forbidden, match="no longer do"), act.attempt():
            cast(act, order, "approve")
    with pytest.raises(Forbidden, match="no open seat"):
        by(plant, "rita", order_id, "approve")
    assert read(plant, order_id, lambda act, order: len(votes_on(act.session, order.id))) == 1
    assert read(plant, order_id, lambda act, order: len(signatures_on(act.session, order.record_type, order.id))) == 1


def test_two_of_three_and_a_weight_are_counted_and_the_database_counts_them_too(plant: Installation) -> None:
    seats = (*SEATS, ("carl", "ENGINEERING", "CC_OWNER"))
    order_id = prepared(plant, *seats, change_class=OrderClass.C3)
    by(plant, "ella", order_id, "approve")
    by(plant, "quinn", order_id, "approve_with_condition", condition="First article before shipment")
    by(plant, "fred", order_id, "approve")
    assert outcome(plant, order_id) is None
    with plant.acting("user:rita") as act, pytest.raises(RuleViolation, match="every function"), act.attempt():
        move(act, act.session.get_one(ChangeOrder, order_id), S.APPROVED)
    by(plant, "carl", order_id, "approve")
    with plant.acting("user:rita") as act:
        assert move(act, act.session.get_one(ChangeOrder, order_id), S.APPROVED).status is S.APPROVED


def test_who_has_an_interest_does_not_count_and_the_role_speaks_instead(plant: Installation) -> None:
    order_id = prepared(plant, change_class=OrderClass.C3)
    with plant.acting("user:quinn") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        voting.declare_conflict(act, order, reason="My brother owns the supplier")
        with pytest.raises(Forbidden, match="declared a conflict"), act.attempt():
            cast(act, order, "approve")
        seats = [(seat.requirement.function, seat.user_id) for seat in voting.seats_for(act.session, order)]
        assert ("QUALITY", None) in seats


def test_the_originator_is_never_the_only_approver(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        make_cast(act)
        order, _, _ = revised(act)
        take_baseline(act, order)
        move(act, order, S.IMPACT)
        send_to_review(act, order)
        slot = make_slot(act, order, record_hash=order.content_hash or "", role="ENG_AUTH")
        slot.signature = make_signature(
            act, order, content_hash=order.content_hash or "", signer="ella", role="ENG_AUTH"
        )
        act.session.flush()
        with pytest.raises(RuleViolation, match="somebody beside the originator"), act.attempt():
            move(act, order, S.APPROVED)


def test_a_vote_is_written_by_no_other_door(plant: Installation) -> None:
    order_id = prepared(plant)
    by(plant, "ella", order_id, "approve")
    for statement in (
        "DELETE FROM board_vote",
        "UPDATE board_vote SET verdict = 'approve'",
        "UPDATE board_requirement SET needed = 1, rule = 'N_OF'",
        "DELETE FROM conflict_of_interest WHERE 1 = 1",
    ):
        with plant.acting("system:intruder") as act:
            if "conflict" in statement:
                voting.declare_conflict(_as(act, "quinn"), act.session.get_one(ChangeOrder, order_id), reason="mine")
            with pytest.raises(RuleViolation), act.attempt():
                act.session.connection().execute(text(statement))


def _as(act: Act, person: str) -> Act:
    act.actor = f"user:{person}"
    return act


def test_a_meeting_is_held_voted_in_and_its_minutes_are_signed_by_its_chair(plant: Installation) -> None:
    order_id = prepared(plant, change_class=OrderClass.C3)
    with plant.acting("user:olga") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        (board,) = boards.boards_of(act.session)
        meeting = meetings.plan_meeting(act, board, starts_at=act.now, place="Room 2")
        assert [item.number for item in meeting.agenda] == [order.number]
        meetings.open_meeting(act, meeting)
        meeting_id = meeting.id

    def vote(person: str, verdict: str, **said: str) -> None:
        with plant.acting(f"user:{person}") as act:
            held = act.session.get_one(Meeting, meeting_id)
            meetings.attend(act, held)
            order = act.session.get_one(ChangeOrder, order_id)
            ballot = voting.Ballot(Verdict(verdict), order.content_hash or "", **said)
            meetings.vote_in(act, held.agenda[0], ballot, ask(verdict, person))

    with pytest.raises(Conflict, match="3 members"):
        vote("ella", "approve")
    with plant.acting("user:max") as act:
        meetings.attend(act, act.session.get_one(Meeting, meeting_id))
    vote("ella", "approve")
    with plant.acting("user:max") as act:
        meetings.leave(act, act.session.get_one(Meeting, meeting_id))
        meetings.leave(_as(act, "ella"), act.session.get_one(Meeting, meeting_id))
    with pytest.raises(Conflict, match=r"3 members.* but 2 are"):
        vote("quinn", "approve")
    for person in ("max", "ella"):
        with plant.acting(f"user:{person}") as act:
            meetings.attend(act, act.session.get_one(Meeting, meeting_id))
    vote("quinn", "approve", text="I would rather wait for the audit")
    vote("fred", "approve")
    with plant.acting("user:olga") as act:
        held = act.session.get_one(Meeting, meeting_id)
        assert (held.agenda[0].status, held.agenda[0].outcome) == (ItemStatus.DECIDED, Outcome.APPROVE)
        meetings.close_meeting(act, held)
        with pytest.raises(RuleViolation, match="sign"), act.attempt():
            meetings.move_meeting(act, held, MeetingStatus.SIGNED)
        request = ask("approve", "olga")
        meetings.sign_minutes(act, held, request, seen_hash=held.minutes_hash or "")
        assert held.status is MeetingStatus.SIGNED
        assert '"Engineering 1/1, Quality 1/1, Finance 1/1, board 3 of 3"' in (held.minutes or "")
        (said,) = meetings.minutes_of(act.session, held, at=act.now)["items"]
        printed = [(one["name"], one["title"], one["meaning"], one["where"]) for one in said["votes"]]
        assert ("Quinn Harper", "Quality engineer", "APPROVED", "meeting") in printed
        assert all(one["signed_at"] for one in said["votes"])
        (signed,) = signatures_on(act.session, held.record_type, held.id)
        assert (signed.printed_title, signed.content_hash) == ("Director of operations", held.minutes_hash)
        assert minutes_pdf(act.session, held).startswith(b"%PDF")
    with plant.acting("system:intruder") as act, pytest.raises(RuleViolation), act.attempt():
        act.session.connection().execute(text("UPDATE board_meeting SET minutes = '{}'"))


def test_the_keeper_appoints_by_signature_and_never_themselves(plant: Installation) -> None:
    with plant.acting("system:arrange") as act:
        make_cast(act)
        board_id = seated(act, ("ella", "ENGINEERING", "ENG_AUTH")).id
    place = {"user": "olga", "function": "MANUFACTURING", "role": "OPS_DIR"}
    with plant.acting("user:quinn") as act:
        board = act.session.get_one(boards.Board, board_id)
        request = ask("approve", "quinn")
        assert request.password == PASSWORD
        assert boards.appoint(act, board, request, place).signature is not None
        for given, refusal in (
            ({**place, "user": "quinn", "role": "QA_ENG"}, Forbidden),
            ({**place, "role": "GM"}, Invalid),
            (place, Conflict),
        ):
            with pytest.raises(refusal), act.attempt():
                boards.appoint(act, board, request, given)
        with pytest.raises(Forbidden), act.attempt():
            boards.appoint(_as(act, "ella"), board, request, place)


def test_the_task_of_a_seat_is_barred_once_its_person_lost_the_role_or_declared_a_conflict(plant: Installation) -> None:
    order_id = prepared(plant)
    with plant.acting("user:quinn") as act:
        order = act.session.get_one(ChangeOrder, order_id)
        task = Task(element_id="vote_on_change", record_type=order.record_type, record_id=order.id, record_hash=order.content_hash,
                    record_number=order.number, outcomes=["approve"], signature="APPROVED")  # fmt: skip

        def bars(person: str) -> list[str]:
            return [one.rule for one in duties.bars_on_task(act.session, task, person, on_behalf_of=None, now=act.now)]

        assert (bars("quinn"), bars("rita")) == ([], ["SOD-8"])
        voting.declare_conflict(act, order, reason="My brother owns the supplier")
        assert bars("quinn") == ["SOD-8"]


def test_people_who_vote_at_once_are_heard_one_after_the_other_and_the_slower_reads_who_decided(
    plant: Installation,
) -> None:
    order_id = prepared(plant, change_class=OrderClass.C3)
    gate, said = threading.Barrier(2), dict[str, str]()

    def press(person: str, verdict: str, words: str) -> None:
        gate.wait()
        try:
            by(plant, person, order_id, verdict, text=words)
            said[person] = "voted"
        except Conflict as refusal:
            said[person] = refusal.message

    presses = [("quinn", "reject", "No evidence"), ("ella", "reject", "Too thin")]
    threads = [threading.Thread(target=press, args=one) for one in presses]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    winner, loser = sorted(said, key=lambda one: said[one] != "voted")
    assert said[winner] == "voted"
    assert f"others were faster: {winner.capitalize()}" in said[loser]
    assert "with that the board rejected it" in said[loser]
    assert read(plant, order_id, lambda act, order: len(votes_on(act.session, order.id))) == 1


def test_a_place_ends_once_signed_and_passes_its_open_seat_on(plant: Installation) -> None:
    order_id = prepared(plant, change_class=OrderClass.C3)
    by(plant, "ella", order_id, "approve")
    for statement in ("UPDATE board_membership SET valid_to = valid_from", "UPDATE board_membership SET weight = 9",
                      "DELETE FROM board_membership", "UPDATE board SET quorum_percent = 1", "DELETE FROM board"):  # fmt: skip
        with plant.acting("system:intruder") as act, pytest.raises(RuleViolation), act.attempt():
            act.session.connection().execute(text(statement))
    with plant.acting("system:arrange") as act:
        make_grant(act, "pat", "QA_ENG")
    with plant.acting("user:pat") as act:
        (board,) = boards.boards_of(act.session)
        member = next(one for one in board.members if one.user_id == "quinn")
        with pytest.raises(Invalid, match="why"), act.attempt():
            boards.dismiss(act, member, ask("approve", "pat"), reason=" ")
        boards.dismiss(act, member, ask("approve", "pat"), reason="Moved to another plant")
        with pytest.raises(Conflict, match="ended already"), act.attempt():
            boards.dismiss(act, member, ask("approve", "pat"), reason="Again")
        assert member.end_signature is not None
    with pytest.raises(Forbidden, match="you have no open seat"):
        by(plant, "max", order_id, "approve")
    by(plant, "quinn", order_id, "approve")  # Not as the member any more, but as a holder of the role.
    by(plant, "fred", order_id, "approve")
    with plant.acting("user:rita") as act:
        assert move(act, act.session.get_one(ChangeOrder, order_id), S.APPROVED).status is S.APPROVED


def test_the_settings_of_a_board_change_under_a_signature_with_a_reason(plant: Installation) -> None:
    with plant.acting("system:arrange") as act:
        make_cast(act)
        board_id = seated(act, ("ella", "ENGINEERING", "ENG_AUTH")).id
    with plant.acting("user:quinn") as act:
        board, request = act.session.get_one(boards.Board, board_id), ask("approve", "quinn")
        for given, refusal in (
            ({"quorum_percent": 0}, "quorum_percent"),
            ({"quorum_percent": "²"}, "quorum_percent"), ({"chair_id": "nobody"}, "chair_id"), ({"classes": ()}, "classes"),
            ({"keeper_role": "NONE"}, "keeper_role"), ({}, "name"),
        ):  # fmt: skip
            with pytest.raises(Invalid) as refused, act.attempt():
                boards.change(act, board, request, given, reason="A test")
            assert refusal in refused.value.fields
        with pytest.raises(Invalid, match="why"), act.attempt():
            boards.change(act, board, request, {"quorum_percent": 75}, reason="")
        boards.change(act, board, request, {"quorum_percent": 75}, reason="Half was too few")
        boards.change(act, board, request, {"quorum_percent": 60}, reason="Too many")
        kept = [one.status for one in signatures_on(act.session, board.record_type, board.id)]
        assert (board.quorum_percent, kept) == (60, [SignatureStatus.SUPERSEDED, SignatureStatus.VALID])
        board_two = {"code": "MRB", "name": "Material review", "chair_id": "olga", "classes": ("C3",)}
        assert boards.set_up(act, request, board_two).signature is not None
        said = {"function": "ENGINEERING", "role": "ENG_AUTH", "rule": "N_OF", "needed": 1}
        assert board_rules.set_rule(act, board, request, said, reason="One is enough").signature.signer_id == "quinn"
    for change in (
        "UPDATE board_rule SET needed = 2",
        "UPDATE board_rule SET valid_to = valid_from",
        "DELETE FROM board_rule",
    ):
        with plant.acting("system:intruder") as act, pytest.raises(RuleViolation), act.attempt():
            act.session.connection().execute(text(change))
    with plant.acting("user:ella") as act, pytest.raises(Forbidden), act.attempt():
        boards.change(
            act, act.session.get_one(boards.Board, board_id), ask("approve", "ella"), {"name": "X"}, reason="Y"
        )


def test_weights_and_so_many_of_a_function_are_counted_by_the_database_too(plant: Installation) -> None:
    """Engineering needs a weight of 3 of 2, 2 and 1; quality two of three: nothing less moves the order, whoever moves it."""
    with plant.acting("system:arrange") as act:
        make_cast(act)
        for person in ("pat", "max"):
            make_grant(act, person, "ENG_AUTH")
        for person in ("olga", "carl"):
            make_grant(act, person, "QA_ENG")
    with plant.acting("user:rita") as act:
        order, _, _ = revised(act, change_class=OrderClass.C3)
        take_baseline(act, order)
        move(act, order, S.IMPACT)
        send_to_review(act, order)
        order_id = order.id
        for position, (name, role, rule, needed, members) in enumerate((
            ("ENGINEERING", "ENG_AUTH", VoteRule.WEIGHT, 3, {"ella": 2, "pat": 2, "max": 1}),
            ("QUALITY", "QA_ENG", VoteRule.N_OF, 2, {"quinn": 1, "olga": 1, "carl": 1}),
        ), start=1):  # fmt: skip
            asked = BoardRequirement(
                target_type=order.record_type, target_id=order.id, target_hash=order.content_hash or "", position=position,
                function=name, role=role, rule=rule, needed=needed, has_veto=False, judged_by="0" * 64,
            )  # fmt: skip
            for place, (person, weight) in enumerate(members.items(), start=1):
                asked.seats.append(BoardSeat(position=place, role=role, user_id=person, weight=weight, has_veto=False))
            act.session.add(asked)
            make_slot(act, order, record_hash=order.content_hash or "", role=role, stage=position)
    for person, verdict, can_move in (
        ("ella", "approve", False), ("max", "approve", False), ("quinn", "approve", False), ("carl", "reject", False),
        ("olga", "approve", True),
    ):  # fmt: skip
        by(plant, person, order_id, verdict, text="" if verdict == "approve" else "No")
        with plant.acting("user:rita") as act:
            order = act.session.get_one(ChangeOrder, order_id)
            if can_move:
                assert tally_words(voting.standings(act.session, order)) == "Engineering 3/3, Quality 2/2, board 2 of 2"
                move(act, order, S.APPROVED)
            else:
                with pytest.raises(RuleViolation), act.attempt():
                    move(act, order, S.APPROVED)


def test_a_deputy_votes_for_the_member_and_who_sits_there_votes_for_themselves_once(plant: Installation) -> None:
    with plant.acting("system:arrange") as act:
        make_cast(act)
        for person in ("pat", "carl"):
            make_grant(act, person, "ENG_AUTH")
        board = seated(act, ("quinn", "QUALITY", "QA_ENG"))
        for place in (
            {"user": "ella", "function": "ENGINEERING", "role": "ENG_AUTH", "deputy": "pat"},
            {"user": "carl", "function": "ENGINEERING", "role": "ENG_AUTH", "deputy": "pat"},
        ):
            boards.appoint(act, board, None, place)
    with plant.acting("user:rita") as act:
        order_id = in_review(act, OrderClass.C3, cost="0").id
    by(plant, "carl", order_id, "approve")
    by(plant, "pat", order_id, "approve")
    with pytest.raises(Conflict, match="voted already"):
        by(plant, "pat", order_id, "approve")
    with pytest.raises(Forbidden, match="no open seat"):
        by(plant, "ella", order_id, "approve")

    def said(_act: Act, order: ChangeOrder) -> list[tuple[str, str | None, str | None]]:
        return [
            (one.voter_id, one.on_behalf_of_id, one.signature.on_behalf_of_id)
            for one in votes_on(_act.session, order.id)
        ]

    assert read(plant, order_id, said) == [("carl", None, None), ("pat", "ella", "ella")]


def test_who_stands_in_for_a_member_votes_for_them_and_every_person_is_heard_once(plant: Installation) -> None:
    order_id = prepared(plant, change_class=OrderClass.C3)
    with plant.acting("system:arrange") as act:
        make_absence(act, "ella", "max", starts_at=act.now, ends_at=act.now + dt.timedelta(days=3))
        make_delegation(act, "quinn", "otto", "QA_ENG")
        make_delegation(act, "fred", "max", "FIN_CTRL")
        make_delegation(act, "olga", "carl", "FIN_CTRL")

    def forge(act: Act, order: ChangeOrder) -> None:
        """Sign as somebody who has no right of fred's, and keep it as a vote from his seat."""
        (seat,) = (one for one in voting.seats_for(act.session, order) if one.user_id == "fred")
        subject = Subject(
            order.record_type, order.id, order.content_hash or "", principal="role:FIN_CTRL", on_behalf_of="fred"
        )
        signer = act.installation.signer
        assert isinstance(signer, PasswordSigner)
        signed = signer.sign_subject(_as(act, "carl"), subject, ask("approve", "carl"))
        voting.keep_vote(act, order, voting.Ballot(Verdict.APPROVE, order.content_hash or ""), signed, seat=seat)

    with (
        plant.acting("user:carl") as act,
        pytest.raises(RuleViolation, match="from a seat of the board"),
        act.attempt(),
    ):
        forge(act, act.session.get_one(ChangeOrder, order_id))
    by(plant, "max", order_id, "approve")
    for person, refusal in (("max", "voted already"), ("ella", "no open seat"), ("carl", "no open seat")):
        with pytest.raises((Conflict, Forbidden), match=refusal):
            by(plant, person, order_id, "approve")
    by(plant, "otto", order_id, "approve")
    voted = read(
        plant,
        order_id,
        lambda act, order: [(one.voter_id, one.on_behalf_of_id) for one in votes_on(act.session, order.id)],
    )
    assert sorted(voted) == [("max", "ella"), ("otto", "quinn")]
    by(plant, "fred", order_id, "approve")
    assert outcome(plant, order_id) is Outcome.APPROVE
