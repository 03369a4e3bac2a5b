"""The supplier gate: who may deliver what, and how a missing approval is cured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from engine.act import Act
from engine.errors import RuleViolation
from processes.sourcing import announce_approval
from records.order_limit import limits_on
from records.purchase_order import OrderStatus, PurchaseOrder
from records.purchase_order import move as move_order
from records.supplier import ApprovalStatus, ApprovalSubject, Supplier, SupplierApproval, SupplierStatus, move
from tests.makers import make_approval, make_process, make_service, make_supplier
from tests.people import bea, ella, max_, quinn, rita
from tests.quotes import asked, chosen, quote_of, quotes, rivals
from tests.story import Story

D = Decimal


def quick_plate(act: Act) -> Supplier:
    from sqlalchemy import select

    found = act.session.scalar(select(Supplier).where(Supplier.name == "QuickPlate"))
    return found or make_supplier(act, name="QuickPlate")


def plating(story: Story) -> Story:
    """Ask for 40 pieces plated by a supplier who is on no list: 480.00."""

    def arrange(act: Act) -> None:
        make_process(act, "PLATING", nadcap_commodity="", is_special=False)
        make_service(act, "SV-PL-01", process="PLATING", name="Plating")

    story.given(arrange)
    return story.as_(rita).start(
        "requisition_to_po", lines=[("P-100", 40, "12.00")],
        line_fields={
            "supplier": quick_plate, "part_revision": None, "part_revision_id": None, "service_code": "SV-PL-01",
            "process_code": "PLATING", "cost_object": "WO-7001/30", "work_order_op": "WO-7001/30",
        },
    )  # fmt: skip


def gate(story: Story) -> list[str]:
    from engine.task_variables import variables_of

    task = story.tasks("decide_on_supplier")[0]
    return [
        finding["sentence"] for finding in story.read(lambda session: variables_of(session, task))["gate"]["findings"]
    ]


def test_a_supplier_without_approval_waits_at_the_gate_until_quality_approves_the_scope(story: Story) -> None:
    """D05: 480.00 is band zero; the wait names SUP-01, and the issue is held until 2026-11-25."""
    plating(story)
    assert story.steps == ["decide_on_supplier"]
    assert any(sentence.startswith("SUP-01") for sentence in gate(story))

    def approve(act: Act) -> None:
        row = make_approval(
            act, quick_plate(act), "PLATING", subject=ApprovalSubject.PROCESS, valid_from=dt.date(2026, 11, 25),
            valid_to=dt.date(2027, 11, 24),
        )  # fmt: skip
        act.session.refresh(row.supplier, ["approvals"])
        announce_approval(act, row)

    story.given(approve)
    story.settle()
    assert story.steps == ["complete_order"]
    story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")
    assert story.order.status is OrderStatus.ON_HOLD
    assert story.timers["hold_ended"] == dt.datetime(2026, 11, 25, 6, 0, tzinfo=dt.UTC)
    story.at(dt.datetime(2026, 11, 25, 6, 0, tzinfo=dt.UTC))
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])


def test_quality_approves_the_scope_in_the_flow(story: Story) -> None:
    plating(story)
    story.as_(quinn).decide("decide_on_supplier", "approve_supplier")
    assert story.timers["qualification_overdue"] == dt.datetime(2026, 12, 22, 15, 0, tzinfo=dt.UTC)
    story.at(story.timers["qualification_overdue"])
    assert (story.steps, story.incidents) == (["decide_on_supplier"], [])
    story.as_(quinn).decide("decide_on_supplier", "approve_supplier")
    story.as_(quinn).decide(
        "approve_supplier", "approve", subject="PROCESS", code="PLATING", scope="Zinc", basis="AUDIT", certificate_no=None,
        valid_from="2026-11-22", valid_to="2027-11-22",
    )  # fmt: skip
    assert (story.steps, story.incidents) == (["complete_order"], [])
    row = story.read(lambda session: session.query(SupplierApproval).filter_by(subject_code="PLATING").one())
    assert row.status is ApprovalStatus.APPROVED
    assert row.approved_signature_id is not None


def test_a_one_time_approval_needs_quality_and_engineering(story: Story) -> None:
    plating(story)
    story.as_(quinn).decide("decide_on_supplier", "one_time_approval")
    story.as_(quinn).decide(
        "limit_waiver", "approve", max_quantity=D(40), max_value=D(480), valid_to="2026-12-20", scope="This lot only"
    )
    assert story.steps == ["cosign_waiver"]
    story.as_(ella).decide("cosign_waiver", "approve")
    assert (story.steps, story.incidents) == (["complete_order"], [])
    row = story.read(lambda session: session.query(SupplierApproval).filter_by(subject_code="PLATING").one())
    assert (row.is_one_time, row.status, row.max_quantity) == (True, ApprovalStatus.CONDITIONAL, D(40))
    (limit,) = story.read(lambda session: limits_on(session, story.order.id))
    assert (limit.approval_id, limit.max_quantity, limit.max_value, limit.ends_on) == (
        row.id,
        D(40),
        D(480),
        row.valid_to,
    )

    def reprice(act: Act, price: str) -> None:
        act.session.get_one(PurchaseOrder, story.order.id).lines[0].unit_price = D(price)

    story.given(lambda act: reprice(act, "12.01"))
    story.as_(bea).decide("complete_order", "submit")
    (found,) = [
        one["sentence"] for one in values_of(story, "complete_order")["findings"] if "480.40" in one["sentence"]
    ]
    assert found.startswith("SUP-12: Expected PF-000001 to stay within the approval")
    with pytest.raises(RuleViolation, match=r"480\.40 of at most 480\.00"):
        story.given(
            lambda act: move_order(
                act, act.session.get_one(PurchaseOrder, story.order.id), OrderStatus.PENDING_APPROVAL
            )
        )
    story.given(lambda act: reprice(act, "12"))
    story.as_(bea).decide("complete_order", "submit")
    assert (story.steps, story.incidents) == (["issue_order"], [])


def test_a_refused_supplier_ends_the_award(story: Story) -> None:
    plating(story)
    story.as_(quinn).decide("decide_on_supplier", "refuse", reason="not a plater")
    assert (story.ended_at, story.incidents) == ("nothing_ordered", [])


def test_another_supplier_is_chosen_by_the_buyer(story: Story) -> None:
    plating(story)
    story.as_(quinn).decide("decide_on_supplier", "other_supplier", reason="ask NorthStar")

    def able(act: Act) -> str:
        other = make_supplier(act, name="NorthStar Plating")
        make_approval(act, other, "PLATING", subject=ApprovalSubject.PROCESS)
        return other.id

    story.as_(bea).complete("choose_supplier", supplier_id=story.given(able), reference="Q-17", note="has the scope")
    assert (story.steps, story.incidents) == (["complete_order"], [])
    assert story.order.supplier.name == "NorthStar Plating"


def test_a_missing_process_scope_is_named_with_those_who_have_it(story: Story) -> None:
    """D06: NorthStar heat-treats but does no FPI; two others do."""

    def arrange(act: Act) -> None:
        make_process(act, "FPI", nadcap_commodity="")
        make_service(act, "SV-FPI", process="FPI", name="Penetrant inspection")
        north = make_supplier(act, name="NorthStar")
        make_approval(act, north, "HEAT_TREAT", subject=ApprovalSubject.PROCESS)
        for name in ("Aero NDT", "Bright Inspection"):
            make_approval(act, make_supplier(act, name=name), "FPI", subject=ApprovalSubject.PROCESS)

    story.given(arrange)
    story.as_(rita).start(
        "requisition_to_po", lines=[("P-100", 10, "12.00")],
        line_fields={
            "supplier": lambda act: act.session.query(Supplier).filter_by(name="NorthStar").one(), "part_revision": None,
            "part_revision_id": None, "service_code": "SV-FPI", "process_code": "FPI", "cost_object": "WO-7001/40",
        },
    )  # fmt: skip
    for _ in range(3):
        if story.tasks("decide_slot"):
            story.as_(quinn).decide("approve_requisition", "approve")
    from engine.task_variables import variables_of

    task = story.tasks("decide_on_supplier")[0]
    seen = story.read(lambda session: variables_of(session, task))["gate"]
    (finding,) = seen["findings"]
    assert finding["sentence"].startswith(
        "SUP-03: Expected NorthStar to be approved for FPI, but its scope is missing."
    )
    assert "Aero NDT, Bright Inspection" in finding["sentence"]
    assert [other["name"] for other in seen["alternatives"]] == ["Aero NDT", "Bright Inspection"]


def test_a_process_scope_lost_after_the_gate_stops_the_building_and_names_who_has_it(story: Story) -> None:
    """D06 at the building of the order: the scope is withdrawn between the gate and the buyer's submission."""

    def arrange(act: Act) -> None:
        make_process(act, "FPI", nadcap_commodity="")
        make_service(act, "SV-FPI", process="FPI", name="Penetrant inspection")
        for name in ("NorthStar", "Aero NDT", "Bright Inspection"):
            make_approval(act, make_supplier(act, name=name), "FPI", subject=ApprovalSubject.PROCESS)

    def lose_scope(act: Act) -> None:
        (row,) = act.session.query(Supplier).filter_by(name="NorthStar").one().approvals
        move(act, row, ApprovalStatus.WITHDRAWN, reason="gave up the line")

    story.given(arrange)
    story.as_(rita).start(
        "requisition_to_po", lines=[("P-100", 10, "12.00")],
        line_fields={
            "supplier": lambda act: act.session.query(Supplier).filter_by(name="NorthStar").one(), "part_revision": None,
            "part_revision_id": None, "service_code": "SV-FPI", "process_code": "FPI", "cost_object": "WO-7001/40",
        },
    )  # fmt: skip
    for _ in range(len(story.tasks("decide_slot"))):
        story.as_(quinn).decide("approve_requisition", "approve")
    assert story.steps == ["complete_order"]
    story.given(lose_scope)
    story.as_(bea).decide("complete_order", "submit")
    assert (story.steps, story.order.status, story.incidents) == (["complete_order"], OrderStatus.DRAFT, [])
    found = [finding["sentence"] for finding in values_of(story, "complete_order")["findings"]]
    assert found[0].startswith(
        "SUP-03: Expected NorthStar to be approved for FPI, but its scope is missing. "
        "Approved for it: Aero NDT, Bright Inspection."
    )


