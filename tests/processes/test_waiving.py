"""Waivers: signed by those the table names, dated, counted, and over by themselves."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import Conflict, Effect, Forbidden, Invalid, NotFound, RuleViolation
from engine.ports import SignatureRequest
from processes import waiving
from records.demo_people import Member
from records.purchase_order import OrderStatus as Status
from records.purchase_order import PurchaseOrder, move
from records.waiver import Waiver, WaiverStatus
from rules.finding import open_findings
from rules.waiver import standing_waiver, standing_waivers
from tests.clock import SettableClock
from tests.makers import make_order, make_process, make_supplier
from tests.people import PASSWORD, adam, bea, fred, lena, quinn, rita
from tests.story import Story

TODAY = dt.date(2026, 11, 22)


def signed(member: Member, meaning: str = "APPROVED") -> SignatureRequest:
    return SignatureRequest(meaning, PASSWORD, user_id=member.id, accepts_responsibility=True)


def blurred_order(story: Story, text: str = "Deburr all edges and drill 2 holes 6 mm") -> str:
    def write(act: Act) -> str:
        make_process(act, "HEAT_TREAT")
        order = make_order(act)
        order.lines[0].description = text
        return order.id

    return str(story.given(write))


def ask(story: Story, record_id: str, member: Member = lena, **given: Any) -> str:
    fields = {
        "rule": "BLUR-P2", "record_type": "purchase_order", "record_id": record_id, "expires_on": "2026-12-22",
        "reason": "The specification is in work",
    } | given  # fmt: skip
    with story.as_(member).acting() as act:
        return waiving.propose(act, fields).id


def grant(story: Story, waiver_id: str, member: Member = quinn) -> WaiverStatus:
    with story.as_(member).acting() as act:
        waiver = act.session.get_one(Waiver, waiver_id)
        return waiving.sign(act, waiver, signed(member), seen_hash=waiver.approved_hash).status


def standing(story: Story, rule: str, record_id: str, on: dt.date = TODAY) -> Waiver | None:
    return story.read(lambda session: standing_waiver(session, rule, ("purchase_order", record_id), on=on))


def submit(story: Story, order_id: str) -> None:
    with story.as_(bea).acting() as act:
        order = act.session.get_one(PurchaseOrder, order_id)
        order.approved_hash = "a" * 64
        move(act, order, Status.PENDING_APPROVAL)


def test_quality_waives_a_blurred_role_for_thirty_days(story: Story) -> None:
    order_id = blurred_order(story)
    waiver_id = ask(story, order_id)
    assert standing(story, "BLUR-P2", order_id) is None
    assert grant(story, waiver_id) is WaiverStatus.GRANTED
    days = [standing(story, "BLUR-P2", order_id, on=day) is not None for day in (TODAY, dt.date(2026, 12, 22))]
    assert days == [True, True]
    assert standing(story, "BLUR-P2", order_id, on=dt.date(2026, 12, 23)) is None
    assert standing(story, "BLUR-P1", order_id) is None
    assert [waiver.id for waiver in story.read(lambda session: standing_waivers(session, on=TODAY))] == [waiver_id]


def test_a_waived_finding_is_a_warning_that_says_until_when_and_is_counted(story: Story) -> None:
    order_id = blurred_order(story)
    grant(story, ask(story, order_id))
    submit(story, order_id)
    found = story.read(lambda session: open_findings(session, "purchase_order", order_id))
    waived = [kept for kept in found if kept.rule == "BLUR-P2"]
    assert [(kept.effect, kept.sentence.endswith("Waived until 2026-12-22 (WVR-000001).")) for kept in waived] == [
        (Effect.WARN, True)
    ]
    uses = story.read(lambda session: waiving.uses_of(session, session.get_one(Waiver, waived[0].waiver_id)))
    assert uses == 1


def test_after_its_last_day_a_waiver_lets_nothing_pass(story: Story, clock: SettableClock) -> None:
    order_id = blurred_order(story)
    grant(story, ask(story, order_id))
    clock.set(dt.datetime(2026, 12, 23, 18, 0, tzinfo=dt.UTC))
    submit(story, order_id)
    found = story.read(lambda session: open_findings(session, "purchase_order", order_id))
    assert [(kept.effect, kept.waiver_id) for kept in found if kept.rule == "BLUR-P2"] == [(Effect.HOLD, None)]
    waiver = story.read(lambda session: session.query(Waiver).one())
    assert waiving.state_of(waiver, on=dt.date(2026, 12, 23)) == "EXPIRED"


def test_a_duty_is_waived_by_finance_and_quality_together(story: Story) -> None:
    order_id = blurred_order(story)
    waiver_id = ask(story, order_id, rule="SOD-3")
    assert grant(story, waiver_id, fred) is WaiverStatus.PROPOSED
    assert standing(story, "SOD-3", order_id) is None
    assert grant(story, waiver_id, quinn) is WaiverStatus.GRANTED
    assert standing(story, "SOD-3", order_id) is not None


def test_nobody_waives_what_they_asked_for_and_nobody_signs_twice(story: Story) -> None:
    order_id = blurred_order(story)
    own = ask(story, order_id, quinn)
    with pytest.raises(Forbidden, match="you asked for it"):
        grant(story, own, quinn)
    duty = ask(story, order_id, rule="SOD-4")
    grant(story, duty, fred)
    with pytest.raises(Forbidden, match="you signed it already"):
        grant(story, duty, fred)
    with pytest.raises(Forbidden, match="QA_ENG to sign"):
        grant(story, duty, bea)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"rule": "CON-01"}, "rule"),
        ({"rule": "SOD-12"}, "rule"),
        ({"rule": "UNCONTROLLED_CHANGE"}, "rule"),
        ({"expires_on": "2026-12-23"}, "expires_on"),
        ({"expires_on": "2026-11-21"}, "expires_on"),
        ({"expires_on": "soon"}, "expires_on"),
        ({"starts_on": "2026-11-21"}, "starts_on"),
        ({"reason": "  "}, "reason"),
        ({"quantity_limit": "-3"}, "quantity_limit"),
        ({"quantity_limit": "NaN"}, "quantity_limit"),
        ({"record_type": "moon"}, "record_type"),
    ],
)
def test_a_waiver_that_cannot_be_is_refused_with_its_field(story: Story, given: dict[str, Any], field: str) -> None:
    order_id = blurred_order(story)
    with pytest.raises(Invalid) as refused:
        ask(story, order_id, **given)
    assert list(refused.value.fields) == [field]
    assert story.read(lambda session: session.query(Waiver).count()) == 0


def test_a_waiver_of_nothing_is_refused_and_an_administrator_asks_for_none(story: Story) -> None:
    with pytest.raises(NotFound):
        ask(story, "no-such-id")
    with pytest.raises(Forbidden):
        ask(story, blurred_order(story), adam)


def test_a_waiver_is_limited_to_pieces_and_serials(story: Story) -> None:
    order_id = blurred_order(story)
    grant(story, ask(story, order_id, quantity_limit="4", serials=["0005", "0006"]))

    def passes(**what: Any) -> bool:
        wanted = ("purchase_order", order_id)
        return story.read(lambda session: standing_waiver(session, "BLUR-P2", wanted, on=TODAY, **what) is not None)

    assert (passes(quantity=4), passes(quantity=5)) == (True, False)
    assert (passes(serials=("0005",)), passes(serials=("0005", "0010"))) == (True, False)


def test_a_refused_withdrawn_or_revoked_waiver_lets_nothing_pass(story: Story) -> None:
    order_id = blurred_order(story)
    ends = (("refuse", quinn, False), ("withdraw", lena, False), ("revoke", quinn, True))
    for how, member, is_granted in ends:
        waiver_id = ask(story, order_id)
        if is_granted:
            grant(story, waiver_id)
        with story.as_(member).acting() as act:
            getattr(waiving, how)(act, act.session.get_one(Waiver, waiver_id), reason="not needed")
        assert standing(story, "BLUR-P2", order_id) is None
        with pytest.raises(Conflict):
            grant(story, waiver_id)


def test_no_door_grants_a_waiver_without_its_signatures(installation: Installation, story: Story) -> None:
    order_id = blurred_order(story)
    waiver_id = ask(story, order_id)
    with pytest.raises(RuleViolation, match="has not signed"), story.acting() as act:
        act.session.get_one(Waiver, waiver_id).status = WaiverStatus.GRANTED
    with pytest.raises(RuleViolation, match="expires on"), story.acting() as act:
        act.session.get_one(Waiver, waiver_id).expires_on = dt.date(2027, 11, 22)


def test_what_waits_at_the_gate_goes_on_when_its_waivers_stand(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 40, "120.00")], line_fields={"supplier": make_supplier})
    story.as_(lena).decide("approve_requisition", "approve")
    waiting = story.steps
    requisition = story.requisition
    assert story.purchase_orders == []
    for rule in ("SUP-01", "SUP-02"):
        waiver_id = ask(story, requisition.id, rule=rule, record_type="requisition")
        grant(story, waiver_id)
        story.settle()
    assert (waiting != story.steps, len(story.purchase_orders), story.incidents) == (True, 1, [])
