"""Two sessions at once: nobody slips a change into an order that is being frozen (PostgreSQL; SQLite has one writer)."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import IntegrityError

from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from tests.rules.plant import HASH, Plant, table

LINES, ORDERS = table(PurchaseOrderLine), table(PurchaseOrder)


def waits_for_a_lock(database: Engine) -> bool:
    with database.connect() as connection:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(connection.scalar(text(waiting)))


def test_a_line_is_not_changed_while_its_order_is_submitted(postgresql_database: Engine) -> None:
    plant = Plant(postgresql_database)
    refusals: list[IntegrityError] = []

    def change() -> None:
        try:
            with plant.writing() as connection:
                connection.execute(update(LINES).values(unit_price=1).where(LINES.c.id == plant.line))
        except IntegrityError as error:
            refusals.append(error)

    with plant.writing() as connection:
        connection.execute(
            update(ORDERS).values(status="PENDING_APPROVAL", approved_hash=HASH).where(ORDERS.c.id == plant.order)
        )
        other = threading.Thread(target=change)
        other.start()
        for _ in range(200):
            if waits_for_a_lock(postgresql_database):
                break
            other.join(0.01)
        else:
            pytest.fail("Expected the change to wait for the submission, but it did not")
    other.join(10)
    assert ["unit_price" in str(error) for error in refusals] == [True]
    with postgresql_database.connect() as connection:
        assert str(connection.scalar(select(LINES.c.unit_price).where(LINES.c.id == plant.line))) == "42.5000"
