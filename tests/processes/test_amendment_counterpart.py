"""The work behind an amended line waits, visibly, and goes on when the supplier and we agree again (A40.5, A40.10)."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Effect
from engine.instances import instances_of
from processes import amendment as amending
from processes.acknowledgement import acknowledge
from processes.outside_links import link
from records.amendment import AmendmentStatus, PurchaseOrderAmendment
from records.notice import Notice
from records.outside import OutsideLink
from records.purchase_order import PurchaseOrder
from rules.amending import Edits, LineEdit
from rules.finding import KeptFinding, open_findings
from rules.order_consistency import judge_link, judge_start
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory, make_outside_order, make_outside_work


class Linked(OutsideStory):
    """A work order whose heat treatment is bought on line 1; line 2 is nobody's. link_id, order_id, work_id: what is about."""

    link_id = order_id = work_id = ""

    def arrange(self) -> Linked:
        """Link 24 pieces of operation 30 with an acknowledged order."""

        def make(act: Act) -> tuple[str, str, str]:
            work = make_outside_work(act, 24)
            line = make_outside_order(act, work)
            made = link(act, work.operations[2], line, quantity=D(24))
            return made.id, line.order_id, work.id

        self.link_id, self.order_id, self.work_id = self.given(make)
        return self

    def amend(self, **values: object) -> Linked:
        """Let bea propose a change of line 1 and start it."""
        with self.installation.acting("user:bea") as act:
            order = act.session.get_one(PurchaseOrder, self.order_id)
            amendment = amending.propose(act, order, Edits(lines=[LineEdit(1, values)]), reason="The plant needs it")
            self.instance_id = amending.start(act, amendment).id
        self.settle()
        return self

    def answer(self, result: str) -> None:
        """Let the supplier answer."""
        with self.installation.acting("adapter:portal") as act:
            acknowledge(act, act.session.get_one(PurchaseOrder, self.order_id), result=result, message_id=act.id)
        self.settle()

    def go_on(self) -> None:
        """Let the story go on in the newest amendment's instance."""
        newest = self.amendments[-1]
        self.instance_id = self.read(lambda session: instances_of(session, newest.record_type, newest.id)[0].id)

    @property
    def amendments(self) -> list[PurchaseOrderAmendment]:
        """Return every amendment, oldest first."""
        wanted = select(PurchaseOrderAmendment).order_by(PurchaseOrderAmendment.amend_no)
        return list(self.read(lambda session: list(session.scalars(wanted))))

    def holds(self, kind: str, record_id: str) -> list[KeptFinding]:
        """Return the open findings of CON-14 on a record."""
        return list(
            self.read(lambda session: [one for one in open_findings(session, kind, record_id) if one.rule == "CON-14"])
        )

    @property
    def is_held(self) -> bool:
        """Whether link and work order both show the hold, and the gates both say it."""
        kept = bool(self.holds("outside_link", self.link_id)), bool(self.holds("work_order", self.work_id))
        judged = self.read(
            lambda session: (
                any(
                    one.rule == "CON-14"
                    for one in judge_link(
                        session, session.get_one(OutsideLink, self.link_id), at="SHIP", now=self.installation.clock()
                    )
                ),
                any(
                    one.rule == "CON-14"
                    for one in judge_start(
                        session, session.get_one(OutsideLink, self.link_id).operation, now=self.installation.clock()
                    )
                ),
            )
        )
        assert set(kept) == set(judged), (kept, judged)
        return kept[0]


@pytest.fixture
def linked(plant: Installation, clock: SettableClock) -> Linked:
    """Stand in a plant with a linked order line."""
    return Linked(plant, clock).arrange()


def test_an_amendment_of_a_linked_line_holds_work_and_link_until_it_is_applied(linked: Linked) -> None:
    assert not linked.is_held
    linked.amend(quantity=D(20))
    [on_work] = linked.holds("work_order", linked.work_id)
    assert (on_work.effect, on_work.owner) == (Effect.HOLD, "role:BUYER")
    assert "(line 1: quantity 24 EA → 20 EA) is under way" in on_work.sentence
    assert "allocate 20 EA to" in on_work.way_out
    assert "instead of 24; the other 4 EA need another order" in on_work.way_out
    assert linked.is_held
    linked.as_("rita").decide("decide_slot", "approve")
    linked.as_("bea").decide("decide_slot", "approve")
    assert (linked.amendments[-1].status, linked.is_held) == (AmendmentStatus.SENT, True)
    linked.answer("ACCEPT")
    assert (linked.amendments[-1].status, linked.is_held, linked.incidents) == (AmendmentStatus.APPLIED, False, [])
    told = linked.read(
        lambda session: [one.subject for one in session.scalars(select(Notice)) if one.user_id == "rita"]
    )
    assert [" waits: Expected no amendment" in told_ for told_ in told].count(True) == 1
    assert any("/30 goes on" in subject for subject in told)


