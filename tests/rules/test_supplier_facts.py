"""SUP-05, SUP-08, SUP-11, SUP-13 and SUP-14 over supplier, line, day and point of use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from engine.act import Act, Installation
from records.origin import Origin
from records.part import Criticality
from records.receipt import ReceiptStatus
from records.resource import ResourceKind
from records.supplier import ApprovalBasis, ApprovalStatus, ApprovalSubject, Supplier, move
from records.supplier_knowledge import (
    ApprovalRecheck,
    ArticleCause,
    ArticleScope,
    ChangeKind,
    Declarant,
    FirstArticleDecision,
    RecheckStatus,
    ScreeningResult,
    SubTier,
    SubTierStatus,
    SupplierChangeNotice,
    move_sub_tier,
)
from records.work_order import WorkOrderType
from rules.first_article import needs_article
from rules.supplier_gate import Point, judge
from tests import makers
from tests.makers import D
from tests.story import CAST

pytestmark = pytest.mark.begins_with(CAST)

TODAY = dt.date(2026, 11, 22)


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    with house.acting("user:quinn") as opened:
        makers.make_cast(opened)
        yield opened


def add(act: Act, row: Any) -> Any:
    act.session.add(row)
    act.session.flush()
    return row


def rules_of(
    act: Act, supplier: Supplier, line: Any, point: Point = Point.GATE, *, on: dt.date = TODAY, site: Any = None
) -> list[tuple[str, str]]:
    found = judge(act.session, supplier, [line], point=point, on=on, site=site).findings
    return [(finding.rule, str(finding.effect)) for finding in found]


def asked_line(act: Act, **fields: Any) -> Any:
    part = makers.make_part(act, criticality=fields.pop("criticality", Criticality.STD), **fields.pop("part", {}))
    return makers.make_requisition_line(act, makers.make_requisition(act), makers.make_revision(act, part), **fields)


def nadcap(act: Act, **fields: Any) -> tuple[Supplier, Any, Any]:
    makers.make_process(act)
    supplier = makers.make_supplier(act)
    given = {
        "subject": ApprovalSubject.PROCESS, "basis": ApprovalBasis.NADCAP, "nadcap_certificate_no": "N-1",
        "nadcap_commodity": "Heat Treating",
    } | fields  # fmt: skip
    approval = makers.make_approval(act, supplier, "HEAT_TREAT", **given)
    return supplier, approval, asked_line(act, process_code="HEAT_TREAT", need_by=dt.date(2026, 12, 18))


def test_a_nadcap_certificate_names_the_site_where_a_supplier_works_at_several(act: Act) -> None:
    supplier, _, line = nadcap(act)
    assert rules_of(act, supplier, line) == [], "its only site is the one it is of"
    makers.make_supplier_site(act, supplier, code="2", city="Tulsa")
    act.session.refresh(supplier, ["sites"])
    assert rules_of(act, supplier, line) == [("SUP-05", "HOLD")]
    assert rules_of(act, supplier, line, Point.ISSUE) == [("SUP-05", "BLOCK")]


def test_a_nadcap_certificate_of_another_site_covers_nothing_here(act: Act) -> None:
    supplier, _, line = nadcap(act)
    here, there = supplier.sites[0], makers.make_supplier_site(act, supplier, code="2", city="Tulsa")
    makers.make_approval(
        act, supplier, "FPI", subject=ApprovalSubject.PROCESS, basis=ApprovalBasis.NADCAP, nadcap_certificate_no="N-2",
        nadcap_commodity="Nondestructive Testing", supplier_site_id=there.id,
    )  # fmt: skip
    makers.make_process(act, "FPI", nadcap_commodity="Nondestructive Testing")
    line.process_code = "FPI"
    assert rules_of(act, supplier, line, site=there) == []
    assert rules_of(act, supplier, line, site=here) == [("SUP-03", "HOLD")]


@pytest.mark.parametrize(
    ("expires", "expected"),
    [(dt.date(2026, 12, 17), [("SUP-05", "HOLD")]), (dt.date(2026, 12, 18), []), (None, [])],
)
def test_a_nadcap_certificate_outlasts_the_promised_day(act: Act, expires: dt.date | None, expected: list[Any]) -> None:
    supplier, _, line = nadcap(act, certificate_expires_on=expires)
    assert rules_of(act, supplier, line) == expected


def test_a_recheck_that_nobody_did_warns_and_one_that_refutes_holds(act: Act) -> None:
    supplier, approval, line = nadcap(act)
    add(act, ApprovalRecheck(approval=approval, approval_id=approval.id, due_on=TODAY))
    assert rules_of(act, supplier, line) == [], "it is due today"
    assert rules_of(act, supplier, line, on=TODAY + dt.timedelta(days=1)) == [("SUP-05", "WARN")]
    add(
        act,
        ApprovalRecheck(
            approval=approval, approval_id=approval.id, due_on=dt.date(2026, 12, 1), status=RecheckStatus.REFUTED,
            done_by="quinn", done_on=TODAY, note="withdrawn",
        ),
    )  # fmt: skip
    assert rules_of(act, supplier, line) == [("SUP-05", "HOLD")]


def sub_tier(act: Act, supplier: Supplier, **fields: Any) -> SubTier:
    given: dict[str, Any] = {
        "name": "Acme Plating", "process_code": "HEAT_TREAT", "declarant": Declarant.SUPPLIER, "declared_on": TODAY,
        "source_system": "TEST", "source_event_id": makers.make_id(),
    } | fields  # fmt: skip
    status = given.pop("status", SubTierStatus.DECLARED)
    found: SubTier = add(act, SubTier(supplier=supplier, supplier_id=supplier.id, **given))
    if status is SubTierStatus.APPROVED:
        move_sub_tier(act, found, status, signature_id=signed(act, found))
        act.session.flush()
    return found


def signed(act: Act, record: Any) -> str:
    return str(makers.make_signature(act, record, content_hash="ab" * 32, signer="quinn").id)


def approved_here(act: Act, supplier: Supplier) -> None:
    """Approve the supplier for machined parts in this house, so that its first order is a first one."""
    row = makers.make_approval(act, supplier, origin=Origin.LOCKSTEP, status=ApprovalStatus.PENDING)
    move(act, row, ApprovalStatus.APPROVED, signature_id=signed(act, row))
    act.session.flush()


def test_a_sub_tier_that_is_not_approved_holds_a_special_process(act: Act) -> None:
    supplier, _, line = nadcap(act)
    found = sub_tier(act, supplier)
    effects = {point: rules_of(act, supplier, line, point) for point in Point}
    assert effects == {
        Point.SUBMIT: [("SUP-08", "WARN")], Point.GATE: [("SUP-08", "HOLD")], Point.BUILD: [("SUP-08", "HOLD")],
        Point.ISSUE: [("SUP-08", "BLOCK")], Point.SHIP: [("SUP-08", "BLOCK")],
    }  # fmt: skip
    found.status = SubTierStatus.ENDED
    act.session.flush()
    assert rules_of(act, supplier, line) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"spec": "PS-999"}, []), ({"spec": "PS-455"}, [("SUP-08", "HOLD")]), ({"spec": None}, [("SUP-08", "HOLD")])],
)
def test_a_sub_tier_counts_for_the_specification_it_works_to(
    act: Act, fields: dict[str, Any], expected: list[Any]
) -> None:
    supplier, _, line = nadcap(act)
    line.spec = "PS-455"
    sub_tier(act, supplier, **fields)
    assert rules_of(act, supplier, line) == expected


def test_the_approval_of_a_sub_tier_ends_with_its_last_day(act: Act) -> None:
    supplier, _, line = nadcap(act)
    sub_tier(act, supplier, status=SubTierStatus.APPROVED, valid_to=TODAY)
    assert rules_of(act, supplier, line) == []
    assert rules_of(act, supplier, line, on=TODAY + dt.timedelta(days=1)) == [("SUP-08", "HOLD")]


def test_a_line_carries_the_clause_that_binds_an_approved_sub_tier(act: Act) -> None:
    supplier, _, _ = nadcap(act)
    sub_tier(act, supplier, status=SubTierStatus.APPROVED)
    order = makers.make_order(act, supplier=supplier)
    line = makers.make_order_line(act, order, makers.make_revision(act), process_code="HEAT_TREAT")
    assert rules_of(act, supplier, line, Point.BUILD) == [("SUP-08", "HOLD")]
    line.quality_clauses = ("Q08@1",)
    assert rules_of(act, supplier, line, Point.BUILD) == []


@pytest.mark.parametrize(
    ("days", "export", "point", "expected"),
    [
        (30, True, Point.GATE, []),
        (31, False, Point.SUBMIT, [("SUP-13", "WARN")]),
        (31, False, Point.GATE, [("SUP-13", "WARN")]),
        (31, True, Point.SUBMIT, [("SUP-13", "WARN")]),
        (31, True, Point.GATE, [("SUP-13", "HOLD")]),
        (31, True, Point.SHIP, [("SUP-13", "BLOCK")]),
        (None, False, Point.SUBMIT, [("SUP-13", "WARN")]),
        (None, True, Point.GATE, [("SUP-13", "HOLD")]),
        (None, True, Point.ISSUE, [("SUP-13", "BLOCK")]),
    ],
)
def test_a_screening_is_at_most_thirty_days_old(
    act: Act, days: int | None, export: bool, point: Point, expected: list[Any]
) -> None:
    supplier = makers.make_supplier(act, is_screened=False)
    makers.make_approval(act, supplier)
    if days is not None:
        makers.make_screening(act, supplier, screened_on=TODAY - dt.timedelta(days=days))
    line = asked_line(act, part={"export_class": "9E991"} if export else {})
    assert rules_of(act, supplier, line, point) == expected


def test_a_hit_stops_every_part_and_a_newer_clear_screening_ends_it(act: Act) -> None:
    supplier, line = makers.make_supplier(act), asked_line(act)
    makers.make_approval(act, supplier)
    makers.make_screening(act, supplier, screened_on=TODAY, result=ScreeningResult.POSSIBLE, note="A name alike")
    assert rules_of(act, supplier, line) == [("SUP-13", "HOLD")]
    makers.make_screening(act, supplier, screened_on=TODAY, result=ScreeningResult.MATCH, note="Entity list")
    assert rules_of(act, supplier, line) == [("SUP-13", "BLOCK")]
    tomorrow = TODAY + dt.timedelta(days=1)
    makers.make_screening(act, supplier, screened_on=tomorrow)
    assert rules_of(act, supplier, line, on=tomorrow) == []


def delivered(act: Act, supplier: Supplier, line: Any, day: dt.date, **fields: Any) -> None:
    order = makers.make_order_to_receive(act, (line.part_revision, 5, 1), supplier=supplier, **fields)
    makers.make_receipt(act, order.lines[0], received_on=day, status=ReceiptStatus.ARRIVED)


def test_a_new_source_is_decided_about_and_a_critical_one_before_the_order_is_built(act: Act) -> None:
    supplier = makers.make_supplier(act)
    approved_here(act, supplier)
    plain, key = asked_line(act), asked_line(act, criticality=Criticality.KEY)
    assert rules_of(act, supplier, plain, Point.BUILD) == [("SUP-11", "WARN")]
    assert rules_of(act, supplier, key, Point.GATE) == [("SUP-11", "WARN")]
    assert rules_of(act, supplier, key, Point.BUILD) == [("SUP-11", "HOLD")]
    assert rules_of(act, supplier, key, Point.ISSUE) == [("SUP-11", "BLOCK")]
    delivered(act, supplier, key, dt.date(2026, 10, 1))
    assert rules_of(act, supplier, key, Point.BUILD) == []


def test_a_scope_that_the_erp_brought_stands_for_deliveries_that_are_not_on_record(act: Act) -> None:
    supplier = makers.make_supplier(act)
    makers.make_approval(act, supplier)
    assert rules_of(act, supplier, asked_line(act, criticality=Criticality.KEY), Point.BUILD) == []


def decide(act: Act, supplier: Supplier, line: Any, scope: ArticleScope, **fields: Any) -> None:
    given = {"cause": ArticleCause.GAP, "reason": "Agreed", "decided_on": TODAY, "decided_by": "quinn"} | fields
    part = line.part_revision.part
    row = FirstArticleDecision(supplier=supplier, supplier_id=supplier.id, part_id=part.id, scope=scope, **given)
    add(act, row)


@pytest.mark.parametrize(
    ("last", "expected"),
    [(TODAY - dt.timedelta(days=730), []), (TODAY - dt.timedelta(days=731), [("SUP-11", "HOLD")])],
)
def test_two_years_without_a_delivery_make_a_source_new_again(act: Act, last: dt.date, expected: list[Any]) -> None:
    supplier, line = makers.make_supplier(act), asked_line(act, criticality=Criticality.KEY)
    makers.make_approval(act, supplier)
    delivered(act, supplier, line, last)
    assert rules_of(act, supplier, line, Point.BUILD) == expected
    decide(act, supplier, line, ArticleScope.DELTA, decided_on=last - dt.timedelta(days=1))
    assert rules_of(act, supplier, line, Point.BUILD) == expected, "a decision before the last delivery answers nothing"
    decide(act, supplier, line, ArticleScope.DELTA)
    assert rules_of(act, supplier, line, Point.BUILD) == []


def test_a_decided_first_article_is_asked_for_on_the_line(act: Act) -> None:
    supplier, asked = makers.make_supplier(act), asked_line(act)
    approved_here(act, supplier)
    order = makers.make_order(act, (asked.part_revision, 5, 1), supplier=supplier)
    decide(act, supplier, asked, ArticleScope.FULL, cause=ArticleCause.NEW_SOURCE)
    line = order.lines[0]
    assert rules_of(act, supplier, line, Point.BUILD) == [("SUP-11", "HOLD")]
    assert rules_of(act, supplier, line, Point.ISSUE) == [("SUP-11", "BLOCK")]
    line.certificates = ("COC", "FAI")
    assert rules_of(act, supplier, line, Point.ISSUE) == []


def test_a_new_site_needs_a_decision_about_that_site(act: Act) -> None:
    supplier, line = makers.make_supplier(act), asked_line(act, criticality=Criticality.KEY)
    makers.make_approval(act, supplier)
    delivered(act, supplier, line, dt.date(2026, 10, 1))
    here, there = supplier.sites[0], makers.make_supplier_site(act, supplier, code="2")
    assert rules_of(act, supplier, line, Point.BUILD, site=here) == []
    assert rules_of(act, supplier, line, Point.BUILD, site=there) == [("SUP-11", "HOLD")]
    decide(act, supplier, line, ArticleScope.NONE)
    assert rules_of(act, supplier, line, Point.BUILD, site=there) == [("SUP-11", "HOLD")]
    decide(act, supplier, line, ArticleScope.NONE, cause=ArticleCause.NEW_SITE, supplier_site_id=there.id)
    assert rules_of(act, supplier, line, Point.BUILD, site=there) == []


def test_a_changed_process_is_decided_about_after_the_notice(act: Act) -> None:
    supplier, line = makers.make_supplier(act), asked_line(act, criticality=Criticality.KEY)
    makers.make_approval(act, supplier)
    delivered(act, supplier, line, dt.date(2026, 10, 1))
    decide(act, supplier, line, ArticleScope.DELTA, decided_on=dt.date(2026, 10, 15))
    add(
        act,
        SupplierChangeNotice(
            supplier=supplier, supplier_id=supplier.id, kind=ChangeKind.PROCESS, noticed_on=TODAY,
            effective_on=dt.date(2026, 12, 1), statement="New furnace", source_system="TEST", source_event_id="1",
        ),
    )  # fmt: skip
    assert rules_of(act, supplier, line, Point.BUILD) == [("SUP-11", "HOLD")]
    decide(act, supplier, line, ArticleScope.NONE)
    assert rules_of(act, supplier, line, Point.BUILD) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [("SUP-14", "HOLD")]),
        ({"accreditation_no": "L-17", "discipline": "Dimensional", "measuring_range": "0 to 300 mm"}, [("SUP-14", "HOLD")]),
        (
            {"accreditation_no": "L-17", "measuring_range": "0 to 300 mm", "certificate_expires_on": dt.date(2027, 1, 1)},
            [("SUP-14", "HOLD")],
        ),
        (
            {
                "accreditation_no": "L-17", "discipline": "Dimensional", "measuring_range": "0 to 300 mm",
                "certificate_expires_on": dt.date(2026, 12, 18),
            },
            [],
        ),
        (
            {
                "accreditation_no": "L-17", "discipline": "Dimensional", "measuring_range": "0 to 300 mm",
                "certificate_expires_on": dt.date(2026, 12, 17),
            },
            [("SUP-14", "HOLD")],
        ),
    ],
)  # fmt: skip
def test_a_calibration_laboratory_shows_its_accredited_scope(
    act: Act, fields: dict[str, Any], expected: list[Any]
) -> None:
    laboratory = makers.make_supplier(act, name="Metrolab")
    makers.make_approval(act, laboratory, "CALIBRATION", **fields)
    service = makers.make_service(act, "SV-CAL", process=None, commodity="CALIBRATION", name="Calibrate calipers")
    line = makers.make_requisition_line(
        act, makers.make_requisition(act), None, service=service, service_code=service.part_no,
        need_by=dt.date(2026, 12, 18),
    )  # fmt: skip
    assert rules_of(act, laboratory, line) == expected


@pytest.mark.parametrize(
    ("asked", "scope", "beyond"),
    [
        ("Calibrate calipers 0 to 150 mm", "Calipers 0 to 300 mm, 12 µm", False),
        ("Calibrate calipers 0-600 mm", "Calipers 0 to 300 mm, 12 µm", True),
        ("Calibrate calipers 0 to 12 in", "Calipers 0 to 300 mm", True),
        ("Calibrate micrometer 0…25 mm", "0 to 0,3 m", False),
        ("Calibrate torque wrench 20 to 100 Nm", "Calipers 0 to 300 mm", True),
        ("Calibrate furnace -20 to 850 °C", "Thermocouples −40 °C to 1100 °C", False),
        ("Calibrate 3 calipers", "Calipers 0 to 300 mm", False),
        ("Calibrate calipers 0 to 150 mm", "All calipers", False),
    ],
)
def test_what_is_calibrated_lies_within_the_laboratorys_range(act: Act, asked: str, scope: str, beyond: bool) -> None:
    """Value and unit are compared; what names no range with a unit is left to whoever reads it."""
    laboratory = makers.make_supplier(act, name="Metrolab")
    makers.make_approval(
        act, laboratory, "CALIBRATION", accreditation_no="L-17", discipline="Dimensional", measuring_range=scope,
        certificate_expires_on=dt.date(2027, 12, 18),
    )  # fmt: skip
    service = makers.make_service(act, "SV-CAL", process=None, commodity="CALIBRATION", name=asked)
    line = makers.make_requisition_line(
        act, makers.make_requisition(act), None, service=service, service_code=service.part_no,
        need_by=dt.date(2026, 12, 18),
    )  # fmt: skip
    assert rules_of(act, laboratory, line) == ([("SUP-14", "HOLD")] if beyond else [])


def test_another_revision_of_the_process_is_decided_about_without_a_notice(act: Act) -> None:
    """SUP-11: the last delivery was done to revision D; a line that asks for E is a changed process."""
    supplier = makers.make_supplier(act, name="NorthStar")
    makers.make_process(act)
    makers.make_approval(act, supplier, "HEAT_TREAT", subject=ApprovalSubject.PROCESS)
    lines = [
        makers.make_order(act, (makers.make_revision(act), 10, "18.00"), supplier=supplier).lines[0] for _ in range(2)
    ]
    for line, revision in zip(lines, ("D", "E"), strict=True):
        line.process_code, line.spec, line.spec_rev = "HEAT_TREAT", "PS-455", revision
    act.session.flush()
    makers.make_receipt(act, lines[0], quantity=D(10), received_on=dt.date(2026, 11, 2))
    found = needs_article(act.session, supplier, lines[1], on=TODAY, site=None, gap_days=730)
    assert found is not None
    assert (found.cause, "last done to PS-455 rev D" in found.words) == (ArticleCause.PROCESS_CHANGE, True)
    assert needs_article(act.session, supplier, lines[0], on=TODAY, site=None, gap_days=730) is None


def test_a_line_for_a_calibration_work_order_needs_a_laboratory(act: Act) -> None:
    gauge = makers.make_resource(act, kind=ResourceKind.GAUGE)
    work = makers.make_work_order(
        act, type=WorkOrderType.CALIBRATION, resource=gauge, resource_id=gauge.id, operations=()
    )
    supplier, line = makers.make_supplier(act), asked_line(act)
    makers.make_approval(act, supplier)
    assert rules_of(act, supplier, line) == []
    line.work_order_op = f"{work.number}/10"
    assert rules_of(act, supplier, line, Point.ISSUE) == [("SUP-14", "BLOCK")]
