"""Lots are used once, only when accepted, and never go into what they were made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid, RuleViolation
from engine.ports import SignatureRequest
from processes.genealogy import Event, Source, consume, make_lot, reverse, transform, withdraw
from processes.genealogy_holds import accept_lot, hold_lot, lot_hash, reject_lot, release_lot
from records.lot import GenealogyEdge, Lot, LotSource, LotStatus, free_number
from records.part import LotControl
from rules.finding import KeptFinding
from rules.flow_mode import Mode
from rules.waiver import Terms
from tests.makers import D, make_cast, make_id, make_part, make_revision, make_site, make_stock, make_work_order
from tests.people import PASSWORD

WO = make_id()


@contextmanager
def told(act: Act, rule: str) -> Iterator[None]:
    """Expect a trigger of the guard to refuse the block under a rule."""
    with pytest.raises(RuleViolation) as refused, act.attempt():
        yield
    assert refused.value.code == rule


@pytest.fixture
def act(installation: Installation) -> Iterator[Act]:
    with installation.acting("user:quinn") as act:
        make_site(act)
        make_cast(act)
        yield act


def issue(act: Act, lot: Lot | None, quantity: int | str | Decimal, **more: Any) -> Any:
    return consume(act, lot, D(quantity), **{"work_order_id": WO, "event": Event(make_id())} | more)


def made(act: Act, number: str, quantity: int = 1, **more: Any) -> Lot:
    given = {"source": Source(LotSource.WORK_ORDER, ("work_order", WO)), "status": LotStatus.AVAILABLE} | more
    return make_lot(act, given.pop("revision", None) or make_revision(act), D(quantity), number=number, **given)


def test_what_is_issued_is_taken_from_the_lot_and_the_last_piece_uses_it_up(act: Act) -> None:
    lot = make_stock(act)
    issue(act, lot, 4)
    assert (lot.quantity_left, lot.status) == (D(6), LotStatus.AVAILABLE)
    issue(act, lot, 6)
    assert (lot.quantity_left, lot.status) == (D(0), LotStatus.CONSUMED)


def test_more_than_is_left_is_refused_and_nothing_moves(act: Act) -> None:
    lot = make_stock(act)
    with pytest.raises(Conflict, match="at most 10 EA") as refused, act.attempt():
        issue(act, lot, 11)
    assert (refused.value.code, lot.quantity_left) == ("NOT_ENOUGH", D(10))


def test_the_same_event_twice_counts_once_and_with_other_content_is_refused(act: Act) -> None:
    lot, event = make_stock(act), Event("MES-1", system="MES")
    first = issue(act, lot, 3, event=event)
    assert issue(act, lot, 3, event=event) is first
    assert lot.quantity_left == D(7)
    with pytest.raises(Conflict) as refused, act.attempt():
        issue(act, lot, 4, event=event)
    assert refused.value.code == "EVENT_REUSED"


def test_another_unit_than_the_lots_is_refused(act: Act) -> None:
    with pytest.raises(Invalid) as refused, act.attempt():
        issue(act, make_stock(act), 1, uom="KGM")
    assert "uom" in refused.value.fields


@pytest.mark.parametrize("quantity", ["0", "-1", "0.5"])
def test_nothing_less_than_a_piece_is_issued(act: Act, quantity: str) -> None:
    with pytest.raises(Invalid) as refused, act.attempt():
        issue(act, make_stock(act), quantity)
    assert "quantity" in refused.value.fields


@pytest.mark.parametrize("status", ["QUARANTINE", "HOLD", "REJECTED"])
def test_a_lot_that_is_not_accepted_is_not_issued(act: Act, status: str) -> None:
    lot = make_stock(act, status=LotStatus.QUARANTINE)
    if status == "HOLD":
        accept_lot(act, lot)
        hold_lot(act, lot, reason="Hardness in doubt")
    elif status == "REJECTED":
        reject_lot(act, lot, reason="Wrong alloy")
    with pytest.raises(RuleViolation) as refused, act.attempt():
        issue(act, lot, 1)
    finding = refused.value.findings[0]
    assert (finding.rule, finding.new, bool(finding.owner and finding.way_out)) == ("CON-16", status, True)


def build(act: Act, *components: str) -> str:
    """Have a released work order whose standard names these components; return its id."""
    one = {"kind": "MATERIAL", "quantity": D(1), "uom": "EA", "unit_cost": D(1)}
    return make_work_order(act, standards=tuple(one | {"item": item} for item in components)).id


def test_another_revision_than_the_bill_of_materials_requires_is_not_issued(act: Act) -> None:
    part = make_part(act)
    lot = make_stock(act, revision=make_revision(act, part, "B"))
    make_revision(act, part, "C", status="DRAFT")
    with pytest.raises(RuleViolation) as refused, act.attempt():
        issue(act, lot, 1, work_order_id=build(act, f"{part.part_no}/C", "OTHER/B"))
    [finding] = refused.value.findings
    assert (finding.rule, finding.old, finding.new) == ("CON-16", f"{part.part_no}/C", f"{part.part_no}/B")
    assert f"Expected {part.part_no}/C" in finding.sentence
    assert f"{lot.number} is {part.part_no}/B" in finding.sentence
    for accepting in ([f"{part.part_no}/C", f"{part.part_no}/B"], [part.part_no], ["OTHER/C"], []):
        issue(act, lot, 1, work_order_id=build(act, *accepting))


def test_a_mode_that_observes_lets_another_revision_pass_but_never_a_lot_on_hold(
    act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rules.flow_mode.mode_of", lambda _session, _flow: Mode.OBSERVE)
    part = make_part(act)
    lot = make_stock(act, revision=make_revision(act, part, "B"))
    order_id = build(act, f"{part.part_no}/C")
    issue(act, lot, 1, work_order_id=order_id)
    act.session.flush()
    [kept] = act.session.scalars(select(KeptFinding).where(KeptFinding.record_id == lot.id))
    assert (kept.rule, kept.effect, kept.old_text, kept.new_text) == (
        "CON-16", "WARN", f"{part.part_no}/C", f"{part.part_no}/B",
    )  # fmt: skip
    hold_lot(act, lot, reason="Hardness in doubt")
    with pytest.raises(RuleViolation, match="HOLD"), act.attempt():
        issue(act, lot, 1, work_order_id=order_id)


def test_a_waiver_where_the_house_allows_one_lets_exactly_its_lot_pass(
    act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rules.waiver.terms_of", lambda _rule: Terms(("QA_ENG",), 30, ""))
    part = make_part(act)
    revision = make_revision(act, part, "B")
    waived, other = make_stock(act, revision=revision), make_stock(act, revision=revision)
    standing = SimpleNamespace(id=make_id(), number="WAI-1", expires_on=dt.date(2026, 12, 1))
    monkeypatch.setattr(
        "rules.waiver.standing_waiver",
        lambda _session, rule, about, **_when: standing if (rule, about[1]) == ("CON-16", waived.id) else None,
    )
    order_id = build(act, f"{part.part_no}/C")
    issue(act, waived, 1, work_order_id=order_id)
    with pytest.raises(RuleViolation, match="as the bill of materials requires"), act.attempt():
        issue(act, other, 1, work_order_id=order_id)


def test_material_past_its_shelf_life_is_not_issued(act: Act) -> None:
    with pytest.raises(RuleViolation, match="expired on 2026-11-21"), act.attempt():
        issue(act, make_stock(act, expires_on=dt.date(2026, 11, 21)), 1)
    issue(act, make_stock(act, expires_on=dt.date(2026, 11, 22)), 1)


def test_the_triggers_hold_the_same_lines_against_a_bare_insert(act: Act) -> None:
    lot = make_stock(act)
    edge = issue(act, lot, 4)
    table = GenealogyEdge.__table__
    row = dict(act.session.connection().execute(select(table).where(table.columns["id"] == edge.id)).one()._mapping)

    def again(quantity: Decimal) -> None:
        values = row | {"id": make_id(), "event_id": make_id(), "quantity": quantity}
        act.session.connection().execute(insert(GenealogyEdge).values(values))

    with told(act, "GENEALOGY"):
        again(D(7))
    hold_lot(act, lot, reason="Hardness in doubt")
    with told(act, "CON-16"):
        again(D(1))
    for rule, values in (
        ("GENEALOGY", {"quantity_left": D(9)}),
        ("UNSIGNED", {"status": "AVAILABLE"}),
        ("UNCONTROLLED_CHANGE", {"heat": "HEAT-1"}),
    ):
        with told(act, rule):
            act.session.connection().execute(update(Lot).where(Lot.id == lot.id).values(values))
    with told(act, "APPEND_ONLY"):
        act.session.connection().execute(delete(GenealogyEdge))


def test_what_was_issued_goes_into_serials_without_being_taken_again(act: Act) -> None:
    lot = make_stock(act)
    issue(act, lot, 4)
    for serial in range(4):
        transform(
            act, lot, made(act, f"SN-{serial}", is_serial=True), quantity=D(1), work_order_id=WO, event=Event(make_id())
        )
    assert lot.quantity_left == D(6)
    transform(act, lot, made(act, "SN-9", is_serial=True), quantity=D(1), work_order_id=WO, event=Event(make_id()))
    assert lot.quantity_left == D(5)


def test_no_lot_goes_into_what_it_was_made_of(act: Act) -> None:
    raw, other = make_stock(act), make_id()
    issue(act, raw, 5)
    half = made(act, "HALF", 5)
    issue(act, half, 2, work_order_id=other)
    product = made(act, "PRODUCT", 2, source=Source(LotSource.WORK_ORDER, ("work_order", other)))
    with pytest.raises(Conflict, match="PRODUCT") as refused, act.attempt():
        issue(act, product, 1)
    assert refused.value.code == "CIRCLE"
    with pytest.raises(Conflict) as refused, act.attempt():
        transform(act, product, half, quantity=D(1), event=Event(make_id()))
    assert refused.value.code == "CIRCLE"


def test_a_reversal_gives_back_what_was_taken_once(act: Act) -> None:
    lot = make_stock(act)
    edge = issue(act, lot, 10)
    assert lot.status is LotStatus.CONSUMED
    back = reverse(act, edge, reason="Wrong bin", event=Event("R-1"))
    assert (back.quantity, lot.quantity_left, lot.status) == (D(-10), D(10), LotStatus.AVAILABLE)
    assert reverse(act, edge, reason="Wrong bin", event=Event("R-1")) is back
    for step in (edge, back):
        with pytest.raises(Conflict), act.attempt():
            reverse(act, step, reason="Again", event=Event(make_id()))
    assert lot.quantity_left == D(10)


def test_pieces_that_are_sent_back_leave_the_lot_with_a_reason(act: Act) -> None:
    lot = make_stock(act)
    with pytest.raises(Invalid), act.attempt():
        withdraw(act, lot, D(1), reason=" ", event=Event(make_id()))
    withdraw(act, lot, D(10), reason="Sent back with RMA-12", event=Event(make_id()))
    assert (lot.quantity_left, lot.status) == (D(0), LotStatus.CONSUMED)


def test_any_quality_user_holds_a_lot_and_only_a_signature_releases_it(act: Act) -> None:
    lot = make_stock(act)
    with pytest.raises(Invalid), act.attempt():
        hold_lot(act, lot, reason="")
    hold_lot(act, lot, reason="Hardness in doubt")
    request = SignatureRequest(user_id="quinn", password=PASSWORD, meaning="RELEASED", session_id="")
    with pytest.raises(Invalid, match="changed since"), act.attempt():
        release_lot(act, lot, request, reason="Retested", seen_hash="00" * 32)
    wrong = SignatureRequest(user_id="quinn", password="not it", meaning="VERIFIED", session_id="")
    with pytest.raises(Forbidden), act.attempt():
        release_lot(act, lot, wrong, reason="Retested", seen_hash=lot_hash(lot))
    right = SignatureRequest(user_id="quinn", password=PASSWORD, meaning="VERIFIED", session_id="")
    release_lot(act, lot, right, reason="Retested at 38 HRC", seen_hash=lot_hash(lot))
    assert (lot.status, lot.hold_reason, bool(lot.release_signature_id)) == (LotStatus.AVAILABLE, None, True)
    hold_lot(act, lot, reason="Again")
    with told(act, "UNSIGNED"):
        act.session.connection().execute(update(Lot).where(Lot.id == lot.id).values(status="AVAILABLE"))


def test_nobody_but_quality_holds_or_releases(installation: Installation, act: Act) -> None:
    lot = make_stock(act)
    act.actor = "user:bea"
    with pytest.raises(Forbidden), act.attempt():
        hold_lot(act, lot, reason="I want it")


def test_a_second_delivery_of_a_heat_gets_a_number_of_its_own(act: Act) -> None:
    lot = make_stock(act, "HEAT-7781", heat="HEAT-7781")
    assert free_number(act.session, lot.part_revision_id, "HEAT-7781") == "HEAT-7781-2"
    assert free_number(act.session, lot.part_revision_id, "HEAT-77") == "HEAT-77"
    with pytest.raises(Conflict) as refused, act.attempt():
        made(act, "HEAT-7781", revision=lot.part_revision)
    assert refused.value.code == "LOT_EXISTS"


def test_a_serial_is_one_piece_and_shelf_life_counts_from_the_day_it_is_made(act: Act) -> None:
    with pytest.raises(Invalid), act.attempt():
        made(act, "SN-1", 2, is_serial=True)
    kept = make_revision(act, make_part(act, lot_control=LotControl.SERIAL, shelf_life_days=10))
    with pytest.raises(Invalid), act.attempt():
        made(act, "L-1", revision=kept)
    assert made(act, "SN-1", revision=kept, is_serial=True).expires_on == dt.date(2026, 12, 2)
