"""Sentences of the house are read in the visitor's customs; whatever else stands in them is left as it is."""

from __future__ import annotations

import pytest

import webapp.app
from webapp import formats, sayings

CHICAGO = formats.custom("en-US", "America/Chicago")
PEOPLE = {"user:ella": "Ella Novak", "role:PUR_LEAD": "Purchasing lead"}
ROLES = {"PUR_LEAD": "Purchasing lead"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Take it to the board before 2026-11-23 22:40 UTC", "Take it to the board before Nov 23, 2026, 16:40 CST"),
        ("Expected a day from 2026-11-23 on, but 2026-11-01 is past.", "Expected a day from Nov 23, 2026 on, but Nov 1, 2026 is past."),
        ("Expected CO-000001 to be DRAFT, but it is PENDING_APPROVAL", "Expected CO-000001 to be draft, but it is pending approval"),
        ("It belongs to user:ella, then to role:PUR_LEAD.", "It belongs to Ella Novak, then to Purchasing lead."),
        ("Not before 0001-01-01 00:00 UTC", "Not before Jan 1, 1 00:00 UTC"),  # no clock of Chicago tells it
        ("A PUR_LEAD signs; the link is PO_LINKED", "A Purchasing lead signs; the link is PO linked"),
    ],
)  # fmt: skip
def test_days_instants_codes_and_principals_are_read_as_people_write_them(written: str, read: str) -> None:
    assert webapp.app.create_app, "Every record is known once the application is"
    assert sayings.said(written, CHICAGO, lambda principal: PEOPLE[principal], ROLES.get) == read


@pytest.mark.parametrize(
    "text",
    [
        "PO-2026-12-30-1 of the ERP",
        "NCR-000001 by SAW and MILL",
        "2026-13-40 is no day",
        "/changes/new?need_by=2026-12-01",
        "sha 2026-12-01T",
        "OPEN-7 and DRAFT/2",
    ],
)
def test_keys_addresses_and_words_that_only_look_alike_stay_as_they_are(text: str) -> None:
    assert sayings.said(text, CHICAGO, lambda principal: PEOPLE[principal], ROLES.get) == text
