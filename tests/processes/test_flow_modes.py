"""A flow is switched between observe, advise and enforce by its author and an approver, and by nothing else."""

from __future__ import annotations

import pytest

from engine.errors import Conflict, Forbidden, Invalid, NotFound, RuleViolation
from engine.ports import SignatureRequest
from processes import flow_modes
from records.demo_people import Member
from rules.flow_mode import FLOWS, Mode, ModeSwitch, SwitchStatus, mode_of, switches_of
from tests.people import PASSWORD, bea, lena, max_, pat, quinn
from tests.story import Story


def propose(story: Story, member: Member = pat, flow: str = "outside_processing", mode: str = "OBSERVE") -> str:
    with story.as_(member).acting() as act:
        return flow_modes.propose(act, {"flow": flow, "mode": mode, "reason": "two weeks of findings first"}).id


def sign(story: Story, switch_id: str, member: Member, meaning: str) -> SwitchStatus:
    with story.as_(member).acting() as act:
        switch = act.session.get_one(ModeSwitch, switch_id)
        request = SignatureRequest(meaning, PASSWORD, user_id=member.id, accepts_responsibility=True)
        return flow_modes.sign(act, switch, request, seen_hash=switch.approved_hash).status


def mode(story: Story, flow: str = "outside_processing") -> Mode:
    return story.read(lambda session: mode_of(session, flow))


def test_the_author_and_quality_switch_a_flow_and_the_history_tells(story: Story) -> None:
    assert {flow: mode(story, flow) for flow in FLOWS} == dict.fromkeys(FLOWS, Mode.ENFORCE)
    switch_id = propose(story)
    assert sign(story, switch_id, pat, "AUTHORED") is SwitchStatus.PROPOSED
    assert mode(story) is Mode.ENFORCE
    assert sign(story, switch_id, quinn, "APPROVED") is SwitchStatus.APPLIED
    assert mode(story) is Mode.OBSERVE
    back = propose(story, mode="ENFORCE")
    sign(story, back, pat, "AUTHORED")
    sign(story, back, quinn, "APPROVED")
    assert mode(story) is Mode.ENFORCE
    history = story.read(lambda session: switches_of(session, "outside_processing"))
    assert [(one.from_mode, one.to_mode, one.status) for one in history] == [
        (Mode.OBSERVE, Mode.ENFORCE, SwitchStatus.APPLIED),
        (Mode.ENFORCE, Mode.OBSERVE, SwitchStatus.APPLIED),
    ]
    assert mode(story, "requisition_to_po") is Mode.ENFORCE


def test_the_approver_of_a_purchasing_flow_is_the_purchasing_manager(story: Story) -> None:
    switch_id = propose(story, flow="requisition_to_po", mode="ADVISE")
    sign(story, switch_id, pat, "AUTHORED")
    with pytest.raises(Forbidden, match="PUR_MGR to sign"):
        sign(story, switch_id, quinn, "APPROVED")
    assert sign(story, switch_id, max_, "APPROVED") is SwitchStatus.APPLIED
    assert mode(story, "requisition_to_po") is Mode.ADVISE


def test_who_proposed_does_not_approve(story: Story) -> None:
    switch_id = propose(story, quinn)
    with pytest.raises(Forbidden, match="SOD-11"):
        sign(story, switch_id, quinn, "APPROVED")


def test_one_switch_waits_at_a_time_and_a_refused_one_changes_nothing(story: Story) -> None:
    switch_id = propose(story)
    with pytest.raises(Conflict, match="waits for its signatures"):
        propose(story, mode="ADVISE")
    with story.as_(quinn).acting() as act:
        flow_modes.refuse(act, act.session.get_one(ModeSwitch, switch_id), reason="not before the audit")
    with pytest.raises(Conflict):
        sign(story, switch_id, pat, "AUTHORED")
    assert (mode(story), propose(story, mode="ADVISE") != switch_id) == (Mode.ENFORCE, True)


def test_a_switch_that_cannot_be_is_refused(story: Story) -> None:
    for given, refusal in (({"mode": "ENFORCE"}, Invalid), ({"mode": "OFF"}, Invalid), ({"flow": "moon"}, NotFound)):
        with pytest.raises(refusal):
            propose(story, **given)
    for member in (bea, lena):
        with pytest.raises(Forbidden):
            propose(story, member)


@pytest.mark.part11("11.10(k)")
def test_without_its_signatures_no_switch_is_applied(story: Story) -> None:
    switch_id = propose(story)
    sign(story, switch_id, pat, "AUTHORED")
    with pytest.raises(RuleViolation, match="has not signed"), story.acting() as act:
        act.session.get_one(ModeSwitch, switch_id).status = SwitchStatus.APPLIED
    with pytest.raises(Exception, match="approved change item"), story.acting() as act:
        act.session.get_one(ModeSwitch, switch_id).flow_mode.mode = Mode.OBSERVE
