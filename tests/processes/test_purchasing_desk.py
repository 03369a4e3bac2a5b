"""The buyer's desk, what a part cost, and what waits for whom: figures that a fixed number of statements finds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest

from engine import workload
from engine.act import Act
from engine.database import new_id
from engine.errors import Invalid
from engine.stored.task import Task, TaskCandidate
from engine.workload import Asked
from processes.price_history import prices_of, spans
from processes.purchasing_desk import Desk, desk_of
from processes.supplier_overview import overview
from records.part import Part
from records.purchase_order import LineStatus, OrderStatus
from records.supplier import Supplier
from tests.engine.plant import statements
from tests.makers import (
    make_approval,
    make_invoice,
    make_nonconformance,
    make_order,
    make_order_to_receive,
    make_part,
    make_rate,
    make_receipt,
    make_revision,
    make_sourcing_ref,
    make_supplier,
)
from tests.people import rita
from tests.story import Story

D, DAY = Decimal, dt.timedelta(days=1)
TODAY = dt.date(2026, 11, 22)
"""A Sunday, on which the clock of the tests stands; suppliers have two working days to answer."""


def desk(story: Story, buyer: str | None = "bea") -> Desk:
    return story.read(lambda session: desk_of(session, buyer, now=story.clock()))


def rows(found: Desk, name: str) -> list[tuple[str, int | None]]:
    (section,) = (section for section in found.sections if section.name == name)
    assert section.total == len(section.rows)
    return [(row.number, row.days) for row in section.rows]


def busy(act: Act, turn: int) -> None:
    """Put one of each thing onto the desk."""
    supplier = make_supplier(act, f"S-BUSY-{turn}", qms_expires_on=TODAY + 59 * DAY)
    sent = act.now - dt.timedelta(days=9)
    make_order_to_receive(
        act, supplier=supplier, po_no=f"PO-SENT-{turn}", status=OrderStatus.TRANSMITTED, transmitted_at=sent
    )
    make_order_to_receive(act, supplier=supplier, po_no=f"PO-LATE-{turn}", line_fields={"promised_on": TODAY - DAY})
    make_approval(act, supplier, valid_to=TODAY + 60 * DAY)
    make_sourcing_ref(act, native_id=f"BL-{turn}", agreed_value=D(100), remaining_value=D(20), valid_to=None)


def test_the_desk_asks_as_often_whatever_there_is(story: Story) -> None:
    def asked(turns: Sequence[int]) -> tuple[int, Desk]:
        story.given(lambda act: [busy(act, turn) for turn in turns])
        with statements(story.installation.database) as seen:
            found = desk(story)
        return len(seen), found

    few, first = asked([1])
    many, second = asked(range(2, 9))
    assert (few, [section.total for section in first.sections]) == (many, [1, 1, 0, 1, 1, 0, 1])
    assert [section.total for section in second.sections] == [8, 8, 0, 8, 8, 0, 8]
    assert many < 30
    assert first.states == {OrderStatus.TRANSMITTED: 1, OrderStatus.ACKNOWLEDGED: 1}
    assert rows(first, "late") == [("PO-LATE-1/1", 1)]
    assert rows(first, "certificates") == [("S-BUSY-1", -59)]


def test_the_desk_shows_what_is_late_and_leaves_out_what_is_not(story: Story) -> None:
    def arrange(act: Act) -> None:
        sent = {"status": OrderStatus.TRANSMITTED, "transmitted_at": act.now - dt.timedelta(days=3)}
        make_order_to_receive(act, po_no="PO-JUST", **sent)  # sent on a Thursday: answered by Monday
        make_order_to_receive(act, po_no="PO-OTHER", buyer_id="lena", status=OrderStatus.TRANSMITTED,
                              transmitted_at=act.now - dt.timedelta(days=12))  # fmt: skip
        make_order_to_receive(act, po_no="PO-TODAY", line_fields={"promised_on": TODAY, "need_by": TODAY - 9 * DAY})
        supplier = make_supplier(act, "S-LONG", qms_expires_on=TODAY + 61 * DAY)
        make_approval(act, supplier, valid_to=TODAY + 61 * DAY)
        make_approval(act, supplier, "FORGED", valid_to=TODAY + 400 * DAY, certificate_expires_on=TODAY)
        make_sourcing_ref(act, agreed_value=D(100), remaining_value=D(21), valid_to=TODAY + 61 * DAY)
        make_sourcing_ref(act, native_id="BL-OVER", valid_to=TODAY - DAY)

    story.given(arrange)
    found = desk(story)
    assert [rows(found, name) for name in ("unanswered", "late", "certificates", "agreements")] == [[], [], [], []]
    assert rows(found, "supplier_approvals") == [("Forged", 0)]
    assert rows(desk(story, None), "unanswered") == [("PO-OTHER", 12)]
    story.clock.advance(days=1, hours=1)
    assert [number for number, _ in rows(desk(story), "unanswered")] == ["PO-JUST"]
    assert rows(desk(story), "late") == [("PO-TODAY/1", 1)]


def test_what_a_part_cost_is_in_company_currency_at_the_rate_of_the_day(story: Story) -> None:
    def arrange(act: Act) -> str:
        revision = make_revision(act, make_part(act, "P-PRICED"))
        ours, theirs = make_supplier(act, "S-OURS"), make_supplier(act, "S-THEIRS", currency="EUR")
        for day, rate in ((dt.date(2026, 1, 1), "1.10"), (dt.date(2026, 6, 1), "1.20")):
            make_rate(act, rate=D(rate), valid_from=day)
        make_order_to_receive(act, (revision, 5, "10"), supplier=ours, po_no="PO-1", order_date=dt.date(2026, 2, 1))
        box = make_order_to_receive(
            act, (revision, 2, "100"), supplier=theirs, po_no="PO-2", fx_rate=None, order_date=dt.date(2026, 5, 31),
            line_fields={"conversion_factor": D(10), "uom": "BOX"},
        )  # fmt: skip
        make_invoice(act, (box.lines[0], 1, "100"), invoiced_on=dt.date(2026, 6, 1), number="INV-9")
        make_order_to_receive(act, (revision, 5, "12"), supplier=ours, po_no="PO-3", order_date=dt.date(2026, 7, 1))
        make_order_to_receive(act, (revision, 5, "7"), supplier=make_supplier(act, "S-YEN", currency="JPY"), po_no="PO-4",
                              fx_rate=None, order_date=dt.date(2026, 1, 2))  # fmt: skip
        make_order_to_receive(act, (revision, 5, "99"), supplier=ours, po_no="PO-5", line_fields={"process_code": None},
                              status=OrderStatus.CANCELLED)  # fmt: skip
        make_order(act, (revision, 5, "77"))
        return revision.part_id

    part_id = story.given(arrange)
    points = story.read(lambda session: prices_of(session, session.get_one(Part, part_id)))
    assert [(one.number, one.company_price) for one in points] == [
        ("PO-3/1", D(12)), ("INV-9/1", D(12)), ("PO-2/1", D(11)), ("PO-1/1", D(10)), ("PO-4/1", None),
    ]  # fmt: skip
    assert [(one.supplier_id, one.prices, one.change) for one in spans(points)] == [
        (points[0].supplier_id, 2, D(20)), (points[2].supplier_id, 1, None),
    ]  # fmt: skip


def test_a_supplier_is_seen_with_what_is_late_and_what_was_wrong(story: Story) -> None:
    def arrange(act: Act) -> str:
        supplier = make_supplier(act, "S-SEEN")
        late_order = make_order_to_receive(act, supplier=supplier, line_fields={"promised_on": TODAY - 3 * DAY})
        came = make_order_to_receive(
            act, supplier=supplier, line_fields={"promised_on": TODAY - 20 * DAY, "status": LineStatus.RCVD}
        )
        receipt = make_receipt(act, came.lines[0])
        make_nonconformance(act, receipt, "NCR-1")
        make_nonconformance(act, make_receipt(act), "NCR-OTHER")
        assert late_order.status is OrderStatus.ACKNOWLEDGED
        return supplier.id

    supplier_id = story.given(arrange)
    found = story.read(lambda session: overview(session, session.get_one(Supplier, supplier_id), now=story.clock()))
    assert (found.open_count, found.late_count, [one.days for one in found.late_lines]) == (2, 1, [3])
    assert [(one.days, one.receipt is not None) for one in found.late_receipts] == [(20, True)]
    assert [one.number for one in found.nonconformances] == ["NCR-1"]
    assert (found.nonconformance_count, found.open_nonconformances) == (1, 1)


def tasks_of_ages(act: Act, like: Task, hours: Sequence[int]) -> None:
    """Make tasks like one, opened so many hours ago."""
    kept = {column.name: getattr(like, column.name) for column in Task.__table__.columns}
    for place, back in enumerate(hours):
        made = kept | {
            "id": new_id(), "token_id": 900 + place, "element_id": "weigh", "created_at": act.now - dt.timedelta(hours=back),
            "due_at": act.now - DAY if place < 2 else None,
        }  # fmt: skip
        act.session.add(Task(**made))
        act.session.flush()
        act.session.add(TaskCandidate(
            principal="role:WEIGHER", task_id=made["id"], due_at=act.now, priority=50, created_at=made["created_at"],
            amount=D(0), party="", project="", flow=like.flow, business_key=like.business_key,
        ))  # fmt: skip


def test_every_figure_of_what_waits_is_the_length_of_a_list(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5)])
    (like,) = story.tasks()
    story.given(lambda act: tasks_of_ages(act, like, [1, 2, 30, 80, 200, 400, 800, 900, 1000, 1100]))
    now, step = story.clock(), f"{like.process_id}/weigh"

    def length(asked: Asked) -> int:
        return len(story.read(lambda session: session.scalars(workload.listed(asked, now=now, zone=dt.UTC)).all()))

    queues = story.read(lambda session: workload.by_step(session, Asked(), now=now).rows)
    assert (queues[0].key, queues[0].spread.tasks, queues[0].spread.late) == (step, 10, 2)
    spread = queues[0].spread
    assert [age.total_seconds() / 3600 for age in (spread.median, spread.p90, spread.longest) if age] == [
        200,
        1000,
        1100,
    ]
    for queue in queues:
        assert length(Asked(step=queue.key)) == queue.spread.tasks
        assert length(Asked(step=queue.key, due="late")) == queue.spread.late
    whose = story.read(lambda session: workload.by_principal(session, Asked(), now=now).rows)
    assert whose[0].key == "role:WEIGHER"
    assert all(length(Asked(who=queue.key)) == queue.spread.tasks for queue in whose)
    narrowed = story.read(
        lambda session: workload.by_principal(session, Asked(who="role:WEIGHER", step=step), now=now).rows
    )
    assert [(queue.key, queue.spread.tasks) for queue in narrowed] == [("role:WEIGHER", 10)]
    longest = story.read(lambda session: workload.by_principal(session, Asked(flow=like.flow), now=now, most=1))
    assert (longest.groups, longest.rows) == (2, narrowed)
    ages = story.read(lambda session: workload.by_age(session, Asked(step=step), now=now))
    assert [count for _, _, count in ages] == [2, 1, 1, 1, 1, 4]
    assert all(length(Asked(step=step, age=key)) == count for key, _, count in ages)
    weeks = story.read(lambda session: workload.by_week(session, Asked(step=step), now=now, zone=dt.UTC))
    assert (len(weeks), weeks[-1].begins_on, sum(week.opened for week in weeks)) == (12, dt.date(2026, 11, 16), 10)
    assert all(length(Asked(step=step, week=week.begins_on, way="opened")) == week.opened for week in weeks)
    whole = story.read(lambda session: workload.spread(session, Asked(), now=now))
    assert whole.tasks == length(Asked()) == 11
    assert story.read(lambda session: workload.spread(session, Asked(flow="nowhere"), now=now)).median is None


@pytest.mark.parametrize(
    "wrong",
    [{"step": "x"}, {"age": "old"}, {"due": "soon"}, {"way": "opened"}, {"week": dt.date(2026, 11, 24), "way": "done"}],
)
def test_a_narrowing_that_means_nothing_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="cannot be understood"):
        Asked(**wrong)
