"""What is written down about suppliers: who may, what follows, and what a day's look keeps and tells."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.ports import SignatureRequest
from engine.stored.instance import Instance
from processes import approved_suppliers, consistency_watch, supplier_records, supplier_standing, supplier_stock
from processes.certificate_rechecks import months_after
from processes.consistency_watch import watch_consistency
from processes.facts import order_facts
from processes.supplier_records import Article, Changed, Declared, Event, Screened
from processes.supplier_stock import Seen
from processes.supplier_watch import NEXT_LOOK, watch_suppliers
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus
from records.notice import Notice
from records.outside import LinkStatus, OutsideLink
from records.receipt import Quarantine, Receipt, ReceiptStatus, move
from records.supplier import ApprovalBasis, ApprovalSubject, Supplier, SupplierApproval, SupplierStatus
from records.supplier_knowledge import (
    ApprovalRecheck,
    ArticleCause,
    ArticleScope,
    ChangeKind,
    Declarant,
    Grade,
    RecheckStatus,
    ScreeningResult,
    SubTierStatus,
    SupplierScore,
    SupplierScreening,
)
from rules.finding import KeptFinding
from rules.supplier_facts import first_article_report, latest_score
from tests import makers
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory
from tests.people import PASSWORD, bea, ella, max_, otto, quinn, sam
from tests.story import Story

TODAY = dt.date(2026, 11, 22)


def signed(user: str = "quinn") -> SignatureRequest:
    return SignatureRequest("APPROVED", PASSWORD, user_id=user, accepts_responsibility=True)


def supplier_of(story: Story, **fields: Any) -> str:
    def arrange(act: Act) -> str:
        makers.make_process(act)
        supplier = makers.make_supplier(act, name="QuickPlate", **fields)
        makers.make_approval(act, supplier)
        return supplier.id

    return str(story.given(arrange))


def get(act: Act, supplier_id: str) -> Supplier:
    return act.session.get_one(Supplier, supplier_id)


def kept(story: Story, supplier_id: str) -> list[tuple[str, bool]]:
    wanted = select(KeptFinding).where(KeptFinding.record_id == supplier_id).order_by(KeptFinding.rule, KeptFinding.id)
    return story.read(lambda session: [(row.rule, row.settled_at is not None) for row in session.scalars(wanted)])


def told(story: Story, user: str) -> list[str]:
    wanted = select(Notice.subject).where(Notice.user_id == user).order_by(Notice.created_at, Notice.id)
    return story.read(lambda session: list(session.scalars(wanted)))


def watch(story: Story, day: dt.date | None = None) -> int:
    if day is not None:
        story.clock.set(dt.datetime(day.year, day.month, day.day, 18, tzinfo=dt.UTC))
    story.installation.extras.pop(NEXT_LOOK, None)
    return watch_suppliers(story.installation)


def test_a_screening_is_kept_with_its_day_its_source_and_who_wrote_it(story: Story) -> None:
    supplier_id = supplier_of(story, is_screened=False)
    with story.as_(quinn).acting() as act:
        seen = Screened(ScreeningResult.CLEAR, "Consolidated list", on=TODAY, reference="Q-1")
        made = supplier_records.screen(act, get(act, supplier_id), seen)
        assert (made.screened_on, made.source, made.created_by) == (TODAY, "Consolidated list", "user:quinn")


def test_the_same_event_makes_one_screening(story: Story) -> None:
    supplier_id = supplier_of(story, is_screened=False)
    for _ in range(2):
        with story.installation.acting("adapter:trade") as act:
            seen = Screened(ScreeningResult.CLEAR, "Consolidated list", on=TODAY)
            supplier_records.screen(act, get(act, supplier_id), seen, event=Event("TRADE", "e-1"))
    wanted = select(SupplierScreening).where(SupplierScreening.source_system == "TRADE")
    assert story.read(lambda session: len(list(session.scalars(wanted)))) == 1


@pytest.mark.parametrize(
    ("seen", "field"),
    [
        (Screened(ScreeningResult.CLEAR, "List", on=dt.date(2026, 11, 23)), "screened_on"),
        (Screened(ScreeningResult.CLEAR, " "), "source"),
        (Screened(ScreeningResult.MATCH, "List"), "note"),
    ],
)
def test_a_screening_that_proves_nothing_is_refused(story: Story, seen: Screened, field: str) -> None:
    supplier_id = supplier_of(story)
    with pytest.raises(Invalid) as caught, story.as_(quinn).acting() as act:
        supplier_records.screen(act, get(act, supplier_id), seen)
    assert list(caught.value.fields) == [field]


def test_a_buyer_writes_no_screening_down(story: Story) -> None:
    supplier_id = supplier_of(story)
    with pytest.raises(Forbidden), story.as_(bea).acting() as act:
        supplier_records.screen(act, get(act, supplier_id), Screened(ScreeningResult.CLEAR, "List"))


@pytest.mark.parametrize("table", ["supplier_screening", "supplier_score"])
def test_what_was_screened_and_scored_is_never_rewritten(story: Story, table: str) -> None:
    supplier_id = supplier_of(story)
    deliver(story, supplier_id, late=5)
    watch(story)
    with pytest.raises(RuleViolation), story.installation.acting("user:quinn") as act:
        act.session.execute(text(f"DELETE FROM {table}"))


def test_a_day_finds_old_screenings_and_the_next_one_settles_them(story: Story) -> None:
    supplier_id = supplier_of(story)
    watch(story)
    assert kept(story, supplier_id) == []
    watch(story, dt.date(2026, 12, 22))
    watch(story, dt.date(2026, 12, 23))
    assert kept(story, supplier_id) == [("SUP-13", False)]
    assert sum("screening" in subject for subject in told(story, "quinn")) == 1, "one notice a week counts them"
    with story.as_(quinn).acting() as act:
        supplier_records.screen(act, get(act, supplier_id), Screened(ScreeningResult.CLEAR, "List"))
    watch(story, dt.date(2026, 12, 24))
    assert kept(story, supplier_id) == [("SUP-13", True)]


def declare(story: Story, supplier_id: str, **fields: Any) -> str:
    given = {"name": "Acme Plating", "process_code": "HEAT_TREAT", "by": Declarant.SUPPLIER} | fields
    with story.acting() as act:
        return supplier_records.declare_sub_tier(act, get(act, supplier_id), Declared(**given)).id


def test_a_sub_tier_that_a_buyer_declares_is_approved_by_quality_with_a_signature(story: Story) -> None:
    supplier_id = supplier_of(story)
    found_id = declare(story.as_(bea), supplier_id)
    assert any("Acme Plating" in subject for subject in told(story, "quinn"))
    watch(story)
    assert kept(story, supplier_id) == [("SUP-08", False)]
    with story.as_(bea).acting() as act:
        found = act.session.get_one(supplier_records.SubTier, found_id)
        with pytest.raises(Forbidden):
            supplier_records.approve_sub_tier(
                act, found, signed("bea"), seen_hash=supplier_records.sub_tier_hash(found)
            )
    with story.as_(quinn).acting() as act:
        found = act.session.get_one(supplier_records.SubTier, found_id)
        with pytest.raises(Invalid, match="changed since"):
            supplier_records.approve_sub_tier(act, found, signed(), seen_hash="old")
        supplier_records.approve_sub_tier(act, found, signed(), seen_hash=supplier_records.sub_tier_hash(found))
        assert (found.status, found.approved_signature_id is not None) == (SubTierStatus.APPROVED, True)
    watch(story)
    assert kept(story, supplier_id) == [("SUP-08", True)]


def test_an_approved_sub_tier_is_not_rewritten_by_any_door(story: Story) -> None:
    supplier_id = supplier_of(story)
    found_id = declare(story.as_(quinn), supplier_id)
    with pytest.raises(RuleViolation), story.acting() as act:
        act.session.execute(text("UPDATE sub_tier SET name = 'Other' WHERE name = 'Acme Plating'"))
    with pytest.raises(IntegrityError), story.acting() as act:
        act.session.execute(text("UPDATE sub_tier SET status = 'APPROVED' WHERE name = 'Acme Plating'"))
    with story.acting() as act:
        found = act.session.get_one(supplier_records.SubTier, found_id)
        supplier_records.stop_sub_tier(act, found, SubTierStatus.ENDED, reason="Done in house now")
        with pytest.raises(Conflict):
            supplier_records.stop_sub_tier(act, found, SubTierStatus.REFUSED, reason="Too late")


@pytest.mark.parametrize(("fields", "field"), [({"name": " "}, "name"), ({"process_code": "MAGIC"}, "process_code")])
def test_a_sub_tier_has_a_name_and_a_process_of_ours(story: Story, fields: dict[str, Any], field: str) -> None:
    supplier_id = supplier_of(story)
    with pytest.raises(Invalid) as caught:
        declare(story.as_(bea), supplier_id, **fields)
    assert field in caught.value.fields


def deliver(story: Story, supplier_id: str, *, good: int = 0, late: int = 0, rejected: int = 0) -> None:
    """Receive orders for 10 pieces each: some on time, some three days late, some rejected."""

    def arrange(act: Act) -> None:
        supplier = get(act, supplier_id)
        for number in range(good + late + rejected):
            is_late = good <= number < good + late
            order = makers.make_order_to_receive(
                act,
                (makers.make_revision(act), 10, 1),
                supplier=supplier,
                line_fields={"promised_on": dt.date(2026, 11, 10)},
            )
            came = dt.date(2026, 11, 13 if is_late else 10)
            receipt = makers.make_receipt(act, order.lines[0], quantity=D(10), received_on=came)
            if number >= good + late:
                move(act, receipt, ReceiptStatus.INSPECTION)
                move(act, receipt, ReceiptStatus.REJECTED, reason="Burrs")

    story.given(arrange)


def score(story: Story, supplier_id: str) -> SupplierScore | None:
    return story.read(lambda session: latest_score(session, session.get_one(Supplier, supplier_id)))


def test_a_score_is_made_of_receipts_and_kept_with_its_counts(story: Story) -> None:
    supplier_id = supplier_of(story)
    deliver(story, supplier_id, good=7, late=2, rejected=1)
    watch(story)
    found = score(story, supplier_id)
    assert found is not None
    assert (found.pieces_received, found.pieces_rejected, found.ppm) == (D(100), D(10), D(100_000))
    assert (found.deliveries, found.on_time, found.late, found.worst_days_late) == (10, 8, 2, 3)
    assert (found.on_time_percent, found.grade, found.window_from) == (D(80), Grade.LOW, dt.date(2025, 11, 23))
    watch(story, dt.date(2026, 11, 23))
    assert story.read(lambda session: len(list(session.scalars(select(SupplierScore))))) == 1, "nothing new to say"


def test_what_was_booked_by_mistake_counts_nowhere(story: Story) -> None:
    supplier_id = supplier_of(story)
    deliver(story, supplier_id, good=6)

    def take_back(act: Act) -> None:
        makers.make_reversal(act, act.session.scalars(select(Receipt).limit(1)).one())

    story.given(take_back)
    watch(story)
    found = score(story, supplier_id)
    assert found is not None
    assert (found.pieces_received, found.deliveries) == (D(50), 5)


def test_four_deliveries_say_nothing(story: Story) -> None:
    supplier_id = supplier_of(story)
    deliver(story, supplier_id, late=4)
    watch(story)
    found = score(story, supplier_id)
    assert found is not None
    assert found.grade is Grade.TOO_FEW
    assert kept(story, supplier_id) == []


def test_a_low_score_is_told_asks_the_purchasing_manager_and_proposes_conditional(story: Story) -> None:
    supplier_id = supplier_of(story)
    deliver(story, supplier_id, good=3, late=2)
    watch(story)
    assert kept(story, supplier_id) == [("SUP-10", False)]
    wanted = select(KeptFinding.sentence).where(KeptFinding.rule == "SUP-10")
    sentence = story.read(lambda session: session.scalars(wanted).one())
    assert "2 of 5 deliveries were late" in sentence
    assert sentence.endswith("Proposed: CONDITIONAL.")
    assert any("SUP-10" in subject for subject in told(story, max_.id))
    with story.acting() as act:
        requisition = makers.make_requisition(act)
        order = makers.make_order(act, supplier=get(act, supplier_id))
        assert order_facts(act, order, requisition, single_source=False)["low_score"] is True


def test_quality_makes_a_supplier_conditional_with_a_signature(story: Story) -> None:
    supplier_id = supplier_of(story)
    to = SupplierStatus.CONDITIONAL
    with story.as_(bea).acting() as act:
        supplier = get(act, supplier_id)
        seen = supplier_standing.standing_hash(supplier, to)
        with pytest.raises(Forbidden):
            supplier_standing.grade(act, supplier, to, signed("bea"), reason="Late", seen_hash=seen)
    with story.as_(quinn).acting() as act:
        supplier = get(act, supplier_id)
        seen = supplier_standing.standing_hash(supplier, to)
        with pytest.raises(Invalid, match="reason"):
            supplier_standing.grade(act, supplier, to, signed(), reason=" ", seen_hash=seen)
        supplier_standing.grade(act, supplier, to, signed(), reason="Late deliveries", seen_hash=seen)
        assert (supplier.status, supplier.approved_signature_id is not None) == (to, True)
    assert any("conditional" in subject for subject in told(story, "bea"))


def test_a_suspension_keeps_apart_what_waits_for_inspection(story: Story) -> None:
    supplier_id = supplier_of(story)

    def arrange(act: Act) -> tuple[str, str, str]:
        supplier = get(act, supplier_id)
        receipts = []
        for _ in range(3):
            order = makers.make_order_to_receive(act, (makers.make_revision(act), 5, 1), supplier=supplier)
            receipts.append(makers.make_receipt(act, order.lines[0]))
        for receipt in receipts[1:]:
            move(act, receipt, ReceiptStatus.INSPECTION)
        move(act, receipts[2], ReceiptStatus.ACCEPTED)
        return receipts[0].id, receipts[1].id, receipts[2].id

    ids = story.given(arrange)
    with story.as_(quinn).acting() as act:
        approval = act.session.scalars(
            select(SupplierApproval).where(SupplierApproval.supplier_id == supplier_id)
        ).one()
        approved_suppliers.suspend(act, approval, reason="Wrong furnace charts")
    found = [
        story.read(
            lambda session, one=one: (session.get_one(Receipt, one).status, session.get_one(Receipt, one).quarantine)
        )
        for one in ids
    ]
    apart = (ReceiptStatus.QUARANTINE, Quarantine.SUPPLIER)
    assert found == [apart, apart, (ReceiptStatus.ACCEPTED, None)]
    assert any("2 deliveries are kept apart" in subject for subject in told(story, "quinn"))


def test_a_suspended_supplier_is_suspended_as_a_whole(story: Story) -> None:
    supplier_id = supplier_of(story)

    def arrange(act: Act) -> str:
        order = makers.make_order_to_receive(act, (makers.make_revision(act), 5, 1), supplier=get(act, supplier_id))
        return makers.make_receipt(act, order.lines[0]).id

    receipt_id = story.given(arrange)
    with story.as_(quinn).acting() as act:
        apart = supplier_standing.suspend_supplier(act, get(act, supplier_id), reason="Fraud is suspected")
        assert [receipt.id for receipt in apart] == [receipt_id]
        with pytest.raises(Conflict):
            supplier_standing.suspend_supplier(act, get(act, supplier_id), reason="Again")


def certified(story: Story, **fields: Any) -> tuple[str, str]:
    supplier_id = supplier_of(story)

    def arrange(act: Act) -> str:
        given = {
            "subject": ApprovalSubject.PROCESS, "basis": ApprovalBasis.NADCAP, "nadcap_certificate_no": "N-1",
            "valid_from": dt.date(2026, 2, 20), "valid_to": dt.date(2028, 2, 20), "cycle_months": 24,
        } | fields  # fmt: skip
        return makers.make_approval(act, get(act, supplier_id), "HEAT_TREAT", **given).id

    return supplier_id, story.given(arrange)


def rechecks(story: Story) -> list[tuple[dt.date, RecheckStatus]]:
    wanted = select(ApprovalRecheck).order_by(ApprovalRecheck.due_on)
    return story.read(lambda session: [(row.due_on, row.status) for row in session.scalars(wanted)])


def test_a_certificate_is_looked_up_every_year_whatever_its_cycle(story: Story) -> None:
    _, _ = certified(story)
    due = dt.date(2027, 2, 20)
    watch(story, due - dt.timedelta(days=91))
    assert rechecks(story) == []
    for days in (90, 89, 30, 7, 6):
        watch(story, due - dt.timedelta(days=days))
    assert rechecks(story) == [(due, RecheckStatus.DUE)]
    subjects = [subject for subject in told(story, "quinn") if "look certificate N-1" in subject]
    assert len(subjects) == 3, "at 90, 30 and 7 days, each once"


def test_who_looked_a_certificate_up_is_kept_and_the_next_look_is_a_year_later(story: Story) -> None:
    supplier_id, _ = certified(story)
    due = dt.date(2027, 2, 20)
    watch(story, due + dt.timedelta(days=1))
    assert ("SUP-05", False) in kept(story, supplier_id)
    with story.as_(bea).acting() as act:
        task = act.session.scalars(select(ApprovalRecheck)).one()
        with pytest.raises(Forbidden):
            supplier_records.recheck(act, task, RecheckStatus.CONFIRMED, note="eAuditNet shows it")
    with story.as_(quinn).acting() as act:
        task = act.session.scalars(select(ApprovalRecheck)).one()
        with pytest.raises(Invalid):
            supplier_records.recheck(act, task, RecheckStatus.CONFIRMED, note=" ")
        supplier_records.recheck(act, task, RecheckStatus.CONFIRMED, note="eAuditNet shows it until 2028")
        assert (task.done_by, task.done_on) == ("quinn", dt.date(2027, 2, 21))
        with pytest.raises(Conflict):
            supplier_records.recheck(act, task, RecheckStatus.REFUTED, note="No")
    watch(story, dt.date(2027, 11, 30))
    assert rechecks(story)[-1] == (dt.date(2028, 2, 21), RecheckStatus.DUE)


def test_a_certificate_that_ends_within_the_year_is_looked_up_then(story: Story) -> None:
    certified(story, certificate_expires_on=dt.date(2027, 1, 15), cycle_months=12)
    watch(story)
    assert rechecks(story) == [(dt.date(2027, 1, 15), RecheckStatus.DUE)]


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (dt.date(2024, 2, 29), 12, dt.date(2025, 2, 28)),
        (dt.date(2026, 12, 31), 12, dt.date(2027, 12, 31)),
        (dt.date(2026, 8, 31), 18, dt.date(2028, 2, 29)),
    ],
)
def test_months_end_with_the_month(day: dt.date, months: int, expected: dt.date) -> None:
    assert months_after(day, months) == expected


def test_a_first_article_is_decided_by_engineering_with_a_reason(story: Story) -> None:
    supplier_id = supplier_of(story)
    with story.as_(ella).acting() as act:
        part = makers.make_part(act)
        article = Article(ArticleCause.NEW_SOURCE, ArticleScope.FULL, part=part)
        with pytest.raises(Invalid):
            supplier_records.decide_article(act, get(act, supplier_id), article, reason="")
        made = supplier_records.decide_article(act, get(act, supplier_id), article, reason="First order here")
        assert (made.decided_by, made.scope, made.subject) == ("ella", ArticleScope.FULL, part.part_no)
    with pytest.raises(Forbidden), story.as_(bea).acting() as act:
        supplier_records.decide_article(act, get(act, supplier_id), article, reason="Saves time")


def test_a_change_that_a_supplier_notices_is_told_to_quality(story: Story) -> None:
    supplier_id = supplier_of(story)
    with story.as_(bea).acting() as act:
        changed = Changed(ChangeKind.PROCESS, "New furnace from December", dt.date(2026, 12, 1))
        supplier_records.note_change(act, get(act, supplier_id), changed)
    assert any("changes its process" in subject for subject in told(story, "quinn"))


def stock(story: Story, quantity: Decimal | int, *, hours: int = 0, work: str = "WO-W6") -> bool:
    with story.as_(sam).acting() as act:
        supplier = act.session.scalars(select(Supplier).where(Supplier.name == "QuickPlate")).one()
        at = act.now - dt.timedelta(hours=1) + dt.timedelta(hours=hours)
        seen = Seen("ERP", "QP-WIP/WO-W6", supplier, "QP-WIP", work, D(quantity), at)
        return supplier_stock.observe(act, seen)[1]


def look(story: Story) -> None:
    story.installation.extras.pop(consistency_watch.LAST_LOOK, None)
    watch_consistency(story.installation)


def blurred(story: Story) -> list[tuple[str, bool]]:
    wanted = select(KeptFinding).where(KeptFinding.rule == "BLUR-W6").order_by(KeptFinding.id)
    return story.read(lambda session: [(row.sentence, row.settled_at is not None) for row in session.scalars(wanted)])


@pytest.fixture
def work(story: Story) -> Story:
    supplier_of(story)
    story.given(lambda act: makers.make_work_order(act, number="WO-W6"))
    return story


def test_pieces_at_a_supplier_without_a_link_are_found(work: Story) -> None:
    assert stock(work, 6) is True
    look(work)
    ((sentence, settled),) = blurred(work)
    assert sentence == (
        "Expected 0 pieces of WO-W6 at QP-WIP (QuickPlate), as ERP sees it, by its links, but 6 are there."
    )
    assert not settled
    assert stock(work, 0, hours=-1) is False, "an older look says nothing"
    assert stock(work, 0, hours=1) is True
    look(work)
    assert [settled for _, settled in blurred(work)] == [True]


def test_pieces_that_links_have_at_a_supplier_and_nobody_sees_are_a_discrepancy(
    plant: Installation, clock: SettableClock
) -> None:
    outside = OutsideStory(plant, clock)
    outside.ready().ship()
    wanted = select(Discrepancy).where(Discrepancy.field.startswith("at_supplier"))

    def see(quantity: int, at: dt.datetime) -> None:
        def arrange(act: Act) -> None:
            link = act.session.scalars(select(OutsideLink)).one()
            number = link.operation.work_order.number
            supplier_stock.observe(act, Seen("ERP", "row 1", link.order.supplier, "NS-WIP", number, D(quantity), at))

        outside.given(arrange)
        look(outside)

    see(0, outside.clock() - dt.timedelta(minutes=1))
    assert outside.read(lambda session: list(session.scalars(wanted))) == [], "they left after the look"
    clock.set(outside.clock() + dt.timedelta(hours=2))
    see(0, outside.clock() - dt.timedelta(minutes=1))
    found = outside.read(lambda session: session.scalars(wanted).one())
    assert (found.ours, found.theirs, found.kind) == ("24", "0", DiscrepancyKind.MISSING)
    clock.set(outside.clock() + dt.timedelta(hours=2))
    see(24, outside.clock())
    assert outside.read(lambda session: session.scalars(wanted).one().status) is DiscrepancyStatus.RESOLVED
    assert blurred(outside) == []
    assert (outside.link.status, outside.link.at_supplier) == (LinkStatus.AT_SUPPLIER, D(24)), "nothing of ours moved"


@pytest.mark.parametrize(("quantity", "number", "field"), [(-1, "WO-W6", "quantity"), (1, " ", "work_order")])
def test_an_observation_that_says_nothing_is_refused(work: Story, quantity: int, number: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        stock(work, quantity, work=number)
    assert list(caught.value.fields) == [field]


def test_whoever_has_no_role_reports_no_stock(work: Story) -> None:
    with work.as_(otto).acting() as act:
        supplier = act.session.scalars(select(Supplier).where(Supplier.name == "QuickPlate")).one()
        with pytest.raises(Forbidden):
            supplier_stock.observe(act, Seen("ERP", "1", supplier, "QP", "WO-W6", D(1), act.now))


def test_a_decided_first_article_puts_its_report_on_new_lines(story: Story) -> None:
    """SUP-11: until the first delivery, every new line of the part asks this supplier for the report."""
    supplier_id = supplier_of(story)
    with story.as_(ella).acting() as act:
        requisition = makers.make_requisition(act)
        line = requisition.lines[0]
        assert line.part_revision is not None
        article = Article(ArticleCause.NEW_SOURCE, ArticleScope.FULL, part=line.part_revision.part)
        supplier_records.decide_article(act, get(act, supplier_id), article, reason="First order here")
        where = {"on": TODAY, "site": None}
        assert first_article_report(act.session, line, get(act, supplier_id), **where) == {"FAI"}
        order = makers.make_order_to_receive(act, (line.part_revision, 5, 1), supplier=get(act, supplier_id))
        makers.make_receipt(act, order.lines[0])
        assert first_article_report(act.session, line, get(act, supplier_id), **where) == set()


def test_an_unknown_process_is_refused_by_name(story: Story) -> None:
    supplier_id = supplier_of(story)
    with story.as_(quinn).acting() as act:
        article = Article(ArticleCause.NEW_SOURCE, ArticleScope.FULL, process_code="MAGIC")
        with pytest.raises(Invalid, match="MAGIC"):
            supplier_records.decide_article(act, get(act, supplier_id), article, reason="First order here")


def review(story: Story) -> Story:
    """Look at the newest task that supplier quality got about a supplier."""
    wanted = select(Instance.id).where(Instance.process_id == "supplier_review").order_by(Instance.id.desc())
    story.instance_id = story.read(lambda session: session.scalars(wanted).first())
    return story


def test_a_recheck_is_a_task_with_its_day_that_quality_signs(story: Story) -> None:
    """SUP-05: made once, 90 days before; a refuted certificate holds, and what is done on the page closes its task."""
    supplier_id, _ = certified(story)
    due = dt.date(2027, 2, 20)
    for days in (90, 89):
        watch(story, due - dt.timedelta(days=days))
    task = review(story).as_(quinn).task("look_up_certificate")
    assert (task.title, task.due_at and task.due_at.date()) == (
        "Look certificate N-1 of QuickPlate up again", dt.date(2027, 2, 21),
    )  # fmt: skip
    story.as_(quinn).decide("look_up_certificate", "refuted", note="eAuditNet does not list it")
    assert (rechecks(story), story.ended_at) == ([(due, RecheckStatus.REFUTED)], "certificate_looked_up")
    assert ("SUP-05", False) in kept(story, supplier_id)
    watch(story, dt.date(2027, 11, 30))
    assert review(story).steps == ["look_up_certificate"]
    with story.as_(quinn).acting() as act:
        task_row = act.session.scalars(select(ApprovalRecheck).where(ApprovalRecheck.status == "DUE")).one()
        supplier_records.recheck(act, task_row, RecheckStatus.CONFIRMED, note="It is back")
    story.settle()
    assert (story.steps, story.ended_at) == ([], "closed_on_the_page")


@pytest.mark.parametrize(
    ("verdict", "status"), [("conditional", SupplierStatus.CONDITIONAL), ("keep", SupplierStatus.APPROVED)]
)
def test_a_low_score_is_decided_in_a_task_under_a_signature(story: Story, verdict: str, status: SupplierStatus) -> None:
    supplier_id = supplier_of(story)
    deliver(story, supplier_id, good=3, late=2)
    for _ in range(2):
        watch(story)
    task = review(story).as_(quinn).task("weigh_score")
    assert task.title == "Decide on the low score of QuickPlate"
    story.as_(quinn).decide("weigh_score", verdict, note="Late twice this month")
    supplier = story.read(lambda session: session.get_one(Supplier, supplier_id))
    assert (supplier.status, story.ended_at, story.incidents) == (status, "supplier_graded", [])
    watch(story, TODAY + dt.timedelta(days=1))
    asked = select(Instance.id).where(Instance.process_id == "supplier_review")
    assert story.read(lambda session: len(list(session.scalars(asked)))) == 1, "the same low score is asked about once"