def values_of(story: Story, step: str) -> Mapping[str, Any]:
    """What the only task of a step sees."""
    from engine.task_variables import variables_of

    (task,) = story.tasks(step)
    return story.read(lambda session: variables_of(session, task))


def test_fewer_than_three_quotes_need_the_managers_signature(story: Story) -> None:
    from tests.people import lena

    story.as_(rita).start("requisition_to_po", lines=[("P-100", 150, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")
    supplier = story.read(lambda session: session.query(Supplier).filter_by(name="Midland Machining").one())
    chosen(story, supplier.id, price="42.50", count=1)
    assert story.steps == ["sign_sole_source"]
    story.as_(max_).decide("sign_sole_source", "reject", reason="ask two more")
    assert story.steps == ["compare_quotes"]
    story.as_(bea).decide("compare_quotes", "ask_again")
    others = story.given(rivals)
    asked(story, *others)
    quotes(story, dict.fromkeys(others, "45"))
    story.as_(bea).decide("compare_quotes", "award", quotation_id=quote_of(story, supplier.id), note="cheapest")
    assert (story.steps, story.incidents) == (["complete_order"], [])


@pytest.mark.parametrize("status", [SupplierStatus.SUSPENDED, SupplierStatus.DISQUALIFIED])
def test_a_suspended_supplier_stops_at_the_gate(story: Story, status: SupplierStatus) -> None:
    story.as_(rita).start(
        "requisition_to_po", lines=[("P-100", 10)],
        line_fields={"supplier": lambda act: make_supplier(act, name="Stopped Inc", status=status)},
    )  # fmt: skip
    assert story.steps == ["decide_on_supplier"]
    assert f"Stopped Inc is {status.value.lower()}." in gate(story)[0]
    assert gate(story)[0].startswith("SUP-01")


def test_an_approval_that_cannot_be_one_is_said_to_the_signer_and_asked_for_again(story: Story) -> None:
    from sqlalchemy import select

    from records.notice import Notice

    plating(story)
    story.as_(quinn).decide("decide_on_supplier", "approve_supplier")
    story.as_(quinn).decide(
        "approve_supplier", "approve", subject="PROCESS", code="PLATING", scope="", basis="AUDIT", certificate_no=None,
        valid_from="2027-11-22", valid_to="2026-11-22",
    )  # fmt: skip
    assert (story.steps, story.incidents) == (["decide_on_supplier"], [])
    told = story.read(lambda session: session.scalars(select(Notice.body).where(Notice.user_id == "quinn")).all())
    assert told == ["Expected an end after 2027-11-22, but found 2026-11-22"]


def test_a_contract_with_enough_left_needs_no_quotes(story: Story) -> None:
    from tests.makers import make_sourcing_ref
    from tests.people import lena
    from tests.story import _default_supplier

    story.given(lambda act: make_sourcing_ref(act, supplier=_default_supplier(act), unit_price=D("40.00")))
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 150, "42.50")])
    story.as_(lena).decide("approve_requisition", "approve")
    assert (story.steps, story.incidents) == (["complete_order"], [])
    assert story.order.lines[0].unit_price == D("40.0000")
    assert story.order.lines[0].sourcing_ref_id is not None


def test_an_answer_that_names_no_supplier_is_asked_for_again(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 10)], line_fields={"supplier": None})
    for wrong in (None, "nobody"):
        story.as_(bea).complete("choose_supplier", supplier_id=wrong)
        assert (story.steps, story.incidents) == (["choose_supplier"], [])
