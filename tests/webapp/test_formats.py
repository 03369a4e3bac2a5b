"""How values are written and read, for people in several places."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from webapp import formats, typed
from webapp.formats import custom
from webapp.typed import Unreadable

US, DE, FR = custom("en-US", "America/Chicago"), custom("de-DE", "Europe/Berlin"), custom("fr", "Europe/Paris")
NOW = dt.datetime(2026, 11, 22, 16, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "how", "text"),
    [
        ("9950", "USD", US, "9,950.00\u00a0USD"),
        ("9950.005", "USD", US, "9,950.01\u00a0USD"),
        ("1234567.8", "EUR", DE, "1.234.567,80\u00a0EUR"),
        ("1234", "JPY", US, "1,234\u00a0JPY"),
        ("-5", "USD", US, "\u22125.00\u00a0USD"),
        ("1234.5", "EUR", FR, "1\u202f234,50\u00a0EUR"),
    ],
)
def test_money_is_written_at_its_minor_unit(amount: str, currency: str, how: formats.Custom, text: str):
    assert formats.money(Decimal(amount), currency, how) == text


def test_a_unit_price_keeps_its_decimals_and_a_quantity_drops_empty_ones():
    assert formats.money(Decimal("42.5000"), "USD", US, unit_price=True) == "42.50\u00a0USD"
    assert formats.money(Decimal("0.1234"), "USD", US, unit_price=True) == "0.1234\u00a0USD"
    assert formats.quantity(Decimal("199.000000"), "EA", US) == "199\u00a0EA"
    assert formats.quantity(Decimal("0.250000"), "KG", DE) == "0,25\u00a0KG"


@pytest.mark.parametrize(
    ("left", "words", "tone"),
    [
        (dt.timedelta(hours=2), "2 h", "soon"),
        (dt.timedelta(minutes=20), "20 min", "soon"),
        (dt.timedelta(days=-1), "1 d late", "late"),
        (dt.timedelta(hours=-3), "3 h late", "late"),
        (dt.timedelta(days=4), "4 wd", "calm"),
        (dt.timedelta(days=7), "5 wd", "calm"),
    ],
)
def test_a_due_date_is_said_in_words(left: dt.timedelta, words: str, tone: str):
    assert formats.due(NOW + left, NOW, US) == formats.Due(words, tone)


def test_an_instant_is_written_in_the_persons_zone():
    assert formats.instant(NOW, US) == "Nov 22, 2026, 10:00 CST"
    assert formats.instant(NOW, DE) == "22.11.2026, 17:00 CET"
    assert formats.moment(NOW, NOW, US) == "10:00"
    assert formats.moment(NOW - dt.timedelta(days=2), NOW, US) == "Nov 20, 10:00"


@pytest.mark.parametrize(
    ("text", "how", "value"),
    [
        ("1,234.5", US, "1234.5"), ("1234.5", US, "1234.5"), (" 12 ", US, "12"), ("1.234,5", DE, "1234.5"), ("1.250", DE, "1250"),
        ("12.5", DE, "12.5"), ("12,5", DE, "12.5"), ("1\u202f234,5", FR, "1234.5"), ("\u22122", US, "-2"), (".5", US, "0.5"),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_type_them(text: str, how: formats.Custom, value: str):
    assert typed.decimal(text, how, decimals=6) == Decimal(value)


@pytest.mark.parametrize("text", ["1,23.4", "1,2345", "1e5", "0x10", "--1", "", "1.2.3", "½", "NaN", "١٢٣x", "1" * 50])
def test_what_is_no_number_is_refused(text: str):
    with pytest.raises(Unreadable):
        typed.decimal(text, US, decimals=6)


def test_codes_become_words_and_names_become_faces():
    assert formats.words("APPROVED_NOT_TRANSMITTED") == "Approved not transmitted"
    assert formats.initials("Lena Fischer") == "LF"
    assert formats.initials("") == "?"
    assert 0 <= formats.face("Lena Fischer") < 8
    assert formats.plural(1, "line") == "1 line"
    assert formats.plural(2, "line") == "2 lines"


def test_a_title_beside_its_key_does_not_repeat_it():
    assert formats.without_key("CO-000001: one value differs", "CO-000001") == "One value differs"
    assert formats.without_key("Vote on CO-000001", "CO-000001") == "Vote on CO-000001"
    assert formats.without_key("CO-000001", "CO-000001") == "CO-000001"


def test_a_key_stays_on_one_line_and_everything_else_is_escaped():
    assert formats.bound("WB-2200/B & L-2200-35 <b>") == (
        '<span class="nowrap">WB-2200/B</span> &amp; <span class="nowrap">L-2200-35</span> &lt;b&gt;'
    )
    assert formats.bound("at 40 -> 20, one-way, PO 5") == "at 40 -&gt; 20, one-way, PO 5"