def test_a_refused_amendment_holds_the_work_until_its_reversal_is_applied(linked: Linked) -> None:
    linked.amend(unit_price=D("17.50"))
    linked.as_("rita").decide("decide_slot", "approve")
    linked.as_("bea").decide("decide_slot", "approve")
    linked.answer("REJECT")
    refused, reverting = linked.amendments
    assert (refused.status, reverting.status) == (AmendmentStatus.SUPPLIER_REFUSED, AmendmentStatus.PENDING)
    assert linked.is_held
    linked.go_on()
    while (slots := linked.tasks("decide_slot")) and linked.amendments[-1].status is AmendmentStatus.PENDING:
        linked.as_({"PLANNER": "rita", "BUYER": "bea"}.get(slots[0].role, "lena")).decide("decide_slot", "approve")
    assert linked.is_held
    linked.answer("ACCEPT")
    assert ([one.status for one in linked.amendments], linked.is_held) == (
        [AmendmentStatus.REVERTED, AmendmentStatus.APPLIED], False,
    )  # fmt: skip


def test_a_refused_amendment_whose_reversal_is_rejected_still_holds_the_work(linked: Linked) -> None:
    linked.amend(unit_price=D("17.50"))
    linked.as_("rita").decide("decide_slot", "approve")
    linked.as_("bea").decide("decide_slot", "approve")
    linked.answer("REJECT")
    linked.go_on()
    role = linked.tasks("decide_slot")[0].role
    linked.as_({"PLANNER": "rita", "BUYER": "bea"}.get(role, "lena")).decide("decide_slot", "reject", reason="No")
    assert [one.status for one in linked.amendments] == [AmendmentStatus.SUPPLIER_REFUSED, AmendmentStatus.REJECTED]
    assert linked.is_held
    [on_link] = linked.holds("outside_link", linked.link_id)
    assert "refused by the supplier and not undone yet" in on_link.sentence


def test_an_amendment_that_ends_without_effect_lets_the_work_go_on(linked: Linked) -> None:
    linked.amend(need_by=dt.date(2026, 12, 18))
    [on_work] = linked.holds("work_order", linked.work_id)
    assert "move the start of" in on_work.way_out
    assert "from 2026-12-16 to 2026-12-18 or later" in on_work.way_out
    with linked.installation.acting("user:bea") as act:
        amending.withdraw(act, act.session.get_one(PurchaseOrderAmendment, linked.amendments[-1].id), reason="No need")
    linked.settle()
    assert (linked.amendments[-1].status, linked.is_held) == (AmendmentStatus.WITHDRAWN, False)


def test_an_amendment_of_another_line_holds_nobody(linked: Linked) -> None:
    linked.amend(description="Black oxide, matt")
    with linked.installation.acting("user:bea") as act:
        amending.withdraw(act, act.session.get_one(PurchaseOrderAmendment, linked.amendments[-1].id), reason="No need")
    linked.settle()
    with linked.installation.acting("user:bea") as act:
        order = act.session.get_one(PurchaseOrder, linked.order_id)
        line = {"description": "Packing", "quantity": D(1), "unit_price": D(20), "quality_clauses": ("Q01@1",)}
        amendment = amending.propose(act, order, Edits(added=[line]), reason="Packed by them")
        amending.start(act, amendment)
    linked.settle()
    assert (linked.amendments[-1].status, linked.is_held) == (AmendmentStatus.PENDING, False)


def test_a_held_operation_is_not_shipped_and_says_whose_turn_it_is(linked: Linked) -> None:
    linked.amend(quantity=D(20))
    found = linked.read(
        lambda session: judge_link(
            session, session.get_one(OutsideLink, linked.link_id), at="SHIP", now=linked.installation.clock()
        )
    )
    [held] = [one for one in found if one.rule == "CON-14"]
    assert (held.owner, held.effect) == ("role:BUYER", Effect.HOLD)
    assert "one that the supplier refused, until a further one is applied" in held.way_out
