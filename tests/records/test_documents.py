"""Hashes, numbers, rates, contracts, files and notices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import Conflict, Invalid, NotFound
from records.attachment import LARGEST, attach, attachments_of, check_kind, content_of
from records.calendar import site_called
from records.notice import notices_of, notify, read, unread
from records.numbering import next_number
from records.person import Role
from records.purchase_order import PurchaseOrder, approved_hash, is_approval_valid
from records.requisition import Requisition, requisition_hash
from records.sourcing import draw, rate_on
from tests import makers
from tests.makers import D

ORDER_EDITS: dict[str, Callable[[Any], object]] = {
    "supplier": lambda order: setattr(order.supplier, "supplier_no", "S-OTHER"),
    "currency": lambda order: setattr(order, "currency", "EUR"),
    "incoterm": lambda order: setattr(order, "incoterm", "EXW"),
    "place": lambda order: setattr(order, "incoterm_place", "Tulsa"),
    "payment term": lambda order: setattr(order, "payment_term", "Net 60"),
    "ship-to": lambda order: setattr(order, "ship_to", "Dock D"),
    "terms": lambda order: setattr(order, "terms_rev", "E"),
    "type": lambda order: setattr(order, "type", "OSP"),
    "quantity": lambda order: setattr(order.lines[0], "quantity", D(6)),
    "price": lambda order: setattr(order.lines[0], "unit_price", D("42.5001")),
    "revision": lambda order: setattr(order.lines[0].part_revision, "rev", "C"),
    "need-by": lambda order: setattr(order.lines[0], "need_by", dt.date(2026, 12, 19)),
    "spec": lambda order: setattr(order.lines[0], "spec", "PS-455"),
    "clauses": lambda order: setattr(order.lines[0], "quality_clauses", ("Q01@1",)),
    "certificates": lambda order: setattr(order.lines[0], "certificates", ("COC",)),
    "cost object": lambda order: setattr(order.lines[0], "cost_object", "WO:7001/30"),
    "description": lambda order: setattr(order.lines[0], "description", "Bracket"),
}


@pytest.mark.parametrize("what", ORDER_EDITS)
def test_what_an_order_is_approved_for_stands_in_its_hash(act: Act, what: str) -> None:
    order = makers.make_order(act)
    before = approved_hash(order)
    ORDER_EDITS[what](order)
    assert approved_hash(order) != before
    act.session.expunge_all()


@pytest.mark.parametrize("field", ["comment", "supplier_reference", "buyer_id", "bill_to", "po_no"])
def test_what_is_not_approved_does_not(act: Act, field: str) -> None:
    order = makers.make_order(act)
    before = approved_hash(order)
    setattr(order, field, "max")
    assert approved_hash(order) == before


def test_a_hash_is_the_same_before_and_after_the_database(house: Installation) -> None:
    with house.acting("user:bea") as act:
        order, requisition = makers.make_order(act), makers.make_requisition(act)
        fresh = approved_hash(order), requisition_hash(requisition)
    with house.reading() as session:
        read_order = session.get_one(PurchaseOrder, order.id)
        read_requisition = session.get_one(Requisition, requisition.id)
        assert (approved_hash(read_order), requisition_hash(read_requisition)) == fresh


def test_a_requisition_of_another_price_is_another_content(act: Act) -> None:
    requisition = makers.make_requisition(act)
    before = requisition_hash(requisition)
    requisition.lines[0].estimated_price = D("42.51")
    assert requisition_hash(requisition) != before


def test_an_approval_ends_at_its_instant(act: Act) -> None:
    order = makers.make_order(act)
    order.approved_at = dt.datetime(2026, 10, 20, 12, tzinfo=dt.UTC)
    order.approval_expires_at = order.approved_at + dt.timedelta(days=30)
    assert is_approval_valid(order, dt.datetime(2026, 11, 19, 11, 59, tzinfo=dt.UTC))
    assert not is_approval_valid(order, dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC))


def test_numbers_have_no_gaps_whoever_fails(house: Installation) -> None:
    with house.acting("user:rita") as act:
        makers.make_site(act)
    taken = []
    for role in ("REQUESTER", "", "BUYER"):
        with suppress(Invalid), house.acting("user:rita") as act:
            number = next_number(act, "REQ", site=site_called(act.session, "MAIN"))
            act.session.add(Role(code=role and f"{role}_2", name="x" * (201 if not role else 1)))
            taken.append(number)
    assert taken == ["REQ-000001", "REQ-000002"]


def test_people_who_ask_at_once_get_different_numbers(house: Installation) -> None:
    with house.acting("user:rita") as act:
        makers.make_site(act)

    def take(_: int) -> str:
        with house.acting("user:rita") as act:
            return next_number(act, "PF", site=site_called(act.session, "MAIN"))

    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(take, range(12)))
    assert sorted(numbers) == [f"PF-{number:06d}" for number in range(1, 13)]


def test_each_site_counts_for_itself(act: Act) -> None:
    here, there = makers.make_site(act), makers.make_site(act, "TULSA", number_prefix="T")
    assert [next_number(act, "REQ", site=site) for site in (here, there, here)] == [
        "REQ-000001",
        "REQ-T000001",
        "REQ-000002",
    ]


def test_the_rate_of_the_day_counts_and_a_missing_one_is_never_one(act: Act) -> None:
    makers.make_rate(act, "EUR", D("1.08"))
    makers.make_rate(act, "EUR", D("1.10"), valid_from=dt.date(2026, 11, 1))
    assert rate_on(act.session, "EUR", company_currency="USD", on=dt.date(2026, 10, 31)) == D("1.08")
    assert rate_on(act.session, "EUR", company_currency="USD", on=dt.date(2026, 11, 1)) == D("1.10")
    assert rate_on(act.session, "USD", company_currency="USD", on=dt.date(2026, 11, 1)) == 1
    for currency, on in (("EUR", dt.date(2025, 12, 31)), ("CHF", dt.date(2026, 11, 1))):
        with pytest.raises(Invalid) as refusal:
            rate_on(act.session, currency, company_currency="USD", on=on)
        assert refusal.value.code == "NO_EXCHANGE_RATE"


def test_an_order_in_another_currency_has_its_total_in_company_currency(act: Act) -> None:
    order = makers.make_order(act, currency="EUR", fx_rate=D("1.08"))
    assert order.total_company == D("229.50")
    order.fx_rate = None
    with pytest.raises(Invalid):
        assert order.total_company


def test_a_blanket_is_not_overdrawn_nor_used_after_its_end(act: Act) -> None:
    blanket = makers.make_sourcing_ref(act, remaining_value=D("100"), remaining_quantity=D("10"))
    draw(act, blanket, on=dt.date(2026, 11, 22), value=D("60"), quantity=D("10"))
    for value, on, code in (
        (D("40.01"), dt.date(2026, 11, 22), "OVERDRAWN"),
        (D("1"), dt.date(2027, 7, 1), "REFERENCE_EXPIRED"),
    ):
        with pytest.raises(Conflict) as refusal:
            draw(act, blanket, on=on, value=value)
        assert refusal.value.code == code
    assert (blanket.remaining_value, blanket.remaining_quantity) == (D("40"), D("0"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.exe", b"MZ"),
        ("noending", b"text"),
        ("empty.pdf", b""),
        ("fake.pdf", b"MZ\x90"),
        ("page.html", b"<script>"),
        ("binary.txt", b"\xff\xfe\x00"),
        ("nul.csv", b"a,\x00"),
        ("big.txt", b"x" * (LARGEST + 1)),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        check_kind(name, content)
    assert "file" in refusal.value.fields


def test_one_content_is_kept_once_and_comes_back_as_it_was(act: Act) -> None:
    order, other = makers.make_order(act), makers.make_order(act)
    for owner in (order, other):
        attach(act, owner, b"%PDF-1.7 x", file_name="C:\\drawings\\D-1.pdf", document_no="D-1", document_rev="B")
    act.session.flush()
    (file,) = attachments_of(act.session, "purchase_order", order.id)
    assert (file.file_name, file.media_type, content_of(act.session, file)) == (
        "D-1.pdf",
        "application/pdf",
        b"%PDF-1.7 x",
    )


def test_a_notice_is_told_once_and_read_by_its_reader(house: Installation) -> None:
    with house.acting("system:engine") as act:
        makers.make_cast(act)
        for _ in range(2):
            notify(act, "rita", "REQ-000001 was returned", key="returned:1", record=("requisition", "x"))
    with house.reading() as session:
        (notice,) = notices_of(session, "rita")
        assert unread(session, "rita") == 1
    with pytest.raises(NotFound), house.acting("user:max") as act:
        read(act, notice.id)
    with house.acting("user:rita") as act:
        read(act, notice.id)
    with house.reading() as session:
        assert unread(session, "rita") == 0
