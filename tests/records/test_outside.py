"""Pieces at suppliers: the balance holds at every instant, whoever writes and however."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from engine.act import Act, Installation
from engine.database import new_id
from engine.errors import Conflict, Invalid, Refused
from records import outside
from records.outside import (
    ADVANCES,
    COUNTERS,
    FINAL,
    LinkStatus,
    MovementKind,
    OutsideLink,
    OutsideMovement,
    hold,
    lift_hold,
    locked,
    move,
    record_movement,
    serials_away,
)
from records.purchase_order import OrderStatus
from records.purchase_order import move as move_order
from rules.change_item import ChangeItem
from rules.flow_mode import FlowMode, Mode
from tests import makers
from tests.makers import D

TODAY = dt.date(2026, 11, 23)
_turn = count(1)


def make_transmitted_link(act: Act, quantity: int = 40, **fields: Any) -> OutsideLink:
    """Make a link that is ready to ship under an order that its supplier has."""
    order = makers.make_order(act, (makers.make_revision(act), quantity, "18.00"))
    link = makers.make_link(act, order.lines[0], **fields)
    for status in ("PENDING_APPROVAL", "APPROVED", "APPROVED_NOT_TRANSMITTED", "TRANSMITTED"):
        if status == "TRANSMITTED":
            order.po_no = f"PO-{next(_turn)}-{new_id()[-6:]}"
        if status == "APPROVED_NOT_TRANSMITTED":
            makers.make_release(act, order)
        move_order(act, order, OrderStatus(status))
    act.session.flush()
    for step in (LinkStatus.PO_LINKED, LinkStatus.READY_TO_SHIP):
        move(act, link, step)
    return link


def ship(act: Act, link: OutsideLink, quantity: Decimal, **more: Any) -> OutsideMovement:
    if link.standing is not LinkStatus.AT_SUPPLIER and link.standing is not LinkStatus.PART_RETURNED:
        move(act, link, LinkStatus.AT_SUPPLIER)
    return act_on(act, link, MovementKind.SHIP_OUT, quantity, **more)


def act_on(act: Act, link: OutsideLink, kind: MovementKind, quantity: Decimal, **more: Any) -> OutsideMovement:
    given: dict[str, Any] = {"event_id": f"e-{next(_turn)}-{new_id()}", "moved_on": TODAY} | more
    if kind is MovementKind.DECLARED_LOST:
        given.setdefault("statement", "Letter of the supplier of 2026-12-10")
    return record_movement(act, locked(act, link), kind, quantity, **given)


class _Switch:
    record_type, id = "mode_switch", "7"


def not_enforced(act: Act, mode: str) -> None:
    """Switch outside work to another mode, as a signed change."""
    row = act.session.scalars(select(FlowMode).where(FlowMode.flow == "outside_processing")).one()
    act.session.add(
        ChangeItem(
            change_type="mode_switch", change_id="7", change_hash="c" * 64, table_name="flow_mode", row_id=row.id,
            operation="UPDATE", column_name="mode", old_text="ENFORCE", new_text=mode, change_class="C2",
        )
    )  # fmt: skip
    act.session.flush()
    slot = makers.make_slot(act, _Switch(), record_hash="c" * 64)
    slot.signature = makers.make_signature(act, _Switch(), content_hash="c" * 64)
    act.session.flush()
    row.mode = Mode(mode)
    act.session.flush()


def balance(link: OutsideLink) -> tuple[Decimal, ...]:
    return tuple(getattr(link, name) for name in ("shipped", "good", "scrap", "lost", "recalled", "at_supplier"))


def test_what_was_shipped_is_good_scrap_lost_recalled_or_at_the_supplier(act: Act) -> None:
    link = make_transmitted_link(act)
    ship(act, link, D(40))
    act_on(act, link, MovementKind.RETURN_GOOD, D(36))
    act_on(act, link, MovementKind.RETURN_SCRAP, D(2))
    assert balance(link) == (40, 36, 2, 0, 0, 2)
    with pytest.raises(Conflict, match="at most 2 EA back") as refusal:
        act_on(act, link, MovementKind.RETURN_GOOD, D(3))
    assert refusal.value.code == "CON-13"
    act_on(act, link, MovementKind.DECLARED_LOST, D(2))
    assert balance(link) == (40, 36, 2, 2, 0, 0)
    act.session.expire(link)
    assert balance(link) == (40, 36, 2, 2, 0, 0)


def test_a_piece_is_lost_only_with_the_suppliers_statement(act: Act) -> None:
    link = make_transmitted_link(act)
    ship(act, link, D(4))
    with pytest.raises(IntegrityError), act.attempt():
        act_on(act, link, MovementKind.DECLARED_LOST, D(1), statement="")


def test_only_serial_numbers_that_left_may_come_back(act: Act) -> None:
    link = make_transmitted_link(act)
    ship(act, link, D(3), serials=("0001", "0002", "0003"))
    with pytest.raises(Conflict, match="0009 did not") as refusal:
        act_on(act, link, MovementKind.RETURN_GOOD, D(2), serials=("0001", "0009"))
    assert refusal.value.code == "CON-13"
    with pytest.raises(Invalid, match="serial numbers of what comes back"):
        act_on(act, link, MovementKind.RETURN_GOOD, D(2))
    with pytest.raises(Invalid, match="each of 3 pieces"):
        act_on(act, link, MovementKind.RETURN_GOOD, D(3), serials=("0001", "0002"))
    with pytest.raises(Invalid, match="there twice"):
        act_on(act, link, MovementKind.RETURN_GOOD, D(2), serials=("0001", "0001"))
    act_on(act, link, MovementKind.RETURN_GOOD, D(2), serials=("0001", "0002"))
    assert serials_away(act.session, link) == ["0003"]
    with pytest.raises(Conflict, match="0001 did not"):
        act_on(act, link, MovementKind.RETURN_GOOD, D(1), serials=("0001",))
    with pytest.raises(Conflict, match="at the supplier"):
        ship(act, link, D(1), serials=("0003",))


def test_a_shipment_is_undone_by_a_negative_row_and_only_once(act: Act) -> None:
    link = make_transmitted_link(act)
    shipment = ship(act, link, D(3), serials=("0001", "0002", "0003"))
    with pytest.raises(IntegrityError), act.attempt():
        act_on(act, link, MovementKind.SHIP_OUT, D(3), takes_back=shipment, serials=("0001", "0002", "0003"))
    link = locked(act, link)
    undone = act_on(
        act, link, MovementKind.SHIP_OUT, D(3), takes_back=shipment, serials=("0001", "0002", "0003"), reason="Not picked up"
    )  # fmt: skip
    assert undone.quantity == D(-3)
    assert balance(link) == (0, 0, 0, 0, 0, 0)
    assert serials_away(act.session, link) == []
    move(act, link, LinkStatus.READY_TO_SHIP)
    ship(act, link, D(3), serials=("0001", "0002", "0003"))
    with pytest.raises(DBAPIError, match="at most what a movement moved"), act.attempt():
        act_on(
            act, link, MovementKind.SHIP_OUT, D(1), takes_back=shipment, serials=("0001",), reason="Again"
        )  # fmt: skip


def test_what_failed_inspection_goes_back_under_the_same_allocation(act: Act) -> None:
    link = make_transmitted_link(act, 24)
    ship(act, link, D(24))
    back = act_on(act, link, MovementKind.RETURN_GOOD, D(24))
    move(act, link, LinkStatus.RETURNED)
    move(act, link, LinkStatus.AT_SUPPLIER)
    act_on(act, link, MovementKind.RETURN_GOOD, D(3), takes_back=back, reason="NCR-000001: soft spots")
    assert balance(link) == (24, 21, 0, 0, 0, 3)
    act_on(act, link, MovementKind.RETURN_GOOD, D(3))
    assert balance(link) == (24, 24, 0, 0, 0, 0)


def test_no_more_leaves_than_was_allocated(act: Act) -> None:
    link = make_transmitted_link(act, 24)
    with pytest.raises(IntegrityError, match=r"allocation|shipped"), act.attempt():
        ship(act, link, D(25))


def test_nothing_leaves_before_the_supplier_has_the_order(act: Act) -> None:
    link = makers.make_link(act)
    for step in (LinkStatus.PO_LINKED, LinkStatus.READY_TO_SHIP):
        move(act, link, step)
    with pytest.raises(DBAPIError, match="CON-06"), act.attempt():
        ship(act, link, D(5))


def test_a_link_on_hold_ships_nothing_but_takes_back_what_comes(act: Act) -> None:
    link = make_transmitted_link(act)
    ship(act, link, D(20))
    hold(act, link, rule="SUP-04", reason="The approval ended on 2026-12-15", owner="role:QA_SP")
    with pytest.raises(DBAPIError, match="SHIP_BLOCKED"), act.attempt():
        act_on(act, link, MovementKind.SHIP_OUT, D(1))
    link = locked(act, link)
    act_on(act, link, MovementKind.RETURN_GOOD, D(20))
    move(act, link, LinkStatus.RETURNED)
    assert (link.status, link.standing) == (LinkStatus.HOLD, LinkStatus.RETURNED)
    lift_hold(act, link, reason="Processed on 2026-12-14, within the approval")
    assert (link.status, link.hold_reason) == (LinkStatus.RETURNED, None)


@pytest.mark.parametrize("mode", ["OBSERVE", "ADVISE"])
def test_where_shipping_is_not_enforced_the_database_lets_a_held_link_ship_and_keeps_its_balance(
    act: Act, mode: str
) -> None:
    link = make_transmitted_link(act, 24)
    ship(act, link, D(20))
    hold(act, link, rule="SUP-04", reason="The approval ended on 2026-12-15", owner="role:QA_SP")
    not_enforced(act, mode)
    act_on(act, locked(act, link), MovementKind.SHIP_OUT, D(1))
    assert balance(link)[0] == 21
    with pytest.raises(DBAPIError, match=r"allocation|shipped|BALANCE"), act.attempt():
        act_on(act, locked(act, link), MovementKind.SHIP_OUT, D(4))
    ended = make_transmitted_link(act, 5)
    move(act, ended, LinkStatus.CANCELLED)
    with pytest.raises(DBAPIError, match="SHIP_BLOCKED"), act.attempt():
        act_on(act, ended, MovementKind.SHIP_OUT, D(1))


@pytest.mark.parametrize("final", sorted(FINAL))
def test_nothing_follows_a_final_link(final: LinkStatus) -> None:
    assert not [after for before, after in outside.TRANSITIONS if before == final]


def test_every_status_but_the_first_is_reached(act: Act) -> None:
    assert {after for _, after in ADVANCES} | {LinkStatus.PROPOSED, LinkStatus.HOLD} == set(LinkStatus)


def _raw(statement: str) -> Callable[[Act, OutsideLink], None]:
    def run(act: Act, link: OutsideLink) -> None:
        scale = 1_000_000 if act.session.get_bind().dialect.name == "sqlite" else 1
        act.session.connection().execute(
            text(statement.replace("{ONE}", str(scale))), {"link": link.id, "id": new_id(), "event": new_id()}
        )

    return run


INSERT = (
    "INSERT INTO outside_movement (id, link_id, event_id, kind, quantity, moved_on, order_revision, carrier, documents, lots, "
    "statement, reason, version, created_at, created_by, changed_at, changed_by{more}) VALUES (:id, :link, :event, '{kind}', "
    "{quantity}, '2026-11-23', 0, '', '[]', '[]', '', '', 1, '2026-11-23T10:00:00.000000Z', 'x', "
    "'2026-11-23T10:00:00.000000Z', 'x'{values})"
)
FORBIDDEN: dict[str, str] = {
    "a counter alone": "UPDATE outside_link SET good = good + {ONE}, at_supplier = at_supplier - {ONE} WHERE id = :link",
    "the balance": "UPDATE outside_link SET at_supplier = 0 WHERE id = :link",
    "every counter at once": "UPDATE outside_link SET shipped = 0, good = 0, at_supplier = 0 WHERE id = :link",
    "a movement's quantity": "UPDATE outside_movement SET quantity = {ONE} WHERE link_id = :link",
    "a movement's end": "DELETE FROM outside_movement WHERE link_id = :link",
    "a link's end": "DELETE FROM outside_link WHERE id = :link",
    "more back than left": INSERT.format(kind="RETURN_GOOD", quantity="40 * {ONE}", more="", values=""),
    "more out than allocated": INSERT.format(kind="SHIP_OUT", quantity="40 * {ONE}", more="", values=""),
    "something taken back that never was": INSERT.format(
        kind="SHIP_OUT", quantity="-1 * {ONE}", more=", reverses_id", values=", :id"
    ),
    "another operation": "UPDATE outside_link SET operation_id = :id WHERE id = :link",
    "a leap": "UPDATE outside_link SET status = 'CLOSED' WHERE id = :link",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_statement_breaks_the_balance(act: Act, what: str) -> None:
    link = make_transmitted_link(act)
    ship(act, link, D(10))
    with pytest.raises(DBAPIError), act.session.begin_nested():
        _raw(FORBIDDEN[what])(act, link)
    act.session.expire_all()
    assert balance(act.session.get_one(OutsideLink, link.id)) == (10, 0, 0, 0, 0, 10)


def test_a_movement_inserted_by_hand_counts_like_any_other(act: Act) -> None:
    link = make_transmitted_link(act)
    ship(act, link, D(10))
    _raw(INSERT.format(kind="RETURN_GOOD", quantity="4 * {ONE}", more="", values=""))(act, link)
    act.session.expire_all()
    assert balance(act.session.get_one(OutsideLink, link.id)) == (10, 4, 0, 0, 0, 6)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([*MovementKind, "UNDO"]),
        st.integers(1, 12),
        st.lists(st.integers(0, 11), max_size=4, unique=True),
    ),
    max_size=14,
)


@pytest.mark.parametrize("with_serials", [False, True], ids=["counted", "by serial number"])
def test_the_balance_holds_through_any_sequence_of_movements(house: Installation, with_serials: bool) -> None:
    with house.acting("user:sam") as act:
        shared = make_transmitted_link(act, 12).order_line_id

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
    )
    @given(steps=STEPS)
    def every_sequence(steps: list[tuple[Any, int, list[int]]]) -> None:
        with house.acting("user:sam") as act:
            link = makers.make_link(
                act, act.session.get_one(outside.PurchaseOrderLine, shared), allocated_quantity=D(12)
            )
            for step in (LinkStatus.PO_LINKED, LinkStatus.READY_TO_SHIP, LinkStatus.AT_SUPPLIER):
                move(act, link, step)
            sums = dict.fromkeys(MovementKind, D(0))
            out: set[str] = set()
            made: list[tuple[OutsideMovement, tuple[str, ...]]] = []
            for what, size, picked in steps:
                serials = tuple(f"S{number:02}" for number in picked) if with_serials else ()
                quantity = D(len(serials)) if with_serials else D(size)
                undone = made[size % len(made)] if what == "UNDO" and made else None
                if (what == "UNDO" and undone is None) or quantity == 0:
                    continue
                kind = undone[0].kind if undone else what
                if undone:
                    quantity, serials = abs(undone[0].quantity), undone[1]
                outward = (kind is MovementKind.SHIP_OUT) == (undone is None)
                try:
                    with act.attempt():
                        moved = act_on(
                            act, link, kind, quantity, serials=serials, takes_back=undone[0] if undone else None,
                            reason="undone" if undone else "",
                        )  # fmt: skip
                except (Refused, DBAPIError):
                    link = locked(act, link)
                else:
                    if with_serials:
                        assert (set(serials) & out) == (set() if outward else set(serials))
                        out = out | set(serials) if outward else out - set(serials)
                    sums[kind] += moved.quantity
                    if not undone:
                        made.append((moved, serials))
                act.session.refresh(link)
                away = sums[MovementKind.SHIP_OUT] - sum(
                    (sums[kind] for kind in MovementKind if kind is not MovementKind.SHIP_OUT), D(0)
                )
                assert {name: getattr(link, name) for name in COUNTERS.values()} == {
                    name: sums[kind] for kind, name in COUNTERS.items()
                }
                assert link.at_supplier == away >= 0
                assert min(sums.values()) >= 0
                assert serials_away(act.session, link) == sorted(out)
                assert link.shipped - link.recalled <= link.allocated_quantity

    every_sequence()


def test_of_many_returns_at_once_only_what_left_comes_back(house: Installation, database: Engine) -> None:
    with house.acting("user:sam") as act:
        link = make_transmitted_link(act, 24)
        ship(act, link, D(10))
        link_id = link.id
    outcomes: list[str] = []
    gate = threading.Barrier(6)

    def return_three(number: int) -> None:
        gate.wait()
        try:
            with house.acting("user:sam") as act:
                act_on(
                    act,
                    act.session.get_one(OutsideLink, link_id),
                    MovementKind.RETURN_GOOD,
                    D(3),
                    event_id=f"r{number}",
                )
            outcomes.append("moved")
        except Conflict as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=return_three, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes.count("moved") == 3
    assert set(outcomes) <= {"moved", "CON-13"}
    with house.reading() as session:
        assert balance(session.get_one(OutsideLink, link_id)) == (10, 9, 0, 0, 0, 1)
