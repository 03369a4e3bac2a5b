"""What must be true of a record is a constraint in both databases, whoever writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from engine.act import Act
from engine.database import Base
from records.acknowledgement import AckCode
from tests import makers
from tests.makers import D

Making = Callable[[Act], Any]

FALSE: dict[str, Making] = {
    "a requisition line of nothing": lambda act: makers.make_requisition(act, (makers.make_revision(act), 0, "1")),
    "a requisition line of less than nothing": lambda act: makers.make_requisition(
        act, (makers.make_revision(act), -5, "1")
    ),
    "a negative estimate": lambda act: makers.make_requisition(act, (makers.make_revision(act), 1, "-0.01")),
    "an order line of nothing": lambda act: makers.make_order(act, (makers.make_revision(act), 0, "1")),
    "a negative price": lambda act: makers.make_order(act, (makers.make_revision(act), 1, "-0.01")),
    "more accepted than received": lambda act: makers.make_order_line(
        act, makers.make_order(act), makers.make_revision(act), quantity_accepted=D(1)
    ),
    "more received than ordered": lambda act: makers.make_order_line(
        act, makers.make_order(act), makers.make_revision(act), quantity_received=D(6)
    ),
    "a line number twice": lambda act: makers.make_order_line(
        act, makers.make_order(act), makers.make_revision(act), line_no=1
    ),
    "a line that says nothing": lambda act: makers.make_order_line(act, makers.make_order(act)),
    "a part and a service at once": lambda act: makers.make_order_line(
        act, makers.make_order(act), makers.make_revision(act), service_code=makers.make_service(act).part_no
    ),
    "a five-way match": lambda act: makers.make_order_line(
        act, makers.make_order(act), makers.make_revision(act), match_level=5
    ),
    "an Incoterm without a place": lambda act: makers.make_order(act, incoterm_place=None),
    "an approved order without a hash": lambda act: makers.make_order(act, status="APPROVED"),
    "a transmitted order without a number": lambda act: makers.make_order(
        act, status="TRANSMITTED", approved_hash="ab" * 32, transmitted_at=dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    ),
    "a hold without a reason": lambda act: makers.make_order(act, status="ON_HOLD"),
    "a requisition without a requester": lambda act: makers.make_requisition(act, requester_id="nobody"),
    "two default sites of a supplier": lambda act: makers.make_supplier_site(
        act, makers.make_supplier(act), is_default=True
    ),
    "an approval that ends before it begins": lambda act: makers.make_approval(
        act, makers.make_supplier(act), valid_to=dt.date(2025, 1, 1)
    ),
    "a Nadcap approval without a certificate": lambda act: makers.make_approval(
        act, makers.make_supplier(act), basis="NADCAP"
    ),
    "an unsigned approval of ours": lambda act: makers.make_approval(
        act, makers.make_supplier(act), origin="LOCKSTEP", status="APPROVED"
    ),
    "an exchange rate of nothing": lambda act: makers.make_rate(act, rate=D(0)),
    "a deputy of oneself": lambda act: (makers.make_cast(act), makers.make_absence(act, "max", "max")),
    "a changed quantity that is not named": lambda act: makers.make_acknowledgement(
        act, makers.make_order(act), (1, AckCode.IQ, {})
    ),
    "a login name in capitals": lambda act: makers.make_user(act, "Otto"),
    "a blanket below nothing": lambda act: makers.make_sourcing_ref(act, remaining_value=D(-1)),
    "a revision of five letters": lambda act: makers.make_revision(act, rev="ABCDE"),
}


@pytest.mark.parametrize("what", FALSE)
def test_neither_database_takes(act: Act, what: str) -> None:
    with pytest.raises(IntegrityError), act.attempt():
        FALSE[what](act)


def test_an_erp_document_may_be_born_transmitted_without_a_hash(act: Act) -> None:
    order = makers.make_order(act, origin="ERP", status="ACKNOWLEDGED", po_no="1")
    assert order.is_approved_elsewhere


def test_the_same_order_number_may_exist_at_two_sites_but_not_at_one(act: Act) -> None:
    makers.make_order(act, origin="ERP", po_no="1")
    with pytest.raises(IntegrityError), act.attempt():
        makers.make_order(act, origin="ERP", po_no="1")


def test_every_constraint_has_a_name() -> None:
    unnamed = [
        (table.name, constraint)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if constraint.name is None
    ]
    assert not unnamed


def test_every_foreign_key_of_a_document_leads_to_a_mapped_table() -> None:
    for table in Base.metadata.tables.values():
        for key in table.foreign_keys:
            assert key.column.table.name in Base.metadata.tables
